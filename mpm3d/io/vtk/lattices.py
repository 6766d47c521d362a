"""Models of the lattices that VTK files hold: images, rectilinear and structured grids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mpm3d.geometry import Array, Body, Surface
from mpm3d.grid import FloatArray
from mpm3d.io.vtk.common import REGION, classes_of, common, name_of, numbers
from mpm3d.io.vtk.dataset import Dataset
from mpm3d.lattice import PropertyModel, StructuredGrid, Voxet

_REGISTRATION = "Values stand at points in the file; they are taken as those of cells around the points."


def _lattices(data: Dataset) -> Iterator[tuple[str, tuple[int, int, int], dict[str, Array], list[str]]]:
    """Values of cells and of points as lattices (z, y, x), the empty kind left out."""
    nx, ny, nz = data.dimensions
    cells = (max(nz - 1, 1), max(ny - 1, 1), max(nx - 1, 1))
    for place, shape, arrays in (("cell", cells, data.cell_data), ("point", (nz, ny, nx), data.point_data)):
        notes: list[str] = []
        values: dict[str, Array] = {}
        for name, array in _plain(arrays, notes).items():
            if array.ndim == 1:
                whole = array.reshape(shape)
                values[name] = whole != 0 if name.startswith(REGION) else whole
                continue
            for k in range(array.shape[1]):
                values[f"{name}_{'xyz'[k] if array.shape[1] == 3 else k + 1}"] = array[:, k].reshape(shape)
            notes.append(f"{name!r} has {array.shape[1]} components, which became as many properties.")
        if values:
            yield place, shape, values, notes
    if not data.cell_data and not data.point_data:
        yield "cell", cells, {}, []


def _parted(values: dict[str, Array]) -> dict[str, Any]:
    """Values and named sets, as keywords of a lattice."""
    regions = {n.removeprefix(REGION): v for n, v in values.items() if n.startswith(REGION)}
    return {"values": {n: v for n, v in values.items() if not n.startswith(REGION)}, "regions": regions}


def _plain(arrays: Mapping[str, Array], notes: list[str]) -> dict[str, Array]:
    """Arrays of numbers as they are; text is left out and noted."""
    notes += [f"the text of {name!r} was left out." for name, a in arrays.items() if a.dtype.kind == "O"]
    return {name: array for name, array in arrays.items() if array.dtype.kind != "O"}


def image(data: Dataset) -> list[Body]:
    """Equal cells: a model along x, y and z, a voxet otherwise."""
    if np.any(data.spacing <= 0) or abs(abs(np.linalg.det(data.direction)) - 1) > 1e-3:
        data.fail(f"a spacing of {data.spacing.tolist()} m or the direction matrix is not possible.")
    steps = (data.direction * data.spacing).T
    first = data.origin + np.array(data.extent[::2]) @ steps
    bodies: list[Body] = []
    for place, shape, values, notes in _lattices(data):
        if place == "cell" and min(data.dimensions) < 2:
            notes.append(
                "an axis of one point has no thickness; its cells get the spacing, around the point."
            )
        shift = [0.5 if place == "cell" and n > 1 else 0.0 for n in data.dimensions]
        centre = first + np.array(shift) @ steps
        if place == "cell" and np.allclose(data.direction, np.eye(3), rtol=0, atol=1e-12):
            z, y, x = (
                low + np.arange(n + 1) * step
                for low, n, step in zip(
                    (centre - data.spacing / 2)[::-1], shape, data.spacing[::-1], strict=True
                )
            )
            bodies.append(_model(data, (z, y, x), values).noted(*notes))
            continue
        more = {"classes": classes_of(data), **_parted(values), **common(data)}
        voxet = Voxet(name_of(data), centre, steps, shape, **more)
        bodies.append(voxet.noted(*notes, *([_REGISTRATION] if place == "point" else [])))
    return bodies


def _model(data: Dataset, edges: tuple[FloatArray, ...], values: dict[str, Array]) -> PropertyModel:
    z, y, x = edges
    return PropertyModel(
        name_of(data), (z, y, x), values, classes=classes_of(data),
        layout="x fastest, then y, then z upwards; values are those of the cells.", **common(data),
    )  # fmt: skip


def rectilinear(data: Dataset) -> list[Body]:
    """Cells of any width along x, y and z."""
    lines, flips = [], []
    for name, line in zip("xyz", data.coordinates, strict=True):
        descends = len(line) > 1 and line[0] > line[-1]
        straight = line[::-1] if descends else line
        if not np.isfinite(line).all() or np.any(np.diff(straight) <= 0):
            data.fail(f"the coordinates along {name} do not ascend, so cells have no width.")
        lines.append(straight)
        flips.append(descends)
    turn = tuple(slice(None, None, -1 if flip else 1) for flip in flips[::-1])
    bodies: list[Body] = []
    for place, _, values, notes in _lattices(data):
        if place == "cell" and min(data.dimensions) < 2:
            data.fail(
                "an axis of one point has no thickness, so the cells have no size. Save it as an image."
            )
        x, y, z = (line if place == "cell" else _around(line) for line in lines)
        model = _model(data, (z, y, x), {name: array[turn] for name, array in values.items()})
        said = f"{_REGISTRATION} Edges lie half-way between the points."
        bodies.append(model.noted(*notes, *([said] if place == "point" else [])))
    return bodies


def _around(points: FloatArray) -> FloatArray:
    """Edges half-way between points, the outer ones as far out as the next are in."""
    if len(points) < 2:
        return np.array([points[0] - 0.5, points[0] + 0.5])
    middle = (points[1:] + points[:-1]) / 2
    return np.concatenate([[2 * points[0] - middle[0]], middle, [2 * points[-1] - middle[-1]]])


def structured(data: Dataset) -> list[Body]:
    """Hexahedra between points, or a surface where there is one layer."""
    nx, ny, nz = data.dimensions
    thin = [n for n in data.dimensions if n == 1]
    if len(thin) == 1:
        return [_sheet(data)]
    if thin:
        data.fail(f"a structured grid of {nx} × {ny} × {nz} points has no cell and no surface.")
    values: dict[str, Array] = {}
    notes: list[str] = []
    for _, _, found, said in _lattices(data):
        values |= {(f"{name} (points)" if name in values else name): array for name, array in found.items()}
        notes += said
    points = data.points.reshape(nz, ny, nx, 3)
    return [
        StructuredGrid(
            name_of(data), points, classes=classes_of(data), **_parted(values), **common(data)
        ).noted(*notes)
    ]  # fmt: skip


def _sheet(data: Dataset) -> Surface:
    """A structured grid of one layer as a surface, each cell cut into two triangles."""
    ny, nx = (n for n in data.dimensions[::-1] if n > 1)
    row = np.arange(nx * ny).reshape(ny, nx)
    a, b, c, d = (row[j:, i:][: ny - 1, : nx - 1].ravel() for j, i in ((0, 0), (0, 1), (1, 1), (1, 0)))
    triangles = np.stack([np.column_stack([a, b, c]), np.column_stack([a, c, d])], axis=1).reshape(-1, 3)
    notes = ["a structured grid of one layer became a surface, each cell two triangles."]
    return Surface(
        name_of(data), data.points, triangles.astype(np.int64), properties=numbers(data.point_data, notes),
        cell_properties=numbers(data.cell_data, notes, np.repeat(np.arange(len(a)), 2)), **common(data),
    ).noted(*notes)  # fmt: skip
