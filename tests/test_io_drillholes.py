"""Drillholes of tables: collars, surveys and intervals."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from mpm3d.errors import FormatError
from mpm3d.io import drillholes, table
from mpm3d.io.drillholes import read_drillholes
from mpm3d.io.options import Options
from mpm3d.wells import Well, minimum_curvature

DATA = Path(__file__).parent / "data" / "tables"
COLLAR = "hole,x,y,z,length\nA,100,200,50,100\n"


def tables(folder: Path, **texts: str) -> dict[str, Path]:
    found = {}
    for name, text in texts.items():
        found[name] = folder / f"{name}.csv"
        found[name].write_text(text, encoding="utf-8")
    return found


def one(folder: Path, survey: str | None = None, collar: str = COLLAR, **more) -> Well:
    paths = tables(folder, collar=collar, **({} if survey is None else {"survey": survey}))
    (well,) = read_drillholes(paths["collar"], paths.get("survey"), **more)
    return well


@pytest.fixture
def campaign() -> dict[str, Well]:
    found = read_drillholes(DATA / "collar.csv", DATA / "survey.csv", [DATA / "assay.csv"])
    return {well.name: well for well in found}


def test_holes_come_in_the_order_of_their_collars_with_names_as_written(campaign):
    assert list(campaign) == ["DH-01", "dh-02", "007", "V1"]
    assert {well.kind for well in campaign.values()} == {"drillhole"}
    assert campaign["DH-01"].collar.tolist() == [1000.5, 2000.25, 350]


def test_a_surveyed_hole_is_its_minimum_curvature_and_goes_on_straight(campaign):
    well = campaign["DH-01"]
    assert well.depth.tolist() == [0, 50, 100, 120]
    # dips -60, -58, -55 are inclinations of 30, 32 and 35 from straight down
    np.testing.assert_array_equal(well.survey, [[30, 45], [32, 47.5], [35, 50], [35, 50]])
    expected = minimum_curvature([0, 50, 100, 120], [30, 32, 35, 35], [45, 47.5, 50, 50])
    np.testing.assert_allclose(well.path - well.collar, expected, rtol=0, atol=1e-9)
    last = math.radians(35)
    step = [
        20 * math.sin(last) * math.sin(math.radians(50)),
        20 * math.sin(last) * math.cos(math.radians(50)),
    ]
    np.testing.assert_allclose(well.path[3] - well.path[2], [*step, -20 * math.cos(last)])


def test_stations_are_sorted_and_those_of_one_depth_are_one(campaign):
    well = campaign["dh-02"]
    assert well.depth.tolist() == [0, 10, 30, 60, 80]
    assert well.survey[:, 1].tolist() == [90, 90, 90, 180, 180]
    for note in (
        "the stations were not in the order of their depths and were sorted.",
        "1 stations repeat the depth of another and were left out, 1 of them with other angles.",
        "the first station is at 10 m; from the collar to it the hole was taken as straight in its "
        "direction.",
        "holes of the survey whose collars are written otherwise: DH-02 (dh-02).",
    ):
        assert note in well.notes


def test_a_hole_without_length_ends_at_its_deepest_row(campaign):
    well = campaign["007"]
    assert well.depth.tolist() == [0, 33]
    assert "the collar has no length, the hole was taken to end at 33 m, its deepest row." in well.notes
    np.testing.assert_allclose(well.path[-1], [1200 - 33 * math.sqrt(0.5), 2100, 360 - 33 * math.sqrt(0.5)])


def test_a_hole_without_survey_is_vertical_and_says_so(campaign):
    well = campaign["V1"]
    assert well.path.tolist() == [[1300, 2150, 365], [1300, 2150, 315]]
    assert "the hole has no survey and was taken as vertical." in well.notes
    assert well.intervals == {}


def test_intervals_keep_their_order_text_and_units(campaign):
    assay = campaign["DH-01"].intervals["assay"]
    assert assay.start.tolist() == [0, 10, 15, 40, 110]
    assert assay.stop.tolist() == [10, 20, 25, 35, 130]
    np.testing.assert_array_equal(assay.values["Au"], [np.nan, 1.5, 2.5, 0.5, np.nan])
    assert assay.values["Rock"].tolist() == ["granite", "", "NA", "schist", "schist"]
    assert assay.values["Flag"].tolist() == [1, 1, 1, 1, 1]
    assert list(assay.values) == ["Au", "Rock", "Flag"]
    assert campaign["DH-01"].units == {"Au": "ppm"}
    assert campaign["007"].intervals["assay"].values["Rock"].tolist() == ["quartz, vein"]


def test_odd_intervals_are_kept_and_noted(campaign):
    notes = campaign["DH-01"].notes
    for note in (
        "table 'assay': 1 values of 'Au', such as '<0.01', are limits of detection and count as missing.",
        "table 'assay': 1 intervals run backwards, such as 40 to 35 m.",
        "table 'assay': 1 intervals overlap the one before, such as 15 to 25 m.",
        "table 'assay': 1 intervals go beyond the end of the hole at 120 m, such as 110 to 130 m.",
    ):
        assert note in notes
    assert not any("overlap" in note for note in campaign["007"].notes)
    lines = campaign["DH-01"].interval_lines("assay")
    assert lines.notes[-2] == "1 intervals beyond the path were left out."


def test_intervals_lie_on_the_arc_of_their_hole(campaign):
    well = campaign["DH-01"]
    lines = well.interval_lines("assay")
    np.testing.assert_allclose(lines.vertices[2], well.position([10])[0])


def test_positive_dips_are_downwards_if_all_are(tmp_path):
    down = one(tmp_path, "hole,depth,azimuth,dip\nA,0,90,60\n")
    assert down.survey[0].tolist() == [30, 90]
    assert "all angles of 'dip' are positive and were taken as dips downwards." in down.notes
    up = one(tmp_path, "hole,depth,azimuth,dip\nA,0,90,-60\nA,50,90,10\n")
    assert up.survey[:, 0].tolist() == [30, 100, 100]
    assert "1 angles of 'dip' are positive among negative ones, the hole goes up there." in up.notes
    asked = one(tmp_path, "hole,depth,azimuth,dip\nA,0,90,60\n", dip="negative down")
    assert asked.survey[0].tolist() == [150, 90]


def test_inclinations_count_from_the_vertical_or_the_horizontal_as_is_said(tmp_path):
    survey = "hole,depth,azi,inclination\nA,0,90,20\nA,50,90,30\n"
    with pytest.raises(
        FormatError, match="line 1: 'inclination' holds angles of 20 to 30 degrees, which may"
    ):
        one(tmp_path, survey)
    assert one(tmp_path, survey, dip="from vertical").survey[:, 0].tolist() == [20, 30, 30]
    assert one(tmp_path, survey, dip="positive down").survey[:, 0].tolist() == [70, 60, 60]
    assert one(tmp_path, survey.replace("90,", "90,-")).survey[0, 0] == 70


def test_a_vertical_hole_needs_no_azimuth(tmp_path):
    well = one(tmp_path, "hole,depth,azimuth,dip\nA,0,,-90\nA,50,10,-80\n")
    np.testing.assert_allclose(well.path[0], [100, 200, 50])
    assert well.survey[0].tolist() == [0, 0]


def test_the_direction_may_stand_beside_the_collar(tmp_path):
    collar = "hole,x,y,z,length,azimuth,dip\nA,100,200,50,100,90,-30\n"
    well = one(tmp_path, collar=collar)
    np.testing.assert_allclose(well.path[-1], [100 + 100 * math.cos(math.pi / 6), 200, 0], atol=1e-9)
    assert "the hole has no survey and was taken as straight in the direction of its collar." in well.notes
    surveyed = one(tmp_path, "hole,depth,azimuth,dip\nA,0,0,-90\n", collar=collar)
    assert surveyed.path[-1].tolist() == [100, 200, -50]


def test_a_survey_deeper_than_the_hole_makes_it_longer(tmp_path):
    well = one(tmp_path, "hole,depth,azimuth,dip\nA,0,0,-90\nA,130,0,-90\n")
    assert well.depth.tolist() == [0, 130]
    assert "the survey goes down to 130 m, beyond the end of the hole at 100 m." in well.notes


def test_feet_become_metres(tmp_path):
    collar = "hole,x,y,z (ft),EOH (ft)\nA,0,0,100,1000\n"
    well = one(tmp_path, "hole,depth (ft),azimuth,dip\nA,0,0,-90\nA,500,0,-90\n", collar=collar)
    np.testing.assert_allclose(well.depth, [0, 152.4, 304.8])
    np.testing.assert_allclose(well.collar, [0, 0, 30.48])
    assert "'EOH' is in 'ft' and was converted to metres (0.3048)." in well.notes


def test_columns_can_be_named_and_keep_the_names_of_holes(tmp_path):
    paths = tables(
        tmp_path, collar="pit,site,ea,no,hi\n1,007,1,2,3\n",
        survey="site,m,az,ang\n007,0,0,-90\n007,5,0,-90\n", geo="SITE,von,bis,rock\n007,0,5,x\n",
    )  # fmt: skip
    named = {
        "hole": "Site", "x": "ea", "y": "no", "z": "hi", "depth": "m", "dip": "ang", "from": "von",
        "to": "bis",
    }  # fmt: skip
    (well,) = read_drillholes(paths["collar"], paths["survey"], paths["geo"], columns=named)
    assert well.name == "007"
    assert well.path.tolist() == [[1, 2, 3], [1, 2, -2]]
    assert well.intervals["geo"].values["rock"].tolist() == ["x"]
    with pytest.raises(ValueError, match="none of the tables has the column 'gone' of columns="):
        read_drillholes(paths["collar"], paths["survey"], paths["geo"], columns={**named, "length": "gone"})
    with pytest.raises(ValueError, match="columns names 'depths', it can name 'hole', 'x'"):
        read_drillholes(paths["collar"], columns={"depths": "m"})


def test_tables_are_named_by_their_files_or_as_asked(tmp_path):
    (tmp_path / "b").mkdir()
    paths = tables(tmp_path, collar=COLLAR, geo="hole,from,to,a\nA,0,5,1\n")
    other = tables(tmp_path / "b", geo="hole,from,to,a\nA,0,5,2\n")["geo"]
    (well,) = read_drillholes(paths["collar"], intervals=[paths["geo"], other])
    assert list(well.intervals) == ["geo", "geo_2"]
    (well,) = read_drillholes(paths["collar"], intervals={"assay": paths["geo"], "rock": str(other)})
    assert [t.values["a"].tolist() for t in well.intervals.values()] == [[1], [2]]
    assert list(well.intervals) == ["assay", "rock"]


def test_different_units_of_one_name_are_said(tmp_path):
    paths = tables(
        tmp_path,
        collar=COLLAR,
        one="hole,from,to,au (ppm)\nA,0,5,1\n",
        two="hole,from,to,au (ppb)\nA,0,5,1\n",
    )
    (well,) = read_drillholes(paths["collar"], intervals=[paths["one"], paths["two"]])
    assert well.units == {"au": "ppm"}
    assert "table 'two' has other units of au than the one before." in well.notes


def test_holes_without_a_collar_are_refused_or_left_out(tmp_path):
    survey = "hole,depth,azimuth,dip\nA,0,0,-90\n" + "".join(f"X{i},0,0,-90\n" for i in range(12))
    with pytest.raises(
        FormatError,
        match=r"survey.csv, line 3: 12 holes of the survey have no collar: X0, X1, .*X9 and 2 more",
    ):
        one(tmp_path, survey)
    well = one(tmp_path, survey, errors="skip")
    assert any(
        note.startswith("12 holes of the survey have no collar and were left out") for note in well.notes
    )
    path = tables(tmp_path, geo="hole,from,to\nA,0,5\nB,0,5\n")["geo"]
    with pytest.raises(FormatError, match=r"geo.csv, line 3: 1 holes of the table 'geo' have no collar: B"):
        one(tmp_path, intervals=path)


def test_capitals_decide_where_two_collars_differ_in_them_only(tmp_path):
    collar = "hole,x,y,z\nA,0,0,0\na,1,1,1\n"
    paths = tables(tmp_path, collar=collar, survey="hole,depth,azimuth,dip\na,0,0,-90\na,9,0,-90\n")
    upper, lower = read_drillholes(paths["collar"], paths["survey"])
    assert (upper.depth.tolist(), lower.depth.tolist()) == ([0], [0, 9])


@pytest.mark.parametrize(
    ("survey", "message"),
    [
        (
            "A,-5,0,-90\n",
            "line 2: the station of 'A' at -5 m has the azimuth '0' and the angle '-90'; a depth",
        ),
        ("A,0,400,-80\n", "has the azimuth '400' and the angle '-80'"),
        ("A,0,,-80\n", "has the azimuth '' and the angle '-80'"),
        ("A,0,0,-95\n", "has the azimuth '0' and the angle '-95'"),
        (
            "A,0,0,x\n",
            "the angle 'x'; a depth from 0, an azimuth of -360 to 360 and a possible dip are needed",
        ),
        ("A,x,0,-90\n", "line 2: depth is 'x', a finite number is needed"),
        ("A,0,0,-10\nA,9,180,10\n", "line 2: the survey of 'A' makes no path: the hole turns back on itself"),
    ],
)
def test_impossible_stations_are_refused_or_left_out(tmp_path, survey, message):
    survey = "hole,depth,azimuth,dip\n" + survey
    with pytest.raises(FormatError, match=message):
        one(tmp_path, survey)
    well = one(tmp_path, survey, errors="skip")
    assert well.path.tolist() == [[100, 200, 50], [100, 200, -50]]
    assert any("left out" in note for note in well.notes)


@pytest.mark.parametrize(
    ("collar", "message"),
    [
        (
            "hole,x,y\nA,1,2\n",
            r"line 1: no column has a usual name for the z of the holes. There are: hole, x, y. Name",
        ),
        (
            "x,y,z\n1,2,3\n",
            r"no column has a usual name for the hole of the holes.*columns=\{'hole': '...'\}",
        ),
        (
            "hole,x,y,z\nA,1,2,3\nA,1,2,3\n",
            "line 3: the hole 'A' has a second collar. Read with errors='skip'",
        ),
        ("hole,x,y,z\nA,1,2,3\n,1,2,3\n", "line 3: a collar has no name of a hole"),
        ("hole,x,y,z\nA,1,2,nan\nA,1,2,3\n", "line 2: z is 'nan', a finite number is needed"),
    ],
)
def test_damaged_collars_are_refused_with_the_line(tmp_path, collar, message):
    with pytest.raises(FormatError, match=message):
        one(tmp_path, collar=collar)


def test_collars_that_cannot_be_used_are_left_out_on_request(tmp_path):
    well = one(tmp_path, collar="hole,x,y,z\nB,1,2,x\nA,1,2,3\nA,7,8,9\n,1,2,3\n", errors="skip")
    assert well.collar.tolist() == [1, 2, 3]
    assert "1 rows without finite coordinates were left out." in well.notes
    assert "collars that repeat a hole or have no name were left out: A, ?." in well.notes


def test_surveys_and_intervals_name_the_columns_they_need(tmp_path):
    with pytest.raises(FormatError, match="no column has a usual name for the azimuth of the holes"):
        one(tmp_path, "hole,depth,dip\nA,0,-90\n")
    with pytest.raises(FormatError, match="no column has a usual name for the dip of the holes"):
        one(tmp_path, "hole,depth,azimuth\nA,0,0\n")
    with pytest.raises(FormatError, match="no column has a usual name for the from or the to of the holes"):
        one(tmp_path, intervals=tables(tmp_path, geo="hole,rock\nA,x\n")["geo"])
    with pytest.raises(FormatError, match=r"geo.csv, line 2: from is '', a finite number is needed"):
        one(tmp_path, intervals=tables(tmp_path, geo="hole,from,to\nA,,5\n")["geo"])


def test_choices_that_are_none_are_refused(tmp_path):
    with pytest.raises(ValueError, match="errors='lax' is not known, use 'strict' or 'skip'"):
        one(tmp_path, errors="lax")
    with pytest.raises(ValueError, match="dip='down' is not known, use one of 'auto', 'negative down'"):
        one(tmp_path, dip="down")


def test_empty_tables_make_no_holes(tmp_path):
    paths = tables(tmp_path, collar="hole,x,y,z\n", survey="hole,depth,azimuth,dip\n", geo="hole,from,to,a\n")
    assert read_drillholes(paths["collar"], paths["survey"], [paths["geo"]]) == []
    (well,) = read_drillholes(
        tables(tmp_path, collar=COLLAR)["collar"], paths["survey"], [paths["geo"]]
    )  # fmt: skip
    assert well.depth.tolist() == [0, 100]


def test_what_is_written_as_intervals_is_read_again(campaign, tmp_path):
    table.write_intervals(tmp_path / "assay.csv", list(campaign.values()))
    found = read_drillholes(DATA / "collar.csv", DATA / "survey.csv", [tmp_path / "assay.csv"])
    for well in found:
        for name, before in campaign[well.name].intervals.items():
            after = well.intervals[name]
            np.testing.assert_array_equal(after.start, before.start)
            np.testing.assert_array_equal(after.stop, before.stop)
            for column, values in before.values.items():
                np.testing.assert_array_equal(after.values[column], values)
            assert well.units == {"Au": "ppm"}


def test_tables_without_place_are_known_and_say_how_to_read_them():
    for name, kind in (("survey.csv", "a survey"), ("assay.csv", "a table of intervals")):
        path = DATA / name
        head = path.read_bytes()
        assert drillholes.matches(path, head)
        with pytest.raises(FormatError, match=f"this is {kind} of drillholes, which have no place without"):
            drillholes.read_bodies(path, Options())
    assert not drillholes.matches(DATA / "collar.csv", (DATA / "collar.csv").read_bytes())
    assert table.matches(DATA / "collar.csv", (DATA / "collar.csv").read_bytes())
    (points,) = table.read_bodies(DATA / "collar.csv", Options())
    assert points.vertices[0].tolist() == [1000.5, 2000.25, 350]


def test_many_holes_are_matched_in_their_own_rows(tmp_path, rng):
    names = [f"H{i:04d}" for i in range(500)]
    order = rng.permutation(np.repeat(np.arange(500), 4))
    depth = np.zeros(500)
    rows, expected = [], {name: [] for name in names}
    for i in order:
        rows.append(f"{names[i]},{depth[i]},{depth[i] + 1},{i + depth[i] / 10}")
        expected[names[i]].append(i + depth[i] / 10)
        depth[i] += 1
    paths = tables(
        tmp_path, collar="hole,x,y,z\n" + "".join(f"{n},{i},0,0\n" for i, n in enumerate(names)),
        assay="hole,from,to,v\n" + "\n".join(rows) + "\n",
    )  # fmt: skip
    for well in read_drillholes(paths["collar"], intervals=paths["assay"]):
        assert well.intervals["assay"].values["v"].tolist() == expected[well.name]
