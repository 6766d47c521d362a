"""Measure how fast, how exactly and in how much memory a cube is built, against libigl in the same run.

Four distance layers (two faults, a horizon, a closed body with 0 inside) and three resampled models are
written to a temporary folder. A layer's seconds are those of all its cells, packing and writing included.
libigl is asked for every cell of an evenly spread sample of chunks, half of them before and half after each
layer, with its own tree made once and its own threads, and its seconds are scaled to all cells. The largest
difference between the two is taken over these chunks. The models lie in files of numbers, as a voxet's do,
and are read part by part. The peak is that of the whole process, libigl's share included.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import igl
import numpy as np

from mpm3d import blocks, cube, distance, evidence, resampling
from mpm3d.geometry import Surface
from mpm3d.grid import Grid
from mpm3d.lattice import PropertyModel
from mpm3d.values import FileArray, Lazy

CELL = 50.0
CORNER = (-5000.0, 7_000_000.0, 500_000.0)  # z, y, x


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print numbers only, as JSON")
    parser.add_argument("--cells", type=int, nargs=3, default=[400, 400, 100], metavar=("X", "Y", "Z"))
    parser.add_argument("--triangles", type=int, default=20_000, help="triangles of each surface, about")
    parser.add_argument(
        "--sample", type=int, default=16, help="chunks of each layer that libigl is asked for"
    )
    parser.add_argument("--workers", type=int, default=min(4, os.cpu_count() or 1), help="threads")
    parser.add_argument("--cutoff", type=float, default=evidence.CUTOFF, help="in metres")
    parser.add_argument("--folder", type=Path, help="where to write; a temporary folder by default")
    return parser.parse_args()


def sheet(name: str, u: Any, v: Any, places: Any) -> Surface:
    """A surface over a lattice of parameters, two triangles in each of its squares."""
    vertices = np.stack(np.broadcast_arrays(*places), axis=-1).reshape(-1, 3)
    number = np.arange(len(vertices)).reshape(np.broadcast_shapes(u.shape, v.shape))
    a, b, c, d = (
        part.ravel() for part in (number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:])
    )
    triangles = np.concatenate([np.column_stack([a, b, c]), np.column_stack([a, c, d])])
    return Surface(name, vertices, triangles)


def surfaces(grid: Grid, triangles: int) -> list[Surface]:
    """Two faults, a horizon and a body, as large as the grid asks for."""
    n = max(2, round((triangles / 2) ** 0.5)) + 1
    u, v = np.linspace(0, 1, n)[:, None], np.linspace(0, 1, n)[None, :]
    x0, y0, z0, x1, y1, z1 = grid.bounds
    wide, long, deep = x1 - x0, y1 - y0, z1 - z0
    rough = 0.005 * wide * np.sin(30 * u) * np.cos(20 * v)
    across = y0 + long * (0.3 + 0.25 * u + 0.07 * np.sin(5 * u)) + 0.4 * deep * v + rough
    along = x0 + wide * (0.6 + 0.1 * np.sin(4 * u)) + rough
    folds = z0 + deep * (0.5 + 0.12 * np.sin(6 * u) * np.cos(5 * v) + 0.01 * np.sin(40 * u))
    found = [
        sheet("fault_east", u, v, (x0 + wide * (0.05 + 0.9 * u), across, z0 + deep * v)),
        sheet("fault_north", u, v, (along, y0 + long * u, z0 + deep * v)),
        sheet("horizon", u, v, (x0 + wide * u, y0 + long * v, folds)),
    ]  # fmt: skip
    around, down = 2 * np.pi * u, np.pi * v
    radius = 1 + 0.2 * np.sin(3 * around) * np.sin(down) ** 2
    body = sheet("intrusion", u, v, (x0 + wide / 2 + 0.2 * wide * radius * np.cos(around) * np.sin(down),
                                     y0 + long / 2 + 0.2 * long * radius * np.sin(around) * np.sin(down),
                                     z0 + deep / 2 + 0.4 * deep * radius * np.cos(down)))  # fmt: skip
    return [*found, closed(body, n)]


def closed(body: Surface, n: int) -> Surface:
    """The last meridian is the first one and each pole one vertex, to the last bit."""
    number = np.arange(n * n).reshape(n, n)
    number[-1], number[:, 0], number[:, -1] = number[0], number[0, 0], number[0, -1]
    rows = number.ravel()[body.triangles]
    return Surface(body.name, body.vertices, rows, None).welded()


def models(grid: Grid, folder: Path) -> list[PropertyModel]:
    """Models of as many cells as the grid has, half a cell aside, with their values in files."""
    rng, found = np.random.default_rng(0), []
    aside = Grid(
        grid.shape,
        grid.spacing,
        tuple(c - d / 2 for c, d in zip(grid.corner, grid.spacing, strict=True)),
        grid.crs,
    )
    for name in ("density", "susceptibility", "resistivity"):
        path = folder / f"{name}.bin"
        with path.open("wb") as file:
            for _ in range(grid.shape[0]):
                rng.standard_normal(grid.shape[1:], dtype=np.float32).tofile(file)
        values = Lazy(FileArray(path, np.dtype(np.float32), grid.shape))
        found.append(PropertyModel.from_grid(name, aside, {name: values}))
    return found


class Rival:
    """libigl on every cell of chunks, its tree made once."""

    def __init__(self, surface: Surface, *, solid: bool, cutoff: float) -> None:
        self.centre = surface.vertices.mean(axis=0)
        self.vertices, self.triangles = surface.vertices - self.centre, surface.triangles
        self.solid, self.cutoff = solid, cutoff
        self.tree = igl.AABB()
        self.tree.init(self.vertices, self.triangles)
        self.seconds = self.error = 0.0
        self.cells = 0

    def ask(self, grid: Grid, fill: Any) -> None:
        """Measure every cell of a chunk, and how far the layer's own distances are from that."""
        points = grid.points() - self.centre
        start = time.perf_counter()
        squared, *_ = self.tree.squared_distance(self.vertices, self.triangles, points)
        found = np.minimum(np.sqrt(squared), self.cutoff)
        if self.solid:
            found[np.abs(igl.fast_winding_number(self.vertices, self.triangles, points)) > 0.5] = 0.0
        self.seconds += time.perf_counter() - start
        self.cells += grid.n_cells
        self.error = max(self.error, float(np.abs(found - fill(grid).ravel()).max()))


