"""The schema of ``study.toml`` and the paths of a run."""

from __future__ import annotations

import difflib
import gzip
import hashlib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import pyproj
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from mpm3d import boreholes, io
from mpm3d.errors import StudyError
from mpm3d.geometry import Bounds, Lines, Points, Surface
from mpm3d.grid import Grid
from mpm3d.wells import Well

Files = Annotated[list[str], Field(min_length=1)]
Pair = tuple[float, float]
Positive = Annotated[int, Field(ge=1)]


class _Table(BaseModel):
    """A table of the study: unknown keys are errors, nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    def paths(self) -> Iterator[tuple[str, str]]:
        """Key and value of every file that the table names."""
        for key in ("file", "files", "mesh", "points", "intervals", "collar", "survey"):
            value = getattr(self, key, None)
            for one in value if isinstance(value, list) else [value] if value else []:
                yield key, one


class GridTable(_Table):
    """``[grid]``: extent of the cell edges and cell size, in metres, elevation up."""

    crs: str
    x: Pair
    y: Pair
    z: Pair
    spacing: float | tuple[float, float, float] = 50.0

    def grid(self) -> Grid:
        """The cells."""
        bounds = (self.x[0], self.y[0], self.z[0], self.x[1], self.y[1], self.z[1])
        steps = self.spacing if isinstance(self.spacing, float) else self.spacing[::-1]
        return Grid.from_bounds(bounds, steps, self.crs)

    @field_validator("crs")
    @classmethod
    def _known(cls, value: str) -> str:
        return _known_crs(value)


def _known_crs(value: str) -> str:
    try:
        return pyproj.CRS.from_user_input(value).to_string()
    except pyproj.exceptions.CRSError as error:
        raise ValueError(
            f"{value!r} is not a coordinate reference system. Use a code such as 'EPSG:32651'"
        ) from error


class TopographyTable(_Table):
    """``[topography]``: a GoCAD surface or a raster of ground elevations."""

    file: str


class CubeTable(_Table):
    """``[cube]``: cells of an object of the store along z, y, x, whole chunks of 50; for object stores."""

    shards: tuple[Positive, Positive, Positive] | None = None


class _Layer(_Table):
    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
    units: Annotated[str, Field(min_length=1)]
    long_name: str = ""


class DistanceLayer(_Layer):
    """Distance to surfaces, metres; ``solid`` gives 0 inside closed bodies."""

    kind: Literal["distance"]
    files: Files
    role: str = "unit"
    solid: bool = False
    cutoff: Annotated[float, Field(gt=0)] = 2000.0


class InsideLayer(_Layer):
    """1 inside closed bodies, 0 outside."""

    kind: Literal["inside"]
    files: Files
    role: str = "unit"


class _Model(_Layer):
    file: str
    method: Literal["linear", "nearest", "average"] = "linear"
    log10: bool = False


class UbcLayer(_Model):
    """Values of a UBC-GIF model on its tensor or OcTree mesh."""

    kind: Literal["ubc"]
    mesh: str
    missing: list[float] = []


class VoxetLayer(_Model):
    """Values of one property of a GoCAD voxet."""

    kind: Literal["voxet"]
    property: str = ""
    registration: Literal["center", "corner"] = "center"


class ModelLayer(_Model):
    """Values of one property of any file that has them in a volume.

    That is a voxet, a stratigraphic grid, tetrahedra, a block model, or a model of UBC-GIF, whose mesh is
    found beside it or named.
    """

    kind: Literal["model"]
    property: str = ""
    registration: Literal["center", "corner"] = "center"
    mesh: str = ""


class RasterLayer(_Model):
    """Values of a map, at all depths of a column or down to ``depth`` metres below the topography."""

    kind: Literal["raster"]
    property: str = ""
    crs: str = ""
    drape: Literal["column", "surface"] = "column"
    depth: Annotated[float, Field(gt=0)] | None = None

    @field_validator("crs")
    @classmethod
    def _known(cls, value: str) -> str:
        return _known_crs(value) if value else value


class BoreholesLayer(_Layer):
    """Length-weighted mean of an assay of drillholes, in the cells that they pass through and near them."""

    kind: Literal["boreholes"]
    collar: Annotated[str, Field(min_length=1)]
    intervals: Annotated[str, Field(min_length=1)]
    assay: Annotated[str, Field(min_length=1)]
    survey: str = ""
    radius: Annotated[float, Field(ge=0)] = 0.0


Layer = Annotated[
    DistanceLayer | InsideLayer | UbcLayer | VoxetLayer | ModelLayer | RasterLayer | BoreholesLayer,
    Field(discriminator="kind"),
]


class DepositTable(_Table):
    """``[[deposits]]``: a known orebody, from surfaces, points or drilled intervals.

    With a table of collars, ``intervals`` are those of drillholes, and cells whose mean of ``assay`` is at
    least ``cutoff`` are ore.
    """

    name: Annotated[str, Field(min_length=1)]
    files: list[str] = []
    points: str = ""
    intervals: str = ""
    collar: str = ""
    survey: str = ""
    assay: str = ""
    cutoff: float | None = None
    thickness: Annotated[float, Field(gt=0)] | None = None
    min_share: Annotated[float, Field(gt=0, le=1)] | None = None
    style: str = ""
    blind: bool = False


class SamplesTable(_Table):
    """``[samples]``: what is drawn around the deposits."""

    stand_off: Annotated[float, Field(ge=0)] = 800.0
    negatives_per_positive: Annotated[float, Field(gt=0)] = 1.0
    max_patches: Annotated[int, Field(ge=4)] | None = None
    background: Annotated[int, Field(ge=100)] = 50_000


class ForestTable(_Table):
    """A random forest on the evidence of single cells."""

    kind: Literal["forest"]
    trees: Annotated[int, Field(ge=1)] = 77
    depth: Annotated[int, Field(ge=1)] = 7
    features: Annotated[int, Field(ge=1)] = 3
    members: Annotated[int, Field(ge=1)] = 1


class NetworkTable(_Table):
    """A 3D residual network with (dl3, dl4) or without (dl1, dl2) lightweight attention."""

    kind: Literal["dl1", "dl2", "dl3", "dl4"]
    epochs: Annotated[int, Field(ge=1)] = 200
    early_stopping: bool = True
    patience: Annotated[int, Field(ge=1)] = 8
    batch_size: Annotated[int, Field(ge=2)] = 64
    learning_rate: Annotated[float, Field(gt=0)] = 0.001
    device: str = "auto"
    members: Annotated[int, Field(ge=1)] = 1


ModelTable = Annotated[ForestTable | NetworkTable, Field(discriminator="kind")]


class PredictTable(_Table):
    """``[predict]``: how the volume is cut up."""

    block: tuple[Positive, Positive, Positive] = (50, 50, 50)
    workers: Positive | None = None
    processes: bool = False
    memory: Annotated[float, Field(gt=0)] = 4.0
    max_missing: Annotated[int, Field(ge=0)] = 0


class TargetsTable(_Table):
    """``[targets]``: which share of the eligible cells, and the smallest body in m3 (eight cells)."""

    share: Annotated[float, Field(gt=0, lt=1)] | None = None
    min_volume: Annotated[float, Field(ge=0)] | None = None


class SourceTable(_Table):
    """``[[sources]]``: where a file that is not bundled comes from, and its SHA-256."""

    file: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    repository: str
    commit: str = ""
    path: str = ""
    licence: str = ""


class Study(_Table):
    """Everything a study says. Read one with `load`.

    Tables and keys are described in the README and in the file that ``mpm3d init`` writes.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    note: str = ""
    seed: Annotated[int, Field(ge=0)] = 0
    grid: GridTable
    topography: TopographyTable | None = None
    cube: CubeTable = CubeTable()
    layers: Annotated[list[Layer], Field(min_length=1)]
    deposits: Annotated[list[DepositTable], Field(min_length=1)]
    samples: SamplesTable = SamplesTable()
    models: Annotated[list[ModelTable], Field(min_length=1)] = [ForestTable(kind="forest")]
    predict: PredictTable = PredictTable()
    targets: TargetsTable = TargetsTable()
    sources: list[SourceTable] = []
    folder: Path = Field(default=Path(), exclude=True)
    runs: Path = Field(default=Path("runs"), exclude=True)

    @property
    def run_folder(self) -> Path:
        """Where everything that the study produces goes."""
        return self.runs / self.name

    def path(self, name: str) -> Path:
        """A file of the study, relative to ``study.toml`` unless absolute; ``X.gz`` stands in for ``X``."""
        return _present(self.folder / name)


