from __future__ import annotations

import math
import re
from itertools import pairwise

import geopandas
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RegularGridInterpolator

from mpm3d import study
from mpm3d.drilling import COLUMNS, Ground, Hole, Limits, NoHole, pieces, plan, read_licence
from mpm3d.errors import FormatError, StudyError
from mpm3d.grid import Grid
from tests.conftest import small_study

CRS = "EPSG:32651"
GRID = Grid((9, 10, 11), (25.0, 20.0, 30.0), (-200.0, 4_430_000.0, 500_000.0), CRS)
X, Y, _, X_END, Y_END, TOP = GRID.bounds
FLAT = np.zeros(GRID.shape[1:])


def surface_of(heights, grid=GRID):
    """The ground by another library: linear between centres, level beyond the outermost of them."""
    y, x = (np.pad(grid.centres(axis), 1, "reflect", reflect_type="odd") for axis in (1, 2))
    linear = RegularGridInterpolator((y, x), np.pad(heights, 1, "edge"), bounds_error=False, fill_value=None)

    def one(east, north):
        return linear(np.column_stack([np.clip(north, y[0], y[-1]), np.clip(east, x[0], x[-1])]))

    def surface(xyz, near=1e-6):
        # a place on the line between two centres is known if either side of it is
        east, north = xyz[:, 0], xyz[:, 1]
        sides = [one(east + a, north + b) for a in (-near, near) for b in (-near, near)]
        return np.fmax.reduce(sides)

    return surface


def way(azimuth, dip):
    a, d = math.radians(azimuth), math.radians(dip)
    return np.array([math.cos(d) * math.sin(a), math.cos(d) * math.cos(a), -math.sin(d)])


def written(hole):
    """The figures of a hole as they are in a table."""
    texts = dict(
        zip(COLUMNS, [f"{v:.10g}" if isinstance(v, float) else str(v) for v in hole.row], strict=True)
    )
    return {k: v if k in ("id", "target", "note") else float(v) for k, v in texts.items()}


def walked(row, grid=GRID, step=0.1):
    """Cell (flat, -1 outside) at the middle of every ``step`` metres of a hole, from figures of a table."""
    far = np.arange(0, row["length"], step) + step / 2
    far = far[far < row["length"]]
    points = np.array([row["x"], row["y"], row["elevation"]]) + far[:, None] * way(row["azimuth"], row["dip"])
    index = grid.index_of(points)
    flat = np.ravel_multi_index(tuple(np.maximum(index, 0).T), grid.shape)
    return far, points, np.where(index[:, 0] >= 0, flat, -1)


def terrain(rng, *, gaps=False, rough=25.0):
    heights = np.cumsum(rng.normal(size=GRID.shape[1:]) * rough / 3, axis=1)
    heights = np.clip(heights, -60, 60)
    if gaps:
        heights[rng.random(heights.shape) < 0.08] = np.nan
    return heights


def body(rng, n=25):
    """Connected or not, a cloud of cells around a place, with scores."""
    centre = rng.integers(0, np.array(GRID.shape))
    cells = np.unique(centre + rng.integers(-2, 3, (n, 3)), axis=0)
    cells = cells[np.all((cells >= 0) & (cells < GRID.shape), axis=1)]
    return cells, rng.random(len(cells)) * 0.5 + 0.5


