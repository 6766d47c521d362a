"""What evidence a model was trained on, and which cells lie outside of it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

DOMAIN_NAME = "domain.safetensors"
"""The file of a model folder that keeps the training domain."""

MOST = 4000
"""Training cells that are kept, at most; more are drawn at random."""

FAR = 0.95
"""Quantile of the distances between training cells that novelty counts as 1."""

_MOST_OUTSIDE = 254  # 255 stands for no value where the count is stored
_AT_ONCE = 1 << 16
_ARRAYS = ("low", "high", "mean", "std", "sample", "reach")

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Domain:
    """The evidence at the training cells of a model.

    It knows single cells, not patches, and every layer weighs the same, whether the model uses it or not.

    Parameters
    ----------
    layers : tuple of str
        Names of the layers.
    low, high : float32 array of shape (layer,)
        Range over all training cells, in the layers' own units.
    mean, std : float64 array of shape (layer,)
        Over all training cells; the spread of a layer without any is 1.
    sample : float32 array of shape (n, layer)
        Training cells, or some of them drawn at random; NaN where missing.
    reach : float
        Distance, in standard deviations, that novelty counts as 1.
    n : int
        Training cells that ranges and means come from.
    """

    layers: tuple[str, ...]
    low: Float32
    high: Float32
    mean: Float64
    std: Float64
    sample: Float32
    reach: float
    n: int

    @classmethod
    def learn(
        cls,
        values: ArrayLike,
        layers: Sequence[str],
        *,
        rng: np.random.Generator,
        groups: Sequence[str] | NDArray[np.str_] | None = None,
        most: int = MOST,
    ) -> Domain:
        """Learn the domain from training cells, each given once.

        The distance that novelty counts as 1 is the 95 % quantile of the distances from a training cell to
        the nearest one *of another deposit* or of background. Cells of one deposit lie beside each other
        and are alike, so that distances among them would call all other ground new (Meyer and Pebesma
        2021, doi:10.1111/2041-210X.13650).

        Parameters
        ----------
        values : array of shape (n, layer)
            Evidence at the training cells in the layers' own units, NaN where missing.
        layers : sequence of str
            Names of the layers.
        rng : Generator
            Draws the cells that are kept.
        groups : sequence of str, optional
            Deposit of each cell, empty for background, where each cell is for itself.
        most : int
            Cells that are kept, at most.

        Raises
        ------
        ValueError
            If shapes do not fit, there are fewer than two cells, or a layer has no value at all.
        """
        cells = np.asarray(values, dtype=np.float32)
        names = np.full(len(cells), "") if groups is None else np.asarray(groups, dtype=str)
        _check(cells, layers, names)
        low, high = np.nanmin(cells, axis=0), np.nanmax(cells, axis=0)
        wide = cells.astype(np.float64)
        mean, std = np.nanmean(wide, axis=0), np.nanstd(wide, axis=0)
        std = np.where((low == high) | (std < np.finfo(np.float32).tiny), 1.0, std)
        kept = np.sort(rng.choice(len(cells), min(most, len(cells)), replace=False, shuffle=False))
        reach = _reach(_standard(cells[kept], mean, std), names[kept])
        return cls(tuple(layers), low, high, mean, std, cells[kept], reach, len(cells))

    def outside(self, values: ArrayLike) -> NDArray[np.uint8]:
        """Count the layers of each cell that lie outside the training range.

        Parameters
        ----------
        values : array of shape (layer, ...)
            Evidence in the layers' own units. A missing value (NaN) counts as the training mean, so it is
            not outside.

        Returns
        -------
        uint8 array of shape (...)
            0 where the model interpolates in every single layer; at most 254.
        """
        count = self.beyond(values).sum(axis=0)
        return np.asarray(np.minimum(count, _MOST_OUTSIDE), dtype=np.uint8)

    def beyond(self, values: ArrayLike) -> NDArray[np.bool_]:
        """Whether each value lies outside the training range of its layer, shape (layer, ...)."""
        cells = self._checked(values)
        column = (-1, *[1] * (cells.ndim - 1))
        found: NDArray[np.bool_] = (cells < self.low.reshape(column)) | (cells > self.high.reshape(column))
        return found

    def novelty(self, values: ArrayLike) -> Float32:
        """Distance to the nearest training cell in standardised evidence, 1 being as far as they lie apart.

        Parameters
        ----------
        values : array of shape (layer, ...)
            Evidence in the layers' own units; a missing value (NaN) counts as the training mean.

        Returns
        -------
        float32 array of shape (...)
            0 at a training cell that was kept. Above 1, the cell is farther from all training cells than 95 %
            of them are from those of other deposits.
        """
        cells = self._checked(values)
        flat = cells.reshape(len(self.layers), -1)
        result = np.empty(flat.shape[1], dtype=np.float32)
        for start in range(0, flat.shape[1], _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            result[part] = self._tree.query(_standard(flat[:, part].T, self.mean, self.std))[0] / self.reach
        return result.reshape(cells.shape[1:])

    def extrapolates(self, outside: ArrayLike, novelty: ArrayLike) -> NDArray[np.bool_]:
        """Say where a score is extrapolated: any layer outside its training range, or a novelty above 1."""
        found: NDArray[np.bool_] = (np.asarray(outside) > 0) | (np.asarray(novelty) > 1)
        return found

    @cached_property
    def _tree(self) -> Any:
        return cKDTree(_standard(self.sample, self.mean, self.std))

    def _checked(self, values: ArrayLike) -> Float32:
        cells = np.asarray(values, dtype=np.float32)
        if cells.ndim < 1 or len(cells) != len(self.layers):
            raise ValueError(
                f"values of shape {cells.shape} do not fit the {len(self.layers)} layers of the training "
                f"domain: {', '.join(map(repr, self.layers))}. Give them layer by layer, in this order."
            )
        return cells


def save_domain(folder: str | Path, domain: Domain, model_hash: str) -> None:
    """Write the domain into a model folder, whole or not at all.

    Parameters
    ----------
    folder : str or Path
        The model folder.
    domain : Domain
        Of the cells that the model was trained on.
    model_hash : str
        Which model that is: ``hash`` of the folder's ``model.json``.
    """
    from safetensors.numpy import save_file

    arrays = {name: np.array(getattr(domain, name), order="C") for name in _ARRAYS}
    arrays["n"] = np.array(domain.n, dtype=np.int64)
    # one entry, since the order of several differs from time to time
    about = {"mpm3d": json.dumps({"layers": list(domain.layers), "model": model_hash})}
    half = Path(folder) / f".{DOMAIN_NAME}.{os.getpid()}.part"
    try:
        save_file(arrays, half, metadata=about)
        half.replace(Path(folder) / DOMAIN_NAME)
    finally:
        half.unlink(missing_ok=True)


def load_domain(folder: str | Path, model_hash: str) -> Domain:
    """Read the domain of a model folder.

    Parameters
    ----------
    folder : str or Path
        The model folder.
    model_hash : str
        ``hash`` of its ``model.json``.

    Raises
    ------
    ValueError
        If the file is missing, unreadable, or belongs to another model.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(folder) / DOMAIN_NAME
    if not path.is_file():
        raise ValueError(f"{path} is missing, so nobody knows what the model was trained on. Fit again.")
    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads((file.metadata() or {})["mpm3d"])
            arrays = {name: file.get_tensor(name) for name in (*_ARRAYS, "n")}
        layers, model = tuple(map(str, about["layers"])), str(about["model"])
    except (SafetensorError, KeyError, ValueError, TypeError, OSError) as error:
        raise ValueError(
            f"{path} is not a readable training domain ({error}). It may be truncated; fit again."
        ) from error
    if model != model_hash:
        raise ValueError(
            f"{path} belongs to the model {model[:12]}…, and the folder holds {model_hash[:12]}…. Fit again."
        )
    if not _whole(arrays, len(layers)):
        raise ValueError(f"{path} holds arrays that do not fit its {len(layers)} layers. Fit again.")
    reach, n = float(arrays.pop("reach")), int(arrays.pop("n"))
    return Domain(layers=layers, reach=reach, n=n, **arrays)


