"""The convolution in 64 products against the definition and against torch's own."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from mpm3d.models import patch_fast
from mpm3d.models.patch_conv import PatchConv3d, by_position, depthwise, factors, pool, use_stock
from mpm3d.models.rcnn_lam import ResidualAttentionNet

DL = {"dl1": (1, False), "dl2": (2, False), "dl3": (1, True), "dl4": (2, True)}


@pytest.fixture(params=["compiled", "torch"])
def way(request, monkeypatch):
    """With the compiled loops, and as it is where numba is missing."""
    if request.param == "torch":
        monkeypatch.setattr(patch_fast, "compiled", lambda name: None)
    else:
        pytest.importorskip("numba")
        assert patch_fast.compiled("patch_training") is not None
    return request.param


def _pair(inputs, outputs, **options):
    torch.manual_seed(0)
    stock, fast = (kind(inputs, outputs, 3, padding=1, **options) for kind in (nn.Conv3d, PatchConv3d))
    fast.load_state_dict(stock.state_dict())
    return stock, fast


@pytest.mark.parametrize("t", [1 / 3, 4 / 9, 0.01, 0.2, 0.49])
def test_four_products_give_the_padded_correlation_along_an_axis(t):
    A, B, C = (m.numpy() for m in factors(t))
    rng = np.random.default_rng(0)
    for k, x in rng.normal(size=(50, 2, 3)):
        # taps meet the cells one back, in place and one on: numpy's "same" with the kernel as it is
        expected = np.correlate(np.pad(x, 1), k, mode="valid")
        np.testing.assert_allclose(C @ ((A @ k) * (B @ x)), expected, rtol=0, atol=1e-12)


def test_64_products_give_the_padded_correlation_in_three_axes():
    kernel, cells, result = (np.kron(np.kron(m, m), m) for m in (f.numpy() for f in factors()))
    rng = np.random.default_rng(1)
    k, x = rng.normal(size=(2, 3, 3, 3))
    padded = np.pad(x, 1)
    expected = [
        (padded[z : z + 3, y : y + 3, x0 : x0 + 3] * k).sum()
        for z, y, x0 in itertools.product(range(3), repeat=3)
    ]
    found = result @ ((kernel @ k.ravel()) * (cells @ x.ravel()))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("t", [0, 0.5, -1, 2])
def test_a_t_without_real_roots_is_a_sentence(t):
    with pytest.raises(ValueError, match=f"t is {t}, it must lie between 0 and 1/2. Use 1/3."):
        factors(t)


@pytest.mark.parametrize(("inputs", "outputs"), [(2, 5), (7, 64), (64, 128), (128, 64)])
@pytest.mark.parametrize("samples", [1, 29])
def test_values_and_gradients_are_those_of_the_stock_convolution(way, inputs, outputs, samples):
    stock, fast = _pair(inputs, outputs)
    patches = torch.randn(samples, inputs, 3, 3, 3)
    weights = torch.randn(samples, outputs, 3, 3, 3)
    seen = []
    for module in (stock, fast):
        x = patches.clone().requires_grad_()
        y = module(x)
        (y * weights).sum().backward()
        seen.append((y.detach(), x.grad, module.weight.grad, module.bias.grad))
    for expected, found in zip(*seen, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=2e-6 * float(expected.abs().max()) + 1e-6)


def test_relu_is_that_of_torch_values_and_gradients(way):
    stock, fast = _pair(64, 64)
    x = torch.randn(13, 64, 3, 3, 3)
    expected = torch.relu(stock(x))
    found = fast.on_positions(by_position(x), relu=True)
    torch.testing.assert_close(found, by_position(expected), atol=1e-5, rtol=1e-5)
    expected.sum().backward()
    found.sum().backward()
    torch.testing.assert_close(fast.weight.grad, stock.weight.grad, atol=2e-3, rtol=1e-4)


def test_gradients_are_exact_in_float64():
    module = PatchConv3d(2, 1, 3, padding=1).double()
    x = torch.randn(1, 2, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, (x,))
    assert torch.autograd.gradcheck(
        lambda w, b: torch.func.functional_call(module, {"weight": w, "bias": b}, (x.detach(),)),
        (module.weight, module.bias),
    )


def test_float64_is_computed_in_float64():
    stock, fast = (module.double() for module in _pair(64, 64))
    x = torch.randn(3, 64, 3, 3, 3, dtype=torch.float64)
    torch.testing.assert_close(fast(x), stock(x), rtol=0, atol=1e-12)


def test_a_module_without_bias_is_served(way):
    stock, fast = _pair(4, 32, bias=False)
    x = torch.randn(3, 4, 3, 3, 3)
    torch.testing.assert_close(fast(x), stock(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((2, 4, 5, 3, 3), {}),
        ((2, 4, 1, 3, 3), {}),
        ((4, 3, 3, 3), {}),
        ((0, 4, 3, 3, 3), {}),
        ((2, 4, 3, 3, 3), {"stride": 2}),
        ((2, 4, 3, 3, 3), {"groups": 2}),
        ((2, 4, 3, 3, 3), {"padding_mode": "replicate"}),
    ],
)
def test_everything_else_goes_through_the_stock_convolution(shape, options):
    stock, fast = _pair(4, 6, **options)
    x = torch.randn(shape)
    assert not fast.takes(x)
    assert torch.equal(fast(x), stock(x))


def test_wrong_channels_are_torchs_own_error():
    with pytest.raises(RuntimeError, match="expected input"):
        PatchConv3d(4, 6, 3, padding=1)(torch.zeros(2, 5, 3, 3, 3))


def test_the_state_has_the_names_of_a_stock_convolution():
    stock, fast = _pair(2, 5)
    assert list(fast.state_dict()) == list(stock.state_dict()) == ["weight", "bias"]
    assert not list(fast.buffers())


def test_stock_can_be_asked_for_and_taken_back():
    network = ResidualAttentionNet(3)
    x = torch.zeros(1, 3, 3, 3, 3)
    use_stock(network)
    assert not network.first.takes(x)
    use_stock(network, False)
    assert network.first.takes(x)


def test_pools_and_the_depthwise_convolution_are_torchs():
    torch.manual_seed(0)
    z, conv = torch.randn(5, 8, 3, 3, 3), nn.Conv3d(16, 16, 3, padding=1, groups=16, bias=False)
    both = torch.cat([nn.AvgPool3d(3, 1, 1)(z), nn.MaxPool3d(3, 1, 1)(z)], dim=1)
    torch.testing.assert_close(pool(by_position(z)), by_position(both))
    found = depthwise(by_position(both), conv.weight)
    torch.testing.assert_close(found, by_position(conv(both)), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", DL)
def test_a_whole_network_gives_stock_probabilities_and_gradients(way, name):
    torch.manual_seed(0)
    blocks, attention = DL[name]
    network = ResidualAttentionNet(7, blocks=blocks, attention=attention)
    network = network.to(memory_format=torch.channels_last_3d)
    x, labels = 2 * torch.randn(31, 7, 3, 3, 3), torch.arange(31) % 2
    seen = []
    for stock in (True, False):
        use_stock(network, stock)
        network.zero_grad()
        logits = network(x)
        nn.functional.cross_entropy(logits, labels).backward()
        seen.append((torch.softmax(logits.detach(), 1), {n: p.grad for n, p in network.named_parameters()}))
    torch.testing.assert_close(seen[1][0], seen[0][0], rtol=0, atol=1e-5)
    for parameter, expected in seen[0][1].items():
        size = float(expected.abs().max())
        torch.testing.assert_close(
            seen[1][1][parameter], expected, rtol=1e-3, atol=1e-4 * size, msg=parameter
        )
