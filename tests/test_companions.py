"""Layers beside the score: what they hold, that they resume, and that stale ones are made again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from mpm3d import companions, cube, evaluate, exchange, predict, stages, storage, study, targets, uncertainty
from mpm3d.companions import layers, store
from mpm3d.errors import StudyError
from mpm3d.grid import Grid
from mpm3d.models.folder import read_json
from mpm3d.run import RunFolder
from mpm3d.uncertainty import Domain
from tests.conftest import small_study

GRID = Grid((9, 7, 5), (50.0, 25.0, 20.0), (-500.0, 4_000_000.0, 500_000.0), "EPSG:32651")
LAYERS = ("a", "b")
KNOWN = np.array([[2, 3, 3], [2, 3, 4], [8, 6, 0]])


class Sum:
    """The sum of the centre cell's layers."""

    patch_shape = (1, 1, 1)
    layers = LAYERS
    kind = "probability"

    def score_samples(self, patches: np.ndarray) -> np.ndarray:
        return patches.sum(axis=(1, 2, 3, 4))


@pytest.fixture
def values(rng: np.random.Generator) -> np.ndarray:
    found = rng.normal(size=(2, *GRID.shape)).astype(np.float32)
    found[0, 0, :4] = np.nan  # no score there
    return found


@pytest.fixture
def domain(values: np.ndarray, rng: np.random.Generator) -> Domain:
    rows = rng.choice(GRID.n_cells, 60, replace=False)
    cells = values.reshape(2, -1)[:, rows].T
    return Domain.learn(cells[~np.isnan(cells).any(axis=1)], LAYERS, rng=rng)


@pytest.fixture
def place(tmp_path: Path, values: np.ndarray) -> Path:
    """A prospectivity store of blocks of 4 cells."""
    cube.create(tmp_path / "cube.zarr", GRID, chunk=(4, 4, 4))
    for name, layer in zip(LAYERS, values, strict=True):

        def fill(part: Grid, layer: np.ndarray = layer) -> np.ndarray:
            first = GRID.index_of([part.first_centre[::-1]])[0]
            return layer[tuple(slice(i, i + n) for i, n in zip(first, part.shape, strict=True))]

        cube.add_layer(tmp_path / "cube.zarr", name, fill, units="1", long_name=name)
    settings = predict.Settings(block=(4, 4, 4), workers=1)
    out = tmp_path / "prospectivity.zarr"
    predict.predict(tmp_path / "cube.zarr", [Sum()], out, model_hash="m", settings=settings)
    return out


def domain_group(place: Path, domain: Domain, key: str = "k") -> store.Group:
    return layers.domain_group(cube.open(place.with_name("cube.zarr")), domain, key)


@pytest.mark.parametrize("workers", [1, 3])
def test_blocks_hold_what_the_whole_volume_gives(
    place: Path, domain: Domain, values: np.ndarray, workers: int
) -> None:
    sums = store.write_group(place, domain_group(place, domain), workers=workers)
    found = storage.group(place, "r")
    scored = ~np.isnan(found["score"][:])
    assert scored.sum() == GRID.n_cells - 4 * 5
    outside, novelty = domain.outside(values), domain.novelty(values)
    flag = (outside > 0) | (novelty > 1)
    np.testing.assert_array_equal(found["outside"][:], np.where(scored, outside, 255))
    np.testing.assert_array_equal(found["extrapolation"][:], np.where(scored, flag, 255))
    np.testing.assert_array_equal(found["novelty"][:], np.where(scored, novelty, np.nan))
    assert sums["scored"] == scored.sum()
    assert sums["extrapolated"] == flag[scored].sum() > 0
    assert sums["outside"] == (outside[scored] > 0).sum()
    assert sums["a"] + sums["b"] == outside[scored].sum()


