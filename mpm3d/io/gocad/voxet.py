"""GoCAD voxets: a text header and binary or text files of values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.grid import FloatArray
from mpm3d.io.gocad.ascii_table import placed_rows
from mpm3d.io.gocad.axes import Shape, read_axis, read_counts
from mpm3d.io.gocad.data_files import (
    Property,
    data_path,
    find_properties,
    find_values,
    is_no_data,
)  # fmt: skip
from mpm3d.io.gocad.flags import read_regions
from mpm3d.io.gocad.lines import LARGEST, Block, TextFile
from mpm3d.io.options import Options
from mpm3d.lattice import Voxet
from mpm3d.values import Array, Lazy, Statistics, Values, slabs, statistics

# small properties are read at once until they have so many samples together: a header may name a file often
_TOGETHER = 50_000_000


def read_voxet(text: TextFile, block: Block, options: Options) -> Voxet:
    """Make a voxet of its header and the files that it names.

    Properties and regions of more than `data_files.LAZY_ABOVE` samples stay in their files and are read in
    parts. The values of small ones are compared with the statistics in the header; of others three layers
    are, and `verify` compares all.

    Parameters
    ----------
    text : TextFile
        The file with the header.
    block : Block
        The object in it.
    options : Options
        ``errors``, ``byte_order`` and ``outside`` count.

    Raises
    ------
    FormatError
        If it is damaged, or a file of values is missing, too short or outside the folder; with
        ``errors="skip"`` such a property is left out and noted.
    """
    shape, origin, steps, said = _geometry(text, block)
    factor, notes = block.crs.to_metres()
    properties = find_properties(text, block)
    values, stated, kept = {}, {}, [*notes, *said, *_named(properties)]
    sources = _Sources(text, block, shape, options, properties)
    for name, prop in properties.items():
        if prop.image:
            kept.append(prop.image)
            continue
        try:
            source = sources.find(prop)
        except FormatError as error:
            if options.errors == "strict":
                raise
            kept.append(f"property {name!r} was left out: {error}")
            continue
        values[name] = source.values
        kept += source.notes
        if prop.stated is not None:
            stated[name] = prop.stated
            kept += _compared(name, source, prop.stated, options)
    regions, noted = read_regions(text, block, shape, options)
    return Voxet(
        block.name, origin * factor + 0.0, steps * factor + 0.0, shape, values, kind="Voxet",
        units={name: properties[name].unit for name in values if properties[name].unit},
        classes={name: codes for name in values if (codes := properties[name].classes)},
        regions=regions, stated=stated, crs_name=block.crs.name,
        z_positive="Depth" if block.crs.depth else "Elevation", notes=(*kept, *noted),
    )  # fmt: skip


def _geometry(text: TextFile, block: Block) -> tuple[Shape, FloatArray, FloatArray, list[str]]:
    """Counts (w, v, u), the first sample and the steps along U, V and W, in the units of the file."""

    def axes(word: str, default: float) -> FloatArray:
        return np.array(read_axis(text, block, word)[0]) if block.find(word) else np.full(3, default)

    shape, line = read_counts(text, block, "samples")
    n = np.array(shape[::-1])
    vectors = np.array([read_axis(text, block, f"AXIS_{axis}")[0] for axis in "UVW"])
    low, spacing = axes("AXIS_MIN", 0.0), axes("AXIS_D", 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        # steps in metres need no ends of the axes
        unit = spacing.all() and np.allclose(np.linalg.norm(vectors, axis=1), 1)
        high = axes("AXIS_MAX", 1.0) if block.find("AXIS_MAX") or not unit else low + spacing * (n - 1)
        span = np.where((n == 1) & (spacing != 0), spacing, high - low)
        origin = np.array(read_axis(text, block, "AXIS_O")[0]) + low @ vectors
        # n samples span n - 1 steps; the vector of an axis of one sample is taken as its step
        steps = vectors * span[:, None] / np.maximum(n - 1, 1)[:, None]
    if not (np.all(np.abs(origin) < LARGEST) and np.all(np.abs(steps) < LARGEST)):
        text.fail("the axes give samples at coordinates that are not finite numbers.", line)
    notes = [*_step_notes(block, n, steps), *_corner_notes(n, np.abs(spacing), vectors, steps)]
    return shape, origin, steps, notes


def _corner_notes(counts: Array, spacing: FloatArray, vectors: FloatArray, steps: FloatArray) -> list[str]:
    """A note if AXIS_D, in metres or shares of the axes, is the length of the axes over their samples."""
    many = counts > 1
    with np.errstate(over="ignore", invalid="ignore"):
        step, vector = (np.linalg.norm(rows, axis=1)[many] for rows in (steps, vectors))
        cell = step * (counts[many] - 1) / counts[many]
        told = spacing[many], spacing[many] * vector
    if not len(step) or not any(np.allclose(size, cell, rtol=1e-6, atol=0) for size in told):
        return []
    return [
        "AXIS_D is the length of the axes divided by their samples, so the axes may end at the corners of "
        "cells: read with registration='corner'."
    ]


def _step_notes(block: Block, counts: Array, steps: FloatArray) -> list[str]:
    notes = []
    for axis, count, step in zip("UVW", counts, steps, strict=True):
        if not step.any():
            notes.append(f"axis {axis} has no length, so its cells have no size.")
        elif count == 1:
            word = "AXIS_D" if block.find("AXIS_D") else f"AXIS_{axis}"
            notes.append(f"axis {axis} has one sample, {word} was taken as the length of its cell.")
    return notes


def _named(properties: Mapping[str, Property]) -> list[str]:
    """Notes on names that were made up."""
    notes = []
    for name, prop in properties.items():
        if prop.name == f"property_{prop.number}" and not prop.phrase("PROPERTY"):
            notes.append(f"property {prop.number} has no name in the header and was called {name!r}.")
        elif name != prop.name:
            notes.append(
                f"property {prop.number} has the name of another, {prop.name!r}, so it was called {name!r}."
            )
    return notes


@dataclass(frozen=True)
class _Source:
    """Values of a property, what was assumed of them, and the same read in the other byte order."""

    values: Values
    notes: Sequence[str] = ()
    swapped: Callable[[], Values] | None = None


class _Sources:
    """Where the values of the properties of a voxet come from: a table of text or binary files."""

    def __init__(
        self, text: TextFile, block: Block, shape: Shape, options: Options, properties: Mapping[str, Property]
    ) -> None:
        self.text, self.shape, self.options = text, shape, options
        self.table, self.line = text.last(block, "ASCII_DATA_FILE")
        self.order = [prop.number for prop in properties.values()]
        self._rows: FloatArray | FormatError | None = None
        self._left = _TOGETHER

    def find(self, prop: Property) -> _Source:
        """Values ``(w, v, u)`` of a property."""
        if self.line is not None:
            values = self._read_table()[self.order.index(prop.number)].reshape(self.shape)
            if prop.no_data is not None:
                values[is_no_data(values, prop.no_data)] = np.nan
            return _Source(values)
        stored, notes = find_values(self.text, prop, self.options)
        self._left -= math.prod(self.shape)
        lazy = self._left < 0
        return _Source(
            stored.values(self.shape, lazy=lazy), notes,
            lambda: stored.swapped().values(self.shape, lazy=lazy),
        )  # fmt: skip

    def _read_table(self) -> FloatArray:
        """Values ``(property, samples)``, read once."""
        if self._rows is None:
            try:
                path = data_path(self.text, " ".join(self.table), self.line or 0, self.options)
                self._rows = _table(path, self.shape, len(self.order))
            except FormatError as error:
                self._rows = error
        if isinstance(self._rows, FormatError):
            raise self._rows
        return self._rows


def _table(path: Path, shape: Shape, n_properties: int) -> FloatArray:
    values: FloatArray = np.empty((n_properties, 0))
    for _, places, rows in placed_rows(path, shape, n_properties):
        if not values.size:  # the size of the file was found to be enough for so many
            values = np.empty((n_properties, math.prod(shape)))
        values[:, places] = rows.T
    return values


def verify(voxet: Voxet) -> dict[str, str]:
    """Compare all values with the statistics that the header states, reading files slab by slab.

    Parameters
    ----------
    voxet : Voxet
        As read from a file.

    Returns
    -------
    dict of str to str
        For each property that differs, what should be and what is; empty if all agree.
    """
    found = {name: statistics(voxet.values[name]) for name in voxet.stated}
    return {
        name: found[name].disagreement(name, stated)
        for name, stated in voxet.stated.items()
        if not found[name].agrees(stated)
    }


def _compared(name: str, source: _Source, stated: Statistics, options: Options) -> list[str]:
    """A note if values are not those that the header states: of large files, if three layers cannot be."""
    fits = _within if isinstance(source.values, Lazy) else _agrees
    if fits(source.values, stated):
        return []
    if isinstance(source.values, Lazy):
        note = (
            f"property {name!r} has values beyond those that its header states, {stated.low:g} to "
            f"{stated.high:g}."
        )
    else:
        note = statistics(source.values).disagreement(name, stated)
    if source.swapped is not None and fits(source.swapped(), stated):
        other = {"big": "little", "little": "big"}[options.byte_order]
        return [note, f"property {name!r} agrees if the bytes are swapped: read with byte_order={other!r}."]
    return [note]


def _agrees(values: Values, stated: Statistics) -> bool:
    return statistics(values).agrees(stated)


def _within(values: Values, stated: Statistics) -> bool:
    """Whether the first, the middle and the last slab keep within the least and the largest value."""
    parts = list(slabs(values))
    size = max(abs(stated.low), abs(stated.high))
    for part in {0, len(parts) // 2, len(parts) - 1}:
        found = statistics(values[parts[part]])
        if found.n and not (
            stated.low - 1e-4 * size <= found.low and found.high <= stated.high + 1e-4 * size
        ):
            return False
        # whole numbers in floats of the other byte order are next to zero
        if size > 1e-20 and 0 < max(abs(found.low), abs(found.high)) < 1e-30:
            return False
    return True
