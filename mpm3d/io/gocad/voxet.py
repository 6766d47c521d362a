"""GoCAD voxets: a text header and binary or text files of values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.geometry import Array
from mpm3d.grid import FloatArray
from mpm3d.io.files import read_text, to_count, to_number
from mpm3d.io.gocad.lines import LARGEST, SAME, Block, TextFile, split_words
from mpm3d.io.gocad.write import statistics
from mpm3d.lattice import Voxet

Shape = tuple[int, int, int]
# more samples than this in a header means a damaged file
_MANY = 10**12


@dataclass
class _Property:
    """What the header says of one property: words by keyword, and the line of the first of them."""

    number: str
    line: int
    words: dict[str, list[str]] = field(default_factory=dict)

    def word(self, key: str, default: str = "") -> str:
        return (self.words.get(key) or [default])[0]

    @property
    def name(self) -> str:
        return self.word("PROPERTY") or self.word("PROPERTY_CLASS") or f"property_{self.number}"


def read_voxet(text: TextFile, block: Block, errors: str, byte_order: str) -> Voxet:
    """Make a voxet of its header and the files that it names.

    Raises
    ------
    FormatError
        If it is damaged, or a file of values is missing, too short or outside the folder; with
        ``errors="skip"`` such a property is left out and noted.
    """
    shape, origin, steps = _geometry(text, block)
    factor, notes = block.crs.to_metres()
    properties = _properties(text, block)
    table = _ascii_table(text, block, shape, properties)
    values, kept = {}, list(notes)
    for index, (name, prop) in enumerate(properties.items()):
        try:
            data = _binary(text, prop, shape, byte_order) if table is None else table[index]
        except FormatError as error:
            if errors == "strict":
                raise
            kept.append(f"property {name!r} was left out: {error}")
            continue
        values[name], said = _finish(text, prop, name, data, byte_order)
        kept += said
    regions = [split_words(text.lines[run.start])[1:2] for run in block.find("REGION")]
    if regions:
        kept.append(f"regions were not read: {', '.join(r[0] for r in regions if r)}.")
    units = {n: properties[n].word("PROP_UNIT") for n in values}
    return Voxet(
        block.name, origin * factor + 0.0, steps * factor + 0.0, shape, values, kind="Voxet",
        units={n: unit for n, unit in units.items() if unit and unit.lower() != "none"},
        classes={n: codes for n in values if (codes := _classes(properties[n]))},
        crs_name=block.crs.name, z_positive="Depth" if block.crs.depth else "Elevation", notes=tuple(kept),
    )  # fmt: skip


def _axis(text: TextFile, block: Block, word: str) -> tuple[list[float], int]:
    """Three numbers of an AXIS line and its index."""
    runs = block.find(word)
    if not runs:
        text.fail(f"the voxet {block.name!r} has no {word}. The header may be truncated.", block.start)
    index = runs[-1].start
    tokens = split_words(text.lines[index])[1:]
    if len(tokens) < 3:
        text.fail(
            f"{word} has {len(tokens)} values ({' '.join(tokens)!r}), a voxet needs three (U V W). "
            "The export may be truncated.",
            index,
        )
    try:
        numbers = [to_number(token) for token in tokens[:3]]
    except ValueError:
        numbers = [math.nan]
    if not all(math.isfinite(number) for number in numbers):
        text.fail(f"{word} is {' '.join(tokens[:3])!r}, three finite numbers are expected.", index)
    return numbers, index


def _geometry(text: TextFile, block: Block) -> tuple[Shape, FloatArray, FloatArray]:
    """Counts (w, v, u), the first sample and the steps along U, V and W, in the units of the file."""
    counts, line = _axis(text, block, "AXIS_N")
    if any(n < 1 or n != int(n) for n in counts) or math.prod(counts) > _MANY:
        shown = " ".join(f"{n:g}" for n in counts)
        text.fail(f"AXIS_N is {shown!r}, three whole numbers of samples from 1 are expected.", line)
    n = np.array([int(count) for count in counts])
    vectors = np.array([_axis(text, block, f"AXIS_{axis}")[0] for axis in "UVW"])
    low = np.array(_axis(text, block, "AXIS_MIN")[0]) if block.find("AXIS_MIN") else np.zeros(3)
    high = np.array(_axis(text, block, "AXIS_MAX")[0]) if block.find("AXIS_MAX") else np.ones(3)
    with np.errstate(over="ignore", invalid="ignore"):
        origin = np.array(_axis(text, block, "AXIS_O")[0]) + low @ vectors
        # n samples span n - 1 steps; the vector of an axis of one sample is taken as its step
        share = (high - low) / np.maximum(n - 1, 1)
    if block.find("AXIS_D"):
        spacing = np.array(_axis(text, block, "AXIS_D")[0])
        share = np.where((n == 1) & (spacing != 0), spacing, share)
    with np.errstate(over="ignore", invalid="ignore"):
        steps = vectors * share[:, None]
    if not (np.all(np.abs(origin) < LARGEST) and np.all(np.abs(steps) < LARGEST)):
        text.fail("the axes give samples at coordinates that are not finite numbers.", line)
    return (int(n[2]), int(n[1]), int(n[0])), origin, steps


def _properties(text: TextFile, block: Block) -> dict[str, _Property]:
    """Properties by their names, in the order in which their numbers appear."""
    found: dict[str, _Property] = {}
    for run in block.runs:
        if run.word.startswith(("PROP_", "PROPERTY")):
            words = split_words(text.lines[run.start])[1:]
            if words and to_count(words[0]) is not None:
                prop = found.setdefault(words[0], _Property(words[0], run.start))
                prop.words[run.word] = words[1:]
    named: dict[str, _Property] = {}
    for prop in found.values():
        named[prop.name if prop.name not in named else f"{prop.name}_{prop.number}"] = prop
    return named


def _path_of(text: TextFile, name: str, line: int) -> Path:
    """File of values beside the header, or below it, never elsewhere."""
    plain = name.replace("\\", "/")
    folder = text.path.resolve().parent
    windows = len(plain) > 1 and plain[1] == ":"
    try:
        path = (folder / plain).resolve()
        there = path.is_file()
    except (OSError, ValueError, RuntimeError):
        path, there = folder, False
    if windows or path == folder or not path.is_relative_to(folder):
        text.fail(
            f"the data file {name!r} is outside the folder of the voxet. Put it beside the header and write "
            f"its bare name there: {plain.rsplit('/', 1)[-1]!r}.",
            line,
        )
    if not there:
        text.fail(f"the data file {name!r} is not in {folder.name!r}, beside the header.", line)
    return path


def _data_type(text: TextFile, prop: _Property, name: str) -> np.dtype[np.generic]:
    """Type of the binary values, big-endian; IBM floats as the bytes that they are."""
    storage, kind = prop.word("PROP_STORAGE_TYPE").lower(), prop.word("PROP_ETYPE", "IEEE").upper()
    size, signed = prop.word("PROP_ESIZE", "4"), prop.word("PROP_SIGNED", "1") != "0"
    layout = prop.word("PROP_FORMAT", "RAW").upper()
    if storage == "rgba":
        text.fail(f"property {name!r} is an image (RGBA), which has no values to read.", prop.line)
    if layout != "RAW" or kind not in ("IEEE", "IBM"):
        text.fail(
            f"property {name!r} has the format {layout} with {kind} numbers, only RAW with IEEE or IBM is "
            "read. Export it from GoCAD as a binary voxet.",
            prop.line,
        )
    code = {"1": "i1", "2": "i2", "4": "f4", "8": "f8"}.get(size)
    if code is None:
        text.fail(f"property {name!r} has values of {size!r} bytes, 1, 2, 4 or 8 are expected.", prop.line)
    if kind == "IBM" and size != "4":
        text.fail(f"property {name!r} has IBM numbers of {size} bytes, only those of 4 are read.", prop.line)
    if kind == "IBM":
        return np.dtype(">u4")
    if storage.startswith(("int", "oct", "short", "byte")):
        code = "i" + size
    return np.dtype(">" + (code if signed or code[0] == "f" else "u" + size))


def _binary(text: TextFile, prop: _Property, shape: Shape, byte_order: str) -> Array:
    """Values ``(w, v, u)`` of one property in the machine's byte order."""
    name = prop.name
    if not prop.word("PROP_FILE"):
        text.fail(f"property {name!r} has no PROP_FILE and there is no ASCII_DATA_FILE.", prop.line)
    kind = _data_type(text, prop, name)
    path = _path_of(text, prop.word("PROP_FILE"), prop.line)
    skip = to_count(prop.word("PROP_OFFSET", "0"))
    if skip is None:
        text.fail(
            f"PROP_OFFSET of property {name!r} is {prop.word('PROP_OFFSET')[:40]!r}, a count of bytes is "
            "expected.",
            prop.line,
        )
    count = math.prod(shape)
    needed, size = skip + count * kind.itemsize, path.stat().st_size
    if size < needed:
        raise FormatError(
            path,
            f"the file has {size} bytes, property {name!r} needs {needed}: {skip} to skip and "
            f"{' × '.join(str(n) for n in shape[::-1])} samples of {kind.itemsize}. It may be truncated.",
        )
    raw = np.fromfile(path, kind, count, offset=skip).reshape(shape)
    if byte_order == "little":
        raw = raw.byteswap()
    if prop.word("PROP_ETYPE").upper() == "IBM":
        return _from_ibm(raw.astype("u4"))
    return raw.astype(kind.newbyteorder("="))


