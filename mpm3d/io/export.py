"""Bodies written to any format that there is a writer for, chosen by the suffix of the file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mpm3d.geometry import Body, Lines, Points, Surface, Tetrahedra
from mpm3d.io.boxes import model_of
from mpm3d.io.savers import (
    Save,
    Written,
    save_geopackage,
    save_gocad,
    save_mesh,
    save_modem,
    save_omf,
    save_raster,
    save_table,
    save_voxet,
    save_vtk,
    save_wells,
)
from mpm3d.lattice import BlockModel, PropertyModel, Raster, StructuredGrid, Voxet
from mpm3d.wells import Well

_WORDS: dict[type[Body], str] = {
    Surface: "a surface", Lines: "a set of lines", Points: "a set of points", Tetrahedra: "a solid",
    Well: "a well", PropertyModel: "a model of rows of cells", Voxet: "a voxet", Raster: "a raster",
    StructuredGrid: "a structured grid", BlockModel: "a block model",
}  # fmt: skip


@dataclass(frozen=True)
class Format:
    """What a suffix can hold.

    Parameters
    ----------
    what : str
        For messages.
    kinds : tuple of type
        Bodies that go in as they are.
    save : callable
        Writes them.
    also : tuple of type
        Bodies that become others first, which is noted.
    several : bool
        Whether a file holds more than one body.
    packed : bool
        Whether the name may end in ``.gz``.
    """

    what: str
    kinds: tuple[type[Body], ...]
    save: Save
    also: tuple[type[Body], ...] = ()
    several: bool = False
    packed: bool = False


def write(path: str | Path, bodies: Sequence[Body], *, crs: str | None = None) -> Written:
    """Write bodies to a file of the format that its suffix says.

    Parameters
    ----------
    path : str or Path
        ``.ts .pl .vs .so .wl .vo`` (GoCAD), ``.msh`` (a UBC mesh with a ``.mod`` for each of the values of a
        model, or a Leapfrog mesh of a surface), ``.rho`` (ModEM), ``.csv`` (points, blocks or intervals),
        ``.tif`` (a raster, or the levels of a model), ``.vtp .vti .vtr .vts .vtu .vtk`` (VTK), ``.omf``
        (OMF 1), ``.gpkg`` (GeoPackage). GoCAD's surfaces, lines, points, solids and wells, tables, UBC and
        ModEM files are gzipped if ``.gz`` follows.
    bodies : sequence of Body
        What to write; most formats of models hold one.
    crs : str, optional
        Coordinate system of x and y, such as ``"EPSG:32651"``: needed for GeoPackages, noted where the
        format has a place for it. By default the one of the bodies, if they agree.

    Returns
    -------
    Written
        The files, and what was converted or left out.

    Raises
    ------
    ValueError
        If the suffix is not known or does not hold such a body; the message says which suffixes do.
    """
    path = Path(path)
    suffix, form = format_for(path)
    done = Written()
    ready: list[Body] = []
    for body in bodies:
        ready += _adapted(body, suffix, form, done)
    if not ready:
        raise ValueError(f"there is nothing to write to {path.name}.")
    if len(ready) > 1 and not form.several:
        raise ValueError(
            f"{suffix} holds one body and there are {len(ready)}: "
            f"{', '.join(repr(body.name) for body in ready[:8])}. Write each to a file of its own."
        )
    if crs is not None:
        ready = [replace(body, crs_name=crs) for body in ready]
    form.save(path, ready, done, crs)
    return done


def format_for(path: str | Path) -> tuple[str, Format]:
    """Suffix of a file name, in small letters, and what it holds.

    Raises
    ------
    ValueError
        If there is no writer for it.
    """
    name = Path(path).name.lower()
    packed = name.endswith(".gz")
    suffix = Path(name.removesuffix(".gz")).suffix
    form = FORMATS.get(suffix)
    if form is None or (packed and not form.packed):
        kinds = ", ".join(f"{end} ({form.what})" for end, form in FORMATS.items())
        said = f"{suffix}.gz" if packed else suffix
        raise ValueError(f"no writer for {said or 'a name without a suffix'!r}. There are: {kinds}.")
    return suffix, form


def fits(body: Body) -> list[str]:
    """Suffixes that a body can be written to."""
    return [end for end, form in FORMATS.items() if isinstance(body, (*form.kinds, *form.also))]


def _adapted(body: Body, suffix: str, form: Format, done: Written) -> list[Body]:
    if isinstance(body, form.kinds):
        return [body]
    if isinstance(body, form.also):
        return _CHANGES[type(body)](body, done)
    said = _WORDS.get(type(body), f"a {type(body).__name__}")
    raise ValueError(
        f"{body.name!r} is {said}, {suffix} holds {form.what}. It can be written to {', '.join(fits(body))}."
    )


def _in_rows(body: Voxet | StructuredGrid | BlockModel, done: Written) -> list[Body]:
    model = model_of(body)
    done.notes += [f"{body.name!r}: {note}" for note in model.notes[len(body.notes) :]]
    if isinstance(body, BlockModel):
        if body.texts:
            done.notes.append(f"{body.name!r}: columns of text were left out ({', '.join(body.texts)}).")
        counts = " × ".join(str(n) for n in model.shape[::-1])
        done.notes.append(f"{body.name!r}: its blocks were put into a lattice of {counts} cells.")
    return [model]


def _paths(body: Well, done: Written) -> list[Body]:
    found: list[Body] = [body.as_lines(), *(body.interval_lines(table) for table in body.intervals)]
    lost = [word for word, there in (("markers", body.markers), ("curves", body.curves)) if there]
    if lost:
        done.notes.append(f"{body.name!r}: {' and '.join(lost)} were left out; .wl holds them.")
    return found


def _vertices(body: Surface | Lines, done: Written) -> list[Body]:
    what = "triangles" if isinstance(body, Surface) else "segments"
    done.notes.append(f"{body.name!r}: only its {len(body.vertices)} vertices were written, no {what}.")
    values: dict[str, Any] = {"properties": body.properties, "regions": body.regions, **body.common()}
    return [Points(body.name, body.vertices, **values)]


def _ground(body: Raster, done: Written) -> list[Body]:
    """A raster of heights as a surface, a vertex at each centre that has a value."""
    if len(body.values) != 1:
        raise ValueError(
            f"{body.name!r} has the values {', '.join(map(repr, body.values))}; to become a surface it "
            "needs one that is the elevation. Choose it: --property NAME."
        )
    ((name, heights),) = body.values.items()
    done.notes.append(f"{body.name!r}: its values {name!r} were taken as elevations in metres.")
    y, x = np.meshgrid(body.y, body.x, indexing="ij")
    xyz = np.stack([x, y, np.zeros_like(x)], axis=-1).reshape(-1, 3)
    xyz = xyz if body.frame is None else body.frame.to_world(xyz)
    xyz[:, 2] = np.asarray(heights, dtype=float).ravel()
    row = np.arange(x.size).reshape(x.shape)
    a, b, c, d = (r.ravel() for r in (row[:-1, :-1], row[:-1, 1:], row[1:, 1:], row[1:, :-1]))
    triangles = np.stack([np.column_stack([a, b, c]), np.column_stack([a, c, d])], axis=1).reshape(-1, 3)
    surface = Surface(body.name, xyz, triangles.astype(np.int64), **(body.common() | {"units": {}}))
    return [surface.without_vertices(~np.isfinite(xyz[:, 2]), "places without a height were left out.")]


_CHANGES: dict[type[Body], Callable[[Any, Written], list[Body]]] = {
    Voxet: _in_rows, BlockModel: _in_rows, StructuredGrid: _in_rows, Well: _paths, Raster: _ground,
    Surface: _vertices, Lines: _vertices,
}  # fmt: skip
_SHEETS: tuple[type[Body], ...] = (Surface, Lines, Points)
_ROWS: tuple[type[Body], ...] = (BlockModel, StructuredGrid)
FORMATS: dict[str, Format] = {
    ".ts": Format(
        "surfaces", (Surface,), save_gocad("write_surfaces"), (Raster,), several=True, packed=True
    ),
    ".pl": Format("lines", (Lines,), save_gocad("write_lines"), (Well,), several=True, packed=True),
    ".vs": Format(
        "points", (Points,), save_gocad("write_points"), (Surface, Lines), several=True, packed=True
    ),
    ".so": Format("tetrahedra", (Tetrahedra,), save_gocad("write_tetrahedra"), several=True, packed=True),
    ".wl": Format("wells", (Well,), save_wells, several=True, packed=True),
    ".vo": Format("equal cells", (PropertyModel, Voxet), save_voxet, _ROWS),
    ".msh": Format(
        "a UBC mesh and models, or a surface (Leapfrog)", (PropertyModel, BlockModel, Surface), save_mesh,
        (Voxet, StructuredGrid, Raster), packed=True,
    ),
    ".rho": Format("a resistivity model", (PropertyModel,), save_modem, (Voxet, *_ROWS), packed=True),
    ".csv": Format(
        "points, blocks or intervals", (Points, PropertyModel, BlockModel, Well), save_table,
        (Voxet, StructuredGrid, Surface, Lines), several=True, packed=True,
    ),
    ".tif": Format(
        "a raster, or the levels of a model", (Raster, PropertyModel), save_raster, (Voxet, *_ROWS)
    ),
    ".vtp": Format("surfaces, lines and points", _SHEETS, save_vtk, (Well, Raster), several=True),
    ".vti": Format("equal cells", (PropertyModel, Voxet), save_vtk, _ROWS),
    ".vtr": Format("rows of cells along x, y and z", (PropertyModel, Voxet), save_vtk, _ROWS),
    ".vts": Format("lattices", (StructuredGrid, PropertyModel, Voxet), save_vtk, (BlockModel,)),
    ".vtu": Format("tetrahedra and boxes", (Tetrahedra, BlockModel), save_vtk),
    ".vtk": Format(
        "one model, or surfaces, lines and points",
        (*_SHEETS, PropertyModel, Voxet, StructuredGrid, Tetrahedra, BlockModel), save_vtk, (Well, Raster),
        several=True,
    ),
    ".omf": Format(
        "points, lines, surfaces and rows of cells", (*_SHEETS, PropertyModel, Voxet), save_omf,
        (*_ROWS, Well, Raster), several=True,
    ),
    ".gpkg": Format(
        "points, lines, surfaces and wells", (*_SHEETS, Well), save_geopackage, several=True
    ),
}  # fmt: skip
"""What can be written, by suffix."""
