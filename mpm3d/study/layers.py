"""Tables of ``[[layers]]``: evidence layers, and the files they come from."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from mpm3d.study.assay_layers import AssaysLayer
from mpm3d.study.base import Files, Table
from mpm3d.study.base import LayerTable as _Layer
from mpm3d.study.raster_layers import BandsLayer, RasterLayer
from mpm3d.study.vector_layers import VectorLayer


class DistanceLayer(_Layer):
    """Distance to surfaces, metres; ``solid`` gives 0 inside closed bodies."""

    kind: Literal["distance"]
    files: Files
    role: str = "unit"
    solid: bool = False
    cutoff: Annotated[float, Field(gt=0)] = 2000.0


class InsideLayer(_Layer):
    """1 inside closed bodies, 0 outside."""

    kind: Literal["inside"]
    files: Files
    role: str = "unit"


class _Model(_Layer):
    file: str
    method: Literal["linear", "nearest", "average"] = "linear"
    log10: bool = False


class UbcLayer(_Model):
    """Values of a UBC-GIF model on its tensor or OcTree mesh."""

    kind: Literal["ubc"]
    mesh: str
    missing: list[float] = Field(default=[])


class VoxetLayer(_Model):
    """Values of one property of a GoCAD voxet."""

    kind: Literal["voxet"]
    property: str = ""
    registration: Literal["center", "corner"] = "center"


class ModelLayer(_Model):
    """Values of one property of any file that has them in a volume.

    That is a voxet, a stratigraphic grid, tetrahedra, a block model, or a model of UBC-GIF, whose mesh is
    found beside it or named.
    """

    kind: Literal["model"]
    property: str = ""
    registration: Literal["center", "corner"] = "center"
    mesh: str = ""


class BoreholesLayer(_Layer):
    """Length-weighted mean of an assay of drillholes, in the cells that they pass through and near them."""

    kind: Literal["boreholes"]
    collar: Annotated[str, Field(min_length=1)]
    intervals: Annotated[str, Field(min_length=1)]
    assay: Annotated[str, Field(min_length=1)]
    survey: str = ""
    radius: Annotated[float, Field(ge=0)] = 0.0


Layer = Annotated[
    DistanceLayer
    | InsideLayer
    | UbcLayer
    | VoxetLayer
    | ModelLayer
    | RasterLayer
    | BandsLayer
    | BoreholesLayer
    | VectorLayer
    | AssaysLayer,
    Field(discriminator="kind"),
]

LAYERS: dict[Any, type[Table]] = {
    "distance": DistanceLayer, "inside": InsideLayer, "ubc": UbcLayer, "voxet": VoxetLayer,
    "model": ModelLayer, "raster": RasterLayer, "bands": BandsLayer, "boreholes": BoreholesLayer,
    "vector": VectorLayer, "assays": AssaysLayer,
}  # fmt: skip
