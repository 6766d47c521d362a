"""Polygons in the columns of a grid: how much of each they cover, and which class they give it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.grid import FloatArray, Grid
from mpm3d.vectors.shapes import POLYGON, holder, of_type, parts_of

_Window = tuple[int, int, int, int]  # first and last row, first and last column, the last not included


def prepare_inside(shapes: Any) -> Callable[[Grid], FloatArray]:
    """Make what measures the share of each column that polygons cover, exact in map coordinates.

    Parameters
    ----------
    shapes : array of shapely geometries
        Polygons in the coordinate system of the grid; where they overlap counts once.

    Returns
    -------
    callable
        Takes a grid and gives shares ``(y, x)`` from 0 to 1.

    Raises
    ------
    ValueError
        If there is no polygon among the shapes.

    Examples
    --------
    >>> import shapely
    >>> grid = Grid((1, 1, 3), (100, 100, 100), (-50, 0, 0), "EPSG:32650")
    >>> prepare_inside([shapely.box(50, 0, 125, 100)])(grid)
    array([[0.5 , 0.25, 0.  ]])
    """
    import shapely

    whole = shapely.union_all(_polygons(shapes, "inside"))

    def measure(part: Grid) -> FloatArray:
        found = np.zeros(part.shape[1:])
        ny, nx = found.shape
        for (top, bottom, left, right), share in _covered(whole, part, (0, ny, 0, nx)):
            found[top:bottom, left:right] = share
        return found

    return measure


def _covered(shape: Any, part: Grid, window: _Window) -> Iterator[tuple[_Window, float]]:
    """Windows of columns that a shape covers alike: halves of halves, down to those it covers in part."""
    import shapely

    low, high, left, right = window
    dy, dx = part.spacing[1:]
    _, y, x = part.corner
    frame = shapely.box(x + left * dx, y + low * dy, x + right * dx, y + high * dy)
    inside = shapely.intersection(shape, frame)
    if inside.is_empty:
        return
    share = min(1.0, inside.area / frame.area)
    rows, columns = high - low, right - left
    if share > 1 - 1e-12 or rows * columns == 1:
        yield window, share
        return
    if rows >= columns:
        half = low + rows // 2
        pieces = [(low, half, left, right), (half, high, left, right)]
    else:
        half = left + columns // 2
        pieces = [(low, high, left, half), (low, high, half, right)]
    for piece in pieces:
        yield from _covered(inside, part, piece)


def prepare_classes(shapes: Any, codes: Sequence[int]) -> Callable[[Grid], FloatArray]:
    """Make what gives each column the code of the polygon that holds its centre.

    Parameters
    ----------
    shapes : array of shapely geometries
        Polygons in the coordinate system of the grid; the first counts where they overlap.
    codes : sequence of int
        A code for each shape. They stand for names: their order and differences mean nothing.

    Returns
    -------
    callable
        Takes a grid and gives codes ``(y, x)``, NaN where no polygon is.

    Raises
    ------
    ValueError
        If there is no polygon among the shapes.
    """
    import shapely

    _polygons(shapes, "class")
    parts, owner = parts_of(np.asarray(shapes, dtype=object))
    is_polygon = shapely.get_type_id(parts) == POLYGON
    parts, of_part = parts[is_polygon], np.asarray(codes, dtype=float)[owner[is_polygon]]

    def measure(part: Grid) -> FloatArray:
        found: NDArray[np.int64] = holder(parts, part)
        return np.where(found >= 0, of_part[found], np.nan)

    return measure


def _polygons(shapes: Any, measure: str) -> Any:
    parts, _ = parts_of(np.asarray(shapes, dtype=object))
    found = of_type(parts, POLYGON)
    if not len(found):
        raise ValueError(
            f"measure = {measure!r} needs polygons, and there are only lines or points. Use 'distance'."
        )
    return found
