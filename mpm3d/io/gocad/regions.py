"""Named sets of vertices: regions and control nodes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mpm3d.grid import FloatArray
from mpm3d.io.files import to_count
from mpm3d.io.gocad.atoms import Atoms, lookup
from mpm3d.io.gocad.content import Rows
from mpm3d.io.gocad.lines import Block, Run, TextFile, slabs
from mpm3d.io.gocad.tables import unique

Mask = NDArray[np.bool_]
CONTROL = "control nodes of "
# a column beyond this is no number of a region
_MOST = 256
# a float holds so many bits
_BITS = 53


def read_regions(
    text: TextFile, block: Block, stop: int, atoms: Atoms, errors: str
) -> tuple[dict[str, Mask], tuple[str, ...]]:
    """Read the regions of an object and the control nodes of its properties, and what was left out.

    A line ``REGION name n`` names the region whose flag is in column ``n`` of the lines ``ARI id 0 1 ...``
    (of solids ``VRI``), counted from 0, or in bit ``n`` if those lines hold one number for several regions.
    ``PROPERTY_CN name`` and the lines ``CNP id`` behind it name the control nodes of a property.

    Raises
    ------
    FormatError
        If a line names a vertex that does not exist, unless ``errors`` is ``"skip"``.
    """
    found = [block.find(word) for word in ("REGION", "PROPERTY_CN")]
    regions, controls = ([run for run in runs if run.start < stop] for runs in found)
    named, notes = _flagged(text, (block.start, stop), regions, atoms, errors)
    nodes, lost = _controls(text, (block.start, stop), controls, atoms, errors)
    return {**named, **nodes}, (*notes, *lost)


def _members(
    text: TextFile, line: Rows, width: int, atoms: Atoms, errors: str
) -> Iterator[tuple[slice, Rows, Mask, FloatArray]]:
    """Slices of lines of an id and ``width`` flags: rows of the vertices, whether they exist, and flags."""
    for some in slabs(len(line), 1 + width):
        data, _ = text.table(line[some], 1 + width, 1)
        rows, known = lookup(text, atoms, data[:, :1], line[some], errors)
        yield some, rows[:, 0], known, data[:, 1:].T


def _empty(text: TextFile, runs: list[Run], count: int, atoms: Atoms) -> Mask:
    text.afford(count * len(atoms), f"{count} sets of {len(atoms)} vertices", runs[0].start)
    return np.zeros((count, len(atoms)), bool)


def _lost(lost: int) -> tuple[str, ...]:
    return (f"{lost} lines of regions with unknown vertices were left out.",) if lost else ()


def _flagged(
    text: TextFile, span: tuple[int, int], runs: list[Run], atoms: Atoms, errors: str
) -> tuple[dict[str, Mask], tuple[str, ...]]:
    """Regions of the lines REGION and their flags."""
    words = [found for run in runs if (found := text.tokens(run.start))]
    line = text.words.find(*span, "ARI", "VRI")
    if not words:
        return {}, ("regions without a name were left out.",) if len(line) else ()
    names = unique(found[0] for found in words)
    said = f"the regions {', '.join(map(repr, names[:20]))}"
    if not len(line):
        return {}, (f"{said} have no vertices and were left out.",)
    columns, masks = _columns(words), _empty(text, runs, len(words), atoms)
    packed, alone, odd, lost = np.zeros(len(atoms)), max(columns) in range(1, _BITS), False, 0
    for _, rows, known, data in _members(text, line, 1 + max(columns), atoms, errors):
        flags = data[columns][:, known]
        odd |= bool(np.any((flags != 0) & (flags != 1) & ~np.isnan(flags)))
        masks[:, rows[known]] = flags == 1
        packed[rows[known]] = np.nan_to_num(data[0, known], nan=0.0)
        alone = alone and bool(np.isnan(data[1:]).all())
        lost += int((~known).sum())
    notes = _lost(lost)
    if alone:
        masks, odd = _unpacked(packed, columns)
        notes = (f"{said} were read as the bits of one number, by their own numbers.", *notes)
    if odd:
        return {}, (f"{said} have flags other than 0 and 1 and were left out.",)
    return dict(zip(names, masks, strict=True)), notes


def _unpacked(packed: FloatArray, bits: list[int]) -> tuple[Mask, bool]:
    """Members of each region by the bits of a number, and whether a number has bits of no region."""
    every = sum(1 << bit for bit in bits)
    odd = (packed != np.floor(packed)) | (packed < 0) | (packed > every)
    whole = np.where(odd, 0, packed).astype(np.int64)
    masks = (whole >> np.array(bits)[:, None]) & 1 == 1
    return masks, bool(odd.any() or np.any(whole & ~every))


def _columns(words: list[list[str]]) -> list[int]:
    """Column of the flags of each region: its number, or its place if the numbers cannot be that."""
    numbers = [to_count(found[1]) if len(found) > 1 else None for found in words]
    told = [number for number in numbers if number is not None and number < max(_MOST, len(words))]
    return told if len(set(told)) == len(words) else list(range(len(words)))


def _controls(
    text: TextFile, span: tuple[int, int], runs: list[Run], atoms: Atoms, errors: str
) -> tuple[dict[str, Mask], tuple[str, ...]]:
    """Control nodes of the lines PROPERTY_CN and CNP."""
    if not runs:
        return {}, ()
    names = [" ".join(text.tokens(run.start)) for run in runs]
    number = {name: k for k, name in enumerate(dict.fromkeys(names))}
    masks, lost = _empty(text, runs, len(number), atoms), 0
    line = text.words.find(runs[0].start, span[1], "CNP")
    place = np.searchsorted([run.start for run in runs], line) - 1
    owner = np.array([number[name] for name in names])[place]
    for some, rows, known, _ in _members(text, line, 0, atoms, errors):
        masks[owner[some][known], rows[known]] = True
        lost += int((~known).sum())
    return {CONTROL + name: masks[k] for name, k in number.items()}, _lost(lost)
