"""From samples to fitted members of an ensemble."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mpm3d import labels
from mpm3d.members import Fitted, ensemble_score, find_member, keep_member, load_members, save_members
from mpm3d.models import Estimator
from mpm3d.models.folder import versions
from mpm3d.samples import REFERENCE, Index, Samples
from mpm3d.splits import training_set
from mpm3d.splits.sharing import shares_cell

__all__ = [
    "BLOCK_SHARE",
    "FEWEST_DEPOSITS",
    "Fitted",
    "Stopping",
    "ensemble_score",
    "fit_members",
    "load_members",
    "save_members",
]

Progress = Callable[..., None]
Stopping = Literal["deposit", "block", "none"]

BLOCK_SHARE = 0.28
"""Share of the positives in the spatial block that early stopping looks at."""

FEWEST_DEPOSITS = 3
"""Known deposits below which early stopping looks at a block, not at a deposit."""

FEW_CELLS = 5
"""Cells of a deposit to stop on below which as many negatives would be too few to tell epochs apart."""

STOP_NEGATIVES = 200
"""Negatives to stop on beside a deposit of so few cells."""

STOP_SHARE = 0.2
"""Share of the background kept to stop on where all of it is wanted as negatives."""

_PUBLISHED_EPOCHS = 200


@dataclass(frozen=True)
class _Draw:
    """What is drawn for each member: the arguments of `training_set`."""

    known: tuple[str, ...]
    left_out: tuple[str, ...]
    stand_off: float
    ratio: float
    max_positives: int | None
    aware: bool


def fit_members(
    samples: Samples,
    make: Callable[[], Estimator],
    *,
    known: Sequence[str],
    left_out: Sequence[str] = (),
    members: int = 1,
    stand_off: float,
    ratio: float = 1.0,
    max_positives: int | None = None,
    stopping: Stopping = "deposit",
    aware: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
    checkpoints: Path | None = None,
) -> list[Fitted]:
    """Fit the members of an ensemble, each with its own negatives and seed.

    Networks memorise places, so the epoch to stop at is chosen on ground that is neither trained nor
    tested on. Forests do not stop early and are trained on all known deposits, whatever ``stopping`` says.

    Parameters
    ----------
    samples : Samples
        Cells of deposits and of background.
    make : callable
        Returns a model that is not fitted, such as ``lambda: models.make("dl4", samples.layers)``. Its
        patch may be smaller than that of the samples; which cells are drawn does not depend on it.
    known : sequence of str
        Deposits that the members may know.
    left_out : sequence of str
        Deposits to be tested on. Training cells whose patch shares a cell with one of theirs are dropped.
    members : int
        Number of members.
    stand_off : float
        Smallest distance of a negative to a cell of a known deposit, in metres.
    ratio : float
        Negatives per positive; infinite for all that keep the stand-off.
    max_positives : int, optional
        Most positives to train on, and to stop on, drawn evenly from the deposits.
    stopping : {"deposit", "block", "none"}
        ``"deposit"``: one known deposit is held out of training, another one for each member in turn,
        and training stops when the area under the ROC curve of its cells against as many background
        cells (200 for a deposit of fewer than five cells) no longer rises. With fewer than three deposits,
        the left-out ones counted, this becomes
        ``"block"``: the outer end of the known cells along their longest axis is held out, and a
        patch-wide gap beside it.
        ``"none"``: all epochs, the paper's setting with 200 of them.
    aware : bool
        Whether negatives keep the stand-off from the left-out deposits too. That is the published rule, and
        it tells the model where the ore to be found is.
    seed : int
        Start of all random choices. Member ``i`` is the same whatever the number of members.
    progress : callable, optional
        Called as ``progress(done, total, words)`` over the epochs of all members.
    checkpoints : Path, optional
        Folder that keeps finished members, and the state of the one being fitted. After an interruption the
        same call goes on from there; what other calls left is replaced. To be removed by the caller once the
        members are saved.

    Returns
    -------
    list of Fitted

    Raises
    ------
    ValueError
        If there are too few members, deposits or cells, or a model cannot be fitted on them.
    """
    if members < 1:
        raise ValueError(f"an ensemble of {members} members is not possible, it needs at least 1.")
    if stopping not in ("deposit", "block", "none"):
        raise ValueError(f"stopping is {stopping!r}, choose 'deposit', 'block' or 'none'.")
    _check_names(samples, known, left_out)
    draw = _Draw(tuple(known), tuple(left_out), stand_off, ratio, max_positives, aware)
    order = np.random.default_rng(seed).permutation(np.asarray(known, dtype=str)).tolist()
    fitted = []
    for member in range(members):
        own_seed = int(np.random.SeedSequence([seed, member]).generate_state(1)[0])
        estimator = make()
        rule = _rule(estimator, stopping, len(order), len(left_out))
        held = _to_hold(samples, draw, order) if rule == "deposit" else order
        fold = _fold(samples, draw, rule, held[member % len(held)], np.random.default_rng(own_seed))
        folder = None if checkpoints is None else checkpoints / f"member_{member:02d}"
        fitted.append(_member(estimator, fold, own_seed, _part(progress, member, members), folder))
    return fitted


@dataclass(frozen=True, eq=False)
class _Fold:
    """What one member is trained and stopped on."""

    samples: Samples
    train: Index
    stop: Index | None
    trained_on: tuple[str, ...]
    stopped_on: str
    note: str
    rng: np.random.Generator


def _check_names(samples: Samples, known: Sequence[str], left_out: Sequence[str]) -> None:
    have = ", ".join(map(repr, samples.deposits))
    if not known:
        raise ValueError(f"no deposit is known, so there is nothing to learn from. Name some of {have}.")
    for name in (*known, *left_out):
        if name not in samples.deposits:
            raise ValueError(f"{name!r} is not among the deposits of the samples: {have}.")
    for name in known:
        if name in left_out or list(known).count(name) > 1:
            raise ValueError(f"deposit {name!r} is named twice in known and left_out, once is possible.")


def _rule(estimator: Estimator, stopping: Stopping, n_known: int, n_left_out: int) -> str:
    if not estimator.stops_early:
        return "none"
    # one to train on, one to stop on, and one more to test or to train on
    few = n_known < 2 or n_known + n_left_out < FEWEST_DEPOSITS
    return "few" if stopping == "deposit" and few else stopping


def _fold(samples: Samples, draw: _Draw, rule: str, held: str, rng: np.random.Generator) -> _Fold:
    if rule == "none":
        train = training_set(samples, rng=rng, **vars(draw))
        return _Fold(samples, train, None, _trained(samples, train), "", "", rng)
    note = f"stopped on deposit {held!r}, which it was not trained on."
    if rule != "deposit":
        samples, held, note = _with_block(samples, draw.known, rng)
        note = f"fewer than {FEWEST_DEPOSITS} known deposits: {note}" if rule == "few" else note
    try:
        train, stop = _apart(samples, draw, held, rng)
    except ValueError as error:
        raise ValueError(
            f"{error} Holding out {held!r} to stop on can be turned off: stopping='none'."
        ) from error
    return _Fold(samples, train, stop, _trained(samples, train), held, note, rng)


def _to_hold(samples: Samples, draw: _Draw, order: Sequence[str]) -> Sequence[str]:
    """Deposits to stop on, such that have a patch apart from those that are tested; all if none has."""
    ore = np.flatnonzero(samples.label == 1)
    tested = samples.xyz[ore[np.isin(samples.group[ore], draw.left_out)]]
    if not len(tested):
        return order
    apart = set(samples.group[ore[~shares_cell(samples, samples.xyz[ore], tested)]].tolist())
    return [name for name in order if name in apart] or order


def _apart(samples: Samples, draw: _Draw, held: str, rng: np.random.Generator) -> tuple[Index, Index]:
    """Rows to train on and rows to stop on; negatives keep the stand-off from both sides' deposits."""
    trained = tuple(name for name in draw.known if name != held and name in samples.deposits)

    def away(*names: str) -> NDArray[np.bool_]:
        cells = (samples.label == 1) & np.isin(samples.group, names)
        far = labels.beyond(samples.xyz, samples.xyz[cells], draw.stand_off)
        return np.asarray((samples.label == 1) | far)

    spare = np.zeros(len(samples), dtype=bool)
    background = np.flatnonzero((samples.label == 0) & (samples.source != REFERENCE))
    if math.isinf(draw.ratio):  # every other negative trains
        spare[rng.choice(background, size=round(STOP_SHARE * len(background)), replace=False)] = True
    pool = np.flatnonzero(away(held) & ~spare)
    own = replace(draw, known=trained, left_out=(*draw.left_out, held))
    train = pool[training_set(samples.take(pool), rng=rng, **vars(own))]
    unused = away(*trained)
    unused[train[samples.label[train] == 0]] = False
    pool = np.flatnonzero(unused)
    ratio = _stop_ratio(draw.ratio, int((samples.group == held).sum()), int(unused[background].sum()))
    own = replace(draw, known=(held,), ratio=ratio)
    return train, pool[training_set(samples.take(pool), rng=rng, **vars(own))]


