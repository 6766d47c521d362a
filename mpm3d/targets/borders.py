"""Which connected parts of two blocks touch across the border between them."""

from __future__ import annotations

from itertools import product

import numpy as np

from mpm3d.blocks import Block
from mpm3d.grid import Index3
from mpm3d.targets.known import Cells


class Borders:
    """Labels along the borders of the blocks that were labelled, as far as a later block touches them.

    Blocks come in the order of `blocks.tile`. What is kept are the highest layer of cells of the layer of
    blocks below, the last row of cells of the row of blocks before, and the last face of the block before: a
    cross-section of the volume, never the volume.

    Parameters
    ----------
    shape : tuple of int
        Cells of the volume along z, y, x.
    """

    def __init__(self, shape: Index3) -> None:
        self._shape = shape
        self._at: tuple[int, int] = (0, 0)  # layer and row of the blocks that come
        # labels from 1, 0 for none, with a margin of one cell on each side
        self._below = np.zeros((shape[1] + 2, shape[2] + 2), np.int64)
        self._top = self._below.copy()
        self._behind = self._row = self._left = np.zeros((0, 0), np.int64)

    def touching(self, block: Block, labels: Cells) -> Cells:
        """Pairs ``(n, 2)`` of labels that touch by a face, an edge or a corner across the block's border.

        Parameters
        ----------
        block : Block
            The next one.
        labels : array of shape (z, y, x)
            Labels of its cells, from 1, 0 outside all parts. No label is in two blocks.
        """
        self._go_to(block)
        _, y, x = block.core
        pairs = [
            _pairs(labels[0], self._below[y.start : y.stop + 2, x.start : x.stop + 2]),
            _pairs(labels[:, 0], self._behind[:, x.start : x.stop + 2]),
        ]
        if x.start:
            pairs.append(_pairs(labels[:, :, 0], self._left))
        self._top[y.start + 1 : y.stop + 1, x.start + 1 : x.stop + 1] = labels[-1]
        self._row[1:-1, x.start + 1 : x.stop + 1] = labels[:, -1]
        self._left = np.pad(labels[:, :, -1], 1)
        return np.unique(np.concatenate(pairs), axis=0)

    def _go_to(self, block: Block) -> None:
        """Make what was written in the layer or the row before what is read in this one."""
        layer, row, column = block.index
        if layer != self._at[0]:
            self._below, self._top = self._top, np.zeros_like(self._top)
        if not column:
            empty = np.zeros((block.shape[0] + 2, self._shape[2] + 2), np.int64)
            self._behind, self._row = self._row if row else empty, empty.copy()
        self._at = layer, row


def _pairs(face: Cells, before: Cells) -> Cells:
    """Labels of a face and of the 3 x 3 cells before each of its cells; ``before`` has a margin of one."""
    at = np.nonzero(face)
    own = face[at]
    found = []
    for down, along in product(range(3), range(3)):
        other = before[at[0] + down, at[1] + along]
        met = other > 0
        found.append(np.column_stack([other[met], own[met]]))
    return np.unique(np.concatenate(found), axis=0)
