"""Bodies, sheets, points and intervals to cells."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from mpm3d import io, labels
from mpm3d.errors import StudyError
from mpm3d.geometry import Lines, Points, Surface
from mpm3d.grid import Grid
from mpm3d.labels import Deposit

CRS = "EPSG:32651"
GRID = Grid.from_bounds((0, 0, 0, 500, 400, 300), 50, CRS)
FACES = np.array(
    [[0, 2, 1], [1, 2, 3], [4, 5, 6], [5, 7, 6], [0, 1, 4], [1, 5, 4], [2, 6, 3], [3, 6, 7], [0, 4, 2],
     [2, 4, 6], [1, 3, 5], [3, 7, 5]], dtype=np.int64,
)  # fmt: skip


def box(low, high, turn=0.0, name="box"):
    """Box of x, y, z corners, turned about the vertical through its middle."""
    low, high = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    unit = np.array([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)], dtype=float) - 0.5
    c, s = np.cos(turn), np.sin(turn)
    turned = (unit * (high - low)) @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
    return Surface(name, turned + (low + high) / 2, FACES)


def square(corners, name="sheet"):
    return Surface(name, np.asarray(corners, dtype=float), np.array([[0, 1, 2], [0, 2, 3]]))


def cells_in(grid, condition):
    """Cells of which some of many sub-samples meet a condition of x, y, z."""
    step = (np.arange(25) + 0.5) / 25 - 0.5
    z, y, x = np.meshgrid(*(step * d for d in grid.spacing), indexing="ij")
    offsets = np.column_stack([x.ravel(), y.ravel(), z.ravel()])
    share = np.array([condition(*(centre + offsets).T).mean() for centre in grid.points()])
    return share.reshape(grid.shape)


def test_a_body_aligned_with_the_cells_meets_only_those_it_fills():
    found = labels.cells_of_body([box((50, 100, 50), (150, 200, 100))], GRID)
    assert found.cells.tolist() == [[1, 2, 1], [1, 2, 2], [1, 3, 1], [1, 3, 2]]
    assert found.n_met == found.n_filled == 4
    assert found.cells.dtype == np.int64


def test_a_turned_body_meets_and_fills_what_dense_sampling_finds():
    low, high, turn = np.array([110, 130, 70]), np.array([390, 250, 215]), 0.6

    def within(x, y, z):
        c, s = np.cos(turn), np.sin(turn)
        dx, dy = x - 250, y - 190
        return (abs(c * dx + s * dy) < 140) & (abs(c * dy - s * dx) < 60) & (z > 70) & (z < 215)

    share = cells_in(GRID, within)
    found = labels.cells_of_body([box(low, high, turn)], GRID)
    met = np.zeros(GRID.shape, dtype=bool)
    met[tuple(found.cells.T)] = True
    assert np.all(met[share > 0])
    assert found.n_met - (share > 0).sum() <= 3  # cells of which a corner is cut that sampling misses
    assert found.n_met == len(found.cells)
    assert abs(found.n_filled - (share >= 0.5).sum()) <= 4
    most = labels.cells_of_body([box(low, high, turn)], GRID, min_share=0.9)
    assert np.all(share[tuple(most.cells.T)] > 0.8)
    assert (most.n_met, most.n_filled) == found[1:]


def test_share_of_a_body_cut_by_a_plane_follows_its_volume():
    body = box((0, 0, 0), (100, 100, 30))  # fills 0.6 of four cells
    assert len(labels.cells_of_body([body], GRID, min_share=0.5).cells) == 4
    assert len(labels.cells_of_body([body], GRID, min_share=0.7).cells) == 0
    assert labels.cells_of_body([body], GRID)[1:] == (4, 4)


@pytest.mark.parametrize("turn", [0.0, 0.4])
def test_a_vein_of_six_metres_survives_cells_of_fifty(turn):
    vein = box((60, 197, 20), (440, 203, 280), turn)
    found = labels.cells_of_body([vein], GRID)
    share = cells_in(GRID, lambda x, y, z: (
        (abs(np.cos(turn) * (y - 200) - np.sin(turn) * (x - 250)) < 3)
        & (abs(np.cos(turn) * (x - 250) + np.sin(turn) * (y - 200)) < 190) & (z > 20) & (z < 280)
    ))  # fmt: skip
    met = {tuple(cell) for cell in found.cells.tolist()}
    assert {tuple(cell) for cell in np.argwhere(share > 0).tolist()} <= met
    assert found.n_met >= (share > 0).sum() > 40
    assert found.n_filled == 0


def test_a_body_smaller_than_a_cell_and_away_from_its_centre_is_found():
    found = labels.cells_of_body([box((51, 51, 51), (52, 52, 52))], GRID)
    assert found.cells.tolist() == [[1, 1, 1]]


def test_an_open_sheet_on_a_face_between_cells_belongs_to_the_upper_ones():
    sheet = square([[10, 10, 100], [90, 10, 100], [90, 40, 100], [10, 40, 100]])
    found = labels.cells_of_body([sheet], GRID, thickness=1)
    assert {tuple(c) for c in found.cells.tolist()} == {(2, 0, 0), (2, 0, 1)}


def test_a_thick_sheet_reaches_the_cells_within_half_its_thickness():
    sheet = square([[0, 0, 125], [500, 0, 125], [500, 400, 125], [0, 400, 125]])
    thin = labels.cells_of_body([sheet], GRID, thickness=6)
    assert np.unique(thin.cells[:, 0]).tolist() == [2]
    assert (thin.n_met, thin.n_filled) == (80, 0)
    thick = labels.cells_of_body([sheet], GRID, thickness=120)
    assert np.unique(thick.cells[:, 0]).tolist() == [1, 2, 3]
    assert (thick.n_met, thick.n_filled) == (240, 240)  # 35 of 50 m on either side
    most = labels.cells_of_body([sheet], GRID, thickness=120, min_share=0.85)
    assert np.unique(most.cells[:, 0]).tolist() == [2]


def test_a_dipping_sheet_crosses_the_cells_it_passes_through():
    sheet = square([[0, 0, 0], [0, 400, 0], [300, 400, 300], [300, 0, 300]])
    found = labels.cells_of_body([sheet], GRID, thickness=2)
    assert {(c[0], c[2]) for c in found.cells.tolist()} >= {(k, k) for k in range(6)}
    assert all(abs(c[0] - c[2]) <= 1 for c in found.cells.tolist())


def test_several_surfaces_are_one_body():
    a, b = box((0, 0, 0), (100, 100, 100)), box((50, 0, 0), (200, 50, 100))
    both = labels.cells_of_body([a, b], GRID)
    apart = [{tuple(c) for c in labels.cells_of_body([s], GRID).cells.tolist()} for s in (a, b)]
    assert {tuple(c) for c in both.cells.tolist()} == apart[0] | apart[1]
    assert both.n_met == both.n_filled == 12
    halves = [box((0, 0, 0), (100, 50, 20)), box((0, 0, 20), (100, 50, 40))]  # 0.4 each, 0.8 together
    assert labels.cells_of_body(halves, GRID).n_filled == 2
    sheet = square([[10, 10, 225], [40, 10, 225], [40, 40, 225], [10, 40, 225]])
    mixed = labels.cells_of_body([a, sheet], GRID, thickness=5)
    assert [4, 0, 0] in mixed.cells.tolist()
    assert mixed.n_met == 9


def test_parts_outside_the_grid_are_left_out():
    assert len(labels.cells_of_body([box((-80, 10, 10), (40, 40, 40))], GRID).cells) == 1
    outside = labels.cells_of_body([box((900, 900, 900), (950, 950, 950))], GRID)
    assert outside.cells.shape == (0, 3)
    assert outside[1:] == (0, 0)


def test_cells_do_not_depend_on_the_size_of_coordinates():
    shift = np.array([557_000, 7_133_000, -500])
    far = Grid(GRID.shape, GRID.spacing, tuple(shift[::-1].astype(float)), CRS)
    body = box((110, 130, 70), (390, 250, 215), 0.6)
    moved = Surface("moved", body.vertices + shift, body.triangles)
    here, there = labels.cells_of_body([body], GRID), labels.cells_of_body([moved], far)
    assert np.array_equal(here.cells, there.cells)
    assert here[1:] == there[1:]


def test_work_in_small_pieces_finds_the_same_cells(monkeypatch):
    body = box((110, 130, 70), (390, 250, 215), 0.6)
    whole = labels.cells_of_body([body], GRID)
    monkeypatch.setattr(labels, "AT_ONCE", 500)
    assert np.array_equal(labels.cells_of_body([body], GRID).cells, whole.cells)


def test_errors_of_a_body_say_what_it_needs():
    sheet = square([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], name="vein 3")
    with pytest.raises(
        ValueError, match=r"surface 'vein 3' is open, so it has no volume. Close it, or give the"
    ):
        labels.cells_of_body([sheet], GRID)
    with pytest.raises(ValueError, match="a body needs at least one surface, none was given"):
        labels.cells_of_body([], GRID)
    with pytest.raises(ValueError, match="a thickness of -2 m is not possible, it must be above 0"):
        labels.cells_of_body([sheet], GRID, thickness=-2)
    with pytest.raises(ValueError, match=r"a share of 1.5 is not possible, it must be above 0 and at most 1"):
        labels.cells_of_body([sheet], GRID, thickness=2, min_share=1.5)


def test_points_mark_their_cells_once_and_those_outside_are_left_out():
    xyz = np.array([[10.0, 60, 110], [20, 70, 120], [490, 390, 290], [501, 0, 0], [np.nan, 0, 0]])
    expected = [[2, 1, 0], [5, 7, 9]]
    assert labels.cells_of_points(xyz, GRID).tolist() == expected
    assert labels.cells_of_points(Points("ore", xyz), GRID).tolist() == expected
    assert labels.cells_of_points(np.empty((0, 3)), GRID).shape == (0, 3)


def test_segments_mark_every_cell_they_pass_through(rng):
    ends = rng.uniform(-50, 550, (20, 2, 3))
    lines = Lines("intervals", ends.reshape(-1, 3), np.arange(40).reshape(-1, 2))
    share = np.linspace(0, 1, 20_001)[:, None]
    dense = np.concatenate([a + share * (b - a) for a, b in ends])
    expected = {tuple(c) for c in labels.cells_of_points(dense, GRID).tolist()}
    found = {tuple(c) for c in labels.cells_of_segments(lines, GRID).tolist()}
    assert expected <= found
    assert len(found - expected) <= 2  # corners cut by less than a step


def test_a_segment_within_a_cell_and_one_of_no_length_mark_that_cell():
    lines = Lines("short", np.array([[10.0, 10, 10], [12, 12, 12], [60, 10, 10], [60, 10, 10]]),
                  np.array([[0, 1], [2, 3]]))  # fmt: skip
    assert labels.cells_of_segments(lines, GRID).tolist() == [[0, 0, 0], [0, 0, 1]]


def test_deposits_that_are_wrong_are_told_all_at_once():
    a = Deposit("A", np.array([[0, 0, 0], [0, 0, 1], [0, 0, 2]]))
    b = Deposit("B", np.array([[0, 0, 1], [0, 0, 2]]), style="vein")
    nothing = Deposit("C", np.empty((0, 3), dtype=np.int64))
    far = Deposit("A", np.array([[5, 5, 5]]))
    labels.check_deposits([a, Deposit("D", far.cells)])
    with pytest.raises(StudyError) as caught:
        labels.check_deposits([a, b, nothing, far])
    assert caught.value.problems == (
        "the name 'A' is given to 2 deposits, each needs its own.",
        "deposit 'C' has no cell of the grid. Check that its files lie inside the grid and have its "
        "coordinate system, or lower min_share.",
        "deposits 'A' and 'B' share 2 cells, of 3 and 2. Make them one deposit, use smaller cells, or give a "
        "min_share.",
    )


def test_distance_to_cells_equals_all_pairs_and_is_infinite_from_the_cutoff_on(rng):
    points, centres = rng.uniform(0, 1000, (50, 3)) + 7e6, rng.uniform(0, 1000, (30, 3)) + 7e6
    expected = cdist(points, centres).min(axis=1)
    np.testing.assert_allclose(labels.distance_to_cells(points, centres), expected, atol=1e-6)
    near = labels.distance_to_cells(points, centres, cutoff=200)
    np.testing.assert_allclose(near, np.where(expected < 200, expected, np.inf), atol=1e-6)
    assert np.isinf(labels.distance_to_cells(points, np.empty((0, 3)))).all()


def test_beyond_includes_the_stand_off_itself_and_everything_without_deposits():
    assert labels.beyond([[0, 0, 0], [0, 0, 250], [0, 200, 0]], [[0, 0, 50]], 200).tolist() == [
        False, True, True,
    ]  # fmt: skip
    assert labels.beyond([[0, 0, 0]], np.empty((0, 3)), 800).all()
    assert labels.beyond([[0, 0, 0]], [[0, 0, 0]], 0).all()


@pytest.mark.data
def test_the_filled_cells_of_real_kimberlites_hold_the_volume_of_their_bodies(data_dir):
    grid = Grid.from_bounds((557_000, 7_133_300, -100, 557_700, 7_134_000, 500), 20, "EPSG:26912")
    bodies = [io.read(data_dir / "tkc" / "surfaces" / f"{name}.ts")[0] for name in ("PK1", "VK", "HK1")]
    found = labels.cells_of_body(bodies, grid)
    volume = 0.0
    for body in bodies:  # divergence theorem, whichever way the triangles face
        a, b, c = np.moveaxis(body.vertices[body.triangles] - body.vertices[0], 1, 0)
        volume += abs(np.einsum("ij,ij->i", a, np.cross(b, c)).sum()) / 6
    assert found.n_filled * grid.cell_volume == pytest.approx(volume, rel=0.03)
    assert found.n_filled < found.n_met == len(found.cells)
