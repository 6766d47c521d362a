"""The stores of a run as a scene needs them: scores as percentiles, all other layers left where they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d import blocks, companions, cube, storage
from mpm3d.companions.store import without
from mpm3d.errors import StudyError
from mpm3d.grid import Index3
from mpm3d.work import Run

# beside a score, in the order of a reading; what a store does not have is left out
COMPANIONS = (
    "score", "spread", "known_distance", "extrapolation", "novelty", "outside", "agreement", "rank_spread",
    "calibrated",
)  # fmt: skip
_TORN = (OSError, ValueError, KeyError, TypeError, RuntimeError)


class Stored:
    """A layer in a store: cells are read when they are asked for.

    Parameters
    ----------
    array : zarr Array
        Values ``(z, y, x)``.
    place : str or Path
        The store, for messages.
    again : str
        The command that makes it again.
    """

    def __init__(self, array: Any, place: Any, again: str) -> None:
        self.shape: Index3 = tuple(array.shape)
        self.units = str(array.attrs.get("units", "1"))
        self._array, self._place, self._again = array, place, again
        self._nothing = array.attrs.get("_FillValue") if array.dtype.kind in "iu" else None

    def __getitem__(self, cut: Any, /) -> NDArray[np.float32]:
        """Float32 values of the cells that are asked for, NaN where there is none."""
        with told(self._place, self._again):
            found = np.asarray(self._array[cut])
        values: NDArray[np.float32] = found.astype(np.float32)
        return (
            values if self._nothing is None else np.where(found == self._nothing, np.float32(np.nan), values)
        )


@contextmanager
def told(place: Any, again: str) -> Iterator[None]:
    """Say of a store that cannot be read which command makes it again."""
    try:
        yield
    except StudyError:
        raise
    except _TORN as error:
        name = str(place).replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise StudyError(
            f"{name} is damaged and cannot be read ({why}). Delete {place} and make it again: {again}"
        ) from error


@dataclass(frozen=True, eq=False)
class Scores:
    """The prospectivity store of one model, seen to be whole.

    Parameters
    ----------
    run : Run
        The study at work.
    number : int
        Which of its models.
    place : Path
        The store.
    group : zarr Group
        The store, to be read only.
    n_scored : int
        Cells that have a score.
    """

    run: Run
    number: int
    place: Path
    group: Any
    n_scored: int = 0

    @property
    def kind(self) -> str:
        """Name of the model."""
        return self.run.study.models[self.number].kind

    @property
    def again(self) -> str:
        """The command that scores the volume again where the store was deleted."""
        model = f" --model {self.kind}" if self.number else ""
        return f"mpm3d predict study.toml{model}"

    def parts(self) -> Iterator[tuple[Any, NDArray[np.float32]]]:
        """Windows of the volume and their scores, a chunk at a time."""
        array = self.group["score"]
        for block in blocks.tile(self.run.grid.shape, tuple(self.group.attrs["chunk"])):
            with told(self.place, self.again):
                values = np.asarray(array[block.core], dtype=np.float32)
            yield block.core, values

    def companions(self) -> dict[str, Stored]:
        """The layers beside the score that are there and finished, in the order of a reading."""
        found = {}
        with told(self.place, self.again):
            for name in (name for name in COMPANIONS if name in self.group):
                array = self.group[name]
                if name in ("score", "spread") or array.attrs.get("role") == "companion":
                    found[name] = Stored(array, self.place, self.again)
        return found

    def counts(self, threshold: float) -> Counts:
        """What a threshold keeps of this model's scores, from one pass over the store."""
        known = np.concatenate([np.empty((0, 3), np.int64), *(d.cells for d in self.run.known)])
        sums = np.zeros(4, np.int64)
        for window, values in self.parts():
            eligible = without(values, known.astype(np.int64), window)
            for place, cells in enumerate((values, eligible)):
                sums[2 * place] += np.count_nonzero(~np.isnan(cells))
                sums[2 * place + 1] += np.count_nonzero(cells >= np.float32(threshold))
        return Counts(*(int(n) for n in sums))

    def percentiles(self) -> NDArray[np.float32]:
        """Percentile of every scored cell among them, ties at mid-rank; 4 bytes a cell, 8 on the way."""
        ordered, filled = np.empty(self.n_scored, np.float32), 0
        for _, values in self.parts():
            there = values[~np.isnan(values)]
            ordered[filled : filled + there.size] = there
            filled += there.size
        ordered.sort()
        found = np.full(self.run.grid.shape, np.nan, np.float32)
        for window, values in self.parts():
            there = ~np.isnan(values)
            order = np.argsort(values[there])
            asked = values[there][order]  # ascending, so that one search is near the last
            ends = [np.searchsorted(ordered, asked, side=side) for side in ("left", "right")]
            ranks = np.empty(len(order), np.float32)
            ranks[order] = (ends[0] + ends[1]) * (50 / max(1, self.n_scored))
            found[window][there] = ranks
        return found

    def least(self, percentiles: NDArray[np.float32], threshold: float) -> float:
        """The least percentile of the cells at or above a score; 100 if there is none."""
        cut = np.float32(threshold)
        return min(
            float(percentiles[window][values >= cut].min(initial=100)) for window, values in self.parts()
        )


