from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from mpm3d import evaluate, models
from mpm3d.grid import Grid
from mpm3d.samples import Samples, shared_cells, split_random, training_set
from mpm3d.validate import COLUMNS, Settings, validate

GRID = Grid((8, 24, 24), (50.0, 50.0, 50.0), (0.0, 0.0, 0.0), "EPSG:32651")
CORNERS = {"North": (2, 18, 4), "East": (3, 4, 18), "South": (1, 2, 3)}


class Fixed:
    """What every estimator of these tests has."""

    patch_shape = (1, 1, 1)
    layers = ("signal", "x", "y", "z")
    kind = "probability"
    stops_early = False
    notes_ = ()
    history_ = ()

    def keep(self, patches, groups, validation):
        self.seen.append((patches[:, 1:, 0, 0, 0].copy(), set(groups) - {""}, validation))


class Signal(Fixed):
    """Scores by the first layer, whatever it was fitted on."""

    def __init__(self, seen=None):
        self.seen = [] if seen is None else seen

    def fit(self, patches, labels, *, groups, rng, validation=None, progress=None):
        self.keep(patches, groups, validation)
        return self

    def score_samples(self, patches):
        return patches[:, 0, 0, 0, 0]


class Memory(Fixed):
    """Knows the places of the training cells and nothing else."""

    def __init__(self, seen=None):
        self.seen = [] if seen is None else seen

    def fit(self, patches, labels, *, groups, rng, validation=None, progress=None):
        self.keep(patches, groups, validation)
        place = patches[:, 1:, 0, 0, 0]
        self.near, self.far = cKDTree(place[labels == 1]), cKDTree(place[labels == 0])
        return self

    def score_samples(self, patches):
        place = patches[:, 1:, 0, 0, 0]
        near, far = self.near.query(place)[0], self.far.query(place)[0]
        return far / (near + far + 1e-9)


class Stopping(Signal):
    stops_early = True


@pytest.fixture(scope="module")
def samples():
    """Three deposits of 3 x 4 x 4 cells that the first layer marks, and every other cell as background."""
    rng = np.random.default_rng(5)
    inside = np.zeros(GRID.shape, dtype="<U5")
    for name, (z, y, x) in CORNERS.items():
        inside[z : z + 3, y : y + 4, x : x + 4] = name
    group = inside.ravel()
    xyz = GRID.points()
    signal = np.clip(rng.normal(0.3, 0.15, len(xyz)) + 0.35 * (group != ""), 0, 1)
    values = np.column_stack([signal, xyz]).astype(np.float32)
    deposits = [np.flatnonzero(group == name) for name in CORNERS]
    order = np.concatenate([*deposits, np.flatnonzero(group == "")])
    patches = np.broadcast_to(values[order][:, :, None, None, None], (len(order), 4, 3, 3, 3)).copy()
    return Samples(
        patches=patches,
        label=(group[order] != "").astype(np.int8),
        group=group[order],
        xyz=xyz[order],
        source=np.where(group[order] != "", "deposit", "background"),
        layers=Fixed.layers,
        spacing=GRID.spacing,
    )


SETTINGS = Settings(stand_off=200.0)


def test_ranks_of_a_left_out_deposit_are_those_among_the_background(samples):
    found = validate(samples, {"signal": Signal}, settings=SETTINGS, seed=1)
    scores = samples.patches[:, 0, 0, 0, 0]
    background = scores[samples.label == 0]
    for name in CORNERS:
        own = scores[samples.group == name]
        expected = [(background > s).mean() + (background == s).mean() / 2 for s in own]
        np.testing.assert_allclose(found.ranks["signal"][name], expected, atol=1e-12)
    table = found.table.set_index(["scheme", "metric"])
    each = [
        roc_auc_score(
            np.r_[np.ones(48), np.zeros(len(background))], np.r_[scores[samples.group == n], background]
        )
        for n in CORNERS
    ]
    row = table.loc[("deposit", "auc")]
    assert row[["mean", "low", "high"]].tolist() == pytest.approx([np.mean(each), min(each), max(each)])
    assert (row["n"], row["n_of"], row["optimistic"]) == (3, "deposits", False)
    inside = evaluate.capture(found.ranks["signal"], [0.02])
    assert table.loc[("deposit", "capture@0.02"), "mean"] == pytest.approx(inside.deposits[0])
    assert table.loc[("deposit", "capture of cells@0.02"), "mean"] == pytest.approx(inside.cells[0])
    medians = [np.median(found.ranks["signal"][name]) for name in CORNERS]
    assert table.loc[("deposit", "median_rank"), "mean"] == pytest.approx(np.mean(medians))
    where = evaluate.crossing(evaluate.pa_curve(found.ranks["signal"]))
    assert found.crossings["signal"] == where
    assert table.loc[("deposit", "P-A crossing"), "mean"] == where.volume
    assert list(found.table.columns) == list(COLUMNS)
    assert found.n_reference == len(background)


