"""GoCAD stratigraphic grids (SGrid): hexahedra between points, with values of cells or points."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.geometry import Array
from mpm3d.grid import FloatArray
from mpm3d.io.files import to_count
from mpm3d.io.gocad.ascii_table import read_rows
from mpm3d.io.gocad.data_files import (
    Encoding,
    Property,
    data_path,
    find_encoding,
    find_offset,
    find_properties,
    is_no_data,
    open_values,
)  # fmt: skip
from mpm3d.io.gocad.flags import read_regions
from mpm3d.io.gocad.lines import Block, TextFile, split_words
from mpm3d.io.options import Options
from mpm3d.lattice import StructuredGrid
from mpm3d.values import statistics

Shape = tuple[int, int, int]
# more points than this, in all or along an axis, mean a damaged header
_MANY = 10**12
_LONG = 10**7
# coordinates beyond this, in metres, mean bytes that are no coordinates
_FAR = 1e15
# rounding of coordinates that is worth a word, in metres
_ROUNDED = 0.01
_DOUBLE = re.compile(r"\*?double_precision_binary\s*[:=]\s*(on|true|1)\b", re.IGNORECASE)
_BITS = "REGION_FLAGS"


def read_sgrid(text: TextFile, block: Block, options: Options) -> StructuredGrid:
    """Make a structured grid of its header and the files that it names.

    The grid has ``AXIS_N`` points along U, V and W and a cell between each eight of them. Values of cells lie
    in files of ``(n - 1)`` values along each axis, or in the rows of a table on the row of the lowest corner
    of the cell. Faults (``SPLIT``, ``FACE_SET``) and dead cells (``FLAGS_FILE``) are not part of the result
    and noted.

    Parameters
    ----------
    text : TextFile
        The file with the header.
    block : Block
        The object in it.
    options : Options
        ``errors``, ``byte_order`` and ``outside`` count.

    Raises
    ------
    FormatError
        If it is damaged, or a file of points or values is missing, too short or outside the folder; with
        ``errors="skip"`` a property that cannot be read is left out and noted.
    """
    shape = _shape(text, block)
    properties = find_properties(text, block)
    factor, notes = block.crs.to_metres()
    kept = [*notes, *_not_read(text, block)]
    if block.find("ASCII_DATA_FILE"):
        points, values, said = _from_table(text, block, shape, properties, options)
    else:
        points, said = _binary_points(text, block, shape, options)
        kept += _rounding(points.dtype, points, factor)
        values, more = _binary_values(text, block, shape, properties, options)
        said += more
    kept += said
    for name, array in values.items():
        kept += _compared(properties[name], array, name)
    regions, noted = _regions(text, block, shape, options)
    return StructuredGrid(
        block.name, points * factor + 0.0, values, kind="SGrid", regions=regions,
        units={name: properties[name].unit for name in values if properties[name].unit},
        classes={name: codes for name in values if (codes := properties[name].classes)},
        crs_name=block.crs.name, z_positive="Depth" if block.crs.depth else "Elevation",
        notes=(*kept, *noted),
    )  # fmt: skip


def _words(text: TextFile, block: Block, word: str) -> tuple[list[str], int]:
    """Words after a keyword, the last time it appears, and its line; none and -1 if it does not."""
    runs = block.find(word)
    return (split_words(text.lines[runs[-1].start])[1:], runs[-1].start) if runs else ([], -1)


def _shape(text: TextFile, block: Block) -> Shape:
    """Number of points along W, V and U."""
    words, line = _words(text, block, "AXIS_N")
    if line < 0:
        text.fail(f"the SGrid {block.name!r} has no AXIS_N. The header may be truncated.", block.start)
    counts = [to_count(word) for word in words[:3]]
    whole = [n for n in counts if n is not None and 1 <= n <= _LONG]
    if len(whole) < 3 or math.prod(whole) > _MANY:
        text.fail(
            f"AXIS_N is {' '.join(words)[:60]!r}, three whole numbers of points from 1 to {_LONG:g} are "
            "expected.",
            line,
        )
    return whole[2], whole[1], whole[0]


def _not_read(text: TextFile, block: Block) -> list[str]:
    """Notes on parts of the header that the container has no room for."""
    notes = []
    splits, sets = len(block.find("SPLIT")), len(block.find("FACE_SET"))
    if splits:
        notes.append(
            f"{splits} points are split at faults (SPLIT), which was ignored: cells at a fault reach to the "
            "points of the unbroken grid."
        )
    if sets:
        notes.append(f"{sets} sets of faces (FACE_SET) were not read.")
    name = " ".join(_words(text, block, "FLAGS_FILE")[0])
    if name and _prefix(block) != "FLAGS":
        notes.append(f"the flags of the points {name!r} (dead cells, faults) were not read.")
    models = [" ".join(split_words(text.lines[run.start])[1:2]) for run in block.find("MODEL_REGION")]
    if models:
        notes.append(f"the model regions {', '.join(models)} were not read.")
    return notes


def _prefix(block: Block) -> str:
    """Which flags hold the regions."""
    return "FLAGS" if block.find("REGION") and not block.find(f"{_BITS}_FILE") else _BITS


def _regions(
    text: TextFile, block: Block, shape: Shape, options: Options
) -> tuple[dict[str, Array], list[str]]:
    """Regions of cells, each on the flag of its lowest corner, or of points if values are those of points."""
    found, notes = read_regions(text, block, shape, options, _prefix(block))
    cells = _alignment(text, block, None) != "POINTS" and min(shape) > 1
    cut = (slice(-1),) * 3 if cells else (slice(None),) * 3
    return {name: np.asarray(bits[cut], dtype=bool) for name, bits in found.items()}, notes


def _alignment(text: TextFile, block: Block, prop: Property | None) -> str:
    """``"CELLS"`` or ``"POINTS"`` as the property says, or else the grid; empty if neither does."""
    said, line = "", block.start
    for run in block.find("PROP_ALIGNMENT"):
        words = split_words(text.lines[run.start])[1:]
        if len(words) == 1:
            said, line = words[0], run.start
    if prop is not None and prop.word("PROP_ALIGNMENT"):
        said, line = prop.word("PROP_ALIGNMENT"), prop.line_of("PROP_ALIGNMENT")
    if said.upper() not in ("CELLS", "POINTS", ""):
        text.fail(f"PROP_ALIGNMENT is {said[:40]!r}, CELLS or POINTS is expected.", line)
    return said.upper()


def _binary_points(
    text: TextFile, block: Block, shape: Shape, options: Options
) -> tuple[FloatArray, list[str]]:
    """Points ``(w, v, u, 3)`` in the units of the file, and what was assumed."""
    words, line = _words(text, block, "POINTS_FILE")
    if line < 0:
        text.fail(
            f"the SGrid {block.name!r} names neither a POINTS_FILE nor an ASCII_DATA_FILE, so its points are "
            "not known. Export it again with its data.",
            block.start,
        )
    path = data_path(text, " ".join(words), line, options)
    said, at = _words(text, block, "POINTS_OFFSET")
    offset = to_count(said[0]) if said else 0
    if offset is None:
        text.fail(f"POINTS_OFFSET is {said[0][:40]!r}, a count of bytes is expected.", at)
    width, notes = _width(text, block, path.stat().st_size - offset, math.prod(shape))
    order = ">" if options.byte_order == "big" else "<"
    encoding = Encoding(np.dtype(f"{order}f{width}"))
    points = np.asarray(open_values(path, encoding, (*shape, 3), offset, "the lattice of points"))
    with np.errstate(invalid="ignore", over="ignore"):
        bad = ~(np.abs(points) < _FAR)
    if bad.any():
        other = {"big": "little", "little": "big"}[options.byte_order]
        w, v, u = (int(n) for n in np.argwhere(bad)[0][:3])
        raise FormatError(
            path,
            f"the point I J K {u} {v} {w} is at {points[w, v, u].tolist()}, which is no place. The file may "
            f"be damaged or have the other byte order: try byte_order={other!r}.",
        )
    return points, notes


def _width(text: TextFile, block: Block, size: int, count: int) -> tuple[int, list[str]]:
    """Bytes of a coordinate: 8 if the header says so, unless the file has only room for 4."""
    first = min((run.start for run in block.runs), default=block.start)
    said, _ = _words(text, block, "BINARY_POINTS_IN_DOUBLE_PRECISION")
    if said:
        return (8 if said[0] not in ("0", "off", "false") else 4), []
    if not any(_DOUBLE.search(text.lines[i]) for i in range(block.start, first)):
        return 4, []
    if size == 12 * count:
        return 4, ["the header says double precision and the file of points has room for single only."]
    return 8, []


def _rounding(kind: np.dtype[np.generic], points: FloatArray, factor: FloatArray) -> list[str]:
    """A note if single precision loses more than a centimetre of a coordinate."""
    if kind.itemsize != 4:
        return []
    farthest = np.abs(points).reshape(-1, 3).max(axis=0).astype(np.float32)
    lost = np.spacing(farthest) / 2 * np.abs(factor)
    axis = int(np.argmax(lost))
    if lost[axis] <= _ROUNDED:
        return []
    return [
        f"points are stored in single precision, which rounds {'xyz'[axis]} up to {farthest[axis]:.7g} by as "
        f"much as {lost[axis]:.2g} m."
    ]


def _binary_values(
    text: TextFile, block: Block, shape: Shape, properties: Mapping[str, Property], options: Options
) -> tuple[dict[str, Array], list[str]]:
    """Values of each property, ``(w, v, u)`` of cells or of points, and what was assumed or left out."""
    values, notes = {}, []
    for name, prop in properties.items():
        try:
            values[name], said = _binary(text, block, shape, prop, options)
        except FormatError as error:
            if options.errors == "strict":
                raise
            said = [f"property {name!r} was left out: {error}"]
        notes += said
    return values, notes


def _binary(
    text: TextFile, block: Block, shape: Shape, prop: Property, options: Options
) -> tuple[Array, list[str]]:
    file = prop.phrase("PROP_FILE")
    if not file:
        text.fail(f"property {prop.name!r} has no PROP_FILE and there is no ASCII_DATA_FILE.", prop.line)
    encoding, notes = find_encoding(text, prop, options)
    path = data_path(text, file, prop.line_of("PROP_FILE"), options)
    offset = find_offset(text, prop)
    stored, cut, said = _stored(text, block, shape, prop, path.stat().st_size - offset, encoding)
    values = open_values(path, encoding, stored, offset, f"property {prop.name!r}")
    return np.asarray(values[cut]), [*notes, *said]


def _stored(
    text: TextFile, block: Block, shape: Shape, prop: Property, size: int, encoding: Encoding
) -> tuple[Shape, tuple[slice, ...], list[str]]:
    """How many values the file has, which of them count, and what was assumed."""
    whole = (slice(None),) * 3
    cells: Shape = (shape[0] - 1, shape[1] - 1, shape[2] - 1)
    width = encoding.stored.itemsize
    said = _alignment(text, block, prop)
    notes = []
    if not said:
        said = "CELLS" if min(cells) > 0 and size == math.prod(cells) * width else "POINTS"
        notes.append(
            f"the header does not say whether the values of {prop.name!r} are those of cells or of points, "
            f"they were read as those of {said.lower()}, as many as the file has."
        )
    if said == "POINTS":
        return shape, whole, notes
    if min(cells) < 1:
        text.fail(
            f"property {prop.name!r} has values of cells and AXIS_N {' '.join(map(str, shape[::-1]))} makes "
            "none, at least 2 points along each axis are needed.",
            prop.line,
        )
    if size == math.prod(shape) * width:
        notes.append(
            f"the file of property {prop.name!r} has a value for each point: those of the lowest corners "
            "were taken as values of cells."
        )
        return shape, (slice(-1),) * 3, notes
    return cells, whole, notes


def _from_table(
    text: TextFile, block: Block, shape: Shape, properties: Mapping[str, Property], options: Options
) -> tuple[FloatArray, dict[str, Array], list[str]]:
    """Points and values of rows ``X Y Z values I J K``, one for each point, in any order."""
    words, line = _words(text, block, "ASCII_DATA_FILE")
    path = data_path(text, " ".join(words), line, options)
    rows = _table(path, shape, len(properties))
    values: dict[str, Array] = {}
    notes: list[str] = []
    for column, (name, prop) in enumerate(properties.items(), start=3):
        array = rows[..., column].copy()
        if prop.no_data is not None:
            array[is_no_data(array, prop.no_data)] = np.nan
        cells = _alignment(text, block, prop) != "POINTS"
        if cells and min(shape) < 2:
            text.fail(
                f"property {prop.name!r} has values of cells and AXIS_N {' '.join(map(str, shape[::-1]))} "
                "makes none, at least 2 points along each axis are needed.",
                prop.line,
            )
        values[name] = array[:-1, :-1, :-1].copy() if cells else array
        beyond = int(np.isfinite(array).sum() - np.isfinite(values[name]).sum())
        if beyond:
            notes.append(
                f"property {name!r}: {beyond} values in rows of the last I, J or K belong to no cell and "
                "were left out."
            )
    return np.ascontiguousarray(rows[..., :3]), values, notes


def _table(path: Path, shape: Shape, n_properties: int) -> FloatArray:
    """Rows in the order of the points, ``(w, v, u, 3 + properties)``."""
    count, width = math.prod(shape), 6 + n_properties
    found: FloatArray = np.empty((0, width - 3))
    seen = np.zeros(0, dtype=bool)
    for line, rows in read_rows(path, count, width):
        if not len(seen):  # the size of the file was found to be enough for so many
            found, seen = np.empty((count, width - 3)), np.zeros(count, dtype=bool)
        flat = _flat(path, shape, rows[:, -3:], line)
        with np.errstate(invalid="ignore"):
            far = ~(np.abs(rows[:, :3]) < _FAR).all(axis=1)
        if far.any():
            row = int(np.argmax(far))
            raise FormatError(
                path, f"the point is at {rows[row, :3].tolist()}, which is no place.", line + row
            )
        if seen[flat].any() or len(np.unique(flat)) != len(flat):
            raise FormatError(path, "a point (I J K) has several rows and others have none.")
        seen[flat] = True
        found[flat] = rows[:, :-3]
    return found.reshape(*shape, width - 3)


def _flat(path: Path, shape: Shape, index: FloatArray, line: int) -> Array:
    """Places of rows in the lattice, U fastest."""
    inside = ((index >= 0) & (index < shape[::-1]) & (index == np.floor(index))).all(axis=1)
    if not inside.all():
        row = int(np.argmin(inside))
        raise FormatError(
            path,
            f"I J K at the end of the row are {' '.join(f'{n:g}' for n in index[row])}, the grid has "
            f"{' × '.join(str(n) for n in shape[::-1])} points counted from 0. Rows hold X Y Z, the values "
            "and I J K.",
            line + row,
        )
    return np.asarray(index.astype(np.int64) @ np.array([1, shape[2], shape[2] * shape[1]]))


def _compared(prop: Property, values: Array, name: str) -> list[str]:
    """A note if values do not have the statistics that the header states."""
    stated = prop.stated
    if stated is None or (found := statistics(values)).agrees(stated):
        return []
    should, got = (", ".join(f"{v:g}" for v in numbers) for numbers in (stated, found))
    return [
        f"property {name!r} does not have the statistics of its header: count, mean, variance, least and "
        f"largest value should be {should} and are {got}."
    ]
