from __future__ import annotations

import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mpm3d.geometry import Lines, Points, Surface
from mpm3d.grid import Grid
from mpm3d.view import CAUTION, Scene, can_render, can_show, make_scene, read_out, renderer, threshold_for
from mpm3d.view import desktop as desktop_module
from mpm3d.view import picture as picture_module
from mpm3d.view.actors import colour_range, face_mesh, item_mesh, local_bounds, score_map
from mpm3d.view.camera import axes_for, axes_of, direction_of, fit_camera, nice_step, readable, words_of
from mpm3d.view.faces import cell_faces, slice_faces, target_faces
from mpm3d.view.layout import Layout, shared_range
from mpm3d.view.page import scene_axes
from mpm3d.view.scene import STYLES, SceneTarget, style_of
from mpm3d.view.sidebar import exaggeration_words, scale_length

# UTM zone 51 N, elevations from 600 m below the sea to 400 m above it
GRID = Grid((10, 12, 14), (100.0, 100.0, 100.0), (-600.0, 4_512_000.0, 412_000.0), "EPSG:32651")


def ellipsoid(name: str, centre: tuple[float, float, float], radius: float) -> Surface:
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    ring = np.column_stack([np.cos(turn), np.sin(turn), 0 * turn])
    vertices = np.vstack([ring, [[0, 0, 1], [0, 0, -1]]]) * radius + np.asarray(centre)
    triangles = [(k, (k + 1) % 12, 12) for k in range(12)] + [((k + 1) % 12, k, 13) for k in range(12)]
    return Surface(name, vertices, np.array(triangles, dtype=np.int64))


def sheet(name: str, corners: list[tuple[float, float, float]]) -> Surface:
    return Surface(name, np.array(corners), np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int64))


def scores() -> np.ndarray:
    """A blob around the cell (4, 6, 7), the uppermost layer in the air."""
    z, y, x = np.meshgrid(*(np.arange(n) for n in GRID.shape), indexing="ij")
    score = np.exp(-((z - 4) ** 2 + (y - 6) ** 2 + (x - 7) ** 2) / 8).astype(np.float32)
    score[9] = np.nan
    return score


def district(**more: object) -> Scene:
    low, high = GRID.bounds[:3], GRID.bounds[3:]
    ground = sheet(
        "DEM",
        [(low[0] - 500, low[1] - 500, 300), (high[0] + 500, low[1] - 500, 450),
         (high[0] + 500, high[1] + 500, 300), (low[0] - 500, high[1] + 500, 250)],
    )  # fmt: skip
    fault = sheet(
        "F1", [(low[0] + 300, low[1], -900), (low[0] + 300, high[1], -900),
               (low[0] + 700, high[1], 900), (low[0] + 700, low[1], 900)],
    )  # fmt: skip
    surfaces = {
        "topography": [ground],
        "fault": [fault],
        "deposit": [
            ellipsoid("Kuh", (412_750, 4_512_650, -150), 150),
            ellipsoid("Sar", (412_300, 4_512_300, 0), 90),
        ],
    }  # fmt: skip
    cells = {
        "deposit": {"Kuh": np.array([[4, 6, 7], [4, 6, 8]]), "Sar": np.array([[0, 0, 0], [9, 0, 0]])},
        "blind deposit": {"Hid": np.array([[5, 6, 7]])},
    }
    given = {"title": "Kuh district", "threshold": 0.5, "score": scores(), "units": "model score, 0 to 1"}
    return make_scene(grid=GRID, surfaces=surfaces, cells=cells, **{**given, **more})  # type: ignore[arg-type]


# scene ---------------------------------------------------------------------------------------------


def test_importing_the_view_loads_no_pyvista_and_no_matplotlib() -> None:
    heavy = {"pyvista", "vtk", "vtkmodules", "matplotlib"}
    code = f"import sys, mpm3d.view; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_scene_holds_the_legend_the_caution_and_the_units() -> None:
    scene = district()
    assert [entry.label for entry in scene.legend] == [
        "Known deposits (2)", "Blind deposits", "Faults", "Topography",
    ]  # fmt: skip
    assert scene.caution == CAUTION == "Conceptual, for planning exploration; not a resource estimate."
    assert scene.colour_title == "Prospectivity (model score, 0 to 1)"
    for entry in scene.legend:
        assert (entry.colour, entry.opacity) == STYLES[entry.role][1:]


