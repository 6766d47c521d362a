"""Maps land on the columns of a grid where their coordinate system says, and missing stays missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyproj
import pytest

from mpm3d import drape, inputs, io
from mpm3d.check.sample import sample_of
from mpm3d.errors import StudyError
from mpm3d.geometry import Surface
from mpm3d.grid import FloatArray, Grid
from mpm3d.lattice import Frame, Raster
from mpm3d.study import DepositTable, GridTable, Layer, RasterLayer, Study, TopographyTable

X, Y = 500_000.0, 4_430_000.0
GRID = Grid.from_bounds((X, Y, -200, X + 400, Y + 200, 0), 20, "EPSG:32651")


def plane(x: FloatArray, y: FloatArray) -> FloatArray:
    return 3 * (x - X) - 2 * (y - Y) + 7


def wanted() -> FloatArray:
    x, y = np.meshgrid(GRID.centres(2), GRID.centres(1))
    return plane(x, y)


def field(step: float = 10.0, *, frame: Frame | None = None, margin: float = 60.0) -> Raster:
    """A plane of values on pixels of so many metres, reaching beyond the grid."""
    x, y = np.arange(-margin, 460 + margin, step), np.arange(-margin, 260 + margin, step)
    xx, yy = np.meshgrid(x, y)
    if frame is None:
        return Raster("mag", Y + y, X + x, {"mag": plane(X + xx, Y + yy)})
    world = frame.to_world(np.column_stack([xx.ravel(), yy.ravel(), 0 * xx.ravel()]))
    return Raster("mag", y, x, {"mag": plane(world[:, 0], world[:, 1]).reshape(xx.shape)}, frame=frame)


@pytest.mark.parametrize("method", ["linear", "cubic"])
@pytest.mark.parametrize("step", [4.0, 10.0, 50.0])
def test_between_pixels_a_plane_is_given_back_exactly(step: float, method: str) -> None:
    there = field(step, margin=200)
    np.testing.assert_allclose(drape.drape(there, GRID, method=method), wanted(), rtol=0, atol=1e-6)


def test_cubic_is_the_convolution_of_keys() -> None:
    rng = np.random.default_rng(8)
    there = Raster(
        "r", Y + np.arange(-145.0, 400, 50), X + np.arange(-145.0, 600, 50), {"r": rng.random((11, 15))}
    )

    def weights(t: float) -> FloatArray:  # Keys 1981, a = -1/2
        near, far = lambda d: 1.5 * d**3 - 2.5 * d**2 + 1, lambda d: -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
        return np.array([far(1 + t), near(t), near(1 - t), far(2 - t)])

    (j, ty), (i, tx) = (
        divmod((GRID.centres(axis)[3] - first) / 50, 1) for axis, first in ((1, there.y[0]), (2, there.x[0]))
    )
    around = there.values["r"][int(j) - 1 : int(j) + 3, int(i) - 1 : int(i) + 3]
    # GDAL reads Float64 and weighs in double precision
    np.testing.assert_allclose(
        drape.drape(there, GRID, method="cubic")[3, 3], weights(ty) @ around @ weights(tx), rtol=0, atol=1e-6
    )


def test_cubic_is_missing_where_one_of_sixteen_pixels_is() -> None:
    values = np.ones((10, 20))
    values[4, 6] = np.nan
    holed = Raster("r", GRID.centres(1) + 5, GRID.centres(2) + 5, {"r": values})
    gone = np.argwhere(np.isnan(drape.drape(holed, GRID, method="cubic")))
    # a column a quarter of a cell beyond a pixel takes those two before it, and the one after its neighbour
    assert gone.min(axis=0).tolist() == [3, 5]
    assert gone.max(axis=0).tolist() == [6, 8]
    assert len(gone) == 16


@pytest.mark.parametrize(
    ("step", "method"), [(5.0, "average"), (9.9, "average"), (10.0, "linear"), (80.0, "linear")]
)
def test_pixels_below_half_a_cell_are_averaged_and_others_interpolated(step: float, method: str) -> None:
    found, why = drape.best_method(field(step, margin=100), GRID)
    assert found == method
    assert f"pixels of {step:.3g} m are" in why


def test_whole_numbers_of_few_values_are_taken_as_classes() -> None:
    classes = Raster("r", GRID.centres(1), GRID.centres(2), {"r": np.arange(200.0).reshape(10, 20) % 7})
    assert drape.best_method(classes, GRID) == ("nearest", "7 whole numbers are taken as classes")
    half = replace(classes, values={"r": classes.values["r"] + 0.5})
    assert drape.best_method(half, GRID)[0] == "linear"


def test_pixels_in_degrees_are_measured_in_metres() -> None:
    lon, lat = pyproj.Transformer.from_crs(GRID.crs, "EPSG:4326", always_xy=True).transform(X + 200, Y + 100)
    degrees = Raster(
        "r",
        lat + np.arange(-5, 6) * 1e-4,
        lon + np.arange(-5, 6) * 1e-4,
        {"r": np.ones((11, 11))},
        crs_name="EPSG:4326",
    )
    east = pyproj.Geod(ellps="WGS84").line_length([lon, lon + 1e-4], [lat, lat])
    north = pyproj.Geod(ellps="WGS84").line_length([lon, lon], [lat, lat + 1e-4])
    # UTM is 0.9996 of the ellipsoid at its meridian
    np.testing.assert_allclose(drape.pixel_size(degrees, GRID), np.sqrt(east * north), rtol=1e-3)


def test_linear_on_a_rotated_raster_is_exact_too() -> None:
    turned = field(frame=Frame.rotated((X + 120, Y - 160, 0), 35), margin=300)
    np.testing.assert_allclose(drape.drape(turned, GRID), wanted(), rtol=0, atol=1e-6)


def test_nearest_takes_the_pixel_that_holds_the_centre() -> None:
    rng = np.random.default_rng(1)
    coarse = Raster(
        "r", Y + np.array([50.0, 150]), X + np.array([50.0, 150, 250, 350]), {"r": rng.random((2, 4))}
    )
    found = drape.drape(coarse, GRID, method="nearest")
    np.testing.assert_array_equal(found, np.repeat(np.repeat(coarse.values["r"], 5, axis=0), 5, axis=1))


def test_average_is_the_mean_of_the_pixels_in_a_column() -> None:
    rng = np.random.default_rng(2)
    values = rng.random((40, 80))
    fine = Raster("r", Y + np.arange(2.5, 200, 5), X + np.arange(2.5, 400, 5), {"r": values})
    found = drape.drape(fine, GRID, method="average")
    np.testing.assert_allclose(found, values.reshape(10, 4, 20, 4).mean(axis=(1, 3)), rtol=0, atol=1e-12)


def test_an_asymmetric_marker_comes_into_its_own_column() -> None:
    values = np.zeros((10, 20))
    values[2, 17] = 1
    marked = Raster("r", GRID.centres(1), GRID.centres(2), {"r": values})
    for method in drape.METHODS:
        np.testing.assert_array_equal(drape.drape(marked, GRID, method=method), values)


def test_missing_pixels_stay_missing_and_take_along_what_they_contribute_to() -> None:
    values = np.ones((10, 20))
    values[4, 6] = np.nan
    holed = Raster("r", GRID.centres(1) + 5, GRID.centres(2) + 5, {"r": values})
    near = np.isnan(drape.drape(holed, GRID, method="nearest"))
    # shifted by a quarter of a cell, a pixel contributes to its own column and to those north and east of it
    linear = np.isnan(drape.drape(holed, GRID, method="linear"))
    assert np.argwhere(near).tolist() == [[4, 6]]
    assert np.argwhere(linear).tolist() == [[4, 6], [4, 7], [5, 6], [5, 7]]
    half = np.ones((40, 80))
    half[:4, :2] = half[4:8, :3] = np.nan
    fine = Raster("r", Y + np.arange(2.5, 200, 5), X + np.arange(2.5, 400, 5), {"r": half})
    gone = np.isnan(drape.drape(fine, GRID, method="average"))
    assert np.argwhere(gone).tolist() == [[1, 0]], "half of a column may be missing, three quarters not"


def test_columns_that_the_map_does_not_cover_are_missing() -> None:
    part = Raster("r", GRID.centres(1), GRID.centres(2)[:7], {"r": np.ones((10, 7))})
    for method in drape.METHODS:
        assert np.isnan(drape.drape(part, GRID, method=method)[:, 7:]).all()
        assert np.isfinite(drape.drape(part, GRID, method=method)[:, :7]).all()
    assert np.isnan(drape.drape(part, replace(GRID, corner=(-200, Y, X + 9000)))).all()


@pytest.mark.parametrize("named", [True, False])
def test_degrees_are_projected_to_the_grid_from_the_file_or_the_name(named: bool) -> None:
    to_degrees = pyproj.Transformer.from_crs(GRID.crs, "EPSG:4326", always_xy=True)
    lon, lat = to_degrees.transform(*np.meshgrid(GRID.centres(2), GRID.centres(1)))
    west, south, step = lon.min() - 0.001, lat.min() - 0.001, 0.0001
    x, y = west + np.arange(80) * step, south + np.arange(60) * step
    xx, yy = np.meshgrid(x, y)
    degrees = Raster(
        "r", y, x, {"r": 1e4 * (xx - west) + 3e4 * (yy - south)}, crs_name="" if named else "EPSG:4326"
    )
    found = drape.drape(degrees, GRID, crs="EPSG:4326" if named else "")
    # places to an eighth of a pixel, over which the values change by 0.5 at most
    np.testing.assert_allclose(found, 1e4 * (lon - west) + 3e4 * (lat - south), rtol=0, atol=0.5)


def test_parts_of_the_grid_get_the_values_of_the_whole() -> None:
    whole = drape.drape(field(), GRID)
    part = GRID.window((slice(2, 5), slice(3, 9), slice(7, 20)))
    cut = drape.columns(whole, GRID, part)
    np.testing.assert_array_equal(cut, whole[3:9, 7:20])
    down = drape.down(cut, part)
    assert down.shape == part.shape
    np.testing.assert_array_equal(down, np.broadcast_to(cut.astype(np.float32), part.shape))


def test_a_surface_goes_down_from_the_ground_as_far_as_asked() -> None:
    values, height = np.full((10, 20), 5.0), np.full((10, 20), -45.0)
    one = np.isfinite(drape.down(values, GRID, height))[:, 0, 0]
    assert GRID.centres(0)[one].tolist() == [-50], "the uppermost cell whose centre is below the ground"
    deep = np.isfinite(drape.down(values, GRID, height, 60.0))[:, 0, 0]
    assert GRID.centres(0)[deep].tolist() == [-90, -70, -50], "60 m are three cells of 20 m"
    touching = np.isfinite(drape.down(values, GRID, np.full((10, 20), -50.0), 40.0))[:, 0, 0]
    assert GRID.centres(0)[touching].tolist() == [-70, -50]


def test_what_is_not_possible_is_refused() -> None:
    two = Raster("r", Y + np.arange(3.0), X + np.arange(3.0), {"a": np.ones((3, 3)), "b": np.ones((3, 3))})
    with pytest.raises(ValueError, match=r"the raster 'r' has the values 'a', 'b', no name was given"):
        drape.drape(two, GRID)
    with pytest.raises(ValueError, match=r"'c' is not one of them"):
        drape.drape(two, GRID, name="c")
    with pytest.raises(ValueError, match=r"method 'spline' is not known"):
        drape.drape(two, GRID, name="a", method="spline")
    with pytest.raises(ValueError, match=r"'Mine Grid' of the raster 'r' is not known to pyproj"):
        drape.drape(replace(two, crs_name="Mine Grid"), GRID, name="a")
    with pytest.raises(ValueError, match=r"a depth of -1 m is not possible"):
        drape.down(np.ones((10, 20)), GRID, np.ones((10, 20)), -1)


def study_of(folder: Path, layer: Layer, *, ground: bool = True) -> Study:
    frame = GridTable(crs="EPSG:32651", x=(X, X + 400), y=(Y, Y + 200), z=(-200, 0), spacing=20.0)
    top = TopographyTable(file="ground.ts") if ground else None
    ore = DepositTable(name="A", files=["ground.ts"])
    return Study(name="s", grid=frame, topography=top, layers=[layer], deposits=[ore], folder=folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    corners = np.array([[X - 50, Y - 50, -45], [X + 900, Y - 50, -45], [X - 50, Y + 900, -45.0]])
    io.gocad.write_surfaces(tmp_path / "ground.ts", [Surface("g", corners, np.array([[0, 1, 2]]))])
    io.raster.write_geotiff(tmp_path / "mag.tif", field(), crs="EPSG:32651")
    return tmp_path


def test_a_raster_layer_fills_columns_or_the_surface(folder: Path) -> None:
    told: list[str] = []
    layer = RasterLayer(name="m", units="nT", kind="raster", file="mag.tif")
    fill, how = inputs.filler(study_of(folder, layer), layer, told.append)
    assert how == "draped (linear), equal at all depths"
    np.testing.assert_allclose(fill(GRID), np.broadcast_to(wanted(), GRID.shape), rtol=1e-5, atol=1e-3)
    flat = layer.model_copy(update={"drape": "surface", "depth": 40.0})
    fill, how = inputs.filler(study_of(folder, flat), flat, told.append)
    assert how == "draped (linear), down to 40 m below the ground"
    known = np.isfinite(fill(GRID)).all(axis=(1, 2))
    assert GRID.centres(0)[known].tolist() == [-70, -50]
    with pytest.raises(StudyError, match=r"drape = 'surface' needs the ground"):
        inputs.filler(study_of(folder, flat, ground=False), flat, told.append)


def test_a_raster_layer_changes_with_its_file_and_what_lies_beside_it(folder: Path) -> None:
    layer = RasterLayer(name="m", units="nT", kind="raster", file="mag.tif")
    study = study_of(folder, layer)
    first = inputs.recipe(study, layer, "f")
    assert inputs.recipe(study, layer, "f") == first
    (folder / "mag.tif.aux.xml").write_text("<PAMDataset></PAMDataset>")
    assert inputs.recipe(study, layer, "f") != first
    other = layer.model_copy(update={"drape": "surface"})
    assert inputs.recipe(study, other, "f") != inputs.recipe(study, layer, "f")


def test_what_is_no_raster_or_has_no_such_band_is_refused(folder: Path) -> None:
    layer = RasterLayer(name="m", units="nT", kind="raster", file="ground.ts")
    with pytest.raises(StudyError, match=r"ground.ts holds no raster, it has TSurf 'g'"):
        inputs.filler(study_of(folder, layer), layer, print)
    layer = RasterLayer(name="m", units="nT", kind="raster", file="mag.tif", property="thorium")
    with pytest.raises(StudyError, match=r"mag.tif has no band 'thorium'"):
        inputs.filler(study_of(folder, layer), layer, print)
    with pytest.raises(ValueError, match="is not a coordinate reference system"):
        RasterLayer(name="m", units="nT", kind="raster", file="mag.tif", crs="EPSG:0")


def test_whose_coordinates_are_used_is_said(folder: Path) -> None:
    told: list[str] = []
    layer = RasterLayer(name="m", units="nT", kind="raster", file="mag.tif", crs="EPSG:32650")
    with pytest.raises(StudyError, match=r"no cell of the grid gets a value from mag.tif: it spans x "):
        inputs.filler(study_of(folder, layer), layer, told.append)
    assert "layer m: the file says EPSG:32651, EPSG:32650 of the study is used." in told


def test_columns_of_every_so_many_cells_are_those_at_their_centres():
    whole = wanted()
    some = sample_of(GRID, 30, seed=3)
    assert some.spacing[1:] != GRID.spacing[1:]
    x, y = np.meshgrid(some.centres(2), some.centres(1))
    np.testing.assert_allclose(drape.columns(whole, GRID, some), plane(x, y))
