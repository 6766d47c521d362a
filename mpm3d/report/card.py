"""The model card: what a model is, what it was trained on, how it was tested and where not to use it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from mpm3d.report import words
from mpm3d.report.content import Report, number, text
from mpm3d.report.numbers import listed, percent

_SPECIAL = str.maketrans({"<": "&lt;", ">": "&gt;", "|": "\\|", "\n": " ", "`": "'", "*": "\\*", "_": "\\_"})
_USE = (
    "Ranking ground for follow-up in the district it was trained in, by people who know that district.",
    "Not for another district, other layers or other units: its scores would mean nothing there.",
    "Not an estimate of tonnage, grade or the chance of finding ore. A score is an order.",
    "Not a reason to {act} by itself: check each target against the geology and the raw data.",
)


def model_card(report: Report) -> str:
    """Write the card in Markdown, every figure from the tables of the run.

    Parameters
    ----------
    report : Report
        What the page says too.

    Returns
    -------
    str
        Markdown.
    """
    info = report.model_info
    parts = [
        f"# Model card: {_md(report.model)} of {_md(report.name)}",
        f"**{_md(report.caution)}**",
        _md(report.note),
        "## Model",
        _bullets(_model_lines(report)),
        "## Data",
        _layers(report),
        "## Trained on",
        _bullets(_training_lines(report)),
        "## Use and limits",
        _bullets(line.format(act="drill" if report.map is None else "go ahead") for line in _USE),
        "## Validation",
        _validation(report),
        "## Spread and extrapolation",
        _bullets(words.doubts(report)),
        "## Versions and hashes",
        _table(
            ("what", "value"),
            [
                *((_md(name), _md(value)) for name, value in dict(report.run.get("versions", {})).items()),
                ("model", _code(info.get("hash"))),
                ("cube", _code(info.get("cube"))),
                ("settings", _code(info.get("settings"))),
                *(
                    (f"member {_md(member.get('folder'))}", _code(member.get("sha256")))
                    for member in info.get("members", ())
                ),
            ],
        ),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _md(value: object) -> str:
    """Text that stays text in Markdown."""
    return "" if value is None else str(value).translate(_SPECIAL)


def _code(value: object) -> str:
    return f"`{re.sub('[`<>|]', '', str(value))}`" if value else "not known"


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines if line)


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _model_lines(report: Report) -> list[str]:
    info = report.model_info
    flat = report.map is not None
    sides = list(info.get("patch_shape", ()))[1 if flat else 0 :]
    shape = " × ".join(str(n) for n in sides) or "not known"
    members, n_layers = info.get("members", ()), len(info.get("layers", report.layers))
    lines = [
        f"Kind: {_md(info.get('model', report.model))}; what it gives: {_md(info.get('kind', 'not known'))}.",
        f"Sees patches of {shape} cells ({'y, x' if flat else 'z, y, x'}) of {n_layers} layers.",
        f"Members: {len(members)}, seed of the study {_md(info.get('seed', 'not known'))}.",
    ]
    return lines + [f"{_md(name)}: {_md(value)}" for name, value in report.settings.items()]


def _layers(report: Report) -> str:
    rows = [
        (
            _md(layer.name),
            _md(layer.long_name or "-"),
            _md(layer.units or "-"),
            _md(layer.how),
            "<br>".join(f"{_md(source.name)} {_code(source.sha256)}" for source in layer.files),
        )
        for layer in report.layers
    ]
    return (
        _table(("layer", "what it is", "unit", "made", "files (SHA-256)"), rows)
        + f"\n\nCoordinates: {_md(report.crs)}."
    )


def _training_lines(report: Report) -> list[str]:
    lines = [f"Deposits: {_md(listed(report.known)) or 'none'}."]
    if report.blind:
        lines.append(f"Kept blind, never shown to it: {_md(listed(report.blind))}.")
    for member in report.model_info.get("members", ()):
        lines.append(
            f"{_md(member.get('folder'))}: {member.get('n_positive', '?')} deposit cells and "
            f"{member.get('n_negative', '?')} others. {_md(member.get('note', ''))}".strip()
        )
    return lines


def _over(n: int, what: str) -> str:
    """Of what a figure is the mean: so many repeats, tests or deposits."""
    return f"{n} {_md(what.replace('repeats', 'repeat', 1) if n == 1 else what)}"


def _validation(report: Report) -> str:
    if not len(report.comparison):
        command = report.commands["validate"]
        return f"The model was not tested on deposits it had not seen. Test it with `{command}`."
    rows: list[tuple[Any, ...]] = []
    table = report.comparison[report.comparison["model"] == report.model]
    for row in table.to_dict("records"):
        flag = "**optimistic**" if str(row["optimistic"]) == "True" else "no"
        ends = (number(row["low"]), number(row["high"]))
        between = "" if any(math.isnan(end) for end in ends) else f"{ends[0]:.4g} to {ends[1]:.4g}"
        rows.append(
            (
                _md(row["scheme"]),
                _md(row["metric"]),
                f"{float(row['mean']):.4g}",
                between,
                _over(int(row["n"]), text(row["n_of"])),
                flag,
            )
        )
    lead = (
        "Scheme `deposit`: deposits left out one at a time; `blind`: never shown; `block`: parts of space "
        "left out; `random`: test samples touch training samples, so its figures are optimistic and say "
        "how well the model remembers. `capture@0.02` is the share of a deposit in the best 2 % of the "
        f"{report.space}."
    )
    if report.tested("in sample") or not math.isnan(report.metric("in sample", "auc")):
        lead += " `in sample`: deposits that the model was trained on, optimistic as well."
    worst = [
        f"{_md(row['deposit'])} ({scheme}{', ' + _md(row['style']) if text(row.get('style')) else ''}): AUC "
        f"{number(row['auc']):.3f}, {percent(number(row['capture@0.02']))} in the best 2 %"
        for scheme in ("deposit", "blind")
        for row in report.tested(scheme)
    ]
    heads = ("scheme", "measure", "mean", "range", "over", "optimistic")
    return "\n\n".join(
        filter(None, [_md(words.how_sure(report).headline), lead, _table(heads, rows), _bullets(worst)])
    )
