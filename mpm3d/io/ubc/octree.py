"""UBC OcTree meshes and the models on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mpm3d.errors import FormatError
from mpm3d.grid import FloatArray
from mpm3d.io.files import stem_of, write_text
from mpm3d.io.rows import content, fail, numbers, rows
from mpm3d.io.ubc.air import Mask, Missing
from mpm3d.io.ubc.kinds import FINEST, WIDE, mesh_kind
from mpm3d.io.ubc.values import Models
from mpm3d.lattice import BlockModel

Cells = NDArray[np.int64]
LAYOUT = (
    "One value for each cell, in the order of the rows i, j, k, size of the mesh, which is kept; i counts "
    "to the east, j to the north, k down, from 1 at the top south-western corner."
)


def read_octree(
    mesh_path: str | Path,
    models: Mapping[str, str | Path] | None = None,
    *,
    units: Mapping[str, str] | None = None,
    missing: Sequence[float] | None = None,
) -> BlockModel:
    """Read an OcTree mesh and models on it.

    Parameters
    ----------
    mesh_path : str or Path
        OcTree mesh: counts of smallest cells to the east, north and down (and perhaps six counts of a
        padding), the top south-western corner, widths of the smallest cell, the number of cells, and for
        each ``i j k size`` in smallest cells from 1, k from the top.
    models : mapping of str to path, optional
        A name for the values and their file: one value, or three of a vector, for each row of the mesh.
    units, missing
        As in `read_model`.

    Returns
    -------
    BlockModel
        Cells and values in the order of the file.

    Raises
    ------
    FormatError
        If it is not an OcTree mesh, is truncated, a cell is outside the mesh or not at a multiple of its
        size, two cells overlap, or a model has other cells.

    References
    ----------
    The manuals of DCIPoctree and E3DMT of the UBC Geophysical Inversion Facility.
    """
    text = content(mesh_path)
    corner, smallest, counts, cells = _mesh(mesh_path, text)
    notes = _covered(mesh_path, counts, cells)
    if len(rows(text, 1)[0].words) == 9:
        padding = " ".join(rows(text, 1)[0].words[3:])
        notes.append(f"The six counts {padding} of a padding on line 1 are for drawing only and left out.")
    first, size = cells[:, :3] - 1, cells[:, 3:]
    steps = smallest * (1, 1, -1)
    found = Models(
        len(cells), f"{len(cells)} rows of the OcTree", lambda column: column,
        Missing(missing, lambda air, rock: _on_top(cells, air, rock)),
    )  # fmt: skip
    found.read(models or {})
    return BlockModel(
        stem_of(mesh_path), corner + (first + size / 2) * steps, size * smallest, found.values,
        kind="UBC OcTree mesh", units=dict(units or {}), notes=(*notes, *found.notes), layout=LAYOUT,
    )  # fmt: skip


def _mesh(path: str | Path, text: str) -> tuple[FloatArray, FloatArray, list[int], Cells]:
    """Corner, smallest cell, counts and rows of a mesh."""
    if mesh_kind(text) != "octree":
        fail(path, "lines 1 to 4 should be the counts, corner, smallest cell and cells of an OcTree mesh.")
    head = rows(text, 4)
    counts = (head[0].counts() or [])[:3]
    corner, smallest = (np.array(row.numbers()) for row in head[1:3])
    n = (head[3].counts() or [0])[0]
    if not all(1 <= count <= FINEST for count in counts):
        fail(path, f"{counts} smallest cells (E, N, Z) are not possible, at most {FINEST}.", head[0].line)
    if np.abs(corner).max() > WIDE:
        fail(path, f"the corner {corner.tolist()} lies more than {WIDE:g} m from the origin.", head[1].line)
    if not np.all((smallest > 0) & (smallest < WIDE)):
        fail(path, f"the smallest cell is {smallest.tolist()} m wide, which is not possible.", head[2].line)
    found = numbers(path, text[head[3].end :], head[3].line)
    if n < 1 or len(found) != 4 * n:
        fail(
            path, f"line {head[3].line} says {n} cells, and {len(found) / 4:g} rows of i, j, k, size follow. "
            "The mesh may be truncated.", head[3].line,
        )  # fmt: skip
    if not np.all((found >= 1) & (found <= FINEST) & (found == np.floor(found))):
        fail(path, f"i, j, k and size of the cells must be whole numbers from 1 to {FINEST}.")
    return corner, smallest, counts, found.reshape(n, 4).astype(np.int64)


def _covered(path: str | Path, counts: Sequence[int], cells: Cells) -> list[str]:
    """Refuse cells that cannot be, and say if they do not fill the mesh."""
    place, size = cells[:, :3] - 1, cells[:, 3]
    wrong = (size & (size - 1) != 0) | np.any(place % size[:, None] != 0, axis=1)
    wrong |= np.any(place + size[:, None] > counts, axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        fail(
            path,
            f"cell {row + 1} ({' '.join(map(str, cells[row]))}) is not one of an OcTree of {list(counts)} "
            "cells: sizes are powers of two, and cells lie at multiples of their size within the mesh.",
        )
    sizes = np.unique(size)
    for level in sizes:
        same = _key(place[size == level] // level)
        if len(np.unique(same)) < len(same) or np.isin(_key(place[size < level] // level), same).any():
            fail(path, f"two cells of the OcTree overlap, one of them of size {level}. Cells must not.")
    filled = sum(int(np.count_nonzero(size == level)) * int(level) ** 3 for level in sizes)
    total = counts[0] * counts[1] * counts[2]
    if filled == total:
        return []
    return [f"The cells fill {filled / total:.1%} of the box of the mesh, the rest has none."]


def _key(place: Cells) -> Cells:
    """One number for each position of two or three whole numbers below 2^20."""
    key = place[:, 0]
    for column in place.T[1:]:
        key = key << 20 | column
    return key


def _on_top(cells: Cells, air: Mask, rock: Mask) -> bool:
    """Whether no cell of ``air`` lies below one of ``rock``; columns hold each other or are apart."""
    place, size = cells[:, :3] - 1, cells[:, 3]
    for level in np.unique(size):
        same, smaller = size == level, size < level
        if _below_another(place, level, air & same, rock & (same | smaller)):
            return False
        if _below_another(place, level, air & smaller, rock & same):
            return False
    return True


def _below_another(place: Cells, level: int, air: Mask, rock: Mask) -> bool:
    """Whether a cell of air is deeper than a cell of rock in the same column of this width."""
    columns, row = np.unique(_key(place[rock, :2] // level), return_inverse=True)
    if not len(columns):
        return False
    highest = np.full(len(columns), FINEST)
    np.minimum.at(highest, row, place[rock, 2])
    key = _key(place[air, :2] // level)
    at = np.minimum(np.searchsorted(columns, key), len(columns) - 1)
    return bool(np.any((columns[at] == key) & (highest[at] < place[air, 2])))


def write_octree(path: str | Path, model: BlockModel) -> None:
    """Write blocks as an OcTree mesh, in their order; values are written by `write_model`.

    UBC programs sort cells by k, then j, then i, and discretize takes that for granted: sort blocks from the
    top down, then to the north, then to the east by their top south-western corners to be read by it.

    Parameters
    ----------
    path : str or Path
        The mesh file; gzipped if its name ends in ``.gz``. It is replaced only when all is written.
    model : BlockModel
        Blocks whose sizes are powers of two of the smallest and that lie at multiples of their size from the
        top south-western corner of all.

    Raises
    ------
    ValueError
        If they do not, overlap, or are rotated.
    """
    if model.frame is not None or not len(model.centres):
        raise ValueError(f"{model.name!r} is rotated or has no blocks, an OcTree mesh lies along x, y and z.")
    smallest = model.sizes.min(axis=0)
    low, high = model.centres - model.sizes / 2, model.centres + model.sizes / 2
    corner = np.array([low[:, 0].min(), low[:, 1].min(), high[:, 2].max()])
    size = model.sizes / smallest
    first = np.column_stack([low[:, 0] - corner[0], low[:, 1] - corner[1], corner[2] - high[:, 2]]) / smallest
    whole = np.column_stack([first, size])
    cells = np.round(whole).astype(np.int64)
    near = np.abs(whole - cells).max() <= 1e-3 and np.abs(size - size[:, :1]).max() <= 1e-3
    ends = (cells[:, :3] + cells[:, 3:4]).max(axis=0)
    if not near or ends.max() > FINEST:
        raise ValueError(
            _no_octree(model, "they are not whole numbers of the smallest block wide and apart.")
        )
    counts = [1 << int(end - 1).bit_length() for end in ends]
    table = np.column_stack([cells[:, :3] + 1, cells[:, 3]])
    try:
        _covered(path, counts, table)
    except FormatError as error:
        raise ValueError(_no_octree(model, error.reason)) from error
    write_text(path, [
        " ".join(map(str, counts)), " ".join(repr(float(c)) for c in corner),
        " ".join(repr(float(s)) for s in smallest), str(len(table)),
        *(" ".join(map(str, row)) for row in table.tolist()),
    ])  # fmt: skip


def _no_octree(model: BlockModel, why: str) -> str:
    return f"the blocks of {model.name!r} make no OcTree: {why} Write them as a table of blocks instead."
