"""Shapley values of forests, alone or in bags, by shap's TreeExplainer, which walks the trees themselves."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mpm3d.explain.coalitions import Float32, Float64
from mpm3d.models import Estimator
from mpm3d.models.forest import Forest
from mpm3d.models.pu import BaggingPU
from mpm3d.models.tabular import columns


class Trees:
    """Shapley values of forests that see single cells, by shap's ``TreeExplainer``.

    With ``feature_perturbation="interventional"`` and a table of background cells, a layer that is absent
    takes its values there, and the score is the mean over them: the same question that scoring all sets of
    layers answers. (``"tree_path_dependent"`` answers another one, with the training cells of each node.)

    Parameters
    ----------
    members : sequence of Forest, or of BaggingPU over forests
        Fitted, with patches of one cell. Score and values of bags are the means over their forests.
    reference : array of shape (k, layer, 1, 1, 1)
        What stands in for absent layers.

    Raises
    ------
    ImportError
        If shap is not installed.

    References
    ----------
    Lundberg, S. M. et al. (2020). From local explanations to global understanding with explainable AI for
    trees. Nature Machine Intelligence 2, 56-67.
    """

    def __init__(self, members: Sequence[Estimator], reference: Float32) -> None:
        shap = _shap()
        self._members = []
        for member in members:
            filled, each = _filled(member, reference), []
            for forest in _forests(member):
                table = columns(filled, forest.scaling_).astype(np.float64)
                how = {"feature_perturbation": "interventional", "model_output": "raw"}
                explainer = shap.TreeExplainer(forest.forest_, table, **how)
                explainer.model.thresholds = _rounded_down(explainer.model.thresholds)
                each.append((forest, explainer))
            self._members.append((member, each))

    @property
    def base(self) -> float:
        """Score without any layer: the mean over the background cells."""
        return float(
            np.mean([np.mean([one.expected_value[1] for _, one in each]) for _, each in self._members])
        )

    def explain(self, patches: Float32) -> Float64:
        """Values ``(n, layer)`` of patches ``(n, layer, 1, 1, 1)``: the mean over members."""
        total = np.zeros(patches.shape[:2])
        if not len(patches):
            return total
        for member, each in self._members:
            filled = _filled(member, patches)
            for forest, explainer in each:
                # as the forest itself does in score_samples: what is missing is the training mean
                table = columns(filled, forest.scaling_)
                found = np.asarray(
                    explainer.shap_values(table, check_additivity=True)
                )  # (cell, layer, class)
                total += found[..., 1] / len(each)
        return total / len(self._members)


def suits(members: Sequence[Estimator]) -> bool:
    """Whether all are forests, or bags of them, with one column a layer; larger patches have many a layer."""
    return all(tuple(member.patch_shape) == (1, 1, 1) and bool(list(_forests(member))) for member in members)


def available() -> bool:
    """Whether shap is installed."""
    try:
        _shap()
    except ImportError:
        return False
    return True


def _shap() -> Any:
    from mpm3d.errors import require

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its colours and progress bars, none of which is used
        return require("shap", extra="explain")


def _forests(member: Estimator) -> Iterator[Forest]:
    """The forests whose mean a member's score is; none where it is something else."""
    if isinstance(member, Forest):
        yield member
    elif isinstance(member, BaggingPU) and all(isinstance(bag, Forest) for bag in member.bags_):
        for bag in member.bags_:
            yield from _forests(bag)


def _rounded_down(thresholds: Float64) -> Float64:
    """The largest 32-bit numbers that are not above thresholds: they split 32-bit values alike.

    shap's compiled part rounds thresholds to the nearest 32-bit number, which may lie on the other side of a
    value that the forest compares with the whole threshold; its values then miss the score by a leaf.
    """
    near = thresholds.astype(np.float32)
    down = np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near)
    return down.astype(np.float64)


def _filled(member: Estimator, patches: Float32) -> Float32:
    """Patches as the forests of a member get them: bags fill what is missing with the mean over all cells."""
    return member.scaling_.fill(patches) if isinstance(member, BaggingPU) else patches
