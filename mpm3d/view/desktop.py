"""A window on a scene: threshold, slices, exaggeration, layers and targets under the mouse."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from mpm3d.view.camera import MAP_VIEWS
from mpm3d.view.counts import Readout
from mpm3d.view.faces import AXES
from mpm3d.view.panels import Panels, room_for
from mpm3d.view.reading import Reading
from mpm3d.view.renderer import require_display, require_renderer
from mpm3d.view.scene import Scene
from mpm3d.view.session import EXAGGERATIONS, Session
from mpm3d.view.things import SCORE

HELP = (
    "views t top, i oblique, N E S W, r reset    threshold + more volume, - less    "
    "slices x y z, l next layer    targets n next, p previous\n"
    "cell: right click or c    opacity of what was switched last: o less, O more    s save picture    "
    "v save view, b back to it    q close"
)
MAP_HELP = (
    "views t top, r reset    threshold + more area, - less    map below m, l next layer    "
    "targets n next, p previous\n"
    "cell: right click or c    opacity of what was switched last: o less, O more    s save picture    "
    "v save view, b back to it    q close"
)
_VIEW_KEYS = {"t": "top", "i": "northwest", "N": "north", "E": "east", "S": "south", "W": "west"}
_SIZE = (1280, 800)
_STEP = 1.25  # a key press makes the volume this many times larger or smaller
_FAINTER = 0.1


def show(
    scene: Scene,
    *,
    off_screen: bool = False,
    screenshot: str | Path | None = None,
    folder: str | Path = ".",
    size: tuple[int, int] = _SIZE,
) -> None:
    """Open a window on a scene and wait until it is closed.

    Sliders move the threshold, the slices and the vertical exaggeration; the boxes at the left switch layers;
    a click on a line of the list of targets flies there. The share of the volume and of the deposits' cells
    that the threshold keeps is read out as it moves. A right click reads the cell below the mouse.

    Parameters
    ----------
    scene : Scene
        What to show; with a second model ``beside`` it, both are shown with one camera.
    off_screen : bool
        Draw without a window and return at once.
    screenshot : str or Path, optional
        PNG file of the window as it is when it is closed, or at once if ``off_screen``.
    folder : str or Path
        Where the keys for saving put pictures and views.
    size : tuple of int
        Width and height of the window in pixels.

    Raises
    ------
    RuntimeError
        If there is no display (or, off screen, no renderer); says what to do.
    """
    if off_screen:
        require_renderer()
    else:
        require_display()
    window = Window(scene, off_screen=off_screen, folder=folder, size=size)
    window.plotter.show(
        title=scene.title, auto_close=False, interactive=not off_screen,
        screenshot=False if screenshot is None else str(screenshot),
    )  # fmt: skip
    window.session.close()


class Window:
    """Widgets, keys and words around a session; every one of them calls a method of it.

    Parameters
    ----------
    scene : Scene
        What to show.
    off_screen : bool
        Draw without a window.
    folder : str or Path
        Where pictures and views are saved.
    size : tuple of int
        Width and height in pixels.

    Attributes
    ----------
    session : Session
        What is drawn.
    panels : Panels
        What is written and the widgets.
    chosen : str
        Key of the object that was switched last, whose opacity the keys change.
    """

    def __init__(
        self,
        scene: Scene,
        *,
        off_screen: bool = False,
        folder: str | Path = ".",
        size: tuple[int, int] = _SIZE,
    ) -> None:
        self.scene = scene
        self.folder = Path(folder)
        self.session = Session(scene, off_screen=off_screen, size=size, room=room_for(scene))
        self.plotter = self.session.plotter
        self.chosen = SCORE
        self._places = {axis: float(scene.grid.centres(2 - k)[scene.grid.shape[2 - k] // 2])
                        for k, axis in enumerate(AXES)}  # fmt: skip
        self.panels = Panels(self, MAP_HELP if scene.flat else HELP)
        self._add_keys()

    # what widgets, keys and clicks do

    def set_threshold(self, value: float, *, coarse: bool = False) -> Readout:
        """Draw the cells at or above another score, and read out what that keeps."""
        numbers = self.session.set_threshold(value, coarse=coarse)
        self.panels.tell()
        return numbers

    def step_threshold(self, factor: float) -> Readout:
        """Make the volume or area that is kept ``factor`` times as large, at most all of it."""
        numbers = self.session.step_threshold(factor)
        self.panels.tell()
        return numbers

    def set_exaggeration(self, factor: float) -> None:
        """Stretch elevations; the labels stay true."""
        self.session.set_exaggeration(factor)
        self.panels.tell()

    def set_visible(self, key: str, visible: bool) -> None:
        """Show or hide an object; the keys for opacity change this one from now on."""
        self.session.set_visible(key, visible)
        self.chosen = key
        self.panels.tell()

    def fade(self, step: float) -> float:
        """Make the object that was switched last more or less opaque; gives its opacity."""
        opacity = min(1.0, max(0.0, round(self.session.opacity[self.chosen] + step, 2)))
        self.session.set_opacity(self.chosen, opacity)
        label = next(thing.label for thing in self.session.objects if thing.key == self.chosen)
        self.panels.say(f"opacity of {label}: {100 * opacity:.0f} %")
        return opacity

    def set_slice(self, axis: str, coordinate: float) -> int:
        """Move the slice across an axis to a true coordinate, and show it; gives its cell along the axis."""
        index = self.session.set_slice(axis, coordinate)
        self._places[axis] = float(self.session.slice_place(axis) or 0.0)
        self.panels.tell()
        return index

    def toggle_slice(self, axis: str) -> bool:
        """Show or hide a slice where it was last; tells whether it is shown now."""
        if self.session.slices[axis] is None:
            self.set_slice(axis, self._places[axis])
            return True
        self.session.hide_slice(axis)
        self.panels.tell()
        return False

    def next_layer(self) -> str:
        """Let the slices show the next layer of evidence, after the last one the score again."""
        names = self.session.layers
        self.session.set_layer(names[(names.index(self.session.layer) + 1) % len(names)])
        self.panels.tell()
        return self.session.layer

    def look(self, view: str | tuple[float, float]) -> None:
        """Look in a direction of `mpm3d.view.camera.VIEWS`, at the whole district."""
        self.session.look(view)

    def reset(self) -> None:
        """Everything as it was when the window opened."""
        self.session.reset()
        self.panels.read(None)
        self.panels.tell()

    def fly_to(self, target_id: str) -> None:
        """Go to a target and show its numbers and reasons."""
        self.session.fly_to(target_id)
        self.panels.read(None)
        self.panels.tell()

    def fly(self, step: int) -> str:
        """Go to the next target, or the one before; after the last comes the first. Gives its id."""
        ids = [target.id for target in self.scene.targets]
        if not ids:
            self.panels.say("this scene has no targets")
            return ""
        now = self.session.target
        place = (ids.index(now) + step) % len(ids) if now in ids else (0 if step > 0 else len(ids) - 1)
        self.fly_to(ids[place])
        return ids[place]

    def pick(self, x: float, y: float) -> Reading | None:
        """Read the cell below a pixel from the upper left, and write down what it holds."""
        reading = self.session.pick(x, y)
        if reading is None:
            other = "map with a value" if self.scene.flat else "slice"
            self.panels.say(f"no cell at or above the threshold and no {other} is there")
        else:
            self.panels.read(reading)
            self.panels.tell()
        return reading

    def save_picture(self) -> Path:
        """Write a picture of what is seen into the folder; an earlier one is kept."""
        path = self.session.save_picture(self._free(".png"))
        self.panels.say(f"picture saved: {path}")
        return path

    def save_view(self) -> Path:
        """Write the view into the folder, in place of an earlier one."""
        path = self.session.save_view(self._view_file)
        self.panels.say(f"view saved: {path}")
        return path

    def load_view(self) -> bool:
        """Go back to the view that was saved last in the folder; tells whether that worked."""
        try:
            self.session.load_view(self._view_file)
        except (OSError, ValueError) as error:
            self.panels.say(str(error))
            return False
        self.panels.tell()
        return True

    def close(self) -> None:
        """End the window."""
        self.plotter.iren.terminate_app()

    @property
    def _stem(self) -> str:
        return re.sub(r"\W+", "_", self.scene.title).strip("_").lower() or "view"

    @property
    def _view_file(self) -> Path:
        return self.folder / f"{self._stem}.view.json"

    def _free(self, suffix: str) -> Path:
        number = 1
        while (path := self.folder / f"{self._stem}_{number}{suffix}").exists():
            number += 1
        return path

    # keys and the mouse

    def _add_keys(self) -> None:
        interactor = self.plotter.iren.interactor
        # VTK's own keys would end the window at e and draw wire frames at w
        interactor.RemoveObservers("CharEvent")
        self.plotter.reset_key_events()
        self.plotter.iren.clear_key_event_callbacks()
        for key, call in self.keys().items():
            self.plotter.add_key_event(key, self._then_draw(call))
        self.plotter.add_key_event("q", self.close)
        self.plotter.iren.add_observer("EndInteractionEvent", lambda *_: self.session.settle())
        # before the camera hears of it
        interactor.AddObserver("LeftButtonPressEvent", self._click, 10.0)
        interactor.AddObserver("RightButtonPressEvent", self._right, 10.0)

    def keys(self) -> dict[str, Callable[[], Any]]:
        """What each key does; `HELP` names them all, `MAP_HELP` those of a map."""
        views = {key: view for key, view in _VIEW_KEYS.items() if not self.scene.flat or view in MAP_VIEWS}
        keys: dict[str, Callable[[], Any]] = {k: partial(self.look, v) for k, v in views.items()}
        slices = {"m": "z"} if self.scene.flat else dict(zip(AXES, AXES, strict=True))
        keys |= {key: partial(self.toggle_slice, axis) for key, axis in slices.items()}
        keys |= dict.fromkeys(("plus", "equal", "KP_Add"), partial(self.step_threshold, _STEP))
        keys |= dict.fromkeys(("minus", "KP_Subtract"), partial(self.step_threshold, 1 / _STEP))
        keys |= {"o": partial(self.fade, -_FAINTER), "O": partial(self.fade, _FAINTER)}
        keys |= {"n": partial(self.fly, 1), "p": partial(self.fly, -1), "c": self._pick_here}
        keys |= {"s": self.save_picture, "v": self.save_view, "b": self.load_view}
        return keys | {"l": self.next_layer, "r": self.reset}

    def _then_draw(self, call: Callable[[], Any]) -> Callable[[], None]:
        def pressed() -> None:
            call()
            self.session.draw()

        return pressed

    def _here(self) -> tuple[float, float]:
        """Place of the mouse, pixels from the upper left."""
        x, y = self.plotter.iren.interactor.GetEventPosition()
        return float(x), float(self.plotter.window_size[1] - 1 - y)

    def _pick_here(self) -> None:
        self.pick(*self._here())

    def _click(self, *_: Any) -> None:
        """A click on a line of the list goes to its target."""
        target = self.panels.target_at(*self._here())
        if target:
            self.fly_to(target)
            self.session.draw()

    def _right(self, *_: Any) -> None:
        self._pick_here()
        self.session.draw()


__all__ = ["EXAGGERATIONS", "HELP", "Window", "show"]
