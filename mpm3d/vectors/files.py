"""Files of points, lines and polygons, in the coordinate system of a grid."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.io.mapgrid import known_crs

# edges are split before they are projected, so that they bend as the projection does: a metre or two are lost
_EDGE = {True: 0.1, False: 10_000.0}  # degrees; metres
_MOST = 12  # values that a message lists
_BESIDE = (".shx", ".dbf", ".prj", ".cpg", ".qpj")


@dataclass(frozen=True, eq=False)
class Vectors:
    """Points, lines and polygons with their attributes, in the coordinate system of a grid.

    Parameters
    ----------
    name : str
        Name of the file.
    frame : geopandas.GeoDataFrame
        A row for each shape that is there, is valid and can be projected.
    notes : tuple of str
        What was decided on reading.
    """

    name: str
    frame: Any
    notes: tuple[str, ...] = ()

    @property
    def shapes(self) -> Any:
        """The shapes, an array of shapely geometries."""
        return self.frame.geometry.to_numpy()


def read(path: str | Path, crs: str, *, layer: str = "", source_crs: str = "") -> Vectors:
    """Read a file of points, lines or polygons, and project it.

    Parameters
    ----------
    path : str or Path
        Whatever geopandas reads: GeoPackage, shapefile, GeoJSON and more.
    crs : str
        Coordinate system of the grid, to which shapes are projected. Edges longer than 10 km (0.1 degrees)
        are split first, so that they bend as the projection does.
    layer : str
        Which of several layers of the file.
    source_crs : str
        Coordinate system of the file; by default the one that it names.

    Returns
    -------
    Vectors
        Invalid shapes are mended (shapely's ``make_valid``), empty ones and those that cannot be projected
        left out; the notes say so.

    Raises
    ------
    FormatError
        If the file cannot be read, holds no shapes, or has several layers and none is named.
    ValueError
        If neither the file nor the caller names a coordinate system.
    """
    place = Path(path)
    frame, notes = _opened(place, _layer(place, layer))
    stated = _text(frame.crs) if frame.crs is not None else ""
    if not source_crs and not stated:
        raise ValueError(
            f"{place.name} names no coordinate system, so its shapes cannot be placed. Name it in the study, "
            'such as crs = "EPSG:4326".'
        )
    if source_crs:
        if stated and known_crs(stated) != known_crs(source_crs):
            notes.append(f"the file says {stated}, {source_crs} of the study is used.")
        frame = frame.set_crs(source_crs, allow_override=True)
    frame = _projected(_mended(frame, notes), crs, notes)
    if not len(frame):
        raise FormatError(place, "none of its shapes can be placed on the map. Check its coordinate system.")
    return Vectors(place.name, frame, tuple(notes))


def _layer(path: Path, layer: str) -> str | None:
    """Name of the layer to read; None where a file has but one."""
    import geopandas

    try:
        names = [str(name) for name in geopandas.list_layers(path)["name"]]
    except Exception as error:  # whatever GDAL has
        raise FormatError(path, f"it cannot be read as a file of vectors ({error}).") from error
    there = ", ".join(map(repr, names)) or "none"
    if layer and layer not in names:
        raise FormatError(path, f"there is no layer {layer!r}, it has {there}.")
    if not layer and len(names) > 1:
        raise FormatError(path, f"it has {len(names)} layers, {there}. Name one: layer = {names[0]!r}.")
    return layer or None


def _opened(path: Path, layer: str | None) -> tuple[Any, list[str]]:
    """The rows of a layer that have a shape."""
    import geopandas

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            frame = geopandas.read_file(path, layer=layer)
        except Exception as error:  # whatever GDAL has
            raise FormatError(path, f"it cannot be read as a file of vectors ({error}).") from error
    notes = [f"GDAL says: {one.message}" for one in said if issubclass(one.category, RuntimeWarning)]
    if not isinstance(frame, geopandas.GeoDataFrame):
        raise FormatError(path, "it holds a table without shapes, points, lines or polygons were expected.")
    there = frame.geometry.notna() & ~frame.geometry.is_empty
    if not there.any():
        raise FormatError(path, f"none of its {len(frame)} rows has a shape.")
    if not there.all():
        notes.append(f"{int((~there).sum())} of {len(frame)} rows have no shape and are left out.")
    return frame[there].reset_index(drop=True), notes


def _mended(frame: Any, notes: list[str]) -> Any:
    import shapely

    wrong = ~frame.geometry.is_valid.to_numpy()
    if not wrong.any():
        return frame
    shapes = frame.geometry.to_numpy().copy()
    shapes[wrong] = shapely.make_valid(shapes[wrong], method="structure", keep_collapsed=False)
    kept = ~shapely.is_empty(shapes)
    gone = f", {int((~kept).sum())} of them have no extent and are left out" if not kept.all() else ""
    notes.append(
        f"{int(wrong.sum())} of {len(frame)} shapes are invalid (crossing themselves) and mended{gone}."
    )
    return frame.set_geometry(type(frame.geometry)(shapes, crs=frame.crs))[kept].reset_index(drop=True)


def _projected(frame: Any, crs: str, notes: list[str]) -> Any:
    import pyproj
    import shapely

    wanted = pyproj.CRS.from_user_input(crs)
    if frame.crs.equals(wanted, ignore_axis_order=True):
        return frame
    step = _EDGE[frame.crs.is_geographic]
    split = shapely.segmentize(frame.geometry.to_numpy(), step)
    moved = frame.set_geometry(type(frame.geometry)(split, crs=frame.crs)).to_crs(wanted)
    shapes = moved.geometry.to_numpy()
    good = np.isfinite(shapely.bounds(shapes)).all(axis=1)
    notes.append(f"projected from {_text(frame.crs)} to {_text(wanted)}.")
    if not good.all():
        notes.append(
            f"{int((~good).sum())} of {len(frame)} shapes lie where {_text(wanted)} has no coordinates and "
            "are left out."
        )
    return moved[good].reset_index(drop=True)


def _text(crs: Any) -> str:
    """Code of a coordinate system, or its name."""
    code = crs.to_authority(min_confidence=90)
    return ":".join(code) if code else str(crs.name)


def select(vectors: Vectors, where: Mapping[str, Sequence[Any]]) -> Vectors:
    """Choose shapes by their attributes.

    Parameters
    ----------
    vectors : Vectors
        Shapes with attributes.
    where : mapping of str to sequence
        Values of a column that are wanted, texts or numbers; a shape must have one of each column.

    Returns
    -------
    Vectors
        Values that no shape has are noted.

    Raises
    ------
    ValueError
        If there is no such column, or no shape is left; the message lists the values there are.
    """
    kept = np.ones(len(vectors.frame), dtype=bool)
    notes = list(vectors.notes)
    for name, wanted in where.items():
        words = column(vectors, name)
        asked = {_word(value) for value in wanted}
        lost = sorted(asked - set(words))
        if len(lost) == len(asked):
            none = " or ".join(map(repr, lost))
            raise ValueError(f"no shape of {vectors.name} has {name} = {none}. {_there(name, words)}")
        if lost:
            notes.append(f"no shape has {name} = {' or '.join(map(repr, lost))}.")
        kept &= np.isin(words, list(asked))
    if not kept.any():
        asked_for = " and ".join(f"{name} = {list(wanted)}" for name, wanted in where.items())
        raise ValueError(f"no shape of {vectors.name} has {asked_for} at once. Choose fewer columns.")
    return replace(vectors, frame=vectors.frame[kept].reset_index(drop=True), notes=tuple(notes))


def column(vectors: Vectors, name: str) -> Any:
    """Values of an attribute as words, ``""`` where there is none; whole numbers without a decimal point.

    Raises
    ------
    ValueError
        If there is no such attribute.
    """
    names = [str(one) for one in vectors.frame.columns if one != vectors.frame.geometry.name]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"It has {', '.join(names) or 'none'}."
        raise ValueError(f"{vectors.name} has no column {name!r}. {hint}")
    values = vectors.frame[name]
    return np.array([_word(v) if here else "" for v, here in zip(values, values.notna(), strict=True)])


def _word(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole else value).strip()


def _there(name: str, words: Any) -> str:
    values = sorted(set(map(str, words)) - {""})
    more = f" and {len(values) - _MOST} more" if len(values) > _MOST else ""
    return f"There are {', '.join(map(repr, values[:_MOST]))}{more}." if values else f"{name} is empty there."


def companions(path: str | Path) -> list[Path]:
    """Files beside a shapefile that it is read with; none for other files."""
    place = Path(path)
    if place.suffix.lower() != ".shp":
        return []
    return [beside for end in _BESIDE if (beside := place.with_suffix(end)).is_file()]
