"""GoCAD wells: a path in space, and the markers, zones and logs along it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpm3d.grid import FloatArray
from mpm3d.io.files import to_number
from mpm3d.io.gocad.lines import Block, Crs, Run, TextFile
from mpm3d.io.gocad.well_curves import read_curves
from mpm3d.io.options import Options
from mpm3d.wells import Curve, Intervals, Well, minimum_curvature

# beyond this the length of a vector overflows
_FAR = 1e150
# what a well may have besides what is read, none of which says where it goes or what was met
_KEPT_BACK = ("UNIT", "FEATURE", "MREF", "UNITS_BEFORE_FIRST_MARKER", "PATH_CURVE_X", "PATH_CURVE_Y")
_PATHS = ("PATH", "TVSS_PATH", "TVD_PATH", "STATION", "VRTX", "PVRTX")


@dataclass(frozen=True)
class _Source:
    """A well of a file, and what turns its numbers into metres and elevations."""

    text: TextFile
    block: Block
    options: Options
    factor: FloatArray
    zm: float

    def words(self, word: str) -> tuple[list[str], int | None]:
        """Words and line of the last line of a keyword."""
        return self.text.last(self.block, word)

    def number(self, token: str, what: str, line: int | None) -> float:
        """Value of a word, which must be a finite number."""
        try:
            value = to_number(token)
        except ValueError:
            value = math.nan
        if not abs(value) < _FAR:
            self.text.fail(f"{what} is {token[:40]!r}, a finite number is expected.", line)
        return value


@dataclass(frozen=True)
class _Path:
    """Points of a hole in metres and elevations, and what was decided about them."""

    depth: FloatArray
    points: FloatArray
    survey: FloatArray | None = None
    notes: tuple[str, ...] = ()


def read_well(text: TextFile, block: Block, options: Options) -> Well:
    """Make a well of one object of a GoCAD file.

    The path is read from PATH, TVSS_PATH, TVD_PATH, STATION or VRTX lines, the first of these that there
    are. Depths along the hole (``zm``) are in PATH_ZM_UNIT and become metres. Zones are the intervals
    ``"zones"``, orientations of markers the curves ``"marker dip"`` and ``"marker dip direction"``.

    Parameters
    ----------
    text : TextFile
        The file.
    block : Block
        The object in it.
    options : Options
        ``errors``, ``byte_order`` and ``outside`` count.

    Returns
    -------
    Well
        A well without any path has the collar as its only point. Logs whose data file is not there, as of
        most published wells, are left out and noted.

    Raises
    ------
    FormatError
        With the line, if it is damaged; with ``errors="skip"`` points without finite coordinates and logs
        that cannot be read are left out and noted instead.
    """
    factor, notes = block.crs.to_metres()
    unit, said = _depth_unit(text, block)
    source = _Source(text, block, options, factor, unit)
    collar, kb = _reference(source)
    path = _find_path(source, collar)
    if collar is None:
        collar = path.points[0] if len(path.points) else np.full(3, np.nan)
    if len(path.depth) and path.depth[0] == 0:
        collar = path.points[0]
    markers, dips = _markers(source)
    zones = _zones(source)
    curves, units, missing = read_curves(text, block, options, unit)
    notes = (*notes, *said, *kb, *path.notes, *_left_out(source), *missing)
    if not block.closed:
        notes = (*notes, "the object has no END line, the file may be truncated.")
    return Well(
        block.name, collar, path.depth, path.points, survey=path.survey, kind="Well",
        markers=markers, intervals={"zones": zones} if len(zones.start) else {},
        curves={**dips, **curves}, units={**dict.fromkeys(dips, "deg"), **units},
        crs_name=block.crs.name, z_positive="Depth" if block.crs.depth else "Elevation", notes=notes,
    )  # fmt: skip


def _depth_unit(text: TextFile, block: Block) -> tuple[float, tuple[str, ...]]:
    """Metres per unit of depth along the hole."""
    words, _ = text.last(block, "PATH_ZM_UNIT")
    if not words:
        return 1.0, ()
    factor, said = Crs("", (words[0],)).to_metres()
    if said and factor[0] == 1:
        return 1.0, (f"the unit {words[0]!r} of PATH_ZM_UNIT is not known and was taken as metres.",)
    note = f"depths along the hole are in {words[0]!r} and were converted to metres ({factor[0]:.10g})."
    return float(factor[0]), (note,) if factor[0] != 1 else ()


def _reference(source: _Source) -> tuple[FloatArray | None, tuple[str, ...]]:
    """Where depth along the hole is 0: WREF, or the Kelly bushing above it."""
    words, line = source.words("WREF")
    if line is None:
        return None, ()
    if len(words) < 3:
        source.text.fail(f"WREF has {len(words)} values, x, y and z are needed.", line)
    place = np.array([source.number(w, "a coordinate of WREF", line) for w in words[:3]]) * source.factor
    place += 0.0  # no -0.0
    words, line = source.words("KB")
    height = source.number(words[0], "KB", line) * abs(source.factor[2]) if words else 0.0
    if not height:
        return place, ()
    # a bushing is above its well; files with z down have the sign of it turned as well
    height = abs(height) if source.block.crs.depth else height
    datum = " ".join(source.words("DATUM")[0])
    place[2] += height
    level = f" ({datum})" if datum else ""
    return place, (f"depth along the hole counts from KB, {height:g} m above WREF{level}.",)


def _find_path(source: _Source, collar: FloatArray | None) -> _Path:
    """The path as the first of the ways that the well tells it."""
    there = [word for word in _PATHS if source.block.find(word)]
    if not there and collar is None:
        source.text.fail(
            f"the well {source.block.name!r} has neither WREF nor a path, so it has no place. The file may "
            "be truncated.",
            source.block.start,
        )
    if not there:
        note = "the well has no path, only its collar."
        return _Path(np.zeros(1), np.array([collar]), notes=(note,))
    first = there[0]
    others = [word for word in there[1:] if word != "PVRTX"]
    notes = (f"the path was read from {first}, {', '.join(others)} was not.",) if others else ()
    if first in ("VRTX", "PVRTX"):
        found = _vertices(source, collar)
    elif collar is None:
        source.text.fail(
            f"the well {source.block.name!r} has {first} lines and no WREF that they start from.",
            source.block.find(first)[0].start,
        )
    else:
        found = _stations(source, collar) if first == "STATION" else _offsets(source, collar, first)
    return _Path(found.depth, found.points, found.survey, (*notes, *found.notes))


def _table(source: _Source, word: str, count: int) -> tuple[FloatArray, list[int]]:
    """Numbers of all lines of a keyword and the line of each."""
    runs = source.block.find(word)
    parts = [source.text.numbers(run, count) for run in runs]
    return np.concatenate(parts), [
        i for run, part in zip(runs, parts, strict=True) for i in _lines(run, part)
    ]


def _lines(run: Run, part: FloatArray) -> list[int]:
    """Line of each row of a run; the first one for all where comments are among them."""
    same = run.stop - run.start == len(part)
    return list(range(run.start, run.stop)) if same else [run.start] * len(part)


def _good_rows(
    source: _Source, table: FloatArray, lines: Sequence[int], word: str
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Rows of finite numbers whose depth, the first of them, exceeds that of all rows before."""
    with np.errstate(invalid="ignore"):
        good: NDArray[np.bool_] = np.all(np.abs(table) < _FAR, axis=1)
    gone = int((~good).sum())
    if gone and source.options.errors == "strict":
        row = int(np.argmin(good))
        source.text.fail(
            f"{word} holds {table[row].tolist()}, finite numbers are expected. Read with errors='skip' to "
            "leave such points out.",
            lines[row],
        )
    depth = np.where(good, table[:, 0], -np.inf)
    before = np.concatenate([[-np.inf], np.maximum.accumulate(depth)[:-1]])
    again, back = good & (depth == before), good & (depth < before)
    if back.any() and source.options.errors == "strict":
        row = int(np.argmax(back))
        source.text.fail(
            f"{word} goes back from a depth of {before[row]:g} to {depth[row]:g}, depths along the hole must "
            "ascend. Read with errors='skip' to leave such points out.",
            lines[row],
        )
    notes = [
        f"{int(count)} {word} lines {what} were left out."
        for count, what in (
            (gone, "without finite numbers"), (again.sum(), "that repeat a depth"),
            (back.sum(), "that go back to a smaller depth"),
        )
        if count
    ]  # fmt: skip
    return good & ~again & ~back, tuple(notes)


