"""Faces of cells: of those at or above a threshold, of bodies of cells, and of slices."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpm3d.grid import FloatArray
from mpm3d.view.scene import Cells, Scene

AXES = ("x", "y", "z")


class Faces(NamedTuple):
    """Cell faces: corners ``(n, 4, 3)`` float32 metres from the origin; values, cells ``(n,)``."""

    corners: NDArray[np.float32]
    values: NDArray[np.float32]
    cell: NDArray[np.int64]


def target_faces(scene: Scene, threshold: float) -> Faces:
    """Outer faces of the cells at or above a threshold, each with the score of its cell."""
    return _faces(scene, scene.values >= np.float32(threshold), (0, 0, 0))


def cell_faces(scene: Scene, cells: Cells) -> Faces:
    """Outer faces of a body of whole cells."""
    cells = np.asarray(cells, dtype=np.int64).reshape(-1, 3)
    if not len(cells):
        return _faces(scene, np.zeros((1, 1, 1), dtype=bool), (0, 0, 0))
    # a body is small beside the volume, so only the box that holds it is looked at
    low, high = cells.min(axis=0), cells.max(axis=0)
    mask = np.zeros(high - low + 1, dtype=bool)
    mask[tuple((cells - low).T)] = True
    return _faces(scene, mask, tuple(low.tolist()))


def _faces(scene: Scene, mask: NDArray[np.bool_], low: tuple[int, ...]) -> Faces:
    """Faces of the cells of a box whose lowest cell is ``low``."""
    nodes, owners = [], []
    for axis in range(3):
        below = np.moveaxis(mask, axis, 0)
        change = np.diff(below.astype(np.int8), axis=0, prepend=0, append=0)
        # a face lies between two cells of which one is kept; it belongs to that one
        plane, a, b = (index.astype(np.int64) for index in np.nonzero(change))
        starts = change[plane, a, b] > 0
        owner = np.column_stack([plane - ~starts, a, b])
        others = [k for k in range(3) if k != axis]
        order = [axis, *others]
        corner = np.empty((len(plane), 4, 3), dtype=np.int64)
        corner[:, :, axis] = plane[:, None]
        corner[:, :, others[0]] = a[:, None] + np.array([0, 1, 1, 0])
        corner[:, :, others[1]] = b[:, None] + np.array([0, 0, 1, 1])
        nodes.append(corner)
        owners.append(owner[:, np.argsort(order)])
    corners, cell = np.concatenate(nodes) + low, np.concatenate(owners) + low
    flat = np.ravel_multi_index(tuple(cell.T), scene.grid.shape)
    values = scene.values[tuple(cell.T)]
    return Faces(_place(scene, corners), values, np.asarray(flat, dtype=np.int64))


def slice_faces(scene: Scene, values: Any, axis: int, index: int) -> Faces:
    """Faces of one layer of cells, drawn through the cell centres; cells without a value are left out.

    Parameters
    ----------
    scene : Scene
        The scene.
    values : array of shape (z, y, x)
        The score or a layer of evidence; of one in a file, only the slice is read.
    axis, index : int
        0 is z, 1 is y, 2 is x; the cell along it, clipped to the grid.
    """
    index = int(np.clip(index, 0, scene.grid.shape[axis] - 1))
    plane = slice_values(values, axis, index)
    a, b = np.nonzero(np.isfinite(plane))
    others = [k for k in range(3) if k != axis]
    corners = np.empty((len(a), 4, 3))
    corners[:, :, axis] = index + 0.5
    corners[:, :, others[0]] = a[:, None] + np.array([0, 1, 1, 0])
    corners[:, :, others[1]] = b[:, None] + np.array([0, 0, 1, 1])
    cell = np.zeros((len(a), 3), dtype=np.int64)
    cell[:, axis], cell[:, others[0]], cell[:, others[1]] = index, a, b
    flat = np.ravel_multi_index(tuple(cell.T), scene.grid.shape)
    return Faces(_place(scene, corners), plane[a, b], np.asarray(flat, dtype=np.int64))


def slice_values(values: Any, axis: int, index: int) -> NDArray[np.float32]:
    """Values of one layer of cells, float32."""
    cut: list[Any] = [slice(None)] * 3
    cut[axis] = index
    return np.asarray(values[tuple(cut)], dtype=np.float32)


def cell_at(scene: Scene, axis: str, coordinate: float) -> int:
    """Cell along ``"x"``, ``"y"`` or ``"z"`` that holds a coordinate; beyond the grid the nearest one."""
    k = axis_of(axis)
    position = (coordinate - scene.grid.corner[k]) / scene.grid.spacing[k]
    return int(np.clip(np.floor(position), 0, scene.grid.shape[k] - 1))


def axis_of(name: str) -> int:
    """Axis of the cells that ``"x"``, ``"y"`` or ``"z"`` is: 2, 1 or 0."""
    if name not in AXES:
        raise ValueError(f"axis {name!r} is not known, use one of {', '.join(AXES)}.")
    return 2 - AXES.index(name)


def edges_from_origin(scene: Scene) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Places of the cell edges along z, y and x in metres from the scene's origin, float32."""
    start = np.asarray(scene.grid.corner) - np.asarray(scene.origin[::-1])
    z, y, x = (
        (start[k] + np.arange(scene.grid.shape[k] + 1) * scene.grid.spacing[k]).astype(np.float32)
        for k in range(3)
    )
    return z, y, x


def _place(scene: Scene, nodes: NDArray[Any]) -> NDArray[np.float32]:
    """Counts of cell edges ``(n, 4, 3)`` along z, y, x as x, y, z from the scene's origin."""
    start = np.asarray(scene.grid.corner) - np.asarray(scene.origin[::-1])
    place = start + nodes * np.asarray(scene.grid.spacing)
    points: NDArray[np.float32] = place[..., ::-1].astype(np.float32)
    return points
