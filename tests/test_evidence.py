"""Distances and insides against formulas and brute force."""

from __future__ import annotations

import igl
import numpy as np
import pytest

from mpm3d import evidence, resampling
from mpm3d.geometry import Surface

UTM = np.array([557_123.4, 7_133_567.8, -321.0])
FACES = np.array(
    [[0, 2, 1], [1, 2, 3], [4, 5, 6], [5, 7, 6], [0, 1, 4], [1, 5, 4], [2, 6, 3], [3, 6, 7], [0, 4, 2],
     [2, 4, 6], [1, 3, 5], [3, 7, 5]]
)  # fmt: skip


def box(low, high, name="box"):
    corners = np.array([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)], dtype=float)
    low = np.asarray(low, dtype=float)
    return Surface(name, low + corners * (np.asarray(high) - low), FACES.astype(np.int64))


def joined(*surfaces, flip=()):
    vertices, triangles, count = [], [], 0
    for number, surface in enumerate(surfaces):
        own = surface.triangles[:, ::-1] if number in flip else surface.triangles
        vertices.append(surface.vertices)
        triangles.append(own + count)
        count += len(surface.vertices)
    return Surface("joined", np.concatenate(vertices), np.concatenate(triangles))


def plane(half=1000.0, z=0.0):
    corners = np.array([[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]])
    return Surface("plane", corners, np.array([[0, 1, 2], [0, 2, 3]]))


def brute_force(points, corners):
    """Smallest distance to triangles: over the face where the foot is inside, else over the three edges."""
    best = np.full(len(points), np.inf)
    for a, b, c in corners:
        normal = np.cross(b - a, c - a)
        length = np.linalg.norm(normal)
        height = (points - a) @ normal / length
        foot = points - height[:, None] * normal / length
        within = np.ones(len(points), dtype=bool)
        for p, q in ((a, b), (b, c), (c, a)):
            within &= np.cross(q - p, foot - p) @ normal >= 0
            share = np.clip((points - p) @ (q - p) / ((q - p) @ (q - p)), 0, 1)
            best = np.minimum(best, np.linalg.norm(points - p - share[:, None] * (q - p), axis=1))
        best = np.where(within, np.minimum(best, np.abs(height)), best)
    return best


def test_distance_equals_brute_force_over_random_triangles_at_utm_coordinates(rng):
    vertices = rng.uniform(0, 1000, (60, 3)) + UTM
    surfaces = [
        Surface("a", vertices, np.arange(30).reshape(-1, 3)),
        Surface("b", vertices, np.arange(30, 60).reshape(-1, 3)),
    ]
    points = rng.uniform(-500, 1500, (400, 3)) + UTM
    expected = brute_force(points, vertices.reshape(-1, 3, 3))
    np.testing.assert_allclose(evidence.distance(points, surfaces, cutoff=1e5), expected, atol=1e-6)
    np.testing.assert_allclose(
        evidence.distance(points, surfaces, cutoff=300), np.minimum(expected, 300), atol=1e-6
    )


def test_distance_to_a_plane_is_the_height_and_equals_the_cutoff_beyond():
    points = np.array([[0.0, 0, 5], [10, 20, -1999], [0, 0, 2000], [0, 0, 2000.5], [0, 0, 9e6]])
    found = evidence.distance(points, [plane()])
    np.testing.assert_allclose(found, [5, 1999, 2000, 2000, 2000], atol=1e-6)


def test_distance_to_a_box_follows_the_formula(rng):
    low, high = UTM, UTM + np.array([100, 200, 300])
    points = rng.uniform(-200, 500, (500, 3)) + UTM
    gap = np.maximum(np.maximum(low - points, points - high), 0)
    outside = np.linalg.norm(gap, axis=1)
    to_wall = np.minimum(points - low, high - points).min(axis=1)
    is_inside = (gap == 0).all(axis=1)
    body = box(low, high)
    shell = evidence.distance(points, [body])
    np.testing.assert_allclose(shell, np.where(is_inside, to_wall, outside), atol=1e-6)
    np.testing.assert_allclose(evidence.distance(points, [body], solid=True), outside, atol=1e-6)


