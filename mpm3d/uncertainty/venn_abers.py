"""Inductive Venn–Abers prediction: two isotonic regressions per test score, for all of them at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float64 = NDArray[np.float64]
_Point = tuple[float, float]


def venn_abers(
    scores: ArrayLike, labels: ArrayLike, *, weights: ArrayLike | None = None
) -> tuple[Float64, Float64, Float64]:
    """Lower and upper probability of ore as step functions of the score.

    A test cell joins the calibration set once as barren and once as ore, each time an isotonic regression
    is fitted, and its value at the test cell is the lower, or the upper, probability. Instead of two fits per
    cell, the slopes of all of them are read off one convex hull that is turned point by point. Takes
    O(n log n) to sort and O(n) to go through.

    Parameters
    ----------
    scores : array of shape (n,)
        Scores of calibration cells, finite.
    labels : array of shape (n,)
        1 for ore, 0 for barren.
    weights : array of shape (n,), optional
        How many cells each one stands for, above 0; 1 by default. The test cell counts as 1. Without equal
        weights the guarantee of validity is lost.

    Returns
    -------
    steps : array of shape (k,)
        Distinct scores, ascending.
    low : array of shape (k,)
        Lower probability from each step up to below the next one; 0 below the first.
    high : array of shape (k,)
        Upper probability above the step before and up to each one; 1 above the last.

    References
    ----------
    Vovk, Petej, Fedorova: Large-scale probabilistic predictors with and without guarantees of validity. NIPS
    2015, arXiv:1511.00213. Algorithms 1 and 2, here with weights; those for the lower probability are the
    same seen from the other end.
    """
    score, label = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    weight = np.ones(len(score)) if weights is None else np.asarray(weights, dtype=np.float64)
    steps, place = np.unique(score, return_inverse=True)
    width = np.bincount(place, weight, len(steps)).astype(np.float64)
    rise = np.bincount(place, weight * label, len(steps)).astype(np.float64)
    high = _upper(width, rise)
    low = 1 - _upper(width[::-1], (width - rise)[::-1])[::-1]
    return steps, low.clip(0, 1), high.clip(0, 1)


def _upper(width: Float64, rise: Float64) -> Float64:
    """Value of the isotonic fit at each step when an ore cell of weight 1 is added there.

    The fit's values are slopes of the greatest convex minorant of the cumulative sums. The added cell is the
    edge (1, 1), which walks from the left end to the right as the step does, past one group a time.
    """
    x, y = np.cumsum(width), np.cumsum(rise)
    points: list[_Point] = [(-1.0, -1.0), (0.0, 0.0), *zip(x.tolist(), y.tolist(), strict=True)]
    hull = _lower_hull(points)[::-1]  # the left end on top of the stack
    result = np.ones(len(width))
    mixed = np.flatnonzero(rise < width)  # to the right of these all is ore, and the value is 1
    for i in range(int(mixed[-1]) + 1 if len(mixed) else 0):
        top, below = hull[-1], hull[-2]
        result[i] = (below[1] - top[1]) / (below[0] - top[0])
        moved = (points[i + 2][0] - 1.0, points[i + 2][1] - 1.0)  # the group is now left of the added cell
        if _turn(top, below, moved) >= 0:
            continue  # not below the hull, which stays as it is
        hull.pop()
        while len(hull) > 1 and _turn(moved, hull[-1], hull[-2]) <= 0:
            hull.pop()
        hull.append(moved)
    return result


def _lower_hull(points: list[_Point]) -> list[_Point]:
    """Corners of the greatest convex minorant of points from left to right."""
    hull: list[_Point] = []
    for point in points:
        while len(hull) > 1 and _turn(hull[-2], hull[-1], point) <= 0:
            hull.pop()
        hull.append(point)
    return hull


def _turn(a: _Point, b: _Point, c: _Point) -> float:
    """Above 0 where the way from a over b to c turns left, c lies above the line through a and b then."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
