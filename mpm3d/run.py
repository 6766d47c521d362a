"""The run folder: which stages are finished with which inputs, its lock and its log."""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

import mpm3d
from mpm3d.errors import StudyError

Progress = Callable[[int, int], None]


class RunFolder:
    """Everything that a study produces, in one folder that can be deleted and made again.

    Parameters
    ----------
    place : Path
        The folder; it is made when the run is locked.
    command : sequence of str
        The command as typed, kept in ``run.json``.
    overwrite : bool
        Count what an earlier command finished as not done.
    """

    def __init__(self, place: Path, *, command: Sequence[str] = (), overwrite: bool = False) -> None:
        self.place = place
        self.command = list(command)
        self.overwrite = overwrite
        self._fresh: set[str] = set()

    def path(self, name: str) -> Path:
        """A file or folder of the run."""
        return self.place / name

    def state(self) -> dict[str, Any]:
        """What ``run.json`` says; nothing where it is missing or torn."""
        try:
            loaded = json.loads(self.path("run.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return loaded if isinstance(loaded, dict) else {}

    def facts(self, stage: str) -> dict[str, Any]:
        """What a finished stage left to know."""
        found = self.state().get("stages", {}).get(stage, {})
        return dict(found)

    def done(self, stage: str, key: str, *outputs: str) -> bool:
        """Whether a stage was finished with the same inputs and its outputs are still there."""
        if self.overwrite and stage not in self._fresh:
            return False
        return self.facts(stage).get("key") == key and all(self.path(name).exists() for name in outputs)

    def finish(self, stage: str, key: str, started: float, **facts: Any) -> None:
        """Write a finished stage, begun at ``started`` on the monotonic clock, into ``run.json``."""
        self._fresh.add(stage)
        entry = {"key": key, "seconds": round(time.monotonic() - started, 1), **facts}
        stages = {**self.state().get("stages", {}), stage: entry}
        whole = {"study": self.place.name, "command": self.command, "versions": versions(), "stages": stages}
        write_text(self.path("run.json"), json.dumps(whole, indent=2))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder and log into it; the system lets go of the lock however the process ends."""
        self.place.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path("run.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise StudyError(
                f"another run is at work in {self.place}. Wait for it, or give this one another place "
                "with --runs."
            ) from None
        handler = logging.FileHandler(self.path("log.txt"), encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger = logging.getLogger("mpm3d")
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            yield
        except Exception:
            logger.exception("stopped by an error")
            raise
        finally:
            logger.removeHandler(handler)
            handler.close()
            lock.release()


def versions() -> dict[str, str]:
    """Versions that a result depends on."""
    names = ("numpy", "scipy", "xarray", "zarr", "scikit-learn", "torch", "libigl")
    found = {name: version(name) for name in names}
    return {"mpm3d": mpm3d.__version__, "python": platform.python_version(), **found}


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def hash_of(*things: Any) -> str:
    """A short hash of anything that JSON can hold."""
    text = json.dumps(things, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
