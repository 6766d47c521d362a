"""Compiled loops of training: forwards without what only scoring can leave out, and backwards.

Arrays and ranges are as in `mpm3d.models.patch_kernels`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mpm3d.models.patch_kernels import CELLS, KERNEL, RESULT, TAPS, compiled, maxima, store, sums
from mpm3d.models.patch_vectors import (
    LANES,
    PANEL,
    ROWS,
    Rows,
    along_axes,
    at,
    narrow,
    on_vectors,
    product_of,
    widen,
)

_many, _one = product_of(ROWS), product_of(1)

# For each tap of a kernel, where it is in the middle and which cell it meets.
_CELLS_OF = [[(p, cell) for p, taps in enumerate(TAPS) for k, cell in taps if k == tap] for tap in range(27)]


@on_vectors
def _widen_kernel(weight: Rows, out: Rows) -> None:
    store(along_axes(lambda v: widen(KERNEL, v), [weight[p] for p in range(27)]), out)


@on_vectors
def _narrow_kernel(products: Rows, out: Rows) -> None:
    store(along_axes(lambda v: narrow(KERNEL, v), [products[p] for p in range(64)]), out)


@on_vectors
def _contract(products: Rows, bias: Rows, out: Rows) -> None:
    rows = along_axes(lambda v: narrow(RESULT, v), [products[p] for p in range(64)])
    store([row + bias[0] for row in rows], out)


@on_vectors
def _contract_relu(products: Rows, bias: Rows, out: Rows) -> None:
    rows = along_axes(lambda v: narrow(RESULT, v), [products[p] for p in range(64)])
    store([(row + bias[0]).maximum(0.0) for row in rows], out)


@on_vectors
def _contract_back(gradient: Rows, out: Rows, to_bias: Rows) -> None:
    _results_back([gradient[p] for p in range(27)], out, to_bias)


@on_vectors
def _contract_relu_back(gradient: Rows, y: Rows, out: Rows, to_bias: Rows) -> None:
    _results_back([y[p].where_above(0.0, gradient[p], 0.0) for p in range(27)], out, to_bias)


def _results_back(rows: list[Any], out: Rows, to_bias: Rows) -> None:
    total = rows[0]
    for row in rows[1:]:
        total = total + row
    to_bias[0] = total
    store(along_axes(lambda v: widen(RESULT, v), rows), out)


@on_vectors
def _expand_back(gradient: Rows, out: Rows) -> None:
    store(along_axes(lambda v: narrow(CELLS, v), [gradient[p] for p in range(64)]), out)


@on_vectors
def _pool_back(
    z: Rows, low: Rows, high: Rows, weights: Rows, more: Rows, to_weights: Rows, to_more: Rows, out: Rows
) -> None:
    """Gradients of the cells (added up in ``out``) and of the taps, which add to what is there."""
    rows = [z[p] for p in range(27)]
    mean = _depthwise_back(along_axes(sums, rows), weights, low, to_weights)
    store(along_axes(sums, mean), out)  # sums over neighbours are their own adjoint
    cubes = [np.array(rows, dtype=object).reshape(3, 3, 3)]
    for axis in range(3):
        cubes.append(np.moveaxis(np.stack(maxima(np.moveaxis(cubes[-1], axis, 0))), 0, axis))
    back = _depthwise_back(list(cubes.pop().ravel()), more, high, to_more)
    cube = np.array(back, dtype=object).reshape(3, 3, 3)
    for axis in (2, 1, 0):
        both = (np.moveaxis(array, axis, 0) for array in (cubes.pop(), cube))
        cube = np.moveaxis(np.stack(_maxima_back(*both)), 0, axis)
    for p, vector in enumerate(cube.ravel()):
        out[p] = out[p] + vector


def _depthwise_back(rows: list[Any], weights: Rows, gradient: Rows, to_weights: Rows) -> list[Any]:
    g: list[Any] = [gradient[p] for p in range(27)]
    back: list[Any] = [None] * 27
    for tap in range(27):
        total, weight = to_weights[tap], weights[tap]
        for p, cell in _CELLS_OF[tap]:
            total = total + g[p] * rows[cell]
            back[cell] = g[p] * weight if back[cell] is None else back[cell] + g[p] * weight
        to_weights[tap] = total
    return back


def _maxima_back(x: Any, g: Any) -> list[Any]:
    """Send gradients of ``max(x0, x1)``, ``max(x0, x1, x2)``, ``max(x1, x2)`` to the first of the largest."""
    larger = np.frompyfunc(lambda a, b: a.maximum(b), 2, 1)
    if_above = np.frompyfunc(lambda a, b, yes: a.where_above(b, yes, 0.0), 3, 1)
    unless_above = np.frompyfunc(lambda a, b, no: a.where_above(b, 0.0, no), 3, 1)
    pair = larger(x[0], x[1])
    to_pair = g[0] + unless_above(x[2], pair, g[1])
    last = if_above(x[2], pair, g[1]) + if_above(x[2], x[1], g[2])
    middle = unless_above(x[2], x[1], g[2]) + if_above(x[1], x[0], to_pair)
    return [unless_above(x[1], x[0], to_pair), middle, last]


@compiled
def widen_kernel(weight: Any, out: Any, start: int, stop: int) -> None:
    """A kernel ``(27, in, out)`` to the products' side in panels ``(64, panel, in, PANEL)``."""
    depth, columns = weight.shape[1], weight.shape[2]
    size = depth * columns
    for i in range(start, stop):
        for c in range(0, columns, LANES):
            to = (c // PANEL) * depth * PANEL + i * PANEL + c % PANEL
            _widen_kernel((at(weight, i * columns + c), at(out, to)), (size, size))


@compiled
def narrow_kernel(products: Any, out: Any, start: int, stop: int) -> None:
    """Gradient of a kernel: from the products' side ``(64, in, out)`` to ``(27, in, out)``."""
    size, columns = products.shape[1] * products.shape[2], products.shape[2]
    for i in range(start * columns, stop * columns, LANES):
        _narrow_kernel((at(products, i), at(out, i)), (size, size))


@compiled
def contract(products: Any, bias: Any, out: Any, relu: bool, start: int, stop: int) -> None:
    """Products ``(64, sample, channel)`` to cells ``(27, sample, channel)``, with bias and perhaps ReLU."""
    size, channels = out.shape[1] * out.shape[2], out.shape[2]
    for i in range(start * channels, stop * channels, LANES):
        places = (at(products, i), at(bias, i % channels), at(out, i))
        if relu:
            _contract_relu(places, (size, 0, size))
        else:
            _contract(places, (size, 0, size))


@compiled
def contract_back(gradient: Any, y: Any, out: Any, to_bias: Any, relu: bool, start: int, stop: int) -> None:
    """Backwards from cells to products; ``to_bias`` ``(sample, channel)`` gets each patch's sum."""
    size, channels = gradient.shape[1] * gradient.shape[2], gradient.shape[2]
    for i in range(start * channels, stop * channels, LANES):
        if relu:
            places = (at(gradient, i), at(y, i), at(out, i), at(to_bias, i))
            _contract_relu_back(places, (size, size, size, 0))
        else:
            _contract_back((at(gradient, i), at(out, i), at(to_bias, i)), (size, size, 0))


@compiled
def expand_back(gradient: Any, out: Any, start: int, stop: int) -> None:
    """Backwards from the products' side ``(64, sample, channel)`` to cells ``(27, sample, channel)``."""
    size, channels = out.shape[1] * out.shape[2], out.shape[2]
    for i in range(start * channels, stop * channels, LANES):
        _expand_back((at(gradient, i), at(out, i)), (size, size))


@compiled
def multiply_back(a: Any, gradient: Any, out: Any, start: int, stop: int) -> None:
    """``out[p] = a[p].T @ gradient[p]``, the gradient of kernels, for positions ``start`` to ``stop``."""
    samples, width, columns, rows = a.shape[1], a.shape[2], gradient.shape[2], out.shape[1]
    for p in range(start, stop):
        for c in range(0, columns, PANEL):
            b = at(gradient, p * samples * columns + c)
            i = 0
            while i + ROWS <= rows:
                to = at(out, (p * rows + i) * columns + c)
                _many(at(a, p * samples * width + i), 1, width, b, columns, to, columns, samples)
                i += ROWS
            while i < rows:
                to = at(out, (p * rows + i) * columns + c)
                _one(at(a, p * samples * width + i), 1, width, b, columns, to, columns, samples)
                i += 1


@compiled
def pool_convolve_back(
    z: Any, gradient: Any, weights: Any, to_z: Any, to_weights: Any, start: int, stop: int
) -> None:
    """Backwards through `patch_kernels.pool_convolve` for the registers of channels ``start`` to ``stop``.

    ``to_weights`` is like ``weights``, all nought at first.
    """
    samples, channels = z.shape[1], z.shape[2]
    size, wide = samples * channels, 2 * channels
    for c in range(start * LANES, stop * LANES, LANES):
        for n in range(samples):
            low, high = n * wide + c, n * wide + channels + c
            places = (
                at(z, n * channels + c), at(gradient, low), at(gradient, high),
                at(weights, c), at(weights, channels + c),
                at(to_weights, c), at(to_weights, channels + c), at(to_z, n * channels + c),
            )  # fmt: skip
            _pool_back(places, (size, 2 * size, 2 * size, wide, wide, wide, wide, size))
