"""The summary in plain words: where, how sure, why, and what to drill, or on a map where to go."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from mpm3d.report.bodies import ZONE
from mpm3d.report.content import KNOWN, Report, Row, number, text
from mpm3d.report.numbers import (
    UNKNOWN,
    cubic,
    decimals,
    degrees,
    direction,
    in_hundred,
    listed,
    metres,
    percent,
    square,
    whole,
)

BEST = 0.02
"""The part of the volume, or of the area, that captures are told for."""
GOOD_AUC, POOR_AUC, FEW = 0.9, 0.7, 5
"""What counts as sure: `sureness` says how."""


class Answer(NamedTuple):
    """The answer to one question: a headline, facts with their labels, sentences, and what is missing."""

    headline: str
    facts: tuple[tuple[str, str], ...] = ()
    sentences: tuple[str, ...] = ()
    missing: str = ""


def where(report: Report) -> Answer:
    """Where the best target is, in a volume how deep, how large, and where that is from known ore."""
    best = report.best
    if best is None:
        known = "All targets are mostly known ore." if report.rows else "No target was found."
        return Answer(f"{known} There is nothing new to follow up.")
    facts = (
        ("Centre", _centre(report, best)),
        ("Coordinates", report.crs),
        *([("Depth below ground", depth_of(best))] if report.map is None else []),
        ("Size", size_of(report, best)),
        ("Known ore", nearest_of(report, best)),
    )
    sentences = [_rank_words(report, best)]
    sentences += [_KINDS[best["kind"]]] if best.get("kind") in _KINDS else []
    fresh = next((row for row in report.rows if row.get("kind") == "new"), None)
    if fresh is not None and fresh["id"] != best["id"]:
        sentences.append(
            f"Best without known ore: {_place_words(report, fresh)}; {plan(report, fresh)}, "
            f"{depth_of(fresh) if report.map is None else square(number(fresh['area_m2']))}."
        )
    return Answer(_place_words(report, best), facts, tuple(sentences))


def _centre(report: Report, row: Row) -> str:
    if report.map is None:
        return f"{plan(report, row)}, elevation {metres(number(row['elevation']))}"
    earth = degrees(number(row.get("longitude")), number(row.get("latitude")))
    return plan(report, row) + (f"; {earth}" if earth != UNKNOWN else "")


def plan(report: Report, row: Row, names: tuple[str, str] = ("x", "y")) -> str:
    """Where a target is on a map: two columns of its row as coordinates."""
    x, y = (number(row.get(name)) for name in names)
    return f"{whole(x)} E, {whole(y)} N"


_KINDS = {
    "extension": "It touches known ore, so part of its high score is not news.",
    "zone": "It is a zone, too large to be one target. Look for its best parts.",
}


def _place_words(report: Report, row: Row) -> str:
    """A headline such as "T02: 1,237 m from Donggou, to the south-east"."""
    near, name = number(row.get("distance_m")), text(row.get("nearest_deposit"))
    if text(row.get("kind")) == "extension" and name:
        place = f"around known ore at {listed((text(row.get('deposit')) or name).split('; '))}"
    elif name:
        point = _towards(report, row, name)[1]
        place = f"{metres(near)} from {name}" + (f", to the {point}" if point else "")
    else:
        place = f"at {plan(report, row)}"
    return f"{row['id']}: {place}"


def _rank_words(report: Report, row: Row) -> str:
    share, count = report.volume.get("share", math.nan), sum(row.get("kind") != ZONE for row in report.rows)
    others = f"the first of {count} targets" if count > 1 else "the only target"
    if math.isnan(share):
        return f"It is {others}."
    return f"It is {others}. All of it ranks among the best {percent(share)} of the {report.space}."


def depth_of(row: Row) -> str:
    """Depth of top and base below the ground in words."""
    top, base = number(row.get("depth_top")), number(row.get("depth_base"))
    if math.isnan(top):
        return "depth not known, there is no topography"
    return f"from {'the ground' if top < 0.5 else metres(top)} down to {metres(base)}"


def size_of(report: Report, row: Row) -> str:
    """Volume or area, and extent where the table has it."""
    flat = report.map is not None
    names = ("x_min", "x_max", "y_min", "y_max", "z_base", "z_top")[: 4 if flat else 6]
    ends = [number(row.get(name)) for name in names]
    size = square(number(row.get("area_m2"))) if flat else f"{cubic(number(row.get('volume_m3')))} of rock"
    if any(math.isnan(end) for end in ends):
        return size
    x, y, *z = (metres(high - low) for low, high in zip(ends[::2], ends[1::2], strict=True))
    return f"{size}; {x} west–east, {y} south–north" + "".join(f", {high} high" for high in z)


def _towards(report: Report, row: Row, name: str) -> tuple[float, str]:
    """Metres and compass point from the middle of a deposit to that of a target, seen from above."""
    if name not in report.centres:
        return math.nan, ""
    x, y, _ = report.centres[name]
    east, north = number(row["x"]) - x, number(row["y"]) - y
    return math.hypot(east, north), direction(east, north)


def nearest_of(report: Report, row: Row) -> str:
    """The nearest known deposit, how far, and in which direction the target lies from it."""
    name, near = text(row.get("nearest_deposit")), number(row.get("distance_m"))
    if not name:
        return "none is known"
    far, point = _towards(report, row, name)
    between = f"its centre {metres(far)} {point} of the centre of {name}" if point else f"nearest is {name}"
    if near == 0:
        inside = text(row.get("deposit")) or name
        return f"holds part of {listed(inside.split('; '))}; {between}"
    return f"{metres(near)} from {name} at the nearest; {between}"


class Sureness(NamedTuple):
    """A word for how sure the model is, and the tests that it rests on: found in part, and all."""

    word: str
    found: int
    tests: int


def sureness(report: Report) -> Sureness:
    """How well the model found deposits that it had not seen, in one word.

    A deposit counts as found where the best 2 % of the volume, or area, hold more of it than a guess would.
    Fairly sure: at least five deposits tested, all but one in five found, the mean AUC 0.9 or more, and no
    blind deposit missed. Not sure: fewer than half found, or a mean AUC below 0.7. Untested: no left-out
    deposit.
    """
    rows = [*report.tested("deposit"), *report.tested("blind")]
    hits = [number(row.get("capture@0.02")) > BEST for row in rows]
    means = [report.metric(scheme, "auc") for scheme in ("deposit", "blind")]
    lowest = min((mean for mean in means if not math.isnan(mean)), default=math.nan)
    if not rows or math.isnan(lowest):
        return Sureness("Nobody knows", 0, 0)
    blind = [number(row.get("capture@0.02")) > BEST for row in report.tested("blind")]
    if sum(hits) < len(hits) / 2 or lowest < POOR_AUC:
        word = "Not sure"
    elif len(hits) >= FEW and sum(hits) >= 0.8 * len(hits) and lowest >= GOOD_AUC and all(blind):
        word = "Fairly sure"
    else:
        word = "Half sure"
    return Sureness(word, sum(hits), len(hits))


def how_sure(report: Report) -> Answer:
    """How well the model finds deposits that it has not seen, beside what the random split claims."""
    told = sureness(report)
    claim = report.metric("random", "auc")
    if told.word == "Nobody knows":
        flattering = (
            "" if math.isnan(claim) else f" A random split gives AUC {claim:.3f}, which proves nothing."
        )
        return Answer(
            "Nobody knows: the model was not tested on deposits it had not seen.",
            missing=f"Test it with: {report.commands['validate']}.{flattering}",
            sentences=doubts(report),
        )
    headline = (
        f"{told.word}: the best {percent(BEST)} of the {report.space} held part of {told.found} of "
        f"{told.tests} deposits that it had not seen."
    )
    return Answer(headline, (), (*_tests(report), *_claims(report, claim), *doubts(report)))


def _tests(report: Report) -> list[str]:
    """A sentence on left-out deposits and one on blind ones."""
    said = []
    for scheme, whom in (("deposit", "left out of training in turn"), ("blind", "never shown to it")):
        auc, held = report.metric(scheme, "auc"), report.metric(scheme, "capture@0.02")
        if math.isnan(auc):
            continue
        rows = sorted(report.tested(scheme), key=lambda row: number(row.get("auc")))
        worst = f", worst {number(rows[0].get('auc')):.3f}, {rows[0]['deposit']}" if len(rows) > 1 else ""
        named = f"{len(rows)} deposit{'s' * (len(rows) != 1)} {whom}"
        said.append(
            f"{named}: their cells outrank other ground {in_hundred(auc)} (AUC {auc:.3f}{worst}; guessing: "
            f"50 times). The best {percent(BEST)} of the {report.space} hold {percent(held)} of a deposit "
            f"(guessing: {percent(BEST)})."
        )
    if not report.blind:
        said.append("No deposit was kept blind, so nothing checks the choices made on the way.")
    return said


def _claims(report: Report, claim: float) -> list[str]:
    if math.isnan(claim):
        return []
    return [
        f"The random split claims AUC {claim:.3f}. That is too good: its test samples touch training samples."
    ]


def doubts(report: Report) -> tuple[str, ...]:
    """Sentences on spread and extrapolation."""
    best, members = report.best or {}, len(report.model_info.get("members", ()))
    spread = number(best.get("spread"))
    if not math.isnan(spread):
        apart = f"Ensemble of {members}: its members differ by {spread:.2g} over this target (score 0 to 1)."
    elif members == 1:
        apart = "One model was trained, so the part of chance is not known ([[models]] members = 5 shows it)."
    else:
        apart = f"How far members of the ensemble differ is {UNKNOWN}."
    here, all_of = number(best.get("extrapolated")), report.volume.get("extrapolated", math.nan)
    unlike = ""
    if not math.isnan(here):
        whole_of = "" if math.isnan(all_of) else f" (of the whole {report.space}: {percent(all_of)})"
        unlike = f"{percent(here)} of this target is ground unlike any it was trained on{whole_of}."
    elif not math.isnan(all_of):
        unlike = f"{percent(all_of)} of the {report.space} is ground unlike any it was trained on."
    return tuple(sentence for sentence in (apart, unlike) if sentence)


class Reason(NamedTuple):
    """A layer, what it is in words, and what it added to the score."""

    layer: str
    words: str
    value: float


def reasons(report: Report, cell: Any) -> list[Reason]:
    """Layers and values of a column such as ``"density +0.12; fault_distance -0.03"``."""
    names = {layer.name: layer.long_name or layer.name for layer in report.layers}
    found = []
    for piece in text(cell).split(";"):
        name, _, value = piece.strip().rpartition(" ")
        if name:
            found.append(Reason(name, names.get(name, name), number(value.replace("−", "-"))))
    return found


def why(report: Report) -> Answer:
    """Which layers speak for the best target and which against."""
    best = report.best
    if best is None:
        return Answer("There is no target to explain.")
    speaks_for = reasons(report, best.get("reasons_for"))
    against = reasons(report, best.get("reasons_against"))
    if not speaks_for and not against:
        return Answer(
            "Not computed: which evidence moved the score.",
            missing=f"Compute it with: {report.commands['explain']}",
        )
    names = listed([_short(reason) for reason in speaks_for])
    headline = f"Mostly for its {names}." if names else "No layer speaks for it clearly."
    sentences = [
        "The numbers are what each layer adds to the model's score. They explain the model, not the ore."
    ]
    if not against:
        sentences.insert(0, "No layer speaks against it.")
    return Answer(headline, (), tuple(sentences))


def _short(reason: Reason) -> str:
    """A layer's long name up to its first comma, in the middle of a sentence; a bare name as it is."""
    if reason.words == reason.layer:
        return reason.layer
    first = reason.words.split(",")[0].split(" (")[0]
    return first if first[:2].isupper() else first[:1].lower() + first[1:]


