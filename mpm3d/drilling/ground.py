"""The ground that holes start from, and where a straight line meets it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpm3d.grid import FloatArray, Grid


@dataclass(frozen=True, eq=False)
class Ground:
    """Elevation of the ground over the map of a grid.

    Between the centres of columns it is interpolated bilinearly, in the outer half of the outermost columns
    it is level across the border.

    Parameters
    ----------
    heights : array of shape (y, x)
        Elevation at the centre of each column, in metres; NaN where unknown.
    grid : Grid
        The columns.

    Raises
    ------
    ValueError
        If there is not a height for each column.
    """

    heights: FloatArray
    grid: Grid

    def __post_init__(self) -> None:
        if np.shape(self.heights) != self.grid.shape[1:]:
            raise ValueError(
                f"the ground has {np.shape(self.heights)} heights, the grid {self.grid.shape[1:]} columns "
                "(y, x). Give one for each."
            )

    @cached_property
    def _padded(self) -> FloatArray:
        return np.pad(np.asarray(self.heights, dtype=float), 1, mode="edge")

    def counts(self, xy: ArrayLike) -> FloatArray:
        """Places ``(..., 2)`` as counts along x and y from a column west and south of the first one."""
        (_, y, x), (_, dy, dx) = self.grid.corner, self.grid.spacing
        return np.asarray((np.asarray(xy, dtype=float) - [x, y]) / [dx, dy] + 0.5)

    def at_counts(self, u: FloatArray, v: FloatArray) -> FloatArray:
        """Elevation at counts along x and y; those beyond the map get that of its border."""
        ny, nx = self.grid.shape[1:]
        i = np.clip(np.floor(u), 0, nx).astype(np.intp)
        j = np.clip(np.floor(v), 0, ny).astype(np.intp)
        s, t = np.clip(u - i, 0, 1), np.clip(v - j, 0, 1)
        flat, wide = self._padded.reshape(-1), nx + 2
        first = j * wide + i
        low = flat[first] * (1 - s) + flat[first + 1] * s
        high = flat[first + wide] * (1 - s) + flat[first + wide + 1] * s
        return np.asarray(low * (1 - t) + high * t)

    def at(self, xy: ArrayLike) -> FloatArray:
        """Elevation at places ``(..., 2)`` x, y; NaN outside the map and where it is not known."""
        counts = self.counts(xy)
        ny, nx = self.grid.shape[1:]
        inside = np.all((counts >= 0.5) & (counts <= np.array([nx, ny]) + 0.5), axis=-1)
        return np.where(inside, self.at_counts(counts[..., 0], counts[..., 1]), np.nan)

    @cached_property
    def highest(self) -> float:
        """Greatest known elevation, minus infinity where none is known."""
        return float(np.fmax.reduce(self.heights, axis=None, initial=-np.inf))

    @cached_property
    def steepest(self) -> float:
        """Greatest slope, metres up per metre; infinite where heights are unknown."""
        slopes = [
            np.abs(np.diff(self._padded, axis=axis)).max(initial=0.0) / step
            for axis, step in zip((0, 1), self.grid.spacing[1:], strict=True)
        ]
        steepest = float(np.hypot(*slopes))
        return steepest if np.isfinite(steepest) else np.inf

    def along(self, start: FloatArray, direction: FloatArray, longest: ArrayLike) -> FloatArray:
        """How far lines that start below the ground run until they meet it; NaN where that is not known.

        See `meets`.
        """
        far, known = self.meets(start, direction, longest)
        return np.where(known, far, np.nan)

    def meets(
        self, start: FloatArray, direction: FloatArray, longest: ArrayLike
    ) -> tuple[FloatArray, NDArray[np.bool_]]:
        """How far lines that start below the ground run until they meet it, or ground that is not known.

        Parameters
        ----------
        start : array of shape (n, 3)
            x, y, elevation, in metres.
        direction : array of shape (n, 3)
            Unit vectors.
        longest : float or array of shape (n,)
            How far to follow each line, in metres.

        Returns
        -------
        far : array of shape (n,)
            Metres to the first place at the ground, or to where it is no longer known; NaN where a line meets
            neither within its length and the map.
        known : array of shape (n,)
            Whether it is at the ground there.

        Notes
        -----
        On a straight line over one patch between four centres, a bilinear height is a quadratic function, so
        the first root is exact.
        """
        end = np.minimum(longest, self._exit(start, direction))
        stops = self._stops(start, direction, end)
        first, width = stops[:, :-1], np.diff(stops, axis=1)
        # three heights inside each patch make its quadratic; at the borders another patch might be unknown
        a, b, c = (self._gap(start, direction, first + share * width) for share in (0.25, 0.5, 0.75))
        curve = 8 * (a - 2 * b + c)
        rise = -10 * a + 16 * b - 6 * c
        level = 3 * a - 3 * b + c
        top = np.clip(np.divide(-rise, 2 * curve, out=np.ones_like(rise), where=curve < 0), 0, 1)
        highest = np.fmax(level + rise + curve, level + top * (rise + top * curve))
        unknown = np.isnan(a + b + c) & (width > 1e-9)
        rows = np.arange(len(first))
        hit = np.argmax(unknown | (highest >= 0), axis=1)
        known = ~unknown[rows, hit] & (highest[rows, hit] >= 0)
        q, r, p = (part[rows, hit] for part in (curve, rise, level))
        bottom = r + np.sqrt(np.maximum(r * r - 4 * q * p, 0))
        share = np.clip(np.divide(-2 * p, bottom, out=np.zeros_like(p), where=bottom > 0), 0, 1)
        met = first[rows, hit] + share * width[rows, hit]
        return np.where(known, met, np.where(unknown[rows, hit], first[rows, hit], np.nan)), known

    def _gap(self, start: FloatArray, direction: FloatArray, far: FloatArray) -> FloatArray:
        """Height of the lines above the ground ``far`` along them."""
        counts, step = self.counts(start[:, :2]), direction[:, :2] / self.grid.spacing[:0:-1]
        u, v = (counts[:, k, None] + far * step[:, k, None] for k in (0, 1))
        return np.asarray(start[:, 2, None] + far * direction[:, 2, None] - self.at_counts(u, v))

    def _exit(self, start: FloatArray, direction: FloatArray) -> FloatArray:
        """How far lines run until they leave the map, or are above all ground on their way up."""
        (_, y, x), (_, dy, dx) = self.grid.corner, self.grid.spacing
        ny, nx = self.grid.shape[1:]
        low, high = np.array([x, y]), np.array([x + nx * dx, y + ny * dy])
        with np.errstate(divide="ignore", invalid="ignore"):
            sides = np.where(direction[:, :2] > 0, high - start[:, :2], low - start[:, :2])
            out = np.where(direction[:, :2] == 0, np.inf, sides / direction[:, :2]).min(axis=1)
            rise = np.where(direction[:, 2] > 0, (self.highest + 1 - start[:, 2]) / direction[:, 2], np.inf)
        return np.asarray(np.maximum(np.minimum(out, rise), 0))

    def _stops(self, start: FloatArray, direction: FloatArray, end: FloatArray) -> FloatArray:
        """Where the lines go from one patch to the next, ascending from 0 to the end of each."""
        counts, steps = self.counts(start[:, :2]), direction[:, :2] / self.grid.spacing[:0:-1]
        parts = [np.zeros((len(start), 1)), end[:, None]]
        parts += [crossings(counts[:, k], steps[:, k], end) for k in (0, 1)]
        return np.sort(np.minimum(np.concatenate(parts, axis=1), end[:, None]), axis=1)


def crossings(count: FloatArray, step: FloatArray, end: FloatArray) -> FloatArray:
    """How far along lines a coordinate takes whole values.

    Parameters
    ----------
    count : array of shape (n,)
        The coordinate at the start.
    step : array of shape (n,)
        Its change per metre.
    end : array of shape (n,)
        Metres that count.

    Returns
    -------
    array of shape (n, m)
        Metres, ascending; those beyond the end, or infinite, fill up the rows.
    """
    most = int(np.ceil(np.max(np.abs(step) * end, initial=0))) + 1
    sense = np.sign(step)
    first = np.where(step > 0, np.floor(count) + 1, np.ceil(count) - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        far = (first[:, None] + sense[:, None] * np.arange(most) - count[:, None]) / step[:, None]
    return np.where(step[:, None] == 0, np.inf, far)
