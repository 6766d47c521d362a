"""Tables of points, line segments and blocks, such as samples, drillhole intervals and block models."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.geometry import Body, Lines, Points
from mpm3d.io.blocks_table import AXES, blocks_or_why, read_blocks
from mpm3d.io.files import head_text, stem_of
from mpm3d.io.options import Options
from mpm3d.io.tables.columns import PROJECT, Table, read_table
from mpm3d.io.tables.headers import (
    GEOGRAPHIC,
    HOLE,
    Header,
    first_rows,
    holes_without_place,
    kind_of_hole_table,
    some,
    without_names,
)
from mpm3d.io.tables.write import write_blocks, write_intervals, write_points

__all__ = [
    "matches", "read_blocks", "read_bodies", "read_points", "read_segments", "write_blocks",
    "write_intervals", "write_points",
]  # fmt: skip
_ENDS = ("x_from", "y_from", "z_from", "x_to", "y_to", "z_to")


def matches(path: Path, head: bytes) -> bool:
    """Whether a file begins with the header of a table of points, segments, blocks or drillholes."""
    header, _ = first_rows(head)
    if header is None:
        return without_names(path, head_text(head)) is not None
    return bool(
        (header.find(AXES[0]) and header.find(AXES[1])) or _segments(header) or kind_of_hole_table(header)
    )


def read_bodies(path: Path, options: Options) -> list[Body]:
    """Read a table as what its columns say it is; the notes tell why.

    Columns are found by their usual names in any case and order. ``x_from`` to ``z_to`` make segments.
    Centres with positive sizes make a block model, and so do centres alone that lie on a lattice (see
    `blocks_table.blocks_or_why`), if there is no column of holes. Everything else makes points.

    Raises
    ------
    FormatError
        If there are no coordinates in space: maps, and surveys or intervals of drillholes without collars.
    """
    table = read_table(path)
    if _segments(table.header):
        return [_as_segments(table, options.errors)]
    columns = _xyz(table)
    blocks, why = blocks_or_why(table, columns, options.errors)
    if blocks is not None:
        return [blocks]
    points = _as_points(table, columns, options.errors)
    return [points.noted(why, *_collar_note(table))]


def read_points(path: str | Path, *, errors: str = "strict") -> Points:
    """Read points from a table.

    Parameters
    ----------
    path : str or Path
        Table with a header. Its columns x, y and z are found by their usual names (``x``, ``EAST``,
        ``Easting``, ``RL``, ``elevation``) in any case and order, in metres or the unit in the header.
        They are separated by commas, semicolons, tabs or blanks. It may be gzipped.
    errors : {"strict", "skip"}
        ``"skip"`` leaves out rows without finite coordinates and notes it.

    Returns
    -------
    Points
        Other columns of numbers are properties, NaN where empty; the notes name columns of text.

    Raises
    ------
    FormatError
        If a column is missing or a coordinate is not a finite number.
    """
    Options(errors=errors)  # refuses what is no choice
    table = read_table(path)
    return _as_points(table, _xyz(table), errors)


def read_segments(path: str | Path, *, errors: str = "strict") -> Lines:
    """Read straight segments, such as the intervals of drillholes, from a table.

    Parameters
    ----------
    path : str or Path
        Table with a header; the columns ``x_from, y_from, z_from, x_to, y_to, z_to`` in any case and order,
        in metres. As in `read_points` otherwise.
    errors : {"strict", "skip"}
        ``"skip"`` leaves out rows without finite coordinates and notes it.

    Returns
    -------
    Lines
        Each row is a part of its own; its values are at both ends.

    Raises
    ------
    FormatError
        If a column is missing or a coordinate is not a finite number.
    """
    Options(errors=errors)
    return _as_segments(read_table(path), errors)


def _as_points(table: Table, columns: list[int], errors: str) -> Points:
    xyz = table.points(columns, errors)
    numbers, texts, units = table.values(columns)
    return Points(
        stem_of(table.path), xyz, properties=numbers, kind="points table",
        units={name: unit for name, unit in units.items() if name in numbers},
        notes=(*table.notes, *_text_note(list(texts))),
    )  # fmt: skip


def _as_segments(table: Table, errors: str) -> Lines:
    found = [table.header.first(_end_keys(end)) for end in _ENDS]
    columns = [column for column in found if column is not None]
    if len(columns) < len(_ENDS):
        raise _lacking(table, [end for end, c in zip(_ENDS, found, strict=True) if c is None], _ENDS)
    ends = table.points(columns, errors).reshape(-1, 3)  # row 2 i starts segment i, row 2 i + 1 ends it
    numbers, texts, units = table.values(columns)
    segments = np.arange(len(ends), dtype=np.int64).reshape(-1, 2)
    return Lines(
        stem_of(table.path), ends, segments, np.arange(len(segments)),
        properties={name: np.repeat(value, 2) for name, value in numbers.items()}, kind="intervals table",
        units={name: unit for name, unit in units.items() if name in numbers},
        notes=(*table.notes, *_text_note(list(texts))),
    )  # fmt: skip


def _text_note(names: list[str]) -> tuple[str, ...]:
    return (f"columns of text were not read: {some(names, 20)}.",) if names else ()


def _end_keys(end: str) -> tuple[str, str]:
    """``x_from`` is written as ``from_x`` too."""
    axis, side = end.split("_")
    return axis + side, side + axis


def _segments(header: Header) -> bool:
    return all(header.find(_end_keys(end)) for end in _ENDS[:3])


def _xyz(table: Table) -> list[int]:
    """Columns of x, y and z, or an error that says what the table is instead."""
    header = table.header
    found = [header.find(keys) for keys in AXES]
    if all(found):
        others = [table.name(i) for axis in found for i in axis[1:]]
        if others:
            used = ", ".join(table.name(axis[0]) for axis in found)
            table.notes.append(
                f"coordinates were read from {used}; {some(others)} look like some too and became values."
            )
        return [axis[0] for axis in found]
    kind = kind_of_hole_table(header)
    if kind:
        raise FormatError(table.path, holes_without_place(kind))
    if found[0] and found[1]:
        deep = " A column of depths is no elevation." if header.find(("depth",)) else ""
        raise FormatError(
            table.path,
            f"there are x and y ({table.name(found[0][0])}, {table.name(found[1][0])}) but the column 'z' is "
            f"missing, so this is a map and no body in space.{deep} Add a column z, RL or elevation.",
            header.line + 1,
        )
    if header.find(GEOGRAPHIC[:3]) and header.find(GEOGRAPHIC[3:]):
        raise FormatError(table.path, f"the places are longitudes and latitudes. {PROJECT}", header.line + 1)
    raise _lacking(table, [axis for axis, columns in zip("xyz", found, strict=True) if not columns], "xyz")


def _lacking(table: Table, missing: list[str], needed: tuple[str, ...] | str) -> FormatError:
    names = table.header.names
    return FormatError(
        table.path,
        f"the columns {', '.join(map(repr, missing))} are missing, {', '.join(needed)} are needed. There "
        f"are: {some(names, 20)}.",
        table.header.line + 1,
    )


def _collar_note(table: Table) -> list[str]:
    """A hint, if each hole has one row."""
    column = table.header.first(HOLE)
    if column is None or not len(table):
        return []
    holes = table.texts(column)
    if len(np.unique(holes.astype(object))) < len(holes):
        return []
    return [
        f"each {table.name(column)} has one row, so these may be collars: "
        "io.drillholes.read_drillholes(collar, survey, intervals) makes holes of them."
    ]
