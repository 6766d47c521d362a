"""From scores to follow-up: a threshold, connected bodies, a ranked table, and their skins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpm3d import cube
from mpm3d.blocks import tile
from mpm3d.evaluate import CAUTION
from mpm3d.geometry import Surface
from mpm3d.grid import Grid, Index3

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

KINDS = ("new", "extension", "known deposit")
ZONE = 0.05
"""Share of the eligible volume above which one body is no longer a target."""
Cells = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Target:
    """A body of cells for follow-up; lengths in metres, z is elevation.

    Parameters
    ----------
    id : str
        ``"T01"`` is the first.
    rank : int
        1 is the best. Bodies that are mostly known deposit come after all others; in both parts by
        falling mean score.
    x, y, elevation : float
        Mean of the cell centres. It may lie outside a curved body.
    volume_m3 : float
        Cells times the volume of a cell.
    kind : str
        ``"known deposit"`` when at least half of its cells are of known deposits, ``"extension"`` when
        fewer are, ``"new"`` when none is.
    n_cells : int
        Number of cells.
    z_top, z_base : float
        Elevation of the highest and the lowest cell face.
    depth_top, depth_base : float
        The least and the greatest depth of a cell face below the ground.
    mean_score, peak_score : float
        Mean and greatest score of its cells.
    spread : float
        Mean over its cells of the spread between ensemble members; NaN where there is one member.
    deposit : str
        Names of the known deposits with cells in it, joined by ``"; "``.
    nearest_deposit : str
        Name of the nearest known deposit; empty where none is known.
    distance_m : float
        Least distance between a cell centre of the body and one of that deposit; 0 if it holds one.
    cells : array of shape (n, 3)
        Its cells, counts along z, y, x.
    """

    id: str
    rank: int
    x: float
    y: float
    elevation: float
    volume_m3: float
    kind: str
    n_cells: int
    z_top: float
    z_base: float
    depth_top: float
    depth_base: float
    mean_score: float
    peak_score: float
    spread: float
    deposit: str
    nearest_deposit: str
    distance_m: float
    cells: Cells


COLUMNS = tuple(field.name for field in fields(Target) if field.name != "cells")


@dataclass(frozen=True, eq=False)
class Delineation:
    """The targets, and the threshold that made them.

    Parameters
    ----------
    targets : tuple of Target
        By rank.
    threshold : float
        Score of the last cell that is in.
    share : float
        Share of the eligible cells at or above it. More than asked for where cells tie at the threshold.
    n_eligible : int
        Scored cells outside the known deposits.
    n_zone : int
        Cells at or above the threshold, those of known deposits included.
    notes : tuple of str
        What was decided or dropped, in sentences.
    """

    targets: tuple[Target, ...]
    threshold: float
    share: float
    n_eligible: int
    n_zone: int
    notes: tuple[str, ...]

    @property
    def table(self) -> pd.DataFrame:
        """One row per target, columns from ``id`` to ``distance_m``."""
        import pandas as pd

        rows = [[getattr(target, name) for name in COLUMNS] for target in self.targets]
        return pd.DataFrame(rows, columns=list(COLUMNS))


def delineate(
    prospectivity: xr.Dataset,
    known: Mapping[str, ArrayLike],
    *,
    share: float,
    min_volume: float = 0.0,
    ground: ArrayLike | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Delineation:
    """Cut the best share of the eligible volume into connected bodies and rank them.

    Eligible cells are the scored cells outside the known deposits. The threshold is the score of the
    ``share * eligible``-th best of them; cells that tie with it enter together. The zone is every scored
    cell at or above it, those of known deposits included, and a target is a part of the zone whose cells
    touch by a face, an edge or a corner.

    Scores are read block by block. In memory are one block, 5 bytes per cell of the volume for the
    connected parts and about 40 bytes per cell of the zone.

    Parameters
    ----------
    prospectivity : Dataset
        With ``score`` on (z, y, x), NaN where not scored, and ``spread`` where there are several members.
    known : mapping of str to array of shape (n, 3)
        Cells (z, y, x) of each deposit that the model was fitted on. May be empty.
    share : float
        Share of the eligible cells, above 0 and below 1: the v* of the P-A crossing.
    min_volume : float
        Smaller bodies are dropped, in cubic metres.
    ground : array of shape (y, x), optional
        Elevation of the ground, from which depth is counted; default the top of the grid. NaN gives NaN.
    progress : callable, optional
        Called as ``progress(blocks done, blocks)``.

    Raises
    ------
    ValueError
        If the share is out of range, no cell is scored or eligible, a known cell lies outside, or
        ``ground`` has another shape.
    """
    if not 0 < share < 1:
        raise ValueError(
            f"share={share:g} of the volume must lie above 0 and below 1, as 0.02 for the best 2 %."
        )
    if not min_volume >= 0:
        raise ValueError(f"min_volume={min_volume:g} m3 is not possible, it must be 0 or more.")
    grid = cube.grid_of(prospectivity)
    deposits = _Known.of(known, grid)
    reader = _Reader(prospectivity, deposits.flat, grid.shape, progress)
    threshold, n_eligible = _threshold(reader, share)
    zone = _zone(reader, threshold, deposits)
    body = _bodies(zone, grid)
    small = np.bincount(body) * grid.cell_volume < min_volume * (1 - 1e-9)
    heights = _ground(ground, grid)
    groups = _groups(body, small)
    targets = [_describe(zone.take(cells), grid, deposits, heights) for cells in groups]
    n_best = int((zone.owner < 0).sum())
    notes = _notes(share, n_best / n_eligible, int(small.sum()), min_volume)
    notes += _zones([int((zone.owner[cells] < 0).sum()) for cells in groups], n_eligible)
    return Delineation(_ranked(targets), threshold, n_best / n_eligible, n_eligible, len(zone.flat), notes)


def _notes(asked: float, taken: float, n_small: int, min_volume: float) -> tuple[str, ...]:
    notes = []
    if taken > 1.1 * asked:
        notes.append(
            f"many cells tie at the threshold: {taken:.2%} of the eligible volume is in, "
            f"{asked:.2%} was asked for."
        )
    if n_small:
        bodies = "1 body" if n_small == 1 else f"{n_small} bodies"
        notes.append(f"{bodies} of less than {min_volume:g} m3 left out.")
    return tuple(notes)


def _zones(sizes: Sequence[int], n_eligible: int) -> tuple[str, ...]:
    """A sentence for a body that is too large to be a target, from the eligible cells of each."""
    largest = max(sizes, default=0) / n_eligible
    if largest <= ZONE:
        return ()
    return (
        f"one body takes {largest:.1%} of the volume, so it is a zone rather than a target. "
        "A smaller share cuts it into bodies: [targets] share = 0.02 for the best 2 %.",
    )


@dataclass(frozen=True, eq=False)
class _Known:
    """Cells of the known deposits, ascending by flat index."""

    names: tuple[str, ...]
    flat: Cells
    owner: Cells  # number of the deposit of each cell
    centres: NDArray[Any]  # x, y, z in metres

    @classmethod
    def of(cls, known: Mapping[str, ArrayLike], grid: Grid) -> _Known:
        parts, owner = [np.empty((0, 3), np.int64)], [np.empty(0, np.int64)]
        for number, (name, cells) in enumerate(known.items()):
            part = np.asarray(cells, dtype=np.int64).reshape(-1, 3)
            if np.any((part < 0) | (part >= np.asarray(grid.shape))):
                raise ValueError(
                    f"deposit {name!r} has cells outside the grid of {grid.shape} cells (z, y, x). "
                    "Make its cells on this grid."
                )
            parts.append(part)
            owner.append(np.full(len(part), number, np.int64))
        cells = np.concatenate(parts)
        flat = np.ravel_multi_index(tuple(cells.T), grid.shape).astype(np.int64)
        order = np.argsort(flat, kind="stable")
        return cls(tuple(known), flat[order], np.concatenate(owner)[order], grid.xyz_of(cells[order]))

    @cached_property
    def tree(self) -> Any:
        """Finds the known cell nearest to a point."""
        from scipy.spatial import cKDTree

        return cKDTree(self.centres)

    def owner_of(self, flat: Cells) -> Cells:
        """Number of the deposit of each cell, -1 for none."""
        if not len(self.flat):
            return np.full(len(flat), -1, np.int64)
        at = np.minimum(np.searchsorted(self.flat, flat), len(self.flat) - 1)
        return np.where(self.flat[at] == flat, self.owner[at], -1)


@dataclass(frozen=True, eq=False)
class _Reader:
    """Reads scores block by block; ``passes`` of them are counted for the progress."""

    prospectivity: xr.Dataset
    known: Cells
    shape: Index3
    progress: Callable[[int, int], None] | None

    def blocks(self, number: int) -> Iterator[tuple[Cells, NDArray[np.float32], NDArray[np.float32]]]:
        """Flat index, score and spread of the scored cells of each block, pass ``number`` of three."""
        score = self.prospectivity["score"]
        spread = self.prospectivity.get("spread")
        chunks = score.encoding.get("chunks") or (50, 50, 50)
        work = list(tile(self.shape, chunks))
        for done, block in enumerate(work):
            values = np.asarray(score[block.core].values, dtype=np.float32)
            inside = np.nonzero(~np.isnan(values))
            more = np.full(len(inside[0]), np.nan, np.float32)
            if spread is not None and number == 2 and len(more):
                more = np.asarray(spread[block.core].values, dtype=np.float32)[inside]
            index = tuple(i + cut.start for i, cut in zip(inside, block.core, strict=True))
            yield np.ravel_multi_index(index, self.shape).astype(np.int64), values[inside], more
            if self.progress:
                self.progress(number * len(work) + done + 1, 3 * len(work))

    def eligible(self, number: int) -> Iterator[NDArray[np.uint32]]:
        """Keys of the scores outside the known deposits."""
        for flat, score, _ in self.blocks(number):
            yield _keys(score[~np.isin(flat, self.known)])


def _keys(score: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Unsigned integers in the order of the scores: the bits of a float32, negatives turned round."""
    bits = (score + np.float32(0)).view(np.uint32)  # -0 becomes 0
    return np.where(bits >> 31, ~bits, bits | np.uint32(0x80000000))


