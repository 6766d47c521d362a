"""Texture in a window around each cell of a map: how grey levels of neighbours go together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mpm3d.grid import FloatArray
from mpm3d.rasters.windows import LEAST_SHARE, box_sum, check_window

# steps to the neighbour at 0, 45, 90 and 135 degrees, rows north
_STEPS = ((0, 1), (1, 1), (1, 0), (1, -1))
_Pair = tuple[FloatArray, FloatArray, FloatArray, tuple[int, int]]


def grey_levels(field: FloatArray, levels: int) -> FloatArray:
    """Number the values of a map by classes that hold equally many cells (equal frequency).

    Parameters
    ----------
    field : array of shape (y, x)
        NaN where missing.
    levels : int
        Number of classes, 2 to 256. Equal values are in one class, so there may be fewer.

    Returns
    -------
    array of shape (y, x)
        0 to ``levels - 1``; NaN where missing.

    Raises
    ------
    ValueError
        If the number is not possible.

    Examples
    --------
    >>> grey_levels(np.array([[1.0, 2, 30], [4000, np.nan, 2]]), 2)
    array([[ 0.,  1.,  1.],
           [ 1., nan,  1.]])
    """
    if not 2 <= levels <= 256:
        raise ValueError(f"{levels} grey levels are not possible, use 2 to 256.")
    known = np.isfinite(field)
    found = np.full(field.shape, np.nan)
    if known.any():
        edges = np.quantile(field[known], np.arange(1, levels) / levels)
        found[known] = np.searchsorted(edges, field[known], side="right")
    return found


def texture(field: FloatArray, window: int, name: str, *, levels: int = 32) -> FloatArray:
    r"""Texture of a map by co-occurrence of grey levels in a window around each cell.

    Parameters
    ----------
    field : array of shape (y, x)
        NaN where missing; pairs of which one is missing do not count.
    window : int
        Odd number of cells along each side.
    name : {"dissimilarity", "correlation"}
        With :math:`P_{ij}` the share of pairs of neighbours of the levels i and j, each pair counted both
        ways: :math:`\sum P_{ij} |i - j|`, and :math:`\sum P_{ij} (i - \mu)(j - \mu) / \sigma^2`, which is 1
        where all are of one level.
    levels : int
        See `grey_levels`; they are made once, of the whole map.

    Returns
    -------
    array of shape (y, x)
        Mean over the directions 0, 45, 90 and 135 degrees, at a distance of one cell. NaN where the cell
        itself has no value, more than half of its window does not, or no pair is left. At the edges the
        window is what is left of it inside the map.

    Raises
    ------
    ValueError
        If the window, the name or the number of levels is not possible.

    Notes
    -----
    Equal to ``graycomatrix`` and ``graycoprops`` of scikit-image (symmetric, normed) in each window. Both
    properties are sums over pairs, which are added up for all windows at once, so no matrix is made.

    References
    ----------
    Haralick, Shanmugam and Dinstein 1973, doi 10.1109/TSMC.1973.4309314.
    """
    check_window(window, field.shape)
    if name not in ("dissimilarity", "correlation"):
        raise ValueError(f"the texture {name!r} is not known, use dissimilarity or correlation.")
    grey = grey_levels(field, levels)
    measure = _dissimilarity if name == "dissimilarity" else _correlation
    total, count = np.zeros(field.shape), np.zeros(field.shape)
    for pair in _pairs(grey):
        found = measure(pair, window)
        there = np.isfinite(found)
        total[there] += found[there]
        count += there
    known = np.isfinite(grey)
    filled = box_sum(known.astype(float), window) >= LEAST_SHARE * box_sum(np.ones(field.shape), window)
    return _ratio(total, count, known & filled & (count > 0))


def _pairs(grey: FloatArray) -> Iterator[_Pair]:
    """Both levels of each pair and whether it counts, at its south-western corner, for each direction."""
    for up, right in _STEPS:
        rows, columns = slice(up, None), slice(abs(right), None)
        near_rows, near_columns = slice(None, -up or None), slice(None, -abs(right) or None)
        first, second = (near_columns, columns) if right >= 0 else (columns, near_columns)
        a, b = np.full(grey.shape, np.nan), np.full(grey.shape, np.nan)
        a[near_rows, near_columns] = grey[near_rows, first]
        b[near_rows, near_columns] = grey[rows, second]
        both = np.isfinite(a) & np.isfinite(b)
        yield np.where(both, a, 0.0), np.where(both, b, 0.0), both.astype(float), (up, abs(right))


def _dissimilarity(pair: _Pair, window: int) -> FloatArray:
    a, b, both, short = pair
    n = box_sum(both, window, short=short)
    return _ratio(box_sum(np.abs(a - b), window, short=short), n, n > 0)


def _correlation(pair: _Pair, window: int) -> FloatArray:
    """Sums of whole numbers, so that a window of one level is seen exactly."""
    a, b, both, short = pair
    n, first, second, product = (
        box_sum(each, window, short=short) for each in (both, a + b, a * a + b * b, a * b)
    )
    # each pair counts both ways, so both have the same mean and variance
    spread = 2 * n * second - first**2
    alike = np.where(n > 0, 1.0, np.nan)
    return np.where(spread > 0, _ratio(4 * n * product - first**2, spread, spread > 0), alike)


def _ratio(above: FloatArray, below: FloatArray, where: NDArray[np.bool_]) -> FloatArray:
    """One array divided by another, NaN where it is not asked for."""
    found: FloatArray = np.full(above.shape, np.nan)
    np.divide(above, below, out=found, where=where)
    return found
