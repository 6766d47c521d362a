"""Values in cells: tensor meshes, lattices of any orientation, blocks of any size and 2D grids."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from mpm3d import cube, evidence
from mpm3d.grid import Grid
from mpm3d.lattice import BlockModel, Frame, Lazy, PropertyModel, Raster, StructuredGrid, Voxet


def test_a_model_on_a_grid_has_its_edges():
    grid = Grid((1, 2, 3), (5, 10, 20), (-5, 100, 1000), "EPSG:32651")
    model = PropertyModel.from_grid("m", grid, {"v": np.zeros(grid.shape)}, units={"v": "SI"})
    assert [edge.tolist() for edge in model.edges] == [[-5, 0], [100, 110, 120], [1000, 1020, 1040, 1060]]
    assert model.shape == grid.shape
    assert model.bounds == grid.bounds
    assert model.units == {"v": "SI"}


STEP = {0: 2.0, 1: 3.0, 2: 5.0}  # along x, y, z
LATTICES = [(order, signs) for order in permutations(range(3)) for signs in product((1, -1), repeat=3)]


@pytest.mark.parametrize(("order", "signs"), LATTICES)
def test_a_marker_stays_in_its_place_for_every_order_and_sense_of_the_axes(order, signs):
    steps = np.zeros((3, 3))
    for lattice, (world, sign) in enumerate(zip(order, signs, strict=True)):
        steps[lattice, world] = sign * STEP[world]
    n_u, n_v, n_w = 4, 3, 2
    values = np.arange(24.0).reshape(n_w, n_v, n_u)
    origin = np.array([500_000.0, 7_000_000, -300])
    voxet = Voxet("v", origin, steps, (n_w, n_v, n_u), {"v": values}, units={"v": "m"}, notes=("n",))
    model = voxet.as_model()
    assert (model.name, model.units, model.notes) == ("v", {"v": "m"}, ("n",))
    z, y, x = ((edge[1:] + edge[:-1]) / 2 for edge in model.edges)
    assert model.values["v"].shape == model.shape
    for (w, v, u), value in np.ndenumerate(values):
        place = origin + u * steps[0] + v * steps[1] + w * steps[2]
        k, j, i = np.argwhere(model.values["v"] == value)[0]
        np.testing.assert_allclose([x[i], y[j], z[k]], place)
    for edge, world in zip(model.edges, (2, 1, 0), strict=True):
        np.testing.assert_allclose(np.diff(edge), STEP[world])


def test_corner_registration_reads_the_ends_of_the_axes_as_the_outer_faces():
    steps = np.diag([10.0, 20, -50])
    voxet = Voxet("v", np.array([100.0, 0, 0]), steps, (3, 2, 5), {"v": np.zeros((3, 2, 5))})
    centre, corner = voxet.as_model(), voxet.as_model("corner")
    assert centre.bounds == (95, -10, -125, 145, 30, 25)
    assert corner.bounds == (100, 0, -100, 140, 20, 0)
    assert corner.shape == centre.shape == (3, 2, 5)
    np.testing.assert_allclose(np.diff(corner.edges[2]), 8)
    for edge in corner.edges:
        assert np.all(np.diff(edge) > 0)


def test_lattices_that_cannot_be_cells_are_refused():
    def lattice(steps, shape=(2, 2, 2)):
        return Voxet("lat", np.zeros(3), np.array(steps, dtype=float), shape, {"v": np.zeros(shape)})

    straight = np.eye(3)
    with pytest.raises(ValueError, match="registration 'node' is not known, use 'center' or 'corner'"):
        lattice(straight).as_model("node")
    with pytest.raises(ValueError, match=r"voxet 'lat' is rotated or skewed \(steps .*evidence.resample"):
        lattice([[1, 0.1, 0], [-0.1, 1, 0], [0, 0, 1]]).as_model()
    with pytest.raises(ValueError, match="voxet 'lat' is rotated or skewed"):
        lattice([[1, 0, 0], [1, 0, 0], [0, 0, 1]]).as_model()
    with pytest.raises(
        ValueError, match="voxet 'lat': axis W has one sample and no step, so cells have no size"
    ):
        lattice([[1, 0, 0], [0, 1, 0], [0, 0, 0]], (1, 2, 2)).as_model()


def test_a_flat_lattice_with_a_step_is_a_model():
    voxet = Voxet("v", np.zeros(3), np.diag([1.0, 1, 4]), (1, 2, 2), {"v": np.zeros((1, 2, 2))})
    assert voxet.as_model().bounds == (-0.5, -0.5, -2, 1.5, 1.5, 2)


@pytest.mark.parametrize("registration", ["center", "corner"])
@pytest.mark.parametrize(("order", "signs"), LATTICES)
def test_extent_and_first_centre_are_those_of_the_model(order, signs, registration):
    steps = np.zeros((3, 3))
    for lattice, (world, sign) in enumerate(zip(order, signs, strict=True)):
        steps[lattice, world] = sign * STEP[world]
    values = np.arange(24.0).reshape(2, 3, 4)
    voxet = Voxet("v", np.array([500_000.0, 7_000_000, -300]), steps, (2, 3, 4), {"v": values})
    model = voxet.as_model(registration)
    np.testing.assert_allclose(voxet.extent(registration), model.bounds, rtol=1e-15)
    assert model.first_centre == voxet.first_centre(registration)
    z, y, x = ((edge[1:] + edge[:-1]) / 2 for edge in model.edges)
    k, j, i = np.argwhere(np.asarray(model.values["v"]) == 0)[0]  # the value that is stored first
    np.testing.assert_allclose(voxet.first_centre(registration), (x[i], y[j], z[k]), rtol=1e-15)


def test_a_sample_of_gocad_is_the_centre_of_its_cell_and_the_extent_half_a_cell_more():
    # earthsci's voxet of 5 samples that GoCAD made into an SGrid of 5 cells: formats.md, section 3
    step = 3273195.25 / 4
    voxet = Voxet("u", np.array([-1731127.25, 0, 0]), np.diag([step, 1, 1]), (1, 1, 5), {})
    assert voxet.bounds[0] == -1731127.25 - step / 2
    assert voxet.bounds[3] == -1731127.25 + 4 * step + step / 2
    assert voxet.first_centre() == (-1731127.25, 0, 0)
    assert voxet.layout == (
        "5 × 1 × 1 samples along U, V and W, U fastest; a sample is the centre of its cell."
    )


def test_corner_registration_splits_the_same_length_in_as_many_cells_as_samples():
    steps = np.diag([10.0, 20, -50])
    voxet = Voxet("v", np.array([100.0, 0, 0]), steps, (3, 2, 5), {})
    assert voxet.extent("corner") == (100, 0, -100, 140, 20, 0)  # from the first sample to the last
    assert voxet.first_centre("corner") == (104, 5, pytest.approx(-100 / 6))
    assert voxet.as_model("corner").layout.endswith("axes end at corners of cells.")
    with pytest.raises(ValueError, match="registration 'node' is not known, use 'center' or 'corner'"):
        voxet.extent("node")


def test_an_axis_of_one_sample_is_one_cell_in_either_registration():
    voxet = Voxet("v", np.zeros(3), np.diag([1.0, 2, 4]), (1, 2, 2), {})
    assert voxet.extent() == (-0.5, -1, -2, 1.5, 3, 2)
    assert voxet.extent("corner") == (0, 0, 0, 1, 2, 4)
    assert voxet.as_model("corner").bounds == (0, 0, 0, 1, 2, 4)
    assert voxet.as_model("corner").edges[0].tolist() == [0, 4]


def test_axes_without_length_have_bounds_without_thickness():
    voxet = Voxet("image", np.array([5.0, 5, 7]), np.diag([1.0, 1, 0]), (1, 2, 2), {})
    assert voxet.bounds == (4.5, 4.5, 7, 6.5, 6.5, 7)
    for shape, why in (((1, 2, 2), "one sample and no step"), ((3, 2, 2), "3 samples in one place")):
        voxet = Voxet("image", np.zeros(3), np.diag([1.0, 1, 0]), shape, {})
        with pytest.raises(ValueError, match=f"voxet 'image': axis W has {why}, so cells have no size"):
            voxet.as_model()


def test_bounds_of_a_rotated_lattice_hold_all_corners_of_its_cells():
    steps = np.array([[8.0, 6, 0], [-12, 16, 0], [0, 0, -50]])
    voxet = Voxet("v", np.array([100.0, 200, 300]), steps, (2, 3, 4), {})
    k, j, i = np.indices((3, 4, 5)).reshape(3, -1)
    corners = voxet.origin + (np.column_stack([i, j, k]) - 0.5) @ steps
    np.testing.assert_allclose(voxet.bounds, [*corners.min(axis=0), *corners.max(axis=0)])


def test_regions_are_left_out_of_a_model_with_a_note():
    inside = np.zeros((1, 1, 2), bool)
    voxet = Voxet("v", np.zeros(3), np.eye(3), (1, 1, 2), {}, regions={"old mine": inside})
    assert voxet.as_model().notes == ("the regions old mine are not values and were left out.",)


class Recorder:
    """An array that notes what is asked of it."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.shape, self.dtype = values, values.shape, values.dtype
        self.asked: list[tuple[slice, ...]] = []

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        self.asked.append(key)
        return self.values[key]


