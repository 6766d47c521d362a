"""Every model on synthetic districts with known answers: left-out and blind deposits, paired over districts.

Each seed makes a district of 5 × 5 × 5 km with seven deposits of two styles, two of them blind. Every model
leaves each known deposit out in turn, and each style with all its known deposits; its fit on all of them
ranks the blind ones. Ranks are taken against a uniform sample of the eligible cells. The rule that placed the
ore is the ceiling, a forest on shuffled labels the floor.

`deposits.csv` has a row for each district, model and deposit, `comparison.csv` means over districts and the
difference to one model, paired. Finished work is kept, so that the command goes on where it was stopped.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer

DATA = Path(__file__).parents[1] / "data" / "districts"
SEEDS = "201,202,203,204,205,206,207,208,209,210"
DISTANCES = ("granodiorite_distance", "dyke_distance", "fault_ne_distance", "fault_nw_distance")
STAND_OFF = 800.0
RULE, SHUFFLED = "rule", "shuffled"
DEPOSIT, STYLE, BLIND = "left-out deposit", "left-out style", "blind deposit"
MODELS = (
    "rule,shuffled,logistic,weights,forest,boosting,pu,devnet,dl1,dl2,dl3,dl4,dl4_stopped,dl4_members,cbam"
)
VARIANTS: dict[str, dict[str, Any]] = {
    # as networks are usually trained: until a deposit that is held back is not ranked better any more
    "dl4_stopped": {
        "kind": "dl4", "epochs": 30, "early_stopping": True, "patience": 8, "layer_dropout": 0.0
    },
    "dl4_members": {"kind": "dl4", "members": 5},
    SHUFFLED: {"kind": "forest"},
    "boosting": {"kind": "boosting", "monotone": dict.fromkeys(DISTANCES, "decreasing")},
}  # fmt: skip
MEASURES = {"auc": "auc", "capture@0.02": "capture", "median rank": "median_rank"}


@dataclass(frozen=True, eq=False)
class Drawn:
    """A district as samples: known deposits and background, and the blind deposits' patches."""

    seed: int
    samples: Any
    blind: Mapping[str, Any]
    styles: Mapping[str, str]
    rule: Mapping[str, np.ndarray]


def draw(seed: int, folder: Path, *, spacing: float, background: int) -> Drawn:
    """Make a district and its cube, and draw its samples."""
    from mpm3d import cube, samples, synthetic
    from mpm3d.labels import Deposit, cells_of_body

    made = synthetic.district(seed, spacing=spacing)
    layers, inside = made.layers(), made.study_volume()
    place = folder / f"cube_{seed}.zarr"
    cube.create(place, made.grid, overwrite=True)
    cube.set_study_volume(place, lambda part: inside[_window(made.grid, part)])
    for name, values in layers.items():
        cube.add_layer(
            place,
            name,
            lambda part, values=values: values[_window(made.grid, part)],
            units="1",
            long_name=name,
        )
    cells = {body.name: cells_of_body(body.surfaces, made.grid).cells for body in made.deposits}
    cells = {name: own[inside[tuple(own.T)]] for name, own in cells.items()}
    known = [Deposit(b.name, cells[b.name], style=b.style) for b in made.deposits if not b.blind]
    ds = cube.open(place)
    found = samples.from_cube(ds, known, rng=np.random.default_rng(seed), background=background)
    shape = found.patch_shape
    blind = {
        b.name: samples.take_patches(ds, cells[b.name], found.layers, shape) for b in made.deposits if b.blind
    }
    scores = made.rule(layers)
    rule = {name: scores[tuple(own.T)] for name, own in cells.items()}
    rule[""] = scores[tuple(made.grid.index_of(found.xyz[found.source == "reference"]).T)]
    return Drawn(seed, found, blind, {b.name: b.style for b in made.deposits}, rule)


def _window(grid: Any, part: Any) -> tuple[slice, ...]:
    first = grid.index_of([np.array(part.first_centre)[::-1]])[0]
    return tuple(slice(int(i), int(i) + n) for i, n in zip(first, part.shape, strict=True))


def table_of(name: str) -> Any:
    """The defaults of a study for a model; boosting knows that nearer is better."""
    from mpm3d.study.models import MODELS as TABLES

    own = VARIANTS.get(name, {"kind": name})
    return TABLES[own["kind"]].model_validate(own)


def shuffled(samples: Any, seed: int) -> Any:
    """The samples with the labels of deposits dealt to anything that a model may be trained on."""
    rows = np.flatnonzero(samples.source != "reference")
    dealt = np.random.default_rng(seed).permutation(rows)
    label, group = samples.label.copy(), samples.group.copy()
    label[rows], group[rows] = samples.label[dealt], samples.group[dealt]
    return replace(samples, label=label, group=group)


def ranks_of(drawn: Drawn, kind: str, *, most: int) -> dict[str, dict[str, Any]]:
    """Volume ranks of the left-out deposits, of left-out styles, and of the blind deposits."""
    from mpm3d import evaluate

    samples = drawn.samples
    names, styles = samples.deposits, samples.styles
    if kind == RULE:
        ranks = {name: evaluate.volume_ranks(own, drawn.rule[""]) for name, own in drawn.rule.items() if name}
        known = {name: ranks[name] for name in names}
        return {DEPOSIT: known, STYLE: known, BLIND: {name: ranks[name] for name in drawn.blind}}
    if kind == SHUFFLED:
        samples = shuffled(samples, drawn.seed)
    table = table_of(kind)
    rank = partial(
        ranked, drawn, samples, table, most=most, stand_off=0.0 if kind == SHUFFLED else STAND_OFF
    )  # shuffled deposits fill the volume, nothing keeps a distance from them
    left = {name: rank((name,))[name] for name in names}
    by_style: dict[str, Any] = {}
    for style in dict.fromkeys(styles[name] for name in names):
        by_style |= rank(tuple(name for name in names if styles[name] == style))
    return {DEPOSIT: left, STYLE: by_style, BLIND: rank(())}


