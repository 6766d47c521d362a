"""The ground of an invented district: bodies, faults, host rock, alteration, and the rule of its ore."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mpm3d.evidence import distance
from mpm3d.geometry import Surface
from mpm3d.grid import FloatArray, Grid
from mpm3d.synthetic.bodies import Mask, Sheet, around, compact, lattice, slab
from mpm3d.synthetic.fields import random_field, sample, window

CRS = "EPSG:32651"
SIDE = 5000.0
FRAME = Grid((50, 50, 50), (100.0, 100.0, 100.0), (-4600.0, 4430000.0, 500000.0), CRS)
STYLES = ("vein", "disseminated")
_CENTRE = np.array([502500.0, 4432500.0])
_STEP = 150.0  # between the nodes of faults and dykes, in metres


@dataclass(frozen=True, eq=False)
class Geology:
    """What the district is made of; lattices are on `FRAME`, 100 m cells.

    Parameters
    ----------
    topography : Surface
        The ground, over the district and 100 m beyond it.
    granodiorite, dykes : tuple of Surface
        Closed.
    faults_ne, faults_nw : tuple of Surface
        Open sheets.
    sheets : tuple of Sheet
        The NE faults as functions, in the order of ``faults_ne``.
    host, alteration : array of shape (50, 50, 50)
        Share of reactive, dense and magnetic host rock, and intensity of alteration, 0 to 1.
    near : dict of str to array of shape (125000,)
        The distances at the cells of `FRAME`, in metres.
    """

    topography: Surface
    granodiorite: tuple[Surface, ...]
    dykes: tuple[Surface, ...]
    faults_ne: tuple[Surface, ...]
    faults_nw: tuple[Surface, ...]
    sheets: tuple[Sheet, ...]
    host: FloatArray
    alteration: FloatArray
    near: dict[str, FloatArray]

    def ground(self, xy: FloatArray) -> FloatArray:
        """Elevation ``(n,)`` of the ground at ``(n, 2)`` points, in metres."""
        nodes = self.topography.vertices.reshape(-1, len(np.unique(self.topography.vertices[:, 0])), 3)
        return _height(nodes[..., 2], xy)

    def distances(self, points: FloatArray) -> dict[str, FloatArray]:
        """Distances ``(n,)`` in metres, up to 2 km, from ``(n, 3)`` points to the four kinds of bodies."""
        return _distances(points, self.granodiorite, self.dykes, self.faults_ne, self.faults_nw)

    def favourability(
        self, points: FloatArray, distances: dict[str, FloatArray] | None = None
    ) -> dict[str, FloatArray]:
        """How well the conditions of each ore style are met, 0 to 1, at ``(n, 3)`` points.

        Vein ore lies beside NE faults, not in them, near NW faults or dykes, in the aureole of the
        granodiorite. Disseminated ore lies where both families of faults are near, in reactive host rock of
        the aureole. Both need altered rock. Each condition is 1 within a window of distance and falls off
        as a Gaussian; the favourability is their product.
        """
        d = self.distances(points) if distances is None else distances
        altered = sample(FRAME, self.alteration, points)
        reactive = sample(FRAME, self.host, points)
        aureole = window(d["granodiorite_distance"], 70.0, 450.0, inner=30.0, outer=120.0)
        cross = np.minimum(d["fault_nw_distance"], 1.3 * d["dyke_distance"])
        vein = window(d["fault_ne_distance"], 55.0, 150.0, inner=20.0, outer=45.0)
        vein = vein * window(cross, 0.0, 280.0, inner=1.0, outer=130.0)
        node = window(d["fault_ne_distance"], 50.0, 300.0, inner=20.0, outer=80.0)
        node = node * window(d["fault_nw_distance"], 50.0, 330.0, inner=20.0, outer=90.0)
        return {
            "vein": aureole * vein * (0.15 + 0.85 * altered),
            "disseminated": aureole * node * (0.1 + 0.9 * reactive) * (0.15 + 0.85 * altered),
        }


def draw_geology(rng: np.random.Generator) -> Geology:
    """Draw everything but the ore."""
    heights = 240.0 + 55.0 * np.clip(random_field((54, 54), 9.0, rng), -2.2, 2.2)
    nodes = _ground_nodes(heights)
    topography = compact("topography", nodes.reshape(-1, 3), lattice(nodes))
    stock = _granodiorite(heights, rng)
    ne = _sheets(rng, np.linspace(-1750, 1750, 5), (22.0, 44.0), (58.0, 80.0), 135.0)
    nw = _sheets(rng, np.linspace(-1650, 1650, 4), (303.0, 328.0), (62.0, 85.0), 45.0)
    faults_ne = tuple(_fault(f"fault_ne_{i + 1}", s, heights, i == 1) for i, s in enumerate(ne))
    faults_nw = tuple(_fault(f"fault_nw_{i + 1}", s, heights, False) for i, s in enumerate(nw))
    dykes = tuple(_dyke(f"dyke_{i + 1}", heights, rng) for i in range(7))
    host = _host(rng)
    altered = 1.0 / (1.0 + np.exp(-(random_field(FRAME.shape, 2.6, rng) - 0.55) / 0.22))
    near = _distances(FRAME.points(), (stock,), dykes, faults_ne, faults_nw)
    return Geology(topography, (stock,), dykes, faults_ne, faults_nw, ne, host, altered, near)


def _distances(
    points: FloatArray,
    granodiorite: Sequence[Surface],
    dykes: Sequence[Surface],
    faults_ne: Sequence[Surface],
    faults_nw: Sequence[Surface],
) -> dict[str, FloatArray]:
    return {
        "granodiorite_distance": distance(points, granodiorite, solid=True),
        "dyke_distance": distance(points, dykes, solid=True),
        "fault_ne_distance": distance(points, faults_ne),
        "fault_nw_distance": distance(points, faults_nw),
    }


def _ground_nodes(heights: FloatArray) -> FloatArray:
    line = np.arange(54) * 100.0 - 150.0
    y, x = np.meshgrid(FRAME.corner[1] + line, FRAME.corner[2] + line, indexing="ij")
    return np.stack([x, y, heights], axis=-1)


def _height(heights: FloatArray, xy: FloatArray) -> FloatArray:
    """Elevation of the triangulated ground: each square of nodes is cut along its rising diagonal."""
    at = (xy - np.array([FRAME.corner[2], FRAME.corner[1]]) + 150.0) / 100.0
    at = np.clip(at, 0.0, 53.0 - 1e-9)
    j, i = np.floor(at).astype(int).T
    u, v = (at - np.floor(at)).T
    a, b, c, d = heights[i, j], heights[i, j + 1], heights[i + 1, j], heights[i + 1, j + 1]
    flat: FloatArray = np.where(u >= v, a + u * (b - a) + v * (d - b), a + v * (c - a) + u * (d - c))
    return flat


def _granodiorite(heights: FloatArray, rng: np.random.Generator) -> Surface:
    """A stock that widens downwards, with a ragged wall and a blind cupola beside it."""
    points = FRAME.points()
    xy, z = points[:, :2] - _CENTRE, points[:, 2]
    turn = np.radians(rng.uniform(20.0, 60.0))
    along = np.array([np.sin(turn), np.cos(turn)])
    across = np.array([np.cos(turn), -np.sin(turn)])
    shape = np.full(len(z), -np.inf)
    for centre, axes, top in _stocks(rng, along, across):
        offset = xy - centre - 0.12 * (200.0 - z)[:, None] * across * rng.uniform(-1, 1)
        widen = 1.0 + 0.10 * (200.0 - z) / 1000.0
        radius = np.hypot(offset @ along / axes[0], offset @ across / axes[1]) / widen
        roof = np.minimum((top - z) / 700.0, 1.0)
        shape = np.maximum(shape, np.minimum(1.0 - radius, roof))
    ragged = 1000.0 * (shape + 0.15 * random_field(FRAME.shape, 4.0, rng).ravel())
    cut = np.minimum(ragged, _height(heights, points[:, :2]) - z)
    return around("granodiorite", FRAME, cut.reshape(FRAME.shape))


def _stocks(
    rng: np.random.Generator, along: FloatArray, across: FloatArray
) -> list[tuple[FloatArray, tuple[float, float], float]]:
    centre = rng.uniform(-350, 350, 2)
    side = rng.choice([-1.0, 1.0])
    cupola = centre + along * rng.uniform(-900, 900) + side * across * rng.uniform(1300, 1550)
    return [
        (centre, (rng.uniform(1250, 1550), rng.uniform(430, 580)), 1000.0),
        (cupola, (rng.uniform(450, 650), rng.uniform(260, 380)), rng.uniform(-500.0, -100.0)),
    ]


def _sheets(
    rng: np.random.Generator,
    places: FloatArray,
    azimuth: tuple[float, float],
    dip: tuple[float, float],
    towards: float,
) -> tuple[Sheet, ...]:
    """Faults of one family, side by side along the bearing ``towards``."""
    bearing = np.array([np.sin(np.radians(towards)), np.cos(np.radians(towards))])
    sheets = []
    for place in places:
        along = rng.uniform(-400, 400) * bearing[::-1] * np.array([1.0, -1.0])
        xy = _CENTRE + (place + rng.uniform(-180, 180)) * bearing + along
        turned = rng.uniform(*azimuth) + 180.0 * rng.integers(2)
        sheets.append(
            Sheet(
                np.array([*xy, -800.0]), turned, rng.uniform(*dip), _waves(rng),
                rng.uniform(4200, 7000), rng.uniform(-4600, -3000),
            )
        )  # fmt: skip
    return tuple(sheets)


def _waves(rng: np.random.Generator) -> FloatArray:
    """Two waves of 1.4 to 3 km length and up to 70 m height."""
    number = 2 * np.pi / rng.uniform(1400, 3000, 2)
    angle = rng.uniform(0, np.pi, 2)
    return np.stack(
        [rng.uniform(25, 70, 2), number * np.cos(angle), number * np.sin(angle), rng.uniform(0, 6.3, 2)],
        axis=1,
    )


def sheet_nodes(sheet: Sheet, heights: FloatArray, step: float, top: float = np.inf) -> FloatArray:
    """Nodes ``(rows, columns, 3)`` of a sheet from the ground, or elevation ``top``, to its lower edge."""
    slope = np.sin(np.radians(sheet.dip))
    along = np.linspace(-sheet.length / 2, sheet.length / 2, max(2, round(sheet.length / step)))
    upper = np.full(len(along), (sheet.origin[2] - 200.0) / slope)
    for _ in range(6):  # where the sheet meets the ground, which both undulate
        at = sheet.points(along, upper)
        upper = upper + (at[:, 2] - np.minimum(_height(heights, at[:, :2]), top)) / slope
    lower = np.maximum((sheet.origin[2] - sheet.reach) / slope, upper + step)
    rows = max(2, round(float(np.mean(lower - upper)) / step))
    part = np.linspace(0.0, 1.0, rows)[:, None]
    return sheet.points(np.broadcast_to(along, (rows, len(along))), upper + part * (lower - upper))


def _within(nodes: FloatArray, margin: float) -> Mask:
    """Quads whose middle lies in the district or ``margin`` metres around it."""
    middle = (nodes[:-1, :-1] + nodes[1:, 1:]) / 2
    inside: Mask = np.all(np.abs(middle[..., :2] - _CENTRE) < SIDE / 2 + margin, axis=-1)
    return inside


def _fault(name: str, sheet: Sheet, heights: FloatArray, two_parts: bool) -> Surface:
    nodes = sheet_nodes(sheet, heights, _STEP)
    keep = _within(nodes, 150.0)
    if two_parts:  # a gap, as where a cross fault was not interpreted
        keep[:, keep.shape[1] // 2] = False
    surface = compact(name, nodes.reshape(-1, 3), lattice(nodes, keep))
    if not two_parts:
        return surface
    beyond = (surface.vertices[surface.triangles].mean(axis=1) - sheet.origin) @ sheet.axes[0] > 0
    order = np.argsort(beyond, kind="stable")
    return Surface(name, surface.vertices, surface.triangles[order], beyond[order].astype(np.int64))


def _dyke(name: str, heights: FloatArray, rng: np.random.Generator) -> Surface:
    azimuth = rng.uniform(30.0, 62.0) if rng.random() < 0.6 else rng.uniform(290.0, 335.0)
    xy = _CENTRE + rng.uniform(-1900, 1900, 2)
    waves = _waves(rng) * np.array([0.5, 1.0, 1.0, 1.0])
    top = 1000.0 if rng.random() < 0.7 else rng.uniform(-900.0, -200.0)
    sheet = Sheet(
        np.array([*xy, -800.0]), azimuth, rng.uniform(70, 88), waves,
        rng.uniform(900, 2600), rng.uniform(-3800, -1800),
    )  # fmt: skip
    nodes = sheet_nodes(sheet, heights, _STEP, top)
    return slab(name, nodes, sheet.axes[2] * rng.uniform(5.0, 14.0), _within(nodes, 150.0))


def _host(rng: np.random.Generator) -> FloatArray:
    """Folded layers of reactive rock, about 400 m thick."""
    points = FRAME.points() - FRAME.points().mean(axis=0)
    bearing, dip = np.radians(rng.uniform(0, 360)), np.radians(rng.uniform(35, 65))
    normal = np.array([np.sin(bearing) * np.sin(dip), np.cos(bearing) * np.sin(dip), np.cos(dip)])
    bent = points @ normal + 160.0 * random_field(FRAME.shape, 7.0, rng).ravel()
    phase = np.sin(2 * np.pi * bent / rng.uniform(1000, 1300) + rng.uniform(0, 6.3))
    share: FloatArray = 1.0 / (1.0 + np.exp(-6.0 * (phase - 0.05)))
    return share.reshape(FRAME.shape)
