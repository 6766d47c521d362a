from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import filelock
import numpy as np
import pytest
import rioxarray  # noqa: F401
import zarr

from mpm3d import cube
from mpm3d.grid import Grid
from mpm3d.predict import DifferentRun, Settings, predict
from mpm3d.predict.job import make_job
from mpm3d.predict.scoring import _Models

SHAPE = (13, 11, 9)
LAYERS = ("a", "b")
PATCH = (3, 5, 3)


def kernel(patch=PATCH, n_layers=2, seed=3):
    """No two weights alike, so a shift or a flip along any axis shows."""
    return np.random.default_rng(seed).normal(size=(n_layers, *patch))


@dataclass
class Linear:
    """Weighted sum of the patch, a missing value counting as 0.5."""

    weights: np.ndarray = field(default_factory=kernel)
    layers: tuple[str, ...] = LAYERS
    kind: str = "probability"

    @property
    def patch_shape(self):
        return self.weights.shape[1:]

    def score_samples(self, patches):
        return np.tensordot(np.nan_to_num(patches.astype(np.float64), nan=0.5), self.weights, 4)


class Stopping(Linear):
    """Raises after some calls, as Ctrl-C in the middle of a run would."""

    def score_samples(self, patches):
        self.calls = getattr(self, "calls", 0) + 1
        if self.calls > self.limit:
            raise KeyboardInterrupt
        return super().score_samples(patches)


def make_cube(path, values, inside=None, chunk=(4, 4, 4)):
    grid = Grid(values.shape[1:], (50.0, 25.0, 20.0), (-500.0, 4_000_000.0, 500_000.0), "EPSG:32651")
    cube.create(path, grid, chunk=chunk)

    def cut(array):
        def fill(part):
            index = grid.index_of([np.array(part.first_centre)[::-1]])[0]
            return array[tuple(slice(i, i + n) for i, n in zip(index, part.shape, strict=True))]

        return fill

    if inside is not None:
        cube.set_study_volume(path, cut(inside))
    for name, layer in zip(LAYERS, values, strict=False):
        cube.add_layer(path, name, cut(layer), units="m", long_name=name)
    return path


@pytest.fixture
def values(rng):
    return rng.normal(size=(2, *SHAPE)).astype(np.float32)


@pytest.fixture
def cube_path(tmp_path, values):
    return make_cube(tmp_path / "cube.zarr", values)


