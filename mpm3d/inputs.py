"""What a study names, read: bodies, ground, deposits as cells, and the values of each layer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import xarray as xr

from mpm3d import boreholes, drape, evidence, io, labels
from mpm3d.errors import StudyError
from mpm3d.geometry import Lines, Points, Surface, Tetrahedra
from mpm3d.grid import FloatArray, Grid
from mpm3d.io.files import read_text
from mpm3d.io.mapgrid import crs_notes, known_crs
from mpm3d.io.options import Options
from mpm3d.lattice import BlockModel, PropertyModel, Raster, Values, Voxet
from mpm3d.resampling import Model, is_rotated, prepare, values_of
from mpm3d.run import hash_of
from mpm3d.study import (
    BoreholesLayer,
    DepositTable,
    InsideLayer,
    Layer,
    ModelLayer,
    RasterLayer,
    Study,
    UbcLayer,
    VoxetLayer,
    drillholes,
    sha256,
)

# a line of a GoCAD header that names a file of data, with its name
_DATA_FILE = r'(?m)^[ \t]*(?:PROP_FILE[ \t]+\d+|POINTS_FILE|ASCII_DATA_FILE)[ \t]+"?([^"\n]*[^"\s])'
Say = Callable[[str], None]
Ground = Surface | xr.DataArray


def bodies(study: Study, names: Sequence[str], say: Say) -> list[Surface | Lines | Points]:
    """Surfaces, lines and points of some files, no-data vertices dropped, what the reader decided said."""
    found: list[Surface | Lines | Points] = []
    for name in names:
        path = study.path(name)
        for thing in io.read(path):
            if not isinstance(thing, Surface | Lines | Points):
                what = thing.kind or type(thing).__name__
                raise StudyError(f"{path.name} holds the {what} {thing.name!r}, a surface was expected.")
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
    if table.collar:
        cells = _drilled(study, table, grid, say).at_least(table.cutoff or 0.0)
        return labels.Deposit(table.name, cells, table.style, len(cells), 0)
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


def deposit_bodies(study: Study, table: DepositTable, say: Say) -> list[Surface | Lines | Points]:
    """What a deposit looks like: its surfaces, points or intervals, of drillholes those that are ore."""
    if table.collar:
        return [boreholes.ore(drillholes(table, study.folder), table.assay, table.cutoff or 0.0)]
    return bodies(study, [name for _, name in table.paths()], say)


def _drilled(study: Study, table: DepositTable | BoreholesLayer, grid: Grid, say: Say) -> boreholes.Drilled:
    """Drilled cells of a layer or a deposit, what the reader decided said."""
    wells = drillholes(table, study.folder)
    try:
        found = boreholes.drilled(wells, table.assay, grid)
    except ValueError as error:
        raise StudyError(f"{table.name!r}: {error}") from error
    for note in dict.fromkeys([*(note for well in wells for note in well.notes), *found.notes]):
        say(f"{table.name}: {note}")
    metres = found.length.sum()
    say(
        f"{table.name}: {len(wells)} holes, {metres:,.0f} m with {table.assay} in {len(found.cells):,} cells."
    )
    return found


def values(study: Study, layer: UbcLayer | VoxetLayer | ModelLayer, say: Say) -> Model:
    """Values of one layer on their own cells under its name, in the units of the study."""
    return asked(*stored(study, layer, say), layer, say)


def stored(study: Study, layer: UbcLayer | VoxetLayer | ModelLayer, say: Say) -> tuple[Model, str]:
    """The model that a layer is made from, as its file has it, and the name of the values."""
    return _ubc(study, layer) if isinstance(layer, UbcLayer) else _model(study, layer, say)


def asked(model: Model, name: str, layer: UbcLayer | VoxetLayer | ModelLayer, say: Say) -> Model:
    """The values of that name as the layer asks for them, under its name, on the cells of the model."""
    for note in model.notes:
        say(f"layer {layer.name}: {note}")
    if is_rotated(model):
        say(f"layer {layer.name}: {model.name!r} is rotated, it is resampled along its own axes.")
    found = values_of(model)[name]
    if layer.log10:
        found = _log10(found, layer.name, say)
    elif layer.method != "nearest" and found.dtype.kind in "iub" and name not in _classes(model):
        say(
            f"layer {layer.name}: whole numbers without class names were taken as measurements. Use "
            "method = 'nearest' if they are codes."
        )
        found = np.asarray(found, dtype=float)
    return _renamed(model, name, layer.name, found)


def _log10(found: Values, name: str, say: Say) -> FloatArray:
    array = np.asarray(found, dtype=float)
    low = array <= 0
    if low.any():
        say(f"layer {name}: {low.sum():,} values at or below 0 have no logarithm and are missing.")
    return np.asarray(np.log10(np.where(low, np.nan, array)))


def _classes(model: Model) -> Mapping[str, Mapping[int, str]]:
    return {} if isinstance(model, BlockModel | Tetrahedra) else model.classes


def _renamed(model: Model, old: str, new: str, found: Values) -> Model:
    """The same cells with one of their values, under another name."""
    if isinstance(model, Tetrahedra):
        array = np.asarray(found)
        if old in model.cell_properties:
            return replace(model, properties={}, cell_properties={new: array})
        return replace(model, properties={new: array}, cell_properties={})
    if isinstance(model, BlockModel):
        return replace(model, values={new: np.asarray(found)}, texts={})
    codes = model.classes.get(old)
    values = {new: found if isinstance(model, PropertyModel | Voxet) else np.asarray(found)}
    return replace(model, values=values, classes={new: codes} if codes else {})  # type: ignore[arg-type]


def _ubc(study: Study, layer: UbcLayer) -> tuple[Model, str]:
    mesh, files = study.path(layer.mesh), {layer.name: study.path(layer.file)}
    (cells,) = io.ubc.read_bodies(mesh, Options())
    read = io.ubc.read_octree if isinstance(cells, BlockModel) else io.ubc.read_model
    model = read(mesh, files, missing=tuple(layer.missing))
    if layer.name not in model.values:
        there = ", ".join(name.removeprefix(f"{layer.name}_") for name in model.values)
        raise StudyError(
            f"layer {layer.name!r}: {layer.file} holds vectors ({there}). Name one component with "
            "kind = 'model' and property."
        )
    return model, layer.name


def _model(study: Study, layer: VoxetLayer | ModelLayer, say: Say) -> tuple[Model, str]:
    """The first body of a file that has the property, or any values if none is named, and its name."""
    mesh = study.path(layer.mesh) if isinstance(layer, ModelLayer) and layer.mesh else None
    found = io.read(study.path(layer.file), mesh=mesh)
    wanted, what = (Voxet, "voxet") if isinstance(layer, VoxetLayer) else (Model, "model in a volume")
    models = [body for body in found if isinstance(body, wanted) and values_of(body)]
    if not models:
        there = ", ".join(f"{body.kind or type(body).__name__} {body.name!r}" for body in found)
        raise StudyError(f"layer {layer.name!r}: {layer.file} holds no {what} with values, it has {there}.")
    name = layer.property or next(iter(values_of(models[0])))
    model = next((body for body in models if name in values_of(body)), None)
    if model is None:
        there = ", ".join(repr(one) for body in models for one in values_of(body))
        words = [one for body in models if isinstance(body, BlockModel) for one in body.texts]
        text = f" ({name!r} is text)" if name in words else ""
        raise StudyError(
            f"layer {layer.name!r}: {layer.file} has no property {name!r}{text}, it has {there}."
        )
    if len(models) > 1 or (len(values_of(model)) > 1 and not layer.property):
        say(f"layer {layer.name}: {layer.file} holds several values, {name!r} of {model.name!r} is used.")
    if layer.registration == "corner" and not isinstance(model, Voxet):
        raise StudyError(
            f"layer {layer.name!r}: registration = 'corner' is for voxets, {model.name!r} is a "
            f"{model.kind or type(model).__name__}. Remove it."
        )
    return _registered(model, layer.registration), name


def _registered(model: Model, registration: str) -> Model:
    """A voxet whose axes were meant to end at corners of cells as one of the centres of these cells."""
    if registration == "center" or not isinstance(model, Voxet):
        return model
    counts = np.array(model.shape[::-1], dtype=float)[:, None]
    steps = model.steps * np.maximum(counts - 1, 1) / counts
    return replace(model, origin=np.array(model.first_centre("corner")), steps=steps).noted(
        "the ends of the axes were taken as corners of cells, as asked for."
    )


def filler(study: Study, layer: Layer, say: Say) -> tuple[Callable[[Grid], Any], str]:
    """What computes a layer in a part of the grid, and a sentence that says how."""
    if isinstance(layer, UbcLayer | VoxetLayer | ModelLayer):
        model = values(study, layer, say)
        how = f"resampled ({layer.method})" + (" after the decimal logarithm" if layer.log10 else "")
        try:
            return prepare(model, method=layer.method, name=layer.name), how
        except ValueError as error:
            raise StudyError(f"layer {layer.name!r}: {error}") from error
    if isinstance(layer, RasterLayer):
        return _draped(study, layer, say)
    if isinstance(layer, BoreholesLayer):
        return _bored(study, layer, say)
    sheets = surfaces(study, layer.files, say, owner=f"layer {layer.name!r}")
    if isinstance(layer, InsideLayer):
        return evidence.prepare_inside(sheets), "1 inside closed surfaces, 0 outside"
    return (
        evidence.prepare_distance(sheets, cutoff=layer.cutoff, solid=layer.solid),
        f"exact distance to triangles up to {layer.cutoff:g} m" + (", 0 inside" if layer.solid else ""),
    )


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


def _draped(study: Study, layer: RasterLayer, say: Say) -> tuple[Callable[[Grid], Any], str]:
    grid = study.grid.grid()
    found, name = raster(study, layer, say)
    _say_crs(found, layer, grid, say)
    if layer.log10:
        found = replace(found, values={name: _log10(found.values[name], layer.name, say)})
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


def _bored(study: Study, layer: BoreholesLayer, say: Say) -> tuple[Callable[[Grid], Any], str]:
    grid = study.grid.grid()
    found = _drilled(study, layer, grid, say)
    near = f", and of holes within {layer.radius:g} m elsewhere" if layer.radius else ""
    return (
        lambda part: boreholes.fill(found, grid, part, radius=layer.radius),
        f"length-weighted mean of {layer.assay} in the cells of the holes{near}",
    )


def recipe(study: Study, layer: Layer, frame: str) -> str:
    """Hash of everything that the values of a layer depend on, ``frame`` being that of the cells."""
    files = [sha256(path) for path in sources(study, layer)]
    return hash_of(frame, layer.model_dump(exclude={"role", "long_name"}), files)


def sources(study: Study, layer: Layer) -> list[Path]:
    """Files that the values of a layer come from, those of data that a header names included."""
    paths = [study.path(name) for _, name in layer.paths()]
    if isinstance(layer, VoxetLayer | ModelLayer):
        paths += _data_files(study.path(layer.file))
    if isinstance(layer, RasterLayer):
        paths += _beside(study.path(layer.file))
    return paths


def _data_files(path: Path) -> list[Path]:
    """Files of points and values that a GoCAD header names, those that are there."""
    if not io.is_gocad(path):
        return []
    named = re.findall(_DATA_FILE, read_text(path))
    return [beside for name in dict.fromkeys(named) if (beside := path.parent / name).is_file()]


def _beside(path: Path) -> list[Path]:
    """What says where a raster lies, or holds its values, in files of their own."""
    names = [path.with_suffix("")] if path.suffix.lower() == ".ers" else []
    world = f"{path.suffix[:2]}{path.suffix[-1:]}w" if len(path.suffix) > 2 else ".wld"
    names += [path.with_name(path.name + ".aux.xml"), path.with_name(path.name + ".gi")]
    names += [path.with_suffix(end) for end in (world, ".tfw", ".wld", ".prj")]
    return [name for name in dict.fromkeys(names) if name.is_file() and name != path]
