"""How good scores are: ranks in the volume, capture, the P-A curve and its crossing."""

from __future__ import annotations

from mpm3d.evaluate.curves import Crossing, PACurve, crossing, pa_curve
from mpm3d.evaluate.drawing import CAUTION, draw_pa_curve
from mpm3d.evaluate.measures import (
    AUC,
    Capture,
    auc,
    capture,
    classification,
    volume_ranks,
)
from mpm3d.evaluate.volume import Cut, cut_volume, percentiles

__all__ = [
    "AUC", "CAUTION", "Capture", "Crossing", "Cut", "PACurve", "auc", "capture", "classification", "crossing",
    "cut_volume", "draw_pa_curve", "pa_curve", "percentiles", "volume_ranks",
]  # fmt: skip
