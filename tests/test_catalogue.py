"""What `mpm3d models` lists."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from test_study import GOOD, surface_text
from typer.testing import CliRunner

from mpm3d import catalogue, fit, models
from mpm3d.cli import app

run = CliRunner().invoke
EVERY = {entry.kind: entry for entry in catalogue.of_all()}


def test_every_model_is_listed_once_with_a_line_and_its_settings() -> None:
    assert tuple(EVERY) == models.KINDS
    for entry in EVERY.values():
        assert entry.what
        assert entry.what[0].islower() or entry.what.startswith("RCNN")
        assert entry.settings["members"] == 1
        assert "kind" not in entry.settings


def test_parameters_and_operations_are_those_of_a_count_by_hand() -> None:
    """Parameters of science.md A, true 3D on 7 layers; operations from the sizes of the convolutions."""
    counts = {"dl1": 692_610, "dl2": 1_372_930, "dl3": 706_634, "dl4": 1_400_978}
    assert {kind: EVERY[kind].parameters for kind in counts} == counts
    cells, taps = 27, 27
    block = taps * 64 * 128 + taps * 128 * 128 + 128 * 64 + 128 * 64
    for kind, blocks in (("dl1", 1), ("dl2", 2)):
        convolutions = cells * (taps * 7 * 64 + blocks * block)
        assert EVERY[kind].operations == 2 * (convolutions + 64 * 2)
    assert EVERY["devnet"].operations == 2 * sum(a * b for a, b in pairwise((7, 200, 80, 20, 1)))


def test_what_trees_and_tables_cost_is_counted_by_their_settings() -> None:
    said = {kind: (EVERY[kind].operations, EVERY[kind].counted) for kind in ("forest", "boosting", "pu")}
    assert said["forest"] == (77 * 7, "comparisons")
    boosting = EVERY["boosting"].settings
    assert said["boosting"] == (boosting["iterations"] * boosting["depth"], "comparisons")
    assert said["pu"] == (20 * 77 * 7, "comparisons")
    assert (EVERY["logistic"].parameters, EVERY["logistic"].operations) == (8, 14)
    assert (EVERY["weights"].operations, EVERY["weights"].counted) == (7, "look-ups")


def test_published_figures_stand_beside_ours_and_nowhere_else() -> None:
    """Parameters, FLOPs, accuracy, AUC and F1 of science.md A."""
    told = {kind: tuple(entry.published.values()) for kind, entry in EVERY.items() if entry.published}
    assert told == {
        "forest": (None, 58_905, 0.865, 0.924, 0.823),
        "dl1": (242_178, 4_307_584, 0.921, 0.943, 0.861),
        "dl2": (480_130, 8_583_808, 0.941, 0.965, 0.889),
        "dl3": (270_410, 4_479_872, 0.935, 0.958, 0.881),
        "dl4": (536_594, 8_928_384, 0.962, 0.981, 0.917),
    }


def test_the_list_says_what_the_published_figures_are_worth() -> None:
    text = run(app, ["models"]).output
    dl4 = next(line for line in text.splitlines() if line.startswith("dl4 "))
    assert dl4.split() == [
        "dl4", "1,400,978", f"{EVERY['dl4'].operations:,}", "FLOPs", "|",
        "536,594", "8,928,384", "0.962", "0.981", "0.917",
    ]  # fmt: skip
    assert "3x3 kernels" in text
    assert "random split of overlapping patches, which is optimistic" in text
    assert 'base = { kind = "forest", members = 1' in text
    assert "prior = not set" in text
    rows = [line for line in text.splitlines() if " | " in line and not line.startswith("model ")]
    assert [row.split()[0] for row in rows] == list(models.KINDS)


def _study(folder: Path) -> Path:
    (folder / "body.ts").write_text(surface_text())
    path = folder / "study.toml"
    path.write_text(
        'models = [{ kind = "logistic", shrinkage = 2.0 }, { kind = "forest", trees = 3 }]\n' + GOOD
    )
    return path


def _fit(kind: str, place: Path) -> None:
    labels = np.arange(20) % 2
    patches = labels.reshape(-1, 1, 1, 1, 1).astype(np.float32)
    model = models.make(kind, ["fault_distance"]).fit(patches, labels, rng=np.random.default_rng(0))
    fitted = fit.Fitted(model, 0, ("A", "B"), "", 10, 1000, seconds=2.4, note="All went well.")
    fit.save_members(place, [fitted], {})


def test_a_study_lists_its_own_models_and_what_they_were_fitted_on(tmp_path: Path) -> None:
    path = _study(tmp_path)
    _fit("logistic", tmp_path / "runs" / "small" / "model")
    logistic, forest = catalogue.of_study(path)
    assert (logistic.settings["shrinkage"], logistic.parameters) == (2.0, 2)
    (member,) = logistic.fitted
    assert (member["trained_on"], member["n_positive"], member["n_negative"]) == (["A", "B"], 10, 1000)
    assert (forest.settings["trees"], forest.fitted) == (3, ())
    text = run(app, ["models", str(path)]).output
    assert "fitted on 10 deposit cells (A, B) and 1,000 negatives in 2 s. All went well." in text
    assert "boosting" not in text


def test_a_model_of_another_kind_in_the_folder_is_not_taken_for_it(tmp_path: Path) -> None:
    _fit("forest", tmp_path / "runs" / "small" / "model")
    assert all(not entry.fitted for entry in catalogue.of_study(_study(tmp_path)))


def test_the_list_is_json_too(tmp_path: Path) -> None:
    found = json.loads(run(app, ["models", "--json"]).output)
    assert [entry["kind"] for entry in found["models"]] == list(models.KINDS)
    assert found["notes"] == list(catalogue.NOTES)
    found = json.loads(run(app, ["models", str(_study(tmp_path)), "--json"]).output)
    assert [entry["kind"] for entry in found["models"]] == ["logistic", "forest"]
    assert found["models"][1]["settings"]["trees"] == 3


def test_looking_leaves_no_run_folder_and_a_wrong_study_is_told(tmp_path: Path) -> None:
    assert run(app, ["models", str(_study(tmp_path))]).exit_code == 0
    assert not (tmp_path / "runs").exists()
    wrong = run(app, ["models", str(tmp_path / "none.toml")])
    assert wrong.exit_code == 1
    assert "none.toml is not a file" in wrong.output


@pytest.mark.parametrize("n_layers", [1, 12])
def test_sizes_follow_the_layers(n_layers: int) -> None:
    found = {entry.kind: entry for entry in catalogue.of_all(n_layers)}
    assert found["logistic"].parameters == n_layers + 1
    seven = EVERY["dl2"].parameters or 0
    assert found["dl2"].parameters == seven + (n_layers - 7) * 27 * 64
