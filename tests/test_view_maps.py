"""A map in the view: from above, in areas, with nothing that only a volume has."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely
from PIL import Image
from scipy.stats import rankdata

from mpm3d import cube, scenery, stages
from mpm3d.errors import FormatError, StudyError
from mpm3d.geometry import Lines, Points
from mpm3d.grid import Grid
from mpm3d.scenery.plans import outline
from mpm3d.view import Scene, SceneTarget, flat, make_scene, read_out
from mpm3d.view import levels as levels_module
from mpm3d.view.actors import score_map
from mpm3d.view.browser import facts
from mpm3d.view.camera import AXIS_NAMES
from mpm3d.view.desktop import MAP_HELP, Window
from mpm3d.view.reading import read_cell
from mpm3d.view.session import Session
from tests.conftest import map_study
from tests.test_map_study import Said

if TYPE_CHECKING:
    from playwright.sync_api import Browser

GRID = Grid((1, 40, 50), (200.0, 200.0, 200.0), (-100.0, 6_500_000.0, 400_000.0), "EPSG:32754")
DEPOSITS = {
    "Acacia": np.array([[0, 30, 8]]),
    "Brolga": np.array([[0, 31, 12]]),
    "Dingo": np.array([[0, 3, 44]]),
}
SETTINGS = """\
[samples]
negatives_per_positive = 20

[[models]]
kind = "forest"
trees = 20

[[models]]
kind = "logistic"

[predict]
models = "all"
workers = 1

[targets]
share = 0.03
"""
OF_VOLUMES = re.compile(r"volume|elevation|depth|drillhole|slice|exaggeration|true scale|m³", re.IGNORECASE)


def scores() -> np.ndarray:
    """A hill in the northwest, no cell like another, no score in the southwestern corner."""
    _, y, x = np.indices(GRID.shape)
    values = np.exp(-((y - 30) ** 2 + (x - 10) ** 2) / 60) + 1e-5 * np.arange(y.size).reshape(y.shape)
    values[0, :6, :5] = np.nan
    return values.astype(np.float32)


def layers() -> dict[str, np.ndarray]:
    """Evidence whose values name the cell."""
    _, y, x = np.indices(GRID.shape)
    return {"gravity": x + 0.01 * y, "thorium": 100.0 - y}


def target() -> SceneTarget:
    """Around the hill, as its cells at or above 0.6 lie."""
    _, y, x = np.nonzero(scores() >= np.float32(0.6))
    ends = np.array([[x.min(), y.min()], [x.max() + 1, y.max() + 1]]) * 200.0 + (400_000.0, 6_500_000.0)
    centre = (*ends.mean(axis=0).tolist(), 0.0)
    bounds = (*ends[0].tolist(), 0.0, *ends[1].tolist(), 0.0)
    return SceneTarget("T01", 1, "new", centre, bounds, (("ranking score", "0.5"), ("area", "5 km²")))


def district(**more: Any) -> Scene:
    fault = np.array([[400_000.0, 6_500_000.0, 350.0], [409_000.0, 6_507_000.0, 80.0]])
    return make_scene(
        title="One hill", grid=GRID, score=scores(), threshold=0.6, cells={"deposit": DEPOSITS},
        surfaces={
            "fault": [Lines("F1", fault, np.array([[0, 1]]))],
            "deposit": [Points(name, GRID.xyz_of(cells)) for name, cells in DEPOSITS.items()],
        },
        **{"evidence": layers(), "units_of": {"gravity": "mGal"}, "targets": (target(),), **more},
    )  # fmt: skip


@pytest.fixture
def session(render: None) -> Iterator[Session]:
    made = Session(district(), off_screen=True, size=(900, 700))
    yield made
    made.close()


def pixel_of(session: Session, cell: tuple[int, int, int]) -> tuple[float, float]:
    """Pixels from the upper left of a cell's centre, as it is drawn."""
    place = GRID.xyz_of([cell]) - np.asarray(session.scene.origin)
    x, y = session.camera().pixels(place)[0]
    left, low, _, _ = session.panes[0].renderer.GetViewport()
    width, height = session.plotter.window_size
    return float(x + left * width), float(height - (y + low * height))


