"""Why deposits score as they do: the mean over the cells of each, known or blind."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from mpm3d import storage
from mpm3d.labels import Deposit
from mpm3d.predict.scoring import one_thread
from mpm3d.reasons.few import MOST, at_cells, explain_cells, spread
from mpm3d.reasons.store import ATTRIBUTION, place_of, scores_of
from mpm3d.reasons.subject import Subject
from mpm3d.reasons.summary import Tally
from mpm3d.work import Run


@dataclass(frozen=True, eq=False)
class DepositTally:
    """Attributions of a deposit.

    Parameters
    ----------
    name : str
        The deposit.
    blind : bool
        Whether no model was trained on it. Of another the model explains what it remembers.
    tally : Tally
        Over its cells that have a score, all of them or `MOST` evenly spread over the ranks of their scores;
        of no cell where none has a score.
    """

    name: str
    blind: bool
    tally: Tally


def of_deposits(run: Run, number: int, subject: Subject) -> list[DepositTally]:
    """Attributions of every deposit of a study, from the store where it has all cells of one.

    Parameters
    ----------
    run : Run
        The study at work, its store of attributions written.
    number : int
        Which of its models.
    subject : Subject
        That model.
    """
    deposits = [(one, False) for one in run.known] + [(one, True) for one in run.blind]
    workers = subject.workers(run.study.predict.workers)
    with run.bar("explain deposits") as progress, one_thread(), ThreadPoolExecutor(workers) as pool:
        found = []
        tallies = pool.map(lambda pair: _tally(run, number, subject, pair[0]), deposits)
        for (one, blind), tally in zip(deposits, tallies, strict=True):
            found.append(DepositTally(one.name, blind, tally))
            progress(len(found), len(deposits))
    return found


def _tally(run: Run, number: int, subject: Subject, deposit: Deposit) -> Tally:
    tally = Tally(len(subject.explainer.layers))
    scores = at_cells(scores_of(run, number), deposit.cells)
    cells = deposit.cells[~np.isnan(scores)]
    if not len(cells):
        return tally
    values = at_cells(storage.group(place_of(run, number), "r")[ATTRIBUTION], cells)
    if np.isnan(values[0]).any():
        values = explain_cells(run, subject, spread(deposit.cells, scores, MOST)).T
    tally.add(values)
    return tally
