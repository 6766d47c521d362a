"""Hexahedra and tetrahedra: the cell that holds a place, and values between its corners."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from mpm3d.blocks import index_boxes
from mpm3d.geometry import Array, Tetrahedra
from mpm3d.grid import FloatArray, Grid
from mpm3d.lattice import StructuredGrid

Rows = NDArray[np.int64]
# share of a cell by which a place may lie outside of it: rounding at the outer faces
_NEAR = 1e-6
# places are moved by this share of a cell to the east, north and up, so that one on a face has an owner
_SHIFT = 1e-7 * np.array([1.0, 0.7, 0.4])
_STEPS = 12
# pairs of a cell and a place that are worked on at once: they stay in the cache of the processor
_MOST = 20_000


class Cells(ABC):
    """Cells of straight edges between shared corners.

    Coordinates are taken from ``origin``, for the squares of UTM coordinates would cost digits.
    """

    def __init__(self, points: FloatArray) -> None:
        finite = points[np.isfinite(points).all(axis=1)]
        self.origin = finite.mean(axis=0) if len(finite) else np.zeros(3)
        self.points = np.asarray(points - self.origin, dtype=float)
        self.low = self.high = np.zeros((0, 3))
        self.finest = 1.0

    def _bound(self) -> None:
        """Box around each cell, and the median of their smallest widths, in metres."""
        rows = np.arange(self.size)
        self.low, self.high = np.full((self.size, 3), np.inf), np.full((self.size, 3), -np.inf)
        for k in range(self.n_corners):
            corner = self.points[self.corner(rows, k)]
            np.minimum(self.low, corner, out=self.low)  # NaN stays
            np.maximum(self.high, corner, out=self.high)
        width = (self.high - self.low).min(axis=1)
        width = width[width > 0]  # false for NaN
        self.finest = float(np.median(width)) if len(width) else 1.0

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of cells."""

    @property
    @abstractmethod
    def n_corners(self) -> int:
        """Corners of a cell."""

    @abstractmethod
    def corner(self, rows: Rows, k: int) -> Rows:
        """Row in ``points`` of the corner ``k`` of cells."""

    @abstractmethod
    def local(self, rows: Rows, xyz: FloatArray) -> FloatArray:
        """Coordinates ``(3, n)`` of each place in its own cell, 0 to 1; NaN if there are none."""

    @abstractmethod
    def depth(self, local: FloatArray) -> FloatArray:
        """How far inside its cell a place is, in widths of the cell; below 0 outside."""

    @abstractmethod
    def weights(self, local: FloatArray) -> FloatArray:
        """Weights ``(corners, n)`` that make each place of the corners of its cell."""


class TetrahedronCells(Cells):
    """Tetrahedra and their barycentric coordinates."""

    def __init__(self, model: Tetrahedra) -> None:
        super().__init__(model.vertices)
        self.tetrahedra = model.tetrahedra
        self._bound()

    @property
    def size(self) -> int:
        """Number of cells."""
        return len(self.tetrahedra)

    @property
    def n_corners(self) -> int:
        """Corners of a cell."""
        return 4

    def corner(self, rows: Rows, k: int) -> Rows:
        """Row in ``points`` of the corner ``k`` of cells."""
        return np.asarray(self.tetrahedra[rows, k])

    def local(self, rows: Rows, xyz: FloatArray) -> FloatArray:
        """Weights of the corners but the first: the part of the volume that a place makes with the others."""
        a, b, c, d = (self.points[self.tetrahedra[rows, k]].T for k in range(4))
        ab, ac, ad, ap = b - a, c - a, d - a, xyz - a
        volume = _dot(ab, _cross(ac, ad))
        with np.errstate(divide="ignore", invalid="ignore"):  # a flat tetrahedron holds nothing
            second = _dot(ap, _cross(ac, ad)) / volume
            third = _dot(ab, _cross(ap, ad)) / volume
            fourth = _dot(ab, _cross(ac, ap)) / volume
        return np.stack([second, third, fourth])

    def depth(self, local: FloatArray) -> FloatArray:
        """Smallest of the four weights."""
        return np.asarray(self.weights(local).min(axis=0))

    def weights(self, local: FloatArray) -> FloatArray:
        """The barycentric coordinates."""
        return np.stack([1 - local.sum(axis=0), *local])


