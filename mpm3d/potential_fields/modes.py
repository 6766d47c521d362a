"""Bidimensional empirical mode decomposition."""

from __future__ import annotations

import numpy as np

from mpm3d.grid import FloatArray
from mpm3d.potential_fields.filters import filled

# of a decomposition; widths grow, so that few are reached
_MOST = 24
# peaks, and hollows, that a field needs for an envelope
_FEWEST = 3


def decompose(field: FloatArray) -> FloatArray:
    """Decompose a field into modes, from the finest detail to what is left.

    Parameters
    ----------
    field : array of shape (y, x)
        NaN where missing: gaps are filled smoothly from their rims, and cut out of all parts again.

    Returns
    -------
    array of shape (part, y, x)
        The modes, each smoother than the one before, and last the remainder that has none. They add up to the
        field. There is one part alone where the field has fewer than three peaks or hollows.

    Notes
    -----
    Of each mode, the window is as wide as the smallest distance between neighbouring peaks, or hollows; the
    envelopes are the greatest and the least value in it, smoothed over it, and half their sum is taken away
    once (type 1 and one iteration in the paper). It ends when peaks are too few or the window is wider than
    half of the grid. Edges are mirrored. Envelopes by splines through the peaks, as in the first papers, are
    undefined beyond the outermost peak, which is the reason for this variant.

    References
    ----------
    Bhuiyan, Adhami and Khan 2008, Fast and adaptive bidimensional empirical mode decomposition using
    order-statistics filter based envelope estimation, EURASIP J. Adv. Signal Process., doi
    10.1155/2008/728356. Huang et al. 1998, doi 10.1098/rspa.1998.0193.

    Examples
    --------
    >>> y, x = np.mgrid[:60, :60]
    >>> parts = decompose(np.sin(x / 2.0) * np.sin(y / 2.0) + 0.1 * x)
    >>> len(parts) > 1, bool(np.abs(parts.sum(axis=0)[30, 30] - (np.sin(15.0) ** 2 + 3)) < 1e-12)
    (True, True)
    """
    missing = ~np.isfinite(field)
    if missing.all():
        return np.full((1, *field.shape), np.nan)
    rest = filled(np.asarray(field, dtype=float))
    parts: list[FloatArray] = []
    width = 1
    while len(parts) < _MOST and (apart := _apart(rest)) is not None:
        width = max(int(np.ceil(apart)) // 2 * 2 + 1, width + 2)
        if width > min(field.shape) / 2:
            break
        smooth = _middle(rest, width)
        parts.append(rest - smooth)
        rest = smooth
    parts.append(rest)
    return np.where(missing, np.nan, np.stack(parts))


def _apart(field: FloatArray) -> float | None:
    """Smallest distance between two peaks, or two hollows, in cells; None where there are too few."""
    from scipy import ndimage
    from scipy.spatial import cKDTree

    least = np.inf
    for one in (field, -field):
        low, high = (f(one, size=3, mode="reflect") for f in (ndimage.minimum_filter, ndimage.maximum_filter))
        peaks = np.argwhere((one == high) & (one > low))
        if len(peaks) < _FEWEST:
            return None
        least = min(least, float(cKDTree(peaks).query(peaks, k=2)[0][:, 1].min()))
    return least


def _middle(field: FloatArray, width: int) -> FloatArray:
    """Half the sum of the upper and the lower envelope."""
    from scipy import ndimage

    ends = (ndimage.maximum_filter, ndimage.minimum_filter)
    upper, lower = (
        ndimage.uniform_filter(end(field, size=width, mode="reflect"), size=width, mode="reflect")
        for end in ends
    )
    return np.asarray(upper + lower) / 2
