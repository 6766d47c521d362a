"""Assay tables: read, checked, in one unit; what was found is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mpm3d.errors import StudyError
from mpm3d.geochemistry import checks, units
from mpm3d.geochemistry.cells import Cells, read_cells, to_numbers
from mpm3d.geochemistry.finding import Finding, counted, listed
from mpm3d.geochemistry.names import UNITS, coordinates, parse

_NOT_ASSAYS = {
    "label",
    "class",
    "target",
    "id",
    "fid",
    "objectid",
    "index",
    "sample",
    "sampleno",
    "sampleid",
    "no",
}


@dataclass(frozen=True)
class Reading:
    """How an assay table is read.

    Parameters
    ----------
    x, y : str
        Columns of the coordinates; found by their names where empty.
    columns : sequence of str
        Columns of assays; every column of numbers that is no coordinate and no label where empty.
    below, above : float
        ``<x`` becomes ``below * x``, ``>x`` becomes ``above * x``.
    nodata : sequence of float
        Further codes for missing values; the usual ones are found.
    zeros : {"keep", "missing"}
        What a zero in an assay means. No rock holds exactly nothing of an element, so a zero is "not
        analysed" or "not detected"; log-ratios need them ``"missing"`` (then imputed).
    negatives : {"missing", "censored"}
        What a negative assay means: nothing, or as some laboratories write ``<5``, below 5.
    fill : {"keep", "missing"}
        What happens to a vector of values that many rows share (found either way, see `Assays.filled`).
    unit : str
        Unit of all assays, a key of `mpm3d.geochemistry.UNITS`; as they are where empty.
    units : mapping of str to str
        Units of columns whose name says none, or a wrong one.
    oxides : {"keep", "elements"}
        Whether oxides become elements, by mass.
    """

    x: str = ""
    y: str = ""
    columns: Sequence[str] = ()
    below: float = 0.75
    above: float = 1.333
    nodata: Sequence[float] = ()
    zeros: Literal["keep", "missing"] = "keep"
    negatives: Literal["missing", "censored"] = "missing"
    fill: Literal["keep", "missing"] = "keep"
    unit: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    oxides: Literal["keep", "elements"] = "keep"

    def __post_init__(self) -> None:
        wrong = [f"unit {unit!r} is not known, it is one of {', '.join(UNITS)}."
                 for unit in (self.unit, *self.units.values()) if unit and unit not in UNITS]  # fmt: skip
        if not 0 < self.below <= 1:
            wrong.append(f"below = {self.below:g} must be above 0 and at most 1: half a limit is 0.5.")
        if not 1 <= self.above < np.inf:
            wrong.append(f"above = {self.above:g} must be 1 or more: a value above a limit is not below it.")
        for name, allowed in (("zeros", ("keep", "missing")), ("negatives", ("missing", "censored")),
                              ("fill", ("keep", "missing")), ("oxides", ("keep", "elements"))):  # fmt: skip
            if getattr(self, name) not in allowed:
                wrong.append(f"{name} = {getattr(self, name)!r} must be {allowed[0]!r} or {allowed[1]!r}.")
        if wrong:
            raise StudyError(wrong)


@dataclass(frozen=True, eq=False)
class Assays:
    """An assay table that was read and checked.

    Parameters
    ----------
    values : DataFrame, shape (rows, columns)
        Assays, NaN where missing; censored ones replaced.
    censored : DataFrame of int8, shape (rows, columns)
        -1 where a value was below a limit, 1 above one, 0 elsewhere.
    filled : DataFrame of bool, shape (rows, columns)
        True where a value belongs to a vector that many rows share.
    xy : array of shape (rows, 2)
        Coordinates as they are in the table, NaN where missing or impossible.
    degrees : bool
        Whether they are longitude and latitude.
    units : mapping of str to str
        Unit of each column, ``""`` where unknown.
    other : DataFrame
        Columns that are neither.
    findings : tuple of Finding
        What the checks found.
    """

    values: pd.DataFrame
    censored: pd.DataFrame
    filled: pd.DataFrame
    xy: NDArray[np.float64]
    degrees: bool
    units: Mapping[str, str]
    other: pd.DataFrame
    findings: tuple[Finding, ...]

    def said(self) -> list[str]:
        """The sentences of the findings."""
        return [finding.sentence for finding in self.findings]

    def unmeasured(self, column: str) -> str:
        """Why nothing was measured in a column, in a few words; empty if something was."""
        known = self.values[column].notna()
        if not known.any():
            return "all its values are empty, codes for missing ones, zero or negative"
        if (self.censored[column][known] != 0).all():
            return f"all its {counted(int(known.sum()), 'value')} are below or above a limit of detection"
        return ""

    def report(self) -> pd.DataFrame:
        """The findings as a table: about, columns, rows, sentence."""
        rows = [(f.about, len(f.columns), len(f.rows), f.sentence) for f in self.findings]
        return pd.DataFrame(rows, columns=["about", "columns", "rows", "sentence"])


def read_assays(source: str | Path | pd.DataFrame, settings: Reading | None = None) -> Assays:
    """Read and check a table of assays, or of other values at points.

    In this order: cells to numbers (`to_numbers`), codes for missing values, coordinates, values that
    cannot be, a vector that many rows share, units, oxides, elements that are given twice.

    Parameters
    ----------
    source : path or DataFrame
        A text file with names in its first row, or a table, of text or of numbers.
    settings : Reading
        How; the usual way where left out.

    Returns
    -------
    Assays
        Its ``findings`` say all that was noticed and done.

    Raises
    ------
    StudyError
        If a named column is not there, there is no column of assays, or a unit that is needed is not known.
    FormatError
        If the file is truncated.
    """
    settings = settings or Reading()
    table = source.copy() if isinstance(source, pd.DataFrame) else read_cells(source)
    if not len(table):
        raise StudyError("the table has no rows, at least one sample is needed.")
    table, findings = checks.unique_names(table)
    _check_names(table, settings)
    names = [str(name) for name in table]
    x, y = (settings.x, settings.y) if settings.x else coordinates(names)
    cells = {name: _cells(table[name], settings) for name in names}
    found = [name for name in names if name not in (x, y) and _is_assay(name, cells[name])]
    chosen = list(settings.columns) or found
    if not chosen:
        raise StudyError(f'no column of {listed(names)} holds assays. Name them: columns = ["Cu_ppm"].')
    values = pd.DataFrame({name: cells[name].values for name in chosen})
    censored = pd.DataFrame({name: cells[name].censored for name in chosen})
    findings += checks.of_cells({name: cells[name] for name in chosen})
    findings += checks.of_censored(censored, settings.below, settings.above)
    findings += checks.take_codes(values, settings.nodata)
    xy, degrees, more = checks.places(cells, x, y)
    findings += more
    other = table[[name for name in names if name not in (*chosen, x, y)]]
    made = Assays(values, censored, values.notna() & False, xy, degrees, {}, other, tuple(findings))
    return _in_units(_checked(made, settings), settings)


def _checked(made: Assays, settings: Reading) -> Assays:
    """Negatives, zeros, the shared vector, rows and sites that repeat."""
    values, censored = made.values.copy(), made.censored.copy()
    findings = [*made.findings, *checks.take_negatives(values, censored, settings)]
    findings += checks.take_zeros(values, settings.zeros)
    filled, more = checks.shared_vectors(values, missing=settings.fill == "missing")
    findings += more
    findings += checks.of_rows(values, made.xy)
    findings += checks.of_empty(values)
    return replace(made, values=values, censored=censored, filled=filled, findings=tuple(findings))


def _in_units(made: Assays, settings: Reading) -> Assays:
    headings = {str(name): parse(str(name)) for name in made.values}
    for name, unit in settings.units.items():
        if name in headings:
            headings[name] = replace(headings[name], unit=unit)
    known = {name: heading.unit for name, heading in headings.items()}
    values = made.values.copy()
    findings = [*made.findings, *units.take_impossible(values, headings)]
    made = replace(made, values=values, units=known, findings=tuple(findings))
    return units.harmonise(made, headings, unit=settings.unit, oxides=settings.oxides)


def _cells(column: pd.Series, settings: Reading) -> Cells:
    return to_numbers(column, below=settings.below, above=settings.above)


def _check_names(table: pd.DataFrame, settings: Reading) -> None:
    asked = [*settings.columns, *settings.units, *(name for name in (settings.x, settings.y) if name)]
    lacking = [name for name in asked if name not in table]
    if lacking:
        raise StudyError(
            f"the table has no column {listed(lacking)}. It has {listed([str(name) for name in table], 20)}."
        )
    if bool(settings.x) != bool(settings.y):
        raise StudyError(f"x = {settings.x!r} and y = {settings.y!r}: name both columns, or none.")


def _is_assay(name: str, cells: Cells) -> bool:
    """Whether a column is one of assays or of other measured numbers."""
    if parse(name).formula:
        return True
    plain = "".join(letter for letter in name.lower() if letter.isalpha())
    if plain in _NOT_ASSAYS or not np.isfinite(cells.values).any():
        return False
    return cells.share_understood > 0.5
