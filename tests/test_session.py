"""The session: what is drawn is what is stored, and fast ways find what slow ones find."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpm3d.errors import FormatError
from mpm3d.geometry import Points, Surface
from mpm3d.grid import Grid
from mpm3d.view import Scene, make_scene, read_out, threshold_for
from mpm3d.view import levels as levels_module
from mpm3d.view.actors import LAYER_COLOURS, camera_of, face_mesh, score_map
from mpm3d.view.camera import direction_of
from mpm3d.view.faces import slice_faces, target_faces
from mpm3d.view.levels import Levels
from mpm3d.view.reading import cells_along, first_cell, read_cell
from mpm3d.view.scene import SceneTarget
from mpm3d.view.session import EXAGGERATIONS, Session
from mpm3d.view.skin import BLOCK, Blocks, pooled
from mpm3d.view.things import boxed, things_of

# a southern UTM zone: northings of nearly ten million metres
CORNER = (-600.0, 9_512_000.0, 712_000.0)
GRID = Grid((10, 12, 14), (50.0, 100.0, 100.0), CORNER, "EPSG:32751")


def scores(shape: tuple[int, int, int] = GRID.shape) -> np.ndarray:
    """A blob around the middle, the uppermost layer in the air."""
    z, y, x = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    middle = [n // 2 for n in shape]
    score = np.exp(-((z - middle[0]) ** 2 + (y - middle[1]) ** 2 + (x - middle[2]) ** 2) / 8)
    score[-1] = np.nan
    return score.astype(np.float32)


class Stored:
    """An array in a store: gives what is asked for, and remembers how much that was."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.shape, self.read = values, values.shape, 0

    def __getitem__(self, cut: Any) -> np.ndarray:
        found = np.asarray(self.values[cut])
        self.read = max(self.read, found.size)
        return found


def sheet(name: str, x: float) -> Surface:
    low, high = GRID.bounds[:3], GRID.bounds[3:]
    corners = [(x, low[1], low[2]), (x, high[1], low[2]), (x, high[1], high[2]), (x, low[1], high[2])]
    return Surface(name, np.array(corners), np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int64))


def target(name: str, cells: np.ndarray, **more: Any) -> SceneTarget:
    """A target of some cells."""
    spacing = np.asarray(GRID.spacing)[::-1]
    low, high = GRID.xyz_of(cells).min(axis=0) - spacing / 2, GRID.xyz_of(cells).max(axis=0) + spacing / 2
    centre = (low + high) / 2
    bounds = (*low.tolist(), *high.tolist())
    numbers = (("ranking score", "0.91"), ("volume", "1.2 million m³"))
    return SceneTarget(name, int(name[1:]), "new", tuple(centre.tolist()), bounds, numbers, **more)


def district(**more: Any) -> Scene:
    rng = np.random.default_rng(1)
    depth = -np.broadcast_to(GRID.centres(0)[:, None, None], GRID.shape)
    density = np.where(np.isfinite(scores()), rng.normal(2.7, 0.1, GRID.shape), np.nan)
    blob = np.argwhere(np.nan_to_num(scores(), nan=-1) >= 0.5)
    given: dict[str, Any] = {
        "title": "Kuh district", "threshold": 0.5, "score": scores(), "units": "model score, 0 to 1",
        "evidence": {"depth": Stored(depth), "density": Stored(density)},
        "companions": {"spread": Stored(rng.random(GRID.shape))},
        "units_of": {"depth": "m", "density": "g/cm³", "spread": "model score"},
        "targets": (target("T01", blob), target("T02", np.array([[2, 2, 2], [2, 2, 3]]))),
        "surfaces": {
            "fault": [sheet("F1", 712_300.0), sheet("F2", 712_900.0)],
            "negative sample": [Points("negative", GRID.xyz_of([[1, 1, 1], [2, 3, 4]]))],
        },
        "hidden": ("negative sample",),
        "cells": {
            "deposit": {"Kuh": np.array([[5, 6, 7], [5, 6, 8]]), "Sar": np.array([[0, 0, 0], [9, 0, 0]])}
        },
    }  # fmt: skip
    return make_scene(grid=GRID, **{**given, **more})


@pytest.fixture
def session(render: None) -> Iterator[Session]:
    made = Session(district(), off_screen=True, size=(700, 500))
    yield made
    made.close()


# skins ---------------------------------------------------------------------------------------------


def faces_of(nodes: np.ndarray, faces: np.ndarray, cell: np.ndarray) -> set[tuple[int, ...]]:
    """Every face as its cell and its corners, whatever their order."""
    corners = np.asarray(nodes)[faces]
    order = np.lexsort(corners.transpose(2, 0, 1)[::-1])
    sorted_ = np.take_along_axis(corners, order[:, :, None], axis=1).reshape(len(faces), 12)
    return {(int(c), *(int(v) for v in row)) for c, row in zip(cell, sorted_, strict=True)}


