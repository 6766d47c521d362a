"""What is wrong with a table of assays: codes, zeros, shared vectors, places, repeated names and rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mpm3d.geochemistry.cells import Cells
from mpm3d.geochemistry.finding import Finding, counted, listed
from mpm3d.geochemistry.names import parse, says_degrees
from mpm3d.nodata import CODES, sentinels

FILL_SHARE = 0.05
_ALIKE = 0.9


class _HowNegative(Protocol):
    @property
    def negatives(self) -> str: ...
    @property
    def below(self) -> float: ...


def unique_names(table: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    """Table whose columns have different names: ``Cu``, ``Cu (2)``; identical columns are kept once."""
    times = Counter(str(name) for name in table)
    repeated = [name for name, number in times.items() if number > 1]
    seen: Counter[str] = Counter()
    names, keep, said = [], [], []
    for number, name in enumerate(map(str, table)):
        seen[name] += 1
        first = list(map(str, table)).index(name)
        same = first < number and table.iloc[:, number].equals(table.iloc[:, first])
        if not same:
            keep.append(number)
            names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    made = table.iloc[:, keep].copy()
    made.columns = names
    if repeated:
        left = [name for name in names if name.endswith(")") and name not in times]
        kept = f"kept as {listed(left)}" if left else "the copies are identical and left out"
        text = f"{counted(len(repeated), 'column name')} repeated: {listed(repeated)}; {kept}."
        said.append(Finding("columns", text, tuple(repeated)))
    return made.reset_index(drop=True), said


def of_cells(cells: Mapping[str, Cells]) -> list[Finding]:
    """Words that are no numbers, and "not detected" without a limit."""
    found = []
    strange = {name: column.strange for name, column in cells.items() if column.strange}
    if strange:
        examples = sorted({word for words in strange.values() for word in words})
        total = sum(words.total() for words in strange.values())
        text = f"{counted(total, 'cell')} of {listed(list(strange))} hold words that are no numbers, such as "
        found.append(Finding("sentinel", f"{text}{listed(examples, 3)}; missing.", tuple(strange)))
    unlimited = {name: column.unlimited for name, column in cells.items() if column.unlimited}
    if unlimited:
        text = f"{counted(sum(unlimited.values()), 'cell')} of {listed(list(unlimited))} say "
        text += "that nothing was detected "
        text += "without a limit (BDL, ND, trace), so there is nothing to replace them by; missing."
        found.append(Finding("sentinel", text, tuple(unlimited)))
    return found


def of_censored(censored: pd.DataFrame, below: float, above: float) -> list[Finding]:
    """How many values were below or above a limit."""
    found = []
    for sign, mark, factor in ((-1, "<", below), (1, ">", above)):
        mask = censored.to_numpy() == sign
        if mask.any():
            names = list(censored.columns[mask.any(axis=0)])
            text = f"{counted(int(mask.sum()), 'value')} of {counted(len(names), 'column')} given as {mark}x "
            text += f"({listed(names)}), replaced by {factor:g} x."
            found.append(Finding("censored", text, tuple(names), np.flatnonzero(mask.any(axis=1))))
    return found


def take_codes(values: pd.DataFrame, declared: Sequence[float] = ()) -> list[Finding]:
    """Make codes for missing values NaN, in place; a negative code for an element always is one."""
    codes: dict[float, dict[str, int]] = {}
    rows: dict[float, NDArray[np.bool_]] = {}
    for name in values:
        column = values[name].to_numpy(copy=True)
        found = {code for code, _ in sentinels(column)} | {float(code) for code in declared}
        if parse(str(name)).formula:
            found |= {code for code in CODES if code <= -99}
        for code in found:
            mask = column == code
            if mask.any():
                codes.setdefault(code, {})[str(name)] = int(mask.sum())
                rows[code] = rows.get(code, False) | mask
                column[mask] = np.nan
        values[name] = column
    return [
        Finding(
            "sentinel",
            f"{code:g} stands for missing in {counted(int(rows[code].sum()), 'row')} of "
            f"{counted(len(names), 'column')} ({listed(list(names))}), "
            f"{counted(sum(names.values()), 'value')}; missing.",
            tuple(names),
            np.flatnonzero(rows[code]),
        )
        for code, names in sorted(codes.items())
    ]


def take_negatives(values: pd.DataFrame, censored: pd.DataFrame, how: _HowNegative) -> list[Finding]:
    """Make negative assays of elements missing or censored, in place."""
    names, rows, total = [], np.zeros(len(values), bool), 0
    for name in values:
        negative = (values[name] < 0).to_numpy()
        if not parse(str(name)).formula or not negative.any():
            continue
        names.append(str(name))
        rows |= negative
        total += int(negative.sum())
        limits = -how.below * values[name] if how.negatives == "censored" else np.nan
        values[name] = values[name].mask(negative, limits)
        if how.negatives == "censored":
            censored[name] = censored[name].mask(negative, -1).astype(np.int8)
    if not names:
        return []
    text = f"{counted(total, 'value')} of {listed(names)} are negative, which no amount is; "
    text += (
        f"taken as below a limit, -x replaced by {how.below:g} x."
        if how.negatives == "censored"
        else 'missing. If -5 means <5 there, read with negatives = "censored".'
    )
    return [Finding("impossible", text, tuple(names), np.flatnonzero(rows))]


def take_zeros(values: pd.DataFrame, zeros: str) -> list[Finding]:
    """Say where assays of elements are zero, and make them missing in place if asked."""
    names = [str(name) for name in values if parse(str(name)).formula and (values[name] == 0).any()]
    if not names:
        return []
    mask = values[names].to_numpy() == 0
    worst = max(range(len(names)), key=lambda number: mask[:, number].sum())
    text = f"{counted(int(mask.sum()), 'zero')} in {counted(len(names), 'column')} of elements, most in "
    text += f"{names[worst]!r} ({int(mask[:, worst].sum())} of {len(values)} rows): not "
    text += "analysed or not detected; "
    if zeros == "missing":
        values[names] = values[names].mask(values[names] == 0)
        text += "missing."
    else:
        text += 'kept. Log-ratios need zeros = "missing".'
    return [Finding("zeros", text, tuple(names), np.flatnonzero(mask.any(axis=1)))]


def shared_vectors(values: pd.DataFrame, *, missing: bool = False) -> tuple[pd.DataFrame, list[Finding]]:
    """Vectors of values that many rows share, as a program writes that fills what it lacks.

    Columns belong together where the rows that hold their most frequent value are the same (intersection over
    union of 0.9 or more); a vector is reported when at least 5 % of the rows and three of them hold it over
    three columns or more (over all columns if there are two).

    Parameters
    ----------
    values : DataFrame
        Numbers, NaN where missing. Made NaN in place where ``missing`` is True and the vector is found.

    Returns
    -------
    filled : DataFrame of bool
        True where a value belongs to such a vector.
    findings : list of Finding
    """
    filled = pd.DataFrame(False, index=values.index, columns=values.columns)
    found = []
    for names, rows in _groups(values):
        filled.loc[rows, names] = True
        places = np.flatnonzero(rows)
        text = f"{len(places)} of {len(values)} rows ({100 * len(places) / len(values):.0f} %) "
        text += "hold the same values in "
        text += f"all of {counted(len(names), 'column')} ({listed(names)}): filled in, not measured; "
        text += "missing." if missing else 'kept and marked. Read with fill = "missing" to leave them out.'
        found.append(Finding("fill", text, tuple(names), places))
    if missing:
        values[:] = values.mask(filled)
    return filled, found


def _groups(values: pd.DataFrame) -> list[tuple[list[str], NDArray[np.bool_]]]:
    """Columns whose most frequent value stands in the same rows, with these rows."""
    least = max(3, int(np.ceil(FILL_SHARE * len(values))))
    masks: dict[str, NDArray[np.bool_]] = {}
    plain: set[str] = set()
    for name in values:
        times = values[name].value_counts()
        if len(times) > 2 and times.iloc[0] >= least:
            masks[str(name)] = (values[name] == times.index[0]).to_numpy()
            plain |= {str(name)} if times.index[0] == 0 else set()
    groups = []
    while masks:
        rows = next(iter(masks.values()))
        names = [name for name, mask in masks.items() if (mask & rows).sum() >= _ALIKE * (mask | rows).sum()]
        shared = np.logical_and.reduce([masks[name] for name in names])
        enough = len(names) >= 3 or len(names) == values.shape[1] == 2
        if enough and shared.sum() >= least and not set(names) <= plain:
            groups.append((names, shared))
        for name in names:
            del masks[name]
    return groups


def of_rows(values: pd.DataFrame, xy: NDArray[np.float64]) -> list[Finding]:
    """Sites that several rows share, and rows that repeat place and values."""
    known = np.isfinite(xy).all(axis=1)
    if not known.any():
        return []
    places = pd.DataFrame(xy, columns=["x", "y"])[known]
    later = places.duplicated().to_numpy()
    if not later.any():
        return []
    rows = np.flatnonzero(known)[later]
    whole = pd.concat([places, values[known]], axis=1).duplicated().to_numpy()
    sites = int(places.duplicated(keep=False).sum() - later.sum())
    text = f"{counted(len(rows), 'row')} stand at the place of an earlier one "
    text += f"({counted(sites, 'site')} shared); "
    text += f"{int(whole.sum())} of them repeat its values too. A map averages the rows of a site."
    return [Finding("sites", text, (), rows)]


def of_empty(values: pd.DataFrame) -> list[Finding]:
    """Columns without any value."""
    names = [str(name) for name in values if values[name].isna().all()]
    text = f"{counted(len(names), 'column')} without any value: {listed(names)}."
    return [Finding("empty", text, tuple(names))] if names else []


def places(cells: Mapping[str, Cells], x: str, y: str) -> tuple[NDArray[np.float64], bool, list[Finding]]:
    """Coordinates ``(rows, 2)``, whether they are degrees, and what is wrong with them."""
    rows = len(next(iter(cells.values())).values)
    if not x:
        text = "no columns of coordinates (x and y, easting and northing, lon and lat): the "
        text += "rows have no place, so "
        text += 'they cannot be mapped, given a buffer or left out by place. Name them: x = "…", y = "…".'
        return np.full((rows, 2), np.nan), False, [Finding("coordinates", text, (), np.arange(rows))]
    xy = np.column_stack([cells[x].values, cells[y].values])
    absent = ~np.isfinite(xy).all(axis=1)
    codes = np.isin(xy, CODES) | (np.abs(xy) >= 1e9)
    placed = np.abs(xy[~absent & ~codes.any(axis=1)])
    small = (placed[:, 0] <= 360) & (placed[:, 1] <= 90)
    degrees = says_degrees(x) or (bool(len(small)) and float(small.mean()) > 0.5)
    wrong = codes.any(axis=1) | (xy == 0).all(axis=1)
    if degrees:
        wrong |= (np.abs(xy[:, 0]) > 360) | (np.abs(xy[:, 1]) > 90)
    wrong &= ~absent
    xy[absent | wrong] = np.nan
    found = []
    for mask, what in ((absent, "no coordinates"), (wrong, "impossible coordinates")):
        if mask.any():
            first = ", ".join(str(row + 1) for row in np.flatnonzero(mask)[:5])
            text = f"{counted(int(mask.sum()), 'row')} with {what} in {x!r}, {y!r} (row {first}); "
            text += "without a place."
            found.append(Finding("coordinates", text, (x, y), np.flatnonzero(mask)))
    if degrees:
        text = f"{x!r}, {y!r} are degrees of longitude and latitude; distances need them projected to metres."
        found.append(Finding("coordinates", text, (x, y)))
    return xy, degrees, found
