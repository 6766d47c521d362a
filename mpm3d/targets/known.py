"""Cells of the known deposits, found by cell, by block and by distance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpm3d.grid import Grid

Cells = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Known:
    """Cells of the known deposits, ascending by flat index.

    Parameters
    ----------
    names : tuple of str
        The deposits.
    flat : array of shape (n,)
        Flat index of each cell.
    owner : array of shape (n,)
        Number of the deposit of each cell.
    centres : array of shape (n, 3)
        x, y, z of the cell centres in metres.
    """

    names: tuple[str, ...]
    flat: Cells
    owner: Cells
    centres: NDArray[Any]

    @classmethod
    def of(cls, known: Mapping[str, ArrayLike], grid: Grid) -> Known:
        """Cells ``(n, 3)`` (z, y, x) of each deposit by its name.

        Raises
        ------
        ValueError
            If a cell lies outside the grid.
        """
        parts, owner = [np.empty((0, 3), np.int64)], [np.empty(0, np.int64)]
        for number, (name, cells) in enumerate(known.items()):
            part = np.asarray(cells, dtype=np.int64).reshape(-1, 3)
            if np.any((part < 0) | (part >= np.asarray(grid.shape))):
                raise ValueError(
                    f"deposit {name!r} has cells outside the grid of {grid.shape} cells (z, y, x). "
                    "Make its cells on this grid."
                )
            parts.append(part)
            owner.append(np.full(len(part), number, np.int64))
        cells = np.concatenate(parts)
        flat = np.ravel_multi_index(tuple(cells.T), grid.shape).astype(np.int64)
        order = np.argsort(flat, kind="stable")
        return cls(tuple(known), flat[order], np.concatenate(owner)[order], grid.xyz_of(cells[order]))

    @cached_property
    def _tree(self) -> Any:
        from scipy.spatial import cKDTree

        return cKDTree(self.centres)

    def owner_of(self, flat: Cells) -> Cells:
        """Number of the deposit of each cell, -1 for none."""
        if not len(self.flat):
            return np.full(len(flat), -1, np.int64)
        at = np.minimum(np.searchsorted(self.flat, flat), len(self.flat) - 1)
        return np.where(self.flat[at] == flat, self.owner[at], -1)

    def nearest(self, centres: NDArray[Any]) -> tuple[NDArray[Any], Cells]:
        """Distance in metres to the nearest known cell and the number of its deposit; NaN and -1 for none."""
        if not len(self.flat):
            return np.full(len(centres), np.nan), np.full(len(centres), -1, np.int64)
        distance, cell = self._tree.query(centres)
        return distance, self.owner[cell]
