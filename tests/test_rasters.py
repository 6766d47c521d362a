"""Rasters land in the right cells, nodata stays missing through every step, windows hold what they say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.warp import Resampling, reproject

from mpm3d import inputs, potential_fields, rasters
from mpm3d.errors import StudyError
from mpm3d.grid import FloatArray, Grid
from mpm3d.rasters import INDICES, Formula
from mpm3d.study import BandsLayer, DepositTable, GridTable, RasterLayer, Study, examine

X, Y, STEP = 500_000.0, 4_430_000.0, 100.0
TABLE = GridTable(crs="EPSG:32651", x=(X, X + 3000), y=(Y, Y + 2400), spacing=STEP)
GRID = TABLE.grid()
SHAPE = GRID.shape[1:]
MISSING = (5, 7)
DERIVED: list[dict[str, Any]] = [
    {"derive": name, "window": 3} for name in (*rasters.STATISTICS, *rasters.TEXTURES)
]
DERIVED += [{"derive": name} for name in potential_fields.NAMES if name != "upward"]
DERIVED += [{"derive": "upward", "height": 150.0}]
DERIVED += [{"derive": "residual", "separation": "upward", "height": 150.0}]


def rough(shape: tuple[int, int] = SHAPE, seed: int = 0) -> FloatArray:
    """Values that differ everywhere, rows north, with nothing that is alike when turned or mirrored."""
    y, x = np.indices(shape)
    return np.random.default_rng(seed).random(shape) * 20 + 0.5 * x + 3 * y + 100


def write(
    path: Path, values: FloatArray, *, west: float = X, north: float = Y + 2400, step: float = STEP,
    crs: str = "EPSG:32651", south_up: bool = False, **more: Any,
) -> Path:  # fmt: skip
    """A GeoTIFF of values (band, y, x) or (y, x) whose rows go north; stored from the north or the south."""
    bands = np.atleast_3d(values.T).T if values.ndim == 2 else values
    n, ny, nx = bands.shape
    south = north - ny * step
    transform = (
        rasterio.Affine(step, 0, west, 0, step, south)
        if south_up
        else rasterio.Affine(step, 0, west, 0, -step, north)
    )
    mask = more.pop("mask", None)
    kind = {"driver": "GTiff", "dtype": bands.dtype, "crs": crs, "transform": transform, **more}
    order = slice(None) if south_up else slice(None, None, -1)
    with rasterio.open(path, "w", count=n, height=ny, width=nx, **kind) as file:
        file.write(bands[:, order])
        if mask is not None:
            file.write_mask(mask[order])
    return path


def study_of(folder: Path, layer: RasterLayer | BandsLayer, grid: GridTable = TABLE) -> Study:
    ore = DepositTable(name="A", points="ore.csv")
    return Study(name="s", grid=grid, layers=[layer], deposits=[ore], folder=folder)


def layer_of(file: str = "r.tif", **more: Any) -> RasterLayer:
    return RasterLayer(name="m", units="1", kind="raster", file=file, **more)


def bands_of(files: dict[str, str], formula: str, **more: Any) -> BandsLayer:
    return BandsLayer(name="m", units="1", kind="bands", files=files, formula=formula, **more)


def made(
    folder: Path, layer: RasterLayer | BandsLayer, say: Callable[[str], None] = lambda note: None
) -> FloatArray:
    fill, _ = inputs.filler(study_of(folder, layer), layer, say)
    return np.asarray(fill(GRID), dtype=float)[0]


@pytest.mark.parametrize("south_up", [False, True])
@pytest.mark.parametrize("per_cell", [0.31, 1.0, 3.7])
def test_a_marker_in_degrees_lands_in_the_cells_whose_centres_it_holds(
    tmp_path: Path, per_cell: float, south_up: bool
) -> None:
    to_degrees = pyproj.Transformer.from_crs(GRID.crs, "EPSG:4326", always_xy=True)
    lon, lat = to_degrees.transform(*np.meshgrid(GRID.centres(2), GRID.centres(1)))
    step = 0.001 * per_cell
    west, south = lon.min() - 3 * step, lat.min() - 3 * step
    ny, nx = int((lat.max() - south) / step) + 4, int((lon.max() - west) / step) + 4
    marked = np.zeros((ny, nx), dtype="float32")
    row, column, thick = int(0.7 * ny), int(0.3 * nx), max(1, ny // 10)
    marked[row : row + thick, column : column + int(0.2 * nx)] = 9.0  # a long arm east, a short one south
    marked[row - int(0.2 * ny) : row, column : column + thick] = 4.0
    write(
        tmp_path / "r.tif",
        marked,
        west=west,
        north=south + ny * step,
        step=step,
        crs="EPSG:4326",
        south_up=south_up,
    )
    found = made(tmp_path, layer_of(method="nearest"))
    row, column = (lat - south) / step, (lon - west) / step
    wanted = marked[row.astype(int), column.astype(int)]
    # GDAL finds places to an eighth of a pixel, so centres on the edge of one may go either way
    edge = np.minimum(np.abs(row - np.rint(row)), np.abs(column - np.rint(column))) < 0.125
    assert 9 in wanted[~edge]
    assert 4 in wanted[~edge]
    np.testing.assert_array_equal(found[~edge], wanted[~edge])


@pytest.mark.parametrize("south_up", [False, True])
@pytest.mark.parametrize(
    ("method", "step"), [("nearest", 37.0), ("linear", 250.0), ("cubic", 250.0), ("average", 20.0)]
)
def test_resampling_agrees_with_the_warp_of_rasterio(
    tmp_path: Path, method: str, step: float, south_up: bool
) -> None:
    """Another zone of UTM, coarser and finer, from the north and from the south."""
    other = pyproj.Transformer.from_crs(GRID.crs, "EPSG:32650", always_xy=True)
    xmin, ymin, _, xmax, ymax, _ = GRID.bounds
    left, low, right, high = other.transform_bounds(xmin, ymin, xmax, ymax)
    west, north = left - 4.3 * step, high + 3.6 * step
    shape = int((north - low) / step) + 4, int((right - west) / step) + 4
    values = rough(shape)
    write(tmp_path / "r.tif", values, west=west, north=north, step=step, crs="EPSG:32650", south_up=south_up)
    wanted = np.full(SHAPE, np.nan)
    how = {
        "nearest": Resampling.nearest,
        "linear": Resampling.bilinear,
        "cubic": Resampling.cubic,
        "average": Resampling.average,
    }
    with rasterio.Env():
        reproject(
            np.ascontiguousarray(values[::-1]), wanted,
            src_transform=rasterio.Affine(step, 0, west, 0, -step, north), src_crs="EPSG:32650",
            dst_transform=rasterio.Affine(STEP, 0, xmin, 0, -STEP, ymax), dst_crs=GRID.crs,
            resampling=how[method], dst_nodata=np.nan,
        )  # fmt: skip
    np.testing.assert_allclose(made(tmp_path, layer_of(method=method)), wanted[::-1], rtol=1e-6)


def test_the_average_of_a_marker_is_its_share_of_the_cell_by_hand(tmp_path: Path) -> None:
    fine = np.zeros((96, 120))  # 4 × 4 pixels of 25 m in a cell
    fine[8:11, 20:22] = 8.0  # 3 × 2 of the 16 pixels of row 2, column 5
    write(tmp_path / "r.tif", fine, step=25.0)
    wanted = np.zeros(SHAPE)
    wanted[2, 5] = 8.0 * 6 / 16
    np.testing.assert_allclose(made(tmp_path, layer_of(method="average")), wanted, atol=1e-9)


def holed(folder: Path, kind: str) -> None:
    """The same raster with one pixel missing, in each of the ways that files have."""
    values, gone = rough(), np.zeros(SHAPE, dtype=bool)
    gone[MISSING] = True
    if kind == "nan":
        write(folder / "r.tif", np.where(gone, np.nan, values))
    elif kind == "mask":
        write(folder / "r.tif", np.where(gone, -5555, values), mask=np.where(gone, 0, 255).astype("uint8"))
    elif kind == "scaled":
        stored = np.where(gone, -32768, np.round((values - 7) / 0.01)).astype("int16")
        with rasterio.open(write(folder / "r.tif", stored, nodata=-32768), "r+") as file:
            file.scales, file.offsets = (0.01,), (7.0,)
    elif kind == "whole numbers":
        write(folder / "r.tif", np.where(gone, -9999, values).astype("int16"), nodata=-9999)
    else:
        write(folder / "r.tif", np.where(gone, -9999, values), nodata=-9999)


@pytest.mark.parametrize("kind", ["code", "nan", "mask", "whole numbers", "scaled"])
@pytest.mark.parametrize("method", ["nearest", "linear", "average", "cubic"])
def test_a_missing_pixel_is_a_missing_cell_however_the_file_says_so(
    tmp_path: Path, kind: str, method: str
) -> None:
    holed(tmp_path, kind)
    found = made(tmp_path, layer_of(method=method))
    assert np.isnan(found[MISSING])
    assert np.nanmin(found) > 0, "no code came through"
    # cubic also where a weight would be 0, one pixel around
    assert np.isnan(found).sum() == (9 if method == "cubic" else 1)


@pytest.mark.parametrize("method", ["nearest", "linear", "average", "cubic"])
def test_nodata_stays_missing_at_every_depth_of_a_volume(tmp_path: Path, method: str) -> None:
    holed(tmp_path, "code")
    volume = GridTable(crs=TABLE.crs, x=TABLE.x, y=TABLE.y, z=(-300, 0), spacing=STEP)
    layer = layer_of(method=method)
    fill, _ = inputs.filler(study_of(tmp_path, layer, volume), layer, lambda note: None)
    flat = made(tmp_path, layer)
    assert np.isnan(flat[MISSING])
    np.testing.assert_array_equal(fill(volume.grid()), np.broadcast_to(flat, (3, *SHAPE)))


@pytest.mark.parametrize("code", ["-99", "nan", "999"])
def test_a_code_that_the_numbers_of_a_file_cannot_be_marks_nothing(tmp_path: Path, code: str) -> None:
    path = write(tmp_path / "r.tif", rough().astype("uint8"), nodata=250)
    held = path.read_bytes()
    assert held.count(b"250\0") == 1, "the code is text in the header"
    path.write_bytes(held.replace(b"250\0", code.encode() + b"\0"))
    np.testing.assert_array_equal(
        made(tmp_path, layer_of(method="nearest")), rough().astype("uint8").astype(float)
    )


@pytest.mark.parametrize("method", ["nearest", "linear", "average", "cubic"])
def test_a_raster_over_half_of_the_area_has_values_there_alone(tmp_path: Path, method: str) -> None:
    write(tmp_path / "r.tif", rough((48, 30)), step=50.0)  # the western half, 1500 of 3000 m
    found = made(tmp_path, layer_of(method=method))
    assert np.isfinite(found[:, :15]).all()
    assert np.isnan(found[:, 15:]).all()


@pytest.mark.parametrize("on", ["cells", "pixels"])
@pytest.mark.parametrize("more", DERIVED, ids=lambda more: "-".join(map(str, more.values())))
def test_nodata_stays_missing_through_every_derivation(tmp_path: Path, more: dict[str, Any], on: str) -> None:
    holed(tmp_path, "code")
    found = made(tmp_path, layer_of(method="linear", on=on, **more))
    assert np.argwhere(np.isnan(found)).tolist() == [list(MISSING)]
    clean = write(tmp_path / "clean.tif", rough())
    whole = made(tmp_path, layer_of(clean.name, method="linear", on=on, **more))
    # a code of -9999 among values of 100 to 200 would be seen far off
    assert np.abs(found - whole)[np.isfinite(found)].max() < 1.2 * np.ptp(whole)


def test_each_band_keeps_its_own_code_of_missing(tmp_path: Path) -> None:
    first, second = rough(), rough(seed=1)
    first[1, 2] = second[3, 4] = np.nan
    write(tmp_path / "a.tif", np.nan_to_num(first, nan=-1), nodata=-1)
    write(tmp_path / "b.tif", np.nan_to_num(second, nan=-9999), nodata=-9999)
    found = made(tmp_path, bands_of({"a": "a.tif", "b": "b.tif:1"}, "a / b", method="nearest"))
    np.testing.assert_allclose(found, first / second, rtol=1e-6)


def test_which_way_of_resampling_a_map_takes_is_said_and_volumes_stay_linear(tmp_path: Path) -> None:
    write(tmp_path / "r.tif", rough((96, 120)), step=25.0)
    told: list[str] = []
    layer = layer_of()
    _, how = inputs.filler(study_of(tmp_path, layer), layer, told.append)
    assert how == "resampled (average)"
    assert told == [
        "layer m: r is brought to the cells by 'average', since pixels of 25 m are smaller than half a cell "
        "of 100 m."
    ]
    volume = GridTable(crs=TABLE.crs, x=TABLE.x, y=TABLE.y, z=(-200, 0), spacing=STEP)
    told.clear()
    fill, how = inputs.filler(study_of(tmp_path, layer, volume), layer, told.append)
    assert (how, told) == ("draped (linear), equal at all depths", [])
    np.testing.assert_array_equal(
        fill(volume.grid())[1], made(tmp_path, layer_of(method="linear")).astype("f4")
    )
    _, how = inputs.filler(
        study_of(tmp_path, layer_of(method="linear")), layer_of(method="linear"), told.append
    )
    assert how == "resampled (linear)", "what a study says holds on maps too"


def brute(field: FloatArray, window: int, statistic: Callable[[FloatArray], float]) -> FloatArray:
    """A statistic of the values in each window, cell by cell."""
    half, found = window // 2, np.full(field.shape, np.nan)
    for j, i in np.argwhere(np.isfinite(field)):
        cut = field[max(0, j - half) : j + half + 1, max(0, i - half) : i + half + 1]
        if np.isfinite(cut).mean() >= 0.5:
            found[j, i] = statistic(cut[np.isfinite(cut)])
    return found


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([3, 5, 7]), st.floats(0, 0.7), st.sampled_from([0.0, 1e6]))
def test_mean_and_deviation_are_those_of_numpy_in_each_window(
    seed: int, window: int, gone: float, level: float
) -> None:
    rng = np.random.default_rng(seed)
    field = rng.normal(size=(9, 12)) + level
    field[rng.random(field.shape) < gone] = np.nan
    np.testing.assert_allclose(
        rasters.mean(field, window), brute(field, window, np.mean), rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(rasters.std(field, window), brute(field, window, np.std), rtol=1e-7, atol=1e-9)


def test_a_flat_map_has_no_deviation_at_any_level() -> None:
    assert rasters.std(np.full((9, 9), 123456.789), 5).max() < 1e-9


@pytest.mark.parametrize("name", rasters.TEXTURES)
@pytest.mark.parametrize("window", [3, 7])
def test_texture_is_that_of_scikit_image_in_each_window(name: str, window: int) -> None:
    from skimage.feature import graycomatrix, graycoprops

    field = np.add.outer(np.sin(np.arange(14) / 3.0), np.cos(np.arange(17) / 2.0))
    field += 0.3 * np.random.default_rng(3).random(field.shape)
    field[3:8, 2:9] = 0.25  # of one level
    grey = rasters.grey_levels(field, 16).astype(np.uint8)
    angles, half = [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4], window // 2
    found = rasters.texture(field, window, name, levels=16)
    for j, i in np.ndindex(field.shape):
        cut = grey[max(0, j - half) : j + half + 1, max(0, i - half) : i + half + 1]
        matrix = graycomatrix(cut, [1], angles, 16, symmetric=True, normed=True)
        np.testing.assert_allclose(found[j, i], graycoprops(matrix, name).mean(), rtol=0, atol=1e-12)


def test_pairs_with_a_missing_cell_do_not_count_in_texture() -> None:
    field = np.array([[1.0, 2, 3], [4, 5, np.nan], [7, 8, 9]])
    grey = rasters.grey_levels(field, 4)
    steps = ((0, 1), (1, 1), (1, 0), (1, -1))
    by_angle = []
    for dy, dx in steps:  # all pairs of a 3 × 3 map, by hand
        pairs = [
            abs(grey[j, i] - grey[j + dy, i + dx])
            for j, i in np.ndindex(3, 3)
            if 0 <= j + dy < 3 and 0 <= i + dx < 3 and np.isfinite(grey[j, i] + grey[j + dy, i + dx])
        ]
        by_angle.append(np.mean(pairs))
    found = rasters.texture(field, 3, "dissimilarity", levels=4)
    np.testing.assert_allclose(found[1, 1], np.mean(by_angle), rtol=1e-12)
    assert np.isnan(found[1, 2])


def test_grey_levels_hold_equally_many_cells() -> None:
    values = np.random.default_rng(0).lognormal(size=(32, 40))
    assert np.unique(rasters.grey_levels(values, 32), return_counts=True)[1].tolist() == [40] * 32


@pytest.mark.parametrize("on", ["cells", "pixels"])
def test_windows_look_beyond_the_grid_where_the_raster_goes_on(tmp_path: Path, on: str) -> None:
    wide = rough((44, 50))  # ten cells more on each side
    write(tmp_path / "r.tif", wide, west=X - 1000, north=Y + 3400)
    for name, wanted in (("mean", rasters.mean(wide, 5)), ("std", rasters.std(wide, 5))):
        found = made(tmp_path, layer_of(derive=name, window=5, on=on, method="nearest"))
        np.testing.assert_allclose(found, wanted[10:-10, 10:-10], rtol=1e-5)
    own = write(tmp_path / "own.tif", wide[10:-10, 10:-10])
    found = made(tmp_path, layer_of(own.name, derive="mean", window=5, on=on, method="nearest"))
    np.testing.assert_allclose(found, brute(wide[10:-10, 10:-10], 5, np.mean), rtol=1e-5)


def test_on_pixels_is_before_and_on_cells_after_resampling(tmp_path: Path) -> None:
    fine = rough((96, 120))
    write(tmp_path / "r.tif", fine, step=25.0)
    blocks = fine.reshape(24, 4, 30, 4).mean(axis=(1, 3))
    cells = made(tmp_path, layer_of(derive="std", window=3, method="average"))
    np.testing.assert_allclose(cells, rasters.std(blocks, 3), rtol=1e-5)
    pixels = made(tmp_path, layer_of(derive="std", window=3, method="average", on="pixels"))
    np.testing.assert_allclose(
        pixels, rasters.std(fine, 3).reshape(24, 4, 30, 4).mean(axis=(1, 3)), rtol=1e-5
    )


def test_the_residual_of_a_raster_reaches_a_volume(tmp_path: Path) -> None:
    write(tmp_path / "r.tif", rough())
    volume = GridTable(crs=TABLE.crs, x=TABLE.x, y=TABLE.y, z=(-200, 0), spacing=STEP)
    layer = layer_of(derive="residual", separation="upward", height=300.0)
    fill, how = inputs.filler(study_of(tmp_path, layer, volume), layer, print)
    assert how == (
        "draped (linear), then residual part of upward continuation by 300 m, on cells, equal at all depths"
    )
    _, residual = potential_fields.separate(rough(), (STEP, STEP), method="upward", height=300.0)
    np.testing.assert_allclose(fill(volume.grid()), np.broadcast_to(residual, (2, *SHAPE)), atol=1e-4)


def test_formulas_of_bands_are_those_of_numpy(tmp_path: Path) -> None:
    red, swir = rough(seed=1), rough(seed=2)
    write(tmp_path / "scene.tif", np.stack([red, swir]))
    found = made(
        tmp_path, bands_of({"red": "scene.tif:1", "swir": "scene.tif:2"}, "(swir - red) / (swir + red)")
    )
    np.testing.assert_allclose(found, (swir - red) / (swir + red), rtol=1e-5, atol=1e-7)
    by_name = made(
        tmp_path,
        bands_of(
            {"red": "scene.tif:band_1", "swir": "scene.tif:band_2"}, "log10(swir) - sqrt(abs(-red ** 2))"
        ),
    )
    np.testing.assert_allclose(by_name, np.log10(swir) - red, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("on", ["cells", "pixels"])
def test_a_division_by_zero_is_missing_and_counted(tmp_path: Path, on: str) -> None:
    red, swir = rough(seed=1), rough(seed=2)
    red[2, 3] = 0
    swir[4, 5] = np.nan
    write(tmp_path / "r.tif", red)
    write(tmp_path / "s.tif", swir)
    told: list[str] = []
    found = made(
        tmp_path,
        bands_of({"red": "r.tif", "swir": "s.tif"}, "swir / red", method="nearest", on=on),
        told.append,
    )
    assert np.argwhere(np.isnan(found)).tolist() == [[2, 3], [4, 5]]
    assert told == [
        f"layer m: 1 {on} have no number by the formula (something divided by 0, a root or logarithm that "
        "does not exist) and are missing."
    ]


def test_a_formula_without_a_number_anywhere_is_refused_for_that(tmp_path: Path) -> None:
    write(tmp_path / "r.tif", np.zeros(SHAPE))
    write(tmp_path / "s.tif", rough())
    refused(
        tmp_path,
        bands_of({"red": "r.tif", "swir": "s.tif"}, "swir / red"),
        r"no cell of the area gets a value from r.tif, s.tif: the formula 'swir / red' has no number in any "
        r"of them \(something divided by 0",
    )


def test_what_has_no_number_stays_so_through_the_rest_of_a_formula() -> None:
    bands = {"a": np.array([0.0, 2, np.nan]), "b": np.array([1.0, 1, 1])}
    for text in ("1 / (b / a)", "(b / a) ** 0", "log10(a) * 0", "sqrt(-1 / a) + 1"):
        values, lost = Formula(text).of(bands)
        assert np.isnan(values[[0, 2]]).all(), text
        assert lost == (2 if "sqrt" in text else 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("red ^ 2", r"formula 'red \^ 2', character 1 \('red \^ 2'\): this is not one of numbers, names"),
        ("1 + red.real", r"character 5 \('red.real'\): this is not one of"),
        ("red + open('x')", r"character 7 .*: this is not one of"),
        ("red if red else 1", r"this is not one of"),
        ("[red]", r"this is not one of"),
        ("(lambda: 1)()", r"this is not one of"),
        ("'a' * 9", r"this is not one of"),
        ("True + red", r"this is not one of"),
        ("sqrt(red, 2)", r"character 1 .*: sqrt takes one argument"),
        ("sqrt + red", r"character 1 .*: sqrt takes one argument"),
        ("red + + * 2", r"character 9 \('\* 2'\): it cannot be read"),
        ("(red", r"it cannot be read"),
        ("1e999 * red", r"numbers go up to 1e\+30"),
        ("red\0", r"it cannot be read"),
        ("", r"a formula of 0 characters is not possible"),
        ("+".join(["red"] * 400), r"a formula of 1599 characters is not possible"),
        ("-" * 900 + "red", r"it is nested more than 200 times"),
    ],
)  # fmt: skip
def test_formulas_hold_nothing_but_arithmetic(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Formula(text).of({"red": np.ones(2)})


def test_powers_of_powers_do_not_run_away() -> None:
    values, lost = Formula("9 ** 9 ** 9 ** 9 * red").of({"red": np.ones(2)})
    assert np.isnan(values).all()
    assert lost == 2


def test_indices_are_formulas_with_a_source(tmp_path: Path) -> None:
    for name, index in INDICES.items():
        numbers = {f"b{k}": np.array([float(k)]) for k in range(1, 15)}
        values, lost = Formula(index.formula).of(numbers)
        assert np.isfinite(values).all(), name
        assert lost == 0
        assert "2012" in index.source
    # Geoscience Australia's product notes: AlOH group content is (B5 + B7) / B6
    scene = np.stack([rough(seed=k) for k in range(9)])
    write(tmp_path / "scene.tif", scene)
    files = {f"b{k}": f"scene.tif:{k}" for k in (5, 6, 7)}
    layer = BandsLayer(name="m", units="1", kind="bands", files=files, index="aster_aloh")
    np.testing.assert_allclose(made(tmp_path, layer), (scene[4] + scene[6]) / scene[5], rtol=1e-5)
    assert [name for _, name in layer.paths()] == ["scene.tif"]
    assert inputs.sources(study_of(tmp_path, layer), layer) == [tmp_path / "scene.tif"]


def test_a_colon_of_a_windows_drive_is_not_that_of_a_band() -> None:
    layer = bands_of({"a": r"C:\data\a.tif", "b": r"C:\data\s.tif:5", "c": "C:/data/s.tif:swir"}, "a + b + c")
    assert list(layer.bands().values()) == [
        (r"C:\data\a.tif", ""), (r"C:\data\s.tif", "5"), ("C:/data/s.tif", "swir"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"derive": "mean"}, "derive = 'mean' needs a window, such as window = 5"),
        ({"window": 5}, "window is for derive = 'mean', 'std', 'dissimilarity', 'correlation'. Remove it"),
        ({"derive": "std", "window": 4}, "a window has a cell in its middle, so it is an odd number"),
        ({"derive": "upward"}, "upward continuation needs a height in metres"),
        ({"derive": "tilt", "height": 10}, "height is for derive or separation = 'upward'. Remove it"),
        ({"derive": "mean", "window": 3, "levels": 8}, "levels is for derive = 'dissimilarity' or"),
        ({"derive": "tilt", "separation": "emd"}, "separation is for derive = 'regional' or 'residual'"),
        ({"derive": "residual", "separation": "upward", "height": 9, "modes": 2}, "modes is for separation"),
    ],
)  # fmt: skip
def test_settings_that_do_not_go_together_are_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        layer_of(**more)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"formula": "a / b"}, "the formula 'a / b' takes a, b, files has a. Name each band of it"),
        ({"formula": "a", "index": "aster_aloh"}, "bands need a formula or the name of an index, one of"),
        ({}, "bands need a formula or the name of an index, one of"),
        ({"index": "aster_alunite"}, "there is no index of this name. Use one of aster_ferric_oxide, "),
        ({"formula": "2"}, "the formula '2' takes no band, files has a"),
        ({"formula": "a", "files": {"a": "a.tif", "nir": "n.tif"}}, "files has nir, which the formula"),
        ({"formula": "a ^ 2"}, "character 1 .* this is not one of numbers"),
    ],
)  # fmt: skip
def test_bands_that_a_formula_does_not_have_are_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BandsLayer.model_validate(
            {"name": "m", "units": "1", "kind": "bands", "files": {"a": "a.tif"}, **more}
        )


def test_a_study_says_in_one_sentence_what_does_not_go_together(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(
        'name = "s"\n[grid]\ncrs = "EPSG:32651"\nx = [0, 100]\ny = [0, 100]\nspacing = 10.0\n'
        '[[layers]]\nname = "m"\nunits = "1"\nkind = "raster"\nfile = "r.tif"\nderive = "std"\n'
        '[[layers]]\nname = "n"\nunits = "1"\nkind = "bands"\nfiles = { a = "a.tif" }\nformula = "a +"\n'
        '[[deposits]]\nname = "A"\npoints = "p.csv"\n'
    )
    _, problems = examine(tmp_path / "study.toml")
    assert "[layers 'm']: derive = 'std' needs a window, such as window = 5." in problems
    assert any(one.startswith("[layers 'n']: formula 'a +', character ") for one in problems)


def refused(folder: Path, layer: RasterLayer | BandsLayer, message: str, grid: GridTable = TABLE) -> None:
    with pytest.raises(StudyError, match=message):
        inputs.filler(study_of(folder, layer, grid), layer, lambda note: None)


def test_a_layer_without_any_value_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "none.tif", np.full(SHAPE, np.nan))
    refused(
        tmp_path,
        layer_of("none.tif"),
        r"^layer 'm': no cell of the area gets a value from none.tif: all pixels of none are missing",
    )
    write(tmp_path / "far.tif", rough(), west=X + 90_000)
    refused(
        tmp_path,
        layer_of("far.tif", derive="std", window=3),
        r"no cell of the area gets .*: it spans x 590000 to 593000, y .* the area x 500000 to 503000",
    )


def test_windows_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "r.tif", rough())
    refused(
        tmp_path,
        layer_of(derive="std", window=25),
        r"layer 'm': a window of 25 cells is larger than the map of 24 × 30 cells \(y, x\)",
    )
    write(tmp_path / "few.tif", rough((3, 4)), step=900.0)
    refused(
        tmp_path,
        layer_of("few.tif", derive="std", window=5, on="pixels"),
        r"larger than the map of 3 × 4 cells",
    )
    with pytest.raises(
        ValueError, match=r"a window of 4 cells is not possible, use an odd number of 3 or more"
    ):
        rasters.mean(rough(), 4)
    with pytest.raises(ValueError, match=r"1 grey levels are not possible, use 2 to 256"):
        rasters.grey_levels(rough(), 1)
    with pytest.raises(ValueError, match=r"the texture 'energy' is not known"):
        rasters.texture(rough(), 3, "energy")


def test_what_pixels_or_maps_cannot_give_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "deg.tif", rough(), west=123.0, north=40.1, step=0.01, crs="EPSG:4326")
    refused(
        tmp_path,
        layer_of("deg.tif", derive="tilt", on="pixels"),
        r"the pixels are not in metres \(WGS 84\), which derive = 'tilt' needs. Use on = 'cells'",
    )
    turned = rasterio.Affine(90, 40, X, 40, -90, Y + 2400)
    write(tmp_path / "turned.tif", rough(), transform=turned)
    refused(
        tmp_path,
        layer_of("turned.tif", derive="dx", on="pixels"),
        "the raster is rotated, so its rows are not east",
    )
    refused(tmp_path, layer_of("deg.tif", drape="surface"), "drape = 'surface' needs depths, a map has none")
    write(tmp_path / "a.tif", rough())
    write(tmp_path / "b.tif", rough((12, 15)), step=200.0)
    two = {"a": "a.tif", "b": "b.tif"}
    refused(
        tmp_path,
        bands_of(two, "a / b", on="pixels"),
        r"the pixels of 'b' are not those of 'a' \(12 × 15 of 200 × 200 and 24 × 30",
    )
    assert np.isfinite(made(tmp_path, bands_of(two, "a / b"))).all(), "on cells they go together"


def test_bands_that_a_file_does_not_have_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "s.tif", np.stack([rough(), rough()]))
    refused(tmp_path, bands_of({"a": "s.tif:3"}, "a"), r"s.tif has no band '3', it has 'band_1', 'band_2'")
    refused(tmp_path, bands_of({"a": "s.tif:swir"}, "a"), r"s.tif has no band 'swir'")
    refused(
        tmp_path,
        bands_of({"a": "s.tif"}, "a"),
        r"s.tif holds 2 bands. Say which is 'a', such as a = 's.tif:1'",
    )


def test_a_raster_that_could_name_its_coordinate_system_and_does_not_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "r.tif", rough(), crs=None)
    write(tmp_path / "b.tif", rough())
    message = r"^layer 'm': r.tif names no coordinate system, so its pixels cannot be placed. Name it in the "
    refused(tmp_path, layer_of(), message + r'layer, such as crs = "EPSG:32651", or write it into the file')
    refused(tmp_path, bands_of({"a": "b.tif", "b": "r.tif"}, "a / b"), message)
    found = made(tmp_path, layer_of(method="nearest", crs=GRID.crs))
    np.testing.assert_allclose(found, rough(), rtol=1e-6)
    local = 'LOCAL_CS["mine",UNIT["metre",1]]'
    write(tmp_path / "r.tif", rough(), crs=local)
    refused(tmp_path, layer_of(), message)


def test_a_grid_whose_format_has_no_coordinate_system_is_taken_to_have_that_of_the_study(
    tmp_path: Path,
) -> None:
    y = " ".join(f"{value:.9g}" for value in rough().ravel())
    bounds = f"{X + 50:f} {X + 2950:f}\n{Y + 50:f} {Y + 2350:f}\n0 200\n"
    (tmp_path / "r.grd").write_text(f"DSAA\n30 24\n{bounds}{y}\n")
    told: list[str] = []
    found = made(tmp_path, layer_of("r.grd", method="nearest"), told.append)
    assert "layer m: the file names no coordinate system, that of the grid is assumed." in told
    np.testing.assert_allclose(found, rough(), rtol=1e-6)


def test_a_grid_of_cells_that_are_not_square_keeps_its_axes(tmp_path: Path) -> None:
    grid = GridTable(crs=TABLE.crs, x=TABLE.x, y=TABLE.y, spacing=(100.0, 200.0))
    y, _ = np.meshgrid(grid.grid().centres(1), np.arange(30), indexing="ij")
    write(tmp_path / "r.tif", np.meshgrid(np.arange(30) * 300.0, np.arange(24) * 500.0)[1])
    layer = layer_of(derive="dy", method="linear")
    fill, _ = inputs.filler(study_of(tmp_path, layer, grid), layer, print)
    whole: Grid = grid.grid()
    assert whole.spacing[1:] == (200.0, 100.0)
    assert y.shape == whole.shape[1:]
    np.testing.assert_allclose(fill(whole)[0][1:-1], 5.0, rtol=1e-5)  # 500 a row of 100 m
