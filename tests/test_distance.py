"""Distances of all cells of a part of a grid, against libigl, formulas and long arithmetic."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import igl
import numpy as np
import pytest

from mpm3d import distance, evidence, io
from mpm3d.distance import Nearest, open_space
from mpm3d.distance.tree import grow
from mpm3d.geometry import Surface, joined
from mpm3d.grid import Grid
from tests.test_evidence import box, brute_force, plane

UTM = np.array([557_123.4, 7_133_567.8, -321.0])
GRID = Grid((21, 33, 27), (50.0, 50.0, 50.0), (-1000.0, 7_133_000.0, 557_000.0), "EPSG:32651")
SCRIPT = Path(__file__).parent.parent / "pipelines" / "bench_cube.py"


@pytest.fixture(params=["numba", "libigl"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of measuring: the compiled loop, and libigl where numba is not installed."""
    if request.param == "numba":
        pytest.importorskip("numba")
    else:
        monkeypatch.setattr(distance, "compiled", lambda: None)
    return str(request.param)


def by_libigl(grid: Grid, surfaces: list[Surface], cutoff: float) -> np.ndarray:
    body = joined("all", surfaces)
    centre = body.vertices.mean(axis=0)
    squared, *_ = igl.point_mesh_squared_distance(
        grid.points() - centre, body.vertices - centre, body.triangles
    )
    return np.minimum(np.sqrt(squared), cutoff).reshape(grid.shape)


def soup(rng: np.random.Generator, n: int, size: float, grid: Grid = GRID, reach: float = 0.0) -> Surface:
    low, high = np.array(grid.bounds).reshape(2, 3)
    middle = rng.uniform(low - reach, high + reach, (n, 1, 3))
    corners = middle + rng.uniform(-size, size, (n, 3, 3))
    return Surface("soup", corners.reshape(-1, 3), np.arange(3 * n).reshape(-1, 3))


def wave(n: int) -> Surface:
    u, v = np.meshgrid(np.linspace(0, 1, n), np.linspace(0, 1, n), indexing="ij")
    x0, y0, z0, x1, y1, z1 = GRID.bounds
    z = z0 + (z1 - z0) * (0.5 + 0.2 * np.sin(6 * u) * np.cos(5 * v))
    vertices = np.stack([x0 + (x1 - x0) * u, y0 + (y1 - y0) * v, z], axis=-1).reshape(-1, 3)
    row = np.arange(n * n).reshape(n, n)
    a, b, c, d = (part.ravel() for part in (row[:-1, :-1], row[1:, :-1], row[1:, 1:], row[:-1, 1:]))
    return Surface("wave", vertices, np.concatenate([np.column_stack([a, b, c]), np.column_stack([a, c, d])]))


@pytest.mark.parametrize("cutoff", [40.0, 300.0, 2000.0, 1e6])
@pytest.mark.parametrize("kind", ["wave", "soup", "large", "few", "one", "outside", "far"])
def test_distances_are_those_of_libigl_up_to_the_cutoff(kind: str, cutoff: float, way: str) -> None:
    rng = np.random.default_rng(3)
    surface = {
        "wave": lambda: wave(40),
        "soup": lambda: soup(rng, 500, 60.0),
        "large": lambda: soup(rng, 9, 40_000.0),
        "few": lambda: soup(rng, 7, 200.0),
        "one": lambda: soup(rng, 1, 200.0),
        "outside": lambda: soup(rng, 30, 50.0, reach=2500.0),
        "far": lambda: Surface("far", plane(500.0).vertices + UTM + 90_000, plane().triangles),
    }[kind]()
    found = Nearest([surface]).to_cells(GRID, cutoff=cutoff)
    np.testing.assert_allclose(found, by_libigl(GRID, [surface], cutoff), rtol=0, atol=1e-6)
    assert found.max() <= cutoff


def test_several_surfaces_are_one_distance(way: str) -> None:
    rng = np.random.default_rng(1)
    several = [soup(rng, n, size) for n, size in ((1, 10.0), (40, 100.0), (3, 900.0))]
    found = evidence.prepare_distance(several, cutoff=500.0)(GRID)
    np.testing.assert_allclose(found, by_libigl(GRID, several, 500.0), rtol=0, atol=1e-6)
    each = [evidence.prepare_distance([one], cutoff=500.0)(GRID) for one in several]
    np.testing.assert_allclose(found, np.min(each, axis=0), rtol=0, atol=1e-9)


