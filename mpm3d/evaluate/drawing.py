"""What every picture of this room shares: colours, the caution line and the study's note, legend, file."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

CAUTION = "Conceptual, for planning exploration; not a resource estimate."
# Okabe and Ito's colours that colour-blind readers tell apart, without the yellow that is lost on white
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "0.4"
_LINES = ("-", "--", ":", "-.")
_DPI = 150
_GAP = 0.06  # inch
_LEGEND: dict[str, Any] = {"fontsize": 8, "handlelength": 2.9, "borderaxespad": 0, "frameon": False}
_MARGIN = 0.4  # inch, both sides together


def look(number: int) -> dict[str, Any]:
    """Colour and line of the model of this number, told apart up to 28 models."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": _LINES[number // len(COLOURS) % len(_LINES)],
    }


def percent(value: float, position: float | None = None) -> str:
    """Label of a tick on an axis of shares."""
    return f"{100 * value:.6g} %"


def plain(text: str) -> str:
    """Text that a picture shows as it is: a dollar sign starts no formula, an underscore hides nothing."""
    shown = text.replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def refuse_empty(given: Sized, what: str) -> None:
    """Raise a ValueError where there is nothing to draw."""
    if not len(given):
        raise ValueError(f"there is no {what} to draw, give at least one.")


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, size in inches, to which `frame` adds room for title, legend and note."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # measured as it is written: small letters are wider or narrower at another number of dots
    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def share_axis(axes: Axes, which: str, label: str) -> None:
    """Name an axis of shares, with ticks in percent."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_label_text(label)
    axis.set_major_formatter(percent)
    if axis.get_scale() == "log":
        axis.set_minor_formatter("")


def volume_axis(axes: Axes, smallest: float, which: str = "x") -> float:
    """Make an axis of volume ranks logarithmic, the best cells first; returns its lower end.

    The lower end is a decade at or below ``smallest``, between 0.01 % and 1 % of the volume.
    """
    with np.errstate(divide="ignore"):
        floor = float(np.clip(10.0 ** np.floor(np.log10(smallest)), 1e-4, 1e-2))
    axes.set(**{f"{which}scale": "log", f"{which}lim": (floor, 1)})
    return floor


def frame(figure: Figure, title: str, handles: Sequence[Artist], note: str) -> None:
    """Put title, legend, caution and note around the axes; the figure grows by what they need.

    Parameters
    ----------
    figure : Figure
        Finished axes of a figure from `new_figure`.
    title : str
        Title, broken into lines that fit.
    handles : sequence of Artist
        What the legend lists, by their labels.
    note : str
        The study's note, set below the caution line; may be empty.
    """
    width, height = figure.get_size_inches()
    head = _text(figure, title, 11, "black")
    lines = "\n".join(_wrapped(figure, text, 7.5) for text in (CAUTION, note) if text)
    foot = figure.text(0.5, 0, lines, fontsize=7.5, color="0.3", ha="center", va="bottom", parse_math=False)
    legend = _legend(figure, handles) if handles else None
    tall = [_inches(figure, part)[1] + 2 * _GAP if part else 0.0 for part in (head, legend, foot)]
    whole = height + sum(tall)
    figure.set_size_inches(width, whole)
    head.set_y(1 - _GAP / whole)
    foot.set_y(_GAP / whole)
    if legend:
        legend.set_bbox_to_anchor((0.5, tall[2] / whole), figure.transFigure)
    below = (tall[1] + tall[2]) / whole
    engine: Any = figure.get_layout_engine()
    engine.set(rect=(0, below, 1, 1 - below - tall[0] / whole))


def _text(figure: Figure, text: str, size: float, colour: str) -> Any:
    made = figure.text(0.5, 1, _wrapped(figure, text, size), fontsize=size, color=colour, parse_math=False)
    made.set(ha="center", va="top")
    return made


def _wrapped(figure: Figure, text: str, size: float) -> str:
    """The text in lines that fit the width of the figure."""
    room = figure.get_size_inches()[0] - _MARGIN
    for chars in range(int(room * 72 / (0.45 * size)), 10, -4):
        lines = "\n".join(part for line in text.splitlines() for part in textwrap.wrap(line, chars))
        trial = figure.text(0, 0, lines, fontsize=size, parse_math=False)
        wide = _inches(figure, trial)[0]
        trial.remove()
        if wide <= room:
            break
    return lines


def _legend(figure: Figure, handles: Sequence[Artist]) -> Legend:
    """A legend with as many columns as fit, below the axes."""
    labels = ["\n  ".join(textwrap.wrap(str(handle.get_label()), 80)) for handle in handles]
    for columns in range(min(4, len(handles)), 0, -1):
        legend = figure.legend(handles, labels, loc="lower center", ncols=columns, **_LEGEND)
        if columns == 1 or _inches(figure, legend)[0] <= figure.get_size_inches()[0] - _MARGIN:
            break
        legend.remove()
    return legend


def _inches(figure: Figure, part: Any) -> tuple[float, float]:
    box = part.get_window_extent(figure.canvas.get_renderer())  # type: ignore[attr-defined]
    return box.width / figure.dpi, box.height / figure.dpi


def write(figure: Figure, path: str | Path) -> Path:
    """Write a figure to a file, whole or not at all; the suffix says the format, ``.png`` without one."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(f"part_{target.name}")
    try:
        figure.savefig(half, format=target.suffix[1:] or "png")
        half.replace(target)
    finally:
        half.unlink(missing_ok=True)
    return target
