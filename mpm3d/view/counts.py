"""What a threshold keeps: cells, shares and deposits."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from mpm3d.view.camera import area_of
from mpm3d.view.scene import Scene, style_of

_NONE: Mapping[str, Any] = MappingProxyType({})
_MOST = 6  # names in a line


class Readout(NamedTuple):
    """What a threshold means in cells.

    ``captured`` holds, by role, the share of the deposits' cells that are at or above the threshold; a cell
    without a score is not captured. ``deposits`` tells, by role and name, whether any cell of a deposit is.
    ``cell_area`` is the area of a cell of a map in square metres, 0 for a volume.
    """

    threshold: float
    n_cells: int
    n_scored: int
    captured: Mapping[str, float]
    deposits: Mapping[str, Mapping[str, bool]] = _NONE
    cell_area: float = 0.0

    @property
    def volume_share(self) -> float:
        """Share of the scored cells that are at or above the threshold."""
        return self.n_cells / self.n_scored if self.n_scored else 0.0

    @property
    def area(self) -> str:
        """Area of the cells at or above the threshold of a map, in words."""
        return area_of(self.n_cells * self.cell_area)

    def found(self, role: str) -> str:
        """How many of the deposits of a role have a cell at or above the threshold."""
        told = self.deposits[role].values()
        return f"{sum(told)} of {len(told)}"

    def missed(self, role: str) -> str:
        """Names of the deposits of a role that have no cell at or above the threshold."""
        names = [name for name, met in self.deposits[role].items() if not met]
        more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
        return ", ".join(names[:_MOST]) + more

    @property
    def text(self) -> str:
        """The numbers in words, one line each."""
        lines = [f"score at or above {self.threshold:.4g}"]
        lines.append(
            f"{100 * self.volume_share:.2f} % of the scored {'area' if self.cell_area else 'volume'}"
        )
        lines.append(f"{self.n_cells:,} of {self.n_scored:,} cells")
        if self.cell_area:
            lines[-1] += f", {self.area}"
            for role in self.deposits:
                missed = self.missed(role)
                lines.append(f"{self.found(role)} {style_of(role).label.lower()} captured")
                lines += [f"missed: {missed}"] if missed else []
            return "\n".join(lines)
        for role, share in self.captured.items():
            lines.append(f"{100 * share:.1f} % of the {role} cells")
        return "\n".join(lines)


def read_out(scene: Scene, threshold: float, *, n_cells: int | None = None) -> Readout:
    """Count what a threshold keeps.

    Parameters
    ----------
    scene : Scene
        The scene.
    threshold : float
        Score; cells at or above it count.
    n_cells : int, optional
        Number of cells at or above it, if it is known.

    Returns
    -------
    Readout
        Numbers of cells, the captured share by role, and which deposits have a cell in it.
    """
    values, least = scene.values, np.float32(threshold)
    captured, deposits = {}, {}
    for role, bodies in scene.cells.items():
        found = {name: values[tuple(cells.T)] >= least for name, cells in bodies.items() if len(cells)}
        if found:
            captured[role] = float(np.concatenate([*found.values()]).mean())
            deposits[role] = {name: bool(kept.any()) for name, kept in found.items()}
    kept = int(np.count_nonzero(values >= least)) if n_cells is None else n_cells
    area = scene.grid.cell_area if scene.flat else 0.0
    return Readout(float(threshold), kept, scene.n_scored, captured, deposits, area)


def threshold_for(scene: Scene, volume_share: float) -> float:
    """Score that keeps a share of the scored cells, which is above 0 and at most 1; ties are all kept."""
    if not 0 < volume_share <= 1:
        raise ValueError(f"a volume share of {volume_share} is not possible, give one above 0, at most 1.")
    values = scene.values[np.isfinite(scene.values)]
    if not values.size:
        return scene.threshold
    keep = max(1, round(volume_share * values.size))
    return float(np.partition(values, values.size - keep)[values.size - keep])
