"""Bagging of positive and unlabelled cells: draws, means, archives that lie, fits that are interrupted."""

from __future__ import annotations

import json
import struct
import zipfile

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from mpm3d.models import load, make, save
from mpm3d.models.folder import sha256

LAYERS = ("density", "fault_distance")
QUICK = {"n_estimators": 6, "max_depth": 3}
NETWORK = {"epochs": 3, "batch_size": 16, "device": "cpu"}


def _samples(n_ore=20, n_unlabelled=100, shape=(1, 1, 1), seed=0):
    rng = np.random.default_rng(seed)
    labels = np.repeat([1, 0], [n_ore, n_unlabelled])
    patches = rng.normal(size=(len(labels), 2, *shape)) + 2 * labels[:, None, None, None, None]
    return patches.astype(np.float32), labels


def _fit(base="forest", settings=QUICK, *, samples=None, seed=0, groups=None, **more):
    model = make("pu", LAYERS, base=base, settings=settings, **{"bags": 3} | more)
    patches, labels = _samples(shape=model.patch_shape) if samples is None else samples
    return model.fit(patches, labels, groups=groups, rng=np.random.default_rng(seed))


class _Seen(list):
    """What the base was given, bag by bag."""


@pytest.fixture
def seen(monkeypatch):
    from mpm3d.models.forest import Forest

    found, fit = _Seen(), Forest.fit

    def watched(self, patches, labels, **given):
        found.append((patches[:, 0, 0, 0, 0].copy(), labels.copy(), given["groups"]))
        return fit(self, patches, labels, **given)

    monkeypatch.setattr(Forest, "fit", watched)
    return found


def _numbered(n_ore=8, n_unlabelled=200):
    """Samples whose first layer is their row."""
    labels = np.repeat([1, 0], [n_ore, n_unlabelled])
    patches = np.stack([np.arange(len(labels)), labels], axis=1).astype(np.float32)
    return patches[:, :, None, None, None], labels


def test_each_bag_holds_all_deposit_cells_and_as_many_unlabelled_cells_drawn_anew(seen):
    _fit(samples=_numbered(), bags=6)
    assert len(seen) == 6
    for rows, labels, _ in seen:
        assert rows[labels == 1].tolist() == list(range(8))
        assert (labels == 0).sum() == 8
        assert (rows[labels == 0] >= 8).all()
    drawn = [tuple(rows[labels == 0]) for rows, labels, _ in seen]
    assert len(set(drawn)) == 6


def test_unlabelled_cells_are_drawn_with_replacement(seen):
    _fit(samples=_numbered(20, 20), bags=2)
    for rows, labels, _ in seen:
        assert 5 < len(set(rows[labels == 0])) < 20  # 12.8 of 20 on average


def test_an_even_draw_gives_each_deposit_the_same_number(seen):
    groups = np.array(["North"] * 3 + ["South"] * 5 + [""] * 200)
    _fit(samples=_numbered(), groups=groups, even=True, bags=5)
    for _, labels, names in seen:
        assert [(names[labels == 1] == name).sum() for name in ("North", "South")] == [3, 3]
        assert (labels == 0).sum() == 6
    assert len({tuple(rows[labels == 1]) for rows, labels, _ in seen}) > 1
    with pytest.raises(ValueError, match=r"even=True draws from each deposit, fit then needs groups"):
        _fit(samples=_numbered(), even=True)


def test_a_bag_is_the_same_whatever_the_number_of_bags():
    patches, _ = _samples(seed=5)
    few, many = _fit(bags=2), _fit(bags=4)
    for one, other in zip(few.bags_, many.bags_, strict=False):
        assert np.array_equal(one.score_samples(patches), other.score_samples(patches))
    assert not np.array_equal(many.bags_[0].score_samples(patches), many.bags_[1].score_samples(patches))


