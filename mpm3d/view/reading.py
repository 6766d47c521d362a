"""What is stored of a cell, and which cell a ray meets first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpm3d.geometry import Bounds
from mpm3d.grid import Float3, FloatArray, Grid, Index3
from mpm3d.view.camera import readable
from mpm3d.view.scene import Scene

NO_DATA = "no data"
_LARGEST = 4_000_000  # cells of a box in which the body around a cell is looked for


class Reading(NamedTuple):
    """What is stored of one cell.

    Parameters
    ----------
    cell : tuple of int
        Counts along z, y and x.
    xyz : tuple of float
        True coordinates of its centre, in metres.
    values : tuple of (str, str)
        Name and number with its unit: score, what accompanies it, then every layer of evidence; ``"no data"``
        where there is none. On a map, roles and names of the deposits there come first.
    numbers : dict of str to float
        The same as numbers, as they are stored; NaN where there is none.
    target : str
        Id of the target that holds the cell, empty if none does.
    flat : bool
        Whether it is a cell of a map, which has no elevation.
    """

    cell: Index3
    xyz: Float3
    values: tuple[tuple[str, str], ...]
    numbers: dict[str, float]
    target: str
    flat: bool = False

    @property
    def places(self) -> tuple[tuple[str, float], ...]:
        """Names and numbers of its coordinates."""
        places = zip(("Easting", "Northing", "Elevation"), self.xyz, strict=True)
        return tuple(places)[: 2 if self.flat else 3]

    @property
    def text(self) -> str:
        """Place and numbers, one line each."""
        place = ", ".join(readable(round(v, 2)) for _, v in self.places)
        lines = [f"{place} m"] + ([f"in target {self.target}"] if self.target else [])
        return "\n".join(lines + [f"{name}: {text}" for name, text in self.values])


def read_cell(scene: Scene, cell: tuple[int, int, int]) -> Reading:
    """Read everything that a scene has of a cell, from the arrays themselves.

    Parameters
    ----------
    scene : Scene
        The scene.
    cell : tuple of int
        Counts along z, y and x.

    Raises
    ------
    ValueError
        If the cell is not one of the grid's.
    """
    index = _inside(scene.grid, cell)
    numbers = {scene.score_name: float(scene.values[index])}
    units = {scene.score_name: scene.units}
    for name, values in [*scene.companions.items(), *scene.evidence.items()]:
        key = name if name not in numbers else f"{name} (layer)"
        numbers[key] = _number(values, index)
        units[key] = scene.units_of.get(name, "")
    x, y, z = (float(v) for v in scene.grid.xyz_of([index])[0])
    said = tuple((name, _said(number, units[name])) for name, number in numbers.items())
    if scene.flat:
        said = (*_deposits_at(scene, index), *said)
    return Reading(index, (x, y, z), said, numbers, target_of(scene, index), scene.flat)


def _deposits_at(scene: Scene, index: Index3) -> tuple[tuple[str, str], ...]:
    """Roles and names of the deposits that hold a cell; names are not written on a map."""
    return tuple(
        (role, name)
        for role, deposits in scene.cells.items()
        for name, cells in deposits.items()
        if np.all(np.asarray(cells) == index, axis=1).any()
    )


def target_of(scene: Scene, index: Index3) -> str:
    """Id of the target that holds a cell, empty if none does or it cannot be told.

    A target is a body of touching cells at or above the scene's first threshold, and its box is known: the
    body around the cell is one if it fits its box exactly. Parts that were cut from a zone do not tell.
    """
    if not scene.values[index] >= np.float32(scene.threshold):
        return ""
    boxes = [(_cells_in(scene.grid, target.bounds), target.id) for target in scene.targets]
    inside = [
        (box, name)
        for box, name in boxes
        if all(cut.start <= n < cut.stop for cut, n in zip(box, index, strict=True))
    ]
    for box, name in sorted(inside, key=lambda found: _size(found[0])):
        if _size(box) <= _LARGEST and _fits(scene, box, index):
            return name
    return ""


def _cells_in(grid: Grid, bounds: Bounds) -> tuple[slice, ...]:
    """Cells whose centres lie in a box of true coordinates, along z, y and x."""
    ends = np.reshape(bounds, (2, 3))[:, ::-1]
    low, high = np.clip(np.round((ends - grid.corner) / grid.spacing), 0, grid.shape).astype(int)
    if grid.is_map:  # whatever elevations the box has
        low[0], high[0] = 0, 1
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))


def _size(box: tuple[slice, ...]) -> int:
    return int(np.prod([cut.stop - cut.start for cut in box]))


def _fits(scene: Scene, box: tuple[slice, ...], index: Index3) -> bool:
    """Whether the body around a cell reaches to all six sides of a box, within it."""
    import cc3d

    kept = scene.values[box] >= np.float32(scene.threshold)
    bodies = cc3d.connected_components(kept.astype(np.uint8))
    body = bodies == bodies[tuple(n - cut.start for n, cut in zip(index, box, strict=True))]
    ends = [body.any(axis=tuple(k for k in range(3) if k != axis)) for axis in range(3)]
    return all(bool(end[0] and end[-1]) for end in ends)


def _inside(grid: Grid, cell: tuple[int, int, int]) -> Index3:
    z, y, x = (int(n) for n in cell)
    if not all(0 <= n < size for n, size in zip((z, y, x), grid.shape, strict=True)):
        raise ValueError(f"cell {(z, y, x)} is outside the grid of {grid.shape} cells (z, y, x).")
    return z, y, x


def _number(values: Any, index: Index3) -> float:
    """One value of an array, or of what reads like one; nothing else of it is read."""
    return float(np.asarray(values[index]).reshape(()))


def _said(number: float, unit: str) -> str:
    if not np.isfinite(number):
        return NO_DATA
    return f"{number:.5g} {unit}".strip()


Line = tuple[FloatArray, FloatArray]


def cells_along(
    start: FloatArray, direction: FloatArray, shape: Index3
) -> tuple[NDArray[np.int64], FloatArray]:
    """Cells that a line goes through, in order, and where it enters each of them.

    Parameters
    ----------
    start, direction : array of shape (3,)
        The line ``start + t * direction`` in cells along z, y and x; cell ``k`` reaches from ``k`` to
        ``k + 1``.
    shape : tuple of int
        Cells of the grid.

    Returns
    -------
    cells : array of shape (n, 3)
    places : array of shape (n,)
        ``t`` at which the line enters the cell.
    """
    moving = np.abs(direction) > 1e-12
    still = ~moving
    size = np.asarray(shape)
    if np.any((start[still] < 0) | (start[still] >= size[still])):
        return np.empty((0, 3), dtype=np.int64), np.empty(0)
    ends = np.stack([-start[moving], size[moving] - start[moving]]) / direction[moving]
    first, last = ends.min(axis=0).max(), ends.max(axis=0).min()
    if not first < last:
        return np.empty((0, 3), dtype=np.int64), np.empty(0)
    sides = [(np.arange(n + 1) - start[k]) / direction[k] for k, n in enumerate(shape) if moving[k]]
    crossed = np.unique(np.concatenate(sides))
    crossed = crossed[(crossed >= first) & (crossed <= last)]
    middle = (crossed[1:] + crossed[:-1]) / 2
    cells = np.floor(start + middle[:, None] * direction).astype(np.int64)
    return np.clip(cells, 0, size - 1), crossed[:-1]


def first_cell(
    start: FloatArray,
    direction: FloatArray,
    shape: Index3,
    drawn: Callable[[NDArray[np.int64]], NDArray[np.bool_]],
    slices: Mapping[int, tuple[int, Callable[[NDArray[np.int64]], NDArray[np.bool_]]]],
) -> Index3 | None:
    """First cell that a line meets: one that is drawn, or one of a slice through the centres of cells.

    Parameters
    ----------
    start, direction, shape
        As in `cells_along`.
    drawn : function of cells (n, 3) to bool (n,)
        Whether a cell belongs to the drawn body.
    slices : mapping of axis to (index, function of cells (n, 3) to bool (n,))
        Slices across an axis (0 is z) and which of their cells are drawn.
    """
    found: list[tuple[float, Index3]] = []
    cells, places = cells_along(start, direction, shape)
    met = np.flatnonzero(drawn(cells)) if len(cells) else np.empty(0, dtype=np.int64)
    if len(met):
        found.append((float(places[met[0]]), _index(cells[met[0]])))
    for axis, (index, seen) in slices.items():
        if abs(direction[axis]) < 1e-12:
            continue
        place = (index + 0.5 - start[axis]) / direction[axis]
        cell = np.floor(start + place * direction).astype(np.int64)
        cell[axis] = index
        if np.all((cell >= 0) & (cell < shape)) and bool(seen(cell[None])[0]):
            found.append((float(place), _index(cell)))
    return min(found)[1] if found else None


def _index(cell: NDArray[np.int64]) -> Index3:
    z, y, x = (int(n) for n in cell)
    return z, y, x