def slow_faces(values: np.ndarray, threshold: float) -> set[tuple[int, ...]]:
    """The same by looking at all six sides of every cell."""
    kept = values >= np.float32(threshold)
    found = set()
    for place in np.argwhere(kept):
        for axis in range(3):
            for side in (0, 1):
                beside = place.copy()
                beside[axis] += 2 * side - 1
                inside = 0 <= beside[axis] < values.shape[axis]
                if inside and kept[tuple(beside)]:
                    continue
                a, b = (k for k in range(3) if k != axis)
                corners = []
                for da, db in ((0, 0), (0, 1), (1, 0), (1, 1)):
                    corner = place.copy()
                    corner[axis] += side
                    corner[a] += da
                    corner[b] += db
                    corners.append(tuple(int(v) for v in corner))
                flat = int(np.ravel_multi_index(tuple(place), values.shape))
                found.add((flat, *(v for corner in sorted(corners) for v in corner)))
    return found


def volumes() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    noise = rng.random((17, 20, 33), dtype=np.float32)
    noise[rng.random(noise.shape) < 0.1] = np.nan
    steps = np.round(rng.random((16, 17, 15), dtype=np.float32) * 4) / 4  # many equal scores
    lone = np.zeros((40, 40, 40), np.float32)
    lone[[0, 15, 16, 39], [0, 16, 15, 39], [0, 31, 32, 39]] = 1
    return {
        "noise": noise, "steps": steps, "lone cells at block borders": lone,
        "one cell": np.ones((1, 1, 1), np.float32), "all NaN": np.full((5, 4, 3), np.nan, np.float32),
        "one score": np.full((17, 3, 18), 0.5, np.float32),
        "a plate": rng.random((1, 20, 50), dtype=np.float32),
        "tiny differences": (1 + 1e-6 * rng.random((9, 9, 9))).astype(np.float32),
        "one outlier": np.append(rng.random(999), 1e9).astype(np.float32).reshape(10, 10, 10),
    }  # fmt: skip


@pytest.mark.parametrize("name", volumes())
def test_a_skin_by_blocks_has_exactly_the_faces_of_the_plain_way(name: str) -> None:
    values = volumes()[name]
    blocks = Blocks(values)
    finite = values[np.isfinite(values)]
    shares = [0, 0.3, 0.9, 1] if values.size < 15_000 else [0.9999, 1]
    cuts = [*np.quantile(finite, shares), finite.max() + 1] if finite.size else [0.5]
    if values.size < 10_000:
        cuts.append(-1e30)
    for threshold in (float(cut) for cut in cuts):
        skin = blocks.skin(threshold)
        assert faces_of(*skin) == slow_faces(values, threshold)
        assert len(skin.faces) == len(faces_of(*skin)), "a face was found twice"


