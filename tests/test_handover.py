"""Proposed holes and the files that leave a run, read back by other programs."""

from __future__ import annotations

import math
import tracemalloc
import warnings
from dataclasses import replace
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import pyvista
import shapely
import xarray as xr
import zarr

from mpm3d import cube, handover, io, study, targets
from mpm3d.drilling import COLUMNS, Hole, NoHole
from mpm3d.errors import StudyError
from mpm3d.targets import delineate
from mpm3d.work import Run
from tests.conftest import small_study

BODIES = {  # lower and upper cells (z, y, x) on 200 m cells, 4600 m below sea level to 400 above
    (20, 5, 5): (23, 8, 9), (18, 15, 14): (22, 18, 16), (2, 3, 20): (5, 6, 23), (22, 22, 0): (25, 25, 3),
}  # fmt: skip


def scores_of(grid, bodies=BODIES):
    """Low scores, and bodies of high ones."""
    rng = np.random.default_rng(1)
    score = (rng.random(grid.shape) * 0.1).astype(np.float32)
    for number, (low, high) in enumerate(bodies.items()):
        cut = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        score[cut] = 0.95 - 0.1 * number + rng.random(score[cut].shape) * 0.05
    return score


def scored(run, score, chunk=10):
    """The store of a run, and its dataset."""
    store = zarr.open_group(run.path("prospectivity.zarr"), mode="w", zarr_format=3)
    store.create_array("score", data=score, chunks=(chunk,) * 3, overwrite=True)
    grid = run.grid
    coords = {name: (name, grid.centres(axis)) for axis, name in enumerate("zyx")}
    attrs = {
        "grid_shape": list(grid.shape), "grid_spacing": list(grid.spacing), "grid_corner": list(grid.corner),
        "grid_crs": grid.crs,
    }  # fmt: skip
    ds = xr.Dataset({"score": (cube.DIMS, score)}, coords, attrs)
    ds["score"].encoding["chunks"] = (chunk,) * 3
    return ds


def run_of(folder, more=""):
    path = small_study(folder)
    path.write_text(path.read_text(encoding="utf-8") + more, encoding="utf-8")
    run = Run(study.load(path))
    run.folder.place.mkdir(parents=True, exist_ok=True)
    return run


def found_in(run, score, chunk=10, **rules):
    n = int((score > 0.4).sum())
    share = max(n + 0.2, 3) / score.size
    return delineate(scored(run, score, chunk), {}, share=share, ground=run.ground_heights, **rules)


def tabled(found, holes):
    ids = list(found.table["id"])
    return found.table.assign(
        reasons_for="density +0.12; fault_distance +0.03", reasons_against="",
        hole=[holes[i].id for i in ids], hole_note=[holes[i].note for i in ids],
    )  # fmt: skip


def handed(run, score, **rules):
    found = found_in(run, score, **rules)
    holes = handover.plan_holes(run, found)
    table = tabled(found, holes)
    handover.write(run, found, table, holes)
    return found, holes, table


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return run_of(tmp_path_factory.mktemp("handover"), "\n[drilling]\nlength = 1400.0\ntargets = 3\n")


@pytest.fixture(scope="module")
def made(run):
    return handed(run, scores_of(run.grid))


def test_every_file_is_there_and_nothing_else(run, made):
    here = {path.name for path in run.folder.place.iterdir()}
    assert here == {*handover.FILES, "prospectivity.zarr"}


def test_the_table_of_targets_is_what_was_handed_over(run, made):
    _, holes, table = made
    back = pd.read_csv(run.path("targets.csv"), keep_default_na=False)
    assert list(back.columns) == [*table.columns, "note"]
    assert back["reasons_for"].tolist() == table["reasons_for"].tolist()
    np.testing.assert_allclose(back["volume_m3"], table["volume_m3"])
    assert back["hole"].tolist() == [hole.id for hole in holes.values()]
    assert back["note"].str.contains("not a resource estimate").all()


