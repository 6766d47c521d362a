"""From outcomes of folds to the rows of the tables: a value per repeat, then mean and interval."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mpm3d import evaluate
from mpm3d.validate.outcome import Float64, Outcome
from mpm3d.validate.settings import TRAINED

COLUMNS = ("model", "scheme", "metric", "mean", "low", "high", "n", "n_of", "optimistic")
DEPOSIT_COLUMNS = (
    "model", "scheme", "deposit", "style", "training_has_style", "cells",
    "auc", "auc_low", "auc_high", "capture@0.02", "capture@0.02_low", "capture@0.02_high",
    "median_rank", "median_rank_low", "median_rank_high", "n", "optimistic",
)  # fmt: skip
QUOTED = 0.02
"""The share of the volume that is quoted for single deposits and styles."""

Row = dict[str, Any]
Ranks = dict[str, Float64]
Styles = Mapping[str, str]


def grouped(outcomes: Iterable[Outcome]) -> dict[tuple[str, str], dict[int, list[Outcome]]]:
    """Outcomes by model and scheme, then by repeat."""
    found: dict[tuple[str, str], dict[int, list[Outcome]]] = {}
    for one in outcomes:
        found.setdefault((one.model, one.scheme), {}).setdefault(one.repeat, []).append(one)
    return found


def pooled(outcomes: Iterable[Outcome]) -> Ranks:
    """Volume ranks by deposit, over folds and repeats."""
    parts: dict[str, list[Float64]] = {}
    for one in outcomes:
        for name, ranks in one.ranks.items():
            parts.setdefault(name, []).append(ranks)
    return {name: np.concatenate(each) for name, each in parts.items()}


def is_optimistic(scheme: str, outcomes: Iterable[Outcome]) -> bool:
    """Whether numbers of a scheme flatter: the random split always, any other where it leaks cells."""
    return scheme in ("random", TRAINED) or any(one.shared[0] for one in outcomes)


def rows_of(outcomes: Sequence[Outcome], shares: Sequence[float], styles: Styles) -> tuple[Row, ...]:
    """The rows of the comparison."""
    rows: list[Row] = []
    for (model, scheme), repeats in grouped(outcomes).items():
        every = [one for each in repeats.values() for one in each]
        leaks = is_optimistic(scheme, every)
        if scheme == "random":
            measured: list[Measured] = [{"": _random_values(each[0])} for each in repeats.values()]
            counts = {"": f"repeats, {len(every[0].labels)} test samples"}
        else:
            measured = [_spatial_values(each, scheme, shares, styles) for each in repeats.values()]
            counts = _counts(pooled(every), scheme, styles)
        found = _over_repeats(measured)
        if scheme != "random":
            found[""] |= _at_crossing(pooled(every), found[""])
        rows += [
            dict(zip(COLUMNS, (model, scheme, name, *three, len(repeats), counts[part], leaks), strict=True))
            for part, metrics in found.items()
            for name, three in metrics.items()
        ]
    return tuple(rows)


Measured = dict[str, dict[str, float]]
Three = tuple[float, float, float]


def _over_repeats(measured: Sequence[Measured]) -> dict[str, dict[str, Three]]:
    return {
        part: {name: evaluate.interval([one[part][name] for one in measured]) for name in metrics}
        for part, metrics in measured[0].items()
    }


def _at_crossing(ranks: Ranks, found: Mapping[str, Three]) -> dict[str, Three]:
    """The crossing over all repeats pooled, which cuts the targets, with the interval of the repeats."""
    where = evaluate.crossing(evaluate.pa_curve(ranks))
    nan = float("nan")
    values = {"P-A crossing": nan, "P-A density": nan}
    if where is not None:
        values = {"P-A crossing": where.volume, "P-A density": where.density}
    return {name: (value, *found[name][1:]) for name, value in values.items()}


def _random_values(one: Outcome) -> dict[str, float]:
    metrics = evaluate.classification(one.labels, one.scores)
    if not one.probability:
        return {"auc": metrics["auc"]}  # half is a threshold for probabilities only
    return metrics | {"brier": evaluate.brier(one.labels, one.scores)}


def _spatial_values(
    outcomes: Sequence[Outcome], scheme: str, shares: Sequence[float], styles: Styles
) -> Measured:
    """Metrics of one repeat: of all deposits under ``""``, then of those of a same or new style."""
    ranks = pooled(outcomes)
    area, captured = evaluate.auc(ranks), evaluate.capture(ranks, shares)
    values = {
        "auc": area.deposits,
        "average precision": float(np.mean([one.average_precision for one in outcomes])),
    }
    values |= {f"capture@{s:g}": float(v) for s, v in zip(captured.shares, captured.deposits, strict=True)}
    values["median_rank"] = float(np.mean([np.median(each) for each in ranks.values()]))
    values["auc of cells"] = area.cells
    values |= {
        f"capture of cells@{s:g}": float(v) for s, v in zip(captured.shares, captured.cells, strict=True)
    }
    where = evaluate.crossing(evaluate.pa_curve(ranks))
    values["P-A crossing"] = float("nan") if where is None else where.volume
    values["P-A density"] = float("nan") if where is None else where.density
    if all(one.probability for one in outcomes):
        values["brier"] = float(np.mean([evaluate.brier(one.labels, one.scores) for one in outcomes]))
    parts = by_style(ranks, styles) if scheme != "block" else {}
    return {"": values} | {style: style_values(part, style) for style, part in parts.items()}


def style_values(ranks: Ranks, style: str) -> dict[str, float]:
    """AUC and capture of the deposits of a same or a new style."""
    inside = evaluate.capture(ranks, [QUOTED])
    return {
        f"auc {style}": evaluate.auc(ranks).deposits,
        f"capture@{QUOTED:g} {style}": float(inside.deposits[0]),
    }


def training_has(deposit: str, styles: Styles, known: Iterable[str]) -> bool | None:
    """Whether another known deposit has the style of this one; None where its style is not known."""
    style = styles.get(deposit, "")
    return any(styles.get(one, "") == style for one in known if one != deposit) if style else None


def by_style(ranks: Ranks, styles: Styles, known: Iterable[str] | None = None) -> dict[str, Ranks]:
    """Deposits whose style the training side has, and those whose style it has not, where there are any.

    ``known`` are the deposits trained on, by default all others of ``ranks``.
    """
    others = tuple(ranks if known is None else known)
    words = {True: "same style", False: "new style"}
    found: dict[str, Ranks] = {}
    for has, name in words.items():
        part = {d: r for d, r in ranks.items() if training_has(d, styles, others) is has}
        if part:
            found[name] = part
    return found


def _counts(ranks: Ranks, scheme: str, styles: Styles) -> dict[str, str]:
    parts = {"": ranks} | (by_style(ranks, styles) if scheme != "block" else {})
    return {name: f"repeats, {deposits(len(part))}" for name, part in parts.items()}


def deposits(n: int) -> str:
    """``1 deposit``, ``2 deposits``."""
    return f"{n} deposit{'s' * (n != 1)}"


def deposit_rows(outcomes: Sequence[Outcome], styles: Styles) -> tuple[Row, ...]:
    """A row per model, scheme and held-out deposit."""
    rows: list[Row] = []
    for (model, scheme), repeats in grouped(outcomes).items():
        every = [one for each in repeats.values() for one in each]
        ranked, leaks = [pooled(each) for each in repeats.values()], is_optimistic(scheme, every)
        known = tuple(ranked[0]) if scheme != "block" else None
        for deposit in pooled(every):
            each = [ranks[deposit] for ranks in ranked if deposit in ranks]
            rows.append(deposit_row((model, scheme, deposit), each, styles, known, leaks))
    return tuple(rows)


def deposit_row(
    names: tuple[str, str, str],
    ranks: Sequence[Float64],
    styles: Styles,
    known: Iterable[str] | None,
    optimistic: bool,
) -> Row:
    """One deposit's ranks in each repeat as a row of model, scheme and deposit.

    ``known`` are the deposits of the training side, None where that question has no answer.
    """
    deposit = names[2]
    has = None if known is None else training_has(deposit, styles, known)
    values: list[Any] = [*names, styles.get(deposit, ""), _YES[has], len(ranks[0])]
    for measure in _OF_DEPOSITS:
        values += evaluate.interval([measure(each) for each in ranks])
    return dict(zip(DEPOSIT_COLUMNS, [*values, len(ranks), optimistic], strict=True))


_OF_DEPOSITS: tuple[Callable[[Float64], float], ...] = (
    lambda ranks: float(1 - ranks.mean()),
    lambda ranks: float((ranks <= QUOTED).mean()),
    lambda ranks: float(np.median(ranks)),
)
_YES = {True: "yes", False: "no", None: ""}
