"""Places of points in metres, so that buffers are metres."""

from __future__ import annotations

import numpy as np
import pyproj

from mpm3d.grid import FloatArray


def to_metres(xy: FloatArray, crs: str, what: str) -> tuple[FloatArray, list[str]]:
    """Project degrees to the UTM zone in which most points lie; metres stay as they are.

    Parameters
    ----------
    xy : array of shape (n, 2)
        Longitude and latitude in degrees, or easting and northing.
    crs : str
        Their coordinate system.
    what : str
        The table, for sentences.

    Returns
    -------
    places : array of shape (n, 2)
        In metres.
    notes : list of str
        The zone, and how far the points reach beyond it.

    Raises
    ------
    ValueError
        If the degrees are none, or the coordinate system has other units than degrees and metres.

    Examples
    --------
    >>> to_metres(np.array([[3.0, 0.0]]), "EPSG:4326", "points")[0].round().tolist()
    [[500000.0, 0.0]]
    """
    system = pyproj.CRS.from_user_input(crs)
    if not system.is_geographic:
        units = {axis.unit_name for axis in system.axis_info}
        if units - {"metre"}:
            raise ValueError(f"{what}: {crs} is in {', '.join(sorted(units))}, metres or degrees are needed.")
        return xy, []
    known = xy[~np.isnan(xy).any(axis=1)]
    if len(known) and (np.abs(known[:, 0]).max() > 360 or np.abs(known[:, 1]).max() > 90):
        raise ValueError(
            f"{what}: x reaches {known[:, 0].min():g} to {known[:, 0].max():g} and y {known[:, 1].min():g} "
            f"to {known[:, 1].max():g}, which are no degrees of longitude and latitude as {crs} has them. "
            "Check x, y and crs."
        )
    if not len(known):
        return xy, []
    middle = np.median(known, axis=0)
    zone = int((middle[0] + 180) // 6) % 60 + 1
    target = f"EPSG:{(32600 if middle[1] >= 0 else 32700) + zone}"
    to = pyproj.Transformer.from_crs(system, target, always_xy=True)
    hemisphere = "N" if middle[1] >= 0 else "S"
    note = f"{what}: degrees of {crs} are projected to UTM zone {zone}{hemisphere} ({target}), in metres."
    wide = float(np.abs(known[:, 0] - (zone * 6 - 183)).max())
    if wide > 6:
        note += f" Points lie up to {wide:.0f} degrees from its middle, where distances come out too long."
    return np.column_stack(to.transform(xy[:, 0], xy[:, 1])), [note]
