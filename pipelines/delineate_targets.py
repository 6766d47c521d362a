"""Delineate and rank 3D targets, after whatever has to be done before."""

from pathlib import Path

from mpm3d.cli import script

if __name__ == "__main__":
    script("targets", default=Path(__file__).parents[1] / "data" / "wulong_like" / "study.toml")
