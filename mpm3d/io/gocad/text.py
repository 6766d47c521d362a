"""GoCAD text objects: surfaces (TSurf), polylines (PLine) and points (VSet)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.geometry import Lines, Points, Surface
from mpm3d.grid import FloatArray
from mpm3d.io.files import to_count, to_number
from mpm3d.io.gocad.lines import LARGEST, SAME, Block, Run, TextFile, split_words

Rows = NDArray[np.int64]
KINDS = frozenset({"tsurf", "pline", "vset"})
_LARGEST_ID = 2**53


@dataclass(frozen=True)
class _Table:
    """The property table of an object: names, components, no-data values and units."""

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    no_data: tuple[float, ...]
    units: Mapping[str, str]

    @property
    def width(self) -> int:
        return sum(self.sizes)


@dataclass(frozen=True)
class _Atoms:
    """Vertices in the order of the file: ids, coordinates, property values and line indices."""

    ids: Rows
    xyz: FloatArray
    values: FloatArray
    line: Rows
    notes: tuple[str, ...] = ()

    def rows_of(self, ids: FloatArray) -> Rows:
        """Row of each id, -1 for an id that does not exist."""
        if not len(self.ids):
            return np.full(ids.shape, -1, dtype=np.int64)
        order = np.argsort(self.ids, kind="stable")
        ranked = self.ids[order]
        place = np.minimum(np.searchsorted(ranked, ids), len(ranked) - 1)
        return np.where(ranked[place] == ids, order[place], -1)


def read_text_object(text: TextFile, block: Block, errors: str) -> Surface | Lines | Points:
    """Make a body of one TSurf, PLine or VSet.

    Raises
    ------
    FormatError
        If it is damaged; with ``errors="skip"`` what refers to nothing is left out instead.
    """
    table = _read_table(text, block)
    factor, notes = block.crs.to_metres()
    atoms = _read_atoms(text, block, table, errors)
    properties, kept = _properties(table, atoms.values)
    notes = (*notes, *atoms.notes, *kept)
    if not block.closed:
        notes = (*notes, "the object has no END line, the file may be truncated.")
    # 0 - z rather than -z, so that no -0.0 appears
    xyz = np.where(factor < 0, 0.0 - atoms.xyz * abs(factor), atoms.xyz * abs(factor))
    depth = "Depth" if block.crs.depth else "Elevation"
    more: dict[str, Any] = {
        "kind": {"tsurf": "TSurf", "pline": "PLine", "vset": "VSet"}[block.kind],
        "properties": properties,
        "units": table.units,
        "crs_name": block.crs.name,
        "z_positive": depth,
    }
    if block.kind == "vset":
        return Points(block.name, xyz, notes=notes, **more)
    if block.kind == "pline":
        segments, part, dropped = _read_segments(text, block, atoms, errors)
        return Lines(block.name, xyz, segments, part, notes=(*notes, *dropped), **more)
    triangles, part, dropped = _read_elements(text, block, atoms, errors)
    cells = [name for run in block.find("TRGL_PROPERTIES") for name in _words(text, run)]
    if cells:
        dropped = (*dropped, f"properties of the triangles were not read: {', '.join(cells)}.")
    if not len(triangles):
        dropped = (*dropped, "the surface has no triangles.")
    if block.crs.depth:
        triangles = triangles[:, [0, 2, 1]]  # negated z turns the surface over
    return Surface(block.name, xyz, triangles, part, notes=(*notes, *dropped), **more)


def _words(text: TextFile, run: Run) -> list[str]:
    return split_words(text.lines[run.start])[1:]


def _row(text: TextFile, block: Block, word: str) -> tuple[list[str], int | None]:
    """Words and line index of the last line of a keyword."""
    runs = block.find(word)
    return (_words(text, runs[-1]), runs[-1].start) if runs else ([], None)


def _read_table(text: TextFile, block: Block) -> _Table:
    found, _ = _row(text, block, "PROPERTIES")
    names: list[str] = []
    for name in found:
        count = names.count(name)
        names.append(f"{name}_{len(names)}" if count else name)
    tokens, line = _row(text, block, "ESIZES")
    sizes = [to_count(token) or 0 for token in tokens[: len(names)]]
    if any(not 1 <= size <= 64 for size in sizes):
        text.fail(
            f"ESIZES {' '.join(tokens)[:60]!r} are not possible, a property has 1, 2 or 3 values.", line
        )
    sizes += [1] * (len(names) - len(sizes))
    no_data = []
    for token in _row(text, block, "NO_DATA_VALUES")[0][: len(names)]:
        try:
            no_data.append(to_number(token))
        except ValueError:
            no_data.append(np.nan)  # '**none**'
    no_data += [np.nan] * (len(names) - len(no_data))
    found = _row(text, block, "UNITS")[0]
    units = {name: unit for name, unit in zip(names, found, strict=False) if unit.lower() != "none"}
    return _Table(tuple(names), tuple(sizes), tuple(no_data), units)


def _properties(table: _Table, values: FloatArray) -> tuple[dict[str, FloatArray], tuple[str, ...]]:
    properties, notes, start = {}, [], 0
    for name, size, no_data in zip(table.names, table.sizes, table.no_data, strict=True):
        column = values[:, start : start + size].copy()
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
        properties[name] = column[:, 0] if size == 1 else column
    return properties, tuple(notes)


def _read_atoms(text: TextFile, block: Block, table: _Table, errors: str) -> _Atoms:
    """Vertices of an object, with those that repeat an earlier one (ATOM) at its place."""
    ids, xyz, values, refs, line, short = [], [], [], [], [], 0
    for run in block.find("VRTX", "PVRTX", "ATOM", "PATOM"):
        position = 1 if run.word.endswith("ATOM") else 3
        width = table.width if run.word[0] == "P" else 0
        data = text.numbers(run, 1 + position + width, 1 + position)
        empty = np.full((len(data), 3), np.nan)
        ids.append(data[:, 0])
        xyz.append(empty if position == 1 else data[:, 1:4])
        refs.append(data[:, 1] if position == 1 else empty[:, 0])
        values.append(data[:, 1 + position :] if width else np.full((len(data), table.width), np.nan))
        line.append(np.array(text.rows(run)))
        if width:
            lacking = line[-1][np.isnan(data[:, -1])]
            short += sum(len(text.lines[i].split()) < data.shape[1] + 1 for i in lacking)
    if not ids:
        return _Atoms(np.zeros(0, np.int64), np.zeros((0, 3)), np.zeros((0, table.width)), np.zeros(0, int))
    index = np.concatenate(line)
    note = f"{short} vertices have fewer values than the {table.width} of PROPERTIES, the last are missing."
    atoms = _Atoms(
        _whole(text, np.concatenate(ids), index), np.concatenate(xyz), np.concatenate(values), index,
        (note,) if short else (),
    )  # fmt: skip
    repeated = _repeated(atoms.ids)
    if errors == "strict" and len(repeated):
        row = int(repeated[0])
        text.fail(f"the vertex id {atoms.ids[row]} appears twice in one object.", int(index[row]))
    _resolve(text, atoms, np.concatenate(refs), errors)
    return _finite(text, atoms, errors)


def _whole(text: TextFile, ids: FloatArray, line: Rows) -> Rows:
    with np.errstate(invalid="ignore"):
        bad = ~((ids == np.floor(ids)) & (np.abs(ids) < _LARGEST_ID))
    if bad.any():
        row = int(np.argmax(bad))
        text.fail(f"the vertex id {ids[row]!s} is not a whole number.", int(line[row]))
    return ids.astype(np.int64)


def _repeated(ids: Rows) -> Rows:
    order = np.argsort(ids, kind="stable")
    again = order[1:][ids[order][1:] == ids[order][:-1]]
    return np.sort(again)


def _resolve(text: TextFile, atoms: _Atoms, refs: FloatArray, errors: str) -> None:
    """Put each ATOM where the earlier vertex is; its own property values count, or else that vertex's."""
    repeats = np.flatnonzero(~np.isnan(refs))
    for row, target in zip(repeats, atoms.rows_of(refs[repeats]), strict=True):
        if 0 <= target < row:
            atoms.xyz[row] = atoms.xyz[target]
            if text.words[atoms.line[row]] == "ATOM":
                atoms.values[row] = atoms.values[target]
        elif errors == "strict":
            text.fail(
                f"ATOM {atoms.ids[row]} repeats the vertex {refs[row]:g}, which does not exist before it. "
                "Read with errors='skip' to leave such vertices out.",
                int(atoms.line[row]),
            )