def test_blocks_without_a_face_are_passed_over() -> None:
    values = np.zeros((64, 64, 64), np.float32)
    values[20:30, 20:30, 20:30] = 1
    blocks = Blocks(values)
    # the body lies in one block, which is looked at with the three that it is the neighbour of, and no other
    assert len(blocks.active(0.5)) <= 8 < blocks._ends[0].size
    assert len(blocks.active(2.0)) <= 8
    assert len(blocks.skin(2.0).faces) == 0
    # a body that fills the volume has no face inside
    whole = Blocks(np.ones((64, 64, 64), np.float32) + values)
    inner = whole.active(0.5)
    assert np.all((inner == 0).any(axis=1) | (inner == 64 // BLOCK).any(axis=1))


def test_codes_rise_with_the_scores() -> None:
    values = np.sort(np.random.default_rng(2).normal(size=4000).astype(np.float32)).reshape(10, 20, 20)
    codes = Blocks(values).codes_of(values).ravel()
    assert np.all(np.diff(codes.astype(int)) >= 0)
    assert codes.min() == 1


def test_codes_take_two_bytes_a_cell_and_little_more() -> None:
    shape = (60, 200, 200)
    blocks = Blocks(np.zeros(shape, np.float32))
    assert blocks.codes.nbytes < 2.6 * np.prod(shape)


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 7, 9), (8, 8, 8), (1, 6, 2)])
@pytest.mark.parametrize("factor", [2, 3])
def test_larger_cells_have_the_best_score_of_those_in_them(shape: tuple[int, int, int], factor: int) -> None:
    values = np.random.default_rng(3).random(shape, dtype=np.float32)
    values[..., 0] = np.nan
    found = pooled(values, factor)
    assert found.shape == tuple(-(-n // factor) for n in shape)
    for place in np.ndindex(found.shape):
        part = values[tuple(slice(factor * k, factor * (k + 1)) for k in place)]
        best = part[np.isfinite(part)]
        np.testing.assert_equal(found[place], best.max() if best.size else np.float32(np.nan))


# counts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", volumes())
def test_counts_and_shares_are_exact_at_every_threshold(name: str) -> None:
    values = volumes()[name]
    grid = Grid(values.shape, (50.0,) * 3, CORNER, "EPSG:32751")
    cells = {"deposit": {"A": np.argwhere(np.ones(values.shape, bool))[:7]}}
    scene = make_scene(title="", grid=grid, score=values, threshold=0.5, cells=cells)
    levels = Levels(scene)
    for threshold in (0.0, 0.25, 0.5, 0.7311, 1.0, 2.0):
        assert levels.read_out(threshold) == read_out(scene, threshold)
        assert levels.count(threshold) == sum(bool(v >= np.float32(threshold)) for v in values.ravel())
    for share in (1e-9, 0.02, 0.11, 0.5, 1.0):
        assert levels.threshold_for(share) == threshold_for(scene, share)


def test_another_model_is_cut_at_the_same_percentile() -> None:
    first = make_scene(title="", grid=GRID, score=scores(), threshold=0.5)
    other = Levels(replace(first, score=scores() ** 3))
    levels = Levels(first)
    for threshold in (0.01, 0.3, 0.9):
        assert other.count(levels.same_share(threshold, other)) == levels.count(threshold)
    assert other.count(levels.same_share(5.0, other)) == 0
    percentiles = replace(first, units="percentile of the scored volume")
    assert Levels(percentiles).same_share(97.5, Levels(percentiles)) == 97.5


def test_ranges_of_layers_in_a_store_come_from_parts_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.broadcast_to(np.linspace(0, 100, 80), (60, 70, 80))
    stored, grid = Stored(x), Grid((60, 70, 80), (50.0,) * 3, CORNER, "EPSG:32751")
    monkeypatch.setattr(levels_module, "_SAMPLE", 100_000)
    scene = make_scene(title="", grid=grid, score=x, threshold=1, evidence={"x": stored})
    low, high = Levels(scene).range_of("x")
    assert (low, high) == pytest.approx((2, 98), abs=4)
    assert stored.read <= 24**3
    empty = replace(scene, evidence={"x": np.full(x.shape, np.nan)})
    assert Levels(empty).range_of("x") == (0.0, 1.0)


# reading -------------------------------------------------------------------------------------------


def test_a_line_goes_through_the_cells_that_small_steps_along_it_meet() -> None:
    rng = np.random.default_rng(4)
    shape = (6, 9, 7)
    for _ in range(30):
        start, direction = rng.uniform(-4, 12, 3), rng.normal(size=3)
        cells, places = cells_along(start, direction, shape)
        steps = start + np.arange(-40, 40, 0.002)[:, None] * direction
        walked = np.floor(steps).astype(int)
        walked = walked[np.all((walked >= 0) & (walked < shape), axis=1)]
        met = [tuple(c) for k, c in enumerate(walked.tolist()) if k == 0 or c != walked[k - 1].tolist()]
        found = [tuple(c) for c in cells.tolist()]
        # steps may jump over a corner that is cut off by less than a step
        assert [c for c in found if c in met] == met
        assert len(found) - len(met) <= 2
        assert np.all(np.diff(places) > 0)


def test_a_line_beside_the_grid_or_along_an_axis_meets_what_it_should() -> None:
    shape = (2, 3, 4)
    cells, _ = cells_along(np.array([0.5, 1.5, -3.0]), np.array([0.0, 0.0, 1.0]), shape)
    assert cells.tolist() == [[0, 1, k] for k in range(4)]
    for start in ([0.5, 5.5, -3.0], [-0.5, 1.5, 0.5]):
        assert not len(cells_along(np.array(start), np.array([0.0, 0.0, 1.0]), shape)[0])
    assert not len(cells_along(np.array([9.0, 9.0, 9.0]), np.array([1.0, 0.0, -1.0]), shape)[0])


def test_a_slice_in_front_of_the_body_is_met_first_unless_it_has_no_value_there() -> None:
    def body(cells: np.ndarray) -> np.ndarray:
        return cells[:, 2] >= 3

    line = (np.array([0.5, 1.5, -3.0]), np.array([0.0, 0.0, 1.0]), (2, 3, 5))
    assert first_cell(*line, body, {}) == (0, 1, 3)
    assert first_cell(*line, body, {2: (1, lambda c: np.array([True]))}) == (0, 1, 1)
    assert first_cell(*line, body, {2: (1, lambda c: np.array([False]))}) == (0, 1, 3)
    assert first_cell(*line, body, {2: (4, lambda c: np.array([True]))}) == (0, 1, 3)
    assert first_cell(*line, lambda c: np.zeros(len(c), bool), {}) is None


def test_a_reading_holds_what_the_arrays_hold_at_that_cell() -> None:
    scene = district()
    cell = (5, 6, 8)
    reading = read_cell(scene, cell)
    assert reading.cell == cell
    assert reading.xyz == (712_850.0, 9_512_650.0, -325.0)
    layers = {**scene.companions, **scene.evidence}
    assert reading.numbers == {
        "Prospectivity": float(scores()[cell]), **{name: float(v.values[cell]) for name, v in layers.items()}
    }  # fmt: skip
    assert list(reading.numbers) == ["Prospectivity", "spread", "depth", "density"]
    assert ("depth", "325 m") in reading.values
    assert all(layer.read <= 1 for layer in layers.values()), "more than the cell was read"
    assert reading.target == "T01"
    assert "712 850, 9 512 650, -325 m\nin target T01\nProspectivity: " in reading.text


def test_a_cell_without_a_value_says_so_and_one_outside_is_refused() -> None:
    scene = district()
    reading = read_cell(scene, (9, 0, 0))
    assert ("Prospectivity", "no data") in reading.values
    assert ("density", "no data") in reading.values
    assert np.isnan(reading.numbers["density"])
    with pytest.raises(ValueError, match=r"cell \(10, 0, 0\) is outside the grid of \(10, 12, 14\) cells"):
        read_cell(scene, (10, 0, 0))


def test_a_cell_beside_a_target_is_not_of_it() -> None:
    scene = district()
    # in the box of T01, below the threshold
    corner = np.argwhere(np.nan_to_num(scores(), nan=-1) >= 0.5).min(axis=0)
    assert read_cell(scene, tuple(int(v) for v in corner)).target == ""
    # at the threshold, but of a body that the box of no target fits
    apart = scores()
    apart[1, 1, 12] = 0.9
    assert read_cell(replace(scene, score=apart), (1, 1, 12)).target == ""


# colours -------------------------------------------------------------------------------------------


# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB
CONES = {
    "all": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "no red": [
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998],
    ],
    "no green": [
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881],
    ],
    "no blue": [
        [1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039],
    ],
}  # fmt: skip


