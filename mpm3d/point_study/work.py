"""A study of a table of points at work: read, check, fit, compare, score."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

import mpm3d
from mpm3d import comparison, fit
from mpm3d.errors import StudyError
from mpm3d.point_study.reading import Others, Points, read_others, read_points
from mpm3d.run import RunFolder, hash_of, write_text
from mpm3d.samples import Samples
from mpm3d.study import ModelTable, PointStudy, sha256
from mpm3d.work import Work, log, no_bar

CAUTION = "conceptual, for planning exploration, not a resource estimate"


class PointRun(Work):
    """A study of a table of points at work.

    Parameters
    ----------
    study : PointStudy
        What to do.
    folder, say, bar
        As for `mpm3d.work.Work`.
    """

    study: PointStudy

    def __init__(
        self,
        study: PointStudy,
        folder: RunFolder | None = None,
        *,
        say: Callable[[str], None] = log.info,
        bar: Callable[[str], Any] = no_bar,
    ) -> None:
        super().__init__(study, folder, say=say, bar=bar)

    @cached_property
    def points(self) -> Points:
        """The table, read and said once."""
        rules = self.study.table
        found = read_points(_read(self.study, rules.file), rules, name=self.study.path(rules.file).name)
        for note in found.samples.notes:
            self.say(note)
        return found

    @cached_property
    def others(self) -> Others | None:
        """The second table, where there is one."""
        rules = self.study.table
        if not rules.score:
            return None
        name = self.study.path(rules.score).name
        found = read_others(_read(self.study, rules.score), self.points, rules, name=name)
        for note in found.notes:
            self.say(note)
        return found

    @property
    def samples(self) -> Samples:
        """The rows of the table."""
        return self.points.samples

    @property
    def layers(self) -> tuple[str, ...]:
        """Columns of evidence."""
        return self.samples.layers

    @property
    def space(self) -> str:
        """What a share of the rows is a share of."""
        return "rows"

    @cached_property
    def labels_key(self) -> str:
        """Hash of what the samples depend on."""
        table = self.study.table
        return hash_of(table.model_dump(), sha256(self.study.path(table.file)), self.drawing_rules)

    @property
    def drawing_rules(self) -> dict[str, Any]:
        """What the study says of samples."""
        return self.study.samples.model_dump(mode="json")

    @property
    def unseen(self) -> float:
        """Share of the rows without a label that folds keep to rank a left-out deposit against."""
        return self.study.samples.unseen

    def drawing(self, table: ModelTable) -> dict[str, Any]:
        """What `fit.fit_members` and `validate.Settings` have in common."""
        rules = self.study.samples
        ratio = rules.negatives_per_positive
        return {
            "stand_off": rules.stand_off,
            "ratio": math.inf if ratio == "all" else ratio,
            "max_positives": None,
            **super().drawing(table),
        }


def _read(study: PointStudy, name: str) -> pd.DataFrame:
    path = study.path(name)
    try:
        return pd.read_csv(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise StudyError(f"{path.name} is not a table of comma-separated values: {error}.") from error


def check(study: PointStudy) -> list[str]:
    """What is found in the tables of a study, a sentence each, without any run folder."""
    said: list[str] = []
    run = PointRun(study, say=said.append)
    _ = run.points, run.others
    return said


def fit_models(run: PointRun, kinds: Sequence[str] = ()) -> None:
    """Fit the models of the study, or those of some kinds, on all labelled rows, each into its folder."""
    if run.fitted:
        return
    known = list(run.samples.deposits)
    for number, table in enumerate(run.study.models):
        if kinds and table.kind not in kinds:
            continue
        started, name = time.monotonic(), run.model_folder(number)
        key = hash_of(run.labels_key, table.model_dump(), run.study.seed, mpm3d.__version__)
        if run.folder.done(f"fit {table.kind}", key, f"{name}/model.json"):
            run.say(f"{table.kind}: fitted already, used as it is.")
            continue
        unfinished = run.path(f"{name}_unfinished")
        with run.bar(f"fit {table.kind}") as progress:
            fitted = fit.fit_members(
                run.samples, run.maker(table), known=known, seed=run.study.seed, progress=progress,
                checkpoints=unfinished, **run.drawing(table),
            )  # fmt: skip
        lineage = {"settings": key, "seed": run.study.seed, "known": known, "table": run.study.table.file}
        info = fit.save_members(run.path(name), fitted, lineage)
        shutil.rmtree(unfinished, ignore_errors=True)
        for member in fitted:
            run.say(
                f"{table.kind}: fitted on {member.n_positive} labelled rows and {member.n_negative} others "
                f"in {member.seconds:.0f} s. {member.note}".strip()
            )
        run.folder.finish(f"fit {table.kind}", key, started, model=info["hash"], seed=run.study.seed)
    run.fitted = not kinds


def compare(
    run: PointRun,
    *,
    full: bool = False,
    schemes: Sequence[str] | None = None,
    models: Sequence[str] | None = None,
    repeats: int | Mapping[str, int] | None = None,
) -> pd.DataFrame:
    """Fit the models and put what they are worth side by side, in sample and with rows held out.

    Parameters
    ----------
    run : PointRun
        The study.
    full : bool
        Not possible: a table has no cells beside its rows.
    schemes, models, repeats
        As for `mpm3d.stages.compare`.

    Returns
    -------
    DataFrame
        The rows of ``comparison.csv``.

    Raises
    ------
    StudyError
        If ``full`` is asked for, a model or scheme is not known, or a scheme asked for is not possible.
    """
    if full:
        raise StudyError(
            "--full ranks against every cell of a grid, and a table of points has none: its rows without a "
            "label are what scores are ranked against. Leave it out."
        )
    chosen = comparison.plan(run, schemes=schemes, models=models, repeats=repeats)
    fit_models(run, chosen.kinds if models else ())
    return comparison.compare(run, chosen)


def predict_volume(run: PointRun, *, model: str = "", **more: Any) -> pd.DataFrame:
    """Score the rows of the table and of the one to be scored, into ``scores.csv``.

    Parameters
    ----------
    run : PointRun
        The study; models that are not fitted are fitted first.
    model : str
        Kind of a model of the study, the first if not given.
    **more
        How a volume is cut up, which a table has no use for.

    Returns
    -------
    DataFrame
        ``table``, ``row`` (from 1 after the header), ``x``, ``y`` (metres, empty where there is no place),
        ``label``, ``score``, ``spread`` over the members and ``percentile`` among the rows of its table.

    Raises
    ------
    StudyError
        If the study has no such model.
    """
    kinds = [table.kind for table in run.study.models]
    if model and model not in kinds:
        raise StudyError(
            f"the study has no model {model!r}, it has {', '.join(map(repr, kinds))}. Add it as [[models]]."
        )
    number = kinds.index(model) if model else 0
    fit_models(run, (model,) if model else ())
    started = time.monotonic()
    members, info = fit.load_members(run.path(run.model_folder(number)))
    points, others, files = run.points, run.others, run.study.table
    name = run.study.path(files.file).name
    parts = [_scored(members, points.samples.patches, name, points.rows, points.samples.xyz[:, :2])]
    parts[0]["label"] = points.samples.label
    if others is not None:
        rows = np.arange(1, len(others.patches) + 1)
        parts.append(_scored(members, others.patches, run.study.path(files.score).name, rows, others.xy))
    found = pd.concat(parts, ignore_index=True)[_COLUMNS]
    place = f"scores{f'_{kinds[number]}' if number else ''}.csv"
    write_text(run.path(place), found.to_csv(index=False, lineterminator="\n"))
    run.folder.finish(f"predict {kinds[number]}", info["hash"], started, n_scored=len(found))
    run.say(
        f"{place}: {len(found):,} rows scored with {kinds[number]}; those of the first table are in sample. "
        f"{CAUTION.capitalize()}."
    )
    return found


_COLUMNS = ["table", "row", "x", "y", "label", "score", "spread", "percentile"]


def _scored(members: Sequence[Any], patches: Any, name: str, rows: Any, xy: Any) -> pd.DataFrame:
    score, spread = fit.ensemble_score(members, patches)
    places = np.full((len(rows), 2), np.nan) if xy is None else xy
    lower = pd.Series(score).rank(method="average") - 0.5
    return pd.DataFrame(
        {
            "table": name, "row": rows, "x": np.round(places[:, 0], 1), "y": np.round(places[:, 1], 1),
            "label": pd.array([pd.NA] * len(rows), dtype="Int64"), "score": score, "spread": spread,
            "percentile": np.round(100 * lower / len(rows), 3),
        }
    )  # fmt: skip
