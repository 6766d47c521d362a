"""One training loop for all networks, its settings, and what keeps networks from memorising places."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from mpm3d.models.augment import augment, drawn
from mpm3d.models.checkpoint import Checkpoint, State, key_of
from mpm3d.models.patch_fast import engine_of
from mpm3d.models.scaling import Float32

Data = tuple[Float32, NDArray[np.int64]]
Progress = Callable[..., None]

# Four batches of the engine; stock convolutions are fastest with 128 to 256 patches.
_SCORED_AT_ONCE = 240


class Objective(Protocol):
    """What a network is trained to make small, on which batches, by which optimiser.

    Its ``repr`` tells it apart from others.
    """

    @property
    def clip(self) -> float:
        """Largest norm of the gradient of a step, infinity for any."""

    def optimiser(self, network: nn.Module, plan: Training) -> torch.optim.Optimizer:
        """Return the optimiser of the network's weights."""

    def batches(
        self, labels: NDArray[np.int64], size: int, rng: np.random.Generator
    ) -> list[NDArray[np.int64]]:
        """Return the rows of each batch of an epoch."""

    def loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss of outputs ``(sample, output)`` and labels ``(sample,)``."""

    def penalty(self, network: nn.Module, plan: Training) -> Tensor | float:
        """Return what large weights add to the loss."""

    def n_right(self, outputs: Tensor, labels: Tensor) -> int | None:
        """Return how many samples are called right, None for scores that call nothing."""

    def order(self, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return one number a sample, high for deposits."""


