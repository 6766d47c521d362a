"""Classes of a layer for weights of evidence: where it is cut, what each class weighs, how layers depend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.models.evidence_weights import (
    ChiSquare,
    Omnibus,
    chi_square,
    class_weights,
    omnibus,
    pattern_weights,
    posterior_log_odds,
    posterior_probability,
    posterior_std,
)

Float64 = NDArray[np.float64]
Labels = NDArray[np.int64]

_CANDIDATES = 100
"""Parts of equal size whose borders are tried as the threshold of a layer that is cut once."""

_STATISTICS = ("w_plus", "w_minus", "var_plus", "var_minus", "contrast", "std_contrast", "studentised")


@dataclass(frozen=True, eq=False)
class Classes:
    """The classes of one layer.

    Parameters
    ----------
    borders : array of shape (class - 1,)
        Rising, in the layer's units; a value on a border belongs to the class above it.
    weight : array of shape (class,)
        What each class adds to the log odds; all 0 if the layer is not used.
    rows : list of dict
        ``cells``, ``ore``, the statistics and ``smoothed`` of each class.
    """

    borders: Float64
    weight: Float64
    rows: list[dict[str, Any]]

    @property
    def used(self) -> bool:
        """Whether some class adds something."""
        return bool(self.weight.any())

    @property
    def variance(self) -> Float64:
        """Variance of what each class adds."""
        found = [row["var_plus"] or 0.0 for row in self.rows]
        return np.asarray(found, dtype=np.float64) * self.used

    def of(self, values: Float64) -> NDArray[np.int64]:
        """Class of each value from 0 on; -1 where the value is missing (NaN)."""
        return np.where(np.isnan(values), -1, np.searchsorted(self.borders, values, side="right"))

    def added(self, values: Float64) -> Float64:
        """Weight that each value adds; a missing one adds 0."""
        return np.append(self.weight, 0.0)[self.of(values)]

    def table(self, layer: str) -> list[dict[str, Any]]:
        """Rows with layer, class number from 1 on, bounds (None at the open ends) and weight."""
        bounds = [None, *self.borders.tolist(), None]
        return [
            {"layer": layer, "class": i + 1, "low": bounds[i], "high": bounds[i + 1]}
            | row
            | {"weight": float(self.weight[i])}
            for i, row in enumerate(self.rows)
        ]


def quantile_borders(values: Float64, parts: int) -> Float64:
    """Cut values into parts with about the same number of them.

    Equal values stay together, such as a distance at its cutoff, so there may be fewer parts; none is empty.

    Parameters
    ----------
    values : array of shape (sample,)
        None of them NaN.
    parts : int
        Parts wanted.

    Returns
    -------
    array of shape (part - 1,)
        Borders half-way between neighbouring values.
    """
    ordered, n = np.sort(values), len(values)
    wanted = np.round(np.arange(1, parts) * n / parts).astype(np.int64)
    wanted = wanted[(wanted > 0) & (wanted < n)]
    # A border among equal values moves to the nearer end of them that is not an end of the whole.
    first = np.searchsorted(ordered, ordered[wanted], side="left")
    after = np.searchsorted(ordered, ordered[wanted], side="right")
    down = (first > 0) & ((wanted - first <= after - wanted) | (after == n))
    at = np.unique(np.where(down, first, after))
    at = at[at < n]
    return np.asarray((ordered[at - 1] + ordered[at]) / 2)


def best_threshold(values: Float64, labels: Labels) -> Float64:
    """Cut values once, where the studentised contrast is largest, up or down.

    Parameters
    ----------
    values : array of shape (sample,)
        None of them NaN.
    labels : array of shape (sample,)
        1 at deposit cells, 0 at background.

    Returns
    -------
    array of shape (1,) or (0,)
        The border; none if all values are equal or one kind of cell is missing.
    """
    borders = quantile_borders(values, _CANDIDATES)
    n_ore = int(labels.sum())
    if not len(borders) or not 0 < n_ore < len(labels):
        return borders[:0]
    ordered, ore = np.sort(values), np.sort(values[labels == 1])
    cells = len(ordered) - np.searchsorted(ordered, borders)
    found = pattern_weights(len(ordered), n_ore, cells, n_ore - np.searchsorted(ore, borders))
    best = int(np.argmax(np.abs(found.studentised)))
    return borders[best : best + 1]


def learn(values: Float64, labels: Labels, *, bins: int | None, least: float) -> Classes:
    """Cut a layer and weigh its classes.

    Parameters
    ----------
    values : array of shape (sample,)
        NaN is missing; such a cell is not counted.
    labels : array of shape (sample,)
        1 at deposit cells, 0 at background.
    bins : int or None
        Classes by quantiles; None cuts once, see `best_threshold`.
    least : float
        A layer none of whose studentised contrasts reaches this, up or down, is not used.

    Returns
    -------
    Classes
        Not used, and without statistics, if only deposit cells or only background cells have a value.
    """
    values, labels = values[~np.isnan(values)], labels[~np.isnan(values)]
    borders = best_threshold(values, labels) if bins is None else quantile_borders(values, bins)
    k = len(borders) + 1
    codes = np.searchsorted(borders, values, side="right")
    cells, ore = np.bincount(codes, minlength=k), np.bincount(codes[labels == 1], minlength=k)
    rows: list[dict[str, Any]] = [{"cells": int(n), "ore": int(d)} for n, d in zip(cells, ore, strict=True)]
    if not 0 < ore.sum() < cells.sum():
        blank = dict.fromkeys(_STATISTICS) | {"smoothed": False}
        return Classes(borders, np.zeros(k), [row | blank for row in rows])
    found = class_weights(cells, ore)
    columns = [found.plus, found.minus, found.var_plus, found.var_minus]
    columns += [found.contrast, found.std_contrast, found.studentised]
    for i, row in enumerate(rows):
        row |= {name: float(column[i]) for name, column in zip(_STATISTICS, columns, strict=True)}
        row["smoothed"] = bool(found.smoothed[i])
    # One class is the whole layer, which says nothing; its weight is 0 but for rounding.
    used = k > 1 and bool((np.abs(found.studentised) >= least).any())
    return Classes(borders, found.plus if used else np.zeros(k), rows)


def from_table(table: Sequence[Mapping[str, Any]], layers: Sequence[str]) -> list[Classes]:
    """Rebuild the classes from the rows of `Classes.table`.

    Raises
    ------
    ValueError
        If the rows are not those of these layers in their order, or hold anything but such numbers.
    """
    if not isinstance(table, list) or not all(isinstance(row, dict) for row in table):
        raise ValueError("its table of classes is not a list of rows")
    if list(dict.fromkeys(row.get("layer") for row in table)) != list(layers):
        raise ValueError("its table of classes is not that of the model's layers")
    found = []
    for layer in layers:
        rows = [dict(row) for row in table if row["layer"] == layer]
        _check_rows(layer, rows)
        borders = np.array([row["high"] for row in rows[:-1]], dtype=np.float64)
        weight = np.array([row["weight"] for row in rows], dtype=np.float64)
        keep = ("cells", "ore", *_STATISTICS, "smoothed")
        found.append(Classes(borders, weight, [{name: row[name] for name in keep} for row in rows]))
    return found


def _check_rows(layer: str, rows: list[dict[str, Any]]) -> None:
    whole = {"layer", "class", "low", "high", "cells", "ore", *_STATISTICS, "smoothed", "weight"}
    inner: list[Any] = [row.get("high") for row in rows[:-1]]
    right = (
        all(set(row) == whole for row in rows)
        and [row["class"] for row in rows] == list(range(1, len(rows) + 1))
        and [row["low"] for row in rows] == [None, *inner]
        and rows[-1]["high"] is None
        and all(isinstance(value, float) and np.isfinite(value) for value in inner)
        and all(low < high for low, high in pairwise(inner))
        and all(isinstance(row["weight"], float) and np.isfinite(row["weight"]) for row in rows)
        and all(type(row[name]) is int and row[name] >= 0 for row in rows for name in ("cells", "ore"))
        and all(isinstance(row[name], float | None) for row in rows for name in _STATISTICS)
        and all(isinstance(row["smoothed"], bool) for row in rows)
    )
    if not right:
        raise ValueError(f"its table of the classes of {layer!r} is not one that a fit writes")


def omnibus_of(classes: Sequence[Classes], values: Float64, labels: Labels) -> Omnibus:
    """Test conditional independence of all layers at once, with the share of ore in ``labels`` as prior.

    Parameters
    ----------
    classes : sequence of Classes
        One for each layer.
    values : array of shape (sample, layer)
        NaN is missing and adds nothing.
    labels : array of shape (sample,)
        1 at deposit cells, 0 at background.
    """
    codes = np.column_stack([one.of(column) for one, column in zip(classes, values.T, strict=True)])
    conditions, cells = np.unique(codes, axis=0, return_counts=True)
    added, variances = (
        np.column_stack([np.append(one, 0.0)[code] for one, code in zip(of_each, conditions.T, strict=True)])
        for of_each in ([one.weight for one in classes], [one.variance for one in classes])
    )
    n_ore = int(labels.sum())
    probability = posterior_probability(posterior_log_odds(n_ore / len(labels), added))
    std = posterior_std(probability, variances, n_ore=n_ore, n_barren=len(labels) - n_ore)
    return omnibus(probability, std, cells, n_ore=n_ore)


def pairs_of(
    classes: Sequence[Classes], values: Float64, labels: Labels, layers: Sequence[str]
) -> list[tuple[str, str, ChiSquare]]:
    """Test each pair of layers that are used for independence among ore cells, where both have a value."""
    ore = values[labels == 1]
    found = []
    for i, j in combinations([i for i, one in enumerate(classes) if one.used], 2):
        first, second = classes[i].of(ore[:, i]), classes[j].of(ore[:, j])
        known = (first >= 0) & (second >= 0)
        table = np.zeros((len(classes[i].weight), len(classes[j].weight)))
        np.add.at(table, (first[known], second[known]), 1)
        found.append((layers[i], layers[j], chi_square(table)))
    return found
