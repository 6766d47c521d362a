"""Shapley values of forests by shap's TreeExplainer, which walks the trees themselves."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from mpm3d.explain.coalitions import Float32, Float64
from mpm3d.models import Estimator
from mpm3d.models.forest import Forest
from mpm3d.models.tabular import columns


class Trees:
    """Shapley values of forests that see single cells, by shap's ``TreeExplainer``.

    With ``feature_perturbation="interventional"`` and a table of background cells, a layer that is absent
    takes its values there, and the score is the mean over them: the same question that scoring all sets of
    layers answers. (``"tree_path_dependent"`` answers another one, with the training cells of each node.)

    Parameters
    ----------
    members : sequence of Forest
        Fitted, with patches of one cell.
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
            table = columns(reference, _forest(member).scaling_).astype(np.float64)
            how = {"feature_perturbation": "interventional", "model_output": "raw"}
            self._members.append((_forest(member), shap.TreeExplainer(_forest(member).forest_, table, **how)))

    @property
    def base(self) -> float:
        """Score without any layer: the mean over the background cells."""
        return float(np.mean([explainer.expected_value[1] for _, explainer in self._members]))

    def explain(self, patches: Float32) -> Float64:
        """Values ``(n, layer)`` of patches ``(n, layer, 1, 1, 1)``: the mean over members."""
        total = np.zeros(patches.shape[:2])
        if not len(patches):
            return total
        for forest, explainer in self._members:
            # as the forest itself does in score_samples: what is missing is the training mean
            table = columns(patches, forest.scaling_)
            found = np.asarray(explainer.shap_values(table, check_additivity=True))  # (cell, layer, class)
            total += found[..., 1]
        return total / len(self._members)


def suits(members: Sequence[Estimator]) -> bool:
    """Whether all are forests with one column a layer; those of a larger patch have many a layer."""
    return all(isinstance(member, Forest) and tuple(member.patch_shape) == (1, 1, 1) for member in members)


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


def _forest(member: Estimator) -> Forest:
    if not isinstance(member, Forest):
        raise TypeError(f"TreeExplainer is given a {type(member).__name__}, a Forest is needed.")
    return member
