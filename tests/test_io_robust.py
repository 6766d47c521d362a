"""Damaged files give a `FormatError` with the file's name, in little time and memory, and nothing else."""

from __future__ import annotations

import json
import os
import random
import shutil
import tracemalloc
from pathlib import Path

import pytest
from damage import damaged
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpm3d import io
from mpm3d.errors import FormatError

ROWS = json.loads((Path(__file__).parent / "corpus_expected.json").read_text(encoding="utf-8"))
PATHS = [row["path"] for row in ROWS]
# more examples, and others each time, for an evening's search
EXAMPLES = int(os.environ.get("MPM3D_EXAMPLES", "0"))
LARGE = 300_000


def read_or_refuse(path: Path) -> None:
    """Read a file; what is wrong with it must be said with the name of a file that is there."""
    refusal = None
    try:
        assert isinstance(io.read(path), list)
    except FormatError as error:
        refusal = error
    assert refusal is None or (refusal.path.name and refusal.reason)


def header_of(path: Path) -> Path:
    """The file that is read when this one is damaged: itself, or the header that names it."""
    for other in path.parent.glob("*"):
        if other.suffix in (".vo", ".sg", ".ers", ".gp") and path.name.encode() in other.read_bytes():
            return other
    return path


@pytest.mark.corpus
@pytest.mark.parametrize("name", PATHS)
def test_damaged_files_are_read_or_refused_in_little_memory(name, corpus_dir, tmp_path):
    source = corpus_dir / name
    folder = tmp_path / "damaged"
    alone = source.parent == corpus_dir
    shutil.copytree(source.parent, folder, ignore=lambda _, names: names if alone else ())
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    target = folder / source.name
    content = source.read_bytes()
    examples = EXAMPLES or (15 if len(content) < LARGE else 3)

    @settings(
        max_examples=examples, deadline=None, derandomize=not EXAMPLES, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.integers(0, 2**62))
    def damage_and_read(seed):
        target.write_bytes(damaged(content, random.Random(seed)))
        tracemalloc.start()
        try:
            read_or_refuse(header_of(target))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
        # gzip unpacks to a thousand times its size at most, real text to some tens
        assert peak < 60_000_000 + 100 * size * (30 if name.endswith(".gz") else 1)

    damage_and_read()


KEPT = sorted((Path(__file__).parent / "data" / "fuzz").glob("*.bin"))


@pytest.mark.parametrize("path", KEPT, ids=[path.stem for path in KEPT])
def test_what_fuzzing_found_stays_mended(path):
    read_or_refuse(path)
