"""Rasters through GDAL, read and written."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import xarray as xr
from rasterio.transform import Affine

from mpm3d.errors import FormatError
from mpm3d.io import raster
from mpm3d.io.options import Options
from mpm3d.lattice import Frame, Lazy, PropertyModel, Raster

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

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


def surfer(path: Path, kind: str, values: np.ndarray = VALUES) -> Path:
    """A Surfer grid by Golden Software's description: nodes from (505, 7950), 10 and 20 m apart."""
    low, south = values[::-1], (505.0, 535.0, 7950.0, 7990.0, 0.0, 11.0)
    if kind == "DSAA":
        rows = "\n".join(" ".join(map(str, row)) for row in low)
        path.write_text("DSAA\n4 3\n505 535\n7950 7990\n0 11\n" + rows + "\n")
    elif kind == "DSBB":
        path.write_bytes(b"DSBB" + struct.pack("<2h6d", 4, 3, *south) + low.astype("<f4").tobytes())
    else:
        grid = struct.pack("<2i8d", 3, 4, 505, 7950, 10, 20, 0, 11, 0, 1.70141e38)
        data = low.astype("<f8").tobytes()
        path.write_bytes(
            b"DSRB" + struct.pack("<2i", 4, 2) + b"GRID" + struct.pack("<i", len(grid)) + grid
            + b"DATA" + struct.pack("<i", len(data)) + data
        )  # fmt: skip
    return path


def ermapper(folder: Path, values: np.ndarray = VALUES, **more: object) -> Path:
    """An ER Mapper pair whose registered coordinates belong to the upper left corner of cell (1, 2)."""
    words = {
        "CellType": "IEEE4ByteReal", "NullCellValue": "-999999", "NrOfLines": 3, "NrOfCellsPerLine": 4,
        "NrOfBands": 1, "DataSetType": "ERStorage", "DataFile": None, "HeaderOffset": None, **more,
    }  # fmt: skip

    def line(key: str) -> str:
        return "" if words[key] is None else f"\t{key}\t= {words[key]}\n"

    path = folder / "dem.ers"
    path.write_text(
        'DatasetHeader Begin\n\tVersion = "7.0"\n'
        f"{line('DataSetType')}{line('DataFile')}{line('HeaderOffset')}"
        '\tDataType = Raster\n\tByteOrder = LSBFirst\n\tCoordinateSpace Begin\n\t\tDatum = "GDA94"\n'
        '\t\tProjection = "SUTM54"\n\t\tCoordinateType = EN\n\tCoordinateSpace End\n\tRasterInfo Begin\n'
        f"{line('CellType')}{line('NullCellValue')}\t\tCellInfo Begin\n\t\t\tXdimension = 10\n"
        "\t\t\tYdimension = 20\n\t\tCellInfo End\n"
        f"{line('NrOfLines')}{line('NrOfCellsPerLine')}"
        "\t\tRegistrationCoord Begin\n\t\t\tEastings = 510\n\t\t\tNorthings = 7960\n"
        "\t\tRegistrationCoord End\n\t\tRegistrationCellX = 1\n\t\tRegistrationCellY = 2\n"
        f"{line('NrOfBands')}\tRasterInfo End\nDatasetHeader End\n"
    )
    (folder / "dem").write_bytes(values.astype("<f4").tobytes())
    return path


def test_a_geotiff_is_a_raster_with_all_that_it_says(tmp_path):
    path = geotiff(tmp_path / "two.tif", np.stack([VALUES, VALUES + 100]), nodata=5)
    with rasterio.open(path, "r+") as file:
        file.set_band_description(2, "au")
        file.set_band_unit(2, "ppb")
    grid = raster.read_grid(path)
    assert (grid.name, grid.kind, list(grid.values)) == ("two", "raster", ["band_1", "au"])
    assert grid.units == {"au": "ppb"}
    assert grid.crs_name == "EPSG:32651"
    assert grid.x.tolist() == [505, 515, 525, 535]
    assert grid.y.tolist() == [7950, 7970, 7990]
    assert grid.bounds == (500, 7940, 540, 8000)
    assert grid.first_centre == (505, 7990)
    assert (
        grid.layout
        == "From the north-western cell along the rows, one row after the other. The values are of cells."
    )
    assert grid.values["au"][2, 3] == 103
    assert grid.values["band_1"][2, 3] == 3
    assert np.argwhere(np.isnan(grid.values["band_1"])).tolist() == [[1, 1]]
    assert grid.notes == ()


