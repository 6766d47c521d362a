"""What every map has around it: scale bar, north arrow, coordinates of the map, longitudes and latitudes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mpm3d.evaluate.drawing import new_figure
from mpm3d.grid import FloatArray, Grid

if TYPE_CHECKING:
    import pyproj
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LONGEST, _NARROWEST = 6.0, 4.2  # inch: longer side of a map, and least width of a picture
_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
_SMALL = 7.5
_LABEL, _THIN = 0.7, 1.2  # inch: length of a coordinate, height of maps whose labels stand upright
_ROW = -34.0  # points below the map: scale bar and arrow, under the name of the axis
_WIDE = 1.5  # of a map: the colour bar is below it


def is_wide(grid: Grid) -> bool:
    """Whether a map is much wider than high."""
    return _width(grid) > _WIDE * _height(grid)


def _width(grid: Grid) -> float:
    return grid.shape[2] * grid.spacing[2]


def _height(grid: Grid) -> float:
    return grid.shape[1] * grid.spacing[1]


def map_axes(grid: Grid) -> tuple[Figure, Axes]:
    """Axes of the shape of a map with the coordinates of its edges, all of them written out."""
    import pyproj
    from matplotlib.ticker import FuncFormatter

    scale = _LONGEST / max(_width(grid), _height(grid))
    wide, high = scale * _width(grid), scale * _height(grid)
    below, beside = (2.0, 1.6) if is_wide(grid) else (1.3, 2.2)
    figure = new_figure(max(_NARROWEST, wide + beside), high + below)
    figure.set_layout_engine("compressed")
    axes = figure.add_subplot()
    xmin, ymin, _, xmax, ymax, _ = grid.bounds
    axes.set(xlim=(xmin, xmax), ylim=(ymin, ymax), aspect="equal")
    system = pyproj.CRS.from_user_input(grid.crs)
    degrees = system.is_geographic
    # empty lines are room for scale bar and arrow, which the layout does not see
    axes.set_xlabel(("longitude, °" if degrees else "easting, m") + "\n" * 3, fontsize=8)
    axes.set_ylabel("latitude, °" if degrees else "northing, m", fontsize=8)
    turned = high > _THIN
    axes.set_xticks(_ticks(xmin, xmax, wide))
    axes.set_yticks(_ticks(ymin, ymax, high, inside=turned))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.tick_params(labelsize=_SMALL)
    _turn(axes, turned)
    axes.grid(color="0.25", alpha=0.3, linewidth=0.4)
    if not degrees:
        _graticule(axes, grid, system, (wide, high))
    _scale_bar(axes, grid, system)
    _north(axes, grid, system)
    return figure, axes


def _graticule(axes: Axes, grid: Grid, system: pyproj.CRS, inches: tuple[float, float]) -> None:
    """Longitudes where they cross the upper edge, latitudes where they cross the right one."""
    import pyproj

    change = pyproj.Transformer.from_crs(system, system.geodetic_crs, always_xy=True)
    xmin, ymin, _, xmax, ymax, _ = grid.bounds
    x, y = np.linspace(xmin, xmax, 201), np.linspace(ymin, ymax, 201)
    lon = np.unwrap(change.transform(x, np.full_like(x, ymax))[0], period=360)
    lat = change.transform(np.full_like(y, xmax), y)[1]
    top = axes.secondary_xaxis("top")
    right = axes.secondary_yaxis("right")
    for axis, place, value, room, ends in (
        (top.xaxis, x, lon, inches[0] / 0.8, "EW"),
        (right.yaxis, y, lat, inches[1] / 0.7, "NS"),
    ):
        at, labels = crossings(place, value, room, ends)
        axis.set_ticks(at, labels)
    for one in (top, right):
        one.tick_params(labelsize=_SMALL, colors="0.35", direction="in")
    _turn(right, inches[1] > _THIN)


def _ticks(low: float, high: float, inches: float, *, inside: bool = False) -> FloatArray:
    """Round coordinates of an edge whose labels do not meet, nor stick out at its ends if ``inside``."""
    from matplotlib.ticker import MaxNLocator

    n = max(1, int(inches / (1.4 * _LABEL)))
    at = np.asarray(MaxNLocator(n, steps=[1, 2, 5, 10]).tick_values(low, high))
    at = at[(at >= low) & (at <= high)]
    margin = (high - low) * _LABEL / 2 / inches if inside else 0.0
    kept = at[(at >= low + margin) & (at <= high - margin)]
    if not len(kept) and len(at):
        kept = at[[np.argmin(np.abs(at - (low + high) / 2))]]
    near = len(kept) > 1 and (kept[1] - kept[0]) / (high - low) * inches < 1.1 * _LABEL
    return kept[:: 2 if near else 1]


def _turn(axes: Any, turned: bool) -> None:
    """Write the labels of the y axis along it, centred at their ticks."""
    axes.tick_params(axis="y", labelrotation=90 if turned else 0)
    for label in axes.get_yticklabels():
        label.set_verticalalignment("center")


def crossings(place: FloatArray, value: FloatArray, most: float, ends: str) -> tuple[FloatArray, list[str]]:
    """Where round degrees lie along an edge, at most so many, and how they are written.

    Parameters
    ----------
    place, value : array of shape (n,)
        Places along the edge, and the degrees there.
    most : float
        How many may be there.
    ends : str
        Letters of the positive and the negative half, ``"EW"`` or ``"NS"``.

    Returns
    -------
    at : array
        Places of the round degrees; none where degrees do not rise or fall steadily along the edge.
    labels : list of str
        Such as ``"115.25°E"``.
    """
    steps = np.diff(value)
    if not np.isfinite(value).all() or not (np.all(steps > 0) or np.all(steps < 0)):
        return np.empty(0), []
    low, high = min(value[0], value[-1]), max(value[0], value[-1])
    step = next((s for s in _STEPS if (high - low) / s <= max(most, 1.0)), _STEPS[-1])
    ticks = np.arange(math.ceil(low / step), math.floor(high / step) + 1) * step
    order = slice(None, None, 1 if steps[0] > 0 else -1)
    at = np.interp(ticks, value[order], place[order])
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    labels = []
    for tick in (ticks + 180) % 360 - 180 if ends == "EW" else ticks:
        zero = abs(tick) < step / 2
        labels.append(f"{abs(tick):.{digits}f}°" + ("" if zero else ends[int(tick < 0)]))
    return np.asarray(at), labels


def _scale_bar(axes: Axes, grid: Grid, system: pyproj.CRS) -> None:
    """A bar of a round length, at most a third of the map, below its lower left corner."""
    from matplotlib.font_manager import FontProperties
    from mpl_toolkits.axes_grid1.anchored_artists import (  # type: ignore[import-untyped]
        AnchoredSizeBar,
    )

    unit = 1.0
    if system.is_geographic:  # a degree along the middle parallel
        middle = grid.corner[1] + _height(grid) / 2
        unit = float(system.get_geod().inv(0, middle, 1, middle)[2])  # type: ignore[union-attr]
    metres = round_length(_width(grid) * unit / 3)
    text = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
    bar: Any = AnchoredSizeBar(
        axes.transData, metres / unit, text, "upper left", pad=0, borderpad=0, sep=2, frameon=False,
        bbox_to_anchor=(0, 0), bbox_transform=_from(axes, (0.0, _ROW), left=True),
        fontproperties=FontProperties(size=_SMALL),
    )  # fmt: skip
    bar.size_bar.get_children()[0].set(linewidth=2.0, edgecolor="black")
    bar.set_clip_on(False)
    axes.add_artist(bar)


def round_length(longest: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten that is not longer."""
    power = 10.0 ** math.floor(math.log10(longest))
    return max(k * power for k in (1, 2, 5) if k * power <= longest * (1 + 1e-9))


