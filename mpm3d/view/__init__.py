"""Pictures and windows of a district: one description, several faces."""

from __future__ import annotations

from mpm3d.evaluate import CAUTION
from mpm3d.view import desktop, picture
from mpm3d.view.counts import Readout, read_out, threshold_for
from mpm3d.view.renderer import can_render, can_show
from mpm3d.view.scene import Item, Scene, SceneTarget, make_scene

__all__ = [
    "CAUTION",
    "Item",
    "Readout",
    "Scene",
    "SceneTarget",
    "can_render",
    "can_show",
    "desktop",
    "make_scene",
    "picture",
    "read_out",
    "threshold_for",
]
