"""Arrays handed to VTK, and datasets of VTK written to files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.geometry import Array, Body
from mpm3d.grid import FloatArray
from mpm3d.io.files import replacing

Rows = NDArray[np.int64]


def points_of(body: Body, xyz: FloatArray) -> Any:
    """Points of VTK in float64, all of them finite."""
    from vtkmodules.vtkCommonCore import vtkPoints

    if not np.isfinite(xyz).all():
        row = int(np.argmin(np.isfinite(xyz).all(axis=1)))
        raise ValueError(
            f"point {row} of {body.name!r} is at {xyz[row].tolist()}, a file needs finite coordinates. "
            "Remove such points first."
        )
    points = vtkPoints()
    points.SetDataTypeToDouble()
    points.SetData(vtk_array(np.ascontiguousarray(xyz, dtype=float), "points"))
    return points


def cell_array(links: Rows, sizes: Rows) -> Any:
    """Cells of VTK from point numbers and how many each cell takes."""
    from vtkmodules.vtkCommonDataModel import vtkCellArray

    cells = vtkCellArray()
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    cells.SetData(vtk_array(offsets, "offsets"), vtk_array(links.astype(np.int64), "connectivity"))
    return cells


def vtk_array(values: Array, name: str) -> Any:
    """An array of VTK; text as strings, sets as bytes."""
    from vtkmodules.util import numpy_support
    from vtkmodules.vtkCommonCore import vtkStringArray

    to_vtk: Any = numpy_support.numpy_to_vtk
    values = np.asarray(values)
    if values.dtype.kind in "OUS":
        array = vtkStringArray()
        for word in values.reshape(-1):
            array.InsertNextValue(str(word))
    else:
        plain = values.astype(np.uint8) if values.dtype.kind == "b" else values
        plain = plain.astype(plain.dtype.newbyteorder("="))
        plain = plain.astype(np.float32) if plain.dtype == np.float16 else plain
        array = to_vtk(np.ascontiguousarray(plain), deep=True)
    array.SetName(name)
    return array


def put_fields(data: Any, bodies: Sequence[Body]) -> None:
    """Note names, units, classes and coordinate system in the field data."""
    units: dict[str, str] = {}
    classes: dict[str, Any] = {}
    for body in bodies:
        units |= body.units
        classes |= {name: dict(codes) for name, codes in getattr(body, "classes", {}).items()}
    crs = {body.crs_name for body in bodies}
    fields = {
        "name": [body.name for body in bodies],
        "units": [json.dumps(units)] if units else [],
        "classes": [json.dumps(classes)] if classes else [],
        "crs": [crs.pop()] if len(crs) == 1 and "" not in crs else [],
    }
    for name, words in fields.items():
        if words:
            data.GetFieldData().AddArray(vtk_array(np.array(words, dtype=object), name))


def save(data: Any, path: Path) -> None:
    """Write a dataset with the writer of its kind, complete or not at all."""
    from vtkmodules import vtkIOLegacy, vtkIOXML

    kind = data.GetClassName().removeprefix("vtk")
    legacy = path.suffix.lower() == ".vtk"
    if legacy:
        writer = getattr(vtkIOLegacy, f"vtk{kind}Writer")()
        writer.SetFileTypeToBinary()
    else:
        writer = getattr(vtkIOXML, f"vtkXML{kind}Writer")()
        writer.SetHeaderTypeToUInt64()
        writer.EncodeAppendedDataOff()
    writer.SetInputData(data)
    with replacing(path) as part:
        part.touch()  # a folder that is missing or may not be written is said by Python
        writer.SetFileName(str(part))
        if writer.Write() != 1:
            raise OSError(f"{path.name} could not be written. The disk may be full.")
