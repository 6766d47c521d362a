"""Where the values of map grids lie, and names of coordinate systems: for Geosoft, GXF and GDAL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.geometry import Array
from mpm3d.grid import FloatArray
from mpm3d.lattice import Frame, Raster

if TYPE_CHECKING:
    import pyproj

# senses whose vectors run along x; those of the others run along y
_ALONG_X = (1, -2, 3, -4)
_CORNERS = {1: "south-western", 2: "north-western", 3: "north-eastern", 4: "south-eastern"}
# coordinates above this are damage: the circumference of the earth in metres, with room for shifted systems
_FAR = 1e9


@dataclass(frozen=True)
class Placing:
    """Where the points of a grid lie that is stored in vectors, as Geosoft describes it.

    Parameters
    ----------
    origin : tuple of float
        x, y of the south-western point, whatever the sense.
    step : float
        Distance of the points along a vector.
    vector_step : float
        Distance of the vectors.
    rotation : float
        Degrees counterclockwise from the x axis to the lower edge of the grid.
    sense : int
        Corner of the first point, 1 to 4 from the south-west clockwise. Seen from it into the grid, the first
        vector runs to the right if the sense is positive, to the left if it is negative.
    """

    origin: tuple[float, float]
    step: float
    vector_step: float
    rotation: float = 0.0
    sense: int = 1

    def check(self, path: str | Path) -> None:
        """Refuse what is not possible.

        Raises
        ------
        FormatError
            If a number is not finite, a step not positive, or the sense not one of the eight.
        """
        if abs(self.sense) not in _CORNERS:
            raise FormatError(
                path,
                f"the sense of storage is {self.sense}, it must be 1, 2, 3 or 4, or one of them negative.",
            )
        if not all(np.isfinite(step) and 0 < step < _FAR for step in (self.step, self.vector_step)):
            raise FormatError(
                path,
                f"the points are {self.step:g} and the vectors {self.vector_step:g} apart, "
                f"both must be above 0 and below {_FAR:g}. The header may be damaged.",
            )
        if not all(np.isfinite(number) and abs(number) < _FAR for number in (*self.origin, self.rotation)):
            raise FormatError(
                path,
                f"the origin is {self.origin} and the rotation {self.rotation} degrees, finite numbers "
                f"below {_FAR:g} are needed. The header may be damaged.",
            )

    @property
    def along_x(self) -> bool:
        """Whether the vectors run along the x axis of the grid."""
        return self.sense in _ALONG_X

    def upright(self, vectors: Array) -> Array:
        """Values ``(y, x)``, both ascending, of ``(vectors, points)`` as they are stored."""
        grid = vectors if self.along_x else vectors.T
        north, east = abs(self.sense) in (2, 3), abs(self.sense) in (3, 4)
        return grid[:: -1 if north else 1, :: -1 if east else 1]

    def layout(self) -> str:
        """The order of the values in a sentence."""
        corner = _CORNERS[abs(self.sense)]
        along, next_one = ("x", "y") if self.along_x else ("y", "x")
        return (
            f"From the {corner} point, the points along {along} first, then the vectors along {next_one}. "
            "The values are of points; cells reach half a step around them, so bounds are half a cell wider."
        )

    def raster(self, name: str, vectors: Array, kind: str, **more: object) -> Raster:
        """The grid of one value, named as its body; rotated ones keep a frame."""
        values = self.upright(vectors)
        dx, dy = (self.step, self.vector_step) if self.along_x else (self.vector_step, self.step)
        ny, nx = values.shape
        x, y = np.arange(nx) * dx, np.arange(ny) * dy
        corner = abs(self.sense)
        first = np.array([[x[-1] if corner in (3, 4) else 0.0, y[-1] if corner in (2, 3) else 0.0, 0.0]])
        turned = Frame.rotated((*self.origin, 0.0), self.rotation)
        if self.rotation % 360 == 0:
            x, y, frame = self.origin[0] + x, self.origin[1] + y, None
        else:
            frame = turned
        centre = turned.to_world(first)[0]
        return Raster(
            name, y, x, {name: values}, frame=frame, layout=self.layout(), kind=kind,
            first_centre=(float(centre[0]), float(centre[1])), **more,  # type: ignore[arg-type]
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Cells:
    """Where the cells of a georeferenced image lie, and how its rows and columns are put in ascending order.

    Parameters
    ----------
    y, x : array
        Ascending coordinates of the centres, local ones if there is a frame.
    frame : Frame or None
        Where y and x are local coordinates.
    order : tuple of slice
        Puts rows and columns as they are stored in ascending order.
    first : tuple of float
        x, y of the centre of the cell that is stored first, in world coordinates.
    from_north : bool
        Whether the first row is the northernmost one.
    """

    y: FloatArray
    x: FloatArray
    frame: Frame | None
    order: tuple[slice, slice]
    first: tuple[float, float]
    from_north: bool

    @classmethod
    def from_affine(cls, path: str | Path, affine: tuple[float, ...], shape: tuple[int, int]) -> Cells:
        """Cells whose corner of column i and row j lies at ``(a i + b j + c, d i + e j + f)``.

        Parameters
        ----------
        path : str or Path
            The file, for errors.
        affine : tuple of float
            a, b, c, d, e and f.
        shape : tuple of int
            Number of rows and columns.

        Raises
        ------
        FormatError
            If the sides of the cells are 0, parallel or not finite.
        """
        a, b, c, d, e, f = affine
        known = np.isfinite(affine).all() and max(map(abs, affine)) < _FAR
        dx, dy, area = (np.hypot(a, d), np.hypot(b, e), a * e - b * d) if known else (0.0, 0.0, 0.0)
        if abs(area) <= 1e-9 * dx * dy:
            raise FormatError(
                path,
                f"the georeference {tuple(affine)} makes no cells: their sides must be above 0, not "
                f"parallel, and all numbers below {_FAR:g}. The file is damaged.",
            )
        ny, nx = shape
        # less than a millionth of a cell over the whole grid is rounding
        straight = max(abs(b) * ny, abs(d) * nx) < 1e-6 * min(dx, dy)
        down, left = (e < 0, a < 0) if straight else (area < 0, False)
        order = slice(None, None, -1 if down else 1), slice(None, None, -1 if left else 1)
        row, column = np.arange(ny)[order[0]] + 0.5, np.arange(nx)[order[1]] + 0.5
        first = float(c + (a + b) / 2), float(f + (d + e) / 2)
        if straight:
            return cls(f + row * e, c + column * a, None, order, first, bool(down))
        axes = np.eye(3)
        axes[0, :2], axes[1, :2] = np.array([a, d]) / dx, np.array([b, e]) / (-dy if down else dy)
        origin = np.array([c + a / 2 + b * row[0], f + d / 2 + e * row[0], 0.0])
        return cls(np.arange(ny) * dy, np.arange(nx) * dx, Frame(origin, axes), order, first, bool(down))


def known_crs(name: str) -> pyproj.CRS | None:
    """The coordinate system of a name, an EPSG code or WKT, if pyproj knows it."""
    import pyproj

    try:
        return pyproj.CRS.from_user_input(name)
    except pyproj.exceptions.CRSError:
        return None


def crs_notes(name: str) -> tuple[str, ...]:
    """What a user must know of the coordinate system of a file, in sentences.

    Parameters
    ----------
    name : str
        As the file has it; empty if it has none.
    """
    if not name:
        return ()
    crs = known_crs(name)
    if crs is None:
        return (
            f"the coordinate system is called {name!r} in the file, which pyproj does not know: "
            "give its EPSG code where one is asked for.",
        )
    if crs.is_geographic:
        return (f"coordinates are degrees of {crs.name}, not metres: project the grid before it is used.",)
    unit = next((axis for axis in crs.axis_info if axis.unit_conversion_factor not in (0, 1)), None)
    if unit is not None:
        return (f"coordinates are in {unit.unit_name} of {crs.name}, not in metres, and were left so.",)
    return ()


def suspect_codes(label: str, values: Array) -> tuple[str, ...]:
    """A sentence if values without a declared code for missing ones hold one that is often meant so."""
    codes = [code for code in (-9999.0, -99999.0, -999999.0, -32768.0) if np.any(values == code)]
    if not codes:
        return ()
    return (
        f"{label}: {codes[0]:g} occurs and the file does not say that it stands for missing values; it was "
        "kept.",
    )


def label_notes(label: str) -> tuple[str, ...]:
    """What the file calls the grid, if it does so."""
    label = " ".join(label.split())
    return (f"the title in the file is {label!r}.",) if label else ()
