"""Bodies and measurements in space: float64 coordinates, x east, y north, z elevation up, in metres."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.grid import FloatArray, Grid

Array = NDArray[Any]
Bounds = tuple[float, float, float, float, float, float]


def bounds_of(points: FloatArray) -> Bounds:
    """``(xmin, ymin, zmin, xmax, ymax, zmax)`` of ``(n, 3)`` points; NaN where there is none."""
    if not len(points):
        points = np.full((1, 3), np.nan)
    low, high = points.min(axis=0), points.max(axis=0)
    return (float(low[0]), float(low[1]), float(low[2]), float(high[0]), float(high[1]), float(high[2]))


@dataclass(frozen=True, eq=False)
class Surface:
    """A triangulated surface.

    Parameters
    ----------
    name : str
        Name of the object.
    vertices : array of shape (n, 3)
        x, y, elevation in metres.
    triangles : array of shape (m, 3)
        Rows of ``vertices``, counted from 0.
    part : array of shape (m,), optional
        Number of the connected part, as the file has it, of each triangle.
    properties : mapping of str to array, optional
        Values at the vertices, ``(n,)`` or ``(n, components)``; NaN where there is no data.
    units : mapping of str to str, optional
        Units of the properties.
    crs_name : str
        Coordinate system as the file names it. It is not an EPSG code.
    z_positive : str
        The sense of z in the file, ``"Elevation"`` or ``"Depth"``; ``vertices`` are elevations always.
    notes : tuple of str
        What the reader decided or dropped, in sentences.
    """

    name: str
    vertices: FloatArray
    triangles: NDArray[np.int64]
    part: NDArray[np.int64] | None = None
    properties: Mapping[str, FloatArray] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    crs_name: str = ""
    z_positive: str = "Elevation"
    notes: tuple[str, ...] = ()

    @property
    def bounds(self) -> Bounds:
        """``(xmin, ymin, zmin, xmax, ymax, zmax)`` in metres."""
        return bounds_of(self.vertices)

    def welded(self) -> Surface:
        """Join vertices of the same coordinates and drop triangles without area, as between parts."""
        vertices, inverse = np.unique(self.vertices, axis=0, return_inverse=True)
        triangles = inverse.reshape(-1)[self.triangles].astype(np.int64)
        a, b, c = triangles.T
        keep = (a != b) & (b != c) & (c != a)
        part = None if self.part is None else self.part[keep]
        return Surface(
            self.name, vertices, triangles[keep], part, crs_name=self.crs_name,
            z_positive=self.z_positive, notes=self.notes,
        )  # fmt: skip

    @property
    def is_closed(self) -> bool:
        """Whether every edge is shared by an even number of triangles, so that inside means something."""
        triangles = self.welded().triangles
        if not len(triangles):
            return False
        edges = np.sort(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
        _, counts = np.unique(edges, axis=0, return_counts=True)
        return bool(np.all(counts % 2 == 0))

    def without_vertices(self, drop: NDArray[np.bool_], note: str) -> Surface:
        """Remove the vertices where ``drop`` is true, the triangles that touch them, and say so in a note."""
        if not drop.any():
            return self
        row = np.cumsum(~drop) - 1
        keep = ~drop[self.triangles].any(axis=1)
        return replace(
            self,
            vertices=self.vertices[~drop],
            triangles=row[self.triangles[keep]].astype(np.int64),
            part=None if self.part is None else self.part[keep],
            properties={name: values[~drop] for name, values in self.properties.items()},
            notes=(*self.notes, note),
        )


def joined(name: str, surfaces: Sequence[Surface]) -> Surface:
    """Several surfaces as one object, a part each, without their properties."""
    starts = np.cumsum([0, *(len(surface.vertices) for surface in surfaces)])
    triangles = [s.triangles + start for s, start in zip(surfaces, starts[:-1], strict=True)]
    sizes = [len(part) for part in triangles]
    return Surface(
        name,
        np.concatenate([np.empty((0, 3)), *(surface.vertices for surface in surfaces)]),
        np.concatenate([np.empty((0, 3), np.int64), *triangles]),
        np.repeat(np.arange(len(sizes)), sizes),
    )


@dataclass(frozen=True, eq=False)
class Lines:
    """Polylines.

    Parameters
    ----------
    name : str
        Name of the object.
    vertices : array of shape (n, 3)
        x, y, elevation in metres.
    segments : array of shape (m, 2)
        Rows of ``vertices``, counted from 0.
    part : array of shape (m,), optional
        Number of the polyline of each segment.
    properties, units, crs_name, z_positive, notes
        As in `Surface`.
    """

    name: str
    vertices: FloatArray
    segments: NDArray[np.int64]
    part: NDArray[np.int64] | None = None
    properties: Mapping[str, FloatArray] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    crs_name: str = ""
    z_positive: str = "Elevation"
    notes: tuple[str, ...] = ()

    @property
    def bounds(self) -> Bounds:
        """``(xmin, ymin, zmin, xmax, ymax, zmax)`` in metres."""
        return bounds_of(self.vertices)


@dataclass(frozen=True, eq=False)
class Points:
    """Points with values.

    Parameters
    ----------
    name : str
        Name of the object.
    vertices : array of shape (n, 3)
        x, y, elevation in metres.
    properties, units, crs_name, z_positive, notes
        As in `Surface`.
    """

    name: str
    vertices: FloatArray
    properties: Mapping[str, FloatArray] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    crs_name: str = ""
    z_positive: str = "Elevation"
    notes: tuple[str, ...] = ()

    @property
    def bounds(self) -> Bounds:
        """``(xmin, ymin, zmin, xmax, ymax, zmax)`` in metres."""
        return bounds_of(self.vertices)


@dataclass(frozen=True, eq=False)
class PropertyModel:
    """Values in the cells of an axis-aligned tensor mesh, cells of any width.

    Parameters
    ----------
    name : str
        Name of the model.
    edges : tuple of three arrays
        Ascending cell edges along z (elevation), y and x, in metres, one more than cells.
    values : mapping of str to array of shape (z, y, x)
        Index 0 is the lowest, southernmost, westernmost cell; NaN where there is no data.
    units : mapping of str to str, optional
        Units of the values.
    crs_name, z_positive, notes
        As in `Surface`.
    """

    name: str
    edges: tuple[FloatArray, FloatArray, FloatArray]
    values: Mapping[str, Array]
    units: Mapping[str, str] = field(default_factory=dict)
    crs_name: str = ""
    z_positive: str = "Elevation"
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of cells along z, y and x."""
        nz, ny, nx = (len(edge) - 1 for edge in self.edges)
        return nz, ny, nx

    @property
    def bounds(self) -> Bounds:
        """``(xmin, ymin, zmin, xmax, ymax, zmax)`` of the cell edges, in metres."""
        z, y, x = self.edges
        return tuple(float(v) for v in (x[0], y[0], z[0], x[-1], y[-1], z[-1]))  # type: ignore[return-value]

    @classmethod
    def from_grid(cls, name: str, grid: Grid, values: Mapping[str, Array], **more: Any) -> PropertyModel:
        """Values on the equal cells of a `Grid`."""
        edges = tuple(
            corner + np.arange(n + 1) * step
            for corner, n, step in zip(grid.corner, grid.shape, grid.spacing, strict=True)
        )
        return cls(name, edges, values, **more)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Voxet:
    """A regular lattice of samples with any orientation, as GoCAD stores it.

    Sample ``(i, j, k)`` lies at ``origin + i * steps[0] + j * steps[1] + k * steps[2]`` and is the *centre*
    of its cell.

    Parameters
    ----------
    name : str
        Name of the object.
    origin : array of shape (3,)
        x, y, elevation of the sample stored first, in metres.
    steps : array of shape (3, 3)
        Rows are the x, y, z steps from one sample to the next along U, V and W; zero for an axis of one
        sample whose step the file does not tell.
    shape : tuple of int
        Number of samples ``(n_w, n_v, n_u)``.
    values : mapping of str to array of shape (n_w, n_v, n_u)
        As stored, U fastest; NaN where there is no data, for floats.
    units, crs_name, z_positive, notes
        As in `Surface`.
    classes : mapping of str to mapping of int to str, optional
        Class names of the properties that hold codes.
    """

    name: str
    origin: FloatArray
    steps: FloatArray
    shape: tuple[int, int, int]
    values: Mapping[str, Array]
    units: Mapping[str, str] = field(default_factory=dict)
    classes: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    crs_name: str = ""
    z_positive: str = "Elevation"
    notes: tuple[str, ...] = ()

    def as_model(self, registration: str = "center") -> PropertyModel:
        """The values on axis-aligned cells, axes permuted and flipped as needed.

        Parameters
        ----------
        registration : {"center", "corner"}
            ``"center"``: samples are cell centres, so the extent grows by half a cell on each side, as in
            GoCAD. ``"corner"``: the exporter meant the ends of the axes as the corners of ``n`` cells.

        Raises
        ------
        ValueError
            If the axes are rotated or skewed, or an axis of one sample has no step.
        """
        if registration not in ("center", "corner"):
            raise ValueError(f"registration {registration!r} is not known, use 'center' or 'corner'.")
        axis = self._axes()  # axis[k] of z, y, x is the lattice axis (0 U, 1 V, 2 W) parallel to it
        counts = self.shape[::-1]  # (n_u, n_v, n_w)
        edges, flips = [], []
        for world, lattice in zip((2, 1, 0), axis, strict=True):
            n, step = counts[lattice], float(self.steps[lattice, world])
            if registration == "corner":
                step, first = step * (n - 1) / n, float(self.origin[world])
            else:
                first = float(self.origin[world]) - step / 2
            line = first + np.arange(n + 1) * step
            flips.append(step < 0)
            edges.append(line[::-1] if step < 0 else line)
        order = [2 - lattice for lattice in axis]  # stored arrays are (w, v, u)
        flip = tuple(slice(None, None, -1 if f else 1) for f in flips)
        values = {name: np.transpose(array, order)[flip] for name, array in self.values.items()}
        return PropertyModel(
            self.name, (edges[0], edges[1], edges[2]), values, self.units,
            self.crs_name, self.z_positive, self.notes,
        )  # fmt: skip

    def _axes(self) -> tuple[int, int, int]:
        size = np.abs(self.steps)
        length = size.max(axis=1)
        if np.any(length == 0):
            missing = "UVW"[int(np.argmin(length))]
            raise ValueError(
                f"voxet {self.name!r}: axis {missing} has one sample and no step, so cells have no size."
            )
        parallel = size > 1e-6 * length[:, None]
        if np.any(parallel.sum(axis=1) != 1) or np.any(parallel.sum(axis=0) != 1):
            raise ValueError(
                f"voxet {self.name!r} is rotated or skewed (steps {self.steps.tolist()}), "
                "the cells of a cube are axis-aligned. Resample it in GoCAD to a voxet along x, y and z."
            )
        x, y, z = (int(np.argmax(parallel[:, world])) for world in range(3))
        return z, y, x
