"""GXF grids, read."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import rasterio

from mpm3d.errors import FormatError
from mpm3d.io import gxf, raster
from mpm3d.io.options import Options

VALUES = np.arange(1.0, 13).reshape(3, 4)  # rows of points
# south-western value, its eastern and its northern neighbour, for each sense of VALUES as it is stored
SENSES = {
    1: (1, 2, 5), -1: (1, 5, 2), 2: (4, 8, 3), -2: (9, 10, 5),
    3: (12, 11, 8), -3: (12, 8, 11), 4: (9, 5, 10), -4: (4, 3, 8),
}  # fmt: skip
# GDAL reads the senses whose rows run along x
GDAL_READS = (1, -2, 3, -4)


def write(folder: Path, body: str | None = None, name: str = "mag.gxf", before: str = "", **more) -> Path:
    labels = {
        "POINTS": 4, "ROWS": 3, "PTSEPARATION": 10, "RWSEPARATION": 20, "XORIGIN": 100, "YORIGIN": 200,
        "DUMMY": "-1e32", **more,
    }  # fmt: skip
    text = before + "".join(f"#{label}\n{value}\n" for label, value in labels.items() if value is not None)
    body = "\n".join(" ".join(map(str, row)) for row in VALUES) if body is None else body
    path = folder / name
    path.write_text(f"{text}#GRID\n{body}\n", encoding="latin-1")
    return path


def read(path: Path) -> np.ndarray:
    return next(iter(gxf.read_grid(path).values.values()))


def code(number: int, digits: int) -> str:
    """A number in base 90."""
    text = ""
    for _ in range(digits):
        number, rest = divmod(number, 90)
        text = chr(37 + rest) + text
    return text


def test_points_lie_where_the_labels_say(tmp_path):
    grid = gxf.read_grid(write(tmp_path, TITLE='"Total field"'))
    assert (grid.name, grid.kind, list(grid.values)) == ("mag", "GXF grid", ["mag"])
    assert grid.x.tolist() == [100, 110, 120, 130]
    assert grid.y.tolist() == [200, 220, 240]
    assert grid.bounds == (95, 190, 135, 250)
    assert grid.first_centre == (100, 200)
    assert grid.values["mag"].dtype == np.float64
    assert grid.notes == ("the title in the file is 'Total field'.",)


@pytest.mark.parametrize("sense", SENSES)
def test_every_sense_puts_the_values_in_their_place(tmp_path, sense):
    grid = gxf.read_grid(write(tmp_path, SENSE=sense))
    values = grid.values["mag"]
    assert (values[0, 0], values[0, 1], values[1, 0]) == SENSES[sense]
    along_x = sense in GDAL_READS
    assert values.shape == ((3, 4) if along_x else (4, 3))
    assert grid.spacing == ((20, 10) if along_x else (10, 20))
    # the origin is the south-western point in any case; the first value of the file is 1
    assert (grid.x[0], grid.y[0]) == (100, 200)
    row, column = np.argwhere(values == 1)[0]
    assert grid.first_centre == (grid.x[column], grid.y[row])
    corner = {1: "south-western", 2: "north-western", 3: "north-eastern", 4: "south-eastern"}[abs(sense)]
    assert f"From the {corner} point" in grid.layout
    assert any("GXF revision 3" in note for note in grid.notes) == (abs(sense) != 1)


@pytest.mark.parametrize("sense", GDAL_READS)
@pytest.mark.parametrize("digits", [0, 1, 3])
def test_values_agree_with_gdal(tmp_path, sense, digits):
    more = {"SENSE": sense, "GTYPE": digits}
    if digits:
        more["TRANSFORM"] = "0.5 -10"
    body = None
    if digits:
        rows = ["".join(code(int(value), digits) for value in row) for row in VALUES]
        rows[1] = "!" * digits + rows[1][digits:]
        # row 2: the value 7 three times, then a dummy
        rows[2] = '"' * digits + code(3, digits) + code(7, digits) + "!" * digits
        body = "\n".join(rows)
    path = write(tmp_path, body, **more)
    with rasterio.open(path) as source:
        north_up = source.read(1, masked=True).astype(float).filled(np.nan)
    np.testing.assert_array_equal(read(path), north_up[::-1])
    if digits and sense == 1:
        np.testing.assert_array_equal(read(path)[2], [-6.5, -6.5, -6.5, np.nan])


def test_places_agree_with_gdal_where_it_follows_the_standard(tmp_path):
    path = write(tmp_path, SENSE=1)
    with rasterio.open(path) as source:
        assert gxf.read_grid(path).bounds == tuple(source.bounds)


def test_a_file_as_openworks_writes_it_is_read(tmp_path):
    before = "".join(f"! comment {n} # POINTS\n" for n in range(305)) + "!\n"
    path = write(
        tmp_path, before=before, POINTS='"4"', ROWS='"3"', PTSEPARATION='"10.0"', RWSEPARATION='"20.00"',
        XORIGIN='"100.5"', YORIGIN='"200.25"', ROTATION='"66.57993141719481"', DUMMY='"1.0E30"',
        body="  1  2 3\n 1.0E30\n! a comment\n5 6 7 8\n\n9 10 11 12", **{"#XMAX": '"7.5"', "#YMAX": '"8"'},
    )  # fmt: skip
    with pytest.raises(rasterio.errors.RasterioIOError):
        rasterio.open(path)
    assert gxf.matches(path, path.read_bytes())
    grid = gxf.read_grid(path)
    expected = VALUES.copy()
    expected[0, 3] = np.nan
    np.testing.assert_array_equal(grid.values["mag"], expected)
    assert grid.frame is not None
    angle = np.radians(66.57993141719481)
    np.testing.assert_allclose(grid.frame.origin, [100.5, 200.25, 0])
    np.testing.assert_allclose(grid.frame.axes[0], [np.cos(angle), np.sin(angle), 0])
    assert grid.first_centre == pytest.approx((100.5, 200.25))


def test_rotation_turns_counterclockwise_about_the_south_western_point(tmp_path):
    grid = gxf.read_grid(write(tmp_path, ROTATION=90, SENSE=-2))
    assert grid.frame is not None
    assert grid.first_centre == pytest.approx((100 - 2 * 20, 200))  # the upper left corner, turned
    np.testing.assert_allclose(grid.bounds, (50, 195, 110, 235))
    assert gxf.read_grid(write(tmp_path, ROTATION=360)).frame is None


def test_transform_is_applied_to_values_but_not_to_dummies(tmp_path):
    path = write(tmp_path, "1 2 -1e32 4\n5 6 7 8\n9 10 11 12", TRANSFORM="0.1, 50000")
    grid = gxf.read_grid(path)
    np.testing.assert_allclose(grid.values["mag"][0], [50000.1, 50000.2, np.nan, 50000.4])
    assert grid.notes[0] == "values are those of the file × 0.1 + 50000, as #TRANSFORM says."


@pytest.mark.parametrize(
    ("dummy", "word"),
    [
        ("-9999", "-9999.000"),
        ("1.0E30", "1e30"),
        ("-1e32", "-1.00000003318e+32"),
        ("*", "*"),
        ("-1e32", "nan"),
    ],
)
def test_dummies_are_missing_however_they_are_written(tmp_path, dummy, word):
    values = read(write(tmp_path, f"1 2 3 {word}\n5 6 7 8\n9 10 11 12", DUMMY=dummy))
    assert np.flatnonzero(np.isnan(values)).tolist() == [3]


def test_values_may_have_commas_and_exponents_of_fortran(tmp_path):
    path = write(tmp_path, '1, 2, 3D1, 4\n"5" 6 7 8\n9 10 11 12', DUMMY=None)
    assert read(path).ravel()[:5].tolist() == [1, 2, 30, 4, 5]


def test_gzipped_and_windows_files_are_the_same(tmp_path):
    path = write(tmp_path)
    windows = tmp_path / "windows.gxf"
    windows.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    zipped = tmp_path / "mag2.gxf.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    np.testing.assert_array_equal(read(windows), VALUES)
    np.testing.assert_array_equal(read(zipped), VALUES)
    assert gxf.read_grid(zipped).name == "mag2"


def test_coordinate_systems_are_named_as_pyproj_knows_them(tmp_path):
    grid = gxf.read_grid(write(tmp_path, MAP_PROJECTION='"NAD27 / UTM zone 18N"', UNIT_LENGTH='"m",1'))
    assert grid.crs_name == "NAD27 / UTM zone 18N"
    assert grid.notes == ()
    lines = (
        '"Lambert of the survey"\n"NAD27",6378206.4,0.082271854,0\n'
        '"Lambert Conic Conformal (2SP)",38,42,-100,40,0,0'
    )
    grid = gxf.read_grid(write(tmp_path, MAP_PROJECTION=lines))
    assert "Lambert_Conformal_Conic" in grid.crs_name
    grid = gxf.read_grid(write(tmp_path, MAP_PROJECTION='"mine grid"'))
    assert "pyproj does not know" in grid.notes[0] or grid.crs_name != "mine grid"


def test_feet_become_metres_and_degrees_are_said(tmp_path):
    grid = gxf.read_grid(write(tmp_path, UNIT_LENGTH='"ft",0.3048'))
    np.testing.assert_allclose(grid.x, 0.3048 * np.array([100, 110, 120, 130]))
    np.testing.assert_allclose(grid.y, 0.3048 * np.array([200, 220, 240]))
    assert grid.notes == ("coordinates are in 'ft' and were converted to metres (0.3048).",)
    grid = gxf.read_grid(write(tmp_path, UNIT_LENGTH='"dega",0.01745'))
    assert grid.notes == ("coordinates are degrees, not metres: project the grid before it is used.",)
    assert grid.x[0] == 100
    # with a known system its own unit counts
    grid = gxf.read_grid(write(tmp_path, UNIT_LENGTH='"ftUS",0.3048006', MAP_PROJECTION='"EPSG:2227"'))
    assert grid.x[0] == 100
    assert "coordinates are in US survey foot of" in grid.notes[0]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"POINTS": None}, "#POINTS is missing, a whole number above 0 is needed"),
        ({"ROWS": "-3"}, r", line 4: #ROWS is '-3', a whole number above 0"),
        ({"POINTS": 10**12}, "the header counts 3000000000000 values, the lines from there on have room for"),
        ({"ROWS": 4}, "line 16: the header counts 16 values, there are 12. The file is truncated or a count"),
        ({"ROWS": 2}, "the header counts 8 values, there are 12"),
        ({"PTSEPARATION": "x"}, r"line 6: #PTSEPARATION is 'x', a number is needed"),
        ({"PTSEPARATION": 0}, "the points are 0 and the vectors 20 apart"),
        ({"RWSEPARATION": "nan"}, "the vectors nan apart"),
        ({"XORIGIN": "inf"}, "finite numbers below"),
        ({"SENSE": 5}, "the sense of storage is 5, it must be 1, 2, 3 or 4"),
        ({"SENSE": "1.5"}, "the sense of storage is 0"),
        ({"GTYPE": 20}, "#GTYPE is '20', it must be 0 .plain. or the number of digits in base 90, 1 to 8"),
        ({"GTYPE": -1}, "#GTYPE is '-1'"),
        ({"TRANSFORM": "0 1"}, "#TRANSFORM is 0, 1; a finite scale that is not 0"),
        ({"UNIT_LENGTH": "ft,-3"}, "#UNIT_LENGTH makes -3 m of 'ft'"),
        ({"body": "1 2 3 4\n5 6 x_7 8\n9 10 11 12"}, r"line 17: 'x_7' is not a number"),
        ({"body": "1 2 3 4\n5 6 1_7 8\n9 10 11 12"}, r"'1_7' is not a number"),
        ({"body": ""}, r"room for"),
    ],
)  # fmt: skip
def test_damaged_files_are_refused_with_line_and_reason(tmp_path, more, message):
    with pytest.raises(FormatError, match=rf"mag.gxf.*{message}"):
        gxf.read_grid(write(tmp_path, **more))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("%%%\n%%%%\n%%%%", "line 18: '%%%' is not made of codes of 2 characters in base 90"),
        ("%%%%%%%%\n%% %%%%%", "is not made of codes"),
        ('""%&%%', "after #GRID there are 1"),
        ('""~~%%', "after #GRID there are 8099"),
        ('""%&', r"after a repeat \(\"\) a count and a value in base 90 are needed"),
        ('""!!%%', "after a repeat"),
        ('""""%%', "after a repeat"),
        ("", "after #GRID there are 0"),
    ],
)
def test_damaged_codes_are_refused(tmp_path, body, message):
    with pytest.raises(FormatError, match=message):
        gxf.read_grid(write(tmp_path, body, GTYPE=2))


