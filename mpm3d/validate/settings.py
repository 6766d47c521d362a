"""How models are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mpm3d import fit

SCHEMES = ("random", "block", "deposit")

PUBLISHED = "deposit, published negatives"
"""What the deposit scheme is called where the negatives keep away from the deposit that is left out."""

TRAINED = "deposit, among trained rows"
"""What the deposit scheme is called where a left-out deposit is ranked among negatives of its own model."""


@dataclass(frozen=True)
class Settings:
    """How models are compared.

    Parameters
    ----------
    stand_off : float
        Least distance of a negative from any deposit that the fold knows, in metres.
    ratio : float
        Negatives per positive.
    max_positives : int, optional
        The most positives of a fold, drawn evenly from its deposits.
    members : int
        Members fitted in each fold of the spatial schemes; their mean is the score.
    stopping : str
        What early stopping looks at, as in `mpm3d.fit.fit_members`, always on the training side of a fold.
        In the random scheme it is a random part of the training samples, unless ``"none"``.
    shares : tuple of float
        Shares of the volume for which the capture is given.
    population : int, optional
        Number of eligible cells that the reference stands for. With it, the held-out deposit cells count
        among the eligible ones with their due weight; without, they are left out as a negligible part.
    schemes : tuple of str
        ``"random"``: 7 to 3, as published. ``"block"``: spatial blocks with a buffer. ``"deposit"``: one
        deposit left out at a time.
    repeats : int
        How often everything is done again with other negatives, seeds, splits and blocks.
    folds : int
        Number of blocks.
    buffer : float, optional
        Distance that training samples keep from the block that is tested, in metres; the length of a patch
        and the stand-off if not given.
    size, axis
        Blocks as cubes of so many metres, or as slabs along ``"x"``, ``"y"`` or ``"z"``, as in
        `mpm3d.splits.block_folds`.
    negatives : {"unaware", "published"}
        ``"unaware"``: a fold does not know the deposit that it leaves out. ``"published"``: its negatives
        keep the stand-off from that deposit too, which tells the model where the test ore is; such numbers
        carry the name of the alternative.
    deposit_buffer : float
        Distance in metres that training samples of either class keep from the deposit that is left out.
    unseen : float, optional
        Share of the background that a fold which leaves a deposit out trains on nothing of, drawn anew for
        each fold and repeat, to rank that deposit against: for samples without a reference of their own, as
        those of a table. With 0 the deposit is ranked among all background samples, those included that the
        model was taught to score low, which is optimistic and named so.
    """

    stand_off: float = 800.0
    ratio: float = 1.0
    max_positives: int | None = None
    members: int = 1
    stopping: fit.Stopping = "deposit"
    shares: tuple[float, ...] = (0.01, 0.02, 0.05, 0.10)
    population: int | None = None
    schemes: tuple[str, ...] = SCHEMES
    repeats: int = 1
    folds: int = 3
    buffer: float | None = None
    size: float | None = None
    axis: Literal["x", "y", "z"] | None = None
    negatives: Literal["unaware", "published"] = "unaware"
    deposit_buffer: float = 0.0
    unseen: float | None = None

    def __post_init__(self) -> None:
        unknown = [scheme for scheme in self.schemes if scheme not in SCHEMES]
        if unknown or not self.schemes:
            raise ValueError(
                f"schemes {tuple(self.schemes)} are not known, use any of {', '.join(map(repr, SCHEMES))}."
            )
        if self.repeats < 1:
            raise ValueError(f"{self.repeats} repeats are not possible, at least 1 is needed.")
        if self.negatives not in ("unaware", "published"):
            raise ValueError(f"negatives is {self.negatives!r}, choose 'unaware' or 'published'.")
        if not self.deposit_buffer >= 0:
            raise ValueError(
                f"a deposit_buffer of {self.deposit_buffer:g} m is not possible, 0 is the least."
            )
        if self.unseen is not None and not 0 <= self.unseen < 1:
            raise ValueError(f"unseen is {self.unseen:g}, it is a share of the background from 0 to below 1.")

    def label(self, scheme: str) -> str:
        """What a scheme is called wherever its numbers appear."""
        if scheme == "deposit" and self.unseen == 0:
            return TRAINED
        return PUBLISHED if scheme == "deposit" and self.negatives == "published" else scheme
