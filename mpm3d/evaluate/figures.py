"""Pictures of curves: P-A, capture, ROC, reliability, and how networks were fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from mpm3d.evaluate.curves import PACurve, capture_curve, crossing
from mpm3d.evaluate.drawing import (
    COLOURS,
    GREY,
    frame,
    look,
    new_figure,
    percent,
    plain,
    refuse_empty,
    share_axis,
    volume_axis,
    write,
)
from mpm3d.evaluate.measures import Float64, Ranks, auc, volume_ranks
from mpm3d.evaluate.probability import Reliability

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

History = Sequence[Mapping[str, Any]]
_MARKERS = ("", "o", "s", "^")
_STAR: dict[str, Any] = {"marker": "*", "markersize": 11, "markeredgecolor": "black"}
_SHARES = (0.01, 0.02, 0.05, 0.1)


def draw_pa_curve(
    curves: Mapping[str, PACurve], path: str | Path, *, left_out: bool, note: str = "", space: str = "volume"
) -> Path:
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
    note : str
        The study's note, set below the picture.
    space : str
        What shares of the cells are shares of: ``"volume"``, or ``"area"`` for a map.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    ValueError
        If there is no curve.
    """
    refuse_empty(curves, "P-A curve")
    figure = new_figure(7.2, 4.6)
    axes = figure.add_subplot()
    steps = np.concatenate([curve.volume[curve.volume > 0] for curve in curves.values()])
    floor = volume_axis(axes, float(steps.min()) if len(steps) else 1e-2)
    line = np.geomspace(floor, 1, 400)
    handles: list[Artist] = []
    handles += axes.plot(line, 1 - line, color=GREY, dashes=(1, 1), label=f"{space} (right axis)")
    for number, (name, curve) in enumerate(curves.items()):
        handles += _draw_pa(axes, name, curve, look(number), floor, space)
    axes.set(ylim=(0, 1.02))
    share_axis(axes, "x", f"threshold, as {space} rank (best cells left), % of the eligible {space}")
    share_axis(axes, "y", "share of known deposits captured, %")
    right = axes.secondary_yaxis("right", functions=(_upside_down, _upside_down))
    right.set_ylabel(f"share of the {space} (from the top down), %")
    right.yaxis.set_major_formatter(percent)
    axes.grid(alpha=0.25)
    kind = "deposits left out of training" if left_out else "IN-SAMPLE: deposits that the model was fitted on"
    frame(figure, f"P-A plot, {kind}", handles, note)
    return write(figure, path)


def _upside_down(values: Any) -> Any:
    return 1 - values


def _draw_pa(
    axes: Axes, name: str, curve: PACurve, style: Mapping[str, Any], floor: float, space: str
) -> list[Artist]:
    where = crossing(curve)
    text = f"{name} ({len(curve.deposits)} deposits), no crossing"
    if where is not None:
        text = f"{name}: {where.captured:.0%} in {where.volume:.2%} of the {space}"
    volume = np.maximum(curve.volume, floor)
    drawn = axes.step(volume, curve.captured, where="post", label=plain(text), **style)
    if where is not None:
        at, colour = max(where.volume, floor), style["color"]
        axes.plot([at], [1 - where.volume], "o", color=colour, markeredgecolor="black", zorder=5)
        axes.plot([at, at], [0, 1 - where.volume], ":", color=colour, linewidth=1)
    return list(drawn)


