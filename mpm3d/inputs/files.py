"""Files that the values of a layer come from, and the hash of all that they depend on."""

from __future__ import annotations

import re
from pathlib import Path

from mpm3d import io, vectors
from mpm3d.io.files import read_text
from mpm3d.run import hash_of
from mpm3d.study import (
    AssaysLayer,
    BandsLayer,
    Layer,
    ModelLayer,
    RasterLayer,
    Study,
    VectorLayer,
    VoxetLayer,
    sha256,
)

# a line of a GoCAD header that names a file of data, with its name
_DATA_FILE = r'(?m)^[ \t]*(?:PROP_FILE[ \t]+\d+|POINTS_FILE|ASCII_DATA_FILE)[ \t]+"?([^"\n]*[^"\s])'


def recipe(study: Study, layer: Layer, frame: str) -> str:
    """Hash of everything that the values of a layer depend on, ``frame`` being that of the cells."""
    files = [sha256(path) for path in sources(study, layer)]
    # which method is best, and what a forest estimates, is drawn with the seed of the study
    drawn = [study.seed] if isinstance(layer, AssaysLayer) else []
    return hash_of(frame, layer.model_dump(exclude={"role", "long_name"}), files, *drawn)


def sources(study: Study, layer: Layer) -> list[Path]:
    """Files that the values of a layer come from, those of data that a header names included."""
    paths = [study.path(name) for _, name in layer.paths()]
    if isinstance(layer, VoxetLayer | ModelLayer):
        paths += _data_files(study.path(layer.file))
    if isinstance(layer, RasterLayer | BandsLayer):
        paths += [beside for _, name in layer.paths() for beside in _beside(study.path(name))]
    if isinstance(layer, VectorLayer):
        paths += vectors.companions(study.path(layer.file))
    return paths


def _data_files(path: Path) -> list[Path]:
    """Files of points and values that a GoCAD header names, those that are there."""
    if not io.is_gocad(path):
        return []
    named = re.findall(_DATA_FILE, read_text(path))
    return [beside for name in dict.fromkeys(named) if (beside := path.parent / name).is_file()]


def _beside(path: Path) -> list[Path]:
    """What says where a raster lies, or holds its values, in files of their own."""
    names = [path.with_suffix("")] if path.suffix.lower() == ".ers" else []
    world = f"{path.suffix[:2]}{path.suffix[-1:]}w" if len(path.suffix) > 2 else ".wld"
    names += [path.with_name(path.name + ".aux.xml"), path.with_name(path.name + ".gi")]
    names += [path.with_suffix(end) for end in (world, ".tfw", ".wld", ".prj")]
    return [name for name in dict.fromkeys(names) if name.is_file() and name != path]
