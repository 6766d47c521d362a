"""Any model on the layers that are left when those that say the same as another are taken out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from mpm3d import models
from mpm3d.models.scaling import Float32, Scaling, checked_labels, checked_patch_shape, checked_patches


class Pruned(BaseEstimator):  # type: ignore[misc]
    """Another model on layers of which no two are correlated by more than a limit.

    Which layers stay is learned in ``fit``, from the training cells alone, and kept with the model.

    Parameters
    ----------
    layers : sequence of str
        Names of the evidence layers, in the order of the patches.
    base : str
        The model, one of `mpm3d.models.KINDS` but ``"pruned"``.
    settings : dict, optional
        Its settings, as for `mpm3d.models.make`.
    limit : float
        Largest absolute correlation (Pearson) of two layers that stay, above 0 and at most 1.
    patch_shape : tuple of int, optional
        Cells of a patch along z, y, x; by default that of the base.

    Notes
    -----
    Layers are taken in their order, and one stays if no layer that stays already is correlated with it by
    more than the limit over the training cells where both have a value; each cell counts once. So put first
    what you would rather keep. A layer that is the same at all of these cells correlates with nothing.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat([1, 0], 30)
    >>> one = rng.normal(size=60) + 3 * labels
    >>> table = np.stack([one, rng.normal(size=60), 5 - 2 * one], axis=1).astype(np.float32)
    >>> patches = table.reshape(60, 3, 1, 1, 1)
    >>> Pruned(("Li", "Cu", "Rb"), base="logistic").fit(patches, labels, rng=rng).kept_
    ('Li', 'Cu')
    """

    notes_: tuple[str, ...]
    history_: list[dict[str, Any]]
    kept_: tuple[str, ...]
    model_: models.Estimator

    def __init__(
        self,
        layers: Sequence[str],
        base: str = "forest",
        settings: Mapping[str, Any] | None = None,
        limit: float = 0.65,
        patch_shape: tuple[int, int, int] | None = None,
    ) -> None:
        self.layers = layers
        self.base = base
        self.settings = settings
        self.limit = limit
        self.patch_shape = patch_shape

    @property
    def name(self) -> str:
        """What `mpm3d.models.make` calls this model."""
        return "pruned"

    @property
    def kind(self) -> str:
        """That of the base."""
        return self._unfitted(self.layers).kind

    @property
    def stops_early(self) -> bool:
        """Whether the base does."""
        return self._unfitted(self.layers).stops_early

    @property
    def weights_name(self) -> str:
        """File of what the base has learned."""
        return self._unfitted(self.layers).weights_name

    @property
    def patch_shape(self) -> tuple[int, int, int]:
        """Cells of a patch along z, y, x; that of the base unless it was set."""
        return self._patch_shape if self._patch_shape is not None else self._unfitted(self.layers).patch_shape

    @patch_shape.setter
    def patch_shape(self, patch_shape: tuple[int, int, int] | None) -> None:
        self._patch_shape = patch_shape

    @property
    def scaling_(self) -> Scaling:
        """What the base has learned of the layers that stay."""
        return self.model_.scaling_  # type: ignore[attr-defined, no-any-return]

    def _unfitted(self, layers: Sequence[str]) -> models.Estimator:
        """Make the base on some of the layers."""
        if self.base == self.name:
            raise ValueError("base 'pruned' would prune what is pruned. Name a model, such as 'forest'.")
        own = dict(self.settings or {})
        if self._patch_shape is not None:
            own["patch_shape"] = self._patch_shape
        monotone = own.get("monotone")
        if monotone:  # a layer that is gone has no direction either
            own["monotone"] = {name: way for name, way in monotone.items() if name in layers} or None
        return models.make(self.base, tuple(layers), **own)

    def fit(
        self,
        patches: Float32,
        labels: NDArray[Any],
        *,
        groups: NDArray[Any] | None = None,
        rng: np.random.Generator,
        validation: tuple[Float32, NDArray[Any]] | None = None,
        progress: Callable[..., None] | None = None,
        checkpoint: Path | None = None,
    ) -> Pruned:
        """Choose the layers and fit the base on them.

        Parameters
        ----------
        patches : array of shape (sample, layer, z, y, x)
            Values in the layers' own units. NaN is missing.
        labels : array of shape (sample,)
            1 at deposit cells, 0 at background.
        groups, rng, validation, progress, checkpoint
            As for the base.

        Raises
        ------
        ValueError
            If the limit, patches, labels or settings do not fit, or the base cannot be fitted.
        """
        if not 0 < self.limit <= 1:
            raise ValueError(f"limit is {self.limit!r}, a correlation above 0 and at most 1 is needed.")
        array = checked_patches(patches, self.layers, checked_patch_shape(self.patch_shape))
        checked_labels(labels, len(array))
        if hasattr(self, "history_"):
            del self.history_  # a fit that fails half-way leaves a model that is not fitted
        gone = _gone(array, self.limit)
        self.kept_ = tuple(name for k, name in enumerate(self.layers) if k not in gone)
        held = None
        if validation is not None:
            whole = checked_patches(validation[0], self.layers, self.patch_shape)
            held = (self._cut(whole), validation[1])
        self.model_ = self._unfitted(self.kept_).fit(
            self._cut(array), labels, groups=groups, rng=rng, validation=held, progress=progress,
            checkpoint=checkpoint,
        )  # fmt: skip
        self.history_, self.notes_ = self.model_.history_, (*self._said(gone), *self.model_.notes_)
        return self

    def _cut(self, patches: Float32) -> Float32:
        return patches[:, [k for k, name in enumerate(self.layers) if name in self.kept_]]

    def _said(self, gone: Mapping[int, tuple[int, float]]) -> tuple[str, ...]:
        if not gone:
            return ()
        each = ", ".join(
            f"{self.layers[k]} ({value:+.2f} with {self.layers[j]})" for k, (j, value) in gone.items()
        )
        return (
            f"{len(gone)} of {len(self.layers)} layers left out, correlated by more than {self.limit:g} with "
            f"one that stays: {each}.",
        )

    def score_samples(self, patches: Float32) -> NDArray[np.floating[Any]]:
        """Score patches ``(sample, layer, z, y, x)`` of all layers, high for deposits.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model was not fitted.
        ValueError
            If the patches do not fit the model.
        """
        if not hasattr(self, "history_"):
            raise NotFittedError("this model is not fitted yet. Call fit first, or load a fitted one.")
        return self.model_.score_samples(self._cut(checked_patches(patches, self.layers, self.patch_shape)))

    def learned(self) -> dict[str, Any]:
        """Return what the model folder's JSON holds about the fitted model."""
        return {**self.model_.learned(), "kept": list(self.kept_), "notes": list(self.notes_)}

    def write_weights(self, path: Path) -> None:
        """Write the weights of the base."""
        self.model_.write_weights(path)

    def restore(self, learned: Mapping[str, Any], path: Path) -> None:
        """Take over what `learned` and `write_weights` have written.

        Raises
        ------
        ValueError
            If the layers that were kept are not some of this model's, or the weights not those of the base.
        """
        kept, notes = learned["kept"], learned["notes"]
        if (
            not isinstance(kept, list)
            or not kept
            or kept != [n for n in self.layers if n in set(map(str, kept))]
        ):
            raise ValueError(f"the layers that it kept, {kept!r}, are not some of {list(self.layers)}")
        if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
            raise ValueError("its notes are not sentences")
        model = self._unfitted(kept)
        model.restore(learned, path)
        self.kept_, self.model_, self.notes_ = tuple(kept), model, tuple(notes)
        self.history_ = model.history_


def _gone(patches: Float32, limit: float) -> dict[int, tuple[int, float]]:
    """Layers that leave, each with the one that stays in its place and their correlation."""
    z, y, x = (size // 2 for size in patches.shape[2:])
    centres = patches[:, :, z, y, x].astype(np.float64)  # (sample, layer)
    kept: list[int] = []
    gone: dict[int, tuple[int, float]] = {}
    for k in range(centres.shape[1]):
        values = {j: correlation(centres[:, j], centres[:, k]) for j in kept}
        nearest = max(values, key=lambda j: abs(values[j]), default=None)
        if nearest is not None and abs(values[nearest]) > limit:
            gone[k] = (nearest, values[nearest])
        else:
            kept.append(k)
    return gone


def correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Pearson's correlation over the places where both have a value; 0 where one of them is constant."""
    both = np.isfinite(a) & np.isfinite(b)
    a, b = a[both], b[both]
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    a, b = (a - a.mean()) / np.ptp(a), (b - b.mean()) / np.ptp(b)  # no square over- or underflows
    return float((a @ b) / np.sqrt((a @ a) * (b @ b)))