class HexahedronCells(Cells):
    """Hexahedra of a structured grid and the trilinear map from their eight corners."""

    def __init__(self, model: StructuredGrid) -> None:
        nw, nv, nu = model.points.shape[:3]
        super().__init__(model.points.reshape(-1, 3))
        lattice = np.arange(nw * nv * nu).reshape(nw, nv, nu)
        self._first = lattice[:-1, :-1, :-1].ravel()
        # corner 4 w + 2 v + u
        self._offsets = [w * nv * nu + v * nu + u for w in (0, 1) for v in (0, 1) for u in (0, 1)]
        self._bound()

    @property
    def size(self) -> int:
        """Number of cells."""
        return len(self._first)

    @property
    def n_corners(self) -> int:
        """Corners of a cell."""
        return 8

    def corner(self, rows: Rows, k: int) -> Rows:
        """Row in ``points`` of the corner ``k`` of cells."""
        return np.asarray(self._first[rows] + self._offsets[k])

    def local(self, rows: Rows, xyz: FloatArray) -> FloatArray:
        """Shares along U, V and W at which the trilinear map meets each place, by Newton's method."""
        terms = self._terms(rows)
        target = xyz - terms[0]
        shares = np.full((3, len(rows)), 0.5)
        with np.errstate(all="ignore"):  # a flat cell has no inverse and holds nothing
            step = _newton(terms, target, shares)
            shares = np.clip(shares - step, -1.0, 2.0)
            active = np.flatnonzero(np.abs(step).max(axis=0) > 1e-9)  # false for NaN
            for _ in range(_STEPS):
                step = _newton(terms[:, :, active], target[:, active], shares[:, active])
                shares[:, active] = np.clip(shares[:, active] - step, -1.0, 2.0)
                moved = np.abs(step).max(axis=0) > 1e-9
                active = active[moved]
                if not len(active):
                    break
            shares[:, active] = np.nan  # twelve steps did not do
        return shares

    def depth(self, local: FloatArray) -> FloatArray:
        """Smallest distance to the six faces, in shares of the cell."""
        return np.asarray(np.minimum(local, 1 - local).min(axis=0))

    def weights(self, local: FloatArray) -> FloatArray:
        """Products of the shares along U, V and W."""
        u, v, w = (np.stack([1 - share, share]) for share in local)
        return np.stack([w[k] * v[j] * u[i] for k in (0, 1) for j in (0, 1) for i in (0, 1)])

    def _terms(self, rows: Rows) -> FloatArray:
        """Factors ``(8, 3, n)`` of 1, u, v, w, uv, vw, wu and uvw in the trilinear map."""
        p000, p100, p010, p110, p001, p101, p011, p111 = (
            self.points[self.corner(rows, k)].T for k in range(8)
        )
        u, v, w = p100 - p000, p010 - p000, p001 - p000
        uv, vw, wu = p110 - p010 - u, p011 - p010 - w, p101 - p100 - w
        uvw = p111 - p011 - (p101 - p001) - uv
        return np.stack([p000, u, v, w, uv, vw, wu, uvw])


def _newton(terms: FloatArray, target: FloatArray, shares: FloatArray) -> FloatArray:
    """One step ``(3, n)`` of Newton's method towards the target."""
    u, v, w = shares
    _, tu, tv, tw, tuv, tvw, twu, tuvw = terms
    off = tu * u + tv * v + tw * w + tuv * (u * v) + tvw * (v * w) + twu * (w * u) + tuvw * (u * v * w)
    off = off - target
    along_u = tu + tuv * v + twu * w + tuvw * (v * w)
    along_v = tv + tuv * u + tvw * w + tuvw * (u * w)
    along_w = tw + tvw * v + twu * u + tuvw * (u * v)
    normal = _cross(along_v, along_w)
    volume = _dot(along_u, normal)
    step = [
        _dot(off, normal), _dot(along_u, _cross(off, along_w)), _dot(along_u, _cross(along_v, off)),
    ]  # fmt: skip
    return np.stack(step) / volume


