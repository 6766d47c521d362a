"""What layers add to the scores of a map: which one leads, as a picture, and all of them as a GeoTIFF."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mpm3d import storage
from mpm3d.grid import Grid
from mpm3d.reasons.store import ATTRIBUTION, Wanted, place_of
from mpm3d.work import Run


def lattice_of(grid: Grid, wanted: Wanted) -> Grid:
    """The cells of a lattice as a map of larger cells about the same centres."""
    step = wanted.every
    rows, columns = (
        len(range(first, n, step)) for first, n in zip(wanted.firsts[1:], grid.shape[1:], strict=True)
    )
    spacing = (grid.spacing[0], step * grid.spacing[1], step * grid.spacing[2])
    y, x = (
        grid.corner[axis] + (wanted.firsts[axis] + 0.5) * grid.spacing[axis] - spacing[axis] / 2
        for axis in (1, 2)
    )
    return Grid((1, rows, columns), spacing, (grid.corner[0], y, x), grid.crs)


def leading_on(values: NDArray[np.float32], wanted: Wanted) -> NDArray[np.int64]:
    """Number of the leading layer at each cell of the lattice of a map ``(layer, y, x)``, -1 for none."""
    from mpm3d import maps

    (_, y, x), step = wanted.firsts, wanted.every
    return maps.leading_layers(values[:, y::step, x::step])


def draw_leading(run: Run, number: int, wanted: Wanted) -> Path:
    """Draw which layer leads at the cells of the lattice, from the store of attributions of a map.

    Parameters
    ----------
    run : Run
        A study that is a map, explained.
    number : int
        Which of its models.
    wanted : Wanted
        The lattice.
    """
    from mpm3d import maps

    values, layers = _stored(run, number)
    return maps.draw_leading(
        leading_on(values, wanted), layers,
        lattice_of(run.grid, wanted), place_of(run, number, "figures/attribution_leading.png"),
        title=f"{run.study.name}: the layer that moves the score of {run.study.models[number].kind} most",
        note=run.study.note,
    )  # fmt: skip


def write_bands(run: Run, number: int, wanted: Wanted) -> Path:
    """Write what each layer adds to the score as a GeoTIFF, a band for each, its name the description.

    Parameters
    ----------
    run : Run
        A study that is a map, explained.
    number : int
        Which of its models.
    wanted : Wanted
        The lattice; where it is not every cell, pixels are as large as its step, about the same centres.

    Returns
    -------
    Path
        ``attributions.tif`` in the run folder; no data where there is no score.
    """
    from mpm3d import maps

    values, layers = _stored(run, number)
    (_, y, x), step = wanted.firsts, wanted.every
    return maps.write_bands(
        place_of(run, number, "attributions.tif"), values[:, y::step, x::step], lattice_of(run.grid, wanted),
        names=layers, units=f"score of {run.study.models[number].kind}", note=run.study.note,
    )  # fmt: skip


def _stored(run: Run, number: int) -> tuple[NDArray[np.float32], list[str]]:
    """Attributions ``(layer, y, x)`` of a map, and the names of the layers."""
    store = storage.group(place_of(run, number), "r")
    return np.asarray(store[ATTRIBUTION][:, 0], dtype=np.float32), [str(one) for one in store.attrs["layers"]]
