"""Validating the models of a study and writing what came of it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

import mpm3d
from mpm3d import validate
from mpm3d.comparison import figures
from mpm3d.comparison.blind import blind_rows
from mpm3d.comparison.in_sample import in_sample_rows
from mpm3d.errors import StudyError
from mpm3d.run import hash_of, versions, write_text
from mpm3d.samples import Samples
from mpm3d.splits import BlockFold
from mpm3d.study import ModelTable
from mpm3d.work import Run, Work

_MOST = 8.0  # GB of patches
_FILES = ("comparison.csv", "comparison_deposits.csv", "comparison.json")

Repeats = int | Mapping[str, int] | None


@dataclass(frozen=True)
class Plan:
    """Which models are compared, and how.

    Parameters
    ----------
    tables : tuple of ModelTable
        Models of the study.
    schemes : tuple of str
        Some of `mpm3d.validate.SCHEMES`.
    asked : bool
        Whether the schemes were asked for by name: one that is not possible is then an error, and left out
        with its reason otherwise.
    repeats : dict of str to int
        By model.
    full : bool
        Rank against every cell.
    """

    tables: tuple[ModelTable, ...]
    schemes: tuple[str, ...]
    asked: bool
    repeats: dict[str, int]
    full: bool

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of the models."""
        return tuple(table.kind for table in self.tables)


def plan(
    run: Work,
    *,
    full: bool = False,
    schemes: Sequence[str] | None = None,
    models: Sequence[str] | None = None,
    repeats: Repeats = None,
) -> Plan:
    """What is to be compared, by the study unless it is said here.

    Parameters
    ----------
    run : Work
        The study.
    full : bool
        Rank against every cell.
    schemes, models : sequence of str, optional
        Some of the schemes; some of the study's models.
    repeats : int or mapping of str to int, optional
        For all models, or by model; where it says nothing the study's number holds.

    Raises
    ------
    StudyError
        If a model is not in the study, a scheme is not known, or repeats are below 1.
    """
    have: dict[str, ModelTable] = {table.kind: table for table in run.study.models}
    chosen = tuple(dict.fromkeys(models or have))
    strange = [name for name in chosen if name not in have]
    unknown = [name for name in schemes or () if name not in validate.SCHEMES]
    if strange:
        raise StudyError(
            f"no model {', '.join(map(repr, strange))} is in the study. It has {', '.join(have)}; add a "
            "[[models]] table for another."
        )
    if unknown:
        raise StudyError(
            f"schemes {', '.join(map(repr, unknown))} are not known, use any of "
            f"{', '.join(validate.SCHEMES)}."
        )
    rules = run.study.validation
    given = dict(repeats) if isinstance(repeats, Mapping) else {}
    most = rules.repeats if repeats is None or isinstance(repeats, Mapping) else repeats
    counts = {name: given.get(name, most) for name in chosen}
    wrong = {name: count for name, count in counts.items() if count < 1}
    if wrong:
        raise StudyError(f"repeats of {wrong} are not possible, at least 1 each is needed.")
    return Plan(
        tuple(have[name] for name in chosen), tuple(schemes or rules.schemes), bool(schemes), counts, full
    )


