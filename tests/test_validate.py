from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    f1_score,
    roc_auc_score,
)

from mpm3d import evaluate, models
from mpm3d.grid import Grid
from mpm3d.samples import Samples
from mpm3d.splits import shared_cells, split_random, training_set
from mpm3d.validate import COLUMNS, Settings, blocks, forget, refusals, validate

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


def unseen(samples, places):
    """Background cells that are not among the places of training."""
    background = np.flatnonzero(samples.label == 0)
    return background[cKDTree(places).query(samples.xyz[background])[0] > 1]


class Signal(Fixed):
    """Scores by the first layer, whatever it was fitted on."""

    def __init__(self, seen=None):
        self.seen = [] if seen is None else seen

    def fit(self, patches, labels, *, groups, rng, validation=None, progress=None, checkpoint=None):
        self.keep(patches, groups, validation)
        return self

    def score_samples(self, patches):
        return patches[:, 0, 0, 0, 0]


class Memory(Fixed):
    """Knows the places of the training cells and nothing else."""

    def __init__(self, seen=None):
        self.seen = [] if seen is None else seen

    def fit(self, patches, labels, *, groups, rng, validation=None, progress=None, checkpoint=None):
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


SETTINGS = Settings(stand_off=200.0, schemes=("random", "deposit"))


def test_ranks_of_a_left_out_deposit_are_those_among_the_background_that_was_not_trained_on(samples):
    seen = []
    settings = Settings(stand_off=200.0, schemes=("deposit",))
    found = validate(samples, {"signal": lambda: Signal(seen)}, settings=settings, seed=1)
    scores = samples.patches[:, 0, 0, 0, 0]
    areas, precisions = [], []
    for name, (places, _, _) in zip(CORNERS, seen, strict=True):
        own, background = scores[samples.group == name], scores[unseen(samples, places)]
        expected = [(background > s).mean() + (background == s).mean() / 2 for s in own]
        np.testing.assert_allclose(found.ranks["signal"][name], expected, atol=1e-12)
        truth, both = np.r_[np.ones(len(own)), np.zeros(len(background))], np.r_[own, background]
        areas.append(roc_auc_score(truth, both))
        precisions.append(average_precision_score(truth, both))
    table = found.table.set_index(["scheme", "metric"])
    row = table.loc[("deposit", "auc")]
    assert row["mean"] == pytest.approx(np.mean(areas))
    assert row[["low", "high"]].isna().all()  # one repeat has no interval
    assert (row["n"], row["n_of"], row["optimistic"]) == (1, "repeats, 3 deposits", False)
    assert table.loc[("deposit", "average precision"), "mean"] == pytest.approx(np.mean(precisions))
    inside = evaluate.capture(found.ranks["signal"], [0.02])
    assert table.loc[("deposit", "capture@0.02"), "mean"] == pytest.approx(inside.deposits[0])
    assert table.loc[("deposit", "capture of cells@0.02"), "mean"] == pytest.approx(inside.cells[0])
    medians = [np.median(found.ranks["signal"][name]) for name in CORNERS]
    assert table.loc[("deposit", "median_rank"), "mean"] == pytest.approx(np.mean(medians))
    where = evaluate.crossing(evaluate.pa_curve(found.ranks["signal"]))
    assert found.crossings["signal"] == where
    assert table.loc[("deposit", "P-A crossing"), "mean"] == where.volume
    assert table.loc[("deposit", "P-A density"), "mean"] == where.density
    assert list(found.table.columns) == list(COLUMNS)
    assert found.n_reference == (samples.label == 0).sum()
    each = found.deposits.set_index("deposit")
    assert each.loc[list(CORNERS), "auc"].tolist() == pytest.approx(areas)
    assert each.loc[list(CORNERS), "median_rank"].tolist() == pytest.approx(medians)
    assert (each["cells"] == 48).all()


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
    expected["brier"] = brier_score_loss(label, scores)
    assert {row["metric"]: row["mean"] for row in found.rows} == pytest.approx(expected)
    assert all(row["optimistic"] and row["scheme"] == "random" for row in found.rows)
    assert found.shared == {"random": (shared_cells(samples, train, test), len(test))}
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
    assert f"Ranks are taken against {(samples.label == 0).sum()} background cells (at least " in said


def test_early_stopping_in_the_random_split_looks_at_training_samples_only(samples):
    for stopping, share in (("deposit", 0.85), ("none", 1.0)):
        seen = []
        settings = Settings(200.0, stopping=stopping, schemes=("random",))
        found = validate(samples, {"s": lambda seen=seen: Stopping(seen)}, settings=settings, seed=1)
        places, _, validation = seen[0]
        assert len(places) == round(share * round(0.7 * 288))
        assert (validation is None) == (stopping == "none")
        assert ("random part" in found.folds[0]["note"]) == (stopping == "deposit")
        assert found.shared["random"][1] == 288 - round(0.7 * 288)


