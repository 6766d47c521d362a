"""A proposed drillhole, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from mpm3d.grid import Float3, FloatArray


@dataclass(frozen=True)
class Hole:
    """A straight hole that is proposed for a target.

    What it cuts is computed from the figures of its collar and direction as they are here, rounded as they
    are written, so that anyone who computes the path from a table of them meets the same cells.

    Parameters
    ----------
    id : str
        ``"D01"`` for the target ``"T01"``.
    target : str
        The target's id.
    collar : tuple of float
        x, y, elevation where it starts at the ground, in metres, to the centimetre.
    azimuth : float
        Direction, clockwise from north, in degrees; 0 for a vertical hole.
    dip : float
        Degrees below the horizontal, positive down, 90 for a vertical hole.
    length : float
        In metres, to the decimetre.
    cells_cut : int
        Cells of the target that it passes through, grazed ones not counted.
    best_score : float
        Greatest score of those cells.
    mean_score : float
        Their mean score, weighted by the length of hole in each.
    from_m, to_m : float
        Where along the hole the first of those cells begins and the last one ends, in metres.
    cut_m : float
        Metres of hole in those cells; less than ``to_m - from_m`` where the hole leaves the target between.
    note : str
        What else there is to know, in a sentence.
    """

    id: str
    target: str
    collar: Float3
    azimuth: float
    dip: float
    length: float
    cells_cut: int
    best_score: float
    mean_score: float
    from_m: float
    to_m: float
    cut_m: float = 0.0
    note: str = ""

    @property
    def direction(self) -> FloatArray:
        """Unit vector east, north, up along the hole."""
        return direction_of(self.azimuth, self.dip)

    @property
    def path(self) -> FloatArray:
        """Collar and end, ``(2, 3)`` x, y, elevation in metres."""
        collar = np.asarray(self.collar)
        return np.stack([collar, collar + self.length * self.direction])

    @property
    def row(self) -> list[object]:
        """Its values in the order of `COLUMNS`."""
        plain = [getattr(self, name) for name in COLUMNS if name not in ("x", "y", "elevation")]
        return [*plain[:2], *self.collar, *plain[2:]]


@dataclass(frozen=True)
class NoHole:
    """No hole that is allowed reaches the target.

    Parameters
    ----------
    note : str
        Why, in a sentence.
    target : str
        The target's id.
    """

    note: str
    target: str = ""
    id: str = ""


COLUMNS = (
    "id", "target", "x", "y", "elevation",
    *(field.name for field in fields(Hole) if field.name not in ("id", "target", "collar")),
)  # fmt: skip
"""Columns of a table of holes."""


def direction_of(azimuth: FloatArray | float, dip: FloatArray | float) -> FloatArray:
    """Unit vectors east, north, up of directions in degrees, ``(..., 3)``."""
    a, d = np.radians(azimuth), np.radians(dip)
    # a vertical hole stays in its column: the cosine of 90 degrees is not quite 0
    across = np.where(np.asarray(dip) == 90, 0.0, np.cos(d))
    return np.stack([across * np.sin(a), across * np.cos(a), -np.sin(d) + 0.0 * a], axis=-1)
