"""The state of an unfinished fit on disk, so that an interrupted one goes on from its last epoch."""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_of
from safetensors.torch import save as bytes_of
from torch import Tensor, nn

from mpm3d.models.folder import versions

FILE_NAME = "unfinished.safetensors"

# Seconds between two states on disk; a state of DL4 has 22 MB.
_EVERY = 10.0


@dataclass(eq=False)
class State:
    """Where a fit stands after an epoch.

    Parameters
    ----------
    network : torch.nn.Module
        With the weights of the last epoch.
    optimiser : torch.optim.Optimizer
        Of the network's weights, with what it remembers of its steps.
    rng : numpy.random.Generator
        Ready for the next epoch.
    history : list of dict
        One row an epoch.
    best : dict of tensors
        Weights of the best epoch on validation data, empty without.
    """

    network: nn.Module
    optimiser: torch.optim.Optimizer
    rng: np.random.Generator
    history: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)


def key_of(state: State, plan: Any, *arrays: np.ndarray | None) -> str:
    """Hash all that a fit depends on: first weights, random numbers, settings, data and versions.

    Parameters
    ----------
    state : State
        Before the first epoch.
    plan : object
        Settings, told apart by their ``repr``.
    *arrays : numpy arrays or None
        Training and validation data.
    """
    digest = hashlib.sha256()
    kind, generator = type(state.network).__name__, state.rng.bit_generator.state
    device = next(state.network.parameters()).device.type
    digest.update(_json([kind, repr(plan), generator, device, versions()]))
    for array in arrays:
        digest.update(repr(None if array is None else (array.shape, array.dtype.str)).encode())
        digest.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
    digest.update(_digest(state.network.state_dict()).encode())
    return digest.hexdigest()


class Checkpoint:
    """The file that holds the state of one fit.

    Parameters
    ----------
    folder : Path
        Made when there is something to keep.
    key : str
        From `key_of`; the state of another fit is not taken over.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._path, self._key, self._written = folder / FILE_NAME, key, -math.inf

    def keep(self, state: State) -> None:
        """Write the state unless that was done seconds ago; the file is whole at any moment."""
        if time.monotonic() - self._written < _EVERY:
            return
        tensors = _tensors(state)
        said = {
            "key": self._key,
            "history": state.history,
            "rng": state.rng.bit_generator.state,
            "digest": _digest(tensors),
        }
        said_bytes = torch.frombuffer(bytearray(_json(said)), dtype=torch.uint8)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".tmp")
        with temporary.open("wb") as file:
            file.write(bytes_of({**tensors, "said": said_bytes}))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
        self._written = time.monotonic()

    def take_over(self, state: State) -> bool:
        """Bring a fit to the state on disk, if that is whole and of the same fit; say whether it was."""
        try:
            tensors = tensors_of(self._path.read_bytes())
            said = json.loads(tensors.pop("said").numpy().tobytes())
            if said["key"] != self._key or said["digest"] != _digest(tensors):
                return False
        except (OSError, SafetensorError, ValueError, KeyError, TypeError):
            return False
        state.network.load_state_dict(_part(tensors, "network"))
        state.best = _part(tensors, "best")
        _restore_optimiser(state.optimiser, _part(tensors, "optimiser"))
        state.rng.bit_generator.state = _with_arrays(said["rng"])
        state.history[:] = said["history"]
        return True

    def remove(self) -> None:
        """Remove the file, and the folder if nothing else is in it."""
        self._path.unlink(missing_ok=True)
        self._path.with_suffix(".tmp").unlink(missing_ok=True)
        if self._path.parent.is_dir() and not any(self._path.parent.iterdir()):
            self._path.parent.rmdir()


def _tensors(state: State) -> dict[str, Tensor]:
    found = {f"network.{name}": value for name, value in state.network.state_dict().items()}
    found |= {f"best.{name}": value for name, value in state.best.items()}
    for number, memory in state.optimiser.state_dict()["state"].items():
        found |= {f"optimiser.{number}.{name}": torch.as_tensor(value) for name, value in memory.items()}
    return {name: value.detach().cpu().contiguous() for name, value in found.items()}


def _part(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    start = f"{name}."
    return {key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)}


def _restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    memory: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, name = key.split(".", 1)
        like = weights[int(number)]
        # in the order in memory that the weights have, so that the next steps are the same to the last bit
        same = torch.empty_like(like, device="cpu").copy_(value) if value.shape == like.shape else value
        memory.setdefault(int(number), {})[name] = same
    optimiser.load_state_dict({**optimiser.state_dict(), "state": memory})


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tuple(value.shape)} {value.dtype} ".encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def _json(content: Any) -> bytes:
    return json.dumps(content, default=lambda array: array.tolist()).encode()


def _with_arrays(generator: Any) -> Any:
    """The state of a random generator from JSON; some kinds hold arrays in it."""
    if isinstance(generator, dict):
        return {name: _with_arrays(value) for name, value in generator.items()}
    return np.asarray(generator, dtype=np.uint64) if isinstance(generator, list) else generator
