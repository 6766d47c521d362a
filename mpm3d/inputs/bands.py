"""Rasters that a layer names, and formulas of several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mpm3d import io
from mpm3d.errors import StudyError
from mpm3d.grid import FloatArray
from mpm3d.inputs.bodies import Say
from mpm3d.io.mapgrid import crs_notes, known_crs
from mpm3d.lattice import Raster
from mpm3d.study import BandsLayer, RasterLayer, Study, crs_lacking


def raster(study: Study, layer: RasterLayer, say: Say) -> tuple[Raster, str]:
    """The map of a layer, the first of its file that has the property, and the name of the values."""
    _check_crs(study, layer)
    maps = _maps(study, layer, layer.file)
    name = layer.property or next(iter(maps[0].values))
    found = next((one for one in maps if name in one.values), None)
    if found is None:
        raise StudyError(_no_band(layer, layer.file, name, maps))
    if not layer.property and sum(len(one.values) for one in maps) > 1:
        say(f"layer {layer.name}: {layer.file} holds several bands, {name!r} is used.")
    _say_notes(layer, found, say)
    return found, name


def chosen(study: Study, layer: BandsLayer, say: Say) -> dict[str, tuple[Raster, str]]:
    """The map of each band of a formula, and the name of its values there."""
    _check_crs(study, layer)
    read: dict[str, list[Raster]] = {}
    found: dict[str, tuple[Raster, str]] = {}
    for key, (file, band) in layer.bands().items():
        if file not in read:
            read[file] = _maps(study, layer, file)
            _say_notes(layer, read[file][0], say)
        found[key] = _band(layer, key, file, band, read[file])
    return found


def _band(layer: BandsLayer, key: str, file: str, band: str, maps: list[Raster]) -> tuple[Raster, str]:
    names = [(one, name) for one in maps for name in one.values]
    if not band and len(names) > 1:
        raise StudyError(
            f"layer {layer.name!r}: {file} holds {len(names)} bands. Say which is {key!r}, such as "
            f"{key} = {file + ':1'!r}."
        )
    by_name = next(((one, name) for one, name in names if name == band), None)
    if by_name is not None:
        return by_name
    number = int(band) if band.isdecimal() else 0 if band else 1
    if not 1 <= number <= len(names):
        raise StudyError(_no_band(layer, file, band, maps))
    return names[number - 1]


def on_pixels(
    layer: RasterLayer | BandsLayer, bands: Mapping[str, tuple[Raster, str]], say: Say
) -> tuple[Raster, str]:
    """One map of a layer before it is resampled, and the name of its values."""
    first, name = next(iter(bands.values()))
    if isinstance(layer, RasterLayer):
        return first, name
    for key, (other, _) in bands.items():
        if not _same_pixels(first, other):
            raise StudyError(
                f"layer {layer.name!r}: the pixels of {key!r} are not those of {next(iter(bands))!r} "
                f"({_pixels(other)} and {_pixels(first)}), so no formula can be computed on them. Use "
                "on = 'cells'."
            )
    fields = {key: np.asarray(one.values[label], dtype=float) for key, (one, label) in bands.items()}
    return replace(first, values={layer.name: combined(layer, fields, say, "pixels")}), layer.name


def combined(
    layer: RasterLayer | BandsLayer, fields: Mapping[str, FloatArray], say: Say, where: str
) -> FloatArray:
    """The formula of a layer, what has no number counted; the only field of a raster."""
    if isinstance(layer, RasterLayer):
        return next(iter(fields.values()))
    found, lost = layer.expression().of(fields)
    if lost:
        say(
            f"layer {layer.name}: {lost:,} {where} have no number by the formula (something divided by 0, a "
            "root or logarithm that does not exist) and are missing."
        )
    return found


def _check_crs(study: Study, layer: RasterLayer | BandsLayer) -> None:
    if lacking := [f"layer {layer.name!r}: {text}" for text in crs_lacking(layer, study.folder)]:
        raise StudyError(lacking)


def _maps(study: Study, layer: RasterLayer | BandsLayer, file: str) -> list[Raster]:
    there = io.read(study.path(file))
    maps = [body for body in there if isinstance(body, Raster)]
    if not maps:
        kinds = ", ".join(f"{body.kind or type(body).__name__} {body.name!r}" for body in there)
        raise StudyError(f"layer {layer.name!r}: {file} holds no raster, it has {kinds}.")
    return maps


def _no_band(layer: RasterLayer | BandsLayer, file: str, name: str, maps: list[Raster]) -> str:
    names = ", ".join(repr(one) for each in maps for one in each.values)
    return f"layer {layer.name!r}: {file} has no band {name!r}, it has {names}."


def _say_notes(layer: RasterLayer | BandsLayer, found: Raster, say: Say) -> None:
    told = crs_notes(found.crs_name) if layer.crs or known_crs(found.crs_name) else ()
    for note in found.notes:
        if note not in told:  # the map is projected, and that is said
            say(f"layer {layer.name}: {note}")


def _same_pixels(one: Raster, other: Raster) -> bool:
    if one.shape != other.shape or known_crs(one.crs_name) != known_crs(other.crs_name):
        return False
    if (one.frame is None) != (other.frame is None):
        return False
    dy, dx = one.spacing
    near = [(one.y, other.y, dy), (one.x, other.x, dx)]
    if one.frame is not None and other.frame is not None:
        near += [(one.frame.origin, other.frame.origin, dx), (one.frame.axes, other.frame.axes, 1.0)]
    return all(np.allclose(a, b, rtol=0, atol=1e-3 * step) for a, b, step in near)


def _pixels(one: Raster) -> str:
    return f"{one.shape[0]} × {one.shape[1]} of {one.spacing[0]:g} × {one.spacing[1]:g}"
