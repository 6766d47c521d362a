"""The command line: ``mpm3d <verb> study.toml``, and the scripts of ``pipelines/``."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
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

from mpm3d import __version__

# Read by OpenMP when torch loads: threads that sleep while they wait leave the machine to other work.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if TYPE_CHECKING:
    from mpm3d.stages import Run

app = typer.Typer(
    name="mpm3d",
    help="Three-dimensional mineral prospectivity mapping: GoCAD and UBC models in, ranked 3D targets out.",
    epilog="Start with: mpm3d init study.toml",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
console = Console(soft_wrap=True)
log = logging.getLogger("mpm3d")

StudyPath = Annotated[Path, typer.Argument(help="The study, a TOML file.", metavar="STUDY.TOML")]
Runs = Annotated[Path | None, typer.Option(help="Where run folders go. Default: runs/ beside the study.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Do again what an earlier run has finished.")]


def _say(text: str) -> None:
    log.info(text)
    console.print(text, highlight=False, markup=False)
    console.file.flush()  # a log that is followed shows each line when it is said


@contextmanager
def _bar(label: str) -> Iterator[Callable[..., None]]:
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
def _plainly() -> Iterator[None]:
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
def _run(path: Path, runs: Path | None, overwrite: bool) -> Iterator[Run]:
    """A checked study with its run folder held."""
    with _plainly():
        from mpm3d import stages, study
        from mpm3d.run import RunFolder

        loaded = study.load(path, runs=runs)
        folder = RunFolder(loaded.run_folder, command=sys.argv, overwrite=overwrite)
        with folder.locked():
            yield stages.Run(loaded, folder, say=_say, bar=_bar)


@app.command()
def init(path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("study.toml")) -> None:
    """Write a commented study.toml to start from."""
    with _plainly():
        from mpm3d import study

        if path.exists():
            raise FileExistsError(f"{path} exists already. Give another name, or delete it first.")
        path.write_text(study.template(), encoding="utf-8")
    _say(f"Wrote {path}. Put in your files, then: mpm3d run {path}")


@app.command()
def check(
    study: StudyPath,
    runs: Runs = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail if there is any warning.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Look at everything the study names, built or not, and say what seems wrong."""
    with _plainly():
        from mpm3d import checking

        found = checking.check_study(study, runs=runs)
        if as_json:
            typer.echo(json.dumps(found.as_dict(), indent=2, allow_nan=False))
        else:
            for line in checking.lines(found):
                _say(line)
    if strict and found.findings:
        raise typer.Exit(1)


@app.command()
def build(study: StudyPath, runs: Runs = None, overwrite: Overwrite = False) -> None:
    """Build the evidence cube: only layers that are missing or whose files have changed."""
    from mpm3d import stages

    with _run(study, runs, overwrite) as run:
        stages.build(run)


@app.command()
def fit(study: StudyPath, runs: Runs = None, overwrite: Overwrite = False) -> None:
    """Fit the models of the study on all known deposits."""
    from mpm3d import stages

    with _run(study, runs, overwrite) as run:
        stages.fit_models(run)


@app.command()
def validate(
    study: StudyPath,
    runs: Runs = None,
    overwrite: Overwrite = False,
    full: Annotated[bool, typer.Option("--full", help="Rank against every cell, not a sample.")] = False,
) -> None:
    """Compare the models: the published random split beside leaving whole deposits out."""
    from mpm3d import stages

    with _run(study, runs, overwrite) as run:
        stages.compare(run, full=full)


@app.command()
def predict(
    study: StudyPath,
    runs: Runs = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="So many processes; with --threads, threads.", metavar="N")
    ] = None,
    processes: Annotated[
        bool | None,
        typer.Option("--processes/--threads", help="What workers are on this machine.", show_default=False),
    ] = None,
    scheduler: Annotated[
        str, typer.Option(help="Score on the workers of a dask cluster.", metavar="tcp://HOST:PORT")
    ] = "",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Score again from the first block; the model is kept.")
    ] = False,
) -> None:
    """Score the whole volume block by block; an interrupted run goes on where it stopped."""
    from mpm3d import stages

    if processes is None and workers is not None and not scheduler:
        processes = workers > 1
    with _run(study, runs, False) as run:
        stages.predict_volume(
            run, workers=workers, processes=processes, scheduler=scheduler, overwrite=overwrite
        )


@app.command()
def targets(study: StudyPath, runs: Runs = None, overwrite: Overwrite = False) -> None:
    """Delineate and rank 3D targets, after whatever has to be done before."""
    from mpm3d import stages

    with _run(study, runs, overwrite) as run:
        stages.delineate(run)


@app.command()
def view(
    study: StudyPath,
    runs: Runs = None,
    picture: Annotated[Path | None, typer.Option(help="Draw a PNG instead of opening a window.")] = None,
    exaggeration: Annotated[float, typer.Option(min=0.1, help="Vertical exaggeration.")] = 1.0,
) -> None:
    """Open the interactive 3D window: threshold, slices, exaggeration, layers."""
    from mpm3d import stages

    with _run(study, runs, False) as run:
        if picture is None:
            stages.show(run)
        else:
            _say(f"Drew {stages.draw(run, picture, exaggeration=exaggeration)}")


