"""The best targets as people read them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_MOST = 8
# column, its head, unit, and how its numbers are written; what the table lacks is left out
_COLUMNS: tuple[tuple[str, str, float, str], ...] = (
    ("id", "id", 1, ""), ("kind", "kind", 1, ""), ("ranking", "ranking", 1, ".2f"),
    ("volume_m3", "volume, million m3", 1e6, ",.2f"), ("area_m2", "area, km2", 1e6, ",.2f"),
    ("depth_top", "depth to top, m", 1, ",.0f"), ("distance_m", "to known ore, m", 1, ",.0f"),
    ("reasons_for", "first reason", 1, ""), ("hole", "drillhole", 1, ""),
)  # fmt: skip
_EMPTY = {"reasons_for": "-", "hole": "none"}


def best_of(table: pd.DataFrame) -> str:
    """The best targets, one a line, zones below them.

    Parameters
    ----------
    table : DataFrame
        From `table_of`.

    Returns
    -------
    str
        Lines of text; a sentence where there is nothing.
    """
    zones, listed = table[table["kind"] == "zone"], table[table["kind"] != "zone"]
    if not len(table):
        return "no target was found."
    counts = [_count(len(listed), "target")] + [_count(len(zones), "zone")] * bool(len(zones))
    shown = [*listed.head(_MOST).to_dict("records"), *zones.to_dict("records")]
    columns = [column for column in _COLUMNS if column[0] in table]
    rows = [[column[1] for column in columns]]
    rows += [[_words(record[name], name, unit, how) for name, _, unit, how in columns] for record in shown]
    widths = [max(map(len, texts)) for texts in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            text.rjust(width) if how else text.ljust(width)
            for text, width, (*_, how) in zip(row, widths, columns, strict=True)
        ).rstrip()
        for row in rows
    ]
    more = len(listed) - _MOST
    if more > 0:
        lines.append(f"{more} more {'is' if more == 1 else 'are'} in targets.csv.")
    return "\n" + "\n".join([f"{' and '.join(counts)}, the best first:", *lines]) + "\n"


def _count(n: int, what: str) -> str:
    return f"{n or 'no'} {what}{'s' * (n != 1)}"


def _words(value: Any, name: str, unit: float, how: str) -> str:
    return _number(value, unit, how) if how else str(value).split("; ")[0] or _EMPTY.get(name, "")


def _number(value: float, unit: float, how: str) -> str:
    """A number in a unit; two digits where decimals would hide it, ``-`` where there is none."""
    number = float(value) / unit
    if math.isnan(number):
        return "-"
    small = how == ",.2f" and 0 < abs(number) < 0.005
    return format(number, ".2g" if small else how)
