"""Why no allowed hole reaches a target, in a sentence."""

from __future__ import annotations

import numpy as np

from mpm3d.drilling.site import Site
from mpm3d.grid import FloatArray

_LOOKED_AT = 40  # cells nearest to the ground


def why_not(site: Site, xyz: FloatArray) -> str:
    """Say what keeps all allowed holes from a target.

    Parameters
    ----------
    site : Site
        Where holes may start, and their limits.
    xyz : array of shape (n, 3)
        Centres of its cells, in metres.
    """
    limits = site.limits
    low, high = (f"{dip:g}" for dip in limits.dip)
    dips = f"dips of {low} to {high} degrees" if low != high else f"a dip of {low} degrees"
    if not len(xyz):
        return "none of its cells has a score, so there is nothing to aim at."
    depth = site.ground.at(xyz[:, :2]) - xyz[:, 2]
    if np.isnan(depth).all():
        return "the ground above it is not known, so no hole can start there."
    if not (depth > 0).any():
        return "the centres of its cells lie above the ground, so there is nothing to drill."
    nearest = xyz[np.argsort(np.where(depth > 0, depth, np.inf), kind="stable")][:_LOOKED_AT]
    aim, way = site.rays(nearest)
    far = site.ground.along(nearest[aim], -limits.directions[way], np.inf)
    if np.isnan(far).all():
        return (
            f"holes with {dips} would start outside the grid's map, or where the ground is not known. Widen "
            "the range: [drilling] dip."
        )
    if not (far <= limits.longest).any():
        return _too_deep(float(np.nanmin(far)), float(np.nanmin(depth[depth > 0])), site, dips)
    return _elsewhere(site, nearest, dips)


def _too_deep(shortest: float, depth: float, site: Site, dips: str) -> str:
    """The length does not suffice, at least not with these dips."""
    longest = site.limits.longest
    if depth <= longest and site.limits.dip[1] < 90:
        return (
            f"its shallowest cell is {depth:,.0f} m down, and with {dips} a hole to it takes "
            f"{shortest:,.0f} m where {longest:,.0f} m are allowed. Allow steeper or longer ones: "
            "[drilling] dip, length."
        )
    return (
        f"it is too deep: the shortest hole to it with {dips} takes {shortest:,.0f} m, at most "
        f"{longest:,.0f} m are allowed. Allow longer holes: [drilling] length."
    )


def _elsewhere(site: Site, xyz: FloatArray, dips: str) -> str:
    """The licence is too far."""
    if site.licence is None:
        return f"no hole with {dips} of at most {site.limits.longest:,.0f} m reaches it."
    import shapely

    apart = float(shapely.distance(shapely.points(xyz[:, :2]), site.licence).min())
    return (
        f"the licence is too far: its polygons are {apart:,.0f} m from the target on the map, and no hole "
        f"with {dips} of at most {site.limits.longest:,.0f} m that starts inside them reaches it."
    )
