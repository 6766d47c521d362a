"""What a fold may learn from."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpm3d import labels
from mpm3d.samples import REFERENCE, Index, Samples
from mpm3d.splits.sharing import shares_cell


def training_set(
    samples: Samples,
    *,
    known: Sequence[str],
    stand_off: float,
    rng: np.random.Generator,
    left_out: Sequence[str] = (),
    ratio: float = 1.0,
    max_positives: int | None = None,
    aware: bool = False,
) -> Index:
    """Choose the samples that a fold may learn from.

    Positives are the cells of `known`; negatives are drawn from the background at least `stand_off` from
    them, and never from the reference. A left-out deposit has no stand-off: the fold does not know it, so
    the ground around it may be drawn, as in life. Only samples whose patch shares a cell with a patch on a
    left-out deposit are dropped.

    Parameters
    ----------
    samples : Samples
        From a cube or a table.
    known : sequence of str
        Deposits to learn from.
    stand_off : float
        Smallest distance of a negative to a cell of a known deposit, centre to centre, in metres.
    rng : Generator
        Draws positives and negatives.
    left_out : sequence of str
        Deposits to be tested on, or to stop on.
    ratio : float
        Negatives per positive; infinite for every background sample that is far enough.
    max_positives : int, optional
        Most positives, drawn in equal parts from the deposits as far as they reach.
    aware : bool
        Negatives keep the stand-off from left-out deposits too, as published. This tells a model
        where the ore is that it is tested on: scores with it are optimistic.

    Returns
    -------
    array of shape (n,)
        Rows of `samples`, positives first, each ascending.

    Raises
    ------
    ValueError
        If a name is not known or on both sides, no positive is left, or the background beyond the stand-off
        does not suffice.
    """
    _check_names(samples, known, left_out)
    _check_numbers(stand_off, ratio, max_positives)
    positive = (samples.label == 1) & np.isin(samples.group, list(known))
    tested = (samples.label == 1) & np.isin(samples.group, list(left_out))
    apart = ~shares_cell(samples, samples.xyz, samples.xyz[tested])
    rows = np.flatnonzero(positive & apart)
    if not len(rows):
        raise ValueError(
            f"no positive is left: all {int(positive.sum())} cells of {_list(known)} have patches that share "
            f"cells with those of {_list(left_out)}. Join the deposits, or use smaller cells or patches."
        )
    chosen = _evenly(samples.group, rows, max_positives, rng)
    pool = np.flatnonzero((samples.label == 0) & (samples.source != REFERENCE) & apart)
    avoided = positive | tested if aware else positive
    distance = labels.distance_to_cells(samples.xyz[pool], samples.xyz[avoided])
    allowed = pool[distance >= stand_off]
    wanted = max(1, len(allowed) if math.isinf(ratio) else round(ratio * len(chosen)))
    if len(allowed) < wanted:
        farthest = f"{distance.max():.0f} m" if len(pool) else "nowhere"
        raise ValueError(
            f"{wanted} negatives are needed for {len(chosen)} positives, and {len(allowed)} of {len(pool)} "
            f"background samples lie at least {stand_off:g} m from "
            f"{_list([*known, *left_out] if aware else known)} (farthest: {farthest}). "
            "Lower the stand-off or the ratio, or draw more background."
        )
    negatives = rng.choice(allowed, size=wanted, replace=False, shuffle=False)
    return np.concatenate([np.sort(chosen), np.sort(negatives)])


def split_random(index: ArrayLike, *, rng: np.random.Generator, share: float = 0.7) -> tuple[Index, Index]:
    """Split rows at random, as published; scores on such a test are optimistic, since neighbours share cells.

    Parameters
    ----------
    index : array of shape (n,)
        Rows, as from `training_set`.
    rng : Generator
        Draws them.
    share : float
        Share to train on.

    Returns
    -------
    train, test : arrays
        Rows, ascending.

    Raises
    ------
    ValueError
        If a side would be empty.
    """
    rows = rng.permutation(np.asarray(index, dtype=np.int64))
    cut = round(share * len(rows))
    if not 0 < cut < len(rows):
        raise ValueError(f"{len(rows)} samples cannot be split at {share:g}, one side would have none.")
    return np.sort(rows[:cut]), np.sort(rows[cut:])


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))


def _check_names(samples: Samples, known: Sequence[str], left_out: Sequence[str]) -> None:
    strange = [name for name in (*known, *left_out) if name not in samples.deposits]
    if strange:
        raise ValueError(f"{_list(strange)} is not among the deposits {_list(samples.deposits)}.")
    both = [name for name in known if name in left_out]
    if both:
        raise ValueError(f"{_list(both)} cannot be known and left out at once.")
    if not known:
        raise ValueError("no deposit is known, so there is nothing to learn from. Name at least one.")


def _check_numbers(stand_off: float, ratio: float, max_positives: int | None) -> None:
    if not stand_off >= 0:
        raise ValueError(f"a stand-off of {stand_off:g} m is not possible, it must be 0 or above.")
    if not ratio > 0:
        raise ValueError(f"{ratio:g} negatives per positive are not possible, it must be above 0.")
    if max_positives is not None and max_positives < 1:
        raise ValueError(f"at most {max_positives} positives leave nothing to learn from, allow at least 1.")


def _evenly(group: NDArray[np.str_], rows: Index, most: int | None, rng: np.random.Generator) -> Index:
    """At most so many rows, in equal parts from the groups as far as they reach."""
    if most is None or len(rows) <= most:
        return rows
    names, counts = np.unique(group[rows], return_counts=True)
    quota = np.zeros(len(names), dtype=np.int64)
    while (left := most - int(quota.sum())) > 0:
        open_groups = np.flatnonzero(quota < counts)
        if left < len(open_groups):  # the last ones go to the largest remainders
            largest = np.argsort(-(counts - quota)[open_groups], kind="stable")[:left]
            quota[open_groups[largest]] += 1
        else:
            quota[open_groups] = np.minimum(quota + left // len(open_groups), counts)[open_groups]
    parts = [
        rng.choice(rows[group[rows] == name], size=n, replace=False, shuffle=False)
        for name, n in zip(names, quota, strict=True)
    ]
    return np.concatenate(parts)
