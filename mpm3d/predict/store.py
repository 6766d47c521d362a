"""The prospectivity store: its lock, its arrays and its ledger of finished blocks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from mpm3d import __version__, cube
from mpm3d.predict.job import Job
from mpm3d.predict.settings import DifferentRun


@contextmanager
def locked(store: Path) -> Iterator[None]:
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


def open_store(store: Path, mode: Any = "r") -> Any:
    """Open the store as a Zarr group."""
    return zarr.open_group(store, mode=mode, use_consolidated=False)


def prepare(job: Job) -> None:
    """Make the empty store, or see that the one there belongs to this run."""
    half, old = (job.store.with_name(job.store.name + end) for end in (".part", ".old"))
    for rest in (half, old):
        shutil.rmtree(rest, ignore_errors=True)
    if job.store.exists():
        attributes = _attributes_of(job.store)
        if not job.settings.overwrite:
            _check_same(job, attributes)
            _sweep(job.store)
            return
        job.store.replace(old)  # at once, so that no kill leaves half a store under the name
    _create(job, half)
    half.replace(job.store)
    shutil.rmtree(old, ignore_errors=True)


def check_still(job: Job) -> None:
    """See that nobody has begun the store again since, as another run may when this one was given up."""
    if open_store(job.store).attrs.get("run_hash") != job.run_hash:
        raise DifferentRun(
            f"{job.store.name} was begun again by another run meanwhile, so this one writes no more. "
            "Wait until the other has finished."
        )


def finished(job: Job) -> NDArray[np.bool_]:
    """Which blocks are finished, by their place along z, y, x."""
    marks: NDArray[np.bool_] = open_store(job.store)["ledger"][:].astype(bool)
    return marks


def counts_of(job: Job, marks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Study cells, scored cells, and missing cells by layer, summed over the marked blocks."""
    total: NDArray[np.int64] = open_store(job.store)["block_counts"][:][marks].sum(axis=0)
    return total


def _attributes_of(store: Path) -> dict[str, Any]:
    try:
        attributes = dict(open_store(store).attrs)
    except (OSError, ValueError, KeyError):
        attributes = {}
    if "run_hash" not in attributes:
        raise ValueError(
            f"{store.name} exists and is not a prospectivity store, so it is left alone. "
            "Move it away or write to another path."
        )
    return attributes


def _check_same(job: Job, attributes: dict[str, Any]) -> None:
    if attributes["run_hash"] == job.run_hash:
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


def _sweep(store: Path) -> None:
    """Remove what zarr had not yet renamed when its writer was killed."""
    for rest in store.rglob("*.partial"):
        rest.unlink(missing_ok=True)


def _create(job: Job, path: Path) -> None:
    """Coordinates, fill values and the empty ledger; no data."""
    with cube.open(job.cube_path) as evidence:
        grid = {name: value for name, value in evidence.attrs.items() if name.startswith("grid_")}
        empty = xr.Dataset(coords=evidence.coords, attrs=grid).load()
    empty.to_zarr(path, mode="w", zarr_format=3, consolidated=False)
    group = open_store(path, "a")
    words = {
        "score": "prospectivity, mean score of the members",
        "spread": "standard deviation of the members",
    }
    for name in ("score", "spread")[: min(2, job.n_members)]:
        group.create_array(
            name, shape=job.shape, chunks=job.chunk, dtype="float32", fill_value=np.nan,
            dimension_names=("z", "y", "x"),
            attributes={"units": "1", "long_name": words[name], "grid_mapping": "spatial_ref"},
        )  # fmt: skip
    dims, n_counts = ("block_z", "block_y", "block_x"), 2 + len(job.layers)
    group.create_array(
        "block_counts", shape=(*job.n_blocks, n_counts), chunks=(1, 1, 1, n_counts), dtype="int64",
        fill_value=0, dimension_names=(*dims, "count"),
        attributes={"long_name": "cells of a block: of the study, scored, and missing by layer"},
    )  # fmt: skip
    group.create_array(
        "ledger", shape=job.n_blocks, chunks=(1, 1, 1), dtype="uint8", fill_value=0, dimension_names=dims,
        attributes={"long_name": "1 where the block is finished"},
    )  # fmt: skip
    group.attrs.update(
        title="Prospectivity. Conceptual, for planning exploration; not a resource estimate.",
        Conventions="CF-1.11", kind=job.kind, members=job.n_members,
        layers=list(job.layers), chunk=list(job.chunk),
        run=json.dumps(job.identity, sort_keys=True), run_hash=job.run_hash,
        software=f"mpm3d {__version__}",
    )  # fmt: skip