def test_hidden_roles_are_not_drawn_at_first() -> None:
    scene = district(hidden=["fault"])
    assert [entry.role for entry in scene.legend if not entry.visible] == ["fault"]


def test_a_role_of_ones_own_keeps_its_colour() -> None:
    assert style_of("skarn") == style_of("skarn")
    assert style_of("skarn").label == "Skarn"


def test_colours_of_roles_differ() -> None:
    assert len({style.colour for style in STYLES.values()}) == len(STYLES)


# Machado, Oliveira and Fernandes (2009), table for severity 1.0: linear RGB as seen without one kind of cones
EYES = {
    "all cones": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "no red cones": [
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998],
    ],
    "no green cones": [
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881],
    ],
    "no blue cones": [
        [1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900],
    ],
}  # fmt: skip


def lab_of(rgb: np.ndarray, eye: str) -> np.ndarray:
    """CIELAB (1976, D65) of sRGB colours ``(n, 3)`` from 0 to 1, as an eye sees them."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(EYES[eye]).T, 0, 1)
    x, y, z = (
        (0.4124564, 0.3575761, 0.1804375),
        (0.2126729, 0.7151522, 0.0721750),
        (0.0193339, 0.1191920, 0.9503041),
    )
    xyz = seen @ np.array([x, y, z]).T / [0.95047, 1.0, 1.08883]
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.column_stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])])


@pytest.mark.parametrize("eye", EYES)
def test_colours_of_roles_and_scores_stay_apart_for_every_eye(eye: str) -> None:
    roles = [role for role in STYLES if role != "target"]  # targets have the colours of their scores
    colours = [[int(STYLES[role].colour[k : k + 2], 16) / 255 for k in (1, 3, 5)] for role in roles]
    scale = lab_of(score_map()(np.linspace(0, 1, 24))[:, :3], eye)
    seen = lab_of(np.array(colours), eye)
    for number, role in enumerate(roles):
        others = np.vstack([seen[number + 1 :], scale])
        distance = np.linalg.norm(others - seen[number], axis=1)
        assert distance.min() > 18, (role, [*roles[number + 1 :], *range(24)][int(distance.argmin())])
    assert np.all(np.diff(scale[:, 0]) < 0)  # a higher score is darker to every eye
    assert scale[0, 0] - scale[-1, 0] > 50


def test_a_scene_beside_must_lie_on_the_same_cells() -> None:
    other = make_scene(
        title="small", grid=Grid((1, 1, 1), (1.0,) * 3, (0.0,) * 3, "EPSG:32651"), score=np.ones((1, 1, 1)),
        threshold=0.5,
    )  # fmt: skip
    with pytest.raises(
        ValueError, match=r"the scene beside, 'small', lies on .* Give two models of one study"
    ):
        district(beside=other)
    with pytest.raises(ValueError, match=r"the companion layer 'spread' has \(1, 1, 1\) cells"):
        district(companions={"spread": np.zeros((1, 1, 1))})


def test_deposits_without_a_surface_are_drawn_as_their_cells() -> None:
    (item,) = [item for item in district().items if item.role == "blind deposit"]
    np.testing.assert_array_equal(item.geometry, [[5, 6, 7]])


def test_scores_may_come_from_a_function_that_is_called_once() -> None:
    calls = []

    def score() -> np.ndarray:
        calls.append(1)
        return scores()

    scene = district(score=score)
    assert not calls
    np.testing.assert_array_equal(scene.values, scores())
    assert scene.score_range == (float(np.nanmin(scores())), 1.0)
    assert len(calls) == 1


def test_scores_of_another_grid_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"the score has \(2, 2, 2\) cells \(z, y, x\), the grid of the scene"
    ):
        district(score=np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match=r"the score has \(2, 2, 2\) cells"):
        _ = district(score=lambda: np.zeros((2, 2, 2))).values
    with pytest.raises(ValueError, match=r"the evidence layer 'density' has \(1, 1, 1\) cells"):
        district(evidence={"density": np.zeros((1, 1, 1))})


def test_a_threshold_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="the threshold nan is not a number"):
        district(threshold=float("nan"))


def test_deposit_cells_outside_the_grid_are_refused() -> None:
    with pytest.raises(ValueError, match="deposit 'Far' has cells outside the grid"):
        make_scene(
            title="",
            grid=GRID,
            score=scores(),
            threshold=0.5,
            cells={"deposit": {"Far": np.array([[0, 0, 14]])}},
        )


def test_the_drawn_box_reaches_up_to_the_ground_over_the_grid() -> None:
    *flat, top = district().bounds
    assert tuple(flat) == GRID.bounds[:5]
    assert top == GRID.bounds[5]
    raised = sheet("hill", [(412_100, 4_512_100, 700), (412_900, 4_512_100, 700), (412_900, 4_512_900, 650),
                            (412_100, 4_512_900, 650)])  # fmt: skip
    scene = make_scene(title="", grid=GRID, score=scores(), threshold=0.5, surfaces={"topography": [raised]})
    assert scene.bounds[5] == 700


def test_the_read_out_counts_what_numpy_counts() -> None:
    score, scene = scores(), district()
    numbers = read_out(scene, 0.5)
    assert numbers.n_cells == np.count_nonzero(np.nan_to_num(score, nan=-1) >= 0.5)
    assert numbers.n_scored == 9 * 12 * 14
    assert numbers.volume_share == numbers.n_cells / numbers.n_scored
    # two of four cells: (0, 0, 0) scores low, (9, 0, 0) is in the air
    assert numbers.captured == {"deposit": 0.5, "blind deposit": 1.0}
    assert "50.0 % of the deposit cells" in numbers.text
    assert f"{numbers.n_cells:,} of 1,512 cells" in numbers.text


def test_a_threshold_for_a_share_keeps_that_share() -> None:
    scene = district()
    # no two cells of equal score, so that the share can be met exactly
    ranks = np.arange(GRID.n_cells, dtype=np.float32).reshape(GRID.shape)
    scene = district(score=ranks)
    for share in (0.02, 0.5, 1.0):
        assert read_out(scene, threshold_for(scene, share)).n_cells == round(share * GRID.n_cells)
    with pytest.raises(ValueError, match=r"a volume share of 0 is not possible"):
        threshold_for(scene, 0)


def test_a_volume_without_scores_is_a_scene_too() -> None:
    scene = district(score=np.full(GRID.shape, np.nan))
    assert scene.score_range == (0.0, 1.0)
    assert read_out(scene, 0.5).volume_share == 0.0
    assert threshold_for(scene, 0.5) == scene.threshold


# faces ---------------------------------------------------------------------------------------------


def test_the_faces_drawn_belong_to_exactly_the_cells_at_or_above_the_threshold() -> None:
    scene = district()
    kept = np.nan_to_num(scores(), nan=-1) >= 0.5
    faces = target_faces(scene, 0.5)
    padded = np.pad(kept, 1)
    inner = padded[1:-1, 1:-1, 1:-1]
    exposed, expected = np.zeros(kept.shape, dtype=bool), 0
    for axis in range(3):
        for step in (1, -1):
            open_side = inner & ~np.roll(padded, step, axis)[1:-1, 1:-1, 1:-1]
            exposed |= open_side
            expected += int(open_side.sum())
    assert len(faces.values) == expected
    np.testing.assert_array_equal(np.unique(faces.cell), np.flatnonzero(exposed))
    np.testing.assert_array_equal(faces.values, scores().ravel()[faces.cell])


def test_faces_lie_half_a_cell_from_the_centre_of_their_cell() -> None:
    scene = district()
    faces = target_faces(scene, 0.5)
    centres = GRID.points()[faces.cell] - np.asarray(scene.origin)
    away = np.abs(faces.corners.mean(axis=1) - centres)
    np.testing.assert_allclose(np.sort(away, axis=1), np.tile([0, 0, 50], (len(away), 1)), atol=1e-3)


def test_one_cell_of_unequal_sides_has_six_faces_in_its_place() -> None:
    grid = Grid((3, 4, 5), (10.0, 20.0, 40.0), (-30.0, 4_500_000.0, 400_000.0), "EPSG:32651")
    scene = make_scene(title="", grid=grid, score=np.zeros(grid.shape), threshold=1.0)
    faces = cell_faces(scene, np.array([[2, 1, 3]]))
    assert faces.corners.shape == (6, 4, 3)
    corners = faces.corners.reshape(-1, 3) + np.asarray(scene.origin)
    np.testing.assert_allclose(corners.min(axis=0), [400_120, 4_500_020, -10])
    np.testing.assert_allclose(corners.max(axis=0), [400_160, 4_500_040, 0])


def test_coordinates_near_the_origin_keep_centimetres_in_32_bits() -> None:
    scene = district()
    assert float(np.abs(target_faces(scene, 0.01).corners).max()) < 2000


@pytest.mark.parametrize(("axis", "index"), [(0, 3), (1, 0), (2, 13)])
def test_a_slice_shows_the_values_of_its_cells_and_leaves_out_the_air(axis: int, index: int) -> None:
    scene = district()
    faces = slice_faces(scene, scores(), axis, index)
    plane = np.take(scores(), index, axis=axis)
    np.testing.assert_array_equal(faces.values, plane[np.isfinite(plane)])
    place = faces.corners[:, :, 2 - axis] + scene.origin[2 - axis]
    np.testing.assert_allclose(place, GRID.centres(axis)[index])
    np.testing.assert_array_equal(scores().ravel()[faces.cell], faces.values)


# camera --------------------------------------------------------------------------------------------


def test_looking_north_has_east_at_the_right_and_up_at_the_top() -> None:
    right, up, away = axes_of(0, 0)
    np.testing.assert_allclose([right, up, away], [[1, 0, 0], [0, 0, 1], [0, 1, 0]], atol=1e-12)


def test_the_map_view_has_north_at_the_top() -> None:
    right, up, away = axes_of(*direction_of("top"))
    np.testing.assert_allclose([right, up, away], [[1, 0, 0], [0, 1, 0], [0, 0, -1]], atol=1e-12)
    assert words_of(*direction_of("top")) == "map view, north up"
    assert words_of(*direction_of("northwest")) == "looking NW (322°), 28° down"


def test_a_view_that_is_not_known_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"view 'up' is not known, use one of northwest, .*, top or \(azimuth"
    ):
        direction_of("up")
    with pytest.raises(ValueError, match="plunge goes from -90"):
        direction_of((0, 91))


@pytest.mark.parametrize("view", ["northwest", "east", "top", (33.0, -20.0)])
@pytest.mark.parametrize("size", [(1000, 600), (500, 900)])
def test_the_whole_box_is_inside_the_margins(view: str | tuple[float, float], size: tuple[int, int]) -> None:
    bounds = (-700.0, -600.0, -1500.0, 700.0, 600.0, 900.0)
    camera = fit_camera(bounds, view, size, (100, 40, 60, 20))
    corners = np.array([[x, y, z] for x in bounds[::3] for y in bounds[1::3] for z in bounds[2::3]])
    pixels = camera.pixels(corners)
    assert np.all(pixels >= np.array([100, 60]) - 1e-6)
    assert np.all(pixels <= np.array([size[0] - 40, size[1] - 20]) + 1e-6)


def test_a_length_across_the_view_is_true() -> None:
    camera = fit_camera((-700, -600, -500, 700, 600, 500), "northwest", (1000, 600), (100, 40, 60, 20))
    ends = camera.pixels(np.array([[0.0, 0, 0], 1000 * camera.axes[0]]))
    assert np.linalg.norm(ends[1] - ends[0]) * camera.metres_per_pixel == pytest.approx(1000)


def test_ticks_are_true_coordinates_whatever_the_exaggeration() -> None:
    scene = district()
    for exaggeration in (1.0, 3.0):
        layout = Layout((1600, 1100))
        camera = fit_camera(local_bounds(scene, exaggeration), "northwest", layout.scene_size, layout.margins)
        for axis in scene_axes(scene, layout, camera, exaggeration):
            true = scene.bounds[axis.axis], scene.bounds[axis.axis + 3]
            assert axis.labelled
            assert np.all((axis.places >= true[0]) & (axis.places <= true[1]))
            drawn = axis.points(true)[:, axis.axis]
            stretch = exaggeration if axis.axis == 2 else 1.0
            np.testing.assert_allclose(drawn / stretch + scene.origin[axis.axis], axis.places)


def test_an_axis_that_is_looked_at_end_on_has_no_labels() -> None:
    bounds = (-700.0, -600.0, -500.0, 700.0, 600.0, 500.0)
    camera = fit_camera(bounds, (0, 0), (1000, 600), (100, 40, 60, 20))
    assert [axis.labelled for axis in axes_for(bounds, bounds, camera, (80, 30))] == [True, False, True]
    camera = fit_camera(bounds, "north", (1000, 600), (100, 40, 60, 20))
    assert [axis.labelled for axis in axes_for(bounds, bounds, camera, (80, 30))] == [True, False, True]
    camera = fit_camera(bounds, "top", (1000, 600), (100, 40, 60, 20))
    assert [axis.labelled for axis in axes_for(bounds, bounds, camera, (80, 30))] == [True, True, False]


def test_numbers_are_readable() -> None:
    assert readable(4_512_500) == "4 512 500"
    assert nice_step(4999, 5) == 1000
    assert exaggeration_words(1.0) == "no vertical exaggeration"
    assert exaggeration_words(2.5) == "vertical exaggeration 2.5×"


def test_the_scale_bar_is_round_and_fits() -> None:
    layout = Layout((1600, 1100))
    for metres_per_pixel in (0.13, 1.0, 7.7, 55.0):
        camera = fit_camera((0, 0, 0, 1, 1, 1), "top", layout.scene_size, layout.margins)
        camera = type(camera)(0, 90, (0, 0, 0), metres_per_pixel, layout.scene_size)
        length = scale_length(camera, layout)
        assert 40 < length / metres_per_pixel <= layout.panel
        assert f"{length:e}"[0] in "125"


# renderer ------------------------------------------------------------------------------------------


@pytest.fixture
def ask_again() -> object:
    renderer._ask.cache_clear()
    yield None
    renderer._ask.cache_clear()


@pytest.mark.usefixtures("ask_again")
@pytest.mark.parametrize(
    ("code", "match"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "neither a display nor a working EGL"),
        ("raise ImportError('libXrender.so.1: cannot open')", "a test picture failed: ImportError: libX"),
        ("print('something else')", "a test picture failed: exit status 0"),
    ],
)  # fmt: skip
def test_a_machine_that_cannot_draw_gets_a_sentence(
    code: str, match: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if "SIGSEGV" in code and sys.platform == "win32":
        pytest.skip("signals are of POSIX")
    monkeypatch.setattr(renderer, "_command", lambda: [sys.executable, "-c", code])
    problem = can_render()
    assert problem is not None
    for call in (
        lambda: picture_module.draw(district(), tmp_path / "a.png"),
        lambda: desktop_module.show(district(), off_screen=True),
        lambda: desktop_module.show(district()),
    ):
        with pytest.raises(RuntimeError, match=match) as caught:
            call()
        assert "apt-get install libegl1 libgl1-mesa-dri (or libosmesa6 libx11-6)" in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("ask_again")
def test_a_renderer_that_does_not_answer_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renderer, "_command", lambda: [sys.executable, "-c", "import time; time.sleep(60)"])
    monkeypatch.setattr(renderer, "_TIMEOUT", 0.2)
    assert "a small test picture was not finished after 0.2 s" in str(can_render())


@pytest.mark.usefixtures("ask_again")
def test_a_test_picture_that_cannot_be_started_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(renderer, "_command", lambda: [str(tmp_path / "no-python")])
    assert "the test picture could not be started" in str(can_render())


@pytest.mark.usefixtures("ask_again")
def test_a_machine_is_asked_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code = f"open({str(tmp_path / 'asked')!r}, 'a').write('x'); print('window vtkEGLRenderWindow')"
    monkeypatch.setattr(renderer, "_command", lambda: [sys.executable, "-c", code])
    assert (can_render(), can_render()) == (None, None)
    assert (tmp_path / "asked").read_text() == "x"


@pytest.mark.usefixtures("ask_again")
@pytest.mark.parametrize(
    ("display", "match"), [(None, "there is no display"), (":77", "the display ':77' does not answer")]
)
def test_a_window_without_a_display_points_to_the_picture(
    display: str | None, match: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "print('window vtkEGLRenderWindow')"
    monkeypatch.setattr(renderer, "_command", lambda: [sys.executable, "-c", code])
    if display is None:
        monkeypatch.delenv("DISPLAY", raising=False)
    else:
        monkeypatch.setenv("DISPLAY", display)
    assert can_render() is None
    with pytest.raises(
        RuntimeError, match=f"{match}.*or look at the picture, which is drawn without a display"
    ):
        desktop_module.show(district())


@pytest.mark.usefixtures("ask_again")
def test_a_window_of_the_system_can_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "print('window vtkXOpenGLRenderWindow')"
    monkeypatch.setattr(renderer, "_command", lambda: [sys.executable, "-c", code])
    assert can_show() is None


# picture -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "more", "match"),
    [
        ("a.jpg", {}, r"'a.jpg' is not a PNG file, pictures are. Use 'a.png'"),
        (
            "a.png",
            {"size": (300, 200)},
            "300 × 200 pixels is too small for its labels, use at least 800 × 600",
        ),
        ("a.png", {"vertical_exaggeration": 0}, "a vertical exaggeration of 0 is not possible"),
        ("a.png", {"view": "sideways"}, "view 'sideways' is not known"),
    ],
)
def test_a_picture_that_cannot_be_is_refused(
    name: str, more: dict[str, object], match: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=match):
        picture_module.draw(district(), tmp_path / name, **more)  # type: ignore[arg-type]


def test_shells_start_at_the_smallest_score_shown_and_end_with_the_best() -> None:
    shells = picture_module.shells(district())
    shown = np.sort(scores()[np.nan_to_num(scores(), nan=-1) >= 0.5])
    assert shells[0][0] == shown[0]
    assert [opacity for _, opacity in shells] == sorted(opacity for _, opacity in shells)
    assert len(picture_module.shells(district(score=np.ones(GRID.shape)))) == 1
    assert picture_module.shells(district(threshold=2.0)) == []


def test_the_colour_scale_starts_at_the_threshold() -> None:
    assert colour_range(district()) == (0.5, 1.0)
    low, high = colour_range(district(threshold=2.0))
    assert low == 2.0 < high


def read_png(path: Path) -> np.ndarray:
    from matplotlib.image import imread

    return (imread(path)[..., :3] * 255).round().astype(int)


@pytest.mark.render
@pytest.mark.usefixtures("render")
def test_a_picture_shows_scores_deposits_and_carries_its_words(tmp_path: Path) -> None:
    path = picture_module.draw(district(), tmp_path / "figures" / "a.png", size=(900, 640))
    assert path == tmp_path / "figures" / "a.png"
    raw = path.read_bytes()
    assert struct.unpack(">II", raw[16:24]) == (900, 640)
    assert b"Kuh district" in raw
    assert CAUTION.encode() in raw
    assert [file.name for file in path.parent.iterdir()] == ["a.png"]
    layout = Layout((900, 640))
    drawn = read_png(path)[layout.header : -layout.footer, : layout.scene_size[0]]
    assert np.all(drawn[0, :10] == 255)
    warm = (drawn[..., 0] > drawn[..., 2] + 60) & (drawn[..., 0] > 120)
    blue = drawn[..., 2] > drawn[..., 0] + 40
    assert warm.mean() > 0.01
    assert blue.mean() > 0.0005


@pytest.mark.render
@pytest.mark.usefixtures("render")
def test_nothing_above_the_threshold_leaves_no_warm_cell(tmp_path: Path) -> None:
    scene = district(threshold=2.0)
    path = picture_module.draw(
        scene, tmp_path / "a.png", size=(800, 600), view="top", vertical_exaggeration=2
    )
    layout = Layout((800, 600))
    drawn = read_png(path)[layout.header : -layout.footer, : layout.scene_size[0]]
    assert not ((drawn[..., 0] > drawn[..., 2] + 60) & (drawn[..., 0] > 120)).any()
    assert drawn.std() > 1


def with_targets(count: int, **more: object) -> Scene:
    """The district with so many targets in a heap, each with its drillhole from above."""
    surfaces = {"drillhole": [], "deposit": [ellipsoid("Kuh", (412_750, 4_512_650, -150), 150)]}
    targets = []
    for number in range(1, count + 1):
        x, y, z = 412_300 + 60.0 * number, 4_512_200 + 90.0 * number, -200.0
        path = np.array([[x - 150, y, 350.0], [x, y, z]])
        surfaces["drillhole"].append(Lines(f"D{number:02d}", path, np.array([[0, 1]])))
        bounds = (x - 100, y - 100, z - 100, x + 100, y + 100, z + 100)
        targets.append(SceneTarget(f"T{number:02d}", number, "new", (x, y, z), bounds, hole=f"D{number:02d}"))
    given = {"title": "Kuh district", "threshold": 0.5, "score": scores(), "targets": tuple(targets)}
    return make_scene(grid=GRID, surfaces=surfaces, **{**given, **more})  # type: ignore[arg-type]


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> list[picture_module.Page]:
    """Pages that were drawn."""
    found: list[picture_module.Page] = []
    annotate = picture_module.Page.annotate
    monkeypatch.setattr(picture_module.Page, "annotate", lambda page: (annotate(page), found.append(page)))
    return found


@pytest.mark.render
@pytest.mark.usefixtures("render")
def test_the_best_targets_and_their_drillholes_are_named_and_no_names_meet(
    tmp_path: Path, pages: list[picture_module.Page]
) -> None:
    path = picture_module.draw(with_targets(9), tmp_path / "a.png", size=(1000, 800))
    (page,) = pages
    texts = {text.get_text(): text.get_window_extent(page.canvas.get_renderer()) for text in page.paper.texts}
    named = {words for words in texts if words[:1] in "TD" and words[1:].isdigit()}
    assert named >= {"T01", "T02"}
    assert named & {"D01", "D02", "D03", "D04", "D05", "D06"}
    assert not named & {"T07", "D07", "T09", "D09"}
    boxes = [texts[words] for words in named]
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[k + 1 :])
    assert "Proposed drillholes (6 of 9)" in texts
    # a drillhole is dark where it is, halfway down
    end = with_targets(9).items[0].geometry.vertices
    x, y = page._pixels(page.scene, end.mean(axis=0, keepdims=True), 0)[0].round().astype(int)
    drawn = read_png(path)[::-1]
    assert drawn[y - 4 : y + 5, x - 4 : x + 5].max(axis=-1).min() < 60


@pytest.mark.render
@pytest.mark.usefixtures("render")
def test_two_models_are_seen_from_one_place_in_one_colour_scale(
    tmp_path: Path, pages: list[picture_module.Page]
) -> None:
    left, right = with_targets(2, title="by forest"), with_targets(2, title="by logistic")
    path = picture_module.draw(replace(left, beside=right), tmp_path / "a.png", size=(1400, 700))
    layout = Layout((1400, 700), 2)
    width = layout.scene_size[0]
    assert 2 * width <= 1400 - layout.panel
    drawn = read_png(path)[layout.header : -layout.footer]
    np.testing.assert_array_equal(drawn[:, :width], drawn[:, width : 2 * width])
    words = [text.get_text() for text in pages[0].paper.texts]
    assert {"by forest", "by logistic", "Two models side by side"} <= set(words)
    assert words.count("T01") == 2
    boxes = {text.get_text(): text.get_window_extent() for text in pages[0].paper.texts}
    (numbers,) = (box for text, box in boxes.items() if text.startswith("Left: score"))
    assert not numbers.overlaps(boxes["Up"])
    assert any("Left: score at or above 0.5" in text and "Right: score at" in text for text in words)
    other = with_targets(2, threshold=0.2)
    assert shared_range((left, other)) == (0.2, 1.0)
    with pytest.raises(ValueError, match="use at least 1400 × 700"):
        picture_module.draw(replace(left, beside=right), tmp_path / "a.png", size=(1000, 700))


@pytest.mark.render
@pytest.mark.usefixtures("render")
def test_everything_written_lies_inside_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = []
    annotate = picture_module.Page.annotate
    monkeypatch.setattr(picture_module.Page, "annotate", lambda page: (annotate(page), pages.append(page)))
    long = "A district with a very long title that somebody wrote without thinking of pictures " * 2
    for size, view in (((1600, 700), "northwest"), ((800, 1100), "east"), ((800, 600), "southwest")):
        picture_module.draw(district(title=long), tmp_path / "a.png", size=size, view=view)
        page = pages[-1]
        boxes = [text.get_window_extent(page.canvas.get_renderer()) for text in page.paper.texts]
        assert min(box.x0 for box in boxes) >= 0
        assert min(box.y0 for box in boxes) >= 0
        assert max(box.x1 for box in boxes) <= size[0]
        assert max(box.y1 for box in boxes) <= size[1]
        written = " ".join(text.get_text() for text in page.paper.texts)
        for words in (
            CAUTION,
            "Known deposits (2)",
            "Faults",
            "model score, 0 to 1",
            "Elevation (m)",
            "EPSG:32651",
        ):
            assert words in written
        assert "412 500" in written or "4 512 500" in written


@pytest.mark.render
@pytest.mark.usefixtures("render")
def test_surfaces_are_cut_off_at_the_box() -> None:
    scene = district()
    bounds = local_bounds(scene)
    for item in scene.items:
        mesh = item_mesh(scene, item)
        assert mesh.n_points
        for axis in range(3):
            assert mesh.bounds[2 * axis] >= bounds[axis] - 0.01
            assert mesh.bounds[2 * axis + 1] <= bounds[axis + 3] + 0.01


@pytest.mark.render
@pytest.mark.usefixtures("render")
def test_points_lines_and_empty_bodies_are_drawn(tmp_path: Path) -> None:
    ends = np.array([[412_100.0, 4_512_100, 300], [412_800, 4_512_700, -400]])
    empty = Surface("none", np.empty((0, 3)), np.empty((0, 3), dtype=np.int64))
    far = Points("far", ends + 1e5)
    surfaces = {
        "drillhole": [Lines("DH1", ends, np.array([[0, 1]]))],
        "sample": [Points("S", ends), far],
        "unit": [empty],
    }
    scene = make_scene(title="", grid=GRID, score=scores(), threshold=0.5, surfaces=surfaces)
    assert item_mesh(scene, scene.items[0]).n_lines == 1
    assert [item_mesh(scene, item).n_points for item in scene.items] == [2, 2, 0, 0]
    assert picture_module.draw(scene, tmp_path / "a.png", size=(800, 600)).is_file()


@pytest.mark.render
@pytest.mark.usefixtures("render")
def test_meshes_hold_the_scores_of_their_cells() -> None:
    faces = target_faces(district(), 0.5)
    mesh = face_mesh(faces)
    assert mesh.n_cells == len(faces.values)
    np.testing.assert_array_equal(mesh.cell_data["value"], faces.values)
    assert score_map().N == 256