def test_a_single_band_is_named_like_the_file_and_points_are_said(tmp_path):
    path = geotiff(tmp_path / "dem.tif", nodata=-1)
    with rasterio.open(path, "r+") as file:
        file.update_tags(AREA_OR_POINT="Point")
    grid = raster.read_grid(path)
    assert list(grid.values) == ["dem"]
    assert "The values are of points; cells reach half a step around them." in grid.layout
    assert grid.x[0] == 505


@pytest.mark.parametrize("south_up", [False, True])
@pytest.mark.parametrize("mirrored", [False, True])
def test_rows_and_columns_of_any_direction_ascend(tmp_path, south_up, mirrored):
    transform = Affine(
        -10 if mirrored else 10, 0, 540 if mirrored else 500, 0, *((20, 7940) if south_up else (-20, 8000))
    )
    stored = VALUES[:: -1 if south_up else 1, :: -1 if mirrored else 1]
    grid = raster.read_grid(geotiff(tmp_path / "dem.tif", stored, transform))
    assert grid.frame is None
    assert grid.x.tolist() == [505, 515, 525, 535]
    assert grid.y.tolist() == [7950, 7970, 7990]
    np.testing.assert_array_equal(grid.values["dem"], VALUES[::-1])
    assert grid.first_centre == (535 if mirrored else 505, 7950 if south_up else 7990)
    assert ("south-western" in grid.layout) == south_up


@pytest.mark.parametrize("degrees", [30, -75, 90, 180.0 + 30])
@pytest.mark.parametrize("south_up", [False, True])
def test_rotated_images_keep_their_directions(tmp_path, degrees, south_up):
    turn = (
        Affine.translation(1000, 5000) @ Affine.rotation(degrees) @ Affine.scale(10, 20 if south_up else -20)
    )
    grid = raster.read_grid(geotiff(tmp_path / "turned.tif", VALUES, turn))
    assert grid.frame is not None
    x, y = np.meshgrid(grid.x, grid.y)
    world = grid.frame.to_world(np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=1))[:, :2]
    values = grid.values["turned"].ravel()
    for row in range(3):
        for column in range(4):
            expected = turn @ (column + 0.5, row + 0.5)
            np.testing.assert_allclose(world[values == VALUES[row, column]][0], expected, atol=1e-9)
    assert grid.first_centre == pytest.approx(turn @ (0.5, 0.5))
    assert np.linalg.det(grid.frame.axes) == pytest.approx(1)
    assert grid.spacing == (20, 10)
    corners = [turn @ corner for corner in ((0, 0), (4, 0), (0, 3), (4, 3))]
    np.testing.assert_allclose(grid.bounds, (*np.min(corners, axis=0), *np.max(corners, axis=0)))


def test_skewed_images_keep_their_directions_and_rounding_is_none(tmp_path):
    grid = raster.read_grid(geotiff(tmp_path / "skew.tif", transform=Affine(10, 3, 500, 0, -20, 8000)))
    assert grid.frame is not None
    np.testing.assert_allclose(grid.frame.to_world([[10.0 * 3, 0, 0]])[0], [500 + 35 + 3 * 2.5, 7950, 0])
    tiny = geotiff(tmp_path / "dem.tif", transform=Affine(10, 1e-9, 500, -1e-9, -20, 8000))
    assert raster.read_grid(tiny).frame is None


