"""Weights of evidence in 3D: each layer cut into classes, each class weighed by the deposits it holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as arrays_of
from safetensors.numpy import save_file
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from mpm3d.models.evidence_classes import Classes, from_table, learn, omnibus_of, pairs_of
from mpm3d.models.evidence_weights import (
    LARGEST_RATIO,
    LARGEST_Z,
    ChiSquare,
    Omnibus,
    posterior_log_odds,
    posterior_probability,
)
from mpm3d.models.scaling import Float32, Scaling, checked_labels, checked_patch_shape, checked_patches

Float64 = NDArray[np.float64]

_LEVEL = 0.05
"""Chance at which a pair of layers is called dependent, divided by the number of pairs."""


class WeightsOfEvidence(BaseEstimator):  # type: ignore[misc]
    """Weights of evidence on the layers of a cell.

    Parameters
    ----------
    layers : sequence of str
        Names of the evidence layers, in the order of the patches.
    bins : int
        Classes that a layer is cut into, with about the same number of training cells in each. Equal values
        stay together, so there may be fewer.
    binary : bool
        Cut each layer once instead, where the contrast is largest against its standard deviation.
    prior : float, optional
        Share of ore cells in the volume; by default their share in training. It moves all scores up or
        down together and leaves their order alone.
    min_studentised : float, optional
        A layer none of whose studentised contrasts reaches this, up or down, adds nothing. 2 is usual.
    patch_shape : tuple of int
        Cells of a patch along z, y, x. Only the middle one is used.

    Attributes
    ----------
    table_ : list of dict
        A row for each layer and class. ``low`` and ``high`` are its bounds in the layer's units, None at the
        open ends, ``low <= value < high``; ``cells`` and ``ore`` its training cells; ``w_plus``, ``w_minus``,
        ``var_plus``, ``var_minus``, ``contrast``, ``std_contrast`` and ``studentised`` as in
        `mpm3d.models.evidence_weights`, against the rest of the layer; ``smoothed`` if a count was zero;
        ``weight`` what the class adds to a score.
    independence_ : dict
        Test of conditional independence on the training cells: ``predicted`` and ``observed`` ore cells,
        their ``ratio``, ``std``, ``z``, ``p``; ``pairs``, a row for each pair of layers with ``chi_square``,
        ``degrees``, ``p`` and ``cramers_v`` over ore cells.

    Notes
    -----
    The score is the posterior probability: the log odds of the prior plus a weight for each layer. A missing
    value adds no weight, which is the classic rule: it is neither for nor against ore. In training such a
    cell is left out of the counts of that layer.

    Training takes about as many background as deposit cells, so counts, variances and the default prior are
    those of such a sample. Weights are those of the whole volume up to chance, since they only compare
    shares within deposit cells and within background cells; the prior sets the level. Give the share of
    ore cells in the volume as ``prior`` to read the scores as probabilities, if the layers are
    conditionally independent, which ``notes_`` denies where they are not.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat([0, 1], 200)
    >>> patches = (rng.normal(size=(400, 1)) + labels[:, None]).reshape(400, 1, 1, 1, 1)
    >>> model = WeightsOfEvidence(("density",)).fit(patches, labels, rng=rng)
    >>> [row["ore"] for row in model.table_]
    [12, 37, 42, 47, 62]
    """

    kind = "probability"
    stops_early = False
    weights_name = "weights.safetensors"
    history_: list[dict[str, Any]]
    notes_: tuple[str, ...]
    table_: list[dict[str, Any]]
    independence_: dict[str, Any]

    def __init__(
        self,
        layers: Sequence[str],
        bins: int = 5,
        binary: bool = False,
        prior: float | None = None,
        min_studentised: float | None = None,
        patch_shape: tuple[int, int, int] = (1, 1, 1),
    ) -> None:
        self.layers = layers
        self.bins = bins
        self.binary = binary
        self.prior = prior
        self.min_studentised = min_studentised
        self.patch_shape = patch_shape

    @property
    def name(self) -> str:
        """What `mpm3d.models.make` calls this model."""
        return "weights"

    def fit(
        self,
        patches: Float32,
        labels: NDArray[Any],
        *,
        groups: NDArray[Any] | None = None,
        rng: np.random.Generator,
        validation: tuple[Float32, NDArray[Any]] | None = None,
        progress: Callable[[int, int], None] | None = None,
        checkpoint: Path | None = None,
    ) -> WeightsOfEvidence:
        """Count cells and weigh the classes of each layer.

        Parameters
        ----------
        patches : array of shape (sample, layer, z, y, x)
            Values in the layers' own units. NaN is missing.
        labels : array of shape (sample,)
            1 at deposit cells, 0 at background.
        groups, rng, validation, checkpoint
            Not used: counting needs no deposits' names, chance, stopping or resuming.
        progress : callable, optional
            Called once as ``progress(1, 1)``.

        Raises
        ------
        ValueError
            If patches, labels or settings do not fit, or a layer has no value.
        """
        self._check_settings()
        array = checked_patches(patches, self.layers, checked_patch_shape(self.patch_shape))
        target = checked_labels(labels, len(array))
        scaling, values = Scaling.learn(array, self.layers), _centres(array)
        bins, least = None if self.binary else int(self.bins), self.min_studentised or 0.0
        classes = [learn(column, target, bins=bins, least=least) for column in values.T]
        self.scaling_, self._classes, self.history_ = scaling, classes, []
        self.table_ = [row for name, one in zip(self.layers, classes, strict=True) for row in one.table(name)]
        self._prior = float(target.mean() if self.prior is None else self.prior)
        test, pairs = omnibus_of(classes, values, target), pairs_of(classes, values, target, self.layers)
        self.independence_ = _as_dict(test, pairs)
        self.notes_ = (
            *scaling.notes,
            *_notes_on_classes(self.layers, classes, least),
            *_notes_on_independence(test, pairs),
            *_note_on_ties(self._log_odds(values)),
        )
        if progress is not None:
            progress(1, 1)
        return self

    def _check_settings(self) -> None:
        if int(self.bins) != self.bins or not 2 <= self.bins <= 1000:
            raise ValueError(f"bins is {self.bins!r}, a whole number from 2 to 1000 is needed. 5 is usual.")
        if self.prior is not None and not 0 < self.prior < 1:
            raise ValueError(
                f"prior is {self.prior!r}, it must be a share of ore cells above 0 and below 1. Leave it out "
                f"to take the share in training."
            )
        if self.min_studentised is not None and not 0 <= self.min_studentised < np.inf:
            raise ValueError(
                f"min_studentised is {self.min_studentised!r}, 0 or more is needed. 2 is usual; leave it "
                f"out to use every layer."
            )

    def score_samples(self, patches: Float32) -> Float32:
        """Score patches ``(sample, layer, z, y, x)``: posterior probability, float32, high for deposits.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model was not fitted.
        ValueError
            If the patches do not fit the model.
        """
        if not hasattr(self, "_classes"):
            raise NotFittedError("these weights are not fitted yet. Call fit first, or load a fitted model.")
        array = checked_patches(patches, self.layers, self.patch_shape)
        scores: Float32 = posterior_probability(self._log_odds(_centres(array))).astype(np.float32)
        return scores

    def _log_odds(self, values: Float64) -> Float64:
        each = [one.added(column) for one, column in zip(self._classes, values.T, strict=True)]
        return posterior_log_odds(self._prior, np.column_stack(each))

    def learned(self) -> dict[str, Any]:
        """Return what the model folder's JSON holds about the fitted model, the whole table too."""
        return {
            "scaling": self.scaling_.to_dict(),
            "notes": list(self.notes_),
            "prior": self._prior,
            "table": self.table_,
            "independence": self.independence_,
        }

    def write_weights(self, path: Path) -> None:
        """Write the borders and weights of the classes as safetensors."""
        save_file(_arrays(self._classes), path)

    def restore(self, learned: Mapping[str, Any], path: Path) -> None:
        """Take over what `learned` and `write_weights` have written.

        Raises
        ------
        ValueError
            If the two do not tell of the same classes, or these are not those of the model's layers.
        """
        self._check_settings()
        scaling = Scaling.from_dict(learned["scaling"], self.layers)
        classes = from_table(learned["table"], self.layers)
        stored = arrays_of(path.read_bytes())
        told = _arrays(classes)
        if set(stored) != set(told) or not all(_same(stored[name], told[name]) for name in told):
            raise ValueError("its weights and the table of its classes differ, so one of them was changed")
        prior, notes = learned["prior"], learned["notes"]
        if not isinstance(prior, float) or not 0 < prior < 1 or self.prior not in (None, prior):
            raise ValueError(f"its prior is {prior!r}, a share of ore cells above 0 and below 1 is needed")
        if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
            raise ValueError("its notes are not sentences")
        if not isinstance(learned["independence"], dict):
            raise ValueError("it does not tell how its test of independence went")
        self.scaling_, self._classes, self._prior = scaling, classes, prior
        self.table_ = [dict(row) for row in learned["table"]]
        self.independence_ = dict(learned["independence"])
        self.history_, self.notes_ = [], tuple(notes)