def turned_voxet() -> tuple[Voxet, Recorder, np.ndarray]:
    """Samples of a file with U south, V up and W west, and the same as (z, y, x)."""
    cells = np.arange(8 * 10 * 12, dtype=np.float32).reshape(8, 10, 12)
    raw = Recorder(np.ascontiguousarray(np.transpose(cells[:, ::-1, ::-1], (2, 0, 1))))
    steps = np.array([[0.0, -1, 0], [0, 0, 1], [-1, 0, 0]])
    return Voxet("v", np.array([11.5, 9.5, 0.5]), steps, (12, 8, 10), {"v": Lazy(raw)}), raw, cells


def test_a_model_of_a_large_voxet_reads_nothing_and_its_window_only_itself():
    voxet, raw, cells = turned_voxet()
    model = voxet.as_model()
    assert isinstance(model.values["v"], Lazy)
    assert raw.asked == []
    assert model.bounds == (0, 0, 0, 12, 10, 8)
    np.testing.assert_array_equal(model.values["v"][2:4, :3, 5], cells[2:4, :3, 5])
    assert raw.asked == [(slice(6, 7, 1), slice(2, 4, 1), slice(7, 10, 1))] or raw.asked == [
        (slice(6, 7), slice(2, 4, 1), slice(7, 10, 1))
    ]
    raw.asked.clear()
    np.testing.assert_array_equal(model.values["v"], cells)


