"""VTK files written through VTK, so that ParaView, PyVista and this package read back what was there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.geometry import Array, Body, Lines, Points, Surface, Tetrahedra
from mpm3d.grid import FloatArray
from mpm3d.io.vtk.output import cell_array, points_of, put_fields, save, vtk_array
from mpm3d.lattice import BlockModel, PropertyModel, StructuredGrid, Values, Voxet

SUFFIXES: dict[str, tuple[type[Body], ...]] = {
    ".vtp": (Surface, Lines, Points),
    ".vti": (PropertyModel, Voxet),
    ".vtr": (PropertyModel, Voxet),
    ".vts": (StructuredGrid, PropertyModel, Voxet),
    ".vtu": (Tetrahedra, BlockModel),
    ".vtk": (Surface, Lines, Points, PropertyModel, Voxet, StructuredGrid, Tetrahedra, BlockModel),
}
"""What each suffix can hold."""
# corners of a box as VTK numbers them: around the bottom, around the top
_AROUND = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]])
_Rows = NDArray[np.int64]


def write_vtk(path: str | Path, bodies: Sequence[Body]) -> None:
    """Write bodies as a VTK file, of the kind that the suffix says.

    Coordinates are float64. The name, the units, the names of classes and the coordinate system as far as
    known are field data (``name``, ``units``, ``classes``, ``crs``), numbers of parts the cell data ``part``;
    a ``.vtp`` of several bodies has the cell data ``object``, counted from 0 in the order of ``name``.

    Parameters
    ----------
    path : str or Path
        ``.vtp`` for surfaces, lines and points, any number of them; ``.vti`` for equal cells, rotated or not;
        ``.vtr`` for cells of any width along x, y and z; ``.vts`` for lattices of any shape; ``.vtu`` for
        tetrahedra and block models; ``.vtk`` (legacy) for all of them. It is replaced only when all is
        written.
    bodies : sequence of Body
        One, except for surfaces, lines and points.

    Raises
    ------
    ValueError
        If a body does not fit the suffix, or has coordinates that are not finite.
    OSError
        If the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{path.name!r} has no suffix of VTK, which are {', '.join(SUFFIXES)}.")
    if not bodies:
        raise ValueError(f"there is nothing to write to {path.name}.")
    for body in bodies:
        if not isinstance(body, SUFFIXES[suffix]):
            fits = [name for name, kinds in SUFFIXES.items() if isinstance(body, kinds)]
            raise ValueError(
                f"{body.name!r} is a {type(body).__name__}, which {suffix} does not hold. "
                f"{'Use ' + ' or '.join(fits) if fits else 'VTK files have none of that kind'}."
            )
    sheets = [body for body in bodies if isinstance(body, Surface | Lines | Points)]
    if len(bodies) > 1 and len(sheets) < len(bodies):
        raise ValueError(
            f"{path.name} holds one model and there are {len(bodies)}: "
            f"{', '.join(repr(body.name) for body in bodies)}. Write one file for each."
        )
    save(_polydata(sheets) if sheets else _grid(suffix, bodies[0]), path)


def _grid(suffix: str, body: Body) -> Any:
    if isinstance(body, Tetrahedra):
        return _tetrahedra(body)
    if isinstance(body, BlockModel):
        return _blocks(body)
    if isinstance(body, StructuredGrid):
        return _structured(body, body.points, body.values, body.regions)
    if isinstance(body, Voxet) and (suffix == ".vtr" or (suffix == ".vtk" and _is_straight(body))):
        body = _turned(body)
    if suffix == ".vti":
        return _image(body)
    if isinstance(body, PropertyModel) and body.frame is None and suffix != ".vts":
        return _rectilinear(body)
    if suffix == ".vtr":
        raise ValueError(f"{body.name!r} is rotated or skewed, .vtr lies along x, y and z. Use .vts.")
    assert isinstance(body, PropertyModel | Voxet)
    regions = body.regions if isinstance(body, Voxet) else {}
    return _structured(body, corners_of(body), body.values, regions)


