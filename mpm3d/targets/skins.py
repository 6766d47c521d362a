"""The skins of targets, made one at a time from the box around each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from mpm3d.evaluate import CAUTION
from mpm3d.geometry import Surface
from mpm3d.grid import Grid
from mpm3d.targets.known import Cells
from mpm3d.targets.target import Target

_MOST_CELLS = 250_000  # of a body whose skin is exact: below 350 MB while it is made, however rough it is
_MOST_BOX = 1 << 22  # cells of the box around it
_COARSE_BOX = 500_000  # the same where the skin is made of larger cells


class Skins(Sequence[Surface]):
    """The skins of targets, each made when it is asked for and not kept.

    Parameters
    ----------
    targets : sequence of Target
        The bodies.
    grid : Grid
        Their cells.
    """

    def __init__(self, targets: Sequence[Target], grid: Grid) -> None:
        self._targets = tuple(targets)
        self._grid = grid

    def __len__(self) -> int:
        return len(self._targets)

    @overload
    def __getitem__(self, key: int) -> Surface: ...
    @overload
    def __getitem__(self, key: slice) -> Skins: ...
    def __getitem__(self, key: int | slice) -> Surface | Skins:
        if isinstance(key, slice):
            return Skins(self._targets[key], self._grid)
        return _skin(self._targets[key], self._grid)

    def __iter__(self) -> Iterator[Surface]:
        return (_skin(target, self._grid) for target in self._targets)

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence for each skin that is made of larger cells than those of the grid."""
        return tuple(
            note
            for target in self._targets
            if (note := _coarse_note(target, _coarseness(target), self._grid))
        )


def surfaces(targets: Sequence[Target], grid: Grid) -> Skins:
    """The skin of each target: the faces between its cells and all others, closed and facing out.

    Parameters
    ----------
    targets : sequence of Target
        Bodies of cells of ``grid``.
    grid : Grid
        The cells.

    Returns
    -------
    Skins
        A sequence of Surface, one per target, named by its id, vertices shared between faces, with the
        properties ``mean_score`` and ``rank``; made one at a time, when asked for. Two triangles per cell
        face, so the volume inside is exactly that of the cells. The skin of a body of more than 250,000
        cells, or in a box of more than 4 million, is that of larger cells that hold some of it; ``notes``
        of the sequence, and of the surface, say so.
    """
    return Skins(targets, grid)


def _coarseness(target: Target) -> int:
    """Cells along each side of the larger cells that a skin is made of; 1 for the cells themselves."""
    shape = target.place.shape
    if target.n_cells <= _MOST_CELLS and math.prod(shape) <= _MOST_BOX:
        return 1
    side = 2
    while math.prod(-(-n // side) for n in shape) > _COARSE_BOX:
        side += 1
    return side


def _coarse_note(target: Target, side: int, grid: Grid) -> str:
    if side == 1:
        return ""
    size = " x ".join(f"{side * step:g}" for step in grid.spacing[::-1])
    return (
        f"{target.id} has {target.n_cells:,} cells: its surface is drawn around cells of {size} m that hold "
        "some of it. The table and the map are of its own cells."
    )


def _skin(target: Target, grid: Grid) -> Surface:
    side = _coarseness(target)
    corners, triangles = _mesh(_solid(target, side))
    low, high = (np.array([getattr(cut, end) for cut in target.place.box]) for end in ("start", "stop"))
    # corner 0 of the padded box is one cell below the first cell of the body; the last cells may be cut short
    index = np.minimum(low + (corners - 1) * side, high)
    zyx = np.asarray(grid.corner) + index * np.asarray(grid.spacing)
    constant = {"mean_score": target.mean_score, "rank": float(target.rank)}
    note = _coarse_note(target, side, grid)
    return Surface(
        target.id,
        np.ascontiguousarray(zyx[:, ::-1]),
        triangles,
        properties={name: np.full(len(corners), value) for name, value in constant.items()},
        notes=(CAUTION, note) if note else (CAUTION,),
    )


def _solid(target: Target, side: int) -> NDArray[np.bool_]:
    """The box around a body with a margin of one cell, true in the body."""
    solid = np.zeros([-(-n // side) + 2 for n in target.place.shape], dtype=bool)
    low = np.array([cut.start for cut in target.place.box])
    for cells in target.parts():
        solid[tuple(((cells - low) // side + 1).T)] = True
    return solid


def _mesh(solid: NDArray[np.bool_]) -> tuple[Cells, Cells]:
    """Corners ``(n, 3)`` of the open faces, in the order of the volume, and two triangles for each face."""
    shape = np.array(solid.shape) + 1
    quads = np.concatenate([_faces(solid, axis, side) for axis in range(3) for side in (0, 1)])
    keys = np.ravel_multi_index(tuple(quads.reshape(-1, 3).T), tuple(shape))
    found, inverse = np.unique(keys, return_inverse=True)
    index = inverse.reshape(-1, 4).astype(np.int64)
    corners = np.column_stack(np.unravel_index(found, tuple(shape))).astype(np.int64)
    return corners, np.concatenate([index[:, [0, 1, 2]], index[:, [0, 2, 3]]])


def _faces(solid: NDArray[np.bool_], axis: int, side: int) -> Cells:
    """Corners ``(n, 4, 3)`` of the faces open towards lower (0) or higher (1) counts, facing out."""
    beyond = np.roll(solid, -1 if side else 1, axis=axis)  # the margin of the box is empty
    cells = np.argwhere(solid & ~beyond)
    # axes are (z, y, x); x, y, z are right-handed, so the two after an axis are the ones counted back from it
    u, v = (axis - 1) % 3, (axis - 2) % 3
    ring = np.zeros((4, 3), dtype=np.int64)
    ring[[1, 2], u] = 1
    ring[[2, 3], v] = 1
    ring[:, axis] = side
    corners: Cells = cells[:, None, :] + (ring if side else ring[::-1])
    return corners