def test_a_score_is_the_mean_over_bags():
    model, (patches, _) = _fit(), _samples(seed=5)
    each = np.mean([bag.score_samples(patches) for bag in model.bags_], axis=0, dtype=np.float64)
    np.testing.assert_allclose(model.score_samples(patches), each, rtol=1e-6)


def test_seeds_reproduce_the_model():
    patches, _ = _samples(seed=5)
    first, again, other = (_fit(seed=seed).score_samples(patches) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("base", "settings"),
    [
        ("forest", QUICK),
        ("boosting", {}),
        ("logistic", {}),
        ("weights", {"bins": 3}),
        ("dl1", NETWORK),
        ("devnet", NETWORK),
    ],
)
def test_any_model_may_be_bagged_saved_and_loaded(base, settings, tmp_path):
    model = _fit(base, settings, bags=2)
    patches, labels = _samples(shape=model.patch_shape, seed=3)
    scores = model.score_samples(patches)
    assert scores.dtype == np.float32
    assert roc_auc_score(labels, scores) > 0.9
    save(model, tmp_path / "one")
    again = load(tmp_path / "one")
    assert np.array_equal(again.score_samples(patches), scores)
    assert again.get_params() == model.get_params()
    assert (again.kind, again.history_, again.notes_) == (model.kind, model.history_, model.notes_)
    if not model.bags_[0].weights_name.endswith(".skops"):  # those hold the time of writing
        save(again, tmp_path / "two")
        assert sha256(tmp_path / "one" / "bags.zip") == sha256(tmp_path / "two" / "bags.zip")


def test_kind_patch_and_stopping_follow_the_base_before_the_fit():
    def told(model):
        return model.kind, model.patch_shape, model.stops_early

    assert told(make("pu", LAYERS)) == ("probability", (1, 1, 1), False)
    assert told(make("pu", LAYERS, base="dl4")) == ("probability", (3, 3, 3), True)
    assert told(make("pu", LAYERS, base="devnet")) == ("deviation", (1, 1, 1), True)
    assert told(make("pu", LAYERS, patch_shape=(3, 3, 3)))[1] == (3, 3, 3)
    assert told(make("pu", LAYERS, settings={"patch_shape": (3, 5, 5)}))[1] == (3, 5, 5)


def test_clones_have_the_same_parameters_and_are_not_fitted():
    for model in (_fit(), make("pu", LAYERS, base="dl1", settings=NETWORK, patch_shape=(1, 3, 3))):
        copy = clone(model)
        assert copy.get_params() == model.get_params()
        assert not hasattr(copy, "bags_")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bags": 0}, r"bags is 0, a whole number of at least 1 is needed. 20 is usual"),
        ({"base": "pu"}, r"base 'pu' would bag bags. Name the model to be bagged, such as 'forest'"),
        ({"base": "oracle"}, r"there is no model 'oracle'. Choose one of forest, "),
        ({"settings": {"epochs": 3}}, r"model 'forest' has no setting 'epochs'. It has "),
        (
            {"settings": {"patch_shape": [1, 1, 1]}, "patch_shape": (3, 3, 3)},
            r"patch_shape is \(3, 3, 3\) and that of the base \(1, 1, 1\), a bag and its base have the same",
        ),
    ],
)
def test_impossible_settings_are_sentences(settings, message):
    with pytest.raises(ValueError, match=message):
        _fit(samples=_samples(), **settings)


def test_a_missing_value_is_the_mean_over_all_training_cells_not_over_a_bag():
    patches, labels = _samples()
    patches[::7, 1] = np.nan
    for base in ("forest", "logistic", "weights"):
        model = _fit(base, None, samples=(patches, labels))
        missing, filled = (_samples(seed=4)[0] for _ in range(2))
        missing[:, 1], filled[:, 1] = np.nan, np.nanmean(patches[:, 1].astype(np.float64))
        assert np.array_equal(model.score_samples(missing), model.score_samples(filled))


