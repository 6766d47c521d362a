"""The folds of a validation, drawn before anything is fitted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from mpm3d.samples import Samples
from mpm3d.splits import BlockFold, block_folds, default_buffer, reference_rows, training_set
from mpm3d.validate.fold import RANDOM, WITHOUT, Fold, seed_of
from mpm3d.validate.settings import Settings
from mpm3d.validate.training import fit_fold


def buffer_of(samples: Samples, settings: Settings) -> float:
    """Distance in metres that training samples keep from the block that is tested."""
    given = settings.buffer
    return default_buffer(samples, settings.stand_off) if given is None else given


def blocks(samples: Samples, settings: Settings, *, seed: int, repeat: int = 0) -> list[BlockFold]:
    """Draw the spatial blocks of one repeat.

    Parameters
    ----------
    samples : Samples
        Deposit cells and the cells around.
    settings : Settings
        Number and kind of blocks, and the buffer.
    seed, repeat : int
        Seed of the validation, and which repeat from 0.

    Raises
    ------
    ValueError
        If a block holds no positive or its buffer leaves none to train on, with the distances; or if a block
        holds no cell to rank against.
    """
    found = block_folds(
        samples, folds=settings.folds, buffer=buffer_of(samples, settings), size=settings.size,
        axis=settings.axis, rng=np.random.default_rng(seed_of(seed, "blocks", repeat)),
    )  # fmt: skip
    everything = reference_rows(samples)
    for fold in found:
        if not np.isin(fold.test, everything).any():
            raise ValueError(
                f"{fold.name} holds no background cell to rank its deposit cells against. Draw more "
                "background, or use fewer blocks."
            )
    return found


def folds_of(samples: Samples, settings: Settings, seed: int) -> list[Fold]:
    """Every fold of every repeat."""
    draw: dict[str, Callable[[Samples, Settings, int, int], list[Fold]]] = {
        "random": _random_folds, "block": _block_folds, "deposit": _deposit_folds,
    }  # fmt: skip
    schemes = [scheme for scheme in draw if scheme in settings.schemes]
    return [
        fold
        for repeat in range(settings.repeats)
        for scheme in schemes
        for fold in draw[scheme](samples, settings, seed, repeat)
    ]


def _random_folds(samples: Samples, settings: Settings, seed: int, repeat: int) -> list[Fold]:
    return [Fold("random", RANDOM, repeat, seed_of(seed, RANDOM, repeat))]


def _block_folds(samples: Samples, settings: Settings, seed: int, repeat: int) -> list[Fold]:
    return [
        Fold("block", block.name, repeat, seed_of(seed, block.name, repeat), block.train, block.test)
        for block in blocks(samples, settings, seed=seed, repeat=repeat)
    ]


def _deposit_folds(samples: Samples, settings: Settings, seed: int, repeat: int) -> list[Fold]:
    n = len(samples.deposits)
    if n < 2:
        raise ValueError(
            f"leaving one deposit out needs at least 2 known deposits, there is {n}. "
            "Name parts of it as deposits of their own, or use the random scheme only."
        )
    names = [f"{WITHOUT}{deposit}" for deposit in samples.deposits]
    return [Fold("deposit", name, repeat, seed_of(seed, name, repeat)) for name in names]


def refusals(samples: Samples, settings: Settings, *, seed: int, stops: bool = False) -> dict[str, str]:
    """Why a scheme is not possible with these samples: every training set is drawn, nothing is fitted.

    Parameters
    ----------
    samples, settings, seed
        As for `mpm3d.validate.validate`.
    stops : bool
        Whether the models stop early, and so need a part of each training side to look at.

    Returns
    -------
    dict of str to str
        A sentence for each scheme that is not possible; empty if all are.
    """
    # one layer is enough to draw from
    light = replace(samples, patches=samples.patches[:, :1], layers=samples.layers[:1])
    found = {}
    for scheme in settings.schemes:
        try:
            for fold in folds_of(light, replace(settings, schemes=(scheme,)), seed):
                # the deposits held back to stop on differ between repeats, the rest hardly does
                if not fold.repeat or (stops and scheme != "random"):
                    _try(light, settings, fold, stops)
        except ValueError as error:
            found[scheme] = f"the {scheme} scheme is not possible: {error}"
    return found


def _try(samples: Samples, settings: Settings, fold: Fold, stops: bool) -> None:
    """Draw the training sets of a fold as they will be drawn again when models are fitted."""
    try:
        if fold.scheme == "random" and (n := int((samples.label == 1).sum())) < 2:
            raise ValueError(f"it needs at least 2 deposit cells, one for each side, there is {n}.")
        if fold.scheme != "random":
            fit_fold(samples, settings, fold, lambda: _Nothing(samples, stops))  # type: ignore[arg-type, return-value]
            return
        training_set(
            samples, known=samples.deposits, stand_off=settings.stand_off, ratio=settings.ratio,
            max_positives=settings.max_positives, rng=np.random.default_rng(fold.seed),
        )  # fmt: skip
    except ValueError as error:
        raise ValueError(f"{fold.title}: {error}") from error


class _Nothing:
    """A model that learns nothing, to draw what a model would be fitted on."""

    kind, notes_, history_ = "probability", (), ()

    def __init__(self, samples: Samples, stops: bool) -> None:
        self.patch_shape, self.layers, self.stops_early = (1, 1, 1), samples.layers, stops

    def fit(self, patches: Any, labels: Any, **more: Any) -> _Nothing:
        return self

    def score_samples(self, patches: Any) -> Any:
        return np.zeros(len(patches))
