"""GoCAD wells, read and written."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mpm3d.errors import FormatError
from mpm3d.io.gocad.lines import TextFile, read_blocks
from mpm3d.io.gocad.well import read_well
from mpm3d.io.gocad.well_write import write_wells
from mpm3d.io.options import Options
from mpm3d.wells import Curve, Intervals, Well, minimum_curvature

DATA = Path(__file__).parent / "data" / "wells"
STRICT, SKIP = Options(), Options(errors="skip")


def read(path: Path, options: Options = STRICT) -> Well:
    text = TextFile(path)
    (block,) = read_blocks(text)
    return read_well(text, block, options)


def crs(depth: bool = False, unit: str = "m") -> str:
    return (
        "GOCAD_ORIGINAL_COORDINATE_SYSTEM\nNAME Default\n"
        f"AXIS_UNIT {unit} {unit} {unit}\nZPOSITIVE {'Depth' if depth else 'Elevation'}\n"
        "END_ORIGINAL_COORDINATE_SYSTEM\n"
    )


def well_of(folder: Path, body: str, options: Options = STRICT, head: str = "") -> Well:
    path = folder / "hole.wl"
    path.write_text(f"GOCAD Well 1\nHEADER {{\nname:W1\n}}\n{head or crs()}{body}END\n", encoding="utf-8")
    return read(path, options)


@pytest.mark.corpus
def test_corpus_path_in_depths_comes_out_in_elevations(corpus_dir):
    well = read(corpus_dir / "well/depth_path/test.wl")
    assert (well.name, well.kind, well.z_positive) == ("test", "Well", "Depth")
    # WREF 1005111 2451215.75 -167.9, the last line PATH 2093.30981 1923.70 21 22
    np.testing.assert_allclose(well.collar, [1005111, 2451215.75, 167.9], atol=1e-5)
    np.testing.assert_allclose(well.path[0], well.collar)
    np.testing.assert_allclose(well.path[-1], [1005132, 2451237.75, -1923.70], atol=0.003)
    assert well.depth[[0, -1]].tolist() == [0, 2093.30981]
    assert len(well.depth) == 55  # lines that begin with PATH
    # the file's own measured depths are the lengths along its points
    along = np.cumsum(np.linalg.norm(np.diff(well.path, axis=0), axis=1))
    np.testing.assert_allclose(along, well.depth[1:], atol=0.05)
    assert well.notes == ("z is depth in the file and was negated to elevation.",)


def test_offsets_count_from_the_reference_and_z_does_not(tmp_path):
    well = well_of(tmp_path, "WREF 100 200 50\nPATH 0 50 0 0\nPATH 30 22 1 10\n")
    assert well.path.tolist() == [[100, 200, 50], [101, 210, 22]]
    assert well.depth.tolist() == [0, 30]
    assert well.collar.tolist() == [100, 200, 50]
    assert well.survey is None
    assert well.notes == ()


def test_depths_and_feet_become_metres_and_elevations(tmp_path):
    body = "PATH_ZM_UNIT ft\nWREF 1000 2000 -10\nPATH 0 -10 0 0\nPATH 100 90 10 20\nMRKR top 1 50\n"
    well = well_of(tmp_path, body + "ZONE z 10 20 1\n", head=crs(depth=True, unit="ft"))
    np.testing.assert_allclose(well.path, [[304.8, 609.6, 3.048], [307.848, 615.696, -27.432]])
    np.testing.assert_allclose(well.depth, [0, 30.48])
    assert well.markers == (("top", pytest.approx(15.24)),)
    np.testing.assert_allclose(well.intervals["zones"].stop, [6.096])
    assert "depths along the hole are in 'ft' and were converted to metres (0.3048)." in well.notes
    assert "z is depth in the file and was negated to elevation." in well.notes
    assert "axis x is in 'ft' and was converted to metres (0.3048)." in well.notes


def test_an_unknown_depth_unit_is_taken_as_metres_and_said(tmp_path):
    well = well_of(tmp_path, "PATH_ZM_UNIT chains\nWREF 0 0 0\nPATH 0 0 0 0\nPATH 5 -5 0 0\n")
    assert well.notes == ("the unit 'chains' of PATH_ZM_UNIT is not known and was taken as metres.",)


def test_depth_counts_from_the_kelly_bushing_above_the_reference(tmp_path):
    body = "WREF 10 20 0\nDATUM SeaLevel\nKB 12.5\n"
    well = well_of(tmp_path, body + "PATH 0 12.5 0 0\nPATH 100 -87.5 0 0\n")
    assert well.collar.tolist() == [10, 20, 12.5]
    assert well.notes == ("depth along the hole counts from KB, 12.5 m above WREF (SeaLevel).",)
    alone = well_of(tmp_path, body)
    assert alone.path.tolist() == [[10, 20, 12.5]]
    assert alone.depth.tolist() == [0]
    assert alone.notes[1] == "the well has no path, only its collar."
    down = well_of(tmp_path, "WREF 10 20 -5\nKB -3\n", head=crs(depth=True))
    assert down.collar.tolist() == [10, 20, 8]


def test_stations_are_joined_by_arcs_from_the_reference(tmp_path):
    body = (
        'WREF 5 6 7\nDEVIATION_SURVEY "Minimum Curvature"\nSTATION 0 0 90\nSTATION 157.07963267948966 90 90\n'
    )
    well = well_of(tmp_path, body)
    np.testing.assert_allclose(well.path[-1], [105, 6, -93], atol=1e-9)
    np.testing.assert_array_equal(well.survey, [[0, 90], [90, 90]])
    half = well.position([157.07963267948966 / 2])[0]  # 45 degrees of a circle of 100 m
    np.testing.assert_allclose(half, [5 + 100 - 100 * np.sqrt(0.5), 6, 7 - 100 * np.sqrt(0.5)], atol=1e-9)
    assert well.notes == ()


def test_a_survey_that_begins_below_the_collar_goes_there_straight(tmp_path):
    well = well_of(
        tmp_path, "WREF 0 0 0\nDEVIATION_SURVEY Tangential\nSTATION 100 60 90\nSTATION 110 60 90\n"
    )
    assert well.depth.tolist() == [0, 100, 110]
    np.testing.assert_allclose(well.path[1], [100 * np.sin(np.pi / 3), 0, -50], atol=1e-9)
    assert well.notes == (
        "the survey is meant for 'Tangential', the path was made by minimum curvature.",
        "the survey begins at a depth of 100 m; above, the hole was taken as straight in the direction of "
        "the first station.",
    )


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("TVD_PATH 10 8 1 2", "TVD is depth below the point from which the hole is measured."),
        ("TVSS_PATH 10 -92 1 2", "TVSS is depth below sea level and was negated to elevation."),
    ],
)
@pytest.mark.parametrize("depth", [False, True])
def test_true_vertical_depths_are_depths_in_either_sense_of_z(tmp_path, line, note, depth):
    first = line.split()[0] + (" 0 0 0 0\n" if "TVD" in line else " 0 -100 0 0\n")
    body = f"WREF 0 0 {-100 if depth else 100}\n{first}{line}\n"
    well = well_of(tmp_path, body, head=crs(depth))
    assert well.path.tolist() == [[0, 0, 100], [1, 2, 92]]
    assert note in well.notes


def test_subsea_depths_that_become_smaller_are_elevations(tmp_path):
    well = well_of(tmp_path, "WREF 0 0 100\nTVSS_PATH 0 100 0 0\nTVSS_PATH 10 90 0 0\n")
    assert well.path[:, 2].tolist() == [100, 90]
    assert well.notes == ("TVSS becomes smaller down the hole and was taken as elevation.",)


@pytest.mark.parametrize("ids", ["", "7 "])
def test_vertices_have_depths_along_them_with_ids_or_without(tmp_path, ids):
    body = f"WREF 0 0 10\nVRTX {ids}0 0 6\nVRTX {ids}3 0 2\nVRTX {ids}3 0 2\n"
    well = well_of(tmp_path, body)
    assert well.depth.tolist() == [4, 9]
    assert well.path.tolist() == [[0, 0, 6], [3, 0, 2]]
    assert well.notes == (
        "depths along the hole are the lengths along its vertices.",
        "1 vertices that repeat the one before were left out.",
    )
    free = well_of(tmp_path, f"VRTX {ids}0 0 6\nVRTX {ids}3 0 2\n")
    assert free.depth.tolist() == [0, 5]
    assert free.collar.tolist() == [0, 0, 6]


def test_the_first_way_of_telling_the_path_counts(tmp_path):
    well = well_of(tmp_path, "WREF 0 0 0\nSTATION 0 0 0\nSTATION 10 0 0\nPATH 0 0 0 0\nPATH 9 -9 0 0\n")
    assert well.depth.tolist() == [0, 9]
    assert well.notes == ("the path was read from PATH, STATION was not.",)


def logs(folder: Path) -> Path:
    shutil.copy(DATA / "logged.wl", folder)
    numbers = np.array([0, 0, 1.5, 2.5, 3.5, 10, -99999, 30], dtype=">f4")  # 8 bytes to skip
    (folder / "logged__curves@@").write_bytes(numbers.tobytes())
    return folder / "logged.wl"


def test_a_well_comes_with_its_markers_zones_and_logs(tmp_path):
    well = read(logs(tmp_path))
    assert well.name == 'BH 7 "Grüner Berg"'
    assert well.markers == (("Top", 5.5), ("Base of cover", 12.25), ("Deep shale", 30))
    zones = well.intervals["zones"]
    assert zones.values["zone"].tolist() == ["upper", "lower part", "lowest part"]
    np.testing.assert_array_equal(zones.values["number"], [1, np.nan, -1])
    assert (zones.start.tolist(), zones.stop.tolist()) == ([0, 12.25, 38], [12.25, 40, 40])
    curve = well.curves["Kappa"]
    assert curve.depth.tolist() == [1.5, 2.5, 3.5]
    np.testing.assert_array_equal(curve.values, [10, np.nan, 30])
    gamma = well.curves["gamma"]
    np.testing.assert_allclose(gamma.depth, [0, 3.048, 30.48])
    np.testing.assert_array_equal(gamma.values, [41.5, np.nan, 43])
    assert well.units["Kappa"] == "SI"
    assert well.units["gamma"] == "api"
    assert well.notes == (
        "lines of UNIT, FEATURE, UNITS_BEFORE_FIRST_MARKER were not read.",
        "curve 'gamma': its depths are in 'ft' and were converted to metres (0.3048).",
        "curve 'gamma': 1 HOLE lines, gaps in the log, were not read.",
    )


def test_orientations_of_markers_are_dip_and_dip_direction(tmp_path):
    well = read(logs(tmp_path))
    assert well.curves["marker dip"].depth.tolist() == [12.25, 30]
    # the normal (0, 0.5, 0.87) leans 30 degrees towards north, so the bed dips 30 degrees there
    np.testing.assert_allclose(well.curves["marker dip"].values, [35, 30])
    np.testing.assert_allclose(well.curves["marker dip direction"].values, [120, 0], atol=1e-12)
    body = "WREF 0 0 0\nMRKR a 1 5\nDIP 100 50\nMRKR b 1 6\nNORM 0.5 0 0.5\n"
    down = well_of(tmp_path, body, head=crs(depth=True))
    np.testing.assert_allclose(down.curves["marker dip"].values, [45, 45])  # 50 gradians; z is down
    np.testing.assert_allclose(down.curves["marker dip direction"].values, [90, 270])


@pytest.mark.parametrize("options", [STRICT, SKIP])
def test_a_well_without_its_data_file_keeps_the_path(tmp_path, options):
    path = logs(tmp_path)
    (tmp_path / "logged__curves@@").unlink()
    well = read(path, options)
    assert len(well.path) == 3
    assert "gamma" in well.curves
    assert "Kappa" not in well.curves
    assert "the curve 'Kappa' was left out: its data file 'logged__curves@@' is not there." in well.notes


def binary(folder: Path, npts: str = "3", seek: str = "8", extra: str = "", name: str = "c@@") -> str:
    (folder / "c@@").write_bytes(np.array([9, 4, 1, 2, 3, 10, 20, 30], dtype=">f4").tobytes())
    curve = f"WELL_CURVE\nPROPERTY p\n{extra}NPTS {npts}\nSEEK {seek}\nEND_CURVE\n"
    return f"WREF 0 0 0\nBINARY_DATA_FILE {name}\n{curve}"


@pytest.mark.parametrize(
    ("npts", "seek", "message"),
    [
        ("4", "8", r"c@@: .* 32 bytes, 40 are needed for the curve 'p' .*: 24 to skip and 4 values of 4"),
        ("1000000000000", "8", "the file has 32 bytes, 8000000000008 are needed for the curve 'p'"),
        ("3", "999999999999", "the file has 32 bytes"),
        ("-3", "8", r"the curve 'p' has NPTS '-3' and SEEK '8', counts of values and of bytes are expected"),
        ("3", "x", "counts of values and of bytes are expected"),
        (
            "2",
            "0",
            "the curve 'p' has depths that are no numbers or do not ascend, so its data are not where",
        ),
    ],
)
def test_logs_that_are_not_where_they_should_be_are_refused(tmp_path, npts, seek, message):
    body = binary(tmp_path, npts, seek)
    with pytest.raises(FormatError, match=message):
        well_of(tmp_path, body)
    well = well_of(tmp_path, body, SKIP)
    assert well.curves == {}
    assert any(note.startswith("the curve 'p' was left out") for note in well.notes)


def test_logs_are_compared_with_their_statistics(tmp_path):
    extra = "PROP_SAMPLE_STATS 3 20 100 10 30\n"
    assert len(well_of(tmp_path, binary(tmp_path, extra=extra)).notes) == 1
    well = well_of(tmp_path, binary(tmp_path, extra="PROP_SAMPLE_STATS 3 21 100 10 30\n"))
    assert "curve 'p': its values do not have the statistics of the header." in well.notes


def test_little_endian_logs_and_bytes_are_read_on_request(tmp_path):
    body = binary(tmp_path, seek="0", extra="PROP_ESIZE 1\nPROP_STORAGE_TYPE Octet\nPROP_SIGNED 0\n")
    content = np.array([1, 2, 3], dtype="<f4").tobytes() + bytes([7, 200, 9])
    (tmp_path / "c@@").write_bytes(content)
    well = well_of(tmp_path, body, Options(byte_order="little"))
    assert well.curves["p"].depth.tolist() == [1, 2, 3]
    assert well.curves["p"].values.tolist() == [7, 200, 9]


def test_files_outside_the_folder_are_refused_unless_allowed(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    binary(tmp_path)
    for name in ("../c@@", str(tmp_path / "c@@"), "C:\\data\\c@@"):
        body = binary(folder, name=name)
        with pytest.raises(FormatError, match=r"line \d+: the data file .* is outside the folder"):
            well_of(folder, body)
        assert well_of(folder, body, SKIP).curves == {}
    body = binary(folder, name="../c@@")
    assert len(well_of(folder, body, Options(outside=True)).curves["p"].values) == 3
    body = binary(folder, name="../gone@@")
    assert "is not there" in well_of(folder, body, Options(outside=True)).notes[-1]


def test_logs_in_a_text_file_are_columns(tmp_path):
    (tmp_path / "t.txt").write_text("* depth a b\n0 1 10\n5 2 -999\n\n# end\n", encoding="utf-8")
    first = "WELL_CURVE\nPROPERTY a\nEND_CURVE\n"
    second = "WELL_CURVE\nPROPERTY b\nCOLUMN 2\nPROP_NO_DATA_VALUE -999\nEND_CURVE\n"
    body = f"WREF 0 0 0\nASCII_DATA_FILE t.txt\n{first}{second}"
    well = well_of(tmp_path, body)
    assert well.curves["a"].values.tolist() == [1, 2]
    assert well.curves["b"].depth.tolist() == [0, 5]
    np.testing.assert_array_equal(well.curves["b"].values, [10, np.nan])
    assert well.notes[1] == "curve 'a': read from columns 0 (depth) and 1 of 't.txt', counted from 0."
    with pytest.raises(FormatError, match=r"t.txt: a row has no number in column 0 or 9, counted from 0"):
        well_of(tmp_path, body.replace("COLUMN 2", "COLUMN 9"))
    with pytest.raises(FormatError, match="COLUMN that is no number of a column"):
        well_of(tmp_path, body.replace("COLUMN 2", "COLUMN -1"))
    (tmp_path / "t.txt").write_text("* nothing\n", encoding="utf-8")
    with pytest.raises(FormatError, match="there are no values of the curve 'a'"):
        well_of(tmp_path, body)


def test_curves_of_one_name_and_of_none_are_kept_apart(tmp_path):
    one = "WELL_CURVE\nPROPERTY p\nREC 1 2\nEND_CURVE\n"
    well = well_of(tmp_path, f"WREF 0 0 0\n{one}{one}WELL_CURVE\nREC 3 4\nBLOCKED_INTERPOLATION\nEND_CURVE\n")
    assert list(well.curves) == ["p", "p_2", "curve_3"]
    assert well.notes[-1] == "curve 'curve_3': its values hold from their depth to the next (blocked)."
    empty = well_of(tmp_path, "WREF 0 0 0\nWELL_CURVE\nPROPERTY p\nNPTS 0\nEND_CURVE\n")
    assert empty.curves["p"].values.shape == (0,)
    with pytest.raises(FormatError, match="the curve 'p' has neither REC lines nor a data file"):
        well_of(tmp_path, "WREF 0 0 0\nWELL_CURVE\nPROPERTY p\nNPTS 2\nEND_CURVE\n")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("PATH 0 0 0 0\n", "line 10: the well 'W1' has PATH lines and no WREF that they start from"),
        ("KB 0\n", "line 1: the well 'W1' has neither WREF nor a path, so it has no place"),
        ("WREF 1 2\n", "line 10: WREF has 2 values, x, y and z are needed"),
        ("WREF 1 2 x\n", "a coordinate of WREF is 'x', a finite number is expected"),
        ("WREF 1 2 1e400\n", "a coordinate of WREF is '1e400', a finite number is expected"),
        ("WREF 1 2 3\nKB nan\n", "line 11: KB is 'nan', a finite number is expected"),
        ("WREF 1 2 3\nPATH 0 0 0\n", "line 11: PATH has 3 values"),
        ("WREF 1 2 3\nPATH 0 0 0 inf\n", r"line 11: PATH holds \[0.0, 0.0, 0.0, inf\], finite numbers"),
        ("WREF 1 2 3\nPATH 5 0 0 0\nPATH 4 0 0 0\n", "line 12: PATH goes back from a depth of 5 to 4"),
        ("WREF 1 2 3\nSTATION -5 0 0\n", "line 11: a STATION has the depth -5, depths from 0 are expected"),
        (
            "WREF 1 2 3\nSTATION 0 90 0\nSTATION 9 90 180\n",
            "the survey of 'W1' makes no path: the hole turns",
        ),
        ("VRTX 0 0 nan\n", r"line 10: a vertex is at \[0.0, 0.0, nan\], finite numbers are expected"),
        ("WREF 1 2 3\nMRKR x\n", "line 11: MRKR needs a name and a depth"),
        ("WREF 1 2 3\nMRKR top 1 deep\n", "the depth of the marker 'top' is 'deep', a finite number"),
        ("WREF 1 2 3\nZONE z 1\n", "line 11: ZONE needs a name and two depths"),
        ("WREF 1 2 3\nZONE z 1 x 1\n", "a depth of the zone 'z' is 'x', a finite number is expected"),
    ],
)
def test_damaged_wells_are_refused_with_the_line(tmp_path, body, message):
    with pytest.raises(FormatError, match=message):
        well_of(tmp_path, body)


def test_points_that_cannot_be_are_left_out_on_request(tmp_path):
    body = "WREF 0 0 0\nPATH 0 0 0 0\nPATH 5 nan 0 0\nPATH 9 -9 0 0\nPATH 9 -9 0 0\nPATH 4 -4 0 0\n"
    well = well_of(tmp_path, body, SKIP)
    assert well.depth.tolist() == [0, 9]
    assert well.notes == (
        "1 PATH lines without finite numbers were left out.",
        "1 PATH lines that repeat a depth were left out.",
        "1 PATH lines that go back to a smaller depth were left out.",
    )
    gone = well_of(tmp_path, "WREF 1 2 3\nSTATION nan 0 0\n", SKIP)
    assert gone.path.tolist() == [[1, 2, 3]]
    assert "1 vertices without finite" in str(well_of(tmp_path, "VRTX 0 0 nan\nVRTX 1 1 1\n", SKIP).notes)


def test_a_well_that_has_no_end_says_so(tmp_path):
    path = tmp_path / "w.wl"
    path.write_text("GOCAD Well 1\nWREF 1 2 3\n", encoding="utf-8")
    assert read(path).notes[-1] == "the object has no END line, the file may be truncated."
    assert read(path).name == "w"


def proposed(**more) -> Well:
    depth = np.array([0.0, 33.3, 70.1, 150.7])
    survey = np.array([[30.0, 45.0], [30.5, 46.0], [33.0, 50.0], [33.0, 50.0]])
    collar = np.array([512345.67, 7654321.09, 321.1])
    return Well(
        'Hole "1" of 2', collar, depth, collar + minimum_curvature(depth, *survey.T), survey=survey,
        kind="Well", units={"gamma ray": "API", "empty": "m/s"},
        markers=(("Top of ore", 60.25), ("EOH", 150.7)),
        intervals={"zones": Intervals(
            np.array([0.0, 20.5]), np.array([20.5, 90.1]),
            {"zone": np.array(["cover", "ore zone"]), "number": np.array([1.0, np.nan])},
        )},
        curves={
            "gamma ray": Curve(np.array([0.1, 0.2, 7.0]), np.array([1.5, np.nan, -99999.0])),
            "empty": Curve(np.zeros(0), np.zeros(0)),
        },
        **more,
    )  # fmt: skip


def assert_same(one: Well, other: Well) -> None:
    for name in ("name", "kind", "markers", "units", "crs_name", "z_positive"):
        assert getattr(one, name) == getattr(other, name)
    for name in ("collar", "depth", "path"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    if one.survey is None or other.survey is None:
        assert one.survey is other.survey
    else:
        np.testing.assert_array_equal(one.survey, other.survey)
    assert list(one.curves) == list(other.curves)
    for name in one.curves:
        np.testing.assert_array_equal(one.curves[name].depth, other.curves[name].depth)
        np.testing.assert_array_equal(one.curves[name].values, other.curves[name].values)
    assert list(one.intervals) == list(other.intervals)
    for name, table in one.intervals.items():
        np.testing.assert_array_equal(table.start, other.intervals[name].start)
        np.testing.assert_array_equal(table.stop, other.intervals[name].stop)
        for column in table.values:
            np.testing.assert_array_equal(table.values[column], other.intervals[name].values[column])


@pytest.mark.parametrize("sense", ["Elevation", "Depth"])
@pytest.mark.parametrize("surveyed", [True, False])
def test_what_is_written_is_read_again_to_the_last_digit(tmp_path, sense, surveyed):
    well = proposed(z_positive=sense)
    well = replace(well, crs_name="Default")
    well = well if surveyed else replace(well, survey=None)
    path = tmp_path / "w.wl"
    write_wells(path, [well])
    again = read(path)
    assert_same(well, again)
    write_wells(tmp_path / "twice.wl", [again])
    assert (tmp_path / "twice.wl").read_bytes() == path.read_bytes()


def test_several_wells_go_to_one_file_gzipped_if_it_says_so(tmp_path):
    alone = Well("alone", np.array([1.0, 2, 3]), np.zeros(1), np.array([[1.0, 2, 3]]), kind="Well")
    write_wells(tmp_path / "w.wl.gz", [proposed(), alone])
    text = TextFile(tmp_path / "w.wl.gz")
    found = [read_well(text, block, STRICT) for block in read_blocks(text)]
    assert [well.name for well in found] == ['Hole "1" of 2', "alone"]
    assert found[1].path.tolist() == [[1, 2, 3]]


@pytest.mark.corpus
def test_corpus_well_is_the_same_when_it_was_written(corpus_dir, tmp_path):
    well = read(corpus_dir / "well/depth_path/test.wl")
    write_wells(tmp_path / "w.wl", [well])
    assert_same(well, read(tmp_path / "w.wl"))


def test_what_a_well_cannot_hold_is_not_written(tmp_path):
    path, well = tmp_path / "w.wl", proposed()
    table = Intervals(np.zeros(1), np.ones(1), {"au": np.ones(1)})
    for changed, message in [
        ({"intervals": {"assay": table}}, "has the interval tables 'assay', a GoCAD well has zones only"),
        ({"intervals": {"zones": table}}, "have the columns 'au', a GoCAD well holds 'zone' and 'number'"),
        (
            {"path": well.path + 1},
            "does not lead from its collar along its path, so a file can hold only one",
        ),
        ({"depth": well.depth * np.nan}, "coordinates or depths that are not finite"),
        ({"markers": (("m", np.nan),)}, "has a depth that is nan, a file needs finite ones"),
        ({"curves": {"c": Curve(np.zeros(1), np.array([np.inf]))}}, "the curve 'c' of the hole .* infinite"),
        ({"curves": {"c": Curve(np.array([2.0, 1]), np.ones(2))}}, "the depths of the curve 'c' .* ascend"),
    ]:
        with pytest.raises(ValueError, match=message):
            write_wells(path, [replace(well, **changed)])
    assert not path.exists()
