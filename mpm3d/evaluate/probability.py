"""Scores taken at their word: Brier score and reliability, for models whose score is a probability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpm3d.evaluate.measures import Float64


def brier(labels: ArrayLike, scores: ArrayLike) -> float:
    """Mean square of score less label: 0 is perfect, 0.25 is what saying one half everywhere gives.

    Parameters
    ----------
    labels : array of shape (n,)
        1 for deposit, 0 for background.
    scores : array of shape (n,)
        Probabilities from 0 to 1, none missing.

    Raises
    ------
    ValueError
        If there is no sample, the lengths differ, a label is not 0 or 1, or a score is not a probability.

    Examples
    --------
    >>> brier([0, 1], [0.5, 1.0])
    0.125
    """
    truth, score = _checked(labels, scores)
    return float(np.mean((score - truth) ** 2))


@dataclass(frozen=True, eq=False)
class Reliability:
    """Predicted probability against what was found, in bins of equal width that hold a sample.

    Parameters
    ----------
    predicted : array of shape (k,)
        Mean score of the samples in each bin.
    observed : array of shape (k,)
        Share of deposits among them.
    n : array of shape (k,)
        How many samples each bin holds.
    """

    predicted: Float64
    observed: Float64
    n: NDArray[np.int64]


def reliability(labels: ArrayLike, scores: ArrayLike, *, bins: int = 10) -> Reliability:
    """Reliability curve: does a score of 0.3 hold a deposit in three of ten cases.

    It speaks of the mix of deposits and background in these samples. In a volume where ore is rarer than
    here, the same scores promise too much.

    Parameters
    ----------
    labels : array of shape (n,)
        1 for deposit, 0 for background.
    scores : array of shape (n,)
        Probabilities from 0 to 1, none missing.
    bins : int
        Number of bins of equal width from 0 to 1; a score on an edge belongs to the bin below it.

    Raises
    ------
    ValueError
        As `brier`, or if there is no bin.

    Examples
    --------
    >>> curve = reliability([0, 1, 1], [0.1, 0.3, 0.9], bins=2)
    >>> curve.predicted.tolist(), curve.observed.tolist(), curve.n.tolist()
    ([0.2, 0.9], [0.5, 1.0], [2, 1])
    """
    truth, score = _checked(labels, scores)
    if bins < 1:
        raise ValueError(f"bins={bins} must be at least 1.")
    inner = np.linspace(0, 1, bins + 1)[1:-1]
    place = np.searchsorted(inner, score)
    n = np.bincount(place, minlength=bins)
    held = n > 0
    predicted = np.bincount(place, score, bins)[held] / n[held]
    observed = np.bincount(place, truth, bins)[held] / n[held]
    return Reliability(predicted, observed, n[held].astype(np.int64))


def _checked(labels: ArrayLike, scores: ArrayLike) -> tuple[Float64, Float64]:
    truth, score = np.asarray(labels, dtype=float).ravel(), np.asarray(scores, dtype=float).ravel()
    if len(truth) != len(score):
        raise ValueError(f"{len(truth)} labels and {len(score)} scores, there must be one score per label.")
    if not len(truth):
        raise ValueError("there is no sample to judge, at least one is needed.")
    odd = truth[(truth != 0) & (truth != 1)]
    if len(odd):
        raise ValueError(f"a label is {odd[0]:g}, labels are 1 for deposit and 0 for background.")
    wrong = score[~((score >= 0) & (score <= 1))]
    if len(wrong):
        raise ValueError(
            f"{len(wrong)} of {len(score)} scores are no probability (the first is {wrong[0]:g}), expected 0 "
            "to 1. Leave missing ones out; this measure is for models of kind 'probability' only."
        )
    return truth, score
