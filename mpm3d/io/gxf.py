"""GXF grids (Grid eXchange Files, revision 3): text with labelled objects, plain or in base 90."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.geometry import Array
from mpm3d.grid import FloatArray
from mpm3d.io.files import read_text, stem_of, to_count, to_number
from mpm3d.io.mapgrid import Placing, crs_notes, known_crs, label_notes
from mpm3d.io.options import Options
from mpm3d.io.textgrid import is_code, read_numbers
from mpm3d.lattice import Raster

# a label is known by its first four letters, as other readers do
_LABELS = {
    name[:4]: name
    for name in (
        "POINTS", "ROWS", "PTSEPARATION", "RWSEPARATION", "XORIGIN", "YORIGIN", "ROTATION", "SENSE", "DUMMY",
        "TRANSFORM", "GTYPE", "TITLE", "UNIT_LENGTH",
    )
}  # fmt: skip
_LABEL = re.compile(r"#[ \t]*([A-Za-z][A-Za-z0-9_]*)(.*)")
_WORD = re.compile(r'"([^"]*)"|([^\s,"]+)')
_DUMMY_CODE, _REPEAT_CODE, _ZERO_CODE = 33, 34, 37  # ! " %
# numbers of more digits in base 90 are not exact in 53 bits
_MOST_DIGITS = 8
# bytes of values that repeats may make, in all and for each character
_SURE, _MOST_REPEATED = 5e7, 2000


@dataclass
class _File:
    """Lines of a file, the words of each object of its header, and where its values begin."""

    path: Path
    lines: list[str]
    words: dict[str, list[str]] = field(default_factory=dict)
    line: dict[str, int] = field(default_factory=dict)
    start: int = 0

    def fail(self, reason: str, line: int | None = None) -> NoReturn:
        raise FormatError(self.path, reason, line)

    def number(self, label: str, default: float, index: int = 0) -> float:
        words = self.words.get(label, [])
        if len(words) <= index:
            return default
        try:
            return to_number(words[index])
        except ValueError:
            self.fail(f"#{label} is {words[index][:40]!r}, a number is needed.", self.line[label])

    def count(self, label: str) -> int:
        word = (self.words.get(label) or [""])[0]
        value = to_count(re.sub(r"\.0*$", "", word))
        if not value:
            what = f"is {word[:40]!r}" if word else "is missing"
            self.fail(f"#{label} {what}, a whole number above 0 is needed.", self.line.get(label))
        return value


def matches(path: Path, head: bytes) -> bool:
    """Whether the first bytes have the labels that every GXF file must have."""
    if b"\0" in head:
        return False
    labels = {label[:4].upper() for label in re.findall(rb"(?m)^#[ \t]*([A-Za-z]+)", head)}
    return {b"POIN", b"ROWS"} <= labels or (b"GRID" in labels and bool(labels & {b"POIN", b"ROWS"}))


def read_bodies(path: Path, options: Options) -> list[Raster]:
    """The grid of a file; see `read_grid`."""
    return [read_grid(path)]


def read_grid(path: str | Path) -> Raster:
    """Read a GXF grid: any of the eight senses, rotated, compressed, values in quotes, private labels.

    GDAL reads such files too, but leaves out ``#ROTATION`` and the ``#TRANSFORM`` of plain values, takes the
    origin for the first point of every sense, and refuses senses along y and values in quotes.

    Parameters
    ----------
    path : str or Path
        The file, gzipped or not.

    Returns
    -------
    Raster
        One value, named like the file; dummies are NaN. Rotated grids have a frame.

    Raises
    ------
    FormatError
        If a count, a step or ``#GRID`` is missing or not possible, a value is not a number, or there are
        fewer or more values than the counts make.

    References
    ----------
    SEG Gravity and Magnetics Committee (2001): GXF Grid eXchange File, revision 3.0.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {str(path)!r}.")
    file = _File(path, read_text(path).split("\n"))
    _read_header(file)
    points, rows = file.count("POINTS"), file.count("ROWS")
    digits = int(file.number("GTYPE", 0)) if abs(file.number("GTYPE", 0)) < 100 else -1
    if not 0 <= digits <= _MOST_DIGITS:
        file.fail(
            f"#GTYPE is {file.words['GTYPE'][0][:40]!r}, it must be 0 (plain) or the number of digits in "
            f"base 90, 1 to {_MOST_DIGITS}.",
            file.line["GTYPE"],
        )
    values = _packed(file, points, rows, digits) if digits else _plain(file, points, rows)
    values, notes = _transformed(file, values)
    crs, factor, more = _units(file)
    placing = _placing(file, factor)
    if abs(placing.sense) != 1:
        more = (*more, "the origin is the south-western point, as GXF revision 3 says, not the first one.")
    notes = (*notes, *more, *crs_notes(crs), *label_notes(" ".join(file.words.get("TITLE", []))))
    return placing.raster(stem_of(path), values.reshape(rows, points), "GXF grid", crs_name=crs, notes=notes)


def _read_header(file: _File) -> None:
    """Take the objects up to the values; comments and what follows labels that are not known count not."""
    label = ""
    for number, line in enumerate(file.lines, start=1):
        text = line.strip()
        if text.startswith("#"):
            found = _LABEL.fullmatch(text)
            name = found.group(1).upper() if found else ""
            if name == "GRID":
                file.start = number
                return
            label = name if name == "MAP_PROJECTION" else _LABELS.get(name[:4], "")
            text = found.group(2).strip() if found else ""
        if label and text and not text.startswith("!") and not file.words.get(label):
            file.words[label] = [quoted or plain for quoted, plain in _WORD.findall(text)]
            file.words[label] = [word.strip() for word in file.words[label]]
            file.line[label] = number
    file.fail("there is no #GRID with values. The file is truncated or not a GXF grid.", len(file.lines))


