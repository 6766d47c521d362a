"""What is derived of a map: statistics and texture in windows, derivatives of potential fields."""

from __future__ import annotations

import numpy as np
import pyproj

from mpm3d import potential_fields, rasters
from mpm3d.errors import StudyError
from mpm3d.grid import FloatArray, Grid
from mpm3d.lattice import Raster
from mpm3d.rasters.windows import check_window
from mpm3d.study import BandsLayer, RasterLayer

# grey levels, if the study says nothing
_LEVELS = 32
_WORDS = {
    "mean": "mean", "std": "standard deviation", "dissimilarity": "dissimilarity of grey levels",
    "correlation": "correlation of grey levels", "gradient": "horizontal gradient", "dx": "derivative east",
    "dy": "derivative north", "tilt": "tilt", "analytic_signal": "analytic signal",
    "first_vertical_derivative": "first vertical derivative", "upward": "upward continuation",
}  # fmt: skip


def derived(field: FloatArray, spacing: tuple[float, float], layer: RasterLayer | BandsLayer) -> FloatArray:
    """Derive what a layer asks for of a map (y, x); rows and columns around it without any value are not it.

    Raises
    ------
    ValueError
        If the map is too small for it.
    """
    known = np.isfinite(field)
    if not known.any():
        return np.full(field.shape, np.nan)
    rows, columns = (np.flatnonzero(known.any(axis=axis)) for axis in (1, 0))
    inside = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    found = np.full(field.shape, np.nan)
    found[inside] = _derived(field[inside], spacing, layer)
    return found


def _derived(field: FloatArray, spacing: tuple[float, float], layer: RasterLayer | BandsLayer) -> FloatArray:
    name = layer.derive
    if layer.window is None:
        return potential_fields.derive(
            field, spacing, name, height=layer.height or 0.0, method=layer.separation or "emd",
            modes=layer.modes or 1,
        )  # fmt: skip
    if name in rasters.TEXTURES:
        return rasters.texture(field, layer.window, name, levels=layer.levels or _LEVELS)
    return rasters.mean(field, layer.window) if name == "mean" else rasters.std(field, layer.window)


def margin(layer: RasterLayer | BandsLayer, grid: Grid) -> int:
    """Cells around the grid that a derivation on cells looks at, so that its edges are those of the map."""
    if not layer.derive:
        return 0
    if layer.window is not None:
        check_window(layer.window, grid.shape[1:])
        return layer.window // 2
    return max(grid.shape[1:]) // 4


def check_pixels(layer: RasterLayer | BandsLayer, found: Raster, system: pyproj.CRS) -> None:
    """Refuse derivatives per metre on pixels that are not in metres, or along other axes than east and north.

    Raises
    ------
    StudyError
        With what to do instead.
    """
    if layer.window is not None:
        return
    if system.is_geographic or any(axis.unit_conversion_factor != 1 for axis in system.axis_info):
        raise StudyError(
            f"layer {layer.name!r}: the pixels are not in metres ({system.name}), which derive = "
            f"{layer.derive!r} needs. Use on = 'cells'."
        )
    if found.frame is not None and layer.derive in ("dx", "dy"):
        raise StudyError(
            f"layer {layer.name!r}: the raster is rotated, so its rows are not east. Use on = 'cells'."
        )


def said(layer: RasterLayer | BandsLayer, where: str) -> str:
    """What is derived, in words."""
    if layer.derive in ("regional", "residual"):
        way = f"of upward continuation by {layer.height:g} m" if layer.height else "of empirical modes"
        return f"{layer.derive} part {way}, on {where}"
    words = _WORDS[layer.derive]
    if layer.window is None:
        return words + (f" by {layer.height:g} m" if layer.height else "") + f", on {where}"
    more = f" ({layer.levels or _LEVELS} of equal frequency)" if layer.derive in rasters.TEXTURES else ""
    return f"{words}{more} in {layer.window} × {layer.window} {where}"
