"""Random fields, memberships and blurs on lattices of equal cells."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from mpm3d.grid import FloatArray, Grid


def random_field(shape: tuple[int, ...], length: float, rng: np.random.Generator) -> FloatArray:
    """Draw a smooth Gaussian field of mean 0 and standard deviation 1.

    Parameters
    ----------
    shape : tuple of int
        Cells along each axis.
    length : float
        Standard deviation of the Gaussian that smooths white noise, in cells.
    rng : numpy.random.Generator
        Source of the noise.

    Returns
    -------
    array of ``shape``
        Standardised over the lattice itself.
    """
    field = gaussian_filter(rng.standard_normal(shape), length, mode="wrap")
    standard: FloatArray = (field - field.mean()) / field.std()
    return standard


def window(distance: FloatArray, start: float, stop: float, *, inner: float, outer: float) -> FloatArray:
    """Membership that is 1 between two distances and falls off as Gaussians of width inner and outer."""
    below = np.maximum(start - distance, 0.0) / inner
    above = np.maximum(distance - stop, 0.0) / outer
    membership: FloatArray = np.exp(-0.5 * (below**2 + above**2))
    return membership


def sample(grid: Grid, values: FloatArray, points: FloatArray) -> FloatArray:
    """Trilinear values ``(n,)`` of a lattice at ``(n, 3)`` points; constant beyond its outer centres."""
    position = (points[:, ::-1] - np.asarray(grid.first_centre)) / np.asarray(grid.spacing)
    at: FloatArray = map_coordinates(values, position.T, order=1, mode="nearest")
    return at


def blur_with_depth(
    values: FloatArray, depth: FloatArray, *, start: float, growth: float, levels: int = 8
) -> FloatArray:
    """Smooth a lattice the more the deeper a cell lies, as surface data resolve the ground.

    Parameters
    ----------
    values : array of shape (z, y, x)
        The true field.
    depth : array of shape (z, y, x)
        Depth below ground in cells; negative in the air.
    start : float
        Standard deviation of the Gaussian at the surface, in cells.
    growth : float
        Growth of the standard deviation per cell of depth.
    levels : int
        Blurs that are made; between them the result is interpolated.

    Returns
    -------
    array of shape (z, y, x)
    """
    width = start + growth * np.maximum(depth, 0.0)
    steps = np.linspace(start, max(float(width.max()), start + 1e-6), levels)
    above = np.clip(np.searchsorted(steps, width, side="right"), 1, levels - 1)
    blurred = np.zeros(values.shape)
    for level, sigma in enumerate(steps):
        smooth = gaussian_filter(values, sigma, mode="nearest")
        weight = (width - steps[above - 1]) / (steps[above] - steps[above - 1])
        blurred += np.where(above == level, weight, 0.0) * smooth
        blurred += np.where(above - 1 == level, 1.0 - weight, 0.0) * smooth
    return blurred
