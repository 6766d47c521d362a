r"""Log-ratios of compositions: closure, centred and isometric, with exact inverses.

Amounts of elements are parts of a whole, so only their ratios carry information (Aitchison 1986). Centred
log-ratios keep one number for each element, isometric ones are orthonormal coordinates without the redundant
one.

References
----------
Aitchison, J., 1986. The Statistical Analysis of Compositional Data. Chapman and Hall, London.

Egozcue, J. J., Pawlowsky-Glahn, V., Mateu-Figueras, G., Barceló-Vidal, C., 2003. Isometric logratio
transformations for compositional data analysis. Mathematical Geology 35, 279-300.

Filzmoser, P., Hron, K., Reimann, C., 2009. Principal component analysis for compositional data with
outliers. Environmetrics 20, 621-632.

Egozcue, J. J., Pawlowsky-Glahn, V., 2005. Groups of parts and their balances in compositional data
analysis. Mathematical Geology 37, 795-828.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mpm3d.errors import StudyError
from mpm3d.geochemistry.finding import listed

Float64 = NDArray[np.float64]
_EXACT = 1e-9


def closure(parts: ArrayLike | pd.DataFrame, total: float = 1.0) -> Float64:
    r"""Compositions scaled to one sum: :math:`\mathcal{C}(x)_i = \kappa\, x_i / \sum_j x_j`.

    Parameters
    ----------
    parts : array of shape (rows, parts) or DataFrame
        Positive amounts in one unit.
    total : float
        The sum :math:`\kappa`: 1, 100 for percent, 1e6 for parts per million.

    Raises
    ------
    StudyError
        If an amount is zero, negative or missing.

    Examples
    --------
    >>> closure([[2.0, 1.0, 1.0]], 100)
    array([[50., 25., 25.]])
    """
    numbers = _positive(parts)
    return np.asarray(total * (numbers / numbers.sum(axis=1, keepdims=True)))


def clr(parts: ArrayLike | pd.DataFrame) -> Float64:
    r"""Centred log-ratios: :math:`\mathrm{clr}(x)_i = \ln x_i - \frac{1}{D}\sum_j \ln x_j`.

    Parameters
    ----------
    parts : array of shape (rows, parts) or DataFrame
        Positive amounts. The unit of a row drops out.

    Returns
    -------
    array of shape (rows, parts)
        Each row sums to zero; natural logarithm, no unit.

    Raises
    ------
    StudyError
        If an amount is zero, negative or missing.

    Examples
    --------
    >>> clr([[1.0, np.e, np.e**2]])
    array([[-1.,  0.,  1.]])
    """
    logs = np.log(_positive(parts))
    return np.asarray(logs - logs.mean(axis=1, keepdims=True))


def clr_inverse(coordinates: ArrayLike, total: float = 1.0) -> Float64:
    r"""Compositions of centred log-ratios: :math:`\mathcal{C}(\exp z)`.

    Parameters
    ----------
    coordinates : array of shape (rows, parts)
        Finite numbers.
    total : float
        Sum of each composition.
    """
    centred = np.asarray(coordinates, dtype=np.float64)
    powers = np.exp(centred - centred.max(axis=1, keepdims=True))  # which cannot overflow
    return np.asarray(total * (powers / powers.sum(axis=1, keepdims=True)))


def ilr(parts: ArrayLike | pd.DataFrame, basis: Float64 | None = None) -> Float64:
    r"""Isometric log-ratios: :math:`z = \mathrm{clr}(x)\, V`, with the columns of :math:`V` orthonormal.

    Parameters
    ----------
    parts : array of shape (rows, parts) or DataFrame
        Positive amounts.
    basis : array of shape (parts, parts - 1), optional
        From `pivot_basis` (the default), `helmert_basis` or `partition_basis`.

    Returns
    -------
    array of shape (rows, parts - 1)
        Euclidean distances between rows are Aitchison distances.

    Raises
    ------
    StudyError
        If an amount is zero, negative or missing, or the basis does not fit.

    Examples
    --------
    >>> ilr([[np.exp(2.0), 1.0]]) * np.sqrt(2)
    array([[2.]])
    """
    centred = clr(parts)
    return np.asarray(centred @ _fitting(basis, centred.shape[1]))


def ilr_inverse(coordinates: ArrayLike, basis: Float64 | None = None, total: float = 1.0) -> Float64:
    r"""Compositions of isometric log-ratios: :math:`\mathcal{C}(\exp(z V^\top))`.

    Parameters
    ----------
    coordinates : array of shape (rows, parts - 1)
        Finite numbers.
    basis : array of shape (parts, parts - 1), optional
        The one they were made with.
    total : float
        Sum of each composition.
    """
    found = np.asarray(coordinates, dtype=np.float64)
    return clr_inverse(found @ _fitting(basis, found.shape[1] + 1).T, total)


def pivot_basis(number: int) -> Float64:
    r"""Each part against the geometric mean of those after it (Filzmoser et al. 2009).

    .. math:: z_i = \sqrt{\frac{D-i}{D-i+1}} \ln \frac{x_i}{\left(\prod_{j>i} x_j\right)^{1/(D-i)}}

    Parameters
    ----------
    number : int
        Number of parts :math:`D`, two or more.
    """
    _enough(number)
    return partition_basis(np.eye(number, number - 1) - np.tril(np.ones((number, number - 1)), -1))


def helmert_basis(number: int) -> Float64:
    r"""The geometric mean of the first parts against the next one (Egozcue et al. 2003).

    .. math:: z_i = \frac{1}{\sqrt{i(i+1)}} \ln \frac{\prod_{j \le i} x_j}{x_{i+1}^i}

    The first :math:`k` coordinates are those of the sub-composition of the first :math:`k+1` parts.

    Parameters
    ----------
    number : int
        Number of parts, two or more.
    """
    _enough(number)
    return partition_basis(np.triu(np.ones((number, number - 1))) - np.eye(number, number - 1, -1))


def partition_basis(signs: ArrayLike) -> Float64:
    r"""Balances of a sequential binary partition (Egozcue and Pawlowsky-Glahn 2005).

    A column with :math:`r` parts of sign +1 and :math:`s` of sign -1 is the balance
    :math:`\sqrt{rs/(r+s)}\, \ln (g(x_+)/g(x_-))`, :math:`g` being geometric means.

    Parameters
    ----------
    signs : array of shape (parts, parts - 1)
        +1 above the fraction line, -1 below it, 0 not in the balance.

    Returns
    -------
    array of shape (parts, parts - 1)
        Orthonormal columns that sum to zero.

    Raises
    ------
    StudyError
        If a column has no part on one side, or the columns are no sequential binary partition.

    Examples
    --------
    >>> (partition_basis([[1, 1], [1, -1], [-1, 0]]) * np.sqrt([6, 2])).round(12)
    array([[ 1.,  1.],
           [ 1., -1.],
           [-2.,  0.]])
    """
    given = np.asarray(signs, dtype=np.float64)
    if given.ndim != 2 or given.shape[1] != given.shape[0] - 1 or not np.isin(given, (-1, 0, 1)).all():
        raise StudyError(f"a partition of D parts is D rows of D - 1 signs (+1, -1, 0), not {given.shape}.")
    above, below = (given > 0).sum(axis=0), (given < 0).sum(axis=0)
    if not (above.all() and below.all()):
        column = int(np.flatnonzero((above == 0) | (below == 0))[0])
        raise StudyError(f"balance {column + 1} of the partition needs a part above and one below the line.")
    heights = np.where(given > 0, 1 / above, np.where(given < 0, -1 / below, 0.0))
    basis = heights * np.sqrt(above * below / (above + below))
    if not np.allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=_EXACT):
        raise StudyError("the balances overlap: each one must divide a group that an earlier one has made.")
    return np.asarray(basis)


def balance_names(names: Sequence[str], basis: Float64 | None = None) -> list[str]:
    """Names of isometric log-ratios that say which elements are against which.

    Parameters
    ----------
    names : sequence of str
        Elements, in the order of the parts.
    basis : array of shape (parts, parts - 1), optional
        `pivot_basis` where left out.

    Examples
    --------
    >>> balance_names(["Cu", "Pb", "Zn"])
    ['Cu | Pb·Zn', 'Pb | Zn']
    """
    columns = _fitting(basis, len(names)).T
    sides = [[[name for name, height in zip(names, column, strict=True) if sign * height > _EXACT]
              for sign in (1, -1)] for column in columns]  # fmt: skip
    return [f"{_product(above)} | {_product(below)}" for above, below in sides]


def _product(names: Sequence[str], most: int = 4) -> str:
    return "·".join(names) if len(names) <= most else f"{'·'.join(names[: most - 1])}·…({len(names)})"


def _enough(number: int) -> None:
    if number < 2:
        raise StudyError(f"log-ratios need two parts or more, not {number}.")


def _fitting(basis: Float64 | None, number: int) -> Float64:
    _enough(number)
    if basis is None:
        return pivot_basis(number)
    if basis.shape != (number, number - 1):
        raise StudyError(f"the basis is for {basis.shape[0]} parts, the compositions have {number}.")
    return basis


def _positive(parts: ArrayLike | pd.DataFrame) -> Float64:
    """Amounts as numbers, or the sentence that says which are none."""
    numbers = np.asarray(parts, dtype=np.float64)
    if numbers.ndim != 2 or not len(numbers):
        raise StudyError(
            f"compositions are rows of parts, at least one row, not an array of shape {numbers.shape}."
        )
    _enough(numbers.shape[1])
    for mask, what in ((numbers == 0, "zero"), (~np.isfinite(numbers), "missing"), (numbers < 0, "negative")):
        if mask.any():
            names = list(parts) if isinstance(parts, pd.DataFrame) else range(1, numbers.shape[1] + 1)
            hits = [str(name) for name, column in zip(names, mask.T, strict=True) if column.any()]
            shown = listed(hits) if isinstance(parts, pd.DataFrame) else f"part {', '.join(hits[:6])}"
            raise StudyError(
                f"{int(mask.sum())} of {mask.size} amounts are {what} ({shown}), a log-ratio "
                "needs positive numbers. "
                'Impute them first: zeros = "missing" when reading, then '
                "Imputer().fit(values).transform(values)."
            )
    return numbers
