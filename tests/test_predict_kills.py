"""Killed, out of room, in many processes: the volume that is finished in the end is always the same."""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray

from mpm3d import cube
from mpm3d.grid import Grid
from mpm3d.predict import DifferentRun, DiskFull, Settings, WorkerDied, predict

LAYERS = ("a", "b")
BLOCK = (4, 4, 4)
SHAPE = (17, 19, 18)  # 125 blocks, the last ones of each axis cut
N_BLOCKS = 125


class Weighted:
    """A weighted sum over the patch, term by term: the same bits in whatever batch a cell comes."""

    layers, kind, patch_shape = LAYERS, "probability", (3, 3, 3)

    def __init__(self, scale: float = 1.0) -> None:
        self.weights = scale * np.random.default_rng(3).normal(size=(2, 3, 3, 3))

    def score_samples(self, patches: NDArray[np.float32]) -> NDArray[np.float64]:
        total = np.zeros(len(patches))
        for at in np.ndindex(self.weights.shape):
            total += self.weights[at] * np.nan_to_num(patches[(slice(None), *at)].astype(float), nan=0.5)
        return total


class Tiring(Weighted):
    """Scores some batches, slowly, then none any more, so that a kill always hits an unfinished volume."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.left = calls

    def score_samples(self, patches: NDArray[np.float32]) -> NDArray[np.float64]:
        self.left -= 1
        time.sleep(0.003 if self.left >= 0 else 600)
        return super().score_samples(patches)


def load(kind: Callable[..., Weighted], *words: Any) -> list[Weighted]:
    return [kind(*words)]


def run(cube_path: Path, out: Path, calls: int, workers: int, processes: bool) -> None:
    """What is killed."""
    settings = Settings(block=BLOCK, workers=workers, processes=processes)
    predict(cube_path, partial(load, Tiring, calls), out, model_hash="m", settings=settings)


def make_cube(path: Path, shape: tuple[int, int, int] = SHAPE, inside: Any = None) -> Path:
    grid = Grid(shape, (50.0, 25.0, 20.0), (-500.0, 4_000_000.0, 500_000.0), "EPSG:32651")
    cube.create(path, grid, chunk=(16, 16, 16))
    whole = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    whole[:, 2:4, 5, 6] = np.nan

    def cut(array: NDArray[Any]) -> Callable[[Grid], NDArray[Any]]:
        def fill(part: Grid) -> NDArray[Any]:
            first = grid.index_of([np.array(part.first_centre)[::-1]])[0]
            return array[tuple(slice(i, i + n) for i, n in zip(first, part.shape, strict=True))]

        return fill

    if inside is not None:
        cube.set_study_volume(path, cut(inside))
    for name, layer in zip(LAYERS, whole, strict=True):
        cube.add_layer(path, name, cut(layer), units="m", long_name=name)
    return path


@pytest.fixture(scope="module")
def cube_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_cube(tmp_path_factory.mktemp("cube") / "cube.zarr")


@pytest.fixture(scope="module")
def undisturbed(cube_path: Path) -> dict[str, str]:
    out = cube_path.with_name("undisturbed.zarr")
    predict(cube_path, [Weighted()], out, model_hash="m", settings=Settings(block=BLOCK, workers=1))
    return bytes_of(out)


def bytes_of(store: Path) -> dict[str, str]:
    """Every file of a store, nothing left out."""
    files = (place for place in sorted(store.rglob("*")) if place.is_file())
    return {str(p.relative_to(store)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def marks(store: Path) -> int:
    return sum(1 for place in store.glob("ledger/c/*/*/*") if place.suffix != ".partial")


def scores(store: Path) -> NDArray[np.float32]:
    with cube.open(store) as ds:
        found: NDArray[np.float32] = ds["score"].values
    return found


def until(done: Callable[[], bool], process: Any, seconds: float = 120) -> None:
    """Wait, but not for ever and not for a process that is gone."""
    limit = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < limit, "nothing happens"
        assert process.is_alive(), "ended by itself"
        time.sleep(0.003)


@pytest.fixture
def started() -> Iterator[Callable[..., Any]]:
    """Start a process that knows the package already, which takes no time; none is left behind."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        pytest.skip("processes cannot be started quickly here")
    context, running = multiprocessing.get_context("forkserver"), []
    context.set_forkserver_preload(["mpm3d.predict", "rioxarray", __name__])

    def start(target: Callable[..., None], *words: Any) -> Any:
        process = context.Process(target=target, args=words)
        process.start()
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.join()


