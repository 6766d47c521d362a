"""Assays in one unit: percent and parts per million, oxides and elements, elements given twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mpm3d.errors import StudyError
from mpm3d.geochemistry.finding import Finding, counted, listed
from mpm3d.geochemistry.masses import element_share
from mpm3d.geochemistry.names import UNITS, Heading

if TYPE_CHECKING:
    from mpm3d.geochemistry.tables import Assays

_WHOLE = 1e6  # parts per million
_FEW = 0.01
_AGREE = 1.5
_VOLATILE = ("H", "C")  # water and carbon dioxide are no way to write hydrogen and carbon


def take_impossible(values: pd.DataFrame, headings: Mapping[str, Heading]) -> list[Finding]:
    """Make amounts above 100 % missing, in place; the whole column where they are many: its unit is wrong."""
    found = []
    for name, heading in headings.items():
        if not heading.formula or not heading.unit:
            continue
        amounts = values[name] * UNITS[heading.unit]
        above = (amounts > _WHOLE).to_numpy()
        if not above.any():
            continue
        many = above.sum() > _FEW * (amounts > 0).sum()
        text = f"{name!r} is read as {heading.unit} and {counted(int(above.sum()), 'value')} "
        text += "would be more than 100 % "
        text += f"(up to {values[name].max():g} {heading.unit}); "
        text += (
            f'the unit must be another, so the column is left out. Give it: units = {{{name!r} = "ppm"}}.'
            if many
            else "missing."
        )
        values[name] = np.nan if many else values[name].mask(above)
        found.append(Finding("impossible", text, (name,), np.flatnonzero(above)))
    return found


def harmonise(made: Assays, headings: Mapping[str, Heading], *, unit: str, oxides: str) -> Assays:
    """Assays in one unit and under the names of elements.

    Parameters
    ----------
    made : Assays
        As they were read.
    headings : mapping of str to Heading
        What each column is.
    unit : str
        The unit of all elements and oxides; as they are where empty.
    oxides : str
        ``"elements"`` turns oxides into elements, ``"keep"`` does not.

    Raises
    ------
    StudyError
        If a unit is asked for, or an element is given twice, and the unit of a column is not known.
    """
    twice = _given_twice(headings, oxides)
    if not unit and oxides == "keep":
        return replace(made, findings=(*made.findings, *_say_twice(twice)))
    if unit:
        lacking = [name for name, heading in headings.items() if heading.formula and not heading.unit]
        if lacking:
            raise StudyError(
                f"the unit of {listed(lacking)} is not known, so it cannot be made {unit}. "
                f'Give it: units = {{{lacking[0]!r} = "ppm"}}.'
            )
    return _joined(_converted(made, headings, unit, oxides), headings, oxides)


def _converted(made: Assays, headings: Mapping[str, Heading], unit: str, oxides: str) -> Assays:
    values, units, said = made.values.copy(), dict(made.units), []
    for name, heading in headings.items():
        if not heading.formula:
            continue
        share = _element(heading.formula)[1] if oxides == "elements" else 1.0
        factor = UNITS[heading.unit] / UNITS[unit] if unit and heading.unit else 1.0
        if factor * share != 1.0:
            values[name] = values[name] * (factor * share)
            said.append(name)
        units[name] = unit or heading.unit
    findings = made.findings
    if said:
        text = f"{counted(len(said), 'column')} converted to "
        text += (
            f"{unit or 'elements'}{' as elements' if unit and oxides == 'elements' else ''}: {listed(said)}."
        )
        findings = (*findings, Finding("units", text, tuple(said)))
    return replace(made, values=values, units=units, findings=findings)


def _joined(made: Assays, headings: Mapping[str, Heading], oxides: str) -> Assays:
    """One column for each element, named after it; the fullest of several is completed by the others."""
    groups: dict[str, list[str]] = {}
    for name, heading in headings.items():
        groups.setdefault(_key(heading, oxides) or name, []).append(name)
    values, censored, filled = {}, {}, {}
    findings, units = list(made.findings), {}
    for key, names in groups.items():
        ordered = sorted(names, key=lambda name: -np.count_nonzero(made.values[name] > 0))
        first = ordered[0]
        parts = [made.values[first], made.censored[first], made.filled[first]]
        units[key] = made.units.get(first, "")
        for other in ordered[1:]:
            if not (made.values[other] > 0).any():
                continue
            if len({headings[name].formula for name in (first, other)} - {key}) > 1:
                text = f"{first!r} and {other!r} are different oxides of {key}, only the fuller "
                text += f"{first!r} is used."
            else:
                parts, text = _completed(made, key, parts, first, other)
            findings.append(Finding("twice", text, (first, other)))
        values[key], censored[key], filled[key] = parts
    tables = [pd.DataFrame(columns) for columns in (values, censored, filled)]
    made = replace(made, values=tables[0], censored=tables[1], filled=tables[2])
    return replace(made, units=units, findings=tuple(findings))


def _completed(
    made: Assays, key: str, parts: list[pd.Series], first: str, other: str
) -> tuple[list[pd.Series], str]:
    """Values of an element with those of another column where it has none, if both agree."""
    left, right = parts[0], made.values[other]
    both = (left > 0) & (right > 0)
    text = f"{key} is given twice, in {first!r} and {other!r}; "
    if made.units.get(first, "") != made.units.get(other, ""):
        return (
            parts,
            f'{text}their units are not the same, only {first!r} is used. Ask for one: unit = "ppm".',
        )
    ratio = float((right[both] / left[both]).median()) if both.any() else 1.0
    if not 1 / _AGREE <= ratio <= _AGREE:
        return parts, f"{text}they differ by a factor of {ratio:.3g} in the median, only {first!r} is used."
    take = ~(left > 0) & (right > 0)
    parts = [parts[0].where(~take, right), parts[1].where(~take, made.censored[other]),
             parts[2].where(~take, made.filled[other])]  # fmt: skip
    agreement = f"they agree ({counted(int(both.sum()), 'row')}), " if both.any() else "no row has both, "
    return parts, f"{text}{agreement}{counted(int(take.sum()), 'value')} of {other!r} complete {first!r}."


def _element(formula: str) -> tuple[str, float]:
    """Element of a formula and its share of the mass, water and carbon dioxide as they are."""
    element, share = element_share(formula)
    return (formula, 1.0) if element in _VOLATILE else (element, share)


def _key(heading: Heading, oxides: str) -> str:
    return _element(heading.formula)[0] if heading.formula and oxides == "elements" else heading.formula


def _given_twice(headings: Mapping[str, Heading], oxides: str) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name, heading in headings.items():
        if heading.formula:
            groups.setdefault(_element(heading.formula)[0], []).append(name)
    return {element: names for element, names in groups.items() if len(names) > 1}


def _say_twice(twice: Mapping[str, list[str]]) -> list[Finding]:
    if not twice:
        return []
    pairs = "; ".join(f"{element}: {' and '.join(names)}" for element, names in twice.items())
    text = f"{counted(len(twice), 'element')} given twice ({pairs}): a log-ratio would count them twice. "
    text += 'Join them: unit = "ppm", oxides = "elements".'
    return [Finding("twice", text, tuple(name for names in twice.values() for name in names))]
