"""Maps of the layer that speaks loudest in each cell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpm3d.evaluate.drawing import plain
from mpm3d.grid import Grid
from mpm3d.maps.furniture import map_axes
from mpm3d.maps.picture import empty_patch, finish, show

OTHER = "other layers"
# Paul Tol's muted scheme, which colour-blind readers tell apart, and three more
_COLOURS = (
    "#332288", "#CC6677", "#117733", "#88CCEE", "#DDCC77", "#882255", "#44AA99", "#AA4499", "#999933",
    "#EE7733", "#0077BB", "#000000",
)  # fmt: skip
_REST = "#FFFFFF"


def leading_layers(attribution: ArrayLike) -> NDArray[np.int64]:
    """The layer with the largest attribution of either sign in each cell.

    Parameters
    ----------
    attribution : array of shape (layer, y, x)
        Such as SHAP values; NaN where there is none.

    Returns
    -------
    array of shape (y, x)
        Number of the layer, counted from 0, the first of equal ones; -1 where all are NaN or 0.

    Raises
    ------
    ValueError
        If the attribution has another number of axes, or no layer.

    Examples
    --------
    >>> leading_layers([[[0.1, 0.0]], [[-0.3, np.nan]]])
    array([[ 1, -1]])
    """
    values = np.asarray(attribution, dtype=float)
    if values.ndim != 3 or not len(values):
        raise ValueError(f"an attribution of the shape {values.shape} is no map, (layer, y, x) is needed.")
    size = np.nan_to_num(np.abs(values), nan=0.0)
    return np.where(size.max(axis=0) > 0, size.argmax(axis=0), -1)


def draw_leading(
    codes: ArrayLike, names: Sequence[str], grid: Grid, path: str | Path, *, title: str, note: str = ""
) -> Path:
    """Draw which layer leads in each cell; the legend has the twelve that lead in most cells, and the rest.

    Parameters
    ----------
    codes : array of shape (y, x)
        Numbers of layers, as of `leading_layers`.
    names : sequence of str
        Names of the layers, in their order.
    grid : Grid
        The cells.
    path : str or Path
        The file; its suffix says the format, such as ``.png``.
    title : str
        What was explained.
    note : str
        The study's note, set below the caution line.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    ValueError
        If the codes do not have the shape of the map, one has no name, or no layer leads anywhere.
    """
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    plane = np.asarray(codes)
    if plane.shape != grid.shape[1:]:
        raise ValueError(f"the codes have the shape {plane.shape}, the map {grid.shape[1:]} (y, x).")
    if plane.max(initial=-1) >= len(names):
        raise ValueError(f"the code {int(plane.max())} has no name, there are {len(names)} layers.")
    if not (plane >= 0).any():
        raise ValueError(f"{title!r}: no layer leads in any cell, so there is nothing to draw.")
    cells = np.bincount(plane[plane >= 0].astype(np.int64), minlength=len(names))
    order = np.argsort(-cells, kind="stable")[: len(_COLOURS)]
    order = order[cells[order] > 0]
    shade = np.full(len(names), len(order))  # the last shade is that of the rest
    shade[order] = np.arange(len(order))
    figure, axes = map_axes(grid)
    shown = np.ma.masked_where(plane < 0, shade[plane])
    colours = [*_COLOURS[: len(order)], _REST]
    show(axes, shown, grid, cmap=ListedColormap(colours), vmin=-0.5, vmax=len(order) + 0.5)
    rest = int(cells.sum() - cells[order].sum())
    listed = [(names[k], int(cells[k])) for k in order] + ([(OTHER, rest)] if rest else [])
    handles = [
        Patch(facecolor=colour, edgecolor="0.4", linewidth=0.5, label=plain(f"{name} ({_share(n, cells)})"))
        for (name, n), colour in zip(listed, colours, strict=False)
    ]
    return finish(figure, title, [*handles, *([empty_patch()] if (plane < 0).any() else [])], [], note, path)


def _share(n: int, cells: NDArray[np.int64]) -> str:
    share = 100 * n / cells.sum()
    return f"{share:.0f} %" if share >= 1 else "below 1 %"
