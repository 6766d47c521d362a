"""Tables of drillholes: their columns, and which rows belong to which collar."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mpm3d.errors import FormatError
from mpm3d.io.columns import Table, read_table
from mpm3d.io.headers import AT, AZIMUTH, DIP, FROM, HOLE, INCLINATION, LENGTH, TO, X, Y, Z, key_of, some

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
