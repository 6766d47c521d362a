"""Points, lines and polygons of maps: read, reprojected and chosen, and measured in the columns of a grid."""

from __future__ import annotations

from mpm3d.vectors.cover import prepare_classes, prepare_inside
from mpm3d.vectors.distance import prepare_distance
from mpm3d.vectors.files import Vectors, column, companions, read, select
from mpm3d.vectors.places import Place, cells_of, is_marked_file, is_places_file, read_places

__all__ = [
    "Place", "Vectors", "cells_of", "column", "companions", "is_marked_file", "is_places_file",
    "prepare_classes", "prepare_distance", "prepare_inside", "read", "read_places", "select",
]  # fmt: skip
