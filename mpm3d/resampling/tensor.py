"""Cells along x, y and z: values by weights of each axis alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from mpm3d.blocks import index_boxes
from mpm3d.geometry import Array
from mpm3d.grid import FloatArray, Grid
from mpm3d.lattice import Values

Edges = tuple[FloatArray, FloatArray, FloatArray]


def from_axes(edges: Edges, values: Values, grid: Grid, method: str) -> NDArray[np.float32]:
    """Values of a tensor mesh whose axes are x, y and z; see `mpm3d.resampling.resample`.

    Parameters
    ----------
    edges : tuple of three arrays
        Ascending cell edges along z, y and x, in metres.
    values : array of shape (z, y, x)
        Only the part that the grid needs is read.
    grid : Grid
        Where values are wanted.
    method : {"linear", "nearest", "average"}
        How.

    Returns
    -------
    array of shape (z, y, x)
        NaN outside the mesh.
    """
    weights, parts = [], []
    for axis in range(3):
        weight = _axis_weights(edges[axis], grid, axis, method)
        used = np.flatnonzero(weight.getnnz(axis=0))
        parts.append(slice(used[0], used[-1] + 1) if len(used) else slice(0, 0))
        weights.append(weight[:, parts[-1]])
    if any(part.stop == 0 for part in parts):
        return np.full(grid.shape, np.nan, dtype=np.float32)
    known_values = np.asarray(values[tuple(parts)], dtype=float)  # the only part of a file that is read
    known = ~np.isnan(known_values)
    total = _apply(weights, np.where(known, known_values, 0.0))
    missing = _apply(weights, (~known).astype(float))
    share = _apply(weights, np.ones_like(known_values))  # 1 where the model covers the cell
    if method == "average":
        valid = share - missing
        lost = valid < 0.5 - 1e-9
        total = np.divide(total, valid, out=total, where=~lost)
    else:
        lost = (missing > 0) | (share < 0.5)
    return np.where(lost, np.nan, total).astype(np.float32)


def _axis_weights(edges: FloatArray, grid: Grid, axis: int, method: str) -> Any:
    """Sparse ``(cells of the grid, cells of the model)`` along one axis; rows outside are empty."""
    centres = grid.centres(axis)
    n, m = len(centres), len(edges) - 1
    if method == "average":
        half = grid.spacing[axis] / 2
        first = np.clip(np.searchsorted(edges, centres - half, side="right") - 1, 0, m - 1)
        last = np.clip(np.searchsorted(edges, centres + half, side="left") - 1, 0, m - 1)
        row, column = next(index_boxes(first[:, None], last[:, None], limit=n * m + 1))
        column = column[:, 0]
        top = np.minimum(edges[column + 1], centres[row] + half)
        overlap = np.maximum(top - np.maximum(edges[column], centres[row] - half), 0.0)
        weights = sparse.csr_matrix((overlap / (2 * half), (row, column)), shape=(n, m))
    else:
        row = np.flatnonzero((centres >= edges[0]) & (centres <= edges[-1]))
        if method == "nearest":
            weights = sparse.csr_matrix((np.ones(len(row)), (row, holder(edges, centres[row]))), shape=(n, m))
        else:
            low, high, share = between((edges[1:] + edges[:-1]) / 2, centres[row])
            parts = (np.concatenate([1 - share, share]), (np.tile(row, 2), np.concatenate([low, high])))
            weights = sparse.csr_matrix(parts, shape=(n, m))
    weights.eliminate_zeros()
    return weights


def holder(edges: FloatArray, at: FloatArray) -> Array:
    """Cell that holds each place: the upper one at an edge, the last one at the far edge and beyond."""
    return np.asarray(np.clip(np.searchsorted(edges, at, side="right") - 1, 0, len(edges) - 2))


def between(nodes: FloatArray, at: FloatArray) -> tuple[Array, Array, FloatArray]:
    """Nodes below and above each place and the weight of the upper one, constant beyond the last node.

    Parameters
    ----------
    nodes : array of shape (n,)
        Ascending coordinates.
    at : array of any shape
        Places between them.

    Returns
    -------
    low, high : arrays of int shaped as ``at``
        Indices of the nodes.
    share : array shaped as ``at``
        0 at the lower, 1 at the upper node.
    """
    low = np.clip(np.searchsorted(nodes, at, side="right") - 1, 0, max(len(nodes) - 2, 0))
    high = np.minimum(low + 1, len(nodes) - 1)
    width = np.where(high > low, nodes[high] - nodes[low], 1.0)
    return low, high, np.clip((at - nodes[low]) / width, 0.0, 1.0) * (high > low)


def _apply(weights: Sequence[Any], values: FloatArray) -> FloatArray:
    for axis, weight in enumerate(weights):
        flat = np.moveaxis(values, axis, 0)
        values = np.moveaxis((weight @ flat.reshape(flat.shape[0], -1)).reshape(-1, *flat.shape[1:]), 0, axis)
    return values
