"""Regions of GoCAD voxets and grids: bits of whole numbers in a file of flags."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.geometry import Array
from mpm3d.io.files import to_count
from mpm3d.io.gocad import data_files
from mpm3d.io.gocad.data_files import data_path
from mpm3d.io.gocad.lines import Block, TextFile, split_words
from mpm3d.io.options import Options
from mpm3d.values import FileArray, Lazy, Values, slabs


@dataclass(frozen=True)
class Bit:
    """Whether one bit is set in each number."""

    bit: int

    def __call__(self, raw: Array) -> Array:
        """Booleans of the numbers."""
        mask = raw.dtype.type(1 << self.bit)
        return np.asarray((raw & mask) != 0)


def read_regions(
    text: TextFile, block: Block, shape: Sequence[int], options: Options, prefix: str = "FLAGS"
) -> tuple[dict[str, Values], list[str]]:
    """Booleans of each ``REGION name bit`` of a voxet or a grid, from its file of flags.

    The byte order of flags differs between files: the one counts in which no bit beyond ``FLAGS_BIT_LENGTH``
    is set, and little-endian if both do.

    Parameters
    ----------
    text, block
        The header.
    shape : sequence of int
        Number of samples ``(n_w, n_v, n_u)``.
    options : Options
        With ``errors="skip"`` regions that cannot be read are left out and noted.
    prefix : str
        How the keywords begin: ``FLAGS``, or ``REGION_FLAGS`` in an SGrid.

    Returns
    -------
    regions : dict of str to array of bool or Lazy
        By name.
    notes : list of str
        Which byte order was taken, and what was left out.

    Raises
    ------
    FormatError
        If a region or the file of flags is damaged.
    """
    bits: dict[str, tuple[int | None, int]] = {}
    for run in block.find("REGION"):
        words = split_words(text.lines[run.start])[1:]
        if words:
            bits[words[0]] = to_count(words[-1]) if len(words) > 1 else None, run.start
    if not bits:
        return {}, []
    if not block.find(f"{prefix}_FILE"):
        return {}, [f"the regions {', '.join(bits)} were left out, the header names no {prefix}_FILE."]
    try:
        raw, notes = _flags(text, block, shape, options, prefix)
        found: dict[int, Values] = {}
        regions = {}
        for name, place in bits.items():
            bit = _checked(text, raw, name, *place)
            found[bit] = found[bit] if bit in found else _region(raw, bit)
            regions[name] = found[bit]
    except FormatError as error:
        if options.errors == "strict":
            raise
        return {}, [f"the regions {', '.join(bits)} were left out: {error}"]
    return regions, notes


def _checked(text: TextFile, raw: Any, name: str, bit: int | None, line: int) -> int:
    width = 8 * raw.dtype.itemsize
    if bit is None or bit >= width:
        text.fail(
            f"region {name!r} is on the bit {'?' if bit is None else bit}, the flags have the bits 0 to "
            f"{width - 1}.",
            line,
        )
    return bit


def _region(raw: Any, bit: int) -> Values:
    if isinstance(raw, FileArray):
        return Lazy(raw, Bit(bit), np.dtype(bool))
    return Bit(bit)(raw)


def _flags(
    text: TextFile, block: Block, shape: Sequence[int], options: Options, prefix: str
) -> tuple[Any, list[str]]:
    """Numbers of the file of flags as they are stored, and a note of the byte order."""
    line = block.find(f"{prefix}_FILE")[-1].start
    path = data_path(text, " ".join(split_words(text.lines[line])[1:]), line, options)
    length = _count(text, block, f"{prefix}_BIT_LENGTH", None)
    width = _count(text, block, f"{prefix}_ESIZE", None if length is None else _bytes_for(length))
    if width not in (1, 2, 4, 8):
        text.fail(f"{prefix}_ESIZE is {width}, flags of 1, 2, 4 or 8 bytes are expected.", line)
    offset = _count(text, block, f"{prefix}_OFFSET", 0) or 0
    needed, size = offset + math.prod(shape) * width, path.stat().st_size
    if size < needed:
        raise FormatError(
            path,
            f"the file has {size} bytes, the flags need {needed}: {offset} to skip and "
            f"{' × '.join(str(n) for n in reversed(shape))} of {width}. It may be truncated.",
        )
    flags = FileArray(path, np.dtype(f"<u{width}"), shape, offset)
    swapped = FileArray(path, np.dtype(f">u{width}"), shape, offset)
    limit = 8 * width if length is None else length
    fits = _fits(flags, limit), _fits(swapped, limit)
    chosen = swapped if fits == (False, True) else flags
    notes = []
    if width > 1:
        which = "big" if chosen is swapped else "little"
        why = "bits beyond its length are set" if not any(fits) else "no bit beyond its length is set so"
        notes.append(f"the file of flags {path.name!r} was read as {which}-endian, {why}.")
    small = math.prod(shape) <= data_files.LAZY_ABOVE
    return (chosen[...] if small else chosen), notes


def _count(text: TextFile, block: Block, word: str, default: int | None) -> int | None:
    runs = block.find(word)
    if not runs:
        return default
    said = " ".join(text.lines[runs[-1].start].split()[1:])
    count = to_count(said)
    if count is None:
        text.fail(f"{word} is {said[:40]!r}, a whole number is expected.", runs[-1].start)
    return count


def _bytes_for(bits: int) -> int:
    """Bytes of the least whole number that has so many bits."""
    return next((width for width in (1, 2, 4, 8) if bits <= 8 * width), 0)


def _fits(flags: FileArray, length: int) -> bool:
    """Whether no bit from ``length`` on is set, in all flags or, if they are many, in three layers."""
    parts = list(slabs(flags))
    if len(parts) > 3:
        parts = [parts[0], parts[len(parts) // 2], parts[-1]]
    return length >= 8 * flags.dtype.itemsize or not any(int(flags[part].max()) >> length for part in parts)
