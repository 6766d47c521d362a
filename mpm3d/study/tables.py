"""The tables of a study, and the study itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from mpm3d.grid import Grid
from mpm3d.study.base import Pair, Positive, Table, in_metres, known_crs
from mpm3d.study.drilling import DrillingTable
from mpm3d.study.explaining import ExplainTable
from mpm3d.study.files import present
from mpm3d.study.layers import Layer
from mpm3d.study.models import ForestTable, ModelTable
from mpm3d.study.targets import TargetsTable
from mpm3d.vectors import Place, is_places_file, read_places

Scheme = Literal["random", "block", "deposit"]
NO_SURFACE = (
    "{!r} is a surface in space, and the study is a map. Give points, lines or polygons of a map: "
    "points = 'deposits.gpkg'."
)


class GridTable(Table):
    """``[grid]``: extent of the cell edges and cell size (x, y, z), in metres, elevation up.

    Without ``z`` it is a map: one cell along z, as high as it is long along x, about elevation 0.
    """

    crs: str
    x: Pair
    y: Pair
    z: Pair | None = None
    spacing: float | tuple[float, float] | tuple[float, float, float] = 50.0

    def grid(self) -> Grid:
        """The cells."""
        steps = (self.spacing,) * 3 if isinstance(self.spacing, float) else self.spacing
        if self.z is None:
            if len(steps) == 3 and not isinstance(self.spacing, float):
                raise ValueError(
                    f"spacing {list(steps)} has a third number and there is no z. Leave one out."
                )
            steps = (steps[0], steps[1], steps[0])
        elif len(steps) == 2:
            raise ValueError(
                f"spacing {list(steps)} has two numbers and z is given. Give a third, or one for all."
            )
        low, high = self.z or (-steps[0] / 2, steps[0] / 2)
        bounds = (self.x[0], self.y[0], low, self.x[1], self.y[1], high)
        return Grid.from_bounds(bounds, steps[::-1], self.crs)

    @field_validator("crs")
    @classmethod
    def _known(cls, value: str) -> str:
        return in_metres(known_crs(value))


class TopographyTable(Table):
    """``[topography]``: a GoCAD surface or a raster of ground elevations."""

    file: str


class CubeTable(Table):
    """``[cube]``: where the cube lies, and cells of one of its objects along z, y, x, whole chunks of 50.

    ``store`` is a folder or an fsspec URL such as ``s3://bucket/cube.zarr``; the run folder if it is empty.
    """

    store: str = ""
    shards: tuple[Positive, Positive, Positive] | None = None


class DepositTable(Table):
    """``[[deposits]]``: a known orebody, from surfaces, points or drilled intervals.

    With a table of collars, ``intervals`` are those of drillholes, and cells whose mean of ``assay`` is at
    least ``cutoff`` are ore.

    Points may also be a file of points or polygons of a map, or a raster whose pixels of 1 are ore. With
    ``each``, every row of it, or pixel, is a deposit of its own, called by ``name_column``; the name of the
    table is that of all of them. ``each = "touching"`` makes pixels that touch, by corners too, one deposit.
    """

    name: Annotated[str, Field(min_length=1)]
    files: list[str] = Field(default=[])
    points: str = ""
    intervals: str = ""
    collar: str = ""
    survey: str = ""
    assay: str = ""
    cutoff: float | None = None
    thickness: Annotated[float, Field(gt=0)] | None = None
    min_share: Annotated[float, Field(gt=0, le=1)] | None = None
    style: str = ""
    blind: bool = False
    each: Literal[False, True, "touching"] = False
    name_column: str = ""
    style_column: str = ""
    layer: str = ""
    crs: str = ""

    @field_validator("crs")
    @classmethod
    def _known(cls, value: str) -> str:
        return known_crs(value) if value else value

    @field_validator("each", mode="before")
    @classmethod
    def _one_of(cls, value: object) -> object:
        if not isinstance(value, bool) and value != "touching":
            raise ValueError("it is true, false or 'touching'")
        return value

    def is_map_file(self, *, flat: bool) -> bool:
        """Whether its deposits are places of a vector file, a raster or, for a map (``flat``), a table."""
        return bool(self.points) and is_places_file(self.points, flat=flat or bool(self.each))

    def places(self, folder: Path, crs: str) -> tuple[list[Place], tuple[str, ...]]:
        """Places of such a file in a coordinate system, and what was decided on reading.

        Raises
        ------
        ValueError
            As `mpm3d.vectors.read_places`.
        """
        return read_places(
            present(folder / self.points), crs, layer=self.layer, source_crs=self.crs,
            columns=(self.name_column, self.style_column), touching=self.each is not True,
        )  # fmt: skip


class SamplesTable(Table):
    """``[samples]``: what is drawn around the deposits.

    ``max_patches`` of both classes together train a model, drawn evenly from the deposits, or ``"all"``: the
    cells of a deposit are alike, and more of them teach its place by heart. ``background`` cells are what
    scores are ranked against, ``pool`` cells what negatives are drawn from.

    On a map, where a deposit is a cell or a few, what the study does not say is 100 negatives per positive,
    all deposit cells, and a stand-off of 800 m or two cells, whichever is more.
    """

    stand_off: Annotated[float, Field(ge=0)] = 800.0
    negatives_per_positive: Annotated[float, Field(gt=0)] = 1.0
    max_patches: Annotated[int, Field(ge=4)] | Literal["all"] = 1200
    background: Annotated[int, Field(ge=100)] = 50_000
    pool: Annotated[int, Field(ge=100)] | None = None

    def on_map(self, cell: float) -> SamplesTable:
        """The same, with what is not set as a map of cells of so many metres needs it."""
        usual = {
            "negatives_per_positive": 100.0, "max_patches": "all",
            "stand_off": max(self.stand_off, 2 * cell),
        }  # fmt: skip
        return self.model_copy(update={k: v for k, v in usual.items() if k not in self.model_fields_set})


class ValidateTable(Table):
    """``[validate]``, `Study.validation`: how the models are compared.

    Blocks are ``folds`` parts of space, cut in the gaps between deposits, unless ``size`` (cubes of
    so many metres, dealt to the folds) or ``axis`` (slabs) is given; training cells keep ``buffer`` metres
    from the block that is tested (a patch and the stand-off, if not given), and ``deposit_buffer`` metres
    from a deposit that is left out. ``negatives = "published"`` keeps negatives away from that deposit too.
    ``in_sample`` puts beside it how the final models rank what they were fitted on.
    """

    schemes: Annotated[tuple[Scheme, ...], Field(min_length=1)] = ("random", "block", "deposit")
    repeats: Positive = 1
    folds: Annotated[int, Field(ge=2)] = 3
    buffer: Annotated[float, Field(ge=0)] | None = None
    size: Annotated[float, Field(gt=0)] | None = None
    axis: Literal["x", "y", "z"] | None = None
    negatives: Literal["unaware", "published"] = "unaware"
    calibration: Literal["none", "isotonic", "venn-abers"] = "none"
    deposit_buffer: Annotated[float, Field(ge=0)] = 0.0
    in_sample: bool = False

    @field_validator("schemes")
    @classmethod
    def _once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("a scheme is named twice. Name each once")
        return value

    @field_validator("axis")
    @classmethod
    def _one_way(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("size") is not None:
            raise ValueError("blocks are cubes of a size or slabs along an axis, not both. Leave one out")
        return value


class PredictTable(Table):
    """``[predict]``: how the volume is cut up, and whether the first model scores it or all of them."""

    block: tuple[Positive, Positive, Positive] = (50, 50, 50)
    workers: Positive | None = None
    processes: bool = False
    memory: Annotated[float, Field(gt=0)] = 4.0
    max_missing: Annotated[int, Field(ge=0)] = 0
    models: Literal["first", "all"] = "first"


class SourceTable(Table):
    """``[[sources]]``: where a file that is not bundled comes from, and its SHA-256."""

    file: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    repository: str
    commit: str = ""
    path: str = ""
    licence: str = ""


class AnyStudy(Table):
    """What a study on a grid and one of a table of points have in common."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    note: str = ""
    seed: Annotated[int, Field(ge=0)] = 0
    models: Annotated[list[ModelTable], Field(min_length=1)] = Field(default=[ForestTable(kind="forest")])
    validation: ValidateTable = Field(default=ValidateTable(), alias="validate")  # pydantic has a validate
    folder: Path = Field(default=Path(), exclude=True)
    runs: Path = Field(default=Path("runs"), exclude=True)

    @property
    def run_folder(self) -> Path:
        """Where everything that the study produces goes."""
        return self.runs / self.name

    def path(self, name: str) -> Path:
        """A file of the study, relative to ``study.toml`` unless absolute; ``X.gz`` stands in for ``X``."""
        return present(self.folder / name)


