"""Samples from a table: points, drillhole intervals or blocks with their evidence in columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.grid import Float3, FloatArray
from mpm3d.nodata import sentinels
from mpm3d.samples import BACKGROUND, DEPOSIT, Samples

if TYPE_CHECKING:
    import pandas as pd

LARGE = 0.1
"""Share of the rows with one and the same vector of values from which it is worth a word."""

Label = str | tuple[str, float]


def from_table(
    table: pd.DataFrame,
    *,
    layers: Sequence[str],
    label: Label,
    xyz: Sequence[str] = ("x", "y", "z"),
    group: str | None = None,
    spacing: Float3 | None = None,
    missing: Sequence[float] | None = None,
) -> Samples:
    """Make a sample of each row of a table, with patches of one cell.

    Parameters
    ----------
    table : DataFrame
        A row for each point, interval or block.
    layers : sequence of str
        Columns of evidence, numbers in their own units; empty cells are missing values.
    label : str or tuple of str and float
        A column of 1 (ore) and 0, or a rule: ``("Au", 0.741)`` takes rows with Au of at least 0.741 for
        ore. The column cannot be evidence at the same time.
    xyz : sequence of str
        Columns of x, y and elevation in metres; without the third, all elevations are 0.
    group : str, optional
        Column that names the deposit of each ore row; one group of all by default.
    spacing : tuple of float, optional
        Size of the blocks along z, y, x in metres. Without it, only rows at the same place share a cell.
    missing : sequence of float, optional
        Numbers that stand for missing values, such as ``[-9999]``. Any other number is taken as it is.
        If this is not given, a table with numbers that look like such codes is refused.

    Returns
    -------
    Samples
        In the order of the table. Ore has the source ``"deposit"``, the rest ``"background"``; notes say
        what is doubtful about the table.

    Raises
    ------
    ValueError
        If a column is not there, is not of numbers or holds codes for missing values, a place is not known,
        or there is only one class.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"x": [0, 5], "y": [0, 0], "z": [9, 9], "Au": [0.1, 2.0], "Cu": [30, 80]})
    >>> found = from_table(rows, layers=["Cu"], label=("Au", 0.741))
    >>> found.label.tolist(), found.patches.shape
    ([0, 1], (2, 1, 1, 1, 1))
    """
    ruled, limit = (label, None) if isinstance(label, str) else label
    _check_columns(table, layers, ruled, xyz, group)
    columns = {name: _numbers(table, name) for name in (*layers, ruled)}
    columns = _without_codes(columns, missing)
    ore, known = _ore(columns.pop(ruled), ruled, limit)
    evidence, notes = _stacked(columns)
    if not known.all():
        notes.append(f"{int((~known).sum())} of {len(known)} rows have no {ruled!r} and are left out.")
    evidence, ore = evidence[known], ore[known]
    names = _groups(table[known], ore, group)
    places = _places(table[known], xyz)
    notes += _said(evidence, places, layers, xyz)
    return Samples(
        patches=evidence.astype(np.float32)[:, :, None, None, None],
        label=ore.astype(np.int8),
        group=names,
        xyz=places,
        source=np.where(ore, DEPOSIT, BACKGROUND),
        layers=tuple(layers),
        spacing=spacing,
        notes=tuple(notes),
    )


def _check_columns(
    table: pd.DataFrame, layers: Sequence[str], ruled: str, xyz: Sequence[str], group: str | None
) -> None:
    if not layers:
        raise ValueError("no layer is named, so there is nothing to learn from. Name some columns.")
    if len(xyz) not in (2, 3):
        raise ValueError(f"xyz names {len(xyz)} columns, two (x, y) or three (x, y, elevation) are needed.")
    wanted = [*layers, ruled, *xyz, *([] if group is None else [group])]
    lacking = [name for name in wanted if name not in table.columns]
    if lacking:
        raise ValueError(
            f"the table lacks the columns {_list(dict.fromkeys(lacking))}, it has {_list(table.columns)}."
        )
    twice = [name for name in dict.fromkeys(wanted) if list(table.columns).count(name) > 1]
    twice += [name for name in dict.fromkeys(layers) if list(layers).count(name) > 1]
    if twice:
        raise ValueError(f"the columns {_list(twice)} are there, or named as layers, more than once.")
    if ruled in layers:
        raise ValueError(
            f"{ruled!r} is a layer and says what ore is at once, so a model would read off the answer. Take "
            "it out of the layers."
        )
    words = [
        f"{name!r} ({_example(table[name])})" for name in (*layers, ruled, *xyz) if _is_text(table[name])
    ]
    if words:
        raise ValueError(
            f"the columns {', '.join(words)} hold words, numbers are needed. Leave them out, or make a "
            "column of 0 and 1 of each class that matters."
        )


def _list(names: Any) -> str:
    return ", ".join(repr(name) for name in names)


def _is_text(column: pd.Series) -> bool:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if is_numeric_dtype(column) or is_bool_dtype(column):
        return False
    return not all(isinstance(value, (bool, int, float, np.number)) for value in column.dropna())


def _example(column: pd.Series) -> str:
    return ", ".join(repr(str(value)) for value in column.dropna().unique()[:3])


def _numbers(table: pd.DataFrame, name: str) -> FloatArray:
    values = table[name].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    wild = np.isinf(values) | (np.abs(values) > np.finfo(np.float32).max)
    if wild.any():
        raise ValueError(
            f"column {name!r} holds {int(wild.sum())} infinite or huge values, the first in row "
            f"{int(np.argmax(wild))}. Leave such cells empty."
        )
    return np.asarray(values)


def _without_codes(columns: dict[str, FloatArray], missing: Sequence[float] | None) -> dict[str, FloatArray]:
    """The columns with NaN for the codes of missing values, which are refused if none were given."""
    if missing is not None:
        codes = np.asarray(missing, dtype=np.float64)
        return {name: np.where(np.isin(values, codes), np.nan, values) for name, values in columns.items()}
    found = [(name, *code) for name, values in columns.items() for code in sentinels(values)]
    if not found:
        return columns
    said = ", ".join(f"{code:g} in {times} rows of {name!r}" for name, code, times in found)
    listed = ", ".join(f"{code:g}" for code in dict.fromkeys(code for _, code, _ in found))
    raise ValueError(
        f"the table holds {said}, far from all other values, which seems to mean that nothing was measured. "
        f"Say so with missing=[{listed}], or missing=[] if these are measurements."
    )


def _stacked(columns: dict[str, FloatArray]) -> tuple[FloatArray, list[str]]:
    """Evidence of shape (row, layer), and a sentence on what is missing of it."""
    evidence = np.column_stack(list(columns.values()))
    gone = np.isnan(evidence).sum(axis=0)
    empty = [name for name, k in zip(columns, gone, strict=True) if k == len(evidence)]
    if empty:
        raise ValueError(f"the columns {_list(empty)} have no value in any row. Leave them out.")
    lost = [f"{name!r} in {k}" for name, k in zip(columns, gone, strict=True) if k]
    return evidence, [f"values are missing of {', '.join(lost)} of {len(evidence)} rows."] if lost else []


def _ore(values: FloatArray, name: str, limit: float | None) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows are ore, and of which rows that is known."""
    known = ~np.isnan(values)
    if limit is None and not np.isin(values[known], (0, 1)).all():
        strange = np.setdiff1d(values[known], (0, 1))[:3]
        raise ValueError(
            f"column {name!r} holds {', '.join(f'{value:g}' for value in strange)}, a label is 0 or 1. Give "
            f"a limit if it is a grade: label=({name!r}, limit)."
        )
    with np.errstate(invalid="ignore"):
        ore = values >= (1 if limit is None else limit)
    n = int(ore.sum())
    if n in (0, int(known.sum())):
        rule = "1" if limit is None else f"at least {limit:g}"
        raise ValueError(
            f"{n} of {int(known.sum())} rows have {name!r} of {rule}, so there is only one class to learn. "
            "Check the column or the limit."
        )
    return ore, known


