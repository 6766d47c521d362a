"""Tables of ``[[layers]]`` that are made from points, lines and polygons of maps."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from mpm3d.study.base import LayerTable, known_crs

_Word = str | int | float
_Words = Annotated[list[_Word], Field(min_length=1)]


class VectorLayer(LayerTable):
    """Distance to, cover by, or class of shapes of a map: a value for each column, the same at all depths.

    ``where`` chooses shapes by their attributes. ``"distance"`` is in metres, ``"inside"`` the share of the
    cell that polygons cover, ``"class"`` codes of the values of ``column``, whose order means nothing.
    """

    kind: Literal["vector"]
    file: str
    layer: str = ""
    crs: str = ""
    where: dict[str, _Words] = Field(default={})
    measure: Literal["distance", "inside", "class"] = "distance"
    column: str = ""
    geodesic: bool = False
    cutoff: Annotated[float, Field(gt=0)] | None = None

    @field_validator("where", mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        """One value may stand without brackets."""
        if not isinstance(value, dict):
            return value
        return {key: one if isinstance(one, list) else [one] for key, one in value.items()}

    @field_validator("crs")
    @classmethod
    def _known(cls, value: str) -> str:
        return known_crs(value) if value else value

    @model_validator(mode="after")
    def _fits(self) -> VectorLayer:
        if self.measure == "class" and not self.column:
            raise ValueError(
                "measure = 'class' needs the column that names the class, such as column = 'UNIT'"
            )
        if self.measure != "class" and self.column:
            raise ValueError(
                f"column is for measure = 'class', the measure is {self.measure!r}. Choose shapes by where"
            )
        if self.measure != "distance" and (self.geodesic or self.cutoff is not None):
            raise ValueError(
                f"geodesic and cutoff are for distances, the measure is {self.measure!r}. Remove them"
            )
        return self
