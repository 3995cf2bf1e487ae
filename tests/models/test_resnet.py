"""Against torchvision's networks, and against the counts that papers and other counters publish."""

import pytest
import torch
import torchvision
from torch import nn

from course_lib import measure, models

IMAGENET = ("resnet18", "resnet34", "resnet50")

# Billions of multiply-adds for one 224x224 image (He et al., 2016, table 1, to one digit), beside those that
# torchvision publishes with its weights. ResNet-50 differs: the paper's strides in the first 1x1 convolution of a
# stage, so its 3x3 convolutions work on smaller pictures; torchvision and we stride in the 3x3 one.
PAPER_GMAC = {"resnet18": 1.8, "resnet34": 3.6, "resnet50": 3.8}

# Millions of numbers put out by convolutions, as timm's benchmark tables list them
PUBLISHED_ACTIVATIONS = {"resnet18": 2.48, "resnet34": 3.74, "resnet50": 11.11}

# He et al. (2016), table 6, in millions; exactly, for the network as the paper describes it (section 4.2): option A
# shortcuts without parameters, batch normalisation counted.
PUBLISHED_CIFAR = {
    "resnet20": (0.27, 269_722),
    "resnet32": (0.46, 464_154),
    "resnet44": (0.66, 658_586),
    "resnet56": (0.85, 853_018),
    "resnet110": (1.7, 1_727_962),
}


@pytest.fixture(scope="module")
def pictures():
    return torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


def untrained(name):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return getattr(torchvision.models, name)().eval()


@pytest.mark.parametrize("name", IMAGENET)
def test_same_output_as_torchvision_with_its_weights(name, pictures):
    theirs = untrained(name)
    for module in theirs.modules():  # fresh statistics are 0 and 1, which would hide a missing normalisation
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    ours = getattr(models, name)()
    ours.load_state_dict(theirs.state_dict())
    ours.eval()
    with torch.no_grad():
        torch.testing.assert_close(ours(pictures), theirs(pictures), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", IMAGENET)
def test_published_costs(name):
    published = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"].meta
    counts = measure.count(getattr(models, name)(), torch.zeros(1, 3, 224, 224))
    assert counts.parameters == published["num_params"]
    assert counts.macs / 1e9 == pytest.approx(published["_ops"], abs=0.0005)
    assert counts.macs / 1e9 == pytest.approx(PAPER_GMAC[name], abs=0.3 if name == "resnet50" else 0.07)
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


@pytest.mark.parametrize("name", [*IMAGENET, *PUBLISHED_CIFAR])
def test_the_other_docstrings_too(name):
    parameters = sum(parameter.numel() for parameter in getattr(models, name)().parameters())
    assert f"{parameters:,} parameters" in getattr(models, name).__doc__


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
