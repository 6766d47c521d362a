"""What every table of a study has in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import pyproj
from pydantic import BaseModel, ConfigDict, Field

Files = Annotated[list[str], Field(min_length=1)]
Pair = tuple[float, float]
Positive = Annotated[int, Field(ge=1)]
_MANY = {"degree": "degrees", "foot": "feet", "US survey foot": "US survey feet"}


class Table(BaseModel):
    """A table of the study: unknown keys are errors, nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    def paths(self) -> Iterator[tuple[str, str]]:
        """Key and value of every file that the table names."""
        for key in ("file", "files", "mesh", "points", "intervals", "collar", "survey", "licence"):
            value = getattr(self, key, None)
            for one in value if isinstance(value, list) else [value] if value else []:
                yield key, one


class LayerTable(Table):
    """What every table of ``[[layers]]`` has."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
    units: Annotated[str, Field(min_length=1)]
    long_name: str = ""


def known_crs(value: str) -> str:
    """The coordinate reference system that a text stands for.

    Raises
    ------
    ValueError
        If there is none of this name.
    """
    try:
        return pyproj.CRS.from_user_input(value).to_string()
    except pyproj.exceptions.CRSError as error:
        raise ValueError(
            f"{value!r} is not a coordinate reference system. Use a code such as 'EPSG:32651'"
        ) from error


def in_metres(crs: str) -> str:
    """The same coordinate reference system, if cells can be measured in it.

    Raises
    ------
    ValueError
        If its coordinates are degrees, or of another unit than the metre.
    """
    units = {axis.unit_name for axis in pyproj.CRS.from_user_input(crs).axis_info[:2]} - {"metre"}
    if units:
        named = " and ".join(sorted(_MANY.get(unit, unit) for unit in units))
        raise ValueError(
            f"its coordinates are in {named}, and cells, distances and buffers in metres. Name a projected "
            "system in metres, such as that of a UTM zone ('EPSG:32651'), and give x and y in it; files may "
            "stay in their own"
        )
    return crs
