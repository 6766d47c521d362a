"""The stages of a study, from files to targets: glue between the rooms."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import mpm3d
from mpm3d import (
    blocks,
    companions,
    comparison,
    cube,
    evaluate,
    evidence,
    fit,
    inputs,
    io,
    mapping,
    predict,
    storage,
    targets,
    view,
)
from mpm3d.building import build
from mpm3d.errors import StudyError
from mpm3d.geometry import Surface, joined
from mpm3d.io import geopackage
from mpm3d.lattice import PropertyModel
from mpm3d.run import hash_of, versions
from mpm3d.study import DistanceLayer, InsideLayer
from mpm3d.values import Lazy
from mpm3d.work import Run

__all__ = [
    "Run", "build", "compare", "delineate", "doctor", "draw", "everything", "fit_models", "predict_volume",
    "scene", "show",
]  # fmt: skip


def fit_models(run: Run, kinds: Sequence[str] = ()) -> None:
    """Fit the models of the study, or those of some kinds, on all known deposits, each into its folder."""
    if run.fitted:
        return
    ds = build(run)
    for number, table in enumerate(run.study.models):
        if kinds and table.kind not in kinds:
            continue
        started, name = time.monotonic(), run.model_folder(number)
        key = hash_of(run.labels_key, table.model_dump(), mpm3d.__version__)
        done = run.folder.done(f"fit {table.kind}", key, f"{name}/model.json")
        if done and companions.has_domain(run.path(name)):
            run.say(f"{table.kind}: fitted already, used as it is.")
            continue
        known, unfinished = [deposit.name for deposit in run.known], run.path(f"{name}_unfinished")
        with run.bar(f"fit {table.kind}") as progress:
            fitted = fit.fit_members(
                run.samples, run.maker(table), known=known, seed=run.study.seed, progress=progress,
                checkpoints=unfinished, **run.drawing(table),
            )  # fmt: skip
        info = fit.save_members(run.path(name), fitted, _lineage(run, ds, key))
        shutil.rmtree(unfinished, ignore_errors=True)
        companions.keep_domain(run, number, fitted, info["hash"])
        for member in fitted:
            run.say(
                f"{table.kind}: fitted on {member.n_positive} deposit cells ({', '.join(member.trained_on)}) "
                f"and {member.n_negative} negatives in {member.seconds:.0f} s. {member.note}"
            )
        run.folder.finish(f"fit {table.kind}", key, started, model=info["hash"], seed=run.study.seed)
    run.fitted = not kinds


def _lineage(run: Run, ds: xr.Dataset, key: str) -> dict[str, Any]:
    return {
        "units": {layer.name: layer.units for layer in run.study.layers},
        "cube": cube.hash_of(ds),
        "settings": key,
        "seed": run.study.seed,
        "known": [deposit.name for deposit in run.known],
    }


def compare(
    run: Run,
    *,
    full: bool = False,
    schemes: Sequence[str] | None = None,
    models: Sequence[str] | None = None,
    repeats: int | Mapping[str, int] | None = None,
) -> pd.DataFrame:
    """Fit the models and put what they are worth side by side, by the study unless it is said here.

    Parameters
    ----------
    run : Run
        The study.
    full : bool
        Rank against every cell instead of a sample.
    schemes : sequence of str, optional
        Some of ``"random"``, ``"block"`` and ``"deposit"``.
    models : sequence of str, optional
        Kinds of some of the study's models; the tables then hold these only.
    repeats : int or mapping of str to int, optional
        For all models, or by kind.

    Returns
    -------
    DataFrame
        The rows of ``comparison.csv``.

    Raises
    ------
    StudyError
        If a model or a scheme is not known, a scheme that was asked for is not possible, or the patches of
        ``full`` do not fit in memory.
    """
    chosen = comparison.plan(run, full=full, schemes=schemes, models=models, repeats=repeats)
    if full:
        comparison.check_memory(run)
    fit_models(run, chosen.kinds if models else ())
    table = comparison.compare(run, chosen)
    run.compared = models is None and schemes is None
    return table


def predict_volume(
    run: Run,
    *,
    model: str = "",
    workers: int | None = None,
    processes: bool | None = None,
    scheduler: str = "",
    overwrite: bool = False,
) -> predict.Summary:
    """Score every cell of the study volume, or go on where an earlier run stopped; say how far to believe it.

    Without a ``model``, the first of the study scores the volume, and the others too if ``[predict] models``
    says so; the summary is that of the first. The kind of another model of the study gets a store of its own.
    Layers on extrapolation, known deposits and agreement are written beside the scores. What is given here
    goes before what the study says of workers; ``overwrite`` scores again from the first block, with the cube
    and the model that are there.
    """
    numbers = _to_predict(run, model)
    fit_models(run, (model,) if model else ())
    rules = run.study.predict.model_dump(exclude={"models"})
    rules["workers"] = workers or rules["workers"]
    if processes is not None or scheduler:
        rules["processes"] = bool(processes)
    settings = predict.Settings(**rules, scheduler=scheduler, overwrite=overwrite or run.folder.overwrite)
    summaries = []
    for number in numbers:
        summaries.append(_predict(run, number, settings))
        companions.write(run, number)
    companions.compare_models(run)
    return summaries[0]


def _to_predict(run: Run, model: str) -> list[int]:
    """Numbers of the models that are to score the volume."""
    kinds = [table.kind for table in run.study.models]
    if model and model not in kinds:
        raise StudyError(
            f"the study has no model {model!r}, it has {', '.join(map(repr, kinds))}. Add it as [[models]]."
        )
    if model:
        return [kinds.index(model)]
    return list(range(len(kinds))) if run.study.predict.models == "all" else [0]


def _predict(run: Run, number: int, settings: predict.Settings) -> predict.Summary:
    """Score the volume with one model of the study."""
    started = time.monotonic()
    folder, place = run.path(run.model_folder(number)).absolute(), companions.place_of(run, number)
    info = fit.load_members(folder)[1]
    load = partial(_members_of, folder, info["hash"])
    score = partial(predict.predict, run.study.cube_place, load, place, model_hash=info["hash"])
    with run.bar(f"predict with {info['model']}") as progress:
        try:
            summary = score(settings=settings, progress=progress)
        except predict.DifferentRun:
            run.say(f"{place.stem}: the one there is of another model, cube or settings. It is made again.")
            summary = score(settings=replace(settings, overwrite=True), progress=progress)
    stage = f"predict {run.study.models[number].kind}" if number else "predict"
    run.folder.finish(stage, info["hash"], started, n_scored=summary.n_scored, lost=summary.lost)
    lost = ", ".join(f"{name} {share:.1%}" for name, share in summary.lost.items() if share)
    run.say(
        f"{place.stem}: {summary.n_scored:,} of {summary.n_study:,} cells scored, {summary.blocks} blocks, "
        f"{summary.reused} of them by an earlier run; {summary.cells_per_second:,.0f} cells a second. "
        f"{run.space.capitalize()} without a score for missing layers: {lost or 'none'}."
    )
    return summary


def _members_of(folder: Path, model_hash: str) -> list[Any]:
    """The members in a model folder, as each worker loads them; another model there is refused."""
    members, info = fit.load_members(folder)
    if info["hash"] != model_hash:
        raise ValueError(
            f"{folder} holds the model {info['hash'][:12]}…, and {model_hash[:12]}… is to predict. It was "
            "fitted again meanwhile, or this worker sees another folder. Give the same command again."
        )
    return list(members)


def delineate(run: Run) -> targets.Delineation:
    """Cut the best share of the volume into ranked targets; write the table, a map, surfaces and a voxet."""
    share = run.study.targets.share
    if share is None:
        if not run.compared:
            compare(run)
        share = _crossing_share(run)
    predict_volume(run)
    if run.grid.is_map:
        return mapping.delineate(run, share)
    started = time.monotonic()
    ds = cube.open(run.path("prospectivity.zarr"))
    smallest = run.study.targets.min_volume
    with run.bar("targets") as progress:
        found = targets.delineate(
            ds,
            {deposit.name: deposit.cells for deposit in run.known},
            share=share,
            min_volume=8 * run.grid.cell_volume if smallest is None else smallest,
            ground=_ground_heights(run),
            progress=progress,
        )
    targets.write_table(run.path("targets.csv"), found.table, note=run.study.note)
    skins = targets.surfaces(found.targets, run.grid)
    io.gocad.write_surfaces(run.path("targets.ts"), skins)
    # written slab by slab, the volume is never read whole
    values = {"prospectivity": Lazy(storage.group(run.path("prospectivity.zarr"), "r")["score"])}
    io.gocad.write_voxet(
        run.path("prospectivity.vo"), PropertyModel.from_grid(run.study.name, run.grid, values)
    )
    _write_map(run, found)
    run.folder.finish(
        "targets", hash_of(share), started, threshold=found.threshold, share=found.share, n=len(found.targets)
    )
    for note in (*found.notes, *skins.notes):
        run.say(f"targets: {note}")
    return found


def _write_map(run: Run, found: targets.Delineation) -> None:
    """Targets for a GIS: a point and a footprint each, with the columns of the table."""
    columns = {str(name): values.to_numpy() for name, values in found.table.items()}
    place = [[target.x, target.y, target.elevation] for target in found.targets]
    note = f"{view.CAUTION} {run.study.note}".strip()
    footprints = [geopackage.footprint(target.plan, run.grid) for target in found.targets]
    layers = [
        geopackage.points_layer("targets", place, columns, note=note),
        geopackage.Layer("footprints", footprints, columns, note),
    ]
    geopackage.write_layers(run.path("targets.gpkg"), layers, run.grid.crs)


def _crossing_share(run: Run) -> float:
    """The v* of the first model's P-A crossing on left-out deposits."""
    kind = run.study.models[0].kind
    where = run.folder.facts("validate").get("crossings", {}).get(kind)
    if where is None or not where["volume"] > 0:
        run.say(f"targets: no P-A crossing to take the share from, the best 2 % of the {run.space} is used.")
        return 0.02
    run.say(
        f"targets: the P-A curve of left-out deposits crosses at {where['volume']:.2%} of the {run.space} "
        f"with {where['captured']:.0%} captured; the targets are that share of the eligible cells."
    )
    return float(where["volume"])


