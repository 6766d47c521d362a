"""Leapfrog meshes (.msh): a text index and binary arrays, by what is known of files that Leapfrog writes."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.geometry import Array, Surface
from mpm3d.grid import FloatArray
from mpm3d.io.files import read_bytes, replacing, stem_of
from mpm3d.io.options import Options

_MARK = re.compile(rb"%+ARANZ-(\d+\.\d+)[ \t]*\r?\n")
_TYPES = {
    "Double": "f8", "Float": "f4", "Single": "f4", "Integer": "i4", "Long": "i8", "Short": "i2", "Byte": "u1",
}  # fmt: skip
_ENTRY = re.compile(r"(\S+)\s+(\S+)\s+([1-9]\d{0,8})\s+(\d{1,18})\s*;?")
# A whole number and a floating point one whose bytes tell the byte order.
_ORDER = struct.Struct("<id")
_ORDER_VALUES = (0x00F00FFF, 1.23456789)
# coordinates of this size are damage
_LARGEST = 1e15


@dataclass(frozen=True)
class _Entry:
    """One array of the index: what it is called, its type and size, and the line of the text."""

    name: str
    type: str
    components: int
    count: int
    line: int

    @property
    def n_bytes(self) -> int | None:
        """Its length, None if the type is not known."""
        if self.type not in _TYPES:
            return None
        return np.dtype(_TYPES[self.type]).itemsize * self.components * self.count


def matches(path: Path, head: bytes) -> bool:
    """Whether the first bytes are the mark of a Leapfrog mesh."""
    return _MARK.match(head) is not None


def read_bodies(path: Path, options: Options) -> list[Surface]:
    """The mesh of a file; see `read_mesh`."""
    return [read_mesh(path, errors=options.errors)]


def read_mesh(path: str | Path, *, errors: str = "strict") -> Surface:
    """Read a mesh as Leapfrog exports it.

    The index names the arrays in the order of the file, such as ``Location Double 3 16615;`` and
    ``Tri Integer 3 33222;``. The values begin right after ``[binary]`` with 12 bytes that tell the byte
    order: the whole number 0x00F00FFF and the floating point number 1.23456789. Triangles count from 0.

    Parameters
    ----------
    path : str or Path
        The ``.msh`` file, gzipped or not.
    errors : {"strict", "skip"}
        ``"skip"`` leaves out triangles that refer to no vertex and vertices that are not finite.

    Returns
    -------
    Surface
        Named like the file. Further arrays with as many rows as there are vertices or triangles are kept as
        properties of them; the file has no coordinate system and no units.

    Raises
    ------
    FormatError
        If it is no such file, an array is missing, of an unknown type, longer than the file, or a triangle or
        vertex is wrong.
    """
    path = Path(path)
    Options(errors=errors)  # refuses what is no choice
    if not path.exists():
        raise FileNotFoundError(f"there is no file {str(path)!r}.")
    content = read_bytes(path)
    entries, start = _index(path, content)
    order, start = _byte_order(path, content, start)
    arrays, notes = _arrays(path, content, entries, start, order)
    vertices = _needed(path, arrays, "Location", "f")
    triangles = _needed(path, arrays, "Tri", "i").astype(np.int64)
    triangles, keep, more = _known(path, triangles, len(vertices), errors)
    vertex, cell, last = _properties(arrays, len(vertices), len(keep))
    surface = Surface(
        stem_of(path), vertices.astype(np.float64), triangles, properties=vertex,
        cell_properties={name: values[keep] for name, values in cell.items()},
        kind="Leapfrog mesh", notes=(*notes, *more, *last),
    )  # fmt: skip
    return _finite(path, surface, errors)


def _fail(path: Path, reason: str, line: int | None = None) -> NoReturn:
    raise FormatError(path, reason, line)


def _index(path: Path, content: bytes) -> tuple[list[_Entry], int]:
    """The arrays of the file in their order, and the byte after ``[binary]``."""
    if _MARK.match(content) is None:
        _fail(path, "the file does not begin with %ARANZ-1.0, so it is no Leapfrog mesh.", 1)
    end = content.find(b"[binary]")
    if end < 0:
        _fail(path, "there is no [binary] after the index. The file is truncated.")
    lines = content[:end].decode("latin-1").split("\n")
    words = [line.strip() for line in lines]
    if "[index]" not in words:
        _fail(path, "there is no [index] of arrays before [binary].")
    entries = []
    for number, text in enumerate(words[words.index("[index]") + 1 :], start=words.index("[index]") + 2):
        if text:
            entries.append(_entry(path, text, number))
    names = [entry.name for entry in entries]
    for entry in entries:
        if names.count(entry.name) > 1:
            _fail(path, f"the array {entry.name!r} is in the index more than once.", entry.line)
    return entries, end + len(b"[binary]")


def _entry(path: Path, text: str, number: int) -> _Entry:
    found = _ENTRY.fullmatch(text)
    if found is None:
        _fail(path, f"{text[:60]!r} is no array of the index, such as 'Location Double 3 100;'.", number)
    name, kind, components, count = found.groups()
    return _Entry(name, kind, int(components), int(count), number)


def _byte_order(path: Path, content: bytes, start: int) -> tuple[str, int]:
    """``"<"`` or ``">"``, and the first byte of the arrays; some writers end the line of ``[binary]``."""
    found = content[start : start + _ORDER.size]
    for order in "<>":
        mark = struct.pack(f"{order}id", *_ORDER_VALUES)
        for gap in (b"", b"\n", b"\r\n"):
            if content[start : start + len(gap) + len(mark)] == gap + mark:
                return order, start + len(gap) + len(mark)
    _fail(
        path,
        f"the bytes after [binary] are {found.hex(' ') or 'missing'}, "
        f"{_ORDER.pack(*_ORDER_VALUES).hex(' ')} are expected. The file is truncated, or was changed by a "
        "transfer as text: copy it again in binary mode.",
    )


def _arrays(
    path: Path, content: bytes, entries: list[_Entry], start: int, order: str
) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Arrays ``(rows, components)`` by name; one of an unknown type is skipped, it has what is left."""
    left = len(content) - start
    unknown = [entry for entry in entries if entry.n_bytes is None]
    known = sum(entry.n_bytes or 0 for entry in entries)
    if len(unknown) > 1 or (unknown and known > left):
        entry = unknown[-1]
        _fail(
            path, f"{entry.name!r} is of the type {entry.type!r}, known are {', '.join(_TYPES)}.", entry.line
        )
    if known > left:
        _fail(
            path,
            f"the arrays of the index need {known:,} bytes, {left:,} follow the header. The file is "
            "truncated.",
        )
    arrays, notes = {}, []
    for entry in entries:
        size = left - known if entry.n_bytes is None else entry.n_bytes
        if entry.n_bytes is None:
            notes.append(f"the array {entry.name!r} is of the unknown type {entry.type!r} and was left out.")
        else:
            flat = np.frombuffer(
                content, f"{order}{_TYPES[entry.type]}", entry.components * entry.count, start
            )
            arrays[entry.name] = flat.reshape(entry.count, entry.components)
        start += size
    if start < len(content):
        notes.append(f"{len(content) - start} bytes after the arrays of the index were left out.")
    return arrays, tuple(notes)


