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

METHODS = ("nearest", "linear", "average", "cubic")
# of a weight that counts as no contribution
_SLIGHT = 1e-6
# whole numbers that are taken as classes have no more different values than this
_CLASSES = 32


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
    method : {"linear", "nearest", "average", "cubic"}
        ``"linear"``: between the four pixels around the centre of a column, constant within the outer half
        pixel; NaN where a pixel that contributes has no value. ``"nearest"``: the pixel that holds the
        centre. ``"average"``: mean of the pixels in the column by the area that they share with it, of those
        with a value; NaN where more than half of that area has none. ``"cubic"``: through the sixteen pixels
        around the centre; NaN where one of them has no value, and it may overshoot. `best_method` chooses.
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
    share = _warped(raster, np.where(gone, 1.0, 0.0), "nearest", system=system, grid=grid)
    outside = np.isnan(share)
    if gone.any():
        share = _warped(raster, *_contributing(gone, method), system=system, grid=grid)
    found = _warped(raster, np.where(gone, np.nan, values), method, system=system, grid=grid)
    lost = share > (0.5 if method == "average" else _SLIGHT)
    return np.where(outside | lost, np.nan, found)


def best_method(raster: Raster, grid: Grid, *, name: str | None = None, crs: str = "") -> tuple[str, str]:
    """The way to bring a map to a grid that its values and pixels ask for, and why.

    Parameters
    ----------
    raster, grid, name, crs
        As in `drape`.

    Returns
    -------
    method : {"nearest", "average", "linear"}
        ``"nearest"`` where the values are at most 32 different whole numbers, as classes are; ``"average"``
        where pixels are smaller than half a cell; ``"linear"`` otherwise.
    why : str
        In a few words.

    Raises
    ------
    ValueError
        If the name or the coordinate system is not known.
    """
    values = np.asarray(_values(raster, name), dtype=float)
    known = np.unique(values[np.isfinite(values)])
    if known.size and len(known) <= _CLASSES and np.array_equal(known, np.rint(known)):
        return "nearest", f"{len(known)} whole numbers are taken as classes"
    pixel, cell = pixel_size(raster, grid, crs), float(np.sqrt(grid.cell_area))
    sizes = f"pixels of {_metres(pixel)} are {{}} half a cell of {_metres(cell)}"
    if pixel < cell / 2:
        return "average", sizes.format("smaller than")
    return "linear", sizes.format("not smaller than")


def pixel_size(raster: Raster, grid: Grid, crs: str = "") -> float:
    """Side of a square as large as a pixel of a map near a grid, in metres of the grid's coordinate system.

    Parameters
    ----------
    raster, grid, crs
        As in `drape`. Where the map does not reach the middle of the grid, its own middle counts.

    Raises
    ------
    ValueError
        As `crs_of`.
    """
    import pyproj

    there = pyproj.Transformer.from_crs(grid.crs, crs_of(raster, grid, crs), always_xy=True)
    xmin, ymin, _, xmax, ymax, _ = grid.bounds
    left, low, right, high = raster.bounds
    x, y = there.transform((xmin + xmax) / 2, (ymin + ymax) / 2)
    if not (left <= x <= right and low <= y <= high):
        x, y = (left + right) / 2, (low + high) / 2
    dy, dx = raster.spacing
    easts, norths = x + dx * np.array([-0.5, 0.5, -0.5]), y + dy * np.array([-0.5, -0.5, 0.5])
    east, north = there.transform(easts, norths, direction="INVERSE")
    sides = np.array([[east[k] - east[0], north[k] - north[0]] for k in (1, 2)])
    return float(np.sqrt(abs(np.linalg.det(sides))))


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
    """Values of a grid's columns at those of a part of it, or of a coarser grid with some of its centres.

    Parameters
    ----------
    plane : array of shape (y, x)
        A value for each column of the grid.
    grid, part : Grid
        The whole, and a grid whose columns lie in it.
    """
    y, x = (
        np.floor((part.centres(axis) - grid.corner[axis]) / grid.spacing[axis]).astype(int) for axis in (1, 2)
    )
    return plane[np.ix_(y, x)]


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


def _metres(length: float) -> str:
    return f"{length:,.0f} m" if length >= 100 else f"{length:.3g} m"


def _contributing(gone: NDArray[np.bool_], method: str) -> tuple[FloatArray, str]:
    """Ones where a missing pixel is, and how their share in a column is found."""
    if method == "cubic":  # weights of both signs may cancel: the four pixels around, and those next to them
        from scipy import ndimage

        return ndimage.binary_dilation(gone, np.ones((3, 3))).astype(float), "linear"
    return gone.astype(float), method


def _warped(raster: Raster, values: FloatArray, method: str, *, system: pyproj.CRS, grid: Grid) -> FloatArray:
    """Values ``(y, x)`` ascending at the columns of a grid; NaN where GDAL has none."""
    import rasterio
    import rioxarray  # noqa: F401
    import xarray as xr
    from rasterio.enums import Resampling

    how = {"nearest": Resampling.nearest, "linear": Resampling.bilinear, "average": Resampling.average}
    how["cubic"] = Resampling.cubic
    # between pixels also where they are finer than the columns, for which GDAL would widen the kernel
    more: dict[str, Any] = {"XSCALE": 1, "YSCALE": 1} if method in ("linear", "cubic") else {}
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
