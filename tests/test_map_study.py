"""A study that is a map, from files to figures: areas, and nothing that only a volume has."""

from __future__ import annotations

import shutil
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio

from mpm3d import checking, cube, mapping, stages, storage
from mpm3d import study as studies
from mpm3d.errors import StudyError
from mpm3d.grid import Grid
from mpm3d.reasons.leading import lattice_of, leading_on
from mpm3d.reasons.store import Wanted
from mpm3d.run import RunFolder
from tests.conftest import BUNDLED, FOREST, map_study
from tests.test_pipelines import call

SMALL = """\
[samples]
stand_off = 1500.0
negatives_per_positive = 20
pool = 1500
background = 1000

[[models]]
kind = "pu"
base = { kind = "forest", trees = 5 }
bags = 2

[[models]]
kind = "forest"
trees = 20

[[models]]
kind = "devnet"
epochs = 2
hidden = [10]

[[models]]
kind = "logistic"

[[models]]
kind = "weights"

[[models]]
kind = "dl1"
patch = 5
epochs = 1

[validate]
folds = 2
in_sample = true

[predict]
block = [50, 50, 50]
models = "all"
workers = 1

[targets]
share = 0.03
"""


class Said(list[str]):
    """What a run says."""

    def run(self, path: Path) -> stages.Run:
        loaded = studies.load(path)
        return stages.Run(loaded, RunFolder(loaded.run_folder), say=self.append)

    @property
    def text(self) -> str:
        return "\n".join(self)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[stages.Run, Said]:
    """A map study with everything made by the script of the pipeline, and what it printed."""
    path = map_study(tmp_path_factory.mktemp("map"), settings=SMALL)
    said = Said(call("deepseam_2d.py", path).splitlines())
    return said.run(path), said


def test_the_scores_are_a_geotiff_of_the_area_as_they_are_in_the_store(done: tuple[stages.Run, Said]) -> None:
    run, _ = done
    with rasterio.open(run.path("prospectivity.tif")) as file:
        values = file.read(1)
        assert file.crs.to_epsg() == 32754
        assert file.bounds[:] == (400_000, 6_500_000, 460_000, 6_550_000)
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.units == ("score of pu",)
    score = cube.open(run.path("prospectivity.zarr"))["score"].values
    assert score.shape == (1, 50, 60)
    np.testing.assert_array_equal(values[::-1], score[0])  # the first row of the file is the northernmost
    assert 0 < np.isnan(values).mean() < 0.05


def test_targets_have_areas_and_their_polygons_are_those_areas(done: tuple[stages.Run, Said]) -> None:
    run, _ = done
    table = pd.read_csv(run.path("targets.csv"))
    assert list(table)[:5] == ["id", "rank", "x", "y", "area_m2"]
    assert not [
        name for name in table if "volume" in name or "depth" in name or name in ("elevation", "z_top")
    ]
    np.testing.assert_allclose(table["area_m2"], table["n_cells"] * 1e6)
    assert (table["n_cells"] >= 4).all()
    shapes = geopandas.read_file(run.path("targets.gpkg"), layer="targets")
    assert shapes.crs.to_epsg() == 32754
    np.testing.assert_allclose(shapes.area, shapes["area_m2"])
    assert set(shapes.geom_type) <= {"Polygon", "MultiPolygon"}


def test_nothing_of_a_map_is_said_of_a_volume(done: tuple[stages.Run, Said]) -> None:
    run, said = done
    spoken = said.text.replace(str(run.folder.place), "")
    assert "in the study area" in spoken
    assert "of the area hold" in spoken
    assert "km2" in spoken
    assert "volume" not in spoken.lower()
    assert " m3" not in spoken
    assert "3D" not in spoken
    assert "Left out:" not in spoken  # every scheme is possible for every model


