"""Granites, folded strata and faults of a map, as shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mpm3d.geometry import Array
from mpm3d.grid import FloatArray, Grid

UNITS = ("granite", "psammite", "calc_silicate", "pelite")
_FOLD = 3_000.0  # m, amplitude of the folds
_STRATA = (("psammite", 5_500.0), ("calc_silicate", 4_000.0), ("pelite", 5_000.0))


@dataclass(frozen=True, eq=False)
class Geology:
    """What a geological map shows.

    Parameters
    ----------
    polygons : dict of str to list of shapely Polygon
        By unit; granites cut the strata, and together they cover the frame.
    faults : dict of str to list of shapely LineString
        By set, ``"NE"`` and ``"NW"``.
    """

    polygons: dict[str, list[Any]]
    faults: dict[str, list[Any]]

    def inside(self, unit: str, xy: FloatArray) -> Array:
        """Whether points ``(n, 2)`` lie in a unit."""
        import shapely

        whole = shapely.union_all(self.polygons[unit])
        shapely.prepare(whole)
        found: Array = shapely.contains_xy(whole, xy[:, 0], xy[:, 1])
        return found

    def distance(self, name: str, xy: FloatArray) -> FloatArray:
        """Metres from points ``(n, 2)`` to a unit, 0 inside, or to the faults of a set."""
        import shapely

        shapes = self.polygons[name] if name in self.polygons else self.faults[name]
        metres: FloatArray = shapely.distance(shapely.union_all(shapes), shapely.points(xy))
        return metres


def make_geology(frame: Grid, rng: np.random.Generator) -> Geology:
    """Draw the geology of a frame.

    Parameters
    ----------
    frame : Grid
        A map; shapes end at its edges.
    rng : Generator
        Draws everything.
    """
    import shapely

    xmin, ymin, _, xmax, ymax, _ = frame.bounds
    window = shapely.box(xmin, ymin, xmax, ymax)
    granites = shapely.union_all([_stock(frame, rng) for _ in range(5)]).intersection(window)
    polygons: dict[str, list[Any]] = {name: [] for name in UNITS}
    polygons["granite"] = _parts(granites)
    for name, band in _strata(frame, rng):
        polygons[name] += _parts(band.intersection(window).difference(granites))
    faults = {
        name: [_fault(frame, azimuth, rng).intersection(window) for _ in range(n)]
        for name, azimuth, n in (("NE", 45.0, 9), ("NW", 130.0, 6))
    }
    return Geology(polygons, faults)


def _parts(shape: Any) -> list[Any]:
    """Polygons of a shape, without slivers."""
    return [part for part in getattr(shape, "geoms", [shape]) if part.area > 1e4]


def _stock(frame: Grid, rng: np.random.Generator) -> Any:
    """A granite with a lobed outline."""
    import shapely

    xmin, ymin, _, xmax, ymax, _ = frame.bounds
    centre = rng.uniform((xmin, ymin), (xmax, ymax))
    turn = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    lobes = sum(rng.normal(0, 0.12) * np.cos(k * turn + rng.uniform(0, 2 * np.pi)) for k in (2, 3, 5))
    radius = rng.uniform(2_500, 5_500) * (1 + lobes)
    stretch, tilt = rng.uniform(1.0, 1.7), rng.uniform(0, np.pi)
    x, y = stretch * radius * np.cos(turn), radius * np.sin(turn)
    c, s = np.cos(tilt), np.sin(tilt)
    return shapely.Polygon(np.column_stack([c * x - s * y, s * x + c * y]) + centre).buffer(0)


def _strata(frame: Grid, rng: np.random.Generator) -> list[tuple[str, Any]]:
    """Bands from south to north, folded together."""
    import shapely

    xmin, ymin, _, xmax, ymax, _ = frame.bounds
    x = np.linspace(xmin, xmax, 200)
    length, phase, dip = rng.uniform(18_000, 26_000), rng.uniform(0, 2 * np.pi), rng.uniform(-0.25, 0.25)
    fold = _FOLD * np.sin(2 * np.pi * (x - xmin) / length + phase) + dip * (x - (xmin + xmax) / 2)
    low, found, number = ymin - 25_000.0, [], int(rng.integers(len(_STRATA)))
    while low < ymax + 25_000:
        name, thick = _STRATA[number % len(_STRATA)]
        thick *= rng.uniform(0.8, 1.2)
        lower, upper = np.column_stack([x, fold + low]), np.column_stack([x, fold + low + thick])
        found.append((name, shapely.Polygon(np.concatenate([lower, upper[::-1]]))))
        low, number = low + thick, number + 1
    return found


def _fault(frame: Grid, azimuth: float, rng: np.random.Generator) -> Any:
    """A trace that wanders about its direction."""
    import shapely

    xmin, ymin, _, xmax, ymax, _ = frame.bounds
    steps = int(rng.uniform(18, 45))  # of a kilometre
    heading = np.deg2rad(azimuth + rng.normal(0, 7)) + np.cumsum(rng.normal(0, 0.05, steps))
    path = 1000.0 * np.cumsum(np.column_stack([np.sin(heading), np.cos(heading)]), axis=0)
    middle = rng.uniform((xmin, ymin), (xmax, ymax))
    return shapely.LineString(path - path.mean(axis=0) + middle)
