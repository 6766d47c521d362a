"""Networks as estimators: what they refuse, keep, save, and score."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mpm3d.models import load, make, save, training
from mpm3d.models.network import find_device
from mpm3d.models.networks import RCNNLAM

LAYERS = ("a", "b")


def _data(n=40, seed=0, shift=1.0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n, dtype=np.int64) % 2
    patches = rng.normal(size=(n, 2, 3, 3, 3)) + shift * labels[:, None, None, None, None]
    return patches.astype(np.float32), labels


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs is 0, a whole number of at least 1"),
        ({"batch_size": 2.5}, "batch_size is 2.5, a whole number"),
        ({"patience": -1}, "patience is -1, a whole number"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0, it must be above 0"),
        ({"learning_rate": math.nan}, "learning_rate is nan, it must be above 0"),
        ({"layer_dropout": 1.0}, "layer_dropout is 1.0, it is a probability of at least 0 and below 1"),
        ({"blend": 1.1}, "blend is 1.1, it is a probability from 0 to 1"),
        ({"layer_dropout": -0.1}, "layer_dropout is -0.1, it is a probability"),
        ({"offset": -1.0}, "offset is -1.0, it must be a number of at least 0. Use 0 for none"),
        ({"noise": math.inf}, "noise is inf, it must be a number of at least 0"),
        ({"weight_decay": math.nan}, "weight_decay is nan, it must be a number of at least 0"),
    ],
)
def test_impossible_settings_are_sentences(settings, message):
    with pytest.raises(ValueError, match=message):
        make("dl1", LAYERS, **settings).fit(*_data(), rng=np.random.default_rng(0))


def test_a_device_that_is_not_here_is_a_sentence():
    for device in ("cuda:99", "abacus"):
        with pytest.raises(ValueError, match=f"device '{device}' cannot be used on this machine. Use 'auto'"):
            find_device(device)
    assert find_device("cpu") == torch.device("cpu")
    assert find_device("auto").type in ("cpu", "cuda")


def test_a_network_fitted_on_a_device_that_is_not_here_loads_on_the_cpu(tmp_path):
    estimator = make("dl1", LAYERS, epochs=1, device="cpu").fit(*_data(), rng=np.random.default_rng(0))
    estimator.set_params(device="cuda:99")
    save(estimator, tmp_path)
    assert next(load(tmp_path).network_.parameters()).device.type == "cpu"


def test_the_best_epoch_is_kept_and_saved(tmp_path, monkeypatch):
    written = iter([(0.5, 0.5, 0.6), (0.5, 0.5, 0.8), (0.5, 0.5, 0.7)])
    monkeypatch.setattr(training, "_validate", lambda *_: next(written))
    estimator = make("dl1", LAYERS, epochs=3, device="cpu")
    estimator.fit(*_data(), rng=np.random.default_rng(0), validation=_data(seed=1))
    save(estimator, tmp_path)
    assert estimator.best_epoch_ == load(tmp_path).best_epoch_ == 2


def test_without_validation_the_last_epoch_is_the_best():
    estimator = make("dl1", LAYERS, epochs=2, device="cpu").fit(*_data(), rng=np.random.default_rng(0))
    assert estimator.best_epoch_ == 2


def test_validation_is_scaled_by_the_training_cells():
    patches, labels = _data(shift=3.0)
    held, held_labels = _data(n=20, seed=1, shift=3.0)
    plain = RCNNLAM(LAYERS, 1, False, epochs=2, device="cpu")
    moved = RCNNLAM(LAYERS, 1, False, epochs=2, device="cpu")
    plain.fit(patches, labels, rng=np.random.default_rng(0), validation=(held, held_labels))
    # The same data in other units, feet for metres say, is the same problem.
    moved.fit(
        patches * 64 + 128, labels, rng=np.random.default_rng(0), validation=(held * 64 + 128, held_labels)
    )
    for row, other in zip(plain.history_, moved.history_, strict=True):
        assert row["validation_loss"] == pytest.approx(other["validation_loss"], rel=1e-3)


def test_validation_of_one_class_is_a_sentence():
    held, _ = _data(n=6)
    with pytest.raises(ValueError, match="all 6 labels are background"):
        make("dl1", LAYERS).fit(*_data(), rng=np.random.default_rng(0), validation=(held, np.zeros(6)))


def test_scores_are_the_softmax_of_the_network():
    patches, labels = _data()
    estimator = make("dl3", LAYERS, epochs=1, device="cpu").fit(patches, labels, rng=np.random.default_rng(0))
    with torch.no_grad():
        logits = estimator.network_(torch.tensor(estimator.scaling_.standardise(patches)))
    expected = torch.softmax(logits, dim=1)[:, 1].numpy()
    np.testing.assert_allclose(estimator.score_samples(patches), expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["dl1", "dl4"])
def test_the_same_seed_gives_the_same_network_bit_for_bit(kind):
    weights = [
        make(kind, LAYERS, epochs=2, batch_size=16, device="cpu")
        .fit(*_data(), rng=np.random.default_rng(3))
        .network_.state_dict()
        for _ in range(2)
    ]
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name]), name


def test_scores_do_not_depend_on_how_many_are_asked_for_at_once():
    estimator = make("dl4", LAYERS, epochs=1, device="cpu").fit(*_data(), rng=np.random.default_rng(0))
    patches, _ = _data(n=301, seed=5)
    apart = np.concatenate([estimator.score_samples(part) for part in np.array_split(patches, 7)])
    np.testing.assert_allclose(estimator.score_samples(patches), apart, atol=1e-6)


@pytest.mark.parametrize(
    ("n", "batch_size", "epochs"), [(1200, 64, 2), (200, 64, 10), (5000, 64, 1), (64, 2, 1)]
)
def test_without_epochs_some_forty_steps_are_taken(n, batch_size, epochs):
    rng = np.random.default_rng(0)
    patches, labels = rng.normal(size=(n, 2, 1, 1, 1)).astype(np.float32), np.arange(n) % 2
    network = make("devnet", LAYERS, epochs=None, hidden=(2,), batch_size=batch_size, device="cpu")
    network.fit(patches, labels, rng=rng)
    assert len(network.history_) == epochs


def test_without_epochs_early_stopping_decides():
    rng = np.random.default_rng(0)
    patches, labels = rng.normal(size=(200, 2, 1, 1, 1)).astype(np.float32), np.arange(200) % 2
    network = make("devnet", LAYERS, epochs=None, hidden=(2,), patience=12, device="cpu")
    network.fit(patches, labels, rng=rng, validation=(patches, labels))
    assert len(network.history_) == network.best_epoch_ + 12 > 10  # 10 would be forty steps
