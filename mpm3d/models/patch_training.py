"""Steps of training on patches ordered by position, compiled: convolutions and the pools of the gate.

The functions share a batch among as many threads as torch uses, and give the same whatever that number is.
Needs numba; tensors are float32 on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from mpm3d.models import patch_kernels as forwards
from mpm3d.models import patch_kernels_back as backwards
from mpm3d.models.patch_vectors import LANES, PANEL, ROWS


def share(work: Callable[[int, int], Any], size: int, step: int = 1) -> None:
    """Call ``work(start, stop)`` for parts of ``range(size)``, whole steps, one part per torch thread."""
    threads = torch.get_num_threads()
    part = -(-size // (threads * step)) * step
    tasks = [_pool(threads - 1).submit(work, k, min(k + part, size)) for k in range(part, size, part)]
    work(0, min(part, size))
    for task in tasks:
        task.result()


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, threads), thread_name_prefix="mpm3d")


class Convolution(torch.autograd.Function):
    """3×3×3 convolution of patches with bias, and ReLU if asked for.

    The kernel may have any number of channels in and a multiple of ``PANEL`` out; to have gradients of the
    patches it takes a multiple of ``PANEL`` in.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, relu: bool) -> Tensor:
        """Map ``(27, sample, in)`` with a kernel ``(out, in, 3, 3, 3)`` to ``(27, sample, out)``."""
        _, samples, inputs = x.shape
        outputs = len(weight)
        x = nn.functional.pad(x, (0, -inputs % LANES)).contiguous()
        kernel = _panels(weight.flatten(2).permute(2, 1, 0))
        inner, products = x.new_empty(64, samples, x.shape[2]), x.new_empty(64, samples, outputs)
        y = x.new_empty(27, samples, outputs)
        arrays = _numpy(x, inner, kernel, products, bias, y)

        def work(start: int, stop: int) -> None:
            source, wide, side, result, offset, out = arrays
            forwards.expand(source, wide, start, stop)
            forwards.multiply(wide, side, result, start, stop)
            backwards.contract(result, offset, out, relu, start, stop)

        share(work, samples, ROWS)
        ctx.save_for_backward(inner, weight, y if relu else None)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the patches, the kernel and the bias."""
        inner, weight, y = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        _, samples, outputs = gradient.shape
        outer, to_bias = inner.new_empty(64, samples, outputs), inner.new_empty(samples, outputs)
        relu, needs_x = y is not None, ctx.needs_input_grad[0]
        to_inner = inner.new_empty(inner.shape if needs_x else (0, 0, 0))
        to_x = inner.new_empty(27, *inner.shape[1:]) if needs_x else None
        kernel = _panels(weight.flatten(2).permute(2, 0, 1)) if needs_x else None
        arrays = _numpy(gradient, y if relu else gradient, outer, to_bias)

        def work(start: int, stop: int) -> None:
            backwards.contract_back(*arrays, relu, start, stop)
            if to_x is not None and kernel is not None:
                forwards.multiply(*_numpy(outer, kernel, to_inner), start, stop)
                backwards.expand_back(*_numpy(to_inner, to_x), start, stop)

        share(work, samples, ROWS)
        return to_x, _kernel_gradient(inner, outer, weight), to_bias.sum(0), None


def _panels(weight: Tensor) -> Tensor:
    """A kernel ``(27, in, out)`` on the products' side, in panels."""
    weight = weight.contiguous()
    _, depth, columns = weight.shape
    out = weight.new_empty(64, columns // PANEL, depth, PANEL)
    arrays = _numpy(weight, out)
    share(lambda start, stop: backwards.widen_kernel(*arrays, start, stop), depth)
    return out


def _kernel_gradient(inner: Tensor, outer: Tensor, weight: Tensor) -> Tensor:
    outputs, inputs = weight.shape[:2]
    products, out = inner.new_empty(64, inputs, outputs), inner.new_empty(27, inputs, outputs)
    arrays = _numpy(inner, outer, products)
    share(lambda start, stop: backwards.multiply_back(*arrays, start, stop), 64)
    ends = _numpy(products, out)
    share(lambda start, stop: backwards.narrow_kernel(*ends, start, stop), inputs)
    return out.permute(2, 1, 0).reshape(weight.shape)


class PoolConvolution(torch.autograd.Function):
    """Mean and maximum around each cell, each convolved channel by channel."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Map ``(27, sample, channel)`` with a kernel ``(2 channel, 1, 3, 3, 3)`` to twice the channels."""
        z = z.contiguous()
        _, samples, channels = z.shape
        taps = torch.cat([weight.flatten(1).T, bias[None]])  # (28, 2 channel)
        taps[:27, :channels] /= 27  # the loops sum where the pool takes the mean
        y = z.new_empty(27, samples, 2 * channels)
        arrays = _numpy(z, z.new_zeros(channels), taps, y)
        share(lambda start, stop: forwards.pool_convolve(*arrays, start, stop), samples)
        ctx.save_for_backward(z, taps)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        """Return the gradients of the patches, the kernel and the bias."""
        z, taps = ctx.saved_tensors
        gradient, channels = gradients[0].contiguous(), z.shape[2]
        to_z, to_taps = torch.empty_like(z), torch.zeros_like(taps)
        arrays = _numpy(z, gradient, taps, to_z, to_taps)
        share(lambda start, stop: backwards.pool_convolve_back(*arrays, start, stop), channels // LANES)
        to_taps[:27, :channels] /= 27
        return to_z, to_taps[:27].T.reshape(-1, 1, 3, 3, 3), gradient.sum((0, 1))


def try_out() -> None:
    """Compile all steps on one patch, so that what cannot be compiled is known before it is needed."""
    with torch.enable_grad():
        x = torch.zeros(27, 1, PANEL, requires_grad=True)
        kernel = torch.zeros(PANEL, PANEL, 3, 3, 3, requires_grad=True)
        y = Convolution.apply(x, kernel, torch.zeros(PANEL), True)  # type: ignore[no-untyped-call]
        taps = torch.zeros(2 * PANEL, 1, 3, 3, 3)
        PoolConvolution.apply(y, taps, torch.zeros(2 * PANEL)).sum().backward()  # type: ignore[no-untyped-call]


def _numpy(*tensors: Tensor) -> list[Any]:
    return [tensor.detach().numpy() for tensor in tensors]
