"""Bodies of the page's 3D view: triangles, lines and points from a local origin, thinned to a budget."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpm3d.geometry import Lines, Points, Surface
from mpm3d.view.actors import item_mesh, lines_on
from mpm3d.view.scene import Item, Scene, style_of

Array = NDArray[Any]
TARGET_TRIANGLES = 120_000
GROUP_TRIANGLES = 40_000
GROUP_LINES = 40_000
"""At most so many triangles of all targets, triangles of another group, and segments or points of one."""


ZONE = "zone"
"""Role of the bodies that targets were cut from, and their kind in the table."""
_WORDS = {"mesh": "triangles", "lines": "segments", "points": "points", "rim": "segments of edges"}


class Part(NamedTuple):
    """One body of a group, and which of the group's vertices are its."""

    name: str
    first: int
    size: int


@dataclass(frozen=True, eq=False)
class Group:
    """Bodies that share a line of the legend, a look and a switch.

    Parameters
    ----------
    role, label, colour : str
        What they are, their name in the legend, and ``#rrggbb``.
    opacity : float
        From 0 to 1.
    visible : bool
        Whether they are drawn at first.
    kind : str
        ``"mesh"``, ``"lines"``, ``"points"``, or ``"rim"``: thin lines on the translucent meshes of the role.
    vertices : array of shape (n, 3)
        Metres from the origin of the view, 32 bits.
    cells : array of shape (m, 3), (m, 2) or (m, 1)
        Rows of ``vertices``.
    parts : tuple of Part
        The bodies.
    """

    role: str
    label: str
    colour: str
    opacity: float
    visible: bool
    kind: str
    vertices: NDArray[np.float32]
    cells: NDArray[np.int32]
    parts: tuple[Part, ...]

    def as_data(self) -> dict[str, Any]:
        """The group for the page's script; arrays as base64 of little-endian numbers."""
        return {
            "role": self.role,
            "label": self.label,
            "colour": self.colour,
            "opacity": self.opacity,
            "visible": self.visible,
            "kind": self.kind,
            "parts": [list(part) for part in self.parts],
            "vertices": packed(self.vertices, "<f4"),
            "cells": packed(self.cells, "<u4"),
        }


def packed(values: Array, dtype: str) -> str:
    """Numbers as base64, row by row, of a type such as ``"<f4"``."""
    return base64.b64encode(np.ascontiguousarray(values, dtype=dtype).tobytes()).decode("ascii")


def groups_of(
    scene: Scene, targets: Sequence[Surface], zones: Sequence[Surface] = ()
) -> tuple[tuple[Group, ...], tuple[str, ...]]:
    """Everything the page draws of a scene, targets first, and sentences on what was simplified.

    Parameters
    ----------
    scene : Scene
        Its items by role; its scores are not looked at.
    targets : sequence of Surface
        Skins of the targets in true coordinates, metres, each with the id of its target as its name.
    zones : sequence of Surface
        Skins of the zones that targets were cut from. They would hide those, so they are not shown at first.

    Returns
    -------
    tuple
        Groups, and sentences.
    """
    groups: list[Group | None] = []
    notes: list[str] = []
    colour = style_of("target").colour
    for role, skins, opacity in (("target", targets, 1.0), (ZONE, zones, 0.3)):
        items = [Item(skin.name, role, skin, colour, opacity, role != ZONE) for skin in skins]
        groups.append(_drawn(scene, items, "mesh", notes))
    for role in scene.roles:
        items = [item for item in scene.items if item.role == role and role not in ("target", ZONE)]
        for kind in ("mesh", "lines", "points"):
            some = [item for item in items if _kind_of(item) == kind]
            groups.append(_drawn(scene, some, kind, notes))
            if kind == "mesh":
                groups.append(_drawn(scene, [item for item in some if item.opacity < 1], "rim", notes))
    return tuple(group for group in groups if group is not None and len(group.cells)), tuple(notes)


def _kind_of(item: Item) -> str:
    if isinstance(item.geometry, Lines):
        return "lines"
    return "points" if isinstance(item.geometry, Points) else "mesh"


