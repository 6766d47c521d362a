"""Through which cells straight holes run, and how far in each."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpm3d.drilling.ground import crossings
from mpm3d.grid import FloatArray, Grid


def pieces(
    collar: ArrayLike, direction: ArrayLike, length: ArrayLike, grid: Grid
) -> tuple[NDArray[np.int64], FloatArray]:
    """Cut straight holes at the faces of cells.

    Parameters
    ----------
    collar : array of shape (n, 3)
        x, y, elevation, in metres.
    direction : array of shape (n, 3)
        Unit vectors.
    length : array of shape (n,)
        In metres.
    grid : Grid
        The cells.

    Returns
    -------
    cells : array of shape (n, m)
        Flat index of the cell of each piece, -1 outside the grid.
    ends : array of shape (n, m + 1)
        Metres along the hole where pieces begin and end, ascending. Pieces of no length fill up the rows.

    References
    ----------
    Amanatides, J. and Woo, A. (1987). A fast voxel traversal algorithm for ray tracing. Eurographics 87,
    3-10. The same crossings are computed at once and sorted here.

    Examples
    --------
    A hole towards the east at 45 degrees through cells of 10 m, from a corner of the map:

    >>> grid = Grid((3, 1, 3), (10, 10, 10), (-30, 0, 0), "EPSG:32651")
    >>> cells, ends = pieces([[0, 5, 0]], [[0.8**0.5, 0, -(0.2**0.5)]], [20], grid)
    >>> metres = np.diff(ends)
    >>> cells[metres > 1e-6], np.round(metres[metres > 1e-6], 3)
    (array([6, 7]), array([11.18,  8.82]))
    """
    start, way = (np.asarray(part, dtype=float).reshape(-1, 3)[:, ::-1] for part in (collar, direction))
    end = np.asarray(length, dtype=float).reshape(-1)
    counts, steps = (start - grid.corner) / grid.spacing, way / grid.spacing
    parts = [np.zeros((len(end), 1)), end[:, None]]
    parts += [crossings(counts[:, axis], steps[:, axis], end) for axis in range(3)]
    ends = np.sort(np.minimum(np.concatenate(parts, axis=1), end[:, None]), axis=1)
    middle = (ends[:, 1:] + ends[:, :-1]) / 2
    cells, inside = np.zeros(middle.shape, np.int64), np.ones(middle.shape, bool)
    for axis, n in enumerate(grid.shape):
        index = np.floor(counts[:, axis, None] + middle * steps[:, axis, None])
        inside &= (index >= 0) & (index < n)
        cells = cells * n + np.clip(index, 0, n - 1).astype(np.int64)
    return np.where(inside, cells, -1), ends