def test_notes_of_all_bags_are_told_once_and_those_of_single_bags_summed_up():
    patches, labels = _samples()
    patches[:, 1] = 0.5
    same = "layer 'fault_distance' is 0.5 at every training cell and tells the model nothing."
    assert _fit(samples=(patches, labels)).notes_ == (same,)
    patches[119, 1] = 1.5  # one cell differs, few bags draw it
    model = _fit(samples=(patches, labels), bags=4)
    n = sum(bool(bag.notes_) for bag in model.bags_)
    assert 1 <= n <= 4
    first = [bool(bag.notes_) for bag in model.bags_].index(True) + 1
    if n == 4:
        assert model.notes_ == (same,)
    else:
        assert model.notes_ == (f"{n} of 4 bags have notes of their own, bag {first} these: {same}",)


def test_unknown_ore_among_the_unlabelled_is_found(rng):
    hidden = 30  # a tenth of the unlabelled cells are ore that nobody knows
    patches, labels = _samples(30, 270 + hidden)
    patches[-hidden:] += 2
    model = _fit(samples=(patches, labels), bags=15)
    scores = model.score_samples(patches[30:])
    assert roc_auc_score(np.arange(300) >= 270, scores) > 0.93


def test_history_is_the_mean_over_bags():
    model = _fit("dl1", NETWORK, bags=2)
    assert [row["epoch"] for row in model.history_] == [1, 2, 3]
    for epoch, row in enumerate(model.history_):
        losses = [bag.history_[epoch]["loss"] for bag in model.bags_]
        assert row["loss"] == pytest.approx(np.mean(losses))
        assert row["bags"] == 2
    assert _fit().history_ == []


def test_cells_to_stop_on_reach_every_bag():
    held = _samples(8, 8, shape=(3, 3, 3), seed=9)
    model = make("pu", LAYERS, base="dl1", settings=NETWORK, bags=2)
    model.fit(*_samples(shape=(3, 3, 3)), rng=np.random.default_rng(0), validation=held)
    assert all(row["validation_auc"] is not None for bag in model.bags_ for row in bag.history_)


def test_progress_runs_over_the_steps_of_all_bags():
    def calls(base, settings):
        model, found = make("pu", LAYERS, base=base, settings=settings, bags=2), []
        samples = _samples(shape=model.patch_shape)
        model.fit(*samples, rng=np.random.default_rng(0), progress=lambda *call: found.append(call[:2]))
        return found

    assert calls("forest", QUICK) == [(1, 2), (2, 2)]
    assert calls("dl1", NETWORK) == [(i, 6) for i in range(1, 7)]


class _StoppedError(Exception):
    pass


def test_an_interrupted_fit_keeps_its_finished_bags_and_ends_as_if_it_had_not_been(tmp_path):
    samples, folder = _samples(shape=(3, 3, 3)), tmp_path / "unfinished"

    def fit(progress=None, seed=0):
        model = make("pu", LAYERS, base="dl1", settings=NETWORK, bags=3)
        rng = np.random.default_rng(seed)
        return model.fit(*samples, rng=rng, progress=progress, checkpoint=folder)

    def stop(done, total, *words):
        if done == 5:
            raise _StoppedError

    with pytest.raises(_StoppedError):
        fit(stop)
    assert (folder / "bag_000" / "model.json").is_file()
    calls = []
    resumed = fit(lambda done, total, *words: calls.append((done, total)))
    assert calls[0] == (1, 3)  # the first bag is there
    assert not folder.exists()
    whole = _fit("dl1", NETWORK, samples=samples)
    assert np.array_equal(resumed.score_samples(samples[0]), whole.score_samples(samples[0]))
    with pytest.raises(_StoppedError):
        fit(stop)
    (folder / "bag_000" / "weights.safetensors").write_bytes(b"cut")
    assert np.array_equal(fit().score_samples(samples[0]), whole.score_samples(samples[0]))
    with pytest.raises(_StoppedError):
        fit(stop)
    other = fit(seed=1)  # bags of another fit are not taken over
    expected = _fit("dl1", NETWORK, samples=samples, seed=1)
    assert np.array_equal(other.score_samples(samples[0]), expected.score_samples(samples[0]))