def slow_scores(values, weights, inside=None, max_missing=0):
    """One cell after the other."""
    inside = np.ones(values.shape[1:], bool) if inside is None else inside
    values = np.where(inside, values, np.nan)
    result = np.full(values.shape[1:], np.nan)
    half = [n // 2 for n in weights.shape[1:]]
    for cell in np.ndindex(values.shape[1:]):
        own = values[(slice(None), *cell)]
        if not inside[cell] or np.isnan(own).sum() > max_missing:
            continue
        total = 0.0
        for offset in np.ndindex(weights.shape):
            at = tuple(c + o - h for c, o, h in zip(cell, offset[1:], half, strict=True))
            outside = any(i < 0 or i >= n for i, n in zip(at, values.shape[1:], strict=True))
            value = np.nan if outside else values[(offset[0], *at)]
            total += weights[offset] * (0.5 if np.isnan(value) else float(value))
        result[cell] = total
    return result


class TermByTerm(Linear):
    """The same sum in one order, so that a cell has the same bits in whatever batch it comes."""

    def score_samples(self, patches):
        total = np.zeros(len(patches))
        for at in np.ndindex(self.weights.shape):
            total += self.weights[at] * np.nan_to_num(patches[(slice(None), *at)].astype(np.float64), nan=0.5)
        return total


def load(kind, *words):
    return [kind(*words)]


def shifted_sums(values, weights):
    """The same for every cell at once: the volume moved by each offset of the patch."""
    margin = [(n // 2, n // 2) for n in weights.shape[1:]]
    wide = np.nan_to_num(np.pad(values.astype(float), [(0, 0), *margin], constant_values=np.nan), nan=0.5)
    total = np.zeros(values.shape[1:])
    for layer, *offset in np.ndindex(weights.shape):
        cut = tuple(slice(o, o + n) for o, n in zip(offset, total.shape, strict=True))
        total += weights[(layer, *offset)] * wide[(layer, *cut)]
    return total


def score_of(path, name="score"):
    with cube.open(path) as ds:
        return ds[name].values


def bytes_of(store):
    """Every file of a store by name."""
    return {
        str(p.relative_to(store)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(Path(store).rglob("*"))
        if p.is_file() and p.suffix != ".partial"  # zarr's, of a chunk whose writer was killed
    }


@pytest.mark.parametrize("block", [(4, 4, 4), (5, 11, 3), (13, 11, 9), (16, 50, 50), (1, 2, 9)])
@pytest.mark.parametrize("batch", [7, 4096])
def test_scores_equal_one_cell_after_the_other_whatever_the_block(tmp_path, cube_path, values, block, batch):
    out = tmp_path / "p.zarr"
    made = predict(cube_path, [Linear()], out, model_hash="m", settings=Settings(block=block, batch=batch))
    np.testing.assert_allclose(score_of(out), slow_scores(values, kernel()), rtol=1e-6, atol=1e-6)
    assert made.n_scored == made.n_study == 13 * 11 * 9
    assert (made.reused, made.lost) == (0, {"a": 0.0, "b": 0.0})


@pytest.mark.slow
def test_scores_have_the_same_bits_for_usual_blocks_on_odd_grids_threads_and_processes(tmp_path, rng):
    shape, weights = (51, 33, 101), kernel((3, 3, 3))
    values = rng.normal(size=(2, *shape)).astype(np.float32)
    path = make_cube(tmp_path / "cube.zarr", values, chunk=(50, 50, 50))
    expected, first = shifted_sums(values, weights), None
    blocks = {16: (16, 16, 16), 50: (50, 50, 50), 64: (64, 32, 100)}
    cases = [(name, n, False) for name in blocks for n in (1, 2)]
    cases += [(16, 2, True), (50, 1, True), (64, 2, True)]
    for number, (name, workers, processes) in enumerate(cases):
        out = tmp_path / f"{number}.zarr"
        settings = Settings(block=blocks[name], workers=workers, processes=processes)
        predict(path, partial(load, TermByTerm, weights), out, model_hash="m", settings=settings)
        found = score_of(out)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
        first = found if first is None else first
        np.testing.assert_array_equal(found, first)


def test_a_network_scores_a_cell_the_same_in_whatever_block_it_lies(tmp_path, cube_path, values, rng):
    from mpm3d import models

    patches = rng.normal(size=(16, 2, 3, 3, 3)).astype(np.float32)
    network = models.make("dl4", LAYERS, epochs=1).fit(patches, np.arange(16) % 2, rng=rng)
    found = []
    for block, workers in (((50, 50, 50), 1), ((4, 4, 4), 1), ((4, 4, 4), 2)):
        out = tmp_path / f"{len(found)}.zarr"
        settings = Settings(block=block, workers=workers)
        predict(cube_path, [network], out, model_hash="m", settings=settings)
        found.append(score_of(out))
    np.testing.assert_allclose(found[1], found[0], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(found[2], found[1])
    wide = np.pad(values, [(0, 0), (1, 1), (1, 1), (1, 1)], constant_values=np.nan)
    for z, y, x in ((0, 0, 0), (12, 10, 8), (6, 0, 8), (5, 4, 3)):
        own = wide[None, :, z : z + 3, y : y + 3, x : x + 3]
        assert network.score_samples(own)[0] == pytest.approx(found[0][z, y, x], abs=1e-6)


def places():
    ends = [sorted({0, n // 2, n - 1}) for n in SHAPE]
    return [(z, y, x) for z in ends[0] for y in ends[1] for x in ends[2]]


@pytest.mark.parametrize("block", [(4, 4, 4), (5, 11, 3), (16, 16, 16)])
def test_impulses_on_faces_edges_and_corners_land_where_they_should(tmp_path, block):
    values = np.zeros((2, *SHAPE), np.float32)
    for place in places():
        values[(1, *place)] = 1
    path = make_cube(tmp_path / "cube.zarr", values)
    predict(path, [Linear()], tmp_path / "p.zarr", model_hash="m", settings=Settings(block=block))
    change = score_of(tmp_path / "p.zarr") - slow_scores(np.zeros_like(values), kernel())
    expected = np.zeros(SHAPE)  # the patches around two of the places share no cell
    for place in places():
        for offset in np.ndindex(PATCH):
            cell = tuple(p - o + n // 2 for p, o, n in zip(place, offset, PATCH, strict=True))
            if all(0 <= c < n for c, n in zip(cell, SHAPE, strict=True)):
                expected[cell] += kernel()[(1, *offset)]
    np.testing.assert_allclose(change, expected, atol=1e-5)


@pytest.mark.parametrize("block", [(4, 4, 4), (13, 11, 9)])
@pytest.mark.parametrize("max_missing", [0, 1, 2])
def test_cells_outside_the_study_or_missing_too_much_have_no_score(tmp_path, values, rng, block, max_missing):
    inside = rng.random(SHAPE) > 0.2
    values[rng.random(values.shape) > 0.8] = np.nan
    path = make_cube(tmp_path / "cube.zarr", values, inside)
    out = tmp_path / "p.zarr"
    settings = Settings(block=block, max_missing=max_missing)
    made = predict(path, [Linear()], out, model_hash="m", settings=settings)
    expected = slow_scores(values, kernel(), inside, max_missing)
    np.testing.assert_allclose(score_of(out), expected, rtol=1e-5, atol=1e-6)
    assert made.n_scored == (~np.isnan(expected)).sum()
    assert made.n_study == inside.sum()
    assert made.missing == {name: int((np.isnan(values[k]) & inside).sum()) for k, name in enumerate(LAYERS)}


def test_several_members_give_their_mean_and_spread(tmp_path, cube_path, values):
    members = [Linear(kernel(seed=seed)) for seed in range(3)]
    out = tmp_path / "p.zarr"
    predict(cube_path, members, out, model_hash="m", settings=Settings(block=(5, 5, 5)))
    each = np.stack([slow_scores(values, member.weights) for member in members])
    np.testing.assert_allclose(score_of(out), each.mean(axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(score_of(out, "spread"), each.std(axis=0), rtol=1e-5, atol=1e-6)


def test_members_share_the_patches(tmp_path, cube_path):
    seen = []

    class Looking(Linear):
        def score_samples(self, patches):
            seen.append(id(patches))
            assert patches.transpose(2, 3, 4, 0, 1).flags.c_contiguous
            return super().score_samples(patches)

    settings = Settings(batch=100, workers=1)
    predict(cube_path, [Looking(), Looking()], tmp_path / "p.zarr", model_hash="m", settings=settings)
    assert len(seen) == 2 * 13
    assert seen[0::2] == seen[1::2]


def test_blocks_without_a_cell_of_the_study_are_neither_read_nor_scored(tmp_path, values, monkeypatch):
    inside = np.zeros(SHAPE, bool)
    inside[:4] = True
    path = make_cube(tmp_path / "cube.zarr", values, inside)
    read, scored, really = [], [], cube.read_window

    def reading(ds, layers, window):
        read.append(window)
        return really(ds, layers, window)

    class Counting(Linear):
        def score_samples(self, patches):
            scored.append(len(patches))
            return super().score_samples(patches)

    monkeypatch.setattr(cube, "read_window", reading)
    made = predict(
        path, [Counting()], tmp_path / "p.zarr", model_hash="m", settings=Settings(block=(4, 4, 4), workers=1)
    )
    assert (made.blocks, len(read), sum(scored)) == (36, 9, 4 * 11 * 9)
    assert not list((tmp_path / "p.zarr" / "score" / "c").glob("[123]")), "nothing is stored for them"
    assert made.n_scored == made.n_study == 4 * 11 * 9


def test_the_model_is_loaded_once_by_a_worker_until_another_is_asked_for(tmp_path, cube_path):
    calls = []

    def loading():
        calls.append(1)
        return [Linear()]

    def loaded(model, token):
        settings = Settings(scheduler="tcp://a:1")
        job = make_job(cube_path, (Linear(),), tmp_path / token, settings, model_hash=model, load=loading)
        return _Models.of(kept, job)

    kept = _Models()
    assert loaded("m", "1") is loaded("m", "2")
    assert len(calls) == 1
    assert loaded("other", "3") is loaded("other", "4")
    assert len(calls) == 2


def test_the_log_says_how_fast_and_how_long(tmp_path, cube_path, caplog):
    caplog.set_level("INFO", logger="mpm3d")
    predict(cube_path, [Linear()], tmp_path / "p.zarr", model_hash="m", settings=Settings(block=(7, 11, 9)))
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0].startswith("predict: 2 of 2 blocks of (7, 11, 9) cells to do, ")
    assert re.match(r"predict: block 1 of 2, [0-9,]+ cells/s, [0-9]:[0-9]{2}:[0-9]{2} left", lines[1])
    assert lines[2].startswith("predict: block 2 of 2, ")


def test_the_order_of_the_model_s_layers_counts_not_that_of_the_cube(tmp_path, cube_path, values):
    turned = Linear(kernel()[::-1].copy(), layers=("b", "a"))
    predict(cube_path, [turned], tmp_path / "p.zarr", model_hash="m")
    expected = slow_scores(values, kernel())
    np.testing.assert_allclose(score_of(tmp_path / "p.zarr"), expected, rtol=1e-6, atol=1e-6)


def test_the_store_is_a_dataset_on_the_grid_of_the_cube(tmp_path, cube_path):
    out = tmp_path / "p.zarr"
    predict(cube_path, [Linear()], out, model_hash="m", settings=Settings(block=(5, 5, 50)))
    with cube.open(out) as ds, cube.open(cube_path) as evidence:
        assert cube.grid_of(ds) == cube.grid_of(evidence)
        assert ds["score"].dims == ("z", "y", "x")
        assert ds["score"].dtype == np.float32
        assert ds["score"].encoding["chunks"] == (5, 5, 9)
        assert ds["score"].attrs["units"] == "1"
        assert ds.rio.crs.to_epsg() == 32651
        assert "not a resource estimate" in ds.attrs["title"]
        assert "spread" not in ds
        assert (ds["ledger"].values == 1).all()
        assert ds["ledger"].shape == (3, 3, 1)


def test_progress_counts_every_block_once(tmp_path, cube_path):
    seen = []
    settings = Settings(block=(4, 4, 4), workers=3)
    predict(
        cube_path, [Linear()], tmp_path / "p.zarr", model_hash="m", settings=settings,
        progress=lambda done, total, words: seen.append((done, total, words)),
    )  # fmt: skip
    total = 4 * 3 * 3
    counted = [words.split(",")[0] for _, _, words in seen]
    assert counted == [f"block {n} of {total}" for n in range(total + 1)]
    assert all("cells/s" in words for _, _, words in seen[1:])
    cells = [done for done, _, _ in seen]
    assert (cells[0], cells[-1]) == (0, 13 * 11 * 9)
    assert cells == sorted(set(cells))
    assert {whole for _, whole, _ in seen} == {13 * 11 * 9}


@pytest.mark.parametrize("workers", [1, 3])
def test_an_interrupted_run_goes_on_and_gives_the_same_bytes(tmp_path, cube_path, workers):
    settings = Settings(block=(4, 4, 4), workers=workers)
    whole = predict(cube_path, [Linear()], tmp_path / "whole.zarr", model_hash="m", settings=settings)
    out = tmp_path / "p.zarr"
    stopping = Stopping()
    stopping.limit = 20
    with pytest.raises(KeyboardInterrupt):
        predict(cube_path, [stopping], out, model_hash="m", settings=settings)
    with cube.open(out) as ds:
        kept = int(ds["ledger"].values.sum())
    assert 20 <= kept < 36  # workers may count at the same moment
    seen = []
    made = predict(
        cube_path, [Linear()], out, model_hash="m", settings=settings,
        progress=lambda done, total, words: seen.append(words),
    )  # fmt: skip
    assert [words.split(",")[0] for words in seen] == [f"block {n} of 36" for n in range(kept, 37)]
    assert (made.blocks, made.reused, made.n_scored) == (36, kept, whole.n_scored)
    assert made.missing == whole.missing
    assert bytes_of(out) == bytes_of(tmp_path / "whole.zarr")


def test_a_finished_run_is_reused_whole(tmp_path, cube_path):
    predict(cube_path, [Linear()], tmp_path / "p.zarr", model_hash="m")
    stopping = Stopping()
    stopping.limit = 0
    made = predict(cube_path, [stopping], tmp_path / "p.zarr", model_hash="m", settings=Settings(workers=1))
    assert (made.reused, made.blocks, made.n_scored) == (1, 1, 13 * 11 * 9)
    assert made.cells_per_second == 0


SLOW_RUN = """
import sys, time
sys.path.insert(0, sys.argv[1])
from test_predict import Linear
from mpm3d.predict import Settings, predict
class Slow(Linear):
    def score_samples(self, patches):
        time.sleep(0.1)
        return super().score_samples(patches)
predict(sys.argv[2], [Slow()], sys.argv[3], model_hash="m", settings=Settings(block=(4, 4, 4), workers=2))
"""


@pytest.mark.parametrize("how", ["kill", "ctrl-c"])
def test_a_stopped_process_leaves_no_lock_and_a_rerun_gives_the_same_bytes(tmp_path, cube_path, how):
    if how == "ctrl-c" and os.name != "posix":
        pytest.skip("a process cannot be sent Ctrl-C alone here")
    settings = Settings(block=(4, 4, 4), workers=2)
    predict(cube_path, [Linear()], tmp_path / "whole.zarr", model_hash="m", settings=settings)
    out = tmp_path / "p.zarr"
    command = [sys.executable, "-c", SLOW_RUN, str(Path(__file__).parent), str(cube_path), str(out)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    limit = time.monotonic() + 60
    while time.monotonic() < limit and process.poll() is None:
        if out.exists() and len(list(out.glob("ledger/c/*/*/*"))) >= 6:
            break
        time.sleep(0.01)
    assert process.poll() is None
    process.kill() if how == "kill" else process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) != 0
    made = predict(cube_path, [Linear()], out, model_hash="m", settings=settings)
    assert 6 <= made.reused < 36
    assert bytes_of(out) == bytes_of(tmp_path / "whole.zarr")


def test_another_model_cube_or_setting_is_refused_and_overwrite_starts_again(tmp_path, cube_path, values):
    out = tmp_path / "p.zarr"
    predict(cube_path, [Linear()], out, model_hash="m")
    with pytest.raises(DifferentRun, match=r"begun with another model, and scores of two .*`--overwrite`"):
        predict(cube_path, [Linear()], out, model_hash="other")
    with pytest.raises(ValueError, match=r"another settings \(.*'max_missing': 0.* then, .*'max_missing': 1"):
        predict(cube_path, [Linear()], out, model_hash="m", settings=Settings(max_missing=1))
    other = make_cube(tmp_path / "other.zarr", values + 1)
    with pytest.raises(ValueError, match="begun with another cube, and scores"):
        predict(other, [Linear()], out, model_hash="m")
    with pytest.raises(ValueError, match="begun with another model and another cube"):
        predict(other, [Linear()], out, model_hash="other")
    again = Settings(overwrite=True)
    made = predict(other, [Linear()], out, model_hash="other", settings=again)
    assert made.reused == 0
    assert sorted(p.name for p in tmp_path.glob("p.zarr*")) == ["p.zarr", "p.zarr.lock"]
    np.testing.assert_allclose(score_of(out), slow_scores(values + 1, kernel()), rtol=1e-5, atol=1e-5)


def test_the_command_line_goes_before_the_study_in_where_blocks_are_scored(monkeypatch):
    from typer.testing import CliRunner

    from mpm3d import cli, stages

    seen = []
    monkeypatch.setattr(cli.verbs, "running", lambda *words: nullcontext(words))
    monkeypatch.setattr(stages, "predict_volume", lambda run, **how: seen.append((run, how)))
    for words in (
        "",
        "--workers 3",
        "--workers 3 --threads",
        "--processes",
        "--scheduler tcp://a:1 --overwrite",
    ):
        assert CliRunner().invoke(cli.app, ["predict", "study.toml", *words.split()]).exit_code == 0
    told = [(how["workers"], how["processes"], how["scheduler"], how["overwrite"]) for _, how in seen]
    assert told == [
        (None, None, "", False),
        (3, True, "", False),
        (3, False, "", False),
        (None, True, "", False),
        (None, None, "tcp://a:1", True),
    ]
    assert all(run[2] is False for run, _ in seen), "cube and model are kept"


def test_a_worker_refuses_a_model_folder_that_holds_another_model(tmp_path, rng):
    from mpm3d import fit, models, stages

    patches = rng.normal(size=(20, 2, 1, 1, 1)).astype(np.float32)
    forest = models.make("forest", LAYERS, n_estimators=3).fit(patches, np.arange(20) % 2, rng=rng)
    info = fit.save_members(tmp_path / "model", [fit.Fitted(forest, 0, ("A",), "", 10, 10, 0.1)], {})
    assert len(stages._members_of(tmp_path / "model", info["hash"])) == 1
    with pytest.raises(ValueError, match=r"holds the model [0-9a-f]{12}…, and other… is to predict\. It was"):
        stages._members_of(tmp_path / "model", "other")


def test_settings_that_do_not_change_scores_may_change_between_runs(tmp_path, cube_path):
    out = tmp_path / "p.zarr"
    predict(cube_path, [Linear()], out, model_hash="m", settings=Settings(workers=1))
    made = predict(cube_path, [Linear()], out, model_hash="m", settings=Settings(workers=2, batch=10))
    assert made.reused == made.blocks


def test_two_runs_at_once_are_refused(tmp_path, cube_path):
    out = tmp_path / "p.zarr"
    held = filelock.FileLock(tmp_path / "p.zarr.lock")
    with held, pytest.raises(RuntimeError, match=r"p\.zarr is being written by another run\. Wait until"):
        predict(cube_path, [Linear()], out, model_hash="m")
    predict(cube_path, [Linear()], out, model_hash="m")


def test_a_folder_that_is_something_else_is_left_alone(tmp_path, cube_path):
    out = tmp_path / "precious"
    out.mkdir()
    (out / "file.txt").write_text("keep")
    for settings in (Settings(), Settings(overwrite=True)):
        with pytest.raises(ValueError, match="precious exists and is not a prospectivity store"):
            predict(cube_path, [Linear()], out, model_hash="m", settings=settings)
    with pytest.raises(ValueError, match=r"cube\.zarr exists and is not a prospectivity store"):
        predict(cube_path, [Linear()], cube_path, model_hash="m", settings=Settings(overwrite=True))
    assert (out / "file.txt").read_text() == "keep"


def test_members_that_do_not_fit_the_cube_or_each_other_are_refused(tmp_path, cube_path):
    out = tmp_path / "p.zarr"

    def attempt(*members, **settings):
        predict(cube_path, members, out, model_hash="m", settings=Settings(**settings))

    with pytest.raises(ValueError, match="there is no fitted member to predict with, fit a model first"):
        attempt()
    with pytest.raises(ValueError, match=r"fitted on 3 layers and this cube lacks 2 of them: 'c', 'd'\. Add"):
        attempt(Linear(layers=("a", "c", "d")))
    with pytest.raises(
        ValueError, match=r"patches of \(3, 4, 3\) cells have no centre, each side must be odd"
    ):
        attempt(Linear(kernel((3, 4, 3))))
    with pytest.raises(ValueError, match=r"members differ in kind: 'deviation', 'probability'\. Fit"):
        attempt(Linear(), Linear(kind="deviation"))
    with pytest.raises(ValueError, match="members differ in patch_shape"):
        attempt(Linear(), Linear(kernel((3, 3, 3))))
    assert not out.exists()


def test_scores_of_another_shape_are_refused(tmp_path, cube_path):
    class Two(Linear):
        def score_samples(self, patches):
            return np.zeros((len(patches), 2))

    with pytest.raises(ValueError, match=r"scores of shape \(1287, 2\) for 1287 patches, one each is needed"):
        predict(cube_path, [Two()], tmp_path / "p.zarr", model_hash="m")


def test_settings_out_of_range_are_refused():
    for name in ("workers", "batch"):
        with pytest.raises(ValueError, match=f"{name}=0 is not possible, 1 or more is needed"):
            Settings(**{name: 0})
    with pytest.raises(ValueError, match=r"block=\(0, 4, 4\) is not possible"):
        Settings(block=(0, 4, 4))
    with pytest.raises(ValueError, match="max_missing=-1 is not possible"):
        Settings(max_missing=-1)
    with pytest.raises(ValueError, match="memory=0 GB is not possible, more than 0 is needed"):
        Settings(memory=0)
    with pytest.raises(
        ValueError, match=r"scheduler='10\.0\.0\.1:8786' is not the address of a dask cluster"
    ):
        Settings(scheduler="10.0.0.1:8786")
    with pytest.raises(ValueError, match=r"processes=True and scheduler='tcp://a:1' exclude each other"):
        Settings(scheduler="tcp://a:1", processes=True)


@pytest.mark.parametrize("settings", [Settings(processes=True), Settings(scheduler="tcp://a:1")])
def test_workers_elsewhere_load_the_model_themselves(tmp_path, cube_path, settings):
    with pytest.raises(ValueError, match=r"worker processes load the model themselves, .*functools\.partial"):
        predict(cube_path, [Linear()], tmp_path / "p.zarr", model_hash="m", settings=settings)


def test_a_block_that_cannot_fit_is_refused_before_anything_is_written(tmp_path, cube_path):
    out = tmp_path / "p.zarr"
    with pytest.raises(
        ValueError, match=r"GB in all, and 1e-05 GB are allowed\. Lower block, batch or workers"
    ):
        predict(cube_path, [Linear()], out, model_hash="m", settings=Settings(memory=1e-5))
    settings = Settings(memory=0.1, processes=True, workers=1)
    with pytest.raises(
        ValueError, match=r"with 0\.4 GB for the processes themselves, and 0\.1 GB are allowed"
    ):
        predict(cube_path, partial(load, Linear), out, model_hash="m", settings=settings)
    assert not out.exists()


def test_a_block_that_would_fit_is_named_and_does(tmp_path, cube_path):
    settings = Settings(memory=6e-4, workers=1, batch=10)
    with pytest.raises(
        ValueError, match=r"a block of \(13, 11, 9\) .* Blocks of \(8, 8, 8\) would fit\. Lower"
    ):
        predict(
            cube_path,
            [Linear()],
            tmp_path / "p.zarr",
            model_hash="m",
            settings=replace(settings, memory=1e-4),
        )
    made = predict(
        cube_path, [Linear()], tmp_path / "p.zarr", model_hash="m",
        settings=replace(settings, memory=1e-4, block=(8, 8, 8)),
    )  # fmt: skip
    assert made.n_scored == 13 * 11 * 9


def test_no_more_workers_run_than_asked_for(tmp_path, cube_path):
    guard, now, most, calls = threading.Lock(), [0], [0], [0]
    meeting = threading.Barrier(2)

    class Counting(Linear):
        def score_samples(self, patches):
            with guard:
                now[0] += 1
                calls[0] += 1
                most[0] = max(most[0], now[0])
                first = calls[0] <= 2
            if first:  # neither goes on before both are there, however busy the machine is
                meeting.wait(timeout=120)
            with guard:
                now[0] -= 1
            return super().score_samples(patches)

    settings = Settings(block=(4, 4, 4), workers=2)
    predict(cube_path, [Counting()], tmp_path / "p.zarr", model_hash="m", settings=settings)
    assert most[0] == 2


def test_torch_has_one_thread_meanwhile_and_its_own_again_after(tmp_path, cube_path, monkeypatch):
    class Torch:
        threads = 7

        def get_num_threads(self):
            return self.threads

        def set_num_threads(self, n):
            self.threads = n

    torch = Torch()
    monkeypatch.setitem(sys.modules, "torch", torch)
    seen = []

    class Looking(Linear):
        def score_samples(self, patches):
            seen.append(torch.threads)
            return super().score_samples(patches)

    predict(cube_path, [Looking()], tmp_path / "p.zarr", model_hash="m")
    assert seen == [1]
    assert torch.threads == 7


def test_a_block_without_its_mark_is_done_again(tmp_path, cube_path):
    out = tmp_path / "p.zarr"
    settings = Settings(block=(4, 4, 4))
    predict(cube_path, [Linear()], out, model_hash="m", settings=settings)
    before = bytes_of(out)
    group = zarr.open_group(out, mode="r+")
    group["score"][4:8, 0:4, 4:8] = 99
    group["ledger"][1, 0, 1] = 0
    made = predict(cube_path, [Linear()], out, model_hash="m", settings=settings)
    assert made.reused == 35
    assert bytes_of(out) == before
