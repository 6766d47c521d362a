"""The page: one file of markup with its style, script, pictures and 3D view, or map, in it."""

from __future__ import annotations

import math
import shlex
from importlib.resources import files
from typing import Any

from mpm3d import __version__
from mpm3d.report import figures, tables, view2d, view3d, words
from mpm3d.report.content import Report
from mpm3d.report.markup import Html, data_block, joined, tag
from mpm3d.report.numbers import percent

LARGEST_PAGE = 25_000_000
"""Bytes that a page may have, so that it can be sent by mail."""

# Nothing is fetched: the browser itself refuses every address but those of data in the page.
_POLICY = (
    "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; font-src data:; "
    "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
GLOSSARY = (
    (
        "Prospectivity",
        "The model's score of a cell of ground. A higher score means more like the known ore. It is an "
        "order, not a chance of finding ore, and it says nothing of tonnage or grade.",
    ),
    (
        "Left-out deposit",
        "A known deposit that was hidden while the model was trained, to see whether the model "
        "finds it. A blind deposit was hidden from every choice as well.",
    ),
    (
        "AUC",
        "How often a cell of a deposit scores higher than a cell of other ground: 0.5 is guessing, 1 always.",
    ),
    (
        "Spread",
        "How far models differ that were trained alike from other random starts. Large: chance decides.",
    ),
    ("Extrapolation", "A score for ground with values that no training sample had. Trust it less."),
)


def render(report: Report) -> str:
    """Make the page.

    Parameters
    ----------
    report : Report
        What it says.

    Returns
    -------
    str
        HTML that needs nothing else: no address in it is fetched.

    Raises
    ------
    ValueError
        If it comes out larger than 25 MB.
    """
    body = tag(
        "body",
        tag("a", "Skip to the table", href="#targets", class_="skip"),
        tag("header", *_header(report)),
        tag(
            "main",
            _summary(report),
            (view3d if report.map is None else view2d).view_section(report),
            _targets(report),
            _validation(report),
            _attribution(report),
            _layers(report),
            _reproduce(report),
            _glossary(),
        ),
        tag(
            "footer", tag("p", report.caution, class_="caution"), tag("p", f"Made with mpm3d {__version__}.")
        ),
        _scripts(report),
        # the picture stands in for a map that moves until its script has drawn it
        class_=None if report.map is None else "no-3d",
    )
    page = f"<!DOCTYPE html>\n{tag('html', _head(report), body, lang='en')}\n"
    size = len(page.encode("utf-8"))
    if size > LARGEST_PAGE:
        most = LARGEST_PAGE / 1e6
        raise ValueError(
            f"the page has {size / 1e6:.0f} MB, more than the {most:.0f} MB that mail takes. Delete pictures "
            " from the run's figures/ that it need not show, then make it again."
        )
    return page


def _asset(name: str) -> Html:
    return Html((files("mpm3d.report") / name).read_text(encoding="utf-8"))


def _head(report: Report) -> Html:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="description", content=report.caution),
        tag("title", f"{report.name}: prospectivity targets"),
        tag("style", _asset("page.css")),
    )


def _scripts(report: Report) -> Html:
    view = "view3d.js" if report.map is None else "view2d.js"
    own = tag("script", _asset("page.js"), _asset(view))
    if not report.groups and report.map is None:
        return own
    from plotly.offline import get_plotlyjs

    data = view3d.view_data(report) if report.map is None else view2d.view_data(report, report.map)
    return joined([data_block("scene", data), tag("script", Html(get_plotlyjs())), own])


def _header(report: Report) -> list[Html]:
    note = tag("p", report.note, class_="note") if report.note else Html("")
    links = (
        ("view", "3D view" if report.map is None else "Map"),
        ("targets", "Targets"),
        ("validation", "How well it was tested"),
        ("attribution", "Which evidence"),
        ("layers", "Layers"),
        ("reproduce", "Make it again"),
        ("glossary", "Words"),
    )
    return [
        tag("h1", report.name, ": prospectivity targets"),
        note,
        tag("p", report.caution, class_="caution"),
        tag(
            "nav", *(tag("a", label, href=f"#{key}") for key, label in links), aria_label="Parts of this page"
        ),
    ]


