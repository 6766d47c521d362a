"""The bags of a fitted model on disk: one archive when it is saved, a folder each while it is fitted."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d import models
from mpm3d.models.folder import JSON_NAME, read_json, versions
from mpm3d.models.scaling import Float32

_LEARNED = "learned.json"

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Time of every file in the archive, the oldest that zip knows: when it was written is not part of it."""


@dataclass(frozen=True, eq=False)
class Data:
    """What bags are drawn from, and what a base stops on, without missing values.

    Parameters
    ----------
    patches : array of shape (sample, layer, z, y, x)
        In the layers' own units.
    target : array of shape (sample,)
        1 at deposit cells, 0 at unlabelled cells.
    groups : array of shape (sample,) or None
        Deposit of each sample.
    validation : tuple of arrays or None
        Patches and labels to stop on.
    """

    patches: Float32
    target: NDArray[np.int64]
    groups: NDArray[Any] | None
    validation: tuple[Float32, NDArray[Any]] | None


class Kept:
    """Finished bags of an unfinished fit, in model folders that only the same fit takes over.

    Parameters
    ----------
    checkpoint : Path or None
        Where they are kept; None keeps nothing.
    data : Data
        What the bags are drawn from.
    settings : list
        All else that decides how a bag is fitted.
    """

    def __init__(self, checkpoint: Path | None, data: Data, settings: list[Any]) -> None:
        self._checkpoint, self._key = checkpoint, ""
        if checkpoint is not None:
            digest = hashlib.sha256(json.dumps([settings, versions()], default=list).encode())
            digest.update(repr(None if data.groups is None else np.asarray(data.groups).tolist()).encode())
            for array in (data.patches, data.target, *(data.validation or ())):
                digest.update(repr(np.shape(array)).encode() + np.ascontiguousarray(array).tobytes())
            self._key = digest.hexdigest()

    def folder(self, bag: int) -> Path | None:
        """Folder of a bag, finished or not; None if nothing is kept."""
        return None if self._checkpoint is None else self._checkpoint / f"bag_{bag:03d}"

    def load(self, bag: int) -> models.Estimator | None:
        """Return a bag that was finished in the same fit, if there is one and it is whole."""
        folder = self.folder(bag)
        if folder is None or not (folder / JSON_NAME).is_file():
            return None
        try:
            extra = read_json(folder / JSON_NAME)["extra"]
            if extra["key"] != self._key:
                return None
            member = models.load(folder)
            member.notes_ = tuple(extra["notes"])
        except (ValueError, KeyError, TypeError):
            return None
        return member

    def save(self, bag: int, member: models.Estimator) -> None:
        """Keep a finished bag."""
        folder = self.folder(bag)
        if folder is not None:
            models.save(member, folder, extra={"key": self._key, "notes": list(member.notes_)})

    def remove(self, bags: int) -> None:
        """Remove all bags, and the folder if nothing else is in it."""
        if self._checkpoint is None or not self._checkpoint.is_dir():
            return
        for bag in range(bags):
            shutil.rmtree(self._checkpoint / f"bag_{bag:03d}", ignore_errors=True)
        if not any(self._checkpoint.iterdir()):
            self._checkpoint.rmdir()


def write_bags(path: Path, members: Sequence[models.Estimator]) -> None:
    """Write an archive with the weights and the JSON of every bag, as they are, not compressed.

    Parameters
    ----------
    path : Path
        The archive.
    members : sequence of Estimator
        Fitted models.
    """
    with zipfile.ZipFile(path, "w") as archive, tempfile.TemporaryDirectory(dir=path.parent) as folder:
        for bag, member in enumerate(members):
            weights = Path(folder) / member.weights_name
            member.write_weights(weights)
            text = json.dumps(member.learned(), allow_nan=False)
            for name, content in ((_LEARNED, text.encode()), (weights.name, weights.read_bytes())):
                archive.writestr(zipfile.ZipInfo(_inside(bag, name), _EPOCH), content)


def read_bags(path: Path, make: Callable[[], models.Estimator], bags: int) -> list[models.Estimator]:
    """Read what `write_bags` has written. Nothing in the archive is executed.

    No name in the archive becomes a path: the files of each bag are read by the names they must have.

    Parameters
    ----------
    path : Path
        The archive.
    make : callable
        Returns an unfitted model for a bag.
    bags : int
        Number of bags.

    Raises
    ------
    ValueError
        If the archive holds anything else, or more than its own size.
    """
    fitted = []
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
        weights_name = make().weights_name
        _check_archive(archive, path.stat().st_size, bags, weights_name)
        for bag in range(bags):
            member, weights = make(), Path(folder) / weights_name
            weights.write_bytes(archive.read(_inside(bag, weights_name)))
            member.restore(_json(archive.read(_inside(bag, _LEARNED))), weights)
            fitted.append(member)
    return fitted


def _inside(bag: int, name: str) -> str:
    return f"bag_{bag:03d}/{name}"


def _check_archive(archive: zipfile.ZipFile, size: int, bags: int, weights_name: str) -> None:
    """Files are read by the names that are expected, stored as they are, and no larger than the archive."""
    found = archive.infolist()
    # The count comes first: a forged number of bags must not fill the memory with names.
    right = len(found) == 2 * bags and [item.filename for item in found] == [
        _inside(bag, name) for bag in range(bags) for name in (_LEARNED, weights_name)
    ]
    if not right:
        raise ValueError(f"its archive does not hold the {bags} bags of this model and nothing else")
    packed = any(item.compress_type != zipfile.ZIP_STORED or item.flag_bits & 1 for item in found)
    if packed or any(item.file_size != item.compress_size for item in found):
        raise ValueError("its archive is compressed or encrypted, bags are stored as they are")
    if sum(item.file_size for item in found) > size:
        raise ValueError(f"its archive of {size} bytes claims to hold more than that")


def _json(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise ValueError(f"a bag of it is not readable as JSON ({error})") from error
    if not isinstance(found, dict):
        raise ValueError("a bag of it does not describe what it has learned")
    return found
