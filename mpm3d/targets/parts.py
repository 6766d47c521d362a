"""What is added up of connected parts, so that the parts of several blocks can be joined exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from mpm3d.targets.known import Cells

Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Parts:
    """One row for each cell, for each connected part, or for each body: rows of a kind can be joined.

    All sums are of whole numbers, so joining gives the same whatever the order.

    Parameters
    ----------
    counts : array of shape (n, 7)
        Cells, cells of known deposits, the sums of their index along z, y and x, cells for which it is known
        whether their score is extrapolated, and those where it is.
    score, spread : array of shape (n, m)
        Sums of the scores and of the spreads, as `digits.Digits` splits them.
    low : array of shape (n, 5)
        Least depth, index along z, y and x, and flat index.
    high : array of shape (n, 5)
        Greatest depth, index along z, y and x, and score.
    near : array of shape (n, 3)
        Least distance to a known cell, the flat index of the first cell that has it, number of the deposit.
    """

    counts: Cells
    score: Float64
    spread: Float64
    low: Float64
    high: Float64
    near: Float64

    def __len__(self) -> int:
        return len(self.counts)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Parts:
        """Some of the rows."""
        return Parts(*(getattr(self, field.name)[rows] for field in fields(self)))

    def grouped(self, label: NDArray[np.integer]) -> Parts:
        """Rows of one label joined, in ascending order of the labels."""
        if not len(self):
            return self
        # the first row of each label is the nearest to a known deposit, the first cell where several are
        order = np.lexsort((self.near[:, 1], self.near[:, 0], label))
        starts = np.flatnonzero(np.diff(label[order], prepend=label[order[0]] - 1))
        rows = self.take(order)
        return Parts(
            np.add.reduceat(rows.counts, starts),
            np.add.reduceat(rows.score, starts),
            np.add.reduceat(rows.spread, starts),
            np.minimum.reduceat(rows.low, starts),
            np.maximum.reduceat(rows.high, starts),
            rows.near[starts],
        )

    @classmethod
    def joined(cls, parts: Sequence[Parts]) -> Parts:
        """All rows of all parts, of which there is at least one."""
        return cls(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)))

    @classmethod
    def none(cls, widths: tuple[int, int]) -> Parts:
        """No row; ``widths`` are the numbers that a score and a spread are split into."""
        return cls(np.empty((0, 7), np.int64), *(np.empty((0, width)) for width in (*widths, 5, 5, 3)))
