"""The models of a study side by side: random split, spatial blocks, left-out and blind deposits."""

from __future__ import annotations

from mpm3d.comparison.table_one import contained, said_contained, shares_of, table_one, with_every_model
from mpm3d.comparison.work import Plan, check_memory, compare, plan, side_by_side

__all__ = [
    "Plan", "check_memory", "compare", "contained", "plan", "said_contained", "shares_of", "side_by_side",
    "table_one", "with_every_model",
]  # fmt: skip
