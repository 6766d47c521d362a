"""A district seen from above: made again from its seed, hard but not too hard, in files as in life."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from scipy.spatial import cKDTree

from mpm3d import cube, evaluate, stages
from mpm3d import study as studies
from mpm3d.run import RunFolder
from mpm3d.synthetic import Discrimination, maps
from tests.conftest import BUNDLED

DEEPSEAM = BUNDLED.parent / "deepseam_2d"
SEED = 26


@pytest.fixture(scope="module")
def district() -> maps.MapDistrict:
    return maps.make(SEED)


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """Evidence of the bundled study, as its files give it."""
    loaded = studies.load(DEEPSEAM / "study.toml", runs=tmp_path_factory.mktemp("runs"))
    run = stages.Run(loaded, RunFolder(loaded.run_folder), say=lambda text: None)
    with run.folder.locked():
        ds = stages.build(run)
    return {name: ds[name].values for name in cube.layers_of(ds)}


@pytest.fixture(scope="module")
def hardness(district: maps.MapDistrict, layers: dict[str, np.ndarray]) -> Discrimination:
    return maps.measured(district, layers)


def test_the_same_seed_makes_the_same_district_and_another_another(district: maps.MapDistrict) -> None:
    again, other = maps.make(SEED), maps.make(SEED + 1)
    for name, field in district.fields.items():
        assert np.array_equal(field, again.fields[name]), name
        assert not np.array_equal(field, other.fields[name]), name
    assert district.deposits == again.deposits
    assert district.holes == again.holes


def test_deposits_follow_the_rule_that_is_stated(district: maps.MapDistrict) -> None:
    xy = np.array([[one.x, one.y] for one in district.deposits])
    assert len(xy) == 12
    assert sum(one.blind for one in district.deposits) == 3
    apart = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))[np.triu_indices(12, 1)]
    assert apart.min() >= 2_500
    assert (district.geology.distance("granite", xy) > 0).all()
    rule = district.at("rule", xy)
    everywhere = district.at("rule", maps.STUDY.points()[:, :2])
    assert (rule >= np.quantile(everywhere, 0.97)).all()
    altered = district.at("alteration", xy)
    assert altered.max() < district.fields["alteration"].max() - 1  # decoys are more altered than ore
    for x, y, radius in district.holes.values():
        assert np.hypot(xy[:, 0] - x, xy[:, 1] - y).min() > radius + 1_500


def test_a_district_without_room_for_its_deposits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpm3d.synthetic.maps.district._APART", 100_000.0)
    with pytest.raises(ValueError, match=r"only 1 of 12 deposits fit into this district. Try another seed"):
        maps.make(SEED)


def test_no_single_layer_finds_the_blind_deposits_and_the_rule_does(hardness: Discrimination) -> None:
    assert hardness.best_layer[2] <= 0.20
    assert hardness.rule >= 0.60
    assert hardness.known_distance == 0
    assert (hardness.n_known, hardness.n_blind) == (9, 3)


def test_no_single_layer_finds_more_than_a_fifth_of_all_deposits(
    district: maps.MapDistrict, layers: dict[str, np.ndarray]
) -> None:
    cells = maps.STUDY.index_of([[one.x, one.y, 0.0] for one in district.deposits])
    for name, values in layers.items():
        for sign in (1, -1):
            ranks = evaluate.volume_ranks(sign * values[tuple(cells.T)], sign * values.ravel())
            assert (ranks <= 0.02).mean() <= 0.20, (name, sign)


def test_assays_are_one_layer_of_the_twelve_and_cost_few_cells_and_no_deposit(
    district: maps.MapDistrict, layers: dict[str, np.ndarray]
) -> None:
    assert len(layers) == 12  # as many as are explained exactly without an extra
    values = layers["pathfinders"]
    gone = np.isnan(values)
    with (DEEPSEAM / "assays.csv").open(encoding="utf-8") as file:
        places = np.array([[float(row["x"]), float(row["y"])] for row in csv.DictReader(file)])
    away, _ = cKDTree(places).query(maps.STUDY.points()[:, :2])
    np.testing.assert_array_equal(gone.ravel(), away > 3_000)
    assert 0 < gone.mean() < 0.02
    cells = maps.STUDY.index_of([[one.x, one.y, 0.0] for one in district.deposits])
    for name, each in layers.items():
        assert np.isfinite(each[tuple(cells.T)]).all(), name


def test_the_bundled_files_are_those_of_their_seed(tmp_path: Path) -> None:
    script = DEEPSEAM / "make_district.py"
    subprocess.run([sys.executable, str(script), "--to", str(tmp_path)], check=True)
    for place in [*sorted(DEEPSEAM.glob("rasters/*.tif")), DEEPSEAM / "truth" / "rule.tif"]:
        with rasterio.open(place) as old, rasterio.open(tmp_path / place.relative_to(DEEPSEAM)) as new:
            assert np.allclose(old.read(1), new.read(1), rtol=0, atol=0.11), place.name  # last digits
            assert (old.crs, old.transform, old.nodata) == (new.crs, new.transform, new.nodata)
    for name in ("study.toml", "blind.csv", "assays.csv"):
        assert (tmp_path / name).read_text() == (DEEPSEAM / name).read_text()


def test_the_files_are_as_files_are_in_life() -> None:
    systems, sizes = set(), set()
    for place in sorted(DEEPSEAM.glob("rasters/*.tif")):
        with rasterio.open(place) as file:
            systems.add(file.crs.to_string())
            sizes.add(file.res)
            missing = (file.read(1) == file.nodata).mean() if file.nodata is not None else 0.0
            assert (missing > 0) == (place.stem in ("magnetics", "potassium", "thorium", "uranium"))
    assert systems == {"EPSG:32754", "EPSG:32753", "EPSG:4326"}
    assert len(sizes) == 4
    with (DEEPSEAM / "assays.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 500
    for column, signs in (("Cu_ppm", "<"), ("As_ppm", "<>"), ("Sn_ppb", "<"), ("Zn_ppm", "<")):
        values = [row[column] for row in rows]
        assert {value[0] for value in values if value[:1] in ("<", ">")} == set(signs), column
        assert 0.005 < sum(not value for value in values) / len(values) < 0.08
    bundled = [place for place in DEEPSEAM.rglob("*") if place.is_file() and "runs" not in place.parts]
    assert sum(place.stat().st_size for place in bundled) < 2_000_000


def test_no_study_reads_the_truth(tmp_path: Path) -> None:
    shutil.copytree(DEEPSEAM, tmp_path / "copy", ignore=shutil.ignore_patterns("truth", "runs"))
    studies.load(tmp_path / "copy" / "study.toml")
