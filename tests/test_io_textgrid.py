"""Grids written as text, read."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import rasterio

from mpm3d.errors import FormatError
from mpm3d.io import raster, textgrid

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

SURFER = "DSAA\n4 3\n505 535\n7950 7990\n1 12\n1 2 3 4\n5 6 7 8\n9 10 11 12\n"
ESRI = "ncols 4\nnrows 3\nxllcorner 500\nyllcorner 7940\ncellsize 10\n9 10 11 12\n5 6 7 8\n1 2 3 4\n"
LOW = np.arange(1.0, 13).reshape(3, 4)  # the lowest row first


def write(folder: Path, text: str, name: str = "dem.asc") -> Path:
    path = folder / name
    path.write_text(text, encoding="latin-1")
    return path


def read(folder: Path, text: str) -> np.ndarray:
    return next(iter(textgrid.read_grid(write(folder, text)).values.values()))


def test_nodes_of_surfer_lie_where_the_header_says(tmp_path):
    grid = textgrid.read_grid(write(tmp_path, SURFER, "dem.grd"))
    assert (grid.name, grid.kind, list(grid.values)) == ("dem", "Surfer grid", ["dem"])
    assert grid.x.tolist() == [505, 515, 525, 535]
    assert grid.y.tolist() == [7950, 7970, 7990]
    assert grid.bounds == (500, 7940, 540, 8000)
    assert grid.first_centre == (505, 7950)
    assert grid.layout.startswith("From the south-western point")
    np.testing.assert_array_equal(grid.values["dem"], LOW)


def test_cells_of_esri_lie_where_the_header_says(tmp_path):
    grid = textgrid.read_grid(write(tmp_path, ESRI))
    assert grid.kind == "raster"
    assert grid.x.tolist() == [505, 515, 525, 535]
    assert grid.y.tolist() == [7945, 7955, 7965]
    assert grid.bounds == (500, 7940, 540, 7970)
    assert grid.first_centre == (505, 7965)
    np.testing.assert_array_equal(grid.values["dem"], LOW)
    centre = (
        ESRI.replace("xllcorner", "XLLCENTER")
        .replace("yllcorner", "yllCenter")
        .replace("cellsize 10", "dx 10\ndy 20")
    )
    grid = textgrid.read_grid(write(tmp_path, centre))
    assert grid.x.tolist() == [500, 510, 520, 530]
    assert grid.y.tolist() == [7940, 7960, 7980]


@pytest.mark.parametrize(
    "text", [SURFER, ESRI, ESRI.replace("llcorner", "llcenter"), SURFER.replace("\n", "\r\n")]
)
def test_places_and_values_agree_with_gdal(tmp_path, text):
    path = write(tmp_path, text)
    grid = textgrid.read_grid(path)
    with rasterio.open(path) as source:
        assert grid.bounds == tuple(source.bounds)
        np.testing.assert_array_equal(grid.values["dem"], source.read(1)[::-1])


def test_all_digits_are_kept(tmp_path):
    assert read(tmp_path, ESRI.replace("9 10", "1234567.25 1e-300"))[2, :2].tolist() == [1234567.25, 1e-300]


def test_lines_may_be_broken_anywhere(tmp_path):
    words = SURFER.split()
    for count in (1, 5, 9, 11):
        lines = [" ".join(words[k : k + count]) for k in range(0, len(words), count)]
        np.testing.assert_array_equal(read(tmp_path, "\n\n".join(lines)), LOW)


@pytest.mark.parametrize("blank", ["1.70141e38", "1.70141E+038", "1.701410009187828e+38", "3e38", "nan"])
def test_blanks_of_surfer_are_missing(tmp_path, blank):
    values = read(tmp_path, SURFER.replace(" 7 ", f" {blank} "))
    assert np.argwhere(np.isnan(values)).tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("code", "word"), [("-9999", "-9999.0"), ("-3.40282346639e+38", "-3.402823e+38"), ("nan", "nan")]
)
def test_no_data_of_esri_is_missing(tmp_path, code, word):
    text = ESRI.replace("cellsize 10", f"cellsize 10\nNODATA_value {code}").replace(" 7 ", f" {word} ")
    grid = textgrid.read_grid(write(tmp_path, text))
    assert np.argwhere(np.isnan(grid.values["dem"])).tolist() == [[1, 2]]
    assert grid.notes == ()


def test_what_is_not_declared_is_kept_and_said(tmp_path):
    grid = textgrid.read_grid(write(tmp_path, ESRI.replace(" 7 ", " -9999 ")))
    assert grid.values["dem"][1, 2] == -9999
    assert "dem: -9999 occurs and the file does not say that it stands for missing values" in grid.notes[0]


def test_the_coordinate_system_of_esri_is_beside_it(tmp_path):
    path = write(tmp_path, ESRI)
    prj = tmp_path / "dem.prj"
    prj.write_text(rasterio.crs.CRS.from_epsg(32651).to_wkt(version="WKT1_ESRI"))
    assert textgrid.read_grid(path).crs_name == "EPSG:32651"
    assert raster.read_raster(path).rio.crs.to_epsg() == 32651
    prj.write_bytes(b"\xff\xfe nothing")
    assert textgrid.read_grid(path).crs_name == ""


def test_gzipped_grids_are_the_same(tmp_path):
    path = tmp_path / "dem.asc.gz"
    path.write_bytes(gzip.compress(ESRI.encode()))
    np.testing.assert_array_equal(textgrid.read_grid(path).values["dem"], LOW)


def test_a_profile_of_one_row_is_a_grid(tmp_path):
    grid = textgrid.read_grid(write(tmp_path, "DSAA 3 1 0 20 5 5 1 3 1 2 3"))
    assert grid.shape == (1, 3)
    assert grid.y.tolist() == [5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("DSAA\n4 3\n505 535\n", ", line 4: the header of a DSAA grid is 2 counts and 6 numbers"),
        (SURFER.replace("4 3", "4 0"), ", line 2: '0' is no count of rows or columns above 0"),
        (SURFER.replace("4 3", "-4 3"), ", line 2: '-4' is no count"),
        (SURFER.replace("505", "x"), ", line 3: 'x' is no coordinate or size, finite numbers are needed"),
        (SURFER.replace("505", "nan"), ", line 3: 'nan' is no coordinate"),
        (SURFER.replace("505", "1e99"), ", line 3: '1e99' is no coordinate"),
        (SURFER.replace("505 535", "535 505"), ", line 3: x goes from 535 to 505, it must ascend"),
        (SURFER.replace("7990", "7950"), "y goes from 7950 to 7950"),
        (SURFER.replace("4 3", "1000000 1000000"), "line 5: the header counts 1000000000000 values"),
        (SURFER.replace(" 7 8", " 8"), "the header counts 12 values, there are 11. The file is truncated"),
        (SURFER.replace(" 7 8", " 7 7 8"), "the header counts 12 values, there are 13"),
        (SURFER.replace(" 7 8", " 7m 8"), ", line 7: '7m' is not a number, the values of a grid are needed"),
        (SURFER.replace(" 7 8", " 7_0 8"), ", line 7: '7_0' is not a number"),
        (SURFER.replace(" 7 8", " \xe97 8"), "is not a number"),
        (ESRI.replace("nrows 3\n", ""), "the header has no nrows. There are: ncols, xllcorner, y"),
        (ESRI.replace("cellsize 10\n", ""), "the header has no dx or cellsize"),
        (ESRI.replace("cellsize 10", "cellsize -10"), "cells are -10 × -10, sizes above 0 are needed"),
        (ESRI.replace("xllcorner 500", "xllcorner inf"), ", line 3: 'inf' is no coordinate"),
        (ESRI.replace("ncols 4", "ncols 1000000000000"), "the header counts 3000000000000 values"),
        (ESRI.replace(" 7 ", " x "), ", line 7: 'x' is not a number"),
        (ESRI.replace("9 10 11 12\n", ""), "have room for 8 at most"),
        ("ncols 4", "the header has no nrows"),
    ],
)  # fmt: skip
def test_damaged_grids_are_refused_with_line_and_reason(tmp_path, text, message):
    with pytest.raises(FormatError, match=rf"dem.asc.*{message}"):
        raster.read_grid(write(tmp_path, text))


@pytest.mark.parametrize("text", [SURFER, "ncols 2\nnrows 1\nxllcorner 0\nyllcorner 0\ncellsize 1\n1 2\n"])
def test_a_mark_of_utf_8_changes_nothing(tmp_path, text):
    marked = write(tmp_path, "", "marked.grd")
    marked.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert textgrid.matches(marked.read_bytes())
    np.testing.assert_array_equal(
        textgrid.read_grid(marked).values["marked"], textgrid.read_grid(write(tmp_path, text)).values["dem"]
    )
