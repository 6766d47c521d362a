"""Observation files of UBC programs: gravity, magnetic and gradient data and their places."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mpm3d.geometry import Points
from mpm3d.grid import FloatArray
from mpm3d.io.files import stem_of, to_count
from mpm3d.io.rows import Row, content, fail, rows, table_of
from mpm3d.io.ubc.kinds import WIDE

KIND = "UBC observation locations"


@dataclass(frozen=True)
class _Header:
    """What stands above the rows: their number, names of columns after x, y, z, a unit and notes."""

    count: int
    row: Row
    names: tuple[str, ...]
    unit: str
    notes: tuple[str, ...]


def read_locations(path: str | Path) -> Points:
    """Read locations and what was measured there.

    Parameters
    ----------
    path : str or Path
        The number of locations, then rows ``x y elevation`` and, in files of data, the datum and its standard
        deviation. Magnetic files begin with the inducing field (inclination, declination, strength) and the
        direction of the anomaly; gradient files with ``datacomp=``. Topography files have the same form.

    Returns
    -------
    Points
        Columns after the third as ``data`` and ``uncertainty``, or ``column_4``, ``column_5`` ... where the
        file does not tell what they are.

    Raises
    ------
    FormatError
        If the number of rows is not the one announced, rows differ in length, or a coordinate is not finite.

    References
    ----------
    The manuals of GRAV3D, MAG3D and GG3D of the UBC Geophysical Inversion Facility.
    """
    text = content(path)
    header = _header(text)
    if header is None:
        fail(
            path,
            "the number of locations and rows of x, y, elevation are expected, as UBC programs have them.",
        )
    table = _table(path, text, header)
    xyz = np.ascontiguousarray(table[:, :3])
    wrong = ~np.all(np.isfinite(xyz) & (np.abs(xyz) < WIDE), axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        fail(
            path,
            f"location {row + 1} is {xyz[row].tolist()}, which is not a place: x, y, elevation in metres.",
        )
    names = _names(header, table.shape[1] - 3)
    values = {name: np.ascontiguousarray(table[:, 3 + k]) for k, name in enumerate(names)}
    units = {name: header.unit for name in names if header.unit and name in ("data", "uncertainty")}
    notes = list(header.notes)
    if len(names) and not header.names:
        notes.append("The fourth column is taken as the datum, a fifth one as its standard deviation.")
    return Points(stem_of(path), xyz, properties=values, kind=KIND, units=units, notes=tuple(notes))


def is_locations(text: str) -> bool:
    """Whether a text begins as an observation file."""
    return _header(text) is not None


def _header(text: str) -> _Header | None:
    first = rows(text, 5)
    at, unit = 0, ""
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    if first and first[0].words[0].lower().startswith("datacomp"):
        words = " ".join(first[0].words)
        at, names, unit = 1, ("column",), "Eotvos"
        notes = (f"Gravity gradients ({words}), in Eotvos as UBC programs have them.",)
    elif len(first) > 3 and [len(row.words) for row in first[:3]] == [3, 3, 1]:
        field, anomaly = first[0].numbers(), first[1].numbers()
        if field is None or anomaly is None or not _is_field(field) or anomaly[2] not in (0, 1, 2):
            return None
        at, unit = 2, "nT"
        notes = (_magnetic(field, anomaly),)
        names = ("anomaly_inclination", "anomaly_declination") if anomaly[2] == 0 else ()
    if len(first) < at + 2 or len(first[at].words) != 1:
        return None
    count = to_count(first[at].words[0])
    width = len(first[at + 1].words)
    if (
        not count
        or width < 3
        or not first[at + 1].are_numbers()
        or len(first[at + 2 : at + 3]) != min(1, count - 1)
    ):
        return None
    # a 2D mesh begins like it, and goes on with rows of two or one
    if any(len(row.words) < 3 for row in first[at + 2 :][: count - 1][:-1]):
        return None
    return _Header(count, first[at], names, unit, notes)


def _is_field(field: list[float]) -> bool:
    """Whether three numbers are an inclination, a declination and a strength in nT, and not counts."""
    return abs(field[0]) <= 90 and abs(field[1]) <= 360 and field[2] >= 1000


def _magnetic(field: list[float], anomaly: list[float]) -> str:
    what = {0: "each in its own direction", 1: "along one direction", 2: "amplitudes"}[int(anomaly[2])]
    return (
        f"Magnetic data in nT, {what}: inducing field of {field[2]:g} nT, inclination {field[0]:g}, "
        f"declination {field[1]:g}; anomaly along inclination {anomaly[0]:g}, declination {anomaly[1]:g} "
        "degrees."
    )


def _table(path: str | Path, text: str, header: _Header) -> FloatArray:
    below = text[header.row.end :]
    found = table_of(path, below, len(rows(below, 1)[0].words), header.row.line)
    if len(found) != header.count:
        fail(
            path,
            f"{header.count} locations are announced and {len(found)} rows follow. "
            "The file may be truncated.",
            header.row.line,
        )
    return found


def _names(header: _Header, columns: int) -> list[str]:
    if header.names == ("column",):
        named = ["data", "uncertainty"][:columns] if columns < 3 else []
    else:
        named = [*header.names, "data", "uncertainty"][:columns] if columns else []
    return [*named, *(f"column_{k + 4}" for k in range(len(named), columns))]
