"""Attributions of a volume: counted and timed first, then written block by block, resumable."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mpm3d import cube, storage
from mpm3d.blocks import Block, tile
from mpm3d.grid import Index3
from mpm3d.predict.patches import batches
from mpm3d.predict.scoring import one_thread
from mpm3d.predict.store import locked
from mpm3d.reasons.store import (
    ATTRIBUTION,
    LEDGER,
    TARGET,
    Wanted,
    blocks_of,
    mark_of,
    place_of,
    prepare,
    scores_of,
    write_targets,
)
from mpm3d.reasons.subject import Subject
from mpm3d.targets import Delineation
from mpm3d.work import Run

Progress = Callable[..., None]

_GROUP = 48  # cells along the side of a group of blocks, about those of a chunk of the cube
_AT_ONCE = 256  # cells whose patches are gathered together
_TIMED = (
    32,
    512,
)  # cells that are explained to see how long one takes, the more where the fewer take no time
_NO_TIME = 0.25  # s
_DIFFERS = (
    1e-3  # between a score that is explained and the one in the store: another device may round otherwise
)


@dataclass(frozen=True, eq=False)
class Volume:
    """A volume that is to be explained.

    Parameters
    ----------
    place : Path
        The store of attributions.
    score : array-like
        Scores of the model, read a window at a time.
    evidence : Dataset
        The cube.
    subject : Subject
        The model.
    wanted : Wanted
        Which cells.
    workers : int
        Blocks at a time.
    """

    place: Path
    score: Any
    evidence: xr.Dataset
    subject: Subject
    wanted: Wanted
    workers: int
    _read: dict[Index3, NDArray[np.float32]] = field(default_factory=dict, repr=False)

    @property
    def space(self) -> str:
        """What the cells are of: a volume, or an area."""
        return "area" if self.wanted.shape[0] == 1 else "volume"

    def group_of(self, block: Block) -> Index3:
        """Which group of blocks a block belongs to; the evidence of a group is read at once."""
        z, y, x = (at // n for at, n in zip(block.index, self._grouped, strict=True))
        return z, y, x

    @cached_property
    def _chunk(self) -> Index3:
        z, y, x = storage.group(self.place, "r").attrs["chunk"]
        return z, y, x

    @cached_property
    def _grouped(self) -> Index3:
        """Blocks of a group along z, y, x."""
        z, y, x = (max(1, _GROUP // side) for side in self._chunk)
        return z, y, x

    def patches(self, block: Block, flags: NDArray[np.bool_]) -> Iterator[NDArray[np.float32]]:
        """Patches ``(n, layer, z, y, x)`` of some cells of a block; each replaces the one before."""
        explainer, index = self.subject.explainer, self.group_of(block)
        shape, values = explainer.members[0].patch_shape, self._with_halo(index)
        first = np.multiply(np.multiply(index, self._grouped), self._chunk)
        cuts = (
            slice(cut.start - start, cut.stop - start + side - 1)
            for cut, start, side in zip(block.core, first, shape, strict=True)
        )
        buffer = np.empty(_AT_ONCE * len(explainer.layers) * prod(shape), dtype=np.float32)
        for _, some in batches(values[(slice(None), *cuts)], np.flatnonzero(flags), shape, buffer=buffer):
            yield some

    def _with_halo(self, index: Index3) -> NDArray[np.float32]:
        """Layers of a group of blocks with half a patch around it; those last asked for are kept."""
        found = self._read.get(index)
        if found is None:
            explainer = self.subject.explainer
            sides = np.multiply(self._grouped, self._chunk)
            window = tuple(
                slice(int(at * n) - side // 2, int(min(at * n + n, end)) + side // 2)
                for at, n, end, side in zip(
                    index, sides, self.wanted.shape, explainer.members[0].patch_shape, strict=True
                )
            )
            found = cube.read_window(self.evidence, explainer.layers, window)  # type: ignore[arg-type]
            for old in list(self._read)[: -self.workers]:
                self._read.pop(old, None)  # another thread may have been first
            self._read[index] = found
        return found


def write(run: Run, number: int, subject: Subject, found: Delineation, wanted: Wanted) -> Volume:
    """Write the attributions of the wanted cells that are not there yet; say how many and how long first.

    Raises
    ------
    RuntimeError
        If another run is writing the store, or attributions do not add up to the scores.
    """
    workers = subject.workers(run.study.predict.workers)
    evidence, place = cube.open(run.study.cube_place), place_of(run, number)
    with locked(place), one_thread():
        if run.folder.overwrite and storage.exists(place):
            storage.make_room(place, overwrite=True)
        differs = prepare(place, evidence, subject.identity, _about(subject, wanted))
        if differs:
            run.say(f"{place.stem}: the one there is of another {differs}. It is made again.")
        score = scores_of(run, number)
        write_targets(place, found, tuple(score.chunks))
        volume = Volume(place, score, evidence, subject, wanted, workers)
        _announce(run, volume)
        with run.bar(f"explain {subject.kind}") as progress:
            _write_blocks(volume, progress)
    return volume


def _about(subject: Subject, wanted: Wanted) -> dict[str, Any]:
    return {
        "layers": list(subject.explainer.layers), "kind": subject.kind, "method": subject.explainer.words,
        "background": subject.removed, "n_background": len(subject.background),
        "base": subject.explainer.base, "every": wanted.every,
    }  # fmt: skip


def _announce(run: Run, volume: Volume) -> None:
    """Say how many cells there are to explain and how long that takes."""
    store = storage.group(volume.place, "r")
    of_targets = elsewhere = 0
    for block in tile(volume.wanted.shape, tuple(volume.score.chunks)):
        target = store[TARGET][block.core]
        cells = volume.wanted.cells(block.core, volume.score[block.core], target)
        of_targets += int((cells & (target > 0)).sum())
        elsewhere += int((cells & (target == 0)).sum())
    done = int(store[LEDGER][...][..., 1].sum())
    left = max(0, of_targets + elsewhere - done)
    where = (
        "all other cells"
        if volume.wanted.every == 1
        else f"every {_nth(volume.wanted.every)} cell along each axis elsewhere"
    )
    kept = f"; {min(done, of_targets + elsewhere):,} of them by an earlier run" if done else ""
    said = f"{of_targets:,} cells of targets and {elsewhere:,} more, {where}{kept}."
    if left:
        rate = rate_of(volume.subject, volume.workers)
        seconds = timedelta(seconds=max(1, round(left / rate)))
        said += f" That takes about {seconds} (h:mm:ss) at {rate:,.0f} cells a second here."
    run.say(f"explain {volume.subject.kind}: {said}")
    run.say(f"explain {volume.subject.kind}: {volume.subject.words}.")


def _nth(n: int) -> str:
    return {2: "second", 3: "third", 4: "fourth", 5: "fifth"}.get(n, f"{n}th")


def rate_of(subject: Subject, workers: int) -> float:
    """Cells explained in a second by all workers, from a small batch each after one to warm up."""
    explain, rate = subject.explainer.explain, 0.0
    explain(subject.background[:1])
    for n in _TIMED:
        patches = np.resize(subject.background, (n, *subject.background.shape[1:]))
        begin = time.perf_counter()
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(explain, [patches] * workers))
        seconds = max(time.perf_counter() - begin, 1e-9)
        rate = n * workers / seconds
        if seconds > _NO_TIME:
            break
    return rate


def _write_blocks(volume: Volume, progress: Progress) -> None:
    store = storage.group(volume.place)
    attribution, ledger, target = store[ATTRIBUTION], store[LEDGER], store[TARGET]
    marks = ledger[...]

    def work(block: Block) -> int:
        core = block.core
        wanted = volume.wanted.cells(core, volume.score[core], target[core])
        entry = np.array([mark_of(wanted), wanted.sum()])
        if (marks[block.index] == entry).all():
            return 0
        count = _fill(volume, attribution, block, wanted)
        ledger[block.index] = entry  # after the data: it marks the block as finished
        return count

    # group by group, so that the evidence of each is read once
    every = sorted(blocks_of(store), key=lambda block: (volume.group_of(block), block.index))
    n, start = 0, time.perf_counter()
    for done, count in enumerate(storage.in_turn(work, every, workers=volume.workers), start=1):
        n += count
        rate = n / max(time.perf_counter() - start, 1e-9)
        progress(done, len(every), f"{rate:,.0f} cells/s")


def _fill(volume: Volume, attribution: Any, block: Block, wanted: Any) -> int:
    """Explain the cells of a block that are not there yet; how many those were."""
    if not wanted.any():
        return 0
    explainer = volume.subject.explainer
    values = attribution[(slice(None), *block.core)]
    todo = wanted & np.isnan(values[0])
    if not todo.any():
        return 0
    found, scores, at = [], volume.score[block.core][todo], 0
    for patches in volume.patches(block, todo):
        part = explainer.explain(patches)
        _check_scores(volume, part.score, scores[at : at + len(patches)])
        found.append(part.values)
        at += len(patches)
    values[:, todo] = np.concatenate(found).T
    attribution[(slice(None), *block.core)] = values
    return int(todo.sum())


def _check_scores(volume: Volume, explained: Any, stored: Any) -> None:
    """See that the scores that are explained are those in the store."""
    gap = np.abs(explained - stored)
    if (gap > _DIFFERS * np.maximum(1, np.abs(stored))).any():
        worst = int(gap.argmax())
        raise RuntimeError(
            f"the model {volume.subject.kind!r} gives {explained[worst]:.6g} at a cell whose stored score is "
            f"{stored[worst]:.6g}, so the scores are not of this model and cube. Score the {volume.space} "
            "again: mpm3d predict study.toml --overwrite"
        )
