"""One contract over every model."""

from __future__ import annotations

import datetime
import inspect
import json
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import pytest
import skops.io
import torch
from safetensors.numpy import save_file
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score

from mpm3d.models import KINDS, Estimator, load, make, save
from mpm3d.models.folder import sha256
from mpm3d.models.scaling import Scaling

LAYERS = ("density", "fault_distance", "resistivity")
TYPICAL = np.array([2.7, 900.0, 1500.0])
SPREAD = np.array([0.1, 400.0, 700.0])


# settings that fit in well under a second
NETWORK = {"epochs": 3, "batch_size": 32, "device": "cpu"}
QUICK = {
    "forest": {"n_estimators": 15},
    "boosting": {"n_estimators": 20, "learning_rate": 0.3, "min_samples_leaf": 5},
    "logistic": {},
    "weights": {"bins": 4},
    "pu": {"base": "forest", "bags": 4, "settings": {"n_estimators": 8}},
    **dict.fromkeys(("dl1", "dl2", "dl3", "dl4", "cbam"), NETWORK),
    "devnet": NETWORK,
    "pruned": {"base": "logistic", "limit": 1.0},
}
NETWORKS = ("dl1", "dl2", "dl3", "dl4", "cbam", "devnet")
CELLS = (
    "forest",
    "boosting",
    "logistic",
    "weights",
    "pu",
    "devnet",
    "pruned",
)  # see the cell alone by default
FIXED = ("logistic", "weights", "pruned")  # nothing in them is random


@pytest.fixture(params=(*KINDS, "pruned"))
def kind(request):
    return request.param


def _make(kind, **settings):
    return make(kind, LAYERS, **QUICK[kind] | settings)