def _drawn(scene: Scene, items: list[Item], kind: str, notes: list[str]) -> Group | None:
    """Bodies of one role and kind, thinned together; None if there are none."""
    if not items:
        return None
    found = [_arrays(scene, item, kind) for item in items]
    before = sum(len(rows) for _, rows in found)
    budget = (
        GROUP_LINES if kind != "mesh" else TARGET_TRIANGLES if items[0].role == "target" else GROUP_TRIANGLES
    )
    thin = [_thinned(points, rows, kind, budget / max(before, 1)) for points, rows in found]
    starts = np.cumsum([0, *(len(points) for points, _ in thin)])
    after = sum(len(rows) for _, rows in thin)
    first, label = items[0], "Zones" if items[0].role == ZONE else style_of(items[0].role).label
    if after < before:
        notes.append(f"{label}: {after:,} of {before:,} {_WORDS[kind]} are drawn.")
    parts = [
        Part(item.name, int(start), len(points))
        for item, start, (points, _) in zip(items, starts, thin, strict=False)
        if len(points)
    ]
    return Group(
        first.role,
        label + (f" ({len(items)})" if len(items) > 1 else ""),
        first.colour,
        first.opacity,
        any(item.visible for item in items),
        kind,
        np.concatenate([points for points, _ in thin]),
        np.concatenate([rows + start for start, (_, rows) in zip(starts, thin, strict=False)]),
        tuple(parts),
    )


def _arrays(scene: Scene, item: Item, kind: str) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Vertices and cells of a body, or of the lines that show the shape of a translucent one."""
    mesh = item_mesh(scene, item)
    if kind == "mesh":
        return _mesh_arrays(mesh)
    if kind == "rim":
        lines = lines_on(scene, item, mesh) if mesh.n_points else []
        return (
            _thin_arrays(lines[0][0], kind)
            if lines
            else (np.empty((0, 3), np.float32), np.empty((0, 2), np.int32))
        )
    return _thin_arrays(mesh, kind)


def _mesh_arrays(mesh: Any) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    if not mesh.n_cells:
        return np.empty((0, 3), np.float32), np.empty((0, 3), np.int32)
    import pyvista as pv

    flat = mesh if isinstance(mesh, pv.PolyData) else mesh.extract_surface(algorithm=None)
    # faces of cells come with corners of their own, which could not be thinned
    clean = flat.clean().triangulate()
    rows = np.asarray(clean.faces, dtype=np.int32).reshape(-1, 4)[:, 1:]
    return np.asarray(clean.points, dtype=np.float32), rows


def _thin_arrays(mesh: Any, kind: str) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    points = np.asarray(mesh.points, dtype=np.float32).reshape(-1, 3)
    if kind == "points":
        return points, np.arange(len(points), dtype=np.int32)[:, None]
    return points, _segments(np.asarray(mesh.lines, dtype=np.int64))


def _segments(lines: Array) -> NDArray[np.int32]:
    """Pairs of neighbours from VTK's list of counts and rows."""
    pairs, at = [], 0
    while at < len(lines):
        row = lines[at + 1 : at + 1 + lines[at]]
        pairs.append(np.column_stack([row[:-1], row[1:]]))
        at += int(lines[at]) + 1
    return np.concatenate(pairs).astype(np.int32) if pairs else np.empty((0, 2), np.int32)


def _thinned(
    points: NDArray[np.float32], rows: NDArray[np.int32], kind: str, share: float
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """About that share of the cells of a body, at least a few dozen."""
    keep = max(60, int(share * len(rows)))
    if share >= 1 or len(rows) <= keep:
        return points, rows
    if kind != "mesh":
        rows = rows[:: -(-len(rows) // keep)]
        used, again = np.unique(rows, return_inverse=True)
        return points[used], again.reshape(rows.shape).astype(np.int32)
    import pyvista as pv

    # quadric collapse keeps flat walls flat and their corners where they are
    corners: Any = rows
    whole: Any = pv.PolyData.from_regular_faces(np.asarray(points, dtype=float), corners)
    return _mesh_arrays(whole.decimate(1 - keep / len(rows)))


def unpacked(data: dict[str, Any]) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
    """Vertices and cells of `Group.as_data`, as the page's script reads them."""
    width = {"mesh": 3, "lines": 2, "rim": 2, "points": 1}[data["kind"]]
    vertices = np.frombuffer(base64.b64decode(data["vertices"]), "<f4").reshape(-1, 3)
    cells = np.frombuffer(base64.b64decode(data["cells"]), "<u4").reshape(-1, width)
    return vertices, cells