def _offsets(source: _Source, collar: FloatArray, word: str) -> _Path:
    """Lines ``zm z dx dy``: the offsets count from WREF, z is absolute, TVSS and TVD are depths."""
    table, lines = _table(source, word, 4)
    good, notes = _good_rows(source, table, lines, word)
    zm, z, dx, dy = table[good].T
    scale = abs(source.factor[2])
    if word == "PATH":
        z = z * source.factor[2] + 0.0
    elif word == "TVD_PATH":
        z = collar[2] - z * scale
        notes = (*notes, "TVD is depth below the point from which the hole is measured.")
    elif len(z) and z[-1] < z[0]:
        z = z * scale
        notes = (*notes, "TVSS becomes smaller down the hole and was taken as elevation.")
    else:
        z = 0.0 - z * scale
        notes = (*notes, "TVSS is depth below sea level and was negated to elevation.")
    points = np.column_stack([collar[0] + dx * source.factor[0], collar[1] + dy * source.factor[1], z])
    if len(zm) and zm[0] > 0:
        notes = (*notes, f"the path begins at a depth of {zm[0] * source.zm:g} m, above it is unknown.")
    return _Path(zm * source.zm, points, notes=notes)


def _stations(source: _Source, collar: FloatArray) -> _Path:
    """Lines ``zm inclination azimuth``, in degrees, joined by arcs."""
    table, lines = _table(source, "STATION", 3)
    good, notes = _good_rows(source, table, lines, "STATION")
    zm, inclination, azimuth = table[good].T
    method = " ".join(source.words("DEVIATION_SURVEY")[0])
    if method and method.lower() != "minimum curvature":
        notes = (*notes, f"the survey is meant for {method!r}, the path was made by minimum curvature.")
    if len(zm) and zm[0] < 0:
        source.text.fail(f"a STATION has the depth {zm[0]:g}, depths from 0 are expected.", lines[0])
    if len(zm) and zm[0] > 0:
        notes = (
            *notes,
            f"the survey begins at a depth of {zm[0] * source.zm:g} m; above, the hole was taken as straight "
            "in the direction of the first station.",
        )
        zm = np.concatenate([[0.0], zm])
        inclination, azimuth = (np.concatenate([a[:1], a]) for a in (inclination, azimuth))
    if not len(zm):
        return _Path(np.zeros(1), np.array([collar]), notes=(*notes, "only the collar is left of the path."))
    depth = zm * source.zm
    try:
        points = collar + minimum_curvature(depth, inclination, azimuth)
    except ValueError as error:
        source.text.fail(f"the survey of {source.block.name!r} makes no path: {error}", lines[0])
    return _Path(depth, points, np.column_stack([inclination, azimuth]), notes)