@pytest.mark.parametrize("cones", CONES)
@pytest.mark.parametrize("which", ["score", "layer"])
def test_a_greater_value_is_always_the_darker_or_always_the_brighter_for_every_eye(
    cones: str, which: str
) -> None:
    from matplotlib import colormaps

    colours = score_map() if which == "score" else colormaps[LAYER_COLOURS]
    rgb = np.asarray(colours(np.linspace(0, 1, 33)))[:, :3]
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.asarray(CONES[cones]).T, 0, 1)
    luminance = seen @ [0.2126729, 0.7151522, 0.0721750]
    lightness = 116 * np.cbrt(luminance) - 16
    steps = np.diff(lightness) * np.sign(lightness[-1] - lightness[0])
    assert np.all(steps > 0)
    assert abs(lightness[-1] - lightness[0]) > 50


# session -------------------------------------------------------------------------------------------


def drawn(session: Session, key: str) -> list[Any]:
    return [actor for pane in session.panes for actor in pane.made.get(key, [])]


@pytest.mark.render
def test_the_body_drawn_is_that_of_the_threshold_and_the_read_out_counts_it(session: Session) -> None:
    for threshold in (0.3, 0.9):
        numbers = session.set_threshold(threshold)
        assert numbers == read_out(session.scene, threshold) == session.readouts[0]
        (actor,) = drawn(session, "score")
        faces = target_faces(session.scene, threshold)
        mesh = actor.mapper.dataset
        assert mesh.n_cells == len(faces.values)
        centres = np.round(mesh.cell_centers().points, 2)
        expected = np.round(faces.corners.mean(axis=1), 2)
        assert {tuple(row) for row in centres.tolist()} == {tuple(row) for row in expected.tolist()}
        assert sorted(mesh.cell_data["value"]) == sorted(faces.values)
    assert session.set_threshold(5.0).n_cells == 0
    assert not drawn(session, "score")
    with pytest.raises(ValueError, match="the threshold nan is not a number"):
        session.set_threshold(float("nan"))