def test_distance_to_an_icosphere_is_within_its_sagitta(rng):
    v, f = igl.icosahedron()
    for _ in range(4):
        v, f = igl.upsample(v, f)
    v = v / np.linalg.norm(v, axis=1, keepdims=True) * 100 + UTM
    points = rng.uniform(-300, 300, (300, 3)) + UTM
    found = evidence.distance(points, [Surface("sphere", v, f.astype(np.int64))], solid=True)
    expected = np.maximum(np.linalg.norm(points - UTM, axis=1) - 100, 0)
    assert np.all(found >= expected - 1e-6)
    assert np.all(found <= expected + 0.5)  # an edge of 7.5 m bulges 0.07 m, a face less than 0.5 m


def test_a_point_that_is_not_finite_has_no_distance_and_is_not_inside():
    points = np.array([[np.nan, 0, 0], [0.5, 0.5, 0.5], [np.inf, 0, 0]])
    body = box((0, 0, 0), (1, 1, 1))
    found = evidence.distance(points, [body], solid=True)
    assert np.isnan(found[[0, 2]]).all()
    assert found[1] == 0
    assert evidence.inside(points, body).tolist() == [False, True, False]


@pytest.mark.parametrize("flip", [(), (0,), (1,), (0, 1)])
def test_inside_does_not_depend_on_the_facing_of_separate_parts(flip):
    body = joined(box((0, 0, 0), (10, 10, 10)), box((20, 0, 0), (30, 10, 10)), flip=flip)
    points = [[5, 5, 5], [15, 5, 5], [25, 5, 5]]
    assert evidence.inside(points, body).tolist() == [True, False, True]


@pytest.mark.parametrize("flip", [(), (0, 1)])
def test_parts_that_overlap_are_one_body(flip):
    body = joined(box((0, 0, 0), (10, 10, 10)), box((5, 1, 1), (15, 9, 9)), flip=flip)
    assert evidence.inside([[2, 5, 5], [7, 5, 5], [12, 5, 5], [17, 5, 5]], body).tolist() == [
        True, True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize("flip", [(1,), (0,)])
def test_a_part_facing_the_other_way_inside_another_is_a_cavity(flip):
    body = joined(box((0, 0, 0), (10, 10, 10)), box((3, 3, 3), (7, 7, 7)), flip=flip)
    assert evidence.inside([[5, 5, 5], [1, 5, 5]], body).tolist() == [False, True]


def test_faces_of_one_body_may_face_either_way(rng):
    body = box(UTM, UTM + 100)
    flip = rng.random(12) < 0.5
    mixed = Surface("mixed", body.vertices, np.where(flip[:, None], body.triangles[:, ::-1], body.triangles))
    points = rng.uniform(-50, 150, (300, 3)) + UTM
    expected = ((points > UTM) & (points < UTM + 100)).all(axis=1)
    assert np.array_equal(evidence.inside(points, mixed), expected)


@pytest.mark.parametrize("flip", [(), (0,), (1,)])
def test_bodies_that_meet_along_an_edge_keep_their_insides(flip):
    body = joined(box((0, 0, 0), (10, 10, 10)), box((10, 10, 0), (20, 20, 10)), flip=flip)
    assert evidence.inside([[5, 5, 5], [15, 15, 5], [15, 5, 5]], body).tolist() == [True, True, False]


def test_errors_of_distance_name_the_surface_and_the_next_step():
    empty = Surface("dots", np.zeros((3, 3)), np.empty((0, 3), dtype=np.int64))
    broken = Surface("holes", np.array([[0, 0, 0], [1, 0, 0], [0, np.nan, 0]]), np.array([[0, 1, 2]]))
    with pytest.raises(ValueError, match="there is no surface to measure a distance to, give at least one"):
        evidence.distance(np.zeros((1, 3)), [])
    with pytest.raises(ValueError, match="surface 'dots' has no triangle, its file may hold points only"):
        evidence.distance(np.zeros((1, 3)), [empty])
    with pytest.raises(ValueError, match="surface 'holes' has 1 vertices that are not finite"):
        evidence.distance(np.zeros((1, 3)), [broken])
    with pytest.raises(ValueError, match="a cutoff of 0 m is not possible, it must be above 0"):
        evidence.distance(np.zeros((1, 3)), [plane()], cutoff=0)
    with pytest.raises(ValueError, match=r"surface 'plane' is not closed, so it has no inside. Close it"):
        evidence.distance(np.zeros((1, 3)), [plane()], solid=True)
    with pytest.raises(ValueError, match="surface 'plane' is not closed"):
        evidence.inside(np.zeros((1, 3)), plane())


def test_resample_and_its_methods_are_found_here_too():
    assert evidence.resample is resampling.resample
    assert evidence.METHODS is resampling.METHODS
