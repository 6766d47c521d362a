"""From a run folder to the page and the model card beside it."""

from __future__ import annotations

import io as bytes_io
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyproj

from mpm3d import cube, io, mapping, report, scenery
from mpm3d.errors import StudyError
from mpm3d.geometry import Surface
from mpm3d.grid import FloatArray
from mpm3d.models.folder import JSON_NAME, read_json
from mpm3d.run import write_text
from mpm3d.scenery.stores import open_scores
from mpm3d.study import Layer
from mpm3d.work import Run

PAGE, CARD = "report.html", "model_card.md"
_NEEDED = ("rank", "id", "kind", "x", "y", "mean_score")
_OF_VOLUMES, _OF_MAPS = ("elevation", "volume_m3"), ("area_m2",)


def write(run: Run, out: Path | None = None, *, study: str = "study.toml") -> tuple[Path, Path]:
    """Write the page and, beside it, the model card.

    Parameters
    ----------
    run : Run
        A study whose targets are made.
    out : Path, optional
        Where the page goes; ``report.html`` in the run folder if not given.
    study : str
        What to type after a verb, for the commands on the page.

    Returns
    -------
    tuple of Path
        The page and the card.

    Raises
    ------
    StudyError
        If a file of the run is missing or damaged.
    """
    place = out or run.path(PAGE)
    if place.suffix.lower() not in (".html", ".htm"):
        raise StudyError(f"{place} is not the name of a page. End it in .html, such as report.html.")
    with run.bar("report") as progress:
        found = gather(run, study=study)
        progress(1, 2)
        page, card = report.render(found), report.model_card(found)
        progress(2, 2)
    place.parent.mkdir(parents=True, exist_ok=True)
    write_text(place, page)
    write_text(place.with_name(CARD), card)
    return place, place.with_name(CARD)


def gather(run: Run, *, study: str = "study.toml") -> report.Report:
    """Read everything that the page says from the run folder.

    Raises
    ------
    StudyError
        If ``targets.csv``, ``model.json`` or the scores are missing, damaged or of another run.
    """
    targets, info = _targets(run), _model_info(run)
    if run.grid.is_map:
        targets, drawn = _drawn_on_map(run, targets)
    else:
        drawn = _drawn_in_space(run, targets)
    return report.Report(
        name=run.study.name, note=run.study.note, crs=_crs(run.grid.crs), model=run.study.models[0].kind,
        targets=targets,
        comparison=_table(run, "comparison.csv", ("model", "scheme", "metric", "mean", "n", "optimistic")),
        deposits=_table(run, "comparison_deposits.csv", ("model", "scheme", "deposit", "auc")),
        holes=_table(run, "drillholes.csv", ("id", "x", "y", "elevation", "azimuth", "dip", "length")),
        volume=_volume(run), centres=_centres(run), layers=_layers(run), figures=_figures(run),
        run=run.folder.state(), model_info=info, known=tuple(one.name for one in run.known),
        blind=tuple(one.name for one in run.blind), commands=_commands(run, study),
        attributed=_attributed(run), settings=_settings(run),
        sources=tuple(table.model_dump() for table in run.study.sources), **drawn,
    )  # fmt: skip


def _drawn_in_space(run: Run, targets: pd.DataFrame) -> dict[str, Any]:
    """What the 3D view shows."""
    scene = scenery.of(run)
    zones = targets["kind"] == "zone"
    skins, shells = (_skins(run, set(targets["id"][rows])) for rows in (~zones, zones))
    groups, thinned = report.groups_of(scene, skins, shells)
    return {
        "groups": groups, "bounds": scene.bounds, "origin": scene.origin, "thinned": thinned,
        "caution": scene.caution,
    }  # fmt: skip