@dataclass(frozen=True)
class Counts:
    """Cells with a score, those at or above a threshold, and both without the known deposits."""

    scored: int
    kept: int
    eligible: int
    best: int


def open_scores(run: Run, number: int) -> Scores:
    """Open the prospectivity store of a model and see that it is whole and of this study.

    Raises
    ------
    StudyError
        If it is not there, not finished, damaged, or on another grid; says which command to give.
    """
    place, kind = companions.place_of(run, number), run.study.models[number].kind
    model = f" --model {kind}" if number else ""
    if not place.exists():
        raise StudyError(
            f"{kind} has not scored the {run.space} yet, {place.name} is not in {run.folder.place}. "
            f"Score it first: mpm3d predict study.toml{model}"
        )
    found = Scores(run, number, place, None)
    with told(place, found.again):
        group = storage.group(place, "r")
        marks = np.asarray(group["ledger"][...]) == 1
        counted = int(np.asarray(group["block_counts"][...])[..., 1].sum())
        shape, _ = tuple(group["score"].shape), tuple(group.attrs["chunk"])
        spacing, corner = (tuple(group.attrs[f"grid_{name}"]) for name in ("spacing", "corner"))
        identity = json.loads(group.attrs["run"])
    if not marks.all():
        raise StudyError(
            f"{place.name} is not finished, {marks.sum()} of {marks.size} blocks are scored. "
            f"Go on with: mpm3d predict study.toml{model}"
        )
    if (shape, spacing, corner) != (run.grid.shape, run.grid.spacing, run.grid.corner):
        raise StudyError(
            f"{place.name} has {shape} cells (z, y, x), the grid of the study {run.grid.shape} of "
            f"{run.grid.spacing} m, or they begin elsewhere. Score again: mpm3d targets study.toml"
        )
    found = Scores(run, number, place, group, counted)
    _check_whole(found, identity)
    return found


def _check_whole(scores: Scores, identity: dict[str, Any]) -> None:
    """See that no chunk of scores is lost and that the evidence cube is the one that was scored."""
    there = sum(int(np.count_nonzero(~np.isnan(values))) for _, values in scores.parts())
    if there != scores.n_scored:
        raise StudyError(
            f"{scores.place.name} is damaged: {scores.n_scored:,} cells were scored and {there:,} are there. "
            f"Delete {scores.place} and make it again: {scores.again}"
        )
    with told(scores.run.study.cube_place, "mpm3d build study.toml"):
        now = cube.hash_of(cube.open(scores.run.study.cube_place))
    if identity.get("cube") != now:
        raise StudyError(
            f"the evidence cube was built again after {scores.kind} had scored it, so it is not what was "
            "scored. Score it as it is now: mpm3d targets study.toml"
        )


def evidence_of(run: Run) -> dict[str, Stored]:
    """The evidence layers of the cube, none of them read; in the order of the study, others after them."""
    place, again = run.study.cube_place, "mpm3d build study.toml"
    with told(place, again):
        names = cube.layers_of(cube.open(place))
        group = storage.group(place, "r")
        listed = [layer.name for layer in run.study.layers if layer.name in names]
        order = [*listed, *(name for name in names if name not in listed)]
        return {name: Stored(group[name], place, again) for name in order}
