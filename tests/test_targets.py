from __future__ import annotations

import csv
import json
import math
import subprocess
import sys
import tracemalloc
from itertools import product
from pathlib import Path

import cc3d
import igl
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from mpm3d import cube
from mpm3d.grid import Grid
from mpm3d.targets import COLUMNS, Settings, bodies, delineate, delineate_by, skins, surfaces, write_table

GRID = Grid((9, 11, 13), (50.0, 25.0, 20.0), (-450.0, 4_000_000.0, 500_000.0), "EPSG:32651")


def dataset(score, grid=GRID, chunks=(4, 5, 6), **more):
    """A Dataset as the block engine makes it, in memory."""
    variables = {"score": (("z", "y", "x"), score.astype(np.float32))}
    variables |= {name: (("z", "y", "x"), values.astype(np.float32)) for name, values in more.items()}
    coords = {name: (name, grid.centres(axis)) for axis, name in enumerate("zyx")}
    attrs = {
        "grid_shape": list(grid.shape),
        "grid_spacing": list(grid.spacing),
        "grid_corner": list(grid.corner),
        "grid_crs": grid.crs,
    }
    ds = xr.Dataset(variables, coords, attrs)
    ds["score"].encoding["chunks"] = chunks
    return ds


def low(rng, shape=GRID.shape):
    return rng.random(shape) * 0.1


def share_of(n, total=GRID.n_cells):
    """A share of the volume that is ``n`` cells."""
    return (n + 0.2) / total


def volume_of(surface):
    """Divergence theorem: a sixth of the sum of triple products, positive when triangles face out."""
    a, b, c = (surface.vertices[surface.triangles[:, k]] - surface.vertices[0] for k in range(3))
    return np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6


def test_a_body_is_described_as_it_was_made(rng):
    score = low(rng)
    score[2:5, 3:6, 7:9] = 0.9
    score[3, 4, 8] = 1.0
    made = delineate(dataset(score, spread=np.full(GRID.shape, 0.25)), {}, share=share_of(18))
    (target,) = made.targets
    assert (target.id, target.rank, target.kind, target.n_cells) == ("T01", 1, "new", 18)
    assert target.volume_m3 == 18 * 50 * 25 * 20
    # centres of the middle cells: corner + (index + 0.5) * spacing
    assert target.x == pytest.approx(500_000 + 8.0 * 20)
    assert target.y == pytest.approx(4_000_000 + 4.5 * 25)
    assert target.elevation == pytest.approx(-450 + 3.5 * 50)
    assert (target.z_base, target.z_top) == (-350, -200)
    assert (target.depth_top, target.depth_base) == (200, 350)
    assert target.mean_score == pytest.approx((17 * 0.9 + 1) / 18)
    assert target.peak_score == 1
    assert target.spread == 0.25
    assert (target.deposit, target.nearest_deposit) == ("", "")
    assert np.isnan(target.distance_m)
    assert (made.n_eligible, made.n_zone) == (GRID.n_cells, 18)
    assert made.threshold == pytest.approx(0.9)
    assert made.share == pytest.approx(18 / GRID.n_cells)
    assert (target.x_min, target.x_max) == (500_000 + 7 * 20, 500_000 + 9 * 20)
    assert (target.y_min, target.y_max) == (4_000_000 + 3 * 25, 4_000_000 + 6 * 25)
    assert np.isnan(target.extrapolated)
    assert target.zone == ""
    assert made.notes == (
        "ranked without distance (no deposit is known); the weights are score 0.56, spread 0.17, volume "
        "0.17, depth 0.11.",
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.001, 0.999), st.booleans())
def test_the_threshold_is_the_score_of_the_last_eligible_cell_of_the_share(seed, share, ties):
    rng = np.random.default_rng(seed)
    score = np.round(rng.normal(size=GRID.shape) * 3) if ties else rng.normal(size=GRID.shape)
    score = score.astype(np.float32)
    score[rng.random(GRID.shape) < 0.3] = np.nan
    known = {"A": np.argwhere(rng.random(GRID.shape) < 0.05)}
    known_mask = np.zeros(GRID.shape, bool)
    known_mask[tuple(known["A"].T)] = True
    eligible = np.sort(score[~np.isnan(score) & ~known_mask])[::-1]
    made = delineate(dataset(score), known, share=share)
    assert made.n_eligible == len(eligible)
    assert np.float32(made.threshold) == eligible[max(1, round(share * len(eligible))) - 1]
    zone = score >= np.float32(made.threshold)
    assert made.n_zone == zone.sum()
    assert made.share == pytest.approx((zone & ~known_mask).sum() / len(eligible))