def drilling(report: Report) -> Answer:
    """The drillhole that is proposed for the best target."""
    best = report.best
    if best is None:
        return Answer("There is no target to drill.")
    hole = report.hole_of(best)
    if hole is None:
        note = text(best.get("hole_note"))
        return Answer(
            note or "No drillhole was proposed.",
            missing="" if note else f"Make the targets again: {report.commands['targets']}",
        )
    note = text(best.get("hole_note"))
    return Answer(_hole_words(hole), hole_facts(hole), (note[:1].upper() + note[1:],) if note else ())


def _hole_words(hole: Row) -> str:
    dip, azimuth = number(hole["dip"]), number(hole["azimuth"])
    aim = "straight down" if dip >= 89.95 else f"towards {azimuth:.0f}°, {dip:.0f}° down"
    return f"{hole['id']}: {metres(number(hole['length']))}, {aim}"


def hole_facts(hole: Row) -> tuple[tuple[str, str], ...]:
    """Collar, direction and what a hole cuts."""
    dip, azimuth = number(hole["dip"]), number(hole["azimuth"])
    point = direction(math.sin(math.radians(azimuth)), math.cos(math.radians(azimuth)))
    aim = "vertical" if dip >= 89.95 else f"azimuth {azimuth:.1f}° ({point}), dip {dip:.1f}° below horizontal"
    return (
        (
            "Collar",
            f"{whole(number(hole['x']))} E, {whole(number(hole['y']))} N, elevation "
            f"{metres(number(hole['elevation']))}",
        ),
        ("Direction", aim),
        (
            "In the target",
            f"from {metres(number(hole['from_m']))} to {metres(number(hole['to_m']))} down the hole, "
            f"{whole(number(hole['cells_cut']))} cells",
        ),
        (
            "Score there",
            f"mean {decimals(number(hole['mean_score']))}, best {decimals(number(hole['best_score']))}",
        ),
    )


