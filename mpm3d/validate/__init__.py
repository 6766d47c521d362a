"""What models are worth: random split as published, spatial blocks, and left-out deposits, side by side."""

from __future__ import annotations

from mpm3d.validate.kept import forget
from mpm3d.validate.plan import blocks, buffer_of, refusals
from mpm3d.validate.result import Comparison
from mpm3d.validate.rows import COLUMNS
from mpm3d.validate.settings import SCHEMES, Settings
from mpm3d.validate.work import validate

__all__ = [
    "COLUMNS", "SCHEMES", "Comparison", "Settings", "blocks", "buffer_of", "forget", "refusals", "validate",
]  # fmt: skip
