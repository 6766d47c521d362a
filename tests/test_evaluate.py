from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from mpm3d.evaluate import (
    PACurve,
    auc,
    capture,
    classification,
    crossing,
    cut_volume,
    draw_pa_curve,
    pa_curve,
    percentiles,
    volume_ranks,
)

numbers = st.one_of(
    st.floats(width=32, allow_infinity=False), st.sampled_from([0.0, -0.0, 1.0, 0.5, -0.5, 1e-40, np.nan])
)
blockwise = st.lists(st.lists(numbers, max_size=12), min_size=1, max_size=6)
coarse = st.lists(st.integers(0, 6), min_size=1, max_size=40)


def slow_ranks(scores, reference):
    found = []
    pool = [r for r in reference if not np.isnan(r)]
    for s in scores:
        higher = sum(r > s for r in pool) + sum(r == s for r in pool) / 2
        found.append(1.0 if np.isnan(s) else higher / len(pool))
    return found


def test_classification_equals_sklearn_on_tied_scores(rng):
    labels = rng.integers(0, 2, 200)
    scores = rng.integers(0, 10, 200) / 10
    found = classification(labels, scores, threshold=0.4)
    assert found == {
        "accuracy": accuracy_score(labels, scores >= 0.4),
        "auc": roc_auc_score(labels, scores),
        "f1": f1_score(labels, scores >= 0.4),
    }


def test_classification_refuses_what_has_no_answer():
    with pytest.raises(ValueError, match="3 labels and 2 scores, there must be one score per label"):
        classification([0, 1, 1], [0.1, 0.2])
    with pytest.raises(ValueError, match=r"1 of 2 scores are missing \(NaN\). Leave those samples out"):
        classification([0, 1], [0.1, np.nan])
    with pytest.raises(ValueError, match="2 deposit and 0 background samples, at least one of each"):
        classification([1, 1], [0.1, 0.2])


@given(coarse, coarse)
def test_ranks_equal_a_plain_count_with_ties_at_the_middle(scores, reference):
    found = volume_ranks(scores, reference)
    np.testing.assert_allclose(found, slow_ranks(scores, reference), atol=1e-12)


@given(coarse, st.lists(st.tuples(st.integers(0, 6), st.integers(1, 4)), min_size=1, max_size=20))
def test_a_weight_stands_for_that_many_cells(scores, pairs):
    pool = [value for value, _ in pairs]
    weights = [weight for _, weight in pairs]
    expected = volume_ranks(scores, np.repeat(pool, weights))
    np.testing.assert_allclose(volume_ranks(scores, pool, weights=weights), expected, atol=1e-12)


def test_a_missing_score_is_worst_and_a_missing_reference_is_not_eligible():
    ranks = volume_ranks([np.nan, 5.0, 0.0], [np.nan, 1.0, np.nan, 9.0])
    assert ranks.tolist() == [1.0, 0.5, 1.0]


def test_ranks_refuse_an_empty_reference_and_odd_weights():
    with pytest.raises(ValueError, match="the reference holds no score, so nothing can be ranked"):
        volume_ranks([1.0], [np.nan, np.nan])
    with pytest.raises(ValueError, match="1 weights for 2 reference scores, one each is needed"):
        volume_ranks([1.0], [0.0, 1.0], weights=[1.0])
    with pytest.raises(ValueError, match="none below 0"):
        volume_ranks([1.0], [0.0, 1.0], weights=[1.0, -1.0])


@given(blockwise, st.floats(0.001, 1))
def test_the_cut_of_a_volume_is_the_score_of_the_last_cell_of_the_share(blocks, share):
    scores = np.concatenate([np.array(block, np.float32) for block in blocks])
    best = np.sort(scores[~np.isnan(scores)])[::-1]
    found = cut_volume(lambda: blocks, share)
    if not len(best):
        assert found is None
    else:
        assert (np.float32(found.threshold), found.n) == (
            best[max(1, round(share * len(best))) - 1],
            len(best),
        )


def test_the_cut_of_a_volume_refuses_a_share_that_is_none():
    for share in (0.0, 1.5, np.nan):
        with pytest.raises(ValueError, match="of the volume must lie above 0 and at most be 1"):
            cut_volume(lambda: [[1.0]], share)