@pytest.mark.slow
def test_a_volume_killed_at_random_twenty_times_and_more_equals_an_undisturbed_one(
    tmp_path: Path, cube_path: Path, undisturbed: dict[str, str], started: Callable[..., Any]
) -> None:
    out, chance, kills = tmp_path / "p.zarr", np.random.default_rng(11), 0
    while kills < 24:
        before = marks(out)
        workers = int(chance.integers(1, 4))
        process = started(run, cube_path, out, int(chance.integers(3, 7)), workers, False)
        wanted = before + int(chance.integers(1, 3))
        until(lambda wanted=wanted: marks(out) >= wanted, process)  # type: ignore[misc]
        time.sleep(float(chance.uniform(0, 0.02)))  # anywhere in the blocks that follow
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        kills += 1
        assert before < marks(out) < N_BLOCKS, f"kill {kills} hit a part-finished volume"
    kept = marks(out)
    made = predict(cube_path, [Weighted()], out, model_hash="m", settings=Settings(block=BLOCK, workers=2))
    assert made.reused == kept >= 24
    assert bytes_of(out) == undisturbed


def test_a_kill_while_the_store_is_made_leaves_one_that_can_be_made(
    tmp_path: Path, cube_path: Path, undisturbed: dict[str, str], started: Callable[..., Any]
) -> None:
    out = tmp_path / "p.zarr"
    for name in ("p.zarr.part/zarr.json", "p.zarr.part/score/zarr.json", "p.zarr/zarr.json"):
        process = started(run, cube_path, out, 0, 1, False)
        place = tmp_path / name
        until(lambda place=place: place.exists(), process)  # type: ignore[misc]
        process.kill()
        process.join()
    made = predict(cube_path, [Weighted()], out, model_hash="m", settings=Settings(block=BLOCK, workers=1))
    assert made.reused == 0
    assert bytes_of(out) == undisturbed
    assert not list(tmp_path.glob("*.part"))


def _processes(cube_path: Path, out: Path, told: Path) -> None:
    """Predict on worker processes and tell what a user would read."""
    try:
        run(cube_path, out, 4, 2, True)
    except WorkerDied as error:
        told.write_text(str(error))


def children(pid: int) -> list[int]:
    """Worker processes of a process; its resource tracker is none."""
    psutil = pytest.importorskip("psutil")
    found = psutil.Process(pid).children()
    return [child.pid for child in found if "spawn_main" in " ".join(child.cmdline())]


def gone(pid: int) -> bool:
    psutil = pytest.importorskip("psutil")
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@pytest.mark.slow
def test_killed_workers_and_killed_parents_of_workers_leave_the_same_volume_and_no_process(
    tmp_path: Path, cube_path: Path, undisturbed: dict[str, str], started: Callable[..., Any]
) -> None:
    out, told = tmp_path / "p.zarr", tmp_path / "told.txt"
    for victim in ("worker", "parent", "worker"):
        before = marks(out)
        process = started(_processes, cube_path, out, told)
        until(lambda before=before: marks(out) > before, process)  # type: ignore[misc]
        workers = children(process.pid)
        os.kill(workers[0] if victim == "worker" else process.pid, signal.SIGKILL)
        process.join(60)
        assert process.exitcode == (0 if victim == "worker" else -signal.SIGKILL)
        limit = time.monotonic() + 30
        while not all(map(gone, workers)) and time.monotonic() < limit:
            time.sleep(0.01)
        assert all(map(gone, workers)), "workers outlive the process that started them"
        assert before < marks(out) < N_BLOCKS
        assert told.exists() == (victim == "worker")
        if told.exists():
            assert "one of 2 worker processes was ended from outside" in told.read_text()
            told.unlink()
    predict(cube_path, [Weighted()], out, model_hash="m", settings=Settings(block=BLOCK))
    assert bytes_of(out) == undisturbed


def test_a_second_run_on_the_store_of_one_at_work_is_refused(
    tmp_path: Path, cube_path: Path, started: Callable[..., Any]
) -> None:
    out = tmp_path / "p.zarr"
    process = started(run, cube_path, out, 3, 1, False)
    until(lambda: marks(out) > 0, process)
    for overwrite in (False, True):
        settings = Settings(block=BLOCK, overwrite=overwrite)
        with pytest.raises(RuntimeError, match=r"p\.zarr is being written by another run\. Wait until"):
            predict(cube_path, [Weighted()], out, model_hash="m", settings=settings)
    assert process.is_alive()


