"""Indices of alteration that have a source, by name."""

from __future__ import annotations

from dataclasses import dataclass

_MAPS = "National ASTER Maps, Geoscience Australia and CSIRO 2012"


@dataclass(frozen=True)
class Index:
    """A formula of bands with its source.

    Parameters
    ----------
    formula : str
        Of bands ``b1`` to ``b14``, numbered as the sensor does.
    shows : str
        What is high where it is high.
    source : str
        Where it is published.
    """

    formula: str
    shows: str
    source: str = _MAPS


# reflectances of ASTER (b1 to b9), radiances of its thermal bands (b10 to b14)
INDICES = {
    "aster_ferric_oxide": Index("b4 / b3", "hematite, goethite, jarosite"),
    "aster_ferric_oxide_composition": Index("b2 / b1", "hematite rather than goethite"),
    "aster_opaques": Index("b1 / b4", "magnetite, manganese oxides, carbon, sulphides"),
    "aster_aloh": Index("(b5 + b7) / b6", "white mica, smectite, kaolin"),
    "aster_aloh_composition": Index("b5 / b7", "phengite rather than kaolinite and paragonite"),
    "aster_feoh": Index("(b6 + b8) / b7", "chlorite, epidote, jarosite"),
    "aster_mgoh_carbonate": Index("(b6 + b9) / (b7 + b8)", "carbonate, chlorite, amphibole, talc"),
    "aster_quartz": Index("b11 / (b10 + b12)", "quartz"),
}
