from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, brier_score_loss, roc_curve

from mpm3d.evaluate import (
    PACurve,
    agreement,
    auc,
    average_precision,
    brier,
    capture,
    capture_curve,
    crossing,
    interval,
    pa_curve,
    reliability,
    volume_ranks,
    youden,
)

some = st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, -np.inf, np.inf])
maybe = st.one_of(some, st.just(np.nan))
positives = st.lists(maybe, min_size=1, max_size=12)
weighted = st.lists(st.tuples(maybe, st.integers(0, 4)), min_size=1, max_size=15).filter(
    lambda pairs: any(w > 0 and not np.isnan(s) for s, w in pairs)
)
samples = st.lists(
    st.tuples(st.integers(0, 1), st.one_of(st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 1.0]), st.floats(0, 1))),
    min_size=1,
    max_size=60,
)
ranked = st.dictionaries(
    st.sampled_from("ABC"), st.lists(st.integers(0, 20), min_size=1, max_size=12), min_size=1
)


def apart(pairs):
    return [score for score, _ in pairs], [weight for _, weight in pairs]


@given(positives, weighted)
def test_average_precision_is_the_mean_precision_at_each_deposit_cell(scores, pairs):
    def precision(at):
        if np.isnan(at):  # worst of all, so everything is called
            called = len(scores)
            wrong = sum(w for s, w in pairs if not np.isnan(s))
        else:
            called = sum(s >= at for s in scores)
            wrong = sum(w for s, w in pairs if s >= at)
        return called / (called + wrong)

    reference, weights = apart(pairs)
    expected = np.mean([precision(s) for s in scores])
    assert average_precision(scores, reference, weights=weights) == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.integers(0, 6), min_size=1), st.lists(st.integers(0, 6), min_size=1), st.data())
def test_average_precision_equals_sklearn_with_sample_weights(scores, reference, data):
    weights = data.draw(
        st.lists(st.floats(0.5, 9), min_size=len(reference), max_size=len(reference)), label="weights"
    )
    labels = [1] * len(scores) + [0] * len(reference)
    for given_weights in (None, weights):
        sample_weight = None if given_weights is None else [1.0] * len(scores) + given_weights
        expected = average_precision_score(labels, scores + reference, sample_weight=sample_weight)
        found = average_precision(scores, reference, weights=given_weights)
        assert found == pytest.approx(expected, abs=1e-12)


def test_average_precision_of_chance_is_the_share_of_deposit_cells(rng):
    assert average_precision([1.0] * 25, [1.0] * 75) == 0.25
    found = average_precision(rng.random(2_000), rng.random(18_000))
    assert found == pytest.approx(0.1, abs=0.02)


@given(positives, weighted)
def test_youden_is_the_best_of_the_scores_of_the_positives_and_the_highest_of_equals(scores, pairs):
    reference, weights = apart(pairs)
    known = [s for s in scores if not np.isnan(s)]
    if not known:
        with pytest.raises(ValueError, match="positives has a score, so there is no threshold"):
            youden(scores, reference, weights=weights)
        return
    total = sum(w for s, w in pairs if not np.isnan(s))

    def gain(at):  # times both totals, so that it is a whole number
        return sum(s >= at for s in scores) * total - sum(w for s, w in pairs if s >= at) * len(scores)

    best = max(gain(s) for s in known)
    assert youden(scores, reference, weights=weights) == max(s for s in known if gain(s) == best)


def test_youden_reaches_the_greatest_difference_of_the_roc_curve_of_sklearn(rng):
    scores, reference = rng.normal(1, 1, 80), rng.normal(0, 1, 500)
    wrong, right, threshold = roc_curve([1] * 80 + [0] * 500, np.concatenate([scores, reference]))
    assert youden(scores, reference) == threshold[np.argmax(right - wrong)]


