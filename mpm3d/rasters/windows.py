"""Mean and standard deviation in a square window around each cell of a map."""

from __future__ import annotations

import numpy as np

from mpm3d.grid import FloatArray

# of the cells of a window inside the map, so many must have a value
LEAST_SHARE = 0.5


def mean(field: FloatArray, window: int) -> FloatArray:
    """Mean of the values in a window around each cell.

    Parameters
    ----------
    field : array of shape (y, x)
        NaN where missing.
    window : int
        Odd number of cells along each side.

    Returns
    -------
    array of shape (y, x)
        NaN where the cell itself has no value, or more than half of the cells of its window do not. At the
        edges the window is what is left of it inside the map.

    Raises
    ------
    ValueError
        If the window is even, less than 3, or larger than the map.

    Examples
    --------
    >>> mean(np.array([[1.0, 2, 3], [4, np.nan, 6], [7, 8, 9]]), 3)
    array([[2.33333333, 3.2       , 3.66666667],
           [4.4       ,        nan, 5.6       ],
           [6.33333333, 6.8       , 7.66666667]])
    """
    return spread(field, window)[0]


def std(field: FloatArray, window: int) -> FloatArray:
    """Standard deviation of the values in a window around each cell, of the population (divided by n).

    Parameters
    ----------
    field, window
        As in `mean`.

    Returns
    -------
    array of shape (y, x)
        NaN as in `mean`.

    Raises
    ------
    ValueError
        As in `mean`.
    """
    return spread(field, window)[1]


def spread(field: FloatArray, window: int) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation in a window around each cell, together; see `mean` and `std`.

    Notes
    -----
    Sums of squares are merged from cells to rows to windows (Chan, Golub and LeVeque 1983, doi
    10.1080/00031305.1983.10483115), so that a small deviation at a large mean is not lost, as it is
    in the difference of two large sums.
    """
    check_window(window, field.shape)
    known = np.isfinite(field)
    n: FloatArray = known.astype(float)
    middle: FloatArray = np.where(known, field, 0.0)
    squares: FloatArray = np.zeros(field.shape)
    for axis in (1, 0):
        n, middle, squares = _merged(n, middle, squares, window, axis)
    inside = box_sum(np.ones(field.shape), window)
    gone = ~known | (n < LEAST_SHARE * inside)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(gone, np.nan, middle), np.where(gone, np.nan, np.sqrt(squares / n))


def check_window(window: int, shape: tuple[int, ...]) -> None:
    """Refuse a window that has no middle, is a cell, or does not fit a map.

    Raises
    ------
    ValueError
        If it is even, less than 3, or larger than the map.
    """
    if window < 3 or window % 2 == 0:
        raise ValueError(f"a window of {window} cells is not possible, use an odd number of 3 or more.")
    if window > min(shape):
        raise ValueError(
            f"a window of {window} cells is larger than the map of {shape[0]} × {shape[1]} cells (y, x). "
            "Use a smaller one."
        )


def box_sum(values: FloatArray, window: int, *, short: tuple[int, int] = (0, 0)) -> FloatArray:
    """Sum over a window around each cell, of what is inside the map.

    Parameters
    ----------
    values : array of shape (y, x)
        Without NaN.
    window : int
        Odd number of cells.
    short : tuple of int
        By how many cells, at most half a window, it ends earlier in the north and in the east.
    """
    from scipy import ndimage

    total = values
    for axis in (0, 1):
        weights = np.ones(window)
        weights[window - short[axis] :] = 0
        total = np.asarray(ndimage.correlate1d(total, weights, axis=axis, mode="constant", cval=0.0))
    return total


def _merged(
    n: FloatArray, middle: FloatArray, squares: FloatArray, window: int, axis: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Count, mean and sum of squared deviations of the parts in a window along an axis, together."""
    from scipy import ndimage

    def total(values: FloatArray) -> FloatArray:
        found = ndimage.correlate1d(values, np.ones(window), axis=axis, mode="constant", cval=0.0)
        return np.asarray(found)

    count = np.rint(total(n))
    whole = np.divide(total(n * middle), count, out=np.zeros(n.shape), where=count > 0)
    more = np.zeros(n.shape)
    for shift in range(-(window // 2), window // 2 + 1):
        here, there = _pair(shift, axis)
        more[here] += n[there] * (middle[there] - whole[here]) ** 2
    return count, whole, total(squares) + more


def _pair(shift: int, axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Windows on the cells that have a neighbour so many cells on, and on these neighbours."""
    here = slice(max(0, -shift), -shift if shift > 0 else None)
    there = slice(max(0, shift), shift if shift < 0 else None)
    rest = slice(None)
    return ((here, rest), (there, rest)) if axis == 0 else ((rest, here), (rest, there))