def _from_ibm(bits: Array) -> FloatArray:
    """IBM floats: ``(-1)**sign * 0.fraction * 16**(exponent - 64)``."""
    sign = np.where(bits >> 31, -1.0, 1.0)
    exponent = ((bits >> 24) & 0x7F).astype(float) - 64
    fraction = (bits & 0x00FFFFFF) / float(1 << 24)
    return np.asarray(sign * fraction * np.power(16.0, exponent))


def _ascii_table(
    text: TextFile, block: Block, shape: Shape, properties: Mapping[str, _Property]
) -> FloatArray | None:
    """Values ``(property, w, v, u)`` of a text file of rows ``I J K values``, if there is one."""
    runs = block.find("ASCII_DATA_FILE")
    if not runs:
        return None
    line = runs[-1].start
    path = _path_of(text, " ".join(split_words(text.lines[line])[1:]), line)
    lines = [row for row in read_text(path).split("\n") if row.strip() and row.lstrip()[0] not in "*#"]
    count = math.prod(shape)
    if len(lines) != count:
        raise FormatError(
            path,
            f"there are {len(lines)} rows of values, the voxet has {count} samples. It may be truncated.",
        )
    width = 3 + len(properties)
    try:
        table = np.loadtxt(lines, usecols=range(width), comments=None, ndmin=2)
    except (ValueError, OverflowError) as error:
        raise FormatError(
            path, f"a row does not hold I J K and {len(properties)} values ({error})."
        ) from error
    index = table[:, :3]
    inside = (index >= 0) & (index < shape[::-1]) & (index == np.floor(index))
    if not inside.all():
        row = int(np.argmin(inside.all(axis=1)))
        raise FormatError(path, f"the row {lines[row].strip()[:60]!r} is not a sample of the voxet.")
    flat = index.astype(np.int64) @ np.array([1, shape[2], shape[2] * shape[1]])
    if len(np.unique(flat)) != count:
        raise FormatError(path, "a sample (I J K) has several rows and others have none.")
    values = np.empty((len(properties), count))
    values[:, flat] = table[:, 3:].T
    return values.reshape(len(properties), *shape)


