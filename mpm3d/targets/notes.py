"""What a delineation says of itself, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from mpm3d.targets.bodies import Bodies
from mpm3d.targets.settings import Settings
from mpm3d.targets.splitting import Parts
from mpm3d.targets.target import KINDS, Target


def about_bodies(
    targets: Sequence[Target], bodies: Bodies, settings: Settings, taken: float
) -> tuple[str, ...]:
    """Cells that tie, bodies that were dropped, and what it means if nothing new is left.

    Parameters
    ----------
    targets : sequence of Target
        What is listed.
    bodies : Bodies
        Those of the first threshold.
    settings : Settings
        What was asked for.
    taken : float
        Share of the eligible cells at or above the threshold.
    """
    notes = []
    if settings.share is not None and taken > 1.1 * settings.share:
        notes.append(
            f"many cells tie at the threshold: {taken:.2%} of the eligible volume is in, "
            f"{settings.share:.2%} was asked for."
        )
    if bodies.n_small:
        count = "1 body" if bodies.n_small == 1 else f"{bodies.n_small} bodies"
        notes.append(f"{count} of less than {settings.min_volume:g} m3 left out.")
    return (*notes, *_nothing_new(targets, bodies))


def _nothing_new(targets: Sequence[Target], bodies: Bodies) -> tuple[str, ...]:
    """Why there is nothing to follow up, where there is nothing."""
    *_, known, zone = KINDS
    kinds = {target.kind for target in targets}
    if not targets:
        cell = bodies.zone.volume.grid.cell_volume
        return (
            f"no target is left: the largest body has {bodies.largest_small * cell:g} m3. A smaller "
            "min_volume in [targets] keeps it, a larger share makes bodies larger.",
        )
    if kinds == {known}:
        return (
            "every body is mostly known deposit: the best cells are those that the model was shown, and "
            "nothing new stands out beside them. A larger share in [targets] goes on to the next best.",
        )
    if kinds <= {known, zone}:
        return (
            "nothing new is left beside the zones: no body is small enough to be a target. A smaller share "
            "in [targets], or a smaller min_volume, makes some.",
        )
    return ()


def about_zones(
    targets: Sequence[Target], bodies: Bodies, parts: Parts, settings: Settings, n_eligible: int
) -> tuple[str, ...]:
    """A sentence for each body that is too large to be a target.

    Parameters
    ----------
    targets : sequence of Target
        What is listed; zones in the order of their ids.
    bodies : Bodies
        Those of the first threshold, which the zones are of.
    parts : Parts
        What became of the zones.
    settings : Settings
        What was asked for.
    n_eligible : int
        Eligible cells of the volume.
    """
    eligible = bodies.rows.counts[:, 0] - bodies.rows.counts[:, 1]
    return tuple(
        _zone(zone, float(eligible[zone.place.body]) / n_eligible, targets, parts, settings)
        for zone in targets
        if zone.kind == KINDS[3]
    )


def _zone(zone: Target, share: float, targets: Sequence[Target], parts: Parts, settings: Settings) -> str:
    number = zone.place.body
    said = f"{zone.id} takes {share:.1%} of the volume, so it is a zone rather than a target, listed last. "
    if not settings.split:
        return f"{said}A smaller share cuts it into bodies: [targets] share = 0.02 for the best 2 %."
    n = sum(target.zone == zone.id for target in targets)
    cuts = " and ".join(f"{cut:.2%}" for cut in parts.cuts.get(number, ()))
    if n:
        count = "1 target, ranked" if n == 1 else f"{n} targets, ranked"
        said += f"Cut again, at {cuts} of the volume, it gives {count} with the others."
    elif cuts:
        said += f"Cut again, at {cuts} of the volume, no part of it has {settings.min_volume:g} m3."
    if number in parts.uncut:
        said = f"{said.rstrip()} Much of it has one and the same score, which no threshold cuts."
    return said
