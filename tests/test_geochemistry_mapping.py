from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import verde
from pyproj import Transformer

from mpm3d.errors import StudyError
from mpm3d.geochemistry import Mapping2D, block_errors, mapping, to_map
from mpm3d.grid import Grid

CRS = "EPSG:28354"
X0, Y0 = 350_000.0, 6_680_000.0
GRID = Grid.from_bounds((X0, Y0, 0, X0 + 4000, Y0 + 2000, 100), 100, CRS)
METHODS = ["spline", "linear", "neighbours", "kriging"]


def surface(xy):
    return 3 + np.sin((xy[:, 0] - X0) / 700) + np.cos((xy[:, 1] - Y0) / 500)


@pytest.fixture
def samples(rng):
    xy = rng.uniform((X0, Y0), (X0 + 4000, Y0 + 2000), (150, 2))
    return xy, surface(xy)


def sample_cells():
    """A grid whose cell centres are samples."""
    xy = GRID.points()[::7, :2]
    return xy, surface(xy), GRID.index_of(GRID.points()[::7])


@pytest.mark.parametrize("method", METHODS)
def test_maps_come_near_a_smooth_surface(samples, method):
    xy, values = samples
    found = to_map(xy, values, GRID, Mapping2D(reach=400, method=method, neighbours=3, blocks=(2500.0, 2)))
    assert found.values.shape == (1, 20, 40)
    assert found.values.dtype == np.float32
    off = found.values.ravel() - surface(GRID.points())
    assert (
        np.sqrt(np.nanmean(off**2))
        < {"spline": 0.03, "linear": 0.05, "neighbours": 0.25, "kriging": 0.1}[method]
    )


@pytest.mark.parametrize(("method", "tolerance"), [("spline", 1e-3), ("linear", 1e-5), ("kriging", 1e-5)])
def test_maps_are_exact_at_the_samples(method, tolerance):
    xy, values, cells = sample_cells()
    found = to_map(xy, values, GRID, Mapping2D(reach=400, method=method, blocks=(2500.0, 2)))
    at = found.values[tuple(cells.T)]
    inside = np.isfinite(at)  # a triangulation ends at its outermost samples
    assert inside.mean() > 0.9
    np.testing.assert_allclose(at[inside], values[inside], atol=tolerance)


@pytest.mark.parametrize(
    ("method", "damping"), [("spline", 0.0), ("spline", 1e-3), ("linear", 0), ("neighbours", 0)]
)
def test_the_same_data_in_kilometres_make_the_same_map(samples, method, damping):
    xy, values = samples
    values = values + np.random.default_rng(1).normal(size=len(values))  # rough, so that damping counts
    small = replace(
        GRID,
        crs="+proj=utm +zone=54 +south +ellps=GRS80 +units=km",
        corner=tuple(np.array(GRID.corner) / 1000),
        spacing=tuple(np.array(GRID.spacing) / 1000),
    )
    one = to_map(xy, values, GRID, Mapping2D(400.0, method, damping=damping, blocks=(1500.0, 2)))
    other = to_map(xy / 1000, values, small, Mapping2D(0.4, method, damping=damping, blocks=(1.5, 2)))
    np.testing.assert_allclose(one.values, other.values, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        one.errors["rmse"].astype(float), other.errors["rmse"].astype(float), rtol=1e-6
    )


def test_kriging_is_exact_at_noisy_samples_too(rng):
    xy, values, cells = sample_cells()
    noisy = values + rng.normal(size=len(values))
    found = to_map(xy, noisy, GRID, Mapping2D(reach=400, method="kriging", blocks=(2500.0, 2)))
    np.testing.assert_allclose(found.values[tuple(cells.T)], noisy, atol=1e-5)


def test_kriging_says_when_there_is_no_pattern_to_follow(rng):
    xy = rng.uniform((X0, Y0), (X0 + 4000, Y0 + 2000), (200, 2))
    found = to_map(xy, rng.normal(size=200), GRID, Mapping2D(reach=400, method="kriging", blocks=(2500.0, 2)))
    text = next(sentence for sentence in found.sentences if "variogram" in sentence)
    share = float(text.split("nugget ")[1].split(" %")[0])
    assert share > 50
    smooth = to_map(xy, surface(xy), GRID, Mapping2D(reach=400, method="kriging", blocks=(2500.0, 2)))
    text = next(sentence for sentence in smooth.sentences if "variogram" in sentence)
    assert float(text.split("nugget ")[1].split(" %")[0]) < 5


