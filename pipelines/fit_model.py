"""Fit the models of a study, on a cube that is built first where it is missing or stale."""

from pathlib import Path

from mpm3d.cli import script

if __name__ == "__main__":
    script("fit", default=Path(__file__).parents[1] / "data" / "wulong_like" / "study.toml")
