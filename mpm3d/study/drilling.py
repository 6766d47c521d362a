"""What limits a proposed drillhole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from mpm3d.drilling import read_licence
from mpm3d.grid import Grid
from mpm3d.study.base import Pair, Positive, Table


class DrillingTable(Table):
    """``[drilling]``: limits of the hole that is proposed for each of the best targets.

    ``dip`` in degrees below the horizontal, least and greatest; ``length`` in metres, at most; ``licence``
    a file of polygons that collars lie in, anywhere on the ground if empty.
    """

    targets: Positive = 10
    dip: Pair = (50.0, 90.0)
    length: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1500.0
    licence: str = ""

    @field_validator("dip")
    @classmethod
    def _below_horizontal(cls, value: Pair) -> Pair:
        if not 0 <= value[0] <= value[1] <= 90:
            raise ValueError(
                "dips are degrees below the horizontal, 0 to 90, the least first, such as [50.0, 90.0]"
            )
        return value


def licence_wrong(table: DrillingTable, folder: Path, grid: Grid | None) -> Iterator[str]:
    """What keeps a licence from being used: a sentence if it is missing, unreadable or elsewhere."""
    if not table.licence or "${" in table.licence:
        return
    path = folder / table.licence
    if not path.is_file():
        yield (
            f"licence = {table.licence!r} in [drilling] does not exist. Check the path, it is relative to "
            "study.toml."
        )
        return
    if grid is None:
        return
    try:
        area = read_licence(path, grid.crs)
    except ValueError as error:
        yield f"licence = {table.licence!r} in [drilling]: {error}"
        return
    x_low, y_low, _, x_high, y_high, _ = grid.bounds
    low_x, low_y, high_x, high_y = area.bounds
    import shapely

    if not area.intersection(shapely.box(x_low, y_low, x_high, y_high)).area > 0:
        yield (
            f"licence = {table.licence!r} in [drilling] lies outside the grid: it spans x {low_x:.0f} to "
            f"{high_x:.0f}, y {low_y:.0f} to {high_y:.0f} m, the grid x {x_low:.0f} to {x_high:.0f}, "
            f"y {y_low:.0f} to {y_high:.0f} m. Collars lie in both: give another file, or widen the grid."
        )