def _needed(path: Path, arrays: dict[str, Array], name: str, kind: str) -> Array:
    found = arrays.get(name)
    if found is None or found.dtype.kind != kind or found.shape[1] != 3:
        what = "is missing" if found is None else f"has {found.shape[1]} components of {found.dtype.name}"
        type_name = "floating point" if kind == "f" else "whole"
        _fail(
            path,
            f"the array {name!r} {what}; a mesh needs Location and Tri, 3 {type_name} numbers each in "
            f"{name}. There are: {', '.join(arrays) or 'none'}.",
        )
    return found


def _known(
    path: Path, triangles: Array, n_vertices: int, errors: str
) -> tuple[Array, Array, tuple[str, ...]]:
    """Triangles whose corners exist, which ones these are, and what was left out."""
    keep = np.all((triangles >= 0) & (triangles < n_vertices), axis=1)
    if keep.all():
        return triangles, keep, ()
    if errors == "strict":
        row = int(np.argmin(keep))
        _fail(
            path,
            f"triangle {row} has the corners {triangles[row].tolist()}, there are vertices 0 to "
            f"{n_vertices - 1}. Read with errors='skip' to leave out such triangles.",
        )
    return triangles[keep], keep, (f"{int((~keep).sum())} triangles without vertices were left out.",)


