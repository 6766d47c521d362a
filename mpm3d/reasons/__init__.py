"""Why cells and targets score as they do: attributions by a study's models, their table and pictures."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from mpm3d import cube, storage
from mpm3d.predict.scoring import one_thread
from mpm3d.reasons import figures
from mpm3d.reasons.deposits import of_deposits
from mpm3d.reasons.few import MOST, cells_each, explain_few
from mpm3d.reasons.heat import draw_deposits
from mpm3d.reasons.leading import draw_leading, write_bands
from mpm3d.reasons.reason import Reason, decimals, words
from mpm3d.reasons.step import step_of
from mpm3d.reasons.store import ATTRIBUTION, Wanted, is_current, place_of, split_zones
from mpm3d.reasons.subject import Subject, identity_of, subject_of
from mpm3d.reasons.summary import Summary, summarise, table_of, tally_of, write_table
from mpm3d.reasons.volume import write
from mpm3d.run import hash_of
from mpm3d.targets import Delineation
from mpm3d.work import Run

__all__ = ["MOST", "Reason", "Summary", "explain", "of", "words"]

_TOLD = 5  # targets whose reasons are printed


def of(run: Run, found: Delineation) -> dict[str, Reason]:
    """Why each target scores as it does with the first model of the study.

    From ``attributions.zarr`` where that is of the model as it is now and has the cells of the target; else
    at most 64 of its cells are explained at once.

    Parameters
    ----------
    run : Run
        The study at work; its first model has scored the volume.
    found : Delineation
        The targets.

    Returns
    -------
    dict of str to Reason
        By id of the target; none, and a sentence, where what it takes is not installed.
    """
    reasons = _kept(run, found)
    missing = [target for target in found.targets if target.id not in reasons]
    if not missing:
        return reasons
    try:
        subject = subject_of(run, 0)
    except ImportError as error:
        n = len(run.study.layers)
        run.say(f"reasons: left empty, {n} layers are too many to score every set of them. {error}")
        return {}
    most, workers = cells_each(len(missing)), subject.workers(run.study.predict.workers)
    with run.bar("explain targets") as progress, one_thread(), ThreadPoolExecutor(workers) as pool:
        each = partial(explain_few, run, 0, subject, most=most)
        for done, (target, reason) in enumerate(zip(missing, pool.map(each, missing), strict=True), start=1):
            reasons[target.id] = reason
            progress(done, len(missing))
    run.say(
        f"reasons: from at most {most} cells of each of {len(missing)} targets, evenly spread over the ranks "
        f"of their scores; {subject.words}. For all cells: mpm3d explain study.toml"
    )
    return {target.id: reasons[target.id] for target in found.targets}


def _kept(run: Run, found: Delineation) -> dict[str, Reason]:
    """Reasons of the targets whose cells the store of attributions has, all of them."""
    place, kept = place_of(run, 0), {}
    if not found.targets or not is_current(place, identity_of(run, 0)):
        return {}
    store, split = storage.group(place, "r"), split_zones(found)
    lattice = Wanted(tuple(store.attrs["grid_shape"]), int(store.attrs["every"]))
    for target in found.targets:
        zone = target.id in split
        tally = tally_of(store[ATTRIBUTION], target, lattice if zone else None)
        if tally.n == target.n_cells or (zone and tally.n):
            layers = tuple(store.attrs["layers"])
            kept[target.id] = Reason(layers, tally.means[0], float(store.attrs["base"]), tally.n)
    return kept


def explain(run: Run, found: Delineation, number: int = 0, *, whole: bool = False) -> Summary:
    """Explain a volume or a map: attributions beside the scores, a table, pictures; say what they show.

    All cells of targets are explained and every fourth cell along each axis elsewhere, or as the study says;
    every cell of a map where that does not take long, see `step_of`. What an earlier run has finished is
    kept, also when targets have changed since. Deposits have rows and a picture of their own.

    Parameters
    ----------
    run : Run
        The study at work; the model has scored the volume.
    found : Delineation
        The targets.
    number : int
        Which of the study's models.
    whole : bool
        Explain every scored cell.

    Returns
    -------
    Summary
        What ``attributions.csv`` holds.

    Raises
    ------
    ImportError
        If the layers are too many to be enumerated and captum is not installed.
    RuntimeError
        If attributions do not add up to the scores, or another run is writing the store.
    """
    started = time.monotonic()
    subject = subject_of(run, number)
    wanted = Wanted(run.grid.shape, 1 if whole else step_of(run, number, subject))
    volume = write(run, number, subject, found, wanted)
    deposits = of_deposits(run, number, subject)
    with run.bar("sum up"):
        summary = summarise(volume, found, seed=run.study.seed, deposits=deposits)
    _publish(run, number, summary, subject, wanted)
    _say(run, summary, found, subject.kind)
    run.folder.finish(
        f"explain {subject.kind}", hash_of(subject.identity), started, method=subject.explainer.words,
        background=subject.removed, base=summary.base, every=wanted.every, n_cells=summary.volume.n,
        gap=summary.gap,
    )  # fmt: skip
    return summary


def _publish(run: Run, number: int, summary: Summary, subject: Subject, wanted: Wanted) -> None:
    """Write the table and the pictures, and the GeoTIFF of a map."""
    evidence = cube.open(run.study.cube_place)
    units = {name: str(evidence[name].attrs["units"]) for name in summary.layers}
    names = {name: str(evidence[name].attrs["long_name"]) for name in summary.layers}
    write_table(place_of(run, number, "attributions.csv"), table_of(summary, units), note=run.study.note)
    with run.bar("pictures"):
        look = figures.Look(subject.kind, names, units, subject.words, run.study.note)
        for name, draw in figures.DRAWN.items():
            draw(summary, place_of(run, number, f"figures/attribution_{name}.png"), look)
        if any(one.tally.n for one in summary.deposits):
            draw_deposits(summary, place_of(run, number, "figures/attribution_deposits.png"), look)
        if run.grid.is_map:
            draw_leading(run, number, wanted)
            write_bands(run, number, wanted)


def _say(run: Run, summary: Summary, found: Delineation, kind: str) -> None:
    mean, absolute, strongest = summary.volume.means
    width, digits = max(map(len, summary.layers)), decimals(absolute)
    rows = [
        f"  {summary.layers[i]:<{width}}  {absolute[i]:.{digits}f}  (mean {mean[i]:+.{digits}f}, "
        f"strongest in {strongest[i]:.0%} of the cells)"
        for i in summary.order
    ]
    run.say(
        f"explain {kind}: mean absolute attribution of each layer over {summary.volume.n:,} cells of the "
        f"{run.space}, in units of the score, the strongest first:\n" + "\n".join(rows)
    )
    run.say(
        f"explain {kind}: the score without any layer and what the layers add give the score of every "
        f"explained cell to within {summary.gap:.1g}."
    )
    if unscored := [one.name for one in summary.deposits if not one.tally.n]:
        run.say(f"explain {kind}: no cell of {', '.join(unscored)} has a score, so nothing is said of it.")
    for target in [one for one in found.targets if summary.targets[one.id].n][:_TOLD]:
        reason = summary.reason(target.id)
        run.say(
            f"{target.id} ({target.kind}): {kind} gives {reason.base + reason.values.sum():.2f} in the mean, "
            f"{reason.base:.2f} without any layer; for it {words(reason.speaks_for()) or 'nothing'}; against "
            f"it {words(reason.speaks_against()) or 'nothing'}."
        )
