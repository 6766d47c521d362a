"""What ``mpm3d convert`` reads: files, meshes with their models, stores; and what it makes ready of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pyproj import CRS

from mpm3d import cube, io
from mpm3d.exchange.choices import Choices
from mpm3d.geometry import Body, Points, Surface, Tetrahedra
from mpm3d.io.mapgrid import known_crs
from mpm3d.lattice import BlockModel, Frame, PropertyModel, Raster, StructuredGrid, Voxet
from mpm3d.values import Lazy
from mpm3d.wells import Well

Say = Callable[[str], None]


def read_all(inputs: Sequence[Path], choices: Choices, say: Say) -> list[Body]:
    """Every body of every file; the first of several UBC files may be the mesh of the others."""
    options, rest = choices.options, list(inputs)
    if options.mesh is None and len(rest) > 1 and _is_mesh(rest[0], options):
        options, rest = replace(options, mesh=rest[0]), rest[1:]
    bodies: list[Body] = []
    for path in rest:
        if path.is_dir() and (path / "zarr.json").is_file():
            found: list[Body] = [read_store(path)]
        else:
            found = io.read(path, options)
        for body in found:
            say(f"read {path.name}: {summary(body)}")
            for note in body.notes:
                say(f"  {note}")
        bodies += found
    return bodies


def _is_mesh(path: Path, options: io.Options) -> bool:
    if not path.is_file() or io.format_of(path) != "ubc":
        return False
    found = io.read(path, options)
    return all(isinstance(body, PropertyModel | BlockModel) and not body.values for body in found)


def read_store(path: str | Path) -> PropertyModel:
    """The layers of a cube, or the scores of a prospectivity store, as a model.

    Parameters
    ----------
    path : str or Path
        Folder of the Zarr store.

    Returns
    -------
    PropertyModel
        Values are read from the store in parts.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no store, or one of another kind.
    """
    import zarr

    path = Path(path)
    ds = cube.open(path)
    grid = cube.grid_of(ds)
    layers = cube.layers_of(ds)
    names = layers or tuple(name for name in ("score", "spread") if name in ds.data_vars)
    if not names:
        raise ValueError(f"{path.name} has neither finished layers nor scores. Is it a cube of mpm3d?")
    group = zarr.open_group(path, mode="r", zarr_format=3)
    units = {name: str(ds[name].attrs.get("units", "")) for name in names}
    values = {name: Lazy(group[name]) for name in names}
    return PropertyModel.from_grid(
        path.stem, grid, values, kind="mpm3d cube" if layers else "mpm3d scores",
        units={name: unit for name, unit in units.items() if unit and unit != "1"}, crs_name=grid.crs,
        layout="z upwards, then y, then x fastest; values are those of the cells.",
    )  # fmt: skip


def summary(body: Body) -> str:
    """A line about a body: what it is, how large, where."""
    fields = ("values", "texts", "properties", "cell_properties")
    values = [name for field in fields for name in getattr(body, field, {})]
    listed = f"; values {', '.join(values[:8])}{', ...' * (len(values) > 8)}" if values else ""
    return f"{body.kind or type(body).__name__} {body.name!r}, {_size(body)}{listed}; {extent([body])}"


def _size(body: Any) -> str:
    if isinstance(body, Surface):
        return f"{len(body.vertices):,} vertices, {len(body.triangles):,} triangles"
    if isinstance(body, PropertyModel | Voxet | StructuredGrid | Raster):
        return f"{' × '.join(f'{n:,}' for n in body.shape[::-1])} cells"
    if isinstance(body, BlockModel):
        return f"{len(body.centres):,} blocks"
    if isinstance(body, Tetrahedra):
        return f"{len(body.tetrahedra):,} tetrahedra"
    if isinstance(body, Well):
        return f"{len(body.path):,} points of its path"
    return f"{len(body.vertices):,} {'points' if isinstance(body, Points) else 'vertices'}"


def extent(bodies: Sequence[Any]) -> str:
    """Bounds of bodies, in metres."""
    low, high = [], []
    for body in bodies:
        bounds = np.asarray(body.bounds, dtype=float)
        if len(bounds) == 4:  # a raster
            bounds = np.array([*bounds[:2], np.nan, *bounds[2:], np.nan])
        low.append(bounds[:3])
        high.append(bounds[3:])
    lowest, highest = np.fmin.reduce(low), np.fmax.reduce(high)
    spans = zip("xyz", lowest, highest, strict=True)
    return ", ".join(f"{n} {a:,.10g} to {b:,.10g}" for n, a, b in spans if np.isfinite(a))


def registered(body: Body, registration: str) -> Body:
    """A voxet whose ends of axes are the outer corners of its cells, as samples at the centres."""
    if not isinstance(body, Voxet) or registration == "center":
        return body
    counts = np.array(body.shape[::-1], dtype=float)[:, None]
    steps = body.steps * np.maximum(counts - 1, 1) / counts
    return replace(body, origin=np.asarray(body.first_centre("corner")), steps=steps)


def chosen(bodies: Sequence[Body], names: Sequence[str]) -> list[Body]:
    """Bodies with some of their values only."""
    if not names:
        return list(bodies)
    fields = ("values", "properties", "cell_properties", "texts")
    there = {name for body in bodies for field in fields for name in getattr(body, field, {})}
    lacking = [name for name in names if name not in there]
    if lacking:
        raise ValueError(
            f"no values {', '.join(map(repr, lacking))} are there, these are: "
            f"{', '.join(sorted(map(repr, there))) or 'none'}."
        )
    found: list[Body] = []
    for body in bodies:
        kept: dict[str, Any] = {
            field: {name: own[name] for name in (*names,) if name in own}
            for field in fields
            if (own := getattr(body, field, None)) is not None
        }
        found.append(replace(body, **kept))
    return found


def crs_of(bodies: Sequence[Body], asked: str | None) -> str | None:
    """The coordinate system that was asked for, or the one that all bodies have."""
    named = {body.crs_name for body in bodies}
    systems = {name: known_crs(name) for name in named if name}
    known = {name: system for name, system in systems.items() if system is not None}
    if asked is None:
        return next(iter(known)) if len(named) == 1 and known else None
    wanted = CRS.from_user_input(asked)
    for name, system in known.items():
        if system != wanted:
            raise ValueError(
                f"the file has the coordinate system {name!r} and {asked!r} was given. Coordinates are not "
                "projected anew: leave --crs out, or project the data in a GIS first."
            )
    return asked


def merged(bodies: Sequence[Body]) -> list[Body]:
    """Models on the same cells as one, with the values of all."""
    whole: list[Body] = []
    for body in bodies:
        for row, other in enumerate(whole):
            if _same_cells(body, other):
                assert isinstance(body, PropertyModel | BlockModel)
                assert isinstance(other, PropertyModel | BlockModel)
                taken = set(other.values)
                new = {(n if n not in taken else f"{n} ({body.name})"): v for n, v in body.values.items()}
                more: dict[str, Any] = {"units": {**body.units, **other.units}}
                for field in ("classes", "texts"):
                    if hasattr(other, field):
                        more[field] = {**getattr(body, field), **getattr(other, field)}
                more["values"] = {**other.values, **new}
                whole[row] = replace(other, **more)
                break
        else:
            whole.append(body)
    return whole


def _same_cells(body: Body, other: Body) -> bool:
    if isinstance(body, PropertyModel) and isinstance(other, PropertyModel):
        same = all(np.array_equal(a, b) for a, b in zip(body.edges, other.edges, strict=True))
        return same and _same_frame(body.frame, other.frame)
    if isinstance(body, BlockModel) and isinstance(other, BlockModel):
        same = np.array_equal(body.centres, other.centres) and np.array_equal(body.sizes, other.sizes)
        return same and _same_frame(body.frame, other.frame)
    return False


def _same_frame(a: Frame | None, b: Frame | None) -> bool:
    if a is None or b is None:
        return a is b
    return np.array_equal(a.origin, b.origin) and np.array_equal(a.axes, b.axes)
