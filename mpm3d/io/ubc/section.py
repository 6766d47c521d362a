"""UBC meshes and models in two dimensions, as DCIP2D and its like use them: sections along a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.grid import FloatArray
from mpm3d.io.files import stem_of
from mpm3d.io.rows import content, fail, numbers
from mpm3d.io.ubc.air import Missing
from mpm3d.io.ubc.kinds import MANY, WIDE, mesh_kind
from mpm3d.io.ubc.tensor import on_top
from mpm3d.io.ubc.values import Models
from mpm3d.lattice import Frame, PropertyModel

Line = tuple[tuple[float, float], tuple[float, float]]
LAYOUT = (
    "One value for each cell, along the line fastest, then downwards, from the top of the line's beginning."
)


@dataclass(frozen=True)
class Place:
    """Where a section lies in the world, which its files do not say.

    Parameters
    ----------
    line : pair of (x, y), optional
        Where distance 0 of the section is, and a point in the direction in which distances grow, in metres.
        Without it distances stay as they are, along x.
    top : float
        Elevation of depth 0, in metres.
    thickness : float, optional
        Width of the one cell across the line, half of it on each side; by default that of the narrowest cell
        along the line.

    Raises
    ------
    ValueError
        If the two points are one, or the thickness is not positive.
    """

    line: Line | None = None
    top: float = 0.0
    thickness: float | None = None

    def __post_init__(self) -> None:
        if self.line is not None and not np.hypot(*np.subtract(*self.line[::-1])) > 0:
            raise ValueError(f"the line {self.line} has no direction, give two different points (x, y).")
        if self.thickness is not None and not 0 < self.thickness < WIDE:
            raise ValueError(f"thickness={self.thickness} m is not possible, it must be above 0.")
        if not np.isfinite(self.top):
            raise ValueError(f"top={self.top} is not an elevation.")

    @property
    def frame(self) -> Frame | None:
        """Axes along the line, across it to the left, and up; None without a line."""
        if self.line is None:
            return None
        start, towards = np.array(self.line, dtype=float)
        dx, dy = (towards - start) / np.hypot(*(towards - start))
        return Frame(np.array([*start, 0.0]), np.array([[dx, dy, 0.0], [-dy, dx, 0], [0, 0, 1]]))


def read_section(
    mesh_path: str | Path,
    models: Mapping[str, str | Path] | None = None,
    *,
    place: Place | None = None,
    units: Mapping[str, str] | None = None,
    missing: Sequence[float] | None = None,
) -> PropertyModel:
    """Read a 2D mesh and models on it as a section of one cell across.

    Parameters
    ----------
    mesh_path : str or Path
        2D mesh: number of horizontal segments, then ``x0 x1 n`` and ``x n`` for each further one (ends of
        segments and their cells); then the same for depths, which are positive downwards.
    models : mapping of str to path, optional
        A name for the values and their file: the counts ``nx nz``, then values along the line fastest, from
        the top. A file without the counts is read too.
    place : Place, optional
        Where the section lies. Without it x is the distance along the line, y is 0 and depth 0 is elevation
        0, and a note says so.
    units, missing
        As in `read_model`. One value a million times below every other on top of the columns is recognised
        as air too: DCIP2D writes 1e-8 times the conductivity below.

    Returns
    -------
    PropertyModel
        Values ``(z, 1, x)``, index 0 lowest and at the beginning of the line.

    Raises
    ------
    FormatError
        If it is not a 2D mesh, is truncated, does not ascend, or a model has other cells.

    References
    ----------
    The manual of DCIP2D of the UBC Geophysical Inversion Facility.
    """
    place = place or Place()
    x, depth = _lines(mesh_path, content(mesh_path))
    z = place.top - depth[::-1]
    half = (place.thickness or float(np.diff(x).min())) / 2
    y = np.array([-half, half])
    nz, nx = len(z) - 1, len(x) - 1

    def shaped(column: FloatArray) -> FloatArray:
        return np.ascontiguousarray(column.reshape(nz, 1, nx)[::-1])

    found = Models(nx * nz, f"{nx} × {nz}, along and down", shaped, Missing(missing, on_top, faint=True))
    for name, path in (models or {}).items():
        found.add(name, _values(path, nx, nz)[:, None])
    frame = place.frame
    centre = np.array([x[:2].mean(), 0.0, z[-2:].mean()])
    first = centre if frame is None else frame.to_world(centre[None])[0]
    return PropertyModel(
        stem_of(mesh_path), (z, y, x), found.values, kind="UBC 2D mesh", units=dict(units or {}), frame=frame,
        z_positive="Depth", notes=(*_placed(place, 2 * half), *found.notes), layout=LAYOUT,
        first_centre=(float(first[0]), float(first[1]), float(first[2])),
    )  # fmt: skip


def _placed(place: Place, thick: float) -> list[str]:
    notes = [
        f"Depths are positive downwards in the file; depth 0 is elevation {place.top:g} m.",
        f"The section is given a thickness of {thick:g} m, half of it on each side of the line.",
    ]
    if place.line is None:
        return [*notes, "The section is not placed: x is the distance along the line and y is 0."]
    (x, y), towards = place.line
    return [*notes, f"Distance 0 of the section is at ({x:g}, {y:g}) and grows towards {tuple(towards)}."]


def _lines(path: str | Path, text: str) -> tuple[FloatArray, FloatArray]:
    """Ends of the cells along the line and of their depths."""
    if mesh_kind(text) in ("tensor", "octree"):
        fail(path, "this is a 3D UBC mesh (three counts on line 1). Read it with io.ubc.read_model.")
    words = numbers(path, text)
    x, used = _line(path, words, "horizontal")
    depth, more = _line(path, words[used:], "vertical")
    if used + more != len(words):
        fail(path, f"{len(words) - used - more} numbers follow the mesh, which should end there.")
    return x, depth


def _line(path: str | Path, words: FloatArray, which: str) -> tuple[FloatArray, int]:
    """Ends of cells of one direction, and how many numbers describe them."""
    segments = words[0] if len(words) else np.nan
    if not (1 <= segments <= MANY and segments == int(segments)):
        fail(path, f"the number of {which} segments is {segments:g}, a 2D UBC mesh has 1 to {MANY}.")
    used = 2 + 2 * int(segments)
    if len(words) < used:
        fail(path, f"the mesh ends within its {int(segments)} {which} segments, it may be truncated.")
    ends = np.concatenate([words[1:2], words[2:used:2]])
    cells = words[3:used:2]
    if not np.all(np.isfinite(ends)) or not np.all(np.diff(ends) > 0) or np.abs(ends).max() > WIDE:
        fail(path, f"the ends of the {which} segments must increase and be below {WIDE:g} m: {_few(ends)}.")
    if not np.all((cells >= 1) & (cells == np.floor(cells))) or cells.sum() > MANY:
        fail(path, f"the {which} segments have {_few(cells)} cells, whole numbers up to {MANY} are expected.")
    parts = [
        np.linspace(low, high, int(n) + 1)[1:] for low, high, n in zip(ends, ends[1:], cells, strict=False)
    ]
    line = np.concatenate([ends[:1], *parts])
    if not np.all(np.diff(line) > 0):
        fail(path, f"cells of the {which} segments are too thin beside their coordinates to be told apart.")
    return line, used


def _few(values: FloatArray) -> str:
    return ", ".join(f"{value:g}" for value in values[:6]) + (", ..." if len(values) > 6 else "")


def _values(path: str | Path, nx: int, nz: int) -> FloatArray:
    values = numbers(path, content(path))
    if len(values) == nx * nz + 2 and (values[0], values[1]) == (nx, nz):
        return values[2:]
    if len(values) == nx * nz:
        return values
    raise FormatError(
        path,
        f"there are {len(values)} numbers; the counts {nx} {nz} (along, down) and their {nx * nz} values are "
        "expected. The model may be truncated or belong to another mesh.",
    )