@pytest.mark.parametrize("limit", [1, 40, 1 << 22])
def test_percentiles_of_a_volume_are_mid_ranks_however_few_are_sorted_at_once(rng, limit):
    score = np.round(rng.normal(size=(5, 6, 7)), 1).astype(np.float32)
    score[rng.random(score.shape) < 0.2] = np.nan
    cuts = [np.s_[z : z + 2, y : y + 4, 0:7] for z in (0, 2, 4) for y in (0, 4)]
    found = percentiles(lambda: ((cut, score[cut]) for cut in cuts), score.shape, limit=limit)
    known = ~np.isnan(score)
    expected = np.full(score.shape, np.nan, np.float32)
    expected[known] = (rankdata(score[known]) - 0.5) / known.sum() * 100
    np.testing.assert_array_equal(found, expected)


def test_percentiles_go_to_the_array_of_a_store_block_by_block(rng):
    class Store:  # hands out copies, as an array on disk does
        def __init__(self, shape):
            self.values = np.full(shape, np.nan, np.float32)

        def __getitem__(self, window):
            return self.values[window].copy()

        def __setitem__(self, window, part):
            self.values[window] = part

    score = rng.integers(0, 9, (4, 3, 5)).astype(np.float32)
    cuts = [np.s_[0:2, 0:3, 0:5], np.s_[2:4, 0:3, 0:5]]
    store = Store(score.shape)
    found = percentiles(lambda: ((cut, score[cut]) for cut in cuts), score.shape, limit=7, out=store)
    assert found is store
    expected = ((rankdata(score) - 0.5) / score.size * 100).reshape(score.shape)
    np.testing.assert_array_equal(store.values, expected.astype(np.float32))


def test_percentiles_of_a_volume_without_a_score_are_missing():
    found = percentiles(lambda: [(np.s_[0:1, 0:1, 0:2], np.full((1, 1, 2), np.nan))], (1, 1, 2))
    assert np.isnan(found).all()


def test_auc_from_ranks_equals_sklearn_pooled_and_by_deposit(rng):
    reference = rng.integers(0, 30, 500).astype(float)
    cells = {"A": rng.integers(10, 40, 30).astype(float), "B": rng.integers(0, 30, 7).astype(float)}
    found = auc({name: volume_ranks(values, reference) for name, values in cells.items()})
    one = {
        name: roc_auc_score([1] * len(values) + [0] * 500, np.concatenate([values, reference]))
        for name, values in cells.items()
    }
    assert found.each == pytest.approx(one, abs=1e-12)
    assert found.deposits == pytest.approx(np.mean(list(one.values())), abs=1e-12)
    everything = np.concatenate([*cells.values(), reference])
    assert found.cells == pytest.approx(roc_auc_score([1] * 37 + [0] * 500, everything), abs=1e-12)


def test_capture_counts_cells_at_or_below_each_share(rng):
    ranks = {"A": rng.integers(0, 100, 50) / 100, "B": rng.integers(0, 100, 4) / 100, "C": [0.02]}
    shares = [0.01, 0.02, 0.05, 0.1, 1.0]
    found = capture(ranks, shares)
    for k, share in enumerate(shares):
        inside = {name: sum(r <= share for r in values) for name, values in ranks.items()}
        means = [inside[name] / len(ranks[name]) for name in ranks]
        assert found.deposits[k] == pytest.approx(np.mean(means))
        assert found.cells[k] == pytest.approx(sum(inside.values()) / 55)
        assert [found.each[name][k] for name in ranks] == pytest.approx(means)


def test_the_curve_is_the_share_captured_at_every_distinct_rank(rng):
    ranks = {"A": rng.integers(0, 20, 30) / 20, "B": rng.integers(0, 20, 5) / 20}
    curve = pa_curve(ranks)
    assert np.all(np.diff(curve.volume) > 0)
    assert set(np.concatenate(list(ranks.values()))) <= set(curve.volume)
    assert (curve.volume[0], curve.volume[-1]) == (0.0, 1.0)
    for v, captured, cells in zip(curve.volume, curve.captured, curve.captured_cells, strict=True):
        assert captured == pytest.approx(np.mean([np.mean(r <= v) for r in ranks.values()]))
        assert cells == pytest.approx(np.mean(np.concatenate(list(ranks.values())) <= v))
    assert curve.deposits == ("A", "B")


