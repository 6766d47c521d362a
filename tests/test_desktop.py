"""The window: its widgets, keys, clicks and words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpm3d.grid import Grid
from mpm3d.view import Scene, can_show, desktop, make_scene
from mpm3d.view.board import Board, cut, folded
from mpm3d.view.desktop import HELP, MAP_HELP, Window
from mpm3d.view.faces import cell_at, target_faces
from mpm3d.view.scene import SceneTarget
from mpm3d.view.session import EXAGGERATIONS
from tests.test_view import GRID, district, ellipsoid, scores

NUMBERS = (
    ("ranking score", "0.912"), ("mean score", "0.81"), ("peak score", "0.93"), ("spread", "0.05"),
    ("volume", "2.38 million m³"), ("depth to top", "120 m"), ("depth to base", "420 m"),
    ("extrapolated cells", "3.0%"), ("nearest deposit", "Kuh-e Sefid North"), ("distance to it", "1 250 m"),
    ("proposed drillhole", "D07"), ("centre", "412 750 E, 4 512 650 N, -150 m"),
)  # fmt: skip


def targets(count: int) -> tuple[SceneTarget, ...]:
    made = []
    for k in range(1, count + 1):
        x, y, z = 412_100.0 + 35 * k, 4_512_200.0 + 25 * k, -400.0 + 20 * k
        bounds = (x - 60, y - 60, z - 60, x + 60, y + 60, z + 60)
        reasons = ("density +0.12; granodiorite_distance +0.08; resistivity +0.03", "susceptibility -0.04")
        kind = "known deposit" if k % 3 == 0 else "new"
        made.append(SceneTarget(f"T{k:02d}", k, kind, (x, y, z), bounds, NUMBERS, *reasons, f"D{k:02d}"))
    return tuple(made)


def whole(**more: Any) -> Scene:
    depth = -np.broadcast_to(GRID.centres(0)[:, None, None], GRID.shape)
    given = {"evidence": {"depth": depth}, "units_of": {"depth": "m"}, "targets": targets(30)}
    return district(**{**given, **more})


@pytest.fixture
def window(render: None, tmp_path: Path) -> Iterator[Window]:
    made = Window(whole(), off_screen=True, folder=tmp_path)
    yield made
    made.session.close()


def press(window: Window, key: str) -> None:
    """What VTK does when a key is pressed."""
    interactor = window.plotter.iren.interactor
    interactor.SetKeySym(key)
    interactor.InvokeEvent("KeyPressEvent")


def click(window: Window, x: float, y: float, button: str = "Left") -> None:
    interactor = window.plotter.iren.interactor
    interactor.SetEventInformation(int(x), int(window.plotter.window_size[1] - 1 - y), 0, 0, chr(0), 0, None)
    interactor.InvokeEvent(f"{button}ButtonPressEvent")
    interactor.InvokeEvent(f"{button}ButtonReleaseEvent")


def slide(window: Window, name: str, value: float, event: str = "InteractionEvent") -> None:
    widget = window.panels.sliders[name]
    widget.GetRepresentation().SetValue(value)
    widget.InvokeEvent(event)


# widgets -------------------------------------------------------------------------------------------


@pytest.mark.render
def test_moving_the_threshold_draws_other_cells_and_reads_them_out(window: Window) -> None:
    for threshold in (0.3, 0.9):
        numbers = window.set_threshold(threshold)
        assert numbers.n_cells == np.count_nonzero(np.nan_to_num(scores(), nan=-1) >= threshold)
        (actor,) = window.session.panes[0].made["score"]
        assert actor.mapper.dataset.n_cells == len(target_faces(window.scene, threshold).values)
        assert window.panels.board.words("readout") == numbers.text
    window.set_threshold(5.0)
    assert "score" not in window.session.panes[0].made


@pytest.mark.render
def test_dragging_the_threshold_draws_larger_cells_and_letting_go_the_true_ones(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    told = window.session.set_threshold

    def listen(value: float, *, coarse: bool = False) -> Any:
        asked.append((value, coarse))
        return told(value, coarse=coarse)

    monkeypatch.setattr(window.session, "set_threshold", listen)
    slide(window, "threshold", 0.7)
    slide(window, "threshold", 0.7, "EndInteractionEvent")
    assert asked == [(pytest.approx(0.7), True), (pytest.approx(0.7), False)]


@pytest.mark.render
def test_the_sliders_and_boxes_call_the_window(window: Window) -> None:
    slide(window, "threshold", 0.7)
    assert window.session.threshold == pytest.approx(0.7)
    assert window.panels.board.words("slider threshold") == "threshold: 0.7"
    slide(window, "vertical exaggeration", 3.0)
    assert window.session.exaggeration == 3.0
    assert window.panels.board.words("slider vertical exaggeration") == "vertical exaggeration: 3.00 times"
    slide(window, "slice x", 412_555.0)
    assert window.session.slices == {"x": 5, "y": None, "z": None}
    assert window.panels.board.words("slider slice x") == "slice x: 412 550 m"
    (actor,) = window.session.panes[0].made["slice x"]
    assert actor.scale == (1.0, 1.0, 3.0)
    box = window.panels.boxes["fault"]
    box.GetRepresentation().SetState(0)
    box.InvokeEvent("StateChangedEvent")
    assert window.session.visible["fault"] is False
    assert window.chosen == "fault"


@pytest.mark.render
def test_elevations_stretch_and_stay_within_reason(window: Window) -> None:
    window.set_exaggeration(2.0)
    made = window.session.panes[0].made
    assert all(actor.scale == (1.0, 1.0, 2.0) for actors in made.values() for actor in actors)
    window.set_exaggeration(100.0)
    assert window.session.exaggeration == EXAGGERATIONS[1]


@pytest.mark.render
def test_zoom_follows_the_exaggeration(window: Window) -> None:
    scale = window.session.camera().metres_per_pixel
    window.set_exaggeration(4.0)
    assert window.session.camera().metres_per_pixel > scale
    window.set_exaggeration(1.0)
    assert window.session.camera().metres_per_pixel == pytest.approx(scale)


@pytest.mark.render
def test_slices_move_show_other_layers_and_go_away(window: Window) -> None:
    assert window.set_slice("z", -420.0) == 1
    assert window.toggle_slice("y") is True
    assert window.next_layer() == "depth"
    made = window.session.panes[0].made
    np.testing.assert_array_equal(np.unique(made["slice z"][0].mapper.dataset.cell_data["value"]), [450.0])
    board = window.panels.board
    assert board.words("slices") == "slices of depth: y 4 512 650 m, z -450 m"
    assert board.words("layer scale") == "depth\nm"
    assert window.next_layer() == "Prospectivity"
    assert board.words("layer scale") == ""
    assert window.toggle_slice("z") is False
    assert "slice z" not in made
    assert board.words("slider slice z") == "slice z: not shown"
    assert window.toggle_slice("z") is True
    assert window.session.slices["z"] == 1


# keys ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("nz", "help_words"), [(2, HELP), (1, MAP_HELP)], ids=["volume", "map"])
def test_the_help_names_every_key(nz: int, help_words: str) -> None:
    grid = Grid((nz, 1, 1), (50.0,) * 3, (0.0, 0.0, 0.0), "EPSG:32651")

    class Unmade(Window):
        def __init__(self) -> None:
            self.scene = make_scene(title="", grid=grid, score=np.ones(grid.shape), threshold=0.5)

    keys = set(Unmade().keys()) | {"q"}
    said = set(re.findall(r"(?<![\w,.])([A-Za-z+-])(?![\w])", help_words))
    assert {key for key in keys if len(key) == 1} | {"+", "-"} == said


@pytest.mark.render
def test_keys_do_what_the_help_says(window: Window, tmp_path: Path) -> None:
    session = window.session
    before = session.readouts[0].n_cells
    press(window, "plus")
    assert session.readouts[0].n_cells > before
    for key, view in (
        ("t", (0, 90)),
        ("E", (90, 10)),
        ("S", (180, 10)),
        ("W", (270, 10)),
        ("N", (0, 10)),
        ("i", (322, 28)),
    ):
        press(window, key)
        assert (session.camera().azimuth % 360, session.camera().plunge) == pytest.approx(view, abs=1e-3)
    press(window, "x")
    press(window, "l")
    assert (session.slices["x"], session.layer) == (7, "depth")
    press(window, "n")
    press(window, "n")
    press(window, "p")
    assert session.target == "T01"
    press(window, "p")
    assert session.target == "T30"
    press(window, "v")
    press(window, "r")
    assert (session.target, session.slices["x"], session.layer) == ("", None, "Prospectivity")
    press(window, "b")
    assert (session.target, session.slices["x"], session.layer) == ("T30", 7, "depth")
    press(window, "s")
    press(window, "s")
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "kuh_district.view.json", "kuh_district_1.png", "kuh_district_2.png",
    ]  # fmt: skip


@pytest.mark.render
def test_opacity_keys_change_what_was_switched_last(window: Window) -> None:
    assert window.fade(-0.1) == 0.65
    window.set_visible("deposit", True)
    press(window, "o")
    assert (window.session.opacity["deposit"], window.session.opacity["score"]) == (0.9, 0.65)
    assert "opacity of Known deposits (2): 90 %" in window.panels.board.words("news")
    for _ in range(3):
        press(window, "O")
    assert window.session.opacity["deposit"] == 1.0


@pytest.mark.render
@pytest.mark.usefixtures("render")
def test_keys_change_the_volume_by_a_fixed_factor() -> None:
    ranks = np.arange(GRID.n_cells, dtype=np.float32).reshape(GRID.shape)
    other = Window(district(score=ranks, threshold=GRID.n_cells - 100.0), off_screen=True)
    assert other.step_threshold(1.25).n_cells == 125
    assert other.step_threshold(1e9).n_cells == GRID.n_cells
    assert other.step_threshold(1e-9).n_cells == 1
    assert other.fly(1) == ""
    assert other.panels.board.words("news") == "this scene has no targets"
    other.session.close()


@pytest.mark.render
def test_a_view_that_cannot_be_read_is_said_and_changes_nothing(window: Window, tmp_path: Path) -> None:
    assert window.load_view() is False
    assert "kuh_district.view.json" in window.panels.board.words("news").replace("\n", "").replace(" ", "")
    window.save_view().write_text("{")
    assert window.load_view() is False
    assert "is not a view" in window.panels.board.words("news")


# mouse ---------------------------------------------------------------------------------------------


@pytest.mark.render
def test_a_click_on_a_line_of_the_list_flies_there_and_shows_numbers_and_reasons(window: Window) -> None:
    seen = window.session.camera()
    board, left = window.panels.board, window.plotter.window_size[0] - 200
    _, _, top, bottom = board.box("target 2")
    click(window, left, (top + bottom) / 2)
    assert window.session.target == "T03"
    moved = window.session.camera()
    assert moved.metres_per_pixel < seen.metres_per_pixel
    assert (moved.azimuth, moved.plunge) == pytest.approx((seen.azimuth, seen.plunge))
    details = " ".join(board.words("details").split())
    for words in ("Target T03, known deposit", "volume: 2.38 million m³", "speaks for it: density +0.12;",
                  "speaks against it: susceptibility -0.04", "proposed drillhole: D07"):  # fmt: skip
        assert words in details
    click(window, window.plotter.window_size[0] / 2, (top + bottom) / 2)
    assert window.session.target == "T03"
    assert window.panels.target_at(left, 799.0) == ""


@pytest.mark.render
def test_the_list_follows_the_target_and_names_as_many_as_there_is_room_for(window: Window) -> None:
    for target in ("T01", "T15", "T30"):
        window.fly_to(target)
        rows = [name for _, name in window.panels._rows]
        assert target in rows
        assert len(rows) >= 3
        assert rows == [f"T{int(rows[0][1:]) + k:02d}" for k in range(len(rows))]


@pytest.mark.render
def test_a_right_click_reads_the_cell_below_the_mouse(window: Window) -> None:
    window.look("top")
    window.set_threshold(0.01)
    renderer = window.session.panes[0].renderer
    renderer.SetWorldPoint(*(np.array([412_750.0, 4_512_650.0, 0]) - window.scene.origin), 1.0)
    renderer.WorldToDisplay()
    x, y, _ = renderer.GetDisplayPoint()
    click(window, x, 799 - y, "Right")
    reading = window.panels.reading
    assert reading is not None
    assert reading.cell[1:] == (6, 7)
    assert " ".join(reading.text.split()) in " ".join(window.panels.board.words("details").split())
    click(window, 300, 770, "Right")
    assert "no cell at or above" in window.panels.board.words("news")
    press(window, "n")
    assert window.panels.reading is None


# words ---------------------------------------------------------------------------------------------


def boxes_of(window: Window) -> dict[str, tuple[float, float, float, float]]:
    """Left, right, top and bottom in pixels of everything that is written or switched."""
    board, height = window.panels.board, window.plotter.window_size[1]
    found = {name: board.box(name) for name in board.texts if board.words(name)}
    found |= {f"box {key}": spot for key, spot in window.panels.spots.items()}
    for name, slider in window.panels.sliders.items():
        shown = slider.GetRepresentation()
        ends = [c.GetComputedDisplayValue(window.panels.board._renderer)
                for c in (shown.GetPoint1Coordinate(), shown.GetPoint2Coordinate())]  # fmt: skip
        low = height - ends[0][1]
        found[f"line {name}"] = (ends[0][0], ends[1][0], low - 6, low + 6)
    return found


def meetings(boxes: dict[str, tuple[float, float, float, float]]) -> list[tuple[str, str]]:
    """Pairs of boxes that overlap by more than a pixel."""
    names = list(boxes)
    met = []
    for k, a in enumerate(names):
        for b in names[k + 1 :]:
            (l1, r1, t1, b1), (l2, r2, t2, b2) = boxes[a], boxes[b]
            if min(r1, r2) - max(l1, l2) > 1 and min(b1, b2) - max(t1, t2) > 1:
                met.append((a, b))
    return met


def many_roles() -> Scene:
    roles = {
        f"kind of rock {k}": [ellipsoid(f"R{k}", (412_300 + 20 * k, 4_512_300, 0), 60)] for k in range(28)
    }
    return make_scene(
        title="A district with thirty kinds of objects and a title that goes on for longer than anyone",
        grid=GRID, score=scores(), threshold=0.5, surfaces=roles, targets=targets(30),
        cells={"deposit": {"A": np.array([[4, 6, 7]])}, "blind deposit": {"B": np.array([[4, 6, 8]])}},
        units="percentile of the scored volume",
        evidence={f"layer_of_some_geophysics_{k}": np.asarray(scores()) for k in range(20)},
    )  # fmt: skip


@pytest.mark.render
@pytest.mark.usefixtures("render")
@pytest.mark.parametrize(
    ("which", "size"),
    [
        ("plain", (1280, 800)), ("thirty objects", (1280, 800)), ("thirty objects", (1920, 1080)),
        ("thirty objects", (1100, 720)), ("beside", (1280, 800)),
    ],
)  # fmt: skip
def test_nothing_written_meets_anything_else_or_the_edges(size: tuple[int, int], which: str) -> None:
    scene = whole() if which == "plain" else many_roles()
    if which == "beside":
        scene = whole(
            beside=replace(whole(title="Kuh district: prospectivity by a random forest"), targets=())
        )
    made = Window(scene, off_screen=True, size=size)
    for act in (
        lambda: made.fly_to("T15"), made.next_layer, lambda: made.set_slice("z", -420.0),
        lambda: made.panels.say("a long line of news " * 30),
        lambda: (made.panels.read(made.session.read((4, 6, 7))), made.panels.tell()),
    ):  # fmt: skip
        act()
        made.session.draw()
        boxes = boxes_of(made)
        assert meetings(boxes) == []
        assert min(b[0] for b in boxes.values()) >= 0
        assert min(b[2] for b in boxes.values()) >= 0
        assert [name for name, b in boxes.items() if b[1] > size[0] or b[3] > size[1]] == []
    made.session.close()


@pytest.mark.render
def test_a_window_that_is_made_larger_is_laid_out_anew(window: Window) -> None:
    before = window.panels.board.box("targets")
    window.plotter.window_size = [1700, 1000]
    window.session.draw()
    window.panels.fit()
    after = window.panels.board.box("targets")
    assert after[0] - before[0] == pytest.approx(1700 - 1280, abs=1)
    assert meetings(boxes_of(window)) == []
    assert window.panels.board.box("caution")[3] <= 1000


def test_words_are_folded_and_cut() -> None:
    assert folded("a bb ccc", 5) == "a bb\n  ccc"
    assert cut("a\nb", 1) == "and 2 lines more"


@pytest.mark.render
def test_words_are_replaced_and_taken_away(window: Window) -> None:
    board: Board = window.panels.board
    board.write("news", "first", (400, 60))
    board.write("news", "second", (400, 60))
    assert board.words("news") == "second"
    board.remove("news")
    assert board.words("news") == ""
    board.remove("news")


# the whole of it -----------------------------------------------------------------------------------


def read_png(path: Path) -> np.ndarray:
    from matplotlib.image import imread

    return (imread(path)[..., :3] * 255).round().astype(int)


@pytest.mark.render
@pytest.mark.usefixtures("render")
def test_a_screenshot_of_the_window_is_not_blank(tmp_path: Path) -> None:
    desktop.show(whole(), off_screen=True, screenshot=tmp_path / "w.png")
    drawn = read_png(tmp_path / "w.png")
    assert drawn.shape[:2] == desktop._SIZE[::-1]
    assert ((drawn[..., 0] > drawn[..., 2] + 60) & (drawn[..., 0] > 120)).mean() > 0.005
    # words at the left and the right
    assert drawn[:, :250].min() < 60
    assert drawn[50:400, -250:].min() < 60


@pytest.mark.render
@pytest.mark.usefixtures("render")
@pytest.mark.parametrize("fill", [np.nan, 0.4])
def test_volumes_without_scores_or_with_one_score_open_too(fill: float) -> None:
    made = Window(whole(score=np.full(GRID.shape, fill), targets=()), off_screen=True)
    made.set_threshold(0.4)
    made.step_threshold(2.0)
    made.set_slice("z", 0.0)
    made.pick(640, 400)
    made.session.draw()
    made.session.close()


@pytest.mark.render
@pytest.mark.usefixtures("render")
@pytest.mark.parametrize("nz", [1, 2])
def test_one_cell_opens_too_and_two_above_each_other(nz: int) -> None:
    grid = Grid((nz, 1, 1), (50.0,) * 3, (0.0, 0.0, 0.0), "EPSG:32651")
    made = Window(make_scene(title="", grid=grid, score=np.ones((nz, 1, 1)), threshold=0.5), off_screen=True)
    assert made.set_threshold(0.7, coarse=True).n_cells == nz
    for axis in made.scene.slice_axes:
        assert made.set_slice(axis, 1e9) == (nz - 1 if axis == "z" else 0)
    made.session.close()


@pytest.mark.render
def test_a_display_shows_a_window_where_there_is_one(window: Window) -> None:
    if can_show():
        pytest.skip("there is no display here")
    on_screen = Window(whole())
    on_screen.plotter.show(auto_close=False, interactive=False)
    on_screen.fly(1)
    on_screen.session.draw()
    assert on_screen.session.image().std() > 1
    on_screen.session.close()


def test_a_coordinate_finds_its_cell_and_stays_in_the_grid() -> None:
    scene = district()
    assert cell_at(scene, "x", 412_000) == 0
    assert cell_at(scene, "y", 4_512_650) == 6
    assert cell_at(scene, "z", 9999) == 9
    with pytest.raises(ValueError, match="axis 'w' is not known, use one of x, y, z"):
        cell_at(scene, "w", 0)
