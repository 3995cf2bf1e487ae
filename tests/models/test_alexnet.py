"""Against torchvision's AlexNet and the original paper's sizes."""

import pytest
import torch
from torch import nn

from course_lib import models
from tests.models import small_networks
from tests.models.torchvision_weights import assert_same_as_torchvision


def test_same_output_as_torchvision_with_its_weights():
    assert_same_as_torchvision("alexnet", torch.randn(2, 3, 70, 99, generator=torch.Generator().manual_seed(0)))


def test_docstrings():
    small_networks.assert_docstring_counts("alexnet", 224)
    small_networks.assert_docstring_counts("alexnet_2012", 227)
    small_networks.assert_docstring_counts("small_alexnet", 32)


def test_the_original_has_the_papers_layers():
    """Section 3.5: kernels, and the 5th layer's 13 x 13 x 256 pooled to 6 x 6."""
    with torch.device("meta"):
        model = models.alexnet_2012()
        assert model.features(torch.zeros(1, 3, 227, 227)).shape == (1, 256, 6, 6)
    kernels = [tuple(m.weight.shape) for m in model.features if isinstance(m, nn.Conv2d)]
    assert kernels == [(96, 3, 11, 11), (256, 48, 5, 5), (384, 256, 3, 3), (384, 192, 3, 3), (256, 192, 3, 3)]


def test_response_normalisation_by_the_papers_formula():
    """Section 3.3: b_i = a_i / (2 + 1e-4 * sum of a_j^2 over j = i - 2 .. i + 2) ** 0.75."""
    with torch.device("meta"):
        model = models.alexnet_2012()
    norm = next(m for m in model.features if isinstance(m, nn.LocalResponseNorm))
    a = 30 * torch.randn(2, 9, 3, 4, generator=torch.Generator().manual_seed(0))
    expected = torch.empty_like(a)
    for i in range(9):
        squares = a[:, max(0, i - 2) : i + 3].square().sum(1)
        expected[:, i] = a[:, i] / (2 + 1e-4 * squares) ** 0.75
    torch.testing.assert_close(norm(a), expected)


@pytest.mark.parametrize(("name", "size"), [("alexnet", 63), ("alexnet_2012", 67), ("small_alexnet", 13)])
def test_least_pictures(name, size):
    small_networks.assert_least_picture(name, size)


def test_small_takes_pictures():
    small_networks.assert_takes_pictures("small_alexnet", ((32, 32), (33, 47), (13, 13)), width=4)


def test_small_widths():
    small_networks.assert_width_scales("small_alexnet", (8, 16, 32))


def test_small_learns():
    small_networks.assert_learns_a_batch("small_alexnet", width=8)