def test_bodies_are_the_parts_that_touch_by_face_edge_or_corner(rng):
    score = rng.random(GRID.shape)
    score[rng.random(GRID.shape) < 0.1] = np.nan
    made = delineate(dataset(score), {}, share=0.08)
    labels, number = ndimage.label(score.astype(np.float32) >= made.threshold, np.ones((3, 3, 3)))
    assert len(made.targets) == number
    expected = {frozenset(map(tuple, np.argwhere(labels == k + 1))) for k in range(number)}
    assert {frozenset(map(tuple, target.cells)) for target in made.targets} == expected


sizes = st.tuples(st.integers(1, 9), st.integers(3, 11), st.integers(4, 13))


def bodies_of(made):
    """Cells of the bodies at the first threshold."""
    return {frozenset(map(tuple, target.cells)) for target in made.targets if not target.zone}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), sizes, st.floats(0.02, 0.9), st.booleans())
def test_bodies_of_any_blocks_are_those_of_the_whole_volume(seed, chunks, share, smooth):
    rng = np.random.default_rng(seed)
    score = rng.random(GRID.shape)
    score = ndimage.uniform_filter(score, 3) if smooth else score
    score[rng.random(GRID.shape) < 0.1] = np.nan
    made = delineate(dataset(score, chunks=chunks), {}, share=share)
    labels = cc3d.connected_components((score.astype(np.float32) >= made.threshold).astype(np.uint8))
    number = labels.max()
    assert sum(not target.zone for target in made.targets) == number
    assert bodies_of(made) == {frozenset(map(tuple, np.argwhere(labels == k + 1))) for k in range(number)}


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), sizes, st.floats(0.02, 0.5), st.integers(0, 4))
def test_the_table_does_not_depend_on_the_blocks_to_the_last_bit(seed, chunks, share, smallest):
    rng = np.random.default_rng(seed)
    score, spread = rng.random((2, *GRID.shape)) ** rng.integers(1, 40)
    looked = rng.integers(0, 2, GRID.shape)
    known = {name: np.argwhere(rng.random(GRID.shape) < 0.02) for name in "AB"}
    known["B"] = np.array([cell for cell in known["B"].tolist() if cell not in known["A"].tolist()])
    more = {"ground": rng.normal(size=GRID.shape[1:]) * 100, "min_volume": smallest * GRID.cell_volume}
    found, whole = (
        delineate(
            dataset(score, chunks=size, spread=spread, extrapolation=looked), known, share=share, **more
        )
        for size in (chunks, GRID.shape)
    )
    assert found.table.equals(whole.table)
    assert [t.cells.tolist() for t in found.targets] == [t.cells.tolist() for t in whole.targets]
    assert (found.n_zone, found.share, found.notes) == (whole.n_zone, whole.share, whole.notes)


@pytest.mark.parametrize("step", [s for s in product((-1, 0, 1), repeat=3) if s > (0, 0, 0)])
def test_cells_of_two_blocks_that_touch_only_by_a_face_an_edge_or_a_corner_are_one_body(step):
    score = np.zeros(GRID.shape)
    # the blocks of 4 x 5 x 6 cells meet in the corner between the cells (3, 4, 5) and (4, 5, 6)
    one = np.where(np.array(step) < 0, [4, 5, 6], [3, 4, 5])
    score[tuple(one)] = score[tuple(one + step)] = 1.0
    (target,) = delineate(dataset(score), {}, share=share_of(2)).targets
    assert sorted(map(tuple, target.cells)) == sorted([tuple(one), tuple(one + step)])


