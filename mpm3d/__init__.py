"""Three-dimensional mineral prospectivity mapping, from GoCAD and UBC models to ranked 3D targets.

Each room is a module, loaded when it is first used: ``mpm3d.cube``, ``mpm3d.samples`` and so on.
"""

from __future__ import annotations

import importlib
import logging
from types import ModuleType

__version__ = "0.1.0"
__all__ = [
    "blocks", "cube", "describe", "errors", "evaluate", "evidence", "exchange", "fit", "geometry", "grid",
    "inspection", "io", "labels", "lattice", "models", "point_samples", "predict", "resampling", "samples",
    "splits", "stages", "study", "synthetic", "targets", "validate", "view", "wells",
]  # fmt: skip

logging.getLogger(__name__).addHandler(logging.NullHandler())  # what is logged goes where the user sends it


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return importlib.import_module(f"mpm3d.{name}")
    raise AttributeError(f"module 'mpm3d' has no attribute {name!r}. It has {', '.join(__all__)}.")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
