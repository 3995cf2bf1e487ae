"""Against torchvision's ResNeXt networks and the paper's block."""

import pytest
import torch
from torch import nn

from course_lib import models
from tests.models import small_networks
from tests.models.torchvision_weights import assert_same_as_torchvision


@pytest.mark.parametrize("name", ["resnext50_32x4d", "resnext101_32x8d"])
def test_same_output_as_torchvision_with_its_weights(name):
    assert_same_as_torchvision(name, torch.randn(1, 3, 33, 50, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("name", ["resnext50_32x4d", "resnext101_32x8d"])
def test_docstrings(name):
    small_networks.assert_docstring_counts(name, 224)


def test_grouped_convolution_is_separate_branches():
    """Figure 3: the grouped form (c) equals branches whose outputs are concatenated (b)."""
    block = models.small_resnext(width=8, groups=4).layer2[0].eval()
    x = torch.randn(2, block.conv2.in_channels, 5, 7)
    branches = []
    for part, weight in zip(x.chunk(4, 1), block.conv2.weight.chunk(4, 0), strict=True):
        branches.append(nn.functional.conv2d(part, weight, stride=2, padding=1))
    torch.testing.assert_close(block.conv2(x), torch.cat(branches, 1))


def test_small_docstring():
    small_networks.assert_docstring_counts("small_resnext", 32)


def test_small_takes_pictures():
    small_networks.assert_takes_pictures("small_resnext", ((32, 32), (33, 47), (1, 1)), width=8)


def test_small_widths():
    small_networks.assert_width_scales("small_resnext", (8, 16, 32))


def test_small_learns():
    small_networks.assert_learns_a_batch("small_resnext", width=8)


def test_groups_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="even and a multiple of groups=8, not 12"):
        models.small_resnext(width=12)
    with pytest.raises(ValueError, match="10 inner channels do not divide into 4 groups"):
        from course_lib.models.residual_blocks import Bottleneck

        Bottleneck(8, 5, groups=4, widening=2)
