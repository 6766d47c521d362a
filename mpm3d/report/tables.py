"""Tables of the page: targets, comparison, deposits, layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mpm3d.report.content import Report, Row, number, text
from mpm3d.report.markup import Html, tag
from mpm3d.report.numbers import decimals, percent, whole
from mpm3d.report.words import Reason, reasons

MOST_ROWS = 200
"""Targets on the page at most; the file has all."""


class Column(NamedTuple):
    """A column of the target table: the field, its heading, how a number is shown, and whether it is text."""

    field: str
    heading: str
    shown: Callable[[float], str] | None = None
    hint: str = ""


def _angle(value: float) -> str:
    return decimals(value, 5)


COLUMNS = (
    Column("rank", "Rank", whole),
    Column("id", "Target"),
    Column("kind", "Kind", None, "new: no known ore in it; extension: some; zone: too large for one target"),
    Column("latitude", "Latitude, °", _angle, "WGS 84, of the centre; negative is south"),
    Column("longitude", "Longitude, °", _angle, "WGS 84, of the centre; negative is west"),
    Column("x", "Easting, m", whole),
    Column("y", "Northing, m", whole),
    Column("elevation", "Elevation, m", whole),
    Column("depth_top", "Depth to top, m", whole),
    Column("depth_base", "Depth to base, m", whole),
    Column(
        "volume_m3", "Volume, million m³", lambda value: "–" if math.isnan(value) else f"{value / 1e6:,.1f}"
    ),
    Column("area_m2", "Area, km²", lambda value: "–" if math.isnan(value) else f"{value / 1e6:,.2f}"),
    Column("ranking", "Ranking", decimals, "from 0 to 1; what targets are sorted by"),
    Column("mean_score", "Mean score", decimals),
    Column("spread", "Spread", decimals, "of ensemble members"),
    Column("extrapolated", "Unlike training", percent, "share of its cells whose score is extrapolated"),
    Column("nearest_deposit", "Nearest known deposit"),
    Column("distance_m", "Distance to it, m", whole),
    Column("hole", "Drillhole"),
)
_KEPT = {"rank", "id", "kind", "x", "y", "elevation", "volume_m3", "area_m2", "mean_score"}


def shown_columns(report: Report) -> list[Column]:
    """Columns that the table of this run has values for."""
    there = [column for column in COLUMNS if column.field in report.targets.columns]
    rows = report.rows
    return [c for c in there if c.field in _KEPT or any(text(row[c.field]) for row in rows)]


def target_table(report: Report) -> Html:
    """The sortable table of targets: a body of the table for each, and every cell with its raw value."""
    columns = shown_columns(report)
    heads = [_heading(column) for column in columns]
    bodies = [_target_body(report, columns, row) for row in report.rows[:MOST_ROWS]]
    caption = tag("caption", "Prospectivity targets, the best first. ", report.caution)
    head = tag("thead", tag("tr", *heads, role="row"), role="rowgroup")
    return tag("table", caption, head, *bodies, id="targets-table", role="table")


def _heading(column: Column) -> Html:
    button = tag("button", column.heading, type="button", title=column.hint or None)
    way = "ascending" if column.field == "rank" else None
    return tag("th", button, scope="col", role="columnheader", data_field=column.field, aria_sort=way)


def _target_body(report: Report, columns: list[Column], row: Row) -> Html:
    """A target's cells, and what speaks for and against it below them."""
    seen = "in the 3D view" if report.map is None else "on the map"
    cells = [_cell(column, row[column.field], seen) for column in columns]
    found = [*reasons(report, row.get("reasons_for")), *reasons(report, row.get("reasons_against"))]
    note = text(row.get("hole_note")) if not text(row.get("hole")) else ""
    more = tag("p", f"No drillhole: {note}") if note else None
    wide = {"class_": "more", "colspan": len(columns), "role": "cell"}
    below = tag("tr", tag("td", chips(found) if found else None, more, **wide), role="row")
    rows = [tag("tr", *cells, role="row"), *([below] if found or note else [])]
    return tag("tbody", *rows, role="rowgroup", data_target=row["id"])


