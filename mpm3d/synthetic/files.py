"""A district as the files that a company would hand over: GoCAD, UBC-GIF and a ``study.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mpm3d.geometry import Points
from mpm3d.io import gocad, ubc
from mpm3d.lattice import PropertyModel
from mpm3d.synthetic.make import BLURRED, District

_SURFACES = {
    "topography": "surfaces/topography.ts",
    "granodiorite": "surfaces/granodiorite.ts",
    "dykes": "surfaces/dykes.ts",
    "faults_ne": "surfaces/faults_ne.ts",
    "faults_nw": "surfaces/faults_nw.ts",
}
_MODELS = {"density": "ubc/density.den", "susceptibility": "ubc/susceptibility.sus"}
_MESH = "ubc/mesh.msh"
_VOXET = "resistivity.vo"
_DISTANCES = (
    ("granodiorite_distance", "granodiorite", "intrusion", True, "Distance to the granodiorite, 0 inside"),
    ("dyke_distance", "dykes", "dyke", True, "Distance to the nearest dyke, 0 inside"),
    ("fault_ne_distance", "faults_ne", "fault", False, "Distance to the nearest NE fault"),
    ("fault_nw_distance", "faults_nw", "fault", False, "Distance to the nearest NW fault"),
)
_UBC = (
    ("density", "g/cm3", "Density contrast to 2.70 g/cm3"),
    ("susceptibility", "SI", "Magnetic susceptibility"),
)

QUICK = """[samples]
stand_off = 800.0

[[models]]
kind = "dl4"

[[models]]
kind = "forest"

[predict]
block = [25, 50, 50]
"""
PUBLISHED = """[samples]
stand_off = 800.0  # as published; as many negatives as positives
max_patches = "all"

[[models]]
kind = "dl4"
epochs = 200
layer_dropout = 0.0

[[models]]
kind = "dl2"
epochs = 200
layer_dropout = 0.0

[[models]]
kind = "forest"
"""


def write(district: District, folder: str | Path, *, name: str = "", note: str = BLURRED) -> Path:
    """Write a district as a study.

    Surfaces and deposits become GoCAD TSurf, density and susceptibility a UBC-GIF tensor mesh with models,
    resistivity a GoCAD voxet. ``truth/`` holds what no study may read: the rule that placed the ore as a
    voxet and the barren decoys as points.

    Parameters
    ----------
    district : District
        What to write.
    folder : str or Path
        Made if missing; files of the same names are replaced.
    name : str
        Name of the study, ``district_<seed>`` by default.
    note : str
        Where density, susceptibility and resistivity come from. By default, that no inversion was run.

    Returns
    -------
    Path
        The ``study.toml``.
    """
    place = Path(folder)
    for inner in ("surfaces", "deposits", "ubc", "truth"):
        (place / inner).mkdir(parents=True, exist_ok=True)
    geology = district.geology
    for key, file in _SURFACES.items():
        found = getattr(geology, key)
        gocad.write_surfaces(place / file, found if isinstance(found, tuple) else (found,))
    for body in district.deposits:
        gocad.write_surfaces(place / _deposit_file(body.name), body.surfaces)
    _write_models(district.models, place)
    rule = np.round(district.rule(), 3).astype(np.float32)
    truth = PropertyModel.from_grid("rule", district.grid, {"rule": rule}, units={"rule": "1"})
    gocad.write_voxet(place / "truth/rule.vo", truth)
    gocad.write_points(place / "truth/decoys.vs", [Points("decoys", np.round(district.decoys, 2))])
    study = place / "study.toml"
    study.write_text(study_text(district, name or f"district_{district.seed}", note), encoding="utf-8")
    return study


def _deposit_file(name: str) -> str:
    return f"deposits/{name}.ts"


def _write_models(models: Mapping[str, PropertyModel], place: Path) -> None:
    ubc.write_mesh(place / _MESH, models["density"].edges)
    for name, file in _MODELS.items():
        ubc.write_model(place / file, np.asarray(_short(models[name], name).values[name]))
    gocad.write_voxet(place / _VOXET, _short(models["resistivity"], "resistivity"))


def _short(model: PropertyModel, name: str) -> PropertyModel:
    """Single precision and four significant digits, which is more than any inversion resolves."""
    values = np.asarray(model.values[name], dtype=float)
    with np.errstate(divide="ignore"):
        digits = 3 - np.floor(np.log10(np.abs(values), where=values != 0, out=np.zeros_like(values)))
    rounded = (np.rint(values * 10.0**digits) / 10.0**digits).astype(np.float32)
    return PropertyModel(model.name, model.edges, {name: rounded}, units=model.units, notes=model.notes)


def study_text(district: District, name: str, note: str, *, settings: str = QUICK) -> str:
    """The ``study.toml`` of a district, paths relative to it.

    Parameters
    ----------
    district : District
        What is described.
    name, note : str
        Name of the study, and the sentence that goes with its results.
    settings : str
        The tables from ``[samples]`` on: `QUICK`, or `PUBLISHED`.
    """
    xmin, ymin, zmin, xmax, ymax, zmax = district.grid.bounds
    blocks = [
        f'name = "{name}"\nnote = "{note}"\nseed = {district.seed}',
        f'[grid]\ncrs = "{district.grid.crs}"\nspacing = {district.grid.spacing[0]}\n'
        f"x = [{xmin}, {xmax}]\ny = [{ymin}, {ymax}]\nz = [{zmin}, {zmax}]  # elevation of the edges",
        f'[topography]\nfile = "{_SURFACES["topography"]}"',
    ]
    for layer, key, role, solid, words in _DISTANCES:
        inside = "\nsolid = true" if solid else ""
        blocks.append(
            f'[[layers]]\nname = "{layer}"\nlong_name = "{words}"\nkind = "distance"\n'
            f'files = ["{_SURFACES[key]}"]{inside}\ncutoff = 2000.0\nunits = "m"\nrole = "{role}"'
        )
    for layer, units, words in _UBC:
        blocks.append(
            f'[[layers]]\nname = "{layer}"\nlong_name = "{words}"\nkind = "ubc"\nmesh = "{_MESH}"\n'
            f'file = "{_MODELS[layer]}"\nunits = "{units}"'
        )
    blocks.append(
        '[[layers]]\nname = "resistivity"\nlong_name = "Resistivity, the true model blurred with depth"\n'
        f'kind = "voxet"\nfile = "{_VOXET}"\n'
        'property = "resistivity"\nlog10 = true\nunits = "log10(ohm.m)"'
    )
    for body in district.deposits:
        blocks.append(
            f'[[deposits]]\nname = "{body.name}"\nstyle = "{body.style}"\n'
            f'files = ["{_deposit_file(body.name)}"]\nblind = {str(body.blind).lower()}'
        )
    return "\n\n".join([*blocks, settings])
