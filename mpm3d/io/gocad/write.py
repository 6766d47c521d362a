"""GoCAD ASCII files written so that GoCAD, and this package, read back what was there."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mpm3d.geometry import Array, Lines, Points, Surface
from mpm3d.grid import FloatArray
from mpm3d.io.files import replacing, write_text
from mpm3d.lattice import PropertyModel

Rows = NDArray[np.int64]
# tried in this order until one is not among the values
_NO_DATA = (-99999.0, -999999.0, -9.9999e29)


def write_surfaces(path: str | Path, surfaces: Sequence[Surface]) -> None:
    """Write surfaces as TSurf objects of one file.

    Each part of a surface becomes a TFACE (connected triangles are a part if the surface names none); a
    vertex that several parts share is written once and repeated as an ATOM. Coordinates are written in full
    precision, NaN properties as no-data. Depths are written if ``z_positive`` says so. A name that ends in
    ``.gz`` makes a gzipped file.

    Parameters
    ----------
    path : str or Path
        The file, by custom ``.ts``. It is replaced only when all is written.
    surfaces : sequence of Surface
        One object each.

    Raises
    ------
    ValueError
        If a coordinate is not finite or a triangle refers to a vertex that is not there.
    """
    write_text(path, [line for surface in surfaces for line in _surface_lines(surface)])


def write_lines(path: str | Path, lines: Sequence[Lines]) -> None:
    """Write polylines as PLine objects of one file, each part an ILINE; as `write_surfaces` otherwise."""
    write_text(path, [line for body in lines for line in _pline_lines(body)])


def write_points(path: str | Path, points: Sequence[Points]) -> None:
    """Write points as VSet objects of one file; as `write_surfaces` otherwise."""
    write_text(path, [line for body in points for line in _vset_lines(body)])


def _surface_lines(surface: Surface) -> Iterator[str]:
    triangles = surface.triangles
    if surface.z_positive == "Depth":
        triangles = triangles[:, [0, 2, 1]]
    part = _connected(triangles, len(surface.vertices)) if surface.part is None else surface.part
    yield from _head("TSurf", surface)
    yield from _element_lines(surface, triangles, np.asarray(part), ("TFACE", "TRGL"))
    yield "END"


def _pline_lines(lines: Lines) -> Iterator[str]:
    part = _connected(lines.segments, len(lines.vertices)) if lines.part is None else lines.part
    yield from _head("PLine", lines)
    yield from _element_lines(lines, lines.segments, np.asarray(part), ("ILINE", "SEG"))
    yield "END"


def _vset_lines(points: Points) -> Iterator[str]:
    yield from _head("VSet", points)
    yield "SUBVSET"
    yield from _vertex_lines(points, np.arange(len(points.vertices)))
    yield "END"


def _connected(elements: Rows, n_vertices: int) -> Rows:
    """Number of the connected part of each element, in the order they appear."""
    if not len(elements):
        return np.zeros(0, dtype=np.int64)
    start = np.repeat(elements[:, 0], elements.shape[1] - 1)
    links = coo_array((np.ones(len(start), bool), (start, elements[:, 1:].ravel())), (n_vertices,) * 2)
    label = connected_components(links, directed=False)[1][elements[:, 0]]
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    rank: Rows = np.argsort(np.argsort(first))[inverse].astype(np.int64)
    return rank


def _head(kind: str, body: Surface | Lines | Points) -> Iterator[str]:
    if not np.isfinite(body.vertices).all():
        row = int(np.argmin(np.isfinite(body.vertices).all(axis=1)))
        raise ValueError(
            f"vertex {row} of {body.name!r} is at {np.asarray(body.vertices[row]).tolist()}, a file needs "
            "finite coordinates. Remove such vertices first: surface.without_vertices(drop, note)."
        )
    yield from heading(kind, body.name, body.crs_name, body.z_positive)
    names = list(body.properties)
    if names:
        sizes = [1 if body.properties[n].ndim == 1 else body.properties[n].shape[1] for n in names]
        yield f"PROPERTIES {' '.join(quoted(n) for n in names)}"
        yield f"PROP_LEGAL_RANGES {' '.join(['**none**  **none**'] * len(names))}"
        yield f"NO_DATA_VALUES {' '.join(repr(no_data_for(body.properties[n])) for n in names)}"
        yield f"PROPERTY_CLASSES {' '.join(quoted(n) for n in names)}"
        yield f"PROPERTY_KINDS {' '.join(['unknown'] * len(names))}"
        yield f"PROPERTY_SUBCLASSES {' '.join(['QUANTITY Float'] * len(names))}"
        yield f"ESIZES {' '.join(str(size) for size in sizes)}"
        yield f"UNITS {' '.join(quoted(body.units.get(n, 'none')) for n in names)}"


def heading(kind: str, name: str, crs_name: str, z_positive: str) -> list[str]:
    """First lines of an object: name and coordinate block."""
    return [
        f"GOCAD {kind} 1",
        "HEADER {",
        f"name:{_plain(name)}",
        "}",
        "GOCAD_ORIGINAL_COORDINATE_SYSTEM",
        f"NAME {quoted(crs_name or 'Default')}",
        'AXIS_NAME "X" "Y" "Z"',
        'AXIS_UNIT "m" "m" "m"',
        f"ZPOSITIVE {'Depth' if z_positive == 'Depth' else 'Elevation'}",
        "END_ORIGINAL_COORDINATE_SYSTEM",
    ]


def _plain(text: str) -> str:
    return " ".join(text.replace('"', "'").splitlines())


def quoted(text: str) -> str:
    """One word of a line, in quotes where blanks would break it."""
    plain = _plain(text)
    return f'"{plain}"' if not plain or plain.split() != [plain] else plain


def no_data_for(values: Array) -> float:
    """Value that stands for NaN and is not among the values."""
    for value in _NO_DATA:
        if not np.any(np.abs(values - value) <= 1e-6 * abs(value)):
            return value
    return -1e32


def _vertex_lines(body: Surface | Lines | Points, rows: Rows) -> list[str]:
    xyz = np.asarray(body.vertices, dtype=float)[rows]
    if body.z_positive == "Depth":
        xyz = np.column_stack([xyz[:, :2], 0.0 - xyz[:, 2]])
    if not body.properties:
        points = zip(rows.tolist(), xyz.tolist(), strict=True)
        return [f"VRTX {row + 1} {x!r} {y!r} {z!r}" for row, (x, y, z) in points]
    values = _property_values(body.properties, rows)
    columns = np.column_stack([xyz, values]).tolist()
    return [
        f"PVRTX {row + 1} {' '.join(map(repr, numbers))}"
        for row, numbers in zip(rows.tolist(), columns, strict=True)
    ]


def _property_values(properties: Mapping[str, FloatArray], rows: Rows) -> FloatArray:
    columns = []
    for values in properties.values():
        chosen = np.asarray(values, dtype=float)[rows].reshape(len(rows), -1)
        columns.append(np.where(np.isnan(chosen), no_data_for(values), chosen))
    return np.concatenate(columns, axis=1)


def _element_lines(body: Surface | Lines, elements: Rows, part: Rows, words: tuple[str, str]) -> list[str]:
    """Vertices and elements of each part; a vertex belongs to the first part that uses it."""
    n = len(body.vertices)
    if len(elements) and (elements.min() < 0 or elements.max() >= n):
        raise ValueError(
            f"{body.name!r} refers to the vertex {int(elements.max())}, it has {n}, counted from 0."
        )
    order = np.argsort(part, kind="stable")
    numbers, start = np.unique(part[order], return_index=True)
    home = _home(elements, np.searchsorted(numbers, part), n)
    lines, next_id = [], n + 1
    for k, members in enumerate(np.split(order, start[1:]) if len(numbers) else [order]):
        lines.append(words[0])
        lines += _vertex_lines(body, np.flatnonzero(home == k))
        chosen = elements[members] + 1
        shared = np.unique(chosen[home[chosen - 1] < k])
        atoms = np.arange(next_id, next_id + len(shared))
        next_id += len(shared)
        lines += [f"ATOM {a} {b}" for a, b in zip(atoms.tolist(), shared.tolist(), strict=True)]
        if len(shared):
            place = np.minimum(np.searchsorted(shared, chosen), len(shared) - 1)
            chosen = np.where(shared[place] == chosen, atoms[place], chosen)
        template = words[1] + " %d" * chosen.shape[1]
        lines += [template % tuple(row) for row in chosen.tolist()]
    return lines


def _home(elements: Rows, part: Rows, n: int) -> Rows:
    """Part that writes each vertex: the first that uses it, or that of the vertex before it."""
    home = np.full(n, np.iinfo(np.int64).max)
    np.minimum.at(home, elements.ravel(), np.repeat(part, elements.shape[1]))
    used = home != np.iinfo(np.int64).max
    last = np.maximum.accumulate(np.where(used, np.arange(n), -1))
    return np.where(last >= 0, home[last], 0)


def write_voxet(
    path: str | Path, model: PropertyModel, *, classes: Mapping[str, Mapping[int, str]] | None = None
) -> None:
    """Write values on equal cells as a voxet: a header, and a binary file ``<stem>_<property>@@`` each.

    The samples are the cell centres. Values are written as big-endian float32, NaN as no-data; those of a
    property with ``classes`` as one byte each with the names of the codes.

    Parameters
    ----------
    path : str or Path
        The header, by custom ``.vo``. Files are replaced only when each is written, the header last.
    model : PropertyModel
        Values on cells of one size along each axis.
    classes : mapping of str to mapping of int to str, optional
        Names of the codes (0 to 254) of properties that hold classes.

    Raises
    ------
    ValueError
        If the cells of an axis differ in size, a value does not fit in float32 or a code in a byte.
    """
    path = Path(path)
    steps = [_equal_step(model, axis) for axis in range(3)]
    lines = heading("Voxet", model.name, model.crs_name, model.z_positive) + _axes(model, steps)
    taken: set[str] = set()
    with contextlib.ExitStack() as files:  # takes the place of old files when all are complete
        for number, (name, values) in enumerate(model.values.items(), start=1):
            if values.shape != model.shape:
                raise ValueError(
                    f"property {name!r} has shape {values.shape}, the cells are {model.shape} (z, y, x)."
                )
            file = _data_name(path, name, taken)
            names = (classes or {}).get(name)
            cells = np.asarray(values)
            data, no_data = _float_data(name, cells) if names is None else _code_data(name, cells, names)
            data.tofile(files.enter_context(replacing(path.with_name(file))))
            unit = quoted(model.units.get(name, "none"))
            lines += _property_lines(number, name, unit, data, no_data)
            lines += [] if names is None else [_rock(number, names)]
            lines.append(f"PROP_FILE {number} {quoted(file)}")
    write_text(path, [*lines, "END"])


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


def _axes(model: PropertyModel, steps: Sequence[float]) -> list[str]:
    sign = -1.0 if model.z_positive == "Depth" else 1.0
    first = [float(edges[0]) + step / 2 for edges, step in zip(model.edges, steps, strict=True)]
    # the vector of an axis of one sample is its step
    z, y, x = (max(n - 1, 1) * step for n, step in zip(model.shape, steps, strict=True))
    return [
        f"AXIS_O {first[2]!r} {first[1]!r} {sign * first[0]!r}",
        f"AXIS_U {x!r} 0 0",
        f"AXIS_V 0 {y!r} 0",
        f"AXIS_W 0 0 {sign * z!r}",
        "AXIS_MIN 0 0 0",
        "AXIS_MAX 1 1 1",
        f"AXIS_N {' '.join(str(n) for n in model.shape[::-1])}",
        "AXIS_NAME axis-1 axis-2 axis-3",
        "AXIS_TYPE even even even",
    ]


def _data_name(path: Path, name: str, taken: set[str]) -> str:
    """File name of a property that every system allows and no other property has."""
    stem = f"{path.stem}_{re.sub(r'[^A-Za-z0-9.-]+', '_', name)[:60]}"
    file, count = f"{stem}@@", 2
    while file.lower() in taken:
        file, count = f"{stem}_{count}@@", count + 1
    taken.add(file.lower())
    return file


def _float_data(name: str, values: Array) -> tuple[Array, float]:
    with np.errstate(over="ignore"):
        data = np.array(values, dtype=">f4")
    if np.isinf(data).any():
        raise ValueError(
            f"property {name!r} holds values beyond float32 or infinite ones, a voxet holds numbers below "
            "3.4e38. Set what is missing to NaN."
        )
    no_data = no_data_for(data)
    data[np.isnan(data)] = no_data
    return data, no_data


def _code_data(name: str, values: Array, classes: Mapping[int, str]) -> tuple[Array, float]:
    with np.errstate(invalid="ignore"):
        known = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
        codes = np.where(known, 255, values)
        bad = ~known & ((codes < 0) | (codes > 254) | (codes != np.floor(codes)))
    if bad.any():
        raise ValueError(
            f"property {name!r} holds {values[bad][0]!s}, classes need whole codes from 0 to 254 "
            f"({len(classes)} are named)."
        )
    return codes.astype(np.uint8), 255.0


def _property_lines(number: int, name: str, unit: str, data: Array, no_data: float) -> list[str]:
    octet = data.dtype.itemsize == 1
    lines = [
        f"PROPERTY {number} {quoted(name)}",
        f"PROPERTY_CLASS {number} {quoted(name)}",
        f"PROP_UNIT {number} {unit}",
        f"PROP_NO_DATA_VALUE {number} {int(no_data) if octet else no_data}",
        f"PROP_SAMPLE_STATS {number} {' '.join(f'{v:.9g}' for v in statistics(data[data != no_data]))}",
        f"PROP_ESIZE {number} {data.dtype.itemsize}",
        f"PROP_ETYPE {number} IEEE",
        f"PROP_FORMAT {number} RAW",
        f"PROP_OFFSET {number} 0",
    ]
    if octet:
        lines += [f"PROP_STORAGE_TYPE {number} Octet", f"PROP_SIGNED {number} 0"]
    else:
        lines.append(f"PROPERTY_SUBCLASS {number} QUANTITY Float")
    return lines


def _rock(number: int, classes: Mapping[int, str]) -> str:
    pairs = " ".join(f"{quoted(label)} {code}" for code, label in classes.items())
    return f"PROPERTY_SUBCLASS {number} ROCK {len(classes)} {pairs}"


def statistics(values: Array) -> tuple[float, float, float, float, float]:
    """Count, mean, variance (of a sample), least and largest value, as GoCAD writes them."""
    if not len(values):
        return 0.0, 0.0, 0.0, 0.0, 0.0
    data = values.astype(float)
    variance = float(data.var(ddof=1)) if len(data) > 1 else 0.0
    return float(len(data)), float(data.mean()), variance, float(data.min()), float(data.max())
