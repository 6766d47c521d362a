"""The block engine: an evidence cube and fitted members in, a prospectivity store out, resumable."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import filelock
import numpy as np
import xarray as xr
import zarr
from dask.base import compute
from dask.delayed import delayed
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mpm3d import __version__, cube
from mpm3d.blocks import Block, tile
from mpm3d.grid import Index3, Window

Progress = Callable[[int, int], None]
Float32 = NDArray[np.float32]


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
        """Scores ``(n,)`` of patches ``(n, layer, z, y, x)``, NaN where missing."""
        ...


class DifferentRun(ValueError):  # noqa: N818
    """The store was begun with another model, cube or settings."""


@dataclass(frozen=True)
class Settings:
    """How the volume is worked through.

    Parameters
    ----------
    block : tuple of int
        Cells of a block along z, y, x, and of a chunk of the output.
    workers : int, optional
        Blocks at a time; default the number of processors.
    max_missing : int
        A cell with more of its own layers missing is not scored.
    batch : int
        Patches scored at a time by one worker.
    memory : float
        The most that blocks and patches of all workers may take, in GB. What a model needs inside comes on
        top and grows with ``batch``.
    overwrite : bool
        Delete what an earlier run has written and start again.
    """

    block: Index3 = (50, 50, 50)
    workers: int | None = None
    max_missing: int = 0
    batch: int = 4096
    memory: float = 4.0
    overwrite: bool = False

    def __post_init__(self) -> None:
        counts = {"workers": self.workers or 1, "batch": self.batch, "block": min(self.block)}
        for name, value in counts.items():
            if value < 1 or self.workers == 0:
                raise ValueError(f"{name}={getattr(self, name)} is not possible, 1 or more is needed.")
        if self.max_missing < 0:
            raise ValueError(
                f"max_missing={self.max_missing} is not possible, 0 or more layers may be missing."
            )


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


@dataclass(frozen=True, eq=False)
class _Job:
    """Everything that a block needs to know."""

    cube_path: Path
    store: Path
    members: tuple[Member, ...]
    settings: Settings
    shape: Index3
    chunk: Index3
    identity: dict[str, Any]
    stop: threading.Event = field(default_factory=threading.Event)
    local: threading.local = field(default_factory=threading.local)

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(self.members[0].layers)

    @property
    def patch(self) -> Index3:
        z, y, x = (int(n) for n in self.members[0].patch_shape)
        return z, y, x

    @property
    def workers(self) -> int:
        return self.settings.workers or os.cpu_count() or 1

    @property
    def evidence(self) -> xr.Dataset:
        """The cube, opened once by each thread."""
        if not hasattr(self.local, "evidence"):
            self.local.evidence = cube.open(self.cube_path)
        ds: xr.Dataset = self.local.evidence
        return ds

    @property
    def output(self) -> Any:
        """The store, opened once by each thread."""
        if not hasattr(self.local, "output"):
            self.local.output = dict(_open(self.store, "r+").arrays())
        return self.local.output

    @cached_property
    def blocks(self) -> list[Block]:
        return list(tile(self.shape, self.chunk, chunk=self.chunk))


def predict(
    cube_path: str | Path,
    members: Sequence[Member],
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
        The evidence cube.
    members : sequence of estimators
        Fitted on the same layers with the same patch. The score is their mean, the spread their standard
        deviation.
    out_path : str or Path
        The prospectivity store; ``score``, ``spread`` (of two members or more) and ``ledger``.
    model_hash : str
        Says which model this is.
    settings : Settings, optional
        Block, workers, missing values, memory.
    progress : callable, optional
        Called as ``progress(blocks done, blocks)``.

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
    """
    begin = time.perf_counter()
    job = _job(Path(cube_path), tuple(members), Path(out_path), model_hash, settings or Settings())
    _check_memory(job)
    with _locked(job.store), _one_torch_thread():
        _prepare(job)
        finished = _open(job.store)["ledger"][:]
        before = _counts(job)
        todo = [block for block in job.blocks if not finished[block.index]]
        _run(job, todo, progress)
        return _summary(job, before, len(todo), time.perf_counter() - begin)


def _job(
    cube_path: Path, members: tuple[Member, ...], out: Path, model_hash: str, settings: Settings
) -> _Job:
    if not members:
        raise ValueError("there is no fitted member to predict with, fit a model first.")
    with cube.open(cube_path) as evidence:
        shape = cube.grid_of(evidence).shape
        _check_members(members, cube.layers_of(evidence))
        cube_hash = cube.hash_of(evidence)
    z, y, x = (min(b, n) for b, n in zip(settings.block, shape, strict=True))
    identity = {
        "model": model_hash,
        "cube": cube_hash,
        "settings": {"block": [z, y, x], "max_missing": settings.max_missing},
    }
    return _Job(cube_path, out, members, settings, shape, (z, y, x), identity)


