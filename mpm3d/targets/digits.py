"""Sums of numbers without rounding, so that they do not depend on the order of the numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
_BITS = 24  # of one digit
_LEAST = -149  # exponent of the least float32


@dataclass(frozen=True)
class Digits:
    """How float32 numbers are split into whole numbers, the digits in base 2^24, whose sums are exact.

    Sums of up to 2^29 numbers no larger than was said have no rounding.

    Parameters
    ----------
    exponent : int
        All numbers are below two to the power of it in size.
    n : int
        Digits of a number; 0 where there are no numbers, whose mean is NaN.
    """

    exponent: int
    n: int

    @classmethod
    def between(cls, low: float, high: float) -> Digits:
        """Digits of the float32 numbers from ``low`` to ``high``; as many as hold the last bit of each."""
        exponent = math.frexp(max(abs(low), abs(high)))[1]
        last = max(math.frexp(low)[1] - _BITS, _LEAST) if low > 0 else _LEAST
        return cls(exponent, max(1, -(-(exponent - last) // _BITS)))

    def split(self, values: NDArray[np.floating[Any]]) -> Float64:
        """Digits ``(k, n)`` of each of ``k`` values, the greatest first."""
        rest, found = np.ldexp(values.astype(np.float64), _BITS - self.exponent), []
        with np.errstate(invalid="ignore"):  # what is infinite stays so
            for _ in range(self.n):
                found.append(np.rint(rest))
                rest = np.where(np.isinf(rest), 0.0, rest - found[-1]) * 2.0**_BITS
        return np.column_stack(found) if found else np.empty((len(values), 0))

    def mean(self, sums: Float64, count: int) -> float:
        """Mean of ``count`` values, rounded once, from the sums ``(n,)`` of their digits."""
        if not self.n or not np.isfinite(sums[0]):
            return float(sums[0]) if self.n else math.nan
        total = 0
        for digit in sums:
            total = (total << _BITS) + int(digit)
        return math.ldexp(total / count, self.exponent - _BITS * self.n)
