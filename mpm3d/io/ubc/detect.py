"""What a UBC file is, and the mesh that a model belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from mpm3d.errors import FormatError
from mpm3d.geometry import Body
from mpm3d.io.files import head_text, read_head, stem_of, to_count, to_number
from mpm3d.io.options import Options
from mpm3d.io.rows import content, each_row, fail, numbers, rows, without_comments
from mpm3d.io.ubc.kinds import MANY, cells_of, mesh_kind
from mpm3d.io.ubc.locations import is_locations, read_locations
from mpm3d.io.ubc.octree import read_octree
from mpm3d.io.ubc.section import read_section
from mpm3d.io.ubc.tensor import read_model
from mpm3d.lattice import BlockModel, PropertyModel

_HEAD = 1 << 16
_Mesh = tuple[Path, str, int]  # with its kind and cells
# what the suffix of a model usually means: name and unit
_SUFFIXES = {
    ".den": ("density", "g/cm3"),
    ".sus": ("susceptibility", "SI"),
    ".con": ("conductivity", "S/m"),
    ".chg": ("chargeability", ""),
    ".res": ("resistivity", "ohm.m"),
    ".mod": ("", ""),
    ".fld": ("", ""),
    ".vec": ("", ""),
    ".amp": ("", ""),
    ".act": ("", ""),
}


def matches(path: Path, head: bytes) -> bool:
    """Whether a file is one of UBC programs: a mesh, a model, observations or blocks of a model builder.

    Its name decides where it is damaged, and whether several numbers on a line are a model.
    """
    text, whole = _beginning(head)
    if "\0" in text:
        return False
    kind = _kind(text)
    if kind == "tensor":
        return _is_named_mesh(path) or _is_tensor(text, whole)
    return bool(kind) or _is_blocks(text) or _is_model(path, text)


def _kind(text: str) -> str:
    """Kind of a mesh, or ``"locations"``, or nothing."""
    kind = mesh_kind(text)
    # the field of magnetic data may look like the counts of a tensor mesh
    return kind if kind in ("section", "octree") or not is_locations(text) else "locations"


def _beginning(head: bytes) -> tuple[str, bool]:
    """Text of the beginning of a file without comments, and whether it is all of it."""
    whole = len(head) < _HEAD
    text = without_comments(head_text(head))
    # else the last word may be cut
    return (text if whole else text.rstrip("0123456789.+-eEdD*naifNAIF")), whole


def _is_tensor(text: str, whole: bool) -> bool:
    """Whether widths follow as the counts say, so that a table of three columns is not taken for a mesh."""
    first = rows(text, 3)
    counts = first[0].counts() or [0]
    if not all(1 <= count <= MANY for count in counts):
        return False
    widths = 0
    for word in " ".join(text[first[1].end :].split()).replace(" *", "*").replace("* ", "*").split(" "):
        times, star, size = word.rpartition("*")
        repeat = to_count(times) if star else 1
        try:
            if repeat is None or not to_number(size) > 0:
                return False
        except ValueError:
            return False
        widths += repeat
    return widths == sum(counts) or (widths < sum(counts) and (not whole or len(first[2].words) == counts[0]))


def _is_blocks(text: str) -> bool:
    """Whether it is input of blk3cell: a background value, a number of blocks, seven numbers for each."""
    first = rows(text, 3)
    return (
        len(first) == 3
        and [len(row.words) for row in first] == [1, 1, 7]
        and to_count(first[1].words[0]) is not None
        and first[0].numbers() is not None
        and first[2].numbers() is not None
    )


def _is_model(path: Path, text: str) -> bool:
    """Whether there are only numbers, one on a line; the suffix of a model allows several, and damage."""
    named = _is_named_model(path)
    seen = 0
    for row in each_row(text):
        if len(row.words) > 1 and not named:
            return False
        if not row.are_numbers():
            return named and seen > 1
        seen += 1
    return seen > 1 or (seen == 1 and named)


def _is_named_mesh(path: Path) -> bool:
    return _suffix(path) == ".msh" or "mesh" in path.name.lower()


def _suffix(path: str | Path) -> str:
    """Suffix before ``.gz``, in small letters."""
    return Path(Path(path).name.lower().removesuffix(".gz")).suffix


def _is_named_model(path: str | Path) -> bool:
    return _suffix(path) in _SUFFIXES


def read_bodies(path: str | Path, options: Options) -> list[Body]:
    """Read whatever UBC file it is.

    A mesh alone has no values. A model needs its mesh: ``options.mesh``, or the only mesh in its folder that
    has as many cells as the model has values.

    Raises
    ------
    FormatError
        If it is none of them, damaged, or the mesh of a model is not known.
    """
    text = content(path)
    kind = _kind(text)
    if kind == "locations":
        return [read_locations(path)]
    # rows of three numbers may look like a mesh
    expected = options.mesh is not None or _is_named_model(path)
    if kind and not (kind == "tensor" and expected and not _is_tensor(text, whole=True)):
        return [_read(kind, path, {}, options)]
    if _is_blocks(text):
        fail(path, "this is input of blk3cell, which builds models from blocks, not a model. Read its model.")
    return [_model(path, text, options)]


def _read(
    kind: str, mesh: str | Path, models: Mapping[str, str | Path], options: Options
) -> PropertyModel | BlockModel:
    if kind == "octree":
        return read_octree(mesh, models, missing=options.missing)
    read = read_section if kind == "section" else read_model
    return read(mesh, models, missing=options.missing)


class _Size(NamedTuple):
    """Cells that a model file may belong to: by its numbers, as vectors, as 2D with its counts before."""

    plain: int
    vectors: int
    section: int

    def fits(self, kind: str, cells: int) -> bool:
        return cells > 0 and (cells in self[:2] or (kind == "section" and cells == self.section))


def _size(path: str | Path, text: str) -> _Size:
    found = len(numbers(path, text))
    first = rows(text, 1)
    if not first:
        fail(path, "there is no number in it, so it is neither a mesh nor a model.")
    counts = first[0].counts() or [0]
    nx, nz = counts if len(counts) == 2 else (0, 0)
    three = len(first[0].words) == 3 and found % 3 == 0
    return _Size(found, found // 3 if three else 0, nx * nz if nx * nz == found - 2 else 0)


def _model(path: str | Path, text: str, options: Options) -> Body:
    if options.mesh is not None:
        mesh, note = Path(options.mesh), f"The mesh is {Path(options.mesh).name}, as asked for."
        kind = mesh_kind(content(mesh))
        if not kind:
            fail(mesh, "this is no UBC mesh: its counts, corner and widths or cells are expected.")
    else:
        mesh, kind, note = _mesh_beside(path, _size(path, text))
    name, unit = _SUFFIXES.get(_suffix(path), ("", ""))
    # written by this package as <mesh>_<name>
    name = name or stem_of(path).removeprefix(f"{stem_of(mesh)}_")
    notes = [note]
    if unit:
        notes.append(f"{name!r} in {unit} is what the suffix usually means; the file does not say.")
    body = _read(kind, mesh, {name: path}, options)
    units = dict.fromkeys(body.values, unit) if unit else {}
    return replace(body, name=stem_of(path), units=units).noted(*notes)


def _likely(path: str | Path, meshes: list[_Mesh]) -> tuple[list[_Mesh], str]:
    """The meshes that a model may mean, and why: its name begins with theirs, or they say the same."""
    named = [mesh for mesh in meshes if stem_of(path).startswith(f"{stem_of(mesh[0])}_")]
    longest = max((len(stem_of(mesh[0])) for mesh in named), default=0)
    named = [mesh for mesh in named if len(stem_of(mesh[0])) == longest]
    if len(named) == 1:
        return named, "whose name that of the model begins with, one of several"
    words = {tuple(content(mesh).split()) for mesh, _, _ in meshes}
    return (meshes[:1], "one of several that say the same,") if len(words) == 1 else (meshes, "")


def _mesh_beside(path: str | Path, size: _Size) -> tuple[Path, str, str]:
    """The mesh in the folder of a model, its kind, and a sentence that names it."""
    fitting: list[_Mesh] = []
    for other in sorted(Path(path).resolve().parent.iterdir()):
        if not other.is_file() or other.name == Path(path).name:
            continue
        try:
            head = read_head(other, _HEAD)
        except (OSError, FormatError):
            continue
        beginning, whole = _beginning(head)
        kind, cells = cells_of(beginning)
        if kind == "tensor" and not _is_tensor(beginning, whole):
            continue
        if size.fits(kind, cells):
            fitting.append((other, kind, cells))
    why = "the only one in the folder"
    if len(fitting) > 1:
        fitting, why = _likely(path, fitting)
    if len(fitting) == 1:
        mesh, kind, cells = fitting[0]
        return mesh, kind, f"The mesh is {mesh.name}, {why} with {cells} cells."
    found = (
        "several meshes fit: " + ", ".join(m.name for m, _, _ in fitting) if fitting else "no mesh there fits"
    )
    raise FormatError(
        path,
        f"{size.plain} numbers alone say nothing of places, and of the files beside it {found}. "
        "Name the mesh: --mesh mesh.txt, or mesh=... of io.read.",
    )
