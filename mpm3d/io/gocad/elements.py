"""Triangles, segments and tetrahedra of GoCAD text objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpm3d.grid import FloatArray
from mpm3d.io.gocad.atoms import Atoms, lookup
from mpm3d.io.gocad.content import Rows
from mpm3d.io.gocad.lines import Block, TextFile, slabs
from mpm3d.io.gocad.tables import Table


@dataclass(frozen=True)
class Shape:
    """Keywords of the elements of one kind of object, and what a reader calls them."""

    word: str
    corners: int
    opener: str
    what: str


TRIANGLE = Shape("TRGL", 3, "TFACE", "triangles")
SEGMENT = Shape("SEG", 2, "ILINE", "segments")
TETRAHEDRON = Shape("TETRA", 4, "TVOLUME", "tetrahedra")


@dataclass(frozen=True)
class Elements:
    """Rows of vertices ``(m, corners)``, the part of each, values ``(width, m)`` and line indices."""

    rows: Rows
    part: Rows
    values: FloatArray
    line: Rows
    notes: tuple[str, ...] = ()


def parts_of(text: TextFile, block: Block, opener: str, line: Rows) -> Rows:
    """Number of the part in which each line is; those before the first opener are in it too."""
    starts = np.array([run.start for run in block.find(opener)], dtype=np.int64)
    # a line that the opener was run together with belongs to it
    return np.maximum(np.searchsorted(starts, line, side="right") - 1, 0).astype(np.int64)


def read_elements(
    text: TextFile, block: Block, stop: int, shape: Shape, atoms: Atoms, table: Table, errors: str
) -> Elements:
    """Read the elements before line ``stop`` with their values.

    Raises
    ------
    FormatError
        If one has an unknown vertex; with ``errors="skip"`` it is left out instead.
    """
    line, width = text.words.find(block.start, stop, shape.word), shape.corners + table.width
    rows, known = np.empty((len(line), shape.corners), np.int64), np.empty(len(line), bool)
    values, short = table.empty(text, len(line)), 0
    for some in slabs(len(line), width):
        data, lacking = text.table(line[some], width, shape.corners)
        rows[some], known[some] = lookup(text, atoms, data[:, : shape.corners], line[some], errors)
        values[:, some] = data[:, shape.corners :].T
        short += lacking
    notes = []
    if short:
        notes.append(
            f"{short} {shape.what} have fewer values than the {table.width} of {table.prefix}PROPERTIES, "
            "the last are missing."
        )
    if not known.all():
        notes.append(f"{int((~known).sum())} {shape.what} with unknown vertices were left out.")
        rows, values, line = rows[known], values[:, known], line[known]
    return Elements(rows, parts_of(text, block, shape.opener, line), values, line, tuple(notes))
