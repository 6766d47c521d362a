"""Pictures and views of a session in files."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.errors import FormatError
from mpm3d.view import actors
from mpm3d.view.camera import Camera, direction_of, readable, words_of
from mpm3d.view.faces import AXES
from mpm3d.view.slices import scale_of
from mpm3d.view.things import slices_label

if TYPE_CHECKING:
    from mpm3d.view.session import Session

FORMAT = "mpm3d view"
_INK, _SOFT = "#1A1A1A", "#5A5A5A"
_DPI = 100.0
_SIDE, _HEAD, _FOOT = 250, 44, 40  # pixels for numbers and legend, for the title, for the caution


def save_view(session: Session, path: Path) -> Path:
    """Write what is shown of a scene to a JSON file, all of it or nothing.

    Parameters
    ----------
    session : Session
        What is shown.
    path : Path
        The file; folders that are missing are made, an old file is replaced.
    """
    seen, true = session.camera(), np.asarray(session.scene.origin)
    centre = np.asarray(seen.centre) / [1.0, 1.0, session.exaggeration] + true
    facts = {
        "format": FORMAT, "version": 1, "title": session.scene.title,
        "bounds": list(session.scene.grid.bounds),
        "threshold": session.threshold, "exaggeration": session.exaggeration, "layer": session.layer,
        "slices": {axis: session.slice_place(axis) for axis in AXES}, "target": session.target,
        "visible": session.visible, "opacity": session.opacity,
        "camera": {"azimuth": seen.azimuth, "plunge": seen.plunge, "centre": centre.tolist(),
                   "height_m": seen.metres_per_pixel * seen.size[1]},
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def load_view(session: Session, path: Path) -> None:
    """Show what a file of `save_view` says; objects that the scene does not have are left out."""
    view = read_view(session, path)
    for shown, kept in ((session.visible, view["visible"]), (session.opacity, view["opacity"])):
        shown.update({key: value for key, value in kept.items() if key in shown})
    if view["layer"] in session.layers:
        session.layer = view["layer"]
    for axis in session.scene.slice_axes:
        place = view["slices"][axis]
        session.hide_slice(axis) if place is None else session.set_slice(axis, place)
    session.target = view["target"] if any(t.id == view["target"] for t in session.scene.targets) else ""
    session.set_exaggeration(view["exaggeration"])
    session.set_threshold(view["threshold"])
    seen, size = view["camera"], session.camera().size
    shift = np.asarray(seen["centre"]) - np.asarray(session.scene.origin)
    x, y, z = (float(v) for v in shift * [1.0, 1.0, session.exaggeration])
    azimuth, plunge = seen["direction"]
    session.stand(Camera(azimuth, plunge, (x, y, z), seen["height_m"] / size[1], size))


def read_view(session: Session, path: Path) -> dict[str, Any]:
    """Read a view and see that it is one of this district.

    Raises
    ------
    FormatError
        If the file is not a whole view, or one of another district.
    """
    again = "Save the view again."
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FormatError(path, f"is not a view, or cut off ({error}). {again}") from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise FormatError(path, f'is not a view: it lacks \'"format": "{FORMAT}"\'. {again}')
    try:
        checked = _checked(facts)
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(
            path, f"{error} is missing or not what it should be in this view. {again}"
        ) from error
    ours = session.scene.grid.bounds
    if not np.allclose(checked["bounds"], ours, rtol=0, atol=1e-3):
        flat = session.scene.flat
        place = ", ".join(readable(round(v)) for k, v in enumerate(ours) if not flat or k % 3 < 2)
        what = "area" if flat else "volume"
        raise FormatError(
            path, f"is a view of another {what}, {facts.get('title')!r}; this one is {place} m."
        )
    return checked


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} ({value!r})")
    return float(value)


def _checked(facts: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a view as numbers; KeyError or ValueError names what is wrong."""
    seen = facts["camera"]
    slices = {axis: facts["slices"].get(axis) for axis in AXES}
    return {
        "bounds": [_number(v, "bounds") for v in facts["bounds"]],
        "threshold": _number(facts["threshold"], "threshold"),
        "exaggeration": _number(facts["exaggeration"], "exaggeration"),
        "layer": str(facts["layer"]),
        "target": str(facts.get("target", "")),
        "slices": {axis: None if v is None else _number(v, f"slice {axis}") for axis, v in slices.items()},
        "visible": {str(key): bool(v) for key, v in facts["visible"].items()},
        "opacity": {str(key): min(1.0, max(0.0, _number(v, key))) for key, v in facts["opacity"].items()},
        "camera": {
            "direction": direction_of(
                (_number(seen["azimuth"], "azimuth"), _number(seen["plunge"], "plunge"))
            ),
            "centre": [_number(v, "centre") for v in seen["centre"]],
            "height_m": _number(seen["height_m"], "height_m"),
        },
    }


def image_of(session: Session) -> NDArray[np.uint8]:
    """The drawing area ``(height, width, 3)`` without what a window has put on and beside it."""
    words = [
        prop for name, prop in session.plotter.renderers[0].actors.items()
        if prop.GetVisibility() and not name.startswith(("labels ", "target "))
        and (prop.IsA("vtkActor2D") or prop.IsA("vtkWidgetRepresentation"))
    ]  # fmt: skip
    try:
        for prop in words:
            prop.SetVisibility(False)
        session.draw()
        image = np.asarray(session.plotter.screenshot(return_img=True))[..., :3]
    finally:
        for prop in words:
            prop.SetVisibility(True)
        session.draw()
    left, right, low, high = (round(end) for end in session.area())
    tall = image.shape[0]
    return np.ascontiguousarray(image[tall - high : tall - low, left:right])


