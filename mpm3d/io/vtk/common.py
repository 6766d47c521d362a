"""What all bodies of VTK files have: names, units, columns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.geometry import Array
from mpm3d.grid import FloatArray
from mpm3d.io.files import stem_of
from mpm3d.io.vtk.dataset import Dataset

OBJECT, PART, REGION = "object", "part", "region: "


def words(data: Dataset, name: str) -> list[str]:
    """Texts of the field data."""
    values = data.field_data.get(name, np.empty(0))
    return [str(value) for value in values] if values.dtype.kind == "O" else []


def mapping(data: Dataset, name: str) -> dict[str, Any]:
    """What the writer of this package noted as JSON."""
    try:
        found = json.loads("".join(words(data, name)) or "{}")
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}


def common(data: Dataset) -> dict[str, Any]:
    """Keywords of every body: kind, units and coordinate system."""
    units = {str(k): str(v) for k, v in mapping(data, "units").items()}
    return {"kind": f"VTK {data.kind}", "units": units, "crs_name": "".join(words(data, "crs")[:1])}


def name_of(data: Dataset) -> str:
    """Name of the object, that of the file if it has none."""
    names = words(data, "name")
    return names[0] if names else stem_of(data.path)


def classes_of(data: Dataset) -> dict[str, dict[int, str]]:
    """Names of codes, as the writer noted them."""
    found = {}
    for name, codes in mapping(data, "classes").items():
        if isinstance(codes, dict) and all(str(code).lstrip("-").isdigit() for code in codes):
            found[name] = {int(code): str(word) for code, word in codes.items()}
    return found


def numbers(arrays: Mapping[str, Array], notes: list[str], keep: Any = slice(None)) -> dict[str, FloatArray]:
    """Arrays of numbers as floats; text is left out and noted."""
    values = {}
    for name, array in arrays.items():
        if name in (OBJECT, PART) or name.startswith(REGION):
            continue
        if array.dtype.kind == "O":
            notes.append(f"the text of {name!r} was left out.")
            continue
        values[name] = array[keep] if array.dtype.kind == "f" else array[keep].astype(float)
    return values


def regions_of(arrays: Mapping[str, Array], keep: Any = slice(None)) -> dict[str, NDArray[np.bool_]]:
    """Named sets, which are bytes in the file."""
    return {n.removeprefix(REGION): v[keep] != 0 for n, v in arrays.items() if n.startswith(REGION)}