def test_cells_farther_than_the_reach_are_missing_as_verde_masks_them():
    xy = np.array(
        [[X0 + 500, Y0 + 500], [X0 + 900, Y0 + 500], [X0 + 500, Y0 + 900], [X0 + 3000, Y0 + 1500.0]]
    )
    found = to_map(xy, [1.0, 2, 3, 4], GRID, Mapping2D(reach=300, method="neighbours", neighbours=1))
    points = GRID.points()
    expected = verde.distance_mask((xy[:, 0], xy[:, 1]), 300, coordinates=(points[:, 0], points[:, 1]))
    np.testing.assert_array_equal(np.isfinite(found.values.ravel()), expected)
    share = 100 * expected.mean()
    assert (
        f"{share:.1f} % of the cells have a value, the others are farther than 300 m" in found.sentences[-1]
    )


def test_the_nearest_sample_lands_in_its_own_cell_and_not_in_a_mirrored_one():
    xy = np.array(
        [[X0 + 150, Y0 + 50], [X0 + 3950, Y0 + 50], [X0 + 150, Y0 + 1950], [X0 + 2050, Y0 + 1050.0]]
    )
    found = to_map(xy, [1.0, 2, 3, 4], GRID, Mapping2D(reach=10, method="neighbours", neighbours=1))
    full = np.isfinite(found.values)
    where = dict(zip(map(tuple, np.argwhere(full)), found.values[full], strict=True))
    assert where == {(0, 0, 1): 1.0, (0, 0, 39): 2.0, (0, 19, 1): 3.0, (0, 10, 20): 4.0}


def test_samples_of_one_place_are_averaged_and_said(samples):
    xy, values = samples
    doubled = np.vstack([xy, xy[:10]])
    found = to_map(doubled, [*values, *(values[:10] + 2)], GRID, Mapping2D(reach=400, method="linear"))
    mean = values + np.where(np.arange(150) < 10, 1.0, 0.0)
    expected = to_map(xy, mean, GRID, Mapping2D(reach=400, method="linear"))
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-6)
    assert "10 places with several samples averaged, 160 samples become 150." in found.sentences


def test_samples_without_place_or_value_are_left_out_and_said(samples):
    xy, values = samples
    more = np.vstack([xy, [[np.nan, 0], [X0, Y0]]])
    found = to_map(more, [*values, 5.0, np.nan], GRID, Mapping2D(reach=400, method="linear"))
    expected = to_map(xy, values, GRID, Mapping2D(reach=400, method="linear"))
    np.testing.assert_array_equal(found.values, expected.values)
    assert "2 samples without a place or a value left out." in found.sentences


def test_degrees_are_projected_and_said_or_refused(samples):
    xy, values = samples
    lonlat = np.column_stack(Transformer.from_crs(CRS, "EPSG:4283", always_xy=True).transform(*xy.T))
    found = to_map(lonlat, values, GRID, Mapping2D(reach=400, method="linear", crs="EPSG:4283"))
    expected = to_map(xy, values, GRID, Mapping2D(reach=400, method="linear"))
    np.testing.assert_allclose(found.values, expected.values, atol=1e-5)
    assert "samples projected from GDA94 to GDA94 / MGA zone 54." in found.sentences
    with pytest.raises(StudyError, match=r"the samples look like degrees .* Say their system"):
        to_map(lonlat, values, GRID, Mapping2D(reach=400))
    degrees = Grid((1, 2, 2), (1.0, 0.1, 0.1), (0.0, -30.0, 139.0), "EPSG:4283")
    with pytest.raises(StudyError, match=r"the grid is in degrees \(GDA94\), distances need metres"):
        to_map(lonlat, values, degrees, Mapping2D(reach=400))


def test_errors_are_those_of_blocks_left_out_by_hand(samples):
    xy, values = samples
    how = Mapping2D(reach=400, method="neighbours", neighbours=1, blocks=(800.0, 4), seed=2)
    found = block_errors(xy, values, "neighbours", how)
    centred = xy - xy.mean(axis=0)
    folds = verde.BlockKFold(spacing=800, n_splits=4, shuffle=True, random_state=2).split(centred)
    for row, (train, test) in zip(found.itertuples(), folds, strict=True):
        distance = np.linalg.norm(xy[test][:, None] - xy[train][None], axis=2)
        off = values[train][distance.argmin(axis=1)] - values[test]
        assert row.samples == len(test)
        assert row.rmse == pytest.approx(np.sqrt(np.mean(off**2)), rel=1e-12)
        assert row.mae == pytest.approx(np.mean(np.abs(off)), rel=1e-12)
    assert found["samples"].sum() == 150


