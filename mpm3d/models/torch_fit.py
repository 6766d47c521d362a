"""One training loop for all networks, and the networks as estimators."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load as tensors_of
from safetensors.torch import save_file
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from mpm3d.models.patch_fast import engine_of
from mpm3d.models.rcnn_lam import ResidualAttentionNet
from mpm3d.models.scaling import Float32, Scaling, checked_labels, checked_patch_shape, checked_patches

Data = tuple[Float32, NDArray[np.int64]]
Progress = Callable[[int, int], None]

# Four batches of the engine; stock convolutions are fastest with 128 to 256 patches.
_SCORED_AT_ONCE = 240


@dataclass(frozen=True)
class Training:
    """How a network is trained.

    Parameters
    ----------
    epochs : int
        Passes over the training patches, at most.
    batch_size : int
        Patches per step.
    learning_rate : float
        Step of Adam.
    patience : int
        Epochs without a better validation score after which training stops.
    """

    epochs: int = 200
    batch_size: int = 64
    learning_rate: float = 0.001
    patience: int = 8

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "patience"):
            value = getattr(self, name)
            if int(value) != value or value < 1:
                raise ValueError(f"{name} is {value!r}, a whole number of at least 1 is needed.")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate is {self.learning_rate!r}, it must be above 0, such as 0.001.")


def train(
    network: nn.Module,
    data: Data,
    validation: Data | None,
    *,
    plan: Training,
    rng: np.random.Generator,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Train a network in place with Adam on the cross-entropy of its two outputs.

    With validation data, training stops when their area under the ROC curve has not risen for
    ``plan.patience`` epochs (equal areas: when their loss has not fallen), and the network gets the weights
    of its best epoch. Without, it runs all epochs and keeps the last weights.

    Parameters
    ----------
    network : torch.nn.Module
        Maps patches ``(sample, layer, z, y, x)`` to ``(sample, 2)``. It is left in evaluation mode.
    data, validation : tuple of arrays
        Standardised float32 patches without NaN and labels 0 or 1.
    plan : Training
        Epochs, batch size, learning rate and patience.
    rng : numpy.random.Generator
        Draws the order of the patches.
    progress : callable, optional
        Called after each epoch as ``progress(epoch, plan.epochs)``, and with both equal at the end.

    Returns
    -------
    list of dict
        One per epoch: ``epoch`` (from 1), ``loss``, ``validation_loss``, ``validation_auc`` (None without
        validation), ``seconds``.

    Raises
    ------
    ValueError
        If the loss is no longer finite.
    """
    optimiser = torch.optim.Adam(network.parameters(), lr=plan.learning_rate)
    history: list[dict[str, Any]] = []
    best, best_key, best_weights = 0, (-math.inf, -math.inf), None
    for epoch in range(1, plan.epochs + 1):
        start = time.perf_counter()
        loss = _epoch(network, data, optimiser, plan, rng)
        if not math.isfinite(loss):
            raise ValueError(
                f"the training loss became {loss} in epoch {epoch}. Lower learning_rate (it is "
                f"{plan.learning_rate:g}), or look for extreme values in the layers."
            )
        row: dict[str, Any] = {"epoch": epoch, "loss": loss, "validation_loss": None, "validation_auc": None}
        if validation is not None:
            held_loss, auc = _validate(network, validation)
            row |= {"validation_loss": held_loss, "validation_auc": auc}
            key = (auc, -held_loss)
            if key > best_key:
                best, best_key, best_weights = epoch, key, copy.deepcopy(network.state_dict())
        history.append(row | {"seconds": time.perf_counter() - start})
        stop = validation is not None and epoch - best >= plan.patience
        if progress is not None:
            progress(plan.epochs if stop else epoch, plan.epochs)
        if stop:
            break
    if best_weights is not None:
        network.load_state_dict(best_weights)
    network.eval()
    return history


def _epoch(
    network: nn.Module, data: Data, optimiser: torch.optim.Optimizer, plan: Training, rng: np.random.Generator
) -> float:
    patches, labels = data
    device = next(network.parameters()).device
    order, total = rng.permutation(len(labels)), 0.0
    network.train()
    for first in range(0, len(order), plan.batch_size):
        batch = order[first : first + plan.batch_size]
        logits = network(_tensor(patches[batch], device))
        loss = nn.functional.cross_entropy(logits, torch.from_numpy(labels[batch]).to(device))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        total += loss.item() * len(batch)
    return total / len(order)