def _finite(text: TextFile, atoms: _Atoms, errors: str) -> _Atoms:
    with np.errstate(invalid="ignore"):
        good = np.all(np.abs(atoms.xyz) < LARGEST, axis=1)
    if good.all():
        return atoms
    row = int(np.argmin(good))
    if errors == "strict":
        text.fail(
            f"vertex {atoms.ids[row]} is at {atoms.xyz[row].tolist()}, coordinates must be finite numbers. "
            "Read with errors='skip' to leave such vertices out.",
            int(atoms.line[row]),
        )
    note = f"{int((~good).sum())} vertices without finite coordinates were left out."
    notes = (*atoms.notes, note)
    return _Atoms(atoms.ids[good], atoms.xyz[good], atoms.values[good], atoms.line[good], notes)


def _lookup(
    text: TextFile, run: Run, atoms: _Atoms, corners: int, errors: str
) -> tuple[Rows, NDArray[np.bool_]]:
    """Rows of the vertices of each element of a run, and which elements have them all."""
    ids = text.numbers(run, corners)
    rows = atoms.rows_of(ids)
    known: NDArray[np.bool_] = np.all(rows >= 0, axis=1)
    if errors == "strict" and not known.all():
        bad = int(np.argmin(known))
        unknown = ids[bad][rows[bad] < 0][0]
        text.fail(
            f"{run.word} refers to the vertex {unknown:g}, which does not exist. "
            f"Read with errors='skip' to leave out such {'triangles' if corners == 3 else 'segments'}.",
            text.rows(run)[bad],
        )
    return rows, known


