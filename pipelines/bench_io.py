"""Measure how fast and in how much memory large GoCAD files are read, against a plain way in the same run.

A surface of a million vertices and a voxet of 16 million cells with 7 properties are written to a temporary
folder (below 1 GB with the cube that is made of the voxet). Each step runs in a process of its own, whose
peak memory is counted above what it had before. Files are warm: they were just written.
"""

from __future__ import annotations

import argparse
import functools
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MB = 2**20


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print numbers only, as JSON")
    parser.add_argument("--vertices", type=int, default=1000, help="vertices along a side of the surface")
    parser.add_argument("--cells", type=int, default=252, help="cells along a side of the voxet")
    parser.add_argument("--properties", type=int, default=7, help="properties of the voxet")
    parser.add_argument("--method", default="linear", help="how the voxet is resampled onto the cube")
    parser.add_argument("--folder", type=Path, help="where to write; a temporary folder by default")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    return parser.parse_args()


def peak_mb() -> float:
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / MB if sys.platform == "darwin" else size / 1024  # bytes, or kilobytes


def measured(job: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    """Seconds and peak memory of a job above what there was, and what it gives."""
    before, start = peak_mb(), time.perf_counter()
    result = job()
    return {"seconds": time.perf_counter() - start, "peak_mb": peak_mb() - before}, result


def write_surface(args: argparse.Namespace) -> dict[str, float]:
    import numpy as np

    n = args.vertices
    row, column = np.divmod(np.arange(n * n), n)
    height = np.round(300 + 50 * np.sin(row / 40) * np.cos(column / 60), 3)
    corner = (row * n + column + 1).reshape(n, n)
    a, b, c, d = (
        part.ravel() for part in (corner[:-1, :-1], corner[:-1, 1:], corner[1:, :-1], corner[1:, 1:])
    )
    with (args.folder / "surface.ts").open("w") as file:
        file.write("GOCAD TSurf 1\nHEADER {\nname:ground\n}\nTFACE\n")
        for k in range(n * n):
            file.write(
                f"VRTX {k + 1} {500000.25 + column[k] * 12.5} {7000000.5 + row[k] * 12.5} {height[k]}\n"
            )
        for one in zip(*(part.tolist() for part in (a, b, d, a, d, c)), strict=True):
            file.write("TRGL {} {} {}\nTRGL {} {} {}\n".format(*one))
        file.write("END\n")
    return {}


def read_surface(args: argparse.Namespace) -> dict[str, float]:
    from mpm3d.io import gocad

    found, (surface,) = measured(lambda: gocad.read_objects(args.folder / "surface.ts"))
    arrays = surface.vertices.nbytes + surface.triangles.nbytes + surface.part.nbytes
    return {**found, "over_arrays": found["peak_mb"] * MB / arrays, "check": float(surface.vertices.sum())}


def plain_surface(args: argparse.Namespace) -> dict[str, float]:
    import numpy as np

    def job() -> tuple[Any, Any]:
        vertices, triangles, row = [], [], {}
        with (args.folder / "surface.ts").open() as file:
            for line in file:
                words = line.split()
                if words[0] == "VRTX":
                    row[int(words[1])] = len(vertices)
                    vertices.append([float(word) for word in words[2:5]])
                elif words[0] == "TRGL":
                    triangles.append([row[int(word)] for word in words[1:4]])
        return np.array(vertices), np.array(triangles)

    found, (vertices, triangles) = measured(job)
    over = found["peak_mb"] * MB / (vertices.nbytes + triangles.nbytes)
    return {**found, "over_arrays": over, "check": float(vertices.sum())}


def write_voxet(args: argparse.Namespace) -> dict[str, float]:
    import numpy as np

    from mpm3d.grid import Grid
    from mpm3d.io import gocad
    from mpm3d.lattice import PropertyModel

    n, rng = args.cells, np.random.default_rng(0)
    grid = Grid((n, n, n), (25.0, 25.0, 25.0), (-5000.0, 7e6, 5e5), "EPSG:32651")
    values = {}
    for number in range(args.properties):
        values[f"p{number}"] = np.round(64 * rng.standard_normal(grid.shape, dtype=np.float32)) / 64
        values[f"p{number}"][:, :5, :5] = np.nan
    model = PropertyModel.from_grid("model", grid, values)
    found, _ = measured(lambda: gocad.write_voxet(args.folder / "model.vo", model))
    return {"seconds": found["seconds"]}  # the values themselves were the peak


def open_voxet(args: argparse.Namespace) -> dict[str, float]:
    from mpm3d.io import gocad

    return measured(lambda: gocad.read_objects(args.folder / "model.vo"))[0]


def cube_of_voxet(args: argparse.Namespace) -> dict[str, float]:
    import numpy as np

    from mpm3d import cube, evidence
    from mpm3d.grid import Grid
    from mpm3d.io import gocad

    store = args.folder / "cube.zarr"

    def job() -> Any:
        (voxet,) = gocad.read_objects(args.folder / "model.vo")
        model = voxet.as_model()
        cube.create(store, Grid.from_bounds(model.bounds, 25.0, "EPSG:32651"))
        for name in model.values:
            fill = functools.partial(evidence.resample, model, name=name, method=args.method)
            cube.add_layer(store, name, fill, units="1", long_name=name)
        return model

    found, model = measured(job)
    window = (slice(0, 60), slice(0, 60), slice(40, 110))
    for name, values in model.values.items():
        np.testing.assert_allclose(cube.open(store)[name][window].values, values[window], rtol=1e-6)
    return found


def plain_voxet(args: argparse.Namespace) -> dict[str, float]:
    import numpy as np

    def job() -> Any:
        found = []
        for number in range(args.properties):
            values = np.fromfile(args.folder / f"model_p{number}@@", ">f4").astype(np.float32)
            found.append(np.where(values == -99999, np.nan, values).reshape((args.cells,) * 3))
        return found

    return measured(job)[0]


STEPS: dict[str, Callable[[argparse.Namespace], dict[str, float]]] = {
    "write_surface": write_surface, "tsurf": read_surface, "tsurf_plain": plain_surface,
    "voxet_write": write_voxet, "voxet_open": open_voxet, "voxet_cube": cube_of_voxet,
    "voxet_plain": plain_voxet,
}  # fmt: skip


def run(step: str, args: argparse.Namespace, folder: Path) -> dict[str, float]:
    command = [
        sys.executable, __file__, "--step", step, "--folder", str(folder), "--vertices", str(args.vertices),
        "--cells", str(args.cells), "--properties", str(args.properties), "--method", args.method,
    ]  # fmt: skip
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, float] = json.loads(output)
    return {f"{step}_{name}": value for name, value in found.items()}


