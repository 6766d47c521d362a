"""Outer faces of the cells at or above a threshold, found without reading most of the volume.

Scores are kept once more as 16-bit codes that rise with them, in blocks whose least and greatest code are
known. A block that lies wholly on one side of a threshold has no face inside and is passed over; the others
are compared by code, and by the score itself where the code is that of the threshold, so that no cell is
misjudged.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BLOCK = 16  # cells along each side of a block; a power of two, so that places in it are bits
_EDGES = BLOCK + 1
_BITS = BLOCK.bit_length() - 1
_TOP = 65534  # the greatest code is one more, because 0 is no score
_BATCH = 192  # blocks that are compared at once: some 10 MB, which stay in the cache
_STEPS = np.array([_EDGES * _EDGES, _EDGES, 1])
_PLACES = np.stack(np.unravel_index(np.arange(BLOCK**3), (BLOCK,) * 3), axis=1)
_NODES = np.stack(np.unravel_index(np.arange(_EDGES**3), (_EDGES,) * 3), axis=1)

Ints = NDArray[np.int64]


class Skin(NamedTuple):
    """Faces that share their corners.

    Parameters
    ----------
    nodes : array of shape (p, 3)
        Corners, in counts of cell edges along z, y and x.
    faces : array of shape (n, 4), int32
        Corners of each face.
    cell : array of shape (n,)
        Place of the cell that the face belongs to, in the order of the volume.
    """

    nodes: Ints
    faces: NDArray[np.int32]
    cell: Ints


class Blocks:
    """A volume in blocks.

    Parameters
    ----------
    values : array of shape (z, y, x), float32
        Scores, NaN where there is none. They are not copied; the codes take about two bytes a cell.
    """

    def __init__(self, values: NDArray[np.float32]) -> None:
        self.values = values
        self._low, self._scale = _scale_of(values)
        self._n_blocks = tuple(n // BLOCK + 1 for n in values.shape)
        # an empty layer below the cells and at least one above them, so that every cell has neighbours
        codes = np.zeros([BLOCK * n + 1 for n in self._n_blocks], dtype=np.uint16)
        for k, layer in enumerate(values):
            codes[k + 1, 1 : 1 + values.shape[1], 1 : 1 + values.shape[2]] = self.codes_of(layer)
        self.codes = codes
        self._ends = _with_neighbours(_block_ends(codes, self._n_blocks))

    def codes_of(self, values: NDArray[np.float32]) -> NDArray[np.uint16]:
        """Codes of scores; a greater score never has a smaller code, NaN has 0."""
        with np.errstate(over="ignore"):  # beyond the greatest number is beyond the greatest code
            steps = np.clip((values - self._low) * self._scale, 0, _TOP)
        codes: NDArray[np.uint16] = (np.nan_to_num(steps, nan=-1.0) + np.float32(1)).astype(np.uint16)
        return codes

    def active(self, threshold: float) -> Ints:
        """Blocks ``(n, 3)`` that may hold a face: neither wholly below the threshold nor wholly above it."""
        code = self._code(threshold)
        least, greatest = self._ends
        return np.argwhere((greatest >= code) & (least <= code))

    def skin(self, threshold: float) -> Skin:
        """Outer faces of the cells at or above a threshold."""
        active = self.active(threshold)
        parts = [self._part(active[k : k + _BATCH], threshold) for k in range(0, len(active), _BATCH)]
        empty = Skin(np.empty((0, 3), np.int64), np.empty((0, 4), np.int32), np.empty(0, np.int64))
        starts = np.cumsum([0] + [len(part.nodes) for part in parts])
        return Skin(
            np.concatenate([empty.nodes] + [part.nodes for part in parts]),
            np.concatenate(
                [empty.faces] + [part.faces + np.int32(k) for part, k in zip(parts, starts, strict=False)]
            ),
            np.concatenate([empty.cell] + [part.cell for part in parts]),
        )

    def _code(self, threshold: float) -> int:
        """Code of a threshold; 0, which only cells without a score have, if all scores are above it."""
        if np.float32(threshold) <= self._low:
            return 0
        return int(self.codes_of(np.array([threshold], dtype=np.float32))[0])

    def _kept(self, blocks: Ints, threshold: float) -> NDArray[np.bool_]:
        """Whether the cells of blocks and those before are at or above a threshold, ``(n, 17, 17, 17)``."""
        sizes = self.codes.strides
        windows = np.lib.stride_tricks.as_strided(
            self.codes, (*self._n_blocks, _EDGES, _EDGES, _EDGES), (*(BLOCK * n for n in sizes), *sizes)
        )
        codes = windows[tuple(blocks.T)]
        code = self._code(threshold)
        kept: NDArray[np.bool_] = codes > code
        unsure = np.flatnonzero(codes == code)
        if len(unsure) and code:
            block, place = np.divmod(unsure, _EDGES**3)
            cells = blocks[block] * BLOCK + _NODES[place] - 1
            kept.reshape(-1)[unsure] = self.values[tuple(cells.T)] >= np.float32(threshold)
        return kept

    def _part(self, blocks: Ints, threshold: float) -> Skin:
        """Faces of some blocks; each between a cell of the block and the one before it along an axis."""
        kept = self._kept(blocks, threshold)
        strides = np.array([self.values.shape[1] * self.values.shape[2], self.values.shape[2], 1])
        own = np.ascontiguousarray(kept[:, 1:, 1:, 1:])
        corners, cells = [], []
        for axis in range(3):
            window = [slice(None), *(slice(None, -1) if k == axis else slice(1, None) for k in range(3))]
            place = np.flatnonzero(own ^ kept[tuple(window)])
            block, inside = place >> 3 * _BITS, place & (BLOCK**3 - 1)
            # the face belongs to the cell above it if that one is kept, else to the one below
            below = ~own.reshape(-1)[place]
            cells.append(
                (blocks @ (BLOCK * strides))[block] + (_PLACES @ strides)[inside] - below * strides[axis]
            )
            corner = block * _EDGES**3 + (_PLACES @ _STEPS)[inside]
            corners.append(corner[:, None] + _around(axis))
        faces = np.concatenate(corners)
        used = np.zeros(len(blocks) * _EDGES**3, dtype=bool)
        used[faces] = True
        nodes = np.flatnonzero(used)
        number = np.empty(len(used), dtype=np.int32)
        number[nodes] = np.arange(len(nodes), dtype=np.int32)
        block, place = np.divmod(nodes, _EDGES**3)
        return Skin(blocks[block] * BLOCK + _NODES[place], number[faces], np.concatenate(cells))


def pooled(values: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Greatest value of every ``factor`` cells along each axis; NaN where all of them are.

    Examples
    --------
    >>> pooled(np.array([[[1.0, np.nan, 3.0]]], dtype=np.float32), 2)
    array([[[1., 3.]]], dtype=float32)
    """
    for axis, size in enumerate(values.shape):
        values = np.fmax.reduceat(values, np.arange(0, size, factor), axis=axis)
    return values


