"""Ore where the rule asks for it, and barren look-alikes beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_opening, gaussian_filter, label
from scipy.spatial import cKDTree

from mpm3d.geometry import Surface
from mpm3d.grid import FloatArray, Grid
from mpm3d.synthetic.bodies import Mask, Sheet, around, slab
from mpm3d.synthetic.geology import CRS, FRAME, STYLES, Geology

NAMES = ("Baishi", "Donggou", "Heling", "Nanpo", "Shuanghe", "Xiling", "Yanjia")
ORDER = (1, 0, 1, 0, 1, 0, 0)  # three disseminated, four of the vein style
APART = 900.0  # between the bodies of two deposits, in metres
DEEPEST = -2600.0
_HIGH = 0.72  # favourability at the heart of a deposit
_ENOUGH = 250  # places of either style, 0.25 km3, without which seven deposits hardly find room


@dataclass(frozen=True, eq=False)
class Orebody:
    """A deposit of an invented district.

    Parameters
    ----------
    name, style : str
        The style is ``"vein"`` or ``"disseminated"``.
    surfaces : tuple of Surface
        Closed bodies.
    blind : bool
        Whether training may never see it.
    """

    name: str
    style: str
    surfaces: tuple[Surface, ...]
    blind: bool = False

    @property
    def vertices(self) -> FloatArray:
        """Vertices ``(n, 3)`` of all bodies."""
        return np.concatenate([surface.vertices for surface in self.surfaces])


def place(geology: Geology, rng: np.random.Generator) -> tuple[Orebody, ...]:
    """Place seven deposits where their style's conditions hold; fewer if there is no room for all."""
    points = FRAME.points()
    favourable = geology.favourability(points, geology.near)
    depth = geology.ground(points[:, :2]) - points[:, 2]
    middle = np.abs(points[:, :2] - np.array([502500.0, 4432500.0])).max(axis=1)
    room = (depth > 150.0) & (points[:, 2] > DEEPEST) & (middle < 2200.0)
    places = {style: points[room & (favourable[style] > _HIGH)] for style in STYLES}
    placed: list[Orebody] = []
    if min(len(some) for some in places.values()) < _ENOUGH:
        return ()
    for name, number in zip(NAMES, ORDER, strict=True):
        style = STYLES[number]
        found = _first_that_fits(geology, name, style, rng.permutation(places[style]), placed, rng)
        if found is None:
            return tuple(placed)
        placed.append(found)
    return tuple(placed)


def _first_that_fits(
    geology: Geology,
    name: str,
    style: str,
    seeds: FloatArray,
    placed: list[Orebody],
    rng: np.random.Generator,
) -> Orebody | None:
    taken = cKDTree(np.concatenate([body.vertices for body in placed])) if placed else None
    while len(seeds):
        seed, seeds = seeds[0], seeds[np.linalg.norm(seeds - seeds[0], axis=1) > 200.0]
        if taken is not None and taken.query(seed)[0] < APART + 250.0:
            continue
        surfaces = _veins(geology, name, seed, rng) if style == "vein" else _pod(geology, name, seed)
        body = Orebody(name, style, surfaces) if surfaces else None
        if body is not None and (taken is None or taken.query(body.vertices)[0].min() > APART):
            return body
    return None


def _veins(geology: Geology, name: str, seed: FloatArray, rng: np.random.Generator) -> tuple[Surface, ...]:
    """Two or three parallel veins beside the nearest NE fault, cut off where the conditions end."""
    sheet = min(geology.sheets, key=lambda s: abs(s.coordinates(seed)[2]))
    along, down, across = sheet.coordinates(seed)
    widths = rng.permutation([rng.uniform(14.0, 30.0), rng.uniform(9.0, 16.0), rng.uniform(5.0, 9.0)])
    side = 1.0 if across > 0 else -1.0
    surfaces = []
    for number, width in enumerate(widths[: rng.integers(2, 4)]):
        offset = across + side * (0.0, 55.0, -45.0)[number]
        vein = _vein(geology, f"{name}_{number + 1}", sheet, np.array([along, down, offset]), width)
        surfaces += [] if vein is None else [vein]
    big = sum(len(surface.triangles) for surface in surfaces) > 700
    return tuple(surfaces) if big else ()


