"""UBC tensor meshes in three dimensions and the models on them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np

from mpm3d.grid import FloatArray
from mpm3d.io.files import stem_of, to_count, to_number, write_text
from mpm3d.io.rows import content, each_row, fail, rows
from mpm3d.io.ubc.air import Mask, Missing
from mpm3d.io.ubc.kinds import MANY, WIDE, Edges, mesh_kind
from mpm3d.io.ubc.values import Models
from mpm3d.lattice import PropertyModel

LAYOUT = (
    "One value for each cell, from the top down fastest, then to the east, then to the north, from the top "
    "south-western cell."
)


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
    return edges_of(path, content(path))


def edges_of(path: str | Path, text: str) -> Edges:
    """Edges from the text of a mesh, see `read_mesh`."""
    counts, end = _counts(path, text)
    words = _Words(path, text[end:], text.count("\n", 0, end) + 1)
    corner = [words.number(index) for index in range(min(3, len(words.tokens)))]
    if len(corner) < 3:
        fail(path, "the corner of the mesh (E0 N0 Z0 on line 2) is missing, the file may be truncated.")
    if max(map(abs, corner)) > WIDE:
        fail(path, f"the corner {corner} lies more than {WIDE:g} m from the origin, line 2 may be damaged.")
    east, north, down = np.split(_widths(words, sum(counts)), np.cumsum(counts)[:2])
    x, y = (
        start + np.concatenate([[0.0], np.cumsum(w)]) for start, w in zip(corner, (east, north), strict=False)
    )
    z = corner[2] - np.concatenate([[0.0], np.cumsum(down)])
    edges = z[::-1], y, x
    if any(np.any(np.diff(line) <= 0) for line in edges):
        fail(path, f"some cells are too thin beside the coordinates of the corner {corner} to be told apart.")
    return edges


class _Words:
    """Tokens of a mesh, ``a * b`` joined, with their lines."""

    def __init__(self, path: str | Path, text: str, line: int) -> None:
        self.path = path
        self.tokens: list[str] = []
        self.lines: list[int] = []
        for row in each_row(text):
            for word in row.words:
                last = self.tokens[-1] if self.tokens else ""
                if last and (word[0] == "*" or last[-1] == "*") and len(last) < 40:
                    self.tokens[-1] += word
                else:
                    self.tokens.append(word)
                    self.lines.append(line + row.line - 1)

    def fail(self, reason: str, index: int) -> NoReturn:
        fail(self.path, reason, self.lines[index])

    def number(self, index: int, token: str | None = None) -> float:
        token = self.tokens[index] if token is None else token
        try:
            value = to_number(token)
        except ValueError:
            value = np.nan
        if not np.isfinite(value):
            self.fail(f"{token[:40]!r} is not a number, a mesh holds counts, a corner and widths.", index)
        return value


def _counts(path: str | Path, text: str) -> tuple[list[int], int]:
    """Cells to the east, north and down, and where line 1 ends."""
    kind = mesh_kind(text)
    if kind == "section":
        fail(path, "this is a 2D UBC mesh (one count on line 1). Read it with io.ubc.read_section.")
    if kind == "octree":
        fail(path, "this is an OcTree mesh. Read it with io.ubc.read_octree.")
    first = rows(text, 1)
    words = first[0].words if first else []
    counts = [count for word in words[:3] if (count := to_count(word)) is not None]
    if len(counts) < 3:
        fail(path, f"line 1 ({' '.join(words)[:40]!r}) should hold three counts nE nN nZ of a UBC mesh.")
    if min(counts) < 1 or max(counts) > MANY:
        fail(
            path, f"a mesh of {counts} cells (E, N, Z) is not possible. Line 1 may be damaged.", first[0].line
        )
    return counts, first[0].end


def _widths(words: _Words, total: int) -> FloatArray:
    """Widths with their repeats, counted before anything is expanded."""
    repeats, sizes = [], []
    for index, token in enumerate(words.tokens[3:], 3):
        times, star, size = token.rpartition("*")
        count = to_count(times) if star else 1
        if count is None:
            words.fail(f"{token[:40]!r} is not a repeat such as '60*20' (60 cells of 20 m).", index)
        repeats.append(count)
        sizes.append(words.number(index, size))
        if not 0 < sizes[-1] < WIDE:
            words.fail(f"a cell is {sizes[-1]:g} m wide, widths must be above 0 and below {WIDE:g}.", index)
    if sum(repeats) != total:
        fail(
            words.path,
            f"there are {sum(repeats)} widths and the counts on line 1 make {total}. "
            "The mesh may be truncated.",
        )
    return np.repeat(np.array(sizes), repeats)


def read_model(
    mesh_path: str | Path,
    models: Mapping[str, str | Path],
    *,
    units: Mapping[str, str] | None = None,
    missing: Sequence[float] | None = None,
) -> PropertyModel:
    """Read models on one tensor mesh.

    Parameters
    ----------
    mesh_path : str or Path
        Mesh file, see `read_mesh`.
    models : mapping of str to path
        A name for the values and their file: one value per cell, from the top down, then to the east, then
        to the north. A file of three columns is a vector model (components to the east, north and *down*);
        it makes ``<name>_x``, ``<name>_y`` and ``<name>_z``, the last one upwards. Amplitudes, projections
        and active cells (-1, 0, 1) are values like any other.
    units : mapping of str to str, optional
        Units of the values, such as ``{"density": "g/cm3"}``. The files do not say.
    missing : sequence of float, optional
        Values that stand for air or inactive cells, such as ``(-100, 1e-8)``; they become NaN, as ``nan``
        does in any case. Without it, air is recognised: -99999 and -1e30 wherever they are, and each of
        -100, 1e-8, -1e-8 and 1e-10 if all its cells lie on top of their columns, it is the same number in
        all of them, and every other value is at least ten times farther from it (within ±10 for -100, 0 or
        ten times larger for the small ones). Else it is kept. Notes say what was done. ``()`` keeps all.

    Returns
    -------
    PropertyModel
        Values ``(z, y, x)``, index 0 lowest, southernmost, westernmost.

    Raises
    ------
    FormatError
        If the number of values is not the number of cells.

    References
    ----------
    The manuals of GRAV3D, MAG3D and MVI of the UBC Geophysical Inversion Facility.
    """
    text = content(mesh_path)
    z, y, x = edges = edges_of(mesh_path, text)
    nz, ny, nx = (len(line) - 1 for line in edges)

    def shaped(column: FloatArray) -> FloatArray:
        # z fastest and from the top, then east, then north
        return np.ascontiguousarray(column.reshape(ny, nx, nz).transpose(2, 0, 1)[::-1])

    found = Models(nz * ny * nx, f"{nx} × {ny} × {nz}, E, N, Z", shaped, Missing(missing, on_top))
    found.read(models)
    return PropertyModel(
        stem_of(mesh_path), edges, found.values, kind="UBC tensor mesh", units=dict(units or {}),
        notes=tuple(found.notes), layout=LAYOUT,
        first_centre=(float(x[:2].mean()), float(y[:2].mean()), float(z[-2:].mean())),
    )  # fmt: skip


def on_top(air: Mask, rock: Mask) -> bool:
    """Whether no cell of ``air`` lies below one of ``rock`` in its column; masks are ``(z, y, x)``."""
    nz = len(air)
    lowest_air = np.where(air.any(axis=0), air.argmax(axis=0), nz)
    highest_rock = np.where(rock.any(axis=0), nz - 1 - rock[::-1].argmax(axis=0), -1)
    return bool(np.all(lowest_air > highest_rock))


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
        If edges do not ascend, are not finite, or a cell is thinner than a micrometre.
    """
    for axis, line in zip("zyx", edges, strict=True):
        if len(line) < 2 or not np.all(np.diff(line) > 0) or not np.all(np.isfinite(line)):
            raise ValueError(f"the edges along {axis} must ascend and be at least two.")
        if np.diff(line).min() < 1e-6:
            raise ValueError(
                f"a cell along {axis} is {np.diff(line).min():g} m wide, at least 1e-6 is needed."
            )
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
