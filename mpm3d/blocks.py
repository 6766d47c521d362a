"""Pieces of work: a volume cut into blocks, each of whole chunks, with the margin that it reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from mpm3d.grid import Index3, Window


@dataclass(frozen=True)
class Block:
    """A piece of a volume.

    Parameters
    ----------
    index : tuple of int
        Position among the blocks along z, y, x.
    core : tuple of slice
        Cells that are written, along z, y, x.
    halo : tuple of slice
        Cells that are read: the core and the margin, cut at the faces of the volume.
    """

    index: Index3
    core: Window
    halo: Window

    @property
    def shape(self) -> Index3:
        """Number of cells of the core along z, y, x."""
        z, y, x = (cut.stop - cut.start for cut in self.core)
        return z, y, x


def tile(
    shape: Index3, block: Index3, *, chunk: Index3 | None = None, margin: Index3 = (0, 0, 0)
) -> Iterator[Block]:
    """Cut a volume into blocks that cover every cell exactly once.

    Parameters
    ----------
    shape : tuple of int
        Cells of the volume along z, y, x.
    block : tuple of int
        Cells of a block; the last one of an axis may be smaller.
    chunk : tuple of int, optional
        Chunks of the output. A block must be whole chunks, so that no two blocks write one chunk.
    margin : tuple of int
        Cells read around the core on either side.

    Raises
    ------
    ValueError
        If a block is not a whole number of chunks, or a number is out of range.

    Examples
    --------
    >>> [b.core[2] for b in tile((1, 1, 5), (1, 1, 2))]
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    if min(block) < 1 or min(shape) < 1 or min(margin) < 0:
        raise ValueError(f"blocks of {block} cells with a margin of {margin} cannot cover {shape} cells.")
    for axis, name in enumerate("zyx"):
        if chunk is not None and block[axis] % chunk[axis] and block[axis] < shape[axis]:
            raise ValueError(
                f"block {block} is not a whole number of output chunks {chunk} along {name}, so two workers "
                f"would write one chunk. Use a multiple of {chunk[axis]}."
            )
    return _tiles(shape, block, margin)


def _tiles(shape: Index3, block: Index3, margin: Index3) -> Iterator[Block]:
    for index in product(*(range(-(-n // b)) for n, b in zip(shape, block, strict=True))):
        starts = [i * b for i, b in zip(index, block, strict=True)]
        stops = [min(a + b, n) for a, b, n in zip(starts, block, shape, strict=True)]
        core = tuple(slice(a, b) for a, b in zip(starts, stops, strict=True))
        halo = tuple(
            slice(max(0, a - m), min(n, b + m))
            for a, b, m, n in zip(starts, stops, margin, shape, strict=True)
        )
        yield Block(index, core, halo)  # type: ignore[arg-type]


def index_boxes(
    low: NDArray[np.int64], high: NDArray[np.int64], *, limit: int = 200_000
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """List the cells of many boxes, a bounded number at a time.

    Parameters
    ----------
    low, high : array of shape (n, d)
        First and last index of each box; a box with a last before its first is empty.
    limit : int
        Most cells at a time.

    Yields
    ------
    owner : array of shape (k,)
        Row of the box of each cell.
    index : array of shape (k, d)
        The cells.

    Examples
    --------
    >>> owner, index = next(index_boxes(np.array([[0, 7]]), np.array([[1, 8]])))
    >>> index.tolist()
    [[0, 7], [0, 8], [1, 7], [1, 8]]
    """
    size = np.maximum(high - low + 1, 0)
    ends = np.cumsum(size.prod(axis=1))
    for start in range(0, int(ends[-1]) if len(ends) else 0, limit):
        flat = np.arange(start, min(start + limit, int(ends[-1])))
        owner = np.searchsorted(ends, flat, side="right")
        rest = flat - (ends[owner] - size[owner].prod(axis=1))
        index = np.empty((len(flat), low.shape[1]), dtype=np.int64)
        for axis in reversed(range(low.shape[1])):
            index[:, axis] = low[owner, axis] + rest % size[owner, axis]
            rest //= size[owner, axis]
        yield owner, index
