"""The browser app: what the page holds, and what happens when something on it is moved."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mpm3d.view import actors
from mpm3d.view.browser import facts, layout
from mpm3d.view.browser.area import Area, room_for
from mpm3d.view.camera import MAP_VIEWS, VIEWS
from mpm3d.view.faces import AXES
from mpm3d.view.scene import Scene
from mpm3d.view.session import EXAGGERATIONS, Session
from mpm3d.view.slices import scale_of

_SIZE = (900, 640)
_STEPS = 1000  # places of a slider
_QUIET = 0.35  # seconds without a new wish after which the full drawing is made
_VIEW_FILE = 1_000_000  # characters; a saved view has some thousand
_names = (f"mpm3d {number}" for number in itertools.count(1))


class Newest:
    """Carries out the newest of many wishes, so that a slider that is dragged does not leave a queue."""

    def __init__(self) -> None:
        self._wish: Callable[[], None] | None = None
        self._task: asyncio.Task[None] | None = None

    def ask(self, wish: Callable[[], None]) -> None:
        """Replace the wish that waits, if there is one."""
        self._wish = wish
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._work())

    async def _work(self) -> None:
        while self._wish is not None:
            await asyncio.sleep(0)  # whatever the browser has sent meanwhile replaces this wish
            wish, self._wish = self._wish, None
            wish()
            await asyncio.sleep(0.01)


class App:
    """A scene, its session, and the page that shows them.

    Parameters
    ----------
    scene : Scene
        What to show.
    """

    def __init__(self, scene: Scene) -> None:
        from trame.app import get_server

        self.scene = scene
        self.models = [] if scene.beside is None else [scene.title, scene.beside.title]
        room = room_for(_SIZE[0], max(1, len(self.models)))
        self.session = Session(scene, off_screen=True, size=_SIZE, room=room)
        self.server: Any = get_server(next(_names), client_type="vue3")
        self.state: Any = self.server.state
        self._newest: dict[str, Newest] = {}
        self._later: asyncio.TimerHandle | None = None
        self._fill()
        self._listen()
        self.area = Area(self.session, self._click)
        self.view: Any = layout.build(self)

    async def close(self) -> None:
        """Free the drawing area."""
        await self.view.close()
        self.session.close()

    # what the page holds

    def _fill(self) -> None:
        scene, state = self.scene, self.state
        low, high = scene.score_range
        high = high if high > low else low + 1e-6
        state.update({"score_low": low, "score_high": high, "score_step": (high - low) / _STEPS})
        state.update({"title": scene.title, "note": scene.note, "caution": scene.caution})
        state.models = self.models
        state.groups = facts.groups_of(self.session.objects)
        state.targets = [facts.target_facts(target) for target in scene.targets]
        state.layers = list(self.session.layers)
        state.views = list(MAP_VIEWS if scene.flat else VIEWS)
        for axis in self.scene.slice_axes:
            centres = scene.grid.centres(2 - AXES.index(axis))
            ends = {"low": float(centres[0]), "high": float(centres[-1]), "step": self._spacing(axis)}
            state.update({f"{axis}_{name}": value for name, value in ends.items()})
            state[f"{axis}_place"] = float(centres[len(centres) // 2])
        state.update({"stretch_low": EXAGGERATIONS[0], "stretch_high": EXAGGERATIONS[1]})
        state.update({"reading": None, "notice": "", "noticed": False, "chosen": None})
        state.trame__title = scene.title
        self._refresh()

    def _spacing(self, axis: str) -> float:
        return float(self.scene.grid.spacing[2 - AXES.index(axis)])

    def _refresh(self) -> None:
        """Let the page show what the session holds now."""
        session, state = self.session, self.state
        state.threshold = session.threshold
        state.stretch = session.exaggeration
        state.layer = session.layer
        state.shown = dict(session.visible)
        state.opaque = dict(session.opacity)
        for axis in self.scene.slice_axes:
            place = session.slice_place(axis)
            state[f"{axis}_on"] = place is not None
            if place is not None:
                state[f"{axis}_place"] = place
        self._write_numbers()

    def _write_numbers(self) -> None:
        session, state, grid = self.session, self.state, self.scene.grid
        state.readouts = [facts.readout_rows(readout, grid) for readout in session.readouts]
        true = abs(session.exaggeration - 1) < 5e-3
        state.stretch_text = "true scale" if true else f"{session.exaggeration:.1f} times"
        state.scale = facts.colour_scale(self.scene.colour_title, actors.score_map(), session.score_range())
        state.layer_scale = self._layer_scale()

    def _layer_scale(self) -> dict[str, Any] | None:
        scale = scale_of(self.session)
        return None if scale is None else facts.colour_scale(scale.title, scale.colours, scale.span)

    # what happens

    def _listen(self) -> None:
        state = self.state
        state.change("threshold")(self._drag_threshold)
        state.change("stretch")(lambda stretch, **_: self._move_stretch(stretch))
        state.change("layer")(lambda layer, **_: self._set_layer(layer))
        for axis in self.scene.slice_axes:
            state.change(f"{axis}_on", f"{axis}_place")(self._slicer(axis))
        triggers = {
            "fly": self.fly, "look": self.look, "reset": self.reset, "show": self.show, "fade": self.fade,
            "settle": self.settle, "more": self.more, "picture": self.picture, "save_view": self.save_view,
            "load_view": self.load_view, "forget": self.forget,
        }  # fmt: skip
        for name, call in triggers.items():
            self.server.controller.trigger(name)(call)

    def _soon(self, what: str, call: Callable[[], Any]) -> None:
        """Do it when what was wished before is done, then draw and write the numbers."""

        def act() -> None:
            with self.state:
                call()
                self._write_numbers()
            self.view.update()

        self._newest.setdefault(what, Newest()).ask(act)

    def _drag_threshold(self, threshold: float, **_: Any) -> None:
        if float(threshold) == self.session.threshold:
            return
        self._soon("threshold", lambda: self.session.set_threshold(float(threshold), coarse=True))
        if self._later is not None:
            self._later.cancel()
        self._later = asyncio.get_running_loop().call_later(_QUIET, self.settle)

    def settle(self) -> None:
        """Draw the threshold in full, after it was dragged."""
        if self._later is not None:
            self._later.cancel()
            self._later = None
        self._soon("threshold", lambda: self.session.set_threshold(float(self.state.threshold)))

    def more(self, factor: float) -> None:
        """Keep ``factor`` times as much of the volume or the area."""
        self.session.step_threshold(float(factor))
        self._after()

    def _move_stretch(self, stretch: float) -> None:
        if float(stretch) != self.session.exaggeration:
            self._soon("stretch", lambda: self.session.set_exaggeration(float(stretch)))

    def _set_layer(self, layer: str) -> None:
        if layer != self.session.layer:
            self._soon("layer", lambda: self.session.set_layer(layer))

    def _slicer(self, axis: str) -> Callable[..., None]:
        def moved(**_: Any) -> None:
            on, place = self.state[f"{axis}_on"], float(self.state[f"{axis}_place"])
            if not on:
                if self.session.slices[axis] is not None:
                    self._soon(f"slice {axis}", lambda: self.session.hide_slice(axis))
            elif self.session.slice_place(axis) != place:
                self._soon(f"slice {axis}", lambda: self.session.set_slice(axis, place))

        return moved

    def show(self, key: str, visible: bool) -> None:
        """Show or hide objects."""
        self.session.set_visible(key, bool(visible))
        self.state.shown = dict(self.session.visible)
        self.view.update()

    def fade(self, key: str, opacity: float) -> None:
        """Make objects more or less transparent."""

        def act() -> None:
            self.session.set_opacity(key, min(1.0, max(0.0, float(opacity))))
            self.state.opaque = dict(self.session.opacity)

        self._soon(f"fade {key}", act)

    def look(self, view: str) -> None:
        """Look in a direction."""
        self.session.look(view)
        self.area.view = view
        self.view.update()

    def reset(self) -> None:
        """Start again."""
        self.session.reset()
        self.area.view = self.scene.first_view
        self.state.update({"chosen": None, "reading": None, "noticed": False})
        self._after()

    def fly(self, target: str) -> None:
        """Move to a target and show what is known of it."""
        self.session.fly_to(target)
        self.area.view = None
        self.state.chosen = target
        self.view.update()

    def _click(self, x: float, y: float) -> None:
        reading = self.session.pick(x, y)
        with self.state:
            if reading is not None:
                right = x >= self.session.plotter.window_size[0] / 2
                model = self.models[int(right)] if self.models else ""
                self.state.reading = facts.reading_facts(reading, model)
        self.view.update()

    def forget(self) -> None:
        """Close the panel of the picked cell."""
        self.state.reading = None

    def _after(self) -> None:
        self._refresh()
        self.view.update()

    # files

    def picture(self) -> bytes:
        """PNG of the drawing, with scale and caution."""
        room, self.session.room = self.session.room, (0.0, 0.0, 0.0, 0.0)
        try:
            return self._whole_picture()
        finally:
            self.session.room = room

    def _whole_picture(self) -> bytes:
        """No widget covers a part of the drawing, so none is left out."""
        with tempfile.TemporaryDirectory() as folder:
            return self.session.save_picture(Path(folder) / "view.png").read_bytes()

    def save_view(self) -> str:
        """JSON of the view."""
        with tempfile.TemporaryDirectory() as folder:
            return self.session.save_view(Path(folder) / "view.json").read_text(encoding="utf-8")

    def load_view(self, words: str) -> None:
        """Show a saved view, or say what is wrong with it."""
        try:
            if len(words) > _VIEW_FILE:
                raise ValueError(f"the file has {len(words):,} characters, a saved view has some thousand.")
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "view.json"
                path.write_text(words, encoding="utf-8")
                self.session.load_view(path)
                self.area.view = None
        except (ValueError, OSError) as error:
            self.state.update({"notice": str(error), "noticed": True})
            return
        self._after()
