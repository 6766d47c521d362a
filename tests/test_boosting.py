"""Gradient boosting with monotone layers."""

from __future__ import annotations

import json
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from mpm3d.models import load, save
from mpm3d.models.boosted_trees import BoostedTrees
from mpm3d.models.boosting import Boosting
from mpm3d.models.folder import sha256

LAYERS = ("density", "fault_distance", "resistivity")


def _samples(rng, n=400, shape=(1, 1, 1)):
    """Deposits are near faults, and in a band of middle densities."""
    labels = np.arange(n) % 2
    values = rng.normal(size=(n, 3, *shape)).astype(np.float32)
    values[:, 0] *= np.where(labels, 0.4, 1.5)[:, None, None, None]
    values[:, 1] = 900 + 400 * values[:, 1] - 500 * labels[:, None, None, None]
    return values, labels


def _oracle(model, table, labels, seed, signs):
    return HistGradientBoostingClassifier(
        max_iter=model.n_estimators,
        learning_rate=model.learning_rate,
        max_depth=model.max_depth,
        max_leaf_nodes=2**model.max_depth,
        min_samples_leaf=model.min_samples_leaf,
        l2_regularization=model.l2,
        max_features=model.max_features,
        monotonic_cst=list(signs),
        early_stopping=False,
        random_state=seed,
    ).fit(table, labels)


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5, 6])
def test_scores_are_exactly_those_of_scikit_learn(rng, depth):
    patches, labels = _samples(rng, n=1500)
    model = Boosting(LAYERS, {"fault_distance": "decreasing"}, 30, max_depth=depth, min_samples_leaf=3)
    model.fit(patches, labels, rng=np.random.default_rng(4))
    seed = int(np.random.default_rng(4).integers(2**31 - 1))
    oracle = _oracle(model, patches[:, :, 0, 0, 0], labels, seed, signs=(0, -1, 0))
    fresh = _samples(rng, n=3000)[0][:, :, 0, 0, 0]
    # Values on the thresholds themselves, where left and right part.
    at = model.trees_.threshold[model.trees_.feature == 1].astype(np.float32)
    fresh[: len(at), 1] = at
    assert model.trees_.n_trees == 30
    assert np.array_equal(model._probability(fresh), oracle.predict_proba(fresh)[:, 1])


@pytest.mark.parametrize(("word", "sign"), [("decreasing", -1), ("increasing", 1)])
def test_the_score_is_monotone_in_a_named_layer_exactly(rng, word, sign):
    patches, labels = _samples(rng)
    model = Boosting(LAYERS, {"fault_distance": word}, min_samples_leaf=3, learning_rate=0.3)
    patches[:, 1] *= -sign  # the data say the same as the constraint
    model.fit(patches, labels, rng=rng)
    steps = np.linspace(patches[:, 1].min() - 100, patches[:, 1].max() + 100, 301)
    moved = False
    for cell in patches[:40]:
        grid = np.repeat(cell[None], len(steps), axis=0)
        grid[:, 1, 0, 0, 0] = steps
        change = sign * np.diff(model.score_samples(grid))
        assert (change >= 0).all()
        moved |= bool((change > 0).any())
    assert moved


def test_without_the_constraint_the_same_fit_is_not_monotone(rng):
    patches, labels = _samples(rng)
    model = Boosting(LAYERS, min_samples_leaf=3, learning_rate=0.3).fit(patches, labels, rng=rng)
    grid = np.repeat(patches[:1], 301, axis=0)
    grid[:, 1, 0, 0, 0] = np.linspace(-500, 2500, 301)
    change = np.diff(model.score_samples(grid))
    assert (change > 0).any()
    assert (change < 0).any()


def test_a_constraint_holds_for_every_cell_of_a_patch(rng):
    patches, labels = _samples(rng, shape=(1, 3, 3))
    model = Boosting(LAYERS, {"fault_distance": "decreasing"}, patch_shape=(1, 3, 3), min_samples_leaf=3)
    model.fit(patches, labels, rng=rng)
    cells = {column - 9 for column in model.trees_.used if 9 <= column < 18}
    assert len(cells) > 5
    for cell in cells:
        grid = np.repeat(patches[:1], 101, axis=0)
        grid.reshape(101, 3, 9)[:, 1, cell] = np.linspace(-500, 2500, 101)
        assert (np.diff(model.score_samples(grid)) <= 0).all()


