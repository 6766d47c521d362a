"""The models of a study side by side: random split, left-out deposits, blind deposits."""

from __future__ import annotations

import shutil
import time
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

import mpm3d
from mpm3d import cube, evaluate, fit, samples, validate
from mpm3d.errors import StudyError
from mpm3d.run import hash_of, write_text
from mpm3d.study import ModelTable
from mpm3d.work import Run

_MOST = 8.0  # GB of patches


def compare(run: Run, *, full: bool = False) -> pd.DataFrame:
    """Validate every fitted model, score the blind deposits; print it, keep a table and a figure."""
    started = time.monotonic()
    parts = [run.labels_key, [table.model_dump() for table in run.study.models], full, mpm3d.__version__]
    key = hash_of(*parts)
    if run.folder.done("validate", key, "comparison.csv"):
        table = pd.read_csv(run.path("comparison.csv"))
        run.say(f"validation: done already, used as it is.\n{_side_by_side(table)}")
        return table
    drawn = run.draw_samples(run.grid.n_cells) if full else run.samples
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
        **run.drawing(table),
        population=n_study - int((drawn.label == 1).sum()),
        schemes=validate.SCHEMES if enough else ("random",),
    )
    with run.bar(f"validate {table.kind}") as progress:
        return validate.validate(
            drawn, {table.kind: run.maker(table)}, settings=settings, seed=run.study.seed,
            folder=run.path("validation"), progress=progress,
        )  # fmt: skip


def check_memory(run: Run) -> None:
    """Refuse to rank against every cell of a volume whose patches do not fit in memory."""
    needed = run.grid.n_cells * len(run.study.layers) * 27 * 4 / 1e9
    if needed > _MOST:
        raise StudyError(
            f"--full needs patches of {needed:.0f} GB in memory, {_MOST:.0f} GB is the most. Leave it out: a "
            f"sample of {run.study.samples.background:,} cells is used then."
        )


def _blind_rows(run: Run, number: int, drawn: samples.Samples) -> list[dict[str, Any]]:
    """How the final model ranks the deposits that no model has seen, against the background sample."""
    if not run.blind:
        return []
    members, _ = fit.load_members(run.path(run.model_folder(number)))
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