def test_a_body_that_winds_through_every_block_is_one():
    score = np.zeros(GRID.shape)
    score[::2, ::2, :] = 1.0  # rods along x, joined at alternating ends into one snake a level
    for level in range(0, 9, 2):
        for row in range(1, 11, 2):
            score[level, row, 0 if row % 4 == 1 else -1] = 1.0
        if level:
            score[level - 1, 0 if level % 4 == 0 else -1, 0] = 1.0
    n = int(score.sum())
    for chunks in ((1, 2, 3), (2, 3, 2), (4, 5, 6)):
        (target,) = delineate(dataset(score, chunks=chunks), {}, share=share_of(n)).targets
        assert (target.n_cells, target.place.shape) == (n, GRID.shape)


def test_means_are_exact_however_small_the_scores_of_a_body_are(rng):
    score = np.zeros(GRID.shape, np.float32)
    score[0, 0, :7] = rng.random(7)
    score[4:7, 4:7, 4:7] = rng.random((3, 3, 3)) * 1e-30
    spread = (rng.random(GRID.shape) * 1e-6).astype(np.float32)
    large, small = delineate(dataset(score, spread=spread), {}, share=share_of(34)).targets
    for target in (large, small):
        cells = tuple(target.cells.T)
        for found, values in ((target.mean_score, score[cells]), (target.spread, spread[cells])):
            assert found == pytest.approx(math.fsum(values.tolist()) / len(values), rel=1e-15, abs=0)


@pytest.mark.parametrize("share", [0.02, 0.3])  # with zones that are cut again
def test_memory_does_not_grow_with_the_volume(tmp_path, rng, monkeypatch, share):
    monkeypatch.setattr(bodies, "_MOST_KEPT", 1 << 10)
    peaks = []
    for number, levels in enumerate((20, 120)):
        grid = Grid((levels, 60, 60), (50, 50, 50), (0, 0, 0), "EPSG:32651")
        smooth = ndimage.gaussian_filter(rng.random(grid.shape), 3)
        ds = dataset(smooth, grid, (20, 20, 20))
        ds.to_zarr(tmp_path / f"{number}.zarr", zarr_format=3, consolidated=False)
        with cube.open(tmp_path / f"{number}.zarr") as stored:
            if not number:
                delineate(stored, {}, share=share)  # what is loaded at the first call is not counted
            tracemalloc.start()
            made = delineate(stored, {}, share=share)
            plans = [target.plan for target in made.targets]
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert plans
        assert any(target.zone for target in made.targets) == (share > 0.1)
    assert peaks[1] < 1.3 * peaks[0]
    # 250 bytes for each cell of one block, whatever the share, and below all scores where few are in
    assert peaks[1] < (4 * 120 * 60 * 60 if share < 0.1 else 300 * 20**3)


def test_bodies_that_are_mostly_known_deposit_come_last_and_the_others_by_mean_score(rng):
    score = low(rng)
    score[0, 0:4, 0] = 0.9  # half of it known
    score[4, 0:6, 0] = 0.95  # a third of it known
    score[8, 0:2, 0] = 0.5
    score[8, 5:7, 0] = 0.6
    known = {"East": [[0, 0, 0], [0, 1, 0], [4, 0, 0]], "West": [[4, 1, 0]]}
    made = delineate(dataset(score), known, share=share_of(10, GRID.n_cells - 4))
    table = made.table
    assert table["kind"].tolist() == ["extension", "new", "new", "known deposit"]
    assert table["mean_score"].round(3).tolist() == [0.95, 0.6, 0.5, 0.9]
    assert table["deposit"].tolist() == ["East; West", "", "", "East"]
    assert table["rank"].tolist() == [1, 2, 3, 4]
    assert table["id"].tolist() == ["T01", "T02", "T03", "T04"]
    assert made.n_eligible == GRID.n_cells - 4