def _ground_heights(run: Run) -> Any:
    if run.ground is None:
        return None
    flat = replace(run.grid, shape=(1, *run.grid.shape[1:]))
    return evidence.elevation_at(flat.points()[:, :2], run.ground).reshape(flat.shape[1:])


def _unsaid(note: str) -> None:
    """Notes of the readers were said when the cube was built."""


def scene(run: Run) -> view.Scene:
    """What there is to see: scores, deposits, the bodies of the layers, topography."""
    if run.grid.is_map:
        raise StudyError(
            f"the study is a map, which has nothing to show in space. Its picture is {mapping.PICTURE} in "
            f"the run folder; {mapping.SCORES} and targets.gpkg are for a GIS."
        )
    facts = run.folder.facts("targets")
    if not run.path("prospectivity.zarr").exists() or "threshold" not in facts:
        raise StudyError(f"no targets are in {run.folder.place} yet. Make them first: mpm3d run study.toml")
    percentiles, lowest = _percentiles(cube.open(run.path("prospectivity.zarr")), facts["threshold"])
    surfaces: dict[str, list[Any]] = {}
    for layer in run.study.layers:
        if isinstance(layer, DistanceLayer | InsideLayer):
            surfaces.setdefault(layer.role, []).extend(inputs.bodies(run.study, layer.files, _unsaid))
    for table in run.study.deposits:
        role = "blind deposit" if table.blind else "deposit"
        found = inputs.deposit_bodies(run.study, table, _unsaid)
        sheets = [body for body in found if isinstance(body, Surface)]
        whole = [joined(table.name, sheets)] if len(sheets) == len(found) else found
        surfaces.setdefault(role, []).extend(whole)
    if isinstance(run.ground, Surface):
        surfaces["topography"] = [run.ground]
    cells = {"deposit": {deposit.name: deposit.cells for deposit in run.known}}
    if run.blind:
        cells["blind deposit"] = {deposit.name: deposit.cells for deposit in run.blind}
    layers = cube.open(run.study.cube_place)
    return view.make_scene(
        title=f"{run.study.name}: prospectivity targets",
        grid=run.grid,
        score=percentiles,
        threshold=lowest,
        units="percentile of the scored volume",
        note=run.study.note,
        surfaces=surfaces,
        hidden=("dyke",),  # swarms of them hide everything else; the window shows them at a click
        cells=cells,
        evidence={name: layers[name].values for name in cube.layers_of(layers)},
    )


