from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mpm3d.errors import StudyError
from mpm3d.run import RunFolder, hash_of, write_text


def test_a_stage_is_done_only_with_the_same_key_and_its_outputs(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert not folder.done("build", "k1", "cube.zarr")
    folder.finish("build", "k1", time.monotonic(), cube="abc")
    assert not folder.done("build", "k1", "cube.zarr"), "its output is missing"
    folder.path("cube.zarr").mkdir()
    assert folder.done("build", "k1", "cube.zarr")
    assert not folder.done("build", "k2", "cube.zarr")
    assert folder.facts("build")["cube"] == "abc"


def test_overwriting_does_each_stage_once(tmp_path: Path) -> None:
    RunFolder(tmp_path).finish("build", "k", time.monotonic())
    again = RunFolder(tmp_path, overwrite=True)
    assert not again.done("build", "k")
    again.finish("build", "k", time.monotonic())
    assert again.done("build", "k")


def test_a_torn_run_json_counts_as_nothing_done(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"stages": {"build"')
    assert RunFolder(tmp_path).state() == {}
    assert not RunFolder(tmp_path).done("build", "k")


def test_run_json_says_command_and_versions(tmp_path: Path) -> None:
    RunFolder(tmp_path, command=["mpm3d", "run"]).finish("fit", "k", time.monotonic())
    written = json.loads((tmp_path / "run.json").read_text())
    assert written["command"] == ["mpm3d", "run"]
    assert set(written["versions"]) >= {"mpm3d", "numpy", "torch", "zarr"}


def test_two_runs_of_one_folder_are_refused(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from mpm3d.run import RunFolder\n"
        "with RunFolder(pathlib.Path(sys.argv[1])).locked(): print('in', flush=True); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline().strip() == "in"
    with (
        pytest.raises(StudyError, match=r"another run is at work in .*Wait for it"),
        RunFolder(tmp_path).locked(),
    ):
        pass
    holder.kill()
    holder.communicate()
    with RunFolder(tmp_path).locked():  # a killed run leaves no lock behind
        logging.getLogger("mpm3d").info("here again")
    assert "here again" in (tmp_path / "log.txt").read_text()


def test_text_is_written_whole_and_hashes_do_not_depend_on_order(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "whole")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert hash_of({"a": 1, "b": 2}) == hash_of({"b": 2, "a": 1}) != hash_of({"a": 1, "b": 3})
