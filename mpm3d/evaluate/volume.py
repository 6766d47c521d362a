"""Thresholds and ranks of a volume that is read block by block: exact, and never whole in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpm3d.grid import Index3, Window

Counts = NDArray[np.int64]
Keys = NDArray[np.uint32]
_HALF = 1 << 16  # bins of a pass: the upper, then the lower 16 bits of a score


@dataclass(frozen=True)
class Cut:
    """The score that cuts a share off a volume.

    Parameters
    ----------
    threshold : float
        Score of the last cell of the share.
    n : int
        Number of eligible cells with a score.
    """

    threshold: float
    n: int


def cut_volume(blocks: Callable[[], Iterable[ArrayLike]], share: float) -> Cut | None:
    """Exact score of the ``share * n``-th best of ``n`` eligible cells, by two histograms.

    The bits of a float32 are whole numbers in the order of the scores. The first pass counts the upper 16
    bits and so finds the bin of the cell; the second counts the lower 16 bits of the scores in that bin, one
    count for each score that a float32 can be.

    Parameters
    ----------
    blocks : callable
        Gives the scores (float32) of the eligible cells, block by block; called for each of two passes. NaN
        is not eligible.
    share : float
        Share of the eligible cells, above 0 and at most 1. At least one cell is taken.

    Returns
    -------
    Cut or None
        None where no cell has a score.

    Raises
    ------
    ValueError
        If the share is out of range.

    Examples
    --------
    >>> cut_volume(lambda: [[0.1, 0.5], [np.nan, 0.25, 0.75]], 0.5)
    Cut(threshold=0.5, n=4)
    """
    if not 0 < share <= 1:
        raise ValueError(f"share={share:g} of the volume must lie above 0 and at most be 1.")
    counts = np.zeros(_HALF, np.int64)
    for values in blocks():
        counts += np.bincount(_keys(values) >> 16, minlength=_HALF)
    n = int(counts.sum())
    if not n:
        return None
    high, left = _kth(counts, max(1, round(share * n)))
    counts = np.zeros(_HALF, np.int64)
    for values in blocks():
        keys = _keys(values)
        counts += np.bincount(keys[keys >> 16 == high] & 0xFFFF, minlength=_HALF)
    low, _ = _kth(counts, left)
    return Cut(_score_of(high << 16 | low), n)


def _keys(scores: ArrayLike) -> Keys:
    """Unsigned integers in the order of the scores: the bits of a float32, negatives turned round."""
    values = np.asarray(scores, dtype=np.float32).ravel()
    bits = (values[~np.isnan(values)] + np.float32(0)).view(np.uint32)  # -0 becomes 0
    return np.where(bits >> 31, ~bits, bits | np.uint32(0x80000000))


def _score_of(key: int) -> float:
    bits = key & 0x7FFFFFFF if key >> 31 else ~key & 0xFFFFFFFF
    return float(np.array(bits, dtype=np.uint32).view(np.float32))


def _kth(counts: Counts, k: int) -> tuple[int, int]:
    """Bin of the ``k``-th from the top, and its place within that bin."""
    above = np.cumsum(counts[::-1])
    at = int(np.searchsorted(above, k))
    return len(counts) - 1 - at, k - (int(above[at - 1]) if at else 0)


def percentiles(
    blocks: Callable[[], Iterable[tuple[Window, ArrayLike]]],
    shape: Index3,
    *,
    limit: int = 1 << 22,
    out: Any = None,
) -> Any:
    """Share of the scored cells with a lower score, ties at mid-rank, in percent, for every cell.

    Scores are sorted a range of them at a time, two passes over the blocks for each range. In memory are the
    result, 4 bytes per cell, and about 20 bytes for each of ``limit`` scores.

    Parameters
    ----------
    blocks : callable
        Gives window and scores (float32) of each block of the volume; called for each pass.
    shape : tuple of int
        Cells of the volume along z, y, x.
    limit : int
        Most cells that are sorted at once, unless more of them have scores that are nearly the same.
    out : array of shape (z, y, x), optional
        Where the result goes, NaN everywhere; an array of a store keeps it out of memory.

    Returns
    -------
    array of shape (z, y, x)
        Above 0 and below 100; NaN where there is no score. ``out`` if that was given.
    """
    result = np.full(shape, np.nan, np.float32) if out is None else out
    counts = np.zeros(_HALF, np.int64)
    for _, values in blocks():
        counts += np.bincount(_keys(values) >> 16, minlength=_HALF)
    n, below = int(counts.sum()), 0
    for first, last in _ranges(counts, limit):
        steps, equal = _distinct((_keys(values) for _, values in blocks()), first, last)
        middle = (below + np.cumsum(equal) - equal / 2) / n * 100
        for window, values in blocks():
            keys = _keys(values)
            inside = (keys >> 16 >= first) & (keys >> 16 <= last)
            if not inside.any():
                continue
            part = result[window]
            scored = ~np.isnan(np.asarray(values))
            found = part[scored]
            found[inside] = middle[np.searchsorted(steps, keys[inside])]
            part[scored] = found
            result[window] = part
        below += int(equal.sum())
    return result


def _ranges(counts: Counts, limit: int) -> Iterator[tuple[int, int]]:
    """First and last bin of ranges with at most ``limit`` cells, or of one bin, in ascending order."""
    used = np.flatnonzero(counts)
    ends = np.cumsum(counts[used])
    start = 0
    while start < len(used):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + limit, side="right")))
        yield int(used[start]), int(used[stop - 1])
        start = stop


def _distinct(blocks: Iterable[Keys], first: int, last: int) -> tuple[Keys, Counts]:
    """Distinct keys of a range, ascending, and how many cells have each."""
    keys, counts = np.empty(0, np.uint32), np.empty(0, np.int64)
    waiting: list[tuple[Keys, Counts]] = []
    for block in blocks:
        inside = block[(block >> 16 >= first) & (block >> 16 <= last)]
        waiting.append(np.unique(inside, return_counts=True))
        if sum(len(part) for part, _ in waiting) > max(len(keys), 1 << 20):
            keys, counts, waiting = *_merged([(keys, counts), *waiting]), []
    return _merged([(keys, counts), *waiting])


def _merged(parts: list[tuple[Keys, Counts]]) -> tuple[Keys, Counts]:
    keys, place = np.unique(np.concatenate([part for part, _ in parts]), return_inverse=True)
    counts = np.zeros(len(keys), np.int64)
    np.add.at(counts, place, np.concatenate([count for _, count in parts]))
    return keys, counts
