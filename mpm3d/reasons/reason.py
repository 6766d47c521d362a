"""Why a target scores as it does: what each layer adds to the score of its cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FAINT = 0.01  # share of all that layers add or take, below which a layer is not worth a word


@dataclass(frozen=True, eq=False)
class Reason:
    """What each layer adds to the score of a target, as a mean over its cells.

    Parameters
    ----------
    layers : tuple of str
        Evidence layers.
    values : array of shape (layer,)
        Mean attribution, in units of the score; with ``base`` they add up to the mean score of these cells.
    base : float
        Score without any layer.
    n_cells : int
        Cells of the target that were explained.
    """

    layers: tuple[str, ...]
    values: NDArray[np.float64]
    base: float
    n_cells: int

    def speaks_for(self, n: int = 3) -> list[tuple[str, float]]:
        """Layers that raise the score, the strongest first, at most so many; faint ones are left out."""
        return [pair for pair in self._ordered(-1.0) if pair[1] > 0][:n]

    def speaks_against(self, n: int = 3) -> list[tuple[str, float]]:
        """Layers that lower the score, the strongest first, at most so many; faint ones are left out."""
        return [pair for pair in self._ordered(1.0) if pair[1] < 0][:n]

    def _ordered(self, sign: float) -> list[tuple[str, float]]:
        least = _FAINT * float(np.abs(self.values).sum())
        kept = np.argsort(sign * self.values, kind="stable").tolist()
        return [(self.layers[i], float(self.values[i])) for i in kept if abs(self.values[i]) >= least]


def words(pairs: Sequence[tuple[str, float]]) -> str:
    """Layers with what they add, such as ``"density +0.12; fault_distance +0.08"``.

    >>> words([("density", 0.1234), ("fault_distance", -0.0041)])
    'density +0.12; fault_distance -0.0041'
    """
    return "; ".join(f"{name} {_signed(value)}" for name, value in pairs)


def decimals(values: NDArray[np.float64], least: int = 3) -> int:
    """Decimals that show two digits of the largest of some values, and not fewer than so many.

    >>> decimals(np.array([0.3, -0.00012])), decimals(np.array([0.00215, 0.0001]))
    (3, 4)
    """
    largest = float(np.abs(values).max(initial=0.0))
    return max(least, 1 - int(np.floor(np.log10(largest)))) if largest else least


def _signed(value: float) -> str:
    """Two decimals, or two digits where those would hide it."""
    return f"{value:+.2f}" if abs(value) >= 0.01 else f"{value:+.2g}"
