"""Attributions: the values that slow loops, captum and shap give, adding up to the score, for every model."""

from __future__ import annotations

import math
import sys
import warnings
from functools import lru_cache
from itertools import permutations

import captum.attr
import numpy as np
import pytest
import torch

from mpm3d import explain, models
from mpm3d.errors import require
from mpm3d.explain import MOST_LAYERS, Explainer, NotAdditive, draw_background, reference_of
from mpm3d.explain.coalitions import BATCH, exact, mixed, shares, subsets
from mpm3d.members import ensemble_score

LAYERS = ("planted", "weak", "noise")
NETWORK = {"epochs": 6, "batch_size": 32, "device": "cpu"}
QUICK = {
    "forest": {"n_estimators": 15, "max_features": 3},
    "boosting": {"n_estimators": 20, "learning_rate": 0.3, "min_samples_leaf": 5, "max_features": 1.0},
    "logistic": {},
    "weights": {"bins": 4},
    "pu": {"base": "forest", "bags": 3, "settings": {"n_estimators": 8, "max_features": 3}},
    **dict.fromkeys(("dl1", "dl2", "dl3", "dl4", "cbam"), NETWORK),
    "devnet": {"epochs": 20, "batch_size": 32, "device": "cpu"},
}


class Toy:
    """Any function of the layers of the middle cell; NaN counts as 0.5."""

    patch_shape = (1, 1, 1)
    kind = "probability"
    stops_early = False

    def __init__(self, function, n_layers=3, patch_shape=(1, 1, 1)):
        self.function, self.layers, self.patch_shape = function, tuple(map(str, range(n_layers))), patch_shape
        self.sizes = []

    def score_samples(self, patches):
        self.sizes.append(len(patches))
        mean = np.where(np.isnan(patches), np.float32(0.5), patches).astype(float).mean(axis=(2, 3, 4))
        return self.function(mean).astype(np.float32)


def curved(x):
    return np.tanh(x[:, 0] * x[:, 1]) + x[:, 0] ** 2 - 0.5 * x[:, 1] * x[:, 2]


def planted(kind, n=160, seed=0):
    """The first layer tells deposits, the second a little, the third nothing."""
    shape = models.make(kind, LAYERS, **QUICK[kind]).patch_shape
    rng, labels = np.random.default_rng(seed), np.arange(n) % 2
    place = rng.normal(size=(n, 3, 1, 1, 1)) + 0.2 * rng.normal(size=(n, 3, *shape))
    lift = labels[:, None] * np.array([4.0, 0.6, 0.0])
    return (place + lift[..., None, None, None]).astype(np.float32), labels


@lru_cache
def fitted(kind, seed=0):
    patches, labels = planted(kind, seed=seed)
    estimator = models.make(kind, LAYERS, **QUICK[kind])
    return estimator.fit(patches, labels, rng=np.random.default_rng(seed))


def brute_force(score, patch, reference):
    """Mean over all orders of what a layer adds when it comes in, one patch at a time."""
    n = len(patch)
    total = np.zeros(n)
    for order in permutations(range(n)):
        now = reference.copy()
        before = score(now).mean()
        for layer in order:
            now[:, layer] = patch[layer]
            after = score(now).mean()
            total[layer] += after - before
            before = after
    return total / math.factorial(n)


@pytest.mark.parametrize("k", [1, 3])
def test_values_are_those_of_a_slow_loop_over_all_orders(rng, k):
    toy = Toy(curved, patch_shape=(1, 3, 3))
    patches = rng.normal(size=(4, 3, 1, 3, 3)).astype(np.float32)
    reference = rng.normal(size=(k, 3, 1, 3, 3)).astype(np.float32)
    explainer = Explainer([toy], reference)
    found = explainer.explain(patches)
    assert explainer.method == "exact"
    for cell, patch in enumerate(patches):
        expected = brute_force(lambda x: toy.score_samples(x).astype(float), patch, reference)
        np.testing.assert_allclose(found.values[cell], expected, atol=2e-6)
    assert found.base == pytest.approx(toy.score_samples(reference).mean(dtype=float))


