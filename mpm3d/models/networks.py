"""The networks as estimators: RCNN-LAM, CBAM and the deviation network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from torch import nn

from mpm3d.models.cbam import CBAMNet
from mpm3d.models.devnet import Deviation, DeviationNet, checked_hidden
from mpm3d.models.network import Network
from mpm3d.models.rcnn_lam import ResidualAttentionNet
from mpm3d.models.scaling import Float32
from mpm3d.models.training import Objective


class RCNNLAM(Network):
    """RCNN-LAM, the residual 3D network with lightweight attention, as an estimator.

    Parameters
    ----------
    layers : sequence of str
        Names of the evidence layers, in the order of the patches.
    blocks : {1, 2}
        Residual blocks.
    attention : bool
        Whether blocks have attention. With ``blocks`` they make DL1 (1, without), DL2 (2, without), DL3 (1,
        with) and DL4 (2, with).
    planar : bool
        Kernels of (1, 3, 3) in place of (3, 3, 3).
    patch_shape : tuple of int
        Cells of a patch along z, y, x.
    epochs, batch_size, learning_rate, patience
        As for `Network`: by default some 40 steps, two epochs of 1200 patches. The paper's 200 epochs teach a
        network its deposits by heart, and it ranks others badly.
    device : str
        As for `Network`.
    layer_dropout, offset, noise, flips, rotations, blend, weight_decay
        As for `mpm3d.models.training.Training`, against memorising places. The paper has none of them, so a
        reproduction sets ``layer_dropout=0``.

    Notes
    -----
    The score is the softmax share of the deposit class. It ranks cells; it is no probability of ore. The
    same generator gives the same network on one machine; on a GPU, torch does not promise that.
    """

    def __init__(
        self,
        layers: Sequence[str],
        blocks: int = 2,
        attention: bool = True,
        planar: bool = False,
        patch_shape: tuple[int, int, int] = (3, 3, 3),
        epochs: int | None = None,
        batch_size: int = 64,
        learning_rate: float = 0.001,
        patience: int = 8,
        device: str = "auto",
        *,
        layer_dropout: float = 0.3,
        offset: float = 0.0,
        noise: float = 0.0,
        flips: bool = False,
        rotations: bool = False,
        blend: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            layers, patch_shape, epochs, batch_size, learning_rate, patience, device,
            layer_dropout=layer_dropout, offset=offset, noise=noise, flips=flips, rotations=rotations,
            blend=blend, weight_decay=weight_decay,
        )  # fmt: skip
        self.blocks = blocks
        self.attention = attention
        self.planar = planar

    @property
    def name(self) -> str:
        """What `mpm3d.models.make` calls this model: ``dl1`` to ``dl4``."""
        return f"dl{self.blocks + 2 * bool(self.attention)}"

    def _module(self) -> nn.Module:
        return ResidualAttentionNet(
            len(self.layers), blocks=self.blocks, attention=self.attention, planar=self.planar
        )

    def _check_shape(self, shape: tuple[int, int, int]) -> None:
        _check_kernels_fit(shape, self.planar)


class CBAM(Network):
    """RCNN-LAM's backbone with the attention of CBAM in 3D, its full-size rival, as an estimator.

    Parameters
    ----------
    layers : sequence of str
        Names of the evidence layers, in the order of the patches.
    blocks : {1, 2}
        Residual blocks.
    planar : bool
        Kernels of (1, 3, 3) and (1, 7, 7) in place of (3, 3, 3) and (7, 7, 7).
    patch_shape, epochs, batch_size, learning_rate, patience, device
        As for `RCNNLAM`.
    layer_dropout, offset, noise, flips, rotations, blend, weight_decay
        As for `RCNNLAM`.

    Notes
    -----
    The score is the softmax share of the deposit class. It ranks cells; it is no probability of ore.
    """

    def __init__(
        self,
        layers: Sequence[str],
        blocks: int = 2,
        planar: bool = False,
        patch_shape: tuple[int, int, int] = (3, 3, 3),
        epochs: int | None = None,
        batch_size: int = 64,
        learning_rate: float = 0.001,
        patience: int = 8,
        device: str = "auto",
        *,
        layer_dropout: float = 0.3,
        offset: float = 0.0,
        noise: float = 0.0,
        flips: bool = False,
        rotations: bool = False,
        blend: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            layers, patch_shape, epochs, batch_size, learning_rate, patience, device,
            layer_dropout=layer_dropout, offset=offset, noise=noise, flips=flips, rotations=rotations,
            blend=blend, weight_decay=weight_decay,
        )  # fmt: skip
        self.blocks = blocks
        self.planar = planar

    @property
    def name(self) -> str:
        """What `mpm3d.models.make` calls this model."""
        return "cbam"

    def _module(self) -> nn.Module:
        return CBAMNet(len(self.layers), blocks=self.blocks, planar=self.planar)

    def _check_shape(self, shape: tuple[int, int, int]) -> None:
        _check_kernels_fit(shape, self.planar)


class DeviationNetwork(Network):
    """The deviation network on cells or patches, for few deposits among many unlabelled cells.

    Parameters
    ----------
    layers : sequence of str
        Names of the evidence layers, in the order of the patches.
    hidden : tuple of int
        Widths of the hidden layers.
    patch_shape : tuple of int
        Cells along z, y, x whose values are the inputs.
    epochs, batch_size, learning_rate, patience, device
        As for `Network`. A batch is half deposits and half unlabelled cells, and an epoch shows each cell of
        the larger class once.
    weight_decay : float
        Added to the loss: this times the sum of the squared weights of the hidden layers.
    layer_dropout, offset, noise, flips, rotations, blend
        As for `mpm3d.models.training.Training`.

    Notes
    -----
    The score is a deviation, not a probability: how many standard deviations of 5000 reference scores, drawn
    from N(0, 1), a cell lies above their mean. Unlabelled cells are trained to lie at 0, deposits at 5 or
    above. It has no bounds.

    References
    ----------
    Pang, Shen, van den Hengel: Deep anomaly detection with deviation networks. KDD 2019.
    Luo, Farahbakhsh, Hore, Müller: DEEP-SEAM. Geosci. Model Dev. 19, 2593-2625, 2026.
    """

    kind = "deviation"

    def __init__(
        self,
        layers: Sequence[str],
        hidden: tuple[int, ...] = (200, 80, 20),
        patch_shape: tuple[int, int, int] = (1, 1, 1),
        epochs: int = 50,
        batch_size: int = 64,
        learning_rate: float = 0.001,
        patience: int = 8,
        device: str = "auto",
        *,
        layer_dropout: float = 0.0,
        offset: float = 0.0,
        noise: float = 0.0,
        flips: bool = False,
        rotations: bool = False,
        blend: float = 0.0,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(
            layers, patch_shape, epochs, batch_size, learning_rate, patience, device,
            layer_dropout=layer_dropout, offset=offset, noise=noise, flips=flips, rotations=rotations,
            blend=blend, weight_decay=weight_decay,
        )  # fmt: skip
        self.hidden = hidden

    @property
    def name(self) -> str:
        """What `mpm3d.models.make` calls this model."""
        return "devnet"

    def _module(self) -> nn.Module:
        n_features = len(self.layers) * math.prod(self.patch_shape)
        return DeviationNet(n_features, checked_hidden(self.hidden))

    def fit(self, patches: Float32, labels: NDArray[Any], **how: Any) -> Self:
        """Train the network as `Network.fit` does, and let it answer in units of its reference scores."""
        super().fit(patches, labels, **how)
        self._drawn.rescale(self.network_.last)  # type: ignore[arg-type]
        return self

    def _objective(self, rng: np.random.Generator) -> Objective:
        self._drawn = Deviation.drawn(rng)
        return self._drawn

    def _scores(self, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        scores: NDArray[np.float64] = outputs[:, 0]
        return scores

    def restore(self, learned: Mapping[str, Any], path: Path) -> None:
        """Take over what `learned` and `write_weights` have written; JSON has made a list of ``hidden``."""
        self.hidden = tuple(self.hidden)
        super().restore(learned, path)


def _check_kernels_fit(shape: tuple[int, int, int], planar: bool) -> None:
    """Refuse a patch ``(z, y, x)`` that is smaller than kernels of (3, 3, 3), or planar ones of (1, 3, 3)."""
    if min(shape[0] + 2 * bool(planar), *shape[1:]) < 3:
        raise ValueError(
            f"a patch of {shape} cells (z, y, x) is smaller than the kernels. Use patch_shape (3, 3, 3), "
            f"or (1, 3, 3) with planar=True for one cell along z."
        )
