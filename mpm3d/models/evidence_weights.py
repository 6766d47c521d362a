"""Weights of evidence from counts of cells: weights, contrasts, posterior, tests of independence.

`B` is a pattern (the cells where a layer has a certain class), `D` the ore cells, `~` means not. Everything
follows from four counts of cells: ore and barren cells, inside and outside the pattern.

References
----------
Bonham-Carter, G. F. (1994). Geographic Information Systems for Geoscientists: Modelling with GIS. Pergamon,
chapter 9.
Agterberg, F. P. and Cheng, Q. (2002). Conditional independence test for weights-of-evidence modeling. Natural
Resources Research 11(4), 249-255, doi:10.1023/A:1021193827501.
Cheng, Q. and Agterberg, F. P. (1999). Fuzzy weights of evidence method and its application in mineral
potential mapping. Natural Resources Research 8(1), 27-35.
Farahbakhsh, E. and others (2020). Three-dimensional weights of evidence modelling of a deep-seated porphyry
Cu deposit (the published counts that the tests reproduce).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, ndtr
from scipy.stats import chi2

Float64 = NDArray[np.float64]

LARGEST_RATIO = 1.15
"""Predicted over observed ore cells above which Bonham-Carter (1994) sees a problem."""

LARGEST_Z = 1.645
"""95 % point of the normal distribution, one-tailed, as Agterberg and Cheng (2002) use it."""


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights of one or more patterns; every array has the shape of the counts, without unit.

    Parameters
    ----------
    plus, minus : array
        Weight where the pattern is present (W+) and where it is absent (W-).
    var_plus, var_minus : array
        Their variances.
    smoothed : array of bool
        Where a count of zero was smoothed, see `pattern_weights`.
    """

    plus: Float64
    minus: Float64
    var_plus: Float64
    var_minus: Float64
    smoothed: NDArray[np.bool_]

    @property
    def contrast(self) -> Float64:
        """``C = W+ - W-``, above 0 where ore prefers the pattern."""
        return self.plus - self.minus

    @property
    def std_contrast(self) -> Float64:
        """Standard deviation of the contrast, ``sqrt(var(W+) + var(W-))``."""
        return np.sqrt(self.var_plus + self.var_minus)

    @property
    def studentised(self) -> Float64:
        """Contrast over its standard deviation; beyond ±2 it is hardly chance, if cells were independent."""
        return self.contrast / self.std_contrast


def pattern_weights(n_cells: float, n_ore: float, cells: ArrayLike, ore: ArrayLike) -> Weights:
    """Weigh patterns against the ore cells, each pattern by itself.

    ::

        W+ = ln [P(B|D) / P(B|~D)]        var(W+) = 1/n(B and D)  + 1/n(B and ~D)
        W- = ln [P(~B|D) / P(~B|~D)]      var(W-) = 1/n(~B and D) + 1/n(~B and ~D)

    Parameters
    ----------
    n_cells, n_ore : float
        Cells of the study, and ore cells among them.
    cells, ore : array
        Cells with each pattern, and ore cells among them; NaN is not a count.

    Returns
    -------
    Weights

    Raises
    ------
    ValueError
        If there is no ore or nothing else, or the counts contradict each other.

    Notes
    -----
    A logarithm of zero is avoided for those patterns alone that have a count of zero: half a cell is added to
    the rarer of ore and barren cells, inside and outside the pattern, and to the other kind as many times
    more as it is more common in the whole. With as many ore as barren cells that is half a cell on each of
    the four counts. A pattern without cells then has weight 0, and one ore-free cell among thousands
    hardly any.

    Variances hold for independent cells. Neighbouring cells are not, so studentised contrasts are too large.

    Examples
    --------
    Andesite in Farahbakhsh and others (2020):

    >>> andesite = pattern_weights(529_211, 14_342, 423_190, 11_678)
    >>> round(float(andesite.plus), 5), round(float(andesite.studentised), 3)
    (0.01859, 4.424)
    """
    ore_in, ore_out, barren_in, barren_out, smoothed = _counts(n_cells, n_ore, cells, ore)
    common = np.log((barren_in + barren_out) / (ore_in + ore_out))
    return Weights(
        np.log(ore_in / barren_in) + common,
        np.log(ore_out / barren_out) + common,
        1 / ore_in + 1 / barren_in,
        1 / ore_out + 1 / barren_out,
        smoothed,
    )


def class_weights(cells: ArrayLike, ore: ArrayLike) -> Weights:
    """Weigh the classes of one layer, each against the rest of the layer.

    A class has the weight ``plus``; its contrast compares it with all other classes together.

    Parameters
    ----------
    cells, ore : array of shape (class,)
        Cells of each class, and ore cells among them. Cells without a value are in no class and not counted.

    Returns
    -------
    Weights

    Raises
    ------
    ValueError
        As `pattern_weights`.
    """
    return pattern_weights(float(np.sum(cells)), float(np.sum(ore)), cells, ore)