def compare(run: Work, chosen: Plan) -> pd.DataFrame:
    """Validate the models of a plan, rank the blind deposits; print it, keep tables and figures.

    The models have been fitted. Folds that are finished are kept in ``validation/`` of the run folder, also
    those of models that are not in this plan; the tables hold the models of the plan.

    Parameters
    ----------
    run : Work
        The study.
    chosen : Plan
        From `plan`.

    Returns
    -------
    DataFrame
        The rows of ``comparison.csv``.

    Raises
    ------
    StudyError
        If a scheme that was asked for is not possible, or none is.
    """
    started = time.monotonic()
    key, points = _key(run, chosen), not isinstance(run, Run)
    if run.folder.done("validate", key, *_FILES):
        table = pd.read_csv(run.path("comparison.csv"))
        run.say(f"validation: done already, used as it is.\n{side_by_side(table, points=points)}")
        return table
    drawn = run.samples
    if chosen.full and isinstance(run, Run):
        drawn = run.draw_samples(run.grid.n_cells)
    if run.folder.overwrite:
        for kind in chosen.kinds:
            validate.forget(run.path("validation"), kind)
    parts = [_validated(run, table, drawn, chosen) for table in chosen.tables]
    found = parts[0].joined(parts[1:])
    table, deposits = _tables(run, chosen, found, drawn)
    said, blocks = found.paragraph(run.space), _blocks(run, chosen, found, drawn)
    figures.draw(found, drawn, run.path("figures"), blocks=blocks, note=run.study.note, space=run.space)
    write_text(run.path("comparison.csv"), table.to_csv(index=False, lineterminator="\n"))
    write_text(run.path("comparison_deposits.csv"), deposits.to_csv(index=False, lineterminator="\n"))
    write_text(run.path("comparison.json"), _json(run, chosen, found, (table, deposits), said))
    crossings = _crossings(found)
    run.folder.finish(
        "validate", key, started, models=chosen.kinds, crossings=crossings, words=said,
        n_reference=found.n_reference,
    )  # fmt: skip
    run.say(f"{said}\n{side_by_side(table, points=points)}{_only(run, chosen)}")
    return table


def _key(run: Work, chosen: Plan) -> str:
    rules = run.study.validation.model_dump(exclude={"schemes", "repeats", "calibration"})
    tables = [table.model_dump() for table in chosen.tables]
    how = [chosen.schemes, chosen.repeats, chosen.full, rules]
    return hash_of(run.labels_key, tables, how, mpm3d.__version__)


def _only(run: Work, chosen: Plan) -> str:
    others = [table.kind for table in run.study.models if table.kind not in chosen.kinds]
    if not others:
        return ""
    return (
        f"\ncomparison.csv holds {', '.join(chosen.kinds)} only; what was done of {', '.join(others)} is "
        "kept, and is in the table again when all models are validated."
    )


def _blocks(run: Work, chosen: Plan, found: validate.Comparison, drawn: Samples) -> list[BlockFold] | None:
    """The blocks of the first repeat."""
    if "block" not in found.schemes:
        return None
    return validate.blocks(drawn, _settings(run, chosen.tables[0], drawn, chosen), seed=run.study.seed)


def _settings(run: Work, table: ModelTable, drawn: Samples, chosen: Plan) -> validate.Settings:
    rules = run.study.validation
    return validate.Settings(
        **run.drawing(table), population=run.population(drawn), schemes=chosen.schemes,
        repeats=chosen.repeats[table.kind], folds=rules.folds, buffer=rules.buffer, size=rules.size,
        axis=rules.axis, negatives=rules.negatives, deposit_buffer=rules.deposit_buffer,
        unseen=run.unseen,
    )  # fmt: skip


def _validated(run: Work, table: ModelTable, drawn: Samples, chosen: Plan) -> validate.Comparison:
    settings = _settings(run, table, drawn, chosen)
    with run.bar(f"validate {table.kind}") as progress:
        return validate.validate(
            drawn, {table.kind: run.maker(table)}, settings=settings, seed=run.study.seed,
            folder=run.path("validation"), progress=progress, lenient=not chosen.asked,
        )  # fmt: skip