def template() -> str:
    """A commented ``study.toml`` to start from."""
    return resources.files("mpm3d").joinpath("template.toml").read_text(encoding="utf-8")


def load(path: str | Path, *, runs: str | Path | None = None) -> Study:
    """Read and check a ``study.toml`` and every file it names, before any work.

    Parameters
    ----------
    path : str or Path
        The file. Paths in it are relative to its folder; ``${NAME}`` is an environment variable.
    runs : str or Path, optional
        Where run folders go, ``runs`` beside the study if not given.

    Returns
    -------
    Study

    Raises
    ------
    StudyError
        With one sentence for each problem, all at once.
    """
    study, problems = examine(path, runs=runs)
    if problems or study is None:
        raise StudyError(problems)
    return study


def examine(path: str | Path, *, runs: str | Path | None = None) -> tuple[Study | None, list[str]]:
    """Read a ``study.toml`` as far as it goes, and say everything that is wrong with it.

    Parameters
    ----------
    path, runs
        As in `load`.

    Returns
    -------
    study : Study or None
        Without the layers, deposits and other tables that are wrong; None if too little is left.
    problems : list of str
        A sentence each.

    Raises
    ------
    StudyError
        If there is no such file, or it is not TOML.
    """
    place = Path(path)
    if not place.is_file():
        raise StudyError(f"{place} is not a file. `mpm3d init {place}` writes a study to start from.")
    try:
        raw = tomllib.loads(place.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StudyError(f"{place.name} is not TOML: {error}.") from error
    unset: dict[str, list[str]] = {}
    table = _expand(raw, unset, "")
    problems = [_unset(name, places) for name, places in unset.items()]
    folder = place.resolve().parent
    here = {"folder": folder, "runs": Path(runs).resolve() if runs else folder / "runs"}
    reserved = [key for key in here if key in table]
    problems += [f"{key!r} is not a key of study.toml. Remove it." for key in reserved]
    study: Study | None
    try:
        study = Study.model_validate({**table, **here})
    except ValidationError as error:
        problems += [_sentence(one, table) for one in error.errors()]
        study = _valid(Study, {**_without(table, error), **here})
    problems += _check_contents(table, folder)
    return study, list(dict.fromkeys(problems))


def _without(table: Mapping[str, Any], error: ValidationError) -> dict[str, Any]:
    """The tables of a study without those, and those of a list, in which something is wrong."""
    wrong = {tuple(one["loc"][:2]) for one in error.errors()}
    left: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, list):
            left[key] = [item for number, item in enumerate(value) if (key, number) not in wrong]
        elif key in ("grid", "name") or key not in {where[0] for where in wrong}:
            left[key] = value
    return left


