"""The full-size attention rival of RCNN-LAM: convolutional block attention (CBAM) in 3D, a torch module."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mpm3d.grid import Index3
from mpm3d.models.rcnn_lam import PatchNet

_REACH = 3  # of a kernel of 7 cells, to either side


class WideSpatialGate(nn.Module):
    """Weigh positions by the mean and the maximum over the channels: ``z · σ(conv [mean z, max z])``.

    The convolution has a kernel of 7×7×7 cells, of 1×7×7 where the network is planar, padded with zeros so
    that the patch keeps its size.

    Parameters
    ----------
    kernel : tuple of int
        Of the network's other convolutions, (3, 3, 3) or (1, 3, 3).

    Notes
    -----
    On a patch of 3×3×3 cells only the inner 5×5×5 taps ever meet data. Larger patches use more, and all taps
    are parameters.
    """

    def __init__(self, kernel: Index3) -> None:
        super().__init__()
        z, y, x = (2 * _REACH + 1 if size > 1 else 1 for size in kernel)
        self.conv = nn.Conv3d(2, 1, (z, y, x), padding=(z // 2, y // 2, x // 2))

    def forward(self, z: Tensor) -> Tensor:
        """Return ``z`` of shape ``(sample, channel, z, y, x)`` with weighted positions."""
        pooled = torch.stack([z.mean(dim=1), z.amax(dim=1)], dim=1)
        return z * torch.sigmoid(self.around(pooled))

    def around(self, pooled: Tensor) -> Tensor:
        """Convolve ``(sample, 2, z, y, x)`` with the taps that meet data: those beyond see padding only."""
        weight = self.conv.weight
        reach = [
            min(tap // 2, side - 1) for tap, side in zip(weight.shape[2:], pooled.shape[2:], strict=True)
        ]
        z, y, x = (
            slice(tap // 2 - r, tap // 2 + r + 1) for tap, r in zip(weight.shape[2:], reach, strict=True)
        )
        return nn.functional.conv3d(pooled, weight[:, :, z, y, x], self.conv.bias, padding=reach)

    def on_positions(self, z: Tensor) -> Tensor:
        """The same for ``(27, sample, channel)``: one product of 27 × 54 numbers a sample."""
        pooled = torch.cat([z.mean(dim=2), z.amax(dim=2)])  # (54, sample)
        around = taps_by_position(self.conv.weight) @ pooled
        if self.conv.bias is not None:
            around = around + self.conv.bias
        return z * torch.sigmoid(around)[:, :, None]


def taps_by_position(weight: Tensor) -> Tensor:
    """What each cell of a 3×3×3 patch gets from each: ``(1, channel, 7, 7, 7)`` to ``(27, channel × 27)``.

    A cell ``i`` reaches a cell ``o`` through tap ``i - o + 3`` along each axis.
    """
    taps = weight[0]
    for axis in (1, 2, 3):
        # windows of three taps that begin at 1, 2 and 3: what the last, the middle and the first cell sees
        taps = taps.narrow(axis, _REACH - 2, 5).unfold(axis, 3, 1)
    channels = taps.shape[0]
    cells = taps.flip(1, 2, 3).reshape(channels, 27, 27)  # (channel, o, i)
    return cells.permute(1, 0, 2).reshape(27, channels * 27)


class CBAMNet(PatchNet):
    """RCNN-LAM's backbone with the attention of CBAM in its residual blocks.

    In each block, channels are weighed by a network of two layers, shared by their mean and maximum over the
    patch, which narrows 128 channels to 8 (the paper's ratio of 16); then positions by `WideSpatialGate`.

    Parameters
    ----------
    n_layers : int
        Number of evidence layers.
    blocks : {1, 2}
        Residual blocks.
    planar : bool
        Kernels of (1, 3, 3) and (1, 7, 7) in place of (3, 3, 3) and (7, 7, 7).

    References
    ----------
    Woo, Park, Lee, Kweon: CBAM: Convolutional block attention module. ECCV 2018.

    Examples
    --------
    >>> network = CBAMNet(7)
    >>> sum(p.numel() for p in network.parameters())
    1378672
    >>> network(torch.zeros(5, 7, 3, 3, 3)).shape
    torch.Size([5, 2])
    """

    title = "CBAM"

    def __init__(self, n_layers: int, *, blocks: int = 2, planar: bool = False) -> None:
        super().__init__(n_layers, blocks=blocks, planar=planar, spatial_gate=WideSpatialGate)