def _centres(patches: Float32) -> Float64:
    z, y, x = (size // 2 for size in patches.shape[2:])
    return patches[:, :, z, y, x].astype(np.float64)  # (sample, layer)


def _arrays(classes: Sequence[Classes]) -> dict[str, Float64]:
    borders = {f"borders.{i}": one.borders for i, one in enumerate(classes)}
    return borders | {f"weight.{i}": one.weight for i, one in enumerate(classes)}


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return one.dtype == other.dtype and np.array_equal(one, other)


def _as_dict(test: Omnibus, pairs: Sequence[tuple[str, str, ChiSquare]]) -> dict[str, Any]:
    return {
        "predicted": test.predicted,
        "observed": test.observed,
        "ratio": test.ratio,
        "std": test.std,
        "z": test.z if np.isfinite(test.z) else None,
        "p": test.p,
        "pairs": [
            {
                "layers": [first, second],
                "chi_square": found.statistic,
                "degrees": found.degrees,
                "p": found.p,
                "cramers_v": found.cramers_v,
            }
            for first, second, found in pairs
        ],
    }


def _notes_on_classes(layers: Sequence[str], classes: Sequence[Classes], least: float) -> list[str]:
    notes = []
    for name, one in zip(layers, classes, strict=True):
        found = [abs(row["studentised"]) for row in one.rows if row["studentised"] is not None]
        if not found:
            notes.append(
                f"layer {name!r} has values in training at deposit cells only, or at background only, and is "
                f"given weight 0."
            )
        elif len(found) > 1 and max(found) < least:
            notes.append(
                f"layer {name!r} is given weight 0, its studentised contrast reaches {max(found):.2f} and "
                f"{least:g} is asked for."
            )
    rows = [row for one in classes if len(one.rows) > 1 for row in one.rows]
    smoothed = sum(row["smoothed"] for row in rows)
    if smoothed:
        notes.append(
            f"{smoothed} of {len(rows)} classes of layers hold all, or none, of the deposit or of the "
            f"background cells; half a cell was added so that their weights are finite."
        )
    return notes


def _notes_on_independence(test: Omnibus, pairs: Sequence[tuple[str, str, ChiSquare]]) -> list[str]:
    notes = []
    if test.fails:
        notes.append(
            f"the layers are not conditionally independent in training: the weights predict "
            f"{test.predicted:.1f} ore cells where there are {test.observed:.0f}, a ratio of "
            f"{test.ratio:.3f} (up to {LARGEST_RATIO:g} passes) and {test.z:.1f} standard deviations of "
            f"{test.std:.2f} too many (up to {LARGEST_Z:g} passes). Posterior probabilities are too "
            f"high, use their order."
        )
    bad = [pair for pair in pairs if pair[2].p < _LEVEL / len(pairs)]
    if bad:
        first, second, worst = max(bad, key=lambda pair: pair[2].cramers_v)
        notes.append(
            f"{len(bad)} of {len(pairs)} pairs of layers depend on each other among deposit cells and count "
            f"the same evidence twice, most of all {first!r} and {second!r} (chi-square "
            f"{worst.statistic:.1f}, degrees of freedom {worst.degrees}, Cramér's V {worst.cramers_v:.2f})."
        )
    return notes


def _note_on_ties(log_odds: Float64) -> list[str]:
    top = log_odds[posterior_probability(log_odds).astype(np.float32) == 1]
    if len(np.unique(top)) < 2:
        return []
    return [
        f"the posterior probability of {len(top)} training cells rounds to 1, which hides their order. Give "
        "the share of cells that hold ore as prior."
    ]
