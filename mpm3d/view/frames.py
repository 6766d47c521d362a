"""Where on a drawing area scenes are drawn, and what their labels take of that."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

Room = tuple[float, float, float, float]
LABELS = 115.0
"""Pixels at the left of a box that its labels take."""

_BESIDE = 60.0  # and at the right of it,
_BELOW, _ABOVE = 85.0, 20.0  # below and above it,
_NAMED = 38.0  # and above a map, where the name of the northings stands


class Frames(NamedTuple):
    """How the drawing area is shared.

    Parameters
    ----------
    parts : int
        Number of scenes side by side.
    flat : bool
        Whether they are maps, which may fill their part to its edges.
    """

    parts: int
    flat: bool

    @property
    def inset(self) -> bool:
        """Whether scenes have parts of their own, beside what a window writes."""
        return self.parts > 1 or self.flat

    def margins(self, room: Room) -> Room:
        """Pixels at the left, right, bottom and top of each scene that are kept free for labels."""
        if self.parts > 1:
            return LABELS, _BESIDE, _BELOW, self._above
        if self.flat:
            left, right, bottom, _ = room
            return min(left, LABELS), min(right, _BESIDE), min(bottom, _BELOW), self._above
        return room

    def area(self, room: Room, size: tuple[int, int]) -> Room:
        """Pixels from the lower left between what a window writes: left, right, low, high."""
        (left, right, bottom, top), (width, height) = room, size
        across = max(0.0, left - LABELS), width - max(0.0, right - _BESIDE)
        return *across, max(0.0, bottom - _BELOW), height - max(0.0, top - self._above)

    def viewports(self, room: Room, size: tuple[int, int]) -> list[Room]:
        """Left, low, right and high of each scene, as shares of the drawing area."""
        left, right, low, high = self.area(room, size)
        (width, height), wide = size, (right - left) / self.parts
        ends = [left + k * wide for k in range(self.parts + 1)]
        return [(a / width, low / height, b / width, high / height) for a, b in pairwise(ends)]

    @property
    def _above(self) -> float:
        return _NAMED if self.flat else _ABOVE