def _score_of(key: int) -> float:
    bits = key & 0x7FFFFFFF if key >> 31 else ~key & 0xFFFFFFFF
    return float(np.array(bits, dtype=np.uint32).view(np.float32))


def _threshold(reader: _Reader, share: float) -> tuple[float, int]:
    """Exact score of the k-th best eligible cell, by two histograms of 65536 bins, and their number."""
    counts = np.zeros(65536, np.int64)
    for keys in reader.eligible(0):
        counts += np.bincount(keys >> 16, minlength=65536)
    n_eligible = int(counts.sum())
    if not n_eligible:
        raise ValueError(
            "no cell outside the known deposits has a score, so there is no threshold. "
            "Look at the missing values of the layers and at max_missing."
        )
    left = max(1, round(share * n_eligible))
    high, left = _kth(counts, left)
    counts = np.zeros(65536, np.int64)
    for keys in reader.eligible(1):
        counts += np.bincount((keys[keys >> 16 == high] & 0xFFFF).astype(np.int64), minlength=65536)
    low, _ = _kth(counts, left)
    return _score_of(high << 16 | low), n_eligible


def _kth(counts: Cells, k: int) -> tuple[int, int]:
    """Bin of the ``k``-th from the top, and its place within that bin."""
    above = np.cumsum(counts[::-1])
    at = int(np.searchsorted(above, k))
    return len(counts) - 1 - at, k - (int(above[at - 1]) if at else 0)