@pytest.mark.render
@pytest.mark.usefixtures("render")
@pytest.mark.parametrize("name", volumes())
def test_coarse_bodies_of_odd_volumes_hold_the_true_ones_and_count_the_same(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(levels_module, "_SMALL", 100)
    values = volumes()[name]
    grid = Grid(values.shape, (50.0,) * 3, CORNER, "EPSG:32751")
    made = Session(make_scene(title="", grid=grid, score=values, threshold=0.4), off_screen=True)
    for threshold in (0.25, 0.9, 7.0):
        exact, coarse = made.set_threshold(threshold), made.set_threshold(threshold, coarse=True)
        assert exact == coarse
        body = made.panes[0].levels.body(threshold)
        larger = made.panes[0].levels.body(threshold, coarse=True)
        assert body.n_cells == 0 or (larger.n_cells > 0 and body.n_cells > 0)
        if body.n_cells:
            low, high = np.reshape(body.bounds, (3, 2)).T
            wide_low, wide_high = np.reshape(larger.bounds, (3, 2)).T
            assert np.all(wide_low <= low + 1e-3)
            assert np.all(wide_high >= high - 1e-3)
            ends = np.reshape(made.scene.bounds, (2, 3)) - np.asarray(made.scene.origin)
            assert np.all(wide_low >= ends[0] - 1e-3)
            assert np.all(wide_high <= ends[1] + 1e-3)
    made.close()


@pytest.mark.render
def test_coordinates_drawn_keep_their_centimetres_at_northings_of_millions(session: Session) -> None:
    (actor,) = drawn(session, "score")
    true = np.asarray(actor.mapper.dataset.points, dtype=float) + np.asarray(session.scene.origin)
    counts = (true[:, ::-1] - np.asarray(GRID.corner)) / np.asarray(GRID.spacing)
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-4)
    session.set_slice("y", 9_512_655.0)
    assert session.slice_place("y") == 9_512_650.0


@pytest.mark.render
@pytest.mark.parametrize(
    ("view", "factor"), [("northwest", 1.0), ("top", 1.0), ("east", 2.5), ((200.0, 55.0), 3.0)]
)
def test_a_pick_gives_the_cell_that_a_ray_through_the_pixel_meets(
    session: Session, view: str | tuple[float, float], factor: float
) -> None:
    session.set_exaggeration(factor)
    session.look(view)
    session.set_threshold(0.3)
    session.set_slice("z", -420.0)
    session.set_layer("density")
    renderer, values = session.panes[0].renderer, session.scene.values
    rng = np.random.default_rng(5)
    hits = 0
    for x, y in rng.uniform([150, 40], [620, 400], (60, 2)):
        ends = []
        for depth in (0.0, 1.0):  # VTK's own way from a pixel to the world
            renderer.SetDisplayPoint(x, 500 - y, depth)
            renderer.DisplayToWorld()
            ends.append(np.asarray(renderer.GetWorldPoint()[:3]) / renderer.GetWorldPoint()[3])
        walk = ends[0] + np.linspace(0, 1, 40_001)[:, None] * (ends[1] - ends[0])
        walk[:, 2] /= factor
        counts = ((walk + session.scene.origin)[:, ::-1] - GRID.corner) / np.asarray(GRID.spacing)
        cells = np.floor(counts).astype(int)
        inside = np.all((cells >= 0) & (cells < GRID.shape), axis=1)
        cells, counts = cells[inside], counts[inside]
        met = values[tuple(cells.T)] >= np.float32(0.3)
        through = np.zeros(len(cells), bool)
        through[1:] = np.diff(np.sign(counts[:, 0] - 3.5)) != 0
        through &= np.isfinite(session.scene.evidence["density"].values[tuple(cells.T)])
        first = np.flatnonzero(met | through)
        reading = session.pick(x, y)
        if not len(first):
            assert reading is None
            continue
        hits += 1
        assert reading is not None
        near = {tuple(c) for c in cells[max(0, first[0] - 2) : first[0] + 3].tolist()}
        assert reading.cell in near
        assert reading == session.read(reading.cell)
    assert hits > 5


@pytest.mark.render
def test_what_is_hidden_is_not_picked(session: Session) -> None:
    session.look("top")
    renderer = session.panes[0].renderer
    renderer.SetWorldPoint(0.0, 0.0, 0.0, 1.0)
    renderer.WorldToDisplay()
    x, y, _ = renderer.GetDisplayPoint()
    assert session.pick(x, 500 - y) is not None
    session.set_visible("score", False)
    assert session.pick(x, 500 - y) is None
    session.set_slice("z", -595.0)
    reading = session.pick(x, 500 - y)
    assert reading is not None
    assert reading.cell[0] == 0
    session.set_opacity("slices", 0.0)
    assert session.pick(x, 500 - y) is None
    assert session.pick(-5, 20) is None


