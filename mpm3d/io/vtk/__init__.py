"""VTK files, of ParaView and PyVista: surfaces, lines, points, meshes and grids, read and written."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mpm3d.geometry import Body
from mpm3d.io.files import read_bytes
from mpm3d.io.options import Options
from mpm3d.io.vtk import lattices, meshes
from mpm3d.io.vtk.dataset import Dataset
from mpm3d.io.vtk.legacy import read_legacy
from mpm3d.io.vtk.write import SUFFIXES, write_vtk
from mpm3d.io.vtk.xml import read_xml

__all__ = ["SUFFIXES", "matches", "read_bodies", "read_vtk", "write_vtk"]


def matches(path: Path, head: bytes) -> bool:
    """Whether a file begins like a VTK file, XML or legacy."""
    start = head.lstrip(b"\xef\xbb\xbf \r\n\t")
    return start.startswith(b"# vtk DataFile Version") or b"<VTKFile" in start[:2048]


def read_vtk(path: str | Path) -> list[Body]:
    """Read a VTK file: ``.vtp``, ``.vti``, ``.vtr``, ``.vts``, ``.vtu`` or legacy ``.vtk``.

    PolyData become surfaces, lines and points; strips, quadrilaterals and polygons triangles. Images become
    models, or voxets where they are rotated or have values at points, which are the centres of cells then.
    Rectilinear grids become models, structured grids lattices of hexahedra, tetrahedra a volume, and boxes
    of one orientation a block model. Coordinates are taken as metres with z up.

    Parameters
    ----------
    path : str or Path
        The file, gzipped or not.

    Returns
    -------
    list of Body
        More than one where the file mixes cells of several sorts, or holds several objects as `write_vtk`
        writes them.

    Raises
    ------
    FormatError
        If it is damaged, lists other files only, or has cells of other shapes.

    References
    ----------
    The VTK User's Guide, VTK File Formats, docs.vtk.org/en/latest/design_documents/VTKFileFormats.html.
    """
    path = Path(path)
    content = read_bytes(path)
    legacy = content.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"# vtk")
    with np.errstate(over="ignore", invalid="ignore"):  # damaged numbers are found when they are checked
        return _bodies(read_legacy(path, content) if legacy else read_xml(path, content))


def read_bodies(path: Path, options: Options) -> list[Body]:
    """Everything in the file; see `read_vtk`. No option applies."""
    return read_vtk(path)


def _bodies(data: Dataset) -> list[Body]:
    make = {
        "PolyData": meshes.polydata, "UnstructuredGrid": meshes.unstructured, "ImageData": lattices.image,
        "RectilinearGrid": lattices.rectilinear, "StructuredGrid": lattices.structured,
    }[data.kind]  # fmt: skip
    _hide(data)
    bodies = [body.noted(*data.notes) for body in make(data)]
    if not bodies:
        data.fail(f"the {data.kind} is empty, it may have been written before there was anything in it.")
    return bodies


def _hide(data: Dataset) -> None:
    """Values of cells that VTK hides become NaN."""
    for arrays in (data.point_data, data.cell_data):
        ghost = arrays.pop("vtkGhostType", None)
        if ghost is None or not np.any(ghost):
            continue
        gone = ghost.reshape(len(ghost), -1)[:, 0] != 0
        data.notes.append(f"the values of {int(gone.sum())} places that VTK hides were set to NaN.")
        for name, values in arrays.items():
            if values.dtype.kind in "fiu":
                arrays[name] = values.astype(np.result_type(values.dtype, np.float32))
                arrays[name][gone] = np.nan
