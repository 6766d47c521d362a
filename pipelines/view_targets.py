"""See the targets of a study in 3D: in a window, with --browser in a web browser, with --picture as a PNG."""

from pathlib import Path

from mpm3d.cli import script

if __name__ == "__main__":
    script("view", default=Path(__file__).parents[1] / "data" / "wulong_like" / "study.toml")
