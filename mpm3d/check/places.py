"""Findings on places: beside the grid, above the ground, upside down, in another coordinate system."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
import pyproj
from numpy.typing import NDArray

from mpm3d.check.finding import Finding
from mpm3d.grid import FloatArray, Grid
from mpm3d.io.mapgrid import known_crs
from mpm3d.labels import Deposit

Mask = NDArray[np.bool_]
Bounds = Sequence[float]

FEW = 8  # cells below which a deposit is hardly one: two along each axis
SLIGHT = 0.05  # share of the map where the ground may leave the grid without a word
_FEET = 0.3048
PROJECT = "Project it first, or correct crs in [grid]."
OFF_GROUND = 25.0  # metres that a collar may lie off it
# names that pyproj may be asked for; it finds something for many others, after a long search
_EXACT = r"(?i)\s*(EPSG|ESRI|OGC|IGNF|urn)\s*:|\s*\+proj|\s*\w+\["


def covered(xyz: FloatArray, bounds: Bounds) -> float:
    """Share of points inside bounds ``xmin, ymin, zmin, xmax, ymax, zmax``; NaN bounds do not count."""
    low, high = np.array(bounds[:3]), np.array(bounds[3:])
    with np.errstate(invalid="ignore"):
        out = (xyz < low - 1e-6) | (xyz > high + 1e-6)
    return float(1 - out.any(axis=1).mean()) if len(xyz) else 1.0


def of_place(about: str, bounds: Bounds, grid: Grid) -> Iterator[Finding]:
    """Findings on where something lies: beside the grid, and which unit or axis may be the reason.

    Parameters
    ----------
    about : str
        Whom it concerns.
    bounds : sequence of float
        ``xmin, ymin, zmin, xmax, ymax, zmax``; z may be NaN.
    grid : Grid
        Where it should be.
    """
    box = np.array(bounds, dtype=float)
    if not np.isfinite(box[[0, 1, 3, 4]]).all() or _meets(box, grid, axes=(0, 1)):
        return
    reasons = {
        "feet": (box * _FEET, "The coordinates look like feet. Export in metres, or convert them (× 0.3048)"),
        "kilometres": (box * 1000, "The coordinates look like kilometres. Export in metres"),
        "swapped": (box[[1, 0, 2, 4, 3, 5]], "Easting and northing seem to be swapped. Swap the columns"),
    }
    kind, why = "outside", "Check its coordinate system, or move the grid"
    if (
        abs(box[[0, 3]]).max() <= 360
        and abs(box[[1, 4]]).max() <= 90
        and max(map(abs, grid.bounds[:2])) > 1e4
    ):
        kind, why = "degrees", "The coordinates look like degrees. Project them to the study's system"
    for name, (moved, words) in reasons.items():
        if kind == "outside" and _meets(moved, grid, axes=(0, 1)):
            kind, why = name, words
    g = grid.bounds
    yield Finding(
        kind, about, f"it lies beside the grid: x {box[0]:.6g} to {box[3]:.6g}, y {box[1]:.6g} to "
        f"{box[4]:.6g}, the grid has x {g[0]:.6g} to {g[3]:.6g}, y {g[1]:.6g} to {g[4]:.6g}. {why}.",
    )  # fmt: skip


def _meets(box: FloatArray, grid: Grid, axes: Sequence[int]) -> bool:
    g = grid.bounds
    return all(box[k] <= g[k + 3] and box[k + 3] >= g[k] for k in axes)


def of_height(about: str, z: FloatArray, ground: FloatArray) -> Iterator[Finding]:
    """A finding if most of a body lies above the ground, with the likely reason.

    Parameters
    ----------
    about : str
        Whom it concerns.
    z : array of shape (n,)
        Elevation of its vertices.
    ground : array of shape (n,)
        Elevation of the ground over them; NaN where it is not known.
    """
    known = np.isfinite(ground) & np.isfinite(z)
    if not known.any():
        return
    above = z[known] - ground[known]
    share, mirrored = float((above > 0).mean()), float(np.median(-z[known] - ground[known]))
    if share <= 0.5:
        return
    why = (
        "Turned upside down it would lie below: its z seems to be depth. Export elevations (ZPOSITIVE "
        "Elevation in GoCAD), or change the sign"
        if mirrored < 0
        else "Check the topography, its datum and units (feet?), and the body's z"
    )
    yield Finding(
        "above_ground", about, f"{share:.0%} of it lies above the ground, by {np.median(above):,.0f} m in "
        f"the median. {why}.",
    )  # fmt: skip


def of_collars(about: str, off: FloatArray) -> Iterator[Finding]:
    """A finding if most collars of drillholes lie off the ground.

    Parameters
    ----------
    about : str
        Whom it concerns.
    off : array of shape (n,)
        Metres of each collar above the ground; NaN where the ground is not known.
    """
    off = off[np.isfinite(off)]
    middle = float(np.median(off)) if len(off) else 0.0
    if abs(middle) > OFF_GROUND:
        side = "above" if middle > 0 else "below"
        yield Finding(
            "collars", about, f"the collars lie {abs(middle):,.0f} m {side} the ground in the median. Check "
            "the datum and the units (feet?) of their elevation. Holes from underground are right so.",
        )  # fmt: skip


def of_flip(about: str, present: Mask, below: Mask) -> Iterator[Finding]:
    """A finding if a model has values where there is air and none at depth, and would fit turned over.

    Parameters
    ----------
    about : str
        Whom it concerns.
    present, below : array of shape (z, y, x)
        Whether a cell of the model's own extent has a value, and whether it lies below the ground.
    """
    if not present.size or present.all() or below.all() or not below.any():
        return
    fits, turned = float((present == below).mean()), float((present[::-1] == below).mean())
    air = float(present[~below].mean())
    if turned > 0.9 and turned > fits + 0.1 and air > 0.5:
        yield Finding(
            "upside_down", about, f"it has values in {air:.0%} of the air and none at depth; turned upside "
            f"down it fits the topography in {turned:.0%} of its cells, now in {fits:.0%}. Its layers seem "
            "to be stored in the other order: export it again, or turn its z axis.",
        )  # fmt: skip


def of_crs(about: str, name: str, crs: str, *, fix: str = PROJECT) -> Iterator[Finding]:
    """A finding if the coordinate system that a file names is not the study's.

    Parameters
    ----------
    about : str
        Whom it concerns.
    name : str
        As the file has it: a code, WKT, or a loose name such as ``"UTM zone 12N"``.
    crs : str
        Of the study.
    fix : str
        What to do.
    """
    study, known = pyproj.CRS(crs), known_crs(name) if re.match(_EXACT, name) else None
    said = known.name if known is not None else name
    if known is not None:
        differs = not (known.equals(study, ignore_axis_order=True) or known.to_epsg() == study.to_epsg())
    else:
        zone = re.search(r"(?i)utm\D*?(\d{1,2})\s*([NS])?(?![A-Za-z0-9])", name)
        own = study.utm_zone or ""
        differs = bool(zone and own) and (
            zone[1].lstrip("0") != own[:-1] or (zone[2] or own[-1]).upper() != own[-1]  # type: ignore[index]
        )
    if differs:
        yield Finding(
            "crs", about, f"its file names the coordinate system {said!r}, the study is in {study.name!r} "
            f"({crs}). {fix}",
        )  # fmt: skip


def of_grid(grid: Grid, ground: FloatArray | None) -> Iterator[Finding]:
    """Findings on the grid: no metres, ground that is not there or leaves the grid.

    Parameters
    ----------
    grid : Grid
        The cells.
    ground : array of any shape, optional
        Elevation of the ground over its columns; NaN where it is not known.
    """
    crs = pyproj.CRS(grid.crs)
    unit = next((axis for axis in crs.axis_info if axis.unit_conversion_factor != 1), None)
    if unit is not None:
        yield Finding(
            "crs_units", "grid", f"{crs.name} ({grid.crs}) counts in {unit.unit_name}, cells are in metres. "
            "Use a projected system in metres, such as a UTM zone.",
        )  # fmt: skip
    if ground is None or not ground.size:
        return
    gone = float(np.isnan(ground).mean())
    if gone > 0.01:
        yield Finding(
            "ground", "topography", f"it does not cover {gone:.0%} of the map, and cells there are outside "
            "the study volume. Get a larger one, or make the grid smaller.",
        )  # fmt: skip
    low, high = grid.bounds[2], grid.bounds[5]
    known = ground[~np.isnan(ground)]
    cut = float((known > high).mean()) if len(known) else 0.0
    if cut > SLIGHT:
        yield Finding(
            "ground", "topography", f"the ground is above the top of the grid ({high:g} m) in {cut:.0%} of "
            "the map, so the uppermost rock is cut off. Raise z in [grid], or check the units of elevation.",
        )  # fmt: skip
    if len(known) and (known < low).any():
        yield Finding(
            "ground", "topography", f"the ground falls to {known.min():,.0f} m, below the bottom of the grid "
            f"({low:g} m). Check its units and the sign of its z.",
        )  # fmt: skip


def of_deposit(deposit: Deposit, inside: Mask, share_out: float) -> Iterator[Finding]:
    """Findings on a deposit: few cells, cells in the air, parts beside the grid.

    Parameters
    ----------
    deposit : Deposit
        Its cells.
    inside : array of shape (n,)
        Whether each of them is in the study volume.
    share_out : float
        Share of its body outside the grid.
    """
    about, n = f"deposit {deposit.name!r}", len(deposit.cells)
    if not n:
        yield Finding(
            "deposit_outside", about, "it has no cell. Check its place, thickness, min_share or cutoff."
        )
        return
    if n < FEW:
        yield Finding(
            "few_cells", about, f"it has {n} cell{'s' * (n != 1)} only, too few to learn from or to test on. "
            "Use smaller cells, join it with its neighbour, or check its thickness or cutoff.",
        )  # fmt: skip
    air = float(1 - inside.mean())
    if air > 0.1:
        yield Finding(
            "deposit_outside", about, f"{air:.0%} of its cells are outside the study volume, above the "
            "ground or where no topography is. Check its elevation against the topography.",
        )  # fmt: skip
    if share_out > 0.1:
        yield Finding(
            "deposit_outside", about, f"{share_out:.0%} of it lies outside the grid and is not used. Make "
            "the grid larger, or check its place.",
        )  # fmt: skip