def test_a_constraint_that_the_samples_contradict_leaves_the_layer_out_and_says_so(rng):
    labels = np.arange(200) % 2
    patches = rng.normal(size=(200, 3, 1, 1, 1)).astype(np.float32)
    patches[:, 1] = 900 + rng.normal(size=(200, 1, 1, 1)) + 1000 * labels[:, None, None, None]
    model = Boosting(LAYERS, {"fault_distance": "decreasing"}, 20, max_depth=1)
    model.fit(patches, labels, rng=rng)
    assert 1 not in model.trees_.used
    assert model.notes_ == (
        "the score may only be decreasing in layer 'fault_distance', and no tree uses it: the training cells "
        "say the contrary, or other layers tell as much.",
    )
    free = Boosting(LAYERS, None, 20, max_depth=1).fit(patches, labels, rng=rng)
    assert free.notes_ == ()
    assert roc_auc_score(labels, free.score_samples(patches)) == 1


def test_noise_with_random_labels_tells_nothing_about_other_cells():
    areas = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        patches = rng.normal(size=(1200, 3, 1, 1, 1)).astype(np.float32)
        labels = rng.integers(0, 2, 1200)
        model = Boosting(LAYERS, {"density": "increasing"}).fit(patches[:400], labels[:400], rng=rng)
        areas.append(roc_auc_score(labels[400:], model.score_samples(patches[400:])))
    assert np.mean(areas) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"monotone": {"gravity": "increasing"}},
            r"monotone names 'gravity', which is not a layer .* 'density',",
        ),
        ({"monotone": {"density": "up"}}, r"monotone says 'up' for layer 'density'. Say 'decreasing' \(the"),
        ({"n_estimators": 0}, "n_estimators is 0, it must be a whole number from 1 on"),
        ({"min_samples_leaf": 2.5}, "min_samples_leaf is 2.5, it must be a whole number from 1 on"),
        ({"max_depth": 7}, "max_depth is 7, it must be a whole number from 1 to 6. Deeper trees learn"),
        ({"max_depth": None}, "max_depth is None, it must be a whole number from 1 to 6"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0, it must be above 0 and at most 1"),
        ({"l2": -1.0}, "l2 is -1.0, it must be 0 or more"),
        ({"max_features": 0.0}, "max_features is 0.0, it is a share of the features, above 0 and at most 1"),
        ({"max_features": 3}, "max_features is 3, it is a share of the features"),
    ],
)
def test_impossible_settings_are_sentences(rng, settings, message):
    with pytest.raises(ValueError, match=message):
        Boosting(LAYERS, **settings).fit(*_samples(rng), rng=rng)


def test_a_fit_that_fails_leaves_a_model_that_is_not_fitted(rng):
    patches, labels = _samples(rng)
    model = Boosting(LAYERS, n_estimators=3).fit(patches, labels, rng=rng)
    with pytest.raises(ValueError, match="l2 is -1"):
        model.set_params(l2=-1).fit(patches, labels, rng=rng)
    with pytest.raises(ValueError, match="this boosting model is not fitted yet"):
        model.score_samples(patches)


def test_too_few_cells_for_a_split_score_alike_and_a_note_says_so(rng):
    patches, labels = _samples(rng, n=30)
    model = Boosting(LAYERS).fit(patches, labels, rng=rng)
    assert np.array_equal(model.score_samples(patches), np.full(30, 0.5, np.float32))
    assert model.notes_ == (
        "no tree could split 30 training cells and keep 20 of them in each leaf, so every cell scores the "
        "same. Lower min_samples_leaf.",
    )


def test_a_saved_model_has_the_same_trees_and_scores_to_the_bit(rng, tmp_path):
    patches, labels = _samples(rng)
    model = Boosting(LAYERS, {"fault_distance": "decreasing"}).fit(patches, labels, rng=rng)
    save(model, tmp_path)
    again = load(tmp_path)
    table = patches[:, :, 0, 0, 0]
    assert np.array_equal(again._probability(table), model._probability(table))
    assert again.monotone == {"fault_distance": "decreasing"}
    for name, array in model.trees_.arrays().items():
        assert np.array_equal(getattr(again.trees_, name), array)
    save(again, tmp_path / "copy")
    assert sha256(tmp_path / "copy" / "weights.safetensors") == sha256(tmp_path / "weights.safetensors")


def test_missing_values_are_the_training_mean_and_not_a_branch_of_their_own(rng):
    patches, labels = _samples(rng)
    patches[labels == 1, 2] = np.nan  # scikit-learn's own rule would tell deposits by the gap alone
    model = Boosting(LAYERS).fit(patches, labels, rng=np.random.default_rng(0))
    filled = patches.copy()
    filled[labels == 1, 2] = patches[labels == 0, 2].mean(dtype=np.float64)
    assert np.array_equal(model.score_samples(patches), model.score_samples(filled))
    other = Boosting(LAYERS).fit(filled, labels, rng=np.random.default_rng(0))
    assert np.array_equal(model.score_samples(patches), other.score_samples(patches))