@dataclass(frozen=True)
class CrossEntropy:
    """The cross-entropy of two outputs, by Adam, on every patch once an epoch in random order.

    ``weight_decay`` shrinks weights beside the steps of Adam, biases excepted (Loshchilov and Hutter:
    Decoupled weight decay regularization, ICLR 2019).
    """

    clip: float = math.inf

    def optimiser(self, network: nn.Module, plan: Training) -> torch.optim.Optimizer:
        """Return Adam with decoupled decay."""
        weights = [p for p in network.parameters() if p.ndim > 1]
        biases = [p for p in network.parameters() if p.ndim <= 1]
        groups: list[dict[str, Any]] = [{"params": weights}, {"params": biases, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=plan.learning_rate, weight_decay=plan.weight_decay)

    def batches(
        self, labels: NDArray[np.int64], size: int, rng: np.random.Generator
    ) -> list[NDArray[np.int64]]:
        """Return a random order of all rows, cut into batches."""
        order = rng.permutation(len(labels))
        return [order[first : first + size] for first in range(0, len(order), size)]

    def loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Return the mean cross-entropy."""
        return nn.functional.cross_entropy(outputs, labels)

    def penalty(self, network: nn.Module, plan: Training) -> Tensor | float:
        """Return 0: decay is the optimiser's."""
        return 0.0

    def n_right(self, outputs: Tensor, labels: Tensor) -> int | None:
        """Return how many samples are on their side of a share of 1/2."""
        return int(((outputs[:, 1] >= outputs[:, 0]).long() == labels).sum())

    def order(self, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the difference of the outputs, which orders where shares have run into 1."""
        difference: NDArray[np.float64] = outputs[:, 1] - outputs[:, 0]
        return difference


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
        Step of the optimiser.
    patience : int
        Epochs without a better validation score after which training stops.
    layer_dropout : float
        Probability that a training patch loses a layer, which then is the layer's training mean. No patch
        loses all of them.
    offset : float
        Standard deviation of a random constant that is added to each layer of each training patch, in
        standard deviations of the layer.
    noise : float
        Standard deviation of random noise that is added to each cell, in the same unit.
    flips : bool
        Mirror training patches at random along x and along y. It suits layers without a preferred direction.
    rotations : bool
        Turn training patches at random by quarters about the vertical.
    blend : float
        Probability that a training patch is blended with another one of its class, by a random share (Zhang
        et al.: mixup, ICLR 2018, within classes). What lies between two deposits then counts as ore too.
    weight_decay : float
        How strongly weights are pulled towards 0, in the way of the objective.
    objective : Objective
        What is made small, and how.
    """

    epochs: int = 200
    batch_size: int = 64
    learning_rate: float = 0.001
    patience: int = 8
    layer_dropout: float = 0.0
    offset: float = 0.0
    noise: float = 0.0
    flips: bool = False
    rotations: bool = False
    blend: float = 0.0
    weight_decay: float = 0.0
    objective: Objective = field(default_factory=CrossEntropy)

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "patience"):
            value = getattr(self, name)
            if int(value) != value or value < 1:
                raise ValueError(f"{name} is {value!r}, a whole number of at least 1 is needed.")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate is {self.learning_rate!r}, it must be above 0, such as 0.001.")
        if not 0 <= self.layer_dropout < 1:
            raise ValueError(
                f"layer_dropout is {self.layer_dropout!r}, it is a probability of at least 0 and below 1, "
                f"such as 0.2."
            )
        if not 0 <= self.blend <= 1:
            raise ValueError(f"blend is {self.blend!r}, it is a probability from 0 to 1.")
        for name in ("offset", "noise", "weight_decay"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} is {value!r}, it must be a number of at least 0. Use 0 for none.")


def train(
    network: nn.Module,
    data: Data,
    validation: Data | None,
    *,
    plan: Training,
    rng: np.random.Generator,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
) -> list[dict[str, Any]]:
    """Train a network in place.

    With validation data, training stops when their area under the ROC curve has not risen for
    ``plan.patience`` epochs (equal areas: when their loss has not fallen), and the network gets the weights
    of its best epoch. Without, it runs all epochs and keeps the last weights.

    Parameters
    ----------
    network : torch.nn.Module
        Maps patches ``(sample, layer, z, y, x)`` to ``(sample, output)``. It is left in evaluation mode.
    data, validation : tuple of arrays
        Standardised float32 patches without NaN and labels 0 or 1.
    plan : Training
        Epochs, batch size, learning rate, patience, what is done to patches, and the objective.
    rng : numpy.random.Generator
        Draws the batches and what is done to patches.
    progress : callable, optional
        Called after each epoch as ``progress(epoch, plan.epochs, words)``, and with both equal at the end.
    checkpoint : Path, optional
        Folder that keeps the state of the fit while it lasts, after its first epoch and then every few
        seconds. The same call goes on from there and ends with the same weights, bit for bit on the same
        machine. What another call left there is replaced.

    Returns
    -------
    list of dict
        One per epoch: ``epoch`` (from 1), ``loss``, ``accuracy`` (share of training patches called right at
        1/2, None for scores that are no shares), ``validation_loss``, ``validation_accuracy`` and
        ``validation_auc`` (None without validation), ``seconds``.

    Raises
    ------
    ValueError
        If the loss is no longer finite, or patches cannot be turned.
    """
    state = State(network, plan.objective.optimiser(network, plan), rng)
    stops = validation is not None
    kept = None
    if checkpoint is not None:
        kept = Checkpoint(checkpoint, key_of(state, plan, *data, *(validation or (None, None))))
        if kept.take_over(state):
            _show(progress, state, plan, stops)
    while not _finished(state.history, plan, stops):
        _one_more(state, data, validation, plan)
        if kept is not None:
            kept.keep(state)
        _show(progress, state, plan, stops)
    if state.best:
        network.load_state_dict(state.best)
    if kept is not None:
        kept.remove()
    network.eval()
    return state.history


def _finished(history: Sequence[dict[str, Any]], plan: Training, stops: bool) -> bool:
    if not history:
        return False
    return len(history) >= plan.epochs or (stops and len(history) - best_epoch(history) >= plan.patience)


def _one_more(state: State, data: Data, validation: Data | None, plan: Training) -> None:
    """Train for one epoch and write it down."""
    start, epoch = time.perf_counter(), len(state.history) + 1
    row = {"epoch": epoch} | _epoch(state, data, plan) | _held_out(state.network, validation, plan)
    _check_finite(row, plan)
    state.history.append(row | {"seconds": time.perf_counter() - start})
    if validation is not None and best_epoch(state.history) == epoch:
        state.best = copy.deepcopy(state.network.state_dict())


def _show(progress: Progress | None, state: State, plan: Training, stops: bool) -> None:
    if progress is not None:
        done = plan.epochs if _finished(state.history, plan, stops) else len(state.history)
        progress(done, plan.epochs, f"loss {state.history[-1]['loss']:.3f}")


def best_epoch(history: Sequence[dict[str, Any]]) -> int:
    """Return the epoch whose weights are kept: the best on validation data, or the last without.

    Examples
    --------
    >>> rows = [{"epoch": 1, "validation_auc": 0.8, "validation_loss": 0.5}]
    >>> best_epoch([*rows, {"epoch": 2, "validation_auc": 0.8, "validation_loss": 0.6}])
    1
    """
    if history[-1]["validation_auc"] is None:
        return int(history[-1]["epoch"])
    best = max(history, key=lambda row: (row["validation_auc"], -row["validation_loss"]))
    return int(best["epoch"])


def _check_finite(row: dict[str, Any], plan: Training) -> None:
    for name, loss in (("training", row["loss"]), ("validation", row["validation_loss"])):
        if loss is not None and not math.isfinite(loss):
            raise ValueError(
                f"the {name} loss became {loss} in epoch {row['epoch']}. Lower learning_rate (it is "
                f"{plan.learning_rate:g}), or look for extreme values in the layers."
            )


def _epoch(state: State, data: Data, plan: Training) -> dict[str, Any]:
    (patches, labels), network, objective = data, state.network, plan.objective
    device = next(network.parameters()).device
    total, right, seen = 0.0, 0, 0
    network.train()
    for batch in objective.batches(labels, plan.batch_size, state.rng):
        changed = augment(drawn(patches, labels, batch, plan, state.rng), plan, state.rng)
        outputs = network(_tensor(changed, device))
        target = torch.from_numpy(labels[batch]).to(device)
        loss = objective.loss(outputs, target)
        state.optimiser.zero_grad()
        (loss + objective.penalty(network, plan)).backward()  # type: ignore[no-untyped-call]
        if objective.clip < math.inf:
            nn.utils.clip_grad_norm_(network.parameters(), objective.clip)
        state.optimiser.step()
        total += loss.item() * len(batch)
        right += objective.n_right(outputs.detach(), target) or 0
        seen += len(batch)
    calls = objective.n_right(outputs[:0].detach(), target[:0]) is not None
    return {"loss": total / seen, "accuracy": right / seen if calls else None}


def _held_out(network: nn.Module, validation: Data | None, plan: Training) -> dict[str, Any]:
    if validation is None:
        return dict.fromkeys(("validation_loss", "validation_accuracy", "validation_auc"))
    loss, accuracy, auc = _validate(network, validation, plan.objective)
    return {"validation_loss": loss, "validation_accuracy": accuracy, "validation_auc": auc}


def _validate(
    network: nn.Module, validation: Data, objective: Objective
) -> tuple[float, float | None, float]:
    """Return the loss, the share called right, and the area under the ROC curve."""
    patches, labels = validation
    network.eval()
    outputs = outputs_of(network, patches, lambda batch: batch)
    values, target = torch.from_numpy(outputs), torch.from_numpy(labels)
    right = objective.n_right(values, target)
    auc = roc_auc_score(labels, np.nan_to_num(objective.order(outputs)))
    accuracy = None if right is None else right / len(labels)
    return float(objective.loss(values, target)), accuracy, float(auc)


def outputs_of(
    network: nn.Module, patches: Float32, prepare: Callable[[Float32], Float32]
) -> NDArray[np.float64]:
    """Run a network over patches, some hundred at a time, by the compiled engine where there is one.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode.
    patches : array of shape (sample, layer, z, y, x)
        At least one.
    prepare : callable
        Turns a batch of them into what the network takes.

    Returns
    -------
    array of shape (sample, output)
    """
    device, engine = next(network.parameters()).device, engine_of(network, patches.shape[2:])
    found = []
    with torch.inference_mode():
        for first in range(0, len(patches), _SCORED_AT_ONCE):
            values = prepare(patches[first : first + _SCORED_AT_ONCE])
            if engine is not None:
                found.append(np.asarray(engine.logits(values), dtype=np.float64))
            else:
                found.append(network(_tensor(values, device)).double().cpu().numpy())
    return np.concatenate(found)


def _tensor(patches: Float32, device: torch.device) -> Tensor:
    return torch.from_numpy(patches).to(device, memory_format=torch.channels_last_3d)
