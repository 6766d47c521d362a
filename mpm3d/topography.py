"""The ground: its elevation at places of the map, over columns of cells, and which cells lie below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpm3d.blocks import index_boxes
from mpm3d.geometry import Surface, check_surface
from mpm3d.grid import FloatArray, Grid
from mpm3d.resampling.tensor import between

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["below", "elevation_at", "heights"]


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
        check_surface(ground)
        return _highest(points, ground.vertices[ground.triangles])
    return _bilinear(points, ground)


def heights(grid: Grid, ground: Surface | xr.DataArray) -> FloatArray:
    """Elevation of the ground over the centre of each column.

    Parameters
    ----------
    grid : Grid
        The cells; the window of a chunk will do.
    ground : Surface or DataArray
        As in `elevation_at`.

    Returns
    -------
    array of shape (y, x)
        In metres; NaN outside the footprint of the topography.
    """
    y, x = np.meshgrid(grid.centres(1), grid.centres(2), indexing="ij")
    return elevation_at(np.column_stack([x.ravel(), y.ravel()]), ground).reshape(y.shape)


def below(grid: Grid, ground: Surface | xr.DataArray) -> NDArray[np.bool_]:
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
    with np.errstate(invalid="ignore"):
        found: NDArray[np.bool_] = grid.centres(0)[:, None, None] <= heights(grid, ground)
    return found


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