@pytest.mark.render
def test_things_are_switched_and_faded_by_role_and_one_by_one(session: Session) -> None:
    keys = [thing.key for thing in session.objects]
    assert keys == [
        "score", "slices", "slices/Prospectivity", "slices/depth", "slices/density", "target",
        "deposit", "deposit/Kuh", "deposit/Sar", "negative sample", "fault", "fault/F1", "fault/F2",
    ]  # fmt: skip
    assert not session.visible["negative sample"]
    assert not any(actor.GetVisibility() for actor in drawn(session, "negative sample"))
    session.set_visible("fault/F1", False)
    assert [drawn(session, f"fault/F{k}")[0].GetVisibility() for k in (1, 2)] == [0, 1]
    session.set_visible("fault", False)
    session.set_visible("fault/F1", True)
    assert not any(drawn(session, f"fault/F{k}")[0].GetVisibility() for k in (1, 2))
    session.set_visible("fault", True)
    session.set_opacity("fault", 0.4)
    session.set_opacity("fault/F2", 0.9)
    assert [drawn(session, f"fault/F{k}")[0].prop.opacity for k in (1, 2)] == [0.4, 0.9]
    session.set_visible("score", False)
    session.set_threshold(0.4)
    assert not any(actor.GetVisibility() for actor in drawn(session, "score"))
    session.set_visible("target", False)
    assert not any(actor.GetVisibility() for actor in drawn(session, "target/boxes"))
    with pytest.raises(ValueError, match="layer 'ore' is not in the scene, it has score, slices"):
        session.set_visible("ore", True)
    with pytest.raises(ValueError, match=r"an opacity of 1\.5 is not possible"):
        session.set_opacity("score", 1.5)


@pytest.mark.render
def test_slices_show_a_layer_of_a_store_and_read_nothing_else_of_it(session: Session) -> None:
    session.set_layer("depth")
    depth = session.scene.evidence["depth"]
    assert session.layer_range() == pytest.approx(np.quantile(depth.values, [0.02, 0.98]))
    depth.read = 0
    assert session.set_slice("z", -420.0) == 3
    (actor,) = drawn(session, "slice z")
    np.testing.assert_array_equal(np.unique(actor.mapper.dataset.cell_data["value"]), [425.0])
    assert depth.read == 12 * 14
    session.hide_slice("z")
    assert session.slices == {"x": None, "y": None, "z": None}
    assert not drawn(session, "slice z")
    with pytest.raises(ValueError, match="layer 'gold' is not in the scene, it has Prospectivity, depth"):
        session.set_layer("gold")
    with pytest.raises(ValueError, match="axis 'w' is not known"):
        session.hide_slice("w")


@pytest.mark.render
def test_flying_to_a_target_puts_it_in_the_middle_and_marks_it(session: Session) -> None:
    found = session.fly_to("T02")
    assert found.id == session.target == "T02"
    box = np.reshape(found.bounds, (2, 3)) - np.asarray(session.scene.origin)
    pixels = session.camera().pixels(box)
    assert np.all((pixels > [100, 80]) & (pixels < [620, 460]))
    (mark,) = drawn(session, "mark")
    np.testing.assert_allclose(np.reshape(mark.bounds, (3, 2)).T, box, atol=0.01)
    near = session.camera().metres_per_pixel
    session.set_exaggeration(2.0)
    (mark,) = drawn(session, "mark")
    np.testing.assert_allclose(np.reshape(mark.bounds, (3, 2)).T, box * [1, 1, 2], atol=0.01)
    session.look("northwest")
    assert session.camera().metres_per_pixel > near
    session.reset()
    assert session.target == ""
    assert not drawn(session, "mark")
    with pytest.raises(ValueError, match="target 'T09' is not in the scene, its targets are T01, T02"):
        session.fly_to("T09")


def test_a_zone_is_listed_and_gets_no_box_unless_there_is_nothing_else() -> None:
    first, second = district().targets
    zone = second._replace(id="Z1", kind="zone")
    assert boxed(district(targets=(first, zone))) == (first,)
    assert boxed(district(targets=(zone,))) == (zone,)
    labels = [thing.label for thing in things_of(district(targets=(first, zone)))]
    assert "Targets (1)" in labels


@pytest.mark.render
@pytest.mark.parametrize("view", ["northwest", "north", "east", "top", (200.0, 55.0)])
def test_the_camera_is_where_it_was_put_and_the_whole_district_in_view(
    session: Session, view: str | tuple[float, float]
) -> None:
    session.look(view)
    seen = session.camera()
    assert (seen.azimuth, seen.plunge) == pytest.approx(direction_of(view), abs=1e-3)
    if view == "top":  # turned about the vertical it looks another way, which is not a roll
        return
    session.panes[0].renderer.camera.roll += 30
    session.settle()
    np.testing.assert_allclose(session.panes[0].renderer.camera.up, seen.axes[1], atol=1e-6)


