"""From a scored volume to targets with reasons and drillholes, in the order in which they are made."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mpm3d import cube, handover, mapping, reasons, targets
from mpm3d.companions import best_share
from mpm3d.reasons import Reason
from mpm3d.run import hash_of
from mpm3d.targeting.printing import best_of
from mpm3d.work import Run

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from mpm3d.drilling import Hole, NoHole

__all__ = ["best_of", "cut", "delineate", "needs_validation", "table_of"]

_FEWEST = 8  # cells of the smallest target, where the study does not say
_FEWEST_ON_MAP = 4


def needs_validation(run: Run) -> bool:
    """Whether left-out deposits say where the targets of a study begin."""
    table = run.study.targets
    return table.share is None and table.percentile is None and table.value is None


def cut(run: Run) -> targets.Delineation:
    """Cut the scored volume into ranked targets, as the study says; nothing is written or said.

    Parameters
    ----------
    run : Run
        The study at work; its first model has scored the volume, and is validated where `needs_validation`.

    Returns
    -------
    Delineation
        With the layer ``extrapolation`` counted, where the store has it.

    Raises
    ------
    ValueError
        If no cell is eligible, or none reaches the ``value`` of the study.
    """
    table, weights = run.study.targets, dict(run.study.targets.weights)
    if run.grid.is_map:
        weights.pop("depth", None)  # every cell of a map is at the ground
    settings = targets.Settings(
        share=None if table.value is not None else best_share(run).share, value=table.value,
        min_volume=_smallest(run), split=table.split, weights=weights,
        stand_off=run.study.samples.stand_off,
    )  # fmt: skip
    known = {deposit.name: deposit.cells for deposit in run.known}
    scored = cube.open(run.path("prospectivity.zarr"))  # not closed: targets read their cells from it
    with run.bar("targets") as progress:
        return targets.delineate_by(scored, known, settings, ground=run.ground_heights, progress=progress)


def _smallest(run: Run) -> float:
    """Volume of the smallest target in m3; on a map its area times the height of a cell."""
    table, grid = run.study.targets, run.grid
    if grid.is_map:
        area = _FEWEST_ON_MAP * grid.cell_area if table.min_area is None else table.min_area
        return area * grid.spacing[0]
    return _FEWEST * grid.cell_volume if table.min_volume is None else table.min_volume


def delineate(run: Run) -> targets.Delineation:
    """Cut the scored volume into ranked targets, explain them, propose drillholes, and write every file.

    Where targets begin, what was left out and the best targets are said.

    Parameters
    ----------
    run : Run
        The study at work; its first model has scored the volume, and is validated where `needs_validation`.

    Returns
    -------
    Delineation

    Raises
    ------
    ValueError
        As `cut`; or if the licence of ``[drilling]`` cannot be used.
    """
    started = time.monotonic()
    found = cut(run)
    why = _why(run)
    notes = (
        f"{why}, so the best {found.share:.2%} of the eligible cells are in, those with a score of "
        f"{found.threshold:.6g} or more.",
        *found.notes,
    )
    for note in notes:
        run.say(f"targets: {mapping.of_area(note, run.grid) if run.grid.is_map else note}")
    table = _written_map(run, found) if run.grid.is_map else _written(run, found)
    run.folder.finish(
        "targets", hash_of(run.study.targets.model_dump(), found.threshold), started, rule=why,
        threshold=found.threshold, share=found.share, n=len(found.targets), weights=dict(found.weights),
    )  # fmt: skip
    run.say(best_of(table))
    return found


def _written(run: Run, found: targets.Delineation) -> pd.DataFrame:
    """The table of targets with reasons and proposed holes, after every file of them is written."""
    holes = handover.plan_holes(run, found)
    table = table_of(found, reasons.of(run, found), holes)
    for note in handover.write(run, found, table, holes):
        run.say(f"targets: {note}")
    return table


def _written_map(run: Run, found: targets.Delineation) -> pd.DataFrame:
    """The same on a map, which has areas and no holes."""
    table = mapping.in_area(table_of(found, reasons.of(run, found), {}), run.grid)
    mapping.write(run, found, table)
    return table


def _why(run: Run) -> str:
    value = run.study.targets.value
    return f"the study asks for scores of {value:g} and above" if value is not None else best_share(run).words


def table_of(
    found: targets.Delineation, why: Mapping[str, Reason], holes: Mapping[str, Hole | NoHole]
) -> pd.DataFrame:
    """The table of targets with what speaks for and against each, and its drillhole.

    Parameters
    ----------
    found : Delineation
        The targets.
    why : mapping of str to Reason
        By id; a target without one has empty reasons.
    holes : mapping of str to Hole or NoHole
        By id.

    Returns
    -------
    DataFrame
        The columns of the targets, then ``reasons_for`` and ``reasons_against`` (three layers each at most,
        with what they add to the score), ``hole`` (its id, empty for none) and ``hole_note``.
    """
    ids = [target.id for target in found.targets]
    reason = [why.get(name) for name in ids]
    hole = [holes.get(name) for name in ids]
    return found.table.assign(
        reasons_for=[reasons.words(one.speaks_for()) if one else "" for one in reason],
        reasons_against=[reasons.words(one.speaks_against()) if one else "" for one in reason],
        hole=[one.id if one else "" for one in hole],
        hole_note=[one.note if one else "" for one in hole],
    )
