"""What the folds gave, and what can be made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mpm3d import evaluate
from mpm3d.evaluate import Crossing, PACurve, Reliability
from mpm3d.validate import rows, words
from mpm3d.validate.outcome import Outcome
from mpm3d.validate.rows import COLUMNS, DEPOSIT_COLUMNS, Ranks, Row, Styles
from mpm3d.validate.settings import PUBLISHED, TRAINED

if TYPE_CHECKING:
    import pandas as pd

_SPATIAL = ("deposit", PUBLISHED, TRAINED, "block")
"""Schemes that have ranks; the first that there is stands for all."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """What the folds gave.

    Parameters
    ----------
    outcomes : tuple of Outcome
        One for every fit of a model in a fold and a repeat.
    shares : tuple of float
        Shares of the volume for which the capture is given.
    styles : mapping of str to str
        Style of each known deposit, empty where it is not known.
    n_reference : int
        Background cells of the samples that ranks are taken against.
    population : int, optional
        Eligible cells that these stand for.
    buffer : float
        Distance of training samples from a tested block, in metres.
    notes : tuple of str
        What was decided, in sentences.
    """

    outcomes: tuple[Outcome, ...]
    shares: tuple[float, ...]
    styles: Styles
    n_reference: int
    population: int | None
    buffer: float
    notes: tuple[str, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models."""
        return tuple(dict.fromkeys(one.model for one in self.outcomes))

    @property
    def schemes(self) -> tuple[str, ...]:
        """Names of the schemes, as they are called in the tables."""
        return tuple(dict.fromkeys(one.scheme for one in self.outcomes))

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """``model, scheme, metric, mean, low, high, n, n_of, optimistic``.

        Mean over ``n`` repeats and the values that 5 % and 95 % of them lie below, NaN for one repeat; the
        P-A crossing is that of all repeats pooled. Deposits have equal weight, unless a metric is "of cells".
        """
        return rows.rows_of(self.outcomes, self.shares, self.styles)

    @property
    def table(self) -> pd.DataFrame:
        """The rows as a DataFrame."""
        import pandas as pd

        return pd.DataFrame(list(self.rows), columns=list(COLUMNS))

    @property
    def deposits(self) -> pd.DataFrame:
        """A row per model, scheme and held-out deposit: its ranks in the volume, over repeats."""
        import pandas as pd

        return pd.DataFrame(
            list(rows.deposit_rows(self.outcomes, self.styles)), columns=list(DEPOSIT_COLUMNS)
        )

    def of(self, model: str, scheme: str) -> list[Outcome]:
        """Outcomes of one model in one scheme."""
        return [one for one in self.outcomes if (one.model, one.scheme) == (model, scheme)]

    def value(self, model: str, scheme: str, metric: str) -> float:
        """Mean of one metric, NaN where it was not computed."""
        for row in self.rows:
            if (row["model"], row["scheme"], row["metric"]) == (model, scheme, metric):
                return float(row["mean"])
        return float("nan")

    @property
    def leading(self) -> str:
        """The scheme that ranks, curves and targets are taken from; empty if no deposit was held out."""
        return next((scheme for scheme in _SPATIAL if scheme in self.schemes), "")

    def ranks_in(self, scheme: str) -> dict[str, Ranks]:
        """By model and deposit, volume ranks of the held-out cells over all repeats."""
        found = {model: rows.pooled(self.of(model, scheme)) for model in self.models}
        return {model: ranks for model, ranks in found.items() if ranks}

    @cached_property
    def ranks(self) -> dict[str, Ranks]:
        """By model and deposit, volume ranks of the deposit's cells when they were held out."""
        return self.ranks_in(self.leading)

    @property
    def curves(self) -> dict[str, PACurve]:
        """P-A curve of each model over held-out deposits."""
        return {model: evaluate.pa_curve(ranks) for model, ranks in self.ranks.items()}

    @property
    def crossings(self) -> dict[str, Crossing | None]:
        """Where the P-A curve of each model crosses."""
        return {model: evaluate.crossing(curve) for model, curve in self.curves.items()}

    @property
    def shared(self) -> dict[str, tuple[int, int]]:
        """By scheme, test samples whose patch shares cells with a training patch, and all of them.

        Over the folds and repeats of the model with the most of them.
        """
        found = {}
        for scheme in self.schemes:
            sums = [
                tuple(np.sum([one.shared for one in self.of(model, scheme)], axis=0).tolist())
                for model in self.models
                if self.of(model, scheme)
            ]
            found[scheme] = max(sums)
        return found

    @property
    def optimistic(self) -> dict[str, bool]:
        """By scheme, whether its numbers flatter: the random split, and any other that leaks cells."""
        return {
            scheme: rows.is_optimistic(scheme, [one for one in self.outcomes if one.scheme == scheme])
            for scheme in self.schemes
        }

    @property
    def folds(self) -> tuple[Row, ...]:
        """What every fit was made of: counts, shared cells, time, notes."""
        return tuple(
            {
                "model": one.model, "scheme": one.scheme, "fold": one.fold, "repeat": one.repeat + 1,
                "n_positive": one.counts[0], "n_negative": one.counts[1], "shared": one.shared[0],
                "n_test": one.shared[1], "n_reference": one.n_reference, "note": one.note,
            }
            for one in self.outcomes
        )  # fmt: skip

    @property
    def seconds(self) -> dict[str, float]:
        """Time that the folds of each model took, when they were fitted."""
        return {
            model: float(sum(one.seconds for one in self.outcomes if one.model == model))
            for model in self.models
        }

    def reliability(self, scheme: str) -> dict[str, Reliability]:
        """Reliability of the models whose score is a probability, over folds and repeats of a scheme."""
        found = {}
        for model in self.models:
            labels, scores = self.held_out(model, scheme)
            if len(labels) and all(one.probability for one in self.of(model, scheme)):
                found[model] = evaluate.reliability(labels, scores)
        return found

    def held_out(self, model: str, scheme: str) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        """Labels and scores of a test with as many background cells as deposit cells, for calibration.

        In the spatial schemes the background is taken at equal steps of the distribution of the reference.
        """
        each = self.of(model, scheme)
        if not each:
            return np.empty(0, dtype=np.int8), np.empty(0, dtype=np.float32)
        return np.concatenate([one.labels for one in each]), np.concatenate([one.scores for one in each])

    @cached_property
    def agreement(self) -> tuple[Row, ...]:
        """Spearman's correlation of the reference ranks of each two models, mean over folds and repeats."""
        found: dict[tuple[str, str, str], list[float]] = {}
        for scheme in self.schemes:
            for one, other in _pairs(self.outcomes, scheme):
                _, first, second = np.intersect1d(one.thin[0], other.thin[0], return_indices=True)
                named = {one.model: one.thin[1][first], other.model: other.thin[1][second]}
                found.setdefault((scheme, one.model, other.model), []).extend(
                    evaluate.agreement(named).values()
                )
        return tuple(
            {
                "scheme": scheme, "model": model, "with": other,
                "spearman": evaluate.interval(values)[0], "n": len(values),
            }
            for (scheme, model, other), values in found.items()
        )  # fmt: skip

    def joined(self, others: Sequence[Comparison]) -> Comparison:
        """Put this comparison and those of other models on the same samples into one."""
        outcomes = [*self.outcomes, *(one for other in others for one in other.outcomes)]
        notes = [*self.notes, *(note for other in others for note in other.notes)]
        return replace(self, outcomes=tuple(outcomes), notes=tuple(dict.fromkeys(notes)))

    def paragraph(self, space: str = "volume") -> str:
        """Say in plain words what the random split claims and what holding out space leaves of it.

        ``space`` is what a share of the cells is a share of, such as ``"area"`` of a map.
        """
        return words.paragraph(self, space)


def _pairs(outcomes: Sequence[Outcome], scheme: str) -> list[tuple[Outcome, Outcome]]:
    """Outcomes of two models in the same fold and repeat."""
    by_fold: dict[tuple[str, int], list[Any]] = {}
    for one in outcomes:
        if one.scheme == scheme and len(one.thin[0]):
            by_fold.setdefault((one.fold, one.repeat), []).append(one)
    return [
        (each[i], each[j])
        for each in by_fold.values()
        for i in range(len(each))
        for j in range(i + 1, len(each))
    ]
