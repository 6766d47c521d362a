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

from mpm3d import cube, io, report, scenery
from mpm3d.errors import StudyError
from mpm3d.geometry import Surface
from mpm3d.models.folder import JSON_NAME, read_json
from mpm3d.run import write_text
from mpm3d.study import Layer
from mpm3d.view import Scene
from mpm3d.work import Run

PAGE, CARD = "report.html", "model_card.md"
_NEEDED = ("rank", "id", "kind", "x", "y", "elevation", "volume_m3", "mean_score")


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
        If ``targets.csv`` or ``model.json`` is missing or damaged.
    """
    targets, info = _targets(run), _model_info(run)
    scene = scenery.of(run)
    zones = targets["kind"] == "zone"
    skins, shells = (_skins(run, set(targets["id"][rows])) for rows in (~zones, zones))
    groups, thinned = report.groups_of(scene, skins, shells)
    names = [[table.name for table in run.study.deposits if table.blind == blind] for blind in (False, True)]
    return report.Report(
        name=run.study.name, note=run.study.note, crs=_crs(run.grid.crs), model=run.study.models[0].kind,
        targets=targets,
        comparison=_table(run, "comparison.csv", ("model", "scheme", "metric", "mean", "n", "optimistic")),
        deposits=_table(run, "comparison_deposits.csv", ("model", "scheme", "deposit", "auc")),
        holes=_table(run, "drillholes.csv", ("id", "x", "y", "elevation", "azimuth", "dip", "length")),
        volume=_volume(run), centres=_centres(scene), layers=_layers(run), figures=_figures(run),
        run=run.folder.state(), model_info=info, known=tuple(names[0]), blind=tuple(names[1]), groups=groups,
        bounds=scene.bounds, origin=scene.origin, commands=_commands(run, study), thinned=thinned,
        attributed=_attributed(run), settings=_settings(run),
        sources=tuple(table.model_dump() for table in run.study.sources), caution=scene.caution,
    )  # fmt: skip


def _targets(run: Run) -> pd.DataFrame:
    place = run.path("targets.csv")
    if not place.is_file():
        raise StudyError(f"no targets are in {run.folder.place} yet. Make them first: mpm3d run study.toml")
    table = _table(run, "targets.csv", _NEEDED)
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


def _centres(scene: Scene) -> dict[str, tuple[float, float, float]]:
    """Middles of the known deposits, the mean of their cells' centres."""
    found = {}
    for name, cells in scene.cells.get("deposit", {}).items():
        x, y, z = scene.grid.xyz_of(np.asarray(cells)).mean(axis=0)
        found[name] = (float(x), float(y), float(z))
    return found


def _volume(run: Run) -> dict[str, float]:
    """Numbers on the whole volume that the stages left."""
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
    for name in ("targets", *(kind.name for kind in report.KINDS)):
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
    """Mean absolute attribution of each layer over the volume; nothing where none was computed."""
    table = _table(run, "attributions.csv", ("where", "layer", "mean_absolute"))
    whole = table[table["where"] == "volume"] if len(table) else table
    return {str(row["layer"]): float(row["mean_absolute"]) for row in whole.to_dict("records")}


def _settings(run: Run) -> dict[str, str]:
    """What the study sets of the grid, samples, model and targets, in short."""
    study = run.study
    size = " × ".join(f"{step:g}" for step in run.grid.spacing[::-1])
    shape = " × ".join(str(n) for n in run.grid.shape[::-1])
    tables = {"Model settings": study.models[0], "Samples": study.samples, "Targets": study.targets}
    found = {"Cells": f"{shape} of {size} m (x, y, z)", "Seed": str(study.seed)}
    return found | {name: _said(table.model_dump(mode="json")) for name, table in tables.items()}


def _said(table: dict[str, Any]) -> str:
    """Settings as words, those that are not set left out."""
    there = {key: value for key, value in table.items() if value not in (None, "", {}, [])}
    return ", ".join(f"{key} {_said(v) if isinstance(v, dict) else v}" for key, v in there.items())


def _commands(run: Run, study: str) -> dict[str, str]:
    """What to type."""
    verbs = ("run", "validate", "targets", "explain", "view", "report")
    picture = shlex.quote(str(run.path("figures/targets.png")))
    return {verb: f"mpm3d {verb} {study}" for verb in verbs} | {
        "picture": f"mpm3d view {study} --picture {picture}"
    }
