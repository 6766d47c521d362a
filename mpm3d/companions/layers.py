"""What the layers beside the score hold, a window at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mpm3d import cube, labels, storage, uncertainty
from mpm3d.companions.store import NO_VALUE, Group, Layer, Values
from mpm3d.grid import Grid, Window
from mpm3d.uncertainty import Calibration, Domain

Scores = NDArray[np.float32]

AGREEMENT = ("agreement", "rank_spread")

_FLAGS = {"flag_values": [0, 1], "flag_meanings": "within_training_evidence extrapolated"}


def domain_group(evidence: xr.Dataset, domain: Domain, key: str) -> Group:
    """Where scores are extrapolated: layers outside the training range, novelty, and the flag of both.

    Sums: ``scored, extrapolated, outside, novel``, then the cells outside the range of each layer.
    """

    def fill(window: Window, score: Scores) -> tuple[Values, Sequence[float]]:
        scored = ~np.isnan(score)
        values = cube.read_window(evidence, domain.layers, window)[:, scored]  # (layer, cell)
        beyond = domain.beyond(values)
        outside, novelty = domain.outside(values), domain.novelty(values)
        flag = domain.extrapolates(outside, novelty)
        sums = [scored, flag, outside > 0, novelty > 1, *beyond]
        put: Values = {
            "extrapolation": _spread_out(scored, flag, np.uint8(NO_VALUE)),
            "outside": _spread_out(scored, outside, np.uint8(NO_VALUE)),
            "novelty": _spread_out(scored, novelty, np.float32(np.nan)),
        }
        return put, [float(one.sum()) for one in sums]

    domain.novelty(domain.sample[:1].T)  # makes the tree before threads share it
    layers = (
        Layer("extrapolation", "1 where the evidence is unlike the training cells", "1", "uint8", _FLAGS),
        Layer("outside", "number of layers outside their range over the training cells", "1", "uint8"),
        Layer(
            "novelty", "distance of the evidence to the nearest training cell, 1 as far as they lie apart",
            attrs={"reach": domain.reach, "n_training_cells": domain.n},
        ),
    )  # fmt: skip
    names = ("scored", "extrapolated", "outside", "novel", *domain.layers)
    return Group("domain", key, layers, names, fill)


def distance_group(grid: Grid, known: NDArray[np.int64], stand_off: float, key: str) -> Group:
    """Distance of scored cells to the nearest cell of a known deposit, centre to centre, without a cutoff.

    Sums: ``scored``, ``far`` (at least the stand-off away), ``known`` (cells of known deposits).
    """
    centres = grid.xyz_of(known)

    def fill(window: Window, score: Scores) -> tuple[Values, Sequence[float]]:
        scored = ~np.isnan(score)
        points = grid.window(window).points().reshape(-1, 3)[scored.ravel()]
        metres = labels.distance_to_cells(points, centres)
        put: Values = {"known_distance": _spread_out(scored, metres, np.float32(np.nan))}
        return put, [len(metres), float((metres >= stand_off).sum()), float((metres == 0).sum())]

    layer = Layer("known_distance", "distance to the nearest cell of a known deposit", "m")
    return Group("known_distance", key, (layer,), ("scored", "far", "known"), fill)


def spread_group(place: Path, key: str) -> Group:
    """Sums that say how far members differ: ``n, score, score²`` and ``spread²``; no layer of its own."""
    store = storage.group(place, "r")

    def fill(window: Window, score: Scores) -> tuple[Values, Sequence[float]]:
        scored = ~np.isnan(score)
        values = score[scored].astype(np.float64)
        spread = store["spread"][window][scored].astype(np.float64)
        return {}, [len(values), values.sum(), (values**2).sum(), (spread**2).sum()]

    return Group("spread", key, (), ("n", "score", "score2", "spread2"), fill)


def calibrated_group(place: Path, calibration: Calibration, key: str, space: str = "volume") -> Group:
    """The chance of each eligible cell, from its percentile. Sums: ``n`` and ``chance``.

    ``space`` is what the cells are of: ``"volume"``, or ``"area"`` of a map.
    """
    percentile = storage.group(place, "r")["percentile"]

    def fill(window: Window, score: Scores) -> tuple[Values, Sequence[float]]:
        chance = calibration.apply(percentile[window] / 100)
        eligible = ~np.isnan(chance)
        return {"calibrated": chance.astype(np.float32)}, [float(eligible.sum()), float(np.nansum(chance))]

    layer = Layer(
        "calibrated",
        f"chance of ore if one deposit like those left out is hidden in the {space}; not a resource estimate",
        attrs={"method": calibration.method, "prevalence": calibration.prevalence},
    )
    return Group("calibrated", key, (layer,), ("n", "chance"), fill)


def agreement_group(places: Sequence[Path], share: float, key: str, kinds: Sequence[str]) -> Group:
    """Whether several models point at the same ground. Sums: ``n``, ``any``, ``all`` of the models."""
    arrays: list[Any] = [storage.group(place, "r")["percentile"] for place in places]

    def fill(window: Window, score: Scores) -> tuple[Values, Sequence[float]]:
        ranks = np.stack([array[window] for array in arrays])
        agreed = uncertainty.agreement(ranks, share)
        put: Values = {"agreement": agreed, "rank_spread": uncertainty.rank_spread(ranks)}
        sums = (~np.isnan(agreed), agreed > 0, agreed == 1)
        return put, [float(one.sum()) for one in sums]

    about = {"models": list(kinds), "share": share}
    layers = (
        Layer("agreement", "share of the models that count the cell among their best", "1", attrs=about),
        Layer("rank_spread", "standard deviation of the models' percentiles", "%", attrs=about),
    )
    return Group("agreement", key, layers, ("n", "any", "all"), fill)


def _spread_out(where: NDArray[np.bool_], values: NDArray[Any], missing: Any) -> NDArray[Any]:
    """Values of some cells on all cells of a window, in the type of what stands for missing."""
    result = np.full(where.shape, missing)
    result[where] = values
    return result
