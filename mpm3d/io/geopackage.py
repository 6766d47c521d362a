"""GeoPackage files for QGIS and other GIS: points, lines, surfaces, wells and footprints, as layers."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mpm3d.geometry import Array, Body, Lines, Points, Surface
from mpm3d.grid import FloatArray, Grid
from mpm3d.wells import Well

KINDS = (Points, Lines, Surface, Well)
_RESERVED = {"fid", "geom", "geometry", "ogc_fid"}


@dataclass
class Layer:
    """Features of one kind.

    Parameters
    ----------
    name : str
        Name of the layer.
    geometry : sequence of shapely geometries
        One for each feature.
    columns : mapping of str to array
        Values of the features: numbers or text.
    description : str
        Noted in the file for whoever opens it.
    """

    name: str
    geometry: Sequence[Any]
    columns: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""


def write_layers(path: str | Path, layers: Sequence[Layer], crs: str) -> None:
    """Write layers as one GeoPackage.

    Parameters
    ----------
    path : str or Path
        The file, by custom ``.gpkg``. It is replaced only when all is written.
    layers : sequence of Layer
        At least one, of different names.
    crs : str
        Coordinate system of x and y, such as ``"EPSG:32651"``. Elevations stay as they are.

    Raises
    ------
    ValueError
        If there is no layer, no coordinate system or one that pyproj does not know.
    """
    import geopandas as gpd

    path = Path(path)
    known = _checked(crs)
    if not layers:
        raise ValueError(f"there is nothing to write to {path.name}.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {str(path.parent)!r} to write {path.name} to.")
    # a folder beside the target: GDAL insists on the suffix and makes files of its own meanwhile
    with tempfile.TemporaryDirectory(prefix=f".{path.stem[:40]}.", dir=path.parent) as place:
        half = Path(place) / f"{path.stem}.gpkg"
        for layer in layers:
            frame = gpd.GeoDataFrame(_columns(layer.columns), geometry=list(layer.geometry), crs=known)
            frame.to_file(
                half, layer=layer.name, driver="GPKG", engine="pyogrio", index=False,
                layer_options={"DESCRIPTION": layer.description, "GEOMETRY_NAME": "geom"},
            )  # fmt: skip
        half.replace(path)


def write_points(
    path: str | Path, layer: str, xyz: ArrayLike, columns: Mapping[str, Any], crs: str, *, note: str = ""
) -> None:
    """Write points as a GeoPackage of one layer.

    Parameters
    ----------
    path : str or Path
        The file. It is replaced only when all is written.
    layer : str
        Name of the layer.
    xyz : array of shape (n, 3)
        x, y, elevation in metres.
    columns : mapping of str to array of shape (n,)
        Numbers or text; NaN and empty where missing.
    crs : str
        Coordinate system, such as ``"EPSG:32651"``.
    note : str
        Description of the layer.

    Raises
    ------
    ValueError
        As `write_layers`.
    """
    write_layers(path, [points_layer(layer, xyz, columns, note=note)], crs)


def points_layer(name: str, xyz: ArrayLike, columns: Mapping[str, Any], *, note: str = "") -> Layer:
    """Points as a layer; see `write_points`."""
    import shapely

    return Layer(name, shapely.points(np.asarray(xyz, dtype=float).reshape(-1, 3)), columns, note)


def footprint(cells: ArrayLike, grid: Grid) -> Any:
    """What cells cover, seen from above.

    Parameters
    ----------
    cells : array of shape (n, 3)
        Counts along z, y, x.
    grid : Grid
        Their grid.

    Returns
    -------
    shapely Polygon or MultiPolygon
        Union of the squares, in map coordinates.
    """
    import shapely

    yx = np.unique(np.asarray(cells, dtype=np.int64).reshape(-1, 3)[:, 1:], axis=0)
    # whole numbers unite without slivers
    union = shapely.union_all(shapely.box(yx[:, 1], yx[:, 0], yx[:, 1] + 1, yx[:, 0] + 1))
    (_, y, x), (_, dy, dx) = grid.corner, grid.spacing
    return shapely.transform(union, lambda c: c * np.array([dx, dy]) + np.array([x, y]))


def write_bodies(path: str | Path, bodies: Sequence[Body], crs: str, *, note: str = "") -> tuple[str, ...]:
    """Write bodies as layers of a GeoPackage.

    Points become a layer of points with their values; polylines 3D lines, one for each part; a surface one
    3D multipolygon of its triangles, so that nothing of a vertical one is lost. Wells are the layers
    ``wells`` (paths), ``collars``, ``markers`` and one for each table of intervals.

    Parameters
    ----------
    path : str or Path
        The file. It is replaced only when all is written.
    bodies : sequence of Body
        Points, Lines, Surface or Well.
    crs : str
        Coordinate system, such as ``"EPSG:32651"``.
    note : str
        More for the description of every layer.

    Returns
    -------
    tuple of str
        What a GeoPackage has no place for, in sentences.

    Raises
    ------
    ValueError
        As `write_layers`, and if a body is of another kind or not finite.
    """
    _checked(crs)
    layers: list[Layer] = []
    lost: list[str] = []
    for body in bodies:
        if not isinstance(body, KINDS):
            raise ValueError(
                f"{body.name!r} is a {type(body).__name__}, a GeoPackage holds points, lines, surfaces and "
                "wells. Write models as GeoTIFF (.tif), one for each level, or as .vo or .vtr."
            )
        _check_finite(body)
        if isinstance(body, Points):
            layers.append(points_layer(body.name, body.vertices, _split(body.properties)))
        elif isinstance(body, Lines):
            layers.append(_lines_layer(body, lost))
        elif isinstance(body, Surface):
            layers.append(_surface_layer(body, lost))
    wells = [body for body in bodies if isinstance(body, Well)]
    layers += _well_layers(wells, lost) if wells else []
    for layer, name in zip(layers, _unique([layer.name for layer in layers]), strict=True):
        layer.name = name
        layer.description = f"{layer.description} {note}".strip()
    write_layers(path, layers, crs)
    return tuple(lost)


def _checked(crs: str) -> Any:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    if not crs:
        raise ValueError(
            "a GeoPackage needs the coordinate system of x and y, and the files do not tell it. "
            "Give it: crs='EPSG:32651' (on the command line --crs EPSG:32651)."
        )
    try:
        return CRS.from_user_input(crs)
    except CRSError as error:
        message = f"the coordinate system {crs!r} is not known to pyproj, give one such as 'EPSG:32651'."
        raise ValueError(message) from error


def _columns(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Columns with names that GeoPackage allows, no two of which differ by case only."""
    names = _unique([f"{n}_" if n.lower() in _RESERVED else n for n in map(str, columns)])
    return {name: np.asarray(values) for name, values in zip(names, columns.values(), strict=True)}


