"""Drilled intervals in the cells of a grid: the length of hole in each, the mean grade over it, and ore."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mpm3d.geometry import Lines
from mpm3d.grid import FloatArray, Grid
from mpm3d.wells import Intervals, Well

# drilled cells that count at most for a cell without a hole
_NEAREST = 16
# longest straight piece of a hole, in metres and as a share of the smallest side of a cell
_STEP, _SHARE = 5.0, 0.25


@dataclass(frozen=True, eq=False)
class Drilled:
    """Cells that holes pass through, and what was measured in them.

    Parameters
    ----------
    cells : array of shape (n, 3)
        Counts along z, y, x, ascending, each once.
    mean : array of shape (n,)
        Mean of the values, weighted by the length of hole in the cell that has one.
    length : array of shape (n,)
        That length, in metres.
    notes : tuple of str
        What was left out.
    """

    cells: NDArray[np.int64]
    mean: FloatArray
    length: FloatArray
    notes: tuple[str, ...] = ()

    def at_least(self, cutoff: float) -> NDArray[np.int64]:
        """Cells ``(m, 3)`` whose mean is `cutoff` or more."""
        return self.cells[self.mean >= cutoff]


class _Pieces(NamedTuple):
    """Straight pieces of holes: ends ``(n, 3)``, measured length and value ``(n,)``."""

    start: FloatArray
    stop: FloatArray
    length: FloatArray
    value: FloatArray


def drilled(wells: Sequence[Well], column: str, grid: Grid) -> Drilled:
    """Put the intervals of drillholes into cells: the mean of each weighted by the length of hole in it.

    Holes are cut where they leave a cell. Between survey stations they are arcs, of which pieces of 5 m (a
    quarter of the smallest side of a cell, if that is less) are taken as straight: exact for straight holes,
    off by less than 4 cm sideways for one that turns 30° in 50 m. Lengths are measured depths and add up to
    those of the intervals.

    Parameters
    ----------
    wells : sequence of Well
        As `io.drillholes.read_drillholes` gives them, with tables of intervals.
    column : str
        Column of numbers, in any of the tables. Intervals whose value is missing count neither as length
        nor as 0; where intervals overlap, each counts.
    grid : Grid
        The cells; what lies outside is left out.

    Returns
    -------
    Drilled
        No cell if no interval lies in the grid.

    Raises
    ------
    ValueError
        If no table has such a column, or it holds text.

    Examples
    --------
    A hole straight down along 100 m, 1 g/t in the upper 30 m and 5 g/t below, in cells of 50 m:

    >>> table = Intervals(np.array([0.0, 30]), np.array([30.0, 100]), {"au": np.array([1.0, 5])})
    >>> path = np.array([[25.0, 25, 0], [25, 25, -100]])
    >>> hole = Well("DH1", path[0], np.array([0.0, 100]), path, intervals={"assay": table})
    >>> found = drilled([hole], "au", Grid.from_bounds((0, 0, -100, 50, 50, 0), 50, "EPSG:32651"))
    >>> found.cells.tolist(), found.mean.tolist(), found.length.tolist()
    ([[0, 0, 0], [1, 0, 0]], [5.0, 2.6], [50.0, 50.0])
    """
    check_column(wells, column)
    step = min(_STEP, _SHARE * min(grid.spacing))
    notes: list[str] = []
    pieces = [_pieces(well, rows, rows.values[column], step, notes) for well, rows in _tables(wells, column)]
    cell, length, value = _cut(_joined(pieces), grid)
    flat, place = np.unique(cell, return_inverse=True)
    total = np.bincount(place, weights=length, minlength=len(flat)).astype(float)
    mean = np.bincount(place, weights=length * value, minlength=len(flat)) / np.where(total > 0, total, 1)
    cells = np.column_stack(np.unravel_index(flat, grid.shape)).astype(np.int64)
    return Drilled(cells, mean, total, tuple(notes))


def check_column(wells: Sequence[Well], column: str) -> None:
    """Refuse a column that no table of intervals has, or that holds text.

    Raises
    ------
    ValueError
        With the columns that there are.
    """
    numbers = {name for _, rows in _all_tables(wells) for name, v in rows.values.items() if _is_number(v)}
    if column in numbers:
        return
    texts = {name for _, rows in _all_tables(wells) for name in rows.values} - numbers
    why = " (it holds text)" if column in texts else ""
    there = ", ".join(sorted(map(repr, numbers))) or "none"
    raise ValueError(
        f"the tables of intervals have no column of numbers {column!r}{why}, they have {there}. Name one of "
        "them."
    )


def ore(wells: Sequence[Well], column: str, cutoff: float) -> Lines:
    """Intervals at or above a cutoff as straight segments, to be drawn.

    Parameters
    ----------
    wells, column
        As in `drilled`.
    cutoff : float
        In the units of the column.
    """
    ends: list[FloatArray] = [np.empty((0, 3))]
    for well, rows in _tables(wells, column):
        rich = rows.values[column] >= cutoff
        found = well.position(np.column_stack([rows.start[rich], rows.stop[rich]]).ravel()).reshape(-1, 6)
        ends.append(found[~np.isnan(found).any(axis=1)].reshape(-1, 3))
    vertices = np.concatenate(ends)
    segments = np.arange(len(vertices), dtype=np.int64).reshape(-1, 2)
    return Lines(f"{column} >= {cutoff:g}", vertices, segments, np.arange(len(segments)))


def fill(found: Drilled, grid: Grid, part: Grid, *, radius: float = 0.0) -> NDArray[np.float32]:
    """Values of drilled cells in a part of the grid, and around them where asked for.

    Parameters
    ----------
    found : Drilled
        In the cells of the whole grid.
    grid, part : Grid
        The whole, and a window of it.
    radius : float
        Cells without a hole get the mean of drilled cells whose centres are at most so many metres away,
        the 16 nearest at most, weighted by length of hole over squared distance; none with 0.

    Returns
    -------
    array of shape (z, y, x)
        NaN where there is no hole, nor one within the radius.

    Raises
    ------
    ValueError
        If the radius is negative.
    """
    if not radius >= 0:
        raise ValueError(f"a radius of {radius:g} m is not possible, it must be 0 or more.")
    values = np.full(part.shape, np.nan, dtype=np.float32)
    if not len(found.cells):
        return values
    centres = grid.xyz_of(found.cells)
    if radius:
        values = _spread(centres, found, part.points(), radius).reshape(part.shape).astype(np.float32)
    cells = part.index_of(centres)
    here = cells[:, 0] >= 0
    values[tuple(cells[here].T)] = found.mean[here]
    return values


def _spread(centres: FloatArray, found: Drilled, points: FloatArray, radius: float) -> FloatArray:
    origin = centres.mean(axis=0)
    # a lattice has neighbours at exactly the radius, which belong to it
    far, which = cKDTree(centres - origin).query(
        points - origin, k=min(_NEAREST, len(centres)), distance_upper_bound=radius * (1 + 1e-9) + 1e-6
    )
    far, which = far.reshape(len(points), -1), which.reshape(len(points), -1)
    near = np.isfinite(far)
    which = np.where(near, which, 0)
    weight = np.where(near, found.length[which] / np.maximum(far, 1e-6) ** 2, 0.0)
    total = weight.sum(axis=1)
    mean = (weight * found.mean[which]).sum(axis=1) / np.where(total > 0, total, 1)
    return np.where(total > 0, mean, np.nan)


def _is_number(values: NDArray[np.generic]) -> bool:
    return values.dtype.kind in "fiub"


def _all_tables(wells: Sequence[Well]) -> Iterator[tuple[Well, Intervals]]:
    return ((well, rows) for well in wells for rows in well.intervals.values())


def _tables(wells: Sequence[Well], column: str) -> Iterator[tuple[Well, Intervals]]:
    """Tables that have the column, with their holes."""
    for well, rows in _all_tables(wells):
        if column in rows.values and _is_number(rows.values[column]):
            yield well, rows


def _pieces(
    well: Well, rows: Intervals, values: NDArray[np.generic], step: float, notes: list[str]
) -> _Pieces:
    """Short straight pieces of the intervals that have a value and lie on the hole."""
    value = np.asarray(values, dtype=float)
    ends = (float(well.depth[0]), float(well.depth[-1])) if len(well.depth) else (0.0, 0.0)
    first, last = np.minimum(rows.start, rows.stop), np.maximum(rows.start, rows.stop)
    start, stop = np.clip(first, *ends), np.clip(last, *ends)
    cut = ((stop - start) < (last - first) - 1e-6) & np.isfinite(value)
    if cut.any():
        notes.append(
            f"{well.name}: {int(cut.sum())} intervals go beyond the hole at {ends[1]:g} m and were cut there."
        )
    use = np.isfinite(value) & (stop > start)
    start, stop, value = start[use], stop[use], value[use]
    knots = np.unique(np.concatenate([start, stop, well.depth, np.arange(*ends, step)]))
    low, high = np.searchsorted(knots, start), np.searchsorted(knots, stop)
    count = high - low
    row = np.repeat(np.arange(len(count)), count)
    upper = low[row] + np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    places = well.position(knots)
    return _Pieces(places[upper], places[upper + 1], knots[upper + 1] - knots[upper], value[row])


def _joined(pieces: Sequence[_Pieces]) -> _Pieces:
    none = _Pieces(np.empty((0, 3)), np.empty((0, 3)), np.empty(0), np.empty(0))
    return _Pieces(*(np.concatenate(parts) for parts in zip(none, *pieces, strict=True)))


def _cut(pieces: _Pieces, grid: Grid) -> tuple[NDArray[np.int64], FloatArray, FloatArray]:
    """Cut pieces at the faces of cells; flat cell, length and value of each part in the grid."""
    corner, spacing = np.asarray(grid.corner)[::-1], np.asarray(grid.spacing)[::-1]
    a, b = (pieces.start - corner) / spacing, (pieces.stop - corner) / spacing
    # a piece is shorter than a cell, so it crosses one face of each axis at most
    face = np.floor(np.maximum(a, b))
    crosses = (np.minimum(a, b) < face) & (a != b)
    at = np.where(crosses, (face - a) / np.where(crosses, b - a, 1.0), 1.0)
    ends = np.concatenate([np.zeros((len(a), 1)), np.sort(at, axis=1), np.ones((len(a), 1))], axis=1)
    share, middle = np.diff(ends, axis=1), (ends[:, 1:] + ends[:, :-1]) / 2  # (piece, 4)
    xyz = pieces.start[:, None] + middle[:, :, None] * (pieces.stop - pieces.start)[:, None]
    index = grid.index_of(xyz.reshape(-1, 3))
    length = (share * pieces.length[:, None]).ravel()
    use = (length > 0) & (index[:, 0] >= 0)
    flat = np.ravel_multi_index(tuple(index[use].T), grid.shape).astype(np.int64)
    return flat, length[use], np.repeat(pieces.value, 4)[use]