def save_picture(session: Session, path: Path) -> Path:
    """Write the drawing area to a PNG file, with scales, legend, numbers and the caution beside it.

    Raises
    ------
    ValueError
        If the file is not a PNG.
    """
    if path.suffix.lower() != ".png":
        raise ValueError(f"{path.name!r} is not a PNG file, pictures are. Use {path.stem + '.png'!r}.")
    sheet = _Sheet(session, session.image())
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.stem}.{os.getpid()}.png")
    try:
        sheet.figure.savefig(unfinished, dpi=_DPI)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


class _Sheet:
    """A drawn scene with words around it, in pixels from the upper left."""

    def __init__(self, session: Session, image: NDArray[np.uint8]) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.session = session
        tall, wide = image.shape[:2]
        # room for the column at the side, however low the drawing area is
        self.size = (wide + _SIDE, max(tall, self._column_height()) + _HEAD + _FOOT)
        self.figure = Figure(figsize=(self.size[0] / _DPI, self.size[1] / _DPI), dpi=_DPI, facecolor="white")
        FigureCanvasAgg(self.figure)
        self.paper = self.figure.add_axes((0.0, 0.0, 1.0, 1.0))
        self.paper.imshow(image, extent=(0, wide, _HEAD + tall, _HEAD), interpolation="none", aspect="auto")
        self.paper.set_xlim(0, self.size[0])
        self.paper.set_ylim(self.size[1], 0)
        self.paper.axis("off")
        scene = session.scene
        self._write(
            14, 30, scene.title if scene.beside is None else f"{scene.title} | {scene.beside.title}", 20
        )
        self._write(14, self.size[1] - 14, scene.caution, 14)
        self._write(self.size[0] - 14, self.size[1] - 14, self._view_words(), 12, colour=_SOFT, ha="right")
        self._column(wide + 12)

    def _write(self, x: float, y: float, words: str, size: float, **look: Any) -> None:
        colour = look.pop("colour", _INK)
        self.paper.text(x, y, words, fontsize=size * 72 / _DPI, color=colour, **look)

    def _view_words(self) -> str:
        seen, factor = self.session.camera(), self.session.exaggeration
        if self.session.scene.flat:
            return words_of(seen.azimuth, seen.plunge)
        true = abs(factor - 1) < 5e-3
        stretch = "true scale" if true else f"vertical exaggeration {factor:.2f}×"
        return f"{words_of(seen.azimuth, seen.plunge)}; {stretch}"

    def _legend(self) -> list[Any]:
        shown = self.session.visible
        return [t for t in self.session.objects if "/" not in t.key and shown[t.key] and t.role not in _DRAWN]

    def _texts(self) -> list[str]:
        both = zip(self.session.panes, self.session.readouts, strict=True)
        many = len(self.session.panes) > 1
        return [f"{pane.scene.title}\n{numbers.text}" if many else numbers.text for pane, numbers in both]

    def _column_height(self) -> int:
        lines = sum(text.count("\n") + 3 for text in self._texts())
        return 18 * lines + 115 * (1 + bool(self._slices())) + 24 * len(self._legend()) + 40

    def _slices(self) -> str:
        """Where slices lie; of a map, which layer is below its cells."""
        places = {axis: self.session.slice_place(axis) for axis in AXES}
        shown = {axis: place for axis, place in places.items() if place is not None}
        if shown and self.session.scene.flat:
            return f"{slices_label(self.session.scene)}:"
        words = ", ".join(f"{axis} {readable(place)} m" for axis, place in shown.items())
        return f"Slices at {words}" if words else ""

    def _column(self, left: float) -> None:
        import textwrap

        y = _HEAD + 20.0
        for text in self._texts():
            lines = [line for part in text.split("\n") for line in textwrap.wrap(part, 34)]
            for line in lines:
                self._write(left, y, line, 13)
                y += 18
            y += 12
        scene = self.session.scene
        y = self._scale(
            left, y, (scene.score_name, scene.units), self.session.score_range(), actors.score_map()
        )
        if self._slices():
            self._write(left, y, self._slices(), 12)
            y += 22
            scale = scale_of(self.session)
            if scale is not None:
                y = self._scale(left, y, (scale.name, scale.unit), scale.span, scale.colours)
        from matplotlib.patches import Rectangle

        for thing in self._legend():
            self.paper.add_patch(Rectangle((left, y - 12), 22, 14, facecolor=thing.colour, lw=0))
            self._write(left + 30, y, thing.label, 13)
            y += 24

    def _scale(
        self, left: float, y: float, titles: tuple[str, str], ends: tuple[float, float], colours: Any
    ) -> float:
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        self._write(left, y, titles[0], 13, weight="bold")
        self._write(left, y + 18, titles[1], 12, colour=_SOFT)
        wide, tall = self.size
        bar = self.figure.add_axes((left / wide, 1 - (y + 42) / tall, (_SIDE - 40) / wide, 14 / tall))
        self.figure.colorbar(ScalarMappable(Normalize(*ends), colours), cax=bar, orientation="horizontal")
        bar.tick_params(labelsize=11 * 72 / _DPI, colors=_INK)
        return y + 92


_DRAWN = ("score", "slices")  # have a colour scale in place of a line of the legend
