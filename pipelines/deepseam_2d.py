"""From rasters, geology and deposits to a prospectivity map, after whatever has to be done before."""

from pathlib import Path

from mpm3d.cli import script

if __name__ == "__main__":
    script("run", default=Path(__file__).parents[1] / "data" / "deepseam_2d" / "study.toml")
