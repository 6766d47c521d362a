"""From a scored volume to a table with reasons and drillholes: where targets begin, and what is said."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mpm3d import companions, cube, evaluate, handover, reasons, study, targeting
from mpm3d.companions.best import youden_volume
from mpm3d.drilling import NoHole
from mpm3d.reasons import Reason
from mpm3d.study import TargetsTable
from mpm3d.targets import delineate
from mpm3d.work import Run
from tests.conftest import small_study
from tests.test_targets import dataset, low, share_of


def run_with(tmp_path, table, *, ranks=None, crossing=None):
    """As much of a run as `best_share` looks at: one forest, validated or not."""
    model = study.ForestTable(kind="forest")
    if ranks:
        text = json.dumps({"ranks": {"forest": ranks}, "settings": {"forest": model.model_dump(mode="json")}})
        (tmp_path / "comparison.json").write_text(text)
    facts = {"crossings": {"forest": crossing}} if crossing else {}
    return SimpleNamespace(
        study=SimpleNamespace(targets=table, models=[model]), path=tmp_path.joinpath,
        folder=SimpleNamespace(facts=lambda stage: facts),
        known=[SimpleNamespace(name=name) for name in ranks or ()],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("table", "share", "words"),
    [
        (TargetsTable(share=0.05), 0.05, "the study asks for a share of 0.05"),
        (TargetsTable(percentile=98), 0.02, "the study asks for percentile 98 of the scores"),
        (TargetsTable(), 0.1, "the P-A curve of left-out deposits crosses at 10.00% of the volume with 90%"),
        (TargetsTable(rule="youden"), 0.2, "Youden's index of left-out deposits is largest at 20.00% of the"),
    ],
)
def test_where_targets_begin_is_what_the_study_says_or_left_out_deposits(tmp_path, table, share, words):
    ranks = {"A": [0.1, 0.2], "B": [0.2, 0.9]}
    run = run_with(tmp_path, table, ranks=ranks, crossing={"volume": 0.1, "captured": 0.9})
    found = companions.best_share(run)
    assert found.share == share
    assert found.words.startswith(words)


def test_without_left_out_deposits_the_best_two_per_cent_are_taken_and_it_is_said(tmp_path):
    found = companions.best_share(run_with(tmp_path, TargetsTable()))
    assert (found.share, found.words[:26]) == (0.02, "there is no P-A crossing t")
    youden = TargetsTable(rule="youden")
    found = companions.best_share(run_with(tmp_path, youden))
    assert (found.share, found.words[:26]) == (0.02, "no deposit was left out to")
    found = companions.best_share(run_with(tmp_path, youden, ranks={"A": [0.9, 1.0]}))
    assert found.share == 0.02
    assert found.words.startswith("Youden's index of left-out deposits says nothing (0% captured in 0%")


def test_ranks_of_other_settings_do_not_count(tmp_path):
    run = run_with(tmp_path, TargetsTable(rule="youden"), ranks={"A": [0.1]})
    run.study.models[0] = study.ForestTable(kind="forest", trees=5)
    assert companions.best_share(run).words.startswith("no deposit was left out")
    (tmp_path / "comparison.json").write_text('{"ranks": ')  # torn
    assert companions.best_share(run).share == 0.02


def test_the_volume_of_youden_is_that_of_the_threshold_of_evaluate(rng):
    for _ in range(20):
        ranks = {name: rng.integers(0, 100, 7) / 100 for name in "AB"}  # as many cells of each
        volume, captured = youden_volume(ranks)
        pooled = np.concatenate(list(ranks.values()))
        # rank r has a share r of the volume at or above it: cells of the reference between the ranks
        threshold = evaluate.youden(-pooled, -(np.arange(100) + 0.5) / 100)
        assert volume == pytest.approx(-threshold)
        assert captured == pytest.approx((pooled <= volume).mean())


def tabled(rng):
    score = low(rng)
    score[2:4, 3:6, 7:9] = 0.9
    score[8, 0, 0:2] = 0.8
    found = delineate(dataset(score), {"A": [[8, 10, 12]]}, share=share_of(14))
    why = {"T01": Reason(("density", "fault"), np.array([-0.03, 0.2]), 0.1, 12)}
    return found, targeting.table_of(found, why, {"T02": NoHole("too deep", "T02")})


def test_the_table_ends_with_reasons_and_holes_and_is_empty_where_there_are_none(rng):
    found, table = tabled(rng)
    assert list(table.columns[:6]) == ["id", "rank", "x", "y", "elevation", "volume_m3"]
    assert list(table.columns[-4:]) == ["reasons_for", "reasons_against", "hole", "hole_note"]
    assert table["reasons_for"].tolist() == ["fault +0.20", ""]
    assert table["reasons_against"].tolist() == ["density -0.03", ""]
    assert table["hole"].tolist() == ["", ""]
    assert table["hole_note"].tolist() == ["", "too deep"]
    assert table["ranking"].tolist() == [target.ranking for target in found.targets]


def test_the_best_targets_are_printed_one_a_line_with_zones_below(rng):
    _, table = tabled(rng)
    text = targeting.best_of(table)
    head, columns, first, second = text.strip().splitlines()
    assert head == "2 targets, the best first:"
    assert columns.split("  ")[0] == "id"
    # 12 cells of 25,000 m3; the nearest to ore lies 250, 125 and 80 m from it along z, y, x
    ranking = f"{table['ranking'][0]:.2f}"
    assert first.split() == ["T01", "new", ranking, "0.30", "250", "291", "fault", "+0.20", "none"]
    assert second.split()[:4] == ["T02", "new", f"{table['ranking'][1]:.2f}", "0.05"]
    many = pd.concat([table.head(1)] * 10 + [table.tail(1).assign(id="Z1", kind="zone", distance_m=math.nan)])
    lines = targeting.best_of(many).strip().splitlines()
    assert lines[0] == "10 targets and 1 zone, the best first:"
    assert lines[-2].split()[0] == "Z1"
    assert lines[-1] == "2 more are in targets.csv."
    assert targeting.best_of(table.head(0)) == "no target was found."


@pytest.fixture
def scored(tmp_path, monkeypatch):
    """A small study whose volume is scored by hand; reasons, which take a model, are left out."""
    monkeypatch.setattr(reasons, "of", lambda run, found: {})

    def make(targets):
        path = small_study(tmp_path)
        text = path.read_text(encoding="utf-8")
        path.write_text(text[: text.index("[targets]")] + f"[targets]\n{targets}\n", encoding="utf-8")
        told = []
        run = Run(study.load(path), say=told.append)
        run.folder.place.mkdir(parents=True, exist_ok=True)
        score = np.random.default_rng(0).random(run.grid.shape) * 0.1
        score[20:23, 5:8, 5:9] = 0.9
        score[2:5, 3:6, 20:23] = 0.7
        ds = dataset(score, run.grid, (10, 10, 10), extrapolation=np.ones(run.grid.shape))
        ds.to_zarr(run.path("prospectivity.zarr"), zarr_format=3, consolidated=False)
        return run, told

    return make


def test_targets_are_cut_written_and_said_with_their_share(scored):
    run, told = scored("value = 0.7\nmin_volume = 0.0")
    found = targeting.delineate(run)
    assert not targeting.needs_validation(run)
    known = set(map(tuple, np.concatenate([deposit.cells for deposit in run.known]).tolist()))
    with cube.open(run.path("prospectivity.zarr")) as ds:
        inside = [tuple(cell) for cell in np.argwhere(ds["score"].values >= np.float32(0.7)).tolist()]
    share = sum(cell not in known for cell in inside) / (run.grid.n_cells - len(known))
    words = f"so the best {share:.2%} of the eligible cells are in, those with a score of 0.7 or more."
    assert any(
        line.startswith("targets: the study asks for scores of 0.7 and above, ") and line.endswith(words)
        for line in told
    )
    written = pd.read_csv(run.path("targets.csv"))
    assert written["id"].tolist() == [target.id for target in found.targets]
    assert written["extrapolated"].tolist() == [1.0] * len(found.targets)
    assert written["reasons_for"].isna().all()
    facts = run.folder.facts("targets")
    assert facts["threshold"] == float(np.float32(0.7))
    assert facts["n"] == len(found.targets)
    assert sum(facts["weights"].values()) == pytest.approx(1)
    assert "the best first:" in told[-1]


def test_a_study_whose_bodies_are_all_too_small_has_an_empty_table_and_a_sentence(scored):
    run, told = scored("value = 0.7\nmin_volume = 1e12")
    found = targeting.delineate(run)
    assert found.targets == ()
    assert any("no target is left: the largest body has 2.88e+08 m3" in line for line in told)
    assert told[-1] == "no target was found."
    table = pd.read_csv(run.path("targets.csv"))
    assert len(table) == 0
    assert list(table.columns[:3]) == ["id", "rank", "x"]


def test_a_value_above_every_score_is_refused_and_nothing_is_written(scored):
    run, _ = scored("value = 0.95")
    with pytest.raises(ValueError, match=r"no cell scores 0\.95 or more, the highest score of the volume is"):
        targeting.delineate(run)
    assert not any(run.path(name).exists() for name in handover.FILES)