def distance_layer(store: Path, surface: Surface, args: argparse.Namespace) -> dict[str, float]:
    """Build one layer and ask libigl before and after it."""
    solid = surface.name == "intrusion"
    grid, rival = cube.grid_of(cube.open(store)), Rival(surface, solid=solid, cutoff=args.cutoff)
    whole = list(blocks.tile(grid.shape, cube.chunk_of(cube.open(store))))
    sample = [whole[int(k)] for k in np.linspace(0, len(whole) - 1, min(args.sample, len(whole)))]
    fill = evidence.prepare_distance([surface], cutoff=args.cutoff, solid=solid)
    fill(grid.window((slice(0, 1),) * 3))  # compiled once for all later runs, and the tree made
    for block in sample[::2]:
        rival.ask(grid.window(block.core), fill)
    start = time.perf_counter()
    fill = evidence.prepare_distance([surface], cutoff=args.cutoff, solid=solid)
    cube.add_layer(store, surface.name, fill, units="m", long_name=surface.name, workers=args.workers)
    seconds = time.perf_counter() - start
    for block in sample[1::2]:
        rival.ask(grid.window(block.core), fill)
    scaled = rival.seconds * grid.n_cells / rival.cells
    return {"seconds": seconds, "libigl_seconds": scaled, "max_abs_error_m": rival.error}


def model_layer(store: Path, model: PropertyModel) -> float:
    start = time.perf_counter()
    fill = resampling.prepare(model, method="linear", name=model.name)
    cube.add_layer(store, model.name, fill, units="1", long_name=model.name)
    return time.perf_counter() - start


def peak_mb() -> float:
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / 2**20 if sys.platform == "darwin" else size / 1024  # bytes, or kilobytes


def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    nx, ny, nz = args.cells
    grid = Grid((nz, ny, nx), (CELL,) * 3, CORNER, "EPSG:32651")
    store, bodies = folder / "cube.zarr", surfaces(grid, args.triangles)
    cube.create(store, grid)
    layers = {body.name: distance_layer(store, body, args) for body in bodies}
    resampled = {model.name: model_layer(store, model) for model in models(grid, folder)}
    ours, theirs = (
        float(np.mean([one[key] for one in layers.values()])) for key in ("seconds", "libigl_seconds")
    )
    return {
        "cells": args.cells,
        "triangles": [len(body.triangles) for body in bodies],
        "sampled_chunks": args.sample,
        "workers": args.workers,
        "numba": distance.compiled() is not None,
        "seconds_per_layer": ours,
        "libigl_seconds_per_layer": theirs,
        "speedup": theirs / ours,
        "max_abs_error_m": max(one["max_abs_error_m"] for one in layers.values()),
        "peak_rss_mb": peak_mb(),
        "resampled_seconds_per_layer": float(np.mean(list(resampled.values()))),
        "layers": layers,
    }


def table(found: dict[str, Any]) -> str:
    cells = " × ".join(map(str, found["cells"]))
    how = f"{found['workers']} thread{'s' * (found['workers'] > 1)}" + (
        "" if found["numba"] else ", without numba"
    )
    lines = [
        f"cube of {cells} cells (x, y, z), {how}",
        f"libigl on {found['sampled_chunks']} chunks of each layer, scaled to all",
        f"{'layer':<24}{'seconds':>10}{'libigl':>10}{'faster':>9}{'largest difference, m':>24}",
    ]
    for name, one in found["layers"].items():
        faster = one["libigl_seconds"] / one["seconds"]
        lines.append(
            f"{name:<24}{one['seconds']:>10.2f}{one['libigl_seconds']:>10.2f}{faster:>8.1f}×{one['max_abs_error_m']:>24.2g}"
        )
    lines.append(
        f"{'mean':<24}{found['seconds_per_layer']:>10.2f}{found['libigl_seconds_per_layer']:>10.2f}"
        f"{found['speedup']:>8.1f}×{found['max_abs_error_m']:>24.2g}"
    )
    lines.append(f"{'resampled models, mean':<24}{found['resampled_seconds_per_layer']:>10.2f}")
    lines.append(f"peak memory {found['peak_rss_mb']:,.0f} MB")
    return "\n".join(lines)


def main() -> None:
    args = parsed()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        found = measure(args, Path(folder))
    print(json.dumps(found, indent=1) if args.json else table(found))


if __name__ == "__main__":
    main()
