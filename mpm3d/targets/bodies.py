"""Connected bodies of the cells at or above a threshold: labelled block by block, joined at the borders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.blocks import Block
from mpm3d.grid import Window
from mpm3d.targets.borders import Borders
from mpm3d.targets.digits import Digits
from mpm3d.targets.known import Cells
from mpm3d.targets.parts import Parts
from mpm3d.targets.volume import Scores, Volume

Labels = NDArray[np.integer[Any]]

_MOST_KEPT = 1 << 22  # cells of the bodies in the blocks that are kept in memory, 12 bytes each
_GONE = -1  # body of a part that was dropped


@dataclass(frozen=True, eq=False)
class Zone:
    """The cells at or above a threshold, and which body each of them is of.

    Parameters
    ----------
    volume : Volume
        The scores.
    threshold : float
        Cells at or above it are in.
    first : array of shape (blocks,)
        Number of the first part of each block; the parts of a block follow in the order of their labels.
    body : array of shape (parts,)
        Number of the body of each part, -1 for one that was dropped.
    """

    volume: Volume
    threshold: float
    first: Cells
    body: NDArray[np.int32]

    def cells_of(self, body: int, box: Window) -> Iterator[Cells]:
        """Cells ``(n, 3)`` (z, y, x) of a body, from each block that its box meets; the blocks are read."""
        sizes, counts = self.volume.block, self.volume.counts
        spans = [range(cut.start // n, (cut.stop - 1) // n + 1) for cut, n in zip(box, sizes, strict=True)]
        for index in product(*spans):
            flat, owner = self._labelled(int(np.ravel_multi_index(index, counts)))
            cells = flat[slice(*np.searchsorted(owner, [body, body + 1]))]
            if len(cells):
                yield np.column_stack(np.unravel_index(cells, self.volume.grid.shape)).astype(np.int64)

    def bodies_at(self, flat: Cells) -> NDArray[np.int32]:
        """Body of each cell ``(n,)``, by flat index, -1 outside all bodies; their blocks are read."""
        cells = np.column_stack(np.unravel_index(flat, self.volume.grid.shape))
        block = np.ravel_multi_index(tuple((cells // self.volume.block).T), self.volume.counts)
        found = np.full(len(flat), _GONE, np.int32)
        for number in np.unique(block):
            inside, owner = self._labelled(int(number))
            asked = np.flatnonzero(block == number)
            _, at, where = np.intersect1d(flat[asked], inside, assume_unique=True, return_indices=True)
            found[asked[at]] = owner[where]
        return found

    def _labelled(self, number: int) -> tuple[Cells, NDArray[np.int32]]:
        """What `_read` gives; the blocks last asked for are kept, as bodies do not come in their order."""
        kept, key = self.volume.kept, (self.threshold, number)
        found = kept.pop(key, None) or self._read(number)
        kept[key] = found
        while len(kept) > 1 and sum(len(flat) for flat, _ in kept.values()) > _MOST_KEPT:
            del kept[next(iter(kept))]
        return found

    def _read(self, number: int) -> tuple[Cells, NDArray[np.int32]]:
        """Flat index and body of the cells of a block that are of a body, by body."""
        block = self.volume.blocks[number]
        labels, _ = label(self.volume.score(block.core), self.threshold)
        at = np.nonzero(labels)
        body = self.body[self.first[number] + labels[at].astype(np.int64) - 1]
        keep = body != _GONE
        flat, body = _flat(at, block, self.volume)[keep], body[keep]
        order = np.argsort(body, kind="stable")
        return flat[order], body[order]


@dataclass(frozen=True, eq=False)
class Bodies:
    """What is known of every body that was kept.

    Parameters
    ----------
    zone : Zone
        Where its cells are.
    rows : Parts
        One row for each body, ascending by the number of the body.
    known : array of shape (n, 2)
        Bodies and the known deposits with cells in them.
    n_small, largest_small : int
        Bodies that were dropped, and the cells of the largest of them.
    n_zone, n_best : int
        Cells of the zone, and those of them that are eligible.
    """

    zone: Zone
    rows: Parts
    known: Cells
    n_small: int
    largest_small: int
    n_zone: int
    n_best: int

    def deposits_in(self, number: int) -> Cells:
        """Numbers of the known deposits with cells in a body."""
        held: Cells = self.known[slice(*np.searchsorted(self.known[:, 0], [number, number + 1])), 1]
        return held


def label(score: Scores, threshold: float) -> tuple[Labels, int]:
    """Connected parts of the cells at or above a threshold, from 1, and their number."""
    import cc3d

    # as uint8, since for a boolean line of cells, 1 x 3 x 1, cc3d 4.1 makes room for too few labels
    inside = (score >= np.float32(threshold)).view(np.uint8)
    labels, n = cc3d.connected_components(inside, connectivity=26, return_N=True)
    return labels, int(n)


@dataclass(frozen=True, eq=False)
class Rules:
    """What the bodies are made by.

    Parameters
    ----------
    threshold : float
        Cells at or above it are in.
    smallest : float
        Bodies of fewer cells are dropped.
    ground : array of shape (y, x)
        Elevation of the ground in metres, from which depth is counted.
    score, spread : Digits
        How scores and spreads are split to be added up.
    """

    threshold: float
    smallest: float
    ground: NDArray[np.float64]
    score: Digits
    spread: Digits


def find_bodies(volume: Volume, rules: Rules) -> Bodies:
    """Label every block, join the parts that touch across borders and add up what they are.

    One pass over the scores. A part that lies within its block and is too small is dropped at once.
    """
    borders, found, pairs = Borders(volume.grid.shape), _Found(volume, rules), [np.empty((0, 2), np.int64)]
    for _, block in volume.passing():
        score = volume.score(block.core)
        labels, n = label(score, rules.threshold)
        pairs.append(borders.touching(block, np.where(labels, labels.astype(np.int64) + found.n_parts, 0)))
        found.add(block, score, labels, n)
    return found.bodies(_roots(np.concatenate(pairs) - 1, found.n_parts))


class _Found:
    """The parts of the blocks so far."""

    def __init__(self, volume: Volume, rules: Rules) -> None:
        self.volume, self.rules = volume, rules
        self.n_parts = self.n_dropped = self.n_zone = self.n_best = 0
        self.largest_dropped = 0
        self.first: list[int] = []  # number of the first part of each block
        self.parts = [Parts.none((rules.score.n, rules.spread.n))]
        self.numbers = [np.empty(0, np.int64)]  # of the parts
        self.known = [np.empty((0, 2), np.int64)]  # number of a part, and of a deposit with cells in it

    def add(self, block: Block, score: Scores, labels: Labels, n: int) -> None:
        """Add the ``n`` parts of a block."""
        first, self.n_parts = self.n_parts, self.n_parts + n
        self.first.append(first)
        if not n:
            return
        at = np.nonzero(labels)
        rows = _cell_rows(self.volume, self.rules, block, at, score[at])
        parts = rows.grouped(labels[at])
        held = rows.counts[:, 1] > 0
        self.n_zone += len(held)
        self.n_best += int((~held).sum())
        keep = (parts.counts[:, 0] >= self.rules.smallest) | _on_a_border(labels, n)
        self.n_dropped += int((~keep).sum())
        self.largest_dropped = max(self.largest_dropped, int(parts.counts[~keep, 0].max(initial=0)))
        self.parts.append(parts.take(keep))
        self.numbers.append(first + np.flatnonzero(keep))
        owner = self.volume.deposits.owner_of(rows.low[held, 4].astype(np.int64))
        met = np.column_stack([labels[at][held].astype(np.int64) + first - 1, owner])
        self.known.append(np.unique(met, axis=0))

    def bodies(self, root: NDArray[np.int32]) -> Bodies:
        """Join the parts of each body, and number the bodies without those that are too small."""
        number = root[np.concatenate(self.numbers)]
        rows = Parts.joined(self.parts).grouped(number)
        keep = rows.counts[:, 0] >= self.rules.smallest
        new = np.full(int(root.max(initial=-1)) + 1, _GONE, np.int32)
        new[np.unique(number)[keep]] = np.arange(keep.sum())
        zone = Zone(self.volume, self.rules.threshold, np.array(self.first, np.int64), new[root])
        known = np.concatenate(self.known)
        known = np.unique(np.column_stack([zone.body[known[:, 0]], known[:, 1]]), axis=0)
        n_small = self.n_dropped + int((~keep).sum())
        largest = max(self.largest_dropped, int(rows.counts[~keep, 0].max(initial=0)))
        return Bodies(
            zone, rows.take(keep), known[known[:, 0] != _GONE], n_small, largest, self.n_zone, self.n_best
        )


def _flat(at: tuple[Cells, ...], block: Block, volume: Volume) -> Cells:
    """Flat index in the volume of cells of a block."""
    index = tuple(i + cut.start for i, cut in zip(at, block.core, strict=True))
    flat: Cells = np.ravel_multi_index(index, volume.grid.shape).astype(np.int64)
    return flat


def _cell_rows(volume: Volume, rules: Rules, block: Block, at: Any, score: Scores) -> Parts:
    """One row for each cell of the zone in a block."""
    flat = _flat(at, block, volume)
    cells = np.column_stack([i + cut.start for i, cut in zip(at, block.core, strict=True)])
    centre = volume.grid.xyz_of(cells)
    depth = rules.ground[cells[:, 1], cells[:, 2]] - centre[:, 2]
    spread = volume.spread(block.core)
    distance, owner = volume.deposits.nearest(centre)
    one, flag = np.ones(len(flat), np.int64), volume.flag(block.core)
    flag = np.full(len(flat), np.nan) if flag is None else flag[at]
    return Parts(
        np.column_stack(
            [one, volume.deposits.owner_of(flat) >= 0, cells, (flag == 0) | (flag == 1), flag == 1]
        ),
        rules.score.split(score),
        rules.spread.split(score if spread is None else spread[at]),
        np.column_stack([depth, cells, flat]),
        np.column_stack([depth, cells, score]),
        np.column_stack([distance, flat, owner]),
    )


def _on_a_border(labels: Labels, n: int) -> NDArray[np.bool_]:
    """Whether each part has a cell on a face of its block, and may go on beyond it."""
    touched = np.zeros(n + 1, bool)
    for axis in range(3):
        touched[np.take(labels, [0, -1], axis=axis)] = True
    return touched[1:]


def _roots(pairs: Cells, n: int) -> NDArray[np.int32]:
    """Number of the body of each part, from the pairs of parts that touch."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not n:
        return np.empty(0, np.int32)
    links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    root: NDArray[np.int32] = connected_components(links, directed=False)[1]
    return root