def _finish(
    text: TextFile, prop: _Property, name: str, data: Array, byte_order: str
) -> tuple[Array, list[str]]:
    """Turn no-data into NaN and compare the values with the statistics in the header."""
    notes: list[str] = []
    gone = _no_data(prop, data)
    stats = _stated(prop)
    if stats is not None and not _agrees(stats, data[~gone]):
        notes.append(_disagreement(prop, name, stats, data, byte_order))
    if data.dtype.kind == "f":
        data = np.where(gone, data.dtype.type(np.nan), data)
    elif gone.any():
        notes.append(
            f"property {name!r} has {int(gone.sum())} samples of the no-data code "
            f"{prop.word('PROP_NO_DATA_VALUE')}, which were kept because codes have no NaN."
        )
    return data, notes


def _no_data(prop: _Property, data: Array) -> Array:
    """Whether each sample holds the declared no-data value."""
    try:
        no_data = to_number(prop.word("PROP_NO_DATA_VALUE", "nan"))
    except ValueError:
        no_data = math.nan
    with np.errstate(invalid="ignore", over="ignore"):
        if data.dtype.kind != "f":
            return np.asarray(data == no_data)
        return np.asarray((np.abs(data - no_data) <= SAME * abs(no_data)) | np.isnan(data))


def _stated(prop: _Property) -> list[float] | None:
    try:
        stats = [to_number(token) for token in prop.words.get("PROP_SAMPLE_STATS", [])[:5]]
    except ValueError:
        return None
    return stats if len(stats) == 5 else None


def _agrees(stats: list[float], values: Array) -> bool:
    """Whether count, mean, variance, least and largest value are those stated, to their six digits."""
    with np.errstate(all="ignore"):
        count, mean, variance, low, high = statistics(values)
    scale = 1e-4 * max(abs(low), abs(high))
    near = all(
        abs(a - b) <= scale for a, b in zip((mean, low, high), (stats[1], stats[3], stats[4]), strict=True)
    )
    return count == stats[0] and near and abs(variance - stats[2]) <= 1e-2 * variance + scale**2


def _disagreement(prop: _Property, name: str, stats: list[float], data: Array, byte_order: str) -> str:
    with np.errstate(all="ignore"):
        found = statistics(data[~_no_data(prop, data)])
    stated, got = (", ".join(f"{v:g}" for v in numbers) for numbers in (stats, found))
    note = (
        f"property {name!r} does not have the statistics of its header: count, mean, variance, least and "
        f"largest value should be {stated} and are {got}."
    )
    swapped = data.byteswap()
    if _agrees(stats, swapped[~_no_data(prop, swapped)]):
        other = {"big": "little", "little": "big"}[byte_order]
        return f"{note} They agree if the bytes are swapped: read with byte_order={other!r}."
    return note


def _classes(prop: _Property) -> dict[int, str]:
    """Names of the codes of a ROCK property, written as ``ROCK n name code name code ...``."""
    words = prop.words.get("PROPERTY_SUBCLASS", [])
    if len(words) < 4 or words[0].upper() != "ROCK":
        return {}
    codes: dict[int, str] = {}
    for first, second in zip(words[2::2], words[3::2], strict=False):
        for label, code in ((first, to_count(second)), (second, to_count(first))):
            if code is not None:
                codes[code] = label
                break
    return codes
