"""What models learn from: patches around deposit cells and background cells, and how they are split."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from mpm3d import blocks, cube, labels
from mpm3d.errors import StudyError
from mpm3d.grid import Float3, FloatArray, Index3
from mpm3d.labels import Cells, Deposit

Index = NDArray[np.int64]
Progress = Callable[[int, int], None]
DEPOSIT, BACKGROUND, REFERENCE = "deposit", "background", "reference"
SLAB = 8_000_000  # cells looked at together

FEWEST_NEGATIVES = 10_000
"""Background cells at least, unless a number is given."""

PER_POSITIVE = 5
"""Background cells for each negative that is wanted, so that enough are left beyond the stand-off."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Patches with labels, made from a cube or read from a table.

    Parameters
    ----------
    patches : float32 array of shape (n, layer, z, y, x)
        Values around each sample in the layers' own units; NaN where missing.
    label : int8 array of shape (n,)
        1 for a cell of a known deposit, 0 for any other, which is not known to be barren.
    group : str array of shape (n,)
        Name of the deposit, empty for the others.
    xyz : float64 array of shape (n, 3)
        Centres, x, y, elevation in metres.
    source : str array of shape (n,)
        ``"deposit"``; ``"background"``, which negatives are drawn from; or ``"reference"``, a uniform sample
        of the eligible cells that scores are ranked against and nothing is trained on.
    layers : tuple of str
        Names of the layers.
    spacing : tuple of float, optional
        Cell size along z, y, x in metres; None for points without a grid.
    notes : tuple of str
        What was left out, in sentences.
    styles : mapping of str to str
        Style of mineralisation by deposit, empty where it is not known.

    Raises
    ------
    ValueError
        If the lengths differ, a label is neither 0 nor 1, a positive has no group, or is a reference.
    """

    patches: NDArray[np.float32]
    label: NDArray[np.int8]
    group: NDArray[np.str_]
    xyz: FloatArray
    source: NDArray[np.str_]
    layers: tuple[str, ...]
    spacing: Float3 | None = None
    notes: tuple[str, ...] = ()
    styles: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.label)
        lengths = {name: len(getattr(self, name)) for name in ("patches", "group", "xyz", "source")}
        wrong = [f"{name} has {length}" for name, length in lengths.items() if length != n]
        if wrong:
            raise ValueError(f"{n} labels need as many of everything: {', '.join(wrong)}.")
        if self.patches.ndim != 5 or self.patches.shape[1] != len(self.layers):
            raise ValueError(
                f"patches of shape {self.patches.shape} do not fit (sample, layer, z, y, x) with "
                f"{len(self.layers)} layers."
            )
        if not np.isin(self.label, (0, 1)).all():
            raise ValueError(f"labels are {np.unique(self.label).tolist()}, they must be 1 (deposit) or 0.")
        nameless = int(((self.label == 1) & (self.group == "")).sum())
        if nameless:
            raise ValueError(f"{nameless} positive samples have no group, it must name their deposit.")
        wrong_side = int(((self.label == 1) & (self.source == REFERENCE)).sum())
        if wrong_side:
            raise ValueError(
                f"{wrong_side} positive samples have the source {REFERENCE!r}, which is for cells outside "
                "the deposits."
            )

    def __len__(self) -> int:
        return len(self.label)

    @property
    def deposits(self) -> tuple[str, ...]:
        """Names of the deposits that have samples, in the order of their first."""
        return tuple(dict.fromkeys(self.group[self.label == 1].tolist()))

    @property
    def patch_shape(self) -> Index3:
        """Cells of a patch along z, y, x."""
        z, y, x = self.patches.shape[2:]
        return z, y, x

    def take(self, index: ArrayLike) -> Samples:
        """Return some of the samples, by position or mask."""
        rows = np.asarray(index)
        names = ("patches", "label", "group", "xyz", "source")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def cropped(self, patch_shape: Index3) -> Samples:
        """Samples with smaller patches, the middle of these.

        Raises
        ------
        ValueError
            If a side is even or longer than it is now.
        """
        cuts: list[slice] = [slice(None), slice(None)]
        for have, want in zip(self.patch_shape, _odd(patch_shape), strict=True):
            if want > have:
                raise ValueError(
                    f"patches of {self.patch_shape} cells (z, y, x) cannot be cropped to "
                    f"{tuple(patch_shape)}, which is longer."
                )
            cuts.append(slice((have - want) // 2, (have + want) // 2))
        return replace(self, patches=self.patches[tuple(cuts)])


def default_pool(n_positive: int, ratio: float = 1.0) -> int:
    """Background cells to draw for so many deposit cells and negatives per positive.

    >>> default_pool(500), default_pool(4101), default_pool(4101, ratio=2)
    (10000, 20505, 41010)
    """
    return max(FEWEST_NEGATIVES, round(PER_POSITIVE * ratio * n_positive))


def from_cube(
    ds: xr.Dataset,
    deposits: Sequence[Deposit],
    *,
    rng: np.random.Generator,
    layers: Sequence[str] | None = None,
    patch_shape: Index3 = (3, 3, 3),
    background: int = 50_000,
    pool: int | None = None,
    max_missing: int = 0,
) -> Samples:
    """Every cell of the known deposits, a pool of background cells, and a reference to rank against.

    Pool and reference are two independent uniform draws, without replacement, from the eligible cells: the
    study volume outside the known deposits, with no stand-off. `training_set` takes negatives from the
    pool and never from the reference, and the two share no cell. Where the volume has too few cells for
    that, the reference is every eligible cell and the pool is drawn among them, which a note says. The draw
    depends on the generator only, not on chunks.

    Parameters
    ----------
    ds : Dataset
        The cube.
    deposits : sequence of Deposit
        The known deposits. Blind ones must not be among them.
    rng : Generator
        Draws pool and reference.
    layers : sequence of str, optional
        Layers of the patches, all by default.
    patch_shape : tuple of int
        Odd numbers of cells along z, y, x.
    background : int
        Number of reference cells; all, if there are fewer.
    pool : int, optional
        Number of background cells that negatives are drawn from, by default the larger of 10,000 and five
        times the deposit cells: see `default_pool`.
    max_missing : int
        Cells with more of their own layers missing are left out.

    Returns
    -------
    Samples
        Deposits in the order given, then the pool, then the reference; notes say what was left out.

    Raises
    ------
    StudyError
        If a deposit has no cell, shares cells, lies outside the grid, or loses every cell to missing layers.
    ValueError
        If there is no layer, or a number is out of range.
    """
    grid, names = cube.grid_of(ds), tuple(layers or cube.layers_of(ds))
    _check_numbers(names, max_missing, background, pool)
    labels.check_deposits(deposits)
    known = _known_cells(deposits, grid.shape)
    patch_shape = _odd(patch_shape)
    here = take_patches(ds, known, names, (1, 1, 1))
    complete, notes = _with_layers(here, deposits, names, max_missing, "area" if grid.is_map else "volume")
    n = int(complete.sum())
    eligible = _eligible(ds, names, max_missing, known)
    drawn, reference, note = _deal(eligible, pool or default_pool(n), background, rng)
    flat = np.concatenate([drawn, reference])
    others = np.column_stack(np.unravel_index(flat, grid.shape)).astype(np.int64)
    cells, counts = np.concatenate([known[complete], others]), [n, len(drawn), len(reference)]
    group = np.repeat([d.name for d in deposits], [len(d.cells) for d in deposits])[complete]
    return Samples(
        patches=take_patches(ds, cells, names, patch_shape),
        label=np.repeat(np.array([1, 0, 0], dtype=np.int8), counts),
        group=np.concatenate([group, np.full(len(others), "", dtype=group.dtype)]),
        xyz=grid.xyz_of(cells),
        source=np.repeat([DEPOSIT, BACKGROUND, REFERENCE], counts),
        layers=names,
        spacing=grid.spacing,
        notes=(*notes, *note),
        styles={deposit.name: deposit.style for deposit in deposits},
    )


def take_patches(
    ds: xr.Dataset, cells: ArrayLike, layers: Sequence[str], patch_shape: Index3
) -> NDArray[np.float32]:
    """Read the patches around cells, chunk by chunk with its margin.

    Parameters
    ----------
    ds : Dataset
        The cube.
    cells : array of shape (n, 3)
        Counts along z, y, x.
    layers : sequence of str
        Which layers, in this order.
    patch_shape : tuple of int
        Odd numbers of cells along z, y, x.

    Returns
    -------
    array of shape (n, layer, z, y, x)
        NaN where missing, outside the study volume and beyond the faces of the volume.
    """
    index = np.asarray(cells, dtype=np.int64).reshape(-1, 3)
    shape = _odd(patch_shape)
    half = np.array(shape) // 2
    chunk = np.array(cube.chunk_of(ds))
    result = np.empty((len(index), len(layers), *shape), dtype=np.float32)
    order = np.lexsort((index // chunk).T[::-1])
    changes = np.flatnonzero((np.diff(index[order] // chunk, axis=0) != 0).any(axis=1)) + 1
    for rows in np.split(order, changes):
        if not len(rows):
            continue
        first, last = index[rows].min(axis=0) - half, index[rows].max(axis=0) + half
        z, y, x = (slice(int(a), int(b) + 1) for a, b in zip(first, last, strict=True))
        values = cube.read_window(ds, layers, (z, y, x))
        views = np.lib.stride_tricks.sliding_window_view(values, shape, axis=(1, 2, 3))
        k, j, i = (index[rows] - half - first).T
        result[rows] = np.moveaxis(views[:, k, j, i], 0, 1)  # (row, layer, z, y, x)
    return result


def _odd(patch_shape: Sequence[int]) -> Index3:
    z, y, x = patch_shape
    if min(z, y, x) < 1 or not z % 2 or not y % 2 or not x % 2:
        raise ValueError(f"a patch of {(z, y, x)} cells has no middle, each side must be odd.")
    return z, y, x


def _known_cells(deposits: Sequence[Deposit], shape: Index3) -> Cells:
    if not deposits:
        raise StudyError("no deposit is known, so there is nothing to learn from. Name at least one.")
    problems = []
    for deposit in deposits:
        outside = int(((deposit.cells < 0) | (deposit.cells >= np.array(shape))).any(axis=1).sum())
        if outside:
            problems.append(
                f"deposit {deposit.name!r}: {outside} of {len(deposit.cells)} cells lie outside the cube "
                f"of {shape} cells (z, y, x). Label it on the grid of this cube."
            )
    if problems:
        raise StudyError(problems)
    return np.concatenate([deposit.cells for deposit in deposits]).astype(np.int64)


def _check_numbers(layers: Sequence[str], max_missing: int, background: int, pool: int | None) -> None:
    if not layers:
        raise ValueError("the cube has no finished layer, so there is nothing to learn from. Build it first.")
    if not 0 <= max_missing < len(layers):
        raise ValueError(
            f"max_missing is {max_missing}, it must be from 0 to below the {len(layers)} layers."
        )
    for what, number in (("reference", background), ("pool", pool)):
        if number is not None and number < 1:
            raise ValueError(f"a {what} of {number} cells is not possible, it must be at least 1.")


def _with_layers(
    values: NDArray[np.float32],
    deposits: Sequence[Deposit],
    layers: Sequence[str],
    max_missing: int,
    space: str,
) -> tuple[NDArray[np.bool_], list[str]]:
    """Which deposit cells have their layers, from patches of one cell, and a sentence on each loss."""
    missing = np.isnan(values[:, :, 0, 0, 0])
    complete: NDArray[np.bool_] = missing.sum(axis=1) <= max_missing
    notes, problems = [], []
    ends = np.cumsum([0, *(len(deposit.cells) for deposit in deposits)])
    for deposit, start, stop in zip(deposits, ends, ends[1:], strict=False):
        lost = missing[start:stop][~complete[start:stop]]
        if not len(lost):
            continue
        which = ", ".join(f"{layer!r} in {k}" for layer, k in zip(layers, lost.sum(axis=0), strict=True) if k)
        said = (
            f"deposit {deposit.name!r}: {len(lost)} of {stop - start} cells are left out, outside the study "
            f"{space} or without {which}"
        )
        if len(lost) < stop - start:
            notes.append(f"{said}.")
        else:
            problems.append(f"{said}, so none is left. Leave out the layer, raise max_missing, or mask less.")
    if problems:
        raise StudyError(problems)
    return complete, notes


def _slabs(ds: xr.Dataset) -> Iterator[blocks.Block]:
    """Horizontal slabs of whole chunks, in the order of flat cell numbers."""
    grid, thick = cube.grid_of(ds), cube.chunk_of(ds)[0]
    _, ny, nx = grid.shape
    depth = thick * max(1, SLAB // (thick * ny * nx))
    return blocks.tile(grid.shape, (depth, ny, nx))


def _eligible(
    ds: xr.Dataset, layers: Sequence[str], max_missing: int, known: Cells
) -> list[tuple[int, int, NDArray[np.uint8]]]:
    """Per slab its first flat cell, its number of cells and packed bits of those that may be background."""
    found = []
    _, ny, nx = cube.grid_of(ds).shape
    for slab in _slabs(ds):
        window = slab.core
        allowed = cube.study_volume(ds, window)
        missing = np.zeros(slab.shape, dtype=np.uint16)
        for name in layers:
            missing += np.isnan(cube.read_window(ds, [name], window)[0])
        allowed &= missing <= max_missing
        start, stop = window[0].start, window[0].stop
        z, y, x = known[(known[:, 0] >= start) & (known[:, 0] < stop)].T
        allowed[z - start, y, x] = False
        found.append((start * ny * nx, allowed.size, np.packbits(allowed)))
    return found


def _deal(
    eligible: Sequence[tuple[int, int, NDArray[np.uint8]]],
    pool: int,
    reference: int,
    rng: np.random.Generator,
) -> tuple[Index, Index, list[str]]:
    """Flat numbers of the cells of pool and reference, each ascending, and a note if they share cells."""
    counts = [int(np.unpackbits(bits, count=size).sum()) for _, size, bits in eligible]
    total = sum(counts)
    if pool + reference <= total:
        both: Any = rng.choice(total, size=pool + reference, replace=False)
        parts, notes = (both[:pool], both[pool:]), []
    else:
        few: Any = rng.choice(total, size=min(pool, total), replace=False)
        parts = (few, np.arange(total))
        notes = [
            f"ranks are against all {total} cells outside the deposits that have their layers, and negatives "
            f"come from {len(few)} of the same cells: there are too few for both."
        ]
    first, second = (_flat(eligible, np.asarray(counts), np.sort(part)) for part in parts)
    return first, second, notes


def _flat(eligible: Sequence[tuple[int, int, NDArray[np.uint8]]], counts: Index, numbers: Index) -> Index:
    """Flat cell numbers of the eligible cells of these numbers, which ascend."""
    ends = np.cumsum(counts)
    result = [np.empty(0, dtype=np.int64)]
    for (first, size, bits), count, end in zip(eligible, counts, ends, strict=True):
        part = numbers[(numbers >= end - count) & (numbers < end)] - (end - count)
        result.append(first + np.flatnonzero(np.unpackbits(bits, count=size))[part])
    return np.concatenate(result)