# what it counts ---------------------------------------------------------------------------------------


def test_a_threshold_reads_out_share_area_and_which_deposits_have_a_cell_in_it() -> None:
    values = scores()
    for threshold in (0.05, 0.6, 0.95, 3.0):
        kept = values >= np.float32(threshold)
        found = read_out(district(), threshold)
        assert found.n_cells == np.count_nonzero(kept)
        assert found.volume_share == np.count_nonzero(kept) / np.count_nonzero(np.isfinite(values))
        missed = [name for name, cells in DEPOSITS.items() if not kept[tuple(cells.T)].any()]
        lines = found.text.split("\n")
        assert f"{3 - len(missed)} of 3 known deposits captured" in lines
        assert (f"missed: {', '.join(missed)}" in lines) == bool(missed)
        rows = {row["label"]: row["text"] for row in facts.readout_rows(found, GRID)}
        assert rows["Known deposits captured"] == f"{3 - len(missed)} of 3"
        assert rows.get("Known deposits missed", "") == ", ".join(missed)
        assert not OF_VOLUMES.search(found.text + " ".join(rows))
    # 137 cells of 200 m: 137 × 0.04 km²
    assert read_out(district(), float(np.sort(values[np.isfinite(values)])[-137])).area == "5.48 km²"


def test_a_long_list_of_missed_deposits_is_cut_to_six_names() -> None:
    many = {f"D{k}": np.array([[0, 10, k]]) for k in range(9)}
    found = read_out(replace(district(), cells={"deposit": many}), 3.0)
    assert found.missed("deposit") == "D0, D1, D2, D3, D4, D5 and 3 more"


def test_a_cell_says_its_deposits_score_and_evidence_and_no_elevation() -> None:
    reading = read_cell(district(), (0, 30, 8))
    assert reading.text.split("\n")[:3] == ["401 700, 6 506 100 m", "in target T01", "deposit: Acacia"]
    assert reading.numbers["gravity"] == pytest.approx(8.3)
    told = facts.reading_facts(reading, "")
    assert told["title"] == "Cell 30, 8 (y, x)"
    assert [row["label"] for row in told["rows"][:3]] == ["Easting", "Northing", "deposit"]
    assert not OF_VOLUMES.search(reading.text + json.dumps(told))
    assert read_cell(district(), (0, 2, 40)).target == ""


# what is drawn ----------------------------------------------------------------------------------------


def drawn_pixels(session: Session, key: str) -> np.ndarray:
    """Colours of the picture that is laid over the map, the southernmost row first."""
    (actor,) = session.panes[0].made[key]
    return np.asarray(actor.texture.to_array())[::-1]


@pytest.mark.render
def test_the_cells_at_or_above_the_threshold_are_drawn_in_their_colours_and_no_other(
    session: Session,
) -> None:
    values = scores()[0]
    for threshold in (0.3, 0.6):
        assert session.set_threshold(threshold) == read_out(session.scene, threshold)
        pixels = drawn_pixels(session, "score")
        np.testing.assert_array_equal(pixels[..., 3] == 255, values >= np.float32(threshold))
        low, high = session.score_range()
        expected = 255 * score_map()(np.clip((values - low) / (high - low), 0, 1))
        kept = pixels[..., 3] > 0
        assert np.abs(pixels[kept].astype(float) - expected[kept]).max() < 4
    assert session.set_threshold(5.0).n_cells == 0
    assert "score" not in session.panes[0].made


@pytest.mark.render
def test_a_cell_appears_where_the_camera_puts_it_north_up_and_the_rest_is_grey(session: Session) -> None:
    for key in ("fault", "deposit", "target"):
        session.set_visible(key, False)
    session.draw()
    image = np.asarray(session.plotter.screenshot(return_img=True))[..., :3].astype(int)
    values = scores()
    for cell in ((0, 30, 10), (0, 34, 8), (0, 5, 40), (0, 35, 45), (0, 2, 2)):
        x, y = (round(v) for v in pixel_of(session, cell))
        red, green, blue = image[y, x]
        if np.isnan(values[cell]):
            assert (red, green, blue) == (255, 255, 255), "no score is white"
        elif values[cell] >= np.float32(0.6):
            assert red - blue > 60, cell
        else:
            assert max(red, green, blue) - min(red, green, blue) < 6, cell
            assert red < 250, cell
    north, south = (pixel_of(session, (0, row, 20))[1] for row in (39, 0))
    west, east = (pixel_of(session, (0, 20, column))[0] for column in (0, 49))
    assert north < south
    assert west < east


