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
from mpm3d.io.gocad.data_files import Encoding, Stored, data_path
from mpm3d.io.gocad.lines import Block, TextFile
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
    is set; of two such that in which a bit of a region is set, and little-endian if both do.

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
        words = text.tokens(run.start)
        if words:
            bits[words[0]] = to_count(words[-1]) if len(words) > 1 else None, run.start
    if not bits:
        return {}, []
    if not block.find(f"{prefix}_FILE"):
        return {}, [f"the regions {', '.join(bits)} were left out, the header names no {prefix}_FILE."]
    try:
        declared = sum({1 << bit for bit, _ in bits.values() if bit is not None and bit < 64})
        raw, notes = _flags(text, block, shape, options, prefix, declared)
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
    text: TextFile, block: Block, shape: Sequence[int], options: Options, prefix: str, declared: int
) -> tuple[Any, list[str]]:
    """Numbers of the file of flags as they are stored, and a note of the byte order.

    ``declared`` has the bits of the regions.
    """
    words, line = text.last(block, f"{prefix}_FILE")
    path = data_path(text, " ".join(words), line or 0, options)
    length = _count(text, block, f"{prefix}_BIT_LENGTH", None)
    width = _count(text, block, f"{prefix}_ESIZE", None if length is None else _bytes_for(length))
    if width not in (1, 2, 4, 8):
        text.fail(f"{prefix}_ESIZE is {width}, flags of 1, 2, 4 or 8 bytes are expected.", line)
    offset = _count(text, block, f"{prefix}_OFFSET", 0) or 0
    stored = Stored(path, Encoding(np.dtype(f"<u{width}")), offset, f"the flags {text.place(line)}")
    flags, swapped = stored.mapped(shape), stored.swapped().mapped(shape)
    limit = 8 * width if length is None else length
    which, why = _byte_order(_bits_set(flags), _bits_set(swapped), limit, declared)
    chosen = swapped if which == "big" else flags
    notes = []
    if width > 1:
        notes.append(f"the file of flags {path.name!r} was read as {which}-endian, {why}.")
    small = math.prod(shape) <= data_files.LAZY_ABOVE
    return (chosen[...] if small else chosen), notes


def _byte_order(little: int, big: int, length: int, declared: int) -> tuple[str, str]:
    """Byte order of flags by the bits that are set in either, and why."""
    fits = not little >> length, not big >> length
    if not any(fits):
        return "little", "bits beyond its length are set"
    if all(fits) and big & declared and not little & declared:
        return "big", "bits of the regions are set so"
    return "little" if fits[0] else "big", "no bit beyond its length is set so"


def _count(text: TextFile, block: Block, word: str, default: int | None) -> int | None:
    words, line = text.last(block, word)
    if line is None:
        return default
    count = to_count(" ".join(words))
    if count is None:
        text.fail(f"{word} is {' '.join(words)[:40]!r}, a whole number is expected.", line)
    return count


def _bytes_for(bits: int) -> int:
    """Bytes of the least whole number that has so many bits."""
    return next((width for width in (1, 2, 4, 8) if bits <= 8 * width), 0)


def _bits_set(flags: FileArray) -> int:
    """Bits that are set in any of all flags or, if they are many, of three layers."""
    parts = list(slabs(flags))
    if len(parts) > 3:
        parts = [parts[0], parts[len(parts) // 2], parts[-1]]
    found = 0
    for part in parts:
        found |= int(np.bitwise_or.reduce(flags[part], axis=None))
    return found
