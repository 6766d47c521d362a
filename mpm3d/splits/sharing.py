"""Which samples share cells with which."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from mpm3d.grid import FloatArray
from mpm3d.samples import REFERENCE, Index, Samples


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
    return int(shares_cell(samples, tested, trained).sum())


def reference_rows(samples: Samples, *, trained: ArrayLike = ()) -> Index:
    """Rows of the uniform sample that scores are ranked against.

    Samples of a small volume or of a table have no reference of their own: it lies in the same cells as
    the pool, or is the pool. So the cells that were trained on are left out, wherever their row stands.

    Parameters
    ----------
    samples : Samples
        From a cube or a table.
    trained : array
        Rows that a model was fitted or stopped on.

    Returns
    -------
    array of shape (n,)
        Rows with the source ``"reference"``, or all with label 0 if there is none, without the cells of
        ``trained``; ascending.
    """
    rows = np.flatnonzero(samples.source == REFERENCE)
    if not len(rows):
        rows = np.flatnonzero(samples.label == 0)
    used = samples.xyz[np.asarray(trained, dtype=np.int64)]
    if not len(used) or not len(rows):
        return rows
    size = np.ones(3) if samples.spacing is None else np.array(samples.spacing)[::-1]
    gap, _ = cKDTree((used - used[0]) / size).query((samples.xyz[rows] - used[0]) / size)
    return np.asarray(rows[gap > 1e-6])


def shares_cell(samples: Samples, xyz: FloatArray, others: FloatArray) -> NDArray[np.bool_]:
    """Whether patches share a cell with any of the others.

    Parameters
    ----------
    samples : Samples
        Shape of the patches and size of the cells; without a spacing, only the same place is shared.
    xyz, others : arrays of shape (n, 3), (m, 3)
        Centres, in metres.

    Returns
    -------
    bool array of shape (n,)
    """
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
