"""Models on the layers that are left when correlated ones are taken out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mpm3d.models import load, make, save

LAYERS = ("Li", "Cu", "Rb", "Sn", "W")


@pytest.fixture
def toy():
    """Rb mirrors Li, W follows Sn from afar, Cu is alone; missing values here and there."""
    rng = np.random.default_rng(4)
    labels = np.repeat([1, 0], 60)
    li, cu, sn = rng.normal(size=(3, 120))
    table = np.stack(
        [li + 2 * labels, cu, -3 * (li + 2 * labels) + 40, sn, sn + rng.normal(size=120)], axis=1
    )
    table[rng.random(table.shape) < 0.05] = np.nan
    return table.astype(np.float32).reshape(120, 5, 1, 1, 1), labels


def _kept_by_pandas(patches, limit):
    """The same rule with pandas' own correlation, whose pairs leave missing values out too."""
    table = pd.DataFrame(patches[:, :, 0, 0, 0].astype(float), columns=LAYERS).corr().abs()
    kept = []
    for name in LAYERS:
        if not kept or table.loc[kept, name].max() <= limit:
            kept.append(name)
    return tuple(kept)


@pytest.mark.parametrize("limit", [0.2, 0.65, 0.95, 1.0])
def test_no_two_layers_that_stay_are_correlated_by_more_than_the_limit(toy, limit):
    model = make("pruned", LAYERS, base="logistic", limit=limit).fit(*toy, rng=np.random.default_rng(0))
    assert model.kept_ == _kept_by_pandas(toy[0], limit)


def test_what_went_is_said_with_its_correlation(toy):
    model = make("pruned", LAYERS, base="forest", limit=0.9).fit(*toy, rng=np.random.default_rng(0))
    assert model.notes_[0].startswith(
        "1 of 5 layers left out, correlated by more than 0.9 with one that stays: Rb (-1.00 with Li)."
    )


def test_scores_are_those_of_the_base_on_the_layers_that_stay(toy):
    patches, labels = toy
    pruned = make("pruned", LAYERS, base="forest", settings={"n_estimators": 9}, limit=0.65)
    pruned.fit(patches, labels, rng=np.random.default_rng(3))
    places = [LAYERS.index(name) for name in pruned.kept_]
    alone = make("forest", pruned.kept_, n_estimators=9)
    alone.fit(patches[:, places], labels, rng=np.random.default_rng(3))
    assert np.array_equal(pruned.score_samples(patches), alone.score_samples(patches[:, places]))


def test_cells_that_are_not_trained_on_choose_nothing(toy, tmp_path):
    patches, labels = toy
    held = patches.copy()
    held[:, 1] = held[:, 3]  # Cu mirrors Sn where nothing is learned
    settings = {"epochs": 2, "device": "cpu"}
    model = make("pruned", LAYERS, base="devnet", settings=settings, limit=0.9)
    model.fit(patches, labels, rng=np.random.default_rng(0), validation=(held, labels))
    assert model.kept_ == ("Li", "Cu", "Sn", "W")
    save(model, tmp_path)
    again = load(tmp_path)
    assert again.kept_ == model.kept_
    assert np.array_equal(again.score_samples(held), model.score_samples(held))


def test_the_direction_of_a_layer_that_went_goes_with_it(toy):
    ways = {"Li": "increasing", "Rb": "decreasing"}
    model = make("pruned", LAYERS, base="boosting", settings={"monotone": ways, "n_estimators": 5}, limit=0.9)
    model.fit(*toy, rng=np.random.default_rng(0))
    assert model.model_.get_params()["monotone"] == {"Li": "increasing"}


def test_a_layer_that_is_the_same_everywhere_stays_and_is_said(toy):
    patches, labels = toy
    patches[:, 1] = 7
    model = make("pruned", LAYERS, base="logistic").fit(patches, labels, rng=np.random.default_rng(0))
    assert "Cu" in model.kept_
    assert any("layer 'Cu' is 7 at every training cell" in note for note in model.notes_)


@pytest.mark.parametrize("limit", [0, -0.5, 1.5, np.nan])
def test_a_limit_that_is_no_correlation_is_refused(toy, limit):
    with pytest.raises(ValueError, match=r"limit is .*, a correlation above 0 and at most 1 is needed"):
        make("pruned", LAYERS, limit=limit).fit(*toy, rng=np.random.default_rng(0))


def test_pruning_what_is_pruned_is_refused(toy):
    with pytest.raises(ValueError, match=r"would prune what is pruned"):
        make("pruned", LAYERS, base="pruned").fit(*toy, rng=np.random.default_rng(0))
