"""The page of a sketch: panels with axes in true coordinates, colour scales, legend and captions."""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d import __version__
from mpm3d.geometry import Lines, Points
from mpm3d.lattice import Raster
from mpm3d.view.camera import Camera, fit_camera, marks_for, readable, words_of
from mpm3d.view.drawing import Picture, Piece, pieces_for_view, pieces_of_map, pieces_of_section, render
from mpm3d.view.scales import Scale
from mpm3d.view.sidebar import exaggeration_words
from mpm3d.wells import Well

_INK, _SOFT = "#1A1A1A", "#5A5A5A"
_DPI = 100.0
_ROWS, _COLUMNS, _COLUMN = 4, 4, 0.142  # of the legend, and the share of the page of a column
_FINEST = 1500  # cells of a raster along an axis
Place = tuple[float, float, float, float]


class Sheet:
    """A page of ``size`` pixels; places of panels are shares of it: left, bottom, width, height."""

    def __init__(self, picture: Picture, size: tuple[int, int]) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.picture, self.size = picture, size
        self.figure = Figure(figsize=(size[0] / _DPI, size[1] / _DPI), dpi=_DPI, facecolor="white")
        FigureCanvasAgg(self.figure)
        self.middle = picture.bounds.mean(axis=0)  # sections go through it

    def fill(self) -> None:
        """Draw everything."""
        self._title()
        if self.picture.flat:
            self._map((0.08, 0.24, 0.86, 0.68))
        else:
            self._view((0.01, 0.22, 0.56, 0.71))
            self._map((0.66, 0.56, 0.32, 0.36))
            self._section((0.66, 0.34, 0.32, 0.14), "A", "y")
            self._section((0.66, 0.12, 0.32, 0.14), "B", "x")
        self._bars()
        self._legend()
        self._caption()

    def save(self, path: Path) -> None:
        """Write the PNG."""
        self.figure.savefig(path, dpi=_DPI, metadata={"Software": f"mpm3d {__version__}"})

    @property
    def _bodies(self) -> list[Any]:
        return [*(shape.body for shape in self.picture.shapes), *self.picture.rasters]

    def _write(self, x: float, y: float, words: str, size: float = 10, **more: Any) -> Any:
        return self.figure.text(x, y, words, fontsize=size, **{"color": _INK, "va": "top", **more})

    def _title(self) -> None:
        bodies = self._bodies
        kinds = Counter(body.kind or type(body).__name__ for body in bodies)
        words = ", ".join(f"{count:,} × {kind}" if count > 1 else kind for kind, count in kinds.items())
        words += f" {bodies[0].name!r}" if len(bodies) == 1 else ""
        self._write(0.02, 0.978, short(words, 100), 18, weight="bold")

    def _view(self, place: Place) -> None:
        """The view in three dimensions, its box labelled with true coordinates."""
        width, height = self._pixels(place)
        bounds, true = self.picture.local_bounds(), self.picture.bounds.ravel().tolist()
        camera = fit_camera(bounds, "northwest", (width, height), (110, 90, 90, 30))
        axes = self.figure.add_axes(place)
        axes.imshow(render(self.picture, camera, pieces_for_view(self.picture), box=True), aspect="auto")
        axes.axis("off")
        marks = marks_for(bounds, true, camera)
        ends = camera.pixels(marks.ends).reshape(-1, 2, 2)
        for start, stop in ends:
            axes.plot([start[0], stop[0]], [height - start[1], height - stop[1]], color=_INK, lw=1)
        taken: list[Any] = []
        for (x, y), words in zip(camera.pixels(marks.points), marks.words, strict=True):
            _write_free(axes, (x, height - y), words, taken, ha="center", va="center")
        self._name_wells(axes, camera, taken)
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        words = words_of(camera.azimuth, camera.plunge)
        self._write(place[0] + 0.01, place[1] + place[3] + 0.005, words[:1].upper() + words[1:], color=_SOFT)

    def _name_wells(self, axes: Any, camera: Camera, taken: list[Any]) -> None:
        """Names at the collars, as far as they do not meet."""
        for well in (body for body in self._bodies if isinstance(body, Well)):
            local = (well.collar - self.picture.origin) * [1.0, 1.0, self.picture.exaggeration]
            x, y = camera.pixels(local[None])[0]
            spot = (x + 6, camera.size[1] - y - 6)
            _write_free(axes, spot, short(well.name, 24), taken, path_effects=_halo(), va="bottom")

    def _pixels(self, place: Place) -> tuple[int, int]:
        return round(place[2] * self.size[0]), round(place[3] * self.size[1])

    def _panel(self, place: Place, azimuth: float, plunge: float, layers: Sequence[Sequence[Piece]]) -> Any:
        """Axes in true coordinates with what a parallel projection shows of some pieces, layer on layer."""
        size = self._pixels(place)
        stretch = self.picture.exaggeration
        camera = _level_camera(self.picture.local_bounds(), azimuth, plunge, size)
        right, up, _ = camera.axes
        across, upright = int(np.argmax(np.abs(right))), int(np.argmax(np.abs(up)))
        half = np.array(size) * camera.metres_per_pixel / 2
        middle = np.array([camera.centre[across], camera.centre[upright]])
        scale = np.array([1.0, stretch if upright == 2 else 1.0])
        low, high = (
            (middle + sign * half) / scale + self.picture.origin[[across, upright]] for sign in (-1, 1)
        )
        axes = self.figure.add_axes(place)
        for order, pieces in enumerate(layers):
            image = render(self.picture, camera, pieces, box=False)
            alpha = np.where((image == 255).all(axis=2), 0, 255).astype(np.uint8)
            axes.imshow(
                np.dstack([image, alpha]),
                extent=(low[0], high[0], low[1], high[1]),
                aspect="auto",
                zorder=order + 1,
            )
        axes.set_xlim(low[0], high[0])
        axes.set_ylim(low[1], high[1])
        self._ticks(axes)
        return axes

    def _ticks(self, axes: Any) -> None:
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
            axis.set_major_formatter(FuncFormatter(lambda value, _: readable(float(value))))
        axes.tick_params(labelsize=9, colors=_INK)
        axes.grid(color="#000000", alpha=0.12, lw=0.7)

    def _map(self, place: Place) -> None:
        """Everything from above: rasters, on them solids, on them the rest."""
        picture = self.picture
        layers = [] if picture.flat else [pieces_of_map(picture, solid=solid) for solid in (True, False)]
        axes = self._panel(place, 0.0, 90.0, [pieces for pieces in layers if pieces])
        for raster, scale in zip(picture.rasters, picture.scales[len(picture.shapes) :], strict=True):
            _add_raster(axes, raster, scale)
        axes.set_xlabel("Easting (m)", fontsize=10)
        axes.set_ylabel("Northing (m)", fontsize=10)
        axes.set_title("Map" if picture.flat else "Map, from above", fontsize=11, loc="left")
        if picture.flat:
            return
        for look in ({"color": "white", "lw": 3, "alpha": 0.6}, {"color": _INK, "lw": 1, "ls": (0, (6, 4))}):
            axes.axhline(self.middle[1], zorder=1.5, **look)
            axes.axvline(self.middle[0], zorder=1.5, **look)
        more: dict[str, Any] = {"fontsize": 11, "weight": "bold", "zorder": 10, "va": "bottom"}
        more["path_effects"] = _halo()
        for name, x, ha in (("A ", 0.012, "left"), ("A′", 0.988, "right")):
            axes.text(x, self.middle[1], name, ha=ha, transform=axes.get_yaxis_transform(), **more)
        for name, y in ((" B", 0.012), (" B′", 0.93)):
            axes.text(self.middle[0], y, name, transform=axes.get_xaxis_transform(), **more)

    def _section(self, place: Place, name: str, normal: str) -> None:
        """The plane through the middle, seen from the south or the east."""
        axes = self._panel(
            place, 0.0 if normal == "y" else 270.0, 0.0, [pieces_of_section(self.picture, normal)]
        )
        along, across, at = ("Easting", "northing", 1) if normal == "y" else ("Northing", "easting", 0)
        axes.set_xlabel(f"{along} (m)", fontsize=10)
        axes.set_ylabel("Elevation (m)", fontsize=10)
        stretch = self.picture.exaggeration
        words = f", {exaggeration_words(stretch)}" if stretch != 1 else ""
        # whole metres, or the hundredth part of a small body
        span = float(np.ptp(self.picture.bounds[:, at]))
        digits = max(0, math.ceil(2 - math.log10(span)))
        title = f"Section {name}–{name}′ at {across} {readable(round(float(self.middle[at]), digits))}{words}"
        axes.set_title(title, fontsize=11, loc="left")

    def _bars(self) -> None:
        """Colour scales beside each other; codes are in the legend."""
        from matplotlib.cm import ScalarMappable
        from matplotlib.ticker import NullFormatter

        scales = [scale for scale in self._scales() if scale.labels is None]
        room = 0.53 / max(len(scales), 2)
        for number, scale in enumerate(scales):
            left = 0.035 + number * room
            axes = self.figure.add_axes((left, 0.168, room - 0.03, 0.014))
            bar = self.figure.colorbar(
                ScalarMappable(scale.norm, scale.colours),
                cax=axes,
                orientation="horizontal",
                extend=scale.extend,
            )
            bar.ax.tick_params(labelsize=9)
            bar.ax.xaxis.set_minor_formatter(NullFormatter())
            bar.ax.set_title(short(scale.title, round(120 * room)), fontsize=10.5, loc="left", weight="bold")

    def _scales(self) -> list[Scale]:
        found: dict[str, Scale] = {}
        for scale in self.picture.scales:
            if scale is not None:
                found.setdefault(scale.title, scale)
        return list(found.values())

    def _legend(self) -> None:
        entries = self._entries()
        room = _ROWS * _COLUMNS
        more = len(entries) - room + 1
        if more > 1:
            entries = [*entries[: room - 1], (f"and {more:,} more", [])]
        for number, (words, colours) in enumerate(entries):
            column, row = divmod(number, _ROWS)
            x, y = 0.035 + column * _COLUMN, 0.118 - row * 0.021
            self._swatch(x, y - 0.012, colours)
            self._write_within(x + 0.017, y, words, _COLUMN - 0.025)

    def _swatch(self, x: float, y: float, colours: Sequence[Any]) -> None:
        """One colour, or several of a scale beside each other."""
        from matplotlib.patches import Rectangle

        wide = 0.012 / max(len(colours), 1)
        for number, colour in enumerate(colours):
            self.figure.add_artist(Rectangle((x + number * wide, y), wide, 0.012, facecolor=colour, lw=0))

    def _write_within(self, x: float, y: float, words: str, room: float) -> None:
        """Write words, their middle left out where they are wider than a share of the page."""
        made = self._write(x, y, words, 10)
        wide = made.get_window_extent().width / self.size[0]
        if wide > room:
            made.set_text(short(words, max(6, int(0.93 * len(words) * room / wide))))

    def _entries(self) -> list[tuple[str, list[Any]]]:
        """Words and colours of the lines of the legend: classes, bodies of one colour, those of a scale."""
        entries: list[tuple[str, list[Any]]] = []
        for scale in self._scales():
            for value, label in (scale.labels or {}).items():
                entries.append((label, [scale.colours(scale.norm(value))]))
        for place, shape in enumerate(self.picture.shapes):
            if self.picture.scales[place] is None:
                entries.append((shape.body.name, [self.picture.colour(place)]))
        if len(self._bodies) > 1:
            for body, shared in zip(self._bodies, self.picture.scales, strict=True):
                if shared is not None:
                    entries.append((body.name, list(shared.colours(np.linspace(0, 1, 6)))))
        return entries

    def _caption(self) -> None:
        picture = self.picture
        words = [] if picture.flat else [exaggeration_words(picture.exaggeration)]
        if any(shape.solid for shape in picture.shapes):
            alone = len(picture.shapes) == 1
            words.append(
                "a quarter is cut out of the model" if alone else "of models, slices through the middle"
            )
        if any(isinstance(shape.body, Lines | Points | Well) for shape in picture.shapes):
            words.append("sections show what they cut, and all lines, holes and points")
        words += picture.notes
        if picture.rasters and picture.shapes:
            words.append("rasters are on the map only")
        text = "; ".join(words)
        lines = textwrap.wrap(text[:1].upper() + text[1:], 190)
        lines = [*lines[:1], short(lines[1], 185)] if len(lines) > 1 else lines
        self._write(0.02, 0.034, "\n".join(lines), 9.5, color=_SOFT, linespacing=1.3)


