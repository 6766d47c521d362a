"""Where blocks are worked on: threads, processes of this machine, or the workers of a dask cluster."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np
from dask.base import compute
from dask.callbacks import Callback
from dask.delayed import delayed
from dask.multiprocessing import get as multiprocessing_get
from dask.threaded import get as threaded_get

from mpm3d.blocks import Block
from mpm3d.errors import require
from mpm3d.predict.job import Job
from mpm3d.predict.scoring import Done, Failed, work
from mpm3d.predict.settings import WorkerDied

Finish = Callable[[Done], None]

# Blocks handed to dask at a time, per worker: no graph grows with the volume.
_STEP = 128
# Blocks that wait at each thread of a cluster, so that none idles between two.
_WAITING = 2
# Seconds in which a cluster has to answer.
_PATIENCE = 30


def run_blocks(job: Job, todo: Sequence[Block], finish: Finish) -> None:
    """Work on blocks, a bounded number in flight; an interrupt waits for those at work.

    Parameters
    ----------
    job : Job
        The run; its settings say where.
    todo : sequence of Block
        What is left to do.
    finish : callable
        Called in this thread with what each block tells, in the order they finish.

    Raises
    ------
    WorkerDied
        If a worker process was ended from outside.
    ImportError
        If a cluster is asked for and `distributed` is not installed.
    """
    if not todo:
        return
    if job.settings.scheduler:
        _on_cluster(job, todo, finish)
    else:
        _here(job, todo, finish)


def _task(job: Job, block: Block) -> Any:
    """The same independent task for every scheduler."""
    place = np.ravel_multi_index(block.index, job.n_blocks)
    name = f"block-{job.token}-{10**12 - place}"  # dask begins with the last name
    return delayed(work, pure=False, traverse=False)(job, block, dask_key_name=name)


def _finished(answer: Done | Failed, finish: Finish) -> None:
    if isinstance(answer, Failed):
        raise answer.error
    finish(answer)


def _here(job: Job, todo: Sequence[Block], finish: Finish) -> None:
    """On threads or processes of this machine."""
    workers = min(job.settings.at_once, len(todo))
    # given as functions, since dask imports all of distributed for a name
    scheduler = multiprocessing_get if job.settings.processes else threaded_get
    told = Callback(posttask=lambda key, answer, *rest: _finished(answer, finish))  # type: ignore[no-untyped-call]
    with _pool(workers, processes=job.settings.processes) as pool, told:
        for start in range(0, len(todo), _STEP * workers):
            tasks = [_task(job, block) for block in todo[start : start + _STEP * workers]]
            try:
                compute(*tasks, scheduler=scheduler, pool=pool, chunksize=1, optimize_graph=False)  # type: ignore[no-untyped-call]
            except BrokenProcessPool:
                raise WorkerDied(
                    f"one of {workers} worker processes was ended from outside, most often by the system "
                    "when memory is short. What was finished is kept; lower workers or block, and give the "
                    "same command again: it goes on from there."
                ) from None


@contextmanager
def _pool(workers: int, *, processes: bool) -> Iterator[Executor]:
    """A pool that lets the blocks at work finish, however the work ends."""
    pool: Executor
    if processes:
        # fork hangs once torch has used its threads
        spawn = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(workers, mp_context=spawn, initializer=_start_worker)
    else:
        pool = ThreadPoolExecutor(workers, thread_name_prefix="mpm3d-block")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, which lets blocks finish, and never outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, name="mpm3d-follow", daemon=True).start()


def _on_cluster(job: Job, todo: Sequence[Block], finish: Finish) -> None:
    """On the workers of a dask cluster, a few blocks waiting at each of their threads."""
    distributed = require("distributed", extra="cluster")
    waiting = iter(todo)
    with _client(distributed, job.settings.scheduler) as client:
        flight = distributed.as_completed(loop=client.loop)

        def send(count: int) -> None:
            for block in islice(waiting, count):
                flight.add(client.compute(_task(job, block), optimize_graph=False))

        def threads() -> int:
            return max(1, sum(int(count) for count in client.nthreads().values()))

        send(_WAITING * threads())
        try:
            for future in flight:
                _finished(future.result(), finish)
                send(max(0, _WAITING * threads() - flight.count()))
        except distributed.KilledWorker as error:
            raise WorkerDied(
                f"a block ended its worker several times, most often because memory is short there "
                f"({error}). What was finished is kept; give the workers more memory or lower block, and "
                "give the same command again."
            ) from error
        except BaseException:
            distributed.wait(list(flight.futures))
            raise


@contextmanager
def _client(distributed: Any, address: str) -> Iterator[Any]:
    """A connection to a cluster that has a worker."""
    try:
        client = distributed.Client(address, set_as_default=False, timeout=_PATIENCE)
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"no dask scheduler answers at {address} ({error}). Start one with `dask scheduler`, and workers "
            "with `dask worker ADDRESS --nthreads 1`."
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_PATIENCE)
        except TimeoutError as error:
            raise ConnectionError(
                f"the dask scheduler at {address} has no worker. Start some with `dask worker {address} "
                "--nthreads 1`."
            ) from error
        yield client