@pytest.mark.render
@pytest.mark.usefixtures("render")
def test_larger_cells_while_dragging_hold_the_best_of_theirs_and_count_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(levels_module, "_SMALL", 240)  # 2000 cells: three along each side are one
    session = Session(district(), off_screen=True)
    exact, coarse = session.set_threshold(0.5), session.set_threshold(0.5, coarse=True)
    assert exact == coarse
    large = drawn_pixels(session, "score")[..., 3] > 0
    kept = np.zeros((42, 51), bool)
    kept[:40, :50] = scores()[0] >= np.float32(0.5)
    expected = kept.reshape(14, 3, 17, 3).any(axis=(1, 3))
    np.testing.assert_array_equal(large, expected)
    # 50 cells are 16 and two thirds of the larger ones
    ends = session.panes[0].made["score"][0].mapper.dataset.active_texture_coordinates
    assert ends.max(axis=0) == pytest.approx([50 / 51, 40 / 42])
    session.close()


@pytest.mark.render
def test_the_map_below_shows_the_score_in_grey_or_a_layer_with_its_scale(session: Session) -> None:
    assert session.slices == {"x": None, "y": None, "z": 0}
    grey = drawn_pixels(session, "slice z")
    assert np.ptp(grey[..., :3].astype(int), axis=2).max() < 4
    np.testing.assert_array_equal(grey[..., 3] > 0, np.isfinite(scores()[0]))
    session.set_layer("gravity")
    coloured = drawn_pixels(session, "slice z").astype(int)
    assert coloured[20, 45, 0] - coloured[20, 2, 0] > 100, "cividis goes from blue to yellow eastwards"
    session.hide_slice("z")
    assert "slice z" not in session.panes[0].made
    session.reset()
    assert session.slices["z"] == 0
    assert session.layer == "Prospectivity"


@pytest.mark.render
@pytest.mark.parametrize("view", ["top", (30.0, 40.0), (200.0, 65.0)])
def test_a_pick_gives_the_cell_whose_centre_is_drawn_there_however_the_map_is_tilted(
    session: Session, view: Any
) -> None:
    session.look(view)
    for cell in ((0, 30, 10), (0, 5, 40), (0, 39, 0), (0, 0, 49), (0, 17, 23)):
        reading = session.pick(*pixel_of(session, cell))
        assert reading is not None
        assert reading.cell == cell
        assert reading.numbers["Prospectivity"] == pytest.approx(float(scores()[cell]))
        for name, values in layers().items():
            assert reading.numbers[name] == values[cell]
    assert session.pick(*pixel_of(session, (0, 2, 2))) is None, "no score is there"
    session.hide_slice("z")
    assert session.pick(*pixel_of(session, (0, 5, 40))) is None
    assert session.pick(*pixel_of(session, (0, 30, 10))) is not None


@pytest.mark.render
def test_it_opens_from_above_and_a_flight_ends_above_the_target(session: Session) -> None:
    seen = session.camera()
    assert (seen.azimuth, seen.plunge) == (0, 90)
    corners = session.camera().pixels(np.array([[-5000.0, -4000, 0], [5000, 4000, 0]]))
    assert np.all((corners > 0) & (corners < session.panes[0].size)), "the whole area is in view"
    session.look((30.0, 35.0))
    session.fly_to("T01")
    seen = session.camera()
    assert (seen.azimuth, seen.plunge) == (0, 90)
    x0, y0, _, x1, y1, _ = target().bounds
    place = np.array([[(x0 + x1) / 2, (y0 + y1) / 2, 0.0]]) - np.asarray(session.scene.origin)
    pixel = seen.pixels(place)[0]
    cell = GRID.index_of([[(x0 + x1) / 2, (y0 + y1) / 2, 0.0]])[0]
    width, height = session.panes[0].size
    assert 0.3 * width < pixel[0] < 0.7 * width
    assert 0.3 * height < pixel[1] < 0.7 * height
    reading = session.pick(*pixel_of(session, tuple(cell)))
    assert reading is not None
    assert reading.target == "T01"


