"""Files of one format made into another: what ``mpm3d convert`` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mpm3d.exchange.choices import Choices
from mpm3d.exchange.grids import resampled, snapped
from mpm3d.exchange.sources import chosen, crs_of, extent, merged, read_all, read_store, registered
from mpm3d.geometry import Body, Surface, Tetrahedra
from mpm3d.io import export
from mpm3d.io.boxes import model_of
from mpm3d.io.savers import Written
from mpm3d.lattice import BlockModel, PropertyModel, Raster, StructuredGrid, Voxet
from mpm3d.resampling import Model

__all__ = ["Choices", "convert", "read_store", "snapped"]
Say = Callable[[str], None]
# formats whose cells lie along x, y and z, those of them that may be turned, and those of cells of one size
_ALIGNED = (".vtr", ".csv", ".msh", ".rho", ".tif")
_TURNED = (".rho", ".tif")  # about the vertical
_EQUAL = (".vo", ".vti", ".tif")
_ROWS = {*_ALIGNED, *_EQUAL, ".omf"}


def convert(inputs: Sequence[Path], output: Path, choices: Choices, say: Say) -> Written:
    """Read files and write what is in them as another format.

    Parameters
    ----------
    inputs : sequence of Path
        Anything that ``io.read`` reads; a UBC mesh followed by models on it; or a store of this package
        (``cube.zarr``, ``prospectivity.zarr``).
    output : Path
        The file to write, see `io.export.write`.
    choices : Choices
        What is left open.
    say : callable
        Gets a line for everything that is read, decided and written.

    Returns
    -------
    Written
        The files that were written.

    Raises
    ------
    ValueError, OSError, ImportError
        If a file cannot be read, or the format does not hold what is in it; the message says what would do.
    """
    suffix, _ = export.format_for(output)
    _check_output(inputs, output)
    bodies = read_all(inputs, choices, say)
    bodies = chosen([registered(body, choices.registration) for body in bodies], choices.properties)
    crs = crs_of(bodies, choices.crs)
    bodies = merged(bodies)
    if choices.spacing is not None or choices.like is not None:
        bodies = resampled(bodies, choices, crs, say)
    bodies = _fitting(bodies, suffix, choices, say)
    for body in bodies:
        _check_aligned(body, suffix)
    written = export.write(output, bodies, crs=crs)
    for note in written.notes:
        say(f"  {note}")
    for path in written.paths:
        say(f"wrote {path}, {path.stat().st_size:,} bytes")
    say(f"  {extent(bodies)}")
    return written


def _check_output(inputs: Sequence[Path], output: Path) -> None:
    if not inputs:
        raise ValueError("name a file to read and a file to write: mpm3d convert IN OUT.")
    if any(path.exists() and output.exists() and path.samefile(output) for path in inputs):
        raise ValueError(f"{output} would be written over itself. Give another name.")
    if not output.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {str(output.parent)!r} to write {output.name} to.")


def _fitting(bodies: Sequence[Body], suffix: str, choices: Choices, say: Say) -> list[Body]:
    """Bodies that the format holds; others are refused by the writer unless they may be skipped."""
    if suffix == ".msh" and choices.format is not None:
        wrong = [b for b in bodies if isinstance(b, Surface | Raster) != (choices.format == "leapfrog")]
        if wrong:
            what = "a surface" if choices.format == "leapfrog" else "a model of cells"
            raise ValueError(f"{wrong[0].name!r} is not {what}, which a {choices.format} mesh holds.")
    if choices.options.errors != "skip":
        return list(bodies)
    kept = [body for body in bodies if suffix in export.fits(body)]
    for body in bodies:
        if suffix not in export.fits(body):
            say(f"  {body.name!r} was left out: {suffix} does not hold a {type(body).__name__}.")
    return kept or list(bodies)


def _check_aligned(body: Body, suffix: str) -> None:
    """Say what to do with cells that a format cannot hold as they lie."""
    # tables and OcTree meshes hold blocks of any size
    loose = isinstance(body, BlockModel) and suffix in (".csv", ".msh")
    loose |= isinstance(body, Voxet) and suffix not in _ALIGNED
    if suffix not in _ROWS or loose or not isinstance(body, Model):
        return
    why = "its cells are no boxes" if isinstance(body, Tetrahedra) else ""
    model: Body = body
    if isinstance(body, Voxet | StructuredGrid | BlockModel):
        try:
            model = model_of(body)
        except ValueError as error:
            why = str(error).split(". Resample", maxsplit=1)[0].rstrip(".")
    if isinstance(model, PropertyModel) and not why:
        why = _unfit(model, suffix)
    if why:
        raise ValueError(
            f"{body.name!r} cannot be written to {suffix} as it is: {why}. Resample it onto a grid with "
            f"--spacing METRES or --like cube.zarr, or write it to {', '.join(_as_it_is(body))}."
        )


def _unfit(model: PropertyModel, suffix: str) -> str:
    """Why rows of cells do not fit a format; nothing if they do."""
    if model.frame is not None and suffix in _ALIGNED:
        upright = np.allclose(model.frame.axes[2], [0, 0, 1], rtol=0, atol=1e-9)
        if not upright or suffix not in _TURNED:
            return f"its cells are rotated or skewed (axes {np.round(model.frame.axes, 4).tolist()})"
    if suffix in _EQUAL:
        return _unequal(model, "zyx" if suffix != ".tif" else "yx")
    return ""


def _unequal(model: PropertyModel, axes: str) -> str:
    for name, edges in zip("zyx", model.edges, strict=True):
        widths = np.diff(edges)
        if name in axes and np.any(np.abs(widths - widths.mean()) > 1e-6 * widths.mean() + 1e-6):
            return f"its cells are {widths.min():g} to {widths.max():g} m along {name}, equal ones are needed"
    return ""


def _as_it_is(body: Body) -> list[str]:
    """Suffixes that hold these cells whatever they are like."""
    if isinstance(body, Tetrahedra):
        return [".so", ".vtu"]
    if isinstance(body, BlockModel):
        return [".vtu"]
    plain = isinstance(body, PropertyModel) and body.frame is None
    return [".vtr", ".msh", ".csv", ".omf"] if plain else [".vts", ".vtk"]
