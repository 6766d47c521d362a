"""What a run folder gives to see, and one sentence for each way in which it can be broken."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr
from scipy.spatial.distance import cdist
from scipy.stats import rankdata

from mpm3d import companions, io, scenery, stages, study, view
from mpm3d.cli import app
from mpm3d.errors import StudyError
from mpm3d.geometry import Points, Surface
from mpm3d.grid import Grid
from mpm3d.run import RunFolder
from mpm3d.scenery.bodies import bodies_of
from mpm3d.scenery.listing import volume_words
from mpm3d.scenery.stores import Stored, evidence_of
from mpm3d.wells import Well
from mpm3d.work import Run
from tests.conftest import SMALL_SETTINGS, small_study

SETTINGS = """
[samples]
stand_off = 800.0
max_patches = 160
background = 2000

[[models]]
kind = "forest"
trees = 8

[[models]]
kind = "logistic"

[predict]
block = [10, 25, 13]
workers = 1
"""
ROWS = (
    # id, rank, kind, x, y, elevation, z_base, z_top, hole, reasons_for
    ("T01", 1, "new", 501_500.0, 4_431_500.0, -900.0, -1200.0, -600.0, "D01", "density +0.12"),
    ("T02", 2, "extension", 503_000.0, 4_433_000.0, -1900.0, -2400.0, -1500.0, "", ""),
)
CAUTION_NOTE = "Conceptual, for planning exploration; not a resource estimate."


def start(path: Path, told: list[str] | None = None, runs: Path | None = None) -> Run:
    loaded = study.load(path, runs=runs)
    return Run(loaded, RunFolder(loaded.run_folder), say=(told if told is not None else []).append)


def table() -> pd.DataFrame:
    """The table of targets as it is written, with the columns that a view reads."""
    rows = []
    for name, rank, kind, x, y, z, base, top, hole, reasons in ROWS:
        rows.append({
            "id": name, "rank": rank, "x": x, "y": y, "elevation": z, "volume_m3": 64e6, "kind": kind,
            "n_cells": 8, "z_top": top, "z_base": base, "depth_top": 900.0, "depth_base": 1500.0,
            "mean_score": 0.8, "peak_score": 0.9, "spread": np.nan, "deposit": "",
            "nearest_deposit": "Baishi", "distance_m": 812.4,
            "x_min": x - 200, "x_max": x + 200, "y_min": y - 300, "y_max": y + 300,
            "ranking": 0.7, "extrapolated": 0.25, "zone": "", "reasons_for": reasons, "reasons_against": "",
            "hole": hole, "hole_note": "" if hole else "no allowed hole reaches it", "note": CAUTION_NOTE,
        })  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny study with two models, scored and with targets; gives its study.toml."""
    path = small_study(tmp_path_factory.mktemp("scenery"))
    path.write_text(path.read_text().replace(SMALL_SETTINGS, SETTINGS))
    run = start(path)
    with run.folder.locked():
        stages.predict_volume(run)
        stages.predict_volume(run, model="logistic")
    score = zarr.open_group(run.path("prospectivity.zarr"), mode="r")["score"][...]
    threshold = float(np.sort(score[np.isfinite(score)])[-200])
    eligible = score.copy()
    for deposit in run.known:
        eligible[tuple(deposit.cells.T)] = np.nan
    share = np.count_nonzero(eligible >= threshold) / np.count_nonzero(np.isfinite(eligible))
    table().to_csv(run.path("targets.csv"), index=False, lineterminator="\n")
    path_of_hole = np.array([[501_200.0, 4_431_200.0, 320.0], [501_500.0, 4_431_500.0, -1000.0]])
    length = float(np.linalg.norm(np.diff(path_of_hole, axis=0)))
    well = Well("D01", path_of_hole[0], np.array([0.0, length]), path_of_hole, kind="Well")
    io.gocad.write_wells(run.path("drillholes.wl"), [well])
    run.folder.finish("targets", "k", time.monotonic(), threshold=threshold, share=share, n=len(ROWS))
    return path


