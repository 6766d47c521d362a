"""Build the evidence cube from GoCAD and UBC files."""

from pathlib import Path

from mpm3d.cli import script

if __name__ == "__main__":
    script("build", default=Path(__file__).parents[1] / "data" / "wulong_like" / "study.toml")
