"""Folds that know nothing of what they are tested on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from mpm3d import splits
from mpm3d.samples import Samples

steady = settings(deadline=None, derandomize=True, max_examples=40)


def line(deposits, background, *, patch=(3, 3, 3), spacing=(50.0, 50.0, 50.0)):
    """Samples on a line: positions along x, in cells."""
    places = [x for cells in deposits.values() for x in cells]
    n, m = len(places), len(background)
    xyz = np.zeros((n + m, 3))
    xyz[:, 0] = 500_000 + 50.0 * np.array([*places, *background])
    return made(xyz, [name for name, cells in deposits.items() for _ in cells], patch, spacing)


def made(xyz, group, patch=(1, 1, 1), spacing=(50.0, 50.0, 50.0), n_reference=0):
    """Samples at places: the first ones positive, the last ones reference."""
    n, total = len(group), len(xyz)
    counts = [n, total - n - n_reference, n_reference]
    return Samples(
        patches=np.zeros((total, 2, *patch), dtype=np.float32),
        label=np.repeat(np.array([1, 0, 0], dtype=np.int8), counts),
        group=np.array([*group, *[""] * (total - n)]),
        xyz=np.asarray(xyz, dtype=float),
        source=np.repeat(["deposit", "background", "reference"], counts),
        layers=("a", "b"),
        spacing=spacing,
    )


def box(shape, deposits, *, patch=(3, 3, 3)):
    """Every cell of a box, those of the deposits first."""
    ore = np.concatenate(list(deposits.values()))
    every = np.argwhere(np.ones(shape))
    rest = every[~(every[:, None] == ore).all(axis=2).any(axis=1)]
    group = [name for name, cells in deposits.items() for _ in cells]
    return made(50.0 * np.concatenate([ore, rest])[:, ::-1], group, patch)


def at(found, rows):
    return sorted(round((x - 500_000) / 50) for x in found.xyz[rows, 0])


def test_negatives_keep_the_stand_off_from_known_deposits(rng):
    found = line({"A": [0, 1]}, range(2, 60))
    rows = splits.training_set(found, known=["A"], stand_off=800, ratio=10, rng=rng)
    assert at(found, rows[:2]) == [0, 1]
    assert (found.label[rows] == [1, 1] + [0] * 20).all()
    assert min(at(found, rows[2:])) >= 17  # 16 cells from the one at 1
    everything = splits.training_set(found, known=["A"], stand_off=800, ratio=43 / 2, rng=rng)
    assert at(found, everything[2:]) == list(range(17, 60))


def test_a_left_out_deposit_has_no_stand_off_and_only_patches_that_share_its_cells_are_dropped(rng):
    found = line({"A": [0], "B": [40]}, [*range(1, 40), *range(41, 60)])
    rows = splits.training_set(found, known=["A"], left_out=["B"], stand_off=500, ratio=45, rng=rng)
    drawn = set(at(found, rows))
    # patches of three cells share one with those on B's cells if their centres are up to two cells apart
    assert drawn == {0} | (set(range(10, 60)) - set(range(38, 43)))


def test_the_stand_off_of_a_left_out_deposit_is_not_applied(rng):
    found = line({"A": [0], "B": [40]}, [*range(1, 40), *range(41, 60)])
    known = splits.training_set(found, known=["A", "B"], stand_off=500, ratio=9, rng=rng)
    assert not {43, 45, 37, 35} & set(at(found, known))
    unknown = splits.training_set(found, known=["A"], left_out=["B"], stand_off=500, ratio=45, rng=rng)
    assert {43, 45, 37, 35} <= set(at(found, unknown))


def test_no_patch_of_a_fold_shares_a_cell_with_a_patch_of_the_left_out_deposit(rng):
    shape = (8, 9, 10)
    east = np.array([[4, 4, 8], [4, 4, 9], [4, 5, 8]])
    near = np.array([[4, 4, 6], [4, 4, 5], [4, 4, 4], [0, 0, 0]])
    west = np.array([[3, 3, 1], [3, 4, 1]])
    for patch, reach in (((3, 3, 3), (2, 2, 2)), ((1, 1, 1), (0, 0, 0)), ((5, 3, 1), (4, 2, 0))):
        found = box(shape, {"east": east, "near": near, "west": west}, patch=patch)
        count = (found.label == 0).sum()
        cells = np.round(found.xyz[:, ::-1] / 50).astype(int)
        shares = (np.abs(cells[:, None] - east) <= reach).all(axis=2).any(axis=1)
        kept_near = int((~shares & (found.group == "near")).sum())
        allowed = int((~shares[found.label == 0]).sum())
        rows = splits.training_set(
            found, known=["near"], left_out=["east"], stand_off=0, ratio=allowed / kept_near, rng=rng
        )
        assert not shares[rows].any()
        assert len(rows) == kept_near + allowed
        assert allowed < count or patch == (1, 1, 1)
        assert not np.isin(found.group[rows], ["east", "west"]).any()
        test = np.flatnonzero(found.group == "east")
        assert splits.shared_cells(found, rows, test) == 0


def test_aware_negatives_keep_the_stand_off_from_left_out_deposits_too(rng):
    found = line({"A": [0], "B": [40]}, [*range(1, 40), *range(41, 60)])
    rows = splits.training_set(
        found, known=["A"], left_out=["B"], stand_off=500, ratio=30, aware=True, rng=rng
    )
    assert set(at(found, rows)) <= {0, *range(10, 31), *range(50, 60)}
    assert len(rows) == 31
    with pytest.raises(ValueError, match=r"0 of 54 background samples lie at least 5000 m from 'A', 'B'"):
        splits.training_set(found, known=["A"], left_out=["B"], stand_off=5000, aware=True, rng=rng)


def test_the_reference_is_never_trained_on(rng):
    found = line({"A": [0]}, [*range(20, 60), *range(60, 100)])
    source = found.source.copy()
    source[found.xyz[:, 0] >= 500_000 + 50 * 60] = "reference"
    found = replace(found, source=source)
    rows = splits.training_set(found, known=["A"], stand_off=100, ratio=40, rng=rng)
    assert at(found, rows) == [0, *range(20, 60)]
    with pytest.raises(ValueError, match="41 negatives are needed for 1 positives, and 40 of 40 background"):
        splits.training_set(found, known=["A"], stand_off=100, ratio=41, rng=rng)


def test_reference_rows_leave_out_the_cells_trained_on_wherever_their_row_stands():
    found = line({"A": [0]}, [5, 6, 7, 5, 6, 7, 8])
    source = np.array(["deposit"] + ["background"] * 3 + ["reference"] * 4)
    small = replace(found, source=source)
    assert splits.reference_rows(small).tolist() == [4, 5, 6, 7]
    assert splits.reference_rows(small, trained=[0, 1, 3]).tolist() == [5, 7]
    # a table has no reference of its own
    assert splits.reference_rows(found, trained=[2]).tolist() == [1, 3, 4, 6, 7]
    table = replace(found, spacing=None)
    assert splits.reference_rows(table, trained=[2]).tolist() == [1, 3, 4, 6, 7]


def test_stand_off_counts_from_positives_that_were_dropped_or_not_drawn_too(rng):
    found = line({"A": list(range(20))}, range(20, 60))
    for _ in range(5):
        rows = splits.training_set(found, known=["A"], stand_off=500, max_positives=2, rng=rng)
        assert min(at(found, rows[2:])) >= 29


def test_the_most_positives_are_drawn_evenly_from_the_deposits(rng):
    found = line({"A": range(50), "B": range(60, 63), "C": range(70, 120)}, range(200, 400))

    def counts(most):
        rows = splits.training_set(found, known=["A", "B", "C"], stand_off=100, max_positives=most, rng=rng)
        assert len(np.unique(rows)) == len(rows)
        names = found.group[rows][found.label[rows] == 1].tolist()
        assert (found.label[rows] == 0).sum() == len(names)
        return tuple(names.count(name) for name in "ABC")

    assert counts(9) == (3, 3, 3)
    assert counts(21) == (9, 3, 9)
    assert sum(counts(20)) == 20
    assert counts(20)[1] == 3
    assert sum(counts(2)) == 2
    assert counts(103) == counts(None) == (50, 3, 50)
    assert counts(1000) == (50, 3, 50)


def test_negatives_differ_by_seed_and_repeat_with_it():
    found = line({"A": [0]}, range(1, 400))

    def draw(seed):
        rng = np.random.default_rng(seed)
        return splits.training_set(found, known=["A"], stand_off=100, ratio=50, rng=rng).tolist()

    assert draw(1) == draw(1) != draw(2)
    assert len(set(draw(1))) == 51


def test_deposits_that_are_neither_known_nor_left_out_are_not_used(rng):
    found = line({"A": [0], "B": [3]}, range(10, 60))
    rows = splits.training_set(found, known=["A"], stand_off=100, rng=rng)
    assert set(found.group[rows]) == {"A", ""}


def test_a_table_without_a_grid_loses_only_what_lies_in_the_same_place(rng):
    found = line({"A": [0], "B": [40]}, [*range(1, 40), 40, 41], patch=(1, 1, 1), spacing=None)
    rows = splits.training_set(found, known=["A"], left_out=["B"], stand_off=0, ratio=40, rng=rng)
    assert at(found, rows) == [*range(40), 41]


def test_errors_of_the_training_set_tell_the_numbers(rng):
    found = line({"A": [0, 1], "B": [2]}, range(3, 20))

    def choose(known=("A",), stand_off=100.0, **more):
        splits.training_set(found, known=known, stand_off=stand_off, rng=rng, **more)

    with pytest.raises(ValueError, match="'Z' is not among the deposits 'A', 'B'"):
        choose(known=["A", "Z"])
    with pytest.raises(ValueError, match="'A' cannot be known and left out at once"):
        choose(left_out=["A"])
    with pytest.raises(ValueError, match="no deposit is known, so there is nothing to learn from"):
        choose(known=[])
    with pytest.raises(
        ValueError, match="no positive is left: all 2 cells of 'A' have patches that share cells "
    ):
        choose(left_out=["B"])
    with pytest.raises(
        ValueError,
        match="2 negatives are needed for 2 positives, and 0 of 17 background samples lie at least 5000 m "
        r"from 'A' \(farthest: 900 m\). Lower the stand-off or the ratio, or draw more background.",
    ):
        choose(stand_off=5000.0)
    with pytest.raises(ValueError, match="a stand-off of -1 m is not possible, it must be 0 or above"):
        choose(stand_off=-1.0)
    with pytest.raises(ValueError, match="0 negatives per positive are not possible, it must be above 0"):
        choose(ratio=0.0)
    with pytest.raises(ValueError, match="at most 0 positives leave nothing to learn from, allow at least 1"):
        choose(max_positives=0)


def test_a_random_split_shares_cells_between_its_sides_and_the_count_says_so(rng):
    found = line({"A": range(100)}, range(200, 300))
    train, test = splits.split_random(np.arange(200), rng=rng)
    assert (len(train), len(test)) == (140, 60)
    assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(200))
    gap = np.abs(found.xyz[test, 0][:, None] - found.xyz[train, 0]).min(axis=1)
    assert splits.shared_cells(found, train, test) == (gap <= 100).sum() > 40
    assert splits.shared_cells(found.cropped((1, 1, 1)), train, test) == 0
    assert splits.shared_cells(found, train, np.empty(0, dtype=int)) == 0
    with pytest.raises(ValueError, match=r"1 samples cannot be split at 0.7, one side would have none"):
        splits.split_random([3], rng=rng)


@st.composite
def clouds(draw):
    """Samples on cells of 10 m, with patches, and how to cut them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = np.array(draw(st.tuples(*(st.integers(3, 40),) * 3)))
    n = draw(st.integers(10, 150))
    flat = rng.choice(np.prod(shape), min(n, np.prod(shape)), replace=False)
    cells = np.column_stack(np.unravel_index(flat, shape))
    n_positive = draw(st.integers(2, len(cells) // 2))
    patch = tuple(draw(st.sampled_from([1, 3])) for _ in range(3))
    found = made(10.0 * cells, ["A"] * n_positive, patch, (10.0, 10.0, 10.0), len(cells) // 4)
    cut = draw(st.sampled_from([{}, {"axis": "x"}, {"axis": "z"}, {"size": 35.0}, {"size": 70.0}]))
    return found, draw(st.integers(2, 5)), draw(st.sampled_from([0.0, 10.0, 45.0])), cut


@steady
@given(clouds(), st.integers(0, 9))
def test_every_sample_is_tested_once_and_training_keeps_its_distance(cloud, seed):
    found, folds, buffer, cut = cloud
    try:
        cuts = splits.block_folds(found, folds=folds, buffer=buffer, rng=np.random.default_rng(seed), **cut)
    except ValueError:
        assume(False)  # too small for so many folds
    assert len(cuts) == folds
    tested = np.concatenate([fold.test for fold in cuts])
    np.testing.assert_array_equal(np.sort(tested), np.arange(len(found)))
    reach = np.array(found.patch_shape)[::-1] * 10.0
    for fold in cuts:
        assert len(np.intersect1d(fold.train, fold.test)) == 0
        assert not (found.source[fold.train] == "reference").any()
        apart = np.abs(found.xyz[fold.train][:, None] - found.xyz[fold.test])
        assert not (apart < reach - 1e-6).all(axis=2).any()
        assert cdist(found.xyz[fold.train], found.xyz[fold.test]).min(initial=np.inf) >= buffer - 1e-6
        assert splits.shared_cells(found, fold.train, fold.test) == 0
        outside = (np.setdiff1d(np.arange(len(found)), fold.test), fold.train)
        trainable = [rows[found.source[rows] != "reference"] for rows in outside]
        assert fold.n_dropped == len(trainable[0]) - len(trainable[1])
        assert fold.n_positive == (found.label[fold.train].sum(), found.label[fold.test].sum())
        assert min(fold.n_positive) > 0


def scattered(rng, n_positive=200, n=3000):
    """Positives in clusters, the rest anywhere in 2 km."""
    middles = rng.uniform(0, 2000, (8, 3))
    ore = middles[rng.integers(0, 8, n_positive)] + rng.normal(0, 60, (n_positive, 3))
    return made(np.concatenate([ore, rng.uniform(0, 2000, (n, 3))]), ["A"] * n_positive, spacing=None)


@pytest.mark.parametrize("folds", [2, 3, 5, 7])
def test_blocks_have_a_fair_share_of_positives_for_any_number_of_folds(rng, folds):
    found = scattered(rng)
    cuts = splits.block_folds(found, folds=folds, buffer=0, rng=rng)
    assert [fold.name for fold in cuts] == [f"block {n} of {folds}" for n in range(1, folds + 1)]
    counts = [fold.n_positive[1] for fold in cuts]
    assert sum(counts) == 200
    assert min(counts) >= 200 / folds / 4  # at least half of the due share at each of up to three cuts


def test_the_cut_is_in_the_widest_gap_that_leaves_each_side_a_quarter(rng):
    xyz = np.column_stack([rng.uniform(0, 300, 101), rng.uniform(0, 900, 101), rng.uniform(0, 500, 101)])
    found = made(xyz, ["A"] * 41, spacing=None)
    low, high = splits.block_folds(found, folds=2, buffer=0, rng=rng)
    widest = (0.0, 0, 0.0)
    for axis in range(3):
        places = sorted(xyz[:41, axis])
        for k in range(1, 41):
            if 0.25 <= k / 41 <= 0.75:
                widest = max(widest, (places[k] - places[k - 1], axis, (places[k] + places[k - 1]) / 2))
    _, axis, middle = widest
    assert set(low.test) == set(np.flatnonzero(xyz[:, axis] < middle))
    assert set(high.test) == set(np.flatnonzero(xyz[:, axis] > middle))


def test_deposits_that_lie_apart_are_not_cut(rng):
    # at 50 m cells: two large bodies and a small one; a third of the cells is in the midst of a body
    places = {"A": [*range(10, 34)], "B": [*range(60, 84)], "C": [*range(110, 122)]}
    found = line(places, [*range(0, 140, 5)], patch=(3, 3, 3))
    for fold in splits.block_folds(found, folds=3, buffer=500, rng=rng):
        own = set(found.group[fold.test]) - {""}
        known = set(found.group[fold.train]) - {""}
        assert len(own) == 1
        assert own.isdisjoint(known)
        assert known


def test_the_buffer_is_measured_from_the_block_and_not_from_its_samples(rng):
    # positives at 0 to 4 and 95 to 99, so the cut is half-way, at 49.5 cells
    found = line({"A": [*range(5), *range(95, 100)]}, [48, 52, 54, 55, 60], patch=(1, 1, 1))
    low, high = splits.block_folds(found, folds=2, buffer=250, rng=rng)
    assert at(found, low.test) == [*range(5), 48]
    assert at(found, low.train) == [55, 60, *range(95, 100)]  # 54 is 6 cells from 48, and 225 m from 49.5
    assert (low.n_dropped, low.n_positive) == (2, (5, 5))
    assert at(found, high.train) == [*range(5)]
    assert high.n_dropped == 1


def test_patches_share_no_cell_even_without_a_buffer(rng):
    found = line({"A": range(40)}, range(40, 50), patch=(3, 3, 3))
    low, _ = splits.block_folds(found, folds=2, buffer=0, rng=rng)
    assert at(found, low.test) == [*range(20)]
    assert at(found, low.train) == [*range(22, 50)]  # 20 and 21 see cell 20 and 19


def test_slabs_have_equal_numbers_of_samples(rng):
    found = scattered(rng)
    cuts = splits.block_folds(found, folds=5, buffer=0, rng=rng, axis="y")
    assert [len(fold.test) for fold in cuts] == [640] * 5
    assert cuts[1].name == "slab 2 of 5 along y"
    order = np.argsort(found.xyz[:, 1])
    np.testing.assert_array_equal(np.sort(order[640:1280]), cuts[1].test)


def test_cubes_are_whole_dealt_by_seed_and_balanced(rng):
    found = scattered(rng)
    cuts = splits.block_folds(found, folds=4, buffer=0, size=250, rng=np.random.default_rng(3))
    cube = np.floor((found.xyz - found.xyz.min(axis=0)) / 250) @ [1, 100, 10_000]
    for fold in cuts:
        assert not np.isin(np.unique(cube[fold.test]), cube[np.setdiff1d(np.arange(3200), fold.test)]).any()
    counts = np.array([[len(fold.test), fold.n_positive[1]] for fold in cuts])
    assert np.ptp(counts[:, 0]) < 0.1 * 800
    assert np.ptp(counts[:, 1]) < 0.5 * 50

    def dealt(seed):
        made = splits.block_folds(found, folds=4, buffer=0, size=250, rng=np.random.default_rng(seed))
        return [fold.test.tolist() for fold in made]

    assert dealt(3) == [fold.test.tolist() for fold in cuts] != dealt(4)


def test_the_distance_to_dealt_cubes_is_that_to_the_nearest_of_them(rng):
    found = scattered(rng, n=800)
    origin = found.xyz.min(axis=0)
    for size, buffer in ((300.0, 120.0), (700.0, 40.0)):
        for fold in splits.block_folds(found, folds=3, buffer=buffer, size=size, rng=rng):
            low = origin + size * np.unique(np.floor((found.xyz[fold.test] - origin) / size), axis=0)
            out = np.maximum(np.maximum(low - found.xyz[:, None], found.xyz[:, None] - low - size), 0)
            nearest = np.sqrt((out**2).sum(axis=2)).min(axis=1)  # every sample to every cube
            expected = np.setdiff1d(np.flatnonzero(nearest >= buffer), fold.test)
            np.testing.assert_array_equal(fold.train, expected)


def test_the_default_buffer_is_a_patch_and_the_stand_off():
    found = line({"A": [0]}, [5], patch=(1, 3, 5), spacing=(100.0, 50.0, 20.0))
    assert splits.default_buffer(found, 800) == 950  # 3 cells of 50 m, more than 1 of 100 and 5 of 20
    assert splits.default_buffer(replace(found, spacing=None), 800) == 800


def test_a_fold_without_positives_is_refused_with_the_distances(rng):
    found = line({"A": [*range(5), *range(21, 26)]}, range(40, 60), patch=(1, 1, 1))
    with pytest.raises(
        ValueError,
        match=r"block 1 of 2 leaves no positive to train on: the 5 outside it lie 425 to 625 m from it, and "
        r"the buffer is 950 m\. Use fewer or larger parts, a smaller buffer, or leave deposits out instead",
    ):
        splits.block_folds(found, folds=2, buffer=950, rng=rng)
    aside = line({"A": [*range(5), *range(9, 14)]}, [*range(5, 9), *range(14, 31)], patch=(1, 1, 1))
    with pytest.raises(
        ValueError, match="slab 3 of 3 along x has no positive to test on, the nearest lies 325 m from it"
    ):  # it begins between 19 and 20
        splits.block_folds(aside, folds=3, buffer=0, rng=rng, axis="x")
    lump = line({"A": [0, 1]}, range(40, 60), patch=(1, 1, 1))
    with pytest.raises(ValueError, match=r"cubes . of 2 holds all 2 positives, so none is left to train on"):
        splits.block_folds(lump, folds=2, buffer=0, rng=rng, size=500)


def test_errors_of_spatial_folds_say_what_is_wrong(rng):
    found = line({"A": [0, 1]}, range(40, 60))

    def cut(samples=found, folds=2, buffer=0.0, **more):
        splits.block_folds(samples, folds=folds, buffer=buffer, rng=rng, **more)

    with pytest.raises(ValueError, match="1 spatial folds are not possible, it must be at least 2"):
        cut(folds=1)
    with pytest.raises(ValueError, match="a buffer of -5 m is not possible, it must be 0 or above"):
        cut(buffer=-5)
    with pytest.raises(ValueError, match="cubes of 0 m are not possible, the size must be above 0"):
        cut(size=0.0)
    with pytest.raises(ValueError, match="cubes of 100 m and slabs along x were both asked for, choose one"):
        cut(size=100.0, axis="x")
    with pytest.raises(ValueError, match="slabs along 'depth' are not possible, choose 'x', 'y' or 'z'"):
        cut(axis="depth")
    with pytest.raises(ValueError, match="the samples have no positive, so no part of space can be tested"):
        cut(found.take(found.label == 0))
    with pytest.raises(ValueError, match="1 positives at one place cannot be cut into 2 parts"):
        cut(folds=4)
    with pytest.raises(ValueError, match="22 samples at one y cannot be cut into 2 parts"):
        cut(axis="y")
    with pytest.raises(ValueError, match="the samples fill 1 cubes of 90000 m, too few for 2 folds"):
        cut(size=90_000.0)


def test_neighbouring_floats_can_be_cut_between(rng):
    first = 500_000.0
    second = np.nextafter(first, np.inf)
    found = made([[first, 0, 0], [second, 0, 0]], ["A", "B"], spacing=None)
    cuts = splits.block_folds(replace(found, spacing=(1e-12,) * 3), folds=2, buffer=0, rng=rng)
    assert [fold.test.tolist() for fold in cuts] == [[0], [1]]