@pytest.mark.render
@pytest.mark.usefixtures("render")
def test_two_models_share_camera_slices_and_percentile_and_have_their_own_numbers() -> None:
    other = make_scene(
        title="forest", grid=GRID, score=np.roll(scores(), 4, axis=1) ** 2, threshold=0.5, units="votes"
    )
    made = Session(district(beside=other), off_screen=True, size=(900, 500))
    left, right = made.panes
    assert left.renderer.camera is right.renderer.camera
    numbers = made.set_threshold(0.4)
    assert [r.n_cells for r in made.readouts] == [numbers.n_cells] * 2
    assert made.readouts[1].threshold != 0.4
    assert made.readouts[1].captured != numbers.captured
    made.set_slice("z", -420.0)
    made.set_layer("depth")
    assert len(drawn(made, "slice z")) == 2
    assert left.size == right.size
    made.look("top")
    made.set_layer("Prospectivity")
    # the same place of both parts is the same place of the district
    shift = right.renderer.GetViewport()[0] - left.renderer.GetViewport()[0]
    x = 900 * (left.renderer.GetViewport()[0] + right.renderer.GetViewport()[0]) / 2
    first, second = made.pick(x, 260.0), made.pick(x + 900 * shift, 260.0)
    assert first is not None
    assert second is not None
    assert first.cell[1:] == second.cell[1:]
    assert second.numbers["Prospectivity"] == float(right.scene.values[second.cell])
    assert {"depth", "density"} <= set(second.numbers)
    made.close()


@pytest.mark.render
@pytest.mark.usefixtures("render")
def test_a_large_translucent_body_is_not_drawn_layer_by_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpm3d.view.pane._PEELED", 50)
    made = Session(district(), off_screen=True)
    peeled = made.panes[0].renderer.GetUseDepthPeeling
    made.set_threshold(0.99)
    assert peeled()
    made.set_threshold(0.1)
    assert not peeled()
    made.set_opacity("score", 1.0)
    assert peeled()
    made.close()


# files ---------------------------------------------------------------------------------------------


@pytest.mark.render
def test_a_view_that_was_saved_comes_back_whole(session: Session, tmp_path: Path) -> None:
    session.set_threshold(0.35)
    session.set_exaggeration(2.0)
    session.set_layer("density")
    session.set_slice("x", 712_650.0)
    session.set_visible("fault/F2", False)
    session.set_opacity("score", 0.3)
    session.look((77.0, 33.0))
    session.fly_to("T02")
    path = session.save_view(tmp_path / "views" / "a.json")
    saved, seen = json.loads(path.read_text()), session.camera()
    assert saved["slices"] == {"x": 712_650.0, "y": None, "z": None}
    session.reset()
    session.set_slice("y", 9_512_100.0)
    session.load_view(path)
    again = json.loads(session.save_view(tmp_path / "b.json").read_text())
    for facts in (saved, again):
        centre = facts["camera"].pop("centre")
        facts["camera"] |= dict(zip("xyz", centre, strict=True))
    assert again.pop("camera") == pytest.approx(saved.pop("camera"))
    assert again == saved
    assert session.camera().metres_per_pixel == pytest.approx(seen.metres_per_pixel)
    np.testing.assert_allclose(session.camera().centre, seen.centre, atol=1e-3)
    assert (session.threshold, session.exaggeration, session.layer) == (0.35, 2.0, "density")
    assert session.slices == {"x": 6, "y": None, "z": None}
    assert session.target == "T02"
    assert not drawn(session, "fault/F2")[0].GetVisibility()


@pytest.mark.render
def test_a_view_of_another_scene_shows_what_both_have(session: Session, tmp_path: Path) -> None:
    path = session.save_view(tmp_path / "a.json")
    facts = json.loads(path.read_text())
    facts |= {"layer": "gold", "target": "T77", "exaggeration": 400.0}
    facts["visible"]["dyke"] = True
    facts["opacity"]["score"] = 7
    path.write_text(json.dumps(facts))
    session.load_view(path)
    assert session.layer == "Prospectivity"
    assert "dyke" not in session.visible
    assert session.opacity["score"] == 1.0
    assert session.exaggeration == EXAGGERATIONS[1]
    assert session.target == ""


