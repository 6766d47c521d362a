"""The evidence cube: layers on one grid, a plain xarray Dataset in a Zarr store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError

from mpm3d import __version__, blocks, storage
from mpm3d.blocks import Block
from mpm3d.grid import Grid, Index3, Window
from mpm3d.storage import Digest, Place

Fill = Callable[[Grid], NDArray[Any]]
Progress = Callable[[int, int], None]

DIMS = ("z", "y", "x")
ROLE = "evidence"
STUDY_VOLUME = "study_volume"
CHUNK: Index3 = (50, 50, 50)
SOFTWARE = f"mpm3d {__version__}"
_AXES: dict[str, dict[str, str]] = {
    "z": {
        "axis": "Z", "standard_name": "height_above_mean_sea_level", "long_name": "elevation",
        "units": "m", "positive": "up",
    },
    "y": {"axis": "Y", "standard_name": "projection_y_coordinate", "long_name": "northing", "units": "m"},
    "x": {"axis": "X", "standard_name": "projection_x_coordinate", "long_name": "easting", "units": "m"},
}  # fmt: skip


def create(
    path: Place,
    grid: Grid,
    *,
    chunk: Index3 = CHUNK,
    shards: Index3 | None = None,
    attrs: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> None:
    """Make a store with coordinates and no layer; every cell is in the study volume at first.

    Parameters
    ----------
    path : str or Path
        Folder of the Zarr store, or an fsspec URL such as ``s3://bucket/cube.zarr``.
    grid : Grid
        Its cells.
    chunk : tuple of int
        Cells of a stored chunk along z, y, x; cut to the grid.
    shards : tuple of int, optional
        Cells of an object of the store, whole chunks: fewer and larger objects for object stores. Writers
        take whole shards then.
    attrs : mapping, optional
        More attributes of the Dataset, such as its title.
    overwrite : bool
        Whether to remove what is there.

    Raises
    ------
    FileExistsError
        If something is there and `overwrite` is not set.
    ValueError
        If pyproj does not know the coordinate system of the grid, or shards are not whole chunks.
    """
    template = empty(grid, chunk=chunk, shards=shards, attrs=attrs)
    storage.make_room(path, overwrite=overwrite)
    template.to_zarr(storage.address(path), mode="w-", zarr_format=3, consolidated=False)
    _volume_array(path)


def empty(
    grid: Grid,
    *,
    chunk: Index3 = CHUNK,
    shards: Index3 | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Dataset on the cells of a grid without any variable: coordinates, CRS and what `grid_of` needs.

    Parameters
    ----------
    grid : Grid
        The cells.
    chunk : tuple of int
        Cells of a stored chunk along z, y, x; cut to the grid.
    shards : tuple of int, optional
        Cells of a shard, whole chunks; cut to the grid.
    attrs : mapping, optional
        More attributes.

    Raises
    ------
    ValueError
        If pyproj does not know the coordinate system of the grid, or shards are not whole chunks.
    """
    z, y, x = (min(c, n) for c, n in zip(chunk, grid.shape, strict=True))
    whole = storage.whole_shards(shards, (z, y, x), grid.shape)
    about: dict[str, Any] = {"Conventions": "CF-1.11", "software": SOFTWARE, **(attrs or {})}
    about |= {
        "grid_shape": list(grid.shape), "grid_spacing": list(grid.spacing),
        "grid_corner": list(grid.corner), "grid_crs": grid.crs,
        "chunk": [z, y, x],
    }  # fmt: skip
    if whole is not None:
        about["shard"] = list(whole)
    coords: dict[str, Any] = {name: (name, grid.centres(axis), _AXES[name]) for axis, name in enumerate(DIMS)}
    coords["spatial_ref"] = ((), np.int64(0), _spatial_ref(grid.crs))
    return xr.Dataset(coords=coords, attrs=about)


def open(path: Place) -> xr.Dataset:
    """Open a cube; values are read from the store when asked for, without dask and without a cache.

    Parameters
    ----------
    path : str or Path
        Folder of the Zarr store.

    Raises
    ------
    FileNotFoundError
        If there is no store.
    """
    _check_there(path)
    return xr.open_dataset(storage.address(path), engine="zarr", chunks=None, cache=False, consolidated=False)


