"""How good scores are: ranks in the volume, capture, curves, probabilities, agreement, and their pictures."""

from __future__ import annotations

from mpm3d.evaluate.curves import CaptureCurve, Crossing, PACurve, capture_curve, crossing, pa_curve
from mpm3d.evaluate.drawing import CAUTION
from mpm3d.evaluate.figures import draw_capture, draw_history, draw_pa_curve, draw_reliability, draw_roc
from mpm3d.evaluate.measures import (
    AUC,
    Capture,
    auc,
    capture,
    classification,
    volume_ranks,
)
from mpm3d.evaluate.ordering import agreement, average_precision, interval, youden
from mpm3d.evaluate.places import draw_samples, draw_score_distance
from mpm3d.evaluate.probability import Reliability, brier, reliability
from mpm3d.evaluate.volume import Cut, cut_volume, percentiles

__all__ = [
    "AUC", "CAUTION", "Capture", "CaptureCurve", "Crossing", "Cut", "PACurve", "Reliability", "agreement",
    "auc", "average_precision", "brier", "capture", "capture_curve", "classification", "crossing",
    "cut_volume", "draw_capture", "draw_history", "draw_pa_curve", "draw_reliability", "draw_roc",
    "draw_samples", "draw_score_distance", "interval", "pa_curve", "percentiles", "reliability",
    "volume_ranks", "youden",
]  # fmt: skip
