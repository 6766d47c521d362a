"""Where Zarr stores lie, folders and fsspec URLs alike, how their values are packed and who writes what."""

from __future__ import annotations

import hashlib
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, BloscShuffle

from mpm3d.blocks import Block, tile
from mpm3d.grid import Index3, Window

Place = str | Path
Digest = tuple[Index3, bytes]  # first cell of a chunk, and the SHA-256 of its values
_T = TypeVar("_T")


def packing() -> BloscCodec:
    """How values are packed: Zstandard after their bytes are put side by side by significance."""
    return BloscCodec(cname="zstd", clevel=3, shuffle=BloscShuffle.shuffle)


def address(place: Place) -> str | Path:
    """A folder as a Path, a URL such as ``s3://bucket/cube.zarr`` as it is."""
    text = str(place)
    if text.startswith("file://"):
        return Path(url2pathname(urlsplit(text).path))
    return text if "://" in text else Path(place)


def exists(place: Place) -> bool:
    """Whether there is a Zarr store."""
    where = address(place)
    if isinstance(where, Path):
        return (where / "zarr.json").is_file()
    files, path = _files(where)
    return bool(files.isfile(f"{path.rstrip('/')}/zarr.json"))


def group(place: Place, mode: str = "r+") -> Any:
    """Open the group at the root of a store."""
    return zarr.open_group(address(place), mode=mode, zarr_format=3)  # type: ignore[arg-type]


def make_room(place: Place, *, overwrite: bool) -> None:
    """Remove the store that is there, if that was asked for; nothing but a Zarr store is ever removed.

    Raises
    ------
    FileExistsError
        If something is there and `overwrite` is not set, or it is not a Zarr store.
    """
    where = address(place)
    if _is_free(where):
        return
    if not overwrite:
        raise FileExistsError(f"{place} exists already. Choose another name, or give overwrite=True.")
    if not exists(place):
        raise FileExistsError(f"{place} is not a Zarr store, so it is not overwritten. Choose another name.")
    if isinstance(where, Path):
        shutil.rmtree(where)
    else:
        files, path = _files(where)
        files.rm(path, recursive=True)


def whole_shards(shards: Index3 | None, chunk: Index3, shape: Index3) -> Index3 | None:
    """Cells of a shard along z, y, x, cut to the grid and always whole chunks.

    Raises
    ------
    ValueError
        If a shard is not a whole number of chunks.
    """
    if shards is None:
        return None
    z, y, x = (min(s, -(-n // c) * c) for s, c, n in zip(shards, chunk, shape, strict=True))
    for name, cells, own in zip("zyx", (z, y, x), chunk, strict=True):
        if cells < 1 or cells % own:
            raise ValueError(
                f"shards of {shards} cells (z, y, x) are not whole chunks of {chunk} along {name}. "
                f"Use a multiple of {own}."
            )
    return z, y, x


def in_turn(write: Callable[[Block], _T], todo: Sequence[Block], *, workers: int = 1) -> Iterator[_T]:
    """Write blocks on so many threads, no more than these at a time, and give the results in order.

    Parameters
    ----------
    write : callable
        Gets a block. Threads share it where there is more than one worker.
    todo : sequence of Block
        What to write; no two of them in one chunk or shard.
    workers : int
        Threads; with 1 everything is done in the thread that asks.
    """
    if workers == 1:
        yield from map(write, todo)
        return
    at_work: deque[Future[_T]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for block in todo:
            if len(at_work) == workers:
                yield at_work.popleft().result()
            at_work.append(pool.submit(write, block))
        while at_work:
            yield at_work.popleft().result()


def parts(block: Block, chunk: Index3) -> Iterator[tuple[Window, Window]]:
    """Chunks of a block: their cells counted from its first, and in the whole grid."""
    starts = [cut.start for cut in block.core]
    for part in tile(block.shape, chunk):
        z, y, x = (slice(cut.start + a, cut.stop + a) for cut, a in zip(part.core, starts, strict=True))
        yield part.core, (z, y, x)


def digest(part: Window, values: NDArray[Any]) -> Digest:
    """SHA-256 of the values of a chunk, and where the chunk begins."""
    z, y, x = (cut.start for cut in part)
    return (z, y, x), hashlib.sha256(np.ascontiguousarray(values).tobytes()).digest()


def joined(digests: Iterable[Digest]) -> bytes:
    """One digest after the other in the order of the chunks, whatever blocks they were written in."""
    return b"".join(one for _, one in sorted(digests))


def _is_free(where: str | Path) -> bool:
    if isinstance(where, Path):
        return not where.exists() or (where.is_dir() and not any(where.iterdir()))
    files, path = _files(where)
    return not files.exists(path) or (files.isdir(path) and not files.ls(path))


def _files(url: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs  # type: ignore[import-untyped]

    files, path = url_to_fs(url)
    return files, str(path)
