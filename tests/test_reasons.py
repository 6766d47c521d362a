"""Reasons of targets and the store of attributions: what they hold, that they resume and never mix."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

from mpm3d import companions, cube, explain, fit, reasons, samples, stages, storage, study, targeting
from mpm3d.errors import StudyError
from mpm3d.reasons import Reason, few, figures, store, volume, words
from mpm3d.reasons.subject import subject_of
from mpm3d.reasons.summary import Crowd, Summary, Tally
from mpm3d.run import RunFolder
from tests.conftest import small_study

SETTINGS = """
[samples]
stand_off = 800.0
max_patches = 160
background = 2000

[[models]]
kind = "forest"
trees = 8
members = 2

[[models]]
kind = "logistic"

[predict]
block = [10, 25, 13]
workers = 2

[targets]
share = 0.03
min_volume = 0.0
"""


class Told(list):
    """What a run says."""

    def __call__(self, text: str) -> None:
        self.append(text)

    @property
    def text(self) -> str:
        return "\n".join(self)


def opened(folder: Path) -> stages.Run:
    loaded = study.load(folder / "study.toml")
    return stages.Run(loaded, RunFolder(loaded.run_folder), say=Told())


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pictures, which take longer than all else."""
    monkeypatch.setattr(figures, "DRAWN", {})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A district that is fitted, scored and cut into targets."""
    folder = tmp_path_factory.mktemp("reasons")
    path = small_study(folder)
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: text.index("[samples]")] + SETTINGS, encoding="utf-8")
    stages.predict_volume(opened(folder))
    return folder


@pytest.fixture
def run(made: Path, tmp_path: Path, undrawn: None) -> stages.Run:
    """A copy of it, without attributions."""
    shutil.copytree(made, tmp_path / "study")
    return opened(tmp_path / "study")


@pytest.fixture(scope="module")
def explained(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with attributions."""
    folder = tmp_path_factory.mktemp("explained") / "study"
    shutil.copytree(made, folder)
    run = opened(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "DRAWN", {})
        reasons.explain(run, targeting.cut(run))
    return folder


def attributions(run: stages.Run) -> np.ndarray:
    return storage.group(store.place_of(run, 0), "r")["attribution"][...]


def by_hand(run: stages.Run, cells: np.ndarray) -> tuple[np.ndarray, float]:
    """Attributions ``(n, layer)`` from all sets of layers, patches read one window each."""
    members, _ = fit.load_members(run.path("model"))
    reference = subject_of(run, 0).explainer.reference
    evidence = cube.open(run.study.cube_place)
    patches = samples.take_patches(evidence, cells, members[0].layers, members[0].patch_shape)

    def score(some: np.ndarray) -> np.ndarray:
        return np.mean([m.score_samples(some).astype(float) for m in members], axis=0)

    base = float(score(reference)[0])
    return explain.coalitions.exact(score, patches, reference, base), base


def test_all_cells_of_targets_and_every_fourth_elsewhere_are_explained(explained: Path) -> None:
    run = opened(explained)
    found, values = targeting.cut(run), attributions(run)
    wanted = np.zeros(run.grid.shape, dtype=bool)
    for axis_z in range(2, run.grid.shape[0], 4):
        for axis_y in range(2, run.grid.shape[1], 4):
            wanted[axis_z, axis_y, 2::4] = True
    split = {target.zone for target in found.targets}
    for target in found.targets:
        if target.id not in split:
            wanted[tuple(target.cells.T)] = True
    score = cube.open(run.path("prospectivity.zarr"))["score"].values
    np.testing.assert_array_equal(~np.isnan(values[0]), wanted & ~np.isnan(score))
    np.testing.assert_array_equal(np.isnan(values).any(axis=0), np.isnan(values[0]))


