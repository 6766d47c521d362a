"""Measure the memory and the speed of predicting volumes of several sizes with a DL4 on 7 layers.

For each size, a cube of noise is written block by block to a temporary folder and `mpm3d.predict` scores it,
in a process of its own that tells its peak memory. What a volume needs should not grow with it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as mpm3d does: waiting threads sleep

SIZES = ["100x100x100", "300x300x100"]
LAYERS = tuple(f"layer_{number}" for number in range(7))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print numbers only, as JSON")
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="XxYxZ", help="cells along x, y and z")
    parser.add_argument("--block", type=int, nargs=3, default=[50, 50, 50], help="cells along z, y and x")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="blocks at a time")
    parser.add_argument("--members", type=int, default=1, help="members of the ensemble")
    parser.add_argument("--folder", type=Path, help="where to write; a temporary folder by default")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    return parser.parse_args()


def make(args: argparse.Namespace) -> dict[str, Any]:
    """A cube of noise."""
    import numpy as np

    from mpm3d import cube
    from mpm3d.grid import Grid

    x, y, z = (int(n) for n in args.sizes[0].split("x"))
    grid = Grid((z, y, x), (50.0, 50.0, 50.0), (-50.0 * z, 4_000_000.0, 500_000.0), "EPSG:32651")
    cube.create(args.folder / "cube.zarr", grid)
    rng = np.random.default_rng(1)
    for name in LAYERS:
        cube.add_layer(
            args.folder / "cube.zarr",
            name,
            lambda part: rng.normal(size=part.shape),
            units="1",
            long_name=name,
        )
    return {}


def score(args: argparse.Namespace) -> dict[str, Any]:
    """The whole of `predict`, and the peak memory of this process."""
    import numpy as np

    from mpm3d.models import make
    from mpm3d.predict import Settings, predict

    rng = np.random.default_rng(0)
    patches = rng.normal(size=(64, 7, 3, 3, 3)).astype(np.float32)
    members = [
        make("dl4", LAYERS, epochs=1, device="cpu").fit(patches, np.arange(64) % 2, rng=rng)
        for _ in range(args.members)
    ]
    before, start = peak_mb(), time.perf_counter()
    settings = Settings(block=tuple(args.block), workers=args.workers, overwrite=True)
    done = predict(
        args.folder / "cube.zarr", members, args.folder / "out.zarr", model_hash="bench", settings=settings
    )
    seconds = time.perf_counter() - start
    return {
        "cells": done.n_scored, "seconds": seconds, "cells_per_s": done.n_scored / seconds,
        "before_mb": before, "peak_rss_mb": peak_mb(),
    }  # fmt: skip


STEPS = {"make": make, "score": score}


def peak_mb() -> float:
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / 2**20 if sys.platform == "darwin" else size / 1024  # bytes, or kilobytes


def measure(args: argparse.Namespace, size: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        told = {}
        for step in STEPS:
            command = [sys.executable, __file__, "--step", step, "--sizes", size, "--folder", folder]
            command += ["--workers", str(args.workers), "--members", str(args.members)]
            command += ["--block", *map(str, args.block)]
            run = subprocess.run(command, check=True, capture_output=True, text=True)
            told = json.loads(run.stdout)
        return {"size": size, **told}


def main() -> None:
    args = parsed()
    if args.step:
        print(json.dumps(STEPS[args.step](args)))
        return
    found = [measure(args, size) for size in args.sizes]
    if args.json:
        print(json.dumps(found))
        return
    for one in found:
        print(
            f"{one['size']:>14}  {one['cells']:>12,} cells  {one['seconds']:8.1f} s  "
            f"{one['cells_per_s']:9,.0f} cells/s  peak {one['peak_rss_mb']:.0f} MB"
        )


if __name__ == "__main__":
    main()
