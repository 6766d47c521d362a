"""Arrays in memory or in files, of which only the part that is asked for is read, and their statistics."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpm3d.errors import FormatError

Array = NDArray[Any]
# values of a slab, about: 8 MB as float64
_SLAB = 1 << 20


class FileArray:
    """Numbers in a binary file, the last axis fastest, mapped into memory only while some are read.

    Parameters
    ----------
    path : str or Path
        The file. It must stay as it is.
    dtype : numpy dtype
        Type of the numbers, with their byte order.
    shape : tuple of int
        Length of each axis.
    offset : int
        Bytes before the first number.
    """

    def __init__(self, path: str | Path, dtype: np.dtype[Any], shape: Sequence[int], offset: int = 0) -> None:
        self.path = Path(path)
        self.dtype = np.dtype(dtype)
        self.shape = tuple(shape)
        self.offset = offset
        self._stamp = self._state()

    def _state(self) -> tuple[int, int, int]:
        state = self.path.stat()
        return state.st_ino, state.st_size, state.st_mtime_ns

    def __getitem__(self, key: Any) -> Array:
        try:
            same = self._state() == self._stamp
        except OSError:
            same = False
        if not same:
            raise FormatError(
                self.path, "the file was changed or removed since its header was read. Read the header again."
            )
        # mapped anew each time: what was read does not stay in memory and the file is not held open
        return np.array(np.memmap(self.path, self.dtype, "r", self.offset, self.shape)[key])


class Lazy:
    """An array in a file, of which only the part that is asked for is read and made into numbers.

    It is indexed as a NumPy array is, by whole numbers, slices and arrays of them; of arrays, the box around
    them is read. ``np.asarray`` reads all of it.

    Parameters
    ----------
    raw : array-like with shape, dtype and slices
        What is in the file: a `FileArray`, a ``numpy.memmap`` or a Zarr array.
    decode : callable, optional
        Makes values of a part of ``raw``, element by element: byte order, no-data to NaN.
    dtype : numpy dtype, optional
        Type of the values that ``decode`` makes.
    """

    def __init__(
        self, raw: Any, decode: Callable[[Array], Array] | None = None, dtype: np.dtype[Any] | None = None
    ) -> None:
        self.raw = raw
        self.decode = decode
        self.dtype = np.dtype(raw.dtype if dtype is None else dtype)
        self._order = tuple(range(len(raw.shape)))  # axis of raw that each axis is
        self._back = (False,) * len(raw.shape)  # whether it runs backwards

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(int(self.raw.shape[axis]) for axis in self._order)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._order)

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Length of the pieces in which the file is packed along each axis, if it is."""
        pieces = getattr(self.raw, "chunks", None)
        return None if pieces is None else tuple(int(pieces[axis]) for axis in self._order)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Array:
        cuts: list[slice] = [slice(None)] * self.ndim
        inner: list[Any] = []
        for axis, (part, n) in enumerate(zip(_full_key(key, self.ndim), self.shape, strict=True)):
            cuts[self._order[axis]], rest = _cut(part, n, self._back[axis])
            inner.append(rest)
        values = np.asarray(self.raw[tuple(cuts)])
        if self.decode is not None:
            values = self.decode(values)
        chosen: Array = np.transpose(values, self._order)[tuple(inner)]
        return chosen

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError("values in a file cannot be had without a copy, use np.asarray(values).")
        values = self[...]
        return values if dtype is None else values.astype(dtype, copy=False)

    def oriented(self, order: Sequence[int], flip: Sequence[slice]) -> Lazy:
        """The same values with axes in another order, some of them reversed; nothing is read.

        Parameters
        ----------
        order : sequence of int
            The present axis that each new one is, as of ``numpy.transpose``.
        flip : sequence of slice
            For each new axis ``slice(None)``, or ``slice(None, None, -1)`` to reverse it.
        """
        other = Lazy(self.raw, self.decode, self.dtype)
        other._order = tuple(self._order[axis] for axis in order)
        other._back = tuple(
            self._back[axis] != (cut.step == -1) for axis, cut in zip(order, flip, strict=True)
        )
        return other

    def stored(self) -> Lazy:
        """The same values with the axes of the file."""
        return Lazy(self.raw, self.decode, self.dtype)


Values = Array | Lazy


def _full_key(key: Any, ndim: int) -> list[Any]:
    """One whole number, slice or array for each axis."""
    parts = [np.asarray(p) if isinstance(p, list | np.ndarray) else p for p in _as_tuple(key)]
    dots = [place for place, part in enumerate(parts) if part is Ellipsis]
    found: list[Any] = []
    for part in parts:
        mask = isinstance(part, np.ndarray) and part.dtype == bool
        found += list(np.nonzero(part)) if mask else [part]
    missing = ndim - len(found) + len(dots)
    if len(dots) > 1 or missing < 0 or any(part is None for part in found):
        raise IndexError(f"the index {key!r} does not fit {ndim} axes.")
    fill = [slice(None)] * missing
    if not dots:
        return found + fill
    place = next(n for n, part in enumerate(found) if part is Ellipsis)
    return found[:place] + fill + found[place + 1 :]


