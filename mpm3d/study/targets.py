"""How targets are cut and ranked."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mpm3d.study.base import Table


class TargetsTable(Table):
    """``[targets]``: which share of the eligible cells, and the smallest body in m3 (eight cells).

    On a map ``min_area`` is the smallest target, in m2 (four cells).
    """

    share: Annotated[float, Field(gt=0, lt=1)] | None = None
    min_volume: Annotated[float, Field(ge=0)] | None = None
    min_area: Annotated[float, Field(ge=0)] | None = None