def _unique(names: Iterable[str]) -> list[str]:
    found: list[str] = []
    taken: set[str] = set()
    for name in names:
        plain = re.sub(r"[\x00-\x1f\"'`]", " ", name).strip()[:200] or "unnamed"
        label, count = plain, 2
        while label.lower() in taken:
            label, count = f"{plain} {count}", count + 1
        taken.add(label.lower())
        found.append(label)
    return found


def _check_finite(body: Body) -> None:
    xyz = body.path if isinstance(body, Well) else getattr(body, "vertices", np.empty((0, 3)))
    if not np.isfinite(xyz).all():
        row = int(np.argmin(np.isfinite(xyz).all(axis=1)))
        raise ValueError(f"point {row} of {body.name!r} is at {xyz[row].tolist()}, finite ones are needed.")


def _split(properties: Mapping[str, FloatArray]) -> dict[str, Array]:
    """One column for each component."""
    columns = {}
    for name, values in properties.items():
        if values.ndim == 1:
            columns[name] = values
            continue
        for k in range(values.shape[1]):
            columns[f"{name}_{k + 1}"] = values[:, k]
    return columns


def _lines_layer(body: Lines, lost: list[str]) -> Layer:
    import shapely

    starts = np.ones(len(body.segments), dtype=bool)
    if len(starts):
        starts[1:] = body.segments[1:, 0] != body.segments[:-1, 1]
        if body.part is not None:
            starts[1:] |= np.diff(body.part) != 0
    first = np.flatnonzero(starts)
    runs = np.split(body.segments, first[1:]) if len(first) else []
    geometry = [shapely.linestrings(body.vertices[np.append(run[:, 0], run[-1, 1])]) for run in runs]
    part = np.arange(len(runs)) if body.part is None else np.asarray(body.part)[first]
    columns: dict[str, Array] = {"part": part}
    # values of segments that are lines of their own
    if len(first) == len(body.segments):
        columns |= _split(body.cell_properties)
    else:
        _lose(lost, body.name, body.cell_properties, "segments")
    _lose(lost, body.name, body.properties, "vertices")
    return Layer(body.name, geometry, columns)


