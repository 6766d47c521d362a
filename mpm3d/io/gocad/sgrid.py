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
from mpm3d.io.gocad.ascii_table import placed_rows
from mpm3d.io.gocad.axes import Shape, read_counts
from mpm3d.io.gocad.data_files import (
    Encoding,
    Property,
    Stored,
    data_path,
    find_properties,
    find_values,
    is_no_data,
)  # fmt: skip
from mpm3d.io.gocad.flags import read_regions
from mpm3d.io.gocad.lines import Block, TextFile
from mpm3d.io.options import Options
from mpm3d.lattice import StructuredGrid
from mpm3d.values import Statistics, statistics

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
    shape, _ = read_counts(text, block, "points")
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
        kept += _compared(name, array, properties[name].stated)
    regions, noted = _regions(text, block, shape, options)
    return StructuredGrid(
        block.name, points * factor + 0.0, values, kind="SGrid", regions=regions,
        units={name: properties[name].unit for name in values if properties[name].unit},
        classes={name: codes for name in values if (codes := properties[name].classes)},
        crs_name=block.crs.name, z_positive="Depth" if block.crs.depth else "Elevation",
        notes=(*kept, *noted),
    )  # fmt: skip


def _cells(shape: Shape) -> Shape:
    """Number of cells along W, V and U between so many points."""
    return shape[0] - 1, shape[1] - 1, shape[2] - 1


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
    name = " ".join(text.last(block, "FLAGS_FILE")[0])
    if name and _prefix(block) != "FLAGS":
        notes.append(f"the flags of the points {name!r} (dead cells, faults) were not read.")
    models = [" ".join(text.tokens(run.start)[:1]) for run in block.find("MODEL_REGION")]
    if models:
        notes.append(f"the model regions {', '.join(models)} were not read.")
    return notes


def _prefix(block: Block) -> str:
    """Which flags hold the regions."""
    return "FLAGS" if block.find("REGION") and not block.find(f"{_BITS}_FILE") else _BITS


def _regions(
    text: TextFile, block: Block, shape: Shape, options: Options
) -> tuple[dict[str, Array], list[str]]:
    """Regions of cells, each on its flag or that of its lowest corner; of points if values are theirs."""
    prefix, cells = _prefix(block), _cells(shape)
    length, _ = text.last(block, f"{prefix}_ARRAY_LENGTH")
    own = length[:1] == [str(math.prod(cells))] and min(cells) > 0
    found, notes = read_regions(text, block, cells if own else shape, options, prefix)
    inner = not own and _alignment(text, block, None) != "POINTS" and min(cells) > 0
    cut = (slice(-1 if inner else None),) * 3
    return {name: np.asarray(bits[cut], dtype=bool) for name, bits in found.items()}, notes


def _alignment(text: TextFile, block: Block, prop: Property | None) -> str:
    """``"CELLS"`` or ``"POINTS"`` as the property says, or else the grid; empty if neither does."""
    said, line = "", block.start
    for run in block.find("PROP_ALIGNMENT"):
        words = text.tokens(run.start)
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
    words, line = text.last(block, "POINTS_FILE")
    if line is None:
        text.fail(
            f"the SGrid {block.name!r} names neither a POINTS_FILE nor an ASCII_DATA_FILE, so its points are "
            "not known. Export it again with its data.",
            block.start,
        )
    path = data_path(text, " ".join(words), line, options)
    said, at = text.last(block, "POINTS_OFFSET")
    offset = to_count(said[0]) if said else 0
    if offset is None:
        text.fail(f"POINTS_OFFSET is {said[0][:40]!r}, a count of bytes is expected.", at)
    width, notes = _width(text, block, path.stat().st_size - offset, math.prod(shape))
    order = ">" if options.byte_order == "big" else "<"
    encoding = Encoding(np.dtype(f"{order}f{width}"))
    stored = Stored(path, encoding, offset, f"the lattice of points {text.place(line)}")
    points = np.asarray(stored.values((*shape, 3)))
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
    said, _ = text.last(block, "BINARY_POINTS_IN_DOUBLE_PRECISION")
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
        if prop.image:
            notes.append(prop.image)
            continue
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
    stored, notes = find_values(text, prop, options)
    there, cut, said = _counted(text, block, shape, prop, stored)
    return np.asarray(stored.values(there)[cut]), [*notes, *said]


def _counted(
    text: TextFile, block: Block, shape: Shape, prop: Property, stored: Stored
) -> tuple[Shape, tuple[slice, ...], list[str]]:
    """How many values the file has, which of them count, and what was assumed."""
    whole = (slice(None),) * 3
    cells = _cells(shape)
    width, size = stored.encoding.stored.itemsize, stored.size
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
    _need_cells(text, shape, prop)
    if size == math.prod(shape) * width:
        notes.append(
            f"the file of property {prop.name!r} has a value for each point: those of the lowest corners "
            "were taken as values of cells."
        )
        return shape, (slice(-1),) * 3, notes
    return cells, whole, notes


def _need_cells(text: TextFile, shape: Shape, prop: Property) -> None:
    if min(shape) < 2:
        text.fail(
            f"property {prop.name!r} has values of cells and AXIS_N {' '.join(map(str, shape[::-1]))} makes "
            "none, at least 2 points along each axis are needed.",
            prop.line,
        )


def _from_table(
    text: TextFile, block: Block, shape: Shape, properties: Mapping[str, Property], options: Options
) -> tuple[FloatArray, dict[str, Array], list[str]]:
    """Points and values of rows ``X Y Z values I J K``, one for each point, in any order."""
    words, line = text.last(block, "ASCII_DATA_FILE")
    path = data_path(text, " ".join(words), line or 0, options)
    rows = _table(path, shape, len(properties))
    values: dict[str, Array] = {}
    notes: list[str] = []
    for column, (name, prop) in enumerate(properties.items(), start=3):
        array = rows[..., column].copy()
        if prop.no_data is not None:
            array[is_no_data(array, prop.no_data)] = np.nan
        cells = _alignment(text, block, prop) != "POINTS"
        if cells:
            _need_cells(text, shape, prop)
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
    width = 3 + n_properties
    found: FloatArray = np.empty((0, width))
    for line, places, rows in placed_rows(path, shape, width, last=True):
        if not len(found):  # the size of the file was found to be enough for so many
            found = np.empty((math.prod(shape), width))
        with np.errstate(invalid="ignore"):
            far = ~(np.abs(rows[:, :3]) < _FAR).all(axis=1)
        if far.any():
            row = int(np.argmax(far))
            raise FormatError(
                path, f"the point is at {rows[row, :3].tolist()}, which is no place.", line + row
            )
        found[places] = rows
    return found.reshape(*shape, width)


def _compared(name: str, values: Array, stated: Statistics | None) -> list[str]:
    """A note if values do not have the statistics that the header states."""
    if stated is None or (found := statistics(values)).agrees(stated):
        return []
    return [found.disagreement(name, stated)]
