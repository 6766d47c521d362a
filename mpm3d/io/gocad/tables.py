"""Property tables of GoCAD text objects: what their values are called, and where there are none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from mpm3d.grid import FloatArray
from mpm3d.io.files import to_count, to_number
from mpm3d.io.gocad.lines import SAME, Block, TextFile

# components of one property
_MOST = 64


@dataclass(frozen=True)
class Table:
    """The property table of an object: names, components, no-data values and units."""

    prefix: str
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    no_data: tuple[float, ...]
    units: Mapping[str, str]
    line: int | None

    @property
    def width(self) -> int:
        """Numbers of one line."""
        return sum(self.sizes)

    def empty(self, text: TextFile, lines: int) -> FloatArray:
        """NaN for every value of ``lines`` lines, ``(width, lines)``."""
        text.afford(self.width * lines, f"{self.prefix}PROPERTIES of {lines} lines", self.line)
        return np.full((self.width, lines), np.nan)


def read_table(text: TextFile, block: Block, prefix: str = "") -> Table:
    """Read the properties of the vertices, or those of the elements: ``prefix`` ``"TRGL_"``, ``"TETRA_"``.

    Raises
    ------
    FormatError
        If a property has an impossible number of components.
    """
    tokens, line = text.last(block, f"{prefix}PROPERTIES")
    names = unique(tokens)
    found, place = text.last(block, f"{prefix}ESIZES")
    sizes = [to_count(token) or 0 for token in found[: len(names)]]
    if any(not 1 <= size <= _MOST for size in sizes):
        text.fail(
            f"{prefix}ESIZES {' '.join(found)[:60]!r} are not possible, a property has 1, 2 or 3 values.",
            place,
        )
    sizes += [1] * (len(names) - len(sizes))
    no_data = []
    for token in text.last(block, f"{prefix}NO_DATA_VALUES")[0][: len(names)]:
        try:
            no_data.append(to_number(token))
        except ValueError:
            no_data.append(np.nan)  # '**none**'
    no_data += [np.nan] * (len(names) - len(no_data))
    found = text.last(block, f"{prefix}UNITS")[0]
    units = {name: unit for name, unit in zip(names, found, strict=False) if unit.lower() != "none"}
    return Table(prefix, names, tuple(sizes), tuple(no_data), units, line)


def unique(names: Iterable[str]) -> tuple[str, ...]:
    """Names, a number behind those that were there before."""
    found: dict[str, None] = {}
    for name in names:
        free, number = name, len(found)
        while free in found:
            free, number = f"{name}_{number}", number + 1
        found[free] = None
    return tuple(found)


def properties_of(table: Table, values: FloatArray) -> tuple[dict[str, FloatArray], tuple[str, ...]]:
    """Values ``(width, n)`` by name, ``(n,)`` or ``(n, components)``, NaN for no-data; and notes."""
    properties, notes, start = {}, [], 0
    for name, size, no_data in zip(table.names, table.sizes, table.no_data, strict=True):
        column = values[start : start + size]
        start += size
        if np.isnan(no_data):
            suspect = int(np.count_nonzero(column == -99999))
            if suspect:
                notes.append(
                    f"property {name!r} has {suspect} values of -99999 and declares no no-data value; "
                    "they were kept."
                )
        else:
            with np.errstate(over="ignore", invalid="ignore"):
                column[np.abs(column - no_data) <= SAME * abs(no_data)] = np.nan
        properties[name] = column[0] if size == 1 else np.ascontiguousarray(column.T)
    return properties, tuple(notes)
