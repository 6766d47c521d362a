"""Densities, susceptibilities and resistivities of the rock, and what surveys would show of them."""

from __future__ import annotations

import numpy as np

from mpm3d.grid import FloatArray, Grid
from mpm3d.lattice import PropertyModel
from mpm3d.synthetic.fields import blur_with_depth, random_field
from mpm3d.synthetic.geology import FRAME, Geology

PROPERTIES = ("density", "susceptibility", "resistivity")
UNITS = {"density": "g/cm3", "susceptibility": "SI", "resistivity": "ohm.m"}
_GROWTH = {"density": 0.13, "susceptibility": 0.13, "resistivity": 0.08}


def true_properties(geology: Geology, rng: np.random.Generator) -> dict[str, FloatArray]:
    """Rock properties on `FRAME`, ``(50, 50, 50)``: density contrast to 2.70 g/cm3, SI, log10 of ohm.m.

    Reactive host rock is dense, magnetic and resistive, granodiorite light and more resistive. Alteration
    destroys magnetite and brings sulphides and clay; faults are broken and wet.
    """
    d = {name: values.reshape(FRAME.shape) for name, values in geology.near.items()}
    intrusive = np.exp(-0.5 * (d["granodiorite_distance"] / 35.0) ** 2)
    dyke = np.exp(-0.5 * (d["dyke_distance"] / 40.0) ** 2)
    broken = np.exp(-np.minimum(d["fault_ne_distance"], d["fault_nw_distance"]) / 60.0)
    host, altered = geology.host * (1.0 - intrusive), geology.alteration * (1.0 - 0.7 * intrusive)
    texture = [random_field(FRAME.shape, 2.5, rng) for _ in PROPERTIES]
    density = 0.07 * host - 0.06 * intrusive + 0.04 * dyke - 0.045 * altered - 0.03 * broken
    magnetic = 0.009 + 0.013 * host + 0.009 * intrusive + 0.02 * dyke
    resistivity = 3.2 + 0.12 * host + 0.40 * intrusive - 0.60 * altered - 0.25 * broken
    return {
        "density": density + 0.02 * texture[0],
        "susceptibility": magnetic * (1.0 - 0.60 * altered) * np.exp(0.25 * texture[1]),
        "resistivity": resistivity + 0.12 * texture[2],
    }


def seen_from_above(
    name: str, true: FloatArray, geology: Geology, rng: np.random.Generator, *, noise: float = 0.15
) -> FloatArray:
    """Stand-in for an inversion: the true field blurred and noisy, both growing with depth.

    Parameters
    ----------
    name : str
        One of `PROPERTIES`.
    true : array of shape (50, 50, 50)
        On `FRAME`.
    geology : Geology
        For the ground.
    rng : numpy.random.Generator
        Source of the noise.
    noise : float
        Standard deviation of the smooth noise, as a part of that of the blurred field, at the surface; three
        times that at 3 km depth.

    Returns
    -------
    array of shape (50, 50, 50)
        No gaps: cells in the air carry the value of the uppermost rock below them.
    """
    depth, filled = below_ground(geology), fill_air(true, geology)
    blurred = blur_with_depth(filled, depth / 100.0, start=1.0, growth=_GROWTH[name])
    error = blur_with_depth(random_field(FRAME.shape, 1.5, rng), depth / 100.0, start=0.5, growth=0.08)
    error = error / error.std() * blurred.std() * noise * (1.0 + np.clip(depth, 0.0, 3000.0) / 1500.0)
    seen = fill_air(blurred + error, geology)
    return np.maximum(seen, 0.0) if name == "susceptibility" else seen


def below_ground(geology: Geology) -> FloatArray:
    """Depth below ground of the cells of `FRAME` in metres, negative in the air."""
    points = FRAME.points()
    depth: FloatArray = (geology.ground(points[:, :2]) - points[:, 2]).reshape(FRAME.shape)
    return depth


def fill_air(values: FloatArray, geology: Geology) -> FloatArray:
    """Carry the value of the uppermost cell below ground up into the air, on `FRAME`."""
    top = np.maximum((below_ground(geology) >= 0).sum(axis=0) - 1, 0)
    level = np.minimum(np.arange(FRAME.shape[0])[:, None, None], top)
    filled: FloatArray = np.take_along_axis(values, level, axis=0)
    return filled


def as_model(name: str, values: FloatArray, cell: int, notes: tuple[str, ...] = ()) -> PropertyModel:
    """Mean over ``cell``³ cells of `FRAME`; resistivity comes as log10 and leaves in ohm.m."""
    n = FRAME.shape[0] // cell
    mean = values.reshape(n, cell, n, cell, n, cell).mean(axis=(1, 3, 5))
    grid = Grid((n, n, n), (100.0 * cell,) * 3, FRAME.corner, FRAME.crs)
    mean = 10.0**mean if name == "resistivity" else mean
    return PropertyModel.from_grid(name, grid, {name: mean}, units={name: UNITS[name]}, notes=notes)
