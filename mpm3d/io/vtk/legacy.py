"""VTK's legacy files (.vtk), ASCII and BINARY, versions 1 to 5.1."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.geometry import Array
from mpm3d.io.vtk.dataset import Dataset, budget, claimed

_KINDS = {
    "STRUCTURED_POINTS": "ImageData", "STRUCTURED_GRID": "StructuredGrid", "POLYDATA": "PolyData",
    "RECTILINEAR_GRID": "RectilinearGrid", "UNSTRUCTURED_GRID": "UnstructuredGrid",
}  # fmt: skip
_TYPES = {
    "char": "i1", "signed_char": "i1", "unsigned_char": "u1", "short": "i2", "unsigned_short": "u2",
    "int": "i4", "unsigned_int": "u4", "long": "i8", "unsigned_long": "u8", "float": "f4", "double": "f8",
    "vtkidtype": "i4", "vtktypeint8": "i1", "vtktypeuint8": "u1", "vtktypeint16": "i2",
    "vtktypeuint16": "u2", "vtktypeint32": "i4", "vtktypeuint32": "u4", "vtktypeint64": "i8",
    "vtktypeuint64": "u8", "vtktypefloat32": "f4", "vtktypefloat64": "f8",
}  # fmt: skip
_CELLS = {
    "VERTICES": "Verts", "LINES": "Lines", "POLYGONS": "Polys", "TRIANGLE_STRIPS": "Strips", "CELLS": "Cells",
}  # fmt: skip
# number of components of attributes that do not say it
_WIDTHS = {"VECTORS": 3, "NORMALS": 3, "TENSORS": 9, "TENSORS6": 6, "GLOBAL_IDS": 1, "PEDIGREE_IDS": 1}
_WORD = re.compile(rb"\s*(\S{1,4096})")


def read_legacy(path: Path, content: bytes) -> Dataset:
    """Read the dataset of a legacy VTK file.

    Raises
    ------
    FormatError
        If it is damaged, truncated or of a kind that is not read.
    """
    return _File(path, content).dataset()


class _File:
    def __init__(self, path: Path, content: bytes) -> None:
        self.path, self.content, self.at = path, content, 0
        self.budget = budget(content, packed=False)
        first, title, how = self._line(), self._line(), self._line()
        if not first.startswith(b"# vtk DataFile Version") or how.strip() not in (b"ASCII", b"BINARY"):
            self.fail(f"line 3 is {how[:20]!r}, ASCII or BINARY is needed. The header may be damaged.")
        self.title = title.decode("utf-8", errors="replace").strip()
        self.binary = how.strip() == b"BINARY"

    def fail(self, reason: str) -> NoReturn:
        line = self.content.count(b"\n", 0, self.at) + 1
        raise FormatError(self.path, reason, None if getattr(self, "binary", False) else line)

    def _line(self) -> bytes:
        end = self.content.find(b"\n", self.at)
        end = len(self.content) if end < 0 else end
        line, self.at = self.content[self.at : end], end + 1
        return line

    def word(self) -> str:
        """Next word, empty at the end of the file."""
        match = _WORD.match(self.content, self.at)
        if match is None:
            self.at = len(self.content)
            return ""
        self.at = match.end()
        return match[1].decode("utf-8", errors="replace")

    def peek(self) -> str:
        at, found = self.at, self.word()
        self.at = at
        return found

    def count(self, what: str) -> int:
        return claimed(self.path, self.word(), what, self.budget)

    def dataset(self) -> Dataset:
        found = Dataset(self.path, "")
        place, arrays = "", found.field_data
        while word := self.word().upper():
            if word == "DATASET":
                kind = self.word().upper()
                if kind not in _KINDS:
                    self.fail(f"a dataset {kind[:40]!r} is not read, {', '.join(_KINDS)} are.")
                found.kind = _KINDS[kind]
            elif word in ("POINT_DATA", "CELL_DATA"):
                place, arrays = word, found.point_data if word == "POINT_DATA" else found.cell_data
                n = self.count(word)
                if n != (expected := found.n_points if word == "POINT_DATA" else self._cells_of(found)):
                    self.fail(f"{word} is for {n} places and there are {expected}.")
            elif word == "METADATA":
                self._metadata()
            elif place and word != "FIELD":
                n = found.n_points if place == "POINT_DATA" else self._cells_of(found)
                self._attribute(found, word, n, arrays)
            elif word == "FIELD":
                self._field(found, arrays)
            else:
                self._geometry(found, word)
        if not found.kind:
            self.fail("no DATASET was found. The file may be truncated.")
        return self._finish(found)

    def _cells_of(self, found: Dataset) -> int:
        if found.kind in ("PolyData", "UnstructuredGrid"):
            return sum(len(offsets) - 1 for _, offsets in found.cells.values())
        return found.n_cells

    def _finish(self, found: Dataset) -> Dataset:
        found.n_cells = self._cells_of(found)
        names = {"PolyData": ("Verts", "Lines", "Strips", "Polys"), "UnstructuredGrid": ("Cells",)}
        for name in names.get(found.kind, ()):
            found.cells.setdefault(name, (np.empty(0, np.int64), np.zeros(1, np.int64)))
        if found.kind == "UnstructuredGrid" and len(found.types) != found.n_cells:
            self.fail(
                f"there are {len(found.types)} types of {found.n_cells} cells. The file may be truncated."
            )
        if found.kind == "StructuredGrid" and len(found.points) != found.n_points:
            self.fail(f"there are {len(found.points)} points, the dimensions make {found.n_points}.")
        lines = tuple(len(line) for line in found.coordinates)
        if found.kind == "RectilinearGrid" and lines != found.dimensions:
            self.fail(f"the coordinates are {lines} numbers, the dimensions {found.dimensions}.")
        if self.title and self.title not in ("vtk output", "VTK output"):
            found.field_data.setdefault("name", np.array([self.title], dtype=object))
        found.check()
        return found

    def _geometry(self, found: Dataset, word: str) -> None:
        if word == "DIMENSIONS":
            counts = [claimed(self.path, self.word(), word, 1_000_000) for _ in range(3)]
            found.set_extent((0, counts[0] - 1, 0, counts[1] - 1, 0, counts[2] - 1), len(self.content))
        elif word == "EXTENT":
            found.set_extent(tuple(int(v) for v in self._numbers(6, word)), len(self.content))
        elif word == "ORIGIN":
            found.origin = self._numbers(3, word)
        elif word in ("SPACING", "ASPECT_RATIO"):
            found.spacing = self._numbers(3, word)
        elif word == "POINTS":
            n = self.count(word)
            found.points = self._values(self.word(), 3 * n, "POINTS").astype(float).reshape(-1, 3)
            found.n_points = found.n_points if found.kind == "StructuredGrid" else n
        elif word in ("X_COORDINATES", "Y_COORDINATES", "Z_COORDINATES"):
            n = self.count(word)
            found.coordinates += (self._values(self.word(), n, word).astype(float),)
        elif word in _CELLS:
            found.cells[_CELLS[word]] = self._cells(word)
        elif word == "CELL_TYPES":
            found.types = self._values("int", self.count(word), word).astype(np.int64)
        else:
            self.fail(f"the word {word[:40]!r} is not known here. The file may be damaged.")

    def _numbers(self, count: int, what: str) -> Array:
        words = [self.word() for _ in range(count)]
        try:
            numbers = np.array([float(word) for word in words])
        except ValueError:
            numbers = np.array([np.nan])
        if not np.isfinite(numbers).all():
            self.fail(f"{what} {' '.join(words)[:60]!r} should be {count} numbers.")
        return numbers

    def _cells(self, what: str) -> tuple[Array, Array]:
        n, size = self.count(what), self.count(what)
        if self.peek().upper() == "OFFSETS":  # version 5: offsets, then point numbers
            self.word()
            offsets = self._values(self.word(), n, "OFFSETS").astype(np.int64)
            self._expect("CONNECTIVITY")
            connectivity = self._values(self.word(), size, "CONNECTIVITY").astype(np.int64)
            return connectivity, offsets if n else np.zeros(1, np.int64)
        both = self._values("int", size, what).astype(np.int64)
        starts, at = [], 0
        for _ in range(n):  # each cell: how many points, and their numbers
            if at >= size or not 0 <= both[at] <= size - at - 1:
                self.fail(f"{what}: a cell goes on beyond the {size} numbers that are announced.")
            starts.append(at)
            at += int(both[at]) + 1
        if at != size:
            self.fail(f"{what}: {n} cells take {at} numbers, {size} are announced.")
        head = np.array(starts, dtype=np.int64)
        keep = np.ones(size, dtype=bool)
        keep[head] = False
        return both[keep], np.concatenate([[0], np.cumsum(both[head])]).astype(np.int64)

    def _expect(self, word: str) -> None:
        found = self.word()
        if found.upper() != word:
            self.fail(f"{word} is expected and {found[:40]!r} is there. The file is damaged.")

    def _attribute(self, found: Dataset, word: str, n: int, arrays: dict[str, Array]) -> None:
        """One array of values at the points or cells."""
        if word == "LOOKUP_TABLE":
            self.word()
            self._values("unsigned_char" if self.binary else "float", 4 * self.count(word), word)
            return
        name = unquote(self.word())
        if word == "SCALARS":
            kind, width = self.word(), 1
            if self.peek().isdigit():
                width = claimed(self.path, self.word(), "components", 1000)
            if self.peek().upper() == "LOOKUP_TABLE":
                self.word()
                self.word()
        elif word == "COLOR_SCALARS":
            width = claimed(self.path, self.word(), "components", 1000)
            kind = "unsigned_char" if self.binary else "float"
        elif word == "TEXTURE_COORDINATES":
            width, kind = claimed(self.path, self.word(), "components", 1000), self.word()
        elif word in _WIDTHS:
            width, kind = _WIDTHS[word], self.word()
        else:
            self.fail(f"the word {word[:40]!r} is not known here. The file may be damaged or truncated.")
        self._keep(found, arrays, name, self._values(kind, n * width, name), width)

    def _field(self, found: Dataset, arrays: dict[str, Array]) -> None:
        self.word()
        for _ in range(self.count("FIELD")):
            name = unquote(self.word())
            if name.upper() == "METADATA":
                self._metadata()
                name = unquote(self.word())
            width = claimed(self.path, self.word(), "components", 100_000)
            n, kind = self.count(name), self.word()
            if n * width > self.budget:
                self.fail(f"the array {name!r} claims {n} × {width} values, more than the file can hold.")
            if kind.lower() == "string":
                arrays[name] = np.array([self._text() for _ in range(n * width)], dtype=object)
            else:
                self._keep(found, arrays, name, self._values(kind, n * width, name), width)
        if self.peek().upper() == "METADATA":
            self.word()
            self._metadata()

    def _keep(self, found: Dataset, arrays: dict[str, Array], name: str, values: Array, width: int) -> None:
        if width < 1:
            self.fail(f"the array {name!r} has no component.")
        arrays[name] = values if width == 1 else values.reshape(-1, width)

    def _text(self) -> str:
        if not self.binary:
            return unquote(self._line_after_break().decode("utf-8", errors="replace").strip())
        if self.content[self.at : self.at + 1] == b"\n":
            self.at += 1
        # the first two bits tell how many bytes the length takes
        first = self.content[self.at] if self.at < len(self.content) else 0
        size = {3: 1, 2: 2, 1: 4, 0: 8}[first >> 6]
        raw = self.content[self.at : self.at + size]
        length = int.from_bytes(raw, "big") & ((1 << (8 * size - 2)) - 1)
        start = self.at + size
        if start + length > len(self.content):
            self.fail("a text goes on beyond the end of the file, it may be truncated.")
        self.at = start + length
        return self.content[start : self.at].decode("utf-8", errors="replace")

    def _line_after_break(self) -> bytes:
        line = self._line()
        return line if line.strip() or self.at >= len(self.content) else self._line()

    def _values(self, kind: str, count: int, what: str) -> Array:
        dtype = _TYPES.get(kind.lower())
        if dtype is None:
            self.fail(f"{what[:40]!r} is of the type {kind[:40]!r}, known are {', '.join(_TYPES)}.")
        if not self.binary:
            return self._ascii(dtype, count, what)
        if count and self.content[self.at : self.at + 1] == b"\r":
            self.at += 1
        start = self.at + 1  # the end of the line of the header
        size = count * np.dtype(dtype).itemsize
        if start + size > len(self.content) and size:
            self.fail(f"{what[:40]!r} needs {size} bytes that are not there. The file may be truncated.")
        values = np.frombuffer(self.content[start : start + size], ">" + dtype)
        self.at = start + size
        return values.astype(dtype)

    def _ascii(self, dtype: str, count: int, what: str) -> Array:
        rest = self.content[self.at :]
        words = rest.split(None, count) if count else [rest]
        if len(words) < count:
            self.fail(
                f"{what[:40]!r} needs {count} numbers, {len(words)} are there. The file may be truncated."
            )
        try:
            values = np.array(words[:count], dtype="f8" if dtype[0] == "f" else "i8")
        except (ValueError, OverflowError) as error:
            self.fail(f"{what[:40]!r} has a value that is no number ({error}).")
        self.at = len(self.content) - (len(words[count]) if len(words) > count else 0)
        return values.astype(dtype)

    def _metadata(self) -> None:
        """Names of components and the like, up to an empty line."""
        self._line()
        while self.at < len(self.content) and self._line().strip():
            pass
