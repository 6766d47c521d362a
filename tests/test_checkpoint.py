"""An interrupted fit goes on from its last epoch and ends where an uninterrupted one ends."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mpm3d.models import checkpoint as room
from mpm3d.models import make
from mpm3d.models.checkpoint import FILE_NAME
from mpm3d.models.networks import RCNNLAM

LAYERS = ("a", "b")
SETTINGS = {
    "epochs": 4, "batch_size": 16, "device": "cpu", "layer_dropout": 0.2, "offset": 0.3, "noise": 0.1,
    "blend": 0.5, "flips": True, "rotations": True, "weight_decay": 0.01, "patience": 3,
}  # fmt: skip


def _data(n=40, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n, dtype=np.int64) % 2
    patches = rng.normal(size=(n, 2, 3, 3, 3)) + labels[:, None, None, None, None]
    return patches.astype(np.float32), labels


@pytest.fixture(autouse=True)
def _often(monkeypatch):
    monkeypatch.setattr(room, "_EVERY", 0.0)


class _Stop(KeyboardInterrupt):
    pass


def _fit(
    folder, *, stop_at=None, kind="dl4", data=None, validation=True, seed=5, bits=np.random.PCG64, **more
):
    """Fit, and return the estimator, the epochs shown, and the generator."""
    shown, rng = [], np.random.Generator(bits(seed))

    def progress(done, total, words):
        shown.append(done)
        if done == stop_at:
            raise _Stop

    settings = SETTINGS | more
    estimator = make(kind, LAYERS, **settings)
    patches, labels = data or _data()
    size = estimator.patch_shape[0] // 2
    middle = (..., *[slice(1 - size, 2 + size)] * 3)
    held = _data(seed=1)
    estimator.fit(
        patches[middle], labels, rng=rng, validation=(held[0][middle], held[1]) if validation else None,
        progress=progress, checkpoint=folder,
    )  # fmt: skip
    return estimator, shown, rng


def _interrupt(folder, stop_at=2, **more):
    with pytest.raises(_Stop):
        _fit(folder, stop_at=stop_at, **more)
    assert (folder / FILE_NAME).is_file()


def _told(history):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in history]


def _assert_same(one, other):
    (estimator, _, rng), (again, _, rng_again) = one, other
    for name, value in estimator.network_.state_dict().items():
        assert torch.equal(value, again.network_.state_dict()[name]), name
    assert _told(estimator.history_) == _told(again.history_)
    assert rng.random() == rng_again.random()


@pytest.mark.parametrize(
    ("kind", "validation"),
    [("dl4", True), ("cbam", True), ("dl1", False), ("devnet", True), ("devnet", False)],
)
def test_an_interrupted_fit_ends_bit_for_bit_like_one_that_was_not(tmp_path, kind, validation):
    folder = tmp_path / "kept"
    _interrupt(folder, kind=kind, validation=validation)
    again = _fit(folder, kind=kind, validation=validation)
    assert again[1][:2] == [2, 3]  # where it stood, and the epoch after
    _assert_same(_fit(None, kind=kind, validation=validation), again)
    assert not folder.exists()


def test_a_fit_can_be_interrupted_again_and_again(tmp_path):
    for epoch in (1, 2, 3):
        _interrupt(tmp_path, stop_at=epoch, kind="devnet")
    _assert_same(_fit(None, kind="devnet"), _fit(tmp_path, kind="devnet"))


def test_a_fit_that_had_ended_ends_again(tmp_path):
    _interrupt(tmp_path, stop_at=4, kind="devnet")
    again = _fit(tmp_path, kind="devnet")
    assert again[1] == [4]
    _assert_same(_fit(None, kind="devnet"), again)


@pytest.mark.parametrize("bits", [np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_other_random_generators_go_on_too(tmp_path, bits):
    _interrupt(tmp_path, kind="devnet", bits=bits)
    _assert_same(_fit(None, kind="devnet", bits=bits), _fit(tmp_path, kind="devnet", bits=bits))


@pytest.mark.parametrize(
    "other",
    [
        {"learning_rate": 0.002},
        {"offset": 0.0},
        {"epochs": 5},
        {"seed": 6},
        {"data": _data(seed=9)},
        {"validation": False},
        {"kind": "dl1"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_what_another_fit_left_is_not_taken_over_but_replaced(tmp_path, other):
    _interrupt(tmp_path, kind="devnet")
    before = (tmp_path / FILE_NAME).read_bytes()
    another = {"kind": "devnet"} | other
    _interrupt(tmp_path, stop_at=1, **another)  # it begins with epoch 1
    assert (tmp_path / FILE_NAME).read_bytes() != before
    _assert_same(_fit(None, **another), _fit(tmp_path, **another))


def test_another_version_does_not_go_on(tmp_path, monkeypatch):
    _interrupt(tmp_path, kind="devnet")
    monkeypatch.setattr(room, "versions", lambda: {"mpm3d": "next"})
    assert _fit(tmp_path, kind="devnet")[1] == [1, 2, 3, 4]


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "rubbish"])
def test_a_torn_file_is_ignored(tmp_path, damage):
    _interrupt(tmp_path, kind="devnet")
    path = tmp_path / FILE_NAME
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(
        {
            "cut": content[:middle],
            "changed": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "empty": b"",
            "rubbish": b"\x80\x04." * 50,
        }[damage]
    )
    again = _fit(tmp_path, kind="devnet")
    assert again[1] == [1, 2, 3, 4]
    _assert_same(_fit(None, kind="devnet"), again)


def test_states_are_kept_from_the_first_epoch_on_and_then_only_now_and_then(tmp_path, monkeypatch):
    now, written = iter(range(0, 600, 4)), []
    monkeypatch.setattr(room, "_EVERY", 10.0)
    monkeypatch.setattr(room.time, "monotonic", lambda: float(next(now)))
    monkeypatch.setattr(room, "bytes_of", lambda tensors: written.append(1) or b"")
    _fit(tmp_path, kind="devnet", epochs=8, patience=8)
    # Asked at 0 and written at 4; asked at 8 and 12; asked at 16, 12 later, and written at 20; and so on.
    assert len(written) == 3


def test_nothing_else_in_the_folder_is_touched(tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    _interrupt(tmp_path, kind="devnet")
    _fit(tmp_path, kind="devnet")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_state_holds_no_code(tmp_path):
    _interrupt(tmp_path, kind="devnet")
    content = (tmp_path / FILE_NAME).read_bytes()
    size = int.from_bytes(content[:8], "little")
    assert content[8:9] == b"{"  # safetensors: a length, JSON, and numbers
    assert size < len(content)
    assert RCNNLAM.weights_name != FILE_NAME
