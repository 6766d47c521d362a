"""How densely a map or a volume is explained when nobody says."""

from __future__ import annotations

from mpm3d import storage
from mpm3d.reasons.store import is_current, place_of
from mpm3d.reasons.subject import Subject
from mpm3d.reasons.volume import rate_of
from mpm3d.work import Run

PATIENCE = 60.0
"""Seconds that explaining every cell of a map may take, by the estimate, to be done unasked."""


def step_of(run: Run, number: int, subject: Subject) -> int:
    """Step of the lattice of cells that are explained everywhere, 1 for all.

    It is ``every`` of the study. On a map whose study does not name one it is 1 where all cells are explained
    within `PATIENCE`, or were by an earlier run.

    Parameters
    ----------
    run : Run
        The study at work.
    number : int
        Which of its models.
    subject : Subject
        That model.
    """
    rules, place = run.study.explain, place_of(run, number)
    if not run.grid.is_map or "every" in rules.model_fields_set:
        return rules.every
    if is_current(place, subject.identity) and storage.group(place, "r").attrs["every"] == 1:
        return 1
    rate = rate_of(subject, subject.workers(run.study.predict.workers))
    return 1 if run.grid.n_cells <= PATIENCE * rate else rules.every
