"""Grids written as text: Surfer's DSAA and ESRI's ASCII grids, every number of them checked.

GDAL reads both, but takes a number that is missing or no number for 0, or moves the ones behind it up.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from mpm3d.errors import FormatError
from mpm3d.grid import FloatArray
from mpm3d.io.files import read_text, stem_of, to_count, to_number
from mpm3d.io.mapgrid import crs_notes, known_crs, suspect_codes
from mpm3d.lattice import Raster

# values from here on are blanks of Surfer
SURFER_BLANK = 1.70141e38
SURFER_LAYOUT = (
    "From the south-western point, x fastest, then north. The values are of points; cells reach half a step "
    "around them, so bounds are half a cell wider."
)
_LARGEST = 1e12
_HEADER = re.compile(r"\s*([A-Za-z_]+)\s+(\S+)\s*")
_SIDECAR = 1 << 16


def matches(head: bytes) -> bool:
    """Whether the first bytes are those of a DSAA or an ESRI ASCII grid."""
    return re.match(rb"(?:\xef\xbb\xbf)?(?:DSAA\s|(?i:\s*ncols\s+\d))", head) is not None


def read_grid(path: str | Path) -> Raster:
    """Read a DSAA or an ESRI ASCII grid.

    Parameters
    ----------
    path : str or Path
        The file, gzipped or not. The coordinate system of an ESRI grid is taken from the ``.prj`` beside it.

    Returns
    -------
    Raster
        One value, 64-bit, named like the file; blanks are NaN.

    Raises
    ------
    FormatError
        If the header is damaged, a value is not a number, or there are fewer or more than the header counts.

    References
    ----------
    Golden Software: Surfer 6 text grid file format. ESRI: ASCII raster format.
    """
    path = Path(path)
    lines = read_text(path).split("\n")
    return _surfer(path, lines) if lines[0].startswith("DSAA") else _esri(path, lines)


def read_numbers(
    path: Path, lines: list[str], start: int, count: int, *, comments: str = "", dummy: str = ""
) -> FloatArray:
    """Numbers of the lines from ``start`` on, which must be so many.

    Parameters
    ----------
    path : Path
        The file, for errors.
    lines : list of str
        All lines of the file.
    start : int
        Index of the first line with numbers.
    count : int
        How many there must be.
    comments : str
        Letters that begin lines without numbers.
    dummy : str
        A word that stands for NaN though it is no number.

    Raises
    ------
    FormatError
        If a word is no number, or there are fewer or more.
    """
    room = sum((len(line) + 1) // 2 for line in lines[start:])
    if count > room:
        _fail_count(path, count, f"the lines from there on have room for {room} at most", start)
    found = array("d")
    for number, line in enumerate(lines[start:], start=start + 1):
        words = line.replace(",", " ").split()
        if not words or words[0][0] in comments:
            continue
        try:
            if "_" in line:
                raise ValueError
            found.extend(list(map(float, words)))  # all of a line or none
        except ValueError:
            found.extend(_number(path, word, dummy, number) for word in words)
    if len(found) != count:
        _fail_count(path, count, f"there are {len(found)}", start)
    values = np.array(found)
    values[~np.isfinite(values)] = np.nan
    return values


def _fail_count(path: Path, count: int, there: str, start: int) -> NoReturn:
    raise FormatError(
        path,
        f"the header counts {count} values, {there}. The file is truncated or a count is wrong.",
        start + 1,
    )


def _number(path: Path, word: str, dummy: str, line: int) -> float:
    """Value of a word that is no plain number: a dummy of letters, quotes or a Fortran exponent."""
    word = word.strip('"')
    if dummy and word == dummy:
        return float("nan")
    try:
        return to_number(word)
    except ValueError:
        raise FormatError(
            path, f"{word[:40]!r} is not a number, the values of a grid are needed.", line
        ) from None


def is_code(values: FloatArray, word: str) -> NDArray[np.bool_]:
    """Where values are the number that a word gives; nowhere if it is none.

    Large codes come back from 32-bit floats, or with fewer digits, as their neighbours, which count too.
    """
    try:
        code = to_number(word)
    except ValueError:
        return np.zeros(values.shape, dtype=bool)
    return np.asarray(np.isclose(values, code, rtol=1e-6 if abs(code) > 1e10 else 0, atol=0))


def _surfer(path: Path, lines: list[str]) -> Raster:
    """``DSAA``, counts along x and y, the ranges of x, y and the values; then rows from the south."""
    words: list[tuple[str, int]] = []
    row = 0
    while len(words) < 9 and row < len(lines):
        words += [(word, row + 1) for word in lines[row].split()]
        row += 1
    if len(words) < 9:
        raise FormatError(path, "the header of a DSAA grid is 2 counts and 6 numbers. It is truncated.", row)
    nx, ny = (_count(path, *word) for word in words[1:3])
    west, east, south, north = (_finite(path, *word) for word in words[3:7])
    lines[row - 1] = " ".join(word for word, _ in words[9:])
    values = read_numbers(path, lines, row - 1, nx * ny).reshape(ny, nx)
    x, y = _nodes(path, "x", west, east, nx), _nodes(path, "y", south, north, ny)
    with np.errstate(invalid="ignore"):
        values[values >= SURFER_BLANK] = np.nan
    return Raster(
        stem_of(path), y, x, {stem_of(path): values}, kind="Surfer grid", layout=SURFER_LAYOUT,
        first_centre=(float(x[0]), float(y[0])),
    )  # fmt: skip


def _nodes(path: Path, axis: str, low: float, high: float, count: int) -> FloatArray:
    if count > 1 and not low < high:
        raise FormatError(path, f"{axis} goes from {low:g} to {high:g}, it must ascend in a DSAA grid.", 3)
    return np.linspace(low, high, count)


def _count(path: Path, word: str, line: int) -> int:
    value = to_count(word)
    if not value:
        raise FormatError(path, f"{word[:40]!r} is no count of rows or columns above 0.", line)
    return value


def _finite(path: Path, word: str, line: int) -> float:
    try:
        value = to_number(word)
    except ValueError:
        value = np.nan
    if not abs(value) < _LARGEST:
        raise FormatError(path, f"{word[:40]!r} is no coordinate or size, finite numbers are needed.", line)
    return value


def _esri(path: Path, lines: list[str]) -> Raster:
    """Keywords with a value each, then rows from the north."""
    header: dict[str, tuple[str, int]] = {}
    row = 0
    while row < len(lines) and (not lines[row].strip() or _HEADER.fullmatch(lines[row])):
        found = _HEADER.fullmatch(lines[row])
        row += 1
        if found:
            header[found.group(1).lower()] = (found.group(2), row)
    ny, nx = (_count(path, *_needed(path, header, [key])) for key in ("nrows", "ncols"))
    dx = _finite(path, *_needed(path, header, ["dx", "cellsize"]))
    dy = _finite(path, *_needed(path, header, ["dy", "cellsize"]))
    if min(dx, dy) <= 0:
        raise FormatError(path, f"cells are {dx:g} × {dy:g}, sizes above 0 are needed.")
    x0 = _finite(path, *_needed(path, header, ["xllcorner", "xllcenter"]))
    y0 = _finite(path, *_needed(path, header, ["yllcorner", "yllcenter"]))
    values = read_numbers(path, lines, row, nx * ny).reshape(ny, nx)[::-1]
    code, _ = header.get("nodata_value", ("", 0))
    values[is_code(values, code)] = np.nan
    x = x0 + (np.arange(nx) + (0.5 if "xllcorner" in header else 0)) * dx
    y = y0 + (np.arange(ny) + (0.5 if "yllcorner" in header else 0)) * dy
    name, crs = stem_of(path), _prj(path)
    return Raster(
        name, y, x, {name: values}, kind="raster", crs_name=crs, first_centre=(float(x[0]), float(y[-1])),
        layout="From the north-western cell, x fastest, then south. The values are of cells.",
        notes=(*(() if code else suspect_codes(name, values)), *crs_notes(crs)),
    )  # fmt: skip


def _needed(path: Path, header: dict[str, tuple[str, int]], keys: Iterable[str]) -> tuple[str, int]:
    for key in keys:
        if key in header:
            return header[key]
    names = " or ".join(keys)
    raise FormatError(path, f"the header has no {names}. There are: {', '.join(header) or 'none'}.")


def _prj(path: Path) -> str:
    """Coordinate system of the ``.prj`` beside a grid, if pyproj knows it."""
    try:
        with path.with_name(f"{stem_of(path)}.prj").open("rb") as file:
            text = file.read(_SIDECAR).decode("latin-1").strip()
    except OSError:
        return ""
    crs = known_crs(text) if text else None
    code = None if crs is None else crs.to_epsg()
    return "" if crs is None else (crs.to_wkt() if code is None else f"EPSG:{code}")
