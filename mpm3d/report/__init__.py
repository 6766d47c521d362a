"""One page that says where the targets are, how sure the model is and why; and the model card beside it."""

from __future__ import annotations

from mpm3d.report.bodies import Group, Part, groups_of
from mpm3d.report.card import model_card
from mpm3d.report.content import LayerFacts, Report, SourceFile
from mpm3d.report.figures import KINDS
from mpm3d.report.page import LARGEST_PAGE, render
from mpm3d.report.sheet import Place, Rings, Sheet, lon_lat, sheet_of

__all__ = [
    "KINDS",
    "LARGEST_PAGE",
    "Group",
    "LayerFacts",
    "Part",
    "Place",
    "Report",
    "Rings",
    "Sheet",
    "SourceFile",
    "groups_of",
    "lon_lat",
    "model_card",
    "render",
    "sheet_of",
]
