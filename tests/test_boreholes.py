"""Drilled intervals land in the cells that the hole passes through, weighted by its length there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from mpm3d import boreholes, inputs
from mpm3d import study as studies
from mpm3d.errors import StudyError
from mpm3d.grid import Grid
from mpm3d.io.drillholes import read_drillholes
from mpm3d.wells import Intervals, Well, minimum_curvature

GRID = Grid.from_bounds((0, 0, -300, 300, 300, 0), 50, "EPSG:32651")


def hole(
    collar: tuple[float, float, float],
    stations: list[tuple[float, float, float]],
    rows: list[tuple[float, float, float]],
) -> Well:
    """A hole of stations (depth, inclination, azimuth) and rows (from, to, au)."""
    depth, inclination, azimuth = np.array(stations, dtype=float).T
    path = np.array(collar) + minimum_curvature(depth, inclination, azimuth)
    start, stop, au = np.array(rows, dtype=float).reshape(-1, 3).T
    table = Intervals(start, stop, {"au": au, "rock": np.array(["a"] * len(au))})
    angles = np.column_stack([inclination, azimuth])
    return Well("DH1", path[0], depth, path, survey=angles, intervals={"assay": table})


def by_cell(found: boreholes.Drilled) -> Mapping[tuple[int, ...], tuple[float, float]]:
    cells = [tuple(cell) for cell in found.cells.tolist()]
    return dict(zip(cells, zip(found.mean.tolist(), found.length.tolist(), strict=True), strict=True))


def test_a_vertical_hole_gives_length_weighted_means_in_its_column() -> None:
    down = [(0, 0, 0), (200, 0, 0)]
    found = boreholes.drilled(
        [hole((120, 70, 0), down, [(0, 40, 1), (40, 70, 3), (110, 130, 8)])], "au", GRID
    )
    cells = by_cell(found)
    # cells of 50 m from 0 down: 40 m of 1 and 10 m of 3; 20 m of 3; 20 m of 8
    assert set(cells) == {(5, 1, 2), (4, 1, 2), (3, 1, 2)}
    assert cells[5, 1, 2] == pytest.approx(((40 * 1 + 10 * 3) / 50, 50))
    assert cells[4, 1, 2] == pytest.approx((3, 20))
    assert cells[3, 1, 2] == pytest.approx((8, 20))


def test_an_inclined_hole_is_cut_exactly_at_the_faces_of_cells() -> None:
    # dip 45 degrees to the east from x 10: it leaves the first column after 40 m east, which is 40 m down
    along = [(0, 45, 90), (200, 45, 90)]
    found = boreholes.drilled([hole((10, 25, 0), along, [(0, 100, 2), (100, 200, 4)])], "au", GRID)
    cells = by_cell(found)
    root = np.sqrt(2)
    assert cells[5, 0, 0] == pytest.approx((2, 40 * root))
    assert cells[5, 0, 1] == pytest.approx((2, 10 * root))
    # from 50 m down at x 60 to 90 m down at x 100; the grade changes at 100 m, which is at 70.71 m down
    low, high = 100 - 50 * root, 90 * root - 100
    assert cells[4, 0, 1] == pytest.approx(((2 * low + 4 * high) / (low + high), 40 * root))
    assert found.length.sum() == pytest.approx(200)


def test_lengths_on_an_arc_add_up_and_cells_are_those_of_a_fine_sampling() -> None:
    arc = [(0, 0, 60), (250, 60, 80)]
    well = hole((20, 20, -1), arc, [(10, 90, 1), (90, 240, 7)])
    found = by_cell(boreholes.drilled([well], "au", GRID))
    assert sum(length for _, length in found.values()) == pytest.approx(230)
    depth = np.arange(10, 240, 0.01) + 0.005
    cells, count = np.unique(GRID.index_of(well.position(depth)), axis=0, return_counts=True)
    assert set(map(tuple, cells.tolist())) == set(found)
    for cell, n in zip(cells.tolist(), count, strict=True):
        assert found[tuple(cell)][1] == pytest.approx(n * 0.01, abs=0.3)


def test_a_kink_between_points_of_a_path_without_survey_stays_where_it_is() -> None:
    path = np.array([[25.0, 25, 0], [25, 25, -52], [225, 25, -52]])
    table = Intervals(np.array([0.0]), np.array([252.0]), {"au": np.array([1.0])})
    well = Well("DH1", path[0], np.array([0.0, 52, 252]), path, intervals={"assay": table})
    cells = by_cell(boreholes.drilled([well], "au", GRID))
    assert cells[5, 0, 0] == pytest.approx((1, 50))
    assert cells[4, 0, 0] == pytest.approx((1, 2 + 25))


def test_missing_values_overlaps_and_what_lies_outside_are_counted_as_said() -> None:
    down = [(0, 0, 0), (400, 0, 0)]
    rows = [(0, 20, np.nan), (20, 50, 6), (20, 50, 2), (60, 50, 5), (290, 390, 9), (390, 420, 1)]
    found = boreholes.drilled([hole((25, 25, 0), down, rows)], "au", GRID)
    cells = by_cell(found)
    assert cells[5, 0, 0] == pytest.approx((4, 60)), "missing is not zero, overlaps count both"
    assert cells[4, 0, 0] == pytest.approx((5, 10)), "backwards rows are turned"
    assert cells[0, 0, 0] == pytest.approx((9, 10)), "what is below the grid is left out"
    assert found.notes == ("DH1: 1 intervals go beyond the hole at 400 m and were cut there.",)
    nothing = boreholes.drilled([hole((999, 25, 0), down, rows)], "au", GRID)
    assert len(nothing.cells) == 0
    assert np.isnan(boreholes.fill(nothing, GRID, GRID, radius=100)).all()


def test_ore_cells_pass_the_cutoff_by_their_mean_not_by_their_best_interval() -> None:
    down = [(0, 0, 0), (100, 0, 0)]
    well = hole((25, 25, 0), down, [(0, 2, 20), (2, 50, 0), (50, 100, 1)])
    found = boreholes.drilled([well], "au", GRID)
    assert found.at_least(1.0).tolist() == [[4, 0, 0]]
    assert len(found.at_least(0.8)) == 2, "20 g/t over 2 m is 0.8 g/t over 50 m"
    lines = boreholes.ore([well], "au", 1.0)
    assert lines.vertices[:, 2].tolist() == [0, -2, -50, -100]


def test_a_layer_is_missing_without_a_hole_and_spreads_as_far_as_asked() -> None:
    down = [(0, 0, 0), (50, 0, 0)]
    wells = [hole((25, 25, 0), down, [(0, 50, 1)]), hole((175, 25, 0), down, [(0, 25, 4)])]
    found = boreholes.drilled(wells, "au", GRID)
    bare = boreholes.fill(found, GRID, GRID)
    assert np.isfinite(bare).sum() == 2
    wide = boreholes.fill(found, GRID, GRID, radius=100.0)
    assert (wide[5, 0, 0], wide[5, 0, 3]) == (1, 4), "drilled cells keep their own"
    # 50 m from one of 50 m of hole, 100 m from the other of 25 m: weights 50/50² and 25/100²
    a, b = 50 / 50**2, 25 / 100**2
    assert wide[5, 0, 1] == pytest.approx((a * 1 + b * 4) / (a + b))
    assert np.isnan(wide[2, 0, 0])
    window = GRID.window((slice(3, 6), slice(0, 2), slice(1, 5)))
    np.testing.assert_array_equal(boreholes.fill(found, GRID, window, radius=100.0), wide[3:6, 0:2, 1:5])


def test_columns_that_are_not_there_and_bad_radii_are_refused() -> None:
    well = hole((25, 25, 0), [(0, 0, 0), (50, 0, 0)], [(0, 50, 1)])
    with pytest.raises(ValueError, match=r"no column of numbers 'cu', they have 'au'"):
        boreholes.drilled([well], "cu", GRID)
    with pytest.raises(ValueError, match=r"'rock' \(it holds text\)"):
        boreholes.drilled([well], "rock", GRID)
    with pytest.raises(ValueError, match=r"a radius of -5 m is not possible"):
        boreholes.fill(boreholes.drilled([well], "au", GRID), GRID, GRID, radius=-5)


def test_tables_of_collars_surveys_and_assays_go_the_whole_way(tmp_path: Path) -> None:
    (tmp_path / "collar.csv").write_text("BHID,EAST,NORTH,RL,EOH\nA,10,25,0,200\n")
    (tmp_path / "survey.csv").write_text("BHID,DEPTH,AZI,DIP\nA,0,90,-45\nA,200,90,-45\n")
    (tmp_path / "assay.csv").write_text("BHID,FROM,TO,AU\nA,0,100,2\nA,100,200,4\n")
    wells = read_drillholes(*(tmp_path / f"{name}.csv" for name in ("collar", "survey", "assay")))
    cells = by_cell(boreholes.drilled(wells, "AU", GRID))
    assert cells[5, 0, 0] == pytest.approx((2, 40 * np.sqrt(2)))


STUDY = """
name = "drilled"

