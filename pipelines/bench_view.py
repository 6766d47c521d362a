"""Measure how fast a view follows its threshold, and the plain way in the same run.

A volume of smooth random scores as percentiles is drawn off screen, 1280 by 800 pixels, with its best 2 % and
its best 11 %. Each way runs in a process of its own. A change is everything from the call to pixels that can
be read: cells found, faces made, numbers counted, picture drawn. Seconds are those of the clock; those of all
threads, "cpu", tell what one core that does nothing else would need. The plain way compares the whole volume,
looks for changes along each axis, gives every face corners of its own and draws translucent faces layer by
layer.
"""

from __future__ import annotations

import argparse
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
SHARES = (0.02, 0.11)
SIZE = (1280, 800)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print numbers only, as JSON")
    parser.add_argument("--quick", action="store_true", help="a small volume, one round")
    parser.add_argument("--shape", type=int, nargs=3, default=(100, 400, 400), help="cells along z, y and x")
    parser.add_argument("--smooth", type=float, default=6.0, help="smoothing of the scores, in cells")
    parser.add_argument(
        "--rounds", type=int, default=3, help="times that everything is done; the best counts"
    )
    parser.add_argument("--folder", type=Path, help="where to write; a temporary folder by default")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.quick:
        args.shape, args.rounds, args.smooth = (20, 40, 50), 1, 3.0
    return args


def peak_mb() -> float:
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / MB if sys.platform == "darwin" else size / 1024  # bytes, or kilobytes


def make(args: argparse.Namespace) -> dict[str, Any]:
    """Percentiles of a smooth random field."""
    import numpy as np
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    field = gaussian_filter(rng.standard_normal(args.shape, dtype=np.float32), args.smooth).ravel()
    percentiles = np.empty(field.size, dtype=np.float32)
    percentiles[np.argsort(field)] = 100 * (np.arange(field.size) + 1) / field.size
    np.save(args.folder / "score.npy", percentiles.reshape(args.shape))
    return {"cells": field.size}


