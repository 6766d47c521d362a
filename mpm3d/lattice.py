"""Values in cells: tensor meshes, lattices of any orientation, blocks of any size and 2D grids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.frame import Frame, box_corners
from mpm3d.geometry import Array, Body, Bounds, bounds_of
from mpm3d.grid import FloatArray, Grid
from mpm3d.values import Lazy, Statistics, Values, oriented

__all__ = [
    "BlockModel", "Frame", "Lazy", "Point", "PropertyModel", "Raster", "Statistics", "StructuredGrid",
    "Values", "Voxet",
]  # fmt: skip
Point = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class PropertyModel(Body):
    """Values in the cells of a tensor mesh, cells of any width.

    Parameters
    ----------
    edges : tuple of three arrays
        Ascending cell edges along z (elevation), y and x, in metres, one more than cells.
    values : mapping of str to array of shape (z, y, x)
        Index 0 is the lowest, southernmost, westernmost cell; NaN where there is no data. `Lazy` arrays are
        read in parts.
    classes : mapping of str to mapping of int to str, optional
        Class names of the values that hold codes.
    frame : Frame, optional
        Where the edges are local coordinates; None where they are x, y and elevation.
    layout : str
        Order in which the file has the values and what they stand for, in a sentence.
    first_centre : tuple of float, optional
        x, y, elevation of the centre of the cell that the file has first; cell (0, 0, 0) by default.
    name, kind, units, crs_name, z_positive, notes
        As in `geometry.Body`.
    """

    edges: tuple[FloatArray, FloatArray, FloatArray]
    values: Mapping[str, Values]
    _: KW_ONLY
    classes: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    frame: Frame | None = None
    layout: str = ""
    first_centre: Point | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of cells along z, y and x."""
        nz, ny, nx = (len(edge) - 1 for edge in self.edges)
        return nz, ny, nx

    @property
    def bounds(self) -> Bounds:
        """``(xmin, ymin, zmin, xmax, ymax, zmax)`` of the cell edges, in metres."""
        z, y, x = self.edges
        corners = box_corners((x[0], y[0], z[0]), (x[-1], y[-1], z[-1]))
        return bounds_of(corners if self.frame is None else self.frame.to_world(corners))

    @classmethod
    def from_grid(cls, name: str, grid: Grid, values: Mapping[str, Values], **more: Any) -> PropertyModel:
        """Values on the equal cells of a `Grid`."""
        edges = tuple(
            corner + np.arange(n + 1) * step
            for corner, n, step in zip(grid.corner, grid.shape, grid.spacing, strict=True)
        )
        return cls(name, edges, values, **more)  # type: ignore[arg-type]

    def aligned(self) -> PropertyModel:
        """The model itself, if its cells lie along x, y and z.

        Raises
        ------
        ValueError
            If they are rotated or skewed.
        """
        if self.frame is not None:
            raise ValueError(
                f"{self.name!r} is rotated or skewed (axes {np.round(self.frame.axes, 6).tolist()}), cells "
                "along x, y and z are needed. Resample it onto a grid first: evidence.resample(model, grid)."
            )
        return self


