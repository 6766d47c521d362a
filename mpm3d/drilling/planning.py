"""The hole that cuts the best cells of a target."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mpm3d.drilling.ground import Ground
from mpm3d.drilling.hole import Hole, NoHole
from mpm3d.drilling.limits import Limits
from mpm3d.drilling.site import Holes, Numbers, Site
from mpm3d.drilling.traverse import pieces
from mpm3d.drilling.why import why_not
from mpm3d.grid import FloatArray, Grid

_BATCH = 2_000_000  # crossings of cells by all holes that are made at a time, about
_TRIED = 2000  # cells of a target that are aimed at before it counts as out of reach


def plan(
    cells: ArrayLike,
    scores: ArrayLike,
    grid: Grid,
    ground: ArrayLike,
    limits: Limits,
    licence: Any = None,
    *,
    target: str = "T01",
) -> Hole | NoHole:
    """Propose the hole that cuts the best cells of a target.

    Holes are straight and start at the ground. They are aimed at the centres of the best cells that an
    allowed hole reaches, in all directions of `Limits`, and go on to where they leave the last cell of the
    target that lies ahead within the length. Of all these, the hole with the greatest sum of score times
    metres over the cells that it cuts is taken; of equal ones (in nine digits) the shorter, then the
    steeper, then the one that is aimed at the better cell. Negative scores are counted from the lowest.

    Parameters
    ----------
    cells : array of shape (n, 3)
        Cells of the target, counts along z, y, x.
    scores : array of shape (n,)
        Their scores; cells without one (NaN) are neither aimed at nor counted.
    grid : Grid
        The cells of the volume. Collars lie inside its map.
    ground : array of shape (y, x)
        Elevation of the ground at the centres of its columns, in metres, bilinear between them; NaN where it
        is not known, and no hole starts there or runs below.
    limits : Limits
        What is allowed.
    licence : shapely Polygon or MultiPolygon, optional
        Where collars may be; anywhere if there is none.
    target : str
        Its id.

    Returns
    -------
    Hole or NoHole
        ``"D01"`` for the target ``"T01"``, or why there is none.

    Notes
    -----
    Of a target of more than 2000 cells that nothing reaches, the 400 best and every n-th of the others
    were tried.

    Raises
    ------
    ValueError
        If cells lie outside the grid, scores do not fit them, or the ground does not fit the grid.

    Examples
    --------
    A cell 100 to 120 m below flat ground. A hole that leans is in it for longer than a vertical one:

    >>> grid = Grid((10, 20, 20), (20, 20, 20), (-200, 0, 0), "EPSG:32651")
    >>> hole = plan([[4, 10, 10]], [0.9], grid, np.zeros((20, 20)), Limits(dip=(80, 90), length=150))
    >>> hole.id, hole.collar, hole.dip, hole.length, hole.cells_cut
    ('D01', (210.0, 190.6, 0.0), 80.0, 121.9, 1)
    """
    found = _Target.of(cells, scores, grid, target)
    site = Site(grid, Ground(np.asarray(ground, dtype=float), grid), limits, licence)
    best: tuple[FloatArray, Hole] | None = None
    left = limits.aims
    candidates, step = found.aims(site), _aims_at_a_time(site)
    for start in range(0, len(candidates), step):
        aims = candidates[start : start + step]
        tried = site.holes(grid.xyz_of(found.cells[aims]))
        reached = np.unique(tried.aim)[:left]
        tried = tried.take(tried.aim <= (reached[-1] if len(reached) else -1))
        left -= len(reached)
        one = _best(found, site, tried, start)
        if one is not None and (best is None or tuple(one[0]) < tuple(best[0])):
            best = one
        if left <= 0:
            break
    if best is not None:
        return best[1]
    return NoHole(why_not(site, grid.xyz_of(found.cells[found.order])), target)


@dataclass(frozen=True, eq=False)
class _Target:
    """Cells with a score, and what each is worth."""

    name: str
    cells: Numbers
    flat: Numbers  # ascending
    score: FloatArray

    @classmethod
    def of(cls, cells: ArrayLike, scores: ArrayLike, grid: Grid, name: str) -> _Target:
        index = np.asarray(cells, dtype=np.int64).reshape(-1, 3)
        score = np.asarray(scores, dtype=float).reshape(-1)
        if len(score) != len(index):
            raise ValueError(f"{name} has {len(index)} cells and {len(score)} scores. Give one for each.")
        if len(index) and (index.min() < 0 or np.any(index >= grid.shape)):
            raise ValueError(f"{name} has cells outside the {grid.shape} cells (z, y, x) of the grid.")
        known = np.isfinite(score)
        index, score = index[known], score[known]
        flat = np.ravel_multi_index(tuple(index.T), grid.shape).astype(np.int64)
        order = np.argsort(flat)
        return cls(name, index[order], flat[order], score[order])

    @property
    def order(self) -> Numbers:
        """Rows by falling score, ties in the order of the volume."""
        return np.argsort(-self.score, kind="stable").astype(np.int64)

    @cached_property
    def worth(self) -> FloatArray:
        """Score of each cell, from the lowest where that is negative."""
        return np.asarray(self.score - min(0.0, self.score.min(initial=0.0)))

    def aims(self, site: Site) -> Numbers:
        """Rows of the cells to aim at, the best first; every n-th only of very many."""
        order = self.order
        order = order[site.may_reach(site.grid.xyz_of(self.cells[order]))]
        sure = _TRIED // 5
        step = max(1, math.ceil((len(order) - sure) / (_TRIED - sure)))
        return np.concatenate([order[:sure], order[sure::step]])

    def rows(self, flat: Numbers) -> Numbers:
        """Row of each cell of the grid, -1 where it is not of the target."""
        row = np.minimum(np.searchsorted(self.flat, flat), len(self.flat) - 1)
        return np.where(self.flat[row] == flat, row, -1)


def _aims_at_a_time(site: Site) -> int:
    """How many aims keep the arrays of a search below some tens of megabytes each."""
    crossings = 3 * site.limits.longest / min(site.grid.spacing) + 8
    return max(1, int(_BATCH / (crossings * len(site.limits.angles))))


def _best(found: _Target, site: Site, tried: Holes, first: int) -> tuple[FloatArray, Hole] | None:
    """The best of some holes, and what puts it before others: the lower, the better."""
    if not len(tried.aim):
        return None
    cells, ends = pieces(tried.collar, tried.direction, tried.length, site.grid)
    metres = np.diff(ends, axis=1)
    row = np.where(metres >= site.least, found.rows(cells), -1)
    cut = row >= 0
    worth = np.where(cut, found.worth[row] * metres, 0.0).sum(axis=1)
    last = np.where(cut, ends[:, 1:], 0.0).max(axis=1)
    length = np.minimum(np.ceil(last * 10 - 1e-6) / 10, tried.length)
    keys = np.column_stack([
        -_digits(worth), np.round(length, 1), -tried.angles[:, 1], tried.aim + first, tried.angles[:, 0]
    ])  # fmt: skip
    number = int(np.lexsort(keys.T[::-1])[0])
    if not cut[number].any():
        return None
    hole = _described(found, tried.take([number]), (row[number], ends[number]), float(length[number]))
    return keys[number], hole


def _digits(values: FloatArray) -> FloatArray:
    """Values rounded to nine digits, so that the dust of arithmetic decides nothing."""
    scale = 10.0 ** (8 - np.floor(np.log10(np.maximum(np.abs(values), 1e-300))))
    return np.asarray(np.round(values * scale) / scale)


def _described(found: _Target, hole: Holes, along: tuple[Numbers, FloatArray], length: float) -> Hole:
    """A hole with its figures."""
    row, ends = along
    cut = np.flatnonzero(row >= 0)
    metres, score = np.diff(ends)[cut], found.score[row[cut]]
    x, y, z = (float(value) for value in hole.collar[0])
    azimuth, dip = (float(value) for value in hole.angles[0])
    stopped = ends[cut[-1] + 1] >= hole.length[0] - 1e-6
    return Hole(
        id=f"D{found.name.removeprefix('T')}", target=found.name, collar=(x, y, z), azimuth=azimuth, dip=dip,
        length=round(length, 1), cells_cut=len(cut), best_score=float(score.max()),
        mean_score=float((score * metres).sum() / metres.sum()), from_m=round(float(ends[cut[0]]), 2),
        to_m=round(float(ends[cut[-1] + 1]), 2), cut_m=round(float(metres.sum()), 2),
        note=f"it ends inside the target: {length:g} m is as long as it can be." if stopped else "",
    )  # fmt: skip
