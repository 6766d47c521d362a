"""One block: read with its halo, scored, written, marked as finished. Runs in any thread or process."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import threadpoolctl
import xarray as xr
from numpy.typing import NDArray

from mpm3d import cube
from mpm3d.blocks import Block
from mpm3d.grid import Index3, Window
from mpm3d.predict.job import Job
from mpm3d.predict.patches import batches
from mpm3d.predict.settings import Float32, Member
from mpm3d.predict.store import check_still, open_store

Members = tuple[Member, ...]


@dataclass(frozen=True)
class Done:
    """What a finished block tells: its study cells and its cells with a score."""

    n_study: int
    n_scored: int


@dataclass(frozen=True)
class Failed:
    """What a block says that could not be finished; handed back, so that no scheduler dresses it up."""

    error: Exception


class _Models:
    """Members of this process: those given to a run here, and the one model loaded last."""

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.given: dict[str, Members] = {}
        self.loaded: tuple[str, Members] = ("", ())

    def of(self, job: Job) -> Members:
        with self.guard:
            if job.token in self.given:
                return self.given[job.token]
            model = str(job.identity["model"])
            if self.loaded[0] != model and job.load is not None:
                self.loaded = ("", ())  # the old one goes before the new one comes
                self.loaded = (model, tuple(job.load()))
                limit_threads()
            return self.loaded[1]


_models = _Models()
_local = threading.local()


@contextmanager
def held(job: Job, members: Members) -> Iterator[None]:
    """Let the threads of this process use members that are there already."""
    _models.given[job.token] = members
    try:
        yield
    finally:
        del _models.given[job.token]


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread of torch and of matrix products per worker: blocks are what runs side by side."""
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch is not None else 1
    if torch is not None:
        torch.set_num_threads(1)
    try:
        with threadpoolctl.threadpool_limits(1, user_api="blas"):
            yield
    finally:
        if torch is not None:
            torch.set_num_threads(threads)


def limit_threads() -> None:
    """The same for a worker process, for good."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
    threadpoolctl.threadpool_limits(1, user_api="blas")


class _Place:
    """What a thread opens once in a run: the cube, the store, a buffer for patches."""

    def __init__(self, job: Job) -> None:
        self.token = job.token
        self.evidence: xr.Dataset = cube.open(job.cube_path)
        self.output: dict[str, Any] = dict(open_store(job.store, "r+").arrays())
        batch = min(job.settings.batch, prod(job.chunk))
        self.buffer: Float32 = np.empty(batch * len(job.layers) * prod(job.patch), dtype=np.float32)


def _place(job: Job) -> _Place:
    if getattr(_local, "place", None) is None or _local.place.token != job.token:
        _local.place = None
        _local.place = _Place(job)
    found: _Place = _local.place
    return found


def work(job: Job, block: Block) -> Done | Failed:
    """Finish a block; may be done twice, by a worker that was thought dead too: the same bytes are written.

    Parameters
    ----------
    job : Job
        The run.
    block : Block
        Its piece of work.

    Returns
    -------
    Done or Failed
        Counts, or what went wrong.
    """
    try:
        return _finish(job, block)
    except Exception as error:
        return Failed(error)


def _finish(job: Job, block: Block) -> Done:
    """Read a block with its halo, score its cells, write whole chunks, then the ledger's mark."""
    place = _place(job)
    inside = cube.study_volume(place.evidence, block.core)
    counts, scores = np.zeros(2 + len(job.layers), dtype=np.int64), dict[str, Float32]()
    if inside.any():
        counts, scores = _scored(job, place, block, inside)
    check_still(job)
    for name, array in scores.items():
        place.output[name][block.core] = array
    place.output["block_counts"][block.index] = counts
    place.output["ledger"][block.index] = np.uint8(1)
    return Done(int(counts[0]), int(counts[1]))


def _scored(
    job: Job, place: _Place, block: Block, inside: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], dict[str, Float32]]:
    """Counts and scores of a block with cells of the study volume."""
    margin = tuple(p // 2 for p in job.patch)
    window: Window = tuple(
        slice(cut.start - m, cut.stop + m) for cut, m in zip(block.core, margin, strict=True)
    )  # type: ignore[assignment]
    values = cube.read_window(place.evidence, job.layers, window)
    own = values[(slice(None), *(slice(m, m + n) for m, n in zip(margin, block.shape, strict=True)))]
    missing = np.isnan(own)
    cells = np.flatnonzero(inside & (missing.sum(axis=0) <= job.settings.max_missing))
    lost = [np.count_nonzero(layer & inside) for layer in missing]
    counts = np.array([np.count_nonzero(inside), len(cells), *lost], dtype=np.int64)
    return counts, _score(job, values, cells, block.shape, place.buffer)


def _score(
    job: Job, values: Float32, cells: NDArray[np.intp], shape: Index3, buffer: Float32
) -> dict[str, Float32]:
    """Mean and spread of the members at ``cells`` of a block, NaN elsewhere; members share the patches."""
    members = _models.of(job)
    names = ("score", "spread")[: min(2, len(members))]
    result = {name: np.full(prod(shape), np.nan, dtype=np.float32) for name in names}
    for some, patches in batches(values, cells, job.patch, buffer=buffer):
        scores = np.stack([_scores_of(member, patches) for member in members])
        result["score"][some] = scores.mean(axis=0)
        if "spread" in result:
            result["spread"][some] = scores.std(axis=0)
    return {name: array.reshape(shape) for name, array in result.items()}


def _scores_of(member: Member, patches: Float32) -> NDArray[np.float64]:
    scores = np.asarray(member.score_samples(patches), dtype=np.float64)
    if scores.shape != (len(patches),):
        raise ValueError(
            f"the model gave scores of shape {scores.shape} for {len(patches)} patches, one each is needed."
        )
    return scores