def test_threads_and_batches_score_alike_and_patches_are_not_copied(rng):
    patches, labels = _samples(rng)
    model = Boosting(LAYERS).fit(patches, labels, rng=rng)
    volume = _samples(rng, n=9000)[0]
    whole = model.score_samples(volume)
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(model.score_samples, np.array_split(volume, 7)))
    assert np.array_equal(np.concatenate(parts), whole)
    tracemalloc.start()
    model.score_samples(volume)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Words of 100 trees for 1024 cells at a time, and a few numbers a cell.
    assert peak < 2_000_000


def _arrays(tmp_path, rng):
    save(Boosting(LAYERS, n_estimators=5).fit(*_samples(rng), rng=rng), tmp_path)
    return load_file(tmp_path / "weights.safetensors")


def _forge(tmp_path, arrays):
    save_file(arrays, tmp_path / "weights.safetensors")
    found = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
    found["weights"]["sha256"] = sha256(tmp_path / "weights.safetensors")
    (tmp_path / "model.json").write_text(json.dumps(found), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "place", "value", "message"),
    [
        ("left", 0, 10**6, "a tree of it points outside itself"),
        ("right", 0, -5, "a tree of it points outside itself"),
        ("left", 0, 0, "a tree of it points outside itself"),
        ("right", 0, 1, "a node of it does not hang on exactly one other"),
        ("feature", 0, 3, "looks at a column outside the model's 3"),
        ("feature", 0, -2, "looks at a column outside the model's 3"),
        ("feature", 0, -1, "a node of it does not hang on exactly one other"),
        ("threshold", 0, np.nan, "its threshold is not finite everywhere"),
        ("value", 1, np.inf, "its value is not finite everywhere"),
        ("start", 0, 1, "its arrays do not belong together"),
        ("start", 1, 10**9, "its arrays do not belong together"),
        ("start", 2, 0, "its arrays do not belong together"),
        ("start", 1, 3, "points outside itself|does not hang"),
    ],
)
def test_forged_trees_are_refused(rng, tmp_path, name, place, value, message):
    arrays = _arrays(tmp_path, rng)
    arrays[name][place] = value
    _forge(tmp_path, arrays)
    with pytest.raises(ValueError, match=message):
        load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("value"), "which is not a set of boosted trees"),
        (lambda a: a.update(value=a["value"].astype(np.float32)), "which is not a set of boosted trees"),
        (lambda a: a.update(value=a["value"][:-1].copy()), "its arrays do not belong together"),
        (lambda a: a.update(baseline=np.zeros(2)), "its arrays do not belong together"),
        (lambda a: a.update(start=np.zeros(1, np.int64)), "its arrays do not belong together"),
        (lambda a: a.update(start=a["start"].reshape(1, -1)), "its arrays do not belong together"),
    ],
)
def test_arrays_of_another_kind_are_refused(rng, tmp_path, change, message):
    arrays = _arrays(tmp_path, rng)
    change(arrays)
    _forge(tmp_path, arrays)
    with pytest.raises(ValueError, match=message):
        load(tmp_path)


def test_a_tree_of_too_many_leaves_is_refused():
    n = 65  # leaves of a comb: each inner node has a leaf on its left and the next node on its right
    feature = np.array([0, -1] * (n - 1) + [-1], dtype=np.int32)
    node = np.arange(2 * n - 1, dtype=np.int32)
    inner = feature == 0
    arrays = {
        "baseline": np.zeros(1),
        "start": np.array([0, 2 * n - 1]),
        "feature": feature,
        "threshold": np.zeros(2 * n - 1),
        "left": np.where(inner, node + 1, 0).astype(np.int32),
        "right": np.where(inner, node + 2, 0).astype(np.int32),
        "value": np.zeros(2 * n - 1),
    }
    with pytest.raises(ValueError, match="a tree of it has more than 64 leaves"):
        BoostedTrees.checked(arrays, 1)


def test_a_comb_of_64_leaves_ends_at_the_leaf_that_a_slow_walk_finds(rng):
    n = 64
    inner = np.array([True, False] * (n - 1) + [False])
    node = np.arange(2 * n - 1, dtype=np.int32)
    arrays = {
        "baseline": np.array([0.25]),
        "start": np.array([0, 2 * n - 1]),
        "feature": np.where(inner, 0, -1).astype(np.int32),
        "threshold": np.where(inner, rng.permutation(2 * n - 1), 0).astype(np.float64),
        "left": np.where(inner, node + 1, 0).astype(np.int32),
        "right": np.where(inner, node + 2, 0).astype(np.int32),
        "value": np.where(inner, 0, rng.normal(size=2 * n - 1)),
    }
    trees = BoostedTrees.checked(arrays, 1)
    rows = np.arange(-1, 2 * n, 0.5, dtype=np.float32)[:, None]
    expected = []
    for (value,) in rows:
        at = 0
        while inner[at]:
            at = arrays["left"][at] if value <= arrays["threshold"][at] else arrays["right"][at]
        expected.append(0.25 + arrays["value"][at])
    assert np.array_equal(trees.sum(rows), expected)