def _vein(geology: Geology, name: str, sheet: Sheet, heart: FloatArray, width: float) -> Surface | None:
    """A vein of up to 900 × 760 m around a point in the coordinates of its fault."""
    line = np.arange(-18, 19) * 25.0
    a, d = np.meshgrid(line, line, indexing="ij")
    nodes = sheet.points(heart[0] + a, heart[1] + d, heart[2])
    flat = nodes.reshape(-1, 3)
    score = geology.favourability(flat)["vein"].reshape(a.shape)
    rock = (geology.ground(flat[:, :2]) - flat[:, 2]).reshape(a.shape) > 20.0
    inside = (score > 0.52) & rock & (np.hypot(a / 450.0, d / 380.0) < 1.0)
    quads = inside[:-1, :-1] & inside[1:, :-1] & inside[:-1, 1:] & inside[1:, 1:]
    body = _central(binary_opening(quads, iterations=2))
    if body.sum() < 60:
        return None
    return slab(name, nodes, sheet.axes[2] * width / 2, body)


def _central(mask: Mask) -> Mask:
    """The largest connected part of a mask, the first one of equals."""
    parts, count = label(mask)
    if not count:
        return mask
    kept: Mask = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    return kept


def _pod(geology: Geology, name: str, seed: FloatArray) -> tuple[Surface, ...]:
    """A body of up to 800 × 600 × 500 m where the conditions hold, smoothed."""
    x, y, z = seed
    box = Grid((28, 28, 28), (40.0, 40.0, 40.0), (z - 560.0, y - 560.0, x - 560.0), CRS)
    points = box.points()
    score = gaussian_filter(geology.favourability(points)["disseminated"].reshape(box.shape), 1.0)
    turn = np.radians(35.0)
    away = (points - seed) @ np.array(
        [[np.sin(turn), np.cos(turn), 0], [np.cos(turn), -np.sin(turn), 0], [0, 0, 1]]
    ).T
    radius = np.linalg.norm(away / np.array([400.0, 250.0, 300.0]), axis=1).reshape(box.shape)
    rock = (geology.ground(points[:, :2]) - points[:, 2]).reshape(box.shape) / 100.0 - 0.2
    field = np.minimum(np.minimum(score - 0.5, 1.0 - radius), rock)
    body = _central(field > 0)
    if body.sum() < 300:
        return ()
    others = (field > 0) & ~body
    return (around(f"{name}_1", box, np.where(others, -0.05, field)),)


def draw_blind(bodies: tuple[Orebody, ...], rng: np.random.Generator) -> tuple[Orebody, ...]:
    """Make two deposits blind, any two that leave each style two known ones, all pairs alike."""
    pairs = [pair for pair in combinations(range(len(bodies)), 2) if _leaves_two(bodies, pair)]
    drawn = pairs[int(rng.integers(len(pairs)))]
    return tuple(replace(body, blind=number in drawn) for number, body in enumerate(bodies))


def _leaves_two(bodies: tuple[Orebody, ...], pair: tuple[int, int]) -> bool:
    known = [body.style for number, body in enumerate(bodies) if number not in pair]
    return all(known.count(style) >= 2 for style in STYLES)


def with_decoys(
    geology: Geology, bodies: tuple[Orebody, ...], rng: np.random.Generator
) -> tuple[Geology, FloatArray]:
    """Alter the rock at one place beside each deposit where the other conditions of ore do not hold.

    Returns
    -------
    Geology
        With the decoys in its alteration.
    array of shape (n, 3)
        x, y, z of the decoys, in metres.
    """
    points = FRAME.points()
    bare = replace(geology, alteration=np.ones(FRAME.shape))
    scores = bare.favourability(points, bare.near)
    barren = np.maximum(scores["vein"], scores["disseminated"]) < 0.15
    barren &= bare.near["granodiorite_distance"] > 150.0  # which hardly alters
    barren &= geology.ground(points[:, :2]) - points[:, 2] > 200.0
    altered, places = geology.alteration, []
    for spot in _beside(bodies, points, barren, rng):
        away = np.linalg.norm(points - spot, axis=1).reshape(FRAME.shape)
        altered = np.maximum(altered, 0.97 * np.exp(-0.5 * (away / 230.0) ** 2))
        places.append(spot)
    return replace(geology, alteration=altered), np.array(places).reshape(-1, 3)


def _beside(
    bodies: tuple[Orebody, ...], points: FloatArray, barren: NDArray[np.bool_], rng: np.random.Generator
) -> Iterator[FloatArray]:
    away = np.stack([cKDTree(body.vertices).query(points)[0] for body in bodies])
    nearest = away.min(axis=0)
    for own in away:
        spots = points[barren & (nearest > 450.0) & (own < 1000.0)]
        if len(spots):
            yield spots[int(rng.integers(len(spots)))]