def test_with_the_population_the_left_out_cells_count_with_their_due_weight(samples):
    thin = samples.take(np.r_[0:144, 144 : len(samples) : 10])
    n = len(samples) - 144
    settings = Settings(200.0, ratio=0.3, population=n, schemes=("deposit",))
    seen = []
    found = validate(thin, {"s": lambda: Signal(seen)}, settings=settings, seed=1)
    scores = thin.patches[:, 0, 0, 0, 0]
    for name, (places, _, _) in zip(CORNERS, seen, strict=True):
        own, background = scores[thin.group == name], scores[unseen(thin, places)]
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
        validate(samples, {"forest": stopping}, settings=replace(SETTINGS, **changed), seed=1,
                 folder=tmp_path / "folds")  # fmt: skip
    assert len(calls) == 13
    shown = replace(SETTINGS, shares=(0.5,), repeats=1, population=10_000)
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
    validate(samples, {"f": _forest}, settings=SETTINGS, seed=1, progress=lambda *a: seen.append(a))
    assert seen[-1] == (400, 400, "f, without South")
    assert [done for done, *_ in seen] == sorted(done for done, *_ in seen)


def test_a_deviation_has_no_accuracy_because_half_is_no_threshold_of_it(samples):
    class Deviation(Signal):
        kind = "deviation"

    found = validate(samples, {"d": Deviation}, settings=Settings(200.0, schemes=("random",)), seed=1)
    assert [row["metric"] for row in found.rows] == ["auc"]
    assert "accuracy" not in found.paragraph()


def test_no_crossing_is_said(samples):
    found = validate(samples, {"s": Signal}, settings=SETTINGS, seed=1)
    assert "P-A crossing at" in found.paragraph()
    worst = [replace(o, ranks={n: np.ones_like(r) for n, r in o.ranks.items()}) for o in found.outcomes]
    none = replace(found, outcomes=tuple(worst))
    assert none.crossings == {"s": None}
    assert "no P-A crossing" in none.paragraph()
    assert np.isnan(none.value("s", "deposit", "P-A crossing"))


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
        ValueError, match=r"schemes \('cubes',\) are not known, use any of 'random', 'block', 'deposit'"
    ):
        Settings(schemes=("cubes",))
    with pytest.raises(ValueError, match="0 repeats are not possible, at least 1 is needed"):
        Settings(repeats=0)
    with pytest.raises(ValueError, match="negatives is 'known', choose 'unaware' or 'published'"):
        Settings(negatives="known")


def test_repeats_have_other_negatives_and_give_a_mean_with_its_interval(samples):
    seen = []
    settings = Settings(stand_off=200.0, schemes=("random", "deposit"), repeats=4)
    found = validate(samples, {"m": lambda: Memory(seen)}, settings=settings, seed=1)
    assert len(seen) == 16
    assert len({places.tobytes() for places, _, _ in seen}) == 16
    once = validate(samples, {"m": Memory}, settings=replace(settings, repeats=1), seed=1)
    row = {r["metric"]: r for r in found.rows if r["scheme"] == "deposit"}["auc"]
    each = []
    for repeat in range(4):
        part = [o for o in found.outcomes if o.repeat == repeat and o.scheme == "deposit"]
        each.append(np.mean([1 - ranks.mean() for o in part for ranks in o.ranks.values()]))
    assert each[0] == pytest.approx(once.value("m", "deposit", "auc"))
    assert row["mean"] == pytest.approx(np.mean(each))
    assert row["low"] == pytest.approx(np.quantile(each, 0.05))
    assert row["high"] == pytest.approx(np.quantile(each, 0.95))
    assert row["n"] == 4
    assert "over 4 repeats)" in found.paragraph()
    pooled = evaluate.crossing(evaluate.pa_curve(found.ranks["m"]))
    assert found.value("m", "deposit", "P-A crossing") == pooled.volume
    assert all(len(ranks) == 4 * 48 for ranks in found.ranks["m"].values())


BLOCKS = Settings(stand_off=200.0, schemes=("block",), folds=2, buffer=150.0)