@pytest.mark.parametrize("kind", ["DSAA", "DSBB", "DSRB"])
def test_surfer_nodes_are_points_and_its_blanks_are_missing(tmp_path, kind):
    values = VALUES.astype(np.float64)
    values[1, 2] = 1.70141e38
    values[2, 0] = 3e38
    path = surfer(tmp_path / "dem.grd", kind, values)
    assert raster.matches(path, path.read_bytes())
    grid = raster.read_grid(path)
    assert grid.kind == "Surfer grid"
    assert grid.x.tolist() == [505, 515, 525, 535]
    assert grid.y.tolist() == [7950, 7970, 7990]
    assert grid.bounds == (500, 7940, 540, 8000)
    assert grid.first_centre == (505, 7950)
    assert grid.layout.startswith(
        "From the south-western point, x fastest, then north. The values are of points"
    )
    assert grid.values["dem"][2, 3] == 3
    assert np.argwhere(np.isnan(grid.values["dem"])).tolist() == [[0, 0], [1, 2]]


def test_er_mapper_uses_the_registered_cell_and_its_null(tmp_path):
    values = VALUES.copy()
    values[0, 1] = -999999
    grid = raster.read_grid(ermapper(tmp_path, values))
    assert (grid.kind, grid.crs_name) == ("ER Mapper grid", "EPSG:28354")
    assert grid.bounds == (500, 7940, 540, 8000)
    assert grid.first_centre == (505, 7990)
    assert "the registered coordinates are the upper left corner of one" in grid.layout
    assert np.argwhere(np.isnan(grid.values["dem"])).tolist() == [[2, 1]]
    assert grid.values["dem"][2, 3] == 3


def test_er_mapper_nulls_with_three_digits_of_exponent(tmp_path):
    values = VALUES.copy()
    values[2, 2] = -1e32
    grid = raster.read_grid(ermapper(tmp_path, values, NullCellValue="-1e+032"))
    assert np.argwhere(np.isnan(grid.values["dem"])).tolist() == [[0, 2]]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"NrOfLines": 4}, "the header needs 64 bytes of values, the data file 'dem' has 48"),
        ({"NrOfBands": 10**12}, "the header needs 48,000,000,000,000 bytes"),
        ({"NrOfLines": -1}, "NrOfLines is '-1', a whole number is needed"),
        ({"HeaderOffset": 8}, "the header needs 56 bytes"),
        ({"CellType": "Real"}, "CellType is 'Real', a type such as 'IEEE4ByteReal' is needed"),
        ({"DataFile": '"other"'}, "the values should be in 'other' beside the header, which is missing"),
        ({"DataFile": '"../dem"'}, "the data file '../dem' is outside the folder of the header. Allow"),
        ({"DataFile": '"/etc/passwd"'}, "'/etc/passwd' is outside the folder"),
        ({"DataFile": '"C:\\\\dem"'}, "is outside the folder"),
    ],
)  # fmt: skip
def test_er_mapper_headers_without_their_values_are_refused(tmp_path, more, message):
    with pytest.raises(FormatError, match=f"dem.ers: .*{message}"):
        raster.read_bodies(ermapper(tmp_path, **more), Options())


def test_turned_er_mapper_grids_are_refused_since_gdal_does_not_turn_them(tmp_path):
    path = ermapper(tmp_path)
    text = path.read_text()
    for angle in ("0:0:0.0", "-00:00:00"):
        path.write_text(text.replace("CoordinateType = EN", f"CoordinateType = EN\n\t\tRotation = {angle}"))
        assert raster.read_grid(path).frame is None
    path.write_text(text.replace("CoordinateType = EN", "CoordinateType = EN\n\t\tRotation = 0:30:0.0"))
    with pytest.raises(FormatError, match=r"the grid is turned \(Rotation = 0:30:0\.0\), which GDAL leaves"):
        raster.read_grid(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("DataType = Raster", "Data\x98\xe9ype", r"line 4: 'Data.*' is no value such as 'NrOfLines = 126'"),
        ("DataType = Raster", "Data\x98ype = 1", r"line 4: 'Data.*ype = 1' is no value"),
        ("Datum = ", "Datum = \0", "line 7: .* is no value"),
        ("DataType = Raster", 'Comments = "two\nlines"', "line 5: 'lines.' is no value"),
    ],
)
def test_damaged_lines_of_er_mapper_headers_are_refused(tmp_path, old, new, message):
    path = ermapper(tmp_path)
    path.write_text(path.read_text().replace(old, new), encoding="latin-1")
    with pytest.raises(FormatError, match=f"dem.ers, {message}"):
        raster.read_grid(path)


