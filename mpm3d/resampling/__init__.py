"""Values of every kind of model in the cells of a grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from mpm3d.blocks import tile
from mpm3d.geometry import Tetrahedra
from mpm3d.grid import FloatArray, Grid
from mpm3d.lattice import BlockModel, Frame, PropertyModel, StructuredGrid, Values, Voxet
from mpm3d.resampling.boxes import Boxes, from_boxes
from mpm3d.resampling.cells import Cells, HexahedronCells, TetrahedronCells, from_cells
from mpm3d.resampling.rotated import from_frame
from mpm3d.resampling.tensor import from_axes

__all__ = ["METHODS", "Model", "is_rotated", "prepare", "resample", "values_of"]

METHODS = ("linear", "nearest", "average")
Model = PropertyModel | Voxet | BlockModel | StructuredGrid | Tetrahedra
Sampler = Callable[[Grid], NDArray[np.float32]]
# side of the pieces in which a grid is filled, in cells, so that memory does not grow with the grid
_PIECE = 96
# most samples along each axis of a cell for a mean that is not exact
_FINE_LATTICE, _FINE_CELLS = 8, 4


def resample(
    model: Model, grid: Grid, *, method: str = "linear", name: str | None = None
) -> NDArray[np.float32]:
    """Values of a model in the cells of a grid; missing stays missing.

    Parameters
    ----------
    model : PropertyModel, Voxet, BlockModel, StructuredGrid or Tetrahedra
        Along x, y and z or rotated, cells of any width.
    grid : Grid
        Where values are wanted; the window of a chunk will do. To fill a grid chunk by chunk, `prepare` once.
    method : {"linear", "nearest", "average"}
        ``"linear"``: trilinear between the cell centres of the model, constant within the outer half cell,
        NaN where a cell that contributes is NaN. Values at the corners of an SGrid or of tetrahedra go
        linearly between the corners of the cell that holds the centre; values of such cells are those of
        that cell. Blocks must make a lattice, those of an OcTree do not.

        ``"nearest"``: the value of the cell that holds the centre, of the cell above, north or east of it
        where the centre lies on a face, of the smallest one where blocks overlap; of the corner with the
        largest weight for values at corners.

        ``"average"``: mean over the volume of the finer cells in each cell, of those with a value; NaN if
        more than half of the volume has none. It is exact for cells and blocks along x, y and z. For all
        others it is the mean of regular samples of ``"nearest"``, along each axis twice as many as there are
        cells of the model in one of the grid, but at least 2 and at most 8 (4 for SGrids and tetrahedra).
    name : str, optional
        Which of the model's values, needed if it has several.

    Returns
    -------
    array of shape (z, y, x)
        NaN outside the model.

    Raises
    ------
    TypeError
        If the model has no values in a volume, such as a surface.
    ValueError
        If the method or the name is not known, the values are codes or text that have no mean, the method is
        not possible, or the cells have no volume.
    """
    return prepare(model, method=method, name=name)(grid)


def prepare(model: Model, *, method: str = "linear", name: str | None = None) -> Sampler:
    """Check what is asked of a model, sort its cells, and give what fills a grid or any part of it.

    Parameters
    ----------
    model, method, name
        See `resample`.

    Returns
    -------
    callable
        Takes a `Grid` and gives its values, an array of float32 of shape (z, y, x). What it costs goes with
        the size of that grid and of the model around it.

    Raises
    ------
    TypeError, ValueError
        See `resample`.

    Examples
    --------
    >>> grid = Grid.from_bounds((0, 0, 0, 40, 20, 20), 10, "EPSG:32651")
    >>> model = PropertyModel.from_grid("rows", grid, {"v": grid.points()[:, 0].reshape(grid.shape)})
    >>> fill = prepare(model, method="linear")
    >>> fill(grid.window((slice(0, 1), slice(0, 1), slice(1, 3))))
    array([[[15., 25.]]], dtype=float32)
    """
    if not isinstance(model, Model):
        raise TypeError(
            f"a {type(model).__name__} has no values in a volume, a PropertyModel, Voxet, BlockModel, "
            "StructuredGrid or Tetrahedra is needed."
        )
    if method not in METHODS:
        raise ValueError(f"method {method!r} is not known, use one of {', '.join(METHODS)}.")
    name = _name(model, name)
    if method != "nearest":
        _refuse_codes(model, name, method)
    if isinstance(model, Voxet):
        model = _placed(model)
    if isinstance(model, BlockModel):
        model = _blocks(model, name, method)
    if isinstance(model, PropertyModel):
        return _lattice(model, name, method)
    if isinstance(model, BlockModel):
        return _scattered(model, name, method)
    return _corners(model, name, method)


def values_of(model: Model) -> Mapping[str, Values]:
    """What a model has values of, by name; of tetrahedra those of cells and of vertices."""
    if isinstance(model, Tetrahedra):
        return {**model.properties, **model.cell_properties}
    return model.values


def is_rotated(model: Model) -> bool:
    """Whether a model has axes that do not lie along x, y and z."""
    if not isinstance(model, Voxet):
        return isinstance(model, PropertyModel | BlockModel) and model.frame is not None
    size = np.abs(model.steps)
    length = size.max(axis=1)
    parallel = size > 1e-6 * length[:, None]  # false for an axis without a length, which has no direction
    straight = np.all(parallel.sum(axis=0) == 1) and np.all(parallel.sum(axis=1) == 1)
    return bool(np.all(length > 0) and not straight)


def _name(model: Model, name: str | None) -> str:
    """The name of one of the model's values, its only one by default."""
    values = values_of(model)
    if name is None and len(values) == 1:
        name = next(iter(values))
    if name is not None and name in values:
        if values[name].ndim != _dimensions(model):
            raise ValueError(
                f"{name!r} of {model.name!r} has an array of shape {values[name].shape}, one number for each "
                "cell is needed. Take one component first."
            )
        return name
    if isinstance(model, BlockModel) and name in model.texts:
        raise ValueError(
            f"{name!r} of {model.name!r} is text, numbers are needed. Give each word a code first, for "
            "example with numpy.unique(..., return_inverse=True)."
        )
    said = "no name was given" if name is None else f"{name!r} is not one of them"
    there = f"has the values {', '.join(map(repr, values))}" if values else "has no values"
    raise ValueError(f"model {model.name!r} {there}, {said}.")