@pytest.mark.render
def test_what_has_an_elevation_is_drawn_on_the_map_and_more_important_things_above_others(
    session: Session,
) -> None:
    heights = {}
    for key, made in session.panes[0].made.items():
        for actor in made[:1]:
            low, high = actor.bounds[4:]
            assert high - low < 1e-3, key
            heights[key] = high
    order = ["slice z", "score", "fault", "deposit/Acacia"]
    assert sorted(order, key=heights.__getitem__) == order
    assert heights["deposit/Acacia"] < 0.002 * 10_000, "not so high that it is seen elsewhere when tilted"
    assert flat.lift(1.0, "rim target/T01") < flat.lift(1.0, "target/T01")


@pytest.mark.render
def test_exaggeration_and_slices_across_x_and_y_are_not_for_maps(session: Session) -> None:
    session.set_exaggeration(4.0)
    assert session.exaggeration == 1.0
    with pytest.raises(ValueError, match=r"a map has no slice across x, only the layer below its cells"):
        session.set_slice("x", 402_000.0)


@pytest.mark.render
def test_a_view_comes_back_and_one_of_another_area_is_refused(session: Session, tmp_path: Path) -> None:
    session.set_layer("thorium")
    session.set_threshold(0.3)
    session.look((40.0, 50.0))
    path = session.save_view(tmp_path / "a.view.json")
    session.reset()
    session.load_view(path)
    assert (session.layer, session.threshold, session.slices["z"]) == ("thorium", 0.3, 0)
    assert (session.camera().azimuth, session.camera().plunge) == pytest.approx((40.0, 50.0))
    facts_ = json.loads(path.read_text())
    facts_["bounds"][0] -= 1000
    path.write_text(json.dumps(facts_))
    with pytest.raises(
        FormatError, match=r"a view of another area, 'One hill'; this one is 400 000, 6 500 000, 410"
    ):
        session.load_view(path)


@pytest.mark.render
@pytest.mark.usefixtures("render")
@pytest.mark.parametrize("beside", [False, True])
def test_the_window_of_a_map_has_its_words_and_only_its_widgets(beside: bool, artefacts: Path) -> None:
    scene = district()
    if beside:
        scene = replace(scene, beside=replace(scene, title="Root", score=np.sqrt(scores()), targets=()))
    window = Window(scene, off_screen=True)
    assert list(window.panels.sliders) == ["threshold"]
    assert not {"x", "y", "z", "i", "N"} & set(window.keys())
    window.fly(1)
    window.pick(*pixel_of(window.session, (0, 30, 8)))
    window.plotter.screenshot(artefacts / f"map_window_{beside}.png")
    words = " ".join(str(text.input) for text in window.panels.board.texts.values())
    assert "of the scored area" in words
    assert "deposit: Acacia" in words
    assert "map below the cells: Prospectivity" in words
    assert not OF_VOLUMES.search(words + MAP_HELP)
    assert AXIS_NAMES[2] not in [str(word) for word in window.session.panes[0].renderer.actors]
    window.keys()["m"]()
    assert window.session.slices["z"] is None
    # what is written stands beside the map, which may fill its part
    left, right, low, high = window.session.area()
    viewport = np.array([pane.renderer.GetViewport() for pane in window.session.panes])
    assert viewport[:, 0].min() * 1280 == pytest.approx(left)
    assert viewport[:, 2].max() * 1280 == pytest.approx(right)
    assert viewport[:, [1, 3]].tolist() == [pytest.approx([low / 800, high / 800])] * len(viewport)
    saved = window.session.save_picture(artefacts / f"map_saved_{beside}.png")
    assert saved.stat().st_size > 10_000
    window.session.close()


# what lies on it --------------------------------------------------------------------------------------