def test_comments_of_er_mapper_may_hold_anything(tmp_path):
    path = ermapper(tmp_path)
    comment = 'Comments = "lines of \xe9l\xe9vation"\n\tSenseDate = {\n 1 2\n}\n\tDataType = Raster'
    path.write_text(path.read_text().replace("DataType = Raster", comment), encoding="latin-1")
    assert raster.read_grid(path).values["dem"][2, 3] == 3


def test_er_mapper_data_elsewhere_may_be_allowed(tmp_path):
    folder = tmp_path / "headers"
    folder.mkdir()
    path = ermapper(folder, DataFile='"../values"')
    (folder / "dem").rename(tmp_path / "values")
    (grid,) = raster.read_bodies(path, Options(outside=True))
    assert grid.values["dem"][2, 3] == 3


def test_the_data_of_er_mapper_alone_names_its_header(tmp_path):
    path = ermapper(tmp_path)
    data = tmp_path / "dem"
    assert not raster.matches(data, data.read_bytes())
    for read in (raster.read_grid, raster.read_raster):
        with pytest.raises(
            FormatError, match=r"dem: GDAL does not read .*belongs to 'dem.ers' beside it: open that"
        ):
            read(data)
    zipped = tmp_path / "dem.ers.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(
        FormatError, match=r"the ER Mapper header is gzipped, so its data cannot be found. Unpack"
    ):
        raster.read_grid(zipped)


def test_scale_and_offset_of_a_band_are_applied(tmp_path):
    path = geotiff(tmp_path / "dem.tif", VALUES.astype(np.int16), nodata=5)
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = (0.1,), (1000,)
    grid = raster.read_grid(path)
    np.testing.assert_allclose(grid.values["dem"][2], [1000, 1000.1, 1000.2, 1000.3])
    assert np.isnan(grid.values["dem"][1, 1])
    assert grid.notes == ("dem: values are stored × 0.1 + 1000, as the file says.",)
    assert float(raster.read_raster(path).sel(x=535, y=7990)) == pytest.approx(1000.3)


def test_what_is_not_declared_is_kept_and_said(tmp_path):
    values = VALUES.copy()
    values[0, 0] = -9999
    grid = raster.read_grid(geotiff(tmp_path / "dem.tif", values))
    assert grid.values["dem"][2, 0] == -9999
    assert grid.notes == (
        "dem: -9999 occurs and the file does not say that it stands for missing values; it was kept.",
    )
    values[0, 0] = np.inf
    assert np.isnan(raster.read_grid(geotiff(tmp_path / "dem.tif", values)).values["dem"][2, 0])


def test_coordinates_that_are_no_metres_are_said(tmp_path):
    grid = raster.read_grid(geotiff(tmp_path / "dem.tif", crs="EPSG:4326"))
    assert grid.notes == (
        "coordinates are degrees of WGS 84, not metres: project the grid before it is used.",
    )
    grid = raster.read_grid(geotiff(tmp_path / "dem.tif", crs="EPSG:2227"))
    assert grid.notes[0].startswith(
        "coordinates are in US survey foot of NAD83 / California zone 3 (ftUS), not"
    )
    local = 'LOCAL_CS["mine",UNIT["metre",1]]'
    grid = raster.read_grid(geotiff(tmp_path / "dem.tif", crs=local))
    assert grid.crs_name == ""
    assert grid.notes == ("the file says that its coordinates are local, so it has no coordinate system.",)
    proj = "+proj=tmerc +lat_0=1 +lon_0=2 +k=1 +x_0=3 +y_0=4 +ellps=GRS80 +units=m"
    grid = raster.read_grid(geotiff(tmp_path / "dem.tif", crs=proj))
    assert grid.crs_name.startswith("PROJCS[")


