"""A district seen from above as the files of a map study."""

from __future__ import annotations

import csv
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from mpm3d.geometry import Array
from mpm3d.grid import FloatArray
from mpm3d.io import geopackage
from mpm3d.synthetic.maps.district import CRS, STUDY, MapDistrict

N_ASSAYS = 500
# file, field, coordinate system, pixel, nodata, digits, hole
_RASTERS = (
    ("magnetics", CRS, 250.0, -99_999.0, 1, "magnetics"),
    ("gravity", "EPSG:32753", 1_000.0, None, 2, ""),
    ("potassium", "EPSG:4326", 0.003, -9_999.0, 3, "radiometrics"),
    ("thorium", "EPSG:4326", 0.003, -9_999.0, 2, "radiometrics"),
    ("uranium", "EPSG:4326", 0.003, -9_999.0, 2, "radiometrics"),
    ("noise", CRS, 600.0, None, 2, ""),
)
_UNITS = {
    "magnetics": "nT",
    "gravity": "mGal",
    "potassium": "%",
    "thorium": "ppm",
    "uranium": "ppm",
    "noise": "1",
}
_NOISE = {"magnetics": 8.0, "gravity": 0.3, "potassium": 0.05, "thorium": 0.25, "uranium": 0.2, "noise": 0.0}
# element, unit of the column, median, shares of alteration, nearness to granite and chance in its logarithm,
# lower and upper limit of detection in that unit
_ELEMENTS = (
    ("Cu", "ppm", 22.0, (0.45, 0.0, 0.45), (5.0, None)),
    ("As", "ppm", 4.0, (0.30, 0.0, 0.70), (2.0, 20.0)),
    ("Sn", "ppb", 2_200.0, (0.0, 0.8, 0.40), (1_000.0, None)),
    ("Zn", "ppm", 65.0, (0.0, 0.0, 0.50), (25.0, None)),
)


