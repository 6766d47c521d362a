"""The pictures of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d import evaluate, labels, validate
from mpm3d.samples import BACKGROUND, Samples
from mpm3d.splits import BlockFold
from mpm3d.validate.outcome import Outcome
from mpm3d.validate.settings import PUBLISHED, TRAINED

MOST = 4_000
"""About so many cells are drawn as dots."""

_SCHEMES = {
    "random": "random 7:3 split",
    "block": "spatial blocks",
    "deposit": "one deposit left out at a time",
    "deposit, published negatives": "one deposit left out, negatives know it (as published)",
    "deposit, among trained rows": "one deposit left out, ranked among rows of the training too",
}
_OPTIMISTIC = "OPTIMISTIC, test patches share cells with training patches"


def draw(
    found: validate.Comparison,
    drawn: Samples,
    folder: Path,
    *,
    blocks: list[BlockFold] | None = None,
    note: str = "",
    space: str = "volume",
) -> list[Path]:
    """Draw what there is to draw of a comparison.

    Parameters
    ----------
    found : Comparison
        From `mpm3d.validate.validate`.
    drawn : Samples
        What it was made with.
    folder : Path
        Where the pictures go; made if missing.
    blocks : list of BlockFold, optional
        Blocks to colour the samples by; deposits otherwise.
    note : str
        The study's note.
    space : str
        What shares of the cells are shares of, ``"area"`` for a map.

    Returns
    -------
    list of Path
        The files written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = [_samples(drawn, blocks, folder, note)]
    histories = _histories(found)
    if histories:
        made.append(evaluate.draw_history(histories, folder / "history.png", note=note))
    for scheme in found.schemes:
        made.append(_roc(found, scheme, folder, note))
    if found.ranks:
        said = _with(note, found, found.leading)
        made.append(
            evaluate.draw_pa_curve(
                found.curves, folder / "pa_curve.png", left_out=True, note=said, space=space
            )
        )
        made.append(evaluate.draw_capture(found.ranks, folder / "capture.png", note=said, space=space))
        places = _distances(found, drawn)
        made.append(
            evaluate.draw_score_distance(places, folder / "score_distance.png", note=said, space=space)
        )
    scheme = found.leading or "random"
    curves = found.reliability(scheme)
    if curves:
        said = _with(f"As many background cells as deposit cells. {note}", found, scheme)
        made.append(evaluate.draw_reliability(curves, folder / "reliability.png", note=said))
    return made


def _with(note: str, found: validate.Comparison, scheme: str) -> str:
    said = _SCHEMES[scheme] + (f": {_flattered(found, scheme)}" if found.optimistic[scheme] else "")
    return f"{said[0].upper()}{said[1:]}. {note}".strip()


def _flattered(found: validate.Comparison, scheme: str) -> str:
    """How a scheme flatters: by cells that patches share, or by rows of a table that lie among each other."""
    return _OPTIMISTIC if found.shared[scheme][0] else "OPTIMISTIC, test among training samples"


def _histories(found: validate.Comparison) -> dict[str, list[Mapping[str, Any]]]:
    """Epochs of the first fold of each model, a spatial one where there is any."""
    histories: dict[str, list[Mapping[str, Any]]] = {}
    for model in found.models:
        each = found.of(model, found.leading) or found.of(model, "random")
        if each and each[0].history:
            histories[model] = list(each[0].history)
    return histories


def _roc(found: validate.Comparison, scheme: str, folder: Path, note: str) -> Path:
    curves = {}
    for model in found.models:
        each = found.of(model, scheme)
        if not each:
            continue
        curves[model] = _tested(each[0]) if scheme == "random" else _ranked(found.ranks_in(scheme)[model])
    title = f"ROC, {_SCHEMES[scheme]}"
    if found.optimistic[scheme]:
        title += f"\n{_flattered(found, scheme)}"
    name = {PUBLISHED: "deposit_published", TRAINED: "deposit_trained"}.get(scheme, scheme)
    return evaluate.draw_roc(curves, folder / f"roc_{name}.png", title=title, note=note)


def _tested(one: Outcome) -> tuple[NDArray[Any], NDArray[Any]]:
    return one.scores[one.labels == 1], one.scores[one.labels == 0]


def _ranked(ranks: Mapping[str, NDArray[np.float64]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Folds have scales of their own, ranks have one: the eligible cells are spread evenly over it."""
    return 1 - np.concatenate(list(ranks.values())), (np.arange(MOST) + 0.5) / MOST


def _distances(
    found: validate.Comparison, drawn: Samples
) -> dict[str, tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]:
    """Distance to the nearest deposit cell that was not held out, volume rank, and whether it is ore."""
    places = {}
    for model in found.ranks:
        parts = []
        for one in found.of(model, found.leading):
            if one.repeat == 0:
                parts += _of_fold(one, drawn)
        distance, rank, ore = (np.concatenate(part) for part in zip(*parts, strict=True))
        step = max(1, len(distance) // MOST)
        kept = ore | (np.arange(len(ore)) % step == 0)  # of few deposit cells none is to be lost
        places[model] = (distance[kept], rank[kept], ore[kept])
    return places


def _of_fold(one: Outcome, drawn: Samples) -> list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]:
    held = np.zeros(len(drawn), dtype=bool)
    held[one.own[0]] = True
    known = drawn.xyz[(drawn.label == 1) & ~held]
    return [
        (labels.distance_to_cells(drawn.xyz[rows], known), ranks, np.full(len(rows), ore))
        for (rows, ranks), ore in ((one.own, True), (one.thin, False))
    ]


def _samples(drawn: Samples, blocks: list[BlockFold] | None, folder: Path, note: str) -> Path:
    fold = np.where(drawn.label == 1, drawn.group, "background").astype("<U80")
    for block in blocks or []:
        fold[block.test] = block.name
    pool = np.flatnonzero(drawn.source == BACKGROUND)
    ore = np.flatnonzero(drawn.label == 1)
    rows = np.concatenate([part[:: max(1, len(part) // MOST)] for part in (ore, pool)])
    return evaluate.draw_samples(
        drawn.xyz[rows], drawn.label[rows], drawn.group[rows], fold[rows], folder / "samples.png", note=note
    )
