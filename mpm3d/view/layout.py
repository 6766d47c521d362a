"""Where things go on a page, and what all its views have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.view import actors
from mpm3d.view.scene import Item, Scene

INK, SOFT = "#1A1A1A", "#5A5A5A"
DPI = 100.0
BEST = 6
"""Targets whose names and drillholes are drawn; more of them would hide each other."""


@dataclass(frozen=True)
class Layout:
    """Where things go on a page of ``size`` pixels with so many views; every length grows with the page."""

    size: tuple[int, int]
    panes: int = 1

    @property
    def unit(self) -> float:
        """Pixels to a hundredth of the type size's usual height; 1 for 1600 by 1100 pixels."""
        return max(0.55, min(self.size[0] / 1600, self.size[1] / 1100))

    @property
    def panel(self) -> int:
        """Width of the panel at the right."""
        return round(330 * self.unit)

    @property
    def header(self) -> int:
        """Height of the title and the note, and of a title for each of several views."""
        return round((112 if self.panes == 1 else 150) * self.unit)

    @property
    def footer(self) -> int:
        """Height of the line below."""
        return round(46 * self.unit)

    @property
    def scene_size(self) -> tuple[int, int]:
        """Width and height of one drawn scene."""
        return (self.size[0] - self.panel) // self.panes, self.size[1] - self.header - self.footer

    def corner(self, pane: int) -> NDArray[np.float64]:
        """Lower left of a view on the page, in pixels."""
        return np.array([pane * self.scene_size[0], self.footer], dtype=float)

    @property
    def margins(self) -> tuple[float, float, float, float]:
        """Room for labels inside the scene, at the left, right, bottom and top."""
        return 150 * self.unit, 140 * self.unit, 105 * self.unit, 20 * self.unit


def xy(place: NDArray[Any]) -> tuple[float, float]:
    """A place as two plain numbers."""
    return float(place[0]), float(place[1])


def scenes_of(scene: Scene) -> tuple[Scene, ...]:
    """A scene and the one beside it, if there is one."""
    return (scene,) if scene.beside is None else (scene, scene.beside)


def shared_range(scenes: Sequence[Scene]) -> tuple[float, float]:
    """Scores at the ends of the colour scale that all views of a page share."""
    ranges = [actors.colour_range(scene) for scene in scenes]
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def drawn_holes(scene: Scene) -> tuple[Item, ...]:
    """Drillholes of the targets that are named, or the first ones where no target has any."""
    holes = [item for item in scene.items if item.role == "drillhole" and item.visible]
    if not any(target.hole for target in scene.targets):
        return tuple(holes[:BEST])
    named = [target.hole for target in scene.targets[:BEST]]
    return tuple(hole for hole in holes if hole.name in named)
