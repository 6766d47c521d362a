"""GoCAD ASCII files: surfaces, polylines, points, solids, voxets, grids and wells, read and written."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path

from mpm3d.geometry import Body
from mpm3d.io.gocad.lines import Block, TextFile, read_blocks
from mpm3d.io.gocad.sentinels import drop_sentinels
from mpm3d.io.gocad.sgrid import read_sgrid
from mpm3d.io.gocad.solid import KINDS as SOLIDS
from mpm3d.io.gocad.solid import read_solid
from mpm3d.io.gocad.text import KINDS, read_text_object
from mpm3d.io.gocad.voxet import read_voxet, verify
from mpm3d.io.gocad.voxet_write import write_voxet
from mpm3d.io.gocad.well import read_well
from mpm3d.io.gocad.well_write import write_wells
from mpm3d.io.gocad.write_objects import write_lines, write_points, write_surfaces, write_tetrahedra
from mpm3d.io.options import Options

__all__ = [
    "drop_sentinels",
    "matches",
    "read_bodies",
    "read_objects",
    "verify",
    "write_lines",
    "write_points",
    "write_surfaces",
    "write_tetrahedra",
    "write_voxet",
    "write_wells",
]
_log = logging.getLogger(__name__)
_WITH_FILES: dict[str, Callable[[TextFile, Block, Options], Body]] = {
    "voxet": read_voxet, "sgrid": read_sgrid, "well": read_well,
}  # fmt: skip
_READ = "TSurf, PLine, VSet, TSolid, LightTSolid, Voxet, SGrid, Well and groups of them are"
# what to export instead of objects that hold something else
_INSTEAD = {
    "gsurf": "A GSurf is a surface of a regular grid: make a TSurf of it in GoCAD, or export it as a raster.",
    "grid2d": "A Grid2D is a surface of a regular grid: make a TSurf of it, or export it as a raster.",
    "model3d": "A Model3d is the regions between surfaces: export its surfaces as TSurf or its regions as "
    "TSolid.",
    "frame3d": "Export the points of the frame as a VSet.",
    "xsection": "Export what lies on the section as PLine and VSet.",
    "channel": "Export its boundary as a TSurf.",
    "group": "Export it as a HeterogeneousGroup, whose members are read.",
}


def matches(path: Path, head: bytes) -> bool:
    """Whether the first bytes of a file, unpacked, have a line ``GOCAD <type>``."""
    # UTF-16 has zeros between the letters
    return re.search(rb"(?im)^\W{0,8}GOCAD[ \t]+\w", head.replace(b"\0", b"")) is not None


def read_bodies(path: Path, options: Options) -> list[Body]:
    """Read everything in a GoCAD file; see `read_objects`."""
    text = TextFile(path)
    found: list[Body] = []
    for block in read_blocks(text):
        body = _read_block(text, block, options)
        if body is not None:
            found.append(body)
    return found


def read_objects(
    path: str | Path, *, errors: str = "strict", byte_order: str = "big", outside: bool = False
) -> list[Body]:
    """Read the objects of a GoCAD file, those of groups among them, in the order of the file.

    Lengths in feet or kilometres become metres and depths elevations; the ``notes`` of each object say so.
    An ATOM without values of its own has those of the vertex that it repeats. A name that is missing is the
    name of the file. The bookkeeping of borders (BSTONE, BORDER) follows from the triangles and is not kept.
    Large files may be gzipped, whatever their suffix.

    Parameters
    ----------
    path : str or Path
        File that holds TSurf, PLine, VSet, TSolid, LightTSolid, Voxet, SGrid or Well objects, or groups of
        them.
    errors : {"strict", "skip"}
        ``"skip"`` leaves out elements with unknown vertices, vertices without finite coordinates,
        properties whose data cannot be read and objects of other types, parts words that were run together
        (``TFACEVRTX``), and notes (or for whole objects, logs) it. Everything else that is damaged is an
        error in any case.
    byte_order : {"big", "little"}
        Of binary values. GoCAD writes ``"big"`` always; a note tells if the other fits better.
    outside : bool
        Whether a header may name data files outside its own folder.

    Returns
    -------
    list of Surface, Lines, Points, Tetrahedra, Voxet, StructuredGrid or Well
        Sentinel elevations such as -99999 are still there: see `drop_sentinels`.

    Raises
    ------
    FormatError
        With the line, if the file is not what it claims to be.
    """
    return read_bodies(Path(path), Options(errors=errors, byte_order=byte_order, outside=outside))


def _read_block(text: TextFile, block: Block, options: Options) -> Body | None:
    if block.kind in KINDS:
        return read_text_object(text, block, options.errors)
    if block.kind in SOLIDS:
        return read_solid(text, block, options.errors)
    if block.kind in _WITH_FILES:
        return _WITH_FILES[block.kind](text, block, options)
    _refuse(text, block, options.errors)
    return None


def _refuse(text: TextFile, block: Block, errors: str) -> None:
    reason = (
        f"the object {block.name!r} is of the type {block.label!r}, which is not read; {_READ}. "
        f"{_INSTEAD.get(block.kind, 'Export it as one of these.')} Or read with errors='skip' to leave it "
        "out."
    )
    if errors == "strict":
        text.fail(reason, block.start)
    _log.warning("%s, line %d: %s", text.path.name, block.start + 1, reason)
