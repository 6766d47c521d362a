"""Known deposits as places on a map: rows of vector files and tables, marked pixels of rasters."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.errors import FormatError
from mpm3d.grid import FloatArray, Grid
from mpm3d.io.blocks_table import AXES
from mpm3d.io.files import stem_of
from mpm3d.io.mapgrid import known_crs
from mpm3d.io.tables.columns import Table, read_table
from mpm3d.io.tables.headers import GEOGRAPHIC, key_of
from mpm3d.vectors.files import column, read
from mpm3d.vectors.shapes import POINT, parts_of

_VECTORS = (".gpkg", ".shp", ".geojson", ".json", ".fgb", ".kml", ".gml")
_RASTERS = (".tif", ".tiff")
_TABLES = (".csv", ".tsv", ".txt")
_ALL: FloatArray = np.ones(1)  # of a cell that holds a point


@dataclass(frozen=True, eq=False)
class Place:
    """Where one deposit lies.

    Parameters
    ----------
    name, style : str
        What it is called, and its style of mineralisation, which may be empty.
    shape : shapely geometry
        Points, lines or polygons in the coordinate system of the grid; points may have elevations.
    """

    name: str
    style: str
    shape: Any


def is_places_file(path: str | Path, *, flat: bool = False) -> bool:
    """Whether a file is read by `read_places`, by its suffix; tables are for a map only (``flat``)."""
    return Path(path).suffix.lower() in (*_VECTORS, *_RASTERS, *(_TABLES if flat else ()))


def is_marked_file(path: str | Path) -> bool:
    """Whether a file is a raster whose pixels of 1 are deposits, by its suffix."""
    return Path(path).suffix.lower() in _RASTERS


def read_places(
    path: str | Path,
    crs: str,
    *,
    layer: str = "",
    source_crs: str = "",
    columns: tuple[str, str] = ("", ""),
    touching: bool = False,
) -> tuple[list[Place], tuple[str, ...]]:
    """Read a file of known deposits, one in each row or marked pixel.

    Parameters
    ----------
    path : str or Path
        Vector file (GeoPackage, shapefile, GeoJSON …), table with columns of x and y or longitude and
        latitude, or GeoTIFF in which 1 marks deposits: a pixel counts at its centre.
    crs : str
        Coordinate system of the grid, to which places are projected.
    layer : str
        Which of several layers of a vector file.
    source_crs : str
        Coordinate system of the file, if it does not name one. A table is otherwise taken to be in that of
        the grid, or WGS 84 where its columns are longitude and latitude.
    columns : tuple of str
        Columns of names and of styles, empty for none. Without names, deposits are called after the file and
        their number.
    touching : bool
        Whether marked pixels of a raster that touch, by corners too, are one deposit.

    Returns
    -------
    places : list of Place
        In the order of the file.
    notes : tuple of str
        What was decided on reading.

    Raises
    ------
    FormatError
        If the file cannot be read, or marks nothing.
    ValueError
        If there is no such column, no coordinate system, or the format is none of these.
    """
    place, suffix = Path(path), Path(path).suffix.lower()
    if suffix in _RASTERS:
        if any(columns):
            raise ValueError(
                f"{place.name} is a raster and has no columns. Remove name_column and style_column."
            )
        shapes, notes = _marked(place, crs, source_crs, touching)
        words = [np.full(len(shapes), "")] * 2
    elif suffix in _TABLES:
        shapes, words, notes = _rows(place, crs, source_crs, columns)
    elif suffix in _VECTORS:
        found = read(place, crs, layer=layer, source_crs=source_crs)
        words = [column(found, one) if one else np.full(len(found.shapes), "") for one in columns]
        shapes, notes = found.shapes, list(found.notes)
    else:
        known = ", ".join((*_VECTORS, *_TABLES, *_RASTERS))
        raise ValueError(f"{place.name} is no file of places that is known here. Give one of {known}.")
    names = _names(list(map(str, words[0])), stem_of(place), notes)
    places = [Place(*one) for one in zip(names, map(str, words[1]), shapes, strict=True)]
    return places, tuple(notes)


def _names(names: list[str], stem: str, notes: list[str]) -> list[str]:
    """Names that differ: those without one after the file and their number, repeated ones numbered."""
    names = [name or (stem if len(names) == 1 else f"{stem} {k}") for k, name in enumerate(names, start=1)]
    often = {name: n for name, n in Counter(names).items() if n > 1}
    seen: Counter[str] = Counter()
    for at, name in enumerate(names):
        seen[name] += 1
        if seen[name] > 1:
            names[at] = f"{name} ({seen[name]})"
    for name, n in often.items():
        notes.append(f"{n} deposits are called {name!r}, from the second on they are numbered.")
    return names


def _rows(path: Path, crs: str, source_crs: str, wanted: tuple[str, str]) -> tuple[Any, list[Any], list[str]]:
    """Points of a table with a header, and its columns of names and styles."""
    import shapely

    table = read_table(path, [key_of(name) for name in wanted if name])
    source, axes = _axes(table)
    xyz = [table.numbers(axis) for axis in axes]
    good = np.isfinite(np.array(xyz)).all(axis=0)
    notes = list(table.notes)
    if not good.all():
        notes.append(f"{int((~good).sum())} of {len(good)} rows have no coordinates and are left out.")
    if not good.any():
        raise FormatError(path, "no row has coordinates.")
    words = [table.texts(_column(table, one))[good] if one else np.full(good.sum(), "") for one in wanted]
    if not source_crs:
        assumed = source or crs
        notes.append(f"a table names no coordinate system, {assumed} is assumed. Otherwise give crs.")
    x, y = _moved(xyz[0][good], xyz[1][good], source_crs or source or crs, crs)
    heights = [values[good] for values in xyz[2:]]
    return shapely.points(np.column_stack([x, y, *heights])), words, notes


def _axes(table: Table) -> tuple[str, list[int]]:
    """Columns of x, y and, if there is one, z; and the coordinate system if they are degrees."""
    header = table.header
    found = [header.find(keys) for keys in AXES]
    if found[0] and found[1]:
        return "", [columns[0] for columns in found if columns]
    degrees = [header.find(keys) for keys in (GEOGRAPHIC[:3], GEOGRAPHIC[3:])]
    if all(degrees):
        return "EPSG:4326", [columns[0] for columns in (*degrees, found[2]) if columns]
    names = ", ".join(header.names)
    raise FormatError(
        table.path, f"columns x and y, or longitude and latitude, are needed. There are {names}."
    )


def _column(table: Table, name: str) -> int:
    found = table.header.find([key_of(name)])
    if not found:
        raise ValueError(f"{table.path.name} has no column {name!r}. It has {', '.join(table.header.names)}.")
    return found[0]


def _marked(path: Path, crs: str, source_crs: str, touching: bool) -> tuple[Any, list[str]]:
    """Centres of the pixels of 1, each alone or those that touch together."""
    import rasterio
    import shapely
    from scipy.ndimage import label

    try:
        with rasterio.open(path) as file:
            band, where, stated = file.read(1, masked=True), file.transform, file.crs
    except rasterio.errors.RasterioError as error:
        raise FormatError(path, f"it cannot be read as a raster ({error}).") from error
    if not stated and not source_crs:
        raise ValueError(
            f"{path.name} names no coordinate system, so its pixels cannot be placed. Name it in the study, "
            'such as crs = "EPSG:4326".'
        )
    patches, n = label(band.filled(0) == 1, structure=np.ones((3, 3)))
    if not n:
        there = ", ".join(f"{value:g}" for value in np.unique(band.compressed())[:12])
        raise FormatError(path, f"no pixel is 1, which marks a deposit. Values are {there or 'all missing'}.")
    row, column_ = (place + 0.5 for place in np.nonzero(patches))
    x = where.a * column_ + where.b * row + where.c
    y = where.d * column_ + where.e * row + where.f
    x, y = _moved(x, y, source_crs or stated.to_wkt(), crs)
    owner = patches[np.nonzero(patches)]
    xy, marked = np.column_stack([x, y]), f"{len(owner)} pixels are marked (1)"
    if touching:
        shapes = [shapely.multipoints(xy[owner == k]) for k in range(1, n + 1)]
        return np.array(shapes, dtype=object), [
            f"{marked}, {n} groups of touching ones; each counts at its centre."
        ]
    join = f" Some touch: with each = 'touching' they would be {n}." if n < len(owner) else ""
    return shapely.points(xy), [f"{marked}, each a deposit of its own at its centre.{join}"]


def _moved(x: FloatArray, y: FloatArray, source: str, target: str) -> tuple[FloatArray, FloatArray]:
    import pyproj

    if known_crs(source) == known_crs(target):
        return x, y
    return pyproj.Transformer.from_crs(source, target, always_xy=True).transform(x, y)


def cells_of(shape: Any, grid: Grid) -> tuple[NDArray[np.int64], FloatArray]:
    """Cells that a place meets, and how much of each it fills.

    Parameters
    ----------
    shape : shapely geometry
        Points, lines and polygons in the coordinate system of the grid.
    grid : Grid
        A map, whose cells are met at whatever elevation; in a volume, points must have elevations.

    Returns
    -------
    cells : array of shape (n, 3)
        Counts along z, y, x, each cell once, ascending; none if the place is outside.
    share : array of shape (n,)
        Share of a cell that polygons cover, 1 in cells of points and lines.

    Raises
    ------
    ValueError
        If the grid is a volume, and the place a line, a polygon or a point without an elevation.
    """
    import shapely

    parts, _ = parts_of(np.array([shape], dtype=object))
    met: dict[tuple[int, ...], float] = {}
    for part, kind, deep in zip(parts, shapely.get_type_id(parts), shapely.has_z(parts), strict=True):
        if not grid.is_map and (kind != POINT or not deep):
            what = "a point without an elevation" if kind == POINT else "a line or polygon of a map"
            raise ValueError(
                f"{what} has no place in a volume. Give points with x, y and elevation, or leave z out of "
                "[grid] to make a map."
            )
        if kind == POINT:
            z = grid.first_centre[0] if grid.is_map else part.z
            found = grid.index_of([[part.x, part.y, z]])
            found, share = found[found[:, 0] >= 0], _ALL
        else:
            found, share = _met(part, grid)
        for cell, filled in zip(found.tolist(), share, strict=False):
            met[tuple(cell)] = min(1.0, met.get(tuple(cell), 0.0) + float(filled))
    cells = np.array(sorted(met), dtype=np.int64).reshape(-1, 3)
    return cells, np.array([met[tuple(cell)] for cell in cells.tolist()])


def _met(part: Any, grid: Grid) -> tuple[NDArray[np.int64], FloatArray]:
    """Cells of a map that a line or polygon enters, and the share of each that it covers (a line 1)."""
    import shapely

    xmin, ymin, _, xmax, ymax, _ = grid.bounds
    left, low, right, high = shapely.bounds(part)
    if left > xmax or right < xmin or low > ymax or high < ymin:
        return np.empty((0, 3), np.int64), np.empty(0)
    dy, dx = grid.spacing[1:]
    _, ny, nx = grid.shape
    rows = np.arange(max(0, int((low - ymin) // dy)), min(ny, int((high - ymin) // dy) + 1))
    columns = np.arange(max(0, int((left - xmin) // dx)), min(nx, int((right - xmin) // dx) + 1))
    j, i = (place.ravel() for place in np.meshgrid(rows, columns, indexing="ij"))
    boxes = shapely.box(xmin + i * dx, ymin + j * dy, xmin + (i + 1) * dx, ymin + (j + 1) * dy)
    shapely.prepare(part)
    near = shapely.intersects(part, boxes)
    j, i, cut = j[near], i[near], shapely.intersection(part, boxes[near])
    area = shapely.area(cut) / (dy * dx)
    share = area if shapely.get_dimensions(part) == 2 else (shapely.length(cut) > 0).astype(float)
    entered = share > 0
    return np.column_stack([np.zeros_like(j), j, i])[entered].astype(np.int64), share[entered]
