"""A picture of what each layer adds to the score of each deposit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mpm3d.evaluate.drawing import frame, new_figure, plain, refuse_empty, write
from mpm3d.reasons.figures import Look, shown, title_of
from mpm3d.reasons.reason import decimals
from mpm3d.reasons.summary import Float64, Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mpm3d.reasons.deposits import DepositTally

_MOST_LAYERS, _MOST_DEPOSITS = 60, 60
_NUMBERS = 16  # layers up to which there is room for the numbers
_MEMORY = (
    "Red raises the score, blue lowers it; a deposit is the mean over its cells. The model has learned from "
    "the known deposits, so for them it explains its own memory; it never saw those marked as blind."
)


def draw_deposits(summary: Summary, path: str | Path, look: Look) -> Path:
    """Draw what each layer adds to the score of each deposit, known ones first, then blind ones.

    Parameters
    ----------
    summary : Summary
        With deposits; those without a score are left out. Of more than sixty those with the highest score
        are drawn, blind ones before known ones.
    path : str or Path
        The file; its suffix says the format, such as ``.png``.
    look : Look
        Kind of the model, method, note.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    ValueError
        If no cell of the volume or of a deposit was explained.
    """
    order = shown(summary, _MOST_LAYERS)
    rows, lacking = _rows(summary)
    values = np.array([one.tally.means[0][order] for one in rows])
    figure = new_figure(*_size(rows, [summary.layers[i] for i in order]))
    axes = figure.add_subplot()
    most = float(np.abs(values).max()) or 1.0
    image = axes.imshow(values, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto", interpolation="nearest")
    _name(axes, rows, [summary.layers[i] for i in order], summary.base)
    if len(order) <= _NUMBERS:
        _write_numbers(axes, values, most)
    bar = figure.colorbar(image, ax=axes, aspect=30)
    bar.set_label("what the layer adds, in units of the score", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    title = title_of("What each layer adds to the score of each deposit", summary, order, look)
    left = f"; {lacking} more deposits are in the table" if lacking else ""
    frame(figure, title + left, [], f"{_MEMORY}\n{look.foot}")
    return write(figure, path)


def _rows(summary: Summary) -> tuple[list[DepositTally], int]:
    """Known deposits, then blind ones, each from the highest score on, and how many have no room."""
    there = [one for one in summary.deposits if one.tally.n]
    refuse_empty(there, "deposit with a score")
    ordered = sorted(there, key=lambda one: (not one.blind, -one.tally.means[0].sum()))[:_MOST_DEPOSITS]
    return sorted(ordered, key=lambda one: one.blind), len(there) - len(ordered)


def _size(rows: list[DepositTally], layers: list[str]) -> tuple[float, float]:
    """Width and height in inches, with room for the longest names."""
    letter = 0.065  # in, of the names
    width = 1.9 + letter * max(len(one.name) + 8 for one in rows) + 0.25 * len(layers)
    height = 0.5 + letter * max(map(len, layers)) + max(1.6, 0.26 * len(rows))
    return max(7.6, width), height


def _name(axes: Axes, rows: list[DepositTally], layers: list[str], base: float) -> None:
    """Names of deposits on the left, their scores on the right, layers below, a line above the blind ones."""
    names = [plain(f"{one.name} (blind)" if one.blind else one.name) for one in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=7.5)
    axes.set_xticks(range(len(layers)), [plain(name) for name in layers], fontsize=7.5, rotation=90)
    scores = axes.secondary_yaxis("right")
    scores.set_yticks(
        range(len(rows)), [f"{base + one.tally.means[0].sum():.2f}" for one in rows], fontsize=7.5
    )
    scores.set_ylabel(f"score of the deposit; {base:.2f} without any layer", fontsize=8)
    scores.tick_params(length=0)
    known = sum(not one.blind for one in rows)
    if 0 < known < len(rows):
        axes.axhline(known - 0.5, color="black", linewidth=1.4)


def _write_numbers(axes: Axes, values: Float64, most: float) -> None:
    digits = decimals(values, 2)
    for (row, column), value in np.ndenumerate(values):
        # white on the dark ends of the colours
        shade = "white" if abs(value) > 0.6 * most else "black"
        said = f"{value:+.{digits}f}".replace("-", "−") if round(value, digits) else "0"
        axes.text(column, row, said, fontsize=6.5, ha="center", va="center", color=shade)
