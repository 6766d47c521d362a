"""GoCAD ASCII files: surfaces, polylines, points and voxets, read and written."""

from __future__ import annotations

import logging
from pathlib import Path

from mpm3d.geometry import Lines, Points, Surface
from mpm3d.io.gocad.lines import Block, TextFile, read_blocks
from mpm3d.io.gocad.sentinels import drop_sentinels
from mpm3d.io.gocad.text import KINDS, read_text_object
from mpm3d.io.gocad.voxet import read_voxet
from mpm3d.io.gocad.write import write_lines, write_points, write_surfaces, write_voxet
from mpm3d.lattice import Voxet

__all__ = [
    "drop_sentinels",
    "read_objects",
    "write_lines",
    "write_points",
    "write_surfaces",
    "write_voxet",
]
_log = logging.getLogger(__name__)


def read_objects(
    path: str | Path, *, errors: str = "strict", byte_order: str = "big"
) -> list[Surface | Lines | Points | Voxet]:
    """Read the objects of a GoCAD file, those of groups among them, in the order of the file.

    Lengths in feet or kilometres become metres and depths elevations; the ``notes`` of each object say so.
    An ATOM without values of its own has those of the vertex that it repeats. A name that is missing is the
    name of the file. Large files may be gzipped, whatever their suffix.

    Parameters
    ----------
    path : str or Path
        File that holds TSurf, PLine, VSet or Voxet objects, or groups of them.
    errors : {"strict", "skip"}
        ``"skip"`` leaves out triangles and segments with unknown vertices, vertices without finite
        coordinates, properties whose data cannot be read and objects of other types, and notes (or for
        whole objects, logs) it. Everything else that is damaged is an error in any case.
    byte_order : {"big", "little"}
        Of the binary values of voxets. GoCAD writes ``"big"`` always; a note tells if the other fits better.

    Returns
    -------
    list of Surface, Lines, Points or Voxet
        Sentinel elevations such as -99999 are still there: see `drop_sentinels`.

    Raises
    ------
    FormatError
        With the line, if the file is not what it claims to be.
    """
    if errors not in ("strict", "skip"):
        raise ValueError(f"errors={errors!r} is not known, use 'strict' or 'skip'.")
    if byte_order not in ("big", "little"):
        raise ValueError(f"byte_order={byte_order!r} is not known, use 'big' or 'little'.")
    text = TextFile(path)
    found: list[Surface | Lines | Points | Voxet] = []
    for block in read_blocks(text):
        if block.kind in KINDS:
            found.append(read_text_object(text, block, errors))
        elif block.kind == "voxet":
            found.append(read_voxet(text, block, errors, byte_order))
        else:
            _refuse(text, block, errors)
    return found


def _refuse(text: TextFile, block: Block, errors: str) -> None:
    reason = (
        f"the object {block.name!r} is of the type {block.label!r}, which is not read yet; TSurf, PLine, "
        "VSet, Voxet and groups of them are. Export it as one of these, or read with errors='skip' to leave "
        "it out."
    )
    if errors == "strict":
        text.fail(reason, block.start)
    _log.warning("%s, line %d: %s", text.path.name, block.start + 1, reason)
