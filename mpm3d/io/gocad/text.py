"""GoCAD text objects: surfaces (TSurf), polylines (PLine) and points (VSet)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpm3d.geometry import Lines, Points, Surface
from mpm3d.grid import FloatArray
from mpm3d.io.gocad.atoms import Atoms, read_atoms
from mpm3d.io.gocad.content import Rows
from mpm3d.io.gocad.elements import SEGMENT, TRIANGLE, parts_of, read_elements
from mpm3d.io.gocad.lines import Block, Run, TextFile
from mpm3d.io.gocad.regions import read_regions
from mpm3d.io.gocad.tables import Table, properties_of, read_table

KINDS = {"tsurf": "TSurf", "pline": "PLine", "vset": "VSet"}
_NO_TABLE = Table("", (), (), (), {}, None)
_JOINED = re.compile("(TFACE|ILINE|SUBVSET|TVOLUME)(P?VRTX|P?ATOM)")


@dataclass(frozen=True)
class Common:
    """What the vertices of an object are read as: atoms, and what every body is made of."""

    atoms: Atoms
    xyz: FloatArray
    more: Mapping[str, Any]
    notes: tuple[str, ...]


def read_text_object(text: TextFile, block: Block, errors: str) -> Surface | Lines | Points:
    """Make a body of one TSurf, PLine or VSet.

    Raises
    ------
    FormatError
        If it is damaged; with ``errors="skip"`` what refers to nothing is left out instead.
    """
    if block.kind == "tsurf":
        return _surface(text, block, errors)
    common = read_common(text, block, block.stop, KINDS[block.kind], errors)
    if block.kind == "vset":
        part = parts_of(text, block, "SUBVSET", common.atoms.line)
        return Points(block.name, common.xyz, part=part, notes=common.notes, **common.more)
    segments, part, dropped = _read_segments(text, block, common.atoms, errors)
    return Lines(block.name, common.xyz, segments, part, notes=(*common.notes, *dropped), **common.more)


def read_common(text: TextFile, block: Block, stop: int, kind: str, errors: str) -> Common:
    """Read what all objects of vertices have, from the lines before ``stop``: metres, elevations, regions.

    Raises
    ------
    FormatError
        If a line is damaged.
    """
    mended = _mend(text, block, errors)
    table = read_table(text, block)
    factor, notes = block.crs.to_metres()
    atoms = read_atoms(text, block, stop, table, errors)
    properties, kept = properties_of(table, atoms.values)
    regions, left = read_regions(text, block, stop, atoms, errors)
    notes = (*notes, *mended, *atoms.notes, *kept, *left)
    if not block.closed:
        notes = (*notes, "the object has no END line, the file may be truncated.")
    xyz = atoms.xyz
    for axis in np.flatnonzero(factor != 1).tolist():
        # 0 - z rather than -z, so that no -0.0 appears
        xyz[:, axis] = 0.0 + xyz[:, axis] * factor[axis]
    more = {
        "kind": kind, "properties": properties, "regions": regions, "units": table.units,
        "crs_name": block.crs.name, "z_positive": "Depth" if block.crs.depth else "Elevation",
    }  # fmt: skip
    return Common(atoms, xyz, more, notes)


def _mend(text: TextFile, block: Block, errors: str) -> tuple[str, ...]:
    """Part lines such as ``TFACEVRTX 7 ...``, an opener run together with a vertex."""
    mended = 0
    for place, run in enumerate(block.runs):
        joined = _JOINED.fullmatch(run.word)
        if joined is None:
            continue
        if errors == "strict":
            text.fail(
                f"{run.word!r} are two words run together, {joined[1]!r} and {joined[2]!r} on lines of their "
                "own are expected. Part them, or read with errors='skip' to take them so.",
                run.start,
            )
        block.runs[place] = Run(joined[1], run.start, run.stop)
        text.words.rename(run.start, joined[2])
        mended += 1
    return (f"{mended} lines had a word run together with VRTX or ATOM and were parted.",) if mended else ()


def _surface(text: TextFile, block: Block, errors: str) -> Surface:
    common = read_common(text, block, block.stop, KINDS[block.kind], errors)
    table = read_table(text, block, "TRGL_")
    found = read_elements(text, block, block.stop, TRIANGLE, common.atoms, table, errors)
    cells, kept = properties_of(table, found.values)
    notes = (*common.notes, *found.notes, *kept)
    if not len(found.rows):
        notes = (*notes, "the surface has no triangles.")
    triangles = found.rows
    if block.crs.depth:
        triangles = triangles[:, [0, 2, 1]]  # negated z turns the surface over
    more = {**common.more, **units_of(common, table)}
    return Surface(block.name, common.xyz, triangles, found.part, cell_properties=cells, notes=notes, **more)


def units_of(common: Common, cells: Table) -> dict[str, Any]:
    """Units of the values of vertices and elements; those of the vertices count for a name of both."""
    return {"units": {**cells.units, **common.more["units"]}}


def _read_segments(
    text: TextFile, block: Block, atoms: Atoms, errors: str
) -> tuple[Rows, Rows, tuple[str, ...]]:
    """Segments of the polylines; one without any SEG joins its vertices in their order."""
    found = read_elements(text, block, block.stop, SEGMENT, atoms, _NO_TABLE, errors)
    told = text.words.find(block.start, block.stop, SEGMENT.word)
    with_segments = parts_of(text, block, SEGMENT.opener, told)
    part_of_vertex = parts_of(text, block, SEGMENT.opener, atoms.line)
    first = np.arange(max(len(atoms) - 1, 0))
    joined = part_of_vertex[:-1] == part_of_vertex[1:]
    first = first[joined & ~np.isin(part_of_vertex[:-1], with_segments)]
    segments = np.concatenate([found.rows, np.column_stack([first, first + 1])])
    parts = np.concatenate([found.part, part_of_vertex[first]])
    order = np.argsort(parts, kind="stable")
    return segments[order], parts[order], found.notes