def _stop_ratio(ratio: float, n_held: int, n_left: int) -> float:
    """Negatives per cell of the deposit to stop on: as many, or enough for an AUC where it has few cells."""
    if math.isinf(ratio):
        return ratio
    return 1.0 if n_held >= FEW_CELLS else max(1.0, min(STOP_NEGATIVES, n_left // 2) / n_held)


def _with_block(samples: Samples, known: Sequence[str], rng: np.random.Generator) -> tuple[Samples, str, str]:
    """Regroup one end of the known cells as a deposit of its own."""
    rows = np.flatnonzero((samples.label == 1) & np.isin(samples.group, list(known)))
    n_held = round(BLOCK_SHARE * len(rows))
    if not n_held:
        raise ValueError(
            f"{len(rows)} cells of known deposits are too few to hold out a block to stop on. Use smaller "
            f"cells, or stopping='none'."
        )
    centred = samples.xyz[rows] - samples.xyz[rows].mean(axis=0)
    axis = np.linalg.svd(centred, full_matrices=False)[2][0]
    along = centred @ axis * rng.choice([-1.0, 1.0])
    held = rows[np.argsort(along, kind="stable")[-n_held:]]
    name = f"block of {', '.join(dict.fromkeys(samples.group[held].tolist()))}"
    group = samples.group.astype(f"<U{max(len(name), samples.group.dtype.itemsize // 4)}")
    group[held] = name
    note = (
        f"stopped on a spatial block, the outer {n_held} of {len(rows)} known cells along their longest axis."
    )
    return replace(samples, group=group), name, note


def _trained(samples: Samples, rows: Index) -> tuple[str, ...]:
    return tuple(name for name in dict.fromkeys(samples.group[rows].tolist()) if name)


def _part(progress: Progress | None, member: int, members: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, total, words="": progress(member * total + done, members * total, words)


def _member(
    estimator: Estimator, fold: _Fold, seed: int, progress: Progress | None, folder: Path | None
) -> Fitted:
    """Fit one member, unless it is kept in the folder already."""
    if folder is None:
        return _fit(estimator, fold, seed, progress)
    key = _key(estimator, fold)
    member = find_member(folder, key)
    if member is None:
        member = _fit(estimator, fold, seed, progress, folder)
        keep_member(folder, member, key)
    elif progress is not None:
        progress(1, 1, "kept from before")
    return replace(member, train=fold.train, stop=fold.stop)


def _key(estimator: Estimator, fold: _Fold) -> str:
    """Hash all that a member depends on."""
    settings = sorted(estimator.get_params(deep=False).items())  # type: ignore[attr-defined]
    digest = hashlib.sha256(repr((estimator.name, settings, fold.note, versions())).encode())
    digest.update(repr((fold.trained_on, fold.stopped_on, fold.rng.bit_generator.state)).encode())
    for rows in (fold.train, fold.train[:0] if fold.stop is None else fold.stop):
        used = fold.samples.take(rows)
        for array in (rows, used.patches, used.label, used.group):
            digest.update(
                repr((array.shape, array.dtype.str)).encode() + np.ascontiguousarray(array).tobytes()
            )
    return digest.hexdigest()


def _fit(
    estimator: Estimator, fold: _Fold, seed: int, progress: Progress | None, folder: Path | None = None
) -> Fitted:
    start = time.perf_counter()
    train = fold.samples.take(fold.train).cropped(estimator.patch_shape)
    validation = None
    if fold.stop is not None:
        stop = fold.samples.take(fold.stop).cropped(estimator.patch_shape)
        validation = (stop.patches, stop.label)
    estimator.fit(
        train.patches, train.label, groups=train.group, rng=fold.rng, validation=validation,
        progress=progress, checkpoint=folder,
    )  # fmt: skip
    n_positive = int(train.label.sum())
    notes = [fold.note or _all_epochs(estimator), *estimator.notes_]
    return Fitted(
        estimator,
        seed,
        fold.trained_on,
        fold.stopped_on,
        n_positive,
        len(train) - n_positive,
        time.perf_counter() - start,
        " ".join(note for note in notes if note),
        fold.train,
        fold.stop,
    )


def _all_epochs(estimator: Estimator) -> str:
    epochs = len(estimator.history_)
    if not epochs:
        return ""
    published = ", the published setting" if epochs == _PUBLISHED_EPOCHS else ""
    return f"trained for all {epochs} epochs without early stopping{published}."
