"""A district with a known answer, from a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpm3d import topography
from mpm3d.evidence import resample
from mpm3d.grid import FloatArray, Grid
from mpm3d.labels import cells_of_body
from mpm3d.lattice import PropertyModel
from mpm3d.synthetic.geology import CRS, FRAME, STYLES, Geology, draw_geology
from mpm3d.synthetic.ore import NAMES, Orebody, draw_blind, place, with_decoys
from mpm3d.synthetic.physics import PROPERTIES, as_model, seen_from_above, true_properties

BLURRED = (
    "No inversion was run: this is the true model, blurred and given noise that both grow with depth, "
    "in place of what a survey and an inversion would show."
)


@dataclass(frozen=True, eq=False)
class District:
    """An invented district, everything about it known.

    Parameters
    ----------
    seed : int
        What it was made from.
    grid : Grid
        Its cells.
    geology : Geology
        Bodies, faults, topography, host rock and alteration.
    deposits : tuple of Orebody
        Seven, two of them blind.
    decoys : array of shape (n, 3)
        x, y, z of altered rock without ore, in metres.
    true : mapping of str to array of shape (50, 50, 50)
        True density contrast (g/cm3), susceptibility (SI) and log10 of resistivity (ohm.m), 100 m cells.
    models : mapping of str to PropertyModel
        What surveys show of them, as delivered; resistivity in ohm.m.
    """

    seed: int
    grid: Grid
    geology: Geology
    deposits: tuple[Orebody, ...]
    decoys: FloatArray
    true: Mapping[str, FloatArray]
    models: Mapping[str, PropertyModel]

    def study_volume(self) -> NDArray[np.bool_]:
        """Cells ``(z, y, x)`` whose centre is at or below the ground."""
        return topography.below(self.grid, self.geology.topography)

    def layers(self) -> dict[str, FloatArray]:
        """The evidence layers ``(z, y, x)``: four distances (m), density, susceptibility, log10 of ohm.m."""
        found = self.geology.distances(self.grid.points())
        layers = {name: values.reshape(self.grid.shape) for name, values in found.items()}
        for name in PROPERTIES:
            values = resample(self.models[name], self.grid).astype(float)
            layers[name] = np.log10(values) if name == "resistivity" else values
        return layers

    def rule(self, layers: Mapping[str, FloatArray] | None = None) -> FloatArray:
        """Favourability ``(z, y, x)``, 0 to 1: the better of the two styles', from the true geology.

        ``layers`` saves measuring the distances again.
        """
        distances = None
        if layers is not None:
            distances = {name: layers[name].ravel() for name in layers if name.endswith("_distance")}
        scores = self.geology.favourability(self.grid.points(), distances)
        best: FloatArray = np.maximum(*(scores[style] for style in STYLES))
        return best.reshape(self.grid.shape)

    def ore(self, *, blind: bool) -> NDArray[np.bool_]:
        """Cells ``(z, y, x)`` that the blind, or the known, deposits meet."""
        mask = np.zeros(self.grid.shape, dtype=bool)
        for body in self.deposits:
            if body.blind == blind:
                mask[tuple(cells_of_body(body.surfaces, self.grid).cells.T)] = True
        return mask


def district(seed: int, *, spacing: float = 50.0) -> District:
    """Make a district of 5 × 5 × 5 km, the same one for a seed whatever the cells.

    A granodiorite with a blind cupola, seven dykes, five NE and four NW faults in folded host rock; four
    vein deposits and three disseminated ones where the conditions of their style come together (see
    `Geology.favourability`), each at least 900 m from the others; altered but barren rock beside each. Two
    deposits are blind, drawn at random among the pairs that leave each style two known ones, after all are
    placed. A geology without room for seven deposits is drawn again.

    Density, susceptibility and resistivity are no inversions: the true models are blurred and given noise,
    both growing with depth. Real inversions have artefacts that these lack.

    Parameters
    ----------
    seed : int
        Not negative.
    spacing : float
        Cell size in metres; 5000 is a whole number of cells.

    Returns
    -------
    District

    Examples
    --------
    >>> made = district(5, spacing=500)
    >>> made.grid.shape, sum(deposit.blind for deposit in made.deposits)
    ((10, 10, 10), 2)
    """
    grid = Grid.from_bounds(FRAME.bounds, spacing, CRS)
    rng, geology, bodies = _settle(seed)
    geology, decoys = with_decoys(geology, bodies, rng)
    deposits = draw_blind(bodies, rng)
    true = true_properties(geology, rng)
    models = {}
    for name in PROPERTIES:
        seen = seen_from_above(name, true[name], geology, rng)
        models[name] = as_model(name, seen, 1 if name == "resistivity" else 2, (BLURRED,))
    return District(seed, grid, geology, deposits, decoys, true, models)


def _settle(seed: int, tries: int = 60) -> tuple[np.random.Generator, Geology, tuple[Orebody, ...]]:
    for attempt in range(tries):
        rng = np.random.default_rng([seed, attempt])
        geology = draw_geology(rng)
        for _ in range(3):
            bodies = place(geology, rng)
            if len(bodies) == len(NAMES):
                return rng, geology, bodies
    raise RuntimeError(
        f"seed {seed} found no room for {len(NAMES)} deposits in {tries} geologies, use another."
    )
