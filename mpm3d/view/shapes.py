"""Meshes of bodies for VTK, thinned where there is more than a picture can show."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.geometry import Body, Lines, Points, Surface, Tetrahedra
from mpm3d.grid import FloatArray
from mpm3d.lattice import BlockModel, PropertyModel, StructuredGrid, Voxet
from mpm3d.wells import Well

Array = NDArray[Any]
MOST_CELLS = 500_000
MOST_TRIANGLES = 400_000
MOST_POINTS = 100_000
# corners of a box in the order of VTK's hexahedron, in half widths
_BOX = (
    np.array(
        [[-1, -1, -1], [1, -1, -1], [1, 1, -1], [-1, 1, -1], [-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]]
    )
    / 2
)


@dataclass(frozen=True, eq=False)
class Shape:
    """What is drawn of a body.

    Parameters
    ----------
    body : Body
        The body.
    mesh : pyvista dataset
        Coordinates from the origin of the picture; ``cell_data["value"]`` or ``point_data["value"]`` are the
        values of the property, where there is one.
    solid : bool
        Whether it fills space, so that it is cut open to be seen.
    name : str
        Of the property; empty if there is none.
    classes : mapping of int to str
        Names of its codes.
    thinned : str
        What was left out, in a sentence; empty if nothing was.
    """

    body: Body
    mesh: Any
    solid: bool = False
    name: str = ""
    classes: Mapping[int, str] | None = None
    thinned: str = ""

    @property
    def values(self) -> NDArray[np.float64] | None:
        """Values of the property that are there, and None if there is none."""
        if not self.name:
            return None
        data = self.mesh.cell_data if "value" in self.mesh.cell_data else self.mesh.point_data
        numbers: NDArray[np.float64] = np.asarray(data["value"], dtype=float)
        return np.asarray(numbers[np.isfinite(numbers)])


@singledispatch
def shape_of(body: Body, origin: FloatArray) -> Shape:
    """Mesh of a body with its first property.

    Parameters
    ----------
    body : Body
        Anything but a raster.
    origin : array of shape (3,)
        x, y, elevation that is taken from all coordinates, so that they fit in 32 bits.
    """
    raise ValueError(f"{type(body).__name__} {body.name!r} cannot be drawn in three dimensions.")


def _first(values: Mapping[str, Any], ndim: int) -> str:
    """Name of the first property of one number each."""
    return next((n for n, v in values.items() if len(v.shape) == ndim and v.dtype.kind in "fiub"), "")


def _local(points: FloatArray, origin: FloatArray) -> NDArray[np.float32]:
    return np.asarray(points - origin, dtype=np.float32)


def _said(body: Body, shown: int, of: int, what: str) -> str:
    return f"{body.name!r}: {shown:,} of {of:,} {what} drawn"


@shape_of.register
def _(body: Surface, origin: FloatArray) -> Shape:
    import pyvista as pv

    points, triangles = _local(body.vertices, origin), body.triangles
    count, name, said = len(triangles), _first(body.properties, 1), ""
    if count > MOST_TRIANGLES:
        points, triangles = _clustered(points, triangles)
        name, said = "", _said(body, len(triangles), count, "triangles")
    mesh: Any = pv.PolyData()
    if len(triangles):
        mesh = pv.PolyData.from_regular_faces(points, triangles)  # type: ignore[arg-type]
    if name and mesh.n_points:
        mesh.point_data["value"] = np.asarray(body.properties[name], dtype=float)
    return Shape(body, mesh, name=name if mesh.n_points else "", thinned=said)


def _clustered(points: NDArray[np.float32], triangles: Array) -> tuple[NDArray[np.float32], Array]:
    """Vertices joined where they are nearer than a picture shows, and what is left of the triangles."""
    low = points.min(axis=0)
    cell = max(float((points.max(axis=0) - low).max()) / 300, 1e-6)
    box = np.floor((points - low) / cell).astype(np.int64)
    _, first, owner = np.unique(box @ [1, 1 << 20, 1 << 40], return_index=True, return_inverse=True)
    merged = owner.reshape(-1)[triangles]
    a, b, c = merged.T
    merged = merged[(a != b) & (b != c) & (c != a)]
    return points[first], np.unique(np.sort(merged, axis=1), axis=0)


@shape_of.register
def _(body: Lines, origin: FloatArray) -> Shape:
    every = max(1, math.ceil(len(body.segments) / MOST_TRIANGLES))
    segments = body.segments[::every]
    said = _said(body, len(segments), len(body.segments), "segments") if every > 1 else ""
    name = _first(body.properties, 1)
    return _line_shape(body, _local(body.vertices, origin), segments, name, said)


def _line_shape(body: Body, points: NDArray[np.float32], segments: Array, name: str, said: str) -> Shape:
    import pyvista as pv

    if not len(segments):
        return Shape(body, pv.PolyData(points) if len(points) else pv.PolyData(), thinned=said)
    pairs = np.column_stack([np.full(len(segments), 2), segments])
    mesh = pv.PolyData(points, lines=pairs.ravel())
    if name and isinstance(body, Lines):
        mesh.point_data["value"] = np.asarray(body.properties[name], dtype=float)
    return Shape(body, mesh, name=name, thinned=said)


@shape_of.register
def _(body: Points, origin: FloatArray) -> Shape:
    import pyvista as pv

    every = max(1, math.ceil(len(body.vertices) / MOST_POINTS))
    points = _local(body.vertices[::every], origin)
    name = _first(body.properties, 1) if len(points) else ""
    mesh = pv.PolyData(points) if len(points) else pv.PolyData()
    if name:
        mesh.point_data["value"] = np.asarray(body.properties[name][::every], dtype=float)
    said = _said(body, len(points), len(body.vertices), "points") if every > 1 else ""
    return Shape(body, mesh, name=name, thinned=said)


@shape_of.register
def _(body: Well, origin: FloatArray) -> Shape:
    table = next((t for t, rows in body.intervals.items() if _first(rows.values, 1)), None)
    if table is not None:
        lines = body.interval_lines(table)
        shape = _line_shape(
            lines, _local(lines.vertices, origin), lines.segments, _first(lines.properties, 1), ""
        )
        if shape.mesh.n_points:
            return replace(shape, body=replace(body, units=lines.units))
    for name, curve in body.curves.items():
        points = body.position(curve.depth)
        known = ~np.isnan(points).any(axis=1)
        if known.sum() > 1:
            return _log_shape(body, name, _local(points[known], origin), curve.values[known])
    return _line_shape(body, _local(body.path, origin), _successive(len(body.path)), "", "")


def _log_shape(body: Well, name: str, points: NDArray[np.float32], values: Array) -> Shape:
    """The path between the depths of a log, in its colours."""
    shape = _line_shape(body, points, _successive(len(points)), "", "")
    shape.mesh.point_data["value"] = np.asarray(values, dtype=float)
    return replace(shape, name=name)


def _successive(count: int) -> Array:
    """Segments from each point to the next."""
    rows = np.arange(max(count - 1, 0), dtype=np.int64)
    return np.column_stack([rows, rows + 1])


@shape_of.register
def _(body: Tetrahedra, origin: FloatArray) -> Shape:
    name = _first(body.cell_properties, 1)
    values = np.asarray(body.cell_properties[name], dtype=float) if name else None
    if values is None and (name := _first(body.properties, 1)):
        values = np.asarray(body.properties[name], dtype=float)[body.tetrahedra].mean(axis=1)
    return _solid(body, _local(body.vertices, origin), body.tetrahedra, name, values)


def _solid(
    body: Body, points: NDArray[np.float32], cells: Array, name: str, values: Array | None, said: str = ""
) -> Shape:
    """Tetrahedra or boxes by the rows of their corners."""
    import pyvista as pv

    if not len(cells):
        return Shape(body, pv.PolyData())
    every = max(1, math.ceil(len(cells) / MOST_CELLS))
    if every > 1:
        said = _said(body, len(cells[::every]), len(cells), "cells")
        cells, values = cells[::every], None if values is None else values[::every]
    kind = pv.CellType.TETRA if cells.shape[1] == 4 else pv.CellType.HEXAHEDRON
    mesh = pv.UnstructuredGrid({int(kind): cells}, points)
    return _valued(body, mesh, name, values, said)


def _valued(body: Body, mesh: Any, name: str, values: Array | None, said: str) -> Shape:
    """A solid without the cells that have no value, if any has one."""
    classes = getattr(body, "classes", {}).get(name)
    if values is None:
        return Shape(body, mesh, solid=True, thinned=said)
    mesh.cell_data["value"] = values
    present = np.isfinite(values)
    if not present.any():
        nothing = f"{body.name!r}: no cell has a value of {name!r}"
        return Shape(body, mesh, solid=True, thinned="; ".join(filter(None, (said, nothing))))
    mesh = mesh if present.all() else mesh.extract_cells(np.flatnonzero(present))
    return Shape(body, mesh, solid=True, name=name, classes=classes, thinned=said)


@shape_of.register
def _(body: BlockModel, origin: FloatArray) -> Shape:
    name = _first(body.values, 1)
    if len(body.centres) > MOST_CELLS:
        try:
            model = replace(body, values={name: body.values[name]} if name else {}, texts={}).as_model()
        except ValueError:
            pass  # blocks of several sizes: every n-th is drawn
        else:
            return replace(shape_of(model, origin), body=body)
    corners = body.centres[:, None, :] + body.sizes[:, None, :] * _BOX
    flat: FloatArray = corners.reshape(-1, 3)
    flat = flat if body.frame is None else body.frame.to_world(flat)
    cells = np.arange(len(flat), dtype=np.int64).reshape(-1, 8)
    values = np.asarray(body.values[name], dtype=float) if name else None
    return _solid(body, _local(flat, origin), cells, name, values)


@shape_of.register
def _(body: PropertyModel, origin: FloatArray) -> Shape:
    cuts = _cuts(body.shape)
    z, y, x = (edges[_marks(n, step)] for edges, n, step in zip(body.edges, body.shape, cuts, strict=True))
    corners = np.stack(np.meshgrid(z, y, x, indexing="ij")[::-1], axis=-1)
    if body.frame is not None:
        corners = body.frame.to_world(corners.reshape(-1, 3)).reshape(corners.shape)
    return _lattice(body, corners, body.values, cuts, origin)


@shape_of.register
def _(body: Voxet, origin: FloatArray) -> Shape:
    cuts = _cuts(body.shape)
    w, v, u = (_marks(n, step) - 0.5 for n, step in zip(body.shape, cuts, strict=True))
    index = np.stack(np.meshgrid(w, v, u, indexing="ij")[::-1], axis=-1)
    return _lattice(body, index @ body.steps + body.origin, body.values, cuts, origin)


@shape_of.register
def _(body: StructuredGrid, origin: FloatArray) -> Shape:
    cuts = _cuts(body.shape)
    marks = [_marks(n, step) for n, step in zip(body.shape, cuts, strict=True)]
    cells = {name: values for name, values in body.values.items() if values.shape == body.shape}
    return _lattice(body, body.points[np.ix_(*marks)], cells, cuts, origin)


def _cuts(shape: tuple[int, ...]) -> list[int]:
    """How many cells along each axis are drawn as one."""
    cuts = [1, 1, 1]
    while math.prod(-(-n // cut) for n, cut in zip(shape, cuts, strict=True)) > MOST_CELLS:
        axis = max(range(3), key=lambda k: shape[k] / cuts[k])
        cuts[axis] += 1
    return cuts


def _marks(count: int, cut: int) -> NDArray[np.int64]:
    """Edges between the cells that are drawn, the last one at the end."""
    return np.append(np.arange(0, count, cut), count)


def _lattice(
    body: Body, corners: FloatArray, values: Mapping[str, Any], cuts: list[int], origin: FloatArray
) -> Shape:
    import pyvista as pv

    nw, nv, nu = corners.shape[:3]
    mesh = pv.StructuredGrid()
    mesh.points = _local(corners.reshape(-1, 3), origin)
    mesh.dimensions = (nu, nv, nw)
    name, cells = _first(values, 3), None
    if name:
        picked = tuple(slice((cut - 1) // 2, None, cut) for cut in cuts)
        cells = np.asarray(values[name][picked], dtype=float)
        # the last group of an axis may end before its middle cell
        lacking = [(0, n - 1 - have) for n, have in zip((nw, nv, nu), cells.shape, strict=True)]
        cells = np.pad(cells, lacking, mode="edge").ravel()
    said = ""
    if max(cuts) > 1:
        groups = " × ".join(str(cut) for cut in cuts[::-1])
        said = f"{body.name!r}: every {groups} cells drawn as one (along the axes of its file)"
    return _valued(body, mesh, name, cells, said)
