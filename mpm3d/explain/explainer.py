"""How each layer moved a score, by the way that suits the model, checked to add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mpm3d.explain import trees
from mpm3d.explain.coalitions import MOST_LAYERS, Float32, Float64, exact
from mpm3d.explain.sampling import ORDERS, Sampler
from mpm3d.models import Estimator

TOLERANCE = 1e-5
"""What base and attributions may miss a score by, relative to it or to 1: some rounding steps of float32."""

_AT_ONCE = 512  # cells explained together

Method = Literal["exact", "tree", "sampling"]


class NotAdditive(RuntimeError):  # noqa: N818
    """Base and attributions do not add up to the score of a cell."""


@dataclass(frozen=True, eq=False)
class Explained:
    """What each layer adds to the scores of cells.

    Parameters
    ----------
    values : float64 array of shape (n, layer)
        In units of the score; with ``base`` they add up to ``score``.
    base : float
        Score without any layer.
    score : float64 array of shape (n,)
        Mean score of the members.
    error : float64 array of shape (n, layer), optional
        Standard errors where orders of the layers were sampled; None where the values are exact.
    """

    values: Float64
    base: float
    score: Float64
    error: Float64 | None = None

    @property
    def gap(self) -> float:
        """The most that base and values miss a score by; 0 without cells."""
        missed = np.abs(self.base + self.values.sum(axis=1) - self.score)
        return float(missed.max(initial=0))


class Explainer:
    """Shapley values over the layers of a fitted model, or of the mean score of an ensemble.

    What is explained is the score itself, not its logit. A layer that is taken away has the values of the
    reference, all cells of its patch together; the value of a layer is what it adds to the score, averaged
    over all orders in which layers can come in.

    Parameters
    ----------
    members : sequence of Estimator
        Fitted on the same layers and patch.
    reference : array of shape (k, layer, z, y, x)
        What stands in for layers that are taken away, from `reference_of`; the score is the mean over k.
    seed : int
        Of the orders of the layers, where they are sampled.

    Attributes
    ----------
    method : {"exact", "tree", "sampling"}
        All sets of up to 12 layers are scored; forests are explained by shap's TreeExplainer, where shap is
        installed; orders of more layers are sampled by captum.
    base : float
        Score without any layer.

    Raises
    ------
    ValueError
        If there is no member, or the reference does not fit.
    ImportError
        If the layers are more than can be enumerated and captum is not installed.

    References
    ----------
    Lundberg, S. M. and Lee, S.-I. (2017). A unified approach to interpreting model predictions. NeurIPS 30.

    Examples
    --------
    >>> from mpm3d import models
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat([0, 1], 50)
    >>> patches = rng.normal(size=(100, 2)).astype(np.float32)
    >>> patches[:, 0] += 3 * labels  # the second layer is noise
    >>> patches = patches.reshape(100, 2, 1, 1, 1)
    >>> model = models.make("logistic", ("density", "noise")).fit(patches, labels, rng=rng)
    >>> found = Explainer([model], patches[:16].mean(axis=0, keepdims=True)).explain(patches[50:])
    >>> bool(found.values[:, 0].mean() > 0.7), bool(np.abs(found.values[:, 1]).mean() < 0.05)
    (True, True)
    """

    def __init__(self, members: Sequence[Estimator], reference: Float32, *, seed: int = 0) -> None:
        if not members:
            raise ValueError("there is no fitted model to explain, fit one first.")
        self.members, self.reference = tuple(members), np.asarray(reference, dtype=np.float32)
        self.layers = tuple(members[0].layers)
        wanted = (len(self.layers), *members[0].patch_shape)
        if self.reference.ndim != 5 or self.reference.shape[1:] != wanted or not len(self.reference):
            raise ValueError(
                f"the reference has shape {self.reference.shape}; one patch of {wanted} (layer, z, y, x) or "
                "several are needed."
            )
        self.base = float(self.score(self.reference).mean())
        self._trees: trees.Trees | None = None
        self._sampler: Sampler | None = None
        self.method: Method = "exact"
        if trees.suits(self.members) and trees.available():
            self.method, self._trees = "tree", trees.Trees(self.members, self.reference)
        elif len(self.layers) > MOST_LAYERS:
            self.method, self._sampler = "sampling", Sampler(self.score, self.reference, seed=seed)

    @property
    def words(self) -> str:
        """How values are found, in a few words."""
        if self.method == "tree":
            return "exact Shapley values over the layers (shap's TreeExplainer, interventional)"
        if self.method == "sampling":
            return f"Shapley values over the layers, {ORDERS} sampled orders (captum's ShapleyValueSampling)"
        return f"exact Shapley values over the layers, all {2 ** len(self.layers)} sets of them scored"

    def score(self, patches: Float32) -> Float64:
        """Mean score ``(n,)`` of the members, what is explained."""
        total = np.zeros(len(patches))
        for member in self.members:
            total += np.asarray(member.score_samples(patches), dtype=np.float64)
        return total / len(self.members)

    def explain(self, patches: Float32) -> Explained:
        """Find what each layer adds to the scores of patches; several threads may call it at once.

        Parameters
        ----------
        patches : array of shape (n, layer, z, y, x)
            Values in the layers' own units, NaN where missing, which the model treats as it always does.

        Raises
        ------
        NotAdditive
            If base and values do not add up to the score of every cell within rounding.
        """
        array, n = np.asarray(patches, dtype=np.float32), len(self.layers)
        values, errors, scores = [np.zeros((0, n))], [np.zeros((0, n))], [np.zeros(0)]
        for start in range(0, len(array), _AT_ONCE):
            some = array[start : start + _AT_ONCE]
            found, error = self._values(some)
            values.append(found)
            errors.append(error)
            scores.append(self.score(some))
        sampled = np.concatenate(errors) if self.method == "sampling" else None
        result = Explained(np.concatenate(values), self.base, np.concatenate(scores), sampled)
        check_additive(result)
        return result

    def _values(self, patches: Float32) -> tuple[Float64, Float64]:
        none = np.zeros((0, len(self.layers)))
        if self._trees is not None:
            return self._trees.explain(patches), none
        if self._sampler is not None:
            return self._sampler.explain(patches)
        return exact(self.score, patches, self.reference, self.base), none


def check_additive(found: Explained) -> None:
    """See that base and values add up to the score of every cell.

    Raises
    ------
    NotAdditive
        If they miss one by more than rounding, relative to the largest number that was added.
    """
    total = found.base + found.values.sum(axis=1)
    sizes = [np.ones(len(total)), np.abs(found.score), np.abs(found.values).sum(axis=1)]
    off = ~(np.abs(total - found.score) <= TOLERANCE * np.max(sizes, axis=0))
    if off.any():
        cell = int(np.flatnonzero(off)[0])
        raise NotAdditive(
            f"the attributions of {int(off.sum())} of {len(off)} cells do not add up to their scores: base "
            f"and layers give {total[cell]:.9g} where the model gives {found.score[cell]:.9g}, and "
            f"{TOLERANCE:g} may be lost to rounding. Nothing of these cells is kept. The model gives "
            "different scores for the same patch, or it was changed: fit it again."
        )