def _counts(
    n_cells: float, n_ore: float, cells: ArrayLike, ore: ArrayLike
) -> tuple[Float64, Float64, Float64, Float64, NDArray[np.bool_]]:
    """Ore inside and outside, barren inside and outside, smoothed where told by the last one."""
    inside, ore_inside = np.asarray(cells, dtype=np.float64), np.asarray(ore, dtype=np.float64)
    _check_counts(n_cells, n_ore, inside, ore_inside)
    n_barren = n_cells - n_ore
    found = [ore_inside, n_ore - ore_inside, inside - ore_inside, n_barren - inside + ore_inside]
    smoothed = np.asarray(np.minimum.reduce(found) == 0)
    rarer = min(n_ore, n_barren)
    ore_more, barren_more = (smoothed * 0.5 * n / rarer for n in (n_ore, n_barren))
    return found[0] + ore_more, found[1] + ore_more, found[2] + barren_more, found[3] + barren_more, smoothed


def _check_counts(n_cells: float, n_ore: float, cells: Float64, ore: Float64) -> None:
    if not 0 < n_ore < n_cells < np.inf:
        raise ValueError(
            f"{n_ore:g} ore cells of {n_cells:g} cells give no weights, some cells must be ore and some not."
        )
    if cells.shape != ore.shape:
        raise ValueError(
            f"counts of cells {cells.shape} and of ore cells {ore.shape} differ in shape. Give one of each "
            f"for every pattern."
        )
    wrong = ~((ore >= 0) & (ore <= cells) & (ore <= n_ore) & (cells - ore <= n_cells - n_ore))
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"pattern {first + 1} has {cells.flat[first]:g} cells and {ore.flat[first]:g} ore cells, which "
            f"{n_cells:g} cells with {n_ore:g} ore cells cannot hold. Count again."
        )


def fuzzy_weights(
    n_cells: float, n_ore: float, cells: ArrayLike, ore: ArrayLike, membership: ArrayLike
) -> Float64:
    """Weigh patterns that cells belong to only in part.

    ``W = ln [(m P(B|D) + (1 - m) P(~B|D)) / (m P(B|~D) + (1 - m) P(~B|~D))]`` with the membership ``m`` of a
    cell, from 0 to 1 (Cheng and Agterberg 1999). Memberships of 1 and 0 give W+ and W-.

    Parameters
    ----------
    n_cells, n_ore, cells, ore
        As for `pattern_weights`.
    membership : array
        Membership of each pattern.

    Raises
    ------
    ValueError
        As `pattern_weights`, or if a membership is not from 0 to 1.
    """
    m = np.asarray(membership, dtype=np.float64)
    if not ((m >= 0) & (m <= 1)).all():
        raise ValueError(f"memberships run from {m.min():g} to {m.max():g}, they must lie between 0 and 1.")
    ore_in, ore_out, barren_in, barren_out, _ = _counts(n_cells, n_ore, cells, ore)
    ore_share = (m * ore_in + (1 - m) * ore_out) / (ore_in + ore_out)
    barren_share = (m * barren_in + (1 - m) * barren_out) / (barren_in + barren_out)
    return np.asarray(np.log(ore_share / barren_share))


def posterior_log_odds(prior: float, weights: ArrayLike) -> Float64:
    """Add weights to the log odds of the prior: ``ln O(D|B1, B2, ...) = logit(prior) + sum of W``.

    Right only if the layers are independent of each other among ore cells and among barren cells.

    Parameters
    ----------
    prior : float
        Share of ore cells, above 0 and below 1.
    weights : array of shape (cell, layer)
        W+ or W- of each layer at each cell; 0 where the layer has no value, which leaves the odds alone.

    Returns
    -------
    array of shape (cell,)
        Natural logarithm of the odds; `posterior_probability` makes it a probability.

    Raises
    ------
    ValueError
        If the prior is not above 0 and below 1.
    """
    if not 0 < prior < 1:
        raise ValueError(f"prior {prior:g} is not a share of ore cells, it must be above 0 and below 1.")
    return np.asarray(logit(prior) + np.asarray(weights, dtype=np.float64).sum(axis=-1))


def posterior_probability(log_odds: ArrayLike) -> Float64:
    """Turn log odds into a probability, ``1 / (1 + exp(-log odds))``."""
    return np.asarray(expit(np.asarray(log_odds, dtype=np.float64)))


