"""The schema of ``study.toml``, how one is read and checked, and the paths of a run."""

from mpm3d.study.assay_layers import AssaysLayer
from mpm3d.study.checks import crs_lacking
from mpm3d.study.drilling import DrillingTable
from mpm3d.study.explaining import ExplainTable
from mpm3d.study.files import drillholes, sha256
from mpm3d.study.layers import (
    BoreholesLayer,
    DistanceLayer,
    InsideLayer,
    Layer,
    ModelLayer,
    UbcLayer,
    VoxetLayer,
)
from mpm3d.study.loading import examine, load, template
from mpm3d.study.models import (
    BoostingTable,
    CbamTable,
    DevnetTable,
    ForestTable,
    LogisticTable,
    ModelTable,
    NetworkTable,
    PuTable,
    WeightsTable,
)
from mpm3d.study.point_loading import is_of_points, load_points
from mpm3d.study.point_table import PointSamplesTable, PointStudy, PointTable
from mpm3d.study.raster_layers import BandsLayer, RasterLayer
from mpm3d.study.tables import (
    AnyStudy,
    CubeTable,
    DepositTable,
    GridTable,
    PredictTable,
    SamplesTable,
    SourceTable,
    Study,
    TopographyTable,
    ValidateTable,
)
from mpm3d.study.targets import TargetsTable
from mpm3d.study.vector_layers import VectorLayer

__all__ = [
    "AnyStudy", "AssaysLayer", "BandsLayer", "BoostingTable", "BoreholesLayer", "CbamTable", "CubeTable",
    "DepositTable", "DevnetTable", "DistanceLayer", "DrillingTable", "ExplainTable", "ForestTable",
    "GridTable", "InsideLayer", "Layer", "LogisticTable", "ModelLayer", "ModelTable", "NetworkTable",
    "PointSamplesTable", "PointStudy", "PointTable", "PredictTable", "PuTable", "RasterLayer",
    "SamplesTable", "SourceTable", "Study", "TargetsTable", "TopographyTable", "UbcLayer", "ValidateTable",
    "VectorLayer", "VoxetLayer", "WeightsTable", "crs_lacking", "drillholes", "examine", "is_of_points",
    "load", "load_points", "sha256", "template",
]  # fmt: skip