def _tables(
    run: Work, chosen: Plan, found: validate.Comparison, drawn: Samples
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of the comparison and of the deposits, those in sample and blind ones last."""
    population = run.population(drawn)
    more = [in_sample_rows(run, table, drawn, population) for table in chosen.tables]
    if isinstance(run, Run):
        more += [blind_rows(run, table, drawn, run.population(drawn)) for table in chosen.tables]
    rows = [*found.rows, *(row for each, _ in more for row in each)]
    deposits = [*found.deposits.to_dict("records"), *(row for _, each in more for row in each)]
    return (
        pd.DataFrame(rows, columns=list(validate.COLUMNS)),
        pd.DataFrame(deposits, columns=list(found.deposits.columns)),
    )


def _crossings(found: validate.Comparison) -> dict[str, dict[str, Any] | None]:
    return {model: None if where is None else asdict(where) for model, where in found.crossings.items()}


def _json(
    run: Work, chosen: Plan, found: validate.Comparison, tables: tuple[pd.DataFrame, pd.DataFrame], said: str
) -> str:
    table, deposits = tables
    whole = {
        "study": run.study.name,
        "words": said,
        "optimistic": found.optimistic,
        "shared": {
            scheme: dict(zip(("samples", "of"), n, strict=True)) for scheme, n in found.shared.items()
        },
        "settings": {t.kind: t.model_dump(mode="json") for t in chosen.tables},
        "validation": run.study.validation.model_dump(mode="json")
        | {"schemes": found.schemes, "repeats": chosen.repeats, "full": chosen.full, "buffer": found.buffer},
        "samples": run.drawing_rules,
        "seed": run.study.seed,
        "sizes": {"reference": found.n_reference, "eligible": found.population},
        "crossings": _crossings(found),
        "agreement": found.agreement,
        "seconds": {model: round(seconds, 1) for model, seconds in found.seconds.items()},
        "versions": versions(),
        "rows": table.to_dict("records"),
        "deposits": deposits.to_dict("records"),
        "ranks": {
            model: {name: [round(float(rank), 7) for rank in ranks] for name, ranks in each.items()}
            for model, each in found.ranks.items()
        },
        "folds": found.folds,
    }
    return json.dumps(_plain(whole), indent=1, allow_nan=False)


def _plain(value: Any) -> Any:
    """What JSON can hold: no NaN, no infinity, no numbers of NumPy."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def check_memory(run: Run) -> None:
    """Refuse to rank against every cell of a volume whose patches do not fit in memory."""
    needed = run.grid.n_cells * len(run.study.layers) * 27 * 4 / 1e9
    if needed > _MOST:
        raise StudyError(
            f"--full needs patches of {needed:.0f} GB in memory, {_MOST:.0f} GB is the most. Leave it out: a "
            f"sample of {run.study.samples.background:,} cells is used then."
        )


_SCHEMES = {
    "in sample": ("in sample", ("auc", "capture@0.02")),
    "random": ("random split", ("accuracy", "auc", "f1")),
    "block": ("block", ("auc", "capture@0.02")),
    "deposit": ("left out", ("auc", "capture@0.02", "median_rank")),
    "deposit, published negatives": ("left out, published negatives", ("auc", "capture@0.02", "median_rank")),
    "deposit, among trained rows": ("left out, among trained rows", ("auc", "capture@0.02", "median_rank")),
    "blind": ("blind", ("auc", "capture@0.02", "median_rank")),
}
_METRICS = {"auc": "AUC", "f1": "F1", "capture@0.02": "best 2 %", "median_rank": "median rank"}


def side_by_side(table: pd.DataFrame, *, points: bool = False) -> str:
    """The comparison as people read it: a column a model, what is optimistic marked.

    Parameters
    ----------
    table : DataFrame
        Rows of ``comparison.csv``.
    points : bool
        Whether they are of a table of points, which has no patches.
    """
    means = table.set_index(["model", "scheme", "metric"])["mean"]
    leaks = table.groupby("scheme")["optimistic"].any()
    models = list(table["model"].drop_duplicates())
    rows: dict[str, list[str]] = {}
    for scheme, (name, metrics) in _SCHEMES.items():
        mark = "*" if leaks.get(scheme, False) else ""
        for metric in metrics:
            values = [means.get((model, scheme, metric)) for model in models]
            if any(value is not None for value in values):
                label = f"{name}{mark} {_METRICS.get(metric, metric)}"
                rows[label] = ["–" if value is None else f"{value:.3f}" for value in values]
    wide = pd.DataFrame.from_dict(rows, orient="index", columns=models)
    note = ""
    if leaks.any():
        said = (
            "test rows lie among training rows"
            if points
            else "test patches share cells with training patches"
        )
        note = f"\n* optimistic: {said}{', or were trained on' if 'in sample' in leaks else ''}."
    return f"{wide.to_string()}{note}"
