"""Values at samples brought to the cells of a map, as far as the samples reach."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mpm3d.errors import StudyError, require
from mpm3d.geochemistry.finding import counted
from mpm3d.grid import Grid

METHODS = ("spline", "linear", "neighbours", "kriging")
_DENSE = 5000
_AT_ONCE = 50_000
Float64 = NDArray[np.float64]
_Field = Callable[[Float64], Float64]


@dataclass(frozen=True)
class Mapping2D:
    """How values at samples become a map.

    Parameters
    ----------
    reach : float
        Cells whose centre is farther than this from every sample stay without a value, in metres.
    method : {"best", "spline", "linear", "neighbours", "kriging"}
        Biharmonic spline (Sandwell 1987), linear between the samples of a triangulation, mean of the nearest
        samples, ordinary kriging with a variogram fitted to the samples; ``"best"`` is the one of the first
        three with the smallest error on blocks that were left out.
    crs : str
        Coordinate system of the samples; the one of the grid where empty.
    damping : float
        Smoothness of the spline, 0 goes through every sample. It is meant for coordinates of -1 to 1 around
        the middle of the samples and values of deviation 1, which are made first, so that the map does not
        depend on units.
    neighbours : int
        Samples whose mean ``"neighbours"`` takes.
    blocks : tuple of float and int
        Size of the blocks that are left out together in metres (0: the reach), and the number of folds.
    seed : int
        Seed of the folds.
    """

    reach: float
    method: str = "best"
    crs: str = ""
    damping: float = 0.0
    neighbours: int = 5
    blocks: tuple[float, int] = (0.0, 5)
    seed: int = 0

    def __post_init__(self) -> None:
        wrong = []
        if not 0 < self.reach < np.inf:
            wrong.append(
                f"reach = {self.reach:g} m must be above 0: how far a sample speaks for its surroundings."
            )
        if self.method not in ("best", *METHODS):
            wrong.append(f"method {self.method!r} is not known, it is best, {', '.join(METHODS)}.")
        if self.damping < 0 or self.neighbours < 1:
            wrong.append(
                f"damping = {self.damping:g} must be 0 or more, neighbours = {self.neighbours} 1 or more."
            )
        if self.blocks[0] < 0 or self.blocks[1] < 2:
            wrong.append(f"blocks = {self.blocks} are a size in metres, 0 or more, and two folds or more.")
        if wrong:
            raise StudyError(wrong)


@dataclass(frozen=True, eq=False)
class Map:
    """A map of values at samples.

    Parameters
    ----------
    values : array of float32, shape (1, y, x)
        On the grid; NaN beyond the reach of the samples.
    method : str
        The method that was used.
    errors : DataFrame
        Columns ``method, fold, samples, rmse, mae``, in the units of the values, one row for each method and
        block-wise fold; empty where one block holds all samples.
    sentences : tuple of str
        What was done.
    """

    values: NDArray[np.float32]
    method: str
    errors: pd.DataFrame
    sentences: tuple[str, ...]


@dataclass(eq=False)
class _Samples:
    xy: Float64
    values: Float64
    said: list[str] = field(default_factory=list)


def to_map(xy: ArrayLike, values: ArrayLike, grid: Grid, how: Mapping2D) -> Map:
    """Interpolate values at samples to the cells of a map.

    Samples of one place are averaged. The error is the one on blocks of samples that were left out (Roberts
    et al. 2017), not on the samples that the map goes through.

    Parameters
    ----------
    xy : array of shape (samples, 2)
        Coordinates in ``how.crs``; samples without any are left out.
    values : array of shape (samples,)
        NaN where missing; such samples are left out.
    grid : Grid
        A map, one cell in z, projected, in metres.
    how : Mapping2D
        Method and reach.

    Returns
    -------
    Map

    Raises
    ------
    StudyError
        If the grid is no map or is in degrees, the samples are in degrees and their system is not given,
        there are fewer than four places, or none is near the grid.

    References
    ----------
    Roberts, D. R., et al., 2017. Cross-validation strategies for data with temporal, spatial,
    hierarchical, or phylogenetic structure. Ecography 40, 913-929.

    Sandwell, D. T., 1987. Biharmonic spline interpolation of GEOS-3 and SEASAT altimeter data.
    Geophysical Research Letters 14, 139-142.
    """
    if grid.shape[0] != 1:
        raise StudyError(f"the grid has {grid.shape[0]} cells in z, a map has one.")
    samples = _prepared(xy, values, grid, how)
    near = _near(samples.xy, grid, how.reach)
    if not near.any():
        raise StudyError(
            f"no cell of the grid is within {how.reach:g} m of one of the {len(samples.xy)} "
            "samples. Look at the "
            "coordinate systems (crs of the samples and of the grid), or raise reach."
        )
    method, errors = _chosen(samples, how)
    origin = samples.xy.mean(axis=0)
    predict = _fitted(method, samples.xy - origin, samples.values, how, samples.said)
    cells = grid.points()[:, :2][near] - origin
    found = np.full(grid.n_cells, np.nan, np.float32)
    pieces = [predict(cells[start : start + _AT_ONCE]) for start in range(0, len(cells), _AT_ONCE)]
    found[near] = np.concatenate(pieces)
    share = 100 * np.isfinite(found).mean()
    text = f"{share:.1f} % of the cells have a value, the others are farther than {how.reach:g} m from every "
    samples.said.append(f"{text}sample{' or outside the triangles' if method == 'linear' else ''}.")
    return Map(found.reshape(grid.shape), method, errors, tuple(samples.said))


def block_errors(xy: ArrayLike, values: ArrayLike, method: str, how: Mapping2D) -> pd.DataFrame:
    """Errors of a method on blocks of samples that were left out, one row for each fold.

    Parameters
    ----------
    xy : array of shape (samples, 2)
        In metres, one sample for each place.
    values : array of shape (samples,)
        Finite.
    method : str
        One of `METHODS`.
    how : Mapping2D
        Size and number of the blocks.

    Returns
    -------
    DataFrame
        Columns ``method, fold, samples, rmse, mae``; ``samples`` counts those that the method gave a value.
    """
    import verde

    points, known = np.asarray(xy, dtype=np.float64), np.asarray(values, dtype=np.float64)
    points = points - points.mean(axis=0)
    size = how.blocks[0] or how.reach
    folds = min(how.blocks[1], len(np.unique(verde.block_split(tuple(points.T), spacing=size)[1])))
    rows = []
    if folds >= 2:
        cut = verde.BlockKFold(spacing=size, n_splits=folds, shuffle=True, random_state=how.seed)
        with warnings.catch_warnings():  # folds of as many blocks then, of which each tells its samples
            warnings.filterwarnings("ignore", "Could not balance folds")
            parts = list(cut.split(points))
        for fold, (train, test) in enumerate(parts):
            if len(train) < 4 or not len(test):
                continue
            off = _fitted(method, points[train], known[train], how)(points[test]) - known[test]
            off = off[np.isfinite(off)]
            if len(off):
                rmse, mae = float(np.sqrt(np.mean(off**2))), float(np.mean(np.abs(off)))
                rows.append((method, fold, len(off), rmse, mae))
    return pd.DataFrame(rows, columns=["method", "fold", "samples", "rmse", "mae"])


def _prepared(xy: ArrayLike, values: ArrayLike, grid: Grid, how: Mapping2D) -> _Samples:
    points, known = np.array(xy, dtype=np.float64), np.array(values, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or known.shape != (len(points),):
        raise StudyError(
            f"places {points.shape} and values {known.shape} do not fit: (n, 2) and (n,) are needed."
        )
    said = []
    usable = np.isfinite(points).all(axis=1) & np.isfinite(known)
    if not usable.all():
        said.append(f"{counted(int((~usable).sum()), 'sample')} without a place or a value left out.")
    points, known = _projected(points[usable], grid, how.crs, said), known[usable]
    places = pd.DataFrame({"x": points[:, 0], "y": points[:, 1], "v": known}).groupby(["x", "y"], sort=True)[
        "v"
    ]
    means = places.mean().reset_index()
    if len(means) < len(known):
        shared = int((places.size() > 1).sum())
        said.append(
            f"{counted(shared, 'place')} with several samples averaged, {len(known)} samples "
            f"become {len(means)}."
        )
    if len(means) < 4:
        raise StudyError(f"{counted(len(means), 'place')} with a value, a map needs four or more.")
    return _Samples(means[["x", "y"]].to_numpy(), means["v"].to_numpy(), said)


def _projected(points: Float64, grid: Grid, crs: str, said: list[str]) -> Float64:
    """Points in the coordinate system of the grid, which must be metres."""
    from pyproj import Transformer

    there = _system(grid.crs)
    here = _system(crs) if crs else there
    if there.is_geographic:
        text = f"the grid is in degrees ({there.name}), distances need metres."
        raise StudyError(f"{text} Choose a projected system.")
    small = len(points) and bool((np.abs(points) <= (360, 90)).all())
    if small and not crs and min(np.abs(grid.bounds[3:5])) > 1000:
        raise StudyError(
            f"the samples look like degrees (x to {points[:, 0].max():g}, y to "
            f"{points[:, 1].max():g}) and the "
            f'grid is in {there.name}. Say their system, such as crs = "EPSG:4326".'
        )
    if here == there:
        return points
    moved = np.column_stack(Transformer.from_crs(here, there, always_xy=True).transform(*points.T))
    lost = int((~np.isfinite(moved)).any(axis=1).sum())
    if lost:
        text = f"{counted(lost, 'sample')} cannot be projected from {here.name} to {there.name}."
        raise StudyError(f"{text} Look at their coordinates and at crs.")
    said.append(f"samples projected from {here.name} to {there.name}.")
    return moved


def _system(crs: str) -> Any:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        return CRS.from_user_input(crs)
    except CRSError as error:
        text = f"the coordinate system {crs!r} is not known to PROJ"
        raise StudyError(f"{text}, give one such as 'EPSG:32651'.") from error


def _near(xy: Float64, grid: Grid, reach: float) -> NDArray[np.bool_]:
    from scipy.spatial import cKDTree

    distance, _ = cKDTree(xy).query(grid.points()[:, :2], distance_upper_bound=np.nextafter(reach, np.inf))
    return np.asarray(distance <= reach)


def _chosen(samples: _Samples, how: Mapping2D) -> tuple[str, pd.DataFrame]:
    """The method, with the errors of all that were compared."""
    names = [how.method] if how.method != "best" else ["spline", "linear", "neighbours"]
    dense = [name for name in names if name in ("spline", "kriging")]
    if len(samples.xy) > _DENSE and dense:
        if how.method != "best":
            raise StudyError(
                f"{how.method} with {len(samples.xy)} places needs a matrix of "
                f"{len(samples.xy) ** 2 * 8 / 1e9:.1f} GB, "
                f'{_DENSE} places are the most. Use method = "neighbours" or "linear", or average '
                "the samples."
            )
        names = [name for name in names if name not in dense]
        samples.said.append(f"spline not tried: {len(samples.xy)} places are more than {_DENSE}.")
    errors = pd.concat(
        [block_errors(samples.xy, samples.values, name, how) for name in names], ignore_index=True
    )
    if not len(errors):
        samples.said.append(f"no error is given: all samples lie in one block, used {names[-1]}.")
        return names[-1], errors
    squares = errors.assign(square=errors["rmse"] ** 2 * errors["samples"]).groupby("method", sort=False)
    figures = (squares["square"].sum() / squares["samples"].sum()) ** 0.5
    # a method that is silent where it is hard must not win by that
    full = squares["samples"].sum()
    best = str(figures[full >= 0.8 * full.max()].idxmin())
    shown = ", ".join(f"{name} {figures[name]:.3g} ({full[name]} samples)" for name in names if name in full)
    samples.said.append(f"root mean square error on left-out blocks: {shown}; used {best}.")
    samples.said.append(f"the values themselves have a standard deviation of {samples.values.std():.3g}.")
    return best, errors


def _fitted(
    method: str, xy: Float64, values: Float64, how: Mapping2D, said: list[str] | None = None
) -> _Field:
    if method == "kriging":
        return _kriging(xy, values, said)
    import verde

    model = {
        "spline": lambda: verde.Spline(damping=how.damping or None),
        "linear": lambda: verde.Linear(),
        "neighbours": lambda: verde.KNeighbors(k=min(how.neighbours, len(xy))),
    }[method]()
    # the spline needs numbers near one, or its matrix is nearly singular
    scale = float(np.abs(xy).max()) or 1.0
    centre, spread = float(values.mean()), float(values.std()) or 1.0
    model.fit((xy[:, 0] / scale, xy[:, 1] / scale), (values - centre) / spread)

    def predict(points: Float64) -> Float64:
        found = model.predict((points[:, 0] / scale, points[:, 1] / scale))
        return np.asarray(found, dtype=np.float64) * spread + centre

    return predict


def _kriging(xy: Float64, values: Float64, said: list[str] | None = None) -> _Field:
    """Ordinary kriging with an exponential variogram and a nugget, exact at the samples."""
    gstools: Any = require("gstools", "geochemistry")
    spread = float(values.std())
    if spread == 0:
        return lambda points: np.full(len(points), values[0])
    longest = float(np.hypot(*np.ptp(xy, axis=0)))
    place, scaled = xy.T / longest, (values - values.mean()) / spread
    model = _variogram(gstools, place, scaled)
    if said is not None:
        share = 100 * model.nugget / (model.nugget + model.var)
        text = f"exponential variogram: range scale {model.len_scale * longest:.3g} m, nugget "
        text += f"{share:.0f} % of the sill"
        said.append(f"{text}{', so the map is little more than the mean.' if share > 95 else '.'}")
    krige = gstools.krige.Ordinary(model, place, scaled, exact=True)

    def predict(points: Float64) -> Float64:
        found = np.asarray(krige(points.T / longest, return_var=False, store=False), np.float64)
        return np.asarray(found * spread + values.mean())

    return predict


def _variogram(gstools: Any, place: Float64, scaled: Float64) -> Any:
    """The exponential variogram that fits best, of several first guesses of its range."""
    edges = np.linspace(0, 1 / 3, 25)
    centres, gamma, pairs = gstools.vario_estimate(
        place, scaled, edges, sampling_size=2000, sampling_seed=0, return_counts=True
    )
    used = pairs > 0
    best, fit = None, -np.inf
    for guess in (0.01, 0.03, 0.1, 0.3):
        model = gstools.Exponential(dim=2)
        model.set_arg_bounds(check_args=False, len_scale=[1e-4, 2.0], var=[0.0, 4.0], nugget=[0.0, 4.0])
        start = {"default": "current", "len_scale": guess, "var": 0.8, "nugget": 0.2}
        try:
            _, _, r2 = model.fit_variogram(
                centres[used], gamma[used], init_guess=start, weights=np.sqrt(pairs[used]), return_r2=True
            )
        except (RuntimeError, ValueError):
            continue
        if r2 > fit:
            best, fit = model, r2
    if best is None:
        raise StudyError(f'no variogram fits the {len(scaled)} samples. Use method = "neighbours".')
    return best
