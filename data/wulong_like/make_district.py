"""Make the files of this folder again: python data/wulong_like/make_district.py [--seed N] [--to FOLDER].

Needs the extra of heavy tools, ``pip install 'mpm3d[district]'`` (SimPEG), 3 GB of memory and a few
minutes. Density and susceptibility are inverted from gravity and magnetic data computed over the true
model, with noise; resistivity is the true model blurred with depth.
"""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mpm3d import synthetic
from mpm3d.errors import require
from mpm3d.grid import FloatArray
from mpm3d.lattice import PropertyModel
from mpm3d.synthetic.geology import FRAME
from mpm3d.synthetic.physics import fill_air

SEED = 12
NOTE = (
    "An invented district with a known answer. Density and susceptibility are inverted from noisy synthetic "
    "gravity and magnetic data; resistivity is the true model blurred with depth, not an inversion."
)
FIELD = (54000.0, 58.0, -8.0)  # nT, inclination and declination in degrees, as in eastern Liaoning
GRAVITY_NOISE = 0.03  # mGal
MAGNETIC_NOISE = 6.0  # nT
log = logging.getLogger("make_district")


def stations(district: synthetic.District, height: float) -> FloatArray:
    """25 x 25 stations 200 m apart over the district, ``height`` metres above ground: (625, 3)."""
    line = np.arange(100.0, 5000.0, 200.0)
    y, x = np.meshgrid(FRAME.corner[1] + line, FRAME.corner[2] + line, indexing="ij")
    xy = np.column_stack([x.ravel(), y.ravel()])
    return np.column_stack([xy, district.geology.ground(xy) + height])


def tensor_mesh(edges: tuple[FloatArray, FloatArray, FloatArray]) -> Any:
    """Discretize mesh with edges (z, y, x)."""
    discretize = require("discretize", "district")
    z, y, x = edges
    return discretize.TensorMesh([np.diff(x), np.diff(y), np.diff(z)], origin=[x[0], y[0], z[0]])


def inversion_edges() -> tuple[FloatArray, FloatArray, FloatArray]:
    """200 m cells, 100 m thick in the uppermost kilometre, and padding at the sides and below."""
    pad = np.array([260.0, 340.0, 440.0])
    side = np.concatenate([pad[::-1], np.full(25, 200.0), pad])
    x, y = (corner - pad.sum() + np.concatenate([[0], np.cumsum(side)]) for corner in FRAME.corner[:0:-1])
    up = np.concatenate([[450.0, 300.0], np.full(20, 200.0), np.full(10, 100.0)])
    z = FRAME.corner[0] - 750.0 + np.concatenate([[0], np.cumsum(up)])
    return z, y, x


def problem(name: str, mesh: Any, active: Any, at: FloatArray) -> Any:
    """SimPEG simulation of gravity (mGal) or of the total magnetic field (nT) over the active cells."""
    simpeg = require("simpeg", "district")
    pf = require("simpeg.potential_fields", "district")
    kind = pf.gravity if name == "density" else pf.magnetics
    common = {"mesh": mesh, "active_cells": active, "engine": "geoana"}
    common["store_sensitivities"] = "ram" if mesh.n_cells < 40_000 else "forward_only"
    identity = simpeg.maps.IdentityMap(nP=int(active.sum()))
    if name == "density":
        receivers = kind.receivers.Point(at, components="gz")
        survey = kind.survey.Survey(kind.sources.SourceField(receiver_list=[receivers]))
        return kind.simulation.Simulation3DIntegral(survey=survey, rhoMap=identity, **common)
    receivers = kind.receivers.Point(at, components="tmi")
    source = kind.sources.UniformBackgroundField([receivers], *FIELD)
    survey = kind.survey.Survey(source)
    return kind.simulation.Simulation3DIntegral(survey=survey, chiMap=identity, **common)