def _placing(file: _File, factor: float) -> Placing:
    sense = file.number("SENSE", 1)
    placing = Placing(
        (file.number("XORIGIN", 0) * factor, file.number("YORIGIN", 0) * factor),
        file.number("PTSEPARATION", 1) * factor,
        file.number("RWSEPARATION", 1) * factor,
        file.number("ROTATION", 0),
        int(sense) if abs(sense) < 10 and sense == int(sense) else 0,
    )
    placing.check(file.path)
    return placing


def _units(file: _File) -> tuple[str, float, tuple[str, ...]]:
    """Name of the coordinate system, what makes metres of lengths, and a sentence if they are converted."""
    crs = (file.words.get("MAP_PROJECTION") or [""])[0]
    if crs and known_crs(crs) is None:
        crs = _crs_of_gdal(file.path) or crs
    words = file.words.get("UNIT_LENGTH", [])
    factor = file.number("UNIT_LENGTH", 1.0, 1)
    if known_crs(crs) is not None or not words or factor == 1:
        return crs, 1.0, ()
    if words[0].lower().startswith("deg"):
        return crs, 1.0, ("coordinates are degrees, not metres: project the grid before it is used.",)
    if not 0 < factor < 1e6:
        file.fail(f"#UNIT_LENGTH makes {factor:g} m of {words[0]!r}.", file.line["UNIT_LENGTH"])
    return crs, factor, (f"coordinates are in {words[0]!r} and were converted to metres ({factor:.10g}).",)


def _crs_of_gdal(path: Path) -> str:
    """WKT of the parameters that follow the name of a projection, if GDAL understands them."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, driver="GXF") as source:
                return str(source.crs.to_wkt()) if source.crs else ""
    except RasterioError:
        return ""


def _transformed(file: _File, values: FloatArray) -> tuple[FloatArray, tuple[str, ...]]:
    """Values in their unit: scale and offset of ``#TRANSFORM``, which dummies are free of."""
    scale, offset = file.number("TRANSFORM", 1.0), file.number("TRANSFORM", 0.0, 1)
    if not np.isfinite([scale, offset]).all() or scale == 0:
        file.fail(
            f"#TRANSFORM is {scale:g}, {offset:g}; a finite scale that is not 0 and an offset are needed.",
            file.line["TRANSFORM"],
        )
    if scale == 1 and offset == 0:
        return values, ()
    with np.errstate(over="ignore"):
        values = values * scale + offset
    values[~np.isfinite(values)] = np.nan
    return values, (f"values are those of the file × {scale:g} + {offset:g}, as #TRANSFORM says.",)


def _plain(file: _File, points: int, rows: int) -> FloatArray:
    """Values written as numbers, any number of them in a line."""
    dummy = (file.words.get("DUMMY") or [""])[0]
    values = read_numbers(file.path, file.lines, file.start, points * rows, comments="!#", dummy=dummy)
    values[is_code(values, dummy)] = np.nan
    return values


def _fail_counts(file: _File, points: int, rows: int, there: str) -> NoReturn:
    file.fail(
        f"#POINTS {points} × #ROWS {rows} make {points * rows} values, {there}. The file is truncated or a "
        "count is wrong.",
        file.start,
    )


def _packed(file: _File, points: int, rows: int, digits: int) -> FloatArray:
    r"""Values in base 90, of characters from ``%`` (0) to ``~`` (89), the first the highest.

    ``!`` stands for a dummy; ``"`` for a repeat: a count and a value follow. No code goes over a line's end.
    """
    size = sum(map(len, file.lines))
    if 8 * points * rows > max(_SURE, _MOST_REPEATED * size):
        _fail_counts(file, points, rows, f"which {size:,} characters cannot hold")
    codes = _codes(file, digits)
    first = codes[:, 0]
    numbers = (codes.astype(np.int64) - _ZERO_CODE) @ (90 ** np.arange(digits - 1, -1, -1, dtype=np.int64))
    repeat = np.flatnonzero(first == _REPEAT_CODE)
    whole = np.all(codes >= _ZERO_CODE, axis=1)
    if len(repeat) and (
        repeat[-1] + 2 >= len(codes) or np.any(np.diff(repeat) < 3) or not whole[repeat + 1].all()
    ):
        file.fail('after a repeat (") a count and a value in base 90 are needed. The file is damaged.')
    times = np.ones(len(codes), dtype=np.int64)
    times[repeat] = 0
    times[repeat + 1] = 0
    times[repeat + 2] = numbers[repeat + 1]
    # as floats: counts of many digits would overflow
    total = times.sum(dtype=float)
    if total != points * rows:
        _fail_counts(file, points, rows, f"after #GRID there are {total:.0f}")
    values = np.where(first == _DUMMY_CODE, np.nan, numbers.astype(np.float64))
    return np.repeat(values, times)


def _codes(file: _File, digits: int) -> Array:
    """Characters ``(codes, digits)`` of the lines after ``#GRID``."""
    parts = []
    for number, line in enumerate(file.lines[file.start :], start=file.start + 1):
        text = line.rstrip().encode("latin-1", errors="replace")
        part = np.frombuffer(text, np.uint8)
        known = (
            (part == _DUMMY_CODE) | (part == _REPEAT_CODE) | ((part >= _ZERO_CODE) & (part < _ZERO_CODE + 90))
        )
        if len(part) % digits or not known.all():
            file.fail(f"{line[:40]!r} is not made of codes of {digits} characters in base 90.", number)
        parts.append(part)
    return np.concatenate([np.empty(0, np.uint8), *parts]).reshape(-1, digits)
