"""Against torchvision's SqueezeNets."""

import pytest
import torch
from torch import nn

from course_lib import models
from tests.models import small_networks
from tests.models.torchvision_weights import assert_same_as_torchvision

NAMES = ("squeezenet1_0", "squeezenet1_1")


@pytest.mark.parametrize("name", NAMES)
def test_same_output_as_torchvision_with_its_weights(name):
    assert_same_as_torchvision(name, torch.randn(2, 3, 65, 98, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("name", NAMES)
def test_docstrings(name):
    small_networks.assert_docstring_counts(name, 224)


@pytest.mark.parametrize(("name", "size"), [("squeezenet1_0", 21), ("squeezenet1_1", 17), ("small_squeezenet", 7)])
def test_least_pictures(name, size):
    small_networks.assert_least_picture(name, size)


class Fire(nn.Module):
    """Written another way: one convolution per branch, activated together."""

    def __init__(self, inputs, squeeze, expand1x1, expand3x3):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.one = nn.Conv2d(squeeze, expand1x1, 1)
        self.three = nn.Conv2d(squeeze, expand3x3, 3, padding=1)

    def forward(self, x):
        x = self.squeeze(x).relu()
        return torch.cat([self.one(x), self.three(x)], 1).relu()


@pytest.mark.parametrize("name", [*NAMES, "small_squeezenet"])
def test_an_own_fire_module_takes_the_place_of_torchvisions(name):
    theirs, ours = getattr(models, name)().eval(), getattr(models, name)(block=Fire).eval()
    assert sum(isinstance(m, Fire) for m in ours.modules()) == (4 if name.startswith("small") else 8)
    for own, given in zip(ours.parameters(), theirs.parameters(), strict=True):
        own.data.copy_(given)
    x = torch.randn(2, 3, 40, 33)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x))


def test_small_docstring():
    small_networks.assert_docstring_counts("small_squeezenet", 32)


def test_small_takes_pictures():
    small_networks.assert_takes_pictures("small_squeezenet", ((32, 32), (33, 47), (7, 7)), width=4)


def test_small_widths():
    small_networks.assert_width_scales("small_squeezenet", (8, 16, 32))


def test_small_learns():
    small_networks.assert_learns_a_batch("small_squeezenet")


def test_an_odd_width_is_refused():
    with pytest.raises(ValueError, match="must be even, not 7"):
        models.small_squeezenet(width=7)
