"""What all networks have in common as estimators: training, scoring, and the files they are kept in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load as tensors_of
from safetensors.torch import save_file
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from torch import nn

from mpm3d.models.scaling import Float32, Scaling, checked_labels, checked_patch_shape, checked_patches
from mpm3d.models.training import CrossEntropy, Objective, Progress, Training, best_epoch, outputs_of, train

# So many steps do not yet teach the places of deposits by heart, however many patches there are.
_STEPS = 40
_MOST_EPOCHS = 200


class Network(BaseEstimator):  # type: ignore[misc]
    """What the networks have in common: training, scoring, and the files they are kept in.

    A network says in `_module` what it is made of; `_objective` and `_scores` are those of a classifier with
    two outputs.

    Parameters
    ----------
    layers : sequence of str
        Names of the evidence layers, in the order of the patches.
    patch_shape : tuple of int
        Cells of a patch along z, y, x.
    epochs, batch_size, learning_rate, patience
        As for `mpm3d.models.training.Training`. Without validation data all epochs are run; by default as
        many as make about 40 steps, and at most 200 with validation data.
    device : str
        ``"auto"``, ``"cpu"``, or a device of torch such as ``"cuda:0"``. A fitted model that is loaded on a
        machine without that device uses the CPU.
    layer_dropout, offset, noise, flips, rotations, blend, weight_decay
        As for `mpm3d.models.training.Training`, against memorising places.
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
        patch_shape: tuple[int, int, int] = (3, 3, 3),
        epochs: int | None = None,
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
        weight_decay: float = 0.0,
    ) -> None:
        self.layers = layers
        self.patch_shape = patch_shape
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.patience = patience
        self.device = device
        self.layer_dropout = layer_dropout
        self.offset = offset
        self.noise = noise
        self.flips = flips
        self.rotations = rotations
        self.blend = blend
        self.weight_decay = weight_decay

    @property
    def name(self) -> str:
        """What `mpm3d.models.make` calls this model."""
        raise NotImplementedError

    def _module(self) -> nn.Module:
        """Return the network, with weights from torch's random numbers."""
        raise NotImplementedError

    def _check_shape(self, shape: tuple[int, int, int]) -> None:
        """Refuse a patch that the network cannot take."""

    def _objective(self, rng: np.random.Generator) -> Objective:
        return CrossEntropy()

    def _scores(self, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(over="ignore"):
            shares: NDArray[np.float64] = 1 / (1 + np.exp(outputs[:, 0] - outputs[:, 1]))
        return shares

    def fit(
        self,
        patches: Float32,
        labels: NDArray[Any],
        *,
        groups: NDArray[Any] | None = None,
        rng: np.random.Generator,
        validation: tuple[Float32, NDArray[Any]] | None = None,
        progress: Progress | None = None,
        checkpoint: Path | None = None,
    ) -> Self:
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
            Source of the first weights, of the batches, and of what is done to patches. Torch's own state is
            left as it is.
        validation : tuple of arrays, optional
            Patches and labels that decide when to stop. Without, all epochs are run.
        progress : callable, optional
            Called after each epoch as ``progress(done, total, words)``.
        checkpoint : Path, optional
            Folder that keeps the state of an unfinished fit. An interrupted one goes on from there when it
            is given the same data, settings and generator.

        Raises
        ------
        ValueError
            If patches, labels or settings do not fit, a layer has no value, or the loss diverges.
        """
        shape = checked_patch_shape(self.patch_shape)
        self._check_shape(shape)
        array = checked_patches(patches, self.layers, shape)
        settings = self._settings(len(array), stops=validation is not None)
        Training(**settings)  # complains before anything takes time
        target = checked_labels(labels, len(array))
        scaling = Scaling.learn(array, self.layers)
        held_out = None
        if validation is not None:
            held = checked_patches(validation[0], self.layers, shape)
            held_out = (scaling.standardise(held), checked_labels(validation[1], len(held)))
        network = self._network(seed=int(rng.integers(2**63 - 1))).to(find_device(self.device))
        plan = Training(**settings, objective=self._objective(rng))
        data = (scaling.standardise(array), target)
        self.history_ = train(
            network, data, held_out, plan=plan, rng=rng, progress=progress, checkpoint=checkpoint
        )
        self.best_epoch_ = best_epoch(self.history_)
        self.scaling_, self.network_, self.notes_ = scaling, network, scaling.notes
        return self

    def _settings(self, n_patches: int, *, stops: bool) -> dict[str, Any]:
        """The settings of `Training`, with a number of epochs where none is set."""
        found = {
            field.name: getattr(self, field.name) for field in fields(Training) if field.name != "objective"
        }
        if self.epochs is None:
            batches = -(-n_patches // max(1, self.batch_size))
            found["epochs"] = _MOST_EPOCHS if stops else max(1, round(_STEPS / batches))
        return found

    def score_samples(self, patches: Float32) -> Float32:
        """Score patches ``(sample, layer, z, y, x)``: float32, high for deposits.

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
        if not len(array):
            return np.zeros(0, dtype=np.float32)
        outputs = outputs_of(self.network_, array, self.scaling_.standardise)
        return self._scores(outputs).astype(np.float32)

    def _network(self, seed: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            network = self._module()
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


def _device_or_cpu(device: str) -> torch.device:
    try:
        return find_device(device)
    except ValueError:
        return torch.device("cpu")
