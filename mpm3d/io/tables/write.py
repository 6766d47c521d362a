"""Points, blocks and intervals written as tables that read back to the last digit."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mpm3d.geometry import Array, Points
from mpm3d.grid import FloatArray
from mpm3d.io.files import replacing
from mpm3d.io.tables.headers import has_brackets
from mpm3d.lattice import BlockModel, PropertyModel
from mpm3d.wells import Intervals, Well

Columns = dict[str, Array]
# rows of a piece that is made and written at once
_PIECE = 200_000


def write_points(path: str | Path, points: Points) -> None:
    """Write points as a table: ``x,y,z`` and a column for each property.

    Numbers are written in full precision, NaN as an empty cell, units in brackets after the names. Vectors
    have a column for each component (``name_1``), regions are columns of 0 and 1, numbers of parts the column
    ``part``. A name that ends in ``.gz`` makes a gzipped file.

    Parameters
    ----------
    path : str or Path
        The file, by custom ``.csv``. It is replaced only when all is written.
    points : Points
        What is written.

    Raises
    ------
    ValueError
        If a coordinate is not finite or a property has the name of a coordinate.
    """
    xyz = _finite(np.asarray(points.vertices, dtype=float), points.name)
    columns: Columns = dict(zip("xyz", xyz.T, strict=True))
    found: list[tuple[str, Array, str]] = []
    for name, values in points.properties.items():
        unit = points.units.get(name, "")
        vector = [(f"{name}_{k + 1}", v, unit) for k, v in enumerate(values.T)] if values.ndim > 1 else []
        found += vector or [(name, values, unit)]
    found += [(name, inside, "") for name, inside in points.regions.items()]
    found += [] if points.part is None else [("part", points.part, "")]
    extra = {name: values for name, values, _ in found}
    if len(extra) < len(found):
        names = [name for name, _, _ in found]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(
            f"two columns of {points.name!r} would be named {twice!r}. Rename one of them first."
        )
    _write(path, [_joined(columns, extra)], {name: unit for name, _, unit in found})


def write_blocks(path: str | Path, model: BlockModel | PropertyModel) -> None:
    """Write cells as a table: centres ``x,y,z``, sizes ``dx,dy,dz`` and a column for each value and text.

    The cells of a model are written layer by layer, so that values in a file are never read whole: x runs
    fastest, then y, then z from below. Names of classes are a column ``name_class``. As `write_points`
    otherwise.

    Parameters
    ----------
    path : str or Path
        The file, by custom ``.csv``. It is replaced only when all is written.
    model : BlockModel or PropertyModel
        What is written.

    Raises
    ------
    ValueError
        If the cells are rotated, a centre or size is not finite, or a value has the name of one of these
        columns.
    """
    if model.frame is not None:
        raise ValueError(
            f"the cells of {model.name!r} are rotated or skewed, which a table of centres and sizes cannot "
            "tell. Resample them onto a grid first: evidence.resample(model, grid)."
        )
    pieces = _block_pieces(model) if isinstance(model, BlockModel) else _cell_pieces(model)
    _write(path, pieces, model.units)


def write_intervals(path: str | Path, wells: Sequence[Well], *, table: str | None = None) -> None:
    """Write an interval table of drillholes: ``hole, from, to``, both ends in space, and the values.

    `drillholes.read_drillholes` reads it as intervals and `table.read_segments` as segments. Ends beyond the
    path of a hole are empty. As `write_points` otherwise.

    Parameters
    ----------
    path : str or Path
        The file, by custom ``.csv``. It is replaced only when all is written.
    wells : sequence of Well
        Holes; those without such a table have no rows.
    table : str, optional
        Name of the table; needed if the holes have several.

    Raises
    ------
    ValueError
        If there is no such table, or its columns differ from hole to hole in being text or numbers.
    """
    names = sorted({name for well in wells for name in well.intervals})
    if table is None and len(names) == 1:
        table = names[0]
    if table not in names:
        asked = (
            "the holes have several or no tables of intervals" if table is None else f"no hole has {table!r}"
        )
        raise ValueError(f"{asked}, there are: {', '.join(names) or 'none'}. Name one: table='assay'.")
    chosen = [(well, well.intervals[table]) for well in wells if table in well.intervals]
    kinds: dict[str, str] = {}
    for well, found in chosen:
        for name, values in found.values.items():
            kind = "text" if values.dtype.kind in "UO" else "numbers"
            if kinds.setdefault(name, kind) != kind:
                raise ValueError(
                    f"the column {name!r} holds {kind} in {well.name!r} and {kinds[name]} in another hole."
                )
    units = {name: unit for well, _ in chosen for name, unit in well.units.items() if name in kinds}
    _write(path, (_interval_rows(well, found, kinds) for well, found in chosen), units)


def _interval_rows(well: Well, found: Intervals, kinds: Mapping[str, str]) -> Columns:
    n = len(found.start)
    columns: Columns = {
        "hole": np.full(n, well.name, dtype=object), "from": np.asarray(found.start, dtype=float),
        "to": np.asarray(found.stop, dtype=float),
    }  # fmt: skip
    for side, depth in (("from", found.start), ("to", found.stop)):
        ends = well.position(depth).reshape(n, 3)
        columns |= {f"{axis}_{side}": ends[:, k] for k, axis in enumerate("xyz")}
    blank = {"text": np.full(n, "", dtype=object), "numbers": np.full(n, np.nan)}
    return _joined(columns, {name: found.values.get(name, blank[kind]) for name, kind in kinds.items()})


def _block_pieces(model: BlockModel) -> Iterator[Columns]:
    centres = _finite(np.asarray(model.centres, dtype=float), model.name)
    sizes = _finite(np.asarray(model.sizes, dtype=float), model.name)
    columns: Columns = {**dict(zip("xyz", centres.T, strict=True)), **_sizes(sizes)}
    extra = {**model.values, **model.texts}
    for start in range(0, max(len(centres), 1), _PIECE):
        part = slice(start, start + _PIECE)
        yield _joined(
            {name: values[part] for name, values in columns.items()},
            {name: values[part] for name, values in extra.items()},
        )


def _sizes(sizes: FloatArray) -> Columns:
    return {f"d{axis}": sizes[:, k] for k, axis in enumerate("xyz")}


def _cell_pieces(model: PropertyModel) -> Iterator[Columns]:
    edges = [_finite(np.asarray(edge, dtype=float), model.name) for edge in model.edges]
    (z, y, x), (dz, dy, dx) = [(e[:-1] + e[1:]) / 2 for e in edges], [np.diff(e) for e in edges]
    layers = max(1, _PIECE // max(len(y) * len(x), 1))
    for start in range(0, max(len(z), 1), layers):
        part = slice(start, start + layers)
        places = [a.ravel() for a in np.meshgrid(z[part], y, x, indexing="ij")]
        widths = [a.ravel() for a in np.meshgrid(dz[part], dy, dx, indexing="ij")]
        columns: Columns = {
            **dict(zip("xyz", places[::-1], strict=True)),
            **_sizes(np.column_stack(widths[::-1])),
        }
        extra: Columns = {}
        for name, values in model.values.items():
            extra[name] = np.asarray(values[part]).ravel()
            if name in model.classes:
                extra[f"{name}_class"] = _class_names(extra[name], model.classes[name])
        yield _joined(columns, extra)


def _class_names(codes: Array, names: Mapping[int, str]) -> Array:
    known = {float(code): name for code, name in names.items()}
    return np.array([known.get(code, "") for code in codes.astype(float).tolist()], dtype=object)


def _joined(columns: Columns, extra: Columns) -> Columns:
    taken = [name for name in extra if name.lower() in columns]
    if taken:
        raise ValueError(
            f"a value is named {taken[0]!r} as a column of the table itself is ({', '.join(columns)}). "
            "Rename it first."
        )
    return columns | extra


def _finite(values: FloatArray, name: str) -> FloatArray:
    if not np.isfinite(values).all():
        raise ValueError(f"{name!r} has coordinates or sizes that are not finite, a table needs finite ones.")
    return values


def _write(path: str | Path, pieces: Iterable[Columns], units: Mapping[str, str]) -> None:
    """Write pieces of rows one after the other; the first tells the columns."""
    path = Path(path)
    with replacing(path) as part, part.open("wb") as file:
        packed: Any = (
            gzip.GzipFile(fileobj=file, mode="wb", mtime=0) if path.suffix.lower() == ".gz" else file
        )
        with io.TextIOWrapper(packed, encoding="utf-8", newline="") as text:
            for number, columns in enumerate(pieces):
                if not number:
                    heads = [_quoted(_head(name, units.get(name, ""))) for name in columns]
                    text.write(",".join(heads) + "\n")
                rows = zip(*(_cells(values) for values in columns.values()), strict=True)
                text.writelines(",".join(row) + "\n" for row in rows)


def _cells(values: Array) -> list[str]:
    """Floats in the shortest digits that give the same float64 again; 0 and 1 for no and yes."""
    kind = values.dtype.kind
    if kind == "f":
        cells = list(map(repr, values.astype(float).tolist()))
        for row in np.flatnonzero(np.isnan(values)):
            cells[row] = ""
        return cells
    if kind in "iub":
        return list(map(str, (values.astype(np.int64) if kind == "b" else values).tolist()))
    return [_quoted(str(value)) for value in values.tolist()]


def _quoted(text: str) -> str:
    """A cell in quotes if it needs them; one that begins with a hash would make the row a comment."""
    if not any(sign in text for sign in ',"\n\r') and text[:1] != "#":
        return text
    return '"' + text.replace('"', '""') + '"'


def _head(name: str, unit: str) -> str:
    """Name with its unit in brackets; empty ones tell that brackets of the name are no unit."""
    plain = "".join(c for c in unit if c not in "()[]")
    name = " ".join(name.split())
    return f"{name} ({plain})" if plain or has_brackets(name) else name
