"""Pictures of maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from mpm3d.evaluate.drawing import frame, plain, write
from mpm3d.grid import FloatArray, Grid
from mpm3d.maps.cog import checked
from mpm3d.maps.furniture import is_wide, map_axes

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Places = Mapping[str, tuple[ArrayLike, Sequence[str]]]
EMPTY = "0.85"
# fillings that stand out on every shade of the map, and marks of different shapes
_MARKS = (("o", "#D55E00"), ("^", "#CC79A7"), ("s", "white"), ("D", "#E69F00"), ("v", "#56B4E9"))
_MOST_NAMES = 60


def draw_map(
    values: ArrayLike,
    grid: Grid,
    path: str | Path,
    *,
    title: str,
    units: str,
    points: Places | None = None,
    outlines: Mapping[str, Sequence[ArrayLike]] | Sequence[ArrayLike] = (),
    note: str = "",
) -> Path:
    """Draw a map to a picture file, with scale bar, arrow to true north, and coordinates.

    Coordinates of the map are below and on the left, its grid lines run through it; longitudes and latitudes
    are above and on the right where it is projected. Colours are those that colour-blind readers tell apart.

    Parameters
    ----------
    values : array of shape (y, x)
        Values of the columns, southernmost row first; NaN is grey.
    grid : Grid
        The cells.
    path : str or Path
        The file; its suffix says the format, such as ``.png``.
    title, units : str
        What is shown; the units name the colour bar.
    points : mapping of str to (array of shape (n, 2), names), optional
        x and y of places and their names, by what they are, such as ``"deposit"``. Names that would lie on
        others are left out.
    outlines : sequence of array of shape (n, 2), or mapping of str to such sequences
        Lines, such as the outlines of targets; by name they are named above or below.
    note : str
        The study's note, set below the caution line.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    ValueError
        If the values do not have the shape of the map, or there is none.
    """
    plane = checked(values, grid)
    there = plane[np.isfinite(plane)]
    if not len(there):
        raise ValueError(f"{title!r} has no value in any cell, so there is nothing to draw.")
    low, high = float(there.min()), float(there.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    figure, axes = map_axes(grid)
    drawn = show(axes, np.ma.masked_invalid(plane), grid, cmap="viridis", vmin=low, vmax=high)
    below: dict[str, Any] = {"location": "bottom", "aspect": 40, "shrink": 0.7, "pad": 0.02}
    beside: dict[str, Any] = {"location": "right", "aspect": 30, "shrink": 0.8, "pad": 0.02}
    bar = figure.colorbar(drawn, ax=axes, **(below if is_wide(grid) else beside))
    bar.set_label(plain(units), fontsize=8)
    bar.ax.tick_params(labelsize=7.5)
    handles: list[Artist] = []
    if len(there) < plane.size:
        handles.append(empty_patch())
    labels = _draw_points(axes, points or {}, handles)
    labels += _draw_outlines(axes, outlines if isinstance(outlines, Mapping) else {"": outlines})
    return finish(figure, title, handles, labels, note, path)


def show(axes: Axes, plane: Any, grid: Grid, **look: Any) -> Any:
    """Values as equal cells, grey where they are masked."""
    xmin, ymin, _, xmax, ymax, _ = grid.bounds
    axes.set_facecolor(EMPTY)
    return axes.imshow(
        plane, origin="lower", extent=(xmin, xmax, ymin, ymax), interpolation="nearest", zorder=0, **look
    )


def empty_patch() -> Artist:
    """What the legend has for cells without a value."""
    from matplotlib.patches import Patch

    return Patch(facecolor=EMPTY, edgecolor="0.5", linewidth=0.5, label="no value")


def _draw_points(axes: Axes, points: Places, handles: list[Artist]) -> list[Any]:
    """Places of each kind with a mark of their own; returns the texts of their names."""
    from matplotlib.patheffects import withStroke

    texts = []
    white = [withStroke(linewidth=2, foreground="white")]
    n = sum(len(names) for _, names in points.values())
    for number, (role, (places, names)) in enumerate(points.items()):
        xy: FloatArray = np.asarray(places, dtype=float).reshape(-1, 2)
        mark, colour = _MARKS[number % len(_MARKS)]
        handles += axes.plot(
            xy[:, 0], xy[:, 1], mark, markersize=5.5, markerfacecolor=colour, markeredgecolor="black",
            linestyle="none", label=plain(role), zorder=6,
        )  # fmt: skip
        middle = sum(axes.get_xlim()) / 2
        for (x, y), name in zip(xy, names if n <= _MOST_NAMES else (), strict=False):
            left = x > middle
            texts.append(
                axes.annotate(
                    name,
                    (x, y),
                    (-5 if left else 5, 0),
                    textcoords="offset points",
                    fontsize=6.5,
                    ha="right" if left else "left",
                    va="center",
                    path_effects=white,
                    zorder=6.5,
                    parse_math=False,
                    annotation_clip=True,
                )
            )
    return texts


def _draw_outlines(axes: Axes, outlines: Mapping[str, Sequence[ArrayLike]]) -> list[Any]:
    """Black lines with a white rim; returns the texts of their names, above and below for `finish`."""
    from matplotlib.patheffects import withStroke

    texts = []
    white = [withStroke(linewidth=2, foreground="white")]
    for name, lines in outlines.items():
        corners = [np.asarray(line, dtype=float).reshape(-1, 2) for line in lines]
        for x, y in (line.T for line in corners):
            axes.plot(x, y, color="white", linewidth=2.2, zorder=5)
            axes.plot(x, y, color="black", linewidth=1.0, zorder=5)
        places = np.concatenate(corners) if name and corners else np.empty((0, 2))
        for side, end in (("bottom", places[:, 1].max()), ("top", places[:, 1].min())) if len(places) else ():
            along = places[places[:, 1] == end, 0]
            texts.append(
                axes.annotate(
                    name, ((along.min() + along.max()) / 2, end), (0, 2 if side == "bottom" else -2),
                    textcoords="offset points", ha="center", va=side, fontsize=6.5, fontweight="bold",
                    path_effects=white, zorder=6.5, parse_math=False, annotation_clip=True, gid=name,
                )
            )  # fmt: skip
    return texts


def finish(
    figure: Figure, title: str, handles: Sequence[Artist], labels: Sequence[Any], note: str, path: str | Path
) -> Path:
    """Put title, legend, caution and note around a map, drop names that lie on others, write the file."""
    frame(figure, title, handles, note)
    figure.draw_without_rendering()
    kept: list[Any] = []
    named: set[str | None] = set()
    marks = np.array([text.axes.transData.transform(text.xy) for text in labels]).reshape(-1, 2)
    for text in labels:
        box, room = text.get_window_extent(), text.axes.get_window_extent()
        inside = room.x0 <= box.x0 and box.x1 <= room.x1 and room.y0 <= box.y0 and box.y1 <= room.y1
        covers = ((marks > (box.x0, box.y0)) & (marks < (box.x1, box.y1))).all(axis=1).any()
        free = inside and not covers and not any(box.overlaps(other) for other in kept)
        text.set_visible(bool(free and text.get_gid() not in named))
        if text.get_visible():
            kept.append(box)
            named |= {text.get_gid()} - {None}
    return write(figure, path)