def _surface_layer(body: Surface, lost: list[str]) -> Layer:
    import shapely

    corners = np.asarray(body.vertices, dtype=float)[body.triangles]
    triangles = shapely.polygons(np.concatenate([corners, corners[:, :1]], axis=1))
    _lose(lost, body.name, body.properties, "vertices")
    _lose(lost, body.name, body.cell_properties, "triangles")
    low, high = body.bounds[2], body.bounds[5]
    columns = {"name": [body.name], "triangles": [len(corners)], "z_min": [low], "z_max": [high]}
    said = "One 3D multipolygon, a polygon for each triangle."
    return Layer(body.name, [shapely.multipolygons(triangles)], columns, said)


def _lose(lost: list[str], name: str, values: Mapping[str, Any], where: str) -> None:
    if values:
        lost.append(f"{name!r}: values of its {where} are not in the GeoPackage ({', '.join(values)}).")


def _well_layers(wells: Sequence[Well], lost: list[str]) -> list[Layer]:
    import shapely

    paths = [well for well in wells if len(well.path) > 1]
    if len(paths) < len(wells):
        lost.append(
            f"{len(wells) - len(paths)} wells have no path; only their collars are in the GeoPackage."
        )
    layers = [
        Layer(
            "wells", [shapely.linestrings(well.path) for well in paths],
            {"hole": [w.name for w in paths], "length": [float(w.depth[-1] - w.depth[0]) for w in paths]},
        ),
        points_layer("collars", [well.collar for well in wells], {"hole": [well.name for well in wells]}),
    ]  # fmt: skip
    marks = [(well, name, depth) for well in wells for name, depth in well.markers]
    if marks:
        places = np.concatenate([well.position([depth]) for well, _, depth in marks])
        known = np.isfinite(places).all(axis=1)
        columns = {
            "hole": [w.name for w, _, _ in marks], "marker": [n for _, n, _ in marks],
            "depth": [d for _, _, d in marks],
        }  # fmt: skip
        kept = {name: np.asarray(values)[known] for name, values in columns.items()}
        layers.append(points_layer("markers", places[known], kept))
    for table in dict.fromkeys(name for well in wells for name in well.intervals):
        layers.append(_interval_layer(wells, table, lost))
    curves = sorted({name for well in wells for name in well.curves})
    if curves:
        lost.append(f"the curves of wells are not in the GeoPackage ({', '.join(curves)}).")
    return [layer for layer in layers if len(layer.geometry)]


def _interval_layer(wells: Sequence[Well], table: str, lost: list[str]) -> Layer:
    """Intervals of all wells as straight 3D lines."""
    import pandas as pd
    import shapely

    parts: list[FloatArray] = []
    frames = []
    for well in wells:
        found = well.intervals.get(table)
        if found is None:
            continue
        ends = well.position(np.column_stack([found.start, found.stop]).ravel()).reshape(-1, 2, 3)
        known = np.isfinite(ends.reshape(-1, 6)).all(axis=1)
        if not known.all():
            lost.append(f"{int((~known).sum())} intervals of {well.name!r} lie beyond its path.")
        parts.append(ends[known])
        more = {name: np.asarray(values)[known] for name, values in found.values.items()}
        about = {"hole": well.name, "from": found.start[known], "to": found.stop[known]}
        frames.append(pd.DataFrame({**about, **more}))
    rows = pd.concat(frames, ignore_index=True)
    columns = {str(name): rows[name].to_numpy() for name in rows.columns}
    return Layer(table, shapely.linestrings(np.concatenate(parts)), columns)