def test_a_body_of_more_than_a_twentieth_of_the_volume_is_cut_again_and_listed_last(rng):
    score = low(rng)
    score[:, :, :4] = 0.9
    score[1, 1, 1:3] = score[5, 5, 1:3] = 0.95
    score[8, 8, 8] = 1.0
    share = float((score >= 0.9).mean())
    made = delineate(dataset(score), {}, share=share)
    assert made.table["id"].tolist() == ["T01", "T02", "T03", "Z1"]
    assert made.table["rank"].tolist() == [1, 2, 3, 4]
    assert made.table["kind"].tolist() == ["new", "new", "new", "zone"]
    assert made.table["zone"].tolist() == ["", "Z1", "Z1", ""]
    assert made.table["n_cells"].tolist() == [1, 2, 2, 9 * 11 * 4]
    # 397 cells are in; halves of them tie at 0.9 down to 6, 3 of them tie at 0.95 with the best 5 of 1287
    assert made.notes[0] == (
        "Z1 takes 30.8% of the volume, so it is a zone rather than a target, listed last. Cut again, at "
        "0.39% of the volume, it gives 2 targets, ranked with the others."
    )
    whole = delineate_by(dataset(score), {}, Settings(share=share, split=False))
    assert whole.table["id"].tolist() == ["T01", "Z1"]
    assert "A smaller share cuts it into bodies: [targets] share = 0.02" in whole.notes[0]


def test_a_zone_of_one_score_and_a_zone_of_small_parts_say_why_they_are_not_cut(rng):
    score = low(rng)
    score[:, :, :4] = 0.9
    made = delineate(dataset(score), {}, share=share_of(396))
    assert made.table["id"].tolist() == ["Z1"]
    assert made.notes[:2] == (
        "nothing new is left beside the zones: no body is small enough to be a target. A smaller share in "
        "[targets], or a smaller min_volume, makes some.",
        "Z1 takes 30.8% of the volume, so it is a zone rather than a target, listed last. Much of it has one "
        "and the same score, which no threshold cuts.",
    )
    score[4, 4, 1] = 0.95
    made = delineate(dataset(score), {}, share=share_of(396), min_volume=2 * GRID.cell_volume)
    assert made.table["id"].tolist() == ["Z1"]
    assert made.notes[1].endswith("Cut again, at 0.08% of the volume, no part of it has 50000 m3.")


def test_a_value_of_the_score_is_a_threshold_too(rng):
    score = low(rng)
    score[2, 2, 2:5] = 0.8
    score[7, 7, 7] = 0.7
    made = delineate_by(dataset(score), {"A": [[2, 2, 2]]}, Settings(value=0.8))
    (target,) = made.targets
    assert (target.n_cells, made.n_zone) == (3, 3)
    assert made.threshold == float(np.float32(0.8))
    assert made.share == 2 / (GRID.n_cells - 1)
    words = r"no cell scores 0\.9 or more, the highest score of the volume is 0\.8\. Give a lower value"
    with pytest.raises(ValueError, match=words):
        delineate_by(dataset(score), {}, Settings(value=0.9))
    seen = []
    by = Settings(value=0.8)
    delineate_by(dataset(score), {}, by, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(n, 2 * 27) for n in range(1, 55)]


