"""Layers beside the score in a prospectivity store: written block by block, resumable, redone when stale."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm3d import cube, evaluate, storage
from mpm3d.blocks import Block, tile
from mpm3d.grid import Index3, Window
from mpm3d.predict.store import locked

ROLE = "companion"
NO_VALUE = 255  # of a layer of whole numbers, where there is no score

Progress = Callable[[int, int], None]
Values = dict[str, NDArray[Any]]
Fill = Callable[[Window, NDArray[np.float32]], tuple[Values, Sequence[float]]]


@dataclass(frozen=True)
class Layer:
    """A layer beside the score.

    Parameters
    ----------
    name, long_name, units : str
        What it is.
    dtype : str
        ``"float32"``, NaN where there is no value, or ``"uint8"``, 255 there.
    attrs : dict
        More attributes, such as CF flags.
    """

    name: str
    long_name: str
    units: str = "1"
    dtype: str = "float32"
    attrs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Group:
    """Layers that are computed together.

    Parameters
    ----------
    name : str
        Its name in the store.
    key : str
        Hash of everything that the values depend on.
    layers : tuple of Layer
        What is written; a group may also be there for its sums only.
    sums : tuple of str
        What is summed over the volume.
    fill : callable
        Gets a window and its scores ``(z, y, x)``, NaN where there is none; returns the values of each layer
        there and the summands of the window. Threads share it.
    """

    name: str
    key: str
    layers: tuple[Layer, ...]
    sums: tuple[str, ...]
    fill: Fill


def write_group(
    place: Path, group: Group, *, workers: int = 1, progress: Progress | None = None
) -> dict[str, float]:
    """Write the layers of a group, or the blocks of them that are not there yet.

    Parameters
    ----------
    place : Path
        A prospectivity store that is finished.
    group : Group
        What to write. One with another key is begun again.
    workers : int
        Blocks at a time.
    progress : callable, optional
        Called as ``progress(done, total)`` in blocks.

    Returns
    -------
    dict of str to float
        The sums over all blocks, earlier ones included.

    Raises
    ------
    RuntimeError
        If another run is writing the store.
    """
    with locked(place):
        store = storage.group(place)
        ledger = _ledger(store, group)
        marks = ledger[...][..., 0] == 1
        score, arrays = store["score"], {layer.name: store[layer.name] for layer in group.layers}

        def write(block: Block) -> None:
            values, summands = group.fill(block.core, score[block.core])
            for name, array in arrays.items():
                array[block.core] = values[name]
            ledger[block.index] = np.array([1.0, *summands])  # after the data: it marks the block as finished

        every = list(_blocks(store))
        todo = [block for block in every if not marks[block.index]]
        for done, _ in enumerate(storage.in_turn(write, todo, workers=workers), start=1):
            if progress is not None:
                progress(len(every) - len(todo) + done, len(every))
        for array in arrays.values():
            if array.attrs.get("companion_hash") != group.key:
                array.attrs.update(role=ROLE, companion_hash=group.key)
        totals = ledger[...].reshape(-1, 1 + len(group.sums))[:, 1:].sum(axis=0)
        return dict(zip(group.sums, totals.tolist(), strict=True))


def write_percentiles(place: Path, key: str, known: NDArray[np.int64]) -> int:
    """Write the percent of eligible cells that score lower, for each of them; the volume is never in memory.

    Parameters
    ----------
    place : Path
        A prospectivity store that is finished.
    key : str
        Hash of what the values depend on.
    known : array of shape (n, 3)
        Cells of the known deposits, which are not eligible and get no value.

    Returns
    -------
    int
        Number of eligible cells.
    """
    with locked(place):
        store = storage.group(place)
        there = store["percentile"].attrs if "percentile" in store else {}
        if there.get("companion_hash") == key:
            return int(there["n_cells"])
        shape: Index3 = tuple(store.attrs["grid_shape"])
        layer = Layer("percentile", "percent of the eligible cells that score lower, ties at mid-rank", "%")
        array, count = _new(store, layer), [0]

        def scores() -> Iterator[tuple[Window, NDArray[np.float32]]]:
            count[0] = 0
            for block in _blocks(store):
                values = without(store["score"][block.core], known, block.core)
                count[0] += int((~np.isnan(values)).sum())
                yield block.core, values

        evaluate.percentiles(scores, shape, out=array)
        array.attrs.update(role=ROLE, companion_hash=key, n_cells=count[0])
        return count[0]


def without(values: NDArray[Any], cells: NDArray[np.int64], window: Window) -> NDArray[Any]:
    """Values of a window with NaN at some cells of the volume ``(n, 3)``."""
    low, high = (np.array([getattr(cut, end) for cut in window]) for end in ("start", "stop"))
    inside = cells[((cells >= low) & (cells < high)).all(axis=1)] - low
    result = values.copy()
    result[tuple(inside.T)] = np.nan
    return result


def drop(place: Path, group: str, layers: Sequence[str]) -> bool:
    """Remove the layers of a group that no longer hold; whether there were any."""
    with locked(place):
        store = storage.group(place)
        there = [name for name in (f"ledger_{group}", *layers) if name in store]
        for name in there:
            del store[name]
        return bool(there)


def _blocks(store: Any) -> Iterator[Block]:
    chunk = tuple(store.attrs["chunk"])
    return tile(tuple(store.attrs["grid_shape"]), chunk, chunk=chunk)


def _ledger(store: Any, group: Group) -> Any:
    """The group's ledger: 1 for a finished block, then its summands; a new one begins the group again."""
    name, width = f"ledger_{group.name}", 1 + len(group.sums)
    whole = all(layer.name in store for layer in group.layers)
    if name in store and whole and store[name].attrs.get("key") == group.key:
        return store[name]
    if name in store:
        del store[name]  # first, so that no kill leaves marks of blocks that are no more
    for layer in group.layers:
        _new(store, layer)
    index = list(_blocks(store))[-1].index
    blocks = tuple(last + 1 for last in index)
    return store.create_array(
        name, shape=(*blocks, width), chunks=(1, 1, 1, width), dtype="float64", fill_value=0.0,
        dimension_names=("block_z", "block_y", "block_x", f"sum_{group.name}"),
        attributes={
            "key": group.key, "long_name": f"1 where a block is finished, then: {', '.join(group.sums)}",
        },
    )  # fmt: skip


def _new(store: Any, layer: Layer) -> Any:
    """An empty array for a layer; one of that name is replaced."""
    whole = layer.dtype == "uint8"
    about: dict[str, Any] = {"_FillValue": NO_VALUE} if whole else {}
    about |= {"units": layer.units, "long_name": layer.long_name, "grid_mapping": "spatial_ref"}
    return store.create_array(
        layer.name, shape=store.attrs["grid_shape"], chunks=tuple(store.attrs["chunk"]), dtype=layer.dtype,
        fill_value=NO_VALUE if whole else np.nan, compressors=storage.packing(), dimension_names=cube.DIMS,
        overwrite=True, attributes={**about, **layer.attrs},
    )  # fmt: skip
