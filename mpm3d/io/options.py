"""How files are to be read where they leave a choice."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """Choices of the reader; what a format does not know is ignored by it.

    Parameters
    ----------
    errors : {"strict", "skip"}
        ``"skip"`` leaves out what refers to nothing or cannot be read and notes it; ``"strict"`` refuses.
    byte_order : {"big", "little"}
        Of the binary values of GoCAD files. GoCAD writes ``"big"`` always.
    outside : bool
        Whether a header may name data files outside its own folder.
    mesh : str or Path, optional
        Mesh of a UBC model file; by default the one in its folder that has as many cells.
    missing : tuple of float, optional
        Values of UBC models that stand for air or inactive cells; by default the usual ones are recognised.
    z_positive : {"up", "down"}, optional
        Sense of z in tables of resistivities that do not say it.
    centre : tuple of float, optional
        x, y, elevation of the centre of a ModEM model, which its file does not say.

    Raises
    ------
    ValueError
        If a choice is not known.
    """

    errors: str = "strict"
    byte_order: str = "big"
    outside: bool = False
    mesh: str | Path | None = None
    missing: tuple[float, ...] | None = None
    z_positive: str | None = None
    centre: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        if self.errors not in ("strict", "skip"):
            raise ValueError(f"errors={self.errors!r} is not known, use 'strict' or 'skip'.")
        if self.byte_order not in ("big", "little"):
            raise ValueError(f"byte_order={self.byte_order!r} is not known, use 'big' or 'little'.")
        if self.z_positive not in (None, "up", "down"):
            raise ValueError(f"z_positive={self.z_positive!r} is not known, use 'up' or 'down'.")


# what readers advise, and its twin on the command line
_FLAGS = (
    (r"outside=True", "--allow-outside"),
    (r"\b(errors|byte_order|registration|z_positive)='(\w+)'", r"--\1 \2"),
)


def as_flags(text: str) -> str:
    """A message in which the choices that it advises are spelled as on the command line.

    Examples
    --------
    >>> as_flags("Read with errors='skip' or byte_order='little'.")
    'Read with --errors skip or --byte-order little.'
    """
    for pattern, flag in _FLAGS:
        text = re.sub(pattern, flag, text)
    return text.replace("--byte_order", "--byte-order").replace("--z_positive", "--z-positive")