def measure(args: argparse.Namespace, folder: Path) -> dict[str, float]:
    found: dict[str, float] = {"tsurf_vertices": args.vertices**2, "voxet_cells": args.cells**3}
    found |= {"tsurf_triangles": 2 * (args.vertices - 1) ** 2, "voxet_properties": args.properties}
    for step in STEPS:
        found |= run(step, args, folder)
    if abs(found.pop("tsurf_check") - found.pop("tsurf_plain_check")) > 1e-3:
        sys.exit("the two readers of surfaces do not agree.")
    found["tsurf_peak_over_arrays"] = found.pop("tsurf_over_arrays")
    found["tsurf_plain_peak_over_arrays"] = found.pop("tsurf_plain_over_arrays")
    found["tsurf_speedup"] = found["tsurf_plain_seconds"] / found["tsurf_seconds"]
    found["voxet_open_speedup"] = found["voxet_plain_seconds"] / found["voxet_open_seconds"]
    found["voxet_open_memory_saving"] = found["voxet_plain_peak_mb"] / max(found["voxet_open_peak_mb"], 1.0)
    found["voxet_cube_memory_saving"] = found["voxet_plain_peak_mb"] / max(found["voxet_cube_peak_mb"], 1.0)
    return {name: round(value, 3) for name, value in found.items()}


def table(found: dict[str, float]) -> str:
    surface = f"TSurf, {found['tsurf_vertices']:,} vertices, {found['tsurf_triangles']:,} triangles"
    voxet = f"voxet, {found['voxet_cells']:,} cells × {found['voxet_properties']} properties"
    rows = [
        (f"{surface}: read", "tsurf"),
        ("  the same, line by line in Python", "tsurf_plain"),
        (f"{voxet}: open", "voxet_open"),
        ("  every layer into a cube, chunk by chunk", "voxet_cube"),
        ("  read all of it with numpy.fromfile", "voxet_plain"),
    ]
    lines = [f"{'':64}{'seconds':>10}{'peak MB':>10}"]
    for label, key in rows:
        lines.append(f"{label:64}{found[f'{key}_seconds']:10.2f}{found[f'{key}_peak_mb']:10.0f}")
    return "\n".join(lines)


if __name__ == "__main__":
    args = parsed()
    if args.step:
        print(json.dumps(STEPS[args.step](args)))
    else:
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            found = measure(args, Path(folder))
        print(json.dumps(found, indent=1) if args.json else table(found))
