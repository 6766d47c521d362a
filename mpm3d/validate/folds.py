"""Fitting the models of one fold and scoring what it holds out."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d import fit
from mpm3d.models import Estimator
from mpm3d.samples import BACKGROUND, REFERENCE, Index, Samples
from mpm3d.splits import reference_rows, shared_cells, split_random, training_set
from mpm3d.validate.fold import WITHOUT, Fold
from mpm3d.validate.settings import Settings
from mpm3d.validate.training import Make, Progress, fit_fold

Arrays = dict[str, NDArray[Any]]

REDRAWS = 100
"""Random splits that are tried for one with deposits on both sides."""

AT_ONCE = 65_536
"""Patches scored together, so that no copy of all of them is made."""


def compute(
    samples: Samples,
    settings: Settings,
    fold: Fold,
    make: Make,
    *,
    progress: Progress,
    unfinished: Path | None,
) -> Arrays:
    """Fit a model in a fold, and score the test.

    Parameters
    ----------
    samples, settings, fold
        What is split, and how.
    make : callable
        Makes the unfitted model.
    progress : callable
        Called as ``progress(done, total)`` over the epochs or members, with words where there are any.
    unfinished : Path, optional
        Folder where long fits keep their state.

    Returns
    -------
    dict of str to array
        ``rows``, ``scores`` of the test (all of it in the random split, the deposit cells else);
        ``reference``, ``reference_scores`` of the cells that they are ranked against; ``shared``, test
        samples whose patch shares cells with a training patch, and all of them; ``counts`` of positives and
        negatives; ``probability``; ``note``; ``history`` as JSON; ``seconds``.
    """
    started = time.perf_counter()
    how = _random if fold.scheme == "random" else _spatial
    found = how(samples, settings, fold, make, progress, unfinished)
    return found | {"seconds": np.array(time.perf_counter() - started)}


def _random(
    samples: Samples, settings: Settings, fold: Fold, make: Make, progress: Progress, unfinished: Path | None
) -> Arrays:
    """Test rows of the published split, and their scores."""
    rng = np.random.default_rng(fold.seed)
    rows = training_set(
        samples, known=samples.deposits, stand_off=settings.stand_off, ratio=settings.ratio,
        max_positives=settings.max_positives, rng=rng,
    )  # fmt: skip
    train, test = _split_classes(samples, rows, rng)
    shared = shared_cells(samples, train, test)
    estimator, validation, note = make(), None, ""
    cropped = samples.cropped(estimator.patch_shape)
    if settings.stopping != "none" and estimator.stops_early:
        rest, held = split_random(train, share=0.85, rng=rng)
        note = "too few deposit cells for a random part to stop on, so trained for all epochs."
        if all(len(np.unique(cropped.label[rows])) == 2 for rows in (rest, held)):
            train, validation = rest, (cropped.patches[held], cropped.label[held])
            note = "stopped on a random part of the training samples."
    known = cropped.take(train)
    estimator.fit(
        known.patches, known.label, groups=known.group, rng=rng, validation=validation, progress=progress,
        checkpoint=unfinished,
    )  # fmt: skip
    n_positive = int(known.label.sum())
    notes = [note, *estimator.notes_]
    return {
        "rows": test, "scores": _scores([estimator], cropped, test),
        "reference": np.empty(0, dtype=np.int64), "reference_scores": np.empty(0, dtype=np.float32),
        "shared": np.array([shared, len(test)]), "counts": np.array([n_positive, len(train) - n_positive]),
        "probability": np.array(estimator.kind == "probability"),
        "note": np.array(" ".join(one for one in notes if one)),
        "history": np.array(json.dumps(list(estimator.history_), default=float)),
    }  # fmt: skip


def _split_classes(samples: Samples, rows: Index, rng: np.random.Generator) -> tuple[Index, Index]:
    """The split 7 to 3, drawn again where few deposits have all fallen on one side."""
    train, test = split_random(rows, share=0.7, rng=rng)
    for _ in range(REDRAWS):
        if all(len(np.unique(samples.label[side])) == 2 for side in (train, test)):
            break
        train, test = split_random(rows, share=0.7, rng=rng)
    return train, test


def _spatial(
    samples: Samples, settings: Settings, fold: Fold, make: Make, progress: Progress, unfinished: Path | None
) -> Arrays:
    """Scores of held-out deposit cells and of the reference, by members that know neither."""
    if fold.test is None and settings.unseen:
        samples = _set_apart(samples, settings.unseen, fold.seed)
    fitted, used = fit_fold(samples, settings, fold, make, progress=progress, unfinished=unfinished)
    own, reference = _test_side(samples, fold, used[:0] if settings.unseen == 0 else used)
    members = [member.estimator for member in fitted]
    cropped = samples.cropped(members[0].patch_shape)
    tested = own if fold.test is None else fold.test
    return {
        "rows": own, "scores": _scores(members, cropped, own),
        "reference": reference, "reference_scores": _scores(members, cropped, reference),
        "shared": np.array([shared_cells(samples, used, tested), len(tested)]),
        "counts": np.array([[member.n_positive, member.n_negative] for member in fitted]).sum(axis=0),
        "probability": np.array(members[0].kind == "probability"),
        "note": np.array(" ".join(dict.fromkeys(member.note for member in fitted if member.note))),
        "history": np.array(json.dumps(list(members[0].history_), default=float)),
    }  # fmt: skip


def _set_apart(samples: Samples, share: float, seed: int) -> Samples:
    """The samples with a share of the background, drawn at random, as what scores are ranked against."""
    rows = np.flatnonzero(samples.source == BACKGROUND)
    rng = np.random.default_rng([seed, 1])
    apart = rng.choice(rows, size=max(1, round(share * len(rows))), replace=False)
    source = samples.source.astype("<U10")
    source[apart] = REFERENCE
    return replace(samples, source=source)


def _test_side(samples: Samples, fold: Fold, used: Index) -> tuple[Index, Index]:
    """Rows of the held-out deposit cells and of what they are ranked against.

    A left-out deposit is ranked in the whole eligible volume. The eligible cells of a block fold are those of
    the block: around it is what the model was trained on.
    """
    if fold.test is not None:
        own = fold.test[samples.label[fold.test] == 1]
        return own, np.intersect1d(reference_rows(samples), fold.test)
    own = np.flatnonzero((samples.label == 1) & (samples.group == fold.name.removeprefix(WITHOUT)))
    unseen = reference_rows(samples, trained=used)
    if not len(unseen):
        raise ValueError(
            f"all {len(reference_rows(samples))} background samples were trained on, so none is left to rank "
            "against. Draw more background, or lower the ratio or max_positives."
        )
    return own, unseen


def _scores(members: Sequence[Estimator], cropped: Samples, rows: Index) -> NDArray[np.float32]:
    parts = [np.empty(0, dtype=np.float32)]
    for start in range(0, len(rows), AT_ONCE):
        patches = cropped.patches[rows[start : start + AT_ONCE]]
        parts.append(fit.ensemble_score(members, patches)[0])
    return np.concatenate(parts)
