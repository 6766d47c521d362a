"""What the engine is told and what it tells: settings, members, errors, the summary of a run."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mpm3d.grid import Index3

Float32 = NDArray[np.float32]
Progress = Callable[[int, int, str], None]


class Member(Protocol):
    """What the engine asks of an estimator."""

    @property
    def patch_shape(self) -> Index3:
        """Cells of a patch along z, y, x, each odd."""
        ...

    @property
    def layers(self) -> Sequence[str]:
        """Evidence layers, in the order of the patches."""
        ...

    @property
    def kind(self) -> str:
        """``"probability"`` or ``"deviation"``."""
        ...

    def score_samples(self, patches: Float32) -> NDArray[np.floating[Any]]:
        """Scores ``(n,)`` of patches ``(n, layer, z, y, x)``, NaN where missing.

        The patches are a view of a buffer that lies in memory as ``(z, y, x, n, layer)`` and is filled again
        for the next batch: ``patches.transpose(2, 3, 4, 0, 1)`` is contiguous, and nothing may keep or change
        it. Several threads may call at once.
        """
        ...


Load = Callable[[], Sequence[Member]]


class DifferentRun(ValueError):  # noqa: N818
    """The store was begun with another model, cube or settings."""


class DiskFull(OSError):  # noqa: N818
    """The disk of the store has no room left; what was finished is kept."""


class WorkerDied(RuntimeError):  # noqa: N818
    """A worker process ended in the middle of a block; what was finished is kept."""


@dataclass(frozen=True)
class Settings:
    """How the volume is worked through.

    Parameters
    ----------
    block : tuple of int
        Cells of a block along z, y, x, and of a chunk of the output.
    workers : int, optional
        Blocks at a time; default the number of processors. A cluster has its own workers.
    max_missing : int
        A cell with more of its own layers missing is not scored.
    batch : int
        Patches scored at a time by one worker. By default 17 × 240, since networks take 240 at a time, and
        since a stride that is a multiple of 4096 bytes would thrash the processor's cache.
    memory : float
        The most that blocks and patches of all workers may take, in GB; on a cluster, those of one worker
        thread. What a model needs inside comes on top.
    overwrite : bool
        Delete what an earlier run has written and start again.
    processes : bool
        Whether the workers are processes instead of threads.
    scheduler : str
        Address of a dask cluster whose workers score the blocks, such as ``"tcp://10.0.0.1:8786"``.
    """

    block: Index3 = (50, 50, 50)
    workers: int | None = None
    max_missing: int = 0
    batch: int = 4080
    memory: float = 4.0
    overwrite: bool = False
    processes: bool = False
    scheduler: str = ""

    def __post_init__(self) -> None:
        counts = {"workers": self.workers or 1, "batch": self.batch, "block": min(self.block)}
        for name, value in counts.items():
            if value < 1 or self.workers == 0:
                raise ValueError(f"{name}={getattr(self, name)} is not possible, 1 or more is needed.")
        if self.max_missing < 0:
            raise ValueError(
                f"max_missing={self.max_missing} is not possible, 0 or more layers may be missing."
            )
        if not self.memory > 0:
            raise ValueError(f"memory={self.memory:g} GB is not possible, more than 0 is needed.")
        if self.scheduler and not re.match(r"[a-z]+://.", self.scheduler):
            raise ValueError(
                f"scheduler={self.scheduler!r} is not the address of a dask cluster, "
                "one such as 'tcp://10.0.0.1:8786' is needed."
            )
        if self.scheduler and self.processes:
            raise ValueError(
                f"processes=True and scheduler={self.scheduler!r} exclude each other: a cluster has workers "
                "of its own. Leave one out."
            )

    @property
    def at_once(self) -> int:
        """Blocks that are worked on at a time on this machine."""
        return self.workers or os.cpu_count() or 1


@dataclass(frozen=True)
class Summary:
    """What a run has done, counted over the whole volume, reused blocks included.

    Parameters
    ----------
    path : Path
        The prospectivity store.
    n_study : int
        Cells of the study volume.
    n_scored : int
        Cells with a score.
    missing : dict of str to int
        Study cells where each layer is missing.
    blocks, reused : int
        Blocks of the volume, and those that an earlier run had finished.
    seconds : float
        Time that this run took.
    cells_per_second : float
        Cells scored by this run, per second.
    """

    path: Path
    n_study: int
    n_scored: int
    missing: dict[str, int]
    blocks: int
    reused: int
    seconds: float
    cells_per_second: float

    @property
    def lost(self) -> dict[str, float]:
        """Share of the study volume where each layer is missing."""
        return {name: count / max(1, self.n_study) for name, count in self.missing.items()}
