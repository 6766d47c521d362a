"""A district seen from above: fields of the ground, the rule that places the deposits, and how hard it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from mpm3d.grid import FloatArray, Grid
from mpm3d.synthetic.maps.geology import Geology, make_geology
from mpm3d.synthetic.measure import Discrimination, discrimination

CRS = "EPSG:32754"
STUDY = Grid.from_bounds((400_000, 6_500_000, -250, 460_000, 6_550_000, 250), 500.0, CRS)
"""Cells of the study."""

FRAME = Grid.from_bounds((392_000, 6_492_000, -125, 468_000, 6_558_000, 125), 250.0, CRS)
"""Cells on which the ground is made, wider than the study so that rasters end beyond it."""

N_DEPOSITS, N_BLIND, N_DECOYS = 12, 3, 24
_APART = 2_500.0  # m, least distance between deposits
_EDGE = 1_500.0  # m, least distance of a deposit from the edge of the study
_BEST = 0.025  # deposits lie in this best share of the rule


@dataclass(frozen=True)
class Occurrence:
    """A deposit: its name, easting and northing in metres, and whether it is kept from training."""

    name: str
    x: float
    y: float
    blind: bool


@dataclass(frozen=True, eq=False)
class MapDistrict:
    """A district seen from above.

    Parameters
    ----------
    seed : int
        What it was made from.
    geology : Geology
        Granites, strata, faults.
    fields : dict of str to array of shape (y, x)
        On `FRAME`, whole and without noise of measurement: ``alteration`` (standard deviations),
        ``magnetics`` (nT), ``gravity`` (mGal), ``potassium`` (%), ``thorium``, ``uranium`` (ppm), ``noise``
        (no meaning), ``rule`` (0 to 1).
    deposits : tuple of Occurrence
        All, the blind ones too.
    holes : dict of str to (x, y, radius)
        Where surveys have no data, in metres.
    """

    seed: int
    geology: Geology
    fields: dict[str, FloatArray]
    deposits: tuple[Occurrence, ...]
    holes: dict[str, tuple[float, float, float]]

    def at(self, name: str, xy: FloatArray) -> FloatArray:
        """Values of a field at points ``(n, 2)``, between cells by straight lines; at the edge beyond it."""
        _, y0, x0 = FRAME.first_centre
        places = [(xy[:, 1] - y0) / FRAME.spacing[1], (xy[:, 0] - x0) / FRAME.spacing[2]]
        found: FloatArray = map_coordinates(self.fields[name], places, order=1, mode="nearest")
        return found


def make(seed: int) -> MapDistrict:
    """Make a district; the same seed gives the same one.

    The rule: deposits lie in altered ground, about 700 m from a NE fault, within some 3 km of a granite and
    outside it, mostly in calc-silicate rocks. Altered ground of which the other conditions fail, the decoys,
    is more altered than the deposits are. Which deposits are blind is drawn when all are placed.

    Parameters
    ----------
    seed : int
        0 or above.

    Returns
    -------
    MapDistrict

    Raises
    ------
    ValueError
        If the deposits do not fit into this district. Another seed has room.
    """
    rng = np.random.default_rng(seed)
    geology = make_geology(FRAME, rng)
    xy = FRAME.points()[:, :2]
    fields = {"alteration": _random(1_100.0, rng)}
    setting = _setting(geology, xy)
    for x, y in _decoys(setting, rng):
        away = np.hypot(xy[:, 0] - x, xy[:, 1] - y).reshape(setting.shape)
        fields["alteration"] += rng.uniform(2.5, 4.0) * np.exp(-((away / rng.uniform(900, 1_600)) ** 2))
    altered = 1 / (1 + np.exp(-(fields["alteration"] - 1.6) / 0.15))
    fields["rule"] = setting * altered
    fields |= _physics(geology, fields["alteration"], rng)
    places = _places(fields["rule"], rng)
    blind = set(rng.choice(N_DEPOSITS, N_BLIND, replace=False).tolist())
    deposits = tuple(
        Occurrence(name, float(x), float(y), k in blind)
        for k, (name, (x, y)) in enumerate(zip(_NAMES, places, strict=True))
    )
    holes = {name: _hole(places, rng) for name in ("magnetics", "radiometrics")}
    return MapDistrict(seed, geology, fields, deposits, holes)


_NAMES = (
    "Acacia", "Brolga", "Corella", "Dingo", "Emu Well", "Fig Tree", "Galah", "Hakea", "Ironbark", "Jabiru",
    "Kurrajong", "Lorikeet",
)  # fmt: skip


def _random(reach: float, rng: np.random.Generator) -> FloatArray:
    """A random field on the frame, mean 0, standard deviation 1, smooth over ``reach`` metres."""
    field = gaussian_filter(rng.standard_normal(FRAME.shape[1:]), reach / FRAME.spacing[1], mode="wrap")
    return np.asarray((field - field.mean()) / field.std())


def _setting(geology: Geology, xy: FloatArray) -> FloatArray:
    """How well the geology suits a deposit, 0 to 1, on the frame."""
    fault = np.exp(-(((geology.distance("NE", xy) - 700.0) / 1_500.0) ** 2))
    granite = geology.distance("granite", xy)
    contact = np.where(granite > 0, np.exp(-(((granite - 1_200.0) / 3_000.0) ** 2)), 0.0)
    host = np.where(geology.inside("calc_silicate", xy), 1.0, 0.35)
    return np.asarray((fault * contact * host).reshape(FRAME.shape[1:]))


def _decoys(setting: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Places ``(n, 2)`` of altered ground where the geology does not suit."""
    poor = np.flatnonzero(gaussian_filter(setting, 4).ravel() < 0.03)
    return FRAME.points()[rng.choice(poor, N_DECOYS, replace=False), :2]


