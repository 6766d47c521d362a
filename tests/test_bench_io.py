"""The benchmark of reading, on small files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "pipelines" / "bench_io.py"
SMALL = ["--vertices", "30", "--cells", "20", "--properties", "2"]


def call(*words: str) -> str:
    command = [sys.executable, str(SCRIPT), *SMALL, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_benchmark_gives_its_numbers_and_leaves_nothing(tmp_path: Path) -> None:
    found = json.loads(call("--json", "--folder", str(tmp_path)))
    assert (found["tsurf_vertices"], found["tsurf_triangles"], found["voxet_cells"]) == (900, 1682, 8000)
    for key in (
        "tsurf_seconds", "tsurf_plain_seconds", "tsurf_speedup", "tsurf_peak_over_arrays",
        "voxet_open_seconds", "voxet_open_peak_mb", "voxet_cube_seconds", "voxet_cube_peak_mb",
        "voxet_plain_seconds", "voxet_plain_peak_mb", "voxet_write_seconds",
    ):  # fmt: skip
        assert found[key] >= 0, key
    assert list(tmp_path.iterdir()) == []
