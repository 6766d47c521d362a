"""What holds for every grid, block and window, with NumPy as the oracle."""

from __future__ import annotations

import numpy as np
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from mpm3d import cube, evidence, labels, samples, splits
from mpm3d.blocks import tile
from mpm3d.geometry import Surface
from mpm3d.grid import Grid
from mpm3d.lattice import PropertyModel

settings.register_profile("steady", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("steady")

counts = st.tuples(*(st.integers(1, 9),) * 3)
steps = st.tuples(*(st.floats(0.5, 200.0),) * 3)
corners = st.tuples(st.floats(-6000.0, 1000.0), st.floats(-1e7, 1e7), st.floats(-1e6, 1e6))
grids = st.builds(Grid, counts, steps, corners, st.just("EPSG:32651"))
seeds = st.integers(0, 2**32 - 1)


@given(counts, counts, counts, counts)
def test_blocks_cover_each_cell_once_and_share_no_chunk(shape, chunk, times, margin):
    block = tuple(c * t for c, t in zip(chunk, times, strict=True))
    seen, owner = np.zeros(shape, dtype=int), {}
    for number, piece in enumerate(tile(shape, block, chunk=chunk, margin=margin)):
        seen[piece.core] += 1
        assert seen[piece.core].shape == piece.shape
        for core, halo, m, n in zip(piece.core, piece.halo, margin, shape, strict=True):
            assert (halo.start, halo.stop) == (max(0, core.start - m), min(n, core.stop + m))
        for cell in np.argwhere(np.ones(piece.shape)) + [cut.start for cut in piece.core]:
            assert owner.setdefault(tuple(cell // chunk), number) == number
    assert (seen == 1).all()


@given(grids, st.tuples(*(st.integers(0, 4),) * 3))
def test_padding_then_taking_the_middle_is_identity(grid, margin):
    padded = grid.pad(margin)
    assert padded.shape == tuple(n + 2 * m for n, m in zip(grid.shape, margin, strict=True))
    middle = tuple(slice(m, m + n) for m, n in zip(margin, grid.shape, strict=True))
    back = padded.window(middle)
    assert (back.shape, back.spacing, back.crs) == (grid.shape, grid.spacing, grid.crs)
    np.testing.assert_allclose(back.corner, grid.corner, rtol=1e-14, atol=1e-9)


@given(grids)
def test_the_cell_of_a_centre_is_that_cell(grid):
    cells = np.argwhere(np.ones(grid.shape))
    np.testing.assert_array_equal(grid.index_of(grid.xyz_of(cells)), cells)


@given(grids, seeds)
def test_points_are_found_in_the_cell_whose_faces_are_around_them(grid, seed):
    x, y, z, far_x, far_y, far_z = grid.bounds
    points = np.random.default_rng(seed).uniform((x, y, z), (far_x, far_y, far_z), (50, 3))
    apart = np.abs(points - grid.xyz_of(grid.index_of(points)))
    assert np.all(apart <= np.array(grid.spacing)[::-1] / 2 * (1 + 1e-6))


@given(grids, seeds)
def test_resampling_a_model_to_its_own_cells_is_identity(grid, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=grid.shape).astype(np.float32)
    values[rng.random(grid.shape) < 0.2] = np.nan
    model = PropertyModel.from_grid("m", grid, {"v": values})
    np.testing.assert_array_equal(evidence.resample(model, grid, method="nearest"), values)
    np.testing.assert_allclose(evidence.resample(model, grid, method="average"), values, rtol=1e-4, atol=1e-4)


@given(counts, seeds, st.tuples(*(st.integers(-12, 12),) * 3), counts)
def test_a_window_across_the_faces_is_the_padded_array(shape, seed, start, size):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=shape).astype(np.float32)
    ds = xr.Dataset({"a": (("z", "y", "x"), values)})
    window = tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))
    padded = np.pad(values, 24, constant_values=np.nan)
    expected = padded[tuple(slice(cut.start + 24, cut.stop + 24) for cut in window)]
    np.testing.assert_array_equal(cube.read_window(ds, ["a"], window)[0], expected)


@given(seeds)
def test_a_triangle_enters_exactly_the_cells_in_which_dense_points_of_it_lie(seed):
    rng = np.random.default_rng(seed)
    grid = Grid((6, 6, 6), (50.0, 40.0, 30.0), (-100.0, 7e6, 5e5), "EPSG:32651")
    low, high = np.array(grid.bounds[:3]), np.array(grid.bounds[3:])
    corners = rng.uniform(low - 20, high + 20, (3, 3))
    share = rng.dirichlet(np.ones(3), 20_000)
    expected = {tuple(c) for c in labels.cells_of_points(share @ corners, grid).tolist()}
    sheet = Surface("t", corners, np.array([[0, 1, 2]]))
    found = labels.cells_of_body([sheet], grid, thickness=1e-3)
    cells = {tuple(c) for c in found.cells.tolist()}
    assert expected <= cells
    for cell in cells - expected:  # too small a corner for dense points, so the sheet passes close by
        near = evidence.distance(grid.xyz_of([cell]), [sheet])[0]
        assert near <= np.linalg.norm(grid.spacing) / 2 + 1e-6


@given(seeds, st.tuples(*(st.sampled_from([1, 3, 5]),) * 3))
def test_patches_share_a_cell_exactly_if_their_cells_do(seed, shape):
    rng = np.random.default_rng(seed)
    spacing = (50.0, 20.0, 10.0)
    cells = rng.integers(0, 12, (40, 3))
    grid = Grid((12, 12, 12), spacing, (-600.0, 7e6, 5e5), "EPSG:32651")
    found = samples.Samples(
        patches=np.zeros((40, 1, *shape), dtype=np.float32), label=np.zeros(40, dtype=np.int8),
        group=np.full(40, ""), xyz=grid.xyz_of(cells), source=np.full(40, "background"), layers=("a",),
        spacing=spacing,
    )  # fmt: skip
    half = np.array(shape) // 2

    def members(rows):
        offsets = np.argwhere(np.ones(shape)) - half
        return [{tuple(c) for c in (cells[row] + offsets).tolist()} for row in rows]

    train, test = np.arange(20), np.arange(20, 40)
    covered = set().union(*members(train))
    expected = sum(bool(own & covered) for own in members(test))
    assert splits.shared_cells(found, train, test) == expected
