"""Where the viewer stands, and where a point of the district falls in the picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

# direction of looking: azimuth from north, clockwise, and plunge below the horizon, in degrees
VIEWS: dict[str, tuple[float, float]] = {
    "northwest": (322.0, 28.0),
    "northeast": (38.0, 28.0),
    "southeast": (142.0, 28.0),
    "southwest": (218.0, 28.0),
    "north": (0.0, 10.0),
    "east": (90.0, 10.0),
    "south": (180.0, 10.0),
    "west": (270.0, 10.0),
    "top": (0.0, 90.0),
}
MAP_VIEWS = ("top",)
"""Of a map, which has nothing to see from the side."""

AXIS_NAMES = ("Easting (m)", "Northing (m)", "Elevation (m)")
_POINTS = ("N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW")


def direction_of(view: str | tuple[float, float]) -> tuple[float, float]:
    """Azimuth and plunge of a view, in degrees.

    Parameters
    ----------
    view : str or tuple of float
        The direction that is looked to, one of `VIEWS`, or azimuth (clockwise from north) and plunge
        (positive downwards) in degrees.

    Raises
    ------
    ValueError
        If the name is not known or the plunge is beyond the vertical.
    """
    if isinstance(view, str):
        if view not in VIEWS:
            raise ValueError(
                f"view {view!r} is not known, use one of {', '.join(VIEWS)} or (azimuth, plunge) in degrees."
            )
        return VIEWS[view]
    azimuth, plunge = (float(angle) for angle in view)
    if not (math.isfinite(azimuth) and -90 <= plunge <= 90):
        raise ValueError(f"view {view!r} is not possible, plunge goes from -90 (up) to 90 (down) degrees.")
    return azimuth % 360, plunge


def words_of(azimuth: float, plunge: float) -> str:
    """Direction of looking, in words."""
    if abs(plunge) > 89.5:
        return "map view, north up" if azimuth % 360 == 0 else "map view"
    tilt = f", {abs(plunge):.0f}° {'down' if plunge > 0 else 'up'}" if round(plunge) else ""
    return f"looking {_POINTS[round(azimuth % 360 / 22.5) % 16]} ({azimuth % 360:03.0f}°){tilt}"


@dataclass(frozen=True)
class Camera:
    """A parallel projection: equal lengths across the view are equal in the picture, near or far.

    Parameters
    ----------
    azimuth, plunge : float
        Direction of looking, in degrees.
    centre : tuple of float
        ``(x, y, z)`` in the middle of the picture, from the scene's origin, z times the exaggeration.
    metres_per_pixel : float
        Length of a pixel.
    size : tuple of int
        Width and height of the picture, in pixels.
    """

    azimuth: float
    plunge: float
    centre: tuple[float, float, float]
    metres_per_pixel: float
    size: tuple[int, int]

    @property
    def axes(self) -> tuple[Array, Array, Array]:
        """Unit vectors to the right of the picture, to its top, and away from the viewer."""
        return axes_of(self.azimuth, self.plunge)

    def pixels(self, points: Array) -> Array:
        """Pixels ``(n, 2)`` from the lower left of points ``(n, 3)`` in the coordinates of ``centre``."""
        right, up, _ = self.axes
        shift = np.asarray(points, dtype=float) - np.asarray(self.centre)
        middle = np.asarray(self.size) / 2
        return np.column_stack([shift @ right, shift @ up]) / self.metres_per_pixel + middle


def axes_of(azimuth: float, plunge: float) -> tuple[Array, Array, Array]:
    """Unit vectors to the right, up, and away, for a direction of looking in degrees.

    Examples
    --------
    >>> right, up, away = axes_of(90, 0)
    >>> bool(np.allclose(right, [0, -1, 0])), bool(np.allclose(away, [1, 0, 0]))
    (True, True)
    """
    a, p = math.radians(azimuth), math.radians(plunge)
    right = np.array([math.cos(a), -math.sin(a), 0.0])
    away = np.array([math.sin(a) * math.cos(p), math.cos(a) * math.cos(p), -math.sin(p)])
    return right, np.cross(right, away), away


def corners_of(bounds: Sequence[float]) -> Array:
    """Eight corners ``(8, 3)`` of ``(xmin, ymin, zmin, xmax, ymax, zmax)``; x varies fastest."""
    low, high = np.asarray(bounds[:3], dtype=float), np.asarray(bounds[3:], dtype=float)
    pick = np.array([[k >> axis & 1 for axis in range(3)] for k in range(8)])
    corners: Array = np.where(pick, high, low)
    return corners


def fit_camera(
    bounds: Sequence[float],
    view: str | tuple[float, float],
    size: tuple[int, int],
    margins: tuple[float, float, float, float],
) -> Camera:
    """Camera that shows a whole box.

    Parameters
    ----------
    bounds : sequence of float
        ``(xmin, ymin, zmin, xmax, ymax, zmax)`` from the scene's origin, z times the exaggeration.
    view : str or tuple of float
        As in `direction_of`.
    size : tuple of int
        Width and height in pixels.
    margins : tuple of float
        Pixels left free at the left, right, bottom and top, for labels.
    """
    azimuth, plunge = direction_of(view)
    right, up, _ = axes_of(azimuth, plunge)
    corners = corners_of(bounds)
    flat = np.column_stack([corners @ right, corners @ up])
    low, high = flat.min(axis=0), flat.max(axis=0)
    left, right_margin, bottom, top = margins
    room = np.maximum([size[0] - left - right_margin, size[1] - bottom - top], 1.0)
    scale = float(np.max((high - low) / room))
    scale = scale if scale > 0 else 1.0
    middle = (low + high) / 2 + scale * np.array([right_margin - left, top - bottom]) / 2
    box_middle = (corners[0] + corners[-1]) / 2
    centre = box_middle + (middle[0] - box_middle @ right) * right + (middle[1] - box_middle @ up) * up
    return Camera(azimuth, plunge, (float(centre[0]), float(centre[1]), float(centre[2])), scale, size)


def nice_step(length: float, most: int) -> float:
    """Smallest of 1, 2, 2.5 or 5 times a power of ten that cuts a length into at most ``most`` parts.

    Examples
    --------
    >>> nice_step(5000, 6), nice_step(900, 4)
    (1000.0, 250.0)
    """
    rough = length / max(1, most)
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    return next(float(m * power) for m in (1, 2, 2.5, 5, 10) if m * power >= rough * (1 - 1e-9))


def ticks(low: float, high: float, step: float) -> Array:
    """Whole multiples of a step from ``low`` to ``high``."""
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    multiples: Array = np.arange(first, last + 1) * step
    return multiples


def readable(value: float) -> str:
    """A coordinate with its thousands apart.

    Examples
    --------
    >>> readable(4512500.0), readable(-750.0), readable(6999974.25)
    ('4 512 500', '-750', '6 999 974.25')
    """
    text = f"{value:,.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text.replace(",", " ")


def length_of(metres: float) -> str:
    """A length in metres or kilometres.

    Examples
    --------
    >>> length_of(500.0), length_of(2500.0)
    ('500 m', '2.5 km')
    """
    return f"{metres:g} m" if metres < 1000 else f"{metres / 1000:g} km"


def area_of(square_metres: float) -> str:
    """An area in square kilometres, or in square metres where it is small.

    Examples
    --------
    >>> area_of(11_750_000.0), area_of(4_250_000_000.0), area_of(90_000.0)
    ('11.8 km²', '4 250 km²', '90 000 m²')
    """
    if square_metres < 1e5:
        return f"{readable(round(square_metres))} m²"
    square_km = square_metres / 1e6
    return f"{readable(round(square_km)) if square_km >= 1000 else f'{square_km:.3g}'} km²"


@dataclass(frozen=True, eq=False)
class Axis:
    """One labelled edge of the box.

    Parameters
    ----------
    axis : int
        0 is x, 1 is y, 2 is z.
    ends : array of shape (2, 3)
        The edge, in the coordinates of the camera, from the smaller coordinate to the larger.
    places : array of shape (n,)
        True coordinates of the ticks, in metres.
    labelled : bool
        False for an axis that is looked at end on.
    """

    axis: int
    ends: Array
    places: Array
    labelled: bool

    def points(self, true_ends: tuple[float, float]) -> Array:
        """Ticks ``(n, 3)`` in the coordinates of the camera; ``true_ends`` are the edge's own coordinates."""
        share = (self.places - true_ends[0]) / (true_ends[1] - true_ends[0])
        points: Array = self.ends[0] + share[:, None] * (self.ends[1] - self.ends[0])
        return points


