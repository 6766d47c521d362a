from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from mpm3d import io
from mpm3d.evidence import distance, inside, resample
from mpm3d.geometry import Surface
from mpm3d.grid import Grid
from mpm3d.io import ubc
from mpm3d.labels import cells_of_body
from mpm3d.study import load
from mpm3d.synthetic import District, Orebody, discrimination, district, write
from mpm3d.synthetic.bodies import Sheet, around, lattice, slab
from mpm3d.synthetic.fields import blur_with_depth, random_field, sample, window
from mpm3d.synthetic.geology import FRAME
from mpm3d.synthetic.make import _settle
from mpm3d.synthetic.ore import APART, draw_blind
from mpm3d.topography import below, elevation_at

BUNDLED = Path(__file__).parents[1] / "data" / "wulong_like"
GRID = Grid.from_bounds((500000, 4430000, -4600, 505000, 4435000, 400), 50.0, "EPSG:32651")
DISTANCES = {
    "granodiorite_distance": ("granodiorite", True),
    "dyke_distance": ("dykes", True),
    "fault_ne_distance": ("faults_ne", False),
    "fault_nw_distance": ("faults_nw", False),
}


@pytest.fixture(scope="module")
def small() -> District:
    return district(5, spacing=250.0)


def volume_of(surface: Surface) -> float:
    corners = surface.vertices - surface.vertices.mean(axis=0)
    a, b, c = corners[surface.triangles].transpose(1, 0, 2)
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def area_of(surface: Surface) -> float:
    a, b, c = surface.vertices[surface.triangles].transpose(1, 0, 2)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def assert_discriminates(found) -> None:
    """The three demands on a district with a known answer."""
    assert found.best_layer[2] <= 0.20, found
    assert found.rule >= 0.60, found
    assert found.known_distance <= 0.10, found
    assert found.nearest > 800.0, found


def bundled_layers() -> dict[str, np.ndarray]:
    layers = {}
    for name, (file, solid) in DISTANCES.items():
        found = distance(GRID.points(), io.read(BUNDLED / "surfaces" / f"{file}.ts"), solid=solid)
        layers[name] = found.reshape(GRID.shape)
    models = {"density": BUNDLED / "ubc/density.den", "susceptibility": BUNDLED / "ubc/susceptibility.sus"}
    model = ubc.read_model(BUNDLED / "ubc/mesh.msh", models)
    for name in models:
        layers[name] = resample(model, GRID, name=name)
    (voxet,) = io.read(BUNDLED / "resistivity.vo")
    layers["resistivity"] = resample(voxet.as_model(), GRID)
    return layers


def bundled_ore(blind: bool) -> np.ndarray:
    mask = np.zeros(GRID.shape, dtype=bool)
    study = tomllib.loads((BUNDLED / "study.toml").read_text(encoding="utf-8"))
    for deposit in study["deposits"]:
        if deposit["blind"] == blind:
            bodies = [body for file in deposit["files"] for body in io.read(BUNDLED / file)]
            mask[tuple(cells_of_body(bodies, GRID).cells.T)] = True
    return mask


@pytest.mark.slow
def test_the_bundled_district_discriminates() -> None:
    (ground,) = io.read(BUNDLED / "surfaces" / "topography.ts")
    study_volume = below(GRID, ground)
    layers = bundled_layers()
    assert all(np.isfinite(values[study_volume]).all() for values in layers.values())
    (rule,) = io.read(BUNDLED / "truth" / "rule.vo")
    found = discrimination(
        layers, rule.as_model().values["rule"], grid=GRID, known=bundled_ore(False),
        blind=bundled_ore(True), study_volume=study_volume,
    )  # fmt: skip
    assert_discriminates(found)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3, 10])
def test_a_district_from_a_seed_discriminates(seed: int) -> None:
    made = district(seed, spacing=62.5)
    layers = made.layers()
    found = discrimination(
        layers, made.rule(layers), grid=made.grid, known=made.ore(blind=False),
        blind=made.ore(blind=True), study_volume=made.study_volume(),
    )  # fmt: skip
    assert_discriminates(found)


