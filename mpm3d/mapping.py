"""Maps out of a study: scores, targets with areas, and pictures; what only a volume has is left out."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import rankdata

from mpm3d import cube, targets
from mpm3d.errors import StudyError
from mpm3d.evaluate import CAUTION
from mpm3d.grid import FloatArray, Grid
from mpm3d.io import geopackage
from mpm3d.labels import Deposit
from mpm3d.run import hash_of
from mpm3d.work import Run

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PICTURE", "SCORES", "conclude", "delineate", "draw", "draw_success", "in_area", "write"]

PICTURE, SUCCESS, SCORES = "figures/map.png", "figures/success.png", "prospectivity.tif"
_FEWEST = 4  # cells of the smallest target, where the study does not say
_OF_VOLUMES = (
    "elevation", "volume_m3", "z_top", "z_base", "depth_top", "depth_base", "hole", "hole_note",
)  # fmt: skip
_PRINTED = {
    "id": "{}".format, "kind": "{}".format, "x": "{:,.0f}".format, "y": "{:,.0f}".format,
    "area_km2": "{:,.3g}".format, "mean_score": "{:.3g}".format, "nearest_deposit": "{}".format,
    "distance_m": "{:,.0f}".format,
}  # fmt: skip


def delineate(run: Run, share: float) -> targets.Delineation:
    """Cut the best share of the area into ranked targets, and write them.

    Parameters
    ----------
    run : Run
        A study that is a map; its first model has scored it.
    share : float
        Share of the eligible cells.

    Returns
    -------
    Delineation
        Its volumes are areas times the height of a cell.
    """
    started, grid = time.monotonic(), run.grid
    smallest = run.study.targets.min_area
    area = _FEWEST * grid.cell_area if smallest is None else smallest
    with run.bar("targets") as progress:
        found = targets.delineate(
            cube.open(run.path("prospectivity.zarr")), {one.name: one.cells for one in run.known},
            share=share, min_volume=area * grid.spacing[0], progress=progress,
        )  # fmt: skip
    write(run, found, in_area(found.table, grid))
    run.folder.finish(
        "targets", hash_of(share, area), started, threshold=found.threshold, share=found.share,
        n=len(found.targets),
    )  # fmt: skip
    for note in found.notes:
        run.say(f"targets: {_of_area(note, grid)}")
    return found


def _of_area(note: str, grid: Grid) -> str:
    """A sentence on targets in a volume, for a map: areas of cells instead of volumes."""
    said = re.sub(r"([\d.e+]+) m3", lambda found: f"{float(found[1]) / grid.spacing[0]:g} m2", note)
    return said.replace("volume", "area")


def in_area(table: pd.DataFrame, grid: Grid) -> pd.DataFrame:
    """A table of targets as that of a map: ``area_m2`` after x and y, nothing on elevations, depths or holes.

    Parameters
    ----------
    table : DataFrame
        With ``y`` and ``n_cells``; other columns stay.
    grid : Grid
        The map.
    """
    kept = table.drop(columns=[name for name in _OF_VOLUMES if name in table])
    kept.insert(list(kept).index("y") + 1, "area_m2", kept["n_cells"] * grid.cell_area)
    return kept


def write(run: Run, found: targets.Delineation, table: pd.DataFrame) -> None:
    """Write the scores as a GeoTIFF, targets as polygons, and their table, which comes last.

    Parameters
    ----------
    run : Run
        A study that is a map, scored.
    found : Delineation
        Its targets.
    table : DataFrame
        A row for each, as of `in_area`.
    """
    from mpm3d import maps

    run.path("targets.csv").unlink(missing_ok=True)  # from here on older ones are unfinished
    kind = run.study.models[0].kind
    maps.write_cog(
        run.path(SCORES), _scores(run), run.grid, name="prospectivity", units=f"score of {kind}",
        note=run.study.note,
    )  # fmt: skip
    columns = {str(name): values.to_numpy() for name, values in table.items()}
    note = f"{CAUTION} {run.study.note}".strip()
    layer = geopackage.Layer("targets", _polygons(run, found), columns, note)
    geopackage.write_layers(run.path("targets.gpkg"), [layer], run.grid.crs)
    targets.write_table(run.path("targets.csv"), table, note=run.study.note)


def _scores(run: Run) -> FloatArray:
    """Scores ``(y, x)``, NaN where there is none."""
    return np.asarray(cube.open(run.path("prospectivity.zarr"))["score"].values[0], dtype=float)


def _polygons(run: Run, found: targets.Delineation) -> list[Any]:
    return [geopackage.footprint(target.plan, run.grid) for target in found.targets]


def draw(run: Run, path: Path | None = None) -> Path:
    """Draw the map of scores with outlines of the targets, and deposits, known and blind.

    Parameters
    ----------
    run : Run
        A study that is a map, with targets.
    path : Path, optional
        The file; ``figures/map.png`` in the run folder if not given.

    Raises
    ------
    StudyError
        If its targets are not made yet.
    """
    from mpm3d import maps

    if not run.path("targets.csv").exists():
        raise StudyError(f"no targets are in {run.folder.place} yet. Make them first: mpm3d run study.toml")
    place = path or run.path(PICTURE)
    place.parent.mkdir(parents=True, exist_ok=True)
    points = {"known deposit": _places(run, run.known)}
    if run.blind:
        points["blind deposit, never trained on"] = _places(run, run.blind)
    with run.bar("picture"):
        return maps.draw_map(
            _percentiles(_scores(run)), run.grid, place,
            title=f"{run.study.name}: prospectivity by {run.study.models[0].kind}, targets outlined",
            units="percentile of the scored area", points=points, outlines=_outlines(run),
            note=run.study.note,
        )  # fmt: skip


def _percentiles(scores: FloatArray) -> FloatArray:
    """Percentile of each scored cell, ties at their middle."""
    found = np.full(scores.shape, np.nan)
    there = np.isfinite(scores)
    found[there] = 100 * (rankdata(scores[there]) - 0.5) / there.sum()
    return found


def _places(run: Run, deposits: Sequence[Deposit]) -> tuple[FloatArray, list[str]]:
    middles = [run.grid.xyz_of(one.cells)[:, :2].mean(axis=0) for one in deposits]
    return np.array(middles).reshape(-1, 2), [one.name for one in deposits]


def _outlines(run: Run) -> list[FloatArray]:
    """Rings of the targets as they were written."""
    import geopandas

    rings = []
    for shape in geopandas.read_file(run.path("targets.gpkg"), layer="targets").geometry:
        for part in getattr(shape, "geoms", [shape]):
            rings += [np.asarray(ring.coords)[:, :2] for ring in (part.exterior, *part.interiors)]
    return rings


def draw_success(run: Run) -> Path | None:
    """Draw the success-rate curves of left-out deposits, where there are any.

    Parameters
    ----------
    run : Run
        A study that is a map, validated.
    """
    from mpm3d import maps

    try:
        ranks = json.loads(run.path("comparison.json").read_text(encoding="utf-8"))["ranks"]
    except (OSError, ValueError, KeyError):
        return None
    if not ranks:
        return None
    found = {
        model: {name: np.asarray(one, dtype=float) for name, one in each.items()}
        for model, each in ranks.items()
    }
    return maps.draw_success(found, run.path(SUCCESS), left_out=True, note=run.study.note)


def conclude(run: Run, found: targets.Delineation) -> None:
    """Draw the pictures, print the best targets, and say what was made and where.

    Parameters
    ----------
    run : Run
        A study that is a map, with targets.
    found : Delineation
        Its targets.
    """
    draw(run)
    draw_success(run)
    table = in_area(found.table, run.grid).assign(area_km2=lambda t: t["area_m2"] / 1e6)
    rows = table[list(_PRINTED)].head(8).to_string(index=False, formatters=_PRINTED)
    n, size = len(found.targets), f"{found.n_zone * run.grid.cell_area / 1e6:,.3g} km2"
    run.say(f"\n{n} target{'s' * (n != 1)}, with smaller patches {size}, the best first:\n{rows}\n")
    if run.study.note:
        run.say(f"note: {run.study.note}")
    made = {
        "map": SCORES, "picture": PICTURE, "targets": "targets.csv", "polygons": "targets.gpkg",
        "success rate": SUCCESS, "comparison": "comparison.csv", "P-A plot": "figures/pa_curve.png",
        "log": "log.txt",
    }  # fmt: skip
    for what, name in made.items():
        if run.path(name).exists():
            run.say(f"{what + ':':<13} {run.path(name)}")
    run.say(CAUTION)
