"""Resistivity models of magnetotelluric inversions: ModEM, in the form of WSINV3DMT (``.rho``, ``.ws``)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.geometry import Body
from mpm3d.grid import FloatArray
from mpm3d.io.files import head_text, read_text, stem_of, to_count, write_text
from mpm3d.io.options import Options
from mpm3d.io.rows import numbers, rows, without_comments
from mpm3d.lattice import Frame, Point, PropertyModel

KIND = "ModEM model"
LAYOUT = (
    "One value for each cell, from the north to the south fastest, then from the west to the east, then from "
    "the top down; in the file x is north, y east and z down."
)
# ohm.m; programs write 1e12 and more into cells of air, with a few digits
_AIR = 1e12
_SCALES = ("LOGE", "LOG10", "LINEAR")
_WIDE = 1e9
_SAID = re.compile(r"(?im)^[ \t]*\d+[ \t]+\d+[ \t]+\d+[ \t]+\d+[ \t]+(LOGE|LOG10|LINEAR)[ \t]*$")
# numbers after the values, and how the last lines hold them: 3 of the origin, 1 of the rotation
_ENDS = {0: (), 1: ((1,),), 3: ((3,),), 4: ((3, 1), (4,))}


def matches(path: Path, head: bytes) -> bool:
    """Whether a file is a ModEM model, or a WinGLink one, which is refused."""
    text = head_text(head)
    if "\0" in text:
        return False
    if _winglink(text) or _SAID.search(text[:2000]):
        return True
    try:
        header = _header(path, text)
    except FormatError:
        return False
    following = rows(text[header.end :], 1)
    widths = (following[0].numbers() or ()) if following else ()
    # a table of whole numbers looks like it, but for the number of widths
    return (
        header.commented and min(widths, default=0) > 0 and (header.said or len(widths) == header.counts[0])
    )


def read_bodies(path: str | Path, options: Options) -> list[Body]:
    """Read the model of a file, in local coordinates unless ``options.centre`` says where it lies."""
    return [read_model(path, centre=options.centre)]


@dataclass(frozen=True)
class _Header:
    """Counts to the north, east and down, how values are scaled, and where the counts end."""

    counts: tuple[int, int, int]
    scale: str
    line: int
    end: int
    commented: bool
    said: bool
    notes: tuple[str, ...] = ()


def _winglink(text: str) -> bool:
    return re.match(r"\s*\d+[ \t]+\d+[ \t]+\d+[ \t]+(VALUES|MAPS?|INDEX)\b", text, re.IGNORECASE) is not None


def _header(path: str | Path, text: str) -> _Header:
    """Read the line of counts, behind a line of comment and others that begin with ``#``."""
    start, number, commented = 0, 0, False
    while start < len(text):
        stop = text.find("\n", start)
        stop = len(text) if stop < 0 else stop
        line = text[start:stop].strip()
        start, number = stop + 1, number + 1
        words = line.split()
        if not words or line[0] == "#" or (number == 1 and None in map(to_count, words[:3])):
            commented |= bool(words)
            continue
        return _counted(path, words, number, stop, commented)
    raise FormatError(path, "there is no line of counts 'nx ny nz 0 LOGE', as a ModEM model has.")


def _counted(path: str | Path, words: list[str], line: int, end: int, commented: bool) -> _Header:
    shown = " ".join(words)[:40]
    counts = [count for word in words[:3] if (count := to_count(word))]
    rest = words[3:]
    index = to_count(rest[0]) if rest else None
    scales = [word.upper() for word in (rest if index is None else rest[1:])]
    if len(counts) < 3 or len(scales) > 1 or (scales and scales[0] not in _SCALES):
        raise FormatError(
            path,
            f"{shown!r} should be counts to the north, east and down, 0, and LOGE, LOG10 or LINEAR.",
            line,
        )
    if index:
        raise FormatError(
            path,
            f"{shown!r} announces {index} resistivities and an index into them, the form of WSINV3DMT that "
            "ModEM does not read either. Write the model with values (0 in the fourth place).",
            line,
        )
    notes: tuple[str, ...] = ()
    if not scales:
        notes = ("No word says how resistivities are scaled, so they are taken as they are (LINEAR).",)
    scale = scales[0] if scales else "LINEAR"
    nx, ny, nz = counts
    return _Header((nx, ny, nz), scale, line, end, commented, bool(scales), notes)


