"""Surfaces, polylines, points and volumes as GoCAD text objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from mpm3d.geometry import Lines, Points, Surface, Tetrahedra, Vertices
from mpm3d.grid import FloatArray
from mpm3d.io.gocad.elements import SEGMENT, TETRAHEDRON, TRIANGLE
from mpm3d.io.gocad.write import heading, no_data_for, quoted, save
from mpm3d.io.gocad.write_parts import PartWriter, grouped


def write_surfaces(path: str | Path, surfaces: Sequence[Surface]) -> None:
    """Write surfaces as TSurf objects of one file.

    Each part of a surface becomes a TFACE (connected triangles are a part if the surface names none), in the
    order of the numbers of the parts; a vertex that several parts share is written once and repeated as an
    ATOM. Coordinates are written in full precision, NaN properties as no-data. Depths are written if
    ``z_positive`` says so. A name that ends in ``.gz`` makes a gzipped file.

    Parameters
    ----------
    path : str or Path
        The file, by custom ``.ts``. It is replaced only when all is written.
    surfaces : sequence of Surface
        One object each, with the properties of vertices and triangles, and regions.

    Raises
    ------
    ValueError
        If a coordinate is not finite, a triangle refers to a vertex that is not there, values do not fit the
        vertices or triangles, or a name cannot be written.
    """
    save(path, (text for surface in surfaces for text in _surface_text(surface)))


def write_lines(path: str | Path, lines: Sequence[Lines]) -> None:
    """Write polylines as PLine objects of one file, each part an ILINE; as `write_surfaces` otherwise."""
    save(path, (text for body in lines for text in _pline_text(body)))


def write_points(path: str | Path, points: Sequence[Points]) -> None:
    """Write points as VSet objects of one file, each part a SUBVSET; as `write_surfaces` otherwise."""
    save(path, (text for body in points for text in _vset_text(body)))


def write_tetrahedra(path: str | Path, solids: Sequence[Tetrahedra]) -> None:
    """Write volumes of tetrahedra as TSolid objects of one file, each part a TVOLUME.

    By custom the file is a ``.so``; as `write_surfaces` otherwise.
    """
    save(path, (text for body in solids for text in _tsolid_text(body)))


def _surface_text(surface: Surface) -> Iterator[str]:
    triangles = surface.triangles
    if surface.z_positive == "Depth":
        triangles = triangles[:, [0, 2, 1]]
    yield from _head("TSurf", surface)
    yield from _table("TRGL_", surface, surface.cell_properties, len(triangles), "triangles")
    yield from PartWriter(surface).elements(TRIANGLE, triangles, surface.part, surface.cell_properties)
    yield "END\n"


def _pline_text(lines: Lines) -> Iterator[str]:
    yield from _head("PLine", lines)
    yield from PartWriter(lines).elements(SEGMENT, lines.segments, lines.part, {})
    yield "END\n"


def _vset_text(points: Points) -> Iterator[str]:
    yield from _head("VSet", points)
    part = np.zeros(len(points.vertices), np.int64) if points.part is None else np.asarray(points.part)
    if len(part) != len(points.vertices):
        raise ValueError(
            f"{points.name!r} has parts for {len(part)} points, it has {len(points.vertices)} of them."
        )
    writer, none = PartWriter(points), np.zeros(0, np.int64)
    yield from writer.declared()
    for rows in grouped(part):
        yield "SUBVSET\n"
        yield from writer.vertices(rows, none, none)
    yield "END\n"


def _tsolid_text(body: Tetrahedra) -> Iterator[str]:
    corners = body.tetrahedra
    if body.z_positive == "Depth":
        corners = corners[:, [0, 2, 1, 3]]
    yield from _head("TSolid", body)
    yield from _table("TETRA_", body, body.cell_properties, len(corners), "tetrahedra")
    yield from PartWriter(body).elements(TETRAHEDRON, corners, body.part, body.cell_properties)
    yield "END\n"


def _head(kind: str, body: Vertices) -> Iterator[str]:
    vertices = np.asarray(body.vertices, dtype=float)
    if not np.isfinite(vertices).all():
        row = int(np.argmin(np.isfinite(vertices).all(axis=1)))
        raise ValueError(
            f"vertex {row} of {body.name!r} is at {vertices[row].tolist()}, a file needs "
            "finite coordinates. Remove such vertices first: surface.without_vertices(drop, note)."
        )
    for line in heading(kind, body.name, body.crs_name, body.z_positive):
        yield f"{line}\n"
    yield from _table("", body, body.properties, len(vertices), "vertices")
    for name, inside in body.regions.items():
        if np.shape(inside) != (len(vertices),):
            raise ValueError(
                f"the region {name!r} of {body.name!r} has the shape {np.shape(inside)}, one flag for "
                f"each of the {len(vertices)} vertices is expected."
            )


def _table(
    prefix: str, body: Vertices, properties: Mapping[str, FloatArray], count: int, what: str
) -> Iterator[str]:
    """Lines that declare properties of ``count`` vertices or elements."""
    if not properties:
        return
    sizes = []
    for name, values in properties.items():
        shape = np.shape(values)
        if len(shape) not in (1, 2) or shape[0] != count or 0 in shape[1:]:
            raise ValueError(
                f"property {name!r} of {body.name!r} has the shape {shape}, ({count},) or ({count}, "
                f"components) is expected for its {count} {what}."
            )
        sizes.append(1 if len(shape) == 1 else shape[1])
    names, plural = [quoted(name) for name in properties], len(properties)
    yield f"{prefix}PROPERTIES {' '.join(names)}\n"
    yield f"{prefix}PROP_LEGAL_RANGES {' '.join(['**none**  **none**'] * plural)}\n"
    yield f"{prefix}NO_DATA_VALUES {' '.join(repr(no_data_for(values)) for values in properties.values())}\n"
    yield f"{prefix}PROPERTY_CLASSES {' '.join(names)}\n"
    yield f"{prefix}PROPERTY_KINDS {' '.join(['unknown'] * plural)}\n"
    yield f"{prefix}PROPERTY_SUBCLASSES {' '.join(['QUANTITY Float'] * plural)}\n"
    yield f"{prefix}ESIZES {' '.join(str(size) for size in sizes)}\n"
    yield f"{prefix}UNITS {' '.join(quoted(body.units.get(name, 'none')) for name in properties)}\n"
