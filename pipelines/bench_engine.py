"""Measure how many cells a second DL4 scores on 7 layers, and how fast it fits, against stock ways.

All ways take turns, round after round, and each gets its median. "Stock" is torch's own convolution at its
best here: every memory format and batch size is tried with threads inside and with one batch per core, and
the fastest few go on to the rounds. The scores of all ways are compared.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as mpm3d does: waiting threads sleep

import numpy as np
import torch
import xarray as xr

from mpm3d import cube
from mpm3d.grid import Grid
from mpm3d.models import make
from mpm3d.models.patch_conv import use_stock
from mpm3d.models.training import Training, train
from mpm3d.predict import Settings, predict

LAYERS = tuple(f"layer_{number}" for number in range(7))
BATCHES = (128, 256, 1024, 4096)
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last_3d}


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print numbers only, as JSON")
    parser.add_argument("--cells", type=int, default=100, help="cells along a side of the cube")
    parser.add_argument("--patches", type=int, default=8192, help="patches that each way scores in a round")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of all ways in alternation")
    parser.add_argument("--epoch", type=int, default=2048, help="patches of an epoch of fitting")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--quick", action="store_true", help="a cube of 40³ cells and at most 3 rounds")
    args = parser.parse_args()
    if args.quick:
        args.cells, args.rounds = 40, min(args.rounds, 3)
    return args


def fitted(seed: int = 0) -> Any:
    """A DL4 that has seen one epoch of noise: speed does not depend on the weights."""
    rng = np.random.default_rng(seed)
    patches = rng.normal(size=(64, 7, 3, 3, 3)).astype(np.float32)
    estimator = make("dl4", LAYERS, epochs=1, device="cpu")
    return estimator.fit(patches, np.arange(64) % 2, rng=rng)


def volume(side: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(7, side, side, side)).astype(np.float32)


def speed(job: Callable[[], Any], cells: int) -> float:
    start = time.perf_counter()
    job()
    return cells / (time.perf_counter() - start)


def split(
    score: Callable[[np.ndarray], np.ndarray], patches: np.ndarray, batch: int, workers: int
) -> np.ndarray:
    """Score batches on worker threads."""
    parts = [patches[first : first + batch] for first in range(0, len(patches), batch)]
    with ThreadPoolExecutor(workers) as pool:
        return np.concatenate(list(pool.map(score, parts)))


def stock(estimator: Any, way: tuple[str, int, bool], patches: np.ndarray, threads: int) -> np.ndarray:
    """Probabilities of the stock network, on standardised patches."""
    layout, batch, inside = way
    network = estimator.network_.to(memory_format=FORMATS[layout])
    torch.set_num_threads(threads if inside else 1)

    def score(part: np.ndarray) -> np.ndarray:
        torch.set_num_threads(threads if inside else 1)  # each thread has its own setting
        with torch.inference_mode():
            logits = network(torch.from_numpy(part).to(memory_format=FORMATS[layout]))
            return torch.softmax(logits, dim=1)[:, 1].numpy()

    use_stock(network)
    try:
        return split(score, patches, batch, 1 if inside else threads)
    finally:
        use_stock(network, False)


def engine(estimator: Any, patches: np.ndarray, threads: int) -> np.ndarray:
    """Probabilities as any user gets them, scaling included, one batch per core."""
    torch.set_num_threads(1)
    return split(estimator.score_samples, patches, -(-len(patches) // (2 * threads)), threads)


class Patches(torch.utils.data.Dataset):
    """What people write today: a patch cut out of the padded volume for each index."""

    def __init__(self, values: np.ndarray, cells: np.ndarray) -> None:
        self.values, self.cells = np.pad(values, ((0, 0), (1, 1), (1, 1), (1, 1))), cells

    def __len__(self) -> int:
        return len(self.cells)

    def __getitem__(self, index: int) -> torch.Tensor:
        z, y, x = self.cells[index]
        return torch.from_numpy(self.values[:, z : z + 3, y : y + 3, x : x + 3].copy())


def loader(estimator: Any, values: np.ndarray, count: int, threads: int) -> np.ndarray:
    """A loop over a DataLoader, the stock network in its usual format."""
    torch.set_num_threads(threads)
    network = estimator.network_.to(memory_format=torch.contiguous_format)
    cells = np.argwhere(np.ones(values.shape[1:], dtype=bool))[:count]
    use_stock(network)
    try:
        with torch.inference_mode():
            batches = torch.utils.data.DataLoader(Patches(values, cells), batch_size=1024)
            return np.concatenate([torch.softmax(network(batch), dim=1)[:, 1].numpy() for batch in batches])
    finally:
        use_stock(network, False)


def monai(estimator: Any, values: np.ndarray, threads: int) -> Any:
    """MONAI's sliding window of 3×3×3 cells; it has no notion of a middle cell, so windows are blended."""
    from monai.inferers import sliding_window_inference

    torch.set_num_threads(threads)
    network = estimator.network_.to(memory_format=torch.contiguous_format)
    use_stock(network)

    def predictor(windows: torch.Tensor) -> torch.Tensor:
        p = torch.softmax(network(windows), dim=1)[:, 1]
        return p[:, None, None, None, None].expand(-1, 1, 3, 3, 3).clone()

    try:
        with torch.inference_mode():
            tensor = torch.from_numpy(values)[None]
            return sliding_window_inference(tensor, (3, 3, 3), 1024, predictor, overlap=2 / 3)
    finally:
        use_stock(network, False)


def whole(estimator: Any, folder: Path, threads: int) -> float:
    """Cells per second of the whole ``predict``, reading and writing included."""
    torch.set_num_threads(threads)
    start = time.perf_counter()
    settings = Settings(workers=threads, overwrite=True)
    done = predict(
        folder / "cube.zarr", [estimator], folder / "out.zarr", model_hash="bench", settings=settings
    )
    return done.n_scored / (time.perf_counter() - start)