def test_attributions_are_those_of_all_sets_of_layers_and_add_up_to_the_stored_score(explained: Path) -> None:
    run, values = opened(explained), attributions(opened(explained))
    cells = np.argwhere(~np.isnan(values[0]))
    score = cube.open(run.path("prospectivity.zarr"))["score"].values
    about = storage.group(store.place_of(run, 0), "r").attrs
    total = about["base"] + values.sum(axis=0, dtype=float)
    np.testing.assert_allclose(total[tuple(cells.T)], score[tuple(cells.T)], atol=2e-6)
    some = cells[:: max(1, len(cells) // 60)]  # blocks and their borders alike
    expected, base = by_hand(run, some)
    np.testing.assert_allclose(values[(slice(None), *some.T)].T, expected, atol=1e-6)
    assert about["base"] == pytest.approx(base, abs=1e-7)


def test_the_store_opens_as_a_dataset_that_says_what_it_is(explained: Path) -> None:
    run = opened(explained)
    ds = xr.open_zarr(store.place_of(run, 0), consolidated=False, chunks=None)
    layers = [layer.name for layer in run.study.layers]
    assert ds["attribution"].dims == ("layer", "z", "y", "x")
    assert ds["layer"].values.tolist() == layers == ds.attrs["layers"]
    np.testing.assert_array_equal(ds["z"], cube.open(run.study.cube_place)["z"])
    assert ds.attrs["model"] == fit.load_members(run.path("model"))[1]["hash"]
    assert "16 background patches beyond 800 m" in ds.attrs["background"]
    assert "TreeExplainer" in ds.attrs["method"]
    assert "not a resource estimate" in ds.attrs["title"]


def test_the_table_holds_what_the_cells_come_to(explained: Path) -> None:
    run, values = opened(explained), attributions(opened(explained))
    table = pd.read_csv(run.path("attributions.csv"))
    lattice = values[:, 2::4, 2::4, 2::4].reshape(len(values), -1)
    lattice = lattice[:, ~np.isnan(lattice[0])].astype(float)
    rows = table[table["where"] == "volume"].set_index("layer")
    layers = [layer.name for layer in run.study.layers]
    np.testing.assert_allclose(rows.loc[layers, "mean"], lattice.mean(axis=1), rtol=1e-4, atol=1e-8)
    np.testing.assert_allclose(rows.loc[layers, "mean_absolute"], abs(lattice).mean(axis=1), rtol=1e-4)
    strongest = np.zeros(len(layers))
    for cell in abs(lattice).T:
        strongest[cell.argmax()] += cell.max() > 0  # the first of those that tie
    np.testing.assert_allclose(rows.loc[layers, "strongest_share"], strongest / lattice.shape[1], rtol=1e-5)
    assert rows["mean_absolute"].is_monotonic_decreasing
    assert (rows["n_cells"] == lattice.shape[1]).all()
    first = next(target for target in targeting.cut(run).targets if target.kind != "zone")
    own = values[(slice(None), *first.cells.T)].astype(float)
    rows = table[table["where"] == first.id].set_index("layer")
    np.testing.assert_allclose(rows.loc[layers, "mean"], own.mean(axis=1), rtol=1e-4, atol=1e-8)
    assert table["note"].str.contains("not a resource estimate").all()


def test_deposits_have_rows_of_the_mean_over_their_cells_or_over_64_of_them(explained: Path) -> None:
    run = opened(explained)
    table = pd.read_csv(run.path("attributions.csv"))
    score = cube.open(run.path("prospectivity.zarr"))["score"].values
    layers = [layer.name for layer in run.study.layers]
    assert {one.name for one in run.blind}
    for one, what in [*((d, "known deposit") for d in run.known), *((d, "blind deposit") for d in run.blind)]:
        rows = table[(table["where"] == f"deposit {one.name}") & (table["what"] == what)].set_index("layer")
        cells = one.cells[~np.isnan(score[tuple(one.cells.T)])]
        own = attributions(run)[(slice(None), *cells.T)]
        if np.isnan(own).any():
            cells = few.spread(cells, score[tuple(cells.T)])
        assert (rows["n_cells"] == len(cells)).all()
        assert len(cells) == len(one.cells) or len(cells) <= 64
        expected, base = by_hand(run, cells)
        np.testing.assert_allclose(rows.loc[layers, "mean"], expected.mean(axis=0), rtol=1e-4, atol=2e-6)
        np.testing.assert_allclose(rows["score"], score[tuple(cells.T)].mean(), atol=1e-5)
        np.testing.assert_allclose(rows["base"], base, atol=1e-6)


def test_reasons_come_from_the_store_where_it_has_the_cells(explained: Path) -> None:
    run = opened(explained)
    found, values = targeting.cut(run), attributions(opened(explained))
    got = reasons.of(run, found)
    assert list(got) == [target.id for target in found.targets]
    assert "reasons" not in run.say.text  # nothing was computed
    for target in found.targets:
        if target.kind != "zone":
            own = values[(slice(None), *target.cells.T)].astype(float).mean(axis=1)
            np.testing.assert_allclose(got[target.id].values, own, atol=1e-9)
            assert got[target.id].n_cells == target.n_cells
            assert got[target.id].base + own.sum() == pytest.approx(target.mean_score, abs=1e-5)


def test_without_a_store_some_cells_of_each_target_are_explained(run: stages.Run) -> None:
    found = targeting.cut(run)
    got = reasons.of(run, found)
    assert not store.place_of(run, 0).exists()
    assert "reasons: from at most 64 cells of each of" in run.say.text
    assert "a removed layer is its mean over 16 background patches" in run.say.text
    score = cube.open(run.path("prospectivity.zarr"))["score"].values
    for target in found.targets:
        n, own = got[target.id].n_cells, np.sort(score[tuple(target.cells.T)])
        assert n == min(64, target.n_cells)
        cells = few.spread_cells(run, 0, target)
        np.testing.assert_allclose(
            score[tuple(cells.T)], own[np.linspace(0, len(own) - 1, n).round().astype(int)], atol=0
        )
        expected, _ = by_hand(run, cells)
        np.testing.assert_allclose(got[target.id].values, expected.mean(axis=0), atol=1e-6)


def test_a_target_that_the_store_does_not_have_is_explained_at_once(explained: Path, tmp_path: Path) -> None:
    shutil.copytree(explained, tmp_path / "study")
    path = tmp_path / "study" / "study.toml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("share = 0.03", "share = 0.05"), encoding="utf-8"
    )
    run = opened(tmp_path / "study")
    got = reasons.of(run, targeting.cut(run))
    assert all(np.isfinite(one.values).all() for one in got.values())
    assert "reasons: from at most" in run.say.text


def interrupted(run: stages.Run, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Ctrl-C after some blocks."""
    right, count = volume._fill, [0]

    def stops(*args: object) -> int:
        done = right(*args)  # type: ignore[arg-type]
        count[0] += bool(done)
        if count[0] > after:
            raise KeyboardInterrupt
        return done

    with monkeypatch.context() as patch:
        patch.setattr(volume, "_fill", stops)
        with pytest.raises(KeyboardInterrupt):
            reasons.explain(run, targeting.cut(run))


def test_an_interrupted_run_goes_on_and_ends_the_same(
    run: stages.Run, explained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(run, monkeypatch, after=2)
    ledger = storage.group(store.place_of(run, 0), "r")["ledger"][...]
    assert 0 < (ledger[..., 1] > 0).sum() < (~np.isnan(attributions(opened(explained))[0])).sum()
    there = int((~np.isnan(attributions(run)[0])).sum())
    assert ledger[..., 1].sum() < there
    calls: list[int] = []
    monkeypatch.setattr(reasons, "of_deposits", lambda *told: [])  # these are not kept
    monkeypatch.setattr(volume, "rate_of", lambda *told: 100.0)
    right = explain.Explainer.explain
    monkeypatch.setattr(
        explain.Explainer, "explain", lambda self, p: (calls.append(len(p)), right(self, p))[1]
    )
    reasons.explain(run, targeting.cut(run))
    np.testing.assert_array_equal(attributions(run), attributions(opened(explained)))
    n = int((~np.isnan(attributions(run)[0])).sum())
    # what was finished is not done again, the block that was written and not marked neither
    assert sum(calls) == n - there
    assert f"{ledger[..., 1].sum():,} of them by an earlier run" in run.say.text
    assert run.say.text.index("cells of targets and") < run.say.text.index("mean absolute attribution")


def test_a_killed_run_goes_on(run: stages.Run, explained: Path) -> None:
    code = (
        "import os, sys; from tests.test_reasons import opened; from pathlib import Path\n"
        "from mpm3d import reasons, targeting; from mpm3d.reasons import volume\n"
        "right, count = volume._fill, [0]\n"
        "def dies(v, array, block, wanted):\n"
        "    done = right(v, array, block, wanted); count[0] += bool(done)\n"
        "    if count[0] > 3: os._exit(9)\n"  # after the data of a block, before its mark
        "    return done\n"
        "volume._fill = dies\n"
        "run = opened(Path(sys.argv[1])); reasons.explain(run, targeting.cut(run))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    killed = subprocess.run([sys.executable, "-c", code, str(run.study.folder)], env=environment)
    assert killed.returncode == 9
    reasons.explain(run, targeting.cut(run))
    np.testing.assert_array_equal(attributions(run), attributions(opened(explained)))


@pytest.mark.usefixtures("undrawn")
def test_attributions_of_another_model_are_never_mixed_in(explained: Path, tmp_path: Path) -> None:
    shutil.copytree(explained, tmp_path / "study")
    run = opened(tmp_path / "study")
    place = store.place_of(run, 0)
    group = zarr.open_group(place)
    group["attribution"][...] = 7.0  # what another model would have left
    begun = dict(group.attrs)["run"].replace(subject_of(run, 0).identity["model"], "another")
    group.attrs.update(run=begun, run_hash="another")
    assert reasons.of(run, targeting.cut(run))["T01"].values.max() < 1
    reasons.explain(run, targeting.cut(run))
    assert "is of another model. It is made again." in run.say.text
    np.testing.assert_array_equal(attributions(run), attributions(opened(explained)))


@pytest.mark.usefixtures("undrawn")
def test_overwrite_begins_again(explained: Path, tmp_path: Path) -> None:
    shutil.copytree(explained, tmp_path / "study")
    run = opened(tmp_path / "study")
    run.folder.overwrite = True
    reasons.explain(run, targeting.cut(run))
    assert "by an earlier run" not in run.say.text
    np.testing.assert_array_equal(attributions(run), attributions(opened(explained)))


@pytest.mark.usefixtures("undrawn")
def test_other_background_is_another_setting(explained: Path, tmp_path: Path) -> None:
    shutil.copytree(explained, tmp_path / "study")
    path = tmp_path / "study" / "study.toml"
    path.write_text(
        path.read_text(encoding="utf-8") + "\n[explain]\nbackground = 3\nremoved = 'each'\n", encoding="utf-8"
    )
    run = opened(tmp_path / "study")
    reasons.explain(run, targeting.cut(run))
    assert "is of another settings. It is made again." in run.say.text
    about = storage.group(store.place_of(run, 0), "r").attrs
    assert "its values in each of 3 background patches" in about["background"]
    subject = subject_of(run, 0)
    assert about["base"] == pytest.approx(subject.explainer.score(subject.background).mean(), abs=1e-7)


@pytest.mark.usefixtures("undrawn")
def test_the_whole_volume_goes_on_from_a_part_of_it(explained: Path, tmp_path: Path) -> None:
    shutil.copytree(explained, tmp_path / "study")
    run = opened(tmp_path / "study")
    before = attributions(run)
    summary = reasons.explain(run, targeting.cut(run), whole=True)
    values, score = attributions(run), cube.open(run.path("prospectivity.zarr"))["score"].values
    np.testing.assert_array_equal(np.isnan(values[0]), np.isnan(score))
    kept = ~np.isnan(before)
    np.testing.assert_array_equal(values[kept], before[kept])
    assert summary.volume.n == (~np.isnan(score)).sum()
    assert "all other cells" in run.say.text
    assert f"{int(kept[0].sum()):,} of them by an earlier run" in run.say.text
    total = summary.base + values.sum(axis=0, dtype=float)
    np.testing.assert_allclose(total[~np.isnan(score)], score[~np.isnan(score)], atol=2e-6)


def test_another_model_of_the_study_has_files_of_its_own(
    explained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(explained, tmp_path / "study")
    run = opened(tmp_path / "study")
    with pytest.raises(
        StudyError, match=r"prospectivity_logistic.zarr is not there.*predict study.toml --model"
    ):
        reasons.explain(run, targeting.cut(run), 1)
    drawn: list[str] = []
    fakes = {name: lambda summary, path, look: drawn.append(path.name) for name in figures.DRAWN}
    monkeypatch.setattr(figures, "DRAWN", fakes)
    stages.explain(run, model="logistic")
    assert drawn == [f"attribution_{name}_logistic.png" for name in ("bar", "beeswarm", "dependence")]
    for name in ("attributions_logistic.zarr", "attributions_logistic.csv"):
        assert run.path(name).exists()
    score = cube.open(companions.place_of(run, 1))["score"].values
    group = storage.group(run.path("attributions_logistic.zarr"), "r")
    total = group.attrs["base"] + group["attribution"][...].sum(axis=0, dtype=float)
    there = ~np.isnan(total)
    np.testing.assert_allclose(total[there], score[there], atol=2e-6)
    table = pd.read_csv(run.path("targets.csv"), keep_default_na=False)
    assert table["reasons_for"].str.contains(r"^\w+ \+0\.\d\d").all()


def test_a_model_that_is_not_there_is_named(run: stages.Run) -> None:
    with pytest.raises(StudyError, match="the study has no model 'dl9', it has 'forest', 'logistic'"):
        stages.explain(run, model="dl9")


def test_scores_of_another_model_are_found_out(run: stages.Run) -> None:
    found = targeting.cut(run)
    array = storage.group(run.path("prospectivity.zarr"))["score"]
    array[...] = array[...] * 0.5
    with pytest.raises(RuntimeError, match=r"gives .* at a cell whose stored score is .*predict study.toml"):
        reasons.explain(run, found)


def test_something_else_in_the_place_is_left_alone(run: stages.Run) -> None:
    place = store.place_of(run, 0)
    place.mkdir()
    (place / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match="is not a store of attributions, so it is left alone"):
        reasons.explain(run, targeting.cut(run))
    assert (place / "notes.txt").exists()


def test_two_writers_do_not_meet(run: stages.Run) -> None:
    from mpm3d.predict.store import locked

    with locked(store.place_of(run, 0)), pytest.raises(RuntimeError, match="is being written by another run"):
        reasons.explain(run, targeting.cut(run))


def test_too_many_layers_without_captum_leave_reasons_empty(
    run: stages.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explain.explainer, "MOST_LAYERS", 3)
    monkeypatch.setitem(sys.modules, "shap", None)
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    assert reasons.of(run, targeting.cut(run)) == {}
    assert "7 layers are too many to score every set of them" in run.say.text
    assert "pip install 'mpm3d[explain]'" in run.say.text


def test_without_shap_a_forest_is_explained_all_the_same(
    run: stages.Run, explained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "shap", None)
    fewer = study.ExplainTable(every=12)  # cells
    object.__setattr__(run.study, "explain", fewer)
    summary = reasons.explain(run, targeting.cut(run))
    assert "all 128 sets of them scored" in run.say.text
    one, other = attributions(run), attributions(opened(explained))
    both = ~np.isnan(one) & ~np.isnan(other)
    assert both.sum() > 100
    np.testing.assert_allclose(one[both], other[both], atol=1e-6)
    assert summary.volume.n


def test_no_background_beyond_the_stand_off_is_said(run: stages.Run) -> None:
    far = run.study.samples.model_copy(update={"stand_off": 1e6})
    run.study = run.study.model_copy(update={"samples": far})
    with pytest.raises(StudyError, match=r"lies 1e\+06 m or farther.*Lower \[samples\] stand_off"):
        subject_of(run, 0)


def test_short_axes_have_a_lattice_too() -> None:
    for shape in [(1, 9, 2), (3, 3, 3), (25, 26, 4)]:
        whole = tuple(slice(0, n) for n in shape)
        wanted = store.Wanted(shape, 4)
        found = wanted.on_lattice(whole)  # type: ignore[arg-type]
        assert found.any()
        parts = np.zeros(shape, dtype=bool)
        for cut in (slice(0, shape[1] // 2), slice(shape[1] // 2, shape[1])):
            parts[:, cut] = wanted.on_lattice((whole[0], cut, whole[2]))
        np.testing.assert_array_equal(parts, found)
        assert store.Wanted(shape, 1).on_lattice(whole).all()  # type: ignore[arg-type]


def test_blocks_are_small_and_not_too_many() -> None:
    assert store._chunk((100, 100, 100)) == (12, 12, 12)
    assert store._chunk((5, 400, 400)) == (5, 12, 12)
    for shape in [(1000, 1000, 1000), (400, 400, 400), (1, 1, 1)]:
        side = store._chunk(shape)
        assert np.prod([-(-n // s) for n, s in zip(shape, side, strict=True)]) <= 20_000


def test_a_reason_speaks_with_its_strongest_layers() -> None:
    reason = Reason(("a", "b", "c", "d", "e"), np.array([0.1, -0.3, 0.5, 0.002, 0.2]), 0.05, 64)
    assert reason.speaks_for() == [("c", 0.5), ("e", 0.2), ("a", 0.1)]
    assert reason.speaks_for(1) == [("c", 0.5)]
    assert reason.speaks_against() == [("b", -0.3)]
    assert words(reason.speaks_for(2)) == "c +0.50; e +0.20"
    nothing = Reason(("a",), np.zeros(1), 0.5, 3)
    assert nothing.speaks_for() == [] or nothing.speaks_for()[0][1] > 0
    assert words([]) == ""


def crowd(rng: np.random.Generator, n: int, layers: int) -> Crowd:
    evidence = rng.normal(size=(n, layers))
    evidence[: n // 5, 0] = np.nan
    values = rng.normal(size=(n, layers)) * 0.1
    return Crowd(values, evidence, values.sum(axis=1))


@pytest.mark.parametrize(
    ("name", "n", "layers", "in_targets"),
    [(name, *size) for name in figures.DRAWN for size in [(1, 1, 0), (60, 4, 5)]] + [("bar", 300, 25, 40)],
)
def test_pictures_are_drawn_for_few_and_many(
    tmp_path: Path, rng: np.random.Generator, name: str, n: int, layers: int, in_targets: int
) -> None:
    names = tuple(f"layer_{i}" for i in range(layers))
    crowds = {"volume": crowd(rng, n, layers), "targets": crowd(rng, in_targets, layers)}
    whole, own = Tally(layers), Tally(layers)
    whole.add(crowds["volume"].values.T)
    own.add(crowds["targets"].values.T)
    summary = Summary(names, 0.1, whole, {"T01": own}, crowds)
    look = figures.Look("dl4", {"layer_0": "A $long_ name of many words, that must be cut into lines"},
                        {"layer_0": "m"}, "exact", "A note.")  # fmt: skip
    path = figures.DRAWN[name](summary, tmp_path / f"{name}.png", look)
    assert path.stat().st_size > 10_000
    assert list(tmp_path.glob("part_*")) == []


def test_no_explained_cell_draws_nothing(tmp_path: Path, rng: np.random.Generator) -> None:
    none = Summary(("a",), 0.0, Tally(1), {}, {"volume": crowd(rng, 0, 1), "targets": crowd(rng, 0, 1)})
    for draw in figures.DRAWN.values():
        with pytest.raises(ValueError, match="no explained cell of the volume to draw"):
            draw(none, tmp_path / "x.png", figures.Look("dl4", {}, {}, "exact"))


@pytest.mark.parametrize("group", [48, 12])
def test_patches_at_borders_of_blocks_read_their_halo_from_the_cube(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, group: int
) -> None:
    """Attributions at borders of blocks, groups and chunks are those of patches read one by one."""
    from mpm3d.grid import Grid
    from mpm3d.reasons.subject import Subject
    from tests.test_explain import Toy, curved

    monkeypatch.setattr(volume, "_GROUP", group)

    grid = Grid((9, 14, 7), (50.0, 50.0, 50.0), (0.0, 0.0, 0.0), "EPSG:32651")
    layers = rng.normal(size=(3, *grid.shape)).astype(np.float32)
    layers[1, 4, 4, 4] = np.nan
    cube.create(tmp_path / "cube.zarr", grid, chunk=(4, 4, 4))
    for number, values in enumerate(layers):

        def fill(part: Grid, values: np.ndarray = values) -> np.ndarray:
            first = grid.index_of([part.first_centre[::-1]])[0]
            return values[tuple(slice(i, i + n) for i, n in zip(first, part.shape, strict=True))]

        cube.add_layer(tmp_path / "cube.zarr", str(number), fill, units="1", long_name="x")
    evidence = cube.open(tmp_path / "cube.zarr")
    toy = Toy(curved, patch_shape=(3, 3, 3))
    explainer = explain.Explainer([toy], np.zeros((1, 3, 3, 3, 3), np.float32))
    subject = Subject("toy", explainer, np.zeros((1, 3, 3, 3, 3), np.float32), {"model": "m"}, "zeros")
    cells = np.argwhere(np.ones(grid.shape))
    patches = samples.take_patches(evidence, cells, toy.layers, (3, 3, 3))
    expected = explainer.explain(patches)
    score = zarr.array(expected.score.reshape(grid.shape).astype(np.float32), chunks=(4, 4, 4))
    place = tmp_path / "attributions.zarr"
    store.prepare(place, evidence, {"model": "m"}, {"layers": list(toy.layers)})
    storage.group(place).create_array("target", shape=grid.shape, chunks=(4, 4, 4), dtype="uint16")
    whole = volume.Volume(place, score, evidence, subject, store.Wanted(grid.shape, 1), 2)
    volume._write_blocks(whole, lambda *told: None)
    found = storage.group(place, "r")["attribution"][...]
    np.testing.assert_allclose(found.reshape(3, -1).T, expected.values, atol=1e-6)
    assert len(whole._read) <= 2 * whole.workers


def test_cells_of_a_zone_do_not_count_twice_among_those_of_targets(rng: np.random.Generator) -> None:
    tallies = {"T01": Tally(2), "Z1": Tally(2)}
    for tally in tallies.values():
        tally.add(rng.normal(size=(2, 5)))
    crowds = {"volume": crowd(rng, 5, 2), "targets": crowd(rng, 5, 2)}
    summary = Summary(("a", "b"), 0.0, tallies["T01"], tallies, crowds, {"Z1"})
    assert summary.in_targets.n == 5
    np.testing.assert_array_equal(summary.in_targets.total, tallies["T01"].total)


def test_a_zone_that_was_split_speaks_from_the_lattice(explained: Path) -> None:
    run = opened(explained)
    found, values = targeting.cut(run), attributions(opened(explained))
    first = max(found.targets, key=lambda target: target.n_cells)
    zone = dataclasses.replace(first, id="Z1", kind="zone")
    cut = dataclasses.replace(found, targets=(dataclasses.replace(found.targets[-1], zone="Z1"), zone))
    wanted = store.Wanted(run.grid.shape, 4)
    lattice = wanted.on_lattice(tuple(slice(0, n) for n in run.grid.shape))  # type: ignore[arg-type]
    cells = first.cells[lattice[tuple(first.cells.T)]]
    got = reasons.of(run, cut)["Z1"]
    assert got.n_cells == len(cells) > 0
    np.testing.assert_allclose(
        got.values, values[(slice(None), *cells.T)].astype(float).mean(axis=1), atol=1e-9
    )