@pytest.mark.parametrize("method", ["nearest", "linear", "average"])
def test_a_window_of_a_grid_reads_the_cells_around_it_only(method):
    voxet, raw, cells = turned_voxet()
    grid = Grid(cells.shape, (1.0, 1.0, 1.0), (0, 0, 0), "EPSG:32651")
    window = (slice(2, 4), slice(1, 3), slice(6, 9))
    found = evidence.resample(voxet.as_model(), grid.window(window), method=method)
    np.testing.assert_array_equal(found, cells[window])
    read = sum(
        np.prod([len(range(n)[cut]) for n, cut in zip(raw.shape, key, strict=True)]) for key in raw.asked
    )
    assert read <= 4 * 4 * 5  # the window and a cell around it


def test_a_cube_is_made_of_a_large_voxet_chunk_by_chunk(tmp_path):
    voxet, raw, cells = turned_voxet()
    model = voxet.as_model()
    grid = Grid(cells.shape, (1.0, 1.0, 1.0), (0, 0, 0), "EPSG:32651")
    cube.create(tmp_path / "c.zarr", grid, chunk=(4, 5, 6))
    cube.add_layer(
        tmp_path / "c.zarr", "v", lambda part: evidence.resample(model, part), units="1", long_name="v"
    )
    np.testing.assert_array_equal(cube.open(tmp_path / "c.zarr")["v"].values, cells)
    sizes = [
        np.prod([len(range(n)[cut]) for n, cut in zip(raw.shape, key, strict=True)]) for key in raw.asked
    ]
    assert len(sizes) == 8  # one for each chunk
    assert max(sizes) <= 5 * 6 * 7


def test_a_model_with_a_frame_has_the_bounds_of_its_corners_and_is_not_aligned():
    edges = (np.array([-100.0, 0]), np.array([0.0, 20, 60]), np.array([0.0, 10]))
    plain = PropertyModel("m", edges, {"v": np.zeros((1, 2, 1))})
    assert plain.aligned() is plain
    model = PropertyModel("m", edges, {"v": np.zeros((1, 2, 1))}, frame=Frame.rotated([100, 200, 300], 90))
    np.testing.assert_allclose(model.bounds, (40, 200, 200, 100, 210, 300))
    assert model.shape == (1, 2, 1)
    with pytest.raises(
        ValueError, match=r"'m' is rotated or skewed \(axes .*evidence.resample\(model, grid\)"
    ):
        model.aligned()


def test_a_frame_turns_counterclockwise_and_back():
    frame = Frame.rotated([100, 200, 300], 30)
    c, s = np.sqrt(3) / 2, 0.5
    np.testing.assert_allclose(frame.to_world([[10, 0, 0], [0, 10, 5]]), [
        [100 + 10 * c, 200 + 10 * s, 300], [100 - 10 * s, 200 + 10 * c, 305]
    ])  # fmt: skip
    local = np.array([[1.0, -2, 3], [0, 0, 0]])
    np.testing.assert_allclose(frame.to_local(frame.to_world(local)), local, atol=1e-12)


def hexahedra() -> StructuredGrid:
    """Two cells side by side, the second higher in the east."""
    points = np.array([[x, y, z] for z in (0, 10) for y in (0, 5) for x in (0, 2, 6)], dtype=float)
    points[points[:, 0] == 6, 2] += 4
    return StructuredGrid("g", points.reshape(2, 2, 3, 3), {"v": np.array([[[1.0, 2]]])})


