"""RCNN-LAM on 3×3×3 patches, fitted and on a CPU: the whole network in compiled loops.

Weights are transformed once; a batch small enough for the cache goes through all layers before the next does.
Each thread that scores has buffers of its own, about 15 MB. Needs numba.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mpm3d.models import patch_kernels as loops
from mpm3d.models.patch_conv import transform_kernel
from mpm3d.models.patch_kernels import compiled
from mpm3d.models.patch_vectors import LANES, PANEL
from mpm3d.models.rcnn_lam import ResidualAttentionNet

Float32 = NDArray[np.float32]

# Whole rows of a product, and strides that are no multiple of 4096 bytes: those would put all positions of a
# cell into the same few lines of the cache.
BATCH = 60
# Columns of the channel gate's hidden layer, 8, filled up to whole panels.
_SQUEEZED = 32


class _Weights(NamedTuple):
    """Weights of a block in the order of the products; those of the gates are empty where it has none."""

    conv1: Float32
    bias1: Float32
    conv2: Float32
    bias2: Float32
    projection: Float32
    shortcut: Float32
    ends: Float32  # biases of shortcut, projection and the gate's pointwise convolution
    squeeze: Float32
    squeeze_bias: Float32
    restore: Float32
    restore_bias: Float32
    depthwise: Float32
    pointwise: Float32


class _Buffers(NamedTuple):
    """Activations of a batch, used again by each block and batch."""

    cells: Float32
    first: Float32
    narrow: Float32
    wide: Float32
    products: Float32
    h: Float32
    y: Float32
    z: Float32
    s: Float32
    r: Float32
    pools: Float32
    squeezed: Float32
    hidden: Float32
    sums: Float32
    mean: Float32


def _buffers(n_layers: int) -> _Buffers:
    n, layers = BATCH, -(-n_layers // LANES) * LANES
    # zeros, because columns that fill up a register are never written
    cubes = {"cells": (27, layers), "first": (64, layers), "narrow": (64, 64), "wide": (64, 128)}
    cubes |= {"products": (64, 128), "h": (27, 128), "y": (27, 128), "z": (27, 64), "s": (27, 64)}
    cubes |= {
        "r": (27, 64),
        "pools": (2, 128),
        "squeezed": (2, _SQUEEZED),
        "hidden": (1, _SQUEEZED),
        "sums": (1, 128),
    }
    arrays = {name: np.zeros((p, n, c), dtype=np.float32) for name, (p, c) in cubes.items()}
    return _Buffers(**arrays, mean=np.zeros((n, 64), dtype=np.float32))


class Engine:
    """Scores patches with the weights that a network had when the engine was made.

    Parameters
    ----------
    network : ResidualAttentionNet
        With kernels of (3, 3, 3), float32.

    Notes
    -----
    Several threads may call it at once; each gets its own buffers and none holds Python's lock while it
    computes.
    """

    def __init__(self, network: ResidualAttentionNet) -> None:
        weights = {name: parameter.detach() for name, parameter in network.named_parameters()}
        self._first = _panels(transform_kernel(weights["first.weight"]))
        self._first_bias = _array(weights["first.bias"])
        self._gated = "blocks.0.spatial_gate.depthwise.weight" in weights
        self._blocks = [_block_weights(weights, number) for number in range(len(network.blocks))]
        self._last, self._last_bias = _array(weights["last.weight"].T), _array(weights["last.bias"])
        self._local = threading.local()

    def logits(self, patches: Float32) -> Float32:
        """Map standardised patches ``(sample, layer, 3, 3, 3)`` to unscaled scores ``(sample, 2)``."""
        if not hasattr(self._local, "buffers"):
            self._local.buffers = _buffers(patches.shape[1])
        buffers = self._local.buffers
        out = np.empty((len(patches), 2), dtype=np.float32)
        for start in range(0, len(patches), BATCH):
            batch = np.ascontiguousarray(patches[start : start + BATCH])
            n = len(batch)
            _begin(batch.reshape(n, -1, 27), self._first, self._first_bias, buffers)
            for block in self._blocks:
                _run_block(block, buffers, n, self._gated)
            out[start : start + n] = buffers.mean[:n] @ self._last + self._last_bias
        return out


def try_out() -> None:
    """Compile all loops on one patch, so that what cannot be compiled is known before it is needed."""
    with torch.device("meta"):  # where no random numbers are drawn
        network = ResidualAttentionNet(1, blocks=1)
    network.to_empty(device="cpu")
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    Engine(network).logits(np.zeros((1, 1, 3, 3, 3), dtype=np.float32))


def _array(tensor: Tensor) -> Float32:
    return np.array(tensor.detach().cpu().numpy(), dtype=np.float32, order="C")


def _panels(matrix: Tensor) -> Float32:
    """``(position, in, out)`` as panels of columns ``(position, panel, in, PANEL)``."""
    positions, depth, _ = matrix.shape
    return _array(matrix.reshape(positions, depth, -1, PANEL).transpose(1, 2))


def _pointwise(weight: Tensor) -> Float32:
    return _panels(weight[:, :, 0, 0, 0].T[None])


def _block_weights(weights: Mapping[str, Tensor], number: int) -> _Weights:
    start = f"blocks.{number}."
    w = {name.removeprefix(start): value for name, value in weights.items() if name.startswith(start)}
    gate = w.get("spatial_gate.pointwise.bias", torch.zeros_like(w["shortcut.bias"]))
    return _Weights(
        conv1=_panels(transform_kernel(w["conv1.weight"])),
        bias1=_array(w["conv1.bias"]),
        conv2=_panels(transform_kernel(w["conv2.weight"])),
        bias2=_array(w["conv2.bias"]),
        projection=_pointwise(w["projection.weight"]),
        shortcut=_pointwise(w["shortcut.weight"]),
        ends=_array(torch.stack([w["shortcut.bias"], w["projection.bias"], gate])),
        **_gate_weights(w),
    )


def _gate_weights(w: Mapping[str, Tensor]) -> dict[str, Float32]:
    if "spatial_gate.pointwise.bias" not in w:
        return {name: np.zeros((1,) * n, np.float32) for name, n in _NO_GATES.items()}
    squeeze, bias = w["channel_gate.shared.0.weight"], w["channel_gate.shared.0.bias"]
    fill = _SQUEEZED - len(bias)
    taps = w["spatial_gate.depthwise.weight"].flatten(1).T.clone()  # (27, 128)
    taps[:, :64] /= 27  # the loops sum where the pool takes the mean
    return {
        "squeeze": _panels(nn.functional.pad(squeeze.T, (0, fill))[None]),
        "squeeze_bias": _array(nn.functional.pad(bias, (0, fill))),
        "restore": _panels(w["channel_gate.shared.2.weight"].T[None]),
        "restore_bias": _array(2 * w["channel_gate.shared.2.bias"]),  # of the mean's and the maximum's
        "depthwise": _array(torch.cat([taps, w["spatial_gate.depthwise.bias"][None]])),
        "pointwise": _pointwise(w["spatial_gate.pointwise.weight"]),
    }


# Axes of the arrays that stand for the gates of a block without.
_NO_GATES = {"squeeze": 4, "squeeze_bias": 1, "restore": 4, "restore_bias": 1, "depthwise": 2, "pointwise": 4}


@compiled
def _begin(patches: Any, kernel: Any, bias: Any, b: Any) -> None:
    """From patches ``(sample, layer, 27)`` to what the first block takes, in ``b.narrow``."""
    n = patches.shape[0]
    for i in range(n):
        for layer in range(patches.shape[1]):
            for p in range(27):
                b.cells[p, i, layer] = patches[i, layer, p]
    loops.expand(b.cells, b.first, 0, n)
    loops.multiply(b.first, kernel, b.narrow, 0, n)
    loops.contract_relu_expand(b.narrow, bias, b.z, b.narrow, 0, n)


@compiled
def _run_block(w: Any, b: Any, n: int, gated: bool) -> None:
    """From ``b.narrow`` to ``b.narrow``, and the mean over the patch to ``b.mean``."""
    loops.multiply(b.narrow, w.conv1, b.products, 0, n)
    loops.contract_relu_expand(b.products, w.bias1, b.h, b.products, 0, n)
    loops.multiply(b.products, w.conv2, b.wide, 0, n)
    loops.contract_pool(b.wide, w.bias2, b.y, b.pools, 0, n)
    if gated:
        loops.multiply(b.pools, w.squeeze, b.squeezed, 0, n)
        for i in range(n):
            for c in range(_SQUEEZED):
                low, high = b.squeezed[0, i, c] + w.squeeze_bias[c], b.squeezed[1, i, c] + w.squeeze_bias[c]
                b.hidden[0, i, c] = max(low, np.float32(0)) + max(high, np.float32(0))
        loops.multiply(b.hidden, w.restore, b.sums, 0, n)
        loops.gate(b.y, b.sums, w.restore_bias, 0, n)
    loops.multiply(b.y, w.projection, b.z, 0, n)
    loops.multiply(b.h, w.shortcut, b.s, 0, n)
    if gated:
        loops.pool_convolve(b.z, w.ends[1], w.depthwise, b.y, 0, n)
        loops.multiply(b.y, w.pointwise, b.r, 0, n)
        loops.finish(b.s, b.z, b.r, w.ends, b.narrow, b.mean, 0, n)
    else:
        loops.finish_plain(b.s, b.z, w.ends, b.narrow, b.mean, 0, n)
