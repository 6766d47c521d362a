"""What the cells are told about the geology: distances, insides, ground and resampled values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import igl
import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpm3d.blocks import index_boxes
from mpm3d.distance import Nearest, open_space
from mpm3d.geometry import Surface
from mpm3d.grid import FloatArray, Grid
from mpm3d.resampling import METHODS, resample
from mpm3d.resampling.tensor import between

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "CUTOFF", "METHODS", "below_topography", "distance", "elevation_at", "inside", "prepare_distance",
    "prepare_inside", "resample",
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


def elevation_at(xy: ArrayLike, ground: Surface | xr.DataArray) -> FloatArray:
    """Height of the ground at points of the map.

    Parameters
    ----------
    xy : array of shape (n, 2)
        x, y in metres.
    ground : Surface or DataArray
        A triangulated surface, interpolated in its own triangles, the highest where it overhangs; or heights
        on ``(y, x)``, interpolated between the centres of the pixels.

    Returns
    -------
    array of shape (n,)
        Elevation in metres; NaN outside, and where a height that contributes is NaN.

    Raises
    ------
    ValueError
        If the surface has no triangle, or the heights are not on y and x.
    """
    points = np.asarray(xy, dtype=float).reshape(-1, 2)
    if isinstance(ground, Surface):
        _check(ground)
        return _highest(points, ground.vertices[ground.triangles])
    return _bilinear(points, ground)


def below_topography(grid: Grid, ground: Surface | xr.DataArray) -> NDArray[np.bool_]:
    """Whether the centre of each cell lies at or below the ground.

    Parameters
    ----------
    grid : Grid
        The cells; the window of a chunk will do.
    ground : Surface or DataArray
        As in `elevation_at`.

    Returns
    -------
    array of shape (z, y, x)
        False above the ground and outside the footprint of the topography.
    """
    y, x = np.meshgrid(grid.centres(1), grid.centres(2), indexing="ij")
    height = elevation_at(np.column_stack([x.ravel(), y.ravel()]), ground).reshape(y.shape)
    with np.errstate(invalid="ignore"):
        below: NDArray[np.bool_] = grid.centres(0)[:, None, None] <= height
    return below


def _points(points: ArrayLike) -> FloatArray:
    return np.asarray(points, dtype=float).reshape(-1, 3)


def _check_distance(surfaces: Sequence[Surface], cutoff: float) -> None:
    if not cutoff > 0:
        raise ValueError(f"a cutoff of {cutoff:g} m is not possible, it must be above 0.")
    if not len(surfaces):
        raise ValueError("there is no surface to measure a distance to, give at least one.")
    for surface in surfaces:
        _check(surface)


def _check(surface: Surface) -> None:
    if not len(surface.triangles):
        raise ValueError(f"surface {surface.name!r} has no triangle, its file may hold points only.")
    used = surface.vertices[np.unique(surface.triangles)]
    bad = int((~np.isfinite(used)).any(axis=1).sum())
    if bad:
        raise ValueError(
            f"surface {surface.name!r} has {bad} vertices that are not finite numbers. "
            "Drop them first: surface.without_vertices(...)."
        )


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
    _check(surface)
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


def _highest(points: FloatArray, corners: FloatArray) -> FloatArray:
    """Highest elevation of the triangles ``(m, 3, 3)`` over points ``(n, 2)``, found through square bins."""
    height = np.full(len(points), -np.inf)
    valid = np.flatnonzero(np.isfinite(points).all(axis=1))
    if not len(valid):
        return np.full(len(points), np.nan)
    start, stop = points[valid].min(axis=0), points[valid].max(axis=0)
    side = max(float(np.max(stop - start)) / max(1.0, np.sqrt(len(valid))), 1e-6)
    count = np.floor((stop - start) / side).astype(np.int64) + 1
    place = np.minimum(np.floor((points[valid] - start) / side).astype(np.int64), count - 1)
    code = place[:, 0] * count[1] + place[:, 1]
    order = valid[np.argsort(code, kind="stable")]
    begins = np.searchsorted(np.sort(code), np.arange(count.prod() + 1))
    flat = corners[:, :, :2]
    low = np.floor((flat.min(axis=1) - start) / side - 1e-9).astype(np.int64)
    high = np.floor((flat.max(axis=1) - start) / side + 1e-9).astype(np.int64)
    low, high = np.maximum(low, 0), np.minimum(high, count - 1)
    for owner, bin_index in index_boxes(low, high):
        bins = bin_index[:, 0] * count[1] + bin_index[:, 1]
        pairs = index_boxes(begins[bins][:, None], begins[bins + 1][:, None] - 1)
        for which, position in pairs:
            point = order[position[:, 0]]
            z = _height_in(points[point], corners[owner[which]])
            np.maximum.at(height, point, np.where(np.isnan(z), -np.inf, z))
    return np.where(np.isfinite(height), height, np.nan)


def _height_in(points: FloatArray, corners: FloatArray) -> FloatArray:
    """Height of each triangle over its own point; NaN beside it and for upright triangles."""
    a = corners[:, 0]
    (ux, uy, uz), (vx, vy, vz) = (corners[:, 1] - a).T, (corners[:, 2] - a).T
    px, py = (points - a[:, :2]).T
    area = ux * vy - uy * vx
    longest = np.maximum(ux**2 + uy**2, vx**2 + vy**2)
    flat = np.abs(area) > 1e-12 * longest
    area = np.where(flat, area, 1.0)
    s, t = (px * vy - py * vx) / area, (ux * py - uy * px) / area
    hit = flat & (s >= -1e-9) & (t >= -1e-9) & (s + t <= 1 + 1e-9)
    return np.where(hit, a[:, 2] + s * uz + t * vz, np.nan)


def _bilinear(points: FloatArray, heights: xr.DataArray) -> FloatArray:
    field = heights.squeeze(drop=True)
    if set(field.dims) != {"y", "x"}:
        raise ValueError(f"the heights lie on {tuple(map(str, heights.dims))}, they must lie on y and x.")
    field = field.transpose("y", "x").sortby(["y", "x"])
    value = np.asarray(field.values, dtype=float)
    known, inside_all = ~np.isnan(value), np.isfinite(points).all(axis=1)
    axes = []
    for column, name in ((1, "y"), (0, "x")):
        nodes = np.asarray(field[name].values, dtype=float)
        ends = np.diff(nodes) / 2 if len(nodes) > 1 else np.array([0.5])
        at = points[:, column]
        with np.errstate(invalid="ignore"):
            inside_all &= (at >= nodes[0] - ends[0]) & (at <= nodes[-1] + ends[-1])
        axes.append((nodes, at))
    y, x = (between(nodes, np.where(inside_all, at, nodes[0])) for nodes, at in axes)
    total, missing = np.zeros(len(points)), ~inside_all
    for row, row_share in ((y[0], 1 - y[2]), (y[1], y[2])):
        for column_index, column_share in ((x[0], 1 - x[2]), (x[1], x[2])):
            share = row_share * column_share
            missing |= (share > 0) & ~known[row, column_index]
            total += share * np.where(known, value, 0.0)[row, column_index]
    return np.where(missing, np.nan, total)
