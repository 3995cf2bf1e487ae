"""Against torchvision's MobileNetV3 networks, and with other parts plugged in."""

import pytest
import torch
from torch import nn

from course_lib import models
from tests.models import small_networks
from tests.models.torchvision_weights import assert_same_as_torchvision

NAMES = ("mobilenet_v3_large", "mobilenet_v3_small")


@pytest.mark.parametrize("name", NAMES)
def test_same_output_as_torchvision_with_its_weights(name):
    assert_same_as_torchvision(name, torch.randn(2, 3, 65, 98, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("name", NAMES)
def test_docstrings(name):
    small_networks.assert_docstring_counts(name, 224)


class HardSwish(nn.Module):
    """Section 5.2: x relu6(x + 3) / 6."""

    def forward(self, x):
        return x * (x + 3).clamp(0, 6) / 6


@pytest.mark.parametrize(("name", "places"), [("mobilenet_v3_large", 21), ("small_mobilenet_v3", 7)])
def test_an_own_activation_takes_the_place_of_every_hard_swish(name, places):
    default, own = getattr(models, name)().eval(), getattr(models, name)(activation=HardSwish).eval()
    assert sum(isinstance(m, HardSwish) for m in own.modules()) == places
    assert not any(isinstance(m, nn.Hardswish) for m in own.modules())
    own.load_state_dict(default.state_dict())
    x = torch.randn(2, 3, 40, 33)
    with torch.no_grad():
        torch.testing.assert_close(own(x), default(x), rtol=1e-4, atol=1e-5)


def test_hard_swish_stands_where_table_2_has_it():
    with torch.device("meta"):
        model = models.mobilenet_v3_small(activation=HardSwish)
    kinds = [{type(m) for m in layer.modules()} & {HardSwish, nn.ReLU} for layer in model.features]
    assert kinds[0] == {HardSwish} and kinds[2] == kinds[3] == {nn.ReLU} and kinds[12] == {HardSwish}
    assert HardSwish not in kinds[1] and all(HardSwish in kind for kind in kinds[4:])


def test_an_own_attention_is_given_channels_and_squeezed_channels():
    made = []

    def attention(channels, squeezed):
        made.append((channels, squeezed))
        return nn.Identity()

    with torch.device("meta"):
        models.mobilenet_v3_large(attention=attention)
    expected = [72, 120, 120, 480, 672, 672, 960, 960]  # table 1, the rows with a check mark under SE
    assert [channels for channels, _ in made] == expected
    assert all(squeezed == pytest.approx(channels / 4, abs=6) for channels, squeezed in made)  # a quarter, rounded


def test_an_own_block_is_given_the_tables_rows():
    rows = []

    def block(inputs, outputs, stride, kernel, expanded, attention, activation):
        rows.append((inputs, outputs, stride, kernel, expanded, attention is not None, type(activation())))
        return nn.Conv2d(inputs, outputs, 1, stride)

    model = models.small_mobilenet_v3(width=8, block=block)
    assert rows[0] == (8, 8, 1, 3, 8, False, nn.ReLU)
    assert rows[3] == (16, 24, 2, 5, 64, True, nn.Hardswish)
    assert model(torch.zeros(2, 3, 16, 16)).shape == (2, 10)


def test_small_docstring():
    small_networks.assert_docstring_counts("small_mobilenet_v3", 32)


def test_small_takes_pictures():
    small_networks.assert_takes_pictures("small_mobilenet_v3", ((32, 32), (33, 47), (1, 1)), width=4)


def test_odd_widths_are_taken_as_given():
    model = models.small_mobilenet_v3(width=5)
    assert [layer.out_channels for layer in model.features[1:-1]] == [5, 10, 10, 15, 15]


def test_small_widths():
    small_networks.assert_width_scales("small_mobilenet_v3", (8, 16, 32))


def test_small_learns():
    small_networks.assert_learns_a_batch("small_mobilenet_v3", width=8)
