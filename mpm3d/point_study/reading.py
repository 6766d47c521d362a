"""From a table of points to samples: what is missing, filled or copied is found, dealt with and said."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.grid import FloatArray
from mpm3d.point_samples import from_table
from mpm3d.point_study import findings
from mpm3d.point_study.findings import listed
from mpm3d.point_study.places import to_metres
from mpm3d.samples import Samples
from mpm3d.study import PointTable

if TYPE_CHECKING:
    import pandas as pd

_DONE = {
    "keep": (
        "They are kept as they are, and a model may learn the fill; shared = 'missing' counts these values "
        "as missing, shared = 'drop' leaves out such rows."
    ),
    "missing": "These values count as missing (shared = 'missing').",
    "drop": "Such rows are left out if they have no label (shared = 'drop').",
}


@dataclass(frozen=True, eq=False)
class Points:
    """A table of points that has been read.

    Parameters
    ----------
    samples : Samples
        The rows that are used, places in metres.
    rows : array of int
        Which rows of the file they are, from 1 after the header.
    codes : tuple of float
        Numbers that counted as missing.
    evidence : DataFrame
        The layers of these rows, missing values as NaN.
    """

    samples: Samples
    rows: NDArray[np.int64]
    codes: tuple[float, ...]
    evidence: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Others:
    """A second table, whose rows are only scored.

    Parameters
    ----------
    patches : float32 array of shape (row, layer, 1, 1, 1)
        Its evidence, in the order of the layers; NaN where missing.
    xy : float64 array of shape (row, 2) or None
        Places in metres, None if it has none.
    notes : tuple of str
        What was found.
    """

    patches: NDArray[np.float32]
    xy: FloatArray | None
    notes: tuple[str, ...]


def read_points(table: pd.DataFrame, rules: PointTable, *, name: str) -> Points:
    """Make samples of the rows of a table.

    Parameters
    ----------
    table : DataFrame
        As it is in the file.
    rules : PointTable
        Which column is what.
    name : str
        The file, for sentences.

    Returns
    -------
    Points
        Labelled rows are deposits called by ``group``, or ``row 12`` by their number in the file; notes of
        the samples say what was found and done.

    Raises
    ------
    ValueError
        If a column is not there or not of numbers, places or labels cannot be, or there is one class only.
    """
    notes: list[str] = []
    layers = _layers_of(table, rules, notes)
    _check_numbers(table, [rules.x, rules.y, rules.label, *layers])
    numbers = np.arange(1, len(table) + 1)
    table, codes = _without_codes(table, layers, rules, name, notes)
    table, numbers = _without_fills(table, numbers, (layers, rules, name), notes)
    ore = table[rules.label].to_numpy(dtype=float, na_value=0.0) == 1
    copies = findings.copies_of_labelled(table, layers, [rules.x, rules.y], ore)
    if copies.any():
        which = ", ".join(map(str, numbers[copies][:6])) + (" and more" if copies.sum() > 6 else "")
        notes.append(
            f"{name}: {int(copies.sum())} rows without a label have the place or all values of a labelled "
            f"row (rows {which}), so known ore is among the unlabelled. They are left out."
        )
        table, numbers, ore = table[~copies], numbers[~copies], ore[~copies]
    found = _samples(table, numbers, ore, layers, rules, name)
    notes += found.notes
    return Points(replace(found, notes=tuple(notes)), numbers, codes, table[layers].reset_index(drop=True))


def _layers_of(table: pd.DataFrame, rules: PointTable, notes: list[str]) -> list[str]:
    from pandas.api.types import is_numeric_dtype

    if rules.layers != "rest":
        return list(rules.layers)
    others = {rules.x, rules.y, rules.label, rules.group}
    rest = [str(name) for name in table.columns if name not in others]
    words = [name for name in rest if not is_numeric_dtype(table[name])]
    empty = [name for name in rest if name not in words and table[name].isna().all()]
    if words:
        notes.append(f"the columns {listed(words)} hold words and are no layers.")
    if empty:
        notes.append(f"the columns {listed(empty)} have no value in any row and are no layers.")
    return [name for name in rest if name not in (*words, *empty)]


def _check_numbers(table: pd.DataFrame, names: list[str]) -> None:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    lacking = [name for name in dict.fromkeys(names) if name not in table.columns]
    if lacking:
        raise ValueError(
            f"the table lacks the columns {listed(lacking)}, it has "
            f"{listed([str(name) for name in table.columns], 12)}."
        )
    words = [n for n in names if not (is_numeric_dtype(table[n]) or is_bool_dtype(table[n]))]
    if words:
        raise ValueError(
            f"the columns {listed(words)} hold words, numbers are needed. Leave them out of the layers, or "
            "name other columns."
        )


def _without_codes(
    table: pd.DataFrame, layers: list[str], rules: PointTable, name: str, notes: list[str]
) -> tuple[pd.DataFrame, tuple[float, ...]]:
    """The table with NaN for codes of missing values, found or declared."""
    if rules.missing == "auto":
        found = findings.find_codes(table, layers)
        notes += findings.said_codes(found, name)
        codes = tuple(found)
    else:
        codes = tuple(rules.missing)
    if not codes:
        return table, codes
    values = table[layers].astype(float)
    return table.assign(**{n: values[n].where(~values[n].isin(codes)) for n in layers}), codes


def _without_fills(
    table: pd.DataFrame, numbers: NDArray[np.int64], what: tuple[list[str], PointTable, str], notes: list[str]
) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """The table with rows that share one vector of values dealt with as the study says."""
    layers, rules, name = what
    gone = np.zeros(len(table), dtype=bool)
    for names, where in findings.find_fills(table, layers):
        ore = table[rules.label].to_numpy(dtype=float, na_value=0.0) == 1
        done = _DONE[rules.shared]
        if n := int((where & ore).sum()):
            done += f" {n} of them {'is' if n == 1 else 'are'} labelled."
        notes.append(findings.said_fill(names, where, name, done))
        if rules.shared == "missing":
            table = table.assign(**{n: table[n].where(~where) for n in names})
        elif rules.shared == "drop":
            gone |= where & ~ore
    return table[~gone], numbers[~gone]


def _samples(
    table: pd.DataFrame, numbers: NDArray[np.int64], ore: NDArray[np.bool_], layers: list[str],
    rules: PointTable, name: str,
) -> Samples:  # fmt: skip
    places = table[[rules.x, rules.y]].to_numpy(dtype=float, na_value=np.nan)
    _check_rows(table, places, rules, name)
    xy, said = to_metres(places, rules.crs, name)
    bare = int(table[rules.label].isna().sum())
    if bare:
        said += [f"{name}: {bare} rows have no {rules.label!r} and count as rows without a label."]
    names: Any = table[rules.group] if rules.group else _names(numbers, ore, xy, name, said)
    placed = table[layers].assign(
        **{"_x": xy[:, 0], "_y": xy[:, 1], "_group": names, "_label": table[rules.label].fillna(0)}
    )
    found = from_table(placed, layers=layers, label="_label", xyz=("_x", "_y"), group="_group", missing=[])
    n, m = int(ore.sum()), len(found.deposits)
    counted = f"{name}: {len(table)} rows, {n} labelled ({m} deposits), {len(layers)} layers."
    if m == 1:
        said += [f"{name}: one deposit is known, so none can be left out to see whether it is found again."]
    return replace(found, notes=(counted, *said, *found.notes))


def _check_rows(table: pd.DataFrame, places: FloatArray, rules: PointTable, name: str) -> None:
    """Refuse labels other than 0 and 1, one class alone, and rows without a place, by the user's columns."""
    label = table[rules.label].to_numpy(dtype=float, na_value=0.0)
    if strange := sorted({f"{one:g}" for one in label if one not in (0, 1) and not np.isnan(one)})[:3]:
        raise ValueError(
            f"the label {rules.label!r} of {name} holds {', '.join(strange)}, it must be 1 in rows of known "
            "deposits and 0 or nothing in the others."
        )
    if (label == 1).all() or not (label == 1).any():
        which = "every" if len(label) and (label == 1).all() else "no"
        raise ValueError(
            f"{which} row of {name} has {rules.label!r} = 1, so there is only one class to learn. Check the "
            "column."
        )
    if lost := int(np.isnan(places).any(axis=1).sum()):
        raise ValueError(
            f"{lost} of {len(table)} rows of {name} have no {rules.x!r} or {rules.y!r}. Leave such rows out."
        )