def test_what_only_a_volume_has_is_not_made(done: tuple[stages.Run, Said]) -> None:
    run, _ = done
    made = {place.name for place in run.folder.place.rglob("*") if place.is_file()}
    assert not [name for name in made if name.endswith((".ts", ".vo", "@@", ".wl", ".vtp", ".omf"))]
    for name in ("map.png", "success.png", "pa_curve.png", "capture.png"):
        assert run.path(f"figures/{name}").read_bytes().startswith(b"\x89PNG"), name
    assert "targets.png" not in made


def test_in_sample_random_left_out_and_blind_stand_side_by_side_for_every_model(
    done: tuple[stages.Run, Said],
) -> None:
    run, said = done
    table = pd.read_csv(run.path("comparison.csv"))
    kinds = ["pu", "forest", "devnet", "logistic", "weights", "dl1"]
    found = table[table["metric"] == "auc"].pivot(index="model", columns="scheme", values="mean")
    assert set(found.index) == set(kinds)
    assert found[["in sample", "random", "block", "deposit", "blind"]].notna().all(axis=None)
    assert table[table["scheme"].isin(["random", "in sample"])]["optimistic"].all()
    for row in ("in sample* AUC", "random split* AUC", "left out AUC", "blind AUC"):
        assert row in said.text


def test_every_model_scores_the_map_and_networks_take_flat_patches(done: tuple[stages.Run, Said]) -> None:
    run, _ = done
    assert run.patch_shape == (1, 5, 5)
    for number in range(6):
        place = run.path("prospectivity" + (f"_{run.study.models[number].kind}" if number else "") + ".zarr")
        assert np.isfinite(cube.open(place)["score"].values).any(), place


def test_the_picture_of_a_map_goes_where_it_is_asked_for(
    done: tuple[stages.Run, Said], tmp_path: Path
) -> None:
    run, _ = done
    assert stages.draw(run, tmp_path / "other.png").stat().st_size > 10_000


def test_a_map_is_not_drawn_before_its_targets_are_made(tmp_path: Path) -> None:
    run = Said().run(map_study(tmp_path))
    with pytest.raises(StudyError, match=r"no targets are in .* yet. Make them first: mpm3d run study.toml"):
        stages.draw(run)
    assert not run.folder.place.exists()


def test_a_table_of_targets_in_area_loses_what_has_a_height() -> None:
    grid = Grid.from_bounds((0, 0, -5, 30, 20, 5), 10.0, "EPSG:32754")
    table = pd.DataFrame({"id": ["T1"], "y": [1.0], "n_cells": [3], "volume_m3": [3000.0], "hole": [""]})
    found = mapping.in_area(table, grid)
    assert list(found) == ["id", "y", "area_m2", "n_cells"]
    assert found["area_m2"].tolist() == [300.0]


# what is drawn on a map


def test_a_map_that_says_nothing_of_samples_gets_what_suits_single_cells(tmp_path: Path) -> None:
    bare = map_study(tmp_path, settings='[[models]]\nkind = "logistic"\n')
    rules = studies.load(bare).samples
    assert (rules.negatives_per_positive, rules.max_patches, rules.stand_off) == (100.0, "all", 2000.0)
    said = map_study(tmp_path, settings="[samples]\nnegatives_per_positive = 3\nstand_off = 10\n")
    rules = studies.load(said).samples
    assert (rules.negatives_per_positive, rules.max_patches, rules.stand_off) == (3.0, "all", 10.0)


def test_a_volume_that_says_nothing_of_samples_is_drawn_as_ever() -> None:
    rules = studies.load(BUNDLED / "study.toml").samples
    assert (rules.negatives_per_positive, rules.stand_off) == (1.0, 800.0)
    assert studies.SamplesTable().max_patches == 1200