def _cross(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray(a[0] * b[0] + a[1] * b[1] + a[2] * b[2])


def from_cells(cells: Cells, values: Array, grid: Grid, method: str, *, at_corners: bool) -> FloatArray:
    """Values of hexahedra or tetrahedra at the cell centres of a grid.

    Parameters
    ----------
    cells : Cells
        The geometry.
    values : array of shape (n,)
        One for each cell, or one for each corner in the order of the points.
    grid : Grid
        Where values are wanted.
    method : {"linear", "nearest"}
        Values at corners: between them by the weights of the cell, or that of the corner with the largest
        weight. Values of cells: that of the cell that holds the centre, in both.
    at_corners : bool
        Whether the values are those of corners.

    Returns
    -------
    array of shape (z, y, x)
        NaN outside, and where a corner that contributes is NaN.
    """
    result = np.full(grid.n_cells, np.nan, dtype=np.float32)
    flat, rows, local = _locate(cells, grid)
    if not at_corners:
        result[flat] = values[rows]
        return result.reshape(grid.shape)
    for start in range(0, len(flat), _MOST):
        part = slice(start, start + _MOST)
        weights = np.clip(cells.weights(local[:, part]), 0.0, 1.0)
        corners = np.stack([cells.corner(rows[part], k) for k in range(cells.n_corners)])
        if method == "nearest":
            corners = np.take_along_axis(corners, weights.argmax(axis=0)[None], axis=0)
            weights = np.ones(corners.shape)
        value = np.asarray(values[corners], dtype=float)
        value[np.isinf(value)] = np.nan
        value[np.isnan(value) & (weights < 10 * _NEAR)] = 0.0  # a corner across the cell has no say
        result[flat[part]] = (weights * value).sum(axis=0)
    return result.reshape(grid.shape)


def _locate(cells: Cells, grid: Grid) -> tuple[Rows, Rows, FloatArray]:
    """Centres of the grid, counted as raveled, that a cell holds, its row, and where they are in it."""
    shift = _SHIFT * min(*grid.spacing, cells.finest)
    centres = [grid.centres(axis) - cells.origin[2 - axis] + shift[2 - axis] for axis in range(3)]
    rows, first, last = _met(cells, centres)
    best, owner = np.full(grid.n_cells, -np.inf), np.full(grid.n_cells, -1, dtype=np.int64)
    local = np.empty((3, grid.n_cells))
    for pair, index in index_boxes(first, last, limit=_MOST):
        flat = np.ravel_multi_index(tuple(index.T), grid.shape)
        left = best[flat] <= 0
        flat, row, (z, y, x) = flat[left], rows[pair[left]], index[left].T
        found = cells.local(row, np.stack([centres[2][x], centres[1][y], centres[0][z]]))
        depth = cells.depth(found)
        order = np.argsort(depth, kind="stable")
        order = order[depth[order] >= np.maximum(-_NEAR, best[flat[order]])]  # false for NaN
        best[flat[order]], owner[flat[order]] = depth[order], row[order]  # the deepest is the last
        local[:, flat[order]] = found[:, order]
    held = np.flatnonzero(owner >= 0)
    return held, owner[held], local[:, held]


def _met(cells: Cells, centres: list[FloatArray]) -> tuple[Rows, Rows, Rows]:
    """Cells whose box holds any centre, and the first and last index of those centres along each axis."""
    margin = _NEAR * (cells.high - cells.low)
    low, high = (cells.low - margin)[:, ::-1], (cells.high + margin)[:, ::-1]
    begin, end = np.array([c[0] for c in centres]), np.array([c[-1] for c in centres])
    rows = np.flatnonzero(((low <= end) & (high >= begin)).all(axis=1))  # false for NaN
    first, last = np.empty((len(rows), 3), dtype=np.int64), np.empty((len(rows), 3), dtype=np.int64)
    for axis, centre in enumerate(centres):
        first[:, axis] = np.searchsorted(centre, low[rows, axis], side="left")
        last[:, axis] = np.searchsorted(centre, high[rows, axis], side="right") - 1
    return rows, first, last
