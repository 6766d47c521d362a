"""A small scene with a known answer; ``python browser_scene.py TOKEN STYLES one`` shows it in a browser."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from mpm3d.geometry import Surface
from mpm3d.grid import Grid
from mpm3d.view import Scene, SceneTarget, make_scene

GRID = Grid((10, 12, 14), (50.0, 50.0, 50.0), (-400.0, 3_276_400.0, 612_300.0), "EPSG:32651")
DEPOSITS = {"North": np.array([[6, 8, 3], [6, 8, 4], [5, 8, 3]]), "South": np.array([[2, 2, 10], [2, 3, 10]])}
THRESHOLD = 0.6


def scores() -> np.ndarray:
    """Two hills of unlike height, no cell like another, no score in the highest layer's corner."""
    z, y, x = np.indices(GRID.shape)
    one = np.exp(-((z - 6) ** 2 + (y - 8) ** 2 + (x - 3) ** 2) / 8)
    two = 0.9 * np.exp(-((z - 3) ** 2 + (y - 3) ** 2 + (x - 10) ** 2) / 10)
    values = np.maximum(one, two) + 1e-5 * np.arange(z.size).reshape(z.shape)
    values[9, :3, :3] = np.nan
    return values.astype(np.float32)


def layers() -> dict[str, np.ndarray]:
    """Evidence whose values name the cell."""
    z, y, x = np.indices(GRID.shape)
    return {"density": 2.5 + 0.01 * z + 0.0001 * y, "fault_distance": 50.0 * x + y}


def _target(number: int, kind: str, low: tuple[int, int, int], high: tuple[int, int, int]) -> SceneTarget:
    """A target that fills the cells from ``low`` up to ``high``, counts along z, y and x."""
    corner, spacing = np.array(GRID.corner), np.array(GRID.spacing)
    first, last = (corner + np.array(low) * spacing)[::-1], (corner + np.array(high) * spacing)[::-1]
    return SceneTarget(
        f"T{number:02d}", number, kind, tuple(((first + last) / 2).tolist()),
        (*first.tolist(), *last.tolist()),
        (("ranking", f"0.{9 - number}"), ("volume", "0.004 km³"), ("depth to top", f"{40 * number} m"),
         ("nearest deposit", f"{200 * number} m"), ("mean score", "0.81"), ("spread", "0.05")),
        "density +0.12; fault_distance +0.05", "resistivity -0.02", f"D{number:02d}" if number == 1 else "",
    )  # fmt: skip


def small_scene() -> Scene:
    """The scene."""
    x0, y0, _, x1, y1, z1 = GRID.bounds
    ground = np.array([[x0, y0, z1 + 20], [x1, y0, z1 + 60], [x1, y1, z1 + 40], [x0, y1, z1 + 80]])
    fault = np.array([[x0 + 300, y0, z1], [x0 + 420, y1, z1], [x0 + 460, y1, -400.0]])
    return make_scene(
        title="Two hills", grid=GRID, score=scores(), threshold=THRESHOLD,
        surfaces={
            "topography": [Surface("ground", ground, np.array([[0, 1, 2], [0, 2, 3]]))],
            "fault": [
                Surface("F1", fault, np.array([[0, 1, 2]])),
                Surface("F2", fault + np.array([150, 0, 0]), np.array([[0, 1, 2]])),
            ],
        },
        cells={"deposit": DEPOSITS}, evidence=layers(), companions={"spread": np.full(GRID.shape, 0.125)},
        units_of={"density": "g/cm³", "fault_distance": "m", "spread": "model score"},
        targets=(
            _target(1, "target", (4, 6, 1), (9, 11, 6)), _target(2, "known deposit", (1, 1, 8), (6, 6, 13))
        ),
    )  # fmt: skip


if __name__ == "__main__":
    from mpm3d.view.browser import layout, serve

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have switched it off
    layout.STYLES = Path(sys.argv[2])
    scene = small_scene()
    if sys.argv[3] == "two":
        scene = replace(scene, beside=replace(scene, title="Root", score=np.sqrt(scores()), targets=()))
    serve(scene, token=sys.argv[1], open_browser=False)