def _cell(column: Column, value: Any, seen: str) -> Html:
    raw = text(value) if column.shown is None else repr(number(value))
    common: dict[str, Any] = {
        "data_value": "" if raw == "nan" else raw,
        "data_label": column.heading,
        "data_field": column.field,
        "class_": "number" if column.shown else None,
    }
    if column.field == "id":
        label = f"Show {text(value)} {seen}"
        button = tag("button", value, type="button", aria_label=label)
        return tag("th", button, role="rowheader", scope="row", **common)
    shown = text(value) or "–" if column.shown is None else column.shown(number(value))
    return tag("td", shown, role="cell", **common)


def chips(found: list[Reason], *, long: bool = False) -> Html:
    """Layers by short or long name with what they add to the score, an arrow each."""
    return tag(
        "ul",
        *(
            tag(
                "li",
                tag("span", "▲ " if reason.value >= 0 else "▼ ", aria_hidden="true"),
                reason.words if long else reason.layer,
                " ",
                tag("b", f"{reason.value:+.2f}".replace("-", "−")),
                title=reason.words,
            )
            for reason in found
        ),
        class_="chips",
    )


class Measure(NamedTuple):
    """A row of the comparison: scheme, metric, what it says, how it is shown, what guessing gives.

    ``{space}`` in what it says is "volume" or "area".
    """

    scheme: str
    metric: str
    words: str
    shown: Callable[[float], str]
    chance: str


_TWO = "the best 2 % of the {space} hold"
MEASURES = (
    Measure("deposit", "auc", "Deposits left out one at a time: AUC", decimals, "0.5"),
    Measure("deposit", "capture@0.02", f"Deposits left out: share of a deposit that {_TWO}", percent, "2 %"),
    Measure("deposit", "capture@0.05", "Deposits left out: the same in the best 5 %", percent, "5 %"),
    Measure(
        "deposit", "median_rank", "Deposits left out: half of a deposit ranks in the best …", percent, "50 %"
    ),
    Measure(
        "deposit", "P-A crossing", "Deposits left out: {space} share at the P-A crossing", percent, "50 %"
    ),
    Measure("blind", "auc", "Blind deposits: AUC", decimals, "0.5"),
    Measure("blind", "capture@0.02", f"Blind deposits: share of a deposit that {_TWO}", percent, "2 %"),
    Measure("blind", "median_rank", "Blind deposits: half of a deposit ranks in the best …", percent, "50 %"),
    Measure("block", "auc", "Spatial blocks left out: AUC", decimals, "0.5"),
    Measure(
        "block",
        "capture@0.02",
        "Spatial blocks left out: share of ore in the best 2 % of a block",
        percent,
        "2 %",
    ),
    Measure("random", "auc", "Random split: AUC", decimals, "0.5"),
    Measure("random", "accuracy", "Random split: accuracy", decimals, "0.5"),
    Measure("random", "f1", "Random split: F1", decimals, "–"),
    Measure("in sample", "auc", "In sample, deposits that were trained on: AUC", decimals, "0.5"),
)
OPTIMISTIC = "optimistic"


def comparison_rows(report: Report) -> list[tuple[Measure, bool, list[float]]]:
    """Measures that were made, whether each is optimistic, and its mean for every model."""
    rows = []
    for measure in MEASURES:
        values = [report.metric(measure.scheme, measure.metric, model) for model in models_of(report)]
        if any(not math.isnan(value) for value in values):
            rows.append((measure, is_optimistic(report, measure.scheme), values))
    return rows


def models_of(report: Report) -> list[str]:
    """Models of the comparison, in its order."""
    return list(dict.fromkeys(report.comparison["model"].astype(str))) if len(report.comparison) else []


def is_optimistic(report: Report, scheme: str) -> bool:
    """Whether the comparison says so of a scheme."""
    table = report.comparison
    return any(str(flag) == "True" for flag in table.loc[table["scheme"] == scheme, "optimistic"])


