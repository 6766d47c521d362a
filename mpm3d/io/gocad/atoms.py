"""Vertices of GoCAD text objects, and what refers to them by their ids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpm3d.grid import FloatArray
from mpm3d.io.gocad.content import Rows
from mpm3d.io.gocad.lines import LARGEST, Block, TextFile, slabs
from mpm3d.io.gocad.tables import Table

# whether a line repeats an earlier vertex, and whether it has values of its own
_WORDS = {
    "VRTX": (False, False), "PVRTX": (False, True), "ATOM": (True, False), "PATOM": (True, True),
    "SHAREDVRTX": (True, False), "SHAREDPVRTX": (True, True),
}  # fmt: skip
_LARGEST_ID = 2**53


class Index:
    """Rows of vertices by their ids; the first one of those that share an id."""

    def __init__(self, ids: Rows) -> None:
        self.ids = ids
        self.low, self.high = (int(ids.min()), int(ids.max())) if len(ids) else (0, -1)
        span = self.high - self.low + 1
        self.running = span == len(ids) and bool(np.all(np.diff(ids) == 1))
        self.table = self.order = self.ranked = np.zeros(0, np.int64)
        if self.running:
            return
        if span <= 4 * len(ids) + 1024:
            self.table = np.full(span, -1, np.int64)
            # backwards, so that the first one of several stays
            self.table[ids[::-1] - self.low] = np.arange(len(ids))[::-1]
        else:
            self.order = np.argsort(ids, kind="stable")
            self.ranked = ids[self.order]

    def rows(self, ids: FloatArray) -> Rows:
        """Row of each id, -1 for an id that does not exist."""
        with np.errstate(invalid="ignore"):
            inside = (ids >= self.low) & (ids <= self.high) & (ids == np.floor(ids))
        # no id may exist at all, hence the numbers stay those of the first
        whole = np.where(inside, ids, self.low).astype(np.int64)
        if not len(self.ids):
            return np.full(ids.shape, -1, dtype=np.int64)
        if self.running:
            rows = whole - self.low
        elif len(self.table):
            rows = self.table[whole - self.low]
        else:
            place = np.searchsorted(self.ranked, whole)
            rows = np.where(self.ranked[place] == whole, self.order[place], -1)
        return np.where(inside, rows, -1)

    def repeated(self) -> Rows:
        """Rows whose id is that of an earlier one."""
        if self.running:
            return np.zeros(0, np.int64)
        return np.flatnonzero(self.rows(self.ids.astype(float)) != np.arange(len(self.ids)))


@dataclass(frozen=True)
class Atoms:
    """Vertices in the order of the file: coordinates, values ``(width, n)`` and line indices."""

    index: Index
    xyz: FloatArray
    values: FloatArray
    line: Rows
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.xyz)


def read_atoms(text: TextFile, block: Block, stop: int, table: Table, errors: str) -> Atoms:
    """Read the vertices before line ``stop``, those that repeat an earlier one (ATOM) at its place.

    Raises
    ------
    FormatError
        If a line is damaged; with ``errors="skip"`` vertices at no place are left out instead.
    """
    lines = text.words.find(block.start, stop, *_WORDS)
    n = len(lines)
    ids, refs, notes = np.empty(n), np.full(n, np.nan), []
    xyz, values, short = np.full((n, 3), np.nan), table.empty(text, n), 0
    codes = text.words.codes[lines]
    for word, (repeats, valued) in _WORDS.items():
        rows = np.flatnonzero(codes == text.words.vocabulary.index(word))
        least, width = 2 if repeats else 4, table.width if valued else 0
        for some in slabs(len(rows), least + width):
            part = rows[some]
            data, lacking = text.table(lines[part], least + width, least)
            ids[part] = data[:, 0]
            if repeats:
                refs[part] = data[:, 1]
            else:
                xyz[part] = data[:, 1:4]
            if width:
                values[:, part] = data[:, least:].T
                short += lacking
    if short:
        notes.append(
            f"{short} vertices have fewer values than the {table.width} of PROPERTIES, the last are missing."
        )
    index = Index(_whole(text, ids, lines))
    notes += _doubled(text, index, lines, errors)
    _resolve(text, Atoms(index, xyz, values, lines), refs, errors)
    return _finite(text, Atoms(index, xyz, values, lines, tuple(notes)), errors)


def _whole(text: TextFile, ids: FloatArray, line: Rows) -> Rows:
    with np.errstate(invalid="ignore"):
        bad = ~((ids == np.floor(ids)) & (np.abs(ids) < _LARGEST_ID))
    if bad.any():
        row = int(np.argmax(bad))
        text.fail(f"the vertex id {float(ids[row])!s} is not a whole number.", int(line[row]))
    return ids.astype(np.int64)


def _doubled(text: TextFile, index: Index, line: Rows, errors: str) -> list[str]:
    repeated = index.repeated()
    if not len(repeated):
        return []
    if errors == "strict":
        row = int(repeated[0])
        text.fail(f"the vertex id {index.ids[row]} appears twice in one object.", int(line[row]))
    return [f"{len(repeated)} vertices have the id of an earlier one, which counts wherever it is named."]


def _resolve(text: TextFile, atoms: Atoms, refs: FloatArray, errors: str) -> None:
    """Put each ATOM where the earlier vertex is; its own property values count, or else that vertex's."""
    repeats = np.flatnonzero(~np.isnan(refs))
    if not len(repeats):
        return
    target = atoms.index.rows(refs[repeats])
    bad = (target < 0) | (target >= repeats)
    if errors == "strict" and bad.any():
        row = int(repeats[np.argmax(bad)])
        text.fail(
            f"ATOM {atoms.index.ids[row]} repeats the vertex {refs[row]:g}, which does not exist before it. "
            "Read with errors='skip' to leave such vertices out.",
            int(atoms.line[row]),
        )
    place = np.arange(len(refs))
    place[repeats[~bad]] = target[~bad]
    atoms.xyz[:] = atoms.xyz[_followed(place)]
    if len(atoms.values):
        codes, words = text.words.codes[atoms.line], text.words.vocabulary
        own = np.isin(codes, [words.index(word) for word, (_, valued) in _WORDS.items() if valued])
        atoms.values[:] = atoms.values[:, _followed(np.where(own, np.arange(len(refs)), place))]


