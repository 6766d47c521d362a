"""Title, axes, scales and legend around a drawn scene, as type and not as part of the rendering."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d import __version__
from mpm3d.view import actors
from mpm3d.view.camera import AXIS_NAMES, Axis, Camera, axes_for, length_of, nice_step, readable, words_of
from mpm3d.view.scene import Scene, bounds_of_item, read_out

_INK, _SOFT = "#1A1A1A", "#5A5A5A"
_DPI = 100.0
_NAMED = ("target", "deposit", "blind deposit")


@dataclass(frozen=True)
class Layout:
    """Where things go on a page of ``size`` pixels; every length grows with the page."""

    size: tuple[int, int]

    @property
    def unit(self) -> float:
        """Pixels to a hundredth of the type size's usual height; 1 for 1600 by 1100 pixels."""
        return max(0.55, min(self.size[0] / 1600, self.size[1] / 1100))

    @property
    def panel(self) -> int:
        """Width of the panel at the right."""
        return round(330 * self.unit)

    @property
    def header(self) -> int:
        """Height of the title and the note."""
        return round(112 * self.unit)

    @property
    def footer(self) -> int:
        """Height of the line below."""
        return round(46 * self.unit)

    @property
    def scene_size(self) -> tuple[int, int]:
        """Width and height of the drawn scene."""
        return self.size[0] - self.panel, self.size[1] - self.header - self.footer

    @property
    def margins(self) -> tuple[float, float, float, float]:
        """Room for labels inside the scene, at the left, right, bottom and top."""
        return 150 * self.unit, 140 * self.unit, 105 * self.unit, 20 * self.unit