def write(district: MapDistrict, folder: Path, *, name: str, note: str) -> None:
    """Write a district: rasters, shapes, assays, deposits, ``study.toml`` and ``truth/``.

    Parameters
    ----------
    district : MapDistrict
        What is written.
    folder : Path
        Where; made if missing. Files of the same names are replaced.
    name, note : str
        Name of the study, and the sentence that goes with its results.
    """
    rng = np.random.default_rng([district.seed, 1])
    for part in ("rasters", "vectors", "truth"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for file, crs, size, nodata, digits, hole in _RASTERS:
        values, transform = _surveyed(district, file, crs, size, rng)
        xy = _centres(values.shape, transform, crs)
        if hole:
            x, y, radius = district.holes[hole]
            values[np.hypot(xy[:, 0] - x, xy[:, 1] - y).reshape(values.shape) < radius] = np.nan
        place = folder / "rasters" / f"{file}.tif"
        _geotiff(place, np.round(values, digits), transform, crs, nodata, _UNITS[file])
    _shapes(district, folder / "vectors")
    _deposits(district, folder)
    _assays(district, folder / "assays.csv", rng)
    truth = district.at("rule", STUDY.points()[:, :2]).reshape(STUDY.shape[1:])[::-1]
    _geotiff(folder / "truth" / "rule.tif", np.round(truth, 4), _affine(STUDY.bounds, 500.0), CRS, None, "1")
    (folder / "study.toml").write_text(study_text(district, name, note), encoding="utf-8")


def _affine(bounds: Any, size: float) -> Any:
    from rasterio.transform import from_origin

    return from_origin(bounds[0], bounds[4], size, size)


def _surveyed(
    district: MapDistrict, name: str, crs: str, size: float, rng: np.random.Generator
) -> tuple[FloatArray, Any]:
    """Pixels ``(row, column)`` from the north that cover the study and a margin, and where they lie."""
    from rasterio.transform import from_origin
    from rasterio.warp import transform_bounds

    margin = 3_000.0
    xmin, ymin, _, xmax, ymax, _ = STUDY.bounds
    box = transform_bounds(CRS, crs, xmin - margin, ymin - margin, xmax + margin, ymax + margin)
    west, south = (np.floor(v / size) * size for v in box[:2])
    columns, rows = (int(np.ceil((high - low) / size)) for low, high in ((west, box[2]), (south, box[3])))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Use `@` matmul", PendingDeprecationWarning)
        transform = from_origin(west, south + rows * size, size, size)
    values = district.at(name, _centres((rows, columns), transform, crs)).reshape(rows, columns)
    return values + _NOISE[name] * rng.standard_normal(values.shape), transform


def _centres(shape: tuple[int, ...], transform: Any, crs: str) -> FloatArray:
    """Centres ``(n, 2)`` of pixels in the coordinates of the study."""
    import pyproj

    row, column = np.indices(shape).reshape(2, -1) + 0.5
    x, y = transform.c + transform.a * column, transform.f + transform.e * row
    if crs != CRS:
        x, y = pyproj.Transformer.from_crs(crs, CRS, always_xy=True).transform(x, y)
    return np.column_stack([x, y])


def _geotiff(
    place: Path, values: FloatArray, transform: Any, crs: str, nodata: float | None, units: str
) -> None:
    """Write pixels from the north; NaN is ``nodata``."""
    import rasterio

    filled = np.where(np.isnan(values), np.nan if nodata is None else nodata, values).astype(np.float32)
    profile = {
        "driver": "GTiff", "height": values.shape[0], "width": values.shape[1], "count": 1, "crs": crs,
        "dtype": "float32", "nodata": nodata, "transform": transform, "compress": "deflate", "predictor": 3,
        "zlevel": 9,
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Use `@` matmul", PendingDeprecationWarning)
        with rasterio.open(place, "w", **profile) as file:
            file.write(filled, 1)
            file.set_band_description(1, place.stem)
            file.set_band_unit(1, units)


def _shapes(district: MapDistrict, folder: Path) -> None:
    units = [(name, one) for name, parts in district.geology.polygons.items() for one in parts]
    faults = [(name, one) for name, lines in district.geology.faults.items() for one in lines]
    for file, column, rows in (("geology", "UNIT", units), ("faults", "SET", faults)):
        names, shapes = zip(*rows, strict=True)
        layer = geopackage.Layer(file, list(shapes), {column: np.array(names)})
        geopackage.write_layers(folder / f"{file}.gpkg", [layer], CRS)


def _deposits(district: MapDistrict, folder: Path) -> None:
    """Known deposits as a GeoPackage, blind ones as a table of longitudes and latitudes."""
    import pyproj

    known = [one for one in district.deposits if not one.blind]
    layer = geopackage.points_layer(
        "deposits", [[one.x, one.y, 0.0] for one in known], {"name": np.array([one.name for one in known])}
    )
    geopackage.write_layers(folder / "vectors" / "deposits.gpkg", [layer], CRS)
    degrees = pyproj.Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
    rows = [(one.name, *degrees.transform(one.x, one.y)) for one in district.deposits if one.blind]
    lines = ["name,longitude,latitude", *(f"{name},{x:.6f},{y:.6f}" for name, x, y in rows)]
    (folder / "blind.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _assays(district: MapDistrict, place: Path, rng: np.random.Generator) -> None:
    """Soil samples at scattered places, as a laboratory reports them: censored, some missing."""
    xmin, ymin, _, xmax, ymax, _ = STUDY.bounds
    xy = np.round(rng.uniform((xmin, ymin), (xmax, ymax), (N_ASSAYS, 2)))
    near = np.exp(-district.geology.distance("granite", xy) / 2_500.0)
    altered = district.at("alteration", xy)
    columns: dict[str, list[str]] = {
        "sample": [f"S{k:04d}" for k in range(1, N_ASSAYS + 1)],
        "x": [f"{v:.0f}" for v in xy[:, 0]],
        "y": [f"{v:.0f}" for v in xy[:, 1]],
    }
    for element, unit, median, (of_alteration, of_granite, chance), limits in _ELEMENTS:
        said = of_alteration * altered + of_granite * near + chance * rng.standard_normal(N_ASSAYS)
        missing = rng.random(N_ASSAYS) < 0.03
        columns[f"{element}_{unit}"] = _reported(median * np.exp(said), limits, missing)
    with place.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def _reported(values: FloatArray, limits: tuple[float, float | None], missing: Array) -> list[str]:
    low, high = limits
    found = []
    for value, gone in zip(values, missing, strict=True):
        text = f"{value:.3g}" if value < 1000 else f"{value:.0f}"
        text = f"<{low:g}" if value < low else text
        text = f">{high:g}" if high is not None and value > high else text
        found.append("" if gone else text)
    return found


_LAYERS = (
    ("magnetics", "Magnetic field", "raster", {"file": "rasters/magnetics.tif"}, "nT"),
    ("magnetics_texture", "Standard deviation of the magnetic field, 5 x 5 cells", "raster",
     {"file": "rasters/magnetics.tif", "derive": "std", "window": 5}, "nT"),
    ("gravity", "Gravity", "raster", {"file": "rasters/gravity.tif"}, "mGal"),
    ("k_th", "Potassium over thorium", "bands",
     {"files": {"k": "rasters/potassium.tif", "th": "rasters/thorium.tif"}, "formula": "k / th"}, "%/ppm"),
    ("thorium", "Thorium", "raster", {"file": "rasters/thorium.tif"}, "ppm"),
    ("uranium", "Uranium", "raster", {"file": "rasters/uranium.tif"}, "ppm"),
    ("granite_distance", "Distance to granite", "vector",
     {"file": "vectors/geology.gpkg", "where": {"UNIT": "granite"}}, "m"),
    ("calc_silicate", "Share of calc-silicate rocks", "vector",
     {"file": "vectors/geology.gpkg", "where": {"UNIT": "calc_silicate"}, "measure": "inside"}, "1"),
    ("fault_ne_distance", "Distance to NE faults", "vector",
     {"file": "vectors/faults.gpkg", "where": {"SET": "NE"}}, "m"),
    ("fault_nw_distance", "Distance to NW faults", "vector",
     {"file": "vectors/faults.gpkg", "where": {"SET": "NW"}}, "m"),
    ("pathfinders", "First robust component of the assays, Cu and As against Sn and Zn", "assays",
     {"file": "assays.csv", "component": 1, "reach": 3000.0}, "1"),
    ("noise", "Noise, which means nothing", "raster", {"file": "rasters/noise.tif"}, "1"),
)  # fmt: skip

SETTINGS = """\
[samples]
stand_off = 1500.0             # m that unlabelled cells keep from known deposits
negatives_per_positive = 150   # unlabelled cells drawn for each deposit cell
pool = 7000                    # cells that they are drawn from
background = 4500              # cells that scores are ranked against, none of them trained on

[[models]]                     # the first scores the map
kind = "pu"
base = { kind = "forest", trees = 60, depth = 4 }
bags = 15

[[models]]
kind = "forest"
trees = 200
depth = 4

[[models]]
kind = "devnet"
members = 3
prune = 0.65

[[models]]
kind = "logistic"

[[models]]
kind = "weights"

[[models]]
kind = "dl1"
patch = 5
epochs = 10
early_stopping = true

[validate]
schemes = ["random", "block", "deposit"]
buffer = 2000.0                # m around a block in which nothing is trained on
deposit_buffer = 2000.0        # and around a deposit that is left out
in_sample = true               # what the final models make of deposits that they know, beside it

[predict]
models = "all"

[targets]
share = 0.02
"""
"""The tables of the study from ``[samples]`` on."""


def study_text(district: MapDistrict, name: str, note: str, *, settings: str = SETTINGS) -> str:
    """The ``study.toml`` of a district, paths relative to it.

    Parameters
    ----------
    district : MapDistrict
        What is described.
    name, note : str
        Name of the study, and the sentence that goes with its results.
    settings : str
        The tables from ``[samples]`` on.
    """
    xmin, ymin, _, xmax, ymax, _ = STUDY.bounds
    parts = [
        f'name = "{name}"\nnote = "{note}"\nseed = {district.seed}',
        f'[grid]                         # without z: a map\ncrs = "{CRS}"\nspacing = {STUDY.spacing[1]}\n'
        f"x = [{xmin}, {xmax}]\ny = [{ymin}, {ymax}]",
    ]
    for layer, words, kind, more, units in _LAYERS:
        lines = [f'name = "{layer}"', f'long_name = "{words}"', f'kind = "{kind}"']
        lines += [f"{key} = {_toml(value)}" for key, value in more.items()]
        parts.append("[[layers]]\n" + "\n".join([*lines, f'units = "{units}"']))
    parts.append(
        '[[deposits]]\nname = "known"\npoints = "vectors/deposits.gpkg"\neach = true\nname_column = "name"'
    )
    parts.append(
        '[[deposits]]\nname = "hidden"\npoints = "blind.csv"\neach = true\nname_column = "name"\n'
        'crs = "EPSG:4326"\nblind = true'
    )
    return "\n\n".join([*parts, settings])


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    return json.dumps(value)
