"""What of a body is worth drawing: no vertices of no data, no padding cells, no model twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mpm3d.geometry import Body, Surface
from mpm3d.grid import FloatArray
from mpm3d.io.gocad import drop_sentinels
from mpm3d.lattice import BlockModel, PropertyModel, StructuredGrid, Voxet

_MODELS = (PropertyModel, Voxet, StructuredGrid, BlockModel)
_WIDE = 4.0  # cells this many times wider than the smallest are padding
_MUCH = 2.0  # padding is cut off where it makes an axis this many times longer


def cropped(body: Body) -> tuple[Any, str]:
    """A body as it is drawn, and what was left out of it, in words; no words if nothing was."""
    if isinstance(body, Surface):
        clean = drop_sentinels(body)
        gone = len(body.vertices) - len(clean.vertices)
        return clean, f"{body.name!r}: {gone:,} vertices that look like no data left out" if gone else ""
    if isinstance(body, PropertyModel):
        core = without_padding(body)
        return core, f"{body.name!r}: padding cells left out" if core is not body else ""
    return body, ""


def without_padding(model: PropertyModel) -> PropertyModel:
    """The finer part of a mesh whose cells grow outwards, no deeper than wide; the same if they do not grow.

    Meshes of magnetotelluric and gravity inversions reach much farther than what was measured.
    """
    cuts = [_core(model.edges[axis]) for axis in (1, 2)]
    y, x = (edges[cut.stop] - edges[cut.start] for edges, cut in zip(model.edges[1:], cuts, strict=True))
    z, wide = model.edges[0], [span for span, n in zip((x, y), model.shape[:0:-1], strict=True) if n > 1]
    below, deep, heights = slice(0, len(z) - 1), min(wide, default=np.inf), np.diff(z)
    if z[-1] - z[0] > _MUCH * deep and heights.max() > _WIDE * heights.min():
        below = slice(min(int(np.searchsorted(z, z[-1] - deep)), len(z) - 2), len(z) - 1)
    window = (below, *cuts)
    if all(cut == slice(0, n) for cut, n in zip(window, model.shape, strict=True)):
        return model
    edges = [line[cut.start : cut.stop + 1] for line, cut in zip(model.edges, window, strict=True)]
    values = {name: array[window] for name, array in model.values.items()}
    return replace(model, edges=(edges[0], edges[1], edges[2]), values=values)


def _core(edges: FloatArray) -> slice:
    """Cells of an axis without the wide ones at its ends, if those make much of it."""
    widths = np.diff(edges)
    fine = np.flatnonzero(widths <= _WIDE * widths.min())
    start, stop = int(fine[0]), int(fine[-1]) + 1
    if edges[-1] - edges[0] <= _MUCH * (edges[stop] - edges[start]):
        return slice(0, len(widths))
    return slice(start, stop)


def without_twins(bodies: Sequence[Any]) -> tuple[list[Any], int]:
    """Bodies without the models whose place another one fills, and how many of those had values.

    The first model with values is left of each place.
    """
    best: dict[tuple[float, ...], Any] = {}
    models = [body for body in bodies if isinstance(body, _MODELS)]
    for body in models:
        place = tuple(round(end, 3) for end in body.bounds)
        if place not in best or (body.values and not best[place].values):
            best[place] = body
    left = {id(body) for body in best.values()}
    gone = [body for body in models if id(body) not in left]
    kept = [body for body in bodies if not isinstance(body, _MODELS) or id(body) in left]
    return kept, sum(bool(body.values) for body in gone)
