"""A prospectivity that is read block by block."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mpm3d import cube
from mpm3d.blocks import Block, tile
from mpm3d.grid import Window
from mpm3d.targets.known import Cells, Known

if TYPE_CHECKING:
    import xarray as xr

Scores = NDArray[np.float32]


class Volume:
    """Scores on the cells of a grid, and the known deposits in them.

    Parameters
    ----------
    prospectivity : Dataset
        With ``score`` on (z, y, x), NaN where not scored, ``spread`` where there are several members, and
        ``extrapolation``, 1 where the evidence is unlike the training cells and 0 elsewhere, if known.
    deposits : Known
        Cells that are not eligible.
    progress : callable, optional
        Called as ``progress(blocks done, blocks)`` over all passes.
    """

    def __init__(
        self, prospectivity: xr.Dataset, deposits: Known, progress: Callable[[int, int], None] | None = None
    ) -> None:
        self.grid = cube.grid_of(prospectivity)
        self.deposits = deposits
        self._score = prospectivity["score"].transpose(*cube.DIMS).variable
        spread = prospectivity.get("spread")
        self._spread = None if spread is None else spread.transpose(*cube.DIMS).variable
        flag = prospectivity.get("extrapolation")
        self._flag = None if flag is None else flag.transpose(*cube.DIMS).variable
        self._progress = progress
        self._passes = self._expected = 0
        self.kept: dict[tuple[float, int], tuple[Cells, NDArray[np.int32]]] = {}  # cells of blocks, by body
        self.highest = -math.inf  # score of all that was read
        z, y, x = prospectivity["score"].encoding.get("chunks") or cube.CHUNK
        self.block = int(z), int(y), int(x)
        self.blocks: list[Block] = list(tile(self.grid.shape, self.block))

    @property
    def counts(self) -> tuple[int, int, int]:
        """Number of blocks along z, y, x."""
        z, y, x = (-(-n // b) for n, b in zip(self.grid.shape, self.block, strict=True))
        return z, y, x

    def expect(self, passes: int) -> None:
        """Count so many more passes over the blocks as to come, for the progress."""
        self._expected += passes

    def passing(self) -> Iterator[tuple[int, Block]]:
        """Every block with its number, telling the progress of this pass after each."""
        done = self._passes * len(self.blocks)
        self._passes += 1
        for number, block in enumerate(self.blocks):
            yield number, block
            if self._progress:
                self._progress(done + number + 1, self._expected * len(self.blocks))

    @property
    def has_spread(self) -> bool:
        """Whether there are several members."""
        return self._spread is not None

    def score(self, window: Window) -> Scores:
        """Scores of a window."""
        return np.asarray(self._score[window].values, dtype=np.float32)

    def spread(self, window: Window) -> Scores | None:
        """Spread of a window, None where there is one member."""
        return None if self._spread is None else np.asarray(self._spread[window].values, dtype=np.float32)

    def flag(self, window: Window) -> NDArray[Any] | None:
        """1 where scores of a window are extrapolated, 0 where not, else no value; None if not known."""
        return None if self._flag is None else np.asarray(self._flag[window].values)

    def eligible(self) -> Iterator[Scores]:
        """Scores of each block, NaN in the known deposits."""
        for number, block in self.passing():
            values = self.score(block.core).copy()
            self.highest = max(self.highest, float(np.fmax.reduce(values, axis=None, initial=-np.inf)))
            values.reshape(-1)[self._held(number, block)] = np.nan
            yield values

    def _held(self, number: int, block: Block) -> Cells:
        """Flat index within a block of its cells of known deposits."""
        numbers, cells = self._known_by_block
        here = cells[slice(*np.searchsorted(numbers, [number, number + 1]))]
        index = here - [cut.start for cut in block.core]
        flat: Cells = np.ravel_multi_index(tuple(index.T), block.shape).astype(np.int64)
        return flat

    @cached_property
    def _known_by_block(self) -> tuple[Cells, Cells]:
        """Number of the block, ascending, and index (z, y, x) of each cell of the known deposits."""
        cells = np.column_stack(np.unravel_index(self.deposits.flat, self.grid.shape)).astype(np.int64)
        number = np.ravel_multi_index(tuple((cells // self.block).T), self.counts).astype(np.int64)
        order = np.argsort(number, kind="stable")
        return number[order], cells[order]