def _physics(geology: Geology, alteration: FloatArray, rng: np.random.Generator) -> dict[str, FloatArray]:
    """What surveys see of rocks and alteration. Blurred contrasts, not forward models."""
    xy, shape = FRAME.points()[:, :2], FRAME.shape[1:]
    rock = {name: geology.inside(name, xy).reshape(shape).astype(float) for name in geology.polygons}
    granite, pelite, calc = rock["granite"], rock["pelite"], rock["calc_silicate"]

    def blurred(values: FloatArray, metres: float) -> FloatArray:
        return np.asarray(gaussian_filter(values, metres / FRAME.spacing[1], mode="nearest"))

    contrast = 220 * pelite - 90 * granite + 60 * calc
    thorium = 9 + 9 * blurred(granite, 200) + 3 * pelite + 1.2 * _random(900, rng)
    potassium = thorium * (0.19 + 0.008 * _random(700, rng) + 0.05 * alteration)
    return {
        "magnetics": blurred(contrast, 400) + 45 * _random(700, rng) + 60 * _random(6_000, rng),
        "gravity": blurred(3 * calc - 7 * granite, 1_500)
        + 1.2 * _random(2_500, rng)
        + 2 * _random(9_000, rng),
        "potassium": np.maximum(potassium, 0.05),
        "thorium": np.maximum(thorium, 0.5),
        "uranium": np.maximum(2.5 + 2 * blurred(granite, 300) + 0.5 * _random(800, rng), 0.1),
        "noise": _random(600, rng),
    }


def _places(rule: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Deposits ``(n, 2)`` drawn from the best ground of the study, far enough from each other."""
    xmin, ymin, _, xmax, ymax, _ = STUDY.bounds
    xy = FRAME.points()[:, :2]
    low, high = np.array([xmin, ymin]) + _EDGE, np.array([xmax, ymax]) - _EDGE
    inside = ((xy > low) & (xy < high)).all(axis=1)
    best = inside & (rule.ravel() >= np.quantile(rule.ravel()[inside], 1 - _BEST))
    found: list[FloatArray] = []
    for row in rng.permutation(np.flatnonzero(best)):
        if all(np.hypot(*(xy[row] - other)) >= _APART for other in found):
            found.append(xy[row])
        if len(found) == N_DEPOSITS:
            return np.array(found)
    raise ValueError(f"only {len(found)} of {N_DEPOSITS} deposits fit into this district. Try another seed.")


def _hole(places: FloatArray, rng: np.random.Generator) -> tuple[float, float, float]:
    """A gap of a survey that holds no deposit: x, y and radius."""
    xmin, ymin, _, xmax, ymax, _ = STUDY.bounds
    while True:
        x, y = rng.uniform((xmin + 4_000, ymin + 4_000), (xmax - 4_000, ymax - 4_000))
        radius = float(rng.uniform(2_000, 3_000))
        if np.hypot(places[:, 0] - x, places[:, 1] - y).min() > radius + 1_500:
            return float(x), float(y), radius


def measured(district: MapDistrict, layers: dict[str, Any]) -> Discrimination:
    """How hard a district is on the cells of the study.

    Parameters
    ----------
    district : MapDistrict
        The district.
    layers : dict of str to array of shape (1, y, x)
        Evidence as the study has it, NaN where missing.

    Returns
    -------
    Discrimination
        For the blind deposits, in the best 2 % of the cells outside the known ones.
    """
    rule = district.at("rule", STUDY.points()[:, :2]).reshape(STUDY.shape)
    masks = {blind: np.zeros(STUDY.shape, dtype=bool) for blind in (False, True)}
    for one in district.deposits:
        masks[one.blind][tuple(STUDY.index_of([[one.x, one.y, 0.0]])[0])] = True
    return discrimination(
        layers, rule, grid=STUDY, known=masks[False], blind=masks[True],
        study_volume=np.ones(STUDY.shape, dtype=bool),
    )  # fmt: skip