def test_unlabelled_cells_are_drawn_over_the_area_beyond_the_buffer_by_the_seed(tmp_path: Path) -> None:
    from mpm3d.splits import training_set

    run = Said().run(map_study(tmp_path, ("stand_off", "stand_off"), settings=SMALL))
    with run.folder.locked():
        stages.build(run)
    drawn, rules = run.samples, run.drawing(run.study.models[0])
    kept = {name: rules[name] for name in ("stand_off", "ratio", "max_positives")}
    rows = training_set(drawn, known=drawn.deposits, rng=np.random.default_rng(26), **kept)
    again = training_set(drawn, known=drawn.deposits, rng=np.random.default_rng(26), **kept)
    np.testing.assert_array_equal(rows, again)
    ore, rest = (drawn.xyz[rows[drawn.label[rows] == k]][:, :2] for k in (1, 0))
    assert (len(ore), len(rest)) == (9, 180)
    assert np.hypot(*(rest[:, None] - ore[None]).transpose(2, 0, 1)).min() >= 1500
    halves = (rest > (430_000, 6_525_000)).mean(axis=0)
    assert ((halves > 0.35) & (halves < 0.65)).all()
    assert not {tuple(xy) for xy in rest} & {
        tuple(xy) for one in run.deposits for xy in _middle(run, one) if one in run.known
    }


def _middle(run: stages.Run, one: object) -> list[list[float]]:
    return run.grid.xyz_of(one.cells)[:, :2].tolist()  # type: ignore[attr-defined]


def test_no_deposit_is_lost_where_max_patches_is_too_small_for_its_negatives(tmp_path: Path) -> None:
    said = Said()
    path = map_study(
        tmp_path, ("negatives_per_positive = 20", "negatives_per_positive = 130\nmax_patches = 500")
    )
    run = said.run(path)
    with run.folder.locked():
        stages.fit_models(run)
    assert (
        "max_patches = 500 with 130 negatives per positive leaves room for 3 deposit cells, and 9"
        in said.text
    )
    assert "forest: fitted on 9 deposit cells" in said.text


def test_least_sizes_of_targets_are_areas_on_maps_and_volumes_in_volumes(tmp_path: Path) -> None:
    wrong = map_study(tmp_path, settings=FOREST + "\n[targets]\nmin_volume = 5.0\n")
    with pytest.raises(
        StudyError, match=r"min_volume is for volumes, and the study is a map. Use min_area, in m2"
    ):
        studies.load(wrong)
    text = (BUNDLED / "study.toml").read_text().split("[targets]")[0] + "[targets]\nmin_area = 5.0\n"
    shutil.copytree(BUNDLED, tmp_path / "w", ignore=shutil.ignore_patterns("runs", "truth"))
    (tmp_path / "w" / "study.toml").write_text(text)
    with pytest.raises(
        StudyError, match=r"min_area is for maps, and the grid has a z. Use min_volume, in m3"
    ):
        studies.load(tmp_path / "w" / "study.toml")


# bad input


def test_deposits_outside_the_area_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = map_study(tmp_path, ("x = [400000.0, 460000.0]", "x = [500000.0, 560000.0]"))
    with pytest.raises(
        StudyError, match=r"deposit 'known' lies outside the area with all its places: it spans x"
    ):
        studies.load(path)
    assert not (tmp_path / "runs").exists()


