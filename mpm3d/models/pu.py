"""Bagging positive-unlabelled learning over any other model: a cell without a deposit is not a negative."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from mpm3d import models
from mpm3d.models.bags import Data, Kept, read_bags, write_bags
from mpm3d.models.scaling import Float32, Scaling, checked_labels, checked_patch_shape, checked_patches

Progress = Callable[..., None]


class BaggingPU(BaseEstimator):  # type: ignore[misc]
    """Bagging of positive and unlabelled cells (Mordelet and Vert 2014), over any model of the package.

    Parameters
    ----------
    layers : sequence of str
        Names of the evidence layers, in the order of the patches.
    base : str
        Model fitted on each bag, one of `mpm3d.models.KINDS` but ``"pu"``.
    settings : dict, optional
        Settings of the base, as for `mpm3d.models.make`.
    bags : int
        Number of bags.
    even : bool
        Draw as many positives from each deposit as the smallest one has, instead of taking all: a large
        deposit then does not speak for the others.
    patch_shape : tuple of int, optional
        Cells of a patch along z, y, x; by default that of the base.

    Notes
    -----
    A bag holds the known deposit cells (or an equal draw from each deposit) and as many unlabelled cells,
    drawn with replacement. Each bag thus takes another small part of the background for barren; unknown ore
    in it misleads a few bags, not all. The score is the mean over bags.

    The background of the training set is what bags draw from, so it should hold many times the positives:
    with ``negatives_per_positive = 10`` or more in the study, bags overlap little. With 1 they are
    bootstrap samples of the same cells, and only their chance is averaged.

    A missing value counts as the layer's mean over all training cells, not over those of a bag. Scores of
    cells that were trained on are not out of bag: judge the model on cells that it has not seen. A clone
    has its ``patch_shape`` set; give it anew when ``base`` changes.

    References
    ----------
    Mordelet, F. and Vert, J.-P. (2014). A bagging SVM to learn from positive and unlabeled examples. Pattern
    Recognition Letters 37, 201-209.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat([1, 0], [20, 200])
    >>> patches = (rng.normal(size=(220, 1)) + 3 * labels[:, None]).reshape(220, 1, 1, 1, 1)
    >>> model = BaggingPU(("density",), settings={"n_estimators": 5}, bags=4).fit(patches, labels, rng=rng)
    >>> bool(model.score_samples(patches)[:20].mean() > 0.8)
    True
    """

    weights_name = "bags.zip"
    history_: list[dict[str, Any]]
    notes_: tuple[str, ...]
    bags_: list[models.Estimator]

    def __init__(
        self,
        layers: Sequence[str],
        base: str = "forest",
        settings: Mapping[str, Any] | None = None,
        bags: int = 20,
        even: bool = False,
        patch_shape: tuple[int, int, int] | None = None,
    ) -> None:
        self.layers = layers
        self.base = base
        self.settings = settings
        self.bags = bags
        self.even = even
        self.patch_shape = patch_shape

    @property
    def name(self) -> str:
        """What `mpm3d.models.make` calls this model."""
        return "pu"

    @property
    def kind(self) -> str:
        """That of the base."""
        return self._unfitted().kind

    @property
    def stops_early(self) -> bool:
        """Whether the base does."""
        return self._unfitted().stops_early

    @property
    def patch_shape(self) -> tuple[int, int, int]:
        """Cells of a patch along z, y, x; that of the base unless it was set."""
        return self._patch_shape if self._patch_shape is not None else self._unfitted().patch_shape

    @patch_shape.setter
    def patch_shape(self, patch_shape: tuple[int, int, int] | None) -> None:
        self._patch_shape = patch_shape

    def _unfitted(self) -> models.Estimator:
        """Make the model of one bag."""
        if self.base == self.name:
            raise ValueError("base 'pu' would bag bags. Name the model to be bagged, such as 'forest'.")
        own = dict(self.settings or {})
        if self._patch_shape is not None:
            inner = own.setdefault("patch_shape", self._patch_shape)
            if tuple(inner) != tuple(self._patch_shape):
                raise ValueError(
                    f"patch_shape is {tuple(self._patch_shape)} and that of the base {tuple(inner)}, a bag "
                    f"and its base have the same. Give it once."
                )
            own["patch_shape"] = self._patch_shape
        return models.make(self.base, tuple(self.layers), **own)

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
    ) -> BaggingPU:
        """Draw the bags and fit the base on each.

        Parameters
        ----------
        patches : array of shape (sample, layer, z, y, x)
            Values in the layers' own units. NaN is missing and counts as the layer's training mean.
        labels : array of shape (sample,)
            1 at deposit cells, 0 at cells of which nothing is known.
        groups : array of shape (sample,), optional
            Deposit of each sample, needed with ``even``.
        rng : numpy.random.Generator
            Source of randomness. Bag ``i`` is the same whatever the number of bags.
        validation : tuple of arrays, optional
            Patches and labels that decide when a base that stops early does.
        progress : callable, optional
            Called as ``progress(done, total)`` over the steps of all bags, with what else the base tells.
        checkpoint : Path, optional
            Folder for finished bags, and for the state of the unfinished one, if the base is a network. An
            interrupted fit goes on from there when it is given the same data, settings and generator.

        Raises
        ------
        ValueError
            If patches, labels or settings do not fit, a layer has no value, or the base cannot be fitted.
        """
        if int(self.bags) != self.bags or self.bags < 1:
            raise ValueError(f"bags is {self.bags!r}, a whole number of at least 1 is needed. 20 is usual.")
        self._unfitted()  # complains about settings before anything takes time
        array = checked_patches(patches, self.layers, checked_patch_shape(self.patch_shape))
        target = checked_labels(labels, len(array))
        scaling = Scaling.learn(array, self.layers)
        if validation is not None:
            held = checked_patches(validation[0], self.layers, self.patch_shape)
            validation = (scaling.fill(held), validation[1])
        seed = int(rng.integers(2**63 - 1))
        draw = _Draw(target, _deposits(target, groups) if self.even else None, seed)
        data = Data(scaling.fill(array), target, groups, validation)
        self.bags_ = self._fitted(data, draw, progress, checkpoint)
        self.scaling_ = scaling
        self.history_ = _mean_history([member.history_ for member in self.bags_])
        self.notes_ = _notes(scaling.notes, [member.notes_ for member in self.bags_])
        return self

    def _fitted(
        self, data: Data, draw: _Draw, progress: Progress | None, checkpoint: Path | None
    ) -> list[models.Estimator]:
        bags = int(self.bags)
        # Only networks take long enough for finished bags to be worth keeping.
        kept = Kept(
            checkpoint if self.stops_early else None, data, [draw.seed, self.base, self.settings, self.even]
        )
        fitted = []
        for bag in range(bags):
            rows, rng = draw.bag(bag)
            member = kept.load(bag)
            if member is None:
                member = self._unfitted().fit(
                    data.patches[rows],
                    data.target[rows],
                    groups=None if data.groups is None else np.asarray(data.groups)[rows],
                    rng=rng,
                    validation=data.validation,
                    progress=_part(progress, bag, bags),
                    checkpoint=kept.folder(bag),
                )
                kept.save(bag, member)
            elif progress is not None:
                progress(bag + 1, bags)
            fitted.append(member)
        kept.remove(bags)
        return fitted

    def score_samples(self, patches: Float32) -> Float32:
        """Score patches ``(sample, layer, z, y, x)``: mean over bags, float32, high for deposits.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model was not fitted.
        ValueError
            If the patches do not fit the model.
        """
        if not hasattr(self, "bags_"):
            raise NotFittedError("these bags are not fitted yet. Call fit first, or load a fitted model.")
        filled = self.scaling_.fill(checked_patches(patches, self.layers, self.patch_shape))
        total = np.zeros(len(filled))
        for member in self.bags_:
            total += member.score_samples(filled)
        scores: Float32 = (total / len(self.bags_)).astype(np.float32)
        return scores

    def learned(self) -> dict[str, Any]:
        """Return what the model folder's JSON holds about the fitted model."""
        return {"scaling": self.scaling_.to_dict(), "history": self.history_, "notes": list(self.notes_)}

    def write_weights(self, path: Path) -> None:
        """Write an archive with the weights and the JSON of every bag, not compressed."""
        write_bags(path, self.bags_)

    def restore(self, learned: Mapping[str, Any], path: Path) -> None:
        """Take over what `learned` and `write_weights` have written. Nothing in the archive is executed.

        Raises
        ------
        ValueError
            If the archive holds anything but the bags of this model, or more than its own size.
        """
        notes, history = learned["notes"], learned["history"]
        if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
            raise ValueError("its notes are not sentences")
        if not isinstance(history, list) or not all(isinstance(row, dict) for row in history):
            raise ValueError("its history is not a list of epochs")
        scaling = Scaling.from_dict(learned["scaling"], self.layers)
        self.bags_ = read_bags(path, self._unfitted, int(self.bags))
        self.scaling_, self.history_, self.notes_ = scaling, history, tuple(notes)


