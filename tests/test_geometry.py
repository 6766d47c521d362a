"""Surfaces and blocks of the foundation."""

from __future__ import annotations

import numpy as np
import pytest

from mpm3d.blocks import index_boxes, tile
from mpm3d.errors import FormatError, StudyError, require
from mpm3d.geometry import Lines, Points, Surface, bounds_of, joined

TETRAHEDRON = Surface(
    "tetrahedron",
    np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=float),
    np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]]),
)


def exploded(surface):
    """Every triangle with vertices of its own, as parts of a file have them."""
    vertices = surface.vertices[surface.triangles].reshape(-1, 3)
    return Surface(
        surface.name, vertices, np.arange(len(vertices)).reshape(-1, 3), np.arange(len(surface.triangles))
    )


def test_bounds_are_x_y_z_lows_then_highs():
    points = np.array([[1.0, 5, -9], [2, 4, -7]])
    assert bounds_of(points) == (1, 4, -9, 2, 5, -7)
    assert Points("p", points).bounds == Lines("l", points, np.array([[0, 1]])).bounds == (1, 4, -9, 2, 5, -7)
    assert TETRAHEDRON.bounds == (0, 0, 0, 1, 1, 1)
    assert np.isnan(bounds_of(np.empty((0, 3)))).all()


def test_a_closed_surface_is_closed_however_its_parts_are_stored():
    assert TETRAHEDRON.is_closed
    assert exploded(TETRAHEDRON).is_closed
    lid_off = Surface("open", TETRAHEDRON.vertices, TETRAHEDRON.triangles[1:])
    assert not lid_off.is_closed
    assert not exploded(lid_off).is_closed
    assert not Surface("none", TETRAHEDRON.vertices, np.empty((0, 3), dtype=np.int64)).is_closed


def test_two_bodies_on_one_edge_are_closed():
    moved = TETRAHEDRON.vertices * [1, -1, -1]
    both = Surface("two", np.concatenate([TETRAHEDRON.vertices, moved]),
                   np.concatenate([TETRAHEDRON.triangles, TETRAHEDRON.triangles + 4]))  # fmt: skip
    assert both.is_closed


def test_welding_joins_vertices_and_drops_triangles_without_area():
    loose = exploded(TETRAHEDRON)
    triangles = np.concatenate([loose.triangles, [[0, 3, 1]]])  # rows 0 and 3 are one place
    flat = Surface("flat", loose.vertices, triangles, np.array([0, 1, 2, 3, 9]), crs_name="UTM",
                   z_positive="Depth", notes=("kept",))  # fmt: skip
    welded = flat.welded()
    assert len(welded.vertices) == 4
    assert welded.part.tolist() == [0, 1, 2, 3]
    expected = {tuple(map(tuple, np.sort(t, axis=0))) for t in TETRAHEDRON.vertices[TETRAHEDRON.triangles]}
    assert {tuple(map(tuple, np.sort(t, axis=0))) for t in welded.vertices[welded.triangles]} == expected
    assert (welded.crs_name, welded.z_positive, welded.notes) == ("UTM", "Depth", ("kept",))


def test_removed_vertices_take_their_triangles_and_values_along_and_leave_a_note():
    surface = Surface(
        "s", TETRAHEDRON.vertices, TETRAHEDRON.triangles, np.array([5, 6, 7, 8]),
        properties={"age": np.array([10.0, 11, 12, 13])},
    )  # fmt: skip
    found = surface.without_vertices(np.array([False, True, False, False]), "1 vertex dropped.")
    assert found.vertices.tolist() == TETRAHEDRON.vertices[[0, 2, 3]].tolist()
    assert found.triangles.tolist() == [[0, 2, 1]]
    assert found.part.tolist() == [8]
    assert found.properties["age"].tolist() == [10, 12, 13]
    assert found.notes == ("1 vertex dropped.",)
    assert surface.without_vertices(np.zeros(4, dtype=bool), "nothing") is surface


def test_errors_carry_where_and_what():
    error = FormatError("folder/a.ts", "AXIS_N has 2 values.", line=14)
    assert str(error) == "a.ts, line 14: AXIS_N has 2 values."
    assert (error.path.name, error.line, error.reason) == ("a.ts", 14, "AXIS_N has 2 values.")
    assert str(FormatError("a.ts", "is empty.")) == "a.ts: is empty."
    assert str(StudyError(["one.", "two."])) == "one.\ntwo."
    assert StudyError("one.").problems == ("one.",)


def test_a_module_that_is_missing_says_how_to_install_it():
    message = r"'no_such_module_at_all' is not installed. Install it with: pip install 'mpm3d\[district\]'"
    with pytest.raises(ImportError, match=message):
        require("no_such_module_at_all", "district")
    assert require("math", "district").pi > 3


def test_blocks_that_are_not_whole_chunks_or_cannot_cover_are_refused():
    message = (
        r"block \(96, 128, 128\) is not a whole number of output chunks \(64, 64, 64\) along z, so two "
        r"workers would write one chunk\. Use a multiple of 64\."
    )
    with pytest.raises(ValueError, match=message):
        tile((256, 256, 256), (96, 128, 128), chunk=(64, 64, 64))
    with pytest.raises(
        ValueError, match=r"blocks of \(0, 1, 1\) cells with a margin of \(0, 0, 0\) cannot cover"
    ):
        tile((4, 4, 4), (0, 1, 1))


def test_a_block_of_the_whole_volume_need_not_be_whole_chunks():
    (block,) = tile((10, 10, 10), (10, 10, 10), chunk=(4, 4, 4), margin=(1, 1, 1))
    assert block.core == block.halo == (slice(0, 10),) * 3
    assert block.shape == (10, 10, 10)
    assert block.index == (0, 0, 0)


def test_boxes_are_listed_in_pieces_of_the_size_asked_for_and_empty_ones_are_passed_over():
    low, high = np.array([[0, 0], [5, 5], [2, 3]]), np.array([[1, 2], [4, 9], [2, 3]])
    pieces = list(index_boxes(low, high, limit=4))
    assert [len(owner) for owner, _ in pieces] == [4, 3]
    assert np.concatenate([owner for owner, _ in pieces]).tolist() == [0] * 6 + [2]
    cells = np.concatenate([index for _, index in pieces]).tolist()
    assert cells == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2], [2, 3]]
    assert list(index_boxes(np.empty((0, 3), dtype=int), np.empty((0, 3), dtype=int))) == []


def test_joined_surfaces_keep_their_triangles_and_become_parts() -> None:
    one = Surface("a", np.eye(3), np.array([[0, 1, 2]]))
    two = Surface("b", np.eye(3) + 5, np.array([[2, 1, 0]]))
    both = joined("deposit", [one, two])
    assert both.name == "deposit"
    np.testing.assert_array_equal(both.vertices[both.triangles[1]], two.vertices[two.triangles[0]])
    assert both.part is not None
    assert both.part.tolist() == [0, 1]
    assert len(joined("none", []).triangles) == 0
