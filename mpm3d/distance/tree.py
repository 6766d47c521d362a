"""Triangles in a tree of boxes, halved again and again along the longest side."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpm3d.grid import FloatArray

_LEAF = 8  # triangles of a leaf, at most


@dataclass(frozen=True, eq=False)
class Tree:
    """A complete binary tree over triangles; nothing in it changes, so threads may share it.

    Parameters
    ----------
    boxes : array of shape (2 n - 1, 6)
        Lowest and highest x, y, z of each node; the children of node i are 2 i + 1 and 2 i + 2, the last n
        nodes are leaves of equally many triangles.
    triangles : array of shape (m, 24)
        Of each triangle: a corner a and the edges ab (the longest) and ac; two vectors whose products with a
        point on a give its v and w in ``a + v ab + w ac``; one over the squared lengths of ab, ac and bc, 0
        for an edge without length; its box. Some triangles come twice, so that the leaves are full.
    """

    boxes: FloatArray
    triangles: FloatArray


def grow(corners: FloatArray) -> Tree:
    """Make the tree of triangles ``(n, corner, xyz)``, in metres on a near origin."""
    depth = max(0, math.ceil(math.log2(len(corners) / _LEAF)))
    rows = _halved(corners.mean(axis=1), depth)
    placed = corners[rows]
    low, high = placed.min(axis=1), placed.max(axis=1)
    boxes = []
    a, b = (ends.reshape(2**depth, -1, 3) for ends in (low, high))
    for _ in range(depth + 1):
        a, b = a.min(axis=1), b.max(axis=1)
        boxes.append(np.concatenate([a, b], axis=1))
        a, b = a.reshape(-1, min(2, len(a)), 3), b.reshape(-1, min(2, len(b)), 3)
    triangles = np.concatenate([_facts(placed), low, high], axis=1)
    return Tree(np.concatenate(boxes[::-1]), np.ascontiguousarray(triangles))


def _halved(centres: FloatArray, depth: int) -> NDArray[np.int64]:
    """Order of the triangles in which every level's nodes are neighbours, filled up with some twice."""
    n, leaves = len(centres), 2**depth
    total = leaves * -(-n // leaves)
    rows: NDArray[np.int64] = np.arange(total) * n // total
    for level in range(depth):
        part = rows.reshape(2**level, -1)
        own = centres[part]
        longest = np.argmax(np.ptp(own, axis=1), axis=1)
        key = np.take_along_axis(own, longest[:, None, None], axis=2)[:, :, 0]
        rows = np.take_along_axis(part, np.argsort(key, axis=1, kind="stable"), axis=1).reshape(-1)
    return rows


def _facts(corners: FloatArray) -> FloatArray:
    """What the distance to a triangle needs, ``(n, 18)``."""
    sides = np.roll(corners, -1, axis=1) - corners
    longest = np.argmax((sides**2).sum(axis=2), axis=1)
    a, b, c = np.moveaxis(
        np.take_along_axis(corners, ((longest[:, None] + np.arange(3)) % 3)[:, :, None], 1), 1, 0
    )
    ab, ac, bc = b - a, c - a, c - b
    per_ab, per_ac, per_bc = (_inverse((edge**2).sum(axis=1))[:, None] for edge in (ab, ac, bc))
    share = (ac * ab).sum(axis=1, keepdims=True) * per_ab  # foot of c on the longest edge
    height = ac - share * ab
    w = height * _inverse((height**2).sum(axis=1))[:, None]
    v = ab * per_ab - share * w
    return np.concatenate([a, ab, ac, v, w, per_ab, per_ac, per_bc], axis=1)


def _inverse(squares: FloatArray) -> FloatArray:
    some = squares > 1e-200
    return np.where(some, 1 / np.where(some, squares, 1.0), 0.0)