def epoch(batch: int, size: int, threads: int, *, plain: bool) -> float:
    """Seconds of the second of two epochs."""
    rng = np.random.default_rng(2)
    torch.set_num_threads(threads)
    network = make("dl4", LAYERS)._network(seed=0)  # type: ignore[attr-defined]
    use_stock(network, plain)
    data = rng.normal(size=(size, 7, 3, 3, 3)).astype(np.float32), np.arange(size) % 2
    history = train(network, data, None, plan=Training(epochs=2, batch_size=batch), rng=rng)
    return float(history[-1]["seconds"])


def write_cube(folder: Path, values: np.ndarray) -> None:
    grid = Grid(values.shape[1:], (50.0, 50.0, 50.0), (0.0, 4_000_000.0, 500_000.0), "EPSG:32651")
    cube.create(folder / "cube.zarr", grid)

    for name, layer in zip(LAYERS, values, strict=True):

        def fill(part: Grid, layer: np.ndarray = layer) -> np.ndarray:
            first = grid.index_of([np.array(part.first_centre)[::-1]])[0]
            return layer[tuple(slice(i, i + n) for i, n in zip(first, part.shape, strict=True))]

        cube.add_layer(folder / "cube.zarr", name, fill, units="1", long_name=name)


class Contest:
    """All ways on the same weights, patches and cube."""

    def __init__(self, args: argparse.Namespace, folder: Path) -> None:
        self.folder, self.threads, self.epoch = folder, args.threads, args.epoch
        self.estimator, values = fitted(), volume(args.cells)
        write_cube(folder, values)
        self.values = self.estimator.scaling_.standardise(values)
        self.patches = np.random.default_rng(3).normal(size=(args.patches, 7, 3, 3, 3)).astype(np.float32)
        self.scaled = self.estimator.scaling_.standardise(self.patches)
        self.few = min(args.patches // 2, args.cells**3)
        self.rates: dict[Any, list[float]] = {}

    def stock(self, way: tuple[str, int, bool]) -> float:
        """Cells per second of a stock way."""
        return speed(lambda: stock(self.estimator, way, self.scaled, self.threads), len(self.scaled))

    def fastest(self, count: int) -> list[tuple[str, int, bool]]:
        """The stock ways that are fastest in one try each."""
        ways = itertools.product(FORMATS, BATCHES, (True, False))
        return sorted(ways, key=self.stock, reverse=True)[:count]

    def round(self, ways: list[tuple[str, int, bool]]) -> None:
        """Let each way work once."""
        jobs: dict[Any, Callable[[], float]] = {way: partial(self.stock, way) for way in ways}
        jobs["engine"] = lambda: speed(
            lambda: engine(self.estimator, self.patches, self.threads), len(self.patches)
        )
        jobs["predict"] = lambda: whole(self.estimator, self.folder, self.threads)
        jobs["loader"] = lambda: speed(
            lambda: loader(self.estimator, self.values, self.few, self.threads), self.few
        )
        side = min(12, self.values.shape[1])
        if importlib.util.find_spec("monai"):
            slab = self.values[:, :side, :side, :side]
            jobs["monai"] = lambda: speed(lambda: monai(self.estimator, slab, self.threads), (side - 2) ** 3)
        for batch, plain in itertools.product((64, 256), (True, False)):
            jobs[batch, plain] = partial(epoch, batch, self.epoch, self.threads, plain=plain)
        for name, job in jobs.items():
            self.rates.setdefault(name, []).append(job())

    def max_abs_diff(self) -> float:
        """Of probabilities: engine and stock on patches, ``predict`` and the plain loop on the cube."""
        plain = stock(self.estimator, ("contiguous", 256, True), self.scaled, self.threads)
        ours = engine(self.estimator, self.patches, self.threads)
        loop = loader(self.estimator, self.values, self.few, self.threads)
        with xr.open_zarr(self.folder / "out.zarr", consolidated=False) as out:
            volume = out["score"].values.ravel()[: self.few]
        return float(max(np.abs(ours - plain).max(), np.abs(volume - loop).max()))


def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    contest = Contest(args, folder)
    engine(contest.estimator, contest.patches[:100], args.threads)  # compiles
    ways = contest.fastest(3)
    for _ in range(args.rounds):
        contest.round(ways)
    middle = {name: statistics.median(values) for name, values in contest.rates.items()}
    best = max(ways, key=lambda way: middle[way])
    found = {
        "stock_cells_per_s": middle[best],
        "engine_cells_per_s": middle["engine"],
        "predict_cells_per_s": middle["predict"],
        "loader_cells_per_s": middle["loader"],
        "monai_cells_per_s": middle.get("monai"),
        "engine_over_stock": middle["engine"] / middle[best],
        "predict_over_loader": middle["predict"] / middle["loader"],
        "predict_over_engine": middle["predict"] / middle["engine"],
        "max_abs_diff": contest.max_abs_diff(),
        "threads": args.threads,
        "stock_best": f"{best[0]}, batches of {best[1]}, {'threads inside' if best[2] else 'one per core'}",
        "cube_cells": args.cells**3,
        "rounds": args.rounds,
    }
    for batch in (64, 256):
        found[f"epoch_stock_seconds_{batch}"] = middle[batch, True]
        found[f"epoch_fast_seconds_{batch}"] = middle[batch, False]
        found[f"epoch_speedup_{batch}"] = middle[batch, True] / middle[batch, False]
    return found


def main() -> None:
    args = parsed()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(args, Path(folder))
    if args.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:28} {value if not isinstance(value, float) else format(value, '.4g')}")


if __name__ == "__main__":
    main()
