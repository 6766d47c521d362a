"""Headers of tables: what separates the columns, their names and units, and what the names usually mean."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from mpm3d.io.files import head_text

# names of columns without case, blanks and signs, the usual ones first
X = (
    "x", "xc", "xcentre", "xcenter", "centroidx", "xcentroid", "centrex", "centerx", "xcoord", "xcoordinate",
    "xcollar", "collarx", "xmid", "midx", "xutm", "utmx", "east", "easting", "eastings", "utme", "utmeast",
    "mgaeast", "mgae", "collareast", "eastcollar", "eastutm",
)  # fmt: skip
Y = (
    "y", "yc", "ycentre", "ycenter", "centroidy", "ycentroid", "centrey", "centery", "ycoord", "ycoordinate",
    "ycollar", "collary", "ymid", "midy", "yutm", "utmy", "north", "northing", "northings", "utmn",
    "utmnorth", "mgan", "mganorth", "collarnorth", "northcollar", "northutm",
)  # fmt: skip
Z = (
    "z", "zc", "zcentre", "zcenter", "centroidz", "zcentroid", "centrez", "centerz", "zcoord", "zcoordinate",
    "zcollar", "collarz", "zmid", "midz", "rl", "elev", "elevation", "altitude", "height", "level",
    "collarrl", "rlcollar", "collarelev", "collarelevation", "mrl",
)  # fmt: skip
HOLE = (
    "holeid", "bhid", "dhid", "hole", "holeno", "holenumber", "holename", "drillhole", "drillholeid",
    "borehole", "boreholeid", "wellid", "well", "wellname", "uwi", "ddh", "ddhid",
)  # fmt: skip
FROM = ("from", "depthfrom", "fromdepth", "start", "top")
TO = ("to", "depthto", "todepth", "stop", "end", "base", "bottom")
AT = ("depth", "at", "distance", "md", "measureddepth", "surveydepth", "depthat", "stationdepth", *FROM)
AZIMUTH = ("azimuth", "azi", "az", "azim", "brg", "bearing", "azimuthtrue", "trueazimuth", "azimuthgrid",
           "gridazimuth")  # fmt: skip
DIP = ("dip", "plunge", "dipangle")
INCLINATION = ("inclination", "incl", "inc")
LENGTH = (
    "eoh", "maxdepth", "length", "totaldepth", "depth", "holelength", "holedepth", "enddepth", "finaldepth",
    "eohdepth", "depthmax", "td",
)  # fmt: skip
GEOGRAPHIC = ("lon", "long", "longitude", "lat", "latitude")
_UNIT = re.compile(r"^(.*\S)\s*[(\[]([^()\[\]]*)[)\]]$")
# in no name of a column
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
_MOST_TITLES = 8  # lines above a header
_SUFFIX = re.compile(r"^(.*[^\W_])[\s_]+(m|ft|km)$", re.IGNORECASE)


def key_of(name: str) -> str:
    """Name of a column without case, blanks and signs."""
    return re.sub(r"[\W_]+", "", name.lower())


def some(names: Sequence[str], most: int = 10) -> str:
    """The first of many names."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def has_brackets(name: str) -> bool:
    """Whether a name ends as if a unit followed it."""
    return _UNIT.match(name) is not None


@dataclass(frozen=True)
class Header:
    """Names of the columns, and how the table is written.

    Parameters
    ----------
    line : int
        Line of the header, counted from 0.
    names : tuple of str
        Without their units; no two are the same.
    units : tuple of str
        What the header has in brackets after the names; empty where there is none.
    separator : str
        Between columns; a blank stands for any number of blanks.
    twice : tuple of str
        Names that the header has more than once.
    title : str
        What stands in the first line above the header, if that is a title.
    """

    line: int
    names: tuple[str, ...]
    units: tuple[str, ...]
    separator: str
    twice: tuple[str, ...] = ()
    title: str = ""

    def find(self, keys: Iterable[str]) -> list[int]:
        """Columns of these keys, in their order; a unit after the name (``from_m``) is no matter."""
        plain, short = self._places
        found = [i for key in keys for places in (plain, short) for i in places.get(key, ())]
        return list(dict.fromkeys(found))

    @cached_property
    def _places(self) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        """Columns by their keys, and by their keys without a unit."""
        plain: dict[str, list[int]] = {}
        short: dict[str, list[int]] = {}
        for i, name in enumerate(self.names):
            plain.setdefault(key_of(name), []).append(i)
            match = _SUFFIX.match(name)
            if match:
                short.setdefault(key_of(match.group(1)), []).append(i)
        return plain, short

    def first(self, keys: Iterable[str]) -> int | None:
        """The first of the columns of these keys."""
        found = self.find(keys)
        return found[0] if found else None

    def unit(self, column: int) -> str:
        """Unit of a column, in brackets or after its name."""
        match = _SUFFIX.match(self.names[column])
        return self.units[column] or (match.group(2) if match else "")