def licence_of(rng):
    """Two rectangles, one of them with a hole."""

    def box():
        x, y = rng.uniform(X, X_END), rng.uniform(Y, Y_END)
        return shapely.box(x - rng.uniform(20, 90), y - rng.uniform(20, 90), x + 60, y + 60)

    return shapely.union_all([box(), box()]).difference(shapely.box(X + 100, Y + 60, X + 160, Y + 110))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_a_hole_walked_from_its_written_figures_meets_the_cells_that_the_table_claims(seed, gaps, licensed):
    rng = np.random.default_rng(seed)
    heights, (cells, scores) = terrain(rng, gaps=gaps), body(rng)
    licence = licence_of(rng) if licensed else None
    low = rng.uniform(5, 70)
    limits = Limits((low, rng.uniform(low, 90)), rng.uniform(30, 300), azimuth_step=30, aims=10)
    hole = plan(cells, scores, GRID, heights, limits, licence)
    if isinstance(hole, NoHole):
        assert re.fullmatch(r"[^.]\D*.*\S", hole.note)
        return
    row = written(hole)
    far, points, at = walked(row)
    mine = {int(np.ravel_multi_index(tuple(c), GRID.shape)): s for c, s in zip(cells, scores, strict=True)}
    metres = {cell: 0.1 * int((at == cell).sum()) for cell in set(at.tolist()) & set(mine)}
    least = limits.graze * min(GRID.spacing)
    sure = {cell for cell, m in metres.items() if m > least + 0.2 + 1e-9}
    doubtful = {cell for cell, m in metres.items() if abs(m - least) <= 0.2 + 1e-9}
    assert len(sure) <= row["cells_cut"] <= len(sure | doubtful)
    assert max(mine[c] for c in sure) <= row["best_score"] + 1e-9
    assert row["best_score"] in [pytest.approx(mine[c]) for c in sure | doubtful]
    if not doubtful:
        total = sum(metres[c] for c in sure)
        mean = sum(metres[c] * mine[c] for c in sure) / total
        assert row["cut_m"] == pytest.approx(total, abs=0.2 * len(sure) + 0.02)
        assert row["mean_score"] == pytest.approx(mean, abs=0.5 * 0.4 * len(sure) / total)
        inside = far[np.isin(at, list(sure))]
        assert row["from_m"] == pytest.approx(inside[0], abs=0.11)
        assert row["to_m"] == pytest.approx(inside[-1], abs=0.11)
    # limits
    assert limits.dip[0] - 1e-9 <= row["dip"] <= limits.dip[1] + 1e-9
    assert row["to_m"] <= row["length"] + 0.005 <= limits.length + 0.006
    assert 0 <= row["azimuth"] < 360
    assert X <= row["x"] <= X_END
    assert Y <= row["y"] <= Y_END
    if licence is not None:
        assert licence.contains(shapely.Point(row["x"], row["y"]))
    # from the ground, and below it until its end
    ground = surface_of(heights)
    assert row["elevation"] == pytest.approx(float(ground(np.array([[row["x"], row["y"]]]))[0]), abs=0.0051)
    # collars are rounded to the centimetre, by which a hole may cut a corner where the ground is not known
    assert (points[far > 0.5, 2] < ground(points[far > 0.5], near=0.02)).all()


def fine(collar, direction, reach):
    """Metres in each cell by points every centimetre."""
    far = np.arange(0.005, reach, 0.01)
    index = GRID.index_of(collar + far[:, None] * direction)
    flat = np.ravel_multi_index(tuple(np.maximum(index, 0).T), GRID.shape)
    return np.bincount(flat[index[:, 0] >= 0], minlength=GRID.n_cells) * 0.01


def brute(cells, scores, heights, limits, licence):
    """Worth of the best hole of the searched family, by slow marches in small steps."""
    ground, found = surface_of(heights), []
    worth = np.zeros(GRID.n_cells)
    worth[np.ravel_multi_index(tuple(cells.T), GRID.shape)] = scores
    least = limits.graze * min(GRID.spacing)
    for aim in GRID.xyz_of(cells):
        for azimuth, dip in limits.angles:
            direction = way(azimuth, dip)
            far = np.arange(0, limits.length + 0.02, 0.02)
            points = aim - far[:, None] * direction
            inside = (points[:, 0] > X) & (points[:, 0] < X_END) & (points[:, 1] > Y) & (points[:, 1] < Y_END)
            height = points[:, 2] - ground(points)
            out = np.flatnonzero((height >= 0) | ~inside)
            if not len(out) or not inside[out[0]] or out[0] == 0:
                continue
            collar = points[out[0]]
            if licence is not None and not licence.contains(shapely.Point(collar[:2])):
                continue
            metres = fine(collar, direction, limits.length)
            found.append(float((worth * metres)[metres >= least].sum()))
    return max(found, default=None)


