"""The elevation of the ground against formulas and independent interpolation."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.interpolate import LinearNDInterpolator

from mpm3d import io, topography
from mpm3d.geometry import Surface
from mpm3d.grid import Grid
from tests.test_evidence import UTM, joined, plane


def test_elevation_equals_delaunay_interpolation_and_is_missing_outside(rng):
    xy = rng.uniform(0, 1000, (80, 2)) + UTM[:2]
    z = rng.uniform(300, 400, 80)
    oracle = LinearNDInterpolator(xy - UTM[:2], z)
    surface = Surface("ground", np.column_stack([xy, z]), oracle.tri.simplices.astype(np.int64))
    asked = rng.uniform(-100, 1100, (2000, 2)) + UTM[:2]
    np.testing.assert_allclose(topography.elevation_at(asked, surface), oracle(asked - UTM[:2]), atol=1e-6)


def test_elevation_of_an_overhang_is_the_highest_and_upright_triangles_are_passed_over():
    wall = Surface("wall", np.array([[5.0, 0, 0], [5, 10, 0], [5, 5, 900]]), np.array([[0, 1, 2]]))
    both = joined(plane(10, 3.0), plane(4, 8.0), wall)
    found = topography.elevation_at([[0, 0], [7, 7], [5, 5], [11, 0], [np.nan, 0]], both)
    np.testing.assert_allclose(found, [8, 3, 3, np.nan, np.nan])


def test_elevation_of_no_valid_point_is_missing():
    assert np.isnan(topography.elevation_at([[np.nan, 1.0]], plane())).all()
    assert topography.elevation_at(np.empty((0, 2)), plane()).shape == (0,)


def test_elevation_on_the_edges_and_vertices_of_triangles_has_no_gap():
    ends = np.linspace(-1000, 1000, 41)
    xy = np.column_stack([g.ravel() for g in np.meshgrid(ends, ends)])
    assert np.array_equal(topography.elevation_at(xy, plane(z=12.5)), np.full(len(xy), 12.5))


def raster():
    y, x = np.array([10.0, 20, 30]), np.array([100.0, 110, 120, 130])
    return xr.DataArray(x + 2 * y[:, None], coords={"y": y, "x": x}, dims=("y", "x"))


def test_elevation_of_a_raster_is_bilinear_whatever_its_direction():
    asked = [[105, 15], [130, 30], [120, 10], [136, 20], [120, 4.9], [97, 20]]
    expected = [135, 190, 140, np.nan, np.nan, 140]
    np.testing.assert_allclose(topography.elevation_at(asked, raster()), expected)
    flipped = raster().isel(y=slice(None, None, -1)).transpose("x", "y").expand_dims("band")
    np.testing.assert_allclose(topography.elevation_at(asked, flipped), expected)


def test_a_missing_pixel_spoils_only_what_it_contributes_to():
    ground = raster()
    ground[1, 1] = np.nan
    np.testing.assert_allclose(
        topography.elevation_at([[105, 15], [110, 10], [120, 20], [119, 20]], ground),
        [np.nan, 130, 160, np.nan],
    )


def test_heights_on_other_axes_are_refused():
    with pytest.raises(ValueError, match=r"the heights lie on \('lat', 'lon'\), they must lie on y and x"):
        topography.elevation_at([[0, 0]], raster().rename(y="lat", x="lon"))


def test_heights_of_columns_are_those_at_their_centres():
    grid = Grid.from_bounds((95, 5, 0, 135, 25, 100), (20, 5, 10), "EPSG:32651")
    y, x = np.arange(7.5, 25, 5), np.arange(100, 135, 10)
    inside = topography.heights(grid, raster())
    expected = np.where(y[:, None] >= 10, x + 2 * y[:, None], x + 20.0)  # the first half pixel is level
    np.testing.assert_allclose(inside, expected)


def test_cells_up_to_the_ground_are_below_topography_and_none_outside_its_footprint():
    grid = Grid.from_bounds((0, 0, 0, 200, 100, 100), 50, "EPSG:32651")
    ground = Surface("ground", np.array([[0, 0, 25.0], [100, 0, 75], [100, 100, 75], [0, 100, 25]]),
                     np.array([[0, 1, 2], [0, 2, 3]]))  # fmt: skip
    found = topography.below(grid, ground)
    assert found[0].tolist() == [[True, True, False, False]] * 2  # ground at 37.5 and 62.5 m, then none
    assert not found[1].any()
    level = xr.DataArray(np.full((2, 2), 75.0), coords={"y": [0.0, 100], "x": [0.0, 200]}, dims=("y", "x"))
    assert topography.below(grid, level).all()


@pytest.mark.data
def test_the_ground_of_a_real_district_is_found_between_its_vertices(data_dir, rng):
    (ground,) = io.read(data_dir / "tkc" / "surfaces" / "CDED_Lake_Coarse.ts.gz")
    ground = ground.without_vertices(ground.vertices[:, 2] < -9999, "sentinels dropped")
    corners = ground.vertices[ground.triangles[rng.integers(0, len(ground.triangles), 500)]]
    asked = np.einsum("ni,nij->nj", rng.dirichlet(np.ones(3), 500), corners)
    np.testing.assert_allclose(topography.elevation_at(asked[:, :2], ground), asked[:, 2], atol=1e-5)
