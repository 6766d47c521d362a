"""What is done to training patches so that networks learn rules and not places."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mpm3d.models.scaling import Float32


class Changes(Protocol):
    """The settings of `mpm3d.models.training.Training` that change patches."""

    @property
    def layer_dropout(self) -> float:
        """Probability that a patch loses a layer."""

    @property
    def offset(self) -> float:
        """Standard deviation of a constant on a layer of a patch."""

    @property
    def noise(self) -> float:
        """Standard deviation of noise on a cell."""

    @property
    def flips(self) -> bool:
        """Whether patches are mirrored along x and y."""

    @property
    def rotations(self) -> bool:
        """Whether patches are turned about the vertical."""

    @property
    def blend(self) -> float:
        """Probability that a patch is blended with another of its class."""


def drawn(
    patches: Float32,
    labels: NDArray[np.int64],
    batch: NDArray[np.int64],
    plan: Changes,
    rng: np.random.Generator,
) -> Float32:
    """A copy of some training patches, blended with others of their class where the plan says so.

    Parameters
    ----------
    patches : array of shape (sample, layer, z, y, x)
        All standardised training patches.
    labels : array of shape (sample,)
        Their classes, 0 or 1.
    batch : array of shape (n,)
        Rows.
    plan : Training
        Its ``blend``; 0 draws no random numbers.
    rng : Generator
        Draws partners and shares.

    Returns
    -------
    array of shape (n, layer, z, y, x)
        ``share · patch + (1 - share) · partner``, the share uniform between 0 and 1.
    """
    found: Float32 = patches[batch]
    if not plan.blend:
        return found
    chosen = rng.random(len(batch)) < plan.blend
    for label in (0, 1):
        own = np.flatnonzero(chosen & (labels[batch] == label))
        partners = rng.choice(np.flatnonzero(labels == label), size=len(own))
        share = rng.random((len(own), 1, 1, 1, 1), dtype=np.float32)
        found[own] = share * found[own] + (1 - share) * patches[partners]
    return found


def augment(patches: Float32, plan: Changes, rng: np.random.Generator) -> Float32:
    """Change standardised training patches ``(sample, layer, z, y, x)`` at random, in place where it can.

    They are mirrored and turned first, then get their offsets and noise, and lose layers last, so that a lost
    layer is 0, its training mean. Settings that are off draw no random numbers.

    Raises
    ------
    ValueError
        If ``plan.rotations`` is set and the sides along y and x differ.
    """
    n, n_layers = patches.shape[:2]
    if plan.flips:
        for axis in (3, 4):
            chosen = rng.random(n) < 0.5
            patches[chosen] = np.flip(patches[chosen], axis)
    if plan.rotations:
        _check_square(patches.shape)
        turns = rng.integers(4, size=n)
        for quarters in (1, 2, 3):
            chosen = turns == quarters
            patches[chosen] = np.rot90(patches[chosen], quarters, axes=(3, 4))
    if plan.offset:
        patches += plan.offset * rng.standard_normal((n, n_layers, 1, 1, 1), dtype=np.float32)
    if plan.noise:
        patches += plan.noise * rng.standard_normal(patches.shape, dtype=np.float32)
    if plan.layer_dropout:
        patches *= _kept_layers(n, n_layers, plan.layer_dropout, rng)[:, :, None, None, None]
    return patches


def _check_square(shape: tuple[int, ...]) -> None:
    if shape[3] != shape[4]:
        raise ValueError(
            f"patches of {shape[2:]} cells (z, y, x) cannot be turned by quarters, their sides along y and x "
            f"differ. Use a square patch_shape such as (3, 3, 3), or rotations=False."
        )


def _kept_layers(n: int, n_layers: int, dropout: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    kept = rng.random((n, n_layers)) >= dropout
    spared = rng.integers(n_layers, size=n)
    bare = np.flatnonzero(~kept.any(axis=1))
    kept[bare, spared[bare]] = True
    return kept