def test_the_best_targets_have_holes_and_the_others_say_why_not(made):
    found, holes, _ = made
    assert list(holes) == [target.id for target in found.targets] == ["T01", "T02", "T03", "T04"]
    deep = next(target.id for target in found.targets if target.z_top < -3000)
    for target in found.targets:
        one = holes[target.id]
        if target.id == deep:
            assert isinstance(one, NoHole)
            assert "at most 1,400 m" in one.note or "first 3 only" in one.note
        elif target.rank > 3:
            assert one.note == "holes are proposed for the first 3 only: [drilling] targets."
        else:
            assert isinstance(one, Hole)
            assert (one.id, one.target) == (f"D{target.rank:02d}", target.id)


def test_a_hole_walked_from_the_csv_meets_the_cells_of_its_target(run, made):
    found, _, _ = made
    rows = pd.read_csv(run.path("drillholes.csv"))
    assert list(rows.columns) == list(COLUMNS)
    assert len(rows) >= 2
    score = zarr.open_group(run.path("prospectivity.zarr"), mode="r")["score"][:]
    for row in rows.to_dict("records"):
        target = next(t for t in found.targets if t.id == row["target"])
        mine = {tuple(cell) for cell in target.cells.tolist()}
        a, d = math.radians(row["azimuth"]), math.radians(row["dip"])
        way = [math.cos(d) * math.sin(a), math.cos(d) * math.cos(a), -math.sin(d)]
        far = np.arange(0.05, row["length"], 0.1)
        index = run.grid.index_of(np.array([row["x"], row["y"], row["elevation"]]) + far[:, None] * way)
        cells, counts = np.unique(index, axis=0, return_counts=True)
        metres = {tuple(c): 0.1 * n for c, n in zip(cells.tolist(), counts, strict=True) if tuple(c) in mine}
        sure = [cell for cell, m in metres.items() if m > 20.2]  # a tenth of 200 m
        maybe = [cell for cell, m in metres.items() if m > 19.8]
        assert len(sure) <= row["cells_cut"] <= len(maybe)
        assert row["best_score"] in [pytest.approx(score[cell], abs=1e-6) for cell in maybe]
        assert row["cut_m"] == pytest.approx(sum(metres[cell] for cell in sure), abs=len(maybe) * 0.2)
        assert 50 <= row["dip"] <= 90
        assert row["to_m"] <= row["length"] + 0.005 <= 1400.006


def test_a_gis_reads_points_footprints_traces_and_collars_with_all_columns(run, made):
    found, holes, table = made
    path = run.path("targets.gpkg")
    assert set(geopandas.list_layers(path)["name"]) == {"targets", "footprints", "drillholes", "collars"}
    frames = {name: geopandas.read_file(path, layer=name) for name in geopandas.list_layers(path)["name"]}
    assert {frame.crs.to_epsg() for frame in frames.values()} == {32651}
    for name in ("targets", "footprints"):
        assert list(frames[name].columns) == [*table.columns, "geometry"]
        assert frames[name]["id"].tolist() == table["id"].tolist()
        np.testing.assert_allclose(frames[name]["mean_score"], table["mean_score"])
    for target, area in zip(found.targets, frames["footprints"].area, strict=True):
        assert area == pytest.approx(len({tuple(c) for c in target.cells[:, 1:].tolist()}) * 200 * 200)
    drilled = [hole for hole in holes.values() if isinstance(hole, Hole)]
    assert frames["collars"]["id"].tolist() == [hole.id for hole in drilled]
    for hole, trace, collar in zip(
        drilled, frames["drillholes"].geometry, frames["collars"].geometry, strict=True
    ):
        assert (collar.x, collar.y, collar.z) == pytest.approx(hole.collar)
        ends = np.array(trace.coords)
        assert np.linalg.norm(ends[1] - ends[0]) == pytest.approx(hole.length)
        assert ends[0] == pytest.approx(np.array(hole.collar))
    assert frames["drillholes"]["dip"].tolist() == [hole.dip for hole in drilled]