def _validate(network: nn.Module, validation: Data) -> tuple[float, float]:
    """Return the cross-entropy and the area under the ROC curve."""
    patches, labels = validation
    network.eval()
    logits = _logits(network, patches, lambda batch: batch)
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    loss = -float(log_p[np.arange(len(labels)), labels].mean())
    # The difference of the outputs orders patches where probabilities have run into 1.
    difference = np.nan_to_num(logits[:, 1] - logits[:, 0])
    return loss, float(roc_auc_score(labels, difference))


def _logits(
    network: nn.Module, patches: Float32, prepare: Callable[[Float32], Float32]
) -> NDArray[np.float64]:
    device, engine = next(network.parameters()).device, engine_of(network, patches.shape[2:])
    logits = np.empty((len(patches), 2), dtype=np.float64)
    with torch.inference_mode():
        for first in range(0, len(patches), _SCORED_AT_ONCE):
            batch = slice(first, first + _SCORED_AT_ONCE)
            values = prepare(patches[batch])
            if engine is not None:
                logits[batch] = engine.logits(values)
            else:
                logits[batch] = network(_tensor(values, device)).cpu().numpy()
    return logits


def _tensor(patches: Float32, device: torch.device) -> Tensor:
    return torch.from_numpy(patches).to(device, memory_format=torch.channels_last_3d)