def axes_for(
    bounds: Sequence[float], true_bounds: Sequence[float], camera: Camera, spacing: tuple[float, float]
) -> tuple[Axis, Axis, Axis]:
    """Edges of the box that carry labels: the nearest ones below, and the leftmost upright one.

    Parameters
    ----------
    bounds, true_bounds : sequence of float
        ``(xmin, ymin, zmin, xmax, ymax, zmax)`` in the coordinates of the camera and in the world.
    camera : Camera
        The camera.
    spacing : tuple of float
        Least distance of two labels in pixels, across and upwards.
    """
    edges = [_edge(bounds, camera, axis) for axis in range(3)]
    spans = [camera.pixels(ends)[1] - camera.pixels(ends)[0] for ends in edges]
    lengths = [true_bounds[k + 3] - true_bounds[k] for k in range(3)]
    parts = [max(abs(dx) / spacing[0], abs(dy) / spacing[1]) for dx, dy in spans]
    steps = [nice_step(length, max(2, int(part))) for length, part in zip(lengths, parts, strict=True)]
    level = max(step for step, part in zip(steps[:2], parts[:2], strict=True) if part >= max(parts[:2]) / 4)
    steps[:2] = [level, level]
    upright = parts[2] > 0.8
    # a level axis seen almost end on would write its labels among those of the elevations
    shown = [
        part > 1.4 and (not upright or abs(dx) > spacing[0])
        for part, (dx, _) in zip(parts, spans, strict=True)
    ]
    shown[2] = upright
    made = [
        Axis(k, edges[k], ticks(true_bounds[k], true_bounds[k + 3], steps[k]), bool(shown[k]))
        for k in range(3)
    ]
    return made[0], made[1], made[2]


