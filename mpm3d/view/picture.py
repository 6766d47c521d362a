"""A picture of a scene, drawn without a display."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.geometry import Lines
from mpm3d.grid import FloatArray
from mpm3d.view import actors
from mpm3d.view.camera import Camera, fit_camera
from mpm3d.view.faces import target_faces
from mpm3d.view.layout import Layout, drawn_holes, scenes_of, shared_range
from mpm3d.view.page import Page, scene_axes
from mpm3d.view.renderer import require_renderer
from mpm3d.view.scene import Scene

SMALLEST = (800, 600)
SMALLEST_TWO = (1400, 700)
_FINER = 2  # drawn this many times finer, then averaged: smooth edges on every renderer
_SHELL_OPACITIES = (0.3, 0.45, 0.85)


def draw(
    scene: Scene,
    path: str | Path,
    *,
    size: tuple[int, int] = (1600, 1100),
    vertical_exaggeration: float = 1.0,
    view: str | tuple[float, float] = "northwest",
) -> Path:
    """Draw a scene into a PNG file.

    Cells at or above the threshold are coloured by score, the better half and the best tenth of them more
    solid than the rest, so that a core shows through its skin; bodies have the colour of their role.
    The projection is parallel, so that the scale bar holds for the whole picture across the view; the axes
    are labelled with true coordinates whatever the exaggeration. Surfaces are cut off at the grid's edges.
    Named are the deposits, and the best targets with their drillholes, which show through what is in front.
    A scene with another beside it gives two views from the same direction, at one scale, in one colour scale.

    Parameters
    ----------
    scene : Scene
        What to draw.
    path : str or Path
        Where to; ends in ``.png``. Folders that are missing are made, an old file is replaced.
    size : tuple of int
        Width and height in pixels, at least 800 by 600; of two views, at least 1400 by 700.
    vertical_exaggeration : float
        Factor on elevations, stated in the picture.
    view : str or tuple of float
        The direction that is looked to: ``"northwest"`` (from the southeast), ``"north"``, ``"east"``,
        ``"top"`` and so on (`mpm3d.view.camera.VIEWS`), or azimuth and plunge in degrees.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    RuntimeError
        If nothing can be drawn on this machine; says what to install.
    ValueError
        If the file is not a PNG, or the size, exaggeration or view is not possible.
    """
    path = Path(path)
    scenes = scenes_of(scene)
    _check(path, size, vertical_exaggeration, SMALLEST if len(scenes) == 1 else SMALLEST_TWO)
    layout = Layout(size, len(scenes))
    bounds = actors.local_bounds(scene, vertical_exaggeration)
    camera = fit_camera(bounds, view, layout.scene_size, layout.margins)
    require_renderer()
    page = Page(scene, layout, camera, vertical_exaggeration)
    clim = shared_range(scenes)
    views = [_render(each, layout, camera, vertical_exaggeration, clim) for each in scenes]
    page.add_image(np.concatenate(views, axis=1))
    page.annotate()
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.stem}.{os.getpid()}.png")
    try:
        page.save(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _check(path: Path, size: tuple[int, int], vertical_exaggeration: float, least: tuple[int, int]) -> None:
    if path.suffix.lower() != ".png":
        raise ValueError(f"{path.name!r} is not a PNG file, pictures are. Use {path.stem + '.png'!r}.")
    if size[0] < least[0] or size[1] < least[1]:
        raise ValueError(
            f"a picture of {size[0]} × {size[1]} pixels is too small for its labels, "
            f"use at least {least[0]} × {least[1]}."
        )
    check_exaggeration(vertical_exaggeration)


def check_exaggeration(vertical_exaggeration: float) -> None:
    """Raise ValueError for a vertical exaggeration that is not a positive number."""
    if not (np.isfinite(vertical_exaggeration) and vertical_exaggeration > 0):
        raise ValueError(
            f"a vertical exaggeration of {vertical_exaggeration} is not possible, "
            "give a number above 0; 1 is true scale."
        )


def _render(
    scene: Scene, layout: Layout, camera: Camera, exaggeration: float, clim: tuple[float, float]
) -> NDArray[np.uint8]:
    """The bodies without any text, ``(height, width, 3)``."""
    import pyvista as pv

    width, height = camera.size
    plotter: Any = pv.Plotter(off_screen=True, window_size=[_FINER * width, _FINER * height], lighting="none")
    try:
        plotter.set_background("white")
        # Mesa draws no translucent body at all when peeling meets multisampling
        plotter.render_window.SetMultiSamples(0)
        plotter.enable_depth_peeling(number_of_peels=8)
        _light(plotter, camera)
        _add_box(plotter, scene, layout, camera, exaggeration)
        _add_items(plotter, scene, exaggeration)
        _add_holes(plotter, scene, exaggeration, 3.0 * layout.unit * camera.metres_per_pixel)
        _add_targets(plotter, scene, exaggeration, clim)
        actors.aim(plotter, camera, actors.local_bounds(scene, exaggeration))
        plotter.render()
        fine = np.asarray(plotter.screenshot(return_img=True))[..., :3]
    finally:
        plotter.close()
    parts = fine.reshape(height, _FINER, width, _FINER, 3)
    image: NDArray[np.uint8] = parts.mean(axis=(1, 3)).round().astype(np.uint8)
    return image


def _light(plotter: Any, camera: Camera) -> None:
    import pyvista as pv

    right, up, away = camera.axes
    for shift, strength in ((-0.5 * right + 0.9 * up - away, 0.75), (0.8 * right - away, 0.35)):
        light = pv.Light(light_type="scene light", intensity=strength)
        light.positional = False
        light.position = tuple(np.asarray(camera.centre) + shift)
        light.focal_point = camera.centre
        plotter.add_light(light)


def _add_items(plotter: Any, scene: Scene, exaggeration: float) -> None:
    for item in scene.items:
        if not item.visible or item.role in ("target", "drillhole"):
            continue  # the cells of targets are drawn, coloured by score; drillholes as tubes
        mesh = actors.item_mesh(scene, item)
        if not mesh.n_points:
            continue
        made = [plotter.add_mesh(mesh, **actors.look_of(item))]
        for lines, opacity in actors.lines_on(scene, item, mesh):
            look = {"color": item.colour, "line_width": 2 * _FINER, "opacity": opacity, "lighting": False}
            made.append(plotter.add_mesh(lines, **look))
        for actor in made:
            actor.scale = (1.0, 1.0, exaggeration)


def _add_holes(plotter: Any, scene: Scene, exaggeration: float, radius: float) -> None:
    """Drillholes of the best targets as tubes of a radius in metres, round at any exaggeration."""
    for hole in drawn_holes(scene):
        mesh = actors.item_mesh(scene, hole)
        if isinstance(hole.geometry, Lines) and mesh.n_points:
            mesh.points = np.asarray(mesh.points) * np.array([1.0, 1.0, exaggeration], dtype=np.float32)
            plotter.add_mesh(mesh.tube(radius=radius, n_sides=12), color=hole.colour, ambient=0.3)


def _add_targets(plotter: Any, scene: Scene, exaggeration: float, clim: tuple[float, float]) -> None:
    """Cells at or above the threshold; the best of them more solid, so that a core shows through its skin."""
    for threshold, opacity in shells(scene):
        mesh = actors.face_mesh(target_faces(scene, threshold))
        actor = plotter.add_mesh(
            mesh, scalars="value", cmap=actors.score_map(), clim=clim,
            show_scalar_bar=False, opacity=opacity, ambient=0.5, diffuse=0.55,
        )  # fmt: skip
        actor.scale = (1.0, 1.0, exaggeration)


_ZONE = 0.05  # share of the volume above which targets run together


def shells(scene: Scene) -> list[tuple[float, float]]:
    """Score from which cells are drawn, and opacity: all shown cells, the better half, the best tenth.

    Of a zone of more than a twentieth of the volume, they are all, the best twentieth and the best hundredth
    of the volume, so that its core is seen.
    """
    values = scene.values[scene.values >= np.float32(scene.threshold)]
    if not values.size:
        return []
    share = values.size / np.isfinite(scene.values).sum()
    inner = (0.5, 0.9) if share <= _ZONE else (1 - _ZONE / share, 1 - _ZONE / 5 / share)
    starts = [float(values.min()), *(float(v) for v in np.quantile(values, inner, method="lower"))]
    distinct = dict(zip(starts, _SHELL_OPACITIES, strict=True))
    if len(distinct) == 1:  # one score only, so no skin around a core
        return [(starts[0], _SHELL_OPACITIES[-1])]
    return list(distinct.items())


def _add_box(plotter: Any, scene: Scene, layout: Layout, camera: Camera, exaggeration: float) -> None:
    """The edges of the walls behind, and lines on them at the ticks; nothing in front of the bodies."""
    import pyvista as pv

    edges, lines = _box_lines(scene, layout, camera, exaggeration)
    for points, colour, width in ((lines, "#DCDCDC", 1.0), (edges, "#8A8A8A", 1.3)):
        if len(points):
            pairs = np.column_stack([np.full(len(points) // 2, 2), np.arange(len(points)).reshape(-1, 2)])
            mesh = pv.PolyData(points.astype(np.float32), lines=pairs.ravel())
            plotter.add_mesh(mesh, color=colour, line_width=width * _FINER, lighting=False)


def _box_lines(
    scene: Scene, layout: Layout, camera: Camera, exaggeration: float
) -> tuple[FloatArray, FloatArray]:
    """Ends ``(2 n, 3)`` of the edges and of the tick lines of the walls behind the bodies."""
    low, high = np.reshape(actors.local_bounds(scene, exaggeration), (2, 3))
    _, _, away = camera.axes
    axes = scene_axes(scene, layout, camera, exaggeration)
    edges: list[FloatArray] = []
    lines: list[FloatArray] = []
    for wall in (k for k in range(3) if abs(away[k]) > 0.02):
        for axis in (k for k in range(3) if k != wall):
            along = 3 - wall - axis
            inner = (axes[axis].places - scene.origin[axis]) * (exaggeration if axis == 2 else 1.0)
            for place, kept in [*((v, lines) for v in inner), (low[axis], edges), (high[axis], edges)]:
                ends = np.empty((2, 3))
                ends[:, wall] = high[wall] if away[wall] > 0 else low[wall]
                ends[:, axis] = place
                ends[:, along] = low[along], high[along]
                kept.append(ends)
    empty = np.empty((0, 3))
    return np.concatenate([empty, *edges]), np.concatenate([empty, *lines])
