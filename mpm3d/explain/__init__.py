"""Which evidence moved a score: Shapley values over the layers of any fitted model."""

from __future__ import annotations

from mpm3d.explain.coalitions import MOST_LAYERS
from mpm3d.explain.explainer import Explained, Explainer, NotAdditive
from mpm3d.explain.reference import draw_background, reference_of

__all__ = ["MOST_LAYERS", "Explained", "Explainer", "NotAdditive", "draw_background", "reference_of"]