@pytest.fixture(scope="module")
def seen(made: Path) -> view.Scene:
    return scenery.of(start(made), beside="logistic")


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Run:
    """The finished run in a folder of its own, to be damaged."""
    source = start(made).folder.place
    shutil.copytree(source, tmp_path / source.name, ignore=shutil.ignore_patterns("*.lock"))
    return start(made, runs=tmp_path)


def scores_of(run: Run, name: str = "prospectivity.zarr") -> np.ndarray:
    return np.asarray(zarr.open_group(run.path(name), mode="r")["score"][...])


# what is seen -----------------------------------------------------------------------------------------


def test_scores_are_percentiles_as_scipy_ranks_them_and_the_threshold_keeps_the_targets_cells(
    made: Path, seen: view.Scene
) -> None:
    score = scores_of(start(made))
    there = np.isfinite(score)
    ranks = (rankdata(score[there]) - 0.5) / there.sum() * 100
    np.testing.assert_allclose(seen.values[there], ranks, rtol=1e-6)
    assert np.isnan(seen.values[~there]).all()
    threshold = start(made).folder.facts("targets")["threshold"]
    np.testing.assert_array_equal(seen.values >= np.float32(seen.threshold), score >= np.float32(threshold))
    assert seen.values.dtype == np.float32


def test_another_model_is_shown_from_where_it_keeps_as_much_of_the_volume(
    made: Path, seen: view.Scene
) -> None:
    other = scenery.of(start(made), model="logistic")
    assert seen.beside is not None
    assert (seen.title, other.title) == ("wulong_like: prospectivity by forest", seen.beside.title)
    assert other.title == "wulong_like: prospectivity by logistic"
    assert "Targets are those of forest." in other.note
    score = scores_of(start(made), "prospectivity_logistic.zarr")
    kept = int(view.read_out(seen, seen.threshold).n_cells)
    best = np.sort(score[np.isfinite(score)])[-kept]
    # as many as the first model keeps, and those that tie with the last of them
    assert abs(view.read_out(other, other.threshold).n_cells - np.count_nonzero(score >= best)) <= (
        np.count_nonzero(score == best)
    )
    np.testing.assert_array_equal(other.values, seen.beside.values)


def test_companions_and_evidence_are_those_of_the_stores_with_units_and_nan_where_there_is_none(
    made: Path, seen: view.Scene
) -> None:
    run = start(made)
    store = zarr.open_group(run.path("prospectivity.zarr"), mode="r")
    assert list(seen.companions)[:3] == ["score", "known_distance", "extrapolation"]
    np.testing.assert_array_equal(seen.companions["score"][3], store["score"][3])
    flag = store["extrapolation"][...]
    np.testing.assert_array_equal(
        seen.companions["extrapolation"][:, 4, 5], np.where(flag == 255, np.nan, flag)[:, 4, 5]
    )
    assert (flag == 255).any()
    cube = zarr.open_group(run.path("cube.zarr"), mode="r")
    assert set(seen.evidence) == {layer.name for layer in run.study.layers}
    for name, values in seen.evidence.items():
        np.testing.assert_array_equal(values[2, 3, 4], cube[name][2, 3, 4])
        assert values[:, 0:2].shape == (seen.grid.shape[0], 2, seen.grid.shape[2])
    assert seen.units_of["density"] == "g/cm3"
    assert seen.units_of["known_distance"] == "m"
    assert set(seen.units_of) == {*seen.evidence, *seen.companions}