def test_gzipped_rasters_are_read(tmp_path):
    for source in (geotiff(tmp_path / "dem.tif", nodata=5), surfer(tmp_path / "dem.grd", "DSBB")):
        path = source.with_name(source.name + ".gz")
        path.write_bytes(gzip.compress(source.read_bytes()))
        grid = raster.read_grid(path)
        assert list(grid.values) == ["dem"]
        assert grid.values["dem"][2, 3] == 3
    damaged = tmp_path / "bad.tif.gz"
    damaged.write_bytes(gzip.compress(b"II*\0" + bytes(100)))
    with pytest.raises(FormatError, match=r"bad.tif.gz: GDAL does not read this raster"):
        raster.read_grid(damaged)


def test_pages_of_a_file_are_grids_of_their_own(tmp_path):
    first, second = geotiff(tmp_path / "a.tif"), geotiff(tmp_path / "b.tif", VALUES + 100)
    path = tmp_path / "pages.tif"
    path.write_bytes(first.read_bytes())
    with rasterio.open(second) as source:
        rasterio.shutil.copy(source, path, driver="GTiff", APPEND_SUBDATASET="YES")
    found = raster.read_bodies(path, Options())
    assert [grid.name for grid in found] == ["pages_1", "pages_2"]
    assert [next(iter(grid.values.values()))[2, 3] for grid in found] == [3, 103]
    with pytest.raises(
        FormatError, match=r"pages.tif: the file holds 2 grids: 'pages_1', 'pages_2'. Read them all"
    ):
        raster.read_grid(path)
    assert float(raster.read_raster(path).sel(x=535, y=7990)) == 3


def test_headers_that_claim_more_than_the_file_can_hold_are_refused(tmp_path):
    path = tmp_path / "huge.tif"
    options = {
        "driver": "GTiff",
        "count": 1,
        "height": 10**6,
        "width": 10**6,
        "dtype": "float32",
        "tiled": True,
    }
    with rasterio.open(
        path,
        "w",
        transform=Affine(1, 0, 0, 0, -1, 0),
        sparse_ok=True,
        blockxsize=16384,
        blockysize=16384,
        **options,
    ):
        pass
    assert path.stat().st_size < 10**6
    with pytest.raises(
        FormatError, match=r"huge.tif: the header claims 1000000 × 1000000 cells in 1 bands, the file"
    ):
        raster.read_grid(path)
    with pytest.raises(FormatError, match="It is truncated or damaged"):
        raster.read_raster(path)
    text = tmp_path / "huge.asc"
    text.write_text("ncols 30000\nnrows 30000\nxllcorner 0\nyllcorner 0\ncellsize 1\n1 2 3\n")
    with pytest.raises(FormatError, match="the header counts 900000000 values, the lines from there"):
        raster.read_grid(text)


@pytest.mark.parametrize("kind", ["DSAA", "DSBB", "DSRB", "tif", "asc"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_truncated_rasters_are_refused(tmp_path, kind, share):
    path = tmp_path / "dem.any"
    values = np.arange(300, dtype=np.float32).reshape(20, 15) + 0.25
    if kind == "asc":
        rows = "\n".join(" ".join(map(str, row)) for row in values)
        path.write_text(f"ncols 15\nnrows 20\nxllcorner 0\nyllcorner 0\ncellsize 1\n{rows}\n")
    elif kind == "tif":
        geotiff(path, values)
    else:
        surfer(path, kind)
    content = path.read_bytes()
    assert np.isfinite(next(iter(raster.read_grid(path).values.values()))).all()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(
        FormatError, match=r"dem.any.*: (GDAL does not read|the header|the georeference|the grid has)"
    ):
        raster.read_grid(path)


def test_georeferences_that_make_no_cells_are_refused(tmp_path):
    path = surfer(tmp_path / "dem.grd", "DSBB")
    content = bytearray(path.read_bytes())
    content[8:24] = struct.pack("<2d", 505, 505)
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"dem.grd: .*(makes no cells|does not read)"):
        raster.read_grid(path)
    content[8:24] = struct.pack("<2d", np.nan, np.inf)
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"dem.grd: .*(makes no cells|does not read)"):
        raster.read_grid(path)
    flat = geotiff(tmp_path / "flat.tif", transform=Affine(10, 10, 500, 10, 10, 8000))
    with pytest.raises(FormatError, match="makes no cells: their sides must be above 0, not parallel"):
        raster.read_grid(flat)


