"""The 3D view of the page: its controls as markup, and what its script draws."""

from __future__ import annotations

from typing import Any

import numpy as np

from mpm3d.report import figures
from mpm3d.report.bodies import ZONE
from mpm3d.report.content import KNOWN, Report, number, text
from mpm3d.report.markup import Html, tag
from mpm3d.report.numbers import cubic, decimals, metres
from mpm3d.report.words import depth_of
from mpm3d.view.camera import nice_step

_NAMED = 8
_LABELS = {"deposit", "blind deposit"}


WHAT = "Targets, deposits and surfaces in three dimensions"
_HINTS = (
    "Drag to turn, click and then use the wheel to zoom, right-drag to move. On a phone: one finger turns, "
    "two zoom. Point at a body to see what it is; translucent surfaces answer at their edges."
)


def view_section(report: Report) -> Html:
    """The view with its legend and buttons, and the picture that stands in for it."""
    heading = tag("h2", "3D view")
    if not report.groups:
        told = f"There is nothing to draw. See the run in a window with: {report.commands['view']}"
        return tag(
            "section", heading, tag("p", told, class_="missing"), stand_in(report, "targets", WHAT), id="view"
        )
    thinned = f" Simplified to keep this page small: {' '.join(report.thinned)}" if report.thinned else ""
    about = f"{_HINTS} Axes are true coordinates in metres, {report.crs}.{thinned}"
    no_webgl = "This browser cannot draw in 3D (no WebGL), so a picture stands here."
    return tag(
        "section",
        heading,
        stand_in(report, "targets", WHAT),
        _viewer(report),
        tag("p", about, class_="quiet screen-only"),
        tag("p", no_webgl, class_="missing no-webgl"),
        id="view",
    )


def _viewer(report: Report) -> Html:
    status = tag("p", "", id="status", aria_live="polite")
    return tag(
        "div",
        tag("div", id="scene-view", class_="scene", role="img", aria_label=WHAT),
        tag("div", _legend(report), _colouring(), _buttons(), status, class_="panel"),
        class_="viewer",
    )


def stand_in(report: Report, name: str, what: str) -> Html:
    """The picture that is printed, and shown where the view cannot be drawn.

    Parameters
    ----------
    report : Report
        The run.
    name, what : str
        Which of its figures, and words for those who do not see it.
    """
    png = report.figures.get(name)
    if png is None:
        return tag(
            "p",
            f"There is no picture of the targets. Draw it with: {report.commands['picture']}",
            class_="missing fallback",
        )
    width, height = figures.size_of(png)
    image = tag("img", src=figures.data_uri(png), alt=what, width=width, height=height)
    return tag("figure", image, tag("figcaption", report.caution), class_="fallback")


def _legend(report: Report) -> Html:
    of_role: dict[str, list[int]] = {}
    for index, group in enumerate(report.groups):
        of_role.setdefault(group.role, []).append(index)
    first = [(" ".join(map(str, indices)), report.groups[indices[0]]) for indices in of_role.values()]
    lines = [
        tag(
            "label",
            tag("input", type="checkbox", data_groups=indices, checked=group.visible),
            tag(
                "span",
                "",
                class_="swatch",
                style=f"background:{group.colour};opacity:{max(group.opacity, 0.45):.2f}",
            )
            if group.role != "target"
            else tag("span", "", class_="swatch ramp"),
            tag("span", group.label),
        )
        for indices, group in first
    ]
    return tag("fieldset", tag("legend", "Show"), *lines, names_switch(), class_="legend")


def names_switch() -> Html:
    """The line of the legend that shows and hides names."""
    box = tag("input", type="checkbox", id="names", checked=True)
    return tag("label", box, tag("span", "", class_="swatch none"), tag("span", "Names"))


def _colouring() -> Html:
    choice = tag(
        "select",
        tag("option", "rank", value="rank"),
        tag("option", "mean score", value="score"),
        id="colour-by",
    )
    times = tag(
        "select",
        *(tag("option", f"× {x}", value=str(x), selected=x == 1) for x in (1, 2, 3, 5)),
        id="exaggeration",
    )
    return tag(
        "div",
        tag("label", "Colour targets by ", choice),
        colour_bar(),
        tag("label", "Vertical exaggeration ", times),
        class_="choices",
    )


def colour_bar() -> Html:
    """The colours with the values at their ends, which the script writes."""
    low, high = tag("span", "", id="ramp-low"), tag("span", "", id="ramp-high")
    return tag("div", low, tag("span", "", class_="bar", id="ramp"), high, class_="scale")


def _buttons() -> Html:
    return buttons(
        ("all", "Overview"),
        ("top", "From above"),
        ("south", "From south"),
        ("east", "From east"),
        ("left", "Turn left"),
        ("right", "Turn right"),
        ("in", "Closer"),
        ("out", "Farther"),
    )


