"""The benchmark of the engine, on a few patches."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "pipelines" / "bench_engine.py"
SMALL = ["--cells", "8", "--patches", "32", "--epoch", "64", "--rounds", "1", "--threads", "2"]


@pytest.mark.slow
def test_the_benchmark_gives_its_numbers_and_all_ways_agree() -> None:
    command = [sys.executable, str(SCRIPT), "--json", *SMALL]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    for key in (
        "stock_cells_per_s", "engine_cells_per_s", "predict_cells_per_s", "loader_cells_per_s",
        "engine_over_stock", "predict_over_loader", "epoch_speedup_64", "epoch_speedup_256",
    ):  # fmt: skip
        assert found[key] > 0, key
    assert "monai_cells_per_s" in found
    assert found["threads"] == 2
    assert found["max_abs_diff"] < 1e-5