def test_a_network_gets_the_values_of_captum_over_all_orders():
    estimator, (patches, _) = fitted("dl1"), planted("dl1", n=40, seed=3)
    some, reference = patches[:6], reference_of(patches[20:36])
    found = Explainer([estimator], reference).explain(some)

    def forward(batch):
        return torch.from_numpy(estimator.score_samples(batch.numpy()))

    expected = captum.attr.ShapleyValues(forward).attribute(
        torch.from_numpy(some), baselines=torch.from_numpy(reference),
        feature_mask=torch.arange(3).reshape(1, 3, 1, 1, 1), perturbations_per_eval=1,
    )  # fmt: skip
    np.testing.assert_allclose(found.values, expected[:, :, 1, 1, 1].numpy(), atol=1e-6)
    assert np.abs(found.values).max() > 0.05


def test_a_regression_gets_the_values_of_shaps_kernel_explainer():
    estimator, (patches, _) = fitted("logistic"), planted("logistic", n=40, seed=3)
    reference = patches[20:28]
    found = Explainer([estimator], reference).explain(patches[:5])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shap = require("shap", extra="explain")

        def score(table):
            return estimator.score_samples(table.reshape(-1, 3, 1, 1, 1).astype(np.float32)).astype(float)

        kernel = shap.KernelExplainer(score, reference.reshape(8, 3).astype(float))
        expected = kernel.shap_values(patches[:5].reshape(5, 3).astype(float), silent=True)
    np.testing.assert_allclose(found.values, expected, atol=1e-6)


def test_a_linear_model_gives_coefficient_times_distance_from_the_mean(rng):
    weights = np.array([0.7, -2.0, 0.0])
    background = rng.normal(size=(16, 3, 1, 1, 1)).astype(np.float32)
    patches = rng.normal(size=(9, 3, 1, 1, 1)).astype(np.float32)
    expected = weights * (patches - background.mean(axis=0)).reshape(9, 3)
    for removed in ("mean", "each"):
        reference = reference_of(background, removed=removed)
        found = Explainer([Toy(lambda x: x @ weights)], reference).explain(patches)
        np.testing.assert_allclose(found.values, expected, atol=1e-5)
        assert np.abs(found.values[:, 2]).max() < 1e-6


@pytest.mark.parametrize("kind", models.KINDS)
def test_for_every_model_the_planted_layer_is_first_and_noise_near_zero(kind):
    estimator = fitted(kind)
    patches, labels = planted(kind, n=60, seed=1)
    explainer = Explainer([estimator], reference_of(patches[labels == 0][:16]))
    found = explainer.explain(patches[labels == 1])
    assert explainer.method == ("tree" if kind in ("forest", "pu") else "exact")
    np.testing.assert_allclose(found.score, estimator.score_samples(patches[labels == 1]), atol=1e-6)
    assert found.gap <= 1e-5 * max(1, np.abs(found.score).max())
    size = np.abs(found.values).mean(axis=0)
    assert size.argmax() == 0
    assert size[2] < 0.12 * size[0]
    assert abs(found.values[:, 2].mean()) < 0.05 * size[0]


def test_a_forest_gets_the_same_values_from_its_trees_as_from_all_sets(monkeypatch, rng):
    estimator, (patches, _) = fitted("forest"), planted("forest", n=60, seed=2)
    patches[3, 1] = patches[5] = np.nan
    reference = patches[40:48].copy()
    reference[2, 0] = np.nan  # filled by the training mean, as the forest itself does
    by_trees = Explainer([estimator], reference)
    monkeypatch.setitem(sys.modules, "shap", None)
    by_sets = Explainer([estimator], reference)
    assert (by_trees.method, by_sets.method) == ("tree", "exact")
    one, other = by_trees.explain(patches[:20]), by_sets.explain(patches[:20])
    np.testing.assert_allclose(one.values, other.values, atol=1e-7)
    assert one.gap < 2e-7
    assert by_trees.explain(patches[:1]).values.shape == (1, 3)


