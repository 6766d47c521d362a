"""Make the files of this folder again: python data/deepseam_2d/make_district.py [--seed N] [--to FOLDER]."""

from __future__ import annotations

import argparse
from pathlib import Path

from mpm3d.synthetic import maps

SEED = 26
NOTE = "An invented district seen from above, with a known answer: nothing here was measured."


def main() -> None:
    """Make the district and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--to", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    maps.write(maps.make(arguments.seed), arguments.to, name="deepseam_2d", note=NOTE)


if __name__ == "__main__":
    main()
