"""Members of an ensemble: what each may see, and the folder they are kept in."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from mpm3d import fit
from mpm3d.fit import ensemble_score, fit_members, load_members, save_members
from mpm3d.models import load, make, save
from mpm3d.samples import Samples
from mpm3d.splits import shared_cells

LAYERS = ("density", "fault_distance")
SPACING = (50.0, 50.0, 50.0)
CORNERS = {"north": (4, 30, 6), "south": (4, 4, 6), "east": (20, 10, 30), "west": (20, 30, 30)}
SIZE = (3, 3, 6)
STAND_OFF = 300.0


class Spy:
    """An estimator that keeps what it was given."""

    kind, name, stops_early, weights_name = "probability", "forest", True, "forest.skops"
    layers, notes_, history_ = LAYERS, (), ()

    def __init__(self, patch_shape=(3, 3, 3), stops_early=True):
        self.patch_shape, self.stops_early = patch_shape, stops_early

    def fit(self, patches, labels, *, groups=None, rng, validation=None, progress=None, checkpoint=None):
        self.patches, self.labels, self.groups, self.validation = patches, labels, groups, validation
        self.draw = rng.random()
        self.history_ = [{"epoch": 1}, {"epoch": 2}]
        if progress:
            progress(1, 5, "loss 0.5")
            progress(5, 5)
        return self


@pytest.fixture(scope="module")
def samples():
    """Boxes of ore in 40³ cells; each patch holds its own number, so that it can be found again."""
    rng = np.random.default_rng(0)
    ore = {
        name: np.array(list(product(*(range(c, c + n) for c, n in zip(corner, SIZE, strict=True)))))
        for name, corner in CORNERS.items()
    }
    cells = np.concatenate(list(ore.values()))
    flat = rng.choice(40**3, 6000, replace=False)
    every = np.column_stack(np.unravel_index(flat, (40, 40, 40)))
    taken = set(map(tuple, cells.tolist()))
    background = np.array([cell for cell in every.tolist() if tuple(cell) not in taken])
    cells, n = np.concatenate([cells, background]), len(cells)
    group = np.array([name for name, own in ore.items() for _ in own] + [""] * len(background))
    patches = rng.normal(size=(len(cells), 2, 3, 3, 3))
    patches[:n] += 2
    patches[:, 0] = np.arange(len(cells))[:, None, None, None]
    return Samples(
        patches=patches.astype(np.float32),
        label=(np.arange(len(cells)) < n).astype(np.int8),
        group=group,
        xyz=(cells[:, ::-1] + 0.5) * 50.0,
        source=np.where(group == "", "background", "deposit"),
        layers=LAYERS,
        spacing=SPACING,
    )


def _rows(patches):
    middle = patches.shape[2] // 2
    return patches[:, 0, middle, middle, middle].astype(int)


def _fit(samples, known=tuple(CORNERS), factory=Spy, **settings):
    return fit_members(samples, factory, **{"known": known, "stand_off": STAND_OFF, "seed": 3} | settings)


def _distance(samples, rows, name):
    ore = samples.xyz[samples.group == name]
    return np.linalg.norm(samples.xyz[rows][:, None] - ore[None], axis=2).min(axis=1)


def test_the_deposit_stopped_on_is_not_trained_on_and_shares_no_cell(samples):
    (member,) = _fit(samples)
    train, held = _rows(member.estimator.patches), _rows(member.estimator.validation[0])
    assert member.stopped_on not in member.trained_on
    assert {*member.trained_on, member.stopped_on} == set(CORNERS)
    assert set(samples.group[train]) == {*member.trained_on, ""}
    assert set(samples.group[held]) == {member.stopped_on, ""}
    ore = held[samples.label[held] == 1]
    assert shared_cells(samples, train, ore) == 0
    assert not set(train) & set(held)
    assert member.note == f"stopped on deposit {member.stopped_on!r}, which it was not trained on."


def test_negatives_of_both_sides_keep_the_stand_off_from_every_known_deposit(samples):
    (member,) = _fit(samples, ratio=2.0)
    for patches in (member.estimator.patches, member.estimator.validation[0]):
        rows = _rows(patches)
        for name in CORNERS:
            assert _distance(samples, rows[samples.label[rows] == 0], name).min() >= STAND_OFF


def test_as_many_negatives_as_asked_for_and_equal_numbers_to_stop_on(samples):
    (member,) = _fit(samples, ratio=2.0)
    assert (member.n_positive, member.n_negative) == (3 * 54, 2 * 3 * 54)
    labels = member.estimator.validation[1]
    assert (labels.sum(), len(labels)) == (54, 108)


def test_at_most_so_many_positives_are_drawn(samples):
    (member,) = _fit(samples, max_positives=30)
    assert (member.n_positive, member.n_negative) == (30, 30)
    assert member.estimator.validation[1].sum() == 30


def test_left_out_deposits_are_neither_trained_nor_stopped_on_and_not_avoided(samples):
    known = ("north", "south", "east")
    seen = []
    for seed in range(8):
        (member,) = _fit(samples, known=known, left_out=("west",), ratio=10.0, seed=seed)
        train, held = _rows(member.estimator.patches), _rows(member.estimator.validation[0])
        both = np.concatenate([train, held])
        ore = np.flatnonzero(samples.group == "west")
        assert "west" not in samples.group[both]
        assert shared_cells(samples, both, ore) == 0
        seen.append(_distance(samples, train[samples.label[train] == 0], "west").min())
    # The fold does not know where the left-out ore is, so its negatives may come near.
    assert min(seen) < STAND_OFF


def test_a_fold_that_is_aware_keeps_the_stand_off_from_left_out_deposits_too(samples):
    for seed in range(4):
        (member,) = _fit(
            samples, known=("north", "south", "east"), left_out=("west",), ratio=10.0, seed=seed, aware=True
        )
        for patches in (member.estimator.patches, member.estimator.validation[0]):
            rows = _rows(patches)
            assert _distance(samples, rows[samples.label[rows] == 0], "west").min() >= STAND_OFF


@pytest.mark.parametrize("stopping", ["deposit", "block", "none"])
def test_a_member_knows_its_rows(samples, stopping):
    (member,) = _fit(samples, stopping=stopping)
    assert np.array_equal(member.train, _rows(member.estimator.patches))
    if stopping == "none":
        assert member.stop is None
    else:
        assert np.array_equal(member.stop, _rows(member.estimator.validation[0]))


def test_members_take_turns_in_what_they_stop_on_and_draw_their_own_negatives(samples):
    members = _fit(samples, members=5)
    assert {m.stopped_on for m in members[:4]} == set(CORNERS)
    assert members[4].stopped_on == members[0].stopped_on
    assert len({m.seed for m in members}) == 5
    negatives = [frozenset(_rows(m.estimator.patches)) for m in members]
    assert len(set(negatives)) == 5


def test_a_seed_repeats_members_whatever_their_number(samples):
    def seen(members):
        return [(m.seed, m.stopped_on, tuple(_rows(m.estimator.patches)), m.estimator.draw) for m in members]

    assert seen(_fit(samples, members=2)) == seen(_fit(samples, members=4))[:2]
    assert seen(_fit(samples)) != seen(_fit(samples, seed=4))


@pytest.mark.parametrize("stopping", ["deposit", "block"])
def test_fewer_than_three_deposits_stop_on_a_block_at_one_end_with_a_gap(samples, stopping):
    (member,) = _fit(samples, known=("north",), stopping=stopping)
    train, held = _rows(member.estimator.patches), _rows(member.estimator.validation[0])
    trained, ore = train[samples.label[train] == 1], held[samples.label[held] == 1]
    assert set(samples.group[ore]) == {"north"}
    assert len(ore) == round(0.28 * 54)
    # The box is longest along x: the block is one end of it, and two columns between are not used.
    x, held_x = samples.xyz[trained, 0], samples.xyz[ore, 0]
    gap = max(held_x.min() - x.max(), x.min() - held_x.max())
    assert gap >= 3 * 50
    assert shared_cells(samples, train, ore) == 0
    assert member.stopped_on == "block of north"
    few = "fewer than 3 known deposits: " if stopping == "deposit" else ""
    assert member.note == (
        f"{few}stopped on a spatial block, the outer 15 of 54 known cells along their longest axis."
    )


def test_blocks_come_from_either_end(samples):
    members = _fit(samples, known=("north",), stopping="block", members=8)
    sides = {bool(samples.xyz[_rows(m.estimator.validation[0])[:15], 0].mean() > 450) for m in members}
    assert sides == {True, False}


def test_two_deposits_are_one_line_of_ore_to_a_block(samples):
    (member,) = _fit(samples, known=("north", "south"))
    # They lie one behind the other along y and are 3 cells wide there, so the outer 28 % belong to one of
    # them, and the gap of a patch takes the rest of it.
    stopped, trained = member.stopped_on.removeprefix("block of "), member.trained_on
    assert {stopped, *trained} == {"north", "south"}
    assert member.estimator.validation[1].sum() == 30


def test_without_stopping_all_deposits_and_epochs_are_used(samples):
    (member,) = _fit(samples, stopping="none")
    assert member.estimator.validation is None
    assert member.trained_on == tuple(CORNERS)
    assert member.stopped_on == ""
    assert member.note == "trained for all 2 epochs without early stopping."


def test_two_hundred_epochs_are_labelled_as_published(samples):
    class Long(Spy):
        def fit(self, *args, **kwargs):
            super().fit(*args, **kwargs)
            self.history_ = [{}] * 200
            return self

    (member,) = _fit(samples, factory=Long, stopping="none")
    assert member.note == "trained for all 200 epochs without early stopping, the published setting."


def test_models_that_do_not_stop_early_are_trained_on_all_deposits(samples):
    (member,) = _fit(samples, factory=lambda: Spy(stops_early=False))
    assert member.estimator.validation is None
    assert member.trained_on == tuple(CORNERS)


def test_smaller_patches_are_cropped_and_the_draw_stays_the_same(samples):
    (large,) = _fit(samples)
    (small,) = _fit(samples, factory=lambda: Spy(patch_shape=(1, 1, 1)))
    assert small.estimator.patches.shape[2:] == (1, 1, 1)
    assert np.array_equal(_rows(small.estimator.patches), _rows(large.estimator.patches))
    assert small.estimator.validation[0].shape[2:] == (1, 1, 1)


def test_progress_runs_over_all_members(samples):
    calls = []
    _fit(samples, members=2, progress=lambda *call: calls.append(call))
    assert calls == [(1, 10, "loss 0.5"), (5, 10, ""), (6, 10, "loss 0.5"), (10, 10, "")]


def test_points_without_a_grid_can_be_fitted(samples):
    table = replace(samples.cropped((1, 1, 1)), spacing=None)
    (member,) = _fit(table, factory=lambda: Spy(patch_shape=(1, 1, 1)))
    assert member.n_positive == 3 * 54


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"members": 0}, "an ensemble of 0 members is not possible"),
        ({"stopping": "luck"}, "stopping is 'luck', choose 'deposit', 'block' or 'none'"),
        ({"known": ("north", "south", "moon")}, "'moon' is not among the deposits"),
        ({"known": ()}, "no deposit is known"),
        (
            {"known": ("moon",), "stopping": "block"},
            "'moon' is not among the deposits of the samples: 'north'",
        ),
        ({"known": ("north",), "left_out": ("north",)}, "deposit 'north' is named twice in known and left"),
        ({"known": ("north", "north")}, "deposit 'north' is named twice in known and left_out, once is"),
        ({"ratio": 1000.0}, "Holding out .* to stop on can be turned off: stopping='none'"),
    ],
)
def test_impossible_requests_are_sentences(samples, settings, message):
    with pytest.raises(ValueError, match=message):
        _fit(samples, **settings)


def test_one_cell_is_too_few_for_a_block(samples):
    first = samples.take([0, *np.flatnonzero(samples.label == 0)])
    with pytest.raises(ValueError, match="1 cells of known deposits are too few to hold out a block"):
        _fit(first, known=("north",))


@pytest.fixture(scope="module")
def forests(samples):
    return _fit(samples, factory=lambda: make("forest", LAYERS, n_estimators=5), members=3)


def test_the_ensemble_is_the_mean_and_the_spread_of_its_members(samples, forests):
    patches = samples.cropped((1, 1, 1)).patches[:50]
    estimators = [m.estimator for m in forests]
    mean, spread = ensemble_score(estimators, patches)
    scores = np.array([e.score_samples(patches) for e in estimators])
    np.testing.assert_allclose(mean, scores.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(spread, scores.std(axis=0), atol=1e-6)
    assert mean.dtype == spread.dtype == np.float32
    assert not ensemble_score(estimators[:1], patches)[1].any()
    with pytest.raises(ValueError, match="an ensemble needs at least 1 member"):
        ensemble_score([], patches)


def test_a_model_folder_loads_with_identical_scores_and_what_was_said(tmp_path, samples, forests):
    info = {"units": {"density": "g/cm3", "fault_distance": "m"}, "cube_hash": "abc"}
    written = save_members(tmp_path / "model", forests, info)
    members, found = load_members(tmp_path / "model")
    patches = samples.cropped((1, 1, 1)).patches
    for member, again in zip(forests, members, strict=True):
        assert np.array_equal(member.estimator.score_samples(patches), again.score_samples(patches))
    assert found == json.loads(json.dumps(written))
    assert info.items() <= found.items()
    assert (found["model"], found["kind"], found["layers"]) == ("forest", "probability", list(LAYERS))
    assert [row["seed"] for row in found["members"]] == [m.seed for m in forests]
    assert found["members"][0]["trained_on"] == list(CORNERS)


def test_the_hash_names_the_model_and_changes_with_it(tmp_path, forests):
    first = save_members(tmp_path / "a", forests, {})["hash"]
    other = save_members(tmp_path / "b", forests[:2], {})["hash"]
    assert len(first) == 64
    assert first != other
    assert load_members(tmp_path / "a")[1]["hash"] == first


def test_fewer_members_leave_none_of_the_old_ones(tmp_path, forests):
    save_members(tmp_path, forests, {})
    save_members(tmp_path, forests[:1], {})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["member_00", "model.json"]
    assert len(load_members(tmp_path)[0]) == 1


def test_another_kind_of_model_leaves_no_old_weights(tmp_path, samples, forests):
    save_members(tmp_path, forests[:1], {})
    network = fit_members(
        samples,
        lambda: make("dl1", LAYERS, epochs=1, device="cpu"),
        known=tuple(CORNERS),
        stand_off=STAND_OFF,
        max_positives=20,
    )
    save_members(tmp_path, network, {})
    names = {p.name for p in (tmp_path / "member_00").iterdir()}
    assert names == {"model.json", "weights.safetensors"}
    (again,), _ = load_members(tmp_path)
    patches = samples.patches[:20]
    assert np.array_equal(again.score_samples(patches), network[0].estimator.score_samples(patches))


def test_folders_that_cannot_be_are_sentences(tmp_path, forests):
    with pytest.raises(ValueError, match="a model folder needs at least 1 member"):
        save_members(tmp_path / "model", [], {})
    with pytest.raises(ValueError, match="info cannot hold 'hash', 'layers', the model folder writes them"):
        save_members(tmp_path / "model", forests, {"layers": 3, "hash": 1})
    with pytest.raises(ValueError, match=r"model.json takes text, finite numbers"):
        save_members(tmp_path / "model", forests, {"share": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_folders_that_were_changed_are_sentences(tmp_path, forests):
    with pytest.raises(ValueError, match=r"is no model folder. Fit a model first"):
        load_members(tmp_path)
    save(forests[0].estimator, tmp_path / "single")
    with pytest.raises(ValueError, match=r"lists no members. Read a single model with models.load"):
        load_members(tmp_path / "single")
    save_members(tmp_path / "model", forests, {})
    with pytest.raises(ValueError, match=r"holds an ensemble. Read it with fit.load_members"):
        load(tmp_path / "model")
    member = tmp_path / "model" / "member_01" / "model.json"
    text = member.read_text(encoding="utf-8")
    member.write_text(text.replace('"n_positive": 216', '"n_positive": 999'), encoding="utf-8")
    with pytest.raises(
        ValueError, match=r"is not the file that .* was written for: it was changed, or a fit"
    ):
        load_members(tmp_path / "model")
    member.unlink()
    with pytest.raises(ValueError, match=r"member_01.* is missing"):
        load_members(tmp_path / "model")
    (tmp_path / "model" / "model.json").write_text('{"format": 1, "members": [{}]}', encoding="utf-8")
    with pytest.raises(ValueError, match=r"lists a member without folder and sha256. Fit again"):
        load_members(tmp_path / "model")


def test_a_network_stops_on_its_deposit_and_says_so_in_the_folder(tmp_path, samples):
    fitted = fit_members(
        samples,
        lambda: make("dl3", LAYERS, epochs=4, patience=1, device="cpu"),
        known=tuple(CORNERS),
        stand_off=STAND_OFF,
        max_positives=30,
        seed=1,
    )
    save_members(tmp_path, fitted, {})
    (row,) = load_members(tmp_path)[1]["members"]
    assert row["stopped_on"] == fitted[0].stopped_on in CORNERS
    assert fitted[0].estimator.history_[0]["validation_auc"] is not None
    assert fit.FEWEST_DEPOSITS == 3


class _Stop(KeyboardInterrupt):
    pass


def _ensemble(samples, folder, *, stop_at=None, kind="devnet", **settings):
    """Three networks; progress is in epochs of all of them, 3 each."""
    shown = []

    def progress(done, total, words):
        shown.append((done, words))
        if done == stop_at:
            raise _Stop

    more = {"epochs": 3, "patience": 3, "device": "cpu"} if kind == "devnet" else {"n_estimators": 3}
    members = fit_members(
        samples, lambda: make(kind, LAYERS, **more | settings), known=tuple(CORNERS), members=3,
        stand_off=STAND_OFF, progress=progress, checkpoints=folder,
    )  # fmt: skip
    return members, shown


def _same(samples, members, others):
    for one, other in zip(members, others, strict=True):
        patches = samples.cropped(one.estimator.patch_shape).patches[:100]
        assert np.array_equal(one.estimator.score_samples(patches), other.estimator.score_samples(patches))
        assert (one.seed, one.trained_on, one.stopped_on) == (other.seed, other.trained_on, other.stopped_on)
        assert (one.note, one.n_positive, one.n_negative) == (other.note, other.n_positive, other.n_negative)
        assert np.array_equal(one.train, other.train)
        assert np.array_equal(one.stop, other.stop)


def test_an_interrupted_ensemble_keeps_its_finished_members_and_goes_on(tmp_path, samples):
    folder = tmp_path / "unfinished"
    with pytest.raises(_Stop):
        _ensemble(samples, folder, stop_at=4)  # in the first epoch of the second member
    again, shown = _ensemble(samples, folder)
    assert shown[0] == (1, "kept from before")  # one part of three
    assert shown[1][0] == 4
    _same(samples, _ensemble(samples, None)[0], again)
    save_members(tmp_path / "model", again, {})


def test_members_that_do_not_train_by_epochs_are_kept_too(tmp_path, samples):
    first, _ = _ensemble(samples, tmp_path, kind="forest")
    again, shown = _ensemble(samples, tmp_path, kind="forest")
    assert [words for _, words in shown] == ["kept from before"] * 3
    _same(samples, first, again)


@pytest.mark.parametrize("change", ["settings", "values", "labels"])
def test_kept_members_of_another_fit_are_replaced(tmp_path, samples, change):
    _ensemble(samples, tmp_path, kind="forest")
    settings = {"n_estimators": 4} if change == "settings" else {}
    other = samples
    if change == "values":
        patches = samples.patches.copy()
        patches[:, 1] += 1
        other = replace(samples, patches=patches)
    if change == "labels":
        other = samples.take(np.flatnonzero((samples.group != "north") | (np.arange(len(samples)) % 2 == 0)))
    again, shown = _ensemble(other, tmp_path, kind="forest", **settings)
    assert "kept from before" not in [words for _, words in shown]
    _same(other, _ensemble(other, None, kind="forest", **settings)[0], again)


@pytest.mark.parametrize("name", ["model.json", "forest.skops"])
def test_a_kept_member_that_is_torn_is_fitted_again(tmp_path, samples, name):
    first, _ = _ensemble(samples, tmp_path, kind="forest")
    path = tmp_path / "member_01" / name
    path.write_bytes(path.read_bytes()[:-20])
    again, shown = _ensemble(samples, tmp_path, kind="forest")
    assert [words for _, words in shown].count("kept from before") == 2
    _same(samples, first, again)
