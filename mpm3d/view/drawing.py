"""What a sketch shows: meshes of bodies, their colours and the box around them, and images of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.geometry import Body, Lines, Points, Surface
from mpm3d.grid import FloatArray
from mpm3d.lattice import Raster
from mpm3d.view import actors
from mpm3d.view.camera import Camera
from mpm3d.view.crop import cropped, without_twins
from mpm3d.view.scales import Scale, scales_for
from mpm3d.view.shapes import Shape, shape_of
from mpm3d.wells import Well

# after Okabe and Ito (2008), so that neighbours in the legend differ for every eye
PALETTE = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#7A6A00", "#56B4E9", "#8C510A", "#5E3C99", "#444444",
    "#B2182B",
)  # fmt: skip
_FINER = 2  # drawn this many times finer, then averaged
_WIDE, _SHEER = 0.5, 0.3  # surfaces over more than this share of the map are drawn with this opacity
_EARTH = 1e9  # metres
_EDGED = 1500  # cells of meshes whose edges are drawn
_LONG, _FLATTEST = 12.0, 7.0  # bodies flatter than 1 in 12 are stretched to 1 in 7 at least


@dataclass(frozen=True, eq=False)
class Picture:
    """What is drawn, where, and how.

    Parameters
    ----------
    shapes : tuple of Shape
        Everything but rasters.
    rasters : tuple of Raster
        Drawn on the map.
    bounds : array of shape (2, 3)
        Lowest and highest x, y, elevation, in metres, never without room between them.
    exaggeration : float
        Factor on elevations.
    scales : tuple of Scale or None
        Colour scale of each shape, then of each raster.
    notes : tuple of str
        What was left out, in words.
    """

    shapes: tuple[Shape, ...]
    rasters: tuple[Raster, ...]
    bounds: FloatArray
    exaggeration: float
    scales: tuple[Scale | None, ...]
    notes: tuple[str, ...] = ()

    @property
    def origin(self) -> FloatArray:
        """x, y, elevation that is taken from all coordinates before drawing."""
        return _origin(self.bounds)

    @property
    def flat(self) -> bool:
        """Whether there are rasters only."""
        return not self.shapes

    def colour(self, place: int) -> str:
        """Colour of a shape that has no scale."""
        return PALETTE[place % len(PALETTE)]

    def covers(self, place: int) -> bool:
        """Whether a surface, such as the ground, would hide all others from above."""
        body = self.shapes[place].body
        if not isinstance(body, Surface) or len(self.shapes) == 1:
            return False
        ends = np.reshape(body.bounds, (2, 3))
        span = self.bounds[1, :2] - self.bounds[0, :2]
        return bool(np.prod((ends[1, :2] - ends[0, :2]) / span) > _WIDE)

    def local_bounds(self) -> tuple[float, ...]:
        """``(xmin, ymin, zmin, xmax, ymax, zmax)`` from the origin, elevations exaggerated."""
        local = (self.bounds - self.origin) * [1.0, 1.0, self.exaggeration]
        return tuple(float(v) for v in local.ravel())


def _origin(bounds: FloatArray) -> FloatArray:
    return np.asarray(np.round(bounds.mean(axis=0)))


def arrange(bodies: Sequence[Body]) -> Picture:
    """Meshes, bounds and colours of bodies.

    Raises
    ------
    ValueError
        If none of them has a place.
    """
    rasters = tuple(body for body in bodies if isinstance(body, Raster) and _is_on_earth(body.bounds))
    models, hidden = without_twins([body for body in bodies if not isinstance(body, Raster)])
    notes = [f"{hidden:,} more models in the same places not drawn"] if hidden else []
    placed: list[Any] = []
    for body in models:
        drawn, said = cropped(body)
        if _is_on_earth(drawn.bounds):
            placed.append(drawn)
            notes += [said] if said else []
    if not placed and not rasters:
        raise ValueError("there is nothing to draw: no object with coordinates was read.")
    bounds = _bounds(placed, rasters)
    shapes = tuple(shape_of(body, _origin(bounds)) for body in placed)
    notes += [shape.thinned for shape in shapes if shape.thinned]
    wanted = [_wanted(shape.body, shape, len(shapes) == 1) for shape in shapes]
    wanted += [_raster_values(raster) for raster in rasters]
    scales = tuple(scales_for(wanted))
    return Picture(shapes, rasters, bounds, _exaggeration(bounds), scales, tuple(notes))


def _is_on_earth(bounds: Sequence[float]) -> bool:
    """Whether something has a place, and one that the 32 bits of a renderer can hold."""
    return bool(np.all(np.abs(bounds) < _EARTH))


_Wanted = tuple[str, NDArray[np.float64], Any]


def _wanted(body: Body, shape: Shape, alone: bool) -> _Wanted:
    """Title and values of the property that gives a shape its colours; no values if it has a plain one."""
    values = shape.values
    if values is None or not (shape.solid or alone):
        return "", np.empty(0), None
    return _title(shape.name, body.units.get(shape.name, "")), values, shape.classes


def _raster_values(raster: Raster) -> _Wanted:
    name = next(iter(raster.values), "")
    values = np.asarray(raster.values[name], dtype=float) if name else np.empty(0)
    return _title(name, raster.units.get(name, "")), values[np.isfinite(values)], None


def _title(name: str, units: str) -> str:
    return f"{name} ({units})" if units else name


def _bounds(placed: Sequence[Any], rasters: Sequence[Raster]) -> FloatArray:
    """Room for everything; what is flat or upright gets some on either side."""
    ends = [np.reshape(body.bounds, (2, 3)) for body in placed]
    for raster in rasters:
        xmin, ymin, xmax, ymax = raster.bounds
        z = [np.mean([end[:, 2].mean() for end in ends])] * 2 if ends else [0.0, 0.0]
        ends.append(np.array([[xmin, ymin, z[0]], [xmax, ymax, z[1]]]))
    low, high = np.min(ends, axis=0)[0], np.max(ends, axis=0)[1]
    span = high - low
    least = np.array([0.15, 0.15, 0.02]) * (float(span.max()) or 100.0)
    more = np.maximum(least - span, 0) / 2
    return np.array([low - more, high + more])


def _exaggeration(bounds: FloatArray) -> float:
    """A round factor that makes flat districts readable; 1 for others."""
    wide, high = float((bounds[1] - bounds[0])[:2].max()), float(bounds[1, 2] - bounds[0, 2])
    if wide <= _LONG * high:
        return 1.0
    return next(f for f in (2.0, 5.0, 10.0, 20.0, 50.0, 100.0) if f * high * _FLATTEST >= wide or f == 100.0)


Piece = tuple[int, Any]


def pieces_for_view(picture: Picture) -> list[Piece]:
    """Meshes of the view in three dimensions, each with the place of its shape: solids cut open."""
    found: list[Piece] = []
    for place, shape in enumerate(picture.shapes):
        meshes = _opened(shape.mesh, alone=len(picture.shapes) == 1) if shape.solid else [shape.mesh]
        found += [(place, mesh) for mesh in meshes]
    return found


def _opened(mesh: Any, *, alone: bool) -> list[Any]:
    """A solid that is alone without the quarter that faces the viewer, else slices and the box around it."""
    if not mesh.n_cells:
        return []
    low, high = np.reshape(mesh.bounds, (3, 2)).T
    if alone:
        x, y, z = (np.asarray(mesh.cell_centers().points) - (low + high) / 2).T
        kept = np.flatnonzero(~((x > 0) & (y < 0) & (z > 0)))
        return [_skin(mesh.extract_cells(kept) if len(kept) else mesh)]
    point = _beside_middle(mesh)
    return [*(mesh.slice(normal=axis, origin=point) for axis in "xyz"), mesh.outline()]


def _skin(mesh: Any) -> Any:
    return mesh.extract_surface(algorithm=None)


def _beside_middle(mesh: Any) -> FloatArray:
    """A hair beside the middle, where cells often meet and a plane would cut neither."""
    low, high = np.reshape(mesh.bounds, (3, 2)).T
    return np.asarray((low + high) / 2 + 1e-4 * (high - low))


def pieces_of_map(picture: Picture, *, solid: bool) -> list[Piece]:
    """Whole meshes, seen from above: those of solids, or all others."""
    found: list[Piece] = []
    for place, shape in enumerate(picture.shapes):
        if shape.solid != solid:
            continue
        found.append((place, _skin(shape.mesh) if solid and shape.mesh.n_cells else shape.mesh))
        if isinstance(shape.body, Well) and len(shape.body.path):
            found.append((place, _collar(picture, shape.body)))
    return found


def _collar(picture: Picture, well: Well) -> Any:
    """Where a hole begins, because an upright one is a point of no size from above."""
    import pyvista as pv

    return pv.PolyData((well.path[:1] - picture.origin).astype(np.float32))


def pieces_of_section(picture: Picture, normal: str) -> list[Piece]:
    """What the plane through the middle of the picture cuts; lines and points whole."""
    low, high = picture.bounds
    point = (low + high) / 2 + 1e-5 * (high - low) - picture.origin
    found = []
    for place, shape in enumerate(picture.shapes):
        whole = isinstance(shape.body, Lines | Points | Well) or not shape.mesh.n_cells
        found.append((place, shape.mesh if whole else shape.mesh.slice(normal=normal, origin=point)))
    return found


def render(picture: Picture, camera: Camera, pieces: Sequence[Piece], *, box: bool) -> NDArray[np.uint8]:
    """Meshes as an image ``(height, width, 3)``, white where there is none.

    Parameters
    ----------
    picture : Picture
        What they belong to.
    camera : Camera
        From where, in the coordinates of `Picture.local_bounds`.
    pieces : sequence of (int, mesh)
        Place of the shape and what is drawn of it.
    box : bool
        Whether to draw the edges of the box around everything.
    """
    import pyvista as pv

    width, height = camera.size
    plotter: Any = pv.Plotter(off_screen=True, window_size=[_FINER * width, _FINER * height])
    try:
        plotter.set_background("white")
        # Mesa draws no translucent body when peeling meets multisampling; the averaging below smooths edges
        plotter.render_window.SetMultiSamples(0)
        if any(picture.covers(place) for place, _ in pieces):
            plotter.enable_depth_peeling(number_of_peels=6)
        if box:
            x0, y0, z0, x1, y1, z1 = picture.local_bounds()
            edges = pv.Box(bounds=(x0, x1, y0, y1, z0, z1)).extract_all_edges()
            plotter.add_mesh(edges, color="#9A9A9A", line_width=1.2 * _FINER, lighting=False)
        for place, mesh in pieces:
            if mesh.n_points:
                look = _look(picture, place, mesh)
                if not box and picture.scales[place] is not None:
                    look["lighting"] = False  # colours of a map are those of its scale
                actor = plotter.add_mesh(mesh, **look)
                actor.scale = (1.0, 1.0, picture.exaggeration)
        actors.aim(plotter, camera, picture.local_bounds())
        plotter.render()
        fine = np.asarray(plotter.screenshot(return_img=True))[..., :3]
    finally:
        plotter.close()
    parts = fine.reshape(height, _FINER, width, _FINER, 3)
    image: NDArray[np.uint8] = parts.mean(axis=(1, 3)).round().astype(np.uint8)
    return image


def _look(picture: Picture, place: int, mesh: Any) -> dict[str, Any]:
    """Arguments of ``add_mesh``."""
    shape, scale = picture.shapes[place], picture.scales[place]
    look: dict[str, Any] = {"ambient": 0.55, "diffuse": 0.5, "show_scalar_bar": False}
    kind = next((k for k in ("cell", "point") if "value" in getattr(mesh, f"{k}_data")), None)
    if shape.solid and mesh.n_cells == mesh.n_lines:
        return {**look, "color": "#6A6A6A", "line_width": 1.2 * _FINER, "lighting": False}
    if scale is not None and kind is not None:
        colours = scale.rgb(np.asarray(getattr(mesh, f"{kind}_data")["value"]))
        look |= {"scalars": colours, "rgb": True, "preference": kind}
    else:
        look["color"] = picture.colour(place)
        look["opacity"] = _SHEER if picture.covers(place) and mesh.n_cells > mesh.n_lines else 1.0
    if isinstance(shape.body, Points | Lines | Well):
        # many points would run together
        size = 11.0 if not isinstance(shape.body, Points) else 9.0 if mesh.n_points < 300 else 5.0
        round_points = {"point_size": size * _FINER, "render_points_as_spheres": True}
        return {
            **look,
            **round_points,
            "line_width": 3.0 * _FINER,
            "lighting": isinstance(shape.body, Points),
        }
    if mesh.n_cells and not mesh.n_lines and mesh.n_cells < _EDGED:
        edges = {"show_edges": True, "edge_color": "#404040", "edge_opacity": 0.4}
        return {**look, **edges, "line_width": 0.5 * _FINER}
    return {**look, "line_width": 2.5 * _FINER}
