"""Counts, ranges and bodies of a scene at any threshold, fast enough to follow a slider."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.grid import FloatArray
from mpm3d.view.counts import Readout, read_out, threshold_for
from mpm3d.view.faces import edges_from_origin
from mpm3d.view.scene import Scene
from mpm3d.view.skin import Blocks, pooled

_SMALL = 1_000_000  # cells that are drawn while dragging
_SAMPLE = 1_000_000  # values that the range of a layer is taken from
_BRICK = 24


class Levels:
    """A scene's scores, ready for thresholds.

    Counts are exact: of the scores themselves, at whatever threshold and however coarse the body is drawn.

    Parameters
    ----------
    scene : Scene
        The scene.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._ranges: dict[str, tuple[float, float]] = {}

    @cached_property
    def blocks(self) -> Blocks:
        """The scores in blocks."""
        return Blocks(self.scene.values)

    @cached_property
    def factor(self) -> int:
        """How many cells along each axis are one while dragging."""
        return int(np.ceil((self.scene.grid.n_cells / _SMALL) ** (1 / 2 if self.scene.flat else 1 / 3)))

    @cached_property
    def coarse_blocks(self) -> Blocks:
        """The same in larger cells, each with the best score of those in it."""
        return self.blocks if self.factor == 1 else Blocks(self.pooled(self.factor))

    def pooled(self, factor: int) -> NDArray[np.float32]:
        """The scores in cells ``factor`` times as long along each side, each with the best of those in it."""
        return self.scene.values if factor == 1 else pooled(self.scene.values, factor)

    @cached_property
    def n_scored(self) -> int:
        """Number of cells that have a score."""
        return sum(int(np.count_nonzero(np.isfinite(layer))) for layer in self.scene.values)

    def count(self, threshold: float) -> int:
        """Number of cells at or above a threshold."""
        least = np.float32(threshold)
        return sum(int(np.count_nonzero(layer >= least)) for layer in self.scene.values)

    def read_out(self, threshold: float) -> Readout:
        """Share of the volume and of the deposits' cells at or above a threshold."""
        return read_out(self.scene, threshold, n_cells=self.count(threshold))

    @cached_property
    def _at_or_above(self) -> NDArray[np.int64]:
        """Number of scored cells whose code is at least each code."""
        counts = np.zeros(65537, dtype=np.int64)
        for layer in self.blocks.codes:
            counts += np.bincount(layer.ravel(), minlength=65537)
        counts[0] = 0
        return np.cumsum(counts[::-1])[::-1]

    def threshold_for(self, share: float) -> float:
        """Score that keeps a share of the scored cells, ties are all kept."""
        if self.scene.flat:  # blocks of a map would be nearly empty, and take 17 times its cells
            return threshold_for(self.scene, share)
        total = int(self._at_or_above[0])
        if not total:
            return self.scene.threshold
        keep = min(total, max(1, round(share * total)))
        # the greatest code that has enough cells at or above it holds the score that is sought
        code = int(np.searchsorted(-self._at_or_above, -keep, side="right")) - 1
        above = int(self._at_or_above[code + 1])
        values = np.sort(self._scores_of(code))
        return float(values[len(values) - (keep - above)])

    def _scores_of(self, code: int) -> NDArray[np.float32]:
        """Scores of the cells with a code."""
        nz, ny, nx = self.scene.grid.shape
        codes = self.blocks.codes[1 : nz + 1, 1 : ny + 1, 1 : nx + 1]
        pairs = zip(self.scene.values, codes, strict=True)
        return np.concatenate([layer[part == code] for layer, part in pairs])

    def same_share(self, threshold: float, other: Levels) -> float:
        """Threshold that means to another model what this one means here: the same percentile."""
        alike = other.scene.units == self.scene.units
        if alike and self.scene.units.startswith("percentile"):
            return threshold
        share = self.count(threshold) / max(1, self.n_scored)
        if share == 0:  # above all scores there too
            return float(np.nextafter(np.float32(other.scene.score_range[1]), np.float32(np.inf)))
        return other.threshold_for(share)

    @cached_property
    def median(self) -> float:
        """Score that half of the scored cells reach; 0 where none has a score."""
        return self.threshold_for(0.5) if self.n_scored else 0.0

    def body(self, threshold: float, *, coarse: bool = False) -> Any:
        """Faces of the cells at or above a threshold as a mesh, a score each.

        Parameters
        ----------
        threshold : float
            Score.
        coarse : bool
            Of larger cells.

        Returns
        -------
        pyvista.PolyData
            From the scene's origin, z not exaggerated; empty if no cell is at or above the threshold.
        """
        import pyvista as pv

        blocks = self.coarse_blocks if coarse else self.blocks
        nodes, faces, cell = blocks.skin(threshold)
        if not len(faces):
            return pv.PolyData()
        step = self.factor if coarse else 1
        places = edges_from_origin(self.scene)
        ends = [np.minimum(nodes[:, axis] * step, len(places[axis]) - 1) for axis in range(3)]
        points: Any = np.column_stack([places[axis][ends[axis]] for axis in (2, 1, 0)])
        corners: Any = faces
        mesh = pv.PolyData.from_regular_faces(points, corners)
        mesh.cell_data["value"] = blocks.values.reshape(-1)[cell]
        return mesh

    def range_of(self, layer: str) -> tuple[float, float]:
        """Values between which nearly all of a layer of evidence lies, from a sample where it is large."""
        if layer not in self._ranges:
            self._ranges[layer] = _range(_sample(self.scene.evidence[layer]))
        return self._ranges[layer]


def _range(values: FloatArray) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = (float(v) for v in np.quantile(finite, (0.02, 0.98)))
    return low, high if high > low else low + 1e-6


def _sample(values: Any) -> FloatArray:
    """Values of all cells, or of bricks spread evenly over a large volume, which may lie in a file."""
    shape = tuple(int(n) for n in values.shape)
    if np.prod(shape) <= _SAMPLE:
        return np.asarray(values[...], dtype=np.float64).ravel()
    count = max(2, int(np.cbrt(_SAMPLE) // _BRICK))
    starts = [np.unique(np.linspace(0, max(0, n - _BRICK), count).astype(int)).tolist() for n in shape]
    bricks = [
        np.asarray(values[z : z + _BRICK, y : y + _BRICK, x : x + _BRICK], dtype=np.float64).ravel()
        for z in starts[0]
        for y in starts[1]
        for x in starts[2]
    ]
    return np.concatenate(bricks)
