"""What a model learns about its layers before it learns from them: a mean to fill gaps, a scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Scaling:
    """Mean and spread of each layer over the training cells.

    Parameters
    ----------
    layers : tuple of str
        Names of the layers.
    mean : tuple of float
        Mean of each layer, in its own units. It stands for a missing value.
    std : tuple of float
        Standard deviation of each layer, in its own units, above 0.
    notes : tuple of str
        Sentences on layers that needed care.
    """

    layers: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def learn(cls, patches: Float32, layers: Sequence[str]) -> Scaling:
        """Learn from the centres of training patches, so that each training cell counts once.

        Parameters
        ----------
        patches : array of shape (sample, layer, z, y, x)
            Values in the layers' own units, NaN where missing; each side is odd.
        layers : sequence of str
            Names of the layers.

        Raises
        ------
        ValueError
            If a layer has no value at any training cell.
        """
        z, y, x = (size // 2 for size in patches.shape[2:])
        centres = patches[:, :, z, y, x].astype(np.float64)  # (sample, layer)
        empty = np.isnan(centres).all(axis=0)
        if empty.any():
            names = ", ".join(repr(layers[int(i)]) for i in np.flatnonzero(empty))
            raise ValueError(
                f"no training cell has a value of {names}. Leave the layer out, or check that it covers the "
                f"deposits."
            )
        constant = np.equal(np.nanmin(centres, axis=0), np.nanmax(centres, axis=0))
        mean, std = np.nanmean(centres, axis=0), np.nanstd(centres, axis=0)
        notes = tuple(
            f"layer {name!r} is {value:g} at every training cell and tells the model nothing."
            for name, value, same in zip(layers, mean, constant, strict=True)
            if same
        )
        # Values may differ in float64 and yet have a spread that underflows.
        std = np.where(constant | (std < np.finfo(np.float32).tiny), 1.0, std)
        return cls(tuple(layers), tuple(mean.tolist()), tuple(std.tolist()), notes)

    def fill(self, patches: Float32) -> Float32:
        """Replace missing values of ``(sample, layer, z, y, x)`` by the layer's training mean."""
        filled: Float32 = np.where(np.isnan(patches), self._column(self.mean), patches)
        return filled

    def standardise(self, patches: Float32) -> Float32:
        """Subtract the mean and divide by the spread, layer by layer; missing values become 0, the mean."""
        scaled = patches - self._column(self.mean)
        scaled /= self._column(self.std)
        scaled[np.isnan(scaled)] = 0
        return scaled

    def to_dict(self) -> dict[str, Any]:
        """Return the scaling as JSON takes it: ``{layer: {"mean": …, "std": …}}``."""
        rows = zip(self.layers, self.mean, self.std, strict=True)
        return {name: {"mean": mean, "std": std} for name, mean, std in rows}

    @classmethod
    def from_dict(cls, values: Mapping[str, Mapping[str, float]], layers: Sequence[str]) -> Scaling:
        """Rebuild what `to_dict` returned, in the order of ``layers``."""
        mean = tuple(float(values[name]["mean"]) for name in layers)
        std = tuple(float(values[name]["std"]) for name in layers)
        return cls(tuple(layers), mean, std)

    @staticmethod
    def _column(values: tuple[float, ...]) -> Float32:
        return np.asarray(values, dtype=np.float32)[:, None, None, None]


def checked_patches(patches: Any, layers: Sequence[str], patch_shape: Sequence[int]) -> Float32:
    """Return the patches as float32, or say why they do not fit a model.

    Parameters
    ----------
    patches : array of shape (sample, layer, z, y, x)
        Values in the layers' own units, NaN where missing.
    layers : sequence of str
        Names of the model's layers.
    patch_shape : sequence of int
        Cells of the model's patch along z, y, x.

    Raises
    ------
    ValueError
        If axes, layers or patch shape differ, or a value is infinite.
    """
    array = np.asarray(patches, dtype=np.float32)
    if array.ndim != 5:
        raise ValueError(
            f"patches of shape {array.shape} have {array.ndim} axes, five are needed: sample, layer, z, y, x."
        )
    if array.shape[1] != len(layers):
        names = ", ".join(repr(name) for name in layers)
        raise ValueError(
            f"the patches have {array.shape[1]} layers and the model {len(layers)}: {names}. "
            f"Give the same layers in the same order."
        )
    shape = tuple(int(size) for size in patch_shape)
    if array.shape[2:] != shape:
        raise ValueError(
            f"patches of {array.shape[2:]} cells (z, y, x) do not fit a model of {shape}. "
            f"Crop them first: samples.cropped({shape})."
        )
    if np.isinf(array).any():
        layer = layers[int(np.argwhere(np.isinf(array).any(axis=(0, 2, 3, 4)))[0, 0])]
        raise ValueError(f"layer {layer!r} holds infinite values. Mark missing values with NaN.")
    return array


def checked_labels(labels: Any, n_patches: int) -> NDArray[np.int64]:
    """Return labels 0 and 1 as int64, or say why a model cannot learn from them.

    Raises
    ------
    ValueError
        If the count differs from the patches', a label is not 0 or 1, or one class is missing.
    """
    array = np.asarray(labels)
    if array.shape != (n_patches,):
        raise ValueError(
            f"{n_patches} patches need as many labels in one row, not an array of {array.shape}."
        )
    values = np.unique(array).tolist()
    if not set(values) <= {0, 1}:
        raise ValueError(f"labels are 0 (background) and 1 (deposit), these hold {values[:5]}.")
    if len(values) < 2:
        only = "deposit" if values == [1] else "background"
        raise ValueError(
            f"all {n_patches} labels are {only}, a model needs cells of deposits (1) and of background (0)."
        )
    return array.astype(np.int64)


def checked_patch_shape(patch_shape: Sequence[int]) -> tuple[int, int, int]:
    """Return three odd numbers, or say what is wrong with them."""
    shape = tuple(patch_shape)
    if len(shape) != 3 or any(int(size) != size or size < 1 or size % 2 == 0 for size in shape):
        raise ValueError(f"patch_shape {shape} is not three odd numbers (z, y, x), such as (3, 3, 3).")
    return int(shape[0]), int(shape[1]), int(shape[2])