@pytest.mark.parametrize("seed", range(10))
def test_no_hole_of_the_family_that_was_searched_is_better(seed):
    rng = np.random.default_rng(seed)
    heights, (cells, scores) = terrain(rng, rough=8), body(rng, 5)
    limits = Limits((40 + seed, 90 - seed), 150.0, azimuth_step=60, dip_step=25, graze=0.02)
    licence = licence_of(rng) if seed % 2 else None
    hole, best = (
        plan(cells, scores, GRID, heights, limits, licence),
        brute(cells, scores, heights, limits, licence),
    )
    if best is None:
        assert isinstance(hole, NoHole)
        return
    assert isinstance(hole, Hole)
    # collars of the slow march are up to 2 cm higher, and a cell of 40 cm may count in one of both only
    assert hole.mean_score * hole.cut_m == pytest.approx(best, abs=0.6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_pieces_are_the_metres_in_each_cell(seed):
    rng = np.random.default_rng(seed)
    collar = np.array(
        [rng.uniform(X - 30, X_END + 30), rng.uniform(Y - 30, Y_END + 30), rng.uniform(-200, 90)]
    )
    azimuth, dip = (
        rng.choice([0.0, 90, 45, rng.uniform(0, 360)]),
        rng.choice([0.0, 90, 45, rng.uniform(1, 89)]),
    )
    direction, length = way(azimuth, dip), rng.uniform(1, 300)
    cells, ends = pieces(collar, direction, [length], GRID)
    assert ends[0, 0] == 0
    assert ends[0, -1] == length
    metres = np.diff(ends[0])
    assert (metres >= 0).all()
    counted = np.bincount(cells[0][cells[0] >= 0], metres[cells[0] >= 0], minlength=GRID.n_cells)
    np.testing.assert_allclose(counted, fine(collar, direction, length), rtol=0, atol=0.0201)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_line_meets_the_ground_where_a_dense_walk_first_finds_it_above(seed):
    rng = np.random.default_rng(seed)
    heights = terrain(rng, rough=40)
    ground, surface = Ground(heights, GRID), surface_of(heights)
    start = np.array([rng.uniform(X, X_END), rng.uniform(Y, Y_END), 0.0])
    start[2] = float(surface(start[None])[0]) - rng.uniform(1, 100)
    direction = -way(rng.uniform(0, 360), rng.uniform(0, 90))
    far = np.arange(0, 400, 0.01)
    points = start + far[:, None] * direction
    inside = (points[:, 0] >= X) & (points[:, 0] <= X_END) & (points[:, 1] >= Y) & (points[:, 1] <= Y_END)
    stop = np.flatnonzero((points[:, 2] >= surface(points)) | ~inside)
    found = ground.along(start[None], direction[None], 400.0)[0]
    if not len(stop) or not inside[stop[0]]:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(far[stop[0]], abs=0.0101)


def test_no_line_goes_through_below_ground_that_is_not_known():
    heights = FLAT.copy()
    heights[:, 5] = np.nan
    ground, start = Ground(heights, GRID), np.array([[X + 75.0, Y + 100, -40]])
    east = -way(270, 30)[None]  # up towards the east, through the surface 69 m away
    assert np.isnan(ground.along(start, east, 400.0)[0])
    far, known = ground.meets(start, east, 400.0)
    assert not known[0]
    # the height is not known between the centres of the columns 4 and 6
    assert far[0] * math.cos(math.radians(30)) == pytest.approx(60)
    assert ground.along(start, -way(90, 30)[None], 400.0)[0] == pytest.approx(80)


def test_the_order_of_cells_does_not_matter_and_ties_go_to_the_shorter_then_the_steeper_hole(rng):
    cells = np.array([[4, 4, 4], [4, 4, 5], [4, 5, 4], [3, 4, 4]])
    scores = np.array([0.9, 0.8, 0.8, 0.7])
    first = plan(cells, scores, GRID, FLAT, Limits())
    for _ in range(3):
        order = rng.permutation(len(cells))
        assert plan(cells[order], scores[order], GRID, FLAT, Limits()) == first
    # a cube of equal scores: all four sides are alike, and north comes first
    cube = Grid((9, 9, 9), (20.0,) * 3, (-180.0, 0.0, 0.0), CRS)
    hole = plan([[4, 4, 4]], [1.0], cube, np.zeros((9, 9)), Limits(azimuth_step=90))
    assert (hole.azimuth, hole.dip) == (0, 50)


def test_of_holes_with_the_same_worth_the_shorter_is_taken():
    grid = Grid((10, 30, 30), (20.0,) * 3, (-200.0, 0.0, 0.0), CRS)
    heights = np.zeros((30, 30))
    heights[:, 16:] = 60.0  # a cell seen from the east or the west at 60 degrees; the east is a plateau
    hole = plan([[3, 15, 12]], [1.0], grid, heights, Limits((60, 60), azimuth_step=180, length=400))
    other = plan([[3, 15, 12]], [1.0], grid, heights[:, ::-1], Limits((60, 60), azimuth_step=180, length=400))
    assert hole.cut_m == other.cut_m
    assert hole.length <= other.length


def test_a_grazed_cell_does_not_count():
    # 45 degrees along x through a column of cells of 20 m, 1 m inside the corner of the second one
    grid = Grid((5, 1, 5), (20.0,) * 3, (-100.0, 0.0, 0.0), CRS)
    cells, ends = pieces([[1.0, 10, 0]], way(90, 45), [100.0], grid)
    metres = dict(zip(cells[0].tolist(), np.diff(ends[0]).tolist(), strict=True))
    grazed = int(np.ravel_multi_index((4, 0, 1), grid.shape))
    assert metres[grazed] == pytest.approx(math.sqrt(2))  # below a tenth of 20 m
    hole = plan(
        [[3, 0, 1], [4, 0, 1]], [1.0, 0.01], grid, np.zeros((1, 5)), Limits((45, 45), azimuth_step=90)
    )
    row = written(hole)
    _, _, at = walked(row, grid)
    counts = {cell: 0.1 * int((at == cell).sum()) for cell in set(at.tolist())}
    assert row["cells_cut"] == sum(counts.get(int(np.ravel_multi_index(c, grid.shape)), 0) > 2 for c in
                                   ((3, 0, 1), (4, 0, 1)))  # fmt: skip


def test_a_hole_goes_on_to_the_last_cell_of_the_target_and_not_beyond():
    cells = [[5, 5, 5], [4, 5, 5], [2, 5, 5]]
    hole = plan(cells, [0.9, 0.8, 0.7], GRID, FLAT, Limits((90, 90)))
    # cell 2 is from -150 to -125 m; the cell between is not of the target
    assert (hole.cells_cut, hole.from_m, hole.to_m, hole.length, hole.cut_m) == (3, 50, 150, 150, 75)
    assert hole.mean_score == pytest.approx(0.8)
    assert hole.collar == (X + 5.5 * 30, Y + 5.5 * 20, 0)
    short = plan(cells, [0.9, 0.8, 0.7], GRID, FLAT, Limits((90, 90), length=90))
    assert (short.cells_cut, short.to_m, short.length) == (2, 90, 90)
    assert "ends inside the target" in short.note


def test_a_hole_ends_where_it_would_come_out_of_a_slope():
    grid = Grid((10, 3, 40), (10.0,) * 3, (-100.0, 0.0, 0.0), CRS)
    heights = np.where(np.arange(40) < 20, 0.0, -60.0)[None].repeat(3, axis=0)
    cells = [[7, 1, 10], [4, 1, 38]]
    hole = plan(cells, [0.9, 0.9], grid, heights, Limits((5, 10), 400, azimuth_step=90))
    row = written(hole)
    far, points, _ = walked(row, grid)
    assert (points[far > 0.5, 2] < surface_of(heights, grid)(points[far > 0.5])).all()


@pytest.mark.parametrize(
    ("cells", "heights", "limits", "licence", "said"),
    [
        ([[0, 5, 5]], FLAT, Limits(length=100), None, "too deep: .* takes 188 m, at most 100 m"),
        ([[0, 5, 5]], FLAT, Limits((50, 60), 200), None, "its shallowest cell is 188 m down, .* takes 217 m"),
        ([[0, 5, 0]], FLAT, Limits((10, 12), 2000), None, "outside the grid's map"),
        ([[8, 5, 5]], FLAT, Limits(), None, "lie above the ground"),
        ([[3, 5, 5]], FLAT * np.nan, Limits(), None, "ground above it is not known"),
        ([[3, 5, 5]], FLAT, Limits(), shapely.box(X, Y, X + 5, Y + 5), "licence is too far: .* 191 m"),
        ([[3, 5, 5]], FLAT, Limits(), shapely.box(0, 0, 5, 5), "licence is too far"),
        (np.empty((0, 3), int), FLAT, Limits(), None, "nothing to aim at"),
    ],
)  # fmt: skip
def test_a_target_that_no_allowed_hole_reaches_says_why_in_a_sentence(cells, heights, limits, licence, said):
    none = plan(cells, np.ones(len(cells)), GRID, heights, limits, licence, target="T07")
    assert isinstance(none, NoHole)
    assert none.target == "T07"
    assert re.search(said, none.note), none.note
    assert none.note.endswith(".")


def test_a_target_at_the_edge_of_the_grid_is_drilled_from_inside_the_map():
    for cell in ([0, 0, 0], [0, 9, 10], [6, 0, 10]):
        hole = plan([cell], [1.0], GRID, FLAT, Limits(azimuth_step=45))
        assert X <= hole.collar[0] <= X_END
        assert Y <= hole.collar[1] <= Y_END


def test_cells_without_a_score_are_neither_aimed_at_nor_counted():
    hole = plan([[5, 5, 5], [4, 5, 5]], [np.nan, 0.8], GRID, FLAT, Limits((90, 90)))
    assert (hole.cells_cut, hole.best_score, hole.from_m) == (1, 0.8, 75)


def test_of_very_many_cells_out_of_reach_some_are_tried_and_the_reachable_one_is_found():
    grid = Grid((30, 20, 20), (10.0,) * 3, (-300.0, 0.0, 0.0), CRS)
    cells = np.argwhere(np.ones(grid.shape, bool))
    scores = np.linspace(1, 0.5, len(cells))  # the deepest are the best
    hole = plan(cells, scores, grid, np.zeros((20, 20)), Limits((60, 90), 120, azimuth_step=90, aims=5))
    assert isinstance(hole, Hole)
    assert hole.length <= 120


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dip": (80, 50)}, "dips from 80 to 50 degrees are not possible"),
        ({"dip": (-60, 50)}, "0 to 90, the least first"),
        ({"length": 0}, "at most 0 m is not possible"),
        ({"length": math.nan}, "at most nan m is not possible"),
    ],
)
def test_limits_that_make_no_sense_are_refused(change, said):
    with pytest.raises(ValueError, match=said):
        Limits(**change)