@dataclass(frozen=True, eq=False)
class Voxet(Body):
    """A regular lattice of samples with any orientation, as GoCAD stores it.

    Sample ``(i, j, k)`` lies at ``origin + i * steps[0] + j * steps[1] + k * steps[2]`` and is the *centre*
    of its cell.

    Parameters
    ----------
    origin : array of shape (3,)
        x, y, elevation of the sample stored first, in metres.
    steps : array of shape (3, 3)
        Rows are the x, y, z steps from one sample to the next along U, V and W; zero for an axis of one
        sample whose step the file does not tell.
    shape : tuple of int
        Number of samples ``(n_w, n_v, n_u)``.
    values : mapping of str to array of shape (n_w, n_v, n_u)
        As stored, U fastest; NaN where there is no data. Large ones are `Lazy` and read in parts. Whole
        numbers that have a no-data code are floats, so that NaN can stand for it.
    classes : mapping of str to mapping of int to str, optional
        Class names of the properties that hold codes.
    regions : mapping of str to array of shape (n_w, n_v, n_u), optional
        Named sets of samples, true where a sample belongs to it. Large ones are `Lazy`.
    stated : mapping of str to Statistics, optional
        What the file says of its values: count, mean, variance, least and largest of those that are not
        missing. `values.statistics` computes the same of the values themselves.
    name, kind, units, crs_name, z_positive, notes
        As in `geometry.Body`.
    """

    origin: FloatArray
    steps: FloatArray
    shape: tuple[int, int, int]
    values: Mapping[str, Values]
    _: KW_ONLY
    classes: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    regions: Mapping[str, Values] = field(default_factory=dict)
    stated: Mapping[str, Statistics] = field(default_factory=dict)

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
            If the registration is not known, the axes are rotated or skewed, or an axis of one sample has
            no step.
        """
        steps = self._cell_steps(registration)
        axis = self._axes()  # axis[k] of z, y, x is the lattice axis (0 U, 1 V, 2 W) parallel to it
        edges, flips = [], []
        for world, lattice in zip((2, 1, 0), axis, strict=True):
            step, first = float(steps[lattice, world]), float(self.origin[world])
            first -= step / 2 if registration == "center" else 0.0
            line = first + np.arange(self.shape[2 - lattice] + 1) * step
            flips.append(slice(None, None, -1 if step < 0 else 1))
            edges.append(line[::-1] if step < 0 else line)
        order = [2 - lattice for lattice in axis]  # stored arrays are (w, v, u)
        values = {name: oriented(array, order, tuple(flips)) for name, array in self.values.items()}
        model = PropertyModel(
            self.name, (edges[0], edges[1], edges[2]), values, classes=self.classes,
            layout=self._layout(registration), first_centre=self.first_centre(registration), **self.common(),
        )  # fmt: skip
        left = ", ".join(self.regions)
        return model.noted(f"the regions {left} are not values and were left out.") if left else model

    def _cell_steps(self, registration: str) -> FloatArray:
        """Edges of one cell along U, V and W: rows of x, y, z."""
        if registration == "center":
            return self.steps
        if registration != "corner":
            raise ValueError(f"registration {registration!r} is not known, use 'center' or 'corner'.")
        counts = np.array(self.shape[::-1], dtype=float)[:, None]
        return np.asarray(self.steps * np.maximum(counts - 1, 1) / counts)

    def extent(self, registration: str = "center") -> Bounds:
        """``(xmin, ymin, zmin, xmax, ymax, zmax)`` of the cells, in metres; see `as_model`."""
        steps = self._cell_steps(registration)
        first = self.origin - steps.sum(axis=0) / 2 if registration == "center" else self.origin
        share = box_corners((0, 0, 0), self.shape[::-1])
        return bounds_of(first + share @ steps)

    def first_centre(self, registration: str = "center") -> Point:
        """x, y, elevation of the centre of the cell that is stored first, in metres; see `as_model`."""
        steps = self._cell_steps(registration)
        first = self.origin if registration == "center" else self.origin + steps.sum(axis=0) / 2
        return float(first[0]), float(first[1]), float(first[2])

    @property
    def layout(self) -> str:
        """Order in which the file has the values and what they stand for, in a sentence."""
        return self._layout("center")

    def _layout(self, registration: str) -> str:
        counts = " × ".join(str(n) for n in self.shape[::-1])
        sides = {"center": "a sample is the centre of its cell", "corner": "axes end at corners of cells"}
        return f"{counts} samples along U, V and W, U fastest; {sides[registration]}."

    @property
    def bounds(self) -> Bounds:
        """``(xmin, ymin, zmin, xmax, ymax, zmax)`` of the cells, samples being their centres, in metres."""
        return self.extent()

    def _axes(self) -> tuple[int, int, int]:
        size = np.abs(self.steps)
        length = size.max(axis=1)
        if np.any(length == 0):
            axis = int(np.argmin(length))
            n = self.shape[2 - axis]
            what = "one sample and no step" if n == 1 else f"{n} samples in one place"
            raise ValueError(f"voxet {self.name!r}: axis {'UVW'[axis]} has {what}, so cells have no size.")
        parallel = size > 1e-6 * length[:, None]
        if np.any(parallel.sum(axis=1) != 1) or np.any(parallel.sum(axis=0) != 1):
            raise ValueError(
                f"voxet {self.name!r} is rotated or skewed (steps {self.steps.tolist()}), "
                "cells along x, y and z are needed. Resample it onto a grid: evidence.resample(voxet, grid)."
            )
        x, y, z = (int(np.argmax(parallel[:, world])) for world in range(3))
        return z, y, x


@dataclass(frozen=True, eq=False)
class StructuredGrid(Body):
    """Hexahedral cells between points that are stored as a lattice but lie anywhere: GoCAD's SGrid.

    Parameters
    ----------
    points : array of shape (n_w, n_v, n_u, 3)
        x, y, elevation of the corners of the cells, in metres.
    values : mapping of str to array
        ``(n_w - 1, n_v - 1, n_u - 1)`` for values of cells, ``(n_w, n_v, n_u)`` for values at points; NaN
        where there is no data.
    classes : mapping of str to mapping of int to str, optional
        Class names of the values that hold codes.
    regions : mapping of str to array, optional
        Named sets of cells or points, shaped as values.
    name, kind, units, crs_name, z_positive, notes
        As in `geometry.Body`.
    """

    points: FloatArray
    values: Mapping[str, Array]
    _: KW_ONLY
    classes: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    regions: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of cells along W, V and U."""
        nw, nv, nu = (n - 1 for n in self.points.shape[:3])
        return nw, nv, nu

    @property
    def bounds(self) -> Bounds:
        """``(xmin, ymin, zmin, xmax, ymax, zmax)`` of the points, in metres."""
        return bounds_of(self.points.reshape(-1, 3))

    def centres(self) -> FloatArray:
        """Mean of the eight corners of each cell, ``(n_w - 1, n_v - 1, n_u - 1, 3)``, in metres."""
        p, low, high = self.points, slice(None, -1), slice(1, None)
        corners = [p[w, v, u] for w in (low, high) for v in (low, high) for u in (low, high)]
        return np.asarray(sum(corners) / 8)


