"""Blocks of any size: the block that holds a place, and means by the volume shared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpm3d.blocks import index_boxes
from mpm3d.grid import FloatArray, Grid
from mpm3d.lattice import BlockModel, Frame
from mpm3d.resampling.rotated import local_places

Rows = NDArray[np.int64]
# faces closer than this share of a block's width are the same face: rounding of centres and sizes
_NEAR = 1e-6
_MOST = 1_000_000


class Boxes:
    """Ends of the blocks of a model.

    Parameters
    ----------
    model : BlockModel
        Blocks of any size.

    Attributes
    ----------
    low, high : array of shape (n, 3)
        z, y, x of the corners, local ones if there is a frame.
    frame : Frame or None
        That of the model.
    """

    def __init__(self, model: BlockModel) -> None:
        self.low = (model.centres - model.sizes / 2)[:, ::-1]
        self.high = (model.centres + model.sizes / 2)[:, ::-1]
        self.frame = model.frame


def from_boxes(boxes: Boxes, values: FloatArray, grid: Grid, method: str) -> NDArray[np.float32]:
    """Values of blocks in the cells of a grid.

    Parameters
    ----------
    boxes : Boxes
        The blocks; where some overlap, the smallest counts.
    values : array of shape (n,)
        One for each block.
    grid : Grid
        Where values are wanted.
    method : {"nearest", "average"}
        The block that holds the centre of the cell; or, for blocks without a frame, the mean of all blocks
        that meet the cell, weighted by the volume shared.

    Returns
    -------
    array of shape (z, y, x)
        NaN where no block is, and for a mean also where less than half of the cell has a value.
    """
    low, high = boxes.low, boxes.high
    if method == "average":
        return _means(low, high, values, grid)
    if boxes.frame is None:
        found = _holders(low, high, grid)
    else:
        found = _framed_holders(low, high, boxes.frame, grid)
    known = np.append(np.asarray(values, dtype=np.float32), np.float32(np.nan))
    return np.asarray(known[found])  # -1 is the last


def _near(low: FloatArray, high: FloatArray, first: FloatArray, last: FloatArray) -> Rows:
    """Rows of the boxes that meet the box from ``first`` to ``last``, large ones before small ones."""
    margin = _NEAR * (high - low)
    rows = np.flatnonzero(((low - margin <= last) & (high + margin >= first)).all(axis=1))
    volume = (high[rows] - low[rows]).prod(axis=1)
    return np.asarray(rows[np.argsort(-volume, kind="stable")])


def _holders(low: FloatArray, high: FloatArray, grid: Grid) -> Rows:
    """Row of the block that holds each cell centre, -1 for none; at a face the upper one."""
    centres = [grid.centres(axis) for axis in range(3)]
    found = np.full(grid.shape, -1, dtype=np.int64)
    rows = _near(low, high, np.array([c[0] for c in centres]), np.array([c[-1] for c in centres]))
    low, high = low[rows], high[rows]
    margin = _NEAR * (high - low)
    first, last, closed = (np.empty((len(rows), 3), dtype=np.int64) for _ in range(3))
    for axis, centre in enumerate(centres):
        first[:, axis] = np.searchsorted(centre, low[:, axis] - margin[:, axis], side="left")
        last[:, axis] = np.searchsorted(centre, high[:, axis] - margin[:, axis], side="left") - 1
        closed[:, axis] = np.searchsorted(centre, high[:, axis] + margin[:, axis], side="right") - 1
    on_far_face = (closed > last).any(axis=1)  # these cells are theirs only if no other block begins there
    for some, end in ((on_far_face, closed), (np.ones(len(rows), dtype=bool), last)):
        for owner, index in index_boxes(first[some], end[some]):
            found[tuple(index.T)] = rows[some][owner]
    return found


def _framed_holders(low: FloatArray, high: FloatArray, frame: Frame, grid: Grid) -> Rows:
    """As `_holders` for blocks in local coordinates, the cell centres sorted into bins of about one each."""
    places = np.stack([at.ravel() for at in local_places(frame, grid)], axis=1)
    found = np.full(len(places), -1, dtype=np.int64)
    near = _NEAR * (high - low).max()
    asked = np.flatnonzero(
        ((places >= low.min(axis=0) - near) & (places <= high.max(axis=0) + near)).all(axis=1)
    )
    if len(asked):
        places = places[asked]
        rows = _near(low, high, places.min(axis=0), places.max(axis=0))
        found[asked] = np.append(rows, -1)[_search(low[rows], high[rows], places)]
    return found.reshape(grid.shape)


def _search(low: FloatArray, high: FloatArray, places: FloatArray) -> Rows:
    """Last box that holds each place, one that ends at it only if no other does; -1 for none."""
    start, extent = places.min(axis=0), np.ptp(places, axis=0)
    side = max(float(np.cbrt(np.maximum(extent, 1e-3 * extent.max() + 1e-9).prod() / len(places))), 1e-9)
    count = np.minimum(np.floor(extent / side).astype(np.int64) + 1, 1000)
    step = np.maximum(extent / count, 1e-9)
    bins = np.clip(((places - start) / step).astype(np.int64), 0, count - 1)
    code = np.ravel_multi_index(tuple(bins.T), tuple(count))
    order = np.argsort(code, kind="stable")
    begins = np.concatenate([[0], np.cumsum(np.bincount(code, minlength=int(count.prod())))])
    margin = _NEAR * (high - low)
    first = np.clip(np.floor((low - margin - start) / step), 0, count - 1).astype(np.int64)
    last = np.clip(np.floor((high + margin - start) / step), 0, count - 1).astype(np.int64)
    held, touched = np.full(len(places), -1, dtype=np.int64), np.full(len(places), -1, dtype=np.int64)
    for box, index in index_boxes(first, last):
        cell = np.ravel_multi_index(tuple(index.T), tuple(count))
        for which, position in index_boxes(begins[cell][:, None], begins[cell + 1][:, None] - 1):
            point, owner = order[position[:, 0]], box[which]
            at, near = places[point], margin[owner]
            begun = (at >= low[owner] - near).all(axis=1)
            within = begun & (at < high[owner] - near).all(axis=1)
            ends = begun & (at <= high[owner] + near).all(axis=1)
            held[point[within]] = owner[within]
            touched[point[ends]] = owner[ends]
    return np.where(held >= 0, held, touched)


def _means(low: FloatArray, high: FloatArray, values: FloatArray, grid: Grid) -> NDArray[np.float32]:
    """Mean of the known values of the blocks in each cell, weighted by the volume shared."""
    edges = [c + np.arange(n + 1) * d for c, n, d in zip(grid.corner, grid.shape, grid.spacing, strict=True)]
    rows = _near(low, high, np.array([e[0] for e in edges]), np.array([e[-1] for e in edges]))
    rows = rows[~np.isnan(values[rows])]
    low, high, values = low[rows], high[rows], values[rows]
    first, last = np.empty((len(rows), 3), dtype=np.int64), np.empty((len(rows), 3), dtype=np.int64)
    for axis, (edge, n) in enumerate(zip(edges, grid.shape, strict=True)):
        first[:, axis] = np.clip(np.searchsorted(edge, low[:, axis], side="right") - 1, 0, n - 1)
        last[:, axis] = np.clip(np.searchsorted(edge, high[:, axis], side="left") - 1, 0, n - 1)
    total, volume = np.zeros(grid.n_cells), np.zeros(grid.n_cells)
    for owner, index in index_boxes(first, last, limit=_MOST):
        shared = np.ones(len(owner))
        for axis, edge in enumerate(edges):
            begin, end = edge[index[:, axis]], edge[index[:, axis] + 1]
            top = np.minimum(high[owner, axis], end)
            shared *= np.maximum(top - np.maximum(low[owner, axis], begin), 0.0)
        flat = np.ravel_multi_index(tuple(index.T), grid.shape)
        np.add.at(total, flat, shared * values[owner])
        np.add.at(volume, flat, shared)
    lost = volume < (0.5 - 1e-9) * grid.cell_volume
    mean = np.divide(total, volume, out=np.full(grid.n_cells, np.nan), where=~lost)
    return np.asarray(mean.reshape(grid.shape), dtype=np.float32)
