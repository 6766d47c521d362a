"""The comparison of a study's models: which are compared, what is written, what their targets contain."""

from __future__ import annotations

import json
import runpy
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mpm3d import comparison, cube, stages, study, validate
from mpm3d.errors import StudyError
from mpm3d.models import KINDS
from mpm3d.run import RunFolder
from tests.conftest import BUNDLED, small_study


class Told(list[str]):
    """Everything that a run has said."""

    @property
    def text(self) -> str:
        return "\n".join(self)


def start(path: Path, told: Told, *, overwrite: bool = False) -> stages.Run:
    loaded = study.load(path)
    return stages.Run(loaded, RunFolder(loaded.run_folder, overwrite=overwrite), say=told.append)


MODELS = """[[models]]
kind = "forest"
trees = 10

[[models]]
kind = "logistic"
"""


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Told, pd.DataFrame]:
    """A small study with two fast models, validated twice over."""
    path = small_study(tmp_path_factory.mktemp("compared"))
    text = path.read_text(encoding="utf-8")
    cut = text.index("[[models]]"), text.index("[predict]")
    path.write_text(text[: cut[0]] + MODELS + text[cut[1] :], encoding="utf-8")
    told = Told()
    run = start(path, told)
    with run.folder.locked():
        table = stages.compare(run, repeats=2)
    return path, told, table


def test_the_table_has_every_scheme_and_marks_what_is_optimistic(
    compared: tuple[Path, Told, pd.DataFrame],
) -> None:
    path, told, table = compared
    assert list(table.columns) == list(validate.COLUMNS)
    assert set(table["scheme"]) == {"random", "block", "deposit", "blind"}
    assert set(table.loc[table["optimistic"], "scheme"]) == {"random"}
    spatial = table[table["scheme"].isin(["random", "block", "deposit"])]
    assert (spatial["n"] == 2).all()
    own = spatial[(spatial["metric"] == "auc") & (spatial["scheme"] == "deposit")]
    assert (own["low"] <= own["mean"]).all()
    assert (own["mean"] <= own["high"]).all()
    run = start(path, Told())
    pd.testing.assert_frame_equal(pd.read_csv(run.path("comparison.csv")), table)
    assert "random split* AUC" in told.text
    assert "left out AUC" in told.text
    assert "* optimistic: test patches share cells with training patches." in told.text


def test_deposits_have_rows_of_their_own_blind_ones_too(compared: tuple[Path, Told, pd.DataFrame]) -> None:
    path, _, table = compared
    run = start(path, Told())
    each = pd.read_csv(run.path("comparison_deposits.csv"))
    left = each[(each["scheme"] == "deposit") & (each["model"] == "forest")]
    assert set(left["deposit"]) == {"Baishi", "Donggou", "Nanpo", "Shuanghe", "Yanjia"}
    blind = each[(each["scheme"] == "blind") & (each["model"] == "forest")].set_index("deposit")
    assert dict(blind["style"]) == {"Heling": "disseminated", "Xiling": "vein"}
    assert set(blind["training_has_style"]) == {"yes"}
    means = table.set_index(["model", "scheme", "metric"])["mean"]
    assert left["auc"].mean() == pytest.approx(means["forest", "deposit", "auc"])
    assert blind["auc"].mean() == pytest.approx(means["forest", "blind", "auc"])


def test_the_json_says_how_it_was_made(compared: tuple[Path, Told, pd.DataFrame]) -> None:
    path, told, table = compared
    run = start(path, Told())
    whole = json.loads(run.path("comparison.json").read_text(encoding="utf-8"))
    assert len(whole["rows"]) == len(table)
    assert whole["rows"][0]["mean"] == table["mean"][0]
    assert whole["seed"] == 12
    assert whole["validation"]["repeats"] == {"forest": 2, "logistic": 2}
    assert whole["sizes"]["reference"] == 2000
    eligible = cube.study_volume(cube.open(run.path("cube.zarr")))
    for deposit in run.known:
        eligible[tuple(deposit.cells.T)] = False
    assert whole["sizes"]["eligible"] == eligible.sum()
    assert len(whole["folds"]) == 2 * 2 * (1 + 3 + 5)
    assert whole["optimistic"] == {"random": True, "block": False, "deposit": False}
    assert whole["shared"]["deposit"]["samples"] == whole["shared"]["block"]["samples"] == 0
    assert {row["scheme"] for row in whole["agreement"]} == {"block", "deposit"}
    assert whole["versions"]["mpm3d"]
    assert whole["words"] in told.text
    assert run.folder.facts("validate")["crossings"] == whole["crossings"]


