"""Differences between neighbours, and filters of wavenumbers on grids with edges and gaps."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from mpm3d.errors import require
from mpm3d.grid import FloatArray

# rounds in which cells of a gap take the mean of their neighbours
_ROUNDS = 200


def checked(field: FloatArray, spacing: tuple[float, float]) -> FloatArray:
    """The field as float64, infinite values missing.

    Raises
    ------
    ValueError
        If it is not of two axes of at least 3 cells, or the cells have no size.
    """
    array = np.asarray(field, dtype=float)
    if array.ndim != 2 or min(array.shape) < 3:
        raise ValueError(
            f"a field of shape {array.shape} is not possible, (y, x) of at least 3 × 3 is needed."
        )
    if len(spacing) != 2 or not all(0 < step < np.inf for step in spacing):
        raise ValueError(f"cells of {spacing} m (y, x) are not possible, each side must be above 0.")
    return np.where(np.isfinite(array), array, np.nan)


def horizontal(field: FloatArray, step: float, *, axis: int) -> FloatArray:
    """Derivative along an axis: the mean of the slopes to both neighbours, or the one that there is."""
    slope = np.diff(field, axis=axis) / step
    pad = [(0, 0), (0, 0)]
    pad[axis] = (1, 1)
    both = np.pad(slope, pad, constant_values=np.nan)
    before, after = (both, both[1:]) if axis == 0 else (both, both[:, 1:])
    before = before[: field.shape[0], : field.shape[1]]
    mean = (before + after) / 2
    return np.where(np.isfinite(mean), mean, np.where(np.isfinite(before), before, after))


def spectral(field: FloatArray, spacing: tuple[float, float], *, height: float | None = None) -> FloatArray:
    """The vertical derivative (z downward) of a field, or the field continued upward by ``height`` metres."""
    missing = ~np.isfinite(field)
    if missing.all():
        return np.full(field.shape, np.nan)
    whole = filled(field)
    flat, plane = level(whole)
    found = _filtered(_mirrored(flat), spacing, height)[: field.shape[0], : field.shape[1]]
    # a plane is the same at all heights
    return np.where(missing, np.nan, found if height is None else found + plane)


def filled(field: FloatArray) -> FloatArray:
    """The field with values in its gaps: those of the nearest cells, smoothed within the gaps."""
    from scipy import ndimage

    missing = ~np.isfinite(field)
    if not missing.any():
        return field
    near = ndimage.distance_transform_edt(missing, return_distances=False, return_indices=True)
    whole: FloatArray = field[tuple(near)]
    cross = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / 4
    for _ in range(_ROUNDS):
        whole[missing] = ndimage.convolve(whole, cross, mode="nearest")[missing]
    return whole


def level(field: FloatArray) -> tuple[FloatArray, FloatArray]:
    """A field less the plane that fits it best, and the plane."""
    y, x = (np.arange(n) - (n - 1) / 2 for n in field.shape)
    mean = field.mean()
    # centred coordinates of a full grid are uncorrelated, so each slope is fitted by itself
    up, right = y @ (field - mean).mean(axis=1) / (y @ y), x @ (field - mean).mean(axis=0) / (x @ x)
    plane: FloatArray = mean + up * y[:, None] + right * x
    return field - plane, plane


def _mirrored(field: FloatArray) -> FloatArray:
    """The field beside its mirror images: periodic, without a step at the edges."""
    twice = np.concatenate([field, field[::-1]], axis=0)
    return np.concatenate([twice, twice[:, ::-1]], axis=1)


def _filtered(field: FloatArray, spacing: tuple[float, float], height: float | None) -> FloatArray:
    harmonica: Any = require("harmonica", extra="maps")
    import xarray as xr

    axes = {"northing": np.arange(field.shape[0]) * spacing[0]}
    axes["easting"] = np.arange(field.shape[1]) * spacing[1]
    grid = xr.DataArray(field, axes, ("northing", "easting"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        if height is None:  # harmonica's is upward
            return -np.asarray(harmonica.derivative_upward(grid).values)
        return np.asarray(harmonica.upward_continuation(grid, height).values)
