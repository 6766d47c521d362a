"""Spatial folds: blocks, cubes and slabs with a buffer around the one that is tested."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mpm3d.grid import FloatArray
from mpm3d.samples import REFERENCE, Index, Samples
from mpm3d.splits.sharing import shares_cell

Axis = Literal["x", "y", "z"]
# lower and upper corners (k, 2, 3), x, y, z, of the boxes that make up a region; infinite at the outside
Boxes = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BlockFold:
    """A part of space to test on, and the samples far enough from it to train on.

    Parameters
    ----------
    name : str
        Such as ``"block 1 of 3"``.
    test : array of shape (n,)
        Rows of every sample in the part: positives, background and reference.
    train : array of shape (m,)
        Rows of positives and background outside, at least the buffer away from the part, whose patches
        share no cell with a patch of ``test``. The reference is not trained on, so it is not among them.
    n_dropped : int
        Positives and background outside that the buffer takes away.
    n_positive : tuple of int
        Positives in ``train`` and in ``test``.
    """

    name: str
    test: Index
    train: Index
    n_dropped: int
    n_positive: tuple[int, int]


def default_buffer(samples: Samples, stand_off: float) -> float:
    """The length of a patch along its longest side plus the stand-off, in metres.

    Parameters
    ----------
    samples : Samples
        From a cube, or from a table, whose patches have no length without a spacing.
    stand_off : float
        Smallest distance of a negative to a known deposit, in metres.
    """
    if samples.spacing is None:
        return float(stand_off)
    return float(max(np.multiply(samples.patch_shape, samples.spacing)) + stand_off)


def block_folds(
    samples: Samples,
    *,
    folds: int,
    buffer: float,
    rng: np.random.Generator,
    size: float | None = None,
    axis: Axis | None = None,
) -> list[BlockFold]:
    """Cut space into parts, each tested on by what is learned beyond a buffer around it.

    Parameters
    ----------
    samples : Samples
        From a cube or a table.
    folds : int
        Number of parts, at least 2.
    buffer : float
        Least distance of a training sample from the tested part itself, not only from its samples, in
        metres: see `default_buffer`.
    rng : Generator
        Deals the cubes; nothing else is random.
    size : float, optional
        Cut into cubes with this edge in metres and deal them to the folds at random, those with positives
        first, so that folds have about equal numbers of positives and of samples.
    axis : {"x", "y", "z"}, optional
        Cut into slabs of equal numbers of samples along this axis. With neither, space is cut in two again
        and again in the widest gap between positives along any axis that leaves each side at least half of
        its due share of them, so that few deposits are cut and few positives lost to the buffer.

    Returns
    -------
    list of BlockFold
        Every sample is tested in exactly one.

    Raises
    ------
    ValueError
        If a number is out of range, space cannot be cut so often, or a fold has no positive to train or to
        test on, with the distances.
    """
    _check(samples, folds, buffer, size, axis)
    found = []
    for name, inside, boxes in _parts(samples, folds, rng, size, axis):
        distance = _distance(samples.xyz, boxes)
        trainable = ~inside & (samples.source != REFERENCE)
        shares = shares_cell(samples, samples.xyz, samples.xyz[inside])
        train = trainable & (distance >= buffer) & ~shares
        positive = samples.label == 1
        n_positive = int((train & positive).sum()), int((inside & positive).sum())
        if not all(n_positive):
            raise ValueError(_no_positive(name, n_positive, distance[positive & ~inside], buffer))
        n_dropped = int(trainable.sum() - train.sum())
        found.append(BlockFold(name, np.flatnonzero(inside), np.flatnonzero(train), n_dropped, n_positive))
    return found


def _check(samples: Samples, folds: int, buffer: float, size: float | None, axis: str | None) -> None:
    if folds < 2:
        raise ValueError(f"{folds} spatial folds are not possible, it must be at least 2.")
    if not 0 <= buffer < np.inf:
        raise ValueError(f"a buffer of {buffer:g} m is not possible, it must be 0 or above.")
    if size is not None and axis is not None:
        raise ValueError(f"cubes of {size:g} m and slabs along {axis} were both asked for, choose one.")
    if size is not None and not 0 < size < np.inf:
        raise ValueError(f"cubes of {size:g} m are not possible, the size must be above 0.")
    if axis not in (None, "x", "y", "z"):
        raise ValueError(f"slabs along {axis!r} are not possible, choose 'x', 'y' or 'z'.")
    if not samples.deposits:
        raise ValueError("the samples have no positive, so no part of space can be tested. Label some cells.")


def _parts(
    samples: Samples, folds: int, rng: np.random.Generator, size: float | None, axis: Axis | None
) -> Iterator[tuple[str, NDArray[np.bool_], Boxes]]:
    """Name of each part, which samples are inside, and its boxes."""
    if size is not None:
        corners, fold = _dealt(samples, folds, size, rng)
        for number in range(folds):
            own = np.unique(corners[fold == number], axis=0)
            yield f"cubes {number + 1} of {folds}", fold == number, np.stack([own, own + size], axis=1)
        return
    everywhere = np.array([[-np.inf] * 3, [np.inf] * 3])
    if axis is None:
        name, boxes = "block", _cut(samples.xyz[samples.label == 1], folds, everywhere)
    else:
        name, boxes = "slab", _cut(samples.xyz, folds, everywhere, axis="xyz".index(axis))
    for number, (low, high) in enumerate(boxes, start=1):
        inside = ((samples.xyz >= low) & (samples.xyz < high)).all(axis=1)
        along = f" along {axis}" if axis else ""
        yield f"{name} {number} of {folds}{along}", inside, np.stack([low, high])[None]


def _cut(places: FloatArray, parts: int, box: FloatArray, axis: int | None = None) -> list[FloatArray]:
    """Cut a box in two again and again: along one axis into equal numbers of places, or where they part."""
    if parts == 1:
        return [box]
    extent = np.ptp(places, axis=0)
    axes = [int(one) for one in np.argsort(-extent, kind="stable")] if axis is None else [axis]
    if not extent[axes[0]] > 0:
        what = "positives at one place" if axis is None else f"samples at one {'xyz'[axes[0]]}"
        raise ValueError(
            f"{len(places)} {what} cannot be cut into {parts} parts. Use fewer folds, or cut otherwise."
        )
    first = parts // 2
    slack = 1 / (2 * parts) if axis is None else 0.0
    found = [(*_gap(places[:, one], first / parts, slack), one) for one in axes if extent[one] > 0]
    # a fair cut, then the widest gap; the longest axis where they are alike
    _, _, middle, along = max(found, key=lambda place: place[:2])
    low, high = box.copy(), box.copy()
    low[1, along] = high[0, along] = middle
    below = places[:, along] < middle
    return [
        *_cut(places[below], first, low, axis),
        *_cut(places[~below], parts - first, high, axis),
    ]


def _gap(places: FloatArray, share: float, slack: float) -> tuple[bool, float, float]:
    """Whether a cut is fair, width and middle of the widest gap that leaves about a share of places below.

    ``slack`` is how far that share may be off; where no gap is within it, the nearest to the share is taken.
    """
    values, counts = np.unique(places, return_counts=True)
    off = np.abs(np.cumsum(counts)[:-1] / len(places) - share)
    width = np.round(np.diff(values), 3)  # grids have dust in their last digits
    width[off > max(slack, off.min())] = -1.0
    widest = np.flatnonzero(width == width.max())
    k = int(widest[np.argmin(off[widest])])
    middle = (values[k] + values[k + 1]) / 2
    middle = middle if middle > values[k] else values[k + 1]  # two floats may have none between them
    return bool(off[k] <= slack), float(width[k]), float(middle)


def _dealt(samples: Samples, folds: int, size: float, rng: np.random.Generator) -> tuple[FloatArray, Index]:
    """Lower corner of each sample's cube, and the fold that the cube is dealt to."""
    origin = samples.xyz.min(axis=0)
    cubes, of_cube = np.unique(np.floor((samples.xyz - origin) / size), axis=0, return_inverse=True)
    of_cube = of_cube.ravel()
    n = np.bincount(of_cube)
    n_positive = np.bincount(of_cube, weights=samples.label)
    if len(n) < folds:
        raise ValueError(
            f"the samples fill {len(n)} cubes of {size:g} m, too few for {folds} folds. Use smaller cubes."
        )
    order = rng.permutation(len(n))
    order = order[np.argsort(n_positive[order] == 0, kind="stable")]  # those with positives first
    dealt = np.empty(len(n), dtype=np.int64)
    have, have_positive = np.zeros(folds), np.zeros(folds)
    for cube in order:
        filled = have_positive if n_positive[cube] else have
        fold = int(np.argmin(filled))
        dealt[cube] = fold
        have[fold] += n[cube]
        have_positive[fold] += n_positive[cube]
    return origin + cubes[of_cube] * size, dealt[of_cube]


