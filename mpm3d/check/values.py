"""Findings on values: what layers hold, what they lack, and which of them say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import rankdata

from mpm3d.check.finding import Finding
from mpm3d.grid import FloatArray

LIKE = 0.9  # correlation from which two layers say the same
LOST = 0.05  # share of the study volume that may lack a layer without a word
REACH = "Make the grid smaller, set max_missing in [predict], or use a layer that reaches further."
_NO_UNITS = {"", "-", "?", "none", "unknown", "n/a", "na", "tbd", "unit", "units"}
# units, and the largest size of what rocks have in them
_ROCKS = {"g/cm3": 30.0, "g/cc": 30.0, "si": 20.0, "mv/v": 5000.0, "v/v": 5.0, "log10(ohm.m)": 12.0}


@dataclass(frozen=True)
class LayerReport:
    """A layer in numbers, over the sampled cells of the study volume.

    Parameters
    ----------
    name, units : str
        Of the layer.
    source : str
        ``"cube"`` or ``"files"``.
    n : int
        Number of sampled cells.
    low, mean, high : float or None
        Of those with a value.
    missing : float
        Share without a value.
    covered : float
        Share inside the extent of what the layer was made from.
    """

    name: str
    units: str
    source: str
    n: int
    low: float | None
    mean: float | None
    high: float | None
    missing: float
    covered: float


@dataclass(frozen=True)
class Pair:
    """Two layers that say nearly the same: Pearson's and Spearman's correlation over ``n`` cells."""

    first: str
    second: str
    pearson: float
    spearman: float
    n: int

    def as_dict(self) -> dict[str, Any]:
        """As plain numbers and words."""
        return asdict(self)


def report(name: str, units: str, values: FloatArray, *, source: str, covered: float = 1.0) -> LayerReport:
    """Numbers of a layer over sampled cells of the study volume.

    Parameters
    ----------
    name, units : str
        Of the layer.
    values : array of shape (n,)
        NaN where missing.
    source : str
        Where they are from.
    covered : float
        Share of the cells inside the extent of the layer's files.
    """
    known = values[np.isfinite(values)]
    low, mean, high = (float(f(known)) for f in (np.min, np.mean, np.max)) if len(known) else (None,) * 3
    missing = 1 - len(known) / max(len(values), 1)
    return LayerReport(name, units, source, len(values), low, mean, high, missing, covered)


def of_values(
    made: LayerReport,
    *,
    cutoff: float | None = None,
    allowed: int = 0,
    fix: str = REACH,
    space: str = "volume",
) -> Iterator[Finding]:
    """Findings on one layer: nothing in it, one value, too much missing, doubtful units.

    Parameters
    ----------
    made : LayerReport
        The layer.
    cutoff : float, optional
        Of a distance layer, in metres.
    allowed : int
        Layers that a cell may lack and still be scored.
    fix : str
        What helps where much is missing.
    space : str
        ``"volume"``, or ``"area"`` of a map.
    """
    about = f"layer {made.name!r}"
    if made.low is None or made.high is None:
        yield Finding(
            "empty", about, f"no cell of the study {space} has a value. Check that its files lie inside the "
            "grid and in its coordinate system, or remove the layer.",
        )  # fmt: skip
        return
    if made.low == made.high:
        yield Finding("constant", about, _constant(made, cutoff))
    if made.missing > LOST:
        yield Finding("missing", about, _missing(made, allowed, fix, space))
    yield from _units(about, made)


def _constant(made: LayerReport, cutoff: float | None) -> str:
    if cutoff is not None and made.low == cutoff:
        return (
            f"every cell is at the cutoff of {cutoff:g} m, so no surface is that near. Check the place of "
            "the surfaces, or raise the cutoff."
        )
    return (
        f"every cell has the same value, {made.low:g}, so it tells nothing. Check the property and its "
        "file, or remove the layer."
    )


def _missing(made: LayerReport, allowed: int, fix: str, space: str) -> str:
    extent = ""
    if made.covered < 1 - LOST:
        extent = f" Its extent covers {made.covered:.0%} of the {space}."
    price = (
        f"such cells get a score only if they lack no more than {allowed} layer{'s' * (allowed != 1)}"
        if allowed
        else "such cells get no score"
    )
    return f"{made.missing:.0%} of the study {space} has no value, and {price}.{extent} {fix}"


def _units(about: str, made: LayerReport) -> Iterator[Finding]:
    units = made.units.strip().lower()
    if units in _NO_UNITS:
        yield Finding(
            "units", about, f'units = "{made.units}" says nothing. Give them, or "1" for a number without.'
        )
    size = max(abs(made.low or 0.0), abs(made.high or 0.0))
    most = _ROCKS.get(units)
    if most is not None and size > most:
        yield Finding(
            "units", about, f"values reach {size:g}, too much for rocks in {made.units}. Check the units "
            "(kg/m3 are 1000 times g/cm3, and so on), or whether a number stands for missing values.",
        )  # fmt: skip
    if units == "kg/m3" and 0 < size < 10:
        yield Finding("units", about, f"values reach {size:g} only, which look like g/cm3, not kg/m3. Check.")


def of_pairs(samples: Mapping[str, FloatArray]) -> tuple[list[Pair], list[Finding]]:
    """Pairs of layers above a correlation of 0.9, and what is to be said of them.

    Parameters
    ----------
    samples : mapping of str to array of shape (n,)
        Values of each layer in the same cells, NaN where missing. Cells with both are compared.
    """
    pairs, found = [], []
    for first, second in combinations(samples, 2):
        a, b = samples[first], samples[second]
        both = np.isfinite(a) & np.isfinite(b)
        a, b = a[both], b[both]
        if len(a) < 10 or np.ptp(a) == 0 or np.ptp(b) == 0:
            continue
        pearson = float(np.corrcoef(a, b)[0, 1])
        spearman = float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])
        if max(abs(pearson), abs(spearman)) <= LIKE:
            continue
        pairs.append(Pair(first, second, pearson, spearman, len(a)))
        about = f"layers {first!r} and {second!r}"
        if np.allclose(a, b, rtol=1e-5, atol=1e-6 * float(np.ptp(a))):
            text = "they have the same values in every cell. One is a copy: remove it, or check its file."
            found.append(Finding("duplicate", about, text))
        else:
            text = (
                f"they go together (Pearson {pearson:.2f}, Spearman {spearman:.2f}), so that a model counts "
                "one piece of evidence twice and cannot tell which one matters. Keep the better one."
            )
            found.append(Finding("correlated", about, text))
    return pairs, found


def of_sentinels(about: str, codes: Sequence[tuple[float, int]], fix: str) -> Iterator[Finding]:
    """A finding for each code that `sentinels` gives; ``fix`` says how to declare it."""
    for code, times in codes:
        often = "once" if times == 1 else f"{times:,} times"
        yield Finding(
            "sentinel", about, f"the value {code:g} occurs {often} and stands far from all others, so it "
            f"seems to mean 'no data' or air. {fix.format(code=code)}",
        )  # fmt: skip


def of_assays(about: str, column: str, assays: FloatArray) -> Iterator[Finding]:
    """A finding if grades are negative.

    Parameters
    ----------
    about, column : str
        Whom it concerns, and the column.
    assays : array of shape (n,)
        NaN where missing.
    """
    low = assays[assays < 0]
    if len(low):
        yield Finding(
            "negative", about, f"{len(low):,} values of {column} are below 0 (down to {low.min():g}), which "
            "often mean 'below detection'. Replace them by half the detection limit, or leave them empty.",
        )  # fmt: skip
