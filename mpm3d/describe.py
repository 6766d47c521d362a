"""What a body is, in numbers and sentences that anyone can read: sizes, bounds, statistics, decisions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import singledispatch
from typing import Any

import numpy as np

from mpm3d.geometry import Array, Body, Lines, Points, Surface, Tetrahedra, Vertices
from mpm3d.grid import FloatArray
from mpm3d.io.gocad.sentinels import impossible
from mpm3d.lattice import BlockModel, Frame, PropertyModel, Raster, StructuredGrid, Voxet
from mpm3d.tally import Column, listed, members, summarise, text_note
from mpm3d.values import Values
from mpm3d.wells import Well

REGISTRATIONS = ("center", "corner")


@dataclass(frozen=True)
class _Facts:
    """What differs from one kind of body to the next."""

    counts: tuple[int, int, int]  # vertices, cells, parts
    bounds: Sequence[float]
    columns: Sequence[tuple[str, Column]] = ()
    shape: Sequence[int] | None = None
    first: Iterable[float] | None = None
    regions: Mapping[str, Values] = field(default_factory=dict)
    member: str = "vertices"
    notes: Sequence[str] = ()


def describe(body: Body, registration: str = "center") -> dict[str, Any]:
    """Describe a body by plain numbers, lists and words, as JSON holds them.

    Values that lie in a file are read in parts.

    Parameters
    ----------
    body : Body
        Anything that ``io.read`` gives.
    registration : {"center", "corner"}
        Whether the samples of a voxet are the centres of its cells, as in GoCAD, or the ends of its axes are
        the outer corners of the cells.

    Returns
    -------
    dict
        ``type`` (what the file calls it), ``name``, ``n_vertices``, ``n_cells`` (triangles, segments, cells,
        blocks), ``n_parts``, ``bounds`` (``xmin, ymin, zmin, xmax, ymax, zmax`` in metres, cells to their
        edges), ``shape`` (cells along z, y, x, or W, V, U as stored) or None, ``first_centre`` (centre of
        the cell whose value the file has first) or None, ``crs_name``, ``z_positive``, ``properties`` (by
        name: ``count``, ``mean``, ``min``, ``max``, ``missing``, ``units``; lists where values have several
        components) and ``notes``. A number that does not exist is None.

    Raises
    ------
    ValueError
        If the registration is not known.

    Examples
    --------
    >>> au = {"au": np.array([0.5, np.nan])}
    >>> spots = Points("spots", np.array([[0, 0, 5], [2, 4, 6.0]]), properties=au)
    >>> described = describe(spots)
    >>> described["bounds"], described["properties"]["au"]["missing"]
    ([0.0, 0.0, 5.0, 2.0, 4.0, 6.0], 1)
    """
    if registration not in REGISTRATIONS:
        raise ValueError(f"registration {registration!r} is not known, use 'center' or 'corner'.")
    facts = _facts(body, registration)
    properties, said = summarise(facts.columns, body.units)
    return {
        "type": body.kind or type(body).__name__,
        "name": body.name,
        "n_vertices": facts.counts[0],
        "n_cells": facts.counts[1],
        "n_parts": facts.counts[2],
        "bounds": _plain(facts.bounds),
        "shape": None if facts.shape is None else [int(n) for n in facts.shape],
        "first_centre": None if facts.first is None else _plain(facts.first),
        "crs_name": body.crs_name,
        "z_positive": body.z_positive,
        "properties": properties,
        "notes": [*dict.fromkeys([*body.notes, *facts.notes, *_z_sense(body), *said, *_regions(facts)])],
    }


def _plain(numbers: Iterable[float]) -> list[float | None]:
    return [float(n) + 0.0 if math.isfinite(n) else None for n in numbers]


def _z_sense(body: Body) -> list[str]:
    if isinstance(body, Raster):
        return []
    if body.z_positive.lower() != "depth":
        return ["z is the elevation, positive upwards."]
    if any("elevation" in note and ("depth" in note or "down" in note) for note in body.notes):
        return []
    return ["The file counts z downwards; z is the elevation here, positive upwards."]


def _regions(facts: _Facts) -> list[str]:
    return [
        f"The region {name!r} holds {members(inside):,} of {inside.size:,} {facts.member}."
        for name, inside in facts.regions.items()
    ]


def _columns(values: Mapping[str, Any], **more: Any) -> list[tuple[str, Column]]:
    return [(name, Column(array, **more)) for name, array in values.items()]


def _coded(
    values: Mapping[str, Any], classes: Mapping[str, Mapping[int, str]], **more: Any
) -> list[tuple[str, Column]]:
    return [(name, Column(array, classes=classes.get(name, {}), **more)) for name, array in values.items()]


def _parts(part: Array | None) -> int:
    """Number of parts of what a file does not divide, or as the file has them."""
    return 1 if part is None or not len(part) else len(np.unique(part))


@singledispatch
def _facts(body: Body, registration: str) -> _Facts:
    raise ValueError(f"{type(body).__name__} {body.name!r} is not a body that can be described.")


@_facts.register
def _(body: Points, registration: str) -> _Facts:
    counts = len(body.vertices), 0, _parts(body.part)
    return _Facts(
        counts, body.bounds, _columns(body.properties), regions=body.regions, member="points",
        notes=_no_data(body),
    )  # fmt: skip


@_facts.register
def _(body: Lines, registration: str) -> _Facts:
    counts = len(body.vertices), len(body.segments), _parts(body.part)
    columns = [*_columns(body.properties), *_columns(body.cell_properties, owner="the segments")]
    return _Facts(counts, body.bounds, columns, regions=body.regions, notes=_no_data(body))


@_facts.register
def _(body: Surface, registration: str) -> _Facts:
    counts = len(body.vertices), len(body.triangles), _parts(body.part)
    columns = [*_columns(body.properties), *_columns(body.cell_properties, owner="the triangles")]
    return _Facts(counts, body.bounds, columns, regions=body.regions, notes=_no_data(body))


def _no_data(body: Vertices) -> list[str]:
    """A sentence on vertices at elevations such as -99999, which make the bounds useless."""
    z = body.vertices[:, 2]
    strange = impossible(z)
    gone = int(strange.sum())
    if not gone:
        return []
    if gone == len(z):
        return [f"All {gone:,} vertices lie at elevations that look like no data."]
    low, high = (f"{end:.7g}" for end in (z[~strange].min(), z[~strange].max()))
    return [
        f"{gone:,} vertices lie at elevations that look like no data; without them z goes from {low} to "
        f"{high} m."
    ]


@_facts.register
def _(body: Tetrahedra, registration: str) -> _Facts:
    counts = len(body.vertices), len(body.tetrahedra), _parts(body.part)
    columns = [*_columns(body.properties), *_columns(body.cell_properties, owner="the tetrahedra")]
    return _Facts(counts, body.bounds, columns, regions=body.regions)


@_facts.register
def _(body: Voxet, registration: str) -> _Facts:
    counts = 0, math.prod(body.shape), 1
    columns = [
        (name, Column(values, 3, classes=body.classes.get(name, {}), stated=body.stated.get(name)))
        for name, values in body.values.items()
    ]
    return _Facts(
        counts, body.extent(registration), columns, body.shape, body.first_centre(registration), body.regions,
        "samples", _about_voxet(body, registration),
    )  # fmt: skip


def _about_voxet(body: Voxet, registration: str) -> list[str]:
    axes, cells = [], []
    for label, count, step in zip("UVW", body.shape[::-1], body.steps, strict=True):
        length = float(np.linalg.norm(step))
        cells.append(_metres(length * max(count - 1, 1) / count))
        apart = f" {_metres(length)} apart" if length else ""
        axes.append(f"{label} has {count:,} sample{'s' if count > 1 else ''}{apart}, {_direction(step)}")
    if registration == "corner":
        said = f"the ends of the axes are the outer corners of the cells, of {' × '.join(cells)} (U, V, W)."
    else:
        said = "samples are the centres of cells, which reach half a step beyond the outer samples."
    order = f"Values are stored with U fastest, then V, then W: {'; '.join(axes)}."
    return [order, f"Cell registration: {said}"]


def _direction(step: FloatArray) -> str:
    """Where a vector points, as a geologist says it."""
    level, rise = math.hypot(step[0], step[1]), float(step[2])
    if not level and not rise:
        return "in a direction that the file does not tell"
    if level <= 1e-6 * abs(rise):
        return "up" if rise > 0 else "down"
    azimuth, plunge = math.degrees(math.atan2(step[0], step[1])) % 360, math.degrees(math.atan2(-rise, level))
    named = {0.0: "north", 90.0: "east", 180.0: "south", 270.0: "west"}.get(round(azimuth, 4) % 360)
    where = f"to the {named}" if named else f"towards azimuth {azimuth:05.1f}°"
    return where if abs(plunge) < 1e-4 else f"{where}, {abs(plunge):.1f}° {'down' if plunge > 0 else 'up'}"


def _metres(length: float) -> str:
    """A length to the tenth of a millimetre, small ones to six digits."""
    return f"{round(length, 4):.12g} m" if abs(length) >= 1 else f"{length:.6g} m"


@_facts.register
def _(body: PropertyModel, registration: str) -> _Facts:
    first: Iterable[float]
    if body.first_centre is not None:
        first = body.first_centre
    else:
        middle = [(edges[0] + edges[1]) / 2 for edges in body.edges[::-1]]
        first = middle if body.frame is None else body.frame.to_world([middle])[0]
    widths = [_widths(np.diff(edges)) for edges in body.edges[::-1]]
    notes = [*_layout(body.layout), f"Cells along x, y, z: {', '.join(widths)}.", *_turned(body.frame)]
    columns = _coded(body.values, body.classes, ndim=3)
    return _Facts((0, math.prod(body.shape), 1), body.bounds, columns, body.shape, first, notes=notes)


def _layout(layout: str) -> list[str]:
    return [layout] if layout else []


def _widths(widths: FloatArray) -> str:
    low, high = float(widths.min()), float(widths.max())
    # edges of millions of metres keep about a micrometre
    equal = high - low <= 1e-6 * high + 1e-6
    size = _metres(float(np.median(widths))) if equal else f"{low:.6g} to {_metres(high)}"
    return f"{len(widths):,} of {size}"


def _turned(frame: Frame | None) -> list[str]:
    if frame is None:
        return []
    axes = [f"{name} {_direction(axis)}" for name, axis in zip("xyz", frame.axes, strict=True)]
    return [f"The cells do not lie along x, y and z: their own axes point {'; '.join(axes)}."]


@_facts.register
def _(body: StructuredGrid, registration: str) -> _Facts:
    points, cells = math.prod(body.points.shape[:3]), math.prod(body.shape)
    columns = []
    for name, array in body.values.items():
        owner = "the cells" if array.shape[:3] == body.shape else "the points"
        columns.append((name, Column(array, 3, owner, classes=body.classes.get(name, {}))))
    first = replace(body, points=body.points[:2, :2, :2], values={}).centres()[0, 0, 0] if cells else None
    nu, nv, nw = body.points.shape[2::-1]
    order = f"Points are stored with U fastest, then V, then W: {nu:,} × {nv:,} × {nw:,} (U, V, W)."
    sides = "Points are the corners of the cells."
    return _Facts(
        (points, cells, 1), body.bounds, columns, body.shape, first, body.regions, "cells or points",
        [order, sides],
    )  # fmt: skip


@_facts.register
def _(body: BlockModel, registration: str) -> _Facts:
    first, notes = None, [*_layout(body.layout), *_turned(body.frame)]
    if len(body.centres):
        first = body.centres[0] if body.frame is None else body.frame.to_world(body.centres[:1])[0]
        sizes = zip(body.sizes.min(axis=0), body.sizes.max(axis=0), strict=True)
        spans = [_metres(low) if low == high else f"{low:g} to {_metres(high)}" for low, high in sizes]
        notes.append(f"Blocks along x, y, z: {', '.join(spans)}.")
    shape, said = _lattice_of(body)
    texts = [text_note(name, words) for name, words in body.texts.items()]
    return _Facts(
        (0, len(body.centres), 1), body.bounds, _columns(body.values), shape, first,
        notes=[*notes, *said, *texts],
    )  # fmt: skip


def _lattice_of(body: BlockModel) -> tuple[tuple[int, int, int] | None, list[str]]:
    """Cells along z, y, x if the blocks lie on a lattice."""
    if not np.all(body.sizes > 0):
        return None, []
    try:
        shape = replace(body, values={}, texts={}).as_model().shape
    except ValueError:
        return None, []
    share = f"{len(body.centres):,} of {math.prod(shape):,} cells"
    nz, ny, nx = shape
    return shape, [f"The blocks fill {share} of a lattice of {nx:,} × {ny:,} × {nz:,} (x, y, z)."]


@_facts.register
def _(body: Raster, registration: str) -> _Facts:
    xmin, ymin, xmax, ymax = body.bounds
    x, y = body.first_centre or (float(body.x[0]), float(body.y[0]))
    if body.first_centre is None and body.frame is not None:
        x, y, _ = (float(c) for c in body.frame.to_world([[x, y, 0.0]])[0])
    ny, nx = body.shape
    dy, dx = body.spacing
    size = f"Cells along x, y: {nx:,} of {_metres(dx)}, {ny:,} of {_metres(dy)}."
    return _Facts(
        (0, ny * nx, 1), (xmin, ymin, math.nan, xmax, ymax, math.nan), _columns(body.values, ndim=2),
        (1, ny, nx), (x, y, math.nan), notes=[*_layout(body.layout), size, *_turned(body.frame)],
    )  # fmt: skip


@_facts.register
def _(body: Well, registration: str) -> _Facts:
    columns = [(name, Column(curve.values, clash="curve")) for name, curve in body.curves.items()]
    for table, rows in body.intervals.items():
        owner = f"the {len(rows.start):,} intervals of {table!r}"
        columns += [(name, Column(values, 1, owner, table)) for name, values in rows.values.items()]
    counts = len(body.path), max(len(body.path) - 1, 0), 1
    return _Facts(counts, body.bounds, columns, notes=_about_well(body))


def _about_well(body: Well) -> list[str]:
    x, y, z = (float(c) for c in body.collar)
    notes = [f"The collar is at x {x:.10g}, y {y:.10g}, elevation {_metres(z)}."]
    if len(body.depth):
        ends = f"{body.depth[0]:g} to {_metres(float(body.depth[-1]))}"
        between = "arcs between the survey stations" if body.survey is not None else "straight lines"
        notes.append(f"The path goes from a measured depth of {ends}, on {between}.")
    if body.markers:
        names = listed(f"{name} at {_metres(depth)}" for name, depth in body.markers)
        notes.append(f"{len(body.markers):,} markers: {names}.")
    empty = [repr(table) for table, rows in body.intervals.items() if not rows.values]
    return notes + ([f"Intervals without values: {listed(empty)}."] if empty else [])
