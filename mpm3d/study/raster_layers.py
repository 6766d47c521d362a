"""Tables of ``[[layers]]`` that are made from rasters, and what may be derived of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from mpm3d.rasters import INDICES, Formula
from mpm3d.study.base import LayerTable, known_crs

Derivation = Literal[
    "", "mean", "std", "dissimilarity", "correlation", "gradient", "dx", "dy", "tilt", "analytic_signal",
    "first_vertical_derivative", "upward", "regional", "residual",
]  # fmt: skip
_WINDOWS = ("mean", "std", "dissimilarity", "correlation")
_TEXTURES = ("dissimilarity", "correlation")
_PARTS = ("regional", "residual")


class MapLayer(LayerTable):
    """What rasters and bands have in common: how they come to the cells, and what is derived of them.

    ``derive`` is computed on the cells of the study, or with ``on = "pixels"`` on those of the raster before
    it is resampled. ``window`` cells, an odd number, are for ``"mean"``, ``"std"`` and the textures
    ``"dissimilarity"`` and ``"correlation"`` of ``levels`` grey levels; ``height`` metres are for
    ``"upward"`` and the ``separation`` of that name; ``modes`` for that by empirical modes. ``method`` is
    ``"linear"`` if nothing is said, on maps ``"auto"``.
    """

    method: Literal["auto", "linear", "nearest", "average", "cubic"] = "linear"
    crs: str = ""
    drape: Literal["column", "surface"] = "column"
    depth: Annotated[float, Field(gt=0)] | None = None
    derive: Derivation = ""
    on: Literal["cells", "pixels"] = "cells"
    window: int | None = None
    levels: Annotated[int, Field(ge=2, le=256)] | None = None
    separation: Literal["emd", "upward"] | None = None
    height: Annotated[float, Field(gt=0)] | None = None
    modes: Annotated[int, Field(ge=1)] | None = None

    @field_validator("crs")
    @classmethod
    def _known(cls, value: str) -> str:
        return known_crs(value) if value else value

    @field_validator("window")
    @classmethod
    def _odd(cls, value: int | None) -> int | None:
        if value is not None and (value < 3 or value % 2 == 0):
            raise ValueError("a window has a cell in its middle, so it is an odd number of 3 or more cells")
        return value

    @model_validator(mode="after")
    def _fits(self) -> MapLayer:
        """What is given is what the derivation takes."""
        if (self.derive in _WINDOWS) != (self.window is not None):
            if self.window is None:
                raise ValueError(f"derive = {self.derive!r} needs a window, such as window = 5")
            raise ValueError(f"window is for derive = {', '.join(map(repr, _WINDOWS))}. Remove it")
        upward = self.derive == "upward" or self.separation == "upward"
        if upward != (self.height is not None):
            if self.height is None:
                raise ValueError("upward continuation needs a height in metres, such as height = 2000.0")
            raise ValueError("height is for derive or separation = 'upward'. Remove it")
        for key, takes in (("levels", _TEXTURES), ("separation", _PARTS), ("modes", _PARTS)):
            if getattr(self, key) is not None and self.derive not in takes:
                raise ValueError(f"{key} is for derive = {' or '.join(map(repr, takes))}. Remove it")
        if self.modes is not None and self.separation == "upward":
            raise ValueError("modes is for separation = 'emd'. Remove it")
        return self


class RasterLayer(MapLayer):
    """Values of a map, at all depths of a column or down to ``depth`` metres below the topography."""

    kind: Literal["raster"]
    file: str
    property: str = ""
    log10: bool = False


class BandsLayer(MapLayer):
    """A formula of bands of multispectral scenes, or an index that has a name.

    ``files`` gives each band a name: that of a file, with its number or name in the file after a colon, such
    as ``"scene.tif:5"``. With ``on = "pixels"`` the formula is computed before the bands are resampled, for
    which they must share their pixels.
    """

    kind: Literal["bands"]
    files: Annotated[dict[str, str], Field(min_length=1)]
    formula: str = ""
    index: str = ""

    def paths(self) -> Iterator[tuple[str, str]]:
        """Key and value of every file that the table names."""
        for one in dict.fromkeys(file for file, _ in self.bands().values()):
            yield "files", one

    def bands(self) -> dict[str, tuple[str, str]]:
        """File of each band, and the number or name of the band in it, empty if it is not given."""
        return {name: _parted(value) for name, value in self.files.items()}

    def expression(self) -> Formula:
        """The formula, that of the index if it has a name."""
        return Formula(INDICES[self.index].formula if self.index else self.formula)

    @field_validator("index")
    @classmethod
    def _published(cls, value: str) -> str:
        if value and value not in INDICES:
            raise ValueError(f"there is no index of this name. Use one of {', '.join(INDICES)}, or a formula")
        return value

    @model_validator(mode="after")
    def _named(self) -> BandsLayer:
        """The formula can be read, and its bands are those that files are given for."""
        if bool(self.formula) == bool(self.index):
            raise ValueError("bands need a formula or the name of an index, one of both")
        wanted = self.expression().names
        lacking = [name for name in wanted if name not in self.files]
        if lacking or not wanted:
            raise ValueError(
                f"the formula {self.expression().text!r} takes {', '.join(wanted) or 'no band'}, files has "
                f"{', '.join(self.files)}. Name each band of it"
            )
        spare = [name for name in self.files if name not in wanted]
        if spare:
            raise ValueError(f"files has {', '.join(spare)}, which the formula does not use. Remove it")
        return self


def _parted(value: str) -> tuple[str, str]:
    """File and band of ``scene.tif:5``; the colon of a Windows drive is none of a band."""
    file, colon, band = value.rpartition(":")
    if not colon or len(file) < 2 or "/" in band or "\\" in band:
        return value, ""
    return file, band
