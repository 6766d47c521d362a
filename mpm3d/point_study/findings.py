"""What should not be so in a table of points: codes, fills, copies, columns that do not fit."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mpm3d.nodata import sentinels

if TYPE_CHECKING:
    import pandas as pd

Mask = NDArray[np.bool_]

FILL_SHARE = 0.1
"""Share of the rows that one value takes from which it may be a fill."""

FEWEST_VALUES = 10
"""Different values from which a column is not one of classes."""

_NAMES = 4


def listed(names: Sequence[str], most: int = _NAMES) -> str:
    """Names in quotation marks, the first few of many.

    Examples
    --------
    >>> listed(["Cu", "Pb", "Zn"], 2)
    "'Cu', 'Pb' and 1 more"
    """
    shown = ", ".join(repr(name) for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def find_codes(table: pd.DataFrame, layers: Sequence[str]) -> dict[float, dict[str, int]]:
    """Numbers that stand for missing values.

    Parameters
    ----------
    table : DataFrame
        Rows of points.
    layers : sequence of str
        Columns to look at, of numbers.

    Returns
    -------
    dict of float to dict
        By code, the columns that hold it and in how many rows.
    """
    found: dict[float, dict[str, int]] = {}
    for name in layers:
        for code, times in sentinels(table[name].to_numpy(dtype=float, na_value=np.nan)):
            found.setdefault(code, {})[name] = times
    return found


def said_codes(codes: Mapping[float, Mapping[str, int]], what: str) -> list[str]:
    """A sentence on each code."""
    notes = []
    for code, columns in codes.items():
        counts = sorted(set(columns.values()))
        rows = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        notes.append(
            f"{what}: {code:g} stands in {rows} rows of {len(columns)} columns ({listed(list(columns))}), "
            "far from all other values. These values count as missing."
        )
    return notes


def find_fills(table: pd.DataFrame, layers: Sequence[str]) -> list[tuple[tuple[str, ...], Mask]]:
    """Columns that share one vector of values in the same rows, as a fill for missing values does.

    Parameters
    ----------
    table : DataFrame
        Rows of points.
    layers : sequence of str
        Columns to look at, of numbers; NaN is no value.

    Returns
    -------
    list of tuple
        Two or more columns, and the rows, at least a tenth of all, in which each of them has its most
        frequent value; no column of classes is among them.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"Cu": np.arange(30.0), "Pb": np.arange(30.0) ** 2, "As": np.arange(30.0)})
    >>> rows.loc[5:9, ["Cu", "Pb"]] = [7.5, 3.5]
    >>> [(names, int(where.sum())) for names, where in find_fills(rows, list(rows))]
    [(('Cu', 'Pb'), 5)]
    """
    by_rows: dict[bytes, tuple[list[str], Mask]] = {}
    for name in layers:
        values = table[name].to_numpy(dtype=float, na_value=np.nan)
        different, counts = np.unique(values[~np.isnan(values)], return_counts=True)
        if len(different) < FEWEST_VALUES or counts.max() < max(2, FILL_SHARE * len(values)):
            continue
        where = values == different[np.argmax(counts)]
        by_rows.setdefault(where.tobytes(), ([], where))[0].append(name)
    return [(tuple(names), where) for names, where in by_rows.values() if len(names) > 1]


def said_fill(names: Sequence[str], where: Mask, what: str, done: str) -> str:
    """The sentence on one fill."""
    n = int(where.sum())
    return (
        f"{what}: {n} of {len(where)} rows ({n / len(where):.0%}) share one vector of values in {len(names)} "
        f"columns ({listed(list(names))}), as a fill for missing values does. {done}"
    )


def copies_of_labelled(table: pd.DataFrame, layers: Sequence[str], xy: Sequence[str], ore: Mask) -> Mask:
    """Unlabelled rows with the place or all layer values of a labelled one: known ore called unknown.

    Parameters
    ----------
    table : DataFrame
        Rows of points.
    layers, xy : sequence of str
        Columns of evidence, and of the place.
    ore : bool array of shape (row,)
        Which rows are labelled.

    Returns
    -------
    bool array of shape (row,)
    """
    found = np.zeros(len(table), dtype=bool)
    for names in (list(layers), list(xy)):
        values = table[names].to_numpy(dtype=float, na_value=np.nan)
        rows = [row.tobytes() for row in values + 0.0]  # no negative zero
        known = {row for row, is_ore in zip(rows, ore, strict=True) if is_ore}
        found |= np.array([row in known for row in rows])
    return found & ~ore


def fit_columns(wanted: Sequence[str], have: Sequence[str]) -> dict[str, str]:
    """Columns of another table that mean those of the first, where their names differ a little.

    A name is the same, or the same but for case and signs, or the one that is most alike among those that
    are left over on both sides.

    Parameters
    ----------
    wanted, have : sequence of str
        Names of the first table, and of the other.

    Returns
    -------
    dict of str to str
        By wanted name, the one there; those for which there is none are left out.

    Examples
    --------
    >>> fit_columns(["Cu", "Felsic_Granite", "Fault"], ["Felsic_granite", "Cu", "Faults"])
    {'Cu': 'Cu', 'Felsic_Granite': 'Felsic_granite', 'Fault': 'Faults'}
    """
    found = {name: name for name in wanted if name in have}
    for near in (_plain, None):
        left = [name for name in have if name not in found.values()]
        for name in wanted:
            if name in found:
                continue
            if near is not None:
                alike = [one for one in left if near(one) == near(name)]
            else:
                alike = difflib.get_close_matches(name, left, n=2, cutoff=0.9)
            if len(alike) == 1:
                found[name] = alike[0]
                left.remove(alike[0])
    return {name: found[name] for name in wanted if name in found}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def scaled_apart(table: pd.DataFrame, other: pd.DataFrame, layers: Sequence[str]) -> list[str]:
    """Columns that run exactly from 0 to 1 in both tables, so that each was scaled by itself.

    Parameters
    ----------
    table, other : DataFrame
        Rows of points, with missing values as NaN.
    layers : sequence of str
        Columns of both.
    """

    def spans(rows: pd.DataFrame, name: str) -> bool:
        values = rows[name].to_numpy(dtype=float, na_value=np.nan)
        known = values[~np.isnan(values)]
        if len(np.unique(known)) < FEWEST_VALUES:
            return False
        return bool(np.allclose([known.min(), known.max()], [0, 1], rtol=0, atol=1e-9))

    return [name for name in layers if spans(table, name) and spans(other, name)]
