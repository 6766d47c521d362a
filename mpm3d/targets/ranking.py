"""The score that targets are ranked by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mpm3d.targets.settings import TERMS, Settings
from mpm3d.targets.target import Target

_WHY_NOT = {
    "score": "there is none",
    "spread": "a model of one member has none",
    "volume": "there is none",
    "depth": "the ground is not known",
    "distance": "no deposit is known",
}


@dataclass(frozen=True)
class Scale:
    """What is 0 and what is 1 of each term; none of it depends on which targets there are.

    Parameters
    ----------
    threshold, highest : float
        Score from which cells are in, and the highest of the volume.
    cell_volume, zone_volume : float
        Cubic metres of a cell, and from which a body is a zone.
    deepest : float
        Metres from the highest ground down to the base of the grid.
    stand_off : float
        Metres from known ore from which a target counts as fully of its own.
    """

    threshold: float
    highest: float
    cell_volume: float
    zone_volume: float
    deepest: float
    stand_off: float

    def terms(self, target: Target) -> dict[str, float]:
        """Every term of a target, 0 to 1 and 1 the best; NaN where there is nothing to tell it from.

        * ``score`` = (mean score - threshold) / (highest score - threshold)
        * ``spread`` = 1 - spread / (highest score - threshold): members agree
        * ``volume`` = log(volume / cell) / log(zone / cell), where a zone has 5 % of the eligible volume
        * ``depth`` = 1 - depth to top / (highest ground - base of the grid): it is shallow
        * ``distance`` = distance to known ore / stand-off: its score is not lent by ore that the model knows

        What is below 0 counts as 0, and what is above 1 as 1.
        """
        width = self.highest - self.threshold
        larger = math.log(max(target.volume_m3 / self.cell_volume, 1.0))
        return {
            "score": _share(target.mean_score - self.threshold, width),
            "spread": 1 - _share(target.spread, width),
            "volume": _share(larger, math.log(max(self.zone_volume / self.cell_volume, 1.0))),
            "depth": 1 - _share(target.depth_top, self.deepest),
            "distance": _share(target.distance_m, self.stand_off),
        }


def _share(part: float, whole: float) -> float:
    """Part of a whole, between 0 and 1; NaN stays so."""
    if math.isnan(part):
        return math.nan
    if not whole > 0 or part >= whole:  # also where both are infinite
        return 1.0 if part >= whole and (whole > 0 or part > 0) else 0.0
    return max(0.0, part / whole)


def rank(
    targets: Sequence[Target], scale: Scale, settings: Settings
) -> tuple[list[float], dict[str, float], tuple[str, ...]]:
    """Ranking score of each target: the mean of its terms by their weights.

    A term without data leaves with its weight: for all targets, which is said, or for the target that lacks
    it.

    Parameters
    ----------
    targets : sequence of Target
        In any order.
    scale : Scale
        What is 0 and what is 1.
    settings : Settings
        With the weights.

    Returns
    -------
    scores : list of float
        0 to 1, in the order of the targets.
    weights : dict of str to float
        The weights that counted; their sum is 1.
    notes : tuple of str
        What has left.
    """
    terms = [scale.terms(target) for target in targets]
    asked = {name: float(settings.weights.get(name, 0.0)) for name in TERMS}
    asked = {name: weight for name, weight in asked.items() if weight > 0}
    lost = [name for name in asked if terms and all(math.isnan(each[name]) for each in terms)]
    used = {name: weight for name, weight in asked.items() if name not in lost} or {"score": 1.0}
    total = math.fsum(used.values())
    used = {name: weight / total for name, weight in used.items()}
    scores = [_mean(each, used) for each in terms]
    return (
        scores,
        used,
        _said(lost, used, sum(any(math.isnan(each[name]) for name in used) for each in terms)),
    )


def _mean(terms: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Mean of the terms that are known; of the score, which always is, where none of them is."""
    there = {name: weight for name, weight in weights.items() if not math.isnan(terms[name])}
    if not there:
        return terms["score"]
    return math.fsum(weight * terms[name] for name, weight in there.items()) / math.fsum(there.values())


def _said(lost: Sequence[str], used: Mapping[str, float], n_partly: int) -> tuple[str, ...]:
    notes = []
    if lost:
        left = ", ".join(f"{name} {weight:.2g}" for name, weight in used.items())
        without = " and ".join(f"{name} ({_WHY_NOT[name]})" for name in lost)
        notes.append(f"ranked without {without}; the weights are {left}.")
    if n_partly:
        bodies = "1 body has" if n_partly == 1 else f"{n_partly} bodies have"
        notes.append(
            f"{bodies} no value of some term and {'is' if n_partly == 1 else 'are'} ranked by the others."
        )
    return tuple(notes)