def test_what_does_not_fit_the_grid_is_refused():
    with pytest.raises(ValueError, match="2 cells and 1 scores"):
        plan([[0, 0, 0], [0, 0, 1]], [1.0], GRID, FLAT, Limits())
    with pytest.raises(ValueError, match="outside the"):
        plan([[0, 0, 11]], [1.0], GRID, FLAT, Limits())
    with pytest.raises(ValueError, match="Give one for each"):
        plan([[0, 0, 0]], [1.0], GRID, np.zeros((2, 2)), Limits())


def test_directions_are_even_and_hold_both_ends_of_the_dips():
    angles = Limits((52.5, 90), azimuth_step=90, dip_step=20).angles
    assert np.unique(angles[:, 1]).tolist() == [52.5, 72.5, 90]
    assert (angles[:, 1] == 90).sum() == 1
    np.testing.assert_allclose(np.linalg.norm(Limits().directions, axis=1), 1)
    assert Limits((60, 60)).angles[:, 1].tolist() == [60.0] * 36
    assert all(a >= b for a, b in pairwise(Limits().angles[:, 1]))


SQUARE = shapely.box(500_100, 4_430_050, 500_250, 4_430_150)
RING = SQUARE.difference(shapely.box(500_150, 4_430_080, 500_200, 4_430_120))
FAR = shapely.box(501_000, 4_431_000, 501_100, 4_431_100)


