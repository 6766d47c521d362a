"""How good scores are: ranks in the volume, capture, the P-A curve and its crossing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Float64 = NDArray[np.float64]
Ranks = Mapping[str, ArrayLike]

CAUTION = "Conceptual, for planning exploration; not a resource estimate."


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
    score, pool = np.asarray(scores, dtype=float).ravel(), np.asarray(reference, dtype=float).ravel()
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
    pool, total = pool[order], np.concatenate([[0.0], np.cumsum(weight[order])])
    below = total[np.searchsorted(pool, score, side="left")]
    to_here = total[np.searchsorted(pool, score, side="right")]
    ranks: Float64 = 1.0 - (below + to_here) / (2 * total[-1])
    ranks[np.isnan(score)] = 1.0
    return np.clip(ranks, 0.0, 1.0)


def _checked(ranks_by_deposit: Ranks) -> dict[str, Float64]:
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
    ranks = _checked(ranks_by_deposit)
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
    ranks = _checked(ranks_by_deposit)
    cut = np.asarray(shares, dtype=float).ravel()
    if not np.all((cut >= 0) & (cut <= 1)):
        raise ValueError(f"shares {cut.tolist()} of the volume must lie between 0 and 1, as 0.02 for 2 %.")
    each = {name: _step(values, cut) for name, values in ranks.items()}
    pooled = np.concatenate(list(ranks.values()))
    return Capture(cut, np.mean(list(each.values()), axis=0), _step(pooled, cut), each)


def _step(ranks: Float64, shares: Float64) -> Float64:
    """Share of ``ranks`` at or below each share."""
    inside: Float64 = np.searchsorted(np.sort(ranks), shares, side="right") / len(ranks)
    return inside


@dataclass(frozen=True, eq=False)
class PACurve:
    """Prediction-area curve: what the best cells capture against the volume they take.

    A step function: from one volume up to the next the captured share stays as it is.

    Parameters
    ----------
    volume : array of shape (n,)
        Share of the eligible volume at or above each threshold, ascending.
    captured : array of shape (n,)
        Mean over deposits of the share of their cells inside, each deposit with equal weight.
    captured_cells : array of shape (n,)
        Share of all deposit cells inside.
    deposits : tuple of str
        The deposits behind it.
    """

    volume: Float64
    captured: Float64
    captured_cells: Float64
    deposits: tuple[str, ...] = ()


def pa_curve(ranks_by_deposit: Ranks) -> PACurve:
    """The exact P-A curve, one step at every distinct volume rank; ties enter together.

    Ranks make folds of different models comparable: each fold's scores have their own scale, their ranks
    among the fold's eligible cells have not.

    Parameters
    ----------
    ranks_by_deposit : mapping of str to array
        Volume ranks of the cells of each deposit.

    Raises
    ------
    ValueError
        If there is no deposit, one without cells, or a rank outside 0 to 1.

    References
    ----------
    Yousefi, M., Carranza, E.J.M. 2015. Prediction-area (P-A) plot and C-A fractal analysis to classify and
    evaluate evidential maps for mineral prospectivity modeling. Computers & Geosciences 79, 69-81,
    doi:10.1016/j.cageo.2015.03.007.

    Examples
    --------
    >>> curve = pa_curve({"A": [0.1, 0.3]})
    >>> curve.volume.tolist(), curve.captured.tolist()
    ([0.0, 0.1, 0.3, 1.0], [0.0, 0.5, 1.0, 1.0])
    """
    ranks = _checked(ranks_by_deposit)
    pooled = np.concatenate(list(ranks.values()))
    volume = np.unique(np.concatenate([[0.0, 1.0], pooled]))
    captured = np.mean([_step(values, volume) for values in ranks.values()], axis=0)
    return PACurve(volume, captured, _step(pooled, volume), tuple(ranks))


@dataclass(frozen=True)
class Crossing:
    """Where a P-A curve captures as much as the volume leaves out.

    Parameters
    ----------
    volume : float
        Share of the eligible volume, the v* of the targets.
    captured : float
        Share of the deposits inside at that volume.
    density : float
        Normalised density, captured / volume; infinite when the volume is 0.
    n_crossings : int
        How many there are; this one has the smallest volume.
    """

    volume: float
    captured: float
    density: float
    n_crossings: int


def crossing(curve: PACurve, *, by: Literal["deposits", "cells"] = "deposits") -> Crossing | None:
    """Where captured = 1 - volume on the step function, or None where there is no such place.

    On a flat piece of captured share c the crossing is at volume 1 - c; where a step jumps over the line
    it is at the volume of the step, with what that step brings in. A curve of `pa_curve` has one at
    most; a curve drawn from elsewhere may have several, then the one of smallest volume is taken. A crossing
    at the whole volume says nothing and counts as none.

    Parameters
    ----------
    curve : PACurve
        Curve with ascending volumes.
    by : {"deposits", "cells"}
        Which captured share to use.

    Raises
    ------
    ValueError
        If ``by`` is neither, or the volumes do not ascend.

    Examples
    --------
    >>> crossing(pa_curve({"A": [0.01, 0.02, 0.05, 0.1, 0.9]}))
    Crossing(volume=0.2, captured=0.8, density=4.0, n_crossings=1)
    """
    if by not in ("deposits", "cells"):
        raise ValueError(f"by={by!r} is not known, use 'deposits' or 'cells'.")
    volume = np.asarray(curve.volume, dtype=float)
    captured = np.asarray(curve.captured if by == "deposits" else curve.captured_cells, dtype=float)
    if len(volume) != len(captured) or np.any(np.diff(volume) < 0):
        raise ValueError("the volumes of a P-A curve must ascend, with one captured share each.")
    found = [place for place in _crossings(volume, captured) if place[0] < 1]
    if not found:
        return None
    at, share = found[0]
    # 1 - (1 - c) leaves dust in the last digits that would show in every table
    at, share = round(at, 12), round(share, 12)
    return Crossing(at, share, round(share / at, 12) if at > 0 else float("inf"), len(found))


def _crossings(volume: Float64, captured: Float64) -> list[tuple[float, float]]:
    """Where ``captured - (1 - volume)`` changes sign, in order of volume."""
    found: list[tuple[float, float]] = []
    ahead = False  # whether captured has overtaken 1 - volume
    for i, (v, c) in enumerate(zip(volume, captured, strict=True)):
        last = i + 1 == len(volume)
        if (c >= 1 - v) != ahead:
            found.append((float(v), float(c)))
            ahead = not ahead
        if not ahead and not last and 1 - c < volume[i + 1]:
            found.append((float(1 - c), float(c)))
            ahead = True
    return found


def draw_pa_curve(curves: Mapping[str, PACurve], path: str | Path, *, left_out: bool) -> Path:
    """Draw P-A curves with their crossings to a picture file.

    The left axis is the share of known deposits captured, rising as the threshold falls; the right axis is
    the share of the volume, drawn from the top down.

    Parameters
    ----------
    curves : mapping of str to PACurve
        One curve per model; the names become the legend.
    path : str or Path
        The file; its suffix says the format, such as ``.png``.
    left_out : bool
        True when the deposits were left out of training, False for in-sample curves. The title says which.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    ValueError
        If there is no curve.
    """
    if not curves:
        raise ValueError("there is no P-A curve to draw, give at least one.")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 5.2), layout="constrained")
    axes = figure.add_subplot()
    floor = _floor(curves)
    line = np.geomspace(floor, 1, 400)
    axes.plot(line, 1 - line, color="0.35", linestyle="--", label="volume (right axis)")
    for number, (name, curve) in enumerate(curves.items()):
        _draw_curve(axes, name, curve, f"C{number}", floor)
    kind = "deposits left out of training" if left_out else "IN-SAMPLE: deposits that the model was fitted on"
    figure.suptitle(f"P-A plot, {kind}", fontsize=11)
    axes.set_title(CAUTION, fontsize=8, color="0.3")
    axes.set(
        xscale="log", xlim=(floor, 1), ylim=(0, 1.02), xlabel="threshold, as volume rank (best cells left)"
    )
    axes.set_ylabel("share of known deposits captured")
    right = axes.secondary_yaxis("right", functions=(_upside_down, _upside_down))
    right.set_ylabel("share of the volume (from the top down)")
    axes.grid(alpha=0.25)
    for axis in (axes.xaxis, axes.yaxis, right.yaxis):
        axis.set_major_formatter(_percent)
    figure.legend(loc="outside lower center", fontsize=8)
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(f"part_{target.name}")
    figure.savefig(half, dpi=150)
    half.replace(target)
    return target


def _upside_down(values: Any) -> Any:
    return 1 - values


def _percent(value: float, position: float) -> str:
    return f"{100 * value:g} %"


def _floor(curves: Mapping[str, PACurve]) -> float:
    """Left end of the logarithmic axis: a decade at or below the smallest rank, no less than 1e-4."""
    steps = np.concatenate([curve.volume[curve.volume > 0] for curve in curves.values()])
    smallest = float(steps.min()) if len(steps) else 1e-2
    return float(np.clip(10.0 ** np.floor(np.log10(smallest)), 1e-4, 1e-2))


def _draw_curve(axes: Axes, name: str, curve: PACurve, colour: str, floor: float) -> None:
    where = crossing(curve)
    text = f"{name} ({len(curve.deposits)} deposits), no crossing"
    if where is not None:
        text = f"{name}: {where.captured:.0%} in {where.volume:.2%} of the volume"
    volume = np.maximum(curve.volume, floor)
    axes.step(volume, curve.captured, where="post", color=colour, label=text)
    if where is not None:
        at = max(where.volume, floor)
        axes.plot([at], [1 - where.volume], "o", color=colour, markeredgecolor="black", zorder=5)
        axes.plot([at, at], [0, 1 - where.volume], ":", color=colour, linewidth=1)
