"""What a study names is read, or refused with the name of who needs it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rioxarray  # noqa: F401, gives arrays their .rio
import shapely
import xarray as xr

from mpm3d import evidence, inputs, io
from mpm3d.errors import StudyError
from mpm3d.geometry import Body, Lines, Points, Surface, Tetrahedra
from mpm3d.grid import Grid
from mpm3d.lattice import BlockModel, PropertyModel, Voxet
from mpm3d.study import (
    DepositTable,
    DistanceLayer,
    GridTable,
    InsideLayer,
    ModelLayer,
    Study,
    TopographyTable,
    UbcLayer,
    VectorLayer,
    VoxetLayer,
)
from mpm3d.work import Run

GRID = Grid.from_bounds((0, 0, -500, 500, 500, 0), 50, "EPSG:32651")
CORNERS = np.array([[x, y, z] for z in (-200.0, -100.0) for y in (100.0, 200.0) for x in (100.0, 200.0)])
FACES = np.array(
    [
        *([0, 2, 1], [1, 2, 3], [4, 5, 6], [5, 7, 6], [0, 1, 4], [1, 5, 4]),
        *([2, 6, 3], [3, 6, 7], [0, 4, 2], [2, 4, 6], [1, 3, 5], [3, 7, 5]),
    ]
)
BOX = Surface("box", CORNERS, FACES)
SHEET = Surface("sheet", (CORNERS[:4] - [150, 150, -10]) * [0.8, 0.8, 1] + [150, 150, 0], FACES[:2])


def study_of(folder: Path, **tables: object) -> Study:
    frame = GridTable(crs="EPSG:32651", x=(0, 500), y=(0, 500), z=(-500, 0))
    layer = DistanceLayer(name="d", units="m", kind="distance", files=["box.ts"])
    given = {"layers": [layer], "deposits": [DepositTable(name="A", files=["box.ts"])], **tables}
    return Study(name="s", grid=frame, folder=folder, **given)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    io.gocad.write_surfaces(tmp_path / "box.ts", [BOX])
    io.gocad.write_surfaces(tmp_path / "sheet.ts", [SHEET])
    io.gocad.write_points(tmp_path / "points.vs", [Points("p", np.array([[110.0, 110, -110], [9e3, 0, 0]]))])
    io.gocad.write_lines(tmp_path / "line.pl", [Lines("l", CORNERS[:2], np.array([[0, 1]]))])
    ones = PropertyModel.from_grid(
        "m", GRID, {"rho": np.where(GRID.points()[:, 0].reshape(GRID.shape) < 50, 0, 100)}
    )
    io.gocad.write_voxet(tmp_path / "model.vo", ones)
    return tmp_path


def unsaid(note: str) -> None:
    pass


def test_lines_are_no_surfaces(folder: Path) -> None:
    message = r"layer 'd': triangulated surfaces are needed in line\.pl, 'l' are lines or points\."
    with pytest.raises(StudyError, match=message):
        inputs.surfaces(study_of(folder), ["line.pl"], unsaid, owner="layer 'd'")


def test_a_voxet_is_no_body(folder: Path) -> None:
    with pytest.raises(StudyError, match=r"model\.vo holds the Voxet '.*', a surface was expected\."):
        inputs.bodies(study_of(folder), ["model.vo"], unsaid)


def test_a_deposit_is_made_from_surfaces_points_or_intervals(folder: Path) -> None:
    study = study_of(folder)
    box = inputs.deposit(study, DepositTable(name="A", files=["box.ts"], style="pod"), GRID, unsaid)
    assert (box.n_met, box.n_filled, box.style) == (8, 8, "pod")  # 100 m of 50 m cells, on their faces
    points = inputs.deposit(study, DepositTable(name="B", points="points.vs"), GRID, unsaid)
    assert points.cells.tolist() == [[7, 2, 2]]
    (folder / "ore.csv").write_text("x_from,y_from,z_from,x_to,y_to,z_to\n110,110,-110,110,110,-190\n")
    drilled = inputs.deposit(study, DepositTable(name="C", intervals="ore.csv"), GRID, unsaid)
    assert drilled.cells.tolist() == [[6, 2, 2], [7, 2, 2]]


def test_an_open_sheet_without_thickness_names_its_deposit(folder: Path) -> None:
    with pytest.raises(StudyError, match=r"deposit 'V': .*thickness"):
        inputs.deposit(study_of(folder), DepositTable(name="V", files=["sheet.ts"]), GRID, unsaid)
    vein = inputs.deposit(
        study_of(folder), DepositTable(name="V", files=["sheet.ts"], thickness=5), GRID, unsaid
    )
    assert vein.n_met == 4


def test_a_deposit_does_not_mix_surfaces_and_points(folder: Path) -> None:
    table = DepositTable(name="M", files=["box.ts", "points.vs"])
    with pytest.raises(StudyError, match=r"deposit 'M' mixes surfaces with lines or points\. Give one"):
        inputs.deposit(study_of(folder), table, GRID, unsaid)


def test_ground_is_a_surface_or_a_raster_in_the_crs_of_the_grid(folder: Path) -> None:
    assert inputs.ground(study_of(folder), GRID, unsaid) is None
    io.gocad.write_surfaces(folder / "two.ts", [SHEET, BOX])
    said: list[str] = []
    found = inputs.ground(study_of(folder, topography=TopographyTable(file="two.ts")), GRID, said.append)
    assert isinstance(found, Surface)
    assert found.name == "sheet"
    assert "two.ts holds 2 surfaces, the first is used, 'sheet'." in said[-1]
    centres = np.arange(25.0, 500, 50)
    heights = xr.DataArray(
        np.full((10, 10), -75.0), coords={"y": centres[::-1], "x": centres}, dims=("y", "x")
    )
    for code in (32651, 32650):
        heights.rio.write_crs(code).rio.to_raster(folder / f"dem{code}.tif")
    ground = inputs.ground(study_of(folder, topography=TopographyTable(file="dem32651.tif")), GRID, unsaid)
    assert isinstance(ground, xr.DataArray)
    assert float(ground.max()) == -75
    with pytest.raises(StudyError, match=r"dem32650\.tif is in EPSG:32650, the grid in EPSG:32651\."):
        inputs.ground(study_of(folder, topography=TopographyTable(file="dem32650.tif")), GRID, unsaid)


def test_values_below_zero_have_no_logarithm(folder: Path) -> None:
    said: list[str] = []
    layer = VoxetLayer(name="rho", units="log10(ohm.m)", kind="voxet", file="model.vo", log10=True)
    found = inputs.values(study_of(folder), layer, said.append)
    assert said[-1] == "layer rho: 100 values at or below 0 have no logarithm and are missing."
    assert np.nanmax(found.values["rho"]) == 2
    assert np.isnan(found.values["rho"]).sum() == 100


def test_a_voxet_layer_needs_a_voxet_and_its_property(folder: Path) -> None:
    study = study_of(folder)
    no_voxet = VoxetLayer(name="r", units="1", kind="voxet", file="box.ts")
    with pytest.raises(
        StudyError, match=r"layer 'r': box\.ts holds no voxet with values, it has TSurf 'box'\."
    ):
        inputs.values(study, no_voxet, unsaid)
    no_property = VoxetLayer(name="r", units="1", kind="voxet", file="model.vo", property="x")
    with pytest.raises(StudyError, match=r"layer 'r': model\.vo has no property 'x', it has 'rho'\."):
        inputs.values(study, no_property, unsaid)


def turned_voxet(folder: Path) -> Voxet:
    """A header of the fixture whose axes U and V are turned by 45 degrees, and what it holds."""
    text = (folder / "model.vo").read_text()
    new = {"AXIS_U": "AXIS_U 300 300 0", "AXIS_V": "AXIS_V -300 300 0"}
    lines = [new.get(line.split(" ")[0], line) for line in text.splitlines()]
    (folder / "model.vo").write_text("\n".join(lines))
    (voxet,) = io.read(folder / "model.vo")
    assert isinstance(voxet, Voxet)
    return voxet


@pytest.mark.parametrize("kind", ["voxet", "model"])
def test_a_rotated_voxet_is_resampled_along_its_own_axes_and_the_log_says_so(folder: Path, kind: str) -> None:
    voxet = turned_voxet(folder)
    said: list[str] = []
    more = {"name": "r", "units": "1", "kind": kind, "file": "model.vo", "method": "nearest"}
    layer = (VoxetLayer if kind == "voxet" else ModelLayer)(**more)  # type: ignore[arg-type]
    fill, how = inputs.filler(study_of(folder), layer, said.append)
    assert f"layer r: {voxet.name!r} is rotated, it is resampled along its own axes." in said
    assert how == "resampled (nearest)"
    found = fill(GRID)
    # samples lie 300 / 9 m apart to the north-east of (25, 25); those with U = 0 are 0, all others 100
    offset = GRID.points()[:, :2] - 25
    u, v = (offset @ np.array([[1, -1], [1, 1]]) / 2 / (300 / 9)).T
    inside = ((np.stack([u, v]) > -0.49) & (np.stack([u, v]) < 9.49)).all(axis=0)
    away = np.abs(u - 0.5) > 0.01
    expected = np.where(u < 0.5, 0, 100)
    np.testing.assert_array_equal(found.ravel()[inside & away], expected[inside & away])
    assert {0.0, 100.0} <= set(np.unique(found[~np.isnan(found)]))
    assert np.isnan(found).any()


def test_the_axes_of_a_voxet_may_end_at_corners_of_cells(folder: Path) -> None:
    said: list[str] = []
    layer = VoxetLayer(name="r", units="1", kind="voxet", file="model.vo", registration="corner")
    (voxet,) = io.read(folder / "model.vo")
    assert isinstance(voxet, Voxet)
    fill, _ = inputs.filler(study_of(folder), layer, said.append)
    floats = replace(voxet, values={"rho": np.asarray(voxet.values["rho"], dtype=float)})
    expected = evidence.resample(floats.as_model("corner"), GRID)
    np.testing.assert_allclose(fill(GRID), expected, atol=1e-4)
    assert "layer r: the ends of the axes were taken as corners of cells, as asked for." in said


SGRID = """GOCAD SGrid 1
HEADER {
name: grid
}
AXIS_N 3 2 2
PROP_ALIGNMENT CELLS
POINTS_FILE points@@
PROPERTY 1 a
PROP_FILE 1 a@@
PROPERTY 2 b
PROP_ESIZE 2 1
PROP_SIGNED 2 1
PROP_FILE 2 b@@
PROPERTY_SUBCLASS 2 ROCK 2 sand 1 mud 2
END
"""


def write_sgrid(folder: Path) -> None:
    """Two cells of 250 × 500 × 500 m that fill the grid: a is 1.5 and 2.5, b is sand and mud."""
    (folder / "grid.sg").write_text(SGRID)
    corners = [[x, y, z] for z in (-500, 0) for y in (0, 500) for x in (0, 250, 500)]
    np.array(corners, dtype=">f4").tofile(folder / "points@@")
    np.array([1.5, 2.5], dtype=">f4").tofile(folder / "a@@")
    np.array([1, 2], dtype="i1").tofile(folder / "b@@")


def test_a_model_layer_takes_a_stratigraphic_grid(folder: Path) -> None:
    write_sgrid(folder)
    said: list[str] = []
    layer = ModelLayer(name="r", units="1", kind="model", file="grid.sg")
    fill, _ = inputs.filler(study_of(folder), layer, said.append)
    x = GRID.points()[:, 0].reshape(GRID.shape)
    np.testing.assert_array_equal(fill(GRID), np.where(x < 250, 1.5, 2.5))
    assert "layer r: grid.sg holds several values, 'a' of 'grid' is used." in said
    rocks = ModelLayer(name="r", units="1", kind="model", file="grid.sg", property="b", method="nearest")
    fill, _ = inputs.filler(study_of(folder), rocks, unsaid)
    np.testing.assert_array_equal(fill(GRID), np.where(x < 250, 1, 2))


def test_codes_need_the_nearest_method_before_any_work(folder: Path) -> None:
    write_sgrid(folder)
    layer = ModelLayer(name="r", units="1", kind="model", file="grid.sg", property="b")
    message = r"layer 'r': 'r' of 'grid' holds class codes \(sand, mud …\), and method 'linear' .*'nearest'"
    with pytest.raises(StudyError, match=message):
        inputs.filler(study_of(folder), layer, unsaid)


def test_whole_numbers_without_names_are_measurements_and_the_log_says_so(folder: Path) -> None:
    write_sgrid(folder)
    (folder / "grid.sg").write_text(SGRID.replace("PROPERTY_SUBCLASS 2 ROCK 2 sand 1 mud 2\n", ""))
    said: list[str] = []
    layer = ModelLayer(name="r", units="1", kind="model", file="grid.sg", property="b", method="average")
    fill, _ = inputs.filler(study_of(folder), layer, said.append)
    assert any("whole numbers without class names were taken as measurements." in line for line in said)
    assert set(np.unique(fill(GRID))) == {1, 2}


def test_corner_registration_is_for_voxets(folder: Path) -> None:
    write_sgrid(folder)
    layer = ModelLayer(name="r", units="1", kind="model", file="grid.sg", registration="corner")
    message = r"layer 'r': registration = 'corner' is for voxets, 'grid' is a SGrid\. Remove it\."
    with pytest.raises(StudyError, match=message):
        inputs.filler(study_of(folder), layer, unsaid)


def test_a_model_layer_needs_values_in_a_volume_and_its_property(folder: Path) -> None:
    study = study_of(folder)
    flat = ModelLayer(name="r", units="1", kind="model", file="sheet.ts")
    message = r"layer 'r': sheet\.ts holds no model in a volume with values, it has TSurf 'sheet'\."
    with pytest.raises(StudyError, match=message):
        inputs.values(study, flat, unsaid)
    write_sgrid(folder)
    none = ModelLayer(name="r", units="1", kind="model", file="grid.sg", property="c")
    with pytest.raises(StudyError, match=r"layer 'r': grid\.sg has no property 'c', it has 'a', 'b'\."):
        inputs.values(study, none, unsaid)


def blocks_of(layer: ModelLayer, body: Body, monkeypatch: pytest.MonkeyPatch, folder: Path) -> PropertyModel:
    monkeypatch.setattr(io, "read", lambda path, mesh=None: [body])
    return inputs.values(study_of(folder), layer, unsaid)  # type: ignore[return-value]


def test_a_model_layer_takes_blocks_and_tetrahedra(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = ModelLayer(name="r", units="1", kind="model", file="box.ts", property="v", log10=True)
    boxes = BlockModel(
        "b",
        np.zeros((2, 3)),
        np.ones((2, 3)),
        {"v": np.array([10, 1000])},
        texts={"rock": np.array(["a", "b"])},
    )
    assert blocks_of(layer, boxes, monkeypatch, folder).values["r"].tolist() == [1, 3]
    corners, cell = CORNERS[[0, 1, 2, 4]], np.array([[0, 1, 2, 3]])
    solid = Tetrahedra("t", corners, cell, properties={"w": np.ones(4), "v": np.full(4, 100.0)})
    found = blocks_of(layer, solid, monkeypatch, folder)
    assert isinstance(found, Tetrahedra)
    assert {name: values.tolist() for name, values in found.properties.items()} == {"r": [2, 2, 2, 2]}
    cells = Tetrahedra("t", corners, cell, cell_properties={"v": np.array([1e5])})
    found = blocks_of(layer, cells, monkeypatch, folder)
    assert isinstance(found, Tetrahedra)
    assert found.cell_properties["r"].tolist() == [5]
    rocks = ModelLayer(name="r", units="1", kind="model", file="box.ts", property="rock")
    with pytest.raises(StudyError, match=r"box\.ts has no property 'rock' \('rock' is text\), it has 'v'\."):
        blocks_of(rocks, boxes, monkeypatch, folder)


def test_layers_fill_any_part_of_the_grid(folder: Path) -> None:
    study = study_of(folder)
    fill, how = inputs.filler(
        study, InsideLayer(name="i", units="1", kind="inside", files=["box.ts"]), unsaid
    )
    part = GRID.window((slice(5, 9), slice(1, 5), slice(1, 5)))
    assert how == "1 inside closed surfaces, 0 outside"
    assert fill(part).sum() == 8
    fill, how = inputs.filler(study, study.layers[0], unsaid)
    assert how == "exact distance to triangles up to 2000 m"
    assert fill(part).shape == part.shape


def test_a_recipe_changes_with_the_file_and_not_with_the_look(folder: Path) -> None:
    study = study_of(folder)
    layer = study.layers[0]
    before = inputs.recipe(study, layer, "frame")
    assert (
        inputs.recipe(study, layer.model_copy(update={"role": "fault", "long_name": "x"}), "frame") == before
    )
    assert inputs.recipe(study, layer.model_copy(update={"cutoff": 100.0}), "frame") != before
    io.gocad.write_surfaces(folder / "box.ts", [SHEET])
    assert inputs.recipe(study, layer, "frame") != before


def test_a_ubc_layer_marks_its_sentinels_missing(folder: Path) -> None:
    io.ubc.write_mesh(folder / "m.msh", PropertyModel.from_grid("m", GRID, {}).edges)
    values = np.ones(GRID.shape)
    values[-1] = -100
    io.ubc.write_model(folder / "m.sus", values)
    layer = UbcLayer(name="sus", units="SI", kind="ubc", mesh="m.msh", file="m.sus", missing=[-100.0])
    found = inputs.values(study_of(folder), layer, unsaid).values["sus"]
    assert np.isnan(found[-1]).all()
    assert (found[:-1] == 1).all()


def test_a_ubc_layer_takes_an_octree(folder: Path) -> None:
    # eight cells of 250 m fill the grid; one of them is marked: east, south, low (k counts from the top)
    rows = [f"{i} {j} {k} 1" for k in (1, 2) for j in (1, 2) for i in (1, 2)]
    (folder / "tree.msh").write_text("\n".join(["2 2 2", "0 0 0", "250 250 250", "8", *rows]))
    (folder / "tree.den").write_text("\n".join("7" if row == "2 1 2 1" else "0" for row in rows))
    layer = UbcLayer(name="d", units="1", kind="ubc", mesh="tree.msh", file="tree.den", method="nearest")
    fill, _ = inputs.filler(study_of(folder), layer, unsaid)
    x, y, z = GRID.points().T
    expected = np.where((x > 250) & (y < 250) & (z < -250), 7, 0)
    np.testing.assert_array_equal(fill(GRID).ravel(), expected)


def test_an_octree_of_several_sizes_needs_another_method_than_linear(folder: Path) -> None:
    rows = ["1 1 1 2", *(f"{i} {j} {k} 1" for k in (1, 2) for j in (1, 2) for i in (3, 4))]
    (folder / "tree.msh").write_text("\n".join(["4 2 2", "0 0 0", "125 250 250", str(len(rows)), *rows]))
    (folder / "tree.den").write_text("\n".join("1" for _ in rows))
    layer = UbcLayer(name="d", units="1", kind="ubc", mesh="tree.msh", file="tree.den")
    with pytest.raises(
        StudyError, match=r"layer 'd': the blocks of '.*' do not make one lattice, so 'linear'"
    ):
        inputs.filler(study_of(folder), layer, unsaid)


def test_vectors_of_a_ubc_layer_ask_for_a_component(folder: Path) -> None:
    io.ubc.write_mesh(folder / "m.msh", PropertyModel.from_grid("m", GRID, {}).edges)
    (folder / "m.fld").write_text("1 2 3\n" * GRID.n_cells)
    layer = UbcLayer(name="m", units="1", kind="ubc", mesh="m.msh", file="m.fld")
    with pytest.raises(StudyError, match=r"layer 'm': m\.fld holds vectors \(x, y, z\)\. Name one component"):
        inputs.values(study_of(folder), layer, unsaid)


def test_a_recipe_changes_with_the_data_that_a_header_names(folder: Path) -> None:
    write_sgrid(folder)
    layer = ModelLayer(name="r", units="1", kind="model", file="grid.sg")
    study = study_of(folder)
    before = inputs.recipe(study, layer, "frame")
    np.array([1.5, 2.6], dtype=">f4").tofile(folder / "a@@")
    changed = inputs.recipe(study, layer, "frame")
    assert changed != before
    (folder / "points@@").write_bytes((folder / "points@@").read_bytes()[::-1])
    assert inputs.recipe(study, layer, "frame") != changed


FLAT = Grid((1, 10, 10), (50, 50, 50), (-25, 0, 0), "EPSG:32651")


def map_of(folder: Path, **tables: object) -> Study:
    return study_of(folder).model_copy(
        update={"grid": GridTable(crs="EPSG:32651", x=(0, 500), y=(0, 500)), **tables}
    )


def write_units(folder: Path) -> None:
    shapes = [shapely.box(0, 0, 100, 500), shapely.box(100, 0, 225, 500), shapely.box(300, 0, 500, 500)]
    frame = geopandas.GeoDataFrame({"UNIT": ["schist", "granite", "diorite"]}, geometry=shapes, crs=32651)
    frame.to_file(folder / "units.gpkg")


def vector(**more: object) -> VectorLayer:
    return VectorLayer(name="v", units="m", kind="vector", file="units.gpkg", **more)  # type: ignore[arg-type]


def test_a_vector_layer_is_the_distance_to_chosen_shapes_at_all_depths(folder: Path) -> None:
    write_units(folder)
    fill, how = inputs.filler(study_of(folder), vector(where={"UNIT": "granite"}, cutoff=120), unsaid)
    assert how == (
        "exact distance up to 120 m to the nearest of 1 shapes of units.gpkg, UNIT = granite, 0 inside "
        "polygons, equal at all depths"
    )
    x = GRID.points()[:, 0].reshape(GRID.shape)
    meant = np.minimum(np.maximum(0, np.maximum(100 - x, x - 225)), 120)
    np.testing.assert_array_equal(fill(GRID), meant)
    part = GRID.window((slice(2, 4), slice(0, 5), slice(5, 10)))
    np.testing.assert_array_equal(fill(part), meant[2:4, :5, 5:])


def test_a_vector_layer_is_the_cover_or_the_class_of_polygons_and_names_its_codes(folder: Path) -> None:
    write_units(folder)
    fill, how = inputs.filler(map_of(folder), vector(measure="inside", where={"UNIT": ["granite"]}), unsaid)
    assert how == "share of the cell that is covered by 1 shapes of units.gpkg, UNIT = granite"
    assert fill(FLAT)[0, 3].tolist() == [0, 0, 1, 1, 0.5, 0, 0, 0, 0, 0]
    fill, how = inputs.filler(map_of(folder), vector(measure="class", column="UNIT"), unsaid)
    assert "(1 diorite, 2 granite, 3 schist; the order means nothing)" in how
    np.testing.assert_array_equal(fill(FLAT)[0, 0], [3, 3, 2, 2, 2, np.nan, 1, 1, 1, 1])


def test_more_classes_than_numbers_can_tell_apart_are_said(folder: Path) -> None:
    squares = [shapely.box(10 * k, 0, 10 * k + 10, 500) for k in range(40)]
    frame = geopandas.GeoDataFrame({"UNIT": [f"u{k:02}" for k in range(40)]}, geometry=squares, crs=32651)
    frame.to_file(folder / "units.gpkg")
    said: list[str] = []
    _, how = inputs.filler(map_of(folder), vector(measure="class", column="UNIT"), said.append)
    assert said == [
        "layer v: UNIT has 40 classes: models take codes as numbers, and the order of these means nothing. "
        "Choose a few by where, or give the distance to each that matters (measure = 'distance')."
    ]
    assert "32 u31 and 8 more; the order means nothing" in how


def test_a_vector_layer_of_nothing_names_itself_and_says_what_there_is(folder: Path) -> None:
    write_units(folder)
    with pytest.raises(StudyError, match=r"layer 'v': no shape of .* UNIT = 'x'\. There are 'diorite', "):
        inputs.filler(map_of(folder), vector(where={"UNIT": ["x"]}), unsaid)
    said: list[str] = []
    geopandas.GeoDataFrame(geometry=[shapely.Point(9000, 0)], crs=32651).to_file(folder / "units.gpkg")
    inputs.filler(map_of(folder), vector(), said.append)
    assert said == [
        "layer v: no shape lies in the area: they span x 9000 to 9000, y 0 to 0, the grid x 0 to 500, "
        "y 0 to 500."
    ]


def test_a_shapefile_counts_with_what_lies_beside_it(folder: Path) -> None:
    geopandas.GeoDataFrame({"A": [1]}, geometry=[shapely.Point(1, 1)], crs=32651).to_file(folder / "a.shp")
    layer = vector().model_copy(update={"file": "a.shp"})
    assert {path.suffix for path in inputs.sources(map_of(folder), layer)} >= {".shp", ".shx", ".dbf", ".prj"}


def write_ore(folder: Path, **columns: list[str]) -> None:
    shapes = [shapely.Point(10, 10), shapely.Point(20, 20), shapely.Point(210, 10), shapely.Point(-50, 10)]
    shapes.append(shapely.box(300, 300, 400, 325))
    frame = geopandas.GeoDataFrame({"N": list("abcde"), "S": ["", "vein", "vein", "", ""]}, geometry=shapes)
    frame.set_crs(32651).to_file(folder / "ore.gpkg")


def test_every_place_of_a_table_is_a_deposit_those_of_one_cell_are_one_and_those_outside_none(
    folder: Path,
) -> None:
    write_ore(folder)
    table = DepositTable(
        name="ore", points="ore.gpkg", each=True, name_column="N", style_column="S", style="pod"
    )
    said: list[str] = []
    found = inputs.deposits(map_of(folder), table, FLAT, said.append)
    assert [(d.name, d.style, d.cells.tolist(), d.n_filled) for d in found] == [
        ("a", "pod", [[0, 0, 0]], 1), ("c", "vein", [[0, 0, 4]], 1), ("e", "pod", [[0, 6, 6], [0, 6, 7]], 2)
    ]  # fmt: skip
    assert said == [
        "ore: 1 deposit lies outside the area, left out: d.",
        "ore: a, b share cells and are one deposit, 'a'.",
    ]
    assert inputs.told(table, found) == [
        "ore: 2 deposits of one cell each: a, c.", "ore: one deposit of 2 cells: e.",
    ]  # fmt: skip
    whole = inputs.deposit(map_of(folder), DepositTable(name="A", points="ore.gpkg"), FLAT, unsaid)
    assert (len(whole.cells), whole.name) == (4, "A")
    seen = inputs.deposit_bodies(map_of(folder), table, unsaid)
    assert [body.name for body in seen] == ["a", "b", "c", "e"]


def test_a_table_of_x_and_y_alone_holds_deposits_of_a_map(folder: Path) -> None:
    (folder / "ore.csv").write_text("x,y\n10,10\n210,10\n")
    found = inputs.deposits(map_of(folder), DepositTable(name="A", points="ore.csv", each=True), FLAT, unsaid)
    assert [d.name for d in found] == ["ore 1", "ore 2"]
    one = inputs.deposits(map_of(folder), DepositTable(name="A", points="ore.csv"), FLAT, unsaid)
    assert [d.cells.tolist() for d in one] == [[[0, 0, 0], [0, 0, 4]]]


def test_deposits_that_are_all_outside_the_area_are_an_error(folder: Path) -> None:
    (folder / "ore.csv").write_text("x,y\n-10,10\n9000,10\n")
    with pytest.raises(
        StudyError, match=r"deposit 'A': none of its 2 deposits lies in the area\. Move the grid"
    ):
        inputs.deposits(map_of(folder), DepositTable(name="A", points="ore.csv", each=True), FLAT, unsaid)


def test_a_map_has_no_deposits_that_are_surfaces(folder: Path) -> None:
    with pytest.raises(
        StudyError, match=r"deposit 'A': 'box' is a surface in space, and the study is a map\."
    ):
        inputs.deposit(map_of(folder), DepositTable(name="A", files=["box.ts"]), FLAT, unsaid)


def test_all_deposits_of_a_blind_table_are_blind(folder: Path) -> None:
    write_ore(folder)
    (folder / "known.csv").write_text("x,y\n410,10\n")
    tables = [
        DepositTable(name="ore", points="ore.gpkg", each=True, name_column="N", blind=True),
        DepositTable(name="K", points="known.csv"),
    ]
    said: list[str] = []
    run = Run(map_of(folder, deposits=tables), say=said.append)
    assert [d.name for d in run.blind] == ["a", "c", "e"]
    assert [d.name for d in run.known] == ["K"]
    assert "deposit K: 1 cells met, 1 filled at least by half." in said
    assert "ore: 2 deposits of one cell each: a, c." in said