def _turned(voxet: Voxet) -> PropertyModel:
    """A voxet along x, y and z as a model, its named sets among the values."""
    sets = {f"region: {name}": inside for name, inside in voxet.regions.items()}
    return replace(voxet, values={**voxet.values, **sets}, regions={}).as_model()


def _is_straight(voxet: Voxet) -> bool:
    size = np.abs(voxet.steps)
    return bool(np.all((size > 1e-6 * size.max()).sum(axis=1) == 1))


def corners_of(body: PropertyModel | Voxet) -> FloatArray:
    """Corners of the cells ``(w + 1, v + 1, u + 1, 3)`` of a model, x, y, elevation in metres.

    Raises
    ------
    ValueError
        If a voxet has an axis of one sample without a step.
    """
    if isinstance(body, PropertyModel):
        z, y, x = np.meshgrid(*body.edges, indexing="ij")
        local = np.stack([x, y, z], axis=-1)
        if body.frame is None:
            return local
        return body.frame.to_world(local.reshape(-1, 3)).reshape(local.shape)
    _check_steps(body)
    w, v, u = np.meshgrid(*(np.arange(n + 1) - 0.5 for n in body.shape), indexing="ij")
    return np.asarray(body.origin + np.stack([u, v, w], axis=-1) @ body.steps)


def _check_steps(voxet: Voxet) -> None:
    length = np.abs(voxet.steps).max(axis=1)
    if np.any(length == 0):
        raise ValueError(
            f"{voxet.name!r} has one sample along {'UVW'[int(np.argmin(length))]} and no step, so its cells "
            "have no size. It is an image plane: write it as a raster."
        )


def _image(body: Body) -> Any:
    """Equal cells; a voxet along x, y and z is turned so that its axes ascend."""
    from vtkmodules.vtkCommonDataModel import vtkImageData

    if isinstance(body, Voxet) and _is_straight(body):
        body = _turned(body)
    assert isinstance(body, PropertyModel | Voxet)
    first, steps = (body.origin, body.steps) if isinstance(body, Voxet) else _lattice_of(body)
    if isinstance(body, Voxet):
        _check_steps(body)
    shape = body.shape
    values: dict[str, Values] = dict(body.values)
    values |= {f"region: {n}": v for n, v in body.regions.items()} if isinstance(body, Voxet) else {}
    if np.linalg.det(steps) < 0:  # right-handed axes: the last one from its other end
        first, steps = first + (shape[0] - 1) * steps[2], steps * np.array([[1.0], [1], [-1]])
        values = {name: np.asarray(array)[::-1] for name, array in values.items()}
    spacing = np.linalg.norm(steps, axis=1)
    axes = steps / spacing[:, None]
    if np.abs(axes @ axes.T - np.eye(3)).max() > 1e-6:
        raise ValueError(f"{body.name!r} is skewed, the axes of .vti are at right angles. Use .vts.")
    image = vtkImageData()
    image.SetDimensions(*(n + 1 for n in shape[::-1]))
    image.SetOrigin(*(first - steps.sum(axis=0) / 2))
    image.SetSpacing(*spacing)
    image.SetDirectionMatrix(*axes.T.ravel())
    _put_lattice(image, body, values, shape)
    return image


def _lattice_of(model: PropertyModel) -> tuple[FloatArray, FloatArray]:
    """Centre of cell (0, 0, 0) and the steps along x, y and z of a model of equal cells."""
    first, steps = np.zeros(3), np.zeros(3)
    for axis, edges in zip((2, 1, 0), model.edges, strict=True):
        widths = np.diff(edges)
        steps[axis] = float(edges[-1] - edges[0]) / len(widths)
        first[axis] = float(edges[0]) + steps[axis] / 2
        if np.any(np.abs(widths - steps[axis]) > 1e-6 * steps[axis] + 1e-6):
            raise ValueError(
                f"the cells of {model.name!r} are {widths.min():g} to {widths.max():g} m along "
                f"{'xyz'[axis]}, .vti needs equal ones. Use .vtr, or .vts where the model is rotated."
            )
    if model.frame is None:
        return first, np.diag(steps)
    return model.frame.to_world(first), np.asarray(steps[:, None] * model.frame.axes)


