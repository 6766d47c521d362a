"""Training domain, agreement and calibration: known answers, and slow, obvious implementations as oracles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from mpm3d import uncertainty
from mpm3d.uncertainty import Calibration, Domain

LAYERS = ("density", "distance", "noise")
Rng = np.random.Generator


def domain_of(rng: Rng, n: int = 200) -> tuple[Domain, np.ndarray]:
    cells = (rng.normal(size=(n, 3)) * (0.1, 500, 1) + (2.7, 900, 0)).astype(np.float32)
    return Domain.learn(cells, LAYERS, rng=rng), cells


def test_a_cell_beyond_the_training_range_is_flagged_by_each_layer_that_is(rng: Rng) -> None:
    domain, cells = domain_of(rng)
    middle = cells.mean(axis=0)
    just = np.nextafter(cells.max(axis=0), np.float32(np.inf))  # the next number above the range
    values = np.stack([middle, cells.max(axis=0), [just[0], *middle[1:]], just], axis=1)
    assert domain.outside(values).tolist() == [0, 0, 1, 3]
    assert domain.outside(values).dtype == np.uint8
    assert domain.beyond(values)[:, 2].tolist() == [True, False, False]


def test_a_training_cell_has_novelty_zero_and_a_far_one_above_one(rng: Rng) -> None:
    domain, cells = domain_of(rng)
    assert domain.novelty(cells.T).tolist() == [0.0] * len(cells)
    far = cells.mean(axis=0) + 20 * cells.std(axis=0)
    assert domain.novelty(far[:, None])[0] > 10
    # a combination that is new though each value is not: the corner of the ranges
    corner = cells.max(axis=0)[:, None]
    outside, novelty = domain.outside(corner), domain.novelty(corner)
    assert outside[0] == 0
    assert domain.extrapolates(outside, novelty).tolist() == [True]


def test_novelty_is_that_of_a_plain_loop(rng: Rng) -> None:
    domain, cells = domain_of(rng, n=60)
    values = np.float32(rng.normal(size=(40, 3)) * (0.2, 900, 2) + (2.7, 900, 0))
    mean, std = cells.astype(float).mean(axis=0), cells.astype(float).std(axis=0)
    scaled = (cells - mean) / std

    def nearest(row: np.ndarray, others: np.ndarray) -> float:
        return min(float(np.sqrt(((row - other) ** 2).sum())) for other in others)

    apart = [nearest(row, np.delete(scaled, k, axis=0)) for k, row in enumerate(scaled)]
    expected = [nearest((row - mean) / std, scaled) / np.quantile(apart, 0.95) for row in values]
    np.testing.assert_allclose(domain.novelty(values.T), expected, rtol=1e-6)


def test_noise_like_the_training_cells_is_seldom_flagged(rng: Rng) -> None:
    domain, _ = domain_of(rng, n=2000)
    fresh = domain_of(rng, n=5000)[1].T
    # a new draw exceeds the range of 2000 with chance 2 / 2001 per layer, and the 95 % distance with 5 %
    assert (domain.outside(fresh) > 0).mean() == pytest.approx(3 * 2 / 2001, abs=0.003)
    assert (domain.novelty(fresh) > 1).mean() == pytest.approx(0.05, abs=0.015)


def test_cells_of_one_deposit_do_not_make_all_other_ground_new(rng: Rng) -> None:
    centres = rng.normal(size=(4, 3)) * 3
    deposits = np.concatenate([centre + rng.normal(scale=0.01, size=(100, 3)) for centre in centres])
    groups = np.repeat(["a", "b", "c", "d"], 100)
    within = Domain.learn(deposits, LAYERS, rng=rng)
    between = Domain.learn(deposits, LAYERS, rng=rng, groups=groups)
    assert within.reach < 0.02 < 0.5 < between.reach
    alone = Domain.learn(deposits[:100], LAYERS, rng=rng, groups=groups[:100])
    assert alone.reach == Domain.learn(deposits[:100], LAYERS, rng=rng).reach


def test_a_missing_value_counts_as_the_training_mean(rng: Rng) -> None:
    domain, cells = domain_of(rng)
    row = cells[0].copy()
    row[1] = np.float32(domain.mean[1])
    gone = row.copy()
    gone[1] = np.nan
    np.testing.assert_allclose(domain.novelty(gone[:, None]), domain.novelty(row[:, None]), atol=1e-6)
    assert domain.outside(np.full((3, 1), np.nan)).tolist() == [0]


def test_pieces_of_a_volume_give_what_the_whole_gives(rng: Rng, monkeypatch: pytest.MonkeyPatch) -> None:
    domain, _ = domain_of(rng)
    volume = rng.normal(size=(3, 7, 6, 5)).astype(np.float32)
    whole = domain.novelty(volume), domain.outside(volume)
    monkeypatch.setattr(uncertainty.domain, "_AT_ONCE", 11)
    np.testing.assert_array_equal(domain.novelty(volume), whole[0])
    np.testing.assert_array_equal(domain.novelty(volume[:, 2:5, :3]), whole[0][2:5, :3])
    np.testing.assert_array_equal(domain.outside(volume[:, 2:5, :3]), whole[1][2:5, :3])


def test_the_sample_is_capped_by_the_seed_and_the_ranges_are_of_all_cells(rng: Rng) -> None:
    cells = rng.normal(size=(500, 3))
    one, two = (Domain.learn(cells, LAYERS, rng=np.random.default_rng(4), most=50) for _ in range(2))
    assert one.sample.shape == (50, 3)
    assert one.n == 500
    np.testing.assert_array_equal(one.sample, two.sample)
    np.testing.assert_array_equal(one.low, cells.astype(np.float32).min(axis=0))


def test_a_layer_that_never_changes_has_no_scale_and_all_equal_cells_no_distance(rng: Rng) -> None:
    domain = Domain.learn(np.full((9, 3), 5.0), LAYERS, rng=rng)
    assert domain.std.tolist() == [1, 1, 1]
    assert domain.reach == 1
    assert domain.novelty([[5.0], [5.0], [7.0]]).tolist() == [2.0]
    assert domain.outside([[5.0], [5.0], [7.0]]).tolist() == [1]


def test_a_domain_comes_back_from_its_file(rng: Rng, tmp_path: Path) -> None:
    domain, _ = domain_of(rng)
    uncertainty.save_domain(tmp_path, domain, "abc")
    assert [path.name for path in tmp_path.iterdir()] == [uncertainty.DOMAIN_NAME]
    found = uncertainty.load_domain(tmp_path, "abc")
    assert (found.layers, found.reach, found.n) == (domain.layers, domain.reach, domain.n)
    for name in ("low", "high", "mean", "std", "sample"):
        np.testing.assert_array_equal(getattr(found, name), getattr(domain, name))
    first = (tmp_path / uncertainty.DOMAIN_NAME).read_bytes()
    uncertainty.save_domain(tmp_path, found, "abc")
    assert (tmp_path / uncertainty.DOMAIN_NAME).read_bytes() == first


def test_a_domain_of_another_model_or_a_broken_one_is_refused(rng: Rng, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"domain.safetensors is missing, so nobody knows .* Fit again"):
        uncertainty.load_domain(tmp_path, "abc")
    uncertainty.save_domain(tmp_path, domain_of(rng)[0], "a" * 64)
    with pytest.raises(ValueError, match=r"belongs to the model aaaaaaaaaaaa…, and the folder holds bbb"):
        uncertainty.load_domain(tmp_path, "b" * 64)
    path = tmp_path / uncertainty.DOMAIN_NAME
    whole = path.read_bytes()
    for broken in (whole[: len(whole) // 2], b"", b"{}", b"\xff" * 64):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match=r"is not a readable training domain"):
            uncertainty.load_domain(tmp_path, "a" * 64)


def test_forged_arrays_are_refused(rng: Rng, tmp_path: Path) -> None:
    from dataclasses import replace

    domain, _ = domain_of(rng)
    for forged in (
        replace(domain, reach=-1.0),
        replace(domain, std=np.zeros(3)),
        replace(domain, sample=domain.sample[:, :2]),
        replace(domain, low=np.zeros(5, np.float32)),
        replace(domain, mean=np.full(3, np.nan)),
    ):
        uncertainty.save_domain(tmp_path, forged, "abc")
        with pytest.raises(ValueError, match=r"holds arrays that do not fit its 3 layers"):
            uncertainty.load_domain(tmp_path, "abc")


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (np.zeros((5, 2)), r"shape \(5, 2\) and 5 groups do not fit 3 layers"),
        (np.zeros((1, 3)), r"1 training cell spans no domain"),
        (np.full((5, 3), np.inf), r"infinite values. Mark missing values with NaN"),
        (np.array([[1, np.nan, 2], [2, np.nan, 3]]), r"no training cell has a value of 'distance'"),
    ],
)
def test_cells_that_span_no_domain_are_refused(cells: np.ndarray, words: str, rng: Rng) -> None:
    with pytest.raises(ValueError, match=words):
        Domain.learn(cells, LAYERS, rng=rng)


def test_values_of_other_layers_are_refused(rng: Rng) -> None:
    with pytest.raises(ValueError, match=r"do not fit the 3 layers of the training domain: 'density'"):
        domain_of(rng)[0].novelty(np.zeros((2, 5)))


def test_agreement_and_the_spread_of_ranks_are_those_of_hand_counts() -> None:
    percentiles = [[99.5, 98.1, 50, np.nan], [98.0, 97.9, 60, 99], [99.0, 99.0, 40, 99]]
    np.testing.assert_allclose(uncertainty.agreement(percentiles, 0.02), [1, 2 / 3, 0, np.nan])
    spread = uncertainty.rank_spread(percentiles)
    np.testing.assert_allclose(spread[2], np.sqrt(200 / 3), rtol=1e-6)
    assert np.isnan(spread[3])
    with pytest.raises(ValueError, match=r"1 model agrees with itself only"):
        uncertainty.agreement([[1.0, 2.0]], 0.02)
    with pytest.raises(ValueError, match=r"share=1 of the volume"):
        uncertainty.agreement(percentiles, 1)


def slow_venn_abers(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray, test: float) -> list[float]:
    """Two isotonic regressions for one test score, as the definition says."""
    found = []
    for label in (0, 1):
        fitted = IsotonicRegression(y_min=0, y_max=1).fit(
            np.append(scores, test), np.append(labels, label), sample_weight=np.append(weights, 1.0)
        )
        found.append(float(fitted.predict([test])[0]))
    return found


@pytest.mark.parametrize("weighted", [False, True])
def test_venn_abers_is_two_isotonic_regressions_per_test_score(weighted: bool, rng: Rng) -> None:
    for _ in range(25):
        n = int(rng.integers(2, 30))
        scores = rng.integers(0, rng.integers(2, 40), n) / 7  # with ties
        labels = (np.arange(n) < rng.integers(1, n)).astype(int)[rng.permutation(n)]
        weights = rng.choice([0.2, 1, 3, 50.0], n) if weighted else np.ones(n)
        found = uncertainty.calibrate(scores, labels, weights=weights, method="venn-abers")
        test = np.concatenate([np.unique(scores), rng.random(4) * scores.max(), [-1, 99]])
        low, high = found.interval(test)
        expected = np.array([slow_venn_abers(scores, labels, weights, one) for one in test])
        np.testing.assert_allclose(np.stack([low, high], axis=1), expected, atol=1e-9)
        assert (low <= high).all()
        chance = found.apply(np.sort(test))
        assert (np.diff(chance) >= -1e-12).all()
        assert ((chance > 0) & (chance < 1)).all()  # never sure


def test_venn_abers_of_one_ore_and_one_barren_cell_is_the_known_answer() -> None:
    steps, low, high = uncertainty.venn_abers([1.0, 2.0], [0, 1])
    assert steps.tolist() == [1, 2]
    # a test cell at 2 with label 0: ore and barren share 1/2; at 1 with label 1 the same
    assert low.tolist() == [0, 0.5]
    assert high.tolist() == [0.5, 1]


def test_isotonic_is_that_of_scikit_learn_rises_and_is_clipped(rng: Rng) -> None:
    scores = rng.normal(size=300)
    labels = (rng.random(300) < 1 / (1 + np.exp(-scores))).astype(int)
    found = uncertainty.calibrate(scores, labels)
    test = np.linspace(-9, 9, 500)
    oracle = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(scores, labels)
    np.testing.assert_allclose(found.apply(test), oracle.predict(test), atol=1e-12)
    assert (np.diff(found.apply(test)) >= 0).all()
    assert np.isnan(found.apply([np.nan])).all()
    assert found.prevalence == pytest.approx(labels.mean())


@pytest.mark.parametrize("method", uncertainty.METHODS)
def test_chances_of_many_cells_are_the_true_ones(method: str, rng: Rng) -> None:
    scores = rng.random(20_000)
    labels = (rng.random(20_000) < scores**2).astype(int)
    found = uncertainty.calibrate(scores, labels, method=method)
    test = np.linspace(0.05, 0.95, 19)
    np.testing.assert_allclose(found.apply(test), test**2, atol=0.06)  # three times the noise of a step


@pytest.mark.parametrize("method", uncertainty.METHODS)
def test_a_calibration_comes_back_from_json(method: str) -> None:
    found = uncertainty.calibrate([1, 2, 3, 4.0], [0, 1, 0, 1], method=method)
    again = Calibration.from_json(found.to_json())
    test = np.array([0, 1, 1.5, 2.5, 3.5, 9, np.nan])
    np.testing.assert_array_equal(again.apply(test), found.apply(test))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"method": 1}'])
def test_text_that_is_no_calibration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"this is not a calibration"):
        Calibration.from_json(text)


def test_a_calibration_that_does_not_rise_is_refused() -> None:
    text = uncertainty.calibrate([1, 2.0], [0, 1]).to_json().replace("[1.0, 2.0]", "[2.0, 1.0]")
    with pytest.raises(ValueError, match=r"its steps do not rise"):
        Calibration.from_json(text)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"scores": [1, 2], "labels": [0, 0]},
            r"labels are \[0\], ore \(1\) and barren \(0\) are both needed",
        ),
        ({"scores": [1, np.nan], "labels": [0, 1]}, r"1 scores are not finite"),
        ({"scores": [1, 2], "labels": [0]}, r"shapes \(2,\), \(1,\)"),
        ({"scores": [1, 2], "labels": [0, 1], "weights": [1, 0]}, r"weights are not all above 0"),
        ({"scores": [1, 2], "labels": [0, 1], "method": "platt"}, r"'platt' is not known, use any of"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(given: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        uncertainty.calibrate(**given)


@pytest.mark.parametrize("method", uncertainty.METHODS)
def test_ore_in_the_best_hundredth_has_its_share_of_that_hundredth(method: str) -> None:
    # two left-out deposits of 200 cells, evenly in the best 1 % of 100,000 cells: 200 of 1000 there
    ranks = {name: (np.arange(200) + 0.5) / 200 * 0.01 for name in ("a", "b")}
    found = uncertainty.calibrate_ranks(ranks, population=100_000, method=method)
    assert found.prevalence == pytest.approx(200 / 100_000, rel=1e-6)
    np.testing.assert_allclose(found.apply(1 - np.array([0.001, 0.005])), 0.2, rtol=0.03)
    assert found.apply(0.5) < 1e-4


def test_ore_anywhere_is_as_likely_as_it_is_frequent(rng: Rng) -> None:
    found = uncertainty.calibrate_ranks({"a": (np.arange(500) + 0.5) / 500}, population=50_000)
    np.testing.assert_allclose(found.apply([0.01, 0.5, 0.99]), 0.01, rtol=0.02)


def test_isotonic_ranks_are_the_concave_majorant_of_the_capture_curve(rng: Rng) -> None:
    ranks = {"a": rng.beta(0.5, 3, 40), "b": rng.beta(0.5, 3, 80)}
    population = 1_000_000
    found = uncertainty.calibrate_ranks(ranks, population=population)
    # an obvious one: among all chords of the captured share that span a rank, the steepest of the flattest
    marks = np.concatenate([[0.0], np.sort(np.concatenate(list(ranks.values()))), [1.0]])
    captured = np.array([np.mean([(one <= mark).mean() for one in ranks.values()]) for mark in marks])
    for at in (0.02, 0.1, 0.4):
        k = int(np.searchsorted(marks, at))
        slopes = [
            max((captured[b] - captured[a]) / (marks[b] - marks[a]) for b in range(k, len(marks)))
            for a in range(k)
        ]
        assert found.apply(1 - at) == pytest.approx(min(slopes) * 60 / population, rel=0.05)


def test_large_deposits_do_not_outvote_small_ones() -> None:
    small, large = np.full(10, 0.5), np.full(1000, 0.01)
    found = uncertainty.calibrate_ranks({"small": small, "large": large}, population=1_000_000)
    cells = 1_000_000 * 2
    assert found.apply(0.9999) == pytest.approx(505 / (cells * 0.01), rel=0.02)
    assert found.apply(0.7) == pytest.approx(505 / (cells * 0.49), rel=0.02)


def test_fits_that_are_repeated_do_not_make_ore_more_frequent(rng: np.random.Generator) -> None:
    ranks = {"a": rng.random(30), "b": rng.random(50)}
    once = uncertainty.calibrate_ranks(ranks, population=10_000)
    thrice = {name: np.tile(one, 3) for name, one in ranks.items()}
    again = uncertainty.calibrate_ranks(thrice, population=10_000, cells={"a": 30, "b": 50})
    assert again.prevalence == pytest.approx(once.prevalence)
    np.testing.assert_allclose(again.apply([0.2, 0.9]), once.apply([0.2, 0.9]), rtol=1e-6)


def test_a_cell_without_a_rank_is_the_worst() -> None:
    gone = uncertainty.calibrate_ranks({"a": [0.01, np.nan]}, population=1000)
    last = uncertainty.calibrate_ranks({"a": [0.01, 1.0]}, population=1000)
    np.testing.assert_array_equal(gone.low, last.low)


@pytest.mark.parametrize(
    ("ranks", "population", "words"),
    [
        ({}, 100, r"no rank of any left-out deposit .* Validate first"),
        ({"a": []}, 100, r"no rank of 'a'"),
        ({"a": [0.5, 1.5]}, 100, r"ranks run from 0.5 to 1.5"),
        ({"a": [0.1] * 9}, 9, r"a volume of 9 eligible cells does not hold a deposit of 9"),
    ],
)
def test_ranks_that_cannot_be_are_refused(ranks: dict, population: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        uncertainty.calibrate_ranks(ranks, population=population)