def draw_capture(
    ranks: Mapping[str, Ranks], path: str | Path, *, note: str = "", space: str = "volume"
) -> Path:
    """Draw capture curves: the share of left-out deposits inside the best cells of the volume.

    Lines stand at the best 1, 2, 5 and 10 %; the legend says what the best 2 % hold.

    Parameters
    ----------
    ranks : mapping of str to mapping of str to array
        Volume ranks of the cells of each left-out deposit, by model.
    path : str or Path
        The file; its suffix says the format, such as ``.png``.
    note : str
        The study's note, set below the picture.
    space : str
        What shares of the cells are shares of: ``"volume"``, or ``"area"`` for a map.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    ValueError
        If there is no model, or its ranks are no ranks of deposits.
    """
    refuse_empty(ranks, "capture curve")
    figure = new_figure(7.2, 4.6)
    axes = figure.add_subplot()
    curves = {name: capture_curve(deposits) for name, deposits in ranks.items()}
    steps = np.concatenate([curve.volume[curve.volume > 0] for curve in curves.values()])
    floor = volume_axis(axes, float(steps.min()))
    line = np.geomspace(floor, 1, 200)
    handles: list[Artist] = []
    for number, (name, curve) in enumerate(curves.items()):
        at = curve.captured[np.searchsorted(curve.volume, 0.02, side="right") - 1]
        text = plain(f"{name}: {100 * at:.0f} % in the best 2 %")
        volume = np.maximum(curve.volume, floor)
        handles += axes.step(volume, curve.captured, where="post", label=text, **look(number))
    handles += axes.plot(line, line, color=GREY, dashes=(1, 1), label="chance")
    for mark in _SHARES:
        axes.axvline(mark, color="0.8", linewidth=0.8, zorder=0)
    axes.set(ylim=(0, 1.02))
    share_axis(axes, "x", f"best cells, % of the eligible {space}")
    share_axis(axes, "y", "cells of left-out deposits inside, %\n(mean over deposits)")
    axes.grid(axis="y", alpha=0.25)
    n = len({deposit for deposits in ranks.values() for deposit in deposits})
    frame(figure, f"Capture of {n} left-out deposit{'s' if n > 1 else ''}", handles, note)
    return write(figure, path)


def draw_roc(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]], path: str | Path, *, title: str, note: str = ""
) -> Path:
    """Draw ROC curves: deposit cells found against background called, over all thresholds.

    Parameters
    ----------
    curves : mapping of str to two arrays
        Scores of the deposit cells and of the cells they are held against (sampled negatives or eligible
        cells), by model. Of the former NaN is worse than all others, of the latter it is dropped.
    path : str or Path
        The file; its suffix says the format, such as ``.png``.
    title : str
        What was scored; it has to say where a split is optimistic.
    note : str
        The study's note, set below the picture.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    ValueError
        If there is no model, or one without scores.
    """
    refuse_empty(curves, "ROC curve")
    figure = new_figure(7.2, 5.4)
    axes = figure.add_subplot()
    handles: list[Artist] = []
    for number, (name, (found, against)) in enumerate(curves.items()):
        ranks = volume_ranks(found, against)
        area = auc({name: ranks}).cells
        x, y = _roc(found, against)
        handles += axes.plot(x, y, label=plain(f"{name}: AUC {area:.3f}"), **look(number))
    handles += axes.plot([0, 1], [0, 1], color=GREY, dashes=(1, 1), label="chance: AUC 0.500")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    share_axis(axes, "x", "background cells at or above the threshold, %")
    share_axis(axes, "y", "deposit cells at or above the threshold, %")
    axes.grid(alpha=0.25)
    frame(figure, title, handles, note)
    return write(figure, path)


def _roc(found: ArrayLike, against: ArrayLike) -> tuple[Float64, Float64]:
    """Corners of the curve: just above and at each score of a deposit cell; between them it is flat."""
    high, low = (np.asarray(values, dtype=float).ravel() for values in (found, against))
    low = low[~np.isnan(low)]
    steps = np.unique(high[~np.isnan(high)])[::-1]

    def counts(values: Float64) -> list[int]:
        ascending = np.sort(values[~np.isnan(values)])
        sides = [len(ascending) - np.searchsorted(ascending, steps, side=side) for side in ("right", "left")]
        return [0, *np.column_stack(sides).ravel().tolist(), len(ascending), len(values)]

    # the last corner but one is flat again: all that have a score; deposit cells without one come last
    return np.array(counts(low)) / len(low), np.array(counts(high)) / len(high)


def draw_reliability(curves: Mapping[str, Reliability], path: str | Path, *, note: str = "") -> Path:
    """Draw reliability curves: what models promise against what was found, and how often they promise it.

    Parameters
    ----------
    curves : mapping of str to Reliability
        One curve per model whose score is a probability.
    path : str or Path
        The file; its suffix says the format, such as ``.png``.
    note : str
        The study's note, set below the picture.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    ValueError
        If there is no curve.
    """
    refuse_empty(curves, "reliability curve")
    figure = new_figure(7.2, 6.4)
    top, low = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    handles: list[Artist] = []
    for number, (name, curve) in enumerate(curves.items()):
        style = look(number)
        handles += top.plot(
            curve.predicted, curve.observed, marker="o", markersize=4, label=plain(name), **style
        )
        low.plot(curve.predicted, curve.n, marker="o", markersize=3, **style)
    handles += top.plot([0, 1], [0, 1], color=GREY, dashes=(1, 1), label="calibrated: as promised")
    top.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    share_axis(top, "y", "deposit among these samples, %")
    share_axis(low, "x", "predicted probability, %")
    low.set(yscale="log", ylabel="samples,\nnumber per bin")
    for axes in (top, low):
        axes.grid(alpha=0.25)
    frame(figure, "Reliability: probability that models give against what was found", handles, note)
    return write(figure, path)