def _write_free(axes: Any, spot: tuple[float, float], words: str, taken: list[Any], **more: Any) -> None:
    """Write words unless they meet others."""
    made = axes.text(*spot, words, fontsize=9.5, color=_INK, **more)
    box = made.get_window_extent().padded(3)
    if any(box.overlaps(other) for other in taken):
        made.remove()
    else:
        taken.append(box)


def _halo() -> list[Any]:
    """White around letters, so that they are read on any colour."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=3, foreground="white", alpha=0.85)]


def short(words: str, most: int) -> str:
    """Words with their middle left out where they are too long.

    Examples
    --------
    >>> short("Whittier_fault-CFM6_2000m", 14)
    'Whittie…_2000m'
    """
    if len(words) <= most:
        return words
    first = most // 2
    return f"{words[:first]}…{words[first + 1 - most :]}"


def _level_camera(bounds: Sequence[float], azimuth: float, plunge: float, size: tuple[int, int]) -> Camera:
    """Camera that shows a box along one of the axes, with a little room around it."""
    return fit_camera(bounds, (azimuth, plunge), size, (12, 12, 10, 10))


def _add_raster(axes: Any, raster: Raster, scale: Scale | None) -> None:
    name = next(iter(raster.values), "")
    if scale is None or not name:
        return
    ny, nx = raster.shape
    cut_y, cut_x = (max(1, -(-n // _FINEST)) for n in (ny, nx))
    values = np.asarray(raster.values[name], dtype=float)[::cut_y, ::cut_x]
    image = np.dstack([scale.rgb(values), np.where(np.isfinite(values), 255, 0).astype(np.uint8)])
    if raster.frame is None:
        xmin, ymin, xmax, ymax = raster.bounds
        extent = (xmin, xmax, ymin, ymax)
        axes.imshow(image, extent=extent, origin="lower", aspect="auto", zorder=0.5, interpolation="nearest")
        return
    x, y = _edges(raster.x, cut_x), _edges(raster.y, cut_y)
    local = np.stack([*np.meshgrid(x, y), np.zeros((len(y), len(x)))], axis=-1)
    world = raster.frame.to_world(local.reshape(-1, 3)).reshape(local.shape)
    axes.pcolormesh(world[..., 0], world[..., 1], image / 255, zorder=0.5)


def _edges(centres: NDArray[Any], cut: int) -> NDArray[Any]:
    """Edges of every ``cut`` cells."""
    step = float(centres[-1] - centres[0]) / (len(centres) - 1) if len(centres) > 1 else 1.0
    count = -(-len(centres) // cut)
    ends = np.minimum(np.arange(count + 1) * cut, len(centres))
    return np.asarray(centres[0] + (ends - 0.5) * step)
