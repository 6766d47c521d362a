"""How good scores are: samples called right, ranks in the volume, AUC and capture of deposits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float64 = NDArray[np.float64]
Ranks = Mapping[str, ArrayLike]


def classification(labels: ArrayLike, scores: ArrayLike, threshold: float = 0.5) -> dict[str, float]:
    """Accuracy, area under the ROC curve and F1 of scored samples.

    Parameters
    ----------
    labels : array of shape (n,)
        1 for deposit, 0 for background.
    scores : array of shape (n,)
        Scores, higher is more prospective; no NaN.
    threshold : float
        A sample at or above it is called a deposit. 0.5 is right for a probability only.

    Returns
    -------
    dict
        ``accuracy``, ``auc`` and ``f1``, each between 0 and 1.

    Raises
    ------
    ValueError
        If the lengths differ, a score is missing, or there is only one class.

    Examples
    --------
    >>> classification([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])
    {'accuracy': 0.5, 'auc': 0.75, 'f1': 0.5}
    """
    from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

    truth, score = np.asarray(labels, dtype=int).ravel(), np.asarray(scores, dtype=float).ravel()
    if len(truth) != len(score):
        raise ValueError(f"{len(truth)} labels and {len(score)} scores, there must be one score per label.")
    if np.isnan(score).any():
        raise ValueError(
            f"{int(np.isnan(score).sum())} of {len(score)} scores are missing (NaN). Leave those samples out."
        )
    if not (np.any(truth == 1) and np.any(truth == 0)):
        raise ValueError(
            f"{int((truth == 1).sum())} deposit and {int((truth == 0).sum())} background samples, "
            "at least one of each is needed. Draw more samples or split them otherwise."
        )
    called = (score >= threshold).astype(int)
    return {
        "accuracy": float(accuracy_score(truth, called)),
        "auc": float(roc_auc_score(truth, score)),
        "f1": float(f1_score(truth, called, zero_division=0)),
    }


def volume_ranks(scores: ArrayLike, reference: ArrayLike, *, weights: ArrayLike | None = None) -> Float64:
    """Share of the eligible cells that score higher than each score, ties at mid-rank.

    Parameters
    ----------
    scores : array of shape (n,)
        Scores to rank. A missing score (NaN) is worse than all others.
    reference : array of shape (m,)
        Scores of the eligible cells, or of a uniform sample of them. NaN is not eligible and is dropped.
    weights : array of shape (m,), optional
        Number of cells that each score of ``reference`` stands for; default 1.

    Returns
    -------
    array of shape (n,)
        Ranks from 0, better than all, to 1, worse than all; NaN scores have 1.

    Raises
    ------
    ValueError
        If the reference holds no score, or weights do not fit it.

    Examples
    --------
    >>> volume_ranks([9.0, 2.0, np.nan], [1.0, 2.0, 3.0, 4.0]).tolist()
    [0.0, 0.625, 1.0]
    """
    score = np.asarray(scores, dtype=float).ravel()
    pool, total = sorted_reference(reference, weights)
    below = total[np.searchsorted(pool, score, side="left")]
    to_here = total[np.searchsorted(pool, score, side="right")]
    ranks: Float64 = 1.0 - (below + to_here) / (2 * total[-1])
    ranks[np.isnan(score)] = 1.0
    return np.clip(ranks, 0.0, 1.0)


def sorted_reference(reference: ArrayLike, weights: ArrayLike | None) -> tuple[Float64, Float64]:
    """Scores of the eligible cells ascending (m,), and the weight below each and of all (m + 1,).

    Raises
    ------
    ValueError
        If the reference holds no score, or weights do not fit it.
    """
    pool = np.asarray(reference, dtype=float).ravel()
    weight = np.ones(len(pool)) if weights is None else np.asarray(weights, dtype=float).ravel()
    if len(weight) != len(pool) or np.any(~(weight >= 0)):
        raise ValueError(
            f"{len(weight)} weights for {len(pool)} reference scores, one each is needed and none below 0."
        )
    known = ~np.isnan(pool)
    pool, weight = pool[known], weight[known]
    if not weight.sum() > 0:
        raise ValueError("the reference holds no score, so nothing can be ranked. Score some eligible cells.")
    order = np.argsort(pool, kind="stable")
    return pool[order], np.concatenate([[0.0], np.cumsum(weight[order])])


def checked_ranks(ranks_by_deposit: Ranks) -> dict[str, Float64]:
    """Ranks as arrays of numbers.

    Raises
    ------
    ValueError
        If there is no deposit, one without cells, or a rank outside 0 to 1.
    """
    ranks = {name: np.asarray(values, dtype=float).ravel() for name, values in ranks_by_deposit.items()}
    if not ranks:
        raise ValueError("no deposit was ranked, at least one is needed.")
    for name, values in ranks.items():
        if not len(values):
            raise ValueError(f"deposit {name!r} has no ranked cell. Leave it out or give it cells.")
        if not np.all((values >= 0) & (values <= 1)):
            worst = values[~((values >= 0) & (values <= 1))][0]
            raise ValueError(
                f"deposit {name!r} has rank {worst:g}, ranks are shares of the volume from 0 to 1. "
                "Make them with volume_ranks."
            )
    return ranks


@dataclass(frozen=True)
class AUC:
    """Area under the ROC curve against the eligible cells.

    Parameters
    ----------
    deposits : float
        Mean over deposits, each with equal weight.
    cells : float
        All deposit cells pooled.
    each : dict of str to float
        One per deposit.
    """

    deposits: float
    cells: float
    each: dict[str, float]


def auc(ranks_by_deposit: Ranks) -> AUC:
    """Area under the ROC curve of deposit cells against the eligible cells, from their volume ranks.

    The AUC is the chance that a deposit cell scores higher than an eligible cell, ties counted half; with
    ranks at mid-tie it is exactly one minus the mean rank.

    Parameters
    ----------
    ranks_by_deposit : mapping of str to array
        Volume ranks of the cells of each deposit.

    Raises
    ------
    ValueError
        If there is no deposit, one without cells, or a rank outside 0 to 1.
    """
    ranks = checked_ranks(ranks_by_deposit)
    each = {name: float(1 - values.mean()) for name, values in ranks.items()}
    pooled = float(1 - np.concatenate(list(ranks.values())).mean())
    return AUC(float(np.mean(list(each.values()))), pooled, each)


@dataclass(frozen=True, eq=False)
class Capture:
    """Share of the deposits inside the best cells of the volume.

    Parameters
    ----------
    shares : array of shape (k,)
        Shares of the volume.
    deposits : array of shape (k,)
        Mean over deposits of the share of their cells inside, each deposit with equal weight.
    cells : array of shape (k,)
        Share of all deposit cells inside.
    each : dict of str to array of shape (k,)
        Share of the cells of each deposit.
    """

    shares: Float64
    deposits: Float64
    cells: Float64
    each: dict[str, Float64]


def capture(ranks_by_deposit: Ranks, shares: Sequence[float] = (0.01, 0.02, 0.05, 0.10)) -> Capture:
    """Share of each deposit's cells in the best cells of the volume.

    Parameters
    ----------
    ranks_by_deposit : mapping of str to array
        Volume ranks of the cells of each deposit.
    shares : sequence of float
        Shares of the volume, 0.02 for the best 2 %. A cell is inside when its rank is at most the share.

    Raises
    ------
    ValueError
        If there is no deposit, one without cells, or a rank or share outside 0 to 1.

    Examples
    --------
    >>> found = capture({"A": [0.01, 0.01, 0.01], "B": [0.3]}, [0.02, 0.5])
    >>> found.deposits.tolist(), found.cells.tolist()
    ([0.5, 1.0], [0.75, 1.0])
    """
    ranks = checked_ranks(ranks_by_deposit)
    cut = np.asarray(shares, dtype=float).ravel()
    if not np.all((cut >= 0) & (cut <= 1)):
        raise ValueError(f"shares {cut.tolist()} of the volume must lie between 0 and 1, as 0.02 for 2 %.")
    each = {name: share_inside(values, cut) for name, values in ranks.items()}
    pooled = np.concatenate(list(ranks.values()))
    return Capture(cut, np.mean(list(each.values()), axis=0), share_inside(pooled, cut), each)


def share_inside(ranks: Float64, shares: Float64) -> Float64:
    """Share of ``ranks`` at or below each share."""
    inside: Float64 = np.searchsorted(np.sort(ranks), shares, side="right") / len(ranks)
    return inside
