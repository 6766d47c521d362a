"""Which hole to drill at a target: straight, from the ground, within limits, through its best cells."""

from __future__ import annotations

from mpm3d.drilling.ground import Ground
from mpm3d.drilling.hole import COLUMNS, Hole, NoHole
from mpm3d.drilling.licence import read_licence
from mpm3d.drilling.limits import Limits
from mpm3d.drilling.planning import plan
from mpm3d.drilling.traverse import pieces

__all__ = ["COLUMNS", "Ground", "Hole", "Limits", "NoHole", "pieces", "plan", "read_licence"]