def _around(axis: int) -> Ints:
    """Corners of a face across an axis, from its lowest one."""
    a, b = (_STEPS[k] for k in range(3) if k != axis)
    return np.array([0, a, a + b, b])


def _scale_of(values: NDArray[np.float32]) -> tuple[np.float32, np.float32]:
    """The least score, and codes to a unit of score."""
    low, high = np.inf, -np.inf
    for layer in values:
        finite = layer[np.isfinite(layer)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if not low < high:
        return np.float32(low if np.isfinite(low) else 0.0), np.float32(0.0)
    return np.float32(low), np.float32(_TOP / (high - low))


def _block_ends(codes: NDArray[np.uint16], n_blocks: tuple[int, ...]) -> list[NDArray[np.uint16]]:
    """Least and greatest code of every block."""
    z, y, x = n_blocks
    cells = codes[1:, 1:, 1:].reshape(z, BLOCK, y, BLOCK, x, BLOCK)
    return [
        np.asarray(reduce(reduce(reduce(cells, axis=1), axis=2), axis=3))
        for reduce in (np.minimum.reduce, np.maximum.reduce)
    ]


def _with_neighbours(ends: list[NDArray[np.uint16]]) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """The same over every block and the blocks before it, whose last cells its first faces touch."""
    least, greatest = ends
    low, high = least.copy(), greatest.copy()
    for axis in range(3):
        before, after = [slice(None)] * 3, [slice(None)] * 3
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        first = [slice(None)] * 3
        first[axis] = slice(0, 1)
        low[tuple(after)] = np.minimum(low[tuple(after)], least[tuple(before)])
        high[tuple(after)] = np.maximum(high[tuple(after)], greatest[tuple(before)])
        low[tuple(first)] = 0  # there is nothing before the first block
    return low, high
