"""Open Mining Format, version 1: points, lines, surfaces and block models of one project in one file."""

from __future__ import annotations

from pathlib import Path

from mpm3d.geometry import Body
from mpm3d.io.omf.container import MAGIC
from mpm3d.io.omf.read import read_project
from mpm3d.io.omf.write import KINDS, write_omf
from mpm3d.io.options import Options

__all__ = ["KINDS", "matches", "read_bodies", "read_omf", "write_omf"]


def matches(path: Path, head: bytes) -> bool:
    """Whether a file is OMF 1, or OMF 2, which is then refused with a sentence that says so."""
    packed = head[:4] == b"PK\x03\x04"
    return head[:4] == MAGIC or (packed and (path.suffix.lower() == ".omf" or b"index.json.gz" in head[:200]))


def read_omf(path: str | Path, *, fastest: str = "w") -> list[Body]:
    """Read the elements of an OMF 1 project.

    The origins of the project and of the element are added to the coordinates; feet become metres. Data of
    numbers are properties, mapped data codes with the names of their classes, -1 of them NaN. Text, dates,
    colours and images are left out and noted. A volume along x, y and z becomes a model whose axes ascend, a
    rotated one keeps a frame.

    Parameters
    ----------
    path : str or Path
        The file.
    fastest : {"w", "u"}
        Axis along which the values of a volume follow each other. The format does not say. ``"w"`` is what
        Seequent's Evo, Geoscience ANALYST and omfvista have; a note tells if ``"u"`` fits much better.

    Returns
    -------
    list of Body
        Points, Lines, Surface and PropertyModel, in the order of the project.

    Raises
    ------
    FormatError
        If it is OMF 2, or damaged.
    ValueError
        If the order is not known.

    References
    ----------
    Global Mining Guidelines Group, Open Mining Format, github.com/gmggroup/omf-python (version 1.0.1).
    """
    if fastest not in ("w", "u"):
        raise ValueError(f"fastest={fastest!r} is not known, use 'w' or 'u'.")
    return read_project(Path(path), fastest)


def read_bodies(path: Path, options: Options) -> list[Body]:
    """Every element of the project; see `read_omf`. No option applies."""
    return read_omf(path)
