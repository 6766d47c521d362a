"""Logistic regression on standardised layers."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from mpm3d.models.scaling import Float32
from mpm3d.models.tabular import Float64, Progress, Tabular, read_arrays

_TOLERANCE, _ITERATIONS = 1e-10, 200
_ARRAYS = {"coefficient": np.float64, "intercept": np.float64}


class Logistic(Tabular):
    """Logistic regression with an L2 penalty on standardised layers.

    Parameters
    ----------
    layers : sequence of str
        Names of the evidence layers, in the order of the patches.
    C : float
        Inverse strength of the penalty: small values pull all coefficients to 0.
    balanced : bool
        Whether deposit cells and background count the same in total, however many there are of each.
    patch_shape : tuple of int
        Cells along z, y, x that get a coefficient each, layer by layer.

    Attributes
    ----------
    coefficient_ : float64 array of shape (layer × cell,)
        Rise of the log-odds when a layer rises by one standard deviation of its training cells.
    intercept_ : float
        Log-odds where every layer is at its training mean.

    Notes
    -----
    With ``z = (x - mean) / std``, layer by layer, the score is
    ``1 / (1 + exp(-(z · coefficient + intercept)))``, so that a layer only ever raises or only ever lowers
    it. It ranks cells; it is no probability of ore.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat([0, 1], 20)
    >>> patches = (rng.normal(size=(40, 2)) + 3 * labels[:, None]).reshape(40, 2, 1, 1, 1)
    >>> model = Logistic(("density", "susceptibility")).fit(patches, labels, rng=rng)
    >>> (model.coefficient_ > 0).tolist()
    [True, True]
    """

    title = "logistic regression"
    coefficient_: Float64
    intercept_: float

    def __init__(
        self,
        layers: Sequence[str],
        C: float = 1.0,
        balanced: bool = True,
        patch_shape: tuple[int, int, int] = (1, 1, 1),
    ) -> None:
        self.layers = layers
        self.C = C
        self.balanced = balanced
        self.patch_shape = patch_shape

    @property
    def name(self) -> str:
        """What `mpm3d.models.make` calls this model."""
        return "logistic"

    def _learn(
        self,
        features: Float32,
        target: NDArray[np.int64],
        *,
        groups: NDArray[np.str_] | None,
        rng: np.random.Generator,
        progress: Progress | None,
    ) -> tuple[str, ...]:
        if not 0 < self.C < np.inf:
            raise ValueError(f"C is {self.C!r}, it must be above 0, such as 1.0.")
        found = LogisticRegression(
            C=self.C,
            class_weight="balanced" if self.balanced else None,
            solver="newton-cholesky",
            tol=_TOLERANCE,
            max_iter=_ITERATIONS,
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found.fit(self._standardised(features), target)
        self.coefficient_, self.intercept_ = found.coef_[0], float(found.intercept_[0])
        if progress is not None:
            progress(1, 1)
        if not any(issubclass(one.category, ConvergenceWarning) for one in caught):
            return ()
        return (
            f"the logistic regression had not settled after {int(found.n_iter_[0])} steps. A smaller C "
            f"(it is {self.C:g}) helps when layers repeat each other or separate the deposits entirely.",
        )

    def _standardised(self, features: Float32) -> Float64:
        """Return ``(sample, column)`` less the layer's mean, over its spread, in float64."""
        mean, std = self._scale()
        return (features.astype(np.float64) - mean) / std

    def _scale(self) -> tuple[Float64, Float64]:
        cells = self.n_columns // len(self.layers)
        return np.repeat(self.scaling_.mean, cells), np.repeat(self.scaling_.std, cells)

    def _probability(self, features: Float32) -> Float64:
        log_odds = np.full(len(features), self.intercept_)
        mean, std = self._scale()
        # Column by column, so that a score does not depend on how many are scored together.
        for column, weight in enumerate(self.coefficient_):
            log_odds += (features[:, column] - mean[column]) / std[column] * weight
        return np.asarray(expit(log_odds))

    def write_weights(self, path: Path) -> None:
        """Write the coefficients, float64."""
        arrays = {"coefficient": self.coefficient_, "intercept": np.array([self.intercept_])}
        save_file(arrays, path)

    def restore(self, learned: Mapping[str, Any], path: Path) -> None:
        """Take over what `learned` and `write_weights` have written.

        Raises
        ------
        ValueError
            If the file holds anything but the coefficients of these layers.
        """
        arrays = read_arrays(path, _ARRAYS, f"a {self.title}")
        shapes = arrays["coefficient"].shape, arrays["intercept"].shape
        if shapes != ((self.n_columns,), (1,)):
            raise ValueError(
                f"it has coefficients of shape {shapes[0]} and the model {self.n_columns} columns"
            )
        self._take_over(learned)
        self.coefficient_, self.intercept_ = arrays["coefficient"], float(arrays["intercept"][0])
