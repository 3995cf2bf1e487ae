"""Against torchvision's DenseNets and the paper's growth of channels."""

import pytest
import torch

from course_lib import models
from tests.models import small_networks
from tests.models.torchvision_weights import assert_same_as_torchvision

DEPTHS = {"densenet121": (6, 12, 24, 16), "densenet169": (6, 12, 32, 32), "densenet201": (6, 12, 48, 32)}


@pytest.mark.parametrize("name", DEPTHS)
def test_same_output_as_torchvision_with_its_weights(name):
    assert_same_as_torchvision(name, torch.randn(1, 3, 33, 50, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("name", DEPTHS)
def test_docstrings(name):
    small_networks.assert_docstring_counts(name, 224)


@pytest.mark.parametrize("name", DEPTHS)
def test_channels_grow_as_in_table_1(name):
    with torch.device("meta"):
        model = getattr(models, name)()
    channels = 64
    for index, depth in enumerate(DEPTHS[name]):
        channels += 32 * depth
        if index < 3:
            channels //= 2
    assert model.classifier.in_features == channels
    assert name == f"densenet{4 + 2 * sum(DEPTHS[name]) + 1}"  # stem and 3 transitions, 2 a layer, the classifier


def test_a_layer_reads_all_before_it_and_its_input_passes_through():
    block = models.small_densenet(width=4).features.denseblock1.eval()
    x = torch.randn(2, 8, 5, 6)
    y = block(x)
    assert y.shape == (2, 8 + 3 * 4, 5, 6)
    assert torch.equal(y[:, :8], x)
    torch.testing.assert_close(y[:, 12:16], block.denselayer2(y[:, :12]))


def test_least_pictures():
    small_networks.assert_least_picture("densenet121", 29)
    small_networks.assert_least_picture("small_densenet", 7)


def test_small_docstring():
    small_networks.assert_docstring_counts("small_densenet", 32)


def test_small_takes_pictures():
    small_networks.assert_takes_pictures("small_densenet", ((32, 32), (33, 47), (7, 7)), width=4)


def test_small_widths():
    small_networks.assert_width_scales("small_densenet", (8, 16, 32))


def test_small_learns():
    small_networks.assert_learns_a_batch("small_densenet", width=4)
