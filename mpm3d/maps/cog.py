"""Maps as cloud-optimised GeoTIFFs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpm3d.evaluate import CAUTION
from mpm3d.grid import FloatArray, Grid
from mpm3d.io.files import replacing

_LARGEST = float(np.finfo(np.float32).max)


def write_cog(
    path: str | Path, values: ArrayLike, grid: Grid, *, name: str, units: str, note: str = ""
) -> Path:
    """Write a map as a cloud-optimised GeoTIFF: tiles and overviews, so that a part is read from afar.

    Parameters
    ----------
    path : str or Path
        The file, whole or not at all.
    values : array of shape (y, x)
        Values of the columns, southernmost row first; NaN, and what is not finite, is no data.
    grid : Grid
        The cells; north is up in the file, pixels are areas.
    name, units : str
        What the values are; description and unit of the band.
    note : str
        The study's note, kept in the tags beside the caution.

    Returns
    -------
    Path
        The file: 32-bit floats, NaN no data, overviews by averaging down to 256 pixels.

    Raises
    ------
    ValueError
        If the values do not have the shape of the map, or one does not fit in 32 bits.

    References
    ----------
    GDAL's COG driver, https://gdal.org/drivers/raster/cog.html.
    """
    return write_bands(path, [checked(values, grid)], grid, names=[name], units=units, note=note)


def write_bands(
    path: str | Path, values: ArrayLike, grid: Grid, *, names: Sequence[str], units: str, note: str = ""
) -> Path:
    """Write several maps as the bands of one cloud-optimised GeoTIFF, as `write_cog` writes one.

    Parameters
    ----------
    path : str or Path
        The file, whole or not at all.
    values : array of shape (band, y, x)
        Values of the columns, southernmost row first; NaN, and what is not finite, is no data.
    grid : Grid
        The cells.
    names : sequence of str
        What each band is, its description.
    units : str
        Unit of all bands.
    note : str
        The study's note.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If there are not as many names as bands, or as of `write_cog`.
    """
    import rasterio
    from rasterio.io import MemoryFile
    from rasterio.shutil import copy
    from rasterio.transform import Affine

    bands = np.asarray(values, dtype=float)
    if not len(names) or len(names) != len(bands):
        raise ValueError(f"{len(bands)} bands have {len(names)} names. Give one for each.")
    planes = [_fitting(plane, grid, name) for plane, name in zip(bands, names, strict=True)]
    xmin, _, _, _, ymax, _ = grid.bounds
    dy, dx = grid.spacing[1:]
    profile: dict[str, Any] = {
        "driver": "GTiff", "height": grid.shape[1], "width": grid.shape[2], "count": len(planes),
        "dtype": "float32", "nodata": float("nan"), "crs": rasterio.CRS.from_user_input(grid.crs),
        "transform": Affine(dx, 0, xmin, 0, -dy, ymax),
    }  # fmt: skip
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with MemoryFile() as memory, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Use `@` matmul", PendingDeprecationWarning)
        with memory.open(**profile) as file:
            for band, (plane, name) in enumerate(zip(planes, names, strict=True), start=1):
                file.write(plane[::-1], band)
                file.set_band_description(band, name)
                file.set_band_unit(band, units)
            file.update_tags(
                AREA_OR_POINT="Area", name=", ".join(names), units=units, caution=CAUTION, note=note
            )
        with replacing(target) as part:
            copy(
                memory.name, part, driver="COG", compress="deflate", predictor="yes", blocksize=256,
                overviews="auto", overview_resampling="average", bigtiff="if_safer",
            )  # fmt: skip
    return target


def _fitting(values: FloatArray, grid: Grid, name: str) -> NDArray[np.float32]:
    """A band in 32 bits, NaN where there is no number."""
    plane = checked(values, grid)
    if np.abs(plane[np.isfinite(plane)]).max(initial=0.0) > _LARGEST:
        raise ValueError(f"{name!r} holds numbers beyond {_LARGEST:g}, more than 32 bits keep.")
    return np.where(np.isfinite(plane), plane, np.nan).astype(np.float32)


def checked(values: ArrayLike, grid: Grid) -> FloatArray:
    """Values of a map as an array ``(y, x)`` of the shape of a grid.

    Raises
    ------
    ValueError
        If they have another shape.
    """
    plane = np.asarray(values, dtype=float)
    if plane.shape != grid.shape[1:]:
        raise ValueError(
            f"the values have the shape {plane.shape}, the map {grid.shape[1:]} (y, x). Give one value for "
            "each column."
        )
    return plane
