"""From scores to follow-up: a threshold, connected bodies, a ranked table, and their skins."""

from __future__ import annotations

from mpm3d.targets.delineation import delineate, delineate_by
from mpm3d.targets.ranking import Scale
from mpm3d.targets.settings import TERMS, WEIGHTS, Settings, check_weights
from mpm3d.targets.skins import Skins, surfaces
from mpm3d.targets.splitting import ZONE
from mpm3d.targets.target import COLUMNS, KINDS, Delineation, Place, Target, write_table

__all__ = [
    "COLUMNS", "KINDS", "TERMS", "WEIGHTS", "ZONE", "Delineation", "Place", "Scale", "Settings", "Skins",
    "Target", "check_weights", "delineate", "delineate_by", "surfaces", "write_table",
]  # fmt: skip
