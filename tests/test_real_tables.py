"""Real tables without a grid: what a random split claims and what space leaves of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold

from mpm3d import splits
from mpm3d.point_samples import from_table
from mpm3d.samples import Samples

LAYERS = ["Agppm", "Cuppm", "Asppm", "Sper", "ISBD"]


@pytest.fixture
def bonnie(data_dir: Path) -> Samples:
    """Blocks of 5 m; ore is the tenth with most gold. Coordinates and gold are no evidence."""
    path = data_dir / "bonnie_block_model" / "bonnie.csv"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    return from_table(
        pd.read_csv(path), layers=LAYERS, label=("Auppm", 0.741), xyz=("EAST", "NORTH", "RL"),
        spacing=(5.0, 10.0, 5.0),
    )  # fmt: skip


def pooled_auc(samples: Samples, folds: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """AUC of scikit-learn's forest over all rows, each scored by the fold that tests it."""
    features, scores = samples.patches[:, :, 0, 0, 0], np.full(len(samples), np.nan)
    for train, test in folds:
        # a fifth of the rows a tree, for speed: 100 trees on all rows give .963, .895 and .827
        forest = RandomForestClassifier(50, max_samples=0.2, min_samples_leaf=2, random_state=0)
        forest.fit(features[train], samples.label[train])
        scores[test] = forest.predict_proba(features[test])[:, 1]
    return float(roc_auc_score(samples.label, scores))


def test_the_auc_falls_from_random_folds_to_50_m_blocks_to_northing_slabs(bonnie):
    """An independent run gave a forest .967, .883 and .829."""
    assert len(bonnie) == 19_618
    assert bonnie.label.sum() == 1963
    assert bonnie.notes == ()
    rng = np.random.default_rng(0)
    by_block = splits.block_folds(bonnie, folds=5, buffer=0, size=50, rng=rng)
    by_slab = splits.block_folds(bonnie, folds=5, buffer=0, axis="y", rng=rng)
    at_random = list(KFold(5, shuffle=True, random_state=0).split(bonnie.xyz))
    blocks = pooled_auc(bonnie, [(fold.train, fold.test) for fold in by_block])
    slabs = pooled_auc(bonnie, [(fold.train, fold.test) for fold in by_slab])
    random = pooled_auc(bonnie, at_random)
    assert random == pytest.approx(0.967, abs=0.02)
    assert blocks == pytest.approx(0.883, abs=0.02)
    assert slabs == pytest.approx(0.829, abs=0.02)
    assert random > blocks + 0.04 > slabs + 0.06


def test_blocks_of_50_m_are_whole_and_none_loses_samples_without_a_buffer(bonnie):
    folds = splits.block_folds(bonnie, folds=5, buffer=0, size=50, rng=np.random.default_rng(1))
    assert [fold.n_dropped for fold in folds] == [0] * 5
    cube = np.floor((bonnie.xyz - bonnie.xyz.min(axis=0)) / 50) @ [1, 1000, 1_000_000]
    owners = [set(cube[fold.test]) for fold in folds]
    assert sum(map(len, owners)) == len(np.unique(cube))
    with_buffer = splits.block_folds(bonnie, folds=5, buffer=15, size=50, rng=np.random.default_rng(1))
    assert min(fold.n_dropped for fold in with_buffer) > 1000
