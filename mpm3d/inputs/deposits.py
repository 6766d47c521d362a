"""Deposits of a study as cells and as bodies, and what was drilled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mpm3d import boreholes, labels
from mpm3d.errors import StudyError
from mpm3d.geometry import Lines, Points, Surface
from mpm3d.grid import Grid
from mpm3d.inputs.bodies import Say, bodies
from mpm3d.study import BoreholesLayer, DepositTable, Study, drillholes


def deposit(study: Study, table: DepositTable, grid: Grid, say: Say) -> labels.Deposit:
    """Cells of a deposit, from surfaces, points or intervals."""
    if table.collar:
        cells = drilled(study, table, grid, say).at_least(table.cutoff or 0.0)
        return labels.Deposit(table.name, cells, table.style, len(cells), 0)
    found = bodies(study, [name for _, name in table.paths()], say)
    sheets = [body for body in found if isinstance(body, Surface)]
    if sheets and len(sheets) == len(found):
        try:
            body = labels.cells_of_body(sheets, grid, thickness=table.thickness, min_share=table.min_share)
        except ValueError as error:
            raise StudyError(f"deposit {table.name!r}: {error}") from error
        return labels.Deposit(table.name, body.cells, table.style, body.n_met, body.n_filled)
    if sheets:
        raise StudyError(f"deposit {table.name!r} mixes surfaces with lines or points. Give one kind.")
    if grid.is_map:  # where things are on the map, at whatever elevation
        found = [replace(body, vertices=body.vertices * (1.0, 1.0, 0.0)) for body in found]
    parts = [np.empty((0, 3), np.int64)]
    parts += [labels.cells_of_points(body, grid) for body in found if isinstance(body, Points)]
    parts += [labels.cells_of_segments(body, grid) for body in found if isinstance(body, Lines)]
    cells = np.unique(np.concatenate(parts), axis=0)
    return labels.Deposit(table.name, cells, table.style, len(cells), 0)


def deposit_bodies(study: Study, table: DepositTable, say: Say) -> list[Surface | Lines | Points]:
    """What a deposit looks like: its surfaces, points or intervals, of drillholes those that are ore."""
    if table.collar:
        return [boreholes.ore(drillholes(table, study.folder), table.assay, table.cutoff or 0.0)]
    return bodies(study, [name for _, name in table.paths()], say)


def drilled(study: Study, table: DepositTable | BoreholesLayer, grid: Grid, say: Say) -> boreholes.Drilled:
    """Drilled cells of a layer or a deposit, what the reader decided said."""
    wells = drillholes(table, study.folder)
    try:
        found = boreholes.drilled(wells, table.assay, grid)
    except ValueError as error:
        raise StudyError(f"{table.name!r}: {error}") from error
    for note in dict.fromkeys([*(note for well in wells for note in well.notes), *found.notes]):
        say(f"{table.name}: {note}")
    metres = found.length.sum()
    say(
        f"{table.name}: {len(wells)} holes, {metres:,.0f} m with {table.assay} in {len(found.cells):,} cells."
    )
    return found
