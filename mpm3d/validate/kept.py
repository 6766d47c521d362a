"""Finished folds, kept in a folder so that an interrupted validation goes on."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from mpm3d import __version__
from mpm3d.samples import Samples
from mpm3d.validate.fold import Fold
from mpm3d.validate.folds import Arrays
from mpm3d.validate.settings import Settings
from mpm3d.validate.training import Make

# what decides which folds there are or how they are read, not what is in one
_APART = (
    "shares", "population", "schemes", "repeats", "folds", "buffer", "size", "axis", "negatives",
)  # fmt: skip


class Store:
    """The folder of the folds that are finished, and of the state of the one at work.

    Parameters
    ----------
    folder : Path
        Made when the first fold is finished.
    samples, settings
        What the folds depend on.
    """

    def __init__(self, folder: Path, samples: Samples, settings: Settings) -> None:
        self.folder = folder
        self.drawing = {name: value for name, value in asdict(settings).items() if name not in _APART}
        self.negatives = settings.negatives
        self.samples = _digest(samples)

    def name(self, model: str, make: Make, fold: Fold) -> str:
        """A name that changes with everything that the scores of a fold depend on."""
        estimator: Any = make()
        digest = hashlib.sha256()
        for rows in (fold.train, fold.test):
            if rows is not None:
                digest.update(np.ascontiguousarray(rows, dtype=np.int64).tobytes())
        words = {
            "samples": self.samples,
            "model": [model, type(estimator).__qualname__, getattr(estimator, "get_params", dict)()],
            "fold": [fold.scheme, fold.name, fold.repeat, fold.seed, digest.hexdigest()],
            "drawing": [self.drawing, self.negatives if fold.scheme == "deposit" else "", __version__],
        }
        text = json.dumps(words, sort_keys=True, default=repr)
        return f"{_legal(model)}-{hashlib.sha256(text.encode()).hexdigest()[:24]}"

    def get(self, name: str, compute: Callable[[Path], Arrays]) -> Arrays:
        """What a fold gave, from the folder or computed and kept; ``compute`` takes a place for its state."""
        path = self.folder / f"{name}.npz"
        try:
            # opened here, since numpy leaves the file open when it is torn
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return {key: stored[key] for key in stored.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            pass  # not there yet, or not whole
        unfinished = self.folder / "unfinished" / name
        found = compute(unfinished)
        self._keep(path, found)
        shutil.rmtree(unfinished, ignore_errors=True)
        return found

    def _keep(self, path: Path, found: Arrays) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = dict(found)
        with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".part", delete=False) as half:
            place = Path(half.name)
            try:
                np.savez_compressed(half, **arrays)
            except BaseException:
                half.close()
                place.unlink(missing_ok=True)
                raise
        place.replace(path)


def _digest(samples: Samples) -> list[Any]:
    digest = hashlib.sha256()
    for array in (samples.patches, samples.label, samples.xyz):
        digest.update(np.ascontiguousarray(array).data)
    words = hashlib.sha256("\n".join([*samples.group.tolist(), *samples.source.tolist()]).encode())
    return [digest.hexdigest(), words.hexdigest(), list(samples.layers), samples.spacing]


def _legal(model: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", model)


def forget(folder: str | Path, model: str) -> None:
    """Take away the kept folds of one model; those of others stay.

    Parameters
    ----------
    folder : path
        What was given to `validate`.
    model : str
        Its name there.
    """
    place = Path(folder)
    for path in place.glob(f"{_legal(model)}-*.npz"):
        path.unlink()
    for path in place.glob(f"unfinished/{_legal(model)}-*"):
        shutil.rmtree(path, ignore_errors=True)
