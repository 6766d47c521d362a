"""Surfaces, lines, points, tetrahedra and boxes of VTK's PolyData and unstructured grids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.geometry import Array, Body, Lines, Points, Surface, Tetrahedra
from mpm3d.grid import FloatArray
from mpm3d.io.vtk.common import OBJECT, PART, common, name_of, numbers, regions_of, words
from mpm3d.io.vtk.dataset import Dataset
from mpm3d.lattice import BlockModel, Frame

Rows = NDArray[np.int64]
_VERTEX, _LINE, _FACE, _BOX = (1, 2), (3, 4), (5, 6, 7, 8, 9), (11, 12)
_TETRA = 10


def _triangles(connectivity: Rows, offsets: Rows) -> tuple[Rows, Rows]:
    """Polygons as fans of triangles, and the row of the polygon of each."""
    sizes = np.diff(offsets)
    count = np.maximum(sizes - 2, 0)
    owner = np.repeat(np.arange(len(sizes)), count)
    step = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    first = offsets[:-1][owner]
    rows = np.column_stack([first, first + step + 1, first + step + 2]).astype(np.int64)
    return connectivity[rows].reshape(-1, 3), owner.astype(np.int64)


def _strips(connectivity: Rows, offsets: Rows) -> tuple[Rows, Rows]:
    """Triangle strips, every other triangle turned round, and the row of the strip of each."""
    count = np.maximum(np.diff(offsets) - 2, 0)
    owner = np.repeat(np.arange(len(count)), count)
    step = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    first = offsets[:-1][owner] + step
    odd = (step % 2)[:, None].astype(bool)
    rows = np.where(odd, np.column_stack([first + 1, first, first + 2]), first[:, None] + np.arange(3))
    return connectivity[rows.astype(np.int64)].reshape(-1, 3), owner.astype(np.int64)


def _segments(connectivity: Rows, offsets: Rows) -> tuple[Rows, Rows]:
    """Pieces of polylines, and the row of the line of each."""
    count = np.maximum(np.diff(offsets) - 1, 0)
    owner = np.repeat(np.arange(len(count)), count)
    first = offsets[:-1][owner] + np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    rows = np.column_stack([first, first + 1]).astype(np.int64)
    return connectivity[rows].reshape(-1, 2), owner.astype(np.int64)


def polydata(data: Dataset) -> list[Body]:
    """Points, lines and faces, strips and polygons cut into triangles."""
    vertices, lines, strips, polygons = (data.cells[n] for n in ("Verts", "Lines", "Strips", "Polys"))
    starts = np.cumsum([0, *(len(offsets) - 1 for _, offsets in (vertices, lines, polygons))])
    faces, owner = _triangles(*polygons)
    more, strip = _strips(*strips)
    wide = int((np.diff(polygons[1]) > 3).sum())
    if wide:
        data.notes.append(f"{wide} polygons of more than three corners were cut into triangles.")
    if len(more):
        data.notes.append(f"{len(strips[1]) - 1} strips were cut into {len(more)} triangles.")
    segments, line = _segments(*lines)
    elements = {
        "points": (vertices[0][:, None], np.repeat(np.arange(len(vertices[1]) - 1), np.diff(vertices[1]))),
        "lines": (segments, line + starts[1]),
        "faces": (np.concatenate([faces, more]), np.concatenate([owner + starts[2], strip + starts[3]])),
    }
    return _bodies(data, elements)


def _bodies(data: Dataset, elements: dict[str, tuple[Rows, Rows]]) -> list[Body]:
    """A body for each sort of elements, and for each number of the array ``object`` if there is one."""
    there = {sort: pair for sort, pair in elements.items() if len(pair[0])}
    if not there and data.n_points:
        there = {"points": (np.arange(data.n_points)[:, None], np.full(data.n_points, -1))}
    names = words(data, "name")
    bodies: list[Body] = []
    for sort, (rows, cell) in there.items():
        found = _whole(data, OBJECT, cell)
        number = np.zeros(len(cell), np.int64) if found is None else found
        for which in np.unique(number):
            chosen = number == which
            named = found is not None and 0 <= which < len(names)
            name = names[which] if named else name_of(data)
            whole = len(there) == 1 and chosen.all()
            body = _body(data, sort, name, (rows[chosen], cell[chosen]), whole=whole)
            bodies.append(_own(body) if named else body)
    return bodies


def _whole(data: Dataset, name: str, cells: Rows) -> Rows | None:
    """Numbers of parts or objects of cells, if the file has such."""
    found = data.cell_data.get(name)
    if found is None or found.dtype.kind not in "iu" or found.ndim > 1 or (cells < 0).any():
        return None
    return found[cells].astype(np.int64)


def _own(body: Points | Lines | Surface) -> Points | Lines | Surface:
    """Without the columns that only the other objects of the file have."""
    cells: dict[str, Any] = {}
    if not isinstance(body, Points):
        cells["cell_properties"] = _filled(body.cell_properties)
    return replace(
        body,
        properties=_filled(body.properties),
        regions={name: inside for name, inside in body.regions.items() if inside.any()},
        part=None if body.part is None or (body.part < 0).all() else body.part,
        **cells,
    )


def _filled(columns: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    return {name: values for name, values in columns.items() if not np.isnan(values).all()}


def _body(
    data: Dataset, sort: str, name: str, pair: tuple[Rows, Rows], *, whole: bool
) -> Points | Lines | Surface:
    rows, cell = pair
    used: Any = slice(None)
    if sort == "points":
        used = rows[:, 0]
    elif not whole:  # only the points that it needs
        used, inverse = np.unique(rows, return_inverse=True)
        rows = inverse.reshape(rows.shape).astype(np.int64)
    notes: list[str] = []
    more = common(data) | {
        "properties": numbers(data.point_data, notes, used), "regions": regions_of(data.point_data, used)
    }  # fmt: skip
    vertices = data.points[used]
    number = _whole(data, PART, cell)
    cells = numbers(data.cell_data, notes, cell) if (cell >= 0).all() else {}
    if sort == "points":
        more["properties"] = {**cells, **more["properties"]}
        return Points(name, vertices, part=number, **more).noted(*notes)
    if sort == "lines":
        number = np.unique(cell, return_inverse=True)[1].astype(np.int64) if number is None else number
        return Lines(name, vertices, rows, number, cell_properties=cells, **more).noted(*notes)
    return Surface(name, vertices, rows, number, cell_properties=cells, **more).noted(*notes)


def unstructured(data: Dataset) -> list[Body]:
    """Tetrahedra, boxes, and faces, lines and points."""
    connectivity, offsets = data.cells["Cells"]
    known = {0, *_VERTEX, *_LINE, *_FACE, *_BOX, _TETRA}
    strange = sorted(set(np.unique(data.types).tolist()) - known)
    if strange:
        data.fail(
            f"cells of VTK's type {', '.join(map(str, strange))} are not read; tetrahedra (10), boxes "
            "(11 and 12), triangles and polygons (5 to 9), lines and points are. Use the filter "
            "'Tetrahedralize' of ParaView first."
        )
    bodies: list[Body] = []
    elements: dict[str, tuple[Rows, Rows]] = {}
    for sort, types, cut in (
        ("points", _VERTEX, None), ("lines", _LINE, _segments), ("faces", _FACE, None)
    ):  # fmt: skip
        cells = np.flatnonzero(np.isin(data.types, types))
        links, ends = _chosen(connectivity, offsets, cells)
        if sort == "points":
            rows, owner = links[:, None], np.repeat(np.arange(len(cells)), np.diff(ends))
        elif cut is not None:
            rows, owner = cut(links, ends)
        else:
            rows, owner = _faces(data, links, ends, data.types[cells])
        if len(rows):
            elements[sort] = rows, cells[owner]
    if elements:
        bodies += _bodies(data, elements)
    bodies += [_tetrahedra(data)] if np.any(data.types == _TETRA) else []
    bodies += [_boxes(data)] if np.any(np.isin(data.types, _BOX)) else []
    return bodies


def _chosen(connectivity: Rows, offsets: Rows, cells: Rows) -> tuple[Rows, Rows]:
    """Connectivity of some of the cells."""
    sizes = np.diff(offsets)[cells]
    ends = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    start = np.repeat(offsets[:-1][cells] - ends[:-1], sizes)
    return connectivity[np.arange(ends[-1]) + start], ends


def _faces(data: Dataset, links: Rows, ends: Rows, types: Array) -> tuple[Rows, Rows]:
    pixels = np.flatnonzero(types == 8)  # a pixel goes row by row, a polygon around
    for cell in pixels[np.diff(ends)[pixels] == 4]:
        links[ends[cell] + 2 : ends[cell] + 4] = links[ends[cell] + 2 : ends[cell] + 4][::-1]
    strips = types == 6
    plain, turned = np.flatnonzero(~strips), np.flatnonzero(strips)
    a, first = _triangles(*_chosen(links, ends, plain))
    b, second = _strips(*_chosen(links, ends, turned))
    if len(a) + len(b) > len(types):
        data.notes.append("faces of more than three corners were cut into triangles.")
    return np.concatenate([a, b]), np.concatenate([plain[first], turned[second]])


def _fixed(data: Dataset, types: tuple[int, ...], size: int) -> tuple[Rows, Rows]:
    """Cells of some types, and their points ``(n, size)``."""
    connectivity, offsets = data.cells["Cells"]
    cells = np.flatnonzero(np.isin(data.types, types))
    if np.any(np.diff(offsets)[cells] != size):
        data.fail(f"cells of VTK's type {types} need {size} points each. The file is damaged.")
    return cells, connectivity[offsets[:-1][cells][:, None] + np.arange(size)]


def _tetrahedra(data: Dataset) -> Tetrahedra:
    cells, rows = _fixed(data, (_TETRA,), 4)
    notes: list[str] = []
    body = Tetrahedra(
        name_of(data), data.points, rows, _whole(data, PART, cells),
        properties=numbers(data.point_data, notes), regions=regions_of(data.point_data),
        cell_properties=numbers(data.cell_data, notes, cells), **common(data),
    )  # fmt: skip
    turned = body.volumes < 0
    if turned.any():
        rows = np.where(turned[:, None], rows[:, [0, 2, 1, 3]], rows)
        notes.append(f"{int(turned.sum())} tetrahedra of negative volume were turned round.")
    return replace(body, tetrahedra=rows).noted(*notes)


def _boxes(data: Dataset) -> BlockModel:
    cells, rows = _fixed(data, _BOX, 8)
    voxels = data.types[cells] == 11  # a voxel goes row by row, a hexahedron around
    rows[voxels] = rows[voxels][:, [0, 1, 3, 2, 4, 5, 7, 6]]
    corners = data.points[rows]
    edges = np.stack([corners[:, k] - corners[:, 0] for k in (1, 3, 4)], axis=1)
    sizes = np.linalg.norm(edges, axis=2)
    if sizes.min() <= 0:
        data.fail("a box has no size along one of its edges. The file is damaged.")
    # a box is a corner and three edges at right angles, the same directions for all
    axes = edges[0] / sizes[0][:, None]
    signs = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]])
    expected = corners[:, :1] + np.einsum("pk,nkx->npx", signs.astype(float), sizes[:, :, None] * axes)
    wrong = np.abs(expected - corners).max() > 1e-4 * sizes.max()
    if wrong or np.abs(axes @ axes.T - np.eye(3)).max() > 1e-4:
        data.fail(
            "its hexahedra are no boxes of one orientation, a block model needs such. Save the grid as a "
            "structured grid (.vts), or resample it in ParaView first ('Resample To Image')."
        )
    notes: list[str] = []
    if data.point_data:
        notes.append(f"values at the corners of boxes were left out: {', '.join(data.point_data)}.")
    texts = {n: v[cells].astype(str) for n, v in data.cell_data.items() if v.dtype.kind == "O"}
    values = {n: v for n, v in data.cell_data.items() if v.dtype.kind != "O"}
    centres, order = corners.mean(axis=1), np.argmax(np.abs(axes), axis=0)
    straight = np.abs(np.abs(axes[order]) - np.eye(3)).max() < 1e-6
    frame = None if straight else Frame(corners[0, 0], axes)
    if frame is not None:
        centres = frame.to_local(centres)
    return BlockModel(
        name_of(data), centres, sizes[:, order] if straight else sizes,
        numbers(values, notes, cells), texts=texts, frame=frame,
        layout="Boxes in the order of the file, values are those of the cells.", **common(data),
    ).noted(*notes)  # fmt: skip
