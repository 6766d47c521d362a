"""Table 1 of the paper with honest columns beside it, and what the targets of three models contain.

Every model is fitted and validated on the study (the bundled district if none is given) with a random split
as published, spatial blocks and left-out deposits; finished folds are kept, so that the command goes on where
it was stopped. `table_one.csv` and `targets_side_by_side.csv` are in the run folder, `runs/<study>_models`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mpm3d.cli.talk import Overwrite, Runs, bar, plainly, say

BUNDLED = Path(__file__).parents[1] / "data" / "wulong_like" / "study.toml"
NETWORKS = ("dl1", "dl2", "dl3", "dl4", "cbam", "devnet")
SHOWN = ("dl4", "dl2", "forest")


def main(
    path: Annotated[Path, typer.Argument(help="The study, a TOML file.", metavar="STUDY.TOML")] = BUNDLED,
    repeats: Annotated[int, typer.Option(min=1, help="Repeats of models that fit fast.", metavar="K")] = 10,
    network_repeats: Annotated[int, typer.Option(min=1, help="Repeats of networks.", metavar="K")] = 2,
    models: Annotated[str, typer.Option(help="Only these models.", metavar="NAME,…")] = "",
    runs: Runs = None,
    overwrite: Overwrite = False,
) -> None:
    """Compare all models on a study."""
    with plainly():
        from mpm3d import companions, comparison, stages, study
        from mpm3d.run import RunFolder

        loaded = comparison.with_every_model(study.load(path, runs=runs))
        folder = RunFolder(loaded.run_folder, command=sys.argv, overwrite=overwrite)
        run = stages.Run(loaded, folder, say=say, bar=bar)
        kinds = [table.kind for table in loaded.models]
        chosen = [name.strip() for name in models.split(",")] if models else kinds
        with folder.locked():
            counts = {kind: network_repeats if kind in NETWORKS else repeats for kind in chosen}
            table = stages.compare(run, models=chosen, repeats=counts)
            found = comparison.table_one(run, table)
            found.to_csv(folder.path("table_one.csv"), index=False, lineterminator="\n")
            say(f"\n{found.set_index('model').T.to_string(float_format='{:,.3f}'.format, na_rep='–')}\n")
            volumes = {}
            for kind in (one for one in SHOWN if one in chosen):
                stages.predict_volume(run, model=kind)
                volumes[kind] = companions.place_of(run, kinds.index(kind))
            if volumes:
                inside = comparison.contained(run, volumes, comparison.shares_of(run, list(volumes)))
                inside.to_csv(folder.path("targets_side_by_side.csv"), index=False, lineterminator="\n")
                say(comparison.said_contained(inside))


if __name__ == "__main__":
    typer.run(main)