def test_flags_read_back_with_their_meaning_and_nan_without_score(place: Path, domain: Domain) -> None:
    store.write_group(place, domain_group(place, domain))
    ds = cube.open(place)
    flag = ds["extrapolation"]
    assert set(np.unique(flag.values[~np.isnan(ds["score"].values)])) == {0, 1}
    np.testing.assert_array_equal(np.isnan(flag.values), np.isnan(ds["score"].values))
    assert list(flag.attrs["flag_values"]) == [0, 1]
    assert flag.attrs["flag_meanings"].split() == ["within_training_evidence", "extrapolated"]
    assert ds["novelty"].attrs["units"] == "1"
    assert ds["novelty"].attrs["n_training_cells"] == domain.n


def test_distances_are_exact_and_of_the_nearest_known_cell(place: Path) -> None:
    sums = store.write_group(place, layers.distance_group(GRID, KNOWN, 200, "k"))
    found = storage.group(place, "r")
    scored = ~np.isnan(found["score"][:])
    steps = np.array(GRID.spacing)
    expected = np.full(GRID.shape, np.nan)
    for cell in np.ndindex(GRID.shape):
        if scored[cell]:
            expected[cell] = min(np.sqrt((((np.array(cell) - one) * steps) ** 2).sum()) for one in KNOWN)
    np.testing.assert_allclose(found["known_distance"][:], expected, rtol=1e-6)
    assert sums == {"scored": scored.sum(), "far": (expected >= 200).sum(), "known": 3}


def test_an_interrupted_group_goes_on_and_is_not_listed_as_finished(place: Path, domain: Domain) -> None:
    group, calls = domain_group(place, domain), []

    def stops(window: object, score: np.ndarray) -> object:
        if len(calls) == 5:
            raise KeyboardInterrupt
        calls.append(window)
        return group.fill(window, score)  # type: ignore[arg-type]

    half = store.Group(group.name, group.key, group.layers, group.sums, stops)  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        store.write_group(place, half)
    assert "companion_hash" not in storage.group(place, "r")["novelty"].attrs
    again: list[object] = []

    def counted(window: object, score: np.ndarray) -> object:
        again.append(window)
        return group.fill(window, score)  # type: ignore[arg-type]

    rest = store.Group(group.name, group.key, group.layers, group.sums, counted)  # type: ignore[arg-type]
    told: list[tuple[int, int]] = []
    sums = store.write_group(place, rest, progress=lambda done, total: told.append((done, total)))
    assert len(again) == 3 * 2 * 2 - 5
    assert told[0] == (6, 12)
    assert told[-1] == (12, 12)
    resumed = {name: storage.group(place, "r")[name][:] for name in ("outside", "novelty", "extrapolation")}
    assert storage.group(place, "r")["novelty"].attrs["companion_hash"] == "k"
    whole = store.write_group(place, domain_group(place, domain, "other key"))
    assert whole == sums
    for name, array in resumed.items():
        np.testing.assert_array_equal(storage.group(place, "r")[name][:], array)


def test_a_finished_group_is_left_alone_and_a_stale_one_begun_again(place: Path, domain: Domain) -> None:
    store.write_group(place, domain_group(place, domain))
    calls: list[object] = []
    group = domain_group(place, domain)

    def counted(window: object, score: np.ndarray) -> object:
        calls.append(window)
        return group.fill(window, score)  # type: ignore[arg-type]

    def again(key: str) -> int:
        calls.clear()
        store.write_group(place, store.Group(group.name, key, group.layers, group.sums, counted))  # type: ignore[arg-type]
        return len(calls)

    assert again("k") == 0
    assert again("new") == 12
    del storage.group(place)["novelty"]
    assert again("new") == 12