def test_a_block_is_ranked_in_itself_by_what_is_learned_beyond_its_buffer(samples):
    seen = []
    found = validate(samples, {"s": lambda: Signal(seen)}, settings=BLOCKS, seed=1)
    scores = samples.patches[:, 0, 0, 0, 0]
    drawn = blocks(samples, BLOCKS, seed=1)
    assert [fold["fold"] for fold in found.folds] == [block.name for block in drawn]
    areas = {}
    for block, (places, _, _) in zip(drawn, seen, strict=True):
        assert cKDTree(samples.xyz[block.test]).query(places)[0].min() >= 150
        background = scores[block.test][samples.label[block.test] == 0]
        for name in set(samples.group[block.test]) - {""}:
            own = scores[block.test][samples.group[block.test] == name]
            ranks = [(background > s).mean() + (background == s).mean() / 2 for s in own]
            areas.setdefault(name, []).append((len(own), 1 - np.mean(ranks)))
    each = [np.average([a for _, a in part], weights=[n for n, _ in part]) for part in areas.values()]
    assert found.value("s", "block", "auc") == pytest.approx(np.mean(each))
    assert found.shared["block"] == (0, sum(len(block.test) for block in drawn))
    assert not any(row["optimistic"] for row in found.rows)
    said = found.paragraph()
    assert "Testing on 2 spatial blocks, with 150 m between them and the training samples" in said
    assert f"0 of {len(samples)} test patches share cells with training patches." in said
    assert sum(len(ranks) for ranks in found.ranks["s"].values()) == 144


def test_a_reference_is_what_ranks_are_taken_against_and_is_never_trained_on(samples):
    rng = np.random.default_rng(2)
    background = np.flatnonzero(samples.label == 0)
    reference = rng.permutation(background)[:1000]
    source = samples.source.astype("<U10")
    source[reference] = "reference"
    marked = replace(samples, source=source)
    seen = []
    settings = Settings(stand_off=200.0, folds=2, buffer=150.0)
    found = validate(marked, {"m": lambda: Memory(seen)}, settings=settings, seed=1)
    assert found.n_reference == 1000
    for places, _, _ in seen:
        assert cKDTree(samples.xyz[reference]).query(places)[0].min() > 1
    counts = [(o.scheme, o.n_reference) for o in found.outcomes]
    assert [n for scheme, n in counts if scheme == "deposit"] == [1000] * 3
    assert sum(n for scheme, n in counts if scheme == "block") == 1000
    assert "Ranks are taken against 1000 background cells." in found.paragraph()


def test_a_split_that_leaks_is_called_optimistic_whichever_it_is(samples):
    found = validate(samples, {"s": Signal}, settings=BLOCKS, seed=1)
    leaking = tuple(replace(one, shared=(7, one.shared[1])) for one in found.outcomes)
    leaks = replace(found, outcomes=leaking)
    assert all(row["optimistic"] for row in leaks.rows)
    assert leaks.deposits["optimistic"].all()
    assert leaks.optimistic == {"block": True}
    assert "test patches share cells with training patches, so these numbers are optimistic." in (
        leaks.paragraph()
    )


def test_a_random_split_that_shares_no_cell_is_optimistic_all_the_same(samples):
    points = replace(samples.cropped((1, 1, 1)), spacing=None)
    found = validate(points, {"s": Signal}, settings=Settings(200.0, schemes=("random",)), seed=1)
    assert found.shared["random"][0] == 0
    assert all(row["optimistic"] for row in found.rows)
    assert "None of its 86 test patches shares cells with training patches, but they lie among them" in (
        found.paragraph()
    )


def test_a_block_whose_buffer_leaves_no_positive_is_refused_with_the_distances_before_any_fit(samples):
    seen = []
    far = replace(BLOCKS, buffer=5000.0)
    with pytest.raises(ValueError, match=r"the block scheme is not possible: .*5000 m"):
        validate(samples, {"s": lambda: Signal(seen)}, settings=far, seed=1)
    assert not seen
    both = replace(far, schemes=("random", "block", "deposit"))
    assert list(refusals(samples, both, seed=1)) == ["block"]
    alone = samples.take((samples.label == 0) | (samples.group == "East"))
    few = Settings(stand_off=200.0, schemes=("deposit",))
    assert "needs at least 2 known deposits, there is 1" in refusals(alone, few, seed=1)["deposit"]
    away = Settings(stand_off=50_000.0, schemes=("deposit",))
    with pytest.raises(ValueError, match=r"the deposit scheme is not possible: without North: .*50000 m"):
        validate(samples, {"s": Signal}, settings=away, seed=1)


def test_a_scheme_that_is_not_possible_can_be_left_out_with_its_reason(samples):
    far = replace(BLOCKS, buffer=5000.0, schemes=("random", "block"))
    found = validate(samples, {"s": Signal}, settings=far, seed=1, lenient=True)
    assert found.schemes == ("random",)
    assert "Left out: the block scheme is not possible: block 1 of 2" in found.paragraph()
    with pytest.raises(ValueError, match="the block scheme is not possible"):
        validate(samples, {"s": Signal}, settings=replace(far, schemes=("block",)), seed=1, lenient=True)


