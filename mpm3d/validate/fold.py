"""One split of the samples."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from mpm3d.samples import Index

RANDOM, WITHOUT = "random split", "without "


@dataclass(frozen=True, eq=False)
class Fold:
    """One split of the samples, the same for every model.

    Parameters
    ----------
    scheme : str
        One of `mpm3d.validate.SCHEMES`.
    name : str
        ``random split``, ``block 1 of 3`` or ``without <deposit>``.
    repeat : int
        From 0.
    seed : int
        Start of its random choices.
    train, test : arrays, optional
        Rows of a block; None in the other schemes.
    """

    scheme: str
    name: str
    repeat: int
    seed: int
    train: Index | None = None
    test: Index | None = None

    @property
    def title(self) -> str:
        """Name and repeat, in words."""
        return self.name if not self.repeat else f"{self.name}, repeat {self.repeat + 1}"


def seed_of(seed: int, fold: str, repeat: int) -> int:
    """Seed of a fold, the same for every model."""
    words = f"{seed}/{fold}" if not repeat else f"{seed}/{fold}/{repeat}"
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:4], "little")
