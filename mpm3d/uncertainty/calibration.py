"""From scores to chances, learnt on cells that the models had not seen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpm3d.uncertainty.venn_abers import venn_abers

METHODS = ("isotonic", "venn-abers")

_STEPS = 2000  # ranks at which the eligible cells are counted, besides those of the ore cells

Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Calibration:
    """A rising function from scores to chances.

    A chance is no better than the deposits it was learnt from: it answers "how often were cells with such
    a score ore, in the folds that were left out", and nothing else.

    Parameters
    ----------
    method : str
        ``"isotonic"`` or ``"venn-abers"``.
    scores : array of shape (k,)
        Distinct scores, ascending.
    low, high : array of shape (k,)
        Chances at them: the same for ``"isotonic"``, lower and upper for ``"venn-abers"``.
    prevalence : float
        Share of ore among the cells it was learnt from. Chances rise and fall with it.
    """

    method: str
    scores: Float64
    low: Float64
    high: Float64
    prevalence: float

    def apply(self, scores: ArrayLike) -> Float64:
        """Return one chance for each score.

        Parameters
        ----------
        scores : array
            Any shape; NaN gives NaN. Beyond the scores that it was learnt from, the end values hold.

        Returns
        -------
        array of the same shape
            From 0 to 1. For Venn–Abers p1 / (1 - p0 + p1), which loses least in the worst case of log loss.
        """
        low, high = self.interval(scores)
        if self.method == "isotonic":
            return low
        chance: Float64 = high / (1 - low + high)
        return chance

    def interval(self, scores: ArrayLike) -> tuple[Float64, Float64]:
        """Lower and upper chance of each score, the same for ``"isotonic"``; the gap is doubt."""
        asked = np.asarray(scores, dtype=np.float64)
        if self.method == "isotonic":
            found = np.where(np.isnan(asked), np.nan, np.interp(asked, self.scores, self.low))
            return found, found
        low = np.append(0.0, self.low)[np.searchsorted(self.scores, asked, side="right")]
        high = np.append(self.high, 1.0)[np.searchsorted(self.scores, asked, side="left")]
        gone = np.isnan(asked)
        return np.where(gone, np.nan, low), np.where(gone, np.nan, high)

    def to_json(self) -> str:
        """Write the steps as JSON text, which `from_json` reads."""
        steps = {name: getattr(self, name).tolist() for name in ("scores", "low", "high")}
        return json.dumps({"method": self.method, "prevalence": self.prevalence, **steps}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """Read what `to_json` wrote.

        Raises
        ------
        ValueError
            If the text is not a calibration, or its steps do not rise.
        """
        try:
            found: dict[str, Any] = json.loads(text)
            steps = [np.asarray(found[name], dtype=np.float64) for name in ("scores", "low", "high")]
            made = cls(str(found["method"]), steps[0], steps[1], steps[2], float(found["prevalence"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"this is not a calibration ({error!r}). Calibrate again.") from error
        rising = made.method in METHODS and steps[0].ndim == 1 and steps[0].size > 0
        rising = rising and len({one.shape for one in steps}) == 1
        if not (rising and all(np.isfinite(one).all() and (np.diff(one) >= 0).all() for one in steps)):
            raise ValueError("this is not a calibration: its steps do not rise. Calibrate again.")
        return made


def calibrate(
    scores: ArrayLike, labels: ArrayLike, *, weights: ArrayLike | None = None, method: str = "isotonic"
) -> Calibration:
    """Learn chances from the scores of cells that the model had not seen.

    Parameters
    ----------
    scores : array of shape (n,)
        Scores on one scale. Scores of different folds are not: use `calibrate_ranks` for those.
    labels : array of shape (n,)
        1 for ore, 0 for barren.
    weights : array of shape (n,), optional
        How many cells each one stands for, above 0.
    method : {"isotonic", "venn-abers"}
        ``"isotonic"``: the rising function with the least squared error. Sure of itself at the ends: where
        only ore was seen it says 1. ``"venn-abers"``: two such functions, see `venn_abers`; with few ore
        cells its chances stay away from 0 and 1.

    Returns
    -------
    Calibration

    Raises
    ------
    ValueError
        If the method is not known, lengths differ, a score is not finite, or one class is missing.
    """
    if method not in METHODS:
        raise ValueError(f"calibration method {method!r} is not known, use any of {METHODS}.")
    score, label = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    weight = np.ones(len(score)) if weights is None else np.asarray(weights, dtype=np.float64)
    _check(score, label, weight)
    prevalence = float(weight[label == 1].sum() / weight.sum())
    if method == "venn-abers":
        return Calibration(method, *venn_abers(score, label, weights=weight), prevalence)
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=0, y_max=1).fit(score, label, sample_weight=weight)
    values = np.asarray(fitted.y_thresholds_, dtype=np.float64)
    return Calibration(method, np.asarray(fitted.X_thresholds_, dtype=np.float64), values, values, prevalence)


def calibrate_ranks(
    ranks: Mapping[str, ArrayLike],
    *,
    population: int,
    cells: Mapping[str, int] | None = None,
    method: str = "isotonic",
) -> Calibration:
    """Learn chances from where left-out deposits came to lie in the volume.

    Each fold has its own scale, so ranks are what the folds have in common. Every deposit counts the same,
    with the mean number of their cells. The result is the chance that a cell of a rank is ore *if one
    deposit like those left out, of their mean size, is hidden in the volume*: the number of deposits still
    to be found is not known, and nothing here says that there is one. A study with a few deposits has a few
    independent facts, whatever the number of their cells.

    Parameters
    ----------
    ranks : mapping of str to array
        By deposit, volume ranks of its cells when it was left out: share of the eligible cells that score
        higher, 0 the best. A cell without a rank (NaN) counts as the worst.
    population : int
        Eligible cells of a fold, those of its left-out deposit among them.
    cells : mapping of str to int, optional
        Cells of each deposit, where its ranks are not one for each cell but several, of repeated fits.
    method : {"isotonic", "venn-abers"}
        As for `calibrate`.

    Returns
    -------
    Calibration
        Of ``1 - rank``, so that the best cell has 1.

    Raises
    ------
    ValueError
        If there is no deposit, one has no cells, a rank is below 0 or above 1, or they are more than the
        eligible cells.

    Notes
    -----
    ``"isotonic"`` gives the mean size over the population, times the slope of the concave majorant of the
    capture curve: the Grenander estimate of how dense ore is along the ranks.
    """
    values = {name: np.nan_to_num(np.asarray(one, dtype=np.float64), nan=1.0) for name, one in ranks.items()}
    sizes = {name: len(one) if cells is None else cells[name] for name, one in values.items()}
    _check_ranks(values, sizes, population)
    size = float(np.mean(list(sizes.values())))
    half = 0.5 / population  # no cell is better ranked than the middle of the best one
    ore = np.concatenate(list(values.values())).clip(half, 1 - half)
    shares = np.concatenate([np.full(len(one), size / len(one)) for one in values.values()])
    edges = np.union1d(np.linspace(0, 1, min(_STEPS, population) + 1), ore)
    eligible = np.diff(edges) * population * len(values)
    found = np.bincount(np.searchsorted(edges, ore) - 1, shares, len(eligible))
    barren = np.maximum(eligible - found, 0)
    middle = 1 - (edges[1:] + edges[:-1]) / 2
    scores, weights = np.tile(middle, 2), np.concatenate([found, barren])
    labels = np.repeat([1, 0], len(eligible))
    used = weights > 0
    return calibrate(scores[used], labels[used], weights=weights[used], method=method)


def _check(score: Float64, label: NDArray[Any], weight: Float64) -> None:
    if not (score.ndim == 1 and score.shape == label.shape == weight.shape):
        raise ValueError(
            f"scores, labels and weights have shapes {score.shape}, {label.shape} and {weight.shape}, one of "
            "each is needed for every cell."
        )
    if not np.isfinite(score).all():
        raise ValueError(f"{int((~np.isfinite(score)).sum())} scores are not finite. Leave those cells out.")
    if not (np.isfinite(weight) & (weight > 0)).all():
        raise ValueError("weights are not all above 0 and finite. Leave out cells that stand for none.")
    if set(np.unique(label).tolist()) != {0, 1}:
        raise ValueError(
            f"labels are {np.unique(label).tolist()[:5]}, ore (1) and barren (0) are both needed."
        )


def _check_ranks(values: Mapping[str, Float64], sizes: Mapping[str, int], population: int) -> None:
    empty = [repr(name) for name, one in values.items() if not one.size]
    if empty or not values:
        raise ValueError(
            f"there is no rank of {', '.join(empty) or 'any left-out deposit'} to calibrate on. "
            "Validate first, leaving deposits out."
        )
    low, high = min(one.min() for one in values.values()), max(one.max() for one in values.values())
    if low < 0 or high > 1:
        raise ValueError(f"ranks run from {low:g} to {high:g}, shares of the volume from 0 to 1 are needed.")
    most = max(sizes.values())
    if population <= most:
        raise ValueError(f"a volume of {population} eligible cells does not hold a deposit of {most}.")
