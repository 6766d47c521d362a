"""UBC-GIF tensor meshes and models: gravity, magnetic and resistivity inversions."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.geometry import Array
from mpm3d.grid import FloatArray
from mpm3d.io.files import read_text, stem_of, to_count, to_number, write_text
from mpm3d.lattice import PropertyModel

Edges = tuple[FloatArray, FloatArray, FloatArray]
# more cells along an axis, or wider ones, mean a damaged file
_MANY = 100_000
_WIDE = 1e9


def read_mesh(path: str | Path) -> Edges:
    """Cell edges of a tensor mesh.

    Widths may be repeated as ``60*20``, with blanks too, and go on over several lines; ``!`` begins a
    comment; the file may be gzipped.

    Parameters
    ----------
    path : str or Path
        Mesh file: counts to the east, north and down, the top south-western corner, widths of the cells.

    Returns
    -------
    tuple of three arrays
        Edges along z (elevation), y and x, ascending, in metres.

    Raises
    ------
    FormatError
        If it is not a 3D tensor mesh, is truncated, or a width is not positive.
    """
    lines = _content(path)
    counts = _counts(path, lines)
    tokens = re.sub(r"\s*\*\s*", "*", " ".join(lines[1:])).split()
    _refuse_octree(path, tokens)
    corner = [_number(path, token) for token in tokens[:3]]
    if len(corner) < 3:
        _fail(path, "the corner of the mesh (E0 N0 Z0 on line 2) is missing, the file may be truncated.")
    widths = _widths(path, tokens[3:], sum(counts))
    east, north, down = np.split(widths, np.cumsum(counts)[:2])
    x, y = (
        start + np.concatenate([[0.0], np.cumsum(w)]) for start, w in zip(corner, (east, north), strict=False)
    )
    z = corner[2] - np.concatenate([[0.0], np.cumsum(down)])
    return z[::-1], y, x


def _content(path: str | Path) -> list[str]:
    lines = [line.split("!", 1)[0].strip() for line in read_text(path).split("\n")]
    return [line for line in lines if line]


def _fail(path: str | Path, reason: str) -> NoReturn:
    raise FormatError(path, reason)


def _number(path: str | Path, token: str) -> float:
    try:
        value = to_number(token)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        _fail(path, f"{token[:40]!r} is not a number, a mesh holds counts, a corner and widths.")
    return value


def _counts(path: str | Path, lines: list[str]) -> list[int]:
    """Cells to the east, north and down, from the first line."""
    words = lines[0].split() if lines else []
    if len(words) == 1 and to_count(words[0]) is not None:
        _fail(path, "this is a 2D UBC mesh (one count on line 1), which is not read; a 3D mesh has 3 counts.")
    counts = [count for word in words[:3] if (count := to_count(word)) is not None]
    if len(counts) < 3:
        _fail(path, f"line 1 ({' '.join(words)[:40]!r}) should hold three counts nE nN nZ of a UBC mesh.")
    if min(counts) < 1 or max(counts) > _MANY:
        _fail(path, f"a mesh of {counts} cells (E, N, Z) is not possible. Line 1 may be damaged.")
    return counts


def _refuse_octree(path: str | Path, tokens: Sequence[str]) -> None:
    cells = to_count(tokens[6]) if len(tokens) > 6 else None
    if cells is not None and len(tokens) == 7 + 4 * cells:
        _fail(
            path, "this is an OcTree mesh, which is not read. Interpolate the model to a tensor mesh first."
        )


def _widths(path: str | Path, tokens: Iterable[str], total: int) -> FloatArray:
    """Widths with their repeats, counted before anything is expanded."""
    repeats, sizes = [], []
    for token in tokens:
        times, star, size = token.rpartition("*")
        count = to_count(times) if star else 1
        if count is None:
            _fail(path, f"{token[:40]!r} is not a repeat such as '60*20' (60 cells of 20 m).")
        repeats.append(count)
        sizes.append(_number(path, size))
    if sum(repeats) != total:
        _fail(
            path,
            f"there are {sum(repeats)} widths and the counts on line 1 make {total}. "
            "The mesh may be truncated.",
        )
    widths = np.repeat(np.array(sizes), repeats)
    if not np.all((widths > 0) & (widths < _WIDE)):
        wrong = widths.min() if widths.min() <= 0 else widths.max()
        _fail(path, f"a cell is {wrong:g} m wide, widths must be above 0 and below {_WIDE:g}.")
    return widths


def read_model(
    mesh_path: str | Path,
    models: Mapping[str, str | Path],
    *,
    units: Mapping[str, str] | None = None,
    missing: Sequence[float] = (),
) -> PropertyModel:
    """Read models on one tensor mesh.

    Parameters
    ----------
    mesh_path : str or Path
        Mesh file, see `read_mesh`.
    models : mapping of str to path
        A name for the values and their file: one value per cell, from the top down, then to the east, then
        to the north.
    units : mapping of str to str, optional
        Units of the values, such as ``{"density": "g/cm3"}``. The files do not say.
    missing : sequence of float
        Values that stand for air or inactive cells, such as ``-100`` or ``1e-8``; they become NaN, as
        ``nan`` does in any case.

    Returns
    -------
    PropertyModel
        Values ``(z, y, x)``, index 0 lowest, southernmost, westernmost.

    Raises
    ------
    FormatError
        If the number of values is not the number of cells.
    """
    z, y, x = edges = read_mesh(mesh_path)
    shape = (len(z) - 1, len(y) - 1, len(x) - 1)
    values, notes = {}, []
    for name, path in models.items():
        cells = _read_values(path, shape)
        gone = np.isnan(cells)
        for sentinel in missing:
            gone |= np.abs(cells - sentinel) <= 2e-7 * abs(sentinel)
        if gone.any():
            notes.append(f"{name!r} has no value in {int(gone.sum())} of {cells.size} cells.")
        values[name] = np.where(gone, np.nan, cells)
    return PropertyModel(
        stem_of(mesh_path), edges, values, kind="UBC tensor mesh", units=dict(units or {}), notes=tuple(notes)
    )


def _read_values(path: str | Path, shape: tuple[int, int, int]) -> FloatArray:
    """Values of one model file as ``(z, y, x)``."""
    tokens = " ".join(_content(path)).split()
    nz, ny, nx = shape
    cells = nz * ny * nx
    if len(tokens) == 3 * cells:
        _fail(path, f"there are 3 values for each of {cells} cells, a vector model, which is not read.")
    if len(tokens) != cells:
        _fail(
            path,
            f"there are {len(tokens)} values and the mesh has {cells} cells ({nx} × {ny} × {nz}, E, N, Z). "
            "The model may be truncated or belong to another mesh.",
        )
    try:
        values = np.fromiter(map(to_number, tokens), float, cells)
    except ValueError as error:
        _fail(path, f"a value is not a number: {error}.")
    # z fastest and from the top, then east, then north
    return np.ascontiguousarray(values.reshape(ny, nx, nz).transpose(2, 0, 1)[::-1])


def write_mesh(path: str | Path, edges: Edges) -> None:
    """Write a tensor mesh; a name that ends in ``.gz`` makes a gzipped file.

    Parameters
    ----------
    path : str or Path
        The mesh file. It is replaced only when all is written.
    edges : tuple of three arrays
        Ascending edges along z (elevation), y and x, in metres. Widths are written to the micrometre.

    Raises
    ------
    ValueError
        If edges do not ascend.
    """
    for axis, line in zip("zyx", edges, strict=True):
        if len(line) < 2 or not np.all(np.diff(line) > 0):
            raise ValueError(f"the edges along {axis} must ascend and be at least two.")
    z, y, x = (np.asarray(line, dtype=float) for line in edges)
    widths = [np.diff(x), np.diff(y), np.diff(z)[::-1]]
    corner = f"{float(x[0])!r} {float(y[0])!r} {float(z[-1])!r}"
    counts = " ".join(str(len(w)) for w in widths)
    write_text(path, [counts, corner, *(_compressed(w) for w in widths)])


def _compressed(widths: FloatArray) -> str:
    words = []
    for size, run in itertools.groupby(np.round(widths, 6).tolist()):
        count = len(list(run))
        words.append(f"{count}*{size!r}" if count > 1 else repr(size))
    return " ".join(words)


def write_model(path: str | Path, values: Array, *, missing: float = -99999.0) -> None:
    """Write one model; a name that ends in ``.gz`` makes a gzipped file.

    Parameters
    ----------
    path : str or Path
        The model file. It is replaced only when all is written.
    values : array of shape (z, y, x)
        Index 0 lowest, southernmost, westernmost, in the shortest form that reads back the same.
    missing : float
        What is written for NaN.
    """
    cells = np.asarray(values)
    if cells.ndim != 3:
        raise ValueError(f"a model has the axes (z, y, x), this array has shape {cells.shape}.")
    ordered = cells[::-1].transpose(1, 2, 0).ravel()
    if ordered.dtype.kind == "f":
        ordered = np.where(np.isnan(ordered), ordered.dtype.type(missing), ordered)
    write_text(path, map(str, ordered))
