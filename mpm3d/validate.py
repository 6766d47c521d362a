"""What models are worth: a random split as published, and leaving one deposit out, side by side."""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mpm3d import __version__, evaluate, fit
from mpm3d.evaluate import Crossing, PACurve
from mpm3d.models import Estimator
from mpm3d.samples import Samples, shared_cells, split_random, training_set

if TYPE_CHECKING:
    import pandas as pd

SCHEMES = ("random", "deposit")
COLUMNS = ("model", "scheme", "metric", "mean", "low", "high", "n", "n_of", "optimistic")
Make = Callable[[], Estimator]
Progress = Callable[[int, int], None]
Row = dict[str, Any]
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Settings:
    """How models are compared.

    Parameters
    ----------
    stand_off : float
        Least distance of a negative from any deposit that the fold knows, in metres.
    ratio : float
        Negatives per positive.
    max_positives : int, optional
        The most positives of a fold, drawn evenly from its deposits.
    members : int
        Members fitted in each fold of the deposit scheme; their mean is the score.
    stopping : str
        What early stopping looks at, as in `mpm3d.fit.fit_members`. In the random scheme it is a random
        part of the training samples, unless ``"none"``.
    shares : tuple of float
        Shares of the volume for which the capture is given.
    population : int, optional
        Number of cells that the background was drawn from. With it, the cells of a left-out deposit count
        among the eligible ones with their due weight; without, they are left out as a negligible part.
    schemes : tuple of str
        ``"random"``: 7 to 3, as published. ``"deposit"``: one deposit left out at a time.
    """

    stand_off: float = 800.0
    ratio: float = 1.0
    max_positives: int | None = None
    members: int = 1
    stopping: fit.Stopping = "deposit"
    shares: tuple[float, ...] = (0.01, 0.02, 0.05, 0.10)
    population: int | None = None
    schemes: tuple[str, ...] = SCHEMES

    def __post_init__(self) -> None:
        unknown = [scheme for scheme in self.schemes if scheme not in SCHEMES]
        if unknown or not self.schemes:
            raise ValueError(
                f"schemes {tuple(self.schemes)} are not known, use any of {', '.join(map(repr, SCHEMES))}."
            )


@dataclass(frozen=True, eq=False)
class Comparison:
    """What the folds gave.

    Parameters
    ----------
    rows : tuple of dict
        ``model, scheme, metric, mean, low, high, n, n_of, optimistic``. In the deposit scheme the mean is
        over ``n`` deposits with equal weight, low and high the least and the greatest of them. In the random
        scheme ``n`` is the number of test samples of the one split. NaN where there is no such number.
    ranks : dict of str to dict of str to array
        By model and deposit, the volume ranks of the deposit's cells when it was left out.
    curves : dict of str to PACurve
        By model, over left-out deposits.
    crossings : dict of str to Crossing or None
        By model.
    n_reference : int
        Background cells that the ranks are taken against.
    shared : tuple of int
        Test samples of the random split whose patch shares a cell with a training patch, and all of them.
    folds : tuple of dict
        ``model, fold, n_positive, n_negative, note`` of every fit.
    notes : tuple of str
        What was decided, in sentences.
    """

    rows: tuple[Row, ...]
    ranks: dict[str, dict[str, NDArray[np.float64]]]
    curves: dict[str, PACurve]
    crossings: dict[str, Crossing | None]
    n_reference: int
    shared: tuple[int, int] | None
    folds: tuple[Row, ...]
    notes: tuple[str, ...]

    @property
    def table(self) -> pd.DataFrame:
        """The rows as a DataFrame."""
        import pandas as pd

        return pd.DataFrame(list(self.rows), columns=list(COLUMNS))

    def value(self, model: str, scheme: str, metric: str) -> float:
        """Mean of one metric, NaN where it was not computed."""
        for row in self.rows:
            if (row["model"], row["scheme"], row["metric"]) == (model, scheme, metric):
                return float(row["mean"])
        return float("nan")

    def paragraph(self) -> str:
        """Say in plain words what the random split claims and what leaving deposits out leaves of it."""
        models = list(dict.fromkeys(row["model"] for row in self.rows))
        parts = []
        if self.shared is not None:
            parts.append(_said_random(self, models))
        if self.ranks:
            parts.append(_said_deposit(self, models))
        return " ".join([*parts, *self.notes])


