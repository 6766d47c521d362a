"""Models on the cells of another grid, worked out slab by slab when they are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from mpm3d import cube
from mpm3d.exchange.choices import Choices
from mpm3d.geometry import Body
from mpm3d.grid import Grid
from mpm3d.lattice import PropertyModel
from mpm3d.resampling import Model, prepare, values_of
from mpm3d.values import Lazy

# more cells are surely a slip of the spacing: 64 GB for each of the values
_MOST_CELLS = 16_000_000_000
Say = Callable[[str], None]


class OnGrid:
    """Values of a model in the cells of a grid, worked out where they are asked for.

    Parameters
    ----------
    model : PropertyModel, Voxet, BlockModel, StructuredGrid or Tetrahedra
        Where values come from.
    grid : Grid
        Where they are wanted.
    name : str
        Which values.
    method : str
        See `evidence.resample`.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, model: Any, grid: Grid, name: str, method: str) -> None:
        self.grid, self.fill = grid, prepare(model, method=method, name=name)
        self.shape = grid.shape

    def __getitem__(self, key: tuple[slice, ...]) -> NDArray[np.float32]:
        spans = [range(n)[cut] for cut, n in zip(key, self.shape, strict=True)]
        if not all(spans):
            return np.empty([len(span) for span in spans], np.float32)
        z, y, x = (slice(span[0], span[-1] + 1) for span in spans)
        values = self.fill(self.grid.window((z, y, x)))
        return values[tuple(slice(None, None, span.step) for span in spans)]


def resampled(bodies: Sequence[Body], choices: Choices, crs: str | None, say: Say) -> list[Body]:
    """Models on the cells of a grid; values are worked out when they are written."""
    found: list[Body] = []
    for body in bodies:
        if not isinstance(body, Model):
            raise ValueError(
                f"{body.name!r} is no model of cells, so it cannot be resampled. Leave --spacing and --like "
                "out, or convert it alone."
            )
        grid = _grid_for(body, choices, crs)
        values = values_of(body)
        if not values:
            raise ValueError(f"{body.name!r} has no values to resample.")
        if regions := list(getattr(body, "regions", {})):
            say(f"  {body.name!r}: regions cannot be resampled, left out: {', '.join(regions)}.")
        classes = getattr(body, "classes", {})
        lazy = {name: Lazy(OnGrid(body, grid, name, choices.method)) for name in values}
        shape = " × ".join(str(n) for n in grid.shape[::-1])
        step = " × ".join(f"{d:g}" for d in grid.spacing[::-1])
        say(f"  {body.name!r} is resampled onto {shape} cells of {step} m, method {choices.method!r}.")
        found.append(
            PropertyModel.from_grid(
                body.name, grid, lazy, classes=classes, units=body.units, crs_name=crs or body.crs_name
            )
        )
    return found


def _grid_for(body: Any, choices: Choices, crs: str | None) -> Grid:
    if choices.like is not None:
        grid = cube.grid_of(cube.open(choices.like))
        if crs and CRS.from_user_input(crs) != CRS.from_user_input(grid.crs):
            raise ValueError(
                f"{choices.like.name} is in {grid.crs}, the model in {crs}. Project one of them first."
            )
        return grid
    assert choices.spacing is not None
    return snapped(body.bounds, choices.spacing, crs or "")


def snapped(bounds: Sequence[float], spacing: float, crs: str) -> Grid:
    """Grid of cubic cells around bounds, its corners at multiples of the spacing.

    Parameters
    ----------
    bounds : sequence of float
        ``(xmin, ymin, zmin, xmax, ymax, zmax)`` in metres.
    spacing : float
        Size of a cell in metres.
    crs : str
        Coordinate system.

    Raises
    ------
    ValueError
        If that would be more cells than any disk holds.

    Examples
    --------
    >>> snapped((12, -3, -88, 31, 20, -1), 10, "EPSG:32651").bounds
    (10.0, -10.0, -90.0, 40.0, 20.0, 0.0)
    """
    # bounds that are multiples but for rounding do not get another cell
    low = np.floor(np.asarray(bounds[:3]) / spacing + 1e-6)
    high = np.ceil(np.asarray(bounds[3:]) / spacing - 1e-6)
    nx, ny, nz = (max(1, int(n)) for n in high - low)
    if nx * ny * nz > _MOST_CELLS:
        raise ValueError(f"cells of {spacing:g} m make {nx} × {ny} × {nz} of them. Give a larger --spacing.")
    x, y, z = (float(v) * spacing for v in low)
    return Grid((nz, ny, nx), (spacing,) * 3, (z, y, x), crs)
