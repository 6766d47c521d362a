"""What there is to see of a study: its run folder as a scene, and the faces that show one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mpm3d import mapping, view
from mpm3d.errors import StudyError, require
from mpm3d.scenery import plans
from mpm3d.scenery.bodies import bodies_of, holes_of, samples_of
from mpm3d.scenery.listing import targets_of
from mpm3d.scenery.stores import Counts, Scores, evidence_of, open_scores
from mpm3d.study import load
from mpm3d.work import Run

__all__ = ["address", "check_folder", "check_same", "draw", "facts_of", "is_local", "of", "serve", "show"]

SIDE_BY_SIDE = (2300, 1100)
"""Width and height of a picture of two models, in pixels."""

UNITS = "percentile of the scored {}"
_HIDDEN = ("dyke", "positive sample", "negative sample")  # swarms of them hide everything else


def of(run: Run, *, model: str = "", beside: str = "") -> view.Scene:
    """Describe everything that there is to see of a study, from what its run folder has.

    Scores are shown as percentiles of the scored volume or area, so that models compare. They take 4 bytes
    for each cell, 64 MB for 16 million cells, and as much again while they are computed (8 s on one core) and
    for a model ``beside``. Evidence and the layers beside the score stay in their stores: a slice or a cell
    is read when it is asked for.

    Parameters
    ----------
    run : Run
        The study at work, its targets made.
    model : str
        Kind of the model whose scores are shown; the first of the study, which the targets are of, if it is
        not given. The others are shown from the percentile on that keeps as much of the volume or area.
    beside : str
        Kind of another model, whose scores are shown beside.

    Returns
    -------
    Scene
        Scores and what is known beside them, evidence, bodies by role, drillholes, samples and targets; of a
        map, shapes and outlines in place of bodies and drillholes.

    Raises
    ------
    StudyError
        If something is missing, unfinished, damaged or of another run: a sentence with the command to give.
    """
    first, number, other = (_number(run, kind) for kind in ("", model, beside or ""))
    if beside and other == number:
        raise StudyError(f"{beside!r} is shown already, name another model of the study beside it.")
    facts = facts_of(run)
    scores = open_scores(run, first)
    counts = scores.counts(facts["threshold"])
    check_same(facts, counts)
    targets = targets_of(run, facts)
    common: dict[str, Any] = {
        "surfaces": {**_drawn(run, targets), **samples_of(run, number)},
        "cells": _cells(run), "evidence": evidence_of(run), "targets": targets,
    }  # fmt: skip
    shown = scores if number == first else open_scores(run, number)
    two = beside != ""
    seconds = _scene(run, open_scores(run, other), facts, counts, named=True, **common) if two else None
    named = two or number != first
    return _scene(run, shown, facts, counts, named=named, beside=seconds, **common)


def _drawn(run: Run, targets: tuple[view.SceneTarget, ...]) -> dict[str, Any]:
    """Bodies and drillholes by role; of a map, the outlines of what lies on it."""
    if run.grid.is_map:
        return plans.drawn_on(run, [target.id for target in targets])
    holes = holes_of(run, {target.hole for target in targets if target.hole})
    return {**bodies_of(run), **({"drillhole": holes} if holes else {})}


def _number(run: Run, kind: str) -> int:
    kinds = [table.kind for table in run.study.models]
    if kind and kind not in kinds:
        raise StudyError(f"the study has no model {kind!r}, it has {', '.join(map(repr, kinds))}.")
    return kinds.index(kind) if kind else 0


def facts_of(run: Run) -> dict[str, Any]:
    """What ``run.json`` says of the targets, at least their ``threshold``.

    Raises
    ------
    StudyError
        If it is damaged, or tells of no targets.
    """
    path = run.path("run.json")
    if path.is_file() and not run.folder.state():
        raise StudyError(
            f"run.json in {run.folder.place} is damaged, so nobody knows what the run has finished. Delete "
            "it and make the targets again: mpm3d targets study.toml"
        )
    try:
        facts = run.folder.facts("targets")
        threshold = float(facts.get("threshold", "nan"))
    except (AttributeError, TypeError, ValueError):
        facts, threshold = {}, float("nan")
    if not np.isfinite(threshold):
        raise StudyError(f"no targets are in {run.folder.place} yet. Make them first: mpm3d run study.toml")
    return {**facts, "threshold": threshold}


def check_same(facts: dict[str, Any], counts: Counts) -> None:
    """See that the scores are those that the targets were cut from: the threshold keeps what it kept then.

    Parameters
    ----------
    facts : dict
        As of `facts_of`.
    counts : Counts
        What the threshold keeps of the scores.

    Raises
    ------
    StudyError
        If it keeps another share.
    """
    share = counts.best / max(1, counts.eligible)
    if abs(share - float(facts.get("share", share))) > 1e-9:
        raise StudyError(
            f"the targets are of other scores: their threshold kept {float(facts['share']):.4%} of the "
            f"eligible cells and keeps {share:.4%} of those of prospectivity.zarr. "
            "Make them again: mpm3d targets study.toml"
        )


def _cells(run: Run) -> dict[str, dict[str, Any]]:
    """Cells of the deposits, whose captured share is read out."""
    cells = {"deposit": {deposit.name: deposit.cells for deposit in run.known}}
    if run.blind:
        cells["blind deposit"] = {deposit.name: deposit.cells for deposit in run.blind}
    return cells


def _scene(
    run: Run, scores: Scores, facts: dict[str, Any], counts: Counts, *, named: bool, **more: Any
) -> view.Scene:
    """One model's scene, from the percentile of the threshold on; of the others, as much of the volume."""
    with run.bar(f"rank the scores of {scores.kind}"):
        percentiles = scores.percentiles()
    if scores.number:
        lowest = 100 * (1 - counts.kept / max(1, counts.scored))
    else:
        lowest = scores.least(percentiles, facts["threshold"])
    beside = scores.companions()
    layers = {**more["evidence"], **beside}
    units = {name: "" if layer.units == "1" else layer.units for name, layer in layers.items()}
    first = run.study.models[0].kind
    whose = f" Targets are those of {first}." if scores.number else ""
    what = f"prospectivity by {scores.kind}" if named else "prospectivity targets"
    return view.make_scene(
        title=f"{run.study.name}: {what}",
        grid=run.grid,
        score=percentiles,
        threshold=lowest,
        units=UNITS.format(run.space),
        note=f"{run.study.note}{whose}".strip(),
        hidden=_HIDDEN,
        companions=beside,
        units_of=units,
        **more,
    )


