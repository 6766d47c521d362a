"""What files and formats leave open when one is made into another."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pyproj import CRS
from pyproj.exceptions import CRSError

from mpm3d.io.options import Options


@dataclass(frozen=True)
class Choices:
    """What the files and formats leave open.

    Parameters
    ----------
    options : io.Options
        How files are to be read; with ``errors="skip"`` bodies that the format does not hold are left out,
        too.
    registration : {"center", "corner"}
        What the samples of a voxet are; see `lattice.Voxet.as_model`.
    spacing : float, optional
        Size of cells in metres, of a grid that models are resampled onto.
    like : Path, optional
        Cube whose grid models are resampled onto.
    method : {"nearest", "linear", "average"}
        How they are resampled; see `evidence.resample`.
    crs : str, optional
        Coordinate system of x and y, such as ``"EPSG:32651"``. Coordinates are not changed.
    properties : tuple of str
        Values to take, all by default.
    format : str, optional
        Suffix to be taken instead of the one of the output: ``"ubc"`` or ``"leapfrog"`` for ``.msh``.

    Raises
    ------
    ValueError
        If choices exclude each other.
    """

    options: Options = field(default_factory=Options)
    registration: str = "center"
    spacing: float | None = None
    like: Path | None = None
    method: str = "nearest"
    crs: str | None = None
    properties: tuple[str, ...] = ()
    format: str | None = None

    def __post_init__(self) -> None:
        if self.registration not in ("center", "corner"):
            raise ValueError(f"registration {self.registration!r} is not known, use 'center' or 'corner'.")
        if self.spacing is not None and self.like is not None:
            raise ValueError("--spacing and --like both tell the grid, give one of them.")
        if self.spacing is not None and not 0 < self.spacing < 1e9:
            raise ValueError(f"a spacing of {self.spacing:g} m is not possible, it must be above 0.")
        if self.format not in (None, "ubc", "leapfrog"):
            raise ValueError(f"the format {self.format!r} is not known, use 'ubc' or 'leapfrog' (of .msh).")
        if self.crs is not None:
            try:
                CRS.from_user_input(self.crs)
            except CRSError as error:
                raise ValueError(
                    f"the coordinate system {self.crs!r} is not known to pyproj, give one such as "
                    "'EPSG:32651'."
                ) from error
