"""GoCAD ASCII files as objects and runs of like lines, before any of them is understood."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.grid import FloatArray
from mpm3d.io.files import read_bytes, stem_of, to_number
from mpm3d.io.gocad.content import MERGED, Keywords, LineTable, Rows, as_utf8

# a value this close, relatively, to the no-data value is one: writers put it through float32
SAME = 2e-7
# beyond this a coordinate overflows when it is converted to metres
LARGEST = 1e300
GROUPS = frozenset({"homogeneousgroup", "heterogeneousgroup"})
_CRS = "GOCAD_ORIGINAL_COORDINATE_SYSTEM"
_CRS_END = "END_ORIGINAL_COORDINATE_SYSTEM"
# a block of braces that was never closed ends here
_SECTIONS = frozenset(MERGED) | {
    "GOCAD", _CRS, "PROPERTY_CLASS_HEADER", "TRGL_PROPERTY_CLASS_HEADER", "TETRA_PROPERTY_CLASS_HEADER",
    "HEADER", "PROPERTIES", "PROPERTY", "PROPERTY_CLASS", "TRGL_PROPERTIES", "TETRA_PROPERTIES", "TFACE",
    "ILINE", "SUBVSET", "TVOLUME", "WREF", "AXIS_O", "BEGIN_MEMBERS", "END_MEMBERS", "GEOLOGICAL_FEATURE",
    "GEOLOGICAL_TYPE", "END",
}  # fmt: skip
# metres per unit; the survey foot is 1200/3937 m
_METRES = {
    "m": 1.0, "meter": 1.0, "meters": 1.0, "metre": 1.0, "metres": 1.0, "km": 1000.0,
    "ft": 0.3048, "foot": 0.3048, "feet": 0.3048,
    "ftus": 1200 / 3937, "usft": 1200 / 3937, "us ft": 1200 / 3937, "ft us": 1200 / 3937,
}  # fmt: skip
_WORD = re.compile(r'"([^"]*)"|(\S+)')
_NAME = re.compile(r"\s*\*?name\s*[:=]\s*(.*)", re.IGNORECASE)
# where the next key begins in a header of one line
_KEY = re.compile(r"(?<=\s)(?=\*?[A-Za-z_][\w*]*\s*:)")
# marks of control nodes that follow the values of a vertex
_FLAG = re.compile("(CN)?X?Y?Z?")
# NaN and infinity as programs made with Microsoft's compilers print them
_NO_NUMBER = re.compile(r"[-+]?1\.#(IND|INF|QNAN|SNAN)0*", re.IGNORECASE)
# fewer lines than this cost less one by one than a call of NumPy's reader
_FEW = 12
# numbers that are read at once, and lines at most
_NUMBERS, _LINES = 1 << 20, 1 << 16


def split_words(line: str) -> list[str]:
    """Words of a line; quotes hold blanks together and are removed."""
    return [bare if quoted is None else quoted for quoted, bare in _pairs(line)]


def _pairs(line: str) -> Iterator[tuple[str | None, str]]:
    for match in _WORD.finditer(line):
        yield match.group(1), match.group(2)


class Run(NamedTuple):
    """Consecutive lines of one keyword, ``start`` to ``stop``, blank and comment lines among them."""

    word: str
    start: int
    stop: int


@dataclass(frozen=True)
class Crs:
    """The coordinate block of an object, or of the group that it takes it from."""

    name: str = ""
    units: tuple[str, ...] = ()
    depth: bool = False
    group: str | None = None
    # a sense of z that is neither Elevation nor Depth
    odd: str = ""

    def to_metres(self) -> tuple[FloatArray, tuple[str, ...]]:
        """Factors of x, y and z that make metres and elevations, and what was converted, in sentences."""
        factor, notes = np.ones(3), []
        if self.group is not None:
            notes.append(f"the coordinate block is that of the group {self.group!r}.")
        for axis, unit in zip(range(3), self.units, strict=False):
            plain = unit.lower().replace(".", "").replace("_", " ").replace("-", " ").strip()
            factor[axis] = _METRES.get(plain, 1.0)
            if plain not in _METRES:
                notes.append(f"the unit {unit!r} of axis {'xyz'[axis]} is not known and was taken as metres.")
            elif factor[axis] != 1:
                notes.append(
                    f"axis {'xyz'[axis]} is in {unit!r} and was converted to metres ({factor[axis]:.10g})."
                )
        if self.odd:
            notes.append(f"ZPOSITIVE {self.odd!r} is neither Elevation nor Depth; z was taken as elevation.")
        if self.depth:
            factor[2] = -factor[2]
            notes.append("z is depth in the file and was negated to elevation.")
        return factor, tuple(notes)


@dataclass
class Block:
    """One object of a file: its header, and its lines from ``start`` to before ``stop`` in runs."""

    kind: str
    label: str
    start: int
    stop: int = 0
    parent: Block | None = None
    name: str = ""
    own_crs: Crs | None = None
    inherited: Crs | None = None
    runs: list[Run] = field(default_factory=list)
    closed: bool = False

    @property
    def crs(self) -> Crs:
        """Its own coordinate block, or that of the nearest group that has one before its members."""
        return self.own_crs or self.inherited or Crs()

    def find(self, *words: str) -> list[Run]:
        """Runs of these keywords in the order of the file."""
        return [run for run in self.runs if run.word in words]


class TextFile:
    """Lines of a GoCAD file and the keyword that each begins with, empty for blanks and comments."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.lines = LineTable(as_utf8(read_bytes(path)))
        self.words = Keywords(self.lines)

    def tokens(self, index: int) -> list[str]:
        """Words behind the keyword of a line."""
        return split_words(self.lines[index])[1:]

    def last(self, block: Block, word: str) -> tuple[list[str], int | None]:
        """Words behind a keyword, the last time it appears in an object, and its line; or none."""
        runs = block.find(word)
        return (self.tokens(runs[-1].start), runs[-1].start) if runs else ([], None)

    def place(self, index: int | None) -> str:
        """Where a line is, for errors in the file that it names."""
        return "" if index is None else f"(line {index + 1} of {self.path.name})"

    def fail(self, reason: str, index: int | None = None) -> NoReturn:
        """Raise a `FormatError` at a line, ``index`` counted from 0."""
        raise FormatError(self.path, reason, None if index is None else index + 1)

    def afford(self, count: int, what: str, index: int | None = None) -> None:
        """Refuse arrays of more numbers than a file of this size can mean."""
        if count > 4 * len(self.lines.content) + _NUMBERS:
            self.fail(
                f"{what} would be {count} numbers, the whole file has {len(self.lines.content)} bytes. "
                "It may be damaged: compare this line with the lines of values.",
                index,
            )

    def numbers(self, run: Run, count: int, least: int | None = None) -> FloatArray:
        """The first ``count`` numbers after the keyword of every line of a run, ``(lines, count)``.

        NaN stands for values that a line lacks, if it has ``least`` of them (all are needed by default).
        """
        index = np.array(self.rows(run), dtype=np.int64)
        if len(index) < _FEW:
            return self.table(index, count, least)[0]
        tables = [self.table(index[some], count, least)[0] for some in slabs(len(index), count)]
        return np.concatenate([np.empty((0, count)), *tables])

    def table(self, index: Rows, count: int, least: int | None = None) -> tuple[FloatArray, int]:
        """The first ``count`` numbers of the lines of ``index``, and how many lines lack some of them."""
        lines = self.lines.take(index)
        if len(lines) >= _FEW and not self.lines.has_zeros:
            try:
                return np.loadtxt(lines, usecols=range(1, count + 1), comments=None, ndmin=2), 0
            except (ValueError, OverflowError):
                pass  # a number or a line that needs a closer look
        table, lacking = np.full((len(lines), count), np.nan), 0
        for row, (line, i) in enumerate(zip(lines, index.tolist(), strict=True)):
            found = self._numbers(line, i, count, count if least is None else least)
            table[row, : len(found)] = found
            lacking += len(found) < count
        return table, lacking

    def rows(self, run: Run) -> list[int]:
        """Indices of the lines of a run, without blank and comment lines."""
        rows: list[int] = (np.flatnonzero(self.words.codes[run.start : run.stop]) + run.start).tolist()
        return rows

    def _numbers(self, line: str, index: int, count: int, least: int) -> list[float]:
        tokens = line.split()
        found = tokens[1 : count + 1]
        while len(found) > least and _FLAG.fullmatch(found[-1]):
            found.pop()
        if len(found) < least:
            self.fail(
                f"{tokens[0]} has {len(found)} values ({line.strip()[:60]!r}), it needs {least}. "
                "The file may be truncated.",
                index,
            )
        try:
            return [math.nan if _NO_NUMBER.fullmatch(token) else to_number(token) for token in found]
        except ValueError:
            self.fail(
                f"{line.strip()[:60]!r} has a value that is not a number, {count} are expected after "
                f"{tokens[0]}.",
                index,
            )


