"""The verbs that say what there is: the models, and this installation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mpm3d.cli.talk import Runs, plainly, say


def models(
    study: Annotated[
        Path | None, typer.Argument(help="The study; without one, all models.", metavar="[STUDY.TOML]")
    ] = None,
    runs: Runs = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """List the models: what each is, its settings, its size and cost, and what was published of it."""
    with plainly():
        from mpm3d import catalogue

        entries = catalogue.of_study(study, runs=runs) if study else catalogue.of_all()
        if as_json:
            typer.echo(json.dumps(catalogue.as_dict(entries), indent=2, allow_nan=False))
        else:
            for line in catalogue.lines(entries):
                say(line)


def doctor() -> None:
    """Say what this installation can do and what is missing."""
    with plainly():
        from mpm3d import stages

        for line in stages.doctor():
            say(line)
