"""A target, the table of targets, and its file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mpm3d.evaluate import CAUTION
from mpm3d.grid import Window
from mpm3d.targets.bodies import Zone
from mpm3d.targets.known import Cells

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("new", "extension", "known deposit", "zone")


@dataclass(frozen=True, eq=False)
class Place:
    """Where the cells of a target are; they are read when asked for.

    Parameters
    ----------
    zone : Zone
        The labelled volume.
    body : int
        Number of the body there.
    box : tuple of slice
        Cells that hold it, along z, y, x.
    """

    zone: Zone
    body: int
    box: Window

    @property
    def shape(self) -> tuple[int, int, int]:
        """Cells of the box along z, y, x."""
        z, y, x = (cut.stop - cut.start for cut in self.box)
        return z, y, x


@dataclass(frozen=True, eq=False)
class Target:
    """A body of cells for follow-up; lengths in metres, z is elevation.

    Parameters
    ----------
    id : str
        ``"T01"`` is the first; ``"Z1"`` a zone.
    rank : int
        1 is the best. Bodies that are mostly known deposit come after all others and zones last; in each
        part by falling ranking.
    x, y, elevation : float
        Mean of the cell centres. It may lie outside a curved body.
    volume_m3 : float
        Cells times the volume of a cell.
    kind : str
        ``"known deposit"`` when at least half of its cells are of known deposits, ``"extension"`` when
        fewer are, ``"new"`` when none is; ``"zone"`` when it has more than 5 % of the eligible cells.
    n_cells : int
        Number of cells.
    z_top, z_base : float
        Elevation of the highest and the lowest cell face.
    depth_top, depth_base : float
        The least and the greatest depth of a cell face below the ground.
    mean_score, peak_score : float
        Mean and greatest score of its cells.
    spread : float
        Mean over its cells of the spread between ensemble members; NaN where there is one member.
    deposit : str
        Names of the known deposits with cells in it, joined by ``"; "``.
    nearest_deposit : str
        Name of the nearest known deposit; empty where none is known.
    distance_m : float
        Least distance between a cell centre of the body and one of that deposit; 0 if it holds one.
    x_min, x_max, y_min, y_max : float
        Outer cell faces.
    ranking : float
        What it is ranked by, 0 to 1, as `ranking.Scale.terms` and the weights say.
    extrapolated : float
        Share of its cells whose evidence is unlike the training cells; NaN where nobody has looked.
    zone : str
        Id of the zone that it was cut from; empty for a body of its own, and for the zone.
    place : Place
        Where its cells are in the volume.
    """

    id: str
    rank: int
    x: float
    y: float
    elevation: float
    volume_m3: float
    kind: str
    n_cells: int
    z_top: float
    z_base: float
    depth_top: float
    depth_base: float
    mean_score: float
    peak_score: float
    spread: float
    deposit: str
    nearest_deposit: str
    distance_m: float
    x_min: float
    x_max: float
    y_min: float
    y_max: float
    ranking: float
    extrapolated: float
    zone: str
    place: Place

    def parts(self) -> Iterator[Cells]:
        """Its cells, counts ``(n, 3)`` along z, y, x, from each block of the volume that it meets."""
        return self.place.zone.cells_of(self.place.body, self.place.box)

    @property
    def cells(self) -> Cells:
        """Its cells, counts ``(n, 3)`` along z, y, x, in the order of the volume; read from the volume."""
        cells = np.concatenate(list(self.parts()))
        return cells[np.lexsort(cells.T[::-1])]

    @property
    def plan(self) -> Cells:
        """Its columns of cells seen from above, counts ``(n, 3)`` along z, y, x with z 0."""
        _, *shape = self.place.shape
        _, *low = (cut.start for cut in self.place.box)
        covered = np.zeros(shape, bool)
        for cells in self.parts():
            covered[tuple((cells[:, 1:] - low).T)] = True
        columns = np.argwhere(covered) + low
        return np.column_stack([np.zeros(len(columns), np.int64), columns])


COLUMNS = tuple(one.name for one in fields(Target) if one.name != "place")


@dataclass(frozen=True, eq=False)
class Delineation:
    """The targets, and the threshold that made them.

    Parameters
    ----------
    targets : tuple of Target
        By rank.
    threshold : float
        Score of the last cell that is in.
    share : float
        Share of the eligible cells at or above it. More than asked for where cells tie at the threshold.
    n_eligible : int
        Scored cells outside the known deposits.
    n_zone : int
        Cells at or above the threshold, those of known deposits included.
    notes : tuple of str
        What was decided or dropped, in sentences.
    weights : mapping of str to float
        What each term of the ranking counted; their sum is 1.
    """

    targets: tuple[Target, ...]
    threshold: float
    share: float
    n_eligible: int
    n_zone: int
    notes: tuple[str, ...]
    weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def table(self) -> pd.DataFrame:
        """One row per target, columns from ``id`` to ``zone``."""
        import pandas as pd

        rows = [[getattr(target, name) for name in COLUMNS] for target in self.targets]
        return pd.DataFrame(rows, columns=list(COLUMNS))


def write_table(path: str | Path, table: pd.DataFrame, *, note: str = "") -> Path:
    """Write the table of targets as CSV in UTF-8, complete or not at all.

    Parameters
    ----------
    path : str or Path
        The file.
    table : DataFrame
        The table of `Delineation`. A last column ``note`` says on every row what a target is not.
    note : str
        More for that column, such as where the data come from.

    Returns
    -------
    Path
        The file that was written.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(target.name + ".part")
    # ten digits keep centimetres at UTM scale and leave out the dust of float arithmetic
    table.assign(note=f"{CAUTION} {note}".strip()).to_csv(
        half, index=False, encoding="utf-8", lineterminator="\n", float_format="%.10g"
    )
    half.replace(target)
    return target
