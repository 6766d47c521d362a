"""What should not be so, in a sentence."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Something that should not be so.

    Parameters
    ----------
    kind : str
        What sort of finding, in a word that programs can look for.
    about : str
        Whom it concerns, such as ``"layer 'density'"``.
    text : str
        What is wrong, with numbers, and what to do.
    """

    kind: str
    about: str
    text: str

    def __str__(self) -> str:
        return f"{self.about}: {self.text}"
