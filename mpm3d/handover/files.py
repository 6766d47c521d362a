"""The files of targets and holes, and how they take the place of older ones together."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mpm3d import io, storage
from mpm3d.drilling import Hole
from mpm3d.evaluate import CAUTION
from mpm3d.geometry import Body, Surface
from mpm3d.grid import FloatArray
from mpm3d.handover.holes import Holes, hole_table, proposed, well_of
from mpm3d.io import geopackage
from mpm3d.lattice import PropertyModel
from mpm3d.targets import Delineation, Skins, Target, surfaces, write_table
from mpm3d.values import Lazy
from mpm3d.work import Run

if TYPE_CHECKING:
    import pandas as pd

FILES = (
    "drillholes.csv", "drillholes.wl", "prospectivity.vo", "prospectivity_prospectivity@@", "targets.gpkg",
    "targets.omf", "targets.ts", "targets.vo", "targets_target@@", "targets.vtp", "targets.csv",
)  # fmt: skip
"""What `write` may leave in a run folder. The table comes last, and says that all others are there."""

_UNFINISHED = "targets_unfinished"
# columns of the table that the skins have in VTK and OMF files
_ON_SKINS = ("rank", "mean_score", "peak_score", "spread", "ranking", "volume_m3", "depth_top", "distance_m")


def write(run: Run, found: Delineation, table: pd.DataFrame, holes: Holes) -> tuple[str, ...]:
    """Write every file of targets and proposed holes.

    All are written to a folder of their own first. Then the older table is removed, then the older files,
    and then the new ones are moved in, the table last: whenever the process is killed, files of two runs are
    never side by side, and without a ``targets.csv`` nothing is finished. Voxets are written slab by slab.

    ========================  ======================================================================
    ``targets.csv``           the table
    ``targets.gpkg``          layers ``targets``, ``footprints``, ``drillholes`` and ``collars``
    ``targets.ts``            skins of the targets, GoCAD TSurf
    ``targets.vtp``           the same for ParaView and PyVista, rank and scores on each face
    ``targets.omf``           skins and holes, Open Mining Format 1
    ``targets.vo``            GoCAD Voxet, rank of the target in each cell, 0 outside all; a cell of a zone
                              that belongs to a target too has the rank of the target
    ``prospectivity.vo``      GoCAD Voxet of the scores
    ``drillholes.csv``        collar, direction, length and what each hole cuts
    ``drillholes.wl``         the holes, GoCAD Well
    ========================  ======================================================================

    A file that would hold nothing, such as the skins of no target, is not written.

    Parameters
    ----------
    run : Run
        The study and its ``prospectivity.zarr``.
    found : Delineation
        Its targets.
    table : DataFrame
        One row for each of them, as it is to be written.
    holes : mapping of str to Hole or NoHole
        From `plan_holes`.

    Returns
    -------
    tuple of str
        What was drawn more coarsely than it is, in sentences.

    Raises
    ------
    ValueError
        If the table does not have a row for each target.
    """
    if list(table["id"]) != [target.id for target in found.targets]:
        raise ValueError(
            f"the table has {len(table)} rows and there are {len(found.targets)} targets, or they are in "
            "another order. Give one row for each target, in their order."
        )
    note = f"{CAUTION} {run.study.note}".strip()
    skins = surfaces(found.targets, run.grid)
    with run.bar("files") as progress, _together(run) as place:
        steps: tuple[Callable[[], object], ...] = (
            lambda: _voxets(run, place, found.targets),
            lambda: _map(place, run, found, table, holes),
            lambda: _bodies(place, run, found.targets, skins, holes),
            lambda: _holes(place, run, holes, note),
            lambda: write_table(place / "targets.csv", table, note=run.study.note),
        )
        for number, step in enumerate(steps, start=1):
            step()
            progress(number, len(steps))
    return skins.notes


@contextmanager
def _together(run: Run) -> Iterator[Path]:
    """A folder to write to, whose files take the place of the older ones together."""
    place = run.path(_UNFINISHED)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        yield place
        for name in reversed(FILES):  # the table first: from here on the older ones are unfinished
            run.path(name).unlink(missing_ok=True)
        for name in FILES:
            if (place / name).exists():
                (place / name).replace(run.path(name))
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _voxets(run: Run, place: Path, targets: tuple[Target, ...]) -> None:
    """Scores, and numbers of targets, neither of them ever whole in memory."""
    score: Any = Lazy(storage.group(run.path("prospectivity.zarr"), "r")["score"])
    _voxet(run, place / "prospectivity.vo", "prospectivity", score)
    kind = np.dtype(np.int16 if len(targets) < 2**15 else np.int32)
    scratch = place / "numbers"
    numbers = np.memmap(scratch, kind, "w+", shape=run.grid.shape)
    for target in reversed(targets):  # a better one takes the cells that a zone has too
        for cells in target.parts():
            numbers[tuple(cells.T)] = target.rank
    _voxet(run, place / "targets.vo", "target", Lazy(numbers))
    del numbers
    scratch.unlink()


def _voxet(run: Run, path: Path, name: str, values: Any) -> None:
    model = PropertyModel.from_grid(run.study.name, run.grid, {name: values}, crs_name=run.grid.crs)
    io.gocad.write_voxet(path, model)


def _map(place: Path, run: Run, found: Delineation, table: pd.DataFrame, holes: Holes) -> None:
    """Targets and holes for a GIS, with the columns of their tables."""
    import shapely

    note = f"{CAUTION} {run.study.note}".strip()
    columns = {str(name): values.to_numpy() for name, values in table.items()}
    centres = [[target.x, target.y, target.elevation] for target in found.targets]
    footprints = [geopackage.footprint(target.plan, run.grid) for target in found.targets]
    layers = [
        geopackage.points_layer("targets", centres, columns, note=note),
        geopackage.Layer("footprints", footprints, columns, note),
    ]
    drilled = proposed(holes)
    if drilled:
        about = {str(name): values.to_numpy() for name, values in hole_table(holes).items()}
        traces = [shapely.linestrings(hole.path) for hole in drilled]
        layers.append(geopackage.Layer("drillholes", traces, about, note))
        layers.append(geopackage.points_layer("collars", [hole.collar for hole in drilled], about, note=note))
    geopackage.write_layers(place / "targets.gpkg", layers, run.grid.crs)


def _bodies(place: Path, run: Run, targets: tuple[Target, ...], skins: Skins, holes: Holes) -> None:
    """Skins for GoCAD, VTK and OMF; those of OMF with the holes."""
    if not targets:
        return
    io.gocad.write_surfaces(place / "targets.ts", skins)
    drawn: list[Body] = [
        _with_numbers(skin, target, run.grid.crs) for skin, target in zip(skins, targets, strict=True)
    ]
    io.vtk.write_vtk(place / "targets.vtp", drawn)
    lines = [_trace(hole, run.grid.crs) for hole in proposed(holes)]
    io.omf.write_omf(place / "targets.omf", [*drawn, *lines], name=run.study.name)


def _with_numbers(skin: Surface, target: Target, crs: str) -> Surface:
    """A skin with the numbers of its target on every face."""
    faces: dict[str, FloatArray] = {
        name: np.full(len(skin.triangles), float(getattr(target, name))) for name in _ON_SKINS
    }
    units = {"volume_m3": "m3", "depth_top": "m", "distance_m": "m"}
    return replace(skin, properties={}, cell_properties=faces, units=units, crs_name=crs)


def _trace(hole: Hole, crs: str) -> Body:
    return well_of(hole, crs).as_lines()


def _holes(place: Path, run: Run, holes: Holes, note: str) -> None:
    """The table of holes, with what they are not, and the wells."""
    rows = hole_table(holes)
    rows["note"] = [f"{own} {note}".strip() for own in rows["note"]]
    # ten digits keep centimetres at UTM scale
    rows.to_csv(
        place / "drillholes.csv", index=False, encoding="utf-8", lineterminator="\n", float_format="%.10g"
    )
    drilled = proposed(holes)
    if drilled:
        wells = [well_of(hole, run.grid.crs) for hole in drilled]
        io.gocad.write_wells(place / "drillholes.wl", wells)
