"""What a VTK file holds before bodies are made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.geometry import Array
from mpm3d.grid import FloatArray

# a file of this many bytes cannot hold more values: the tightest compression known is below 8000 to 1
_TIGHTEST = 8000
# metres; damaged bytes often make larger numbers
_FAR = 1e12


@dataclass
class Dataset:
    """Arrays of one dataset.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        VTK's name, such as ``"PolyData"`` or ``"ImageData"``.
    n_points, n_cells : int
        Number of points and cells.
    points : array of shape (n_points, 3)
        x, y, z; empty for lattices that have none.
    cells : dict
        Connectivity and offsets (one more than cells) of each list of cells, by the name of XML files:
        ``Verts``, ``Lines``, ``Strips``, ``Polys``, or ``Cells``.
    types : array of shape (n_cells,)
        VTK's numbers of the cell types of an unstructured grid.
    extent : tuple of int
        First and last point along x, y and z.
    origin, spacing, direction : array
        Of an image: world position of point (0, 0, 0), steps, and a matrix whose columns are the axes.
    coordinates : tuple of arrays
        x, y, z of the points of a rectilinear grid.
    point_data, cell_data, field_data : dict of str to array
        ``(n,)`` or ``(n, components)``; arrays of str where they are text.
    notes : list of str
        What was left out.
    """

    path: Path
    kind: str
    n_points: int = 0
    n_cells: int = 0
    points: FloatArray = field(default_factory=lambda: np.empty((0, 3)))
    cells: dict[str, tuple[Array, Array]] = field(default_factory=dict)
    types: Array = field(default_factory=lambda: np.empty(0, np.int64))
    extent: tuple[int, int, int, int, int, int] = (0, 0, 0, 0, 0, 0)
    origin: FloatArray = field(default_factory=lambda: np.zeros(3))
    spacing: FloatArray = field(default_factory=lambda: np.ones(3))
    direction: FloatArray = field(default_factory=lambda: np.eye(3))
    coordinates: tuple[FloatArray, ...] = ()
    point_data: dict[str, Array] = field(default_factory=dict)
    cell_data: dict[str, Array] = field(default_factory=dict)
    field_data: dict[str, Array] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def fail(self, reason: str) -> NoReturn:
        """Refuse the file."""
        raise FormatError(self.path, reason)

    @property
    def dimensions(self) -> tuple[int, int, int]:
        """Number of points along x, y and z."""
        a = self.extent
        return a[1] - a[0] + 1, a[3] - a[2] + 1, a[5] - a[4] + 1

    def set_extent(self, extent: tuple[int, ...], size: int) -> None:
        """Note the extent and the counts that follow, if a file of ``size`` bytes can hold them."""
        low, high = np.array(extent[::2]), np.array(extent[1::2])
        if len(extent) != 6 or np.any(high < low) or np.abs(extent).max() > 2**31:
            self.fail(f"an extent of {list(extent)} points is not possible. The header may be damaged.")
        counts = [int(n) for n in high - low + 1]
        n_points = counts[0] * counts[1] * counts[2]
        if n_points > max(size * _TIGHTEST, 1000) or max(counts) > 1_000_000:
            self.fail(
                f"{counts} points (x, y, z) are {n_points}, more than a file of {size} bytes can hold. "
                "The header may be damaged."
            )
        self.extent = (extent[0], extent[1], extent[2], extent[3], extent[4], extent[5])
        self.n_points = n_points
        self.n_cells = int(np.prod([max(n - 1, 1) for n in counts]))

    def check(self) -> None:
        """Refuse counts that contradict each other, points nowhere and cells of points that are not there."""
        numbers = [self.points, self.origin, self.spacing, *self.coordinates]
        with np.errstate(invalid="ignore"):
            if not all(np.all(np.abs(values) < _FAR) for values in numbers):
                self.fail(
                    "a coordinate is not a finite number of metres. The file may be damaged, or the exporter "
                    "has put NaN where something is missing: remove such points first."
                )
        for name, (connectivity, offsets) in self.cells.items():
            if not len(offsets) or offsets[0] != 0 or np.any(np.diff(offsets) < 0):
                self.fail(f"the offsets of {name} do not ascend from 0, the file is damaged.")
            if offsets[-1] != len(connectivity):
                self.fail(
                    f"{name} need {int(offsets[-1])} point numbers and there are {len(connectivity)}. "
                    "The file may be truncated."
                )
            if len(connectivity) and (connectivity.min() < 0 or connectivity.max() >= self.n_points):
                self.fail(f"{name} refer to the point {int(connectivity.max())} of {self.n_points}.")
        for place, count, arrays in (
            ("point", self.n_points, self.point_data), ("cell", self.n_cells, self.cell_data)
        ):  # fmt: skip
            for name, values in arrays.items():
                if len(values) != count:
                    self.fail(f"{name!r} has {len(values)} values for {count} {place}s. The file is damaged.")


def claimed(path: Path, text: str | None, what: str, limit: int) -> int:
    """A count from a header, refused if it is none or more than ``limit``."""
    word = "0" if text is None else text.strip()
    count = int(word) if word.isascii() and word.isdigit() and len(word) < 19 else -1
    if not 0 <= count <= limit:
        raise FormatError(
            path, f"{what} is {word[:40]!r}, the size of the file allows 0 to {limit}. It may be damaged."
        )
    return count


def budget(content: bytes, *, packed: bool) -> int:
    """The most values that a file can hold."""
    return len(content) * (_TIGHTEST if packed else 1)
