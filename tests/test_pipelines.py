"""Each script of ``pipelines/`` and the lesson, as a user runs them, on a small district."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mpm3d
from tests.conftest import BUNDLED, small_study

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


@pytest.mark.render
def test_predict_volume_does_everything_and_says_where_it_is(tmp_path: Path, render: None) -> None:
    study = small_study(tmp_path)
    text = call("predict_volume.py", study)
    runs = tmp_path / "runs" / "wulong_like"
    for name in ("targets.csv", "targets.ts", "prospectivity.vo", "comparison.csv", "figures/targets.png"):
        assert str(runs / name) in text
        assert (runs / name).stat().st_size > 0
    assert ", the best first:" in text
    assert f"mpm3d view {study}" in text
    assert "not a resource estimate" in text
    picture = tmp_path / "other.png"
    call("view_targets.py", study, "--picture", picture)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_package_is_a_command_too() -> None:
    command = [sys.executable, "-m", "mpm3d", "--version"]
    assert (
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        == mpm3d.__version__
    )


@pytest.mark.slow
@pytest.mark.render
def test_the_lesson_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, render: None) -> None:
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.setenv("MPM3D_LESSON_STUDY", str(small_study(tmp_path)))
    lesson = nbformat.read(ROOT / "notebooks" / "01_from_gocad_to_targets.ipynb", as_version=4)
    nbclient.NotebookClient(
        lesson, timeout=600, resources={"metadata": {"path": str(ROOT / "notebooks")}}
    ).execute()
    text = "".join(o.get("text", "") for cell in lesson.cells for o in cell.get("outputs", []))
    assert "share cells with training patches" in text
