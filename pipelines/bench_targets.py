"""Measure how fast and in how much memory targets are delineated by blocks, and in one piece in the same run.

A prospectivity of smooth random scores is written to a temporary folder. Each way runs in a process of its
own, whose peak memory is counted above what it had before, and takes the best share of the volume. By blocks,
the table, the surfaces and the voxet are written; the plain way reads all scores, sorts them, labels the
volume in one piece, counts the cells of each body and writes the voxet, no surfaces.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MB = 2**20
KNOWN = {"A": [[1, 1, k] for k in range(3)]}


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print numbers only, as JSON")
    parser.add_argument("--shape", type=int, nargs=3, default=(100, 400, 400), help="cells along z, y and x")
    parser.add_argument("--chunk", type=int, default=50, help="cells of a stored chunk along each side")
    parser.add_argument("--share", type=float, default=0.02, help="share of the volume")
    parser.add_argument("--folder", type=Path, help="where to write; a temporary folder by default")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    return parser.parse_args()


def peak_mb() -> float:
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / MB if sys.platform == "darwin" else size / 1024  # bytes, or kilobytes


def make(args: argparse.Namespace) -> dict[str, Any]:
    """Scores, smooth over a few cells, chunk by chunk along z so that this is quick on large volumes too."""
    import numpy as np
    import zarr
    from scipy.ndimage import gaussian_filter

    from mpm3d import cube
    from mpm3d.grid import Grid

    nz, ny, nx = args.shape
    grid = Grid((nz, ny, nx), (50.0, 50.0, 50.0), (-50.0 * nz, 4_000_000.0, 500_000.0), "EPSG:32651")
    store = args.folder / "prospectivity.zarr"
    cube.empty(grid, chunk=(args.chunk,) * 3).to_zarr(store, zarr_format=3, consolidated=False)
    chunks = tuple(min(args.chunk, n) for n in grid.shape)
    score = zarr.open_group(store).create_array(
        "score", shape=grid.shape, chunks=chunks, dtype="float32", dimension_names=cube.DIMS
    )
    rng = np.random.default_rng(0)
    for start in range(0, nz, args.chunk):
        part = gaussian_filter(rng.random((min(args.chunk, nz - start), ny, nx), dtype=np.float32), 2.5)
        score[start : start + args.chunk] = 1 / (1 + np.exp(-60 * (part - 0.5)))
    return {"cells": grid.n_cells}


def by_blocks(args: argparse.Namespace) -> dict[str, Any]:
    from mpm3d import cube, targets
    from mpm3d.io import gocad
    from mpm3d.lattice import PropertyModel
    from mpm3d.storage import group
    from mpm3d.values import Lazy

    before, start = peak_mb(), time.perf_counter()
    store = args.folder / "prospectivity.zarr"
    ds = cube.open(store)
    grid = cube.grid_of(ds)
    found = targets.delineate(ds, KNOWN, share=args.share, min_volume=8 * grid.cell_volume)
    done, peak = time.perf_counter(), peak_mb()
    targets.write_table(args.folder / "targets.csv", found.table)
    gocad.write_surfaces(args.folder / "targets.ts", targets.surfaces(found.targets, grid))
    values = {"prospectivity": Lazy(group(store, "r")["score"])}
    gocad.write_voxet(args.folder / "prospectivity.vo", PropertyModel.from_grid("bench", grid, values))
    return {
        "delineate_seconds": done - start, "delineate_peak_rss_mb": peak - before,
        "seconds": time.perf_counter() - start, "peak_rss_mb": peak_mb() - before,
        "n": len(found.targets), "threshold": found.threshold,
        "zone": found.n_zone, "volume": float(found.table["n_cells"].sum()),
    }  # fmt: skip


def plain(args: argparse.Namespace) -> dict[str, Any]:
    """The scores as one array: sorted for the threshold, labelled whole, each body cut out of the labels."""
    import cc3d
    import numpy as np

    from mpm3d import cube
    from mpm3d.io import gocad
    from mpm3d.lattice import PropertyModel

    before, start = peak_mb(), time.perf_counter()
    ds = cube.open(args.folder / "prospectivity.zarr")
    score, grid = ds["score"].values, cube.grid_of(ds)
    eligible = np.ones(grid.shape, bool)
    eligible[tuple(np.concatenate([np.array(c) for c in KNOWN.values()]).T)] = False
    best = np.sort(score[eligible])
    threshold = best[-max(1, round(args.share * len(best)))]
    labels = cc3d.connected_components((score >= threshold).astype(np.uint8))
    found = cc3d.statistics(labels)
    mean = np.bincount(labels.ravel(), score.ravel()) / np.maximum(found["voxel_counts"], 1)
    kept = [k for k in np.argsort(-mean) if k and found["voxel_counts"][k] >= 8]
    done, peak = time.perf_counter(), peak_mb()
    values = {"prospectivity": score}
    gocad.write_voxet(args.folder / "plain.vo", PropertyModel.from_grid("bench", grid, values))
    return {
        "delineate_seconds": done - start, "delineate_peak_rss_mb": peak - before,
        "seconds": time.perf_counter() - start, "peak_rss_mb": peak_mb() - before,
        "n": len(kept), "threshold": float(threshold),
        "zone": int((labels > 0).sum()), "volume": float(found["voxel_counts"][kept].sum()),
    }  # fmt: skip


STEPS = {"make": make, "by_blocks": by_blocks, "plain": plain}


def run(args: argparse.Namespace, step: str) -> dict[str, Any]:
    words = [
        "--folder",
        str(args.folder),
        "--chunk",
        str(args.chunk),
        "--share",
        str(args.share),
        "--step",
        step,
    ]
    command = [sys.executable, __file__, "--shape", *map(str, args.shape), *words]
    text = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    result: dict[str, Any] = json.loads(text)
    return result


def bench(args: argparse.Namespace) -> dict[str, Any]:
    made, blocks, whole = (run(args, step) for step in ("make", "by_blocks", "plain"))
    same = all(blocks[key] == whole[key] for key in ("n", "threshold", "zone", "volume"))
    keys = ("delineate_seconds", "delineate_peak_rss_mb", "seconds", "peak_rss_mb")
    return {
        **made, "targets": blocks["n"], "zone_cells": blocks["zone"], "same": same,
        **{key: blocks[key] for key in keys}, **{f"plain_{key}": whole[key] for key in keys},
    }  # fmt: skip


def main() -> None:
    args = parsed()
    if args.step:
        print(json.dumps(STEPS[args.step](args)))
        return
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        args.folder = Path(folder)
        found = bench(args)
    if args.json:
        print(json.dumps(found))
        return
    for key, value in found.items():
        print(f"{key:<24} {value:,.2f}" if isinstance(value, float) else f"{key:<24} {value:,}")


if __name__ == "__main__":
    main()
