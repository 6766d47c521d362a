"""How the final models rank the deposits that they were fitted on: what is left when nothing is held out."""

from __future__ import annotations

from typing import Any

import numpy as np

from mpm3d import evaluate, fit, samples
from mpm3d.comparison.final import Row, rows_of, scores_of
from mpm3d.splits import reference_rows
from mpm3d.study import ModelTable
from mpm3d.validate.rows import deposit_row
from mpm3d.work import Work

NAME = "in sample"


def in_sample_rows(
    run: Work, table: ModelTable, drawn: samples.Samples, population: int | None
) -> tuple[list[Row], list[Row]]:
    """Rank the known deposits with the final model of a table, which was fitted on them.

    Such figures say how well a model remembers, and are optimistic by construction; they are often reported.

    Parameters
    ----------
    run : Work
        With the fitted models.
    table : ModelTable
        Which of them.
    drawn : Samples
        The deposits, and what they are ranked against: the reference, or every unlabelled row of a table.
    population : int or None
        Eligible cells that the reference stands for, where it is a sample of them.

    Returns
    -------
    rows, deposits : list of dict
        For the two tables; none unless the study has ``[validate] in_sample``.
    """
    if not run.study.validation.in_sample:
        return [], []
    members, _ = fit.load_members(run.path(run.model_folder(run.study.models.index(table))))
    eligible = scores_of(members, drawn, reference_rows(drawn))
    weights = None if population is None else np.full(len(eligible), population / len(eligible))
    ranks: dict[str, Any] = {}
    precision = []
    for name in drawn.deposits:
        score = scores_of(members, drawn, np.flatnonzero((drawn.label == 1) & (drawn.group == name)))
        ranks[name] = evaluate.volume_ranks(score, eligible)
        precision.append(evaluate.average_precision(score, eligible, weights=weights))
    rows = rows_of((table.kind, NAME), ranks, precision, drawn)
    known, styles = drawn.deposits, drawn.styles
    each = [deposit_row((table.kind, NAME, name), [r], styles, known, True) for name, r in ranks.items()]
    return rows, each