def _drawn_on_map(run: Run, targets: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Targets with their places on the Earth, and what the map shows."""
    facts, scores = scenery.facts_of(run), open_scores(run, 0)
    scenery.check_same(facts, scores.counts(facts["threshold"]))
    percentiles, rings = scores.percentiles()[0], mapping.outlines(run, targets["id"])
    places = [
        report.Place(one.name, blind, *run.grid.xyz_of(one.cells)[:, :2].mean(axis=0).tolist())
        for blind, deposits in ((False, run.known), (True, run.blind))
        for one in deposits
    ]
    sheet = report.sheet_of(percentiles, run.grid, rings=rings, places=places)
    return _on_earth(run, targets, percentiles, rings), {
        "map": sheet, "groups": (), "bounds": run.grid.bounds, "origin": (0.0, 0.0, 0.0),
    }  # fmt: skip


def _on_earth(run: Run, targets: pd.DataFrame, percentiles: FloatArray, rings: report.Rings) -> pd.DataFrame:
    """Targets with longitude and latitude of their centres, and the same of their best cells."""
    best = [_best_cell(run, percentiles, rings[name]) for name in targets["id"]]
    x, y = np.array(best, dtype=float).reshape(-1, 2).T
    found = targets.assign(best_x=x, best_y=y)
    for before, one, two in (("", "x", "y"), ("best_", "best_x", "best_y")):
        lon, lat = report.lon_lat(run.grid.crs, found[one].to_numpy(float), found[two].to_numpy(float))
        found = found.assign(**{f"{before}longitude": lon, f"{before}latitude": lat})
    return found


def _best_cell(run: Run, percentiles: FloatArray, rings: Sequence[FloatArray]) -> tuple[float, float]:
    """Centre (x, y) of the best cell within outlines, the first of equal ones."""
    import shapely

    corners = np.concatenate(list(rings))
    x, y = (run.grid.centres(axis) for axis in (2, 1))
    inside = [
        np.flatnonzero((at > low) & (at < high))
        for at, low, high in zip((x, y), corners.min(axis=0), corners.max(axis=0), strict=True)
    ]
    window = np.ix_(inside[1], inside[0])
    shape = shapely.make_valid(
        shapely.build_area(shapely.GeometryCollection([shapely.LinearRing(r) for r in rings]))
    )
    east, north = np.meshgrid(x[inside[0]], y[inside[1]])
    ranked = np.where(shapely.contains_xy(shape, east, north), percentiles[window], -1.0)
    j, i = np.unravel_index(int(np.nanargmax(ranked)), ranked.shape)
    return float(east[j, i]), float(north[j, i])


def _targets(run: Run) -> pd.DataFrame:
    place = run.path("targets.csv")
    if not place.is_file():
        raise StudyError(f"no targets are in {run.folder.place} yet. Make them first: mpm3d run study.toml")
    needed = (*_NEEDED, *(_OF_MAPS if run.grid.is_map else _OF_VOLUMES))
    table = _table(run, "targets.csv", needed)
    for name in ("reasons_for", "reasons_against", "hole", "hole_note", "deposit", "nearest_deposit", "zone"):
        if name in table:
            table[name] = table[name].astype(object).where(table[name].notna(), "").astype(str)
    return table


def _table(run: Run, name: str, needed: Sequence[str]) -> pd.DataFrame:
    """A table of the run; no rows where there is no file."""
    place = run.path(name)
    if not place.is_file():
        return pd.DataFrame(columns=list(needed))
    try:
        found = pd.read_csv(place, encoding="utf-8", dtype={"id": str, "target": str, "hole": str})
    except (ValueError, UnicodeDecodeError) as error:
        raise StudyError(
            f"{place} cannot be read as a table ({error}). Delete it and run the study again."
        ) from None
    lacks = [column for column in needed if column not in found.columns]
    if lacks:
        raise StudyError(
            f"{place} lacks the columns {', '.join(lacks)}; it may be cut off. Delete it and run the study "
            "again."
        )
    return found


def _model_info(run: Run) -> dict[str, Any]:
    place = run.path(run.model_folder(0)) / JSON_NAME
    if not place.is_file():
        raise StudyError(f"no model is in {place.parent} yet. Make it first: mpm3d run study.toml")
    return dict(read_json(place))


def _skins(run: Run, wanted: set[str]) -> list[Surface]:
    """Bodies of the targets; none where the file is not there."""
    place = run.path("targets.ts")
    if not place.is_file():
        return []
    return [body for body in io.read(place) if isinstance(body, Surface) and body.name in wanted]


def _crs(code: str) -> str:
    return f"{code}, {pyproj.CRS.from_user_input(code).name}"


def _centres(run: Run) -> dict[str, tuple[float, float, float]]:
    """Middles of the known deposits, the mean of their cells' centres."""
    found = {}
    for one in run.known:
        x, y, z = run.grid.xyz_of(one.cells).mean(axis=0)
        found[one.name] = (float(x), float(y), float(z))
    return found


def _volume(run: Run) -> dict[str, float]:
    """Numbers on the whole volume, or area, that the stages left."""
    facts = run.folder.facts("targets")
    found: dict[str, float] = {name: float(facts[name]) for name in ("share", "threshold") if name in facts}
    domain = run.folder.facts(f"companions {run.study.models[0].kind}").get("domain", {})
    if domain.get("scored"):
        found |= {
            "n_scored": float(domain["scored"]),
            "extrapolated": float(domain["extrapolated"] / domain["scored"]),
        }
    return found


def _layers(run: Run) -> tuple[report.LayerFacts, ...]:
    store = cube.open(run.study.cube_place)
    made = {
        layer.name: dict(store[layer.name].attrs) if layer.name in store else {} for layer in run.study.layers
    }
    return tuple(_layer(layer, made[layer.name]) for layer in run.study.layers)


def _layer(layer: Layer, made: dict[str, Any]) -> report.LayerFacts:
    """What a layer is, and the files it was made from as the cube has kept them."""
    names, hashes = made.get("source") or (), made.get("source_sha256") or ()
    if len(hashes) != len(names):
        names, hashes = [name for _, name in layer.paths()], [""] * len(list(layer.paths()))
    sources = tuple(report.SourceFile(str(name), str(code)) for name, code in zip(names, hashes, strict=True))
    how = str(made.get("derivation") or layer.kind)
    return report.LayerFacts(
        layer.name, str(made.get("long_name") or layer.long_name), layer.units or "", how, sources
    )


def _figures(run: Run) -> dict[str, bytes]:
    """Pictures of the run by name; one that is damaged is said and left out."""
    from PIL import Image

    found = {}
    for name in ("map" if run.grid.is_map else "targets", *(kind.name for kind in report.KINDS)):
        place = run.path("figures") / f"{name}.png"
        if not place.is_file():
            continue
        content = place.read_bytes()
        try:
            with Image.open(bytes_io.BytesIO(content), formats=("PNG",)) as picture:
                picture.load()
        except (OSError, SyntaxError, ValueError) as error:
            run.say(f"report: {place} is no whole picture ({error}), it is left out.")
            continue
        found[name] = content
    return found


def _attributed(run: Run) -> dict[str, float]:
    """Mean absolute attribution of each layer over the volume or area; nothing where none was computed."""
    table = _table(run, "attributions.csv", ("where", "layer", "mean_absolute"))
    whole = table[table["where"].isin(["volume", "area"])] if len(table) else table
    return {str(row["layer"]): float(row["mean_absolute"]) for row in whole.to_dict("records")}


def _settings(run: Run) -> dict[str, str]:
    """What the study sets of the grid, samples, model and targets, in short."""
    study = run.study
    axes = 2 if run.grid.is_map else 3
    size = " × ".join(f"{step:g}" for step in run.grid.spacing[::-1][:axes])
    shape = " × ".join(str(n) for n in run.grid.shape[::-1][:axes])
    tables = {"Model settings": study.models[0], "Samples": study.samples, "Targets": study.targets}
    found = {"Cells": f"{shape} of {size} m ({', '.join('xyz'[:axes])})", "Seed": str(study.seed)}
    said = {name: table.model_dump(mode="json") for name, table in tables.items()}
    if run.grid.is_map:
        said["Targets"]["weights"] = _weights_on_map(said["Targets"]["weights"])
    return found | {name: _said(table) for name, table in said.items()}


def _weights_on_map(weights: dict[str, float]) -> dict[str, float]:
    """What ranks targets on a map: areas count as volumes do elsewhere, and every cell is at the ground."""
    named = {"area" if name == "volume" else name: value for name, value in weights.items()}
    return {name: value for name, value in named.items() if name != "depth"}


def _said(table: dict[str, Any]) -> str:
    """Settings as words, those that are not set left out."""
    there = {key: value for key, value in table.items() if value not in (None, "", {}, [])}
    return ", ".join(f"{key} {_said(v) if isinstance(v, dict) else v}" for key, v in there.items())


def _commands(run: Run, study: str) -> dict[str, str]:
    """What to type."""
    verbs = ("run", "validate", "targets", "explain", "view", "report")
    picture = shlex.quote(str(run.path(mapping.PICTURE if run.grid.is_map else "figures/targets.png")))
    return {verb: f"mpm3d {verb} {study}" for verb in verbs} | {
        "picture": f"mpm3d view {study} --picture {picture}"
    }