def _percentiles(ds: xr.Dataset, threshold: float) -> tuple[Any, float]:
    """Percentile of every scored cell, even where scores crowd, and the least of those at the threshold."""
    score, grid = ds["score"].variable, cube.grid_of(ds)
    windows = [block.core for block in blocks.tile(grid.shape, cube.chunk_of(ds))]
    found = evaluate.percentiles(lambda: ((cut, score[cut].values) for cut in windows), grid.shape)
    inside = (found[cut][score[cut].values >= np.float32(threshold)] for cut in windows)
    return found, min(float(part.min(initial=100)) for part in inside)


def draw(run: Run, path: Path | None = None, *, exaggeration: float = 1.0) -> Path:
    """Draw the targets to a picture file, without a display."""
    if run.grid.is_map:
        return mapping.draw(run, path)
    place = path or run.path("figures/targets.png")
    with run.bar("picture"):
        return view.picture.draw(scene(run), place, vertical_exaggeration=exaggeration)


def show(run: Run) -> None:
    """Open the interactive window."""
    view.desktop.show(scene(run))


_PRINTED = {
    "id": "{}".format, "kind": "{}".format, "x": "{:,.0f}".format, "y": "{:,.0f}".format,
    "elevation": "{:,.0f}".format, "volume_m3": "{:,.0f}".format, "mean_score": "{:.3g}".format,
    "nearest_deposit": "{}".format, "distance_m": "{:,.0f}".format,
}  # fmt: skip


