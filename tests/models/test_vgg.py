"""Against torchvision's VGG networks and the paper's table of layers."""

import pytest
import torch
from torch import nn

from course_lib import models
from tests.models import small_networks
from tests.models.torchvision_weights import assert_same_as_torchvision

NAMES = [f"vgg{layers}{norm}" for layers in (11, 13, 16, 19) for norm in ("", "_bn")]


@pytest.mark.parametrize("name", ["vgg11", "vgg16_bn"])
def test_same_output_as_torchvision_with_its_weights(name):
    assert_same_as_torchvision(name, torch.randn(1, 3, 33, 50, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("name", NAMES)
def test_docstrings(name):
    small_networks.assert_docstring_counts(name, 224)


@pytest.mark.parametrize("name", NAMES)
def test_the_name_says_how_many_layers_have_weights(name):
    with torch.device("meta"):
        model = getattr(models, name)()
    weighted = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert f"vgg{len(weighted)}" == name.removesuffix("_bn")


def test_least_pictures():
    small_networks.assert_least_picture("small_vgg", 8)


def test_small_docstring():
    small_networks.assert_docstring_counts("small_vgg", 32)


def test_small_takes_pictures():
    small_networks.assert_takes_pictures("small_vgg", ((32, 32), (33, 47), (8, 8)), width=4)


def test_small_widths():
    small_networks.assert_width_scales("small_vgg", (8, 16, 32))


def test_small_learns():
    small_networks.assert_learns_a_batch("small_vgg", width=4)


def test_other_normalisation_is_plugged_in():
    made = []

    def norm(channels):
        made.append(channels)
        return nn.GroupNorm(2, channels)

    model = models.small_vgg(width=4, norm=norm)
    assert made == [4, 8, 16, 16]
    assert sum(isinstance(m, nn.GroupNorm) for m in model.modules()) == 4
    assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 10)


def test_none_is_no_normalisation():
    kinds = {type(m) for m in models.small_vgg(width=4, norm=None).features}
    assert kinds == {nn.Conv2d, nn.ReLU, nn.MaxPool2d}
