"""Meshes of a scene for VTK, from the scene's origin, z not exaggerated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mpm3d.geometry import Lines, Points, Surface
from mpm3d.view.camera import Camera, Marks, nice_step
from mpm3d.view.faces import Faces, cell_faces
from mpm3d.view.scene import SCORE_COLOURS, Item, Scene, SceneTarget


def face_mesh(faces: Faces) -> Any:
    """Quadrilaterals, a value each."""
    import pyvista as pv

    if not len(faces.values):
        return pv.PolyData()
    corners = np.arange(4 * len(faces.values)).reshape(-1, 4)
    mesh = _polygons(faces.corners.reshape(-1, 3), corners)
    mesh.cell_data["value"] = faces.values
    return mesh


def _polygons(points: Any, corners: Any) -> Any:
    import pyvista as pv

    return pv.PolyData.from_regular_faces(points, corners)


def item_mesh(scene: Scene, item: Item) -> Any:
    """Mesh of an object, cut off at the edges of what is drawn; empty if all of it lies outside."""
    import pyvista as pv

    shape = item.geometry
    if not isinstance(shape, Surface | Lines | Points):
        return _flattened(face_mesh(cell_faces(scene, shape)), scene)
    points = np.asarray(shape.vertices - np.asarray(scene.origin), dtype=np.float32)
    if isinstance(shape, Surface):
        mesh = _polygons(points, shape.triangles) if len(shape.triangles) else pv.PolyData()
    elif isinstance(shape, Lines):
        pairs = np.column_stack([np.full(len(shape.segments), 2), shape.segments])
        mesh = pv.PolyData(points, lines=pairs.ravel())
    else:
        mesh = pv.PolyData(points) if len(points) else pv.PolyData()
    return _cut(_flattened(mesh, scene), local_bounds(scene))


def _flattened(mesh: Any, scene: Scene) -> Any:
    """A mesh at the height at which a map is drawn, whatever elevations it has; of a volume, as it is."""
    if scene.flat and mesh.n_points:
        mesh.points[:, 2] = local_bounds(scene)[2]
    return mesh


def local_bounds(scene: Scene, exaggeration: float = 1.0) -> tuple[float, ...]:
    """``(xmin, ymin, zmin, xmax, ymax, zmax)`` of what is drawn, from the scene's origin.

    A map is drawn without any height, through the middle of its cells.
    """
    x0, y0, z0, x1, y1, z1 = scene.bounds
    if scene.flat:
        z0 = z1 = scene.grid.first_centre[0]
    return local_box(scene, (x0, y0, z0, x1, y1, z1), exaggeration)


def _cut(mesh: Any, bounds: tuple[float, ...]) -> Any:
    for axis in range(3):
        for end, sign in ((bounds[axis], -1.0), (bounds[axis + 3], 1.0)):
            if not mesh.n_points:
                return mesh
            reach = mesh.bounds[2 * axis + (sign > 0)]
            # 32-bit coordinates at the edge itself are not a reason to cut
            if sign * (reach - end) > 1e-3:
                normal, origin = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
                normal[axis], origin[axis] = sign, end
                mesh = mesh.clip(normal=normal, origin=origin)
    return mesh


def lines_on(scene: Scene, item: Item, mesh: Any) -> list[tuple[Any, float]]:
    """Lines that show the shape of a translucent sheet, with their opacity: contours, or its rim."""
    if item.role == "topography":
        interval = nice_step(scene.bounds[5] - scene.bounds[2], 50)
        lines = contour_lines(scene, mesh, interval)
        return [] if lines is None else [(lines, 0.5)]
    if item.opacity == 1 or not isinstance(item.geometry, Surface):
        return []
    rim = mesh.extract_feature_edges(
        boundary_edges=True, feature_edges=False, manifold_edges=False, non_manifold_edges=False
    )
    return [(rim, 0.8)] if rim.n_cells else []


def contour_lines(scene: Scene, mesh: Any, interval: float) -> Any:
    """Lines of equal elevation of a surface, at whole multiples of an interval in metres."""
    low, high = mesh.bounds[4] + scene.origin[2], mesh.bounds[5] + scene.origin[2]
    levels = np.arange(np.ceil(low / interval), np.floor(high / interval) + 1) * interval
    levels = levels[(levels > low) & (levels < high)]
    if not len(levels):
        return None
    lines = mesh.contour(levels - scene.origin[2], scalars=np.asarray(mesh.points[:, 2]))
    return lines if lines.n_points else None


def score_map() -> Any:
    """Colour scale of the score; its palest part is left out, so that low scores show on white."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps[SCORE_COLOURS](np.linspace(0.15, 1.0, 256)), name="score")


def look_of(item: Item, *, flat: bool = False) -> dict[str, Any]:
    """Arguments of ``add_mesh`` for an object, of a map or of a volume."""
    shape = item.geometry
    if isinstance(shape, Lines) and flat:
        return {"color": item.colour, "line_width": 2, "lighting": False}
    if isinstance(shape, Points) and flat:
        return {"color": item.colour, "point_size": 9, "render_points_as_spheres": True, "lighting": False}
    if isinstance(shape, Lines):
        return {"color": item.colour, "line_width": 4, "render_lines_as_tubes": True}
    if isinstance(shape, Points):
        return {"color": item.colour, "point_size": 10, "render_points_as_spheres": True}
    return {"color": item.colour, "opacity": item.opacity, "ambient": 0.4, "diffuse": 0.65}