def _edge(bounds: Sequence[float], camera: Camera, axis: int) -> Array:
    corners = corners_of(bounds)
    lower = [k for k in range(8) if not k >> axis & 1]
    right, up, away = camera.axes
    if axis == 2:
        order = [(round(float(corners[k] @ right), 3), float(corners[k] @ away), k) for k in lower]
    else:
        order = [(float(corners[k] @ up), float(corners[k] @ away), k) for k in lower if not k >> 2 & 1]
    first = min(order)[-1]
    return corners[[first, first | 1 << axis]]


class Marks(NamedTuple):
    """Texts at ``points`` ``(n, 3)``, and ticks between pairs of ``ends`` ``(2 m, 3)``."""

    points: Array
    words: tuple[str, ...]
    ends: Array


def marks_for(bounds: Sequence[float], true_bounds: Sequence[float], camera: Camera) -> Marks:
    """Labels of the axes as places in space, some pixels outside the edges that `axes_for` chooses."""
    right, up, _ = camera.axes
    middle = camera.pixels(corners_of(bounds)[[0, 7]]).mean(axis=0)
    points, words, ends = [], [], []
    for axis in axes_for(bounds, true_bounds, camera, (80.0, 34.0)):
        if not axis.labelled:
            continue
        start, stop = camera.pixels(axis.ends)
        out = np.array([stop[1] - start[1], start[0] - stop[0]]) / np.linalg.norm(stop - start)
        if axis.axis == 2 or out @ ((start + stop) / 2 - middle) < 0:
            out = np.array([-1.0, 0.0]) if axis.axis == 2 else -out
        pixel = camera.metres_per_pixel * (out[0] * right + out[1] * up)
        for place, point in zip(
            axis.places, axis.points((true_bounds[axis.axis], true_bounds[axis.axis + 3])), strict=True
        ):
            points.append(point + 32 * pixel)
            words.append(readable(float(place)))
            ends += [point, point + 8 * pixel]
        beside = axis.ends.mean(axis=0) + (32 + 75 * abs(out[0]) + 25 * abs(out[1])) * pixel
        above = axis.ends[1] + 32 * pixel + 24 * camera.metres_per_pixel * up
        # beside an upright axis its name would need the room of a second label
        points.append(above if abs(out[0]) > 0.9 else beside)
        words.append(AXIS_NAMES[axis.axis])
    return Marks(np.array(points), tuple(words), np.array(ends))
