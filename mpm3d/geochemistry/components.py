"""Robust principal components of compositions, learned on some rows and applied to others."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mpm3d.errors import FormatError, StudyError
from mpm3d.geochemistry.finding import listed
from mpm3d.geochemistry.logratios import Float64, ilr, ilr_inverse, pivot_basis

_FORMAT = "mpm3d robust components 1"


@dataclass(frozen=True, eq=False)
class RobustComponents:
    r"""Principal components of compositions that outliers do not turn.

    Isometric log-ratios :math:`z = \mathrm{clr}(x) V` (pivot basis) have, by the minimum covariance
    determinant (Rousseeuw and Van Driessen 1999), the location :math:`t` and the covariance :math:`C = E
    \Lambda E^\top`. Scores are :math:`(z - t) E`; the loadings are turned back to centred log-ratios,
    :math:`V E`, which have one number for each element (Filzmoser, Hron and Reimann 2009). The sign of a
    component is the one that makes its largest loading positive.

    Parameters
    ----------
    elements : tuple of str
        Names of the parts.
    units : tuple of str
        Unit of each part, ``""`` where unknown. The location depends on them.
    location : array of shape (parts - 1,)
        Robust centre :math:`t`, isometric log-ratios.
    rotation : array of shape (parts - 1, components)
        Eigenvectors :math:`E`.
    variances : array of shape (parts - 1,)
        All eigenvalues :math:`\Lambda`, falling.
    rows : int
        Rows that it was fitted on.

    References
    ----------
    Rousseeuw, P. J., Van Driessen, K., 1999. A fast algorithm for the minimum covariance determinant
    estimator. Technometrics 41, 212-223.

    Filzmoser, P., Hron, K., Reimann, C., 2009. Principal component analysis for compositional data with
    outliers. Environmetrics 20, 621-632.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> parts = pd.DataFrame(np.exp(rng.normal(size=(60, 3))), columns=["Cu", "Pb", "Zn"])
    >>> fitted = RobustComponents.fit(parts, units={"Cu": "ppm", "Pb": "ppm", "Zn": "ppm"})
    >>> fitted.transform(parts, units={"Cu": "ppm", "Pb": "ppm", "Zn": "ppm"}).shape
    (60, 2)
    """

    elements: tuple[str, ...]
    units: tuple[str, ...]
    location: Float64
    rotation: Float64
    variances: Float64
    rows: int

    @classmethod
    def fit(
        cls,
        parts: pd.DataFrame,
        *,
        units: Mapping[str, str] | None = None,
        components: int | None = None,
        support_fraction: float | None = None,
        seed: int = 0,
    ) -> RobustComponents:
        """Learn from rows, the training ones only where a model is to be tested.

        Parameters
        ----------
        parts : DataFrame, shape (rows, parts)
            Positive amounts, none missing.
        units : mapping of str to str, optional
            Unit of each column, such as `Assays.units`.
        components : int, optional
            Components kept; all where left out.
        support_fraction : float, optional
            Share of the rows that the determinant is taken of; ``(rows + parts) / (2 rows)`` where left out.
        seed : int
            Seed of the random subsets.

        Raises
        ------
        StudyError
            If there are too few rows, an amount is not positive, or parts depend on each other.
        """
        names = tuple(str(name) for name in parts)
        if len(set(names)) < len(names):
            raise StudyError(f"the parts {listed(names)} repeat a name, each element is needed once.")
        coordinates = ilr(parts)
        most = coordinates.shape[1]
        kept = most if components is None else components
        if not 1 <= kept <= most:
            raise StudyError(f"components = {kept} must be from 1 to {most}, one less than the parts.")
        location, covariance = _robust(coordinates, support_fraction, seed)
        variances, vectors = np.linalg.eigh(covariance)
        variances, vectors = variances[::-1], vectors[:, ::-1]
        if not variances[-1] > 1e-12 * variances[0]:
            raise StudyError(_DEPENDENT)
        loadings = pivot_basis(most + 1) @ vectors
        largest = np.abs(loadings).argmax(axis=0)
        vectors = vectors * np.sign(loadings[largest, np.arange(most)])
        told = tuple((units or {}).get(name, "") for name in names)
        return cls(names, told, location, vectors[:, :kept].copy(), variances, len(parts))

    @property
    def names(self) -> list[str]:
        """Names of the components: ``RPC1`` and so on."""
        return [f"RPC{number + 1}" for number in range(self.rotation.shape[1])]

    @property
    def loadings(self) -> pd.DataFrame:
        """Loadings as centred log-ratios, one row for each element, one column for each component."""
        turned = pivot_basis(len(self.elements)) @ self.rotation
        return pd.DataFrame(turned, index=list(self.elements), columns=self.names)

    @property
    def explained(self) -> Float64:
        """Share of the robust variance that each component explains."""
        return np.asarray(self.variances[: len(self.names)] / self.variances.sum())

    def transform(self, parts: pd.DataFrame, *, units: Mapping[str, str] | None = None) -> pd.DataFrame:
        """Scores of rows, the same or others.

        Parameters
        ----------
        parts : DataFrame
            With the elements of the fit, in any order; other columns are not looked at.
        units : mapping of str to str, optional
            Their units.

        Returns
        -------
        DataFrame, shape (rows, components)
            With the index of ``parts``; natural logarithms, no unit.

        Raises
        ------
        StudyError
            If an element is not there, not positive, or in another unit than in the fit.
        """
        lacking = [name for name in self.elements if name not in parts]
        if lacking:
            raise StudyError(f"the table has no {listed(lacking)}, on which the components were fitted.")
        for name, unit in zip(self.elements, self.units, strict=True):
            given = (units or {}).get(name, "")
            if unit and given and unit != given:
                raise StudyError(
                    f"{name!r} is in {given}, the components were fitted on {unit}. Convert it first."
                )
        coordinates = ilr(parts[list(self.elements)])
        return pd.DataFrame((coordinates - self.location) @ self.rotation, parts.index, self.names)

    def inverse(self, scores: pd.DataFrame, total: float = 1.0) -> pd.DataFrame:
        """Compositions of scores, closed to ``total``; exact where all components were kept."""
        coordinates = scores[self.names].to_numpy() @ self.rotation.T + self.location
        return pd.DataFrame(ilr_inverse(coordinates, total=total), scores.index, list(self.elements))

    def to_json(self) -> str:
        """All parameters as text that `from_json` reads; numbers come back bit for bit."""
        saved = {
            "format": _FORMAT,
            "elements": list(self.elements),
            "units": list(self.units),
            "location": self.location.tolist(),
            "rotation": self.rotation.tolist(),
            "variances": self.variances.tolist(),
            "rows": self.rows,
        }
        return json.dumps(saved, indent=1)

    @classmethod
    def from_json(cls, text: str, path: str | Path = "components.json") -> RobustComponents:
        """Parameters that were saved.

        Parameters
        ----------
        text : str
            From `to_json`.
        path : path
            Named in errors.

        Raises
        ------
        FormatError
            If the text is truncated, of something else, or its parts do not fit together.
        """
        try:
            saved: dict[str, Any] = json.loads(text)
            if saved["format"] != _FORMAT:
                raise FormatError(path, f"the format is {saved['format']!r}, {_FORMAT!r} was expected.")
            numbers = [np.array(saved[key], np.float64) for key in ("location", "rotation", "variances")]
            location, rotation, variances = numbers
            names, units = tuple(saved["elements"]), tuple(saved["units"])
            made = cls(names, units, location, rotation, variances, int(saved["rows"]))
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise FormatError(
                path, f"these are no saved components ({error}). Fit and save them again."
            ) from error
        except ValueError as error:
            if isinstance(error, FormatError):
                raise
            raise FormatError(
                path, f"these are no saved components ({error}). Fit and save them again."
            ) from error
        count = len(made.elements) - 1
        shapes = (len(made.units) - 1, len(made.location), made.rotation.shape[0], len(made.variances))
        if (
            made.rotation.ndim != 2
            or set(shapes) != {count}
            or not all(np.isfinite(n).all() for n in numbers)
        ):
            raise FormatError(
                path, f"{count + 1} elements do not go with the saved arrays. Fit and save them again."
            )
        return made


_DEPENDENT = (
    "some log-ratios do not vary, or depend on each other, in at least half of the rows: a part may be given "
    "twice, filled with one value, or imputed from the others alone. Leave such parts or rows out."
)


def _robust(coordinates: Float64, support_fraction: float | None, seed: int) -> tuple[Float64, Float64]:
    """Location and covariance by the minimum covariance determinant."""
    from sklearn.covariance import MinCovDet

    rows, number = coordinates.shape
    if rows < 2 * (number + 1):
        raise StudyError(
            f"{rows} rows are too few for robust components of {number + 1} parts, "
            f"{2 * (number + 1)} are needed "
            f"(better {5 * (number + 1)}). Take fewer parts."
        )
    if np.linalg.matrix_rank(coordinates - coordinates.mean(axis=0)) < number:
        raise StudyError(_DEPENDENT)
    if support_fraction is not None and not 0.5 <= support_fraction <= 1:
        raise StudyError(f"support_fraction = {support_fraction:g} is a share of the rows, from 0.5 to 1.")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*covariance matrix.*")
        warnings.filterwarnings("error", message=".*Determinant has increased.*")
        try:
            found = MinCovDet(support_fraction=support_fraction, random_state=seed).fit(coordinates)
        except (UserWarning, RuntimeWarning, ValueError) as error:
            raise StudyError(_DEPENDENT) from error
    return np.asarray(found.location_), np.asarray(found.covariance_)
