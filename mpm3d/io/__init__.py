"""Readers and writers of geological files; `read` takes any of them."""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mpm3d.errors import FormatError
from mpm3d.geometry import Body
from mpm3d.io.files import read_head, to_number
from mpm3d.io.options import Options

if TYPE_CHECKING:
    from mpm3d.io import (
        blocks_table,
        drillholes,
        geosoft,
        gocad,
        gxf,
        leapfrog,
        modem,
        omf,
        raster,
        resistivity,
        table,
        ubc,
        vtk,
    )

__all__ = [
    "FORMATS",
    "Options",
    "blocks_table",
    "drillholes",
    "format_of",
    "geosoft",
    "gocad",
    "gxf",
    "is_gocad",
    "leapfrog",
    "modem",
    "omf",
    "raster",
    "read",
    "resistivity",
    "table",
    "ubc",
    "vtk",
]  # fmt: skip

# Modules and what they read, in the order in which they are asked: first what begins with a mark of its own,
# then what is known by its words, last what is only numbers or columns.
FORMATS = {
    "gocad": "GoCAD objects",
    "omf": "OMF projects",
    "leapfrog": "Leapfrog meshes",
    "vtk": "VTK files",
    "geosoft": "Geosoft grids",
    "gxf": "GXF grids",
    "raster": "rasters (GeoTIFF, Surfer, ER Mapper, ASCII grids, classic netCDF)",
    "modem": "ModEM models",
    "ubc": "UBC-GIF meshes, models and observation locations",
    "drillholes": "drillhole tables",
    "resistivity": "resistivity tables",
    "blocks_table": "block model tables",
    "table": "tables of points and intervals",
}
# Files that many have beside those that are read: how they begin, and what to do instead.
_STRANGERS = (
    (rb"PK\x03\x04", "It is a zip archive or an office document: unpack it, or export the sheet as CSV"),
    (rb"\x89HDF|CDF\x05", "It is an HDF5 or netCDF file: export what you need as GeoTIFF, VTK or CSV"),
    (rb"\x00\x00\x27\x0a", "It is a shapefile: export it as CSV with the columns x, y, z"),
    (rb"\s*0\r?\n\s*SECTION", "It is a DXF drawing: export it as GoCAD, OMF or VTK"),
    (
        rb"%PDF|\x89PNG|\xff\xd8\xff",
        "It is a document or a picture without a place: export the data behind it",
    ),
)
_MOST_BESIDE = 300  # files of a folder that are looked at for one that belongs to the unknown one


def __getattr__(name: str) -> ModuleType:
    if name in FORMATS:
        return _module(name)
    raise AttributeError(f"module 'mpm3d.io' has no attribute {name!r}. It has {', '.join(__all__)}.")


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"mpm3d.io.{name}")


def is_gocad(path: str | Path) -> bool:
    """Whether a file has a line ``GOCAD <type>`` near its beginning, gzipped or not."""
    content = read_head(path).replace(b"\0", b"")  # UTF-16 has zeros between the letters
    return re.search(rb"(?im)^\W*GOCAD[ \t]", content) is not None


def format_of(path: str | Path) -> str | None:
    """Name of the module of ``mpm3d.io`` that reads a file, by what is in it; None if there is none.

    Parameters
    ----------
    path : str or Path
        A file, gzipped or not.

    Raises
    ------
    FormatError
        If its compressed content is damaged.
    """
    path = Path(path)
    head = read_head(path)
    # GoCAD names its data files so, and some hold rows of numbers that pass for a table
    asked = ["gocad"] if path.name.endswith("@@") else FORMATS
    for name in asked if head else ():
        if _module(name).matches(path, head):
            return name
    return None


def read(path: str | Path, options: Options | None = None, **choices: Any) -> list[Body]:
    """Read everything in a file that says what it is, whatever its suffix, gzipped or not.

    Parameters
    ----------
    path : str or Path
        A file of GoCAD (surfaces, lines, points, wells, voxets, grids, tetrahedra, groups), UBC-GIF, ModEM,
        OMF, VTK, Leapfrog, Geosoft, GXF or Surfer, another raster, or a table.
    options : Options, optional
        How it is to be read where it leaves a choice.
    **choices
        Single choices of `Options`, such as ``errors="skip"`` or ``mesh="mesh.msh"``.

    Returns
    -------
    list of geometry.Body
        Coordinates in metres, elevation up; ``notes`` say what was decided and converted.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FormatError
        If it is empty, a folder, of a kind that is not read, or damaged.
    ValueError
        If a choice is not known.
    """
    options = replace(options or Options(), **choices)
    path = Path(path)
    _check_file(path)
    name = format_of(path)
    if name is None and options.mesh is not None:
        name = "ubc"
    if name is None:
        raise FormatError(path, _not_known(path))
    found: list[Body] = _module(name).read_bodies(path, options)
    return found


