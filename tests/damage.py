"""Ways in which files are damaged, for the tests of robustness and the fuzzing harness."""

from __future__ import annotations

import random
import re

NUMBER = re.compile(rb"[-+]?\d+(?:\.\d*)?(?:[eEdD][-+]?\d+)?")
NASTY = (
    b"1000000000000", b"-1", b"0", b"nan", b"inf", b"-inf", b"1e400", b"1e-400", b"999999999999999999999",
    b"2147483648", b"4294967296", b"-9223372036854775808", b"0.5", b"1D400", b"", b"x", b"\xe9", b"1_000",
    b"../../etc/passwd", b"/etc/passwd", b"C:\\data\\a@@", b'"', b"{", b"}", b"GOCAD", b"END", b"65536*65536",
)  # fmt: skip


def damaged(content: bytes, rng: random.Random) -> bytes:
    """One file with one to three damages."""
    for _ in range(rng.randint(1, 3)):
        content = rng.choice(DAMAGES)(content, rng)
    return content


def _place(content: bytes, rng: random.Random) -> tuple[int, int]:
    """A slice, often in the header, where the meaning is."""
    reach = len(content) if rng.random() < 0.5 else min(len(content), 2000)
    start = rng.randint(0, max(reach - 1, 0))
    return start, min(len(content), start + 2 ** rng.randint(0, 8))


def cut(content: bytes, rng: random.Random) -> bytes:
    """The end is missing."""
    return content[: rng.randint(0, len(content))]


def flip(content: bytes, rng: random.Random) -> bytes:
    """Some bytes are others."""
    start, stop = _place(content, rng)
    return content[:start] + rng.randbytes(stop - start) + content[stop:]


def drop(content: bytes, rng: random.Random) -> bytes:
    """A piece is missing."""
    start, stop = _place(content, rng)
    return content[:start] + content[stop:]


def repeat(content: bytes, rng: random.Random) -> bytes:
    """A piece comes twice, or many times."""
    start, stop = _place(content, rng)
    return content[:stop] + content[start:stop] * rng.choice((1, 2, 50)) + content[stop:]


def number(content: bytes, rng: random.Random) -> bytes:
    """A number is another one, or none."""
    start, _ = _place(content, rng)
    match = NUMBER.search(content, start) or NUMBER.search(content)
    if match is None:
        return flip(content, rng)
    return content[: match.start()] + rng.choice(NASTY) + content[match.end() :]


def line(content: bytes, rng: random.Random) -> bytes:
    """A line is missing, comes twice, or changes places with another."""
    lines = content.split(b"\n")
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    what = rng.randrange(3)
    if what == 0:
        del lines[i]
    elif what == 1:
        lines.insert(j, lines[i])
    else:
        lines[i], lines[j] = lines[j], lines[i]
    return b"\n".join(lines)


def word(content: bytes, rng: random.Random) -> bytes:
    """A word in the middle of a line is something that no writer meant."""
    start, _ = _place(content, rng)
    space = content.find(b" ", start)
    if space < 0:
        return flip(content, rng)
    return content[:space] + b" " + rng.choice(NASTY) + content[space:]


DAMAGES = (cut, flip, drop, repeat, number, number, number, line, word)
