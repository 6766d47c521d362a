"""Drillholes of a table of collars, one of surveys and tables of intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mpm3d.errors import FormatError
from mpm3d.geometry import Array, Body
from mpm3d.grid import FloatArray
from mpm3d.io.files import stem_of
from mpm3d.io.options import Options
from mpm3d.io.tables.columns import Table, read_table
from mpm3d.io.tables.headers import first_rows, holes_without_place, kind_of_hole_table, some
from mpm3d.io.tables.holes import ROLES, Reader, Survey, make_survey, read_angles
from mpm3d.wells import Intervals, Well, minimum_curvature

_DIPS = ("auto", "negative down", "positive down", "from vertical")


def matches(path: Path, head: bytes) -> bool:
    """Whether a file begins with a survey or intervals of drillholes, which have no place of their own.

    Tables of collars are tables of points, see `table.matches`.
    """
    header, _ = first_rows(head)
    return header is not None and bool(kind_of_hole_table(header))


def read_bodies(path: Path, options: Options) -> list[Body]:
    """Refuse a survey or intervals alone, and say how to read them.

    Raises
    ------
    FormatError
        Always: the holes need a table of collars, see `read_drillholes`.
    """
    header = read_table(path).header
    raise FormatError(path, holes_without_place(kind_of_hole_table(header) or "a table"), header.line + 1)


def read_drillholes(
    collar: str | Path,
    survey: str | Path | None = None,
    intervals: str | Path | Sequence[str | Path] | Mapping[str, str | Path] = (),
    *,
    columns: Mapping[str, str] | None = None,
    dip: str = "auto",
    errors: str = "strict",
) -> list[Well]:
    """Read drillholes and make their paths by minimum curvature.

    A hole leaves its collar in the direction of its first station and goes on straight below the last one,
    to the length in the table of collars or, without one, to its deepest station or interval. A hole without
    stations goes in the direction that the table of collars has for it, or straight down. Columns are found
    by their usual names in any case (``BHID``, ``HOLE_ID``; ``EAST``, ``X``; ``RL``, ``Z``; ``EOH``; ``AT``,
    ``DEPTH``; ``BRG``, ``AZI``; ``DIP``; ``FROM``, ``TO``).

    Parameters
    ----------
    collar : str or Path
        Table of a row for each hole: its name, x, y and elevation in metres, perhaps its length, azimuth and
        dip.
    survey : str or Path, optional
        Table of a row for each station: hole, depth in metres, azimuth clockwise from north and dip in
        degrees.
    intervals : path, sequence of paths, or mapping of str to path
        Tables of a row for each interval: hole, from and to in metres, and values. A table is named by its
        file, unless a mapping names it.
    columns : mapping of str to str, optional
        Names of columns that are not found: by ``"hole"``, ``"x"``, ``"y"``, ``"z"``, ``"length"``,
        ``"depth"``, ``"azimuth"``, ``"dip"``, ``"inclination"``, ``"from"``, ``"to"``.
    dip : {"auto", "negative down", "positive down", "from vertical"}
        What angles mean. ``"auto"``: dips are negative downwards, unless all are positive; a column called
        inclination counts the same way if it holds negative angles, and is ambiguous if not.
    errors : {"strict", "skip"}
        ``"skip"`` leaves out rows that cannot be used and rows of holes that have no collar, and notes it.

    Returns
    -------
    list of Well
        In the order of the collars. Values keep the order of their table; limits such as ``<0.01`` are
        missing. The notes of a hole tell what was assumed, and which intervals overlap, run backwards or go
        beyond its end; all are kept.

    Raises
    ------
    FormatError
        With the line, if a table lacks columns, a number is not possible, or holes have no collar.

    References
    ----------
    See `wells.minimum_curvature`.
    """
    columns = columns or {}
    _check_arguments(columns, dip, errors)
    reader = Reader(errors, dip, columns)
    table = reader.open(collar)
    holes = _collars(reader, table)
    surveys = _surveys(reader, survey, holes, table)
    tables = {name: _intervals(reader, path, holes) for name, path in _named(intervals).items()}
    unknown = [columns[role] for role in columns if role not in reader.used]
    if unknown:
        raise ValueError(f"none of the tables has the column {unknown[0]!r} of columns={dict(columns)}.")
    units: dict[str, str] = {}
    for name, found in tables.items():
        other = [
            column for column in found.units if units.get(column, found.units[column]) != found.units[column]
        ]
        if other:
            reader.shared.append(f"table {name!r} has other units of {', '.join(other)} than the one before.")
        units = {**found.units, **units}
    return [_well(reader, hole, surveys.get(hole.name), tables, units) for hole in holes.values()]


def _check_arguments(columns: Mapping[str, str], dip: str, errors: str) -> None:
    Options(errors=errors)  # refuses what is no choice
    if dip not in _DIPS:
        raise ValueError(f"dip={dip!r} is not known, use one of {', '.join(map(repr, _DIPS))}.")
    strange = [role for role in columns if role not in ROLES]
    if strange:
        raise ValueError(f"columns names {strange[0]!r}, it can name {', '.join(map(repr, ROLES))}.")


def _named(intervals: str | Path | Sequence[str | Path] | Mapping[str, str | Path]) -> dict[str, str | Path]:
    if isinstance(intervals, Mapping):
        return dict(intervals)
    paths = [intervals] if isinstance(intervals, str | Path) else list(intervals)
    named: dict[str, str | Path] = {}
    for path in paths:
        stem = stem_of(path)
        named[stem if stem not in named else f"{stem}_{len(named) + 1}"] = path
    return named


@dataclass(frozen=True)
class _Collar:
    """A row of the table of collars."""

    name: str
    place: FloatArray
    length: float
    azimuth: float
    inclination: float


@dataclass(frozen=True)
class _Rows:
    """Rows of one hole in a table of intervals, by hole, and the columns of the table."""

    by_hole: Mapping[str, NDArray[np.int64]]
    start: FloatArray
    stop: FloatArray
    values: Mapping[str, Array]
    units: Mapping[str, str]
    notes: tuple[str, ...]


def _collars(reader: Reader, table: Table) -> dict[str, _Collar]:
    hole, *xyz = reader.need(table, ("hole", "x", "y", "z"))
    place = table.points(xyz, reader.errors)
    names = table.texts(hole)
    column = reader.column(table, "length")
    length = np.full(len(names), np.nan) if column is None else table.lengths(column)
    azimuth, inclination = np.full((2, len(names)), np.nan)
    if reader.column(table, "azimuth") is not None and reader.has_dip(table):
        azimuth, inclination = read_angles(
            table, reader.need(table, ["azimuth"])[0], *reader.dip_column(table), reader.dip
        )
    holes: dict[str, _Collar] = {}
    again: list[str] = []
    for row, name in enumerate(names.tolist()):
        if not name or name in holes:
            if reader.errors == "strict":
                what = f"the hole {name!r} has a second collar" if name else "a collar has no name of a hole"
                raise table.fail_at(row, f"{what}. Read with errors='skip' to leave such rows out.")
            again.append(name or "?")
            continue
        holes[name] = _Collar(name, place[row], length[row], azimuth[row], inclination[row])
    if again:
        table.notes.append(f"collars that repeat a hole or have no name were left out: {some(again)}.")
    reader.shared += table.notes
    return holes


def _surveys(
    reader: Reader, path: str | Path | None, holes: Mapping[str, _Collar], collars: Table
) -> dict[str, Survey]:
    """Stations of each hole that has some."""
    if path is None:
        return {}
    table = reader.open(path)
    hole, depth, azimuth = reader.need(table, ("hole", "depth", "azimuth"))
    if not reader.has_dip(table):
        reader.need(table, ["dip"])
    at, angles = _stations(reader, table, (hole, depth, azimuth))
    rows = reader.rows_of(table, hole, holes, "survey")
    reader.shared += table.notes
    found: dict[str, Survey] = {}
    for name, piece in rows.items():
        stations, said = make_survey(at[piece], angles[1][piece], angles[0][piece])
        for note in said:
            reader.note(name, note)
        try:
            minimum_curvature(stations.depth, stations.inclination, stations.azimuth)
        except ValueError as error:
            if reader.errors == "strict":
                raise table.fail_at(
                    int(piece[0]), f"the survey of {name!r} makes no path: {error}"
                ) from error
            reader.note(name, f"its survey was left out: {error}")
            continue
        found[name] = stations
    return found


def _stations(
    reader: Reader, table: Table, columns: tuple[int, int, int]
) -> tuple[FloatArray, tuple[FloatArray, FloatArray]]:
    """Depths, and azimuths with inclinations, of the stations that are possible."""
    hole, depth, azimuth = columns
    at = table.points([depth], reader.errors)[:, 0]
    column, inclined = reader.dip_column(table)
    towards, tilt = read_angles(table, azimuth, column, inclined, reader.dip)
    good = ~np.isnan(tilt) & (at >= 0) & (~np.isnan(towards) | (tilt % 180 == 0))
    if good.all():
        return at, (towards, tilt)
    row = int(np.argmin(good))
    if reader.errors == "strict":
        raise table.fail_at(
            row,
            f"the station of {table.shown(hole, row)!r} at {at[row]:g} m has the azimuth "
            f"{table.shown(azimuth, row)!r} and the angle {table.shown(column, row)!r}; a depth from 0, an "
            "azimuth of -360 to 360 and a possible dip are needed. Read with errors='skip' to leave such "
            "stations out.",
        )
    table.keep(good)
    table.notes.append(
        f"{int((~good).sum())} stations without a possible depth, azimuth or dip were left out."
    )
    return at[good], (towards[good], tilt[good])


def _intervals(reader: Reader, path: str | Path, holes: Mapping[str, _Collar]) -> _Rows:
    table = reader.open(path)
    hole, first, last = reader.need(table, ("hole", "from", "to"))
    ends = table.points([first, last], reader.errors)
    rows = reader.rows_of(table, hole, holes, f"table {stem_of(path)!r}")
    before = len(table.notes)
    numbers, texts, units = table.values([hole, first, last])
    names = [table.name(i) for i in range(len(table.header.names))]
    values = {name: {**numbers, **texts}[name] for name in names if name in numbers or name in texts}
    notes = [f"table {stem_of(path)!r}: {note}" for note in table.notes[before:]]
    reader.shared += table.notes[:before]
    return _Rows(rows, ends[:, 0], ends[:, 1], values, units, tuple(notes))


def _well(
    reader: Reader,
    hole: _Collar,
    survey: Survey | None,
    tables: Mapping[str, _Rows],
    units: Mapping[str, str],
) -> Well:
    """Join what belongs to one hole."""
    found: dict[str, Intervals] = {}
    deepest = 0.0
    for name, table in tables.items():
        rows = table.by_hole.get(hole.name)
        if rows is not None:
            values = {column: v[rows] for column, v in table.values.items()}
            found[name] = Intervals(table.start[rows], table.stop[rows], values)
            deepest = max(deepest, float(found[name].stop.max()), float(found[name].start.max()))
    survey = _survey_or_collar(reader, hole, survey)
    end, said = _end(hole, survey, deepest)
    survey = survey.down_to(end)
    path = hole.place + minimum_curvature(survey.depth, survey.inclination, survey.azimuth)
    notes = [*reader.shared, *(note for name in found for note in tables[name].notes)]
    notes += [*reader.notes.get(hole.name, []), *said]
    for name, table_of in found.items():
        notes += _questions(name, table_of, float(survey.depth[-1]))
    angles = np.column_stack([survey.inclination, survey.azimuth])
    return Well(
        hole.name, hole.place, survey.depth, path, survey=angles, intervals=found, units=dict(units),
        kind="drillhole", notes=tuple(dict.fromkeys(notes)),
    )  # fmt: skip


def _survey_or_collar(reader: Reader, hole: _Collar, survey: Survey | None) -> Survey:
    """Stations from the collar down: of the survey, in the direction of the collar, or straight down."""
    if survey is not None:
        if survey.depth[0] > 0:
            reader.note(
                hole.name,
                f"the first station is at {survey.depth[0]:g} m; from the collar to it the hole was taken as "
                "straight in its direction.",
            )
        return survey.from_collar()
    azimuth, inclination = hole.azimuth, hole.inclination
    if not np.isnan(inclination) and (not np.isnan(azimuth) or inclination % 180 == 0):
        reader.note(
            hole.name, "the hole has no survey and was taken as straight in the direction of its collar."
        )
        return Survey(np.zeros(1), np.array([inclination]), np.array([np.nan_to_num(azimuth)]))
    reader.note(hole.name, "the hole has no survey and was taken as vertical.")
    return Survey(np.zeros(1), np.zeros(1), np.zeros(1))


def _end(hole: _Collar, survey: Survey, deepest: float) -> tuple[float, list[str]]:
    """Where the hole ends, in metres along it."""
    last = float(survey.depth[-1])
    if not hole.length > 0:
        end = max(last, deepest)
        return end, [f"the collar has no length, the hole was taken to end at {end:g} m, its deepest row."]
    if last > hole.length:
        return last, [f"the survey goes down to {last:g} m, beyond the end of the hole at {hole.length:g} m."]
    return float(hole.length), []


def _questions(name: str, table: Intervals, end: float) -> list[str]:
    """What is odd about the intervals of one hole; they are kept as they are."""
    start, stop = table.start, table.stop
    order = np.argsort(start, kind="stable")
    lapped = start[order][1:] < np.maximum.accumulate(stop[order])[:-1] - 1e-6
    odd = {
        "run backwards": (stop < start, None),
        "have no length": (stop == start, None),
        "lie above the collar": (np.minimum(start, stop) < 0, None),
        f"go beyond the end of the hole at {end:g} m": (np.maximum(start, stop) > end + 1e-6, None),
        "overlap the one before": (lapped, order[1:]),
    }
    notes = []
    for what, (where, rows) in odd.items():
        if where.any():
            row = int(np.argmax(where)) if rows is None else int(rows[np.argmax(where)])
            notes.append(
                f"table {name!r}: {int(where.sum())} intervals {what}, such as {start[row]:g} to "
                f"{stop[row]:g} m."
            )
    return notes
