"""Pictures of places: scores against the distance from known ore, and where samples lie."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpm3d.evaluate.drawing import (
    COLOURS,
    GREY,
    frame,
    new_figure,
    percent,
    plain,
    refuse_empty,
    volume_axis,
    write,
)
from mpm3d.evaluate.measures import Float64
from mpm3d.evaluate.ordering import agreement

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

Place = tuple[ArrayLike, ArrayLike, ArrayLike]
Names = NDArray[np.str_]
Rows = NDArray[np.intp]
# shares of the reference cells, finer near known ore where a model that copies its surroundings shows
_EDGES = (0, 0.01, 0.03, 0.06, *np.linspace(0.1, 1, 10))
_MARKERS = "os^DvPX<>phd"
_MOST = 4000  # dots of one kind; more only hide each other


def draw_score_distance(
    places: Mapping[str, Place], path: str | Path, *, note: str = "", space: str = "volume"
) -> Path:
    """Draw volume ranks against the distance to the nearest known deposit, one panel per model.

    A line is the median rank of the eligible cells at that distance, a band their quartiles, points are the
    cells of left-out deposits. Where the line climbs steeply towards known ore, the model finds the
    surroundings of known ore; points high up far from it are what a new target would need.

    Parameters
    ----------
    places : mapping of str to three arrays of shape (n,)
        Distance in metres to the nearest cell of a deposit that the model knew, volume rank, and whether the
        cell belongs to a left-out deposit (else it is a cell of the reference), by model. Cells without a
        distance (NaN) are left out.
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
        If there is no model, or one without cells that have a distance, or lengths differ.
    """
    refuse_empty(places, "score against distance")
    cells = {name: _checked(name, place) for name, place in places.items()}
    far = max(float(distance.max()) for distance, _, _ in cells.values())
    unit, scale = ("km", 1000.0) if far >= 3000 else ("m", 1.0)
    columns = 2 if len(cells) == 4 else min(3, len(cells))
    rows = -(-len(cells) // columns)
    figure = new_figure(max(6.4, 3.1 * columns), max(4.0, 2.4 * rows))
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    smallest = min(float(rank.min()) for _, rank, _ in cells.values())
    for axes, (name, place) in zip(panels, cells.items(), strict=False):
        _draw_distance(axes, place, smallest, scale)
        rank_of = agreement({"near": -place[0][~place[2]], "good": -place[1][~place[2]]})["near", "good"]
        told = "" if np.isnan(rank_of) else f"\nρ = {rank_of:.2f}"
        axes.set_title(textwrap.fill(plain(name), 40) + told, fontsize=8.5)
    for axes in panels[len(cells) :]:
        axes.remove()
    for axes in panels[max(0, len(cells) - columns) : len(cells)]:
        axes.tick_params(labelbottom=True)
        axes.set_xlabel(f"distance to known deposit, {unit}", fontsize=9)
    figure.supylabel(f"{space} rank, % of the eligible {space}", fontsize=10)
    told = "ρ: rank correlation of nearness and score over the eligible cells"
    title = f"Score against distance from the nearest known deposit cell\n{told}"
    frame(figure, title, _distance_handles(), note)
    return write(figure, path)


def _checked(name: str, place: Place) -> tuple[Float64, Float64, NDArray[np.bool_]]:
    distance, rank = (np.asarray(values, dtype=float).ravel() for values in place[:2])
    ore = np.asarray(place[2], dtype=bool).ravel()
    if not len(distance) == len(rank) == len(ore):
        raise ValueError(
            f"{name!r} has {len(distance)} distances, {len(rank)} ranks and {len(ore)} marks of ore, "
            "one of each per cell is needed."
        )
    known = np.isfinite(distance) & np.isfinite(rank)
    if not known.any():
        raise ValueError(f"{name!r} has no cell with a distance and a rank to draw, give at least one.")
    return distance[known], rank[known], ore[known]


def _draw_distance(
    axes: Axes, place: tuple[Float64, Float64, NDArray[np.bool_]], smallest: float, scale: float
) -> None:
    distance, rank, ore = place
    floor = volume_axis(axes, smallest, "y")
    axes.yaxis.set_inverted(True)
    axes.yaxis.set_major_formatter(percent)
    axes.yaxis.set_minor_formatter("")
    axes.axhline(0.5, color=GREY, dashes=(1, 1), linewidth=1)
    axes.grid(alpha=0.25)
    some = _spread(np.flatnonzero(ore))
    axes.plot(
        distance[some] / scale, np.maximum(rank[some], floor), ".", color=COLOURS[1], markersize=4, alpha=0.5
    )
    at, quartiles = _binned(distance[~ore], rank[~ore])
    if len(at):
        low, middle, high = np.maximum(quartiles, floor)
        axes.fill_between(at / scale, low, high, color=COLOURS[0], alpha=0.25, linewidth=0)
        axes.plot(at / scale, middle, color=COLOURS[0], marker="o", markersize=2.5)
    axes.set_xlim(left=0)


def _binned(distance: Float64, rank: Float64) -> tuple[Float64, Float64]:
    """Median distance of each bin (k,) and the quartiles of its ranks (3, k)."""
    order = np.argsort(distance, kind="stable")
    ends = np.unique(np.round(np.array(_EDGES) * len(order)).astype(int))
    parts = [order[a:b] for a, b in pairwise(ends) if b - a >= min(5, len(order))]
    at = np.array([np.median(distance[part]) for part in parts])
    return at, np.array([np.quantile(rank[part], (0.25, 0.5, 0.75)) for part in parts]).T


def _distance_handles() -> list[Artist]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    blue, red = COLOURS[0], COLOURS[1]
    return [
        Line2D([], [], color=blue, marker="o", markersize=2.5, label="eligible cells: median"),
        Patch(color=blue, alpha=0.25, linewidth=0, label="eligible cells: quartiles"),
        Line2D([], [], color=red, marker=".", linestyle="", label="cells of left-out deposits"),
        Line2D([], [], color=GREY, dashes=(1, 1), linewidth=1, label="no relation to distance: 50 %"),
    ]


def _spread(rows: Rows) -> Rows:
    """At most _MOST of the rows, evenly spaced."""
    if len(rows) <= _MOST:
        return rows
    return rows[np.linspace(0, len(rows) - 1, _MOST).astype(np.intp)]


def draw_samples(
    xyz: ArrayLike, label: ArrayLike, group: ArrayLike, fold: ArrayLike, path: str | Path, *, note: str = ""
) -> Path:
    """Draw where samples lie: a map, two sections and a view in 3D, at one scale along all axes.

    Samples that all lie at one elevation, as those of a map or a table of points, are drawn as a map alone.

    Colours are folds, large markers deposits, small dots the others.

    Parameters
    ----------
    xyz : array of shape (n, 3)
        Centres, x, y, elevation in metres; drawn in km.
    label : array of shape (n,)
        1 for a cell of a known deposit, 0 for any other.
    group : str array of shape (n,)
        Name of the deposit; of no matter where the label is 0.
    fold : str array of shape (n,)
        Name of the fold that tests the sample, empty where none does.
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
        If there is no sample, lengths differ, or a coordinate is missing.
    """
    km, is_ore, groups, folds = _checked_samples(xyz, label, group, fold)
    where = {name: np.flatnonzero(is_ore & (groups == name)) for name in np.unique(groups[is_ore]).tolist()}
    colours, shapes = _fold_colours(folds), _shapes(where)
    tint = np.array([colours[name] for name in folds.tolist()])
    others = np.flatnonzero(~is_ore)
    figure = new_figure(9.6, 7.6)
    panels = _panels(figure, flat=bool(np.ptp(km[:, 2]) == 0))
    for axes, along in panels:
        _draw_dots(axes, km[:, along], others, where, shapes, tint)
        _scale(axes, km[:, along], along)
    if len(shapes) > len(_MARKERS):
        for axes, along in panels[:3]:
            _write_numbers(axes, km[:, along], {name: where[name] for name in shapes})
    title = f"Where the samples lie: {is_ore.sum():,} of deposits, {len(others):,} others"
    frame(figure, title, _sample_handles(colours, shapes, len(others)), note)
    return write(figure, path)


def _panels(figure: Any, *, flat: bool) -> list[tuple[Any, tuple[int, ...]]]:
    """Axes, and the coordinates that each shows."""
    if flat:
        return [(figure.add_subplot(1, 1, 1), (0, 1))]
    sides = ((1, (0, 1)), (3, (0, 2)), (4, (1, 2)))
    panels: list[tuple[Any, tuple[int, ...]]] = [
        (figure.add_subplot(2, 2, place), along) for place, along in sides
    ]
    panels.append((figure.add_subplot(2, 2, 2, projection="3d"), (0, 1, 2)))
    return panels


def _draw_dots(
    axes: Any,
    part: Float64,
    others: Rows,
    where: Mapping[str, Rows],
    shapes: Mapping[str, str],
    tint: Float64,
) -> None:
    some = _spread(others)
    axes.scatter(*part[some].T, s=3, c=tint[some], alpha=0.35, linewidths=0)
    for name, shape in shapes.items():
        rows = _spread(where[name])
        axes.scatter(*part[rows].T, s=22, c=tint[rows], marker=shape, edgecolors="black", linewidths=0.4)


def _checked_samples(
    xyz: ArrayLike, label: ArrayLike, group: ArrayLike, fold: ArrayLike
) -> tuple[Float64, NDArray[np.bool_], Names, Names]:
    place, is_ore = np.asarray(xyz, dtype=float), np.asarray(label).ravel() == 1
    groups, folds = np.asarray(group, dtype=str).ravel(), np.asarray(fold, dtype=str).ravel()
    refuse_empty(place, "sample")
    if place.shape != (len(is_ore), 3) or not len(is_ore) == len(groups) == len(folds):
        raise ValueError(
            f"places have shape {place.shape}, with {len(is_ore)} labels, {len(groups)} groups and "
            f"{len(folds)} folds; x, y, elevation and one of each per sample are needed."
        )
    if not np.isfinite(place).all():
        missing = int((~np.isfinite(place).all(axis=1)).sum())
        raise ValueError(f"{missing} of {len(place)} samples have no place (NaN). Leave them out.")
    return place / 1000, is_ore, groups, folds


def _fold_colours(folds: Names) -> dict[str, Any]:
    """A colour for each fold; grey for samples that no fold tests."""
    from matplotlib import colormaps
    from matplotlib.colors import to_rgba

    names = sorted(set(folds.tolist()) - {""}, key=_in_numbers)
    if len(names) <= len(COLOURS):
        colours = {name: to_rgba(COLOURS[number]) for number, name in enumerate(names)}
    else:
        shades = colormaps["viridis"](np.linspace(0, 1, len(names)))
        colours = {name: tuple(shade) for name, shade in zip(names, shades, strict=True)}
    return colours | ({"": to_rgba("0.55" if names else COLOURS[0])} if "" in folds else {})


def _in_numbers(name: str) -> list[tuple[str, int]]:
    """Key that sorts "block 2" before "block 10"."""
    parts = re.findall(r"([^0-9]*)([0-9]*)", name)
    return [(text, int(number or 0)) for text, number in parts]


def _shapes(groups: Iterable[str]) -> dict[str, str]:
    """A marker for each deposit; one for all where there are more deposits than markers."""
    names = sorted(groups, key=_in_numbers)
    if len(names) > len(_MARKERS):
        return dict.fromkeys(names, _MARKERS[0])
    return {name: _MARKERS[number] for number, name in enumerate(names)}


def _scale(axes: Any, part: Float64, along: Sequence[int]) -> None:
    """Name the axes, with real coordinates on their ticks, at one scale."""
    from matplotlib.ticker import MaxNLocator, ScalarFormatter

    solid = len(along) == 3
    extent = np.ptp(part, axis=0)
    sides = np.maximum(extent, 0.05 * max(float(extent.max()), 1e-3))  # a flat study still needs a box
    words = ("easting, km", "northing, km", "elevation, km")
    for letter, which in zip("xyz", along, strict=False):
        axis = getattr(axes, f"{letter}axis")
        axis.set_label_text(words[which], fontsize=8)
        plainly = ScalarFormatter(useOffset=False)
        plainly.set_scientific(False)
        axis.set_major_formatter(plainly)
        # in 3D as many ticks as the side is long
        ticks = max(1, round(4 * sides[which] / sides.max())) if solid else 6
        axis.set_major_locator(MaxNLocator(ticks, min_n_ticks=1))
        axis.set_tick_params(labelsize=7)
    if solid:
        middle = (part.min(axis=0) + part.max(axis=0)) / 2
        limits = np.stack([middle - 0.53 * sides, middle + 0.53 * sides])
        axes.set(
            xlim=limits[:, 0], ylim=limits[:, 1], zlim=limits[:, 2], title="3D, from the south-west above"
        )
        axes.set_box_aspect(sides, zoom=1.05)
        axes.view_init(elev=25, azim=-120)
    else:
        titles = {(0, 1): "map", (0, 2): "section W–E, looking north", (1, 2): "section S–N, looking west"}
        axes.set(aspect="equal", adjustable="datalim", title=titles[along[0], along[1]])
        axes.grid(alpha=0.25)
    axes.title.set_fontsize(9)


def _write_numbers(axes: Axes, part: Float64, where: Mapping[str, Rows]) -> None:
    from matplotlib.patheffects import AbstractPathEffect, withStroke

    halo: list[AbstractPathEffect] = [withStroke(linewidth=2, foreground="white")]
    for number, rows in enumerate(where.values(), start=1):
        x, y = np.median(part[rows], axis=0)
        text = axes.text(x, y, str(number), fontsize=8, weight="bold", ha="center", va="center")
        text.set_path_effects(halo)


def _sample_handles(colours: Mapping[str, Any], shapes: Mapping[str, str], n_others: int) -> list[Artist]:
    from matplotlib.lines import Line2D

    def dot(text: str, **how: Any) -> Artist:
        return Line2D([], [], linestyle="", label=text, **how)

    edge = {"color": "white", "markeredgecolor": "black", "markersize": 6}
    if len(shapes) > len(_MARKERS):
        names = enumerate(shapes, start=1)
        handles = [
            dot(plain(f"{number}: deposit {name}"), marker=_MARKERS[0], **edge) for number, name in names
        ]
    else:
        handles = [dot(plain(f"deposit {name}"), marker=shape, **edge) for name, shape in shapes.items()]
    if n_others:
        drawn = f", {_MOST:,} of them drawn" if n_others > _MOST else ""
        handles.append(dot(f"negatives and other background{drawn}", marker=".", color=GREY))
    named = [name for name in colours if name]
    handles += [dot(plain(f"tested in {name}"), marker="s", color=colours[name]) for name in named]
    if named and "" in colours:
        handles.append(dot("tested in no fold", marker="s", color=colours[""]))
    return handles
