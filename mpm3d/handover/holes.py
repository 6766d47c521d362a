"""The hole that is proposed for each of the best targets of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mpm3d import storage
from mpm3d.drilling import COLUMNS, Hole, Limits, NoHole, plan, read_licence
from mpm3d.errors import StudyError
from mpm3d.grid import FloatArray, Grid
from mpm3d.targets import Delineation, Target
from mpm3d.wells import Intervals, Well
from mpm3d.work import Run

if TYPE_CHECKING:
    import pandas as pd

Holes = Mapping[str, Hole | NoHole]


def plan_holes(run: Run, found: Delineation) -> dict[str, Hole | NoHole]:
    """Propose a hole for each of the best targets, within the limits of ``[drilling]``.

    Cells deeper than any allowed hole gets are left out before their scores are kept in memory.

    Parameters
    ----------
    run : Run
        The study, its ground and its ``prospectivity.zarr``.
    found : Delineation
        Its targets.

    Returns
    -------
    dict of str to Hole or NoHole
        For every target, by id. Those beyond the number in ``[drilling]``, and zones that targets were cut
        from, have no hole and say so.

    Raises
    ------
    StudyError
        If the licence cannot be used.
    """
    table, grid = run.study.drilling, run.grid
    limits = Limits(dip=table.dip, length=table.length)
    heights = run.ground_heights
    ground = np.full(grid.shape[1:], grid.bounds[5]) if heights is None else heights
    licence = _licence(run)
    score = storage.group(run.path("prospectivity.zarr"), "r")["score"] if found.targets else None
    lowest = float(np.fmin.reduce(ground, axis=None, initial=np.inf)) - limits.longest
    split = {target.zone for target in found.targets}
    planned: dict[str, Hole | NoHole] = {}
    with run.bar("drillholes") as progress:
        for number, target in enumerate(found.targets, start=1):
            left_out = _left_out(target, number, table.targets, split)
            if left_out:
                planned[target.id] = NoHole(left_out, target.id)
            else:
                cells, values = _reachable(target, score, grid, lowest)
                planned[target.id] = (
                    plan(cells, values, grid, ground, limits, licence, target=target.id)
                    if len(cells)
                    else _deep(target, limits)
                )
            progress(number, len(found.targets))
    return planned


def _left_out(target: Target, number: int, most: int, split: set[str]) -> str:
    """Why no hole is looked for, empty if one is."""
    if target.id in split:
        return "a zone: holes are proposed for the targets that it was cut into."
    if number > most:
        return f"holes are proposed for the first {most} only: [drilling] targets."
    return ""


def _deep(target: Target, limits: Limits) -> NoHole:
    """No cell was left to aim at, because all are too deep whatever the ground above them."""
    top = f"{target.depth_top:,.0f} m below the ground" if np.isfinite(target.depth_top) else "too deep"
    note = (
        f"its top is {top}, holes are at most {limits.longest:,.0f} m long. Allow longer: [drilling] length."
    )
    return NoHole(note, target.id)


def _reachable(target: Target, score: Any, grid: Grid, lowest: float) -> tuple[Any, FloatArray]:
    """Cells of a target that do not lie below an elevation, and their scores, read block by block."""
    cells, values = [np.empty((0, 3), np.int64)], [np.empty(0)]
    first = int(np.floor((lowest - grid.corner[0]) / grid.spacing[0])) if np.isfinite(lowest) else 0
    for part in target.parts():
        kept = part[part[:, 0] >= first]
        if not len(kept):
            continue
        low, high = kept.min(axis=0), kept.max(axis=0) + 1
        window = np.asarray(score[tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))])
        cells.append(kept)
        values.append(window[tuple((kept - low).T)].astype(float))
    return np.concatenate(cells), np.concatenate(values)


def _licence(run: Run) -> Any:
    name = run.study.drilling.licence
    if not name:
        return None
    try:
        return read_licence(run.study.folder / name, run.grid.crs)
    except ValueError as error:
        raise StudyError(f"licence = {name!r} in [drilling]: {error}") from error


def hole_table(holes: Holes) -> pd.DataFrame:
    """One row for each hole, in the order of the targets.

    Parameters
    ----------
    holes : mapping of str to Hole or NoHole
        From `plan_holes`.

    Returns
    -------
    DataFrame
        Columns `drilling.COLUMNS`: collar and lengths in metres, azimuth and dip in degrees.
    """
    import pandas as pd

    return pd.DataFrame([hole.row for hole in proposed(holes)], columns=list(COLUMNS))


def proposed(holes: Holes) -> list[Hole]:
    """The holes that there are."""
    return [hole for hole in holes.values() if isinstance(hole, Hole)]


def well_of(hole: Hole, crs: str) -> Well:
    """A hole as a straight well, where it cuts its target as a zone of the target's name."""
    cut = Intervals(np.array([hole.from_m]), np.array([hole.to_m]), {"zone": np.array([hole.target])})
    return Well(
        hole.id, np.asarray(hole.collar), np.array([0.0, hole.length]), hole.path, intervals={"zones": cut},
        kind="Well", crs_name=crs,
    )  # fmt: skip
