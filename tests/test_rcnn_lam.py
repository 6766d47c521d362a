"""The network against the paper: parameters, operations, and what each part computes."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mpm3d.models.patch_conv import by_position, use_stock
from mpm3d.models.rcnn_lam import Block, ChannelGate, ResidualAttentionNet, SpatialGate, flops

DL = {"dl1": (1, False), "dl2": (2, False), "dl3": (1, True), "dl4": (2, True)}


def _network(name, n_layers=7, **options):
    blocks, attention = DL[name]
    return ResidualAttentionNet(n_layers, blocks=blocks, attention=attention, **options)


def _count(network):
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("dl3", {}, 706_634),
        ("dl4", {}, 1_400_978),
        # True 3D with the extra pointwise convolution; blocks without attention have none.
        ("dl1", {"published_count": True}, 692_610),
        ("dl2", {"published_count": True}, 1_372_930),
        ("dl3", {"published_count": True}, 723_146),
        ("dl4", {"published_count": True}, 1_434_002),
        ("dl1", {"planar": True}, 242_178),
        ("dl2", {"planar": True}, 480_130),
        ("dl3", {"planar": True}, 253_898),
        ("dl4", {"planar": True}, 503_570),
        # The numbers that the paper prints for its four networks.
        ("dl1", {"planar": True, "published_count": True}, 242_178),
        ("dl2", {"planar": True, "published_count": True}, 480_130),
        ("dl3", {"planar": True, "published_count": True}, 270_410),
        ("dl4", {"planar": True, "published_count": True}, 536_594),
    ],
)
def test_parameters_are_as_many_as_the_paper_and_its_check_say(name, options, expected):
    assert _count(_network(name, **options)) == expected


@pytest.mark.parametrize(
    ("name", "published"),
    [("dl1", 4_307_584), ("dl2", 8_583_808), ("dl3", 4_479_872), ("dl4", 8_928_384)],
)
def test_operations_are_the_published_ones_for_planar_kernels_on_three_layers(name, published):
    blocks, attention = DL[name]
    assert flops(3, (1, 3, 3), blocks=blocks, attention=attention, planar=True) == published


@pytest.mark.parametrize("name", DL)
@pytest.mark.parametrize(("planar", "shape"), [(True, (1, 3, 3)), (False, (3, 3, 3)), (False, (3, 5, 3))])
def test_operations_agree_with_what_torch_counts_but_for_the_shared_gate_run_twice(name, planar, shape):
    blocks, attention = DL[name]
    network = _network(name, planar=planar).eval()
    use_stock(network)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 7, *shape))
    twice = 2 * 2 * 128 * 8 * blocks * attention
    assert counter.get_total_flops() == twice + flops(
        7, shape, blocks=blocks, attention=attention, planar=planar
    )


def test_the_unused_convolution_changes_no_output():
    torch.manual_seed(0)
    plain, padded = _network("dl4"), _network("dl4", published_count=True)
    plain.load_state_dict({k: v for k, v in padded.state_dict().items() if "unused" not in k})
    x = torch.randn(2, 7, 3, 3, 3)
    assert torch.equal(plain(x), padded(x))


def test_a_block_computes_the_equations_written_out():
    torch.manual_seed(1)
    block = Block((3, 3, 3)).double()
    x = torch.randn(3, 64, 3, 3, 3, dtype=torch.float64)
    h = block.conv1(x).clamp(min=0)
    y = block.conv2(h)
    first, _, second = block.channel_gate.shared
    f = lambda v: second(first(v).clamp(min=0))  # noqa: E731
    flat = y.flatten(2)
    y = y * torch.sigmoid(f(flat.mean(2)) + f(flat.max(2).values)).reshape(3, 128, 1, 1, 1)
    z = torch.einsum("oi,nizyx->nozyx", block.projection.weight[:, :, 0, 0, 0], y)
    z = z + block.projection.bias[:, None, None, None]
    # Means over 27 cells whatever lies on the padding; maxima over the cells of the patch only.
    nought = nn.functional.pad(z, (1,) * 6)
    low = nn.functional.pad(z, (1,) * 6, value=-torch.inf)
    cubes = [v.unfold(2, 3, 1).unfold(3, 3, 1).unfold(4, 3, 1).flatten(5) for v in (nought, low)]
    gate = block.spatial_gate
    pooled = torch.cat([cubes[0].mean(5), cubes[1].max(5).values], dim=1)
    g = torch.sigmoid(gate.pointwise(gate.depthwise(pooled)))
    expected = (block.shortcut(h) + z * g).clamp(min=0)
    torch.testing.assert_close(block(x), expected)


def test_every_parameter_that_is_used_learns():
    torch.manual_seed(0)
    network = _network("dl4", published_count=True)
    nn.functional.cross_entropy(network(torch.randn(4, 7, 3, 3, 3)), torch.tensor([0, 1, 0, 1])).backward()
    silent = {name for name, p in network.named_parameters() if p.grad is None}
    assert silent == {f"blocks.{b}.unused.{p}" for b in (0, 1) for p in ("weight", "bias")}


def test_planar_kernels_see_no_neighbour_above_or_below_until_the_mean():
    torch.manual_seed(0)
    first = _network("dl1", planar=True).first
    x = torch.zeros(1, 7, 3, 3, 3)
    changed = x.clone()
    changed[:, :, 0] = 1
    assert torch.equal(first(x)[:, :, 1:], first(changed)[:, :, 1:])


def test_no_activation_works_in_place():
    assert not any(getattr(m, "inplace", False) for m in _network("dl4").modules())
    x = torch.full((1, 7, 3, 3, 3), -1.0)
    _network("dl4")(x)
    assert (x == -1).all()


def test_gates_keep_the_shape_of_any_odd_patch():
    assert ChannelGate()(torch.zeros(2, 128, 1, 5, 3)).shape == (2, 128, 1, 5, 3)
    assert SpatialGate((1, 3, 3))(torch.zeros(2, 64, 1, 5, 3)).shape == (2, 64, 1, 5, 3)
    assert SpatialGate((3, 3, 3))(torch.zeros(2, 64, 3, 5, 3)).shape == (2, 64, 3, 5, 3)


def test_three_blocks_are_refused():
    with pytest.raises(ValueError, match="RCNN-LAM has 1 or 2 blocks, not 3"):
        ResidualAttentionNet(7, blocks=3)


def test_gates_give_the_same_by_position():
    torch.manual_seed(0)
    y, z = torch.randn(5, 128, 3, 3, 3), torch.randn(5, 64, 3, 3, 3)
    for gate, x in ((ChannelGate(), y), (SpatialGate((3, 3, 3)), z)):
        torch.testing.assert_close(gate.on_positions(by_position(x)), by_position(gate(x)))
