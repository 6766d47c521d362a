"""The random forest on the cell itself, the paper's baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError

from mpm3d.models.scaling import Float32, Scaling, checked_labels, checked_patch_shape, checked_patches

# skops leaves trees to the caller's judgement, since a forged one can point outside its own arrays;
# `_check_trees` looks at that before any tree is used.
_TRUSTED = ["sklearn.tree._tree.Tree"]


class Forest(BaseEstimator):  # type: ignore[misc]
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

    kind = "probability"
    stops_early = False
    weights_name = "forest.skops"
    history_: list[dict[str, Any]]
    notes_: tuple[str, ...]

    def __init__(
        self,
        layers: Sequence[str],
        n_estimators: int = 77,
        max_depth: int | None = 7,
        max_features: int = 3,
        patch_shape: tuple[int, int, int] = (1, 1, 1),
        n_jobs: int = 1,
    ) -> None:
        self.layers = layers
        self.n_estimators = n_estimators
        self.max_depth = max_depth
        self.max_features = max_features
        self.patch_shape = patch_shape
        self.n_jobs = n_jobs

    @property
    def name(self) -> str:
        """What `mpm3d.models.make` calls this model."""
        return "forest"

    def fit(
        self,
        patches: Float32,
        labels: NDArray[Any],
        *,
        groups: NDArray[Any] | None = None,
        rng: np.random.Generator,
        validation: tuple[Float32, NDArray[Any]] | None = None,
        progress: Any = None,
    ) -> Forest:
        """Grow the trees.

        Parameters
        ----------
        patches : array of shape (sample, layer, z, y, x)
            Values in the layers' own units. NaN is missing and counts as the layer's training mean.
        labels : array of shape (sample,)
            1 at deposit cells, 0 at background.
        groups : array of shape (sample,), optional
            Deposit of each sample, not used by this model.
        rng : numpy.random.Generator
            Source of randomness.
        validation : tuple of arrays, optional
            Not used, a forest does not stop early.
        progress : callable, optional
            Called once as ``progress(1, 1)``.

        Raises
        ------
        ValueError
            If patches or labels do not fit the model, or a layer has no value.
        """
        array = checked_patches(patches, self.layers, checked_patch_shape(self.patch_shape))
        target = checked_labels(labels, len(array))
        self.scaling_ = Scaling.learn(array, self.layers)
        features = self._features(array)
        self.forest_ = RandomForestClassifier(
            n_estimators=self.n_estimators,
            max_depth=self.max_depth,
            max_features=max(1, min(self.max_features, features.shape[1])),
            n_jobs=self.n_jobs,
            random_state=int(rng.integers(2**31 - 1)),
        ).fit(features, target)
        # Blocks are scored side by side, a pool of threads in each would only fight.
        self.forest_.n_jobs = 1
        self.history_, self.notes_ = [], self.scaling_.notes
        if progress is not None:
            progress(1, 1)
        return self

    def score_samples(self, patches: Float32) -> Float32:
        """Score patches ``(sample, layer, z, y, x)``: float32 between 0 and 1, high for deposits.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the forest was not fitted.
        ValueError
            If the patches do not fit the model.
        """
        if not hasattr(self, "forest_"):
            raise NotFittedError("this forest is not fitted yet. Call fit first, or load a fitted one.")
        array = checked_patches(patches, self.layers, self.patch_shape)
        if not len(array):
            return np.zeros(0, dtype=np.float32)
        scores: Float32 = self.forest_.predict_proba(self._features(array))[:, 1].astype(np.float32)
        return scores

    def _features(self, patches: Float32) -> Float32:
        return self.scaling_.fill(patches).reshape(len(patches), -1)  # (sample, layer × cell)

    def learned(self) -> dict[str, Any]:
        """Return what the model folder's JSON holds about the fitted model."""
        return {"scaling": self.scaling_.to_dict()}

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

        self.scaling_ = Scaling.from_dict(learned["scaling"], self.layers)
        unknown = set(skops.io.get_untrusted_types(file=path)) - set(_TRUSTED)
        if unknown:
            raise ValueError(f"it holds objects that no forest needs: {', '.join(sorted(unknown))}")
        forest = skops.io.load(path, trusted=_TRUSTED)
        _check_trees(forest, len(self.layers) * int(np.prod(self.patch_shape)))
        self.forest_ = forest
        self.history_, self.notes_ = [], ()


def _check_trees(forest: Any, n_features: int) -> None:
    if not isinstance(forest, RandomForestClassifier) or list(getattr(forest, "classes_", ())) != [0, 1]:
        raise ValueError("it holds no fitted random forest")
    if forest.n_features_in_ != n_features:
        raise ValueError(f"its forest has {forest.n_features_in_} features and the model {n_features}")
    for tree in (member.tree_ for member in forest.estimators_):
        node = np.arange(tree.node_count)
        inner = tree.children_left != -1
        children = np.stack([tree.children_left, tree.children_right])[:, inner]
        # Trees are grown parent first, so a child that comes later can neither loop nor point outside.
        forward = (children > node[inner]).all() and (children < tree.node_count).all()
        known = (tree.feature[inner] >= 0).all() and (tree.feature[inner] < n_features).all()
        if tree.n_features != n_features or not (forward and known):
            raise ValueError("a tree of it points outside itself")
