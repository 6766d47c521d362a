"""The verbs of a study: look at it, do its stages, see it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from mpm3d.cli.talk import Overwrite, Runs, StudyPath, command, plainly, running, running_points, say


def init(path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("study.toml")) -> None:
    """Write a commented study.toml to start from."""
    with plainly():
        from mpm3d import study

        if path.exists():
            raise FileExistsError(f"{path} exists already. Give another name, or delete it first.")
        path.write_text(study.template(), encoding="utf-8")
    say(f"Wrote {path}. Put in your files, then: mpm3d run {path}")


def check(
    study: StudyPath,
    runs: Runs = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail if there is any warning.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Look at everything the study names, built or not, and say what seems wrong."""
    with plainly():
        from mpm3d import checking, point_study
        from mpm3d import study as studies

        if study.is_file() and studies.is_of_points(study):
            said = point_study.check(studies.load_points(study, runs=runs))
            for line in [json.dumps({"study": str(study), "said": said}, indent=2)] if as_json else said:
                typer.echo(line)
            return
        found = checking.check_study(study, runs=runs)
        if as_json:
            typer.echo(json.dumps(found.as_dict(), indent=2, allow_nan=False))
        else:
            for line in checking.lines(found):
                say(line)
    if strict and found.findings:
        raise typer.Exit(1)


def build(study: StudyPath, runs: Runs = None, overwrite: Overwrite = False) -> None:
    """Build the evidence cube: only layers that are missing or whose files have changed."""
    from mpm3d import stages

    with running(study, runs, overwrite) as run:
        stages.build(run)


def fit(study: StudyPath, runs: Runs = None, overwrite: Overwrite = False) -> None:
    """Fit the models of the study on all known deposits."""
    from mpm3d import point_study, stages

    with running_points(study, runs, overwrite) as points:
        if points is not None:
            point_study.fit_models(points)
            return
    with running(study, runs, overwrite) as run:
        stages.fit_models(run)


def validate(
    study: StudyPath,
    scheme: Annotated[
        str, typer.Option(help="Of random, block and deposit; all, if not given.", metavar="NAME,…")
    ] = "",
    models: Annotated[
        str, typer.Option(help="Models of the study; all, if not given.", metavar="NAME,…")
    ] = "",
    repeats: Annotated[
        int | None, typer.Option(min=1, help="So many times, with other negatives and seeds.", metavar="K")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Rank against every cell, not a sample.")] = False,
    runs: Runs = None,
    overwrite: Overwrite = False,
) -> None:
    """Compare the models: the published random split beside spatial blocks and whole deposits left out."""
    from mpm3d import point_study, stages

    with running_points(study, runs, overwrite) as points:
        if points is not None:
            point_study.compare(
                points, full=full, schemes=_names(scheme), models=_names(models), repeats=repeats
            )
            return
    with running(study, runs, overwrite) as run:
        stages.compare(run, full=full, schemes=_names(scheme), models=_names(models), repeats=repeats)


def _names(words: str) -> tuple[str, ...] | None:
    """Names between commas, None if there are none."""
    return tuple(word.strip() for word in words.split(",") if word.strip()) or None


def predict(
    study: StudyPath,
    model: Annotated[
        str, typer.Option(help="A model of the study; the first, if not given.", metavar="NAME")
    ] = "",
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
    from mpm3d import point_study, stages

    with running_points(study, runs, overwrite) as points:
        if points is not None:
            point_study.predict_volume(points, model=model)
            return
    if processes is None and workers is not None and not scheduler:
        processes = workers > 1
    with running(study, runs, False) as run:
        stages.predict_volume(
            run, model=model, workers=workers, processes=processes, scheduler=scheduler, overwrite=overwrite
        )


def targets(study: StudyPath, runs: Runs = None, overwrite: Overwrite = False) -> None:
    """Delineate and rank 3D targets, after whatever has to be done before."""
    from mpm3d import stages

    with running(study, runs, overwrite) as run:
        stages.delineate(run)


def explain(
    study: StudyPath,
    model: Annotated[
        str, typer.Option(help="A model of the study; the first, if not given.", metavar="NAME")
    ] = "",
    whole: Annotated[
        bool, typer.Option("--whole", help="Every cell of the volume; how long it takes is said first.")
    ] = False,
    runs: Runs = None,
    overwrite: Overwrite = False,
) -> None:
    """Say which evidence moved the score: of each target, over the volume and cell by cell."""
    from mpm3d import stages

    with running(study, runs, overwrite) as run:
        stages.explain(run, model=model, whole=whole)


def view(
    study: StudyPath,
    runs: Runs = None,
    picture: Annotated[Path | None, typer.Option(help="Draw a PNG instead of opening a window.")] = None,
    browser: Annotated[
        bool, typer.Option("--browser", help="Show it in a web browser instead, from this machine only.")
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="With --browser: the port; any free one, if not given."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="With --browser: another address lets other machines in.", metavar="ADDRESS")
    ] = "",
    no_token: Annotated[
        bool, typer.Option("--no-token", help="With --browser: an address without a secret, on this machine.")
    ] = False,
    model: Annotated[
        str, typer.Option(help="A model of the study; the first, if not given.", metavar="NAME")
    ] = "",
    beside: Annotated[str, typer.Option(help="Another model, seen beside it.", metavar="NAME")] = "",
    exaggeration: Annotated[
        float, typer.Option(min=0.1, help="Vertical exaggeration of the picture; a map has none.")
    ] = 1.0,
) -> None:
    """See the targets in 3D, or on a map: in a window, in a web browser or as a picture."""
    with plainly():
        from mpm3d import scenery

        where = scenery.address(browser=browser and picture is None, host=host, port=port, no_token=no_token)
        scenery.check_folder(study, runs)
    with running(study, runs, False) as run:
        if picture is not None:
            drawn = scenery.draw(run, picture, exaggeration=exaggeration, model=model, beside=beside)
            say(f"Drew {drawn}")
        elif browser:
            scenery.serve(run, model=model, beside=beside, **where)
        else:
            scenery.show(run, model=model, beside=beside)


def report(
    study: StudyPath,
    runs: Runs = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The page; report.html in the run folder, if not given.", metavar="HTML"),
    ] = None,
) -> None:
    """Write one page to send: where, how sure and why, with a 3D view or a map that needs no network."""
    with plainly():
        from mpm3d import scenery, stages

        scenery.check_folder(study, runs)
    with running(study, runs, False) as run:
        page, card = stages.report(run, out, study=_typed(study, runs))
        say(f"page:        {page} ({page.stat().st_size / 1e6:.1f} MB)\nmodel card:  {card}")


def run_all(study: StudyPath, runs: Runs = None, overwrite: Overwrite = False) -> None:
    """Do everything: build, fit, validate, predict, targets, report. Finished stages are used again."""
    from mpm3d import stages

    typed = _typed(study, runs)
    with running(study, runs, overwrite) as run:
        stages.everything(run, study=typed)
        see = "See the map: " if run.grid.is_map else "See it in 3D:"
        say(f"\n{see}  {command()} view {typed}")


def _typed(study: Path, runs: Path | None) -> str:
    """What was typed after the verb."""
    return shlex.quote(str(study)) + (f" --runs {shlex.quote(str(runs))}" if runs else "")