def read_model(
    path: str | Path, *, centre: Point | None = None, rotation: float | None = None
) -> PropertyModel:
    """Read resistivities in ohm.m.

    Parameters
    ----------
    path : str or Path
        A line of comment; counts to the north, east and down, 0, and LOGE, LOG10 or LINEAR; widths; values
        from the north to the south, from the west to the east, from the top down; perhaps the top
        south-western corner relative to the centre (north, east, down) and a rotation in degrees.
    centre : tuple of float, optional
        x, y, elevation of the centre, which is where the stations are and is given in the file of data.
        Without it coordinates stay relative to it, and a note says so.
    rotation : float, optional
        Degrees by which the mesh is turned counterclockwise about the centre, seen from above, instead of
        those in the file. ModEM does not use the number; it is read as mtpy writes it: -40 for a mesh whose
        north points to N40E.

    Returns
    -------
    PropertyModel
        ``resistivity`` ``(z, y, x)``, index 0 lowest, southernmost, westernmost; NaN in the air (1e12 ohm.m
        and more) and where it is not above 0. A turned mesh has a `Frame`.

    Raises
    ------
    FormatError
        If it is not such a file, is truncated, is a table of indices, or a width is not positive.
    ValueError
        If ``centre`` or ``rotation`` is not finite.

    References
    ----------
    Kelbert, A., Meqbel, N., Egbert, G. D., Tandon, K. (2014). ModEM: a modular system for inversion of
    electromagnetic geophysical data. *Computers & Geosciences* 66, 40-53.
    """
    _check_finite(centre, rotation)
    text = read_text(path)
    if _winglink(text[:200]):
        raise FormatError(
            path,
            "this is a WinGLink model (.out), which is not read: on which side its rows begin is not written "
            "in it. Export it as text of x, y, z, resistivity.",
        )
    header = _header(path, text)
    below = without_comments(text[header.end :], "#")
    found = numbers(path, below, header.line)
    edges, used, notes = _edges(path, header, found, _last_rows(below))
    nx, ny, nz = header.counts
    values, said = _resistivity(found[used : used + nx * ny * nz], header.scale)
    cells = np.ascontiguousarray(values.reshape(nz, ny, nx)[::-1, :, ::-1].transpose(0, 2, 1))
    written = float(found[-1]) if len(found) - used - nx * ny * nz in (1, 4) else 0.0
    turned, about = _turned(path, written, rotation)
    model = PropertyModel(
        stem_of(path), edges, {"resistivity": cells}, kind=KIND, units={"resistivity": "ohm.m"},
        z_positive="Depth", layout=LAYOUT, notes=(*header.notes, *notes, *said, *about),
    )  # fmt: skip
    return _placed(model, centre, turned)


def _check_finite(centre: Point | None, rotation: float | None) -> None:
    if centre is not None and (len(centre) != 3 or not np.all(np.isfinite(centre))):
        raise ValueError(f"centre={centre} is not a place, x, y and elevation in metres are expected.")
    if rotation is not None and not np.isfinite(rotation):
        raise ValueError(f"rotation={rotation} is not an angle in degrees.")


def _last_rows(text: str) -> tuple[int, ...]:
    """How many words the last two lines have that are not empty."""
    lengths: list[int] = []
    stop = len(text.rstrip())
    while stop > 0 and len(lengths) < 2:
        start = text.rfind("\n", 0, stop) + 1
        lengths.append(len(text[start:stop].split()))
        stop = len(text[:start].rstrip())
    return tuple(lengths[::-1])


