"""Columns at the left and the right of a window: numbers, switches, sliders, targets, readings and scales."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np

from mpm3d.view import actors
from mpm3d.view.board import BOTTOM, CHOSEN, INK, LEFT, LINE, RIGHT, SOFT, Board, cut, folded, height_of
from mpm3d.view.camera import readable
from mpm3d.view.counts import Readout
from mpm3d.view.faces import AXES, axis_of
from mpm3d.view.reading import Reading
from mpm3d.view.scene import Scene, SceneTarget
from mpm3d.view.session import EXAGGERATIONS, Session
from mpm3d.view.slices import scale_of

_ROW, _SMALL = 18, 12  # height of a line of the list, letters of numbers
_TOP = 54  # what is written at the top of the columns starts here
_BAR, _BAR_TITLE = 150, 62  # heights of the colour scales and of what is written above them
_SLIDER = 46


class Calls(Protocol):
    """What the widgets call; a window."""

    session: Session
    scene: Scene

    def set_threshold(self, value: float, *, coarse: bool = False) -> Any:
        """Draw the cells at or above another score."""

    def set_exaggeration(self, factor: float) -> Any:
        """Stretch elevations."""

    def set_visible(self, key: str, visible: bool) -> Any:
        """Show or hide an object."""

    def set_slice(self, axis: str, coordinate: float) -> Any:
        """Move a slice to a true coordinate."""


def room_for(scene: Scene) -> tuple[float, float, float, float]:
    """Pixels that the scene leaves free at the left, the right, below and above."""
    top = 100.0 if scene.beside is None else 210.0
    if scene.flat:  # a map fills its part to the edges, so nothing can be written there
        lines = 5 + 3 * len(scene.cells)
        top = 142.0 if scene.beside is None else _TOP + 82.0 + lines * 13 * LINE
    return LEFT + 115.0, RIGHT + 60.0, BOTTOM + 85.0, top


class Panels:
    """Words and widgets of a window.

    Parameters
    ----------
    window : Calls
        What they call.
    help_words : str
        The keys.
    """

    def __init__(self, window: Calls, help_words: str) -> None:
        self._window, self._session, self.scene = window, window.session, window.scene
        self._plotter = window.session.plotter
        self._plotter.subplot(0, 0)
        self.board = Board(self._plotter.renderers[0])
        self.help = help_words
        self.sliders: dict[str, Any] = {}
        self.boxes: dict[str, Any] = {}
        self.spots: dict[str, tuple[float, float, float, float]] = {}  # left, right, top, bottom of each
        self._bars: dict[str, Any] = {}
        self._rows: list[tuple[float, str]] = []  # upper edge of a line of the list, and the target
        self._message = ""
        self.reading: Reading | None = None
        self._ready = False
        self._add_boxes()
        self._add_sliders()
        self._add_scales()
        up = "" if self.scene.flat else "Up"
        self._plotter.add_axes(xlabel="E", ylabel="N", zlabel=up, color=INK, interactive=False)
        self._ready = True
        self._size = (0, 0)
        self._plotter.render_window.AddObserver("WindowResizeEvent", lambda *_: self.fit())
        self.fit()

    def fit(self) -> None:
        """Put everything where the window now has room for it."""
        size = (int(self._plotter.window_size[0]), int(self._plotter.window_size[1]))
        if size == self._size:
            return
        self._size = size
        self._session.look((self._session.camera().azimuth, self._session.camera().plunge))
        self._place_boxes()
        self._place_sliders()
        self._place_scales()
        width, height = size
        marker = self._plotter.renderers[0].axes_widget
        marker.SetViewport((LEFT + 4) / width, BOTTOM / height, (LEFT + 104) / width, (BOTTOM + 100) / height)
        self.tell()

    def say(self, words: str) -> None:
        """Write a line of news, until the next thing happens."""
        self._message = words
        self._write_news()

    def read(self, reading: Reading | None) -> None:
        """Show a cell in place of a target, or a target again."""
        self.reading = reading

    def tell(self) -> None:
        """Write everything anew, and put the widgets where the session is."""
        self._message = ""
        width, height = self._size
        title = self.scene.title
        self.board.write(
            "title", title if len(title) < width // 12 else f"{title[: width // 12]}…", (14, 12), size=20
        )
        self.board.write("help", self.help, (14, height - BOTTOM + 4), size=12, colour=SOFT)
        self.board.write("caution", self.scene.caution, (14, height - 20), size=13)
        self._write_numbers()
        self._write_news()
        self._write_targets()
        self._write_scales()
        self._follow()

    def target_at(self, x: float, y: float) -> str:
        """Target whose line of the list is at a place in pixels from the upper left; empty if none is."""
        if x < self._size[0] - RIGHT:
            return ""
        return next((name for top, name in self._rows if top <= y < top + _ROW), "")

    # words

    def _write_numbers(self) -> None:
        if len(self._session.panes) == 1:
            self.board.write("readout", self._kept(self._session.readouts[0], 36), (14, _TOP), size=14)
        else:
            for number, (pane, numbers) in enumerate(
                zip(self._session.panes, self._session.readouts, strict=True)
            ):
                left = pane.renderer.GetViewport()[0] * self._size[0]
                width = max(20, pane.size[0] // 8)
                words = folded(f"{pane.scene.title}\n{self._kept(numbers, width)}", width)
                self.board.write(f"readout {number}", words, (left + 14, _TOP + 44), size=13)
            self.board.write(
                "readout", f"score at or above {self._session.threshold:.4g}", (14, _TOP), size=14
            )

    def _kept(self, numbers: Readout, width: int) -> str:
        """What a threshold keeps; lines of a map, which name deposits, are two at most."""
        if not self.scene.flat:
            return numbers.text
        lines = numbers.text.split("\n")
        return folded(
            "\n".join(textwrap.shorten(line, 2 * width - 8, placeholder=" …") for line in lines), width
        )

    def _write_news(self) -> None:
        width = max(30, (self._size[0] - LEFT - RIGHT) // 7)
        shown = {axis: self._session.slice_place(axis) for axis in AXES}
        places = [f"{axis} {readable(place)} m" for axis, place in shown.items() if place is not None]
        words = f"slices of {self._session.layer}: {', '.join(places)}" if places else ""
        if places and self.scene.flat:
            words = f"map below the cells: {self._session.layer}"
        self.board.write("slices", cut(folded(words, width), 1), (LEFT + 14, _TOP), size=13)
        self.board.write(
            "news", cut(folded(self._message, width), 2), (LEFT + 14, _TOP + 17), size=13, colour=CHOSEN
        )

    def _details(self) -> str:
        if self.reading is not None:
            return f"Cell\n{self.reading.text}"
        found = [target for target in self.scene.targets if target.id == self._session.target]
        return _about(found[0]) if found else ""

    def _write_targets(self) -> None:
        left, bottom = self._size[0] - RIGHT + 8, self._size[1] - BOTTOM - _BAR - _BAR_TITLE - 16
        words = folded(self._details(), 40)
        targets = self.scene.targets
        free = bottom - _TOP - 30 - height_of(words, _SMALL)
        count = min(len(targets), max(3, int(free // _ROW))) if targets else 0
        now = next((k for k, target in enumerate(targets) if target.id == self._session.target), 0)
        first = min(max(0, now - count // 2), len(targets) - count)
        self._rows = []
        top = float(_TOP)
        if targets:
            self.board.write(
                "targets", f"Targets ({len(targets)}), click to go there", (left, top), size=13, bold=True
            )
            top += 22
        for k in range(len(targets)):
            if not first <= k < first + count:
                self.board.remove(f"target {k}")
                continue
            target, chosen = targets[k], targets[k].id == self._session.target
            colour = CHOSEN if chosen else INK
            self.board.write(f"target {k}", _row(target), (left, top), size=13, colour=colour, bold=chosen)
            self._rows.append((top - 2, target.id))
            top += _ROW
        most = int((bottom - top - 8) // (_SMALL * LINE))
        self.board.write("details", cut(words, most), (left, top + 8), size=_SMALL)

    def _write_scales(self) -> None:
        import pyvista as pv

        top = self._size[1] - BOTTOM - _BAR - _BAR_TITLE - 8
        left = self._size[0] - RIGHT + 8
        score = folded(f"{self.scene.score_name}\n{self.scene.units}", 20)
        self.board.write("scale", cut(score, 4), (left, top), size=_SMALL)
        shown, words = scale_of(self._session), ""
        if shown is not None:
            name = folded(shown.name.replace("_", "_ "), 19).replace(
                "_ ", "_"
            )  # long names break after a stroke
            words = f"{name}\n{folded(shown.unit, 19)}"
        self.board.write("layer scale", cut(words, 4), (left + RIGHT // 2, top), size=_SMALL)
        self._bars["layer"].SetVisibility(shown is not None)
        if shown is not None:
            table = pv.LookupTable(shown.colours, scalar_range=shown.span)
            self._bars["layer"].SetLookupTable(table)

    # widgets

    def _boxes_top(self) -> float:
        """Below the read-out, which has a line for each role of deposits, of a map two more for names."""
        roles = len(self.scene.cells) * (3 if self.scene.flat else 1)
        lines = 3 + roles if len(self._session.panes) == 1 else 1
        return _TOP + lines * 14 * LINE + 16

    def _add_boxes(self) -> None:
        for thing in self._session.objects:
            if "/" not in thing.key:
                self.boxes[thing.key] = self._plotter.add_checkbox_button_widget(
                    partial(self._window.set_visible, thing.key), value=thing.visible, size=16, border_size=2,
                    color_on=thing.colour, color_off="white", background_color="#9A9A9A",
                )  # fmt: skip

    def _place_boxes(self) -> None:
        """Switches in one column, or in two where there are many."""
        labels = {thing.key: thing.label for thing in self._session.objects}
        top = self._boxes_top()
        room = self._size[1] - BOTTOM - len(self.sliders) * _SLIDER - 12 - top
        columns = 1 if len(self.boxes) * 18 <= room else 2
        rows = -(-len(self.boxes) // columns)
        step = min(24.0, max(10.0, room / max(1, rows)))
        side = min(16.0, step - 2)
        for number, (key, box) in enumerate(self.boxes.items()):
            column, row = divmod(number, rows)
            x, y = 14 + column * LEFT // 2, top + row * step
            low = self._size[1] - y - side
            box.GetRepresentation().PlaceWidget([x, x + side, low, low + side, 0, 0])
            self.spots[key] = (x, x + side, y, y + side)
            size = int(min(13, step - 3))
            words = labels[key]
            most = int((LEFT / columns - side - 16) / (0.56 * size))
            words = words if len(words) <= most else f"{words[: most - 4]}…{words[-3:]}"
            self.board.write(f"layer {key}", words, (x + side + 8, y + (side - size) / 2 + 2), size=size)

    def _add_sliders(self) -> None:
        low, high = self.scene.score_range
        threshold = partial(self._window.set_threshold, coarse=True)
        self._slider("threshold", threshold, (low, max(high, low + 1e-6)))
        self.sliders["threshold"].AddObserver("EndInteractionEvent", lambda *_: self._let_go())
        if self.scene.flat:
            return
        self._slider("vertical exaggeration", self._window.set_exaggeration, EXAGGERATIONS)
        for name in AXES:
            centres = self.scene.grid.centres(axis_of(name))
            span = (float(centres[0]), float(max(centres[-1], centres[0] + 1e-3)))
            self._slider(f"slice {name}", partial(self._window.set_slice, name), span)

    def _slider(self, name: str, call: Callable[[float], Any], span: tuple[float, float]) -> None:
        def moved(value: float) -> None:
            if self._ready:  # a slider calls once while it is made; that is nobody's wish
                call(value)

        self.sliders[name] = self._plotter.add_slider_widget(
            moved, list(span), value=sum(span) / 2, color=INK,
            style="modern", slider_width=0.013, tube_width=0.003, interaction_event="always",
        )  # fmt: skip
        self.sliders[name].GetRepresentation().ShowSliderLabelOff()  # the board says it

    def _let_go(self) -> None:
        """The slider of the threshold is at rest: draw the true cells."""
        self._window.set_threshold(self._session.threshold)
        self._session.draw()

    def _place_sliders(self) -> None:
        width, height = self._size
        for number, slider in enumerate(self.sliders.values()):
            y = BOTTOM + 14 + (len(self.sliders) - 1 - number) * _SLIDER
            shown = slider.GetRepresentation()
            shown.GetPoint1Coordinate().SetValue(16 / width, y / height)
            shown.GetPoint2Coordinate().SetValue((LEFT - 24) / width, y / height)

    def _follow(self) -> None:
        """Sliders and switches show what is, whoever changed it."""
        factor = self._session.exaggeration
        stretch = "true scale" if abs(factor - 1) < 5e-3 else f"{factor:.2f} times"
        places: dict[str, tuple[float | None, str]] = {
            "threshold": (self._session.threshold, f"{self._session.threshold:.4g}"),
            "vertical exaggeration": (factor, stretch),
        }
        for axis in AXES:
            place = self._session.slice_place(axis)
            places[f"slice {axis}"] = (place, "not shown" if place is None else f"{readable(place)} m")
        height = self._size[1]
        for name, (value, words) in ((name, places[name]) for name in self.sliders):
            shown = self.sliders[name].GetRepresentation()
            if value is not None:
                shown.SetValue(float(np.clip(value, shown.GetMinimumValue(), shown.GetMaximumValue())))
            top = height * (1 - shown.GetPoint1Coordinate().GetValue()[1]) - 28
            self.board.write(f"slider {name}", f"{name}: {words}", (16, top), size=13)
        for key, box in self.boxes.items():
            box.GetRepresentation().SetState(int(self._session.visible[key]))

    def _add_scales(self) -> None:
        import pyvista as pv

        ranges = {"score": self._session.score_range(), "layer": (0.0, 1.0)}
        for name, colours in (("score", actors.score_map()), ("layer", actors.LAYER_COLOURS)):
            mapper = pv.DataSetMapper(pv.PolyData())
            mapper.lookup_table = pv.LookupTable(colours, scalar_range=ranges[name])
            self._bars[name] = self._plotter.add_scalar_bar(
                title=f"scale of {name}", mapper=mapper, vertical=True, color=INK,
                unconstrained_font_size=True, label_font_size=13, fmt="%.4g", n_labels=5, render=False,
            )  # fmt: skip
            self._bars[name].SetTitle(" ")

    def _place_scales(self) -> None:
        width, height = self._size
        for number, bar in enumerate(self._bars.values()):
            left = width - RIGHT + 8 + number * RIGHT // 2
            bar.SetPosition(left / width, (BOTTOM + 4) / height)
            bar.SetPosition2(90 / width, _BAR / height)


def _row(target: SceneTarget) -> str:
    """A line of the list: rank, id, kind and the number that comes first."""
    number = f"   {target.numbers[0][1]}" if target.numbers else ""
    kind = target.kind if len(target.kind) <= 14 else f"{target.kind[:13]}…"
    return f"{target.rank}   {target.id}   {kind}{number}"


def _about(target: SceneTarget) -> str:
    """What is known of a target, in lines."""
    lines = [f"Target {target.id}, {target.kind}"]
    lines += [f"{name}: {text}" for name, text in target.numbers]
    if target.reasons_for:
        lines.append(f"speaks for it: {target.reasons_for}")
    if target.reasons_against:
        lines.append(f"speaks against it: {target.reasons_against}")
    if target.hole and "hole" not in " ".join(name for name, _ in target.numbers):
        lines.append(f"proposed drillhole: {target.hole}")
    return "\n".join(lines)