def _dimensions(model: Model) -> int:
    return 1 if isinstance(model, BlockModel | Tetrahedra) else 3


def _refuse_codes(model: Model, name: str, method: str) -> None:
    classes = {} if isinstance(model, BlockModel | Tetrahedra) else model.classes
    kind = values_of(model)[name].dtype
    if name in classes:
        what = f"class codes ({', '.join(list(classes[name].values())[:3])} …)"
    elif kind.kind in "iub":
        what = f"whole numbers ({kind}), which may be codes"
    else:
        return
    raise ValueError(
        f"{name!r} of {model.name!r} holds {what}, and method {method!r} would make values that no cell has. "
        "Use method='nearest', or make them floats if they are measurements."
    )


def _placed(voxet: Voxet) -> PropertyModel:
    """The cells of a voxet along x, y and z, or else in a frame of whose metres each is one sample."""
    if not is_rotated(voxet):
        return voxet.as_model()
    edges = tuple(np.arange(n + 1) - 0.5 for n in voxet.shape)
    return PropertyModel(
        voxet.name, (edges[0], edges[1], edges[2]), voxet.values, classes=voxet.classes,
        frame=Frame(voxet.origin, voxet.steps),
    )  # fmt: skip


def _blocks(model: BlockModel, name: str, method: str) -> BlockModel | PropertyModel:
    """The blocks themselves, or the lattice that they make where values go between them."""
    if not len(model.centres):
        raise ValueError(f"the block model {model.name!r} has no blocks.")
    if not (np.all(np.isfinite(model.centres)) and np.all(model.sizes > 0)):
        raise ValueError(f"the blocks of {model.name!r} must have finite centres and sizes above 0.")
    if method != "linear":
        return model
    try:
        return replace(model, values={name: model.values[name]}).as_model()
    except ValueError as error:
        raise ValueError(
            f"the blocks of {model.name!r} do not make one lattice, so 'linear' has no neighbours to go "
            "between. Use method='nearest' or 'average'."
        ) from error


