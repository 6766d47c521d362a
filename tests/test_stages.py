"""The whole route on a small district: what is made, what is used again, what is refused."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rioxarray  # noqa: F401, gives Datasets their .rio
import xarray as xr

from mpm3d import cube, io, stages, study, view
from mpm3d.errors import StudyError
from mpm3d.geometry import Surface
from mpm3d.lattice import Voxet
from mpm3d.run import RunFolder
from tests.conftest import BUNDLED, small_study

KNOWN = {"Baishi", "Donggou", "Nanpo", "Shuanghe", "Yanjia"}


class Told(list[str]):
    """Everything that a run has said."""

    @property
    def text(self) -> str:
        return "\n".join(self)


def start(path: Path, told: Told, *, overwrite: bool = False) -> stages.Run:
    loaded = study.load(path)
    return stages.Run(loaded, RunFolder(loaded.run_folder, overwrite=overwrite), say=told.append)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Told]:
    """A small study that has run from files to targets, without the picture."""
    path = small_study(tmp_path_factory.mktemp("district"))
    told = Told()
    run = start(path, told)
    with run.folder.locked():
        stages.delineate(run)
    return path, told


def test_the_cube_has_layers_with_units_lineage_and_crs(finished: tuple[Path, Told]) -> None:
    run = start(finished[0], Told())
    ds = cube.open(run.path("cube.zarr"))
    assert set(cube.layers_of(ds)) == {layer.name for layer in run.study.layers}
    assert ds.rio.crs.to_epsg() == 32651
    layer = ds["granodiorite_distance"]
    assert layer.attrs["units"] == "m"
    assert layer.attrs["source"] == ["granodiorite.ts"]
    assert layer.attrs["source_sha256"] == [study.sha256(run.study.path("surfaces/granodiorite.ts"))]
    assert "0 inside" in layer.attrs["derivation"]
    assert layer.attrs["cutoff"] == 2000
    assert float(layer.max()) == 2000


def test_cells_above_the_ground_are_outside_the_study_volume(finished: tuple[Path, Told]) -> None:
    ds = cube.open(start(finished[0], Told()).path("cube.zarr"))
    inside = cube.study_volume(ds)
    assert not inside[-1].all()
    assert inside[0].all()
    assert np.isnan(ds["density"].values[~inside]).all()


def test_models_never_see_a_blind_deposit(finished: tuple[Path, Told]) -> None:
    run = start(finished[0], Told())
    for name in ("model", "model_forest"):
        info = json.loads(run.path(f"{name}/model.json").read_text())
        assert set(info["known"]) == KNOWN
        for member in info["members"]:
            assert set(member["trained_on"]) <= KNOWN
            assert member["stopped_on"] in {"", *KNOWN} - set(member["trained_on"])
    assert set(run.samples.deposits) == KNOWN


def test_the_comparison_labels_the_random_split_optimistic(finished: tuple[Path, Told]) -> None:
    path, told = finished
    table = pd.read_csv(start(path, Told()).path("comparison.csv"))
    assert set(table["scheme"]) == {"random", "block", "deposit", "blind"}
    assert set(table["model"]) == {"dl1", "forest"}
    assert table.loc[table["scheme"] == "random", "optimistic"].all()
    assert not table.loc[table["scheme"] != "random", "optimistic"].any()
    assert "share cells with training patches" in told.text


def test_targets_are_the_share_that_the_crossing_says(finished: tuple[Path, Told]) -> None:
    run = start(finished[0], Told())
    facts, where = run.folder.facts("targets"), run.folder.facts("validate")["crossings"]["dl1"]
    share = where["volume"] if where else 0.02
    ds = xr.open_zarr(run.path("prospectivity.zarr"), consolidated=False)
    eligible = ds["score"].values.copy()
    for deposit in run.known:
        eligible[tuple(deposit.cells.T)] = np.nan
    inside = (eligible >= np.float32(facts["threshold"])).sum() / np.isfinite(eligible).sum()
    assert inside == pytest.approx(facts["share"])
    assert inside >= share * (1 - 1e-3)


def test_targets_are_points_and_footprints_for_a_gis(finished: tuple[Path, Told]) -> None:
    geopandas = pytest.importorskip("geopandas")
    run = start(finished[0], Told())
    table = pd.read_csv(run.path("targets.csv"))
    points = geopandas.read_file(run.path("targets.gpkg"), layer="targets")
    footprints = geopandas.read_file(run.path("targets.gpkg"), layer="footprints")
    assert points.crs.to_epsg() == footprints.crs.to_epsg() == 32651
    assert list(points["id"]) == list(footprints["id"]) == list(table["id"])
    assert list(points.columns) == [*table.columns.drop("note"), "geometry"]
    np.testing.assert_allclose(points.geometry.z, table["elevation"], rtol=0, atol=1e-3)
    # a column of cells is counted once, so a footprint is at most the volume over one layer of cells
    dz, dy, dx = run.grid.spacing
    assert (footprints.area <= table["volume_m3"] / dz + 1e-3).all()
    np.testing.assert_allclose(footprints.area / (dx * dy), np.round(footprints.area / (dx * dy)))
    with sqlite3.connect(run.path("targets.gpkg")) as file:
        said = dict(file.execute("select table_name, description from gpkg_contents"))
    assert {"targets", "footprints"} <= set(said) <= {"targets", "footprints", "drillholes", "collars"}
    assert all(view.CAUTION in text for text in said.values())


def test_targets_and_prospectivity_read_back_from_gocad(finished: tuple[Path, Told]) -> None:
    run = start(finished[0], Told())
    table = pd.read_csv(run.path("targets.csv"))
    assert list(table.columns[:6]) == ["id", "rank", "x", "y", "elevation", "volume_m3"]
    bodies = io.read(run.path("targets.ts"))
    assert [body.name for body in bodies] == table["id"].tolist()
    assert all(isinstance(body, Surface) and body.is_closed for body in bodies[:3])
    (voxet,) = io.read(run.path("prospectivity.vo"))
    assert isinstance(voxet, Voxet)
    score = xr.open_zarr(run.path("prospectivity.zarr"), consolidated=False)["score"].values
    np.testing.assert_array_equal(voxet.as_model().values["prospectivity"], score)


def test_a_second_run_uses_what_is_there(finished: tuple[Path, Told]) -> None:
    told = Told()
    run = start(finished[0], told)
    before = run.path("targets.csv").read_bytes()
    stages.delineate(run)
    for words in (
        "cube: nothing has changed",
        "dl1: fitted already",
        "forest: fitted already",
        "validation: done",
    ):
        assert words in told.text
    assert run.path("targets.csv").read_bytes() == before
    assert run.folder.facts("predict")["n_scored"] > 0


def test_one_changed_file_rebuilds_its_layer_and_what_follows(
    finished: tuple[Path, Told], tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(finished[0].parent, folder)
    path = folder / "study.toml"
    run = start(path, Told())
    before = {
        name: cube.open(run.path("cube.zarr"))[name].attrs["layer_hash"]
        for name in ("density", "dyke_distance")
    }
    text = (folder / "surfaces" / "dykes.ts").read_text()
    (folder / "surfaces" / "dykes.ts").write_text(text[: text.index("\nEND\n") + 5])  # the first dyke only
    told = Told()
    run = start(path, told)
    stages.predict_volume(run)
    ds = cube.open(run.path("cube.zarr"))
    assert ds["density"].attrs["layer_hash"] == before["density"]
    assert ds["dyke_distance"].attrs["layer_hash"] != before["dyke_distance"]
    assert "fitted already" not in told.text
    assert "It is made again" in told.text


def test_a_scene_has_bodies_by_role_and_a_picture_can_be_drawn(
    finished: tuple[Path, Told], tmp_path: Path
) -> None:
    run = start(finished[0], Told())
    scene = stages.scene(run)
    assert {"deposit", "blind deposit", "fault", "intrusion", "dyke", "topography"} <= set(scene.roles)
    assert scene.caution == view.CAUTION


def test_viewing_before_running_says_what_to_do(tmp_path: Path) -> None:
    path = small_study(tmp_path)
    with pytest.raises(StudyError, match=r"no targets are in .*Make them first: mpm3d run"):
        stages.scene(start(path, Told()))


def test_a_property_that_is_not_there_is_told(tmp_path: Path) -> None:
    path = small_study(tmp_path)
    path.write_text(path.read_text().replace('property = "resistivity"', 'property = "rho"'))
    with pytest.raises(
        StudyError, match=r"layer 'resistivity': .* has no property 'rho', it has 'resistivity'"
    ):
        stages.build(start(path, Told()))


def test_a_solid_that_is_open_is_told(tmp_path: Path) -> None:
    path = small_study(tmp_path)
    text = path.read_text()
    at = text.index('name = "fault_ne_distance"')
    path.write_text(text[:at] + text[at:].replace('kind = "distance"', 'kind = "distance"\nsolid = true', 1))
    with pytest.raises(
        StudyError, match=r"layer 'fault_ne_distance': surface '.*' is not closed, so it has no inside"
    ):
        stages.build(start(path, Told()))


def test_doctor_names_versions_and_renderer() -> None:
    lines = "\n".join(stages.doctor())
    for word in ("mpm3d", "torch", "GPU", "pictures", "window"):
        assert word in lines


def test_the_bundled_study_is_read() -> None:
    loaded = study.load(BUNDLED / "study.toml")
    assert loaded.grid.grid().shape == (100, 100, 100)
    assert sum(table.blind for table in loaded.deposits) == 2
    full = study.load(BUNDLED / "study_full.toml")
    assert full.models[0].kind == "dl4"
    assert full.models[0].epochs == 200  # type: ignore[union-attr]
    assert full.samples.max_patches == "all"


@pytest.mark.data
def test_the_real_kimberlite_study_goes_from_its_sources_to_targets(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPM3D_DATA", str(data_dir))
    told = Told()
    loaded = study.load(BUNDLED.parent / "tkc" / "study.toml", runs=tmp_path)
    run = stages.Run(loaded, say=told.append)
    ds = stages.build(run)
    assert "15 of 34665 vertices" in told.text
    assert len(cube.layers_of(ds)) == 5
    assert {deposit.name for deposit in run.known} == {"DO-27", "DO-18"}
    # a density contrast of -0.24 g/cm3 lies in the pipes only, as the model's file says
    assert float(ds["density"].min()) == pytest.approx(-0.24)
    forest = loaded.model_copy(update={"models": [study.ForestTable(kind="forest")]})
    run = stages.Run(forest, say=told.append)
    found = stages.delineate(run)
    assert len(found.targets) >= 1
    assert set(found.table["nearest_deposit"]) <= {"DO-27", "DO-18"}
    assert "no evidence of skill" in loaded.note


def test_every_cell_can_stand_in_for_the_sample(finished: tuple[Path, Told], tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(finished[0].parent, folder)
    told = Told()
    run = start(folder / "study.toml", told)
    stages.compare(run, full=True)
    eligible = cube.study_volume(cube.open(run.path("cube.zarr")))
    for deposit in run.known:
        eligible[tuple(deposit.cells.T)] = False
    assert f"Ranks are taken against {eligible.sum()} background cells" in told.text


def test_ranking_against_every_cell_of_a_large_grid_says_what_it_would_take(tmp_path: Path) -> None:
    loaded = study.load(small_study(tmp_path))
    fine = loaded.grid.model_copy(update={"spacing": 10.0})
    run = stages.Run(loaded.model_copy(update={"grid": fine}))
    with pytest.raises(StudyError, match=r"--full needs patches of [0-9]+ GB in memory, 8 GB is the most"):
        stages.compare(run, full=True)


@pytest.mark.render
def test_everything_compares_the_models_even_where_the_share_is_set(
    finished: tuple[Path, Told], tmp_path: Path, render: None
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(finished[0].parent, folder)
    path = folder / "study.toml"
    path.write_text(path.read_text().replace("[targets]", "[targets]\nshare = 0.05"))
    told = Told()
    stages.everything(start(path, told))
    assert told.text.count("validation: done already") == 1
    facts = start(path, Told()).folder.facts("targets")
    assert facts["share"] == pytest.approx(0.05, rel=0.1)
    assert "not a resource estimate" in told.text
