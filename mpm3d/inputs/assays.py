"""Layers from tables of assays: read once, completed, made into log-ratios and components, mapped."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mpm3d import drape
from mpm3d.errors import StudyError
from mpm3d.geochemistry import (
    Assays,
    Finding,
    Imputer,
    Imputing,
    Map,
    Mapping2D,
    Reading,
    RobustComponents,
    clr,
    coordinates,
    masked_value_test,
    parse,
    read_assays,
    to_map,
)
from mpm3d.geochemistry.cells import read_cells
from mpm3d.geochemistry.finding import counted, listed
from mpm3d.grid import FloatArray, Grid
from mpm3d.inputs.bodies import Say
from mpm3d.study import AssaysLayer, Study, sha256

_READING = {"x", "y", "column_units", "fill", "negatives"}
NO_SKILL = "between the samples this map knows no more than their mean"
_DOUBTFUL = {"fill", "impossible", "sentinel", "twice"}  # findings that should not be so, others are told
_HALF = 0.5  # share of the samples that must have an element that nobody named
_ALIKE = 3  # findings of one sort that are said, of many
_NO_LABELS = "learned from all samples of the table, which holds no labels of deposits"


@dataclass(frozen=True)
class _Source:
    """A file as it is now, and how it is read."""

    path: Path
    digest: str
    reading: str


@dataclass(eq=False)
class _Told:
    """Sentences that each study is told once, though several layers share what they are about."""

    sentences: list[str]
    told_to: Study | None = None

    def tell(self, study: Study, say: Say) -> None:
        if self.told_to is not study:
            for sentence in self.sentences:
                say(sentence)
        self.told_to = study


@dataclass(eq=False)
class _Table:
    assays: Assays
    elements: list[str]
    told: _Told


@dataclass(eq=False)
class _Complete:
    """Elements without missing values: rows of the table, and a column for each element."""

    parts: pd.DataFrame
    told: _Told
    how: list[str]
    estimated: bool


def mapped(study: Study, layer: AssaysLayer, say: Say) -> tuple[Callable[[Grid], Any], str]:
    """What computes a layer from assays in a part of the grid, and a sentence that says how."""
    grid = study.grid.grid()
    try:
        plane, how = _plane(study, layer, grid, say)
    except ValueError as error:
        raise StudyError(f"layer {layer.name!r}: {error}") from error

    def fill(part: Grid) -> Any:
        # parts may be coarser than the grid, such as the cells that a check looks at
        y, x = (
            np.floor((part.centres(axis) - grid.corner[axis]) / grid.spacing[axis]).astype(int)
            for axis in (1, 2)
        )
        return drape.down(plane[np.ix_(y, x)], part)

    return fill, how if grid.is_map else f"{how}, equal at all depths"


def doubtful(study: Study, layer: AssaysLayer) -> list[str]:
    """What the reader found in the table of a layer that should not be so, a sentence each."""
    findings = _read(_source(study, layer)).assays.findings
    return [_in_our_words(finding) for finding in findings if finding.about in _DOUBTFUL]


def draw_loadings(study: Study, layer: AssaysLayer, folder: Path) -> Path | None:
    """Draw the loadings of a layer's component with the first, or the first two, into a folder.

    Parameters
    ----------
    study : Study
        Of the layer.
    layer : AssaysLayer
        With a component.
    folder : Path
        Where ``loadings_<file>.png`` goes. The name of the layer follows where the component is not one of
        the first two, or another layer has components of other elements or another reading of such a file.

    Returns
    -------
    Path or None
        The file; None if there is one component only, so that nothing can be set against it.
    """
    from mpm3d.evaluate.loadings import draw_loadings as draw

    fitted = _components(*_composition_of(study, layer))
    number = max(2, layer.component or 0)
    if number > len(fitted.names):
        return None
    stem = Path(layer.file).stem
    others = {
        _composition_of(study, one)
        for one in study.layers
        if isinstance(one, AssaysLayer) and one.component is not None and Path(one.file).stem == stem
    }
    name = f"{stem}_{layer.name}" if number > 2 or len(others) > 1 else stem
    path = folder / f"loadings_{name}.png"
    return draw(fitted.loadings, fitted.explained, path, components=(0, number - 1), note=study.note)


def _plane(study: Study, layer: AssaysLayer, grid: Grid, say: Say) -> tuple[FloatArray, str]:
    """Values of the columns of the grid, and how they came about."""
    table = _read(_source(study, layer))
    table.told.tell(study, say)
    values, what, how = _values(study, layer, table, say)
    known = np.isfinite(values) & np.isfinite(table.assays.xy).all(axis=1)
    _check_place(table.assays, known, layer, grid)
    flat = replace(grid, shape=(1, *grid.shape[1:]))
    settings = Mapping2D(layer.reach, layer.method, layer.crs, seed=study.seed)
    found = to_map(table.assays.xy, values, flat, settings)
    notes = [*found.sentences, *_doubt(found, table.assays.xy[known], values[known])]
    for sentence in notes:
        say(f"layer {layer.name}: {sentence}")
    samples = f"{counted(int(known.sum()), 'sample')} of {Path(layer.file).name}"
    reach = f"missing farther than {layer.reach:g} m from every sample"
    said = [f"{what} of {samples}, mapped by {found.method}, {reach}", *notes, *how]
    return np.asarray(found.values[0], dtype=float), "; ".join(note.rstrip(".") for note in said)


def _doubt(found: Map, xy: FloatArray, values: FloatArray) -> list[str]:
    """A warning where the map knows no more than the mean of the samples."""
    errors = found.errors[found.errors["method"] == found.method]
    places = pd.DataFrame(xy).assign(value=values).groupby([0, 1])["value"].mean()
    if not len(errors) or not (spread := float(places.std(ddof=0))):
        return []
    error = float(np.sqrt(np.average(errors["rmse"] ** 2, weights=errors["samples"])))
    if error < spread:
        return []
    text = f"the error on left-out blocks ({error:.3g}) is not smaller than the standard deviation of the "
    return [f"{text}values ({spread:.3g}): {NO_SKILL}."]


def _values(study: Study, layer: AssaysLayer, table: _Table, say: Say) -> tuple[FloatArray, str, list[str]]:
    """The number of each sample, NaN where it has none, what it is, and what it was learned from."""
    name = Path(layer.file).name
    for element in (layer.element, *layer.elements):
        if element and element not in table.elements:
            raise StudyError(f"{name} has no element {element!r}. {_near(element, table)}")
    if layer.element and (reason := table.assays.unmeasured(layer.element)):
        raise StudyError(
            f"nothing of {layer.element!r} was measured in {name}: {reason}. Leave the layer out."
        )
    if not layer.is_composition and layer.impute is None:
        column, what = _concentration(table.assays.values[layer.element], layer)
        return column.to_numpy(dtype=float), what, []
    complete = _completed(*_composition_of(study, layer))
    complete.told.tell(study, say)
    parts = complete.parts
    if layer.element and layer.element not in parts:
        share = table.assays.values[layer.element].notna().mean()
        raise StudyError(
            f"{layer.element!r} has a value in {100 * share:.0f} % of the samples of {name}, less than half, "
            "so it is not completed unasked. Name the elements: elements = [...], this one among them."
        )
    learned = ["imputation"] if complete.estimated else []
    if layer.component is not None:
        column, what = _component(study, layer, parts)
        learned.append("components")
    elif layer.ratio:
        column = pd.DataFrame(clr(parts), parts.index, parts.columns)[layer.element]
        what = f"centred log-ratio of {layer.element} over {len(parts.columns)} elements"
    else:
        column, what = _concentration(parts[layer.element], layer)
    # rows that were left out have no number
    numbers = column.reindex(table.assays.values.index).to_numpy(dtype=float)
    labels = [f"{' and '.join(learned)} {_NO_LABELS}"] if learned else []
    return numbers, what, [*complete.how, *labels]


def _component(study: Study, layer: AssaysLayer, parts: pd.DataFrame) -> tuple[pd.Series, str]:
    """Scores of a component, and what it is."""
    number, count = layer.component or 1, len(parts.columns)
    if number >= count:
        raise StudyError(
            f"component = {number} is larger than the {count - 1} there are: {count} elements of "
            f"{Path(layer.file).name} ({listed(list(map(str, parts)))}) make one component less."
        )
    fitted = _components(*_composition_of(study, layer))
    share = 100 * fitted.explained[number - 1]
    loadings = fitted.loadings.iloc[:, number - 1].sort_values()
    high, low = loadings[loadings > 0].index[::-1][:3], loadings[loadings < 0].index[:3]
    what = f"robust component {number} ({share:.1f} % of the variance) of isometric log-ratios of {count} "
    what += f"elements (high with {', '.join(high)}, low with {', '.join(low)})"
    return fitted.transform(parts).iloc[:, number - 1], what


def _concentration(column: pd.Series, layer: AssaysLayer) -> tuple[pd.Series, str]:
    what = f"{layer.element} in ppm"
    return (np.log10(column), f"decimal logarithm of {what}") if layer.log10 else (column, what)


def _source(study: Study, layer: AssaysLayer) -> _Source:
    path = study.path(layer.file)
    return _Source(path, sha256(path), layer.model_dump_json(include=_READING))


def _composition_of(study: Study, layer: AssaysLayer) -> tuple[_Source, tuple[str, ...], str, int]:
    """What the completed elements of a layer depend on."""
    return _source(study, layer), tuple(layer.elements), layer.impute or "best", study.seed


@lru_cache(maxsize=4)
def _read(source: _Source) -> _Table:
    """The table of a file, in parts per million of elements."""
    asked = json.loads(source.reading)
    name, cells = source.path.name, read_cells(source.path)
    heads = list(dict.fromkeys(map(str, cells)))
    x, y = (asked["x"], asked["y"]) if asked["x"] else coordinates(heads)
    if not x:
        raise StudyError(
            f'no columns of coordinates are found in {name}. Name them: x = "easting", y = "northing". '
            f"It has {listed(heads, 20)}."
        )
    if lacking := [one for one in (x, y) if one not in heads]:
        raise StudyError(f"{name} has no column {listed(lacking)} for x and y. It has {listed(heads, 20)}.")
    units = _units(heads, asked["column_units"], (x, y), name)
    reading = Reading(
        x=x, y=y, unit="ppm", units=units, oxides="elements", zeros="missing", fill=asked["fill"],
        negatives=asked["negatives"],
    )  # fmt: skip
    assays = read_assays(cells, reading)
    names = [str(one) for one in assays.values]
    elements = [one for one in names if parse(one).formula and assays.units[one] == "ppm"]
    count = f"{counted(len(assays.values), 'sample')}, {counted(len(elements), 'element')} in ppm."
    return _Table(assays, elements, _Told([f"{name}: {count}", *_said(assays.findings, name)]))


def _units(heads: Sequence[str], asked: dict[str, str], places: tuple[str, str], name: str) -> dict[str, str]:
    """Units of columns by their name, all of assays having one."""
    if unknown := [head for head in asked if head not in (*heads, "*")]:
        raise StudyError(
            f"column_units names {listed(unknown)}, {name} has no such column. It has {listed(heads, 20)}."
        )
    units = {head: unit for head, unit in asked.items() if head != "*"}
    bare = [head for head in heads if head not in (*units, *places) and _is_bare(head)]
    if bare and "*" not in asked:
        raise StudyError(
            f"the unit of {listed(bare)} in {name} is not known. Say which: "
            f'column_units = {{ "*" = "ppm" }} for all columns whose name says none, or one by one.'
        )
    return {**units, **dict.fromkeys(bare, asked.get("*", ""))}


def _is_bare(head: str) -> bool:
    heading = parse(head)
    return bool(heading.formula) and not heading.unit


def _said(findings: Sequence[Finding], name: str) -> list[str]:
    """What the reader found, the first few sentences of each sort."""
    times: Counter[str] = Counter()
    lines = []
    for finding in findings:
        times[finding.about] += 1
        if times[finding.about] <= _ALIKE:
            lines.append(f"{name}: {_in_our_words(finding)}")
    more = sum(max(0, number - _ALIKE) for number in times.values())
    return [*lines, f"{name}: {counted(more, 'more finding')} of these sorts."] if more else lines


def _in_our_words(finding: Finding) -> str:
    """A sentence of the reader with the keys of a study."""
    return finding.sentence.replace("units = {", "column_units = {")


def _near(element: str, table: _Table) -> str:
    """Elements that may be meant, or those that there are."""
    known = {one.lower(): one for one in table.elements}
    meant = known.get(parse(element).formula.lower()) or known.get(element.lower())
    close = [meant] if meant else difflib.get_close_matches(element, table.elements, n=3)
    if close:
        return f"Did you mean {' or '.join(map(repr, close))}?"
    return f"It has {listed(table.elements, 20)}."


@lru_cache(maxsize=4)
def _completed(source: _Source, elements: tuple[str, ...], impute: str, seed: int) -> _Complete:
    """Elements with their missing values estimated; samples without any value are left out."""
    table, name = _read(source), source.path.name
    values, censored = table.assays.values, table.assays.censored
    measured = [one for one in table.elements if not table.assays.unmeasured(one)]
    kept = list(elements) or [one for one in measured if values[one].notna().mean() >= _HALF]
    if len(kept) < 2:
        raise StudyError(
            f"{name} has {counted(len(kept), 'element')} with a value in at least half of the samples, "
            "log-ratios need two or more. Name them: elements = [...]."
        )
    values = values[kept]
    values = values[values.notna().any(axis=1)]
    dropped = [] if elements else [one for one in table.elements if one not in kept]
    lines = [_too_few(dropped)] if dropped else []
    if bare := len(table.assays.values) - len(values):
        lines.append(f"{counted(bare, 'sample')} without a value of any of the elements left out.")
    estimated = not values.notna().all(axis=None)
    if not estimated:
        how = ["no value of the elements was missing."]
    else:
        values, how = _imputed(values, censored.loc[values.index, kept], impute, Imputing(seed=seed))
    return _Complete(values, _Told([f"{name}: {line}" for line in (*lines, *how)]), how, estimated)


def _too_few(dropped: list[str]) -> str:
    many, few = counted(len(dropped), "element"), "a value in less than half of the samples, or none measured"
    return f"{many} with {few}, left out: {listed(dropped)}."


def _imputed(
    values: pd.DataFrame, censored: pd.DataFrame, impute: str, settings: Imputing
) -> tuple[pd.DataFrame, list[str]]:
    """Complete values, with the test of how well hidden ones are found."""
    # a named method is set against the median, the median against the nearest
    methods = {"best": ("median", "nearest", "forest"), "median": ("median", "nearest")}
    test = masked_value_test(
        values, censored, methods=methods.get(impute, ("median", impute)), settings=settings
    )
    made = Imputer(test.best if impute == "best" else impute, settings).fit(values).transform(values)
    return made.values, [*made.sentences, test.sentence]


@lru_cache(maxsize=4)
def _components(source: _Source, elements: tuple[str, ...], impute: str, seed: int) -> RobustComponents:
    parts = _completed(source, elements, impute, seed).parts
    return RobustComponents.fit(parts, units=dict.fromkeys(map(str, parts), "ppm"), seed=seed)


def _check_place(assays: Assays, known: Any, layer: AssaysLayer, grid: Grid) -> None:
    """That the samples are in metres or their system is given, and that some are in the area."""
    from pyproj import Transformer

    name = Path(layer.file).name
    if assays.degrees and not layer.crs:
        raise StudyError(
            f"the coordinates of {name} are degrees of longitude and latitude, and crs is not given. "
            'Say their system, such as crs = "EPSG:4326".'
        )
    xy = assays.xy[known]
    if not len(xy):
        raise StudyError(f"no sample of {name} has a place and a value. Look at the columns of x and y.")
    if layer.crs:
        xy = np.column_stack(Transformer.from_crs(layer.crs, grid.crs, always_xy=True).transform(*xy.T))
    b = grid.bounds
    low, high = np.array(b[:2]) - layer.reach, np.array(b[3:5]) + layer.reach
    if not ((xy >= low) & (xy <= high)).all(axis=1).any() and np.isfinite(xy).all():
        (x0, y0), (x1, y1) = xy.min(axis=0), xy.max(axis=0)
        raise StudyError(
            f"no sample lies in the area: those of {name} span x {x0:.0f} to {x1:.0f}, y {y0:.0f} to "
            f"{y1:.0f}, the grid x {b[0]:.0f} to {b[3]:.0f}, y {b[1]:.0f} to {b[4]:.0f} m. "
            "Look at crs, x and y."
        )