def _volume(model_name: str, axes: FloatArray) -> None:
    """Refuse local axes that lie in one plane."""
    length = np.linalg.norm(axes, axis=1)
    if not abs(np.linalg.det(axes)) > 1e-9 * length.prod():
        raise ValueError(
            f"the axes of {model_name!r} lie in one plane ({axes.tolist()}), so its cells have no volume."
        )


def _lattice(model: PropertyModel, name: str, method: str) -> Sampler:
    values, edges, frame = model.values[name], model.edges, model.frame
    if frame is None:
        return lambda grid: from_axes(edges, values, grid, method)
    _volume(model.name, frame.axes)
    if method != "average":
        return _in_pieces(lambda part: from_frame(edges, values, frame, part, method))
    widths = (np.diff(edge).min() for edge in edges[::-1])
    finest = min(np.asarray(list(widths)) * np.linalg.norm(frame.axes, axis=1))
    return _means(
        lambda part: from_frame(edges, values, frame, part, "nearest"), float(finest), _FINE_LATTICE
    )


def _scattered(model: BlockModel, name: str, method: str) -> Sampler:
    values, frame = np.asarray(model.values[name], dtype=float), model.frame
    boxes = Boxes(model)
    if frame is None:
        return _in_pieces(lambda part: from_boxes(boxes, values, part, method))
    _volume(model.name, frame.axes)
    if method == "nearest":
        return _in_pieces(lambda part: from_boxes(boxes, values, part, method))
    finest = np.median(model.sizes, axis=0) * np.linalg.norm(frame.axes, axis=1)
    return _means(lambda part: from_boxes(boxes, values, part, "nearest"), float(finest.min()), _FINE_LATTICE)


def _corners(model: StructuredGrid | Tetrahedra, name: str, method: str) -> Sampler:
    cells: Cells
    values = np.asarray(values_of(model)[name])
    if isinstance(model, Tetrahedra):
        cells, at_corners = TetrahedronCells(model), name not in model.cell_properties
    else:
        if min(model.shape) < 1:
            points = " × ".join(str(n) for n in model.points.shape[2::-1])
            raise ValueError(f"{model.name!r} has {points} points (U, V, W), so it has no cells.")
        cells, at_corners = HexahedronCells(model), values.shape != model.shape
    flat = values.ravel()
    if method == "average":
        return _means(
            lambda part: from_cells(cells, flat, part, "nearest", at_corners=at_corners),
            cells.finest,
            _FINE_CELLS,
        )
    return _in_pieces(lambda part: from_cells(cells, flat, part, method, at_corners=at_corners))


def _in_pieces(fill: Sampler, side: int = _PIECE) -> Sampler:
    """The same, for a grid of any size."""

    def whole(grid: Grid) -> NDArray[np.float32]:
        if max(grid.shape) <= side:
            return fill(grid)
        result = np.empty(grid.shape, dtype=np.float32)
        for piece in tile(grid.shape, (side, side, side)):
            result[piece.core] = fill(grid.window(piece.core))
        return result

    return whole


def _means(nearest: Sampler, finest: float, most: int) -> Sampler:
    """Means of samples at regular places of each cell; NaN where fewer than half have a value."""

    def whole(grid: Grid) -> NDArray[np.float32]:
        wanted = [int(np.clip(np.ceil(2 * step / finest), 2, most)) for step in grid.spacing]
        counts = wanted[0], wanted[1], wanted[2]
        return _in_pieces(lambda part: _mean_of_samples(nearest, part, counts), _PIECE // max(counts))(grid)

    return whole


def _mean_of_samples(nearest: Sampler, grid: Grid, counts: tuple[int, int, int]) -> NDArray[np.float32]:
    z, y, x = (step / n for step, n in zip(grid.spacing, counts, strict=True))
    nz, ny, nx = (n * m for n, m in zip(grid.shape, counts, strict=True))
    values = nearest(Grid((nz, ny, nx), (z, y, x), grid.corner, grid.crs))
    total, known = np.zeros(grid.shape), np.zeros(grid.shape)
    for offset in product(*(range(n) for n in counts)):
        part = values[tuple(slice(o, None, n) for o, n in zip(offset, counts, strict=True))]
        there = ~np.isnan(part)
        known += there
        total += np.where(there, part, 0.0)
    enough = known >= np.prod(counts) / 2
    found = np.divide(total, known, out=np.full(grid.shape, np.nan), where=enough)
    return np.asarray(found, dtype=np.float32)
