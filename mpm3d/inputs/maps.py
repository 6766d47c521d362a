"""Layers that are made from rasters and bands of scenes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mpm3d import drape, topography
from mpm3d.errors import StudyError
from mpm3d.grid import FloatArray, Grid
from mpm3d.inputs.bands import chosen, combined, on_pixels, raster
from mpm3d.inputs.bodies import Say, ground
from mpm3d.inputs.derived import check_pixels, derived, margin, said
from mpm3d.inputs.models import log10
from mpm3d.io.mapgrid import known_crs
from mpm3d.lattice import Raster
from mpm3d.study import BandsLayer, RasterLayer, Study

__all__ = ["draped", "raster"]
Bands = Mapping[str, tuple[Raster, str]]


def draped(study: Study, layer: RasterLayer | BandsLayer, say: Say) -> tuple[Callable[[Grid], Any], str]:
    """What computes a layer from maps in a part of the grid, and a sentence that says how."""
    grid = study.grid.grid()
    if grid.is_map and layer.drape == "surface":
        raise StudyError(f"layer {layer.name!r}: drape = 'surface' needs depths, a map has none. Remove it.")
    bands = _bands(study, layer, grid, say)
    try:
        plane, how = _plane(layer, bands, grid, say)
    except ValueError as error:
        own = isinstance(error, StudyError)
        raise error if own else StudyError(f"layer {layer.name!r}: {error}") from error
    if not np.isfinite(plane).any():
        raise StudyError(_empty(layer, bands, grid))
    if grid.is_map:
        return lambda part: drape.down(drape.columns(plane, grid, part), part), how
    if layer.drape == "column":
        return lambda part: drape.down(drape.columns(plane, grid, part), part), f"{how}, equal at all depths"
    return _below_ground(study, layer, plane, how, say)


def _below_ground(
    study: Study, layer: RasterLayer | BandsLayer, plane: FloatArray, how: str, say: Say
) -> tuple[Callable[[Grid], Any], str]:
    grid = study.grid.grid()
    if (top := ground(study, grid, say)) is None:
        raise StudyError(
            f"layer {layer.name!r}: drape = 'surface' needs the ground, and the study has none. Give "
            "[topography], or use drape = 'column'."
        )
    height = topography.heights(grid, top)
    deep = grid.spacing[0] if layer.depth is None else layer.depth

    def fill(part: Grid) -> Any:
        cut = (drape.columns(field, grid, part) for field in (plane, height))
        here, above = cut
        return drape.down(here, part, above, deep)

    return fill, f"{how}, down to {deep:g} m below the ground"


def _bands(study: Study, layer: RasterLayer | BandsLayer, grid: Grid, say: Say) -> Bands:
    """The maps of a layer by the names of its formula, a raster's by an empty one."""
    bands = {"": raster(study, layer, say)} if isinstance(layer, RasterLayer) else chosen(study, layer, say)
    for found, _ in bands.values():
        _say_crs(found, layer, grid, say)
    if isinstance(layer, RasterLayer) and layer.log10:
        found, name = bands[""]
        bands[""] = replace(found, values={name: log10(found.values[name], layer.name, say)}), name
    return bands


def _plane(layer: RasterLayer | BandsLayer, bands: Bands, grid: Grid, say: Say) -> tuple[FloatArray, str]:
    """Values of the columns of a grid, and how they came about."""
    first = " after the decimal logarithm" if isinstance(layer, RasterLayer) and layer.log10 else ""
    formula = [layer.expression().text] if isinstance(layer, BandsLayer) else []
    brought = "resampled" if grid.is_map else "draped"
    if layer.on == "pixels":
        one, name = on_pixels(layer, bands, say)
        if layer.derive:
            check_pixels(layer, one, drape.crs_of(one, grid, layer.crs))
            one = replace(
                one, values={name: derived(np.asarray(one.values[name], float), one.spacing, layer)}
            )
        plane, method = _brought(layer, {"": (one, name)}, grid, say)
        begin = [said(layer, "pixels")] if layer.derive else []
        return plane[""], ", then ".join([*formula, *begin, f"{brought} ({method})"]) + first
    wide = margin(layer, grid)
    fields, method = _brought(layer, bands, grid.pad((0, wide, wide)), say)
    field = combined(layer, fields, say, "cells")
    how = ", then ".join([f"{brought} ({method}){first}", *formula])
    if layer.derive:
        field, how = derived(field, grid.spacing[1:], layer), f"{how}, then {said(layer, 'cells')}"
    return field[wide : wide + grid.shape[1], wide : wide + grid.shape[2]], how


