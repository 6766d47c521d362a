"""Maps out of a study: scores, targets with areas, and pictures; what only a volume has is left out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mpm3d import cube, targets
from mpm3d.errors import StudyError
from mpm3d.evaluate import CAUTION, percentiles
from mpm3d.grid import FloatArray, Grid
from mpm3d.io import geopackage
from mpm3d.labels import Deposit
from mpm3d.work import Run

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MADE", "PICTURE", "SCORES", "draw", "draw_success", "in_area", "of_area", "outlines", "write"]

PICTURE, SUCCESS, SCORES = "figures/map.png", "figures/success.png", "prospectivity.tif"
OUTLINES = "targets.gpkg"
MADE = {
    "page": "report.html", "model card": "model_card.md", "map": SCORES, "targets": "targets.csv",
    "polygons": "targets.gpkg", "success rate": SUCCESS, "comparison": "comparison.csv",
    "P-A plot": "figures/pa_curve.png", "log": "log.txt",
}  # fmt: skip
"""What a study that is a map ends with, by what it is, beside its picture."""
_NAMED = 12  # targets, the best of them, whose names are on the picture
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
    geopackage.write_layers(run.path(OUTLINES), [layer], run.grid.crs)
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
    rings = outlines(run)
    named = dict(list(rings.items())[:_NAMED])
    rest = [ring for some in list(rings.values())[_NAMED:] for ring in some]
    scores = _scores(run)[np.newaxis].astype(np.float32)
    with run.bar("picture"):
        return maps.draw_map(
            percentiles(lambda: [((slice(None),) * 3, scores)], scores.shape)[0], run.grid, place,
            title=f"{run.study.name}: prospectivity by {run.study.models[0].kind}, targets outlined",
            units="percentile of the scored area", points=points, outlines={**named, "": rest},
            note=run.study.note,
        )  # fmt: skip


def _places(run: Run, deposits: Sequence[Deposit]) -> tuple[FloatArray, list[str]]:
    middles = [run.grid.xyz_of(one.cells)[:, :2].mean(axis=0) for one in deposits]
    return np.array(middles).reshape(-1, 2), [one.name for one in deposits]


def outlines(run: Run, needed: Iterable[str] = ()) -> dict[str, list[FloatArray]]:
    """Closed outlines of the targets by id, as they were written, those of holes too.

    Parameters
    ----------
    run : Run
        A study that is a map, with targets.
    needed : iterable of str
        Ids that must be among them.

    Returns
    -------
    dict of str to list of array of shape (n, 2)
        x and y of the corners, the first again at the end.

    Raises
    ------
    StudyError
        If ``targets.gpkg`` is not there, cannot be read or lacks a target.
    """
    import geopandas

    path, again = run.path(OUTLINES), "Make it again: mpm3d targets study.toml"
    if not path.is_file():
        raise StudyError(f"{path.name} is not in {run.folder.place}. {again}")
    try:
        table = geopandas.read_file(path, layer="targets")
        shapes = dict(zip(table["id"].astype(str), table.geometry, strict=True))
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise StudyError(f"{path.name} cannot be read ({error}). {again}") from error
    lacking = [name for name in needed if name not in shapes]
    if lacking:
        raise StudyError(f"{path.name} lacks the outlines of {', '.join(lacking)} of targets.csv. {again}")
    rings = {}
    for name, shape in shapes.items():
        parts = getattr(shape, "geoms", [shape])
        edges = [ring for part in parts for ring in (part.exterior, *part.interiors)]
        rings[name] = [np.asarray(ring.coords)[:, :2] for ring in edges]
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
