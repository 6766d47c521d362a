"""What networks cost, in parameters and operations, beside what their papers print."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from mpm3d.models.network import Network
from mpm3d.models.patch_conv import use_stock


@dataclass(frozen=True)
class Cost:
    """What a network costs.

    Parameters
    ----------
    parameters : int
        Numbers that are learned.
    flops : int
        Floating-point operations of scoring one patch, two per multiply-add of convolutions and fully
        connected layers, taps on the padding included; biases, pools and activations are free.
    """

    parameters: int
    flops: int


@dataclass(frozen=True)
class Published:
    """What the paper prints of a model, measured there on a random split that shares cells: optimistic.

    Parameters
    ----------
    parameters : int or None
        None where the paper has none. Those of the networks are of kernels of (1, 3, 3).
    flops : int
        Those of the networks are of kernels of (1, 3, 3) on 9 cells and 3 layers; that of the forest is its
        77 trees × 255 nodes × 3.
    accuracy, auc, f1 : float
        Scores between 0 and 1.
    """

    parameters: int | None
    flops: int
    accuracy: float
    auc: float
    f1: float


PUBLISHED = {
    "forest": Published(None, 58_905, 0.865, 0.924, 0.823),
    "dl1": Published(242_178, 4_307_584, 0.921, 0.943, 0.861),
    "dl2": Published(480_130, 8_583_808, 0.941, 0.965, 0.889),
    "dl3": Published(270_410, 4_479_872, 0.935, 0.958, 0.881),
    "dl4": Published(536_594, 8_928_384, 0.962, 0.981, 0.917),
}
"""Figures of the paper on RCNN-LAM by kind of model (Zhang and others, Ore Geology Reviews, Table 1)."""


def cost_of(estimator: Any) -> Cost:
    """Count the parameters of a network and the operations that one patch takes, by torch's own counter.

    Parameters
    ----------
    estimator : Network
        Fitted or not; only its settings are looked at. Stock convolutions are counted, the exact short cuts
        of `mpm3d.models.patch_conv` do fewer.

    Raises
    ------
    ValueError
        If the model is no network.

    Examples
    --------
    >>> from mpm3d.models import make
    >>> cost_of(make("dl4", ["a", "b", "c", "d", "e", "f", "g"])).parameters
    1400978
    """
    if not isinstance(estimator, Network):
        raise ValueError(
            f"model {estimator.name!r} is no network, so parameters and operations are not counted. Ask for "
            f"the cost of dl1 to dl4, cbam or devnet."
        )
    network = estimator._network(seed=0)
    use_stock(network)
    patch = torch.zeros(1, len(estimator.layers), *estimator.patch_shape)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network.eval()(patch)
    return Cost(sum(p.numel() for p in network.parameters()), counter.get_total_flops())
