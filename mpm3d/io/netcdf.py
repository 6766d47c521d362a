"""Grids of classic netCDF files, read without GDAL, whose netCDF library crashes on damaged files."""

from __future__ import annotations

import io
import warnings
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.grid import FloatArray
from mpm3d.io.files import read_bytes, stem_of
from mpm3d.io.mapgrid import crs_notes, suspect_codes
from mpm3d.lattice import Raster

if TYPE_CHECKING:
    import xarray as xr

_X, _Y = ("x", "easting", "east", "lon", "longitude"), ("y", "northing", "north", "lat", "latitude")
# steps may differ by the rounding of coordinates of 32 bits
_SAME_STEP = 1e-3
_FAR = 1e9


def matches(head: bytes) -> bool:
    """Whether the first bytes are those of a classic netCDF file."""
    return head[:4] in (b"CDF\x01", b"CDF\x02")


def read_grids(path: str | Path) -> list[Raster]:
    """Read the variables of two axes, each with coordinates in equal steps.

    Parameters
    ----------
    path : str or Path
        A classic netCDF file, gzipped or not, such as GMT and xarray write.

    Returns
    -------
    list of Raster
        One for each variable, named like the file if there is only one, like file and variable otherwise;
        fill values are NaN, scale and offset applied. The coordinate system is the WKT of its grid mapping.

    Raises
    ------
    FormatError
        If the file is damaged, there is no such variable, or coordinates are missing or not in equal steps.
    """
    path = Path(path)
    data = _opened(path)
    names = [name for name, variable in data.data_vars.items() if variable.squeeze().ndim == 2]
    if not names:
        _fail(path, f"there is no variable of two axes. There are: {', '.join(map(str, data.variables))}.")
    return [_grid(path, data, name, len(names) == 1) for name in names]


def _fail(path: Path, reason: str) -> NoReturn:
    raise FormatError(path, reason)


def _opened(path: Path) -> xr.Dataset:
    import xarray as xr

    content = read_bytes(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return xr.open_dataset(io.BytesIO(content), engine="scipy", decode_times=False).load()
    except Exception as error:  # the readers below raise whatever a damaged header leads them to
        raise FormatError(path, f"the netCDF file cannot be read ({error}). Copy it again.") from error


def _grid(path: Path, data: xr.Dataset, name: Hashable, single: bool) -> Raster:
    variable = data[name].squeeze(drop=True)
    if variable.dtype.kind not in "iuf":
        _fail(path, f"{name} holds values of the type {variable.dtype}, real numbers are needed.")
    y_name, x_name = _axes(data, variable.dims)
    y, x = _steps(path, data, y_name), _steps(path, data, x_name)
    stored = variable.transpose(y_name, x_name).values
    values = stored.astype(np.result_type(stored.dtype, np.float32))
    values[~np.isfinite(values)] = np.nan
    values = values[:: -1 if y[0] > y[-1] else 1, :: -1 if x[0] > x[-1] else 1]
    label = str(name)
    crs, notes = _crs(data, variable, (x_name, y_name))
    fill = {"_FillValue", "missing_value"} & set(variable.encoding)
    notes += () if fill else suspect_codes(label, values)
    units = {label: str(variable.attrs["units"])} if "units" in variable.attrs else {}
    order = f"The axes are {', '.join(map(str, variable.dims))}, the last fastest."
    return Raster(
        stem_of(path) if single else f"{stem_of(path)}_{label}", np.sort(y), np.sort(x), {label: values},
        kind="raster", units=units, crs_name=crs, notes=notes, first_centre=(float(x[0]), float(y[0])),
        layout=f"{order} The values are of points; cells reach half a step around them, so bounds are half a "
        "cell wider.",
    )  # fmt: skip


def _axes(data: xr.Dataset, dims: tuple[Hashable, ...]) -> tuple[Hashable, Hashable]:
    """Names of the axes to the north and to the east; the second is that to the east if nothing is said."""
    first, second = dims
    said = str(data[first].attrs.get("standard_name", data[first].attrs.get("axis", first))).lower()
    east = said.startswith("projection_x") or said in _X
    return (second, first) if east else (first, second)


def _steps(path: Path, data: xr.Dataset, name: Hashable) -> FloatArray:
    if name not in data.coords or data[name].dtype.kind not in "iuf":
        _fail(path, f"the axis {name} has no coordinates. Export the grid with them, or as GeoTIFF.")
    line = data[name].values.astype(float)
    if not len(line) or not np.all(np.abs(line) < _FAR):
        _fail(path, f"the axis {name} must have finite coordinates below {_FAR:g}.")
    steps = np.diff(line)
    if len(steps) and (np.ptp(steps) > _SAME_STEP * np.abs(steps).max() or steps[0] == 0):
        _fail(
            path, f"the axis {name} has steps of {steps.min():g} to {steps.max():g}, equal ones are needed."
        )
    return np.asarray(line)


def _crs(
    data: xr.Dataset, variable: xr.DataArray, axes: tuple[Hashable, Hashable]
) -> tuple[str, tuple[str, ...]]:
    mapping = variable.attrs.get("grid_mapping", variable.encoding.get("grid_mapping"))
    words = data[mapping].attrs if mapping in data.variables else {}
    crs = str(words.get("crs_wkt", words.get("spatial_ref", "")))
    units = {str(data[axis].attrs.get("units", "")).lower() for axis in axes}
    if not crs and any(unit.startswith("degree") for unit in units):
        return "", ("coordinates are degrees, not metres: project the grid before it is used.",)
    return crs, crs_notes(crs)
