"""The training loop: when it stops, what it keeps, what it says."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, roc_auc_score
from torch import nn

from mpm3d.models import load, make, save, torch_fit
from mpm3d.models.patch_conv import use_stock
from mpm3d.models.torch_fit import RCNNLAM, Training, find_device, train

LAYERS = ("a", "b")


class _Linear(nn.Module):
    """Two outputs from the middle cell, small enough to check by hand."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(2, 2)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, patches):
        return self.last(patches[:, :, 1, 1, 1])


def _data(n=40, seed=0, shift=1.0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n, dtype=np.int64) % 2
    patches = rng.normal(size=(n, 2, 3, 3, 3)) + shift * labels[:, None, None, None, None]
    return patches.astype(np.float32), labels


def _train(validation=None, progress=None, seed=0, **plan):
    network = _Linear()
    history = train(
        network,
        _data(),
        validation,
        plan=Training(**plan),
        rng=np.random.default_rng(seed),
        progress=progress,
    )
    return network, history


@pytest.fixture
def scripted(monkeypatch):
    """Let validation return what a test has written down, and keep the weights it saw."""

    def script(*scores):
        seen, left = [], list(scores)

        def validate(network, _):
            seen.append(copy.deepcopy(network.state_dict()))
            return left.pop(0)

        monkeypatch.setattr(torch_fit, "_validate", validate)
        return seen

    return script


def test_without_validation_all_epochs_are_run_and_the_loss_falls():
    network, history = _train(epochs=12, batch_size=8, learning_rate=0.05)
    assert [row["epoch"] for row in history] == list(range(1, 13))
    assert history[-1]["loss"] < history[0]["loss"] < math.log(2) + 0.05
    assert history[0]["validation_auc"] is None
    assert not network.training


def test_the_first_loss_is_that_of_a_coin():
    # Weights of zero give both classes 1/2, and one batch is scored before it is learned from.
    assert _train(epochs=1, batch_size=64)[1][0]["loss"] == pytest.approx(math.log(2), rel=1e-6)


def test_steps_are_those_of_torchs_adam():
    patches, labels = _data()
    network, _ = _train(epochs=3, batch_size=64, learning_rate=0.01)
    other = _Linear()
    optimiser = torch.optim.Adam(other.parameters(), lr=0.01)
    for _ in range(3):
        optimiser.zero_grad()
        nn.functional.cross_entropy(other(torch.tensor(patches)), torch.tensor(labels)).backward()
        optimiser.step()
    torch.testing.assert_close(network.last.weight, other.last.weight)


def test_training_stops_when_the_area_no_longer_rises_and_keeps_the_best_weights(scripted):
    seen = scripted((0.6, 0.7), (0.5, 0.9), (0.4, 0.8), (0.3, 0.8))
    network, history = _train(_data(seed=1), epochs=50, patience=2)
    assert [row["validation_auc"] for row in history] == [0.7, 0.9, 0.8, 0.8]
    assert torch.equal(network.last.weight, seen[1]["last.weight"])


def test_equal_areas_go_on_as_long_as_the_loss_falls(scripted):
    seen = scripted((0.6, 0.9), (0.5, 0.9), (0.4, 0.9), (0.4, 0.9), (0.4, 0.9))
    network, history = _train(_data(seed=1), epochs=50, patience=2)
    assert len(history) == 5
    assert torch.equal(network.last.weight, seen[2]["last.weight"])


def test_validation_scores_are_those_of_scikit_learn():
    held = _data(n=30, seed=1)
    network, history = _train(held, epochs=1, batch_size=8, learning_rate=0.1)
    with torch.no_grad():
        p = torch.softmax(network(torch.tensor(held[0])), dim=1)[:, 1].numpy()
    assert history[0]["validation_auc"] == pytest.approx(roc_auc_score(held[1], p))
    assert history[0]["validation_loss"] == pytest.approx(log_loss(held[1], p), rel=1e-5)


def test_progress_counts_epochs_and_jumps_to_the_end_when_stopped(scripted):
    scripted((0.6, 0.9), (0.6, 0.8), (0.6, 0.7))
    calls = []
    _train(_data(seed=1), progress=lambda *call: calls.append(call), epochs=30, patience=2)
    assert calls == [(1, 30), (2, 30), (30, 30)]


def test_a_loss_that_diverges_is_a_sentence():
    patches, labels = _data()
    network = _Linear()
    with torch.no_grad():
        network.last.weight += 1e38
    with pytest.raises(
        ValueError, match=r"the training loss became (nan|inf) in epoch 1. Lower learning_rate"
    ):
        train(network, (patches * 100, labels), None, plan=Training(epochs=3), rng=np.random.default_rng(0))


def test_ctrl_c_during_training_gets_through():
    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _train(epochs=5, progress=interrupt)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs is 0, a whole number of at least 1"),
        ({"batch_size": 2.5}, "batch_size is 2.5, a whole number"),
        ({"patience": -1}, "patience is -1, a whole number"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0, it must be above 0"),
        ({"learning_rate": math.nan}, "learning_rate is nan, it must be above 0"),
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


def test_the_best_epoch_is_kept_and_saved(tmp_path, scripted):
    scripted((0.5, 0.6), (0.5, 0.8), (0.5, 0.7))
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


def test_fitting_takes_the_steps_that_stock_convolutions_take():
    losses = []
    for stock in (True, False):
        network = make("dl4", LAYERS)._network(seed=1)
        use_stock(network, stock)
        plan = Training(epochs=2, batch_size=16, learning_rate=1e-4)
        losses.append(train(network, _data(), None, plan=plan, rng=np.random.default_rng(0)))
    for plain, fast in zip(*losses, strict=True):
        assert fast["loss"] == pytest.approx(plain["loss"], rel=1e-4)


def test_scores_do_not_depend_on_how_many_are_asked_for_at_once():
    estimator = make("dl4", LAYERS, epochs=1, device="cpu").fit(*_data(), rng=np.random.default_rng(0))
    patches, _ = _data(n=301, seed=5)
    apart = np.concatenate([estimator.score_samples(part) for part in np.array_split(patches, 7)])
    np.testing.assert_allclose(estimator.score_samples(patches), apart, atol=1e-6)
