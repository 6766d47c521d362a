"""Faces of cells: of those at or above a threshold, of bodies of cells, and of slices."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpm3d.grid import FloatArray
from mpm3d.view.scene import Cells, Scene


class Faces(NamedTuple):
    """Cell faces: corners ``(n, 4, 3)`` float32 metres from the origin; values, cells ``(n,)``."""

    corners: NDArray[np.float32]
    values: NDArray[np.float32]
    cell: NDArray[np.int64]


def target_faces(scene: Scene, threshold: float) -> Faces:
    """Outer faces of the cells at or above a threshold, each with the score of its cell."""
    return _faces(scene, scene.values >= np.float32(threshold), scene.values)


def cell_faces(scene: Scene, cells: Cells) -> Faces:
    """Outer faces of a body of whole cells."""
    mask = np.zeros(scene.grid.shape, dtype=bool)
    mask[tuple(np.asarray(cells).T)] = True
    return _faces(scene, mask, scene.values)


def _faces(scene: Scene, mask: NDArray[np.bool_], values: NDArray[np.float32]) -> Faces:
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
    corners, cell = np.concatenate(nodes), np.concatenate(owners)
    flat = np.ravel_multi_index(tuple(cell.T), scene.grid.shape)
    return Faces(_place(scene, corners), values.ravel()[flat], np.asarray(flat, dtype=np.int64))


def slice_faces(scene: Scene, values: FloatArray, axis: int, index: int) -> Faces:
    """Faces of one layer of cells, drawn through the cell centres; cells without a value are left out.

    Parameters
    ----------
    scene : Scene
        The scene.
    values : array of shape (z, y, x)
        The score or a layer of evidence.
    axis, index : int
        0 is z, 1 is y, 2 is x; the cell along it, clipped to the grid.
    """
    index = int(np.clip(index, 0, scene.grid.shape[axis] - 1))
    plane = np.take(np.asarray(values, dtype=np.float32), index, axis=axis)
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


def _place(scene: Scene, nodes: NDArray[Any]) -> NDArray[np.float32]:
    """Counts of cell edges ``(n, 4, 3)`` along z, y, x as x, y, z from the scene's origin."""
    start = np.asarray(scene.grid.corner) - np.asarray(scene.origin[::-1])
    place = start + nodes * np.asarray(scene.grid.spacing)
    points: NDArray[np.float32] = place[..., ::-1].astype(np.float32)
    return points
