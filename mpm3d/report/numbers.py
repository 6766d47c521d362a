"""Numbers as people read them."""

from __future__ import annotations

import math

_POINTS = (
    "north",
    "north-north-east",
    "north-east",
    "east-north-east",
    "east",
    "east-south-east",
    "south-east",
    "south-south-east",
    "south",
    "south-south-west",
    "south-west",
    "west-south-west",
    "west",
    "west-north-west",
    "north-west",
    "north-north-west",
)
UNKNOWN = "not known"
_GAP = "\N{NO-BREAK SPACE}"  # a number and its unit stay on one line


def metres(value: float) -> str:
    r"""Whole metres with separators, kilometres above ten of them.

    Examples
    --------
    >>> [metres(length).replace("\xa0", " ") for length in (499.6, -1145.1, 12345, math.nan)]
    ['500 m', '−1,145 m', '12.3 km', 'not known']
    """
    if math.isnan(value):
        return UNKNOWN
    if abs(value) >= 10_000:
        return f"{value / 1000:.1f}{_GAP}km".replace("-", "−")
    return f"{whole(value)}{_GAP}m"


def whole(value: float) -> str:
    """A whole number with separators and a true minus; a dash where there is none."""
    return "–" if math.isnan(value) else f"{round(value):,}".replace("-", "−")


def cubic(volume: float) -> str:
    """A volume of rock in words.

    Examples
    --------
    >>> cubic(10_260_000), cubic(13_500_750_000), cubic(4000)
    ('10.3 million m³', '13.5 km³', '4,000 m³')
    """
    if math.isnan(volume):
        return UNKNOWN
    if volume >= 1e9:
        return f"{volume / 1e9:.3g} km³"
    return f"{volume / 1e6:.3g} million m³" if volume >= 1e6 else f"{volume:,.0f} m³"


def square(area: float) -> str:
    """An area of ground in words.

    Examples
    --------
    >>> square(11_750_000), square(1_234_000_000), square(62_500), square(400)
    ('11.8 km²', '1,234 km²', '0.0625 km²', '400 m²')
    """
    if math.isnan(area):
        return UNKNOWN
    if area < 10_000:
        return f"{area:,.0f} m²"
    return f"{area / 1e6:,.0f} km²" if area >= 1e8 else f"{area / 1e6:.3g} km²"


def degrees(longitude: float, latitude: float) -> str:
    r"""A place as a GPS shows it, latitude first; five decimals are a metre.

    Examples
    --------
    >>> degrees(140.302101, -31.33512).replace("\xa0", " "), degrees(math.nan, 0)
    ('31.33512° S, 140.30210° E', 'not known')
    """
    if math.isnan(longitude) or math.isnan(latitude):
        return UNKNOWN
    turned = (longitude + 180) % 360 - 180
    return f"{abs(latitude):.5f}°{_GAP}{'NS'[latitude < 0]}, {abs(turned):.5f}°{_GAP}{'EW'[turned < 0]}"


def percent(share: float) -> str:
    r"""A share in per cent, one digit below ten; no more than a number can bear.

    Examples
    --------
    >>> [percent(share).replace("\xa0", " ") for share in (0.4790, 0.0233, 0.0, 1.0, 0.0004, 0.9996)]
    ['48 %', '2.3 %', '0 %', '100 %', 'less than 0.1 %', 'more than 99.9 %']
    """
    if math.isnan(share):
        return UNKNOWN
    value = 100 * share
    if 0 < value < 0.1:
        return f"less than 0.1{_GAP}%"
    if 99.9 < value < 100:
        return f"more than 99.9{_GAP}%"
    digits = 0 if 10 <= value < 99 else 1
    return f"{value:.{digits}f}".removesuffix(".0") + f"{_GAP}%"


def decimals(value: float, digits: int = 3) -> str:
    """A number with so many decimals, a dash where there is none."""
    return "–" if math.isnan(value) else f"{value:.{digits}f}".replace("-", "−")


def in_hundred(auc: float) -> str:
    """How often of a hundred, the way to say an AUC.

    Examples
    --------
    >>> in_hundred(0.956), in_hundred(0.9986), in_hundred(0.5)
    ('96 times in 100', 'more than 99 times in 100', '50 times in 100')
    """
    if 0.995 <= auc < 1:
        return "more than 99 times in 100"
    return f"{100 * auc:.0f} times in 100"


def direction(east: float, north: float) -> str:
    """The nearest of the sixteen points of the compass for a step in metres; empty for none.

    Examples
    --------
    >>> direction(100, 100), direction(0, -5), direction(-30, 1), direction(0, 0)
    ('north-east', 'south', 'west', '')
    """
    if not math.hypot(east, north):
        return ""
    return _POINTS[round(math.degrees(math.atan2(east, north)) / 22.5) % 16]


def listed(words: list[str] | tuple[str, ...]) -> str:
    """Words with commas and a last "and".

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b", "c"]), listed([])
    ('a', 'a, b and c', '')
    """
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + f" and {words[-1]}" if words else ""