def test_repeats_cannot_claim_more_memory_than_the_file_deserves(tmp_path):
    path = write(tmp_path, '"' * 8 + code(10**13, 8) + code(1, 8), GTYPE=8, POINTS=10**13, ROWS=1)
    with pytest.raises(FormatError, match=r"which .* characters cannot hold"):
        gxf.read_grid(path)


def test_files_without_values_are_refused(tmp_path):
    path = tmp_path / "mag.gxf"
    path.write_text("#POINTS\n4\n#ROWS\n3\n")
    with pytest.raises(FormatError, match=r"there is no #GRID with values. The file is truncated"):
        gxf.read_grid(path)
    path.write_bytes(b"\x00\xff\x1f")
    with pytest.raises(FormatError, match="there is no #GRID"):
        gxf.read_grid(path)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        gxf.read_grid(tmp_path / "gone.gxf")


def test_only_files_with_the_labels_match(tmp_path):
    path = tmp_path / "any"
    assert gxf.matches(path, b"comment\n#POINTS\n3\n#ROWS\n2\n")
    assert gxf.matches(path, b"#TITLE\nx\n#ROWS 2\n#GRID\n1 2\n")
    for other in (
        b"",
        b"# points and rows\n",
        b"#POINTS\n",
        b"GOCAD TSurf 1",
        b"\0#POINTS\n#ROWS\n",
        b"#GRID\n",
    ):
        assert not gxf.matches(path, other)
    assert [grid.name for grid in gxf.read_bodies(write(tmp_path), Options())] == ["mag"]


def test_a_grid_is_a_raster_by_the_common_door(tmp_path):
    path = write(tmp_path)
    assert raster.read_grid(path).kind == "GXF grid"
    assert float(raster.read_raster(path).sel(x=130, y=240)) == 12
    with pytest.raises(FormatError, match="the grid is rotated"):
        raster.read_raster(write(tmp_path, name="turned.gxf", ROTATION=30))
