"""Maps on the cells of a cube: rasters projected to its coordinate system, down a column or below ground."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.geometry import Array, Bounds
from mpm3d.grid import FloatArray, Grid
from mpm3d.io.mapgrid import known_crs
from mpm3d.lattice import Frame, Raster

if TYPE_CHECKING:
    import pyproj

METHODS = ("nearest", "linear", "average")
# of a weight that counts as no contribution
_SLIGHT = 1e-6


def drape(
    raster: Raster, grid: Grid, *, name: str | None = None, method: str = "linear", crs: str = ""
) -> FloatArray:
    """Values of a map at the columns of a grid, projected to the grid's coordinate system.

    Parameters
    ----------
    raster : Raster
        The map, along x and y or rotated, in metres, degrees or feet of its own coordinate system.
    grid : Grid
        Its columns; give the whole one and cut the result with `columns`, so that it is projected once.
    name : str, optional
        Which of the values, needed if there are several.
    method : {"linear", "nearest", "average"}
        ``"linear"``: between the four pixels around the centre of a column, constant within the outer half
        pixel; NaN where a pixel that contributes has no value. ``"nearest"``: the pixel that holds the
        centre. ``"average"``: mean of the pixels in the column by the area that they share with it, of those
        with a value; NaN where more than half of that area has none.
    crs : str
        Coordinate system of the map; by default the one of its file, or the grid's if that has none.

    Returns
    -------
    array of shape (y, x)
        NaN where the map has no value, and in columns whose centre it does not cover.

    Raises
    ------
    ValueError
        If a name, the method or the coordinate system is not known.

    Notes
    -----
    rioxarray (GDAL) projects, places being good to an eighth of a pixel; within one coordinate system they
    are exact. The mean over pixels that are turned against the grid counts their bounding boxes.

    Examples
    --------
    >>> grid = Grid.from_bounds((0, 0, -20, 40, 20, 0), 20, "EPSG:32651")
    >>> field = Raster("mag", np.array([10.0]), np.array([10.0, 20, 30]), {"mag": np.array([[1.0, 2, 3]])})
    >>> drape(field, grid)
    array([[1., 3.]])
    """
    if method not in METHODS:
        raise ValueError(f"method {method!r} is not known, use one of {', '.join(METHODS)}.")
    values = np.asarray(_values(raster, name), dtype=float)
    system = crs_of(raster, grid, crs)
    gone = ~np.isfinite(values)
    share = _warped(raster, np.where(gone, 1.0, 0.0), system, grid, "nearest")
    outside = np.isnan(share)
    if gone.any():
        share = _warped(raster, np.where(gone, 1.0, 0.0), system, grid, method)
    found = _warped(raster, np.where(gone, np.nan, values), system, grid, method)
    lost = share > (0.5 if method == "average" else _SLIGHT)
    return np.where(outside | lost, np.nan, found)


def crs_of(raster: Raster, grid: Grid, crs: str = "") -> pyproj.CRS:
    """Coordinate system of a map: the named one, its file's, or the grid's where there is neither.

    Raises
    ------
    ValueError
        If pyproj does not know its name.
    """
    name = crs or raster.crs_name or grid.crs
    known = known_crs(name)
    if known is None:
        raise ValueError(
            f"the coordinate system {name!r} of the raster {raster.name!r} is not known to pyproj. Name it "
            'in the study, such as crs = "EPSG:4326".'
        )
    return known


def bounds(raster: Raster, grid: Grid, crs: str = "") -> Bounds:
    """Bounds of a map in the coordinate system of a grid, at all heights.

    Parameters
    ----------
    raster, grid, crs
        As in `drape`.

    Raises
    ------
    ValueError
        As `crs_of`.
    """
    import pyproj

    change = pyproj.Transformer.from_crs(crs_of(raster, grid, crs), grid.crs, always_xy=True)
    xmin, ymin, xmax, ymax = change.transform_bounds(*raster.bounds)
    return xmin, ymin, -np.inf, xmax, ymax, np.inf


def columns(plane: FloatArray, grid: Grid, part: Grid) -> FloatArray:
    """Cut the values of a grid's columns to those of a part of the grid.

    Parameters
    ----------
    plane : array of shape (y, x)
        A value for each column of the grid.
    grid, part : Grid
        The whole, and a window of it.
    """
    y, x = (
        round((part.corner[axis] - grid.corner[axis]) / grid.spacing[axis]) for axis in (1, 2)
    )  # cells of both are equal
    return plane[y : y + part.shape[1], x : x + part.shape[2]]


def down(
    plane: FloatArray, part: Grid, height: FloatArray | None = None, depth: float | None = None
) -> NDArray[np.float32]:
    """Give the cells of columns the value of their column.

    Parameters
    ----------
    plane : array of shape (y, x)
        Values of the columns.
    part : Grid
        The cells.
    height : array of shape (y, x), optional
        Elevation of the ground over the columns; without it the values hold at all depths.
    depth : float, optional
        Cells whose centre is at or below the ground by less than so many metres get the value, all others
        NaN; the height of one cell by default, which is the uppermost cell below the ground.

    Returns
    -------
    array of shape (z, y, x)
        NaN where the plane has none, above the ground and deeper than `depth`.

    Raises
    ------
    ValueError
        If the depth is not above 0.
    """
    if depth is not None and not depth > 0:
        raise ValueError(f"a depth of {depth:g} m is not possible, it must be above 0.")
    whole = np.broadcast_to(np.asarray(plane, dtype=np.float32), part.shape)
    if height is None:
        return np.array(whole)
    below = height - part.centres(0)[:, None, None]
    with np.errstate(invalid="ignore"):
        near = (below >= 0) & (below < (part.spacing[0] if depth is None else depth))
    return np.where(near, whole, np.float32(np.nan))


def _values(raster: Raster, name: str | None) -> Array:
    if name is None and len(raster.values) == 1:
        name = next(iter(raster.values))
    if name is None or name not in raster.values:
        there = ", ".join(map(repr, raster.values)) or "none"
        said = "no name was given" if name is None else f"{name!r} is not one of them"
        raise ValueError(f"the raster {raster.name!r} has the values {there}, {said}.")
    return raster.values[name]


def _warped(raster: Raster, values: FloatArray, system: pyproj.CRS, grid: Grid, method: str) -> FloatArray:
    """Values ``(y, x)`` ascending at the columns of a grid; NaN where GDAL has none."""
    import rasterio
    import rioxarray  # noqa: F401
    import xarray as xr
    from rasterio.enums import Resampling

    how = {"nearest": Resampling.nearest, "linear": Resampling.bilinear, "average": Resampling.average}
    # between four pixels also where they are finer than the columns, for which GDAL would widen the kernel
    more: dict[str, Any] = {"XSCALE": 1, "YSCALE": 1} if method == "linear" else {}
    source = xr.DataArray(values[::-1], dims=("y", "x"))
    xmin, _, _, _, ymax, _ = grid.bounds
    dy, dx = grid.spacing[1:]
    with rasterio.Env(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Transform that is non-rectilinear")  # used as it is, as meant
        warnings.filterwarnings("ignore", "Use `@` matmul", PendingDeprecationWarning)
        source = source.rio.write_crs(system).rio.write_nodata(np.nan).rio.write_transform(_affine(raster))
        warped = source.rio.reproject(
            grid.crs, shape=grid.shape[1:], transform=rasterio.Affine(dx, 0, xmin, 0, -dy, ymax),
            resampling=how[method], nodata=np.nan, **more,
        )  # fmt: skip
    return np.asarray(warped.values[::-1], dtype=float)


def _affine(raster: Raster) -> Any:
    """Corner of column i and row j, counted from the north-west of the map's own axes, in its coordinates."""
    import rasterio

    dy, dx = raster.spacing
    frame = raster.frame or Frame(np.zeros(3), np.eye(3))
    right, up = frame.axes[0] * dx, frame.axes[1] * dy
    corner = frame.to_world([[raster.x[0] - dx / 2, raster.y[-1] + dy / 2, 0.0]])[0]
    return rasterio.Affine(right[0], -up[0], corner[0], right[1], -up[1], corner[1])