def _vertices(source: _Source, collar: FloatArray | None) -> _Path:
    """Lines ``VRTX x y z``, or ``id x y z``; depth is the length along them from the collar."""
    runs = source.block.find("VRTX", "PVRTX")
    first = len(source.text.lines[runs[0].start].split()) - 1 >= 4
    parts = [source.text.numbers(run, 4 if first else 3) for run in runs]
    lines = [i for run, part in zip(runs, parts, strict=True) for i in _lines(run, part)]
    points = np.concatenate(parts)[:, 1 if first else 0 :]
    with np.errstate(invalid="ignore"):
        good = np.all(np.abs(points) < _FAR, axis=1)
    if not good.all() and source.options.errors == "strict":
        row = int(np.argmin(good))
        source.text.fail(f"a vertex is at {points[row].tolist()}, finite numbers are expected.", lines[row])
    points = points[good] * source.factor + 0.0
    start = points[:1] if collar is None else np.array([collar])
    depth = np.cumsum(np.linalg.norm(np.diff(np.concatenate([start, points]), axis=0), axis=1))
    new = np.diff(depth, prepend=-1.0) > 0
    notes = ["depths along the hole are the lengths along its vertices."]
    if not good.all():
        notes.append(f"{int((~good).sum())} vertices without finite coordinates were left out.")
    if not new.all():
        notes.append(f"{int((~new).sum())} vertices that repeat the one before were left out.")
    return _Path(depth[new], points[new], notes=tuple(notes))


