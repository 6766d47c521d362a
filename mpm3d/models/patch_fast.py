"""When the compiled loops are used: they need numba, the CPU and float32. Else torch does the work."""

from __future__ import annotations

import importlib
import logging
import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from mpm3d.models.patch_conv import PatchConv3d

if TYPE_CHECKING:
    from mpm3d.models.patch_engine import Engine

log = logging.getLogger("mpm3d")

# A network's weights, as `_state` knows them, and the engine that was made of them.
_engines: WeakKeyDictionary[nn.Module, tuple[Any, Engine]] = WeakKeyDictionary()
_guard = threading.Lock()


@lru_cache
def compiled(name: str) -> Any:
    """A module of compiled code, or None where numba is missing or cannot compile it here.

    The first call compiles, which takes seconds; where numba can write its cache, later runs of the program
    need not. A failure is logged in one line, once.

    Parameters
    ----------
    name : str
        ``"patch_training"`` or ``"patch_engine"``.
    """
    try:
        module = importlib.import_module(f"mpm3d.models.{name}")
        module.try_out()
    except ImportError:
        return None
    except Exception as error:  # compilers fail in many ways, and nothing depends on this one
        first = str(error).strip().splitlines()[:1]
        log.warning(
            "The compiled loops of %s cannot be used here (%s: %s), torch takes over. "
            "Results are the same, slower.",
            name, type(error).__name__, *first or [""],
        )  # fmt: skip
        return None
    return module


def steps_for(x: Tensor, weight: Tensor) -> Any:
    """The module of compiled steps if it serves these cells ``(27, sample, in)`` and this kernel, else None.

    A kernel is ``(out, in, ...)``.
    """
    if x.device.type != "cpu" or not x.dtype == weight.dtype == torch.float32 or x.shape[1] == 0:
        return None
    module = compiled("patch_training")
    if module is None or len(weight) % module.PANEL or (x.requires_grad and x.shape[2] % module.PANEL):
        return None
    return module


def engine_of(network: nn.Module, patch_shape: tuple[int, ...]) -> Engine | None:
    """The engine with a network's weights, or None where there is none for it.

    It is made once and again when the weights have changed, is not part of the network, and goes with it.

    Parameters
    ----------
    network : torch.nn.Module
        Any; engines exist for RCNN-LAM on the CPU in float32.
    patch_shape : tuple of int
        Cells along z, y, x; engines exist for (3, 3, 3).
    """
    if patch_shape != (3, 3, 3) or not _suits(network):
        return None
    module = compiled("patch_engine")
    if module is None:
        return None
    state = _state(network)
    with _guard:
        known = _engines.get(network)
        if known is None or known[0] != state:
            known = _engines[network] = state, module.Engine(network)
    return known[1]


def _suits(network: nn.Module) -> bool:
    from mpm3d.models.rcnn_lam import ResidualAttentionNet

    if not isinstance(network, ResidualAttentionNet):
        return False
    weight = network.first.weight
    probe = torch.empty((1, network.first.in_channels, 3, 3, 3), device="meta", dtype=torch.float32)
    return (
        weight.device.type == "cpu" and isinstance(network.first, PatchConv3d) and network.first.takes(probe)
    )


def _state(network: nn.Module) -> tuple[tuple[int, int], ...]:
    """Where each weight lies and how often torch has changed it."""
    return tuple((p.data_ptr(), p._version) for p in network.parameters())
