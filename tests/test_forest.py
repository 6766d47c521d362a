"""The random forest, and the search for its settings."""

from __future__ import annotations

import json
import logging
import sys

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.tree import DecisionTreeRegressor

from mpm3d.models import load, save
from mpm3d.models.folder import sha256
from mpm3d.models.forest import Forest
from mpm3d.models.forest_search import search_settings

LAYERS = ("density", "fault_distance", "place")


def _samples(rng, n=120, deposits=("a", "b", "c")):
    """Deposits differ from background in density a little; their place tells each of them apart entirely."""
    labels = (np.arange(n) < n // 2).astype(int)
    groups = np.where(labels == 1, np.array(deposits)[np.arange(n) % len(deposits)], "")
    table = rng.normal(size=(n, 3))
    table[:, 0] += 1.2 * labels
    table[:, 2] = rng.integers(0, 1000, n)
    for number, name in enumerate(deposits):
        table[groups == name, 2] = 200 + 300 * number + rng.normal(size=(groups == name).sum())
    return table.astype(np.float32).reshape(n, 3, 1, 1, 1), labels, groups


def _searched(samples, seed=0, **settings):
    patches, labels, groups = samples
    forest = Forest(LAYERS, n_estimators=25, search=4, **settings)
    return forest.fit(patches, labels, groups=groups, rng=np.random.default_rng(seed))


def test_scores_are_those_of_scikit_learn(rng):
    patches, labels, groups = _samples(rng)
    forest = Forest(LAYERS, 20, max_depth=4, max_features=2, min_samples_leaf=5)
    forest.fit(patches, labels, groups=groups, rng=np.random.default_rng(3))
    seed = int(np.random.default_rng(3).integers(2**31 - 1))
    oracle = RandomForestClassifier(20, max_depth=4, max_features=2, min_samples_leaf=5, random_state=seed)
    table = patches[:, :, 0, 0, 0]
    expected = oracle.fit(table, labels).predict_proba(table)[:, 1].astype(np.float32)
    assert np.array_equal(forest.score_samples(patches), expected)
    assert min(t.tree_.n_node_samples.min() for t in forest.forest_.estimators_) >= 1
    assert forest.search_ == {}


def test_leaves_hold_as_many_cells_as_asked(rng):
    patches, labels, _ = _samples(rng)
    forest = Forest(LAYERS, 10, min_samples_leaf=15).fit(patches, labels, rng=rng)
    for member in forest.forest_.estimators_:
        leaves = member.tree_.children_left == -1
        assert member.tree_.weighted_n_node_samples[leaves].min() >= 15


def test_a_search_scores_each_trial_on_deposits_that_it_has_not_seen(rng, monkeypatch):
    patches, labels, groups = _samples(rng)
    table, seen = patches[:, :, 0, 0, 0], []
    fit = RandomForestClassifier.fit

    def spy(self, features, target, **more):
        seen.append(
            ({groups[np.flatnonzero((table == row).all(axis=1))[0]] for row in features}, len(target))
        )
        return fit(self, features, target, **more)

    monkeypatch.setattr(RandomForestClassifier, "fit", spy)
    found = search_settings(
        table, labels, groups, first=Forest(LAYERS)._settings(3) | {"n_estimators": 5}, trials=2, rng=rng
    )
    assert found.folds == "deposits"
    # Two trials of three folds; each has two of the deposits, and two thirds of the background.
    assert [names - {""} for names, _ in seen] == 2 * [{"b", "c"}, {"a", "c"}, {"a", "b"}]
    assert [n for _, n in seen] == 6 * [40 + 40]


def test_the_search_says_what_it_chose_and_the_forest_follows_it(rng):
    forest = _searched(_samples(rng))
    chosen = forest.search_["settings"]
    assert set(chosen) == {"n_estimators", "max_depth", "max_features", "min_samples_leaf"}
    assert {name: getattr(forest.forest_, name) for name in chosen} == chosen
    assert (forest.search_["trials"], forest.search_["folds"]) == (4, "deposits")
    text = ", ".join(f"{name} {value}" for name, value in chosen.items())
    assert forest.notes_ == (
        f"4 trials, scored by leaving one deposit out at a time, chose {text}, with a mean AUC of "
        f"{forest.search_['auc']:.3f}.",
    )
    assert forest.get_params()["n_estimators"] == 25


def test_the_first_trial_is_the_settings_given_so_that_the_choice_is_never_worse(rng):
    patches, labels, groups = _samples(rng)
    table, first = patches[:, :, 0, 0, 0], {**Forest(LAYERS)._settings(3), "n_estimators": 12}
    one, many = (
        search_settings(table, labels, groups, first=first, trials=n, rng=np.random.default_rng(1))
        for n in (1, 6)
    )
    assert one.settings == first
    assert many.auc >= one.auc


def test_the_area_of_a_search_is_the_mean_over_left_out_deposits(rng):
    """One trial, computed again by hand; folds by the order of deposits, background dealt as drawn."""
    patches, labels, groups = _samples(rng)
    table, first = patches[:, :, 0, 0, 0], {**Forest(LAYERS)._settings(3), "n_estimators": 12}
    found = search_settings(table, labels, groups, first=first, trials=1, rng=np.random.default_rng(7))
    again = np.random.default_rng(7)
    dealt = again.permutation(60) % 3
    _, seed = (int(again.integers(2**31 - 1)) for _ in range(2))
    areas = []
    for number, name in enumerate("abc"):
        test = groups == name
        test[np.flatnonzero(labels == 0)[dealt == number]] = True
        forest = RandomForestClassifier(**first, random_state=seed).fit(table[~test], labels[~test])
        areas.append(roc_auc_score(labels[test], forest.predict_proba(table[test])[:, 1]))
    assert found.auc == pytest.approx(np.mean(areas), rel=1e-12)


def test_leaving_deposits_out_shows_what_random_folds_hide(rng):
    """Place tells known deposits from background, and says nothing about one that was left out."""
    patches, labels, groups = _samples(rng, n=240)
    by_deposit = _searched((patches, labels, groups))
    blind = _searched((patches, labels, None))
    assert blind.search_["auc"] > 0.95
    assert by_deposit.search_["auc"] < 0.85


def test_without_two_deposits_the_folds_are_random_and_a_note_says_so(rng):
    patches, labels, groups = _samples(rng, deposits=("only",))
    for names in (groups, None):
        forest = _searched((patches, labels, names))
        assert forest.search_["folds"] == "random"
        assert "leaving cells out at random, wherever they lie, as fewer than two" in forest.notes_[0]


def test_a_seed_gives_the_same_choice_twice(rng):
    samples = _samples(rng)
    one, two, other = (_searched(samples, seed) for seed in (0, 0, 5))
    assert one.search_ == two.search_
    assert np.array_equal(one.score_samples(samples[0]), two.score_samples(samples[0]))
    assert one.search_ != other.search_


def test_a_search_never_looks_at_validation_data(rng):
    patches, labels, groups = _samples(rng)
    forests = [
        Forest(LAYERS, 10, search=3).fit(
            patches, labels, groups=groups, rng=np.random.default_rng(0), validation=validation
        )
        for validation in (None, (patches[::-1] * np.nan, labels[::-1]))
    ]
    assert forests[0].search_ == forests[1].search_


def test_progress_counts_trials_and_the_last_fit(rng):
    patches, labels, groups = _samples(rng)
    calls = []
    Forest(LAYERS, 5, search=3).fit(
        patches, labels, groups=groups, rng=rng, progress=lambda *call: calls.append(call)
    )
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_the_search_is_silent_and_leaves_the_log_level_of_optuna_as_it_was(rng, capfd):
    import optuna

    optuna.logging.set_verbosity(logging.INFO)
    _searched(_samples(rng))
    assert optuna.logging.get_verbosity() == logging.INFO
    assert capfd.readouterr() == ("", "")


def test_what_was_searched_survives_the_folder(rng, tmp_path):
    samples = _samples(rng)
    forest = _searched(samples)
    save(forest, tmp_path)
    again = load(tmp_path)
    assert again.search_ == forest.search_
    assert again.learned() == forest.learned()
    assert np.array_equal(again.score_samples(samples[0]), forest.score_samples(samples[0]))


def test_a_depth_without_limit_can_start_a_search(rng):
    forest = _searched(_samples(rng), max_depth=None)
    assert 2 <= forest.search_["settings"]["max_depth"] <= 12


def test_a_search_without_optuna_names_the_extra(rng, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"'optuna' is not installed. .* pip install 'mpm3d\[tune\]'"):
        _searched(_samples(rng))


@pytest.mark.parametrize("search", [-1, 1.5])
def test_an_impossible_number_of_trials_is_a_sentence(rng, search):
    patches, labels, _ = _samples(rng)
    with pytest.raises(ValueError, match=f"search is {search}, it is a number of trials, 0 for no search"):
        Forest(LAYERS, search=search).fit(patches, labels, rng=rng)


def test_too_few_background_cells_for_the_folds_are_a_sentence(rng):
    patches, labels, groups = _samples(rng)
    keep = np.flatnonzero((labels == 1) | (np.cumsum(labels == 0) <= 2))
    with pytest.raises(ValueError, match=r"60 and 2 cells cannot fill 3. Use search=0, or more samples"):
        _searched((patches[keep], labels[keep], groups[keep]))
    one = np.array([0, -1])
    with pytest.raises(ValueError, match=r"1 and 1 cells cannot fill 2. Use search=0, or more samples"):
        _searched((patches[one], labels[one], groups[one]))


def _forge(forest, what):
    if what == "another tree":
        tree = forest.estimators_[0].tree_
        forest.estimators_[0] = DecisionTreeRegressor().fit(np.zeros((2, 3)), [0, 1])
        forest.estimators_[0].tree_ = tree
    else:
        forest.estimators_[0].tree_.__getstate__()["values"][0] = what


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("another tree", "its forest holds a DecisionTreeRegressor among the trees"),
        (np.nan, "a leaf of it holds no share of deposit cells"),
        (-3.0, "a leaf of it holds no share of deposit cells"),
    ],
)
def test_forged_leaves_are_refused(rng, tmp_path, what, message):
    patches, labels, _ = _samples(rng)
    forest = Forest(LAYERS, 3).fit(patches, labels, rng=rng)
    save(forest, tmp_path)
    _forge(forest.forest_, what)
    skops.io.dump(forest.forest_, tmp_path / "forest.skops")
    found = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
    found["weights"]["sha256"] = sha256(tmp_path / "forest.skops")
    (tmp_path / "model.json").write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load(tmp_path)
