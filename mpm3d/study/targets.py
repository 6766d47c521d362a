"""How targets are cut and ranked."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from mpm3d.study.base import Table
from mpm3d.targets import WEIGHTS, check_weights


class TargetsTable(Table):
    """``[targets]``: where targets begin, the smallest body in m3 (eight cells), and what they are ranked by.

    At most one of ``share`` of the eligible cells, ``percentile`` of their scores, a ``value`` of the score,
    and ``rule``: the volume at which the P-A curve of left-out deposits crosses, or the one of its largest
    Youden index. ``split`` cuts a body of more than 5 % of the volume again. ``weights`` of the ranking
    count 0 where they are not named. On a map ``min_area`` is the smallest target, in m2 (four cells).
    """

    share: Annotated[float, Field(gt=0, lt=1)] | None = None
    percentile: Annotated[float, Field(gt=0, lt=100)] | None = None
    value: Annotated[float, Field(allow_inf_nan=False)] | None = None
    rule: Literal["crossing", "youden"] = "crossing"
    min_volume: Annotated[float, Field(ge=0)] | None = None
    min_area: Annotated[float, Field(ge=0)] | None = None
    split: bool = True
    weights: dict[str, float] = Field(default=dict(WEIGHTS))

    @field_validator("percentile", "value", "rule")
    @classmethod
    def _alone(cls, value: Any, info: ValidationInfo) -> Any:
        given = [key for key in ("share", "percentile", "value") if info.data.get(key) is not None]
        if given:
            raise ValueError(
                f"{given[0]} = {info.data[given[0]]:g} says already where targets begin. Leave one out"
            )
        return value

    @field_validator("weights")
    @classmethod
    def _possible(cls, value: dict[str, float]) -> dict[str, float]:
        check_weights(value)
        return value
