"""Statistics of values, read in parts where they lie in a file."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.values import Array, Lazy, Statistics, Values, slabs, statistics

_LISTED = 12  # names that a sentence holds


@dataclass(frozen=True)
class Column:
    """Values of one property.

    Parameters
    ----------
    values : array or Lazy
        One row for each vertex or cell, along ``ndim`` axes; an axis beyond them holds components.
    ndim : int
        Axes of the rows: 1 for vertices, 3 for the cells of a lattice.
    owner : str
        Whose values they are, where a sentence should say so, such as ``"triangles"``.
    clash : str
        What is added to the name of a property if another of the same body has it.
    classes : mapping of int to str
        Names of the codes that the values are.
    stated : Statistics, optional
        What the file says of the values.
    """

    values: Values
    ndim: int = 1
    owner: str = ""
    clash: str = "cells"
    classes: Mapping[int, str] = field(default_factory=dict)
    stated: Statistics | None = None


def summarise(
    columns: Sequence[tuple[str, Column]], units: Mapping[str, str]
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Statistics of properties.

    Parameters
    ----------
    columns : sequence of (str, Column)
        Names and values; a name may appear twice.
    units : mapping of str to str
        Units by name.

    Returns
    -------
    dict
        By name: ``count`` of rows whose values are all there, their ``mean``, ``min`` and ``max`` (lists if
        there are several components, None without a row), ``missing`` rows and ``units``.
    list of str
        Sentences on owners, text, codes and infinite values.

    Examples
    --------
    >>> found, notes = summarise([("au", Column(np.array([1.0, 3.0, np.nan])))], {"au": "g/t"})
    >>> found["au"]
    {'count': 2, 'mean': 2.0, 'min': 1.0, 'max': 3.0, 'missing': 1, 'units': 'g/t'}
    """
    found: dict[str, dict[str, Any]] = {}
    notes: list[str] = []
    owners: dict[str, list[str]] = {}
    for name, column in columns:
        shown = f"{name} ({column.clash})" if name in found else name
        if column.owner:
            owners.setdefault(column.owner, []).append(repr(shown))
        if column.values.dtype.kind not in "fiub":
            notes.append(text_note(shown, np.asarray(column.values)))
            continue
        tally = _Tally(column)
        found[shown] = {**tally.statistics(), "units": units.get(name, "")}
        notes += tally.notes(shown)
    said = [f"Values of {owner}: {listed(names)}." for owner, names in owners.items()]
    return found, said + notes


def text_note(name: str, values: Array) -> str:
    """A sentence on a column of text: its words, the most frequent first."""
    words = Counter(str(word) for word in values.ravel().tolist() if str(word))
    gone = values.size - words.total()
    empty = f", {gone:,} empty" if gone else ""
    common = (f"{word} ({count:,})" for word, count in words.most_common())
    return f"{name!r} is text of {len(words):,} different words{empty}: {listed(common)}."


def listed(words: Iterable[str]) -> str:
    """Words with commas between them, the last of many left out."""
    known = list(words)
    more = f" and {len(known) - _LISTED:,} more" if len(known) > _LISTED else ""
    return ", ".join(known[:_LISTED]) + more


class _Tally:
    """Sums over the parts of a column."""

    def __init__(self, column: Column) -> None:
        self.column = column
        shape = column.values.shape
        self.vector = len(shape) > column.ndim
        self.width = math.prod(shape[column.ndim :])
        self.rows = math.prod(shape[: column.ndim])
        self.count = self.infinite = 0
        self.sum = np.zeros(self.width)
        self.low, self.high = np.full(self.width, np.inf), np.full(self.width, -np.inf)
        self.codes: Counter[float] = Counter()
        self.found = Statistics(0, 0.0, 0.0, 0.0, 0.0)
        source = column.values.stored() if isinstance(column.values, Lazy) else column.values
        for slab in slabs(source) if self.rows and self.width else ():
            self._add(np.asarray(source[slab]).reshape(-1, self.width))

    def _add(self, raw: Array) -> None:
        rows = raw.astype(float)
        present = np.isfinite(rows).all(axis=1)
        self.infinite += int(np.isinf(rows).any(axis=1).sum())
        rows = rows if present.all() else rows[present]
        if not len(rows):
            return
        self.count += len(rows)
        with np.errstate(over="ignore", invalid="ignore"):  # damaged numbers near 1e308 have no mean
            self.sum += rows.sum(axis=0)
        self.low = np.minimum(self.low, rows.min(axis=0))
        self.high = np.maximum(self.high, rows.max(axis=0))
        if self.column.stated is not None:
            self.found = self.found.joined(statistics(rows))
        if self.column.classes:
            codes, times = np.unique(rows, return_counts=True)
            self.codes.update(dict(zip(codes.tolist(), times.tolist(), strict=True)))

    def statistics(self) -> dict[str, Any]:
        with np.errstate(over="ignore"):
            mean = self.sum / max(self.count, 1)
        return {
            "count": self.count,
            "mean": self._number(mean),
            "min": self._number(self.low),
            "max": self._number(self.high),
            "missing": self.rows - self.count,
        }

    def _number(self, numbers: NDArray[np.float64]) -> float | list[float] | None:
        if not self.count or not np.isfinite(numbers).all():
            return None
        plain = [float(n) + 0.0 for n in numbers]
        return plain if self.vector else plain[0]

    def notes(self, name: str) -> list[str]:
        notes = []
        if self.infinite:
            notes.append(
                f"{name!r} is infinite in {self.infinite:,} rows, which are left out of its statistics."
            )
        names = self.column.classes
        if names:
            words = (f"{code} {label} ({self.codes[code]:,})" for code, label in sorted(names.items()))
            notes.append(f"{name!r} holds codes, with the number of each: {listed(words)}.")
            other = [f"{code:g} ({times:,})" for code, times in self.codes.items() if code not in names]
            notes += [f"Codes of {name!r} without a name: {listed(other)}."] if other else []
        return notes + self._checked(name)

    def _checked(self, name: str) -> list[str]:
        """Whether the values are those that the file says it has: byte order, order and no-data are right."""
        stated = self.column.stated
        if stated is None:
            return []
        if self.found.agrees(stated):
            return [
                f"{name!r} has the count, mean, variance, least and largest value that its header states."
            ]
        return [self.found.disagreement(name, stated)]


def members(inside: Values) -> int:
    """Number of true values, read in parts."""
    return sum(int(np.count_nonzero(np.asarray(inside[slab]))) for slab in slabs(inside))
