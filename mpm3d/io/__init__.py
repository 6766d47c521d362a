"""Readers and writers of geological files."""

from __future__ import annotations

import re
from pathlib import Path

from mpm3d.errors import FormatError
from mpm3d.geometry import Lines, Points, Surface, Voxet
from mpm3d.io import gocad, raster, table, ubc
from mpm3d.io.files import read_head

__all__ = ["gocad", "raster", "read", "table", "ubc"]


def read(path: str | Path, *, errors: str = "strict") -> list[Surface | Lines | Points | Voxet]:
    """Read the objects of a file that says what it is, whatever its suffix, gzipped or not.

    Parameters
    ----------
    path : str or Path
        A GoCAD file: TSurf, PLine, VSet, Voxet or groups of them.
    errors : {"strict", "skip"}
        See `gocad.read_objects`.

    Raises
    ------
    FormatError
        If the file is of another kind or damaged.
    """
    content = read_head(path).replace(b"\0", b"")  # UTF-16 has zeros between the letters
    if re.search(rb"(?im)^\W*GOCAD[ \t]", content) is None:
        raise FormatError(
            path,
            "no line 'GOCAD <type> <version>' was found, so this is not a GoCAD file. UBC models are read by "
            "io.ubc.read_model, rasters by io.raster.read_raster, tables by io.table.read_points and "
            "io.table.read_segments.",
        )
    return gocad.read_objects(path, errors=errors)
