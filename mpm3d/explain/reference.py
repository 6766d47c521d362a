"""What stands in for a layer that is taken away: background patches drawn once."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Removed = Literal["mean", "each"]


def draw_background(patches: Float32, number: int, *, rng: np.random.Generator) -> Float32:
    """Draw background patches, each at most once; all of them where there are fewer.

    Parameters
    ----------
    patches : array of shape (n, layer, z, y, x)
        What to draw from, such as the pool of negatives; NaN where missing.
    number : int
        How many.
    rng : Generator
        Draws them.

    Returns
    -------
    array of shape (number, layer, z, y, x)
        In the order of `patches`.

    Raises
    ------
    ValueError
        If there is no patch, or the number is below 1.
    """
    if number < 1:
        raise ValueError(f"{number} background patches are not possible, at least 1 is needed. 16 is usual.")
    if not len(patches):
        raise ValueError(
            "there is no background patch to put in place of a layer. Draw more background, or lower the "
            "stand-off."
        )
    rows = rng.choice(len(patches), size=min(number, len(patches)), replace=False, shuffle=False)
    return patches[np.sort(rows)]


def reference_of(background: Float32, *, removed: Removed = "mean") -> Float32:
    """Patches whose values stand in for those of layers that are taken away.

    Parameters
    ----------
    background : array of shape (n, layer, z, y, x)
        From `draw_background`.
    removed : {"mean", "each"}
        ``"mean"``: one patch, the mean of them at each of its cells; missing values are left out, and where
        all are missing the mean is too. ``"each"``: all of them, the score is averaged over them, which takes
        as many times as long.

    Returns
    -------
    array of shape (1 or n, layer, z, y, x)

    Examples
    --------
    >>> two = np.array([1, 3, 2, np.nan], dtype=np.float32).reshape(2, 2, 1, 1, 1)
    >>> reference_of(two).ravel().tolist()
    [1.5, 3.0]
    """
    if removed == "each":
        return background
    there = ~np.isnan(background)
    count = there.sum(axis=0, keepdims=True)
    total = np.where(there, background, 0).sum(axis=0, keepdims=True, dtype=np.float64)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean.astype(np.float32)
