"""Compiled loops of the fast network: the matrix products, and what happens between them.

Arrays are float32, contiguous and ordered ``(position, sample, channel)``, with a multiple of `LANES`
channels. Each function works on the samples from ``start`` to ``stop``, so that threads can share an array.
All run without Python's lock.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba
import numpy as np

from mpm3d.models.patch_conv import factors
from mpm3d.models.patch_vectors import (
    LANES,
    PANEL,
    ROWS,
    Rows,
    Vector,
    along_axes,
    at,
    narrow,
    on_vectors,
    product_of,
    widen,
)

KERNEL, CELLS, RESULT = (matrix.tolist() for matrix in factors())
RESULT = np.transpose(RESULT).tolist()  # (4, 3) as the others

_many, _some, _one = product_of(ROWS), product_of(ROWS // 3), product_of(1)
_SOME = ROWS // 3


@lru_cache(maxsize=1)
def fingerprint() -> str:
    """Hash of all files that compiled code is made of.

    numba looks at the file of a function alone and would go on with old code when a function that it calls
    has changed.
    """
    digest = hashlib.sha256()
    for name in ("conv", "vectors", "kernels", "kernels_back", "engine"):
        digest.update(Path(__file__).with_name(f"patch_{name}.py").read_bytes())
    return digest.hexdigest()


def compiled(function: Callable[..., Any]) -> Any:
    """Compile once, without Python's lock; keep the code on disk where that is possible and safe."""
    try:
        dispatcher: Any = numba.njit(nogil=True, cache=True)(function)
        index = dispatcher._cache._cache_file
        index._source_stamp = (index._source_stamp, fingerprint())
    except (RuntimeError, OSError, AttributeError):  # no folder to write to, or another numba inside
        return numba.njit(nogil=True)(function)
    return dispatcher


@compiled
def multiply(a: Any, kernel: Any, out: Any, start: int, stop: int) -> None:
    """``out[p] = a[p] @ kernel[p]``; a kernel of one position serves all.

    The kernel is ``(position, panel, in, PANEL)``, so that a panel lies together in the cache. Columns of
    ``a`` beyond the rows that it has are left out.
    """
    positions, samples, width = a.shape
    panels, depth, columns = kernel.shape[1], kernel.shape[2], out.shape[2]
    for p in range(positions):
        k = p if kernel.shape[0] > 1 else 0
        for j in range(panels):
            b = at(kernel, (k * panels + j) * depth * PANEL)
            i = start
            while i + ROWS <= stop:
                row, to = at(a, (p * samples + i) * width), at(out, (p * samples + i) * columns + j * PANEL)
                _many(row, width, 1, b, PANEL, to, columns, depth)
                i += ROWS
            while i + _SOME <= stop:
                row, to = at(a, (p * samples + i) * width), at(out, (p * samples + i) * columns + j * PANEL)
                _some(row, width, 1, b, PANEL, to, columns, depth)
                i += _SOME
            while i < stop:
                row, to = at(a, (p * samples + i) * width), at(out, (p * samples + i) * columns + j * PANEL)
                _one(row, width, 1, b, PANEL, to, columns, depth)
                i += 1


@on_vectors
def _expand(x: Rows, out: Rows) -> None:
    store(along_axes(lambda v: widen(CELLS, v), [x[p] for p in range(27)]), out)


@on_vectors
def _contract_relu_expand(products: Rows, bias: Rows, h: Rows, out: Rows) -> None:
    rows = [(v + bias[0]).maximum(0.0) for v in _contracted(products)]
    store(rows, h)
    store(along_axes(lambda v: widen(CELLS, v), rows), out)


@on_vectors
def _contract_pool(products: Rows, bias: Rows, y: Rows, mean: Rows, top: Rows) -> None:
    rows = [v + bias[0] for v in _contracted(products)]
    store(rows, y)
    total, most = rows[0], rows[0]
    for row in rows[1:]:
        total, most = total + row, most.maximum(row)
    mean[0], top[0] = total * (1 / 27), most


@on_vectors
def _gate(y: Rows, sums: Rows, bias: Rows) -> None:
    weight = (sums[0] + bias[0]).sigmoid()
    store([y[p] * weight for p in range(27)], y)


@on_vectors
def _pool_convolve(z: Rows, bias: Rows, weights: Rows, more: Rows, out: Rows, further: Rows) -> None:
    """Pools, then the depthwise convolution; rows 27 of ``weights`` and ``more`` are its bias."""
    rows = [z[p] + bias[0] for p in range(27)]
    _depthwise(along_axes(sums, rows), weights, out)
    _depthwise(along_axes(maxima, rows), more, further)


@on_vectors
def _finish(s: Rows, z: Rows, r: Rows, biases: Rows, out: Rows, mean: Rows) -> None:
    """``relu(s + z σ(r))`` with the biases of the three, expanded for the next block, and its mean."""
    b = [biases[k] for k in range(3)]
    rows = [((s[p] + b[0]) + (z[p] + b[1]) * (r[p] + b[2]).sigmoid()).maximum(0.0) for p in range(27)]
    _hand_on(rows, out, mean)


@on_vectors
def _finish_plain(s: Rows, z: Rows, biases: Rows, out: Rows, mean: Rows) -> None:
    rows = [((s[p] + biases[0]) + (z[p] + biases[1])).maximum(0.0) for p in range(27)]
    _hand_on(rows, out, mean)


