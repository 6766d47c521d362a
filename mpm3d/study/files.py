"""The files that a study names."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from mpm3d import io
from mpm3d.wells import Well

if TYPE_CHECKING:
    from mpm3d.study.layers import BoreholesLayer
    from mpm3d.study.tables import DepositTable


def drillholes(table: DepositTable | BoreholesLayer, folder: Path) -> list[Well]:
    """The drillholes of a layer or a deposit, whose files are relative to ``folder``."""
    survey = present(folder / table.survey) if table.survey else None
    collar, intervals = present(folder / table.collar), present(folder / table.intervals)
    return io.drillholes.read_drillholes(collar, survey, intervals)


def present(path: Path) -> Path:
    """The file, or its gzipped twin where only that exists."""
    twin = path.with_name(path.name + ".gz")
    return twin if not path.exists() and twin.is_file() else path


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, read piece by piece, that of the text where it is gzipped."""
    digest = hashlib.sha256()
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    with gzip.open(path, "rb") if zipped else path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
