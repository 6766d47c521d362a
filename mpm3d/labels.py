"""Which cells are deposit: bodies, sheets, points and intervals to cells, and how far cells are from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from mpm3d import evidence
from mpm3d.blocks import index_boxes
from mpm3d.errors import StudyError
from mpm3d.geometry import Lines, Points, Surface
from mpm3d.grid import FloatArray, Grid

Cells = NDArray[np.int64]
FEWEST, MOST = 5, 12  # sub-samples of a cell along each axis
AT_ONCE = 500_000


@dataclass(frozen=True, eq=False)
class Deposit:
    """A known orebody as cells, the unit that validation leaves out.

    Parameters
    ----------
    name : str
        Its name.
    cells : array of shape (n, 3)
        Counts along z, y, x, without repeats.
    style : str
        Style of mineralisation, such as ``"vein"``; deposits of one style teach each other.
    n_met, n_filled : int
        Number of cells that the body meets, and of those that it fills at least by half.
    """

    name: str
    cells: Cells
    style: str = ""
    n_met: int = 0
    n_filled: int = 0


class BodyCells(NamedTuple):
    """Cells of a body, and their number by both rules."""

    cells: Cells
    n_met: int
    n_filled: int


def cells_of_body(
    surfaces: Sequence[Surface],
    grid: Grid,
    *,
    thickness: float | None = None,
    min_share: float | None = None,
) -> BodyCells:
    """Cells that the union of some bodies meets, or fills by a share.

    A closed surface meets a cell when a triangle enters the cell or the cell's centre is inside; touching a
    face from outside is not meeting. An open sheet meets the cells that it crosses and those with a
    sub-sample within half its thickness, so that a vein of a few metres survives large cells. The share is
    good to a tenth: it is counted on 5 to 12 sub-samples along each axis of a cell, more for thinner bodies.

    Parameters
    ----------
    surfaces : sequence of Surface
        Closed bodies and open sheets, joined.
    grid : Grid
        The cells; parts of a body outside are left out.
    thickness : float, optional
        Thickness of the open sheets in metres, needed if there are any.
    min_share : float, optional
        Keep the cells filled at least by this share, above 0 to 1, instead of all that are met.

    Returns
    -------
    cells : array of shape (n, 3)
        Counts along z, y, x, ascending; none if the bodies lie outside the grid.
    n_met, n_filled : int
        Cells met, and cells filled at least by half.

    Raises
    ------
    ValueError
        If there is no surface, a sheet has no thickness, or a number is out of range.

    Examples
    --------
    >>> grid = Grid.from_bounds((0, 0, 0, 200, 100, 100), 50, "EPSG:32651")
    >>> sheet = Surface("vein", np.array([[70, 0, 0], [70, 100, 0], [70, 50, 100.0]]), np.array([[0, 1, 2]]))
    >>> found = cells_of_body([sheet], grid, thickness=6)
    >>> found.cells.tolist(), found.n_met, found.n_filled
    ([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], 4, 0)
    """
    if not len(surfaces):
        raise ValueError("a body needs at least one surface, none was given.")
    if thickness is not None and not thickness > 0:
        raise ValueError(f"a thickness of {thickness:g} m is not possible, it must be above 0.")
    if min_share is not None and not 0 < min_share <= 1:
        raise ValueError(f"a share of {min_share:g} is not possible, it must be above 0 and at most 1.")
    closed = [surface.is_closed for surface in surfaces]
    for surface, is_closed in zip(surfaces, closed, strict=True):
        if not is_closed and thickness is None:
            raise ValueError(
                f"surface {surface.name!r} is open, so it has no volume. Close it, or give the "
                "thickness of the vein in metres."
            )
    crossed = [
        _crossed(surface, grid, is_closed) for surface, is_closed in zip(surfaces, closed, strict=True)
    ]
    full = [np.empty(0, dtype=np.int64)]
    for surface, is_closed, flat in zip(surfaces, closed, crossed, strict=True):
        if is_closed:
            full.append(np.setdiff1d(_centres_inside(surface, grid), flat, assume_unique=True))
    whole = np.unique(np.concatenate(full))  # no triangle enters them, so they are filled
    sheets = [s for s, is_closed in zip(surfaces, closed, strict=True) if not is_closed]
    edge = np.setdiff1d(np.concatenate([*crossed, _around(sheets, grid, thickness)]), whole)
    share = _shares(surfaces, closed, grid, edge, thickness)
    is_met = np.isin(edge, np.concatenate(crossed)) | (share > 0)
    kept = edge[is_met if min_share is None else share >= min_share - 1e-9]
    n_filled = len(whole) + int((share >= 0.5 - 1e-9).sum())
    return BodyCells(_unravel(np.union1d(whole, kept), grid), len(whole) + int(is_met.sum()), n_filled)


def cells_of_points(points: Points | ArrayLike, grid: Grid) -> Cells:
    """Cells that hold points.

    Parameters
    ----------
    points : Points or array of shape (n, 3)
        x, y, elevation in metres; those outside the grid are left out.
    grid : Grid
        The cells.

    Returns
    -------
    array of shape (m, 3)
        Counts along z, y, x, each cell once, ascending.
    """
    xyz = points.vertices if isinstance(points, Points) else np.asarray(points, dtype=float).reshape(-1, 3)
    cells = grid.index_of(xyz)
    return _unravel(np.unique(_ravel(cells[cells[:, 0] >= 0], grid)), grid)


def cells_of_segments(lines: Lines, grid: Grid) -> Cells:
    """Cells that segments pass through, such as ore intervals of drillholes.

    Parameters
    ----------
    lines : Lines
        Segments, x, y, elevation in metres; parts outside the grid are left out.
    grid : Grid
        The cells.

    Returns
    -------
    array of shape (m, 3)
        Counts along z, y, x, each cell once, ascending.
    """
    spacing, corner = np.asarray(grid.spacing)[::-1], np.asarray(grid.corner)[::-1]
    found = [lines.vertices[np.unique(lines.segments)]]
    for start, stop in lines.vertices[lines.segments]:
        cuts = [np.array([0.0, 1.0])]
        first, last = (start - corner) / spacing, (stop - corner) / spacing
        for a, b in zip(first, last, strict=True):  # where it passes from cell to cell
            if a != b:
                cuts.append((np.arange(np.ceil(min(a, b)), np.floor(max(a, b)) + 1) - a) / (b - a))
        share = np.unique(np.concatenate(cuts).clip(0, 1))
        middle = (share[1:] + share[:-1]) / 2
        found.append(start + middle[:, None] * (stop - start))
    return cells_of_points(np.concatenate(found), grid)


def check_deposits(deposits: Sequence[Deposit]) -> None:
    """Refuse deposits that cannot be told apart or found.

    Parameters
    ----------
    deposits : sequence of Deposit
        All deposits of a study.

    Raises
    ------
    StudyError
        With a sentence for each name given twice, deposit of no cell, and pair that shares cells.
    """
    names = [deposit.name for deposit in deposits]
    problems = [
        f"the name {name!r} is given to {names.count(name)} deposits, each needs its own."
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    problems += [
        f"deposit {deposit.name!r} has no cell of the grid. Check that its files lie inside the grid "
        "and have its coordinate system, or lower min_share."
        for deposit in deposits
        if not len(deposit.cells)
    ]
    sets = [set(map(tuple, deposit.cells.tolist())) for deposit in deposits]
    for (a, cells_a), (b, cells_b) in combinations(zip(deposits, sets, strict=True), 2):
        shared = len(cells_a & cells_b)
        if shared:
            problems.append(
                f"deposits {a.name!r} and {b.name!r} share {shared} cells, of {len(cells_a)} and "
                f"{len(cells_b)}. Make them one deposit, use smaller cells, or give a min_share."
            )
    if problems:
        raise StudyError(problems)


def distance_to_cells(xyz: ArrayLike, cells_xyz: ArrayLike, *, cutoff: float = np.inf) -> FloatArray:
    """Distance from points to the nearest of some cell centres.

    Parameters
    ----------
    xyz, cells_xyz : array of shape (n, 3) and (m, 3)
        Points and centres, x, y, elevation in metres.
    cutoff : float
        Largest distance that matters in metres; infinite from there on, which is faster.

    Returns
    -------
    array of shape (n,)
        Metres; infinite where there is no centre at all.
    """
    points = np.asarray(xyz, dtype=float).reshape(-1, 3)
    centres = np.asarray(cells_xyz, dtype=float).reshape(-1, 3)
    if not len(centres):
        return np.full(len(points), np.inf)
    origin = centres.mean(axis=0)
    found: FloatArray = cKDTree(centres - origin).query(points - origin, distance_upper_bound=cutoff)[0]
    return found


def beyond(xyz: ArrayLike, deposit_xyz: ArrayLike, stand_off: float) -> NDArray[np.bool_]:
    """Whether points are at least a stand-off distance from every deposit cell, centre to centre.

    Parameters
    ----------
    xyz, deposit_xyz : array of shape (n, 3) and (m, 3)
        x, y, elevation in metres.
    stand_off : float
        Metres.

    Returns
    -------
    array of shape (n,)
        True everywhere without a deposit cell.

    Examples
    --------
    >>> beyond([[799, 0, 0], [800, 0, 0]], [[0, 0, 0]], 800)
    array([False,  True])
    """
    far: NDArray[np.bool_] = distance_to_cells(xyz, deposit_xyz, cutoff=stand_off) >= stand_off
    return far


def _ravel(cells: Cells, grid: Grid) -> Cells:
    flat: Cells = np.ravel_multi_index(tuple(cells.T), grid.shape).astype(np.int64)
    return flat


def _unravel(flat: Cells, grid: Grid) -> Cells:
    return np.column_stack(np.unravel_index(flat, grid.shape)).astype(np.int64)


def _scaled(surface: Surface, grid: Grid) -> FloatArray:
    """Corners of the triangles ``(m, 3, zyx)`` in units of cells from the corner of the grid."""
    corners = surface.vertices[surface.triangles][:, :, ::-1]
    scaled: FloatArray = (corners - np.asarray(grid.corner)) / np.asarray(grid.spacing)
    return scaled


def _crossed(surface: Surface, grid: Grid, is_closed: bool) -> Cells:
    """Flat numbers of the cells that triangles enter, ascending."""
    corners = _scaled(surface, grid)
    if not is_closed:
        corners = corners + 1e-6  # a sheet on a face belongs to the cell above, as a point does
    shape = np.asarray(grid.shape)
    low = np.maximum(np.floor(corners.min(axis=1)).astype(np.int64), 0)
    high = np.minimum(np.floor(corners.max(axis=1)).astype(np.int64), shape - 1)
    found = [np.empty(0, dtype=np.int64)]
    for owner, cell in index_boxes(low, high):
        hit = _triangle_enters(corners[owner] - (cell[:, None] + 0.5))
        found.append(np.unique(_ravel(cell[hit], grid)))
    return np.unique(np.concatenate(found))


def _triangle_enters(corners: FloatArray) -> NDArray[np.bool_]:
    """Whether triangles ``(n, 3, 3)`` enter the unit cube around the origin, by thirteen separating axes.

    References
    ----------
    Akenine-Möller 2001, Fast 3D triangle-box overlap testing, doi 10.1080/10867651.2001.10487535.
    """
    slack = 1e-9  # touching is not entering
    hit: NDArray[np.bool_] = ((corners.min(axis=1) < 0.5 - slack) & (corners.max(axis=1) > slack - 0.5)).all(
        axis=1
    )
    sides = np.roll(corners, -1, axis=1) - corners
    normal = np.cross(sides[:, 0], sides[:, 1])
    offset = np.abs(np.einsum("ij,ij->i", normal, corners[:, 0]))
    hit = hit & (offset <= np.abs(normal).sum(axis=1) * (0.5 + slack))
    for unit in np.eye(3):
        for side in range(3):
            axis = np.cross(unit, sides[:, side])
            at = np.einsum("ij,ikj->ik", axis, corners)
            reach = np.abs(axis).sum(axis=1) * (0.5 + slack)
            hit &= (at.min(axis=1) <= reach) & (at.max(axis=1) >= -reach)
    return hit


def _box(surfaces: Sequence[Surface], grid: Grid, margin: float) -> Iterator[tuple[Cells, FloatArray]]:
    """Cells in the bounding box of surfaces, a bounded number at a time, and their centres."""
    if not surfaces:
        return
    corners = np.concatenate([_scaled(surface, grid).reshape(-1, 3) for surface in surfaces])
    wide = margin / np.asarray(grid.spacing)
    low = np.maximum(np.floor(corners.min(axis=0) - wide).astype(np.int64), 0)
    high = np.minimum(np.floor(corners.max(axis=0) + wide).astype(np.int64), np.asarray(grid.shape) - 1)
    for _, cells in index_boxes(low[None], high[None], limit=AT_ONCE):
        yield _ravel(cells, grid), grid.xyz_of(cells)


def _centres_inside(surface: Surface, grid: Grid) -> Cells:
    found = [flat[evidence.inside(xyz, surface)] for flat, xyz in _box([surface], grid, 0.0)]
    return np.concatenate([np.empty(0, dtype=np.int64), *found])


def _around(sheets: Sequence[Surface], grid: Grid, thickness: float | None) -> Cells:
    """Cells near enough to open sheets for a sub-sample within half the thickness."""
    reach = (thickness or 0.0) / 2
    far = reach + float(np.linalg.norm(grid.spacing)) / 2
    found = [np.empty(0, dtype=np.int64)]
    for flat, xyz in _box(sheets, grid, reach):
        found.append(flat[evidence.distance(xyz, sheets, cutoff=2 * far) <= far])
    return np.concatenate(found)


def _shares(
    surfaces: Sequence[Surface], closed: Sequence[bool], grid: Grid, flat: Cells, thickness: float | None
) -> FloatArray:
    """Share of each cell that the union of the bodies fills, on sub-samples."""
    thin = min(
        _mean_thickness(s) if is_closed else float(thickness or 0.0)
        for s, is_closed in zip(surfaces, closed, strict=True)
    )
    n = int(np.clip(np.ceil(max(grid.spacing) / max(thin / 2, 1e-9)), FEWEST, MOST))
    step = (np.arange(n) + 0.5) / n - 0.5
    z, y, x = np.meshgrid(*(step * d for d in grid.spacing), indexing="ij")
    offsets = np.column_stack([x.ravel(), y.ravel(), z.ravel()])
    cells = _unravel(flat, grid)
    share = np.zeros(len(flat))
    at_once = max(1, AT_ONCE // n**3)
    for start in range(0, len(flat), at_once):
        part = slice(start, start + at_once)
        xyz = (grid.xyz_of(cells[part])[:, None] + offsets).reshape(-1, 3)
        within = np.zeros(len(xyz), dtype=bool)
        for surface, is_closed in zip(surfaces, closed, strict=True):
            if is_closed:
                within |= evidence.inside(xyz, surface)
            else:
                half = float(thickness or 0.0) / 2
                within |= evidence.distance(xyz, [surface], cutoff=2 * half) <= half
        share[part] = within.reshape(-1, n**3).mean(axis=1)
    return share


def _mean_thickness(body: Surface) -> float:
    """Twice the volume over the area, which is the thickness of a vein, in metres."""
    a, b, c = np.moveaxis(body.vertices[body.triangles] - body.vertices.mean(axis=0), 1, 0)
    normal: Any = np.cross(b - a, c - a)
    area = float(np.linalg.norm(normal, axis=1).sum()) / 2
    volume = abs(float(np.einsum("ij,ij->i", a, normal).sum())) / 6
    return 2 * volume / area if area else 0.0
