"""Values of GoCAD objects as rows of text, read in pieces."""

from __future__ import annotations

import gzip
import itertools
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.geometry import Array
from mpm3d.grid import FloatArray
from mpm3d.io.files import to_number

# lines that are made into numbers at once
_PIECE = 50_000
# deflate packs a byte into 1/1032 of one at best
_PACKED = 1032


def read_rows(path: Path, count: int, width: int) -> Iterator[tuple[int, FloatArray]]:
    """Rows of at least ``width`` numbers, piece by piece; lines that begin with ``*`` or ``#`` are comments.

    Parameters
    ----------
    path : Path
        The file, gzipped or not.
    count : int
        How many rows there must be.
    width : int
        How many numbers of each row are wanted.

    Yields
    ------
    line : int
        Line of the first row of the piece, counted from 1.
    rows : array of shape (n, width)

    Raises
    ------
    FormatError
        If there are fewer or more rows, or a row has fewer numbers or something else.
    """
    packed = _is_packed(path)
    size = path.stat().st_size * (_PACKED if packed else 1)
    if size + 1 < 2 * count * width:  # a digit and a blank for each number
        raise FormatError(
            path,
            f"the file has {path.stat().st_size} bytes, too few for {count} rows of {width} numbers. It "
            "may be truncated.",
        )
    found = 0
    try:
        with gzip.open(path, "rt", encoding="latin-1") if packed else path.open(encoding="latin-1") as file:
            for piece in _pieces(file):
                found += len(piece)
                if found > count:
                    raise FormatError(
                        path, f"there are more than {count} rows of values, one is expected for each sample."
                    )
                yield piece[0][0], _numbers(path, piece, width)
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(path, f"the gzip content is damaged ({error}). Copy the file again.") from error
    if found < count:
        raise FormatError(
            path, f"there are {found} rows of values, {count} are expected. The file may be truncated."
        )


def _is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _pieces(file: IO[str]) -> Iterator[list[tuple[int, str]]]:
    """Rows with their line numbers, without blank lines and comments."""
    rows = ((n, row) for n, line in enumerate(file, start=1) if (row := line.strip()) and row[0] not in "*#")
    while piece := list(itertools.islice(rows, _PIECE)):
        yield piece


def _numbers(path: Path, piece: list[tuple[int, str]], width: int) -> FloatArray:
    try:
        return np.loadtxt([row for _, row in piece], usecols=range(width), comments=None, ndmin=2)
    except (ValueError, OverflowError):
        pass  # a row that needs a closer look
    return np.array([_row(path, line, row, width) for line, row in piece]).reshape(-1, width)


def _row(path: Path, line: int, row: str, width: int) -> list[float]:
    tokens = row.split()[:width]
    try:
        numbers = [to_number(token) for token in tokens]
    except ValueError:
        numbers = []
    if len(numbers) < width:
        raise FormatError(path, f"the row {row[:60]!r} does not hold {width} numbers.", line)
    return numbers


def placed_rows(
    path: Path, shape: tuple[int, int, int], n_values: int, *, last: bool = False
) -> Iterator[tuple[int, Array, FloatArray]]:
    """Rows ``I J K values`` of a text file, one for each place of a lattice in any order, piece by piece.

    Parameters
    ----------
    path : Path
        The file, gzipped or not.
    shape : tuple of int
        Number of places ``(n_w, n_v, n_u)``; I, J, K count from 0 along U, V, W.
    n_values : int
        Number of values in a row.
    last : bool
        Whether I, J and K stand behind the values.

    Yields
    ------
    line : int
        Line of the first row of the piece, counted from 1.
    places : array of int
        Where each row belongs, U fastest.
    values : array of shape (rows, n_values)

    Raises
    ------
    FormatError
        If a place has no row or several, or a row is damaged.
    """
    count = math.prod(shape)
    seen = np.zeros(0, dtype=bool)
    for line, rows in read_rows(path, count, 3 + n_values):
        if not len(seen):  # the size of the file was found to be enough for so many
            seen = np.zeros(count, dtype=bool)
        index, values = (rows[:, -3:], rows[:, :-3]) if last else (rows[:, :3], rows[:, 3:])
        flat = _places(path, shape, index, line)
        if seen[flat].any() or len(np.unique(flat)) != len(flat):
            raise FormatError(path, "a place (I J K) has several rows and others have none.")
        seen[flat] = True
        yield line, flat, values


def _places(path: Path, shape: tuple[int, int, int], index: FloatArray, line: int) -> Array:
    inside = ((index >= 0) & (index < shape[::-1]) & (index == np.floor(index))).all(axis=1)
    if not inside.all():
        row = int(np.argmin(inside))
        raise FormatError(
            path,
            f"I J K of the row are {' '.join(f'{n:g}' for n in index[row])}, the lattice has "
            f"{' × '.join(str(n) for n in shape[::-1])} places counted from 0. Rows hold I J K and the "
            "values of a voxet, or X Y Z, the values and I J K of an SGrid.",
            line + row,
        )
    return np.asarray(index.astype(np.int64) @ np.array([1, shape[2], shape[2] * shape[1]]))