def test_pictures_are_drawn(compared: tuple[Path, Told, pd.DataFrame]) -> None:
    folder = start(compared[0], Told()).path("figures")
    names = {"roc_random", "roc_block", "roc_deposit", "pa_curve", "capture", "reliability", "samples",
             "score_distance"}  # fmt: skip
    assert {path.stem for path in folder.glob("*.png")} == names  # no history, these models have no epochs


def test_some_models_and_schemes_can_be_compared_and_what_others_did_is_kept(
    compared: tuple[Path, Told, pd.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(compared[0].parent, tmp_path / "copy")
    told = Told()
    monkeypatch.setattr("mpm3d.comparison.figures.draw", lambda *a, **b: [])  # another test looks at them
    run = start(tmp_path / "copy" / "study.toml", told, overwrite=True)
    run.built = run.fitted = True
    kept = {path.name for path in run.path("validation").glob("logistic-*.npz")}
    assert len(kept) == 18
    table = stages.compare(run, models=["forest"], schemes=["deposit"], repeats={"forest": 1})
    assert set(table["model"]) == {"forest"}
    assert set(table["scheme"]) == {"deposit", "blind"}
    assert not run.compared
    assert "comparison.csv holds forest only; what was done of logistic is kept" in told.text
    assert {path.name for path in run.path("validation").glob("logistic-*.npz")} == kept
    before = compared[2].query("model == 'logistic'").reset_index(drop=True)
    again = start(tmp_path / "copy" / "study.toml", Told())
    monkeypatch.setattr("mpm3d.validate.work.compute", lambda *a, **b: pytest.fail("a fold was fitted again"))
    after = stages.compare(again, models=["logistic"], repeats=2)
    pd.testing.assert_frame_equal(after, before)


def test_what_cannot_be_compared_is_refused(compared: tuple[Path, Told, pd.DataFrame]) -> None:
    run = start(compared[0], Told())
    with pytest.raises(StudyError, match=r"no model 'dl4' is in the study\. It has forest, logistic; add"):
        comparison.plan(run, models=["dl4"])
    with pytest.raises(StudyError, match=r"schemes 'cubes' are not known, use any of random, block, deposit"):
        comparison.plan(run, schemes=["cubes"])
    with pytest.raises(StudyError, match=r"repeats of \{'forest': 0\} are not possible"):
        comparison.plan(run, repeats={"forest": 0})
    assert comparison.plan(run, repeats={"forest": 3}).repeats == {"forest": 3, "logistic": 1}


def test_a_scheme_that_was_asked_for_and_is_not_possible_ends_the_run_with_the_distances(
    compared: tuple[Path, Told, pd.DataFrame],
) -> None:
    run = start(compared[0], Told())
    rules = run.study.validation.model_copy(update={"buffer": 20_000.0})
    run = stages.Run(run.study.model_copy(update={"validation": rules}), run.folder)
    run.built = run.fitted = True
    with pytest.raises(ValueError, match=r"the block scheme is not possible: .* 20000 m"):
        stages.compare(run, schemes=["block"])


def test_every_kind_of_model_can_be_added_to_a_study(compared: tuple[Path, Told, pd.DataFrame]) -> None:
    loaded = study.load(compared[0])
    whole = comparison.with_every_model(loaded)
    assert [table.kind for table in whole.models[:2]] == ["forest", "logistic"]
    assert {table.kind for table in whole.models} == set(KINDS)
    assert whole.models[0] == loaded.models[0]
    assert whole.run_folder != loaded.run_folder
    network = study.NetworkTable(kind="dl4", epochs=3)
    short = comparison.with_every_model(loaded.model_copy(update={"models": [network]}))
    assert {table.epochs for table in short.models if isinstance(table, study.NetworkTable)} == {3}


def test_table_one_has_the_published_figures_beside_ours(compared: tuple[Path, Told, pd.DataFrame]) -> None:
    run = start(compared[0], Told())
    found = comparison.table_one(run, compared[2]).set_index("model")
    assert list(found.index) == ["forest", "logistic"]
    published = found.loc["forest", ["published accuracy", "published auc", "published f1"]]
    assert published.tolist() == [0.865, 0.924, 0.823]  # the paper's table
    assert np.isnan(found.loc["logistic", "published auc"])
    means = compared[2].set_index(["model", "scheme", "metric"])["mean"]
    assert found.loc["forest", "random auc (optimistic)"] == means["forest", "random", "auc"]
    for scheme in ("block", "deposit", "blind"):
        assert found.loc["logistic", f"{scheme} auc"] == means["logistic", scheme, "auc"]


def test_targets_contain_a_deposit_when_half_of_its_cells_are_among_the_best(
    compared: tuple[Path, Told, pd.DataFrame], tmp_path: Path
) -> None:
    run = start(compared[0], Told())
    place, share = tmp_path / "score.zarr", 0.1
    cube.create(place, run.grid)
    score = np.random.default_rng(4).random(run.grid.shape).astype(np.float32)
    first, second = run.blind
    score[tuple(first.cells.T)] = 2.0  # all of it among the best
    score[tuple(second.cells.T)] = -1.0
    cube.add_layer(place, "score", lambda part: score.reshape(part.shape), units="1", long_name="score")
    found = comparison.contained(run, {"forest": place}, {"forest": share}).set_index("deposit")
    assert found.loc[first.name, ["role", "inside", "contains"]].tolist() == ["blind", 1.0, "yes"]
    assert found.loc[second.name, ["role", "inside", "contains"]].tolist() == ["blind", 0.0, "no"]
    eligible = score.copy()
    for deposit in run.known:
        eligible[tuple(deposit.cells.T)] = np.nan
    threshold = np.sort(eligible[~np.isnan(eligible)])[::-1][round(share * (~np.isnan(eligible)).sum()) - 1]
    for deposit in run.known:
        expected = (score[tuple(deposit.cells.T)] >= threshold).mean()
        assert found.loc[deposit.name, "inside"] == pytest.approx(expected)
        assert found.loc[deposit.name, "role"] == "known"
    said = comparison.said_contained(found.reset_index())
    assert f"{first.name} (blind)" in said
    assert "yes (100%)" in said
    assert "Known deposits were trained on; only blind ones test a model." in said


def test_the_script_puts_table_one_and_the_targets_side_by_side(
    compared: tuple[Path, Told, pd.DataFrame],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("mpm3d.comparison.figures.draw", lambda *a, **b: [])
    script = runpy.run_path(str(BUNDLED.parents[1] / "pipelines" / "compare_models.py"))
    script["main"](compared[0], repeats=1, network_repeats=1, models="forest", runs=tmp_path)
    folder = tmp_path / "wulong_like_models"
    assert list(pd.read_csv(folder / "table_one.csv")["model"]) == ["forest"]
    inside = pd.read_csv(folder / "targets_side_by_side.csv")
    assert set(inside["deposit"]) == {table.name for table in study.load(compared[0]).deposits}
    assert (inside["contains"] == np.where(inside["inside"] >= 0.5, "yes", "no")).all()
    assert not list(folder.glob("model_dl*"))  # only what was asked for is fitted
    said = " ".join(capsys.readouterr().out.split())
    assert "Do the targets contain the deposit, and how much of it" in said
    assert "published auc" in said


def test_the_share_is_that_of_the_crossing_and_two_percent_without_one(
    compared: tuple[Path, Told, pd.DataFrame],
) -> None:
    run = start(compared[0], Told())
    where = run.folder.facts("validate")["crossings"]["forest"]
    assert comparison.shares_of(run, ["forest", "none"]) == {"forest": where["volume"], "none": 0.02}
