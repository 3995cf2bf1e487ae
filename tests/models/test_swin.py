"""Against torchvision's networks and the counts it publishes."""

import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from course_lib import measure, models
from course_lib.models.swin import PatchMerging, SkipResidual
from tests.examples import examples

PUBLISHED = ("swin_t", "swin_s")


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


@pytest.mark.parametrize("size", [(56, 56), (44, 60)])
def test_same_output_as_torchvision_with_its_weights(size):
    sizes = {"patch_size": [4, 4], "embed_dim": 12, "depths": [2, 2, 1], "num_heads": [2, 3, 4], "window_size": [3, 3]}
    theirs = torchvision.models.SwinTransformer(**sizes, num_classes=7).eval()
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.2)
    ours = models.SwinTransformer(4, 12, (2, 2, 1), (2, 3, 4), 3, num_classes=7).eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.rand(2, 3, *size)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-4)


def attention_of(block):
    """torch's fused attention over the whole map, with the block's own weights and bias."""

    def attend(x):
        parts = block.qkv(x.flatten(1, 2)).unflatten(-1, (3, block.num_heads, -1)).permute(2, 0, 3, 1, 4)
        bias = block.get_relative_position_bias()
        heads = nn.functional.scaled_dot_product_attention(*parts, attn_mask=bias)
        return block.proj(heads.transpose(1, 2).flatten(2)).view_as(x)

    return attend


@pytest.mark.parametrize("block", [0, 1])
def test_one_window_over_the_map_is_full_attention(block):
    """The second block would shift its windows by two; with nothing to shift into, it must not."""
    attention = models.small_swin(window=4).features[1][block].attn
    nn.init.normal_(attention.relative_position_bias_table)
    x = torch.randn(2, 4, 4, 32)
    with torch.no_grad():
        torch.testing.assert_close(attention(x), attention_of(attention)(x), rtol=1e-4, atol=1e-5)


def test_windows_are_alone_until_they_shift():
    first, second = (block.attn for block in models.small_swin(window=4).features[1])
    x = torch.randn(1, 8, 8, 32)
    changed = x.clone()
    changed[0, 3, 3] += 1  # the last corner of the first window
    with torch.no_grad():
        reach = (first(changed) != first(x)).any(-1)[0]
        shifted = (second(changed) != second(x)).any(-1)[0]
    assert reach[:4, :4].all() and reach.sum() == 16
    assert shifted[2:6, 2:6].all() and shifted.sum() == 16


def test_a_notebooks_own_window_attention_is_used():
    made = []

    def window_attention(width, heads, window, shift):
        made.append((width, heads, window, shift))
        return nn.Identity()

    model = models.small_swin(window_attention=window_attention)
    assert made == [(32, 2, 4, 0), (32, 2, 4, 2), (64, 4, 4, 0), (64, 4, 4, 2)]
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


@given(st.integers(1, 7), st.integers(1, 7))
@examples(20)
def test_patch_merging_by_its_definition(height, width):
    """Each output token joins rows 2i, 2i+1 of column 2j, then those of column 2j+1; outside the map stand zeros."""
    merge = PatchMerging(3, lambda width: nn.Identity())
    nn.init.eye_(merge.reduction.weight)  # shows the first two of the four
    x = torch.randn(1, height, width, 3)
    out = merge(x)
    assert out.shape == (1, -(-height // 2), -(-width // 2), 6)
    for row in range(out.shape[1]):
        for column in range(out.shape[2]):
            below = x[0, 2 * row + 1, 2 * column] if 2 * row + 1 < height else torch.zeros(3)
            torch.testing.assert_close(out[0, row, column], torch.cat([x[0, 2 * row, 2 * column], below]))


def test_stochastic_depth_drops_whole_samples_and_keeps_the_mean():
    skip = SkipResidual(0.25)
    x = torch.ones(4000, 2, 3)
    torch.manual_seed(0)
    out = skip(x)
    kept = out[:, 0, 0] > 0
    assert torch.equal(out, kept[:, None, None] * x / 0.75)
    assert kept.float().mean() == pytest.approx(0.75, abs=0.03)
    assert torch.equal(skip.eval()(x), x)


@given(st.integers(4, 41), st.integers(4, 41))
@examples(8)
def test_small_swin_takes_any_picture(height, width):
    model = models.small_swin(num_classes=3, in_channels=1, width=4)
    assert model.eval()(torch.zeros(2, 1, height, width)).shape == (2, 3)


def test_convolutional_stem():
    model = models.small_swin(num_classes=3, stem="convolutions").eval()
    assert model(torch.zeros(2, 3, 31, 33)).shape == (2, 3)
    with pytest.raises(ValueError, match="convolutions"):
        models.small_swin(stem="conv")


def test_small_swin_costs_what_its_docstring_says():
    counts = measure.count(models.small_swin(), torch.zeros(1, 3, 32, 32))
    assert f"{counts.parameters:,} parameters, {counts.macs / 1e6:.2f} MMAC" in models.small_swin.__doc__


def test_gradients_reach_every_parameter():
    model = models.small_swin(width=8)
    model(torch.rand(2, 3, 32, 32)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())
