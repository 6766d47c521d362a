"""The geometry of the cells, without values: spacing, extent and coordinate system."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Index3 = tuple[int, int, int]
Float3 = tuple[float, float, float]
Window = tuple[slice, slice, slice]
FloatArray = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Grid:
    """An axis-aligned block of equal cells; every tuple is in ``(z, y, x)`` order, z is elevation.

    Parameters
    ----------
    shape : tuple of int
        Number of cells along z, y and x.
    spacing : tuple of float
        Size of a cell along z, y and x, in metres.
    corner : tuple of float
        ``(z, y, x)`` of the lowest south-western *corner* of the grid, in metres. The centre of cell
        ``(0, 0, 0)`` lies half a cell above, north and east of it.
    crs : str
        Coordinate reference system, anything that pyproj reads, such as ``"EPSG:32651"``.

    Raises
    ------
    ValueError
        If a count is below one or a spacing is not positive.

    Examples
    --------
    >>> grid = Grid.from_bounds((0, 0, -100, 200, 100, 0), 50, "EPSG:32651")
    >>> grid.shape, grid.first_centre
    ((2, 2, 4), (-75.0, 25.0, 25.0))
    >>> grid.index_of([[60.0, 99.0, -1.0], [500.0, 0.0, 0.0]])
    array([[ 1,  1,  1],
           [-1, -1, -1]])
    """

    shape: Index3
    spacing: Float3
    corner: Float3
    crs: str

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        spacing = tuple(float(d) for d in self.spacing)
        corner = tuple(float(c) for c in self.corner)
        if min(shape) < 1:
            raise ValueError(f"a grid of {shape} cells (z, y, x) has an empty axis, each needs at least 1.")
        if not all(math.isfinite(d) and d > 0 for d in spacing):
            raise ValueError(f"cells of {spacing} m (z, y, x) are not possible, each side must be above 0.")
        if not all(math.isfinite(c) for c in corner):
            raise ValueError(f"the corner {corner} (z, y, x) of a grid must be finite numbers, in metres.")
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "spacing", spacing)
        object.__setattr__(self, "corner", corner)

    @classmethod
    def from_bounds(cls, bounds: Sequence[float], spacing: float | Sequence[float], crs: str) -> Grid:
        """Fill an extent with cells.

        Parameters
        ----------
        bounds : sequence of float
            ``(xmin, ymin, zmin, xmax, ymax, zmax)`` of the cell *edges*, in metres.
        spacing : float or sequence of float
            Cell size in metres, one number or ``(z, y, x)``.
        crs : str
            Coordinate reference system.

        Raises
        ------
        ValueError
            If an extent is not a whole number of cells; the message gives the extent that would be.
        """
        steps = (spacing,) * 3 if isinstance(spacing, int | float) else tuple(spacing)
        low, high = list(bounds)[2::-1], list(bounds)[:2:-1]
        counts = []
        for name, start, stop, step in zip("zyx", low, high, steps, strict=True):
            count = (stop - start) / step
            whole = round(count)
            if whole < 1 or abs(count - whole) > 1e-6 * max(1.0, count):
                ends = f"{start:g} to {start + max(1, whole) * step:g}"
                raise ValueError(
                    f"{name} from {start:g} to {stop:g} m is {count:g} cells of {step:g} m, "
                    f"a whole number is needed. {ends} would be one."
                )
            counts.append(whole)
        return cls(
            (counts[0], counts[1], counts[2]), (steps[0], steps[1], steps[2]), (low[0], low[1], low[2]), crs
        )

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return math.prod(self.shape)

    @property
    def is_map(self) -> bool:
        """Whether there is one cell along z: what it holds is an area, not a volume."""
        return self.shape[0] == 1

    @property
    def cell_area(self) -> float:
        """Area of one cell seen from above in square metres."""
        return self.spacing[1] * self.spacing[2]

    @property
    def cell_volume(self) -> float:
        """Volume of one cell in cubic metres."""
        return math.prod(self.spacing)

    @property
    def first_centre(self) -> Float3:
        """``(z, y, x)`` of the centre of cell ``(0, 0, 0)``, in metres."""
        z, y, x = (c + d / 2 for c, d in zip(self.corner, self.spacing, strict=True))
        return z, y, x

    @property
    def bounds(self) -> tuple[float, float, float, float, float, float]:
        """``(xmin, ymin, zmin, xmax, ymax, zmax)`` of the cell edges, in metres."""
        z, y, x = self.corner
        dz, dy, dx = (n * d for n, d in zip(self.shape, self.spacing, strict=True))
        return x, y, z, x + dx, y + dy, z + dz

    def centres(self, axis: int) -> FloatArray:
        """Coordinates of the cell centres along one axis (0 is z, 1 is y, 2 is x), ascending, in metres."""
        return self.corner[axis] + (np.arange(self.shape[axis]) + 0.5) * self.spacing[axis]

    def points(self) -> FloatArray:
        """Centres of all cells, ``(n_cells, 3)`` columns x, y, z, in the order of a raveled ``(z, y, x)``."""
        z, y, x = np.meshgrid(*(self.centres(axis) for axis in range(3)), indexing="ij")
        return np.column_stack([x.ravel(), y.ravel(), z.ravel()])

    def xyz_of(self, index: ArrayLike) -> FloatArray:
        """Centres ``(n, 3)`` x, y, z of the cells at ``index``, ``(n, 3)`` counts along z, y, x."""
        cells = np.asarray(index, dtype=float).reshape(-1, 3)
        centres: FloatArray = np.asarray(self.corner) + (cells + 0.5) * np.asarray(self.spacing)
        return centres[:, ::-1]

    def index_of(self, xyz: ArrayLike) -> NDArray[np.int64]:
        """Cell that holds each point.

        Parameters
        ----------
        xyz : array of shape (n, 3)
            Points, columns x, y, z in metres.

        Returns
        -------
        array of shape (n, 3)
            Counts along z, y, x; ``-1, -1, -1`` for a point outside the grid or not finite. A point on a
            face belongs to the cell above, north or east of it, on the far faces to the last cell.
        """
        points = np.asarray(xyz, dtype=float).reshape(-1, 3)[:, ::-1]
        shape = np.asarray(self.shape)
        with np.errstate(invalid="ignore"):
            position = (points - np.asarray(self.corner)) / np.asarray(self.spacing)
            inside = np.all((position >= 0) & (position <= shape), axis=1)
        index = np.full(points.shape, -1, dtype=np.int64)
        index[inside] = np.minimum(np.floor(position[inside]).astype(np.int64), shape - 1)
        return index

    def window(self, window: Window) -> Grid:
        """Part of the grid, ``window`` being slices along z, y, x with a start and a stop inside it."""
        starts = [cut.start or 0 for cut in window]
        stops = [n if cut.stop is None else cut.stop for cut, n in zip(window, self.shape, strict=True)]
        if any(a < 0 or b > n or a >= b for a, b, n in zip(starts, stops, self.shape, strict=True)):
            raise ValueError(f"the window {starts} to {stops} (z, y, x) is not inside {self.shape} cells.")
        z, y, x = (c + a * d for c, a, d in zip(self.corner, starts, self.spacing, strict=True))
        nz, ny, nx = (b - a for a, b in zip(starts, stops, strict=True))
        return Grid((nz, ny, nx), self.spacing, (z, y, x), self.crs)

    def pad(self, cells: Index3) -> Grid:
        """Grid with ``cells`` more cells (z, y, x) on either side of each axis."""
        nz, ny, nx = (n + 2 * p for n, p in zip(self.shape, cells, strict=True))
        z, y, x = (c - p * d for c, p, d in zip(self.corner, cells, self.spacing, strict=True))
        return Grid((nz, ny, nx), self.spacing, (z, y, x), self.crs)