def test_complex_numbers_are_refused(tmp_path):
    path = geotiff(tmp_path / "wave.tif", VALUES.astype(np.complex64))
    with pytest.raises(FormatError, match="band 1 holds numbers of the type complex64, real ones are needed"):
        raster.read_grid(path)


def test_only_heads_of_rasters_match(tmp_path):
    path = tmp_path / "any.dat"
    for head in (
        b"II*\0..",
        b"MM\0*..",
        b"II+\0..",
        b"DSAA\n",
        b"DSBB..",
        b"\nncols  4\n",
    ):
        assert raster.matches(path, head)
    for head in (
        b"",
        b"IIx",
        b"DSAAX",
        b"ncolsx",
        b"x,y,z\n",
        b"GOCAD TSurf 1\n",
        b"\x89HDF\r\n",
        b"\0" * 600,
    ):
        assert not raster.matches(path, head)


def two_bands(**more: object) -> Raster:
    au = VALUES[::-1].copy()
    au[1, 2] = np.nan
    return Raster(
        "grid", np.array([7950.0, 7970, 7990]), np.array([505.0, 515, 525, 535]),
        {"au": au, "cu": VALUES[::-1] + 100}, units={"au": "ppb"}, crs_name="EPSG:32651", **more,
    )  # fmt: skip


def test_write_then_read_is_identity_for_a_raster(tmp_path):
    path = tmp_path / "out.tif"
    grid = two_bands()
    raster.write_geotiff(path, grid)
    again = raster.read_grid(path)
    assert (list(again.values), again.units, again.crs_name) == (["au", "cu"], {"au": "ppb"}, "EPSG:32651")
    np.testing.assert_array_equal(again.x, grid.x)
    np.testing.assert_array_equal(again.y, grid.y)
    for name in grid.values:
        np.testing.assert_array_equal(again.values[name], grid.values[name])
        assert again.values[name].dtype == np.float32
    with rasterio.open(path) as file:
        assert file.transform == Affine(10, 0, 500, 0, -20, 8000)
        assert file.compression.value == "DEFLATE"
        assert np.isnan(file.nodata)
        assert file.read(2)[0, 3] == 103  # row 0 is the north
    assert [other.name for other in tmp_path.iterdir()] == ["out.tif"]


@pytest.mark.parametrize("dtype", [np.float64, np.int32, np.uint8, np.int16])
def test_numbers_keep_their_type(tmp_path, dtype):
    path = tmp_path / "out.tif"
    values = (np.arange(12).reshape(3, 4) * (1.1 if dtype == np.float64 else 1)).astype(dtype)
    raster.write_geotiff(path, Raster("grid", np.arange(3.0), np.arange(4.0), {"v": values}))
    with rasterio.open(path) as file:
        assert file.dtypes == (np.dtype(dtype).name,)
        np.testing.assert_array_equal(file.read(1)[::-1], values)


