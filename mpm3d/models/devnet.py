"""The deviation network and its loss: a score that known deposits must push far from a reference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mpm3d.models.training import Training

REFERENCES = 5000
"""Scores drawn from N(0, 1) that deviations are measured against."""

MARGIN = 5.0
"""Deviation that the score of a deposit is to reach."""


class DeviationNet(nn.Module):
    """Fully connected layers with ReLU on all cells of a patch, and one linear output.

    Parameters
    ----------
    n_features : int
        Layers times cells of a patch.
    hidden : sequence of int
        Widths of the hidden layers.

    Examples
    --------
    >>> network = DeviationNet(7)
    >>> sum(p.numel() for p in network.parameters())
    19321
    >>> network(torch.zeros(5, 7, 1, 1, 1)).shape
    torch.Size([5, 1])
    """

    def __init__(self, n_features: int, hidden: Sequence[int] = (200, 80, 20)) -> None:
        super().__init__()
        widths = [n_features, *hidden]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.last = nn.Linear(widths[-1], 1)

    def forward(self, patches: Tensor) -> Tensor:
        """Map standardised patches ``(sample, layer, z, y, x)`` to scores ``(sample, 1)``."""
        x = patches.flatten(1)
        for layer in self.hidden:
            x = torch.relu(layer(x))
        score: Tensor = self.last(x)
        return score


@dataclass(frozen=True)
class Deviation:
    """The deviation loss, by RMSprop with clipped gradients, on balanced batches.

    With ``dev = (score - mean) / std`` of the reference scores, a cell without a known deposit costs
    ``|dev|`` and a deposit cell ``max(0, margin - dev)``. Each batch is half deposits and half unlabelled
    cells: an epoch shows every cell of the larger class once, in random order, and cells of the smaller
    class drawn with replacement.

    Parameters
    ----------
    mean, std : float
        Of the reference scores.
    margin : float
        Deviation that deposits are to reach.
    clip : float
        Largest norm of the gradient of a step.

    References
    ----------
    Pang, Shen, van den Hengel: Deep anomaly detection with deviation networks. KDD 2019. Their code draws the
    reference scores once, as `drawn` does; RMSprop has the constants of the library it uses.
    """

    mean: float
    std: float
    margin: float = MARGIN
    clip: float = 1.0

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Deviation:
        """Draw the reference scores."""
        scores = rng.standard_normal(REFERENCES)
        return cls(float(scores.mean()), float(scores.std()))

    def optimiser(self, network: nn.Module, plan: Training) -> torch.optim.Optimizer:
        """Return RMSprop with decay 0.9."""
        return torch.optim.RMSprop(network.parameters(), lr=plan.learning_rate, alpha=0.9, eps=1e-7)

    def batches(
        self, labels: NDArray[np.int64], size: int, rng: np.random.Generator
    ) -> list[NDArray[np.int64]]:
        """Return the rows of each batch, as many deposits as others."""
        half = max(1, size // 2)
        few, many = sorted((np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)), key=len)
        order = rng.permutation(many)
        parts = [order[first : first + half] for first in range(0, len(order), half)]
        return [np.concatenate([part, rng.choice(few, len(part))]) for part in parts]

    def loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Return the mean deviation loss."""
        deviation = (outputs[:, 0] - self.mean) / self.std
        missing = torch.relu(self.margin - deviation)
        return torch.where(labels == 1, missing, deviation.abs()).mean()

    def penalty(self, network: nn.Module, plan: Training) -> Tensor | float:
        """Return ``weight_decay`` times the sum of the squared weights of the hidden layers."""
        if not plan.weight_decay:
            return 0.0
        squares = [(layer.weight**2).sum() for layer in network.hidden]  # type: ignore[union-attr]
        return plan.weight_decay * torch.stack(squares).sum()

    def rescale(self, last: nn.Linear) -> None:
        """Let the last layer of a network answer deviations, ``(score - mean) / std``, in place of scores."""
        with torch.no_grad():
            last.weight.div_(self.std)
            last.bias.sub_(self.mean).div_(self.std)

    def n_right(self, outputs: Tensor, labels: Tensor) -> int | None:
        """Return None: a deviation calls no cell a deposit."""
        return None

    def order(self, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scores."""
        scores: NDArray[np.float64] = outputs[:, 0]
        return scores


def checked_hidden(hidden: Sequence[int]) -> tuple[int, ...]:
    """Return the widths of the hidden layers, or say what is wrong with them."""
    widths = tuple(hidden)
    if not widths or any(not math.isfinite(n) or int(n) != n or n < 1 for n in widths):
        raise ValueError(f"hidden is {widths}, one whole number or more is needed, such as (200, 80, 20).")
    return tuple(int(n) for n in widths)