def test_the_bundled_files_are_small_and_complete() -> None:
    files = [path for path in BUNDLED.rglob("*") if path.is_file() and "runs" not in path.parts]
    assert sum(path.stat().st_size for path in files) < 15e6
    assert {"make_district.py", "README.md", "study.toml", "measured.json"} <= {path.name for path in files}


def test_the_bundled_district_has_seven_deposits_of_two_styles_two_of_them_blind() -> None:
    study = tomllib.loads((BUNDLED / "study.toml").read_text(encoding="utf-8"))
    deposits = study["deposits"]
    assert len(deposits) == 7
    assert sum(deposit["blind"] for deposit in deposits) == 2
    known = Counter(deposit["style"] for deposit in deposits if not deposit["blind"])
    assert set(known) == {"vein", "disseminated"}
    assert min(known.values()) >= 2
    assert len(study["layers"]) == 7


def test_some_bundled_veins_are_narrower_than_ten_metres() -> None:
    bodies = [body for file in sorted((BUNDLED / "deposits").glob("*.ts")) for body in io.read(file)]
    widths = [2 * volume_of(body) / area_of(body) for body in bodies]
    assert all(body.is_closed for body in bodies)
    assert sum(width < 10.0 for width in widths) >= 2


def test_a_seed_makes_the_same_district_whatever_the_cells(small: District) -> None:
    again = district(5, spacing=500.0)
    assert again.grid.shape == (10, 10, 10)
    assert [body.blind for body in again.deposits] == [body.blind for body in small.deposits]
    for one, other in zip(again.deposits, small.deposits, strict=True):
        np.testing.assert_array_equal(one.vertices, other.vertices)
    for name, model in again.models.items():
        np.testing.assert_array_equal(model.values[name], small.models[name].values[name])


def test_two_deposits_are_blind_and_each_style_keeps_two_known(small: District) -> None:
    known = Counter(body.style for body in small.deposits if not body.blind)
    assert sum(body.blind for body in small.deposits) == 2
    assert known["vein"] >= 2
    assert known["disseminated"] >= 2


def test_every_pair_that_leaves_each_style_two_known_deposits_is_drawn_alike() -> None:
    styles = ("vein", "disseminated", "vein", "disseminated", "vein", "disseminated", "vein")
    bodies = tuple(Orebody(str(number), style, ()) for number, style in enumerate(styles))
    rng = np.random.default_rng(0)
    drawn = Counter(tuple(body.name for body in draw_blind(bodies, rng) if body.blind) for _ in range(1800))
    assert len(drawn) == 18  # 6 pairs of veins, 12 of a vein and a disseminated deposit
    assert min(drawn.values()) > 60  # 100 expected, standard deviation 9.7


def test_bodies_are_closed_and_lie_below_ground(small: District) -> None:
    geology = small.geology
    for surface in (*geology.granodiorite, *geology.dykes, *(s for b in small.deposits for s in b.surfaces)):
        assert surface.is_closed, surface.name
        assert volume_of(surface) > 0, surface.name
    for body in small.deposits:
        assert np.all(body.vertices[:, 2] < geology.ground(body.vertices[:, :2]))
    for fault in (*geology.faults_ne, *geology.faults_nw):
        assert not fault.is_closed


def test_some_veins_are_narrower_than_ten_metres_and_still_meet_cells(small: District) -> None:
    veins = [s for body in small.deposits if body.style == "vein" for s in body.surfaces]
    widths = [2 * volume_of(vein) / area_of(vein) for vein in veins]
    assert min(widths) < 10.0
    assert max(widths) < 31.0
    narrowest = veins[int(np.argmin(widths))]
    assert len(cells_of_body([narrowest], GRID).cells) >= 30


def test_deposits_keep_their_distance(small: District) -> None:
    for number, body in enumerate(small.deposits):
        others = np.concatenate([b.vertices for i, b in enumerate(small.deposits) if i != number])
        assert cKDTree(others).query(body.vertices)[0].min() > APART


def test_decoys_are_altered_and_barren(small: District) -> None:
    assert len(small.decoys) >= 5
    assert sample(FRAME, small.geology.alteration, small.decoys).min() > 0.9
    scores = small.geology.favourability(small.decoys)
    assert max(scores["vein"].max(), scores["disseminated"].max()) < 0.2
    for body in small.deposits:
        for surface in body.surfaces:
            assert distance(small.decoys, [surface]).min() > 400.0