@dataclass(frozen=True, eq=False)
class _Zone:
    """Cells at or above the threshold."""

    flat: Cells
    score: NDArray[np.float32]
    spread: NDArray[np.float32]
    owner: Cells

    def take(self, rows: Cells) -> _Zone:
        return _Zone(self.flat[rows], self.score[rows], self.spread[rows], self.owner[rows])


def _zone(reader: _Reader, threshold: float, deposits: _Known) -> _Zone:
    parts = []
    for flat, score, spread in reader.blocks(2):
        keep = score >= np.float32(threshold)
        parts.append((flat[keep], score[keep], spread[keep]))
    flat, score, spread = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(flat, kind="stable")  # the order of the cells, not of the blocks
    return _Zone(flat[order], score[order], spread[order], deposits.owner_of(flat[order]))


def _bodies(zone: _Zone, grid: Grid) -> Cells:
    """Number of the connected part of each cell of the zone, from 0."""
    import cc3d

    mask = np.zeros(grid.n_cells, dtype=np.uint8)
    mask[zone.flat] = 1
    labels = cc3d.connected_components(mask.reshape(grid.shape), connectivity=26)
    return np.asarray(labels).reshape(-1)[zone.flat].astype(np.int64) - 1


def _groups(body: Cells, small: NDArray[np.bool_]) -> list[Cells]:
    order = np.argsort(body, kind="stable")
    ends = np.cumsum(np.bincount(body))[:-1]
    return [rows for rows, drop in zip(np.split(order, ends), small, strict=True) if not drop]


def _ground(ground: ArrayLike | None, grid: Grid) -> NDArray[np.float64]:
    if ground is None:
        return np.full(grid.shape[1:], grid.bounds[5])
    heights = np.asarray(ground, dtype=float)
    if heights.shape != grid.shape[1:]:
        raise ValueError(
            f"the ground has {heights.shape} heights, the grid {grid.shape[1:]} columns (y, x). "
            "Give one for each."
        )
    return heights


