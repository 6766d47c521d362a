"""Model files of UBC programs: values of cells, what stands for air, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.geometry import Array
from mpm3d.grid import FloatArray
from mpm3d.io.files import write_text
from mpm3d.io.rows import content, numbers, rows
from mpm3d.io.ubc.air import SAME, Missing


def read_columns(path: str | Path, cells: int, mesh: str) -> FloatArray:
    """Values of one file as ``(cells, 1)``, or ``(cells, 3)`` for vectors, in the order of the file.

    Parameters
    ----------
    path : str or Path
        The model: numbers, one or several on a line, or three on each line for vectors.
    cells : int
        Cells of the mesh.
    mesh : str
        The mesh in words, for messages.

    Raises
    ------
    FormatError
        If there are not as many values as cells.
    """
    text = content(path)
    values = numbers(path, text)
    if len(values) == cells:
        return values[:, None]
    if len(values) == 3 * cells and len(rows(text, 1)[0].words) == 3:
        return values.reshape(cells, 3)
    raise FormatError(
        path,
        f"there are {len(values)} values and the mesh has {cells} cells ({mesh}). "
        "The model may be truncated or belong to another mesh.",
    )


def components(name: str, columns: FloatArray) -> tuple[dict[str, FloatArray], tuple[str, ...]]:
    """Columns by name: ``<name>_x``, ``_y``, ``_z`` for vectors, whose third column points down."""
    if columns.shape[1] == 1:
        return {name: columns[:, 0]}, ()
    x, y, down = columns.T
    note = (
        f"{name!r} has three values for each cell: components to the east, to the north and downwards, as "
        f"UBC programs define them. {name + '_z'!r} is the component upwards: its sign is turned."
    )
    # subtracted, so that 0 does not become -0
    return {f"{name}_x": x, f"{name}_y": y, f"{name}_z": 0.0 - down}, (note,)


@dataclass
class Models:
    """Values of several files on one mesh.

    Parameters
    ----------
    cells : int
        Cells of the mesh.
    mesh : str
        The mesh in words, for messages.
    shaped : callable
        Puts the values of one file into the shape of the model.
    missing : Missing
        What stands for air.
    """

    cells: int
    mesh: str
    shaped: Callable[[FloatArray], FloatArray]
    missing: Missing
    values: dict[str, FloatArray] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def read(self, models: Mapping[str, str | Path]) -> None:
        """Add the values of files, by name."""
        for name, path in models.items():
            self.add(name, read_columns(path, self.cells, self.mesh))

    def add(self, name: str, columns: FloatArray) -> None:
        """Add values ``(cells, 1)`` or ``(cells, 3)``."""
        # air is marked in the numbers of the file, before a sign is turned
        made = [self.missing.applied(name, self.shaped(column)) for column in columns.T]
        parts, notes = components(name, np.stack([part.ravel() for part, _ in made], axis=1))
        for (part, column), (array, found) in zip(parts.items(), made, strict=True):
            self.values[part] = column.reshape(array.shape)
            self.notes += [note.replace(repr(name), repr(part)) for note in found]
        self.notes += notes


def write_model(path: str | Path, values: Array, *, missing: float | None = None) -> float | None:
    """Write one model; a name that ends in ``.gz`` makes a gzipped file.

    Parameters
    ----------
    path : str or Path
        The model file. It is replaced only when all is written.
    values : array of shape (z, y, x), (z, y, x, 3), (n,) or (n, 3)
        On a tensor mesh, index 0 lowest, southernmost, westernmost; or on an OcTree mesh, in its order. The
        last axis of vectors is the component to the east, to the north and upwards; the file has it
        downwards. In the shortest form that reads back the same.
    missing : float, optional
        What is written for NaN; by default -99999, or a like number with more nines if that is among the
        values.

    Returns
    -------
    float or None
        What stands for NaN in the file, to be given to `read_model` as ``missing``; None if nothing does.

    Raises
    ------
    ValueError
        If the shape is another one, a value is infinite, or ``missing`` is among the values.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "density.den"
    >>> write_model(path, np.array([[[2.5, np.nan]], [[-99999.0, 2.7]]]))
    -999999.0
    """
    cells = np.asarray(values)
    if cells.dtype.kind not in "fiub":
        raise ValueError(f"a model holds numbers, this array has the type {cells.dtype}.")
    if cells.dtype.itemsize < 4:  # too small for the number that stands for NaN, or for a sign
        cells = cells.astype(np.float32 if cells.dtype.kind == "f" else np.int32)
    columns = _in_file_order(cells)
    nothing = np.isnan(columns) if columns.dtype.kind == "f" else np.zeros(columns.shape, bool)
    if not np.all(np.isfinite(columns) | nothing):
        raise ValueError("a value is infinite, which UBC programs do not read. Make it NaN or a number.")
    stand_in = None
    if nothing.any():
        number = columns.dtype.type(_stand_in(columns[~nothing], missing))
        columns, stand_in = np.where(nothing, number, columns), float(number)
    words = [_words(column) for column in columns.T]
    write_text(path, words[0] if len(words) == 1 else map(" ".join, zip(*words, strict=True)))
    return stand_in


def _words(column: Array) -> Iterator[str]:
    """Numbers in the shortest form that reads back the same; float32 has fewer digits than Python's."""
    return map(str, column if column.dtype == np.float32 else column.tolist())


def _in_file_order(cells: Array) -> Array:
    """Values as ``(n, 1)`` or ``(n, 3)``, from the top down, then to the east, then to the north."""
    if cells.ndim == 4 and cells.shape[3] == 3:
        ordered = cells[::-1].transpose(1, 2, 0, 3).reshape(-1, 3)
    elif cells.ndim == 3:
        ordered = cells[::-1].transpose(1, 2, 0).reshape(-1, 1)
    elif cells.ndim == 1:
        ordered = cells[:, None]
    elif cells.ndim == 2 and cells.shape[1] == 3:
        ordered = cells
    else:
        raise ValueError(
            "a model has the axes (z, y, x), or one axis in the order of an OcTree mesh, and 3 components "
            f"after them if it holds vectors; this array has shape {cells.shape}."
        )
    if ordered.shape[1] == 1:
        return ordered
    return np.column_stack([ordered[:, 0], ordered[:, 1], 0 - ordered[:, 2]])


def _stand_in(there: Array, missing: float | None) -> float:
    """What is written for NaN: a number that is not among the values."""

    def taken(number: float) -> bool:
        return bool(np.any(np.abs(there - number) <= 10 * SAME * abs(number)))

    if missing is not None:
        if not np.isfinite(missing):
            raise ValueError(f"missing={missing} is not a number that every UBC program reads.")
        if taken(missing):
            raise ValueError(f"missing={missing:g} is among the values, so NaN could not be told from it.")
        return missing
    return next(choice for digits in range(5, 300) if not taken(choice := 1 - 10.0**digits))
