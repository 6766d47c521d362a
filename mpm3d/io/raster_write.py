"""GeoTIFFs of map grids and of the levels of a model."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mpm3d.geometry import Array
from mpm3d.grid import FloatArray
from mpm3d.io.files import replacing
from mpm3d.io.mapgrid import known_crs
from mpm3d.lattice import Frame, PropertyModel, Raster

if TYPE_CHECKING:
    import xarray as xr

# steps may differ by the rounding of coordinates of 32 bits
_SAME_STEP = 1e-5
_LARGEST = float(np.finfo(np.float32).max)


def write_geotiff(path: str | Path, raster: Raster | xr.DataArray, *, crs: str | None = None) -> None:
    """Write a map grid as a GeoTIFF, a band for each of its values.

    Parameters
    ----------
    path : str or Path
        File to write.
    raster : Raster or xarray.DataArray
        Values on equal cells, at any rotation; a DataArray has the dimensions ``y`` and ``x`` and is named
        like its values. Numbers keep their type; NaN stands for no data. Names and units are kept.
    crs : str, optional
        Coordinate system, anything that pyproj reads. By default the one of the raster, if pyproj knows it.

    Raises
    ------
    ValueError
        If cells are not of equal size, there are no values, or the coordinate system is not known.
    """
    grid = raster if isinstance(raster, Raster) else _from_array(raster)
    if not grid.values:
        raise ValueError(f"the raster {grid.name!r} has no values to write.")
    where = _transform(grid.y, grid.x, grid.spacing, grid.frame)
    _check_steps(grid.name, grid.y, grid.x)
    known = _crs(crs if crs is not None else grid.crs_name, needed=crs is not None)
    dtype = np.result_type(*(_stored_type(array) for array in grid.values.values()))
    with _geotiff(path, grid.shape, len(grid.values), dtype, where, known) as file:
        for band, (name, values) in enumerate(grid.values.items(), start=1):
            file.write(np.ascontiguousarray(values[::-1], dtype=dtype), band)
            file.set_band_description(band, name)
            file.set_band_unit(band, grid.units.get(name, ""))
        file.update_tags(AREA_OR_POINT="Area")


def write_levels(path: str | Path, model: PropertyModel, name: str, *, crs: str | None = None) -> list[Path]:
    """Write a model as GeoTIFFs, one for each level.

    The files are called ``<stem>_001_z-0125.tif`` after the number of the level, from the lowest, and the
    elevation of its centre in metres, so that they sort from the lowest to the highest.

    Parameters
    ----------
    path : str or Path
        A folder, which is made if it is missing, for files that are called after the values; or a name that
        ends in ``.tif`` and gives the stem.
    model : PropertyModel
        Cells of equal size along x and along y, levels of any thickness; lying along the axes or turned about
        the vertical. `Lazy` values are read level by level.
    name : str
        Which of the values.
    crs : str, optional
        Coordinate system, anything that pyproj reads. None is written by default: what the files of a model
        call it is seldom one.

    Returns
    -------
    list of Path
        From the lowest level to the highest. Values are 32-bit floats (7 digits), NaN is no data; the tags
        are ``elevation``, ``z_bottom``, ``z_top`` (metres) and ``units``.

    Raises
    ------
    ValueError
        If there are no such values, cells differ along x or y, levels dip, the coordinate system is not
        known, or a value does not fit in 32 bits: beyond 3.4e38, or a code above 2**24.
    """
    if name not in model.values:
        raise ValueError(f"{model.name!r} has no values {name!r}. There are: {', '.join(model.values)}.")
    known = _crs(crs or "", needed=crs is not None)
    z, y, x = model.edges
    heights = _heights(model)
    rows, columns = (y[:-1] + y[1:]) / 2, (x[:-1] + x[1:]) / 2
    _check_widths(model)
    dy, dx = float(y[-1] - y[0]) / len(rows), float(x[-1] - x[0]) / len(columns)
    paths = _level_paths(Path(path), name, (heights[:-1] + heights[1:]) / 2)
    if model.values[name].dtype != np.float32:
        for level in range(len(paths)):  # before anything is written
            _as_float32(np.asarray(model.values[name][level]), f"{name!r} of {model.name!r}")
    for k, target in enumerate(paths):
        values = np.asarray(model.values[name][k])
        where = _transform(rows, columns, (dy, dx), model.frame, float(z[k] + z[k + 1]) / 2)
        stored = _as_float32(values, f"{name!r} of {model.name!r}")
        tags = {
            "AREA_OR_POINT": "Area", "elevation": repr(float(heights[k] + heights[k + 1]) / 2),
            "z_bottom": repr(float(heights[k])), "z_top": repr(float(heights[k + 1])),
            "units": model.units.get(name, ""),
        }  # fmt: skip
        target.parent.mkdir(parents=True, exist_ok=True)
        with _geotiff(target, values.shape, 1, stored.dtype, where, known) as file:
            file.write(stored[::-1], 1)
            file.set_band_description(1, name)
            file.set_band_unit(1, model.units.get(name, ""))
            file.update_tags(**tags)
    return paths


@contextmanager
def _geotiff(
    path: str | Path, shape: tuple[int, ...], bands: int, dtype: np.dtype[Any], transform: Any, crs: Any
) -> Iterator[Any]:
    """An empty GeoTIFF that takes its place when it is complete."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    options = {
        "driver": "GTiff", "height": shape[0], "width": shape[1], "count": bands, "dtype": dtype.name,
        "transform": transform, "crs": crs, "compress": "deflate", "BIGTIFF": "IF_SAFER",
    }  # fmt: skip
    if dtype.kind == "f":
        options |= {"nodata": float("nan"), "predictor": 3}
    with replacing(path) as part, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        # rasterio multiplies transforms in a way that affine 3 wants to give up
        warnings.filterwarnings("ignore", "Use `@` matmul", PendingDeprecationWarning)
        with rasterio.open(part, "w", **options) as file:
            yield file


