"""ShuffleNet: the paper's table of stages, and that shuffling is what lets groups hear of each other."""

import pytest
import torch
from torch import nn

from course_lib import models
from course_lib.models.shufflenet_v1 import ShuffleUnitV1
from tests.models import small_networks


def test_docstring():
    small_networks.assert_docstring_counts("shufflenet_v1", 224)


@pytest.mark.parametrize(("groups", "channels"), [(1, 144), (2, 200), (3, 240), (4, 272), (8, 384)])
def test_stages_by_table_1(groups, channels):
    with torch.device("meta"):
        model = models.shufflenet_v1(groups=groups).eval()
        x, shapes = torch.zeros(1, 3, 224, 224), []
        for layer in model.features:
            x = layer(x)
            shapes.append(tuple(x.shape[1:]))
    one, two, three = ((channels * 2**k, 28 // 2**k, 28 // 2**k) for k in range(3))
    assert shapes[2:] == [(24, 112, 112), (24, 56, 56), *[one] * 4, *[two] * 8, *[three] * 4]
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (1, 1)]
    assert [m.groups for m in convolutions] == [1] + [groups] * 31


class Shuffle(nn.Module):
    """By index: channel k of the output is number k // groups of group k % groups."""

    def __init__(self, groups):
        super().__init__()
        self.groups = groups

    def forward(self, x):
        each = x.shape[1] // self.groups
        return x[:, [group * each + number for number in range(each) for group in range(self.groups)]]


@pytest.mark.parametrize("name", ["shufflenet_v1", "small_shufflenet_v1"])
def test_an_own_shuffle_takes_the_place_of_torchs(name):
    default, own = getattr(models, name)().eval(), getattr(models, name)(shuffle=Shuffle).eval()
    assert {m.groups for m in own.modules() if isinstance(m, Shuffle)} == {4 if name.startswith("small") else 3}
    own.load_state_dict(default.state_dict())
    x = torch.randn(2, 3, 40, 33)
    with torch.no_grad():
        torch.testing.assert_close(own(x), default(x))


@pytest.mark.parametrize("shuffles", [True, False])
def test_an_output_hears_of_all_groups_only_with_a_shuffle(shuffles):
    make = nn.ChannelShuffle if shuffles else (lambda groups: nn.Identity())
    unit = ShuffleUnitV1(36, 36, 1, groups=3, first_groups=3, shuffle=make).eval()
    x = torch.randn(1, 36, 5, 5, requires_grad=True)
    new = unit.expand(unit.depthwise(unit.shuffle(unit.squeeze(x))))
    new[0, 0].square().sum().backward()
    heard = [bool(x.grad[0, start : start + 12].any()) for start in (0, 12, 24)]
    assert heard == ([True, True, True] if shuffles else [True, False, False])


def test_stride_2_concatenates_the_pooled_input():
    unit = ShuffleUnitV1(8, 20, 2, groups=1, first_groups=1, shuffle=nn.ChannelShuffle).eval()
    x = torch.randn(2, 8, 7, 6)
    y = unit(x)
    assert y.shape == (2, 20, 4, 3)
    assert torch.equal(y[:, :8], nn.functional.avg_pool2d(x, 3, 2, 1))


def test_groups_and_scales_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="one of 1, 2, 3, 4, 8, not 5"):
        models.shufflenet_v1(groups=5)
    with pytest.raises(ValueError, match="48 inner and 180 new channels do not divide into 8 groups"):
        models.shufflenet_v1(groups=8, scale=0.5)
    with pytest.raises(ValueError, match="multiple of 8, not 20"):
        models.small_shufflenet_v1(width=20)


def test_small_docstring():
    small_networks.assert_docstring_counts("small_shufflenet_v1", 32)


def test_small_takes_pictures():
    small_networks.assert_takes_pictures("small_shufflenet_v1", ((32, 32), (33, 47), (1, 1)), width=8)


def test_small_widths():
    small_networks.assert_width_scales("small_shufflenet_v1", (16, 32, 64))


def test_small_learns():
    small_networks.assert_learns_a_batch("small_shufflenet_v1", width=16)