def test_nothing_but_known_deposits_is_said(rng):
    score = low(rng)
    score[0, 0, 0:5] = 0.99
    known = {"A": [[0, 0, k] for k in range(5)]}
    made = delineate_by(dataset(score), known, Settings(value=0.9))
    assert made.table["kind"].tolist() == ["known deposit"]
    assert made.notes[0].startswith("every body is mostly known deposit: the best cells are those that")
    assert made.share == 0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({}, "share=None and value=None: one of them says where targets begin"),
        ({"share": 0.1, "value": 0.5}, r"share=0\.1 and value=0\.5: one of them"),
        ({"value": math.inf}, "value=inf is not a score, give a finite number"),
        ({"share": 0.1, "stand_off": -1}, "stand_off=-1 m is not possible, it must be 0 or more"),
        ({"share": 0.1, "weights": {"scor": 1}}, "'scor' is not a term of the ranking, use any of score, s"),
        ({"share": 0.1, "weights": {"score": -1}}, "the weight of score is -1, it must be 0 or more"),
        ({"share": 0.1, "weights": {"score": math.nan}}, "the weight of score is nan, it must be"),
        ({"share": 0.1, "weights": {"score": 0}}, "all weights are 0, so nothing is left to rank by"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        Settings(**wrong)


def test_weights_decide_the_order_and_terms_without_data_leave_with_theirs(rng):
    score = low(rng)
    score[0, 0, 0:3] = 0.9  # deep, and the best
    score[8, 5, 5:7] = 0.8  # shallow
    ds, share = dataset(score), share_of(5)
    by_score = delineate_by(ds, {}, Settings(share=share, weights={"score": 2, "spread": 1}))
    assert by_score.table["n_cells"].tolist() == [3, 2]
    assert by_score.weights == {"score": 1}
    said = "ranked without spread (a model of one member has none); the weights are score 1."
    assert by_score.notes == (said,)
    by_depth = delineate_by(ds, {}, Settings(share=share, weights={"depth": 1}))
    assert by_depth.table["n_cells"].tolist() == [2, 3]
    assert by_depth.table["ranking"].tolist() == pytest.approx([1, 1 - 400 / 450])
    nothing = delineate_by(ds, {}, Settings(share=share, weights={"distance": 1}))
    assert nothing.weights == {"score": 1}
    ground = np.zeros(GRID.shape[1:])
    ground[0, 0] = np.nan
    partly = delineate_by(ds, {}, Settings(share=share, weights={"score": 1, "depth": 1}), ground=ground)
    assert partly.notes == ("1 body has no value of some term and is ranked by the others.",)
    assert partly.table["ranking"].tolist() == pytest.approx([1, 0.5])


def test_the_nearest_known_deposit_is_measured_between_cell_centres(rng):
    score = low(rng)
    score[2, 2, 2:4] = 0.9
    known = {"near": [[2, 6, 2]], "far": [[8, 10, 12]]}
    (target,) = delineate(dataset(score), known, share=share_of(2)).targets
    assert (target.nearest_deposit, target.distance_m) == ("near", pytest.approx(4 * 25))
    known = {"far": [[8, 10, 12]], "in": [[2, 2, 3], [2, 2, 2]]}
    (target,) = delineate(dataset(score), known, share=1e-9).targets[-1:]
    assert (target.nearest_deposit, target.distance_m, target.kind) == ("in", 0, "known deposit")


def test_cells_of_known_deposits_do_not_count_for_the_threshold_but_are_in_the_zone(rng):
    score = low(rng)
    score[0, 0, 0:5] = 0.99
    score[8, 8, 8] = 0.5
    made = delineate(dataset(score), {"A": [[0, 0, k] for k in range(5)]}, share=1e-9)
    assert made.threshold == 0.5
    assert made.n_zone == 6
    assert [target.kind for target in made.targets] == ["new", "known deposit"]


def test_ties_enter_together_and_many_of_them_are_said():
    score = np.zeros(GRID.shape)
    score[0, 0, :] = 1.0
    made = delineate(dataset(score), {}, share=share_of(2))
    assert made.n_zone == 13
    assert made.notes[0].startswith(
        "many cells tie at the threshold: 1.01% of the eligible volume is in, 0.17"
    )


def test_small_bodies_are_dropped_and_counted(rng):
    score = low(rng)
    score[0, 0, 0:3] = 0.9
    score[5, 5, 5] = 0.9
    made = delineate(dataset(score), {}, share=share_of(4), min_volume=3 * GRID.cell_volume)
    assert [target.n_cells for target in made.targets] == [3]
    assert made.notes[0] == "1 body of less than 75000 m3 left out."
    none = delineate(dataset(score), {}, share=share_of(4), min_volume=3 * GRID.cell_volume + 1)
    assert none.targets == ()
    assert list(none.table.columns) == list(COLUMNS)
    assert none.notes == (
        "2 bodies of less than 75001 m3 left out.",
        "no target is left: the largest body has 75000 m3. A smaller min_volume in [targets] keeps it, a "
        "larger share makes bodies larger.",
    )


def test_depth_is_counted_from_the_ground(rng):
    score = low(rng)
    score[3, 4, 5:7] = 0.9
    ground = np.full(GRID.shape[1:], 100.0)
    ground[4, 6] = 150.0
    (target,) = delineate(dataset(score), {}, share=share_of(2), ground=ground).targets
    # the faces of level 3 lie at -300 and -250 m
    assert (target.depth_top, target.depth_base) == (350, 450)


def test_progress_counts_three_readings(rng):
    seen = []
    delineate(dataset(low(rng)), {}, share=0.1, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(n, 3 * 27) for n in range(1, 82)]


def test_what_cannot_be_delineated_is_refused(rng):
    ds = dataset(low(rng))
    for share in (0, 1, -0.1, 2, float("nan")):
        with pytest.raises(ValueError, match=r"of the volume must lie above 0 and below 1, as 0\.02"):
            delineate(ds, {}, share=share)
    with pytest.raises(ValueError, match="min_volume=-1 m3 is not possible, it must be 0 or more"):
        delineate(ds, {}, share=0.1, min_volume=-1)
    with pytest.raises(ValueError, match="no cell outside the known deposits has a score"):
        delineate(dataset(np.full(GRID.shape, np.nan)), {}, share=0.1)
    one = np.full(GRID.shape, np.nan)
    one[1, 1, 1] = 1
    with pytest.raises(ValueError, match="no cell outside the known deposits has a score"):
        delineate(dataset(one), {"A": [[1, 1, 1]]}, share=0.1)
    with pytest.raises(ValueError, match=r"deposit 'A' has cells outside the grid of \(9, 11, 13\) cells"):
        delineate(ds, {"A": [[9, 0, 0]]}, share=0.1)
    with pytest.raises(ValueError, match=r"the ground has \(3,\) heights, the grid \(11, 13\) columns"):
        delineate(ds, {}, share=0.1, ground=[1, 2, 3])


def test_a_stored_prospectivity_gives_what_the_one_in_memory_gives(tmp_path, rng):
    ds = dataset(rng.random(GRID.shape))
    expected = delineate(ds, {"A": [[1, 2, 3]]}, share=0.05).table
    ds.to_zarr(tmp_path / "p.zarr", zarr_format=3, consolidated=False)
    with cube.open(tmp_path / "p.zarr") as stored:
        found = delineate(stored, {"A": [[1, 2, 3]]}, share=0.05).table
    assert found.equals(expected)


def test_skins_are_closed_face_out_and_hold_exactly_the_cells(rng):
    made = delineate(dataset(rng.random(GRID.shape)), {}, share=0.2)
    skins = surfaces(made.targets, GRID)
    assert len(skins) == len(made.targets) > 3
    points = GRID.points()
    for target, skin in zip(made.targets, skins, strict=True):
        assert skin.is_closed
        assert len(np.unique(skin.vertices, axis=0)) == len(skin.vertices)
        assert volume_of(skin) == pytest.approx(target.volume_m3, rel=1e-9)
        origin = np.array(GRID.corner)[::-1]
        winding = igl.fast_winding_number(
            np.ascontiguousarray(skin.vertices - origin), skin.triangles, points - origin
        )
        inside = np.ravel_multi_index(tuple(target.cells.T), GRID.shape)
        assert set(np.flatnonzero(winding > 0.5)) == set(inside)


def test_the_plan_of_a_body_is_its_cells_seen_from_above(rng):
    for target in delineate(dataset(rng.random(GRID.shape)), {}, share=0.1).targets:
        expected = np.unique(target.cells[:, 1:], axis=0)
        assert np.array_equal(target.plan, np.column_stack([np.zeros(len(expected), int), expected]))


def test_the_skin_of_a_very_large_body_is_of_larger_cells_that_hold_it_and_says_so(rng, monkeypatch):
    monkeypatch.setattr(skins, "_MOST_CELLS", 100)
    monkeypatch.setattr(skins, "_COARSE_BOX", 60)
    score = low(rng)
    score[1:8, 2:9, 1:12] = 0.9
    score[0, 0, 0] = 0.8
    made = delineate(dataset(score), {}, share=share_of(540))
    found = surfaces(made.targets, GRID)
    small, large = found  # the zone is listed last
    # 7 x 7 x 11 cells are 3 x 3 x 4 of 3 x 3 x 3, the last of each row cut short at the end of the body
    assert large.is_closed
    assert volume_of(large) == pytest.approx(made.targets[1].volume_m3, rel=1e-9)
    assert large.bounds == (500_020, 4_000_050, -400, 500_240, 4_000_225, -50)
    assert len(large.triangles) == 2 * 2 * (3 * 3 + 3 * 4 + 3 * 4)
    words = "Z1 has 539 cells: its surface is drawn around cells of 60 x 75 x 150 m that hold some of it."
    assert found.notes[0].startswith(words)
    assert large.notes[1] == found.notes[0]
    assert len(found.notes) == len(small.notes) == 1
    assert volume_of(found[:1][0]) == pytest.approx(GRID.cell_volume)


def test_a_skin_carries_name_rank_and_score(rng):
    score = low(rng)
    score[8, 10, 12] = 0.75
    made = delineate(dataset(score), {}, share=1e-9)
    (skin,) = surfaces(made.targets, GRID)
    assert skin.name == "T01"
    assert (len(skin.vertices), len(skin.triangles)) == (8, 12)
    assert skin.bounds == (500_240, 4_000_250, -50, 500_260, 4_000_275, 0)
    assert set(skin.properties["mean_score"]) == {0.75}
    assert set(skin.properties["rank"]) == {1.0}
    assert list(surfaces([], GRID)) == []


def test_the_table_is_written_whole_in_utf8_with_the_columns_agreed_on(tmp_path, rng):
    score = low(rng)
    score[1, 1, 1:3] = 0.9
    made = delineate(dataset(score), {"Ängsgruvan": [[1, 1, 1]]}, share=1e-9)
    path = write_table(tmp_path / "run" / "targets.csv", made.table)
    text = path.read_bytes().decode("utf-8")
    assert text.startswith("id,rank,x,y,elevation,volume_m3,kind,")
    (row,) = csv.DictReader(text.splitlines())
    assert row["deposit"] == "Ängsgruvan"
    assert (row["x"], row["y"], row["elevation"]) == ("500040", "4000037.5", "-375")
    assert row["note"] == "Conceptual, for planning exploration; not a resource estimate."
    assert [p.name for p in path.parent.iterdir()] == ["targets.csv"]


def test_the_benchmark_finds_the_same_by_blocks_as_in_one_piece_and_leaves_nothing(tmp_path):
    script = Path(__file__).parent.parent / "pipelines" / "bench_targets.py"
    words = ["--json", "--shape", "20", "30", "40", "--chunk", "12", "--folder", str(tmp_path)]
    result = subprocess.run([sys.executable, str(script), *words], capture_output=True, text=True, check=True)
    found = json.loads(result.stdout)
    assert (found["cells"], found["same"]) == (24000, True)
    assert found["targets"] > 0
    assert list(tmp_path.iterdir()) == []
