"""How the final models rank the deposits that no model has seen."""

from __future__ import annotations

from typing import Any

import numpy as np

from mpm3d import cube, evaluate, fit, samples
from mpm3d.splits import reference_rows
from mpm3d.study import ModelTable
from mpm3d.validate.rows import by_style, deposit_row, deposits, style_values
from mpm3d.work import Run

Row = dict[str, Any]


def blind_rows(
    run: Run, table: ModelTable, drawn: samples.Samples, population: int
) -> tuple[list[Row], list[Row]]:
    """Rank the blind deposits with the final model of a table, fitted on all known deposits.

    Parameters
    ----------
    run : Run
        With the fitted models.
    table : ModelTable
        Which of them.
    drawn : Samples
        The reference; it was drawn from the whole volume outside the known deposits, blind ones included.
    population : int
        Eligible cells that it stands for.

    Returns
    -------
    rows, deposits : list of dict
        For the two tables. One model, so low and high are the least and the greatest of the deposits.
    """
    if not run.blind:
        return [], []
    members, _ = fit.load_members(run.path(run.model_folder(run.study.models.index(table))))
    shape, ds = members[0].patch_shape, cube.open(run.study.cube_place)
    eligible = _scores(members, drawn, reference_rows(drawn))
    weights = np.full(len(eligible), population / len(eligible))
    ranks, precision = {}, []
    for deposit in run.blind:
        score, _ = fit.ensemble_score(members, samples.take_patches(ds, deposit.cells, drawn.layers, shape))
        ranks[deposit.name] = evaluate.volume_ranks(score, eligible)
        precision.append(evaluate.average_precision(score, eligible, weights=weights))
    styles = {deposit.name: deposit.style for deposit in run.deposits}
    rows = _rows(table.kind, ranks, precision, styles, drawn.deposits)
    known = drawn.deposits
    each = [deposit_row((table.kind, "blind", name), [r], styles, known, False) for name, r in ranks.items()]
    return rows, each


def _scores(members: list[Any], drawn: samples.Samples, rows: Any) -> Any:
    background = drawn.take(rows).cropped(members[0].patch_shape)
    return fit.ensemble_score(members, background.patches)[0]


def _rows(
    kind: str, ranks: dict[str, Any], precision: list[float], styles: dict[str, str], known: tuple[str, ...]
) -> list[Row]:
    area, inside = evaluate.auc(ranks), evaluate.capture(ranks)
    each = [("auc", list(area.each.values())), ("average precision", precision)]
    each += [
        (f"capture@{share:g}", [float(part[at]) for part in inside.each.values()])
        for at, share in enumerate(inside.shares)
    ]
    each.append(("median_rank", [float(np.median(values)) for values in ranks.values()]))
    rows = [
        _row(kind, metric, float(np.mean(values)), min(values), max(values), len(values))
        for metric, values in each
    ]
    nan = float("nan")
    for style, part in by_style(ranks, styles, known).items():
        rows += [_row(kind, name, v, nan, nan, len(part)) for name, v in style_values(part, style).items()]
    return rows


def _row(kind: str, metric: str, mean: float, low: float, high: float, n: int) -> Row:
    return {
        "model": kind, "scheme": "blind", "metric": metric, "mean": mean, "low": low, "high": high, "n": n,
        "n_of": deposits(n).split()[1], "optimistic": False,
    }  # fmt: skip
