"""What limits a proposed drillhole."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mpm3d.study.base import Pair, Positive, Table


class DrillingTable(Table):
    """``[drilling]``: limits of the hole that is proposed for each of the best targets.

    ``dip`` in degrees below the horizontal, least and greatest; ``length`` in metres, at most; ``licence``
    a file of polygons that collars lie in, anywhere on the ground if empty.
    """

    targets: Positive = 10
    dip: Pair = (50.0, 90.0)
    length: Annotated[float, Field(gt=0)] = 1500.0
    licence: str = ""
