"""The command line: ``mpm3d <verb> study.toml``, and the scripts of ``pipelines/``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from mpm3d import __version__
from mpm3d.cli import about, files, verbs
from mpm3d.cli.talk import say

app = typer.Typer(
    name="mpm3d",
    help="Three-dimensional mineral prospectivity mapping: GoCAD and UBC models in, ranked 3D targets out.",
    epilog="Start with: mpm3d init study.toml",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_VERBS: dict[str, Callable[..., None]] = {
    "init": verbs.init, "check": verbs.check, "models": about.models, "build": verbs.build, "fit": verbs.fit,
    "validate": verbs.validate, "predict": verbs.predict, "targets": verbs.targets, "explain": verbs.explain,
    "view": verbs.view, "report": verbs.report, "run": verbs.run_all, "doctor": about.doctor,
    "inspect": files.inspect, "convert": files.convert,
}  # fmt: skip
for _name, _verb in _VERBS.items():
    app.command(_name)(_verb)


@app.callback(invoke_without_command=True)
def _main(
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    if version:
        say(__version__)
        raise typer.Exit


def script(verb: str, *, default: Path) -> None:
    """Run a verb as a script of ``pipelines/``: ``python pipelines/X.py [study.toml] [options]``.

    Parameters
    ----------
    verb : str
        A command of the command line.
    default : Path
        The study that is used where none is given.
    """
    words = sys.argv[1:]
    named = bool(words) and not words[0].startswith("-")
    app([verb, *([] if named or set(words) & {"-h", "--help"} else [str(default)]), *words])
