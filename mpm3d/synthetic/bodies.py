"""Triangulated bodies: wavy sheets, closed slabs along them, closed surfaces around high values."""

from __future__ import annotations

from dataclasses import dataclass, replace

import igl
import numpy as np
from numpy.typing import NDArray

from mpm3d.geometry import Surface
from mpm3d.grid import FloatArray, Grid

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Sheet:
    """A plane with waves, in its own coordinates: along strike, down dip and across.

    Parameters
    ----------
    origin : array of shape (3,)
        A point of the plane, x, y, z in metres.
    azimuth, dip : float
        Strike from north, clockwise, and dip to the right of it, in degrees.
    waves : array of shape (n, 4)
        Amplitude (m), wave numbers along strike and down dip (1/m), phase of each wave.
    length, reach : float
        Size along strike and elevation of the lower edge, in metres.
    """

    origin: FloatArray
    azimuth: float
    dip: float
    waves: FloatArray
    length: float
    reach: float

    @property
    def axes(self) -> FloatArray:
        """Rows: unit vectors along strike, down dip and across, the last one up and to the hanging wall."""
        a, d = np.radians(self.azimuth), np.radians(self.dip)
        strike = np.array([np.sin(a), np.cos(a), 0.0])
        right = np.array([np.cos(a), -np.sin(a), 0.0])
        down = right * np.cos(d) - np.array([0.0, 0.0, np.sin(d)])
        across = right * np.sin(d) + np.array([0.0, 0.0, np.cos(d)])
        return np.stack([strike, down, across])

    def _wave(self, along: FloatArray, down: FloatArray) -> FloatArray:
        amplitude, k_along, k_down, phase = self.waves.T
        angle = along[..., None] * k_along + down[..., None] * k_down + phase
        height: FloatArray = (amplitude * np.sin(angle)).sum(axis=-1)
        return height

    def points(self, along: FloatArray, down: FloatArray, across: float = 0.0) -> FloatArray:
        """Points ``(..., 3)`` at coordinates of equal shape, ``across`` metres off the sheet."""
        height = self._wave(along, down) + across
        local = np.stack([along, down, height], axis=-1)
        at: FloatArray = self.origin + local @ self.axes
        return at

    def coordinates(self, point: FloatArray) -> FloatArray:
        """``(along, down, across)`` of one point."""
        along, down, across = self.axes @ (point - self.origin)
        return np.array([along, down, across - float(self._wave(np.array(along), np.array(down)))])


def lattice(nodes: FloatArray, mask: Mask | None = None) -> NDArray[np.int64]:
    """Two triangles for each quad of ``(rows, columns, 3)`` nodes where ``mask`` is true."""
    rows, columns = nodes.shape[:2]
    keep = np.ones((rows - 1, columns - 1), dtype=bool) if mask is None else mask
    i, j = np.nonzero(keep)
    a, b = i * columns + j, i * columns + j + 1
    c, d = a + columns, b + columns
    triangles: NDArray[np.int64] = np.concatenate([np.stack([a, b, d], 1), np.stack([a, d, c], 1)])
    return triangles


def compact(name: str, vertices: FloatArray, triangles: NDArray[np.int64]) -> Surface:
    """Surface without the vertices that no triangle uses; coordinates to the centimetre."""
    used, inverse = np.unique(triangles, return_inverse=True)
    return Surface(name, np.round(vertices[used], 2), inverse.reshape(triangles.shape).astype(np.int64))


def outward(surface: Surface) -> Surface:
    """The closed surface with the triangles counter-clockwise as seen from outside."""
    a, b, c = (surface.vertices[surface.triangles] - surface.vertices.mean(axis=0)).transpose(1, 0, 2)
    volume = float(np.einsum("ij,ij->", a, np.cross(b, c)))
    return surface if volume >= 0 else replace(surface, triangles=surface.triangles[:, ::-1].copy())


def slab(name: str, nodes: FloatArray, half: FloatArray, mask: Mask | None = None) -> Surface:
    """Close a body of constant thickness around a lattice.

    Parameters
    ----------
    name : str
        Name of the surface.
    nodes : array of shape (rows, columns, 3)
        The middle of the body.
    half : array of shape (3,)
        From the middle to one of the walls.
    mask : array of shape (rows - 1, columns - 1), optional
        Quads that belong to the body; all of them by default.

    Returns
    -------
    Surface
        Two walls and the rim between them; every edge has an even number of triangles.
    """
    wall = lattice(nodes, mask)
    edges = wall[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    _, first, counts = np.unique(np.sort(edges, axis=1), axis=0, return_index=True, return_counts=True)
    a, b = edges[np.sort(first[counts == 1])].T
    n = nodes.shape[0] * nodes.shape[1]
    rim = np.concatenate([np.stack([a, a + n, b], 1), np.stack([b, a + n, b + n], 1)])
    flat = nodes.reshape(-1, 3)
    vertices = np.concatenate([flat + half, flat - half])
    return outward(compact(name, vertices, np.concatenate([wall, wall[:, ::-1] + n, rim])))


def around(name: str, grid: Grid, values: FloatArray, level: float = 0.0) -> Surface:
    """Closed surface around the cells of a lattice whose values lie above a level.

    Parameters
    ----------
    name : str
        Name of the surface.
    grid : Grid
        The lattice; values belong to cell centres.
    values : array of shape (z, y, x)
        A continuous field. A body that reaches the outer cells is closed there.
    level : float
        The surface is where the values equal it (marching cubes).

    Returns
    -------
    Surface
    """
    padded = np.pad(values, 1, constant_values=min(float(values.min()), level - 1.0))
    # a node exactly at the level makes triangles without area, and welding them would open the surface
    padded = np.where(np.abs(padded - level) < 1e-6, level - 1e-6, padded)
    wide = grid.pad((1, 1, 1))
    nz, ny, nx = wide.shape
    found = igl.marching_cubes(padded.ravel() - level, wide.points(), nx, ny, nz, 0.0)
    vertices, triangles = np.asarray(found[0], dtype=float), np.asarray(found[1], dtype=np.int64)
    return outward(compact(name, vertices, triangles))
