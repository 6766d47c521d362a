"""Patches from a cube: deposits, the pool that negatives come from, the reference to rank against."""

from __future__ import annotations

import numpy as np
import pytest

from mpm3d import cube, samples
from mpm3d.errors import StudyError
from mpm3d.grid import Grid
from mpm3d.labels import Deposit
from mpm3d.samples import Samples

GRID = Grid((8, 9, 10), (50.0, 50.0, 50.0), (-400.0, 7_000_000.0, 500_000.0), "EPSG:32651")
EAST = Deposit("east", np.array([[4, 4, 8], [4, 4, 9], [4, 5, 8]]), style="vein")
WEST = Deposit("west", np.array([[3, 3, 1], [3, 4, 1]]), style="vein")


def field(layer):
    """A number that tells the layer and the cell."""

    def fill(grid):
        k, j, i = GRID.index_of(grid.points()).T
        return (1000 * layer + 100 * k + 10 * j + i).reshape(grid.shape).astype(float)

    return fill


def make(path, *, chunk=(3, 4, 5), hole=None, top=8):
    """Cube of layers a and b; cells from level ``top`` up are outside, ``hole`` cells of b are missing."""
    cube.create(path, GRID, chunk=chunk)
    cube.set_study_volume(
        path, lambda g: np.broadcast_to((g.centres(0) < -400 + 50 * top)[:, None, None], g.shape)
    )

    def b(grid):
        values = field(2)(grid)
        for cell in () if hole is None else hole:
            values[values == 2000 + 100 * cell[0] + 10 * cell[1] + cell[2]] = np.nan
        return values

    cube.add_layer(path, "a", field(1), units="m", long_name="a")
    cube.add_layer(path, "b", b, units="m", long_name="b")
    return cube.open(path)


def line(deposits, background, *, patch=(3, 3, 3), spacing=(50.0, 50.0, 50.0)):
    """Samples on a line: positions along x, in cells."""
    at = [x for cells in deposits.values() for x in cells]
    n, m = len(at), len(background)
    xyz = np.zeros((n + m, 3))
    xyz[:, 0] = 500_000 + 50.0 * np.array([*at, *background])
    return Samples(
        patches=np.zeros((n + m, 2, *patch), dtype=np.float32),
        label=np.repeat(np.array([1, 0], dtype=np.int8), [n, m]),
        group=np.array([name for name, cells in deposits.items() for _ in cells] + [""] * m),
        xyz=xyz,
        source=np.repeat(["deposit", "background"], [n, m]),
        layers=("a", "b"),
        spacing=spacing,
    )


def test_every_deposit_cell_is_positive_and_pool_and_reference_are_drawn_without_repeats(tmp_path, rng):
    found = samples.from_cube(make(tmp_path / "c.zarr"), [EAST, WEST], background=60, pool=40, rng=rng)
    assert found.patches.shape == (105, 2, 3, 3, 3)
    assert found.patches.dtype == np.float32
    assert found.label.dtype == np.int8
    assert found.label.tolist() == [1] * 5 + [0] * 100
    assert found.group.tolist() == ["east"] * 3 + ["west"] * 2 + [""] * 100
    assert found.source.tolist() == ["deposit"] * 5 + ["background"] * 40 + ["reference"] * 60
    assert found.styles == {"east": "vein", "west": "vein"}
    assert found.deposits == ("east", "west")
    assert found.layers == ("a", "b")
    assert found.spacing == GRID.spacing
    assert found.notes == ()
    cells = GRID.index_of(found.xyz)
    np.testing.assert_array_equal(cells[:5], np.concatenate([EAST.cells, WEST.cells]))
    assert len(np.unique(cells, axis=0)) == 105


def test_patches_hold_the_neighbours_and_are_missing_beyond_the_faces(tmp_path, rng):
    ds = make(tmp_path / "c.zarr", top=7)
    found = samples.from_cube(ds, [EAST, WEST], background=300, patch_shape=(3, 5, 1), rng=rng)
    whole = np.stack([field(n)(GRID) for n in (1, 2)])
    whole[:, 7:] = np.nan
    padded = np.pad(whole, ((0, 0), (1, 1), (2, 2), (0, 0)), constant_values=np.nan)
    for patch, (k, j, i) in zip(found.patches, GRID.index_of(found.xyz), strict=True):
        np.testing.assert_array_equal(patch, padded[:, k : k + 3, j : j + 5, i : i + 1])


def test_patches_come_in_the_order_of_the_cells_asked_for(tmp_path, rng):
    ds = make(tmp_path / "c.zarr")
    cells = np.column_stack([rng.integers(0, n, 200) for n in GRID.shape])
    found = samples.take_patches(ds, cells, ["b", "a"], (1, 1, 1))
    expected = np.stack([field(n)(GRID)[tuple(cells.T)] for n in (2, 1)], axis=1)
    np.testing.assert_array_equal(found[:, :, 0, 0, 0], expected)
    assert samples.take_patches(ds, np.empty((0, 3)), ["a"], (3, 3, 3)).shape == (0, 1, 3, 3, 3)


