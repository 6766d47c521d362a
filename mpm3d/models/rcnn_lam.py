"""The residual 3D convolutional network with lightweight attention (RCNN-LAM), as a torch module.

Every convolution pads with zeros *inside the patch*, so a cell's score depends on its patch alone. Patches of
3×3×3 cells go through the network ordered by position, ``(27, sample, channel)``, where convolutions are fast
and as exact (`mpm3d.models.patch_conv`); each part has an ``on_positions`` for that.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from mpm3d.grid import Index3
from mpm3d.models.patch_conv import PatchConv3d, by_position, depthwise, pool
from mpm3d.models.patch_fast import steps_for

_WIDE = 128
_NARROW = 64
_SQUEEZED = 8


class ChannelGate(nn.Module):
    """Weigh channels by their mean and maximum over the patch: ``y · σ(f(mean y) + f(max y))``."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Sequential(nn.Linear(_WIDE, _SQUEEZED), nn.ReLU(), nn.Linear(_SQUEEZED, _WIDE))

    def forward(self, y: Tensor) -> Tensor:
        """Return ``y`` of shape ``(sample, channel, z, y, x)`` with weighted channels."""
        gate = torch.sigmoid(self.shared(y.mean(dim=(2, 3, 4))) + self.shared(y.amax(dim=(2, 3, 4))))
        return y * gate[:, :, None, None, None]

    def on_positions(self, y: Tensor) -> Tensor:
        """The same for ``(27, sample, channel)``."""
        gate: Tensor = torch.sigmoid(self.shared(y.mean(dim=0)) + self.shared(y.amax(dim=0)))
        return y * gate


class SpatialGate(nn.Module):
    """Weigh positions by their surroundings: ``z · σ(PW(DW([avg z, max z])))``."""

    def __init__(self, kernel: Index3) -> None:
        super().__init__()
        padding = _same(kernel)
        self.average = nn.AvgPool3d(kernel, stride=1, padding=padding, count_include_pad=True)
        self.maximum = nn.MaxPool3d(kernel, stride=1, padding=padding)
        self.depthwise = nn.Conv3d(_WIDE, _WIDE, kernel, padding=padding, groups=_WIDE)
        self.pointwise = nn.Conv3d(_WIDE, _NARROW, 1)

    def forward(self, z: Tensor) -> Tensor:
        """Return ``z`` of shape ``(sample, 64, z, y, x)`` with weighted positions."""
        pooled = torch.cat([self.average(z), self.maximum(z)], dim=1)
        return z * torch.sigmoid(self.pointwise(self.depthwise(pooled)))

    def on_positions(self, z: Tensor) -> Tensor:
        """The same for ``(27, sample, 64)`` and kernels of (3, 3, 3)."""
        conv, steps = self.depthwise, steps_for(z, self.depthwise.weight)
        if steps is not None:
            around = steps.PoolConvolution.apply(z, conv.weight, conv.bias)
        else:
            around = depthwise(pool(z), conv.weight, conv.bias)
        return z * torch.sigmoid(_pointwise(self.pointwise, around))


