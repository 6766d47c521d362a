"""Files of the UBC Geophysical Inversion Facility: meshes, models on them, and observations."""

from __future__ import annotations

from mpm3d.io.ubc.detect import matches, read_bodies
from mpm3d.io.ubc.kinds import Edges
from mpm3d.io.ubc.locations import read_locations
from mpm3d.io.ubc.octree import read_octree, write_octree
from mpm3d.io.ubc.section import Place, read_section
from mpm3d.io.ubc.tensor import read_mesh, read_model, write_mesh
from mpm3d.io.ubc.values import write_model

__all__ = [
    "Edges",
    "Place",
    "matches",
    "read_bodies",
    "read_locations",
    "read_mesh",
    "read_model",
    "read_octree",
    "read_section",
    "write_mesh",
    "write_model",
    "write_octree",
]