def add_layer(
    path: Place,
    name: str,
    fill: Fill,
    *,
    units: str,
    long_name: str,
    attrs: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    overwrite: bool = False,
    workers: int = 1,
) -> None:
    """Compute and write an evidence layer, one chunk (or shard) of each worker in memory at a time.

    A layer that was interrupted is not listed by `layers_of` and can be added again.

    Parameters
    ----------
    path : str or Path
        Folder of the Zarr store.
    name : str
        Name of the layer: letters, digits, ``_`` and ``-``.
    fill : callable
        Gets the `Grid` of one chunk, returns values ``(z, y, x)``; NaN where there is none.
    units : str
        Units of the values, ``"1"`` for none.
    long_name : str
        What it is, for legends.
    attrs : mapping, optional
        Lineage: ``source`` and ``source_sha256`` (lists), ``derivation`` (a sentence); and others.
    progress : callable, optional
        Called as ``progress(done, total)`` in chunks, or shards.
    overwrite : bool
        Whether a finished layer of that name may be replaced.
    workers : int
        Threads. More than 1 needs a `fill` that threads may share; what is written is the same.

    Raises
    ------
    ValueError
        If the name or the units are not usable, the layer exists, or `fill` returns another shape.
    """
    store = _store(path)
    _check_layer(store, name, units, overwrite=overwrite)
    grid, chunk = _grid_of_attrs(store.attrs), _chunk_of(store)
    array = _new_array(store, name, dtype="float32", fill_value=float("nan"))
    about = {**(attrs or {}), "units": units, "long_name": long_name, "software": SOFTWARE}
    volume = store[STUDY_VOLUME]

    def write(block: Block) -> list[Digest]:
        values, inside = np.empty(block.shape, dtype=np.float32), volume[block.core]
        digests = []
        for own, part in storage.parts(block, chunk):
            found = _filled(fill, grid.window(part), name)
            values[own] = np.where(inside[own], found, np.float32(np.nan))
            digests.append(storage.digest(part, values[own]))
        array[block.core] = values
        return digests

    found = _each_piece(store, write, workers=workers, progress=progress)
    digest = hashlib.sha256(json.dumps([name, units, list(chunk)]).encode() + found)
    # Written last, in one piece: a layer with a role is a finished one.
    array.attrs.update(
        {**about, "grid_mapping": "spatial_ref", "role": ROLE, "layer_hash": digest.hexdigest()}
    )


def set_study_volume(path: Place, fill: Fill, *, progress: Progress | None = None) -> None:
    """Say which cells are in the study volume; all others are missing in every layer.

    Parameters
    ----------
    path : str or Path
        Folder of the Zarr store.
    fill : callable
        Gets the `Grid` of one chunk, returns booleans ``(z, y, x)``.
    progress : callable, optional
        Called as ``progress(done, total)`` in chunks.

    Raises
    ------
    ValueError
        If the cube has layers already, whose missing cells would be those of another volume, or no cell is
        left.
    """
    store = _store(path)
    there = [name for name, array in store.arrays() if array.attrs.get("role") == ROLE]
    if there:
        raise ValueError(
            f"the study volume comes before the layers, and {', '.join(map(repr, sorted(there)))} is there. "
            "Create the cube again with overwrite=True."
        )
    grid, chunk = _grid_of_attrs(store.attrs), _chunk_of(store)
    array = _volume_array(path)
    counts = []

    def write(block: Block) -> list[Digest]:
        values, digests = np.empty(block.shape, dtype=bool), []
        for own, part in storage.parts(block, chunk):
            values[own] = _filled(fill, grid.window(part), STUDY_VOLUME)
            digests.append(storage.digest(part, np.packbits(values[own])))
        array[block.core] = values
        counts.append(int(values.sum()))
        return digests

    found = _each_piece(store, write, progress=progress)
    if not sum(counts):
        _volume_array(path)
        raise ValueError(
            "no cell is in the study volume. Check that the topography covers the grid and is in metres of "
            "elevation in the same coordinate system."
        )
    array.attrs.update({"layer_hash": hashlib.sha256(found).hexdigest(), "n_cells": sum(counts)})


