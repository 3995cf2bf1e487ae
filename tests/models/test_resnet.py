"""Against torchvision's networks, and against the counts that papers and other counters publish."""

from functools import partial

import pytest
import torch
import torchvision
from torch import nn

from course_lib import measure, models
from course_lib.models.residual_blocks import Bottleneck
from tests.models.small_networks import assert_docstring_counts, counted
from tests.models.torchvision_weights import assert_same_as_torchvision

IMAGENET = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")

# Billions of multiply-adds for one 224x224 image (He et al., 2016, table 1, to one digit), beside those that
# torchvision publishes with its weights. Those of bottlenecks differ: the paper strides in the first 1x1 convolution
# of a stage, so its 3x3 convolutions work on smaller pictures; torchvision and we, by default, in the 3x3 one.
PAPER_GMAC = {"resnet18": 1.8, "resnet34": 3.6, "resnet50": 3.8, "resnet101": 7.6, "resnet152": 11.3}

# Millions of numbers put out by convolutions, as timm's benchmark tables list them
PUBLISHED_ACTIVATIONS = {"resnet18": 2.48, "resnet34": 3.74, "resnet50": 11.11, "resnet101": 16.23, "resnet152": 22.56}

# He et al. (2016), table 6, in millions; exactly, for the network as the paper describes it (section 4.2): option A
# shortcuts without parameters, batch normalisation counted.
PUBLISHED_CIFAR = {
    "resnet20": (0.27, 269_722),
    "resnet32": (0.46, 464_154),
    "resnet44": (0.66, 658_586),
    "resnet56": (0.85, 853_018),
    "resnet110": (1.7, 1_727_962),
}


@pytest.mark.parametrize("name", IMAGENET)
def test_same_output_as_torchvision_with_its_weights(name):
    assert_same_as_torchvision(name, torch.randn(1, 3, 33, 50, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("name", IMAGENET)
def test_published_costs(name):
    published = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"].meta
    counts = counted(name, 224)
    assert counts.parameters == published["num_params"]
    assert counts.macs / 1e9 == pytest.approx(published["_ops"], abs=0.0005)
    assert counts.macs / 1e9 == pytest.approx(PAPER_GMAC[name], abs=0.07 if name in ("resnet18", "resnet34") else 0.3)
    assert (counts.activations - 1000) / 1e6 == pytest.approx(PUBLISHED_ACTIVATIONS[name], abs=0.006)


@pytest.mark.parametrize("name", PUBLISHED_CIFAR)
def test_cifar_family_has_its_published_size(name):
    millions, exactly = PUBLISHED_CIFAR[name]
    model = getattr(models, name)()
    parameters = sum(parameter.numel() for parameter in model.parameters())
    assert parameters == exactly
    assert parameters / 1e6 == pytest.approx(millions, abs=0.05 if millions == 1.7 else 0.005)
    weighted = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert len(weighted) == int(name.removeprefix("resnet"))


def test_cifar_resnet20_macs_by_hand():
    """Stem, then 3 stages of 6 convolutions 3x3, of which the first of stages 2 and 3 reads half as many channels."""
    stage1 = 6 * 16 * 16 * 9 * 32**2
    stage2 = (16 * 32 + 5 * 32 * 32) * 9 * 16**2
    stage3 = (32 * 64 + 5 * 64 * 64) * 9 * 8**2
    expected = 3 * 16 * 9 * 32**2 + stage1 + stage2 + stage3 + 640
    assert measure.count(models.resnet20(), torch.zeros(1, 3, 32, 32)).macs == expected == 40_551_040


def test_option_a_shortcut_keeps_every_second_pixel_and_adds_zero_channels():
    shortcut = models.resnet20().layer2[0].downsample
    x = torch.randn(2, 16, 8, 6)
    y = shortcut(x)
    assert y.shape == (2, 32, 4, 3)
    assert torch.equal(y[:, 8:24], x[:, :, ::2, ::2])
    assert not y[:, :8].any() and not y[:, 24:].any()
    assert not list(shortcut.parameters())


@pytest.mark.parametrize("size", [1, 8, 33])
def test_small_resnet_takes_any_picture(size):
    model = models.small_resnet(num_classes=7, in_channels=1, width=8).eval()
    assert model(torch.zeros(2, 1, size, size)).shape == (2, 7)


def test_small_resnet_costs_what_its_docstring_says():
    counts = measure.count(models.small_resnet(), torch.zeros(1, 3, 32, 32))
    written = models.small_resnet.__doc__
    assert f"{counts.parameters:,} parameters" in written
    assert f"{counts.macs / 1e6:.2f} MMAC" in written


@pytest.mark.parametrize("name", PUBLISHED_CIFAR)
def test_the_other_docstrings_too(name):
    assert f"{counted(name, 32).parameters:,} parameters" in getattr(models, name).__doc__


@pytest.mark.parametrize("name", IMAGENET)
def test_imagenet_docstrings(name):
    assert_docstring_counts(name, 224)


def test_early_stride_is_the_papers():
    assert f"{counted('resnet50', 224, early_stride=True).macs / 1e9:.3f} GMAC" in models.resnet50.__doc__
    with torch.device("meta"):
        early, late = (models.resnet101(early_stride=early).layer3[0] for early in (True, False))
    assert (early.conv1.stride, early.conv2.stride) == ((2, 2), (1, 1))
    assert (late.conv1.stride, late.conv2.stride) == ((1, 1), (2, 2))


class OwnBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut, without defaults and without `expansion`."""

    def __init__(self, inputs, width, stride, shortcut):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(inputs, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width))
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width))
        self.shortcut = shortcut or nn.Identity()

    def forward(self, x):
        return (self.second(self.first(x).relu()) + self.shortcut(x)).relu()


def own_shortcut(inputs, outputs, stride):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


def test_an_own_block_and_shortcut_take_the_defaults_place():
    default = models.small_resnet(width=8).eval()
    own = models.small_resnet(width=8, block=OwnBlock, shortcut=own_shortcut).eval()
    assert sum(isinstance(m, OwnBlock) for m in own.modules()) == 3
    for ours, theirs in zip(own.parameters(), default.parameters(), strict=True):
        ours.data.copy_(theirs)
    x = torch.randn(2, 3, 33, 20)
    with torch.no_grad():
        torch.testing.assert_close(own(x), default(x))


def test_blocks_that_widen_say_so():
    model = models.small_resnet(width=8, block=partial(Bottleneck, groups=2)).eval()
    assert model.features(torch.zeros(1, 3, 32, 32)).shape == (1, 128, 4, 4)


def test_features_are_the_last_stages_output():
    model = models.small_resnet().eval()
    x = torch.randn(2, 3, 32, 32)
    features = model.features(x)
    assert features.shape == (2, 64, 4, 4)
    torch.testing.assert_close(model.fc(features.mean((2, 3))), model(x))


def test_gradients_reach_every_parameter():
    model = models.small_resnet(width=4)
    model(torch.randn(4, 3, 32, 32)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())
