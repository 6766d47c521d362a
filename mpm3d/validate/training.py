"""Fitting the members of a spatial fold on its training side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mpm3d import fit, labels
from mpm3d.models import Estimator
from mpm3d.samples import Index, Samples
from mpm3d.validate.fold import WITHOUT, Fold
from mpm3d.validate.settings import Settings

Make = Callable[[], Estimator]
Progress = Callable[..., None]


def fit_fold(
    samples: Samples,
    settings: Settings,
    fold: Fold,
    make: Make,
    *,
    progress: Progress | None = None,
    unfinished: Path | None = None,
) -> tuple[list[fit.Fitted], Index]:
    """Fit the members of a block or of a left-out deposit.

    Parameters
    ----------
    samples, settings, fold
        What is split, and how.
    make : callable
        Makes the unfitted model.
    progress : callable, optional
        As in `mpm3d.fit.fit_members`.
    unfinished : Path, optional
        Folder where long fits keep their state.

    Returns
    -------
    fitted : list of Fitted
        The members.
    used : array
        Rows of the samples that any of them was trained or stopped on.
    """
    known, left_out = _known(samples, fold)
    rows = fold.train if fold.train is not None else _beyond(samples, left_out, settings.deposit_buffer)
    inner = samples if rows is None else samples.take(rows)
    known = tuple(name for name in known if name in inner.deposits)
    # only models with epochs take long enough to be worth the files
    kept = unfinished if make().stops_early else None
    fitted = fit.fit_members(
        inner, make, known=known or inner.deposits, left_out=left_out,
        members=settings.members, stand_off=settings.stand_off, ratio=settings.ratio,
        max_positives=settings.max_positives, stopping=settings.stopping,
        aware=settings.negatives == "published", seed=fold.seed, progress=progress, checkpoints=kept,
    )  # fmt: skip
    used = _used(fitted)
    return fitted, used if rows is None else rows[used]


def _beyond(samples: Samples, left_out: Sequence[str], buffer: float) -> Index | None:
    """Rows so far from the left-out deposits, and theirs; None for all."""
    if not buffer:
        return None
    tested = (samples.label == 1) & np.isin(samples.group, list(left_out))
    far = labels.beyond(samples.xyz, samples.xyz[tested], buffer)
    if not (far & (samples.label == 1)).any():
        raise ValueError(
            f"no deposit lies {buffer:g} m or more from the left-out {', '.join(map(repr, left_out))}, so "
            "none is left to train on. Use a smaller deposit_buffer."
        )
    return np.flatnonzero(far | tested)


def _known(samples: Samples, fold: Fold) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Deposits known and left out; none of either in a block, whose training side has what it has."""
    if fold.train is not None:
        return (), ()
    name = fold.name.removeprefix(WITHOUT)
    return tuple(other for other in samples.deposits if other != name), (name,)


def _used(fitted: Sequence[fit.Fitted]) -> Index:
    rows = [member.train for member in fitted]
    rows += [member.stop for member in fitted if member.stop is not None]
    found: Index = np.unique(np.concatenate(rows))
    return found
