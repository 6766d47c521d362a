"""Geosoft grids (.grd, version 2): binary, any type of number, plain or compressed with zlib, rotated."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.geometry import Array
from mpm3d.io.files import read_bytes, read_head, stem_of
from mpm3d.io.mapgrid import Placing, crs_notes, label_notes
from mpm3d.io.options import Options
from mpm3d.lattice import Raster

_HEADER = struct.Struct("<5i7d48s16s")
_HEADER_SIZE = 512
_COMPRESSED = 1024
# type and dummy of each element size and sign flag; 8 bytes are a double whatever the flag says
_TYPES = {
    (1, 0): ("u1", 255), (1, 1): ("i1", -127), (2, 0): ("<u2", 65535), (2, 1): ("<i2", -32767),
    (4, 0): ("<u4", 4294967295), (4, 1): ("<i4", -2147483647), (4, 2): ("<f4", None),
}  # fmt: skip
# floating point values end at -0.9e32, below are dummies
_DUMMY_BELOW = -0.9e32
_BLOCKS = struct.Struct("<Iiii")
_BLOCK_MARK = b"\x0f\x0e\xff\xfe\x12\x34\x56\x78"
_SIGNATURE = 0xF8E7D8C7
# zlib makes at most about 1030 bytes of one
_MOST_INFLATED = 1100
_SIDECAR = 1 << 22


@dataclass(frozen=True)
class _Header:
    """The first bytes of a grid by their names in Geosoft's description; the number of points and vectors."""

    size: int
    sign: int
    points: int
    vectors: int
    placing: Placing
    base: float
    factor: float
    label: str

    @property
    def compressed(self) -> bool:
        return self.size > _COMPRESSED

    @property
    def element(self) -> int:
        return self.size - _COMPRESSED if self.compressed else self.size

    @property
    def n_bytes(self) -> int:
        """Bytes of the values once they are unpacked."""
        return self.points * self.vectors * self.element


def _header(head: bytes) -> _Header | None:
    if len(head) < _HEADER_SIZE:
        return None
    size, sign, points, vectors, sense, *floats, label, _ = _HEADER.unpack_from(head)
    step, vector_step, x, y, rotation, base, factor = floats
    placing = Placing((x, y), step, vector_step, rotation, sense)
    text = label.split(b"\0", 1)[0].decode("latin-1").strip()
    return _Header(size, sign, points, vectors, placing, base, factor, text if text.isprintable() else "")


def matches(path: Path, head: bytes) -> bool:
    """Whether the first bytes can be the header of a Geosoft grid."""
    header = _header(head)
    if header is None or header.element not in (1, 2, 4, 8) or not 0 <= header.sign <= 3:
        return False
    if min(header.points, header.vectors) < 1 or header.placing.sense not in (-4, -3, -2, -1, 1, 2, 3, 4):
        return False
    try:
        header.placing.check(path)
    except FormatError:
        return False
    return True


def read_bodies(path: Path, options: Options) -> list[Raster]:
    """The grid of a file; see `read_grid`."""
    return [read_grid(path)]


