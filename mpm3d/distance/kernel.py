"""The compiled loop of `Nearest`: packets of cells go down the tree of boxes together."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

# cells of a packet along z, y, x: 16 cells share what is read of the tree and fill the vector registers
PACKET = (2, 2, 4)
_SIZE = 16
# A box is passed over when it is farther than the best distance and this much more, so that rounding in the
# distance to a box never decides: the result is the smallest over all triangles, in whatever order.
_RELATIVE, _ABSOLUTE = 1e-9, 1e-12

# fastmath stays off: the same cell has to get the same bits in every chunk
_compiled = numba.njit(nogil=True, error_model="numpy", cache=True)
_inlined = numba.njit(nogil=True, error_model="numpy", inline="always")


@_inlined
def _clamp(value: Any) -> Any:
    value = value if value > 0.0 else 0.0
    return value if value < 1.0 else 1.0


@_inlined
def _gap(low: Any, high: Any, centre: Any, half: Any) -> Any:
    """Distance between two intervals, one by its ends, one by its centre and half its length."""
    gap = abs(0.5 * (low + high) - centre) - 0.5 * (high - low) - half
    return gap if gap > 0.0 else 0.0


@_inlined
def _to_box(box: Any, first: Any, middle: Any, half: Any) -> Any:
    """Squared distance between the box in ``box[first:first + 6]`` and that of a packet."""
    x = _gap(box[first], box[first + 3], middle[0], half[0])
    y = _gap(box[first + 1], box[first + 4], middle[1], half[1])
    z = _gap(box[first + 2], box[first + 5], middle[2], half[2])
    return x * x + y * y + z * z


@_compiled
def _measure(t: Any, xyz: Any, best: Any) -> Any:
    """Lower ``best`` to the squared distance to a triangle; gives the largest that is left.

    The nearest point of a triangle lies on an edge, or inside at ``a + v ab + w ac``. Each distance is one to
    a point of the triangle, so that what rounding does to v and w of a needle can never make it too small.
    """
    ax, ay, az = t[0], t[1], t[2]
    bx, by, bz, cx, cy, cz = t[3], t[4], t[5], t[6], t[7], t[8]
    ex, ey, ez = cx - bx, cy - by, cz - bz
    worst = 0.0
    for i in range(_SIZE):
        px, py, pz = xyz[0, i] - ax, xyz[1, i] - ay, xyz[2, i] - az
        s = _clamp((px * bx + py * by + pz * bz) * t[15])
        x, y, z = px - s * bx, py - s * by, pz - s * bz
        least = x * x + y * y + z * z
        s = _clamp((px * cx + py * cy + pz * cz) * t[16])
        x, y, z = px - s * cx, py - s * cy, pz - s * cz
        other = x * x + y * y + z * z
        least = other if other < least else least
        s = _clamp(((px - bx) * ex + (py - by) * ey + (pz - bz) * ez) * t[17])
        x, y, z = px - bx - s * ex, py - by - s * ey, pz - bz - s * ez
        other = x * x + y * y + z * z
        least = other if other < least else least
        v, w = px * t[9] + py * t[10] + pz * t[11], px * t[12] + py * t[13] + pz * t[14]
        x, y, z = px - v * bx - w * cx, py - v * by - w * cy, pz - v * bz - w * cz
        other = x * x + y * y + z * z
        other = other if (v >= 0.0) & (w >= 0.0) & (v + w <= 1.0) else least
        least = other if other < least else least
        best[i] = least if least < best[i] else best[i]
    for i in range(_SIZE):
        worst = max(worst, best[i])
    return worst


@_compiled
def _leaf(first: Any, stop: Any, triangles: Any, packet: Any, worst: Any) -> Any:
    """Measure the triangles of a leaf; gives the worst distance left and the triangle that was met last."""
    xyz, best, middle, half = packet
    last = -1
    for row in range(first, stop):
        t = triangles[row]
        if _to_box(t, 18, middle, half) <= worst * (1 + _RELATIVE) + _ABSOLUTE:
            before = best[0]
            worst = _measure(t, xyz, best)
            last = row if best[0] < before else last
    return worst, last


@_compiled
def _descend(boxes: Any, triangles: Any, packet: Any, stack: Any, worst: Any) -> Any:
    """Visit the boxes that can be nearer than the worst distance, the nearer half first."""
    nodes, gaps = stack
    _, _, middle, half = packet
    inner = len(boxes) // 2
    size = len(triangles) // (inner + 1)
    nodes[0], gaps[0], top, nearest = 0, _to_box(boxes[0], 0, middle, half), 1, -1
    while top > 0:
        top -= 1
        node = nodes[top]
        if gaps[top] > worst * (1 + _RELATIVE) + _ABSOLUTE:
            continue
        if node >= inner:
            first = (node - inner) * size
            worst, last = _leaf(first, first + size, triangles, packet, worst)
            nearest = last if last >= 0 else nearest
            continue
        left = 2 * node + 1
        a, b = _to_box(boxes[left], 0, middle, half), _to_box(boxes[left + 1], 0, middle, half)
        near = left if a < b else left + 1
        nodes[top], gaps[top] = 4 * node + 3 - near, max(a, b)  # left + right = 4 node + 3
        nodes[top + 1], gaps[top + 1] = near, min(a, b)
        top += 2
    return nearest


@_compiled
def _place(xyz: Any, middle: Any, half: Any, axes: Any, start: Any) -> None:
    """Centres of the cells of a packet; beyond the end of an axis the last cell again."""
    x, y, z = axes
    k0, j0, i0 = start
    for i in range(_SIZE):
        xyz[0, i] = x[min(i0 + i % 4, len(x) - 1)]
        xyz[1, i] = y[min(j0 + i // 4 % 2, len(y) - 1)]
        xyz[2, i] = z[min(k0 + i // 8, len(z) - 1)]
    for axis in range(3):
        middle[axis] = 0.5 * (xyz[axis, 0] + xyz[axis, _SIZE - 1])
        half[axis] = 0.5 * (xyz[axis, _SIZE - 1] - xyz[axis, 0])


@_compiled
def distances(axes: Any, cutoff: Any, boxes: Any, triangles: Any, result: Any) -> None:
    """Distance of every cell of a lattice to the nearest triangle, or the cutoff where that is less.

    Parameters
    ----------
    axes : tuple of three arrays
        Centres along x, y and z, ascending, on the origin of the tree.
    cutoff : float
        In metres.
    boxes, triangles : array
        As `tree.Tree` has them.
    result : array of shape (z, y, x)
        Takes the distances.
    """
    nz, ny, nx = result.shape
    xyz, best, middle, half = np.empty((3, _SIZE)), np.empty(_SIZE), np.empty(3), np.empty(3)
    packet, stack = (xyz, best, middle, half), (np.empty(128, np.int64), np.empty(128))
    nearest = -1
    for k in range(0, nz, 2):
        for j in range(0, ny, 2):
            for i in range(0, nx, 4):
                _place(xyz, middle, half, axes, (k, j, i))
                best[:] = cutoff * cutoff
                worst = cutoff * cutoff
                if nearest >= 0:  # what the packet before found is near this one too
                    worst = _measure(triangles[nearest], xyz, best)
                found = _descend(boxes, triangles, packet, stack, worst)
                nearest = found if found >= 0 else nearest
                for q in range(_SIZE):
                    c, b, a = k + q // 8, j + q // 4 % 2, i + q % 4
                    if c < nz and b < ny and a < nx:
                        result[c, b, a] = min(math.sqrt(best[q]), cutoff)
