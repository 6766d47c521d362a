"""Values of every kind of model in the cells of a grid, against formulas and other libraries."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
import pyvista as pv
from scipy.interpolate import LinearNDInterpolator, RegularGridInterpolator
from scipy.spatial import Delaunay

from mpm3d import io
from mpm3d.geometry import Surface, Tetrahedra
from mpm3d.grid import Grid
from mpm3d.io.gocad.lines import TextFile, read_blocks
from mpm3d.io.gocad.sgrid import read_sgrid
from mpm3d.io.gocad.voxet import read_voxet
from mpm3d.io.options import Options
from mpm3d.lattice import BlockModel, Frame, Lazy, PropertyModel, StructuredGrid, Voxet
from mpm3d.resampling import METHODS, prepare, resample

CRS = "EPSG:32651"
UTM = np.array([557_100.0, 7_133_500.0, -800.0])
# cells of 10 m around a place with coordinates of UTM
GRID = Grid((20, 30, 40), (10, 10, 10), (-900.0, 7_133_400.0, 557_000.0), CRS)


UNEQUAL = (np.array([0.0, 10, 40, 45, 100]), np.array([0.0, 30, 35, 80]), np.array([-5.0, 20, 25, 60, 95]))


def unequal(function):
    z, y, x = ((e[1:] + e[:-1]) / 2 for e in UNEQUAL)
    zz, yy, xx = np.meshgrid(z, y, x, indexing="ij")
    return PropertyModel("m", UNEQUAL, {"v": function(xx, yy, zz)})


def test_linear_resampling_is_exact_for_linear_fields_on_unequal_cells():
    model = unequal(lambda x, y, z: 3 * x - 2 * y + 0.5 * z + 7)
    grid = Grid.from_bounds((10, 20, 10, 70, 50, 70), 10, "EPSG:32651")
    x, y, z = grid.points().T
    found = resample(model, grid)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.ravel(), 3 * x - 2 * y + 0.5 * z + 7, rtol=1e-6)


def test_linear_resampling_is_constant_in_the_outer_half_cell_and_missing_outside():
    model = PropertyModel("m", (np.array([0.0, 1]), np.array([0.0, 1]), np.array([0.0, 10, 20])),
                          {"v": np.array([[[1.0, 3.0]]])})  # fmt: skip
    grid = Grid((1, 1, 12), (1, 1, 2), (0, 0, -2), "EPSG:32651")  # centres -1, 1, 3, ... 21
    expected = [np.nan, 1, 1, 1, 1.4, 1.8, 2.2, 2.6, 3, 3, 3, np.nan]
    np.testing.assert_allclose(resample(model, grid)[0, 0], expected, rtol=1e-6)


def test_linear_resampling_is_missing_only_where_a_missing_cell_contributes():
    values = np.array([[[1.0, np.nan, 3.0, 4.0]]])
    model = PropertyModel("m", (np.array([0.0, 1]), np.array([0.0, 1]), np.arange(5.0)), {"v": values})
    same = Grid((1, 1, 4), (1, 1, 1), (0, 0, 0), "EPSG:32651")
    np.testing.assert_array_equal(resample(model, same), values.astype(np.float32))
    half = Grid((1, 1, 8), (1, 1, 0.5), (0, 0, 0), "EPSG:32651")
    expected = [1, np.nan, np.nan, np.nan, np.nan, 3.25, 3.75, 4]  # centres .25, .75, 1.25, ... 3.75
    np.testing.assert_array_equal(resample(model, half)[0, 0], expected)


def test_nearest_takes_the_cell_that_holds_the_point():
    model = unequal(lambda x, y, z: x + 100 * y + 10_000 * z)
    grid = Grid.from_bounds((0, 0, 0, 100, 80, 100), 5, "EPSG:32651")
    found = resample(model, grid, method="nearest").ravel()
    x, y, z = grid.points().T
    cell = [np.searchsorted(e, c, side="right") - 1 for e, c in zip(UNEQUAL, (z, y, x), strict=True)]
    within = (x < 95) & (y < 80)
    expected = np.full(len(x), np.nan, dtype=np.float32)
    expected[within] = model.values["v"][cell[0][within], cell[1][within], cell[2][within]]
    np.testing.assert_array_equal(found, expected)


def test_average_of_fine_cells_is_their_mean_by_volume():
    edges = (np.array([0.0, 10]), np.array([0.0, 10]), np.array([0.0, 2, 10, 20]))
    model = PropertyModel("m", edges, {"v": np.array([[[5.0, 1.0, 9.0]]])})
    coarse = Grid((1, 1, 2), (10, 10, 10), (0, 0, 0), "EPSG:32651")
    found = resample(model, coarse, method="average")
    np.testing.assert_allclose(found, [[[(5 * 2 + 1 * 8) / 10, 9]]], rtol=1e-6)


def test_average_keeps_the_integral_of_random_fields(rng):
    edges = tuple(np.concatenate([[0], np.sort(rng.uniform(0, 100, 9)), [100]]) for _ in range(3))
    model = PropertyModel("m", edges, {"v": rng.normal(size=(10, 10, 10))})
    grid = Grid.from_bounds((0, 0, 0, 100, 100, 100), 25, "EPSG:32651")
    volume = np.einsum("i,j,k->ijk", *(np.diff(e) for e in edges))
    found = resample(model, grid, method="average").astype(float)
    np.testing.assert_allclose((found * 25**3).sum(), (model.values["v"] * volume).sum(), rtol=1e-4)


def test_average_ignores_missing_cells_up_to_half_of_the_volume():
    edges = (np.array([0.0, 1]), np.array([0.0, 1]), np.arange(9.0))
    values = np.array([[[1, 3, 5, np.nan, np.nan, 7, np.nan, np.nan]]], dtype=float)
    grid = Grid((1, 1, 3), (1, 1, 4), (0, 0, 0), "EPSG:32651")
    found = resample(PropertyModel("m", edges, {"v": values}), grid, method="average")
    np.testing.assert_array_equal(found[0, 0], [3, np.nan, np.nan])
    values[..., 4] = 5.0
    found = resample(PropertyModel("m", edges, {"v": values}), grid, method="average")
    np.testing.assert_array_equal(found[0, 0], [3, 6, np.nan])


@pytest.mark.parametrize("method", METHODS)
def test_resampling_a_window_equals_the_window_of_the_whole(method, rng):
    model = unequal(lambda x, y, z: np.where(rng.random(x.shape) < 0.1, np.nan, x * y + z))
    grid = Grid.from_bounds((-20, -20, -20, 110, 110, 110), 10, "EPSG:32651")
    whole = resample(model, grid, method=method)
    for window in ((slice(0, 5), slice(2, 9), slice(6, 13)), (slice(0, 1), slice(0, 1), slice(0, 1))):
        part = resample(model, grid.window(window), method=method)
        np.testing.assert_allclose(part, whole[window], rtol=1e-6)


def test_an_asymmetric_marker_lands_in_its_cell():
    values = np.zeros((4, 3, 4))
    values[3, 0, 2] = 1.0  # high, south, third to the east
    grid = Grid.from_bounds((-5, 0, 0, 95, 80, 100), 5, "EPSG:32651")
    found = resample(PropertyModel("m", UNEQUAL, {"v": values}), grid, method="nearest")
    hit = grid.xyz_of(np.argwhere(found == 1))
    assert hit.min(axis=0).tolist() == [27.5, 2.5, 47.5]
    assert hit.max(axis=0).tolist() == [57.5, 27.5, 97.5]


def test_errors_of_resample_name_what_there_is():
    model = unequal(lambda x, y, z: x)
    grid = Grid((1, 1, 1), (1, 1, 1), (0, 0, 0), "EPSG:32651")
    two = PropertyModel("two", model.edges, {"a": model.values["v"], "b": model.values["v"]})
    with pytest.raises(ValueError, match="method 'cubic' is not known, use one of linear, nearest, average"):
        resample(model, grid, method="cubic")
    with pytest.raises(ValueError, match="model 'two' has the values 'a', 'b', no name was given"):
        resample(two, grid)
    with pytest.raises(ValueError, match="model 'two' has the values 'a', 'b', 'c' is not one of them"):
        resample(two, grid, name="c")
    np.testing.assert_array_equal(resample(two, grid, name="b"), resample(model, grid, name="v"))


def turned(degrees=30.0, tilt=0.0, shape=(9, 7, 8), steps=(23.0, 31.0, 17.0), values=None):
    """A voxet turned about the vertical, and tilted to the west; unequal counts and steps along W, V, U."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    ct, st = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
    axes = np.array([[c * ct, s * ct, st], [-s, c, 0], [-c * st, -s * st, ct]])
    axes = axes * np.array(steps)[::-1, None]
    values = np.zeros(shape) if values is None else values
    return Voxet("turned", UTM + np.array([10, -20, -60]), axes, shape, {"v": values})


