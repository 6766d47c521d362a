"""What every table of a study has in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import pyproj
from pydantic import BaseModel, ConfigDict, Field

Files = Annotated[list[str], Field(min_length=1)]
Pair = tuple[float, float]
Positive = Annotated[int, Field(ge=1)]


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