def saved(path, shapes, crs, **more):
    geopandas.GeoDataFrame(geometry=list(shapes), crs=crs).to_file(path, engine="pyogrio", **more)
    return path


@pytest.mark.parametrize("name", ["a.gpkg", "a.shp", "a.geojson"])
def test_a_licence_has_its_holes_and_parts_in_the_crs_of_the_study(tmp_path, name):
    shapes = geopandas.GeoSeries([shapely.MultiPolygon([RING, FAR])], crs=CRS)
    path = saved(tmp_path / name, shapes.to_crs("EPSG:4326"), "EPSG:4326")
    area = read_licence(path, CRS)
    # degrees in a GeoJSON have seven decimals, a centimetre
    assert area.symmetric_difference(shapely.union_all([RING, FAR])).area < 20
    assert not area.contains(shapely.Point(500_175, 4_430_100))
    assert area.contains(shapely.Point(501_050, 4_431_050))


def test_long_sides_of_a_licence_in_degrees_stay_where_they_are(tmp_path):
    box = shapely.box(123.0, 40.0, 123.3, 40.2)
    area = read_licence(saved(tmp_path / "a.gpkg", [box], "EPSG:4326"), CRS)
    middle = geopandas.GeoSeries([shapely.Point(123.15, 40.2)], crs="EPSG:4326").to_crs(CRS)[0]
    assert area.exterior.distance(middle) < 0.1