def _summary(report: Report) -> Html:
    best = report.best or {}
    why = words.why(report)
    found = [
        ("For", words.reasons(report, best.get("reasons_for"))),
        ("Against", words.reasons(report, best.get("reasons_against"))),
    ]
    moved = [joined([tag("h4", label), tables.chips(list_, long=True)]) for label, list_ in found if list_]
    cards = (
        _card("where", "Where is the best target?", words.where(report)),
        _card("sure", "How sure is the model?", words.how_sure(report)),
        _card("why", "Why there?", why, *moved),
        _card("drill", "What to drill first?", words.drilling(report))
        if report.map is None
        else _card("look", "Where to go and look first?", words.visiting(report)),
    )
    return tag("section", tag("h2", "In one minute"), tag("div", *cards, class_="cards"), id="summary")


def _card(key: str, question: str, answer: words.Answer, *more: Html) -> Html:
    facts = [joined([tag("dt", name), tag("dd", value)]) for name, value in answer.facts]
    return tag(
        "article",
        tag("h3", question),
        tag("p", answer.headline, class_="headline"),
        tag("dl", *facts) if facts else None,
        *more,
        tag("ul", *(tag("li", sentence) for sentence in answer.sentences), class_="plain")
        if answer.sentences
        else None,
        tag("p", answer.missing, class_="missing") if answer.missing else None,
        class_="card",
        id=key,
    )


def _targets(report: Report) -> Html:
    count = len(report.rows)
    shown = min(count, tables.MOST_ROWS)
    cut = f" The first {shown} of {count} are here, targets.csv has all." if shown < count else ""
    if not count:
        return tag(
            "section",
            tag("h2", "Targets"),
            tag("p", "No target was found above the threshold.", class_="missing"),
            id="targets",
        )
    share = report.volume.get("share", math.nan)
    where = "in 3D" if report.map is None else "on the map"
    how = (
        ""
        if math.isnan(share)
        else f" Targets are the best {percent(share)} of the {report.space} outside known ore."
    )
    return tag(
        "section",
        tag("h2", "Targets"),
        tag("p", f"Press a heading to sort, a target to see it {where}.{how}{cut}", class_="lead"),
        tables.sort_choices(report),
        tag("p", "", id="sorted", class_="quiet", aria_live="polite"),
        tag(
            "div",
            tables.target_table(report),
            class_="wide",
            tabindex="0",
            role="region",
            aria_label="Table of targets",
        ),
        id="targets",
    )


def _validation(report: Report) -> Html:
    if not len(report.comparison):
        told = tag(
            "p", f"The models were not compared. Do it with: {report.commands['validate']}", class_="missing"
        )
        return tag(
            "section",
            tag("h2", "How well it was tested"),
            told,
            *_pictures(report, "validation"),
            id="validation",
        )
    lead = (
        "Only deposits that a model has not seen say how well it finds. A line marked optimistic says how "
        "well it remembers: its test samples share ground with training samples."
    )
    rule = tag(
        "p",
        "“Fairly sure” on this page means: at least 5 deposits tested, at least 4 in 5 of them found, mean "
        "AUC 0.9 or more, no blind deposit missed. “Not sure”: fewer than half found, or a mean AUC below "
        f"0.7. Found: the best 2 % of the {report.space} hold more of it than guessing would.",
        class_="quiet",
    )
    return tag(
        "section",
        tag("h2", "How well it was tested"),
        tag("p", lead, class_="lead"),
        tables.comparison_table(report),
        tables.deposits_table(report),
        rule,
        *_pictures(report, "validation"),
        id="validation",
    )