def grid_of(ds: xr.Dataset) -> Grid:
    """Grid of a cube, or of a Dataset on the cells of one, a part of a cube included.

    Raises
    ------
    ValueError
        If it lacks the attributes or dimensions that a cube has.
    """
    if not set(DIMS) <= set(ds.sizes):
        raise ValueError(
            f"a Dataset on {tuple(map(str, ds.sizes))} is not a cube, it must lie on z, y and x."
        )
    whole = _grid_of_attrs(ds.attrs)
    shape = (ds.sizes["z"], ds.sizes["y"], ds.sizes["x"])
    first = tuple(float(ds[name].values[0]) for name in DIMS)
    if shape == whole.shape and np.allclose(first, whole.first_centre, rtol=0, atol=1e-6):
        return whole
    z, y, x = (c - d / 2 for c, d in zip(first, whole.spacing, strict=True))
    return Grid(shape, whole.spacing, (z, y, x), whole.crs)


def layers_of(ds: xr.Dataset) -> tuple[str, ...]:
    """Names of the finished evidence layers, in alphabetical order."""
    return tuple(sorted(str(name) for name in ds.data_vars if ds[name].attrs.get("role") == ROLE))


def hash_of(ds: xr.Dataset) -> str:
    """Fingerprint of the grid, the study volume and every layer, from what was noted when they were written.

    Raises
    ------
    ValueError
        If the Dataset is not a cube.
    """
    grid = grid_of(ds)
    layers = {name: ds[name].attrs["layer_hash"] for name in layers_of(ds)}
    volume = ds[STUDY_VOLUME].attrs.get("layer_hash", "") if STUDY_VOLUME in ds else ""
    content = [grid.shape, grid.spacing, grid.corner, grid.crs, volume, layers]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_window(ds: xr.Dataset, layers: Sequence[str], window: Window) -> NDArray[np.float32]:
    """Read layers in a window that may reach beyond the volume, straight from the store.

    Parameters
    ----------
    ds : Dataset
        The cube.
    layers : sequence of str
        Which layers, in this order.
    window : tuple of slice
        Start and stop along z, y, x; a start may be below 0 and a stop above the number of cells.

    Returns
    -------
    array of shape (layer, z, y, x)
        NaN beyond the faces of the volume and outside the study volume.

    Raises
    ------
    ValueError
        If the cube lacks some of the layers, or the window has no cell.
    """
    lacking = [name for name in layers if name not in ds.data_vars]
    if lacking:
        raise ValueError(
            f"the cube lacks the layers {', '.join(map(repr, lacking))}, it has "
            f"{', '.join(map(repr, layers_of(ds))) or 'none'}."
        )
    sizes = [ds.sizes[name] for name in DIMS]
    shape = tuple(cut.stop - cut.start for cut in window)
    if min(shape) < 1:
        raise ValueError(f"a window of {shape} cells (z, y, x) is empty, each stop must be above its start.")
    result = np.full((len(layers), *shape), np.nan, dtype=np.float32)
    source: Any = tuple(
        slice(max(cut.start, 0), min(cut.stop, n)) for cut, n in zip(window, sizes, strict=True)
    )
    if any(cut.start >= cut.stop for cut in source):
        return result
    target: Any = tuple(
        slice(have.start - cut.start, have.stop - cut.start) for have, cut in zip(source, window, strict=True)
    )
    outside = None if STUDY_VOLUME not in ds else ~ds[STUDY_VOLUME].variable[source].values.astype(bool)
    for number, name in enumerate(layers):
        values = ds[name].variable.transpose(*DIMS)[source].values
        result[(number, *target)] = values if outside is None else np.where(outside, np.nan, values)
    return result


def study_volume(ds: xr.Dataset, window: Window | None = None) -> NDArray[np.bool_]:
    """Whether cells are in the study volume, in a window inside the volume or everywhere."""
    cut: Any = window or (slice(None),) * 3
    if STUDY_VOLUME not in ds:
        z, y, x = (len(range(ds.sizes[name])[part]) for name, part in zip(DIMS, cut, strict=True))
        return np.ones((z, y, x), dtype=bool)
    values: NDArray[np.bool_] = ds[STUDY_VOLUME].variable[cut].values.astype(bool)
    return values


