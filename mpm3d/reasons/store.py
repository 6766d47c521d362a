"""The store of attributions: which cells are explained, its arrays, and its ledger of finished blocks."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d import __version__, companions, cube, storage
from mpm3d.blocks import Block, tile
from mpm3d.errors import StudyError
from mpm3d.grid import Index3, Window
from mpm3d.run import hash_of
from mpm3d.targets import Delineation
from mpm3d.work import Run

ATTRIBUTION, TARGET, LEDGER = "attribution", "target", "ledger"

_SIDE = 12  # cells of a block: a dense one takes a network about half a minute
_MOST_BLOCKS = 20_000
_MOST_TARGETS = np.iinfo(np.uint16).max

Cells = NDArray[np.int64]


@dataclass(frozen=True)
class Wanted:
    """Which scored cells are explained: all of the targets, and a lattice everywhere.

    Parameters
    ----------
    shape : tuple of int
        Cells of the volume along z, y, x.
    every : int
        Step of the lattice along each axis; 1 is the whole volume.
    """

    shape: Index3
    every: int

    @property
    def firsts(self) -> Index3:
        """Its first cell along z, y, x: half a step inside, or the middle of an axis shorter than a step."""
        z, y, x = (min(self.every // 2, (n - 1) // 2) for n in self.shape)
        return z, y, x

    def on_lattice(self, window: Window) -> NDArray[np.bool_]:
        """Whether the cells of a window are on the lattice."""
        z, y, x = (
            (np.arange(cut.start, cut.stop) - first) % self.every == 0
            for cut, first in zip(window, self.firsts, strict=True)
        )
        found: NDArray[np.bool_] = z[:, None, None] & y[:, None] & x
        return found

    def cells(self, window: Window, score: NDArray[np.float32], target: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether the cells of a window are explained; `target` is their number of a target, 0 for none."""
        found: NDArray[np.bool_] = ~np.isnan(score) & ((target > 0) | self.on_lattice(window))
        return found


def place_of(run: Run, number: int, name: str = "attributions.zarr") -> Path:
    """The store of attributions by one of the study's models, or another file that goes with it."""
    ending = f"_{run.study.models[number].kind}" if number else ""
    stem, suffix = name.rsplit(".", 1)
    return run.path(f"{stem}{ending}.{suffix}")


def blocks_of(store: Any) -> Iterator[Block]:
    """Blocks of the store, each a chunk of attributions."""
    chunk = tuple(store.attrs["chunk"])
    return tile(tuple(store.attrs["grid_shape"]), chunk, chunk=chunk)


def mark_of(wanted: NDArray[np.bool_]) -> int:
    """What the ledger says of a block once these of its cells are explained; never 0."""
    return zlib.crc32(np.packbits(wanted).tobytes()) | 1 << 32


def is_current(place: Path, identity: dict[str, Any]) -> bool:
    """Whether a store is there and was begun with this model, cube and settings."""
    return storage.exists(place) and storage.group(place, "r").attrs.get("run_hash") == hash_of(identity)


def prepare(place: Path, evidence: Any, identity: dict[str, Any], about: dict[str, Any]) -> str:
    """Make an empty store, or take the one that belongs to this model, cube and settings.

    Parameters
    ----------
    place : Path
        The store. One of another model, cube or settings is replaced: attributions of two are not mixed.
    evidence : Dataset
        The cube.
    identity : dict
        Of `subject_of`.
    about : dict
        Attributes: ``layers``, ``method``, ``background``, ``base`` and what else there is to say.

    Returns
    -------
    str
        What differs in the store that was replaced; empty if none was.

    Raises
    ------
    ValueError
        If something else lies there.
    """
    half = place.with_name(place.name + ".part")
    shutil.rmtree(half, ignore_errors=True)
    differs = ""
    if place.exists():
        begun = _begun(place)
        if begun == identity:
            storage.group(place).attrs.update(about)
            return ""
        differs = " and ".join(name for name in identity if begun.get(name) != identity[name])
    _create(half, evidence, identity, about)
    shutil.rmtree(place, ignore_errors=True)
    half.replace(place)
    return differs


