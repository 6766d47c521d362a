"""Maps that layers are made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mpm3d import drape, evidence, io
from mpm3d.errors import StudyError
from mpm3d.grid import Grid
from mpm3d.inputs.bodies import Say, ground
from mpm3d.inputs.models import log10
from mpm3d.io.mapgrid import crs_notes, known_crs
from mpm3d.lattice import Raster
from mpm3d.study import RasterLayer, Study


def raster(study: Study, layer: RasterLayer, say: Say) -> tuple[Raster, str]:
    """The map of a layer, the first of its file that has the property, and the name of the values."""
    owner = f"layer {layer.name!r}"
    there = io.read(study.path(layer.file))
    maps = [body for body in there if isinstance(body, Raster)]
    if not maps:
        kinds = ", ".join(f"{body.kind or type(body).__name__} {body.name!r}" for body in there)
        raise StudyError(f"{owner}: {layer.file} holds no raster, it has {kinds}.")
    name = layer.property or next(iter(maps[0].values))
    found = next((one for one in maps if name in one.values), None)
    if found is None:
        names = ", ".join(repr(one) for each in maps for one in each.values)
        raise StudyError(f"{owner}: {layer.file} has no band {name!r}, it has {names}.")
    if not layer.property and sum(len(one.values) for one in maps) > 1:
        say(f"layer {layer.name}: {layer.file} holds several bands, {name!r} is used.")
    told = crs_notes(found.crs_name) if layer.crs or known_crs(found.crs_name) else ()
    for note in found.notes:
        if note not in told:  # the map is projected, and that is said
            say(f"layer {layer.name}: {note}")
    return found, name


def draped(study: Study, layer: RasterLayer, say: Say) -> tuple[Callable[[Grid], Any], str]:
    """What computes a layer from a map in a part of the grid, and a sentence that says how."""
    grid = study.grid.grid()
    found, name = raster(study, layer, say)
    _say_crs(found, layer, grid, say)
    if layer.log10:
        found = replace(found, values={name: log10(found.values[name], layer.name, say)})
    try:
        plane = drape.drape(found, grid, name=name, method=layer.method, crs=layer.crs)
    except ValueError as error:
        raise StudyError(f"layer {layer.name!r}: {error}") from error
    how = f"draped ({layer.method})" + (" after the decimal logarithm" if layer.log10 else "")
    if layer.drape == "column":
        return lambda part: drape.down(drape.columns(plane, grid, part), part), f"{how}, equal at all depths"
    if (top := ground(study, grid, say)) is None:
        raise StudyError(
            f"layer {layer.name!r}: drape = 'surface' needs the ground, and the study has none. Give "
            "[topography], or use drape = 'column'."
        )
    flat = replace(grid, shape=(1, *grid.shape[1:]))
    height = evidence.elevation_at(flat.points()[:, :2], top).reshape(flat.shape[1:])
    deep = grid.spacing[0] if layer.depth is None else layer.depth

    def fill(part: Grid) -> Any:
        cut = (drape.columns(field, grid, part) for field in (plane, height))
        here, above = cut
        return drape.down(here, part, above, deep)

    return fill, f"{how}, down to {deep:g} m below the ground"


def _say_crs(found: Raster, layer: RasterLayer, grid: Grid, say: Say) -> None:
    """Say from where to where a map is projected, or whose coordinates it was taken to have."""
    if layer.crs and found.crs_name and known_crs(found.crs_name) != known_crs(layer.crs):
        say(f"layer {layer.name}: the file says {found.crs_name}, {layer.crs} of the study is used.")
    elif not layer.crs and not found.crs_name:
        say(f"layer {layer.name}: the file names no coordinate system, that of the grid is assumed.")
    elif known_crs(layer.crs or found.crs_name) != known_crs(grid.crs):
        say(f"layer {layer.name}: projected from {layer.crs or found.crs_name} to {grid.crs}.")