def _check_members(members: tuple[Member, ...], present: tuple[str, ...]) -> None:
    first = members[0]
    lacking = [repr(name) for name in first.layers if name not in present]
    if lacking:
        raise ValueError(
            f"the model was fitted on {len(first.layers)} layers and this cube lacks {len(lacking)} of them: "
            f"{', '.join(lacking)}. Add them or fit again."
        )
    if any(n < 1 or n % 2 == 0 for n in first.patch_shape):
        raise ValueError(
            f"patches of {tuple(first.patch_shape)} cells have no centre, each side must be odd."
        )
    for what in ("layers", "patch_shape", "kind"):
        values = {repr(getattr(member, what)) for member in members}
        if len(values) > 1:
            raise ValueError(f"members differ in {what}: {', '.join(sorted(values))}. Fit them together.")


def _check_memory(job: _Job) -> None:
    """Refuse blocks whose arrays cannot fit, before anything is written."""
    halo = np.prod([b + p - 1 for b, p in zip(job.chunk, job.patch, strict=True)], dtype=float)
    layers, cells = len(job.layers), float(np.prod(job.chunk, dtype=float))
    batch = min(float(job.settings.batch), cells)
    # layers read and padded; scores of the members in float64; patches and the copies a model makes of them
    each = 8 * halo * layers + 8 * cells * (len(job.members) + 4) + 12 * batch * layers * np.prod(job.patch)
    workers = min(job.workers, len(job.blocks))
    if each * workers > job.settings.memory * 1e9:
        raise ValueError(
            f"a block of {job.chunk} cells and its patches take about {each / 1e9:.3g} GB in each of "
            f"{workers} workers, {each * workers / 1e9:.3g} GB in all, and {job.settings.memory:g} GB "
            "are allowed. Lower block, batch or workers, or raise memory."
        )


