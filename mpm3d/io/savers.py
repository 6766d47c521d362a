"""The writers of all formats behind one signature, with what they convert or leave out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mpm3d.geometry import Points, Surface
from mpm3d.io.boxes import model_of
from mpm3d.io.files import read_text, stem_of
from mpm3d.lattice import BlockModel, PropertyModel, Raster
from mpm3d.wells import Well

Bodies = Sequence[Any]


@dataclass
class Written:
    """What was written.

    Parameters
    ----------
    paths : list of Path
        The files, the one that was asked for first.
    notes : list of str
        What was converted or left out on the way, in sentences.
    """

    paths: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


Save = Callable[[Path, Bodies, Written, str | None], None]


def save_gocad(name: str) -> Save:
    """What writes with a function of ``io.gocad``."""

    def save(path: Path, bodies: Bodies, done: Written, crs: str | None) -> None:
        from mpm3d.io import gocad

        getattr(gocad, name)(path, bodies)
        done.paths.append(path)

    return save


def save_wells(path: Path, bodies: Bodies, done: Written, crs: str | None) -> None:
    """Wells without the tables of intervals that GoCAD has no place for."""
    from mpm3d.io.gocad.well_write import write_wells

    wells = []
    for well in bodies:
        kept = {name: table for name, table in well.intervals.items() if name == "zones"}
        lost = [name for name in well.intervals if name not in kept]
        if lost:
            done.notes.append(f"{well.name!r}: {', '.join(lost)} left out; .csv and .gpkg hold intervals.")
        wells.append(replace(well, intervals=kept))
    write_wells(path, wells)
    done.paths.append(path)


def save_voxet(path: Path, bodies: Bodies, done: Written, crs: str | None) -> None:
    """A voxet: header, values, flags."""
    from mpm3d.io import gocad

    gocad.write_voxet(path, bodies[0])
    done.paths.append(path)
    for line in read_text(path).splitlines():
        if line.startswith(("PROP_FILE", "FLAGS_FILE")):
            done.paths.append(
                path.with_name(line.split(maxsplit=2)[-1].removeprefix("FLAGS_FILE ").strip('"'))
            )


def save_mesh(path: Path, bodies: Bodies, done: Written, crs: str | None) -> None:
    """A Leapfrog mesh of a surface; or a UBC mesh, its models beside it."""
    from mpm3d.io import leapfrog

    body = bodies[0]
    done.paths.append(path)
    if isinstance(body, Surface):
        lost = [*body.properties, *body.cell_properties, *body.regions]
        if lost:
            done.notes.append(f"{body.name!r}: a Leapfrog mesh has no values, left out: {', '.join(lost)}.")
        leapfrog.write_mesh(path, body, drop_properties=True)
        return
    if isinstance(body, BlockModel) and body.texts:
        done.notes.append(f"{body.name!r}: columns of text were left out ({', '.join(body.texts)}).")
    _save_ubc(path, body, done)


def _save_ubc(path: Path, body: PropertyModel | BlockModel, done: Written) -> None:
    """A tensor mesh, or an OcTree of blocks that make one; a file for each of the values."""
    from mpm3d.io import ubc

    rows = body if isinstance(body, PropertyModel) else None
    if isinstance(body, BlockModel):
        try:
            ubc.write_octree(path, body)
        except ValueError:
            try:
                rows = body = model_of(body)
            except ValueError:
                rows = None
            if rows is None:
                raise
            done.notes.append(f"{body.name!r}: its blocks make no OcTree, so they became a tensor mesh.")
    if rows is not None:
        ubc.write_mesh(path, rows.aligned().edges)
    packed = ".gz" if path.name.lower().endswith(".gz") else ""
    for name, values in body.values.items():
        model = path.with_name(f"{stem_of(path)}_{_file_name(name)}.mod{packed}")
        stand_in = ubc.write_model(model, np.asarray(values))
        done.paths.append(model)
        if stand_in is not None:
            done.notes.append(f"{name!r}: {stand_in:g} stands for no value in {model.name}.")


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in ".-" else "_" for c in name)[:60] or "values"


def save_modem(path: Path, bodies: Bodies, done: Written, crs: str | None) -> None:
    """The resistivity of a model."""
    from mpm3d.io import modem

    body = bodies[0]
    names = list(body.values)
    name = "resistivity" if "resistivity" in names else names[0] if len(names) == 1 else ""
    if not name:
        raise ValueError(
            f"{body.name!r} has the values {', '.join(map(repr, names)) or 'none'}, a ModEM file holds the "
            "resistivity in ohm.m alone. Choose it: --property NAME."
        )
    done.notes += [f"{other!r} was left out, .rho holds one value." for other in names if other != name]
    modem.write_model(path, body, name=name)
    done.paths.append(path)
    centre = (0.0, 0.0, 0.0) if body.frame is None else body.frame.origin
    place = " ".join(f"{c:.10g}" for c in centre)
    done.notes.append(f"a ModEM file holds no coordinates: read it with its centre, --centre {place}.")


def save_table(path: Path, bodies: Bodies, done: Written, crs: str | None) -> None:
    """A table of points or blocks, or one for each table of intervals of wells."""
    from mpm3d.io.tables import write

    if len(bodies) > 1 and not all(isinstance(body, Well) for body in bodies):
        raise ValueError(
            f".csv holds the intervals of wells, or one set of points or blocks, and there are {len(bodies)} "
            "bodies. Write each to a file of its own."
        )
    if isinstance(bodies[0], Points):
        write.write_points(path, bodies[0])
    elif not isinstance(bodies[0], Well):
        write.write_blocks(path, bodies[0])
    else:
        _save_intervals(path, bodies, done)
        return
    done.paths.append(path)


def _save_intervals(path: Path, wells: Sequence[Well], done: Written) -> None:
    """A table for each table of intervals."""
    from mpm3d.io.tables import write

    tables = sorted({name for well in wells for name in well.intervals})
    if not tables:
        raise ValueError("the wells have no intervals, which a table holds. Write them to .wl or .gpkg.")
    for name in tables:
        target = path if len(tables) == 1 else _beside(path, name)
        write.write_intervals(target, wells, table=name)
        done.paths.append(target)
    done.notes.append("only the intervals of wells were written, with their ends in space.")


def _beside(path: Path, name: str) -> Path:
    """The same path with a name after its stem."""
    stem = stem_of(path)
    return path.with_name(f"{stem}_{_file_name(name)}{path.name[len(stem) :]}")


def save_raster(path: Path, bodies: Bodies, done: Written, crs: str | None) -> None:
    """A GeoTIFF of a raster, or of each level of a model."""
    from mpm3d.io import raster_write

    body = bodies[0]
    if isinstance(body, Raster):
        raster_write.write_geotiff(path, body, crs=crs)
        done.paths.append(path)
        return
    known = crs or (body.crs_name if body.crs_name.upper().startswith("EPSG:") else None)
    for name in body.values:
        stem = path if len(body.values) == 1 else _beside(path, name)
        done.paths += raster_write.write_levels(stem, body, name, crs=known)
    if not done.paths:
        raise ValueError(f"{body.name!r} has no values to write.")


def save_vtk(path: Path, bodies: Bodies, done: Written, crs: str | None) -> None:
    """A VTK file."""
    from mpm3d.io import vtk

    vtk.write_vtk(path, bodies)
    done.paths.append(path)


def save_omf(path: Path, bodies: Bodies, done: Written, crs: str | None) -> None:
    """An OMF 1 project."""
    from mpm3d.io import omf

    omf.write_omf(path, bodies)
    done.paths.append(path)


def save_geopackage(path: Path, bodies: Bodies, done: Written, crs: str | None) -> None:
    """A GeoPackage, in the coordinate system that was given or that all bodies have."""
    from mpm3d.io import geopackage
    from mpm3d.io.mapgrid import known_crs

    named = {body.crs_name for body in bodies}
    own = named.pop() if len(named) == 1 else ""
    done.notes += geopackage.write_bodies(path, bodies, crs or (own if own and known_crs(own) else ""))
    done.paths.append(path)
