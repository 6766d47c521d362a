"""The random forest on the cell itself, the paper's baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from mpm3d.models.forest_search import search_settings
from mpm3d.models.scaling import Float32
from mpm3d.models.tabular import Float64, Progress, Tabular

# skops leaves trees to the caller's judgement, since a forged one can point outside its own arrays;
# `_check_trees` looks at that before any tree is used.
_TRUSTED = ["sklearn.tree._tree.Tree"]


class Forest(Tabular):
    """A random forest on the layers of a cell, or of its patch.

    Parameters
    ----------
    layers : sequence of str
        Names of the evidence layers, in the order of the patches.
    n_estimators, max_depth, max_features : int
        Trees, their depth, and the features tried at a split (all of them when there are fewer). The
        defaults are those of the paper, found there by Bayesian optimisation.
    patch_shape : tuple of int
        Cells along z, y, x that are features, layer by layer. The paper's forest sees the cell alone.
    n_jobs : int
        Threads of the fit; scoring uses the caller's thread.
    min_samples_leaf : int
        Fewest training cells in a leaf.
    search : int
        Trials of a search for the trees, their depth, features and leaves inside ``fit``, 0 for none. The
        first trial is the settings given. It needs Optuna. See
        `mpm3d.models.forest_search.search_settings`.
    balanced : bool
        Deposit cells and others weigh alike in each tree, however many there are of each: for few deposits
        among all other cells.

    Attributes
    ----------
    search_ : dict
        What the search chose: ``settings``, ``auc``, ``trials``, ``folds``; empty without a search.

    Notes
    -----
    The score is the mean over trees of the share of deposit cells in the leaf. It ranks cells; it is no
    probability of ore.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat([0, 1], 20)
    >>> patches = (rng.normal(size=(40, 2)) + 3 * labels[:, None]).reshape(40, 2, 1, 1, 1)
    >>> forest = Forest(("density", "fault_distance")).fit(patches, labels, rng=rng)
    >>> bool(forest.score_samples(patches)[labels == 1].min() > 0.5)
    True
    """

    weights_name = "forest.skops"
    title = "forest"
    forest_: RandomForestClassifier
    search_: dict[str, Any]

    def __init__(
        self,
        layers: Sequence[str],
        n_estimators: int = 77,
        max_depth: int | None = 7,
        max_features: int = 3,
        patch_shape: tuple[int, int, int] = (1, 1, 1),
        n_jobs: int = 1,
        min_samples_leaf: int = 1,
        search: int = 0,
        balanced: bool = False,
    ) -> None:
        self.layers = layers
        self.n_estimators = n_estimators
        self.max_depth = max_depth
        self.max_features = max_features
        self.patch_shape = patch_shape
        self.n_jobs = n_jobs
        self.min_samples_leaf = min_samples_leaf
        self.search = search
        self.balanced = balanced

    @property
    def name(self) -> str:
        """What `mpm3d.models.make` calls this model."""
        return "forest"

    def _learn(
        self,
        features: Float32,
        target: NDArray[np.int64],
        *,
        groups: NDArray[np.str_] | None,
        rng: np.random.Generator,
        progress: Progress | None,
    ) -> tuple[str, ...]:
        if int(self.search) != self.search or self.search < 0:
            raise ValueError(f"search is {self.search!r}, it is a number of trials, 0 for no search.")
        seed = int(rng.integers(2**31 - 1))
        settings = self._settings(features.shape[1])
        search_: dict[str, Any] = {}
        notes: tuple[str, ...] = ()
        if self.search:
            found = search_settings(
                features, target, groups, first=settings, trials=self.search, rng=rng, progress=progress
            )
            settings, search_, notes = found.settings, found.to_dict(), found.notes
        forest = RandomForestClassifier(**settings, n_jobs=self.n_jobs, random_state=seed)
        self.forest_, self.search_ = forest.fit(features, target), search_
        # Blocks are scored side by side, a pool of threads in each would only fight.
        self.forest_.n_jobs = 1
        if progress is not None:
            progress(self.search + 1, self.search + 1)
        return notes

    def _settings(self, n_features: int) -> dict[str, Any]:
        return {
            "n_estimators": self.n_estimators,
            "max_depth": self.max_depth,
            "max_features": max(1, min(self.max_features, n_features)),
            "min_samples_leaf": self.min_samples_leaf,
            **({"class_weight": "balanced_subsample"} if self.balanced else {}),
        }

    def _probability(self, features: Float32) -> Float64:
        scores: Float64 = self.forest_.predict_proba(features)[:, 1]
        return scores

    def learned(self) -> dict[str, Any]:
        """Return what the model folder's JSON holds about the fitted model."""
        return super().learned() | ({"search": self.search_} if self.search_ else {})

    def write_weights(self, path: Path) -> None:
        """Write the trees with skops."""
        import skops.io  # loads torch

        skops.io.dump(self.forest_, path)

    def restore(self, learned: Mapping[str, Any], path: Path) -> None:
        """Take over what `learned` and `write_weights` have written.

        Raises
        ------
        ValueError
            If the file holds anything but a forest for these layers.
        """
        import skops.io  # loads torch

        unknown = set(skops.io.get_untrusted_types(file=path)) - set(_TRUSTED)
        if unknown:
            raise ValueError(f"it holds objects that no forest needs: {', '.join(sorted(unknown))}")
        forest = skops.io.load(path, trusted=_TRUSTED)
        _check_trees(forest, self.n_columns)
        self._take_over(learned)
        self.forest_, self.search_ = forest, dict(learned.get("search", {}))


def _check_trees(forest: Any, n_features: int) -> None:
    if not isinstance(forest, RandomForestClassifier) or list(getattr(forest, "classes_", ())) != [0, 1]:
        raise ValueError("it holds no fitted random forest")
    if forest.n_features_in_ != n_features:
        raise ValueError(f"its forest has {forest.n_features_in_} features and the model {n_features}")
    for member in forest.estimators_:
        if not isinstance(member, DecisionTreeClassifier):
            raise ValueError(f"its forest holds a {type(member).__name__} among the trees")
        tree = member.tree_
        node = np.arange(tree.node_count)
        inner = tree.children_left != -1
        children = np.stack([tree.children_left, tree.children_right])[:, inner]
        # Trees are grown parent first, so a child that comes later can neither loop nor point outside.
        forward = (children > node[inner]).all() and (children < tree.node_count).all()
        known = (tree.feature[inner] >= 0).all() and (tree.feature[inner] < n_features).all()
        if tree.n_features != n_features or not (forward and known):
            raise ValueError("a tree of it points outside itself")
        shares = tree.value
        if shares.shape[1:] != (1, 2) or not ((shares >= 0) & (shares <= 1)).all():
            raise ValueError("a leaf of it holds no share of deposit cells")
