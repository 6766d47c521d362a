"""Points, lines and polygons of maps: read, chosen, measured."""

from __future__ import annotations

import warnings
from pathlib import Path

import geopandas
import numpy as np
import pyproj
import pytest
import rasterio
import shapely
from scipy.spatial.distance import cdist

from mpm3d import vectors
from mpm3d.errors import FormatError
from mpm3d.grid import Grid

CRS = "EPSG:32650"
GRID = Grid((1, 30, 40), (100.0, 100.0, 100.0), (-50.0, 2_900_000.0, 400_000.0), CRS)
XY = GRID.points()[:, :2]
ORIGIN = np.array([400_000.0, 2_900_000.0])


def at(*xy: tuple[float, float]) -> np.ndarray:
    """Places counted from the corner of the grid."""
    return np.asarray(xy, dtype=float) + ORIGIN


def write(path: Path, shapes: list[object], crs: str | None = CRS, **columns: list[object]) -> Path:
    frame = geopandas.GeoDataFrame(columns, geometry=shapes, crs=crs)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided")
        frame.to_file(path)
    return path


def test_distance_to_lines_is_that_to_the_densest_dots_on_them() -> None:
    line = shapely.LineString(at((-500, 300), (1800, 2500), (3900, 200)))
    found = vectors.prepare_distance([line], CRS)(GRID)
    dots = shapely.get_coordinates(shapely.line_interpolate_point(line, np.arange(0, line.length, 1.0)))
    meant = cdist(XY, dots).min(axis=1).reshape(30, 40)
    np.testing.assert_allclose(found, meant, atol=0.5)  # dots are a metre apart
    assert (found <= meant + 1e-9).all()
    cut = vectors.prepare_distance([line], CRS, cutoff=300.0)(GRID)
    np.testing.assert_array_equal(cut, np.minimum(found, 300))


def test_distance_is_zero_inside_polygons_and_not_in_their_holes() -> None:
    ring = shapely.Polygon(at((500, 500), (2500, 500), (2500, 2500), (500, 2500)),
                           [at((1000, 1000), (2000, 1000), (2000, 2000), (1000, 2000))])  # fmt: skip
    point = shapely.MultiPoint(at((3950, 50)))
    found = vectors.prepare_distance([shapely.GeometryCollection([ring, point])], CRS)(GRID)
    dx, dy = (XY - ORIGIN).T
    outer = np.hypot(np.maximum(np.abs(dx - 1500) - 1000, 0), np.maximum(np.abs(dy - 1500) - 1000, 0))
    hole = np.maximum(500 - np.maximum(np.abs(dx - 1500), np.abs(dy - 1500)), 0)
    meant = np.minimum(np.where(outer > 0, outer, hole), np.hypot(dx - 3950, dy - 50))
    np.testing.assert_allclose(found.ravel(), meant, atol=1e-6)
    part = GRID.window((slice(0, 1), slice(5, 9), slice(10, 20)))
    np.testing.assert_array_equal(vectors.prepare_distance([ring, point], CRS)(part), found[5:9, 10:20])


def test_geodesic_distance_is_the_shortest_way_over_the_ellipsoid() -> None:
    """A map of 1200 km, on whose plane distances are off by up to a percent; dots every 50 m by pyproj."""
    wide = Grid((1, 6, 8), (1e5, 150_000.0, 150_000.0), (0.0, 3_000_000.0, -600_000.0), CRS)
    ends = np.array([[-400_000, 3_100_000], [450_000, 3_700_000]], dtype=float)
    found = vectors.prepare_distance([shapely.LineString(ends)], CRS, geodesic=True)(wide)
    change = pyproj.Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
    share = np.linspace(0, 1, 20_001)[:, None]
    lon, lat = change.transform(*(ends[0] * (1 - share) + ends[1] * share).T)
    here = np.array(change.transform(*wide.points()[:, :2].T))
    earth = pyproj.Geod(ellps="WGS84")
    one = np.ones(20_001)
    meant = [earth.inv(x * one, y * one, lon, lat)[2].min() for x, y in here.T]
    np.testing.assert_allclose(found.ravel(), meant, rtol=1e-6, atol=0.5)
    plain = vectors.prepare_distance([shapely.LineString(ends)], CRS)(wide)
    assert np.abs(plain / found - 1).max() > 0.003