def _edges(
    path: str | Path, header: _Header, found: FloatArray, last: tuple[int, ...]
) -> tuple[tuple[FloatArray, FloatArray, FloatArray], int, list[str]]:
    """Edges along z, y and x relative to the centre, how many numbers are widths, and notes."""
    nx, ny, nz = header.counts
    used, cells = nx + ny + nz, nx * ny * nz
    after = len(found) - used - cells
    # a value too few or too many would move numbers between values and origin
    if after not in _ENDS or (after and not any(last[-len(end) :] == end for end in _ENDS[after])):
        raise FormatError(
            path,
            f"{len(found)} numbers follow the counts {nx} {ny} {nz}; {used} widths and {cells} values are "
            "expected, then lines of 3 (origin) and 1 (rotation) or none. It may be truncated.",
            header.line,
        )
    north, east, down = np.split(found[:used], np.cumsum([nx, ny]))
    if not np.all((found[:used] > 0) & (found[:used] < _WIDE)):
        wrong = found[:used][~((found[:used] > 0) & (found[:used] < _WIDE))][0]
        raise FormatError(path, f"a cell is {wrong:g} m wide, widths must be above 0 and below {_WIDE:g}.")
    notes = ["x is north, y east and z down in the file; here x is east, y north and z elevation."]
    origin = found[used + cells : used + cells + 3] if after > 1 else np.array([])
    if not len(origin):
        origin = np.array([-north.sum() / 2, -east.sum() / 2, 0.0])
        notes.append("The file has no origin, so the centre of the mesh at its top is taken for it.")
    if not np.all(np.abs(origin) < _WIDE):
        raise FormatError(path, f"the origin {origin.tolist()} is not a place in metres.")
    y, x, depth = (
        start + np.concatenate([[0.0], np.cumsum(widths)])
        for start, widths in zip(origin, (north, east, down), strict=True)
    )
    edges = 0.0 - depth[::-1], y, x
    if any(np.any(np.diff(line) <= 0) for line in edges):
        raise FormatError(path, "some cells are too thin beside the size of the mesh to be told apart.")
    return edges, used, notes


def _resistivity(values: FloatArray, scale: str) -> tuple[FloatArray, list[str]]:
    """Values in ohm.m, NaN in the air, and what was done."""
    with np.errstate(over="ignore"):
        rho = {"LOGE": np.exp(values), "LOG10": 10.0**values}.get(scale, values)
    notes = [] if scale == "LINEAR" else [f"Resistivities are stored as logarithms ({scale}), here as ohm.m."]
    # the logarithm of 1e12 with six digits is a little less
    air, wrong = rho > 0.999 * _AIR, ~(rho > 0)
    if air.any():
        notes.append(f"{int(air.sum())} of {len(rho)} cells hold 1e12 ohm.m or more, which is air: no value.")
    if wrong.any():
        notes.append(f"{int(wrong.sum())} of {len(rho)} resistivities are not above 0: no value.")
    return np.where(air | wrong, np.nan, rho), notes


def _turned(path: str | Path, written: float, asked: float | None) -> tuple[float, list[str]]:
    """Rotation in degrees, counterclockwise, and what is said about it."""
    if not np.isfinite(written):
        raise FormatError(path, f"the rotation {written} is not an angle in degrees.")
    if asked is not None and asked != written:
        return asked, [
            f"The mesh is turned by {asked:g} degrees as asked for, not by {written:g} of the file."
        ]
    if written == 0:
        return 0.0, []
    return written, [
        f"The mesh is turned by {written:g} degrees, counterclockwise as mtpy writes them (ModEM does not "
        f"use the number), so its north points {-written:g} degrees east of north. Else give a rotation."
    ]


