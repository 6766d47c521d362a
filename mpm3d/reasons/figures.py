"""Pictures of attributions: which layers matter, where their values raise the score, and how."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mpm3d.evaluate.drawing import COLOURS, GREY, frame, new_figure, plain, refuse_empty, write
from mpm3d.reasons.summary import Float64, Summary

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_MOST, _MOST_PANELS = 20, 12  # layers of a picture; the faintest are left out and the title says so
_COLUMNS = 3
_SWARM = 1500  # points of a swarm
_ENDS = (5, 95)  # percentiles of a layer's values that have the ends of the colours
_CROWDS = {"volume": COLOURS[0], "targets": COLOURS[1]}
_ADDS = "what the layer adds to the score"


@dataclass(frozen=True)
class Look:
    """What pictures say besides the values.

    Parameters
    ----------
    kind : str
        Kind of the model.
    names, units : mapping of str to str
        Long names and units of the layers.
    method : str
        How values were found, a line.
    note : str
        The study's note.
    """

    kind: str
    names: Mapping[str, str]
    units: Mapping[str, str]
    method: str
    note: str = ""

    @property
    def foot(self) -> str:
        """Method and note, below the caution line."""
        return f"{self.method[:1].upper()}{self.method[1:]}.\n{self.note}".strip()

    def label(self, layer: str, width: int = 34) -> str:
        """Long name of a layer with its units, in lines that fit."""
        unit = self.units.get(layer, "1")
        said = self.names.get(layer) or layer
        whole = said if unit == "1" else f"{said},\u00a0{unit}"  # units stay with the last word
        return "\n".join(textwrap.wrap(plain(whole), width))


def draw_bar(summary: Summary, path: str | Path, look: Look) -> Path:
    """Draw the mean absolute attribution of each layer, over the volume and over the targets.

    Parameters
    ----------
    summary : Summary
        What was explained.
    path : str or Path
        The file; its suffix says the format, such as ``.png``.
    look : Look
        Names, units, method, note.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    ValueError
        If no cell of the volume was explained.
    """
    order = shown(summary, _MOST)
    figure = new_figure(7.6, 1.2 + 0.5 * len(order))
    axes, handles = figure.add_subplot(), []
    tallies = {"volume": summary.volume, "targets": summary.in_targets}
    there = {name: tally for name, tally in tallies.items() if tally.n}
    for number, (name, tally) in enumerate(there.items()):
        place = np.arange(len(order)) + 0.38 * (number - (len(there) - 1) / 2)
        label = f"{_said(name, summary)}: {tally.n:,} cells"
        bars = axes.barh(place, tally.means[1][order], 0.36, color=_CROWDS[name], label=label)
        handles.append(bars.patches[0])
        handles[-1].set_label(label)
    _name_layers(axes, summary, order, look)
    axes.set_xlabel("mean absolute attribution, in units of the score")
    axes.grid(alpha=0.25, axis="x")
    frame(figure, title_of("Which layers move the score", summary, order, look), handles, look.foot)
    return write(figure, path)


def draw_beeswarm(summary: Summary, path: str | Path, look: Look) -> Path:
    """Draw the attribution of each layer at cells of the volume, the value of the layer in colour.

    Parameters, returns and errors are those of `draw_bar`.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    order, crowd = shown(summary, _MOST), summary.crowds["volume"]
    figure = new_figure(8.2, 1.4 + 0.62 * len(order))
    axes = figure.add_subplot()
    rows = np.linspace(0, len(crowd.score) - 1, min(_SWARM, len(crowd.score))).astype(int)
    for place, layer in enumerate(order):
        x, value = crowd.values[rows, layer], crowd.evidence[rows, layer]
        y, colour = place + _swarm(x), _scaled(value)
        gone = np.isnan(colour)
        axes.scatter(x[gone], y[gone], s=5, c="0.75", linewidths=0)
        axes.scatter(x[~gone], y[~gone], s=5, c=colour[~gone], cmap="viridis", vmin=0, vmax=1, linewidths=0)
    axes.axvline(0, color=GREY, linewidth=0.8)
    _name_layers(axes, summary, order, look)
    axes.set_xlabel(f"{_ADDS}, in units of the score")
    axes.grid(alpha=0.25, axis="x")
    bar = figure.colorbar(ScalarMappable(Normalize(0, 1), "viridis"), ax=axes, ticks=[0, 1], aspect=30)
    bar.ax.set_yticklabels(["low", "high"], fontsize=8)
    bar.set_label(f"value of the layer ({_ENDS[0]}th to {_ENDS[1]}th percentile); grey: missing", fontsize=8)
    words = f"What values of each layer do to the score, at {len(rows):,} cells of the {summary.space}"
    frame(figure, title_of(words, summary, order, look), [], look.foot)
    return write(figure, path)