def _read_elements(
    text: TextFile, block: Block, atoms: _Atoms, errors: str, corners: int = 3
) -> tuple[Rows, Rows, tuple[str, ...]]:
    """Triangles (or segments) as rows of vertices, the part of each, and what was left out."""
    word, opener = ("TRGL", "TFACE") if corners == 3 else ("SEG", "ILINE")
    elements, parts, part, dropped = [np.zeros((0, corners), np.int64)], [np.zeros(0, np.int64)], -1, 0
    for run in block.find(word, opener):
        if run.word == opener:
            part += 1
            continue
        rows, known = _lookup(text, run, atoms, corners, errors)
        elements.append(rows[known])
        parts.append(np.full(int(known.sum()), max(part, 0)))
        dropped += int((~known).sum())
    what = "triangles" if corners == 3 else "segments"
    notes = (f"{dropped} {what} with unknown vertices were left out.",) if dropped else ()
    return np.concatenate(elements), np.concatenate(parts), notes


def _read_segments(
    text: TextFile, block: Block, atoms: _Atoms, errors: str
) -> tuple[Rows, Rows, tuple[str, ...]]:
    """Segments of the polylines; one without any SEG joins its vertices in their order."""
    segments, parts, notes = _read_elements(text, block, atoms, errors, corners=2)
    starts = np.array([run.start for run in block.find("ILINE")] or [block.start])
    part_of_vertex = np.maximum(np.searchsorted(starts, atoms.line) - 1, 0)
    with_segments = np.searchsorted(starts, [run.start for run in block.find("SEG")]) - 1
    first = np.arange(len(atoms.ids) - 1) if len(atoms.ids) else np.zeros(0, np.int64)
    joined = part_of_vertex[first] == part_of_vertex[first + 1] if len(first) else np.zeros(0, bool)
    first = first[joined & ~np.isin(part_of_vertex[first], with_segments)]
    segments = np.concatenate([segments, np.column_stack([first, first + 1])])
    parts = np.concatenate([parts, part_of_vertex[first]])
    order = np.argsort(parts, kind="stable")
    return segments[order], parts[order], notes