def test_bags_of_forests_get_the_same_values_from_their_trees_as_from_all_sets(monkeypatch, rng):
    members, (patches, _) = [fitted("pu", seed) for seed in (0, 1)], planted("pu", n=60, seed=2)
    patches[3, 1] = patches[5] = np.nan  # filled by the mean over all cells, not over those of a bag
    reference = patches[40:48].copy()
    reference[2, 0] = np.nan
    by_trees = Explainer(members, reference)
    monkeypatch.setitem(sys.modules, "shap", None)
    by_sets = Explainer(members, reference)
    assert (by_trees.method, by_sets.method) == ("tree", "exact")
    one, other = by_trees.explain(patches[:20]), by_sets.explain(patches[:20])
    np.testing.assert_allclose(one.values, other.values, atol=1e-7)
    assert by_trees._trees.base == pytest.approx(by_sets.base, abs=1e-7)
    assert one.gap < 2e-7


def test_a_value_next_to_a_threshold_goes_the_way_of_the_forest(rng):
    below = np.float32(1000.0)
    while np.float32((float(below) + float(np.nextafter(below, np.float32(2e3)))) / 2) == below:
        below = np.nextafter(below, np.float32(2e3))
    above = np.nextafter(below, np.float32(2e3))  # what 32 bits make of the threshold in the middle
    values = np.repeat([below, above], 20).reshape(40, 1, 1, 1, 1)
    forest = models.make("forest", ("a",), n_estimators=3).fit(values, np.arange(40) // 20, rng=rng)
    assert forest.score_samples(values)[[0, -1]].tolist() == [0.0, 1.0]
    explainer = Explainer([forest], values[:1])
    assert explainer.method == "tree"
    np.testing.assert_allclose(explainer.explain(values[[0, -1]]).values, [[0.0], [1.0]], atol=1e-6)


def test_bags_of_anything_but_forests_of_single_cells_are_explained_by_sets(rng):
    patches, labels = planted("pu", n=40)
    wide = models.make("pu", LAYERS, bags=2, settings={"n_estimators": 3, "patch_shape": (1, 1, 3)})
    three = np.repeat(patches, 3, axis=4)
    wide.fit(three, labels, rng=rng)
    assert Explainer([wide], three[:2]).method == "exact"
    lines = models.make("pu", LAYERS, base="logistic", bags=2).fit(patches, labels, rng=rng)
    assert Explainer([lines], patches[:2]).method == "exact"


def test_a_forest_on_patches_is_explained_by_layer_not_by_column(rng):
    forest = models.make("forest", ("a", "b"), n_estimators=5, patch_shape=(1, 1, 3))
    patches = rng.normal(size=(40, 2, 1, 1, 3)).astype(np.float32)
    forest.fit(patches, np.arange(40) % 2, rng=rng)
    explainer = Explainer([forest], patches[:2])
    assert explainer.method == "exact"
    expected = brute_force(lambda x: forest.score_samples(x).astype(float), patches[7], patches[:2])
    np.testing.assert_allclose(explainer.explain(patches[7:8]).values[0], expected, atol=1e-7)


@pytest.mark.parametrize("kind", ["forest", "dl1"])
def test_an_ensemble_gets_the_mean_of_its_members_and_adds_up_to_its_mean_score(kind):
    members = [fitted(kind, seed) for seed in (0, 1)]
    patches, _ = planted(kind, n=30, seed=5)
    reference = reference_of(patches[:8])
    whole = Explainer(members, reference).explain(patches[8:])
    each = [Explainer([member], reference).explain(patches[8:]) for member in members]
    np.testing.assert_allclose(whole.values, np.mean([one.values for one in each], axis=0), atol=1e-6)
    np.testing.assert_allclose(
        whole.base + whole.values.sum(axis=1), ensemble_score(members, patches[8:])[0], atol=1e-6
    )


@pytest.mark.parametrize("kind", ["logistic", "forest", "dl1"])
def test_a_missing_value_counts_as_it_does_in_the_model(kind):
    estimator, (patches, _) = fitted(kind), planted(kind, n=30, seed=6)
    gaps = patches[10:14].copy()
    gaps[1, 0], gaps[2, :, 0, 0, 0], gaps[3] = np.nan, np.nan, np.nan
    explainer = Explainer([estimator], reference_of(patches[:8]))
    found, filled = explainer.explain(gaps), explainer.explain(estimator.scaling_.fill(gaps))
    np.testing.assert_allclose(found.values, filled.values, atol=1e-6)
    np.testing.assert_allclose(found.score, estimator.score_samples(gaps), atol=1e-6)


def test_a_layer_that_is_missing_here_and_in_the_background_adds_nothing():
    estimator, (patches, _) = fitted("logistic"), planted("logistic", n=30, seed=6)
    patches[:, 1] = np.nan
    found = Explainer([estimator], reference_of(patches[:16])).explain(patches[16:])
    np.testing.assert_allclose(found.values[:, 1], 0, atol=1e-15)


def many(function=None, n=MOST_LAYERS + 1):
    weights = np.linspace(-1, 1, n)
    return Toy(function or (lambda x: x @ weights), n_layers=n), weights


def test_with_more_layers_sampled_orders_of_a_linear_model_are_exact(rng):
    toy, weights = many()
    patches = rng.normal(size=(5, 13, 1, 1, 1)).astype(np.float32)
    patches[2, 4] = np.nan
    explainer = Explainer([toy], np.zeros((1, 13, 1, 1, 1), np.float32))
    assert explainer.method == "sampling"
    assert "64 sampled orders" in explainer.words
    found = explainer.explain(patches)
    filled = np.where(np.isnan(patches), 0.5, patches).reshape(5, 13)
    np.testing.assert_allclose(found.values, weights * filled, atol=1e-5)
    assert found.gap < 1e-5


def test_sampled_orders_miss_exact_values_by_their_standard_error(rng):
    def tangled(x):
        return 1 / (1 + np.exp(-(x[:, :6].sum(axis=1) * x[:, 6] + 2 * x[:, 7] * x[:, 8])))

    toy, _ = many(tangled)
    patches = rng.normal(size=(6, 13, 1, 1, 1)).astype(np.float32)
    reference = rng.normal(size=(1, 13, 1, 1, 1)).astype(np.float32)
    found = Explainer([toy], reference, seed=4).explain(patches)
    score = lambda x: toy.score_samples(x).astype(float)  # noqa: E731
    expected = exact(score, patches, reference, float(score(reference).mean()))
    off = found.values - expected
    assert found.error is not None
    assert np.sqrt((off**2).mean()) < 2 * np.sqrt((found.error**2).mean()) < 0.1
    np.testing.assert_allclose(found.values[:, 9:], 0, atol=1e-6)  # layers that the score does not use


def test_values_do_not_depend_on_the_cells_that_are_explained_together(rng):
    toy, _ = many(lambda x: np.tanh(x.prod(axis=1) + x[:, 0] * x[:, 12]))
    patches = rng.normal(size=(400, 13, 1, 1, 1)).astype(np.float32)
    explainer = Explainer([toy], patches[:2], seed=1)
    np.testing.assert_allclose(
        explainer.explain(patches[7:350]).values[[0, 300]],
        explainer.explain(patches[[7, 307]]).values,
        atol=1e-7,
    )
    small = Explainer([Toy(curved)], patches[:1, :3])
    whole = small.explain(patches[:, :3]).values
    np.testing.assert_allclose(whole[13:14], small.explain(patches[13:14, :3]).values, atol=1e-12)


@pytest.mark.parametrize(("n", "cells"), [(3, 2000), (10, 20), (13, 700)])
def test_no_more_patches_are_put_together_than_a_batch_holds(n, cells, rng):
    toy = Toy(lambda x: x.sum(axis=1), n_layers=n)
    patches = rng.normal(size=(cells, n, 1, 1, 1)).astype(np.float32)
    Explainer([toy], patches[:1]).explain(patches)
    assert max(toy.sizes) <= BATCH


def test_a_model_that_changes_its_mind_is_not_explained(rng):
    drift = iter(range(10_000))
    toy = Toy(lambda x: x[:, 0] + 1e-3 * next(drift))
    patches = rng.normal(size=(4, 3, 1, 1, 1)).astype(np.float32)
    with pytest.raises(
        NotAdditive, match=r"4 of 4 cells do not add up to their scores: base and layers give"
    ):
        Explainer([toy], patches[:1]).explain(patches)


def test_trees_that_do_not_add_up_are_refused(monkeypatch):
    estimator, (patches, _) = fitted("forest"), planted("forest", n=20, seed=2)
    explainer = Explainer([estimator], patches[:1])
    right = explainer._trees.explain
    monkeypatch.setattr(explainer._trees, "explain", lambda some: right(some) + 1e-3)
    with pytest.raises(NotAdditive, match="do not add up"):
        explainer.explain(patches)


def test_without_captum_more_layers_name_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    toy, _ = many()
    with pytest.raises(ImportError, match=r"pip install 'mpm3d\[explain\]'"):
        Explainer([toy], np.zeros((1, 13, 1, 1, 1), np.float32))
    few = Toy(curved)
    assert Explainer([few], np.zeros((1, 3, 1, 1, 1), np.float32)).method == "exact"


def test_no_cells_give_no_values(rng):
    for explainer in (
        Explainer([Toy(curved)], np.zeros((1, 3, 1, 1, 1), np.float32)),
        Explainer([fitted("forest")], np.zeros((1, 3, 1, 1, 1), np.float32)),
        Explainer([many()[0]], np.zeros((1, 13, 1, 1, 1), np.float32)),
    ):
        found = explainer.explain(np.zeros((0, *explainer.reference.shape[1:]), np.float32))
        assert found.values.shape == (0, len(explainer.layers))
        assert found.gap == 0


def test_weights_of_sets_sum_to_one_by_layer_and_cover_each_set_once():
    for n in (1, 2, 5):
        within, weights = subsets(n), shares(n)
        assert len(np.unique(within, axis=0)) == 2**n
        np.testing.assert_allclose(np.where(within.T, weights, 0).sum(axis=1), 1)
        np.testing.assert_allclose(weights.sum(axis=1), 0, atol=1e-15)


def test_patches_are_mixed_layer_by_layer_and_keep_their_gaps():
    patches = np.arange(8, dtype=np.float32).reshape(1, 2, 1, 2, 2)
    patches[0, 0, 0, 0, 0] = np.nan
    found = mixed(patches, np.full((2, 1, 2, 2), -1, np.float32), subsets(2))
    np.testing.assert_array_equal(found[0], -1)
    np.testing.assert_array_equal(found[1, 0], patches[0, 0])
    np.testing.assert_array_equal(found[1, 1], -1)
    np.testing.assert_array_equal(found[3], patches[0])
    assert found.transpose(2, 3, 4, 0, 1).flags.c_contiguous  # as networks like it


def test_background_is_drawn_once_each_and_the_same_with_a_seed(rng):
    patches = rng.normal(size=(50, 2, 1, 1, 1)).astype(np.float32)
    one = draw_background(patches, 16, rng=np.random.default_rng(3))
    assert one.shape == (16, 2, 1, 1, 1)
    assert len(np.unique(one, axis=0)) == 16
    np.testing.assert_array_equal(one, draw_background(patches, 16, rng=np.random.default_rng(3)))
    np.testing.assert_array_equal(draw_background(patches[:3], 16, rng=rng), patches[:3])
    np.testing.assert_array_equal(reference_of(one, removed="each"), one)


def test_what_cannot_be_explained_is_said(rng):
    patches = np.zeros((2, 3, 1, 1, 1), np.float32)
    with pytest.raises(ValueError, match="no fitted model to explain, fit one first"):
        Explainer([], patches)
    with pytest.raises(ValueError, match=r"has shape \(2, 3, 1, 1\); one patch of \(3, 1, 1, 1\)"):
        Explainer([Toy(curved)], patches[..., 0])
    with pytest.raises(ValueError, match="no background patch to put in place of a layer"):
        draw_background(patches[:0], 16, rng=rng)
    with pytest.raises(ValueError, match="0 background patches are not possible, at least 1"):
        draw_background(patches, 0, rng=rng)


def test_the_room_says_what_it_has():
    assert set(explain.__all__) >= {"Explainer", "Explained", "NotAdditive", "MOST_LAYERS"}