def test_where_nothing_can_be_held_back_to_stop_on_only_models_that_stop_early_lose_the_scheme(samples):
    # two cells of one deposit are left to train on when the other is left out
    tiny = np.flatnonzero(samples.group == "North")[:1]
    two = samples.take(np.r_[tiny, np.flatnonzero((samples.group == "East") | (samples.label == 0))])
    settings = Settings(stand_off=200.0, schemes=("random", "deposit"))
    found = validate(two, {"a": Signal, "b": Stopping}, settings=settings, seed=1, lenient=True)
    assert {one.model for one in found.outcomes if one.scheme == "deposit"} == {"a"}
    assert "Left out: b: the deposit scheme is not possible: without East" in found.paragraph()
    with pytest.raises(ValueError, match="b: the deposit scheme is not possible: without East"):
        validate(two, {"b": Stopping}, settings=settings, seed=1)


def test_a_fit_that_fails_says_which_model_and_fold(samples):
    class Failing(Signal):
        def fit(self, *arrays, **more):
            raise ValueError("the loss is not a number. Lower the learning rate.")

    settings = Settings(200.0, schemes=("deposit",))
    with pytest.raises(ValueError, match=r"^f, without North: the loss is not a number"):
        validate(samples, {"f": Failing}, settings=settings, seed=1)


def test_published_negatives_keep_away_from_the_left_out_deposit_and_carry_their_name(samples):
    seen = []
    settings = Settings(stand_off=200.0, schemes=("deposit",), negatives="published")
    found = validate(samples, {"m": lambda: Memory(seen)}, settings=settings, seed=1)
    for name, (places, _, _) in zip(CORNERS, seen, strict=True):
        assert cKDTree(samples.xyz[samples.group == name]).query(places)[0].min() >= 200
    assert found.schemes == ("deposit, published negatives",)
    assert "as published, which tells a model where the test ore is" in found.paragraph()
    assert set(found.ranks["m"]) == set(CORNERS)


def test_deposits_of_a_known_style_and_of_a_new_one_are_told_apart(samples):
    styled = replace(samples, styles={"North": "vein", "East": "vein", "South": "skarn"})
    settings = Settings(stand_off=200.0, schemes=("deposit",))
    found = validate(styled, {"s": Signal}, settings=settings, seed=1)
    area = evaluate.auc(found.ranks["s"]).each
    rows = {row["metric"]: row for row in found.rows}
    assert rows["auc same style"]["mean"] == pytest.approx((area["North"] + area["East"]) / 2)
    assert rows["auc same style"]["n_of"] == "repeats, 2 deposits"
    assert rows["auc new style"]["mean"] == pytest.approx(area["South"])
    assert rows["capture@0.02 new style"]["n_of"] == "repeats, 1 deposit"
    each = found.deposits.set_index("deposit")["training_has_style"]
    assert each.to_dict() == {"North": "yes", "East": "yes", "South": "no"}
    assert "for the 2 deposits of whose style another is known: s 0." in found.paragraph()
    bare = validate(samples, {"s": Signal}, settings=settings, seed=1)
    assert not any("style" in row["metric"] for row in bare.rows)


def test_brier_and_reliability_take_as_much_background_as_held_out_ore(samples):
    settings = Settings(stand_off=200.0, schemes=("deposit",))
    found = validate(samples, {"s": Signal}, settings=settings, seed=1)
    labels, scores = found.held_out("s", "deposit")
    assert labels.mean() == 0.5
    assert found.value("s", "deposit", "brier") == pytest.approx(brier_score_loss(labels, scores), abs=1e-6)
    own = samples.patches[samples.label == 1, 0, 0, 0, 0]
    np.testing.assert_array_equal(np.sort(scores[labels == 1]), np.sort(own))
    background = samples.patches[samples.label == 0, 0, 0, 0, 0]
    drawn = np.sort(scores[labels == 0])
    expected = np.quantile(background, (np.arange(144) + 0.5) / 144)
    assert np.abs(drawn - expected).max() < 0.1
    assert found.reliability("deposit")["s"].n.sum() == 288

    class Deviation(Signal):
        kind = "deviation"

    other = validate(samples, {"d": Deviation}, settings=settings, seed=1)
    assert other.reliability("deposit") == {}
    assert np.isnan(other.value("d", "deposit", "brier"))