def _north(axes: Axes, grid: Grid, system: pyproj.CRS) -> None:
    """An arrow to true north at the middle of the map, below its lower right corner."""
    turn = math.radians(_convergence(grid, system))
    long = 16.0  # points
    right, up = long * math.sin(turn), long * math.cos(turn)
    foot = (-8.0 - max(0.0, right), _ROW - 10.0 - up)  # points from the corner
    arrow = {"arrowstyle": "-|>", "linewidth": 1.2, "color": "black", "shrinkA": 0, "shrinkB": 0}
    where = _from(axes, foot)
    axes.annotate(
        "N", (right, up), xycoords=where, ha="center", va="bottom", fontsize=8, fontweight="bold"
    )  # fmt: skip
    axes.annotate("", (right, up), (0, 0), xycoords=where, textcoords=where, arrowprops=arrow)


def _from(axes: Axes, foot: tuple[float, float], *, left: bool = False) -> Any:
    """Points counted from a place so many points from the lower right, or left, corner of the axes."""
    from matplotlib.transforms import Affine2D, ScaledTranslation

    inch = Affine2D().scale(1 / 72) + axes.figure.dpi_scale_trans
    corner = ScaledTranslation(0 if left else 1, 0, axes.transAxes)  # type: ignore[arg-type]
    return Affine2D().translate(*foot) + inch + corner


def _convergence(grid: Grid, system: pyproj.CRS) -> float:
    """Degrees clockwise from up on the map to true north, at its middle."""
    import pyproj

    if system.is_geographic:
        return 0.0
    change = pyproj.Transformer.from_crs(system, system.geodetic_crs, always_xy=True)
    y, x = (grid.corner[k] + grid.shape[k] * grid.spacing[k] / 2 for k in (1, 2))
    lon, lat = change.transform(x, y)
    north = 0.01 if lat < 80 else -0.01
    there = change.transform(lon, lat + north, direction="INVERSE")
    right, up = (there[0] - x) * np.sign(north), (there[1] - y) * np.sign(north)
    turned = math.degrees(math.atan2(right, up))
    return turned if math.isfinite(turned) else 0.0