def _toy(estimator, n=60, seed=0):
    """Deposits are dense, near faults, conductive: two spreads away from the background."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    noise = rng.normal(size=(n, 3, *estimator.patch_shape))
    shift = labels[:, None] * np.array([2.0, -2.0, -2.0])
    patches = TYPICAL[:, None, None, None] + SPREAD[:, None, None, None] * (
        0.5 * noise + shift[..., None, None, None]
    )
    return patches.astype(np.float32), labels


@lru_cache
def _fitted(kind, seed=0):
    estimator = _make(kind)
    patches, labels = _toy(estimator)
    return estimator.fit(patches, labels, rng=np.random.default_rng(seed))


def test_a_model_is_an_estimator_that_knows_its_kind(kind):
    estimator = _make(kind)
    assert isinstance(_fitted(kind), Estimator)
    scale = "deviation" if kind == "devnet" else "probability"
    assert (estimator.name, estimator.kind, estimator.layers) == (kind, scale, LAYERS)
    assert estimator.patch_shape == ((1, 1, 1) if kind in CELLS else (3, 3, 3))
    assert estimator.stops_early is (kind in NETWORKS)


def test_a_separable_toy_is_ordered_rightly(kind):
    estimator = _fitted(kind)
    patches, labels = _toy(estimator, seed=1)
    scores = estimator.score_samples(patches)
    assert scores.shape == labels.shape
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    assert estimator.kind == "deviation" or ((scores >= 0) & (scores <= 1)).all()
    assert roc_auc_score(labels, scores) > 0.95


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "weights"])
def test_missing_values_count_as_the_training_mean(kind):
    estimator = _fitted(kind)
    patches, _ = _toy(estimator, n=8, seed=2)
    train, _ = _toy(estimator)
    middle = tuple(size // 2 for size in estimator.patch_shape)
    mean = train[:, 1, *middle].astype(np.float64).mean()
    filled, missing = patches.copy(), patches.copy()
    filled[:, 1], missing[:, 1] = mean, np.nan
    np.testing.assert_allclose(estimator.score_samples(missing), estimator.score_samples(filled), rtol=1e-5)


def test_a_missing_value_is_no_evidence_for_weights_of_evidence():
    """The classic rule in place of the mean: it adds no weight, so that nothing known leaves the prior."""
    estimator = _fitted("weights")
    nothing = np.full((1, 3, 1, 1, 1), np.nan, np.float32)
    assert estimator.score_samples(nothing) == pytest.approx(0.5)  # half of the training cells are ore
    known, _ = _toy(estimator, n=1, seed=2)

    def log_odds(*layers):
        patches = nothing.copy()
        patches[:, layers] = known[:, layers]
        score = estimator.score_samples(patches).astype(float)
        return np.log(score / (1 - score))

    alone = [log_odds(layer) for layer in range(3)]
    np.testing.assert_allclose(log_odds(0, 1, 2), sum(alone), atol=1e-4)


def test_missing_values_are_allowed_in_training(kind):
    estimator = _make(kind)
    patches, labels = _toy(estimator)
    patches[::5, 2] = np.nan
    estimator.fit(patches, labels, rng=np.random.default_rng(0))
    assert np.isfinite(estimator.score_samples(patches)).all()


def test_filling_is_learned_from_centres_so_that_each_cell_counts_once(kind):
    estimator = _make(kind, patch_shape=(3, 3, 3))
    patches, labels = _toy(estimator)
    centres = patches[:, :, 1, 1, 1].copy()
    patches[:, 0, 0] = 99
    estimator.fit(patches, labels, rng=np.random.default_rng(0))
    np.testing.assert_allclose(estimator.scaling_.mean, centres.astype(float).mean(axis=0))
    np.testing.assert_allclose(estimator.scaling_.std, centres.astype(float).std(axis=0))


def test_a_constant_layer_is_noted_and_does_no_harm(kind):
    estimator = _make(kind)
    patches, labels = _toy(estimator)
    patches[:, 2] = 0.1
    estimator.fit(patches, labels, rng=np.random.default_rng(0))
    said = "layer 'resistivity' is 0.1 at every training cell and tells the model nothing."
    assert list(estimator.notes_).count(said) == 1
    assert np.isfinite(estimator.score_samples(patches)).all()


def test_a_layer_without_values_is_named(kind):
    estimator = _make(kind)
    patches, labels = _toy(estimator)
    patches[:, 1] = np.nan
    with pytest.raises(
        ValueError, match=r"no training cell has a value of 'fault_distance'. Leave the layer"
    ):
        estimator.fit(patches, labels, rng=np.random.default_rng(0))


def test_infinite_values_are_refused_with_their_layer(kind):
    estimator = _fitted(kind)
    patches, _ = _toy(estimator)
    patches[3, 1] = np.inf
    with pytest.raises(ValueError, match=r"layer 'fault_distance' holds infinite values. Mark missing"):
        estimator.score_samples(patches)


def test_a_seed_gives_the_same_model_twice_and_another_seed_another_where_anything_is_random(kind):
    patches, _ = _toy(_make(kind), seed=3)
    _fitted.cache_clear()
    again = _fitted(kind).score_samples(patches)
    _fitted.cache_clear()
    first, other = (_fitted(kind, seed=seed).score_samples(patches) for seed in (0, 9))
    assert np.array_equal(first, again)
    assert np.array_equal(first, other) is (kind in FIXED)


def test_global_random_states_are_left_alone(kind):
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    estimator = _make(kind)
    estimator.fit(*_toy(estimator), rng=np.random.default_rng(0))
    assert np.array_equal(before[0], np.random.get_state()[1])  # noqa: NPY002
    assert torch.equal(before[1], torch.get_rng_state())


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in FIXED])
def test_fitting_draws_from_the_given_generator(kind):
    used, idle = np.random.default_rng(0), np.random.default_rng(0)
    estimator = _make(kind)
    estimator.fit(*_toy(estimator), rng=used)
    assert used.bit_generator.state != idle.bit_generator.state


def test_scikit_learn_clones_and_reads_parameters(kind):
    estimator = _fitted(kind)
    copy = clone(estimator)
    assert copy.get_params() == estimator.get_params()
    assert set(copy.get_params()) == set(inspect.signature(type(estimator)).parameters)
    with pytest.raises(NotFittedError, match=r"not fitted yet. Call fit first"):
        copy.score_samples(_toy(copy)[0])


def test_scoring_does_not_depend_on_order_batches_or_threads(kind, rng):
    estimator = _fitted(kind)
    patches, _ = _toy(estimator, n=700, seed=4)
    whole = estimator.score_samples(patches)
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(estimator.score_samples, np.array_split(patches, 9)))
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-5, atol=1e-6)
    order = rng.permutation(len(patches))
    np.testing.assert_allclose(estimator.score_samples(patches[order]), whole[order], rtol=1e-5, atol=1e-6)
    assert estimator.score_samples(patches[:0]).shape == (0,)


def test_scoring_leaves_the_patches_as_they_are(kind):
    estimator = _fitted(kind)
    patches, _ = _toy(estimator)
    patches[0, 0] = np.nan
    before = patches.copy()
    estimator.score_samples(patches)
    assert np.array_equal(patches, before, equal_nan=True)


def test_progress_ends_at_its_total(kind):
    calls = []
    estimator = _make(kind)
    estimator.fit(*_toy(estimator), rng=np.random.default_rng(0), progress=lambda *call: calls.append(call))
    done, total = calls[-1][:2]
    assert done == total == (3 if kind in NETWORKS else total) > 0
    assert [call[0] for call in calls] == sorted(call[0] for call in calls)
    assert len(estimator.history_) == (3 if kind in NETWORKS else 0)


def test_a_folder_for_an_unfinished_fit_changes_nothing_in_the_model(kind, tmp_path):
    estimator = _make(kind)
    patches, labels = _toy(estimator)
    estimator.fit(patches, labels, rng=np.random.default_rng(0), checkpoint=tmp_path / "unfinished")
    assert np.array_equal(estimator.score_samples(patches), _fitted(kind).score_samples(patches))
    assert (tmp_path / "unfinished").exists() <= (kind in NETWORKS)


def test_groups_and_cells_to_stop_on_are_accepted_by_every_model(kind):
    estimator = _make(kind)
    patches, labels = _toy(estimator)
    held, held_labels = _toy(estimator, n=20, seed=8)
    groups = np.where(labels == 1, np.array(["North", "South"])[np.arange(60) // 2 % 2], "")
    estimator.fit(
        patches, labels, groups=groups, rng=np.random.default_rng(0), validation=(held, held_labels)
    )
    assert roc_auc_score(held_labels, estimator.score_samples(held)) > 0.9


@pytest.mark.parametrize(("label", "only"), [(0, "background"), (1, "deposit")])
def test_one_class_only_is_a_sentence(kind, label, only):
    estimator = _make(kind)
    patches, labels = _toy(estimator)
    with pytest.raises(ValueError, match=f"all 60 labels are {only}, a model needs cells of deposits"):
        estimator.fit(patches, np.full_like(labels, label), rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(3), r"60 patches need as many labels in one row, not an array of \(3,\)"),
        (np.arange(60) % 3, r"labels are 0 \(background\) and 1 \(deposit\), these hold \[0, 1, 2\]"),
    ],
)
def test_strange_labels_are_a_sentence(kind, labels, message):
    estimator = _make(kind)
    with pytest.raises(ValueError, match=message):
        estimator.fit(_toy(estimator)[0], labels, rng=np.random.default_rng(0))


def test_wrong_layers_patches_and_axes_are_sentences(kind):
    estimator = _fitted(kind)
    patches, _ = _toy(estimator)
    with pytest.raises(ValueError, match=r"have 2 layers and the model 3: 'density', 'fault_distance', 'res"):
        estimator.score_samples(patches[:, :2])
    wide = np.pad(patches, [(0, 0)] * 3 + [(1, 1)] * 2)
    with pytest.raises(ValueError, match=r"do not fit a model of .* Crop them first: samples.cropped\("):
        estimator.score_samples(wide)
    with pytest.raises(ValueError, match=r"have 2 axes, five are needed: sample, layer, z, y, x"):
        estimator.score_samples(patches[:, :, 0, 0, 0])


def test_an_even_patch_is_a_sentence(kind):
    estimator = _make(kind, patch_shape=(2, 3, 3))
    with pytest.raises(ValueError, match=r"patch_shape \(2, 3, 3\) is not three odd numbers"):
        estimator.fit(*_toy(estimator), rng=np.random.default_rng(0))


def test_a_network_on_one_cell_along_z_needs_planar_kernels(rng):
    estimator = _make("dl4", patch_shape=(1, 3, 3))
    with pytest.raises(
        ValueError, match=r"patch of \(1, 3, 3\) cells .* is smaller than the kernels. Use patch_"
    ):
        estimator.fit(*_toy(estimator), rng=rng)
    estimator.set_params(planar=True).fit(*_toy(estimator), rng=rng)
    assert estimator.score_samples(_toy(estimator)[0]).shape == (60,)


def test_a_saved_model_loads_with_identical_scores_and_no_pickle(kind, tmp_path):
    estimator = _fitted(kind)
    patches, _ = _toy(estimator, seed=7)
    save(estimator, tmp_path / "model", extra={"fold": "north"})
    assert {p.name for p in tmp_path.rglob("*") if p.is_file()} == {"model.json", estimator.weights_name}
    assert estimator.weights_name.endswith((".skops", ".safetensors", ".zip"))
    again = load(tmp_path / "model")
    assert np.array_equal(again.score_samples(patches), estimator.score_samples(patches))
    assert again.get_params() == estimator.get_params()
    assert again.history_ == estimator.history_
    found = json.loads((tmp_path / "model" / "model.json").read_text(encoding="utf-8"))
    assert found["extra"] == {"fold": "north"}
    assert set(found["versions"]) == {"mpm3d", "numpy", "scikit-learn", "torch"}
    assert found["scaling"]["density"]["mean"] == estimator.scaling_.mean[0]


def test_saving_again_replaces_the_model(kind, tmp_path):
    save(_fitted(kind), tmp_path)
    second = _fitted(kind, seed=9)
    save(second, tmp_path)
    patches, _ = _toy(second)
    assert np.array_equal(load(tmp_path).score_samples(patches), second.score_samples(patches))


def test_what_json_cannot_hold_is_refused_and_nothing_is_half_written(kind, tmp_path):
    folder = tmp_path / "model"
    with pytest.raises(ValueError, match=r"model.json takes text, finite numbers, lists and dicts only"):
        save(_fitted(kind), folder, extra={"grid": object()})
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_is_not_fitted_is_not_saved(kind, tmp_path):
    with pytest.raises(ValueError, match=f"model '{kind}' is not fitted, there is nothing to save. Call fit"):
        save(_make(kind), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_broken_folders_are_sentences(kind, tmp_path):
    estimator = _fitted(kind)
    save(estimator, tmp_path)
    weights, description = tmp_path / estimator.weights_name, tmp_path / "model.json"
    text, content = description.read_text(encoding="utf-8"), weights.read_bytes()

    weights.write_bytes(content[:-10])
    with pytest.raises(ValueError, match=r"is not the file that model.json was written for: it was cut or"):
        load(tmp_path)
    weights.unlink()
    with pytest.raises(ValueError, match=f"{estimator.weights_name} is missing, model.json names it. Copy"):
        load(tmp_path)
    weights.write_bytes(content)
    description.write_text(text[:200], encoding="utf-8")
    with pytest.raises(ValueError, match=r"is not readable as JSON .* it may be truncated. Fit again"):
        load(tmp_path)
    description.write_text("[]", encoding="utf-8")
    with pytest.raises(ValueError, match=r"does not describe a model, it has no 'format'"):
        load(tmp_path)
    description.write_text(text.replace('"format": 1', '"format": 9'), encoding="utf-8")
    with pytest.raises(ValueError, match=r"has format 9 and mpm3d .* reads up to 1. Update mpm3d"):
        load(tmp_path)
    description.write_text(text.replace(f'"model": "{kind}"', '"model": "oracle"'), encoding="utf-8")
    with pytest.raises(ValueError, match=r"does not describe a model \(there is no model 'oracle'"):
        load(tmp_path)
    description.unlink()
    with pytest.raises(ValueError, match=r"is no model folder. Fit a model first"):
        load(tmp_path)


def _forge(folder, name):
    """Let model.json vouch for a weights file that was put in its place."""
    description = folder / "model.json"
    found = json.loads(description.read_text(encoding="utf-8"))
    found["weights"]["sha256"] = sha256(folder / name)
    description.write_text(json.dumps(found), encoding="utf-8")


class _Trap:
    """A pickle of it makes a folder when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_weights_that_model_json_vouches_for_are_still_checked_and_never_run(kind, tmp_path):
    estimator, folder = _fitted(kind), tmp_path / "model"
    save(estimator, folder)
    weights = folder / estimator.weights_name
    content = weights.read_bytes()
    other = _fitted("logistic" if kind == "dl1" else "dl1")
    save(other, tmp_path / "other")
    forged = {
        "a pickle": pickle.dumps(_Trap(tmp_path / "run")),
        "cut": content[: len(content) // 2],
        "nothing": b"",
        "another model": (tmp_path / "other" / other.weights_name).read_bytes(),
    }
    for what, instead in forged.items():
        weights.write_bytes(instead)
        _forge(folder, weights.name)
        with pytest.raises(ValueError, match=r"Fit again"):
            load(folder)
        assert not (tmp_path / "run").exists(), what


def test_a_description_of_other_layers_or_settings_is_refused(kind, tmp_path):
    save(_fitted(kind), tmp_path)
    description = tmp_path / "model.json"
    found = json.loads(description.read_text(encoding="utf-8"))
    changes = (
        {"layers": [*found["layers"][:2], "gold"]},
        {"settings": found["settings"] | {"run": "me"}},
        {"scaling": {}},
        {"layers": None},
    )
    for change in changes:
        description.write_text(json.dumps(found | change), encoding="utf-8")
        with pytest.raises(ValueError, match=r"Fit again"):
            load(tmp_path)


def test_unknown_settings_are_told_with_those_there_are(kind):
    with pytest.raises(ValueError, match=rf"'{kind}' has no setting 'sparkle'. It has .*") as caught:
        make(kind, LAYERS, sparkle=1)
    assert all(name in str(caught.value) for name in QUICK[kind])


def test_weights_of_another_network_are_refused(tmp_path):
    save(_fitted("dl1"), tmp_path)
    save_file({"first.bias": np.zeros(3, np.float32)}, tmp_path / "weights.safetensors")
    _forge(tmp_path, "weights.safetensors")
    with pytest.raises(ValueError, match=r"its weights are not those of dl1 on 3 layers"):
        load(tmp_path)


def _wrong_forest(what):
    estimator = _make("forest")
    patches, labels = _toy(estimator)
    flat = patches[:, :, 0, 0, 0]
    forest = RandomForestClassifier(3, random_state=0)
    if what == "another model":
        return ExtraTreesClassifier(3).fit(flat, labels)
    if what == "a date":
        return {"when": datetime.date(2020, 1, 1)}
    if what == "fewer features":
        return forest.fit(flat[:, :2], labels)
    forest.fit(flat, labels)
    forest.estimators_[0].tree_.__getstate__()["nodes"]["left_child"][0] = 10**6
    return forest


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("another model", "it holds no fitted random forest"),
        ("a date", "it holds objects that no forest needs: .*date"),
        ("fewer features", "its forest has 2 features and the model 3"),
        ("a wild node", "a tree of it points outside itself"),
    ],
)
def test_forged_forests_are_refused(what, message, tmp_path):
    save(_fitted("forest"), tmp_path)
    skops.io.dump(_wrong_forest(what), tmp_path / "forest.skops")
    _forge(tmp_path, "forest.skops")
    with pytest.raises(ValueError, match=message):
        load(tmp_path)