def _repacked(path, change, compression=zipfile.ZIP_STORED):
    """Write the archive again with other files, and let model.json vouch for it."""
    with zipfile.ZipFile(path) as archive:
        files = [(item.filename, archive.read(item)) for item in archive.infolist()]
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in change(files):
            archive.writestr(name, content)
    _vouch(path)


def _vouch(path):
    description = path.parent / "model.json"
    found = json.loads(description.read_text(encoding="utf-8"))
    found["weights"]["sha256"] = sha256(path)
    description.write_text(json.dumps(found), encoding="utf-8")


NOT_THOSE = r"its archive does not hold the 3 bags of this model and nothing else"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda files: [*files, ("../../outside.txt", b"x")], NOT_THOSE),
        (lambda files: [("../bag_000/learned.json", files[0][1]), *files[1:]], NOT_THOSE),
        (lambda files: [("/tmp/outside.txt", files[0][1]), *files[1:]], NOT_THOSE),
        (lambda files: files[:-1], NOT_THOSE),
        (lambda files: [*files[2:], *files[:2]], NOT_THOSE),
        (lambda files: [], NOT_THOSE),
        (lambda files: [(files[0][0], b"{"), *files[1:]], r"a bag of it is not readable as JSON"),
        (
            lambda files: [(files[0][0], b"[]"), *files[1:]],
            r"a bag of it does not describe what it has learned",
        ),
        (lambda files: [(files[0][0], b"{}"), *files[1:]], r"cannot be read as 'pu': 'scaling'. Fit again"),
        (lambda files: [files[0], (files[1][0], b"nothing"), *files[2:]], r"cannot be read as 'pu'"),
    ],
)
def test_archives_of_other_files_are_refused_and_nothing_is_written_outside(change, message, tmp_path):
    folder = tmp_path / "runs" / "model"
    save(_fit(), folder)
    _repacked(folder / "bags.zip", change)
    with pytest.raises(ValueError, match=message):
        load(folder)
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["bags.zip", "model.json"]


def test_a_file_that_swells_is_refused_before_it_is_read(tmp_path):
    save(_fit(), tmp_path)
    path = tmp_path / "bags.zip"
    bomb = b" " * 2_000_000
    _repacked(path, lambda files: [(files[0][0], bomb), *files[1:]], zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match=r"its archive is compressed or encrypted, bags are stored as they"):
        load(tmp_path)


def test_files_that_claim_more_than_the_archive_has_are_refused(tmp_path):
    save(_fit(), tmp_path)
    path = tmp_path / "bags.zip"
    content = bytearray(path.read_bytes())
    entry = content.rfind(b"bag_000/learned.json") - 46  # in the directory at the end
    assert content[entry : entry + 4] == b"PK\x01\x02"
    content[entry + 20 : entry + 28] = struct.pack("<II", 2**30, 2**30)  # compressed and real size
    path.write_bytes(content)
    _vouch(path)
    with pytest.raises(ValueError, match=r"its archive of \d+ bytes claims to hold more than that"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda found: found["settings"].update(bags=10**12),
            r"does not hold the 1000000000000 bags of this",
        ),
        (lambda found: found["settings"].update(base="dl1", settings=None), NOT_THOSE),
        (lambda found: found["settings"].update(base="pu"), r"base 'pu' would bag bags"),
        (lambda found: found["settings"].update(settings={"run": "me"}), r"has no setting 'run'"),
        (lambda found: found.update(notes=[1]), r"its notes are not sentences"),
        (lambda found: found.update(history=[1]), r"its history is not a list of epochs"),
    ],
)
def test_forged_json_is_refused(change, message, tmp_path):
    save(_fit(), tmp_path)
    description = tmp_path / "model.json"
    found = json.loads(description.read_text(encoding="utf-8"))
    change(found)
    description.write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load(tmp_path)
