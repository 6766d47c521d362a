"""Where holes may start, which of them are allowed and how long they can be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.drilling.ground import Ground
from mpm3d.drilling.limits import Limits
from mpm3d.grid import FloatArray, Grid

Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Holes:
    """Holes that are allowed: ``n`` rows each; lengths are the greatest possible."""

    aim: Numbers
    angles: FloatArray
    direction: FloatArray
    collar: FloatArray
    length: FloatArray

    def take(self, rows: Any) -> Holes:
        """Some of them."""
        return Holes(*(part[rows] for part in vars(self).values()))


@dataclass(frozen=True, eq=False)
class Site:
    """Where holes may start and how long they may be."""

    grid: Grid
    ground: Ground
    limits: Limits
    licence: Any = None

    @property
    def least(self) -> float:
        """Metres of hole in a cell that count as cutting it."""
        return self.limits.graze * min(self.grid.spacing)

    def may_reach(self, xyz: FloatArray) -> NDArray[np.bool_]:
        """Whether a hole might reach places: none that does is left out, which saves looking at most."""
        from scipy.ndimage import minimum_filter

        heights = np.where(np.isnan(self.ground.heights), np.inf, self.ground.heights)
        size = [2 * math.ceil(self.limits.reach / step) + 3 for step in self.grid.spacing[1:]]
        low = minimum_filter(heights, [min(n, 2 * m + 1) for n, m in zip(size, heights.shape, strict=True)])
        _, row, column = self.grid.index_of(xyz).T
        rise = self.limits.longest * math.sin(math.radians(self.limits.dip[1]))
        possible: NDArray[np.bool_] = low[row, column] - 0.1 <= xyz[:, 2] + rise
        if self.licence is not None:
            import shapely

            columns, back = np.unique(xyz[:, :2], axis=0, return_inverse=True)
            far = shapely.distance(shapely.points(columns), self.licence)
            possible &= (far <= self.limits.reach + 0.1)[back.reshape(-1)]
        return possible

    def rays(self, xyz: FloatArray) -> tuple[Numbers, Numbers]:
        """Aim and direction of every pair of places below the ground and directions."""
        below = np.flatnonzero(xyz[:, 2] < self.ground.at(xyz[:, :2]))
        n = len(self.limits.angles)
        return np.repeat(below, n), np.tile(np.arange(n), len(below))

    def holes(self, xyz: FloatArray) -> Holes:
        """All allowed holes to places ``(n, 3)``; their collars are rounded as they are written."""
        aim, way = self.rays(xyz)
        direction, end = self.limits.directions[way], self.limits.longest
        far = self.ground.along(xyz[aim], -direction, end)
        tried = Holes(aim, self.limits.angles[way], direction, xyz[aim] - far[:, None] * direction, far)
        tried = self._allowed(tried.take(np.isfinite(far)))
        return tried.take(tried.length > 0)

    def _allowed(self, tried: Holes) -> Holes:
        """Those with a collar where one may be, as long as they can be."""
        collar = self.rounded(tried.collar)
        tried = Holes(tried.aim, tried.angles, tried.direction, collar, tried.length)
        tried = tried.take(np.isfinite(collar[:, 2]) & self.permitted(collar))
        length = self._until_air(tried)
        return Holes(tried.aim, tried.angles, tried.direction, tried.collar, length)

    def rounded(self, collar: FloatArray) -> FloatArray:
        """Collars to the centimetre and at the ground; their elevation is NaN outside the map."""
        xy = np.round(collar[:, :2], 2)
        return np.column_stack([xy, np.round(self.ground.at(xy), 2)])

    def permitted(self, collar: FloatArray) -> NDArray[np.bool_]:
        """Whether collars lie inside the licence."""
        if self.licence is None:
            return np.ones(len(collar), bool)
        import shapely

        shapely.prepare(self.licence)
        return np.asarray(shapely.contains_xy(self.licence, collar[:, 0], collar[:, 1]), dtype=bool)

    def _until_air(self, tried: Holes) -> FloatArray:
        """How long holes can be that might come out of a slope, or run below ground that is not known."""
        length = np.full(len(tried.aim), self.limits.longest)
        least = math.radians(self.limits.dip[0])
        if self.ground.steepest * math.cos(least) < math.sin(least):
            return length
        aim = tried.collar + tried.length[:, None] * tried.direction
        end, _ = self.ground.meets(aim, tried.direction, np.maximum(length - tried.length, 0))
        return np.asarray(np.fmin(length, np.floor((tried.length + end) * 10) / 10))
