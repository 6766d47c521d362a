"""The compiled network against the stock one, and when it is used."""

from __future__ import annotations

import copy
import logging
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from sklearn.base import clone

from mpm3d.models import load, make, patch_fast, save
from mpm3d.models.patch_conv import factors, use_stock
from mpm3d.models.patch_fast import compiled, engine_of
from mpm3d.models.rcnn_lam import ResidualAttentionNet

pytest.importorskip("numba")
from mpm3d.models import patch_kernels, patch_vectors
from mpm3d.models.patch_engine import BATCH, Engine

DL = {"dl1": (1, False), "dl2": (2, False), "dl3": (1, True), "dl4": (2, True)}


def _network(name="dl4", n_layers=7):
    torch.manual_seed(0)
    blocks, attention = DL[name]
    return ResidualAttentionNet(n_layers, blocks=blocks, attention=attention).eval()


def _patches(n, n_layers=7, seed=0):
    return np.random.default_rng(seed).normal(size=(n, n_layers, 3, 3, 3)).astype(np.float32)


def _stock(network, patches):
    use_stock(network)
    with torch.inference_mode():
        logits = network(torch.from_numpy(patches)).numpy()
    use_stock(network, False)
    return logits


def _fitted():
    patches, labels = _patches(32, 2), np.arange(32) % 2
    return make("dl4", ("a", "b"), epochs=1, device="cpu").fit(patches, labels, rng=np.random.default_rng(0))


@pytest.mark.parametrize("matrix", [0, 1, 2])
def test_butterflies_are_the_matrices(matrix):
    m = factors()[matrix].numpy()
    m = m.T if matrix == 2 else m
    x, y = np.random.default_rng(0).normal(size=(3, 5)), np.random.default_rng(1).normal(size=(4, 5))
    np.testing.assert_allclose(patch_vectors.widen(m.tolist(), x), m @ x, atol=1e-14)
    np.testing.assert_allclose(patch_vectors.narrow(m.tolist(), y), m.T @ y, atol=1e-14)


def test_a_step_along_three_axes_is_the_kronecker_product():
    m = factors()[1].numpy()
    x = np.random.default_rng(0).normal(size=27)
    found = patch_vectors.along_axes(lambda v: patch_vectors.widen(m.tolist(), v), list(x))
    np.testing.assert_allclose(np.array(found, float), np.kron(np.kron(m, m), m) @ x, atol=1e-13)


@pytest.mark.parametrize("samples", [1, 5, 12, 31])
@pytest.mark.parametrize("shared", [False, True])
def test_products_are_numpys_for_any_number_of_rows(samples, shared):
    rng, panel = np.random.default_rng(0), patch_vectors.PANEL
    a = rng.normal(size=(3, samples, 48)).astype(np.float32)
    b = rng.normal(size=(1 if shared else 3, 40, 64)).astype(np.float32)
    out = np.zeros((3, samples, 64), np.float32)
    panels = np.ascontiguousarray(b.reshape(len(b), 40, -1, panel).swapaxes(1, 2))
    patch_kernels.multiply(a, panels, out, 0, samples)
    # columns of a beyond the rows of b are left out
    np.testing.assert_allclose(out, a[:, :, :40] @ b, rtol=1e-4, atol=1e-4)


def test_the_gate_is_a_sigmoid_to_float32_and_finite_far_out():
    sums = np.linspace(-120, 120, 64 * 101, dtype=np.float32).reshape(101, 64)
    y = np.ones((27, 101, 64), np.float32)
    patch_kernels.gate(y, sums, np.zeros(64, np.float32), 0, 101)
    expected = 1 / (1 + np.exp(-sums.astype(np.float64)))
    np.testing.assert_allclose(y[0], expected, rtol=5e-7, atol=1e-37)
    assert (y == y[0]).all()