def find_header(text: str) -> Header | None:
    """The first line that is neither blank nor a comment nor a title, as a header; None if there is none.

    A comment right before a line of numbers is the header, if it has as many words. A title is a line of one
    cell, or without any separator, before a line of three names or more.
    """
    comment, place, title = "", 0, ""
    first: Header | None = None
    for line, row in enumerate(io.StringIO(text)):
        row = row.strip("\r\n")
        if row.lstrip()[:1] == "#":
            comment, place = row.lstrip().lstrip("# "), line
            continue
        if line > 1000 or _CONTROL.search(row):
            break
        if not row.strip():
            continue
        names, separator = fields_of(row)
        filled = sum(bool(name.strip()) for name in names)
        if all(is_number(name) for name in names) and (first is None or filled > 1):
            if first is None and len(fields_of(comment)[0]) == len(names):
                return _header(*fields_of(comment), place) if comment else None
            break
        if separator != " " and filled > (2 if first else 1):
            named = not first or not any(is_number(name) for name in names if name.strip())
            return replace(_header(names, separator, line), title=title) if named else first
        if first is not None and line > first.line + _MOST_TITLES:
            break
        first, title = first or _header(names, separator, line), title or " ".join(row.split())
    return first


def fields_of(row: str) -> tuple[list[str], str]:
    """Words of a line and what separates them."""
    bare = re.sub(r'"[^"]*"', "", row)
    separator = max(",;\t|", key=bare.count)
    if separator not in bare:
        return row.split(), " "
    try:
        return next(csv.reader([row], delimiter=separator, skipinitialspace=True), []), separator
    except csv.Error:
        return row.split(separator), separator


def without_names(path: str | Path, text: str) -> Header | None:
    """Columns x, y, z of a ``.xyz`` file that begins with three numbers or more; None for any other."""
    if not str(path).lower().removesuffix(".gz").endswith(".xyz"):
        return None
    lines = (line for line in io.StringIO(text) if line.strip() and line.lstrip()[0] != "#")
    names, separator = fields_of(next(lines, "").strip())
    if len(names) < 3 or not all(name.strip() and is_number(name) for name in names):
        return None
    more = tuple(f"column_{k + 1}" for k in range(3, len(names)))
    return Header(-1, ("x", "y", "z", *more), ("",) * len(names), separator)


def is_number(word: str) -> bool:
    """Whether a word is a number, with a decimal comma perhaps, or empty."""
    try:
        float(word.replace(",", "."))
    except ValueError:
        return not word.strip()
    return True


def _header(words: Sequence[str], separator: str, line: int) -> Header:
    full = [" ".join(word.split()) or f"column_{i + 1}" for i, word in enumerate(words)]
    parts = [(m.group(1), m.group(2).strip()) if (m := _UNIT.match(word)) else (word, "") for word in full]
    bare = [name.lower() for name, _ in parts]
    count = Counter(bare)
    # of 'Au (ppm)' and 'Au (ppb)' the whole names are kept
    names = [word if count[b] > 1 else name for word, (name, _), b in zip(full, parts, bare, strict=True)]
    count = Counter(name.lower() for name in names)
    twice = tuple(dict.fromkeys(name for name in names if count[name.lower()] > 1))
    taken: dict[str, None] = {}
    for i, name in enumerate(names):
        free = name
        while free in taken:
            free = f"{free}_{i + 1}"
        taken[free] = None
    return Header(line, tuple(taken), tuple(unit for _, unit in parts), separator, twice)


def first_rows(head: bytes) -> tuple[Header | None, list[list[str]]]:
    """Header and words of the first rows of a table, of the first bytes of a file; None if it is none.

    A table without any separator must go on with a row of as many words, some of them numbers, which prose
    does not.
    """
    text = head_text(head)
    header = None if "\0" in text else find_header(text)
    if header is None or len(header.names) < 2:
        return None, []
    lines = text.split("\n")
    if len(head) >= 1 << 16:
        lines = lines[:-1]  # it may be cut
    bodies = [line for line in lines[header.line + 1 :] if line.strip() and line.lstrip()[0] != "#"]
    rows = [fields_of(line)[0] for line in bodies[:50]]
    if header.separator == " ":
        digits = [word for word in (rows or [[]])[0] if word.lstrip("+-.")[:1].isdigit()]
        if not rows or len(rows[0]) != len(header.names) or len(digits) < 2:
            return None, []
    return header, rows


def kind_of_hole_table(header: Header) -> str:
    """What a table of holes without coordinates is, or nothing."""
    if not header.find(HOLE) or header.find(X) or header.find(Y):
        return ""
    if header.find(AT) and (header.find(AZIMUTH) or header.find((*DIP, *INCLINATION))):
        return "a survey"
    return "a table of intervals" if header.find(FROM) and header.find(TO) else ""


def holes_without_place(kind: str) -> str:
    """What is wrong with a survey or intervals alone."""
    return (
        f"this is {kind} of drillholes, which have no place without their collars. Read it together with the "
        "table of collars: io.drillholes.read_drillholes(collar, survey, intervals)."
    )
