"""A map as it is drawn: pictures of its cells, one above the other, each on one rectangle."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.geometry import Points
from mpm3d.grid import FloatArray
from mpm3d.view import actors
from mpm3d.view.levels import Levels
from mpm3d.view.scene import Item
from mpm3d.view.things import MARK, SCORE, TARGET

MUTED = "Greys"
"""Colours of the score below the threshold."""

_STEPS = 256
_FINEST = 8192  # cells of a picture along a side, which every renderer takes
_LIFT = 2e-4  # of the width of the map, from one thing to the next above it
RIM, RIMMED = "rim", (TARGET, "deposit", "blind deposit")
"""What is put before the key of a white rim, and the roles that have one."""

Pixels = NDArray[np.uint8]


def muted() -> Any:
    """Greys from nearly white to a middle one, on which every colour of the score and of a role shows."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps[MUTED](np.linspace(0.12, 0.58, _STEPS)), name="muted")


def rounded(ends: tuple[float, float]) -> tuple[float, float]:
    """Ends of a scale to about a hundredth of it, so that they read well.

    Examples
    --------
    >>> rounded((0.00422, 99.9958)), rounded((0.1234, 0.9876))
    ((0.0, 100.0), (0.12, 0.99))
    """
    low, high = ends
    if not high > low:
        return low, low + 1e-6
    digits = 2 - math.ceil(math.log10(high - low))
    return round(low, digits), round(high, digits)


def lift(scene_width: float, key: str) -> float:
    """Metres by which something is drawn above the map, so that what is more important is never hidden.

    Parameters
    ----------
    scene_width : float
        Width of the map in metres.
    key : str
        As in `mpm3d.view.things.Thing`; slices, the cells at or above the threshold, everything else,
        targets, deposits and the mark around a target lie above each other in that order, a rim just below
        what it is of.
    """
    kind, _, rest = key.partition("/")[0].partition(" ")
    if kind == RIM:
        return lift(scene_width, rest) - _LIFT / 2 * scene_width
    order = {"slice": 0, SCORE: 1, TARGET: 3, "deposit": 4, "blind": 4, MARK: 5}
    return order.get(kind, 2) * _LIFT * scene_width


class Sheets:
    """The pictures of one scene that is a map.

    Parameters
    ----------
    levels : Levels
        Its scores.
    clim : tuple of float
        Scores at the ends of the colour scale.
    """

    def __init__(self, levels: Levels, clim: tuple[float, float]) -> None:
        self._levels, self._clim = levels, clim
        self._scene = levels.scene
        self._painted: dict[int, tuple[Pixels, FloatArray]] = {}

    def body(self, threshold: float, *, coarse: bool = False) -> tuple[Any, dict[str, Any]]:
        """The cells at or above a threshold: a rectangle, and how it is added to a plotter.

        Parameters
        ----------
        threshold : float
            Score.
        coarse : bool
            Draw larger cells, each as good as the best of those in it.
        """
        factor = max(self._levels.factor if coarse else 1, self._least)
        if factor not in self._painted:
            values = self._levels.pooled(factor)[0]
            self._painted[factor] = colours_of(values, self._clim, actors.score_map()), values
        pixels, values = self._painted[factor]
        pixels[..., 3] = np.where(values >= np.float32(threshold), 255, 0)
        return self._rectangle(pixels, factor)

    def layer(self, values: Any, clim: tuple[float, float], colours: Any) -> tuple[Any, dict[str, Any]]:
        """A whole layer, nothing where it has no value; of a very large one, every second or third cell."""
        step = self._least
        part = np.asarray(values[0, ::step, ::step], dtype=np.float32)
        return self._rectangle(colours_of(part, clim, colours), step)

    @property
    def _least(self) -> int:
        """How many cells along a side are one pixel at least."""
        return -(-max(self._scene.grid.shape[1:]) // _FINEST)

    def _rectangle(self, pixels: Pixels, factor: int) -> tuple[Any, dict[str, Any]]:
        """A rectangle over the map that shows pixels ``(y, x, 4)``, the southernmost row first."""
        import pyvista as pv

        x0, y0, z, x1, y1, _ = actors.local_bounds(self._scene)
        corners = np.array([[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]], dtype=np.float32)
        mesh: Any = pv.PolyData(corners, faces=[4, 0, 1, 2, 3])
        _, ny, nx = self._scene.grid.shape
        # the last of the larger cells may reach beyond the map
        far = np.array([nx, ny]) / factor / pixels.shape[1::-1]
        mesh.active_texture_coordinates = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * far
        made: Any = pv.Texture
        texture = made(pixels[::-1])  # its first row is the top
        texture.interpolate = False  # a cell keeps its own colour
        return mesh, {"texture": texture, "color": "white", "lighting": False, "show_scalar_bar": False}


def colours_of(values: FloatArray, clim: tuple[float, float], colours: Any) -> Pixels:
    """Colours ``(y, x, 4)`` of values, transparent where there is none."""
    low, high = clim
    scale = np.float32(_STEPS - 1) / np.float32(high - low)
    steps = np.nan_to_num(np.clip((values - np.float32(low)) * scale, 0, _STEPS - 1)).astype(np.uint8)
    table = (255 * np.asarray(colours(np.linspace(0, 1, _STEPS)))).round().astype(np.uint8)
    pixels: Pixels = table[steps]
    pixels[..., 3] = np.where(np.isfinite(values), 255, 0)
    return pixels


def rim_of(item: Item) -> dict[str, Any]:
    """Look of the white rim of an outline or a mark, which tells it from cells of its colour."""
    if isinstance(item.geometry, Points):
        # not round: a sphere would reach out before the mark itself
        return {"color": "white", "point_size": 12, "render_points_as_spheres": False, "lighting": False}
    return {"color": "white", "line_width": 5, "lighting": False}
