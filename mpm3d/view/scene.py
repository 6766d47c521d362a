"""What is drawn, as plain data: one description for the picture, the window and every other face."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mpm3d.evaluate import CAUTION
from mpm3d.geometry import Bounds, Lines, Points, Surface, bounds_of
from mpm3d.grid import Float3, FloatArray, Grid

Cells = NDArray[np.int64]
Geometry = Surface | Lines | Points | Cells
Scores = FloatArray | Callable[[], FloatArray]


class Volume(Protocol):
    """Values ``(z, y, x)`` that may stay in a store: only what is asked for by index is read."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells along z, y and x."""
        ...

    def __getitem__(self, cut: Any, /) -> Any:
        """A NumPy array, or a number, of the cells that are asked for."""
        ...


class Style(NamedTuple):
    """How a role looks: its name in a legend, colour and opacity."""

    label: str
    colour: str
    opacity: float


# Chosen so that any two, and each and any part of the score's warm scale, stay apart for every eye: at least
# 19 in CIELAB as seen with no red, green or blue cones (a test simulates it). Targets are of that scale.
STYLES: dict[str, Style] = {
    "target": Style("Targets", "#B30000", 0.75),
    "deposit": Style("Known deposits", "#042B7B", 1.0),
    "blind deposit": Style("Blind deposits", "#0095AC", 1.0),
    "drillhole": Style("Proposed drillholes", "#000000", 1.0),
    "positive sample": Style("Positive samples", "#AE1ACB", 1.0),
    "negative sample": Style("Negative samples", "#83CECD", 1.0),
    "dyke": Style("Dykes", "#3F735A", 0.3),
    "intrusion": Style("Intrusions", "#D898F1", 0.2),
    "fault": Style("Faults", "#534F63", 0.16),
    "unit": Style("Units", "#BCE2B4", 0.25),
    "topography": Style("Topography", "#959B6B", 0.16),
}
_OTHER_COLOURS = ("#7B5EA7", "#4C8C2B", "#5A7D8C", "#A36A3F", "#6B6B6B", "#3F6FA3")
SCORE_COLOURS = "YlOrRd"


def style_of(role: str) -> Style:
    """Look of a role; a role that is not in `STYLES` always gets the same colour of its own."""
    if role in STYLES:
        return STYLES[role]
    colour = _OTHER_COLOURS[zlib.crc32(role.encode()) % len(_OTHER_COLOURS)]
    return Style(role[:1].upper() + role[1:], colour, 0.35)


@dataclass(frozen=True, eq=False)
class Item:
    """One object of a scene.

    Parameters
    ----------
    name : str
        Name of the object.
    role : str
        What it is: ``"deposit"``, ``"blind deposit"``, ``"fault"``, ``"intrusion"``, ``"topography"`` and
        so on. Objects of one role share a line of the legend and a switch of the window.
    geometry : Surface, Lines, Points or array of shape (n, 3)
        True coordinates in metres, or whole cells by their counts along z, y and x.
    colour : str
        ``#rrggbb``.
    opacity : float
        From 0 to 1.
    visible : bool
        Whether it is drawn at first.
    """

    name: str
    role: str
    geometry: Geometry
    colour: str
    opacity: float
    visible: bool = True


class SceneTarget(NamedTuple):
    """A ranked target as a list of targets shows it.

    ``centre`` is x, y and elevation, ``bounds`` the box ``(xmin, ymin, zmin, xmax, ymax, zmax)`` that holds
    it, true coordinates in metres. ``numbers`` are labels and texts with units; ``reasons_for`` and
    ``reasons_against`` name the layers that raise and lower its score, empty where nobody asked; ``hole`` is
    the id of its proposed drillhole, empty if there is none.
    """

    id: str
    rank: int
    kind: str
    centre: Float3
    bounds: Bounds
    numbers: tuple[tuple[str, str], ...] = ()
    reasons_for: str = ""
    reasons_against: str = ""
    hole: str = ""


class LegendEntry(NamedTuple):
    """One line of the legend."""

    role: str
    label: str
    colour: str
    opacity: float
    visible: bool


