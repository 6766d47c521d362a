"""The command line as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

import mpm3d
from mpm3d.cli import app, script

run = CliRunner().invoke


def test_help_names_every_verb_and_version_is_printed() -> None:
    text = run(app, ["--help"]).output
    for verb in ("init", "build", "fit", "validate", "predict", "targets", "view", "run", "doctor"):
        assert verb in text
        assert run(app, [verb, "--help"]).exit_code == 0
    assert run(app, ["--version"]).output.strip() == mpm3d.__version__


def test_init_writes_a_commented_study_once(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    assert run(app, ["init", str(path)]).exit_code == 0
    assert "# Evidence layers." in path.read_text()
    again = run(app, ["init", str(path)])
    assert again.exit_code == 1
    assert "exists already" in again.output


def test_problems_are_sentences_without_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text('name = "x"\n')
    result = run(app, ["run", str(path)])
    assert result.exit_code == 1
    assert "error: 'grid' is missing. Add it." in result.output
    assert "error: 'layers' is missing. Add it." in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "runs").exists(), "nothing is made before the study is sound"


def test_a_study_that_is_not_there_is_told() -> None:
    result = run(app, ["build", "nowhere.toml"])
    assert result.exit_code == 1
    assert "nowhere.toml is not a file" in result.output


def test_stopping_says_that_finished_work_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mpm3d import study

    def stop(*args: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(study, "load", stop)
    result = run(app, ["build", str(tmp_path / "study.toml")])
    assert result.exit_code == 130
    assert "What was finished is kept" in result.output


def test_a_script_takes_the_default_study_where_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["build_cube.py", "--overwrite"])
    with pytest.raises(SystemExit):
        script("build", default=tmp_path / "default.toml")
    assert "default.toml is not a file" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["build_cube.py", str(tmp_path / "mine.toml")])
    with pytest.raises(SystemExit):
        script("build", default=tmp_path / "default.toml")
    assert "mine.toml is not a file" in capsys.readouterr().out
