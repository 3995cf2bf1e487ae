"""Against torchvision's ShuffleNetV2 networks, and with another shuffle."""

import pytest
import torch
from torch import nn

from course_lib import models
from course_lib.models.shufflenet_v2 import ShuffleUnitV2
from tests.models import small_networks
from tests.models.test_shufflenet_v1 import Shuffle
from tests.models.torchvision_weights import assert_same_as_torchvision

NAMES = ("shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0")


@pytest.mark.parametrize("name", NAMES)
def test_same_output_as_torchvision_with_its_weights(name):
    assert_same_as_torchvision(name, torch.randn(2, 3, 65, 98, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("name", NAMES)
def test_docstrings(name):
    small_networks.assert_docstring_counts(name, 224)


@pytest.mark.parametrize("name", ["shufflenet_v2_x0_5", "small_shufflenet_v2"])
def test_an_own_shuffle_takes_the_place_of_torchs(name):
    default, own = getattr(models, name)().eval(), getattr(models, name)(shuffle=Shuffle).eval()
    assert {m.groups for m in own.modules() if isinstance(m, Shuffle)} == {2}
    own.load_state_dict(default.state_dict())
    x = torch.randn(2, 3, 40, 33)
    with torch.no_grad():
        torch.testing.assert_close(own(x), default(x))


def test_stride_1_leaves_half_of_the_channels():
    unit = ShuffleUnitV2(12, 12, 1, nn.ChannelShuffle).eval()
    x = torch.randn(2, 12, 5, 6)
    assert torch.equal(unit(x)[:, ::2], x[:, :6])


def test_channels_that_make_no_unit_are_refused():
    for inputs, outputs, stride in [(8, 10, 1), (8, 9, 2)]:
        with pytest.raises(ValueError, match=f"stride {stride} cannot take {inputs} to {outputs} channels"):
            ShuffleUnitV2(inputs, outputs, stride, nn.ChannelShuffle)


def test_small_docstring():
    small_networks.assert_docstring_counts("small_shufflenet_v2", 32)


def test_small_takes_pictures():
    small_networks.assert_takes_pictures("small_shufflenet_v2", ((32, 32), (33, 47), (1, 1)), width=5)


def test_small_widths():
    small_networks.assert_width_scales("small_shufflenet_v2", (16, 32, 64))


def test_small_learns():
    small_networks.assert_learns_a_batch("small_shufflenet_v2", width=8)
