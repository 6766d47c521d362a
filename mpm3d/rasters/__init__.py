"""What is computed of maps: statistics and texture in windows, formulas of bands."""

from mpm3d.rasters.formula import Formula
from mpm3d.rasters.indices import INDICES, Index
from mpm3d.rasters.texture import grey_levels, texture
from mpm3d.rasters.windows import mean, spread, std

__all__ = [
    "INDICES",
    "STATISTICS",
    "TEXTURES",
    "Formula",
    "Index",
    "grey_levels",
    "mean",
    "spread",
    "std",
    "texture",
]

STATISTICS = ("mean", "std")
TEXTURES = ("dissimilarity", "correlation")