def _finite(path: Path, surface: Surface, errors: str) -> Surface:
    with np.errstate(invalid="ignore"):
        drop = ~np.all(np.abs(surface.vertices) < _LARGEST, axis=1)
    if drop.any() and errors == "strict":
        row = int(np.argmax(drop))
        _fail(
            path,
            f"vertex {row} is at {surface.vertices[row].tolist()}, coordinates must be finite numbers. "
            "Read with errors='skip' to leave such vertices out.",
        )
    return surface.without_vertices(
        drop, f"{int(drop.sum())} vertices without finite coordinates were left out."
    )


def _properties(
    arrays: dict[str, Array], n_vertices: int, n_triangles: int
) -> tuple[dict[str, FloatArray], dict[str, FloatArray], tuple[str, ...]]:
    """Further arrays as values of the vertices or of the triangles."""
    vertex: dict[str, FloatArray] = {}
    cell: dict[str, FloatArray] = {}
    notes = []
    for name, array in arrays.items():
        if name in ("Location", "Tri"):
            continue
        values = array.astype(np.float64)
        values = values[:, 0] if values.shape[1] == 1 else values
        if len(array) == n_vertices:
            vertex[name] = values
            if n_vertices == n_triangles:
                notes.append(
                    f"the array {name!r} was taken for values of the vertices, not of the triangles."
                )
        elif len(array) == n_triangles:
            cell[name] = values
        else:
            notes.append(
                f"the array {name!r} has {len(array)} rows, neither vertices nor triangles, and was left out."
            )
    return vertex, cell, tuple(notes)


def write_mesh(path: str | Path, surface: Surface, *, drop_properties: bool = False) -> None:
    """Write a surface as a mesh that Leapfrog reads.

    Coordinates are written as they are, 64-bit, and come back the same; parts are joined.

    Parameters
    ----------
    path : str or Path
        File to write, ending in ``.msh``.
    surface : Surface
        Vertices and triangles.
    drop_properties : bool
        Whether values and named sets of vertices, for which the format has no place that Leapfrog is known to
        read, may be left out.

    Raises
    ------
    ValueError
        If the surface has values and they may not be dropped, a coordinate is not finite, a triangle refers
        to no vertex, or there are more than 2**31 vertices.
    """
    extra = [*surface.properties, *surface.cell_properties, *surface.regions]
    if extra and not drop_properties:
        raise ValueError(
            f"{surface.name!r} has the values {', '.join(map(repr, extra))}, which a Leapfrog mesh has no "
            "place for. Write GoCAD or VTK to keep them, or use drop_properties=True."
        )
    vertices, triangles = np.asarray(surface.vertices), np.asarray(surface.triangles)
    if not np.isfinite(vertices).all():
        row = int(np.argmin(np.isfinite(vertices).all(axis=1)))
        raise ValueError(f"vertex {row} of {surface.name!r} is at {vertices[row].tolist()}, not finite.")
    if len(triangles) and not 0 <= triangles.min() <= triangles.max() < min(len(vertices), 2**31):
        raise ValueError(
            f"triangles of {surface.name!r} refer to vertices {triangles.min()} to {triangles.max()}, "
            f"there are {len(vertices)} (at most {2**31})."
        )
    sizes = f"Location Double 3 {len(vertices)};\nTri Integer 3 {len(triangles)};"
    head = f"%ARANZ-1.0\n\n[index]\n{sizes}\n\n[binary]"
    with replacing(path) as part:
        part.write_bytes(
            b"".join([
                head.encode(), _ORDER.pack(*_ORDER_VALUES), vertices.astype("<f8").tobytes(),
                triangles.astype("<i4").tobytes(),
            ])
        )  # fmt: skip