def test_evidence_is_read_where_it_is_asked_for_and_never_whole(made: Path) -> None:
    asked = []

    class Told:
        shape, dtype, attrs = (4, 5, 6), np.dtype("float32"), {"units": "m"}

        def __getitem__(self, cut: object) -> np.ndarray:
            asked.append(cut)
            return np.zeros(self.shape, np.float32)[cut]

    layer = Stored(Told(), "cube.zarr", "mpm3d build")
    scene = view.make_scene(
        title="", grid=Grid((4, 5, 6), (50.0,) * 3, (0.0,) * 3, "EPSG:32651"), score=np.zeros((4, 5, 6)),
        threshold=0.5, evidence={"a": layer}, companions={"b": layer},
    )  # fmt: skip
    assert asked == []
    assert scene.evidence["a"][1].shape == (5, 6)
    assert asked == [1]


def test_bodies_have_roles_and_names_of_their_own(seen: view.Scene) -> None:
    roles = {"deposit", "blind deposit", "fault", "intrusion", "dyke", "topography", "drillhole"}
    assert roles | {"positive sample", "negative sample"} == set(seen.roles)
    for role in seen.roles:
        names = [item.name for item in seen.items if item.role == role]
        assert len(names) == len(set(names))
    hidden = {item.role for item in seen.items if not item.visible}
    assert hidden == {"dyke", "positive sample", "negative sample"}
    (hole,) = [item for item in seen.items if item.role == "drillhole"]
    assert hole.name == "D01"
    np.testing.assert_allclose(
        hole.geometry.vertices, [[501_200, 4_431_200, 320], [501_500, 4_431_500, -1000]], atol=0.01
    )


def test_samples_are_the_cells_that_the_model_was_trained_on(made: Path, seen: view.Scene) -> None:
    run = start(made)
    places = {item.role: item.geometry.vertices for item in seen.items if isinstance(item.geometry, Points)}
    member = json.loads(run.path("model/model.json").read_text())["members"][0]
    known = np.concatenate([run.grid.xyz_of(deposit.cells) for deposit in run.known])
    positive, negative = places["positive sample"], places["negative sample"]
    assert (len(positive), len(negative)) == (member["n_positive"], member["n_negative"])
    assert cdist(positive, known).min(axis=1).max() == 0
    assert cdist(negative, known).min() >= run.study.samples.stand_off