def observe(
    name: str, district: synthetic.District, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Noisy data of the true model on its 100 m cells, and their standard deviations."""
    edges = tuple(c + 100.0 * np.arange(51) for c in FRAME.corner)
    mesh = tensor_mesh(edges)
    at = stations(district, 5.0 if name == "density" else 60.0)
    active = district.geology.ground(mesh.cell_centers[:, :2]) >= mesh.cell_centers[:, 2]
    simulation = problem(name, mesh, active, at)
    clean = np.asarray(simulation.dpred(district.true[name].ravel()[active]))
    noise = GRAVITY_NOISE if name == "density" else MAGNETIC_NOISE
    spread = np.full(len(clean), noise) + 0.02 * np.abs(clean)
    return clean + spread * rng.standard_normal(len(clean)), spread


def invert(
    name: str, district: synthetic.District, data: FloatArray, spread: FloatArray
) -> tuple[PropertyModel, dict[str, float]]:
    """Smooth, depth-weighted inversion within bounds; susceptibility is not negative."""
    simpeg = require("simpeg", "district")
    edges = inversion_edges()
    mesh = tensor_mesh(edges)
    active = district.geology.ground(mesh.cell_centers[:, :2]) >= mesh.cell_centers[:, 2]
    at = stations(district, 5.0 if name == "density" else 60.0)
    simulation = problem(name, mesh, active, at)
    observed = simpeg.data.Data(simulation.survey, dobs=data, standard_deviation=spread)
    misfit = simpeg.data_misfit.L2DataMisfit(data=observed, simulation=simulation)
    smooth = simpeg.regularization.WeightedLeastSquares(
        mesh, active_cells=active, length_scale_x=2.0, length_scale_y=2.0, length_scale_z=1.0
    )
    low, high = (-0.3, 0.3) if name == "density" else (0.0, 0.1)
    optimiser = simpeg.optimization.ProjectedGNCG(
        maxIter=40, lower=low, upper=high, maxIterLS=20, cg_maxiter=20, cg_rtol=1e-3
    )
    steps = simpeg.directives
    directives = [
        steps.UpdateSensitivityWeights(every_iteration=False),
        steps.BetaEstimate_ByEig(beta0_ratio=10.0, random_seed=0),
        steps.BetaSchedule(coolingFactor=1.5, coolingRate=1),
        steps.TargetMisfit(chifact=1.0),
        steps.UpdatePreconditioner(),
    ]
    inverse = simpeg.inverse_problem.BaseInvProblem(misfit, smooth, optimiser)
    start = np.full(int(active.sum()), 1e-4)
    found = np.asarray(simpeg.inversion.BaseInversion(inverse, directives).run(start))
    residual = (simulation.dpred(found) - data) / spread
    chi = float(np.mean(residual**2))
    log.info("%s: chi %.2f after %d iterations", name, chi, optimiser.iter)
    return _model(name, edges, active, found), {"chi": round(chi, 2), "iterations": int(optimiser.iter)}


def _model(name: str, edges: Any, active: Any, found: FloatArray) -> PropertyModel:
    """Values ``(z, y, x)``; cells in the air carry the value of the uppermost rock."""
    shape = tuple(len(e) - 1 for e in edges)
    values, rock = np.zeros(active.shape), active.reshape(shape)
    values[active] = found
    level = np.minimum(np.arange(shape[0])[:, None, None], rock.sum(axis=0) - 1)
    filled = np.take_along_axis(values.reshape(shape), level, axis=0)
    units = {name: "g/cm3" if name == "density" else "SI"}
    return PropertyModel(name, edges, {name: filled}, units=units)


def measured(district: synthetic.District) -> dict[str, Any]:
    """What single layers, the rule and distance to known ore find of the blind ore."""
    layers = district.layers()
    found = synthetic.discrimination(
        layers, district.rule(layers), grid=district.grid, known=district.ore(blind=False),
        blind=district.ore(blind=True), study_volume=district.study_volume(),
    )  # fmt: skip
    layer, sign, share = found.best_layer
    return {
        "best_single_layer": f"{layer}, {sign}",
        "best_single_layer_share": round(share, 3),
        "rule_share": round(found.rule, 3),
        "known_distance_share": round(found.known_distance, 3),
        "nearest_known_to_blind_m": round(found.nearest),
        "known_ore_cells": found.n_known,
        "blind_ore_cells": found.n_blind,
        "eligible_cells": found.n_eligible,
    }


def main() -> None:
    """Make the district, invert, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--to", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    district = synthetic.district(arguments.seed)
    rng = np.random.default_rng([arguments.seed, 2**20])
    report: dict[str, Any] = {"seed": arguments.seed}
    models = dict(district.models)
    for name in ("density", "susceptibility"):
        data, spread = observe(name, district, rng)
        models[name], report[name] = invert(name, district, data, spread)
        true = fill_air(district.true[name], district.geology)
        report[name]["data_from"], report[name]["data_to"] = (
            round(float(v), 2) for v in (data.min(), data.max())
        )
        report[name]["true_std"] = round(float(true.std()), 4)
        report[name]["inverted_std"] = round(float(models[name].values[name].std()), 4)
    district = replace(district, models=models)
    report["discrimination"] = measured(district)
    synthetic.write(district, arguments.to, name="wulong_like", note=NOTE)
    full = synthetic.study_text(district, "wulong_like_full", NOTE, settings=synthetic.PUBLISHED)
    (arguments.to / "study_full.toml").write_text(full, encoding="utf-8")
    text = json.dumps(report, indent=2) + "\n"
    (arguments.to / "measured.json").write_text(text, encoding="utf-8")
    log.info(text)


if __name__ == "__main__":
    main()
