"""What limits a hole, and the directions that are tried."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mpm3d.drilling.hole import direction_of
from mpm3d.grid import FloatArray


@dataclass(frozen=True)
class Limits:
    """Which holes are allowed, and how finely they are searched.

    Parameters
    ----------
    dip : tuple of float
        Least and greatest, degrees below the horizontal, 0 to 90.
    length : float
        Greatest length in metres.
    azimuth_step, dip_step : float
        Degrees between the directions that are tried. Both ends of the range of dips are among them.
    aims : int
        Cells of a target that holes are aimed at, the best of those that an allowed hole reaches.
    graze : float
        A cell counts as cut if the hole is in it for at least this share of the shortest side of a cell.

    Raises
    ------
    ValueError
        If a limit makes no sense.
    """

    dip: tuple[float, float] = (50.0, 90.0)
    length: float = 1500.0
    azimuth_step: float = 10.0
    dip_step: float = 5.0
    aims: int = 200
    graze: float = 0.1

    def __post_init__(self) -> None:
        low, high = self.dip
        if not 0 <= low <= high <= 90:
            raise ValueError(
                f"dips from {low:g} to {high:g} degrees are not possible, they are degrees below the "
                "horizontal, 0 to 90, the least first. Write 50 to 90 for steep holes."
            )
        if not (math.isfinite(self.length) and self.length > 0):
            raise ValueError(f"a hole of at most {self.length:g} m is not possible, give metres above 0.")

    @property
    def longest(self) -> float:
        """Greatest length in whole decimetres, as lengths are written."""
        return math.floor(self.length * 10 + 1e-6) / 10

    @property
    def reach(self) -> float:
        """How far from its collar a hole gets on the map, in metres."""
        return self.longest * math.cos(math.radians(self.dip[0]))

    @property
    def angles(self) -> FloatArray:
        """Azimuth and dip ``(n, 2)`` of the directions that are tried, in degrees; straight down once."""
        # to a thousandth of a degree, and never beyond the limits
        low, high = math.ceil(self.dip[0] * 1e3 - 1e-6) / 1e3, math.floor(self.dip[1] * 1e3 + 1e-6) / 1e3
        dips = np.unique(np.round([*np.arange(low, high, self.dip_step), min(low, high), high], 3))
        azimuths = np.arange(0.0, 360.0, self.azimuth_step)
        return np.array([(a, d) for d in dips[::-1] for a in (azimuths if d < 90 else [0.0])])

    @property
    def directions(self) -> FloatArray:
        """Unit vectors ``(n, 3)`` east, north, up of those directions."""
        return direction_of(*self.angles.T)