def test_reading_patches_never_asks_for_the_whole_cube(tmp_path, monkeypatch):
    ds = make(tmp_path / "c.zarr")
    largest = []
    read = cube.read_window

    def watched(ds, layers, window):
        largest.append([cut.stop - cut.start for cut in window])
        return read(ds, layers, window)

    monkeypatch.setattr(cube, "read_window", watched)
    samples.take_patches(ds, np.argwhere(np.ones(GRID.shape)), ["a"], (3, 3, 3))
    assert np.max(largest, axis=0).tolist() == [5, 6, 7]  # a chunk and a cell on either side


def test_the_draw_depends_on_the_seed_and_not_on_chunks_or_slabs(tmp_path, monkeypatch):
    def draw(name, chunk, seed=5):
        ds = make(tmp_path / name, chunk=chunk, top=6)
        return samples.from_cube(ds, [EAST], background=60, pool=40, rng=np.random.default_rng(seed))

    first = draw("1.zarr", (3, 4, 5))
    for other in (draw("2.zarr", (8, 9, 10)), draw("3.zarr", (1, 6, 10))):
        np.testing.assert_array_equal(first.xyz, other.xyz)
        np.testing.assert_array_equal(first.patches, other.patches)
    monkeypatch.setattr(samples, "SLAB", 1)
    np.testing.assert_array_equal(first.xyz, draw("4.zarr", (2, 9, 4)).xyz)
    assert not np.array_equal(first.xyz, draw("5.zarr", (3, 4, 5), seed=6).xyz)


def test_the_reference_is_every_eligible_cell_if_asked_for_and_no_other(tmp_path, rng):
    hole = [(0, 0, 0), (5, 8, 9)]
    ds = make(tmp_path / "c.zarr", hole=hole, top=6)
    found = samples.from_cube(ds, [EAST], background=10_000, pool=20, rng=rng)
    reference = GRID.index_of(found.xyz[found.source == "reference"])
    cells = {tuple(c) for c in reference.tolist()}
    expected = {tuple(c) for c in np.argwhere(np.ones((6, 9, 10))).tolist()}
    assert cells == expected - set(hole) - {tuple(c) for c in EAST.cells.tolist()}
    assert len(reference) == 535
    more = samples.from_cube(ds, [EAST], background=10_000, max_missing=1, rng=rng)
    assert (more.source == "reference").sum() == 537


def test_a_volume_too_small_for_pool_and_reference_gives_both_the_same_cells_and_says_so(tmp_path, rng):
    ds = make(tmp_path / "c.zarr")
    found = samples.from_cube(ds, [EAST], background=700, pool=18, rng=rng)
    pool, reference = (found.xyz[found.source == source] for source in ("background", "reference"))
    assert (len(np.unique(pool, axis=0)), len(np.unique(reference, axis=0))) == (18, 717)
    assert found.notes == (
        "ranks are against all 717 cells outside the deposits that have their layers, and negatives come "
        "from 18 of the same cells: there are too few for both.",
    )
    both = samples.from_cube(ds, [EAST], background=700, pool=17, rng=rng)
    assert both.notes == ()
    assert len(np.unique(both.xyz, axis=0)) == 720
    assert (both.source == "reference").sum() == 700
    # by default the pool has 10,000 cells, here all there are
    assert (samples.from_cube(ds, [EAST], rng=rng).source == "background").sum() == 717


def test_the_pool_grows_with_the_negatives_that_are_wanted():
    assert samples.default_pool(2000) == 10_000
    assert samples.default_pool(4101) == 20_505
    assert samples.default_pool(4101, 3) == 61_515


@pytest.mark.parametrize("source", ["background", "reference"])
def test_pool_and_reference_are_each_drawn_with_equal_chances(tmp_path, source):
    ds = make(tmp_path / "c.zarr").load()
    rng = np.random.default_rng(1)
    count = np.zeros(GRID.shape)
    for _ in range(60):
        found = samples.from_cube(ds, [EAST], background=240, pool=240, patch_shape=(1, 1, 1), rng=rng)
        np.add.at(count, tuple(GRID.index_of(found.xyz[found.source == source]).T), 1)
    assert count[tuple(EAST.cells.T)].sum() == 0
    count[tuple(EAST.cells.T)] = 60 * 240 / 717
    expected = 60 * 240 / 717  # draws without replacement: variance n p (1 - p)
    spread = np.sqrt(60 * (240 / 717) * (1 - 240 / 717))
    assert np.abs(count - expected).max() < 5 * spread
    by_level = count.sum(axis=(1, 2))
    assert np.abs(by_level - expected * 90).max() < 5 * spread * np.sqrt(90)


