"""What a study names, read: bodies, ground, deposits as cells, and the values of each layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyproj
import xarray as xr

from mpm3d import evidence, io, labels
from mpm3d.errors import StudyError
from mpm3d.geometry import Lines, Points, Surface
from mpm3d.grid import Grid
from mpm3d.lattice import PropertyModel, Voxet
from mpm3d.run import hash_of
from mpm3d.study import DepositTable, DistanceLayer, InsideLayer, Layer, Study, UbcLayer, VoxetLayer, sha256

Say = Callable[[str], None]
Ground = Surface | xr.DataArray


def bodies(study: Study, names: Sequence[str], say: Say) -> list[Surface | Lines | Points]:
    """Surfaces, lines and points of some files, no-data vertices dropped, what the reader decided said."""
    found: list[Surface | Lines | Points] = []
    for name in names:
        path = study.path(name)
        for thing in io.read(path):
            if isinstance(thing, Voxet):
                raise StudyError(f"{path.name} holds the voxet {thing.name!r}, a surface was expected.")
            clean = io.gocad.drop_sentinels(thing) if isinstance(thing, Surface) else thing
            for note in clean.notes:
                say(f"{path.name}, {clean.name}: {note}")
            found.append(clean)
    return found


def surfaces(study: Study, names: Sequence[str], say: Say, *, owner: str) -> list[Surface]:
    """Triangulated surfaces of some files; lines, points and empty files are refused for ``owner``."""
    found = bodies(study, names, say)
    sheets = [body for body in found if isinstance(body, Surface)]
    wrong = [repr(body.name) for body in found if not isinstance(body, Surface)]
    if wrong or not sheets:
        what = f"{', '.join(wrong)} are lines or points" if wrong else "there is none"
        raise StudyError(f"{owner}: triangulated surfaces are needed in {', '.join(names)}, {what}.")
    return sheets


def ground(study: Study, grid: Grid, say: Say) -> Ground | None:
    """The topography: a GoCAD surface, or a raster of elevations in the CRS of the grid."""
    if study.topography is None:
        return None
    name = study.topography.file
    if io.is_gocad(study.path(name)):
        sheets = surfaces(study, [name], say, owner="topography")
        if len(sheets) > 1:
            say(f"topography: {name} holds {len(sheets)} surfaces, the first is used, {sheets[0].name!r}.")
        return sheets[0]
    heights = io.raster.read_raster(study.path(name))
    if heights.rio.crs is not None and pyproj.CRS(heights.rio.crs) != pyproj.CRS(grid.crs):
        raise StudyError(
            f"topography: {name} is in {heights.rio.crs.to_string()}, the grid in {grid.crs}. "
            "Warp the raster first, for example with gdalwarp."
        )
    return heights


def deposit(study: Study, table: DepositTable, grid: Grid, say: Say) -> labels.Deposit:
    """Cells of a deposit, from surfaces, points or intervals."""
    found = bodies(study, [name for _, name in table.paths()], say)
    sheets = [body for body in found if isinstance(body, Surface)]
    if sheets and len(sheets) == len(found):
        try:
            body = labels.cells_of_body(sheets, grid, thickness=table.thickness, min_share=table.min_share)
        except ValueError as error:
            raise StudyError(f"deposit {table.name!r}: {error}") from error
        return labels.Deposit(table.name, body.cells, table.style, body.n_met, body.n_filled)
    if sheets:
        raise StudyError(f"deposit {table.name!r} mixes surfaces with lines or points. Give one kind.")
    parts = [np.empty((0, 3), np.int64)]
    parts += [labels.cells_of_points(body, grid) for body in found if isinstance(body, Points)]
    parts += [labels.cells_of_segments(body, grid) for body in found if isinstance(body, Lines)]
    cells = np.unique(np.concatenate(parts), axis=0)
    return labels.Deposit(table.name, cells, table.style, len(cells), 0)


def values(study: Study, layer: UbcLayer | VoxetLayer, say: Say) -> PropertyModel:
    """Values of one layer on their own cells, in the units of the study."""
    model = _ubc(study, layer) if isinstance(layer, UbcLayer) else _voxet(study, layer)
    for note in model.notes:
        say(f"layer {layer.name}: {note}")
    if not layer.log10:
        return model
    array = np.asarray(model.values[layer.name], dtype=float)
    low = array <= 0
    if low.any():
        say(f"layer {layer.name}: {low.sum():,} values at or below 0 have no logarithm and are missing.")
    return replace(model, values={layer.name: np.log10(np.where(low, np.nan, array))})


def _ubc(study: Study, layer: UbcLayer) -> PropertyModel:
    files = {layer.name: study.path(layer.file)}
    return io.ubc.read_model(study.path(layer.mesh), files, missing=tuple(layer.missing))


def _voxet(study: Study, layer: VoxetLayer) -> PropertyModel:
    voxets = [thing for thing in io.read(study.path(layer.file)) if isinstance(thing, Voxet)]
    if not voxets or not voxets[0].values:
        raise StudyError(f"layer {layer.name!r}: {layer.file} holds no voxet with values.")
    try:
        model = voxets[0].as_model(layer.registration)
    except ValueError as error:
        raise StudyError(f"layer {layer.name!r}: {error}") from error
    name = layer.property or next(iter(model.values))
    if name not in model.values:
        there = ", ".join(map(repr, model.values))
        raise StudyError(f"layer {layer.name!r}: {layer.file} has no property {name!r}, it has {there}.")
    return replace(model, values={layer.name: model.values[name]})


def filler(study: Study, layer: Layer, say: Say) -> tuple[Callable[[Grid], Any], str]:
    """What computes a layer in a part of the grid, and a sentence that says how."""
    if isinstance(layer, UbcLayer | VoxetLayer):
        model, method = values(study, layer, say), layer.method
        how = f"resampled ({method})" + (" after the decimal logarithm" if layer.log10 else "")
        return lambda part: evidence.resample(model, part, method=method, name=layer.name), how
    sheets = surfaces(study, layer.files, say, owner=f"layer {layer.name!r}")
    if isinstance(layer, InsideLayer):
        return lambda part: _within(part, sheets), "1 inside closed surfaces, 0 outside"
    return (
        lambda part: _distance(part, sheets, layer),
        f"exact distance to triangles up to {layer.cutoff:g} m" + (", 0 inside" if layer.solid else ""),
    )


def _within(part: Grid, sheets: Sequence[Surface]) -> Any:
    points = part.points()
    return np.any([evidence.inside(points, sheet) for sheet in sheets], axis=0).reshape(part.shape)


def _distance(part: Grid, sheets: Sequence[Surface], layer: DistanceLayer) -> Any:
    found = evidence.distance(part.points(), sheets, cutoff=layer.cutoff, solid=layer.solid)
    return found.reshape(part.shape)


def recipe(study: Study, layer: Layer, frame: str) -> str:
    """Hash of everything that the values of a layer depend on, ``frame`` being that of the cells."""
    files = [sha256(study.path(name)) for _, name in layer.paths()]
    return hash_of(frame, layer.model_dump(exclude={"role", "long_name"}), files)
