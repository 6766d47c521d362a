"""The map of the page: its controls as markup, and what its script draws."""

from __future__ import annotations

from typing import Any

import numpy as np

from mpm3d.report.bodies import ZONE, packed
from mpm3d.report.content import KNOWN, Report, number, text
from mpm3d.report.markup import Html, tag
from mpm3d.report.numbers import decimals, square
from mpm3d.report.sheet import Sheet
from mpm3d.report.view3d import buttons, colour_bar, names_switch, near_words, stand_in, stops_of

EMPTY = 65_535
"""Stands for cells without a score; percentiles are whole numbers from 0 to 50,000."""
_STEPS = 500  # of a percentile
_LOWEST = (0, 50, 80, 95)  # where colours may begin
_WHAT = "Map of the scores with targets outlined, and deposits"
_HINTS = (
    "Drag to move, click and then use the wheel to zoom; with the keyboard the arrows, + and −, and 0 for "
    "all. On a phone: one finger moves, two zoom. Press a place to read its coordinates, a target to mark "
    "it. North of the grid is up."
)


def view_section(report: Report) -> Html:
    """The map with its legend and buttons, and the picture that stands in for it."""
    sheet = _sheet(report)
    thinned = f" Simplified to keep this page small: {' '.join(sheet.thinned)}" if sheet.thinned else ""
    about = f"{_HINTS} Axes are true coordinates in metres, {report.crs}.{thinned}"
    return tag(
        "section",
        tag("h2", "Map"),
        stand_in(report, "map", _WHAT),
        _viewer(report, sheet),
        tag("p", about, class_="quiet screen-only"),
        tag("p", "A map that moves needs scripts; this picture stands in for it.", class_="missing no-webgl"),
        id="view",
    )


def _sheet(report: Report) -> Sheet:
    if report.map is None:
        raise ValueError("the study is no map, so there is no map to show.")
    return report.map


def _viewer(report: Report, sheet: Sheet) -> Html:
    status = tag("p", "", id="status", aria_live="polite")
    north = tag("div", "N", tag("span", "↑", aria_hidden="true"), class_="north", title="North of the grid")
    bar = tag("div", tag("span", ""), class_="scale-bar", id="scale-bar")
    drawn = tag(
        "div", "", id="scene-view", class_="scene", role="group", tabindex="0", aria_label=_WHAT
    )  # fmt: skip
    moves = buttons(
        ("all", "Overview"), ("in", "Closer"), ("out", "Farther"), ("north", "North"), ("south", "South"),
        ("west", "West"), ("east", "East"),
    )  # fmt: skip
    panel = tag("div", _legend(report, sheet), _colouring(), moves, status, class_="panel")
    return tag("div", tag("div", drawn, north, bar, class_="plan"), panel, class_="viewer")


def _legend(report: Report, sheet: Sheet) -> Html:
    """What is drawn, with a switch each; the script knows the layers by name."""
    kinds = [text(row.get("kind")) for row in report.rows if text(row["id"]) in sheet.rings]
    blind = sum(place.blind for place in sheet.places)
    layers = (
        ("scores", "Scores", "ramp", 1, True),
        ("targets", "Targets", "outline", sum(kind != ZONE for kind in kinds), True),
        ("zones", "Zones", "dashes", sum(kind == ZONE for kind in kinds), True),
        ("known", "Known deposits", "dot", len(sheet.places) - blind, True),
        ("blind", "Blind deposits", "triangle", blind, True),
    )
    lines = [
        tag(
            "label",
            tag("input", type="checkbox", data_layer=key, checked=shown),
            tag("span", "", class_=f"swatch plain-{look}"),
            tag("span", label + (f" ({count})" if count > 1 else "")),
        )
        for key, label, look, count, shown in layers
        if count
    ]
    empty = [tag("p", tag("span", "", class_="swatch plain-empty"), "no score", class_="key")]
    shown = empty if np.isnan(sheet.values).any() else []
    return tag("fieldset", tag("legend", "Show"), *lines, names_switch(), *shown, class_="legend")


def _colouring() -> Html:
    choice = tag(
        "select",
        *(tag("option", f"{low} on" if low else "0, all", value=str(low)) for low in _LOWEST),
        id="lowest",
    )
    return tag(
        "div",
        tag("div", "Percentile of the scored area", id="ramp-name"),
        colour_bar(),
        tag("label", "Colours from ", choice),
        class_="choices",
    )


def view_data(report: Report, sheet: Sheet) -> dict[str, Any]:
    """What the script draws: percentiles, targets with outlines and boxes, deposits.

    Coordinates are true ones, those of outlines in single precision from the lower left corner of the map.
    """
    from matplotlib import colormaps

    xmin, ymin, _, _ = sheet.bounds
    return {
        "shape": list(sheet.values.shape),
        "first": [xmin + sheet.step[0] / 2, ymin + sheet.step[1] / 2],
        "step": list(sheet.step),
        "every": sheet.every,
        "bounds": list(sheet.bounds),
        "values": packed(_coded(sheet.values), "<u2"),
        "empty": EMPTY,
        "steps": _STEPS,
        "ramp": stops_of(colormaps["viridis"], 11),
        "lonlat": sheet.lattice(),
        "targets": _targets(report, sheet),
        "places": [
            {"name": place.name, "blind": place.blind, "at": [place.x, place.y]} for place in sheet.places
        ],
    }


def _coded(values: Any) -> Any:
    return np.where(np.isnan(values), EMPTY, np.rint(np.nan_to_num(values) * _STEPS)).astype(np.uint16)


def _targets(report: Report, sheet: Sheet) -> list[dict[str, Any]]:
    """Targets by rank: box, outlines, words, and whether they are known ore or a zone."""
    corner, found = np.array(sheet.bounds[:2]), []
    for row in report.rows:
        name = text(row["id"])
        box = sheet.box(name)
        if box is None:
            continue
        rings = [packed(ring - corner, "<f4") for ring in sheet.rings[name]]
        zone = row.get("kind") == ZONE
        target = {"id": name, "zone": zone, "box": box.tolist(), "rings": rings, "words": said(row)}
        found.append(target | {"late": zone or row.get("kind") == KNOWN})
    return found


def said(row: dict[str, Any]) -> list[str]:
    """Lines on a target, as they stand beside the pointer."""
    kind = text(row.get("kind"))
    return [
        f"{row['id']}, rank {row['rank']}" + (f", {kind}" if kind else ""),
        f"{square(number(row['area_m2']))}, mean score {decimals(number(row.get('mean_score')))}",
        *near_words(row),
    ]
