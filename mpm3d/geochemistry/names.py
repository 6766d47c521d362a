"""What the name of a column says: element or oxide, unit, coordinate."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mpm3d.geochemistry.masses import formula_of

# mass of the unit in parts per million
UNITS: dict[str, float] = {"ppb": 1e-3, "ppm": 1.0, "%": 1e4, "wt%": 1e4, "g/t": 1.0, "mg/kg": 1.0}
_SPELLINGS = {
    "ppb": "ppb", "ugkg": "ppb", "ppm": "ppm", "gt": "g/t", "gpt": "g/t", "mgkg": "mg/kg", "ugg": "ppm",
    "pct": "%", "perc": "%", "percent": "%", "wtpct": "wt%", "wtpercent": "wt%", "wt": "wt%",
}  # fmt: skip
_AXES = (
    ({"lon", "long", "longitude"}, {"lat", "latitude"}),
    ({"east", "easting", "eastings"}, {"north", "northing", "northings"}),
    ({"x"}, {"y"}),
)
_FRAMES = {"m", "utm", "mga", "gda", "wgs", "coord", "coordinate", "sample", "site", "point", "deg"}


@dataclass(frozen=True)
class Heading:
    """What the name of a column says.

    Parameters
    ----------
    name : str
        The name as it is in the file.
    formula : str
        Element or oxide, ``""`` if the column is neither.
    unit : str
        A key of `UNITS`, ``""`` if the name says none.
    """

    name: str
    formula: str = ""
    unit: str = ""


def parse(name: str) -> Heading:
    """Element or oxide and unit in the name of a column.

    Units are recognised as ``Cu_ppm``, ``Au (ppb)``, ``Fe2O3 wt%``, ``Ag_g/t``, ``AU_FA_PPB``; two
    underscores at the end, as database exports write ``MgO (%)``, mean percent.

    Examples
    --------
    >>> parse("Fe2O3 wt%"), parse("AU_FA_PPB").formula, parse("MgO__").unit, parse("DEM_dx").formula
    (Heading(name='Fe2O3 wt%', formula='Fe2O3', unit='wt%'), 'Au', '%', '')
    """
    text = re.sub(r"\s*\(\d+\)$|\.\d+$", "", name.strip())
    unit = "%" if text.endswith("__") else ""
    text = re.sub(r"\bwt\s*\.?[_ ]?%|(?<=_)wt\s*%", " wtpct ", text, flags=re.IGNORECASE).replace(
        "%", " pct "
    )
    text = re.sub(r"(g|mg|[uµ]g)\s*/\s*(t|kg|g)\b", r"\1\2", text, flags=re.IGNORECASE).replace("µ", "u")
    words = [word for word in re.split(r"[\s_\-()\[\],;:]+", text) if word]
    if not words:
        return Heading(name)
    for word in words[1:]:
        unit = _SPELLINGS.get(word.lower(), unit)
    joined = "".join(words[1:]).lower()
    unit = unit or _SPELLINGS.get(joined, "")
    formula = formula_of(words[0], any_case=bool(unit))
    alone = len(words) == 1
    return Heading(name, formula, unit) if formula and (unit or alone) else Heading(name)


def coordinates(names: Sequence[str]) -> tuple[str, str]:
    """Names of the columns of x and y, ``("", "")`` if the table has none.

    Examples
    --------
    >>> coordinates(["sample_no", "lon_gda94", "lat_gda94", "Y_ppm"])
    ('lon_gda94', 'lat_gda94')
    >>> coordinates(["La", "Ce", "Y"])
    ('', '')
    """
    for pair in _AXES:
        # the shortest name is the plainest: x before x_local
        east, north = (
            min((n for n in names if _is_one(n, words) and not parse(n).unit), key=len, default="")
            for words in pair
        )
        if east and north:
            return east, north
    return "", ""


def says_degrees(name: str) -> bool:
    """Whether the name of a column means longitude or latitude."""
    return any(_is_one(name, words) for words in _AXES[0])


def _is_one(name: str, words: set[str]) -> bool:
    parts = [part for part in re.split(r"[^a-z]+", name.lower()) if part]
    for part in {parts[0], parts[-1]} & words if parts else set():
        rest = [other for other in parts if other != part]
        if len(part) > 1 or all(other in _FRAMES for other in rest):  # grad_x is no coordinate
            return True
    return False
