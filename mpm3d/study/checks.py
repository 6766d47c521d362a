"""What is wrong with the files and between the tables of a study."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from mpm3d import boreholes, io
from mpm3d.geometry import Bounds, Lines, Points, Surface
from mpm3d.grid import Grid
from mpm3d.study.base import Table
from mpm3d.study.drilling import DrillingTable, licence_wrong
from mpm3d.study.files import drillholes, present, sha256
from mpm3d.study.layers import LAYERS
from mpm3d.study.models import MODELS, BoostingTable, PuTable
from mpm3d.study.raster_layers import BandsLayer, RasterLayer
from mpm3d.study.tables import NO_SURFACE, DepositTable, GridTable, SourceTable, TopographyTable
from mpm3d.vectors import cells_of, is_marked_file


def contents_wrong(table: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """Problems that need the files or several tables, found even when other tables are wrong."""
    grid = None
    try:
        grid = GridTable.model_validate(table.get("grid")).grid()
    except ValidationError:
        pass  # said already
    except ValueError as error:
        yield f"[grid]: {error}"
    layers = [valid(LAYERS.get(t.get("kind")), t) for t in _tables(table, "layers")]
    deposits = [valid(DepositTable, t) for t in _tables(table, "deposits")]
    sources = [valid(SourceTable, t) for t in _tables(table, "sources")]
    topography = [valid(TopographyTable, table["topography"])] if "topography" in table else []
    for what, items in (("layer", layers), ("deposit", deposits)):
        names = [item.name for item in items if item is not None]
        twice = sorted({name for name in names if names.count(name) > 1})
        yield from (f"two {what}s are called {name!r}. Names must differ." for name in twice)
    yield from models_wrong(_tables(table, "models"), [str(t.get("name")) for t in _tables(table, "layers")])
    origin = {folder / s.file: s for s in sources if isinstance(s, SourceTable)}
    for item in (*layers, *deposits, *topography):
        yield from _missing_files(item, folder, origin)
    for layer in layers:
        if isinstance(layer, RasterLayer | BandsLayer):
            yield from (f"layer {layer.name!r}: {text}" for text in crs_lacking(layer, folder))
    yield from _changed_sources(origin)
    for deposit in deposits:
        if isinstance(deposit, DepositTable):
            yield from _check_deposit(deposit, folder, grid)
    drilling = valid(DrillingTable, table.get("drilling", {}))
    if isinstance(drilling, DrillingTable):
        yield from licence_wrong(drilling, folder, grid)
    if deposits and all(isinstance(one, DepositTable) and one.blind for one in deposits):
        yield "every deposit is blind, so nothing is left to learn from. Set blind = false on some."


def _tables(table: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    value = table.get(key, [])
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def valid(kind: type[Table] | None, value: Any) -> Any:
    """The table of this kind that a value makes, None if it makes none."""
    try:
        return kind.model_validate(value) if kind else None
    except ValidationError:
        return None


def models_wrong(tables: Sequence[dict[str, Any]], layers: Sequence[str] | None) -> Iterator[str]:
    """Kinds that are named twice, and layers of ``monotone`` that the study does not have, where known."""
    kinds = [str(t.get("kind")) for t in tables]
    for kind in sorted({kind for kind in kinds if kinds.count(kind) > 1}):
        yield f"[[models]] names {kind!r} {kinds.count(kind)} times. Name each kind once."
    for table in tables:
        found = valid(MODELS.get(str(table.get("kind"))), table)
        where, found = ("'pu', base", found.base) if isinstance(found, PuTable) else ("'boosting'", found)
        for layer in found.monotone if isinstance(found, BoostingTable) else ():
            if layers is not None and layer not in layers:
                near = difflib.get_close_matches(layer, layers, n=1)
                hint = f"Did you mean {near[0]!r}?" if near else f"It has {', '.join(layers)}."
                yield f"monotone in [models {where}] names {layer!r}, the study has no such layer. {hint}"


def _missing_files(item: Table | None, folder: Path, origin: Mapping[Path, SourceTable]) -> Iterator[str]:
    for key, name in item.paths() if item is not None else ():
        path = present(folder / name)
        if "${" in name or path.is_file():
            continue
        owner = getattr(item, "name", "topography")
        source = origin.get(folder / name)
        fix = "Check the path, it is relative to study.toml."
        if source is not None:
            commit = f", commit {source.commit}" if source.commit else ""
            fix = f"Get it from {source.repository}{commit}, {source.path or path.name}."
        yield f"{owner!r}: {key} = {name!r} does not exist. {fix}"


def crs_lacking(layer: RasterLayer | BandsLayer, folder: Path) -> Iterator[str]:
    """A sentence for each raster of a layer that names no coordinate system, unless the layer does."""
    if layer.crs:
        return
    for _, name in layer.paths():
        if io.raster.lacks_crs(present(folder / name)):
            yield (
                f"{name} names no coordinate system, so its pixels cannot be placed. Name it in the layer, "
                'such as crs = "EPSG:32651", or write it into the file (gdal_edit -a_srs).'
            )


def _changed_sources(origin: Mapping[Path, SourceTable]) -> Iterator[str]:
    for path, source in ((present(place), source) for place, source in origin.items()):
        if path.is_file() and (found := sha256(path)) != source.sha256:
            yield (
                f"{source.file!r} is not the file of {source.repository}: its SHA-256 is {found[:12]}…, "
                f"{source.sha256[:12]}… was expected. Get it again."
            )


def _check_deposit(deposit: DepositTable, folder: Path, grid: Grid | None) -> Iterator[str]:
    named = [bool(deposit.files), bool(deposit.points), bool(deposit.intervals)]
    if sum(named) != 1:
        yield f"deposit {deposit.name!r} needs one of files, points and intervals, it has {sum(named)}."
        return
    given = {key for key, value in deposit if value not in ("", None)}
    holes = [key for key in ("collar", "survey", "assay", "cutoff") if key in given]
    lacking = [key for key in ("collar", "intervals", "assay", "cutoff") if key not in given]
    if holes and lacking:
        yield (
            f"deposit {deposit.name!r} has {', '.join(holes)}, so it comes from drillholes, and lacks "
            f"{', '.join(lacking)}. Give collar, intervals, assay and cutoff."
        )
        return
    if deposit.each or (grid is not None and deposit.is_map_file(flat=grid.is_map)):
        yield from _check_places(deposit, folder, grid)
        return
    alone = [key for key in ("name_column", "style_column", "layer", "crs") if key in given]
    if alone:
        yield f"deposit {deposit.name!r} has {', '.join(alone)}, which is for points of a map. Remove it."
    try:
        paths = [present(folder / name) for _, name in deposit.paths()]
        flat = grid is not None and grid.is_map
        there = not holes or all(path.is_file() for path in paths)
        boxes = _boxes(deposit, folder, paths, flat=flat) if there else []
    except (ValueError, OSError) as error:
        yield f"deposit {deposit.name!r}: {error}"
        return
    if grid is None or not boxes:
        return
    g = grid.bounds
    axes = range(2 if grid.is_map else 3)
    outside = all(any(b[i + 3] < g[i] or b[i] > g[i + 3] for i in axes) for b in boxes)
    if outside and grid.is_map:
        b = boxes[0]
        yield _beside(deposit, (b[0], b[1], b[3], b[4]), grid)
    elif outside:
        b = boxes[0]
        yield (
            f"deposit {deposit.name!r} lies outside the grid: it spans x {b[0]:.0f} to {b[3]:.0f}, "
            f"y {b[1]:.0f} to {b[4]:.0f}, z {b[2]:.0f} to {b[5]:.0f} m, the grid x {g[0]:.0f} to {g[3]:.0f}, "
            f"y {g[1]:.0f} to {g[4]:.0f}, z {g[2]:.0f} to {g[5]:.0f} m. Move the grid or check the file."
        )


def _check_places(deposit: DepositTable, folder: Path, grid: Grid | None) -> Iterator[str]:
    """Problems of deposits that are places of a map."""
    if not deposit.points:
        yield f"deposit {deposit.name!r} has each = true, which is for points, and names none. Remove it."
        return
    if deposit.each == "touching" and not is_marked_file(deposit.points):
        yield (
            f"deposit {deposit.name!r} has each = 'touching', which is for pixels of a raster, and "
            f"{deposit.points} is none. Use each = true."
        )
        return
    if not deposit.each and (deposit.name_column or deposit.style_column):
        yield f"deposit {deposit.name!r} has columns of names or styles, they need each = true. Add it."
        return
    if grid is None or not present(folder / deposit.points).is_file():
        return
    try:
        places, _ = deposit.places(folder, grid.crs)
        boxes = [place.shape.bounds for place in places]
        if not grid.is_map:
            cells_of(places[0].shape, grid)  # whether it has a place in a volume
    except (ValueError, OSError) as error:
        yield f"deposit {deposit.name!r}: {error}"
        return
    g = grid.bounds
    if all(b[2] < g[0] or b[0] > g[3] or b[3] < g[1] or b[1] > g[4] for b in boxes):
        low, high = (f([b[k : k + 2] for b in boxes], axis=0) for f, k in ((np.min, 0), (np.max, 2)))
        yield _beside(deposit, (*low, *high), grid)


def _beside(deposit: DepositTable, box: Sequence[float], grid: Grid) -> str:
    """What is said of deposits outside a map."""
    g, many = grid.bounds, " with all its places" if deposit.each else ""
    return (
        f"deposit {deposit.name!r} lies outside the area{many}: it spans x {box[0]:.0f} to {box[2]:.0f}, "
        f"y {box[1]:.0f} to {box[3]:.0f}, the grid x {g[0]:.0f} to {g[3]:.0f}, y {g[1]:.0f} to {g[4]:.0f} m. "
        "Move the grid or check the file and its coordinate system."
    )


def _boxes(deposit: DepositTable, folder: Path, paths: list[Path], *, flat: bool) -> list[Bounds]:
    """Bounds of each body of a deposit, of the ore alone where it is drilled."""
    if not deposit.collar:
        bodies = [thing for path in paths if path.is_file() for thing in io.read(path)]
        sheets = [thing.name for thing in bodies if isinstance(thing, Surface)]
        if sheets and flat:
            raise ValueError(NO_SURFACE.format(sheets[0]))
        return [thing.bounds for thing in bodies if isinstance(thing, Surface | Lines | Points)]
    wells = drillholes(deposit, folder)
    boreholes.check_column(wells, deposit.assay)
    found = boreholes.ore(wells, deposit.assay, deposit.cutoff or 0.0)
    if not len(found.segments):
        raise ValueError(
            f"no interval of {deposit.intervals} reaches {deposit.assay} = {deposit.cutoff:g}. Lower the "
            "cutoff."
        )
    return [found.bounds]