def test_the_random_split_is_the_published_one_and_is_called_optimistic(samples):
    seen = []
    found = validate(
        samples, {"s": lambda: Signal(seen)}, settings=Settings(200.0, schemes=("random",)), seed=1
    )
    digest = np.random.default_rng(_seed(1, "random split"))
    rows = training_set(samples, known=samples.deposits, stand_off=200.0, rng=digest)
    train, test = split_random(rows, share=0.7, rng=digest)
    scores = samples.patches[test, 0, 0, 0, 0]
    label = samples.label[test]
    expected = {
        "accuracy": accuracy_score(label, scores >= 0.5),
        "auc": roc_auc_score(label, scores),
        "f1": f1_score(label, scores >= 0.5),
    }
    assert {row["metric"]: row["mean"] for row in found.rows} == pytest.approx(expected)
    assert all(row["optimistic"] and row["scheme"] == "random" for row in found.rows)
    assert found.shared == (shared_cells(samples, train, test), len(test))
    assert len(seen[0][0]) == len(train) == round(0.7 * len(rows))
    assert found.ranks == {}


def _seed(seed, fold):
    import hashlib

    return int.from_bytes(hashlib.sha256(f"{seed}/{fold}".encode()).digest()[:4], "little")


def test_a_fold_never_sees_the_deposit_it_leaves_out_nor_cells_shared_with_it(samples):
    seen = []
    settings = Settings(stand_off=200.0, schemes=("deposit",))
    found = validate(samples, {"m": lambda: Memory(seen)}, settings=settings, seed=1)
    assert [fold["fold"] for fold in found.folds] == [f"without {name}" for name in samples.deposits]
    for name, (places, groups, _) in zip(samples.deposits, seen, strict=True):
        assert groups == set(CORNERS) - {name}
        own = samples.xyz[samples.group == name]
        apart = np.abs(places[:, None, :] - own[None]).max(axis=2) / 50
        assert apart.min() >= 3  # patches of 3 cells that share none
        others = samples.xyz[(samples.label == 1) & (samples.group != name)]
        negative = np.array([p for p in places if np.abs(others - p).max(axis=1).min() > 1])
        assert cKDTree(others).query(negative)[0].min() >= 200
    near = [
        cKDTree(samples.xyz[samples.group == name]).query(places)[0].min()
        for name, (places, _, _) in zip(samples.deposits, seen, strict=True)
    ]
    assert min(near) < 200  # the fold does not know the stand-off of the deposit it leaves out


def test_a_model_that_remembers_places_looks_good_at_random_and_not_when_deposits_are_left_out(samples):
    found = validate(samples, {"memory": Memory, "signal": Signal}, settings=SETTINGS, seed=1)
    assert found.value("memory", "random", "auc") > 0.97
    assert found.value("memory", "deposit", "auc") < 0.8
    assert found.value("signal", "deposit", "auc") > 0.9
    said = found.paragraph()
    assert "The random 7:3 split, as published, gives memory AUC" in said
    assert "test patches share cells with training patches, so these numbers are optimistic" in said
    assert "Leaving one of 3 deposits out at a time leaves this of it: memory AUC" in said
    assert "the best 2 % of the volume hold" in said
    assert found.crossings["memory"].density <= 1
    assert said.count("captured, no better than chance") == 1
    assert "With 3 deposits, differences of less than 0.2 in capture are noise." in said
    assert f"Ranks are taken against {(samples.label == 0).sum()} background cells." in said


def test_early_stopping_in_the_random_split_looks_at_training_samples_only(samples):
    for stopping, share in (("deposit", 0.85), ("none", 1.0)):
        seen = []
        settings = Settings(200.0, stopping=stopping, schemes=("random",))
        found = validate(samples, {"s": lambda seen=seen: Stopping(seen)}, settings=settings, seed=1)
        places, _, validation = seen[0]
        assert len(places) == round(share * round(0.7 * 288))
        assert (validation is None) == (stopping == "none")
        assert ("random part" in found.folds[0]["note"]) == (stopping == "deposit")
        assert found.shared[1] == 288 - round(0.7 * 288)