def _names(
    numbers: NDArray[np.int64], ore: NDArray[np.bool_], xy: FloatArray, name: str, said: list[str]
) -> list[str]:
    """Names of deposits by their rows; labelled rows of one place are one, or one would teach the other."""
    first: dict[tuple[float, ...], int] = {}
    named = list(map(int, numbers))
    for at in np.flatnonzero(ore):
        named[at] = first.setdefault(tuple(xy[at]), named[at])
    if more := int(ore.sum()) - len(first):
        said.append(
            f"{name}: {more} labelled rows lie at the place of an earlier one and are of the same deposit."
        )
    return [f"row {n}" for n in named]


def read_others(table: pd.DataFrame, points: Points, rules: PointTable, *, name: str) -> Others:
    """Read a second table, whose rows are only scored.

    Parameters
    ----------
    table : DataFrame
        As it is in the file. Columns may differ from those of the first in case, signs or an ending.
    points : Points
        The first table.
    rules : PointTable
        Which column is what.
    name : str
        The file, for sentences.

    Raises
    ------
    ValueError
        If a layer has no column.
    """
    layers = list(points.samples.layers)
    meant = findings.fit_columns(layers, [str(one) for one in table.columns])
    lacking = [one for one in layers if one not in meant]
    if lacking:
        raise ValueError(f"{name} lacks {len(lacking)} of the {len(layers)} layers: {listed(lacking)}.")
    notes = [
        f"{name}: column {there!r} is taken for {one!r}." for one, there in meant.items() if one != there
    ]
    _check_numbers(table, [meant[one] for one in layers])
    evidence = table[[meant[one] for one in layers]].astype(float).set_axis(layers, axis=1)
    if rules.missing == "auto":
        notes += findings.said_codes(findings.find_codes(evidence, layers), name)
    codes = {*points.codes, *(findings.find_codes(evidence, layers) if rules.missing == "auto" else ())}
    evidence = evidence.where(~evidence.isin(list(codes)))
    apart = findings.scaled_apart(points.evidence, evidence, layers)
    if apart:
        notes.append(
            f"{name}: {len(apart)} of {len(layers)} layers ({listed(apart)}) run from 0 to 1 here and in the "
            "first table alike, so each table was scaled by itself and one number stands for two values. "
            "Scores of these rows do not compare with those of the first table: scale both together."
        )
    for names, where in findings.find_fills(evidence, layers):
        notes.append(
            findings.said_fill(names, where, name, _DONE["missing" if rules.shared == "missing" else "keep"])
        )
        if rules.shared == "missing":
            evidence = evidence.assign(**{one: evidence[one].where(~where) for one in names})
    xy = _places_of(table, rules, name, notes)
    patches = evidence.to_numpy(dtype=np.float32)[:, :, None, None, None]
    return Others(patches, xy, tuple(notes))


def _places_of(table: pd.DataFrame, rules: PointTable, name: str, notes: list[str]) -> FloatArray | None:
    lacking = [one for one in (rules.x, rules.y) if one not in table.columns]
    if lacking:
        notes.append(
            f"{name}: {len(table)} rows have no place, the columns {listed(lacking)} are not there. They are "
            "scored, and no map can be made of them."
        )
        return None
    places = table[[rules.x, rules.y]].to_numpy(dtype=float, na_value=np.nan)
    known = ~np.isnan(places).any(axis=1)
    if not known.all():
        notes.append(f"{name}: {int((~known).sum())} of {len(table)} rows have no place. They are scored.")
    found = np.full(places.shape, np.nan)
    if known.any():
        found[known] = to_metres(places[known], rules.crs, name)[0]
    return found
