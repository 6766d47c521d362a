"""The paper's table of models with ours beside it, and what the targets of models contain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import TypeAdapter

from mpm3d import blocks, cube, evaluate
from mpm3d.models import KINDS
from mpm3d.study import ModelTable, NetworkTable, Study
from mpm3d.study.models import MODELS, CbamTable, DevnetTable
from mpm3d.validate.rows import QUOTED
from mpm3d.work import Run

HALF = 0.5
"""Share of a deposit's cells from which on targets are said to contain it."""

_COLUMNS = [
    ("random", "accuracy"), ("random", "auc"), ("random", "f1"),
    ("block", "auc"), ("block", "capture@0.02"), ("deposit", "auc"), ("deposit", "capture@0.02"),
    ("blind", "auc"), ("blind", "capture@0.02"),
]  # fmt: skip


def with_every_model(study: Study) -> Study:
    """The study with a table for every kind of model, those it has first and as they are.

    Networks that are added take epochs, patience and early stopping from the first network it has.

    Parameters
    ----------
    study : Study
        Of any models.

    Returns
    -------
    Study
        Named after it, ``<name>_models``, so that it has a run folder of its own.
    """
    have = {table.kind for table in study.models}
    network = next((table for table in study.models if isinstance(table, NetworkTable)), None)
    names = ("epochs", "patience", "early_stopping")
    shared = {} if network is None else {name: getattr(network, name) for name in names}
    read: TypeAdapter[ModelTable] = TypeAdapter(ModelTable)
    tables = list(study.models)
    for kind in KINDS:
        if kind not in have:
            settings: dict[str, Any] = shared if issubclass(MODELS[kind], NetworkTable | CbamTable) else {}
            tables.append(read.validate_python({"kind": kind, **settings}))
    return study.model_copy(update={"models": tables, "name": f"{study.name}_models"})


def table_one(run: Run, table: pd.DataFrame) -> pd.DataFrame:
    """A row a model: parameters, what was published, and what each scheme gives here.

    Parameters
    ----------
    run : Run
        The study.
    table : DataFrame
        Rows of ``comparison.csv``.

    Returns
    -------
    DataFrame
        Published scores are those of a random split of another district; ``random`` columns are optimistic.
    """
    from mpm3d.models.cost import PUBLISHED, cost_of  # loads torch

    means = table.set_index(["model", "scheme", "metric"])["mean"]
    rows = []
    for settings in run.study.models:
        kind = settings.kind
        if kind not in set(table["model"]):
            continue
        estimator, published = run.maker(settings)(), PUBLISHED.get(kind)
        row: dict[str, Any] = {"model": kind}
        if isinstance(settings, NetworkTable | CbamTable | DevnetTable):
            cost = cost_of(estimator)
            row |= {"parameters": cost.parameters, "flops": cost.flops}
        for name in ("parameters", "flops", "accuracy", "auc", "f1"):
            row[f"published {name}"] = getattr(published, name, None)
        row |= {f"{scheme} {metric}": means.get((kind, scheme, metric)) for scheme, metric in _COLUMNS}
        rows.append(row)
    found = pd.DataFrame(rows)
    optimistic = set(table.loc[table["optimistic"].astype(bool), "scheme"])
    names = {
        f"{scheme} {metric}": f"{scheme} {metric} (optimistic)" for scheme, metric in _COLUMNS
        if scheme in optimistic
    }  # fmt: skip
    return found.rename(columns=names)


def shares_of(run: Run, kinds: Sequence[str]) -> dict[str, float]:
    """Share of the volume at the P-A crossing of each model, 2 % where it has none."""
    found = run.folder.facts("validate").get("crossings", {})
    return {kind: float((found.get(kind) or {}).get("volume") or QUOTED) for kind in kinds}


def contained(run: Run, volumes: Mapping[str, Path], shares: Mapping[str, float]) -> pd.DataFrame:
    """Which deposits the targets of models contain, side by side.

    A model's targets are its best share of the eligible cells, those outside the known deposits.

    Parameters
    ----------
    run : Run
        The study.
    volumes : mapping of str to Path
        The prospectivity of each model.
    shares : mapping of str to float
        Share of the eligible cells of each, such as from `shares_of`.

    Returns
    -------
    DataFrame
        ``model, share, deposit, role, cells, inside, contains``: the share of the deposit's cells among the
        targets, and yes where that is at least half. A known deposit was trained on, a blind one was not.
    """
    rows = []
    for kind, place in volumes.items():
        score = cube.open(place)["score"].variable
        cut = evaluate.cut_volume(lambda score=score: _eligible(run, score), shares[kind])  # type: ignore[misc]
        for role, deposits in (("known", run.known), ("blind", run.blind)):
            for deposit in deposits:
                values = _at(score, deposit.cells)
                inside = 0.0 if cut is None else float((values >= np.float32(cut.threshold)).mean())
                rows.append({
                    "model": kind, "share": shares[kind], "deposit": deposit.name, "role": role,
                    "cells": len(deposit.cells), "inside": inside,
                    "contains": "yes" if inside >= HALF else "no",
                })  # fmt: skip
    return pd.DataFrame(rows)


def _eligible(run: Run, score: Any) -> Iterator[NDArray[np.float32]]:
    """Scores outside the known deposits, slab by slab."""
    known = np.concatenate([deposit.cells for deposit in run.known])
    _, ny, nx = run.grid.shape
    for slab in blocks.tile(run.grid.shape, (50, ny, nx)):
        first, last = slab.core[0].start, slab.core[0].stop
        values = np.array(score[slab.core].values, dtype=np.float32)
        z, y, x = known[(known[:, 0] >= first) & (known[:, 0] < last)].T
        values[z - first, y, x] = np.nan
        yield values


def _at(score: Any, cells: NDArray[Any]) -> NDArray[np.float32]:
    """Scores of cells, read as the box around them."""
    low, high = cells.min(axis=0), cells.max(axis=0) + 1
    box = score[tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))].values
    found: NDArray[np.float32] = box[tuple((cells - low).T)]
    return found


def said_contained(table: pd.DataFrame) -> str:
    """The table of `contained` as people read it: a row a deposit, a column a model.

    Known deposits were trained on, so only a blind one is a test.
    """
    words = table.assign(
        cell=[
            f"{yes} ({inside:.0%})" for yes, inside in zip(table["contains"], table["inside"], strict=True)
        ],
        place=[f"{name} ({role})" for name, role in zip(table["deposit"], table["role"], strict=True)],
        named=[
            f"{model}, best {share:.1%}" for model, share in zip(table["model"], table["share"], strict=True)
        ],
    )
    wide = words.pivot(index="place", columns="named", values="cell")
    wide = wide.loc[list(dict.fromkeys(words["place"])), list(dict.fromkeys(words["named"]))]
    wide.index.name = wide.columns.name = None
    return (
        f"Do the targets contain the deposit, and how much of it:\n{wide.to_string()}\n"
        "Known deposits were trained on; only blind ones test a model."
    )
