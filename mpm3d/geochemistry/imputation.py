"""Missing assays estimated, by the method that best finds measured values that were hidden."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mpm3d.errors import StudyError
from mpm3d.geochemistry.finding import counted, listed

METHODS = ("median", "nearest", "forest")


@dataclass(frozen=True)
class Imputing:
    """How missing assays are estimated.

    Parameters
    ----------
    neighbours : int
        Rows whose mean the method ``"nearest"`` takes.
    trees, rounds : int
        Trees of each forest of the method ``"forest"``, and rounds over all columns.
    min_measured : float
        Least share of the rows in which a column must have a value; other columns are left out and named.
    empty : {"refuse", "drop"}
        What happens to such columns: an error, or left out.
    seed : int
        Seed of the forest and of the values that are hidden.
    """

    neighbours: int = 5
    trees: int = 50
    rounds: int = 5
    min_measured: float = 0.0
    empty: str = "refuse"
    seed: int = 0

    def __post_init__(self) -> None:
        wrong = [f"{name} = {getattr(self, name)} must be 1 or more."
                 for name in ("neighbours", "trees", "rounds") if getattr(self, name) < 1]  # fmt: skip
        if not 0 <= self.min_measured <= 1:
            wrong.append(f"min_measured = {self.min_measured:g} is a share of the rows, from 0 to 1.")
        if self.empty not in ("refuse", "drop"):
            wrong.append(f"empty = {self.empty!r} must be 'refuse' or 'drop'.")
        if wrong:
            raise StudyError(wrong)


@dataclass(frozen=True, eq=False)
class Imputed:
    """A table without missing values.

    Parameters
    ----------
    values : DataFrame, shape (rows, columns kept)
        Measured values as they were, bit for bit; estimates elsewhere.
    estimated : DataFrame of bool
        True where a value is an estimate.
    method : str
        One of `METHODS`.
    dropped : tuple of str
        Columns left out.
    sentences : tuple of str
        What was done.
    """

    values: pd.DataFrame
    estimated: pd.DataFrame
    method: str
    dropped: tuple[str, ...]
    sentences: tuple[str, ...]


class Imputer:
    r"""Estimates missing assays from the other elements, learned on the rows it is fitted on.

    All methods work on :math:`\log_{10}` of the amounts: the median of the column; the mean of the nearest
    rows (Euclidean distance over the elements that both rows have, each scaled by its median absolute
    deviation); or, column after column and in several rounds, a random forest on all other columns (van
    Buuren and Groothuis-Oudshoorn 2011; Stekhoven and Bühlmann 2012).

    Parameters
    ----------
    method : {"median", "nearest", "forest"}
        See above.
    settings : Imputing
        How.

    References
    ----------
    van Buuren, S., Groothuis-Oudshoorn, K., 2011. mice: Multivariate imputation by chained equations in
    R. Journal of Statistical Software 45(3).

    Stekhoven, D. J., Bühlmann, P., 2012. MissForest: non-parametric missing value imputation for
    mixed-type data. Bioinformatics 28, 112-118.
    """

    columns_: tuple[str, ...]
    dropped_: tuple[str, ...]

    def __init__(self, method: str = "forest", settings: Imputing | None = None) -> None:
        if method not in METHODS:
            raise StudyError(f"imputation {method!r} is not known, it is one of {', '.join(METHODS)}.")
        self.method = method
        self.settings = settings or Imputing()

    def fit(self, values: pd.DataFrame) -> Imputer:
        """Learn from rows.

        Parameters
        ----------
        values : DataFrame, shape (rows, columns)
            Positive amounts, NaN where missing.

        Raises
        ------
        StudyError
            If a value is zero or negative, there are no rows, or a column has too few values
            (`Imputing.empty`).
        """
        self.dropped_ = _too_empty(values, self.settings)
        self.columns_ = tuple(str(name) for name in values if name not in self.dropped_)
        logs = _logs(values[list(self.columns_)])
        self._centre = np.nanmedian(logs, axis=0)
        spread = np.nanmedian(np.abs(logs - self._centre), axis=0)
        self._scale = np.where(spread > 0, spread, 1.0)
        self._model = _imputer(self.method, self.settings)
        with warnings.catch_warnings():
            _let_pass(warnings)
            self._model.fit((logs - self._centre) / self._scale)
        return self

    def transform(self, values: pd.DataFrame) -> Imputed:
        """Estimate what is missing in rows, the same or others.

        Parameters
        ----------
        values : DataFrame
            With the columns of the rows that were fitted.

        Raises
        ------
        StudyError
            If a column is not there, or a value is zero or negative.
        """
        lacking = [name for name in self.columns_ if name not in values]
        if lacking:
            raise StudyError(
                f"the table has no column {listed(lacking)}, on which the imputation was fitted."
            )
        kept = values[list(self.columns_)]
        missing = kept.isna()
        with warnings.catch_warnings():
            _let_pass(warnings)
            filled = self._model.transform((_logs(kept) - self._centre) / self._scale)
        # only the missing ones are replaced: what was measured never passes through a logarithm
        estimates = pd.DataFrame(10.0 ** (filled * self._scale + self._centre), kept.index, kept.columns)
        return Imputed(
            kept.where(~missing, estimates), missing, self.method, self.dropped_, self._said(missing)
        )

    def _said(self, missing: pd.DataFrame) -> tuple[str, ...]:
        total, bare = int(missing.to_numpy().sum()), int(missing.all(axis=1).sum())
        said = [f"{counted(total, 'value')} of {missing.size} estimated by {self.method}."]
        if bare:
            said.append(
                f"{counted(bare, 'row')} without any measured value: the estimates there say nothing."
            )
        if self.dropped_:
            said.append(f"{counted(len(self.dropped_), 'column')} left out, with values in too few rows: "
                        f"{listed(self.dropped_)}.")  # fmt: skip
        return tuple(said)


@dataclass(frozen=True, eq=False)
class MaskedTest:
    """Which method best finds measured values that were hidden.

    Parameters
    ----------
    best : str
        The method of the smallest error.
    errors : DataFrame
        Columns ``method, element, hidden, rmse, mae, relative``: root mean square and mean absolute error of
        log10, over all repeats, and the first one divided by that of the median.
    summary : DataFrame
        One row for each method: mean of ``relative`` over the elements, its standard deviation over repeats.
    sentence : str
        The result in words.
    """

    best: str
    errors: pd.DataFrame
    summary: pd.DataFrame
    sentence: str


def masked_value_test(
    values: pd.DataFrame,
    censored: pd.DataFrame | None = None,
    *,
    methods: Sequence[str] = METHODS,
    share: float = 0.1,
    repeats: int = 3,
    settings: Imputing | None = None,
) -> MaskedTest:
    r"""Hide measured values, estimate them by each method, and compare.

    In each repeat the given share of the measured, not censored values of every element is hidden (the same
    for all methods). The error of an element is :math:`\sqrt{\mathrm{mean}\,(\log_{10}\hat{x} - \log_{10}
    x)^2}`; a method's figure is the mean over the elements of the error divided by the one of the median, so
    that no element outweighs the others.

    Parameters
    ----------
    values : DataFrame
        Positive amounts, NaN where missing.
    censored : DataFrame of int8, optional
        Not zero where a value was replaced; such values are not hidden, as their true value is not known.
    methods : sequence of str
        Some of `METHODS`.
    share : float
        Share of the values hidden in each repeat.
    repeats : int
        Number of repeats.
    settings : Imputing
        How; ``seed`` draws the hidden values too.

    Raises
    ------
    StudyError
        If the share is not between 0 and 0.5, or no element has values enough to hide some and keep five.
    """
    settings = settings or Imputing()
    if not 0 < share <= 0.5 or repeats < 1:
        raise StudyError(
            f"share = {share:g} must be above 0 and at most 0.5, repeats = {repeats} at least 1."
        )
    dropped = _too_empty(values, settings)
    kept = values[[name for name in values if name not in dropped]]
    exact = kept.notna().to_numpy()
    if censored is not None:
        exact = exact & (censored.loc[kept.index, list(kept)].to_numpy() == 0)
    rng = np.random.default_rng(settings.seed)
    rows = []
    for repeat in range(repeats):
        hidden = _hide(exact, share, rng)
        for method in dict.fromkeys(("median", *methods)):
            rows += _errors(kept, hidden, method, settings, repeat)
    return _judged(pd.DataFrame(rows), list(methods), share)


def _hide(exact: NDArray[np.bool_], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    hidden = np.zeros_like(exact)
    for column in range(exact.shape[1]):
        rows = np.flatnonzero(exact[:, column])
        number = min(max(1, round(share * len(rows))), len(rows) - 5)
        if number > 0:
            hidden[rng.choice(rows, number, replace=False), column] = True
    if not hidden.any():
        raise StudyError(
            "no column has six or more measured values, so none can be hidden to test the imputation."
        )
    return hidden


def _errors(
    kept: pd.DataFrame, hidden: NDArray[np.bool_], method: str, settings: Imputing, repeat: int
) -> list[dict[str, Any]]:
    """Sums of errors for each element, of one method in one repeat."""
    given = kept.mask(hidden)
    found = Imputer(method, settings).fit(given).transform(given).values
    off = np.where(hidden, np.log10(found.to_numpy()) - np.log10(kept.to_numpy()), np.nan)
    return [
        {
            "repeat": repeat,
            "method": method,
            "element": str(name),
            "hidden": int(hidden[:, number].sum()),
            "square": float(np.nansum(off[:, number] ** 2)),
            "absolute": float(np.nansum(np.abs(off[:, number]))),
        }
        for number, name in enumerate(kept)
        if hidden[:, number].any()
    ]


def _judged(sums: pd.DataFrame, methods: list[str], share: float) -> MaskedTest:
    whole = (
        sums.groupby(["method", "element"], sort=False)[["hidden", "square", "absolute"]].sum().reset_index()
    )
    errors = _with_relative(whole)
    each = [_with_relative(part).groupby("method")["relative"].mean() for _, part in sums.groupby("repeat")]
    spread = pd.concat(each, axis=1)
    means = errors.groupby("method")["relative"].mean()
    summary = pd.DataFrame({"method": methods, "relative": [float(means[name]) for name in methods]})
    summary["spread"] = [float(np.std(spread.loc[name].to_numpy())) for name in methods]
    best = str(summary.sort_values("relative", kind="stable")["method"].iloc[0])
    figures = ", ".join(f"{row.method} {row.relative:.2f}" for row in summary.itertuples())
    sentence = f"with {100 * share:g} % of the measured values hidden, errors of log10 against "
    sentence += f"the median's: {figures}; "
    sentence += f"{best} is best."
    errors = errors[errors["method"].isin(methods)].reset_index(drop=True)
    return MaskedTest(best, errors, summary, sentence)


def _with_relative(sums: pd.DataFrame) -> pd.DataFrame:
    made = sums[["method", "element", "hidden"]].copy()
    made["rmse"] = np.sqrt(sums["square"] / sums["hidden"])
    made["mae"] = sums["absolute"] / sums["hidden"]
    plain = made[made["method"] == "median"].set_index("element")["rmse"]
    base = made["element"].map(plain).to_numpy(dtype=float)
    # an element that is the same everywhere is found exactly by the median: nothing to compare with
    with np.errstate(divide="ignore", invalid="ignore"):
        made["relative"] = np.where(base > 0, made["rmse"] / base, np.nan)
    return made


def _too_empty(values: pd.DataFrame, settings: Imputing) -> tuple[str, ...]:
    if not len(values):
        raise StudyError("there are no rows to learn the imputation from, at least one is needed.")
    least = max(settings.min_measured, 0.5 / len(values))
    few = tuple(str(name) for name in values if values[name].notna().mean() < least)
    if few and settings.empty == "refuse":
        what = f"in {100 * settings.min_measured:g} % of the rows" if settings.min_measured else "at all"
        has, them = ("has", "it") if len(few) == 1 else ("have", "them")
        raise StudyError(
            f"{listed(few)} {has} no values {what}, nothing can be learned for {them}. "
            f'Leave {them} out, or set empty = "drop".'
        )
    if len(few) == values.shape[1]:
        raise StudyError("every column has too few values to impute any, look at the table.")
    return few


def _logs(values: pd.DataFrame) -> NDArray[np.float64]:
    numbers = values.to_numpy(dtype=np.float64)
    wrong = np.atleast_1d((numbers <= 0).any(axis=0))
    if wrong.any():
        names = [str(name) for name, hit in zip(values, wrong, strict=True) if hit]
        raise StudyError(
            f"{listed(names)} hold zeros or negative amounts, which have no logarithm. "
            'Read the table with zeros = "missing", or give only columns of amounts.'
        )
    return np.asarray(np.log10(numbers))


def _imputer(method: str, settings: Imputing) -> Any:
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer

    if method == "median":
        return SimpleImputer(strategy="median")
    if method == "nearest":
        return KNNImputer(n_neighbors=settings.neighbours)
    forest = RandomForestRegressor(
        settings.trees, min_samples_leaf=2, max_features=0.4, random_state=settings.seed
    )
    return IterativeImputer(
        forest, max_iter=settings.rounds, initial_strategy="median", random_state=settings.seed
    )


def _let_pass(filters: Any) -> None:
    """Rounds that end before the estimates stand still are what the setting asks for."""
    from sklearn.exceptions import ConvergenceWarning

    filters.simplefilter("ignore", ConvergenceWarning)