def test_deposit_cells_without_their_layers_are_left_out_and_noted(tmp_path, rng):
    ds = make(tmp_path / "c.zarr", hole=[(4, 4, 8)])
    found = samples.from_cube(ds, [EAST, WEST], background=10, pool=10, rng=rng)
    assert found.group[:4].tolist() == ["east", "east", "west", "west"]
    assert found.notes == (
        "deposit 'east': 1 of 3 cells are left out, outside the study volume or without 'b' in 1.",
    )
    with pytest.raises(StudyError) as caught:
        samples.from_cube(make(tmp_path / "d.zarr", top=3), [EAST, WEST], background=10, rng=rng)
    assert caught.value.problems == (
        "deposit 'east': 3 of 3 cells are left out, outside the study volume or without 'a' in 3, 'b' in 3, "
        "so none is left. Leave out the layer, raise max_missing, or mask less.",
        "deposit 'west': 2 of 2 cells are left out, outside the study volume or without 'a' in 2, 'b' in 2, "
        "so none is left. Leave out the layer, raise max_missing, or mask less.",
    )


def test_errors_of_from_cube(tmp_path, rng):
    ds = make(tmp_path / "c.zarr")
    with pytest.raises(StudyError, match="no deposit is known, so there is nothing to learn from"):
        samples.from_cube(ds, [], rng=rng)
    with pytest.raises(StudyError, match="deposit 'off': 1 of 2 cells lie outside the cube of"):
        samples.from_cube(ds, [Deposit("off", np.array([[0, 0, 0], [8, 0, 0]]))], rng=rng)
    with pytest.raises(StudyError, match="deposits 'east' and 'again' share 3 cells"):
        samples.from_cube(ds, [EAST, Deposit("again", EAST.cells)], rng=rng)
    with pytest.raises(
        ValueError, match=r"a patch of \(3, 2, 3\) cells has no middle, each side must be odd"
    ):
        samples.from_cube(ds, [EAST], patch_shape=(3, 2, 3), rng=rng)
    with pytest.raises(ValueError, match="max_missing is 2, it must be from 0 to below the 2 layers"):
        samples.from_cube(ds, [EAST], max_missing=2, rng=rng)
    with pytest.raises(ValueError, match="a pool of 0 cells is not possible, it must be at least 1"):
        samples.from_cube(ds, [EAST], pool=0, rng=rng)
    with pytest.raises(ValueError, match="a reference of -3 cells is not possible, it must be at least 1"):
        samples.from_cube(ds, [EAST], background=-3, rng=rng)
    with pytest.raises(ValueError, match="the cube lacks the layers 'c', it has 'a', 'b'"):
        samples.from_cube(ds, [EAST], layers=["a", "c"], rng=rng)
    cube.create(tmp_path / "e.zarr", GRID)
    with pytest.raises(ValueError, match="the cube has no finished layer, so there is nothing to learn from"):
        samples.from_cube(cube.open(tmp_path / "e.zarr"), [EAST], rng=rng)


def test_samples_that_do_not_fit_together_are_refused():
    good = line({"A": [0]}, [5])
    fields = {name: getattr(good, name) for name in ("patches", "label", "group", "xyz", "source", "layers")}
    with pytest.raises(ValueError, match="2 labels need as many of everything: group has 1"):
        Samples(**{**fields, "group": good.group[:1]})
    with pytest.raises(ValueError, match=r"patches of shape \(2, 2, 3, 3, 3\) do not fit .* with 1 layers"):
        Samples(**{**fields, "layers": ("a",)})
    with pytest.raises(ValueError, match=r"labels are \[0, 2\], they must be 1 \(deposit\) or 0"):
        Samples(**{**fields, "label": np.array([2, 0], dtype=np.int8)})
    with pytest.raises(ValueError, match="1 positive samples have no group, it must name their deposit"):
        Samples(**{**fields, "group": np.array(["", ""])})
    with pytest.raises(
        ValueError, match="1 positive samples have the source 'reference', which is for cells"
    ):
        Samples(**{**fields, "source": np.array(["reference", "reference"])})


def test_taking_keeps_rows_together_and_cropping_keeps_the_middle(tmp_path, rng):
    found = samples.from_cube(
        make(tmp_path / "c.zarr"), [EAST], background=20, pool=20, patch_shape=(5, 3, 3), rng=rng
    )
    part = found.take([4, 0])
    assert part.styles == found.cropped((1, 1, 1)).styles == {"east": "vein"}
    assert part.source.tolist() == ["background", "deposit"]
    assert len(part) == 2
    np.testing.assert_array_equal(part.patches, found.patches[[4, 0]])
    np.testing.assert_array_equal(part.xyz, found.xyz[[4, 0]])
    assert part.group.tolist() == ["", "east"]
    assert found.take(found.label == 1).deposits == ("east",)
    small = found.cropped((1, 3, 1))
    assert small.patch_shape == (1, 3, 1)
    np.testing.assert_array_equal(small.patches, found.patches[:, :, 2:3, :, 1:2])
    with pytest.raises(
        ValueError, match=r"patches of \(5, 3, 3\) cells \(z, y, x\) cannot be cropped to \(3, 5, 3\)"
    ):
        found.cropped((3, 5, 3))
