"""OMF 1 files written so that the programs that read them, and this package, read back what was there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mpm3d.geometry import Array, Body, Lines, Points, Surface
from mpm3d.grid import FloatArray
from mpm3d.io.boxes import model_of
from mpm3d.io.omf.container import Writer
from mpm3d.io.omf.read import CODES, CRS, PART, REGION, UNIT
from mpm3d.lattice import BlockModel, PropertyModel, Values, Voxet

KINDS = (Points, Lines, Surface, PropertyModel, Voxet, BlockModel)
_GREY = [150, 150, 150]


def write_omf(path: str | Path, bodies: Sequence[Body], *, name: str = "") -> None:
    """Write bodies as one OMF 1 project (version 0.9).

    Points, lines and surfaces keep their values, named sets and numbers of parts; models become volumes,
    rotated ones with their axes, the values of classes with a legend. Values are stored with W fastest.

    Parameters
    ----------
    path : str or Path
        The file, by custom ``.omf``. It is replaced only when all is written.
    bodies : sequence of Body
        Points, Lines, Surface, PropertyModel, Voxet, or BlockModel with blocks of one size on a lattice.
    name : str
        Name of the project, by default that of the file.

    Raises
    ------
    ValueError
        If a body is of another kind, skewed, has coordinates that are not finite or codes without a name.
    """
    path = Path(path)
    writer = Writer()
    elements = [_element(writer, body) for body in bodies]
    systems = {body.crs_name for body in bodies}
    crs = systems.pop() if len(systems) == 1 else ""
    root = writer.add(
        "Project", name=name or path.stem, description=f"{CRS}{crs}" if crs else "", author="", revision="",
        units="m", origin=[0.0, 0.0, 0.0], elements=elements,
    )  # fmt: skip
    writer.save(path, root)


def _element(writer: Writer, body: Body) -> str:
    if isinstance(body, PropertyModel | Voxet | BlockModel):
        return _volume(writer, _model(body))
    if not isinstance(body, Points | Lines | Surface):
        raise ValueError(
            f"{body.name!r} is a {type(body).__name__}, OMF 1 holds points, lines, surfaces and models of "
            "rows of cells. Resample it onto a grid, or use .vtu or .vts."
        )
    xyz = np.asarray(body.vertices, dtype=float)
    if not np.isfinite(xyz).all():
        row = int(np.argmin(np.isfinite(xyz).all(axis=1)))
        raise ValueError(f"vertex {row} of {body.name!r} is at {xyz[row].tolist()}, finite ones are needed.")
    fields: dict[str, Any] = {"vertices": writer.array("Vector3Array", xyz)}
    kind, subtype, place, cells = "PointSet", "point", "vertices", {}
    if isinstance(body, Lines):
        kind, subtype, place = "LineSet", "line", "segments"
        fields["segments"] = writer.array("Int2Array", body.segments)
    elif isinstance(body, Surface):
        kind, subtype, place = "Surface", "surface", "faces"
        fields["triangles"] = writer.array("Int3Array", body.triangles)
    cells = {} if isinstance(body, Points) else dict(body.cell_properties)
    data = _data(writer, body, "vertices", {**body.properties, **_sets(body.regions)})
    data += _data(writer, body, place, cells | ({} if body.part is None else {PART: body.part}))
    geometry = writer.add(f"{kind}Geometry", origin=[0.0, 0.0, 0.0], **fields)
    more: dict[str, Any] = {} if isinstance(body, Lines) else {"textures": []}
    return writer.add(
        f"{kind}Element", name=body.name, description="", data=data, color=_GREY, geometry=geometry,
        subtype=subtype, **more,
    )  # fmt: skip


def _sets(regions: Mapping[str, Array]) -> dict[str, Array]:
    return {f"{REGION}{name}": np.asarray(inside).astype(np.int64) for name, inside in regions.items()}


def _model(body: PropertyModel | Voxet | BlockModel) -> PropertyModel:
    if isinstance(body, BlockModel) and body.texts:
        raise ValueError(
            f"{body.name!r} has columns of text ({', '.join(body.texts)}), OMF volumes have none."
        )
    if isinstance(body, Voxet):
        sets = {f"{REGION}{name}": inside for name, inside in body.regions.items()}
        body = replace(body, values={**body.values, **sets}, regions={})
    return model_of(body)


def _volume(writer: Writer, model: PropertyModel) -> str:
    z, y, x = model.edges
    corner: FloatArray = np.array([x[0], y[0], z[0]], dtype=float)
    axes: FloatArray = np.eye(3)
    if model.frame is not None:
        axes = model.frame.axes
        if np.abs(axes @ axes.T - np.eye(3)).max() > 1e-6:
            raise ValueError(f"{model.name!r} is skewed, the axes of OMF are at right angles. Use .vts.")
        corner = model.frame.to_world(corner)
    fields = {f"tensor_{n}": np.diff(edges).tolist() for n, edges in zip("wvu", model.edges, strict=True)}
    fields |= {f"axis_{n}": axis.tolist() for n, axis in zip("uvw", axes, strict=True)}
    geometry = writer.add("VolumeGridGeometry", origin=corner.tolist(), **fields)
    data = []
    for name, values in model.values.items():
        if values.shape != model.shape:
            raise ValueError(f"property {name!r} has shape {values.shape}, the cells are {model.shape}.")
        cells = _file_order(values)
        words = model.classes.get(name)
        data += _data(writer, model, "cells", {name: cells}) if words is None else [
            _classes(writer, name, cells, words)
        ]  # fmt: skip
    return writer.add(
        "VolumeElement", name=model.name, description="", data=data, color=_GREY, geometry=geometry,
        subtype="volume",
    )  # fmt: skip


def _file_order(values: Values) -> Array:
    """Values ``(z, y, x)`` with z fastest."""
    return np.asarray(values).transpose(2, 1, 0).ravel()


def _data(writer: Writer, body: Body, place: str, columns: Mapping[str, Array]) -> list[str]:
    keys = []
    for name, values in columns.items():
        array = np.asarray(values)
        width = 1 if array.ndim == 1 else array.shape[1]
        if width > 3:
            raise ValueError(f"{name!r} of {body.name!r} has {width} components, OMF has 1, 2 or 3.")
        kinds = {1: ("ScalarArray", "ScalarData"), 2: ("Vector2Array", "Vector2Data")}
        kind, owner = kinds.get(width, ("Vector3Array", "Vector3Data"))
        unit = body.units.get(name, "")
        keys.append(writer.add(
            owner, name=name, description=f"{UNIT}{unit}" if unit else "", location=place,
            array=writer.array(kind, array if width == 1 else array.astype(float)),
        ))  # fmt: skip
    return keys


def _classes(writer: Writer, name: str, cells: Array, words: Mapping[int, str]) -> str:
    """Indices into a legend of names, -1 where there is no value; the codes are a second legend."""
    codes = np.array(sorted(words))
    known = np.isfinite(cells) if cells.dtype.kind == "f" else np.ones(len(cells), bool)
    index = np.where(known, np.searchsorted(codes, np.where(known, cells, codes[0])), -1).astype(np.int64)
    found: FloatArray = codes[np.clip(index, 0, len(codes) - 1)]
    wrong = known & (found != np.where(known, cells, 0))
    if wrong.any():
        raise ValueError(f"{name!r} has the value {cells[wrong][0]:g}, which has no name among its classes.")
    texts = writer.add("StringArray", array=[words[int(code)] for code in codes])
    legends = [
        writer.add("Legend", name="name", description="", values=texts),
        writer.add("Legend", name=CODES, description="", values=writer.array("ScalarArray", codes)),
    ]
    return writer.add(
        "MappedData", name=name, description="", location="cells",
        array=writer.array("ScalarArray", index), legends=legends,
    )  # fmt: skip
