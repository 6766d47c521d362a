"""Settings of the deviation network side by side: in sample, and with deposits left out.

``python pipelines/compare_tables.py [study.toml] [--repeats K] [--runs DIR] [--only "NAME; ..."]``

For few deposits among many unlabelled points or cells, where one setting proves little. Every setting is
validated with the same folds, and all are reported. The last row is what is left if nobody looks at the
answer: for each left-out deposit, the setting that ranked the *other* deposits best. Goes to
``networks.csv`` and ``networks_deposits.csv`` of the run folder; finished folds are used again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from mpm3d import building, fit, point_study, splits, study, validate
from mpm3d.evaluate import auc, interval, volume_ranks
from mpm3d.run import RunFolder
from mpm3d.study import DevnetTable
from mpm3d.work import Run, Work

SETTINGS: dict[str, dict[str, object]] = {
    "as published": {"early_stopping": False},
    "10 epochs": {"early_stopping": False, "epochs": 10},
    "3 epochs": {"early_stopping": False, "epochs": 3},
    "stopped on a deposit": {"early_stopping": True},
    "layer dropout": {"early_stopping": False, "epochs": 20, "layer_dropout": 0.3},
    "stronger decay": {"early_stopping": False, "epochs": 20, "weight_decay": 0.1},
    "pruned at 0.65": {"early_stopping": False, "prune": 0.65},
    "pruned, 10 epochs, dropout": {
        "early_stopping": False, "prune": 0.65, "epochs": 10, "layer_dropout": 0.3
    },
    "one hidden layer of 20": {"early_stopping": False, "epochs": 20, "hidden": (20,)},
    "mean of 5, stopped": {"early_stopping": True, "members": 5},
}  # fmt: skip
CHOSEN = "chosen on the other deposits"


def start(path: Path, runs: Path | None) -> Work:
    """The study at work, on a table or on a grid; the cube of a grid is built."""
    if study.is_of_points(path):
        points = study.load_points(path, runs=runs)
        return point_study.PointRun(points, RunFolder(points.run_folder), say=print)
    loaded = study.load(path, runs=runs)
    run = Run(loaded, RunFolder(loaded.run_folder), say=print)
    building.build(run)
    return run


def left_out(run: Work, name: str, table: DevnetTable, repeats: int) -> pd.DataFrame:
    """AUC of every left-out deposit in every repeat: columns setting, repeat, deposit, auc."""
    drawn, rules = run.samples, run.study.validation
    settings = validate.Settings(
        **run.drawing(table), population=run.population(drawn), schemes=("deposit",), repeats=repeats,
        deposit_buffer=rules.deposit_buffer, unseen=run.unseen,
    )  # fmt: skip
    found = validate.validate(
        drawn, {name: run.maker(table)}, settings=settings, seed=run.study.seed, folder=run.path("networks")
    )
    return pd.DataFrame(
        [
            (name, one.repeat, deposit, float(1 - ranks.mean()))
            for one in found.outcomes
            for deposit, ranks in one.ranks.items()
        ],
        columns=["setting", "repeat", "deposit", "auc"],
    )


def in_sample(run: Work, table: DevnetTable) -> float:
    """AUC of the deposits that the network was fitted on."""
    drawn = run.samples
    members = fit.fit_members(
        drawn, run.maker(table), known=drawn.deposits, seed=run.study.seed, **run.drawing(table)
    )
    fitted = [member.estimator for member in members]
    shape = fitted[0].patch_shape
    score, _ = fit.ensemble_score(fitted, drawn.cropped(shape).patches)
    among = score[splits.reference_rows(drawn)]
    return auc({d: volume_ranks(score[drawn.group == d], among) for d in drawn.deposits}).deposits


def chosen(each: pd.DataFrame) -> pd.DataFrame:
    """For each deposit the AUC of the setting that is best on all others, in every repeat."""
    means = each.groupby(["setting", "deposit"], sort=False)["auc"].mean().unstack("setting")
    parts = []
    for deposit in means.index:
        best = means.drop(index=deposit).mean().idxmax()
        part = each[(each["setting"] == best) & (each["deposit"] == deposit)]
        parts.append(part.assign(setting=CHOSEN))
    found: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return found


def summary(each: pd.DataFrame, own: dict[str, float]) -> pd.DataFrame:
    """A row per setting: in sample, and mean and interval over repeats of the mean over deposits."""
    rows = []
    for name, part in each.groupby("setting", sort=False):
        per_repeat = part.groupby("repeat")["auc"].mean().to_numpy()
        mean, low, high = interval(per_repeat.tolist())
        rows.append((name, own.get(str(name), np.nan), mean, low, high, len(per_repeat)))
    return pd.DataFrame(rows, columns=["setting", "in sample", "left out", "low", "high", "repeats"])


def main() -> None:
    """Compare the settings on one study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    default = Path(__file__).parent.parent / "data" / "curnamona_ree" / "study.toml"
    parser.add_argument("study", nargs="?", type=Path, default=default)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--only", default="", help="names of settings, between semicolons")
    asked = parser.parse_args()
    run = start(asked.study, asked.runs)
    names = [name.strip() for name in asked.only.split(";") if name.strip()] or list(SETTINGS)
    with run.folder.locked():
        parts: list[pd.DataFrame] = []
        own: dict[str, float] = {}
        for name in names:
            table = DevnetTable.model_validate({"kind": "devnet", **SETTINGS[name]})
            own[name] = in_sample(run, table)
            parts.append(left_out(run, name, table, asked.repeats))
            print(f"{name}: in sample {own[name]:.3f}, left out {parts[-1]['auc'].mean():.3f}", flush=True)
        each = pd.concat([*parts, chosen(pd.concat(parts))], ignore_index=True)
        found = summary(each, own)
        found.round(4).to_csv(run.path("networks.csv"), index=False)
        means = each.groupby(["setting", "deposit"], sort=False)["auc"].mean().unstack("deposit")
        means.round(4).to_csv(run.path("networks_deposits.csv"))
    print(found.to_string(index=False, float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