def _pictures(report: Report, section: str) -> list[Html]:
    kinds = [kind for kind in figures.KINDS if kind.section == section]
    there = [_figure(report, kind) for kind in kinds if kind.name in report.figures]
    if there:
        return [tag("div", *there, class_="figures")]
    verb = kinds[0].verb
    return [
        tag(
            "p",
            f"There are no pictures of this in the run. Make them with: {report.commands[verb]}",
            class_="missing",
        )
    ]


def _figure(report: Report, kind: figures.FigureKind) -> Html:
    png = report.figures[kind.name]
    width, height = figures.size_of(png)
    title, caption = (words.format(space=report.space) for words in (kind.title, kind.caption))
    image = tag("img", src=figures.data_uri(png), alt=title, width=width, height=height)
    return tag("figure", tag("figcaption", tag("strong", title + ". "), caption), image)


def _attribution(report: Report) -> Html:
    heading = tag("h2", "Which evidence moved the score")
    if not report.attributed and not any(name.startswith("attribution") for name in report.figures):
        told = tag(
            "p", f"This was not computed. Compute it with: {report.commands['explain']}", class_="missing"
        )
        return tag("section", heading, told, id="attribution")
    lead = "Attribution divides a score among the layers. It explains the model; it does not prove a cause."
    order = sorted(report.attributed.items(), key=lambda item: -item[1])
    table = (
        tables.pairs_table(
            [(name, f"{value:.3g}") for name, value in order],
            "Mean size of what each layer adds to the score, over the explained cells",
            "attribution-table",
        )
        if order
        else None
    )
    return tag(
        "section",
        heading,
        tag("p", lead, class_="lead"),
        table,
        *_pictures(report, "attribution"),
        id="attribution",
    )


def _layers(report: Report) -> Html:
    more = [
        (
            source.get("file", ""),
            joined(
                [
                    " ".join(
                        filter(None, (source.get("repository"), source.get("commit"), source.get("path")))
                    ),
                    " ",
                    source.get("licence", ""),
                    " ",
                    tag("code", source.get("sha256", "")[:12]),
                ]
            ),
        )
        for source in report.sources
    ]
    extra = (
        tables.pairs_table(more, "Where files that are not bundled come from", "sources-table")
        if more
        else None
    )
    return tag("section", tag("h2", "Layers and sources"), tables.layers_table(report), extra, id="layers")


def _reproduce(report: Report) -> Html:
    command = shlex.join(str(word) for word in report.run.get("command", ()))
    versions: dict[str, Any] = dict(report.run.get("versions", {}))
    stages: dict[str, Any] = dict(report.run.get("stages", {}))
    rows: list[tuple[object, object]] = [("Last command", tag("code", command or "not known"))]
    rows += [(name, str(number)) for name, number in versions.items()]
    rows += [(f"Model {report.model}", tag("code", report.model_info.get("hash", "not known")))]
    rows += [("Cube", tag("code", stages.get("build", {}).get("cube", "not known")))]
    rows += [(name, value) for name, value in report.settings.items()]
    keys = [
        (stage, joined([tag("code", facts.get("key", "")), f" in {facts.get('seconds', '?')} s"]))
        for stage, facts in stages.items()
        if isinstance(facts, dict)
    ]
    steps = [tag("li", tag("code", report.commands[name])) for name in ("run", "explain", "report")]
    return tag(
        "section",
        tag("h2", "Make it again"),
        tag(
            "p",
            "With the same study, files and versions, these commands make the same targets:",
            class_="lead",
        ),
        tag("ol", *steps),
        tables.pairs_table(rows, "Command, versions and hashes", "versions-table"),
        tables.pairs_table(
            keys, "Stages, the hash of what each was made from, and how long it took", "stages-table"
        ),
        id="reproduce",
    )


def _glossary() -> Html:
    entries = [joined([tag("dt", word), tag("dd", meaning)]) for word, meaning in GLOSSARY]
    return tag("section", tag("h2", "Five words"), tag("dl", *entries, class_="glossary"), id="glossary")
