"""The panel beside a drawn scene: colour scale, legend, numbers, directions and scale."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from mpm3d.view import actors
from mpm3d.view.camera import Camera, length_of, nice_step, words_of
from mpm3d.view.counts import read_out
from mpm3d.view.layout import DPI, INK, SOFT, Layout, drawn_holes, shared_range, xy
from mpm3d.view.scene import style_of

if TYPE_CHECKING:
    from mpm3d.view.page import Page


def add_to(page: Page) -> None:
    """Write the panel at the right of a page, from the top down."""
    u = page.layout.unit
    left = page.layout.size[0] - page.layout.panel + 14 * u
    top = page.layout.size[1] - page.layout.header - 8 * u
    top = _colour_bar(page, left, top)
    top = _legend(page, left, top - 34 * u)
    compass = page.layout.footer + 150 * u
    _numbers(page, left, top - 22 * u, compass + 92 * u)
    _compass(page, left + 70 * u, compass)
    _scale_bar(page, left, page.layout.footer + 38 * u)


def _colour_bar(page: Page, left: float, top: float) -> float:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    u = page.layout.unit
    room = page.layout.panel - 30 * u
    page.text(left, top, page.scene.score_name, 20, va="top", weight="bold", room=room)
    page.text(left, top - 28 * u, page.scene.units, 17, va="top", color=SOFT, room=room)
    height = _bar_height(page)
    bottom = top - 66 * u - height
    width, tall = page.layout.size
    bar = page.figure.add_axes((left / width, bottom / tall, 28 * u / width, height / tall))
    mappable = ScalarMappable(Normalize(*shared_range(page.scenes)), actors.score_map())
    scale = page.figure.colorbar(mappable, cax=bar)
    scale.ax.tick_params(labelsize=max(8.5, 17 * u) * 72 / DPI, width=u, length=5 * u, colors=INK)
    scale.outline.set_linewidth(0.8 * u)
    return bottom


def _bar_height(page: Page) -> float:
    """What the legend, the numbers and the scales leave of the panel, within reason."""
    u, tall = page.layout.unit, page.layout.size[1]
    lines = sum(entry.visible and entry.role != "target" for entry in page.scene.legend)
    others = 30 * u * lines + 24 * u * (4 + len(page.scene.cells)) * len(page.scenes) + 370 * u
    room = tall - page.layout.header - page.layout.footer - others
    return float(np.clip(room, 90 * u, 0.26 * tall))


def _legend(page: Page, left: float, top: float) -> float:
    from matplotlib.patches import Rectangle

    u = page.layout.unit
    for entry in page.scene.legend:
        if not entry.visible or entry.role == "target":
            continue
        shade: dict[str, Any] = {
            "facecolor": entry.colour,
            "alpha": max(0.3, entry.opacity),
            "lw": 0,
            "zorder": 4,
        }
        rim: dict[str, Any] = {"fill": False, "edgecolor": entry.colour, "lw": 1.6 * u, "zorder": 4}
        for look in (shade, rim):  # pale colours are told apart by their rims
            page.paper.add_patch(Rectangle((left, top - 20 * u), 28 * u, 20 * u, **look))
        words = _hole_words(page) if entry.role == "drillhole" else entry.label
        page.text(left + 40 * u, top - 10 * u, words, 18, va="center", room=page.layout.panel - 70 * u)
        top -= 30 * u
    return top


def _hole_words(page: Page) -> str:
    """The legend of drillholes, of which only those of the best targets are drawn."""
    drawn = len(drawn_holes(page.scene))
    total = sum(item.role == "drillhole" for item in page.scene.items)
    label = style_of("drillhole").label
    return label if total == 1 else f"{label} ({drawn} of {total})" if drawn < total else f"{label} ({total})"


def _numbers(page: Page, left: float, top: float, bottom: float) -> None:
    """What the threshold keeps, and from where it is seen; smaller where the panel has less room."""
    lines = ["Shown: " + read_out(page.scene, page.scene.threshold).text]
    if len(page.scenes) > 1:
        texts = [read_out(scene, scene.threshold).text for scene in page.scenes]
        lines = [f"{side}: {text}" for side, text in zip(("Left", "Right"), texts, strict=True)]
    lines.append(_sentence(words_of(page.camera.azimuth, page.camera.plunge)))
    lines.append(page.scene.grid.crs)
    words = "\n".join(textwrap.fill(part, 40) for line in lines for part in line.split("\n"))
    room = page.layout.panel - 24 * page.layout.unit
    made = page.text(left, top, words, 15.5, va="top", color=SOFT, linespacing=1.35, room=room)
    tall = made.get_window_extent(page.canvas.get_renderer()).height
    if tall > top - bottom:
        made.set_fontsize(max(4.5, 0.98 * made.get_fontsize() * (top - bottom) / tall))


def _compass(page: Page, x: float, y: float) -> None:
    right, up, _ = page.camera.axes
    u = page.layout.unit
    for axis, name in enumerate(("E", "N", "Up")):
        arm = np.array([right[axis], up[axis]])
        if np.linalg.norm(arm) < 0.3:
            continue
        tip = np.array([x, y]) + 52 * u * arm
        colour = "#B30000" if name == "N" else INK
        style = {"arrowstyle": "-|>", "color": colour, "lw": 2 * u, "shrinkA": 0, "shrinkB": 0}
        style["mutation_scale"] = 15 * u
        page.paper.annotate("", xy=tuple(tip), xytext=(x, y), arrowprops=style, zorder=5)
        beyond = tip + 15 * u * arm / np.linalg.norm(arm)
        weight = "bold" if name == "N" else "normal"
        page.text(*xy(beyond), name, 17, ha="center", va="center", color=colour, weight=weight)


def _scale_bar(page: Page, left: float, bottom: float) -> None:
    from matplotlib.patches import Rectangle

    u = page.layout.unit
    length = scale_length(page.camera, page.layout)
    wide = length / page.camera.metres_per_pixel
    for part in range(2):
        face: dict[str, Any] = {
            "facecolor": INK if part == 0 else "white",
            "edgecolor": INK,
            "lw": u,
            "zorder": 5,
        }
        page.paper.add_patch(Rectangle((left + part * wide / 2, bottom), wide / 2, 8 * u, **face))
    page.text(left, bottom + 15 * u, f"{length_of(length)} across the view", 17)
    page.text(left, bottom - 26 * u, exaggeration_words(page.exaggeration), 16, color=SOFT)


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
