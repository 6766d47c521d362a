"""The command line as a user types it."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path

import pytest
from test_study import GOOD, surface_text
from typer.testing import CliRunner

import mpm3d
from mpm3d import stages
from mpm3d.cli import app, script, verbs

run = CliRunner().invoke


def test_help_names_every_verb_and_version_is_printed() -> None:
    text = run(app, ["--help"]).output
    for verb in (
        "init", "check", "models", "build", "fit", "validate", "predict", "targets", "explain", "view",
        "report", "run", "doctor", "inspect", "convert",
    ):  # fmt: skip
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


def told(monkeypatch: pytest.MonkeyPatch, stage: str) -> dict[str, object]:
    """What a stage is called with, in place of what it does."""
    said: dict[str, object] = {}
    monkeypatch.setattr(verbs, "running", lambda *words: nullcontext("the run"))
    monkeypatch.setattr(stages, stage, lambda run, **how: said.update(how))
    return said


def test_validate_takes_schemes_models_and_repeats_from_the_command_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = told(monkeypatch, "compare")
    assert run(app, ["validate", "study.toml"]).exit_code == 0
    assert said == {"full": False, "schemes": None, "models": None, "repeats": None}
    words = ["--scheme", "random, deposit", "--models", "dl4,forest", "--repeats", "10", "--full"]
    assert run(app, ["validate", "study.toml", *words]).exit_code == 0
    assert said == {
        "full": True, "schemes": ("random", "deposit"), "models": ("dl4", "forest"), "repeats": 10,
    }  # fmt: skip


def test_repeats_are_at_least_one() -> None:
    result = run(app, ["validate", "study.toml", "--repeats", "0"])
    assert result.exit_code == 2
    assert "--repeats" in result.output


def test_predict_takes_another_model_of_the_study(monkeypatch: pytest.MonkeyPatch) -> None:
    said = told(monkeypatch, "predict_volume")
    assert run(app, ["predict", "study.toml"]).exit_code == 0
    assert said["model"] == ""
    assert run(app, ["predict", "study.toml", "--model", "forest"]).exit_code == 0
    assert said["model"] == "forest"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["validate", "--scheme", "blok"], r"blok.*random.*block.*deposit"),
        (["validate", "--models", "dl9"], r"dl9.*logistic.*forest"),
        (["predict", "--model", "dl9"], r"the study has no model 'dl9', it has 'logistic', 'forest'"),
    ],
)
def test_a_name_that_is_not_known_is_told_with_those_that_are(
    tmp_path: Path, words: list[str], message: str
) -> None:
    (tmp_path / "body.ts").write_text(surface_text())
    path = tmp_path / "study.toml"
    path.write_text('models = [{ kind = "logistic" }, { kind = "forest" }]\n' + GOOD)
    result = run(app, [words[0], str(path), *words[1:]])
    assert result.exit_code == 1
    assert re.search(message, result.output), result.output
    assert not (tmp_path / "runs" / "small" / "cube.zarr").exists(), "said before any work"


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
