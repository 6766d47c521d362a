"""The geometry of cells."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mpm3d.grid import Grid

CRS = "EPSG:32651"
GRID = Grid((2, 3, 4), (10.0, 20.0, 50.0), (-100.0, 7_000_000.0, 500_000.0), CRS)


def test_counts_volume_bounds_and_first_centre():
    assert GRID.n_cells == 24
    assert GRID.cell_volume == 10_000
    assert GRID.bounds == (500_000, 7_000_000, -100, 500_200, 7_000_060, -80)
    assert GRID.first_centre == (-95, 7_000_010, 500_025)


def test_centres_ascend_along_each_axis():
    assert GRID.centres(0).tolist() == [-95, -85]
    assert GRID.centres(1).tolist() == [7_000_010, 7_000_030, 7_000_050]
    assert GRID.centres(2).tolist() == [500_025, 500_075, 500_125, 500_175]


def test_points_are_in_the_order_of_a_raveled_array():
    points = GRID.points()
    assert points.shape == (24, 3)
    flat = np.arange(24).reshape(GRID.shape)
    assert points[flat[1, 2, 3]].tolist() == [500_175, 7_000_050, -85]
    assert points[flat[0, 0, 1]].tolist() == [500_075, 7_000_010, -95]
    np.testing.assert_array_equal(GRID.xyz_of(np.argwhere(flat >= 0)), points)


def test_a_point_on_a_face_belongs_to_the_upper_cell_and_on_the_far_face_to_the_last():
    x, y, z, far_x, far_y, far_z = GRID.bounds
    points = [[x + 50, y + 20, z + 10], [x, y, z], [far_x, far_y, far_z], [x - 0.1, y, z], [x, y, far_z + 1]]
    assert GRID.index_of(points).tolist() == [[1, 1, 1], [0, 0, 0], [1, 2, 3], [-1, -1, -1], [-1, -1, -1]]


def test_a_point_that_is_not_finite_is_in_no_cell():
    assert GRID.index_of([[np.nan, 7_000_010, -95], [np.inf, 0, 0]]).tolist() == [[-1] * 3] * 2


def test_bounds_are_filled_with_cells_of_one_or_of_three_sizes():
    assert Grid.from_bounds(GRID.bounds, (10, 20, 50), CRS) == GRID
    cubes = Grid.from_bounds((0, 0, -100, 200, 150, 0), 50, CRS)
    assert cubes == Grid((2, 3, 4), (50, 50, 50), (-100, 0, 0), CRS)
    assert isinstance(cubes.spacing[0], float)


def test_sizes_that_are_not_exact_in_binary_are_whole_numbers_of_cells():
    assert Grid.from_bounds((0, 0, 0, 0.3, 0.7, 1.1), 0.1, CRS).shape == (11, 7, 3)


def test_a_window_keeps_cells_in_their_place():
    part = GRID.window((slice(1, 2), slice(0, 2), slice(1, 4)))
    assert part.shape == (1, 2, 3)
    assert part.corner == (-90, 7_000_000, 500_050)
    assert GRID.window((slice(None),) * 3) == GRID


def test_a_grid_cannot_be_changed_and_equals_its_copy():
    with pytest.raises(dataclasses.FrozenInstanceError):
        GRID.shape = (1, 1, 1)
    assert dataclasses.replace(GRID) == GRID
    assert hash(dataclasses.replace(GRID)) == hash(GRID)


def test_impossible_grids_are_refused():
    with pytest.raises(ValueError, match=r"a grid of \(0, 3, 4\) cells \(z, y, x\) has an empty axis"):
        Grid((0, 3, 4), (1, 1, 1), (0, 0, 0), CRS)
    with pytest.raises(ValueError, match=r"cells of \(1.0, -2.0, 1.0\) m \(z, y, x\) are not possible"):
        Grid((1, 1, 1), (1, -2, 1), (0, 0, 0), CRS)
    with pytest.raises(ValueError, match=r"cells of \(1.0, nan, 1.0\) m"):
        Grid((1, 1, 1), (1, float("nan"), 1), (0, 0, 0), CRS)
    with pytest.raises(
        ValueError, match=r"the corner \(0.0, inf, 0.0\) \(z, y, x\) of a grid must be finite"
    ):
        Grid((1, 1, 1), (1, 1, 1), (0, float("inf"), 0), CRS)


def test_an_extent_that_is_not_whole_cells_names_one_that_would_be():
    message = (
        r"z from -100 to 10 m is 2\.2 cells of 50 m, a whole number is needed\. -100 to 0 would be one\."
    )
    with pytest.raises(ValueError, match=message):
        Grid.from_bounds((0, 0, -100, 200, 150, 10), 50, CRS)
    with pytest.raises(ValueError, match=r"x from 200 to 0 m is -4 cells of 50 m.* 200 to 250 would be one"):
        Grid.from_bounds((200, 0, -100, 0, 150, 0), 50, CRS)


def test_windows_outside_are_refused():
    for window in (
        (slice(0, 3), slice(0, 1), slice(0, 1)),
        (slice(-1, 1), slice(0, 1), slice(0, 1)),
        (slice(1, 1), slice(0, 1), slice(0, 1)),
    ):
        with pytest.raises(
            ValueError, match=r"the window \[.*\] to \[.*\] \(z, y, x\) is not inside \(2, 3, 4\)"
        ):
            GRID.window(window)
