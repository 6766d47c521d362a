"""What a study names, read: bodies, ground, deposits as cells, and the values of each layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpm3d import boreholes, evidence
from mpm3d.errors import StudyError
from mpm3d.grid import Grid
from mpm3d.inputs.assays import NO_SKILL, doubtful, draw_loadings, mapped
from mpm3d.inputs.bands import chosen
from mpm3d.inputs.bodies import Ground, Say, bodies, ground, surfaces
from mpm3d.inputs.deposits import (
    JOINED,
    LEFT_OUT,
    deposit,
    deposit_bodies,
    deposits,
    drilled,
    told,
)
from mpm3d.inputs.files import recipe, sources
from mpm3d.inputs.maps import draped, raster
from mpm3d.inputs.models import asked, stored, values
from mpm3d.inputs.vectors import ORDERLESS, measured
from mpm3d.resampling import prepare
from mpm3d.study import (
    AssaysLayer,
    BandsLayer,
    BoreholesLayer,
    InsideLayer,
    Layer,
    ModelLayer,
    RasterLayer,
    Study,
    UbcLayer,
    VectorLayer,
    VoxetLayer,
)

__all__ = [
    "JOINED", "LEFT_OUT", "NO_SKILL", "ORDERLESS", "Ground", "Say", "asked", "bodies", "chosen", "deposit",
    "deposit_bodies", "deposits", "doubtful", "draw_loadings", "filler", "ground", "raster", "recipe",
    "sources", "stored", "surfaces", "told", "values",
]  # fmt: skip


def filler(study: Study, layer: Layer, say: Say) -> tuple[Callable[[Grid], Any], str]:
    """What computes a layer in a part of the grid, and a sentence that says how."""
    if isinstance(layer, UbcLayer | VoxetLayer | ModelLayer):
        model = values(study, layer, say)
        how = f"resampled ({layer.method})" + (" after the decimal logarithm" if layer.log10 else "")
        try:
            return prepare(model, method=layer.method, name=layer.name), how
        except ValueError as error:
            raise StudyError(f"layer {layer.name!r}: {error}") from error
    if isinstance(layer, RasterLayer | BandsLayer):
        return draped(study, layer, say)
    if isinstance(layer, BoreholesLayer):
        return _bored(study, layer, say)
    if isinstance(layer, VectorLayer):
        return measured(study, layer, say)
    if isinstance(layer, AssaysLayer):
        return mapped(study, layer, say)
    sheets = surfaces(study, layer.files, say, owner=f"layer {layer.name!r}")
    if isinstance(layer, InsideLayer):
        return evidence.prepare_inside(sheets), "1 inside closed surfaces, 0 outside"
    return (
        evidence.prepare_distance(sheets, cutoff=layer.cutoff, solid=layer.solid),
        f"exact distance to triangles up to {layer.cutoff:g} m" + (", 0 inside" if layer.solid else ""),
    )


def _bored(study: Study, layer: BoreholesLayer, say: Say) -> tuple[Callable[[Grid], Any], str]:
    grid = study.grid.grid()
    found = drilled(study, layer, grid, say)
    near = f", and of holes within {layer.radius:g} m elsewhere" if layer.radius else ""
    return (
        lambda part: boreholes.fill(found, grid, part, radius=layer.radius),
        f"length-weighted mean of {layer.assay} in the cells of the holes{near}",
    )
