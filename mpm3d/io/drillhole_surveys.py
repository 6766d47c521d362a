"""Stations of drillholes: what their angles mean, and the order in which they come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.grid import FloatArray
from mpm3d.io.columns import Table


@dataclass(frozen=True)
class Survey:
    """Stations of one hole: ascending depths in metres, angles in degrees as of `wells.minimum_curvature`."""

    depth: FloatArray
    inclination: FloatArray
    azimuth: FloatArray

    def from_collar(self) -> Survey:
        """With a station at depth 0 that has the direction of the first."""
        if self.depth[0] == 0:
            return self
        return Survey(
            np.concatenate([[0.0], self.depth]), np.concatenate([self.inclination[:1], self.inclination]),
            np.concatenate([self.azimuth[:1], self.azimuth]),
        )  # fmt: skip

    def down_to(self, end: float) -> Survey:
        """With a station at the end that has the direction of the last."""
        if end <= self.depth[-1]:
            return self
        return Survey(
            np.concatenate([self.depth, [end]]), np.concatenate([self.inclination, self.inclination[-1:]]),
            np.concatenate([self.azimuth, self.azimuth[-1:]]),
        )  # fmt: skip


def read_angles(
    table: Table, azimuth: int, column: int, inclined: bool, dip: str
) -> tuple[FloatArray, FloatArray]:
    """Azimuth, and inclination from straight down, of each row, in degrees; NaN where they are not possible.

    Parameters
    ----------
    table : Table
        A survey, or collars with the directions of the holes.
    azimuth, column : int
        Its columns of azimuths and of dips or inclinations.
    inclined : bool
        Whether the second is called an inclination.
    dip : str
        As in `drillholes.read_drillholes`.

    Raises
    ------
    FormatError
        If inclinations may count from the vertical or from the horizontal.
    """
    towards, angle = table.numbers(azimuth), table.numbers(column)
    with np.errstate(invalid="ignore"):
        towards = np.where(np.abs(towards) <= 360, towards % 360, np.nan)
    name, known = table.name(column), angle[~np.isnan(angle)]
    positive = bool(len(known)) and bool(np.all(known >= 0)) and bool(np.any(known > 0))
    if dip == "auto" and inclined and positive:
        raise FormatError(
            table.path,
            f"{name!r} holds angles of {known.min():g} to {known.max():g} degrees, which may count from the "
            "vertical or from the horizontal. Say which: dip='from vertical' or dip='positive down'.",
            table.header.line + 1,
        )
    if dip == "auto":
        dip = "positive down" if positive else "negative down"
        if positive:
            table.notes.append(f"all angles of {name!r} are positive and were taken as dips downwards.")
    up = int((angle > 0).sum()) if dip == "negative down" else 0
    if up:
        table.notes.append(
            f"{up} angles of {name!r} are positive among negative ones, the hole goes up there."
        )
    limit = (0, 180) if dip == "from vertical" else (-90, 90)
    with np.errstate(invalid="ignore"):
        angle = np.where((angle >= limit[0]) & (angle <= limit[1]), angle, np.nan)
    if dip == "from vertical":
        return towards, angle
    return towards, 90.0 + (angle if dip == "negative down" else -angle)


def make_survey(depth: FloatArray, inclination: FloatArray, azimuth: FloatArray) -> tuple[Survey, list[str]]:
    """Stations in the order of their depths, of several at one depth the first, and what was done."""
    notes = []
    if np.any(np.diff(depth) < 0):
        notes.append("the stations were not in the order of their depths and were sorted.")
    order = np.argsort(depth, kind="stable")
    angles = np.column_stack([inclination, np.nan_to_num(azimuth)])[order]
    depth = depth[order]
    again = np.concatenate([[False], np.diff(depth) == 0])
    if again.any():
        first = np.maximum.accumulate(np.where(again, 0, np.arange(len(depth))))
        other = int((again & np.any(angles != angles[first], axis=1)).sum())
        notes.append(
            f"{int(again.sum())} stations repeat the depth of another and were left out"
            + (f", {other} of them with other angles." if other else ".")
        )
    return Survey(depth[~again], angles[~again, 0], angles[~again, 1]), notes
