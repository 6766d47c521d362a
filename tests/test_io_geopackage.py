"""GeoPackages: what QGIS finds in them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from mpm3d.geometry import Lines, Points, Surface
from mpm3d.grid import Grid
from mpm3d.io.geopackage import Layer, footprint, points_layer, write_bodies, write_layers, write_points
from mpm3d.lattice import PropertyModel
from mpm3d.wells import Curve, Intervals, Well

geopandas = pytest.importorskip("geopandas")
CRS = "EPSG:32651"
GRID = Grid((2, 3, 4), (10, 20, 30), (-100, 7000000, 500000), CRS)


def layer_of(path: Path, name: str):
    return geopandas.read_file(path, layer=name)


def layers_in(path: Path) -> dict[str, str]:
    """Names and descriptions, straight from the tables of the file."""
    with sqlite3.connect(path) as file:
        return dict(file.execute("select table_name, description from gpkg_contents"))


def well(name: str = "W1") -> Well:
    return Well(
        name, np.array([5e5, 7e6, 100.0]), np.array([0, 100.0]),
        np.array([[5e5, 7e6, 100], [5e5, 7e6 + 60, 20.0]]),
        markers=(("top", 50.0), ("deeper than the hole", 500.0)),
        intervals={"assay": Intervals(np.array([0, 10, 99.0]), np.array([10, 20, 200.0]),
                                      {"au": np.array([1.5, np.nan, 3]), "rock": np.array(["a", "", "c"])})},
        curves={"GR": Curve(np.array([1.0]), np.array([2.0]))},
    )  # fmt: skip


def test_points_have_their_columns_elevations_and_coordinate_system(tmp_path):
    path = tmp_path / "p.gpkg"
    columns = {"au": np.array([1.5, np.nan]), "rock": np.array(["Grünschiefer", ""]), "FID": np.array([7, 8])}
    write_points(path, "sites", [[500000.123, 7000000.5, -12.25], [5e5, 7e6, 0]], columns, CRS, note="Mind.")
    found = layer_of(path, "sites")
    assert found.crs.to_epsg() == 32651
    assert found.geometry.iloc[0].coords[0] == (500000.123, 7000000.5, -12.25)
    np.testing.assert_array_equal(found["au"], [1.5, np.nan])
    assert found["rock"].tolist() == ["Grünschiefer", ""]
    assert found["FID_"].tolist() == [7, 8]  # FID is the key of the file itself
    assert layers_in(path) == {"sites": "Mind."}
    assert [p.name for p in tmp_path.iterdir()] == ["p.gpkg"]


def test_a_footprint_is_the_union_of_the_squares_of_the_cells():
    cells = [[0, 0, 0], [1, 0, 0], [0, 0, 1], [0, 2, 3]]  # two columns side by side, one apart
    union = footprint(cells, GRID)
    assert union.area == pytest.approx(3 * 20 * 30)
    assert union.geom_type == "MultiPolygon"
    assert union.bounds == (500000, 7000000, 500120, 7000060)
    near, far = sorted(union.geoms, key=lambda part: part.bounds)
    assert near.bounds == (500000, 7000000, 500060, 7000020)
    assert far.bounds == (500090, 7000040, 500120, 7000060)


def test_bodies_become_layers_of_their_own(tmp_path):
    path = tmp_path / "b.gpkg"
    vertices = np.array([[0, 0, 0], [10, 0, 1], [10, 0, 9], [0, 0, 8.0]])  # a vertical wall
    wall = Surface("wall", vertices, np.array([[0, 1, 2], [0, 2, 3]]), properties={"throw": np.arange(4.0)})
    river = Lines("river", vertices, np.array([[0, 1], [1, 2], [3, 0]]), np.array([5, 5, 6]))
    spots = Points("wall", vertices, properties={"v": np.arange(12.0).reshape(4, 3)})
    lost = write_bodies(path, [wall, river, spots, well()], CRS, note="Not surveyed.")
    said = layers_in(path)
    assert list(said) == ["wall", "river", "wall 2", "wells", "collars", "markers", "assay"]
    assert all(text.endswith("Not surveyed.") for text in said.values())
    sheet = layer_of(path, "wall")
    assert sheet.geometry.iloc[0].geom_type == "MultiPolygon"
    assert sheet.geometry.iloc[0].has_z
    assert (sheet["triangles"].iloc[0], sheet["z_min"].iloc[0], sheet["z_max"].iloc[0]) == (2, 0, 9)
    strings = layer_of(path, "river")
    assert strings["part"].tolist() == [5, 6]
    assert strings.geometry.iloc[0].coords[:] == [(0, 0, 0), (10, 0, 1), (10, 0, 9)]
    assert layer_of(path, "wall 2")["v_3"].tolist() == [2, 5, 8, 11]
    assert lost[0] == "'wall': values of its vertices are not in the GeoPackage (throw)."
    assert "1 intervals of 'W1' lie beyond its path." in lost
    assert "the curves of wells are not in the GeoPackage (GR)." in lost


def test_intervals_and_markers_of_wells_lie_on_their_paths(tmp_path):
    path = tmp_path / "w.gpkg"
    write_bodies(path, [well(), well("W2")], CRS)
    assert layer_of(path, "wells")["hole"].tolist() == ["W1", "W2"]
    assert layer_of(path, "wells")["length"].tolist() == [100, 100]
    marks = layer_of(path, "markers")
    assert marks["marker"].tolist() == ["top", "top"]
    assert marks.geometry.iloc[0].coords[0] == (5e5, 7e6 + 30, 60)
    assay = layer_of(path, "assay")
    assert assay["hole"].tolist() == ["W1", "W1", "W2", "W2"]
    assert assay.geometry.iloc[1].coords[:] == [(5e5, 7e6 + 6, 92), (5e5, 7e6 + 12, 84)]
    np.testing.assert_array_equal(assay["au"], [1.5, np.nan, 1.5, np.nan])
    assert assay["rock"].tolist() == ["a", "", "a", ""]


def test_values_of_segments_that_are_lines_of_their_own_are_columns(tmp_path):
    vertices = np.array([[0, 0, 0], [1, 0, 0], [5, 0, 0], [6, 0, 0.0]])
    lines = Lines("l", vertices, np.array([[0, 1], [2, 3]]), cell_properties={"flow": np.array([1.5, 2])})
    assert write_bodies(tmp_path / "l.gpkg", [lines], CRS) == ()
    assert layer_of(tmp_path / "l.gpkg", "l")["flow"].tolist() == [1.5, 2]


def test_no_target_is_a_layer_without_features(tmp_path):
    write_layers(
        tmp_path / "e.gpkg", [points_layer("targets", np.empty((0, 3)), {"id": np.empty(0, str)})], CRS
    )
    assert len(layer_of(tmp_path / "e.gpkg", "targets")) == 0


def test_an_old_file_stays_when_writing_fails(tmp_path):
    path = tmp_path / "p.gpkg"
    write_points(path, "sites", [[1, 2, 3]], {}, CRS)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="same length"):
        write_layers(path, [Layer("x", [], {"a": [1, 2], "b": [1]})], CRS)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["p.gpkg"]


@pytest.mark.parametrize(
    ("crs", "message"),
    [
        (
            "",
            r"needs the coordinate system of x and y, .* Give it: crs='EPSG:32651'",
        ),
        ("EPSG:999999", "the coordinate system 'EPSG:999999' is not known to pyproj"),
    ],
)
def test_a_coordinate_system_is_needed(crs, message, tmp_path):
    spots = Points("p", np.zeros((1, 3)))
    with pytest.raises(ValueError, match=message):
        write_bodies(tmp_path / "x.gpkg", [spots], crs)
    assert list(tmp_path.iterdir()) == []


def test_what_it_cannot_hold_is_refused(tmp_path):
    model = PropertyModel.from_grid("m", GRID, {"v": np.zeros(GRID.shape)})
    with pytest.raises(
        ValueError, match="'m' is a PropertyModel, a GeoPackage holds points, lines, surfaces and"
    ):
        write_bodies(tmp_path / "x.gpkg", [model], CRS)
    with pytest.raises(ValueError, match=r"point 1 of 'p' is at \[nan"):
        write_bodies(tmp_path / "x.gpkg", [Points("p", np.array([[0, 0, 0], [np.nan, 0, 0]]))], CRS)
    with pytest.raises(ValueError, match=r"there is nothing to write to x\.gpkg"):
        write_bodies(tmp_path / "x.gpkg", [], CRS)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        write_points(tmp_path / "no" / "x.gpkg", "p", [[0, 0, 0]], {}, CRS)