def _rectilinear(model: PropertyModel) -> Any:
    from vtkmodules.vtkCommonDataModel import vtkRectilinearGrid

    grid = vtkRectilinearGrid()
    grid.SetDimensions(*(n + 1 for n in model.shape[::-1]))
    for edges, put in zip(
        model.edges, (grid.SetZCoordinates, grid.SetYCoordinates, grid.SetXCoordinates), strict=True
    ):
        put(vtk_array(np.asarray(edges, dtype=float), "coordinates"))
    _put_lattice(grid, model, model.values, model.shape)
    return grid


def _structured(
    body: Body, corners: FloatArray, values: Mapping[str, Any], regions: Mapping[str, Any]
) -> Any:
    from vtkmodules.vtkCommonDataModel import vtkStructuredGrid

    grid = vtkStructuredGrid()
    nw, nv, nu = corners.shape[:3]
    grid.SetDimensions(nu, nv, nw)
    grid.SetPoints(points_of(body, corners.reshape(-1, 3)))
    every: dict[str, Any] = {**values, **{f"region: {name}": inside for name, inside in regions.items()}}
    _put_lattice(grid, body, every, (nw - 1, nv - 1, nu - 1))
    return grid


def _put_lattice(grid: Any, body: Body, values: Mapping[str, Values], cells: tuple[int, int, int]) -> None:
    points = tuple(n + 1 for n in cells)
    for name, array in values.items():
        if tuple(array.shape) not in (cells, points):
            raise ValueError(
                f"property {name!r} of {body.name!r} has shape {array.shape}, the cells {cells}."
            )
        place = grid.GetCellData() if tuple(array.shape) == cells else grid.GetPointData()
        place.AddArray(vtk_array(np.asarray(array).reshape(-1), name))
    put_fields(grid, [body])


def _polydata(bodies: Sequence[Surface | Lines | Points]) -> Any:
    """All bodies in one: PolyData count their cells as points, lines, faces."""
    from vtkmodules.vtkCommonDataModel import vtkPolyData

    data = vtkPolyData()
    ordered = sorted(enumerate(bodies), key=lambda pair: [Points, Lines, Surface].index(type(pair[1])))
    data.SetPoints(points_of(bodies[0], np.concatenate([np.asarray(b.vertices, float) for b in bodies])))
    first = np.cumsum([0, *(len(body.vertices) for body in bodies)])
    numbers, parts, columns = [], [], []
    for kind, put in ((Points, data.SetVerts), (Lines, data.SetLines), (Surface, data.SetPolys)):
        links, sizes = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for number, body in ordered:
            if not isinstance(body, kind):
                continue
            connectivity, size, rows = _cells(body)
            links.append(connectivity + first[number])
            sizes.append(size)
            numbers.append(np.full(len(size), number))
            part = getattr(body, "part", None)
            parts.append(np.full(len(size), -1) if part is None else np.asarray(part)[rows])
            own = getattr(body, "cell_properties", {})
            columns.append({name: np.asarray(values)[rows] for name, values in own.items()})
        put(cell_array(np.concatenate(links), np.concatenate(sizes)))
    if len(bodies) > 1:
        data.GetCellData().AddArray(vtk_array(np.concatenate(numbers).astype(np.int32), "object"))
    if any(getattr(body, "part", None) is not None for body in bodies):
        data.GetCellData().AddArray(vtk_array(np.concatenate(parts).astype(np.int64), "part"))
    for name, values in _united(columns, [len(n) for n in numbers]).items():
        data.GetCellData().AddArray(vtk_array(values, name))
    own = [{**b.properties, **{f"region: {n}": v for n, v in b.regions.items()}} for b in bodies]
    for name, values in _united(own, [len(body.vertices) for body in bodies]).items():
        data.GetPointData().AddArray(vtk_array(values, name))
    put_fields(data, bodies)
    return data


