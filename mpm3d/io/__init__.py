"""Readers and writers of geological files."""

from __future__ import annotations

import re
from pathlib import Path

from mpm3d.errors import FormatError
from mpm3d.geometry import Lines, Points, Surface
from mpm3d.io import gocad, raster, table, ubc
from mpm3d.io.files import read_head
from mpm3d.lattice import Voxet

__all__ = ["gocad", "is_gocad", "raster", "read", "table", "ubc"]


def is_gocad(path: str | Path) -> bool:
    """Whether a file has a line ``GOCAD <type>`` near its beginning, gzipped or not."""
    content = read_head(path).replace(b"\0", b"")  # UTF-16 has zeros between the letters
    return re.search(rb"(?im)^\W*GOCAD[ \t]", content) is not None


def read(path: str | Path, *, errors: str = "strict") -> list[Surface | Lines | Points | Voxet]:
    """Read the objects of a file that says what it is, whatever its suffix, gzipped or not.

    Parameters
    ----------
    path : str or Path
        A GoCAD file: TSurf, PLine, VSet, Voxet or groups of them; or a CSV table of points (columns
        x, y, z) or intervals (columns x_from to z_to).
    errors : {"strict", "skip"}
        See `gocad.read_objects`.

    Raises
    ------
    FormatError
        If the file is of another kind or damaged.
    """
    if is_gocad(path):
        return gocad.read_objects(path, errors=errors)
    lines = read_head(path).decode("utf-8", errors="replace").lstrip("\ufeff").splitlines()
    columns = {word.strip().strip('"').lower() for word in lines[0].split(",")} if lines else set()
    if {"x_from", "y_from", "z_from"} <= columns:
        return [table.read_segments(path)]
    if {"x", "y"} <= columns:
        return [table.read_points(path)]
    raise FormatError(
        path,
        "no line 'GOCAD <type> <version>' was found and no columns x, y, z, so this is neither a GoCAD file "
        "nor a table. UBC models are read by io.ubc.read_model, rasters by io.raster.read_raster.",
    )
