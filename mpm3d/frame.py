"""Local axes of cells that do not lie along x, y and z."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mpm3d.grid import FloatArray


@dataclass(frozen=True, eq=False)
class Frame:
    """Place and directions of the local axes of cells that do not lie along x, y and z.

    Parameters
    ----------
    origin : array of shape (3,)
        x, y, elevation of the local point (0, 0, 0), in metres.
    axes : array of shape (3, 3)
        Rows are the steps in x, y, z of one metre along the local x, y and z.
    """

    origin: FloatArray
    axes: FloatArray

    def to_world(self, local: ArrayLike) -> FloatArray:
        """World coordinates ``(n, 3)`` of local ones."""
        return np.asarray(np.asarray(local, dtype=float) @ self.axes + self.origin)

    def to_local(self, xyz: ArrayLike) -> FloatArray:
        """Local coordinates ``(n, 3)`` of x, y, elevation."""
        return np.asarray((np.asarray(xyz, dtype=float) - self.origin) @ np.linalg.inv(self.axes))

    @classmethod
    def rotated(cls, origin: ArrayLike, degrees: float) -> Frame:
        """Axes turned counterclockwise about the vertical, seen from above."""
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        return cls(np.asarray(origin, dtype=float), np.array([[c, s, 0.0], [-s, c, 0], [0, 0, 1]]))


def box_corners(low: ArrayLike, high: ArrayLike) -> FloatArray:
    """The eight corners ``(8, 3)`` of a box."""
    ends = np.array([low, high], dtype=float)
    return np.array([[ends[i, 0], ends[j, 1], ends[k, 2]] for k in (0, 1) for j in (0, 1) for i in (0, 1)])