def _placed(model: PropertyModel, centre: Point | None, turned: float) -> PropertyModel:
    """The model at its centre, turned about it."""
    z, y, x = model.edges
    if centre is None:
        model = model.noted(
            "The file does not say where the model lies: coordinates are relative to its centre, where the "
            "stations are. Give the centre (x, y, elevation) to place it."
        )
    else:
        model = model.noted(f"The centre is placed at x, y, elevation {', '.join(f'{c:g}' for c in centre)}.")
    x0, y0, z0 = centre or (0.0, 0.0, 0.0)
    frame = Frame.rotated((x0, y0, z0), turned) if turned else None
    # the file begins at the top in the north-west
    first = np.array([x[:2].mean(), y[-2:].mean(), z[-2:].mean()])
    if frame is None:
        z, y, x, first = z + z0, y + y0, x + x0, first + np.array([x0, y0, z0])
    else:
        first = frame.to_world(first[None])[0]
    return replace(
        model, edges=(z, y, x), frame=frame, first_centre=(float(first[0]), float(first[1]), float(first[2]))
    )


def write_model(
    path: str | Path, model: PropertyModel, *, name: str = "resistivity", centre: Point | None = None
) -> None:
    """Write resistivities as ModEM does: natural logarithms, and 1e12 ohm.m for NaN.

    Parameters
    ----------
    path : str or Path
        The file; gzipped if its name ends in ``.gz``. It is replaced only when all is written.
    model : PropertyModel
        Resistivities in ohm.m. A turned one must be turned about the vertical only.
    name : str
        Which of its values.
    centre : tuple of float, optional
        x, y, elevation of the centre of the stations, which the file does not hold; by default the origin of
        the frame of a turned model, else 0, 0, 0.

    Raises
    ------
    ValueError
        If there are no such values, one is not above 0 or is 1e12 and more, or the model is skewed.
    """
    if name not in model.values:
        raise ValueError(
            f"{model.name!r} has no values {name!r}, it has {', '.join(map(repr, model.values))}."
        )
    _check_finite(centre, None)
    cells = np.asarray(model.values[name], dtype=float)
    known = cells[~np.isnan(cells)]
    if np.any((known <= 0) | (known > 0.999 * _AIR)):
        raise ValueError("resistivities must be above 0 and below 1e12 ohm.m, which stands for air.")
    rotation = _rotation(model)
    z, y, x = _local(model, centre)
    nz, ny, nx = model.shape
    logs = np.log(np.where(np.isnan(cells), _AIR, cells))
    # top down, then from the west to the east, rows from the north to the south
    ordered = logs[::-1, ::-1].transpose(0, 2, 1)
    lines = ["# 3D MT model in WS format", f"{ny} {nx} {nz} 0 LOGE"]
    lines += [_joined(np.round(widths, 6)) for widths in (np.diff(y), np.diff(x), np.diff(z)[::-1])]
    for layer in ordered:
        lines += ["", *(_joined(row) for row in layer)]
    write_text(path, [*lines, "", _joined(np.array([y[0], x[0], -z[-1]])), _joined(np.array([rotation]))])


def _joined(values: FloatArray) -> str:
    # added, so that -0 is written as 0
    return " ".join(repr(value) for value in (values + 0.0).tolist())


def _rotation(model: PropertyModel) -> float:
    """Degrees by which a model is turned about the vertical, counterclockwise."""
    if model.frame is None:
        return 0.0
    axes = model.frame.axes
    degrees = float(np.degrees(np.arctan2(axes[0, 1], axes[0, 0])))
    if not np.allclose(axes, Frame.rotated((0, 0, 0), degrees).axes, atol=1e-9):
        raise ValueError(
            f"{model.name!r} is skewed or tilted (axes {np.round(axes, 6).tolist()}), a ModEM mesh can be "
            "turned about the vertical only."
        )
    return degrees


def _local(model: PropertyModel, centre: Point | None) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Edges relative to the centre."""
    z, y, x = model.edges
    if model.frame is None:
        x0, y0, z0 = centre or (0.0, 0.0, 0.0)
        return z - z0, y - y0, x - x0
    if centre is None:
        return z, y, x
    dx, dy, dz = model.frame.to_local(np.array([centre]))[0]
    return z - dz, y - dy, x - dx
