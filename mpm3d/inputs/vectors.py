"""Layers from points, lines and polygons of maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mpm3d import drape, vectors
from mpm3d.errors import StudyError
from mpm3d.grid import FloatArray, Grid
from mpm3d.inputs.bodies import Say
from mpm3d.study import Study, VectorLayer

Measure = Callable[[Grid], FloatArray]
ORDERLESS = "models take codes as numbers, and the order of these means nothing"
_CLASSES = 32  # more are told, and not all named


def measured(study: Study, layer: VectorLayer, say: Say) -> tuple[Callable[[Grid], Any], str]:
    """What computes a layer from shapes of a map in a part of the grid, and a sentence that says how."""
    grid = study.grid.grid()
    try:
        found = vectors.read(study.path(layer.file), grid.crs, layer=layer.layer, source_crs=layer.crs)
        found = vectors.select(found, layer.where)
        measure, how = _measure(found, layer, grid)
    except ValueError as error:
        raise StudyError(f"layer {layer.name!r}: {error}") from error
    for note in (*found.notes, *_beside(found, grid), *_many(found, layer)):
        say(f"layer {layer.name}: {note}")
    planes: dict[tuple[Any, ...], FloatArray] = {}

    def fill(part: Grid) -> Any:
        columns = (part.corner[1:], part.spacing[1:], part.shape[1:])  # of parts above each other the same
        if columns not in planes:
            planes[columns] = measure(part)
        return drape.down(planes[columns], part)

    return fill, how if grid.is_map else f"{how}, equal at all depths"


def _measure(found: vectors.Vectors, layer: VectorLayer, grid: Grid) -> tuple[Measure, str]:
    """What measures the columns of a grid, and a sentence that says how."""
    what = f"{len(found.frame)} shapes of {found.name}" + "".join(
        f", {name} = {' or '.join(map(str, values))}" for name, values in layer.where.items()
    )
    if layer.measure == "inside":
        return vectors.prepare_inside(found.shapes), f"share of the cell that is covered by {what}"
    if layer.measure == "class":
        words = vectors.column(found, layer.column)
        if not (named := words != "").any():
            raise ValueError(f"{layer.column} is empty for all shapes, so they have no class.")
        names = [str(name) for name in dict.fromkeys(_order(layer, words[named]))]
        codes = [names.index(str(word)) + 1 for word in words[named]]
        listed = ", ".join(f"{k} {name}" for k, name in enumerate(names[:_CLASSES], start=1))
        listed += f" and {len(names) - _CLASSES} more" if len(names) > _CLASSES else ""
        how = (
            f"code of {layer.column} at the centre of the cell ({listed}; the order means nothing) in {what}"
        )
        return vectors.prepare_classes(found.shapes[named], codes), how
    measure = vectors.prepare_distance(found.shapes, grid.crs, cutoff=layer.cutoff, geodesic=layer.geodesic)
    way = "geodesic" if layer.geodesic else "exact"
    upto = "" if layer.cutoff is None else f" up to {layer.cutoff:g} m"
    return measure, f"{way} distance{upto} to the nearest of {what}, 0 inside polygons"


def _order(layer: VectorLayer, words: Any) -> list[str]:
    """Classes in the order of the study where it has one, otherwise sorted."""
    there = sorted(set(map(str, words)))
    asked = [str(one) for one in layer.where.get(layer.column, []) if str(one) in there]
    return [*asked, *there]


def _many(found: vectors.Vectors, layer: VectorLayer) -> list[str]:
    """A warning where there are more classes than a model can tell apart by numbers."""
    if layer.measure != "class":
        return []
    count = len(set(vectors.column(found, layer.column)) - {""})
    if count <= _CLASSES:
        return []
    return [
        f"{layer.column} has {count} classes: {ORDERLESS}. Choose a few by where, or give the distance to "
        "each that matters (measure = 'distance')."
    ]


def _beside(found: vectors.Vectors, grid: Grid) -> list[str]:
    """A warning where no shape is in the area."""
    boxes = np.asarray(found.frame.bounds)
    xmin, ymin, _, xmax, ymax, _ = grid.bounds
    meets = (boxes[:, 0] <= xmax) & (boxes[:, 2] >= xmin) & (boxes[:, 1] <= ymax) & (boxes[:, 3] >= ymin)
    if meets.any():
        return []
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    return [
        f"no shape lies in the area: they span x {low[0]:.0f} to {high[0]:.0f}, y {low[1]:.0f} to "
        f"{high[1]:.0f}, the grid x {xmin:.0f} to {xmax:.0f}, y {ymin:.0f} to {ymax:.0f}."
    ]