@pytest.mark.parametrize("name", DL)
@pytest.mark.parametrize("n", [1, BATCH - 1, BATCH, 2 * BATCH + 5])
def test_the_engine_gives_stock_logits(name, n):
    network, patches = _network(name), _patches(n)
    expected = _stock(network, patches)
    np.testing.assert_allclose(Engine(network).logits(patches), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("n_layers", [1, 16, 17, 40])
def test_any_number_of_layers_is_served(n_layers):
    network, patches = _network("dl3", n_layers), _patches(7, n_layers)
    np.testing.assert_allclose(Engine(network).logits(patches), _stock(network, patches), atol=1e-6)


def test_no_patches_give_no_scores():
    assert Engine(_network()).logits(_patches(0)).shape == (0, 2)


def test_what_was_scored_before_leaves_no_trace():
    engine, few = Engine(_network()), _patches(3)
    expected = engine.logits(few)
    engine.logits(1000 * _patches(100, seed=9))
    assert np.array_equal(engine.logits(few), expected)


def test_threads_at_once_give_what_one_gives():
    engine, parts = Engine(_network()), [_patches(70, seed=seed) for seed in range(12)]
    expected = [engine.logits(part) for part in parts]
    with ThreadPoolExecutor(4) as pool:
        for found, right in zip(pool.map(engine.logits, parts), expected, strict=True):
            assert np.array_equal(found, right)


def test_weights_are_transformed_once_and_again_after_they_have_changed():
    network, patches = _network(), _patches(4)
    first = engine_of(network, (3, 3, 3))
    assert engine_of(network, (3, 3, 3)) is first
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    network(torch.from_numpy(patches)).sum().backward()
    optimiser.step()
    second = engine_of(network, (3, 3, 3))
    assert second is not first
    # logits are about 10 by now, and float32 holds 7 digits
    np.testing.assert_allclose(second.logits(patches), _stock(network, patches), rtol=1e-5, atol=1e-5)
    network.load_state_dict(_network().state_dict())
    assert np.array_equal(engine_of(network, (3, 3, 3)).logits(patches), first.logits(patches))


def test_an_estimator_that_has_scored_is_still_copied_pickled_cloned_and_saved(tmp_path):
    estimator, patches = _fitted(), _patches(9, 2)
    expected = estimator.score_samples(patches)
    save(estimator, tmp_path)
    copies = (copy.deepcopy(estimator), pickle.loads(pickle.dumps(estimator)), load(tmp_path))
    for other in copies:
        assert np.array_equal(other.score_samples(patches), expected)
    assert not hasattr(clone(estimator), "network_")
    assert set(vars(estimator)) == set(vars(_fitted()))


def test_networks_that_it_was_not_written_for_go_without():
    assert engine_of(_network(), (3, 5, 3)) is None
    assert engine_of(ResidualAttentionNet(7, planar=True), (3, 3, 3)) is None
    assert engine_of(_network().double(), (3, 3, 3)) is None
    assert engine_of(torch.nn.Linear(2, 2), (3, 3, 3)) is None
    network = _network()
    use_stock(network)
    assert engine_of(network, (3, 3, 3)) is None


def test_scores_are_the_same_without_numba(monkeypatch):
    estimator, patches = _fitted(), _patches(300, 2)
    fast = estimator.score_samples(patches)
    monkeypatch.setattr(patch_fast, "compiled", lambda name: None)
    np.testing.assert_allclose(estimator.score_samples(patches), fast, rtol=0, atol=1e-6)
    use_stock(estimator.network_)
    np.testing.assert_allclose(estimator.score_samples(patches), fast, rtol=0, atol=1e-6)


@pytest.fixture
def fresh():
    """Ask anew whether the loops compile, now and after the test."""
    compiled.cache_clear()
    yield
    compiled.cache_clear()


def test_a_compiler_that_fails_is_one_line_in_the_log_and_torch_takes_over(fresh, monkeypatch, caplog):
    def broken():
        raise SystemError("LLVM is unwell\nand more of it")

    monkeypatch.setattr("mpm3d.models.patch_engine.try_out", broken)
    with caplog.at_level(logging.WARNING):
        assert compiled("patch_engine") is None
        assert engine_of(_network(), (3, 3, 3)) is None
    assert [record.getMessage() for record in caplog.records] == [
        "The compiled loops of patch_engine cannot be used here (SystemError: LLVM is unwell), "
        "torch takes over. Results are the same, slower."
    ]


def test_numba_that_is_missing_is_nothing_to_speak_of(fresh, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "mpm3d.models.patch_training", None)
    assert compiled("patch_training") is None
    assert not caplog.records


def test_code_on_disk_is_not_used_once_any_of_its_sources_has_changed():
    own = patch_kernels.expand._cache
    if own is None or not hasattr(own, "_cache_file"):
        pytest.skip("nothing is kept on disk here")
    assert own._cache_file._source_stamp[1] == patch_kernels.fingerprint()
    assert len(patch_kernels.fingerprint()) == 64
    # an index under another fingerprint counts as empty
    patch_kernels.expand(np.zeros((27, 1, 64), np.float32), np.zeros((64, 1, 64), np.float32), 0, 1)
    stamp = own._cache_file._source_stamp
    assert own._cache_file._load_index()
    own._cache_file._source_stamp = (stamp[0], "other")
    try:
        assert own._cache_file._load_index() == {}
    finally:
        own._cache_file._source_stamp = stamp


def test_trying_the_compiler_draws_no_random_numbers(fresh):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    compiled("patch_engine")
    compiled("patch_training")
    assert torch.equal(torch.rand(3), expected)