def _expand(value: Any, unset: dict[str, list[str]], key: str) -> Any:
    """Replace ``${NAME}`` in every string; where a variable is not set is noted by its name."""
    if isinstance(value, dict):
        return {k: _expand(v, unset, f"{key}.{k}" if key else k) for k, v in value.items()}
    if isinstance(value, list):
        return [_expand(v, unset, f"{key}[{i}]") for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replacement(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in os.environ:
            unset.setdefault(name, []).append(f"{key} = {value!r}")
        return os.environ.get(name, match.group(0))

    return re.sub(r"\$\{(\w+)\}", replacement, value)


def _unset(name: str, places: list[str]) -> str:
    others = f" and {len(places) - 1} more need it" if len(places) > 1 else " needs it"
    return f"the variable {name} is not set, {places[0]}{others}. Set it to the folder that holds the data."


def _where(location: tuple[int | str, ...], table: Mapping[str, Any]) -> str:
    """``layers 'density'`` rather than ``layers.3.ubc``."""
    words, value = [], table
    for step in location:
        if isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
            name = value.get("name", value.get("kind", step + 1)) if isinstance(value, dict) else step + 1
            words[-1] += f" {name!r}" if isinstance(name, str) else f" number {name}"
        elif isinstance(value, Mapping) and step in value:
            value = value[step]  # type: ignore[index]
            words.append(str(step))
        elif step not in (*_LAYERS, "forest", "dl1", "dl2", "dl3", "dl4"):
            words.append(str(step))
    return ", ".join(words)


def _sentence(error: Any, table: Mapping[str, Any]) -> str:
    """One problem found by pydantic, in a geologist's words."""
    location, kind = tuple(error["loc"]), error["type"]
    where, key = _where(location[:-1], table), str(location[-1]) if location else ""
    inside = f" in [{where}]" if where else ""
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(key, _keys(location), n=1)
        hint = f"Did you mean {near[0]!r}?" if near else "Remove it."
        return f"{key!r} is not a key{inside} (value {error['input']!r}). {hint}"
    if kind == "missing":
        fix = {"units": 'Give units, such as units = "m"', "crs": 'Give the EPSG code, such as "EPSG:32651"'}
        return f"{key!r} is missing{inside}. {fix.get(key, 'Add it')}."
    message = error["msg"].removeprefix("Value error, ")
    if kind == "union_tag_invalid":
        allowed = error["ctx"]["expected_tags"]
        owner = _where(location, table)
        return f"kind = {error['ctx']['tag']!r} in [{owner}] is not known. Use one of {allowed}."
    if kind == "union_tag_not_found":
        return f"'kind' is missing in [{_where(location, table)}]. Add it."
    return f"{key} = {error['input']!r}{inside}: {message[0].lower()}{message[1:]}."


def _keys(location: tuple[int | str, ...]) -> list[str]:
    """Keys that are allowed where a wrong one stands."""
    tables: dict[str, type[_Table]] = {
        "grid": GridTable, "topography": TopographyTable, "cube": CubeTable, "deposits": DepositTable,
        "samples": SamplesTable,
        "predict": PredictTable, "targets": TargetsTable, "sources": SourceTable, "distance": DistanceLayer,
        "inside": InsideLayer, "ubc": UbcLayer, "voxet": VoxetLayer, "model": ModelLayer,
        "raster": RasterLayer, "boreholes": BoreholesLayer, "forest": ForestTable,
        **dict.fromkeys(("dl1", "dl2", "dl3", "dl4"), NetworkTable),
    }  # fmt: skip
    named = [tables[str(step)] for step in location[:-1] if str(step) in tables]
    return list((named[-1] if named else Study).model_fields)


def _check_contents(table: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """Problems that need the files or several tables, found even when other tables are wrong."""
    grid = None
    try:
        grid = GridTable.model_validate(table.get("grid")).grid()
    except ValidationError:
        pass  # said already
    except ValueError as error:
        yield f"[grid]: {error}"
    layers = [_valid(_LAYERS.get(t.get("kind")), t) for t in _tables(table, "layers")]
    deposits = [_valid(DepositTable, t) for t in _tables(table, "deposits")]
    sources = [_valid(SourceTable, t) for t in _tables(table, "sources")]
    topography = [_valid(TopographyTable, table["topography"])] if "topography" in table else []
    for what, items in (("layer", layers), ("deposit", deposits)):
        names = [item.name for item in items if item is not None]
        twice = sorted({name for name in names if names.count(name) > 1})
        yield from (f"two {what}s are called {name!r}. Names must differ." for name in twice)
    kinds = [str(t.get("kind")) for t in _tables(table, "models")]
    for kind in sorted({kind for kind in kinds if kinds.count(kind) > 1}):
        yield f"[[models]] names {kind!r} {kinds.count(kind)} times. Name each kind once."
    origin = {folder / s.file: s for s in sources if isinstance(s, SourceTable)}
    for item in (*layers, *deposits, *topography):
        yield from _missing_files(item, folder, origin)
    yield from _changed_sources(origin)
    for deposit in deposits:
        if isinstance(deposit, DepositTable):
            yield from _check_deposit(deposit, folder, grid)
    known = [d for d in deposits if isinstance(d, DepositTable) and not d.blind]
    if deposits and not known:
        yield "every deposit is blind, so nothing is left to learn from. Set blind = false on some."


_LAYERS: dict[Any, type[_Table]] = {
    "distance": DistanceLayer, "inside": InsideLayer, "ubc": UbcLayer, "voxet": VoxetLayer,
    "model": ModelLayer, "raster": RasterLayer, "boreholes": BoreholesLayer,
}  # fmt: skip


def _tables(table: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    value = table.get(key, [])
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _valid(kind: type[_Table] | None, value: Any) -> Any:
    try:
        return kind.model_validate(value) if kind else None
    except ValidationError:
        return None


def _missing_files(item: _Table | None, folder: Path, origin: Mapping[Path, SourceTable]) -> Iterator[str]:
    for key, name in item.paths() if item is not None else ():
        path = _present(folder / name)
        if "${" in name or path.is_file():
            continue
        owner = getattr(item, "name", "topography")
        source = origin.get(folder / name)
        fix = "Check the path, it is relative to study.toml."
        if source is not None:
            commit = f", commit {source.commit}" if source.commit else ""
            fix = f"Get it from {source.repository}{commit}, {source.path or path.name}."
        yield f"{owner!r}: {key} = {name!r} does not exist. {fix}"


def _changed_sources(origin: Mapping[Path, SourceTable]) -> Iterator[str]:
    for path, source in ((_present(place), source) for place, source in origin.items()):
        if path.is_file() and (found := sha256(path)) != source.sha256:
            yield (
                f"{source.file!r} is not the file of {source.repository}: its SHA-256 is {found[:12]}…, "
                f"{source.sha256[:12]}… was expected. Get it again."
            )


def _check_deposit(deposit: DepositTable, folder: Path, grid: Grid | None) -> Iterator[str]:
    named = [bool(deposit.files), bool(deposit.points), bool(deposit.intervals)]
    if sum(named) != 1:
        yield f"deposit {deposit.name!r} needs one of files, points and intervals, it has {sum(named)}."
        return
    given = {key for key, value in deposit if value not in ("", None)}
    holes = [key for key in ("collar", "survey", "assay", "cutoff") if key in given]
    lacking = [key for key in ("collar", "intervals", "assay", "cutoff") if key not in given]
    if holes and lacking:
        yield (
            f"deposit {deposit.name!r} has {', '.join(holes)}, so it comes from drillholes, and lacks "
            f"{', '.join(lacking)}. Give collar, intervals, assay and cutoff."
        )
        return
    try:
        paths = [_present(folder / name) for _, name in deposit.paths()]
        boxes = [] if holes and not all(p.is_file() for p in paths) else _boxes(deposit, folder, paths)
    except (ValueError, OSError) as error:
        yield f"deposit {deposit.name!r}: {error}"
        return
    if grid is None or not boxes:
        return
    g = grid.bounds
    outside = all(any(b[i + 3] < g[i] or b[i] > g[i + 3] for i in range(3)) for b in boxes)
    if outside:
        b = boxes[0]
        yield (
            f"deposit {deposit.name!r} lies outside the grid: it spans x {b[0]:.0f} to {b[3]:.0f}, "
            f"y {b[1]:.0f} to {b[4]:.0f}, z {b[2]:.0f} to {b[5]:.0f} m, the grid x {g[0]:.0f} to {g[3]:.0f}, "
            f"y {g[1]:.0f} to {g[4]:.0f}, z {g[2]:.0f} to {g[5]:.0f} m. Move the grid or check the file."
        )


def _boxes(deposit: DepositTable, folder: Path, paths: list[Path]) -> list[Bounds]:
    """Bounds of each body of a deposit, of the ore alone where it is drilled."""
    if not deposit.collar:
        bodies = [thing for path in paths if path.is_file() for thing in io.read(path)]
        return [thing.bounds for thing in bodies if isinstance(thing, Surface | Lines | Points)]
    wells = drillholes(deposit, folder)
    boreholes.check_column(wells, deposit.assay)
    found = boreholes.ore(wells, deposit.assay, deposit.cutoff or 0.0)
    if not len(found.segments):
        raise ValueError(
            f"no interval of {deposit.intervals} reaches {deposit.assay} = {deposit.cutoff:g}. Lower the "
            "cutoff."
        )
    return [found.bounds]


def drillholes(table: DepositTable | BoreholesLayer, folder: Path) -> list[Well]:
    """The drillholes of a layer or a deposit, whose files are relative to ``folder``."""
    survey = _present(folder / table.survey) if table.survey else None
    collar, intervals = _present(folder / table.collar), _present(folder / table.intervals)
    return io.drillholes.read_drillholes(collar, survey, intervals)


def _present(path: Path) -> Path:
    """The file, or its gzipped twin where only that exists."""
    twin = path.with_name(path.name + ".gz")
    return twin if not path.exists() and twin.is_file() else path


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, read piece by piece, that of the text where it is gzipped."""
    digest = hashlib.sha256()
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    with gzip.open(path, "rb") if zipped else path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
