"""Title, axes, scales and legend around a drawn scene, as type and not as part of the rendering."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d import __version__
from mpm3d.geometry import Lines
from mpm3d.view import actors, sidebar
from mpm3d.view.camera import AXIS_NAMES, Axis, Camera, axes_for, readable
from mpm3d.view.layout import BEST, DPI, INK, SOFT, Layout, drawn_holes, scenes_of, xy
from mpm3d.view.scene import Item, Scene, SceneTarget, bounds_of_item

_NAMED = ("target", "deposit", "blind deposit")


class Page:
    """A page with a scene, and the one beside it if the layout has room, in pixels from the lower left."""

    def __init__(self, scene: Scene, layout: Layout, camera: Camera, exaggeration: float) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.scene, self.layout, self.camera, self.exaggeration = scene, layout, camera, exaggeration
        self.scenes = scenes_of(scene)[: layout.panes]
        width, height = layout.size
        self.figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
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
        self.text(width - 28 * u, 23 * u, maker, 15, ha="right", va="center", color=SOFT)
        for pane, scene in enumerate(self.scenes):
            self._pane(pane, scene)
        sidebar.add_to(self)

    def _pane(self, pane: int, scene: Scene) -> None:
        """What is written in a view, and above it where there are several."""
        u, corner = self.layout.unit, self.layout.corner(pane)
        width, height = self.layout.scene_size
        if len(self.scenes) > 1:
            top = corner[1] + height + 10 * u
            self.text(corner[0] + 28 * u, top, scene.title, 23, weight="bold", room=width - 40 * u)
        for axis in scene_axes(scene, self.layout, self.camera, self.exaggeration)[::-1]:
            if axis.labelled:
                self._label(axis, corner)
        for target in scene.targets[:BEST]:  # first, so that no other name takes the place of the best
            self._name(target, scene, pane)
        self._name_holes(scene, pane)
        for item in scene.items:
            if item.visible and item.role in _NAMED:
                self._name(item, scene, pane)

    def save(self, path: Path) -> None:
        """Write the PNG; the title and the caution go into its text fields too."""
        texts = {"Title": self.scene.title, "Description": self.scene.caution}
        self.figure.savefig(path, dpi=DPI, metadata={**texts, "Software": f"mpm3d {__version__}"})

    @property
    def title(self) -> str:
        """The title of the page."""
        return self.scene.title if len(self.scenes) == 1 else "Two models side by side"

    def text(self, x: float, y: float, words: str, size: float, *, room: float = 0, **more: Any) -> Any:
        """Write words; ``size`` in pixels of the usual page, less where ``room`` pixels are too few."""
        points = max(8.5, size * self.layout.unit) * 72 / DPI
        more = {"color": INK, "va": "baseline", "ha": "left", "zorder": 5, **more}
        made = self.paper.text(x, y, words, fontsize=points, **more)
        if room:
            wide = made.get_window_extent(self.canvas.get_renderer()).width
            if wide > room:
                made.set_fontsize(max(4.5, 0.99 * points * room / wide))
        return made

    def _title(self) -> None:
        u, (width, height) = self.layout.unit, self.layout.size
        x, y, room = 28 * u, height - 20 * u, width - 56 * u
        made = self.text(x, y, self.title, 30, va="top", weight="bold")
        if made.get_window_extent(self.canvas.get_renderer()).width > room:
            made.remove()
            lines = textwrap.wrap(self.title, max(40, len(self.title) // 2 + 8))
            self.text(x, y, "\n".join(lines), 24, room=room, va="top", weight="bold")
        if self.scene.note:
            lines = textwrap.wrap(self.scene.note, max(110, len(self.scene.note) // 2 + 12))
            self.text(x, y - 46 * u, "\n".join(lines), 17, room=room, va="top", color=SOFT)

    def _text_if_free(
        self, x: float, y: float, words: str, size: float, *, pane: int = -1, **more: Any
    ) -> Any:
        """Write words unless they would meet words written this way before, or leave a view; None then."""
        made = self.text(x, y, words, size, **more)
        box = made.get_window_extent(self.canvas.get_renderer()).padded(3 * self.layout.unit)
        out = pane >= 0 and not self._holds(box, pane)
        if out or any(box.overlaps(other) for other in self._taken):
            made.remove()
            return None
        self._taken.append(box)
        return made

    def _holds(self, box: Any, pane: int) -> bool:
        """Whether a view holds a box of the page."""
        low, size = self.layout.corner(pane), self.layout.scene_size
        inside = np.array([[box.x0, box.y0], [box.x1, box.y1]]) - low
        return bool((inside >= 0).all() and (inside <= size).all())

    def line(self, x: Any, y: Any, **more: Any) -> None:
        """Draw a line."""
        self.paper.plot(x, y, **{"color": INK, "lw": 1.2 * self.layout.unit, "zorder": 4, **more})

    def _label(self, axis: Axis, shift: NDArray[np.float64]) -> None:
        u = self.layout.unit
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
            made = self._text_if_free(*xy(point + 14 * u * out), readable(float(place)), 18, ha=ha, va=va)
            if made is None:
                continue
            box = made.get_window_extent(self.canvas.get_renderer())
            wide = max(wide, abs(out[0]) * box.width + abs(out[1]) * box.height)
        angle = float(np.degrees(np.arctan2(along[1], along[0])))
        angle = angle - 180 if angle > 90.5 else angle + 180 if angle < -90 else angle
        if not wide:
            return
        spot = ends.mean(axis=0) + (14 * u + wide + 16 * max(u, 0.9)) * out
        self.text(*xy(spot), AXIS_NAMES[axis.axis], 19, ha="center", va="center", rotation=angle,
            rotation_mode="anchor",
        )  # fmt: skip

    def _pixels(self, scene: Scene, places: Any, pane: int) -> NDArray[np.float64]:
        """Where true coordinates ``(n, 3)`` fall on the page."""
        local = (np.asarray(places, dtype=float) - np.asarray(scene.origin)) * [1.0, 1.0, self.exaggeration]
        return np.asarray(self.camera.pixels(local) + self.layout.corner(pane))

    def _name(self, what: Item | SceneTarget, scene: Scene, pane: int) -> None:
        """The name of a body above it, or beside its top, as far as it does not meet another name."""
        if isinstance(what, SceneTarget):
            (x0, y0, _, x1, y1, z1), words, colour = what.bounds, what.id, INK
        else:
            (x0, y0, _, x1, y1, z1), words, colour = bounds_of_item(scene, what), what.name, what.colour
        size = 18 if isinstance(what, SceneTarget) else 15
        place = self._pixels(scene, [[(x0 + x1) / 2, (y0 + y1) / 2, z1]], pane)[0]
        self._write_beside(place, words, size, pane, color=colour)

    def _write_beside(
        self, place: NDArray[np.float64], words: str, size: float, pane: int, **more: Any
    ) -> bool:
        """Write words where there is room around a place in a view, or not at all; whether there was."""
        u = self.layout.unit
        more = {**more, "weight": "bold", "path_effects": self._halo(), "zorder": 6}
        for right, up, ha, va in (
            (0, 4, "center", "bottom"), (8, 0, "left", "center"), (-8, 0, "right", "center"),
            (0, -6, "center", "top"),
        ):  # fmt: skip
            x, y = place + np.array([right, up]) * u
            if self._text_if_free(x, y, words, size, pane=pane, ha=ha, va=va, **more) is not None:
                return True
        return False

    def _halo(self) -> list[Any]:
        """White around letters, so that they are read on any colour."""
        from matplotlib.patheffects import withStroke

        return [withStroke(linewidth=3.5 * self.layout.unit, foreground="white", alpha=0.85)]

    def _name_holes(self, scene: Scene, pane: int) -> None:
        """The drillholes that are drawn, seen through what is in front of them, and their names."""
        for hole in drawn_holes(scene):
            if not isinstance(hole.geometry, Lines):
                continue
            way = self._pixels(scene, hole.geometry.vertices, pane)
            self.line(*way.T, color=hole.colour, lw=1.6 * self.layout.unit, ls=(0, (4, 2)), alpha=0.7)
            collar, *_, end = way
            if not self._write_beside(collar, hole.name, 15, pane, color=hole.colour):
                self._write_beside(end, hole.name, 15, pane, color=hole.colour)


def scene_axes(scene: Scene, layout: Layout, camera: Camera, exaggeration: float) -> tuple[Axis, Axis, Axis]:
    """The labelled edges of the scene's box on a page."""
    bounds = actors.local_bounds(scene, exaggeration)
    type_size = max(layout.unit, 0.66)  # type does not shrink further
    return axes_for(bounds, scene.bounds, camera, (86 * type_size, 40 * type_size))