def test_measures_against_a_volume_refuse_what_has_no_answer():
    for function in (average_precision, youden):
        with pytest.raises(ValueError, match="there is no positive, at least one scored deposit cell"):
            function([], [0.5])
        with pytest.raises(ValueError, match="the reference holds no score, so nothing can be ranked"):
            function([0.5], [np.nan])
        with pytest.raises(ValueError, match="1 weights for 2 reference scores, one each is needed"):
            function([0.5], [0.5, 0.1], weights=[1.0])


@given(samples)
def test_brier_equals_sklearn(pairs):
    labels, scores = map(np.array, zip(*pairs, strict=True))
    assert brier(labels, scores) == pytest.approx(brier_score_loss(labels, scores, pos_label=1), abs=1e-12)


@given(samples, st.integers(1, 12))
def test_reliability_equals_sklearn_and_counts_every_sample_once(pairs, bins):
    labels, scores = map(np.array, zip(*pairs, strict=True))
    found = reliability(labels, scores, bins=bins)
    assert found.n.sum() == len(labels)
    assert (found.n * found.observed).sum() == pytest.approx(labels.sum())
    if len(set(labels)) == 2:  # sklearn wants both classes
        observed, predicted = calibration_curve(labels, scores, n_bins=bins)
        np.testing.assert_allclose(found.observed, observed, atol=1e-12)
        np.testing.assert_allclose(found.predicted, predicted, atol=1e-12)


def test_reliability_of_a_calibrated_score_lies_on_the_diagonal(rng):
    scores = rng.random(200_000)
    found = reliability(rng.random(200_000) < scores, scores)
    np.testing.assert_allclose(found.observed, found.predicted, atol=0.02)


def test_probabilities_refuse_what_is_none():
    for function in (brier, reliability):
        with pytest.raises(ValueError, match="3 labels and 2 scores, there must be one score per label"):
            function([0, 1, 1], [0.1, 0.2])
        with pytest.raises(ValueError, match="there is no sample to judge, at least one is needed"):
            function([], [])
        with pytest.raises(ValueError, match="a label is 2, labels are 1 for deposit and 0 for background"):
            function([0, 2], [0.1, 0.2])
        with pytest.raises(ValueError, match=r"1 of 2 scores are no probability \(the first is 4.5\)"):
            function([0, 1], [0.1, 4.5])
        with pytest.raises(ValueError, match=r"the first is nan\).* of kind 'probability' only"):
            function([0, 1], [0.1, np.nan])
    with pytest.raises(ValueError, match="bins=0 must be at least 1"):
        reliability([0, 1], [0.1, 0.9], bins=0)


@given(ranked)
def test_the_capture_curve_is_a_plain_count_at_every_distinct_rank(counts):
    ranks = {name: [k / 20 for k in values] for name, values in counts.items()}
    found = capture_curve(ranks)
    pooled = [r for values in ranks.values() for r in values]
    assert found.volume.tolist() == sorted({0.0, 1.0, *pooled})
    for i, v in enumerate(found.volume):
        shares = [sum(r <= v for r in values) / len(values) for values in ranks.values()]
        assert found.captured[i] == pytest.approx(sum(shares) / len(shares), abs=1e-12)
        assert found.captured_cells[i] == pytest.approx(sum(r <= v for r in pooled) / len(pooled), abs=1e-12)


@given(ranked)
def test_capture_p_a_and_auc_tell_of_one_curve(counts):
    ranks = {name: np.array(values) / 20 for name, values in counts.items()}
    curve, other = capture_curve(ranks), pa_curve(ranks)
    assert isinstance(other, PACurve)
    assert other.deposits == tuple(ranks)
    for name in ("volume", "captured", "captured_cells"):
        np.testing.assert_array_equal(getattr(curve, name), getattr(other, name))
    table = capture(ranks, curve.volume.tolist())
    np.testing.assert_array_equal(table.deposits, curve.captured)
    np.testing.assert_array_equal(table.cells, curve.captured_cells)
    # the area under the step function is one minus the mean rank
    area = np.sum(np.diff(curve.volume) * curve.captured[:-1])
    assert area == pytest.approx(auc(ranks).deposits, abs=1e-12)


