"""How hard a district is: what single layers, the rule and distance to known ore find of the blind ore."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from mpm3d.evaluate import volume_ranks
from mpm3d.geometry import Array
from mpm3d.grid import FloatArray, Grid

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Discrimination:
    """Shares of the blind ore cells in the best part of the eligible volume.

    Parameters
    ----------
    share : float
        The part of the eligible volume, such as 0.02.
    low, high : mapping of str to float
        Captured by the lowest and by the highest values of each layer.
    rule : float
        Captured by the rule that placed the ore.
    known_distance : float
        Captured by nearness to the known ore.
    nearest : float
        Distance in metres between the nearest blind and known ore cells.
    n_known, n_blind, n_eligible : int
        Cells of known ore, of blind ore, and of the study volume without known ore.
    """

    share: float
    low: Mapping[str, float]
    high: Mapping[str, float]
    rule: float
    known_distance: float
    nearest: float
    n_known: int
    n_blind: int
    n_eligible: int

    @property
    def best_layer(self) -> tuple[str, str, float]:
        """Layer, ``"low"`` or ``"high"``, and share captured, of the best single layer."""
        signs = {"low": self.low, "high": self.high}
        name, sign = max(((n, s) for s in signs for n in self.low), key=lambda at: signs[at[1]][at[0]])
        return name, sign, signs[sign][name]


def discrimination(
    layers: Mapping[str, Array],
    rule: Array,
    *,
    grid: Grid,
    known: Mask,
    blind: Mask,
    study_volume: Mask,
    share: float = 0.02,
) -> Discrimination:
    """Measure whether the blind ore of a district can be found, and not too easily.

    Eligible are the cells of the study volume without known ore. A cell is captured when the share of
    eligible cells with a better value, ties at mid-rank, is at most `share`. Where no single layer captures
    much and the rule does, finding the blind ore takes several layers together.

    Parameters
    ----------
    layers : mapping of str to array of shape (z, y, x)
        Evidence, NaN where missing; a missing value is never captured.
    rule : array of shape (z, y, x)
        Score of the rule that placed the ore, high where ore is likely.
    grid : Grid
        The cells.
    known, blind, study_volume : bool array of shape (z, y, x)
        Cells of known ore, of blind ore, and of the study volume.
    share : float
        Part of the eligible volume, above 0 to 1.

    Returns
    -------
    Discrimination

    Raises
    ------
    ValueError
        If there is no known or no blind ore in the study volume, or an array does not fit the grid.
    """
    arrays = {**layers, "rule": rule, "known": known, "blind": blind, "study_volume": study_volume}
    for name, array in arrays.items():
        if array.shape != grid.shape:
            raise ValueError(f"{name!r} has {array.shape} cells (z, y, x), the grid {grid.shape}.")
    eligible, ore = study_volume & ~known, blind & study_volume & ~known
    if not known.any() or not ore.any():
        raise ValueError(
            f"{int(known.sum())} cells of known ore and {int(ore.sum())} of blind ore in the study volume: "
            "both are needed to measure a district."
        )
    away = distance_transform_edt(~known, sampling=grid.spacing)

    def captured(values: FloatArray) -> float:
        ranks = volume_ranks(values[ore], values[eligible])
        return float(np.mean((ranks <= share) & ~np.isnan(values[ore])))

    return Discrimination(
        share,
        {name: captured(-values) for name, values in layers.items()},
        {name: captured(values) for name, values in layers.items()},
        captured(rule),
        captured(-away),
        float(away[ore].min()),
        int((known & study_volume).sum()),
        int(ore.sum()),
        int(eligible.sum()),
    )
