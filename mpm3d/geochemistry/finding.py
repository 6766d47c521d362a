"""What a check of a table found, as a sentence and as rows and columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
_NAMES = 6


@dataclass(frozen=True, eq=False)
class Finding:
    """Something about a table that its user should know.

    Parameters
    ----------
    about : str
        One of ``"cells"``, ``"censored"``, ``"columns"``, ``"coordinates"``, ``"empty"``, ``"fill"``,
        ``"impossible"``, ``"sentinel"``, ``"sites"``, ``"twice"``, ``"units"``, ``"zeros"``.
    sentence : str
        What was found, how often, what was done, what to do.
    columns : tuple of str
        The columns concerned.
    rows : array of int
        The rows concerned, counted from 0 without the header.
    """

    about: str
    sentence: str
    columns: tuple[str, ...] = ()
    rows: Rows = field(default_factory=lambda: np.empty(0, np.int64))


def listed(names: Sequence[str], most: int = _NAMES) -> str:
    """Names in quotation marks, the first few of many.

    Examples
    --------
    >>> listed(["Cu", "Pb", "Zn"], 2)
    "'Cu', 'Pb' and 1 more"
    """
    shown = ", ".join(repr(name) for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def counted(number: int, word: str, plural: str = "") -> str:
    """A number and its noun.

    Examples
    --------
    >>> counted(1, "row"), counted(2, "row")
    ('1 row', '2 rows')
    """
    return f"{number} {word}" if number == 1 else f"{number} {plural or word + 's'}"
