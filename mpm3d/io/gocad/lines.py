"""GoCAD ASCII files as objects and runs of like lines, before any of them is understood."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.grid import FloatArray
from mpm3d.io.files import read_text, stem_of, to_number

GEOMETRY = frozenset({"VRTX", "PVRTX", "ATOM", "PATOM", "TRGL", "SEG"})
# a value this close, relatively, to the no-data value is one: writers put it through float32
SAME = 2e-7
# beyond this a coordinate overflows when it is converted to metres
LARGEST = 1e300
GROUPS = frozenset({"homogeneousgroup", "heterogeneousgroup"})
_CRS = "GOCAD_ORIGINAL_COORDINATE_SYSTEM"
_CRS_END = "END_ORIGINAL_COORDINATE_SYSTEM"
# a block of braces that was never closed ends here
_SECTIONS = GEOMETRY | {
    "GOCAD", _CRS, "PROPERTY_CLASS_HEADER", "TRGL_PROPERTY_CLASS_HEADER", "HEADER", "PROPERTIES",
    "PROPERTY", "PROPERTY_CLASS", "TFACE", "ILINE", "SUBVSET", "AXIS_O", "BEGIN_MEMBERS", "END_MEMBERS",
    "GEOLOGICAL_FEATURE", "GEOLOGICAL_TYPE", "END",
}  # fmt: skip
# metres per unit; the survey foot is 1200/3937 m
_METRES = {
    "m": 1.0, "meter": 1.0, "meters": 1.0, "metre": 1.0, "metres": 1.0, "km": 1000.0,
    "ft": 0.3048, "foot": 0.3048, "feet": 0.3048,
    "ftus": 1200 / 3937, "usft": 1200 / 3937, "us ft": 1200 / 3937, "ft us": 1200 / 3937,
}  # fmt: skip
_WORD = re.compile(r'"([^"]*)"|(\S+)')
_NAME = re.compile(r"\s*\*?name\s*[:=]\s*(.*)", re.IGNORECASE)
# a run shorter than this costs less line by line than a call of NumPy's reader
_FEW = 12


def split_words(line: str) -> list[str]:
    """Words of a line; quotes hold blanks together and are removed."""
    return [bare if quoted is None else quoted for quoted, bare in _pairs(line)]


def _pairs(line: str) -> Iterator[tuple[str | None, str]]:
    for match in _WORD.finditer(line):
        yield match.group(1), match.group(2)


@dataclass(frozen=True)
class Run:
    """Consecutive lines of one keyword, ``start`` to ``stop``, blank and comment lines among them."""

    word: str
    start: int
    stop: int


@dataclass(frozen=True)
class Crs:
    """The coordinate block of an object."""

    name: str = ""
    units: tuple[str, ...] = ()
    depth: bool = False

    def to_metres(self) -> tuple[FloatArray, tuple[str, ...]]:
        """Factors of x, y and z that make metres and elevations, and what was converted, in sentences."""
        factor, notes = np.ones(3), []
        for axis, unit in zip(range(3), self.units, strict=False):
            plain = unit.lower().replace(".", "").replace("_", " ").replace("-", " ").strip()
            factor[axis] = _METRES.get(plain, 1.0)
            if plain not in _METRES:
                notes.append(f"the unit {unit!r} of axis {'xyz'[axis]} is not known and was taken as metres.")
            elif factor[axis] != 1:
                notes.append(
                    f"axis {'xyz'[axis]} is in {unit!r} and was converted to metres ({factor[axis]:.10g})."
                )
        if self.depth:
            factor[2] = -factor[2]
            notes.append("z is depth in the file and was negated to elevation.")
        return factor, tuple(notes)


@dataclass
class Block:
    """One object of a file: its header, and its lines in runs."""

    kind: str
    label: str
    start: int
    parents: tuple[Block, ...] = ()
    name: str = ""
    own_crs: Crs | None = None
    runs: list[Run] = field(default_factory=list)
    closed: bool = False

    @property
    def crs(self) -> Crs:
        """Its own coordinate block, or that of the nearest group that has one."""
        for block in (self, *reversed(self.parents)):
            if block.own_crs is not None:
                return block.own_crs
        return Crs()

    def find(self, *words: str) -> list[Run]:
        """Runs of these keywords in the order of the file."""
        return [run for run in self.runs if run.word in words]


class TextFile:
    """Lines of a GoCAD file and the keyword that each begins with, empty for blanks and comments."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.lines = read_text(path).split("\n")
        self.words = [
            word if (word := line.partition(" ")[0]) in GEOMETRY else _keyword(line) for line in self.lines
        ]

    def fail(self, reason: str, index: int | None = None) -> NoReturn:
        """Raise a `FormatError` at a line, ``index`` counted from 0."""
        raise FormatError(self.path, reason, None if index is None else index + 1)

    def numbers(self, run: Run, count: int, least: int | None = None) -> FloatArray:
        """The first ``count`` numbers after the keyword of every line of a run, ``(lines, count)``.

        NaN stands for values that a line lacks, if it has ``least`` of them (all are needed by default).
        """
        index = self.rows(run)
        lines = [self.lines[i] for i in index]
        if len(lines) >= _FEW:
            try:
                return np.loadtxt(lines, usecols=range(1, count + 1), comments=None, ndmin=2)
            except (ValueError, OverflowError):
                pass  # a number or a line that needs a closer look
        rows = [
            self._numbers(line, i, count, count if least is None else least)
            for i, line in zip(index, lines, strict=True)
        ]
        return np.array(rows, dtype=float).reshape(len(rows), count)

    def rows(self, run: Run) -> list[int]:
        """Indices of the lines of a run, without blank and comment lines."""
        return [i for i in range(run.start, run.stop) if self.words[i]]

    def _numbers(self, line: str, index: int, count: int, least: int) -> list[float]:
        tokens = line.split()
        found = tokens[1 : count + 1]
        if len(found) < least:
            self.fail(
                f"{tokens[0]} has {len(found)} values ({line.strip()[:60]!r}), it needs {least}. "
                "The file may be truncated.",
                index,
            )
        found += ["nan"] * (count - len(found))
        try:
            return [to_number(token) for token in found]
        except ValueError:
            self.fail(
                f"{line.strip()[:60]!r} has a value that is not a number, {count} are expected after "
                f"{tokens[0]}.",
                index,
            )


