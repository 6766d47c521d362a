"""Reading a study, and everything that is wrong with it at once."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mpm3d.errors import StudyError
from mpm3d.study.checks import contents_wrong, valid
from mpm3d.study.tables import Study
from mpm3d.study.words import sentence, unset_variable


def template() -> str:
    """A commented ``study.toml`` to start from."""
    return resources.files("mpm3d").joinpath("template.toml").read_text(encoding="utf-8")


def load(path: str | Path, *, runs: str | Path | None = None) -> Study:
    """Read and check a ``study.toml`` and every file it names, before any work.

    Parameters
    ----------
    path : str or Path
        The file. Paths in it are relative to its folder; ``${NAME}`` is an environment variable.
    runs : str or Path, optional
        Where run folders go, ``runs`` beside the study if not given.

    Returns
    -------
    Study

    Raises
    ------
    StudyError
        With one sentence for each problem, all at once.
    """
    study, problems = examine(path, runs=runs)
    if problems or study is None:
        raise StudyError(problems)
    return study


def examine(path: str | Path, *, runs: str | Path | None = None) -> tuple[Study | None, list[str]]:
    """Read a ``study.toml`` as far as it goes, and say everything that is wrong with it.

    Parameters
    ----------
    path, runs
        As in `load`.

    Returns
    -------
    study : Study or None
        Without the layers, deposits and other tables that are wrong; None if too little is left.
    problems : list of str
        A sentence each.

    Raises
    ------
    StudyError
        If there is no such file, or it is not TOML.
    """
    place = Path(path)
    table, problems = read_text(place)
    if "table" in table:
        raise StudyError(
            f"{place.name} is a study of a table of points ([table]), which has no grid to work on. It can "
            "be checked, validated, fitted, and its rows scored: mpm3d check, validate, fit and predict."
        )
    study: Study | None
    try:
        study = Study.model_validate({**table, **here(place, runs)})
    except ValidationError as error:
        problems += [sentence(one, table) for one in error.errors()]
        study = valid(Study, {**_without(table, error), **here(place, runs)})
    problems += contents_wrong(table, place.resolve().parent)
    return study, list(dict.fromkeys(problems))


def read_text(place: Path) -> tuple[dict[str, Any], list[str]]:
    """What a ``study.toml`` says, with variables of the environment put in, and a sentence on each problem.

    Raises
    ------
    StudyError
        If there is no such file, or it is not TOML.
    """
    if not place.is_file():
        raise StudyError(f"{place} is not a file. `mpm3d init {place}` writes a study to start from.")
    try:
        raw = tomllib.loads(place.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StudyError(f"{place.name} is not TOML: {error}.") from error
    unset: dict[str, list[str]] = {}
    table = _expand(raw, unset, "")
    problems = [unset_variable(name, places) for name, places in unset.items()]
    reserved = [key for key in ("folder", "runs") if key in table]
    problems += [f"{key!r} is not a key of study.toml. Remove it." for key in reserved]
    return table, problems


def here(place: Path, runs: str | Path | None) -> dict[str, Path]:
    """Where a study lies, and where its run folders go."""
    folder = place.resolve().parent
    return {"folder": folder, "runs": Path(runs).resolve() if runs else folder / "runs"}


def _without(table: Mapping[str, Any], error: ValidationError) -> dict[str, Any]:
    """The tables of a study without those, and those of a list, in which something is wrong."""
    wrong = {tuple(one["loc"][:2]) for one in error.errors()}
    left: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, list):
            left[key] = [item for number, item in enumerate(value) if (key, number) not in wrong]
        elif key in ("grid", "name") or key not in {where[0] for where in wrong}:
            left[key] = value
    return left


def _expand(value: Any, unset: dict[str, list[str]], key: str) -> Any:
    """Replace ``${NAME}`` in every string; where a variable is not set is noted by its name."""
    if isinstance(value, dict):
        return {k: _expand(v, unset, f"{key}.{k}" if key else k) for k, v in value.items()}
    if isinstance(value, list):
        return [_expand(v, unset, f"{key}[{i}]") for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replacement(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in os.environ:
            unset.setdefault(name, []).append(f"{key} = {value!r}")
        return os.environ.get(name, match.group(0))

    return re.sub(r"\$\{(\w+)\}", replacement, value)