@dataclass(frozen=True, eq=False)
class Scene:
    """A district as it is looked at; holds data only and needs no renderer.

    Parameters
    ----------
    title : str
        The title of every picture of it.
    grid : Grid
        The cells of ``score``.
    score : array of shape (z, y, x) or function that returns it
        Score of every cell, NaN where there is none. A function is called once, when first needed.
    threshold : float
        Cells at or above it are drawn.
    items : tuple of Item
        Bodies and surfaces.
    cells : mapping of role to mapping of name to array of shape (n, 3)
        Cells, counts along z, y and x, of the deposits whose captured share is read out.
    evidence : mapping of str to array of shape (z, y, x)
        Evidence layers that slices can show, NaN where missing; arrays of a store are read slice by slice.
    score_name, units : str
        Title of the colour scale and its unit, such as ``"model score"``.
    caution : str
        The line that every picture carries.
    note : str
        A sentence or two on the study, below the title.
    units_of : mapping of str to str
        Units of the layers of ``evidence`` and ``companions``.
    companions : mapping of str to array of shape (z, y, x)
        What is known of a cell beside its score, read where a cell is picked; NaN where missing.
    targets : tuple of SceneTarget
        The ranked targets, the best first.
    beside : Scene, optional
        The scores of another model on the same grid, to be seen side by side.

    Raises
    ------
    ValueError
        If the scores, a layer or ``beside`` do not have the cells of the grid, a deposit has a cell outside
        it, or the threshold is not a number.
    """

    title: str
    grid: Grid
    score: Scores
    threshold: float
    items: tuple[Item, ...] = ()
    cells: Mapping[str, Mapping[str, Cells]] = field(default_factory=dict)
    evidence: Mapping[str, Volume] = field(default_factory=dict)
    score_name: str = "Prospectivity"
    units: str = "model score"
    caution: str = CAUTION
    note: str = ""
    units_of: Mapping[str, str] = field(default_factory=dict)
    companions: Mapping[str, Volume] = field(default_factory=dict)
    targets: tuple[SceneTarget, ...] = ()
    beside: Scene | None = None

    def __post_init__(self) -> None:
        if not np.isfinite(self.threshold):
            raise ValueError(f"the threshold {self.threshold} is not a number, a score was expected.")
        if not callable(self.score):
            self._check("the score", self.score)
        for name, values in self.evidence.items():
            self._check(f"the evidence layer {name!r}", values)
        for name, values in self.companions.items():
            self._check(f"the companion layer {name!r}", values)
        if self.beside is not None and self.beside.grid != self.grid:
            raise ValueError(
                f"the scene beside, {self.beside.title!r}, lies on {self.beside.grid}, "
                f"this one on {self.grid}. Give two models of one study."
            )
        for role, deposits in self.cells.items():
            for name, cells in deposits.items():
                if len(cells) and not np.all((cells >= 0) & (cells < self.grid.shape)):
                    raise ValueError(
                        f"{role} {name!r} has cells outside the grid of {self.grid.shape} cells (z, y, x)."
                    )

    def _check(self, what: str, values: Any) -> None:
        shape = tuple(np.shape(values))
        if shape != self.grid.shape:
            raise ValueError(f"{what} has {shape} cells (z, y, x), the grid of the scene {self.grid.shape}.")

    @cached_property
    def values(self) -> NDArray[np.float32]:
        """Scores ``(z, y, x)``, float32, NaN where there is none."""
        score = self.score() if callable(self.score) else self.score
        self._check("the score", score)
        return np.asarray(score, dtype=np.float32)

    @cached_property
    def score_range(self) -> tuple[float, float]:
        """Smallest and largest score; 0 and 1 where no cell has a score."""
        if not self.n_scored:
            return 0.0, 1.0
        there = np.isfinite(self.values)
        return (
            float(self.values.min(where=there, initial=np.inf)),
            float(self.values.max(where=there, initial=-np.inf)),
        )

    @cached_property
    def n_scored(self) -> int:
        """Number of cells that have a score."""
        return int(np.count_nonzero(np.isfinite(self.values)))

    @property
    def flat(self) -> bool:
        """Whether it is a map, drawn from above: an area, without elevations."""
        return self.grid.is_map

    @property
    def first_view(self) -> str:
        """Standard view that is shown at first: oblique, or a map from above."""
        return "top" if self.flat else "northwest"

    @property
    def slice_axes(self) -> tuple[str, ...]:
        """Axes across which there are slices; on a map, the whole layer below its cells is the only one."""
        return ("z",) if self.flat else ("x", "y", "z")

    @property
    def colour_title(self) -> str:
        """Title of the colour scale, with the unit."""
        return f"{self.score_name} ({self.units})"

    @property
    def origin(self) -> Float3:
        """``(x, y, z)`` that is taken from all coordinates before drawing, which is done in 32 bits."""
        x0, y0, z0, x1, y1, z1 = self.grid.bounds
        return float(round((x0 + x1) / 2)), float(round((y0 + y1) / 2)), float(round((z0 + z1) / 2))

    @cached_property
    def bounds(self) -> Bounds:
        """``(xmin, ymin, zmin, xmax, ymax, zmax)`` of what is drawn: the grid, up to the highest ground."""
        x0, y0, z0, x1, y1, z1 = self.grid.bounds
        for item in self.items:
            if item.role == "topography" and isinstance(item.geometry, Surface):
                x, y, z = item.geometry.vertices.T
                over = z[(x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)]
                z1 = max(z1, float(over.max())) if over.size else z1
        return x0, y0, z0, x1, y1, z1

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles of the items, in the order of `STYLES`, others after them."""
        present = dict.fromkeys(item.role for item in self.items)
        known = [role for role in STYLES if role in present]
        return (*known, *(role for role in present if role not in STYLES))

    @property
    def legend(self) -> tuple[LegendEntry, ...]:
        """One line for each role, with the number of objects where there are several."""
        lines = []
        for role in self.roles:
            items = [item for item in self.items if item.role == role]
            label = style_of(role).label + (f" ({len(items)})" if len(items) > 1 else "")
            shown = any(item.visible for item in items)
            lines.append(LegendEntry(role, label, items[0].colour, items[0].opacity, shown))
        return tuple(lines)


def make_scene(
    *,
    title: str,
    grid: Grid,
    score: Scores,
    threshold: float,
    surfaces: Mapping[str, Sequence[Surface | Lines | Points]] | None = None,
    cells: Mapping[str, Mapping[str, Cells]] | None = None,
    hidden: Sequence[str] = (),
    **more: Any,
) -> Scene:
    """Describe a scene from what the stages have made.

    Parameters
    ----------
    title, grid, score, threshold
        As in `Scene`.
    surfaces : mapping of role to sequence of Surface, Lines or Points
        Bodies by role, true coordinates in metres.
    cells : mapping of role to mapping of name to array of shape (n, 3)
        Cells of the deposits, for the captured share. The deposits of a role without surfaces are drawn as
        these cells.
    hidden : sequence of str
        Roles that are not drawn at first.
    **more
        ``evidence``, ``score_name``, ``units``, ``caution``, ``note``, ``units_of``, ``companions``,
        ``targets`` and ``beside`` of `Scene`.

    Returns
    -------
    Scene
        The description, colours and opacities by role.

    Examples
    --------
    >>> grid = Grid((2, 2, 2), (50, 50, 50), (0, 0, 0), "EPSG:32651")
    >>> ore = {"deposit": {"Kuh": np.array([[1, 1, 0], [1, 1, 1]])}}
    >>> scene = make_scene(title="Two cells", grid=grid, score=np.ones((2, 2, 2)), threshold=0.5, cells=ore)
    >>> [entry.label for entry in scene.legend], scene.caution
    (['Known deposits'], 'Conceptual, for planning exploration; not a resource estimate.')
    """
    found = {role: list(bodies) for role, bodies in (surfaces or {}).items() if len(bodies)}
    shapes: list[tuple[str, str, Geometry]] = []
    shapes += [(body.name, role, body) for role, bodies in found.items() for body in bodies]
    for role, deposits in (cells or {}).items():
        if role not in found:
            shapes += [(name, role, index) for name, index in deposits.items()]
    items = [_item(*shape, shown=shape[1] not in hidden, flat=grid.is_map) for shape in shapes]
    return Scene(title, grid, score, float(threshold), tuple(items), dict(cells or {}), **more)


def _item(name: str, role: str, geometry: Geometry, *, shown: bool, flat: bool) -> Item:
    style = style_of(role)
    # lines and points of a map hide next to nothing, and pale ones are lost on the colours of the cells
    opacity = 1.0 if flat and isinstance(geometry, Lines | Points) else style.opacity
    return Item(name, role, geometry, style.colour, opacity, shown)


def bounds_of_item(scene: Scene, item: Item) -> Bounds:
    """``(xmin, ymin, zmin, xmax, ymax, zmax)`` of an object in true coordinates."""
    if isinstance(item.geometry, Surface | Lines | Points):
        return item.geometry.bounds
    return bounds_of(scene.grid.xyz_of(item.geometry))
