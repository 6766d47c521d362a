"""Everything in a scene that is not a volume: bodies by role, the ground, drillholes, training samples."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mpm3d import companions, inputs, io, topography
from mpm3d.errors import StudyError
from mpm3d.geometry import Lines, Points, Surface, joined
from mpm3d.study import DistanceLayer, InsideLayer
from mpm3d.wells import Well
from mpm3d.work import Run

Drawn = Surface | Lines | Points
AGAIN = "mpm3d targets study.toml"
HOLES_NAME = "drillholes.wl"
_MOST_COLUMNS = 160  # of the ground along an axis, where it is a raster


def bodies_of(run: Run) -> dict[str, list[Drawn]]:
    """Surfaces of layers, deposits and the ground by role, each with a name of its own."""
    found: dict[str, list[Drawn]] = {}
    for layer in run.study.layers:
        if isinstance(layer, DistanceLayer | InsideLayer):
            found.setdefault(layer.role, []).extend(inputs.bodies(run.study, layer.files, _unsaid))
    for table in run.study.deposits:
        there = inputs.deposit_bodies(run.study, table, _unsaid)
        sheets = [body for body in there if isinstance(body, Surface)]
        whole = [joined(table.name, sheets)] if len(sheets) == len(there) else there
        found.setdefault("blind deposit" if table.blind else "deposit", []).extend(whole)
    ground = _ground(run)
    if ground is not None:
        found["topography"] = [ground]
    return {role: _with_own_names(bodies) for role, bodies in found.items()}


def _unsaid(note: str) -> None:
    """Notes of the readers were said when the cube was built."""


def _with_own_names(bodies: list[Drawn]) -> list[Drawn]:
    """Bodies of one role by different names, so that each has a switch of its own."""
    seen: dict[str, int] = {}
    named = []
    for body in bodies:
        seen[body.name] = number = seen.get(body.name, 0) + 1
        named.append(body if number == 1 else replace(body, name=f"{body.name} ({number})"))
    return named


def _ground(run: Run) -> Surface | None:
    """The topography as a surface; of a raster, its heights over the grid, at most so many a side."""
    if run.ground is None or isinstance(run.ground, Surface):
        return run.ground
    x0, y0, _, x1, y1, _ = run.grid.bounds
    _, ny, nx = (min(n, _MOST_COLUMNS) for n in run.grid.shape)
    y, x = (np.linspace(a, b, n + 1) for a, b, n in ((y0, y1, ny), (x0, x1, nx)))
    places = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    heights = topography.elevation_at(places, run.ground)
    first = (np.arange(ny)[:, None] * (nx + 1) + np.arange(nx)).ravel()
    corners = first[:, None] + [0, 1, nx + 2, nx + 1]
    triangles = np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]])
    whole = np.isfinite(heights)[triangles].all(axis=1)
    vertices = np.column_stack([places, np.nan_to_num(heights, nan=float(np.nanmin(heights)))])
    return Surface("topography", vertices, triangles[whole].astype(np.int64))


def holes_of(run: Run, named: set[str]) -> list[Drawn]:
    """Paths of the proposed drillholes as lines; of those that ``drillholes.wl`` holds.

    Raises
    ------
    StudyError
        If the file cannot be read, or lacks holes that the table of targets names.
    """
    path = run.path(HOLES_NAME)
    wells: list[Any] = []
    if path.is_file():
        try:
            wells = [body for body in io.read(path) if isinstance(body, Well)]
        except (OSError, ValueError) as error:
            raise StudyError(f"{path.name} cannot be read ({error}) Make it again: {AGAIN}") from error
    lacking = sorted(named - {well.name for well in wells})
    if lacking:
        raise StudyError(
            f"targets.csv names the drillhole{'s' * (len(lacking) > 1)} {', '.join(lacking)}, which "
            f"{path.name} does not hold. Make both again: {AGAIN}"
        )
    return [_line(well) for well in wells if len(well.path) > 1]


def _line(well: Well) -> Lines:
    rows = np.arange(len(well.path) - 1, dtype=np.int64)
    return Lines(well.name, np.asarray(well.path, dtype=float), np.column_stack([rows, rows + 1]))


def samples_of(run: Run, number: int) -> dict[str, list[Drawn]]:
    """Training cells of a model by role; says it where an earlier fit has not kept them."""
    kept = companions.training_cells(run.path(run.model_folder(number)))
    if kept is None:
        run.say(
            f"{run.study.models[number].kind}: where its training samples lie was not kept when it was "
            "fitted. To see them, fit it again: mpm3d fit study.toml --overwrite"
        )
        return {}
    roles = {"positive sample": kept[1], "negative sample": kept[0]}
    return {role: [Points(f"{role}s", places)] for role, places in roles.items() if len(places)}
