"""How scores are explained."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mpm3d.study.base import Positive, Table


class ExplainTable(Table):
    """``[explain]``: which cells' scores are attributed to layers, and against what.

    Outside the targets every ``every``-th cell along each axis is; ``background`` patches make what stands in
    for a layer that is taken away.
    """

    every: Positive = 4
    background: Annotated[int, Field(ge=1)] = 16
