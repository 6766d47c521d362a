"""Headers of ER Mapper rasters, checked before GDAL reads them, which gives zeros for missing values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NoReturn

from mpm3d.errors import FormatError


def check_header(path: Path, head: bytes, *, outside: bool = False) -> Path:
    """Refuse a header whose data file is elsewhere, missing or too short.

    Parameters
    ----------
    path : Path
        The ``.ers`` file.
    head : bytes
        Its content.
    outside : bool
        Whether the data file may be outside the folder of the header.

    Returns
    -------
    Path
        The data file.

    Raises
    ------
    FormatError
        If there is no such file, it is shorter than the header needs, or the grid is turned.
    """
    text = head.decode("latin-1")
    _check_lines(path, text)
    turned = _word(text, "Rotation")
    if re.search("[1-9]", turned):
        _fail(
            path,
            f"the grid is turned (Rotation = {turned}), which GDAL leaves out of account. "
            "Export it as GeoTIFF.",
        )
    stem = path.name[:-4] if path.name.lower().endswith(".ers") else path.stem
    name = _word(text, "DataFile", stem)
    if not outside and (re.search(r"[/\\:]", name) or name in ("", ".", "..")):
        _fail(
            path, f"the data file {name!r} is outside the folder of the header. Allow it with outside=True."
        )
    data = path.parent / name
    if not data.is_file():
        _fail(path, f"the values should be in {name!r} beside the header, which is missing. Copy both files.")
    # a translated data set is a raster of another format with its own header
    if _word(text, "DataSetType").lower() == "translated":
        return data
    needed = _needed(path, text)
    if data.stat().st_size < needed:
        _fail(
            path,
            f"the header needs {needed:,} bytes of values, the data file {name!r} has "
            f"{data.stat().st_size:,}. It is truncated, copy it again.",
        )
    return data


def _fail(path: Path, reason: str) -> NoReturn:
    raise FormatError(path, reason)


def _check_lines(path: Path, text: str) -> None:
    """Refuse lines that are no value, ``Begin`` or ``End``; values in braces go over several."""
    braces = 0
    for number, line in enumerate(text.replace("\r", "").split("\n"), start=1):
        bare = re.sub(r'"[^"]*("|$)', "", line).strip()
        known = braces > 0 or not bare or "=" in bare or re.search(r"(?i)\s(Begin|End)$", bare)
        if not known or not bare.isascii() or re.search(r"[\x00-\x08\x0b-\x1f]", line):
            raise FormatError(path, f"{line.strip()[:40]!r} is no value such as 'NrOfLines = 126'.", number)
        braces += bare.count("{") - bare.count("}")


def _word(text: str, key: str, default: str = "") -> str:
    """The first value of a key, without its quotes."""
    found = re.search(rf'(?im)^\s*{key}\s*=\s*"?([^"\r\n]*)', text)
    return found.group(1).strip() if found else default


def _needed(path: Path, text: str) -> int:
    """Bytes of the data file: type, lines, cells and bands."""
    kind = _word(text, "CellType")
    size = re.fullmatch(r"(?:(?:Uns|S)igned(8|16|32)BitInteger|IEEE([48])ByteReal)", kind, re.IGNORECASE)
    if size is None:
        _fail(path, f"CellType is {kind!r}, a type such as 'IEEE4ByteReal' is needed.")
    counts = []
    for key, default in (
        ("NrOfLines", ""),
        ("NrOfCellsPerLine", ""),
        ("NrOfBands", "1"),
        ("HeaderOffset", "0"),
    ):
        word = _word(text, key, default)
        if not re.fullmatch(r"\d{1,18}", word):
            _fail(path, f"{key} is {word!r}, a whole number is needed.")
        counts.append(int(word))
    lines, cells, bands, offset = counts
    return offset + lines * cells * bands * (int(size.group(1)) // 8 if size.group(1) else int(size.group(2)))
