"""Elevations that stand for "no data" in surfaces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpm3d.geometry import Surface
from mpm3d.grid import FloatArray

# written by gridding and CAD programs where a surface is unknown; the sign may be that of a depth
_SENTINELS = (99999.0, 999999.0, 9999999.0)
_FAR = 10_000.0
_MANY_RANGES = 20.0


def drop_sentinels(surface: Surface, *, floor: float | None = None) -> Surface:
    """Remove vertices whose elevation cannot be one, and the triangles that touch them.

    That is an elevation of ±99999, ±999999 or ±9999999, or one that is more than 10 km and more than 20
    interquartile ranges from the median elevation of the surface, as sentinels are after a shift or a change
    of units, or one below ``floor``.

    Parameters
    ----------
    surface : Surface
        As read.
    floor : float, optional
        Lowest elevation that is possible, in metres.

    Returns
    -------
    Surface
        The same one if nothing is wrong with it, or else with a note that says how many vertices went.

    Examples
    --------
    >>> import numpy as np
    >>> ground = np.array([[0, 0, 400.0], [50, 0, 410], [0, 50, 405], [50, 50, -99999]])
    >>> clean = drop_sentinels(Surface("ground", ground, np.array([[0, 1, 2], [1, 3, 2]])))
    >>> len(clean.triangles), clean.notes[0]
    (1, '1 of 4 vertices at elevations of -99999 to -99999 m stand for no data and were dropped.')
    """
    z = np.asarray(surface.vertices[:, 2], dtype=float)
    drop = impossible(z)
    if floor is not None:
        drop |= z < floor
    if not drop.any():
        return surface
    note = (
        f"{int(drop.sum())} of {len(z)} vertices at elevations of {z[drop].min():.10g} to "
        f"{z[drop].max():.10g} m stand for no data and were dropped."
    )
    return surface.without_vertices(drop, note)


def impossible(z: FloatArray) -> NDArray[np.bool_]:
    """Which elevations cannot be some, by themselves or among the others; see `drop_sentinels`."""
    drop = np.isin(np.abs(z), _SENTINELS)
    others = z[~drop & ~np.isnan(z)]
    if not len(others):
        return drop
    low, median, high = np.percentile(others, [25, 50, 75])
    far = np.abs(z - median) > max(_FAR, _MANY_RANGES * (high - low))
    return np.asarray(drop | far)