def _hand_on(rows: list[Vector], out: Rows, mean: Rows) -> None:
    total = rows[0]
    for row in rows[1:]:
        total = total + row
    mean[0] = total * (1 / 27)
    store(along_axes(lambda v: widen(CELLS, v), rows), out)


def _contracted(products: Rows) -> list[Vector]:
    return along_axes(lambda v: narrow(RESULT, v), [products[p] for p in range(64)])


def store(vectors: Sequence[Vector], rows: Rows) -> None:
    """Write vectors to rows."""
    for p, vector in enumerate(vectors):
        rows[p] = vector


def sums(x: Any) -> list[Any]:
    """Sums of three values and their neighbours, nought beyond the ends."""
    pair = x[0] + x[1]
    return [pair, pair + x[2], x[1] + x[2]]


def maxima(x: Any) -> list[Any]:
    """Largest of three values and their neighbours."""
    larger = np.frompyfunc(lambda a, b: a.maximum(b), 2, 1)
    pair = larger(x[0], x[1])
    return [pair, larger(pair, x[2]), larger(x[1], x[2])]


# For each cell of a patch, the taps of a padded kernel that meet a cell, and which: 343 in all.
TAPS = [
    [
        (9 * (dz + 1) + 3 * (dy + 1) + dx + 1, 9 * (z + dz) + 3 * (y + dy) + x + dx)
        for dz, dy, dx in itertools.product((-1, 0, 1), repeat=3)
        if 0 <= z + dz < 3 and 0 <= y + dy < 3 and 0 <= x + dx < 3
    ]
    for z, y, x in itertools.product(range(3), repeat=3)
]


def _depthwise(rows: list[Vector], weights: Rows, out: Rows) -> None:
    for p, taps in enumerate(TAPS):
        total = weights[27]
        for tap, cell in taps:
            total = total + rows[cell] * weights[tap]
        out[p] = total


@compiled
def expand(x: Any, out: Any, start: int, stop: int) -> None:
    """Cells ``(27, sample, channel)`` to the products' side ``(64, sample, channel)``."""
    size, channels = x.shape[1] * x.shape[2], x.shape[2]
    for i in range(start * channels, stop * channels, LANES):
        _expand((at(x, i), at(out, i)), (size, size))


@compiled
def contract_relu_expand(products: Any, bias: Any, h: Any, out: Any, start: int, stop: int) -> None:
    """Products to cells ``h = relu(y + bias)``, and those to the next products' side."""
    size, channels = h.shape[1] * h.shape[2], h.shape[2]
    for i in range(start * channels, stop * channels, LANES):
        places = (at(products, i), at(bias, i % channels), at(h, i), at(out, i))
        _contract_relu_expand(places, (size, 0, size, size))


@compiled
def contract_pool(products: Any, bias: Any, y: Any, pools: Any, start: int, stop: int) -> None:
    """Products to cells ``y + bias``, with their mean and maximum over the patch in ``pools``."""
    size, channels = y.shape[1] * y.shape[2], y.shape[2]
    for i in range(start * channels, stop * channels, LANES):
        places = (at(products, i), at(bias, i % channels), at(y, i), at(pools, i), at(pools, size + i))
        _contract_pool(places, (size, 0, size, 0, 0))


@compiled
def gate(y: Any, sums: Any, bias: Any, start: int, stop: int) -> None:
    """``y σ(sums + bias)`` in place, the sums ``(sample, channel)``."""
    size, channels = y.shape[1] * y.shape[2], y.shape[2]
    for i in range(start * channels, stop * channels, LANES):
        _gate((at(y, i), at(sums, i), at(bias, i % channels)), (size, 0, 0))


@compiled
def pool_convolve(z: Any, bias: Any, weights: Any, out: Any, start: int, stop: int) -> None:
    """Mean and maximum around each cell of ``z + bias``, each convolved channel by channel.

    ``weights`` are ``(28, 2 channels)``, the last row the bias; those of the means divided by 27.
    """
    channels = z.shape[2]
    size, wide = z.shape[1] * channels, 2 * channels
    for n in range(start, stop):
        for c in range(0, channels, LANES):
            low, high = n * wide + c, n * wide + channels + c
            places = (
                at(z, n * channels + c), at(bias, c),
                at(weights, c), at(weights, channels + c), at(out, low), at(out, high),
            )  # fmt: skip
            _pool_convolve(places, (size, 0, wide, wide, 2 * size, 2 * size))


@compiled
def finish(s: Any, z: Any, r: Any, biases: Any, out: Any, mean: Any, start: int, stop: int) -> None:
    """The end of a block with gates: ``relu(s + z σ(r))``, expanded, and its mean ``(sample, channel)``."""
    size, channels = z.shape[1] * z.shape[2], z.shape[2]
    for i in range(start * channels, stop * channels, LANES):
        places = (at(s, i), at(z, i), at(r, i), at(biases, i % channels), at(out, i), at(mean, i))
        _finish(places, (size, size, size, channels, size, 0))


@compiled
def finish_plain(s: Any, z: Any, biases: Any, out: Any, mean: Any, start: int, stop: int) -> None:
    """The end of a block without gates: ``relu(s + z)``, expanded, and its mean."""
    size, channels = z.shape[1] * z.shape[2], z.shape[2]
    for i in range(start * channels, stop * channels, LANES):
        places = (at(s, i), at(z, i), at(biases, i % channels), at(out, i), at(mean, i))
        _finish_plain(places, (size, size, channels, size, 0))
