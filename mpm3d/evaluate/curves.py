"""Capture curves, the P-A curve and its crossing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mpm3d.evaluate.measures import Float64, Ranks, checked_ranks, share_inside


@dataclass(frozen=True, eq=False)
class CaptureCurve:
    """What the best cells of the volume capture, at every share of it; also called a success-rate curve.

    A step function: from one volume up to the next the captured share stays as it is.

    Parameters
    ----------
    volume : array of shape (k,)
        Share of the eligible volume at or above each threshold, ascending from 0 to 1.
    captured : array of shape (k,)
        Mean over deposits of the share of their cells inside, each deposit with equal weight.
    captured_cells : array of shape (k,)
        Share of all deposit cells inside.
    """

    volume: Float64
    captured: Float64
    captured_cells: Float64


@dataclass(frozen=True, eq=False)
class PACurve(CaptureCurve):
    """Prediction-area curve: a capture curve that is read against the volume it takes.

    Parameters
    ----------
    volume, captured, captured_cells : array of shape (k,)
        As in a `CaptureCurve`.
    deposits : tuple of str
        The deposits behind it.
    """

    deposits: tuple[str, ...] = ()


def capture_curve(ranks_by_deposit: Ranks) -> CaptureCurve:
    """The exact capture curve, one step at every distinct volume rank; ties enter together.

    Parameters
    ----------
    ranks_by_deposit : mapping of str to array
        Volume ranks of the cells of each deposit.

    Returns
    -------
    CaptureCurve
        At the shares of `capture` it has the values of `capture`.

    Raises
    ------
    ValueError
        If there is no deposit, one without cells, or a rank outside 0 to 1.

    Examples
    --------
    >>> curve = capture_curve({"A": [0.1, 0.3, 0.3], "B": [0.5]})
    >>> curve.volume.tolist()
    [0.0, 0.1, 0.3, 0.5, 1.0]
    >>> curve.captured_cells.tolist()
    [0.0, 0.25, 0.75, 1.0, 1.0]
    """
    ranks = checked_ranks(ranks_by_deposit)
    pooled = np.concatenate(list(ranks.values()))
    volume = np.unique(np.concatenate([[0.0, 1.0], pooled]))
    captured = np.mean([share_inside(values, volume) for values in ranks.values()], axis=0)
    return CaptureCurve(volume, captured, share_inside(pooled, volume))


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
    curve = capture_curve(ranks_by_deposit)
    return PACurve(curve.volume, curve.captured, curve.captured_cells, tuple(ranks_by_deposit))


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
    ahead = False  # whether captured has overtaken 1 - volume; both have dust in their last digits
    for i, (v, c) in enumerate(zip(volume, captured, strict=True)):
        last = i + 1 == len(volume)
        if (c >= 1 - v - 1e-12) != ahead:
            found.append((float(v), float(c)))
            ahead = not ahead
        # where the line is met right at the next step, that step counts
        if not ahead and not last and 1 - c < volume[i + 1] - 1e-12:
            found.append((float(1 - c), float(c)))
            ahead = True
    return found