def test_outlines_of_cells_are_their_edges_holes_included() -> None:
    mask = np.zeros((40, 50), bool)
    mask[5:9, 6:10] = True
    mask[6, 7] = False
    mask[20, 49] = True  # at the edge of the map
    cells = np.column_stack([np.zeros(mask.sum(), int), *np.nonzero(mask)])
    made = outline("ring", cells, GRID)
    boxes = [shapely.box(*(400_000 + 200 * x, 6_500_000 + 200 * y), 400_200 + 200 * x, 6_500_200 + 200 * y)
             for _, y, x in cells]  # fmt: skip
    edge = shapely.boundary(shapely.union_all(boxes))
    lines = shapely.union_all(shapely.linestrings(made.vertices[made.segments][..., :2]))
    assert shapely.length(lines) == pytest.approx(edge.length)
    assert shapely.symmetric_difference(lines, edge).length < 1e-6
    assert len(made.segments) == 16 + 4 + 4


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> stages.Run:
    """A small map study with targets."""
    path = map_study(tmp_path_factory.mktemp("map"), settings=SETTINGS)
    run = Said().run(path)
    with run.folder.locked():
        stages.predict_volume(run)
        stages.delineate(run)
    return run


def test_a_map_study_gives_a_scene_with_areas_outlines_and_marks(run: stages.Run) -> None:
    scene = scenery.of(run, beside="logistic")
    assert scene.units == "percentile of the scored area"
    score = np.asarray(cube.open(run.path("prospectivity.zarr"))["score"].values)
    there = np.isfinite(score)
    np.testing.assert_allclose(
        scene.values[there], 100 * (rankdata(score[there]) - 0.5) / there.sum(), rtol=1e-5
    )
    table = pd.read_csv(run.path("targets.csv"))
    assert [target.id for target in scene.targets] == table["id"].tolist()
    for one, row in zip(scene.targets, table.itertuples(), strict=True):
        assert dict(one.numbers)["area"] == f"{row.area_m2 / 1e6:.3g} km²"
        assert (one.bounds[0], one.bounds[3], one.bounds[1], one.bounds[4]) == (
            row.x_min, row.x_max, row.y_min, row.y_max,
        )  # fmt: skip
        assert not OF_VOLUMES.search(str(one.numbers))
    items = {(item.role, item.name): item.geometry for item in scene.items}
    shapes = geopandas.read_file(run.path("targets.gpkg"), layer="targets").set_index("id").geometry
    for name, shape in shapes.items():
        body = items["target", name]
        rings = shapely.polygonize(list(shapely.linestrings(body.vertices[body.segments][..., :2])))
        assert shapely.area(rings) == pytest.approx(shape.area)
    known = {deposit.name for deposit in run.known}
    assert {name for role, name in items if role == "deposit"} == known
    assert {role for role, _ in items} >= {"target", "deposit", "blind deposit", "intrusion"}
    assert scene.beside is not None
    assert scene.beside.title.endswith("prospectivity by logistic")


def test_a_large_deposit_of_a_map_is_an_outline_and_a_shape_outside_is_left_out(run: stages.Run) -> None:
    (granite,) = [item for item in scenery.of(run).items if item.role == "intrusion"]
    x0, y0, _, x1, y1, _ = run.grid.bounds
    xy = granite.geometry.vertices[:, :2]
    assert np.all((xy >= (x0, y0)) & (xy <= (x1, y1)))
    frame = geopandas.read_file(run.study.path("vectors/geology.gpkg")).to_crs(run.grid.crs)
    edges = shapely.boundary(frame[frame["UNIT"] == "granite"].geometry.to_numpy())
    inside = shapely.clip_by_rect(edges, x0, y0, x1, y1)
    ends = granite.geometry.vertices[granite.geometry.segments]
    length = np.linalg.norm(np.diff(ends, axis=1), axis=2).sum()
    assert length == pytest.approx(shapely.length(inside).sum(), rel=1e-6)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), r"targets.gpkg is not in .* mpm3d targets study.toml"),
        (lambda path: path.write_bytes(b"no"), r"targets.gpkg cannot be read .* mpm3d targets study.toml"),
        (
            lambda path: geopandas.read_file(path).iloc[1:].to_file(path, layer="targets"),
            r"targets.gpkg lacks the outlines of T01 of targets.csv. Make it again",
        ),
    ],
    ids=["gone", "damaged", "short"],
)
def test_broken_outlines_are_a_sentence_with_the_next_command(
    run: stages.Run, spoil: Any, message: str
) -> None:
    path = run.path("targets.gpkg")
    kept = path.read_bytes()
    try:
        spoil(path)
        with pytest.raises(StudyError, match=message):
            scenery.of(run)
    finally:
        path.write_bytes(kept)