def buttons(*names: tuple[str, str]) -> Html:
    """Buttons of a view: what the script knows each by, and its label."""
    made = (tag("button", label, type="button", data_view=key) for key, label in names)
    return tag("div", *made, class_="buttons")


def view_data(report: Report) -> dict[str, Any]:
    """What the script draws: groups from a local origin, targets with their boxes, and the axes."""
    low, high = np.array(report.bounds[:3]), np.array(report.bounds[3:])
    origin = np.asarray(report.origin)
    axes = []
    for axis, name in enumerate(("Easting (m)", "Northing (m)", "Elevation (m)")):
        step = nice_step(float(high[axis] - low[axis]), 4)
        ticks = np.arange(np.ceil(low[axis] / step), np.floor(high[axis] / step) + 1) * step
        axes.append(
            {
                "title": name,
                "range": [float(low[axis] - origin[axis]), float(high[axis] - origin[axis])],
                "at": [float(tick - origin[axis]) for tick in ticks],
                "words": [f"{tick:,.0f}".replace("-", "−") for tick in ticks],
            }
        )
    return {
        "origin": origin.tolist(),
        "axes": axes,
        "groups": [group.as_data() for group in report.groups],
        "targets": _targets(report),
        "names": _names(report),
        "ramp": ramp(),
    }


def ramp() -> list[list[Any]]:
    """The colour scale of the scores, from low to high, as the script wants it."""
    from mpm3d.view.actors import score_map

    return stops_of(score_map(), 9)


def stops_of(colours: Any, n: int) -> list[list[Any]]:
    """Evenly spaced stops of a colour map of matplotlib, as Plotly wants them."""
    from matplotlib.colors import to_hex

    stops = np.linspace(0, 1, n)
    return [[float(stop), to_hex(colour)] for stop, colour in zip(stops, colours(stops), strict=True)]


def _targets(report: Report) -> list[dict[str, Any]]:
    """Each target's middle, half size and words, from the origin of the view."""
    origin = np.asarray(report.origin)
    found = []
    for row in report.rows:
        box = box_of(report, row)
        if box is None:
            continue
        found.append(
            {
                "id": text(row["id"]),
                "rank": number(row["rank"]),
                "score": _plain(number(row.get("mean_score"))),
                "box": [(box[0] - origin).tolist(), (box[1] - origin).tolist()],
                "words": said(report, row),
            }
        )
    return found


def _plain(value: float) -> float | None:
    return value if np.isfinite(value) else None


def box_of(report: Report, row: dict[str, Any]) -> Any:
    """Lower and upper corner of a target: from the table, else from its body; None if neither has it."""
    names = ("x_min", "y_min", "z_base", "x_max", "y_max", "z_top")
    ends = np.array([number(row.get(name)) for name in names]).reshape(2, 3)
    if np.isfinite(ends).all():
        return ends
    for group in report.groups:
        for part in group.parts:
            if group.role in ("target", ZONE) and part.name == text(row["id"]):
                points = group.vertices[part.first : part.first + part.size].astype(float)
                return np.stack([points.min(axis=0), points.max(axis=0)]) + np.asarray(report.origin)
    return None


def said(report: Report, row: dict[str, Any]) -> list[str]:
    """Lines on a target, as they stand beside the pointer."""
    kind = text(row.get("kind"))
    lines = [f"{row['id']}, rank {row['rank']}" + (f", {kind}" if kind else "")]
    lines.append(f"{cubic(number(row['volume_m3']))}, {depth_of(row)}")
    lines.append(f"mean score {decimals(number(row.get('mean_score')))}")
    return [*lines, *near_words(row)]


def near_words(row: dict[str, Any]) -> list[str]:
    """A line on the nearest known deposit; none where there is none."""
    name, near = text(row.get("nearest_deposit")), number(row.get("distance_m"))
    if not name:
        return []
    return [f"holds part of {name}" if near == 0 else f"{metres(near)} from {name}"]


def _names(report: Report) -> list[dict[str, Any]]:
    """Names of the best targets and of the deposits, above them."""
    origin, found = np.asarray(report.origin), []
    for row in [row for row in report.rows if row.get("kind") not in (KNOWN, ZONE)][:_NAMED]:
        box = box_of(report, row)
        if box is not None:
            place = [*box.mean(axis=0)[:2], box[1, 2]] - origin
            found.append({"text": text(row["id"]), "at": place.tolist(), "colour": "#5a0000"})
    for group in report.groups:
        for part in group.parts if group.role in _LABELS and group.kind != "rim" else ():
            points = group.vertices[part.first : part.first + part.size].astype(float)
            top = [*((points.min(axis=0) + points.max(axis=0)) / 2)[:2], points[:, 2].max()]
            found.append({"text": part.name, "at": [float(v) for v in top], "colour": group.colour})
    return found[::-1]  # the best on top of the others