@dataclass(frozen=True, eq=False)
class BlockModel(Body):
    """Boxes of any size that need not fill a lattice: OcTrees and block models of a table.

    Parameters
    ----------
    centres : array of shape (n, 3)
        x, y, elevation of the centres, in metres, or local coordinates if there is a frame.
    sizes : array of shape (n, 3)
        Full widths along the same axes, in metres.
    values : mapping of str to array of shape (n,)
        In the order of the file; NaN where there is no data.
    texts : mapping of str to array of str of shape (n,), optional
        Columns of text, such as rock codes; empty where missing.
    frame : Frame, optional
        Where the centres are local coordinates.
    name, kind, units, crs_name, z_positive, notes
        As in `geometry.Body`.
    """

    centres: FloatArray
    sizes: FloatArray
    values: Mapping[str, Array]
    _: KW_ONLY
    texts: Mapping[str, Array] = field(default_factory=dict)
    frame: Frame | None = None
    layout: str = ""

    @property
    def bounds(self) -> Bounds:
        """``(xmin, ymin, zmin, xmax, ymax, zmax)`` of the boxes, in metres."""
        if not len(self.centres):
            return bounds_of(np.zeros((0, 3)))
        if self.frame is None:
            return bounds_of(np.concatenate([self.centres - self.sizes / 2, self.centres + self.sizes / 2]))
        signs = box_corners((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5))
        ends = [bounds_of(self.frame.to_world(self.centres + sign * self.sizes)) for sign in signs]
        low, high = np.min(ends, axis=0)[:3], np.max(ends, axis=0)[3:]
        return bounds_of(np.array([low, high]))

    def as_model(self) -> PropertyModel:
        """The values on a lattice, where all blocks have one size and lie on one; NaN where there is none.

        Raises
        ------
        ValueError
            If sizes differ or are not above 0, a centre is not finite, a block is off the lattice, two share
            a cell, or the lattice would have more than 1000 cells for each block.
        """
        width = self.sizes[0] if len(self.sizes) else np.zeros(3)
        if not np.all(width > 0) or np.any(np.abs(self.sizes - width) > 1e-6 * width):
            raise ValueError(
                f"the blocks of {self.name!r} are not of one size, so they make no lattice. Resample them "
                "onto a grid: evidence.resample(blocks, grid)."
            )
        shape, flat = self._places(width)
        values = {}
        for name, column in self.values.items():
            cells = np.full(np.prod(shape), np.nan, dtype=np.result_type(column.dtype, np.float32))
            cells[flat] = column
            values[name] = cells.reshape(shape)
        x, y, z = (
            first + (np.arange(n + 1) - 0.5) * step
            for first, n, step in zip(self.centres.min(axis=0), shape[::-1], width, strict=True)
        )
        more = {"frame": self.frame, "layout": self.layout, **self.common()}
        return PropertyModel(self.name, (z, y, x), values, **more)

    def _places(self, width: FloatArray) -> tuple[tuple[int, int, int], NDArray[np.int64]]:
        """Shape (z, y, x) of the lattice that blocks of one size lie on, and the cell of each block."""
        position = (self.centres - self.centres.min(axis=0)) / width
        far = position.max(axis=0) + 1
        if not np.prod(far) <= 1000 * len(position) + 1:
            raise ValueError(
                f"the {len(position)} blocks of {self.name!r} lie in a lattice of "
                f"{' × '.join(f'{n:.9g}' for n in far)} cells. Resample them onto a grid: "
                "evidence.resample(blocks, grid)."
            )
        index = np.round(position).astype(np.int64)
        nx, ny, nz = (int(n) for n in index.max(axis=0) + 1)
        flat = np.ravel_multi_index(tuple(index.T[::-1]), (nz, ny, nx))
        if np.abs(position - index).max() > 1e-2 or len(np.unique(flat)) < len(flat):
            raise ValueError(f"the blocks of {self.name!r} overlap or lie between the cells of a lattice.")
        return (nz, ny, nx), flat


