"""Patches of a block's cells, gathered a batch at a time into one buffer."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from mpm3d.grid import Index3
from mpm3d.predict.settings import Float32


def batches(
    values: Float32, cells: NDArray[np.intp], patch: Index3, *, buffer: Float32
) -> Iterator[tuple[NDArray[np.intp], Float32]]:
    """Gather the patches of cells, so many at a time as the buffer holds.

    For each of the places in a patch, the layers of one cell lie side by side and the cells follow each
    other. So a place is gathered by rows, and a network finds its matrix of cells and channels ready.

    Parameters
    ----------
    values : array of shape (layer, z, y, x)
        A block with its halo, half a patch on each side.
    cells : array of shape (n,)
        Flat index of each cell among the cells of the block, without the halo.
    patch : tuple of int
        Cells of a patch along z, y, x.
    buffer : float32 array of one axis
        Where patches are put; each batch replaces the one before.

    Yields
    ------
    some : array of shape (k,)
        The next of ``cells``.
    patches : array of shape (k, layer, z, y, x)
        A view of the buffer; ``patches.transpose(2, 3, 4, 0, 1)`` is contiguous.

    Examples
    --------
    >>> values = np.arange(5, dtype=np.float32).reshape(1, 1, 1, 5)  # three cells and the halo
    >>> for some, patches in batches(values, np.array([0, 2]), (1, 1, 3), buffer=np.empty(3, np.float32)):
    ...     print(some, patches.ravel())
    [0] [0. 1. 2.]
    [2] [2. 3. 4.]
    """
    n_layers, *halo = values.shape
    rows = np.ascontiguousarray(np.moveaxis(values, 0, -1)).reshape(-1, n_layers)  # (cell, layer)
    core = [n - p + 1 for n, p in zip(halo, patch, strict=True)]
    steps = (halo[1] * halo[2], halo[2], 1)
    offsets = [sum(a * b for a, b in zip(at, steps, strict=True)) for at in product(*map(range, patch))]
    size = len(offsets) * n_layers
    batch = len(buffer) // size
    for start in range(0, len(cells), batch):
        some = cells[start : start + batch]
        z, y, x = np.unravel_index(some, core)
        first = z * steps[0] + y * steps[1] + x  # the corner of each patch among the rows
        block = buffer[: size * len(some)].reshape(len(offsets), len(some), n_layers)
        for place, offset in enumerate(offsets):
            # every index is inside; "clip" lets numpy write to the buffer without a copy
            np.take(rows, first + offset, axis=0, out=block[place], mode="clip")
        yield some, block.reshape(*patch, len(some), n_layers).transpose(3, 4, 0, 1, 2)