def omf_elements(path):
    """Vertices, triangles and values of each element, by the package of the format."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it uses what Python and NumPy give up
        omf = pytest.importorskip("omf")
        project = omf.OMFReader(str(path)).get_project()
        assert project.validate()
        found = {}
        for element in project.elements:
            vertices = np.array(element.geometry.vertices.array, dtype=float)
            triangles = getattr(element.geometry, "triangles", None)
            values = {one.name: np.array(one.array.array) for one in element.data}
            faces = None if triangles is None else np.array(triangles.array)
            found[element.name] = vertices, faces, values
        return found


def volume_of(vertices, triangles):
    """Divergence theorem."""
    a, b, c = (vertices[triangles[:, k]] - vertices[0] for k in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def test_skins_hold_the_volume_of_the_table_in_gocad_vtk_and_omf(run, made):
    _, holes, table = made
    surfaces = io.gocad.read_objects(run.path("targets.ts"))
    assert [surface.name for surface in surfaces] == table["id"].tolist()
    mesh = pyvista.read(run.path("targets.vtp"))
    assert mesh.field_data["name"].tolist() == table["id"].tolist()
    elements = omf_elements(run.path("targets.omf"))
    assert set(elements) == {*table["id"], *(h.id for h in holes.values() if isinstance(h, Hole))}
    for number, row in table.iterrows():
        skin = surfaces[number]
        assert volume_of(skin.vertices, skin.triangles) == pytest.approx(row["volume_m3"])
        assert set(skin.properties["rank"]) == {row["rank"]}
        own = mesh.extract_cells(mesh.cell_data["object"] == number).extract_surface(
            algorithm="dataset_surface"
        )
        assert own.volume == pytest.approx(row["volume_m3"])
        for name in ("rank", "mean_score", "peak_score", "ranking", "depth_top"):
            np.testing.assert_allclose(own.cell_data[name], row[name])
        vertices, triangles, values = elements[row["id"]]
        assert volume_of(vertices, triangles) == pytest.approx(row["volume_m3"])
        np.testing.assert_allclose(values["mean_score"], row["mean_score"])


def test_holes_are_lines_in_omf_and_wells_in_gocad(run, made):
    _, holes, _ = made
    drilled = [hole for hole in holes.values() if isinstance(hole, Hole)]
    lines = {name: vertices for name, (vertices, _, _) in omf_elements(run.path("targets.omf")).items()}
    wells = io.gocad.read_objects(run.path("drillholes.wl"))
    assert [well.name for well in wells] == [hole.id for hole in drilled]
    for well, hole in zip(wells, drilled, strict=True):
        a, d = math.radians(hole.azimuth), math.radians(hole.dip)
        way = np.array([math.cos(d) * math.sin(a), math.cos(d) * math.cos(a), -math.sin(d)])
        end = np.array(hole.collar) + hole.length * way
        np.testing.assert_allclose(well.path, [hole.collar, end], rtol=0, atol=1e-6)
        np.testing.assert_allclose(well.depth, [0, hole.length])
        np.testing.assert_allclose(lines[hole.id], well.path)
        zones = well.intervals["zones"]
        assert zones.values["zone"].tolist() == [hole.target]
        assert (zones.start[0], zones.stop[0]) == (hole.from_m, hole.to_m)


def test_the_table_of_holes_is_one_of_collars_that_the_package_reads(run, made):
    _, holes, _ = made
    path = run.path("drillholes.csv")
    wells = io.drillholes.read_drillholes(path, columns={"hole": "id"}, dip="positive down")
    drilled = [hole for hole in holes.values() if isinstance(hole, Hole)]
    for well, hole in zip(wells, drilled, strict=True):
        np.testing.assert_allclose(well.path[[0, -1]], hole.path, rtol=0, atol=1e-6)


def test_voxets_hold_the_number_of_the_target_and_the_score_of_every_cell(run, made):
    found, _, _ = made
    (voxet,) = io.gocad.read_objects(run.path("targets.vo"))
    values = np.asarray(voxet.as_model().values["target"])
    expected = np.zeros(run.grid.shape, int)
    for target in found.targets:
        expected[tuple(target.cells.T)] = target.rank
    np.testing.assert_array_equal(values, expected)
    (voxet,) = io.gocad.read_objects(run.path("prospectivity.vo"))
    score = zarr.open_group(run.path("prospectivity.zarr"), mode="r")["score"][:]
    np.testing.assert_array_equal(np.asarray(voxet.as_model().values["prospectivity"]), score)
    np.testing.assert_allclose(voxet.as_model().bounds, run.grid.bounds)


def test_a_cell_of_a_zone_has_the_number_of_the_target_that_was_cut_from_it(run, tmp_path, monkeypatch):
    found = found_in(run, scores_of(run.grid))
    first, second = found.targets[:2]
    zone = replace(second, id="Z1", rank=2, kind="zone", place=first.place)
    part = replace(first, zone="Z1")
    both = replace(found, targets=(part, zone))
    monkeypatch.setattr(run, "path", lambda name: tmp_path / name)
    scored(run, scores_of(run.grid))
    holes = handover.plan_holes(run, both)
    assert isinstance(holes["T01"], Hole)
    assert holes["Z1"].note == "a zone: holes are proposed for the targets that it was cut into."
    handover.write(run, both, tabled(both, holes), holes)
    (voxet,) = io.gocad.read_objects(tmp_path / "targets.vo")
    assert set(np.unique(np.asarray(voxet.as_model().values["target"]))) == {0, 1}


def test_a_zone_without_targets_of_its_own_gets_a_hole(run, made):
    found = made[0]
    zone = replace(found.targets[0], id="Z1", kind="zone")
    holes = handover.plan_holes(run, replace(found, targets=(zone,)))
    assert holes["Z1"].id == "DZ1"


def test_no_target_leaves_a_table_without_rows_and_no_older_files(tmp_path):
    run = run_of(tmp_path)
    handed(run, scores_of(run.grid))
    assert run.path("targets.ts").exists()
    found, holes, _ = handed(run, scores_of(run.grid), min_volume=1e15)
    assert (found.targets, holes) == ((), {})
    assert len(pd.read_csv(run.path("targets.csv"))) == len(pd.read_csv(run.path("drillholes.csv"))) == 0
    for name in ("targets.ts", "targets.vtp", "targets.omf", "drillholes.wl"):
        assert not run.path(name).exists()
    assert len(geopandas.read_file(run.path("targets.gpkg"), layer="targets")) == 0
    (voxet,) = io.gocad.read_objects(run.path("targets.vo"))
    assert not np.asarray(voxet.as_model().values["target"]).any()


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("method", ["replace", "unlink"])
def test_a_run_killed_at_any_moment_leaves_old_files_or_new_ones_never_both(tmp_path, monkeypatch, method):
    run = run_of(tmp_path)
    places = [run.path(name) for name in handover.FILES]
    handed(run, scores_of(run.grid))
    old = {path.name: path.read_bytes() for path in places}
    assert set(old) == set(handover.FILES)
    found = found_in(run, scores_of(run.grid, dict([*BODIES.items()][:2])))
    holes = handover.plan_holes(run, found)
    for moment in range(1, 40):
        for path in places:
            path.write_bytes(old[path.name])
        finished = _killed(run, found, holes, (monkeypatch, method, moment, places))
        state = {path.name: path.read_bytes() == old[path.name] for path in places if path.exists()}
        assert len(set(state.values())) <= 1, (moment, state)
        if "targets.csv" in state:
            assert set(state) == set(handover.FILES)
        if finished:
            assert not any(state.values())
            return
    pytest.fail("it was never finished")


def _killed(run, found, holes, how):
    """Write, and end at a change to one of the files of the run; true if there were fewer of them."""
    monkeypatch, method, moment, places = how
    real, left = getattr(Path, method), [moment]

    def stop(self, *args, **keywords):
        target = Path(args[0]) if method == "replace" else self
        if target in places:
            left[0] -= 1
            if not left[0]:
                raise Killed
        return real(self, *args, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(Path, method, stop)
        try:
            handover.write(run, found, tabled(found, holes), holes)
        except Killed:
            return False
    return True


def test_a_file_that_cannot_be_written_leaves_all_older_ones_as_they_were(tmp_path, monkeypatch):
    run = run_of(tmp_path)
    found, holes, table = handed(run, scores_of(run.grid))
    before = {name: run.path(name).read_bytes() for name in handover.FILES}

    def full(*args, **more):
        raise OSError("No space left on device")

    monkeypatch.setattr(targets.Skins, "__iter__", full)
    with pytest.raises(OSError, match="No space left"):
        handover.write(run, found, table, holes)
    assert {name: run.path(name).read_bytes() for name in handover.FILES} == before
    assert not run.path("targets_unfinished").exists()


def test_what_a_killed_run_left_behind_is_cleared_away(run, made):
    found, holes, table = made
    run.path("targets_unfinished").mkdir()
    run.path("targets_unfinished/targets.csv").write_text("half")
    handover.write(run, found, table, holes)
    assert not run.path("targets_unfinished").exists()
    assert "half" not in run.path("targets.csv").read_text()


def test_a_table_of_other_targets_is_refused(run, made):
    found, holes, table = made
    with pytest.raises(ValueError, match="Give one row for each target, in their order"):
        handover.write(run, found, table.iloc[::-1], holes)


def test_collars_lie_in_the_licence_and_a_target_far_from_it_says_so(tmp_path):
    _lease(tmp_path / "lease.gpkg")
    run = run_of(tmp_path, '\n[drilling]\nlicence = "lease.gpkg"\n')
    score = scores_of(run.grid)
    holes = handover.plan_holes(run, found_in(run, score))
    lease = geopandas.read_file(tmp_path / "lease.gpkg").to_crs(32651).union_all()
    drilled = [hole for hole in holes.values() if isinstance(hole, Hole)]
    assert drilled
    assert all(lease.contains(shapely.Point(hole.collar[:2])) for hole in drilled)
    assert any("the licence is too far" in hole.note for hole in holes.values())


def _lease(path):
    area = shapely.box(500_800, 4_430_800, 501_900, 4_431_700)
    frame = geopandas.GeoDataFrame(geometry=[area], crs=32651).to_crs(4326)
    path.parent.mkdir(exist_ok=True)
    frame.to_file(path, engine="pyogrio")


def test_a_licence_that_went_away_is_a_sentence(tmp_path):
    _lease(tmp_path / "lease.gpkg")
    run = run_of(tmp_path, '\n[drilling]\nlicence = "lease.gpkg"\n')
    found = found_in(run, scores_of(run.grid))
    (tmp_path / "lease.gpkg").unlink()
    with pytest.raises(StudyError, match=r"licence = 'lease.gpkg' in \[drilling\]: .* cannot be read"):
        handover.plan_holes(run, found)


def test_ground_that_is_not_known_and_targets_in_the_air_have_no_hole(run, made, monkeypatch):
    found = made[0]
    heights = run.ground_heights.copy()
    shallow = [t for t in found.targets if t.z_top > -1000 and t.rank <= 3]
    assert shallow
    monkeypatch.setattr(run, "ground_heights", np.full_like(heights, np.nan))
    notes = [handover.plan_holes(run, found)[t.id].note for t in shallow]
    assert set(notes) == {"the ground above it is not known, so no hole can start there."}
    monkeypatch.setattr(run, "ground_heights", np.full_like(heights, -4000.0))
    notes = [handover.plan_holes(run, found)[t.id].note for t in shallow]
    assert set(notes) == {"the centres of its cells lie above the ground, so there is nothing to drill."}


def test_without_a_topography_holes_start_at_the_top_of_the_grid(run, made, monkeypatch):
    monkeypatch.setattr(run, "ground_heights", None)
    holes = handover.plan_holes(run, made[0])
    assert {hole.collar[2] for hole in holes.values() if isinstance(hole, Hole)} == {run.grid.bounds[5]}


def peak_of(run, levels):
    """Most memory that writing takes, with so many levels of 150 x 150 cells."""
    run.grid = replace(run.grid, shape=(levels, 150, 150), spacing=(25.0, 25.0, 25.0))
    run.ground_heights = np.full(run.grid.shape[1:], 300.0)
    whole = np.zeros(run.grid.shape, np.float32)
    whole[2:8, 4:9, 5:12] = 0.9
    found = found_in(run, whole, chunk=50)
    del whole
    holes = {target.id: NoHole("none") for target in found.targets}
    tracemalloc.start()
    handover.write(run, found, tabled(found, holes), holes)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def test_what_is_written_of_a_larger_volume_takes_no_more_memory(tmp_path):
    run = run_of(tmp_path)
    small, large = peak_of(run, 60), peak_of(run, 160)
    assert large - small < 100 * 150 * 150  # bytes; the scores alone would take four times as much
