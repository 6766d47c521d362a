"""The page and the model card of a study that is a map: the map moves, and all words are those of areas."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyproj
import pytest
from typer.testing import CliRunner

from mpm3d import report, reporting, stages
from mpm3d.cli import app
from mpm3d.errors import StudyError
from mpm3d.grid import Grid
from mpm3d.report import sheet, view2d, words
from tests.conftest import FOREST, map_study
from tests.test_map_study import Said
from tests.test_report import ORDER, Reader, Seen, example, picture, target_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

# a UTM zone 51N map, 40 × 30 cells of 100 m
GRID = Grid((1, 30, 40), (100.0, 100.0, 100.0), (0.0, 4430000.0, 500000.0), "EPSG:32651")
T1 = np.array(
    [[500800, 4430300], [501200, 4430300], [501200, 4430600], [500800, 4430600], [500800, 4430300.0]]
)
HOLE = np.array(
    [[500900, 4430400], [501000, 4430400], [501000, 4430500], [500900, 4430500], [500900, 4430400.0]]
)
T2 = T1 + np.array([2000.0, 1500.0])


PLANE = np.linspace(0.5, 99.5, 1200).reshape(30, 40)
PLANE[0, 0] = np.nan
SHEET = report.sheet_of(
    PLANE,
    GRID,
    rings={"T01": [T1, HOLE], "T02": [T2]},
    places=[
        report.Place("Kuh", False, 500350.0, 4430350.0),
        report.Place("Tal", True, 503050.0, 4432050.0),
    ],
)


def drawn(**changes: Any) -> report.Report:
    """A report of a map with two targets, a known and a blind deposit."""
    rows = (
        target_rows()
        .iloc[:2]
        .drop(
            columns=[
                "elevation",
                "volume_m3",
                "z_top",
                "z_base",
                "depth_top",
                "depth_base",
                "hole",
                "hole_note",
            ]
        )
    )
    rows = rows.assign(
        x=[501000.0, 503000.0], y=[4430450.0, 4431950.0], area_m2=[110_000.0, 120_000.0],
        x_min=[500800.0, 502800.0], x_max=[501200.0, 503200.0], y_min=[4430300.0, 4431800.0],
        y_max=[4430600.0, 4432100.0], latitude=[40.0193, 40.0328], longitude=[123.0117, 123.0351],
        best_x=[501150.0, 503150.0], best_y=[4430550.0, 4432050.0], best_latitude=[40.02025, 40.03375],
        best_longitude=[123.01347, 123.03690],
    )  # fmt: skip
    flat = dataclasses.replace(
        example(), targets=rows, holes=pd.DataFrame(), groups=(), thinned=(),
        figures={name: picture() for name in ("map", "success", "pa_curve", "attribution_leading")},
        map=SHEET,
    )  # fmt: skip
    return dataclasses.replace(flat, **changes)


# What the page says


def test_a_map_says_where_in_square_kilometres_and_as_a_gps_does() -> None:
    text = Reader(report.render(drawn())).text
    assert "501,000 E, 4,430,450 N; 40.01930° N, 123.01170° E" in text
    assert "0.11 km²; 400 m west–east, 300 m south–north" in text
    assert "T01: go to 40.02025° N, 123.01347° E" in text
    assert "501,150 E, 4,430,550 N" in text
    assert "Check there density contrast and distance to faults" in text
    assert "Then T02 40.03375° N, 123.03690° E (at Kuh)" in text
    assert "cells of 100 m × 100 m" in text
    assert "the best 2 % of the area held part of 3 of 6 deposits" in text
    assert "a target to see it on the map. Targets are the best 11 % of the area outside known ore." in text
    assert "Share of a left-out deposit" not in text, "a picture that is not there"
    for title in ("How much area for how much ore", "success-rate curve", "Which layer moves the score most"):
        assert title in text


def test_the_way_leads_to_new_ground_before_the_surroundings_of_known_ore() -> None:
    two = drawn().targets
    more = two.iloc[[1, 1]].assign(rank=[3, 4], id=["T03", "T04"], kind=["new", "extension"])
    rows = pd.concat([two.assign(kind="extension"), more], ignore_index=True)
    text = Reader(report.render(drawn(targets=rows))).text
    assert "T01: go to" in text
    then = [text.index(f"Then {name}") for name in ("T03", "T02", "T04")]
    assert then == sorted(then)


def test_nothing_on_a_map_is_said_of_a_volume() -> None:
    flat = drawn()
    for text in (Reader(report.render(flat)).text, report.model_card(flat)):
        assert re.findall(r"volume|depth|drill|elevation|m³|\b3D\b", text, re.IGNORECASE) == []
    assert "(y, x) of 1 layers" in report.model_card(flat)


def test_a_volume_has_no_word_of_a_map() -> None:
    text = Reader(report.render(example())).text
    assert "on the map" not in text
    assert "km²" not in text


def test_a_map_without_a_place_on_the_earth_names_its_own_coordinates() -> None:
    rows = drawn().targets.assign(
        longitude=np.nan, latitude=np.nan, best_longitude=np.nan, best_latitude=np.nan
    )
    flat = drawn(targets=rows)
    assert words.visiting(flat).headline == "T01: go to 501,150 E, 4,430,550 N"
    page = Reader(report.render(flat))
    assert "latitude" not in page.cells("T01")
    assert "WGS 84, as a GPS shows" not in page.text
    assert "nan" not in page.text.lower().split()


def test_a_map_without_targets_or_their_reasons_says_so() -> None:
    none = Reader(report.render(drawn(targets=drawn().targets.iloc[:0]))).text
    assert "No target was found above the threshold." in none
    assert "There is no target to go to." in none
    bare = drawn().targets.drop(columns=["reasons_for", "reasons_against"])
    assert "Check there" not in Reader(report.render(drawn(targets=bare))).text
    assert "Draw it with: mpm3d picture study.toml" in Reader(report.render(drawn(figures={}))).text


# What is drawn


def test_a_large_map_is_thinned_to_the_best_of_its_cells_and_that_is_said() -> None:
    grid = Grid((1, 700, 901), (10.0, 10.0, 10.0), (0.0, 0.0, 0.0), "EPSG:32651")
    plane = np.full((700, 901), 10.0)
    plane[5, 900] = 99.9  # in a last column that has no neighbour
    plane[100:102, 100:102] = np.nan
    found = report.sheet_of(plane, grid, rings={}, places=[])
    assert found.values.size <= sheet.MOST_CELLS
    assert (found.every, found.values.shape, found.step) == (2, (350, 451), (20.0, 20.0))
    assert found.values[2, 450] == np.float32(99.9)
    assert np.argwhere(np.isnan(found.values)).tolist() == [[50, 50]]
    assert found.thinned == ("Each square of the map is the best of 2 × 2 cells.",)
    assert found.thinned[0] in Reader(str(view2d.view_section(drawn(map=found)))).text


def test_outlines_of_many_corners_are_simplified_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "MOST_CORNERS", 40)
    turn = np.linspace(0, 2 * np.pi, 200)
    circle = np.column_stack([502000 + 1000 * np.cos(turn), 4431500 + 1000 * np.sin(turn)])
    found = report.sheet_of(np.ones((30, 40)), GRID, rings={"T01": [circle]}, places=[])
    (ring,) = found.rings["T01"]
    assert 8 < len(ring) <= 40
    assert np.abs(np.hypot(*(ring - (502000, 4431500)).T) - 1000).max() < 100
    assert found.thinned == (f"Outlines of the targets are drawn with {len(ring)} of their 200 corners.",)


def test_longitudes_and_latitudes_are_those_of_proj_everywhere_on_the_map() -> None:
    lattice = SHEET.lattice()
    assert lattice is not None
    n = lattice["n"]
    change = pyproj.Proj("EPSG:32651")
    x, y = np.meshgrid(np.linspace(500000, 504000, n), np.linspace(4430000, 4433000, n))
    lon, lat = change(x, y, inverse=True)
    np.testing.assert_allclose(np.reshape(lattice["lon"], (n, n)), lon, atol=1e-7)
    np.testing.assert_allclose(np.reshape(lattice["lat"], (n, n)), lat, atol=1e-7)


def test_longitudes_do_not_jump_at_the_date_line() -> None:
    grid = Grid((1, 10, 10), (1.0, 50_000.0, 50_000.0), (0.0, 7_000_000.0, 600_000.0), "EPSG:32660")
    lattice = report.sheet_of(np.ones((10, 10)), grid, rings={}, places=[]).lattice()
    assert lattice is not None
    lon = np.reshape(lattice["lon"], (lattice["n"], lattice["n"]))
    assert lon.max() > 180
    assert np.abs(np.diff(lon, axis=1)).max() < 1


def test_a_local_coordinate_system_has_no_longitudes() -> None:
    local = pyproj.CRS.from_wkt(
        'LOCAL_CS["mine",UNIT["metre",1],AXIS["Easting",EAST],AXIS["Northing",NORTH]]'
    ).to_wkt()
    assert np.isnan(report.lon_lat(local, [1.0], [2.0])).all()
    found = dataclasses.replace(SHEET, crs=local)
    assert found.lattice() is None


# From a run folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Said]:
    """A small map with a forest, from files to the page; gives its study.toml, and what was said."""
    settings = FOREST + '\n[validate]\nschemes = ["deposit"]\n\n[targets]\nshare = 0.03\n'
    path, said = map_study(tmp_path_factory.mktemp("flat"), settings=settings), Said()
    run = said.run(path)
    with run.folder.locked():
        stages.everything(run, study="study.toml")
    return path, said


@pytest.fixture
def copied(finished: tuple[Path, Said], tmp_path: Path) -> Path:
    shutil.copytree(finished[0].parent, tmp_path / "copy")
    return tmp_path / "copy" / "study.toml"


def test_a_map_ends_with_its_page_and_card_among_what_was_made(finished: tuple[Path, Said]) -> None:
    path, said = finished
    run = Said().run(path)
    for name in ("report.html", "model_card.md", "figures/map.png", "prospectivity.tif"):
        assert str(run.path(name)) in said.text
        assert run.path(name).is_file()
    assert run.path("report.html").stat().st_size < 12_000_000


def test_page_and_card_of_a_map_have_what_its_files_say(finished: tuple[Path, Said]) -> None:
    run = Said().run(finished[0])
    found = Reader(run.path("report.html").read_text(encoding="utf-8"))
    with run.path("targets.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    to_xy = pyproj.Proj("EPSG:32754")
    for row in rows:
        cells = found.cells(row["id"])
        for field in ("x", "y", "area_m2", "mean_score", "distance_m", "ranking"):
            assert float(cells[field]) == float(row[field])
        there = to_xy(float(cells["longitude"]), float(cells["latitude"]))
        assert there == pytest.approx((float(row["x"]), float(row["y"])), abs=0.01)
    plain = re.sub(r"kind forest.*?depth", "", found.text)  # a forest has a depth of its own
    assert re.findall(r"volume|depth|drill|elevation|m³", plain, re.IGNORECASE) == []
    card = run.path("model_card.md").read_text(encoding="utf-8")
    assert "Acacia" in card
    assert "Kept blind, never shown to it: Corella, Emu Well and Ironbark." in card
    assert "mpm3d run study.toml" in found.text
    with run.path("comparison.csv").open(encoding="utf-8", newline="") as file:
        means = {(row["scheme"], row["metric"]): row["mean"] for row in csv.DictReader(file)}
    assert f"AUC {float(means['deposit', 'auc']):.3f}" in found.text


def test_the_best_cell_of_a_target_is_its_highest_score(finished: tuple[Path, Said]) -> None:
    run = Said().run(finished[0])
    rows = {row["id"]: row for row in reporting.gather(run).rows}
    with run.path("targets.csv").open(encoding="utf-8", newline="") as file:
        peaks = {row["id"]: float(row["peak_score"]) for row in csv.DictReader(file)}
    import rasterio

    with rasterio.open(run.path("prospectivity.tif")) as file:
        for name, peak in peaks.items():
            (value,) = next(file.sample([(rows[name]["best_x"], rows[name]["best_y"])]))
            assert value == pytest.approx(peak, rel=1e-6), name


def test_the_page_draws_the_percentiles_that_scipy_gives(finished: tuple[Path, Said]) -> None:
    from scipy.stats import rankdata

    from mpm3d import cube

    run = Said().run(finished[0])
    shown = reporting.gather(run).map
    assert shown is not None
    score = cube.open(run.path("prospectivity.zarr"))["score"].values[0]
    there = np.isfinite(score)
    expected = 100 * (rankdata(score[there]) - 0.5) / there.sum()
    np.testing.assert_allclose(shown.values[there], expected, atol=1e-4)
    assert np.isnan(shown.values[~there]).all()


def test_a_map_whose_files_are_of_different_runs_is_one_sentence(copied: Path) -> None:
    run = Said().run(copied)
    table = run.path("targets.csv").read_text(encoding="utf-8")
    run.path("targets.csv").write_text(table.replace("T01,1,", "T77,1,"), encoding="utf-8")
    with pytest.raises(
        StudyError, match=r"targets\.gpkg lacks the outlines of T77 of targets\.csv.* mpm3d targets"
    ):
        reporting.gather(run)
    run.path("targets.csv").write_text(table, encoding="utf-8")
    state = run.path("run.json").read_text(encoding="utf-8")
    told = json.loads(state)
    told["stages"]["targets"]["share"] = 0.5
    run.path("run.json").write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(StudyError, match=r"the targets are of other scores: .* Make them again"):
        reporting.gather(run)
    run.path("run.json").write_text(state, encoding="utf-8")
    run.path("targets.gpkg").write_bytes(b"no box")
    with pytest.raises(StudyError, match=r"targets\.gpkg cannot be read .* mpm3d targets study\.toml"):
        reporting.gather(run)
    run.path("targets.csv").write_text(table.replace("area_m2", "volume_m3"), encoding="utf-8")
    with pytest.raises(StudyError, match=r"targets\.csv lacks the columns area_m2"):
        reporting.gather(run)


def test_the_verb_writes_the_page_of_a_map_where_it_is_told(
    finished: tuple[Path, Said], tmp_path: Path
) -> None:
    out = tmp_path / "to send" / "map.html"
    result = CliRunner().invoke(app, ["report", str(finished[0]), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert out.is_file()
    assert (out.parent / "model_card.md").is_file()


def test_targets_are_named_on_the_picture_once_each(
    finished: tuple[Path, Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation

    from mpm3d import mapping
    from mpm3d.maps import picture as pictures

    seen: list[Figure] = []

    def keep(figure: Figure, path: Path) -> Path:
        seen.append(figure)
        return path

    monkeypatch.setattr(pictures, "write", keep)
    run = Said().run(finished[0])
    mapping.draw(run, tmp_path / "map.png")
    shown = [str(one.get_text()) for one in seen[0].findobj(Annotation) if one.get_visible()]
    ids = [name for name in shown if re.fullmatch(r"T\d+", name)]
    assert "T01" in ids
    assert len(ids) == len(set(ids)) > 2


def test_a_table_of_points_has_no_page_and_the_verb_says_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text('name = "points"\n\n[table]\nfile = "points.csv"\n', encoding="utf-8")
    result = CliRunner().invoke(app, ["report", str(path)])
    assert result.exit_code == 1
    assert "a study of a table of points ([table]), which has no grid" in " ".join(result.output.split())
    assert list(tmp_path.iterdir()) == [path]


def test_a_layer_without_a_long_name_keeps_its_name() -> None:
    rows = drawn().targets.assign(reasons_for="Cu +0.2; density +0.1", reasons_against="")
    assert words.why(drawn(targets=rows)).headline == "Mostly for its Cu and density contrast."


# In a browser

RANGES = """() => { const l = document.querySelector('#scene-view')._fullLayout;
  return [l.xaxis.range, l.yaxis.range, [l._size.w, l._size.h]]; }"""


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("flat_sent") / "report.html"
    places = SHEET.places
    named = (
        *places,
        report.Place("<script>window.pwned=1</script>", False, 502000.0, 4432500.0),
        report.Place("锂辉石", True, 501900.0, 4431000.0),
    )
    flat = drawn(map=dataclasses.replace(SHEET, places=named))
    place.write_text(report.render(flat), encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def desktop(browser: Browser, sent: Path) -> Iterator[Seen]:
    seen = Seen(browser, sent, viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    seen.ready()
    yield seen
    seen.context.close()


def looks_at(seen: Seen) -> tuple[np.ndarray, np.ndarray]:
    """Middle of what the map shows, and metres of a pixel along x and y."""
    x, y, size = (np.array(pair, float) for pair in seen.page.evaluate(RANGES))
    return np.array([x.mean(), y.mean()]), np.array([np.ptp(x), np.ptp(y)]) / size


@pytest.mark.browser
def test_the_map_opens_from_a_file_offline_and_is_not_blank(
    desktop: Seen, sent: Path, artefacts: Path
) -> None:
    desktop.page.locator("#view").scroll_into_view_if_needed()
    assert desktop.colours() > 50
    desktop.page.screenshot(path=artefacts / "report_map.png")
    assert [url for url in desktop.asked if not url.startswith("data:")] == [sent.as_uri()]
    assert desktop.errors == []
    assert desktop.page.evaluate("window.pwned") is None, "a name is not run"
    shown = desktop.page.inner_text("#scene-view")
    for name in ("T01", "T02", "Kuh", "Tal", "锂辉石", "<script>"):
        assert name in shown
    middle, metres = looks_at(desktop)
    np.testing.assert_allclose(middle, [502000, 4431500], atol=1)
    assert metres[0] == pytest.approx(metres[1], rel=1e-6), "1 m is 1 m on both axes"
    assert desktop.page.locator("#scale-bar").inner_text() == "500 m"
    bar = desktop.page.locator("#scale-bar").bounding_box()
    assert bar is not None
    assert bar["width"] * metres[0] == pytest.approx(500, rel=0.02)


@pytest.mark.browser
def test_a_click_on_a_row_moves_the_map_there_and_overview_back(desktop: Seen, artefacts: Path) -> None:
    start = desktop.page.evaluate(RANGES)
    desktop.page.locator("[data-target=T02] td").first.click()
    desktop.page.wait_for_function("document.querySelector('#status').textContent.includes('T02')")
    desktop.page.wait_for_timeout(300)
    middle, metres = looks_at(desktop)
    np.testing.assert_allclose(middle, (T2.min(axis=0) + T2.max(axis=0)) / 2, atol=1)
    assert metres[0] == pytest.approx(metres[1], rel=1e-6)
    x, y, _ = desktop.page.evaluate(RANGES)
    assert x[0] < T2[:, 0].min() < T2[:, 0].max() < x[1]
    assert y[0] < T2[:, 1].min() < T2[:, 1].max() < y[1]
    assert np.ptp(x) < 0.5 * np.ptp(start[0])
    assert desktop.page.locator("[aria-current=true]").get_attribute("data-target") == "T02"
    desktop.page.screenshot(path=artefacts / "report_map_target.png")
    desktop.page.locator("[data-view=all]").click()
    desktop.page.wait_for_timeout(200)
    np.testing.assert_allclose(desktop.page.evaluate(RANGES)[0], start[0])


def press(seen: Seen, x: float, y: float) -> str:
    """Press a place of the map; gives what is said of it."""
    middle, metres = looks_at(seen)
    frame = seen.page.locator("#scene-view .nsewdrag").bounding_box()
    assert frame is not None
    at = np.array([frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2])
    at += (np.array([x, y]) - middle) / metres * (1, -1)
    seen.page.mouse.move(*at)
    seen.page.wait_for_timeout(150)
    seen.page.mouse.down()
    seen.page.mouse.up()
    seen.page.wait_for_timeout(150)
    return seen.page.inner_text("#status").replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.browser
def test_a_place_that_is_pressed_tells_its_coordinates_and_its_target(desktop: Seen) -> None:
    desktop.page.locator("#view").scroll_into_view_if_needed()
    desktop.page.locator("[data-view=all]").click()
    desktop.page.wait_for_timeout(200)
    said = press(desktop, 502650.0, 4430650.0)
    assert "502,650 E, 4,430,650 N" in said
    lon, lat = pyproj.Proj("EPSG:32651")(502650.0, 4430650.0, inverse=True)
    found = re.search(r"([\d.]+)° N, ([\d.]+)° E \(WGS 84\)", said)
    assert found is not None
    assert (float(found[1]), float(found[2])) == pytest.approx((lat, lon), abs=2e-5)
    percentile = PLANE[6, 26]
    assert f"Percentile {percentile:.1f}" in said
    said = press(desktop, 501150.0, 4430350.0)
    assert said.startswith("Marked: T01, rank 1, new")
    assert desktop.page.locator("[aria-current=true]").get_attribute("data-target") == "T01"


@pytest.mark.browser
def test_the_map_moves_with_buttons_and_keys(desktop: Seen) -> None:
    desktop.page.locator("[data-view=all]").click()
    desktop.page.wait_for_timeout(200)
    middle, metres = looks_at(desktop)
    desktop.page.locator("#scene-view").press("ArrowRight")
    desktop.page.wait_for_timeout(200)
    assert looks_at(desktop)[0][0] > middle[0] + 500
    desktop.page.locator("[data-view=north]").click()
    desktop.page.wait_for_timeout(200)
    assert looks_at(desktop)[0][1] > middle[1] + 500
    desktop.page.locator("#scene-view").press("+")
    desktop.page.wait_for_timeout(200)
    assert looks_at(desktop)[1][0] == pytest.approx(0.6 * metres[0])
    desktop.page.locator("#scene-view").press("0")
    desktop.page.wait_for_timeout(200)
    np.testing.assert_allclose(looks_at(desktop)[0], middle, atol=1e-3)


@pytest.mark.browser
def test_the_legend_hides_layers_and_colours_can_begin_at_the_best(desktop: Seen) -> None:
    seen = (
        "(layer) => document.querySelector('#scene-view').data"
        ".filter((t) => t.layer === layer).map((t) => t.visible)"
    )
    for layer in ("scores", "targets", "known", "blind"):
        box = desktop.page.locator(f"[data-layer={layer}]")
        box.uncheck()
        assert set(desktop.page.evaluate(seen, layer)) == {False}
        box.check()
        assert set(desktop.page.evaluate(seen, layer)) == {True}
    desktop.page.locator("#names").uncheck()
    desktop.page.wait_for_timeout(200)
    assert "T01" not in desktop.page.inner_text("#scene-view")
    desktop.page.locator("#names").check()
    desktop.page.select_option("#lowest", "80")
    assert desktop.page.inner_text("#ramp-low") == "80"
    assert desktop.page.evaluate("document.querySelector('#scene-view').data[0].zmin") == 80
    desktop.page.select_option("#lowest", "0")
    desktop.page.locator("#targets-table thead [data-field=area_m2] button").click()
    assert desktop.page.evaluate(ORDER) == ["T01", "T02"]
    assert desktop.errors == []


@pytest.mark.browser
def test_on_paper_a_map_is_its_picture(desktop: Seen, artefacts: Path) -> None:
    tab = desktop.page
    tab.emulate_media(media="print")
    tab.set_viewport_size({"width": 695, "height": 1000})  # 184 mm between the margins of A4
    try:
        assert not tab.locator(".viewer").is_visible()
        assert tab.locator("figure.fallback img").is_visible()
        assert tab.evaluate("document.documentElement.scrollWidth") <= 695
        assert tab.pdf(format="A4", path=artefacts / "report_map.pdf").startswith(b"%PDF")
    finally:
        tab.emulate_media(media="screen")
        tab.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.browser
def test_a_map_on_a_phone_has_one_column_and_two_fingers_zoom(
    browser: Browser, sent: Path, artefacts: Path
) -> None:
    seen = Seen(
        browser, sent, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True,
        reduced_motion="reduce",
    )  # fmt: skip
    tab = seen.ready()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    wide = tab.evaluate(
        "[...document.querySelectorAll('body *')].filter((e) => e.checkVisibility()"
        " && !e.closest('.scrolled, .scene, .skip, thead') && e.getBoundingClientRect().right > 361)"
        ".map((e) => e.outerHTML.slice(0, 90))"
    )
    assert wide == []
    tab.locator("#view").scroll_into_view_if_needed()
    tab.screenshot(path=artefacts / "report_map_phone.png")
    frame = tab.locator("#scene-view .nsewdrag").bounding_box()
    assert frame is not None
    x, y = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    middle, metres = looks_at(seen)
    touch = seen.context.new_cdp_session(tab)

    def fingers(kind: str, *apart: float) -> None:
        points = [{"x": x + far, "y": y, "id": n} for n, far in enumerate(apart)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", -20)
    fingers("touchStart", -20, 20)
    for far in (30, 40, 60):
        fingers("touchMove", -far, far)
    fingers("touchEnd")
    tab.wait_for_timeout(400)
    after, closer = looks_at(seen)
    assert closer[0] == pytest.approx(metres[0] / 3, rel=0.02)
    np.testing.assert_allclose(after, middle, atol=5 * closer[0])
    seen.context.close()


@pytest.mark.browser
def test_without_scripts_the_picture_of_the_map_stands_in(browser: Browser, sent: Path) -> None:
    context = browser.new_context(offline=True, java_script_enabled=False)
    tab = context.new_page()
    tab.goto(sent.as_uri())
    assert tab.locator("figure.fallback img").is_visible()
    assert "A map that moves needs scripts" in tab.inner_text(".no-webgl")
    assert not tab.locator(".viewer").is_visible()
    context.close()