def test_a_rotated_raster_keeps_its_place(tmp_path):
    path = tmp_path / "out.tif"
    grid = two_bands(frame=Frame.rotated([500000, 8000000, 0], 25))
    raster.write_geotiff(path, grid)
    again = raster.read_grid(path)
    assert again.frame is not None
    np.testing.assert_allclose(again.bounds, grid.bounds, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(again.values["cu"], grid.values["cu"])
    first = grid.frame.to_world([[grid.x[0], grid.y[0], 0]])
    np.testing.assert_allclose(again.frame.to_world([[again.x[0], again.y[0], 0]]), first, atol=1e-6)


def test_an_array_is_written_with_its_own_system(tmp_path):
    source = raster.read_raster(geotiff(tmp_path / "dem.tif", nodata=5))
    path = tmp_path / "out.tif"
    raster.write_geotiff(
        path, source.sortby("y", ascending=False).transpose("x", "y").assign_attrs(units="m")
    )
    xr.testing.assert_allclose(raster.read_raster(path).drop_attrs(), source.rename("out").drop_attrs())
    assert raster.read_grid(path).units == {"dem": "m"}
    assert raster.read_raster(path).rio.crs.to_epsg() == 32651
    raster.write_geotiff(path, source, crs="EPSG:28354")
    assert raster.read_grid(path).crs_name == "EPSG:28354"


def test_rasters_that_cannot_be_written_are_refused(tmp_path):
    path = tmp_path / "out.tif"
    grid = two_bands()
    uneven = Raster("grid", np.array([0.0, 1, 5]), grid.x, grid.values)
    with pytest.raises(ValueError, match=r"'grid' has steps of 1 to 4 m along y, a GeoTIFF has equal ones"):
        raster.write_geotiff(path, uneven)
    with pytest.raises(ValueError, match=r"'EPSG:0' is not known to pyproj, use for example 'EPSG:32651'"):
        raster.write_geotiff(path, grid, crs="EPSG:0")
    with pytest.raises(ValueError, match="the raster 'grid' has no values to write"):
        raster.write_geotiff(path, Raster("grid", grid.y, grid.x, {}))
    with pytest.raises(ValueError, match="values of the type complex64 cannot be written"):
        raster.write_geotiff(path, Raster("grid", grid.y, grid.x, {"v": VALUES * 1j}))
    with pytest.raises(
        ValueError, match=r"the array has the dimensions \('lat', 'lon'\), 'y' and 'x' are needed"
    ):
        raster.write_geotiff(path, xr.DataArray(VALUES, dims=("lat", "lon")))
    assert not path.exists()


def model(**more: object) -> PropertyModel:
    edges = np.array([-150.0, -100, 0, 60]), np.array([0.0, 20, 40]), np.array([500.0, 510, 520, 530])
    values = np.arange(18, dtype=np.float32).reshape(3, 2, 3)
    values[1, 1, 2] = np.nan
    return PropertyModel("ore", edges, {"au": values}, units={"au": "g/t"}, **more)


def test_levels_of_a_model_come_back_with_elevation_and_units(tmp_path):
    ore = model()
    paths = raster.write_levels(tmp_path / "levels", ore, "au", crs="EPSG:32651")
    assert [path.name for path in paths] == ["au_001_z-0125.tif", "au_002_z-0050.tif", "au_003_z+0030.tif"]
    assert sorted((tmp_path / "levels").iterdir()) == paths
    for level, path in enumerate(paths):
        with rasterio.open(path) as file:
            assert file.transform == Affine(10, 0, 500, 0, -20, 40)
            assert file.crs.to_epsg() == 32651
            assert file.dtypes == ("float32",)
            assert np.isnan(file.nodata)
            assert file.compression.value == "DEFLATE"
            np.testing.assert_array_equal(file.read(1)[::-1], ore.values["au"][level])
            tags = file.tags()
        assert float(tags["elevation"]) == (-125, -50, 30)[level]
        assert (float(tags["z_bottom"]), float(tags["z_top"])) == ((-150, -100), (-100, 0), (0, 60))[level]
        assert tags["units"] == "g/t"
        grid = raster.read_grid(path)
        assert (list(grid.values), grid.units) == (["au"], {"au": "g/t"})
        np.testing.assert_array_equal(grid.values["au"], ore.values["au"][level])


def test_levels_are_read_one_by_one_and_named_after_the_pattern(tmp_path):
    read = []

    def noted(part: np.ndarray) -> np.ndarray:
        read.append(part.size)
        return part

    lazy = Lazy(model().values["au"], noted)
    ore = PropertyModel("ore", model().edges, {"au": lazy})
    paths = raster.write_levels(tmp_path / "au 50% <ppb>.tif", ore, "au")
    assert paths[0].name == "au 50% _ppb__001_z-0125.tif"
    assert read == [6, 6, 6]


def test_names_of_levels_sort_with_their_elevation(tmp_path):
    z = np.array([-12500.25, -3, 0, 1.5, 10])
    ore = PropertyModel(
        "ore", (z, np.array([0.0, 1]), np.array([0.0, 1])), {"a/b": np.zeros((4, 1, 1), np.float32)}
    )
    names = [path.name for path in raster.write_levels(tmp_path, ore, "a/b")]
    assert names == sorted(names)
    assert names[0] == "a_b_001_z-6251.625.tif"
    assert names[2] == "a_b_003_z+0000.750.tif"


def test_levels_of_a_turned_model_keep_their_place(tmp_path):
    frame = Frame.rotated([500000, 8000000, 1000], -40)
    ore = model(frame=frame)
    paths = raster.write_levels(tmp_path, ore, "au")
    assert paths[0].name == "au_001_z+0875.tif"
    again = [raster.read_grid(path) for path in paths]
    np.testing.assert_allclose(again[0].bounds, np.delete(ore.bounds, (2, 5)), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(again[2].values["au"], ore.values["au"][2])
    with rasterio.open(paths[0]) as file:
        corner = frame.to_world([[500, 40, 0]])[0]
        np.testing.assert_allclose(file.transform @ (0, 0), corner[:2])
        np.testing.assert_allclose(file.transform @ (3, 2), frame.to_world([[530, 0, 0]])[0, :2])


def test_models_that_make_no_images_are_refused(tmp_path):
    ore = model()
    z, y, _ = ore.edges
    wide = PropertyModel("ore", (z, y, np.array([500.0, 510, 520, 540])), ore.values)
    with pytest.raises(
        ValueError, match=r"the cells of 'ore' are 10 to 20 m wide along x, a GeoTIFF has equal ones"
    ):
        raster.write_levels(tmp_path, wide, "au")
    tilted = np.eye(3)
    tilted[0] = [np.cos(0.1), 0, np.sin(0.1)]
    with pytest.raises(ValueError, match=r"the levels of 'ore' dip .*horizontal ones are needed. Resample"):
        raster.write_levels(tmp_path, model(frame=Frame(np.zeros(3), tilted)), "au")
    with pytest.raises(ValueError, match=r"'ore' has no values 'cu'. There are: au"):
        raster.write_levels(tmp_path, ore, "cu")
    with pytest.raises(ValueError, match="the coordinate system 'Default' is not known to pyproj"):
        raster.write_levels(tmp_path, ore, "au", crs="Default")
    codes = PropertyModel("ore", ore.edges, {"rock": np.full((3, 2, 3), 2**24 + 1)})
    with pytest.raises(ValueError, match=r"'rock' of 'ore' holds 16777217; .*keeps codes up to 16777216"):
        raster.write_levels(tmp_path, codes, "rock")
    large = PropertyModel("ore", ore.edges, {"au": np.full((3, 2, 3), 1e39)})
    with pytest.raises(
        ValueError, match=r"holds 1e\+39; a GeoTIFF of 32-bit floats keeps numbers up to 3.40282e\+38"
    ):
        raster.write_levels(tmp_path, large, "au")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.corpus
def test_corpus_surfer_and_er_mapper_are_the_same_grid(corpus_dir):
    surfer_grid = raster.read_grid(corpus_dir / "grid/surfer_dsrb/elevation_surfer.GRD")
    mapper_grid = raster.read_grid(corpus_dir / "grid/ermapper/elevation.ers")
    # xLL and yLL of the Surfer header are 336575 and 6160350, its steps 25
    assert (surfer_grid.x[0], surfer_grid.y[0]) == (336575, 6160350)
    assert surfer_grid.bounds == mapper_grid.bounds == (336562.5, 6160337.5, 341537.5, 6163487.5)
    assert surfer_grid.first_centre == (336575, 6160350)
    assert mapper_grid.first_centre == (336575, 6163475)
    assert (surfer_grid.crs_name, mapper_grid.crs_name) == ("", "EPSG:28354")
    a, b = surfer_grid.values["elevation_surfer"], mapper_grid.values["elevation"]
    np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
    np.testing.assert_allclose(a, b, rtol=1e-6)


@pytest.mark.corpus
def test_corpus_data_of_er_mapper_alone_names_its_header(corpus_dir):
    with pytest.raises(FormatError, match=r"belongs to 'elevation.ers' beside it"):
        raster.read_grid(corpus_dir / "grid/ermapper/elevation")
