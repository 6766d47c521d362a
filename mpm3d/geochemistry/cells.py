"""Cells of text made into numbers: censored values, words for nothing, codes for nothing."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mpm3d.errors import FormatError
from mpm3d.io.files import read_text

# no value at all, or below a limit that is not given
_NOTHING = {"", "-", "--", "?", "*", "na", "n.a.", "n/a", "#n/a", "nan", "null", "none", "nr", "lnr", "ns",
            "nss", "is", "i.s.", "i/s", "not analysed", "not analyzed", "missing", "inf", "-inf"}  # fmt: skip
_BELOW = {
    "bdl",
    "b.d.l.",
    "bd",
    "nd",
    "n.d.",
    "n/d",
    "not detected",
    "lld",
    "<lod",
    "<dl",
    "<lld",
    "tr",
    "trace",
}
_CENSORED = re.compile(r"\s*(<=?|≤|>=?|≥)\s*(\S+)\s*")


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of one column.

    Parameters
    ----------
    values : array of float, shape (rows,)
        NaN where there is no number; a censored value is replaced.
    censored : array of int8, shape (rows,)
        -1 below a limit, 1 above one, 0 elsewhere.
    unlimited : int
        Cells that say "not detected" without a limit.
    strange : Counter
        Words that are neither, and how often each occurs.
    """

    values: NDArray[np.float64]
    censored: NDArray[np.int8]
    unlimited: int
    strange: Counter[str]

    @property
    def share_understood(self) -> float:
        """Share of the cells with content that are numbers, censored, or words for nothing found."""
        strange = self.strange.total()
        understood = int(np.isfinite(self.values).sum()) + self.unlimited
        return understood / (understood + strange) if understood + strange else 1.0


def read_cells(path: str | Path) -> pd.DataFrame:
    """Table of text from a file with commas, semicolons, tabs or bars, names in its first row.

    Returns
    -------
    DataFrame of str
        Column names as they are in the file, repeated ones too.

    Raises
    ------
    FormatError
        If the file is empty, has one column, has no rows, or a row has another number of cells.
    """
    text = read_text(path)
    head = text.lstrip("\n").partition("\n")[0]
    separator = max(",;\t|", key=head.count)
    if not head.count(separator):
        raise FormatError(
            path, f"the first row {head[:60]!r} has one column, a table of assays needs several."
        )
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator)
    rows: list[list[str]] = []
    for row in reader:
        if any(cell.strip() for cell in row):
            if rows and len(row) != len(rows[0]):
                reason = f"this row has {len(row)} cells, the first one {len(rows[0])}. "
                raise FormatError(path, reason + "The file may be truncated.", reader.line_num)
            rows.append(row)
    if len(rows) < 2:
        raise FormatError(
            path, "there are no rows below the names of the columns. The file may be truncated."
        )
    table = pd.DataFrame(rows[1:], columns=[name.strip() for name in rows[0]], dtype=object)
    return _with_points(table) if separator == ";" else table


def to_numbers(column: pd.Series, *, below: float = 0.75, above: float = 1.333) -> Cells:
    """Numbers of a column of text or numbers.

    A value ``<x`` becomes ``below * x`` and ``>x`` becomes ``above * x``, as is usual where a replacement
    must be positive and on the right side of the limit.

    Parameters
    ----------
    column : Series
        Text, or numbers that stay as they are (infinite ones become NaN).
    below, above : float
        Factors of censored values.

    Examples
    --------
    >>> cells = to_numbers(pd.Series(["<4", "12.5", ">100", "BDL", "", "see note"]))
    >>> cells.values, cells.censored, cells.unlimited, dict(cells.strange)
    (array([  3. ,  12.5, 133.3,   nan,   nan,   nan]), array([-1,  0,  1,  0,  0,  0], dtype=int8), 1,
     {'see note': 1})
    """
    censored = np.zeros(len(column), np.int8)
    if pd.api.types.is_numeric_dtype(column):
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
        numbers[~np.isfinite(numbers)] = np.nan
        return Cells(numbers, censored, 0, Counter())
    words = column.fillna("").astype(str).str.strip()
    values = np.array(pd.to_numeric(words, errors="coerce"), dtype=np.float64)
    values[~np.isfinite(values)] = np.nan
    unlimited, strange = 0, Counter[str]()
    for row in np.flatnonzero(np.isnan(values)):
        word = str(words.iloc[row])
        sign, number = _limit(word)
        if sign:
            censored[row], values[row] = sign, (below if sign < 0 else above) * number
        elif word.lower() in _BELOW:
            unlimited += 1
        elif word.lower() not in _NOTHING:
            strange[word] += 1
    return Cells(values, censored, unlimited, strange)


def _limit(word: str) -> tuple[int, float]:
    """Side and limit of a censored value, side 0 if the word is none."""
    parts = _CENSORED.fullmatch(word)
    try:
        limit = float(parts[2]) if parts else 0.0
    except ValueError:
        return 0, 0.0
    if not parts or not np.isfinite(limit) or limit <= 0:
        return 0, 0.0
    return (-1 if parts[1][0] in "<≤" else 1), limit


def _with_points(table: pd.DataFrame) -> pd.DataFrame:
    """Decimal commas, which go with semicolons between the cells, made into points."""
    pattern = re.compile(r"(\s*[<>≤≥]?=?\s*[+-]?\d*),(\d+(?:[eE][+-]?\d+)?\s*)")

    def pointed(cell: str) -> str:
        return pattern.sub(r"\1.\2", cell) if pattern.fullmatch(cell) else cell

    columns = [table.iloc[:, number].map(pointed) for number in range(table.shape[1])]
    made = pd.concat(columns, axis=1)
    made.columns = table.columns
    return made