def draw_history(histories: Mapping[str, History], path: str | Path, *, note: str = "") -> Path:
    """Draw loss and accuracy by epoch: what was fitted on dotted, the held-out deposit in full.

    Parameters
    ----------
    histories : mapping of str to sequence of mapping
        Rows with ``epoch``, ``loss``, ``validation_loss``, ``validation_auc``, ``accuracy`` and
        ``validation_accuracy`` by model; any value but the epoch may be None or missing. Models without rows
        have no epochs and are left out.
    path : str or Path
        The file; its suffix says the format, such as ``.png``.
    note : str
        The study's note, set below the picture.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    ValueError
        If no model has epochs.
    """
    from matplotlib.lines import Line2D

    kept = {name: rows for name, rows in histories.items() if len(rows)}
    refuse_empty(kept, "history of epochs")
    figure = new_figure(9.2, 3.8)
    panels = dict(zip(("loss", "accuracy"), figure.subplots(1, 2), strict=True))
    figure.get_layout_engine().set(wspace=0.06)  # type: ignore[union-attr,call-arg]
    handles: list[Artist] = []
    for number, (name, rows) in enumerate(kept.items()):
        style: dict[str, Any] = {
            "color": COLOURS[number % 7],
            "marker": _MARKERS[number // 7 % 4],
            "markersize": 3,
        }
        handles.append(Line2D([], [], label=plain(name), **style))
        for key, axes in panels.items():
            _draw_rows(axes, rows, key, style)
    handles.append(Line2D([], [], color=GREY, linestyle=":", label="training"))
    if any(_best(rows) is not None for rows in kept.values()):
        handles.append(Line2D([], [], color=GREY, label="validation (held out)"))
        handles.append(Line2D([], [], color="white", linestyle="", label="best epoch, the one kept", **_STAR))
    for key, axes in panels.items():
        _finish_history(axes, key)
    frame(figure, "Loss and accuracy by epoch", handles, note)
    return write(figure, path)


def _column(rows: History, key: str) -> Float64:
    return np.array([np.nan if row.get(key) is None else row[key] for row in rows], dtype=float)


def _best(rows: History) -> int | None:
    """Place of the epoch that was kept: best AUC, then lowest loss, on validation; None without it."""
    area, loss = _column(rows, "validation_auc"), _column(rows, "validation_loss")
    if np.isnan(area).all() and np.isnan(loss).all():
        return None
    return int(np.lexsort((np.nan_to_num(loss, nan=np.inf), np.nan_to_num(-area, nan=np.inf)))[0])


def _draw_rows(axes: Axes, rows: History, key: str, style: Mapping[str, Any]) -> None:
    epoch, best = _column(rows, "epoch"), _best(rows)
    for column, line in ((key, ":"), (f"validation_{key}", "-")):
        values = _column(rows, column)
        values[~np.isfinite(values)] = np.nan
        if np.isnan(values).all():
            continue
        single = {"marker": "o"} if np.isfinite(values).sum() == 1 else {}  # a line of one epoch is no line
        axes.plot(epoch, values, linestyle=line, **{**style, **single})
        if line == "-" and best is not None and np.isfinite(values[best]):
            axes.plot(epoch[best], values[best], color=style["color"], zorder=5, **_STAR)


def _finish_history(axes: Axes, key: str) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

    axes.set_xlabel("epoch (passes over the training samples)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    last = max([2.0, *(float(np.max(line.get_xdata())) for line in axes.lines)])
    axes.set_xlim(0, 1.04 * last)
    axes.grid(alpha=0.25)
    if not axes.lines:
        axes.text(0.5, 0.5, f"{key} not recorded", ha="center", transform=axes.transAxes, color=GREY)
    if key == "accuracy":
        share_axis(axes, "y", "accuracy, % of samples called right")
        return
    axes.set_ylabel("loss, mean per sample")
    values = np.array([value for line in axes.lines for value in np.atleast_1d(line.get_ydata())] or [1.0])
    if np.nanmin(values) > 0 and np.nanmax(values) > 20 * np.nanmin(values):
        axes.set(yscale="log", ylabel="loss, mean per sample (logarithmic)")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
