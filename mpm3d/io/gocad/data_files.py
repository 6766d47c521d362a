"""Data files that headers of GoCAD objects name: where they are and how their numbers are stored."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.geometry import Array
from mpm3d.grid import FloatArray
from mpm3d.io.files import to_count, to_number
from mpm3d.io.gocad.lines import SAME, Block, TextFile
from mpm3d.io.options import Options
from mpm3d.values import FileArray, Lazy, Statistics, Values

# more values than this stay in their file
LAZY_ABOVE = 4_000_000
# files of a folder that are looked at for a similar name
_LISTED = 10_000
_SIZES = {
    "octet": (1,), "byte": (1,), "short": (2,), "integer": (4, 1, 2, 8), "int": (4, 1, 2, 8),
    "long": (4, 8), "float": (4, 8), "double": (8,),
}  # fmt: skip


def data_path(text: TextFile, name: str, line: int, options: Options) -> Path:
    """File that a header names, beside the header or below it unless ``options.outside`` allows others.

    Parameters
    ----------
    text : TextFile
        The file with the header.
    name : str
        Name of the data file as the header has it.
    line : int
        Line of the name, counted from 0, for errors.
    options : Options
        Whether files in other folders may be read.

    Raises
    ------
    FormatError
        If it is in another folder, where a link counts as the place it leads to, or is not there.
    """
    plain = name.replace("\\", "/")
    folder = text.path.resolve().parent
    drive = plain[1:2] == ":"
    try:
        path = (folder / plain).resolve()
        there = path.is_file()
    except (OSError, ValueError, RuntimeError):
        path, there = folder, False
    inside = not drive and path != folder and path.is_relative_to(folder)
    if not there or not (inside or options.outside):
        bare = f"Put it beside the header and write its bare name there: {plain.rsplit('/', 1)[-1][:200]!r}"
        if not inside and not options.outside:
            why = f"outside the folder of the header. {bare}; or allow other folders with outside=True."
        elif drive:
            why = f"on a disk that is not here. {bare}."
        else:
            why = f"not in {folder.name!r}, beside the header.{_alike(path)}"
        text.fail(f"the data file {name[:200]!r} is {why}", line)
    return path


def _alike(path: Path) -> str:
    """A hint at a file whose name has the same letters, for headers from systems that take them as one."""
    try:
        names = [other.name for other in itertools.islice(path.parent.iterdir(), _LISTED)]
    except OSError:
        return ""
    wanted = path.name.casefold()
    found = [name for name in names if name != path.name and name.casefold() == wanted]
    return f" There is {found[0]!r}: rename it as the header does." if found else ""


@dataclass
class Property:
    """What a header says of one property: words by keyword, and the line of each, counted from 0."""

    number: str
    line: int
    words: dict[str, list[str]] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)

    def word(self, key: str, default: str = "") -> str:
        """First word after a keyword and the number."""
        return (self.words.get(key) or [default])[0]

    def phrase(self, key: str) -> str:
        """All words after a keyword and the number: a name that has blanks and no quotes."""
        return " ".join(self.words.get(key, []))

    def line_of(self, key: str) -> int:
        """Line of a keyword, or the first of the property."""
        return self.lines.get(key, self.line)

    @property
    def name(self) -> str:
        """Its name, or that of its class, or its number."""
        return self.phrase("PROPERTY") or self.phrase("PROPERTY_CLASS") or f"property_{self.number}"

    @property
    def unit(self) -> str:
        """Its unit; empty if it has none."""
        unit = self.phrase("PROP_UNIT")
        return "" if unit.lower() == "none" else unit

    @property
    def image(self) -> str:
        """A note if its values are colours, which are no numbers of anything."""
        if self.word("PROP_STORAGE_TYPE").lower() != "rgba":
            return ""
        return f"property {self.name!r} is an image (RGBA), which has no values to read; it was left out."

    @property
    def no_data(self) -> float | None:
        """Value that stands for no data, if the header tells one."""
        try:
            value = to_number(self.word("PROP_NO_DATA_VALUE", "nan"))
        except ValueError:
            return None
        return None if math.isnan(value) else value

    @property
    def stated(self) -> Statistics | None:
        """Statistics of the values that the header states, if it does."""
        try:
            stats = [to_number(token) for token in self.words.get("PROP_SAMPLE_STATS", [])[:5]]
        except ValueError:
            return None
        if len(stats) < 5 or not all(map(math.isfinite, stats)):
            return None
        return Statistics(int(stats[0]), stats[1], stats[2], stats[3], stats[4])

    @property
    def classes(self) -> dict[int, str]:
        """Names of the codes of a ROCK property, written as ``ROCK n name code name code ...``."""
        words = self.words.get("PROPERTY_SUBCLASS", [])
        if len(words) < 4 or words[0].upper() != "ROCK":
            return {}
        codes: dict[int, str] = {}
        for first, second in zip(words[2::2], words[3::2], strict=False):
            for label, code in ((first, second), (second, first)):
                if re.fullmatch("-?[0-9]{1,18}", code):
                    codes[int(code)] = label
                    break
        return codes


def find_properties(text: TextFile, block: Block) -> dict[str, Property]:
    """Properties of an object by their names, in the order in which their numbers appear.

    A keyword that is repeated counts as it is the last time; a name that is repeated gets its number.
    """
    found: dict[str, Property] = {}
    for run in block.runs:
        if run.word.startswith(("PROP_", "PROPERTY")):
            words = text.tokens(run.start)
            if words and to_count(words[0]) is not None:
                prop = found.setdefault(words[0], Property(words[0], run.start))
                prop.words[run.word] = words[1:]
                prop.lines[run.word] = run.start
    named: dict[str, Property] = {}
    for prop in found.values():
        name = prop.name
        while name in named:
            name = f"{name}_{prop.number}"
        named[name] = prop
    return named


@dataclass(frozen=True)
class Encoding:
    """How numbers are stored in a binary file.

    Parameters
    ----------
    stored : numpy dtype
        Their type with its byte order; unsigned whole numbers for IBM floats.
    ibm : bool
        Whether they are IBM floats.
    no_data : float, optional
        The number that stands for no data. Whole numbers become floats if there is one, so that NaN can
        stand for it.
    """

    stored: np.dtype[Any]
    ibm: bool = False
    no_data: float | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the numbers when they are read."""
        if self.ibm:
            return np.dtype(float)
        if self.stored.kind in "iu" and self.no_data is not None:
            return np.dtype(np.float32 if self.stored.itemsize < 4 else np.float64)
        return self.stored.newbyteorder("=")

    def decode(self, raw: Array) -> Array:
        """Numbers of what is stored, NaN for no data."""
        values: Array = _from_ibm(raw) if self.ibm else raw.astype(self.dtype)
        if values.dtype.kind == "f":
            with np.errstate(invalid="ignore"):
                values[np.isnan(values)] = np.nan  # a NaN of another kind warns when it is converted
        if self.no_data is not None:
            exact = raw if self.stored.kind in "iu" and not self.ibm else values
            values[is_no_data(exact, self.no_data)] = np.nan
        return values

    def swapped(self) -> Encoding:
        """The same with the other byte order."""
        return replace(self, stored=self.stored.newbyteorder("S"))


