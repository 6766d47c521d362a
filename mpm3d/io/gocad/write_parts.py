"""Parts of GoCAD text objects written: their vertices, the members of regions, and their elements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mpm3d.geometry import Array, Vertices
from mpm3d.grid import FloatArray
from mpm3d.io.gocad.content import Rows
from mpm3d.io.gocad.elements import SEGMENT, Shape
from mpm3d.io.gocad.regions import CONTROL
from mpm3d.io.gocad.write import no_data_for, quoted

# lines that are made at once
_LINES = 1 << 14


class PartWriter:
    """Vertices of a body as the lines of its parts; their ids are their rows, counted from 1."""

    def __init__(self, body: Vertices) -> None:
        self.body = body
        x, y, z = np.asarray(body.vertices, dtype=float).T
        z = 0.0 - z if body.z_positive == "Depth" else z
        self.columns = [np.arange(1, len(x) + 1), x, y, z, *_columns(body.properties)]
        self.template = "PVRTX %d" if body.properties else "VRTX %d"
        self.template += " %r" * (len(self.columns) - 1) + "\n"
        controls = [name for name in body.regions if name.startswith(CONTROL)]
        #: names of the regions whose flags are the columns of ARI lines
        self.regions = [name for name in body.regions if name not in controls]
        self.controls = {name.removeprefix(CONTROL): np.asarray(body.regions[name]) for name in controls}
        self.first = True

    def declared(self) -> Iterator[str]:
        """Lines that name the regions."""
        for number, name in enumerate(self.regions):
            yield f"REGION {quoted(name)} {number}\n"

    def vertices(self, rows: Rows, atoms: Rows, shared: Rows) -> Iterator[str]:
        """Lines of the vertices of ``rows``, and of ``atoms``, ids that repeat the vertices ``shared``."""
        yield from _lines(self.template, [column[rows] for column in self.columns])
        yield from _lines("ATOM %d %d\n", [atoms, shared + 1])
        ids, rows = np.concatenate([rows + 1, atoms]), np.concatenate([rows, shared])
        if self.regions and len(rows):
            yield "BEGIN_ATOM_REGION_INDICATORS\n"
            flags = [np.asarray(self.body.regions[name])[rows].astype(int) for name in self.regions]
            yield from _lines("ARI %d" + " %d" * len(flags) + "\n", [ids, *flags])
            yield "END_ATOM_REGION_INDICATORS\n"
        for name, inside in self.controls.items():
            if self.first or inside[rows].any():
                yield f"PROPERTY_CN {quoted(name)}\n"
                yield from _lines("CNP %d\n", [ids[inside[rows].astype(bool)]])
                yield "END_PROPERTY_CN\n"
        self.first = False

    def elements(
        self, shape: Shape, elements: Rows, part: Rows | None, cells: Mapping[str, FloatArray]
    ) -> Iterator[str]:
        """Lines of regions and parts; a vertex belongs to the first part that uses it, others repeat it."""
        elements, n = np.asarray(elements), len(self.body.vertices)
        part = self._checked(shape, elements, part)
        yield from self.declared()
        if shape is SEGMENT and not len(elements):
            yield from self._loose()
            return
        groups, values = grouped(part), _columns(cells)
        rank = np.unique(part, return_inverse=True)[1]
        home = _home(elements, rank.reshape(-1), n)
        order = np.argsort(home, kind="stable")
        bounds = np.searchsorted(home[order], np.arange(len(groups) + 1))
        template, next_id = shape.word + " %d" * shape.corners + " %r" * len(values) + "\n", n + 1
        for k, members in enumerate(groups):
            chosen = elements[members]
            shared = np.unique(chosen[home[chosen] < k])
            atoms = np.arange(next_id, next_id + len(shared))
            next_id += len(shared)
            yield f"{shape.opener}\n"
            yield from self.vertices(order[bounds[k] : bounds[k + 1]], atoms, shared)
            ids = _ids(chosen, shared, atoms)
            yield from _lines(template, [*ids.T, *(column[members] for column in values)])

    def _loose(self) -> Iterator[str]:
        """Vertices without a segment: a polyline each, because a reader joins those of one."""
        none = np.zeros(0, np.int64)
        for row in range(len(self.body.vertices)):
            yield f"{SEGMENT.opener}\n"
            yield from self.vertices(np.array([row]), none, none)

    def _checked(self, shape: Shape, elements: Rows, part: Rows | None) -> Rows:
        """Parts of the elements, which are the connected ones if none are named."""
        n = len(self.body.vertices)
        if elements.ndim != 2 or elements.shape[1] != shape.corners:
            raise ValueError(
                f"the {shape.what} of {self.body.name!r} have the shape {elements.shape}, "
                f"(m, {shape.corners}) is expected."
            )
        if len(elements) and (elements.min() < 0 or elements.max() >= n):
            bad = int(elements.min() if elements.min() < 0 else elements.max())
            raise ValueError(f"{self.body.name!r} refers to the vertex {bad}, it has {n}, counted from 0.")
        if part is None:
            return _connected(elements, n)
        if np.shape(part) != (len(elements),):
            raise ValueError(
                f"the parts of {self.body.name!r} have the shape {np.shape(part)}, one number for each of "
                f"its {len(elements)} {shape.what} is expected."
            )
        return np.asarray(part)


def grouped(part: Rows) -> list[Rows]:
    """Rows of each part, in the order of their numbers; one empty part if there are none."""
    order = np.argsort(part, kind="stable")
    starts = np.flatnonzero(np.diff(part[order])) + 1
    return list(np.split(order, starts))


def _columns(properties: Mapping[str, FloatArray]) -> list[FloatArray]:
    """Columns of all properties, the value for no-data where they are NaN."""
    columns: list[FloatArray] = []
    for values in properties.values():
        numbers = np.asarray(values, dtype=float)
        numbers = np.where(np.isnan(numbers), no_data_for(numbers), numbers)
        columns.extend(numbers.reshape(len(numbers), -1).T)
    return columns


def _lines(template: str, columns: list[Array]) -> Iterator[str]:
    for start in range(0, len(columns[0]), _LINES):
        some: list[list[Any]] = [column[start : start + _LINES].tolist() for column in columns]
        yield "".join([template % row for row in zip(*some, strict=True)])


def _ids(chosen: Rows, shared: Rows, atoms: Rows) -> Rows:
    """Ids of the vertices ``chosen``: those of ``shared`` are ``atoms``."""
    if not len(shared):
        return chosen + 1
    place = np.minimum(np.searchsorted(shared, chosen), len(shared) - 1)
    return np.where(shared[place] == chosen, atoms[place], chosen + 1)


def _connected(elements: Rows, n_vertices: int) -> Rows:
    """Number of the connected part of each element, in the order they appear."""
    if not len(elements):
        return np.zeros(0, dtype=np.int64)
    start = np.repeat(elements[:, 0], elements.shape[1] - 1)
    links = coo_array((np.ones(len(start), bool), (start, elements[:, 1:].ravel())), (n_vertices,) * 2)
    label = connected_components(links, directed=False)[1][elements[:, 0]]
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    rank: Rows = np.argsort(np.argsort(first))[inverse].astype(np.int64)
    return rank


def _home(elements: Rows, part: Rows, n: int) -> Rows:
    """Part that writes each vertex: the first that uses it, or that of the vertex before it."""
    home = np.full(n, np.iinfo(np.int64).max)
    np.minimum.at(home, elements.ravel(), np.repeat(part, elements.shape[1]))
    used = home != np.iinfo(np.int64).max
    last = np.maximum.accumulate(np.where(used, np.arange(n), -1))
    return np.where(last >= 0, home[last], 0)