def test_one_deposit_is_too_few_to_leave_one_out(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("name,x,y\nAlone,430500,6525500\n")
    path = map_study(tmp_path, ('points = "vectors/deposits.gpkg"', 'points = "one.csv"\ncrs = "EPSG:32754"'))
    said = Said()
    run = said.run(path)
    few = "leaving one deposit out needs at least 2 known deposits, there is 1"
    with run.folder.locked(), pytest.raises(ValueError, match=few):
        stages.compare(run, schemes=["deposit"])
    alone = (
        r"^one cell of one deposit is known \(Alone\), and a model cannot both learn from it and be tested"
    )
    with run.folder.locked(), pytest.raises(ValueError, match=alone):
        stages.compare(run)
    assert not run.path("comparison.csv").exists()


def test_a_layer_that_is_missing_everywhere_is_said_and_not_written(tmp_path: Path) -> None:
    path = map_study(tmp_path)
    with rasterio.open(tmp_path / "rasters" / "gravity.tif", "r+") as file:
        file.nodata = -1.0
        file.write(np.full(file.shape, -1.0, np.float32), 1)
    run = Said().run(path)
    with (
        run.folder.locked(),
        pytest.raises(StudyError, match="layer 'gravity': no cell of the area gets a value"),
    ):
        stages.build(run)
    assert "gravity" not in cube.layers_of(cube.open(run.study.cube_place))
    assert "build" not in run.folder.state().get("stages", {})


def test_a_raster_without_a_coordinate_system_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = map_study(tmp_path)
    with rasterio.open(tmp_path / "rasters" / "gravity.tif") as file:
        values, profile = file.read(1), {**file.profile, "crs": None}
    with rasterio.open(tmp_path / "rasters" / "gravity.tif", "w", **profile) as file:
        file.write(values, 1)
    with pytest.raises(StudyError, match=r"^layer 'gravity': rasters/gravity.tif names no coordinate system"):
        studies.load(path)
    assert not (tmp_path / "runs").exists()
    (finding,) = (one for one in checking.check_study(path).findings if "gravity" in one.about)
    assert finding.text.startswith("rasters/gravity.tif names no coordinate system, so its pixels cannot")
    path.write_text(path.read_text().replace('units = "mGal"', 'units = "mGal"\ncrs = "EPSG:32753"'))
    assert studies.load(path).layers[0].name == "gravity"


def test_a_check_says_what_of_the_deposits_and_bands_is_not_as_it_should_be(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("name,x,y\nA,430500,6525500\nA,430400,6525400\nFar,10,10\n")
    path = map_study(tmp_path, ('points = "vectors/deposits.gpkg"', 'points = "one.csv"\ncrs = "EPSG:32754"'))
    with rasterio.open(tmp_path / "rasters" / "thorium.tif", "r+") as file:
        values, file.nodata = file.read(1), -1.0
        values[:, :3] = -9999
        file.write(values, 1)
        times = int((values == -9999).sum())
    done = checking.check_study(path)
    said = {(one.kind, one.about): one.text for one in done.findings}
    places = [one.text for one in done.findings if one.kind == "places"]
    assert places == [
        "1 deposit lies outside the area, left out: Far.",
        "A, A (2) share cells and are one deposit, 'A'.",
    ]
    assert said["one_deposit", "deposits"].startswith("only one is known, 'A', so none can be left out")
    code = said["sentinel", "layer 'k_th', band 'th'"]
    assert code.startswith(f"the value -9999 occurs {times:,} times and stands far from all others")
    assert code.endswith("no-data value of rasters/thorium.tif (gdal_edit -a_nodata -9999).")
    assert not any("volume" in line for line in checking.lines(done)), "a map has an area"


def test_a_map_is_explained_with_the_layer_that_leads_at_every_so_many_cells(
    done: tuple[stages.Run, Said],
) -> None:
    run, _ = done
    stages.explain(run)
    assert run.path("figures/attribution_leading.png").read_bytes().startswith(b"\x89PNG")
    store = storage.group(run.path("attributions.zarr"), "r")
    values, wanted = store["attribution"][:, 0], Wanted(run.grid.shape, int(store.attrs["every"]))
    codes, coarse = leading_on(values, wanted), lattice_of(run.grid, wanted)
    assert codes.shape == coarse.shape[1:]
    for j, i in np.argwhere(codes >= 0):
        xyz = [[coarse.centres(2)[i], coarse.centres(1)[j], 0.0]]
        (_, y, x), *_ = run.grid.index_of(xyz).tolist()
        assert run.grid.xyz_of([[0, y, x]])[0].tolist() == pytest.approx(xyz[0])
        assert codes[j, i] == np.nanargmax(np.abs(values[:, y, x]))
    assert (
        np.isfinite(values[0, wanted.firsts[1] :: wanted.every, wanted.firsts[2] :: wanted.every]).sum() > 20
    )