def test_a_store_that_is_begun_again_has_no_old_layers_and_its_scores_stay_the_same(
    place: Path, domain: Domain
) -> None:
    before = storage.group(place, "r")["score"][:]
    store.write_group(place, domain_group(place, domain))
    np.testing.assert_array_equal(storage.group(place, "r")["score"][:], before)
    settings = predict.Settings(block=(4, 4, 4), workers=1)
    one = predict.predict(place.with_name("cube.zarr"), [Sum()], place, model_hash="m", settings=settings)
    assert one.reused == one.blocks
    assert "novelty" in storage.group(place, "r")
    settings = predict.Settings(block=(4, 4, 4), workers=1, overwrite=True)
    predict.predict(place.with_name("cube.zarr"), [Sum()], place, model_hash="m", settings=settings)
    assert not {"novelty", "ledger_domain"} & set(storage.group(place, "r"))


def test_layers_beside_the_score_disturb_nobody_who_reads_it(place: Path, domain: Domain) -> None:
    known = {"one": KNOWN[:2]}
    before = targets.delineate(cube.open(place), known, share=0.05, min_volume=0)
    store.write_group(place, domain_group(place, domain))
    store.write_group(place, layers.distance_group(GRID, KNOWN, 200, "k"))
    store.write_percentiles(place, "k", KNOWN)
    after = targets.delineate(cube.open(place), known, share=0.05, min_volume=0)
    added = ["extrapolated"]  # is counted from the layer
    assert after.table.drop(columns=added).equals(before.table.drop(columns=added))
    assert cube.layers_of(cube.open(place)) == ()
    assert list(exchange.sources.read_store(place).values) == ["score"]


def test_percentiles_are_shares_of_the_eligible_cells_without_the_volume_in_memory(place: Path) -> None:
    n = store.write_percentiles(place, "k", KNOWN)
    found = storage.group(place, "r")
    score = found["score"][:]
    score[tuple(KNOWN.T)] = np.nan
    flat = score[~np.isnan(score)]
    assert n == len(flat)
    expected = np.full(GRID.shape, np.nan)
    for cell in np.ndindex(GRID.shape):
        if not np.isnan(score[cell]):
            ties = (flat == score[cell]).sum()
            expected[cell] = 100 * ((flat < score[cell]).sum() + ties / 2) / n
    np.testing.assert_allclose(found["percentile"][:], expected, rtol=1e-6)
    assert store.write_percentiles(place, "k", KNOWN) == n


def test_percentiles_in_many_passes_into_a_store_are_those_in_memory(
    place: Path, rng: np.random.Generator
) -> None:
    scores = rng.normal(size=(8, 6, 4)).round(2).astype(np.float32)
    scores[3] = np.nan
    out = storage.group(place).create_array("out", shape=scores.shape, dtype="float32", fill_value=np.nan)

    def parts() -> list[tuple[tuple[slice, ...], np.ndarray]]:
        cuts = [(slice(k, k + 2), slice(0, 6), slice(0, 4)) for k in range(0, 8, 2)]
        return [(cut, scores[cut]) for cut in cuts]

    evaluate.percentiles(parts, scores.shape, limit=20, out=out)  # type: ignore[arg-type]
    np.testing.assert_array_equal(out[:], evaluate.percentiles(parts, scores.shape))  # type: ignore[arg-type]


def test_no_fill_sees_more_than_one_block(place: Path, domain: Domain) -> None:
    group, largest = domain_group(place, domain), [0]

    def watched(window: object, score: np.ndarray) -> object:
        largest[0] = max(largest[0], score.size)
        return group.fill(window, score)  # type: ignore[arg-type]

    store.write_group(place, store.Group(group.name, "k", group.layers, group.sums, watched))  # type: ignore[arg-type]
    assert largest[0] == 4**3


