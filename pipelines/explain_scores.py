"""Say which evidence moved the scores of a study, after whatever has to be done before."""

from pathlib import Path

from mpm3d.cli import script

if __name__ == "__main__":
    script("explain", default=Path(__file__).parents[1] / "data" / "wulong_like" / "study.toml")
