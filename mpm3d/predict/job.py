"""A run of the engine: everything that a block needs to know, checked before anything is written."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from mpm3d import cube
from mpm3d.blocks import Block, tile
from mpm3d.grid import Index3
from mpm3d.predict.settings import Load, Member, Settings

# Sides of blocks that are proposed where the one asked for does not fit.
_SIDES = (256, 200, 160, 128, 100, 80, 64, 50, 40, 32, 25, 20, 16, 12, 8)
# What Python, torch and the libraries take in each process besides blocks and patches, in GB.
_PROCESS = 0.4


@dataclass(frozen=True, eq=False)
class Job:
    """Everything that a block needs to know; small, since it goes to a worker with each task."""

    cube_path: str | Path
    store: Path
    settings: Settings
    shape: Index3
    chunk: Index3
    layers: tuple[str, ...]
    patch: Index3
    kind: str
    n_members: int
    identity: dict[str, Any]
    load: Load | None
    token: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def run_hash(self) -> str:
        """Hash of what the scores depend on."""
        return hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()

    @property
    def n_blocks(self) -> Index3:
        """Blocks along z, y, x."""
        z, y, x = (-(-n // c) for n, c in zip(self.shape, self.chunk, strict=True))
        return z, y, x

    def blocks(self) -> list[Block]:
        """Blocks of the volume, x fastest."""
        return list(tile(self.shape, self.chunk, chunk=self.chunk))


def make_job(
    cube_path: str | Path,
    members: tuple[Member, ...],
    out: Path,
    settings: Settings,
    *,
    model_hash: str,
    load: Load | None,
) -> Job:
    """See that members, cube, settings and memory fit together."""
    if not members:
        raise ValueError("there is no fitted member to predict with, fit a model first.")
    with cube.open(cube_path) as evidence:
        shape = cube.grid_of(evidence).shape
        _check_members(members, cube.layers_of(evidence))
        cube_hash = cube.hash_of(evidence)
    _check_load(settings, load)
    z, y, x = (min(b, n) for b, n in zip(settings.block, shape, strict=True))
    pz, py, px = (int(n) for n in members[0].patch_shape)
    identity = {
        "model": model_hash,
        "cube": cube_hash,
        "settings": {"block": [z, y, x], "max_missing": settings.max_missing},
    }
    job = Job(
        _everywhere(cube_path), out.absolute(), settings, shape, (z, y, x), tuple(members[0].layers),
        (pz, py, px), members[0].kind, len(members), identity, load,
    )  # fmt: skip
    _check_memory(job)
    return job


def _everywhere(place: str | Path) -> str | Path:
    """A path that workers in other folders understand too; a URL as it is."""
    return place if isinstance(place, str) and "://" in place else Path(place).absolute()


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


def _check_load(settings: Settings, load: Load | None) -> None:
    if load is None and (settings.processes or settings.scheduler):
        raise ValueError(
            "worker processes load the model themselves, so that no task carries it, and fitted members were "
            "given. Give a function that loads them, such as functools.partial(load, folder), or use threads."
        )


def _check_memory(job: Job) -> None:
    """Refuse blocks whose arrays cannot fit, before anything is written, and say which would."""
    limit, settings = job.settings.memory, job.settings
    workers = 1 if settings.scheduler else min(settings.at_once, prod(job.n_blocks))
    besides = _PROCESS * workers if settings.processes else 0.0
    each = memory_of(job, job.chunk)
    if each * workers + besides <= limit:
        return
    cuts = (tuple(min(side, n) for n in job.chunk) for side in _SIDES)
    fits = (cut for cut in cuts if memory_of(job, cut) * workers + besides <= limit)
    found = next(fits, None)
    advice = "Lower block, batch or workers, or raise memory."
    if found is not None:
        advice = f"Blocks of {found} would fit. {advice}"
    apart = f" with {besides:.3g} GB for the processes themselves" if besides else ""
    raise ValueError(
        f"a block of {job.chunk} cells and its patches take about {each:.3g} GB in each of "
        f"{workers} workers, {each * workers + besides:.3g} GB in all{apart}, and {limit:g} GB are "
        f"allowed. {advice}"
    )


def memory_of(job: Job, block: tuple[int, ...]) -> float:
    """GB that a worker needs for a block: its layers, scores and patches.

    Layers are read with the halo, turned so that the layers of a cell lie together, and stored chunks are
    decoded on the way (3 × 4 bytes); the block has scores, a spread, masks and places of cells (32 bytes);
    a model makes about two copies of a batch of patches.
    """
    halo = prod(b + p - 1 for b, p in zip(block, job.patch, strict=True))
    layers, cells = len(job.layers), prod(block)
    batch = min(job.settings.batch, cells)
    return (12 * halo * layers + 32 * cells + 12 * batch * layers * prod(job.patch)) / 1e9
