"""What lies on a map: outlines of targets and deposits, lines and polygons of its layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mpm3d import mapping, vectors
from mpm3d.errors import StudyError
from mpm3d.geometry import Lines, Points
from mpm3d.grid import FloatArray, Grid
from mpm3d.labels import Cells, Deposit
from mpm3d.study import VectorLayer
from mpm3d.vectors.shapes import LINE, POINT, POLYGON, RING, of_type, parts_of, segments_of
from mpm3d.work import Run

Plan = Lines | Points
_FEW = 4  # cells of a deposit that is drawn as one mark
# parts of the name of a layer or of its file, and the role whose colour its shapes have
_ROLES = {
    "fault": "fault", "dyke": "dyke", "dike": "dyke", "intrusi": "intrusion", "granit": "intrusion",
    "pluton": "intrusion",
}  # fmt: skip


def drawn_on(run: Run, targets: Sequence[str]) -> dict[str, list[Plan]]:
    """Everything that is drawn on the cells of a map, by role.

    Parameters
    ----------
    run : Run
        A study that is a map, its targets made.
    targets : sequence of str
        Ids of the targets whose outlines are drawn.

    Returns
    -------
    dict of role to list of Lines or Points
        Outlines of the targets; deposits as outlines of their cells, or as one mark where those are few; the
        shapes that layers are measured from, polygons as their edges.

    Raises
    ------
    StudyError
        If the outlines of the targets or the file of a layer are missing or cannot be read.
    """
    rings = mapping.outlines(run, targets)
    found: dict[str, list[Plan]] = {"target": [_ringed(name, rings[name], run.grid) for name in targets]}
    for role, deposits in (("deposit", run.known), ("blind deposit", run.blind)):
        found[role] = [_place(one, run.grid) for one in deposits]
    done = set()
    for layer in run.study.layers:
        if isinstance(layer, VectorLayer):
            key = (layer.file, layer.layer, str(layer.where))
            if key not in done:
                done.add(key)
                for role, plan in _shapes(run, layer):
                    found.setdefault(role, []).append(plan)
    return {role: plans for role, plans in found.items() if plans}


def _ringed(name: str, rings: Sequence[FloatArray], grid: Grid) -> Lines:
    """Closed rings as lines."""
    return _lines(name, np.concatenate([np.stack([ring[:-1], ring[1:]], axis=1) for ring in rings]), grid)


def outline(name: str, cells: Cells, grid: Grid) -> Lines:
    """The edges around cells of a map.

    Parameters
    ----------
    name : str
        What they are.
    cells : array of shape (n, 3)
        Counts along z, y and x.
    grid : Grid
        The map.
    """
    low = cells[:, 1:].min(axis=0) - 1
    mask = np.zeros(cells[:, 1:].max(axis=0) - low + 2, dtype=np.int8)
    mask[tuple((cells[:, 1:] - low).T)] = 1
    ends = []
    for axis in range(2):
        # an edge lies between two cells of which one is kept, and runs along the other axis
        start = np.argwhere(np.diff(mask, axis=axis)) + low
        start[:, axis] += 1
        stop = start.copy()
        stop[:, 1 - axis] += 1
        ends.append(np.stack([start, stop], axis=1))
    edges: FloatArray = np.concatenate(ends) * np.asarray(grid.spacing[1:]) + grid.corner[1:]
    return _lines(name, edges[..., ::-1], grid)


def _lines(name: str, edges: FloatArray, grid: Grid) -> Lines:
    """Lines of edges ``(n, 2, 2)`` of x and y."""
    return Lines(name, _raised(edges.reshape(-1, 2), grid), np.arange(2 * len(edges)).reshape(-1, 2))


def _raised(xy: FloatArray, grid: Grid) -> FloatArray:
    """Places of a map in the middle of its cells."""
    return np.column_stack([xy, np.full(len(xy), grid.first_centre[0])])


def _place(deposit: Deposit, grid: Grid) -> Plan:
    """A mark, or the outline of a deposit of more than a few cells."""
    if len(deposit.cells) > _FEW:
        return outline(deposit.name, deposit.cells, grid)
    return Points(deposit.name, grid.xyz_of(deposit.cells).mean(axis=0)[None])


def _shapes(run: Run, layer: VectorLayer) -> list[tuple[str, Plan]]:
    """Roles and shapes of a layer, as far as they lie in the area."""
    import shapely

    path, grid = run.study.path(layer.file), run.grid
    try:
        found = vectors.read(path, grid.crs, layer=layer.layer, source_crs=layer.crs)
        parts, _ = parts_of(vectors.select(found, layer.where).shapes)
    except (OSError, ValueError) as error:
        raise StudyError(f"layer {layer.name!r}: {error}") from error
    x0, y0, _, x1, y1, _ = grid.bounds
    points = shapely.get_coordinates(of_type(parts, POINT))
    points = points[((points >= (x0, y0)) & (points <= (x1, y1))).all(axis=1)]
    polygons = of_type(parts, POLYGON)
    lines = np.concatenate([of_type(parts, LINE, RING), shapely.boundary(polygons)])
    inside, _ = parts_of(shapely.clip_by_rect(lines, x0, y0, x1, y1))
    edges = segments_of(of_type(inside, LINE, RING))
    name = " ".join([path.stem, *(str(value) for values in layer.where.values() for value in values)])
    role = _role(layer, path.stem, solid=len(polygons) > 0)
    made: list[tuple[str, Any]] = []
    made += [(role, _lines(name, edges, grid))] if len(edges) else []
    made += [(role, Points(name, _raised(points, grid)))] if len(points) else []
    return made


def _role(layer: VectorLayer, stem: str, *, solid: bool) -> str:
    words = f"{layer.name} {stem}".lower()
    known = next((role for part, role in _ROLES.items() if part in words), "")
    return known or ("unit" if solid else layer.name.replace("_", " "))
