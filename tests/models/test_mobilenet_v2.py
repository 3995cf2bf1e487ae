"""Against torchvision's MobileNetV2, at several widths, and with another block in the default's place."""

import pytest
import torch
import torchvision
from torch import nn

from course_lib import models
from tests.models import small_networks
from tests.models.torchvision_weights import assert_same_as_torchvision


def test_same_output_as_torchvision_with_its_weights():
    assert_same_as_torchvision("mobilenet_v2", torch.randn(2, 3, 65, 98, generator=torch.Generator().manual_seed(0)))


def test_docstring():
    small_networks.assert_docstring_counts("mobilenet_v2", 224)


@pytest.mark.parametrize("width", [0.25, 0.35, 0.5, 0.75, 1.0, 1.3, 1.4])
def test_widths_as_torchvision_scales_them(width):
    with torch.device("meta"):
        ours = models.mobilenet_v2(width=width).state_dict()
        theirs = torchvision.models.mobilenet_v2(width_mult=width).state_dict()
    assert {key: value.shape for key, value in ours.items()} == {key: value.shape for key, value in theirs.items()}


class Inverted(nn.Module):
    def __init__(self, inputs, outputs, stride, expand_ratio):
        super().__init__()
        hidden = inputs * expand_ratio
        self.adds = stride == 1 and inputs == outputs
        self.expand = nn.Sequential()
        if expand_ratio > 1:
            self.expand = nn.Sequential(nn.Conv2d(inputs, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6())
        self.filter = nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False)
        self.norm = nn.BatchNorm2d(hidden)
        self.project = nn.Sequential(nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.project(self.norm(self.filter(self.expand(x))).clamp(0, 6))
        return x + y if self.adds else y


@pytest.mark.parametrize("name", ["mobilenet_v2", "small_mobilenet_v2"])
def test_an_own_block_takes_the_defaults_place(name):
    default, own = getattr(models, name)().eval(), getattr(models, name)(block=Inverted).eval()
    assert any(isinstance(m, Inverted) for m in own.modules())
    for ours, theirs in zip(own.parameters(), default.parameters(), strict=True):
        ours.data.copy_(theirs)
    x = torch.randn(2, 3, 40, 33)
    with torch.no_grad():
        torch.testing.assert_close(own(x), default(x))


def test_own_rounding_is_plugged_in():
    with torch.device("meta"):
        model = models.mobilenet_v2(width=0.3, rounded=round)
    assert model.features[0][0].out_channels == 10 and model.classifier[1].in_features == 1280


def test_small_docstring():
    small_networks.assert_docstring_counts("small_mobilenet_v2", 32)


def test_small_takes_pictures():
    small_networks.assert_takes_pictures("small_mobilenet_v2", ((32, 32), (33, 47), (1, 1)), width=4)


def test_small_widths():
    small_networks.assert_width_scales("small_mobilenet_v2", (8, 16, 32))


def test_small_learns():
    small_networks.assert_learns_a_batch("small_mobilenet_v2", width=4)
