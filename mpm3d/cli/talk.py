"""What every verb needs: the console, a progress bar, and words for what goes wrong."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

# Read by OpenMP when torch loads: threads that sleep while they wait leave the machine to other work.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if TYPE_CHECKING:
    from mpm3d.point_study import PointRun
    from mpm3d.stages import Run

console = Console(soft_wrap=True)
log = logging.getLogger("mpm3d")

StudyPath = Annotated[Path, typer.Argument(help="The study, a TOML file.", metavar="STUDY.TOML")]
Runs = Annotated[Path | None, typer.Option(help="Where run folders go. Default: runs/ beside the study.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Do again what an earlier run has finished.")]


def say(text: str) -> None:
    """Print a sentence and put it into the log."""
    log.info(text)
    console.print(text, highlight=False, markup=False)
    console.file.flush()  # a log that is followed shows each line when it is said


@contextmanager
def bar(label: str) -> Iterator[Callable[..., None]]:
    """A progress bar with the time left, on a terminal; a line with the time taken in the log."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("elapsed"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[words]}"),
    )  # fmt: skip
    started = time.monotonic()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(label, total=None, words="")
        yield lambda done, total, words="": progress.update(task, completed=done, total=total, words=words)
    log.info("%s took %.1f s", label, time.monotonic() - started)


@contextmanager
def plainly() -> Iterator[None]:
    """Say what is wrong in sentences, without a traceback; Ctrl-C keeps what is finished."""
    try:
        yield
    except KeyboardInterrupt:
        console.print(
            "\nStopped. What was finished is kept, the same command goes on from there.", style="bold"
        )
        raise typer.Exit(130) from None
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        from mpm3d.io.options import as_flags

        for line in as_flags(str(error)).splitlines() or [type(error).__name__]:
            console.print(f"error: {line}", style="bold red", highlight=False, markup=False)
        raise typer.Exit(1) from None


@contextmanager
def running(path: Path, runs: Path | None, overwrite: bool) -> Iterator[Run]:
    """A checked study on a grid with its run folder held."""
    with plainly():
        from mpm3d import stages, study
        from mpm3d.run import RunFolder

        loaded = study.load(path, runs=runs)
        folder = RunFolder(loaded.run_folder, command=sys.argv, overwrite=overwrite)
        with folder.locked():
            yield stages.Run(loaded, folder, say=say, bar=bar)


@contextmanager
def running_points(path: Path, runs: Path | None, overwrite: bool) -> Iterator[PointRun | None]:
    """A checked study of a table of points with its run folder held; None if the study is on a grid."""
    with plainly():
        from mpm3d import point_study, study
        from mpm3d.run import RunFolder

        if not path.is_file() or not study.is_of_points(path):
            yield None
            return
        loaded = study.load_points(path, runs=runs)
        folder = RunFolder(loaded.run_folder, command=sys.argv, overwrite=overwrite)
        with folder.locked():
            yield point_study.PointRun(loaded, folder, say=say, bar=bar)


def command() -> str:
    """What to type to get here again: the script where it is on the path, else the interpreter."""
    if shutil.which("mpm3d"):
        return "mpm3d"
    python = Path(sys.executable)
    return f"{python.relative_to(Path.cwd()) if python.is_relative_to(Path.cwd()) else python} -m mpm3d"