def test_curves_refuse_no_deposit_no_cell_and_no_rank():
    for function in (auc, capture, pa_curve):
        with pytest.raises(ValueError, match="no deposit was ranked, at least one is needed"):
            function({})
        with pytest.raises(
            ValueError, match=r"deposit 'A' has no ranked cell\. Leave it out or give it cells"
        ):
            function({"A": []})
        with pytest.raises(ValueError, match="deposit 'A' has rank 7, ranks are shares of the volume from 0"):
            function({"A": [0.1, 7]})
        with pytest.raises(ValueError, match="rank nan"):
            function({"A": [np.nan]})
    with pytest.raises(ValueError, match=r"shares \[2.0\] of the volume must lie between 0 and 1"):
        capture({"A": [0.1]}, [2])


@settings(max_examples=200)
@given(
    st.dictionaries(st.sampled_from("ABC"), st.lists(st.integers(0, 50), min_size=1, max_size=12), min_size=1)
)
def test_the_crossing_is_the_smallest_volume_where_captured_reaches_what_is_left_out(counts):
    ranks = {name: np.array(values) / 50 for name, values in counts.items()}
    found = crossing(pa_curve(ranks))

    def captured(v):
        return np.mean([np.mean(r <= v + 1e-12) for r in ranks.values()])

    # captured only changes at a multiple of 1/50, and it equals one of its own values where it meets 1 - v
    steps = sorted({k / 50 for k in range(51)} | {1 - captured(k / 50) for k in range(51)})
    first = next(v for v in steps if captured(v) >= 1 - v - 1e-12)
    if first >= 1 - 1e-9:
        assert found is None
    else:
        assert found is not None
        assert found.volume == pytest.approx(first, abs=1e-9)
        assert found.captured == pytest.approx(captured(first), abs=1e-9)
        assert found.n_crossings == 1


def test_a_crossing_on_a_step_takes_what_the_step_brings_in():
    found = crossing(pa_curve({"A": [0.3, 0.3, 0.3]}))
    assert (found.volume, found.captured, found.density) == pytest.approx((0.3, 1.0, 1 / 0.3))
    # 1 - 0.8 is 0.19999999999999996, and yet the line is met at the step to 0.2
    found = crossing(pa_curve({"A": [0.0, 0.0, 0.0, 0.0, 0.2]}))
    assert (found.volume, found.captured) == (0.2, 1.0)


def test_deposits_and_cells_may_cross_apart():
    curve = pa_curve({"A": [0.1] * 9, "B": [0.9]})
    assert crossing(curve).volume == pytest.approx(0.5)
    assert crossing(curve, by="cells").volume == pytest.approx(0.1)


def test_a_deposit_above_every_cell_crosses_at_no_volume_with_infinite_density():
    found = crossing(pa_curve({"A": [0.0]}))
    assert (found.volume, found.density) == (0.0, np.inf)


def test_no_crossing_is_none():
    assert crossing(pa_curve({"A": [1.0, 1.0]})) is None
    short = PACurve(np.array([0.0, 0.2]), np.array([0.0, 0.1]), np.array([0.0, 0.1]))
    assert crossing(short) is None


def test_of_several_crossings_the_smallest_volume_is_taken_and_they_are_counted():
    volume = np.array([0.0, 0.2, 0.4, 0.7])
    captured = np.array([0.0, 0.9, 0.3, 0.9])
    found = crossing(PACurve(volume, captured, captured))
    assert (found.volume, found.captured, found.n_crossings) == (0.2, 0.9, 3)


def test_crossing_refuses_unknown_words_and_descending_volumes():
    curve = pa_curve({"A": [0.5]})
    with pytest.raises(ValueError, match="by='area' is not known, use 'deposits' or 'cells'"):
        crossing(curve, by="area")
    upside = PACurve(curve.volume[::-1], curve.captured, curve.captured_cells)
    with pytest.raises(ValueError, match="the volumes of a P-A curve must ascend"):
        crossing(upside)


def test_the_picture_is_written_and_titled_by_what_was_left_out(tmp_path, rng):
    curves = {"forest": pa_curve({"A": rng.random(40) ** 4, "B": rng.random(9) ** 3, "C": [0.02]})}
    path = draw_pa_curve(curves, tmp_path / "figures" / "pa.svg", left_out=True)
    text = path.read_text(encoding="utf-8")
    assert "deposits left out of training" in text
    assert "not a resource estimate" in text
    inside = draw_pa_curve(curves, tmp_path / "in.svg", left_out=False)
    assert "IN-SAMPLE" in inside.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="there is no P-A curve to draw, give at least one"):
        draw_pa_curve({}, path, left_out=True)
