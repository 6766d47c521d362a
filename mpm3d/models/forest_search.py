"""A search for the settings of a forest, scored on deposits that each trial has not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from mpm3d.errors import require

_BLIND_FOLDS = 5


@dataclass(frozen=True)
class Found:
    """What a search has chosen.

    Parameters
    ----------
    settings : dict
        ``n_estimators``, ``max_depth``, ``max_features``, ``min_samples_leaf``.
    auc : float
        Their area under the ROC curve, the mean over the folds.
    trials : int
        Settings that were tried.
    folds : str
        ``"deposits"``: each was left out in turn. ``"random"``: cells were, wherever they lie.
    notes : tuple of str
        The same in sentences.
    """

    settings: dict[str, Any]
    auc: float
    trials: int
    folds: str
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON holds about the search."""
        return {"settings": self.settings, "auc": self.auc, "trials": self.trials, "folds": self.folds}


def search_settings(
    features: NDArray[np.float32],
    target: NDArray[np.int64],
    groups: NDArray[np.str_] | None,
    *,
    first: Mapping[str, Any],
    trials: int,
    rng: np.random.Generator,
    progress: Callable[[int, int], None] | None = None,
) -> Found:
    """Try settings of a random forest on training cells, and return the best.

    Each trial is scored by leaving one deposit out at a time: a forest is grown on the other deposits and
    told the left-out one from background cells that it has not seen either. Optuna's tree-structured Parzen
    estimator (Bergstra et al. 2011) proposes the trials.

    Parameters
    ----------
    features : array of shape (sample, column)
        Training cells only, without NaN.
    target : array of shape (sample,)
        1 at deposit cells, 0 at background. Background is dealt to the folds at random.
    groups : array of shape (sample,), optional
        Deposit of each deposit cell. With fewer than two names, cells are left out at random, wherever
        they lie, which favours settings that learn places by heart; a note says so.
    first : mapping
        Settings of the first trial, so that the choice is never worse than they are on the same folds.
    trials : int
        Settings to try, 1 or more.
    rng : numpy.random.Generator
        Source of the folds, the proposals and the trees.
    progress : callable, optional
        Called as ``progress(done, trials + 1)``; the last step is the caller's own fit.

    Raises
    ------
    ImportError
        If Optuna is not installed.
    ValueError
        If there are fewer background cells than folds, or too few cells for two folds.
    """
    optuna = require("optuna", extra="tune")
    fold, kind = _folds(target, groups, rng)
    seed, grown = (int(rng.integers(2**31 - 1)) for _ in range(2))

    fixed = {name: first[name] for name in ("class_weight",) if name in first}

    def objective(trial: Any) -> float:
        forest = RandomForestClassifier(
            **_propose(trial, first, features.shape[1]), **fixed, random_state=grown, n_jobs=1
        )
        return _mean_auc(forest, features, target, fold)

    def report(study: Any, trial: Any) -> None:
        if progress is not None:
            progress(trial.number + 1, trials + 1)

    with _quiet(optuna):
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
        start = {name: value for name, value in first.items() if value is not None and name not in fixed}
        study.enqueue_trial(start)
        study.optimize(objective, n_trials=trials, callbacks=[report])
    settings, auc = {**first, **study.best_params}, float(study.best_value)
    return Found(settings, auc, trials, kind, _notes(settings, auc, trials, kind))


def _propose(trial: Any, first: Mapping[str, Any], n_features: int) -> dict[str, Any]:
    """Draw settings from ranges that contain the first ones."""
    trees, leaf = first["n_estimators"], first["min_samples_leaf"]
    depth = first["max_depth"] or 7
    return {
        "n_estimators": trial.suggest_int("n_estimators", min(20, trees), max(200, trees), log=True),
        "max_depth": trial.suggest_int("max_depth", min(2, depth), max(12, depth)),
        "max_features": trial.suggest_int("max_features", 1, n_features),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, max(50, leaf), log=True),
    }


def _folds(
    target: NDArray[np.int64], groups: NDArray[np.str_] | None, rng: np.random.Generator
) -> tuple[NDArray[np.int64], str]:
    """Return the fold of each sample, and how it was found."""
    positive, background = np.flatnonzero(target == 1), np.flatnonzero(target == 0)
    fold = np.empty(len(target), dtype=np.int64)
    names = np.unique(groups[positive]) if groups is not None else np.array([""])
    if len(names) > 1 and groups is not None:
        n_folds, kind = len(names), "deposits"
        fold[positive] = np.searchsorted(names, groups[positive])
    else:
        n_folds, kind = min(_BLIND_FOLDS, len(positive), len(background)), "random"
        fold[positive] = rng.permutation(len(positive)) % n_folds
    if n_folds < 2 or len(background) < n_folds:
        raise ValueError(
            f"a search needs two folds with cells of deposits and of background in each, and {len(positive)} "
            f"and {len(background)} cells cannot fill {max(2, n_folds)}. Use search=0, or more samples."
        )
    fold[background] = rng.permutation(len(background)) % n_folds
    return fold, kind


def _mean_auc(
    forest: Any, features: NDArray[np.float32], target: NDArray[np.int64], fold: NDArray[np.int64]
) -> float:
    scores = []
    for left_out in range(int(fold.max()) + 1):
        test = fold == left_out
        forest.fit(features[~test], target[~test])
        scores.append(roc_auc_score(target[test], forest.predict_proba(features[test])[:, 1]))
    return float(np.mean(scores))


def _notes(settings: Mapping[str, Any], auc: float, trials: int, kind: str) -> tuple[str, ...]:
    chosen = ", ".join(f"{name} {value}" for name, value in settings.items())
    how = {
        "deposits": "leaving one deposit out at a time",
        "random": "leaving cells out at random, wherever they lie, as fewer than two deposits are named",
    }
    return (f"{trials} trials, scored by {how[kind]}, chose {chosen}, with a mean AUC of {auc:.3f}.",)


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Keep Optuna from writing a line for each trial."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)
