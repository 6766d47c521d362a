"""Voxets written so that GoCAD, and this package, read back what was there."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from mpm3d.grid import FloatArray
from mpm3d.io.files import replacing, stem_of, write_text
from mpm3d.io.gocad.write import heading, quoted
from mpm3d.lattice import PropertyModel, Voxet
from mpm3d.values import Array, Statistics, slabs, statistics

# numbers that stand for no data: the first that is not among the values is taken
_NO_DATA = (-99999.0, -999999.0, -9.9999e29, -1e32)
_NO_CODE = {"u1": 255, "i2": -32768, "i4": -(2**31)}
_STORAGE = {1: "Octet", 2: "Short", 4: "Integer"}
# GoCAD keeps the first bits of the flags for itself
_FIRST_BIT = 6


def write_voxet(
    path: str | Path,
    model: PropertyModel | Voxet,
    *,
    classes: Mapping[str, Mapping[int, str]] | None = None,
    dtype: str = "float32",
) -> None:
    """Write values on equal cells as a voxet: a header, and a binary file ``<stem>_<property>@@`` each.

    The samples are the cell centres. Numbers are written with the byte order of GoCAD, NaN as no-data, with
    the statistics of what was written. Whole numbers keep their type (those of 64 bits get 32); codes with
    names become the smallest whole numbers that hold them. Values in files are read slab by slab.

    Parameters
    ----------
    path : str or Path
        The header, by custom ``.vo``. Files are replaced only when all are written, the header last.
    model : PropertyModel or Voxet
        Values on cells of one size along each axis; a frame becomes a rotated voxet. The axes, the order of
        the samples and the regions of a Voxet are written as they are.
    classes : mapping of str to mapping of int to str, optional
        Names of the codes of properties that hold classes, those of the model by default.
    dtype : {"float32", "float64"}
        Of values that are not whole. Not every program reads the second.

    Raises
    ------
    ValueError
        If the cells of an axis differ in size, a value does not fit in its type, or a code is not whole.

    Examples
    --------
    >>> import tempfile
    >>> from mpm3d.grid import Grid
    >>> grid = Grid((1, 1, 3), (50, 20, 10), (0, 0, 0), "EPSG:32651")
    >>> model = PropertyModel.from_grid("line", grid, {"density": np.array([[[2.5, np.nan, 2.75]]])})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_voxet(Path(folder) / "line.vo", model)
    ...     np.fromfile(Path(folder) / "line_density@@", ">f4")
    array([ 2.5000e+00, -9.9999e+04,  2.7500e+00], dtype='>f4')
    """
    if dtype not in ("float32", "float64"):
        raise ValueError(f"dtype={dtype!r} is not known, use 'float32' or 'float64'.")
    path = Path(path)
    voxet = model if isinstance(model, Voxet) else _lattice(model)
    names = voxet.classes if classes is None else classes
    lines = heading("Voxet", voxet.name, voxet.crs_name, voxet.z_positive) + _axes(voxet)
    taken: set[str] = set()
    with contextlib.ExitStack() as files:  # takes the place of old files when all are complete
        lines += _write_regions(path, voxet, taken, files)
        for number, (name, values) in enumerate(voxet.values.items(), start=1):
            _check_shape(name, values, voxet)
            plan = _plan(name, values, names.get(name), dtype)
            file = _data_name(path, name, taken)
            with files.enter_context(replacing(path.with_name(file))).open("wb") as target:
                _write_values(target, values, plan)
            unit = quoted(voxet.units.get(name, "none"))
            lines += _property_lines(number, name, unit, plan)
            lines += [_rock(number, names[name])] if names.get(name) else []
            lines.append(f"PROP_FILE {number} {quoted(file)}")
    write_text(path, [*lines, "END"])


def _lattice(model: PropertyModel) -> Voxet:
    """The same cells as samples at their centres."""
    steps = np.array([_equal_step(model, axis) for axis in (2, 1, 0)])  # along x, y, z
    first = np.array([float(model.edges[axis][0]) for axis in (2, 1, 0)]) + steps / 2
    axes = np.eye(3) if model.frame is None else model.frame.axes
    origin = first if model.frame is None else model.frame.to_world(first[None])[0]
    return Voxet(
        model.name, origin, steps[:, None] * axes, model.shape, model.values, classes=model.classes,
        **model.common(),
    )  # fmt: skip


def _equal_step(model: PropertyModel, axis: int) -> float:
    edges = np.asarray(model.edges[axis], dtype=float)
    widths = np.diff(edges)
    step = float((edges[-1] - edges[0]) / len(widths))
    # coordinates of millions of metres keep about a micrometre
    if np.any(np.abs(widths - step) > 1e-6 * step + 1e-6):
        raise ValueError(
            f"the cells of {model.name!r} are {widths.min():g} to {widths.max():g} m along {'zyx'[axis]}, "
            "a voxet needs equal ones. Resample it first: evidence.resample(model, grid)."
        )
    return step


def _axes(voxet: Voxet) -> list[str]:
    if not (np.isfinite(voxet.origin).all() and np.isfinite(voxet.steps).all()):
        raise ValueError(
            f"{voxet.name!r} lies at {np.asarray(voxet.origin).tolist()} with the steps "
            f"{np.asarray(voxet.steps).tolist()}, a file needs finite numbers."
        )
    sense = np.array([1.0, 1.0, -1.0 if voxet.z_positive == "Depth" else 1.0])
    # n samples span n - 1 steps; the vector of an axis of one sample is its step
    counts = np.array(voxet.shape[::-1])
    vectors = voxet.steps * np.maximum(counts - 1, 1)[:, None] * sense
    return [
        f"AXIS_O {_numbers(voxet.origin * sense)}",
        *(f"AXIS_{axis} {_numbers(vector)}" for axis, vector in zip("UVW", vectors, strict=True)),
        "AXIS_MIN 0 0 0",
        "AXIS_MAX 1 1 1",
        f"AXIS_N {' '.join(str(n) for n in counts)}",
        "AXIS_NAME axis-1 axis-2 axis-3",
        "AXIS_TYPE even even even",
    ]


def _numbers(values: FloatArray) -> str:
    return " ".join(repr(float(v) + 0.0) for v in values)


def _check_shape(name: str, values: Any, voxet: Voxet) -> None:
    if tuple(values.shape) != voxet.shape:
        raise ValueError(
            f"property {name!r} has shape {tuple(values.shape)}, the cells are {voxet.shape} (z, y, x)."
        )


def _data_name(path: Path, name: str, taken: set[str]) -> str:
    """File name of a property that every system allows and no other property has."""
    stem = f"{stem_of(path)}_{re.sub(r'[^A-Za-z0-9.-]+', '_', name)[:60]}"
    file, count = f"{stem}@@", 2
    while file.lower() in taken:
        file, count = f"{stem}_{count}@@", count + 1
    taken.add(file.lower())
    return file


@dataclass(frozen=True)
class _Plan:
    """How the values of a property are written."""

    stored: np.dtype[Any]
    found: Statistics
    no_data: float | None = None


def _plan(name: str, values: Any, classes: Mapping[int, str] | None, dtype: str) -> _Plan:
    kind = np.dtype(values.dtype)
    if kind.kind not in "fiub":
        raise ValueError(f"property {name!r} holds values of the type {kind}, a voxet holds numbers.")
    if kind.kind != "f":
        return _whole_plan(name, kind, statistics(values), coded=bool(classes))
    if classes:
        return _code_plan(name, values)
    return _float_plan(name, values, np.dtype(">f4" if dtype == "float32" else ">f8"))


def _whole_plan(name: str, kind: np.dtype[Any], found: Statistics, *, coded: bool) -> _Plan:
    """Whole numbers as they are; those of 64 bits as 32, codes among them as narrow as they can be."""
    if kind.itemsize < 8:
        return _Plan(np.dtype("u1") if kind.kind == "b" else kind.newbyteorder(">"), found)
    code = _narrow(found, ("u1", "i2", "i4") if coded else ("i4",))
    if code is None:
        raise ValueError(
            f"property {name!r} holds whole numbers from {found.low:g} to {found.high:g}, a voxet holds "
            "those of 32 bits. Make them float64 and write with dtype='float64'."
        )
    return _Plan(np.dtype(f">{code}"), found)


def _narrow(found: Statistics, kinds: Sequence[str], spare: Mapping[str, int] | None = None) -> str | None:
    """First kind of whole numbers that holds all, and one more that is not among them."""
    for code in kinds:
        limits = np.iinfo(code)
        low, high = int(limits.min), int(limits.max)
        if spare:
            low, high = low + (spare[code] == low), high - (spare[code] == high)
        if low <= found.low and found.high <= high:
            return code
    return None


def _code_plan(name: str, values: Any) -> _Plan:
    """Codes of classes that are floats, NaN where there is none."""
    for slab in slabs(values):
        part = np.asarray(values[slab])
        known = part[~np.isnan(part)]
        bad = known[~(known == np.floor(known)) | np.isinf(known)]
        if len(bad):
            raise ValueError(f"property {name!r} holds {bad[0]!s}, codes of classes are whole numbers.")
    found = statistics(values)
    missing = found.n < np.prod(values.shape, dtype=np.int64)
    code = _narrow(found, ("u1", "i2", "i4"), _NO_CODE if missing else None)
    if code is None:
        raise ValueError(
            f"property {name!r} holds the codes {found.low:g} to {found.high:g}, a voxet holds those of 32 "
            "bits. Number the classes anew."
        )
    return _Plan(np.dtype(f">{code}"), found, _NO_CODE[code] if missing else None)


def _float_plan(name: str, values: Any, stored: np.dtype[Any]) -> _Plan:
    found, free = Statistics(0, 0.0, 0.0, 0.0, 0.0), list(_NO_DATA)
    for slab in slabs(values):
        with np.errstate(over="ignore", invalid="ignore"):
            part = np.asarray(values[slab]).astype(stored.newbyteorder("="))
        if np.isinf(part).any():
            narrow = stored.itemsize == 4
            raise ValueError(
                f"property {name!r} holds values beyond {'float32' if narrow else 'float64'} or infinite "
                f"ones, a voxet holds numbers below {'3.4e38' if narrow else '1.8e308'}. Set what is missing "
                "to NaN."
            )
        found = found.joined(statistics(part))
        with np.errstate(over="ignore", invalid="ignore"):
            free = [v for v in free if not np.any(np.abs(part - v) <= 1e-6 * abs(v))]
    if not free:
        raise ValueError(
            f"property {name!r} holds all of {', '.join(f'{v:g}' for v in _NO_DATA)}, so none of them can "
            "stand for no data. Set one of them to NaN."
        )
    return _Plan(stored, found, free[0])


def _write_values(target: BinaryIO, values: Any, plan: _Plan) -> None:
    for slab in slabs(values):
        part = np.asarray(values[slab])
        if part.dtype.kind == "f" and plan.no_data is not None:
            part = np.where(np.isnan(part), plan.no_data, part)
        target.write(np.ascontiguousarray(part.astype(plan.stored)).data)


def _property_lines(number: int, name: str, unit: str, plan: _Plan) -> list[str]:
    whole, size = plan.stored.kind != "f", plan.stored.itemsize
    lines = [
        f"PROPERTY {number} {quoted(name)}",
        f"PROPERTY_CLASS {number} {quoted(name)}",
        f"PROP_UNIT {number} {unit}",
    ]
    if plan.no_data is not None:
        lines.append(f"PROP_NO_DATA_VALUE {number} {int(plan.no_data) if whole else plan.no_data}")
    lines += [
        f"PROP_SAMPLE_STATS {number} {' '.join(f'{v:.9g}' for v in plan.found)}",
        f"PROP_ESIZE {number} {size}",
        f"PROP_ETYPE {number} IEEE",
        f"PROP_FORMAT {number} RAW",
        f"PROP_OFFSET {number} 0",
    ]
    if whole:
        signed = int(plan.stored.kind == "i")
        lines += [f"PROP_STORAGE_TYPE {number} {_STORAGE[size]}", f"PROP_SIGNED {number} {signed}"]
    else:
        lines += [f"PROP_STORAGE_TYPE {number} Double"] if size == 8 else []
        lines.append(f"PROPERTY_SUBCLASS {number} QUANTITY Float")
    return lines


def _rock(number: int, classes: Mapping[int, str]) -> str:
    pairs = " ".join(f"{quoted(label)} {code}" for code, label in classes.items())
    return f"PROPERTY_SUBCLASS {number} ROCK {len(classes)} {pairs}"


def _write_regions(path: Path, voxet: Voxet, taken: set[str], files: contextlib.ExitStack) -> list[str]:
    """Write the regions as bits of little-endian flags; their lines of the header."""
    if not voxet.regions:
        return []
    length = _FIRST_BIT + len(voxet.regions)
    width = next((width for width in (1, 2, 4, 8) if length <= 8 * width), 0)
    if not width:
        raise ValueError(
            f"{voxet.name!r} has {len(voxet.regions)} regions, the flags of a voxet hold {64 - _FIRST_BIT}. "
            "Write it twice, with some of them each."
        )
    file = _data_name(path, "_flags", taken)
    with files.enter_context(replacing(path.with_name(file))).open("wb") as target:
        for slab in slabs(next(iter(voxet.regions.values()))):
            target.write(_flags(voxet, slab, np.dtype(f"<u{width}")).data)
    return [
        f"FLAGS_ARRAY_LENGTH {int(np.prod(voxet.shape, dtype=np.int64))}",
        f"FLAGS_BIT_LENGTH {length}",
        f"FLAGS_ESIZE {width}",
        "FLAGS_OFFSET 0",
        f"FLAGS_FILE {quoted(file)}",
        *(f"REGION {quoted(name)} {_FIRST_BIT + n}" for n, name in enumerate(voxet.regions)),
    ]


def _flags(voxet: Voxet, slab: tuple[slice, ...], stored: np.dtype[Any]) -> Array:
    shape = tuple(cut.stop - cut.start for cut in slab)
    flags = np.zeros(shape, stored)
    for number, (name, inside) in enumerate(voxet.regions.items()):
        if tuple(inside.shape) != voxet.shape:
            raise ValueError(
                f"region {name!r} has shape {tuple(inside.shape)}, the samples are {voxet.shape}."
            )
        flags |= np.asarray(inside[slab], dtype=bool).astype(stored) << stored.type(_FIRST_BIT + number)
    return flags
