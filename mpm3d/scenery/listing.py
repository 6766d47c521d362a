"""The table of targets as a view lists it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from mpm3d.errors import StudyError
from mpm3d.geometry import Bounds
from mpm3d.grid import Grid
from mpm3d.view import SceneTarget
from mpm3d.view.camera import area_of, readable
from mpm3d.work import Run

AGAIN = "mpm3d targets study.toml"
_NEEDED = ("id", "rank", "x", "y", "kind", "mean_score", "note")
_OF_VOLUMES = ("elevation", "volume_m3", "z_top", "z_base")
_OF_MAPS = ("area_m2", "x_min", "x_max", "y_min", "y_max", "reasons_for", "reasons_against")
_SINCE = ("x_min", "x_max", "y_min", "y_max", "reasons_for", "reasons_against", "hole")
Row = Mapping[str, Any]


def _metres(value: float) -> str:
    return f"{readable(round(value))} m"


def volume_words(cubic_metres: float) -> str:
    """A volume in the unit that is read most easily.

    Examples
    --------
    >>> volume_words(13_500_750_000.0), volume_words(2_375_000.0), volume_words(125_000.0)
    ('13.5 km³', '2.38 million m³', '125 000 m³')
    """
    if cubic_metres >= 1e9:
        return f"{cubic_metres / 1e9:.3g} km³"
    if cubic_metres >= 1e6:
        return f"{cubic_metres / 1e6:.3g} million m³"
    return f"{readable(round(cubic_metres))} m³"


# what the list of targets says of one: column, label, words; columns that are not there are left out
_NUMBERS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("ranking", "ranking score", "{:.3f}".format),
    ("volume_m3", "volume", volume_words),
    ("area_m2", "area", area_of),
    ("depth_top", "depth to top", _metres),
    ("distance_m", "to nearest deposit", _metres),
    ("nearest_deposit", "nearest deposit", str),
    ("deposit", "holds", str),
    ("mean_score", "mean score", "{:.3g}".format),
    ("peak_score", "peak score", "{:.3g}".format),
    ("spread", "spread of the members", "{:.2g}".format),
    ("depth_base", "depth to base", _metres),
    ("extrapolated", "extrapolated cells", "{:.1%}".format),
    ("zone", "part of zone", str),
    ("hole", "proposed drillhole", str),
    ("hole_note", "no drillhole", str),
)


def targets_of(run: Run, facts: Mapping[str, Any]) -> tuple[SceneTarget, ...]:
    """The targets of ``targets.csv``, by rank.

    Parameters
    ----------
    run : Run
        The study at work. It is told where the table is of an earlier version.
    facts : mapping
        What ``run.json`` says of the targets.

    Raises
    ------
    StudyError
        If the table is missing, empty, cut off, or not the one that ``run.json`` tells of.
    """
    rows, columns = _read(run)
    if "n" in facts and len(rows) != facts["n"]:
        raise StudyError(
            f"targets.csv has {len(rows)} targets and run.json tells of {facts['n']}: it is cut off or of "
            f"another run. Make it again: {AGAIN}"
        )
    if rows and not run.grid.is_map and not set(_SINCE) <= columns:
        run.say(
            "targets.csv is of an earlier version: boxes, reasons and drillholes of the targets are not in "
            f"it. To have them: {AGAIN}"
        )
    try:
        made = (_target_of_map(row, run.grid) if run.grid.is_map else _target(row) for row in rows)
        return tuple(sorted(made, key=lambda target: target.rank))
    except (TypeError, ValueError) as error:
        raise StudyError(f"targets.csv holds a row that is no target ({error}). Again: {AGAIN}") from error


def _read(run: Run) -> tuple[list[Row], set[str]]:
    import pandas as pd

    path = run.path("targets.csv")
    try:
        table = pd.read_csv(path, encoding="utf-8")
    except FileNotFoundError:
        raise StudyError(f"targets.csv is not in {run.folder.place}. Make it again: {AGAIN}") from None
    except (OSError, ValueError) as error:
        raise StudyError(f"targets.csv cannot be read ({error}). Make it again: {AGAIN}") from error
    needed = (*_NEEDED, *(_OF_MAPS if run.grid.is_map else _OF_VOLUMES))
    lacking = [name for name in needed if name not in table]
    if lacking:
        raise StudyError(f"targets.csv lacks the columns {', '.join(lacking)}. Make it again: {AGAIN}")
    if table["note"].isna().any():  # the last column, written on every row
        raise StudyError(f"targets.csv is cut off within a row. Make it again: {AGAIN}")
    rows: list[Row] = [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]
    return rows, {str(name) for name in table.columns}


def _there(value: Any) -> bool:
    return value is not None and value != "" and not (isinstance(value, float) and math.isnan(value))


def _text(row: Row, column: str) -> str:
    return str(row[column]) if _there(row.get(column)) else ""


def _numbers(row: Row) -> tuple[tuple[str, str], ...]:
    return tuple((label, words(row[name])) for name, label, words in _NUMBERS if _there(row.get(name)))


def _reasons(row: Row) -> tuple[str, str]:
    return _text(row, "reasons_for"), _text(row, "reasons_against")


def _target_of_map(row: Row, grid: Grid) -> SceneTarget:
    """A target of a map, which lies at the middle of its cells whatever that may be."""
    x, y, z = float(row["x"]), float(row["y"]), grid.first_centre[0]
    x0, x1, y0, y1 = (float(row[name]) for name in ("x_min", "x_max", "y_min", "y_max"))
    if not (x1 > x0 and y1 > y0):
        raise ValueError(
            f"{row['id']} reaches from {x0:g} to {x1:g} and {y0:g} to {y1:g} m, which is no area"
        )
    where = f"{readable(round(x))} E, {readable(round(y))} N"
    numbers = (*_numbers(row), ("centre", where))
    return SceneTarget(
        str(row["id"]), int(row["rank"]), str(row["kind"]), (x, y, z), (x0, y0, z, x1, y1, z), numbers,
        *_reasons(row),
    )  # fmt: skip


def _target(row: Row) -> SceneTarget:
    x, y, z = (float(row[name]) for name in ("x", "y", "elevation"))
    where = f"{readable(round(x))} E, {readable(round(y))} N, {_metres(z)}"
    return SceneTarget(
        str(row["id"]), int(row["rank"]), str(row["kind"]), (x, y, z), _box(row, (x, y, z)),
        (*_numbers(row), ("centre", where)), *_reasons(row), _text(row, "hole"),
    )  # fmt: skip


def _box(row: Row, centre: tuple[float, float, float]) -> Bounds:
    """The box of a target; of tables without it, one of its height and volume around its centre."""
    low, high = float(row["z_base"]), float(row["z_top"])
    if not high > low:
        raise ValueError(f"{row['id']} reaches from {low:g} to {high:g} m, which is no body")
    if all(_there(row.get(name)) for name in _SINCE[:4]):
        x0, x1, y0, y1 = (float(row[name]) for name in _SINCE[:4])
        return x0, y0, low, x1, y1, high
    half = math.sqrt(float(row["volume_m3"]) / (high - low)) / 2
    return centre[0] - half, centre[1] - half, low, centre[0] + half, centre[1] + half, high
