"""Exact Shapley values: every set of layers is scored."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import factorial, prod

import numpy as np
from numpy.typing import NDArray

MOST_LAYERS = 12
"""Layers whose 4096 sets are all scored; with more, orders of the layers are sampled."""

BATCH = 4080
"""Patches that are scored together, about; what the networks take well, see `mpm3d.predict.Settings`."""

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Score = Callable[[Float32], Float64]


@lru_cache
def subsets(n_layers: int) -> NDArray[np.bool_]:
    """Which layers are in each set, ``(2ⁿ, layer)``; the first set is empty, the last is whole.

    >>> subsets(2).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    found = (np.arange(2**n_layers)[:, None] >> np.arange(n_layers)) & 1
    return found.astype(bool)


@lru_cache
def shares(n_layers: int) -> Float64:
    """Weights ``(layer, 2ⁿ)`` that turn the scores of all sets into Shapley values.

    The value of layer i is the sum over sets S without it of ``|S|! (n - |S| - 1)! / n!`` times what it adds
    to S.

    References
    ----------
    Shapley, L. S. (1953). A value for n-person games. Contributions to the Theory of Games 2, 307-317.

    Examples
    --------
    >>> shares(2).tolist()
    [[-0.5, 0.5, -0.5, 0.5], [-0.5, -0.5, 0.5, 0.5]]
    """
    within = subsets(n_layers)
    size = within.sum(axis=1)
    ways = [factorial(s) * factorial(n_layers - s - 1) / factorial(n_layers) for s in range(n_layers)]
    gained = np.array([0.0, *ways])[size]  # the set that the layer came into had one layer less
    lost = np.array([*ways, 0.0])[size]
    found: Float64 = np.where(within.T, gained, -lost)
    return found


def mixed(patches: Float32, stand_in: Float32, present: NDArray[np.bool_]) -> Float32:
    """Patches with some of their layers taken from another patch.

    Parameters
    ----------
    patches : array of shape (n, layer, z, y, x)
        The cells, NaN where missing.
    stand_in : array of shape (layer, z, y, x)
        What is taken where a layer is absent.
    present : bool array of shape (n, set, layer) or (set, layer)
        The layers that stay.

    Returns
    -------
    array of shape (n × set, layer, z, y, x)
        The sets of a cell follow each other. It lies in memory as the engine's batches do, see
        `mpm3d.predict.settings.Member`.
    """
    n, n_layers, *shape = patches.shape
    size = prod(shape)
    out = np.empty((size, n, present.shape[-2], n_layers), dtype=np.float32)
    out[...] = stand_in.reshape(n_layers, size).T[:, None, None, :]
    values = patches.reshape(n, n_layers, size).transpose(2, 0, 1)[:, :, None, :]
    np.copyto(out, values, where=present)  # NaN stays NaN: what a model makes of it is up to the model
    return out.reshape(*shape, -1, n_layers).transpose(3, 4, 0, 1, 2)


def exact(score: Score, patches: Float32, reference: Float32, base: float) -> Float64:
    """Shapley values of every layer from the scores of all sets of layers.

    Parameters
    ----------
    score : callable
        Scores ``(n,)`` of patches ``(n, layer, z, y, x)``.
    patches : array of shape (n, layer, z, y, x)
        The cells.
    reference : array of shape (k, layer, z, y, x)
        What stands in for absent layers; the score is the mean over these.
    base : float
        Score without any layer.

    Returns
    -------
    array of shape (n, layer)
        What each layer adds to the score.
    """
    n_layers = patches.shape[1]
    present, weights = subsets(n_layers)[1:], shares(n_layers)
    step = max(1, BATCH // len(present))
    parts = [np.zeros((0, n_layers))]
    for start in range(0, len(patches), step):
        some = patches[start : start + step]
        found = np.zeros((len(some), len(present)))
        for stand_in in reference:
            found += score(mixed(some, stand_in, present)).reshape(found.shape)
        parts.append(found / len(reference) @ weights[:, 1:].T + base * weights[:, 0])
    return np.concatenate(parts)
