"""From scores to ranked targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpm3d import cube
from mpm3d.evaluate import cut_volume
from mpm3d.grid import Grid
from mpm3d.targets.bodies import Bodies, Rules, find_bodies
from mpm3d.targets.digits import Digits
from mpm3d.targets.known import Cells, Known
from mpm3d.targets.target import KINDS, Delineation, Place, Target
from mpm3d.targets.volume import Volume

if TYPE_CHECKING:
    import xarray as xr

ZONE = 0.05
"""Share of the eligible volume above which one body is no longer a target."""


def delineate(
    prospectivity: xr.Dataset,
    known: Mapping[str, ArrayLike],
    *,
    share: float,
    min_volume: float = 0.0,
    ground: ArrayLike | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Delineation:
    """Cut the best share of the eligible volume into connected bodies and rank them.

    Eligible cells are the scored cells outside the known deposits. The threshold is the score of the
    ``share * eligible``-th best of them; cells that tie with it enter together. The zone is every scored
    cell at or above it, those of known deposits included, and a target is a part of the zone whose cells
    touch by a face, an edge or a corner.

    Scores are read block by block, three times. In memory are a few blocks, a layer of cells, and 4 bytes
    for each connected part of a block, 250 more for one that is large enough or goes on in the next block:
    nothing of the size of the volume. The result does not depend on the blocks, to the last bit.

    Parameters
    ----------
    prospectivity : Dataset
        With ``score`` on (z, y, x), NaN where not scored, and ``spread`` where there are several members.
    known : mapping of str to array of shape (n, 3)
        Cells (z, y, x) of each deposit that the model was fitted on. May be empty.
    share : float
        Share of the eligible cells, above 0 and below 1: the v* of the P-A crossing.
    min_volume : float
        Smaller bodies are dropped, in cubic metres.
    ground : array of shape (y, x), optional
        Elevation of the ground, from which depth is counted; default the top of the grid. NaN gives NaN.
    progress : callable, optional
        Called as ``progress(blocks done, blocks)``.

    Raises
    ------
    ValueError
        If the share is out of range, no cell is scored or eligible, a known cell lies outside, or
        ``ground`` has another shape.
    """
    if not 0 < share < 1:
        raise ValueError(
            f"share={share:g} of the volume must lie above 0 and below 1, as 0.02 for the best 2 %."
        )
    if not min_volume >= 0:
        raise ValueError(f"min_volume={min_volume:g} m3 is not possible, it must be 0 or more.")
    grid = cube.grid_of(prospectivity)
    heights = _ground(ground, grid)
    volume = Volume(prospectivity, Known.of(known, grid), progress)
    cut = cut_volume(volume.eligible, share)
    if cut is None:
        raise ValueError(
            "no cell outside the known deposits has a score, so there is no threshold. "
            "Look at the missing values of the layers and at max_missing."
        )
    score = Digits.between(cut.threshold, volume.highest)
    # a spread is seldom larger than the scores, and may be as small as a number can be
    spread = Digits.between(0.0, volume.highest) if volume.has_spread else Digits(0, 0)
    smallest = min_volume * (1 - 1e-9) / grid.cell_volume
    rules = Rules(cut.threshold, smallest, heights, score, spread)
    bodies = find_bodies(volume, rules)
    best = bodies.n_best / cut.n
    notes = _notes(share, best, bodies.n_small, min_volume)
    notes += _zones((bodies.rows.counts[:, 0] - bodies.rows.counts[:, 1]).tolist(), cut.n)
    return Delineation(_targets(bodies, rules), cut.threshold, best, cut.n, bodies.n_zone, notes)


def _notes(asked: float, taken: float, n_small: int, min_volume: float) -> tuple[str, ...]:
    notes = []
    if taken > 1.1 * asked:
        notes.append(
            f"many cells tie at the threshold: {taken:.2%} of the eligible volume is in, "
            f"{asked:.2%} was asked for."
        )
    if n_small:
        bodies = "1 body" if n_small == 1 else f"{n_small} bodies"
        notes.append(f"{bodies} of less than {min_volume:g} m3 left out.")
    return tuple(notes)


def _zones(sizes: Sequence[int], n_eligible: int) -> tuple[str, ...]:
    """A sentence for a body that is too large to be a target, from the eligible cells of each."""
    largest = max(sizes, default=0) / n_eligible
    if largest <= ZONE:
        return ()
    return (
        f"one body takes {largest:.1%} of the volume, so it is a zone rather than a target. "
        "A smaller share cuts it into bodies: [targets] share = 0.02 for the best 2 %.",
    )


def _ground(ground: ArrayLike | None, grid: Grid) -> NDArray[np.float64]:
    if ground is None:
        return np.full(grid.shape[1:], grid.bounds[5])
    heights = np.asarray(ground, dtype=float)
    if heights.shape != grid.shape[1:]:
        raise ValueError(
            f"the ground has {heights.shape} heights, the grid {grid.shape[1:]} columns (y, x). "
            "Give one for each."
        )
    return heights


def _targets(bodies: Bodies, rules: Rules) -> tuple[Target, ...]:
    ends = np.searchsorted(bodies.known[:, 0], np.arange(len(bodies.rows) + 1))
    found = [
        _describe(bodies, number, bodies.known[ends[number] : ends[number + 1], 1], rules)
        for number in range(len(bodies.rows))
    ]
    return _ranked(found, bodies.rows.low[:, 4])


def _describe(bodies: Bodies, number: int, held: Cells, rules: Rules) -> Target:
    """Everything about one body but its rank."""
    volume, rows = bodies.zone.volume, bodies.rows
    n, n_held, *index = (int(v) for v in rows.counts[number])
    low, high, (distance, _, owner) = rows.low[number], rows.high[number], rows.near[number]
    z, y, x = (
        c + (i / n + 0.5) * d for c, i, d in zip(volume.grid.corner, index, volume.grid.spacing, strict=True)
    )
    ends = volume.grid.xyz_of([low[1:4], high[1:4]])[:, 2]
    half = volume.grid.spacing[0] / 2
    names = volume.deposits.names
    box = tuple(slice(int(a), int(b) + 1) for a, b in zip(low[1:4], high[1:4], strict=True))
    return Target(
        id="", rank=0, x=x, y=y, elevation=z, volume_m3=n * volume.grid.cell_volume,
        kind=KINDS[0] if not n_held else KINDS[2] if 2 * n_held >= n else KINDS[1],
        n_cells=n, z_top=float(ends[1] + half), z_base=float(ends[0] - half),
        depth_top=float(np.maximum(low[0] - half, 0)), depth_base=float(high[0] + half),
        mean_score=rules.score.mean(rows.score[number], n), peak_score=float(high[4]),
        spread=rules.spread.mean(rows.spread[number], n),
        deposit="; ".join(names[other] for other in held),
        nearest_deposit=names[int(owner)] if names and owner >= 0 else "", distance_m=float(distance),
        place=Place(bodies.zone, number, box),  # type: ignore[arg-type]
    )  # fmt: skip


def _ranked(targets: Sequence[Target], first: NDArray[np.float64]) -> tuple[Target, ...]:
    best = sorted(targets, key=lambda t: (t.kind == KINDS[2], -t.mean_score, -t.n_cells, first[t.place.body]))
    width = max(2, len(str(len(best))))
    return tuple(
        replace(target, id=f"T{rank:0{width}d}", rank=rank) for rank, target in enumerate(best, start=1)
    )