class Page:
    """A page with one scene, in pixels from the lower left."""

    def __init__(self, scene: Scene, layout: Layout, camera: Camera, exaggeration: float) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.scene, self.layout, self.camera, self.exaggeration = scene, layout, camera, exaggeration
        width, height = layout.size
        self.figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor="white")
        self.canvas: Any = FigureCanvasAgg(self.figure)
        self.paper = self.figure.add_axes((0.0, 0.0, 1.0, 1.0))
        self.paper.set_xlim(0, width)
        self.paper.set_ylim(0, height)
        self.paper.axis("off")
        self._taken: list[Any] = []

    def add_image(self, image: NDArray[np.uint8]) -> None:
        """Place the drawn scene, pixel for pixel."""
        height, width = image.shape[:2]
        bottom = self.layout.footer
        self.paper.imshow(
            image, extent=(0, width, bottom, bottom + height), interpolation="none", aspect="auto", zorder=0
        )
        self.paper.set_xlim(0, self.layout.size[0])
        self.paper.set_ylim(0, self.layout.size[1])

    def annotate(self) -> None:
        """Add everything that is written."""
        width, _ = self.layout.size
        u = self.layout.unit
        self._title()
        self.text(28 * u, 23 * u, self.scene.caution, 19, va="center", style="italic", room=0.75 * width)
        maker = f"mpm3d {__version__}"
        self.text(width - 28 * u, 23 * u, maker, 15, ha="right", va="center", color=_SOFT)
        for axis in scene_axes(self.scene, self.layout, self.camera, self.exaggeration)[::-1]:
            if axis.labelled:
                self._label(axis)
        self._name_bodies()
        self._panel()

    def save(self, path: Path) -> None:
        """Write the PNG; the title and the caution go into its text fields too."""
        texts = {"Title": self.scene.title, "Description": self.scene.caution}
        self.figure.savefig(path, dpi=_DPI, metadata={**texts, "Software": f"mpm3d {__version__}"})

    def text(self, x: float, y: float, words: str, size: float, *, room: float = 0, **more: Any) -> Any:
        """Write words; ``size`` in pixels of the usual page, less where ``room`` pixels are too few."""
        points = max(8.5, size * self.layout.unit) * 72 / _DPI
        more = {"color": _INK, "va": "baseline", "ha": "left", "zorder": 5, **more}
        made = self.paper.text(x, y, words, fontsize=points, **more)
        if room:
            wide = made.get_window_extent(self.canvas.get_renderer()).width
            if wide > room:
                made.set_fontsize(max(4.5, 0.99 * points * room / wide))
        return made

    def _title(self) -> None:
        u, (width, height) = self.layout.unit, self.layout.size
        x, y, room = 28 * u, height - 20 * u, width - 56 * u
        made = self.text(x, y, self.scene.title, 30, va="top", weight="bold")
        if made.get_window_extent(self.canvas.get_renderer()).width > room:
            made.remove()
            lines = textwrap.wrap(self.scene.title, max(40, len(self.scene.title) // 2 + 8))
            self.text(x, y, "\n".join(lines), 24, room=room, va="top", weight="bold")
        if self.scene.note:
            lines = textwrap.wrap(self.scene.note, max(110, len(self.scene.note) // 2 + 12))
            self.text(x, y - 46 * u, "\n".join(lines), 17, room=room, va="top", color=_SOFT)

    def _text_if_free(self, x: float, y: float, words: str, size: float, **more: Any) -> Any:
        """Write words unless they would meet words written this way before; None then."""
        made = self.text(x, y, words, size, **more)
        box = made.get_window_extent(self.canvas.get_renderer()).padded(3 * self.layout.unit)
        if any(box.overlaps(other) for other in self._taken):
            made.remove()
            return None
        self._taken.append(box)
        return made

    def line(self, x: Any, y: Any, **more: Any) -> None:
        """Draw a line."""
        self.paper.plot(x, y, **{"color": _INK, "lw": 1.2 * self.layout.unit, "zorder": 4, **more})

    def _label(self, axis: Axis) -> None:
        u = self.layout.unit
        shift = np.array([0, self.layout.footer])
        low, high = self.scene.bounds[axis.axis], self.scene.bounds[axis.axis + 3]
        ends = self.camera.pixels(axis.ends) + shift
        along = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
        out = np.array([along[1], -along[0]])
        middle = np.asarray(self.layout.scene_size) / 2 + shift
        inward = self.camera.pixels(np.zeros((1, 3)))[0] + shift if axis.axis < 2 else middle
        out = -out if out @ (inward - ends.mean(axis=0)) > 0 else out
        ha = "center" if abs(out[0]) < 0.3 else ("left" if out[0] > 0 else "right")
        va = "center" if abs(out[1]) < 0.3 else ("bottom" if out[1] > 0 else "top")
        wide = 0.0
        for place, point in zip(
            axis.places, self.camera.pixels(axis.points((low, high))) + shift, strict=True
        ):
            tip = point + 9 * u * out
            self.line([point[0], tip[0]], [point[1], tip[1]])
            made = self._text_if_free(*_xy(point + 14 * u * out), readable(float(place)), 18, ha=ha, va=va)
            if made is None:
                continue
            box = made.get_window_extent(self.canvas.get_renderer())
            wide = max(wide, abs(out[0]) * box.width + abs(out[1]) * box.height)
        angle = float(np.degrees(np.arctan2(along[1], along[0])))
        angle = angle - 180 if angle > 90.5 else angle + 180 if angle < -90 else angle
        if not wide:
            return
        spot = ends.mean(axis=0) + (14 * u + wide + 16 * max(u, 0.9)) * out
        self.text(*_xy(spot), AXIS_NAMES[axis.axis], 19, ha="center", va="center", rotation=angle,
            rotation_mode="anchor",
        )  # fmt: skip

    def _name_bodies(self) -> None:
        """Names of targets and deposits above them, as far as they do not meet."""
        from matplotlib.patheffects import withStroke

        halo = [withStroke(linewidth=3.5 * self.layout.unit, foreground="white", alpha=0.85)]
        for item in self.scene.items:
            if not (item.visible and item.role in _NAMED):
                continue
            x0, y0, _, x1, y1, z1 = bounds_of_item(self.scene, item)
            place = np.array([[(x0 + x1) / 2, (y0 + y1) / 2, z1]]) - np.asarray(self.scene.origin)
            place[:, 2] *= self.exaggeration
            x, y = self.camera.pixels(place)[0] + (0, self.layout.footer + 4 * self.layout.unit)
            self._text_if_free(
                x, y, item.name, 15, ha="center", va="bottom", color=item.colour, weight="bold",
                path_effects=halo,
            )  # fmt: skip

    def _panel(self) -> None:
        u = self.layout.unit
        left = self.layout.size[0] - self.layout.panel + 14 * u
        top = self.layout.size[1] - self.layout.header - 8 * u
        top = self._colour_bar(left, top)
        top = self._legend(left, top - 34 * u)
        self._numbers(left, top - 22 * u)
        self._compass(left + 70 * u, self.layout.footer + 150 * u)
        self._scale_bar(left, self.layout.footer + 38 * u)

    def _colour_bar(self, left: float, top: float) -> float:
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        u = self.layout.unit
        room = self.layout.panel - 30 * u
        self.text(left, top, self.scene.score_name, 20, va="top", weight="bold", room=room)
        self.text(left, top - 28 * u, self.scene.units, 17, va="top", color=_SOFT, room=room)
        height = self._bar_height()
        bottom = top - 66 * u - height
        width, tall = self.layout.size
        bar = self.figure.add_axes((left / width, bottom / tall, 28 * u / width, height / tall))
        mappable = ScalarMappable(Normalize(*actors.colour_range(self.scene)), actors.score_map())
        scale = self.figure.colorbar(mappable, cax=bar)
        scale.ax.tick_params(labelsize=max(8.5, 17 * u) * 72 / _DPI, width=u, length=5 * u, colors=_INK)
        scale.outline.set_linewidth(0.8 * u)
        return bottom

    def _bar_height(self) -> float:
        """What the legend, the numbers and the scales leave of the panel, within reason."""
        u, tall = self.layout.unit, self.layout.size[1]
        lines = sum(entry.visible and entry.role != "target" for entry in self.scene.legend)
        others = 30 * u * lines + 26 * u * (4 + len(self.scene.cells)) + 370 * u
        room = tall - self.layout.header - self.layout.footer - others
        return float(np.clip(room, 90 * u, 0.26 * tall))

    def _legend(self, left: float, top: float) -> float:
        from matplotlib.patches import Rectangle

        u = self.layout.unit
        for entry in self.scene.legend:
            if not entry.visible or entry.role == "target":
                continue
            shade: dict[str, Any] = {
                "facecolor": entry.colour,
                "alpha": max(0.3, entry.opacity),
                "lw": 0,
                "zorder": 4,
            }
            self.paper.add_patch(Rectangle((left, top - 20 * u), 28 * u, 20 * u, **shade))
            self.text(
                left + 40 * u, top - 10 * u, entry.label, 18, va="center", room=self.layout.panel - 70 * u
            )
            top -= 30 * u
        return top

    def _numbers(self, left: float, top: float) -> None:
        numbers = read_out(self.scene, self.scene.threshold)
        lines = ["Shown: " + numbers.text]
        lines.append(_sentence(words_of(self.camera.azimuth, self.camera.plunge)))
        lines.append(self.scene.grid.crs)
        words = "\n".join(textwrap.fill(part, 40) for line in lines for part in line.split("\n"))
        room = self.layout.panel - 24 * self.layout.unit
        self.text(left, top, words, 15.5, va="top", color=_SOFT, linespacing=1.35, room=room)

    def _compass(self, x: float, y: float) -> None:
        right, up, _ = self.camera.axes
        u = self.layout.unit
        for axis, name in enumerate(("E", "N", "Up")):
            arm = np.array([right[axis], up[axis]])
            if np.linalg.norm(arm) < 0.3:
                continue
            tip = np.array([x, y]) + 52 * u * arm
            colour = "#B30000" if name == "N" else _INK
            style = {"arrowstyle": "-|>", "color": colour, "lw": 2 * u, "shrinkA": 0, "shrinkB": 0}
            style["mutation_scale"] = 15 * u
            self.paper.annotate("", xy=tuple(tip), xytext=(x, y), arrowprops=style, zorder=5)
            beyond = tip + 15 * u * arm / np.linalg.norm(arm)
            weight = "bold" if name == "N" else "normal"
            self.text(*_xy(beyond), name, 17, ha="center", va="center", color=colour, weight=weight)

    def _scale_bar(self, left: float, bottom: float) -> None:
        from matplotlib.patches import Rectangle

        u = self.layout.unit
        length = scale_length(self.camera, self.layout)
        wide = length / self.camera.metres_per_pixel
        for part in range(2):
            face: dict[str, Any] = {
                "facecolor": _INK if part == 0 else "white",
                "edgecolor": _INK,
                "lw": u,
                "zorder": 5,
            }
            self.paper.add_patch(Rectangle((left + part * wide / 2, bottom), wide / 2, 8 * u, **face))
        self.text(left, bottom + 15 * u, f"{length_of(length)} across the view", 17)
        self.text(left, bottom - 26 * u, exaggeration_words(self.exaggeration), 16, color=_SOFT)


def _xy(place: NDArray[Any]) -> tuple[float, float]:
    return float(place[0]), float(place[1])


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def exaggeration_words(exaggeration: float) -> str:
    """The vertical exaggeration, in words."""
    return "no vertical exaggeration" if exaggeration == 1 else f"vertical exaggeration {exaggeration:g}×"


def scale_length(camera: Camera, layout: Layout) -> float:
    """A round length in metres whose bar fits the panel."""
    longest = camera.metres_per_pixel * (layout.panel - 60 * layout.unit)
    step = nice_step(longest, 1)
    return step if step <= longest else nice_step(longest / 2.5, 1)


def scene_axes(scene: Scene, layout: Layout, camera: Camera, exaggeration: float) -> tuple[Axis, Axis, Axis]:
    """The labelled edges of the scene's box on a page."""
    bounds = actors.local_bounds(scene, exaggeration)
    type_size = max(layout.unit, 0.66)  # type does not shrink further
    return axes_for(bounds, scene.bounds, camera, (86 * type_size, 40 * type_size))
