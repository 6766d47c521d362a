"""The comparison in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mpm3d import evaluate
from mpm3d.evaluate import Crossing
from mpm3d.validate.rows import QUOTED, deposits
from mpm3d.validate.settings import PUBLISHED, TRAINED

if TYPE_CHECKING:
    from mpm3d.validate.result import Comparison

FEW = 20
"""Deposits below which a note says that small differences are noise."""


_ASIDES = {
    PUBLISHED: (
        ", with negatives kept away from that deposit too, as published, which tells a model where the test "
        "ore is,"
    ),
    TRAINED: (
        " and ranking it among all background samples, those included that its model was taught to score "
        "low, which is optimistic,"
    ),
}


def paragraph(found: Comparison, space: str = "volume") -> str:
    """Say what the random split claims, what blocks and left-out deposits leave of it, and against what.

    ``space`` is what a share of the cells is a share of: a volume, or the area of a map.
    """
    parts = []
    if "random" in found.schemes:
        parts.append(_said_random(found))
    if "block" in found.schemes:
        parts.append(_said_blocks(found))
    for scheme in ("deposit", PUBLISHED, TRAINED):
        if scheme in found.schemes:
            parts.append(_said_deposits(found, scheme, space))
    if found.ranks:
        parts.append(_said_reference(found))
        parts += [_said_gap(found), _said_agreement(found, space), _said_noise(found)]
    notes = [f"Left out: {note}" for note in found.notes]
    return "\n".join(part for part in [*parts, *notes] if part)


def _said_random(found: Comparison) -> str:
    shared, total = found.shared["random"]
    scores = "; ".join(
        f"{model} AUC {_value(found, model, 'random', 'auc')}"
        + "".join(
            f", {name} {_value(found, model, 'random', name)}"
            for name in ("accuracy", "f1")
            if not np.isnan(found.value(model, "random", name))
        )
        for model in _models(found, "random")
    )
    leak = f"{shared} of its {total} test patches share cells with training patches"
    if not shared:
        leak = f"None of its {total} test patches shares cells with training patches, but they lie among them"
    return (
        f"The random 7:3 split, as published, gives {scores}. {leak}, so these numbers are optimistic: they "
        "say how well a model remembers, not how well it finds."
    )


def _said_blocks(found: Comparison) -> str:
    n = len({one.fold for one in found.outcomes if one.scheme == "block"})
    parts = [
        f"Testing on {n} spatial blocks, with {found.buffer:.0f} m between them and the training samples, "
        "leaves this of it:"
    ]
    for model in _models(found, "block"):
        text = f"{model} AUC {_value(found, model, 'block', 'auc')}"
        text += "".join(
            f", the best {_percent(share)} of a block hold {_percent(captured)} of its deposit cells"
            for share, captured in _captures(found, model, "block")
        )
        parts.append(f"{text}.")
    return " ".join([*parts, _said_leak(found, "block", "test patches")])


def _said_deposits(found: Comparison, scheme: str, space: str) -> str:
    ranks = found.ranks_in(scheme)
    n = len(next(iter(ranks.values())))
    aware = _ASIDES.get(scheme, "")
    parts = [f"Leaving one of {n} deposits out at a time{aware} leaves this of it:"]
    for model in ranks:
        each = evaluate.auc(ranks[model]).each
        worst = min(each, key=lambda name: each[name])
        text = f"{model} AUC {_value(found, model, scheme, 'auc')} (worst {each[worst]:.3f}, {worst})"
        text += "".join(
            f", the best {_percent(share)} of the {space} hold {_percent(captured)} of a left-out deposit"
            for share, captured in _captures(found, model, scheme)
        )
        where = evaluate.crossing(evaluate.pa_curve(ranks[model]))
        parts.append(f"{text}, {_said_crossing(where, space)}.")
    styles = _said_styles(found, scheme)
    return " ".join([*parts, *styles, _said_leak(found, scheme, "patches on left-out deposits")])


def _said_styles(found: Comparison, scheme: str) -> list[str]:
    """What is left for deposits of a style that training has, and of one that it has not."""
    said = []
    for style, what in (
        ("same style", "of whose style another is known"),
        ("new style", "of a style that is new"),
    ):
        rows = [r for r in found.rows if r["scheme"] == scheme and r["metric"] == f"auc {style}"]
        if not rows:
            continue
        n = int(rows[0]["n_of"].split()[-2])
        values = ", ".join(
            f"{r['model']} {r['mean']:.3f} and "
            f"{_percent(found.value(r['model'], scheme, f'capture@{QUOTED:g} {style}'))}"
            for r in rows
        )
        said.append(f"AUC and share in the best 2 % for the {deposits(n)} {what}: {values}.")
    return said


def _said_leak(found: Comparison, scheme: str, what: str) -> str:
    shared, total = found.shared[scheme]
    said = f"{shared} of {total} {what} share cells with training patches"
    return f"{said}, so these numbers are optimistic." if shared else f"{said}."


def _said_reference(found: Comparison) -> str:
    said = f"Ranks are taken against {found.n_reference} background cells"
    whole = [one.n_reference for one in found.outcomes if one.ranks and one.scheme != "block"]
    if whole and min(whole) < found.n_reference:
        said += f" (at least {min(whole)} in a fold, without those it was trained on)"
    if found.population is not None:
        said += f", which stand for {found.population}, and the held-out deposit cells"
    return f"{said}."


def _said_gap(found: Comparison) -> str:
    """Whether the model that is best at random is the best where space was held out."""
    if "random" not in found.schemes or len(found.ranks) < 2:
        return ""
    scheme = found.leading
    best = {
        s: max(found.ranks, key=lambda model: np.nan_to_num(found.value(model, s, "auc"), nan=-1))
        for s in ("random", scheme)
    }
    means = {s: np.mean([found.value(model, s, "auc") for model in found.ranks]) for s in best}
    said = f"From random to held out, the mean AUC of the models goes from {means['random']:.3f} to "
    said += f"{means[scheme]:.3f}; "
    if best["random"] == best[scheme]:
        return f"{said}{best[scheme]} is the best of them in both."
    return f"{said}{best['random']} is the best of them at random, {best[scheme]} when held out."


def _said_agreement(found: Comparison, space: str) -> str:
    """The two models that rank the reference most alike, and the two that do so least."""
    rows = [row for row in found.agreement if row["scheme"] == found.leading]
    rows = sorted((row for row in rows if not np.isnan(row["spearman"])), key=lambda row: row["spearman"])
    if not rows:
        return ""
    said = [f"{row['spearman']:.2f} ({row['model']} and {row['with']})" for row in (rows[0], rows[-1])]
    span = " to ".join(dict.fromkeys(said))
    return f"The models' ranks of the {space} agree by a Spearman correlation of {span}."


def _said_noise(found: Comparison) -> str:
    n = max(len(ranks) for ranks in found.ranks.values())
    if n > FEW:
        return ""
    return f"With {deposits(n)}, differences of less than 0.2 in capture are noise."


def _models(found: Comparison, scheme: str) -> list[str]:
    return [model for model in found.models if found.of(model, scheme)]


def _value(found: Comparison, model: str, scheme: str, metric: str) -> str:
    """The mean of a metric, with its interval where there are repeats."""
    for row in found.rows:
        if (row["model"], row["scheme"], row["metric"]) == (model, scheme, metric):
            if np.isnan(row["low"]):
                return f"{row['mean']:.3f}"
            return f"{row['mean']:.3f} ({row['low']:.3f} to {row['high']:.3f} over {row['n']} repeats)"
    return "unknown"


def _captures(found: Comparison, model: str, scheme: str) -> list[tuple[float, float]]:
    """The capture in the share nearest to 2 %, the one that studies quote."""
    if not found.shares:
        return []
    best = min(found.shares, key=lambda share: abs(share - QUOTED))
    return [(best, found.value(model, scheme, f"capture@{best:g}"))]


def _said_crossing(where: Crossing | None, space: str) -> str:
    if where is None:
        return "no P-A crossing"
    said = f"P-A crossing at {_percent(where.volume)} of the {space} with {_percent(where.captured)} captured"
    if where.n_crossings > 1:
        said += f", the one of smallest volume of {where.n_crossings}"
    return said if where.density > 1 else f"{said}, no better than chance"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
