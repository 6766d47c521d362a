"""Models of any kind as rows of cells, where their cells are boxes that lie in rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.grid import FloatArray
from mpm3d.lattice import BlockModel, Frame, PropertyModel, StructuredGrid, Voxet
from mpm3d.values import oriented

Lines = tuple[FloatArray, FloatArray, FloatArray]
# share of the thinnest cell by which points may be off their rows: those of 32 bits are
_OFF = 0.01
_SAME = 1e-6


def model_of(body: PropertyModel | Voxet | StructuredGrid | BlockModel) -> PropertyModel:
    """The same cells and values as rows of cells, with a frame where they are turned.

    Parameters
    ----------
    body : PropertyModel, Voxet, StructuredGrid or BlockModel
        Blocks may have rows of different widths and leave cells out, which get NaN.

    Returns
    -------
    PropertyModel
        Its local axes are those nearest to x, y and z. Notes say which values were left out: regions, and
        values at the points of a structured grid.

    Raises
    ------
    ValueError
        If the cells are no boxes, lie in no rows, or an axis of one sample has no step.
    """
    if isinstance(body, Voxet):
        return _of_voxet(body)
    if isinstance(body, StructuredGrid):
        return _of_structured(body)
    return _of_blocks(body) if isinstance(body, BlockModel) else body


def _of_voxet(voxet: Voxet) -> PropertyModel:
    length = np.linalg.norm(voxet.steps, axis=1)
    size = np.abs(voxet.steps)
    if length.min() <= 0 or np.all((size > _SAME * length[:, None]).sum(axis=1) == 1):
        return voxet.as_model()
    u, v, w = (np.arange(n + 1) * step for n, step in zip(voxet.shape[::-1], length, strict=True))
    corner = voxet.origin - voxet.steps.sum(axis=0) / 2
    return _turned(voxet, Frame(corner, voxet.steps / length[:, None]), (u, v, w))


def _of_structured(grid: StructuredGrid) -> PropertyModel:
    """Rows of cells of a lattice of points, which must lie in straight rows at right angles."""
    p = grid.points
    ends = np.array([p[0, 0, -1], p[0, -1, 0], p[-1, 0, 0]]) - p[0, 0, 0]
    length = np.linalg.norm(ends, axis=1)
    if np.isfinite(ends).all() and length.min() > 0:
        left, _, right = np.linalg.svd(ends / length[:, None])
        turned: FloatArray = left @ right  # the nearest axes at right angles
        for axes in (np.round(turned), turned):
            if abs(np.linalg.det(axes)) > 0.5 and (lines := _lines(p - p[0, 0, 0], axes)):
                return _turned(grid, Frame(p[0, 0, 0], axes), lines)
    raise ValueError(
        f"the cells of {grid.name!r} are no boxes in rows. Resample them onto a grid: "
        "evidence.resample(cells, grid)."
    )


def _lines(points: FloatArray, axes: FloatArray) -> Lines | None:
    """Where the rows along U, V and W end, or None if points are off them."""
    local = points @ axes.T  # axes at right angles are their own inverse, turned over
    u, v, w = lines = (
        np.median(local[..., 0], axis=(0, 1)), np.median(local[..., 1], axis=(0, 2)),
        np.median(local[..., 2], axis=(1, 2)),
    )  # fmt: skip
    least = min(float(np.diff(line).min()) for line in lines)
    ideal = np.stack(np.broadcast_arrays(u, v[:, None], w[:, None, None]), axis=-1)
    return lines if least > 0 and float(np.abs(local - ideal).max()) <= _OFF * least else None


def _turned(body: Voxet | StructuredGrid, frame: Frame, lines: Lines) -> PropertyModel:
    """A model whose local axes are those of U, V and W that are nearest to x, y and z, right-handed."""
    axes = np.array(frame.axes)
    up = int(np.argmax(np.abs(axes[:, 2])))
    across = max((k for k in range(3) if k != up), key=lambda k: abs(axes[k, 0]))
    order = [across, 3 - up - across, up]
    back = [axes[across, 0] < 0, False, axes[up, 2] < 0]
    sign = np.where(back, -1.0, 1.0)
    back[1] = bool(np.linalg.det(axes[order] * sign[:, None]) < 0)
    origin, edges = np.array(frame.origin), []
    for k, turn in zip(order, back, strict=True):
        line = lines[k]
        if turn:
            origin, axes[k], line = origin + line[-1] * axes[k], -axes[k], (line[-1] - line)[::-1]
        edges.append(line)
    turned: Frame | None = Frame(origin, axes[order])
    if np.abs(axes[order] - np.eye(3)).max() < _SAME:
        edges, turned = [start + line for start, line in zip(origin, edges, strict=True)], None
    places = [2 - k for k in order[::-1]]  # values are (w, v, u)
    flips = tuple(slice(None, None, -1 if turn else 1) for turn in back[::-1])
    cells = {name: v for name, v in body.values.items() if tuple(v.shape) == body.shape}
    values = {name: oriented(v, places, flips) for name, v in cells.items()}
    model = PropertyModel(
        body.name, (edges[2], edges[1], edges[0]), values, classes=body.classes, frame=turned, **body.common()
    )
    lost = ", ".join([*(name for name in body.values if name not in cells), *body.regions])
    return model.noted(f"{lost}: values at points and regions were left out.") if lost else model


def _of_blocks(blocks: BlockModel) -> PropertyModel:
    try:
        return blocks.as_model()
    except ValueError:
        model = _tensor(blocks)
        if model is None:
            raise
    return model


def _tensor(blocks: BlockModel) -> PropertyModel | None:
    """Blocks in rows of different widths; None if a row has blocks of several widths, or two share a cell."""
    low, high = blocks.centres - blocks.sizes / 2, blocks.centres + blocks.sizes / 2
    if not len(low) or not np.all(np.isfinite([low, high])) or blocks.sizes.min() <= 0:
        return None
    rows = [_rows(low[:, k], high[:, k], float(blocks.sizes[:, k].min())) for k in range(3)]
    x, y, z = (edges for edges, _ in rows)
    index = tuple(place for _, place in rows)[::-1]
    shape = tuple(len(edges) - 1 for edges in (z, y, x))
    if min(shape) < 1 or np.prod(shape, dtype=float) > 1000 * len(low) + 1:
        return None
    flat = np.ravel_multi_index(index, shape)
    if len(np.unique(flat)) < len(flat):
        return None
    values: dict[str, Any] = {}
    for name, column in blocks.values.items():
        cells = np.full(np.prod(shape), np.nan, dtype=np.result_type(column.dtype, np.float32))
        cells[flat] = column
        values[name] = cells.reshape(shape)
    more = {"frame": blocks.frame, "layout": blocks.layout, **blocks.common()}
    return PropertyModel(blocks.name, (z, y, x), values, **more)


def _rows(low: FloatArray, high: FloatArray, least: float) -> tuple[FloatArray, NDArray[np.int64]]:
    """Edges of the rows and gaps along one axis, none if blocks overlap; and the row of each block."""
    same = 1e-3 * least
    order = np.argsort(low, kind="stable")
    first = np.concatenate([[True], np.diff(low[order]) > same])
    row = np.empty(len(low), np.int64)
    row[order] = np.cumsum(first) - 1
    starts = low[order][first]
    ends = np.full(len(starts), -np.inf)
    np.maximum.at(ends, row, high)
    apart = starts[1:] - ends[:-1]
    if np.any(np.abs(high - ends[row]) > same) or np.any(apart < -same):
        return np.empty(0), row
    gap = np.concatenate([[False], apart > same])
    edges = np.concatenate([np.insert(starts, np.flatnonzero(gap), ends[:-1][gap[1:]]), ends[-1:]])
    return edges, row + np.cumsum(gap)[row]
