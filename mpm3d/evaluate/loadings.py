"""Picture of the loadings of principal components, with the names of the elements beside their arrows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mpm3d.evaluate.drawing import COLOURS, GREY, frame, new_figure, plain, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GAP = 3.0  # dots around a name
_STEPS = np.arange(8, 400, 4.0)  # dots from the tip of an arrow to the middle of its name
_TURNS = np.radians([0, 25, -25, 50, -50, 80, -80, 115, -115, 150, -150, 180])


def draw_loadings(
    loadings: pd.DataFrame,
    explained: ArrayLike,
    path: str | Path,
    *,
    components: tuple[int, int] = (0, 1),
    note: str = "",
) -> Path:
    """Draw the loadings of two components as arrows named after the elements.

    Names do not lie on each other or on an arrow: each stands at the first free place around the tip of its
    arrow, with a thin line to it where it had to move.

    Parameters
    ----------
    loadings : DataFrame, shape (elements, components)
        Centred log-ratio loadings, such as ``RobustComponents.loadings``; finite.
    explained : array of shape (components,)
        Share of the variance that each component explains, 0 to 1.
    path : str or Path
        The file; its suffix says the format, such as ``.png``.
    components : tuple of int
        The two that are drawn, counted from 0.
    note : str
        The study's note, set below the picture.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    ValueError
        If there are not two such components, or a loading is not finite.
    """
    shares = np.asarray(explained, dtype=float)
    if loadings.shape[1] != len(shares):
        raise ValueError(f"{loadings.shape[1]} components and {len(shares)} shares do not go together.")
    if len(set(components)) != 2 or not all(0 <= number < len(shares) for number in components):
        raise ValueError(f"components {components} are not two of the {len(shares)}, counted from 0.")
    tips = loadings.iloc[:, list(components)].to_numpy(dtype=float)
    if not len(tips) or not np.isfinite(tips).all():
        raise ValueError("every loading must be a finite number, and there must be at least one element.")
    figure = new_figure(6.4, 5.6)
    axes = figure.add_subplot()
    _draw_arrows(axes, tips)
    for number, which in zip(components, "xy", strict=True):
        label = f"{loadings.columns[number]}, {100 * shares[number]:.1f} % of the robust variance"
        axes.set(**{f"{which}label": plain(label)})
    frame(figure, "Loadings (centred log-ratio) of robust principal components", [], note)
    figure.draw_without_rendering()
    _name(figure, axes, tips, [str(name) for name in loadings.index])
    return write(figure, path)


def _draw_arrows(axes: Axes, tips: NDArray[np.float64]) -> None:
    reach = 1.3 * max(float(np.abs(tips).max()), 1e-6)
    axes.axhline(0, color="0.85", linewidth=0.8, zorder=0)
    axes.axvline(0, color="0.85", linewidth=0.8, zorder=0)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    style: dict[str, Any] = {"arrowstyle": "-|>", "color": COLOURS[0], "linewidth": 0.9, "mutation_scale": 7}
    for x, y in tips:
        axes.annotate("", (x, y), (0, 0), arrowprops={**style, "shrinkA": 0, "shrinkB": 0})


def _name(figure: Figure, axes: Axes, tips: NDArray[np.float64], names: Sequence[str]) -> None:
    """Write the names, the longest arrows first, each where no name and no arrow is."""
    renderer: Any = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    ends = axes.transData.transform(tips)
    centre = axes.transData.transform((0, 0))
    inside = axes.get_window_extent(renderer)
    shafts = np.linspace(centre, ends, 200).reshape(-1, 2)
    taken = [(x, y, x, y) for x, y in shafts]
    for number in np.argsort(-np.hypot(*tips.T), kind="stable"):
        text = axes.text(0, 0, plain(names[number]), fontsize=8, ha="center", va="center", in_layout=False)
        text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.5})
        box = text.get_window_extent(renderer)
        half = np.array([box.width, box.height]) / 2 + _GAP
        place = _free(ends[number], ends[number] - centre, half, taken, inside)
        taken.append((*(place - half), *(place + half)))
        x, y = axes.transData.inverted().transform(place)
        text.set_position((float(x), float(y)))
        if np.any(np.abs(place - ends[number]) > half + 8):
            line = axes.transData.inverted().transform([ends[number], place])
            axes.plot(*line.T, color=GREY, linewidth=0.5, zorder=1)


def _free(
    tip: NDArray[np.float64],
    outwards: NDArray[np.float64],
    half: NDArray[np.float64],
    taken: Sequence[tuple[float, float, float, float]],
    inside: Any,
) -> NDArray[np.float64]:
    """The nearest place to a tip where a box of this half size meets no other one."""
    angle = np.arctan2(outwards[1], outwards[0])
    boxes = np.array(taken)
    for step in _STEPS:
        for turn in angle + _TURNS:
            way = np.array([np.cos(turn), np.sin(turn)])
            # a wide name moves further sideways than up
            place = tip + way * (step + np.abs(way) @ half - 8)
            low, high = place - half, place + half
            meets = (low[0] < boxes[:, 2]) & (high[0] > boxes[:, 0])
            meets &= (low[1] < boxes[:, 3]) & (high[1] > boxes[:, 1])
            within = inside.x0 < low[0] and high[0] < inside.x1 and inside.y0 < low[1] and high[1] < inside.y1
            if within and not meets.any():
                return np.asarray(place)
    return tip
