"""Surfaces, lines and points that a study names, and its ground."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyproj
import xarray as xr

from mpm3d import io
from mpm3d.errors import StudyError
from mpm3d.geometry import Lines, Points, Surface
from mpm3d.grid import Grid
from mpm3d.study import Study

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