def _describe(zone: _Zone, grid: Grid, deposits: _Known, ground: NDArray[np.float64]) -> Target:
    """Everything about one body but its rank."""
    cells = np.column_stack(np.unravel_index(zone.flat, grid.shape)).astype(np.int64)
    centre = grid.xyz_of(cells)
    half = grid.spacing[0] / 2
    depth = ground[cells[:, 1], cells[:, 2]] - centre[:, 2]
    held = zone.owner[zone.owner >= 0]
    kind = KINDS[0] if not len(held) else KINDS[2] if 2 * len(held) >= len(cells) else KINDS[1]
    nearest, distance = _nearest(centre, deposits)
    x, y, elevation = (float(v) for v in centre.mean(axis=0))
    return Target(
        id="", rank=0, x=x, y=y, elevation=elevation, volume_m3=len(cells) * grid.cell_volume, kind=kind,
        n_cells=len(cells), z_top=float(centre[:, 2].max() + half), z_base=float(centre[:, 2].min() - half),
        depth_top=float(np.maximum(depth.min() - half, 0)), depth_base=float(depth.max() + half),
        mean_score=float(zone.score.mean(dtype=np.float64)), peak_score=float(zone.score.max()),
        spread=float(zone.spread.mean(dtype=np.float64)), nearest_deposit=nearest, distance_m=distance,
        deposit="; ".join(deposits.names[number] for number in np.unique(held)), cells=cells,
    )  # fmt: skip


def _nearest(centre: NDArray[Any], deposits: _Known) -> tuple[str, float]:
    """Name of the known deposit nearest to a body, and the distance between their cell centres."""
    if not len(deposits.flat):
        return "", float("nan")
    distance, cell = deposits.tree.query(centre)
    at = int(np.argmin(distance))
    return deposits.names[deposits.owner[cell[at]]], float(distance[at])


def _ranked(targets: Sequence[Target]) -> tuple[Target, ...]:
    best = sorted(targets, key=lambda t: (t.kind == KINDS[2], -t.mean_score, -t.n_cells, tuple(t.cells[0])))
    width = max(2, len(str(len(best))))
    return tuple(
        replace(target, id=f"T{rank:0{width}d}", rank=rank) for rank, target in enumerate(best, start=1)
    )


def surfaces(targets: Sequence[Target], grid: Grid) -> list[Surface]:
    """The skin of each target: the faces between its cells and all others, closed and facing out.

    Parameters
    ----------
    targets : sequence of Target
        Bodies of cells of ``grid``.
    grid : Grid
        The cells.

    Returns
    -------
    list of Surface
        One per target, named by its id, vertices shared between faces, with the properties ``mean_score``
        and ``rank``. Two triangles per cell face, so the volume inside is exactly that of the cells.
    """
    return [_skin(target, grid) for target in targets]


def _skin(target: Target, grid: Grid) -> Surface:
    low = target.cells.min(axis=0)
    shape = target.cells.max(axis=0) - low + 3
    solid = np.zeros(shape, dtype=bool)
    solid[tuple((target.cells - low + 1).T)] = True
    quads = np.concatenate([_faces(solid, axis, side) for axis in range(3) for side in (0, 1)])
    corners, inverse = np.unique(quads.reshape(-1, 3), axis=0, return_inverse=True)
    index = inverse.reshape(-1, 4)
    triangles = np.concatenate([index[:, [0, 1, 2]], index[:, [0, 2, 3]]])
    # corner 0 of the padded box is one cell below the first cell of the body
    zyx = np.asarray(grid.corner) + (corners + low - 1) * np.asarray(grid.spacing)
    constant = {"mean_score": target.mean_score, "rank": float(target.rank)}
    return Surface(
        target.id,
        np.ascontiguousarray(zyx[:, ::-1]),
        triangles.astype(np.int64),
        properties={name: np.full(len(corners), value) for name, value in constant.items()},
        notes=(CAUTION,),
    )


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


def write_table(path: str | Path, table: pd.DataFrame, *, note: str = "") -> Path:
    """Write the table of targets as CSV in UTF-8, complete or not at all.

    Parameters
    ----------
    path : str or Path
        The file.
    table : DataFrame
        The table of `Delineation`. A last column ``note`` says on every row what a target is not.
    note : str
        More for that column, such as where the data come from.

    Returns
    -------
    Path
        The file that was written.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(target.name + ".part")
    # ten digits keep centimetres at UTM scale and leave out the dust of float arithmetic
    table.assign(note=f"{CAUTION} {note}".strip()).to_csv(
        half, index=False, encoding="utf-8", lineterminator="\n", float_format="%.10g"
    )
    half.replace(target)
    return target
