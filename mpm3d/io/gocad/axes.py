"""Axes in the headers of GoCAD voxets and grids."""

from __future__ import annotations

import math

from mpm3d.io.files import to_number
from mpm3d.io.gocad.lines import Block, TextFile

Shape = tuple[int, int, int]
# more samples than this, in all or along an axis, mean a damaged header
_MANY = 10**12
_LONG = 10**7
_KINDS = {"voxet": "a voxet", "sgrid": "an SGrid"}


def read_axis(text: TextFile, block: Block, word: str) -> tuple[list[float], int]:
    """Three numbers of an AXIS line and its index.

    Raises
    ------
    FormatError
        If the line is missing, too short or holds something else.
    """
    tokens, index = text.last(block, word)
    kind = _KINDS[block.kind]
    if index is None:
        text.fail(
            f"the {kind.split()[1]} {block.name!r} has no {word}. The header may be truncated.", block.start
        )
    if len(tokens) < 3:
        text.fail(
            f"{word} has {len(tokens)} values ({' '.join(tokens)[:60]!r}), {kind} needs three (U V W). "
            "The export may be truncated.",
            index,
        )
    try:
        numbers = [to_number(token) for token in tokens[:3]]
    except ValueError:
        numbers = [math.nan]
    if not all(math.isfinite(number) for number in numbers):
        text.fail(f"{word} is {' '.join(tokens[:3])[:60]!r}, three finite numbers are expected.", index)
    return numbers, index


def read_counts(text: TextFile, block: Block, what: str) -> tuple[Shape, int]:
    """Counts along W, V and U of ``what`` lies on the axes, and the index of their line.

    Raises
    ------
    FormatError
        If they are not whole or more than a file can hold.
    """
    counts, line = read_axis(text, block, "AXIS_N")
    if any(n < 1 or n != int(n) or n > _LONG for n in counts) or math.prod(counts) > _MANY:
        shown = " ".join(f"{n:.9g}" for n in counts)
        text.fail(
            f"AXIS_N is {shown!r}, three whole numbers of {what} from 1 to {_LONG:g} are expected.", line
        )
    return (int(counts[2]), int(counts[1]), int(counts[0])), line
