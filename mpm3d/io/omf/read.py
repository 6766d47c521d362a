"""Bodies of an OMF 1 project: points, lines, surfaces and block models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mpm3d.geometry import Array, Body, Lines, Points, Surface
from mpm3d.grid import FloatArray
from mpm3d.io.files import stem_of
from mpm3d.io.omf.container import Object, Project
from mpm3d.lattice import Frame, PropertyModel

CODES, CRS, UNIT, REGION, PART = "code", "CRS: ", "unit: ", "region: ", "part"
_METRES = {
    "": 1.0, "m": 1.0, "meter": 1.0, "meters": 1.0, "metre": 1.0, "metres": 1.0, "km": 1000.0,
    "ft": 0.3048, "foot": 0.3048, "feet": 0.3048, "us ft": 1200 / 3937, "ftus": 1200 / 3937,
}  # fmt: skip
_LAYOUT = {
    "w": "W fastest, then V, then U; values are those of the cells.",
    "u": "U fastest, then V, then W; values are those of the cells.",
}


class Columns:
    """Data of one element, by the place where they belong."""

    def __init__(self, project: Project, element: Object, counts: dict[str, int]) -> None:
        self.project, self.counts = project, counts
        self.values: dict[str, dict[str, Array]] = {place: {} for place in counts}
        self.classes: dict[str, dict[int, str]] = {}
        self.units: dict[str, str] = {}
        self.notes: list[str] = []
        for key in project.keys(element, "data"):
            self._add(project.object(key))
        if project.keys(element, "textures"):
            self.notes.append("images that are draped over it were left out.")

    def _add(self, data: Object) -> None:
        kind, place = str(data.get("__class__")), str(data.get("location"))
        name = self.project.text(data, "name") or f"data {sum(map(len, self.values.values())) + 1}"
        if place not in self.counts:
            self.notes.append(f"{name!r} at the {place[:20]!r} was left out.")
            return
        while name in self.values[place]:
            name += " (2)"
        widths = {"ScalarData": 1, "MappedData": 1, "Vector2Data": 2, "Vector3Data": 3}
        if kind not in widths:
            what = {"StringData": "text", "DateTimeData": "dates", "ColorData": "colours"}
            self.notes.append(f"{name!r} was left out, it holds {what.get(kind, kind[:40])}.")
            return
        values = self.project.array(data.get("array"), widths[kind])
        if len(values) != self.counts[place]:
            self.project.fail(
                f"{name!r} has {len(values)} values for {self.counts[place]} {place}. The file is damaged."
            )
        about = self.project.text(data, "description")
        if about.startswith(UNIT):
            self.units[name] = about.removeprefix(UNIT)
        if kind == "MappedData":
            values = self._mapped(name, data, values)
        self.values[place][name] = values

    def _mapped(self, name: str, data: Object, index: Array) -> FloatArray:
        """Codes of the classes, NaN where the index is -1; the names of the legend beside them."""
        known = index >= 0
        words: list[Any] | None = None
        codes: Array | None = None
        for key in self.project.keys(data, "legends"):
            legend = self.project.object(key, "Legend")
            entries = self.project.object(legend.get("values"))
            kind, listed = entries.get("__class__"), entries.get("array")
            if kind == "StringArray" and words is None and isinstance(listed, list):
                words = listed
            elif kind == "ScalarArray" and legend.get("name") == CODES:
                codes = self.project.array(legend.get("values"))
        size = len(words) if words is not None else int(index.max(initial=-1)) + 1
        if index.max(initial=-1) >= size or (codes is not None and len(codes) != size):
            self.project.fail(f"{name!r} refers to the entry {int(index.max())} of a legend of {size}.")
        if codes is None or not np.all(np.isfinite(codes) & (np.abs(codes) < 1e15)):
            codes = np.arange(size)
        if words is not None:
            self.classes[name] = {int(c): str(word) for c, word in zip(codes, words, strict=True)}
        chosen = codes[np.where(known, index, 0).astype(np.int64)] if size else np.zeros(len(index))
        return np.where(known, chosen, np.nan)

    def numbers(self, place: str, keep: Any = slice(None)) -> dict[str, FloatArray]:
        """Values as floats, without named sets and numbers of parts."""
        return {
            name: np.array(values, dtype=float)[keep]
            for name, values in self.values[place].items()
            if name != PART and not name.startswith(REGION)
        }

    def part(self, place: str) -> Array | None:
        """Numbers of parts as this package writes them."""
        found = self.values[place].get(PART)
        return found.astype(np.int64) if found is not None and found.dtype.kind == "i" else None

    def regions(self, place: str) -> dict[str, Array]:
        """Named sets as this package writes them."""
        found = self.values[place]
        return {n.removeprefix(REGION): v != 0 for n, v in found.items() if n.startswith(REGION)}

    def said(self) -> list[str]:
        """Notes, with the names of codes for bodies that have no place for them."""
        coded = [
            f"codes of {name!r}: {', '.join(f'{c} {word}' for c, word in list(words.items())[:20])}."
            for name, words in self.classes.items()
        ]
        return self.notes + coded


def bodies_of(project: Project, fastest: str) -> list[Body]:
    """Every element of a project, in metres, with its origin added."""
    units = " ".join(project.text(project.root, "units").lower().split())
    factor, notes = _METRES.get(units, 1.0), []
    if units not in _METRES:
        notes.append(f"the unit of length is {units!r}, which is not known: metres are assumed.")
    elif factor != 1:
        notes.append(f"lengths were converted from {units} to metres.")
    about = project.text(project.root, "description")
    crs = about.removeprefix(CRS) if about.startswith(CRS) else ""
    bodies: list[Body] = []
    for number, key in enumerate(project.keys(project.root, "elements"), start=1):
        element = project.object(key)
        name = project.text(element, "name") or f"{stem_of(project.path)} {number}"
        body = _body(project, element, name, factor, fastest)
        bodies.append(replace(body, crs_name=crs).noted(*notes))
    if not bodies:
        project.fail("the project has no element, so there is nothing to read.")
    return bodies


def _body(project: Project, element: Object, name: str, factor: float, fastest: str) -> Body:
    kind = str(element.get("__class__"))
    if kind == "PointSetElement":
        return _points(project, element, name, factor)
    if kind == "LineSetElement":
        return _lines(project, element, name, factor)
    if kind == "SurfaceElement":
        return _surface(project, element, name, factor)
    if kind != "VolumeElement":
        project.fail(f"an element is a {kind[:40]!r}; points, lines, surfaces and volumes are read.")
    return _volume(project, element, name, factor, fastest)


def _origin(project: Project, geometry: Object) -> FloatArray:
    """Origin of an element and of the project, which are added up."""
    return project.vector(geometry, "origin", (0, 0, 0)) + project.vector(project.root, "origin", (0, 0, 0))


def _vertices(project: Project, geometry: Object, factor: float) -> FloatArray:
    xyz = project.array(geometry.get("vertices"), 3).astype(float)
    bad = ~(np.abs(np.nan_to_num(xyz, nan=np.inf)) < 1e12).all(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        project.fail(f"the vertex {row} is at {xyz[row].tolist()}, finite coordinates are needed.")
    return np.asarray((xyz + _origin(project, geometry)) * factor)


def _links(project: Project, key: Any, width: int, count: int) -> Array:
    rows = project.array(key, width, kind="i")
    if len(rows) and (rows.min() < 0 or rows.max() >= count):
        project.fail(f"an element refers to the vertex {int(rows.max())} of {count}, counted from 0.")
    return rows.astype(np.int64)


def _points(project: Project, element: Object, name: str, factor: float) -> Points:
    geometry = project.object(element.get("geometry"), "PointSetGeometry")
    xyz = _vertices(project, geometry, factor)
    data = Columns(project, element, {"vertices": len(xyz)})
    return Points(
        name, xyz, part=data.part("vertices"), properties=data.numbers("vertices"),
        regions=data.regions("vertices"), kind="OMF points", units=data.units, notes=tuple(data.said()),
    )  # fmt: skip


def _lines(project: Project, element: Object, name: str, factor: float) -> Lines:
    geometry = project.object(element.get("geometry"), "LineSetGeometry")
    xyz = _vertices(project, geometry, factor)
    segments = _links(project, geometry.get("segments"), 2, len(xyz))
    data = Columns(project, element, {"vertices": len(xyz), "segments": len(segments)})
    return Lines(
        name, xyz, segments, data.part("segments"), properties=data.numbers("vertices"),
        cell_properties=data.numbers("segments"), regions=data.regions("vertices"), kind="OMF lines",
        units=data.units, notes=tuple(data.said()),
    )  # fmt: skip


def _surface(project: Project, element: Object, name: str, factor: float) -> Surface:
    geometry = project.object(element.get("geometry"), "SurfaceGeometry", "SurfaceGridGeometry")
    notes = []
    if geometry["__class__"] == "SurfaceGeometry":
        xyz = _vertices(project, geometry, factor)
        triangles = _links(project, geometry.get("triangles"), 3, len(xyz))
        owner, n_faces = np.arange(len(triangles)), len(triangles)
    else:
        xyz, triangles = _sheet(project, geometry)
        xyz = xyz * factor
        owner, n_faces = np.arange(len(triangles)) // 2, len(triangles) // 2
        notes.append("a grid of a surface became triangles, two for each cell.")
    data = Columns(project, element, {"vertices": len(xyz), "faces": n_faces})
    part = data.part("faces")
    return Surface(
        name, xyz, triangles, None if part is None else part[owner], properties=data.numbers("vertices"),
        cell_properties=data.numbers("faces", owner), regions=data.regions("vertices"), kind="OMF surface",
        units=data.units, notes=(*notes, *data.said()),
    )  # fmt: skip


def _edges(project: Project, geometry: Object, name: str) -> FloatArray:
    """Edges of cells from their widths, from 0."""
    widths = project.numbers(geometry.get(name), name)
    if not len(widths) or widths.min() <= 0:
        project.fail(f"{name!r} should be widths above 0 m, they are {widths[:5].tolist()}.")
    return np.concatenate([[0.0], np.cumsum(widths)])


def _axes(project: Project, geometry: Object, names: str) -> FloatArray:
    """Unit vectors of the axes, at right angles."""
    default = np.eye(3)
    axes = np.stack([project.vector(geometry, f"axis_{n}", default[k]) for k, n in enumerate(names)])
    length = np.linalg.norm(axes, axis=1)
    if (
        length.min() <= 0
        or np.abs((unit := axes / length[:, None]) @ unit.T - np.eye(len(names))).max() > 1e-4
    ):
        project.fail(f"the axes {axes.tolist()} are not at right angles, as those of OMF are.")
    return np.asarray(unit)


def _sheet(project: Project, geometry: Object) -> tuple[FloatArray, Array]:
    u, v = _edges(project, geometry, "tensor_u"), _edges(project, geometry, "tensor_v")
    axes = _axes(project, geometry, "uv")
    count = len(u) * len(v)
    if count > 100 * len(project.content):
        project.fail(f"a surface of {len(u)} × {len(v)} nodes is more than the file can hold.")
    height = np.zeros(count)
    if geometry.get("offset_w"):
        height = project.array(geometry["offset_w"]).astype(float)
        if len(height) != count or not np.all(np.abs(np.nan_to_num(height, nan=np.inf)) < 1e12):
            project.fail(f"{len(height)} finite heights are needed for {count} nodes.")
    across, along = np.meshgrid(v, u)  # (u, v), V fastest
    xyz = np.column_stack([along.ravel(), across.ravel(), height]) @ np.vstack([axes, np.cross(*axes)])
    row = np.arange(count).reshape(len(u), len(v))
    a, b, c, d = (x.ravel() for x in (row[:-1, :-1], row[1:, :-1], row[1:, 1:], row[:-1, 1:]))
    triangles = np.stack([np.column_stack([a, b, c]), np.column_stack([a, c, d])], axis=1).reshape(-1, 3)
    return xyz + _origin(project, geometry), triangles


def _volume(project: Project, element: Object, name: str, factor: float, fastest: str) -> PropertyModel:
    geometry = project.object(element.get("geometry"), "VolumeGridGeometry")
    edges = [_edges(project, geometry, f"tensor_{n}") * factor for n in "uvw"]
    axes, origin = _axes(project, geometry, "uvw"), _origin(project, geometry) * factor
    counts = [len(edge) - 1 for edge in edges]
    n_cells = counts[0] * counts[1] * counts[2]
    data = Columns(project, element, {"cells": n_cells})
    values = {}
    for key, array in data.values["cells"].items():
        for label, column in _split(key, array):
            cells = column.reshape(counts if fastest == "w" else counts[::-1])
            values[label] = cells.transpose(2, 1, 0) if fastest == "w" else cells
    if fastest == "w" and any(_smoother_turned(array) for array in values.values()):
        data.notes.append(
            "values are read with W fastest; they would be much smoother with U fastest, so the file may "
            "come from a program with that order: omf.read_omf(path, fastest='u')."
        )
    first = (np.array([edge[:2].mean() for edge in edges]) @ axes + origin).tolist()
    model = PropertyModel(
        name, (edges[2], edges[1], edges[0]), values, classes=data.classes, frame=Frame(origin, axes),
        layout=_LAYOUT[fastest], first_centre=(first[0], first[1], first[2]), kind="OMF volume",
        units=data.units, notes=tuple(data.notes),
    )  # fmt: skip
    return _straight(model)


def _split(name: str, values: Array) -> list[tuple[str, Array]]:
    """A property for each component of a vector."""
    if values.ndim == 1:
        return [(name, values)]
    return [(f"{name}_{'xyz'[k]}", values[:, k]) for k in range(values.shape[1])]


def _smoother_turned(cells: Array) -> bool:
    """Whether neighbours differ much less when the order of the axes in the file is turned round."""
    if min(cells.shape) < 3 or len(set(cells.shape)) == 1:
        return False  # in a cube, both are as smooth
    stored = np.ascontiguousarray(cells.transpose(2, 1, 0)).ravel()
    other = stored.reshape(cells.shape)
    return _roughness(other) < 0.3 * _roughness(cells)


def _roughness(cells: Array) -> float:
    """Mean difference of neighbours along all axes, over at most some slabs of a large model."""
    part = cells[tuple(slice(0, 100) for _ in range(3))].astype(float)
    steps = [np.abs(np.diff(part, axis=axis)) for axis in range(3)]
    return float(sum(np.nanmean(step) if np.isfinite(step).any() else 0.0 for step in steps))


def _straight(model: PropertyModel) -> PropertyModel:
    """A model along x, y and z without a frame, axes that run another way turned round."""
    assert model.frame is not None
    axes = model.frame.axes  # rows u, v, w
    if np.abs(np.abs(axes) - np.round(np.abs(axes))).max() > 1e-9:
        return model
    world = [int(np.argmax(np.abs(axes[:, k]))) for k in (2, 1, 0)]  # local axis along z, y, x
    lines, flips = [], []
    for local, k in zip(world, (2, 1, 0), strict=True):
        line = model.frame.origin[k] + np.sign(axes[local, k]) * model.edges[2 - local]
        flips.append(slice(None, None, -1 if axes[local, k] < 0 else 1))
        lines.append(line[flips[-1]])
    order = [2 - local for local in world]
    turned = {n: np.asarray(v).transpose(order)[tuple(flips)] for n, v in model.values.items()}
    return replace(model, edges=(lines[0], lines[1], lines[2]), values=turned, frame=None)


def read_project(path: Path, fastest: str) -> list[Body]:
    """Bodies of a file."""
    with np.errstate(over="ignore", invalid="ignore"):  # damaged numbers are found when they are checked
        return bodies_of(Project(path), fastest)