def test_geodesic_distance_to_a_point_is_the_inverse_problem_of_pyproj_and_polygons_are_zero() -> None:
    lonlat = pyproj.Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
    place = at((1200, 900))[0]
    found = vectors.prepare_distance([shapely.Point(place)], CRS, geodesic=True)(GRID).ravel()
    lon, lat = lonlat.transform(*XY.T)
    there = np.array([lonlat.transform(*place)] * len(lon)).T
    np.testing.assert_allclose(found, pyproj.Geod(ellps="WGS84").inv(lon, lat, *there)[2], atol=1e-3)
    box = shapely.box(*at((1000, 1000), (2000, 2000)).ravel())
    inside = vectors.prepare_distance([box], CRS, geodesic=True)(GRID)[10:20, 10:20]
    assert not inside.any()


def test_a_map_in_degrees_has_geodesic_distances() -> None:
    degrees = Grid((1, 3, 4), (1.0, 1.0, 1.0), (0.0, 20.0, 110.0), "EPSG:4326")
    found = vectors.prepare_distance([shapely.LineString([(110, 0), (110, 40)])], "EPSG:4326", geodesic=True)
    x, y = degrees.points()[:, 0], degrees.points()[:, 1]
    lat = np.linspace(19, 25, 60_001)
    meant = [
        pyproj.Geod(ellps="WGS84").inv(a + 0 * lat, b + 0 * lat, 110 + 0 * lat, lat)[2].min()
        for a, b in zip(x, y, strict=True)
    ]
    np.testing.assert_allclose(found(degrees).ravel(), meant, rtol=1e-6)


def test_distances_that_make_no_sense_are_refused() -> None:
    point = [shapely.Point(0, 0)]
    with pytest.raises(ValueError, match=r"the grid is in degrees \(EPSG:4326\).*geodesic = true"):
        vectors.prepare_distance(point, "EPSG:4326")
    with pytest.raises(ValueError, match="a cutoff of -1 m is not possible"):
        vectors.prepare_distance(point, CRS, cutoff=-1)
    with pytest.raises(ValueError, match="there is no shape to measure the distance to"):
        vectors.prepare_distance([], CRS)


def test_cover_is_the_share_of_the_cell_by_hand_and_sums_to_the_area() -> None:
    triangle = shapely.Polygon(at((0, 0), (300, 0), (0, 300)))  # diagonal through three cells
    found = vectors.prepare_inside([triangle, triangle])(GRID)
    np.testing.assert_allclose(found[:3, :3], [[1, 1, 0.5], [1, 0.5, 0], [0.5, 0, 0]], atol=1e-12)
    circle = shapely.Point(at((1733, 1411))[0]).buffer(987)
    cover = vectors.prepare_inside([circle])(GRID)
    assert cover.sum() * 1e4 == pytest.approx(circle.area, rel=1e-9)
    assert (cover[14, 17], cover[0, 0]) == (1, 0)
    with pytest.raises(ValueError, match=r"measure = 'inside' needs polygons, and there are only lines"):
        vectors.prepare_inside([shapely.LineString([(0, 0), (1, 1)])])


def test_a_class_is_that_of_the_first_polygon_at_the_centre() -> None:
    left, both = (
        shapely.box(*at(*ends).ravel()) for ends in (((0, 0), (1049, 3000)), ((0, 0), (2000, 3000)))
    )
    found = vectors.prepare_classes([left, both], [7, 3])(GRID)
    assert found[4, 9] == 7
    assert found[4, 10] == 3  # the first ends a metre before the centre
    assert np.isnan(found[:, 20:]).all()
    assert not np.isnan(found[:, :20]).any()


def test_a_file_in_degrees_lands_in_the_right_cells_and_says_so(tmp_path: Path) -> None:
    back = pyproj.Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
    lon, lat = back.transform(*at((1234, 567))[0])
    path = write(tmp_path / "p.geojson", [shapely.Point(lon, lat)], "EPSG:4326")
    found = vectors.read(path, CRS)
    np.testing.assert_allclose(shapely.get_coordinates(found.shapes), at((1234, 567)), atol=0.01)
    assert found.notes == ("projected from EPSG:4326 to EPSG:32650.",)


def test_long_edges_bend_as_the_projection_does(tmp_path: Path) -> None:
    """The middle of a parallel of 6 degrees lies below the chord of its ends by kilometres."""
    path = write(tmp_path / "l.gpkg", [shapely.LineString([(114, 30), (120, 30)])], "EPSG:4326")
    shape = vectors.read(path, CRS).shapes[0]
    x, y = pyproj.Transformer.from_crs("EPSG:4326", CRS, always_xy=True).transform(117, 30)
    assert shape.distance(shapely.Point(x, y)) < 2.0
    assert shapely.LineString([shape.coords[0], shape.coords[-1]]).distance(shapely.Point(x, y)) > 3_000