def test_a_table_of_a_map_without_areas_is_a_sentence(run: stages.Run) -> None:
    path = run.path("targets.csv")
    kept = path.read_bytes()
    try:
        pd.read_csv(path).drop(columns="area_m2").to_csv(path, index=False)
        with pytest.raises(StudyError, match=r"targets.csv lacks the columns area_m2. Make it again"):
            scenery.of(run)
        table = pd.read_csv(io.BytesIO(kept))
        table["x_max"] = table["x_min"]
        table.to_csv(path, index=False)
        with pytest.raises(StudyError, match=r"T01 reaches from .* m, which is no area"):
            scenery.of(run)
    finally:
        path.write_bytes(kept)


# in a browser -----------------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.render
def test_the_browser_app_shows_a_map_and_follows_the_threshold(
    run: stages.Run, browser: Browser, artefacts: Path
) -> None:
    command = [sys.executable, "-m", "mpm3d", "view", str(run.study.folder / "study.toml"), "--browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = next((line for line in process.stdout if "http" in line), "")
            assert told, process.stderr.read() if process.stderr else ""
            _look_at_the_map(run, browser, told.split()[-1], artefacts)
        finally:
            process.kill()


def _look_at_the_map(run: stages.Run, browser: Browser, url: str, artefacts: Path) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    said: list[str] = []
    page.on("console", lambda m: said.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: said.append(str(e)))
    page.goto(url)
    page.wait_for_selector(".canvas img[src^=blob]")
    page.wait_for_timeout(1200)

    def canvas() -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(page.locator(".canvas").screenshot())).convert("RGB")).astype(
            int
        )

    def row(label: str) -> str:
        return page.locator(".readout tr", has_text=label).locator("td").inner_text()

    first, share = canvas(), row("Share of the scored area")
    page.screenshot(path=artefacts / "map_browser.png")
    warm = first[..., 0] - first[..., 2] > 60
    grey = (np.ptp(first, axis=2) < 8) & (first.max(axis=2) < 245)
    assert 100 < np.count_nonzero(warm) < 0.2 * warm.size
    assert np.mean(grey) > 0.15, "the score is below the cells"
    score = np.asarray(cube.open(run.path("prospectivity.zarr"))["score"].values)
    scored = np.isfinite(score)
    kept = np.count_nonzero(score[scored] >= run.folder.facts("targets")["threshold"])
    assert share == f"{100 * kept / scored.sum():.2f} %"
    for _ in range(5):
        page.get_by_role("button", name="Keep more area").click()
    page.wait_for_function("old => !document.querySelector('.readout').innerText.includes(old)", arg=share)
    page.wait_for_timeout(1000)
    after = canvas()
    assert float(row("Share of the scored area").split()[0]) > 2.5 * float(share.split()[0])
    assert np.count_nonzero(after[..., 0] - after[..., 2] > 60) > 1.5 * np.count_nonzero(warm)
    page.locator("[data-target=T01]").click()
    page.wait_for_timeout(1000)
    assert "km²" in page.locator(".target.chosen").inner_text()
    place = page.locator(".canvas").bounding_box()
    assert place is not None
    page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    page.wait_for_selector(".reading.aside")
    page.screenshot(path=artefacts / "map_browser_target.png")
    east, north = (
        float(
            page.locator(f".reading.aside tr:has-text('{name}') td")
            .inner_text()
            .removesuffix(" m")
            .replace(" ", "")
        )
        for name in ("Easting", "Northing")
    )
    one = pd.read_csv(run.path("targets.csv")).iloc[0]
    assert np.hypot(east - one.x, north - one.y) < 5_000
    words = page.locator("body").inner_text()
    assert not OF_VOLUMES.search(words), OF_VOLUMES.search(words)
    assert not said
    page.close()