def is_no_data(values: Array, no_data: float) -> Array:
    """Whether values are the no-data value, exactly if they are whole and as float32 if they are not."""
    with np.errstate(invalid="ignore", over="ignore"):
        if values.dtype.kind != "f" or math.isinf(no_data):
            return np.asarray(values == no_data)
        return np.asarray(np.abs(values - no_data) <= SAME * abs(no_data))


def _from_ibm(raw: Array) -> FloatArray:
    """IBM floats of 4 or 8 bytes: ``(-1)**sign * 0.fraction * 16**(exponent - 64)``."""
    width = 8 * raw.dtype.itemsize
    bits = raw.astype(f"u{raw.dtype.itemsize}")
    sign = np.where(bits >> (width - 1), -1.0, 1.0)
    exponent = ((bits >> (width - 8)) & 0x7F).astype(float) - 64
    fraction = (bits & ((1 << (width - 8)) - 1)).astype(float) / float(1 << (width - 8))
    return np.asarray(sign * fraction * np.power(16.0, exponent))


def find_encoding(text: TextFile, prop: Property, options: Options) -> tuple[Encoding, list[str]]:
    """How the values of a property are stored, and what had to be assumed, in sentences.

    Raises
    ------
    FormatError
        If they are images, traces of SEG-Y or numbers of a kind that is not known.
    """
    storage, kind = prop.word("PROP_STORAGE_TYPE").lower(), prop.word("PROP_ETYPE", "IEEE").upper()
    layout, name = prop.word("PROP_FORMAT", "RAW").upper(), prop.name
    if kind.lower() in _SIZES:  # some writers put the type of storage there
        storage, kind = storage or kind.lower(), "IEEE"
    if layout != "RAW" or kind not in ("IEEE", "IBM"):
        text.fail(
            f"property {name!r} has the format {layout} with {kind} numbers, only RAW with IEEE or IBM is "
            "read. Export it from GoCAD as a binary voxet.",
            prop.line_of("PROP_FORMAT" if layout != "RAW" else "PROP_ETYPE"),
        )
    size = _size(text, prop, storage)
    order = ">" if options.byte_order == "big" else "<"
    if storage in ("float", "double") or (not storage and size > 2):
        ibm = kind == "IBM"
        return Encoding(np.dtype(f"{order}{'u' if ibm else 'f'}{size}"), ibm, prop.no_data), []
    signed, notes = _signed(prop, size)
    if size == 8 and prop.no_data is not None:
        notes.append(f"property {name!r}: whole numbers beyond 2**53 were rounded, as they became floats.")
    return Encoding(np.dtype(f"{order}{'i' if signed else 'u'}{size}"), False, prop.no_data), notes