@app.command("run")
def run_all(study: StudyPath, runs: Runs = None, overwrite: Overwrite = False) -> None:
    """Do everything: build, fit, validate, predict, targets, picture. Finished stages are used again."""
    from mpm3d import stages

    with _run(study, runs, overwrite) as run:
        stages.everything(run)
        _say(f"\nSee it in 3D:  {_command()} view {study}" + (f" --runs {runs}" if runs else ""))


@app.command()
def doctor() -> None:
    """Say what this installation can do and what is missing."""
    with _plainly():
        from mpm3d import stages

        for line in stages.doctor():
            _say(line)


class _Registration(StrEnum):
    CENTER = "center"
    CORNER = "corner"


class _Errors(StrEnum):
    STRICT = "strict"
    SKIP = "skip"


class _ByteOrder(StrEnum):
    BIG = "big"
    LITTLE = "little"


class _Sense(StrEnum):
    UP = "up"
    DOWN = "down"


class _Method(StrEnum):
    NEAREST = "nearest"
    LINEAR = "linear"
    AVERAGE = "average"


class _Mesh(StrEnum):
    UBC = "ubc"
    LEAPFROG = "leapfrog"


# how files are read, the same for every verb that reads them
Registration = Annotated[_Registration, typer.Option(help="What the samples of a voxet are in its cells.")]
MeshPath = Annotated[Path | None, typer.Option(help="The mesh of UBC model files.", metavar="MESH")]
Missing = Annotated[
    list[float] | None,
    typer.Option(help="Stands for air in UBC models, instead of the usual values; give it again for more."),
]
ZPositive = Annotated[_Sense | None, typer.Option(help="Sense of z in resistivity tables.")]
Centre = Annotated[
    tuple[float, float, float] | None,
    typer.Option(help="Centre of ModEM models: x, y, elevation.", metavar="X Y Z"),
]
Errors = Annotated[_Errors, typer.Option(help="Refuse damage, or leave it out.")]
ByteOrder = Annotated[_ByteOrder, typer.Option(help="Of GoCAD's binary values.")]
AllowOutside = Annotated[
    bool, typer.Option("--allow-outside", help="Let headers name files outside their folder.")
]


def _text(choice: StrEnum | None) -> str | None:
    return None if choice is None else str(choice)


@app.command()
def inspect(
    files: Annotated[list[Path], typer.Argument(help="Files of any format that is read.", metavar="FILE...")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Draw everything into one PNG.", metavar="OUT.PNG")
    ] = None,
    registration: Registration = _Registration.CENTER,
    mesh: MeshPath = None,
    missing: Missing = None,
    z_positive: ZPositive = None,
    centre: Centre = None,
    errors: Errors = _Errors.STRICT,
    byte_order: ByteOrder = _ByteOrder.BIG,
    allow_outside: AllowOutside = False,
) -> None:
    """Say what is in files: objects, sizes, bounds, values, and what the reader decided."""
    from mpm3d import inspection
    from mpm3d.io import Options

    options = Options(
        str(errors), str(byte_order), allow_outside, mesh, tuple(missing) if missing else None,
        _text(z_positive), centre,
    )  # fmt: skip
    entries = (inspection.inspect_file(path, options, registration=str(registration)) for path in files)
    sound = inspection.report(entries, as_json=as_json, plot=plot)
    if not sound:
        raise typer.Exit(1)


@app.command()
def convert(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Files to read (a UBC mesh first, then its models), and last the one to write.",
            metavar="IN... OUT",
        ),
    ],
    spacing: Annotated[
        float | None, typer.Option(help="Resample models onto cells of this size.", metavar="METRES")
    ] = None,
    like: Annotated[
        Path | None, typer.Option(help="Resample models onto the cells of a cube.", metavar="CUBE.ZARR")
    ] = None,
    method: Annotated[_Method, typer.Option(help="How to resample.")] = _Method.NEAREST,
    crs: Annotated[
        str | None, typer.Option(help="Coordinate system of x and y; nothing is projected.", metavar="EPSG:…")
    ] = None,
    properties: Annotated[
        list[str] | None, typer.Option("--property", help="Only these values; give it again for more.")
    ] = None,
    format_: Annotated[_Mesh | None, typer.Option("--format", help="What an .msh shall be.")] = None,
    registration: Registration = _Registration.CENTER,
    mesh: MeshPath = None,
    missing: Missing = None,
    z_positive: ZPositive = None,
    centre: Centre = None,
    errors: Errors = _Errors.STRICT,
    byte_order: ByteOrder = _ByteOrder.BIG,
    allow_outside: AllowOutside = False,
) -> None:
    """Make another format of files, or of a cube: the suffix of the last name says which."""
    with _plainly():
        from mpm3d import exchange
        from mpm3d.io.options import Options, as_flags

        options = Options(
            str(errors), str(byte_order), allow_outside, mesh, tuple(missing) if missing else None,
            _text(z_positive), centre,
        )  # fmt: skip
        choices = exchange.Choices(
            options, str(registration), spacing, like, str(method), crs, tuple(properties or ()),
            _text(format_),
        )  # fmt: skip
        exchange.convert(files[:-1], files[-1], choices, lambda text: _say(as_flags(text)))


def _command() -> str:
    """What to type to get here again: the script where it is on the path, else the interpreter."""
    if shutil.which("mpm3d"):
        return "mpm3d"
    python = Path(sys.executable)
    return f"{python.relative_to(Path.cwd()) if python.is_relative_to(Path.cwd()) else python} -m mpm3d"


@app.callback(invoke_without_command=True)
def _main(
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    if version:
        _say(__version__)
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
