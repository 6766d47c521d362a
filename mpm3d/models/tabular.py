"""What the models on a table have in common: one row a sample, one column a layer at a cell of its patch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray
from safetensors.numpy import load_file
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from mpm3d.models.scaling import Float32, Scaling, checked_labels, checked_patch_shape, checked_patches

Float64 = NDArray[np.float64]
Progress = Callable[[int, int], None]


class Tabular(BaseEstimator):  # type: ignore[misc]
    """A model on the values of a patch's cells, without regard to how the cells lie to each other.

    A concrete model stores its parameters in ``__init__``, learns in `_learn`, scores in `_probability` and
    says what it is in ``title``.

    Notes
    -----
    Columns are in the order of the layers, and within a layer in the order z, y, x of the cells. A missing
    value counts as the layer's mean over the training cells, for every model of the package alike.
    """

    kind = "probability"
    stops_early = False
    weights_name = "weights.safetensors"
    title = "model"
    layers: Sequence[str]
    patch_shape: tuple[int, int, int]
    scaling_: Scaling
    history_: list[dict[str, Any]]
    notes_: tuple[str, ...]

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
        """Learn from labelled patches.

        Parameters
        ----------
        patches : array of shape (sample, layer, z, y, x)
            Values in the layers' own units. NaN is missing and counts as the layer's training mean.
        labels : array of shape (sample,)
            1 at deposit cells, 0 at background.
        groups : array of shape (sample,), optional
            Deposit of each sample, empty for background. Only a search for settings looks at it.
        rng : numpy.random.Generator
            Source of randomness.
        validation : tuple of arrays, optional
            Not used, these models do not stop early.
        progress : callable, optional
            Called as ``progress(done, total)``, with both equal at the end.
        checkpoint : Path, optional
            Not used, these fits are short.

        Raises
        ------
        ValueError
            If patches, labels or settings do not fit the model, or a layer has no value.
        """
        array = checked_patches(patches, self.layers, checked_patch_shape(self.patch_shape))
        target = checked_labels(labels, len(array))
        if groups is not None and np.shape(groups) != target.shape:
            raise ValueError(
                f"{len(target)} patches need as many groups, not an array of {np.shape(groups)}."
            )
        names = None if groups is None else np.asarray(groups, dtype=str)
        if hasattr(self, "history_"):
            del self.history_  # a fit that fails half-way leaves a model that is not fitted
        self.scaling_ = Scaling.learn(array, self.layers)
        features = columns(array, self.scaling_)
        notes = self._learn(features, target, groups=names, rng=rng, progress=progress)
        self.history_, self.notes_ = [], (*self.scaling_.notes, *notes)
        return self

    @abstractmethod
    def _learn(
        self,
        features: Float32,
        target: NDArray[np.int64],
        *,
        groups: NDArray[np.str_] | None,
        rng: np.random.Generator,
        progress: Progress | None,
    ) -> tuple[str, ...]:
        """Learn from ``(sample, column)``, and return sentences on what needs care."""

    @abstractmethod
    def _probability(self, features: Float32) -> Float64:
        """Score ``(sample, column)``, at least one row, from 0 to 1."""

    def score_samples(self, patches: Float32) -> Float32:
        """Score patches ``(sample, layer, z, y, x)``: float32 between 0 and 1, high for deposits.

        Several threads may call it at once.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model was not fitted.
        ValueError
            If the patches do not fit the model.
        """
        if not hasattr(self, "history_"):
            raise NotFittedError(
                f"this {self.title} is not fitted yet. Call fit first, or load a fitted one."
            )
        array = checked_patches(patches, self.layers, self.patch_shape)
        if not len(array):
            return np.zeros(0, dtype=np.float32)
        return self._probability(columns(array, self.scaling_)).astype(np.float32)

    @property
    def n_columns(self) -> int:
        """Columns of the table: layers × cells of a patch."""
        return len(self.layers) * int(np.prod(self.patch_shape))

    def learned(self) -> dict[str, Any]:
        """Return what the model folder's JSON holds about the fitted model."""
        return {"scaling": self.scaling_.to_dict()}

    def _take_over(self, learned: Mapping[str, Any]) -> None:
        self.scaling_ = Scaling.from_dict(learned["scaling"], self.layers)
        self.history_, self.notes_ = [], ()


def columns(patches: Float32, scaling: Scaling) -> Float32:
    """Return patches as a table ``(sample, layer × cell)`` with gaps filled; a view where there are none."""
    filled = scaling.fill(patches) if np.isnan(patches).any() else patches
    return filled.reshape(len(filled), -1)


def read_arrays(path: Path, expected: Mapping[str, DTypeLike], what: str) -> dict[str, NDArray[Any]]:
    """Read the arrays of a safetensors file, which can hold numbers only.

    Parameters
    ----------
    path : Path
        The file.
    expected : mapping
        Name and data type of each array.
    what : str
        What the arrays make up, such as ``"a logistic regression"``.

    Raises
    ------
    ValueError
        If names or types differ, or a value is not finite.
    """
    arrays: dict[str, NDArray[Any]] = load_file(path)
    have = {name: array.dtype for name, array in arrays.items()}
    if have != {name: np.dtype(kind) for name, kind in expected.items()}:
        raise ValueError(f"it holds {', '.join(sorted(have)) or 'nothing'}, which is not {what}")
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(f"its {name} is not finite everywhere")
    return arrays
