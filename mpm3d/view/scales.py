"""Colour scales of properties: linear, logarithmic or one colour for each code."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAPS = ("viridis", "plasma", "cividis", "YlGnBu")
_DECADES = 1000.0  # values that are all positive and span more than this are drawn by their logarithm
_FEW = 30.0  # and a logarithmic scale has that ratio of its ends at least
_EXTEND = {
    (False, False): "neither",
    (True, False): "min",
    (False, True): "max",
    (True, True): "both",
}
_CODES = 20  # classes that colours can tell apart


@dataclass(frozen=True, eq=False)
class Scale:
    """Colours of the values of one property.

    Parameters
    ----------
    title : str
        Name of the property and its units.
    norm, colours
        Normalisation and colour map of matplotlib.
    extend : {"neither", "min", "max", "both"}
        Whether values lie beyond the ends.
    labels : mapping of float to str, optional
        Names at places of the scale, where values are codes or all the same.
    """

    title: str
    norm: Any
    colours: Any
    extend: str = "neither"
    labels: Mapping[float, str] | None = None

    def rgb(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Colours ``(n, 3)`` of values, pale grey where there is none."""
        numbers = np.ma.masked_invalid(np.asarray(values, dtype=float))
        coloured = np.asarray(self.colours(self.norm(numbers)))[..., :3]
        coloured[np.ma.getmaskarray(numbers)] = 0.85
        return np.asarray((255 * coloured).round(), dtype=np.uint8)


def make_scale(
    title: str, values: NDArray[np.float64], colours: str, classes: Mapping[int, str] | None = None
) -> Scale:
    """Colour scale for values.

    The ends are the 1st and 99th percentile where a few values reach far beyond them.

    Parameters
    ----------
    title : str
        Name and units.
    values : array of shape (n,)
        Finite values, at least one.
    colours : str
        A colour map of matplotlib.
    classes : mapping of int to str, optional
        Names of codes.
    """
    from matplotlib.colors import LogNorm, Normalize

    if classes and len(classes) <= _CODES:
        return _coded(title, classes)
    low, high = float(values.min()), float(values.max())
    near, far = (float(v) for v in np.percentile(values, (1, 99)))
    decades = low > 0 and high / low > _DECADES
    ends = np.array([low, high, near, far])
    reach = (np.log10(ends) if decades else ends).tolist()
    if reach[3] > reach[2] and reach[1] - reach[0] > 1.5 * (reach[3] - reach[2]):
        extend = _EXTEND[low < near, high > far]
        low, high = near, far
    else:
        extend = "neither"
    if low == high:
        room = max(abs(low) * 1e-3, 1e-12)
        labels = {low: f"{title}: {low:.6g}"}
        return Scale(title, Normalize(low - room, high + room), _map(colours), extend, labels)
    norm = LogNorm if decades and high / low > _FEW else Normalize
    return Scale(title, norm(low, high, clip=True), _map(colours), extend)


def _map(name: str) -> Any:
    from matplotlib import colormaps

    return colormaps[name]


def _coded(title: str, classes: Mapping[int, str]) -> Scale:
    from matplotlib.colors import BoundaryNorm, ListedColormap

    codes = sorted(classes)
    distinct = _map("tab10" if len(codes) <= 10 else "tab20")
    colours = ListedColormap([distinct(n) for n in range(len(codes))])
    inner = [(a + b) / 2 for a, b in itertools.pairwise(codes)]
    norm = BoundaryNorm([codes[0] - 0.5, *inner, codes[-1] + 0.5], len(codes))
    edges = norm.boundaries
    places = [float(a + b) / 2 for a, b in itertools.pairwise(edges)]
    return Scale(title, norm, colours, labels=dict(zip(places, (classes[c] for c in codes), strict=True)))


def scales_for(
    wanted: Sequence[tuple[str, NDArray[np.float64], Mapping[int, str] | None]],
) -> list[Scale | None]:
    """One scale for each property, the same for those of one title; None beyond the fourth of them.

    Parameters
    ----------
    wanted : sequence of (title, values, classes)
        Values that are drawn.
    """
    titles = list(dict.fromkeys(title for title, values, _ in wanted if values.size))
    scales: dict[str, Scale] = {}
    for title, colours in zip(titles, MAPS, strict=False):
        alike = [values for other, values, _ in wanted if other == title]
        classes = next((c for other, _, c in wanted if other == title and c), None)
        scales[title] = make_scale(title, np.concatenate(alike), colours, classes)
    return [scales.get(title) for title, _, _ in wanted]