def samples(voxet):
    """Coordinates ``(w, v, u, 3)`` of the samples, from their definition."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in voxet.shape), indexing="ij")
    return voxet.origin + np.stack([i, j, k], axis=-1) @ voxet.steps


def positions(voxet, grid):
    """Position of the cell centres among the samples, columns u, v, w, by least squares."""
    offsets = (grid.points() - voxet.origin).T
    return np.linalg.lstsq(voxet.steps.T, offsets, rcond=None)[0].T


def plane(xyz):
    return 0.3 * (xyz[..., 0] - UTM[0]) - 0.7 * (xyz[..., 1] - UTM[1]) + 1.1 * (xyz[..., 2] - UTM[2]) + 5


@pytest.mark.parametrize("tilt", [0.0, 25.0])
def test_a_turned_voxet_gives_a_plane_exactly_within_its_samples_and_nothing_outside(tilt):
    voxet = turned(tilt=tilt)
    voxet = replace(voxet, values={"v": plane(samples(voxet))})
    found = resample(voxet, GRID).ravel()
    at, last = positions(voxet, GRID), np.array(voxet.shape[::-1]) - 1
    inner = ((at >= 0) & (at <= last)).all(axis=1)
    outer = ((at < -0.5) | (at > last + 0.5)).any(axis=1)
    assert inner.sum() > 1000
    np.testing.assert_allclose(found[inner], plane(GRID.points()[inner]), rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(np.isnan(found), outer)


def test_between_samples_of_a_skewed_voxet_values_are_trilinear(rng):
    skewed = np.array([[21.0, 4, 1], [-9, 26, 3], [2, -6, -19]])  # W goes down
    voxet = replace(
        turned(values=rng.normal(size=(9, 7, 8))), steps=skewed, origin=UTM + np.array([0, 0, 60])
    )
    at = positions(voxet, GRID)[:, ::-1]
    axes = tuple(np.arange(float(n)) for n in voxet.shape)
    inner = ((at >= 0) & (at <= np.array(voxet.shape) - 1)).all(axis=1)
    expected = RegularGridInterpolator(axes, voxet.values["v"])(at[inner])
    assert inner.sum() > 1000
    np.testing.assert_allclose(resample(voxet, GRID).ravel()[inner], expected, rtol=1e-5, atol=1e-5)


def test_a_marker_of_a_turned_voxet_fills_the_cells_whose_centres_it_holds():
    values = np.zeros((9, 7, 8), dtype=np.int16)
    values[6, 1, 5] = 4
    voxet = turned(tilt=10, values=values)
    found = resample(voxet, GRID, method="nearest").ravel()
    apart = np.abs(positions(voxet, GRID) - [5, 1, 6])
    inside = (apart < 0.5).all(axis=1)
    assert inside.sum() > 5
    np.testing.assert_array_equal(found == 4, inside)
    middle = GRID.points()[found == 4].mean(axis=0)
    np.testing.assert_allclose(middle, samples(voxet)[6, 1, 5], atol=6)


def test_the_outer_half_cell_of_a_turned_voxet_is_constant():
    voxet = turned(shape=(1, 1, 2), values=np.array([[[1.0, 3.0]]]), steps=(400, 400, 100))
    found, share = resample(voxet, GRID).ravel(), positions(voxet, GRID)[:, 0]
    held = ~np.isnan(found)
    assert held.sum() > 1000
    np.testing.assert_allclose(found[held], 1 + 2 * np.clip(share[held], 0, 1), rtol=1e-5)


def test_a_missing_sample_of_a_turned_voxet_spoils_only_what_it_contributes_to(rng):
    values = rng.normal(size=(9, 7, 8))
    full = resample(turned(values=values), GRID).ravel()
    values[4, 3, 2] = np.nan
    found = resample(turned(values=values), GRID).ravel()
    near = (np.abs(positions(turned(), GRID) - [2, 3, 4]) < 1).all(axis=1)
    assert near.sum() > 50
    np.testing.assert_array_equal(np.isnan(found) & ~np.isnan(full), near)
    np.testing.assert_array_equal(found[~near], full[~near])


@pytest.mark.parametrize("method", ["linear", "nearest"])
def test_a_frame_that_does_not_turn_changes_nothing(method, rng):
    values = np.where(rng.random((4, 3, 4)) < 0.2, np.nan, rng.normal(size=(4, 3, 4)))
    model = PropertyModel("m", UNEQUAL, {"v": values})
    framed = replace(model, frame=Frame(np.zeros(3), np.eye(3)))
    grid = Grid.from_bounds((-20, -20, -20, 110, 110, 110), 5, CRS)
    np.testing.assert_allclose(resample(framed, grid, method=method), resample(model, grid, method=method))


def test_a_framed_mesh_of_unequal_cells_is_found_where_its_frame_puts_it(rng):
    values = rng.normal(size=(4, 3, 4))
    frame = Frame.rotated(UTM, -35)
    model = PropertyModel("m", UNEQUAL, {"v": values}, frame=frame)
    found = resample(model, GRID, method="nearest").ravel()
    c, s = np.cos(np.radians(35)), np.sin(np.radians(35))
    x, y, z = (GRID.points() - UTM).T
    local = (z, s * x + c * y, c * x - s * y)  # turned clockwise by 35 degrees, seen from above
    cell = [np.searchsorted(e, at, side="right") - 1 for e, at in zip(UNEQUAL, local, strict=True)]
    inside = np.all([(at >= e[0]) & (at < e[-1]) for e, at in zip(UNEQUAL, local, strict=True)], axis=0)
    assert inside.sum() > 500
    np.testing.assert_array_equal(np.isnan(found), ~inside)
    np.testing.assert_array_equal(found[inside], values[tuple(c[inside] for c in cell)].astype(np.float32))


def test_the_mean_of_a_framed_mesh_is_exact_where_samples_meet_each_fine_cell_once(rng):
    edges = tuple(np.arange(n + 1) * 5.0 for n in (8, 12, 16))
    values = np.where(rng.random((8, 12, 16)) < 0.4, np.nan, rng.normal(size=(8, 12, 16)))
    model = PropertyModel("m", edges, {"v": values})
    framed = replace(model, frame=Frame(np.zeros(3), np.eye(3)))
    grid = Grid.from_bounds((-20, 0, 0, 100, 60, 40), 20, CRS)
    expected = resample(model, grid, method="average")
    assert np.isnan(expected).any()
    np.testing.assert_allclose(resample(framed, grid, method="average"), expected, rtol=1e-5, atol=1e-6)


def test_the_mean_of_a_turned_voxet_keeps_its_integral(rng):
    values = rng.uniform(1, 2, (24, 20, 22))
    voxet = turned(shape=(24, 20, 22), steps=(5, 5, 6), values=values)
    found = resample(voxet, GRID, method="average").astype(float)
    known = np.isfinite(found)
    assert known.sum() > 1000
    np.testing.assert_allclose(found[known].mean(), values.mean(), rtol=0.01)
    np.testing.assert_allclose(known.sum() * GRID.cell_volume, values.size * 5 * 5 * 6, rtol=0.03)


def test_only_the_box_around_what_is_met_is_read_from_a_file(rng):
    asked = []

    class Spy:
        def __init__(self, array):
            self.array, self.shape, self.dtype = array, array.shape, array.dtype

        def __getitem__(self, key):
            asked.append(self.array[key].size)
            return self.array[key]

    values = rng.normal(size=(90, 70, 80))
    voxet = turned(shape=values.shape, steps=(2.3, 3.1, 1.7), values=values)
    lazy = replace(voxet, values={"v": Lazy(Spy(values))})
    part = GRID.window((slice(9, 11), slice(14, 16), slice(20, 22)))
    for method in METHODS:
        expected = resample(voxet, part, method=method)
        assert np.isfinite(expected).all()
        np.testing.assert_array_equal(resample(lazy, part, method=method), expected)
    assert max(asked) < 0.01 * values.size


def octree(rng):
    """Blocks ``(centres, sizes)`` in corners 0 to 64 m, halved around a few places."""
    seeds = rng.uniform(10, 54, (3, 3))
    todo, done = [(np.zeros(3), 64.0)], []
    while todo:
        corner, size = todo.pop()
        if size > 2 and np.any(np.abs(seeds - corner - size / 2).max(axis=1) < size):
            todo += [(corner + size / 2 * np.array(o), size / 2) for o in np.ndindex(2, 2, 2)]
        else:
            done.append((corner + size / 2, size))
    rng.shuffle(done)
    return np.array([c for c, _ in done]), np.array([[s] * 3 for _, s in done])


def blocks(rng, **more):
    centres, sizes = octree(rng)
    return BlockModel("tree", centres, sizes, {"v": rng.normal(size=len(centres))}, **more)


def holder_of(model, xyz):
    """Row of the block that holds each place by trying all, -1 for none."""
    low, high = model.centres - model.sizes / 2, model.centres + model.sizes / 2
    inside = ((xyz[:, None] >= low) & (xyz[:, None] < high)).all(axis=2)
    return np.where(inside.any(axis=1), inside.argmax(axis=1), -1)


TREE_GRID = Grid.from_bounds((-5, -5, -5, 70, 70, 70), 2.5, CRS)


def test_octree_cells_are_found_by_trying_all(rng):
    model = blocks(rng)
    assert sorted(set(model.sizes.ravel())) == [2, 4, 8, 16]
    row = holder_of(model, TREE_GRID.points())
    expected = np.append(model.values["v"], np.nan)[row].astype(np.float32)
    np.testing.assert_array_equal(resample(model, TREE_GRID, method="nearest").ravel(), expected)


def test_turned_octree_cells_are_found_by_trying_all(rng):
    model = blocks(rng, frame=Frame.rotated(UTM, 33))
    grid = Grid.from_bounds((-40, 0, -2, 60, 90, 68), 2.5, CRS)
    grid = replace(grid, corner=(grid.corner[0] + UTM[2], grid.corner[1] + UTM[1], grid.corner[2] + UTM[0]))
    row = holder_of(model, model.frame.to_local(grid.points()))
    expected = np.append(model.values["v"], np.nan)[row].astype(np.float32)
    assert 0.3 < (row >= 0).mean() < 0.9
    np.testing.assert_array_equal(resample(model, grid, method="nearest").ravel(), expected)


def test_octree_cells_are_those_of_discretize(rng):
    discretize = pytest.importorskip("discretize")
    mesh = discretize.TreeMesh([np.full(32, 2.0)] * 3, origin=[0, 0, 0], diagonal_balance=True)
    mesh.refine_points(rng.uniform(10, 54, (4, 3)), level=-1, padding_cells_by_level=[1, 1])
    sizes = np.stack([mesh.h_gridded[:, k] for k in range(3)], axis=1)
    model = BlockModel("tree", mesh.cell_centers, sizes, {"v": np.arange(mesh.n_cells, dtype=float)})
    grid = Grid((48, 48, 48), (1.3, 1.3, 1.3), (0.1, 0.1, 0.1), CRS)  # no centre lies on a face
    expected = mesh.get_containing_cells(grid.points())
    np.testing.assert_array_equal(resample(model, grid, method="nearest").ravel(), expected)


def test_a_marker_block_fills_its_cells_alone(rng):
    model = blocks(rng)
    row = int(np.flatnonzero(model.sizes[:, 0] == 8)[0])
    model = replace(model, values={"v": (np.arange(len(model.centres)) == row).astype(float)})
    hit = TREE_GRID.xyz_of(np.argwhere(resample(model, TREE_GRID, method="nearest") == 1))
    assert np.all(np.abs(hit - model.centres[row]) <= 4)
    assert len(hit) == sum(1 for _ in hit)
    assert len(hit) == np.prod([
        ((TREE_GRID.centres(2 - k) >= c - 4) & (TREE_GRID.centres(2 - k) < c + 4)).sum()
        for k, c in enumerate(model.centres[row])
    ])  # fmt: skip


def test_sub_blocks_count_before_the_block_they_lie_in():
    centres = np.array([[3.0, 5, 5], [5, 5, 5], [9, 5, 5]])
    sizes = np.array([[2.0, 10, 10], [10, 10, 10], [2, 4, 10]])
    model = BlockModel("b", centres, sizes, {"v": np.array([1.0, 2, 3])})
    grid = Grid((1, 1, 6), (10, 10, 2), (0, 0, 0), CRS)
    for frame in (None, Frame(np.zeros(3), np.eye(3))):
        found = resample(replace(model, frame=frame), grid, method="nearest")
        np.testing.assert_array_equal(found[0, 0], [2, 1, 2, 2, 3, np.nan])


def test_a_centre_on_a_face_is_in_the_upper_block_and_on_the_far_face_in_the_last():
    model = BlockModel("b", np.array([[5.0, 5, 5], [15, 5, 5]]), np.full((2, 3), 10.0),
                       {"v": np.array([1.0, 2])})  # fmt: skip
    grid = Grid((1, 1, 4), (10, 10, 10), (0, 0, -5), CRS)  # centres at x = 0, 10, 20, 30
    mesh = PropertyModel("m", tuple(np.arange(n) * 10.0 for n in (2, 2, 3)), {"v": np.array([[[1.0, 2]]])})
    lattice = np.moveaxis(np.stack(np.meshgrid(*mesh.edges[::-1], indexing="ij"), axis=-1), 2, 0)
    cells = StructuredGrid("s", np.swapaxes(lattice, 1, 2), {"v": np.array([[[1.0, 2]]])})
    framed = replace(model, frame=Frame(np.zeros(3), np.eye(3)))
    for one in (model, framed, mesh, replace(mesh, frame=framed.frame), cells):
        np.testing.assert_array_equal(resample(one, grid, method="nearest")[0, 0], [1, 2, 2, np.nan])


def test_the_mean_of_blocks_is_weighted_by_the_volume_shared(rng):
    edges = tuple(np.concatenate([[0], np.sort(rng.uniform(0, 100, 9)), [100]]) for _ in range(3))
    values = np.where(rng.random((10, 10, 10)) < 0.45, np.nan, rng.normal(size=(10, 10, 10)))
    mesh = PropertyModel("m", edges, {"v": values})
    low, high = (np.stack(np.meshgrid(*(e[cut] for e in edges), indexing="ij"), -1).reshape(-1, 3)[:, ::-1]
                 for cut in (slice(-1), slice(1, None)))  # fmt: skip
    model = BlockModel("b", (low + high) / 2, high - low, {"v": values.ravel()})
    grid = Grid.from_bounds((-10, -10, -10, 110, 110, 110), 20, CRS)
    expected = resample(mesh, grid, method="average")
    assert 20 < np.isfinite(expected).sum() < 120  # of 125 cells that meet the blocks
    np.testing.assert_allclose(resample(model, grid, method="average"), expected, rtol=1e-4, atol=1e-5)


def test_the_mean_of_turned_blocks_is_that_of_their_samples(rng):
    model = blocks(rng, frame=Frame.rotated((0, 0, 0), 45))
    grid = Grid((1, 1, 1), (20, 20, 20), (20, 30, -10), CRS)
    assert np.median(model.sizes) == 4
    fine = Grid((8, 8, 8), (2.5, 2.5, 2.5), (20, 30, -10), CRS)  # twice 20 / 4, at most 8
    expected = resample(model, fine, method="nearest").mean()
    np.testing.assert_allclose(resample(model, grid, method="average"), expected, rtol=1e-5)


def test_blocks_of_one_size_are_a_lattice_and_others_are_refused(rng):
    values = rng.normal(size=(4, 5, 6))
    grid = Grid((4, 5, 6), (10, 20, 30), (0, 0, 0), CRS)
    mesh = PropertyModel.from_grid("m", grid, {"v": values})
    order = rng.permutation(grid.n_cells)
    model = BlockModel("b", grid.points()[order], np.tile([30.0, 20, 10], (grid.n_cells, 1)),
                       {"v": values.ravel()[order]})  # fmt: skip
    fine = Grid.from_bounds((-5, -5, -5, 185, 105, 45), 5, CRS)
    np.testing.assert_allclose(resample(model, fine), resample(mesh, fine), rtol=1e-5, atol=1e-6)
    with pytest.raises(
        ValueError, match=r"the blocks of 'tree' do not make one lattice, so 'linear' has no "
    ):
        resample(blocks(rng), fine)


def folded(shape=(6, 5, 7)):
    """Corners ``(w, v, u, 3)`` of cells with curved faces."""
    w, v, u = np.meshgrid(*(np.arange(float(n)) for n in shape), indexing="ij")
    x = 40 * u + 4 * w + 2 * np.sin(v)
    y = 45 * v + 5 * np.cos(u) + 3 * w
    z = -25 * w + 8 * np.sin(u) * np.cos(v)
    return np.stack([x, y, z], axis=-1) + UTM + [-60, -70, 70]


def test_a_plane_at_the_corners_of_folded_cells_comes_back_exactly():
    points = folded()
    found = resample(StructuredGrid("s", points, {"v": plane(points)}), GRID)
    expected = plane(GRID.points()).reshape(GRID.shape)
    assert 0.2 < np.isfinite(found).mean() < 0.9
    np.testing.assert_allclose(found, np.where(np.isnan(found), np.nan, expected), rtol=1e-5, atol=1e-4)


def test_folded_cells_are_those_of_vtk():
    points = folded()
    numbers = np.arange(5 * 4 * 6, dtype=float).reshape(5, 4, 6)
    found = resample(StructuredGrid("s", points, {"v": numbers}), GRID).ravel()
    local = points - UTM
    mesh = pv.StructuredGrid(*(np.asfortranarray(np.transpose(local[..., k], (2, 1, 0))) for k in range(3)))
    cell = mesh.find_containing_cell(GRID.points() - UTM).astype(float)  # U fastest, as the values
    cell[cell < 0] = np.nan
    differ = ~((found == cell) | (np.isnan(found) & np.isnan(cell)))
    # VTK takes a place as inside up to a thousandth of a cell beyond its faces
    assert differ.mean() < 0.004
    assert np.isfinite(found).sum() > 5000


def test_values_between_corners_are_those_of_vtk(rng):
    points = folded()
    values = rng.normal(size=points.shape[:3])
    found = resample(StructuredGrid("s", points, {"v": values}), GRID).ravel()
    local = points - UTM
    mesh = pv.StructuredGrid(*(np.asfortranarray(np.transpose(local[..., k], (2, 1, 0))) for k in range(3)))
    mesh["v"] = values.ravel()
    asked = np.flatnonzero(np.isfinite(found))
    sampled = pv.PolyData(GRID.points()[asked] - UTM).sample(mesh)
    valid = sampled["vtkValidPointMask"].astype(bool)
    assert valid.mean() > 0.99
    apart = np.abs(found[asked] - sampled["v"])[valid]
    # VTK takes the cell beside for places up to a thousandth of a cell beyond its faces
    assert np.mean(apart > 1e-5) < 0.005
    assert apart.max() < 0.02


def test_a_marker_in_a_sheared_grid_fills_the_cells_whose_centres_it_holds():
    steps = np.array([[30.0, 6, 2], [-12, 40, 4], [5, -8, -27]])
    k, j, i = np.meshgrid(*(np.arange(n) for n in (5, 4, 6)), indexing="ij")
    origin = UTM + np.array([-20, 0, 50])
    values = np.zeros((4, 3, 5))
    values[3, 0, 2] = 1
    grid = StructuredGrid("s", origin + np.stack([i, j, k], -1) @ steps, {"v": values, "w": values})
    at = (GRID.points() - origin) @ np.linalg.inv(steps)
    inside = (np.floor(at) == [2, 0, 3]).all(axis=1)
    assert inside.sum() > 10
    np.testing.assert_array_equal(resample(grid, GRID, name="v").ravel() == 1, inside)


def test_a_corner_without_a_value_spoils_the_cells_around_it_alone(rng):
    points, values = folded(), rng.normal(size=(6, 5, 7))
    values[2, 2, 3] = np.nan
    cells = np.zeros((5, 4, 6))
    cells[1:3, 1:3, 2:4] = 1
    grid = StructuredGrid("s", points, {"v": values, "around": cells})
    missing, around = np.isnan(resample(grid, GRID, name="v")), resample(grid, GRID, name="around")
    np.testing.assert_array_equal(missing & ~np.isnan(around), around == 1)


def test_the_nearest_of_values_at_corners_is_that_of_the_largest_weight():
    points = np.stack(np.meshgrid([0.0, 10], [0.0, 10], [0.0, 10], indexing="ij")[::-1], axis=-1)
    codes = np.arange(8).reshape(2, 2, 2)  # 4 w + 2 v + u
    grid = StructuredGrid("s", points, {"v": codes})
    found = resample(grid, Grid.from_bounds((0, 0, 0, 10, 10, 10), 5, CRS), method="nearest")
    np.testing.assert_array_equal(found, codes)


def test_pinched_cells_hold_nothing_and_spoil_nothing():
    points = np.stack(np.meshgrid(np.arange(4.0), [0.0, 1], [0.0, 1], indexing="ij")[::-1], axis=-1)
    points[2] = points[1]  # the second layer has no thickness, the third is twice as thick
    points[0, 0, 0, 2] = np.nan
    grid = StructuredGrid("s", points, {"v": np.arange(3.0).reshape(3, 1, 1)})
    found = resample(grid, Grid((6, 1, 1), (0.5, 1, 1), (0, 0, 0), CRS)).ravel()
    np.testing.assert_array_equal(found, [np.nan, np.nan, 2, 2, 2, 2])


def random_tetrahedra(rng, n=150):
    points = rng.uniform((-80, -90, -70), (250, 180, 90), (n, 3))
    mesh = Delaunay(points)
    model = Tetrahedra(
        "t", points + UTM, mesh.simplices.astype(np.int64),
        properties={"corner": rng.normal(size=n), "plane": plane(points + UTM)},
        cell_properties={"cell": np.arange(len(mesh.simplices), dtype=float)},
    )  # fmt: skip
    return model, mesh


def test_tetrahedra_are_found_as_by_delaunay_and_interpolated_linearly(rng):
    model, mesh = random_tetrahedra(rng)
    local = GRID.points() - UTM
    simplex = mesh.find_simplex(local)
    cell = resample(model, GRID, name="cell").ravel()
    np.testing.assert_array_equal(np.nan_to_num(cell, nan=-1), simplex)
    assert (simplex >= 0).mean() > 0.4
    expected = LinearNDInterpolator(mesh, model.properties["corner"])(local)
    np.testing.assert_allclose(resample(model, GRID, name="corner").ravel(), expected, rtol=1e-4, atol=1e-5)
    found = resample(model, GRID, name="plane").ravel()
    inside = simplex >= 0
    np.testing.assert_allclose(found[inside], plane(GRID.points()[inside]), rtol=1e-5, atol=1e-4)


def test_tetrahedra_of_either_hand_hold_the_same_places(rng):
    model, _ = random_tetrahedra(rng)
    turned_over = replace(model, tetrahedra=model.tetrahedra[:, [0, 2, 1, 3]])
    for name in ("cell", "corner"):
        np.testing.assert_allclose(
            resample(turned_over, GRID, name=name), resample(model, GRID, name=name), rtol=1e-5
        )


def containers(rng):
    """One lattice of 4 × 3 × 5 unequal cells (z, y, x) with an asymmetric marker, in every container."""
    values = rng.normal(size=(4, 3, 5))
    values[3, 0, 1] = 99
    step = np.array([20.0, 30, 25])  # x, y, z
    low = UTM + np.array([3, 4, 5])
    z, y, x = (low[2 - a] + np.arange(n + 1) * step[2 - a] for a, n in enumerate((4, 3, 5)))
    mesh = PropertyModel("m", (z, y, x), {"v": values})
    # U goes north, V down, W west
    permuted = np.ascontiguousarray(np.transpose(values, (2, 0, 1))[::-1, ::-1])
    voxet = Voxet("v", np.array([x[-1], y[0], z[-1]]) + step * [-0.5, 0.5, -0.5],
                  np.array([[0, 30.0, 0], [0, 0, -25], [-20, 0, 0]]), (5, 4, 3), {"v": permuted})  # fmt: skip
    quarter = Frame(np.array([x[-1], y[0], z[0]]), np.array([[0, 1.0, 0], [-1, 0, 0], [0, 0, 1]]))
    framed = PropertyModel("f", (z - z[0], x - x[0], y - y[0]), {"v": np.swapaxes(values, 1, 2)[:, ::-1]},
                           frame=quarter)  # fmt: skip
    centres = np.stack(np.meshgrid(*((e[1:] + e[:-1]) / 2 for e in mesh.edges), indexing="ij")[::-1], axis=-1)
    boxes = BlockModel("b", centres.reshape(-1, 3), np.tile(step, (60, 1)), {"v": values.ravel()})
    points = np.stack(np.meshgrid(z, y, x, indexing="ij")[::-1], axis=-1)
    grid = StructuredGrid("s", points, {"v": values})
    number = np.arange(5 * 4 * 6).reshape(5, 4, 6)
    corner = {
        o: number[o[0] : o[0] + 4, o[1] : o[1] + 3, o[2] : o[2] + 5].ravel() for o in np.ndindex(2, 2, 2)
    }
    six = [np.column_stack([corner[tuple(int(a in order[:k]) for a in range(3))] for k in range(4)])
           for order in permutations(range(3))]  # fmt: skip
    solid = Tetrahedra("t", points.reshape(-1, 3), np.concatenate(six),
                       cell_properties={"v": np.tile(values.ravel(), 6)})  # fmt: skip
    return {
        "mesh": mesh,
        "voxet": voxet,
        "framed": framed,
        "blocks": boxes,
        "sgrid": grid,
        "tetrahedra": solid,
    }


@pytest.mark.parametrize("method", ["nearest", "average"])
@pytest.mark.parametrize("kind", ["voxet", "framed", "blocks", "sgrid", "tetrahedra"])
def test_one_geometry_in_different_containers_gives_the_same_values(kind, method, rng):
    models = containers(rng)
    expected = resample(models["mesh"], GRID, method=method)
    found = resample(models[kind], GRID, method=method)
    if method == "nearest":
        np.testing.assert_array_equal(found, expected)
        assert (found == 99).sum() > 5
        return
    inner = np.isfinite(found) & np.isfinite(expected)
    assert inner.sum() > 0.8 * np.isfinite(expected).sum()
    exact = kind in ("voxet", "blocks")
    apart = np.abs(found - expected)[inner]
    assert np.quantile(apart, 0.5) < (1e-4 if exact else 0.1)
    assert apart.max() < (1e-4 if exact else 60)  # a few samples of a cell are not its mean


@pytest.mark.parametrize("kind", ["mesh", "voxet", "framed", "blocks", "sgrid", "tetrahedra"])
@pytest.mark.parametrize("method", ["nearest", "average"])
def test_a_window_of_every_container_is_the_window_of_the_whole(kind, method, rng):
    fill = prepare(containers(rng)[kind], method=method)
    whole = fill(GRID)
    for window in (
        (slice(8, 15), slice(3, 20), slice(11, 29)),
        (slice(12, 13), slice(20, 21), slice(20, 21)),
    ):
        np.testing.assert_allclose(fill(GRID.window(window)), whole[window], rtol=1e-6)
    away = replace(GRID, corner=(0.0, 0.0, 0.0))
    assert np.isnan(fill(away)).all()


@pytest.mark.parametrize("kind", ["framed", "blocks", "sgrid", "tetrahedra"])
def test_a_grid_longer_than_a_piece_is_filled_without_a_seam(kind, rng):
    fill = prepare(containers(rng)[kind], method="nearest")
    long = Grid((2, 3, 250), (10, 10, 1), (-780.0, 7_133_530.0, 557_000.0), CRS)
    parts = [fill(long.window((slice(None), slice(None), slice(i, i + 50)))) for i in range(0, 250, 50)]
    np.testing.assert_array_equal(fill(long), np.concatenate(parts, axis=2))


def test_codes_have_no_mean(rng):
    codes = rng.integers(1, 4, (4, 3, 4)).astype(np.int16)
    model = PropertyModel(
        "rocks", UNEQUAL, {"litho": codes.astype(float)}, classes={"litho": {1: "sand", 2: "mud"}}
    )
    grid = Grid.from_bounds((0, 0, 0, 90, 80, 100), 10, CRS)
    message = (
        r"'litho' of 'rocks' holds class codes \(sand, mud …\), and method 'linear' would make values that"
    )
    with pytest.raises(ValueError, match=message):
        resample(model, grid)
    whole = PropertyModel("rocks", UNEQUAL, {"litho": codes})
    with pytest.raises(
        ValueError, match=r"holds whole numbers \(int16\), which may be codes, and method 'avera"
    ):
        resample(whole, grid, method="average")
    found = resample(whole, grid, method="nearest")
    assert set(np.unique(found)) <= {1, 2, 3}


def test_what_has_no_values_in_a_volume_is_refused(rng):
    flat = turned()
    grid = GRID
    with pytest.raises(
        TypeError, match=r"a Surface has no values in a volume, a PropertyModel, Voxet, Block"
    ):
        resample(Surface("s", np.zeros((3, 3)), np.array([[0, 1, 2]])), grid)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"model 'turned' has no values, no name was given\."):
        resample(replace(flat, values={}), grid)
    with pytest.raises(
        ValueError, match=r"the axes of 'turned' lie in one plane \(.*\), so its cells have no"
    ):
        resample(replace(flat, steps=np.array([[1.0, 1, 0], [1, -1, 0], [3, 1, 0]])), grid)
    with pytest.raises(ValueError, match=r"voxet 'turned': axis W has .*, so cells have no size\."):
        resample(replace(flat, steps=np.array([[1.0, 1, 0], [1, -1, 0], [0, 0, 0]])), grid)
    section = StructuredGrid("curtain", folded()[:1], {"v": np.zeros((1, 5, 7))})
    with pytest.raises(ValueError, match=r"'curtain' has 7 × 5 × 1 points \(U, V, W\), so it has no cells\."):
        resample(section, grid)
    empty = BlockModel("b", np.zeros((0, 3)), np.zeros((0, 3)), {"v": np.zeros(0)})
    with pytest.raises(ValueError, match=r"the block model 'b' has no blocks\."):
        resample(empty, grid, method="nearest")
    broken = BlockModel("b", np.full((1, 3), np.nan), np.ones((1, 3)), {"v": np.zeros(1)})
    with pytest.raises(ValueError, match=r"the blocks of 'b' must have finite centres and sizes above 0\."):
        resample(broken, grid, method="nearest")


def test_text_and_vectors_are_refused(rng):
    model = blocks(rng)
    rocks = replace(model, texts={"rock": np.full(len(model.centres), "sand")})
    with pytest.raises(
        ValueError, match=r"'rock' of 'tree' is text, numbers are needed\. Give each word a code"
    ):
        resample(rocks, TREE_GRID, name="rock")
    solid, _ = random_tetrahedra(rng)
    solid = replace(solid, properties={"flow": np.zeros((150, 3))})
    with pytest.raises(
        ValueError, match=r"'flow' of 't' has an array of shape \(150, 3\), one number for each"
    ):
        resample(solid, GRID, name="flow")


@pytest.mark.corpus
def test_a_voxet_and_its_twins_as_stratigraphic_grids_give_the_same_values(corpus_dir):
    def read(name, reader):
        text = TextFile(corpus_dir / name)
        return reader(text, read_blocks(text)[0], Options())

    voxet = read("voxet/flags_regions_flipped_axes/test_voxet_5_5_5.vo", read_voxet)
    grid = Grid((40, 60, 70), (5000, 100_000, 90_000), (-150_000, -5_500_000, -3_000_000), CRS)
    expected = resample(voxet, grid, method="nearest")
    assert set(np.unique(expected[np.isfinite(expected)])) == {1, 2, 3, 4, 5}
    assert (expected[31, 30, 35], expected[15, 30, 35]) == (1, 4)  # at -7.5 and 72.5 km below: 1 lies on top
    for name in ("binary_cells/test_sgrid_binary.sg", "ascii_twin_of_voxet/test_sgrid_ascii.sg"):
        np.testing.assert_array_equal(resample(read(f"sgrid/{name}", read_sgrid), grid), expected)


@pytest.mark.corpus
def test_cells_of_a_real_octree_are_those_of_discretize(corpus_dir):
    discretize = pytest.importorskip("discretize")
    path = corpus_dir / "ubc" / "octree_simpeg" / "OctreeMesh-test.msh"
    model = io.ubc.read_octree(path)
    model = replace(model, values=dict(zip("xyz", model.centres.T, strict=True)))
    mesh = discretize.TreeMesh.read_UBC(path)
    low, high = np.array(model.bounds[:3]), np.array(model.bounds[3:])
    step = (high - low) / 47.3  # no centre on a face
    grid = Grid((47, 47, 47), tuple(step[::-1]), tuple(low[::-1]), CRS)
    expected = mesh.cell_centers[mesh.get_containing_cells(grid.points())]
    for name, column in zip("xyz", expected.T, strict=True):
        found = resample(model, grid, method="nearest", name=name).ravel()
        np.testing.assert_allclose(found, column, rtol=1e-6)


def test_a_model_without_cells_is_missing_everywhere():
    solid = Tetrahedra("t", np.zeros((0, 3)), np.zeros((0, 4), np.int64), cell_properties={"v": np.zeros(0)})
    assert np.isnan(resample(solid, GRID.window((slice(2),) * 3))).all()


def test_an_infinite_value_counts_as_missing_between_samples(rng):
    values = rng.normal(size=(9, 7, 8))
    infinite, missing = values.copy(), values.copy()
    infinite[4, 3, 2], missing[4, 3, 2] = np.inf, np.nan
    found = resample(turned(values=infinite), GRID)
    np.testing.assert_array_equal(found, resample(turned(values=missing), GRID))
    corners = np.where(rng.random((6, 5, 7)) < 0.1, np.inf, 1.0)
    found = resample(StructuredGrid("s", folded(), {"v": corners}), GRID)
    assert set(np.unique(found.round(5)[np.isfinite(found)])) == {1}
    assert not np.isinf(found).any()