def test_the_ground_is_the_topography_surface(small: District) -> None:
    xy = np.random.default_rng(1).uniform([500000, 4430000], [505000, 4435000], (50, 2))
    np.testing.assert_allclose(
        small.geology.ground(xy), elevation_at(xy, small.geology.topography), atol=0.02
    )


def test_a_district_written_reads_back(small: District, tmp_path: Path) -> None:
    path = write(small, tmp_path / "made")
    study = load(path)
    assert study.name == "district_5"
    assert "No inversion was run" in study.note
    assert [layer.name for layer in study.layers] == list(small.layers())
    for body in small.deposits:
        again = io.read(tmp_path / "made" / "deposits" / f"{body.name}.ts")
        assert [surface.is_closed for surface in again] == [True] * len(body.surfaces)
        np.testing.assert_array_equal(again[0].vertices, body.surfaces[0].vertices)
    mesh, file = tmp_path / "made/ubc/mesh.msh", tmp_path / "made/ubc/density.den"
    model = ubc.read_model(mesh, {"density": file})
    wanted = small.models["density"].values["density"]
    np.testing.assert_allclose(model.values["density"], wanted, rtol=6e-4)
    (voxet,) = io.read(tmp_path / "made/resistivity.vo")
    wanted = small.models["resistivity"].values["resistivity"]
    np.testing.assert_allclose(voxet.as_model().values["resistivity"], wanted, rtol=6e-4)
    (rule,) = io.read(tmp_path / "made/truth/rule.vo")
    np.testing.assert_allclose(rule.as_model().values["rule"], small.rule(), atol=6e-4)


def test_a_seed_without_room_says_so() -> None:
    with pytest.raises(RuntimeError, match="seed 5 found no room for 7 deposits in 0 geologies, use another"):
        _settle(5, tries=0)


def test_surveys_see_less_the_deeper() -> None:
    rng = np.random.default_rng(2)
    noise = rng.standard_normal((40, 30, 30))
    depth = np.broadcast_to(np.arange(40.0)[::-1, None, None], noise.shape)
    seen = blur_with_depth(noise, depth, start=1.0, growth=0.1)
    assert seen[35:].std() > 2 * seen[:10].std()


def test_a_blur_keeps_what_is_the_same_everywhere() -> None:
    depth = np.broadcast_to(np.arange(9.0)[:, None, None], (9, 8, 7))
    seen = blur_with_depth(np.full((9, 8, 7), 3.5), depth, start=0.5, growth=0.2)
    np.testing.assert_allclose(seen, 3.5)


def test_a_random_field_is_standardised_and_smooth(rng: np.random.Generator) -> None:
    field = random_field((30, 30, 30), 3.0, rng)
    assert field.mean() == pytest.approx(0.0, abs=1e-12)
    assert field.std() == pytest.approx(1.0)
    assert np.abs(np.diff(field, axis=0)).mean() < 0.4


def test_a_window_is_one_inside_and_falls_as_gaussians() -> None:
    found = window(np.array([0.0, 50.0, 100.0, 300.0, 400.0]), 100.0, 300.0, inner=50.0, outer=100.0)
    np.testing.assert_allclose(found, [np.exp(-2), np.exp(-0.5), 1.0, 1.0, np.exp(-0.5)])


def test_a_lattice_is_sampled_at_its_centres() -> None:
    grid = Grid((2, 3, 4), (10.0, 20.0, 30.0), (0.0, 0.0, 0.0), "EPSG:32651")
    values = np.arange(24.0).reshape(grid.shape)
    np.testing.assert_allclose(sample(grid, values, grid.points()), values.ravel())


def test_a_ball_is_closed_and_has_its_volume_even_at_the_edge_of_the_lattice() -> None:
    grid = Grid((24, 24, 24), (10.0, 10.0, 10.0), (0.0, 0.0, 0.0), "EPSG:32651")
    away = np.linalg.norm(grid.points() - [120.0, 120.0, 120.0], axis=1).reshape(grid.shape)
    ball = around("ball", grid, 80.0 - away)
    assert ball.is_closed
    assert volume_of(ball) == pytest.approx(4 / 3 * np.pi * 80**3, rel=0.02)
    assert inside([[120.0, 120.0, 120.0]], ball).all()
    assert around("cut", grid, 150.0 - away).is_closed