def _begun(place: Path) -> dict[str, Any]:
    """What the store there was begun with."""
    try:
        found: dict[str, Any] = json.loads(storage.group(place, "r").attrs["run"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(
            f"{place} exists and is not a store of attributions, so it is left alone. Move it away and give "
            "the same command again."
        ) from None
    return found


def _create(path: Path, evidence: Any, identity: dict[str, Any], about: dict[str, Any]) -> None:
    grid, layers = cube.grid_of(evidence), list(about["layers"])
    chunk = _chunk(grid.shape)
    template = cube.empty(grid, chunk=chunk).assign_coords(layer=("layer", np.array(layers, dtype=object)))
    template.to_zarr(path, mode="w", zarr_format=3, consolidated=False)
    group = storage.group(path)
    group.create_array(
        ATTRIBUTION, shape=(len(layers), *grid.shape), chunks=(len(layers), *chunk), dtype="float32",
        fill_value=np.nan, compressors=storage.packing(), dimension_names=("layer", *cube.DIMS),
        attributes={
            "units": "1", "grid_mapping": "spatial_ref",
            "long_name": "what the layer adds to the score; NaN where not explained",
        },
    )  # fmt: skip
    counts = tuple(-(-n // c) for n, c in zip(grid.shape, chunk, strict=True))
    group.create_array(
        LEDGER, shape=(*counts, 2), chunks=(1, 1, 1, 2), dtype="int64", fill_value=0,
        dimension_names=("block_z", "block_y", "block_x", "entry"),
        attributes={"long_name": "which cells of a block are explained, as a checksum, and how many"},
    )  # fmt: skip
    group.attrs.update(
        title="Attributions of a prospectivity score. Conceptual; not a resource estimate.",
        run=json.dumps(identity, sort_keys=True), run_hash=hash_of(identity), model=identity["model"],
        software=f"mpm3d {__version__}", **about,
    )  # fmt: skip


def _chunk(shape: Index3) -> Index3:
    """Cells of a block along z, y, x."""
    side = _SIDE
    while prod(-(-n // side) for n in shape) > _MOST_BLOCKS:
        side *= 2
    z, y, x = (min(side, n) for n in shape)
    return z, y, x


def write_targets(place: Path, found: Delineation, chunk: Index3) -> None:
    """Write the number of the target of every cell, 0 for none, unless these targets are there already.

    Zones that targets were cut from have no number.

    Raises
    ------
    ValueError
        If there are more targets than numbers.
    """
    store, key = storage.group(place), targets_key(found)
    if TARGET in store and store[TARGET].attrs.get("key") == key:
        return
    if len(found.targets) > _MOST_TARGETS:
        raise ValueError(
            f"{len(found.targets):,} targets are too many to explain, {_MOST_TARGETS:,} are possible. "
            f"Give a larger [targets] {'min_area' if store.attrs['grid_shape'][0] == 1 else 'min_volume'}."
        )
    array = store.create_array(
        TARGET, shape=store.attrs["grid_shape"], chunks=chunk, dtype="uint16", fill_value=0,
        compressors=storage.packing(), dimension_names=cube.DIMS, overwrite=True,
        attributes={"long_name": "number of the target, 0 for none", "units": "1"},
    )  # fmt: skip
    split = split_zones(found)
    for number, target in enumerate(found.targets, start=1):
        if target.id not in split:
            for cells in target.parts():
                _put(array, cells, number, chunk)
    array.attrs.update(key=key, ids=[target.id for target in found.targets])


def split_zones(found: Delineation) -> set[str]:
    """Zones that targets were cut from: those are explained in full, the rest of the zone on the lattice."""
    return {target.zone for target in found.targets} - {""}


def targets_key(found: Delineation) -> str:
    """Hash of the targets and of where they are."""
    rows = [[t.id, t.n_cells, t.x, t.y, t.elevation, t.mean_score, t.zone] for t in found.targets]
    return hash_of(found.threshold, rows)


def _put(array: Any, cells: Cells, number: int, chunk: Index3) -> None:
    """Write a number at some cells, chunk by chunk."""
    low = (cells // np.array(chunk)).min(axis=0) * chunk
    high = np.minimum((cells // np.array(chunk)).max(axis=0) * chunk + chunk, array.shape)
    window = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    values = array[window]
    values[tuple((cells - low).T)] = number
    array[window] = values


def scores_of(run: Run, number: int) -> Any:
    """The array of scores of a model.

    Raises
    ------
    StudyError
        If the model has not scored the volume.
    """
    place, kind = companions.place_of(run, number), run.study.models[number].kind
    if not storage.exists(place):
        raise StudyError(
            f"{place.name} is not there, so the {run.space} has no scores by {kind} to explain. Score it "
            f"first: mpm3d predict study.toml --model {kind}"
        )
    return storage.group(place, "r")["score"]


def as_cells(flags: NDArray[np.bool_], window: Window) -> Cells:
    """Cells ``(n, 3)`` of the volume that are set in a window."""
    found: Cells = np.argwhere(flags) + np.array([cut.start for cut in window])
    return found
