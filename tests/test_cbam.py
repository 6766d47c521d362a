"""CBAM in 3D: gates against plain code, the fast way against stock convolutions."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from mpm3d.models import make
from mpm3d.models.cbam import CBAMNet, WideSpatialGate, taps_by_position
from mpm3d.models.patch_conv import by_position, use_stock
from mpm3d.models.patch_fast import engine_of


def _gate(kernel=(3, 3, 3)):
    torch.manual_seed(0)
    return WideSpatialGate(kernel).double()


def _slow_gate(gate, z):
    """The formula with a stock convolution padded by 3."""
    pooled = torch.stack([z.mean(dim=1), z.max(dim=1).values], dim=1)
    padding = tuple(size // 2 for size in gate.conv.kernel_size)
    return z * torch.sigmoid(nn.functional.conv3d(pooled, gate.conv.weight, gate.conv.bias, padding=padding))


@pytest.mark.parametrize("shape", [(3, 3, 3), (1, 3, 5), (5, 3, 3), (7, 9, 7), (1, 1, 1)])
def test_taps_that_meet_padding_only_are_left_out_without_a_difference(shape):
    gate, z = _gate(), torch.randn(4, 8, *shape, dtype=torch.float64)
    torch.testing.assert_close(gate(z), _slow_gate(gate, z))


def test_planar_gates_are_flat():
    gate, z = _gate((1, 3, 3)), torch.randn(4, 8, 3, 5, 3, dtype=torch.float64)
    assert gate.conv.kernel_size == (1, 7, 7)
    torch.testing.assert_close(gate(z), _slow_gate(gate, z))


def test_by_position_the_gate_and_its_gradients_are_those_of_the_stock_convolution():
    gate = _gate()
    other = copy.deepcopy(gate)
    z = torch.randn(6, 8, 3, 3, 3, dtype=torch.float64)
    one, two = z.clone().requires_grad_(), z.clone().requires_grad_()
    fast = gate.on_positions(by_position(one)).permute(1, 2, 0).reshape(z.shape)
    slow = _slow_gate(other, two)
    torch.testing.assert_close(fast, slow)
    (fast**2).sum().backward()
    (slow**2).sum().backward()
    torch.testing.assert_close(one.grad, two.grad)
    torch.testing.assert_close(gate.conv.weight.grad, other.conv.weight.grad)
    torch.testing.assert_close(gate.conv.bias.grad, other.conv.bias.grad)


def test_outer_taps_get_no_gradient_on_small_patches():
    gate = _gate()
    gate(torch.randn(2, 8, 3, 3, 3, dtype=torch.float64)).sum().backward()
    met = gate.conv.weight.grad[0, 0] != 0
    assert met[1:6, 1:6, 1:6].all()
    assert met.sum() == 125


def test_each_cell_reaches_each_other_through_the_tap_of_their_distance():
    weight = torch.arange(2 * 343.0).reshape(1, 2, 7, 7, 7)
    matrix = taps_by_position(weight).reshape(3, 3, 3, 2, 3, 3, 3)
    # from cell (2, 0, 1) to cell (0, 1, 1): two down, one back along y
    assert matrix[0, 1, 1, 1, 2, 0, 1] == weight[0, 1, 3 + 2, 3 - 1, 3]


@pytest.mark.parametrize("blocks", [1, 2])
def test_the_network_and_its_gradients_are_those_of_stock_convolutions(blocks):
    torch.manual_seed(1)
    network = CBAMNet(3, blocks=blocks).double()
    stock = copy.deepcopy(network)
    use_stock(stock)
    patches = torch.randn(5, 3, 3, 3, 3, dtype=torch.float64)
    for one in (network, stock):
        (one(patches) ** 2).sum().backward()
    torch.testing.assert_close(network(patches), stock(patches))
    for (name, fast), slow in zip(network.named_parameters(), stock.parameters(), strict=True):
        torch.testing.assert_close(fast.grad, slow.grad, msg=name)


def test_blocks_weigh_channels_first_and_positions_after():
    torch.manual_seed(2)
    network = CBAMNet(2, blocks=1).double()
    block, x = network.blocks[0], torch.randn(3, 64, 3, 3, 3, dtype=torch.float64)
    h = torch.relu(nn.functional.conv3d(x, block.conv1.weight, block.conv1.bias, padding=1))
    y = nn.functional.conv3d(h, block.conv2.weight, block.conv2.bias, padding=1)
    first, second = block.channel_gate.shared[0], block.channel_gate.shared[2]
    assert first.out_features == 128 // 16
    mean, most = y.flatten(2).mean(dim=2), y.flatten(2).max(dim=2).values
    gate = torch.sigmoid(sum(second(torch.relu(first(pooled))) for pooled in (mean, most)))
    z = nn.functional.conv3d(y * gate[:, :, None, None, None], block.projection.weight, block.projection.bias)
    shortcut = nn.functional.conv3d(h, block.shortcut.weight, block.shortcut.bias)
    expected = torch.relu(shortcut + _slow_gate(block.spatial_gate, z))
    torch.testing.assert_close(block(x), expected)


def test_the_engine_of_rcnn_lam_keeps_off():
    assert engine_of(CBAMNet(3), (3, 3, 3)) is None


def test_a_planar_network_takes_one_cell_along_z():
    assert CBAMNet(2, planar=True)(torch.zeros(4, 2, 1, 3, 3)).shape == (4, 2)
    with pytest.raises(ValueError, match=r"a patch of \(1, 3, 3\) cells .* is smaller than the kernels"):
        make("cbam", ("a",), patch_shape=(1, 3, 3)).fit(
            np.zeros((2, 1, 1, 3, 3)), np.array([0, 1]), rng=np.random.default_rng(0)
        )


def test_three_blocks_are_too_many():
    with pytest.raises(ValueError, match="CBAM has 1 or 2 blocks, not 3"):
        CBAMNet(2, blocks=3)


def test_scores_are_the_softmax_of_the_network():
    rng = np.random.default_rng(0)
    patches, labels = rng.normal(size=(30, 2, 3, 3, 3)).astype(np.float32), np.arange(30) % 2
    estimator = make("cbam", ("a", "b"), blocks=1, epochs=1, device="cpu").fit(patches, labels, rng=rng)
    use_stock(estimator.network_)
    with torch.no_grad():
        logits = estimator.network_(torch.tensor(estimator.scaling_.standardise(patches)))
    expected = torch.softmax(logits, dim=1)[:, 1].numpy()
    use_stock(estimator.network_, False)
    np.testing.assert_allclose(estimator.score_samples(patches), expected, atol=1e-6)
