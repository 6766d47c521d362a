"""The stages of a study, from files to targets: glue between the rooms."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import rankdata

import mpm3d
from mpm3d import (
    cube,
    evaluate,
    evidence,
    fit,
    inputs,
    io,
    labels,
    models,
    predict,
    samples,
    targets,
    validate,
    view,
)
from mpm3d.errors import StudyError
from mpm3d.geometry import PropertyModel, Surface, joined
from mpm3d.grid import Grid
from mpm3d.run import Progress, RunFolder, hash_of, versions, write_text
from mpm3d.study import (
    DistanceLayer,
    ForestTable,
    InsideLayer,
    Layer,
    ModelTable,
    NetworkTable,
    Study,
    sha256,
)

log = logging.getLogger("mpm3d")


@contextmanager
def _no_bar(label: str) -> Iterator[Progress]:
    yield lambda done, total: None


class Run:
    """A study at work.

    Parameters
    ----------
    study : Study
        What to do.
    folder : RunFolder
        Where it goes.
    say : callable
        Takes each sentence for the user.
    bar : callable
        ``with bar(label) as progress:`` shows a step; ``progress(done, total)`` moves it on.
    """

    def __init__(
        self,
        study: Study,
        folder: RunFolder | None = None,
        *,
        say: Callable[[str], None] = log.info,
        bar: Callable[[str], Any] = _no_bar,
    ) -> None:
        self.study = study
        self.folder = folder or RunFolder(study.run_folder)
        self.say = say
        self.bar = bar
        self.path = self.folder.path
        self.built = self.fitted = False

    @cached_property
    def grid(self) -> Grid:
        """The cells of the study."""
        return self.study.grid.grid()

    @cached_property
    def ground(self) -> inputs.Ground | None:
        """The topography, where the study has one."""
        return inputs.ground(self.study, self.grid, self.say)

    @cached_property
    def deposits(self) -> list[labels.Deposit]:
        """Cells of every deposit, blind ones too."""
        found = [inputs.deposit(self.study, table, self.grid, self.say) for table in self.study.deposits]
        labels.check_deposits(found)
        for d in found:
            self.say(f"deposit {d.name}: {d.n_met} cells met, {d.n_filled} filled at least by half.")
        return found

    @property
    def known(self) -> list[labels.Deposit]:
        """Deposits that models may learn from."""
        blind = {table.name for table in self.study.deposits if table.blind}
        return [deposit for deposit in self.deposits if deposit.name not in blind]

    @property
    def blind(self) -> list[labels.Deposit]:
        """Deposits that no model ever sees."""
        blind = {table.name for table in self.study.deposits if table.blind}
        return [deposit for deposit in self.deposits if deposit.name in blind]

    @cached_property
    def samples(self) -> samples.Samples:
        """Known deposit cells and the background sample, drawn with the seed of the study."""
        with self.bar("read samples"):
            drawn = samples.from_cube(
                cube.open(self.path("cube.zarr")),
                self.known,
                layers=tuple(layer.name for layer in self.study.layers),
                background=self.study.samples.background,
                rng=np.random.default_rng(self.study.seed),
            )
        for note in drawn.notes:
            self.say(note)
        return drawn

    @property
    def labels_key(self) -> str:
        """Hash of what the samples depend on."""
        files = [sha256(self.study.path(name)) for t in self.study.deposits for _, name in t.paths()]
        tables = [t.model_dump() for t in self.study.deposits]
        cells = cube.hash_of(cube.open(self.path("cube.zarr")))
        return hash_of(cells, tables, files, self.study.samples.model_dump(), self.study.seed)


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


def _maker(run: Run, table: ModelTable) -> Callable[[], models.Estimator]:
    """What makes an unfitted model of a table, on the layers of the study."""
    layers = tuple(layer.name for layer in run.study.layers)
    if isinstance(table, ForestTable):
        settings = {"n_estimators": table.trees, "max_depth": table.depth, "max_features": table.features}
    else:
        names = ("epochs", "patience", "batch_size", "learning_rate", "device")
        settings = {name: getattr(table, name) for name in names}
    return lambda: models.make(table.kind, layers, **settings)


def _model_folder(run: Run, number: int) -> str:
    """The first model is the one that predicts the volume; the others are there to compare."""
    return "model" if number == 0 else f"model_{run.study.models[number].kind}"


def _drawing(run: Run, table: ModelTable) -> dict[str, Any]:
    """What `fit.fit_members` and `validate.Settings` have in common."""
    rules = run.study.samples
    most = None if rules.max_patches is None else int(rules.max_patches / (1 + rules.negatives_per_positive))
    stops = not isinstance(table, NetworkTable) or table.early_stopping
    return {
        "stand_off": rules.stand_off,
        "ratio": rules.negatives_per_positive,
        "max_positives": most,
        "members": table.members,
        "stopping": "deposit" if stops else "none",
    }


def fit_models(run: Run) -> None:
    """Fit every model of the study on all known deposits, each into its model folder."""
    if run.fitted:
        return
    ds = build(run)
    for number, table in enumerate(run.study.models):
        started, name = time.monotonic(), _model_folder(run, number)
        key = hash_of(run.labels_key, table.model_dump(), mpm3d.__version__)
        if run.folder.done(f"fit {table.kind}", key, f"{name}/model.json"):
            run.say(f"{table.kind}: fitted already, used as it is.")
            continue
        known = [deposit.name for deposit in run.known]
        with run.bar(f"fit {table.kind}") as progress:
            fitted = fit.fit_members(
                run.samples, _maker(run, table), known=known, seed=run.study.seed, progress=progress,
                **_drawing(run, table),
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
    """Validate every model, score the blind deposits; print the comparison, keep a table and a figure."""
    fit_models(run)
    started = time.monotonic()
    parts = [run.labels_key, [table.model_dump() for table in run.study.models], full, mpm3d.__version__]
    key = hash_of(*parts)
    if run.folder.done("validate", key, "comparison.csv"):
        table = pd.read_csv(run.path("comparison.csv"))
        run.say(f"validation: done already, used as it is.\n{_side_by_side(table)}")
        return table
    drawn = _every_cell(run) if full else run.samples
    if run.folder.overwrite:
        shutil.rmtree(run.path("validation"), ignore_errors=True)
    found = [_validated(run, table, drawn) for table in run.study.models]
    blind = [row for number in range(len(found)) for row in _blind_rows(run, number, drawn)]
    table = pd.concat([*(one.table for one in found), pd.DataFrame(blind)], ignore_index=True)
    run.path("figures").mkdir(exist_ok=True)
    curves = {name: curve for one in found for name, curve in one.curves.items()}
    if curves:
        evaluate.draw_pa_curve(curves, run.path("figures/pa_curve.png"), left_out=True)
    write_text(run.path("comparison.csv"), table.to_csv(index=False, lineterminator="\n"))
    crossings = {name: where and asdict(where) for one in found for name, where in one.crossings.items()}
    words = "\n".join(one.paragraph() for one in found)
    size = found[0].n_reference
    run.folder.finish("validate", key, started, crossings=crossings, words=words, n_reference=size)
    run.say(f"{words}\n{_side_by_side(table)}")
    return table


def _validated(run: Run, table: ModelTable, drawn: samples.Samples) -> validate.Comparison:
    n_study = int(cube.open(run.path("cube.zarr"))[cube.STUDY_VOLUME].attrs.get("n_cells", run.grid.n_cells))
    enough = len(drawn.deposits) > 1
    if not enough:
        run.say("one known deposit only: nothing can be left out, the random split is all there is.")
    settings = validate.Settings(
        **_drawing(run, table),
        population=n_study - int((drawn.label == 1).sum()),
        schemes=validate.SCHEMES if enough else ("random",),
    )
    with run.bar(f"validate {table.kind}") as progress:
        return validate.validate(
            drawn, {table.kind: _maker(run, table)}, settings=settings, seed=run.study.seed,
            folder=run.path("validation"), progress=progress,
        )  # fmt: skip


def _every_cell(run: Run) -> samples.Samples:
    """All cells of the study volume as background, where memory allows."""
    needed = run.grid.n_cells * len(run.study.layers) * 27 * 4 / 1e9
    if needed > 8:
        raise StudyError(
            f"--full needs patches of {needed:.0f} GB in memory, 8 GB is the most. Leave it out: a sample of "
            f"{run.study.samples.background:,} cells is used then."
        )
    return samples.from_cube(
        cube.open(run.path("cube.zarr")),
        run.known,
        layers=tuple(layer.name for layer in run.study.layers),
        background=run.grid.n_cells,
        rng=np.random.default_rng(run.study.seed),
    )


def _blind_rows(run: Run, number: int, drawn: samples.Samples) -> list[dict[str, Any]]:
    """How the final model ranks the deposits that no model has seen, against the background sample."""
    if not run.blind:
        return []
    members, _ = fit.load_members(run.path(_model_folder(run, number)))
    shape = members[0].patch_shape
    background = drawn.take(np.flatnonzero(drawn.label == 0)).cropped(shape)
    reference, _ = fit.ensemble_score(members, background.patches)
    ds, ranks = cube.open(run.path("cube.zarr")), {}
    for deposit in run.blind:
        score, _ = fit.ensemble_score(members, samples.take_patches(ds, deposit.cells, drawn.layers, shape))
        ranks[deposit.name] = evaluate.volume_ranks(score, reference)
    area, inside = evaluate.auc(ranks), evaluate.capture(ranks)
    each = [("auc", area.each)]
    each += [
        (f"capture@{share:g}", {name: part[at] for name, part in inside.each.items()})
        for at, share in enumerate(inside.shares)
    ]
    each.append(("median_rank", {name: float(np.median(values)) for name, values in ranks.items()}))
    return [
        {
            "model": run.study.models[number].kind, "scheme": "blind", "metric": metric,
            "mean": float(np.mean(list(values.values()))), "low": min(values.values()),
            "high": max(values.values()), "n": len(values), "n_of": "deposits", "optimistic": False,
        }
        for metric, values in each
    ]  # fmt: skip


_SHOWN = [
    ("random", "accuracy", "random split*\naccuracy"),
    ("random", "auc", "AUC"),
    ("random", "f1", "F1"),
    ("deposit", "auc", "left out AUC"),
    ("deposit", "capture@0.02", "left out best 2 %"),
    ("deposit", "median_rank", "left out median rank"),
    ("blind", "auc", "blind AUC"),
    ("blind", "capture@0.02", "blind best 2 %"),
    ("blind", "median_rank", "blind median rank"),
]


def _side_by_side(table: pd.DataFrame) -> str:
    """The comparison as people read it: a row a model, what is optimistic marked."""
    means = table.set_index(["model", "scheme", "metric"])["mean"]
    rows = {}
    for model in table["model"].drop_duplicates():
        cells = {label: means.get((model, scheme, metric)) for scheme, metric, label in _SHOWN}
        rows[model] = {label: f"{value:.3f}" for label, value in cells.items() if value is not None}
    wide = pd.DataFrame(rows).fillna("–")
    wide.index = [f"random split* {label}" if label in ("AUC", "F1") else label for label in wide.index]
    wide.index = [str(label).replace("\n", " ") for label in wide.index]
    return f"{wide.to_string()}\n* optimistic: test patches share cells with training patches."


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
        except predict.DifferentRun as different:
            run.say(f"prospectivity: {different} It is made again.")
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
    """Cut the best share of the volume into ranked targets; write the table, surfaces and a voxet."""
    share = run.study.targets.share
    if share is None:
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
    values = {"prospectivity": ds["score"].values}
    io.gocad.write_voxet(
        run.path("prospectivity.vo"), PropertyModel.from_grid(run.study.name, run.grid, values)
    )
    run.folder.finish(
        "targets", hash_of(share), started, threshold=found.threshold, share=found.share, n=len(found.targets)
    )
    for note in found.notes:
        run.say(f"targets: {note}")
    return found


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
    return view.make_scene(
        title=f"{run.study.name}: prospectivity targets",
        grid=run.grid,
        score=_percentiles(score),
        threshold=_percentile_of(facts["threshold"], score),
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


def _percentile_of(threshold: float, score: Any) -> float:
    """Percentile of the lowest cell that is at or above a score."""
    return float(_percentiles(score)[score >= np.float32(threshold)].min())


def draw(run: Run, path: Path | None = None, *, exaggeration: float = 1.0) -> Path:
    """Draw the targets to a picture file, without a display."""
    place = path or run.path("figures/targets.png")
    return view.picture.draw(scene(run), place, vertical_exaggeration=exaggeration)


def show(run: Run) -> None:
    """Open the interactive window."""
    view.desktop.show(scene(run))


_PRINTED = ["id", "kind", "x", "y", "elevation", "volume_m3", "mean_score", "nearest_deposit", "distance_m"]


def everything(run: Run) -> None:
    """Go from files to a picture, and say what was made and where."""
    found = delineate(run)
    picture: Path | str
    try:
        picture = draw(run)
    except RuntimeError as error:
        picture = f"not drawn: {error}"
    rows = found.table[_PRINTED].head(8).to_string(index=False, float_format="{:,.6g}".format)
    run.say(f"\n{len(found.targets)} targets, the first of them:\n{rows}\n")
    if run.study.note:
        run.say(f"note: {run.study.note}")
    made = {
        "targets": "targets.csv", "surfaces": "targets.ts", "voxet": "prospectivity.vo",
        "comparison": "comparison.csv", "P-A plot": "figures/pa_curve.png", "log": "log.txt",
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
