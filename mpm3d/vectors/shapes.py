"""Shapes taken apart, and the columns of a grid that they hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.grid import FloatArray, Grid

POINT, LINE, RING, POLYGON, COLLECTIONS = 0, 1, 2, 3, (4, 5, 6, 7)


def parts_of(shapes: Any) -> tuple[Any, NDArray[np.intp]]:
    """Points, lines and polygons that shapes consist of, and the number of the shape that each is of."""
    import shapely

    parts, owner = shapely.get_parts(shapes, return_index=True)
    while np.isin(shapely.get_type_id(parts), COLLECTIONS).any():  # collections of collections
        parts, inner = shapely.get_parts(parts, return_index=True)
        owner = owner[inner]
    return parts, owner


def of_type(parts: Any, *kinds: int) -> Any:
    """Those of some parts that are of a type."""
    import shapely

    return parts[np.isin(shapely.get_type_id(parts), kinds)]


def segments_of(parts: Any) -> FloatArray:
    """Ends ``(n, 2, 2)`` of the edges of lines and polygons; a point is an edge without length."""
    import shapely

    points = shapely.get_coordinates(of_type(parts, POINT))
    lines = np.concatenate([of_type(parts, LINE, RING), shapely.boundary(of_type(parts, POLYGON))])
    lines, _ = parts_of(lines)  # a polygon with holes has several rings
    xy, owner = shapely.get_coordinates(lines, return_index=True)
    joined = owner[1:] == owner[:-1]
    edges = np.stack([xy[:-1][joined], xy[1:][joined]], axis=1)
    return np.concatenate([edges, np.stack([points, points], axis=1)])


def centres(part: Grid) -> tuple[FloatArray, FloatArray]:
    """X and y of the centres of columns, ``(y, x)`` each, in metres."""
    x, y = np.meshgrid(part.centres(2), part.centres(1))
    return x, y


def holder(polygons: Any, part: Grid) -> NDArray[np.int64]:
    """Number ``(y, x)`` of the first polygon that holds the centre of a column, -1 where none does."""
    import shapely

    found = np.full(part.shape[1:], -1, dtype=np.int64)
    x, y = part.centres(2), part.centres(1)
    shapely.prepare(polygons)
    for number, polygon in enumerate(polygons):
        xmin, ymin, xmax, ymax = polygon.bounds
        rows = slice(np.searchsorted(y, ymin), np.searchsorted(y, ymax, "right"))
        columns = slice(np.searchsorted(x, xmin), np.searchsorted(x, xmax, "right"))
        window = found[rows, columns]
        if window.size and (free := window < 0).any():
            across, up = np.meshgrid(x[columns], y[rows])
            held = shapely.intersects_xy(polygon, across[free], up[free])
            window[free] = np.where(held, number, -1)
    return found
