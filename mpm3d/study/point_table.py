"""A study of a table of points, without a grid."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from mpm3d.study.base import Table, known_crs
from mpm3d.study.tables import AnyStudy

Names = Annotated[list[str], Field(min_length=1)]


class PointTable(Table):
    """``[table]``: a table of points with evidence, place and label in columns.

    ``label`` holds 1 in rows of known deposits and 0 or nothing in the others, which are not known to be
    barren; ``group`` names the deposit of a labelled row, each is one of its own without it. ``layers`` are
    columns of evidence, or ``"rest"``: all others that hold numbers. ``missing`` lists numbers that stand for
    missing values, or ``"auto"``: those that look like it. ``shared`` is about rows that share one vector of
    values, as a fill does: ``"keep"`` them, count the values as ``"missing"``, or ``"drop"`` the rows that
    have no label. ``score`` is a second table, with the same layers, whose rows are scored as well.
    """

    file: str
    x: str
    y: str
    crs: str
    label: str
    layers: Literal["rest"] | Names = "rest"
    group: str = ""
    missing: Literal["auto"] | list[float] = "auto"
    shared: Literal["keep", "missing", "drop"] = "keep"
    score: str = ""

    @field_validator("crs")
    @classmethod
    def _known(cls, value: str) -> str:
        return known_crs(value)


class PointSamplesTable(Table):
    """``[samples]`` of a table: which rows without a label a model learns from, as negatives.

    Those at least ``stand_off`` metres from the deposits that it knows, ``"all"`` of them or so many for each
    labelled row. ``unseen`` is the share of them, drawn anew for each left-out deposit and repeat, that is
    kept from the model to rank that deposit against; with 0 it is ranked among rows that the model was taught
    to score low, as is often reported.
    """

    stand_off: Annotated[float, Field(ge=0)] = 0.0
    negatives_per_positive: Annotated[float, Field(gt=0)] | Literal["all"] = "all"
    unseen: Annotated[float, Field(ge=0, lt=1)] = 0.2


class PointStudy(AnyStudy):
    """A study of a table of points. Read one with `load_points`."""

    table: PointTable
    samples: PointSamplesTable = PointSamplesTable()