def ranked(
    drawn: Drawn,
    samples: Any,
    table: Any,
    left_out: tuple[str, ...],
    *,
    most: int,
    stand_off: float,
) -> dict[str, Any]:
    """Volume ranks of deposits by a model that knows the others; of the blind ones if none is left out."""
    from mpm3d import evaluate, fit, splits
    from mpm3d.models import make

    fitted = fit.fit_members(
        samples, lambda: make(table.kind, samples.layers, **table.parameters()),
        known=[name for name in samples.deposits if name not in left_out], left_out=left_out,
        stand_off=stand_off, max_positives=most, members=table.members,
        stopping="deposit" if table.stops_early else "none",
        seed=drawn.seed,
    )  # fmt: skip
    members = [member.estimator for member in fitted]
    cropped = samples.cropped(members[0].patch_shape)
    reference = fit.ensemble_score(members, cropped.patches[splits.reference_rows(samples)])[0]
    own = {name: cropped.patches[samples.group == name] for name in left_out}
    if not left_out:
        own = dict(drawn.blind)
        if members[0].patch_shape == (1, 1, 1):
            own = {name: patches[..., 1:2, 1:2, 1:2] for name, patches in own.items()}
    return {
        name: evaluate.volume_ranks(fit.ensemble_score(members, patches)[0], reference)
        for name, patches in own.items()
    }


def rows_of(
    drawn: Drawn, kind: str, ranks: Mapping[str, Mapping[str, Any]], seconds: float
) -> list[dict[str, Any]]:
    """A row for each deposit."""
    return [
        {
            "district": drawn.seed, "model": kind, "scheme": scheme, "deposit": name,
            "style": drawn.styles[name], "cells": len(values), "auc": float(1 - np.mean(values)),
            "capture": float(np.mean(np.asarray(values) <= 0.02)),
            "median_rank": float(np.median(values)), "seconds": seconds,
        }
        for scheme, by_deposit in ranks.items()
        for name, values in by_deposit.items()
    ]  # fmt: skip


def summary(table: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Means over districts, their spread, and the difference to the baseline, paired over districts."""
    from mpm3d import evaluate

    rows = []
    for (scheme, model), own in table.groupby(["scheme", "model"], sort=False):
        other = table[(table["model"] == baseline) & (table["scheme"] == scheme)]
        for name, column in MEASURES.items():
            each = own.groupby("district")[column].mean()
            paired = (each - other.groupby("district")[column].mean()).dropna()
            mean, low, high = evaluate.interval(each.to_numpy())
            error = paired.std(ddof=1) / np.sqrt(len(paired)) if len(paired) > 1 else np.nan
            rows.append({
                "scheme": scheme, "model": model, "metric": name, "mean": mean, "low": low, "high": high,
                "n": len(each), "n_of": "districts", f"minus {baseline}": paired.mean(),
                "its standard error": error, "seconds": own.groupby("district")["seconds"].first().mean(),
            })  # fmt: skip
    return pd.DataFrame(rows)


def main(
    seeds: Annotated[str, typer.Option(help="Seeds of the districts.")] = SEEDS,
    models: Annotated[str, typer.Option(help="Which models.")] = MODELS,
    baseline: Annotated[str, typer.Option(help="What the others are compared with.")] = "boosting",
    patches: Annotated[int, typer.Option(min=20, help="The most patches of a fit, of both classes.")] = 1200,
    spacing: Annotated[float, typer.Option(help="Size of the cells in metres.")] = 50.0,
    background: Annotated[int, typer.Option(min=100, help="Cells that ranks are taken against.")] = 10_000,
    results: Annotated[Path, typer.Option(help="Where the tables go.")] = DATA / "results",
    work: Annotated[Path, typer.Option(help="Where finished work is kept.")] = Path("runs/districts"),
) -> None:
    """Compare all models on synthetic districts."""
    work.mkdir(parents=True, exist_ok=True)
    results.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for seed in map(int, seeds.split(",")):
        drawn = None
        for kind in models.split(","):
            kept = work / f"{seed}_{kind}_{patches}_{spacing:g}_{background}.json"
            if not kept.exists():
                drawn = drawn or draw(seed, work, spacing=spacing, background=background)
                start = time.perf_counter()
                ranks = ranks_of(drawn, kind, most=patches // 2)
                own = rows_of(drawn, kind, ranks, time.perf_counter() - start)
                kept.with_suffix(".part").write_text(json.dumps(own))
                kept.with_suffix(".part").replace(kept)
            rows += json.loads(kept.read_text())
            print(f"district {seed}, {kind}: done", flush=True)
    table = pd.DataFrame(rows)
    found = summary(table, baseline)
    table.to_csv(results / "deposits.csv", index=False, lineterminator="\n", float_format="%.5g")
    found.to_csv(results / "comparison.csv", index=False, lineterminator="\n", float_format="%.5g")
    print(found[found["metric"] != "median rank"].to_string(index=False, float_format="{:.3f}".format))


if __name__ == "__main__":
    typer.run(main)
