"""From samples to fitted members of an ensemble, and to the model folder."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mpm3d import labels, models
from mpm3d.models import Estimator
from mpm3d.models.folder import FORMAT, JSON_NAME, move_in, read_json, sha256, staging, versions, write_json
from mpm3d.samples import Index, Samples, training_set

Progress = Callable[[int, int], None]
Stopping = Literal["deposit", "block", "none"]

BLOCK_SHARE = 0.28
"""Share of the positives in the spatial block that early stopping looks at."""

FEWEST_DEPOSITS = 3
"""Known deposits below which early stopping looks at a block, not at a deposit."""

_PUBLISHED_EPOCHS = 200
_FITTED_KEYS = ("seed", "trained_on", "stopped_on", "n_positive", "n_negative", "seconds", "note")


@dataclass(frozen=True, eq=False)
class Fitted:
    """One member of an ensemble, and what it has seen.

    Parameters
    ----------
    estimator : Estimator
        The fitted model.
    seed : int
        Seed of its draws and of its first weights.
    trained_on : tuple of str
        Deposits whose cells it was trained on.
    stopped_on : str
        Deposit, or spatial block, that decided when to stop; empty if nothing did.
    n_positive, n_negative : int
        Training cells.
    seconds : float
        Duration of the fit.
    note : str
        Sentences on how it was stopped and on layers that need care.
    """

    estimator: Estimator
    seed: int
    trained_on: tuple[str, ...]
    stopped_on: str
    n_positive: int
    n_negative: int
    seconds: float
    note: str = ""


@dataclass(frozen=True)
class _Draw:
    """What is drawn for each member: the arguments of `training_set`."""

    known: tuple[str, ...]
    left_out: tuple[str, ...]
    stand_off: float
    ratio: float
    max_positives: int | None


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
    seed: int = 0,
    progress: Progress | None = None,
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
        Negatives per positive.
    max_positives : int, optional
        Most positives to train on, and to stop on, drawn evenly from the deposits.
    stopping : {"deposit", "block", "none"}
        ``"deposit"``: one known deposit is held out of training, another one for each member in turn,
        and training stops when the area under the ROC curve of its cells against as many background
        cells no longer rises. With fewer than three deposits, the left-out ones counted, this becomes
        ``"block"``: the outer end of the known cells along their longest axis is held out, and a
        patch-wide gap beside it.
        ``"none"``: all epochs, the paper's setting with 200 of them.
    seed : int
        Start of all random choices. Member ``i`` is the same whatever the number of members.
    progress : callable, optional
        Called as ``progress(done, total)`` over the epochs of all members.

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
    draw = _Draw(tuple(known), tuple(left_out), stand_off, ratio, max_positives)
    order = np.random.default_rng(seed).permutation(np.asarray(known, dtype=str)).tolist()
    fitted = []
    for member in range(members):
        own_seed = int(np.random.SeedSequence([seed, member]).generate_state(1)[0])
        estimator = make()
        rule = _rule(estimator, stopping, len(order), len(left_out))
        fold = _fold(samples, draw, rule, order[member % len(order)], np.random.default_rng(own_seed))
        fitted.append(_fit(estimator, fold, own_seed, _part(progress, member, members)))
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


def _apart(samples: Samples, draw: _Draw, held: str, rng: np.random.Generator) -> tuple[Index, Index]:
    """Rows to train on and rows to stop on; negatives keep the stand-off from both sides' deposits."""
    trained = tuple(name for name in draw.known if name != held and name in samples.deposits)

    def away(*names: str) -> NDArray[np.bool_]:
        cells = (samples.label == 1) & np.isin(samples.group, names)
        far = labels.beyond(samples.xyz, samples.xyz[cells], draw.stand_off)
        return np.asarray((samples.label == 1) | far)

    pool = np.flatnonzero(away(held))
    own = replace(draw, known=trained, left_out=(*draw.left_out, held))
    train = pool[training_set(samples.take(pool), rng=rng, **vars(own))]
    unused = away(*trained)
    unused[train[samples.label[train] == 0]] = False
    pool = np.flatnonzero(unused)
    own = replace(draw, known=(held,), ratio=1.0)
    return train, pool[training_set(samples.take(pool), rng=rng, **vars(own))]


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
    return lambda done, total: progress(member * total + done, members * total)


def _fit(estimator: Estimator, fold: _Fold, seed: int, progress: Progress | None) -> Fitted:
    start = time.perf_counter()
    train = fold.samples.take(fold.train).cropped(estimator.patch_shape)
    validation = None
    if fold.stop is not None:
        stop = fold.samples.take(fold.stop).cropped(estimator.patch_shape)
        validation = (stop.patches, stop.label)
    estimator.fit(
        train.patches, train.label, groups=train.group, rng=fold.rng, validation=validation, progress=progress
    )
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
    )


