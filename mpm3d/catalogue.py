"""The models there are: what each is, its settings, its size and cost, and what was published of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mpm3d import models, study
from mpm3d.models import cost
from mpm3d.models.folder import JSON_NAME, read_json
from mpm3d.study import ModelTable
from mpm3d.study.models import MODELS
from mpm3d.work import Run

N_LAYERS = 7
"""Evidence layers of the published study, which sizes are given for where no study is."""

WHAT = {
    "forest": "random forest on single cells, the baseline of the paper",
    "boosting": "gradient boosting of shallow trees, monotone in layers that are named",
    "logistic": "logistic regression on single cells",
    "weights": "weights of evidence in 3D, binary or in several classes",
    "pu": "bagging for deposits and unlabelled cells, over another model",
    "dl1": "residual 3D network, one block",
    "dl2": "residual 3D network, two blocks",
    "dl3": "RCNN-LAM: residual 3D network with lightweight attention, one block",
    "dl4": "RCNN-LAM with two blocks, the network of the paper",
    "cbam": "residual 3D network with full-size attention (CBAM)",
    "devnet": "deviation network: few deposits against many unlabelled cells",
}

NOTES = (
    "Published sizes are those of 3x3 kernels (and FLOPs of 3 input layers), though the networks are said to "
    "be three-dimensional; ours have 3x3x3 kernels.",
    "The forest's published FLOPs are its 77 trees x 255 nodes x 3 features; a cell passes one path of each.",
    "Published scores come from a random split of overlapping patches, which is optimistic by construction. "
    "`mpm3d validate` puts spatial schemes beside it.",
)
_TREE = "comparisons"
_FLOPS = "FLOPs"


@dataclass(frozen=True)
class Entry:
    """A model of the list.

    Parameters
    ----------
    kind : str
        Its name in ``[[models]]``.
    what : str
        One line on it.
    settings : mapping
        Keys of its table and their values, those of the study or the defaults.
    patch : tuple of int
        Cells along z, y, x that it sees.
    parameters : int, optional
        Numbers that a fit finds; None where that depends on the data, as with trees.
    operations : int, optional
        To score one cell, at most.
    counted : str
        What the operations are: ``"FLOPs"`` (two for each multiply-add), ``"comparisons"`` (of trees), or
        ``"look-ups"``.
    published : mapping
        ``parameters``, ``flops``, ``accuracy``, ``auc``, ``f1`` where published.
    fitted : mapping
        What the run folder of the study holds: ``trained_on``, ``n_positive``, ``n_negative``, ``seconds``
        and ``note`` of each member; empty if it is not fitted.
    """

    kind: str
    what: str
    settings: Mapping[str, Any]
    patch: tuple[int, ...]
    parameters: int | None
    operations: int | None
    counted: str
    published: Mapping[str, float | None]
    fitted: tuple[Mapping[str, Any], ...] = ()


def of_all(n_layers: int = N_LAYERS) -> list[Entry]:
    """Every model with its default settings, on so many layers.

    Parameters
    ----------
    n_layers : int
        Evidence layers that sizes are counted on.

    Returns
    -------
    list of Entry
        One for each of `mpm3d.models.KINDS`, in that order.
    """
    layers = tuple(f"layer_{number}" for number in range(1, n_layers + 1))
    tables: list[Any] = [table.model_validate({"kind": kind}) for kind, table in MODELS.items()]
    return [_entry(table, models.make(table.kind, layers, **table.parameters())) for table in tables]


def of_study(path: str | Path, *, runs: str | Path | None = None) -> list[Entry]:
    """The models of a study with their settings, on its layers, and what they were fitted on.

    Parameters
    ----------
    path, runs
        As in `mpm3d.study.load`.

    Returns
    -------
    list of Entry
        In the order of the study.

    Raises
    ------
    StudyError
        If something is wrong with the study.
    """
    run = Run(study.load(path, runs=runs))
    layers = tuple(layer.name for layer in run.study.layers)
    return [
        _entry(
            table,
            models.make(table.kind, layers, **table.parameters()),
            _fitted(run.path(run.model_folder(number)), table.made_as()[0]),
        )
        for number, table in enumerate(run.study.models)
    ]


def _entry(table: ModelTable, estimator: models.Estimator, fitted: Sequence[Mapping[str, Any]] = ()) -> Entry:
    parameters, operations, counted = _size(table, estimator)
    return Entry(
        kind=table.kind,
        what=WHAT[table.kind],
        settings=table.model_dump(exclude={"kind"}),
        patch=tuple(estimator.patch_shape),
        parameters=parameters,
        operations=operations,
        counted=counted,
        published=asdict(cost.PUBLISHED[table.kind]) if table.kind in cost.PUBLISHED else {},
        fitted=tuple(fitted),
    )


def _size(table: ModelTable, estimator: models.Estimator) -> tuple[int | None, int | None, str]:
    """Parameters, operations for a cell, and what those are."""
    n_features = len(estimator.layers)
    for side in estimator.patch_shape:
        n_features *= side
    if table.kind == "forest":
        return None, table.trees * table.depth, _TREE
    if table.kind == "boosting":
        return None, table.iterations * table.depth, _TREE
    if table.kind == "logistic":
        return n_features + 1, 2 * n_features, _FLOPS
    if table.kind == "weights":
        classes = 2 if table.binary else table.bins
        return len(estimator.layers) * classes + 1, len(estimator.layers), "look-ups"
    if table.kind == "pu":
        base = models.make(table.base.kind, estimator.layers, **table.base.parameters())
        parameters, operations, counted = _size(table.base, base)
        bags = table.bags
        return parameters and bags * parameters, operations and bags * operations, counted
    found = cost.cost_of(estimator)
    return found.parameters, found.flops, _FLOPS


def _fitted(folder: Path, made_as: str) -> list[Mapping[str, Any]]:
    """The members in a model folder, without their files; none if another model is in it."""
    if not (folder / JSON_NAME).is_file():
        return []
    found = read_json(folder / JSON_NAME)
    if found.get("model") != made_as:
        return []
    names = ("trained_on", "n_positive", "n_negative", "seconds", "note")
    return [{name: row.get(name) for name in names} for row in found.get("members", [])]


def as_dict(entries: Sequence[Entry]) -> dict[str, Any]:
    """What JSON can hold of the list: ``models``, the fields of each entry, and ``notes``."""
    return {"models": [asdict(entry) for entry in entries], "notes": list(NOTES)}


_COLUMNS = (
    "model", "parameters", "operations a cell", "", "| published:",
    "parameters", "FLOPs", "accuracy", "AUC", "F1",
)  # fmt: skip


def lines(entries: Sequence[Entry]) -> list[str]:
    """The list as text.

    Parameters
    ----------
    entries : sequence of Entry
        From `of_all` or `of_study`.

    Returns
    -------
    list of str
        A table of sizes and published figures, a paragraph on each model, and what the figures are worth.
    """
    rows = [_COLUMNS, *(_row(entry) for entry in entries)]
    widths = [max(len(row[number]) for row in rows) for number in range(len(_COLUMNS))]
    left = {0, 3}
    table = [
        "  ".join(
            text.ljust(width) if number in left else text.rjust(width)
            for number, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return [*table, "", *(line for entry in entries for line in _paragraph(entry)), *NOTES]


def _row(entry: Entry) -> tuple[str, ...]:
    published = entry.published
    sizes = [_whole(published.get(name)) for name in ("parameters", "flops")]
    scores = [_share(published.get(name)) for name in ("accuracy", "auc", "f1")]
    counted = "" if entry.operations is None else entry.counted
    return entry.kind, _whole(entry.parameters), _whole(entry.operations), counted, "|", *sizes, *scores


def _whole(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _paragraph(entry: Entry) -> list[str]:
    said = [f"{entry.kind}: {entry.what}; sees {' × '.join(map(str, entry.patch))} cells."]
    settings = ", ".join(f"{key} = {_toml(value)}" for key, value in entry.settings.items())
    said.append(f"  settings: {settings}")
    for member in entry.fitted:
        on = ", ".join(member["trained_on"] or ())
        said.append(
            f"  fitted on {member['n_positive']:,} deposit cells ({on}) and {member['n_negative']:,} "
            f"negatives in {member['seconds']:.0f} s. {member['note'] or ''}".rstrip()
        )
    return [*said, ""]


def _toml(value: Any) -> str:
    """A value as one writes it in the study."""
    if isinstance(value, Mapping):
        inside = ", ".join(f"{key} = {_toml(one)}" for key, one in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    return "not set" if value is None else json.dumps(value)
