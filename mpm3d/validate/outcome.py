"""What one fit of one model in one fold is worth: ranks, and the little that is kept of its scores."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d import evaluate
from mpm3d.samples import Index, Samples
from mpm3d.splits import reference_rows
from mpm3d.validate.fold import Fold
from mpm3d.validate.folds import Arrays
from mpm3d.validate.settings import Settings

Float64 = NDArray[np.float64]
Places = tuple[Index, NDArray[np.float32]]

THIN = 5_000
"""About so many reference cells of a fold are kept, to compare models and to draw."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """One fit of one model in one fold.

    Parameters
    ----------
    model, scheme, fold : str
        Names; the scheme as it is called in tables.
    repeat : int
        From 0.
    ranks : dict of str to array
        By deposit, volume ranks of its held-out cells; empty in the random split.
    average_precision : float
        Of the held-out deposit cells against the reference; NaN in the random split.
    labels, scores : arrays of shape (n,)
        A test that both classes have a part in: the test samples of the random split; in the spatial schemes
        the held-out deposit cells, and as many values of the reference at equal steps of their distribution.
    probability : bool
        Whether scores are probabilities.
    own, thin : tuple of arrays
        Rows of samples and their volume ranks: held-out deposit cells, and some of the reference.
    shared : tuple of int
        Test samples whose patch shares cells with a training patch, and all of them.
    counts : tuple of int
        Positives and negatives trained on.
    n_reference : int
        Cells that the ranks are taken against.
    history : list of dict
        Epochs of the (first) member.
    note : str
        How it was stopped and what needed care.
    seconds : float
        Time that it took.
    """

    model: str
    scheme: str
    fold: str
    repeat: int
    ranks: dict[str, Float64]
    average_precision: float
    labels: NDArray[np.int8]
    scores: NDArray[np.float32]
    probability: bool
    own: Places
    thin: Places
    shared: tuple[int, int]
    counts: tuple[int, int]
    n_reference: int
    history: list[dict[str, Any]]
    note: str
    seconds: float


def outcome(samples: Samples, settings: Settings, model: str, fold: Fold, found: Arrays) -> Outcome:
    """Turn the scores of a fold into ranks, so that folds of different models can be put together."""
    rows, scores = found["rows"], found["scores"]
    reference, eligible = found["reference"], found["reference_scores"]
    labels, tested = samples.label[rows], scores
    ranks, own, thin, precision = {}, _places(rows[:0], rows[:0]), _places(rows[:0], rows[:0]), float("nan")
    if fold.scheme != "random":
        weights = _weights(samples, settings, fold, len(reference))
        among = _Eligible(scores, eligible, weights)
        placed = among.ranks(scores)
        group = samples.group[rows]
        ranks = {str(name): placed[group == name] for name in dict.fromkeys(group.tolist())}
        precision = evaluate.average_precision(scores, eligible, weights=weights)
        labels, tested = _balanced(scores, eligible)
        step = max(1, -(-len(reference_rows(samples)) // THIN))
        some = reference % step == 0
        own, thin = _places(rows, placed), _places(reference[some], among.ranks(eligible[some]))
    return Outcome(
        model, settings.label(fold.scheme), fold.name, fold.repeat, ranks, precision, labels, tested,
        bool(found["probability"]), own, thin, (int(found["shared"][0]), int(found["shared"][1])),
        (int(found["counts"][0]), int(found["counts"][1])), len(reference),
        json.loads(str(found["history"])), str(found["note"]), float(found["seconds"]),
    )  # fmt: skip


def _places(rows: NDArray[Any], ranks: NDArray[Any]) -> Places:
    return rows.astype(np.int64), ranks.astype(np.float32)


def _weights(samples: Samples, settings: Settings, fold: Fold, n: int) -> Float64 | None:
    """Cells of the volume that each reference row stands for; None where that is not known."""
    if settings.population is None:
        return None
    # the reference of a block is its part of the whole sample, that of a left-out deposit is the sample
    whole = len(reference_rows(samples)) if fold.scheme == "block" else n
    return np.full(n, settings.population / whole)


class _Eligible:
    """The eligible cells of a fold: the reference, and the held-out deposit cells with their due weight."""

    def __init__(
        self, own: NDArray[np.float32], reference: NDArray[np.float32], weights: Float64 | None
    ) -> None:
        self.scores: NDArray[np.float32] = reference
        self.weights = weights
        if weights is not None:
            self.scores = np.concatenate([reference, own])
            self.weights = np.concatenate([weights, np.ones(len(own))])

    def ranks(self, scores: NDArray[np.float32]) -> Float64:
        return evaluate.volume_ranks(scores, self.scores, weights=self.weights)


def _balanced(
    own: NDArray[np.float32], reference: NDArray[np.float32]
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """The held-out deposit cells and as many values of the reference, by steps of its distribution."""
    known = np.sort(reference[~np.isnan(reference)])
    held = own[~np.isnan(own)]
    at = ((np.arange(len(held)) + 0.5) / max(1, len(held)) * len(known)).astype(np.int64)
    labels = np.repeat(np.array([1, 0], dtype=np.int8), len(held))
    return labels, np.concatenate([held, known[at]])