def test_triangles_without_area_are_the_segments_and_points_they_are(way: str) -> None:
    a, b, c = np.array([[0, 0, 0], [400.0, 100, 30], [200, 50, 15]]) + UTM
    thin = Surface("thin", np.array([a, b, c, a, a, b, b, b, b]), np.arange(9).reshape(-1, 3))
    found = Nearest([thin]).to_cells(GRID, cutoff=5000.0)
    p = GRID.points()
    share = np.clip((p - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
    expected = np.linalg.norm(p - a - share[:, None] * (b - a), axis=1)
    np.testing.assert_allclose(found.ravel(), expected, rtol=0, atol=1e-6)
    dot = Surface("dot", b[None], np.zeros((1, 3), dtype=np.int64))
    found = Nearest([dot]).to_cells(GRID, cutoff=5000.0)
    np.testing.assert_allclose(found.ravel(), np.linalg.norm(p - b, axis=1), rtol=0, atol=1e-6)


def test_needles_are_measured_to_a_millimetre(way: str) -> None:
    """Triangles of 3 km and down to a micrometre: long doubles are the oracle."""
    rng = np.random.default_rng(5)
    fine = Grid((6, 6, 6), (0.013, 0.4, 170.0), (-0.04, -1.2, -500.0), "EPSG:32651")
    for height in 10.0 ** -np.arange(7):
        foot = rng.uniform(0, 3000)
        corners = np.array([[0, 0, 0], [3000, 0, 0], [foot, height * 0.8, height * 0.6]])
        needle = Surface("needle", corners, np.array([[2, 0, 1]]))
        expected = exact(fine.points(), corners)
        found = Nearest([needle]).to_cells(fine, cutoff=1e5).ravel()
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def exact(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Distance to one triangle with its long edge first, in long doubles."""
    a, b, c = corners.astype(np.longdouble)
    p = points.astype(np.longdouble)
    best = np.full(len(p), np.inf, dtype=np.longdouble)
    for start, end in ((a, b), (b, c), (c, a)):
        edge = end - start
        share = np.clip((p - start) @ edge / (edge @ edge), 0, 1)
        best = np.minimum(best, np.sqrt(((p - start - share[:, None] * edge) ** 2).sum(axis=1)))
    along = (b - a) / np.sqrt((b - a) @ (b - a))
    up = (c - a) - ((c - a) @ along) * along
    w = (p - a) @ up / (up @ up)
    v = ((p - a) @ along - w * ((c - a) @ along)) / np.sqrt((b - a) @ (b - a))
    gap = p - a - v[:, None] * (b - a) - w[:, None] * (c - a)
    inside = (v >= 0) & (w >= 0) & (v + w <= 1)
    return np.where(inside, np.minimum(best, np.sqrt((gap**2).sum(axis=1))), best).astype(float)


def test_a_cell_gets_the_same_bits_in_every_chunk(way: str) -> None:
    surfaces = [wave(30), soup(np.random.default_rng(2), 50, 80.0)]
    fill = evidence.prepare_distance(surfaces, cutoff=700.0)
    whole = fill(GRID)
    for size in ((5, 7, 11), (1, 33, 2), (21, 3, 1), (8, 8, 8))[: None if way == "numba" else 1]:
        built = np.full(GRID.shape, np.nan)
        for k in range(0, GRID.shape[0], size[0]):
            for j in range(0, GRID.shape[1], size[1]):
                for i in range(0, GRID.shape[2], size[2]):
                    window = tuple(
                        slice(at, min(at + step, n))
                        for at, step, n in zip((k, j, i), size, GRID.shape, strict=True)
                    )
                    built[window] = fill(GRID.window(window))
        if way == "numba":
            np.testing.assert_array_equal(built, whole)
        np.testing.assert_allclose(built, whole, rtol=0, atol=1e-9)


@pytest.mark.parametrize("flip", [False, True])
def test_solids_are_zero_in_the_cells_inside_them_and_nowhere_else(flip: bool, way: str) -> None:
    v, f = igl.icosahedron()
    for _ in range(3):
        v, f = igl.upsample(v, f)
    v = v / np.linalg.norm(v, axis=1, keepdims=True)
    middle = np.array(GRID.bounds).reshape(2, 3).mean(axis=0)
    outer = Surface("outer", v * [500, 600, 400] + middle, f[:, ::-1].copy() if flip else f)
    hollow = joined("hollow", [outer, Surface("cavity", v * 200 + middle, outer.triangles[:, ::-1])])
    small = box(middle - 30, middle + 40)
    for bodies in ([outer], [hollow], [hollow, small], [box(middle - 9000, middle + 9000)], [small]):
        points = GRID.points()
        expected = np.any([evidence.inside(points, body) for body in bodies], axis=0).reshape(GRID.shape)
        np.testing.assert_array_equal(evidence.prepare_inside(bodies)(GRID), expected)
        found = evidence.prepare_distance(bodies, cutoff=300.0, solid=True)(GRID)
        np.testing.assert_allclose(
            found, np.where(expected, 0, by_libigl(GRID, bodies, 300.0)), rtol=0, atol=1e-6
        )


def test_a_body_elsewhere_holds_no_cell() -> None:
    assert not evidence.prepare_inside([box(UTM + 1e5, UTM + 2e5)])(GRID).any()


def test_no_triangle_passes_through_a_part_of_open_space() -> None:
    rng = np.random.default_rng(4)
    surface = plane(8000.0, -480.0)
    corners = (surface.vertices + np.array([557_500, 7_133_800, 0]))[surface.triangles]
    parts = open_space(GRID, corners)
    above = GRID.centres(0) > -480
    numbers = [set(np.unique(parts[rows])) - {0} for rows in (above, ~above)]
    assert len(numbers[0]) == len(numbers[1]) == 1
    assert numbers[0] != numbers[1]
    # the cells beside the plane are near it
    assert not parts[np.abs(GRID.centres(0) + 480) <= 50].any()
    crowd = soup(rng, 40, 100.0)
    labels = open_space(GRID, crowd.vertices[crowd.triangles])
    nearest = Nearest([crowd]).to_cells(GRID, cutoff=1e5)
    assert (nearest[labels > 0] > 0).all()
    assert labels[np.unravel_index(np.argmin(nearest), nearest.shape)] == 0


def test_the_tree_holds_every_triangle_in_boxes_that_hold_their_children() -> None:
    for n in (1, 2, 8, 9, 100, 1025):
        surface = soup(np.random.default_rng(n), n, 50.0)
        corners = surface.vertices[surface.triangles]
        tree = grow(corners)
        assert {tuple(row) for row in tree.triangles[:, 18:]} == {
            tuple(row) for row in np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
        }
        leaves = (len(tree.boxes) + 1) // 2
        assert len(tree.triangles) % leaves == 0
        for node in range(len(tree.boxes) // 2):
            below = tree.boxes[2 * node + 1 : 2 * node + 3]
            np.testing.assert_array_equal(tree.boxes[node, :3], below[:, :3].min(axis=0))
            np.testing.assert_array_equal(tree.boxes[node, 3:], below[:, 3:].max(axis=0))


def test_brute_force_agrees_at_utm_coordinates(way: str) -> None:
    surface = soup(np.random.default_rng(8), 25, 300.0)
    part = GRID.window((slice(3, 9), slice(10, 20), slice(0, 13)))
    expected = brute_force(part.points(), surface.vertices[surface.triangles])
    found = evidence.prepare_distance([surface], cutoff=1e5)(part)
    np.testing.assert_allclose(found.ravel(), expected, rtol=0, atol=1e-6)


def test_the_index_is_made_once_and_threads_may_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from concurrent.futures import ThreadPoolExecutor

    pytest.importorskip("numba")
    calls = []
    monkeypatch.setattr(distance, "grow", lambda corners: calls.append(1) or grow(corners))
    fill = evidence.prepare_distance([wave(25)], cutoff=600.0)
    windows = [(slice(0, 21), slice(j, j + 3), slice(0, 27)) for j in range(0, 33, 3)]
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda window: fill(GRID.window(window)), windows))
    assert len(calls) == 1
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), fill(GRID))


def test_errors_are_told_when_the_layer_is_prepared() -> None:
    empty = Surface("dots", np.zeros((3, 3)), np.empty((0, 3), dtype=np.int64))
    with pytest.raises(ValueError, match="there is no surface to measure a distance to, give at least one"):
        evidence.prepare_distance([])
    with pytest.raises(ValueError, match="surface 'dots' has no triangle, its file may hold points only"):
        evidence.prepare_distance([empty])
    with pytest.raises(ValueError, match="a cutoff of -1 m is not possible, it must be above 0"):
        evidence.prepare_distance([plane()], cutoff=-1)
    with pytest.raises(ValueError, match=r"surface 'plane' is not closed, so it has no inside"):
        evidence.prepare_distance([plane()], solid=True)
    with pytest.raises(ValueError, match=r"surface 'plane' is not closed, so it has no inside"):
        evidence.prepare_inside([plane()])


@pytest.mark.data
def test_176_real_faults_are_measured_to_a_millimetre(data_dir: Path) -> None:
    faults = [
        body
        for path in sorted((data_dir / "scec_cfm" / "faults").glob("*.ts*"))
        for body in io.read(path)
        if isinstance(body, Surface)
    ]
    assert len(faults) >= 176
    everything = np.concatenate([fault.vertices[fault.triangles].reshape(-1, 3) for fault in faults])
    low, high = np.floor(everything.min(axis=0) / 500) * 500, np.ceil(everything.max(axis=0) / 500) * 500
    grid = Grid.from_bounds((*low, *high), 500.0, "EPSG:26711")
    fill = evidence.prepare_distance(faults, cutoff=2000.0)
    rng = np.random.default_rng(0)
    for row in rng.integers(0, len(everything), 4):
        first = np.maximum(grid.index_of(everything[row])[0] - 10, 0)
        part = grid.window(tuple(slice(a, min(a + 20, n)) for a, n in zip(first, grid.shape, strict=True)))
        expected = evidence.distance(part.points(), faults, cutoff=2000.0).reshape(part.shape)
        assert (expected < 1000).any()
        np.testing.assert_allclose(fill(part), expected, rtol=0, atol=1e-3)


def test_the_benchmark_gives_its_numbers_and_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--json", "--cells", "30", "25", "20", "--triangles", "200",
               "--sample", "1", "--folder", str(tmp_path)]  # fmt: skip
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert found["cells"] == [30, 25, 20]
    assert len(found["layers"]) == 4
    assert found["max_abs_error_m"] < 1e-3
    for key in ("seconds_per_layer", "libigl_seconds_per_layer", "speedup", "peak_rss_mb"):
        assert found[key] > 0, key
    assert list(tmp_path.iterdir()) == []
