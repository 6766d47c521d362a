"""What the cells are told about the geology: distances, insides and resampled values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import igl
import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpm3d.distance import Nearest, open_space
from mpm3d.geometry import Surface, check_surface
from mpm3d.grid import FloatArray, Grid
from mpm3d.resampling import METHODS, resample

__all__ = [
    "CUTOFF", "METHODS", "distance", "inside", "prepare_distance", "prepare_inside", "resample",
]  # fmt: skip

CUTOFF = 2000.0


def distance(
    points: ArrayLike, surfaces: Sequence[Surface], *, cutoff: float = CUTOFF, solid: bool = False
) -> FloatArray:
    """Exact distance from points to the nearest triangle of several surfaces, up to a cutoff.

    Parameters
    ----------
    points : array of shape (n, 3)
        x, y, elevation in metres.
    surfaces : sequence of Surface
        At least one, each with triangles.
    cutoff : float
        Distances above it, in metres, become equal to it.
    solid : bool
        Whether the surfaces bound bodies: 0 inside each. They must be closed then; triangles may be
        oriented either way.

    Returns
    -------
    array of shape (n,)
        Distances in metres, from 0 to `cutoff`; NaN for a point that is not finite.

    Raises
    ------
    ValueError
        If there is no surface, a surface has no triangle or is open where a solid is asked for, or the
        cutoff is not above 0.

    Examples
    --------
    >>> square = Surface("square", np.array([[0, 0, 0], [10, 0, 0], [10, 10, 0], [0, 10, 0.0]]),
    ...                  np.array([[0, 1, 2], [0, 2, 3]]))
    >>> distance([[5, 5, 4], [13, 5, 4], [5, 5, 900]], [square], cutoff=100)
    array([  4.,   5., 100.])
    """
    xyz = _points(points)
    _check_distance(surfaces, cutoff)
    result = np.full(len(xyz), float(cutoff))
    result[~np.isfinite(xyz).all(axis=1)] = np.nan
    corners = np.concatenate([s.vertices[s.triangles] for s in surfaces])  # (triangle, corner, xyz)
    _shrink(result, xyz, corners, cutoff)
    if solid:
        for surface in surfaces:
            result[inside(xyz, surface)] = 0.0
    return result


def prepare_distance(
    surfaces: Sequence[Surface], *, cutoff: float = CUTOFF, solid: bool = False
) -> Callable[[Grid], FloatArray]:
    """Distance to surfaces as a function of a part of a grid; the triangles are put in order once.

    Parameters
    ----------
    surfaces, cutoff, solid
        As in `distance`.

    Returns
    -------
    callable
        Gets a `Grid`, the window of a chunk for example, and returns distances of shape ``(z, y, x)`` in
        metres. What it gives for a cell does not depend on the window. Threads may share it.

    Raises
    ------
    ValueError
        As `distance` does.

    Examples
    --------
    >>> square = Surface("square", np.array([[0, 0, 0], [10, 0, 0], [10, 10, 0], [0, 10, 0.0]]),
    ...                  np.array([[0, 1, 2], [0, 2, 3]]))
    >>> fill = prepare_distance([square], cutoff=100)
    >>> fill(Grid((2, 1, 1), (8.0, 10.0, 10.0), (0.0, 0.0, 0.0), "EPSG:32651")).ravel()
    array([ 4., 12.])
    """
    _check_distance(surfaces, cutoff)
    within = prepare_inside(surfaces) if solid else None
    nearest = Nearest(surfaces)

    def fill(grid: Grid) -> FloatArray:
        result = nearest.to_cells(grid, cutoff=cutoff)
        if within is not None:
            result[within(grid)] = 0.0
        return result

    return fill


def prepare_inside(surfaces: Sequence[Surface]) -> Callable[[Grid], NDArray[np.bool_]]:
    """Whether cells lie inside any of several closed surfaces, as a function of a part of a grid.

    A winding number is asked for near the triangles only; elsewhere one cell of each part of the grid that
    no triangle divides decides for all its cells.

    Parameters
    ----------
    surfaces : sequence of Surface
        Closed, in one part or several, as in `inside`.

    Returns
    -------
    callable
        Gets a `Grid`, returns booleans of shape ``(z, y, x)``. Threads may share it.

    Raises
    ------
    ValueError
        If a surface has no triangle or is not closed.
    """
    solids = [_solid(surface) for surface in surfaces]
    return lambda grid: np.logical_or.reduce([_inside_cells(grid, *solid) for solid in solids])


def _inside_cells(grid: Grid, vertices: FloatArray, triangles: NDArray[np.int64]) -> NDArray[np.bool_]:
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    bounds = np.array(grid.bounds).reshape(2, 3)
    if np.any(bounds[1] < low) or np.any(bounds[0] > high):
        return np.zeros(grid.shape, dtype=bool)
    parts = open_space(grid, vertices[triangles])
    numbers, samples = np.unique(parts, return_index=True)
    decided = np.zeros(int(numbers[-1]) + 1, dtype=bool)
    chosen = np.column_stack(np.unravel_index(samples, grid.shape))
    decided[numbers] = _winds(grid.xyz_of(chosen), vertices, triangles)
    result: NDArray[np.bool_] = decided[parts]
    near = np.argwhere(parts == 0)
    result[tuple(near.T)] = _winds(grid.xyz_of(near), vertices, triangles)
    return result


def inside(points: ArrayLike, surface: Surface) -> NDArray[np.bool_]:
    """Whether points lie inside a closed surface, by its winding number.

    The number does not depend on which way the triangles of a part face. A part inside another one is a
    cavity when it faces the other way, and part of the body otherwise.

    Parameters
    ----------
    points : array of shape (n, 3)
        x, y, elevation in metres.
    surface : Surface
        Closed, in one part or several.

    Returns
    -------
    array of shape (n,)
        False outside and for points that are not finite; on the surface itself either.

    Raises
    ------
    ValueError
        If the surface has no triangle or is not closed.

    References
    ----------
    Barill et al. 2018, Fast winding numbers for soups and clouds, doi 10.1145/3197517.3201337.
    """
    return _winds(_points(points), *_solid(surface))


def _winds(xyz: FloatArray, vertices: FloatArray, triangles: NDArray[np.int64]) -> NDArray[np.bool_]:
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    with np.errstate(invalid="ignore"):
        near = np.flatnonzero(((xyz >= low) & (xyz <= high)).all(axis=1))
    result = np.zeros(len(xyz), dtype=bool)
    if len(near):
        centre = (low + high) / 2  # libigl works in single precision here
        winding = igl.fast_winding_number(vertices - centre, triangles, xyz[near] - centre)
        result[near] = np.abs(winding) > 0.5
    return result


def _points(points: ArrayLike) -> FloatArray:
    return np.asarray(points, dtype=float).reshape(-1, 3)


def _check_distance(surfaces: Sequence[Surface], cutoff: float) -> None:
    if not cutoff > 0:
        raise ValueError(f"a cutoff of {cutoff:g} m is not possible, it must be above 0.")
    if not len(surfaces):
        raise ValueError("there is no surface to measure a distance to, give at least one.")
    for surface in surfaces:
        check_surface(surface)


def _shrink(result: FloatArray, xyz: FloatArray, corners: FloatArray, cutoff: float) -> None:
    """Put the distances below the cutoff into ``result``; what is surely farther is not asked for."""
    low, high = corners.min(axis=1), corners.max(axis=1)
    with np.errstate(invalid="ignore"):
        gap = np.maximum(np.maximum(low.min(axis=0) - xyz, xyz - high.max(axis=0)), 0.0)
        near = np.flatnonzero((gap**2).sum(axis=1) < cutoff**2)
    if not len(near):
        return
    asked = xyz[near]
    first, last = asked.min(axis=0) - cutoff, asked.max(axis=0) + cutoff
    corners = corners[((low <= last) & (high >= first)).all(axis=1)]
    if not len(corners):
        return
    origin = asked.mean(axis=0)  # squares of UTM coordinates would cost digits
    vertices = corners.reshape(-1, 3) - origin
    triangles = np.arange(len(vertices), dtype=np.int64).reshape(-1, 3)
    squared, _, _ = igl.point_mesh_squared_distance(asked - origin, vertices, triangles)
    result[near] = np.minimum(np.sqrt(squared), cutoff)


@lru_cache(maxsize=32)
def _solid(surface: Surface) -> tuple[FloatArray, NDArray[np.int64]]:
    """Vertices and triangles of a closed surface, parts facing out and cavities facing in."""
    check_surface(surface)
    if not surface.is_closed:
        raise ValueError(
            f"surface {surface.name!r} is not closed, so it has no inside. Close it, or use the distance to "
            "its triangles (for a vein sheet, give a thickness)."
        )
    body = surface.welded()
    triangles, part = igl.bfs_orient(body.triangles)
    if not _parts_closed(triangles, part):  # parts that meet along an edge: their own facing has to do
        triangles, part = body.triangles, np.zeros(len(body.triangles), dtype=np.int64)
    a, b, c = np.moveaxis((body.vertices - body.vertices.mean(axis=0))[triangles], 1, 0)
    volume = np.bincount(part, np.einsum("ij,ij->i", a, np.cross(b, c)))
    sign = np.where(volume < 0, -1, 1)
    if np.any(sign < 0) and np.any(sign > 0):
        sign = sign * _fill(body.vertices, triangles, part, sign)
    triangles = np.where((sign[part] < 0)[:, None], triangles[:, ::-1], triangles)
    return body.vertices, np.ascontiguousarray(triangles)


def _parts_closed(triangles: NDArray[np.int64], part: NDArray[np.int64]) -> bool:
    edges = np.sort(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    _, counts = np.unique(np.column_stack([np.repeat(part, 3), edges]), axis=0, return_counts=True)
    return bool(np.all(counts % 2 == 0))


def _fill(
    vertices: FloatArray, triangles: NDArray[np.int64], part: NDArray[np.int64], sign: NDArray[np.int64]
) -> NDArray[np.int64]:
    """1 for a part that is body, -1 for one that faces the other way than the part around it."""
    kind = np.ones(len(sign), dtype=np.int64)
    local = vertices - vertices.mean(axis=0)
    for number in range(len(sign)):
        own = part == number
        probe = local[triangles[own][:1, 0]]
        around = igl.winding_number(local, np.ascontiguousarray(triangles[~own]), probe)[0]
        if round(float(around)) * sign[number] < 0:
            kind[number] = -1
    return kind