def comparison_table(report: Report) -> Html:
    """Measures by model, the honest ones first."""
    models = models_of(report)
    heads = [tag("th", name, scope="col") for name in ("Test", *models, "Guessing")]
    rows = []
    for measure, optimistic, values in comparison_rows(report):
        mark = tag("span", OPTIMISTIC, class_="flag") if optimistic else None
        cells = [
            tag(
                "td",
                measure.shown(value),
                class_="number",
                data_value="" if math.isnan(value) else repr(value),
            )
            for value in values
        ]
        name = tag("th", measure.words.format(space=report.space), " ", mark, scope="row")
        rows.append(
            tag(
                "tr",
                name,
                *cells,
                tag("td", measure.chance, class_="number"),
                class_="optimistic" if optimistic else None,
                data_scheme=measure.scheme,
                data_metric=measure.metric,
            )
        )
    caption = tag("caption", f"Means over deposits or blocks. {report.model} scored the {report.space}.")
    return scrolled(
        tag("table", caption, tag("thead", tag("tr", *heads)), tag("tbody", *rows), id="comparison-table"),
        "Comparison of models",
    )


def deposits_table(report: Report) -> Html | None:
    """How each deposit fared when the model had not seen it."""
    rows = []
    for scheme, role in (("deposit", "left out"), ("blind", "blind")):
        for row in report.tested(scheme):
            rows.append(
                tag(
                    "tr",
                    tag("th", row["deposit"], scope="row"),
                    tag("td", role),
                    tag("td", text(row.get("style")) or "–"),
                    *(
                        tag("td", shown(number(row.get(field))), class_="number")
                        for field, shown in (
                            ("cells", whole),
                            ("auc", decimals),
                            ("capture@0.02", percent),
                            ("median_rank", percent),
                        )
                    ),
                )
            )
    if not rows:
        return None
    names = ("Deposit", "Test", "Style", "Cells", "AUC", "In the best 2 %", "Half of it in the best …")
    head = tag("tr", *(tag("th", name, scope="col") for name in names))
    caption = tag("caption", f"Each deposit when {report.model} had not seen it.")
    table = tag("table", caption, tag("thead", head), tag("tbody", *rows), id="deposits-table")
    return scrolled(table, "Deposits when the model had not seen them")


def layers_table(report: Report) -> Html:
    """The evidence: units, how each layer was made, its files with their hashes."""
    heads = tag(
        "tr", *(tag("th", name, scope="col") for name in ("Layer", "What it is", "Unit", "Made from"))
    )
    rows = []
    for layer in report.layers:
        files = [
            tag(
                "li",
                source.name,
                " ",
                tag("code", source.sha256[:12], title=f"SHA-256 {source.sha256}")
                if source.sha256
                else tag("span", "hash not kept", class_="flag"),
            )
            for source in layer.files
        ]
        made = tag("td", layer.how, tag("ul", *files, class_="files"))
        rows.append(
            tag(
                "tr",
                tag("th", layer.name, scope="row"),
                tag("td", layer.long_name or "–"),
                tag("td", layer.units or "–"),
                made,
            )
        )
    caption = tag("caption", "Evidence layers. Codes are the first 12 digits of each file's SHA-256.")
    return scrolled(
        tag("table", caption, tag("thead", heads), tag("tbody", *rows), id="layers-table"), "Evidence layers"
    )


def pairs_table(rows: Sequence[tuple[object, object]], caption: str, identity: str) -> Html:
    """Names and values in two columns."""
    lines = [tag("tr", tag("th", name, scope="row"), tag("td", value)) for name, value in rows]
    return scrolled(
        tag("table", tag("caption", caption), tag("tbody", *lines), id=identity, class_="pairs"), caption
    )


def scrolled(table: Html, name: str) -> Html:
    """A table in a frame that scrolls by itself where the screen is narrow."""
    return tag("div", table, class_="scrolled", tabindex="0", role="region", aria_label=name)


def sort_choices(report: Report) -> Html:
    """The choice that sorts the table where its headings are not shown."""
    options = [
        tag("option", f"{column.heading}, {words}", value=f"{column.field} {way}")
        for column in shown_columns(report)
        for way, words in (("ascending", "smallest first"), ("descending", "largest first"))
    ]
    return tag("label", "Sort by ", tag("select", *options, id="sort"), class_="sorting")


__all__ = [
    "COLUMNS",
    "MEASURES",
    "MOST_ROWS",
    "chips",
    "comparison_rows",
    "comparison_table",
    "deposits_table",
    "is_optimistic",
    "layers_table",
    "models_of",
    "pairs_table",
    "shown_columns",
    "sort_choices",
    "target_table",
]
