"""Fitted members of an ensemble: their scores together, and the folder they are kept in."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d import models
from mpm3d.models import Estimator
from mpm3d.models.folder import FORMAT, JSON_NAME, move_in, read_json, sha256, staging, versions, write_json
from mpm3d.samples import Index

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
    train : array of int
        Rows of the samples that it was trained on; not saved.
    stop : array of int or None
        Rows that decided when to stop, None if nothing did; not saved.
    """

    estimator: Estimator
    seed: int
    trained_on: tuple[str, ...]
    stopped_on: str
    n_positive: int
    n_negative: int
    seconds: float
    note: str = ""
    train: Index = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    stop: Index | None = None


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
            said = _said(member)
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


def keep_member(folder: Path, member: Fitted, key: str) -> None:
    """Keep a member while others of its ensemble are not fitted yet; ``key`` tells what it was fitted on."""
    models.save(member.estimator, folder, extra=_said(member) | {"key": key})


def find_member(folder: Path, key: str) -> Fitted | None:
    """Return what `keep_member` has kept under this key, None if that is missing, torn, or of another fit.

    Its rows, ``train`` and ``stop``, are not kept.
    """
    try:
        said = dict(read_json(folder / JSON_NAME)["extra"])
        if said.pop("key") != key:
            return None
        return Fitted(models.load(folder), **said | {"trained_on": tuple(said["trained_on"])})
    except (ValueError, KeyError, TypeError):
        return None


def _said(member: Fitted) -> dict[str, Any]:
    return {key: getattr(member, key) for key in _FITTED_KEYS} | {"trained_on": list(member.trained_on)}


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
