"""Gradient boosting of shallow trees, told which layers can only raise the score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from mpm3d.models.boosted_trees import ARRAYS, BoostedTrees
from mpm3d.models.scaling import Float32
from mpm3d.models.tabular import Float64, Progress, Tabular, read_arrays

_SIGN = {"increasing": 1, "decreasing": -1}
_DEEPEST = 6  # 2⁶ leaves, the most that `BoostedTrees` takes


class Boosting(Tabular):
    """Gradient boosting on the layers of a cell, or of its patch, monotone in layers that are named.

    Parameters
    ----------
    layers : sequence of str
        Names of the evidence layers, in the order of the patches.
    monotone : mapping, optional
        Layer to ``"decreasing"`` (the score never rises as the layer's values grow: nearer is better, for a
        distance) or ``"increasing"``. With patches of several cells it holds for each cell of the layer.
    n_estimators : int
        Trees.
    learning_rate : float
        Share of each tree that counts. Smaller is smoother and takes more trees.
    max_depth : int
        Depth of the trees, up to 6. Shallow trees cannot learn a place by heart.
    min_samples_leaf : int
        Fewest training cells in a leaf.
    l2 : float
        Penalty on the values of the leaves.
    patch_shape : tuple of int
        Cells along z, y, x that are features, layer by layer.
    max_features : float
        Share of the features that is tried at a split, drawn anew each time, at least one. Fewer make the
        trees look at all layers, and not at the few that tell the known deposits best.

    Notes
    -----
    The score is a logistic function of the sum of the trees. It ranks cells; it is no probability of ore.
    The fit uses one thread, so that the model does not depend on how many the machine has.

    References
    ----------
    Trees are grown by scikit-learn's ``HistGradientBoostingClassifier``.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat([0, 1], 100)
    >>> patches = (900 + 300 * rng.normal(size=200) - 600 * labels).reshape(200, 1, 1, 1, 1)
    >>> model = Boosting(("fault_distance",), monotone={"fault_distance": "decreasing"}, n_estimators=20)
    >>> steps = np.linspace(0, 2000, 50).reshape(50, 1, 1, 1, 1)
    >>> bool((np.diff(model.fit(patches, labels, rng=rng).score_samples(steps)) <= 0).all())
    True
    """

    title = "boosting model"
    trees_: BoostedTrees

    def __init__(
        self,
        layers: Sequence[str],
        monotone: Mapping[str, str] | None = None,
        n_estimators: int = 100,
        learning_rate: float = 0.05,
        max_depth: int = 3,
        min_samples_leaf: int = 20,
        l2: float = 1.0,
        patch_shape: tuple[int, int, int] = (1, 1, 1),
        max_features: float = 0.3,
    ) -> None:
        self.layers = layers
        self.monotone = monotone
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.l2 = l2
        self.patch_shape = patch_shape
        self.max_features = max_features

    @property
    def name(self) -> str:
        """What `mpm3d.models.make` calls this model."""
        return "boosting"

    def _learn(
        self,
        features: Float32,
        target: NDArray[np.int64],
        *,
        groups: NDArray[np.str_] | None,
        rng: np.random.Generator,
        progress: Progress | None,
    ) -> tuple[str, ...]:
        self._check_settings()
        grown = HistGradientBoostingClassifier(
            max_iter=self.n_estimators,
            learning_rate=self.learning_rate,
            max_depth=self.max_depth,
            max_leaf_nodes=2**self.max_depth,
            min_samples_leaf=self.min_samples_leaf,
            l2_regularization=self.l2,
            max_features=float(self.max_features),
            monotonic_cst=self._signs(),
            early_stopping=False,  # its own would look at cells beside those it trains on
            random_state=int(rng.integers(2**31 - 1)),
        )
        with threadpool_limits(limits=1, user_api="openmp"):
            grown.fit(features, target)
        nodes = [tree.nodes for (tree,) in grown._predictors]
        self.trees_ = BoostedTrees.from_nodes(nodes, float(grown._baseline_prediction[0, 0]))
        if progress is not None:
            progress(1, 1)
        return self._notes(len(target))

    def _check_settings(self) -> None:
        whole = {"n_estimators": self.n_estimators, "min_samples_leaf": self.min_samples_leaf}
        for name, value in whole.items():
            if int(value) != value or value < 1:
                raise ValueError(f"{name} is {value!r}, it must be a whole number from 1 on.")
        if self.max_depth not in range(1, _DEEPEST + 1):
            raise ValueError(
                f"max_depth is {self.max_depth!r}, it must be a whole number from 1 to {_DEEPEST}. Deeper "
                f"trees learn places by heart."
            )
        if not 0 < self.learning_rate <= 1:
            raise ValueError(f"learning_rate is {self.learning_rate!r}, it must be above 0 and at most 1.")
        if not 0 < self.max_features <= 1:
            raise ValueError(
                f"max_features is {self.max_features!r}, it is a share of the features, above 0 and at most "
                f"1."
            )
        if not 0 <= self.l2 < np.inf:
            raise ValueError(f"l2 is {self.l2!r}, it must be 0 or more.")

    def _signs(self) -> NDArray[np.int8]:
        """Return 1, -1 or 0 for each column: how the score may change as its values grow."""
        constraints = dict(self.monotone or {})
        for layer, word in constraints.items():
            if layer not in self.layers:
                names = ", ".join(map(repr, self.layers))
                raise ValueError(
                    f"monotone names {layer!r}, which is not a layer of this model. Name some of {names}."
                )
            if word not in _SIGN:
                raise ValueError(
                    f"monotone says {word!r} for layer {layer!r}. Say 'decreasing' (the score falls as its "
                    f"values grow, such as a distance where nearer is better) or 'increasing'."
                )
        signs = [_SIGN.get(constraints.get(layer, ""), 0) for layer in self.layers]
        return np.repeat(signs, self.n_columns // len(self.layers)).astype(np.int8)

    def _notes(self, n_samples: int) -> tuple[str, ...]:
        if not self.trees_.used:
            return (
                f"no tree could split {n_samples} training cells and keep {self.min_samples_leaf} of them in "
                f"each leaf, so every cell scores the same. Lower min_samples_leaf.",
            )
        cells = self.n_columns // len(self.layers)
        used = {self.layers[column // cells] for column in self.trees_.used}
        return tuple(
            f"the score may only be {word} in layer {layer!r}, and no tree uses it: the training cells say "
            f"the contrary, or other layers tell as much."
            for layer, word in dict(self.monotone or {}).items()
            if layer not in used
        )

    def _probability(self, features: Float32) -> Float64:
        return np.asarray(expit(self.trees_.sum(features)))

    def write_weights(self, path: Path) -> None:
        """Write the trees as arrays of numbers."""
        save_file(self.trees_.arrays(), path)

    def restore(self, learned: Mapping[str, Any], path: Path) -> None:
        """Take over what `learned` and `write_weights` have written.

        Raises
        ------
        ValueError
            If the file holds anything but trees on these layers.
        """
        arrays = read_arrays(path, ARRAYS, "a set of boosted trees")
        trees = BoostedTrees.checked(arrays, self.n_columns)
        self._take_over(learned)
        self.trees_ = trees