def _size(text: TextFile, prop: Property, storage: str) -> int:
    """Bytes of a value."""
    if storage and storage not in _SIZES:
        text.fail(
            f"property {prop.name!r} has the storage type {prop.word('PROP_STORAGE_TYPE')!r}, one of Octet, "
            "Short, Integer, Float and Double is expected.",
            prop.line_of("PROP_STORAGE_TYPE"),
        )
    allowed = _SIZES.get(storage, (4, 1, 2, 8))
    said = prop.word("PROP_ESIZE", str(allowed[0]))
    size = to_count(said)
    if size not in (1, 2, 4, 8):
        text.fail(
            f"property {prop.name!r} has values of {said[:40]!r} bytes, 1, 2, 4 or 8 are expected.",
            prop.line_of("PROP_ESIZE"),
        )
    if size not in allowed:
        text.fail(
            f"property {prop.name!r} has {prop.word('PROP_STORAGE_TYPE')} values of {size} bytes, "
            f"{' or '.join(map(str, sorted(allowed)))} are expected. Export it again.",
            prop.line_of("PROP_ESIZE"),
        )
    return size


def _signed(prop: Property, size: int) -> tuple[bool, list[str]]:
    """Whether whole numbers have a sign, and what was assumed if the header does not say."""
    said = prop.word("PROP_SIGNED")
    if said:
        return said != "0", []
    stated = prop.stated
    highest = max(prop.no_data or 0, 0 if stated is None else stated.high, *prop.classes, 0)
    signed = highest < 2 ** (8 * size - 1)
    reason = "" if signed else f", as {highest:g} is among them"
    return signed, [
        f"property {prop.name!r}: the header does not say whether whole numbers have a sign, they were read "
        f"as {'signed' if signed else 'unsigned'}{reason}."
    ]


@dataclass(frozen=True)
class Stored:
    """Numbers of a binary file that a header names.

    Parameters
    ----------
    path : Path
        The file.
    encoding : Encoding
        How they are stored.
    offset : int
        Bytes before them.
    what : str
        Whose they are and where the header says so, for errors.
    """

    path: Path
    encoding: Encoding
    offset: int
    what: str

    @property
    def size(self) -> int:
        """Bytes of the file from the first number on."""
        return self.path.stat().st_size - self.offset

    def mapped(self, shape: Sequence[int]) -> FileArray:
        """The numbers as they are stored, the last axis fastest; they stay in the file.

        Raises
        ------
        FormatError
            If the file is too short for them.
        """
        width = self.encoding.stored.itemsize
        needed = math.prod(shape) * width
        if self.size < needed:
            raise FormatError(
                self.path,
                f"the file has {self.offset + self.size} bytes, {self.offset + needed} are needed for "
                f"{self.what}: {self.offset} to skip and {' × '.join(str(n) for n in reversed(shape))} "
                f"values of {width}. It may be truncated.",
            )
        return FileArray(self.path, self.encoding.stored, shape, self.offset)

    def values(self, shape: Sequence[int], *, lazy: bool = False) -> Values:
        """The numbers; more than `LAZY_ABOVE` stay in the file, and others if that is asked for.

        Raises
        ------
        FormatError
            If the file is too short for them.
        """
        raw, count = self.mapped(shape), math.prod(shape)
        if lazy or count > LAZY_ABOVE:
            return Lazy(raw, self.encoding.decode, self.encoding.dtype)
        numbers = np.fromfile(self.path, raw.dtype, count, offset=self.offset)
        return self.encoding.decode(numbers.reshape(raw.shape))

    def swapped(self) -> Stored:
        """The same in the other byte order."""
        return replace(self, encoding=self.encoding.swapped())


def find_values(text: TextFile, prop: Property, options: Options) -> tuple[Stored, list[str]]:
    """Where the values of a property are stored and how, and what was assumed, in sentences.

    Raises
    ------
    FormatError
        If the header does not tell, or the file may not be read.
    """
    file, line = prop.phrase("PROP_FILE"), prop.line_of("PROP_FILE")
    if not file:
        text.fail(f"property {prop.name!r} has no PROP_FILE and there is no ASCII_DATA_FILE.", prop.line)
    encoding, notes = find_encoding(text, prop, options)
    path, said = data_path(text, file, line, options), prop.word("PROP_OFFSET", "0")
    offset = to_count(said)
    if offset is None:
        text.fail(
            f"PROP_OFFSET of property {prop.name!r} is {said[:40]!r}, a count of bytes is expected.",
            prop.line_of("PROP_OFFSET"),
        )
    return Stored(path, encoding, offset, f"property {prop.name!r} {text.place(line)}"), notes