def _check_file(path: Path) -> None:
    """Refuse what is no file with something in it."""
    if path.is_dir():
        raise FormatError(path, _about_folder(path))
    if not path.exists():
        raise FileNotFoundError(f"there is no file {str(path)!r}.{_meant(path)}")
    if not path.is_file():
        raise FormatError(path, "this is a device or a pipe, a file on a disk is needed. Save it first.")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise FormatError(
            path, f"the file cannot be opened ({error.strerror or error}). Check that you may read it."
        ) from error
    if empty:
        raise FormatError(path, "the file is empty. Export or download it again.")


def _meant(path: Path) -> str:
    """Names in the folder that are spelled nearly so."""
    if not path.parent.is_dir():
        return f" There is no folder {str(path.parent)!r} either."
    near = difflib.get_close_matches(path.name, [other.name for other in path.parent.iterdir()], 3, 0.8)
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else " Check the name and the folder."


def _about_folder(path: Path) -> str:
    if path.suffix == ".zarr" or any((path / name).exists() for name in ("zarr.json", ".zgroup", ".zarray")):
        return (
            "this is a Zarr folder, not a file. Open it with xarray.open_zarr, or make a file of it: "
            "mpm3d convert."
        )
    return "this is a folder. Name the files in it instead."


def _not_known(path: Path) -> str:
    """What can be said of a file that nothing reads, and which one to open instead."""
    head = read_head(path)
    begins = _begins(path, head)
    for mark, advice in _STRANGERS:
        if re.match(mark, head):
            return f"{begins}, which is not a format that is read. {advice}."
    owner = _owner(path)
    if owner is not None:
        return f"{begins}. It seems to belong to {owner.name!r} beside it: open that file instead."
    columns = re.split("[,;]", _first_line(head))
    if len(columns) > 2 and all(columns) and not any(_is_number(word) for word in columns):
        return (
            f"{begins}. If it is a table, no columns of a place in metres were found: name them x, y and z "
            "in its first line."
        )
    beside = [other.name for other in _beside(path)]
    if beside:
        shown = ", ".join(map(repr, beside[:4])) + (" and others" if len(beside) > 4 else "")
        return f"{begins}, which is not a format that is read. Beside it {shown} can be opened."
    return f"{begins}, which is not a format that is read. These are: {', '.join(FORMATS.values())}."


def _is_number(word: str) -> bool:
    try:
        to_number(word)
    except ValueError:
        return False
    return True


def _begins(path: Path, head: bytes) -> str:
    line = _first_line(head)[:40]
    shown = repr(line) if line else f"the bytes {head[:8].hex(' ')}"
    return f"it begins with {shown} and is {path.stat().st_size:,} bytes"


def _first_line(head: bytes) -> str:
    """First line of a text that has words, each blank one space; empty for binary content."""
    if b"\0" in head[:200]:
        return ""
    head = head.removeprefix(b"\xef\xbb\xbf")  # else the place of an error is counted after the mark
    try:
        text = head[:2000].decode().strip()
    except UnicodeDecodeError as error:
        # a letter may be cut at the end, and Latin-1 has few letters beyond ASCII
        text = head[: error.start].decode().strip() if error.start > 20 else ""
    line = " ".join(text.split("\n", 1)[0].split())
    return line if line.isprintable() else ""


def _beside(path: Path) -> Iterator[Path]:
    """Files in the same folder that can be read, by name."""
    others = sorted(other for other in path.parent.iterdir() if other != path and other.is_file())
    for other in others[:_MOST_BESIDE]:
        try:
            known = format_of(other)
        except (OSError, FormatError):
            continue
        if known is not None:
            yield other


def _owner(path: Path) -> Path | None:
    """The file in the same folder that names this one in its header, or whose name this one extends."""
    names = {path.name.encode(), path.name.encode("latin-1", errors="replace")}
    for other in _beside(path):
        same = path.name.startswith((f"{other.name}.", f"{other.stem}.")) or other.stem == path.name
        if same or any(name in read_head(other) for name in names):
            return other
    return None