_NEXT = 3


def visiting(report: Report) -> Answer:
    """Where to go first on a map, what to look for there, and where then: to new ground before known ore."""
    best, sheet = report.best, report.map
    if best is None or sheet is None:
        return Answer("There is no target to go to.")
    seen = [_short(reason) for reason in reasons(report, best.get("reasons_for"))]
    facts = [("Its best cell", plan(report, best, ("best_x", "best_y")))]
    facts += [("Check there", listed(seen))] if seen else []
    others = [row for row in report.rows if row.get("kind") not in (KNOWN, ZONE) and row["id"] != best["id"]]
    others.sort(key=lambda row: row.get("kind") != "new")
    facts += [(f"Then {row['id']}", _stop(report, row)) for row in others[:_NEXT]]
    wide = [metres(step) for step in sheet.cell]
    sentence = f"The map has cells of {wide[0]} × {wide[1]}, so no place on it is known better than that."
    if text(best.get("best_latitude")):
        sentence = "Latitudes and longitudes are WGS 84, as a GPS shows them. " + sentence
    return Answer(f"{best['id']}: go to {_earth(report, best)}", tuple(facts), (sentence,))


def _earth(report: Report, row: Row) -> str:
    """The best cell of a target for a GPS; on the map where its coordinates are not tied to the Earth."""
    found = degrees(number(row.get("best_longitude")), number(row.get("best_latitude")))
    return plan(report, row, ("best_x", "best_y")) if found == UNKNOWN else found


def _stop(report: Report, row: Row) -> str:
    """Where the best cell of another target is, and what it is to known ore."""
    name, near = text(row.get("nearest_deposit")), number(row.get("distance_m"))
    ore = "" if not name else f" (at {name})" if near == 0 else f" ({metres(near)} from {name})"
    return _earth(report, row) + ore