def _said_random(found: Comparison, models: list[str]) -> str:
    shared, total = found.shared or (0, 0)
    scores = "; ".join(
        f"{model} AUC {found.value(model, 'random', 'auc'):.3f}"
        + "".join(
            f", {name} {found.value(model, 'random', name):.3f}"
            for name in ("accuracy", "f1")
            if not np.isnan(found.value(model, "random", name))
        )
        for model in models
    )
    return (
        f"The random 7:3 split, as published, gives {scores}. {shared} of its {total} test patches "
        "share cells with training patches, so these numbers are optimistic: they say how well a model "
        "remembers, not how well it finds."
    )


def _said_deposit(found: Comparison, models: list[str]) -> str:
    ranks = next(iter(found.ranks.values()))
    parts = [f"Leaving one of {len(ranks)} deposits out at a time leaves this of it:"]
    for model in models:
        each = evaluate.auc(found.ranks[model]).each
        worst = min(each, key=lambda name: each[name])
        text = f"{model} AUC {found.value(model, 'deposit', 'auc'):.3f} (worst {each[worst]:.3f}, {worst})"
        text += "".join(
            f", the best {_percent(share)} of the volume hold {_percent(captured)} of a left-out deposit"
            for share, captured in _captures(found, model)
        )
        parts.append(f"{text}, {_said_crossing(found.crossings[model])}.")
    parts.append(f"Ranks are taken against {found.n_reference} background cells.")
    return " ".join(parts)


def _captures(found: Comparison, model: str) -> list[tuple[float, float]]:
    """The capture in the share nearest to 2 %, the one that studies quote."""
    names = [
        row["metric"] for row in found.rows if row["model"] == model and row["metric"].startswith("capture")
    ]
    if not names:
        return []
    best = min(names, key=lambda name: abs(float(name.split("@")[1]) - 0.02))
    return [(float(best.split("@")[1]), found.value(model, "deposit", best))]


