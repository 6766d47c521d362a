"""Grids of classic netCDF files, read."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import xarray as xr
from rasterio.transform import Affine

from mpm3d.errors import FormatError
from mpm3d.io import netcdf, raster
from mpm3d.io.options import Options

LOW = np.arange(12, dtype=np.float32).reshape(3, 4)  # the lowest row first
AXES = {"y": [7950.0, 7970, 7990], "x": [505.0, 515, 525, 535]}


def write(folder: Path, data: xr.Dataset, name: str = "dem.nc", **encoding: object) -> Path:
    path = folder / name
    data.to_netcdf(path, engine="scipy", format="NETCDF3_64BIT", encoding=encoding)
    return path


def test_a_grid_is_read_with_units_and_fill_values(tmp_path):
    values = LOW.copy()
    values[1, 2] = np.nan
    data = xr.Dataset({"au": (("y", "x"), values, {"units": "ppb"})}, AXES)
    path = write(tmp_path, data, au={"_FillValue": -9999.0})
    assert raster.matches(path, path.read_bytes())
    grid = raster.read_grid(path)
    assert (grid.name, grid.kind, list(grid.values), grid.units) == ("dem", "raster", ["au"], {"au": "ppb"})
    assert grid.x.tolist() == [505, 515, 525, 535]
    assert grid.y.tolist() == [7950, 7970, 7990]
    assert grid.bounds == (500, 7940, 540, 8000)
    assert grid.first_centre == (505, 7950)
    assert grid.layout.startswith("The axes are y, x, the last fastest. The values are of points")
    np.testing.assert_array_equal(grid.values["au"], values)
    assert grid.notes == ()
    assert float(raster.read_raster(path).sel(x=535, y=7990)) == 11


def test_axes_of_any_order_and_direction_ascend(tmp_path):
    data = xr.Dataset({"au": (("y", "x"), LOW)}, AXES)
    turned = data.sortby("y", ascending=False).sortby("x", ascending=False).transpose("x", "y")
    grid = raster.read_grid(write(tmp_path, turned))
    np.testing.assert_array_equal(grid.values["au"], LOW)
    assert grid.first_centre == (535, 7990)
    assert "The axes are x, y" in grid.layout
    named = turned.rename(x="a", y="b")
    named["a"].attrs["standard_name"] = "projection_x_coordinate"
    np.testing.assert_array_equal(raster.read_grid(write(tmp_path, named)).values["au"], LOW)


def test_a_file_that_gdal_writes_agrees_with_gdal(tmp_path):
    tif, path = tmp_path / "dem.tif", tmp_path / "dem.nc"
    options = {"driver": "GTiff", "height": 3, "width": 4, "count": 1, "dtype": "float32", "nodata": 5}
    with rasterio.open(
        tif, "w", transform=Affine(10, 0, 500, 0, -20, 8000), crs="EPSG:32651", **options
    ) as file:
        file.write(LOW[::-1], 1)
    rasterio.shutil.copy(tif, path, driver="netCDF")
    grid = raster.read_grid(path)
    expected = raster.read_grid(tif)
    assert grid.bounds == expected.bounds == (500, 7940, 540, 8000)
    np.testing.assert_array_equal(next(iter(grid.values.values())), expected.values["dem"])
    assert raster.read_raster(path).rio.crs.to_epsg() == 32651


def test_scale_and_offset_are_applied(tmp_path):
    data = xr.Dataset({"au": (("y", "x"), LOW * 0.1 + 1000)}, AXES)
    encoding = {"dtype": "int16", "scale_factor": 0.1, "add_offset": 1000.0, "_FillValue": -1}
    grid = raster.read_grid(write(tmp_path, data, au=encoding))
    np.testing.assert_allclose(grid.values["au"], LOW * 0.1 + 1000)


def test_every_variable_is_a_grid(tmp_path):
    data = xr.Dataset({"au": (("y", "x"), LOW), "cu": (("t", "y", "x"), LOW[None] + 100), "n": ((), 3)}, AXES)
    path = write(tmp_path, data)
    found = raster.read_bodies(path, Options())
    assert [grid.name for grid in found] == ["dem_au", "dem_cu"]
    assert found[1].values["cu"][2, 3] == 111
    with pytest.raises(
        FormatError, match=r"dem.nc: the file holds 2 grids: 'dem_au', 'dem_cu'. Read them all"
    ):
        raster.read_grid(path)


def test_degrees_and_codes_are_said_and_gzipped_files_read(tmp_path):
    data = xr.Dataset({"z": (("lat", "lon"), LOW - 9999)}, {"lat": [1.0, 2, 3], "lon": [4.0, 5, 6, 7]})
    data["lat"].attrs["units"] = "degrees_north"
    path = write(tmp_path, data)
    zipped = tmp_path / "dem.grd.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    (grid,) = netcdf.read_grids(zipped)
    assert grid.name == "dem"
    assert "coordinates are degrees, not metres" in grid.notes[0]


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"x": AXES["x"]}, "the axis y has no coordinates. Export the grid with them, or as GeoTIFF"),
        ({**AXES, "y": [0.0, 1, 5]}, "the axis y has steps of 1 to 4, equal ones are needed"),
        ({**AXES, "y": [0.0, 0, 0]}, "the axis y has steps of 0 to 0"),
        ({**AXES, "x": [0.0, 1, np.nan, 3]}, "the axis x must have finite coordinates below 1e"),
        ({**AXES, "x": [0.0, 1e30, 2e30, 3e30]}, "the axis x must have finite coordinates"),
    ],
)
def test_grids_without_coordinates_in_equal_steps_are_refused(tmp_path, axes, message):
    path = write(tmp_path, xr.Dataset({"au": (("y", "x"), LOW)}, axes))
    with pytest.raises(FormatError, match=rf"dem.nc: {message}"):
        raster.read_grid(path)


def test_files_without_grids_or_damaged_are_refused(tmp_path):
    path = write(tmp_path, xr.Dataset({"au": ("x", LOW[0])}, {"x": AXES["x"]}))
    with pytest.raises(FormatError, match=r"there is no variable of two axes. There are: au, x"):
        raster.read_grid(path)
    content = write(tmp_path, xr.Dataset({"au": (("y", "x"), LOW)}, AXES)).read_bytes()
    for damaged in (content[:40], content[:-30], content[:4] + b"\xff" * 60, b"CDF\x01"):
        path.write_bytes(damaged)
        with pytest.raises(
            FormatError, match=r"dem.nc: (the netCDF file cannot be read|there is no variable)"
        ):
            raster.read_grid(path)
