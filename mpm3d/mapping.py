"""Maps out of a study: scores, targets with areas, and pictures; what only a volume has is left out."""

from __future__ import annotations

import json
import re
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
from mpm3d.work import Run

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PICTURE", "SCORES", "conclude", "draw", "draw_success", "in_area", "of_area", "write"]

PICTURE, SUCCESS, SCORES = "figures/map.png", "figures/success.png", "prospectivity.tif"
_OF_VOLUMES = (
    "elevation", "volume_m3", "z_top", "z_base", "depth_top", "depth_base", "hole", "hole_note",
)  # fmt: skip


def of_area(note: str, grid: Grid) -> str:
    """A sentence on targets in a volume, for a map: areas of cells instead of volumes."""
    said = re.sub(r"([\d.e+]+) m3", lambda found: f"{float(found[1]) / grid.spacing[0]:,.0f} m2", note)
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


def conclude(run: Run) -> None:
    """Draw the pictures, and say what was made and where.

    Parameters
    ----------
    run : Run
        A study that is a map, with targets.
    """
    draw(run)
    draw_success(run)
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