def test_the_agreement_of_stores_is_that_of_their_percentiles(place: Path) -> None:
    other = place.with_name("prospectivity_b.zarr")
    shutil.copytree(place, other)
    scores = storage.group(other)["score"]
    scores[:] = -scores[:]
    for one in (place, other):
        store.write_percentiles(one, "k", KNOWN)
    sums = store.write_group(place, layers.agreement_group([place, other], 0.1, "k", ["a", "b"]))
    assert sums["all"] == 0  # the best of one are the worst of the other
    assert sums["any"] == pytest.approx(0.2 * sums["n"], abs=2)
    found = storage.group(place, "r")
    both = np.stack([storage.group(one, "r")["percentile"][:] for one in (place, other)])
    np.testing.assert_allclose(found["rank_spread"][:], both.std(axis=0), rtol=1e-5)
    assert found["agreement"].attrs["models"] == ["a", "b"]


def test_sums_say_how_far_members_differ(place: Path) -> None:
    group = storage.group(place)
    score = group["score"][:]
    group.create_array("spread", data=np.abs(score))
    sums = store.write_group(place, layers.spread_group(place, "k"))
    assert sums["spread2"] == pytest.approx(sums["score2"])
    assert sums["score"] == pytest.approx(np.nansum(score.astype(float)))
    said = companions._said_spread({"n": 4, "score": 8, "score2": 20, "spread2": 1})
    # a mean of 2 with a mean square of 5 is a standard deviation of 1; the spread is the root of 1/4
    assert "differ by 0.5 " in said
    assert "50% of the standard deviation" in said


def start(path: Path, told: list[str]) -> stages.Run:
    loaded = study.load(path)
    return stages.Run(loaded, RunFolder(loaded.run_folder), say=told.append)