def _markers(source: _Source) -> tuple[tuple[tuple[str, float], ...], dict[str, Curve]]:
    """Names and depths of markers; dip and dip direction, in degrees, of those that have an orientation."""
    markers: list[tuple[str, float]] = []
    tilts: list[tuple[float, float, float]] = []  # depth, dip, dip direction
    for run in source.block.find("MRKR", "NORM", "DIP", "DIPDEG"):
        line = run.start
        words = source.text.tokens(line)
        if run.word == "MRKR":
            markers.append(_marker(source, words, line))
        elif markers and len(words) >= (3 if run.word == "NORM" else 2):
            numbers = [source.number(w, f"a number of {run.word}", line) for w in words[:3]]
            tilts.append((markers[-1][1], *_tilt(run.word, numbers, float(np.sign(source.factor[2])))))
    if not tilts:
        return tuple(markers), {}
    depth, dip, direction = np.array(sorted(tilts)).T
    return tuple(markers), {
        "marker dip": Curve(depth, dip), "marker dip direction": Curve(depth, direction),
    }  # fmt: skip


def _marker(source: _Source, words: list[str], line: int) -> tuple[str, float]:
    """``MRKR name count zm``; a name may have blanks and the count be missing."""
    if len(words) < 2:
        source.text.fail("MRKR needs a name and a depth. The file may be truncated.", line)
    counted = len(words) > 2 and words[-2].lstrip("+-").isdigit()
    name = " ".join(words[: -2 if counted else -1])
    return name, source.number(words[-1], f"the depth of the marker {name!r}", line) * source.zm


def _tilt(word: str, numbers: list[float], up: float) -> tuple[float, float]:
    """Dip and dip direction in degrees, of angles (in gradians after DIP) or of a normal vector."""
    if word != "NORM":
        scale = 0.9 if word == "DIP" else 1.0  # a right angle has 100 gradians
        return numbers[1] * scale, numbers[0] * scale
    x, y, z = numbers[0], numbers[1], numbers[2] * up
    if z < 0:  # the horizontal part of a normal that points up points down the dip
        x, y, z = -x, -y, -z
    return math.degrees(math.atan2(math.hypot(x, y), z)), math.degrees(math.atan2(x, y)) % 360


def _zones(source: _Source) -> Intervals:
    """``ZONE name zm1 zm2 number``; a name may have blanks and the number be missing."""
    names, rows = [], []
    for run in source.block.find("ZONE"):
        words = source.text.tokens(run.start)
        count = 3 if len(words) >= 4 and _is_number(words[-3]) else 2
        if len(words) < 3:
            source.text.fail("ZONE needs a name and two depths. The file may be truncated.", run.start)
        name = " ".join(words[:-count])
        ends = words[-count:][:2]
        depths = [source.number(w, f"a depth of the zone {name!r}", run.start) * source.zm for w in ends]
        number = to_number(words[-1]) if count == 3 and _is_number(words[-1]) else math.nan
        names.append(name)
        rows.append((*depths, number))
    start, stop, number_of = np.array(rows, dtype=float).reshape(-1, 3).T
    return Intervals(start, stop, {"zone": np.array(names, dtype=str), "number": number_of})


def _is_number(token: str) -> bool:
    try:
        to_number(token)
    except ValueError:
        return False
    return True


def _left_out(source: _Source) -> tuple[str, ...]:
    """Keywords whose content a well of this package has no place for."""
    found = [word for word in _KEPT_BACK if source.block.find(word)]
    return (f"lines of {', '.join(found)} were not read.",) if found else ()
