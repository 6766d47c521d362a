"""VTK's XML files (.vtp .vti .vtr .vts .vtu): ascii, base64 and raw arrays, compressed or not."""

from __future__ import annotations

import base64
import binascii
import lzma
import zlib
from pathlib import Path
from typing import NoReturn
from xml.etree import ElementTree

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.geometry import Array
from mpm3d.io.vtk.dataset import Dataset, budget, claimed

Element = ElementTree.Element
KINDS = ("PolyData", "ImageData", "RectilinearGrid", "StructuredGrid", "UnstructuredGrid")
_TYPES = {
    "Int8": "i1", "UInt8": "u1", "Int16": "i2", "UInt16": "u2", "Int32": "i4", "UInt32": "u4",
    "Int64": "i8", "UInt64": "u8", "Float32": "f4", "Float64": "f8", "String": "u1",
}  # fmt: skip


def read_xml(path: Path, content: bytes) -> Dataset:
    """Read the dataset of a VTK XML file.

    Raises
    ------
    FormatError
        If it is damaged, of a kind that is not read, or in pieces that would have to be put together.
    """
    return _File(path, content).dataset()


class _File:
    def __init__(self, path: Path, content: bytes) -> None:
        self.path = path
        cut = content.find(b"<AppendedData")
        header = content if cut < 0 else content[:cut] + b"</VTKFile>"
        if b"<!DOCTYPE" in header:
            self.fail("a DOCTYPE has no place in a VTK file.")
        try:
            self.root = ElementTree.fromstring(header)
        except (ElementTree.ParseError, ValueError, LookupError) as error:
            line = getattr(error, "position", (None,))[0]
            raise FormatError(path, f"the XML is damaged or truncated ({error}).", line) from error
        self.compressor = self.root.get("compressor", "")
        self.budget = budget(content, packed=bool(self.compressor))
        self.size = len(content)
        order = ">" if self.root.get("byte_order", "LittleEndian") == "BigEndian" else "<"
        self.order = order
        self.header = np.dtype(order + ("u8" if self.root.get("header_type") == "UInt64" else "u4"))
        self.appended, self.raw = self._appended(content, cut)

    def fail(self, reason: str) -> NoReturn:
        raise FormatError(self.path, reason)

    def _appended(self, content: bytes, cut: int) -> tuple[bytes, bool]:
        if cut < 0:
            return b"", False
        opening = content.find(b">", cut)
        start = content.find(b"_", opening)
        if opening < 0 or start < 0:
            self.fail("the appended data are missing, the file may be truncated.")
        return content[start + 1 :], b"raw" in content[cut:opening]

    def dataset(self) -> Dataset:
        kind = self.root.get("type", "")
        body = self.root.find(kind) if kind in KINDS else None
        if self.root.tag != "VTKFile" or body is None:
            self._refuse(kind)
        found = Dataset(self.path, kind)
        fields = body.find("FieldData")
        found.field_data = {} if fields is None else self._arrays(found, fields, None)
        pieces = body.findall("Piece")
        if kind in ("PolyData", "UnstructuredGrid"):
            self._meshes(found, pieces)
        else:
            self._lattice(found, body, pieces)
        found.check()
        return found

    def _refuse(self, kind: str) -> NoReturn:
        files = [
            name for element in self.root.iter() if (name := element.get("file") or element.get("Source"))
        ]
        if files:
            self.fail(
                f"a {kind} only lists other files ({', '.join(files[:5])}{', ...' * (len(files) > 5)}). "
                "Read these one by one."
            )
        self.fail(f"VTK's {kind[:40]!r} is not read, {', '.join(KINDS)} are. Save it as one of these.")

    def _meshes(self, found: Dataset, pieces: list[Element]) -> None:
        parts = [self._mesh(found.kind, piece) for piece in pieces]
        names = ("Verts", "Lines", "Strips", "Polys") if found.kind == "PolyData" else ("Cells",)
        found.notes += [note for part in parts for note in part.notes]
        found.points = np.concatenate([np.empty((0, 3)), *(part.points for part in parts)])
        found.n_points, found.n_cells = len(found.points), sum(part.n_cells for part in parts)
        found.types = np.concatenate([np.empty(0, np.int64), *(part.types for part in parts)])
        first = np.cumsum([0, *(part.n_points for part in parts)])
        for name in names:
            links, ends, start = [np.empty(0, np.int64)], [np.zeros(1, np.int64)], 0
            for part, shift in zip(parts, first, strict=False):
                connectivity, offsets = part.cells[name]
                links.append(connectivity + shift)
                ends.append(offsets[1:] + start)
                start += len(connectivity)
            found.cells[name] = np.concatenate(links), np.concatenate(ends)
        if found.kind == "PolyData" and len(parts) > 1:
            lost = {name for part in parts for name in part.cell_data}
            found.notes += (
                [f"cell data of a file in pieces were left out: {', '.join(sorted(lost))}."] if lost else []
            )
        else:
            found.cell_data = _joined([part.cell_data for part in parts])
        found.point_data = _joined([part.point_data for part in parts])

    def _mesh(self, kind: str, piece: Element) -> Dataset:
        part = Dataset(self.path, kind)
        part.n_points = self._count(piece, "NumberOfPoints")
        part.points = self._points(part, piece)
        names = ("Verts", "Lines", "Strips", "Polys") if kind == "PolyData" else ("Cells",)
        for name in names:
            count = self._count(piece, f"NumberOf{name}")
            part.cells[name], more = self._cells(part, piece.find(name), count, name)
            part.n_cells += count
            if kind == "UnstructuredGrid":
                part.types = more.get("types", np.empty(0)).astype(np.int64)
                if len(part.types) != count:
                    self.fail(f"there are {len(part.types)} types of {count} cells. The file is damaged.")
        self._data(part, piece)
        part.check()
        return part

    def _cells(
        self, part: Dataset, element: Element | None, count: int, name: str
    ) -> tuple[tuple[Array, Array], dict[str, Array]]:
        arrays = {} if element is None else self._arrays(part, element, None)
        connectivity = arrays.get("connectivity", np.empty(0)).astype(np.int64)
        ends = arrays.get("offsets", np.empty(0)).astype(np.int64)
        if len(ends) == count + 1 and count and ends[0] == 0:  # VTK HDF and newer writers count from 0
            ends = ends[1:]
        if len(ends) != count:
            self.fail(f"{name} has {len(ends)} offsets for {count} cells. The file may be damaged.")
        return (connectivity, np.concatenate([np.zeros(1, np.int64), ends])), arrays

    def _lattice(self, found: Dataset, body: Element, pieces: list[Element]) -> None:
        if len(pieces) != 1:
            self.fail(f"the grid is in {len(pieces)} pieces, one is needed. Save it as one file.")
        piece = pieces[0]
        found.set_extent(tuple(int(v) for v in self._numbers(piece.get("Extent"), 6, "Extent")), self.size)
        if found.kind == "ImageData":
            found.origin = self._numbers(body.get("Origin", "0 0 0"), 3, "Origin")
            found.spacing = self._numbers(body.get("Spacing", "1 1 1"), 3, "Spacing")
            direction = self._numbers(body.get("Direction", "1 0 0 0 1 0 0 0 1"), 9, "Direction")
            found.direction = direction.reshape(3, 3)
        elif found.kind == "RectilinearGrid":
            element = piece.find("Coordinates")
            arrays = [] if element is None else list(element)
            lines = [self._array(found, array, n) for array, n in zip(arrays, found.dimensions, strict=False)]
            if len(lines) != 3 or any(
                len(line) != n for line, n in zip(lines, found.dimensions, strict=True)
            ):
                self.fail("the coordinates along x, y and z do not fit the extent. The file may be damaged.")
            found.coordinates = tuple(line.astype(float).reshape(-1) for line in lines)
        else:
            found.points = self._points(found, piece)
        self._data(found, piece)

    def _numbers(self, text: str | None, count: int, what: str) -> Array:
        try:
            numbers = np.array([float(word) for word in (text or "").split()])
        except ValueError:
            numbers = np.empty(0)
        if len(numbers) != count or not np.isfinite(numbers).all():
            self.fail(f"{what}={text!r} should be {count} finite numbers. The header is damaged.")
        return numbers

    def _count(self, piece: Element, name: str) -> int:
        return claimed(self.path, piece.get(name), name, self.budget)

    def _points(self, part: Dataset, piece: Element) -> Array:
        element = piece.find("Points")
        array = None if element is None else element.find("DataArray")
        if array is None:
            if part.n_points:
                self.fail(f"{part.n_points} points are announced and none are there.")
            return np.empty((0, 3))
        values = self._array(part, array, part.n_points)
        if values.shape != (part.n_points, 3) or values.dtype.kind not in "fiu":
            self.fail(f"{part.n_points} points x, y, z are announced, {values.shape} numbers are there.")
        return values.astype(float)

    def _data(self, part: Dataset, piece: Element) -> None:
        for tag, count, arrays in (
            ("PointData", part.n_points, part.point_data), ("CellData", part.n_cells, part.cell_data)
        ):  # fmt: skip
            element = piece.find(tag)
            if element is not None:
                arrays |= self._arrays(part, element, count)

    def _arrays(self, part: Dataset, parent: Element, count: int | None) -> dict[str, Array]:
        arrays: dict[str, Array] = {}
        for number, element in enumerate(parent):
            name = element.get("Name", f"array {number + 1}")
            if element.get("type") not in _TYPES:
                part.notes.append(f"{name!r} of the type {element.get('type')} was left out.")
                continue
            arrays[name] = self._array(part, element, count)
        return arrays

    def _array(self, part: Dataset, element: Element, count: int | None) -> Array:
        """Values ``(n,)`` or ``(n, components)`` of one array."""
        name, kind = element.get("Name", ""), element.get("type", "")
        if kind not in _TYPES:
            self.fail(f"the array {name!r} is of the type {kind!r}, known are {', '.join(_TYPES)}.")
        width = claimed(self.path, element.get("NumberOfComponents", "1"), "NumberOfComponents", 1000)
        values = self._values(element, np.dtype(self.order + _TYPES[kind]))
        if kind == "String":
            words = values.tobytes().split(b"\0")[:-1] if len(values) else []
            return np.array([word.decode("utf-8", errors="replace") for word in words], dtype=object)
        if width < 1 or len(values) % width:
            self.fail(f"the array {name!r} has {len(values)} numbers, {width} for each place are announced.")
        if count is not None and len(values) != count * width:
            self.fail(
                f"the array {name!r} has {len(values)} numbers, {count} places of {width} need "
                f"{count * width}. The file may be truncated."
            )
        return values if width == 1 else values.reshape(-1, width)

    def _values(self, element: Element, dtype: np.dtype[np.generic]) -> Array:
        how = element.get("format", "ascii")
        native = dtype.newbyteorder("=")
        if how == "ascii":
            words = (element.text or "").split()
            try:
                return np.array(words, dtype="f8" if dtype.kind == "f" else "i8").astype(native)
            except (ValueError, OverflowError) as error:
                self.fail(f"the array {element.get('Name')!r} has a value that is no number ({error}).")
        if how == "binary":
            content = self._stream((element.text or "").strip().encode("ascii", errors="replace"), text=True)
        elif how == "appended":
            start = claimed(self.path, element.get("offset"), "offset", len(self.appended))
            content = self._stream(self.appended[start:], text=not self.raw)
        else:
            self.fail(f"the format {how!r} of an array is not known.")
        if len(content) % dtype.itemsize:
            self.fail(f"the array {element.get('Name')!r} ends within a number. The file may be truncated.")
        return np.frombuffer(content, dtype).astype(native)

    def _stream(self, source: bytes, *, text: bool) -> bytes:
        """Bytes of an array: a header of sizes, and the values, in base64 or raw."""
        word = self.header.itemsize
        if not self.compressor:
            length = int(self._take(source, 0, word, text=text)[0])
            skip = _encoded(word) if text else word
            if text and not source[:skip].endswith(b"="):  # header and values encoded in one go
                return self._decode(source, 0, word + length, text=True)[word:]
            return self._decode(source, skip, length, text=text)
        blocks = int(self._take(source, 0, word, text=text)[0])
        if blocks * word > len(source):
            self.fail(f"an array claims {blocks} compressed blocks. The file is damaged or truncated.")
        sizes = self._take(source, 0, (3 + blocks) * word, text=text)
        skip = _encoded((3 + blocks) * word) if text else (3 + blocks) * word
        whole, last = int(sizes[1]), int(sizes[2])
        packed = [int(size) for size in sizes[3:]]
        if whole * blocks > self.budget or last > whole:
            self.fail(f"an array claims {blocks} blocks of {whole} bytes. The file is damaged.")
        content = self._decode(source, skip, sum(packed), text=text)
        parts, start = [], 0
        for number, size in enumerate(packed):
            target = last if last and number == blocks - 1 else whole
            parts.append(self._unpack(content[start : start + size], target))
            start += size
        return b"".join(parts)

    def _take(self, source: bytes, start: int, size: int, *, text: bool) -> Array:
        return np.frombuffer(self._decode(source, start, size, text=text), self.header)

    def _decode(self, source: bytes, start: int, size: int, *, text: bool) -> bytes:
        needed = _encoded(size) if text else size
        piece = source[start : start + needed] if needed <= len(source) else b""
        try:
            content = base64.b64decode(piece, validate=True)[:size] if text else piece
        except binascii.Error:
            content = b""
        if len(content) != size:
            self.fail(f"an array needs {size} bytes that are not there. The file may be truncated.")
        return content

    def _unpack(self, packed: bytes, size: int) -> bytes:
        try:
            if self.compressor == "vtkZLibDataCompressor":
                content = zlib.decompressobj().decompress(packed, size) if size else b""
            elif self.compressor == "vtkLZMADataCompressor":
                content = lzma.LZMADecompressor().decompress(packed, size) if size else b""
            elif self.compressor == "vtkLZ4DataCompressor":
                content = _lz4(packed, size)
            else:
                self.fail(f"the compression {self.compressor!r} is not known. Save the file without.")
        except (zlib.error, lzma.LZMAError, EOFError) as error:
            self.fail(f"compressed values are damaged ({error}).")
        if len(content) != size:
            self.fail("compressed values are shorter than announced. The file is damaged.")
        return content