@dataclass(frozen=True, eq=False)
class Raster(Body):
    """Values on a 2D grid of a map.

    Parameters
    ----------
    y, x : array
        Ascending coordinates of the cell centres, in metres, or local ones if there is a frame.
    values : mapping of str to array of shape (y, x)
        NaN where there is no data.
    frame : Frame, optional
        Where y and x are local coordinates.
    layout : str
        Order in which the file has the values and what they stand for, in a sentence.
    first_centre : tuple of float, optional
        x, y of the centre of the cell that the file has first; the south-western one by default.
    name, kind, units, crs_name, z_positive, notes
        As in `geometry.Body`; ``crs_name`` is one that pyproj reads, if the file has one.
    """

    y: FloatArray
    x: FloatArray
    values: Mapping[str, Array]
    _: KW_ONLY
    frame: Frame | None = None
    layout: str = ""
    first_centre: tuple[float, float] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Number of cells along y and x."""
        return len(self.y), len(self.x)

    @property
    def spacing(self) -> tuple[float, float]:
        """Size of a cell along y and x, in metres; 1 along an axis of one cell."""
        dy, dx = (float(c[-1] - c[0]) / (len(c) - 1) if len(c) > 1 else 1.0 for c in (self.y, self.x))
        return dy, dx

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """``(xmin, ymin, xmax, ymax)`` of the cell edges, in metres."""
        dy, dx = self.spacing
        low, high = (self.x[0] - dx / 2, self.y[0] - dy / 2, 0), (self.x[-1] + dx / 2, self.y[-1] + dy / 2, 0)
        corners = box_corners(low, high)
        xmin, ymin, _, xmax, ymax, _ = bounds_of(
            corners if self.frame is None else self.frame.to_world(corners)
        )
        return xmin, ymin, xmax, ymax