def test_the_capture_curve_refuses_no_deposit():
    with pytest.raises(ValueError, match="no deposit was ranked, at least one is needed"):
        capture_curve({})


@given(positives, weighted)
def test_ranks_count_what_scores_higher_whatever_is_missing_infinite_or_weighted(scores, pairs):
    reference, weights = apart(pairs)
    total = sum(w for s, w in pairs if not np.isnan(s))
    expected = [
        1.0 if np.isnan(s) else sum(w * ((r > s) + (r == s) / 2) for r, w in pairs) / total for s in scores
    ]
    np.testing.assert_allclose(volume_ranks(scores, reference, weights=weights), expected, atol=1e-12)


@settings(max_examples=200)
@given(
    st.lists(st.integers(0, 20), min_size=2, max_size=8, unique=True),
    st.lists(st.integers(0, 20), min_size=8, max_size=8),
)
def test_every_change_of_sides_of_a_curve_is_a_crossing_whether_it_rises_or_falls(places, shares):
    volume, captured = sorted(places), shares[: len(places)]
    found, before = [], False
    for half in range(2 * volume[0], 2 * volume[-1] + 1):  # fortieths: every change of sides is at one
        share = captured[max(i for i, v in enumerate(volume) if 2 * v <= half)]
        ahead = 2 * share >= 40 - half
        if ahead != before and half < 40:
            found.append((half / 40, share / 20))
        before = ahead
    arrays = np.array(volume) / 20, np.array(captured) / 20
    answer = crossing(PACurve(arrays[0], arrays[1], arrays[1]))
    if not found:
        assert answer is None
    else:
        assert (answer.volume, answer.captured) == pytest.approx(found[0], abs=1e-9)
        assert answer.n_crossings == len(found)
        assert answer.density == (pytest.approx(answer.captured / answer.volume) if answer.volume else np.inf)


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.one_of(st.integers(0, 9), st.just(np.nan))), min_size=0, max_size=30
    )
)
def test_agreement_is_the_correlation_of_ranks_over_cells_that_both_score(pairs):
    one, two = (np.array([pair[k] for pair in pairs], dtype=float) for k in (0, 1))
    found = agreement({"a": one, "b": two, "c": -one})
    assert list(found) == [("a", "b"), ("a", "c"), ("b", "c")]
    both = ~np.isnan(two)
    if len(set(one[both])) < 2 or len(set(two[both])) < 2:
        assert np.isnan(found["a", "b"])
    else:
        expected = np.corrcoef(rankdata(one[both]), rankdata(two[both]))[0, 1]
        assert found["a", "b"] == pytest.approx(expected, abs=1e-9)
        assert found["b", "c"] == pytest.approx(-expected, abs=1e-9)
    if len(set(one)) > 1:
        assert found["a", "c"] == -1


def test_agreement_refuses_scores_of_different_cells_and_has_nothing_to_say_of_one_model():
    with pytest.raises(ValueError, match=r"different numbers of cells \(forest 2, dl4 3\)"):
        agreement({"forest": [1, 2], "dl4": [1, 2, 3]})
    assert agreement({"forest": [1, 2]}) == {}


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_an_interval_is_mean_and_quantiles_of_numpy(values):
    expected = (np.mean(values), np.quantile(values, 0.05), np.quantile(values, 0.95))
    assert interval(values) == pytest.approx(expected, rel=1e-9, abs=1e-6)
    assert interval([*values, np.nan]) == interval(values)


def test_an_interval_of_one_value_has_no_width_to_show():
    assert interval([0.7])[0] == 0.7
    assert np.isnan(interval([0.7])[1:]).all()
    assert np.isnan(interval([np.nan])).all()
    assert interval([1.0, np.inf, np.inf])[2] == np.inf
    with pytest.raises(ValueError, match="there is no value to average, at least one repeat is needed"):
        interval([])
