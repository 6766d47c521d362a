"""Tables of ``[[layers]]`` that are made from tables of assays at points of a map."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from mpm3d.geochemistry import UNITS
from mpm3d.study.base import LayerTable, known_crs


class AssaysLayer(LayerTable):
    """Assays of soils, sediments or rocks at the surface, mapped: equal at all depths.

    One of three: ``element``, its concentration in ppm or the decimal logarithm of it; with ``ratio = "clr"``
    its centred log-ratio; or ``component``, counted from 1, of the robust principal components of isometric
    log-ratios. The last two are over ``elements``, or over all that at least half of the samples have. They
    need every value, so missing ones are estimated as ``impute`` says; a concentration is mapped from the
    measured values alone, unless ``impute`` is given.

    Imputation and components learn from all samples of the table, also from those in places that a model is
    tested on: the table holds no labels of deposits, so no label leaks.

    ``x`` and ``y`` are found by their names if not given. ``column_units`` are units of columns whose name
    says none or a wrong one, that of ``"*"`` holds for all whose name says none. ``fill`` says what a vector
    of values that many rows share is worth, ``negatives`` what a negative assay means.
    """

    kind: Literal["assays"]
    file: Annotated[str, Field(min_length=1)]
    x: str = ""
    y: str = ""
    crs: str = ""
    element: str = ""
    log10: bool = False
    ratio: Literal["clr"] | None = None
    component: Annotated[int, Field(ge=1)] | None = None
    elements: list[str] = Field(default=[])
    impute: Literal["best", "median", "nearest", "forest"] | None = None
    method: Literal["best", "spline", "linear", "neighbours", "kriging"] = "best"
    reach: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 2000.0
    column_units: dict[str, str] = Field(default={})
    fill: Literal["keep", "missing"] = "missing"
    negatives: Literal["missing", "censored"] = "missing"

    @property
    def is_composition(self) -> bool:
        """Whether all elements are needed, not one alone."""
        return self.ratio is not None or self.component is not None

    @field_validator("crs")
    @classmethod
    def _known(cls, value: str) -> str:
        return known_crs(value) if value else value

    @field_validator("elements")
    @classmethod
    def _several(cls, value: list[str]) -> list[str]:
        if value and len(set(value)) < max(2, len(value)):
            raise ValueError("log-ratios need two elements or more, each named once")
        return value

    @field_validator("column_units")
    @classmethod
    def _units(cls, value: dict[str, str]) -> dict[str, str]:
        if wrong := [unit for unit in value.values() if unit not in UNITS]:
            raise ValueError(f"the unit {wrong[0]!r} is not known, it is one of {', '.join(UNITS)}")
        return value

    @model_validator(mode="after")
    def _fits(self) -> AssaysLayer:
        """What is given goes together."""
        if bool(self.x) != bool(self.y):
            raise ValueError(f"x = {self.x!r} and y = {self.y!r}: name both columns, or none")
        if bool(self.element) == (self.component is not None):
            raise ValueError("give element = 'Li' or component = 1, one of the two")
        if self.ratio and not self.element:
            raise ValueError("ratio = 'clr' needs an element, a component has its log-ratios already")
        if self.log10 and self.is_composition:
            raise ValueError("log10 is for concentrations, log-ratios are logarithms already. Remove it")
        if self.elements and not (self.is_composition or self.impute):
            raise ValueError(
                "elements are what log-ratios and imputation are over. Remove them, or set ratio = 'clr'"
            )
        if self.element and self.elements and self.element not in self.elements:
            raise ValueError(f"element {self.element!r} is not one of elements. Add it there")
        return self
