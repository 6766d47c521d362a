"""The inputs of a study looked at before any work: what can be read is read, all that is wrong is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mpm3d import check, cube, drape, inputs, labels, topography
from mpm3d import study as studies
from mpm3d.check import Checked, Finding, lines
from mpm3d.errors import StudyError
from mpm3d.geometry import Body, Lines, Points, Surface
from mpm3d.grid import FloatArray, Grid
from mpm3d.io.mapgrid import known_crs
from mpm3d.resampling import Model, prepare, values_of
from mpm3d.study import (
    AssaysLayer,
    BandsLayer,
    BoreholesLayer,
    DistanceLayer,
    InsideLayer,
    Layer,
    ModelLayer,
    RasterLayer,
    Study,
    UbcLayer,
    VectorLayer,
    VoxetLayer,
)
from mpm3d.values import Lazy

__all__ = ["Checked", "check_study", "lines"]
Fill = Callable[[Grid], Any]
_EXPECTED = (ValueError, OSError, RuntimeError, ImportError, MemoryError)
# values of a file that are looked at for codes, and vertices of a body for its place
_VALUES, _VERTICES = 2_000_000, 20_000


def check_study(path: str | Path, *, runs: str | Path | None = None) -> Checked:
    """Check everything that a study names, built or not.

    Layers are looked at in some 20,000 cells: of the cube, if all layers are built from the files as they
    are, and of the files otherwise.

    Parameters
    ----------
    path : str or Path
        The ``study.toml``.
    runs : str or Path, optional
        Where run folders are, as in `study.load`.

    Raises
    ------
    StudyError
        If there is no such file, or it is not TOML.
    """
    loaded, problems = studies.examine(path, runs=runs)
    if loaded is None:
        return Checked(Path(path).stem, [Finding("study", Path(path).name, text) for text in problems])
    checker = _Checker(loaded)
    checker.run()
    placed = {finding.about for finding in checker.done.findings}
    first = [
        Finding("study", Path(path).name, text)
        for text in problems
        # said with the likely reason by the finding itself
        if not any(text.startswith(f"{about} lies outside") for about in placed)
        and text not in map(str, checker.done.findings)
    ]
    checker.done.findings[:0] = first
    return checker.done


class _Checker:
    """A study whose inputs are looked at one after the other."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.grid = study.grid.grid()
        self.done = Checked(study.name, space="area" if self.grid.is_map else "volume")
        self.cells = check.sample_of(self.grid)
        self.xyz = self.cells.points()
        self.inside = np.ones(len(self.xyz), dtype=bool)
        self.ground: inputs.Ground | None = None
        self.samples: dict[str, FloatArray] = {}

    def run(self) -> None:
        """Look at everything."""
        self._hashes()
        self._topography()
        built = self._built()
        if built is not None:
            self.xyz, self.samples = check.sample_cube(built)
        for layer in self.study.layers:
            self._tried(layer.name, "layer", layer, lambda one: self._layer(one, built is not None))
        self.done.pairs, found = check.of_pairs(self.samples)
        self.done.findings += found
        self._leaks()
        self._known()

    def _known(self) -> None:
        """The deposits one by one, and together."""
        known, blind = list[labels.Deposit](), list[labels.Deposit]()
        for table in self.study.deposits:
            into = (blind if table.blind else known).extend
            self._tried(table.name, "deposit", table, partial(self._placed, into))
        try:
            labels.check_deposits([one for one in (*known, *blind) if len(one.cells)])
        except StudyError as error:
            self._add(Finding("deposits", "deposits", text) for text in error.problems)
        if self.grid.is_map and len(known) == 1:
            text = (
                f"only one is known, {known[0].name!r}, so none can be left out to see whether it is found "
                "again. Name more, or take the map for what is like it and no more."
            )
            self._add(iter([Finding("one_deposit", "deposits", text)]))

    def _add(self, findings: Iterator[Finding]) -> bool:
        """Keep findings, and say whether there were any."""
        new = list(findings)
        self.done.findings += new
        return bool(new)

    def _picked(self, kind: str, about: str, name: str, said: Sequence[str], *words: str) -> None:
        """Findings of those sentences of a reader that hold any of some words."""
        chosen = [text for text in said if any(one in text for one in words)]
        found = [text.removeprefix("layer ").removeprefix(f"{name}: ") for text in chosen]
        self._add(Finding(kind, about, text) for text in found)

    def _tried(self, name: str, what: str, table: Any, look: Callable[[Any], Any]) -> None:
        """Look at something whose files are there; what cannot be read is a finding."""
        if not all(self.study.path(file).is_file() for _, file in table.paths()):
            return  # said by the study itself
        try:
            look(table)
        except _EXPECTED as error:
            about = f"{what} {name!r}"
            for text in str(error).splitlines():
                for said in (about, repr(name), what):
                    text = text.removeprefix(f"{said}: ")
                self._add(iter([Finding("unreadable", about, text)]))

    def _hashes(self) -> None:
        stated = {self.study.path(source.file): source.sha256 for source in self.study.sources}
        ground = [self.study.topography] if self.study.topography else []
        tables = (*self.study.layers, *self.study.deposits, *ground)
        named = {self.study.path(file) for table in tables for _, file in table.paths()}
        home = self.study.folder.resolve()
        afar = {path for path in named if not path.resolve().is_relative_to(home)}
        lacking = []
        for path in sorted(afar | set(stated)):
            found = studies.sha256(path) if path.is_file() else ""
            self.done.hashes.append({"file": str(path), "sha256": found, "stated": stated.get(path, "")})
            lacking += [path.name] if found and path not in stated else []
        if lacking:
            self._add(iter([Finding("no_hash", "sources", check.without_hash(lacking))]))

    def _topography(self) -> None:
        if self.study.topography is not None:
            self._tried(
                self.study.topography.file, "topography", self.study.topography, lambda _: self._read_ground()
            )
        if self.ground is None:
            self._add(check.of_grid(self.grid, None))
            return
        height = topography.heights(self.cells, self.ground)
        self._add(check.of_grid(self.grid, height))
        with np.errstate(invalid="ignore"):
            self.inside = (self.cells.centres(0)[:, None, None] <= height).ravel()

    def _read_ground(self) -> None:
        ground = inputs.ground(self.study, self.grid, _unsaid)
        if isinstance(ground, Surface):
            if self._add(check.of_place("topography", ground.bounds, self.grid)):
                return
            self._add(check.of_crs("topography", ground.crs_name, self.grid.crs))
        self.ground = ground

    def _heights(self, xy: FloatArray) -> FloatArray:
        if self.ground is None or not len(xy):
            return np.full(len(xy), np.nan)
        return topography.elevation_at(xy[:, :2], self.ground)

    def _built(self) -> Any:
        """The cube, if it has all layers, made from the files as they are now."""
        try:
            ds = cube.open(self.study.cube_place)
            if cube.grid_of(ds) != self.grid:
                return None
            frame = str(ds.attrs.get("frame", ""))
            for layer in self.study.layers:
                if ds[layer.name].attrs.get("recipe") != inputs.recipe(self.study, layer, frame):
                    return None
        except (KeyError, *_EXPECTED):
            return None
        return ds

    def _layer(self, layer: Layer, built: bool) -> None:
        about, before = f"layer {layer.name!r}", len(self.done.findings)
        fill, bounds = self._source(layer, about)
        far = any(f.kind in _BESIDE for f in self.done.findings[before:])
        if not built:
            raw = np.asarray(fill(self.cells), dtype=float).ravel()
            self.samples[layer.name] = np.where(self.inside, raw, np.nan)
        values = self.samples[layer.name]
        values, xyz = (values, self.xyz) if built else (values[self.inside], self.xyz[self.inside])
        made = check.report(
            layer.name, layer.units, values, source="cube" if built else "files",
            covered=check.covered(xyz, bounds),
        )  # fmt: skip
        self.done.layers.append(made)
        cutoff = layer.cutoff if isinstance(layer, DistanceLayer) else None
        fix = _NEAR if isinstance(layer, BoreholesLayer) else check.REACH
        fix = _FAR if isinstance(layer, AssaysLayer) else fix
        allowed = self.study.predict.max_missing
        found = check.of_values(made, cutoff=cutoff, allowed=allowed, fix=fix, space=self.done.space)
        # what lies beside the grid is empty there for that reason
        self._add(f for f in found if not (far and f.kind in ("empty", "constant", "missing")))

    def _source(self, layer: Layer, about: str) -> tuple[Fill, Sequence[float]]:
        """What fills a layer, and the bounds of what it is made from, looked at."""
        if isinstance(layer, UbcLayer | VoxetLayer | ModelLayer):
            return self._model(layer, about)
        if isinstance(layer, RasterLayer):
            return self._raster(layer, about)
        if isinstance(layer, BandsLayer):
            return self._bands(layer, about), _EVERYWHERE
        if isinstance(layer, AssaysLayer):
            return self._assays(layer, about), _EVERYWHERE
        said: list[str] = []
        fill, _ = inputs.filler(self.study, layer, said.append)
        if isinstance(layer, BoreholesLayer):
            self._holes(layer, about)
        elif isinstance(layer, DistanceLayer | InsideLayer):
            bodies = inputs.bodies(self.study, layer.files, _unsaid)
            self._bodies(about, bodies)
        elif isinstance(layer, VectorLayer):
            self._picked("classes", about, layer.name, said, inputs.ORDERLESS)
        return fill, _EVERYWHERE

    def _bodies(self, about: str, bodies: Sequence[Surface | Lines | Points], *, high: bool = True) -> bool:
        """Place, height and coordinate system of bodies together; whether they lie beside the grid."""
        vertices = np.concatenate([np.empty((0, 3)), *(body.vertices for body in bodies)])
        self._crs(about, bodies)
        if not len(vertices):
            return False
        bounds = (*vertices.min(axis=0), *vertices.max(axis=0))
        if self._add(check.of_place(about, bounds, self.grid)):
            return True
        some = vertices[:: max(1, len(vertices) // _VERTICES)]
        if high:
            self._add(check.of_height(about, some[:, 2], self._heights(some)))
        return False

    def _crs(self, about: str, bodies: Sequence[Body]) -> None:
        for name in dict.fromkeys(body.crs_name for body in bodies):
            self._add(check.of_crs(about, name, self.grid.crs))

    def _model(self, layer: UbcLayer | VoxetLayer | ModelLayer, about: str) -> tuple[Fill, Sequence[float]]:
        model, name = inputs.stored(self.study, layer, _unsaid)
        codes = check.sentinels(_some(values_of(model)[name]))
        fix = (
            "Declare it: missing = [{code:g}]."
            if isinstance(layer, UbcLayer)
            else "Set it as the no-data value of the file (NO_DATA_VALUE in GoCAD), or clean the file."
        )
        self._add(check.of_sentinels(about, codes, fix))
        self._crs(about, [model])
        bounds = model.bounds
        try:
            wanted = inputs.asked(model, name, layer, _unsaid)
            fill = prepare(wanted, method=layer.method, name=layer.name)
        except (ValueError, TypeError) as error:
            raise StudyError(str(error)) from error
        if not self._add(check.of_place(about, bounds, self.grid)):
            self._upright(about, model, fill)
        return fill, bounds

    def _upright(self, about: str, model: Model, fill: Fill) -> None:
        """Whether a model lies above the ground, or is upside down against it."""
        bounds = np.array(model.bounds)
        box = np.maximum(bounds[:3], self.grid.bounds[:3]), np.minimum(bounds[3:], self.grid.bounds[3:])
        low, high = np.append(box[0][:2], bounds[2]), np.append(box[1][:2], bounds[5])
        if self.ground is None or not (np.isfinite(bounds).all() and (high > low).all()):
            return
        shape = np.array([40, 20, 20])
        steps = ((high - low)[::-1] / shape).tolist()
        part = Grid((40, 20, 20), tuple(steps), tuple(low[::-1].tolist()), self.grid.crs)
        xyz = part.points()
        heights = self._heights(xyz[:400]).reshape(20, 20)
        whole = np.broadcast_to(heights, part.shape)
        z = np.broadcast_to(part.centres(0)[:, None, None], part.shape)
        if self._add(check.of_height(about, z.ravel(), whole.ravel())):
            return
        known = np.isfinite(heights)
        present = np.isfinite(np.asarray(fill(part), dtype=float))[:, known]
        self._add(check.of_flip(about, present, (z <= whole)[:, known]))

    def _raster(self, layer: RasterLayer, about: str) -> tuple[Fill, Sequence[float]]:
        found, name = inputs.raster(self.study, layer, _unsaid)
        fix = "Set it as the no-data value of the raster (gdal_edit -a_nodata {code:g})."
        self._add(check.of_sentinels(about, check.sentinels(_some(found.values[name])), fix))
        if layer.crs and found.crs_name and known_crs(layer.crs) != known_crs(found.crs_name):
            self._add(check.of_crs(about, found.crs_name, layer.crs, fix=_NAMED))
        bounds = drape.bounds(found, self.grid, layer.crs)
        if self._add(check.of_place(about, bounds, self.grid)):  # nothing comes of it, which is said
            return lambda part: np.full(part.shape, np.nan), bounds
        fill, _ = inputs.filler(self.study, layer, _unsaid)
        return fill, bounds

    def _bands(self, layer: BandsLayer, about: str) -> Fill:
        for key, (found, name) in inputs.chosen(self.study, layer, _unsaid).items():
            fix = f"Set it as the no-data value of {layer.bands()[key][0]} (gdal_edit -a_nodata {{code:g}})."
            self._add(
                check.of_sentinels(f"{about}, band {key!r}", check.sentinels(_some(found.values[name])), fix)
            )
        return inputs.filler(self.study, layer, _unsaid)[0]

    def _assays(self, layer: AssaysLayer, about: str) -> Fill:
        said: list[str] = []
        fill, _ = inputs.filler(self.study, layer, said.append)
        self._picked("no_skill", about, layer.name, said, inputs.NO_SKILL)
        # of a file that several layers share, once
        new = [Finding("assays", f"file {layer.file!r}", text) for text in inputs.doubtful(self.study, layer)]
        self._add(finding for finding in new if finding not in self.done.findings)
        return fill

    def _holes(self, layer: BoreholesLayer, about: str) -> None:
        wells = studies.drillholes(layer, self.study.folder)
        collars = np.array([well.collar for well in wells]).reshape(-1, 3)
        paths = np.concatenate([np.empty((0, 3)), *(well.path for well in wells)])
        bounds = (*paths.min(axis=0), *paths.max(axis=0)) if len(paths) else _EVERYWHERE
        if not self._add(check.of_place(about, bounds, self.grid)):
            self._add(check.of_collars(about, collars[:, 2] - self._heights(collars)))
        columns = [rows.values[layer.assay] for w in wells for rows in w.intervals.values()]
        assays = np.concatenate([np.empty(0), *(np.asarray(one, dtype=float) for one in columns)])
        codes = check.sentinels(assays)
        self._add(check.of_sentinels(about, codes, "Leave such rows empty in the table."))
        self._add(check.of_assays(about, layer.assay, assays[~np.isin(assays, [code for code, _ in codes])]))

    def _leaks(self) -> None:
        """Layers made of the very intervals that say where the ore is."""
        for layer in self.study.layers:
            if not isinstance(layer, BoreholesLayer):
                continue
            same = [t.name for t in self.study.deposits if t.collar and t.intervals == layer.intervals]
            if same:
                text = (
                    f"it holds the assays that make the deposits {', '.join(map(repr, same))}, so a model "
                    "reads the answer off this layer. Leave it out, or use another element."
                )
                self._add(iter([Finding("leak", f"layer {layer.name!r}", text)]))

    def _placed(self, into: Callable[[list[labels.Deposit]], None], table: Any) -> None:
        into(self._deposits(table))

    def _deposits(self, table: Any) -> list[labels.Deposit]:
        about = f"deposit {table.name!r}"
        if table.is_map_file(flat=self.grid.is_map) or table.each:
            said: list[str] = []
            found = inputs.deposits(self.study, table, self.grid, said.append)
            self._picked("places", about, table.name, said, inputs.LEFT_OUT, inputs.JOINED)
            return found
        bodies = inputs.deposit_bodies(self.study, table, _unsaid)
        one = inputs.deposit(self.study, table, self.grid, _unsaid)
        # of drilled ore the collars and the cells tell whether it is too high
        if self._bodies(about, bodies, high=not table.collar):
            return [one]
        vertices = np.concatenate([np.empty((0, 3)), *(body.vertices for body in bodies)])
        centres = self.grid.xyz_of(one.cells)
        with np.errstate(invalid="ignore"):
            inside = self.ground is None or centres[:, 2] <= self._heights(centres)
        out = 1 - check.covered(vertices, self.grid.bounds)
        self._add(check.of_deposit(one, np.broadcast_to(inside, len(centres)), out))
        return [one]


_BESIDE = ("outside", "degrees", "feet", "kilometres", "swapped")
_NAMED = "The study has it so for this layer (crs), which counts: remove that, or be sure that it is right."
_NEAR = "Give a radius or a larger one, so that holes count around them, or set max_missing in [predict]."
_FAR = "Give a larger reach if samples speak for so much ground, or set max_missing in [predict]."
_EVERYWHERE = (-np.inf, -np.inf, -np.inf, np.inf, np.inf, np.inf)


def _unsaid(note: str) -> None:
    """Notes of the readers are for `build`."""


def _some(values: Any) -> FloatArray:
    """Values of a file, of a large one some of its layers."""
    if isinstance(values, Lazy) and values.size > _VALUES:
        values = values[:: -(-values.size // _VALUES)]
    return np.asarray(values, dtype=float)