def _followed(place: Rows) -> Rows:
    """Where a chain of references ends that only go back, each step of twice the length."""
    while True:
        further = place[place]
        if np.array_equal(further, place):
            return place
        place = further


def _finite(text: TextFile, atoms: Atoms, errors: str) -> Atoms:
    with np.errstate(invalid="ignore"):
        good = np.all(np.abs(atoms.xyz) < LARGEST, axis=1)
    if good.all():
        return atoms
    row = int(np.argmin(good))
    if errors == "strict":
        text.fail(
            f"vertex {atoms.index.ids[row]} is at {atoms.xyz[row].tolist()}, coordinates must be finite "
            "numbers. Read with errors='skip' to leave such vertices out.",
            int(atoms.line[row]),
        )
    note = f"{int((~good).sum())} vertices without finite coordinates were left out."
    return Atoms(
        Index(atoms.index.ids[good]), atoms.xyz[good], atoms.values[:, good], atoms.line[good],
        (*atoms.notes, note),
    )  # fmt: skip


def lookup(
    text: TextFile, atoms: Atoms, ids: FloatArray, line: Rows, errors: str
) -> tuple[Rows, NDArray[np.bool_]]:
    """Rows of the vertices that lines name by their ids ``(lines, n)``, and which lines know them all.

    Raises
    ------
    FormatError
        If one is unknown, unless ``errors`` is ``"skip"``.
    """
    rows = atoms.index.rows(ids)
    known: NDArray[np.bool_] = np.all(rows >= 0, axis=1)
    if errors == "strict" and not known.all():
        bad = int(np.argmin(known))
        unknown = ids[bad][rows[bad] < 0][0]
        text.fail(
            f"{text.words[int(line[bad])]} refers to the vertex {unknown:g}, which does not exist. "
            "Read with errors='skip' to leave such lines out.",
            int(line[bad]),
        )
    return rows, known