class Study(AnyStudy):
    """Everything a study says. Read one with `load`.

    Tables and keys are described in the README and in the file that ``mpm3d init`` writes.
    """

    grid: GridTable
    topography: TopographyTable | None = None
    cube: CubeTable = CubeTable()
    layers: Annotated[list[Layer], Field(min_length=1)]
    deposits: Annotated[list[DepositTable], Field(min_length=1)]
    samples: SamplesTable = Field(default=SamplesTable(), validate_default=True)
    predict: PredictTable = PredictTable()
    targets: TargetsTable = TargetsTable()
    explain: ExplainTable = ExplainTable()
    drilling: DrillingTable = DrillingTable()
    sources: list[SourceTable] = Field(default=[])

    @field_validator("samples")
    @classmethod
    def _samples_of_map(cls, value: SamplesTable, info: ValidationInfo) -> SamplesTable:
        grid = info.data.get("grid")
        if not isinstance(grid, GridTable) or grid.z is not None:
            return value
        return value.on_map(max(np.atleast_1d(grid.spacing).tolist()))

    @field_validator("targets")
    @classmethod
    def _of_one_kind(cls, value: TargetsTable, info: ValidationInfo) -> TargetsTable:
        grid = info.data.get("grid")
        if not isinstance(grid, GridTable):
            return value
        if grid.z is None and value.min_volume is not None:
            raise ValueError("min_volume is for volumes, and the study is a map. Use min_area, in m2")
        if grid.z is not None and value.min_area is not None:
            raise ValueError("min_area is for maps, and the grid has a z. Use min_volume, in m3")
        return value

    @property
    def cube_place(self) -> str | Path:
        """Where the evidence cube lies: a folder, or a URL."""
        store = self.cube.store
        if not store:
            return self.run_folder / "cube.zarr"
        return store if "://" in store else self.folder / store