@contextmanager
def _locked(store: Path) -> Iterator[None]:
    """Hold the operating system's lock beside the store; it goes when the process does, killed or not."""
    store.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(store.with_name(store.name + ".lock"))
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise RuntimeError(
            f"{store.name} is being written by another run. "
            "Wait until it has finished, or write to another path."
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    """One torch thread per worker: blocks are what runs side by side."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _hash(identity: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _open(store: Path, mode: Any = "r") -> Any:
    return zarr.open_group(store, mode=mode, use_consolidated=False)


def _prepare(job: _Job) -> None:
    """Make the empty store, or see that the one there belongs to this run."""
    half, old = (job.store.with_name(job.store.name + end) for end in (".part", ".old"))
    for rest in (half, old):
        shutil.rmtree(rest, ignore_errors=True)
    if job.store.exists():
        attributes = _attributes_of(job.store)
        if not job.settings.overwrite:
            _check_same(job, attributes)
            return
        job.store.replace(old)  # at once, so that no kill leaves half a store under the name
    _create(job, half)
    half.replace(job.store)
    shutil.rmtree(old, ignore_errors=True)


def _attributes_of(store: Path) -> dict[str, Any]:
    try:
        attributes = dict(_open(store).attrs)
    except (OSError, ValueError, KeyError):
        attributes = {}
    if "run_hash" not in attributes:
        raise ValueError(
            f"{store.name} exists and is not a prospectivity store, so it is left alone. "
            "Move it away or write to another path."
        )
    return attributes


def _check_same(job: _Job, attributes: dict[str, Any]) -> None:
    if attributes["run_hash"] == _hash(job.identity):
        return
    begun = json.loads(attributes["run"])
    differ = [name for name in job.identity if begun.get(name) != job.identity[name]]
    told = []
    for name in differ:
        if name == "settings":
            told.append(f"settings ({begun[name]} then, {job.identity[name]} now)")
        else:
            told.append(name)
    raise DifferentRun(
        f"{job.store.name} was begun with another {' and another '.join(told)}, "
        "and scores of two runs are not mixed. "
        "To start again use overwrite=True (`--overwrite`), or write to another path."
    )


def _create(job: _Job, path: Path) -> None:
    """Coordinates, fill values and the empty ledger; no data."""
    with cube.open(job.cube_path) as evidence:
        grid = {name: value for name, value in evidence.attrs.items() if name.startswith("grid_")}
        empty = xr.Dataset(coords=evidence.coords, attrs=grid).load()
    empty.to_zarr(path, mode="w", zarr_format=3, consolidated=False)
    group = _open(path, "a")
    words = {
        "score": "prospectivity, mean score of the members",
        "spread": "standard deviation of the members",
    }
    for name in ("score", "spread")[: min(2, len(job.members))]:
        group.create_array(
            name, shape=job.shape, chunks=job.chunk, dtype="float32", fill_value=np.nan,
            dimension_names=("z", "y", "x"),
            attributes={"units": "1", "long_name": words[name], "grid_mapping": "spatial_ref"},
        )  # fmt: skip
    blocks = tuple(-(-n // c) for n, c in zip(job.shape, job.chunk, strict=True))
    dims, n_counts = ("block_z", "block_y", "block_x"), 2 + len(job.layers)
    group.create_array(
        "block_counts", shape=(*blocks, n_counts), chunks=(1, 1, 1, n_counts), dtype="int64", fill_value=0,
        dimension_names=(*dims, "count"),
        attributes={"long_name": "cells of a block: of the study, scored, and missing by layer"},
    )  # fmt: skip
    group.create_array(
        "ledger", shape=blocks, chunks=(1, 1, 1), dtype="uint8", fill_value=0, dimension_names=dims,
        attributes={"long_name": "1 where the block is finished"},
    )  # fmt: skip
    group.attrs.update(
        title="Prospectivity. Conceptual, for planning exploration; not a resource estimate.",
        Conventions="CF-1.11", kind=job.members[0].kind, members=len(job.members),
        layers=list(job.layers), chunk=list(job.chunk),
        run=json.dumps(job.identity, sort_keys=True), run_hash=_hash(job.identity),
        software=f"mpm3d {__version__}",
    )  # fmt: skip


def _run(job: _Job, todo: list[Block], progress: Progress | None) -> None:
    """Compute blocks on threads, a bounded number in flight; an interrupt waits for those at work."""
    total, guard = len(job.blocks), threading.Lock()
    done = total - len(todo)

    def work(number: int) -> None:
        nonlocal done
        if job.stop.is_set():
            return
        _do_block(job, todo[number])
        with guard:
            done += 1
            if progress:
                progress(done, total)

    if progress:
        progress(done, total)
    with ThreadPoolExecutor(job.workers) as pool:
        try:
            step = 16 * job.workers
            for start in range(0, len(todo), step):
                numbers = range(start, min(start + step, len(todo)))
                tasks = [delayed(work, pure=False, traverse=False)(number) for number in numbers]
                compute(*tasks, scheduler="threads", pool=pool, optimize_graph=False)  # type: ignore[no-untyped-call]
        except BaseException:
            job.stop.set()
            raise


def _do_block(job: _Job, block: Block) -> None:
    """Read a block with its halo, score its cells, write whole chunks, then the ledger's mark."""
    margin = tuple(p // 2 for p in job.patch)
    window: Window = tuple(
        slice(cut.start - m, cut.stop + m) for cut, m in zip(block.core, margin, strict=True)
    )  # type: ignore[assignment]
    values = cube.read_window(job.evidence, job.layers, window)
    inside = cube.study_volume(job.evidence, block.core)
    own = values[(slice(None), *(slice(m, m + n) for m, n in zip(margin, block.shape, strict=True)))]
    missing = np.isnan(own)
    cells = np.argwhere(inside & (missing.sum(axis=0) <= job.settings.max_missing))
    score, spread = _score(job, values, cells, block.shape)
    counts = [inside.sum(), len(cells), *(missing & inside).sum(axis=(1, 2, 3))]
    group = job.output
    group["score"][block.core] = score
    if len(job.members) > 1:
        group["spread"][block.core] = spread
    group["block_counts"][block.index] = np.array(counts, dtype=np.int64)
    group["ledger"][block.index] = np.uint8(1)


def _score(job: _Job, values: Float32, cells: NDArray[np.int64], shape: Index3) -> tuple[Float32, Float32]:
    """Mean and spread of the members at ``cells`` of a block, NaN elsewhere."""
    mean, spread = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    windows = sliding_window_view(values, job.patch, axis=(1, 2, 3))  # (layer, z, y, x, pz, py, px)
    for start in range(0, len(cells), job.settings.batch):
        at = tuple(cells[start : start + job.settings.batch].T)
        patches = np.ascontiguousarray(np.moveaxis(windows[(slice(None), *at)], 0, 1))
        scores = np.stack([_scores_of(member, patches) for member in job.members])
        mean[at] = scores.mean(axis=0)
        spread[at] = scores.std(axis=0)
    return mean, spread


def _scores_of(member: Member, patches: Float32) -> NDArray[np.float64]:
    scores = np.asarray(member.score_samples(patches), dtype=np.float64)
    if scores.shape != (len(patches),):
        raise ValueError(
            f"the model gave scores of shape {scores.shape} for {len(patches)} patches, one each is needed."
        )
    return scores


def _counts(job: _Job) -> NDArray[np.int64]:
    """Study cells, scored cells, and missing cells by layer, summed over the finished blocks."""
    group = _open(job.store)
    finished = group["ledger"][:].astype(bool)
    total: NDArray[np.int64] = group["block_counts"][:][finished].sum(axis=0)
    return total


def _summary(job: _Job, before: NDArray[np.int64], n_done: int, seconds: float) -> Summary:
    counts = [int(count) for count in _counts(job)]
    total = len(job.blocks)
    speed = (counts[1] - int(before[1])) / seconds if seconds > 0 else 0.0
    missing = dict(zip(job.layers, counts[2:], strict=True))
    return Summary(job.store, counts[0], counts[1], missing, total, total - n_done, seconds, speed)