def _said_crossing(where: Crossing | None) -> str:
    if where is None:
        return "no P-A crossing"
    said = f"P-A crossing at {_percent(where.volume)} of the volume with {_percent(where.captured)} captured"
    return said if where.density > 1 else f"{said}, no better than chance"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def validate(
    samples: Samples,
    models: Mapping[str, Make],
    *,
    settings: Settings,
    seed: int,
    folder: str | Path | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Fit and test every model in every fold.

    *Random*: the training set of all deposits split 7 to 3, as published. Neighbouring patches share cells,
    so it is optimistic by construction and says so. *Deposit*: each deposit in turn is left out, the others
    train, and its cells are ranked among the eligible cells. The fold's negatives do not know the left-out
    deposit: its surroundings may be drawn as background, as in life.

    The eligible cells are represented by the background of the samples, a uniform sample of the cells
    outside the known deposits. The negatives of a fold were drawn from the same background; a model may
    score those lower than others, which flatters the ranks by no more than their share of the background.

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
        Scores of finished folds are kept here, so that an interrupted validation goes on.
    progress : callable, optional
        Called as ``progress(done, total)`` in hundredths of a fold.

    Returns
    -------
    Comparison
        Rows, ranks, P-A curves and their crossings.

    Raises
    ------
    ValueError
        If there is no model, no background, or fewer than two deposits to leave one out.
    """
    _check(samples, models, settings)
    work = _Work(samples, settings, seed, None if folder is None else Path(folder))
    folds = [(model, fold) for model in models for fold in _folds(samples, settings)]
    results: dict[tuple[str, str], Arrays] = {}
    for number, (model, fold) in enumerate(folds):
        part = _part(progress, number, len(folds))
        results[model, fold] = _kept(work, model, models[model], fold, part)
        part(1, 1)
    return _compare(work, list(models), results)


def _part(progress: Progress | None, fold: int, folds: int) -> Progress:
    """Progress within one fold, in hundredths of it."""

    def step(done: int, total: int) -> None:
        if progress:
            progress(100 * fold + 100 * done // max(1, total), 100 * folds)

    return step


def _check(samples: Samples, models: Mapping[str, Make], settings: Settings) -> None:
    if not models:
        raise ValueError("there is no model to compare, give at least one.")
    if not np.any(samples.label == 0):
        raise ValueError(
            "the samples have no background, so nothing can be ranked. Draw some background cells."
        )
    n = len(samples.deposits)
    if "deposit" in settings.schemes and n < 2:
        raise ValueError(
            f"leaving one deposit out needs at least 2 known deposits, there is {n}. "
            "Name parts of it as deposits of their own, or use the random scheme only."
        )


RANDOM, WITHOUT = "random split", "without "


def _folds(samples: Samples, settings: Settings) -> list[str]:
    """Names of the folds: the random split, and ``without <deposit>``."""
    folds = [RANDOM] if "random" in settings.schemes else []
    return folds + (
        [f"{WITHOUT}{name}" for name in samples.deposits] if "deposit" in settings.schemes else []
    )


@dataclass(frozen=True, eq=False)
class _Work:
    samples: Samples
    settings: Settings
    seed: int
    folder: Path | None

    def seed_of(self, fold: str) -> int:
        """Seed of a fold, the same for every model."""
        digest = hashlib.sha256(f"{self.seed}/{fold}".encode()).digest()
        return int.from_bytes(digest[:4], "little")


def _kept(work: _Work, model: str, make: Make, fold: str, progress: Progress) -> Arrays:
    """Held-out scores of a fold, from the folder if they are there."""
    compute = _random if fold == RANDOM else _left_out
    if work.folder is None:
        return compute(work, make, fold, progress)
    path = work.folder / f"{_key(work, model, make, fold)}.npz"
    try:
        # opened here, since numpy leaves the file open when it is torn
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        pass  # not there yet, or not whole
    found = compute(work, make, fold, progress)
    work.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=work.folder, suffix=".part", delete=False) as half:
        arrays: dict[str, Any] = dict(found)
        np.savez(half, **arrays)
    Path(half.name).replace(path)
    return found


def _key(work: _Work, model: str, make: Make, fold: str) -> str:
    """Hash of everything that the scores of a fold depend on."""
    samples, digest = work.samples, hashlib.sha256()
    for array in (samples.patches, samples.label, samples.xyz):
        digest.update(np.ascontiguousarray(array).tobytes())
    drawing = {k: v for k, v in asdict(work.settings).items() if k not in ("shares", "population", "schemes")}
    estimator: Any = make()
    words = {
        "samples": [digest.hexdigest(), samples.group.tolist(), list(samples.layers), samples.spacing],
        "model": [model, type(estimator).__qualname__, getattr(estimator, "get_params", dict)()],
        "fold": [fold, work.seed, drawing, __version__],
    }
    return hashlib.sha256(json.dumps(words, sort_keys=True, default=repr).encode()).hexdigest()[:24]


def _random(work: _Work, make: Make, fold: str, progress: Progress) -> Arrays:
    """Test rows of the published split, and their scores."""
    samples, settings = work.samples, work.settings
    rng = np.random.default_rng(work.seed_of(fold))
    rows = training_set(
        samples, known=samples.deposits, stand_off=settings.stand_off, ratio=settings.ratio,
        max_positives=settings.max_positives, rng=rng,
    )  # fmt: skip
    train, test = split_random(rows, share=0.7, rng=rng)
    shared = shared_cells(samples, train, test)
    estimator, validation, note = make(), None, ""
    cropped = samples.cropped(estimator.patch_shape)
    if settings.stopping != "none" and estimator.stops_early:
        train, held = split_random(train, share=0.85, rng=rng)
        validation = (cropped.patches[held], cropped.label[held])
        note = "stopped on a random part of the training samples."
    known = cropped.take(train)
    estimator.fit(
        known.patches, known.label, groups=known.group, rng=rng, validation=validation, progress=progress
    )
    scores, _ = fit.ensemble_score([estimator], cropped.patches[test])
    n_positive = int(known.label.sum())
    return {
        "rows": test, "scores": scores, "shared": np.array(shared),
        "probability": np.array(estimator.kind == "probability"),
        "counts": np.array([n_positive, len(train) - n_positive]), "note": np.array(note),
    }  # fmt: skip


def _left_out(work: _Work, make: Make, fold: str, progress: Progress) -> Arrays:
    """Scores of the left-out deposit and of the background, by members that do not know it."""
    samples, settings = work.samples, work.settings
    name = fold.removeprefix(WITHOUT)
    fitted = fit.fit_members(
        samples, make, known=[other for other in samples.deposits if other != name], left_out=[name],
        members=settings.members, stand_off=settings.stand_off, ratio=settings.ratio,
        max_positives=settings.max_positives, stopping=settings.stopping, seed=work.seed_of(fold),
        progress=progress,
    )  # fmt: skip
    members = [member.estimator for member in fitted]
    patches = samples.cropped(members[0].patch_shape).patches
    own = (samples.label == 1) & (samples.group == name)
    return {
        "scores": fit.ensemble_score(members, patches[own])[0],
        "background": fit.ensemble_score(members, patches[samples.label == 0])[0],
        "counts": np.array([[member.n_positive, member.n_negative] for member in fitted]).sum(axis=0),
        "note": np.array(" ".join(dict.fromkeys(member.note for member in fitted if member.note))),
    }


def _compare(work: _Work, models: list[str], results: dict[tuple[str, str], Arrays]) -> Comparison:
    samples, settings = work.samples, work.settings
    rows: list[Row] = []
    ranks: dict[str, dict[str, NDArray[np.float64]]] = {}
    shared = None
    for model in models:
        if "random" in settings.schemes:
            found = results[model, RANDOM]
            rows += _random_rows(samples, model, found)
            shared = (int(found["shared"]), len(found["rows"]))
        if "deposit" in settings.schemes:
            ranks[model] = {
                name: _ranks(results[model, f"{WITHOUT}{name}"], settings) for name in samples.deposits
            }
    curves = {model: evaluate.pa_curve(found) for model, found in ranks.items()}
    crossings = {model: evaluate.crossing(curve) for model, curve in curves.items()}
    for model in ranks:
        rows += _deposit_rows(model, ranks[model], crossings[model], settings)
    n_reference = int((samples.label == 0).sum())
    return Comparison(
        tuple(rows), ranks, curves, crossings, n_reference, shared, _fold_rows(results), _notes(work)
    )


def _fold_rows(results: dict[tuple[str, str], Arrays]) -> tuple[Row, ...]:
    return tuple(
        {
            "model": model, "fold": fold, "n_positive": int(found["counts"][0]),
            "n_negative": int(found["counts"][1]), "note": str(found["note"]),
        }
        for (model, fold), found in results.items()
    )  # fmt: skip


def _notes(work: _Work) -> tuple[str, ...]:
    n = len(work.samples.deposits)
    if "deposit" not in work.settings.schemes or n > 20:
        return ()
    return (f"With {n} deposits, differences of less than 0.2 in capture are noise.",)


def _ranks(found: Arrays, settings: Settings) -> NDArray[np.float64]:
    own, background = found["scores"], found["background"]
    if settings.population is None:
        return evaluate.volume_ranks(own, background)
    weights = np.concatenate(
        [np.full(len(background), settings.population / len(background)), np.ones(len(own))]
    )
    return evaluate.volume_ranks(own, np.concatenate([background, own]), weights=weights)


def _random_rows(samples: Samples, model: str, found: Arrays) -> list[Row]:
    metrics = evaluate.classification(samples.label[found["rows"]], found["scores"])
    if not found["probability"]:
        metrics = {"auc": metrics["auc"]}  # half is a threshold for probabilities only
    n, nan = len(found["rows"]), float("nan")
    return [
        dict(zip(COLUMNS, (model, "random", name, value, nan, nan, n, "test samples", True), strict=True))
        for name, value in metrics.items()
    ]


def _deposit_rows(
    model: str, ranks: dict[str, NDArray[np.float64]], where: Crossing | None, settings: Settings
) -> list[Row]:
    area, captured = evaluate.auc(ranks), evaluate.capture(ranks, settings.shares)
    each: dict[str, list[float]] = {"auc": list(area.each.values())}
    for k, share in enumerate(captured.shares):
        each[f"capture@{share:g}"] = [float(values[k]) for values in captured.each.values()]
    each["median_rank"] = [float(np.median(values)) for values in ranks.values()]
    rows: list[tuple[Any, ...]] = [
        (
            model,
            "deposit",
            name,
            float(np.mean(values)),
            min(values),
            max(values),
            len(ranks),
            "deposits",
            False,
        )
        for name, values in each.items()
    ]
    n_cells, nan = sum(map(len, ranks.values())), float("nan")
    pooled = {"auc of cells": area.cells}
    pooled |= {
        f"capture of cells@{s:g}": float(v) for s, v in zip(captured.shares, captured.cells, strict=True)
    }
    rows += [(model, "deposit", n, v, nan, nan, n_cells, "deposit cells", False) for n, v in pooled.items()]
    volume, density = (nan, nan) if where is None else (where.volume, where.density)
    for name, value in (("P-A crossing", volume), ("P-A density", density)):
        rows.append((model, "deposit", name, value, nan, nan, len(ranks), "deposits", False))
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]
