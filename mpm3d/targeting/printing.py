"""The best targets as people read them."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_MOST = 8
_HEAD = (
    "id", "kind", "ranking", "volume, million m3", "depth to top, m", "to known ore, m", "first reason",
    "drillhole",
)  # fmt: skip
_NUMBERS = range(2, 6)  # columns that stand to the right


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
    rows = [_HEAD, *(_row(record) for record in shown)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(_HEAD))]
    lines = [
        "  ".join(
            text.rjust(width) if k in _NUMBERS else text.ljust(width)
            for k, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    more = len(listed) - _MOST
    if more > 0:
        lines.append(f"{more} more {'is' if more == 1 else 'are'} in targets.csv.")
    return "\n" + "\n".join([f"{' and '.join(counts)}, the best first:", *lines]) + "\n"


def _count(n: int, what: str) -> str:
    return f"{n or 'no'} {what}{'s' * (n != 1)}"


def _row(record: Mapping[Hashable, Any]) -> tuple[str, ...]:
    return (
        str(record["id"]),
        str(record["kind"]),
        _number(record["ranking"], 1, ".2f"),
        _number(record["volume_m3"], 1e6, ",.2f"),
        _number(record["depth_top"], 1, ",.0f"),
        _number(record["distance_m"], 1, ",.0f"),
        str(record["reasons_for"]).split("; ")[0] or "-",
        str(record["hole"]) or "none",
    )


def _number(value: float, unit: float, how: str) -> str:
    """A number in a unit; two digits where decimals would hide it, ``-`` where there is none."""
    number = float(value) / unit
    if math.isnan(number):
        return "-"
    small = how == ",.2f" and 0 < abs(number) < 0.005
    return format(number, ".2g" if small else how)
