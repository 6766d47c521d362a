"""Drillholes and wells: paths in space, and what was met along them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpm3d.geometry import Array, Body, Bounds, Lines, bounds_of
from mpm3d.grid import FloatArray


def minimum_curvature(depth: ArrayLike, inclination: ArrayLike, azimuth: ArrayLike) -> FloatArray:
    """Path of a hole between its survey stations, each pair joined by the arc of a circle.

    Parameters
    ----------
    depth : array of shape (n,)
        Measured depth of the stations along the hole, ascending, in metres.
    inclination : array of shape (n,)
        Angle from straight down, in degrees: 0 down, 90 horizontal, above 90 up.
    azimuth : array of shape (n,)
        Direction, clockwise from north, in degrees; it means nothing, and may be NaN, where the hole is
        vertical.

    Returns
    -------
    array of shape (n, 3)
        East, north and up from the first station, in metres.

    Raises
    ------
    ValueError
        If depths do not ascend, a number is not finite or the hole turns back on itself.

    References
    ----------
    Sawaryn, S.J. and Thorogood, J.L. (2005). A compendium of directional calculations based on the minimum
    curvature method. SPE Drilling & Completion 20(1), 24-36.

    Examples
    --------
    A quarter of a circle of 100 m, from straight down to level towards the east:

    >>> path = minimum_curvature([0, 50 * np.pi], [0, 90], [90, 90])
    >>> np.round(path[-1], 6)
    array([ 100.,    0., -100.])
    """
    md, inc, azi = _survey(depth, inclination, azimuth)
    if not len(md):
        return np.zeros((0, 3))
    direction = _directions(inc, azi)
    along = direction[:-1] + direction[1:]
    bend = _bends(direction[:-1], direction[1:])
    if np.any(bend > np.pi - 1e-6):
        row = int(np.argmax(bend))
        raise ValueError(
            f"the hole turns back on itself between {md[row]:g} and {md[row + 1]:g} m, that is no arc. Check "
            "the inclinations and azimuths there."
        )
    # the chord is tan(bend / 2) / (bend / 2) times the mean of the end directions; sinc is 1 at 0, so that
    # straight holes need no case of their own
    ratio = np.sinc(bend / (2 * np.pi)) / np.cos(bend / 2)
    steps = (np.diff(md) * ratio / 2)[:, None] * along
    return np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])


def _survey(
    depth: ArrayLike, inclination: ArrayLike, azimuth: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    md, inc, azi = (np.atleast_1d(np.asarray(a, dtype=float)) for a in (depth, inclination, azimuth))
    if md.ndim != 1 or not md.shape == inc.shape == azi.shape:
        raise ValueError(
            f"a survey needs as many inclinations and azimuths as depths, these have the shapes {inc.shape}, "
            f"{azi.shape} and {md.shape}."
        )
    known = np.isfinite(azi) | (np.isnan(azi) & _upright(inc))
    if not (np.isfinite(md).all() and np.isfinite(inc).all() and known.all()):
        raise ValueError(
            "depths, inclinations and azimuths of a survey must be finite numbers (only the azimuth of a "
            "vertical station may be NaN). Remove such stations first."
        )
    length = np.diff(md)
    if np.any(length <= 0):
        row = int(np.argmin(length))
        raise ValueError(
            f"the survey goes from a depth of {md[row]:g} to {md[row + 1]:g} m, depths must ascend."
        )
    return md, inc, azi


def _upright(inclination: FloatArray) -> NDArray[np.bool_]:
    """Whether a station is vertical, so that its azimuth means nothing."""
    return np.asarray((inclination == 0) | (inclination == 180))


def _directions(inclination: FloatArray, azimuth: FloatArray) -> FloatArray:
    """Unit vectors east, north, up along the hole."""
    i, a = np.radians(inclination), np.radians(np.where(_upright(inclination), 0.0, azimuth))
    return np.column_stack([np.sin(i) * np.sin(a), np.sin(i) * np.cos(a), -np.cos(i)])


def _bends(a: FloatArray, b: FloatArray) -> FloatArray:
    """Angles between unit vectors, exact for tiny ones and for those near a half turn, in radians."""
    return np.asarray(2 * np.arctan2(np.linalg.norm(b - a, axis=1), np.linalg.norm(b + a, axis=1)))


@dataclass(frozen=True, eq=False)
class Intervals:
    """What lies between two depths of a hole: assays, lithology, zones.

    Parameters
    ----------
    start, stop : array of shape (n,)
        Measured depths, in metres.
    values : mapping of str to array of shape (n,)
        Numbers (NaN where missing) or text (arrays of str, empty where missing).
    """

    start: FloatArray
    stop: FloatArray
    values: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Curve:
    """Values measured at depths of a hole.

    Parameters
    ----------
    depth : array of shape (n,)
        Measured depth, in metres.
    values : array of shape (n,)
        NaN where there is no data.
    """

    depth: FloatArray
    values: FloatArray


@dataclass(frozen=True, eq=False)
class Well(Body):
    """A drillhole or well.

    Parameters
    ----------
    collar : array of shape (3,)
        x, y, elevation of the point from which depth is measured, in metres.
    depth : array of shape (n,)
        Measured depth of the points of the path, ascending, in metres.
    path : array of shape (n, 3)
        x, y, elevation of the points of the path, in metres.
    survey : array of shape (n, 2), optional
        Inclination from straight down and azimuth at those points, in degrees, where the file has stations;
        between them the hole is an arc (minimum curvature). Without it the hole is straight between points.
    markers : tuple of (str, float)
        Name and measured depth.
    intervals : mapping of str to Intervals
        Tables of zones, lithology or assays, by name.
    curves : mapping of str to Curve
        Logs, by name.
    name, kind, units, crs_name, z_positive, notes
        As in `geometry.Body`; ``units`` are those of curves and columns of intervals.
    """

    collar: FloatArray
    depth: FloatArray
    path: FloatArray
    _: KW_ONLY
    survey: FloatArray | None = None
    markers: tuple[tuple[str, float], ...] = ()
    intervals: Mapping[str, Intervals] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)

    @property
    def bounds(self) -> Bounds:
        """``(xmin, ymin, zmin, xmax, ymax, zmax)`` of the path, in metres."""
        return bounds_of(self.path)

    def position(self, depth: ArrayLike) -> FloatArray:
        """Where the hole is at measured depths.

        Parameters
        ----------
        depth : array of shape (m,)
            In metres.

        Returns
        -------
        array of shape (m, 3)
            x, y, elevation; NaN above the first and below the last point of the path, a micrometre aside.
        """
        md = np.atleast_1d(np.asarray(depth, dtype=float))
        if not len(self.depth):
            return np.full((len(md), 3), np.nan)
        # a length that went through a conversion of units ends within a micrometre of the path
        near = np.clip(md, self.depth[0], self.depth[-1])
        md = np.where(np.abs(md - near) <= 1e-6, near, md)
        straight = np.column_stack([
            np.interp(md, self.depth, self.path[:, axis], left=np.nan, right=np.nan) for axis in range(3)
        ])  # fmt: skip
        if self.survey is None or len(self.depth) < 2:
            return straight
        inside = ~np.isnan(straight).any(axis=1)
        straight[inside] = self._on_arcs(md[inside], _directions(self.survey[:, 0], self.survey[:, 1]))
        return straight

    def _on_arcs(self, md: FloatArray, directions: FloatArray) -> FloatArray:
        """Points on the arcs: the direction turns evenly from one station to the next."""
        row = np.clip(np.searchsorted(self.depth, md, side="right") - 1, 0, len(self.depth) - 2)
        length = self.depth[row + 1] - self.depth[row]
        a, b = directions[row], directions[row + 1]
        turn = _bends(a, b) / np.pi  # np.sinc(x) is sin(pi x) / (pi x)
        share = (md - self.depth[row]) / length
        # integrals of sin((1 - s) bend) / sin(bend) and sin(s bend) / sin(bend) from 0 to the share
        half = np.sinc(share * turn / 2) / np.sinc(turn)
        along_a = share * (1 - share / 2) * np.sinc((1 - share / 2) * turn) * half
        along_b = share**2 / 2 * np.sinc(share * turn / 2) * half
        return np.asarray(self.path[row] + length[:, None] * (along_a[:, None] * a + along_b[:, None] * b))

    def as_lines(self) -> Lines:
        """The path as one polyline, its measured depth as a property."""
        rows = np.arange(len(self.path) - 1, dtype=np.int64)
        return Lines(
            self.name, self.path, np.column_stack([rows, rows + 1]), np.zeros(len(rows), np.int64),
            properties={"depth": self.depth}, **{**self.common(), "units": {"depth": "m"}},
        )  # fmt: skip

    def interval_lines(self, table: str) -> Lines:
        """The intervals of one table as straight segments, their numbers at both ends; text is left out."""
        found = self.intervals[table]
        ends = self.position(np.column_stack([found.start, found.stop]).ravel())
        known = ~np.isnan(ends.reshape(-1, 6)).any(axis=1)
        ends = ends.reshape(-1, 2, 3)[known].reshape(-1, 3)
        values = {n: np.repeat(v[known], 2) for n, v in found.values.items() if v.dtype.kind in "fiub"}
        segments = np.arange(len(ends), dtype=np.int64).reshape(-1, 2)
        lines = Lines(
            f"{self.name} {table}",
            ends,
            segments,
            np.arange(len(segments)),
            properties=values,
            **self.common(),
        )
        gone, text = int((~known).sum()), [n for n in found.values if n not in values]
        return lines.noted(
            *([f"{gone} intervals beyond the path were left out."] if gone else []),
            *([f"columns of text were left out: {', '.join(text)}."] if text else []),
        )
