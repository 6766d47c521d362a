"""The bytes of a GoCAD file as lines and the keywords they begin with, without a string for every line."""

from __future__ import annotations

import codecs
from bisect import bisect_right
from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from mpm3d.geometry import Array

Rows = NDArray[np.int64]
# keywords that fill thousands of lines; consecutive ones are taken in together
MERGED = (
    "VRTX", "PVRTX", "ATOM", "PATOM", "SHAREDVRTX", "SHAREDPVRTX", "TRGL", "SEG", "TETRA",
    "ARI", "VRI", "TRI", "CNP", "BSTONE", "BORDER", "KEYVERTICES",
    "PATH", "TVSS_PATH", "TVD_PATH", "STATION", "REC",
)  # fmt: skip
_BLOCK = 1 << 24
_MANY_LINES = 1 << 18
# blanks before a keyword that are skipped quickly
_INDENT = 8
_UNKNOWN = -1


def as_utf8(content: bytes) -> bytes:
    r"""Bytes of a text in which lines end by ``\n``, without the marks of UTF-8 and UTF-16."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        content = content.decode("utf-16", errors="replace").encode()
    if content[:3] == codecs.BOM_UTF8:
        content = content[3:]
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return content


class LineTable(Sequence[str]):
    """Lines of a text, each decoded when it is asked for: in UTF-8 or else Latin-1."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.encoding = _encoding(content)
        # where each line begins, and one past the end
        self.start = _line_starts(content)
        # C readers of numbers may end a string at a zero byte
        self.has_zeros = b"\0" in content

    def __len__(self) -> int:
        return len(self.start) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if not isinstance(index, slice):
            index = index + len(self) if index < 0 else index
            return self.content[self.start[index] : self.start[index + 1] - 1].decode(self.encoding)
        first, last, step = index.indices(len(self))
        if first >= last or step < 1:
            return []
        text = self.content[self.start[first] : self.start[last] - 1].decode(self.encoding)
        return text.split("\n")[::step]

    def take(self, index: Rows) -> list[str]:
        """Lines of ascending indices."""
        if not len(index) or index[-1] - index[0] > 4 * len(index):
            return [self[i] for i in index.tolist()]
        lines = self[int(index[0]) : int(index[-1]) + 1]
        return lines if len(lines) == len(index) else [lines[i] for i in (index - index[0]).tolist()]


def _encoding(content: bytes) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(content), _BLOCK):
            decoder.decode(content[start : start + _BLOCK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _line_starts(content: bytes) -> Rows:
    buffer = np.frombuffer(content, np.uint8)
    starts = np.empty(content.count(b"\n") + 2, np.int64)
    starts[0], filled = 0, 1
    for begin in range(0, len(content), _BLOCK):
        found = np.flatnonzero(buffer[begin : begin + _BLOCK] == ord("\n"))
        starts[filled : filled + len(found)] = found + (begin + 1)
        filled += len(found)
    starts[-1] = len(content) + 1
    return starts


class Keywords(Sequence[str]):
    """First word of every line in capitals, empty for blank lines and comments."""

    def __init__(self, lines: LineTable) -> None:
        self.vocabulary = ["", *MERGED]
        self._number = {word: code for code, word in enumerate(self.vocabulary)}
        #: number of the word of each line in ``vocabulary``
        self.codes = np.empty(len(lines), np.int32)
        for first in range(0, len(lines), _MANY_LINES):
            last = min(first + _MANY_LINES, len(lines))
            codes = _quick_codes(lines, first, last)
            for i in np.flatnonzero(codes == _UNKNOWN).tolist():
                codes[i] = self._code(keyword(lines[first + i]))
            self.codes[first:last] = codes
        self._runs = self._run_starts()

    def _code(self, word: str) -> int:
        if word not in self._number:
            self._number[word] = len(self.vocabulary)
            self.vocabulary.append(word)
        return self._number[word]

    def _run_starts(self) -> list[int]:
        """First lines of the runs: lines of one merged keyword, or one line of any other."""
        told = np.flatnonzero(self.codes)
        codes = self.codes[told]
        new = np.ones(len(told), bool)
        new[1:] = (codes[1:] != codes[:-1]) | (codes[1:] > len(MERGED))
        starts: list[int] = told[new].tolist()
        return starts

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self.vocabulary[code] for code in self.codes[index]]
        return self.vocabulary[int(self.codes[index])]

    def next_run(self, index: int) -> int:
        """First line after ``index`` where a run begins, the number of lines if none does."""
        place = bisect_right(self._runs, index)
        return self._runs[place] if place < len(self._runs) else len(self)

    def find(self, first: int, last: int, *words: str) -> Rows:
        """Lines from ``first`` to before ``last`` that begin with one of the merged keywords ``words``."""
        codes = self.codes[first:last]
        mask = np.zeros(len(codes), bool)
        for word in words:
            mask |= codes == self._number[word]
        return np.flatnonzero(mask) + first

    def rename(self, index: int, word: str) -> None:
        """Take a line as one of another, merged, keyword."""
        self.codes[index] = self._number[word]


def keyword(line: str) -> str:
    """First word of a line in capitals, up to a brace; empty for a blank line or a comment."""
    parts = line.split(None, 1)
    if not parts or parts[0][0] == "#":
        return ""
    return (parts[0].split("{", 1)[0] or parts[0]).upper()


def _quick_codes(lines: LineTable, first: int, last: int) -> NDArray[np.int32]:
    """Codes of the lines that are blank, comments or begin with a merged keyword, `_UNKNOWN` for others.

    The first eight bytes of a line are compared as one number.
    """
    content, size = np.frombuffer(lines.content, np.uint8), len(lines.content)
    codes = np.full(last - first, _UNKNOWN, np.int32)
    if size < 8:
        return codes
    end = lines.start[first + 1 : last + 1] - 1
    begin = _past_blanks(content, lines.start[first:last], end)
    codes[begin == end] = 0
    quick = np.flatnonzero((begin < end) & (begin <= size - 8))
    eight: Array = np.ndarray((size - 7,), "<u8", lines.content, strides=(1,))
    keys = eight[begin[quick]]
    codes[quick[(keys & np.uint64(0xFF)) == ord("#")]] = 0
    for code, word in enumerate(MERGED, start=1):
        if len(word) < 8:
            bits = np.uint64(8 * len(word))
            same = keys & ((np.uint64(1) << bits) - np.uint64(1)) == int.from_bytes(word.encode(), "little")
            after = (keys >> bits) & np.uint64(0xFF)
            codes[quick[same & ((after == ord(" ")) | (after == ord("\t")))]] = code
    return codes


def _past_blanks(content: Array, begin: Rows, end: Rows) -> Rows:
    begin = begin.copy()
    for _ in range(_INDENT):
        byte = content[np.minimum(begin, len(content) - 1)]
        blank = (begin < end) & ((byte == ord(" ")) | (byte == ord("\t")))
        if not blank.any():
            break
        begin += blank
    return begin
