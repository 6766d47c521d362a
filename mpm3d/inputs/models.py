"""Values in a volume that layers are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mpm3d import io
from mpm3d.errors import StudyError
from mpm3d.geometry import Tetrahedra
from mpm3d.grid import FloatArray
from mpm3d.inputs.bodies import Say
from mpm3d.io.options import Options
from mpm3d.lattice import BlockModel, PropertyModel, Values, Voxet
from mpm3d.resampling import Model, is_rotated, values_of
from mpm3d.study import ModelLayer, Study, UbcLayer, VoxetLayer


def values(study: Study, layer: UbcLayer | VoxetLayer | ModelLayer, say: Say) -> Model:
    """Values of one layer on their own cells under its name, in the units of the study."""
    return asked(*stored(study, layer, say), layer, say)


def stored(study: Study, layer: UbcLayer | VoxetLayer | ModelLayer, say: Say) -> tuple[Model, str]:
    """The model that a layer is made from, as its file has it, and the name of the values."""
    return _ubc(study, layer) if isinstance(layer, UbcLayer) else _model(study, layer, say)


def asked(model: Model, name: str, layer: UbcLayer | VoxetLayer | ModelLayer, say: Say) -> Model:
    """The values of that name as the layer asks for them, under its name, on the cells of the model."""
    for note in model.notes:
        say(f"layer {layer.name}: {note}")
    if is_rotated(model):
        say(f"layer {layer.name}: {model.name!r} is rotated, it is resampled along its own axes.")
    found = values_of(model)[name]
    if layer.log10:
        found = log10(found, layer.name, say)
    elif layer.method != "nearest" and found.dtype.kind in "iub" and name not in _classes(model):
        say(
            f"layer {layer.name}: whole numbers without class names were taken as measurements. Use "
            "method = 'nearest' if they are codes."
        )
        found = np.asarray(found, dtype=float)
    return _renamed(model, name, layer.name, found)


def log10(found: Values, name: str, say: Say) -> FloatArray:
    """Decimal logarithm; what has none is missing, and counted."""
    array = np.asarray(found, dtype=float)
    low = array <= 0
    if low.any():
        say(f"layer {name}: {low.sum():,} values at or below 0 have no logarithm and are missing.")
    return np.asarray(np.log10(np.where(low, np.nan, array)))


def _classes(model: Model) -> Mapping[str, Mapping[int, str]]:
    return {} if isinstance(model, BlockModel | Tetrahedra) else model.classes


def _renamed(model: Model, old: str, new: str, found: Values) -> Model:
    """The same cells with one of their values, under another name."""
    if isinstance(model, Tetrahedra):
        array = np.asarray(found)
        if old in model.cell_properties:
            return replace(model, properties={}, cell_properties={new: array})
        return replace(model, properties={new: array}, cell_properties={})
    if isinstance(model, BlockModel):
        return replace(model, values={new: np.asarray(found)}, texts={})
    codes = model.classes.get(old)
    values = {new: found if isinstance(model, PropertyModel | Voxet) else np.asarray(found)}
    return replace(model, values=values, classes={new: codes} if codes else {})  # type: ignore[arg-type]


def _ubc(study: Study, layer: UbcLayer) -> tuple[Model, str]:
    mesh, files = study.path(layer.mesh), {layer.name: study.path(layer.file)}
    (cells,) = io.ubc.read_bodies(mesh, Options())
    read = io.ubc.read_octree if isinstance(cells, BlockModel) else io.ubc.read_model
    model = read(mesh, files, missing=tuple(layer.missing))
    if layer.name not in model.values:
        there = ", ".join(name.removeprefix(f"{layer.name}_") for name in model.values)
        raise StudyError(
            f"layer {layer.name!r}: {layer.file} holds vectors ({there}). Name one component with "
            "kind = 'model' and property."
        )
    return model, layer.name


def _model(study: Study, layer: VoxetLayer | ModelLayer, say: Say) -> tuple[Model, str]:
    """The first body of a file that has the property, or any values if none is named, and its name."""
    mesh = study.path(layer.mesh) if isinstance(layer, ModelLayer) and layer.mesh else None
    found = io.read(study.path(layer.file), mesh=mesh)
    wanted, what = (Voxet, "voxet") if isinstance(layer, VoxetLayer) else (Model, "model in a volume")
    models = [body for body in found if isinstance(body, wanted) and values_of(body)]
    if not models:
        there = ", ".join(f"{body.kind or type(body).__name__} {body.name!r}" for body in found)
        raise StudyError(f"layer {layer.name!r}: {layer.file} holds no {what} with values, it has {there}.")
    name = layer.property or next(iter(values_of(models[0])))
    model = next((body for body in models if name in values_of(body)), None)
    if model is None:
        there = ", ".join(repr(one) for body in models for one in values_of(body))
        words = [one for body in models if isinstance(body, BlockModel) for one in body.texts]
        text = f" ({name!r} is text)" if name in words else ""
        raise StudyError(
            f"layer {layer.name!r}: {layer.file} has no property {name!r}{text}, it has {there}."
        )
    if len(models) > 1 or (len(values_of(model)) > 1 and not layer.property):
        say(f"layer {layer.name}: {layer.file} holds several values, {name!r} of {model.name!r} is used.")
    if layer.registration == "corner" and not isinstance(model, Voxet):
        raise StudyError(
            f"layer {layer.name!r}: registration = 'corner' is for voxets, {model.name!r} is a "
            f"{model.kind or type(model).__name__}. Remove it."
        )
    return _registered(model, layer.registration), name


def _registered(model: Model, registration: str) -> Model:
    """A voxet whose axes were meant to end at corners of cells as one of the centres of these cells."""
    if registration == "center" or not isinstance(model, Voxet):
        return model
    counts = np.array(model.shape[::-1], dtype=float)[:, None]
    steps = model.steps * np.maximum(counts - 1, 1) / counts
    return replace(model, origin=np.array(model.first_centre("corner")), steps=steps).noted(
        "the ends of the axes were taken as corners of cells, as asked for."
    )