class _Draw:
    """Which rows each bag holds."""

    def __init__(
        self, target: NDArray[np.int64], deposits: list[NDArray[np.int64]] | None, seed: int
    ) -> None:
        positives, self.unlabelled = np.flatnonzero(target == 1), np.flatnonzero(target == 0)
        self.deposits = deposits if deposits is not None else [positives]
        self.each = min(map(len, self.deposits))
        self.seed = seed

    def bag(self, bag: int) -> tuple[NDArray[np.int64], np.random.Generator]:
        """Rows of a bag, and the generator that its model goes on with."""
        rng = np.random.default_rng([self.seed, bag])
        parts = [np.sort(rng.choice(rows, self.each, replace=False)) for rows in self.deposits]
        positives = np.concatenate(parts)
        return np.concatenate([positives, np.sort(rng.choice(self.unlabelled, len(positives)))]), rng


def _deposits(target: NDArray[np.int64], groups: NDArray[Any] | None) -> list[NDArray[np.int64]]:
    if groups is None or np.shape(groups) != target.shape:
        raise ValueError(
            "even=True draws from each deposit, fit then needs groups, the deposit of each sample."
        )
    names = np.asarray(groups)
    return [
        np.flatnonzero((names == name) & (target == 1)) for name in dict.fromkeys(names[target == 1].tolist())
    ]


def _part(progress: Progress | None, bag: int, bags: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, total, *words: progress(bag * total + done, bags * total, *words)


def _mean_history(histories: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Mean over bags of the numbers of each epoch, and how many bags came so far."""
    rows = []
    for epoch in range(max(map(len, histories))):
        there = [history[epoch] for history in histories if len(history) > epoch]
        row: dict[str, Any] = {}
        for key in there[0]:
            values = [found[key] for found in there if isinstance(found.get(key), int | float)]
            row[key] = sum(values) / len(values) if values else there[0][key]
        rows.append(row | {"epoch": epoch + 1, "bags": len(there)})
    return rows


def _notes(own: Sequence[str], each: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Notes on all cells, on every bag, and those of the first bag that has others."""
    common = [note for note in each[0] if all(note in notes for notes in each)]
    told = list(dict.fromkeys([*own, *common]))
    others = [[note for note in notes if note not in told] for notes in each]
    n_others = sum(map(bool, others))
    if n_others:
        first = next(bag for bag, notes in enumerate(others) if notes)
        lead = f"{n_others} of {len(each)} bags have notes of their own, bag {first + 1} these:"
        told.append(" ".join([lead, *others[first]]))
    return tuple(told)
