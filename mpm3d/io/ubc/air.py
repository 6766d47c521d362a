"""Which values of a UBC model stand for air or nothing, without eating those that do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpm3d.grid import FloatArray

Mask = NDArray[np.bool_]
# no property has these values, so they are missing wherever they are
NEVER = (-99999.0, -1e30)
# what inversions write into cells above the ground; a property could have them
AIR = (-100.0, 1e-8, -1e-8, 1e-10)
# share by which two numbers of float32 that mean the same may differ
SAME = 2e-7


@dataclass(frozen=True)
class Missing:
    """Which values stand for air.

    Parameters
    ----------
    values : sequence of float or None
        Exactly these; None: those that are recognised.
    above : callable
        Whether no cell of its first mask lies below one of the second in the same column; masks have the
        shape of the values.
    faint : bool
        Whether one value a million times below every other is air too, as in 2D conductivities.
    """

    values: Sequence[float] | None
    above: Callable[[Mask, Mask], bool]
    faint: bool = False

    def applied(self, name: str, cells: FloatArray) -> tuple[FloatArray, list[str]]:
        """Values with NaN for air, and what was decided."""
        gone = ~np.isfinite(cells)
        notes = []
        infinite = int(np.isinf(cells).sum())
        if infinite:
            notes.append(f"{name!r} is infinite in {infinite} cells, they are missing.")
        for value in NEVER if self.values is None else self.values:
            gone |= _is(cells, value)
        if self.values is None:
            notes += self._recognised(name, cells, gone)
        if gone.any():
            notes.insert(0, f"{name!r} has no value in {int(gone.sum())} of {cells.size} cells.")
        return np.where(gone, np.nan, cells), notes

    def _recognised(self, name: str, cells: FloatArray, gone: Mask) -> list[str]:
        """Add to ``gone`` the cells of air, and say which values were taken for it and which were not."""
        notes = [
            f"{int(_is(cells, value).sum())} cells of {name!r} hold {value:g}, which is taken as no value."
            for value in NEVER
            if _is(cells, value).any()
        ]
        for value in self._candidates(cells[~gone]):
            air = _is(cells, value) & ~gone
            if not air.any():
                continue
            why_not = self._why_not(value, cells, air, ~gone & ~air)
            if why_not:
                notes.append(
                    f"{name!r} is {value:g} in {int(air.sum())} of {cells.size} cells, which often stands "
                    f"for air, but {why_not}. It is kept; if it is air, name it as missing."
                )
                continue
            gone |= air
            notes.append(
                f"{int(air.sum())} cells of {name!r} hold {value:g}, which is taken as air: they lie on top "
                "of their columns and no other value is near it."
            )
        return notes

    def _candidates(self, cells: FloatArray) -> tuple[float, ...]:
        if not self.faint or not len(cells) or cells.min() <= 0:
            return AIR
        lowest = float(cells.min())
        others = cells[~_is(cells, lowest)]
        known = any(_is(np.array([lowest]), value).any() for value in AIR)
        return AIR if known or not len(others) or others.min() < 1e6 * lowest else (*AIR, lowest)

    def _why_not(self, value: float, cells: FloatArray, air: Mask, rock: Mask) -> str:
        """Why a value is not taken as air; nothing if it is."""
        if not rock.any():
            return "no cell has another value"
        if len(np.unique(cells[air])) > 1:
            return "it is not the same number everywhere"
        sizes = np.abs(cells[rock])
        sizes = sizes[sizes > 0]
        large = abs(value) > 1
        if len(sizes) and (sizes.max() > abs(value) / 10 if large else sizes.min() < abs(value) * 10):
            return "other values are near it"
        return "" if self.above(air, rock) else "some of these cells lie below others"


def _is(cells: FloatArray, value: float) -> Mask:
    return np.asarray(np.abs(cells - value) <= SAME * abs(value)) if np.isfinite(value) else np.isnan(cells)
