"""Distance to points, lines and polygons, on the plane of the map or on the ellipsoid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mpm3d.grid import FloatArray, Grid
from mpm3d.vectors.geodesic import prepare_geodesic
from mpm3d.vectors.shapes import POLYGON, centres, holder, of_type, parts_of, segments_of

_AT_ONCE = 200_000


def prepare_distance(
    shapes: Any, crs: str, *, cutoff: float | None = None, geodesic: bool = False
) -> Callable[[Grid], FloatArray]:
    """Make what measures the distance from the columns of a grid to the nearest of some shapes.

    Parameters
    ----------
    shapes : array of shapely geometries
        Points, lines and polygons in the coordinate system of the grid.
    crs : str
        Coordinate system of the grid.
    cutoff : float, optional
        Metres; farther is this far. By default nothing is cut off.
    geodesic : bool
        Over the ellipsoid, for maps so wide that the scale of the projection differs; see
        `geodesic.prepare_geodesic`. Otherwise exact in the coordinates of the map.

    Returns
    -------
    callable
        Takes a grid and gives metres ``(y, x)`` from the centres of its columns, 0 inside polygons and on
        their edges. Heights play no part.

    Raises
    ------
    ValueError
        If there is no shape, the cutoff is not above 0, or the map is in degrees and the distance not
        geodesic.

    Examples
    --------
    >>> import shapely
    >>> grid = Grid((1, 1, 3), (100, 100, 100), (-50, 0, 0), "EPSG:32650")
    >>> prepare_distance([shapely.LineString([(50, 0), (50, 500)])], grid.crs)(grid)
    array([[  0., 100., 200.]])
    """
    import pyproj
    import shapely

    if cutoff is not None and not cutoff > 0:
        raise ValueError(f"a cutoff of {cutoff:g} m is not possible, it must be above 0.")
    if pyproj.CRS.from_user_input(crs).is_geographic and not geodesic:
        raise ValueError(
            f"the grid is in degrees ({crs}), and distances on its plane would be too. Set geodesic = true, "
            "or use a projected coordinate system."
        )
    parts, _ = parts_of(np.asarray(shapes, dtype=object))
    if not len(parts):
        raise ValueError("there is no shape to measure the distance to, give at least one.")
    polygons, edges = of_type(parts, POLYGON), segments_of(parts)
    limit = np.inf if cutoff is None else cutoff
    if geodesic:
        far = prepare_geodesic(edges, crs)
    else:
        tree = shapely.STRtree(shapely.linestrings(edges))
        far = lambda xy, step: _nearest(tree, xy, limit)  # noqa: E731

    def measure(part: Grid) -> FloatArray:
        outside = holder(polygons, part) < 0
        x, y = centres(part)
        found = np.zeros(outside.shape)
        xy = np.column_stack([x[outside], y[outside]])
        pieces = [xy[start : start + _AT_ONCE] for start in range(0, len(xy), _AT_ONCE)]
        step = min(part.spacing[1:]) / 2
        found[outside] = np.concatenate([np.empty(0), *(far(piece, step) for piece in pieces)])
        return np.minimum(found, limit)

    return measure


def _nearest(tree: Any, xy: FloatArray, limit: float) -> FloatArray:
    """Distance to the nearest geometry of a tree, the limit where all are farther."""
    import shapely

    found = np.full(len(xy), limit)
    most = limit if np.isfinite(limit) else None
    (who, _), metres = tree.query_nearest(
        shapely.points(xy), max_distance=most, return_distance=True, all_matches=False
    )
    found[who] = metres
    return found
