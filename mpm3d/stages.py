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

import pandas as pd
import xarray as xr

import mpm3d
from mpm3d import (
    companions,
    comparison,
    cube,
    fit,
    mapping,
    predict,
    reasons,
    targeting,
    targets,
    view,
)
from mpm3d.building import build
from mpm3d.errors import StudyError
from mpm3d.reporting import write as report
from mpm3d.run import hash_of, versions
from mpm3d.scenery import draw, show
from mpm3d.scenery import of as scene
from mpm3d.work import Run

__all__ = [
    "Run", "build", "compare", "delineate", "doctor", "draw", "everything", "explain", "fit_models",
    "predict_volume", "report", "scene", "show",
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
    """Cut the best of the volume into ranked targets with reasons and drillholes, after all that it takes."""
    _score(run)
    return targeting.delineate(run)


def _score(run: Run) -> None:
    """Score the volume, and ask left-out deposits first where they say which cells are targets."""
    if targeting.needs_validation(run) and not run.compared:
        compare(run)
    predict_volume(run)


def explain(run: Run, *, model: str = "", whole: bool = False) -> reasons.Summary:
    """Say which evidence moved the scores of a model, the first unless named, and put it into the table.

    Targets are delineated first; ``whole`` explains every cell of the volume.
    """
    number = _to_predict(run, model)[0]
    _score(run)
    if number:
        predict_volume(run, model=model)
    summary = reasons.explain(run, targeting.cut(run), number, whole=whole)
    targeting.delineate(run)  # the table of targets takes its reasons from all cells now
    return summary


def everything(run: Run, *, study: str = "study.toml") -> None:
    """Go from files to a page with a picture, and say what was made and where.

    ``study`` is what to type after a verb, for the commands on the page.
    """
    compare(run)
    delineate(run)
    picture = _drawn(run)
    report(run, study=study)
    if run.study.note:
        run.say(f"note: {run.study.note}")
    made, wide = (mapping.MADE, 13) if run.grid.is_map else (_MADE, 12)
    for what, name in made.items():
        if run.path(name).exists():
            run.say(f"{what + ':':<{wide}} {run.path(name)}")
    run.say(f"{'picture:':<{wide}} {picture}\n{view.CAUTION}")


_MADE = {
    "page": "report.html", "targets": "targets.csv", "map": "targets.gpkg", "surfaces": "targets.ts",
    "voxet": "prospectivity.vo", "drillholes": "drillholes.csv", "comparison": "comparison.csv",
    "P-A plot": "figures/pa_curve.png", "log": "log.txt",
}  # fmt: skip


def _drawn(run: Run) -> Path | str:
    """The picture of the targets, or why there is none; of a map its success-rate curve is drawn too."""
    if run.grid.is_map:
        mapping.draw_success(run)
        return mapping.draw(run)
    try:
        return draw(run)
    except RuntimeError as error:
        return f"not drawn: {error}"


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