def test_without_a_coordinate_system_the_study_has_to_name_one(tmp_path: Path) -> None:
    path = write(tmp_path / "p.shp", [shapely.Point(*at((50, 50))[0])], None, NAME=["a"])
    with pytest.raises(ValueError, match=r"p\.shp names no coordinate system.*such as crs = \"EPSG:4326\""):
        vectors.read(path, CRS)
    assert vectors.read(path, CRS, source_crs=CRS).notes == ()
    assert {beside.suffix for beside in vectors.companions(path)} == {".shx", ".dbf", ".cpg"}
    assert vectors.companions(tmp_path / "p.gpkg") == []


def test_a_crs_of_the_study_that_differs_from_the_file_is_used_and_said(tmp_path: Path) -> None:
    path = write(tmp_path / "p.gpkg", [shapely.Point(*at((50, 50))[0])], "EPSG:32649")
    assert vectors.read(path, CRS, source_crs=CRS).notes == (
        "the file says EPSG:32649, EPSG:32650 of the study is used.",
    )


def test_one_of_several_layers_has_to_be_named(tmp_path: Path) -> None:
    for name in ("faults", "units"):
        geopandas.GeoDataFrame(geometry=[shapely.Point(0, 0)], crs=CRS).to_file(
            tmp_path / "m.gpkg", layer=name
        )
    with pytest.raises(FormatError, match=r"it has 2 layers, 'faults', 'units'\. Name one: layer = 'faults'"):
        vectors.read(tmp_path / "m.gpkg", CRS)
    with pytest.raises(FormatError, match=r"there is no layer 'fault', it has 'faults', 'units'\."):
        vectors.read(tmp_path / "m.gpkg", CRS, layer="fault")
    assert len(vectors.read(tmp_path / "m.gpkg", CRS, layer="units").frame) == 1


def test_crossed_polygons_are_mended_and_empty_rows_left_out_and_both_are_said(tmp_path: Path) -> None:
    bow = shapely.Polygon(at((0, 0), (1000, 1000), (1000, 0), (0, 1000)))
    path = write(tmp_path / "b.gpkg", [bow, None])
    found = vectors.read(path, CRS)
    assert found.shapes[0].area == pytest.approx(2 * 1000 * 500 / 2)
    assert found.notes == (
        "1 of 2 rows have no shape and are left out.",
        "1 of 1 shapes are invalid (crossing themselves) and mended.",
    )


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.gpkg").write_bytes(b"SQLite format 3\x00 torn")
    with pytest.raises(FormatError, match=r"bad\.gpkg: it cannot be read as a file of vectors"):
        vectors.read(tmp_path / "bad.gpkg", CRS)
    path = write(tmp_path / "e.gpkg", [None, None], A=[1, 2])
    with pytest.raises(FormatError, match=r"none of its 2 rows has a shape\."):
        vectors.read(path, CRS)


def units(tmp_path: Path) -> vectors.Vectors:
    shapes = [shapely.box(*at((k * 500, 0), (k * 500 + 400, 900)).ravel()) for k in range(4)]
    path = write(tmp_path / "u.gpkg", shapes, UNIT=["granite", "diorite", "schist", None], AGE=[1, 2, 2, 3])
    return vectors.read(path, CRS)


def test_shapes_are_chosen_by_words_and_numbers(tmp_path: Path) -> None:
    found = vectors.select(units(tmp_path), {"UNIT": ["granite", "schist", "gabbro"], "AGE": [2.0]})
    assert found.frame["UNIT"].tolist() == ["schist"]
    assert found.notes == ("no shape has UNIT = 'gabbro'.",)


def test_a_choice_of_nothing_lists_the_values_there_are(tmp_path: Path) -> None:
    message = (
        r"^no shape of u\.gpkg has UNIT = 'gabbro' or 'gneiss'\. There are 'diorite', 'granite', 'schist'\.$"
    )
    with pytest.raises(ValueError, match=message):
        vectors.select(units(tmp_path), {"UNIT": ["gneiss", "gabbro"]})
    with pytest.raises(ValueError, match=r"u\.gpkg has no column 'UNITS'\. Did you mean 'UNIT'\?"):
        vectors.select(units(tmp_path), {"UNITS": ["granite"]})
    with pytest.raises(ValueError, match=r"UNIT = \['granite'\] and AGE = \[2\] at once"):
        vectors.select(units(tmp_path), {"UNIT": ["granite"], "AGE": [2]})


