"""The evidence cube of a study: made once, then only what has changed is computed again, and why is said."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import xarray as xr

import mpm3d
from mpm3d import cube, inputs, storage, topography
from mpm3d.errors import StudyError
from mpm3d.run import hash_of
from mpm3d.study import AssaysLayer, DistanceLayer, InsideLayer, Layer, sha256
from mpm3d.work import Run

Facts = dict[str, Any]

_LOOKS = {"role", "long_name"}  # settings that change no value
_OWNER = "made_for_study"  # what may be made again in a place that a study names


def build(run: Run) -> xr.Dataset:
    """Build the evidence cube, or only the layers of it that are missing or whose inputs have changed."""
    started, place = time.monotonic(), run.study.cube_place
    if run.built:
        return cube.open(place)
    facts = _frame_facts(run)
    frame = hash_of(*facts.values())
    recipes = {layer.name: inputs.recipe(run.study, layer, frame) for layer in run.study.layers}
    key = hash_of(recipes)
    if run.folder.done("build", key) and storage.exists(place):
        run.built = True
        run.say("cube: nothing has changed, used as it is.")
        return cube.open(place)
    again = _why_new(run, place, facts, frame)
    if again is not None:
        if again:
            run.say(f"cube: made again with all its layers, {again}.")
        _new_cube(run, place, facts, frame)
    computed = _refresh(run, place, recipes, aloud=again is None)
    result = cube.open(place)
    run.folder.finish("build", key, started, cube=cube.hash_of(result))
    run.built = True
    n_cells = int(result[cube.STUDY_VOLUME].attrs.get("n_cells", run.grid.n_cells))
    kept = len(recipes) - computed
    run.say(
        f"cube: {len(recipes)} layers on {run.grid.shape} cells (z, y, x), {n_cells:,} in the study "
        + run.space
        + (f"; {computed} computed now, {kept} used as they are." if kept else ".")
    )
    return result


def _frame_facts(run: Run) -> Facts:
    """What all layers depend on, under the name that a message gives it."""
    topography = run.study.topography
    path = run.study.path(topography.file) if topography else None
    return {
        "grid": asdict(run.grid),
        "topography": sha256(path) if path else "",
        "version of mpm3d": mpm3d.__version__,
        "shards": run.study.cube.shards,
    }


def _why_new(run: Run, place: str | Path, facts: Facts, frame: str) -> str | None:
    """Why the whole cube is made: nothing to say where there is none yet, None where it is kept."""
    try:
        about = cube.open(place).attrs
    except (OSError, ValueError):
        if not (run.study.cube.store and storage.exists(place)):
            return ""
        about = {}  # a store that cannot be read may be anybody's
    if about.get("frame") == frame and not run.folder.overwrite:
        return None
    if run.study.cube.store and about.get(_OWNER) != run.study.name:
        raise StudyError(
            f"{place} holds a Zarr store that was not made for the study {run.study.name!r}, so it is left "
            "as it is. Give another place as store in [cube], or move it away."
        )
    if run.folder.overwrite:
        return "as --overwrite asks for"
    if "frame" not in about:
        return "because it is not finished"
    old, new = _loaded(about.get("frame_facts")), _loaded(json.dumps(facts))
    changed = [name for name in new if name in old and old[name] != new[name]]
    if not changed:
        return "because another version of mpm3d made it"
    return f"because {' and '.join(f'the {name}' for name in changed)} changed"


def _new_cube(run: Run, place: str | Path, facts: Facts, frame: str) -> None:
    where = storage.address(place)
    half = where.with_name(f"{where.stem}.part.zarr") if isinstance(where, Path) else where
    attrs = {"title": run.study.name, _OWNER: run.study.name}
    cube.create(half, run.grid, shards=run.study.cube.shards, attrs=attrs, overwrite=True)
    if run.ground is not None:
        ground = run.ground
        with run.bar("topography") as progress:
            cube.set_study_volume(half, lambda g: topography.below(g, ground), progress=progress)
    # last, since object stores cannot rename: a cube that does not say what it was made for is made again
    storage.group(half).attrs.update({"frame": frame, "frame_facts": json.dumps(facts)})
    if isinstance(half, Path) and isinstance(where, Path):
        storage.make_room(where, overwrite=True)
        half.replace(where)


def _refresh(run: Run, place: str | Path, recipes: dict[str, str], *, aloud: bool) -> int:
    """Compute the layers that are missing or stale, say why if asked to, and how many they were."""
    there, computed = cube.open(place), 0
    finished = cube.layers_of(there)
    for layer in run.study.layers:
        attrs = there[layer.name].attrs if layer.name in finished else None
        if attrs is not None and attrs.get("recipe") == recipes[layer.name]:
            continue
        computed += 1
        why = "is not in the cube yet" if attrs is None else f"is stale, {_why_stale(run, layer, attrs)}"
        if aloud:
            run.say(f"layer {layer.name} {why}. It is computed.")
        try:
            _add_layer(run, layer, recipes[layer.name])
        except ValueError as error:
            own = isinstance(error, StudyError)
            raise error if own else StudyError(f"layer {layer.name!r}: {error}") from error
    for name in sorted(set(finished) - set(recipes)):
        run.say(
            f"layer {name} is in the cube and no longer in the study. It is kept and not used; --overwrite "
            "makes the cube without it."
        )
    return computed


def _why_stale(run: Run, layer: Layer, attrs: Facts) -> str:
    """Which settings and files of a layer are others than when it was computed."""
    old, new = _loaded(attrs.get("settings")), _settings(layer)
    reasons = [
        f"{name} was {old.get(name)!r} and is {new.get(name)!r}"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]
    was = dict(zip(attrs.get("source", []), attrs.get("source_sha256", []), strict=False))
    for path in inputs.sources(run.study, layer):
        now = sha256(path)
        if path.name not in was:
            reasons.append(f"{path.name} was not one of its files")
        elif was[path.name] != now:
            reasons.append(f"{path.name} has changed (SHA-256 {was[path.name][:12]}…, now {now[:12]}…)")
    return "; ".join(reasons) or "its files or settings have changed"


def _settings(layer: Layer) -> Facts:
    return _loaded(layer.model_dump_json(exclude=_LOOKS))


def _loaded(text: Any) -> Facts:
    try:
        found = json.loads(text)
    except (TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _add_layer(run: Run, layer: Layer, recipe: str) -> None:
    fill, derivation = inputs.filler(run.study, layer, run.say)
    paths = inputs.sources(run.study, layer)
    attrs: Facts = {
        "source": [path.name for path in paths],
        "source_sha256": [sha256(path) for path in paths],
        "derivation": derivation,
        "settings": json.dumps(_settings(layer)),
        "recipe": recipe,
    }
    if isinstance(layer, DistanceLayer):
        attrs["cutoff"] = layer.cutoff
    # threads share the triangles of a layer; those who read files go one after the other
    shared = isinstance(layer, DistanceLayer | InsideLayer)
    with run.bar(f"layer {layer.name}") as progress:
        cube.add_layer(
            run.study.cube_place, layer.name, fill, units=layer.units,
            long_name=layer.long_name or layer.name.replace("_", " "),
            attrs=attrs, progress=progress, overwrite=True,
            workers=min(4, os.cpu_count() or 1) if shared else 1,
        )  # fmt: skip
    if isinstance(layer, AssaysLayer) and layer.component is not None:
        picture = inputs.draw_loadings(run.study, layer, run.path("figures"))
        if picture is not None:
            run.say(f"layer {layer.name}: loadings of the elements in figures/{picture.name}.")
