"""SENets: ResNets, by torchvision's own code, with attention before the addition."""

from functools import partial

import pytest
import torch
import torchvision
from torch import nn

from course_lib import models
from tests.models import small_networks

NAMES = ("se_resnet50", "se_resnet101", "se_resnext50_32x4d")


@pytest.mark.parametrize("name", NAMES)
def test_docstrings(name):
    small_networks.assert_docstring_counts(name, 224)


def test_without_attention_it_is_torchvisions_resnext():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = torchvision.models.resnext50_32x4d().eval()
    ours = models.se_resnext50_32x4d(attention=lambda channels: nn.Identity()).eval()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(1, 3, 40, 33)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-5)


def test_strides_stand_in_the_first_convolution():
    with torch.device("meta"):
        block = models.se_resnet50().layer2[0]
    assert (block.conv1.stride, block.conv2.stride) == ((2, 2), (1, 1))


def test_attention_weights_the_residual_only():
    """Figure 3: x + scale(residual), the rectifier last."""

    class Halve(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.channels = channels

        def forward(self, x):
            assert x.shape[1] == self.channels
            return x / 2

    block = models.small_se_resnet(width=8, attention=Halve).layer1[0].eval()
    block.downsample = nn.Conv2d(8, 16, 1)
    x = torch.randn(2, 8, 5, 6)
    plain = block.bn3(block.conv3(block.relu(block.bn2(block.conv2(block.relu(block.bn1(block.conv1(x))))))))
    torch.testing.assert_close(block(x), (block.downsample(x) + plain / 2).relu())


def test_default_attention_by_the_papers_equations():
    """Equations 2 to 4: z = mean over places, s = sigmoid(W2 relu(W1 z)), out = s x."""
    module = models.small_se_resnet(width=8).layer1[0].attention
    assert (module.fc1.in_channels, module.fc1.out_channels) == (16, 4)
    x = torch.randn(3, 16, 4, 5)
    hidden = (x.mean((2, 3)) @ module.fc1.weight[:, :, 0, 0].T + module.fc1.bias).relu()
    scale = (hidden @ module.fc2.weight[:, :, 0, 0].T + module.fc2.bias).sigmoid()
    torch.testing.assert_close(module(x), x * scale[:, :, None, None])


def test_attention_in_every_block():
    made = []
    with torch.device("meta"):
        models.se_resnet50(attention=lambda channels: made.append(channels) or nn.Identity())
    assert made == [256] * 3 + [512] * 4 + [1024] * 6 + [2048] * 3


def test_small_docstring():
    small_networks.assert_docstring_counts("small_se_resnet", 32)


def test_small_takes_pictures():
    small_networks.assert_takes_pictures("small_se_resnet", ((32, 32), (33, 47), (1, 1)), width=8)


def test_small_widths():
    small_networks.assert_width_scales("small_se_resnet", (8, 16, 32))


def test_small_learns():
    small_networks.assert_learns_a_batch("small_se_resnet", width=8)


def test_an_odd_width_is_refused():
    with pytest.raises(ValueError, match="must be even, not 7"):
        models.small_se_resnet(width=7)


def test_other_attention_is_plugged_in():
    attention = partial(nn.GroupNorm, 4)
    model = models.small_se_resnet(width=8, attention=attention)
    assert sum(isinstance(m, nn.GroupNorm) for m in model.modules()) == 3
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