def _all_epochs(estimator: Estimator) -> str:
    epochs = len(estimator.history_)
    if not epochs:
        return ""
    published = ", the published setting" if epochs == _PUBLISHED_EPOCHS else ""
    return f"trained for all {epochs} epochs without early stopping{published}."


def ensemble_score(
    members: Sequence[Estimator], patches: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Score patches with every member.

    Parameters
    ----------
    members : sequence of Estimator
        Fitted models on the same layers and patch.
    patches : array of shape (sample, layer, z, y, x)
        Values in the layers' own units, NaN where missing.

    Returns
    -------
    mean, spread : float32 arrays of shape (sample,)
        Mean over the members and their standard deviation, 0 for one member.
    """
    if not members:
        raise ValueError("an ensemble needs at least 1 member, none was given.")
    scores = np.stack([np.asarray(m.score_samples(patches), dtype=np.float64) for m in members])
    return scores.mean(axis=0).astype(np.float32), scores.std(axis=0).astype(np.float32)


def save_members(folder: str | Path, fitted: Sequence[Fitted], info: Mapping[str, Any]) -> dict[str, Any]:
    """Write the model folder: one folder per member, and a ``model.json`` on all of them.

    Parameters
    ----------
    folder : str or Path
        Made if it is missing; the model in it is replaced.
    fitted : sequence of Fitted
        From `fit_members`.
    info : mapping
        What JSON can hold about the fit: units of the layers, hashes of cube and settings, folds.

    Returns
    -------
    dict
        What `load_members` returns as ``info``; its ``hash`` names this model.

    Raises
    ------
    ValueError
        If there is no member, or ``info`` uses a key of the folder's own or holds what JSON cannot.
    """
    if not fitted:
        raise ValueError("a model folder needs at least 1 member, none was given.")
    folder, rows = Path(folder), []
    with staging(folder) as temporary:
        for number, member in enumerate(fitted):
            name = f"member_{number:02d}"
            said = {key: getattr(member, key) for key in _FITTED_KEYS} | {
                "trained_on": list(member.trained_on)
            }
            models.save(member.estimator, temporary / name, extra=said)
            rows.append({"folder": name, "sha256": sha256(temporary / name / JSON_NAME), **said})
        content = _summary(fitted[0].estimator, rows)
        taken = sorted(set(content) & set(info))
        if taken:
            raise ValueError(f"info cannot hold {', '.join(map(repr, taken))}, the model folder writes them.")
        content |= info
        write_json(temporary / JSON_NAME, content)
        for row in rows:
            names = [fitted[0].estimator.weights_name, JSON_NAME]
            move_in(temporary / row["folder"], folder / row["folder"], names)
        move_in(temporary, folder, [JSON_NAME])
    for old in folder.glob("member_*"):
        if old.name not in {row["folder"] for row in rows} and (old / JSON_NAME).is_file():
            shutil.rmtree(old)
    return content


def _summary(estimator: Estimator, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    digests = "".join(row["sha256"] for row in rows)
    return {
        "format": FORMAT,
        "model": estimator.name,
        "kind": estimator.kind,
        "layers": list(estimator.layers),
        "patch_shape": list(estimator.patch_shape),
        "versions": versions(),
        "hash": hashlib.sha256(digests.encode()).hexdigest(),
        "members": [dict(row) for row in rows],
    }


def load_members(folder: str | Path) -> tuple[list[Estimator], dict[str, Any]]:
    """Read a model folder.

    Returns
    -------
    members : list of Estimator
        Ready to score.
    info : dict
        What was given to `save_members`, and ``model``, ``kind``, ``layers``, ``patch_shape``,
        ``versions``, ``members`` (what each was trained and stopped on) and ``hash``.

    Raises
    ------
    ValueError
        If a file is missing, truncated, or does not belong to the others.
    """
    folder = Path(folder)
    info = read_json(folder / JSON_NAME)
    if not info.get("members"):
        raise ValueError(f"{folder / JSON_NAME} lists no members. Read a single model with models.load.")
    members = []
    for row in info["members"]:
        if not isinstance(row, dict) or not {"folder", "sha256"} <= set(row):
            raise ValueError(f"{folder / JSON_NAME} lists a member without folder and sha256. Fit again.")
        path = folder / Path(row["folder"]).name / JSON_NAME
        if path.is_file() and sha256(path) != row["sha256"]:
            raise ValueError(
                f"{path} is not the file that {folder / JSON_NAME} was written for: it was changed, or a fit "
                f"was interrupted. Fit again."
            )
        members.append(models.load(path.parent))
    return members, info
