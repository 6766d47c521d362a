"""What a study names is read, or refused with the name of who needs it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rioxarray  # noqa: F401, gives arrays their .rio
import xarray as xr

from mpm3d import inputs, io
from mpm3d.errors import StudyError
from mpm3d.geometry import Lines, Points, Surface
from mpm3d.grid import Grid
from mpm3d.lattice import PropertyModel
from mpm3d.study import (
    DepositTable,
    DistanceLayer,
    GridTable,
    InsideLayer,
    Study,
    TopographyTable,
    UbcLayer,
    VoxetLayer,
)

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
    with pytest.raises(StudyError, match=r"model\.vo holds the voxet '.*', a surface was expected\."):
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
    with pytest.raises(StudyError, match=r"layer 'r': box\.ts holds no voxet with values\."):
        inputs.values(study, no_voxet, unsaid)
    no_property = VoxetLayer(name="r", units="1", kind="voxet", file="model.vo", property="x")
    with pytest.raises(StudyError, match=r"layer 'r': model\.vo has no property 'x', it has 'rho'\."):
        inputs.values(study, no_property, unsaid)


def test_a_rotated_voxet_names_its_layer(folder: Path) -> None:
    text = (folder / "model.vo").read_text()
    lines = ["AXIS_U 300 300 0" if line.startswith("AXIS_U") else line for line in text.splitlines()]
    (folder / "model.vo").write_text("\n".join(lines))
    with pytest.raises(StudyError, match=r"layer 'r': voxet '.*' is rotated or skewed"):
        inputs.values(
            study_of(folder), VoxetLayer(name="r", units="1", kind="voxet", file="model.vo"), unsaid
        )


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
