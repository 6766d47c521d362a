"""Tables of points and of line segments, such as drillholes and deposit outlines."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.geometry import Lines, Points
from mpm3d.grid import FloatArray
from mpm3d.io.files import read_text, stem_of

if TYPE_CHECKING:
    import pandas as pd

_ENDS = ("x_from", "y_from", "z_from", "x_to", "y_to", "z_to")


def read_points(path: str | Path) -> Points:
    """Read points from a CSV table.

    Parameters
    ----------
    path : str or Path
        Table with a header; the columns ``x, y, z`` (or ``elevation``) in any case and order, in metres.
        Columns are separated by commas, semicolons or tabs. It may be gzipped.

    Returns
    -------
    Points
        Other columns of numbers are properties, NaN where empty; the notes name columns of text.

    Raises
    ------
    FormatError
        If a column is missing or a coordinate is not a finite number.
    """
    table = _read(path)
    columns = {name: name for name in "xyz"}
    if "z" not in table.columns and "elevation" in table.columns:
        columns["z"] = "elevation"
    xyz = _coordinates(path, table, tuple(columns.values()))
    properties, notes = _properties(table, set(columns.values()))
    return Points(stem_of(path), xyz, properties=properties, kind="points table", notes=notes)


def read_segments(path: str | Path) -> Lines:
    """Read straight segments, such as the intervals of drillholes, from a CSV table.

    Parameters
    ----------
    path : str or Path
        Table with a header; the columns ``x_from, y_from, z_from, x_to, y_to, z_to`` in any case and order,
        in metres. As in `read_points` otherwise.

    Returns
    -------
    Lines
        Each row is a part of its own; its values are at both ends.

    Raises
    ------
    FormatError
        If a column is missing or a coordinate is not a finite number.
    """
    table = _read(path)
    ends = _coordinates(path, table, _ENDS).reshape(-1, 3)  # row 2 i starts segment i, row 2 i + 1 ends it
    values, notes = _properties(table, set(_ENDS))
    segments = np.arange(len(ends), dtype=np.int64).reshape(-1, 2)
    properties = {name: np.repeat(value, 2) for name, value in values.items()}
    return Lines(
        stem_of(path),
        ends,
        segments,
        np.arange(len(segments)),
        properties=properties,
        kind="intervals table",
        notes=notes,
    )


def _read(path: str | Path) -> pd.DataFrame:
    """Table with column names in lower case without blanks around them."""
    import pandas as pd

    text = read_text(path)
    head = text.split("\n", 1)[0]
    separator = max(",;\t", key=head.count)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                io.StringIO(text), sep=separator, skipinitialspace=True, index_col=False, low_memory=False
            )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, pd.errors.ParserWarning) as error:
        raise FormatError(path, f"this is not a table with a header ({error}).") from error
    names = [str(name).strip() for name in table.columns]
    known = {*_ENDS, "x", "y", "z", "elevation"}
    return table.set_axis([n.lower() if n.lower() in known else n for n in names], axis=1)


def _coordinates(path: str | Path, table: pd.DataFrame, columns: Sequence[str]) -> FloatArray:
    import pandas as pd

    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise FormatError(
            path,
            f"the columns {', '.join(map(repr, missing))} are missing, {', '.join(columns)} are needed. "
            f"There are: {', '.join(map(str, table.columns[:20]))}.",
            1,
        )
    twice = [name for name in columns if list(table.columns).count(name) > 1]
    if twice:
        raise FormatError(path, f"the column {twice[0]!r} appears more than once.", 1)
    values = table[list(columns)].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
    bad = ~np.isfinite(values)
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        found = str(table[columns[column]].iloc[row])[:40]
        raise FormatError(path, f"{columns[column]} is {found!r}, a finite number is needed.", row + 2)
    return np.asarray(values)


def _properties(table: pd.DataFrame, taken: set[str]) -> tuple[dict[str, FloatArray], tuple[str, ...]]:
    properties, text = {}, []
    for name in table.columns:
        if name in taken:
            continue
        column = table[name]
        if column.ndim == 1 and column.dtype.kind in "fiub":
            properties[str(name)] = column.to_numpy(dtype=float)
        else:
            text.append(str(name))
    notes = (f"columns of text were not read: {', '.join(text)}.",) if text else ()
    return properties, notes
