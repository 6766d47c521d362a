"""The block engine: an evidence cube and fitted members in, a prospectivity store out, resumable."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mpm3d import cube
from mpm3d.predict.job import Job, make_job
from mpm3d.predict.pools import run_blocks
from mpm3d.predict.scoring import Done, held, one_thread
from mpm3d.predict.settings import (
    DifferentRun,
    DiskFull,
    Float32,
    Load,
    Member,
    Progress,
    Settings,
    Summary,
    WorkerDied,
)
from mpm3d.predict.store import counts_of, finished, locked, prepare

__all__ = [
    "DifferentRun", "DiskFull", "Float32", "Load", "Member", "Progress", "Settings", "Summary", "WorkerDied",
    "predict",
]  # fmt: skip

log = logging.getLogger("mpm3d.predict")

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def predict(
    cube_path: str | Path,
    members: Sequence[Member] | Load,
    out_path: str | Path,
    *,
    model_hash: str,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Score every cell of a cube, block by block, and go on where an earlier run has stopped.

    A cell outside the study volume, or with more than ``max_missing`` of its own layers missing, has no
    score (NaN). Scores do not depend on how the volume is cut into blocks. A block is marked in the ledger
    after its data are written, so a run that is interrupted or killed loses the blocks at work only. Ctrl-C
    waits for those.

    Parameters
    ----------
    cube_path : str or Path
        The evidence cube. Workers of a cluster must see it, and ``out_path``, under the same name.
    members : sequence of estimators, or a function that loads them
        Fitted on the same layers with the same patch. The score is their mean, the spread their standard
        deviation. Worker processes and clusters need the function, one that can be pickled: each worker
        process calls it once and keeps what it gives until a model with another hash is asked for.
    out_path : str or Path
        The prospectivity store; ``score``, ``spread`` (of two members or more) and ``ledger``.
    model_hash : str
        Says which model this is.
    settings : Settings, optional
        Block, workers, missing values, memory.
    progress : callable, optional
        Called as ``progress(cells done, cells, words)`` in cells of the study volume; the words say which
        block it is and how many cells are scored a second.

    Returns
    -------
    Summary
        Counts and times.

    Raises
    ------
    ValueError
        If the cube lacks a layer, members do not fit together, a block is too large for the memory, or there
        is something else at ``out_path``.
    DifferentRun
        If the store was begun with another model, cube or settings.
    RuntimeError
        If another run is writing the store.
    DiskFull
        If there is no room left. The same call goes on when there is.
    WorkerDied
        If a worker process was ended from outside. The same call goes on.
    """
    begin, settings = time.perf_counter(), settings or Settings()
    load = members if callable(members) else None
    there = tuple(members() if callable(members) else members)
    job = make_job(cube_path, there, Path(out_path), settings, model_hash=model_hash, load=load)
    with ExitStack() as stack:
        stack.enter_context(locked(job.store))
        stack.enter_context(one_thread())
        stack.enter_context(_room(job))
        prepare(job)
        if not (settings.scheduler or settings.processes):
            stack.enter_context(held(job, there))
        marks = finished(job)
        before = counts_of(job, marks)
        todo = [block for block in job.blocks() if not marks[block.index]]
        pace = _Pace(job, before, len(todo), progress)
        run_blocks(job, todo, pace.finish)
        return _summary(job, before, len(todo), time.perf_counter() - begin)


@contextmanager
def _room(job: Job) -> Iterator[None]:
    """Say in a sentence that the disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        done = int(finished(job).sum()) if job.store.exists() else 0
        left = (prod(job.n_blocks) - done) * prod(job.chunk) * 4 * min(2, job.n_members)
        raise DiskFull(
            f"there is no room left for {job.store.name} in {job.store.parent} ({error.strerror}); {done} of "
            f"{prod(job.n_blocks)} blocks are finished and kept. Make room, {left / 1e6:,.1f} MB are enough "
            "for the rest, and give the same command again: it goes on from there."
        ) from error


class _Pace:
    """How far a run is and how fast, told to the log and to the caller after each block."""

    def __init__(self, job: Job, before: NDArray[np.int64], n_todo: int, progress: Progress | None) -> None:
        with cube.open(job.cube_path) as evidence:
            volume = evidence[cube.STUDY_VOLUME].attrs if cube.STUDY_VOLUME in evidence else {}
        self.total = int(volume.get("n_cells", prod(job.shape)))
        self.begun = self.done = int(before[0])
        self.n_blocks = prod(job.n_blocks)
        self.n_done = self.n_blocks - n_todo
        self.scored = 0
        self.start = time.perf_counter()
        self.progress = progress
        log.info(
            "predict: %d of %d blocks of %s cells to do, %d at a time (%s)",
            n_todo, self.n_blocks, job.chunk, job.settings.at_once, _where(job.settings),
        )  # fmt: skip
        self._tell("")

    def finish(self, done: Done) -> None:
        """Count a block."""
        self.n_done += 1
        self.done += done.n_study
        self.scored += done.n_scored
        seconds = max(time.perf_counter() - self.start, 1e-9)
        rate = (self.done - self.begun) / seconds
        left = timedelta(seconds=round((self.total - self.done) / rate)) if rate else "?"
        speed = f"{self.scored / seconds:,.0f} cells/s"
        log.info("predict: block %d of %d, %s, %s left", self.n_done, self.n_blocks, speed, left)
        self._tell(speed)

    def _tell(self, speed: str) -> None:
        if self.progress is not None:
            words = f"block {self.n_done} of {self.n_blocks}" + (f", {speed}" if speed else "")
            self.progress(self.done, self.total, words)


def _where(settings: Settings) -> str:
    return settings.scheduler or ("processes" if settings.processes else "threads")


def _summary(job: Job, before: NDArray[np.int64], n_done: int, seconds: float) -> Summary:
    counts = [int(count) for count in counts_of(job, finished(job))]
    total = prod(job.n_blocks)
    speed = (counts[1] - int(before[1])) / seconds if seconds > 0 else 0.0
    missing = dict(zip(job.layers, counts[2:], strict=True))
    return Summary(job.store, counts[0], counts[1], missing, total, total - n_done, seconds, speed)
