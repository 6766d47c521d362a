"""What all writers of GoCAD files share: names, headings, numbers for no-data, and the file itself."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mpm3d.geometry import Array
from mpm3d.io.files import replacing

# tried in this order until one is not among the values
_NO_DATA = (-99999.0, -999999.0, -9.9999e29)


def save(path: str | Path, texts: Iterable[str]) -> None:
    """Write texts in UTF-8 as they come, gzipped if the name ends in ``.gz``, or nothing at all."""
    path = Path(path)
    with replacing(path) as part, part.open("wb") as plain:
        if path.suffix.lower() != ".gz":
            plain.writelines(text.encode() for text in texts)
            return
        with gzip.GzipFile("", "wb", 6, plain, mtime=0) as packed:
            packed.writelines(text.encode() for text in texts)


def heading(kind: str, name: str, crs_name: str, z_positive: str) -> list[str]:
    """First lines of an object: name and coordinate block."""
    plain = _plain(name)
    if plain != plain.strip() or (len(plain) > 1 and plain[0] == plain[-1] == '"'):
        plain = f'"{plain}"'  # readers take off blanks, and one pair of quotes
    return [
        f"GOCAD {kind} 1",
        "HEADER {",
        f"name:{plain}",
        "}",
        "GOCAD_ORIGINAL_COORDINATE_SYSTEM",
        f"NAME {quoted(crs_name or 'Default')}",
        'AXIS_NAME "X" "Y" "Z"',
        'AXIS_UNIT "m" "m" "m"',
        f"ZPOSITIVE {'Depth' if z_positive == 'Depth' else 'Elevation'}",
        "END_ORIGINAL_COORDINATE_SYSTEM",
    ]


def _plain(text: str) -> str:
    if "\n" in text or "\r" in text:
        raise ValueError(f"the name {text!r} has more than one line, a GoCAD file cannot hold it. Rename it.")
    return text


def quoted(text: str) -> str:
    """One word of a line, in quotes where blanks would break it.

    Raises
    ------
    ValueError
        If it has a line break, or a quotation mark where quotes are needed.
    """
    plain = _plain(text)
    if plain and plain.split() == [plain] and plain[0] != '"':
        return plain
    if '"' in plain:
        raise ValueError(
            f"the name {text!r} has a quotation mark and begins with it or has blanks too, a GoCAD file "
            "cannot hold it. Rename it."
        )
    return f'"{plain}"'


def no_data_for(values: Array) -> float:
    """Value that stands for NaN and is not among the values."""
    with np.errstate(over="ignore", invalid="ignore"):
        for value in (*_NO_DATA, *(-1e32 * 10.0**power for power in range(200))):
            if not np.any(np.abs(values - value) <= 1e-6 * abs(value)):
                break
    return float(value)