def _distance(xyz: FloatArray, boxes: Boxes) -> FloatArray:
    """Distance of points to the nearest of some boxes, 0 inside; many boxes must be cubes of one size."""
    if len(boxes) == 1:
        return _to_box(xyz, boxes[0, 0], boxes[0, 1])
    middles, half = boxes.mean(axis=1), float(np.ptp(boxes[0, :, 0])) / 2
    tree = cKDTree(middles)
    # The nearest box need not have the nearest middle, but its middle is not much farther away.
    _, nearest = tree.query(xyz)
    bound = _to_box(xyz, boxes[nearest, 0], boxes[nearest, 1])
    result = np.empty(len(xyz))
    for start in range(0, len(xyz), 10_000):
        rows = slice(start, start + 10_000)
        near = tree.query_ball_point(xyz[rows], bound[rows] + half * np.sqrt(3) * (1 + 1e-9))
        sizes = [len(some) for some in near]
        which = np.concatenate(near).astype(np.int64)
        apart = _to_box(np.repeat(xyz[rows], sizes, axis=0), boxes[which, 0], boxes[which, 1])
        result[rows] = np.minimum.reduceat(apart, np.cumsum([0, *sizes[:-1]]))
    return result


def _to_box(xyz: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    apart = np.maximum(np.maximum(low - xyz, xyz - high), 0)
    return np.asarray(np.sqrt((apart**2).sum(axis=1)))


def _no_positive(name: str, n_positive: tuple[int, int], distance: FloatArray, buffer: float) -> str:
    fewer = "Use fewer or larger parts, a smaller buffer, or leave deposits out instead."
    if not n_positive[1]:
        return f"{name} has no positive to test on, the nearest lies {distance.min():.0f} m from it. {fewer}"
    if not len(distance):
        return f"{name} holds all {n_positive[1]} positives, so none is left to train on. {fewer}"
    return (
        f"{name} leaves no positive to train on: the {len(distance)} outside it lie {distance.min():.0f} to "
        f"{distance.max():.0f} m from it, and the buffer is {buffer:g} m. {fewer}"
    )