def find_device(device: str) -> torch.device:
    """Return the device that a setting names; ``"auto"`` is the first GPU, or else the CPU.

    Raises
    ------
    ValueError
        If the name is unknown, or the machine has no such device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
        torch.zeros(1, device=found)
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        raise ValueError(
            f"device {device!r} cannot be used on this machine. Use 'auto', 'cpu', or a device that torch "
            f"finds here, such as 'cuda:0'."
        ) from error
    return found


class RCNNLAM(BaseEstimator):  # type: ignore[misc]
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
        As for `Training`. Without validation data all epochs are run; 200 are the published setting.
    device : str
        ``"auto"``, ``"cpu"``, or a device of torch such as ``"cuda:0"``. A fitted model that is loaded on a
        machine without that device uses the CPU.

    Notes
    -----
    The score is the softmax share of the deposit class. It ranks cells; it is no probability of ore. The
    same generator gives the same network on one machine; on a GPU, torch does not promise that.
    """

    kind = "probability"
    stops_early = True
    weights_name = "weights.safetensors"
    history_: list[dict[str, Any]]
    notes_: tuple[str, ...]
    best_epoch_: int

    def __init__(
        self,
        layers: Sequence[str],
        blocks: int = 2,
        attention: bool = True,
        planar: bool = False,
        patch_shape: tuple[int, int, int] = (3, 3, 3),
        epochs: int = 200,
        batch_size: int = 64,
        learning_rate: float = 0.001,
        patience: int = 8,
        device: str = "auto",
    ) -> None:
        self.layers = layers
        self.blocks = blocks
        self.attention = attention
        self.planar = planar
        self.patch_shape = patch_shape
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.patience = patience
        self.device = device

    @property
    def name(self) -> str:
        """What `mpm3d.models.make` calls this model: ``dl1`` to ``dl4``."""
        return f"dl{self.blocks + 2 * bool(self.attention)}"

    def fit(
        self,
        patches: Float32,
        labels: NDArray[Any],
        *,
        groups: NDArray[Any] | None = None,
        rng: np.random.Generator,
        validation: tuple[Float32, NDArray[Any]] | None = None,
        progress: Progress | None = None,
    ) -> RCNNLAM:
        """Train the network.

        Parameters
        ----------
        patches : array of shape (sample, layer, z, y, x)
            Values in the layers' own units. NaN is missing and counts as the layer's training mean.
        labels : array of shape (sample,)
            1 at deposit cells, 0 at background.
        groups : array of shape (sample,), optional
            Deposit of each sample, not used by this model.
        rng : numpy.random.Generator
            Source of the first weights and of the order of patches. Torch's own state is left as it is.
        validation : tuple of arrays, optional
            Patches and labels that decide when to stop. Without, all epochs are run.
        progress : callable, optional
            Called after each epoch as ``progress(done, total)``.

        Raises
        ------
        ValueError
            If patches, labels or settings do not fit, a layer has no value, or the loss diverges.
        """
        shape = checked_patch_shape(self.patch_shape)
        if min(shape[0] + 2 * bool(self.planar), *shape[1:]) < 3:
            raise ValueError(
                f"a patch of {shape} cells (z, y, x) is smaller than the kernels. Use patch_shape (3, 3, 3), "
                f"or (1, 3, 3) with planar=True for one cell along z."
            )
        plan = Training(self.epochs, self.batch_size, self.learning_rate, self.patience)
        array = checked_patches(patches, self.layers, shape)
        target = checked_labels(labels, len(array))
        scaling = Scaling.learn(array, self.layers)
        held_out = None
        if validation is not None:
            held = checked_patches(validation[0], self.layers, shape)
            held_out = (scaling.standardise(held), checked_labels(validation[1], len(held)))
        network = self._network(seed=int(rng.integers(2**63 - 1))).to(find_device(self.device))
        data = (scaling.standardise(array), target)
        self.history_ = train(network, data, held_out, plan=plan, rng=rng, progress=progress)
        self.best_epoch_ = _best_epoch(self.history_)
        self.scaling_, self.network_, self.notes_ = scaling, network, scaling.notes
        return self

    def score_samples(self, patches: Float32) -> Float32:
        """Score patches ``(sample, layer, z, y, x)``: float32 between 0 and 1, high for deposits.

        Several threads may call it at once. Memory beyond the patches is that of a few hundred of them.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the network was not fitted.
        ValueError
            If the patches do not fit the model.
        """
        if not hasattr(self, "network_"):
            raise NotFittedError("this network is not fitted yet. Call fit first, or load a fitted one.")
        array = checked_patches(patches, self.layers, self.patch_shape)
        logits = _logits(self.network_, array, self.scaling_.standardise)
        with np.errstate(over="ignore"):
            scores: Float32 = (1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))).astype(np.float32)
        return scores

    def _network(self, seed: int) -> ResidualAttentionNet:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            network = ResidualAttentionNet(
                len(self.layers), blocks=self.blocks, attention=self.attention, planar=self.planar
            )
        return network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload, no-any-return]

    def learned(self) -> dict[str, Any]:
        """Return what the model folder's JSON holds about the fitted model."""
        return {
            "scaling": self.scaling_.to_dict(),
            "history": self.history_,
            "best_epoch": self.best_epoch_,
            "n_parameters": sum(p.numel() for p in self.network_.parameters()),
        }

    def write_weights(self, path: Path) -> None:
        """Write the weights as safetensors."""
        save_file({key: value.cpu().contiguous() for key, value in self.network_.state_dict().items()}, path)

    def restore(self, learned: Mapping[str, Any], path: Path) -> None:
        """Take over what `learned` and `write_weights` have written.

        Raises
        ------
        ValueError
            If the weights are not those of this network.
        """
        self.scaling_, self.notes_ = Scaling.from_dict(learned["scaling"], self.layers), ()
        self.history_, self.best_epoch_ = list(learned["history"]), int(learned["best_epoch"])
        network = self._network(seed=0)
        try:
            network.load_state_dict(tensors_of(path.read_bytes()))
        except RuntimeError as error:
            raise ValueError(
                f"its weights are not those of {self.name} on {len(self.layers)} layers"
            ) from error
        self.network_ = network.to(_device_or_cpu(self.device)).eval()


def _best_epoch(history: Sequence[Mapping[str, Any]]) -> int:
    if history[-1]["validation_auc"] is None:
        return int(history[-1]["epoch"])
    best = max(history, key=lambda row: (row["validation_auc"], -row["validation_loss"]))
    return int(best["epoch"])


def _device_or_cpu(device: str) -> torch.device:
    try:
        return find_device(device)
    except ValueError:
        return torch.device("cpu")
