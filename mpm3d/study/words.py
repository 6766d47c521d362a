"""What is wrong with a study, in a geologist's words."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from mpm3d.study.base import Table
from mpm3d.study.drilling import DrillingTable
from mpm3d.study.explaining import ExplainTable
from mpm3d.study.layers import LAYERS
from mpm3d.study.models import MODELS
from mpm3d.study.point_table import PointSamplesTable, PointStudy, PointTable
from mpm3d.study.tables import (
    CubeTable,
    DepositTable,
    GridTable,
    PredictTable,
    SamplesTable,
    SourceTable,
    Study,
    TopographyTable,
    ValidateTable,
)
from mpm3d.study.targets import TargetsTable


def unset_variable(name: str, places: list[str]) -> str:
    """Say that a variable of the environment is not set, and which keys need it."""
    others = f" and {len(places) - 1} more need it" if len(places) > 1 else " needs it"
    return f"the variable {name} is not set, {places[0]}{others}. Set it to the folder that holds the data."


def _where(location: tuple[int | str, ...], table: Mapping[str, Any]) -> str:
    """``layers 'density'`` rather than ``layers.3.ubc``."""
    words, value = [], table
    for step in location:
        if isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
            name = value.get("name", value.get("kind", step + 1)) if isinstance(value, dict) else step + 1
            words[-1] += f" {name!r}" if isinstance(name, str) else f" number {name}"
        elif isinstance(value, Mapping) and step in value:
            value = value[step]  # type: ignore[index]
            words.append(str(step))
        elif step not in (*LAYERS, *MODELS):
            words.append(str(step))
    return ", ".join(words)


def sentence(error: Any, table: Mapping[str, Any], whole: type[Table] = Study) -> str:
    """One problem found by pydantic, in a geologist's words; ``whole`` is the study that it was to be."""
    location, kind = tuple(error["loc"]), error["type"]
    if location and isinstance(location[-1], int) and not isinstance(error["input"], dict):
        location = location[:-1]  # one of several values of a key, which has the name
    where, key = _where(location[:-1], table), str(location[-1]) if location else ""
    inside = f" in [{where}]" if where else ""
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(key, _keys(location, whole), n=1)
        hint = f"Did you mean {near[0]!r}?" if near else "Remove it."
        return f"{key!r} is not a key{inside} (value {error['input']!r}). {hint}"
    if kind == "missing":
        fix = {"units": 'Give units, such as units = "m"', "crs": 'Give the EPSG code, such as "EPSG:32651"'}
        return f"{key!r} is missing{inside}. {fix.get(key, 'Add it')}."
    message = error["msg"].removeprefix("Value error, ")
    if kind == "union_tag_invalid":
        allowed = error["ctx"]["expected_tags"]
        owner = _where(location, table)
        return f"kind = {error['ctx']['tag']!r} in [{owner}] is not known. Use one of {allowed}."
    if kind == "union_tag_not_found":
        return f"'kind' is missing in [{_where(location, table)}]. Add it."
    if kind == "value_error" and key in LAYERS:  # of keys that do not go together
        return f"[{_where(location, table)}]: {message}."
    return f"{key} = {error['input']!r}{inside}: {message[0].lower()}{message[1:]}."


def _keys(location: tuple[int | str, ...], whole: type[Table]) -> list[str]:
    """Keys that are allowed where a wrong one stands."""
    tables: dict[str, type[Table]] = {
        "grid": GridTable, "topography": TopographyTable, "cube": CubeTable, "deposits": DepositTable,
        "samples": SamplesTable, "validate": ValidateTable, "predict": PredictTable,
        "targets": TargetsTable, "explain": ExplainTable, "drilling": DrillingTable,
        "sources": SourceTable, **LAYERS, **MODELS,
    }  # fmt: skip
    if whole is PointStudy:
        tables |= {"table": PointTable, "samples": PointSamplesTable}
    named = [tables[str(step)] for step in location[:-1] if str(step) in tables]
    fields = (named[-1] if named else whole).model_fields
    return [field.alias or name for name, field in fields.items()]
