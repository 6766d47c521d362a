"""The stages of a study, from files to targets: glue between the rooms."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
import zarr
from scipy.stats import rankdata

import mpm3d
from mpm3d import comparison, cube, evidence, fit, inputs, io, predict, targets, view
from mpm3d.errors import StudyError
from mpm3d.geometry import Surface, joined
from mpm3d.io import geopackage
from mpm3d.lattice import PropertyModel
from mpm3d.run import hash_of, versions
from mpm3d.study import DistanceLayer, InsideLayer, Layer, sha256
from mpm3d.values import Lazy
from mpm3d.work import Run

__all__ = [
    "Run", "build", "compare", "delineate", "doctor", "draw", "everything", "fit_models", "predict_volume",
    "scene", "show",
]  # fmt: skip


def build(run: Run) -> xr.Dataset:
    """Build the evidence cube, or only the layers of it that are missing or whose inputs have changed."""
    started, place = time.monotonic(), run.path("cube.zarr")
    if run.built:
        return cube.open(place)
    topography = run.study.topography
    frame = hash_of(
        asdict(run.grid), sha256(run.study.path(topography.file)) if topography else "", mpm3d.__version__
    )
    recipes = {layer.name: inputs.recipe(run.study, layer, frame) for layer in run.study.layers}
    key = hash_of(recipes)
    if run.folder.done("build", key, "cube.zarr"):
        run.built = True
        run.say("cube: nothing has changed, used as it is.")
        return cube.open(place)
    if not _fits(place, frame) or run.folder.overwrite:
        _new_cube(run, place, frame)
    there = cube.open(place)
    for layer in run.study.layers:
        finished = layer.name in cube.layers_of(there)
        if finished and there[layer.name].attrs.get("recipe") == recipes[layer.name]:
            continue
        try:
            _add_layer(run, layer, recipes[layer.name])
        except ValueError as error:
            own = isinstance(error, StudyError)
            raise error if own else StudyError(f"layer {layer.name!r}: {error}") from error
    result = cube.open(place)
    run.folder.finish("build", key, started, cube=cube.hash_of(result))
    run.built = True
    n_cells = int(result[cube.STUDY_VOLUME].attrs.get("n_cells", run.grid.n_cells))
    run.say(
        f"cube: {len(recipes)} layers on {run.grid.shape} cells (z, y, x), {n_cells:,} in the study volume."
    )
    return result


def _fits(place: Path, frame: str) -> bool:
    try:
        return bool(cube.open(place).attrs.get("frame") == frame)
    except (OSError, ValueError):
        return False


def _new_cube(run: Run, place: Path, frame: str) -> None:
    half = place.with_name("cube.part.zarr")
    cube.create(half, run.grid, attrs={"title": run.study.name, "frame": frame}, overwrite=True)
    if run.ground is not None:
        ground = run.ground
        with run.bar("topography") as progress:
            cube.set_study_volume(half, lambda g: evidence.below_topography(g, ground), progress=progress)
    if place.exists():
        shutil.rmtree(place)
    half.replace(place)


def _add_layer(run: Run, layer: Layer, recipe: str) -> None:
    fill, derivation = inputs.filler(run.study, layer, run.say)
    paths = [run.study.path(name) for _, name in layer.paths()]
    attrs: dict[str, Any] = {
        "source": [path.name for path in paths],
        "source_sha256": [sha256(path) for path in paths],
        "derivation": derivation,
        "recipe": recipe,
    }
    if isinstance(layer, DistanceLayer):
        attrs["cutoff"] = layer.cutoff
    with run.bar(f"layer {layer.name}") as progress:
        cube.add_layer(
            run.path("cube.zarr"), layer.name, fill, units=layer.units,
            long_name=layer.long_name or layer.name.replace("_", " "),
            attrs=attrs, progress=progress, overwrite=True,
        )  # fmt: skip


def fit_models(run: Run) -> None:
    """Fit every model of the study on all known deposits, each into its model folder."""
    if run.fitted:
        return
    ds = build(run)
    for number, table in enumerate(run.study.models):
        started, name = time.monotonic(), run.model_folder(number)
        key = hash_of(run.labels_key, table.model_dump(), mpm3d.__version__)
        if run.folder.done(f"fit {table.kind}", key, f"{name}/model.json"):
            run.say(f"{table.kind}: fitted already, used as it is.")
            continue
        known = [deposit.name for deposit in run.known]
        with run.bar(f"fit {table.kind}") as progress:
            fitted = fit.fit_members(
                run.samples, run.maker(table), known=known, seed=run.study.seed, progress=progress,
                **run.drawing(table),
            )  # fmt: skip
        info = fit.save_members(run.path(name), fitted, _lineage(run, ds, key))
        for member in fitted:
            run.say(
                f"{table.kind}: fitted on {member.n_positive} deposit cells ({', '.join(member.trained_on)}) "
                f"and {member.n_negative} negatives in {member.seconds:.0f} s. {member.note}"
            )
        run.folder.finish(f"fit {table.kind}", key, started, model=info["hash"], seed=run.study.seed)
    run.fitted = True


def _lineage(run: Run, ds: xr.Dataset, key: str) -> dict[str, Any]:
    return {
        "units": {layer.name: layer.units for layer in run.study.layers},
        "cube": cube.hash_of(ds),
        "settings": key,
        "seed": run.study.seed,
        "known": [deposit.name for deposit in run.known],
    }


def compare(run: Run, *, full: bool = False) -> pd.DataFrame:
    """Fit every model and put what they are worth side by side; ``full`` ranks against every cell."""
    if full:
        comparison.check_memory(run)
    fit_models(run)
    table = comparison.compare(run, full=full)
    run.compared = True
    return table


def predict_volume(run: Run) -> predict.Summary:
    """Score every cell of the study volume with the first model, or go on where an earlier run stopped."""
    fit_models(run)
    started = time.monotonic()
    members, info = fit.load_members(run.path("model"))
    rules = run.study.predict
    settings = predict.Settings(**rules.model_dump(), overwrite=run.folder.overwrite)
    places = run.path("cube.zarr"), members, run.path("prospectivity.zarr")
    score = partial(predict.predict, *places, model_hash=info["hash"])
    with run.bar(f"predict with {info['model']}") as progress:
        try:
            summary = score(settings=settings, progress=progress)
        except predict.DifferentRun:
            run.say("prospectivity: the one there is of another model, cube or settings. It is made again.")
            summary = score(settings=replace(settings, overwrite=True), progress=progress)
    run.folder.finish("predict", info["hash"], started, n_scored=summary.n_scored, lost=summary.lost)
    lost = ", ".join(f"{name} {share:.1%}" for name, share in summary.lost.items() if share)
    run.say(
        f"prospectivity: {summary.n_scored:,} of {summary.n_study:,} cells scored, {summary.blocks} blocks, "
        f"{summary.reused} of them by an earlier run; {summary.cells_per_second:,.0f} cells a second. "
        f"Volume without a score for missing layers: {lost or 'none'}."
    )
    return summary


def delineate(run: Run) -> targets.Delineation:
    """Cut the best share of the volume into ranked targets; write the table, a map, surfaces and a voxet."""
    share = run.study.targets.share
    if share is None:
        if not run.compared:
            compare(run)
        share = _crossing_share(run)
    predict_volume(run)
    started = time.monotonic()
    ds = xr.open_zarr(run.path("prospectivity.zarr"), chunks=None, consolidated=False)
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
    io.gocad.write_surfaces(run.path("targets.ts"), targets.surfaces(found.targets, run.grid))
    store = zarr.open_group(run.path("prospectivity.zarr"), mode="r", zarr_format=3)
    values = {"prospectivity": Lazy(store["score"])}  # read slab by slab
    io.gocad.write_voxet(
        run.path("prospectivity.vo"), PropertyModel.from_grid(run.study.name, run.grid, values)
    )
    _write_map(run, found)
    run.folder.finish(
        "targets", hash_of(share), started, threshold=found.threshold, share=found.share, n=len(found.targets)
    )
    for note in found.notes:
        run.say(f"targets: {note}")
    return found


def _write_map(run: Run, found: targets.Delineation) -> None:
    """Targets for a GIS: a point and a footprint each, with the columns of the table."""
    columns = {str(name): values.to_numpy() for name, values in found.table.items()}
    place = [[target.x, target.y, target.elevation] for target in found.targets]
    note = f"{view.CAUTION} {run.study.note}".strip()
    footprints = [geopackage.footprint(target.cells, run.grid) for target in found.targets]
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
        run.say("targets: no P-A crossing to take the share from, the best 2 % of the volume is used.")
        return 0.02
    run.say(
        f"targets: the P-A curve of left-out deposits crosses at {where['volume']:.2%} of the volume with "
        f"{where['captured']:.0%} captured; the targets are that share of the eligible cells."
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
    facts = run.folder.facts("targets")
    if not run.path("prospectivity.zarr").exists() or "threshold" not in facts:
        raise StudyError(f"no targets are in {run.folder.place} yet. Make them first: mpm3d run study.toml")
    ds = xr.open_zarr(run.path("prospectivity.zarr"), chunks=None, consolidated=False)
    surfaces: dict[str, list[Any]] = {}
    for layer in run.study.layers:
        if isinstance(layer, DistanceLayer | InsideLayer):
            surfaces.setdefault(layer.role, []).extend(inputs.bodies(run.study, layer.files, _unsaid))
    for table in run.study.deposits:
        role = "blind deposit" if table.blind else "deposit"
        found = inputs.bodies(run.study, [name for _, name in table.paths()], _unsaid)
        sheets = [body for body in found if isinstance(body, Surface)]
        whole = [joined(table.name, sheets)] if len(sheets) == len(found) else found
        surfaces.setdefault(role, []).extend(whole)
    if isinstance(run.ground, Surface):
        surfaces["topography"] = [run.ground]
    cells = {"deposit": {deposit.name: deposit.cells for deposit in run.known}}
    if run.blind:
        cells["blind deposit"] = {deposit.name: deposit.cells for deposit in run.blind}
    layers = cube.open(run.path("cube.zarr"))
    score = ds["score"].values
    percentiles = _percentiles(score)
    lowest = percentiles[score >= np.float32(facts["threshold"])].min()
    return view.make_scene(
        title=f"{run.study.name}: prospectivity targets",
        grid=run.grid,
        score=percentiles,
        threshold=float(lowest),
        units="percentile of the scored volume",
        note=run.study.note,
        surfaces=surfaces,
        hidden=("dyke",),  # swarms of them hide everything else; the window shows them at a click
        cells=cells,
        evidence={name: layers[name].values for name in cube.layers_of(layers)},
    )


def _percentiles(score: Any) -> Any:
    """Share of the scored cells with a lower score, ties at mid-rank, in percent: even where scores crowd."""
    values = np.full(score.shape, np.nan, dtype=np.float32)
    scored = np.isfinite(score)
    values[scored] = (rankdata(score[scored]) - 0.5) / scored.sum() * 100
    return values


def draw(run: Run, path: Path | None = None, *, exaggeration: float = 1.0) -> Path:
    """Draw the targets to a picture file, without a display."""
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
