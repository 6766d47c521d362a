"""Whether several models point at the same ground."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def agreement(percentiles: ArrayLike, share: float) -> NDArray[np.float32]:
    """Share of the models that count a cell among the best of the volume.

    Models that learnt from the same deposits share their errors, so that all of them agreeing is no proof.

    Parameters
    ----------
    percentiles : array of shape (model, ...)
        Percent of the eligible cells that score lower, for each model; NaN where there is no rank.
    share : float
        Share of the volume that is the best, above 0 and below 1.

    Returns
    -------
    array of shape (...)
        From 0 to 1; NaN where any model has no rank.

    Raises
    ------
    ValueError
        If there are fewer than two models, or the share is out of range.

    Examples
    --------
    >>> agreement([[99, 50, 10], [98.5, 99, 20]], 0.02).tolist()
    [1.0, 0.5, 0.0]
    """
    values = _models(percentiles)
    if not 0 < share < 1:
        raise ValueError(f"share={share:g} of the volume must lie above 0 and below 1.")
    inside = (values >= 100 * (1 - share)).mean(axis=0)
    return np.where(np.isnan(values).any(axis=0), np.nan, inside).astype(np.float32)


def rank_spread(percentiles: ArrayLike) -> NDArray[np.float32]:
    """Standard deviation of the models' percentiles of each cell, in percent of the volume.

    Parameters
    ----------
    percentiles : array of shape (model, ...)
        As for `agreement`.

    Returns
    -------
    array of shape (...)
        0 where all models rank a cell alike; NaN where any model has no rank.

    Raises
    ------
    ValueError
        If there are fewer than two models.
    """
    spread: NDArray[np.float32] = _models(percentiles).std(axis=0).astype(np.float32)
    return spread


def _models(percentiles: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(percentiles, dtype=np.float64)
    if values.ndim < 2 or len(values) < 2:
        n = len(values) if values.ndim > 1 else 1
        raise ValueError(f"{n} model agrees with itself only, give the ranks of two models or more.")
    return values
