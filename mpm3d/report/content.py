"""What a report says, as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from mpm3d.evaluate import CAUTION
from mpm3d.report.bodies import ZONE, Group
from mpm3d.report.sheet import Sheet

if TYPE_CHECKING:
    from mpm3d.grid import Float3

Row = Mapping[str, Any]
KNOWN = "known deposit"
"""Kind of a target that is mostly ore that is known."""


class SourceFile(NamedTuple):
    """A file that a layer comes from; ``sha256`` is empty where the cube has not kept it."""

    name: str
    sha256: str


class LayerFacts(NamedTuple):
    """One evidence layer: its name, what it is, unit, how it was made, and its files."""

    name: str
    long_name: str
    units: str
    how: str
    files: tuple[SourceFile, ...]


@dataclass(frozen=True, eq=False)
class Report:
    """Everything that the page and the model card say; nothing is read or computed after this.

    Parameters
    ----------
    name, note : str
        Of the study.
    crs : str
        The coordinate reference system in words, such as ``"EPSG:32651, WGS 84 / UTM zone 51N"``.
    model : str
        Kind of the model that scored the volume, or the area.
    targets : DataFrame
        ``targets.csv``; of a map also ``longitude`` and ``latitude`` of each centre, and ``best_x``,
        ``best_y``, ``best_longitude`` and ``best_latitude`` of its best cell.
    comparison : DataFrame
        ``comparison.csv``; no rows where the models were not compared.
    deposits : DataFrame
        ``comparison_deposits.csv``; no rows likewise.
    holes : DataFrame
        ``drillholes.csv``; no rows where no hole is proposed.
    volume : mapping of str to float
        ``share``, ``threshold``, ``n_scored``, ``extrapolated`` and others as far as the run knows them.
    centres : mapping of str to (x, y, z)
        Middles of the known deposits, metres.
    layers : tuple of LayerFacts
        The evidence.
    figures : mapping of str to bytes
        PNG files by name without suffix.
    run, model_info : mapping
        ``run.json`` and ``model.json``.
    known, blind : tuple of str
        Names of the deposits that models learn from, and of those that no model saw.
    groups : tuple of Group
        What the 3D view shows.
    bounds : 6 floats
        ``xmin, ymin, zmin, xmax, ymax, zmax`` of the 3D view.
    origin : (x, y, z)
        What is taken from all coordinates of ``groups``.
    thinned : tuple of str
        Sentences on what was simplified in it.
    commands : mapping of str to str
        What to type for ``"run"``, ``"validate"``, ``"targets"``, ``"explain"``, ``"view"``, ``"picture"``
        and ``"report"``.
    attributed : mapping of str to float
        Mean absolute attribution of each layer over the volume; empty where nothing was explained.
    settings : mapping of str to str
        What the study sets, for people who want to make it again.
    sources : tuple of mapping
        ``[[sources]]`` of the study: file, repository, commit, licence, sha256.
    caution : str
        The line that everything carries.
    map : Sheet, optional
        What is drawn of a study that is a map, which has no groups.
    """

    name: str
    note: str
    crs: str
    model: str
    targets: pd.DataFrame
    comparison: pd.DataFrame
    deposits: pd.DataFrame
    holes: pd.DataFrame
    volume: Mapping[str, float]
    centres: Mapping[str, Float3]
    layers: tuple[LayerFacts, ...]
    figures: Mapping[str, bytes]
    run: Mapping[str, Any]
    model_info: Mapping[str, Any]
    known: tuple[str, ...]
    blind: tuple[str, ...]
    groups: tuple[Group, ...]
    bounds: tuple[float, float, float, float, float, float]
    origin: Float3
    commands: Mapping[str, str]
    thinned: tuple[str, ...] = ()
    attributed: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[Mapping[str, str], ...] = ()
    caution: str = CAUTION
    map: Sheet | None = None

    @property
    def space(self) -> str:
        """What shares are shares of."""
        return "volume" if self.map is None else "area"

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Targets by rank."""
        rows = self.targets.to_dict("records")
        return sorted(({str(k): v for k, v in row.items()} for row in rows), key=lambda row: row["rank"])

    @property
    def best(self) -> dict[str, Any] | None:
        """The best target that is not mostly known ore, a zone only where there is nothing else; or None."""
        rows = [row for row in self.rows if row.get("kind") != KNOWN]
        return next((row for row in rows if row.get("kind") != ZONE), rows[0] if rows else None)

    def metric(self, scheme: str, metric: str, model: str = "") -> float:
        """A mean of the comparison, NaN where there is none."""
        return self._of(scheme, metric, model, "mean")

    def counted(self, scheme: str, metric: str = "auc") -> int:
        """Over how many repeats or deposits that mean is; 0 where there is none."""
        found = self._of(scheme, metric, "", "n")
        return 0 if math.isnan(found) else int(found)

    def _of(self, scheme: str, metric: str, model: str, column: str) -> float:
        table = self.comparison
        if not len(table):
            return math.nan
        same = (table["model"] == (model or self.model)) & (table["scheme"] == scheme)
        found = table.loc[same & (table["metric"] == metric), column]
        return float(found.iloc[0]) if len(found) else math.nan

    def tested(self, scheme: str, model: str = "") -> list[dict[str, Any]]:
        """Deposits that one scheme tested a model on, a row each."""
        if not len(self.deposits):
            return []
        same = (self.deposits["model"] == (model or self.model)) & (self.deposits["scheme"] == scheme)
        return [{str(k): v for k, v in row.items()} for row in self.deposits[same].to_dict("records")]

    def hole_of(self, row: Row) -> dict[str, Any] | None:
        """The drillhole that is proposed for a target."""
        if not len(self.holes) or not text(row.get("hole")):
            return None
        found = self.holes[self.holes["id"].astype(str) == text(row.get("hole"))]
        return {str(k): v for k, v in found.iloc[0].to_dict().items()} if len(found) else None


def number(value: Any) -> float:
    """A value of a table as a number, NaN where there is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def text(value: Any) -> str:
    """A value of a table as text, empty where there is none."""
    return (
        ""
        if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))
        else str(value)
    )