def read_grid(path: str | Path) -> Raster:
    """Read a Geosoft grid.

    Parameters
    ----------
    path : str or Path
        The ``.grd`` file, gzipped or not. The coordinate system is taken from the ``.grd.xml`` or ``.grd.gi``
        beside it, if that can be read.

    Returns
    -------
    Raster
        One value, named like the file; dummies are NaN, base and multiplier are applied:
        ``value = stored / ZMULT + ZBASE``. Rotated grids have a frame.

    Raises
    ------
    FormatError
        If the header is not one of a Geosoft grid, the file is truncated, a colour grid, stored in another
        order than KX 1 or -1, or compressed otherwise than with zlib.

    References
    ----------
    Seequent: Geosoft grid file format (version 2), Oasis montaj 9.9 help.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {str(path)!r}.")
    header = _header(read_head(path, _HEADER_SIZE))
    if header is None:
        _fail(path, f"the file is shorter than the {_HEADER_SIZE} bytes of the header of a Geosoft grid.")
    dtype, dummy = _check(path, header)
    content = read_bytes(path)
    data = _unpack(path, header, content) if header.compressed else _plain(path, header, content)
    values, notes = _values(header, np.frombuffer(data, dtype), dummy)
    crs, source = _crs(path)
    notes = (*notes, *source, *crs_notes(crs), *label_notes(header.label))
    vectors = values.reshape(header.vectors, header.points)
    return header.placing.raster(stem_of(path), vectors, "Geosoft grid", crs_name=crs, notes=notes)


def _fail(path: Path, reason: str) -> NoReturn:
    raise FormatError(path, reason)


def _check(path: Path, header: _Header) -> tuple[np.dtype[Any], int | None]:
    """Type of the elements and their dummy, None for floating point, if the header makes sense."""
    if header.sign == 3 and header.element == 4:
        _fail(
            path, "this is a colour grid (SF is 3), an image without values. Export the grid it was made of."
        )
    found = ("<f8", None) if header.element == 8 else _TYPES.get((header.element, header.sign))
    if found is None:
        _fail(
            path,
            f"the header has an element size (ES) of {header.size} and a sign flag (SF) of {header.sign}; a "
            "Geosoft grid has sizes of 1, 2, 4 or 8 bytes, 1024 more if compressed, and flags of 0, 1 or 2.",
        )
    if min(header.points, header.vectors) < 1:
        _fail(
            path,
            f"the header counts {header.points} points in {header.vectors} vectors, both must be at least 1.",
        )
    header.placing.check(path)
    if abs(header.placing.sense) != 1:
        _fail(
            path,
            f"the order of storage (KX) is {header.placing.sense}; only 1 and -1 are known, no program "
            "writes others. Export the grid again, or as GXF.",
        )
    if not np.isfinite(header.base) or not np.isfinite(header.factor) or header.factor == 0:
        _fail(
            path,
            f"the values have a base (ZBASE) of {header.base:g} and a multiplier (ZMULT) of "
            f"{header.factor:g}; finite numbers are needed, and a multiplier that is not 0.",
        )
    return np.dtype(found[0]), found[1]


def _plain(path: Path, header: _Header, content: bytes) -> bytes:
    # files may be longer, to the end of a block
    if len(content) < _HEADER_SIZE + header.n_bytes:
        _fail(
            path,
            f"the header needs {header.points} × {header.vectors} values of {header.element} bytes, "
            f"{_HEADER_SIZE + header.n_bytes:,} bytes with the header; the file has {len(content):,}. "
            "It is truncated, copy it again.",
        )
    return content[_HEADER_SIZE : _HEADER_SIZE + header.n_bytes]


def _unpack(path: Path, header: _Header, content: bytes) -> bytes:
    """The values of blocks that are compressed each on its own.

    The type of compression at byte 516 is not to be trusted: files that say LZRW1 there hold zlib. What a
    block is says its own mark.
    """
    if header.n_bytes > _MOST_INFLATED * len(content):
        _fail(
            path,
            f"the header needs {header.points} × {header.vectors} values, which {len(content):,} compressed "
            "bytes cannot hold. The header is damaged or the file truncated.",
        )
    parts, left = [], header.n_bytes
    for number, (block, room) in enumerate(_blocks(path, header, content), start=1):
        size = min(room, left)
        parts.append(_inflate(path, block, number, size))
        left -= size
    return b"".join(parts)


def _blocks(path: Path, header: _Header, content: bytes) -> list[tuple[bytes, int]]:
    """Each block with its mark, and the bytes that it makes; they hold all vectors together."""
    if len(content) < _HEADER_SIZE + _BLOCKS.size:
        _fail(path, "the grid is compressed and ends before the table of its blocks. It is truncated.")
    signature, _, count, each = _BLOCKS.unpack_from(content, _HEADER_SIZE)
    start = _HEADER_SIZE + _BLOCKS.size
    if signature != _SIGNATURE:
        _fail(
            path,
            f"the grid is compressed and the mark of its blocks is {signature:#010x}, "
            f"{_SIGNATURE:#010x} was expected. The file is damaged.",
        )
    if count < 1 or each < 1 or count * each < header.vectors or start + 12 * count > len(content):
        _fail(
            path,
            f"the table has {count} blocks of {each} vectors for the {header.vectors} vectors of the header, "
            f"in a file of {len(content):,} bytes. It is damaged or truncated.",
        )
    offsets = np.frombuffer(content, "<i8", count, start).tolist()
    sizes = np.frombuffer(content, "<i4", count, start + 8 * count).tolist()
    needed = -(-header.vectors // each)
    blocks = []
    for number, (offset, size) in enumerate(zip(offsets[:needed], sizes, strict=False), start=1):
        if offset < start or size < 16 or offset + size > len(content):
            _fail(
                path,
                f"block {number} of {count} lies at byte {offset:,} with {size:,} bytes, "
                f"the file has {len(content):,}. It is truncated or damaged.",
            )
        blocks.append((content[offset : offset + size], each * header.points * header.element))
    return blocks


def _inflate(path: Path, block: bytes, number: int, size: int) -> bytes:
    mark, kind = block[:8], int.from_bytes(block[8:12], "little")
    if mark == _BLOCK_MARK and kind == 1:
        _fail(
            path,
            f"block {number} is compressed with LZRW1 ('fast'), which is not read. Save the grid in Oasis "
            "montaj without compression or with compression for size.",
        )
    if mark != _BLOCK_MARK or kind != 2:
        _fail(
            path,
            f"block {number} begins with {block[:12].hex(' ')}, which is no known compression. The file is "
            "damaged or too new; save the grid without compression.",
        )
    try:
        data = zlib.decompressobj().decompress(block[16:], size)
    except zlib.error as error:
        _fail(path, f"block {number} cannot be unpacked ({error}). Copy the file again.")
    if len(data) < size:
        _fail(path, f"block {number} unpacks to {len(data):,} bytes, {size:,} are needed. It is truncated.")
    return data


def _values(header: _Header, stored: Array, dummy: int | None) -> tuple[Array, tuple[str, ...]]:
    """Values with dummies as NaN, and what was done to them."""
    if dummy is None:
        with np.errstate(invalid="ignore"):
            missing = ~(np.abs(stored) < -_DUMMY_BELOW)
        values = stored.astype(stored.dtype.newbyteorder("="))
    else:
        missing = stored == dummy
        values = stored.astype(np.float32 if stored.itemsize < 4 else np.float64)
    notes: list[str] = []
    if header.base != 0 or header.factor != 1:
        # the sentinel itself must not be scaled: it may overflow
        values = np.where(missing, 0, values).astype(np.float64)
        with np.errstate(over="ignore"):
            values = values / header.factor + header.base
        notes.append(f"values are stored / {header.factor:g} + {header.base:g}, as the header says.")
    values[missing | ~np.isfinite(values)] = np.nan
    return values, tuple(notes)


def _crs(path: Path) -> tuple[str, tuple[str, ...]]:
    """Name of the coordinate system in a file beside the grid, and a sentence where it is from."""
    plain = path.name[:-3] if path.name.lower().endswith(".gz") else path.name
    for suffix, pattern in _NAMES:
        for beside in (path.with_name(plain + suffix), path.with_name(plain + suffix.upper())):
            found = re.search(pattern, _sidecar(beside))
            if found is not None:
                kind, word = next((k, w) for k, w in found.groupdict().items() if w is not None)
                name = word.decode("utf-8", errors="replace").strip()
                name = f"EPSG:{name}" if kind == "epsg" else name
                if name and name.isprintable():
                    return name, (f"the coordinate system is from {beside.name!r}.",)
    return "", ()


# the .gi is binary: a name ended by 0 follows the letters JPI and a number
_NAMES = (
    (".xml", rb'<projection\b[^>]*?\bwellknown_epsg="(?P<epsg>\d{3,6})"'),
    (".xml", rb'<projection\b[^>]*?\bname="(?P<name>[^"]{1,100})"'),
    (".gi", rb"(?s) JPI\x01\0\0\0(?P<name>[^\0]{1,100})\0"),
)


def _sidecar(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_SIDECAR)
    except OSError:
        return b""
