"""Write the page of a study that can be sent: targets in 3D, how sure the model is and why."""

from pathlib import Path

from mpm3d.cli import script

if __name__ == "__main__":
    script("report", default=Path(__file__).parents[1] / "data" / "wulong_like" / "study.toml")