def _keyword(line: str) -> str:
    parts = line.split(None, 1)
    if not parts:
        return ""
    word = parts[0]
    if word in GEOMETRY:
        return word
    if word[0] == "#":
        return ""
    return (word.split("{", 1)[0] or word).upper()


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
        self.groups: list[Block] = []
        self.current: Block | None = None
        self.any_group = False

    def step(self) -> None:
        """Take in the line at ``index`` with whatever belongs to it."""
        word, block = self.text.words[self.index], self.current
        if word == "GOCAD":
            self._begin()
        elif word == "END_MEMBERS":
            self.current = self.groups.pop() if self.groups else None
            self.index += 1
        elif block is None or not word:
            self.index += 1
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
            self._run(block, word)

    def _begin(self) -> None:
        words = self.text.lines[self.index].split()
        label = words[1] if len(words) > 1 else "?"
        block = Block(label.lower(), label, self.index, tuple(self.groups))
        if block.kind in GROUPS:
            self.groups.append(block)
            self.any_group = True
        else:
            self.blocks.append(block)
        self.current = block
        self.index += 1

    def _run(self, block: Block, word: str) -> None:
        start, words = self.index, self.text.words
        stop = start + 1
        if word in GEOMETRY:
            end = len(words)
            while stop < end and (words[stop] == word or not words[stop]):
                stop += 1
        block.runs.append(Run(word, start, stop))
        self.index = stop

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
            return re.split(r"\s+(?=\*?[A-Za-z_][\w*]*\s*:)", line[line.index("{") + 1 : -1])
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
                found[word] = split_words(self.text.lines[self.index])[1:]
            self.index += 1
        depth = "".join(found.get("ZPOSITIVE", [])).lower() == "depth"
        name = " ".join(found.get("NAME", [])).strip()
        block.own_crs = Crs(name, tuple(found.get("AXIS_UNIT", [])[:3]), depth)
