"""GoCAD volumes of tetrahedra: TSolid and LightTSolid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mpm3d.geometry import Tetrahedra
from mpm3d.grid import FloatArray
from mpm3d.io.gocad.content import Rows
from mpm3d.io.gocad.elements import TETRAHEDRON, Elements, read_elements
from mpm3d.io.gocad.lines import Block, TextFile, split_words
from mpm3d.io.gocad.tables import properties_of, read_table
from mpm3d.io.gocad.text import read_common, units_of

KINDS = {"tsolid": "TSolid", "lighttsolid": "LightTSolid"}
# volumes are named in a note up to this many
_FEW = 20
_LINES = 1 << 16


def read_solid(text: TextFile, block: Block, errors: str) -> Tetrahedra:
    """Make a body of one TSolid or LightTSolid.

    Its parts are the volumes (TVOLUME), or the regions that the remarks ``# CTETRA name ...`` of a
    LightTSolid give to its tetrahedra. Corners are put in the order that makes the volume positive. The
    surfaces of the model that bounds the volumes (MODEL) are left out.

    Raises
    ------
    FormatError
        If it is damaged; with ``errors="skip"`` what refers to nothing is left out instead.
    """
    model = block.find("MODEL")
    stop = model[0].start if model else block.stop
    common = read_common(text, block, stop, KINDS[block.kind], errors)
    table = read_table(text, block, "TETRA_")
    found = read_elements(text, block, stop, TETRAHEDRON, common.atoms, table, errors)
    cells, kept = properties_of(table, found.values)
    part, named = _parts(text, block, stop, found)
    rows = found.rows
    if block.crs.depth:
        rows = rows[:, [0, 2, 1, 3]]  # negated z mirrors the volumes
    rows, turned = _turned(common.xyz, rows)
    notes = (*common.notes, *found.notes, *kept, *named, *turned, *_left_out(text, block))
    more = {**common.more, **units_of(common, table)}
    return Tetrahedra(block.name, common.xyz, rows, part, cell_properties=cells, notes=notes, **more)


def _parts(text: TextFile, block: Block, stop: int, found: Elements) -> tuple[Rows, tuple[str, ...]]:
    """Part of each tetrahedron, and the names of the parts in a sentence."""
    remarks = _remarks(text, block.start, stop) if block.kind == "lighttsolid" else {}
    owner = np.searchsorted(found.line, np.array(list(remarks), dtype=np.int64)) - 1
    if not len(found.line) or not np.array_equal(owner, np.arange(len(found.line))):
        names = [" ".join(text.tokens(run.start)) for run in block.find(TETRAHEDRON.opener)]
        return found.part, _names(names) if any(names) else ()
    number = {name: k for k, name in enumerate(dict.fromkeys(remarks.values()))}
    return np.array([number[name] for name in remarks.values()], dtype=np.int64), _names(list(number))


def _remarks(text: TextFile, start: int, stop: int) -> dict[int, str]:
    """Region by line index of the remarks ``# CTETRA region ...`` behind the tetrahedra."""
    found = {}
    for first in range(start, stop, _LINES):
        for index, line in enumerate(text.lines[first : min(first + _LINES, stop)], start=first):
            if line.startswith("# CTETRA "):
                found[index] = "".join(split_words(line)[2:3])
    return found


def _names(names: Sequence[str]) -> tuple[str, ...]:
    told = ", ".join(f"{k} is {name!r}" for k, name in enumerate(names[:_FEW]))
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return (f"the parts are named in the file: {told}{more}.",)


def _turned(xyz: FloatArray, rows: Rows) -> tuple[Rows, tuple[str, ...]]:
    """Tetrahedra of positive volume, and how many were not."""
    notes = []
    # divided by a power of two, which changes no digit, so that no product overflows
    size = 2.0 ** np.ceil(np.log2(np.abs(xyz).max(initial=1.0)))
    a, b, c, d = (xyz[rows[:, k]] / size for k in range(4))
    volume = np.einsum("ij,ij->i", np.cross(b - a, c - a), d - a)
    turn = volume < 0
    if turn.any():
        rows = np.where(turn[:, None], rows[:, [0, 2, 1, 3]], rows)
        notes.append(
            f"{int(turn.sum())} of {len(rows)} tetrahedra had their corners in the opposite order and were "
            "turned, so that all volumes are positive."
        )
    flat = int(np.count_nonzero(volume == 0))
    if flat:
        notes.append(f"{flat} tetrahedra have no volume and were kept.")
    return rows, tuple(notes)


def _left_out(text: TextFile, block: Block) -> tuple[str, ...]:
    notes = []
    if block.find("MODEL"):
        count = {word: len(block.find(word)) for word in ("SURFACE", "TFACE", "MODEL_REGION")}
        notes.append(
            f"the model that bounds the volumes was not read: {count['SURFACE']} surfaces of "
            f"{count['TFACE']} faces, {count['MODEL_REGION']} regions."
        )
    names = [" ".join(text.tokens(run.start)[:1]) for run in block.find("TETRA_REGION")]
    if names:
        notes.append(f"the regions of the tetrahedra were not read: {', '.join(map(repr, names[:_FEW]))}.")
    return tuple(notes)
