"""Lattices whose axes are rotated or skewed: values at places in their own coordinates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpm3d.geometry import Array
from mpm3d.grid import FloatArray, Grid
from mpm3d.lattice import Frame, Values
from mpm3d.resampling.tensor import Edges, between, holder

# a centre this close to an outer face, in widths of the outer cell, counts as inside: rounding of coordinates
_NEAR = 1e-6


def local_places(frame: Frame, grid: Grid) -> list[FloatArray]:
    """Local z, y and x of the cell centres of a grid, three arrays of its shape.

    The transform is linear, so it is the sum of a part of x, one of y and one of z.
    """
    inverse = np.linalg.inv(frame.axes)
    z, y, x = (grid.centres(axis) - frame.origin[2 - axis] for axis in range(3))
    return [
        np.asarray(
            z[:, None, None] * inverse[2, k] + y[:, None] * inverse[1, k] + x * inverse[0, k], dtype=float
        )
        for k in (2, 1, 0)
    ]


def from_frame(edges: Edges, values: Values, frame: Frame, grid: Grid, method: str) -> NDArray[np.float32]:
    """Values of a tensor mesh in local coordinates at the cell centres of a grid.

    Parameters
    ----------
    edges : tuple of three arrays
        Ascending cell edges along the local z, y and x.
    values : array of shape (z, y, x)
        Only the box around the cells that the grid meets is read.
    frame : Frame
        Place and directions of the local axes.
    grid : Grid
        Where values are wanted.
    method : {"linear", "nearest"}
        Trilinear between cell centres and constant in the outer half cell, or the cell that holds the centre.

    Returns
    -------
    array of shape (z, y, x)
        NaN outside the mesh, and where a cell that contributes is NaN.
    """
    result = np.full(grid.shape, np.nan, dtype=np.float32)
    places = local_places(frame, grid)
    inside = np.ones(grid.shape, dtype=bool)
    for edge, at in zip(edges, places, strict=True):
        low, high = edge[0] - _NEAR * (edge[1] - edge[0]), edge[-1] + _NEAR * (edge[-1] - edge[-2])
        inside &= (at >= low) & (at <= high)
    if not inside.any():
        return result
    places = [at[inside] for at in places]
    if method == "nearest":
        index = [holder(edge, at) for edge, at in zip(edges, places, strict=True)]
        part, start = _window(values, index, index)
        result[inside] = part[tuple(i - s for i, s in zip(index, start, strict=True))]
    else:
        result[inside] = _trilinear(edges, values, places)
    return result


def _window(values: Values, low: list[Array], high: list[Array]) -> tuple[FloatArray, list[int]]:
    """The box of values from the least ``low`` to the greatest ``high``, and where it begins."""
    start = [int(i.min()) for i in low]
    box = tuple(slice(a, int(i.max()) + 1) for a, i in zip(start, high, strict=True))
    return np.asarray(values[box], dtype=float), start


def _trilinear(edges: Edges, values: Values, places: list[FloatArray]) -> FloatArray:
    axes = [between((edge[1:] + edge[:-1]) / 2, at) for edge, at in zip(edges, places, strict=True)]
    part, start = _window(values, [axis[0] for axis in axes], [axis[1] for axis in axes])
    strides = (part.shape[1] * part.shape[2], part.shape[2], 1)
    ends = [
        (((low - s) * stride, 1 - share), ((high - s) * stride, share))
        for (low, high, share), s, stride in zip(axes, start, strides, strict=True)
    ]
    flat, complete = part.ravel(), bool(np.isfinite(part).all())
    total = np.zeros(len(places[0]))
    missing = np.zeros(len(total), dtype=bool)
    for z, z_share in ends[0]:
        for y, y_share in ends[1]:
            for x, x_share in ends[2]:
                share, value = z_share * y_share * x_share, flat[z + y + x]
                if not complete:
                    unknown = ~np.isfinite(value)
                    missing |= unknown & (share > 0)
                    value[unknown] = 0.0
                total += share * value
    total[missing] = np.nan
    return total
