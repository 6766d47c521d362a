"""The deviation network: its loss by hand, its batches, its scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from mpm3d.models import load, make, save
from mpm3d.models.devnet import Deviation, DeviationNet
from mpm3d.models.training import Training, train

LAYERS = ("a", "b")


def _data(n=200, deposits=10, seed=0, shift=3.0):
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) < deposits).astype(np.int64)
    patches = rng.normal(size=(n, 2, 1, 1, 1)) + shift * labels[:, None, None, None, None]
    return patches.astype(np.float32), labels


def test_the_loss_is_that_of_the_paper():
    objective = Deviation(mean=1.0, std=2.0)
    scores = torch.tensor([[3.0], [-2.0], [3.0], [20.0]])
    # deviations 1, -1.5, 1, 9.5: |1|, |-1.5|, then 5 - 1 and nothing for a deposit beyond the margin of 5
    assert objective.loss(scores, torch.tensor([0, 0, 1, 1])).item() == pytest.approx((1 + 1.5 + 4 + 0) / 4)


def test_reference_scores_are_5000_draws_of_the_normal_distribution():
    objective = Deviation.drawn(np.random.default_rng(4))
    scores = np.random.default_rng(4).standard_normal(5000)
    assert (objective.mean, objective.std) == (scores.mean(), scores.std())
    assert abs(objective.mean) < 0.05
    assert (objective.margin, objective.clip) == (5.0, 1.0)


@pytest.mark.parametrize("labels", [np.arange(47) < 5, np.arange(47) >= 5])
def test_batches_are_half_deposits_and_show_the_larger_class_once(labels):
    batches = Deviation(0, 1).batches(labels.astype(np.int64), 8, np.random.default_rng(0))
    larger = labels == (labels.sum() > 23)
    seen = []
    for batch in batches:
        assert labels[batch].sum() * 2 == len(batch)
        seen += batch[larger[batch]].tolist()
    assert sorted(seen) == np.flatnonzero(larger).tolist()
    assert [len(batch) for batch in batches] == [8] * 10 + [4]
    rest = np.concatenate([batch[~larger[batch]] for batch in batches])
    assert set(rest) == set(np.flatnonzero(~larger))


def test_large_weights_of_hidden_layers_cost_and_biases_and_the_last_layer_do_not():
    network = DeviationNet(2, hidden=(3, 2))
    with torch.no_grad():
        for p in network.parameters():
            p.fill_(2.0)
    penalty = Deviation(0, 1).penalty(network, Training(weight_decay=0.01))
    assert penalty.item() == pytest.approx(0.01 * 4 * (2 * 3 + 3 * 2))
    assert Deviation(0, 1).penalty(network, Training()) == 0


def test_steps_are_those_of_rmsprop_on_clipped_gradients():
    patches, labels = _data(n=4, deposits=2, shift=100.0)
    network, other = DeviationNet(2, hidden=(4,)), DeviationNet(2, hidden=(4,))
    other.load_state_dict(network.state_dict())
    objective, plan = Deviation(0.1, 0.9), {"learning_rate": 0.01, "weight_decay": 0.05}
    train(
        network, (patches, labels), None, plan=Training(epochs=1, objective=objective, **plan),
        rng=np.random.default_rng(0),
    )  # fmt: skip
    rows = objective.batches(labels, 64, np.random.default_rng(0))[0]
    scores, target = other(torch.tensor(patches[rows]))[:, 0], torch.tensor(labels[rows])
    deviation = (scores - 0.1) / 0.9
    loss = ((1 - target) * deviation.abs() + target * (5 - deviation).clamp(min=0)).mean()
    (loss + 0.05 * (other.hidden[0].weight ** 2).sum()).backward()
    norm = torch.sqrt(sum((p.grad**2).sum() for p in other.parameters()))
    assert norm > 1
    for one, p in zip(network.parameters(), other.parameters(), strict=True):
        gradient = p.grad / norm
        expected = p - 0.01 * gradient / (torch.sqrt(0.1 * gradient**2) + 1e-7)
        torch.testing.assert_close(one, expected, rtol=1e-4, atol=1e-5)


def test_deposits_reach_the_margin_and_others_stay_near_zero():
    patches, labels = _data()
    estimator = make("devnet", LAYERS, epochs=25, learning_rate=0.005, device="cpu").fit(
        patches, labels, rng=np.random.default_rng(0)
    )
    held, held_labels = _data(seed=1)
    scores = estimator.score_samples(held)
    assert estimator.kind == "deviation"
    assert scores[held_labels == 1].mean() > 3.0
    assert abs(np.median(scores[held_labels == 0])) < 1.0
    assert scores.max() > 1.0  # no share
    assert [row["accuracy"] for row in estimator.history_] == [None] * 25


def test_scores_have_no_bounds():
    patches, labels = _data()
    estimator = make("devnet", LAYERS, epochs=5, device="cpu").fit(
        patches, labels, rng=np.random.default_rng(0)
    )
    assert estimator.score_samples(patches * 1000).max() > 100


def test_scores_are_in_units_of_the_reference_scores(monkeypatch):
    patches, labels = _data()
    settings = {"epochs": 3, "device": "cpu", "hidden": (8,)}
    found = make("devnet", LAYERS, **settings).fit(patches, labels, rng=np.random.default_rng(7))
    monkeypatch.setattr(Deviation, "rescale", lambda self, last: None)
    raw = make("devnet", LAYERS, **settings).fit(patches, labels, rng=np.random.default_rng(7))
    rng = np.random.default_rng(7)
    rng.integers(2**63 - 1)  # for the first weights
    reference = rng.standard_normal(5000)
    expected = (raw.score_samples(patches) - reference.mean()) / reference.std()
    np.testing.assert_allclose(found.score_samples(patches), expected, rtol=1e-4, atol=1e-5)
    assert abs(found.score_samples(patches) - raw.score_samples(patches)).max() > 1e-3


def test_outliers_of_the_kind_that_is_known_are_found_among_contaminated_others_as_published():
    """As Pang et al. 2019 set it up: few known outliers, unlabelled ones among the others."""
    layers, rng = tuple("abcdef"), np.random.default_rng(2)
    kind = np.array([4, 4, -4, 0, 0, 0.0])

    def drawn(n, outliers):
        is_outlier = np.arange(n) < outliers
        x = rng.normal(size=(n, 6)) + np.where(is_outlier[:, None], kind, 0)
        return x.astype(np.float32)[:, :, None, None, None], is_outlier

    known, _ = drawn(15, 15)
    others, _ = drawn(1000, 20)  # 2 % of what is taken for normal is not
    patches = np.concatenate([known, others])
    labels = (np.arange(len(patches)) < 15).astype(np.int64)
    held, is_outlier = drawn(1000, 100)

    def scores(seed):
        made = make("devnet", layers, hidden=(20,), epochs=15, device="cpu")
        return made.fit(patches, labels, rng=np.random.default_rng(seed)).score_samples(held)

    first = scores(0)
    assert roc_auc_score(is_outlier, first) > 0.99
    assert abs(first[~is_outlier].mean()) < 0.5
    assert first[is_outlier].mean() > 3
    np.testing.assert_array_equal(first, scores(0))
    assert abs(first - scores(1)).max() > 0.01


def test_it_stops_on_validation_like_the_others():
    estimator = make("devnet", LAYERS, epochs=40, patience=2, device="cpu")
    estimator.fit(*_data(), rng=np.random.default_rng(0), validation=_data(seed=1))
    row = estimator.history_[-1]
    assert len(estimator.history_) == estimator.best_epoch_ + 2
    assert 0 <= row["validation_auc"] <= 1
    assert row["validation_loss"] > 0
    assert row["validation_accuracy"] is None


def test_patches_are_flattened_and_the_same_seed_gives_the_same_network(tmp_path):
    rng = np.random.default_rng(0)
    patches, labels = rng.normal(size=(40, 2, 3, 1, 5)).astype(np.float32), np.arange(40) % 2
    one, other = (
        make("devnet", LAYERS, patch_shape=(3, 1, 5), hidden=(6,), epochs=2, device="cpu").fit(
            patches, labels, rng=np.random.default_rng(1)
        )
        for _ in range(2)
    )
    assert one.network_.hidden[0].in_features == 2 * 15
    assert np.array_equal(one.score_samples(patches), other.score_samples(patches))
    save(one, tmp_path)
    again = load(tmp_path)
    assert np.array_equal(again.score_samples(patches), one.score_samples(patches))
    assert again.hidden == (6,)


@pytest.mark.parametrize("hidden", [(), (0,), (2.5,), (float("nan"),)])
def test_impossible_widths_are_sentences(hidden):
    with pytest.raises(ValueError, match=r"hidden is .*, one whole number or more is needed"):
        make("devnet", LAYERS, hidden=hidden).fit(*_data(), rng=np.random.default_rng(0))


def test_one_class_and_a_loss_that_diverges_are_sentences():
    patches, labels = _data()
    with pytest.raises(ValueError, match="all 200 labels are background, a model needs cells of deposits"):
        make("devnet", LAYERS).fit(patches, labels * 0, rng=np.random.default_rng(0))
    wild = make("devnet", LAYERS, learning_rate=1e30, epochs=3, device="cpu")
    with pytest.raises(ValueError, match=r"the training loss became (nan|inf) in epoch \d. Lower"):
        wild.fit(patches, labels, rng=np.random.default_rng(0))