def test_a_full_disk_is_told_and_the_store_goes_on_when_there_is_room(
    tmp_path: Path, cube_path: Path, undisturbed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    room, guard = [300], threading.Lock()
    put = zarr.storage._local._put

    def full(path: Path, *words: Any, **more: Any) -> Any:
        with guard:
            room[0] -= 1
        if room[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return put(path, *words, **more)

    monkeypatch.setattr(zarr.storage._local, "_put", full)
    out, settings = tmp_path / "p.zarr", Settings(block=BLOCK, workers=2)
    with pytest.raises(
        DiskFull, match=r"no room left for p\.zarr in .* \(No space left on device\); [0-9]+ of"
    ):
        predict(cube_path, [Weighted()], out, model_hash="m", settings=settings)
    kept = marks(out)
    assert 0 < kept < N_BLOCKS
    with pytest.raises(
        DiskFull, match=rf"{kept} of 125 blocks are finished and kept\. Make room, [0-9.]+ MB"
    ):
        predict(cube_path, [Weighted()], out, model_hash="m", settings=settings)
    room[0] = 10**9
    made = predict(cube_path, [Weighted()], out, model_hash="m", settings=settings)
    assert made.reused == kept
    assert bytes_of(out) == undisturbed


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can mount a small disk"
)
def test_a_really_full_disk_is_told_and_the_store_goes_on_when_there_is_room(
    tmp_path: Path, cube_path: Path, undisturbed: dict[str, str]
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        settings = Settings(block=BLOCK, workers=2)
        ballast = disk / "other.bin"
        ballast.write_bytes(bytes(700_000))
        with pytest.raises(DiskFull, match=r"no room left for p\.zarr"):
            predict(cube_path, [Weighted()], disk / "p.zarr", model_hash="m", settings=settings)
        assert 0 < marks(disk / "p.zarr") < N_BLOCKS
        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        predict(cube_path, [Weighted()], disk / "p.zarr", model_hash="m", settings=settings)
        assert bytes_of(disk / "p.zarr") == undisturbed
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_run_that_was_given_up_writes_nothing_into_a_store_begun_again(
    tmp_path: Path, cube_path: Path
) -> None:
    out = tmp_path / "p.zarr"

    class Late(Weighted):
        def score_samples(self, patches: NDArray[np.float32]) -> NDArray[np.float64]:
            if marks(out) == 5:  # another run begins the store again
                zarr.open_group(out, mode="r+").attrs["run_hash"] = "of another model"
            return super().score_samples(patches)

    with pytest.raises(DifferentRun, match=r"p\.zarr was begun again by another run meanwhile, so this one"):
        predict(cube_path, [Late()], out, model_hash="m", settings=Settings(block=BLOCK, workers=1))
    assert marks(out) == 5


@pytest.mark.slow
def test_a_cluster_writes_the_same_bytes_as_threads(
    tmp_path: Path, cube_path: Path, undisturbed: dict[str, str]
) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None, protocol="tcp"
    ) as cluster:
        settings = Settings(block=BLOCK, scheduler=cluster.scheduler_address)
        given = partial(load, Weighted)
        made = predict(cube_path, given, tmp_path / "p.zarr", model_hash="m", settings=settings)
    assert (made.reused, made.blocks) == (0, N_BLOCKS)
    assert bytes_of(tmp_path / "p.zarr") == undisturbed


def test_errors_of_a_worker_process_are_the_sentences_they_were(tmp_path: Path, cube_path: Path) -> None:
    settings = Settings(block=BLOCK, workers=1, processes=True)
    with pytest.raises(
        ValueError, match=r"^the model gave scores of shape \(([0-9]+), 2\) for \1 patches, one each"
    ):
        predict(cube_path, partial(load, Wide), tmp_path / "p.zarr", model_hash="m", settings=settings)


class Wide(Weighted):
    def score_samples(self, patches: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.zeros((len(patches), 2))


def test_a_cluster_that_does_not_answer_is_told(
    tmp_path: Path, cube_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("mpm3d.predict.pools._PATIENCE", 0.5)
    settings = Settings(block=BLOCK, scheduler="tcp://127.0.0.1:9")
    with pytest.raises(
        ConnectionError, match=r"no dask scheduler answers at tcp://127\.0\.0\.1:9 .*dask worker"
    ):
        predict(cube_path, partial(load, Weighted), tmp_path / "p.zarr", model_hash="m", settings=settings)


def test_without_distributed_the_way_to_get_it_is_told(
    tmp_path: Path, cube_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    settings = Settings(block=BLOCK, scheduler="tcp://127.0.0.1:9")
    with pytest.raises(ImportError, match=r"pip install 'mpm3d\[cluster\]'"):
        predict(cube_path, partial(load, Weighted), tmp_path / "p.zarr", model_hash="m", settings=settings)