def test_a_raster_of_elevations_is_drawn_as_a_surface(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import xarray as xr

    run = start(made)
    x0, y0, _, x1, y1, _ = run.grid.bounds
    y, x = np.arange(y0 - 100, y1 + 200, 100.0), np.arange(x0 - 100, x1 + 200, 100.0)
    plane = 200 + 0.01 * (x - x0)[None, :] + 0 * y[:, None]
    run.__dict__["ground"] = xr.DataArray(plane, coords={"y": y, "x": x}, dims=("y", "x"))
    (ground,) = bodies_of(run)["topography"]
    assert isinstance(ground, Surface)
    east, north, up = ground.vertices.T
    assert np.abs(up - 200 - 0.01 * (east - x0)).max() < 0.51  # half a step of the raster at its edges
    assert (east.min(), north.max()) == (x0, y1)
    a, b, c = ground.vertices[ground.triangles].transpose(1, 0, 2)
    area = np.cross(b - a, c - a)[:, 2] / 2
    assert area.sum() == pytest.approx((x1 - x0) * (y1 - y0))
    assert (area > 0).all()


def test_targets_have_their_numbers_in_words_and_their_reasons(seen: view.Scene) -> None:
    first, second = seen.targets
    assert (first.id, first.rank, first.kind, first.hole) == ("T01", 1, "new", "D01")
    assert first.bounds == (501_300, 4_431_200, -1200, 501_700, 4_431_800, -600)
    assert (first.reasons_for, first.reasons_against) == ("density +0.12", "")
    numbers = dict(first.numbers)
    assert numbers["volume"] == "64 million m³"
    assert numbers["to nearest deposit"] == "812 m"
    assert numbers["extrapolated cells"] == "25.0%"
    assert numbers["centre"] == "501 500 E, 4 431 500 N, -900 m"
    assert "spread of the members" not in numbers
    assert dict(second.numbers)["no drillhole"] == "no allowed hole reaches it"
    assert volume_words(999_999.0) == "999 999 m³"


def test_a_table_of_an_earlier_version_is_shown_with_a_sentence(copy: Run) -> None:
    told: list[str] = []
    copy.say = told.append
    since = ["x_min", "x_max", "y_min", "y_max", "reasons_for", "reasons_against", "hole", "hole_note"]
    table().drop(columns=since).to_csv(copy.path("targets.csv"), index=False)
    scene = scenery.of(copy)
    assert any("targets.csv is of an earlier version" in line and "mpm3d targets" in line for line in told)
    x0, y0, z0, x1, y1, z1 = scene.targets[0].bounds
    assert (z0, z1) == (-1200, -600)
    assert (x1 - x0) * (y1 - y0) * (z1 - z0) == pytest.approx(64e6)


def test_a_model_fitted_before_positions_were_kept_says_so(copy: Run) -> None:
    told: list[str] = []
    copy.say = told.append
    copy.path("model/training_cells.csv").unlink()
    assert "positive sample" not in scenery.of(copy).roles
    assert any("was not kept" in line and "mpm3d fit study.toml --overwrite" in line for line in told)


# what is broken ---------------------------------------------------------------------------------------


def _cut(path: Path, share: float = 0.5) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


def _chunk(run: Run, store: str, name: str) -> Path:
    """The largest stored chunk of a layer."""
    return max((run.path(store) / name / "c").rglob("*"), key=lambda p: p.stat().st_size * p.is_file())


def _rows(run: Run, frame: pd.DataFrame) -> None:
    frame.to_csv(run.path("targets.csv"), index=False, lineterminator="\n")


def _facts(run: Run, **changed: object) -> None:
    content = json.loads(run.path("run.json").read_text())
    content["stages"]["targets"].update(changed)
    run.path("run.json").write_text(json.dumps(content))


def _unfinished(run: Run) -> None:
    zarr.open_group(run.path("prospectivity.zarr"))["ledger"][0, 0, 0] = 0


def _of_another_cube(run: Run) -> None:
    group = zarr.open_group(run.path("prospectivity.zarr"))
    group.attrs["run"] = json.dumps({**json.loads(group.attrs["run"]), "cube": "0"})


def _of_another_grid(run: Run) -> None:
    zarr.open_group(run.path("prospectivity.zarr")).attrs["grid_corner"] = [0.0, 0.0, 0.0]


DAMAGE: dict[str, tuple[Callable[[Run], object], str]] = {
    "run.json torn": (
        lambda run: _cut(run.path("run.json")), r"run.json in .* is damaged.*mpm3d targets study.toml"
    ),
    "run.json missing": (lambda run: run.path("run.json").unlink(), "no targets are in .*mpm3d run"),
    "run.json without stages": (
        lambda run: run.path("run.json").write_text('{"stages": []}'), "no targets are in .*mpm3d run"
    ),
    "no threshold": (lambda run: _facts(run, threshold="much"), "no targets are in .*mpm3d run"),
    "no store": (
        lambda run: shutil.rmtree(run.path("prospectivity.zarr")),
        "forest has not scored the volume yet, prospectivity.zarr is not in .*mpm3d predict study.toml",
    ),
    "store without metadata": (
        lambda run: run.path("prospectivity.zarr/zarr.json").unlink(),
        "prospectivity.zarr is damaged and cannot be read .*Delete .*mpm3d predict study.toml",
    ),
    "store with torn metadata": (
        lambda run: _cut(run.path("prospectivity.zarr/zarr.json")),
        "prospectivity.zarr is damaged and cannot be read .*Delete .*mpm3d predict study.toml",
    ),
    "score without metadata": (
        lambda run: run.path("prospectivity.zarr/score/zarr.json").unlink(),
        "prospectivity.zarr is damaged and cannot be read",
    ),
    "score with torn metadata": (
        lambda run: _cut(run.path("prospectivity.zarr/score/zarr.json")),
        "prospectivity.zarr is damaged and cannot be read",
    ),
    "a companion with torn metadata": (
        lambda run: _cut(run.path("prospectivity.zarr/novelty/zarr.json")),
        "prospectivity.zarr is damaged and cannot be read",
    ),
    "a chunk of scores cut": (
        lambda run: _cut(_chunk(run, "prospectivity.zarr", "score")),
        "prospectivity.zarr is damaged and cannot be read .*Delete .*mpm3d predict study.toml",
    ),
    "a chunk of scores lost": (
        lambda run: _chunk(run, "prospectivity.zarr", "score").unlink(),
        "prospectivity.zarr is damaged: .* cells were scored and .* are there",
    ),
    "not finished": (_unfinished, r"is not finished, \d+ of \d+ blocks are scored.*: mpm3d predict"),
    "another cube": (_of_another_cube, "the evidence cube was built again .*mpm3d targets study.toml"),
    "another grid": (_of_another_grid, "the grid of the study .*mpm3d targets study.toml"),
    "cube with torn metadata": (
        lambda run: _cut(run.path("cube.zarr/zarr.json")), "cube.zarr is damaged .*mpm3d build study.toml"
    ),
    "no table": (lambda run: run.path("targets.csv").unlink(), "targets.csv is not in .*mpm3d targets"),
    "an empty table": (
        lambda run: run.path("targets.csv").write_text(""), "targets.csv cannot be read .*mpm3d targets"
    ),
    "a table cut within a row": (
        lambda run: _cut(run.path("targets.csv"), 0.8), "targets.csv (is cut off|cannot be read|has 1)"
    ),
    "a table cut between rows": (
        lambda run: _rows(run, table().head(1)), "targets.csv has 1 targets and run.json tells of 2"
    ),
    "a table without columns": (
        lambda run: _rows(run, table().drop(columns=["z_top"])), "targets.csv lacks the columns z_top"
    ),
    "a target of no height": (
        lambda run: _rows(run, table().assign(z_top=-9999.0)), "targets.csv holds a row that is no target"
    ),
    "targets of other scores": (
        lambda run: _facts(run, share=0.5), "the targets are of other scores: .* 50.0000% .*mpm3d targets"
    ),
    "drillholes cut": (
        lambda run: _cut(run.path("drillholes.wl"), 0.3), "(drillholes.wl cannot be read|does not hold)"
    ),
    "drillholes missing": (
        lambda run: run.path("drillholes.wl").unlink(),
        "targets.csv names the drillhole D01, which drillholes.wl does not hold.*mpm3d targets study.toml",
    ),
    "training cells cut": (
        lambda run: _cut(run.path("model/training_cells.csv"), 0.501),
        "training_cells.csv in .* cannot be read .*mpm3d fit study.toml --overwrite",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGE)
def test_a_broken_run_folder_gives_one_sentence_with_the_next_command(copy: Run, what: str) -> None:
    damage, message = DAMAGE[what]
    damage(copy)
    with pytest.raises(StudyError, match=message) as caught:
        scenery.of(copy)
    assert len(caught.value.problems) == 1
    assert "\n" not in str(caught.value)


def test_a_layer_that_is_damaged_says_so_when_its_cells_are_asked_for(copy: Run) -> None:
    _cut(_chunk(copy, "cube.zarr", "density"))
    scene = scenery.of(copy)
    with pytest.raises(StudyError, match=r"cube.zarr is damaged and cannot be read .* Delete .*mpm3d build"):
        scene.evidence["density"][:]
    assert evidence_of(copy)["dyke_distance"][0, 0, 0] >= 0


def test_models_that_are_not_there_are_refused(made: Path, copy: Run) -> None:
    with pytest.raises(StudyError, match="no model 'svm', it has 'forest', 'logistic'"):
        scenery.of(start(made), model="svm")
    with pytest.raises(StudyError, match="'forest' is shown already"):
        scenery.of(start(made), beside="forest")
    shutil.rmtree(copy.path("prospectivity_logistic.zarr"))
    message = "logistic has not scored the volume yet.*mpm3d predict study.toml --model logistic"
    with pytest.raises(StudyError, match=message):
        scenery.of(copy, beside="logistic")


def test_training_cells_are_read_as_they_were_kept(tmp_path: Path) -> None:
    from mpm3d.companions.training import keep_cells

    assert companions.training_cells(tmp_path) is None
    places = np.array([[412_000.5, 4_512_000.25, -50.0], [412_050.5, 4_512_000.25, 0.0]])
    keep_cells(tmp_path, places, [0, 1], ["", "Kuh, east"])
    kept = companions.training_cells(tmp_path)
    assert kept is not None
    np.testing.assert_array_equal(kept[1], places[1:])
    np.testing.assert_array_equal(kept[0], places[:1])


# the command ------------------------------------------------------------------------------------------


def call(*words: object) -> tuple[int, str]:
    from typer.testing import CliRunner

    done = CliRunner().invoke(app, [str(word) for word in words])
    return done.exit_code, " ".join(done.output.split())


def test_looking_at_a_study_that_was_never_run_makes_no_folder(made: Path, tmp_path: Path) -> None:
    code, text = call("view", made, "--runs", tmp_path / "none")
    assert code == 1
    assert "has not been run, there is no folder" in text
    assert "mpm3d run" in text
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--port", 8080), "--host, --port and --no-token are for the view in a web browser"),
        (("--host", "0.0.0.0"), "add --browser"),
        (("--browser", "--host", "0.0.0.0", "--no-token"), "would show the study to anyone on the network"),
        (("--model", "svm"), "no model 'svm'"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(made: Path, words: tuple[object, ...], message: str) -> None:
    code, text = call("view", made, *words)
    assert code == 1
    assert message in text


@pytest.mark.parametrize(
    ("words", "expected", "warned"),
    [
        ((), {"host": "127.0.0.1", "port": 0, "token": None}, False),
        (("--port", 8123, "--no-token"), {"host": "127.0.0.1", "port": 8123, "token": ""}, False),
        (("--host", "0.0.0.0"), {"host": "0.0.0.0", "port": 0, "token": None}, True),
    ],
)
def test_the_browser_app_listens_on_this_machine_unless_asked(
    made: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[object, ...], expected: dict[str, object],
    warned: bool,
) -> None:  # fmt: skip
    from mpm3d.view import browser

    served: list[tuple[view.Scene, dict[str, object]]] = []
    monkeypatch.setattr(browser, "serve", lambda scene, **where: served.append((scene, where)))
    code, text = call("view", made, "--browser", "--beside", "logistic", *words)
    assert code == 0, text
    ((scene, where),) = served
    assert where == expected
    assert scene.beside is not None
    assert ("what is sent is not encrypted" in text) == warned


def test_without_the_extra_nothing_is_read(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trame", None)
    code, text = call("view", made, "--browser")
    assert code == 1
    assert "pip install 'mpm3d[browser]'" in text
    assert "cells met" not in text


def test_a_picture_of_two_models_is_wide(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[view.Scene, Path, dict[str, object]]] = []

    def draw(scene: view.Scene, path: Path, **how: object) -> Path:
        drawn.append((scene, path, how))
        return path

    monkeypatch.setattr(view.picture, "draw", draw)
    for words in ((), ("--beside", "logistic", "--exaggeration", 2)):
        code, text = call("view", made, "--picture", tmp_path / "a.png", *words)
        assert code == 0, text
        assert "Drew" in text
    (one, path, how), (two, _, wide) = drawn
    assert (one.beside, path) == (None, tmp_path / "a.png")
    assert how == {"vertical_exaggeration": 1.0}
    assert two.beside is not None
    assert wide == {"vertical_exaggeration": 2.0, "size": scenery.SIDE_BY_SIDE}