def everything(run: Run) -> None:
    """Go from files to a picture, and say what was made and where."""
    compare(run)
    found = delineate(run)
    if run.grid.is_map:
        mapping.conclude(run, found)
        return
    picture: Path | str
    try:
        picture = draw(run)
    except RuntimeError as error:
        picture = f"not drawn: {error}"
    rows = found.table[list(_PRINTED)].head(8).to_string(index=False, formatters=_PRINTED)
    count = f"{len(found.targets)} target{'s' * (len(found.targets) != 1)}"
    run.say(f"\n{count}, the best first:\n{rows}\n")
    if run.study.note:
        run.say(f"note: {run.study.note}")
    made = {
        "targets": "targets.csv", "map": "targets.gpkg", "surfaces": "targets.ts",
        "voxet": "prospectivity.vo", "comparison": "comparison.csv",
        "P-A plot": "figures/pa_curve.png", "log": "log.txt",
    }  # fmt: skip
    for what, name in made.items():
        if run.path(name).exists():
            run.say(f"{what + ':':<12} {run.path(name)}")
    run.say(f"{'picture:':<12} {picture}\n{view.CAUTION}")


def doctor() -> list[str]:
    """What this installation can do, a line each."""
    import torch

    lines = [f"{name} {number}" for name, number in versions().items()]
    graphics = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none, networks run on the CPU"
    lines.append(f"GPU: {graphics}")
    lines.append(f"pictures: {view.can_render() or 'can be drawn'}")
    lines.append(f"window: {view.can_show() or 'can be opened'}")
    lines += [f"{name}: {os.environ.get(name, 'not set')}" for name in ("MPM3D_DATA", "MPM3D_CORPUS")]
    return lines