def chunk_of(ds: xr.Dataset) -> Index3:
    """Cells of a stored chunk along z, y, x."""
    z, y, x = ds.attrs.get("chunk", [min(c, ds.sizes[n]) for c, n in zip(CHUNK, DIMS, strict=True)])
    return int(z), int(y), int(x)


def shard_of(ds: xr.Dataset) -> Index3:
    """Cells of an object of the store along z, y, x: a shard, or a chunk where there are none.

    Two writers must never share one, so that what is written at a time is whole shards.
    """
    z, y, x = ds.attrs.get("shard", chunk_of(ds))
    return int(z), int(y), int(x)


def _spatial_ref(crs: str) -> dict[str, Any]:
    try:
        known = CRS.from_user_input(crs)
    except CRSError as error:
        message = f"the coordinate system {crs!r} is not known to pyproj, give one such as 'EPSG:32651'."
        raise ValueError(message) from error
    return {**known.to_cf(), "spatial_ref": known.to_wkt()}


def _check_there(path: Place) -> None:
    if not storage.exists(path):
        raise FileNotFoundError(f"there is no cube at {path}. Make it with: mpm3d build study.toml")


def _store(path: Place) -> Any:
    _check_there(path)
    return storage.group(path)


def _new_array(store: Any, name: str, **about: Any) -> Any:
    """An array on the cells, in the chunks and shards of the cube; one of that name is replaced."""
    return store.create_array(
        name, shape=store.attrs["grid_shape"], chunks=_chunk_of(store), shards=store.attrs.get("shard"),
        compressors=storage.packing(), dimension_names=DIMS, overwrite=True, **about,
    )  # fmt: skip


def _volume_array(path: Place) -> Any:
    """Study volume with every cell inside."""
    about = {
        "long_name": "1 inside the study volume", "units": "1", "role": STUDY_VOLUME,
        "grid_mapping": "spatial_ref",
    }  # fmt: skip
    return _new_array(_store(path), STUDY_VOLUME, dtype="bool", fill_value=True, attributes=about)


def _each_piece(
    store: Any,
    write: Callable[[Block], list[Digest]],
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> bytes:
    """Write the cube piece by piece, as many at a time as there are workers; the digests of all chunks."""
    piece = tuple(store.attrs.get("shard", store.attrs["chunk"]))
    todo = list(blocks.tile(tuple(store.attrs["grid_shape"]), piece, chunk=piece))
    digests: list[Digest] = []
    for done, found in enumerate(storage.in_turn(write, todo, workers=workers), start=1):
        digests += found
        if progress is not None:
            progress(done, len(todo))
    return storage.joined(digests)


def _check_layer(store: Any, name: str, units: str, *, overwrite: bool) -> None:
    if not name or not name.replace("_", "").replace("-", "").isalnum() or not name.isascii():
        raise ValueError(f"the layer name {name!r} is not usable, give letters, digits, '_' and '-' only.")
    if name in (*DIMS, "spatial_ref", STUDY_VOLUME):
        raise ValueError(f"the layer name {name!r} is taken by the cube itself, choose another.")
    if not units.strip():
        raise ValueError(f"layer {name!r} has no units, give them, or '1' for a number without.")
    if name in store and store[name].attrs.get("role") == ROLE and not overwrite:
        raise ValueError(f"layer {name!r} is in the cube already. Give overwrite=True to replace it.")


def _filled(fill: Fill, grid: Grid, name: str) -> NDArray[Any]:
    values = np.asarray(fill(grid))
    if values.shape != grid.shape:
        raise ValueError(
            f"layer {name!r}: {values.shape} values were computed for {grid.shape} cells (z, y, x)."
        )
    return values


def _grid_of_attrs(attrs: Mapping[str, Any]) -> Grid:
    lacking = [n for n in ("grid_shape", "grid_spacing", "grid_corner", "grid_crs") if n not in attrs]
    if lacking:
        raise ValueError(
            f"this is not a cube, it lacks the attributes {', '.join(lacking)}. Use cube.create."
        )
    shape, spacing, corner = (tuple(attrs[n]) for n in ("grid_shape", "grid_spacing", "grid_corner"))
    return Grid(shape, spacing, corner, str(attrs["grid_crs"]))


def _chunk_of(store: Any) -> Index3:
    z, y, x = store.attrs["chunk"]
    return int(z), int(y), int(x)