@pytest.fixture(scope="module")
def district(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The small district with two models that have both scored the volume."""
    path = small_study(tmp_path_factory.mktemp("two"))
    text = path.read_text(encoding="utf-8").replace(
        'kind = "dl1"\nepochs = 2\nbatch_size = 32\n', 'kind = "logistic"\n'
    )
    text = text.replace("[predict]", '[predict]\nmodels = "all"')
    path.write_text(text, encoding="utf-8")
    told: list[str] = []
    stages.predict_volume(start(path, told))
    return path, "\n".join(told)


def test_every_model_scores_the_volume_and_says_how_far_to_believe_it(district: tuple[Path, str]) -> None:
    path, told = district
    run = start(path, [])
    for kind, name in (("logistic", "prospectivity.zarr"), ("forest", "prospectivity_forest.zarr")):
        ds = cube.open(run.path(name))
        assert {"extrapolation", "outside", "novelty", "known_distance"} <= set(ds.data_vars)
        assert f"{kind}: " in told
        score = ds["score"].values
        np.testing.assert_array_equal(np.isnan(ds["known_distance"].values), np.isnan(score))
        for deposit in run.known:
            assert (ds["known_distance"].values[tuple(deposit.cells.T)] == 0).all()
    first = cube.open(run.path("prospectivity.zarr"))
    assert {"agreement", "rank_spread", "percentile"} <= set(first.data_vars)
    assert "scores extrapolated" in told
    assert "800 m or farther from the known deposits" in told
    assert "of the eligible cells as the best" in told
    assert run.folder.facts("predict forest")["n_scored"] == run.folder.facts("predict")["n_scored"]


def test_training_cells_are_never_outside_their_own_domain(district: tuple[Path, str]) -> None:
    run = start(district[0], [])
    info = read_json(run.path("model/model.json"))
    domain = uncertainty.load_domain(run.path("model"), info["hash"])
    assert domain.layers == tuple(info["layers"])
    assert domain.n == sum(member["n_positive"] + member["n_negative"] for member in info["members"])
    assert domain.outside(domain.sample.T).max() == 0
    assert domain.novelty(domain.sample.T).max() == 0


def test_a_second_run_writes_nothing_and_says_the_same(
    district: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    run = start(district[0], told)
    monkeypatch.setattr(Domain, "novelty", lambda *_: pytest.fail("novelty is computed again"), raising=True)
    monkeypatch.setattr(layers, "domain_group", _without_tree(layers.domain_group))
    stages.predict_volume(run)
    lines = [line for line in district[1].splitlines() if "extrapolated" in line or "farther from" in line]
    assert lines
    assert all(line in told for line in lines)


def _without_tree(make):  # type: ignore[no-untyped-def]
    """The group without the call that makes the tree before threads share it."""

    def made(evidence, domain, key):  # type: ignore[no-untyped-def]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Domain, "novelty", lambda *_: None)
            return make(evidence, domain, key)

    return made


def test_a_domain_of_another_model_makes_the_model_be_fitted_again(
    district: tuple[Path, str], tmp_path: Path
) -> None:
    shutil.copytree(district[0].parent, tmp_path / "copy")
    told: list[str] = []
    run = start(tmp_path / "copy" / "study.toml", told)
    shutil.copy(run.path("model_forest/domain.safetensors"), run.path("model/domain.safetensors"))
    assert not companions.has_domain(run.path("model"))
    stages.fit_models(run)
    assert companions.has_domain(run.path("model"))
    text = "\n".join(told)
    assert "forest: fitted already" in text
    assert "logistic: fitted already" not in text


def test_chances_come_from_left_out_ranks_and_are_missed_in_a_sentence(
    district: tuple[Path, str], tmp_path: Path
) -> None:
    shutil.copytree(district[0].parent, tmp_path / "copy")
    path = tmp_path / "copy" / "study.toml"
    text = path.read_text(encoding="utf-8").replace('models = "all"', "")
    path.write_text(text + '\n[validate]\ncalibration = "isotonic"\n', encoding="utf-8")
    told: list[str] = []
    run = start(path, told)
    stages.predict_volume(run)
    assert any("calibration = 'isotonic' needs the ranks of left-out deposits" in line for line in told)
    assert "calibrated" not in storage.group(run.path("prospectivity.zarr"), "r")
    ranks = {name: [0.001, 0.004, 0.3, 0.01] for name in (deposit.name for deposit in run.known)}
    kept = {"ranks": {"logistic": ranks}, "settings": {"logistic": {"kind": "logistic", "members": 99}}}
    run.path("comparison.json").write_text(json.dumps(kept))
    told.clear()
    stages.predict_volume(start(path, told))
    assert any("by the model as it is now" in line for line in told)
    run.path("comparison.json").write_text(json.dumps({"ranks": {"logistic": ranks}}))
    stages.predict_volume(start(path, told))
    found = storage.group(run.path("prospectivity.zarr"), "r")
    chance, percentile = found["calibrated"][:].ravel(), found["percentile"][:].ravel()
    order = np.argsort(percentile)
    risen = chance[order][~np.isnan(chance[order])]
    assert (np.diff(risen) >= 0).all()
    assert 0 < risen[-1] < 1
    # one deposit of their mean size is expected in the volume
    size = np.mean([len(deposit.cells) for deposit in run.known])
    assert risen.sum() == pytest.approx(size, rel=0.05)
    for deposit in run.known:
        assert np.isnan(found["calibrated"][:][tuple(deposit.cells.T)]).all()
    assert any("They hold if one deposit like those is hidden" in line for line in told)
    assert uncertainty.Calibration.from_json(run.path("calibration_logistic.json").read_text()).method


def test_a_model_fitted_again_takes_its_agreement_away(district: tuple[Path, str], tmp_path: Path) -> None:
    shutil.copytree(district[0].parent, tmp_path / "copy")
    told: list[str] = []
    run = start(tmp_path / "copy" / "study.toml", told)
    shutil.rmtree(run.path("prospectivity_forest.zarr"))
    companions.compare_models(run)
    assert "agreement" not in storage.group(run.path("prospectivity.zarr"), "r")
    assert any("agreement: removed" in line for line in told)


def test_a_model_that_the_study_does_not_have_is_told(district: tuple[Path, str]) -> None:
    with pytest.raises(StudyError, match=r"the study has no model 'dl4', it has 'logistic', 'forest'"):
        stages.predict_volume(start(district[0], []), model="dl4")