def _whole(arrays: dict[str, NDArray[Any]], n_layers: int) -> bool:
    """Whether arrays from a file can be a domain."""
    rows = all(arrays[name].shape == (n_layers,) for name in ("low", "high", "mean", "std"))
    sample, reach = arrays["sample"], arrays["reach"]
    table = sample.ndim == 2 and sample.shape[1:] == (n_layers,) and len(sample) > 0
    if not (rows and table and reach.shape == () and arrays["n"].shape == ()):
        return False
    numbers = np.isfinite([*arrays["mean"], *arrays["std"], reach]).all() and not np.isinf(sample).any()
    return bool(numbers and (arrays["std"] > 0).all() and reach > 0)


def _check(cells: Float32, layers: Sequence[str], names: NDArray[np.str_]) -> None:
    if cells.ndim != 2 or cells.shape[1] != len(layers) or len(names) != len(cells):
        raise ValueError(
            f"training cells of shape {cells.shape} and {len(names)} groups do not fit {len(layers)} layers, "
            "a row for each cell and a column for each layer are needed."
        )
    if len(cells) < 2:
        raise ValueError(f"{len(cells)} training cell spans no domain, at least 2 are needed.")
    if np.isinf(cells).any():
        raise ValueError("training cells hold infinite values. Mark missing values with NaN.")
    empty = [repr(layers[int(i)]) for i in np.flatnonzero(np.isnan(cells).all(axis=0))]
    if empty:
        raise ValueError(f"no training cell has a value of {', '.join(empty)}. Leave the layer out.")


def _standard(cells: NDArray[np.floating[Any]], mean: Float64, std: Float64) -> Float64:
    """Rows in standard deviations from the training mean, which stands for what is missing."""
    scaled = (cells - mean) / std
    scaled[np.isnan(scaled)] = 0
    return scaled


def _reach(points: Float64, names: NDArray[np.str_]) -> float:
    """The quantile of the distances from each cell to the nearest one that is not of its own deposit."""
    far = np.full(len(points), np.nan)
    for name in dict.fromkeys(names.tolist()):
        own = names == name
        if not name:
            far[own] = cKDTree(points).query(points[own], k=2)[0][:, 1] if len(points) > 1 else np.nan
        elif not own.all():
            far[own] = cKDTree(points[~own]).query(points[own])[0]
        else:  # one deposit is all there is
            far = cKDTree(points).query(points, k=2)[0][:, 1]
    reach = float(np.quantile(far, FAR)) if np.isfinite(far).all() else 0.0
    return reach if reach > 0 else 1.0  # all training cells are the same: novelty in standard deviations