class Block(nn.Module):
    """A residual block of 64 channels in and out, with a channel gate and a spatial gate, or with neither."""

    def __init__(
        self,
        kernel: Index3,
        *,
        spatial_gate: Callable[[Index3], nn.Module] | None = SpatialGate,
        published_count: bool = False,
    ) -> None:
        super().__init__()
        padding = _same(kernel)
        self.conv1 = PatchConv3d(_NARROW, _WIDE, kernel, padding=padding)
        self.conv2 = PatchConv3d(_WIDE, _WIDE, kernel, padding=padding)
        self.projection = nn.Conv3d(_WIDE, _NARROW, 1)
        self.shortcut = nn.Conv3d(_WIDE, _NARROW, 1)
        attention = spatial_gate is not None
        self.channel_gate = ChannelGate() if attention else nn.Identity()
        self.spatial_gate = nn.Identity() if spatial_gate is None else spatial_gate(kernel)
        # Never called: it only brings the number of parameters to the published one.
        self.unused = nn.Conv3d(_WIDE, _WIDE, 1) if attention and published_count else None

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(sample, 64, z, y, x)`` to the same shape."""
        h = torch.relu(self.conv1(x))
        z = self.spatial_gate(self.projection(self.channel_gate(self.conv2(h))))
        return torch.relu(self.shortcut(h) + z)

    def on_positions(self, x: Tensor) -> Tensor:
        """The same for ``(27, sample, 64)`` and kernels of (3, 3, 3)."""
        h = self.conv1.on_positions(x, relu=True)
        y = self.conv2.on_positions(h)
        if isinstance(self.channel_gate, ChannelGate):
            y = self.channel_gate.on_positions(y)
        z = _pointwise(self.projection, y)
        if not isinstance(self.spatial_gate, nn.Identity):
            z = self.spatial_gate.on_positions(z)  # type: ignore[operator]
        return torch.relu(_pointwise(self.shortcut, h) + z)


class PatchNet(nn.Module):
    """A convolution, one or two residual blocks, the mean over the patch, two outputs.

    Parameters
    ----------
    n_layers : int
        Number of evidence layers.
    blocks : {1, 2}
        Residual blocks.
    planar : bool
        Kernels of (1, 3, 3) in place of (3, 3, 3).
    spatial_gate : callable, optional
        Makes each block's spatial gate from the shape of the kernels; without, blocks have no attention.
    published_count : bool
        As for `ResidualAttentionNet`.
    """

    title = "RCNN-LAM"

    def __init__(
        self,
        n_layers: int,
        *,
        blocks: int,
        planar: bool,
        spatial_gate: Callable[[Index3], nn.Module] | None,
        published_count: bool = False,
    ) -> None:
        super().__init__()
        if blocks not in (1, 2):
            raise ValueError(f"{self.title} has 1 or 2 blocks, not {blocks!r}.")
        kernel = (1, 3, 3) if planar else (3, 3, 3)
        self.first = PatchConv3d(n_layers, _NARROW, kernel, padding=_same(kernel))
        self.blocks = nn.Sequential(
            *(
                Block(kernel, spatial_gate=spatial_gate, published_count=published_count)
                for _ in range(blocks)
            )
        )
        self.last = nn.Linear(_NARROW, 2)

    def forward(self, patches: Tensor) -> Tensor:
        """Map standardised patches ``(sample, layer, z, y, x)`` to ``(sample, 2)`` unscaled scores."""
        if self.first.takes(patches):
            x = self.first.on_positions(by_position(patches), relu=True)
            for block in self.blocks:
                x = block.on_positions(x)  # type: ignore[operator]
            mean = x.mean(dim=0)
        else:
            mean = self.blocks(torch.relu(self.first(patches))).mean(dim=(2, 3, 4))
        logits: Tensor = self.last(mean)
        return logits


class ResidualAttentionNet(PatchNet):
    """RCNN-LAM: a convolution, one or two residual blocks, the mean over the patch, two outputs.

    Parameters
    ----------
    n_layers : int
        Number of evidence layers.
    blocks : {1, 2}
        Residual blocks. With ``attention`` they make the paper's DL1 (1, without), DL2 (2, without), DL3
        (1, with) and DL4 (2, with).
    attention : bool
        Whether blocks have a channel gate and a spatial gate.
    planar : bool
        Kernels of (1, 3, 3) in place of (3, 3, 3). The parameters that the paper prints are those of
        planar kernels; they also suit a study of one cell along z.
    published_count : bool
        Add a pointwise convolution of 128 to 128 channels to each block with attention, which nothing
        uses, so that ``planar`` networks have exactly the published number of parameters.

    References
    ----------
    Zhang, Wang, Carranza, Li, Li, Tang, Liu: Three-dimensional mineral prospectivity mapping using a residual
    convolutional neural network with lightweight attention mechanisms. Ore Geology Reviews.

    Examples
    --------
    >>> network = ResidualAttentionNet(7)
    >>> sum(p.numel() for p in network.parameters())
    1400978
    >>> network(torch.zeros(5, 7, 3, 3, 3)).shape
    torch.Size([5, 2])
    """

    def __init__(
        self,
        n_layers: int,
        *,
        blocks: int = 2,
        attention: bool = True,
        planar: bool = False,
        published_count: bool = False,
    ) -> None:
        super().__init__(
            n_layers,
            blocks=blocks,
            planar=planar,
            spatial_gate=SpatialGate if attention else None,
            published_count=published_count,
        )


def flops(
    n_layers: int,
    patch_shape: Index3,
    *,
    blocks: int = 2,
    attention: bool = True,
    planar: bool = False,
) -> int:
    """Count the floating-point operations of one patch the way the paper does.

    Two per multiply-add of convolutions and fully connected layers, taps on the padding included; biases,
    pools and activations are free. The network ``f`` that the channel gate runs on the mean and on the
    maximum counts once, which is the only reading that gives the published numbers; counters of what is
    really run find 4,096 more per block with attention.

    Parameters
    ----------
    n_layers : int
        Evidence layers. The published figures follow from 3, although the paper uses 7.
    patch_shape : tuple of int
        Cells along z, y, x. The published figures follow from (1, 3, 3).
    blocks, attention, planar
        As for `ResidualAttentionNet`.

    Examples
    --------
    >>> flops(3, (1, 3, 3), planar=True)
    8928384
    """
    cells, taps = math.prod(patch_shape), 9 if planar else 27
    block = cells * (taps * (_NARROW * _WIDE + _WIDE * _WIDE) + 2 * _WIDE * _NARROW)
    gates = 2 * _WIDE * _SQUEEZED + cells * (taps * _WIDE + _WIDE * _NARROW)
    per_block = block + (gates if attention else 0)
    return 2 * (cells * taps * n_layers * _NARROW + blocks * per_block + _NARROW * 2)


def _pointwise(conv: nn.Conv3d, x: Tensor) -> Tensor:
    return nn.functional.linear(x, conv.weight[:, :, 0, 0, 0], conv.bias)


def _same(kernel: Index3) -> Index3:
    z, y, x = (size // 2 for size in kernel)
    return z, y, x