def posterior_std(probability: ArrayLike, variances: ArrayLike, *, n_ore: float, n_barren: float) -> Float64:
    """Standard deviation of posterior probabilities that comes from the counts.

    ``s(P) = P (1 - P) sqrt(1/n(D) + 1/n(~D) + sum of var(W))``: the variance of the log odds, carried to the
    probability. Where ore is rare this is Bonham-Carter's (1994) ``P sqrt(1/n(D) + sum of var(W))``.

    Parameters
    ----------
    probability : array of shape (cell,)
        Posterior probability.
    variances : array of shape (cell, layer)
        Variance of the weight that each layer added; 0 where it added none.
    n_ore, n_barren : float
        Cells that the prior was counted from.
    """
    p, total = np.asarray(probability, dtype=np.float64), np.asarray(variances, dtype=np.float64).sum(axis=-1)
    return np.asarray(p * (1 - p) * np.sqrt(1 / n_ore + 1 / n_barren + total))


@dataclass(frozen=True)
class Omnibus:
    """Predicted against observed ore cells.

    Parameters
    ----------
    predicted : float
        ``T``, the sum of the posterior probabilities of all cells.
    observed : float
        ``n``, the ore cells.
    std : float
        Standard deviation of ``T``.
    """

    predicted: float
    observed: float
    std: float

    @property
    def ratio(self) -> float:
        """``T / n``, the omnibus test; above `LARGEST_RATIO` there is a problem (Bonham-Carter 1994)."""
        return self.predicted / self.observed

    @property
    def z(self) -> float:
        """``(T - n) / s(T)``, the new omnibus test; above `LARGEST_Z` independence is rejected."""
        difference = self.predicted - self.observed
        return difference / self.std if self.std > 0 else float(np.sign(difference) * np.inf)

    @property
    def p(self) -> float:
        """Chance of so large a ``z`` if the layers were conditionally independent, one-tailed."""
        return float(ndtr(-self.z))

    @property
    def fails(self) -> bool:
        """Whether one of the two tests rejects conditional independence."""
        return self.ratio > LARGEST_RATIO or self.z > LARGEST_Z


def omnibus(probability: ArrayLike, std: ArrayLike, cells: ArrayLike, *, n_ore: float) -> Omnibus:
    """Test whether layers are conditionally independent, all of them at once.

    If they are, the posterior probabilities add up to the number of ore cells. ``T = sum of N P`` over the
    unique conditions (combinations of classes), ``s(T)^2 = sum of (N s(P))^2`` (Agterberg and Cheng 2002).

    Parameters
    ----------
    probability, std : array of shape (condition,)
        Posterior probability of each unique condition, and its standard deviation.
    cells : array of shape (condition,)
        Cells ``N`` with that condition.
    n_ore : float
        Ore cells among all of them.

    Notes
    -----
    The published standard deviation takes conditions as independent although they share weights, so with many
    conditions of few cells it is too small and the test severe. In a sample with as many ore as barren
    cells, dependence pushes probabilities to both ends and ``T`` may still equal ``n``: there this test
    misses much, and `chi_square` on pairs of layers says more.

    Raises
    ------
    ValueError
        If there is no ore cell.
    """
    if not n_ore > 0:
        raise ValueError(f"{n_ore:g} ore cells are nothing to test against, at least one is needed.")
    n = np.asarray(cells, dtype=np.float64)
    predicted = float((n * np.asarray(probability)).sum())
    return Omnibus(predicted, float(n_ore), float(np.sqrt(((n * np.asarray(std)) ** 2).sum())))


@dataclass(frozen=True)
class ChiSquare:
    """Pearson's test of one table of counts.

    Parameters
    ----------
    statistic : float
        Sum of ``(observed - expected)^2 / expected``.
    degrees : int
        Degrees of freedom, ``(rows - 1) (columns - 1)``.
    p : float
        Chance of so large a statistic if rows and columns were independent.
    cramers_v : float
        Strength from 0 to 1, which does not grow with the number of cells.
    """

    statistic: float
    degrees: int
    p: float
    cramers_v: float


def chi_square(table: ArrayLike) -> ChiSquare:
    """Test whether two layers are independent among ore cells.

    Parameters
    ----------
    table : array of shape (class of one layer, class of the other)
        Ore cells in each pair of classes. Rows and columns without a cell are left out; no correction
        for continuity is made.

    Notes
    -----
    Neighbouring cells are alike, so ``p`` is too small on cells of few deposits: read ``cramers_v`` too.

    Raises
    ------
    ValueError
        If the table is no table of counts.
    """
    counts = np.asarray(table, dtype=np.float64)
    if counts.ndim != 2 or not (np.isfinite(counts) & (counts >= 0)).all():
        raise ValueError("a table of ore cells has two axes, a class of each layer, and counts of 0 or more.")
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    smaller = min(counts.shape) - 1
    if smaller < 1:
        return ChiSquare(0.0, 0, 1.0, 0.0)
    n: Any = counts.sum()
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
    statistic = float(((counts - expected) ** 2 / expected).sum())
    degrees = (counts.shape[0] - 1) * (counts.shape[1] - 1)
    strength = float(np.sqrt(statistic / (n * smaller)))
    return ChiSquare(statistic, degrees, float(chi2.sf(statistic, degrees)), strength)
