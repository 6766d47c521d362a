"""From any format to any other: the marker stays where it is, and what cannot be is said."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mpm3d import cube, evidence, exchange, io
from mpm3d.cli import app
from mpm3d.exchange import Choices
from mpm3d.geometry import Lines, Points, Surface, Tetrahedra
from mpm3d.grid import Grid
from mpm3d.io import export
from mpm3d.lattice import BlockModel, Frame, PropertyModel, Raster, StructuredGrid, Voxet
from mpm3d.wells import Curve, Intervals, Well

CRS = "EPSG:32651"
GRID = Grid((2, 3, 4), (10, 20, 30), (-100, 7000000, 500000), CRS)
MARKER = (1, 0, 2)  # z, y, x
PLACE = (500075.0, 7000010.0, -85.0)  # its centre
EQUAL, ANY = (".vo", ".vti", ".omf", ".csv"), (".vtr", ".msh", ".csv", ".omf", ".vts", ".vtk")


def marked() -> np.ndarray:
    values = np.arange(1, 25, dtype=np.float32).reshape(GRID.shape)
    values[MARKER] = 1000
    values[0, 2, 3] = np.nan
    return values


def equal() -> PropertyModel:
    return PropertyModel.from_grid("model", GRID, {"v": marked()})


def tensor() -> PropertyModel:
    z, y, x = equal().edges
    return replace(equal(), edges=(z, y, np.array([x[0], x[1], x[2], x[3] - 1, x[4]])))


def sheet() -> Surface:
    xyz = np.array([[5e5, 7e6, 0], [5e5 + 10, 7e6, 1], [5e5, 7e6 + 7, 2], [5e5 + 9, 7e6 + 9, 3.5]])
    return Surface("fault", xyz, np.array([[0, 1, 2], [1, 3, 2]]), np.array([0, 0]))


def strings() -> Lines:
    xyz = np.array([[5e5, 7e6, 0], [5e5 + 10, 7e6, 1], [5e5, 7e6 + 7, 2.5]])
    return Lines("river", xyz, np.array([[0, 1], [1, 2]]), np.array([0, 0]))


def spots() -> Points:
    xyz = np.array([[5e5, 7e6, 0], [5e5 + 10, 7e6, 1.25]])
    return Points("sites", xyz, properties={"au": np.array([1.5, np.nan])})


def hole(name: str = "W1") -> Well:
    path = np.array([[5e5, 7e6, 100], [5e5, 7e6 + 60, 20.0]])
    assay = Intervals(np.array([0, 10.0]), np.array([10, 20.0]), {"au": np.array([1.5, np.nan])})
    return Well(name, path[0], np.array([0, 100.0]), path, intervals={"assay": assay})


def convert(inputs, output, **choices) -> list[str]:
    told: list[str] = []
    files = [inputs] if isinstance(inputs, Path) else inputs
    exchange.convert(files, output, Choices(**choices), told.append)
    return told


def value_there(body) -> float:
    """Value of the marker, whatever the body is, from its place alone."""
    around = Grid((1, 1, 1), (2, 2, 2), (PLACE[2] - 1, PLACE[1] - 1, PLACE[0] - 1), CRS)
    name = next(iter(body.values))
    return float(evidence.resample(body, around, method="nearest", name=name)[0, 0, 0])


# every pair


@pytest.mark.parametrize("first", [*EQUAL, ".vtr", ".msh", ".vts", ".vtk"])
@pytest.mark.parametrize("second", [*EQUAL, ".vtr", ".msh", ".vts", ".vtk", ".tif", ".rho"])
def test_the_marker_stays_where_it_is_from_every_model_format_to_every_other(first, second, tmp_path):
    source = tmp_path / f"a{first}"
    written = export.write(source, [equal()])
    files = written.paths if first == ".msh" else [source]
    made = tmp_path / f"b{second}"
    convert(files, made)
    if second == ".tif":
        level = io.read(tmp_path / "b_002_z-0085.tif")[0]
        i, j = np.abs(level.x - PLACE[0]).argmin(), np.abs(level.y - PLACE[1]).argmin()
        assert next(iter(level.values.values()))[j, i] == 1000
        return
    if second == ".msh":
        (body,) = io.read(next(tmp_path.glob("b_*.mod")), mesh=made)
    else:
        (body,) = io.read(made)
    if second == ".rho":  # ModEM holds no place
        assert np.nanargmax(next(iter(body.values.values()))) == np.ravel_multi_index(MARKER, GRID.shape)
        return
    assert value_there(body) == 1000
    bounds = body.as_model().bounds if isinstance(body, BlockModel) else body.bounds
    np.testing.assert_allclose(bounds, GRID.bounds, rtol=0, atol=1e-3)


@pytest.mark.parametrize("first", [".ts", ".vtp", ".vtk", ".omf", ".msh", ".ts.gz"])
@pytest.mark.parametrize("second", [".ts", ".vtp", ".vtk", ".omf", ".msh", ".gpkg", ".csv", ".vs"])
def test_surfaces_keep_their_vertices_in_every_format(first, second, tmp_path):
    export.write(tmp_path / f"a{first}", [sheet()])
    told = convert(tmp_path / f"a{first}", tmp_path / f"b{second}", crs=CRS)
    if second == ".gpkg":
        found = pytest.importorskip("geopandas").read_file(tmp_path / "b.gpkg")
        assert found["triangles"].tolist() == [2]
        return
    (body,) = io.read(tmp_path / f"b{second}")
    np.testing.assert_array_equal(body.vertices, sheet().vertices)
    if second in (".csv", ".vs"):
        assert isinstance(body, Points)
        assert any("only its 4 vertices were written, no triangles" in line for line in told)
    else:
        np.testing.assert_array_equal(body.triangles, sheet().triangles)


@pytest.mark.parametrize("suffix", [".pl", ".vtp", ".vtk", ".omf"])
def test_lines_and_points_go_through_every_format(suffix, tmp_path):
    export.write(tmp_path / f"l{suffix}", [strings()])
    (body,) = io.read(tmp_path / f"l{suffix}")
    np.testing.assert_array_equal(body.vertices, strings().vertices)
    np.testing.assert_array_equal(body.segments, strings().segments)
    other = suffix if suffix != ".pl" else ".vs"
    export.write(tmp_path / f"p{other}", [spots()])
    (body,) = io.read(tmp_path / f"p{other}")
    np.testing.assert_array_equal(body.vertices, spots().vertices)
    np.testing.assert_array_equal(body.properties["au"], [1.5, np.nan])


def test_wells_become_paths_and_intervals(tmp_path):
    done = export.write(tmp_path / "w.wl", [hole(), hole("W2")])
    assert done.notes[0] == "'W1': assay left out; .csv and .gpkg hold intervals."
    first, second = io.read(tmp_path / "w.wl")
    assert (first.name, second.name) == ("W1", "W2")
    np.testing.assert_array_equal(first.path, hole().path)
    logged = replace(hole(), curves={"GR": Curve(np.zeros(1), np.zeros(1))})
    done = export.write(tmp_path / "w.vtp", [logged])
    assert done.notes == ["'W1': curves were left out; .wl holds them."]
    path, assay = io.read(tmp_path / "w.vtp")
    np.testing.assert_array_equal(path.vertices, hole().path)
    np.testing.assert_allclose(assay.vertices[1], [5e5, 7e6 + 6, 92])
    done = export.write(tmp_path / "w.csv", [hole(), hole("W2")])
    assert done.notes == ["only the intervals of wells were written, with their ends in space."]
    assert (tmp_path / "w.csv").read_text().splitlines()[0].startswith("hole,from,to,x_from")


def test_wells_with_several_tables_get_a_file_for_each(tmp_path):
    both = replace(
        hole(), intervals={"assay": hole().intervals["assay"], "lith ology": hole().intervals["assay"]}
    )
    done = export.write(tmp_path / "w.csv", [both])
    assert [path.name for path in done.paths] == ["w_assay.csv", "w_lith_ology.csv"]
    with pytest.raises(ValueError, match="the wells have no intervals, which a table holds"):
        export.write(tmp_path / "x.csv", [replace(hole(), intervals={})])


def test_tetrahedra_and_blocks_keep_their_shapes(tmp_path):
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
    solid = Tetrahedra("solid", vertices, np.array([[0, 1, 2, 3]]))
    for suffix in (".so", ".vtu", ".vtk"):
        export.write(tmp_path / f"t{suffix}", [solid])
        (body,) = io.read(tmp_path / f"t{suffix}")
        np.testing.assert_array_equal(body.vertices[body.tetrahedra[0]], vertices)
    centres = np.array([[5, 5, -5], [15, 5, -5], [25, 10, -10.0]])
    blocks = BlockModel(
        "b", centres, np.array([[10, 10, 10], [10, 10, 10], [10, 20, 20.0]]), {"v": np.arange(3.0)}
    )
    for suffix in (".vtu", ".csv"):
        export.write(tmp_path / f"b{suffix}", [blocks])
        (body,) = io.read(tmp_path / f"b{suffix}")
        np.testing.assert_array_equal(body.centres, centres)
        np.testing.assert_array_equal(body.sizes, blocks.sizes)


def test_a_raster_of_heights_becomes_a_surface_without_holes_filled(tmp_path):
    heights = np.array([[1, 2, 3], [4, np.nan, 6], [7, 8, 9.0]])
    ground = Raster("dem", np.array([0, 10, 20.0]), np.array([100, 110, 120.0]), {"z": heights})
    export.write(tmp_path / "g.tif", [ground], crs=CRS)
    told = convert(tmp_path / "g.tif", tmp_path / "g.ts")
    assert any("were taken as elevations in metres" in line for line in told)
    (body,) = io.read(tmp_path / "g.ts")
    assert len(body.vertices) == 8
    assert len(body.triangles) == 2  # of the four cells, one half of two each has no corner without a height
    assert body.bounds == (100, 0, 1, 120, 20, 9)
    with pytest.raises(ValueError, match=r"needs one that is the elevation\. Choose it: --property NAME"):
        export.write(tmp_path / "x.ts", [replace(ground, values={"a": heights, "b": heights})])


# UBC, stores, resampling


def test_a_ubc_mesh_and_its_models_become_one_model(tmp_path):
    export.write(tmp_path / "mesh.msh", [replace(tensor(), values={"den": marked(), "sus": 2 * marked()})])
    files = [tmp_path / "mesh.msh", tmp_path / "mesh_den.mod", tmp_path / "mesh_sus.mod"]
    convert(files, tmp_path / "both.vtr")
    (body,) = io.read(tmp_path / "both.vtr")
    assert len(body.values) == 2
    np.testing.assert_array_equal(next(iter(body.values.values())), marked())
    # the mesh can be named too
    convert(files[1:2], tmp_path / "one.vtr", options=io.Options(mesh=files[0]))
    assert value_there(io.read(tmp_path / "one.vtr")[0]) == 1000


def test_what_stands_for_no_value_in_ubc_models_is_said(tmp_path):
    export.write(tmp_path / "a.vtr", [tensor()])
    told = convert(tmp_path / "a.vtr", tmp_path / "b.msh")
    assert "  'v': -99999 stands for no value in b_v.mod." in told
    assert any(line.startswith(f"wrote {tmp_path / 'b_v.mod'}") for line in told)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("store") / "cube.zarr"
    cube.create(path, GRID, chunk=(1, 2, 2))
    cube.set_study_volume(path, lambda g: g.points()[:, 2].reshape(g.shape) < -80)
    for name in ("density", "susceptibility"):
        cube.add_layer(
            path,
            name,
            lambda g: evidence.resample(equal(), g, method="nearest"),
            units="g/cm3",
            long_name=name,
        )
    return path


@pytest.mark.parametrize("suffix", [".vo", ".vtr", ".vti", ".omf", ".csv", ".msh"])
def test_a_cube_goes_to_any_format_of_models(suffix, store, tmp_path):
    told = convert(store, tmp_path / f"c{suffix}")
    assert told[0].startswith(
        "read cube.zarr: mpm3d cube 'cube', 4 × 3 × 2 cells; values density, susceptibility; x 5"
    )
    if suffix == ".msh":
        (body,) = io.read(tmp_path / "c_density.mod", mesh=tmp_path / "c.msh")
    else:
        (body,) = io.read(tmp_path / f"c{suffix}")
        assert {"density", "susceptibility"} <= set(body.values)
    assert value_there(replace(body, values={"density": next(iter(body.values.values()))})) == 1000


def test_the_coordinate_system_of_a_cube_goes_along(store, tmp_path):
    convert(store, tmp_path / "c.vtr")
    assert io.read(tmp_path / "c.vtr")[0].crs_name == CRS
    with pytest.raises(
        ValueError, match=r"has the coordinate system 'EPSG:32651' and 'EPSG:4326' was given\. Coord"
    ):
        convert(store, tmp_path / "c.vtr", crs="EPSG:4326")


def test_regions_are_kept_or_said_to_be_left_out(tmp_path):
    z, y, x = GRID.first_centre
    regions = {"ore": marked() == 1000}
    steps = np.diag([30.0, 20, 10])
    voxet = Voxet("v", np.array([x, y, z]), steps, GRID.shape, {"v": marked()}, regions=regions)
    export.write(tmp_path / "a.vo", [voxet])
    for suffix in (".vtr", ".omf"):
        convert(tmp_path / "a.vo", tmp_path / f"b{suffix}")
        (body,) = io.read(tmp_path / f"b{suffix}")
        np.testing.assert_array_equal(np.asarray(body.values["region: ore"]) != 0, marked() == 1000)
    told = convert(tmp_path / "a.vo", tmp_path / "b.csv")
    assert any("ore" in line and "left out" in line for line in told)
    told = convert(tmp_path / "a.vo", tmp_path / "b.vti", spacing=5.0)
    assert "  'v': regions cannot be resampled, left out: ore." in told


def test_block_models_of_one_mesh_are_joined_with_their_texts(tmp_path):
    centres, sizes = np.array([[5, 5, -5], [20, 10, -10.0]]), np.array([[10, 10, 10], [20, 20, 20.0]])
    one = BlockModel("one", centres, sizes, {"v": np.array([1, 2.0])}, texts={"rock": np.array(["a", "b"])})
    two = replace(one, name="two", values={"v": np.array([3, 4.0])}, texts={"zone": np.array(["c", "d"])})
    export.write(tmp_path / "1.vtu", [one])
    export.write(tmp_path / "2.vtu", [two])
    convert([tmp_path / "1.vtu", tmp_path / "2.vtu"], tmp_path / "3.vtu")
    (body,) = io.read(tmp_path / "3.vtu")
    assert {name: values.tolist() for name, values in body.values.items()} == {"v": [1, 2], "v (two)": [3, 4]}
    assert {name: values.tolist() for name, values in body.texts.items()} == {
        "rock": ["a", "b"],
        "zone": ["c", "d"],
    }


def test_scores_go_to_a_voxet(tmp_path):
    import xarray as xr

    ds = cube.empty(GRID)
    ds["score"] = xr.Variable(cube.DIMS, marked())
    ds["ledger"] = xr.Variable(("b",), np.ones(1))
    ds.to_zarr(tmp_path / "prospectivity.zarr", zarr_format=3, consolidated=False)
    convert(tmp_path / "prospectivity.zarr", tmp_path / "p.vo")
    (body,) = io.read(tmp_path / "p.vo")
    assert list(body.values) == ["score"]
    assert value_there(body) == 1000


def test_another_zarr_store_is_refused(tmp_path):
    cube.create(tmp_path / "c.zarr", GRID)
    with pytest.raises(ValueError, match=r"c\.zarr has neither finished layers nor scores"):
        convert(tmp_path / "c.zarr", tmp_path / "c.vo")


def test_a_large_cube_is_never_in_memory(tmp_path):
    grid = Grid((64, 256, 256), (10, 10, 10), (0, 0, 0), CRS)
    cube.create(tmp_path / "c.zarr", grid)
    for name in ("a", "b", "c"):
        cube.add_layer(
            tmp_path / "c.zarr", name, lambda g: np.full(g.shape, g.centres(2)), units="m", long_name=name
        )
    tracemalloc.start()
    try:
        convert(tmp_path / "c.zarr", tmp_path / "c.vo")
        convert(tmp_path / "c.zarr", tmp_path / "d.vo", spacing=9.0, properties=("a",))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    whole = 3 * grid.n_cells * 4
    assert peak < 0.75 * whole * 2  # a slab of 16 layers of chunks as float64, and a copy
    (body,) = io.read(tmp_path / "c.vo")
    np.testing.assert_array_equal(np.asarray(body.values["b"][5, 7]), np.float32(grid.centres(2)))


def test_a_grid_of_a_spacing_goes_outwards_to_its_multiples():
    grid = exchange.snapped((12, -3, -88, 31, 20, -1), 10, CRS)
    assert grid.bounds == (10, -10, -90, 40, 20, 0)
    # bounds that are multiples but for rounding do not get one more
    assert exchange.snapped((0, 0, 0, 0.1 * 3, 10 - 1e-9, 10), 0.1, CRS).shape == (100, 100, 3)
    assert exchange.snapped((5, 5, 5, 5, 5, 5), 10, CRS).shape == (1, 1, 1)
    with pytest.raises(ValueError, match=r"cells of 0\.001 m make .* Give a larger --spacing"):
        exchange.snapped((0, 0, 0, 1e4, 1e4, 1e4), 0.001, CRS)


def rotated(tmp_path: Path) -> Path:
    z, y, x = (e - e[0] for e in equal().edges)
    frame = Frame.rotated([500000, 7000000, -100], 30)
    export.write(tmp_path / "r.vti", [replace(equal(), edges=(z, y, x), frame=frame)])
    return tmp_path / "r.vti"


@pytest.mark.parametrize("suffix", [".csv", ".msh", ".vtr"])
def test_rotated_cells_need_a_grid_and_the_error_says_so(suffix, tmp_path):
    source = rotated(tmp_path)
    with pytest.raises(
        ValueError, match=r"rotated or skewed.*--spacing METRES or --like cube\.zarr, or write it to .vts"
    ):
        convert(source, tmp_path / f"x{suffix}")
    told = convert(source, tmp_path / f"x{suffix}", spacing=10.0)
    assert any("is resampled onto" in line and "method 'nearest'" in line for line in told)


def test_rotated_cells_are_resampled_to_where_they_lie(tmp_path):
    convert(rotated(tmp_path), tmp_path / "x.vo", spacing=5.0)
    (body,) = io.read(tmp_path / "x.vo")
    place = Frame.rotated([500000, 7000000, -100], 30).to_world([[75, 10, 15]])[0]
    k, j, i = np.floor((place - body.bounds[:3]) / 5).astype(int)[::-1]
    assert body.values["v"][k, j, i] == 1000
    assert np.allclose(np.array(body.bounds) % 5, 0)


def test_models_go_onto_the_grid_of_a_cube(store, tmp_path):
    convert(rotated(tmp_path), tmp_path / "x.vo", like=store, method="average")
    assert io.read(tmp_path / "x.vo")[0].bounds == GRID.bounds


def test_cells_of_several_widths_need_a_grid_for_a_voxet(tmp_path):
    export.write(tmp_path / "t.vtr", [tensor()])
    with pytest.raises(
        ValueError, match=r"cells are 29 to 31 m along x, equal ones are needed.*--spacing.*\.vtr, \.msh"
    ):
        convert(tmp_path / "t.vtr", tmp_path / "t.vo")
    convert(tmp_path / "t.vtr", tmp_path / "t.vo", spacing=10.0)
    assert value_there(io.read(tmp_path / "t.vo")[0]) == 1000


def test_blocks_of_several_sizes_need_a_grid_for_a_voxet(tmp_path):
    centres = np.array([[5, 5, -5], [20, 10, -10.0]])
    blocks = BlockModel("b", centres, np.array([[10, 10, 10], [20, 20, 20.0]]), {"v": np.array([1, 2.0])})
    export.write(tmp_path / "b.vtu", [blocks])
    with pytest.raises(ValueError, match=r"not of one size.*--spacing METRES.*write it to \.vtu"):
        convert(tmp_path / "b.vtu", tmp_path / "b.vo")
    convert(tmp_path / "b.vtu", tmp_path / "b.vo", spacing=10.0)
    assert np.nansum(np.asarray(io.read(tmp_path / "b.vo")[0].values["v"])) == 1 + 8 * 2


def test_the_ends_of_the_axes_can_be_the_corners_of_the_cells(tmp_path):
    # a corner export: N cells between the ends, N samples in the header, so steps are n/(n-1) too long
    steps = np.diag([30 * 4 / 3, 20 * 3 / 2, 10 * 2.0])
    voxet = Voxet("v", np.array([500000, 7000000, -100.0]), steps, GRID.shape, {"v": marked()})
    export.write(tmp_path / "v.vo", [voxet])
    convert(tmp_path / "v.vo", tmp_path / "v.vtr", registration="corner")
    (body,) = io.read(tmp_path / "v.vtr")
    np.testing.assert_allclose(body.bounds, GRID.bounds, rtol=0, atol=1e-6)
    assert value_there(body) == 1000


# choices and refusals


def test_only_the_values_that_are_asked_for_are_written(tmp_path):
    both = replace(equal(), values={"v": marked(), "w": 2 * marked()})
    export.write(tmp_path / "a.vtr", [both])
    convert(tmp_path / "a.vtr", tmp_path / "b.vtr", properties=("w",))
    assert list(io.read(tmp_path / "b.vtr")[0].values) == ["w"]
    with pytest.raises(ValueError, match="no values 'x' are there, these are: 'v', 'w'"):
        convert(tmp_path / "a.vtr", tmp_path / "b.vtr", properties=("x",))
    with pytest.raises(
        ValueError, match=r"the values 'v', 'w', a ModEM file holds the.*Choose it: --property NAME"
    ):
        convert(tmp_path / "a.vtr", tmp_path / "b.rho")


def test_files_that_mix_bodies_are_refused_or_what_fits_is_taken(tmp_path):
    export.write(tmp_path / "m.vtp", [sheet(), strings()])
    with pytest.raises(
        ValueError, match=r"'river' is a set of lines, \.ts holds surfaces\. It can be written to \.pl"
    ):
        convert(tmp_path / "m.vtp", tmp_path / "m.ts")
    told = convert(tmp_path / "m.vtp", tmp_path / "m.ts", options=io.Options(errors="skip"))
    assert "  'river' was left out: .ts does not hold a Lines." in told
    assert len(io.read(tmp_path / "m.ts")) == 1


def test_several_models_of_a_file_are_refused(tmp_path):
    export.write(tmp_path / "m.omf", [equal(), tensor()])
    with pytest.raises(
        ValueError, match=r"\.vtr holds one body and there are 2: 'model', 'model'\. Write each to"
    ):
        convert(tmp_path / "m.omf", tmp_path / "m.vtr")


@pytest.mark.parametrize(
    ("name", "choices", "message"),
    [
        ("b.foo", {}, r"no writer for '\.foo'\. There are: \.ts \(surfaces\), \.pl"),
        ("b", {}, "no writer for 'a name without a suffix'"),
        ("b.vtp.gz", {}, r"no writer for '\.vtp\.gz'"),
        (
            "b.vo",
            {},
            r"'fault' is a surface, \.vo holds equal cells\. It can be written to \.ts, \.vs, \.msh",
        ),
        ("b.msh", {"format": "ubc"}, "'fault' is not a model of cells, which a ubc mesh holds"),
        ("b.vtp", {"spacing": 10.0}, "'fault' is no model of cells, so it cannot be resampled"),
        ("b.gpkg", {}, "a GeoPackage needs the coordinate system of x and y"),
        ("a.ts", {}, r"a\.ts would be written over itself"),
    ],
)
def test_what_cannot_be_is_said(name, choices, message, tmp_path):
    export.write(tmp_path / "a.ts", [sheet()])
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ValueError, match=message):
        convert(tmp_path / "a.ts", tmp_path / name, **choices)
    assert sorted(tmp_path.iterdir()) == before


def test_places_that_are_not_there_are_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        convert(tmp_path / "a.ts", tmp_path / "no" / "b.ts")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        convert(tmp_path / "a.ts", tmp_path / "b.ts")
    with pytest.raises(ValueError, match="name a file to read and a file to write: mpm3d convert IN OUT"):
        convert([], tmp_path / "b.ts")


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (
            {"spacing": 10.0, "like": Path("c.zarr")},
            "--spacing and --like both tell the grid, give one of them",
        ),
        ({"spacing": -1.0}, "a spacing of -1 m is not possible"),
        ({"registration": "edge"}, "registration 'edge' is not known, use 'center' or 'corner'"),
        ({"crs": "EPSG:999999"}, "the coordinate system 'EPSG:999999' is not known to pyproj"),
        ({"format": "odd"}, "the format 'odd' is not known, use 'ubc' or 'leapfrog'"),
    ],
)
def test_choices_that_cannot_be_are_refused(choices, message):
    with pytest.raises(ValueError, match=message):
        Choices(**choices)


# the command


def test_the_command_says_what_was_read_decided_and_written(tmp_path):
    export.write(tmp_path / "a.vo", [equal()])
    result = CliRunner().invoke(
        app, ["convert", str(tmp_path / "a.vo"), str(tmp_path / "b.vtr"), "--crs", CRS]
    )
    assert result.exit_code == 0, result.output
    assert "read a.vo: Voxet 'model', 4 × 3 × 2 cells; values v; x 500,000 to 500,120" in result.output
    assert f"wrote {tmp_path / 'b.vtr'}" in result.output
    (body,) = io.read(tmp_path / "b.vtr")
    assert body.crs_name == CRS
    assert value_there(body) == 1000


def test_the_command_ends_with_a_sentence_where_it_cannot(tmp_path):
    export.write(tmp_path / "a.ts", [sheet()])
    result = CliRunner().invoke(app, ["convert", str(tmp_path / "a.ts"), str(tmp_path / "b.vo")])
    assert result.exit_code == 1
    assert "error: 'fault' is a surface, .vo holds equal cells." in result.output
    assert "Traceback" not in result.output


# real files


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("source", "target", "choices"),
    [
        ("tsurf/kimberlite_PK2/PK2.ts", "a.vtp", {}),
        ("tsurf/multi_tface_atom/GVFA-WWFZ-MULT-White_Wolf_fault-original.ts", "a.omf", {}),
        ("tsurf/trgl_properties/input_3tri_all_props.ts", "a.vtk", {}),
        ("pline/skua_lines/normal_lines.pl", "a.vtp", {}),
        ("pline/skua_lines/normal_lines.pl", "a.gpkg", {"crs": "EPSG:2154"}),
        ("vset/vector_property/points.vs", "a.csv", {}),
        ("voxet/flags_regions_flipped_axes/test_voxet_5_5_5.vo", "a.vti", {}),
        ("voxet/ascii_data_file/test.vo", "a.csv", {}),
        ("synthetic/voxet_rot_esize124_ibm_offset/rot.vo", "a.vts", {}),
        ("synthetic/voxet_rot_esize124_ibm_offset/rot.vo", "a.tif", {"spacing": 25.0}),
        ("sgrid/binary_cells/test_sgrid_binary.sg", "a.vts", {}),
        ("sgrid/binary_cells/test_sgrid_binary.sg", "a.vo", {"spacing": 100_000.0}),
        ("tsolid/jewelsuite_depth/input_small_js.so", "a.vtu", {}),
        ("ubc/octree_simpeg/OctreeMesh-test.msh", "a.vtu", {}),
        ("ubc/craig_chile_nan/Lpout.mod.gz", "a.vtr", {}),
        ("ubc/grav3d_block/model.den.gz", "a.vo", {"spacing": 50.0, "method": "average"}),
        ("modem/ws_format_028/Modular_MPI_NLCG_028.rho", "a.msh", {}),
        ("omf/blockmodels/rotated_block_model.omf", "a.vts", {}),
        ("grid/surfer_dsrb/elevation_surfer.GRD", "a.ts", {}),
        ("grid/geosoft_variants/om_rotate.grd", "a.tif", {}),
        ("well/depth_path/test.wl", "a.pl", {}),
    ],
)
def test_real_files_go_to_other_formats_and_stay_where_they_are(
    source, target, choices, corpus_dir, tmp_path
):
    bodies = io.read(corpus_dir / source)
    if target.endswith(".gpkg"):
        pytest.importorskip("geopandas")
    told = convert(corpus_dir / source, tmp_path / target, **choices)
    assert any(line.startswith("wrote") for line in told)
    files = sorted(tmp_path.glob("a*"))
    assert files
    if target.endswith((".gpkg", ".msh", ".tif")):
        return
    back = io.read(tmp_path / target)
    low = np.min([np.array(body.bounds)[:3] for body in bodies], axis=0)
    high = np.max([np.array(body.bounds)[-3:] for body in bodies], axis=0)
    if (
        len(bodies[0].bounds) == 4
    ):  # a raster has no heights in its bounds; its cells reach half a step further
        low, high = np.array([*bodies[0].bounds[:2], -1e9]), np.array([*bodies[0].bounds[2:], 1e9])
    slack = choices.get("spacing", 1e-3)
    assert (np.min([body.bounds[:3] for body in back], axis=0) >= low - slack).all()
    assert (np.max([body.bounds[3:] for body in back], axis=0) <= high + slack).all()


@pytest.mark.corpus
def test_a_real_block_of_density_stays_where_its_builder_put_it(corpus_dir, tmp_path):
    # blk3cell.inp: a block from -100 to 100 m east and north, 200 to 400 m deep
    folder = corpus_dir / "ubc/grav3d_block"
    convert([folder / "mesh.txt", folder / "model.den.gz"], tmp_path / "g.vti", spacing=20.0)
    (body,) = io.read(tmp_path / "g.vti")
    values = np.asarray(next(iter(body.values.values())))
    z, y, x = ((e[:-1] + e[1:]) / 2 for e in body.edges)
    k, j, i = np.nonzero(values > 0.5 * np.nanmax(values))
    for line, cells, (low, high) in ((x, i, (-100, 100)), (y, j, (-100, 100)), (z, k, (-400, -200))):
        assert abs(line[cells].min() - 10 - low) <= 20
        assert abs(line[cells].max() + 10 - high) <= 20


def test_structured_grids_keep_their_shape(tmp_path):
    w, v, u = np.meshgrid(np.arange(3.0), np.arange(4.0), np.arange(5.0), indexing="ij")
    grid = StructuredGrid("g", np.stack([u, v, w + 0.1 * u], axis=-1), {"v": marked()})
    export.write(tmp_path / "g.vts", [grid])
    with pytest.raises(
        ValueError, match=r"'g' cannot be written to \.vo as it is: the cells of 'g' are no boxes in rows"
    ):
        convert(tmp_path / "g.vts", tmp_path / "g.vo")


@pytest.mark.parametrize("suffix", [".vti", ".vo", ".omf", ".vts"])
def test_turned_models_of_any_format_go_to_levels_where_they_lie(suffix, tmp_path):
    convert(rotated(tmp_path), tmp_path / f"t{suffix}")
    convert(tmp_path / f"t{suffix}", tmp_path / "t.tif")
    rasterio = pytest.importorskip("rasterio")
    x, y, _ = Frame.rotated([500000, 7000000, -100], 30).to_world([[75, 10, 15]])[0]
    with rasterio.open(tmp_path / "t_002_z-0085.tif") as level:
        assert next(level.sample([(x, y)]))[0] == 1000


@pytest.mark.parametrize("second", [".vtr", ".vts", ".omf", ".msh", ".csv"])
def test_rows_of_several_widths_come_back_from_tables_and_lattices(second, tmp_path):
    export.write(tmp_path / "a.csv", [tensor()])
    export.write(tmp_path / "a.vts", [tensor()])
    for first in (".csv", ".vts"):
        convert(tmp_path / f"a{first}", tmp_path / f"b{second}")
        (body,) = io.read(tmp_path / ("b_v.mod" if second == ".msh" else f"b{second}"))
        assert value_there(body) == 1000
        np.testing.assert_allclose(body.bounds, tensor().bounds, rtol=0, atol=1e-3)
        if isinstance(body, PropertyModel):
            np.testing.assert_allclose(body.edges[2], tensor().edges[2], rtol=0, atol=1e-3)


def test_values_keep_their_names_through_ubc_meshes(tmp_path):
    written = export.write(tmp_path / "a.msh", [equal()])
    convert(written.paths, tmp_path / "b.msh")
    (body,) = io.read(tmp_path / "b_v.mod")  # beside a.msh, which has as many cells
    assert list(body.values) == ["v"]
    assert value_there(body) == 1000


def test_a_turned_resistivity_model_comes_back_to_its_place_with_its_centre(tmp_path):
    told = convert(rotated(tmp_path), tmp_path / "r.rho")
    (line,) = (line for line in told if "--centre" in line)
    centre = tuple(float(word) for word in line.rstrip(".").split("--centre ")[1].split())
    (body,) = io.read(tmp_path / "r.rho", centre=centre)
    place = Frame.rotated([500000, 7000000, -100], 30).to_world([[75, 10, 15]])[0]
    around = Grid((1, 1, 1), (2, 2, 2), tuple((place - 1)[::-1]), CRS)
    assert evidence.resample(body, around, method="nearest", name="resistivity")[0, 0, 0] == pytest.approx(
        1000
    )
