"""What networks cost: torch's counter against hand counts and the paper's figures."""

from __future__ import annotations

import pytest

from mpm3d.models import make
from mpm3d.models.cost import PUBLISHED, cost_of
from mpm3d.models.rcnn_lam import flops

LAYERS = ("granodiorite", "dykes", "ne_faults", "nw_faults", "density", "susceptibility", "resistivity")
# blocks, and whether they have attention
DL = {"dl1": (1, False), "dl2": (2, False), "dl3": (1, True), "dl4": (2, True)}
# The counter sees the channel gate's network run on the mean and on the maximum; the paper counts it once.
TWICE = 2 * 2 * 128 * 8


@pytest.mark.parametrize(
    ("kind", "parameters"),
    # of true 3×3×3 kernels on 7 layers (science: counted by hand and with the paper's reading)
    [("dl1", 692_610), ("dl2", 1_372_930), ("dl3", 706_634), ("dl4", 1_400_978)],
)
def test_parameters_are_those_of_true_3d_kernels(kind, parameters):
    cost = cost_of(make(kind, LAYERS))
    blocks, attention = DL[kind]
    assert cost.parameters == parameters
    counted = flops(7, (3, 3, 3), blocks=blocks, attention=attention)
    assert cost.flops == counted + TWICE * blocks * attention


@pytest.mark.parametrize("kind", list(DL))
def test_planar_kernels_on_three_layers_give_the_published_operations(kind):
    cost = cost_of(make(kind, LAYERS[:3], planar=True, patch_shape=(1, 3, 3)))
    blocks, attention = DL[kind]
    assert cost.flops - TWICE * blocks * attention == PUBLISHED[kind].flops


@pytest.mark.parametrize("kind", list(DL))
def test_planar_kernels_on_seven_layers_give_the_published_parameters(kind):
    blocks, attention = DL[kind]
    unused = 16_512 * blocks * attention  # a pointwise convolution that the published counts hold
    planar = make(kind, LAYERS, planar=True, patch_shape=(1, 3, 3))
    assert cost_of(planar).parameters + unused == PUBLISHED[kind].parameters


def test_cbam_costs_what_its_gates_add_to_dl2():
    cbam, plain = cost_of(make("cbam", LAYERS)), cost_of(make("dl2", LAYERS))
    # channels 128 → 8 → 128 with biases; a kernel of 7³ on two maps, and its bias
    assert cbam.parameters - plain.parameters == 2 * (128 * 8 + 8 + 8 * 128 + 128 + 2 * 343 + 1)
    # 5³ of the 7³ taps meet data on 27 cells
    assert cbam.flops - plain.flops == 2 * (2 * TWICE + 2 * 27 * 2 * 125)


def test_the_deviation_network_costs_its_four_products():
    cost = cost_of(make("devnet", LAYERS))
    products = 7 * 200 + 200 * 80 + 80 * 20 + 20
    assert (cost.parameters, cost.flops) == (products + 200 + 80 + 20 + 1, 2 * products)
    on_patches = cost_of(make("devnet", LAYERS, patch_shape=(3, 3, 3)))
    assert on_patches.flops - cost.flops == 2 * 200 * 7 * 26


def test_published_scores_rise_from_the_forest_to_dl4_in_every_measure():
    forest, best = PUBLISHED["forest"], PUBLISHED["dl4"]
    for measure in ("accuracy", "auc", "f1"):
        values = [getattr(row, measure) for row in PUBLISHED.values()]
        assert min(values) == getattr(forest, measure)
        assert max(values) == getattr(best, measure)
    assert forest.flops == 77 * 255 * 3
    assert forest.parameters is None


def test_a_model_without_a_network_is_a_sentence():
    with pytest.raises(ValueError, match="model 'forest' is no network, so parameters and operations are"):
        cost_of(make("forest", LAYERS))
