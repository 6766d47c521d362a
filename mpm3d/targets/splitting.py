"""Cutting a body that is too large to be a target into parts, at half the share, and so on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from mpm3d.evaluate import cut_volume
from mpm3d.targets.bodies import Bodies, Rules, find_bodies
from mpm3d.targets.known import Cells
from mpm3d.targets.volume import Volume

ZONE = 0.05
"""Share of the eligible volume above which one body is no longer a target."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A body that is listed.

    Parameters
    ----------
    bodies : Bodies
        Those of the same threshold.
    number : int
        Which of them.
    zone : int or None
        Number, among the bodies of the first threshold, of the zone that it was cut from.
    is_zone : bool
        Whether it is one itself.
    """

    bodies: Bodies
    number: int
    zone: int | None = None
    is_zone: bool = False


def large(bodies: Bodies, n_eligible: int) -> Cells:
    """Numbers of the bodies with more than `ZONE` of the eligible cells."""
    sizes = bodies.rows.counts[:, 0] - bodies.rows.counts[:, 1]
    return np.flatnonzero(sizes > ZONE * n_eligible).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Parts:
    """What became of the zones.

    Parameters
    ----------
    pieces : tuple of Piece
        Their parts, with the zone that each is of.
    cuts : dict of int to tuple of float
        By zone, the shares of the eligible cells at which it was cut.
    uncut : frozenset of int
        Zones of which a piece stays a zone at every threshold: its scores are the same.
    """

    pieces: tuple[Piece, ...] = ()
    cuts: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    uncut: frozenset[int] = frozenset()


def split(volume: Volume, rules: Rules, first: Bodies, n_eligible: int) -> Parts:
    """Cut the zones among the bodies again, at half the share of the volume, until no part is a zone.

    Of every zone, the connected bodies at the first threshold at which they are no zones are the parts.

    Parameters
    ----------
    volume : Volume
        The scores.
    rules : Rules
        What the bodies were made by.
    first : Bodies
        The bodies, some of them zones.
    n_eligible : int
        Eligible cells of the volume.

    Returns
    -------
    Parts
    """
    share, bodies = first.n_best / n_eligible, first
    zone_of = {int(number): int(number) for number in large(first, n_eligible)}
    pieces: list[Piece] = []
    cuts: dict[int, tuple[float, ...]] = {}
    while zone_of and round(share * n_eligible) > 1:
        share /= 2
        volume.expect(2)
        cut = cut_volume(volume.eligible, share)
        if cut is None or cut.threshold <= bodies.zone.threshold:
            continue  # cells tie: a higher threshold comes with a smaller share, if there is one
        volume.expect(1)
        inner = find_bodies(volume, replace(rules, threshold=cut.threshold))
        for zone in set(zone_of.values()):
            cuts[zone] = (*cuts.get(zone, ()), inner.n_best / n_eligible)
        inside, still = _inside(inner, bodies, zone_of), set(large(inner, n_eligible).tolist())
        pieces += [Piece(inner, n, zone) for n, zone in inside.items() if n not in still]
        zone_of, bodies = {n: zone for n, zone in inside.items() if n in still}, inner
    return Parts(tuple(pieces), cuts, frozenset(zone_of.values()))


def _inside(inner: Bodies, outer: Bodies, zone_of: dict[int, int]) -> dict[int, int]:
    """Zone of each of the inner bodies that lies in an outer one of ``zone_of``."""
    parent = outer.zone.bodies_at(inner.rows.low[:, 4].astype(np.int64))
    return {n: zone_of[int(p)] for n, p in enumerate(parent) if int(p) in zone_of}
