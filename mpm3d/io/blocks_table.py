"""Block models written as tables: a row for each block, its centre and perhaps its sizes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mpm3d.errors import FormatError
from mpm3d.geometry import Body
from mpm3d.grid import FloatArray
from mpm3d.io.files import stem_of, to_number
from mpm3d.io.options import Options
from mpm3d.io.tables.columns import Table, read_table
from mpm3d.io.tables.headers import HOLE, Header, X, Y, Z, first_rows, some
from mpm3d.lattice import BlockModel

AXES = (X, Y, Z)
_SIZES = (
    "d{}", "{}inc", "size{}", "{}size", "dim{}", "{}dim", "{}length", "length{}", "{}width", "width{}",
    "blocksize{}", "{}blocksize", "cellsize{}", "{}cellsize", "dimension{}", "delta{}",
)  # fmt: skip
# a lattice must have as many rows, and as large a share of its cells filled
_LEAST_ROWS = 8
_LEAST_FILLED = 0.05


def matches(path: Path, head: bytes) -> bool:
    """Whether a file begins with a table of centres and positive sizes of blocks.

    Centres alone that lie on a lattice are told by `table.read_bodies`, which reads all of them.
    """
    header, rows = first_rows(head)
    if header is None or not all(header.find(keys) for keys in AXES):
        return False
    sizes = [size for size in size_columns(header) if size is not None]
    return len(sizes) == 3 and all(_is_positive(row, size) for row in rows for size in sizes)


def _is_positive(row: list[str], column: int) -> bool:
    try:
        return to_number(row[column].strip().replace(",", ".")) > 0
    except (ValueError, IndexError):
        return False


def read_bodies(path: Path, options: Options) -> list[Body]:
    """Read a block model, see `read_blocks`."""
    return [read_blocks(path, errors=options.errors)]


def size_columns(header: Header) -> list[int | None]:
    """Columns of the sizes of blocks along x, y and z."""
    by_axis = [tuple(form.format(axis) for form in _SIZES) for axis in "xyz"]
    named = [(), (), ("zheight", "heightz", "blockheight")]
    return [header.first((*keys, *more)) for keys, more in zip(by_axis, named, strict=True)]


def read_blocks(path: str | Path, *, errors: str = "strict") -> BlockModel:
    """Read a block model from a table.

    Parameters
    ----------
    path : str or Path
        Table with a header, a row for each block: its centre (columns such as ``XC``, ``EAST``,
        ``CENTROID_X``) and, unless the blocks lie on a lattice, its full sizes (``DX``, ``XINC``,
        ``DIM_X``), in metres or the unit in the header. See `table.read_points` for the rest.
    errors : {"strict", "skip"}
        ``"skip"`` leaves out rows without finite centres and positive sizes and notes it.

    Returns
    -------
    BlockModel
        Columns of text are in ``texts``.

    Raises
    ------
    FormatError
        If a column is missing, a centre or size is not possible, or there are no sizes and the centres lie
        on no lattice.
    """
    Options(errors=errors)  # refuses what is no choice
    table = read_table(path)
    columns = [table.header.first(keys) for keys in AXES]
    known = [column for column in columns if column is not None]
    if len(known) < 3:
        raise FormatError(
            path,
            "the centres of the blocks need columns x, y and z (or XC, EAST, CENTROID_X and so on). There "
            f"are: {some(table.header.names, 20)}.",
            table.header.line + 1,
        )
    model, why = blocks_or_why(table, known, errors, sure=True)
    if model is None:
        raise FormatError(path, f"the sizes of the blocks are not known: {why} Add columns dx, dy and dz.")
    return model


def blocks_or_why(
    table: Table, columns: list[int], errors: str, *, sure: bool = False
) -> tuple[BlockModel | None, str]:
    """A block model, or None and the reason why the rows are points.

    With sizes along all three axes rows are blocks. Without, they are blocks if no column names holes, there
    are 8 rows or more, the coordinates along each axis are at least 2 multiples of one step, no two rows
    share a place, 5 % of the places in the box around them are filled, and half of the rows or more have
    another beside them.

    Parameters
    ----------
    table : Table
        The rows.
    columns : list of int
        Its columns of x, y and z.
    errors : {"strict", "skip"}
        As in `read_blocks`.
    sure : bool
        Whether the rows are meant as blocks, so that holes and sizes that are not positive are no reasons.

    Raises
    ------
    FormatError
        If a coordinate is not finite, or, for rows that are meant as blocks, a size is not positive.
    """
    sizes = size_columns(table.header)
    given = [size for size in sizes if size is not None]
    hole = table.header.first(HOLE)
    if len(given) == 3:
        if not sure and not _all_positive(table, given):
            names = ", ".join(table.name(size) for size in given)
            return None, f"read as points, since {names} are not positive everywhere, as sizes of blocks are."
        return _with_sizes(table, columns, given, errors), ""
    if hole is not None and not sure:
        return None, f"read as points, since {table.name(hole)!r} names holes."
    xyz = table.points(columns, errors)
    width, why = find_lattice(xyz)
    if width is None:
        return None, f"read as points, since {why}"
    note = f"read as blocks, since {why} The sizes of the blocks are its steps."
    if given:
        note += f" The columns {', '.join(table.name(size) for size in given)} became values."
    table.notes.append(note)
    return _model(
        table, columns, xyz, np.broadcast_to(width, xyz.shape).copy(), "the steps of the lattice"
    ), ""


def _all_positive(table: Table, sizes: list[int]) -> bool:
    return all(bool(np.all(table.numbers(size) > 0)) for size in sizes)


def _with_sizes(table: Table, columns: list[int], sizes: list[int], errors: str) -> BlockModel:
    widths = table.points([*columns, *sizes], errors)
    good = np.all(widths[:, 3:] > 0, axis=1)
    if not good.all():
        row = int(np.argmin(good))
        column = sizes[int(np.argmin(widths[row, 3:] > 0))]
        if errors == "strict":
            raise table.fail_at(
                row,
                f"{table.name(column)} is {table.shown(column, row)!r}, the size of a block is positive. "
                "Read with errors='skip' to leave such rows out.",
            )
        table.keep(good)
        table.notes.append(f"{int((~good).sum())} rows with sizes that are not positive were left out.")
        widths = widths[good]
    table.notes.append("read as blocks, since there are columns of sizes.")
    named = ", ".join(table.name(size) for size in sizes)
    return _model(table, [*columns, *sizes], widths[:, :3], widths[:, 3:], named)


def _model(
    table: Table, columns: list[int], centres: FloatArray, sizes: FloatArray, named: str
) -> BlockModel:
    numbers, texts, units = table.values(columns)
    x, y, z = (table.name(column) for column in columns[:3])
    table.notes.append(f"{x}, {y} and {z} were taken as the centres of the blocks.")
    return BlockModel(
        stem_of(table.path), centres, sizes, numbers, texts=texts, kind="block model", units=units,
        layout=f"A row for each block: {x}, {y}, {z} of its centre; sizes from {named}.",
        notes=tuple(table.notes),
    )  # fmt: skip


def find_lattice(xyz: FloatArray) -> tuple[FloatArray | None, str]:
    """Steps of the lattice of the points, and its description; or None and why there is none.

    Parameters
    ----------
    xyz : array of shape (n, 3)
        Coordinates in metres.

    Returns
    -------
    width : array of shape (3,) or None
        Steps along x, y and z.
    why : str
        A sentence that goes on from "since".
    """
    if len(xyz) < _LEAST_ROWS:
        return None, f"there are no sizes and {len(xyz)} rows, a lattice needs {_LEAST_ROWS}."
    index, widths = [], []
    for axis, name in enumerate("xyz"):
        found = _steps(xyz[:, axis])
        if found is None:
            return None, f"there are no sizes and the coordinates along {name} are not multiples of one step."
        index.append(found[0])
        widths.append(found[1])
    shape = [int(i.max()) + 1 for i in index]
    cells, rows = math.prod(shape), len(xyz)
    box = f"{' × '.join(map(str, shape))} cells of {' × '.join(f'{w:g}' for w in widths)} m"
    if rows < _LEAST_FILLED * cells:
        share = f"{100 * rows / cells:.2g} %"
        return None, f"there are no sizes and the rows fill {share} of a lattice of {box}, less than 5 %."
    filled = np.zeros(shape, dtype=bool)
    filled[tuple(index)] = True
    if int(filled.sum()) < rows:
        return None, "there are no sizes and rows share places."
    if _beside(filled) < rows / 2:
        return (
            None,
            f"there are no sizes and most places in the lattice of {box} have none filled beside them.",
        )
    return np.array(widths), (
        f"the centres lie on a lattice of {box}, {100 * rows / cells:.3g} % of it filled."
    )


def _steps(values: FloatArray) -> tuple[FloatArray, float] | None:
    """Index of each value on an even ladder of at least two rungs, and its step."""
    known = np.unique(values)
    span = float(known[-1] - known[0])
    same = 1e-6 * span + 1e-9 * float(np.abs(known).max())
    gaps = np.diff(known)
    gaps = gaps[gaps > same]
    if not len(gaps):
        return None
    # coordinates are rounded: the mean of the small gaps is nearer to the step than the smallest
    step = float(gaps[gaps < 1.5 * gaps.min()].mean())
    step = span / max(round(span / step), 1)
    place = (values - known[0]) / step
    index = np.round(place)
    if index.max() > 10**6 or np.abs(place - index).max() > 0.01 + same / step:
        return None
    return index.astype(np.int64), step


def _beside(filled: NDArray[np.bool_]) -> int:
    """How many filled cells have a filled neighbour across a face."""
    touched = np.zeros_like(filled)
    for axis in range(3):
        low = tuple(slice(None, -1) if k == axis else slice(None) for k in range(3))
        high = tuple(slice(1, None) if k == axis else slice(None) for k in range(3))
        both = filled[low] & filled[high]
        touched[low] |= both
        touched[high] |= both
    return int(touched.sum())
