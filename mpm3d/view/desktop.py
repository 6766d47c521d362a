"""A window on a scene: threshold, slices, exaggeration and layers under the mouse."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.view import actors
from mpm3d.view.camera import Camera, fit_camera, marks_for, readable
from mpm3d.view.faces import slice_faces, target_faces
from mpm3d.view.renderer import require_display, require_renderer
from mpm3d.view.scene import Readout, Scene, read_out, style_of, threshold_for

HELP = (
    "keys   views: t top, n north, e east, i oblique    threshold: + more volume, - less    "
    "slices: x, y, z, l next layer    q close"
)
_VIEW_KEYS = {"t": "top", "n": "north", "e": "east", "i": "northwest"}
_AXES = ("x", "y", "z")
_INK = "#1A1A1A"
_SIZE = (1280, 800)
_ROOM = (430.0, 190.0, 140.0, 100.0)  # pixels for widgets and labels: left, right, bottom, top
_STEP = 1.25  # a key press makes the volume this many times larger or smaller
EXAGGERATIONS = (0.5, 5.0)


def show(scene: Scene, *, off_screen: bool = False, screenshot: str | Path | None = None) -> None:
    """Open a window on a scene and wait until it is closed.

    Sliders move the threshold, the slices and the vertical exaggeration; the boxes at the left switch layers.
    The share of the volume and of the deposits' cells that the threshold keeps is read out as it moves.

    Parameters
    ----------
    scene : Scene
        What to show.
    off_screen : bool
        Draw without a window and return at once.
    screenshot : str or Path, optional
        PNG file of the window as it is when it is closed, or at once if ``off_screen``.

    Raises
    ------
    RuntimeError
        If there is no display (or, off screen, no renderer); says what to do.
    """
    if off_screen:
        require_renderer()
    else:
        require_display()
    window = Window(scene, off_screen=off_screen)
    window.plotter.show(
        title=scene.title, auto_close=False, interactive=not off_screen,
        screenshot=False if screenshot is None else str(screenshot),
    )  # fmt: skip
    window.plotter.close()


class Window:
    """What is on the screen, and the ways to change it; every widget calls one of these methods.

    Parameters
    ----------
    scene : Scene
        What to show.
    off_screen : bool
        Draw without a window.

    Attributes
    ----------
    threshold : float
        Cells at or above it are drawn.
    exaggeration : float
        Factor on elevations.
    visible : dict of str to bool
        By role; ``"score"`` stands for the cells at or above the threshold.
    slices : dict of str to int or None
        Cell along ``"x"``, ``"y"`` and ``"z"`` where a slice is drawn, None where there is none.
    layer : str
        What slices show: the score's name or an evidence layer.
    """

    def __init__(self, scene: Scene, *, off_screen: bool = False) -> None:
        self.scene = scene
        self.threshold = scene.threshold
        self.exaggeration = 1.0
        self.visible = {"score": True, **{entry.role: entry.visible for entry in scene.legend}}
        self.slices: dict[str, int | None] = dict.fromkeys(_AXES)
        self.layer = scene.score_name
        self._places = {name: scene.grid.shape[2 - k] // 2 for k, name in enumerate(_AXES)}
        self._actors: dict[str, list[Any]] = {}
        self._sliders: dict[str, Any] = {}
        self.plotter = _plotter(scene.title, off_screen)
        self._ready = False
        self._add_bodies()
        self._add_words()
        self._add_widgets()
        self._add_keys()
        self._ready = True
        self.look("northwest")
        self.set_threshold(scene.threshold)
        self.set_exaggeration(1.0)

    def set_threshold(self, threshold: float) -> Readout:
        """Draw the cells at or above another score, and read out what that keeps."""
        self.threshold = float(threshold)
        self._move("threshold", self.threshold)
        mesh = actors.face_mesh(target_faces(self.scene, self.threshold))
        look = {"cmap": actors.score_map(), "clim": self._score_clim, "ambient": 0.45, "diffuse": 0.6}
        self._replace("score", mesh, opacity=0.75, scalars="value", show_scalar_bar=False, **look)
        numbers = read_out(self.scene, self.threshold)
        self._say("readout", numbers.text)
        return numbers

    def step_threshold(self, factor: float) -> Readout:
        """Make the volume that is kept ``factor`` times as large, at most all of it."""
        numbers = read_out(self.scene, self.threshold)
        least = 1 / max(1, numbers.n_scored)
        share = float(np.clip(numbers.volume_share * factor, least, 1.0))
        return self.set_threshold(threshold_for(self.scene, share))

    def set_exaggeration(self, exaggeration: float) -> None:
        """Stretch elevations; the labels stay true."""
        before = self.exaggeration
        self.exaggeration = float(np.clip(exaggeration, *EXAGGERATIONS))
        self._zoom_along(before)
        for made in self._actors.values():
            for actor in made:
                actor.scale = (1.0, 1.0, self.exaggeration)
        self.label_axes()
        self._move("vertical exaggeration", self.exaggeration)
        words = "true scale" if abs(self.exaggeration - 1) < 5e-3 else f"{self.exaggeration:.2f} times"
        self._say("exaggeration", f"vertical exaggeration: {words}")

    def set_visible(self, role: str, visible: bool) -> None:
        """Show or hide the objects of a role, or ``"score"``."""
        if role not in self.visible:
            raise ValueError(f"layer {role!r} is not in the scene, it has {', '.join(self.visible)}.")
        self.visible[role] = bool(visible)
        for actor in self._actors.get(role, []):
            actor.SetVisibility(bool(visible))

    def set_slice(self, axis: str, coordinate: float) -> int:
        """Move the slice across ``"x"``, ``"y"`` or ``"z"`` to a true coordinate, and show it.

        Returns
        -------
        int
            The cell along the axis that is shown, the one that holds the coordinate.
        """
        index = cell_at(self.scene, axis, coordinate)
        self._places[axis] = index
        self._move(f"slice {axis}", float(self.scene.grid.centres(self._axis(axis))[index]))
        self.slices[axis] = index
        mesh = actors.face_mesh(slice_faces(self.scene, self._layer_values(), self._axis(axis), index))
        look = {"cmap": actors.score_map() if self.layer == self.scene.score_name else "cividis"}
        self._replace(
            f"slice {axis}", mesh, scalars="value", clim=self._layer_clim(), lighting=False,
            show_scalar_bar=False, **look,
        )  # fmt: skip
        self._say_slices()
        return index

    def toggle_slice(self, axis: str) -> bool:
        """Show or hide a slice where it was last; tells whether it is shown now."""
        if self.slices[axis] is None:
            self.set_slice(axis, float(self.scene.grid.centres(self._axis(axis))[self._places[axis]]))
            return True
        self.slices[axis] = None
        for actor in self._actors.pop(f"slice {axis}", []):
            self.plotter.remove_actor(actor, render=False)
        self._say_slices()
        return False

    def next_layer(self) -> str:
        """Let the slices show the next layer of evidence, after the last one the score again."""
        names = [self.scene.score_name, *self.scene.evidence]
        self.layer = names[(names.index(self.layer) + 1) % len(names)]
        for axis, index in self.slices.items():
            if index is not None:
                self.set_slice(axis, float(self.scene.grid.centres(self._axis(axis))[index]))
        self._say_slices()
        return self.layer

    def look(self, view: str | tuple[float, float]) -> None:
        """Look in a direction of `mpm3d.view.camera.VIEWS`, at the whole district."""
        bounds = actors.local_bounds(self.scene, self.exaggeration)
        width, height = (int(n) for n in self.plotter.window_size)
        actors.aim(self.plotter, fit_camera(bounds, view, (width, height), _ROOM), bounds)
        self.label_axes()

    def settle(self) -> None:
        """After the mouse has turned the view: upright again, and labelled where the viewer now stands."""
        self.plotter.camera.up = tuple(self.camera().axes[1])
        self.label_axes()

    def _zoom_along(self, before: float) -> None:
        """Keep in view what is in view when elevations are stretched otherwise than ``before``."""
        seen, now = self.camera(), self.plotter.camera
        scales = []
        for exaggeration in (before, self.exaggeration):
            bounds = actors.local_bounds(self.scene, exaggeration)
            scales.append(fit_camera(bounds, (seen.azimuth, seen.plunge), seen.size, _ROOM).metres_per_pixel)
        rise = np.array([0.0, 0.0, seen.centre[2] * (self.exaggeration / before - 1)])
        now.focal_point, now.position = tuple(now.focal_point + rise), tuple(now.position + rise)
        now.parallel_scale *= scales[1] / scales[0]
        self.plotter.reset_camera_clipping_range()

    def camera(self) -> Camera:
        """Where the viewer stands now."""
        return actors.camera_of(self.plotter)

    def label_axes(self) -> None:
        """Write true coordinates along the edges of the box that are nearest to the viewer."""
        bounds = actors.local_bounds(self.scene, self.exaggeration)
        actors.draw_axes(self.plotter, bounds, marks_for(bounds, self.scene.bounds, self.camera()))

    @staticmethod
    def _axis(name: str) -> int:
        return 2 - _AXES.index(name)

    @cached_property
    def _score_clim(self) -> tuple[float, float]:
        """From the median, so that the better half of the volume, which is looked at, has all the colours."""
        values = self.scene.values[np.isfinite(self.scene.values)]
        low, high = float(np.median(values)) if values.size else 0.0, self.scene.score_range[1]
        low = min(low, self.scene.threshold)
        return low, high if high > low else low + 1e-6

    def _slider_range(self) -> tuple[float, float]:
        low, high = self.scene.score_range
        return low, high if high > low else low + 1e-6

    def _layer_values(self) -> NDArray[Any]:
        return self.scene.values if self.layer == self.scene.score_name else self.scene.evidence[self.layer]

    def _layer_clim(self) -> tuple[float, float]:
        if self.layer == self.scene.score_name:
            return self._score_clim
        values = np.asarray(self._layer_values())
        values = values[np.isfinite(values)]
        if not values.size:
            return 0.0, 1.0
        low, high = (float(v) for v in np.quantile(values, (0.02, 0.98)))
        return low, high if high > low else low + 1e-6

    def _replace(self, name: str, mesh: Any, **look: Any) -> None:
        for actor in self._actors.pop(name, []):
            self.plotter.remove_actor(actor, render=False)
        if not mesh.n_cells:
            return
        actor = self.plotter.add_mesh(mesh, render=False, reset_camera=False, **look)
        actor.scale = (1.0, 1.0, self.exaggeration)
        actor.SetVisibility(self.visible.get(name, True))
        self._actors[name] = [actor]

    def _add_bodies(self) -> None:
        for item in self.scene.items:
            mesh = actors.item_mesh(self.scene, item)
            if not mesh.n_points:
                continue
            made = [self.plotter.add_mesh(mesh, render=False, **actors.look_of(item))]
            for lines, opacity in actors.lines_on(self.scene, item, mesh):
                look = {"color": item.colour, "line_width": 1.5, "opacity": opacity, "lighting": False}
                made.append(self.plotter.add_mesh(lines, render=False, **look))
            self._actors.setdefault(item.role, []).extend(made)
            for actor in made:
                actor.SetVisibility(self.visible[item.role])

    def _add_words(self) -> None:
        import pyvista as pv

        self._write("title", self.scene.title, (0.015, 0.945), 15)
        self._write("help", HELP, (0.015, 0.045), 8)
        self._write("caution", self.scene.caution, (0.015, 0.015), 9)
        self.plotter.add_axes(
            xlabel="E", ylabel="N", zlabel="Up", viewport=(0.87, 0.02, 1.0, 0.2), color=_INK
        )
        mapper = pv.DataSetMapper(pv.PolyData())
        mapper.lookup_table = pv.LookupTable(actors.score_map(), scalar_range=self._score_clim)
        self.plotter.add_scalar_bar(
            title=" ", mapper=mapper, vertical=True, position_x=0.88, position_y=0.3, height=0.42,
            width=0.06, color=_INK, title_font_size=6, label_font_size=14, fmt="%.2f", n_labels=6,
            render=False,
        )  # fmt: skip
        words = "\n".join([*textwrap.wrap(self.scene.score_name, 21), *textwrap.wrap(self.scene.units, 21)])
        self._write("scale", words, (0.865, 0.735), 8)

    def _write(self, name: str, words: str, place: tuple[float, float], size: int) -> None:
        self.plotter.add_text(
            words,
            position=place,
            viewport=True,
            font_size=size,
            color=_INK,
            name=f"text {name}",
            render=False,
        )

    def _say(self, name: str, words: str) -> None:
        places = {"readout": (0.015, 0.805), "exaggeration": (0.015, 0.77), "slices": (0.36, 0.9)}
        self._write(name, words, places[name], 9)

    def _say_slices(self) -> None:
        parts = []
        for axis, index in self.slices.items():
            if index is not None:
                parts.append(f"{axis} {readable(float(self.scene.grid.centres(self._axis(axis))[index]))} m")
        low, high = self._layer_clim()
        scale = "" if self.layer == self.scene.score_name else f"   (dark {low:.4g}, bright {high:.4g})"
        self._say("slices", f"slices of {self.layer}: {', '.join(parts)}{scale}" if parts else " ")

    def _add_widgets(self) -> None:
        height = _SIZE[1]
        for row, name in enumerate(self.visible):
            style = style_of(name)
            label, colour = (self.scene.score_name, "#E31A1C") if name == "score" else style[:2]
            y = round(0.725 * height) - round(min(25, 220 / len(self.visible)) * row)
            self.plotter.add_checkbox_button_widget(
                partial(self.set_visible, name), value=self.visible[name], position=(20, y), size=18,
                border_size=2, color_on=colour, color_off="white", background_color="#9A9A9A",
            )  # fmt: skip
            self._write(f"layer {name}", label, (46 / _SIZE[0], (y - 1) / height), 9)
        low, high = self._slider_range()
        self._slider("threshold", self.set_threshold, (low, high), self.threshold, "%.3g")
        self._slider("vertical exaggeration", self.set_exaggeration, EXAGGERATIONS, 1.0, "%.1f")
        for name in _AXES:
            k = self._axis(name)
            centres = self.scene.grid.centres(k)
            span = (float(centres[0]), float(max(centres[-1], centres[0] + 1e-3)))
            start = float(centres[self._places[name]])
            self._slider(f"slice {name}", partial(self.set_slice, name), span, start, "%.0f")

    def _slider(
        self, name: str, call: Callable[[float], Any], span: tuple[float, float], start: float, fmt: str
    ) -> None:
        height = 0.42 - 0.078 * len(self._sliders)
        widget = self.plotter.add_slider_widget(
            self._when_ready(call), list(span), value=float(np.clip(start, *span)), title=name,
            pointa=(0.015, height), pointb=(0.2, height), color=_INK, fmt=fmt, style="modern",
            title_height=0.017, slider_width=0.013, tube_width=0.003, interaction_event="always",
        )  # fmt: skip
        widget.GetRepresentation().SetLabelHeight(0.016)
        self._sliders[name] = widget

    def _when_ready(self, call: Callable[[float], Any]) -> Callable[[float], None]:
        """A slider calls once while it is made; that is nobody's wish."""

        def moved(value: float) -> None:
            if self._ready:
                call(value)

        return moved

    def _move(self, name: str, value: float) -> None:
        self._sliders[name].GetRepresentation().SetValue(value)

    def _add_keys(self) -> None:
        interactor = self.plotter.iren.interactor
        # VTK's own keys would end the window at e and draw wire frames at w
        interactor.RemoveObservers("CharEvent")
        self.plotter.reset_key_events()
        self.plotter.iren.clear_key_event_callbacks()
        keys: dict[str, Callable[[], Any]] = {k: partial(self.look, v) for k, v in _VIEW_KEYS.items()}
        keys |= {axis: partial(self.toggle_slice, axis) for axis in _AXES}
        keys |= dict.fromkeys(("plus", "equal", "KP_Add"), partial(self.step_threshold, _STEP))
        keys |= dict.fromkeys(("minus", "KP_Subtract"), partial(self.step_threshold, 1 / _STEP))
        keys |= {"l": self.next_layer}
        for key, call in keys.items():
            self.plotter.add_key_event(key, self._then_draw(call))
        self.plotter.add_key_event("q", self.close)
        self.plotter.iren.add_observer("EndInteractionEvent", lambda *_: self.settle())

    def _then_draw(self, call: Callable[[], Any]) -> Callable[[], None]:
        def pressed() -> None:
            call()
            self.plotter.render()

        return pressed

    def close(self) -> None:
        """End the window."""
        self.plotter.iren.terminate_app()


def _plotter(title: str, off_screen: bool) -> Any:
    import pyvista as pv

    plotter: Any = pv.Plotter(off_screen=off_screen, window_size=list(_SIZE), title=title)
    # Mesa draws no translucent body at all when peeling meets multisampling
    plotter.render_window.SetMultiSamples(0)
    plotter.enable_depth_peeling(number_of_peels=4)
    plotter.set_background("white")
    return plotter


def cell_at(scene: Scene, axis: str, coordinate: float) -> int:
    """Cell along ``"x"``, ``"y"`` or ``"z"`` that holds a coordinate; beyond the grid the nearest one."""
    if axis not in _AXES:
        raise ValueError(f"axis {axis!r} is not known, use one of {', '.join(_AXES)}.")
    k = 2 - _AXES.index(axis)
    position = (coordinate - scene.grid.corner[k]) / scene.grid.spacing[k]
    return int(np.clip(np.floor(position), 0, scene.grid.shape[k] - 1))
