"""Shapley values of many layers: captum adds them in sampled orders."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.errors import require
from mpm3d.explain.coalitions import BATCH, Float32, Float64, Score, mixed

ORDERS = 64
"""Orders of the layers, each with its reverse."""

_GROUPS = 8  # whose means tell the standard error


def orders(n_layers: int, seed: int) -> list[list[list[int]]]:
    """Groups of orders of the layers, the same for every cell; each order comes with its reverse."""
    rng, half = np.random.default_rng(seed), ORDERS // _GROUPS // 2
    drawn = [[rng.permutation(n_layers).tolist() for _ in range(half)] for _ in range(_GROUPS)]
    return [[each for order in group for each in (order, order[::-1])] for group in drawn]


class Sampler:
    """Shapley values by captum's ``ShapleyValueSampling``, layers added one after the other.

    Parameters
    ----------
    score : callable
        Scores ``(n,)`` of patches ``(n, layer, z, y, x)``.
    reference : array of shape (k, layer, z, y, x)
        What stands in for absent layers; the score is the mean over these.
    seed : int
        Draws the orders.

    Raises
    ------
    ImportError
        If captum is not installed.

    Notes
    -----
    captum multiplies inputs by 0 and 1, and a missing value would spoil every score it is multiplied into. So
    its inputs are which layers are there, one number a layer, and the patches are put together here.

    References
    ----------
    Castro, J., Gómez, D. and Tejada, J. (2009). Polynomial calculation of the Shapley value based on
    sampling. Computers & Operations Research 36, 1726-1730.
    """

    def __init__(self, score: Score, reference: Float32, *, seed: int) -> None:
        self._captum: Any = require("captum.attr", extra="explain")
        self._score = score
        self._reference = reference
        self._groups = orders(reference.shape[1], seed)

    def explain(self, patches: Float32) -> tuple[Float64, Float64]:
        """Values and their standard errors, both ``(n, layer)``, of patches ``(n, layer, z, y, x)``."""
        step = max(1, BATCH // patches.shape[1])
        parts = [np.zeros((2, 0, patches.shape[1]))]
        for start in range(0, len(patches), step):
            some = patches[start : start + step]
            means = np.stack([self._mean(some, group) for group in self._groups])
            parts.append(np.stack([means.mean(axis=0), means.std(axis=0, ddof=1) / np.sqrt(_GROUPS)]))
        values, errors = np.concatenate(parts, axis=1)
        return values, errors

    def _mean(self, patches: Float32, group: list[list[int]]) -> Float64:
        """Mean over some orders of what each layer adds when its turn comes."""
        import torch

        n, n_layers = patches.shape[:2]

        def forward(present: Any, row: Any) -> Any:
            return torch.from_numpy(self._scores(patches[row.numpy()], present.numpy() > 0.5))

        sampling = self._captum.ShapleyValueSampling(forward)
        sampling.permutation_generator = lambda n_features, n_samples: iter(group)
        found = sampling.attribute(
            torch.ones(n, n_layers), baselines=torch.zeros(n, n_layers),
            feature_mask=torch.arange(n_layers)[None], additional_forward_args=(torch.arange(n),),
            n_samples=len(group), perturbations_per_eval=max(1, min(n_layers, BATCH // n)),
        )  # fmt: skip
        return np.asarray(found.numpy(), dtype=np.float64)

    def _scores(self, patches: Float32, present: NDArray[np.bool_]) -> Float64:
        """Scores of as many sets of layers as there are patches, one each."""
        total = np.zeros(len(patches))
        for stand_in in self._reference:
            total += self._score(mixed(patches, stand_in, present[:, None, :]))
        return total / len(self._reference)
