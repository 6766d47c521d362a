"""Fuzz the readers with atheris: what a damaged file may do is a `FormatError`, and nothing else.

Run by hand, not by the test command (``pip install atheris`` first)::

    python tests/fuzz_io.py FINDINGS CORPUS [CORPUS ...] -- -max_total_time=600

Files of the corpora, and small ones in every format that is written, are the seeds. Each distinct exception,
each read of more than five seconds and each that takes more than 500 MB is kept in FINDINGS with its
traceback, and the run goes on. Inputs that reached new code are kept in FINDINGS/inputs, where the next run
begins. Run it several times rather than long: the memory of atheris itself grows. What it finds is mended and
kept in tests/data/fuzz, where the tests read it.
"""

from __future__ import annotations

import gzip
import importlib
import pkgutil
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["mpm3d.io", "mpm3d.lattice", "mpm3d.geometry", "mpm3d.wells"]):
    from mpm3d import io

    # readers are loaded when they are first used, too late to be watched
    for module in pkgutil.walk_packages(io.__path__, "mpm3d.io."):
        importlib.import_module(module.name)

import numpy as np
from damage import damaged

from mpm3d.errors import FormatError
from mpm3d.geometry import Lines, Points, Surface, Tetrahedra
from mpm3d.io import export
from mpm3d.lattice import BlockModel, PropertyModel, Raster
from mpm3d.wells import Well

SLOW, LARGE = 5.0, 500 * 1024  # seconds, kB
LARGEST_SEED = 100_000


def write_seeds(folder: Path) -> None:
    """Write something small in every format that there is a writer for."""
    corners = np.array([[0.0, 0, 0], [50, 0, -10], [0, 50, -20], [50, 50, -30], [9, 9, 90]])
    surface = Surface("s", corners, np.array([[0, 1, 2], [1, 3, 2]]), properties={"p": np.arange(5.0)})
    bare = Surface("s", corners, np.array([[0, 1, 2]]))
    lines = Lines("l", corners, np.array([[0, 1], [1, 2]]), properties={"p": np.arange(5.0)})
    points = Points("p", corners, properties={"p": np.arange(5.0)})
    solid = Tetrahedra("t", corners, np.array([[0, 1, 2, 4]]))
    values = 1 + np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
    model = PropertyModel("m", tuple(50.0 * np.arange(n) for n in (3, 4, 5)), {"v": values})
    raster = Raster("r", np.arange(4.0), np.arange(5.0), {"v": np.arange(20.0).reshape(4, 5)})
    blocks = BlockModel("b", corners, np.full((5, 3), 5.0), {"v": np.arange(5.0)})
    well = Well(
        "w", corners[0], np.array([0.0, 100]), np.array([[0.0, 0, 0], [1, 2, -99]]), markers=(("a", 5.0),)
    )
    bodies = {
        "surface.ts": surface, "surface.vtp": surface, "surface.vtk": surface, "surface.omf": surface,
        "surface.msh": bare, "lines.pl": lines, "lines.vtp": lines, "lines.omf": lines, "points.vs": points,
        "points.vtp": points, "points.csv": points, "points.omf": points, "solid.so": solid,
        "solid.vtu": solid, "model.vo": model, "model.vti": model, "model.vtr": model, "model.vtk": model,
        "model.csv": model, "model.rho": model, "model.omf": model, "mesh.msh": model, "raster.tif": raster,
        "blocks.csv": blocks, "blocks.vtu": blocks, "well.wl": well,
    }  # fmt: skip
    folder.mkdir()
    for name, body in bodies.items():
        export.write(folder / name, [body])


class Harness:
    """Reads one damaged file after another in a folder where the data files of all headers lie."""

    def __init__(self, findings: Path, corpora: list[Path]) -> None:
        self.findings = findings
        self.folder = Path(
            tempfile.mkdtemp(prefix="fuzz", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
        )
        self.seeds = self.folder / "seeds"
        self.seeds.mkdir()
        findings.mkdir(parents=True, exist_ok=True)
        self.known: set[str] = {path.stem for path in findings.glob("*.txt")}
        write_seeds(self.folder / "own")
        corpora = [*corpora, self.folder / "own"]
        for number, path in enumerate(sorted(p for c in corpora for p in c.rglob("*") if p.is_file())):
            content = path.read_bytes()
            if content[:2] == b"\x1f\x8b":
                content = gzip.decompress(content)
            if "@@" in path.name:
                shutil.copy(path, self.folder / path.name)
            (self.seeds / f"{number}").write_bytes(content[:LARGEST_SEED])

    def one(self, data: bytes) -> None:
        """Read one file."""
        path = self.folder / "input.dat"
        path.write_bytes(data)
        before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
        try:
            io.read(path)
        except FormatError:
            pass
        except Exception as error:  # everything else is a finding
            frame = traceback.extract_tb(error.__traceback__)[-1]
            self.keep(f"{type(error).__name__}_{Path(frame.filename).stem}_{frame.lineno}", data)
        seconds = time.monotonic() - started
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        if seconds > SLOW:
            self.keep(f"slow_{seconds:.0f}s_{len(data)}", data)
        if grown > LARGE:
            self.keep(f"large_{grown // 1024}MB_{len(data)}", data)

    def keep(self, label: str, data: bytes) -> None:
        """Keep the first input of each kind of finding."""
        if label not in self.known:
            self.known.add(label)
            (self.findings / f"{label}.bin").write_bytes(data)
            (self.findings / f"{label}.txt").write_text(traceback.format_exc(), encoding="utf-8")
            print(f"finding: {label}", file=sys.stderr, flush=True)


def mutate(data: bytes, size: int, seed: int) -> bytes:
    """Damage as files are damaged, or as libFuzzer does."""
    rng = random.Random(seed)
    if data and rng.random() < 0.6:
        return damaged(data, rng)[:size]
    return atheris.Mutate(data, size)


def main() -> None:
    """Read the arguments and fuzz."""
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    findings, *corpora = (Path(name) for name in sys.argv[1:cut])
    harness = Harness(findings, corpora)
    inputs = findings / "inputs"
    inputs.mkdir(exist_ok=True)
    limits = ["-rss_limit_mb=4096", "-timeout=60", f"-artifact_prefix={findings}/"]
    options = [sys.argv[0], *limits, *sys.argv[cut + 1 :], str(inputs), str(harness.seeds)]
    atheris.Setup(options, harness.one, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