def slabs(lines: int, count: int) -> Iterator[slice]:
    """Slices of ``lines`` lines of ``count`` numbers, so that few of them are in memory at once."""
    size = min(max(_NUMBERS // count, 1), _LINES)
    for start in range(0, lines, size):
        yield slice(start, min(start + size, lines))


def read_blocks(text: TextFile) -> list[Block]:
    """Objects of a file, those of groups among them, in the order of the file.

    Raises
    ------
    FormatError
        If there is no object at all.
    """
    scan = _Scan(text)
    while scan.index < len(text.lines):
        scan.step()
    if not scan.blocks and not scan.any_group:
        text.fail("no object begins in this file, a line such as 'GOCAD TSurf 1' is expected.")
    for block in scan.blocks:
        block.name = block.name or stem_of(text.path)
    return scan.blocks


class _Scan:
    """A walk over the lines of a file that collects its objects."""

    def __init__(self, text: TextFile) -> None:
        self.text = text
        self.index = 0
        self.blocks: list[Block] = []
        self.current: Block | None = None
        # the innermost group whose members are being read
        self.group: Block | None = None
        self.any_group = False

    def step(self) -> None:
        """Take in the line at ``index`` with whatever belongs to it."""
        word, block = self.text.words[self.index], self.current
        if word == "GOCAD":
            self._begin()
        elif word == "END_MEMBERS":
            self.current = self.group
            self.group = None if self.group is None else self.group.parent
            self.index += 1
        elif block is None or not word:
            self.index = self.text.words.next_run(self.index)
        elif word == "HEADER":
            self._header(block)
        elif word.endswith("CLASS_HEADER"):
            self._braces()
        elif word == _CRS:
            self._crs(block)
        elif word == "END":
            block.closed, self.current = True, None
            self.index += 1
        else:
            stop = self.text.words.next_run(self.index)
            block.runs.append(Run(word, self.index, stop if word in MERGED else self.index + 1))
            self.index = stop
        if block is not None and block is self.current:
            block.stop = self.index

    def _begin(self) -> None:
        words = self.text.lines[self.index].split()
        label = words[1] if len(words) > 1 else "?"
        block = Block(label.lower(), label, self.index, self.index, self.group)
        if self.group is not None:
            crs = self.group.own_crs
            block.inherited = replace(crs, group=self.group.name) if crs else self.group.inherited
        if block.kind in GROUPS:
            self.group = block
            self.any_group = True
        else:
            self.blocks.append(block)
        self.current = block
        self.index += 1

    def _header(self, block: Block) -> None:
        for line in self._braces():
            match = _NAME.match(line)
            if match:
                value = match.group(1).strip()
                block.name = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value

    def _braces(self) -> list[str]:
        """Skip a block of braces, closed or not, and give its lines."""
        lines, words = self.text.lines, self.text.words
        line = lines[self.index].strip()
        self.index += 1
        if "{" in line and line.endswith("}"):
            # one line holds several keys: a name ends where the next key begins
            return [part.strip() for part in _KEY.split(" " + line[line.index("{") + 1 : -1])]
        start = self.index
        if "{" not in line and "".join(lines[start : start + 1]).strip() != "{":
            return []
        while self.index < len(lines) and words[self.index] not in _SECTIONS:
            self.index += 1
            if lines[self.index - 1].strip() == "}":
                break
        return lines[start : self.index]

    def _crs(self, block: Block) -> None:
        found: dict[str, list[str]] = {}
        self.index += 1
        while self.index < len(self.text.lines):
            word = self.text.words[self.index]
            if word in _SECTIONS:
                break
            if word == _CRS_END:
                self.index += 1
                break
            if word:
                found[word] = self.text.tokens(self.index)
            self.index += 1
        sense = "".join(found.get("ZPOSITIVE", [])).strip()
        name = " ".join(found.get("NAME", [])).strip()
        block.own_crs = Crs(
            name, tuple(found.get("AXIS_UNIT", [])[:3]), depth=sense.lower() == "depth",
            odd="" if sense.lower() in ("", "elevation", "depth") else sense[:40],
        )  # fmt: skip
