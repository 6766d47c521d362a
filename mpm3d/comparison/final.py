"""Rows on what the final models give, which were fitted on all known deposits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mpm3d import evaluate, fit, samples
from mpm3d.validate.rows import by_style, deposits, style_values

Row = dict[str, Any]


def scores_of(members: Sequence[Any], drawn: samples.Samples, rows: Any) -> Any:
    """Mean score of the members at some of the samples."""
    some = drawn.take(rows).cropped(members[0].patch_shape)
    return fit.ensemble_score(members, some.patches)[0]


def rows_of(
    who: tuple[str, str], ranks: dict[str, Any], precision: Sequence[float], drawn: samples.Samples,
    styles: Mapping[str, str] | None = None,
) -> list[Row]:  # fmt: skip
    """Rows of the comparison, whose low and high are the least and the greatest of the deposits.

    Parameters
    ----------
    who : tuple of str
        Model and scheme.
    ranks : dict of str to array
        By deposit, volume ranks of its cells.
    precision : sequence of float
        Average precision of each.
    drawn : Samples
        With the deposits that the model knows.
    styles : mapping of str to str, optional
        Styles of deposits; without it, styles are not told apart.
    """
    area, inside = evaluate.auc(ranks), evaluate.capture(ranks)
    each = [("auc", list(area.each.values())), ("average precision", list(precision))]
    each += [
        (f"capture@{share:g}", [float(part[at]) for part in inside.each.values()])
        for at, share in enumerate(inside.shares)
    ]
    each.append(("median_rank", [float(np.median(values)) for values in ranks.values()]))
    rows = [
        _row(who, metric, float(np.mean(values)), min(values), max(values), len(values))
        for metric, values in each
    ]
    nan = float("nan")
    for style, part in by_style(ranks, styles or {}, drawn.deposits).items():
        rows += [_row(who, name, v, nan, nan, len(part)) for name, v in style_values(part, style).items()]
    return rows


def _row(who: tuple[str, str], metric: str, mean: float, low: float, high: float, n: int) -> Row:
    model, scheme = who
    return {
        "model": model, "scheme": scheme, "metric": metric, "mean": mean, "low": low, "high": high, "n": n,
        "n_of": deposits(n).split()[1], "optimistic": scheme == "in sample",
    }  # fmt: skip
