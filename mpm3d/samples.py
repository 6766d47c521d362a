"""What models learn from: patches around deposit cells and background cells, and how they are split."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from mpm3d import blocks, cube, labels
from mpm3d.errors import StudyError
from mpm3d.grid import Float3, FloatArray, Index3
from mpm3d.labels import Cells, Deposit

Index = NDArray[np.int64]
Progress = Callable[[int, int], None]
SLAB = 8_000_000  # cells looked at together


@dataclass(frozen=True, eq=False)
class Samples:
    """Patches with labels, made from a cube or read from a table.

    Parameters
    ----------
    patches : float32 array of shape (n, layer, z, y, x)
        Values around each sample in the layers' own units; NaN where missing.
    label : int8 array of shape (n,)
        1 for a cell of a known deposit, 0 for background, which is not known to be barren.
    group : str array of shape (n,)
        Name of the deposit, empty for background.
    xyz : float64 array of shape (n, 3)
        Centres, x, y, elevation in metres.
    source : str array of shape (n,)
        Where the sample comes from, ``"deposit"`` or ``"background"`` if from a cube.
    layers : tuple of str
        Names of the layers.
    spacing : tuple of float, optional
        Cell size along z, y, x in metres; None for points without a grid.
    notes : tuple of str
        What was left out, in sentences.

    Raises
    ------
    ValueError
        If the lengths differ, a label is neither 0 nor 1, or a positive has no group.
    """

    patches: NDArray[np.float32]
    label: NDArray[np.int8]
    group: NDArray[np.str_]
    xyz: FloatArray
    source: NDArray[np.str_]
    layers: tuple[str, ...]
    spacing: Float3 | None = None
    notes: tuple[str, ...] = ()

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


def from_cube(
    ds: xr.Dataset,
    deposits: Sequence[Deposit],
    *,
    rng: np.random.Generator,
    layers: Sequence[str] | None = None,
    patch_shape: Index3 = (3, 3, 3),
    background: int = 50_000,
    max_missing: int = 0,
) -> Samples:
    """Every cell of the known deposits, and background cells drawn at random without replacement.

    The background is drawn from all cells of the study volume outside the known deposits, with equal
    chances and no stand-off: `training_set` draws negatives from it, and evaluation ranks against it. The
    draw depends on the generator only, not on chunks.

    Parameters
    ----------
    ds : Dataset
        The cube.
    deposits : sequence of Deposit
        The known deposits. Blind ones must not be among them.
    rng : Generator
        Draws the background.
    layers : sequence of str, optional
        Layers of the patches, all by default.
    patch_shape : tuple of int
        Odd numbers of cells along z, y, x.
    background : int
        Number of background cells; all, if there are fewer.
    max_missing : int
        Cells with more of their own layers missing are left out.

    Returns
    -------
    Samples
        Deposits first, in the order given; notes say what was left out.

    Raises
    ------
    StudyError
        If a deposit has no cell, shares cells, lies outside the grid, or loses every cell to missing layers.
    """
    grid, names = cube.grid_of(ds), tuple(layers or cube.layers_of(ds))
    if not names:
        raise ValueError("the cube has no finished layer, so there is nothing to learn from. Build it first.")
    if not 0 <= max_missing < len(names):
        raise ValueError(f"max_missing is {max_missing}, it must be from 0 to below the {len(names)} layers.")
    labels.check_deposits(deposits)
    known = _known_cells(deposits, grid.shape)
    patch_shape = _odd(patch_shape)
    patches = take_patches(ds, known, names, patch_shape)
    complete = _complete(patches, max_missing)
    group = np.repeat([d.name for d in deposits], [len(d.cells) for d in deposits])
    notes = _lost(patches, complete, group, names)
    eligible = _eligible(ds, names, max_missing, known)
    flat = _draw(eligible, background, rng)
    drawn = np.column_stack(np.unravel_index(flat, grid.shape)).astype(np.int64)
    if len(drawn) < background:
        notes.append(f"only {len(drawn)} background cells have their layers, {background} were asked for.")
    cells = np.concatenate([known[complete], drawn])
    n, m = int(complete.sum()), len(drawn)
    return Samples(
        patches=np.concatenate([patches[complete], take_patches(ds, drawn, names, patch_shape)]),
        label=np.repeat(np.array([1, 0], dtype=np.int8), [n, m]),
        group=np.concatenate([group[complete], np.full(m, "", dtype=group.dtype)]),
        xyz=grid.xyz_of(cells),
        source=np.repeat(["deposit", "background"], [n, m]),
        layers=names,
        spacing=grid.spacing,
        notes=tuple(notes),
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


def training_set(
    samples: Samples,
    *,
    known: Sequence[str],
    stand_off: float,
    rng: np.random.Generator,
    left_out: Sequence[str] = (),
    ratio: float = 1.0,
    max_positives: int | None = None,
) -> Index:
    """Choose the samples that a fold may learn from.

    Positives are the cells of `known`; negatives are drawn from the background at least `stand_off` from
    them. A left-out deposit has no stand-off: the fold does not know it, so the ground around it may be
    drawn, as in life. Only samples whose patch shares a cell with a patch on a left-out deposit are dropped.

    Parameters
    ----------
    samples : Samples
        From a cube or a table.
    known : sequence of str
        Deposits to learn from.
    stand_off : float
        Smallest distance of a negative to a cell of a known deposit, centre to centre, in metres.
    rng : Generator
        Draws positives and negatives.
    left_out : sequence of str
        Deposits to be tested on, or to stop on.
    ratio : float
        Negatives per positive.
    max_positives : int, optional
        Most positives, drawn in equal parts from the deposits as far as they reach.

    Returns
    -------
    array of shape (n,)
        Rows of `samples`, positives first, each ascending.

    Raises
    ------
    ValueError
        If a name is not known or on both sides, no positive is left, or the background beyond the stand-off
        does not suffice.
    """
    _check_names(samples, known, left_out)
    _check_numbers(stand_off, ratio, max_positives)
    positive = (samples.label == 1) & np.isin(samples.group, list(known))
    tested = (samples.label == 1) & np.isin(samples.group, list(left_out))
    apart = ~_shares_cell(samples, samples.xyz, samples.xyz[tested])
    rows = np.flatnonzero(positive & apart)
    if not len(rows):
        raise ValueError(
            f"no positive is left: all {int(positive.sum())} cells of {_list(known)} have patches that share "
            f"cells with those of {_list(left_out)}. Join the deposits, or use smaller cells or patches."
        )
    chosen = _evenly(samples.group, rows, max_positives, rng)
    pool = np.flatnonzero((samples.label == 0) & apart)
    distance = labels.distance_to_cells(samples.xyz[pool], samples.xyz[positive])
    allowed = pool[distance >= stand_off]
    wanted = max(1, round(ratio * len(chosen)))
    if len(allowed) < wanted:
        farthest = f"{distance.max():.0f} m" if len(pool) else "nowhere"
        raise ValueError(
            f"{wanted} negatives are needed for {len(chosen)} positives, and {len(allowed)} of {len(pool)} "
            f"background samples lie at least {stand_off:g} m from {_list(known)} (farthest: {farthest}). "
            "Lower the stand-off or the ratio, or draw more background."
        )
    negatives = rng.choice(allowed, size=wanted, replace=False, shuffle=False)
    return np.concatenate([np.sort(chosen), np.sort(negatives)])


def split_random(index: ArrayLike, *, rng: np.random.Generator, share: float = 0.7) -> tuple[Index, Index]:
    """Split rows at random, as published; scores on such a test are optimistic, since neighbours share cells.

    Parameters
    ----------
    index : array of shape (n,)
        Rows, as from `training_set`.
    rng : Generator
        Draws them.
    share : float
        Share to train on.

    Returns
    -------
    train, test : arrays
        Rows, ascending.

    Raises
    ------
    ValueError
        If a side would be empty.
    """
    rows = rng.permutation(np.asarray(index, dtype=np.int64))
    cut = round(share * len(rows))
    if not 0 < cut < len(rows):
        raise ValueError(f"{len(rows)} samples cannot be split at {share:g}, one side would have none.")
    return np.sort(rows[:cut]), np.sort(rows[cut:])


def shared_cells(samples: Samples, train: ArrayLike, test: ArrayLike) -> int:
    """Count the test samples whose patch shares a cell with the patch of a training sample.

    Parameters
    ----------
    samples : Samples
        Both sides; without a spacing, samples at the same place are counted.
    train, test : array
        Rows.
    """
    tested = samples.xyz[np.asarray(test, dtype=np.int64)]
    trained = samples.xyz[np.asarray(train, dtype=np.int64)]
    return int(_shares_cell(samples, tested, trained).sum())


def _odd(patch_shape: Sequence[int]) -> Index3:
    z, y, x = patch_shape
    if min(z, y, x) < 1 or not z % 2 or not y % 2 or not x % 2:
        raise ValueError(f"a patch of {(z, y, x)} cells has no middle, each side must be odd.")
    return z, y, x


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))


def _check_names(samples: Samples, known: Sequence[str], left_out: Sequence[str]) -> None:
    strange = [name for name in (*known, *left_out) if name not in samples.deposits]
    if strange:
        raise ValueError(f"{_list(strange)} is not among the deposits {_list(samples.deposits)}.")
    both = [name for name in known if name in left_out]
    if both:
        raise ValueError(f"{_list(both)} cannot be known and left out at once.")
    if not known:
        raise ValueError("no deposit is known, so there is nothing to learn from. Name at least one.")


def _check_numbers(stand_off: float, ratio: float, max_positives: int | None) -> None:
    if not stand_off >= 0:
        raise ValueError(f"a stand-off of {stand_off:g} m is not possible, it must be 0 or above.")
    if not ratio > 0:
        raise ValueError(f"{ratio:g} negatives per positive are not possible, it must be above 0.")
    if max_positives is not None and max_positives < 1:
        raise ValueError(f"at most {max_positives} positives leave nothing to learn from, allow at least 1.")


def _shares_cell(samples: Samples, xyz: FloatArray, others: FloatArray) -> NDArray[np.bool_]:
    """Whether patches around ``xyz`` share a cell with any around ``others``."""
    if not len(others) or not len(xyz):
        return np.zeros(len(xyz), dtype=bool)
    if samples.spacing is None:
        size = np.full(3, 1e-6)
    else:
        size = np.multiply(samples.patch_shape, samples.spacing)[::-1]
    # Centres of patches that share a cell are less than a patch apart on every axis.
    origin = others[0]
    near = cKDTree((others - origin) / size).query(
        (xyz - origin) / size, p=np.inf, distance_upper_bound=1 - 1e-6
    )
    shares: NDArray[np.bool_] = np.isfinite(near[0])
    return shares


def _evenly(group: NDArray[np.str_], rows: Index, most: int | None, rng: np.random.Generator) -> Index:
    """At most so many rows, in equal parts from the groups as far as they reach."""
    if most is None or len(rows) <= most:
        return rows
    names, counts = np.unique(group[rows], return_counts=True)
    quota = np.zeros(len(names), dtype=np.int64)
    while (left := most - int(quota.sum())) > 0:
        open_groups = np.flatnonzero(quota < counts)
        if left < len(open_groups):  # the last ones go to the largest remainders
            largest = np.argsort(-(counts - quota)[open_groups], kind="stable")[:left]
            quota[open_groups[largest]] += 1
        else:
            quota[open_groups] = np.minimum(quota + left // len(open_groups), counts)[open_groups]
    parts = [
        rng.choice(rows[group[rows] == name], size=n, replace=False, shuffle=False)
        for name, n in zip(names, quota, strict=True)
    ]
    return np.concatenate(parts)


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


def _complete(patches: NDArray[np.float32], max_missing: int) -> NDArray[np.bool_]:
    z, y, x = (n // 2 for n in patches.shape[2:])
    complete: NDArray[np.bool_] = np.isnan(patches[:, :, z, y, x]).sum(axis=1) <= max_missing
    return complete


def _lost(
    patches: NDArray[np.float32], complete: NDArray[np.bool_], group: NDArray[np.str_], layers: Sequence[str]
) -> list[str]:
    z, y, x = (n // 2 for n in patches.shape[2:])
    missing = np.isnan(patches[:, :, z, y, x])
    notes, problems = [], []
    for name in dict.fromkeys(group.tolist()):
        own = group == name
        gone = own & ~complete
        if not gone.any():
            continue
        which = ", ".join(
            f"{layer!r} in {k}" for layer, k in zip(layers, missing[gone].sum(axis=0), strict=True) if k
        )
        said = (
            f"deposit {name!r}: {int(gone.sum())} of {int(own.sum())} cells are left out, outside the study "
            f"volume or without {which}"
        )
        if gone.sum() < own.sum():
            notes.append(f"{said}.")
        else:
            problems.append(f"{said}, so none is left. Leave out the layer, raise max_missing, or mask less.")
    if problems:
        raise StudyError(problems)
    return notes


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


def _draw(
    eligible: Sequence[tuple[int, int, NDArray[np.uint8]]], wanted: int, rng: np.random.Generator
) -> Index:
    """Flat numbers of cells drawn without replacement, ascending."""
    counts = [int(np.unpackbits(bits, count=size).sum()) for _, size, bits in eligible]
    total = sum(counts)
    drawn: Any = np.sort(rng.choice(total, size=min(wanted, total), replace=False, shuffle=False))
    ends = np.cumsum(counts)
    result = [np.empty(0, dtype=np.int64)]
    for (first, size, bits), count, end in zip(eligible, counts, ends, strict=True):
        part = drawn[(drawn >= end - count) & (drawn < end)] - (end - count)
        result.append(first + np.flatnonzero(np.unpackbits(bits, count=size))[part])
    return np.concatenate(result)