def test_a_table_of_longitudes_is_a_file_of_places(tmp_path: Path) -> None:
    back = pyproj.Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
    (x, y), (u, v) = (back.transform(*one) for one in at((1234, 567), (250, 250)))
    rows = ["Lon,Lat,Name,Style", f"{x},{y},007,vein", f"{u},{v},,", ",,lost,"]
    (tmp_path / "ore.csv").write_text("\n".join(rows))
    places, notes = vectors.read_places(tmp_path / "ore.csv", CRS, columns=("Name", "Style"))
    assert [(p.name, p.style) for p in places] == [("007", "vein"), ("ore 2", "")]
    assert [vectors.cells_of(p.shape, GRID)[0].tolist() for p in places] == [[[0, 5, 12]], [[0, 2, 2]]]
    assert "1 of 3 rows have no coordinates and are left out." in notes
    assert any(note.startswith("a table names no coordinate system, EPSG:4326 is assumed") for note in notes)
    with pytest.raises(ValueError, match=r"ore\.csv has no column 'Type'\. It has Lon, Lat, Name, Style\."):
        vectors.read_places(tmp_path / "ore.csv", CRS, columns=("", "Type"))


def test_every_marked_pixel_is_a_place_and_touching_ones_are_one_if_asked_for(tmp_path: Path) -> None:
    marks = np.zeros((6, 8), np.uint8)
    marks[0, 0] = marks[1, 1] = marks[5, 7] = 1  # by corners too
    marks[3, 3] = 2
    profile = {"driver": "GTiff", "height": 6, "width": 8, "count": 1, "dtype": "uint8", "crs": CRS,
               "transform": rasterio.Affine(100, 0, 400_000, 0, -100, 2_900_600)}  # fmt: skip
    with rasterio.open(tmp_path / "li.tif", "w", **profile) as file:
        file.write(marks, 1)
    places, notes = vectors.read_places(tmp_path / "li.tif", CRS)
    cells = [vectors.cells_of(p.shape, GRID)[0].tolist() for p in places]
    assert cells == [[[0, 5, 0]], [[0, 4, 1]], [[0, 0, 7]]]
    assert notes == (
        "3 pixels are marked (1), each a deposit of its own at its centre. Some touch: with "
        "each = 'touching' they would be 2.",
    )
    places, notes = vectors.read_places(tmp_path / "li.tif", CRS, touching=True)
    assert [p.name for p in places] == ["li 1", "li 2"]
    cells = [vectors.cells_of(p.shape, GRID)[0].tolist() for p in places]
    assert cells == [[[0, 4, 1], [0, 5, 0]], [[0, 0, 7]]]
    assert notes == ("3 pixels are marked (1), 2 groups of touching ones; each counts at its centre.",)
    with rasterio.open(tmp_path / "none.tif", "w", **profile) as file:
        file.write(marks * 3, 1)
    with pytest.raises(FormatError, match=r"no pixel is 1, which marks a deposit\. Values are 0, 3, 6\."):
        vectors.read_places(tmp_path / "none.tif", CRS)


def test_equal_names_are_numbered(tmp_path: Path) -> None:
    path = write(tmp_path / "d.gpkg", [shapely.Point(*p) for p in at((5, 5), (505, 5))], N=["a", "a"])
    places, notes = vectors.read_places(path, CRS, columns=("N", ""))
    assert [p.name for p in places] == ["a", "a (2)"]
    assert notes == ("2 deposits are called 'a', from the second on they are numbered.",)


def test_a_polygon_meets_the_cells_that_it_enters_by_their_share() -> None:
    cells, share = vectors.cells_of(shapely.box(*at((150, 0), (300, 50)).ravel()), GRID)
    assert cells.tolist() == [[0, 0, 1], [0, 0, 2]]  # it touches the next without entering
    np.testing.assert_allclose(share, [0.25, 0.5])
    assert not len(vectors.cells_of(shapely.Point(0, 0), GRID)[0])


def test_in_a_volume_places_need_elevations() -> None:
    deep = Grid((3, 30, 40), (100.0, 100.0, 100.0), (-300.0, 2_900_000.0, 400_000.0), CRS)
    x, y = at((150, 250))[0]
    assert vectors.cells_of(shapely.Point(x, y, -150), deep)[0].tolist() == [[1, 2, 1]]
    with pytest.raises(ValueError, match="a point without an elevation has no place in a volume"):
        vectors.cells_of(shapely.Point(x, y), deep)


def test_files_of_other_kinds_are_no_places(tmp_path: Path) -> None:
    (tmp_path / "p.vs").write_text("GOCAD VSet 1")
    with pytest.raises(
        ValueError, match=r"p\.vs is no file of places that is known here\. Give one of \.gpkg"
    ):
        vectors.read_places(tmp_path / "p.vs", CRS)
