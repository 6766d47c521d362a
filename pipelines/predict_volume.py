"""Files to ranked 3D targets: build the cube, fit, validate, predict the volume, delineate targets, draw."""

from pathlib import Path

from mpm3d.cli import script

if __name__ == "__main__":
    script("run", default=Path(__file__).parents[1] / "data" / "wulong_like" / "study.toml")
