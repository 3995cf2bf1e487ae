"""Counts against torchvision's MobileNetV2 and against torch's own shapes."""

import pytest
import torch
import torchvision

from course_lib import measure
from course_lib import microcontroller as mcu
from course_lib.microcontroller.chain import Chain
from course_lib.microcontroller.network import Layer, Network
from tests.microcontroller.networks import NETWORKS


@pytest.fixture(scope="module")
def published():
    return torchvision.models.mobilenet_v2()


def test_mobilenet_v2_has_torchvisions_weights(published):
    weights = sum(p.numel() for name, p in published.named_parameters() if p.ndim > 1)
    network = mcu.describe_mobilenet_v2()
    channels = sum(network.weight_shape(n)[0] for n in range(len(network.layers)) if network.weight_shape(n))
    assert network.flash_bytes() == weights + 9 * channels


@pytest.mark.parametrize("width", [0.35, 0.75, 1.4])
def test_mobilenet_v2_of_other_widths(width):
    network, theirs = mcu.describe_mobilenet_v2(width=width), torchvision.models.mobilenet_v2(width_mult=width)
    ours = [network.weight_shape(n) for n in range(len(network.layers)) if network.weight_shape(n)]
    assert [shape[0] for shape in ours] == [p.shape[0] for p in theirs.parameters() if p.ndim > 1]


def test_mobilenet_v2_has_torchvisions_macs(published):
    assert mcu.describe_mobilenet_v2().macs() == measure.count(published, torch.zeros(1, 3, 224, 224)).macs
    assert mcu.describe_mobilenet_v2().macs() == 300_774_272


@pytest.mark.parametrize("name", NETWORKS)
def test_shapes_and_macs_are_torchs(name):
    network = NETWORKS[name]()
    model = mcu.FloatNetwork(network).eval()
    height, width, channels = network.input_shape
    image = torch.zeros(1, channels, height, width)
    assert [tuple(t.permute(0, 2, 3, 1).shape[1:]) for t in model.tensors(image)] == list(network.shapes)
    assert measure.count(model, image).macs == network.macs()


def test_redistribution_keeps_all_shapes():
    plain, moved = mcu.describe_mobilenet_v2(), mcu.describe_mobilenet_v2(redistribute=True)
    assert plain.shapes == moved.shapes
    assert [layer.kernel for layer in plain.layers] != [layer.kernel for layer in moved.layers]


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (Layer("conv", (1,), 4), "may read tensors 0..0"),
        (Layer("conv", (), 4), "may read tensors 0..0"),
        (Layer("depthwise", (0,), 4), "keeps its 3 channels"),
        (Layer("add", (0,)), "two tensors of one shape"),
        (Layer("conv", (0,), 4, kernel=7), "does not fit"),
        (Layer("max_pool", (0,), kernel=2, padding=2), "does not fit"),
    ],
)
def test_impossible_layers_are_refused(layer, said):
    with pytest.raises(ValueError, match=said):
        Network((6, 6, 3), (layer,))


def test_addition_of_different_shapes_is_refused():
    with pytest.raises(ValueError, match="two tensors of one shape"):
        Chain((6, 6, 3)).conv(4).add(0).network()
