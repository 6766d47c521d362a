"""Maps that leave the package: GeoTIFFs, pictures, success-rate curves, leading layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyproj
import pytest
import rasterio

from mpm3d import maps
from mpm3d.evaluate import CAUTION
from mpm3d.grid import Grid
from mpm3d.maps import furniture

CRS = "EPSG:32650"


def map_grid(xmin: float, ymin: float, shape: tuple[int, int], step: float, crs: str = CRS) -> Grid:
    return Grid((1, *shape), (step, step, step), (-step / 2, ymin, xmin), crs)


def marker(grid: Grid) -> np.ndarray:
    """Different in every cell, with one missing: nothing lands in the wrong place unseen."""
    values = np.arange(np.prod(grid.shape[1:]), dtype=float).reshape(grid.shape[1:])
    values[1, 2] = np.nan
    return values


def test_a_marker_comes_back_in_the_right_pixel_of_a_geotiff(tmp_path: Path) -> None:
    grid = map_grid(-500.0, 2_000.0, (3, 5), 100.0)
    path = maps.write_cog(tmp_path / "m.tif", marker(grid), grid, name="score", units="1", note="a study")
    with rasterio.open(path) as file:
        assert file.crs == rasterio.CRS.from_epsg(32650)
        assert (file.dtypes, np.isnan(file.nodata)) == (("float32",), True)
        assert tuple(file.bounds) == (-500, 2000, 0, 2300)
        tags = file.tags()
        assert (tags["caution"], tags["units"], tags["note"]) == (CAUTION, "1", "a study")
        assert (file.descriptions, file.units) == (("score",), ("1",))
        places = grid.points()[:, :2]
        found = np.array([value[0] for value in file.sample(places.tolist())])
        assert file.read(1)[0, 0] == marker(grid)[-1, 0]  # the first row is the northernmost
    np.testing.assert_array_equal(found, marker(grid).ravel())


def test_a_geotiff_is_cloud_optimised(tmp_path: Path) -> None:
    grid = map_grid(0.0, 0.0, (600, 700), 10.0)
    path = maps.write_cog(tmp_path / "m.tif", marker(grid), grid, name="score", units="1")
    with rasterio.open(path) as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.block_shapes == [(256, 256)]
        assert file.overviews(1) == [2, 4]
    # as GDAL's driver promises: directories of pixels come before any pixel, overviews' pixels come first
    head = path.read_bytes()[:400]
    assert b"GDAL_STRUCTURAL_METADATA_SIZE" in head
    assert b"LAYOUT=IFDS_BEFORE_DATA" in head


def test_what_does_not_fit_a_geotiff_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    grid = map_grid(0.0, 0.0, (3, 5), 100.0)
    with pytest.raises(ValueError, match=r"the values have the shape \(5, 3\), the map \(3, 5\) \(y, x\)\. "):
        maps.write_cog(tmp_path / "m.tif", np.zeros((5, 3)), grid, name="a", units="1")
    with pytest.raises(ValueError, match=r"'a' holds numbers beyond 3\.40282e\+38"):
        maps.write_cog(tmp_path / "m.tif", np.full((3, 5), 1e39), grid, name="a", units="1")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("corner", "shape", "step"),
    [
        ((-300_000.0, -120_000.0), (12, 60), 10_000.0),  # 600 km wide, negative coordinates
        ((500_000.0, 4_430_000.0), (60, 12), 33.0),  # 2 km high and narrow
        ((500_000.0, 4_430_000.0), (20, 20), 100.0),
    ],
)
def test_nothing_of_a_map_is_cut_off(
    tmp_path: Path, corner: tuple[float, float], shape: tuple[int, int], step: float
) -> None:
    from matplotlib.image import imread

    grid = map_grid(*corner, shape, step)
    middle = grid.points()[:, :2].mean(axis=0)
    points = {
        "deposit": ([middle, middle + step], ["North", "South"]),
        "blind deposit": ([middle * 1], ["$x_1"]),
    }
    path = maps.draw_map(
        marker(grid), grid, tmp_path / "m.png", title="Prospectivity", units="%", points=points,
        outlines=[[middle, middle + 2 * step]], note="a note",
    )  # fmt: skip
    picture = imread(path)[..., :3]
    edge = np.concatenate([picture[:3].reshape(-1, 3), picture[-3:].reshape(-1, 3)])
    sides = np.concatenate([picture[:, :3].reshape(-1, 3), picture[:, -3:].reshape(-1, 3)])
    assert edge.min() == sides.min() == 1.0  # white all around, so no letter crosses the edge


def texts(figure: object) -> list[str]:
    from matplotlib.text import Text

    return [one.get_text().strip() for one in figure.findobj(Text) if one.get_text()]  # type: ignore[attr-defined]


def test_a_map_shows_its_own_coordinates_and_degrees_where_they_are() -> None:
    grid = map_grid(500_000.0, 4_430_000.0, (20, 20), 100.0)
    figure, _ = furniture.map_axes(grid)
    figure.draw_without_rendering()
    shown = texts(figure)
    assert {"501,000", "4,431,000", "easting, m", "northing, m", "117.005°E", "N", "500 m"} <= set(shown)
    x = np.linspace(500_000, 502_000, 50)
    change = pyproj.Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
    lon, _ = change.transform(x, np.full(50, 4_432_000.0))
    at, labels = furniture.crossings(x, np.asarray(lon), 6, "EW")
    back, _ = change.transform(at, np.full(len(at), 4_432_000.0))
    np.testing.assert_allclose(back, [float(one.removesuffix("°E")) for one in labels], atol=1e-6)


def test_degrees_west_and_south_and_across_the_date_line_are_written_as_such() -> None:
    at, labels = furniture.crossings(np.array([0.0, 1.0]), np.array([-2.0, 2.0]), 4, "NS")
    assert labels == ["2°S", "1°S", "0°", "1°N", "2°N"]
    np.testing.assert_allclose(at, [0, 0.25, 0.5, 0.75, 1])
    assert furniture.crossings(np.array([0.0, 1.0]), np.array([179.0, 181.0]), 2, "EW")[1][-1] == "179°W"
    assert furniture.crossings(np.array([0.0, 1, 2]), np.array([0.0, 1, 0]), 2, "EW")[1] == []


@pytest.mark.parametrize(("longest", "length"), [(999, 500), (1000, 1000), (199_999, 100_000), (0.3, 0.2)])
def test_a_scale_bar_is_as_long_as_it_says(longest: float, length: float) -> None:
    assert furniture.round_length(longest) == pytest.approx(length)


def test_the_arrow_points_to_true_north() -> None:
    """Convergence of a transverse Mercator projection on the sphere: atan(tan(Δλ) sin φ)."""
    grid = map_grid(700_000.0, 4_400_000.0, (2, 2), 100.0)
    change = pyproj.Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
    lon, lat = change.transform(700_100.0, 4_400_100.0)
    meant = np.degrees(np.arctan(np.tan(np.radians(lon - 117)) * np.sin(np.radians(lat))))
    found = furniture._convergence(grid, pyproj.CRS(CRS))
    assert found == pytest.approx(-meant, abs=0.01)  # east of the middle meridian it leans to the left


def test_a_map_without_a_value_is_told(tmp_path: Path) -> None:
    grid = map_grid(0.0, 0.0, (3, 5), 100.0)
    with pytest.raises(ValueError, match=r"'Score' has no value in any cell, so there is nothing to draw\."):
        maps.draw_map(np.full((3, 5), np.nan), grid, tmp_path / "m.png", title="Score", units="1")
    assert not list(tmp_path.iterdir())


def test_a_deposit_is_found_where_its_median_cell_is() -> None:
    ranks = {"A": [0.005, 0.015, 0.9], "B": [0.04, 0.06], "C": [0.3]}
    assert maps.share_found(ranks).tolist() == pytest.approx([0, 1 / 3, 2 / 3, 2 / 3])


@pytest.mark.parametrize(("left_out", "word"), [(True, "left out of training"), (False, "IN-SAMPLE")])
def test_a_success_rate_curve_says_whether_deposits_were_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_out: bool, word: str
) -> None:
    drawn: list[object] = []
    monkeypatch.setattr("mpm3d.maps.success.write", lambda figure, path: drawn.append(figure) or Path(path))
    ranks = {"forest": {"A": [0.005, 0.015, 0.9], "B": [0.2]}, "_odd$": {"A": [0.0], "B": [1.0]}}
    maps.draw_success(ranks, tmp_path / "s.png", left_out=left_out)
    (figure,) = drawn
    shown = " ".join(texts(figure))
    assert word in shown
    assert "forest: 0, 50, 50, 50 % of deposits in the best 1, 2, 5, 10 %" in shown
    assert "a deposit counts by its median rank" in shown
    assert CAUTION in shown
    with pytest.raises(ValueError, match="there is no success-rate curve to draw"):
        maps.draw_success({}, tmp_path / "s.png")


def test_the_leading_layer_is_the_one_of_the_largest_size() -> None:
    parts = np.array([[[0.2, -0.1, np.nan, 0.0]], [[-0.3, 0.1, 0.4, 0.0]]])
    assert maps.leading_layers(parts).tolist() == [[1, 0, 1, -1]]
    with pytest.raises(ValueError, match=r"shape \(2, 3\) is no map, \(layer, y, x\) is needed"):
        maps.leading_layers(np.zeros((2, 3)))


def test_the_legend_of_leading_layers_has_twelve_names_and_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[object] = []
    monkeypatch.setattr("mpm3d.maps.picture.write", lambda figure, path: drawn.append(figure) or Path(path))
    grid = map_grid(0.0, 0.0, (10, 20), 100.0)
    codes = np.repeat(np.arange(-1, 19), 10).reshape(20, 10).T
    codes[:9, :3] = 4  # layer 4 leads in most cells
    names = [f"layer{k}" for k in range(19)]
    maps.draw_leading(codes, names, grid, tmp_path / "l.png", title="Leading")
    (figure,) = drawn
    shown = [text for text in texts(figure) if text.startswith("layer") or "other" in text]
    assert len(shown) == 13
    assert shown[0] == "layer4 (19 %)"  # 37 of the 199 cells that have one
    assert sum(int(text.split("(")[1].split()[0]) for text in shown) == pytest.approx(100, abs=6)
    with pytest.raises(ValueError, match=r"the code 18 has no name, there are 3 layers\."):
        maps.draw_leading(codes, names[:3], grid, tmp_path / "l.png", title="Leading")