def check_folder(path: Path, runs: Path | None = None) -> None:
    """See that a study has been run at all, so that looking at it makes no empty folder.

    Raises
    ------
    StudyError
        If its run folder is not there.
    """
    place = load(path, runs=runs).run_folder
    if not place.is_dir():
        raise StudyError(f"{path.name} has not been run, there is no folder {place}. First: mpm3d run {path}")


def draw(
    run: Run, path: Path | None = None, *, exaggeration: float = 1.0, model: str = "", beside: str = ""
) -> Path:
    """Draw the targets to a picture file, without a display; two models side by side if one is ``beside``."""
    if run.grid.is_map:
        return mapping.draw(run, path)
    place = path or run.path("figures/targets.png")
    with run.bar("picture"):
        size = {"size": SIDE_BY_SIDE} if beside else {}
        scene = of(run, model=model, beside=beside)
        return view.picture.draw(scene, place, vertical_exaggeration=exaggeration, **size)


def show(run: Run, *, model: str = "", beside: str = "") -> None:
    """Open the interactive window."""
    view.desktop.show(of(run, model=model, beside=beside))


LOCAL = "127.0.0.1"


def is_local(host: str) -> bool:
    """Whether an address to listen on is reached from this machine only."""
    return host == "localhost" or host == "::1" or host.startswith("127.")


def address(
    *, browser: bool, host: str = "", port: int | None = None, no_token: bool = False
) -> dict[str, Any]:
    """Where the browser app is to listen, from what was asked for on the command line.

    Parameters
    ----------
    browser : bool
        Whether it was asked for at all.
    host : str
        Address; this machine only, if it is empty.
    port : int, optional
        Port, by default any free one.
    no_token : bool
        Whether the address is to work without a secret.

    Returns
    -------
    dict
        Arguments of `serve`.

    Raises
    ------
    ValueError
        If an address is given without the app, or other machines would be let in without a secret.
    """
    if not browser and (host or port is not None or no_token):
        raise ValueError("--host, --port and --no-token are for the view in a web browser, add --browser.")
    if no_token and host and not is_local(host):
        raise ValueError(
            f"--no-token with --host {host} would show the study to anyone on the network. Leave one out."
        )
    return {"host": host or LOCAL, "port": port or 0, "token": "" if no_token else None}


def serve(run: Run, *, model: str = "", beside: str = "", **where: Any) -> None:
    """Show the scene in a browser until it is stopped.

    Parameters
    ----------
    run : Run
        The study at work.
    model, beside : str
        As in `of`.
    **where
        ``host``, ``port`` and ``token`` of `mpm3d.view.browser.serve`.

    Raises
    ------
    ImportError
        If the extra ``browser`` is not installed.
    """
    for module in ("trame", "trame_vuetify", "trame_rca"):
        require(module, "browser")  # before anything is read
    from mpm3d.view import browser

    host = str(where.get("host", LOCAL))
    if not is_local(host):
        run.say(
            f"--host {host}: every machine that reaches this one can ask for the view. Those that know the "
            "address with its secret see all that is in it, and what is sent is not encrypted. Without "
            "--host it is seen on this machine only."
        )
    browser.serve(of(run, model=model, beside=beside), **where)
