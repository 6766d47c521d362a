"""Text and data files as they are found, and files that are never left half-written."""

from __future__ import annotations

import contextlib
import gzip
import re
import uuid
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from mpm3d.errors import FormatError


def read_bytes(path: str | Path) -> bytes:
    """Content of a file, unpacked if it is gzipped, whatever its suffix says.

    Raises
    ------
    FormatError
        If the compressed content is damaged.
    """
    content = Path(path).read_bytes()
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, error) from error


def _damaged(path: str | Path, error: Exception) -> FormatError:
    return FormatError(path, f"the gzip content is damaged ({error}). Copy or download the file again.")


def read_head(path: str | Path, size: int = 1 << 16) -> bytes:
    """First bytes of a file, unpacked if it is gzipped.

    Raises
    ------
    FormatError
        If the compressed content is damaged.
    """
    with Path(path).open("rb") as file:
        head = file.read(size)
    if head[:2] != b"\x1f\x8b":
        return head
    try:
        with gzip.open(path) as packed:
            return packed.read(size)
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, error) from error


def read_text(path: str | Path) -> str:
    r"""Text of a file, gzipped or not, in UTF-8, UTF-16 with its mark, or Latin-1, lines ended by ``\n``.

    Raises
    ------
    FormatError
        If the compressed content is damaged.
    """
    content = read_bytes(path)
    try:
        return head_text(content, errors="strict")
    except UnicodeDecodeError:
        return _even(content.decode("latin-1"))


def head_text(head: bytes, *, errors: str = "replace") -> str:
    r"""Text of the first bytes of a file; what is no letter becomes ``\ufffd``, lines are ended by ``\n``."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _even(head.decode("utf-16", errors="replace"))
    return _even(head.decode("utf-8-sig", errors=errors))


def _even(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def to_number(token: str) -> float:
    """Value of a number, with Fortran's ``D`` exponents too; ``ValueError`` for anything else."""
    if "_" in token:
        raise ValueError(f"could not convert string to float: {token!r}")
    try:
        return float(token)
    except ValueError:
        return float(re.sub("[dD]", "e", token, count=1))


def to_count(token: str) -> int | None:
    """Value of a whole number without a sign, or None; no file has more than 18 digits."""
    return int(token) if re.fullmatch("[0-9]{1,18}", token) else None


def stem_of(path: str | Path) -> str:
    """File name without ``.gz`` and its suffix."""
    name = Path(path).name
    return Path(name[:-3] if name.lower().endswith(".gz") else name).stem


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a name beside ``path`` to write to, which takes the place of ``path`` if all goes well."""
    path = Path(path)
    part = path.with_name(f".{path.name[:40]}.{uuid.uuid4().hex[:8]}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: str | Path, lines: Iterable[str]) -> None:
    r"""Write lines as UTF-8 ended by ``\n``, gzipped if the name ends in ``.gz``, or nothing at all."""
    path = Path(path)
    content = "".join(f"{line}\n" for line in lines).encode()
    if path.suffix.lower() == ".gz":
        content = gzip.compress(content, mtime=0)
    with replacing(path) as part:
        part.write_bytes(content)