def colour_range(scene: Scene) -> tuple[float, float]:
    """Scores at the ends of the picture's colour scale: the threshold and the largest score."""
    high = scene.score_range[1]
    if high > scene.threshold:
        return scene.threshold, high
    return scene.threshold, scene.threshold + max(1e-6, 1e-3 * abs(scene.threshold))


LAYER_COLOURS = "cividis"


def make_plotter(title: str, size: tuple[int, int], parts: int, *, off_screen: bool) -> Any:
    """A white drawing area; of several ``parts``, the first is below the others and fills all of it."""
    import pyvista as pv

    shape = (1, parts)
    plotter: Any = pv.Plotter(
        off_screen=off_screen, window_size=list(size), title=title, shape=shape, border=False
    )
    # Mesa draws no translucent body at all when peeling meets multisampling
    plotter.render_window.SetMultiSamples(0)
    plotter.set_background("white")
    if parts > 1:
        plotter.renderers[0].SetViewport(0, 0, 1, 1)
    return plotter


def local_box(scene: Scene, bounds: Sequence[float], exaggeration: float = 1.0) -> tuple[float, ...]:
    """``(xmin, ymin, zmin, xmax, ymax, zmax)`` from the scene's origin, of true coordinates."""
    scale = np.tile([1.0, 1.0, exaggeration], 2)
    return tuple(((np.asarray(bounds) - np.tile(scene.origin, 2)) * scale).tolist())


def around(scene: Scene, target: SceneTarget, exaggeration: float) -> tuple[float, ...]:
    """Box around a target and some of what is beside it: ten cells at least, the district at most."""
    low, high = np.reshape(local_box(scene, target.bounds, exaggeration), (2, 3))
    ends = np.reshape(local_bounds(scene, exaggeration), (2, 3))
    wide = np.maximum(high - low, 5.0 * np.asarray(scene.grid.spacing[::-1]))
    low, high = np.maximum(low - wide, ends[0]), np.minimum(high + wide, ends[1])
    return (*low.tolist(), *high.tolist())


def box_edges(bounds: Sequence[float]) -> Any:
    """The twelve edges of a box."""
    import pyvista as pv

    return pv.Box(bounds=[bounds[k] for k in (0, 3, 1, 4, 2, 5)]).extract_all_edges()


def aim(plotter: Any, camera: Camera, bounds: Sequence[float]) -> None:
    """Let a plotter look through a camera at a box in the coordinates of the camera."""
    _, up, away = camera.axes
    reach = float(np.linalg.norm(np.asarray(bounds[3:]) - np.asarray(bounds[:3])))
    plotter.enable_parallel_projection()
    plotter.camera.focal_point = camera.centre
    plotter.camera.position = tuple(np.asarray(camera.centre) - 2 * reach * away)
    plotter.camera.up = tuple(up)
    plotter.camera.parallel_scale = camera.size[1] * camera.metres_per_pixel / 2
    plotter.reset_camera_clipping_range()


def camera_of(seen: Any, size: tuple[int, int]) -> Camera:
    """Where a camera of VTK that fills ``size`` pixels stands now, without any roll."""
    away = np.asarray(seen.focal_point) - np.asarray(seen.position)
    away = away / np.linalg.norm(away)
    steep = abs(away[2]) > 0.9999
    heading = np.asarray(seen.up) * np.sign(-away[2]) if steep else away
    azimuth = float(np.degrees(np.arctan2(heading[0], heading[1]))) % 360
    plunge = float(np.degrees(np.arcsin(np.clip(-away[2], -1, 1))))
    x, y, z = (float(v) for v in seen.focal_point)
    return Camera(azimuth, plunge, (x, y, z), 2 * float(seen.parallel_scale) / size[1], size)


def draw_axes(plotter: Any, bounds: Sequence[float], marks: Marks, part: int = 0) -> None:
    """Draw the edges of a box and the labels of its axes, in place of those drawn before in that part."""
    import pyvista as pv

    box = box_edges(bounds)
    pairs = np.column_stack([np.full(len(marks.ends) // 2, 2), np.arange(len(marks.ends)).reshape(-1, 2)])
    lines = pv.PolyData(marks.ends.astype(np.float32), lines=pairs.ravel())
    look: dict[str, Any] = {"lighting": False, "render": False, "reset_camera": False, "pickable": False}
    plotter.add_mesh(box, color="#9A9A9A", line_width=1, name=f"box {part}", **look)
    plotter.add_mesh(lines, color="#1A1A1A", line_width=1.5, name=f"marks {part}", **look)
    plotter.add_point_labels(
        marks.points, list(marks.words), font_size=13, text_color="#1A1A1A", shape=None, show_points=False,
        always_visible=True, justification_horizontal="center", justification_vertical="center",
        name=f"labels {part}", render=False, reset_camera=False, bold=False,
    )  # fmt: skip
