"""Grids of one value per place: GeoTIFF, Surfer, ER Mapper and whatever else GDAL reads."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from mpm3d.errors import FormatError

if TYPE_CHECKING:
    import xarray as xr


def read_raster(path: str | Path, *, band: int = 1) -> xr.DataArray:
    """Read one band of a raster, such as a topography.

    Parameters
    ----------
    path : str or Path
        Any raster that GDAL reads, in metres.
    band : int
        Counted from 1.

    Returns
    -------
    xarray.DataArray
        ``(y, x)``, coordinates of the cell centres, both ascending, NaN where there is no data, named like
        the file. The coordinate system, if the file has one, is at ``.rio.crs``.

    Raises
    ------
    FormatError
        If GDAL cannot read it, the band does not exist, or the grid has no coordinates or is rotated.
    """
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {str(path)!r}.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        # rasterio multiplies transforms in a way that affine 3 wants to give up
        warnings.filterwarnings("ignore", "Use `@` matmul", PendingDeprecationWarning)
        try:
            data = _load(path)
        except RasterioError as error:
            raise FormatError(path, f"GDAL does not read this raster ({error}).") from error
        return _flat(path, data, band)


def _load(path: Path) -> xr.DataArray:
    import rioxarray

    source = cast("xr.DataArray", rioxarray.open_rasterio(path, masked=True))
    with source:
        return source.load()


def _flat(path: Path, data: xr.DataArray, band: int) -> xr.DataArray:
    if not 1 <= band <= data.sizes["band"]:
        raise FormatError(path, f"band {band} is asked for, the raster has 1 to {data.sizes['band']}.")
    transform = data.rio.transform()
    if transform.b or transform.d or "x" not in data.coords or data["x"].ndim != 1:
        raise FormatError(path, "the grid is rotated, rows along y and x are needed. Warp it north-up first.")
    if transform.is_identity:
        raise FormatError(path, "the grid has no coordinates. Give it a georeference first (gdal_edit).")
    flat = data.sel(band=band, drop=True).sortby(["y", "x"]).rename(path.stem)
    return flat.astype(np.result_type(flat.dtype, np.float32))
