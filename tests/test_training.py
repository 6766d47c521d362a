"""The training loop: when it stops, what it keeps, what it says."""

from __future__ import annotations

import copy
import math
import re

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from torch import nn

from mpm3d.models import make, training
from mpm3d.models.augment import augment, drawn
from mpm3d.models.patch_conv import use_stock
from mpm3d.models.training import Training, train

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

        def validate(network, *_):
            seen.append(copy.deepcopy(network.state_dict()))
            loss, auc = left.pop(0)
            return loss, 0.5, auc

        monkeypatch.setattr(training, "_validate", validate)
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
    assert history[0]["validation_accuracy"] == pytest.approx(accuracy_score(held[1], p >= 0.5))


def test_progress_counts_epochs_and_jumps_to_the_end_when_stopped(scripted):
    scripted((0.6, 0.9), (0.6, 0.8), (0.6, 0.7))
    calls = []
    _train(_data(seed=1), progress=lambda *call: calls.append(call), epochs=30, patience=2)
    assert [call[:2] for call in calls] == [(1, 30), (2, 30), (30, 30)]
    assert all(re.fullmatch(r"loss \d\.\d{3}", words) for _, _, words in calls)


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


def test_fitting_takes_the_steps_that_stock_convolutions_take():
    losses = []
    for stock in (True, False):
        network = make("dl4", LAYERS)._network(seed=1)
        use_stock(network, stock)
        plan = Training(epochs=2, batch_size=16, learning_rate=1e-4)
        losses.append(train(network, _data(), None, plan=plan, rng=np.random.default_rng(0)))
    for plain, fast in zip(*losses, strict=True):
        assert fast["loss"] == pytest.approx(plain["loss"], rel=1e-4)


def _patches(n=400, layers=7, shape=(3, 3, 3), seed=0):
    return np.random.default_rng(seed).normal(1.0, 0.1, (n, layers, *shape)).astype(np.float32)


def _changed(patches, seed=0, **settings):
    return augment(patches.copy(), Training(**settings), np.random.default_rng(seed))


def test_nothing_is_changed_and_no_number_drawn_unless_asked_for():
    rng = np.random.default_rng(3)
    patches = _patches(5)
    assert np.array_equal(augment(patches.copy(), Training(), rng), patches)
    assert rng.random() == np.random.default_rng(3).random()


def test_lost_layers_are_whole_and_zero_and_as_many_as_asked_for():
    patches = _patches(4000)
    changed = _changed(patches, layer_dropout=0.3)
    lost = (changed == 0).all(axis=(2, 3, 4))
    assert np.array_equal(changed[~lost], patches[~lost])
    assert not changed[lost].any()
    assert lost.mean() == pytest.approx(0.3, abs=0.01)  # 28,000 layers: the error is 0.003


def test_no_patch_loses_all_its_layers():
    changed = _changed(_patches(300, layers=2), layer_dropout=0.99)
    left = (changed != 0).all(axis=(2, 3, 4)).sum(axis=1)
    assert left.min() == 1
    assert (_changed(_patches(50, layers=1), layer_dropout=0.9) != 0).all()


def test_an_offset_is_one_number_a_layer_and_patch_of_the_spread_asked_for():
    patches = _patches(2000)
    moved = _changed(patches, offset=0.5) - patches
    np.testing.assert_allclose(moved, moved[:, :, :1, :1, :1] + np.zeros((1, 1, 3, 3, 3)), atol=1e-5)
    each = moved[:, :, 0, 0, 0]
    assert each.std() == pytest.approx(0.5, abs=0.01)
    assert np.abs(np.corrcoef(each.T) - np.eye(7)).max() < 0.1


def test_noise_is_apart_for_each_cell():
    patches = _patches(200)
    moved = (_changed(patches, noise=0.2) - patches).reshape(-1, 27)
    assert moved.std() == pytest.approx(0.2, abs=0.01)
    assert np.abs(np.corrcoef(moved.T) - np.eye(27)).max() < 0.15


def _variants(patch, turns, mirrors):
    """Every way to turn and mirror a patch horizontally, as bytes."""
    found = set()
    for quarters in turns:
        for along_y, along_x in mirrors:
            turned = np.rot90(patch, quarters, axes=(2, 3))
            turned = turned[:, :, ::-1] if along_y else turned
            found.add(np.ascontiguousarray(turned[..., ::-1] if along_x else turned).tobytes())
    return found