def test_a_slab_is_closed_and_as_thick_as_asked(rng: np.random.Generator) -> None:
    sheet = Sheet(np.zeros(3), 30.0, 70.0, np.zeros((0, 4)), 400.0, -400.0)
    along, down = np.meshgrid(np.arange(0, 210, 10.0), np.arange(0, 110, 10.0), indexing="ij")
    nodes = sheet.points(along, down)
    whole = slab("vein", nodes, sheet.axes[2] * 3.0)
    assert whole.is_closed
    assert volume_of(whole) == pytest.approx(200 * 100 * 6, rel=1e-3)
    holes = slab("holes", nodes, sheet.axes[2] * 3.0, rng.random((20, 10)) < 0.7)
    assert holes.is_closed


def test_coordinates_of_a_sheet_undo_its_points() -> None:
    sheet = Sheet(np.array([5.0, 6.0, 7.0]), 215.0, 60.0, np.array([[20.0, 0.01, 0.005, 1.0]]), 100.0, -100.0)
    point = sheet.points(np.array([33.0]), np.array([44.0]), 9.0)[0]
    np.testing.assert_allclose(sheet.coordinates(point), [33.0, 44.0, 9.0])
    assert len(lattice(np.zeros((4, 5, 3)))) == 2 * 3 * 4


def made_up() -> dict:
    """1000 cells in a row; ore known in the first ten, blind in the last ten, and one layer that rises."""
    grid = Grid((1, 1, 1000), (50.0, 50.0, 50.0), (0.0, 0.0, 0.0), "EPSG:32651")
    number = np.arange(1000.0).reshape(grid.shape)
    return {
        "layers": {"rising": number, "flat": np.zeros(grid.shape)},
        "rule": np.where(number >= 995, 1.0, 0.0),
        "grid": grid,
        "known": number < 10,
        "blind": number >= 990,
        "study_volume": np.ones(grid.shape, dtype=bool),
    }


def test_shares_of_blind_ore_are_counted_by_rank() -> None:
    case = made_up()
    found = discrimination(case.pop("layers"), case.pop("rule"), **case)
    assert found.high == {"rising": 1.0, "flat": 0.0}
    assert found.low == {"rising": 0.0, "flat": 0.0}
    assert found.best_layer == ("rising", "high", 1.0)
    assert found.rule == 0.5  # five of ten; the others tie with all the rest at mid-rank
    assert found.known_distance == 0.0
    assert found.nearest == 50.0 * (990 - 9)
    assert (found.n_known, found.n_blind, found.n_eligible) == (10, 10, 990)


def test_distance_to_known_ore_finds_blind_ore_beside_it() -> None:
    case = made_up() | {"blind": (np.arange(1000) // 10 == 1).reshape(1, 1, 1000)}
    found = discrimination(case.pop("layers"), case.pop("rule"), **case)
    assert found.known_distance == 1.0


def test_missing_values_capture_nothing() -> None:
    case = made_up()
    layers = {"gap": np.where(case.pop("layers")["rising"] >= 990, np.nan, 1.0)}
    found = discrimination(layers, case.pop("rule"), **case)
    assert found.best_layer == ("gap", "low", 0.0)


def test_a_district_without_blind_ore_cannot_be_measured() -> None:
    case = made_up() | {"blind": np.zeros((1, 1, 1000), dtype=bool)}
    with pytest.raises(ValueError, match="10 cells of known ore and 0 of blind ore"):
        discrimination(case.pop("layers"), case.pop("rule"), **case)


def test_arrays_of_another_shape_are_refused() -> None:
    case = made_up() | {"known": np.zeros((1, 1, 9), dtype=bool)}
    with pytest.raises(
        ValueError, match=r"'known' has \(1, 1, 9\) cells \(z, y, x\), the grid \(1, 1, 1000\)"
    ):
        discrimination(case.pop("layers"), case.pop("rule"), **case)