@pytest.mark.render
@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda t: t[: len(t) // 2], "a.json: is not a view, or cut off"),
        (lambda t: "[1, 2]", "a.json: is not a view: it lacks"),
        (lambda t: t.replace('"mpm3d view"', '"something"'), "a.json: is not a view: it lacks"),
        (lambda t: t.replace('"threshold"', '"treshold"'), "'threshold' is missing or not what it should be"),
        (lambda t: t.replace('"threshold": 0.5', '"threshold": NaN'), r"threshold \(nan\) is missing or not"),
        (lambda t: t.replace('"azimuth": ', '"azimuth": "x", "a": '), r"azimuth \('x'\) is missing or not"),
        (lambda t: t.replace('"plunge": ', '"plunge": 200.0, "p": '), "plunge goes from -90"),
        (lambda t: t.replace("9512000.0", "4512000.0"), "is a view of another volume, 'Kuh district'"),
    ],
)
def test_a_broken_view_is_a_sentence_and_leaves_what_is_shown(
    session: Session, tmp_path: Path, change: Any, match: str
) -> None:
    path = session.save_view(tmp_path / "a.json")
    path.write_text(change(path.read_text()))
    session.set_threshold(0.8)
    with pytest.raises(FormatError, match=match):
        session.load_view(path)
    assert session.threshold == 0.8
    with pytest.raises(FileNotFoundError):
        session.load_view(tmp_path / "none.json")


@pytest.mark.render
def test_a_saved_picture_carries_scale_numbers_and_caution(session: Session, tmp_path: Path) -> None:
    from matplotlib.figure import Figure
    from matplotlib.image import imread

    written: list[str] = []
    boxes: list[Any] = []
    save = Figure.savefig

    def look(figure: Figure, *args: Any, **more: Any) -> None:
        texts = [text for axes in figure.axes for text in axes.texts]
        written.extend(text.get_text() for text in texts)
        boxes.extend(text.get_window_extent(figure.canvas.get_renderer()) for text in texts)
        save(figure, *args, **more)

    session.set_layer("density")
    session.set_slice("z", -420.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", look)
        path = session.save_picture(tmp_path / "pictures" / "a.png")
    words = "\n".join(written)
    for wanted in (
        session.scene.caution, "Kuh district", "model score, 0 to 1", "density", "g/cm³", "z -425 m",
        f"{session.readouts[0].n_cells:,} of 1,512 cells", "Faults (2)", "looking NW", "true scale",
    ):  # fmt: skip
        assert wanted in words
    assert "Negative samples" not in words, "hidden objects are not in the legend"
    image = imread(path)
    assert not [
        box for box in boxes if box.x0 < 0 or box.y0 < 0 or box.x1 > image.shape[1] or box.y1 > image.shape[0]
    ]
    assert not [(a, b) for k, a in enumerate(boxes) for b in boxes[k + 1 :] if a.overlaps(b)]
    assert image[60:-60, 150:600, :3].std() > 0.05
    assert [file.name for file in path.parent.iterdir()] == ["a.png"]
    with pytest.raises(ValueError, match=r"'a.jpg' is not a PNG file, pictures are. Use 'a.png'"):
        session.save_picture(tmp_path / "a.jpg")


@pytest.mark.render
def test_the_picture_changes_with_the_threshold_and_shows_the_colours_of_the_scores(session: Session) -> None:
    session.set_threshold(0.9)
    little = session.image()
    session.set_threshold(0.05)
    much = session.image()
    warm = [
        np.mean((i[..., 0] > i[..., 2] + 60) & (i[..., 0] > 120))
        for i in (little.astype(int), much.astype(int))
    ]
    assert warm[1] > 2 * warm[0] > 0


def test_a_camera_of_vtk_is_read_as_it_was_aimed() -> None:
    class Seen:
        position, focal_point, up, parallel_scale = (0.0, 0.0, 100.0), (0.0, 0.0, 0.0), (0.0, 1.0, 0.0), 50.0

    seen = camera_of(Seen, (300, 200))
    assert (seen.azimuth, seen.plunge, seen.metres_per_pixel) == (0.0, 90.0, 0.5)


def test_slices_of_a_store_hold_its_values() -> None:
    scene = district()
    faces = slice_faces(scene, scene.evidence["density"], 1, 4)
    plane = scene.evidence["density"].values[:, 4]
    np.testing.assert_array_equal(faces.values, plane[np.isfinite(plane)].astype(np.float32))
    assert face_mesh(faces).n_cells == len(faces.values)


# speed ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.render
@pytest.mark.usefixtures("render")
def test_the_benchmark_gives_its_numbers_and_both_ways_draw_the_same() -> None:
    script = Path(__file__).parent.parent / "pipelines" / "bench_view.py"
    command = [sys.executable, str(script), "--json", "--quick"]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert found["same"]
    assert found["volume_cells"] == 20 * 40 * 50
    for name in ("2", "11"):
        assert found[f"faces_{name}"] > 0
        for key in ("full", "coarse", "picture", "plain_full"):
            assert found[f"{key}_{name}_seconds"] > 0
        assert found[f"plain_over_full_{name}"] > 0
    assert found["kept_bytes_per_cell"] > 0
