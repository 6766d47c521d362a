"""How the final models rank the deposits that no model has seen."""

from __future__ import annotations

import numpy as np

from mpm3d import cube, evaluate, fit, samples
from mpm3d.comparison.final import Row, rows_of, scores_of
from mpm3d.splits import reference_rows
from mpm3d.study import ModelTable
from mpm3d.validate.rows import deposit_row
from mpm3d.work import Run


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
    eligible = scores_of(members, drawn, reference_rows(drawn))
    weights = np.full(len(eligible), population / len(eligible))
    ranks, precision = {}, []
    for deposit in run.blind:
        score, _ = fit.ensemble_score(members, samples.take_patches(ds, deposit.cells, drawn.layers, shape))
        ranks[deposit.name] = evaluate.volume_ranks(score, eligible)
        precision.append(evaluate.average_precision(score, eligible, weights=weights))
    styles = {deposit.name: deposit.style for deposit in run.deposits}
    rows = rows_of((table.kind, "blind"), ranks, precision, drawn, styles)
    known = drawn.deposits
    each = [deposit_row((table.kind, "blind", name), [r], styles, known, False) for name, r in ranks.items()]
    return rows, each