def test_models_agree_as_far_as_they_rank_the_reference_alike(samples):
    class Opposite(Signal):
        def score_samples(self, patches):
            return 1 - patches[:, 0, 0, 0, 0]

    settings = Settings(stand_off=200.0, schemes=("random", "deposit"), repeats=2)
    one = validate(samples, {"a": Signal, "b": Signal}, settings=settings, seed=1)
    both = one.joined([validate(samples, {"c": Opposite}, settings=settings, seed=1)])
    assert both.models == ("a", "b", "c")
    found = {(row["model"], row["with"]): (row["spearman"], row["n"]) for row in both.agreement}
    assert found[("a", "b")] == (pytest.approx(1.0), 6)
    assert found[("a", "c")] == (pytest.approx(-1.0), 6)
    assert {row["scheme"] for row in both.agreement} == {"deposit"}
    said = "agree by a Spearman correlation of -1.00 (a and c) to 1.00 (a and b)."
    assert said in both.paragraph()


def test_folds_of_one_model_can_be_forgotten_and_those_of_others_stay(tmp_path, samples):
    settings = Settings(stand_off=200.0, schemes=("deposit",))
    validate(samples, {"a": Signal, "b": Signal}, settings=settings, seed=1, folder=tmp_path)
    forget(tmp_path, "a")
    assert {path.name.split("-")[0] for path in tmp_path.glob("*.npz")} == {"b"}
    seen = []
    validate(samples, {"b": lambda: Signal(seen)}, settings=replace(settings, repeats=2), seed=1,
             folder=tmp_path)  # fmt: skip
    assert not any(path.suffix == ".part" for path in tmp_path.iterdir())
    assert len(list(tmp_path.glob("b-*.npz"))) == 3 + len(seen) == 6


def test_a_model_without_a_score_anywhere_in_the_fold_is_not_hidden(samples):
    class Blank(Signal):
        def score_samples(self, patches):
            return np.full(len(patches), 0.5)

    found = validate(samples, {"b": Blank}, settings=SETTINGS, seed=1)
    assert found.value("b", "deposit", "auc") == pytest.approx(0.5)  # all ties stand at mid-rank
    assert found.value("b", "deposit", "capture@0.02") == 0


def _field(values):
    """Samples of 12 blobs of ore in a cube of 24³ cells, with one layer that knows nothing of them."""
    grid = Grid((24, 24, 24), (50.0, 50.0, 50.0), (0.0, 0.0, 0.0), "EPSG:32651")
    rng, group = np.random.default_rng(11), np.zeros(grid.shape, dtype="<U6")
    for number in range(12):
        z, y, x = rng.integers(0, 20, size=3)
        group[z : z + 4, y : y + 4, x : x + 4] = f"ore {number}"
    names, n = group.ravel(), grid.n_cells
    rows = np.r_[np.flatnonzero(names != ""), rng.permutation(np.flatnonzero(names == ""))[:6000]]
    source = np.where(names[rows] != "", "deposit", "background").astype("<U10")
    source[-3000:] = "reference"
    return Samples(
        patches=values.reshape(n, -1)[rows].astype(np.float32)[:, :, None, None, None],
        label=(names[rows] != "").astype(np.int8), group=names[rows], xyz=grid.points()[rows],
        source=source, layers=tuple(f"layer_{i}" for i in range(values.reshape(n, -1).shape[1])),
        spacing=grid.spacing,
    )  # fmt: skip


def _trees(samples, **settings):
    return models.make("forest", samples.layers, n_estimators=20, max_features=1, **settings)


def test_noise_is_worth_nothing_under_every_scheme():
    noise = _field(np.random.default_rng(1).normal(size=(24**3, 3)))
    settings = Settings(stand_off=100.0, folds=3, buffer=100.0, repeats=4)
    found = validate(noise, {"f": lambda: _trees(noise)}, settings=settings, seed=2)
    for scheme in ("random", "block", "deposit"):
        assert abs(found.value("f", scheme, "auc") - 0.5) < 0.05, scheme


def test_a_smooth_field_without_relation_to_ore_looks_good_at_random_and_honest_in_space():
    rng = np.random.default_rng(3)
    smooth = np.stack([gaussian_filter(rng.normal(size=(24, 24, 24)), 3) for _ in range(4)], axis=-1)
    field = _field(smooth)
    settings = Settings(stand_off=100.0, folds=3, buffer=100.0, repeats=2)
    found = validate(field, {"f": lambda: _trees(field, max_depth=12)}, settings=settings, seed=2)
    assert found.value("f", "random", "auc") > 0.9
    assert found.value("f", "block", "auc") < 0.7
    assert found.value("f", "deposit", "auc") < 0.7
