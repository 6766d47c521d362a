"""Every model in every fold of every repeat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from mpm3d.samples import Samples
from mpm3d.splits import reference_rows
from mpm3d.validate.fold import Fold
from mpm3d.validate.folds import Arrays, compute
from mpm3d.validate.kept import Store
from mpm3d.validate.outcome import Outcome, outcome
from mpm3d.validate.plan import buffer_of, folds_of, refusals
from mpm3d.validate.result import Comparison
from mpm3d.validate.settings import Settings
from mpm3d.validate.training import Make, Progress


def validate(
    samples: Samples,
    models: Mapping[str, Make],
    *,
    settings: Settings,
    seed: int,
    folder: str | Path | None = None,
    progress: Progress | None = None,
    lenient: bool = False,
) -> Comparison:
    """Fit and test every model in every fold.

    *Random*: the training set of all deposits split 7 to 3, as published. Neighbouring patches share cells,
    so it is optimistic by construction and says so. *Block*: each of several spatial blocks in turn is
    tested, and training samples keep a buffer from it; its deposit cells are ranked among the cells of the
    block, since those around it are what the model was trained on. *Deposit*: each deposit in turn is left
    out, the others train, and its cells are ranked among the eligible cells. The fold's negatives do not
    know the left-out deposit: its surroundings may be drawn as background, as in life.

    In every fold negatives are drawn, layers scaled and early stopping decided again, from its training side
    alone. All folds are drawn before any is fitted, and each scheme's test samples whose patch shares a cell
    with a training patch are counted.

    The eligible cells are represented by the samples whose source is ``"reference"``, a uniform sample that
    nothing is trained on. Where there are none, they are the background samples that a fold has not used.

    Parameters
    ----------
    samples : Samples
        With the known deposits and the background.
    models : mapping of str to callable
        Makes a new, unfitted estimator of each name.
    settings : Settings
        Schemes and how training sets are drawn.
    seed : int
        Two runs of one seed are equal. Every model gets the same folds and negatives.
    folder : path, optional
        Scores of finished folds are kept here, and the state of the fit at work, so that an interrupted
        validation goes on. Folds of other models and settings in it are left as they are.
    progress : callable, optional
        Called as ``progress(done, total, words)`` in hundredths of a fold.
    lenient : bool
        Leave out a scheme that is not possible and say why in the notes, unless none is left; without it,
        refuse.

    Returns
    -------
    Comparison
        Rows, ranks, P-A curves and their crossings.

    Raises
    ------
    ValueError
        If there is no model, no background, fewer than two deposits to leave one out, a block whose buffer
        leaves no positive (with the distances), or a fold that cannot be fitted (with model and fold).
    """
    _check(samples, models)
    allowed, notes = _allowed(samples, models, settings, seed, lenient)
    store = None if folder is None else Store(Path(folder), samples, settings)
    work = [(model, fold) for model, own in allowed.items() for fold in folds_of(samples, own, seed)]
    found: list[Outcome] = []
    for number, (model, fold) in enumerate(work):
        part = _part(progress, number, len(work), f"{model}, {fold.title}")
        try:
            arrays = _kept(
                samples, settings, fold, models[model], None if store is None else (store, model), part
            )
        except ValueError as error:
            raise ValueError(f"{model}, {fold.title}: {error}") from error
        found.append(outcome(samples, settings, model, fold, arrays))
        part(1, 1)
    return Comparison(
        outcomes=tuple(found),
        shares=settings.shares,
        styles=dict(samples.styles),
        n_reference=len(reference_rows(samples)),
        population=settings.population,
        buffer=buffer_of(samples, settings) if "block" in settings.schemes else 0.0,
        notes=notes,
    )


def _allowed(
    samples: Samples, models: Mapping[str, Make], settings: Settings, seed: int, lenient: bool
) -> tuple[dict[str, Settings], tuple[str, ...]]:
    """The settings of each model with the schemes that are possible, and why not the others."""
    refused = refusals(samples, settings, seed=seed)
    allowed, notes = {}, dict.fromkeys(refused.values())
    left = tuple(scheme for scheme in settings.schemes if scheme not in refused)
    if lenient and not left and (samples.label == 1).sum() < 2:
        name = ", ".join(samples.deposits)
        raise ValueError(
            f"one cell of one deposit is known ({name}), and a model cannot both learn from it and be tested "
            "on it. Name more deposits; mpm3d predict gives scores without any test."
        )
    if refused and not (lenient and left):
        raise ValueError(" ".join(refused.values()))
    stopping = [model for model, make in models.items() if make().stops_early and settings.stopping != "none"]
    more = refusals(samples, replace(settings, schemes=left), seed=seed, stops=True) if stopping else {}
    fewer = tuple(scheme for scheme in left if scheme not in more)
    for model in models:
        allowed[model] = (
            replace(settings, schemes=fewer if model in stopping else left) if fewer else settings
        )
    if more and not (lenient and fewer):
        raise ValueError(f"{', '.join(stopping)}: {' '.join(more.values())}")
    notes |= dict.fromkeys(f"{', '.join(stopping)}: {why}" for why in more.values())
    return allowed, tuple(notes)


def _kept(
    samples: Samples,
    settings: Settings,
    fold: Fold,
    make: Make,
    kept: tuple[Store, str] | None,
    part: Progress,
) -> Arrays:
    fit = partial(compute, samples, settings, fold, make, progress=part)
    if kept is None:
        return fit(unfinished=None)
    store, model = kept
    return store.get(store.name(model, make, fold), lambda unfinished: fit(unfinished=unfinished))


def _part(progress: Progress | None, number: int, total: int, where: str) -> Progress:
    """Progress within one fold, in hundredths of it."""

    def step(done: int, of: int, words: str = "") -> None:
        if progress:
            whole = f"{where}: {words}" if words else where
            progress(100 * number + 100 * done // max(1, of), 100 * total, whole)

    return step


def _check(samples: Samples, models: Mapping[str, Make]) -> None:
    if not models:
        raise ValueError("there is no model to compare, give at least one.")
    if not np.any(samples.label == 0):
        raise ValueError(
            "the samples have no background, so nothing can be ranked. Draw some background cells."
        )
