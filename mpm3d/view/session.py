"""What is on a drawing area and every way to change it; the window and the browser app have no other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mpm3d.view import actors, saving
from mpm3d.view.camera import Camera, fit_camera, marks_for
from mpm3d.view.counts import Readout
from mpm3d.view.faces import AXES, axis_of, cell_at
from mpm3d.view.frames import LABELS, Frames
from mpm3d.view.pane import Pane
from mpm3d.view.reading import Reading, read_cell
from mpm3d.view.scene import Scene, SceneTarget
from mpm3d.view.things import MARK, SCORE, SLICES, completed, things_of

EXAGGERATIONS = (0.5, 5.0)


class Session:
    """A scene on a drawing area, with every way to change what is seen.

    Parameters
    ----------
    scene : Scene
        What to show; a scene with another ``beside`` it is drawn twice, with one camera for both.
    off_screen : bool
        Draw without a window.
    size : tuple of int
        Width and height of the drawing area in pixels.
    room : tuple of float
        Pixels at the left, right, bottom and top that the box of the district keeps free, for labels and
        for what a window writes there.

    Attributes
    ----------
    plotter : pyvista.Plotter
        The drawing area.
    objects : tuple of Thing
        What can be switched: the cells at or above the threshold (``"score"``), the slices and each of the
        layers that they show (``"slices/density"``), roles, and the objects of a role (``"fault/F3"``).
    threshold : float
        Cells at or above it are drawn.
    exaggeration : float
        Factor on elevations; a map has none.
    layer : str
        What slices show: the score's name or an evidence layer.
    visible : dict of str to bool
        By key of `objects`; an object of a role is seen if both are.
    opacity : dict of str to float
        By key of `objects`, from 0 to 1.
    slices : dict of str to int or None
        Cell along ``"x"``, ``"y"`` and ``"z"`` where a slice is drawn, None where there is none. On a map,
        that across ``"z"`` is the whole layer below the cells.
    """

    def __init__(
        self,
        scene: Scene,
        *,
        off_screen: bool = False,
        size: tuple[int, int] = (1280, 800),
        room: tuple[float, float, float, float] = (LABELS, 100.0, 110.0, 60.0),
    ) -> None:
        self.scene = scene
        self.room = room
        self.threshold = scene.threshold
        self.exaggeration = 1.0
        self.layer = scene.score_name
        self.slices: dict[str, int | None] = dict.fromkeys(AXES)
        self.objects = things_of(scene)
        self._first_look()
        scenes = [scene] if scene.beside is None else [scene, completed(scene.beside, scene)]
        self._frames = Frames(len(scenes), scene.flat)
        # part 0 of the drawing area then lies below the others
        first = int(self._frames.inset)
        self.plotter = actors.make_plotter(scene.title, size, first + len(scenes), off_screen=off_screen)
        self.panes = tuple(Pane(self.plotter, first + k, which) for k, which in enumerate(scenes))
        self.readouts: tuple[Readout, ...] = ()
        for renderer in self.plotter.renderers:
            renderer.camera = self.panes[0].renderer.camera
        for pane in self.panes:
            pane.add_items()
            pane.add_targets()
        self.look(self.scene.first_view)
        self._first_slices()
        self.set_threshold(scene.threshold)

    def _first_look(self) -> None:
        self.visible = {thing.key: thing.visible for thing in self.objects}
        self.opacity = {thing.key: thing.opacity for thing in self.objects}
        self.target = ""

    def _first_slices(self) -> None:
        """No slices; below the cells of a map, all of it."""
        for axis in AXES:
            self.hide_slice(axis)
        if self.scene.flat:
            self.set_slice("z", self.scene.grid.first_centre[0])

    # what is drawn

    def set_threshold(self, value: float, *, coarse: bool = False) -> Readout:
        """Draw the cells at or above another score, and count what that keeps.

        Parameters
        ----------
        value : float
            The score. A model beside is cut at the same percentile.
        coarse : bool
            Draw larger cells, each as good as the best of those in it, while a slider is dragged. The
            counts are of the true cells all the same.

        Returns
        -------
        Readout
            Share of the volume and of the deposits' cells that are kept, of the first scene; `readouts` has
            those of both.
        """
        if not np.isfinite(value):
            raise ValueError(f"the threshold {value} is not a number, a score was expected.")
        self.threshold = float(value)
        ours = self.panes[0].levels
        same = [self.threshold] + [ours.same_share(self.threshold, other.levels) for other in self.panes[1:]]
        self.readouts = tuple(
            pane.set_threshold(cut, coarse=coarse) for pane, cut in zip(self.panes, same, strict=True)
        )
        self.dress()
        return self.readouts[0]

    def step_threshold(self, factor: float) -> Readout:
        """Make the volume that is kept ``factor`` times as large, at most all of it."""
        levels = self.panes[0].levels
        share = levels.count(self.threshold) / max(1, levels.n_scored) * factor
        share = float(np.clip(share, 1 / max(1, levels.n_scored), 1.0))
        return self.set_threshold(levels.threshold_for(share) if levels.n_scored else self.threshold)

    def set_exaggeration(self, factor: float) -> None:
        """Stretch elevations, within `EXAGGERATIONS`; the labels stay true. A map has none to stretch."""
        before = self.exaggeration
        self.exaggeration = 1.0 if self.scene.flat else float(np.clip(factor, *EXAGGERATIONS))
        self._zoom_along(before)
        for pane in self.panes:
            pane.stretch(self.exaggeration)
        self._mark()
        self.dress()
        self.label_axes()

    def set_visible(self, key: str, visible: bool) -> None:
        """Show or hide what a key of `objects` names."""
        self._known(key)
        self.visible[key] = bool(visible)
        self.dress()

    def set_opacity(self, key: str, opacity: float) -> None:
        """Make what a key of `objects` names more or less transparent, 0 to 1; a role sets its objects."""
        self._known(key)
        if not 0 <= opacity <= 1:
            raise ValueError(f"an opacity of {opacity} is not possible, give 0 (unseen) to 1 (solid).")
        for other in self.opacity:
            if other == key or other.startswith(f"{key}/"):
                self.opacity[other] = float(opacity)
        self.dress()

    def dress(self) -> None:
        """Bring visibility and opacity onto what is drawn."""
        for pane in self.panes:
            pane.dress(self._look_of)

    def set_slice(self, axis: str, coordinate: float) -> int:
        """Move the slice across ``"x"``, ``"y"`` or ``"z"`` to a true coordinate, and show it.

        Returns
        -------
        int
            The cell along the axis that is shown, the one that holds the coordinate.
        """
        if axis_of(axis) and self.scene.flat:
            raise ValueError(f"a map has no slice across {axis}, only the layer below its cells, across z.")
        index = cell_at(self.scene, axis, coordinate)
        self.slices[axis] = index
        for pane in self.panes:
            pane.set_slice(axis, index, self.layer)
        self.dress()
        return index

    def hide_slice(self, axis: str) -> None:
        """Take a slice away."""
        axis_of(axis)
        self.slices[axis] = None
        for pane in self.panes:
            pane.remove(f"slice {axis}")

    def set_layer(self, name: str) -> None:
        """Let the slices show the score or a layer of evidence."""
        if name not in self.layers:
            raise ValueError(f"layer {name!r} is not in the scene, it has {', '.join(self.layers)}.")
        self.layer = name
        for axis, index in self.slices.items():
            if index is not None:
                for pane in self.panes:
                    pane.set_slice(axis, index, name)
        self.dress()

    @property
    def layers(self) -> tuple[str, ...]:
        """What slices can show: the score, and the layers of evidence."""
        return (self.scene.score_name, *self.scene.evidence)

    def slice_place(self, axis: str) -> float | None:
        """True coordinate of a slice in metres, None where none is drawn."""
        index = self.slices[axis]
        return None if index is None else float(self.scene.grid.centres(axis_of(axis))[index])

    def layer_range(self) -> tuple[float, float]:
        """Values at the ends of the colour scale of the slices."""
        return self.panes[0].layer_range(self.layer)

    def score_range(self) -> tuple[float, float]:
        """Scores at the ends of the colour scale of the cells."""
        return self.panes[0].score_clim

    # where the viewer stands

    def look(self, view: str | tuple[float, float]) -> None:
        """Look in a direction of `mpm3d.view.camera.VIEWS`, at the whole district."""
        self._arrange()
        bounds = actors.local_bounds(self.scene, self.exaggeration)
        self.stand(fit_camera(bounds, view, self.panes[0].size, self._margins()))

    def reset(self) -> None:
        """The first view again: true scale, first threshold, first visibility, no slices but a map's own."""
        self._first_look()
        self.layer = self.scene.score_name
        self._first_slices()
        self.set_exaggeration(1.0)
        self.set_threshold(self.scene.threshold)
        self.look(self.scene.first_view)

    def stand(self, camera: Camera) -> None:
        """Let the viewer stand where a camera does, for both models."""
        bounds = actors.local_bounds(self.scene, self.exaggeration)
        for pane in self.panes:
            pane.enter()
            actors.aim(self.plotter, camera, bounds)
        self.label_axes()

    def camera(self) -> Camera:
        """Where the viewer stands now."""
        return actors.camera_of(self.panes[0].renderer.camera, self.panes[0].size)

    def settle(self) -> None:
        """After the mouse has turned the view: upright again, and labelled where the viewer now stands."""
        self.panes[0].renderer.camera.up = tuple(self.camera().axes[1])
        self.label_axes()

    def label_axes(self) -> None:
        """Write true coordinates along the edges of the box that are nearest to the viewer."""
        bounds = actors.local_bounds(self.scene, self.exaggeration)
        marks = marks_for(bounds, self.scene.bounds, self.camera())
        for pane in self.panes:
            pane.draw_axes(bounds, marks)

    def fly_to(self, target_id: str) -> SceneTarget:
        """Put the camera on a target, seen from where the viewer stands, and draw a mark around it.

        A target of a map is seen from above.
        """
        found = {target.id: target for target in self.scene.targets}
        if target_id not in found:
            named = ", ".join(found) or "none"
            raise ValueError(f"target {target_id!r} is not in the scene, its targets are {named}.")
        target = found[target_id]
        self.target = target_id
        self._mark()
        seen, box = self.camera(), actors.around(self.scene, target, self.exaggeration)
        view = self.scene.first_view if self.scene.flat else (seen.azimuth, seen.plunge)
        self.stand(fit_camera(box, view, self.panes[0].size, self._margins()))
        return target

    # what is where

    def pick(self, x: float, y: float) -> Reading | None:
        """Read the first drawn cell or slice below a place of the drawing area.

        Parameters
        ----------
        x, y : float
            Pixels from the upper left corner.

        Returns
        -------
        Reading or None
            None where neither a cell at or above the threshold nor a slice is below it.
        """
        for pane in self.panes:
            inside = pane.pixel(x, y)
            if inside is not None:
                ray = pane.ray(inside, self.camera())
                slices = {axis: k for axis, k in self.slices.items() if k is not None and self._drawn(SLICES)}
                cell = pane.first_cell(ray, slices, self.layer, body=self._drawn(SCORE))
                return None if cell is None else read_cell(pane.scene, cell)
        return None

    def read(self, cell: tuple[int, int, int]) -> Reading:
        """Everything that is stored of a cell, counts along z, y and x."""
        return read_cell(self.scene, cell)

    # files

    def save_picture(self, path: str | Path) -> Path:
        """Write what is drawn, with its colour scales, numbers and caution, to a PNG file."""
        return saving.save_picture(self, Path(path))

    def save_view(self, path: str | Path) -> Path:
        """Write threshold, exaggeration, slices, layer, visibility, opacity and camera to a JSON file."""
        return saving.save_view(self, Path(path))

    def load_view(self, path: str | Path) -> None:
        """Show what `save_view` has written; objects that the scene does not have are left out.

        Raises
        ------
        FormatError
            If the file is not a view, cut off, or of another volume. What is shown then stays.
        """
        saving.load_view(self, Path(path))

    def image(self) -> NDArray[np.uint8]:
        """The drawing area as it is, ``(height, width, 3)``, without what a window writes on it."""
        return saving.image_of(self)

    def area(self) -> tuple[float, float, float, float]:
        """Pixels from the lower left between what a window writes: left, right, low, high."""
        return self._frames.area(self.room, self.plotter.window_size)

    def draw(self) -> None:
        """Bring what has changed onto the drawing area."""
        self.plotter.render_window.Render()

    def close(self) -> None:
        """Free the drawing area."""
        self.plotter.close()

    # what the others need

    def _known(self, key: str) -> None:
        if key not in self.visible:
            raise ValueError(f"layer {key!r} is not in the scene, it has {', '.join(self.visible)}.")

    def _look_of(self, made: str) -> tuple[bool, float]:
        """Whether something that a pane has made is seen, and its opacity."""
        if made == MARK:
            return True, 1.0
        key = f"{SLICES}/{self.layer}" if made.startswith("slice ") else made
        role = key.partition("/")[0]
        seen = self.visible.get(role, True) and self.visible.get(key, True)
        return seen, self.opacity.get(key, self.opacity.get(role, 1.0))

    def _drawn(self, key: str) -> bool:
        seen, opacity = self._look_of("slice " if key == SLICES else key)
        return seen and opacity > 0

    def _mark(self) -> None:
        found = [target for target in self.scene.targets if target.id == self.target]
        for pane in self.panes:
            pane.mark(found[0] if found else None)

    def _margins(self) -> tuple[float, float, float, float]:
        """Room inside each part of the drawing area."""
        return self._frames.margins(self.room)

    def _arrange(self) -> None:
        """Give scenes their parts of the drawing area."""
        if self._frames.inset:
            viewports = self._frames.viewports(self.room, self.plotter.window_size)
            for pane, viewport in zip(self.panes, viewports, strict=True):
                pane.renderer.SetViewport(*viewport)

    def _zoom_along(self, before: float) -> None:
        """Keep in view what is in view when elevations are stretched otherwise than ``before``."""
        seen, now = self.camera(), self.panes[0].renderer.camera
        scales = []
        for exaggeration in (before, self.exaggeration):
            bounds = actors.local_bounds(self.scene, exaggeration)
            fitted = fit_camera(bounds, (seen.azimuth, seen.plunge), seen.size, self._margins())
            scales.append(fitted.metres_per_pixel)
        rise = np.array([0.0, 0.0, seen.centre[2] * (self.exaggeration / before - 1)])
        now.focal_point, now.position = tuple(now.focal_point + rise), tuple(now.position + rise)
        now.parallel_scale *= scales[1] / scales[0]
        for pane in self.panes:
            pane.renderer.ResetCameraClippingRange()
