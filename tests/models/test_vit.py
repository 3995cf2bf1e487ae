"""Against torchvision's networks and the counts it publishes."""

import pytest
import torch
import torchvision
from torch import nn

from course_lib import measure, models

PUBLISHED = ("vit_b_16", "vit_b_32", "vit_l_16")


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_costs(name):
    published = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"].meta
    with torch.device("meta"):
        model = models.build(name)
        theirs = getattr(torchvision.models, name)()
        counts = measure.count(model, torch.zeros(1, 3, 224, 224))
    assert counts.parameters == published["num_params"]
    assert f"{counts.macs / 1e9:.3f}" == str(published["_ops"])
    assert counts.uncounted == ()
    ours = {key: value.shape for key, value in model.state_dict().items()}
    assert ours == {key: value.shape for key, value in theirs.state_dict().items()}
    written = getattr(models, name).__doc__
    assert f"{counts.parameters:,} parameters, {counts.macs / 1e9:.3f} GMAC" in written


def test_vit_b_16_macs_by_hand():
    """196 patches and a class token; per layer four projections, two linear layers of 3072, two products of tokens."""
    tokens, width = 197, 768
    layer = tokens * (4 * width**2 + 2 * width * 3072) + 2 * tokens**2 * width
    with torch.device("meta"):
        macs = measure.count(models.vit_b_16(), torch.zeros(1, 3, 224, 224)).macs
    assert macs == 196 * 768 * width + 12 * layer + 1000 * width


def test_same_output_as_torchvision_with_its_weights():
    """The published sizes differ in numbers only, so a narrow one shows the arithmetic."""
    sizes = {"image_size": 48, "patch_size": 16, "num_layers": 3, "num_heads": 4, "hidden_dim": 32, "mlp_dim": 72}
    theirs = torchvision.models.VisionTransformer(**sizes, num_classes=7).eval()
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.2)
    ours = models.VisionTransformer(48, 16, 32, 3, 4, 72, num_classes=7).eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.rand(3, 3, 48, 48)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-4)


def test_tokens_are_patches_row_by_row():
    model = models.small_vit(in_channels=1, image_size=6, patch=2)
    image = torch.zeros(1, 1, 6, 6)
    image[0, 0, 2:4, 4:6] = 1  # second row, third column
    changed = (model.tokens(image) != model.tokens(torch.zeros_like(image))).any(-1)[0]
    assert changed.nonzero().flatten().tolist() == [5]


def test_without_positions_the_order_of_patches_is_nothing():
    model = models.small_vit(num_classes=5).eval()
    nn.init.normal_(model.heads.head.weight)
    nn.init.zeros_(model.encoder.pos_embedding)
    images = torch.rand(2, 3, 32, 32)
    moved = images.roll((8, 12), dims=(2, 3))  # whole patches
    with torch.no_grad():
        torch.testing.assert_close(model(moved), model(images), rtol=1e-4, atol=1e-5)
        nn.init.normal_(model.encoder.pos_embedding)
        assert not torch.allclose(model(moved), model(images), rtol=1e-2, atol=1e-2)


def test_sizes_that_do_not_fit():
    with pytest.raises(ValueError, match="multiple of patch, not 30 and 4"):
        models.small_vit(image_size=30)
    with pytest.raises(ValueError, match=r"32 x 32 pixels, not 32 x 40"):
        models.small_vit()(torch.zeros(1, 3, 32, 40))


def test_convolutional_stem():
    model = models.small_vit(num_classes=3, in_channels=1, stem="convolutions").eval()
    assert model.tokens(torch.rand(2, 1, 32, 32)).shape == (2, 64, 64)
    image = torch.zeros(1, 1, 32, 32)
    image[0, 0, 17, 17] = 1  # a pixel of the fifth patch in the fifth row, which three neighbours see too
    changed = (model.tokens(image) != model.tokens(torch.zeros_like(image))).any(-1).view(8, 8)
    assert changed[4, 4] and changed.sum() == 4
    with pytest.raises(ValueError, match="patch=4"):
        models.small_vit(patch=8, stem="convolutions")


def test_small_vit_costs_what_its_docstring_says():
    counts = measure.count(models.small_vit(), torch.zeros(1, 3, 32, 32))
    assert f"{counts.parameters:,} parameters, {counts.macs / 1e6:.2f} MMAC" in models.small_vit.__doc__


def test_gradients_reach_every_parameter():
    model = models.small_vit(layers=1, width=8, heads=2)
    nn.init.normal_(model.heads.head.weight)
    model(torch.rand(2, 3, 32, 32)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())
