"""From scores to ranked targets."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpm3d import cube
from mpm3d.evaluate import Cut, cut_volume
from mpm3d.grid import Grid
from mpm3d.targets.bodies import Rules, find_bodies
from mpm3d.targets.digits import Digits
from mpm3d.targets.known import Known
from mpm3d.targets.notes import about_bodies, about_zones
from mpm3d.targets.ranking import Scale, rank
from mpm3d.targets.settings import Settings
from mpm3d.targets.splitting import ZONE, Parts, Piece, large, split
from mpm3d.targets.target import KINDS, Delineation, Place, Target
from mpm3d.targets.volume import Volume

if TYPE_CHECKING:
    import xarray as xr

Progress = Callable[[int, int], None]


def delineate(
    prospectivity: xr.Dataset,
    known: Mapping[str, ArrayLike],
    *,
    share: float,
    min_volume: float = 0.0,
    ground: ArrayLike | None = None,
    progress: Progress | None = None,
) -> Delineation:
    """Cut the best share of the eligible volume into connected bodies and rank them.

    `delineate_by` with a share, a smallest volume, and what `Settings` says otherwise.
    """
    settings = Settings(share=share, min_volume=min_volume)
    return delineate_by(prospectivity, known, settings, ground=ground, progress=progress)


def delineate_by(
    prospectivity: xr.Dataset,
    known: Mapping[str, ArrayLike],
    settings: Settings,
    *,
    ground: ArrayLike | None = None,
    progress: Progress | None = None,
) -> Delineation:
    """Cut the volume at a threshold into connected bodies and rank them.

    Eligible cells are the scored cells outside the known deposits. The threshold is the score of the
    ``share * eligible``-th best of them, or the value that is given; cells that tie with it enter together.
    The cells at or above it, those of known deposits included, make bodies whose cells touch by a face, an
    edge or a corner. A body with more than 5 % of the eligible cells is a zone: it is cut again at half the
    share, and so on, into parts that are ranked with the others, and is itself listed last. Bodies that are
    mostly known deposit come after all others.

    Scores are read block by block, three times, and three times more for each time that zones are cut. In
    memory are a few blocks, a layer of cells, and 4 bytes for each connected part of a block, 300 more for
    one that is large enough or goes on in the next block: nothing of the size of the volume. The result does
    not depend on the blocks, to the last bit.

    Parameters
    ----------
    prospectivity : Dataset
        With ``score`` on (z, y, x), NaN where not scored, ``spread`` where there are several members, and
        ``extrapolation`` (0 or 1) if that is known.
    known : mapping of str to array of shape (n, 3)
        Cells (z, y, x) of each deposit that the model was fitted on. May be empty.
    settings : Settings
        Where targets begin, which bodies are too small, and what they are ranked by.
    ground : array of shape (y, x), optional
        Elevation of the ground, from which depth is counted; default the top of the grid. NaN gives NaN.
    progress : callable, optional
        Called as ``progress(blocks done, blocks)``; more blocks come where there are zones to cut.

    Returns
    -------
    Delineation
        Without any target where all bodies are too small; ``notes`` say so.

    Raises
    ------
    ValueError
        If no cell is scored or eligible, none reaches the value, a known cell lies outside, or ``ground``
        has another shape.
    """
    grid = cube.grid_of(prospectivity)
    heights = _ground(ground, grid)
    volume = Volume(prospectivity, Known.of(known, grid), progress)
    cut = _cut(volume, settings)
    rules = _rules(volume, cut.threshold, settings.min_volume, heights)
    bodies = find_bodies(volume, rules)
    parts = split(volume, rules, bodies, cut.n) if settings.split else Parts()
    zones = set(large(bodies, cut.n).tolist())
    pieces = [Piece(bodies, n, is_zone=n in zones) for n in range(len(bodies.rows))] + list(parts.pieces)
    found = [_describe(piece, rules) for piece in pieces]
    rankings, weights, said = rank(found, _scale(volume, cut, heights, settings), settings)
    targets = _listed([replace(t, ranking=r) for t, r in zip(found, rankings, strict=True)], pieces)
    best = bodies.n_best / cut.n
    notes = about_bodies(targets, bodies, settings, best)
    notes += about_zones(targets, bodies, parts, settings, cut.n) + said
    return Delineation(targets, cut.threshold, best, cut.n, bodies.n_zone, notes, weights)


def _cut(volume: Volume, settings: Settings) -> Cut:
    """Threshold and number of the eligible cells."""
    if settings.share is not None:
        volume.expect(3)
        cut = cut_volume(volume.eligible, settings.share)
    else:
        volume.expect(2)
        n = sum(int(np.count_nonzero(~np.isnan(scores))) for scores in volume.eligible())
        cut = Cut(float(np.float32(settings.value)), n) if n else None
    if cut is None:
        raise ValueError(
            "no cell outside the known deposits has a score, so there is no threshold. "
            "Look at the missing values of the layers and at max_missing."
        )
    if cut.threshold > volume.highest:
        raise ValueError(
            f"no cell scores {settings.value:g} or more, the highest score of the volume is "
            f"{volume.highest:.6g}. Give a lower value in [targets], or a share of the volume."
        )
    return cut


def _rules(volume: Volume, threshold: float, min_volume: float, heights: NDArray[np.float64]) -> Rules:
    score = Digits.between(threshold, volume.highest)
    # a spread is seldom larger than the scores, and may be as small as a number can be
    spread = Digits.between(0.0, volume.highest) if volume.has_spread else Digits(0, 0)
    return Rules(threshold, min_volume * (1 - 1e-9) / volume.grid.cell_volume, heights, score, spread)


def _scale(volume: Volume, cut: Cut, heights: NDArray[np.float64], settings: Settings) -> Scale:
    cell, known = volume.grid.cell_volume, heights[~np.isnan(heights)]
    deepest = float(known.max(initial=-math.inf)) - volume.grid.bounds[2]
    return Scale(cut.threshold, volume.highest, cell, ZONE * cut.n * cell, deepest, settings.stand_off)


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


def _describe(piece: Piece, rules: Rules) -> Target:
    """Everything about one body but its id and its rank."""
    bodies, number, volume = piece.bodies, piece.number, piece.bodies.zone.volume
    rows, held, names = bodies.rows, bodies.deposits_in(number), volume.deposits.names
    n, n_held, *index, n_looked, n_flagged = (int(v) for v in rows.counts[number])
    low, high, (distance, _, owner) = rows.low[number], rows.high[number], rows.near[number]
    z, y, x = (
        c + (i / n + 0.5) * d for c, i, d in zip(volume.grid.corner, index, volume.grid.spacing, strict=True)
    )
    box = tuple(slice(int(a), int(b) + 1) for a, b in zip(low[1:4], high[1:4], strict=True))
    base, south, west, top, north, east = _faces(volume.grid, box)
    half = volume.grid.spacing[0] / 2
    return Target(
        id="", rank=0, x=x, y=y, elevation=z, volume_m3=n * volume.grid.cell_volume,
        kind=_kind(n, n_held, piece.is_zone), n_cells=n, z_top=top, z_base=base,
        depth_top=float(np.maximum(low[0] - half, 0)), depth_base=float(high[0] + half),
        mean_score=rules.score.mean(rows.score[number], n), peak_score=float(high[4]),
        spread=rules.spread.mean(rows.spread[number], n),
        deposit="; ".join(names[other] for other in held),
        nearest_deposit=names[int(owner)] if names and owner >= 0 else "", distance_m=float(distance),
        x_min=west, x_max=east, y_min=south, y_max=north, ranking=math.nan,
        extrapolated=n_flagged / n_looked if n_looked else math.nan, zone="",
        place=Place(bodies.zone, number, box),  # type: ignore[arg-type]
    )  # fmt: skip


def _faces(grid: Grid, box: Sequence[slice]) -> tuple[float, ...]:
    """Outer faces of a box of cells in metres: the lower along z, y, x, then the upper."""
    return tuple(
        float(corner + getattr(cut, end) * step)
        for end in ("start", "stop")
        for corner, cut, step in zip(grid.corner, box, grid.spacing, strict=True)
    )


def _kind(n: int, n_held: int, is_zone: bool) -> str:
    new, extension, known, zone = KINDS
    if is_zone:
        return zone
    return new if not n_held else known if 2 * n_held >= n else extension


def _listed(targets: Sequence[Target], pieces: Sequence[Piece]) -> tuple[Target, ...]:
    """Targets by rank, with their ids and that of the zone that each was cut from."""
    first = [float(piece.bodies.rows.low[piece.number, 4]) for piece in pieces]

    def order(at: int) -> tuple[float, ...]:
        target = targets[at]
        later = (KINDS[2], KINDS[3]).index(target.kind) + 1 if target.kind in KINDS[2:] else 0
        return later, -target.ranking, -target.mean_score, -target.n_cells, first[at]

    best = sorted(range(len(targets)), key=order)
    zones = [at for at in best if pieces[at].is_zone]
    width = max(2, len(str(len(best) - len(zones))))
    ids = {at: f"T{rank:0{width}d}" for rank, at in enumerate(best, start=1)}
    ids |= {at: f"Z{number}" for number, at in enumerate(zones, start=1)}
    named: dict[int | None, str] = {None: ""} | {pieces[at].number: ids[at] for at in zones}
    return tuple(
        replace(targets[at], id=ids[at], rank=rank, zone=named[pieces[at].zone])
        for rank, at in enumerate(best, start=1)
    )
