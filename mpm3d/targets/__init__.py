"""From scores to follow-up: a threshold, connected bodies, a ranked table, and their skins."""

from __future__ import annotations

from mpm3d.targets.delineation import ZONE, delineate
from mpm3d.targets.skins import Skins, surfaces
from mpm3d.targets.target import COLUMNS, KINDS, Delineation, Place, Target, write_table

__all__ = [
    "COLUMNS", "KINDS", "ZONE", "Delineation", "Place", "Skins", "Target", "delineate", "surfaces",
    "write_table",
]  # fmt: skip
