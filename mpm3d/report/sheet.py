"""The map of the page as plain data: percentiles thinned to a budget, outlines of targets, deposits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpm3d.grid import FloatArray, Grid

if TYPE_CHECKING:
    import pyproj

MOST_CELLS, MOST_CORNERS = 400_000, 100_000
"""Cells and corners of outlines that the page draws at most."""
_LATTICE = (
    33  # longitudes and latitudes are known at so many places along each side, and between them by halves
)

Rings = Mapping[str, Sequence[FloatArray]]


class Place(NamedTuple):
    """A deposit: its name, whether models never saw it, and its middle in the coordinates of the map."""

    name: str
    blind: bool
    x: float
    y: float


@dataclass(frozen=True, eq=False)
class Sheet:
    """What the page draws of a study that is a map.

    Parameters
    ----------
    values : array of shape (y, x)
        Percentiles of the scores among the scored cells, southernmost row first; NaN where there is none.
    every : int
        How many cells of the study along x and y a value stands for; it is the best of them.
    bounds : 4 floats
        ``xmin, ymin, xmax, ymax`` of the study area, in metres.
    step : (x, y)
        Size of what a value stands for, in metres.
    cell : (x, y)
        Size of a cell of the study, in metres.
    crs : str
        Coordinate system.
    rings : mapping of str to sequence of array of shape (n, 2)
        Closed outlines of the targets by id, holes too.
    places : tuple of Place
        The deposits.
    thinned : tuple of str
        Sentences on what was simplified.
    """

    values: NDArray[np.float32]
    every: int
    bounds: tuple[float, float, float, float]
    step: tuple[float, float]
    cell: tuple[float, float]
    crs: str
    rings: Rings
    places: tuple[Place, ...]
    thinned: tuple[str, ...] = ()

    def box(self, name: str) -> FloatArray | None:
        """Lower left and upper right corner of a target, shape (2, 2); None if it has no outline."""
        if not self.rings.get(name):
            return None
        points = np.concatenate(list(self.rings[name]))
        return np.stack([points.min(axis=0), points.max(axis=0)])

    def lattice(self) -> dict[str, Any] | None:
        """Longitudes and latitudes at evenly spaced places of the map, row by row; None if nobody knows."""
        xmin, ymin, xmax, ymax = self.bounds
        x, y = np.meshgrid(np.linspace(xmin, xmax, _LATTICE), np.linspace(ymin, ymax, _LATTICE))
        lon, lat = lon_lat(self.crs, x.ravel(), y.ravel())
        if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
            return None
        # no jump at the date line, between places on either side of it
        lon = (lon - lon[0] + 180) % 360 - 180 + lon[0]
        return {"n": _LATTICE, "lon": np.round(lon, 7).tolist(), "lat": np.round(lat, 7).tolist()}


def sheet_of(percentiles: ArrayLike, grid: Grid, *, rings: Rings, places: Sequence[Place]) -> Sheet:
    """Thin a map and the outlines on it to what a page can hold.

    Parameters
    ----------
    percentiles : array of shape (y, x)
        Of the scores, southernmost row first; NaN where there is none.
    grid : Grid
        The cells.
    rings : mapping of str to sequence of array of shape (n, 2)
        Outlines of the targets by id.
    places : sequence of Place
        The deposits.

    Returns
    -------
    Sheet
    """
    plane = np.asarray(percentiles, dtype=np.float32)
    every = 1
    while math.prod(-(-n // every) for n in plane.shape) > MOST_CELLS:
        every += 1
    notes = []
    if every > 1:
        notes.append(f"Each square of the map is the best of {every} × {every} cells.")
    fewer, kept, before = _simplified(rings, grid.spacing[2])
    if kept < before:
        notes.append(f"Outlines of the targets are drawn with {kept:,} of their {before:,} corners.")
    (_, dy, dx), (x0, y0, _, x1, y1, _) = grid.spacing, grid.bounds
    return Sheet(
        _best_of(plane, every), every, (x0, y0, x1, y1), (every * dx, every * dy), (dx, dy), grid.crs, fewer,
        tuple(places), tuple(notes),
    )  # fmt: skip


def _best_of(plane: NDArray[np.float32], every: int) -> NDArray[np.float32]:
    """The largest value of each square of cells, so that no small target is lost."""
    if every == 1:
        return plane
    gaps = [(0, -n % every) for n in plane.shape]
    filled = np.pad(np.nan_to_num(plane, nan=-1.0), gaps, constant_values=-1.0)
    ny, nx = (n // every for n in filled.shape)
    best = filled.reshape(ny, every, nx, every).max(axis=(1, 3))  # (y, x) of squares
    return np.where(best < 0, np.float32(np.nan), best)


def _simplified(rings: Rings, cell: float) -> tuple[dict[str, list[FloatArray]], int, int]:
    """Outlines with fewer corners where there are too many, and how many there are after and before."""
    import shapely

    before = kept = sum(len(ring) for some in rings.values() for ring in some)
    found, tolerance = {name: list(some) for name, some in rings.items()}, cell / 2
    while kept > MOST_CORNERS:
        tolerance *= 2
        found = {
            name: [shapely.get_coordinates(shapely.LineString(ring).simplify(tolerance)) for ring in some]
            for name, some in rings.items()
        }
        after = sum(len(ring) for some in found.values() for ring in some)
        if after == kept and tolerance > 1000 * cell:
            break
        kept = after
    return found, kept, before


def lon_lat(crs: str, x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Longitude and latitude (WGS 84), degrees, NaN where the coordinate system does not say where on Earth.

    Parameters
    ----------
    crs : str
        Coordinate system of ``x`` and ``y``.
    x, y : array of shape (n,)
        Places.

    Returns
    -------
    lon, lat : array of shape (n,)

    Examples
    --------
    >>> lon, lat = lon_lat("EPSG:32631", [500000.0], [0.0])
    >>> round(float(lon[0]), 6), round(float(lat[0]), 6)
    (3.0, 0.0)
    """
    import pyproj
    from pyproj.exceptions import ProjError

    east, north = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    try:
        change = pyproj.Transformer.from_crs(_system(crs), "EPSG:4326", always_xy=True)
        lon, lat = change.transform(east, north)
    except ProjError:
        lon = lat = np.full(east.shape, np.nan)
    good = np.isfinite(lon) & np.isfinite(lat)
    return np.where(good, lon, np.nan), np.where(good, lat, np.nan)


def _system(crs: str) -> pyproj.CRS:
    import pyproj

    return pyproj.CRS.from_user_input(crs)