def test_unknown_kinds_settings_and_layers_list_what_is_allowed():
    with pytest.raises(ValueError, match=r"no model 'svm'. Choose one of forest, boosting, .*, dl4, cbam"):
        make("svm", LAYERS)
    with pytest.raises(ValueError, match=r"'forest' has no setting 'epochs'. It has balanced, max_depth"):
        make("forest", LAYERS, epochs=3)
    with pytest.raises(ValueError, match=r"'dl3' has no setting 'blocks'. It has batch_size, blend, device"):
        make("dl3", LAYERS, blocks=2)
    with pytest.raises(ValueError, match=r"one layer or more, each named once, not \['a', 'a'\]"):
        make("forest", ["a", "a"])
    with pytest.raises(ValueError, match=r"one layer or more, each named once, not \[\]"):
        make("forest", [])


def test_a_forest_may_see_the_patch_and_never_tries_more_features_than_it_has(rng):
    estimator = make("forest", ("only",), max_features=3, n_estimators=5)
    labels = np.arange(20) % 2
    patches = (labels[:, None, None, None, None] + np.zeros((20, 1, 1, 1, 1))).astype(np.float32)
    assert estimator.fit(patches, labels, rng=rng).forest_.max_features == 1
    wide = make("forest", ("only",), patch_shape=(3, 3, 3), n_estimators=5)
    wide.fit(np.broadcast_to(patches, (20, 1, 3, 3, 3)), labels, rng=rng)
    assert wide.forest_.n_features_in_ == 27


def test_scaling_survives_large_offsets_and_its_own_dict():
    values = np.array([1e5, 1e5 + 1, np.nan, 1e5 + 2], dtype=np.float32).reshape(4, 1, 1, 1, 1)
    scaling = Scaling.learn(values, ["depth"])
    assert scaling.mean == (100001.0,)
    assert scaling.std == pytest.approx((np.sqrt(2 / 3),))
    assert Scaling.from_dict(scaling.to_dict(), ["depth"]) == scaling
    assert scaling.standardise(values).ravel().tolist() == pytest.approx([-1.2247, 0, 0, 1.2247], abs=1e-4)
    assert scaling.fill(values)[2].item() == 100001.0


def test_the_room_of_models_opens_without_torch():
    code = "import sys, mpm3d.models; mpm3d.models.make('forest', ['a']); print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
