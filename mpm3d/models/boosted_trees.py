"""The trees of a boosted model as plain arrays: checked, and scored many at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_LEAVES = 64
"""Leaves of a tree, one bit of a word each."""

_AT_ONCE = 1024  # rows scored together, so that their words stay in the cache

ARRAYS: dict[str, np.dtype[Any]] = {
    "baseline": np.dtype(np.float64),
    "start": np.dtype(np.int64),
    "feature": np.dtype(np.int32),
    "threshold": np.dtype(np.float64),
    "left": np.dtype(np.int32),
    "right": np.dtype(np.int32),
    "value": np.dtype(np.float64),
}


@dataclass(frozen=True, eq=False)
class BoostedTrees:
    """A sum of regression trees, their nodes one after the other.

    Parameters
    ----------
    baseline : float64 array of shape (1,)
        What the sum starts from.
    start : int64 array of shape (tree + 1,)
        First node of each tree, and the number of nodes.
    feature : int32 array of shape (node,)
        Column that a node looks at, -1 at a leaf.
    threshold : float64 array of shape (node,)
        Rows with a value up to this go left; 0 at a leaf.
    left, right : int32 arrays of shape (node,)
        Children, counted from the root of their tree; 0 at a leaf.
    value : float64 array of shape (node,)
        What a leaf adds; 0 at other nodes.

    Notes
    -----
    Scoring follows Lucchese et al. 2015 (QuickScorer, doi 10.1145/2766462.2767733): each leaf of a tree is a
    bit, each test that fails clears the bits of the leaves on its left, and the lowest bit that remains is
    the leaf reached. What the tests on one column clear is looked up by the place of the value among the
    thresholds of that column.
    """

    baseline: NDArray[np.float64]
    start: NDArray[np.int64]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: NDArray[np.float64]

    @classmethod
    def from_nodes(cls, trees: Sequence[NDArray[Any]], baseline: float) -> BoostedTrees:
        """Take over trees of scikit-learn's histogram boosting, each a structured array of nodes."""
        nodes = np.concatenate(trees)
        leaf = nodes["is_leaf"].astype(bool)
        columns: dict[str, Any] = {
            "baseline": np.array([baseline]),
            "start": np.cumsum([0, *map(len, trees)]),
            "feature": np.where(leaf, -1, nodes["feature_idx"]),
            "threshold": np.where(leaf, 0.0, nodes["num_threshold"]),
            "left": np.where(leaf, 0, nodes["left"]),
            "right": np.where(leaf, 0, nodes["right"]),
            "value": np.where(leaf, nodes["value"], 0.0),
        }
        return cls(**{name: np.asarray(array, dtype=ARRAYS[name]) for name, array in columns.items()})

    @classmethod
    def checked(cls, arrays: Mapping[str, NDArray[Any]], n_features: int) -> BoostedTrees:
        """Make trees of arrays that were read, if they are trees.

        Raises
        ------
        ValueError
            If the arrays do not belong together, a node does not hang on exactly one other that comes before
            it, or a tree has more than `MOST_LEAVES` leaves or looks at a column that is not there.
        """
        trees = cls(**arrays)
        n_nodes, start = len(trees.feature), trees.start
        shapes = {name: array.shape for name, array in arrays.items() if name not in ("baseline", "start")}
        together = set(shapes.values()) == {(n_nodes,)} and trees.baseline.shape == (1,)
        ordered = start.ndim == 1 and len(start) > 1 and start[0] == 0 and start[-1] == n_nodes
        if not (together and ordered and (np.diff(start) > 0).all()):
            raise ValueError("its arrays do not belong together")
        if (trees.feature < -1).any() or (trees.feature >= n_features).any():
            raise ValueError(f"a tree of it looks at a column outside the model's {n_features}")
        for first, last in pairwise(start.tolist()):
            _check_tree(trees.feature[first:last], trees.left[first:last], trees.right[first:last])
        return trees

    @property
    def n_trees(self) -> int:
        """Number of trees."""
        return len(self.start) - 1

    @property
    def used(self) -> frozenset[int]:
        """Columns that some tree looks at."""
        return frozenset(np.unique(self.feature[self.feature >= 0]).tolist())

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name, as `checked` takes them."""
        return {name: getattr(self, name) for name in ARRAYS}

    def sum(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Add up the leaves that each row of ``(sample, column)`` reaches, in the order of the trees."""
        total = np.full(len(features), self.baseline[0])
        for first in range(0, len(features), _AT_ONCE):
            rows = slice(first, first + _AT_ONCE)
            for leaves, values in zip(self._leaves(features[rows]), self._tables.values, strict=True):
                total[rows] += values[leaves]
        return total

    def _leaves(self, features: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return the leaf that each row reaches, counted from the left, ``(tree, sample)``."""
        word = self._tables.word
        open_ = np.full((len(features), self.n_trees), np.iinfo(word).max, dtype=word)
        for column, thresholds, kept in self._tables.columns:
            open_ &= kept[np.searchsorted(thresholds, features[:, column])]
        lowest = open_ & (~open_ + word.type(1))
        return np.ascontiguousarray(np.bitwise_count(lowest - word.type(1)).T)

    @cached_property
    def _tables(self) -> _Tables:
        return _tables(self)


@dataclass(frozen=True, eq=False)
class _Tables:
    """What scoring looks up.

    ``columns`` has, for each column that is looked at, its number, its thresholds, and the leaves that stay
    open for a value above so many of them ``(threshold + 1, tree)``; ``values`` has those of the leaves
    ``(tree, leaf)``.
    """

    word: np.dtype[Any]
    columns: tuple[tuple[int, NDArray[np.float64], NDArray[Any]], ...]
    values: NDArray[np.float64]


def _check_tree(feature: NDArray[np.int32], left: NDArray[np.int32], right: NDArray[np.int32]) -> None:
    inner = np.flatnonzero(feature >= 0)
    children = np.stack([left[inner], right[inner]])
    # Parents come first, so a path can neither loop nor lead outside.
    if (children <= inner).any() or (children >= len(feature)).any():
        raise ValueError("a tree of it points outside itself")
    parents = np.bincount(children.ravel(), minlength=len(feature))
    if parents[0] or (parents[1:] != 1).any():
        raise ValueError("a node of it does not hang on exactly one other")
    if len(feature) - len(inner) > MOST_LEAVES:
        raise ValueError(f"a tree of it has more than {MOST_LEAVES} leaves")


def _tables(trees: BoostedTrees) -> _Tables:
    count = [_leaf_counts(trees, tree) for tree in range(trees.n_trees)]
    most = max(int(leaves[0]) for leaves in count)
    word = np.dtype(next(f"u{size}" for size in (1, 2, 4, 8) if most <= 8 * size))
    values = np.zeros((trees.n_trees, most))
    cleared: dict[int, list[tuple[float, int, int]]] = {column: [] for column in sorted(trees.used)}
    for tree, leaves in enumerate(count):
        offset, first = int(trees.start[tree]), np.zeros(len(leaves), dtype=np.int64)
        for node in range(len(leaves)):
            at = offset + node
            if trees.feature[at] < 0:
                values[tree, first[node]] = trees.value[at]
                continue
            left, right = int(trees.left[at]), int(trees.right[at])
            first[left], first[right] = first[node], first[node] + leaves[left]
            bits = ((1 << int(leaves[left])) - 1) << int(first[node])
            cleared[int(trees.feature[at])].append((float(trees.threshold[at]), tree, bits))
    columns = tuple((column, *_kept(tests, word, trees.n_trees)) for column, tests in cleared.items())
    return _Tables(word, columns, values)


def _leaf_counts(trees: BoostedTrees, tree: int) -> NDArray[np.int64]:
    """Return the number of leaves below each node of a tree, 1 at a leaf."""
    nodes = slice(int(trees.start[tree]), int(trees.start[tree + 1]))
    feature, left, right = trees.feature[nodes], trees.left[nodes], trees.right[nodes]
    count = np.ones(len(feature), dtype=np.int64)
    for node in reversed(range(len(feature))):
        if feature[node] >= 0:
            count[node] = count[left[node]] + count[right[node]]
    return count


def _kept(
    tests: Sequence[tuple[float, int, int]], word: np.dtype[Any], n_trees: int
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    thresholds = np.unique([threshold for threshold, _, _ in tests])
    full = int(np.iinfo(word).max)
    kept = np.full((len(thresholds) + 1, n_trees), full, dtype=word)
    for threshold, tree, bits in tests:
        kept[np.searchsorted(thresholds, threshold) + 1, tree] &= word.type(full ^ bits)
    return thresholds, np.bitwise_and.accumulate(kept, axis=0)
