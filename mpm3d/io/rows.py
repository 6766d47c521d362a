"""Text that is made of numbers, with the line of what is wrong at hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NoReturn

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.grid import FloatArray
from mpm3d.io.files import read_text, to_count, to_number

# characters that are made into numbers at once, so that memory stays near the size of the file
_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Row:
    """A line that is not empty: its number from 1, its words, and where it ends in the text."""

    line: int
    words: list[str]
    end: int

    def counts(self) -> list[int] | None:
        """The words as whole numbers, or None if one is not."""
        counts = [to_count(word) for word in self.words]
        return None if None in counts else [count for count in counts if count is not None]

    def numbers(self) -> list[float] | None:
        """The words as finite numbers, or None if one is not."""
        numbers = self._numbers()
        return numbers if numbers is not None and np.all(np.isfinite(numbers)) else None

    def are_numbers(self) -> bool:
        """Whether the words are numbers, NaN and infinity too."""
        return self._numbers() is not None

    def _numbers(self) -> list[float] | None:
        try:
            return [to_number(word) for word in self.words]
        except ValueError:
            return None


def content(path: str | Path, mark: str = "!") -> str:
    """Text of a file without its comments, with the lines it has."""
    return without_comments(read_text(path), mark)


def without_comments(text: str, mark: str = "!") -> str:
    """Text without what follows a mark on each line."""
    return re.sub(mark + "[^\n]*", "", text)


def rows(text: str, number: int) -> list[Row]:
    """The first lines that are not empty."""
    return list(islice(each_row(text), number))


def each_row(text: str) -> Iterator[Row]:
    """Lines that are not empty."""
    start, line = 0, 1
    while start < len(text):
        stop = text.find("\n", start)
        stop = len(text) if stop < 0 else stop
        if words := text[start:stop].split():
            yield Row(line, words, stop)
        start, line = stop + 1, line + 1


def fail(path: str | Path, reason: str, line: int | None = None) -> NoReturn:
    """Raise the error of a file."""
    raise FormatError(path, reason, line)


def numbers(path: str | Path, text: str, line: int = 1) -> FloatArray:
    """All numbers of a text, NaN and infinity as they are.

    Parameters
    ----------
    path : str or Path
        The file, for messages.
    text : str
        Numbers between blanks and line ends.
    line : int
        The line of the file on which the text begins.

    Raises
    ------
    FormatError
        If a word is not a number.
    """
    parts: list[FloatArray] = [np.empty(0)]
    start = 0
    while start < len(text):
        stop = text.find("\n", start + _AT_ONCE)
        stop = len(text) if stop < 0 else stop
        parts.append(_converted(path, text[start:stop], line))
        line += text.count("\n", start, stop)
        start = stop
    return np.concatenate(parts)


def table_of(path: str | Path, text: str, columns: int, line: int = 1) -> FloatArray:
    """Numbers of rows of the same length, ``(rows, columns)``.

    Parameters
    ----------
    path, text, line
        As in `numbers`.
    columns : int
        Numbers of each row.

    Raises
    ------
    FormatError
        If a word is not a number, or a row has more or fewer.
    """
    found = numbers(path, text, line)
    filled = sum(1 for row in text.split("\n") if row and not row.isspace())
    if len(found) == columns * filled:
        return found.reshape(filled, columns)
    for row in each_row(text):
        if len(row.words) != columns:
            fail(
                path,
                f"this row has {len(row.words)} numbers, {columns} are expected as in the first one. The "
                "file may be truncated, or an empty place needs a number such as nan.",
                line + row.line - 1,
            )
    return found.reshape(-1, columns)


def _converted(path: str | Path, text: str, line: int) -> FloatArray:
    words = text.split()
    if "_" not in text:  # which Python takes for a part of a number
        try:
            return np.array(words, dtype=float)
        except ValueError:
            pass
    try:
        return np.fromiter(map(to_number, words), float, len(words))
    except ValueError:
        for row in each_row(text):
            for word in row.words:
                try:
                    to_number(word)
                except ValueError:
                    fail(path, f"{word[:40]!r} is not a number.", line + row.line - 1)
        raise
