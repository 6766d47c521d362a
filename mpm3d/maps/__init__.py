"""Maps out: cloud-optimised GeoTIFFs, pictures of maps, success-rate curves, maps of the leading layers."""

from __future__ import annotations

from mpm3d.maps.cog import write_bands, write_cog
from mpm3d.maps.leading import OTHER, draw_leading, leading_layers
from mpm3d.maps.picture import draw_map
from mpm3d.maps.success import draw_success, share_found

__all__ = [
    "OTHER", "draw_leading", "draw_map", "draw_success", "leading_layers", "share_found", "write_bands",
    "write_cog",
]  # fmt: skip
