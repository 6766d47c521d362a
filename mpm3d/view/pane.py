"""One scene in one part of the drawing area: its meshes, by the key that switches them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.grid import FloatArray, Index3
from mpm3d.view import actors, flat
from mpm3d.view.camera import Camera, Marks
from mpm3d.view.counts import Readout
from mpm3d.view.faces import axis_of, slice_faces
from mpm3d.view.levels import Levels
from mpm3d.view.reading import first_cell
from mpm3d.view.scene import Scene, SceneTarget, style_of
from mpm3d.view.things import MARK, SCORE, TARGET, boxed, keyed

_INK, _BOXES = "#1A1A1A", f"{TARGET}/boxes"
_PEELED = 60_000  # faces that are drawn translucent layer by layer; more take seconds

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Pane:
    """A scene in one part of the drawing area.

    Parameters
    ----------
    plotter : pyvista.Plotter
        The drawing area.
    place : int
        Number of the part.
    scene : Scene
        What is drawn.
    """

    def __init__(self, plotter: Any, place: int, scene: Scene) -> None:
        self.plotter, self.scene, self._place = plotter, scene, place
        self.renderer = plotter.renderers[place]
        self.renderer.enable_depth_peeling(number_of_peels=4)
        self.levels = Levels(scene)
        self.threshold = scene.threshold
        self.stretched = 1.0
        self.made: dict[str, list[Any]] = {}
        self._n_faces = 0
        self._sheets = flat.Sheets(self.levels, self.score_clim) if scene.flat else None
        self._names: dict[str, Any] = {}

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        left, bottom, right, top = self.renderer.GetViewport()
        width, height = self.plotter.window_size
        return max(1, round((right - left) * width)), max(1, round((top - bottom) * height))

    def pixel(self, x: float, y: float) -> tuple[float, float] | None:
        """Pixels from the lower left of this part, of pixels from the upper left of the drawing area."""
        left, bottom, right, top = self.renderer.GetViewport()
        width, height = self.plotter.window_size
        across, up = x / width, 1 - y / height
        if not (left <= across < right and bottom < up <= top):
            return None
        return (across - left) * width, (up - bottom) * height

    @cached_property
    def score_clim(self) -> tuple[float, float]:
        """From the median, so that the better half of the volume, which is looked at, has all the colours."""
        low, high = min(self.levels.median, self.scene.threshold), self.scene.score_range[1]
        return low, high if high > low else low + 1e-6

    def layer_range(self, layer: str) -> tuple[float, float]:
        """Values at the ends of the colours of a layer; 0 and 1 for one that this scene does not have."""
        if layer == self.scene.score_name:
            return flat.rounded(self.scene.score_range) if self.scene.flat else self.score_clim
        return self.levels.range_of(layer) if layer in self.scene.evidence else (0.0, 1.0)

    def set_threshold(self, threshold: float, *, coarse: bool = False) -> Readout:
        """Draw the cells at or above a score, and count them."""
        self.threshold = float(threshold)
        if self._sheets is not None:
            numbers = self.levels.read_out(threshold)
            self.remove(SCORE)
            if numbers.n_cells:
                mesh, look = self._sheets.body(threshold, coarse=coarse)
                self.replace(SCORE, mesh, **look)
            return numbers
        mesh = self.levels.body(threshold, coarse=coarse)
        self._n_faces = mesh.n_cells
        look = {"cmap": actors.score_map(), "clim": self.score_clim, "ambient": 0.45, "diffuse": 0.6}
        self.replace(SCORE, mesh, scalars="value", show_scalar_bar=False, **look)
        return self.levels.read_out(threshold)

    def set_slice(self, axis: str, index: int, layer: str) -> None:
        """Draw one layer of cells; nothing of an evidence layer that this scene does not have."""
        values = self.values_of(layer)
        if values is None:
            self.remove(f"slice {axis}")
            return
        if self._sheets is not None:
            mesh, look = self._sheets.layer(values, self.layer_range(layer), self.slice_map(layer))
            self.replace(f"slice {axis}", mesh, **look)
            return
        mesh = actors.face_mesh(slice_faces(self.scene, values, axis_of(axis), index))
        colours = self.slice_map(layer)
        self.replace(
            f"slice {axis}", mesh, scalars="value", clim=self.layer_range(layer), lighting=False,
            show_scalar_bar=False, cmap=colours,
        )  # fmt: skip

    def slice_map(self, layer: str) -> Any:
        """Colours of a slice; below the cells of a map, the score is grey."""
        from matplotlib import colormaps

        if layer != self.scene.score_name:
            return colormaps[actors.LAYER_COLOURS]
        return flat.muted() if self.scene.flat else actors.score_map()

    def values_of(self, layer: str) -> Any:
        """Values of the score or of a layer of evidence, None where the scene does not have it."""
        return self.scene.values if layer == self.scene.score_name else self.scene.evidence.get(layer)

    def add_items(self) -> None:
        """Draw deposits, faults, the ground and so on."""
        for key, item in keyed(self.scene).items():
            mesh = actors.item_mesh(self.scene, item)
            if not mesh.n_points:
                continue
            made = [self.add(mesh, key, **actors.look_of(item, flat=self.scene.flat))]
            if self.scene.flat and item.role in flat.RIMMED:
                made.append(self.add(mesh, f"{flat.RIM} {key}", **flat.rim_of(item)))
            for lines, opacity in actors.lines_on(self.scene, item, mesh):
                look = {"color": item.colour, "line_width": 1.5, "opacity": opacity, "lighting": False}
                made.append(self.add(lines, key, **look))
            self.made[key] = made

    def add_targets(self) -> None:
        """Draw boxes around the targets, where they have no outlines, and their names."""
        if self.scene.flat and TARGET in self.scene.roles:
            self.made[_BOXES] = []
            self._name(_BOXES, boxed(self.scene), style_of(TARGET).colour)
        elif self.scene.targets:
            boxes = [actors.box_edges(actors.local_box(self.scene, t.bounds)) for t in boxed(self.scene)]
            colour = style_of(TARGET).colour
            box = boxes[0].merge(boxes[1:]) if len(boxes) > 1 else boxes[0]
            self.made[_BOXES] = [self.add(box, _BOXES, color=colour, line_width=1.5, lighting=False)]
            self._name(_BOXES, boxed(self.scene), colour)

    def mark(self, target: SceneTarget | None) -> None:
        """Draw a box and a name around a target, in place of the mark before."""
        self.remove(MARK)
        if target is not None:
            box = actors.box_edges(actors.local_box(self.scene, target.bounds))
            self.made[MARK] = [self.add(box, MARK, color=_INK, line_width=3, lighting=False)]
            self._name(MARK, [target], _INK)

    def _name(self, key: str, targets: Sequence[SceneTarget], colour: str) -> None:
        """Write the names of targets above them."""
        boxes = [actors.local_box(self.scene, target.bounds, self.stretched) for target in targets]
        middle, below = not self.scene.flat, self.scene.flat and key == MARK
        # above the box; on a map north of it, and the mark's south of it
        tops = [
            ((x0 + x1) / 2, (y0 + y1) / 2 if middle else y0 if below else y1, top)
            for x0, y0, _, x1, y1, top in boxes
        ]
        self.enter()
        self._names[key] = self.plotter.add_point_labels(
            tops, [target.id for target in targets], font_size=18 if key == MARK else 12, bold=key == MARK,
            text_color=colour, shape=None, show_points=False, always_visible=True,
            justification_horizontal="center", justification_vertical="top" if below else "bottom",
            name=f"target {key} {self._place}", render=False, reset_camera=False,
        )  # fmt: skip

    def draw_axes(self, bounds: tuple[float, ...], marks: Marks) -> None:
        """Draw the edges of the district's box and the labels of its axes."""
        self.enter()
        actors.draw_axes(self.plotter, bounds, marks, self._place)

    def stretch(self, factor: float) -> None:
        """Draw elevations ``factor`` times as high."""
        self.stretched = factor
        for made in self.made.values():
            for actor in made:
                actor.scale = (1.0, 1.0, factor)
        if _BOXES in self.made:
            self._name(_BOXES, boxed(self.scene), style_of(TARGET).colour)

    def dress(self, look: Callable[[str], tuple[bool, float]]) -> None:
        """Show or hide everything, with its opacity; ``look`` tells both of a key."""
        for key, made in self.made.items():
            visible, opacity = look(key)
            for number, actor in enumerate(made):
                actor.SetVisibility(visible and opacity > 0)
                if number == 0:  # the lines on a sheet stay as they are
                    actor.prop.opacity = opacity
            if key in self._names:
                self._names[key].SetVisibility(visible and opacity > 0)
        peeled = look(SCORE)[1] == 1 or self._n_faces <= _PEELED
        self.renderer.SetUseDepthPeeling(peeled)

    def enter(self) -> None:
        """Let the plotter draw here."""
        self.plotter.subplot(0, self._place)

    def add(self, mesh: Any, key: str, **look: Any) -> Any:
        """Add a mesh; elevations are stretched as those of all others, on a map things lie above others."""
        self.enter()
        actor = self.plotter.add_mesh(mesh, render=False, reset_camera=False, **look)
        actor.scale = (1.0, 1.0, self.stretched)
        if self.scene.flat:
            x0, _, _, x1, _, _ = self.scene.bounds
            actor.position = (0.0, 0.0, flat.lift(x1 - x0, key))
        return actor

    def replace(self, name: str, mesh: Any, **look: Any) -> None:
        """Draw a mesh in place of the one of that name."""
        self.remove(name)
        if mesh.n_cells:
            self.made[name] = [self.add(mesh, name, **look)]

    def remove(self, name: str) -> None:
        """Take away what was made for a name."""
        for actor in self.made.pop(name, []):
            self.renderer.remove_actor(actor, render=False)
        if name in self._names:
            self.renderer.remove_actor(self._names.pop(name), render=False)

    def first_cell(
        self, ray: tuple[FloatArray, FloatArray], slices: Mapping[str, int], layer: str, *, body: bool
    ) -> Index3 | None:
        """First drawn cell that a line meets.

        Parameters
        ----------
        ray : pair of arrays of shape (3,)
            As `ray` gives it.
        slices : mapping of axis to int
            Slices that are seen.
        layer : str
            What they show; their cells without a value are not drawn.
        body : bool
            Whether the cells at or above the threshold are seen.
        """
        values = self.values_of(layer)

        def drawn(cells: Ints) -> Bools:
            kept: Bools = self.scene.values[tuple(cells.T)] >= np.float32(self.threshold)
            return kept & body

        def seen(cells: Ints) -> Bools:
            return np.array([bool(np.isfinite(values[tuple(cell.tolist())])) for cell in cells])

        cut = {} if values is None else {axis_of(axis): (place, seen) for axis, place in slices.items()}
        if (
            self.scene.flat
        ):  # its cells are drawn without a height, so a line meets them where it meets the map
            return first_cell(
                *ray, self.scene.grid.shape, lambda cells: np.zeros(len(cells), dtype=bool),
                {0: (0, lambda cells: drawn(cells) | seen(cells) if cut else drawn(cells))},
            )  # fmt: skip
        return first_cell(*ray, self.scene.grid.shape, drawn, cut)

    def ray(self, pixel: tuple[float, float], camera: Camera) -> tuple[FloatArray, FloatArray]:
        """Start and direction, in cells along z, y, x, of what is below a pixel from the lower left."""
        right, up, away = camera.axes
        shift = (np.asarray(pixel) - np.asarray(camera.size) / 2) * camera.metres_per_pixel
        squeeze = np.array([1.0, 1.0, 1 / self.stretched])
        place = (np.asarray(camera.centre) + shift[0] * right + shift[1] * up) * squeeze
        grid = self.scene.grid
        place = (place + np.asarray(self.scene.origin))[::-1] - np.asarray(grid.corner)
        spacing = np.asarray(grid.spacing)
        return place / spacing, (away * squeeze)[::-1] / spacing
