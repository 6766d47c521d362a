"""The container of OMF 1: a header of 60 bytes, packed arrays, and objects as JSON at the end.

Read here and not by the package ``omf``, which unpacks whatever an array claims and takes seconds to load.
"""

from __future__ import annotations

import json
import struct
import uuid
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.geometry import Array
from mpm3d.grid import FloatArray
from mpm3d.io.files import read_bytes, replacing

MAGIC, VERSION = b"\x84\x83\x82\x81", b"OMF-v0.9.0"
_HEADER = struct.Struct("<4s32s16sQ")
_DTYPES = {"<f8": np.dtype("<f8"), "<i8": np.dtype("<i8")}
# zlib packs to 1032 to 1 at most
_TIGHTEST = 1032
Object = dict[str, Any]


class Project:
    """The objects of an OMF 1 file by their key.

    Parameters
    ----------
    path : Path
        The file, gzipped or not.

    Raises
    ------
    FormatError
        If it is OMF 2, another version, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.content = read_bytes(path)
        if self.content[:2] == b"PK":
            self.fail(
                "this is OMF 2 (a zip of Parquet files), OMF 1 is read. Export it as OMF 1 (version "
                "0.9), or as VTK, GoCAD or CSV."
            )
        if len(self.content) < _HEADER.size or self.content[:4] != MAGIC:
            self.fail("this is no OMF file, which begins with the bytes 84 83 82 81. It may be truncated.")
        _, version, key, start = _HEADER.unpack_from(self.content)
        if not version.startswith(VERSION):
            self.fail(f"the version is {version.rstrip(bytes(1))!r}, 'OMF-v0.9.0' (OMF 1) is read.")
        if not _HEADER.size <= start < len(self.content):
            self.fail(f"the objects should begin at byte {start} of {len(self.content)}. It is truncated.")
        try:
            objects = json.loads(self.content[start:].decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise FormatError(path, f"the list of objects is damaged or truncated ({error}).") from error
        self.objects: Object = objects if isinstance(objects, dict) else {}
        self.start = start
        self.root = self.object(str(uuid.UUID(bytes=key)), "Project")
        self._arrays: dict[tuple[int, int, str], Array] = {}

    def fail(self, reason: str) -> NoReturn:
        """Refuse the file."""
        raise FormatError(self.path, reason)

    def object(self, key: Any, *classes: str) -> Object:
        """The object of a key, of one of some classes (any if none is named)."""
        found = self.objects.get(key) if isinstance(key, str) else None
        if not isinstance(found, dict):
            self.fail(f"the object {str(key)[:40]!r} is missing, the file may be truncated.")
        if classes and found.get("__class__") not in classes:
            self.fail(
                f"an object is a {str(found.get('__class__'))[:40]!r}, {' or '.join(classes)} is needed."
            )
        return found

    def keys(self, owner: Object, name: str) -> list[Any]:
        """A list of keys."""
        found = owner.get(name) or []
        if not isinstance(found, list):
            self.fail(f"{name!r} should be a list of objects, it is {str(found)[:40]!r}.")
        return found

    def text(self, owner: Object, name: str) -> str:
        """A text, empty where there is none."""
        found = owner.get(name)
        return found if isinstance(found, str) else ""

    def vector(self, owner: Object, name: str, default: Sequence[float]) -> FloatArray:
        """Three numbers."""
        found = self.numbers(owner.get(name, list(default)), name)
        if len(found) != 3:
            self.fail(f"{name!r} has {len(found)} numbers, 3 are needed.")
        return found

    def numbers(self, values: Any, name: str) -> FloatArray:
        """A list of finite numbers of the JSON."""
        try:
            found = np.array(values, dtype=float)
        except (ValueError, TypeError, OverflowError):
            found = np.array([np.nan])
        if found.ndim != 1 or not np.all(np.abs(np.nan_to_num(found, nan=np.inf)) < 1e12):
            self.fail(f"{name!r} should be a list of finite numbers. The file is damaged.")
        return found

    def array(self, key: Any, width: int = 1, kind: str = "fi") -> Array:
        """Numbers of a packed array, ``(n,)`` or ``(n, width)``; read-only."""
        owner = self.object(key)
        place = owner.get("array")
        if not isinstance(place, dict):
            self.fail(f"a {owner.get('__class__')} has no numbers, it may belong to another version.")
        start: Any = place.get("start")
        length: Any = place.get("length")
        dtype = str(place.get("dtype"))
        if dtype not in _DTYPES or _DTYPES[dtype].kind not in kind:
            self.fail(f"an array holds {dtype[:20]!r}, {' or '.join(_DTYPES)} is needed.")
        whole = isinstance(start, int) and isinstance(length, int)
        if not whole or start < _HEADER.size or length < 0 or start + length > self.start:
            self.fail(
                f"an array at byte {str(start)[:20]} of length {str(length)[:20]} lies outside the file."
            )
        known = (start, length, dtype)
        if known not in self._arrays:
            self._arrays[known] = self._unpacked(start, length, _DTYPES[dtype])
        values = self._arrays[known]
        if len(values) % width:
            self.fail(f"an array has {len(values)} numbers, a multiple of {width} is needed.")
        return values if width == 1 else values.reshape(-1, width)

    def _unpacked(self, start: int, length: int, dtype: np.dtype[Any]) -> Array:
        unpack = zlib.decompressobj()
        try:
            content = unpack.decompress(self.content[start : start + length], length * _TIGHTEST + 64)
        except zlib.error as error:
            raise FormatError(self.path, f"the array at byte {start} is damaged ({error}).") from error
        if not unpack.eof or len(content) % dtype.itemsize:
            self.fail(f"the array at byte {start} is cut short.")
        return np.frombuffer(content, dtype)


class Writer:
    """Objects and arrays on their way to an OMF 1 file."""

    def __init__(self) -> None:
        self.objects: Object = {}
        self.blocks: list[bytes] = []
        self.at = _HEADER.size
        self.now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def add(self, kind: str, **fields: Any) -> str:
        """Add an object and give its key."""
        key = str(uuid.uuid4())
        self.objects[key] = {
            "date_created": self.now, "date_modified": self.now, **fields, "__class__": kind,
        }  # fmt: skip
        return key

    def array(self, kind: str, values: Array) -> str:
        """Pack numbers and give the key of their object."""
        numbers = np.asarray(values)
        plain = np.ascontiguousarray(numbers, dtype="<i8" if numbers.dtype.kind in "iub" else "<f8")
        packed = zlib.compress(plain.data)
        place = {"start": self.at, "length": len(packed), "dtype": plain.dtype.str}
        self.blocks.append(packed)
        self.at += len(packed)
        return self.add(kind, array=place)

    def save(self, path: Path, root: str) -> None:
        """Write the file, complete or not at all."""
        header = _HEADER.pack(MAGIC, VERSION, uuid.UUID(root).bytes, self.at)
        with replacing(path) as part, part.open("wb") as file:
            file.write(header)
            file.writelines(self.blocks)
            file.write(json.dumps(self.objects).encode())