def test_a_structured_grid_has_one_cell_less_than_points_and_means_of_corners():
    grid = hexahedra()
    assert grid.shape == (1, 1, 2)
    assert grid.bounds == (0, 0, 0, 6, 5, 14)
    assert grid.centres().tolist() == [[[[1, 2.5, 5], [4, 2.5, 7]]]]


def blocks(**more: object) -> BlockModel:
    """Five of the 2 x 3 x 4 cells of a lattice, of 10 x 20 x 5 m, in no order."""
    index = np.array([[0, 0, 0], [3, 2, 1], [3, 0, 0], [1, 2, 0], [2, 1, 1]])  # along x, y, z
    size = np.array([10.0, 20, 5])
    centres = np.array([5e5, 7e6, -100]) + (index + 0.5) * size
    return BlockModel("b", centres, np.tile(size, (5, 1)), {"v": np.arange(5)}, **more)


def test_blocks_on_a_lattice_become_a_model_with_holes():
    model = blocks(units={"v": "g/t"}, notes=("n",)).as_model()
    assert model.bounds == blocks().bounds == (5e5, 7e6, -100, 5e5 + 40, 7e6 + 60, -90)
    assert model.shape == (2, 3, 4)
    values = model.values["v"]
    assert np.isnan(values).sum() == 19
    assert [values[0, 0, 0], values[1, 2, 3], values[0, 0, 3], values[0, 2, 1], values[1, 1, 2]] == [
        0,
        1,
        2,
        3,
        4,
    ]
    assert (model.units, model.notes) == ({"v": "g/t"}, ("n",))


def test_blocks_in_a_frame_keep_it():
    frame = Frame.rotated([0, 0, 0], 45)
    model = blocks(frame=frame).as_model()
    assert model.frame is frame
    assert model.shape == (2, 3, 4)
    ends = np.array([[5e5, 7e6, -100], [5e5 + 40, 7e6 + 60, -90]])
    bounds = blocks(frame=frame).bounds
    assert bounds[2::3] == (-100, -90)
    assert bounds[0] >= frame.to_world([[ends[0, 0], ends[1, 1], 0]])[0, 0] - 1e-6
    one = BlockModel("o", np.zeros((1, 3)), np.array([[2.0, 2, 2]]), {}, frame=frame)
    np.testing.assert_allclose(one.bounds, (-(2**0.5), -(2**0.5), -1, 2**0.5, 2**0.5, 1))


def test_blocks_that_make_no_lattice_are_refused():
    good = blocks()

    def changed(row: int, axis: int, by: float, sizes: bool = False) -> BlockModel:
        centres, widths = good.centres.copy(), good.sizes.copy()
        (widths if sizes else centres)[row, axis] += by
        return BlockModel("b", centres, widths, good.values)

    with pytest.raises(ValueError, match="the blocks of 'b' are not of one size, so they make no lattice"):
        changed(1, 2, 5, sizes=True).as_model()
    with pytest.raises(ValueError, match="the blocks of 'b' overlap or lie between the cells of a lattice"):
        changed(1, 0, 4).as_model()
    with pytest.raises(ValueError, match="the blocks of 'b' overlap"):
        BlockModel("b", good.centres[[0, 0]], good.sizes[:2], {}).as_model()
    with pytest.raises(ValueError, match="the 5 blocks of 'b' lie in a lattice of 100002 × 3 × 2 cells"):
        changed(1, 0, 999980).as_model()
    with pytest.raises(ValueError, match=r"the 5 blocks of 'b' lie in a lattice of 1e\+299 × 3"):
        changed(1, 0, 1e300).as_model()
    with pytest.raises(ValueError, match="the 5 blocks of 'b' lie in a lattice of 4 × nan"):
        changed(1, 1, np.nan).as_model()
    with pytest.raises(ValueError, match="make no lattice"):
        BlockModel("b", good.centres, good.sizes * 0, {}).as_model()
    empty = BlockModel("b", np.empty((0, 3)), np.empty((0, 3)), {})
    assert np.isnan(empty.bounds).all()
    with pytest.raises(ValueError, match="make no lattice"):
        empty.as_model()


def test_a_raster_ends_half_a_cell_beyond_its_centres():
    raster = Raster("r", np.array([10.0, 30, 50]), np.array([5.0, 15]), {"v": np.zeros((3, 2))})
    assert (raster.shape, raster.spacing) == ((3, 2), (20, 10))
    assert raster.bounds == (0, 0, 20, 60)
    row = Raster("r", np.array([10.0]), np.array([5.0, 15]), {})
    assert row.spacing == (1, 10)
    turned = Raster("r", raster.y, raster.x, raster.values, frame=Frame.rotated([100, 200, 0], 90))
    np.testing.assert_allclose(turned.bounds, (40, 200, 100, 220))
