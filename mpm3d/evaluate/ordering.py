"""What the order of scores is worth: average precision, Youden's threshold, agreement of models, repeats."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpm3d.evaluate.measures import Float64, sorted_reference


def average_precision(
    positives: ArrayLike, reference: ArrayLike, *, weights: ArrayLike | None = None
) -> float:
    """Average precision of deposit cells against the eligible cells: the area under precision and recall.

    For each deposit cell, the precision among all cells that score as high or higher; then the mean of that
    over the deposit cells. Ties enter together. Chance gives the share of deposit cells among all cells, so
    the figure depends on how many cells the reference stands for: compare values of one reference only, or
    give weights so that a sample stands for the whole volume.

    Parameters
    ----------
    positives : array of shape (n,)
        Scores of the deposit cells. A missing score (NaN) is worse than all others.
    reference : array of shape (m,)
        Scores of the eligible cells, or of a uniform sample of them. NaN is not eligible and is dropped.
    weights : array of shape (m,), optional
        Number of cells that each score of ``reference`` stands for; default 1.

    Returns
    -------
    float
        Above 0, and 1 when every deposit cell scores higher than every eligible cell.

    Raises
    ------
    ValueError
        If there is no positive, the reference holds no score, or weights do not fit it.

    Examples
    --------
    >>> average_precision([0.9, 0.5], [0.7, 0.1])
    0.8333333333333333
    """
    score = _positives(positives)
    best_first, hits, above = _hits_and_above(score, reference, weights)
    n_missing = len(score) - len(best_first)
    _, total = sorted_reference(reference, weights)
    at_the_end = n_missing * len(score) / (len(score) + total[-1])
    return float((np.sum(hits / (hits + above)) + at_the_end) / len(score))


def youden(positives: ArrayLike, reference: ArrayLike, *, weights: ArrayLike | None = None) -> float:
    """Threshold with the greatest share of deposit cells at or above it less the share of eligible cells.

    Parameters
    ----------
    positives : array of shape (n,)
        Scores of the deposit cells. A missing score (NaN) is never at or above a threshold.
    reference : array of shape (m,)
        Scores of the eligible cells, or of a uniform sample of them. NaN is not eligible and is dropped.
    weights : array of shape (m,), optional
        Number of cells that each score of ``reference`` stands for; default 1.

    Returns
    -------
    float
        One of the scores of the positives; of several that are equally good, the highest.

    Raises
    ------
    ValueError
        If no positive has a score, the reference holds no score, or weights do not fit it.

    References
    ----------
    Youden, W.J. 1950. Index for rating diagnostic tests. Cancer 3, 32-35.

    Examples
    --------
    >>> youden([0.9, 0.8, 0.3], [0.1, 0.2, 0.4, 0.5])
    0.8
    """
    score = _positives(positives)
    best_first, hits, above = _hits_and_above(score, reference, weights)
    if not len(best_first):
        raise ValueError(f"none of {len(score)} positives has a score, so there is no threshold. Score them.")
    _, total = sorted_reference(reference, weights)
    # both shares times both totals: whole numbers for whole weights, so that equal is equal
    return float(best_first[np.argmax(hits * total[-1] - above * len(score))])


def _positives(positives: ArrayLike) -> Float64:
    score: Float64 = np.asarray(positives, dtype=float).ravel()
    if not len(score):
        raise ValueError("there is no positive, at least one scored deposit cell is needed.")
    return score


def _hits_and_above(
    positives: Float64, reference: ArrayLike, weights: ArrayLike | None
) -> tuple[Float64, Float64, Float64]:
    """Scores of the positives from the best down; positives and weight of the reference at or above each."""
    pool, total = sorted_reference(reference, weights)
    ascending = np.sort(positives[~np.isnan(positives)])
    hits = len(ascending) - np.searchsorted(ascending, ascending, side="left")
    above = total[-1] - total[np.searchsorted(pool, ascending, side="left")]
    return ascending[::-1], hits[::-1].astype(float), above[::-1]


def agreement(scores: Mapping[str, ArrayLike]) -> dict[tuple[str, str], float]:
    """How far models put cells into the same order: Spearman's rank correlation of every two of them.

    Parameters
    ----------
    scores : mapping of str to array of shape (n,)
        Scores of the same cells by model. NaN is no score; a pair is compared over the cells where both
        have one.

    Returns
    -------
    dict
        From -1, opposite orders, to 1, the same order, by pair of models in the order given. NaN where a
        pair shares fewer than two cells or one of them scores all of these the same.

    Raises
    ------
    ValueError
        If the models have scores of different numbers of cells.

    Examples
    --------
    >>> agreement({"forest": [0.1, 0.5, 0.9], "logistic": [0.2, 0.3, 0.8]})
    {('forest', 'logistic'): 1.0}
    """
    values = {name: np.asarray(given, dtype=float).ravel() for name, given in scores.items()}
    if len({len(each) for each in values.values()}) > 1:
        counts = ", ".join(f"{name} {len(each)}" for name, each in values.items())
        raise ValueError(
            f"models have scores of different numbers of cells ({counts}), score the same cells."
        )
    return {(one, two): _spearman(values[one], values[two]) for one, two in combinations(values, 2)}


def _spearman(one: Float64, two: Float64) -> float:
    from scipy.stats import spearmanr

    both: NDArray[np.bool_] = ~np.isnan(one) & ~np.isnan(two)
    one, two = one[both], two[both]
    # scipy would warn and give NaN here
    if len(one) < 2 or np.all(one == one[0]) or np.all(two == two[0]):
        return float("nan")
    # the last digits of a perfect agreement would show in every table
    return round(float(spearmanr(one, two).statistic), 12)


def interval(values: ArrayLike) -> tuple[float, float, float]:
    """Mean of repeats, and the values that 5 % and 95 % of them lie below, by linear interpolation.

    Parameters
    ----------
    values : array of shape (k,)
        One value per repeat. NaN (a repeat without an answer, such as no crossing) is left out; say beside
        the figures how many there were.

    Returns
    -------
    tuple of float
        Mean, low, high. Low and high are NaN for a single value, all three when every value is NaN.

    Raises
    ------
    ValueError
        If there is no value.

    Examples
    --------
    >>> interval([0.5, 0.6, 0.7])
    (0.6, 0.51, 0.69)
    """
    given = np.asarray(values, dtype=float).ravel()
    if not len(given):
        raise ValueError("there is no value to average, at least one repeat is needed.")
    known = np.sort(given[~np.isnan(given)])
    nothing = float("nan")
    if not len(known):
        return nothing, nothing, nothing
    mean = float(np.mean(known))
    return (mean, nothing, nothing) if len(known) == 1 else (mean, _at(known, 0.05), _at(known, 0.95))


def _at(ascending: Float64, share: float) -> float:
    """Quantile; where both neighbours are infinite (a density at volume 0) it is infinite, not NaN."""
    place = share * (len(ascending) - 1)
    first = int(place)
    low, high = float(ascending[first]), float(ascending[min(first + 1, len(ascending) - 1)])
    return low if low == high or place == first else low + (place - first) * (high - low)
