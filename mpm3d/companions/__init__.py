"""What is known about each score beside the score itself: extrapolation, distance, agreement, chances."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import mpm3d
from mpm3d import cube, fit, storage, uncertainty
from mpm3d.companions import layers
from mpm3d.companions.best import Best, best_share, left_out_ranks
from mpm3d.companions.store import Group, drop, write_group, write_percentiles
from mpm3d.companions.training import keep_cells, training_cells
from mpm3d.models.folder import JSON_NAME, read_json
from mpm3d.run import hash_of, write_text
from mpm3d.uncertainty import Calibration, Domain
from mpm3d.work import Run

__all__ = [
    "Best", "best_share", "compare_models", "has_domain", "keep_domain", "place_of", "training_cells",
    "write",
]  # fmt: skip


def place_of(run: Run, number: int) -> Path:
    """The prospectivity store of one of the study's models."""
    return run.path("prospectivity" + (f"_{run.study.models[number].kind}" if number else "") + ".zarr")


def keep_domain(run: Run, number: int, fitted: Sequence[fit.Fitted], model_hash: str) -> Domain:
    """Keep what the members of a model were trained on, and where, beside them, each training cell once.

    Parameters
    ----------
    run : Run
        The study at work.
    number : int
        Which of its models.
    fitted : sequence of Fitted
        The members, with the rows of ``run.samples`` that they were trained on.
    model_hash : str
        ``hash`` of the model folder.
    """
    drawn = run.samples
    rows = np.unique(np.concatenate([member.train for member in fitted]))
    z, y, x = (size // 2 for size in drawn.patch_shape)
    groups = np.where(drawn.label[rows] == 1, drawn.group[rows], "")
    rng = np.random.default_rng(run.study.seed)
    domain = Domain.learn(drawn.patches[rows, :, z, y, x], drawn.layers, rng=rng, groups=groups)
    folder = run.path(run.model_folder(number))
    keep_cells(folder, drawn.xyz[rows], drawn.label[rows], groups)
    uncertainty.save_domain(folder, domain, model_hash)  # last: it marks both as kept
    return domain


def has_domain(folder: Path) -> bool:
    """Whether a model folder says what its model was trained on."""
    try:
        uncertainty.load_domain(folder, str(read_json(folder / JSON_NAME).get("hash")))
    except ValueError:
        return False
    return True


def write(run: Run, number: int) -> None:
    """Write the layers that one model's prospectivity needs beside it, and say what they show.

    ``outside``, ``novelty`` and ``extrapolation``; ``known_distance``; ``calibrated`` where the study asks
    for it. Layers that are there and still hold are left as they are, those that were interrupted go on.

    Parameters
    ----------
    run : Run
        The study at work; the model is fitted and has scored the volume.
    number : int
        Which of its models.
    """
    started, place, kind = time.monotonic(), place_of(run, number), run.study.models[number].kind
    scores = _scores_key(place)
    known, folder = _known(run), run.path(run.model_folder(number))
    domain = uncertainty.load_domain(folder, str(read_json(folder / JSON_NAME)["hash"]))
    training = hashlib.sha256((folder / uncertainty.DOMAIN_NAME).read_bytes()).hexdigest()
    stand_off = run.study.samples.stand_off
    evidence = cube.open(run.study.cube_place)
    groups = [
        layers.domain_group(evidence, domain, hash_of(scores, training)),
        layers.distance_group(run.grid, known, stand_off, hash_of(scores, known.tolist(), stand_off)),
    ]
    if "spread" in storage.group(place, "r"):
        groups.append(layers.spread_group(place, scores))
    sums = {group.name: _written(run, place, group) for group in groups}
    run.say(f"{kind}: {_said_domain(sums['domain'], domain)}")
    run.say(f"{kind}: {_said_distance(sums['known_distance'], stand_off)}")
    if "spread" in sums:
        run.say(f"{kind}: {_said_spread(sums['spread'], run.space)}")
    _calibrate(run, number, known)
    run.folder.finish(f"companions {kind}", hash_of(*(group.key for group in groups)), started, **sums)


def compare_models(run: Run) -> None:
    """Write beside the first model's score how far the models that have scored the volume agree.

    ``agreement`` is the share of the models that count a cell among the best of the eligible cells, as many
    as the targets take; ``rank_spread`` the standard deviation of the cell's percentiles. Stores of models
    that were fitted again since count as not there, and with less than two no layer is left.
    """
    numbers = [number for number in range(len(run.study.models)) if _current(run, number)]
    if 0 not in numbers:
        return
    first = place_of(run, 0)
    if len(numbers) < 2:
        if drop(first, "agreement", layers.AGREEMENT):
            run.say(
                f"agreement: removed, no second model of the study has scored the {run.space} as it is now."
            )
        return
    known, share = _known(run), best_share(run).share
    places = [place_of(run, number) for number in numbers]
    kinds = [run.study.models[number].kind for number in numbers]
    keys = [_percentile_key(place, known) for place in places]
    with run.bar(f"rank the {run.space}") as progress:
        for done, (place, key) in enumerate(zip(places, keys, strict=True), start=1):
            write_percentiles(place, key, known)
            progress(done, len(places))
    group = layers.agreement_group(places, share, hash_of(keys, share), kinds)
    found = _written(run, first, group)
    both, some = found["all"], max(1.0, found["any"])
    run.say(
        f"agreement: {', '.join(kinds)} each take {share:.2%} of the eligible cells as the best; of the "
        f"{some:,.0f} cells that any of them takes, all take {both:,.0f} ({both / some:.0%})."
    )


def _written(run: Run, place: Path, group: Group) -> dict[str, float]:
    workers = run.study.predict.workers or os.cpu_count() or 1
    with run.bar(f"{group.name.replace('_', ' ')} beside the score") as progress:
        return write_group(place, group, workers=workers, progress=progress)


def _known(run: Run) -> NDArray[np.int64]:
    cells: NDArray[np.int64] = np.concatenate([deposit.cells for deposit in run.known]).astype(np.int64)
    return cells


def _scores_key(place: Path) -> str:
    """What the scores of a store depend on: cube, model, settings; and this version of the package."""
    return hash_of(storage.group(place, "r").attrs["run_hash"], mpm3d.__version__)


def _percentile_key(place: Path, known: NDArray[np.int64]) -> str:
    return hash_of(_scores_key(place), known.tolist())


def _current(run: Run, number: int) -> bool:
    """Whether the model of that number, as it is fitted now, has scored every block of the cube as it is."""
    place, folder = place_of(run, number), run.path(run.model_folder(number))
    if not (storage.exists(place) and (folder / JSON_NAME).is_file()):
        return False
    store = storage.group(place, "r")
    identity = json.loads(store.attrs.get("run", "{}"))
    model, cells = read_json(folder / JSON_NAME)["hash"], cube.hash_of(cube.open(run.study.cube_place))
    return (identity.get("model"), identity.get("cube")) == (model, cells) and bool(store["ledger"][:].all())


def _calibrate(run: Run, number: int, known: NDArray[np.int64]) -> None:
    """Write chances beside the score where the study asks for them and left-out deposits were ranked."""
    method, table = run.study.validation.calibration, run.study.models[number]
    place = place_of(run, number)
    ranks = {} if method == "none" else left_out_ranks(run, table)
    if not ranks:
        drop(place, "calibrated", ["calibrated"])
        if method != "none":
            run.say(
                f"{table.kind}: calibration = {method!r} needs the ranks of left-out deposits by the model "
                "as it is now, and comparison.json has none. Validate first: "
                f"mpm3d validate study.toml --scheme deposit --models {table.kind}"
            )
        return
    key = _percentile_key(place, known)
    with run.bar(f"rank the {run.space}"):
        n_eligible = write_percentiles(place, key, known)
    cells = {deposit.name: len(deposit.cells) for deposit in run.known}
    size = max(cells.values())
    found = uncertainty.calibrate_ranks(ranks, population=n_eligible + size, cells=cells, method=method)
    text = found.to_json()
    sums = _written(run, place, layers.calibrated_group(place, found, hash_of(key, text), run.space))
    write_text(run.path(f"calibration_{table.kind}.json"), text)
    mean = sums["chance"] / max(1.0, sums["n"])
    run.say(f"{table.kind}: {_said_chances(found, len(ranks), mean, run.space)}")


def _said_domain(sums: dict[str, float], domain: Domain) -> str:
    n = max(1.0, sums["scored"])
    most = sorted((name for name in domain.layers if sums[name]), key=lambda name: -sums[name])[:3]
    by = f", most by {', '.join(f'{name} ({sums[name] / n:.1%})' for name in most)}" if most else ""
    return (
        f"{sums['extrapolated'] / n:.1%} of the scored cells are unlike the {domain.n:,} training cells and "
        f"their scores extrapolated: {sums['outside'] / n:.1%} lie outside the range of a layer{by}; "
        f"{sums['novel'] / n:.1%} are farther from every training cell than those lie apart."
    )


def _said_distance(sums: dict[str, float], stand_off: float) -> str:
    share = sums["far"] / max(1.0, sums["scored"])
    return (
        f"{share:.1%} of the scored cells lie {stand_off:g} m or farther from the known deposits; "
        "a high score nearer than that is no discovery."
    )


def _said_chances(found: Calibration, n_deposits: int, mean: float, space: str = "volume") -> str:
    return (
        f"chances by {found.method} from {n_deposits} left-out deposits; the best cell has "
        f"{float(found.apply(1.0)):.2g}, the mean is {mean:.2g}. They hold if one deposit like those is "
        f"hidden in the {space}, which nobody knows."
    )


def _said_spread(sums: dict[str, float], space: str = "volume") -> str:
    n = max(1.0, sums["n"])
    spread = float(np.sqrt(sums["spread2"] / n))
    whole = float(np.sqrt(max(0.0, sums["score2"] / n - (sums["score"] / n) ** 2)))
    ratio = f", {spread / whole:.0%} of the standard deviation of the score over the {space}" if whole else ""
    return f"members differ by {spread:.2g} from their mean (root mean square){ratio}."
