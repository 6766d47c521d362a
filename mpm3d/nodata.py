"""Numbers that programs write where they have none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

CODES = (-99.0, -100.0, -999.0, -999.25, -9999.0, -99999.0, -999999.0, -32768.0, 9999.0, 99999.0, 999999.0)
_HUGE = 1e20


def sentinels(values: Any, declared: Sequence[float] = ()) -> list[tuple[float, int]]:
    """Numbers that look as if they stood for missing values, and how often each occurs.

    A code such as -9999 counts where the nearest other value is further away than half the range of all
    others; huge numbers (1e20 and more) always count.

    Parameters
    ----------
    values : array
        As they are in the file; NaN where missing.
    declared : sequence of float
        Codes that are known to be missing.

    Examples
    --------
    >>> sentinels(np.array([2.1, 2.7, -9999.0, 2.9, -9999.0]))
    [(-9999.0, 2)]
    >>> sentinels(np.array([-101.0, -100, -99, -98]))
    []
    """
    flat = np.asarray(values, dtype=float).ravel()
    flat = flat[np.isfinite(flat) & ~np.isin(flat, declared)]
    found = [(float(code), int(np.sum(flat == code))) for code in np.unique(flat[np.abs(flat) >= _HUGE])[:3]]
    flat = flat[np.abs(flat) < _HUGE]
    for code in sorted(CODES, key=abs, reverse=True):
        others = flat[flat != code]
        times = len(flat) - len(others)
        if not times or not len(others):
            continue
        gap = float(np.abs(others - code).min())
        if gap > 0.5 * float(np.ptp(others)) and not others.min() < code < others.max():
            found.append((code, times))
            flat = others
    return found
