"""Rows of drillholes: which belong to which collar, and what the angles of their stations mean."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mpm3d.errors import FormatError
from mpm3d.grid import FloatArray
from mpm3d.io.tables.columns import Table, read_table
from mpm3d.io.tables.headers import (
    AT,
    AZIMUTH,
    DIP,
    FROM,
    HOLE,
    INCLINATION,
    LENGTH,
    TO,
    X,
    Y,
    Z,
    key_of,
    some,
)

ROLES = {
    "hole": HOLE, "x": X, "y": Y, "z": Z, "length": LENGTH, "depth": AT, "azimuth": AZIMUTH, "dip": DIP,
    "inclination": INCLINATION, "from": FROM, "to": TO,
}  # fmt: skip


@dataclass
class Reader:
    """What counts for all tables of one reading, and what is noted of each hole."""

    errors: str
    dip: str
    columns: Mapping[str, str]
    used: set[str] = field(default_factory=set)
    notes: dict[str, list[str]] = field(default_factory=dict)
    shared: list[str] = field(default_factory=list)

    def open(self, path: str | Path) -> Table:
        """A table whose names of holes stay as they are written."""
        named = self.columns.get("hole")
        return read_table(path, [key_of(named)] if named else [])

    def column(self, table: Table, role: str) -> int | None:
        """Column of a role: the one that is named for it, or the first of the usual names."""
        named = self.columns.get(role)
        if named is not None:
            found = [i for i, name in enumerate(table.header.names) if key_of(name) == key_of(named)]
            if found:
                self.used.add(role)
                return found[0]
        return table.header.first(ROLES[role])

    def need(self, table: Table, roles: Iterable[str]) -> list[int]:
        """Columns of several roles, all of which must be there."""
        found = {role: self.column(table, role) for role in roles}
        missing = [role for role, column in found.items() if column is None]
        if missing:
            raise FormatError(
                table.path,
                f"no column has a usual name for the {' or the '.join(missing)} of the holes. There are: "
                f"{some(table.header.names, 20)}. Name it: columns={{{missing[0]!r}: '...'}}.",
                table.header.line + 1,
            )
        return [column for column in found.values() if column is not None]

    def has_dip(self, table: Table) -> bool:
        """Whether a table has dips or inclinations."""
        return any(self.column(table, role) is not None for role in ("dip", "inclination"))

    def dip_column(self, table: Table) -> tuple[int, bool]:
        """Column of dips, or, after true, of inclinations."""
        column = self.column(table, "dip")
        return (column, False) if column is not None else (self.need(table, ["inclination"])[0], True)

    def note(self, hole: str, note: str) -> None:
        """Keep a note of one hole."""
        self.notes.setdefault(hole, []).append(note)

    def rows_of(
        self, table: Table, column: int, holes: Collection[str], what: str
    ) -> dict[str, NDArray[np.int64]]:
        """Rows of each hole, in their order.

        Names that differ from those of the collars only in capitals count as the same.

        Raises
        ------
        FormatError
            If a hole has no collar; with ``errors="skip"`` it is noted.
        """
        import pandas as pd

        names = table.texts(column).astype(object)
        codes, found = pd.factorize(names)
        partners = _partners([str(name) for name in found], holes)
        lost = [name for name, partner in partners.items() if partner is None]
        if lost and self.errors == "strict":
            raise table.fail_at(
                int(np.argmax(names == lost[0])),
                f"{len(lost)} holes of the {what} have no collar: {some([n or repr(n) for n in lost])}. Add "
                "their collars, or read with errors='skip' to leave them out.",
            )
        if lost:
            self.shared.append(
                f"{len(lost)} holes of the {what} have no collar and were left out: {some(lost)}."
            )
        alike = [f"{name} ({partner})" for name, partner in partners.items() if partner not in (name, None)]
        if alike:
            self.shared.append(f"holes of the {what} whose collars are written otherwise: {some(alike)}.")
        rows: dict[str, NDArray[np.int64]] = {}
        order = np.argsort(codes, kind="stable").astype(np.int64)
        pieces = (
            np.split(order, np.cumsum(np.bincount(codes, minlength=len(found)))[:-1]) if len(found) else []
        )
        for partner, piece in zip(partners.values(), pieces, strict=True):
            if partner is not None:
                rows[partner] = np.sort(np.concatenate([rows[partner], piece])) if partner in rows else piece
        return rows


def _partners(names: Sequence[str], holes: Collection[str]) -> dict[str, str | None]:
    """The collar of each name, the same but for capitals if that is only one."""
    folded: dict[str, list[str]] = {}
    for hole in holes:
        folded.setdefault(hole.casefold(), []).append(hole)
    partners: dict[str, str | None] = {}
    for name in names:
        near = folded.get(name.casefold(), [])
        partners[name] = name if name in holes else near[0] if len(near) == 1 else None
    return partners


@dataclass(frozen=True)
class Survey:
    """Stations of one hole: ascending depths in metres, angles in degrees as of `wells.minimum_curvature`."""

    depth: FloatArray
    inclination: FloatArray
    azimuth: FloatArray

    def from_collar(self) -> Survey:
        """With a station at depth 0 that has the direction of the first."""
        if self.depth[0] == 0:
            return self
        return Survey(
            np.concatenate([[0.0], self.depth]), np.concatenate([self.inclination[:1], self.inclination]),
            np.concatenate([self.azimuth[:1], self.azimuth]),
        )  # fmt: skip

    def down_to(self, end: float) -> Survey:
        """With a station at the end that has the direction of the last."""
        if end <= self.depth[-1]:
            return self
        return Survey(
            np.concatenate([self.depth, [end]]), np.concatenate([self.inclination, self.inclination[-1:]]),
            np.concatenate([self.azimuth, self.azimuth[-1:]]),
        )  # fmt: skip


def read_angles(
    table: Table, azimuth: int, column: int, inclined: bool, dip: str
) -> tuple[FloatArray, FloatArray]:
    """Azimuth, and inclination from straight down, of each row, in degrees; NaN where they are not possible.

    Parameters
    ----------
    table : Table
        A survey, or collars with the directions of the holes.
    azimuth, column : int
        Its columns of azimuths and of dips or inclinations.
    inclined : bool
        Whether the second is called an inclination.
    dip : str
        As in `drillholes.read_drillholes`.

    Raises
    ------
    FormatError
        If inclinations may count from the vertical or from the horizontal.
    """
    towards, angle = table.numbers(azimuth), table.numbers(column)
    with np.errstate(invalid="ignore"):
        towards = np.where(np.abs(towards) <= 360, towards % 360, np.nan)
    name, known = table.name(column), angle[~np.isnan(angle)]
    positive = bool(len(known)) and bool(np.all(known >= 0)) and bool(np.any(known > 0))
    if dip == "auto" and inclined and positive:
        raise FormatError(
            table.path,
            f"{name!r} holds angles of {known.min():g} to {known.max():g} degrees, which may count from the "
            "vertical or from the horizontal. Say which: dip='from vertical' or dip='positive down'.",
            table.header.line + 1,
        )
    if dip == "auto":
        dip = "positive down" if positive else "negative down"
        if positive:
            table.notes.append(f"all angles of {name!r} are positive and were taken as dips downwards.")
    up = int((angle > 0).sum()) if dip == "negative down" else 0
    if up:
        table.notes.append(
            f"{up} angles of {name!r} are positive among negative ones, the hole goes up there."
        )
    limit = (0, 180) if dip == "from vertical" else (-90, 90)
    with np.errstate(invalid="ignore"):
        angle = np.where((angle >= limit[0]) & (angle <= limit[1]), angle, np.nan)
    if dip == "from vertical":
        return towards, angle
    return towards, 90.0 + (angle if dip == "negative down" else -angle)


def make_survey(depth: FloatArray, inclination: FloatArray, azimuth: FloatArray) -> tuple[Survey, list[str]]:
    """Stations in the order of their depths, of several at one depth the first, and what was done."""
    notes = []
    if np.any(np.diff(depth) < 0):
        notes.append("the stations were not in the order of their depths and were sorted.")
    order = np.argsort(depth, kind="stable")
    angles = np.column_stack([inclination, np.nan_to_num(azimuth)])[order]
    depth = depth[order]
    again = np.concatenate([[False], np.diff(depth) == 0])
    if again.any():
        first = np.maximum.accumulate(np.where(again, 0, np.arange(len(depth))))
        other = int((again & np.any(angles != angles[first], axis=1)).sum())
        notes.append(
            f"{int(again.sum())} stations repeat the depth of another and were left out"
            + (f", {other} of them with other angles." if other else ".")
        )
    return Survey(depth[~again], angles[~again, 0], angles[~again, 1]), notes