def _brought(
    layer: RasterLayer | BandsLayer, bands: Bands, grid: Grid, say: Say
) -> tuple[dict[str, FloatArray], str]:
    """Each map at the columns of a grid, and the methods of resampling."""
    # studies of volumes that say nothing have always been linear
    asked: str = layer.method
    if grid.is_map and "method" not in layer.model_fields_set:
        asked = "auto"
    fields, methods = {}, []
    for key, (found, name) in bands.items():
        method, why = asked, ""
        if asked == "auto":
            method, why = drape.best_method(found, grid, name=name, crs=layer.crs)
            say(
                f"layer {layer.name}: {key or found.name} is brought to the cells by {method!r}, since {why}."
            )
        fields[key] = drape.drape(found, grid, name=name, method=method, crs=layer.crs)
        methods.append(method)
    return fields, ", ".join(dict.fromkeys(methods))


def _empty(layer: RasterLayer | BandsLayer, bands: Bands, grid: Grid) -> str:
    """Why no cell of a layer has a value, as far as can be seen."""
    where = "area" if grid.is_map else "grid"
    files = ", ".join(name for _, name in layer.paths())
    start = f"layer {layer.name!r}: no cell of the {where} gets a value from {files}"
    none = [found.name for found, name in bands.values() if not np.isfinite(found.values[name]).any()]
    if none:
        return f"{start}: all pixels of {', '.join(none)} are missing. Check the file and its no-data value."
    found, g = next(iter(bands.values()))[0], grid.bounds
    if isinstance(layer, BandsLayer) and all(_meets(one, layer, grid) for one, _ in bands.values()):
        return (
            f"{start}: the formula {layer.expression().text!r} has no number in any of them (something "
            "divided by 0, a root or logarithm that does not exist), or its bands have none together. Check "
            "the bands."
        )
    b = drape.bounds(found, grid, layer.crs)
    return (
        f"{start}: it spans x {b[0]:.0f} to {b[3]:.0f}, y {b[1]:.0f} to {b[4]:.0f} m, the {where} "
        f"x {g[0]:.0f} to {g[3]:.0f}, y {g[1]:.0f} to {g[4]:.0f} m. Check the "
        "coordinate systems, and what is missing."
    )


def _meets(found: Raster, layer: BandsLayer, grid: Grid) -> bool:
    """Whether a map lies over any of the grid."""
    b, g = drape.bounds(found, grid, layer.crs), grid.bounds
    return b[0] < g[3] and b[3] > g[0] and b[1] < g[4] and b[4] > g[1]


def _say_crs(found: Raster, layer: RasterLayer | BandsLayer, grid: Grid, say: Say) -> None:
    """Say from where to where a map is projected, or whose coordinates it was taken to have."""
    if layer.crs and found.crs_name and known_crs(found.crs_name) != known_crs(layer.crs):
        say(f"layer {layer.name}: the file says {found.crs_name}, {layer.crs} of the study is used.")
    elif not layer.crs and not found.crs_name:
        say(f"layer {layer.name}: the file names no coordinate system, that of the grid is assumed.")
    elif known_crs(layer.crs or found.crs_name) != known_crs(grid.crs):
        say(f"layer {layer.name}: projected from {layer.crs or found.crs_name} to {grid.crs}.")
