"""Logistic regression on standardised layers."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save_file
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from mpm3d.models import load, save
from mpm3d.models.folder import sha256
from mpm3d.models.logistic import Logistic

LAYERS = ("density", "fault_distance", "resistivity")


def _samples(rng, n=200, shape=(1, 1, 1), share=0.3):
    labels = (np.arange(n) < share * n).astype(int)
    values = rng.normal(size=(n, 3, *shape)) + labels[:, None, None, None, None] * np.array(
        [0.8, -0.5, 0.2]
    ).reshape(1, 3, 1, 1, 1)
    units = np.array([2.7, 900.0, 1500.0]), np.array([0.1, 400.0, 700.0])
    typical, spread = (unit.reshape(1, 3, 1, 1, 1) for unit in units)
    return (typical + spread * values).astype(np.float32), labels


@pytest.mark.parametrize("balanced", [True, False])
def test_scores_equal_those_of_scikit_learn_in_float64(rng, balanced):
    patches, labels = _samples(rng)
    table = StandardScaler().fit_transform(patches[:, :, 0, 0, 0].astype(np.float64))
    oracle = LogisticRegression(
        C=0.5,
        class_weight="balanced" if balanced else None,
        solver="newton-cholesky",
        tol=1e-10,
        max_iter=200,
    ).fit(table, labels)
    model = Logistic(LAYERS, C=0.5, balanced=balanced).fit(patches, labels, rng=rng)
    expected = oracle.predict_proba(table)[:, 1]
    np.testing.assert_allclose(model._probability(patches[:, :, 0, 0, 0]), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(model.score_samples(patches), expected, rtol=1e-6)


def test_coefficients_minimise_the_penalised_loss(rng):
    patches, labels = _samples(rng)
    model = Logistic(LAYERS, C=0.3, balanced=False).fit(patches, labels, rng=rng)
    table = patches[:, :, 0, 0, 0].astype(np.float64)
    z = (table - table.mean(axis=0)) / table.std(axis=0)

    def loss(weights):
        log_odds = z @ weights[:3] + weights[3]
        return 0.3 * np.logaddexp(0, np.where(labels == 1, -log_odds, log_odds)).sum() + 0.5 * (
            weights[:3] @ weights[:3]
        )

    best = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-8}).x
    np.testing.assert_allclose([*model.coefficient_, model.intercept_], best, atol=1e-5)


def test_balanced_classes_weigh_the_same_however_many_there_are(rng):
    patches, labels = _samples(rng, n=100, share=0.5)
    fewer = np.concatenate([patches, patches[labels == 0], patches[labels == 0]])
    more_labels = np.concatenate([labels, np.zeros(100, dtype=int)])
    means = []
    for balanced in (True, False):
        model = Logistic(LAYERS, balanced=balanced).fit(fewer, more_labels, rng=rng)
        scores = model.score_samples(patches)
        means.append(scores[labels == 1].mean() + scores[labels == 0].mean())
    # Balanced, the two classes are as far from 0.5 on either side; otherwise scores sink with the share.
    assert means[0] == pytest.approx(1.0, abs=0.05)
    assert means[1] < 0.75


def test_a_patch_has_a_coefficient_for_each_cell_scaled_by_its_layer(rng):
    patches, labels = _samples(rng, shape=(3, 3, 3))
    model = Logistic(LAYERS, patch_shape=(3, 3, 3)).fit(patches, labels, rng=rng)
    assert model.coefficient_.shape == (81,)
    centres = patches[:, :, 1, 1, 1].astype(np.float64)
    z = (patches - centres.mean(axis=0).reshape(1, 3, 1, 1, 1)) / centres.std(axis=0).reshape(1, 3, 1, 1, 1)
    log_odds = z.reshape(200, 81) @ model.coefficient_ + model.intercept_
    np.testing.assert_allclose(model.score_samples(patches), 1 / (1 + np.exp(-log_odds)), rtol=1e-5)


def test_missing_values_neither_raise_nor_lower_the_log_odds(rng):
    patches, labels = _samples(rng)
    model = Logistic(LAYERS).fit(patches, labels, rng=rng)
    nothing = np.full((1, 3, 1, 1, 1), np.nan, dtype=np.float32)
    assert model.score_samples(nothing)[0] == pytest.approx(1 / (1 + np.exp(-model.intercept_)), rel=1e-5)


def test_scores_do_not_depend_on_what_is_scored_beside(rng):
    patches, labels = _samples(rng, shape=(3, 3, 3))
    model = Logistic(LAYERS, patch_shape=(3, 3, 3)).fit(patches, labels, rng=rng)
    one_by_one = np.concatenate([model.score_samples(patches[i : i + 1]) for i in range(len(patches))])
    assert np.array_equal(model.score_samples(patches), one_by_one)


def test_a_saved_regression_scores_the_same_to_the_bit(rng, tmp_path):
    patches, labels = _samples(rng)
    model = Logistic(LAYERS, C=2.0).fit(patches, labels, rng=rng)
    save(model, tmp_path)
    again = load(tmp_path)
    assert np.array_equal(again.coefficient_, model.coefficient_)
    assert np.array_equal(
        again._probability(patches[:, :, 0, 0, 0]), model._probability(patches[:, :, 0, 0, 0])
    )


def test_layers_that_separate_the_deposits_entirely_still_give_finite_scores(rng):
    patches, labels = _samples(rng)
    patches[:, 1] = patches[:, 0] + labels[:, None, None, None] * 1000
    model = Logistic(LAYERS, C=1e12).fit(patches, labels, rng=rng)
    scores = model.score_samples(patches)
    assert np.isfinite(scores).all()
    assert scores[labels == 1].min() > scores[labels == 0].max()


def test_a_regression_that_has_not_settled_says_so(rng, monkeypatch):
    monkeypatch.setattr("mpm3d.models.logistic._ITERATIONS", 1)
    model = Logistic(LAYERS, C=2.0).fit(*_samples(rng), rng=rng)
    assert model.notes_ == (
        "the logistic regression had not settled after 1 steps. A smaller C (it is 2) helps when layers "
        "repeat each other or separate the deposits entirely.",
    )


@pytest.mark.parametrize("strength", [0.0, -1.0, np.inf, np.nan])
def test_an_impossible_penalty_is_a_sentence(rng, strength):
    with pytest.raises(ValueError, match=r"C is .*, it must be above 0, such as 1.0"):
        Logistic(LAYERS, C=strength).fit(*_samples(rng), rng=rng)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"coefficient": np.zeros(3)}, "it holds coefficient, which is not a logistic regression"),
        ({"coefficient": np.zeros(3, np.float32), "intercept": np.zeros(1)}, "which is not a logistic"),
        ({"coefficient": np.zeros(2), "intercept": np.zeros(1)}, r"shape \(2,\) and the model 3 columns"),
        ({"coefficient": np.zeros(3), "intercept": np.zeros(2)}, "and the model 3 columns"),
        ({"coefficient": np.full(3, np.nan), "intercept": np.zeros(1)}, "its coefficient is not finite"),
    ],
)
def test_forged_coefficients_are_refused(rng, tmp_path, arrays, message):
    save(Logistic(LAYERS).fit(*_samples(rng), rng=rng), tmp_path)
    save_file(arrays, tmp_path / "weights.safetensors")
    found = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
    found["weights"]["sha256"] = sha256(tmp_path / "weights.safetensors")
    (tmp_path / "model.json").write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load(tmp_path)


def test_groups_of_another_length_are_a_sentence(rng):
    with pytest.raises(ValueError, match=r"200 patches need as many groups, not an array of \(3,\)"):
        Logistic(LAYERS).fit(*_samples(rng), groups=np.array(["a", "b", "c"]), rng=rng)