[grid]
crs = "EPSG:32651"
x = [0, 300]
y = [0, 300]
z = [-300, 0]

[[layers]]
name = "arsenic"
kind = "boreholes"
collar = "collar.csv"
survey = "survey.csv"
intervals = "assay.csv"
assay = "AS"
radius = 60.0
units = "ppm"

[[deposits]]
name = "Lode"
collar = "collar.csv"
survey = "survey.csv"
intervals = "assay.csv"
assay = "AU"
cutoff = 2.5
"""


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    (tmp_path / "collar.csv").write_text("BHID,EAST,NORTH,RL,EOH\nA,10,25,0,200\n")
    (tmp_path / "survey.csv").write_text("BHID,DEPTH,AZI,DIP\nA,0,90,-45\nA,200,90,-45\n")
    (tmp_path / "assay.csv").write_text("BHID,FROM,TO,AU,AS\nA,0,100,2,30\nA,100,200,4,50\n")
    (tmp_path / "study.toml").write_text(STUDY)
    return tmp_path / "study.toml"


def test_a_study_takes_layers_and_deposits_from_drillholes(study_file: Path) -> None:
    loaded = studies.load(study_file)
    told: list[str] = []
    fill, how = inputs.filler(loaded, loaded.layers[0], told.append)
    assert how == "length-weighted mean of AS in the cells of the holes, and of holes within 60 m elsewhere"
    values = fill(GRID)
    assert values[5, 0, 0] == 30
    assert values[5, 1, 0] == pytest.approx(30), "50 m beside the hole"
    assert np.isnan(values[5, 3, 0])
    assert "arsenic: 1 holes, 200 m with AS in 6 cells." in told
    ore = inputs.deposit(loaded, loaded.deposits[0], GRID, told.append)
    mixed = by_cell(boreholes.drilled(studies.drillholes(loaded.layers[0], loaded.folder), "AU", GRID))
    assert {tuple(cell) for cell in ore.cells.tolist()} == {c for c, (au, _) in mixed.items() if au >= 2.5}
    (body,) = inputs.deposit_bodies(loaded, loaded.deposits[0], told.append)
    # the ore is from 100 to 200 m along the hole, which dips 45 degrees
    assert body.vertices[:, 2] == pytest.approx([-100 / np.sqrt(2), -200 / np.sqrt(2)])


def test_a_layer_of_drillholes_changes_with_each_of_its_tables(study_file: Path) -> None:
    loaded = studies.load(study_file)
    seen = {inputs.recipe(loaded, loaded.layers[0], "f")}
    for name in ("collar.csv", "survey.csv", "assay.csv"):
        path = study_file.with_name(name)
        path.write_text(path.read_text() + "\n")
        seen.add(inputs.recipe(loaded, loaded.layers[0], "f"))
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("cutoff = 2.5\n", "", "comes from drillholes, and lacks cutoff. Give collar, intervals, assay and"),
        ("cutoff = 2.5", "cutoff = 25", "no interval of assay.csv reaches AU = 25. Lower the cutoff"),
        ('assay = "AU"', 'assay = "CU"', "no column of numbers 'CU', they have 'AS', 'AU'"),
        ("cutoff = 2.5", "cutoff = 2.5\npoints = 'collar.csv'", "needs one of files, points and intervals"),
        ('survey = "survey.csv"\nintervals = "assay.csv"\nassay = "AU"', 'survey = "s.csv"\nintervals = '
         '"assay.csv"\nassay = "AU"', "survey = 's.csv' does not exist"),
    ],
)  # fmt: skip
def test_drilled_deposits_that_cannot_be_are_refused(
    study_file: Path, old: str, new: str, message: str
) -> None:
    study_file.write_text(study_file.read_text().replace(old, new))
    with pytest.raises(StudyError, match=re.escape(message)):
        studies.load(study_file)


def test_a_layer_of_a_column_that_is_not_there_is_refused(study_file: Path) -> None:
    study_file.write_text(study_file.read_text().replace('"AS"', '"SB"'))
    loaded = studies.load(study_file)
    with pytest.raises(StudyError, match=r"'arsenic': .* no column of numbers 'SB'"):
        inputs.filler(loaded, loaded.layers[0], print)