def test_all_layers_of_a_licence_count_and_overlaps_are_one(tmp_path):
    path = saved(tmp_path / "a.gpkg", [SQUARE], CRS, layer="one")
    saved(path, [SQUARE, FAR], CRS, layer="two")
    saved(path, [shapely.Point(0, 0)], CRS, layer="wells")
    assert read_licence(path, CRS).area == pytest.approx(SQUARE.area + FAR.area)


def test_a_licence_that_crosses_itself_is_mended(tmp_path):
    bow = shapely.Polygon(
        [(500_000, 4_430_000), (500_100, 4_430_100), (500_100, 4_430_000), (500_000, 4_430_100)]
    )
    area = read_licence(saved(tmp_path / "a.gpkg", [bow], CRS), CRS)
    assert area.is_valid
    assert area.area == pytest.approx(5000)


def test_a_licence_that_cannot_be_used_is_refused(tmp_path):
    path = saved(tmp_path / "bare.shp", [SQUARE], CRS)
    path.with_suffix(".prj").unlink()
    with pytest.raises(FormatError, match=r"does not say its coordinate system.*\.prj"):
        read_licence(path, CRS)
    with pytest.raises(FormatError, match="holds no polygon"):
        read_licence(saved(tmp_path / "points.gpkg", [shapely.Point(1, 2)], CRS), CRS)
    empty = tmp_path / "empty.geojson"
    empty.write_text('{"type": "FeatureCollection", "features": []}')
    with pytest.raises(FormatError, match="holds no polygon"):
        read_licence(empty, CRS)
    cut = tmp_path / "cut.gpkg"
    cut.write_bytes(saved(tmp_path / "whole.gpkg", [SQUARE], CRS).read_bytes()[:5000])
    with pytest.raises(FormatError, match=r"cannot be read|holds no polygon"):
        read_licence(cut, CRS)
    with pytest.raises(FormatError, match="cannot be read"):
        read_licence(tmp_path / "none.gpkg", CRS)


@pytest.fixture(scope="module")
def district(tmp_path_factory):
    return small_study(tmp_path_factory.mktemp("licensed"))


def with_drilling(district, text):
    path = district.with_name("licensed.toml")
    path.write_text(district.read_text(encoding="utf-8") + f"\n[drilling]\n{text}\n", encoding="utf-8")
    return path


def test_a_study_says_what_is_wrong_with_its_licence(district):
    folder = district.parent
    saved(folder / "far.gpkg", [FAR.buffer(10).envelope], "EPSG:32650")
    saved(folder / "bare.shp", [SQUARE], CRS)
    (folder / "bare.prj").unlink()
    saved(folder / "good.gpkg", [SQUARE], CRS)
    for text, said in {
        'licence = "none.gpkg"': r"'none.gpkg' in \[drilling\] does not exist",
        'licence = "far.gpkg"': "lies outside the grid: it spans x",
        'licence = "bare.shp"': "does not say its coordinate system",
        "dip = [90.0, 50.0]": "degrees below the horizontal, 0 to 90, the least first",
        "dip = [-50.0, 50.0]": "degrees below the horizontal",
        "length = 0.0": "greater than 0",
    }.items():
        with pytest.raises(StudyError, match=said):
            study.load(with_drilling(district, text))
    assert study.load(with_drilling(district, 'licence = "good.gpkg"')).drilling.licence == "good.gpkg"
