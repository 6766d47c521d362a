"""Logs of GoCAD wells: depths and values in the header, in a binary file or in a text file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.grid import FloatArray
from mpm3d.io.files import read_text, to_count
from mpm3d.io.gocad.data_files import Encoding, Property, Stored, data_path, find_encoding, is_no_data
from mpm3d.io.gocad.lines import LARGEST, Block, Crs, TextFile
from mpm3d.io.options import Options
from mpm3d.values import statistics
from mpm3d.wells import Curve

_FILES = ("BINARY_DATA_FILE", "ASCII_DATA_FILE")
_KEYS = (
    "PROPERTY", "PROPERTY_CLASS", "PROPERTY_SUBCLASS", "PROP_UNIT", "PROP_NO_DATA_VALUE", "PROP_SAMPLE_STATS",
    "PROP_ESIZE", "PROP_ETYPE", "PROP_STORAGE_TYPE", "PROP_SIGNED", "PROP_FORMAT", "UNITS", "ZM_UNIT",
    "INTERPOLATION", "BLOCKED_INTERPOLATION", "NPTS", "SEEK", "COLUMN",
)  # fmt: skip


@dataclass
class _Log:
    """One WELL_CURVE: what its lines say, and the data file named before it."""

    prop: Property
    file: tuple[str, str, int] | None = None
    records: list[FloatArray] = field(default_factory=list)
    holes: int = 0
    place: int = 1

    def fail(self, text: TextFile, reason: str, key: str) -> FormatError:
        return FormatError(text.path, f"the curve {self.prop.name!r} {reason}", self.prop.line_of(key) + 1)


def read_curves(
    text: TextFile, block: Block, options: Options, zm: float
) -> tuple[dict[str, Curve], dict[str, str], tuple[str, ...]]:
    """Logs of a well by name, their units, and what was decided, in sentences.

    Parameters
    ----------
    text : TextFile
        The file.
    block : Block
        The well in it.
    options : Options
        ``errors``, ``byte_order`` and ``outside`` count.
    zm : float
        Metres per unit of depth of the well, for logs that name none.

    Raises
    ------
    FormatError
        If a log cannot be read; with ``errors="skip"`` it is left out and noted. One whose data file is not
        there is left out in any case.
    """
    curves: dict[str, Curve] = {}
    units: dict[str, str] = {}
    notes: list[str] = []
    for log in _find_logs(text, block):
        base = log.prop.name if log.prop.name != "property_" + log.prop.number else f"curve_{log.place}"
        name = base if base not in curves else f"{base}_{log.place}"
        try:
            gone = _missing_file(text, log, options)
            if gone:
                notes.append(f"the curve {name!r} was left out: its data file {gone!r} is not there.")
                continue
            curves[name], said = _curve(text, log, options, zm)
        except FormatError as error:
            if options.errors == "strict":
                raise
            notes.append(f"the curve {name!r} was left out: {error}")
            continue
        notes += [f"curve {name!r}: {note}" for note in said]
        unit = _units(log)[1]
        if unit:
            units[name] = unit
    return curves, units, tuple(notes)


def _find_logs(text: TextFile, block: Block) -> list[_Log]:
    """Curves in the order of the file; a data file counts for all curves after it."""
    logs: list[_Log] = []
    file: tuple[str, str, int] | None = None
    current: _Log | None = None
    for run in block.find("WELL_CURVE", "END_CURVE", "REC", "HOLE", *_FILES, *_KEYS):
        words = text.tokens(run.start)
        if run.word in _FILES:
            file = (run.word, " ".join(words), run.start)
            if current is not None:
                current.file = file
        elif run.word == "WELL_CURVE":
            current = _Log(Property(str(len(logs) + 1), run.start), file, place=len(logs) + 1)
            logs.append(current)
        elif current is None or run.word == "END_CURVE":
            current = None
        elif run.word == "REC":
            current.records.append(text.numbers(run, 2))
        elif run.word == "HOLE":
            current.holes += 1
        else:
            current.prop.words[run.word] = words
            current.prop.lines[run.word] = run.start
    return logs


def _missing_file(text: TextFile, log: _Log, options: Options) -> str:
    """Name of the data file of a log, if there is no such file."""
    if log.records or log.file is None:
        return ""
    _, name, line = log.file
    plain = name.replace("\\", "/")
    beside = not plain.startswith("/") and ".." not in plain and plain[1:2] != ":"
    if not name or ((beside or options.outside) and not _is_there(text.path.parent / plain)):
        return name or "?"
    data_path(text, name, line, options)
    return ""


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _units(log: _Log) -> tuple[str, str]:
    """Units of depth and of the values; a single word after UNITS is that of the values."""
    words = log.prop.words.get("UNITS", [])
    first, rest = (words[:1], words[1:]) if len(words) > 1 else ([], words)
    depth = log.prop.phrase("ZM_UNIT") or "".join(first)
    unit = log.prop.unit or " ".join(rest)
    return depth, "" if unit.lower() in ("none", "unknown") else unit


def _curve(text: TextFile, log: _Log, options: Options, zm: float) -> tuple[Curve, list[str]]:
    """Depths in metres and values of one log."""
    depth, values, notes = _raw(text, log, options)
    with np.errstate(invalid="ignore"):
        known = np.abs(depth) < LARGEST
    if not known.all() or np.any(np.diff(depth) < 0):
        raise log.fail(
            text, "has depths that are no numbers or do not ascend, so its data are not where NPTS and SEEK "
            "say, or not as they say.", "SEEK",
        )  # fmt: skip
    unit = _units(log)[0]
    factor = float(Crs("", (unit,)).to_metres()[0][0]) if unit else zm
    if factor != 1 and factor != zm:
        notes.append(f"its depths are in {unit!r} and were converted to metres ({factor:.10g}).")
    stated = log.prop.stated
    if stated is not None and not stated.agrees(statistics(values)):
        notes.append("its values do not have the statistics of the header.")
    if log.holes:
        notes.append(f"{log.holes} HOLE lines, gaps in the log, were not read.")
    shape = " ".join((log.prop.phrase("INTERPOLATION"), *log.prop.words.get("BLOCKED_INTERPOLATION", [])))
    if "BLOCKED_INTERPOLATION" in log.prop.words or "block" in shape.lower():
        notes.append("its values hold from their depth to the next (blocked).")
    return Curve(depth * factor, values), notes


def _raw(text: TextFile, log: _Log, options: Options) -> tuple[FloatArray, FloatArray, list[str]]:
    """Depths as the file has them and values, from wherever they are."""
    if log.records:
        depth, values = np.concatenate(log.records).T
        values = values.copy()
        if log.prop.no_data is not None:
            values[is_no_data(values, log.prop.no_data)] = np.nan
        return depth, values, []
    if log.file is not None:
        read = _from_binary if log.file[0] == "BINARY_DATA_FILE" else _from_text
        return read(text, log, options)
    if to_count(log.prop.word("NPTS", "0")) != 0:
        raise log.fail(text, "has neither REC lines nor a data file.", "NPTS")
    return np.zeros(0), np.zeros(0), ["it has no values."]


def _from_binary(text: TextFile, log: _Log, options: Options) -> tuple[FloatArray, FloatArray, list[str]]:
    """NPTS depths as float32 and then NPTS values, SEEK bytes after the beginning of the file."""
    name, line = log.file[1:] if log.file else ("", 0)
    count, seek = (to_count(log.prop.word(key, "0")) for key in ("NPTS", "SEEK"))
    if count is None or seek is None:
        said = f"NPTS {log.prop.word('NPTS')[:40]!r} and SEEK {log.prop.word('SEEK', '0')[:40]!r}"
        raise log.fail(text, f"has {said}, counts of values and of bytes are expected.", "NPTS")
    encoding, notes = find_encoding(text, log.prop, options)
    path = data_path(text, name, line, options)
    float32 = Encoding(np.dtype(">f4" if options.byte_order == "big" else "<f4"))
    what = f"the curve {log.prop.name!r} {text.place(log.prop.line)}"
    values = Stored(path, encoding, seek + 4 * count, what).values((count,))
    depth = Stored(path, float32, seek, what).values((count,))
    return np.asarray(depth, dtype=float), np.asarray(values, dtype=float), notes


def _from_text(text: TextFile, log: _Log, options: Options) -> tuple[FloatArray, FloatArray, list[str]]:
    """Columns of a text file: depth, and the one that COLUMN tells, counted from 0."""
    name, line = log.file[1:] if log.file else ("", 0)
    column = to_count(log.prop.word("COLUMN", str(log.place)))
    if column is None or column > 10**6:
        raise log.fail(text, "has a COLUMN that is no number of a column, from 0.", "COLUMN")
    path = data_path(text, name, line, options)
    rows = [row for row in read_text(path).split("\n") if row.strip() and row.lstrip()[0] not in "*#"]
    if not rows:
        raise FormatError(path, f"there are no values of the curve {log.prop.name!r}.")
    try:
        table = np.loadtxt(rows, usecols=(0, column), comments=None, ndmin=2)
    except (ValueError, OverflowError) as error:
        raise FormatError(
            path, f"a row has no number in column 0 or {column}, counted from 0 ({error})."
        ) from error
    depth, values = table.T.copy()
    if log.prop.no_data is not None:
        values[is_no_data(values, log.prop.no_data)] = np.nan
    return depth, values, [f"read from columns 0 (depth) and {column} of {name!r}, counted from 0."]