def draw_dependence(summary: Summary, path: str | Path, look: Look) -> Path:
    """Draw, layer by layer, the score and what the layer adds to it against the value of the layer.

    Parameters, returns and errors are those of `draw_bar`.
    """
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    order = shown(summary, _MOST_PANELS)
    lines = -(-len(order) // _COLUMNS)
    figure = new_figure(9.6, 3.4 * lines)
    outer = figure.add_gridspec(lines, _COLUMNS)
    # all panels of a kind have one scale, so that layers can be compared
    ends = [_range([crowd.values[:, order] for crowd in summary.crowds.values()])]
    ends.append(_range([crowd.score for crowd in summary.crowds.values()]))
    for place, layer in enumerate(order):
        inner = outer[place // _COLUMNS, place % _COLUMNS].subgridspec(2, 1, hspace=0.04)
        low = figure.add_subplot(inner[1])
        top = figure.add_subplot(inner[0], sharex=low)
        top.tick_params(labelbottom=False)
        for name, crowd in summary.crowds.items():
            _dots(low, crowd.evidence[:, layer], crowd.values[:, layer], name)
            _dots(top, crowd.evidence[:, layer], crowd.score, name)
        low.axhline(0, color=GREY, linewidth=0.8)
        low.set_ylim(*ends[0])
        top.set_ylim(*ends[1])
        low.xaxis.set_major_locator(MaxNLocator(5))
        low.set_xlabel(look.label(summary.layers[layer], 36), fontsize=8)
        for axes in (low, top):
            axes.tick_params(labelsize=7)
            axes.grid(alpha=0.25)
        if place % _COLUMNS == 0:
            low.set_ylabel("layer adds", fontsize=8)
            top.set_ylabel("score", fontsize=8)
    handles: list[Artist] = [
        Line2D([], [], linestyle="", marker="o", markersize=4, color=_CROWDS[name],
               label=f"{_said(name, summary)}: {len(crowd.score):,} drawn")
        for name, crowd in summary.crowds.items() if len(crowd.score)
    ]  # fmt: skip
    words = "Score (above) and what the layer adds to it (below), against the value of the layer"
    frame(figure, title_of(words, summary, order, look), handles, look.foot)
    return write(figure, path)


DRAWN: dict[str, Callable[[Summary, str | Path, Look], Path]] = {
    "bar": draw_bar,
    "beeswarm": draw_beeswarm,
    "dependence": draw_dependence,
}


def shown(summary: Summary, most: int) -> list[int]:
    """The layers of a picture, the strongest first."""
    refuse_empty(range(summary.volume.n), f"explained cell of the {summary.space}")
    return summary.order[:most]


def _said(crowd: str, summary: Summary) -> str:
    return summary.space if crowd == "volume" else crowd


def title_of(words: str, summary: Summary, order: list[int], look: Look) -> str:
    """Title of a picture, with the number of layers that it leaves out."""
    left = len(summary.layers) - len(order)
    return f"{words}: {look.kind}" + (f"; {left} fainter layers are left out" if left else "")


def _name_layers(axes: Axes, summary: Summary, order: list[int], look: Look) -> None:
    axes.set_yticks(range(len(order)), [look.label(summary.layers[i]) for i in order], fontsize=8)
    axes.set_ylim(len(order) - 0.5, -0.5)


def _swarm(x: Float64) -> Float64:
    """Offsets that put points of like x side by side, up to 0.4 where they crowd most."""
    found = np.zeros(len(x))
    if not len(x) or np.ptp(x) == 0:
        return found
    bins = np.digitize(x, np.linspace(x.min(), x.max(), 120))
    most = np.bincount(bins).max()
    for one in np.unique(bins):
        rows = np.flatnonzero(bins == one)
        # width by the root of the count, or all but the densest place would be a line
        wide = 0.4 * np.sqrt(len(rows) / max(most, 12))
        found[rows] = np.linspace(-wide, wide, len(rows)) if len(rows) > 1 else 0.0
    return found


def _scaled(values: Float64) -> Float64:
    """Values between 0 and 1 from their 5th to their 95th percentile; NaN stays."""
    if np.isnan(values).all():
        return values
    low, high = np.nanpercentile(values, _ENDS)
    scaled: Float64 = np.clip((values - low) / (high - low if high > low else 1.0), 0, 1)
    return scaled


def _dots(axes: Axes, x: Float64, y: Float64, crowd: str) -> None:
    axes.scatter(x, y, s=3, c=_CROWDS[crowd], alpha=0.35, linewidths=0, rasterized=True)


def _range(parts: list[Any]) -> tuple[float, float]:
    values = np.concatenate([np.ravel(part) for part in parts])
    low, high = float(values.min()), float(values.max())
    margin = 0.04 * (high - low) or 0.5
    return low - margin, high + margin
