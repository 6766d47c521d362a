"""Wells written so that GoCAD, and this package, read back what was there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mpm3d.geometry import Array
from mpm3d.grid import FloatArray
from mpm3d.io.files import write_text
from mpm3d.io.gocad.write import heading, no_data_for, quoted
from mpm3d.wells import Curve, Intervals, Well, minimum_curvature


def write_wells(path: str | Path, wells: Sequence[Well]) -> None:
    """Write holes as Well objects of one file: path, markers, zones and logs.

    A hole with a survey that begins at the collar is written as the stations of the survey, another as the
    points of its path. Depths and coordinates are written in metres and in full precision, elevations as
    depths if ``z_positive`` says so. A name that ends in ``.gz`` makes a gzipped file.

    Parameters
    ----------
    path : str or Path
        The file, by custom ``.wl``. It is replaced only when all is written.
    wells : sequence of Well
        One object each. The interval table ``"zones"``, of a column of text and, if there is one, of the
        numbers ``"number"``, becomes zones.

    Raises
    ------
    ValueError
        If a number is not finite, a survey does not lead along its path, or there are interval tables that
        zones cannot hold.
    """
    write_text(path, [line for well in wells for line in _well_lines(well)])


def _well_lines(well: Well) -> Iterator[str]:
    others = [name for name in well.intervals if name != "zones"]
    if others:
        raise ValueError(
            f"the hole {well.name!r} has the interval tables {', '.join(map(repr, others))}, a GoCAD well "
            "has zones only. Write tables with io.table.write_intervals, and the hole without them: "
            "dataclasses.replace(well, intervals={})."
        )
    depth, points = np.asarray(well.depth, dtype=float), np.asarray(well.path, dtype=float)
    collar = np.asarray(well.collar, dtype=float)
    if not (np.isfinite(depth).all() and np.isfinite(points).all() and np.isfinite(collar).all()):
        raise ValueError(
            f"the hole {well.name!r} has coordinates or depths that are not finite, a file needs finite ones."
        )
    down = well.z_positive == "Depth"
    x, y, z = collar.tolist()
    yield from heading("Well", well.name, well.crs_name, well.z_positive)
    yield "PATH_ZM_UNIT m"
    yield f"WREF {x!r} {y!r} {0.0 - z if down else z!r}"
    yield "DATUM GroundLevel"
    yield "KB 0"
    yield from _path_lines(well, depth, points, collar)
    for name, zm in well.markers:
        yield f"MRKR {quoted(name)} 1 {_number(well, zm)}"
    if "zones" in well.intervals:
        yield from _zone_lines(well, well.intervals["zones"])
    for name, curve in well.curves.items():
        yield from _curve_lines(well, name, curve)
    yield "END"


def _path_lines(well: Well, depth: FloatArray, points: FloatArray, collar: FloatArray) -> Iterator[str]:
    if well.survey is None or not len(depth):
        if len(depth) == 1 and depth[0] == 0 and np.array_equal(points[0], collar):
            return  # a hole of which only the collar is known
        shown = 0.0 - points[:, 2] if well.z_positive == "Depth" else points[:, 2]
        offsets = points[:, :2] - collar[:2]
        for numbers in np.column_stack([depth, shown, offsets]).tolist():
            yield f"PATH {' '.join(map(repr, numbers))}"
        return
    survey = np.asarray(well.survey, dtype=float)
    along = collar + minimum_curvature(depth, survey[:, 0], survey[:, 1])
    if depth[0] != 0 or np.abs(along - points).max() > 1e-6:
        raise ValueError(
            f"the survey of the hole {well.name!r} does not lead from its collar along its path, so a file "
            "can hold only one of them. Keep the path: dataclasses.replace(well, survey=None)."
        )
    yield 'DEVIATION_SURVEY "Minimum Curvature"'
    survey[np.isnan(survey[:, 1]), 1] = 0.0  # of vertical stations
    for numbers in np.column_stack([depth, survey]).tolist():
        yield f"STATION {' '.join(map(repr, numbers))}"


def _number(well: Well, value: float) -> str:
    if not np.isfinite(value):
        raise ValueError(f"the hole {well.name!r} has a depth that is {value}, a file needs finite ones.")
    return repr(float(value))


def _zone_lines(well: Well, zones: Intervals) -> Iterator[str]:
    names = zones.values.get("zone")
    if names is None or set(zones.values) - {"zone", "number"}:
        raise ValueError(
            f"the zones of the hole {well.name!r} have the columns "
            f"{', '.join(map(repr, zones.values)) or 'none'}, a GoCAD well holds 'zone' and 'number' only."
        )
    numbers = np.asarray(zones.values.get("number", np.full(len(names), np.nan)), dtype=float)
    for name, start, stop, number in zip(names, zones.start, zones.stop, numbers, strict=True):
        last = "" if np.isnan(number) else f" {float(number)!r}".removesuffix(".0")
        yield f"ZONE {quoted(str(name))} {_number(well, start)} {_number(well, stop)}{last}"


def _curve_lines(well: Well, name: str, curve: Curve) -> Iterator[str]:
    values: Array = np.asarray(curve.values, dtype=float)
    if np.isinf(values).any():
        raise ValueError(
            f"the curve {name!r} of the hole {well.name!r} holds infinite values. Set what is missing to NaN."
        )
    if np.any(np.diff(curve.depth) < 0):
        raise ValueError(f"the depths of the curve {name!r} of the hole {well.name!r} do not ascend.")
    no_data = no_data_for(values)
    yield "WELL_CURVE"
    yield f"PROPERTY {quoted(name)}"
    yield f"PROP_UNIT {quoted(well.units.get(name, 'none'))}"
    yield f"PROP_NO_DATA_VALUE {no_data!r}"
    yield "ZM_UNIT m"
    yield f"NPTS {len(values)}"
    for depth, value in zip(curve.depth, np.where(np.isnan(values), no_data, values).tolist(), strict=True):
        yield f"REC {_number(well, depth)} {value!r}"
    yield "END_CURVE"
