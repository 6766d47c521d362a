"""How targets are cut and ranked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

TERMS = ("score", "spread", "volume", "depth", "distance")
"""What the ranking is made of."""

WEIGHTS: Mapping[str, float] = {"score": 0.5, "spread": 0.15, "volume": 0.15, "depth": 0.1, "distance": 0.1}
"""What each term counts where nothing else is said."""


@dataclass(frozen=True)
class Settings:
    """How targets are cut and ranked.

    Parameters
    ----------
    share : float, optional
        The best share of the eligible cells is in, above 0 and below 1.
    value : float, optional
        Cells of this score or a higher one are in. One of ``share`` and ``value`` is given.
    min_volume : float
        Smaller bodies are dropped, in cubic metres.
    split : bool
        Whether a zone, a body too large to be a target, is cut again at half the share, and so on.
    weights : mapping of str to float
        What each of `TERMS` counts in the ranking, 0 if not named; their sum is made 1.
    stand_off : float
        Metres from known ore from which a target counts as fully of its own.

    Raises
    ------
    ValueError
        If a number is out of range, or a term is not known.
    """

    share: float | None = None
    value: float | None = None
    min_volume: float = 0.0
    split: bool = True
    weights: Mapping[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    stand_off: float = 800.0

    def __post_init__(self) -> None:
        if (self.share is None) == (self.value is None):
            raise ValueError(
                f"share={self.share} and value={self.value}: one of them says where targets begin. Give one."
            )
        if self.share is not None and not 0 < self.share < 1:
            raise ValueError(
                f"share={self.share:g} of the volume must lie above 0 and below 1, as 0.02 for the best 2 %."
            )
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"value={self.value:g} is not a score, give a finite number such as 0.8.")
        if not self.min_volume >= 0:
            raise ValueError(f"min_volume={self.min_volume:g} m3 is not possible, it must be 0 or more.")
        if not self.stand_off >= 0:
            raise ValueError(f"stand_off={self.stand_off:g} m is not possible, it must be 0 or more.")
        check_weights(self.weights)


def check_weights(weights: Mapping[str, float]) -> None:
    """Refuse weights that no ranking can be made of.

    Raises
    ------
    ValueError
        If a term is not known, a weight is negative or not finite, or all are 0.
    """
    for name, weight in weights.items():
        if name not in TERMS:
            raise ValueError(f"{name!r} is not a term of the ranking, use any of {', '.join(TERMS)}")
        if not (weight >= 0 and math.isfinite(weight)):
            raise ValueError(f"the weight of {name} is {weight:g}, it must be 0 or more")
    if not sum(weights.values()) > 0:
        raise ValueError("all weights are 0, so nothing is left to rank by. Give one of them a weight")
