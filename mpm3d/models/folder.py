"""Writing and reading the files of a model folder, whole or not at all."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mpm3d

FORMAT = 1
JSON_NAME = "model.json"
WEIGHTS_NAMES = ("forest.skops", "weights.safetensors", "bags.zip")


@contextmanager
def staging(folder: str | Path) -> Iterator[Path]:
    """Make a temporary folder beside ``folder``, on the same disk, and remove it at the end."""
    parent = Path(folder).absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".mpm3d_", dir=parent))
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def move_in(temporary: Path, folder: Path, names: Sequence[str]) -> None:
    """Move files into a folder one by one, in this order, in place of the model that was there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (temporary / name).replace(folder / name)
    for old in set(WEIGHTS_NAMES) - set(names):
        (folder / old).unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, as hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def versions() -> dict[str, str]:
    """Return the versions that a model was fitted with."""
    packages = ("numpy", "scikit-learn", "torch")
    return {"mpm3d": mpm3d.__version__} | {name: importlib.metadata.version(name) for name in packages}


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON.

    Raises
    ------
    ValueError
        If the content holds something that JSON cannot.
    """
    try:
        text = json.dumps(content, indent=1, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path.name} takes text, finite numbers, lists and dicts only: {error}.") from error
    path.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read a ``model.json``.

    Raises
    ------
    ValueError
        If the file is missing, is not JSON, or is from a newer format.
    """
    if not path.is_file():
        raise ValueError(f"{path} is missing, so {path.parent} is no model folder. Fit a model first.")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{path} is not readable as JSON ({error}), it may be truncated. Fit again."
        ) from error
    if not isinstance(found, dict) or not isinstance(found.get("format"), int):
        raise ValueError(f"{path} does not describe a model, it has no 'format'. Fit again.")
    if found["format"] > FORMAT:
        raise ValueError(
            f"{path} has format {found['format']} and mpm3d {mpm3d.__version__} reads up to {FORMAT}. "
            f"Update mpm3d."
        )
    return found