def _encoded(size: int) -> int:
    """Letters of base64 for so many bytes."""
    return -(-size // 3) * 4


def _lz4(packed: bytes, size: int) -> bytes:
    """Unpack one LZ4 block: literals, then copies of what came before; short if it is damaged.

    https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md
    """
    content, at = bytearray(), 0
    while at < len(packed) and len(content) < size:
        token, at = packed[at], at + 1
        count, at = _lz4_length(packed, at, token >> 4)
        content += packed[at : at + count]
        at += count
        if at + 2 > len(packed):
            break
        back = int.from_bytes(packed[at : at + 2], "little")
        count, at = _lz4_length(packed, at + 2, token & 15)
        count = min(count + 4, size - len(content))
        if not 0 < back <= len(content) or count <= 0:
            break
        piece = content[len(content) - back :][:count]
        content += (piece * (count // len(piece) + 1))[:count]  # a copy may run into itself
    return bytes(content)


def _lz4_length(packed: bytes, at: int, count: int) -> tuple[int, int]:
    """A length that goes on in the next bytes if it begins with 15."""
    more = 255 if count == 15 else 0
    while more == 255 and at < len(packed):
        more = packed[at]
        count, at = count + more, at + 1
    return count, at


def _joined(parts: list[dict[str, Array]]) -> dict[str, Array]:
    """Arrays that all pieces have, one after the other."""
    if len(parts) == 1:
        return parts[0]
    names = [n for n in (parts[0] if parts else {}) if all(n in part for part in parts)]
    same = [n for n in names if len({(part[n].shape[1:], part[n].dtype.kind) for part in parts}) == 1]
    return {name: np.concatenate([part[name] for part in parts]) for name in same}