@pytest.mark.parametrize(
    ("settings", "turns", "mirrors", "n"),
    [
        ({"flips": True}, (0,), [(0, 0), (0, 1), (1, 0), (1, 1)], 4),
        ({"rotations": True}, range(4), [(0, 0)], 4),
        ({"flips": True, "rotations": True}, range(4), [(0, 0), (0, 1)], 8),
    ],
)
def test_patches_are_mirrored_and_turned_in_every_horizontal_way_and_never_upside_down(
    settings, turns, mirrors, n
):
    patch = _patches(1)
    seen = {one.tobytes() for one in _changed(np.repeat(patch, 200, axis=0), **settings)}
    assert seen == _variants(patch[0], turns, mirrors)
    assert len(seen) == n


def test_oblong_patches_are_not_turned():
    with pytest.raises(ValueError, match=r"patches of \(3, 5, 3\) cells .* cannot be turned by quarters"):
        _changed(_patches(2, shape=(3, 5, 3)), rotations=True)


def test_what_is_done_to_patches_follows_the_seed_and_leaves_the_data_alone():
    data, settings = _data(), {"layer_dropout": 0.3, "offset": 0.3, "noise": 0.1, "flips": True}
    before = data[0].copy()
    losses = []
    for seed in (1, 1, 2):
        plan = Training(epochs=2, batch_size=16, rotations=True, **settings)
        history = train(_Linear(), data, None, plan=plan, rng=np.random.default_rng(seed))
        losses.append([row["loss"] for row in history])
    assert losses[0] == losses[1] != losses[2]
    assert np.array_equal(data[0], before)


def test_weight_decay_pulls_weights_towards_zero_and_spares_biases():
    # One step of one batch: weights of 1 are shrunk by learning rate × decay = 0.1 of themselves.
    network, other = _Linear(), _Linear()
    for one, decay in ((network, 10.0), (other, 0.0)):
        nn.init.ones_(one.last.weight)
        nn.init.ones_(one.last.bias)
        plan = Training(epochs=1, batch_size=64, learning_rate=0.01, weight_decay=decay)
        train(one, _data(), None, plan=plan, rng=np.random.default_rng(0))
    torch.testing.assert_close(network.last.weight, other.last.weight - 0.1)
    assert torch.equal(network.last.bias, other.last.bias)


def test_accuracy_is_the_share_called_right():
    patches, labels = _data(n=8)
    network = _Linear()
    with torch.no_grad():
        network.last.weight[1] = 1.0
    expected = np.mean((patches[:, :, 1, 1, 1].sum(axis=1) >= 0) == labels)
    history = train(network, (patches, labels), None, plan=Training(epochs=1), rng=np.random.default_rng(0))
    assert history[0]["accuracy"] == expected
    assert history[0]["validation_accuracy"] is None


def test_validation_that_diverges_is_a_sentence(scripted):
    scripted((math.inf, 0.5))
    with pytest.raises(ValueError, match=r"the validation loss became inf in epoch 1. Lower learning_rate"):
        _train(_data(seed=1), epochs=3)


def test_blends_lie_between_two_patches_of_one_class():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 100)
    patches = (labels[:, None, None, None, None] * 10 + rng.random((200, 2, 1, 1, 1))).astype(np.float32)
    before, batch = patches.copy(), np.arange(0, 200, 2)
    found = drawn(patches, labels, batch, Training(blend=1.0), np.random.default_rng(1))
    assert np.array_equal(patches, before)
    assert ((found >= 10) == (labels[batch] == 1)[:, None, None, None, None]).all()  # classes do not mix
    # a point of the plane between two others of its class: nothing leaves their hull, nearly all have moved
    assert (found != patches[batch]).any(axis=(1, 2, 3, 4)).mean() > 0.9
    assert found.reshape(100, 2).std(axis=0).max() <= patches[batch].reshape(100, 2).std(axis=0).max()
    same = drawn(patches, labels, batch, Training(blend=1.0), np.random.default_rng(1))
    assert np.array_equal(found, same)


def test_the_share_of_blended_patches_is_the_setting_and_none_draws_nothing():
    labels = np.arange(2000) % 2
    patches = np.random.default_rng(0).random((2000, 1, 1, 1, 1), dtype=np.float32)
    rng = np.random.default_rng(3)
    state = rng.bit_generator.state
    assert np.array_equal(drawn(patches, labels, np.arange(2000), Training(), rng), patches)
    assert rng.bit_generator.state == state
    some = drawn(patches, labels, np.arange(2000), Training(blend=0.3), rng)
    assert abs((some != patches).mean() - 0.3) < 0.04
