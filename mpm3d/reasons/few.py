"""Reasons without a store of attributions: some cells of each target are explained when asked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d import cube, samples
from mpm3d.reasons.reason import Reason
from mpm3d.reasons.store import Cells, scores_of
from mpm3d.reasons.subject import Subject
from mpm3d.targets import Target
from mpm3d.work import Run

MOST = 64
"""Cells of a target that are explained where there is no store of attributions, at most."""

_ALL_TOGETHER, _FEWEST = 2000, 8  # with many targets, fewer cells of each

_RANKED = 1_000_000  # cells of a target that are ranked, at most; of more, an even part


def cells_each(n_targets: int) -> int:
    """Cells explained of each target, so that many targets do not take long.

    >>> cells_each(10), cells_each(50), cells_each(1000)
    (64, 40, 8)
    """
    return max(_FEWEST, min(MOST, _ALL_TOGETHER // max(1, n_targets)))


def explain_few(run: Run, number: int, subject: Subject, target: Target, *, most: int = MOST) -> Reason:
    """Explain at most so many cells of a target, evenly spread over the ranks of its scores."""
    cells = spread_cells(run, number, target, most)
    values = explain_cells(run, subject, cells)
    return Reason(subject.explainer.layers, values.mean(axis=0), subject.explainer.base, len(cells))


def explain_cells(run: Run, subject: Subject, cells: Cells) -> NDArray[np.float64]:
    """Attributions ``(n, layer)`` of cells ``(n, 3)``, their patches read from the cube."""
    explainer = subject.explainer
    shape = explainer.members[0].patch_shape
    patches = samples.take_patches(cube.open(run.study.cube_place), cells, explainer.layers, shape)
    return explainer.explain(patches).values


def spread_cells(run: Run, number: int, target: Target, most: int = MOST) -> Cells:
    """At most so many cells ``(n, 3)`` of a target, from lowest to highest score in equal steps of rank."""
    score, step = scores_of(run, number), -(-target.n_cells // _RANKED)
    parts = [(part[::step], at_cells(score, part[::step])) for part in target.parts()]
    cells, scores = (np.concatenate(column) for column in zip(*parts, strict=True))
    return spread(cells, scores, most)


def at_cells(array: Any, cells: Cells) -> NDArray[Any]:
    """Values ``(..., n)`` of an array ``(..., z, y, x)`` at cells ``(n, 3)``, at least one."""
    low, high = cells.min(axis=0), cells.max(axis=0) + 1
    window = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    found: NDArray[Any] = array[(..., *window)][(..., *(cells - low).T)]
    return found


def spread(cells: Cells, scores: NDArray[Any], most: int = MOST) -> Cells:
    """At most so many of cells ``(n, 3)``, from lowest to highest score in equal steps; NaN is left out."""
    cells, scores = cells[~np.isnan(scores)], scores[~np.isnan(scores)]
    ranked: Cells = cells[np.lexsort((*cells.T[::-1], scores))]
    return ranked[_evenly(len(ranked), most)]


def _evenly(n: int, most: int) -> NDArray[np.int64]:
    """Places of at most so many of n, the first and the last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.int64))