def test_with_the_population_the_left_out_cells_count_with_their_due_weight(samples):
    thin = samples.take(np.r_[0:144, 144 : len(samples) : 10])
    n = len(samples) - 144
    settings = Settings(200.0, ratio=0.3, population=n, schemes=("deposit",))
    found = validate(thin, {"s": Signal}, settings=settings, seed=1)
    scores = thin.patches[:, 0, 0, 0, 0]
    background = scores[thin.label == 0]
    for name in CORNERS:
        own = scores[thin.group == name]
        higher = [
            ((background > s).mean() + (background == s).mean() / 2) * n
            + ((own > s).sum() + (own == s).sum() / 2)
            for s in own
        ]
        np.testing.assert_allclose(found.ranks["s"][name], np.array(higher) / (n + 48), atol=1e-9)


def test_two_runs_of_one_seed_are_equal_and_models_share_their_folds(samples):
    seen = []
    makers = {"a": lambda: Signal(seen), "b": lambda: Signal(seen)}
    first = validate(samples, makers, settings=SETTINGS, seed=3)
    again = validate(samples, {"a": Signal}, settings=SETTINGS, seed=3)
    assert first.table.query("model == 'a'").reset_index(drop=True).equals(again.table)
    for one, other in zip(seen[:4], seen[4:8], strict=True):
        np.testing.assert_array_equal(one[0], other[0])


def test_an_interrupted_validation_goes_on_with_the_folds_it_has(tmp_path, samples):
    whole = validate(samples, {"forest": _forest}, settings=SETTINGS, seed=1)
    calls = []

    def stopping():
        estimator = _forest()
        fit = estimator.fit

        def counted(*arrays, **more):
            calls.append(1)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return fit(*arrays, **more)

        estimator.fit = counted
        return estimator

    with pytest.raises(KeyboardInterrupt):
        validate(samples, {"forest": stopping}, settings=SETTINGS, seed=1, folder=tmp_path / "folds")
    assert len(list((tmp_path / "folds").iterdir())) == 2
    found = validate(samples, {"forest": stopping}, settings=SETTINGS, seed=1, folder=tmp_path / "folds")
    assert len(calls) == 5
    assert found.table.equals(whole.table)
    assert found.folds == whole.folds
    for changed in ({"stand_off": 250.0}, {"ratio": 2.0}):
        validate(samples, {"forest": stopping}, settings=Settings(**{"stand_off": 200.0, **changed}), seed=1,
                 folder=tmp_path / "folds")  # fmt: skip
    assert len(calls) == 13
    shown = Settings(stand_off=200.0, shares=(0.5,))
    validate(samples, {"forest": stopping}, settings=shown, seed=1, folder=tmp_path / "folds")
    assert len(calls) == 13


def _forest():
    return models.make("forest", Fixed.layers, n_estimators=5)


def test_a_torn_fold_file_is_computed_again(tmp_path, samples):
    first = validate(samples, {"s": Signal}, settings=SETTINGS, seed=1, folder=tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:50])
    again = validate(samples, {"s": Signal}, settings=SETTINGS, seed=1, folder=tmp_path)
    assert again.table.equals(first.table)


def test_progress_rises_to_a_hundred_a_fold(samples):
    seen = []
    validate(samples, {"f": _forest}, settings=SETTINGS, seed=1, progress=lambda d, t: seen.append((d, t)))
    assert seen[-1] == (400, 400)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_deviation_has_no_accuracy_because_half_is_no_threshold_of_it(samples):
    class Deviation(Signal):
        kind = "deviation"

    found = validate(samples, {"d": Deviation}, settings=Settings(200.0, schemes=("random",)), seed=1)
    assert [row["metric"] for row in found.rows] == ["auc"]
    assert "accuracy" not in found.paragraph()


def test_no_crossing_is_said(samples):
    found = validate(samples, {"s": Signal}, settings=SETTINGS, seed=1)
    assert "P-A crossing at" in found.paragraph()
    none = type(found)(found.rows, found.ranks, found.curves, {"s": None}, 1, None, (), ())
    assert "no P-A crossing" in none.paragraph()


def test_what_cannot_be_compared_is_refused(samples):
    with pytest.raises(ValueError, match="there is no model to compare, give at least one"):
        validate(samples, {}, settings=SETTINGS, seed=1)
    with pytest.raises(ValueError, match="the samples have no background, so nothing can be ranked"):
        validate(samples.take(samples.label == 1), {"s": Signal}, settings=SETTINGS, seed=1)
    one = samples.take((samples.label == 0) | (samples.group == "East"))
    with pytest.raises(
        ValueError, match="leaving one deposit out needs at least 2 known deposits, there is 1"
    ):
        validate(one, {"s": Signal}, settings=SETTINGS, seed=1)
    with pytest.raises(
        ValueError, match=r"schemes \('block',\) are not known, use any of 'random', 'deposit'"
    ):
        Settings(schemes=("block",))