def _as_tuple(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def _cut(part: Any, n: int, back: bool) -> tuple[slice, Any]:
    """Slice of the file along one axis, and what to take of it afterwards."""
    if isinstance(part, slice):
        span = range(n)[part]
        if not span:
            return slice(0, 0), slice(None)
        first, last = (n - 1 - span[0], n - 1 - span[-1]) if back else (span[0], span[-1])
        turn = slice(None, None, -1) if first > last else slice(None)
        return slice(min(first, last), max(first, last) + 1, abs(span.step)), turn
    index = np.asarray(part)
    if index.dtype.kind not in "iu" and index.size:
        raise IndexError(f"{part!r} is no index, whole numbers, slices and arrays of them are.")
    if index.size and (index.min() < -n or index.max() >= n):
        raise IndexError(f"the index {part!r} is beyond an axis of {n}.")
    place = index.astype(np.int64) % max(n, 1)
    place = n - 1 - place if back else place
    if not place.size:
        return slice(0, 0), place
    low = int(place.min())
    return slice(low, int(place.max()) + 1), place - low if place.ndim else 0


def oriented(values: Values, order: Sequence[int], flip: tuple[slice, ...]) -> Values:
    """Values with axes in another order, some of them reversed; nothing is read or copied."""
    if isinstance(values, Lazy):
        return values.oriented(order, flip)
    turned: Array = np.transpose(values, order)[flip]
    return turned


def slabs(values: Any, limit: int = _SLAB) -> Iterator[tuple[slice, ...]]:
    """Indices that cut an array into slabs of about ``limit`` values, in the order of its values.

    Parameters
    ----------
    values : array-like with shape
        Its ``chunks``, if it has some, are not cut along the first axis unless they are very large.
    limit : int
        Values of a slab.
    """
    chunks = getattr(values, "chunks", None)
    thick = int(chunks[0]) if chunks and isinstance(chunks[0], int) else 1
    return _slabs(tuple(int(n) for n in values.shape), limit, thick)


def _slabs(shape: tuple[int, ...], limit: int, thick: int) -> Iterator[tuple[slice, ...]]:
    layer = math.prod(shape[1:])
    if len(shape) > 1 and thick * layer > limit * (16 if thick > 1 else 1):
        for start in range(shape[0]):
            for rest in _slabs(shape[1:], limit, 1):
                yield slice(start, start + 1), *rest
        return
    step = max(thick, limit // max(layer, 1) // thick * thick)
    for start in range(0, shape[0] if layer else 0, step):
        yield slice(start, min(start + step, shape[0])), *(slice(0, n) for n in shape[1:])


class Statistics(NamedTuple):
    """Count ``n``, mean, variance (of a sample), least and largest of the values that are not missing."""

    n: int
    mean: float
    variance: float
    low: float
    high: float

    def joined(self, other: Statistics) -> Statistics:
        """Statistics of both sets of values together, by the formula of Chan, Golub and LeVeque (1979)."""
        if not self.n or not other.n:
            return self if self.n else other
        count = self.n + other.n
        apart = other.mean - self.mean
        squares = self.variance * (self.n - 1) + other.variance * (other.n - 1)
        squares += apart * apart * self.n * other.n / count
        return Statistics(
            count, self.mean + apart * other.n / count, squares / (count - 1),
            min(self.low, other.low), max(self.high, other.high),
        )  # fmt: skip

    def agrees(self, other: Statistics) -> bool:
        """Whether both are of the same values, those of ``other`` being printed in six digits.

        The variance of ``other`` may be that of a sample (divided by n - 1) or of all values (by n).
        """
        scale = 1e-4 * max(abs(self.low), abs(self.high))
        pairs = zip(self[1::2] + self[4:], other[1::2] + other[4:], strict=True)  # mean, least, largest
        allowed = 1e-2 * abs(self.variance) + scale * scale
        of_all = self.variance * (self.n - 1) / max(self.n, 1)
        return (
            self.n == other.n
            and all(abs(a - b) <= scale for a, b in pairs)
            and any(abs(variance - other.variance) <= allowed for variance in (self.variance, of_all))
        )

    def disagreement(self, name: str, stated: Statistics) -> str:
        """A sentence on values that do not have the statistics stated by their file."""
        told, got = (", ".join(f"{number:g}" for number in numbers) for numbers in (stated, self))
        return (
            f"property {name!r} does not have the statistics of its header: count, mean, variance, least and "
            f"largest value should be {told} and are {got}. Try the other byte order, or export the file "
            "again."
        )


def statistics(values: Any) -> Statistics:
    """Statistics of the values that are not NaN, slab by slab, so that a file is never read whole.

    Parameters
    ----------
    values : array-like with shape and slices
        An array, a `Lazy`, a Zarr array.

    Returns
    -------
    Statistics
        Zeros if there is no value.
    """
    source = values.stored() if isinstance(values, Lazy) else values
    found = Statistics(0, 0.0, 0.0, 0.0, 0.0)
    for slab in slabs(source):
        found = found.joined(_plain_statistics(np.asarray(source[slab])))
    return found


def _plain_statistics(part: Array) -> Statistics:
    with np.errstate(invalid="ignore"):
        data = part.astype(float).ravel()
        data = data[~np.isnan(data)]
    if not len(data):
        return Statistics(0, 0.0, 0.0, 0.0, 0.0)
    with np.errstate(all="ignore"):  # infinite and very large values
        variance = float(data.var(ddof=1)) if len(data) > 1 else 0.0
        return Statistics(len(data), float(data.mean()), variance, float(data.min()), float(data.max()))
