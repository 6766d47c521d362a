"""What leaves a run: a proposed hole for each target, and all files of targets and holes together."""

from __future__ import annotations

from mpm3d.handover.files import FILES, write
from mpm3d.handover.holes import hole_table, plan_holes

__all__ = ["FILES", "hole_table", "plan_holes", "write"]