def test_the_best_method_is_the_one_of_the_smallest_left_out_error(samples):
    xy, values = samples
    smooth = to_map(xy, values, GRID, Mapping2D(reach=400, blocks=(400.0, 4)))
    assert smooth.method == "spline"
    assert set(smooth.errors["method"]) == {"spline", "linear", "neighbours"}
    assert any("root mean square error on left-out blocks: spline " in text for text in smooth.sentences)
    noise = np.random.default_rng(3).normal(size=150)
    spread = f"the values themselves have a standard deviation of {values.std():.3g}."
    assert any(spread in text for text in smooth.sentences)
    rough = to_map(xy, noise, GRID, Mapping2D(reach=400, neighbours=20, blocks=(400.0, 4)))
    assert rough.method == "neighbours"


def test_one_block_gives_no_error_and_says_so(samples):
    xy, values = samples
    found = to_map(xy, values, GRID, Mapping2D(reach=400, method="linear", blocks=(1e5, 5)))
    assert not len(found.errors)
    assert any("no error is given: all samples lie in one block" in text for text in found.sentences)


def test_constant_values_give_a_constant_map(samples):
    xy, values = samples
    for method in METHODS:
        found = to_map(xy, np.full_like(values, 7.0), GRID, Mapping2D(reach=200, method=method))
        np.testing.assert_allclose(found.values[np.isfinite(found.values)], 7, rtol=1e-6)


def test_too_many_samples_for_a_matrix_are_refused_or_the_method_is_not_tried(samples, monkeypatch):
    xy, values = samples
    monkeypatch.setattr(mapping, "_DENSE", 100)
    with pytest.raises(
        StudyError, match=r"kriging with 150 places needs a matrix of 0\.0 GB, 100 places are the most"
    ):
        to_map(xy, values, GRID, Mapping2D(reach=400, method="kriging"))
    found = to_map(xy, values, GRID, Mapping2D(reach=400))
    assert "spline not tried: 150 places are more than 100." in found.sentences
    assert found.method != "spline"


def test_maps_do_not_depend_on_the_pieces_they_are_made_in(samples, monkeypatch):
    xy, values = samples
    whole = to_map(xy, values, GRID, Mapping2D(reach=400, method="kriging", blocks=(2500.0, 2)))
    monkeypatch.setattr(mapping, "_AT_ONCE", 300)
    pieces = to_map(xy, values, GRID, Mapping2D(reach=400, method="kriging", blocks=(2500.0, 2)))
    np.testing.assert_allclose(pieces.values, whole.values, rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"reach": 0}, "reach = 0 m must be above 0"),
        ({"reach": 5, "method": "idw"}, "method 'idw' is not known, it is best, spline"),
        ({"reach": 5, "damping": -1}, "damping = -1 must be 0 or more"),
        ({"reach": 5, "blocks": (1.0, 1)}, "two folds or more"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(StudyError, match=message):
        Mapping2D(**settings)


def test_grids_and_samples_that_do_not_fit_are_refused(samples):
    xy, values = samples
    how = Mapping2D(reach=400)
    cube = Grid.from_bounds((X0, Y0, 0, X0 + 400, Y0 + 400, 200), 100, CRS)
    with pytest.raises(StudyError, match="the grid has 2 cells in z, a map has one"):
        to_map(xy, values, cube, how)
    with pytest.raises(StudyError, match="no cell of the grid is within 400 m of one of the 150 samples"):
        to_map(xy + 1e5, values, GRID, how)
    with pytest.raises(StudyError, match="3 places with a value, a map needs four or more"):
        to_map(xy[:3], values[:3], GRID, how)
    with pytest.raises(StudyError, match="do not fit"):
        to_map(xy, values[:-1], GRID, how)
    with pytest.raises(StudyError, match="the coordinate system 'EPSG:99' is not known to PROJ"):
        to_map(xy, values, GRID, Mapping2D(reach=400, crs="EPSG:99"))


def test_samples_that_cannot_be_projected_are_refused(samples):
    xy, values = samples
    far = np.vstack([xy, [[1e30, 1e30]]])
    with pytest.raises(StudyError, match="1 sample cannot be projected from GDA94 / MGA zone 53"):
        to_map(far, [*values, 1.0], GRID, Mapping2D(reach=400, crs="EPSG:28353"))


def test_samples_in_one_cluster_and_a_few_elsewhere_have_errors_without_a_warning():
    """Folds cannot have as many samples each then, of which verde warns."""
    rng = np.random.default_rng(0)
    xy = np.vstack(
        [rng.uniform(0, 100, (100, 2)), rng.uniform(0, 1, (6, 2)) * 50 + np.arange(6)[:, None] * 900]
    )
    errors = block_errors(xy, xy.sum(axis=1), "neighbours", Mapping2D(reach=400))
    assert errors["samples"].sum() == 106