def _from_array(data: xr.DataArray) -> Raster:
    import rioxarray  # noqa: F401

    if sorted(map(str, data.dims)) != ["x", "y"]:
        raise ValueError(f"the array has the dimensions {data.dims}, 'y' and 'x' are needed.")
    flat = data.transpose("y", "x").sortby(["y", "x"])
    name = str(data.name or "values")
    crs = flat.rio.crs
    units = {name: str(data.attrs["units"])} if "units" in data.attrs else {}
    return Raster(
        name, flat["y"].values, flat["x"].values, {name: flat.values}, units=units,
        crs_name=crs.to_wkt() if crs else "",
    )  # fmt: skip


def _stored_type(values: Array) -> np.dtype[Any]:
    dtype = np.dtype(values.dtype)
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind not in "iuf":
        raise ValueError(f"values of the type {dtype.name} cannot be written, real numbers are needed.")
    return np.dtype(np.float32) if dtype == np.float16 else dtype.newbyteorder("=")


def _as_float32(values: Array, what: str) -> FloatArray:
    whole = values.dtype.kind in "iu"
    with np.errstate(invalid="ignore"):
        large = np.abs(values.astype(np.float64)) > (2**24 if whole else _LARGEST)
    if large.any():
        worst = values[large].flat[0]
        limit = "codes up to 16777216" if whole else f"numbers up to {_LARGEST:g}"
        raise ValueError(f"{what} holds {worst}; a GeoTIFF of 32-bit floats keeps {limit}.")
    return np.asarray(values, dtype=np.float32)


def _crs(name: str, *, needed: bool) -> Any:
    """The coordinate system for rasterio; one that was asked for must be known."""
    from rasterio.crs import CRS

    found = known_crs(name) if name else None
    if found is None and needed:
        raise ValueError(
            f"the coordinate system {name!r} is not known to pyproj, use for example 'EPSG:32651'."
        )
    return None if found is None else CRS.from_wkt(found.to_wkt())


def _transform(
    y: FloatArray, x: FloatArray, spacing: tuple[float, float], frame: Frame | None, z: float = 0.0
) -> Any:
    """Affine from column and row, row 0 the northernmost, to x and y."""
    from rasterio.transform import Affine

    dy, dx = spacing
    placed = Frame(np.zeros(3), np.eye(3)) if frame is None else frame
    corner = placed.to_world([[x[0] - dx / 2, y[-1] + dy / 2, z]])[0]
    along_x, along_y = placed.axes[0] * dx, -placed.axes[1] * dy
    return Affine(
        float(along_x[0]), float(along_y[0]), float(corner[0]),
        float(along_x[1]), float(along_y[1]), float(corner[1]),
    )  # fmt: skip


def _check_steps(name: str, y: FloatArray, x: FloatArray) -> None:
    for axis, line in (("y", y), ("x", x)):
        steps = np.diff(line)
        if len(steps) and (steps.min() <= 0 or np.ptp(steps) > _SAME_STEP * steps.max()):
            raise ValueError(
                f"the raster {name!r} has steps of {steps.min():g} to {steps.max():g} m along {axis}, a "
                "GeoTIFF has equal ones. Resample it first."
            )


def _check_widths(model: PropertyModel) -> None:
    for axis, edges in zip("yx", model.edges[1:], strict=True):
        widths = np.diff(edges)
        if np.ptp(widths) > _SAME_STEP * widths.max():
            raise ValueError(
                f"the cells of {model.name!r} are {widths.min():g} to {widths.max():g} m wide along {axis}, "
                "a GeoTIFF has equal ones. Resample the model onto a grid: evidence.resample(model, grid)."
            )


def _heights(model: PropertyModel) -> FloatArray:
    """Elevation of the edges of the levels, in metres."""
    z = np.asarray(model.edges[0], dtype=float)
    if model.frame is None:
        return z
    axes = model.frame.axes
    if np.abs(axes[:2, 2]).max() > 1e-9 or axes[2, 2] <= 0:
        raise ValueError(
            f"the levels of {model.name!r} dip (axes {np.round(axes, 6).tolist()}), horizontal ones are "
            "needed. Resample the model onto a grid first: evidence.resample(model, grid)."
        )
    return np.asarray(model.frame.origin[2] + z * axes[2, 2])


def _level_paths(path: Path, name: str, centres: FloatArray) -> list[Path]:
    """Names of the files, legal on every system, that sort from the lowest level to the highest."""
    folder, stem = (path.parent, path.stem) if path.suffix.lower() in (".tif", ".tiff") else (path, name)
    stem = re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", stem).strip(" .") or "level"
    exact = [np.format_float_positional(abs(z), trim="-", precision=3) for z in centres]
    digits = max(4, *(len(text.split(".")[0]) for text in exact))
    decimals = max(len(text.partition(".")[2]) for text in exact)
    width = digits + (decimals + 1 if decimals else 0)
    count = max(3, len(str(len(centres))))
    return [
        folder / f"{stem}_{k:0{count}d}_z{'-' if z < 0 else '+'}{abs(z):0{width}.{decimals}f}.tif"
        for k, z in enumerate(centres, start=1)
    ]
