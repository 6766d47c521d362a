"""Some cells of a grid or a cube, the same ones each time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mpm3d import cube
from mpm3d.grid import FloatArray, Grid

CELLS = 20_000


def sample_of(grid: Grid, n: int = CELLS, *, seed: int = 0) -> Grid:
    """About so many cells of a grid as one coarser grid with the same centres: every so many along each axis.

    Parameters
    ----------
    grid : Grid
        All cells.
    n : int
        Number of cells at most; all of them if there are no more.
    seed : int
        Of where the first one lies.
    """
    stride = [1, 1, 1]
    while math.prod(-(-size // step) for size, step in zip(grid.shape, stride, strict=True)) > n:
        stride[int(np.argmax([size / step for size, step in zip(grid.shape, stride, strict=True)]))] += 1
    rng = np.random.default_rng(seed)
    first = [int(rng.integers(min(step, size))) for size, step in zip(grid.shape, stride, strict=True)]
    shape = tuple(-(-(size - o) // s) for size, o, s in zip(grid.shape, first, stride, strict=True))
    spacing = tuple(d * s for d, s in zip(grid.spacing, stride, strict=True))
    corner = tuple(
        c + (o + 0.5) * d - step / 2
        for c, o, d, step in zip(grid.corner, first, grid.spacing, spacing, strict=True)
    )
    return Grid(shape, spacing, corner, grid.crs)  # type: ignore[arg-type]


def sample_cube(
    ds: Any, n: int = CELLS, *, chunks: int = 27, seed: int = 0
) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Cells of the study volume drawn at random from some chunks of a cube, and the layers in them.

    Parameters
    ----------
    ds : Dataset
        The cube.
    n, chunks : int
        Number of cells, and of chunks to read, at most.
    seed : int
        Of the draw.

    Returns
    -------
    xyz : array of shape (m, 3)
        Centres of the cells.
    values : dict of str to array of shape (m,)
        By layer; NaN where missing.
    """
    rng = np.random.default_rng(seed)
    grid, size, names = cube.grid_of(ds), cube.chunk_of(ds), cube.layers_of(ds)
    counts = [-(-shape // step) for shape, step in zip(grid.shape, size, strict=True)]
    picked = rng.permutation(math.prod(counts))[:chunks]
    places: list[FloatArray] = [np.empty((0, 3))]
    found: dict[str, list[FloatArray]] = {name: [np.empty(0)] for name in names}
    for flat in picked:
        first = [int(k) * step for k, step in zip(np.unravel_index(flat, counts), size, strict=True)]
        z, y, x = (
            slice(start, min(start + step, whole))
            for start, step, whole in zip(first, size, grid.shape, strict=True)
        )
        inside = np.argwhere(cube.study_volume(ds, (z, y, x)))
        cells = inside[rng.permutation(len(inside))[: max(1, n // len(picked))]]
        places.append(grid.xyz_of(cells + first))
        values = cube.read_window(ds, names, (z, y, x))
        for name, layer in zip(names, values, strict=True):
            found[name].append(layer[tuple(cells.T)])
    return np.concatenate(places), {name: np.concatenate(parts) for name, parts in found.items()}
