"""Exact distance of all cells of a part of a grid to triangles, which are put in order once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import igl
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mpm3d.blocks import index_boxes
from mpm3d.distance.tree import grow
from mpm3d.geometry import Surface
from mpm3d.grid import FloatArray, Grid

__all__ = ["Nearest", "compiled", "open_space"]

_COARSE = 10  # cells along a side of the pieces that are asked for whole or not at all, without numba
_FINE = 4  # cells along a side of the pieces that a surface crosses or not


def compiled() -> Any:
    """The compiled loop, or None where numba is not installed or may not keep its cache."""
    try:
        from mpm3d.distance import kernel
    except (ImportError, RuntimeError):
        return None
    return kernel


class Nearest:
    """Triangles of surfaces, ordered once for all parts of a grid and all threads.

    With numba, packets of cells go down a tree of boxes together. Without it, libigl is asked for the cells
    that can lie nearer than the cutoff. Both are exact.

    Parameters
    ----------
    surfaces : sequence of Surface
        At least one, each with triangles and finite vertices.

    Examples
    --------
    >>> square = Surface("square", np.array([[0, 0, 0], [10, 0, 0], [10, 10, 0], [0, 10, 0.0]]),
    ...                  np.array([[0, 1, 2], [0, 2, 3]]))
    >>> Nearest([square]).to_cells(Grid((2, 1, 1), (4, 4, 4), (0, 0, 0), "EPSG:32651"), cutoff=5).ravel()
    array([2., 5.])
    """

    def __init__(self, surfaces: Sequence[Surface]) -> None:
        corners = np.concatenate([s.vertices[s.triangles] for s in surfaces])  # (triangle, corner, xyz)
        flat = corners.reshape(-1, 3)
        self.origin = (
            flat.min(axis=0) + flat.max(axis=0)
        ) / 2  # squares of UTM coordinates would cost digits
        self.corners = corners - self.origin
        self._loop = compiled()
        self._tree = None if self._loop is None else grow(self.corners)

    def to_cells(self, grid: Grid, *, cutoff: float) -> FloatArray:
        """Distance from the centre of each cell to the nearest triangle.

        Parameters
        ----------
        grid : Grid
            The cells; the window of a chunk will do.
        cutoff : float
            Distances above it, in metres, become equal to it.

        Returns
        -------
        array of shape (z, y, x)
            Distances in metres, from 0 to `cutoff`.
        """
        z, y, x = (grid.centres(axis) - self.origin[2 - axis] for axis in range(3))
        result = np.full(grid.shape, float(cutoff))
        if self._tree is None:
            self._by_libigl((z, y, x), cutoff, result)
        else:
            self._loop.distances((x, y, z), float(cutoff), self._tree.boxes, self._tree.triangles, result)
        return result

    def _by_libigl(self, axes: tuple[FloatArray, ...], cutoff: float, result: FloatArray) -> None:
        """Ask for cells in pieces whose centre is near enough, of the triangles that can be nearest.

        Distances of two points differ by their own distance at most, so that the distance of the centre of a
        piece bounds those of its cells from both sides.
        """
        ends = [
            np.minimum(np.arange(0, len(a), _COARSE)[:, None] + [0, _COARSE - 1], len(a) - 1) for a in axes
        ]
        spans = [a[e] for a, e in zip(axes, ends, strict=True)]
        centres = _lattice([span.mean(axis=1) for span in spans])
        reach = np.sqrt(sum(np.ptp(span, axis=1).max() ** 2 for span in spans)) / 2
        bound = _ask(centres, self.corners) + reach
        near = bound < cutoff + 2 * reach
        if not near.any():
            return
        wanted = near.reshape([len(span) for span in spans])
        for axis, a in enumerate(axes):
            wanted = np.repeat(wanted, _COARSE, axis=axis).take(range(len(a)), axis=axis)
        asked = _lattice(axes)[wanted.ravel()]
        far = min(float(bound[near].max()), cutoff)
        first, last = asked.min(axis=0) - far, asked.max(axis=0) + far
        low, high = self.corners.min(axis=1), self.corners.max(axis=1)
        kept = self.corners[((low <= last) & (high >= first)).all(axis=1)]
        if len(kept):
            result[wanted] = np.minimum(_ask(asked, kept), cutoff)


def open_space(grid: Grid, corners: FloatArray) -> NDArray[np.int32]:
    """Parts of a grid that no triangle divides, so that all cells of one lie on the same side of a surface.

    Parameters
    ----------
    grid : Grid
        The cells; the window of a chunk will do.
    corners : array of shape (n, 3, 3)
        Corners of the triangles, x, y, z.

    Returns
    -------
    array of shape (z, y, x)
        Number of the part of each cell, counted from 1; 0 near a triangle.
    """
    start, step = np.array(grid.first_centre), _FINE * np.array(grid.spacing)
    count = -(-np.array(grid.shape) // _FINE)
    # A piece reaches to the first centres of the next one: pieces side by side leave no gap between them.
    low = np.ceil((corners.min(axis=1)[:, ::-1] - start) / step - 1 - 1e-6)
    high = np.floor((corners.max(axis=1)[:, ::-1] - start) / step + 1e-6)
    met = ((high >= 0) & (low < count)).all(axis=1)
    box = np.maximum(low[met], 0).astype(np.int64), np.minimum(high[met], count - 1).astype(np.int64)
    free = np.ones(count, dtype=bool)
    for _, cells in index_boxes(*box):
        free[tuple(cells.T)] = False
    parts, _ = ndimage.label(free)
    for axis, n in enumerate(grid.shape):
        parts = np.repeat(parts, _FINE, axis=axis).take(range(n), axis=axis)
    result: NDArray[np.int32] = parts
    return result


def _lattice(axes: Sequence[FloatArray]) -> FloatArray:
    """Points x, y, z of a lattice from its coordinates along z, y, x."""
    z, y, x = np.meshgrid(*axes, indexing="ij")
    return np.column_stack([x.ravel(), y.ravel(), z.ravel()])


def _ask(points: FloatArray, corners: FloatArray) -> FloatArray:
    triangles = np.arange(3 * len(corners), dtype=np.int64).reshape(-1, 3)
    squared, _, _ = igl.point_mesh_squared_distance(points, corners.reshape(-1, 3), triangles)
    distances: FloatArray = np.sqrt(squared)
    return distances
