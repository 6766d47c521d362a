"""Rasters and tables, read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

from mpm3d.errors import FormatError
from mpm3d.io import raster, table

VALUES = np.arange(12, dtype=np.float32).reshape(3, 4)  # row 0 is the north


def geotiff(path: Path, values: np.ndarray = VALUES, transform: Affine | None = None, **more: object) -> Path:
    bands = values if values.ndim == 3 else values[None]
    options = {
        "driver": "GTiff", "count": len(bands), "height": bands.shape[1], "width": bands.shape[2],
        "dtype": bands.dtype, "crs": "EPSG:32651", "transform": transform or Affine(10, 0, 500, 0, -20, 8000),
    }  # fmt: skip
    with rasterio.open(path, "w", **{**options, **more}) as file:
        file.write(bands)
    return path


def test_rows_and_columns_ascend_and_the_marker_stays(tmp_path):
    grid = raster.read_raster(geotiff(tmp_path / "dem.tif"))
    assert grid.dims == ("y", "x")
    assert grid.name == "dem"
    assert grid.x.values.tolist() == [505, 515, 525, 535]
    assert grid.y.values.tolist() == [7950, 7970, 7990]
    assert float(grid.sel(x=535, y=7990)) == 3
    assert float(grid[0, 0]) == 8
    assert grid.rio.crs.to_epsg() == 32651


def test_a_raster_stored_from_the_south_is_the_same(tmp_path):
    north = raster.read_raster(geotiff(tmp_path / "north.tif"))
    south = raster.read_raster(geotiff(tmp_path / "south.tif", VALUES[::-1], Affine(10, 0, 500, 0, 20, 7940)))
    np.testing.assert_array_equal(north.values, south.values)
    assert north.y.values.tolist() == south.y.values.tolist()


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64, np.uint8])
def test_no_data_is_missing_in_every_type(tmp_path, dtype):
    grid = raster.read_raster(geotiff(tmp_path / "dem.tif", VALUES.astype(dtype), nodata=5))
    assert grid.dtype.kind == "f"
    assert int(np.isnan(grid).sum()) == 1
    assert np.isnan(float(grid.sel(x=515, y=7970)))


def test_a_band_can_be_chosen(tmp_path):
    path = geotiff(tmp_path / "two.tif", np.stack([VALUES, VALUES + 100]))
    assert float(raster.read_raster(path, band=2)[0, 0]) == 108
    with pytest.raises(FormatError, match=r"two.tif: band 3 is asked for, the raster has 1 to 2"):
        raster.read_raster(path, band=3)


def test_grids_without_place_or_rotated_are_refused(tmp_path):
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        path = geotiff(tmp_path / "nowhere.tif", transform=Affine.identity())
    with pytest.raises(FormatError, match=r"the grid has no coordinates. Give it a georeference first"):
        raster.read_raster(path)
    path = geotiff(tmp_path / "turned.tif", transform=Affine(10, 3, 500, 3, -20, 8000))
    with pytest.raises(FormatError, match="the grid is rotated, rows along y and x are needed"):
        raster.read_raster(path)


def test_what_gdal_does_not_read_is_a_format_error(tmp_path):
    path = tmp_path / "dem.tif"
    path.write_bytes(b"not a raster")
    with pytest.raises(FormatError, match=r"dem.tif: GDAL does not read this raster"):
        raster.read_raster(path)
    whole = geotiff(tmp_path / "whole.tif").read_bytes()
    path.write_bytes(whole[:60])
    with pytest.raises(FormatError, match="GDAL does not read this raster"):
        raster.read_raster(path)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        raster.read_raster(tmp_path / "gone.tif")


@pytest.mark.corpus
def test_corpus_surfer_and_er_mapper_twins_agree(corpus_dir):
    surfer = raster.read_raster(corpus_dir / "grid/surfer_dsrb/elevation_surfer.GRD")
    mapper = raster.read_raster(corpus_dir / "grid/ermapper/elevation.ers")
    assert surfer.shape == mapper.shape
    np.testing.assert_allclose(surfer.x, mapper.x)
    np.testing.assert_allclose(surfer.y, mapper.y)
    np.testing.assert_allclose(surfer.values, mapper.values, rtol=1e-6)
    assert np.isnan(surfer.values).any()


def write(folder: Path, text: str | bytes, name: str = "holes.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_points_come_with_their_numbers(tmp_path):
    path = write(tmp_path, "hole,X,y,Z,au\nDH1,1,2,3,0.5\nDH2,4,5,6,\n")
    points = table.read_points(path)
    assert points.name == "holes"
    assert points.vertices.tolist() == [[1, 2, 3], [4, 5, 6]]
    np.testing.assert_array_equal(points.properties["au"], [0.5, np.nan])
    assert points.notes == ("columns of text were not read: hole.",)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffx;y;z\n1;2;3\n",
        "x\ty\tz\r\n1\t2\t3\r\n",
        " z , x , y \n 3 , 1 , 2 \n\n",
        "rank,x,y,elevation\n1,1,2,3\n",
    ],
)
def test_the_ways_tables_are_written_make_no_difference(tmp_path, text):
    assert table.read_points(write(tmp_path, text)).vertices.tolist() == [[1, 2, 3]]


def test_segments_join_their_ends(tmp_path):
    head = "x_from,y_from,z_from,x_to,y_to,z_to,au"
    lines = table.read_segments(write(tmp_path, f"{head}\n0,1,2,3,4,5,0.1\n6,7,8,9,10,11,0.2\n"))
    assert lines.segments.tolist() == [[0, 1], [2, 3]]
    assert lines.vertices[lines.segments[1]].tolist() == [[6, 7, 8], [9, 10, 11]]
    assert lines.part.tolist() == [0, 1]
    assert lines.properties["au"].tolist() == [0.1, 0.1, 0.2, 0.2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "x,y,au\n1,2,3\n",
            r"holes.csv, line 1: the columns 'z' are missing, x, y, z are needed. There are: x, y, au",
        ),
        ("x,y,z\n1,2,3\n1,two,3\n", "holes.csv, line 3: y is 'two', a finite number is needed"),
        ("x,y,z\n1,,3\n", "line 2: y is 'nan', a finite number is needed"),
        ("x,y,z\n1,2,inf\n", "z is 'inf', a finite number is needed"),
        ("x,X,y,z\n1,2,3,4\n", "the column 'x' appears more than once"),
        ("", "this is not a table with a header"),
        ("x,y,z\n1,2,3\n1,2,3,4\n", "this is not a table with a header"),
        ("x,y,z\n1,2,3,4\n", "this is not a table with a header"),
        (b"\x00\x01\x02", "are missing"),
    ],
)
def test_damaged_tables_are_refused_with_the_reason(tmp_path, text, message):
    with pytest.raises(FormatError, match=message):
        table.read_points(write(tmp_path, text))


def test_segments_name_the_columns_they_need(tmp_path):
    with pytest.raises(FormatError, match="the columns 'x_to', 'z_to' are missing"):
        table.read_segments(write(tmp_path, "x_from,y_from,z_from,y_to\n1,2,3,4\n"))


def test_a_table_without_rows_has_no_points(tmp_path):
    assert table.read_points(write(tmp_path, "x,y,z\n")).vertices.shape == (0, 3)
