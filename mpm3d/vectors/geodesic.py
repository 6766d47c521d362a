"""Distance over the ellipsoid to edges that are straight on the map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mpm3d.grid import FloatArray

# dots of edges that are looked at around, for each place
_DOTS = 8
# largest distance of dots in degrees or metres, whose chord runs 8 cm below the ellipsoid
_FARTHEST = {True: 0.02, False: 2000.0}


def prepare_geodesic(edges: FloatArray, crs: str) -> Callable[[FloatArray, float], FloatArray]:
    """Make what measures the geodesic distance from places to the nearest of some edges.

    Edges are set with dots half a cell apart, 2 km at most. Around the eight dots nearest through the earth
    the nearest place on their edges is found, which is the nearest over the ellipsoid too, and pyproj
    measures to it.

    Parameters
    ----------
    edges : array of shape (n, 2, 2)
        x and y of both ends, straight in the coordinate system of the map.
    crs : str
        That coordinate system; its ellipsoid is the one that counts.

    Returns
    -------
    callable
        Takes places ``(m, 2)``, x and y, and the distance of dots in units of the map; gives metres
        ``(m,)``. They are never too small, and too large by at most half the distance of dots, where more
        than eight edges crowd; by centimetres otherwise.

    References
    ----------
    Karney 2013, Algorithms for geodesics, doi 10.1007/s00190-012-0578-z.
    """
    import pyproj
    from scipy.spatial import cKDTree

    system = pyproj.CRS.from_user_input(crs)
    earth: Any = system.get_geod()
    to_degrees = pyproj.Transformer.from_crs(system, system.geodetic_crs, always_xy=True)
    ready: dict[float, tuple[cKDTree, FloatArray, FloatArray]] = {}

    def measure(xy: FloatArray, step: float) -> FloatArray:
        if step not in ready:
            dots, before, after = _dotted(edges, min(step, _FARTHEST[system.is_geographic]))
            degrees = (np.column_stack(to_degrees.transform(*part.T)) for part in (dots, before, after))
            at, before, after = (_geocentric(part, earth) for part in degrees)
            ready[step] = cKDTree(at), at, np.stack([before, after], axis=1)
        tree, at, around = ready[step]
        lon, lat = to_degrees.transform(*xy.T)
        here = _geocentric(np.column_stack([lon, lat]), earth)
        foot = _foot(here, tree, at, around)
        to_lon, to_lat = _degrees(foot, earth)
        metres: FloatArray = np.asarray(earth.inv(lon, lat, to_lon, to_lat)[2])
        return metres

    return measure


def _dotted(edges: FloatArray, step: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Dots on edges at most a step apart, and the dots before and after each on its edge (itself at ends)."""
    start, stop = edges[:, 0], edges[:, 1]
    pieces = np.maximum(1, np.ceil(np.linalg.norm(stop - start, axis=1) / step)).astype(np.int64)
    owner = np.repeat(np.arange(len(edges)), pieces + 1)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(pieces + 1) - (pieces + 1), pieces + 1)

    def at(k: FloatArray) -> FloatArray:
        share = (np.clip(k, 0, pieces[owner]) / pieces[owner])[:, None]
        placed: FloatArray = start[owner] * (1 - share) + stop[owner] * share
        return placed

    return at(number), at(number - 1), at(number + 1)


def _foot(here: FloatArray, tree: Any, at: FloatArray, around: FloatArray) -> FloatArray:
    """Nearest place in space on the pieces of edges around the nearest dots."""
    _, near = tree.query(here, k=list(range(1, 1 + min(_DOTS, len(at)))))
    best = np.full(len(here), np.inf)
    foot = np.empty_like(here)
    for k in range(near.shape[1]):
        for side in range(2):
            from_, along = at[near[:, k]], around[near[:, k], side] - at[near[:, k]]
            length = np.maximum((along**2).sum(axis=1), 1e-12)
            share = np.clip(((here - from_) * along).sum(axis=1) / length, 0, 1)
            place = from_ + share[:, None] * along
            far = ((here - place) ** 2).sum(axis=1)
            closer = far < best
            best[closer], foot[closer] = far[closer], place[closer]
    return foot


def _geocentric(lonlat: FloatArray, earth: Any) -> FloatArray:
    """X, Y, Z in metres of places on the ellipsoid."""
    lon, lat = np.radians(lonlat).T
    a, es = earth.a, earth.es
    n = a / np.sqrt(1 - es * np.sin(lat) ** 2)
    return np.column_stack(
        [n * np.cos(lat) * np.cos(lon), n * np.cos(lat) * np.sin(lon), n * (1 - es) * np.sin(lat)]
    )


def _degrees(xyz: FloatArray, earth: Any) -> tuple[FloatArray, FloatArray]:
    """Longitude and latitude of places so near below the ellipsoid that their height does not matter."""
    x, y, z = xyz.T
    lat = np.arctan2(z, (1 - earth.es) * np.hypot(x, y))
    return np.degrees(np.arctan2(y, x)), np.degrees(lat)
