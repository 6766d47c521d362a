"""Resistivity as text: rows of x, y, z, resistivity, as WinGLink, mtpy and others export their models."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.geometry import Body, Points
from mpm3d.grid import FloatArray
from mpm3d.io.files import head_text, read_text, stem_of, to_number
from mpm3d.io.options import Options
from mpm3d.io.rows import numbers, table_of
from mpm3d.lattice import PropertyModel

KIND = "resistivity table"
LAYOUT = "One row x, y, z, resistivity for each cell, at its centre; cells end midway between centres."
_HEAD = 1 << 16
_MOST_HEADER = 30
_WIDE = 1e9
_AIR = 1e12
_MARKS = "#!%/*"
# beginnings of the names of columns, in small letters
_NAMES = {
    "x": ("x", "e", "east", "easting"),
    "y": ("y", "n", "north", "northing"),
    "z": ("z", "elev", "elevation", "rl", "height", "altitude"),
    "depth": ("depth", "dep", "tvd"),
    "geographic": ("lon", "long", "longitude", "lat", "latitude"),
}
_RESISTIVITY = (
    "rho", "res", "resistivity", "resistivities", "ohm", "ohmm", "logrho", "logres", "log10rho", "log10res",
    "logresistivity", "log10resistivity",
)  # fmt: skip


@dataclass(frozen=True)
class _Table:
    """What stands above the rows, and where they are."""

    names: tuple[str, ...]
    columns: int
    start: int
    line: int
    separated: bool  # names stand in a line without a mark of comment, between commas or tabs
    said: bool  # resistivity is named


def matches(path: Path, head: bytes) -> bool:
    """Whether a file is a table of resistivities: named so, or four columns whose places make a lattice.

    Tables with a header of columns between commas, semicolons or tabs are left to the tables of points.
    """
    text = head_text(head)
    if "\0" in text:
        return False
    whole = len(head) < _HEAD
    if not whole:  # the last line may be cut
        text = text[: text.rfind("\n") + 1]
    table = _begin(text)
    if table is None or table.separated or not (table.columns == 4 or table.said):
        return False
    try:
        found = numbers(path, _plain(text[table.start :]))
    except FormatError:
        return False
    if len(found) % table.columns or len(found) < 2 * table.columns:
        return False
    return table.said or (not table.names and _like_lattice(found.reshape(-1, 4), whole))


def _like_lattice(rows: FloatArray, whole: bool) -> bool:
    """Whether places repeat along all axes as those of a lattice, and the last column is above 0."""
    if len(rows) < 8 or not np.all(np.isfinite(rows)) or rows[:, 3].min() <= 0:
        return False
    nx, ny, nz = (len(np.unique(column)) for column in rows[:, :3].T)
    if whole:
        return nx * ny * nz == len(rows) and nz > 1
    return nx * ny * nz <= 2 * len(rows)


def read_bodies(path: str | Path, options: Options) -> list[Body]:
    """Read the table of a file, see `read_table`."""
    return [read_table(path, z_positive=options.z_positive)]


def read_table(
    path: str | Path, *, z_positive: str | None = None, scale: str | None = None
) -> PropertyModel | Points:
    r"""Read resistivities in ohm.m at places.

    Parameters
    ----------
    path : str or Path
        Rows of x, y, z, resistivity between blanks, tabs, commas or semicolons. Lines of comment (``#``,
        ``!``, ``%``, ``/``, ``*``) and one of names may stand above; names give their order, ``depth`` says
        that z is positive down, ``log`` that resistivities are decimal logarithms. Without names columns
        are east, north, z, resistivity. May be gzipped.
    z_positive : {"up", "down"}, optional
        Whether z is an elevation or a depth, which is turned into an elevation. By default what the names
        say, else an elevation; a note says so if it looks like a depth.
    scale : {"linear", "log10"}, optional
        Whether resistivities are as they are or decimal logarithms. By default what the names say, else as
        they are.

    Returns
    -------
    PropertyModel or Points
        A model where the places are a complete lattice, equal or unequal spacings: cells end midway between
        neighbouring centres, the outermost reach as far outwards as inwards. Else points. NaN in the air
        (1e12 ohm.m and more) and where resistivity is not above 0.

    Raises
    ------
    FormatError
        If rows are not numbers or differ in length, a coordinate is not finite, or places are degrees.
    ValueError
        If a choice is not known.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "mt.xyz"
    >>> _ = path.write_text("x y depth rho\n0 0 10 100\n20 0 10 30\n0 50 10 5\n20 50 10 7\n")
    >>> read_table(path).bounds
    (-10.0, -25.0, -20.0, 30.0, 75.0, 0.0)
    """
    if z_positive not in (None, "up", "down"):
        raise ValueError(f"z_positive={z_positive!r} is not known, use 'up' or 'down'.")
    if scale not in (None, "linear", "log10"):
        raise ValueError(f"scale={scale!r} is not known, use 'linear' or 'log10'.")
    text = read_text(path)
    table = _begin(text)
    if table is None:
        raise FormatError(path, "no row of four numbers (x, y, z, resistivity) was found at its beginning.")
    found = table_of(path, _plain(text[table.start :]), table.columns, table.line)
    order = _order(path, table)
    xyz, down, notes = _places(path, found, order, z_positive)
    if not table.names:
        notes.insert(0, "No names stand above the columns: they are taken as east, north, z, resistivity.")
    name = table.names[order["rho"]] if table.names else "resistivity"
    log = scale == "log10" or (scale is None and "log" in name)
    rho, more = _resistivity(found[:, order["rho"]], log, asked=scale is not None)
    values = {"resistivity": rho}
    values |= {name: found[:, k].copy() for k, name in enumerate(table.names) if k not in order.values()}
    points = Points(
        stem_of(path), xyz, properties=values, kind=KIND, units={"resistivity": "ohm.m"},
        z_positive="Depth" if down else "Elevation", notes=(*notes, *more),
    )  # fmt: skip
    return _lattice(points)


def _plain(text: str) -> str:
    """Text with blanks where commas and semicolons stand."""
    return text.replace(",", " ").replace(";", " ")


def _pieces(name: str) -> list[str]:
    return [piece for piece in re.split("[^a-z0-9]+", name.lower()) if piece]


def _begin(text: str) -> _Table | None:
    """Find the first row of numbers, and what stands above it."""
    start, separated, said = 0, False, False
    names: tuple[str, ...] = ()
    for line in range(1, _MOST_HEADER + 1):
        if start >= len(text):
            return None
        stop = text.find("\n", start)
        stop = len(text) if stop < 0 else stop
        row = text[start : min(stop, start + 2000)].strip()
        words = _plain(row).split()
        if len(words) >= 4 and _are_numbers(words):
            names = names if len(names) == len(words) else ()
            return _Table(names, len(words), start, line, separated, said)
        if row and _are_numbers(words):
            return None
        if row:
            parts = _split(row.lstrip(_MARKS))
            separated |= row[0] not in _MARKS and re.search("[,;\t]", row) is not None
            said |= any(piece in _RESISTIVITY for part in parts for piece in _pieces(part))
            if len(parts) >= 4:
                names = tuple("_".join(_pieces(part)) for part in parts)
        start = stop + 1
    return None


def _split(row: str) -> list[str]:
    """Names between commas, semicolons or tabs if there are any, else between blanks."""
    mark = next((mark for mark in ",;\t" if mark in row.strip()), None)
    return [part.strip(" \t\"'") for part in (row.split(mark) if mark else row.split())]


def _are_numbers(words: list[str]) -> bool:
    try:
        for word in words:
            to_number(word)
    except ValueError:
        return False
    return True


def _order(path: str | Path, table: _Table) -> dict[str, int]:
    """Columns of x, y, z (or depth) and resistivity."""
    if not table.names:
        if table.columns != 4:
            raise FormatError(
                path,
                f"there are {table.columns} columns without names, four are expected: x, y, z, resistivity. "
                "Write their names above them.",
                table.line,
            )
        return {"x": 0, "y": 1, "z": 2, "rho": 3}
    order: dict[str, int] = {}
    for k, name in enumerate(table.names):
        pieces = name.split("_")
        axis = next((axis for axis, known in _NAMES.items() if pieces[0] in known), None)
        if any(piece in _RESISTIVITY for piece in pieces):
            axis = "rho"
        if axis is not None:
            order.setdefault(axis, k)
    if "geographic" in order and not {"x", "y"} <= set(order):
        raise FormatError(
            path, "places are longitudes and latitudes, metres are needed. Project them first.", table.line
        )
    if not {"x", "y", "rho"} <= set(order) or not {"z", "depth"} & set(order):
        raise FormatError(
            path,
            f"the columns {', '.join(table.names)} do not name x, y, z (or depth) and resistivity (rho).",
            table.line,
        )
    return order


def _places(
    path: str | Path, found: FloatArray, order: dict[str, int], z_positive: str | None
) -> tuple[FloatArray, bool, list[str]]:
    """Places with elevations, whether z was a depth, and notes."""
    height = order.get("z", order.get("depth", 2))
    xyz = np.ascontiguousarray(found[:, [order["x"], order["y"], height]])
    wrong = ~np.all(np.isfinite(xyz) & (np.abs(xyz) < _WIDE), axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise FormatError(path, f"row {row + 1} is at {xyz[row].tolist()}, which is not a place in metres.")
    down = z_positive == "down" or (z_positive is None and "z" not in order)
    notes = []
    if down:
        xyz[:, 2] = 0.0 - xyz[:, 2]
        notes.append("z is a depth, positive downwards, and is turned into an elevation.")
    elif z_positive is None:
        notes.append("z is taken as an elevation, positive upwards.")
        if xyz[:, 2].min() >= 0 or _thicker_above(xyz[:, 2]):
            notes.append(
                f"z goes from {xyz[:, 2].min():g} to {xyz[:, 2].max():g} and may be a depth, as programs of "
                "magnetotellurics write it. If so, read it with z_positive='down'."
            )
    return xyz, down, notes


def _thicker_above(z: FloatArray) -> bool:
    """Whether cells grow upwards, which those of models do downwards."""
    steps = np.diff(np.unique(z))
    return len(steps) > 2 and bool(steps[-1] > 2 * steps[0])


def _resistivity(values: FloatArray, log: bool, *, asked: bool) -> tuple[FloatArray, list[str]]:
    """Resistivities in ohm.m, and what was done."""
    notes = []
    rho = values.copy()
    if log:
        with np.errstate(over="ignore"):
            rho = 10.0**values
        notes.append("Resistivities are decimal logarithms and are turned into ohm.m.")
    air, wrong = rho > 0.999 * _AIR, ~(rho > 0)
    if air.any():
        notes.append(f"{int(air.sum())} of {len(rho)} rows hold 1e12 ohm.m or more, which is air: no value.")
    if wrong.any():
        notes.append(f"{int(wrong.sum())} of {len(rho)} resistivities are not above 0: no value.")
        if not log and not asked and np.nanmax(np.append(values, -np.inf)) < 8:
            notes.append("They may be decimal logarithms. If so, read them with scale='log10'.")
    return np.where(air | wrong, np.nan, rho), notes


def _lattice(points: Points) -> PropertyModel | Points:
    """A model if the places are all of a lattice; to the millimetre."""
    places = np.round(points.vertices, 3)
    lines, index = zip(*(np.unique(column, return_inverse=True) for column in places.T), strict=True)
    nx, ny, nz = (len(line) for line in lines)
    if nx * ny * nz != len(places) or len(places) < 2:
        return points.noted(
            f"The {len(places)} rows are not all places of a lattice ({nx} × {ny} × {nz} different x, y, z), "
            "so they are points."
        )
    flat = np.ravel_multi_index((index[2], index[1], index[0]), (nz, ny, nx))
    if len(np.unique(flat)) < len(flat):
        return points.noted("Some places occur twice and others of their lattice are missing: points.")
    steps = [float(np.diff(line).min()) for line in lines if len(line) > 1]
    values = {}
    for name, column in points.properties.items():
        cells = np.empty(len(flat))
        cells[flat] = column
        values[name] = cells.reshape(nz, ny, nx)
    note = (
        f"The rows are the {nx} × {ny} × {nz} (x, y, z) centres of a lattice. Cells end midway between "
        "centres and the outermost ones reach as far outwards as inwards; the file does not hold widths."
    )
    single = ", ".join(axis for axis, line in zip("xyz", lines, strict=True) if len(line) == 1)
    more = [
        f"There is one centre along {single}: its cell is as wide as the narrowest others, {min(steps):g} m."
    ]
    x, y, z = (_edges(line, min(steps)) for line in lines)
    first = points.vertices[0]
    return PropertyModel(
        points.name, (z, y, x), values, layout=LAYOUT,
        first_centre=(float(first[0]), float(first[1]), float(first[2])), **points.common(),
    ).noted(note, *(more if single else []))  # fmt: skip


def _edges(centres: FloatArray, single: float) -> FloatArray:
    """Ends of cells around centres."""
    if len(centres) == 1:
        return np.array([centres[0] - single / 2, centres[0] + single / 2])
    middle = (centres[1:] + centres[:-1]) / 2
    first, last = 2 * centres[0] - middle[0], 2 * centres[-1] - middle[-1]
    ends: FloatArray = np.concatenate(([first], middle, [last]))
    return ends
