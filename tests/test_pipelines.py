"""Each script of ``pipelines/`` and each lesson, as a user runs them, on a small district."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import mpm3d
from tests.conftest import BUNDLED, map_study, small_study

ROOT = BUNDLED.parents[1]


def call(script: str, *words: str | Path) -> str:
    """Standard output of a script, which must succeed."""
    command = [sys.executable, str(ROOT / "pipelines" / script), *map(str, words)]
    result = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"})
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_scripts_go_from_files_to_targets_stage_by_stage(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    assert "7 layers" in call("build_cube.py", study)
    assert "dl1: fitted on" in call("fit_model.py", study)
    text = call("delineate_targets.py", study)
    assert "cells scored" in text
    runs = tmp_path / "runs" / "wulong_like"
    for name in (
        "cube.zarr",
        "model/model.json",
        "prospectivity.zarr",
        "comparison.csv",
        "targets.csv",
        "targets.ts",
    ):
        assert (runs / name).exists(), name
    text = call("explain_scores.py", study)
    assert "Shapley" in text
    assert (runs / "attributions.csv").exists()
    assert "report.html" in call("report.py", study)


@pytest.mark.render
def test_predict_volume_does_everything_and_says_where_it_is(tmp_path: Path, render: None) -> None:
    study = small_study(tmp_path)
    text = call("predict_volume.py", study)
    runs = tmp_path / "runs" / "wulong_like"
    for name in (
        "targets.csv",
        "targets.ts",
        "prospectivity.vo",
        "comparison.csv",
        "figures/targets.png",
        "report.html",
    ):
        assert str(runs / name) in text
        assert (runs / name).stat().st_size > 0
    assert ", the best first:" in text
    assert f"mpm3d view {study}" in text
    assert "not a resource estimate" in text
    picture = tmp_path / "other.png"
    call("view_targets.py", study, "--picture", picture)
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_models_are_compared_on_districts_between_a_ceiling_and_a_floor(tmp_path: Path) -> None:
    words = ["--seeds", "5", "--spacing", "250", "--patches", "100", "--background", "500"]
    words += ["--models", "rule,shuffled,logistic,dl1", "--baseline", "logistic"]
    words += ["--work", str(tmp_path / "work"), "--results", str(tmp_path / "results")]
    text = call("compare_districts.py", *words)
    assert "left-out style" in text
    table = pd.read_csv(tmp_path / "results" / "comparison.csv").set_index(["scheme", "model", "metric"])
    for scheme in ("left-out deposit", "left-out style", "blind deposit"):
        rule, floor, logistic = (
            table.loc[(scheme, model, "auc"), "mean"] for model in ("rule", "shuffled", "logistic")
        )
        assert rule > logistic > floor
        assert rule > 0.9
        assert table.loc[(scheme, "logistic", "auc"), "minus logistic"] == 0
    each = pd.read_csv(tmp_path / "results" / "deposits.csv")
    assert set(each.groupby(["model", "scheme"])["deposit"].count()) == {5, 2}
    before = sorted((tmp_path / "work").rglob("*.json"))
    stamps = [place.stat().st_mtime_ns for place in before]
    call("compare_districts.py", *words)  # finished work is used as it is
    assert [place.stat().st_mtime_ns for place in before] == stamps


def test_the_package_is_a_command_too() -> None:
    command = [sys.executable, "-m", "mpm3d", "--version"]
    assert (
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        == mpm3d.__version__
    )


def small_map(folder: Path) -> Path:
    """The bundled map on 1 km cells, with the layers that the lesson names."""
    settings = "[samples]\nnegatives_per_positive = 20\npool = 1500\nbackground = 1000\n"
    layers = ("magnetics", "gravity", "thorium", "k_th", "granite_distance", "noise")
    return map_study(folder, settings=settings, layers=layers)


@pytest.mark.slow
@pytest.mark.render
@pytest.mark.parametrize(
    ("name", "variable", "small", "said"),
    [
        ("01_from_gocad_to_targets", "STUDY", small_study, "share cells with training patches"),
        ("02_from_rasters_to_an_explained_map", "MAP", small_map, "explain devnet: mean absolute"),
    ],
    ids=["volume", "map"],
)
def test_each_lesson_runs(
    name: str,
    variable: str,
    small: Callable[[Path], Path],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    render: None,
) -> None:
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.setenv(f"MPM3D_LESSON_{variable}", str(small(tmp_path)))
    lesson = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in lesson.cells), "lessons are kept without outputs"
    nbclient.NotebookClient(
        lesson, timeout=600, resources={"metadata": {"path": str(ROOT / "notebooks")}}
    ).execute()
    text = "".join(o.get("text", "") for cell in lesson.cells for o in cell.get("outputs", []))
    assert said in text
