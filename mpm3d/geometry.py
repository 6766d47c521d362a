"""Bodies and measurements in space: float64 coordinates, x east, y north, z elevation up, in metres."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mpm3d.grid import FloatArray

Array = NDArray[Any]
Bounds = tuple[float, float, float, float, float, float]


def bounds_of(points: FloatArray) -> Bounds:
    """``(xmin, ymin, zmin, xmax, ymax, zmax)`` of ``(n, 3)`` points; NaN where there is none."""
    if not len(points):
        points = np.full((1, 3), np.nan)
    low, high = points.min(axis=0), points.max(axis=0)
    return (float(low[0]), float(low[1]), float(low[2]), float(high[0]), float(high[1]), float(high[2]))


@dataclass(frozen=True, eq=False)
class Body:
    """What every object of a file has.

    Parameters
    ----------
    name : str
        Name of the object.
    kind : str
        What its file calls it, such as ``"TSurf"`` or ``"UBC tensor mesh"``.
    units : mapping of str to str, optional
        Units of its values, by name.
    crs_name : str
        Coordinate system as the file names it. It is not an EPSG code.
    z_positive : str
        The sense of z in the file, ``"Elevation"`` or ``"Depth"``; coordinates are elevations always.
    notes : tuple of str
        What the reader decided, converted or dropped, in sentences.
    """

    name: str
    _: KW_ONLY
    kind: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    crs_name: str = ""
    z_positive: str = "Elevation"
    notes: tuple[str, ...] = ()

    def noted(self, *notes: str) -> Self:
        """The same body with more notes."""
        return replace(self, notes=(*self.notes, *notes)) if notes else self

    def common(self) -> dict[str, Any]:
        """What a body made from this one takes over: keywords of its constructor."""
        return {
            "kind": self.kind, "units": self.units, "crs_name": self.crs_name, "z_positive": self.z_positive,
            "notes": self.notes,
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Vertices(Body):
    """What everything that is made of vertices has.

    Parameters
    ----------
    vertices : array of shape (n, 3)
        x, y, elevation in metres.
    properties : mapping of str to array, optional
        Values at the vertices, ``(n,)`` or ``(n, components)``; NaN where there is no data.
    regions : mapping of str to array of shape (n,), optional
        Named sets of vertices, true where a vertex belongs to it.
    """

    vertices: FloatArray
    _: KW_ONLY
    properties: Mapping[str, FloatArray] = field(default_factory=dict)
    regions: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)

    @property
    def bounds(self) -> Bounds:
        """``(xmin, ymin, zmin, xmax, ymax, zmax)`` in metres."""
        return bounds_of(self.vertices)


@dataclass(frozen=True, eq=False)
class Points(Vertices):
    """Points with values.

    Parameters
    ----------
    part : array of shape (n,), optional
        Number of the set, as the file has it, of each point.
    name, vertices, properties, regions, kind, units, crs_name, z_positive, notes
        As in `Body` and `Vertices`.
    """

    _: KW_ONLY
    part: NDArray[np.int64] | None = None


@dataclass(frozen=True, eq=False)
class Lines(Vertices):
    """Polylines.

    Parameters
    ----------
    segments : array of shape (m, 2)
        Rows of ``vertices``, counted from 0.
    part : array of shape (m,), optional
        Number of the polyline of each segment.
    cell_properties : mapping of str to array, optional
        Values of the segments, ``(m,)`` or ``(m, components)``; NaN where there is no data.
    name, vertices, properties, regions, kind, units, crs_name, z_positive, notes
        As in `Body` and `Vertices`.
    """

    segments: NDArray[np.int64]
    part: NDArray[np.int64] | None = None
    _: KW_ONLY
    cell_properties: Mapping[str, FloatArray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Surface(Vertices):
    """A triangulated surface.

    Parameters
    ----------
    triangles : array of shape (m, 3)
        Rows of ``vertices``, counted from 0.
    part : array of shape (m,), optional
        Number of the connected part, as the file has it, of each triangle.
    cell_properties : mapping of str to array, optional
        Values of the triangles, ``(m,)`` or ``(m, components)``; NaN where there is no data.
    name, vertices, properties, regions, kind, units, crs_name, z_positive, notes
        As in `Body` and `Vertices`.
    """

    triangles: NDArray[np.int64]
    part: NDArray[np.int64] | None = None
    _: KW_ONLY
    cell_properties: Mapping[str, FloatArray] = field(default_factory=dict)

    def welded(self) -> Surface:
        """Join vertices of the same coordinates and drop triangles without area, as between parts."""
        vertices, inverse = np.unique(self.vertices, axis=0, return_inverse=True)
        triangles = inverse.reshape(-1)[self.triangles].astype(np.int64)
        a, b, c = triangles.T
        keep = (a != b) & (b != c) & (c != a)
        part = None if self.part is None else self.part[keep]
        return Surface(self.name, vertices, triangles[keep], part, **{**self.common(), "units": {}})

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
            regions={name: inside[~drop] for name, inside in self.regions.items()},
            cell_properties={name: values[keep] for name, values in self.cell_properties.items()},
            notes=(*self.notes, note),
        )


def check_surface(surface: Surface) -> None:
    """See that there is something to measure to.

    Parameters
    ----------
    surface : Surface
        Its triangles are looked at, vertices that none of them uses are not.

    Raises
    ------
    ValueError
        If it has no triangle, or a corner of one is not finite.
    """
    if not len(surface.triangles):
        raise ValueError(f"surface {surface.name!r} has no triangle, its file may hold points only.")
    used = surface.vertices[np.unique(surface.triangles)]
    bad = int((~np.isfinite(used)).any(axis=1).sum())
    if bad:
        raise ValueError(
            f"surface {surface.name!r} has {bad} vertices that are not finite numbers. "
            "Drop them first: surface.without_vertices(...)."
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
class Tetrahedra(Vertices):
    """A volume of tetrahedra.

    Parameters
    ----------
    tetrahedra : array of shape (m, 4)
        Rows of ``vertices``, counted from 0; the fourth lies on the side of the normal of the first three,
        so that volumes are positive.
    part : array of shape (m,), optional
        Number of the volume of each tetrahedron.
    cell_properties : mapping of str to array, optional
        Values of the tetrahedra, ``(m,)`` or ``(m, components)``; NaN where there is no data.
    name, vertices, properties, regions, kind, units, crs_name, z_positive, notes
        As in `Body` and `Vertices`.
    """

    tetrahedra: NDArray[np.int64]
    part: NDArray[np.int64] | None = None
    _: KW_ONLY
    cell_properties: Mapping[str, FloatArray] = field(default_factory=dict)

    @property
    def volumes(self) -> FloatArray:
        """Signed volume of each tetrahedron, in cubic metres."""
        a, b, c, d = (self.vertices[self.tetrahedra[:, k]] for k in range(4))
        return np.asarray(np.einsum("ij,ij->i", np.cross(b - a, c - a), d - a) / 6)
