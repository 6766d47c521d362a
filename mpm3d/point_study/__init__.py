"""Studies of a table of points without a grid: read, checked, fitted, compared, scored."""

from __future__ import annotations

from mpm3d.point_study.reading import Others, Points, read_others, read_points
from mpm3d.point_study.work import PointRun, check, compare, fit_models, predict_volume

__all__ = [
    "Others", "PointRun", "Points", "check", "compare", "fit_models", "predict_volume", "read_others",
    "read_points",
]  # fmt: skip