def scene_of(args: argparse.Namespace) -> Any:
    import numpy as np

    from mpm3d.grid import Grid
    from mpm3d.view import make_scene
    from mpm3d.view.renderer import require_renderer

    require_renderer()
    shape = tuple(args.shape)
    grid = Grid(shape, (50.0, 50.0, 50.0), (-50.0 * shape[0], 4_000_000.0, 500_000.0), "EPSG:32651")
    middle = [n // 2 for n in shape]
    known = np.argwhere(np.ones((5, 5, 5), bool)) + middle - 2
    given = {"title": "bench", "threshold": 98.0, "units": "percentile of the scored volume"}
    scene = make_scene(
        grid=grid, score=np.load(args.folder / "score.npy"), cells={"deposit": {"A": known}}, **given
    )
    assert scene.score_range[1] > 0  # read before anything is measured
    return scene


def best(name: str, rounds: int, call: Callable[..., Any], *given: Any) -> dict[str, float]:
    """Least seconds of some rounds by the clock, and of all threads."""
    clock, cpu = [], []
    for _ in range(rounds):
        start, used = time.perf_counter(), time.process_time()
        call(*given)
        clock.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
    return {f"{name}_seconds": min(clock), f"{name}_cpu_seconds": min(cpu)}


def pixels(window: Any) -> int:
    """Draw, and wait for the pixels."""
    from vtkmodules.vtkCommonCore import vtkUnsignedCharArray

    window.Render()
    read = vtkUnsignedCharArray()
    window.GetPixelData(0, 0, SIZE[0] - 1, SIZE[1] - 1, 1, read, 0)
    return int(read.GetNumberOfValues())


def by_blocks(args: argparse.Namespace) -> dict[str, Any]:
    from mpm3d.view.session import Session

    scene = scene_of(args)
    before, start = peak_mb(), time.perf_counter()
    session = Session(scene, off_screen=True, size=SIZE)
    pixels(session.plotter.render_window)
    found: dict[str, Any] = {"opened_seconds": time.perf_counter() - start}

    def change(threshold: float, coarse: bool) -> None:
        session.set_threshold(threshold, coarse=coarse)
        pixels(session.plotter.render_window)

    change(99.0, True)  # the larger cells are made when they are first needed
    for share in SHARES:
        cut, name = 100 * (1 - share), f"{100 * share:.0f}"
        found |= best(f"coarse_{name}", args.rounds, change, cut, True)
        found |= best(f"full_{name}", args.rounds, change, cut, False)
        found[f"cells_{name}"] = session.readouts[0].n_cells
        found[f"faces_{name}"] = session.panes[0].made["score"][0].mapper.dataset.n_cells
        found |= best(f"picture_{name}", args.rounds, pixels, session.plotter.render_window)
    places = iter(range(1, 2 + 2 * args.rounds))

    def slide() -> None:
        session.set_slice("z", scene.grid.bounds[2] + 50.0 * next(places))
        pixels(session.plotter.render_window)

    found |= best("slice", args.rounds, slide)
    found |= best("pick", args.rounds, session.pick, SIZE[0] / 2, SIZE[1] / 2)
    found["peak_rss_mb"] = peak_mb() - before
    levels = session.panes[0].levels
    kept = levels.blocks.codes.nbytes + (
        levels.coarse_blocks.codes.nbytes + levels.coarse_blocks.values.nbytes
    )
    found["kept_bytes_per_cell"] = kept / scene.grid.n_cells
    session.close()
    return found


def plain(args: argparse.Namespace) -> dict[str, Any]:
    """The whole volume compared, a face list without shared corners, translucent layer by layer."""
    import numpy as np

    from mpm3d.view import actors, read_out
    from mpm3d.view.camera import fit_camera
    from mpm3d.view.faces import slice_faces, target_faces

    scene = scene_of(args)
    before = peak_mb()
    plotter = actors.make_plotter("plain", SIZE, 1, off_screen=True)
    plotter.enable_depth_peeling(number_of_peels=4)
    bounds = actors.local_bounds(scene)
    values = scene.values[np.isfinite(scene.values)]
    look = {"scalars": "value", "cmap": actors.score_map(), "show_scalar_bar": False, "render": False,
            "clim": (float(np.median(values)), scene.score_range[1]), "reset_camera": False}  # fmt: skip
    shown: dict[str, Any] = {}

    def draw(name: str, mesh: Any, opacity: float) -> None:
        if name in shown:
            plotter.remove_actor(shown.pop(name), render=False)
        if mesh.n_cells:
            shown[name] = plotter.add_mesh(mesh, opacity=opacity, **look)
        pixels(plotter.render_window)

    def change(threshold: float) -> None:
        draw("score", actors.face_mesh(target_faces(scene, threshold)), 0.75)
        shown["cells"] = read_out(scene, threshold).n_cells

    change(99.0)
    actors.aim(plotter, fit_camera(bounds, "northwest", SIZE, (115.0, 100.0, 110.0, 60.0)), bounds)
    found: dict[str, Any] = {}
    for share in SHARES:
        cut, name = 100 * (1 - share), f"{100 * share:.0f}"
        found |= best(f"full_{name}", args.rounds, change, cut)
        found[f"cells_{name}"] = shown["cells"]
        found[f"faces_{name}"] = shown["score"].mapper.dataset.n_cells
    places = iter(range(1, 2 + 2 * args.rounds))

    def slide() -> None:
        draw("slice", actors.face_mesh(slice_faces(scene, scene.values, 0, next(places))), 1.0)

    found |= best("slice", args.rounds, slide)
    found["peak_rss_mb"] = peak_mb() - before
    plotter.close()
    return found


STEPS = {"make": make, "by_blocks": by_blocks, "plain": plain}


def run(args: argparse.Namespace, step: str) -> dict[str, Any]:
    words = ["--rounds", str(args.rounds), "--smooth", str(args.smooth), "--folder", str(args.folder)]
    command = [sys.executable, __file__, "--shape", *map(str, args.shape), *words, "--step", step]
    text = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    result: dict[str, Any] = json.loads(text)
    return result


def bench(args: argparse.Namespace) -> dict[str, Any]:
    made, blocks, whole = (run(args, step) for step in ("make", "by_blocks", "plain"))
    names = [f"{100 * share:.0f}" for share in SHARES]
    same = all(
        blocks[f"{key}_{name}"] == whole[f"{key}_{name}"] for key in ("cells", "faces") for name in names
    )
    ratios = {
        f"plain_over_full_{name}": whole[f"full_{name}_seconds"] / blocks[f"full_{name}_seconds"]
        for name in names
    }
    ratios |= {
        f"plain_over_coarse_{name}": whole[f"full_{name}_seconds"] / blocks[f"coarse_{name}_seconds"]
        for name in names
    }
    plain_ones = {f"plain_{key}": value for key, value in whole.items() if key.endswith(("seconds", "mb"))}
    return {"volume_cells": made["cells"], "same": same, **blocks, **plain_ones, **ratios}


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
        print(f"{key:<26} {value:,.3f}" if isinstance(value, float) else f"{key:<26} {value:,}")


if __name__ == "__main__":
    main()