def _groups(table: pd.DataFrame, ore: NDArray[np.bool_], group: str | None) -> NDArray[np.str_]:
    if group is None:
        return np.where(ore, "ore", "")
    column = table[group]
    names = np.where(column.isna(), "", column.astype(str))
    nameless = int((ore & (names == "")).sum())
    if nameless:
        raise ValueError(
            f"{nameless} of {int(ore.sum())} ore rows have no {group!r}. Name their deposit, or leave such "
            "rows out."
        )
    return np.where(ore, names, "").astype(str)


def _places(table: pd.DataFrame, xyz: Sequence[str]) -> FloatArray:
    columns = [_numbers(table, name) for name in xyz]
    places = np.column_stack([*columns, np.zeros(len(table))][:3])
    nowhere = int(np.isnan(places).any(axis=1).sum())
    if nowhere:
        raise ValueError(f"{nowhere} of {len(table)} rows lack {_list(xyz)}. Leave such rows out.")
    return places


def _said(evidence: FloatArray, places: FloatArray, layers: Sequence[str], xyz: Sequence[str]) -> list[str]:
    """Sentences on what is doubtful."""
    n, notes = len(evidence), []
    repeated = n - len(np.unique(places, axis=0))
    if repeated:
        notes.append(f"{repeated} of {n} rows lie at the same place as an earlier one.")
    # nothing equals NaN
    vectors, counts = np.unique(np.where(np.isnan(evidence), np.inf, evidence), axis=0, return_counts=True)
    most = int(np.argmax(counts))
    if counts[most] > 1 and counts[most] >= LARGE * n:
        shown = [
            f"{name} = {value:g}" if np.isfinite(value) else f"no {name}"
            for name, value in zip(layers, vectors[most], strict=True)
        ]
        more = f" and {len(shown) - 4} more" if len(shown) > 4 else ""
        notes.append(
            f"{counts[most]} of {n} rows ({counts[most] / n:.0%}) share one vector of layer values "
            f"({', '.join(shown[:4])}{more}), as a fill for missing values would."
        )
    place = [name for name in layers if name in xyz]
    if place:
        notes.append(f"the layers {_list(place)} are coordinates, by which a model can remember places.")
    return notes