def _cells(body: Surface | Lines | Points) -> tuple[_Rows, _Rows, _Rows]:
    """Point numbers of the cells, how many of each, and the row of the body that a cell stands for."""
    if isinstance(body, Points):
        rows = np.arange(len(body.vertices), dtype=np.int64)
        return rows, np.ones_like(rows), rows
    if isinstance(body, Surface):
        return body.triangles.reshape(-1), np.full(len(body.triangles), 3), np.arange(len(body.triangles))
    segments = body.segments
    if not len(segments):
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64)
    joined = segments[1:, 0] == segments[:-1, 1]
    joined &= np.ones(len(joined), bool) if body.part is None else np.diff(body.part) == 0
    joined &= not body.cell_properties  # values of segments need a cell each
    starts = np.flatnonzero(np.concatenate([[True], ~joined]))
    sizes = np.diff(np.append(starts, len(segments))) + 1
    ends = np.cumsum(sizes)
    links = np.empty(int(ends[-1]), np.int64)
    links[ends - sizes] = segments[starts, 0]
    rest = np.ones(len(links), bool)
    rest[ends - sizes] = False
    links[rest] = segments[:, 1]
    return links, sizes, starts


def _united(columns: Sequence[Mapping[str, Array]], sizes: Sequence[int]) -> dict[str, Array]:
    """Columns of several bodies one below the other, NaN (0 for sets) where a body has none."""
    names = {name: array for column in columns for name, array in column.items()}
    result = {}
    for name, pattern in names.items():
        shape, sets = np.shape(pattern)[1:], np.asarray(pattern).dtype.kind == "b"
        blocks = []
        for column, size in zip(columns, sizes, strict=True):
            found = column.get(name)
            if found is None:
                found = np.zeros((size, *shape), bool) if sets else np.full((size, *shape), np.nan)
            elif np.shape(found)[1:] != shape:
                raise ValueError(
                    f"property {name!r} has {shape} components in one body and others in another."
                )
            blocks.append(np.asarray(found))
        result[name] = np.concatenate(blocks)
    return result


def _tetrahedra(body: Tetrahedra) -> Any:
    grid = _unstructured(body, np.asarray(body.vertices, float), body.tetrahedra, 10)
    if body.part is not None:
        grid.GetCellData().AddArray(vtk_array(np.asarray(body.part, np.int64), "part"))
    for name, values in body.cell_properties.items():
        grid.GetCellData().AddArray(vtk_array(values, name))
    for name, values in body.properties.items():
        grid.GetPointData().AddArray(vtk_array(values, name))
    for name, inside in body.regions.items():
        grid.GetPointData().AddArray(vtk_array(inside, f"region: {name}"))
    return grid


def _blocks(body: BlockModel) -> Any:
    corners: FloatArray = (body.centres[:, None] + (_AROUND - 0.5) * body.sizes[:, None]).reshape(-1, 3)
    if body.frame is not None:
        corners = body.frame.to_world(corners)
    rows = np.arange(len(corners), dtype=np.int64).reshape(-1, 8)
    grid = _unstructured(body, corners, rows, 12)
    for name, values in {**body.values, **body.texts}.items():
        grid.GetCellData().AddArray(vtk_array(np.asarray(values), name))
    return grid


def _unstructured(body: Body, points: FloatArray, rows: _Rows, kind: int) -> Any:
    from vtkmodules.vtkCommonDataModel import vtkUnstructuredGrid

    grid = vtkUnstructuredGrid()
    grid.SetPoints(points_of(body, points))
    grid.SetCells(kind, cell_array(rows.reshape(-1), np.full(len(rows), rows.shape[1])))
    put_fields(grid, [body])
    return grid
