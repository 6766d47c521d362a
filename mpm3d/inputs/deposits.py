"""Deposits of a study as cells and as bodies, and what was drilled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mpm3d import boreholes, labels, vectors
from mpm3d.errors import StudyError
from mpm3d.geometry import Lines, Points, Surface
from mpm3d.grid import FloatArray, Grid
from mpm3d.inputs.bodies import Say, bodies
from mpm3d.study import BoreholesLayer, DepositTable, Study, drillholes
from mpm3d.study.tables import NO_SURFACE

LEFT_OUT, JOINED = "left out", "are one deposit"  # what of many places did not become a deposit of its own


def deposits(study: Study, table: DepositTable, grid: Grid, say: Say) -> list[labels.Deposit]:
    """Deposits of a table as cells: one, or one for each of its points, polygons or patches of pixels."""
    if not table.each:
        return [deposit(study, table, grid, say)]
    found, outside = [], []
    for place in _places(study, table, grid, say):
        cells, share = _cells(place, table, grid)
        if len(cells):
            style = place.style or table.style
            found.append(labels.Deposit(place.name, cells, style, len(cells), int((share >= 0.5).sum())))
        else:
            outside.append(place.name)
    where = "area" if grid.is_map else "grid"
    if not found:
        raise StudyError(
            f"deposit {table.name!r}: none of its {len(outside)} deposits lies in the {where}. Move the "
            "grid, or check the file and its coordinate system."
        )
    if outside:
        say(f"{table.name}: {_counted(outside)} outside the {where}, {LEFT_OUT}: {_some(outside)}.")
    return _merged(found, table, say)


def _merged(found: list[labels.Deposit], table: DepositTable, say: Say) -> list[labels.Deposit]:
    """Deposits of which no two share a cell: those that do are one, called by the first."""
    owner: dict[tuple[int, ...], int] = {}
    first = list(range(len(found)))

    def root(k: int) -> int:
        while first[k] != k:
            k = first[k]
        return k

    for number, one in enumerate(found):
        for cell in map(tuple, one.cells.tolist()):
            a, b = sorted((root(owner.setdefault(cell, number)), root(number)))
            first[b] = a
    groups: dict[int, list[labels.Deposit]] = {}
    for number, one in enumerate(found):
        groups.setdefault(root(number), []).append(one)
    made = []
    for group in groups.values():
        cells = np.unique(np.concatenate([one.cells for one in group]), axis=0)
        if len(group) > 1:
            names = _some([one.name for one in group])
            say(f"{table.name}: {names} share cells and {JOINED}, {group[0].name!r}.")
        filled = min(len(cells), sum(one.n_filled for one in group))
        made.append(replace(group[0], cells=cells, n_met=len(cells), n_filled=filled))
    return made


def told(table: DepositTable, found: Sequence[labels.Deposit]) -> list[str]:
    """How many cells the deposits of a table have, all that have as many in one sentence."""
    if not table.each:
        return [
            f"deposit {d.name}: {d.n_met} cells met, {d.n_filled} filled at least by half." for d in found
        ]
    by_size: dict[int, list[str]] = {}
    for one in found:
        by_size.setdefault(len(one.cells), []).append(one.name)
    what = {size: "one cell" if size == 1 else f"{size} cells" for size in by_size}
    return [
        f"{table.name}: {len(names)} deposits of {what[size]} each: {_some(names, 30)}."
        if len(names) > 1
        else f"{table.name}: one deposit of {what[size]}: {names[0]}."
        for size, names in sorted(by_size.items())
    ]


def _places(study: Study, table: DepositTable, grid: Grid, say: Say) -> list[vectors.Place]:
    try:
        found, notes = table.places(study.folder, grid.crs)
    except ValueError as error:
        raise StudyError(f"deposit {table.name!r}: {error}") from error
    for note in notes:
        say(f"{table.name}: {note}")
    return found


def _cells(place: vectors.Place, table: DepositTable, grid: Grid) -> tuple[labels.Cells, FloatArray]:
    """Cells of a place, those filled at least by ``min_share`` if the table has one, and their shares."""
    try:
        cells, share = vectors.cells_of(place.shape, grid)
    except ValueError as error:
        raise StudyError(f"deposit {place.name!r}: {error}") from error
    kept = share >= (table.min_share or 0.0) - 1e-9
    return cells[kept], share[kept]


def _counted(names: Sequence[str]) -> str:
    return f"{len(names)} deposits lie" if len(names) > 1 else "1 deposit lies"


def _some(names: Sequence[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def deposit(study: Study, table: DepositTable, grid: Grid, say: Say) -> labels.Deposit:
    """Cells of a deposit, from surfaces, points or intervals."""
    if table.is_map_file(flat=grid.is_map):
        parts_ = [_cells(place, table, grid) for place in _places(study, table, grid, say)]
        cells, at = np.unique(np.concatenate([part for part, _ in parts_]), axis=0, return_index=True)
        share = np.concatenate([filled for _, filled in parts_])[at]
        return labels.Deposit(table.name, cells, table.style, len(cells), int((share >= 0.5).sum()))
    if table.collar:
        cells = drilled(study, table, grid, say).at_least(table.cutoff or 0.0)
        return labels.Deposit(table.name, cells, table.style, len(cells), 0)
    found = bodies(study, [name for _, name in table.paths()], say)
    sheets = [body for body in found if isinstance(body, Surface)]
    if sheets and grid.is_map:
        raise StudyError(f"deposit {table.name!r}: {NO_SURFACE.format(sheets[0].name)}")
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
    if table.is_map_file(flat=study.grid.z is None):
        return _seen(study, table)
    if table.collar:
        return [boreholes.ore(drillholes(table, study.folder), table.assay, table.cutoff or 0.0)]
    return bodies(study, [name for _, name in table.paths()], say)


def _seen(study: Study, table: DepositTable) -> list[Surface | Lines | Points]:
    """Places of a map as points at the heights they have, 0 without one."""
    grid = study.grid.grid()
    found: list[Surface | Lines | Points] = []
    for place in _places(study, table, grid, lambda note: None):
        cells, _ = _cells(place, table, grid)
        if len(cells):
            found.append(Points(place.name, grid.xyz_of(cells)))
    return found


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
